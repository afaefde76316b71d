//! `alchemy login`: sign in with OAuth again; and the offer to do so where a command finds a session over.

use clap::Args;

use super::account::same_account;
use super::client::SignInArguments;
use super::configure::Configure;
use super::plan::Plan;
use super::{Marks, ProfileArgument};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::profile::selection::Selection;
use crate::profile::{Method, Profile};
use crate::release::selector::Selector;
use crate::store::Store;
use crate::terminal;

/// Sign in with OAuth again; on a terminal also for a new profile
///
/// The scopes, the client and the account are those of the profile. The old session stays until the new
/// one is there.
#[derive(Args)]
pub struct Login {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Keep a session with fewer scopes than the old one without asking
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    sign_in: SignInArguments,
}

impl Login {
    pub fn run(self, host: &Host) -> Result<()> {
        let selection = Selector::of(host).select(self.profile.get())?;
        let mut store = host.store(true)?;
        let Some(profile) = store.get(&selection.name)? else {
            return self.make(host, &store, &selection);
        };
        again(host, &mut store, profile, &self.sign_in, self.yes)
    }

    /// A profile that does not exist yet is made, when somebody is there who can be asked.
    fn make(self, host: &Host, store: &Store, selection: &Selection) -> Result<()> {
        let name = &selection.name;
        if !store.may_ask() {
            let make = format!("make it: alchemy configure -p {name} --method oauth");
            return Err(store.unknown(name.as_str(), &format!(" ({})", selection.reason)).hint(make));
        }
        host.messages.say(&format!("there is no profile '{name}' yet; making it"));
        Configure::with_oauth(name, self.sign_in).run(host)
    }
}

/// Signs in again to a profile.
pub fn again(
    host: &Host,
    store: &mut Store,
    profile: Profile,
    arguments: &SignInArguments,
    yes: bool,
) -> Result<()> {
    let name = profile.name.clone();
    if profile.method != Method::OAuth {
        return Err(Error::new(format!("profile '{name}' does not sign in: it is an {}", profile.method))
            .hint(format!("to make it sign in: alchemy configure -p {name} --method oauth")));
    }
    let pinned = profile.account.clone();
    let plan = Plan {
        again: format!("alchemy login -p {name}"),
        name,
        kept_in: profile.store.clone(),
        before: Some(profile),
        arguments,
        marks: Marks::default(),
        yes,
    };
    plan.carry_out(host, store, |before, grant, endpoint| {
        same_account(host, before.map_or(&pinned, |before| &before.account), grant, endpoint)
    })
}

/// Offers to sign in again after `error`, where a person can answer; whether that was done.
pub fn offer(host: &Host, store: &mut Store, profile: &Profile, error: &Error) -> Result<bool> {
    if error.kind() != Kind::SignedOut || !store.may_ask() {
        return Ok(false);
    }
    host.messages.say(&error.to_string());
    if !terminal::ask_yes("sign in now?", "alchemy login")? {
        return Err(error.clone().retold(Kind::SignedOut, "cancelled; nothing was run"));
    }
    let arguments = SignInArguments { stdin_is_taken: true, ..SignInArguments::default() };
    again(host, store, profile.clone(), &arguments, false)?;
    Ok(true)
}
