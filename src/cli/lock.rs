//! `alchemy unlock` and `alchemy lock`: a passphrase is asked for once, and forgotten again.

use clap::Args;

use super::ProfileArgument;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::{Encryption, Profile, StoreKind};
use crate::release::selector::Selector;
use crate::store::Store;
use crate::store::encrypted::opens_by_itself;
use crate::store::rescue::waiting;

/// Open an encrypted profile once, for hooks and programs that cannot ask
///
/// The kernel keeps what was decrypted for 15 minutes, or as settings.toml or ALCHEMY_KEEP says.
#[derive(Args)]
pub(super) struct Unlock {
    #[command(flatten)]
    profile: ProfileArgument,
}

impl Unlock {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let store = host.store(true)?;
        let profile = store.find(&Selector::of(host).select(self.profile.get())?)?;
        let encryption = encrypted(&profile)?;
        let name = &profile.name;
        let read = store.credential(&profile);
        if waiting(store.home(), name).is_empty() {
            read?;
        } else {
            // It is newer, and locked as well.
            store.bring_home(&profile)?;
        }
        if opens_by_itself(encryption) {
            host.messages.say(&format!("profile '{name}' needs no unlocking: its key has no passphrase"));
            return Ok(());
        }
        // Another process is asked for, which this one's own knowledge does not help.
        host.messages.say(&if host.store(false)?.is_open(&profile) {
            format!("profile '{name}' is unlocked; to lock it at once: alchemy lock {name}")
        } else {
            format!(
                "the passphrase of profile '{name}' is right, but nothing keeps it: it is asked for each time"
            )
        });
        Ok(())
    }
}

/// Forget what is decrypted of encrypted profiles; without a profile, of all
#[derive(Args)]
pub(super) struct Lock {
    #[command(flatten)]
    profile: ProfileArgument,
}

impl Lock {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let store = host.store(false)?;
        let profiles = match self.profile.get() {
            Some(name) => {
                let profile = store.find(&Selector::of(host).select(Some(name))?)?;
                encrypted(&profile)?;
                vec![profile]
            }
            None => all(&store),
        };
        let locked: Vec<_> = profiles.iter().filter(|profile| store.forget_opened(&profile.name)).collect();
        for profile in &locked {
            host.messages.say(&format!("profile '{}' is locked", profile.name));
        }
        if locked.is_empty() {
            host.messages.say("nothing was unlocked");
        }
        Ok(())
    }
}

fn all(store: &Store) -> Vec<Profile> {
    let profiles = store.known().into_iter().filter_map(|(_, profile)| profile);
    profiles.filter(|profile| encrypted(profile).is_ok()).collect()
}

fn encrypted(profile: &Profile) -> Result<&Encryption> {
    match &profile.store {
        StoreKind::Encrypted(encryption) => Ok(encryption),
        _ => Err(Error::new(format!(
            "profile '{}' is kept in the {} store, which has no passphrase of ours",
            profile.name, profile.store
        ))
        .hint("only profiles of the encrypted store are locked: alchemy list")),
    }
}
