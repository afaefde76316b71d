//! `alchemy login`: sign in with OAuth again.

use clap::Args;

use super::ProfileArgument;
use super::client::SignInArguments;
use super::configure::Configure;
use crate::error::Result;
use crate::host::Host;
use crate::profile::selection::Selection;
use crate::release::selector::Selector;
use crate::session::sign_in::sign_in_again;
use crate::store::Store;

/// Sign in with OAuth again; on a terminal also for a new profile
///
/// The scopes, the client and the account are those of the profile. The old session stays until the new
/// one is there.
#[derive(Args)]
pub(super) struct Login {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Keep a session with fewer scopes than the old one without asking
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    sign_in: SignInArguments,
}

impl Login {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let selection = Selector::of(host).select(self.profile.get())?;
        let mut store = host.store(true)?;
        let Some(profile) = store.get(&selection.name)? else {
            return self.make(host, &store, &selection);
        };
        sign_in_again(host, &mut store, profile, &self.sign_in.options(), self.yes)
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
