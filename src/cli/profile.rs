//! `alchemy profile list|show|set|rename|delete`, and `alchemy list`.
//!
//! Nothing here opens a keyring but `rename` and `delete`, which must.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::configure::{Configure, choose_account};
use super::context::Context;
use super::{MinTtl, ProfileArgument};
use crate::cloudflare::identify;
use crate::error::{Error, Result};
use crate::profile::selection::Selection;
use crate::profile::{Account, AccountId, ProfileName};
use crate::store::{Listed, Store};
use crate::terminal;

/// Show, change, rename and delete profiles
#[derive(Subcommand)]
pub enum Profile {
    /// List the profiles
    #[command(visible_alias = "ls")]
    List(List),
    /// Show a profile, but not its secret
    Show(Show),
    /// Change what is not secret
    Set(Set),
    /// Give a profile another name
    #[command(visible_alias = "mv")]
    Rename(Rename),
    /// Delete a profile and its credential
    #[command(visible_alias = "rm")]
    Delete(Delete),
    /// Say which profile applies, and why
    Current(Current),
    /// The same as alchemy configure
    #[command(aliases = ["edit"])]
    Create(Box<Configure>),
}

impl Profile {
    pub fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List(list) => list.run(context),
            Self::Show(show) => show.run(context),
            Self::Set(set) => set.run(context),
            Self::Rename(rename) => rename.run(context),
            Self::Delete(delete) => delete.run(context),
            Self::Current(current) => current.run(context),
            Self::Create(configure) => configure.run(context),
        }
    }
}

#[derive(Args)]
pub struct List {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub fn run(self, context: &Context) -> Result<()> {
        let store = context.store(false)?;
        let listed = store.list()?;
        // A name in a variable that cannot be one is no reason to show nothing.
        let current = context.select(None).ok();
        let is_current = |listed: &Listed| {
            !listed.shadowed && current.as_ref().is_some_and(|c| c.name.as_str() == listed.name)
        };
        if self.json {
            let profiles: Vec<Value> = listed.iter().map(|l| as_json(l, is_current(l))).collect();
            return terminal::print_json(&profiles.into());
        }
        if listed.is_empty() {
            context.messages.say("no profiles yet; make one: alchemy configure");
            return Ok(());
        }
        let rows: Vec<[String; 6]> = listed
            .iter()
            .map(|l| {
                let mark = if is_current(l) { "*" } else { "" }.to_owned();
                match &l.profile {
                    Ok(p) => {
                        let store =
                            if l.shadowed { format!("{} (hidden)", p.store) } else { p.store.to_string() };
                        [
                            mark,
                            l.name.clone(),
                            p.method.to_string(),
                            p.account.name.clone(),
                            p.account.id.to_string(),
                            store,
                        ]
                    }
                    Err(error) => [
                        mark,
                        l.name.clone(),
                        "?".to_owned(),
                        error.to_string(),
                        String::new(),
                        String::new(),
                    ],
                }
            })
            .collect();
        terminal::print(&terminal::table(["", "NAME", "METHOD", "ACCOUNT", "ID", "STORE"], &rows))
    }
}

fn as_json(listed: &Listed, current: bool) -> Value {
    match &listed.profile {
        Ok(profile) => {
            let mut value = describe(profile);
            value["current"] = current.into();
            value["shadowed"] = listed.shadowed.into();
            value
        }
        Err(error) => json!({ "name": listed.name, "current": current, "error": error.to_string() }),
    }
}

/// A profile for programs: everything but its secret.
fn describe(profile: &crate::profile::Profile) -> Value {
    json!({
        "name": profile.name,
        "method": profile.method,
        "account": profile.account,
        "store": profile.store,
        "baseUrl": profile.endpoint,
        "token": profile.token,
        "also": profile.also,
    })
}

#[derive(Args)]
pub struct Show {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    fn run(self, context: &Context) -> Result<()> {
        let store = context.store(false)?;
        let selection = context.select(self.profile.get())?;
        let profile = store.find(&selection)?;
        if self.json {
            return terminal::print_json(&describe(&profile));
        }
        let mut lines = vec![
            ("profile", format!("{} ({})", profile.name, selection.reason)),
            ("method", profile.method.to_string()),
            ("account", profile.account.to_string()),
            ("store", profile.store.to_string()),
        ];
        if let Some(endpoint) = &profile.endpoint {
            lines.push(("api", endpoint.to_string()));
        }
        if let Some(token) = &profile.token {
            lines.push(("token", token.id.clone()));
            lines.push(("expires", token.expires.map_or_else(|| "never".to_owned(), |at| at.to_string())));
        }
        if !profile.also.is_empty() {
            lines.push(("also", profile.also.join(", ")));
        }
        let text = terminal::fields(&lines);
        terminal::print(&text)
    }
}

#[derive(Args)]
pub struct Set {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Pin another account, by its id or its exact name
    #[arg(long, value_name = "ID-or-NAME")]
    account: Option<String>,
    /// The account's name, where Cloudflare does not tell it
    #[arg(long, value_name = "NAME")]
    account_name: Option<String>,
    /// Repeat the token under another variable's name, at every use
    #[arg(long, value_name = "NAME", value_parser = super::env::variable_name, conflicts_with = "no_also")]
    also: Vec<String>,
    /// Repeat the token under no other name
    #[arg(long)]
    no_also: bool,
    /// Do not ask Cloudflare whether the credential sees the account; --account must be an id then
    #[arg(long)]
    no_verify: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Set {
    fn run(self, context: &Context) -> Result<()> {
        if self.account.is_none() && self.account_name.is_none() && self.also.is_empty() && !self.no_also {
            return Err(
                Error::usage("nothing to change").hint("give --account, --account-name, --also or --no-also")
            );
        }
        let mut store = context.store(true)?;
        let selection = context.select(self.profile.get())?;
        store.find(&selection)?;
        let account = match self.account.as_deref() {
            Some(account) if self.no_verify => Some(super::context::account_by_id(account)?),
            Some(account) => Some(verified(context, &store, &selection, account)?),
            None => None,
        };
        let changed = store.update(&selection.name, |profile| {
            if let Some(account) = account {
                profile.account = account;
            }
            if let Some(name) = self.account_name {
                profile.account.name = name;
            }
            if self.no_also || !self.also.is_empty() {
                profile.also = self.also;
            }
        })?;
        if self.json {
            terminal::print_json(&describe(&changed))
        } else {
            context
                .messages
                .say(&format!("profile '{}' is changed: account {}", changed.name, changed.account));
            Ok(())
        }
    }
}

/// The account, when the profile's credential can see it.
fn verified(context: &Context, store: &Store, selection: &Selection, account: &str) -> Result<Account> {
    let chosen = context.choose(store, Some(selection.name.as_str()))?;
    let session = context.session(store, &chosen, None, &MinTtl::default())?;
    let notice = |text: &str| context.messages.say(text);
    let client = context.client(&session.endpoint, &session.credential, &notice)?;
    let asked = AccountId::parse(account);
    let identity = identify(&client, &session.credential, asked.as_ref(), context.now)?;
    choose_account(&client, &identity, Some(account), None)
}

#[derive(Args)]
pub struct Rename {
    /// The profile
    from: String,
    /// Its new name
    to: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Rename {
    fn run(self, context: &Context) -> Result<()> {
        let to = ProfileName::parse(&self.to)?;
        let mut store = context.store(true)?;
        store.rename(&self.from, &to)?;
        if self.json {
            return terminal::print_json(&json!({ "renamed": self.from, "to": to }));
        }
        context.messages.say(&format!("profile '{}' is '{to}' now", self.from));
        Ok(())
    }
}

#[derive(Args)]
pub struct Delete {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Delete without asking
    #[arg(short, long)]
    yes: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Delete {
    fn run(self, context: &Context) -> Result<()> {
        let Some(name) = self.profile.get() else {
            return Err(Error::usage("which profile?").hint("name it: alchemy profile delete NAME"));
        };
        let name = ProfileName::parse(name)?;
        let mut store = context.store(true)?;
        // One that cannot be read exists, and can be deleted.
        if let Ok(None) = store.get(&name) {
            return Err(store.unknown(name.as_str(), ""));
        }
        if !self.yes && !terminal::ask_yes(&format!("delete profile '{name}' and its credential?"), "--yes")?
        {
            return Err(Error::new("cancelled; nothing was changed"));
        }
        store.delete(&name)?;
        if self.json {
            return terminal::print_json(&json!({ "deleted": name }));
        }
        context.messages.say(&format!(
            "profile '{name}' is deleted; what it could do at Cloudflare it can still do: \
             revoke a token on the dashboard"
        ));
        Ok(())
    }
}

#[derive(Args)]
pub struct Current {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Current {
    fn run(self, context: &Context) -> Result<()> {
        let Selection { name, reason } = context.select(None)?;
        if self.json {
            return terminal::print_json(&json!({ "name": name, "reason": reason.to_string() }));
        }
        terminal::print(&format!("{name} ({reason})\n"))
    }
}
