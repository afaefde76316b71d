//! The fields of a `config.json` entry that say how to find and to open a credential in the stores `encrypted`
//! and `command`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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

/// A store, as it is written down where there is no entry: in a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    store: String,
    commands: Option<Value>,
}

impl Left {
    pub(super) fn of(store: &StoreKind) -> Self {
        Self { store: store.name().to_owned(), commands: commands(store) }
    }

    pub(super) fn store(self) -> Option<StoreKind> {
        let commands = self.commands.and_then(|commands| serde_json::from_value(commands).ok());
        if self.store == StoreKind::Npm.name() {
            return Some(StoreKind::Npm);
        }
        store_kind(Some(&self.store), None, commands)
    }
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
