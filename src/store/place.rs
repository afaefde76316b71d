//! A credential in one store, whichever it is: read, kept, wiped. Beside `grant.rs`, which replaces one in its
//! place, nothing else need tell the stores apart.

use std::path::Path;

use zeroize::Zeroizing;

use super::credential::Document;
use super::trusted;
use super::write::remove_folder;
use super::{Store, atomic, generation, npm};
use crate::error::Result;
use crate::profile::{Method, Profile, StoreKind};

impl Store<'_> {
    /// What the profile's store itself has, of whatever kind. `may_ask`: no lock is held that others wait for.
    pub(super) fn kept(&self, profile: &Profile, may_ask: bool) -> Result<Option<Document>> {
        let name = &profile.name;
        match &profile.store {
            StoreKind::File => self.read_file_store(profile, !may_ask),
            StoreKind::Npm => Ok(npm::read(self.home, name)?.map(|(_, document)| document)),
            StoreKind::Keyring | StoreKind::Encrypted(_) | StoreKind::Command(_) => {
                self.read_item(profile, may_ask)
            }
        }
    }

    /// What the profile's store has, unless a lock is needed to tell that.
    pub(super) fn stored_at_hand(&self, profile: &Profile) -> Result<Option<Document>> {
        match &profile.store {
            StoreKind::File => self.read_file(&self.document_path(profile), &profile.name, true),
            _ if self.needs_lock(profile) => Ok(None),
            _ => self.kept(profile, false),
        }
    }

    /// Whether it takes the profile's lock to tell which credential it has.
    pub(super) fn needs_lock(&self, profile: &Profile) -> bool {
        match &profile.store {
            StoreKind::File => atomic::aside(&self.document_path(profile)).exists(),
            StoreKind::Npm => false,
            StoreKind::Keyring | StoreKind::Encrypted(_) | StoreKind::Command(_) => {
                self.home.credential(profile.name.as_str()).exists()
            }
        }
    }

    /// What the file store has. `held`: the profile's locks are.
    fn read_file_store(&self, profile: &Profile, held: bool) -> Result<Option<Document>> {
        let path = self.document_path(profile);
        match self.read_file(&path, &profile.name, held)? {
            None if atomic::aside(&path).exists() => {
                let _locks = if held { None } else { Some(self.lock_profile(profile)?) };
                self.put_back(profile)?;
                self.read_file(&path, &profile.name, true)
            }
            document => Ok(document),
        }
    }

    /// Puts a document back that a killed command has set aside, where it is still what `config.json` names. The
    /// caller holds the profile's locks.
    pub(super) fn put_back(&self, profile: &Profile) -> Result<()> {
        let path = self.document_path(profile);
        let is_named = |now: &Profile| now.store == StoreKind::File && self.document_path(now) == path;
        if !atomic::aside(&path).exists() || !self.by_now(&profile.name)?.as_ref().is_some_and(is_named) {
            return Ok(());
        }
        if let Some(changed) = atomic::restore(&path)? {
            changed.say(self.messages);
            generation::moved(self.home, &[&profile.name]);
            self.messages.say(&format!(
                "the credential of profile '{}' is in its place again: a command that had set it aside was killed",
                profile.name
            ));
        }
        Ok(())
    }

    /// Removes a document of the file store.
    pub(super) fn remove_document(&self, path: &Path) -> Result<()> {
        atomic::remove(path)?.say(self.messages);
        remove_folder(path);
        Ok(())
    }

    /// Keeps a credential in the profile's store. The caller holds its locks.
    pub(super) fn keep(&self, profile: &Profile, document: &Document) -> Result<()> {
        match &profile.store {
            StoreKind::Keyring => self.write_item(profile, &with_headroom(document)),
            StoreKind::Encrypted(_) | StoreKind::Command(_) => self.write_item(profile, &document.to_bytes()),
            StoreKind::File => {
                let path = self.document_path(profile);
                // Before there is anything in them.
                if let Some(folder) = path.parent() {
                    atomic::make_folder(folder)?.say(self.messages);
                    trusted::close_folder(self.home, &self.home.credentials())?;
                    trusted::close_folder(self.home, folder)?;
                }
                let written =
                    atomic::write(&path, &document.to_bytes()).inspect_err(|_| remove_folder(&path));
                written.map(|changed| changed.say(self.messages))
            }
            StoreKind::Npm => {
                let path = self.home.npm_document(&profile.name);
                let _profiles = self.lock_npms_profiles()?;
                let written =
                    atomic::write(&path, &npm::new(profile, document)).inspect_err(|_| remove_folder(&path));
                written.map(|changed| changed.say(self.messages))
            }
        }
    }

    /// Wipes the credential out of the profile's store, unless that has another than `known` by now: npm takes
    /// none of the locks when it signs in. Whether it is gone. The caller holds its locks.
    pub(super) fn wipe(&self, profile: &Profile, known: Option<&Document>) -> Result<bool> {
        let name = &profile.name;
        let is_npms = profile.store == StoreKind::Npm;
        let _profiles = if is_npms { self.lock_npms_profiles()? } else { None };
        if let Some(known) = known
            && self.kept(profile, false)?.is_some_and(|kept| !same(&kept, known))
        {
            return Ok(false);
        }
        match &profile.store {
            StoreKind::Keyring | StoreKind::Encrypted(_) | StoreKind::Command(_) => {
                self.delete_item(profile)?;
            }
            StoreKind::File => {
                for path in [self.home.credential(name.as_str()), self.home.native_credential(name.as_str())]
                {
                    self.remove_document(&path)?;
                }
            }
            StoreKind::Npm => {
                self.remove_from_npm(name)?;
                // A folder without any document would be a profile of version 2's all the same.
                remove_folder(&self.home.npm_document(name));
                remove_folder(&self.home.npm_state_store(name));
            }
        }
        Ok(true)
    }
}

/// Whether two credentials are the same, as far as a store can tell.
pub(super) fn same(one: &Document, other: &Document) -> bool {
    one.to_bytes() == other.to_bytes()
}

/// A grant's document with room for the next one, which may be longer: where a keyring takes only so many
/// bytes, that shows when signing in and not at the first refresh. JSON may end in white space.
fn with_headroom(document: &Document) -> atomic::Bytes {
    let bytes = document.to_bytes();
    let room = if document.method() == Method::OAuth { bytes.len() / 2 } else { 0 };
    // One that grew would leave an unwiped copy behind.
    let mut padded = Zeroizing::new(Vec::with_capacity(bytes.len() + room));
    padded.extend_from_slice(&bytes);
    padded.resize(bytes.len() + room, b' ');
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ProfileName;
    use crate::store::item::keyring_failed;
    use crate::store::keyring::KeyringError;

    #[test]
    fn a_grant_that_its_keyring_would_refuse_one_day_is_refused_when_one_signs_in() {
        let grant = br#"{ "type": "oauth", "access": "a", "refresh": "r", "expires": 1, "scopes": [] }"#;
        let document = Document::parse(grant, "it").expect("parses");
        let (bytes, padded) = (document.to_bytes(), with_headroom(&document));
        assert_eq!(padded.len(), bytes.len() + bytes.len() / 2, "room for longer tokens");
        assert_eq!(Document::parse(&padded, "it"), Ok(document));
        let token = Document::parse(br#"{ "type": "api-token", "apiToken": "t" }"#, "it").expect("parses");
        assert_eq!(with_headroom(&token), token.to_bytes(), "which never changes");

        let name = ProfileName::parse("prod").expect("a name");
        let error = keyring_failed(&name, &KeyringError::TooLarge { limit: 2560 });
        assert_eq!(error.to_string(), "the keyring takes only 2560 bytes");
        assert_eq!(error.next_step(), Some("keep it in a file: alchemy configure -p prod --store file"));
    }
}
