//! `alchemy profile show|set|rename|delete|current`, and the way to the other `alchemy profile` commands.
//!
//! The keyring is opened for what is in it alone: by `rename` and `delete`, and by `show` for how long an
//! OAuth session lives, which never shows a dialog.

use clap::{Args, Subcommand};
use serde_json::json;

use super::configure::Configure;
use super::list::{Life, List, describe};
use super::r#move::Move;
use super::refresh::Refresh;
use super::{Marks, ProfileArgument, logout};
use crate::cloudflare::identify;
use crate::directory::bindings;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::oauth::client::Preset;
use crate::profile::selection::Selection;
use crate::profile::{Account, AccountId, Method, ProfileName, StoreKind};
use crate::release::choice::Choice;
use crate::release::selector::Selector;
use crate::session::Gate;
use crate::session::sign_in::account::choose_account;
use crate::store::Store;
use crate::terminal;

/// Show, change, move, rename and delete profiles
#[derive(Subcommand)]
pub(super) enum Profile {
    /// List the profiles
    #[command(visible_alias = "ls")]
    List(List),
    /// Show a profile, but not its secret
    Show(Show),
    /// Change what is not secret
    Set(Set),
    Move(Move),
    /// Give a profile another name
    #[command(visible_alias = "mv")]
    Rename(Rename),
    /// Delete a profile and its credential
    #[command(visible_alias = "rm")]
    Delete(Delete),
    /// Say which profile applies, and why
    Current(Current),
    Refresh(Refresh),
    /// The same as alchemy configure
    #[command(aliases = ["edit"])]
    Create(Box<Configure>),
}

impl Profile {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        match self {
            Self::List(list) => list.run(host),
            Self::Show(show) => show.run(host),
            Self::Set(set) => set.run(host),
            Self::Move(to) => to.run(host),
            Self::Rename(rename) => rename.run(host),
            Self::Delete(delete) => delete.run(host),
            Self::Current(current) => current.run(host),
            Self::Refresh(refresh) => refresh.run(host),
            Self::Create(configure) => configure.run(host),
        }
    }
}

#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    fn run(self, host: &Host) -> Result<()> {
        let store = host.store(false)?;
        let selection = Selector::of(host).select(self.profile.get())?;
        let profile = store.find(&selection)?;
        let life = Life::of(&store, &profile);
        if self.json {
            let mut value = describe(&profile);
            life.add_to(&mut value, host.started);
            return terminal::print_json(&value);
        }
        let mut lines = vec![
            ("profile", format!("{} ({})", profile.name, selection.reason)),
            ("method", profile.method.to_string()),
            ("account", profile.account.to_string()),
            ("store", store_in_words(&profile.store)),
        ];
        if let Some(endpoint) = &profile.endpoint {
            lines.push(("api", endpoint.to_string()));
        }
        if let Some(token) = &profile.token {
            lines.push(("token", token.id.clone()));
        }
        if let Some(sign_in) = &profile.sign_in {
            let preset = sign_in.client.preset().map(Preset::name);
            lines.push(("client", preset.unwrap_or(&sign_in.client.id).to_owned()));
            lines.push(("scopes", sign_in.scopes.join(" ")));
        }
        if profile.token.is_some() || profile.sign_in.is_some() {
            lines.push(("expires", life.in_words(host.started)));
        }
        if !profile.also.is_empty() {
            lines.push(("also", profile.also.join(", ")));
        }
        if profile.confirm {
            lines.push(("confirm", "asks before its secret leaves".to_owned()));
        }
        let text = terminal::fields(&lines);
        terminal::print(&text)
    }
}

fn store_in_words(store: &StoreKind) -> String {
    store.detail().map_or_else(|| store.to_string(), |detail| format!("{store} ({detail})"))
}

#[derive(Args)]
pub(super) struct Set {
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
    #[command(flatten)]
    marks: Marks,
    /// Do not ask Cloudflare whether the credential sees the account; --account must be an id then
    #[arg(long)]
    no_verify: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Set {
    fn run(self, host: &Host) -> Result<()> {
        let Self { account, account_name, also, no_also, .. } = &self;
        if account.is_none() && account_name.is_none() && also.is_empty() && !no_also && !self.marks.given() {
            return Err(Error::usage("nothing to change")
                .hint("give --account, --account-name, --also, --no-also, --confirm or --no-confirm"));
        }
        let mut store = host.store(true)?;
        let selection = Selector::of(host).select(self.profile.get())?;
        store.find(&selection)?;
        let account = match self.account.as_deref() {
            Some(account) if self.no_verify => Some(Account::of_id(account)?),
            Some(account) => Some(verified(host, &mut store, &selection, account)?),
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
            profile.confirm = self.marks.confirm(profile.confirm);
        })?;
        if self.json {
            terminal::print_json(&describe(&changed))
        } else {
            host.messages.say(&format!("profile '{}' is changed: account {}", changed.name, changed.account));
            Ok(())
        }
    }
}

/// The account, when the profile's credential can see it.
fn verified(host: &Host, store: &mut Store, selection: &Selection, account: &str) -> Result<Account> {
    let choice = Choice::find(&Selector::of(host), store, Some(selection.name.as_str()))?;
    let session = choice.session(host, store, None, None, Gate::Inside)?;
    let notice = |text: &str| host.messages.say(text);
    let client = host.client(&session.endpoint, &session.credential, &notice)?;
    let asked = AccountId::parse(account);
    let identity = identify(&client, &session.credential, asked.as_ref(), host.started)?;
    choose_account(&client, &identity.accounts, identity.owner(), Some(account), None)
}

#[derive(Args)]
pub(super) struct Rename {
    /// The profile
    #[arg(value_name = "PROFILE")]
    from: String,
    /// Its new name
    #[arg(value_name = "NAME")]
    to: String,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Rename {
    fn run(self, host: &Host) -> Result<()> {
        let to = ProfileName::parse(&self.to)?;
        let mut store = host.store(true)?;
        store.rename(&self.from, &to)?;
        let bound = bindings::rename(&host.home, &self.from, &to, host.messages)?;
        if self.json {
            return terminal::print_json(&json!({ "renamed": self.from, "to": to }));
        }
        let bound = match bound {
            0 => "",
            1 => ", also for the directory that was bound to it",
            _ => ", also for the directories that were bound to it",
        };
        host.messages.say(&format!("profile '{}' is '{to}' now{bound}", self.from));
        Ok(())
    }
}

#[derive(Args)]
pub(super) struct Delete {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Delete, and revoke an OAuth grant, without asking
    #[arg(short, long)]
    yes: bool,
    /// Leave an OAuth grant valid at Cloudflare
    #[arg(long)]
    no_revoke: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Delete {
    fn run(self, host: &Host) -> Result<()> {
        let Some(name) = self.profile.get() else {
            return Err(Error::usage("which profile?").hint("name it: alchemy profile delete NAME"));
        };
        let name = ProfileName::parse(name)?;
        let mut store = host.store(true)?;
        // One that cannot be read exists, and can be deleted.
        let profile = match store.get(&name) {
            Ok(None) => return Err(store.unknown(name.as_str(), "")),
            Ok(Some(profile)) if profile.store == StoreKind::Npm => return store.delete(&name),
            profile => profile.ok().flatten(),
        };
        if !self.yes && !terminal::ask_yes(&format!("delete profile '{name}' and its credential?"), "--yes")?
        {
            return Err(Error::new("cancelled; nothing was changed"));
        }
        let signed_in = profile
            .filter(|profile| profile.method == Method::OAuth)
            .filter(|profile| !matches!(Life::of(&store, profile), Life::SignedOut));
        let mut left = "; what it could do at Cloudflare it can still do: revoke a token on the dashboard";
        if let Some(profile) = signed_in {
            let question = "revoke its grant at cloudflare, too?";
            if !self.no_revoke && (self.yes || terminal::ask_yes(question, "--yes or --no-revoke")?) {
                logout::revoke_of(host, &store, &profile).map_err(|error| {
                    error.or(&format!("leave it valid: alchemy profile delete {name} --no-revoke"))
                })?;
                left = "; its grant is revoked";
            } else {
                left = "; its grant stays valid at cloudflare until it runs out";
            }
        }
        store.delete(&name)?;
        if self.json {
            return terminal::print_json(&json!({ "deleted": name }));
        }
        host.messages.say(&format!("profile '{name}' is deleted{left}"));
        Ok(())
    }
}

#[derive(Args)]
pub(super) struct Current {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Current {
    fn run(self, host: &Host) -> Result<()> {
        let Selection { name, reason } = Selector::of(host).select(None)?;
        if self.json {
            return terminal::print_json(&json!({ "name": name, "reason": reason.to_string() }));
        }
        terminal::print(&format!("{name} ({})\n", terminal::printable(&reason.to_string())))
    }
}
