//! The stores that keep a profile's document as one item that is ours alone: `keyring`, `encrypted`, `command`.
//! Npm reads none of them; so there is no lock of its to take, and nobody else who changes what is there.

use super::Store;
use super::credential::Document;
use crate::disk::atomic::{self, Bytes};
use crate::error::{Error, Result};
use crate::keyring::{Keyring, KeyringError};
use crate::profile::{Profile, ProfileName, StoreKind};

impl Store<'_> {
    /// The item. `may_ask`: no lock is held that others wait for.
    pub(super) fn read_item(&self, profile: &Profile, may_ask: bool) -> Result<Option<Document>> {
        let name = &profile.name;
        match &profile.store {
            StoreKind::Keyring => {
                let bytes = self.with_keyring(name, |keyring| keyring.get(&self.keyring_user(name)))?;
                bytes
                    .map(|bytes| Document::parse(&bytes, &format!("the keyring's item for '{name}'")))
                    .transpose()
            }
            StoreKind::Encrypted(encryption) => self.read_encrypted(name, encryption, may_ask),
            StoreKind::Command(commands) => self.read_by_command(name, commands),
            StoreKind::File | StoreKind::Npm => Ok(None),
        }
    }

    /// Makes or replaces the item; what was written is read back where another program has it.
    pub(super) fn write_item(&self, profile: &Profile, document: &Bytes) -> Result<()> {
        let name = &profile.name;
        match &profile.store {
            StoreKind::Keyring => {
                self.with_keyring(name, |keyring| keyring.set(&self.keyring_user(name), document))
            }
            StoreKind::Encrypted(encryption) => {
                let path = self.home.encrypted(name);
                self.write_encrypted(name, encryption, document, |sealed| atomic::write(&path, sealed))
            }
            StoreKind::Command(commands) => self.write_by_command(name, commands, document),
            StoreKind::File | StoreKind::Npm => Ok(()),
        }
    }

    /// Deletes the item, where there is one.
    pub(super) fn delete_item(&self, profile: &Profile) -> Result<()> {
        let name = &profile.name;
        match &profile.store {
            StoreKind::Keyring => {
                self.with_keyring(name, |keyring| keyring.delete(&self.keyring_user(name))).map(drop)
            }
            StoreKind::Encrypted(_) => {
                self.forget_opened(name);
                let path = self.home.encrypted(name);
                self.remove_whole(&path, || atomic::remove(&path))
            }
            StoreKind::Command(commands) => self.delete_by_command(name, commands),
            StoreKind::File | StoreKind::Npm => Ok(()),
        }
    }

    /// Makes sure that a document could be kept now. A person may have to be asked for that, so it comes before
    /// any lock.
    pub(super) fn ready(&self, name: &ProfileName, store: &StoreKind) -> Result<()> {
        match store {
            StoreKind::Keyring => self.keyring_answers().map_err(|error| keyring_failed(name, &error)),
            StoreKind::Encrypted(encryption) => self.ready_to_encrypt(name, encryption),
            StoreKind::Command(commands) => self.command_answers(name, commands),
            StoreKind::File | StoreKind::Npm => Ok(()),
        }
    }

    /// Whether a keyring answers, and would take a credential now.
    pub(crate) fn keyring_answers(&self) -> Result<(), KeyringError> {
        Keyring::open(&self.access.keyring)?.probe()
    }

    /// An item of another program in the keyring: see [`Keyring::get_foreign`].
    pub(crate) fn foreign_item(
        &self,
        attributes: &[(&'static str, &str)],
        collection: Option<&'static str>,
    ) -> Result<Option<Bytes>, KeyringError> {
        Keyring::open(&self.access.keyring)?.get_foreign(attributes, collection)
    }

    fn with_keyring<T>(
        &self,
        name: &ProfileName,
        call: impl FnOnce(&Keyring) -> std::result::Result<T, KeyringError>,
    ) -> Result<T> {
        let keyring = match self.keyring.get() {
            Some(keyring) => Ok(keyring),
            None => Keyring::open(&self.access.keyring).map(|keyring| self.keyring.get_or_init(|| keyring)),
        };
        let outcome = keyring.and_then(|keyring| {
            let outcome = call(keyring);
            if keyring.takes_several() {
                self.messages.say(&format!(
                    "the keyring has several items of profile '{name}'; that of its default collection is used, and \
                     the others go with the profile"
                ));
            }
            outcome
        });
        outcome.map_err(|error| keyring_failed(name, &error))
    }

    /// The keyring's name for a profile: the profile's own, and in another `ALCHEMY_HOME` with the id
    /// of that folder before it.
    fn keyring_user(&self, name: &ProfileName) -> String {
        match self.keyring_id.get() {
            Some(id) => format!("{id}/{name}"),
            None => name.to_string(),
        }
    }
}

pub(super) fn keyring_failed(name: &ProfileName, error: &KeyringError) -> Error {
    let in_a_file = format!("alchemy configure -p {name} --store file");
    Error::new(error.to_string()).hint(match error {
        KeyringError::Unavailable(_) | KeyringError::TimedOut(_) => {
            format!("run it in your desktop session, or keep the profile in a file: {in_a_file}")
        }
        KeyringError::Locked => {
            "unlock it (log in to the desktop, or open its manager) and try again".to_owned()
        }
        KeyringError::TooLarge { .. } => format!("keep it in a file: {in_a_file}"),
        KeyringError::Other(_) => format!("try again, or keep the profile in a file: {in_a_file}"),
    })
}
