//! The plan, for people and for programs.

use serde_json::{Value, json};

use super::planned::{Bound, Item, Planned};
use super::{Import, Tool};
use crate::host::Host;
use crate::import::{Accounts, Fate};
use crate::profile::ProfileName;
use crate::terminal;

impl Planned {
    /// What becomes of each, in columns.
    pub(super) fn table(&self, host: &Host, tool: Tool) -> String {
        let rows: Vec<[String; 4]> = self.items.iter().map(row).collect();
        let heading = tool.to_string().to_uppercase();
        let mut text = terminal::table([&heading, "METHOD", "ACCOUNT", "WHAT HAPPENS"], &rows);
        if !self.bindings.is_empty() {
            let rows: Vec<[String; 2]> = self
                .bindings
                .iter()
                .map(|bound| [host.shown(&bound.directory), bound_happens(bound)])
                .collect();
            text.push('\n');
            text.push_str(&terminal::table(["DIRECTORY", "WHAT HAPPENS"], &rows));
        }
        text
    }

    /// The same for programs; after the import it is what was done.
    pub(super) fn as_json(&self, import: &Import) -> Value {
        json!({
            "tool": import.tool.to_string(),
            "dryRun": import.dry_run,
            "profiles": self.items.iter().map(item_as_json).collect::<Vec<_>>(),
            "bindings": self.bindings.iter().map(bound_as_json).collect::<Vec<_>>(),
            "notes": self.notes(),
        })
    }
}

fn row(item: &Item) -> [String; 4] {
    let account = match &item.accounts {
        Accounts::One(account) => account.to_string(),
        Accounts::Several(seen) => format!("one of {}", seen.len()),
        Accounts::Unknown => String::new(),
    };
    let method = item.found.what.method().map(|method| method.to_string()).unwrap_or_default();
    [item.found.name.clone(), method, account, happens(item)]
}

fn happens(item: &Item) -> String {
    let name = text(item.name.as_ref());
    let signed_out = if item.scopes.is_some() { ", signed out" } else { "" };
    match &item.fate {
        Fate::Make => format!("becomes profile '{name}'{signed_out}"),
        Fate::Replace(what) => format!("replaces profile '{name}' ({what}){signed_out}"),
        Fate::Collides(what) => format!("is asked for: profile '{name}' exists ({what})"),
        Fate::There(name) => format!("is there already: profile '{name}'"),
        Fate::Stays(why) => format!("stays: {why}"),
        Fate::Left(why) => format!("is left out: {why}"),
    }
}

fn bound_happens(bound: &Bound) -> String {
    let name = text(bound.name.as_ref());
    match &bound.fate {
        Fate::Make => format!("will use profile '{name}'"),
        Fate::Replace(before) => format!("will use profile '{name}', and no longer {before}"),
        Fate::Collides(before) => format!("is asked for: it is bound to {before}, and there to '{name}'"),
        Fate::There(name) => format!("uses profile '{name}' already"),
        Fate::Stays(why) => format!("stays: {why}"),
        Fate::Left(why) => format!("is left out: {why}"),
    }
}

fn text(name: Option<&ProfileName>) -> &str {
    name.map(ProfileName::as_str).unwrap_or_default()
}

/// One word for what happens, and the reason where there is one.
fn action(fate: &Fate) -> (&'static str, Option<&str>) {
    match fate {
        Fate::Make => ("make", None),
        Fate::Replace(what) => ("replace", Some(what)),
        Fate::Collides(what) => ("ask", Some(what)),
        Fate::There(_) => ("there", None),
        Fate::Stays(why) => ("stay", Some(why)),
        Fate::Left(why) => ("leave", Some(why)),
    }
}

/// The profile that it is here.
fn profile<'a>(name: Option<&'a ProfileName>, fate: &'a Fate) -> Option<&'a str> {
    match fate {
        Fate::There(name) => Some(name),
        Fate::Stays(_) | Fate::Left(_) => None,
        _ => name.map(ProfileName::as_str),
    }
}

fn item_as_json(item: &Item) -> Value {
    let (action, reason) = action(&item.fate);
    let (account, accounts) = match &item.accounts {
        Accounts::One(account) => (Some(account), None),
        Accounts::Several(seen) => (None, Some(seen)),
        Accounts::Unknown => (None, None),
    };
    json!({
        "name": item.found.name,
        "method": item.found.what.method(),
        "account": account,
        "accounts": accounts,
        "profile": profile(item.name.as_ref(), &item.fate),
        "action": action,
        "reason": reason,
        "scopes": item.scopes.as_ref().map(|scopes| &scopes.scopes),
        "missingScopes": item.scopes.as_ref().map(|scopes| &scopes.lacks),
        "notes": item.found.notes,
    })
}

fn bound_as_json(bound: &Bound) -> Value {
    let (action, reason) = action(&bound.fate);
    let profile = profile(bound.name.as_ref(), &bound.fate);
    json!({ "directory": bound.directory, "profile": profile, "action": action, "reason": reason })
}
