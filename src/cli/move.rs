//! `alchemy profile move`: have another store keep a profile's credential.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::json;

use super::ProfileArgument;
use super::context::Context;
use crate::error::{Error, Result};
use crate::profile::StoreKind;
use crate::signals::HeldBack;
use crate::store::relocate::Relocated;
use crate::terminal;

/// Move a profile's credential to another store
///
/// The other store gives it back before the old copy is wiped: killed at any moment, one good copy is left.
/// 'npm' is a profile of npm alchemy 2, which can use it without alchemy then.
#[derive(Args)]
pub struct Move {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Where to keep it
    #[arg(long, value_name = "STORE", value_parser = store())]
    store: StoreKind,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

fn store() -> impl TypedValueParser<Value = StoreKind> {
    PossibleValuesParser::new(StoreKind::names())
        .try_map(|name| StoreKind::from_name(&name).ok_or_else(|| Error::usage("there is no such store")))
}

impl Move {
    pub fn run(self, context: &Context) -> Result<()> {
        let mut store = context.store(true)?;
        let selection = context.select(self.profile.get())?;
        store.find(&selection)?;
        // Stopped by Ctrl-Z with the locks in hand, it would stop everyone else.
        let held_back = HeldBack::suspension();
        let moved = store.relocate(&selection.name, self.store);
        drop(held_back);
        let Relocated { profile, from } = moved?;
        let (name, to) = (&profile.name, profile.store);
        if self.json {
            return terminal::print_json(&json!({ "profile": name, "from": from, "to": to }));
        }
        if from == to {
            context.messages.say(&format!("profile '{name}' is kept in the {to} store already"));
            return Ok(());
        }
        let how = match to {
            StoreKind::File => ", as plain text that only you can read",
            StoreKind::Npm if profile.token.is_some() => "; npm keeps no id and no expiry of its token",
            _ => "",
        };
        context.messages.say(&format!("profile '{name}' is kept in the {to} store now{how}"));
        Ok(())
    }
}
