//! The fields of a `config.json` entry that say how to find and to open a credential in the stores `encrypted`
//! and `command`.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::disk::lock::LeftCopy;
use crate::profile::{Commands, Encryption, StoreKind};

/// To what a credential is encrypted, unless to a passphrase.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Identity {
    identity: PathBuf,
    recipients: Vec<String>,
}

impl From<Identity> for Encryption {
    fn from(Identity { identity, recipients }: Identity) -> Self {
        Self::Identity { path: identity, recipients }
    }
}

/// The commands of the store of that name.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StoreCommands {
    read: String,
    write: String,
    delete: Option<String>,
}

impl From<StoreCommands> for Commands {
    fn from(StoreCommands { read, write, delete }: StoreCommands) -> Self {
        Self { read, write, delete }
    }
}

/// Notes a store in which a copy may be left.
pub(super) fn note_left(store: &StoreKind) -> LeftCopy {
    LeftCopy { store: store.name().to_owned(), commands: commands(store) }
}

/// Returns the store that a note names, where it is one.
pub(super) fn store_left(left: LeftCopy) -> Option<StoreKind> {
    let commands = left.commands.and_then(|commands| serde_json::from_value(commands).ok());
    if left.store == StoreKind::Npm.name() {
        return Some(StoreKind::Npm);
    }
    store_kind(Some(&left.store), None, commands)
}

/// The store that an entry names; `None` for one that we do not know.
pub(super) fn store_kind(
    name: Option<&str>,
    identity: Option<Identity>,
    commands: Option<StoreCommands>,
) -> Option<StoreKind> {
    match (name, commands) {
        (None | Some("file"), _) => Some(StoreKind::File),
        (Some("keyring"), _) => Some(StoreKind::Keyring),
        (Some("encrypted"), _) => {
            Some(StoreKind::Encrypted(identity.map_or(Encryption::Passphrase, Identity::into)))
        }
        (Some("command"), Some(commands)) => Some(StoreKind::Command(commands.into())),
        (Some(_), _) => None,
    }
}

/// The object `encryptedTo` of an entry; `None` where it is encrypted to a passphrase, or not at all.
pub(super) fn encrypted_to(store: &StoreKind) -> Option<Value> {
    let StoreKind::Encrypted(Encryption::Identity { path, recipients }) = store else { return None };
    Some(json!({ "identity": path.to_string_lossy(), "recipients": recipients }))
}

/// The object `commands` of an entry.
pub(super) fn commands(store: &StoreKind) -> Option<Value> {
    let StoreKind::Command(Commands { read, write, delete }) = store else { return None };
    let mut value = json!({ "read": read, "write": write });
    if let Some(delete) = delete {
        value["delete"] = delete.as_str().into();
    }
    Some(value)
}
