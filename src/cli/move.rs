//! `alchemy profile move`: have another store keep a profile's credential.

use clap::Args;
use serde_json::json;

use super::ProfileArgument;
use super::store_arguments::StoreDetails;
use crate::error::Result;
use crate::host::Host;
use crate::profile::StoreKind;
use crate::release::selector::Selector;
use crate::signals::HeldBack;
use crate::store::relocate::Relocated;
use crate::terminal;

/// Move a profile's credential to another store
///
/// The other store gives it back before the old copy is wiped: killed at any moment, one good copy is left.
/// 'npm' makes it a profile of npm alchemy 2's, which can use it without alchemy then.
#[derive(Args)]
pub(super) struct Move {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Where to keep it
    #[arg(long, value_name = "STORE", value_parser = ["keyring", "file", "npm", "encrypted", "command"])]
    store: String,
    #[command(flatten)]
    details: StoreDetails,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Move {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let mut store = host.store(true)?;
        let selection = Selector::of(host).select(self.profile.get())?;
        let profile = store.find(&selection)?;
        let to = if profile.store.name() == self.store {
            profile.store
        } else {
            self.details.store_named(host, &store, &profile.name, &self.store)?
        };
        // Stopped by Ctrl-Z with the locks in hand, it would stop everyone else.
        let held_back = HeldBack::suspension();
        let moved = store.relocate(&selection.name, to);
        drop(held_back);
        let Relocated { profile, from } = moved?;
        let (name, to) = (&profile.name, &profile.store);
        if self.json {
            return terminal::print_json(&json!({ "profile": name, "from": from, "to": to }));
        }
        if from.name() == to.name() {
            host.messages.say(&format!("profile '{name}' is kept in the {to} store already"));
            return Ok(());
        }
        let how = match to {
            StoreKind::File => ", as plain text that only you can read",
            StoreKind::Npm if profile.token.is_some() => "; npm keeps no id and no expiry of its token",
            _ => "",
        };
        host.messages.say(&format!("profile '{name}' is kept in the {to} store now{how}"));
        Ok(())
    }
}
