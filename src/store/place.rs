//! A credential in one store, whichever it is: read, kept, wiped. Beside `grant.rs`, which replaces one in its
//! place, nothing else need tell the stores apart.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::atomic::{Aside, Changed};
use super::config::Config;
use super::credential::Document;
use super::home::Home;
use super::lock::Lock;
use super::trusted;
use super::write::remove_folder;
use super::{Store, atomic, generation, inspect, npm};
use crate::error::Result;
use crate::profile::{Method, Profile, ProfileName, StoreKind};

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
            StoreKind::File => self.is_set_aside(profile),
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
            None if self.is_set_aside(profile) => {
                let _locks = if held { None } else { Some(self.lock_profile(profile)?) };
                self.put_back(profile)?;
                self.read_file(&path, &profile.name, true)
            }
            document => Ok(document),
        }
    }

    /// Whether a document of the profile's was set aside by a command that has not come to its end.
    pub(super) fn is_set_aside(&self, profile: &Profile) -> bool {
        atomic::aside(&self.document_path(profile)).exists()
            && is_unchanged(self.home, &profile.name).unwrap_or(true)
    }

    /// Puts a document back that a killed command has set aside, where it is still what `config.json` names. The
    /// caller holds the profile's locks, or the one of `config.json`, under which alone a document is aside.
    pub(super) fn put_back(&self, profile: &Profile) -> Result<()> {
        let path = self.document_path(profile);
        let is_named = |now: &Profile| now.store == StoreKind::File && self.document_path(now) == path;
        if !atomic::aside(&path).exists() || !self.by_now(&profile.name)?.as_ref().is_some_and(is_named) {
            return Ok(());
        }
        if !is_unchanged(self.home, &profile.name)? {
            return Ok(()); // the change was made: it is an old one, of this profile or of another
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

    /// Takes documents of a name out of their places while `config.json` is changed. What is aside already comes back
    /// only as long as the change that it was set aside for was not made. The caller holds the name's lock, and that of
    /// `config.json`.
    pub(super) fn set_aside(&self, lock: &Lock, name: &ProfileName, paths: &[PathBuf]) -> Result<Vec<Aside>> {
        if !is_unchanged(self.home, name)? {
            for path in paths {
                atomic::remove_aside(path);
            }
        }
        let digest = Config::digest_of(self.home, name)?;
        lock.change(|note| note.set_aside = Some(digest));
        paths.iter().map(|path| atomic::set_aside(path)).collect()
    }

    /// Removes a document of the file store, with its folder.
    pub(super) fn remove_document(&self, path: &Path) -> Result<()> {
        self.remove_whole(path, || atomic::remove(path))?;
        remove_folder(path);
        Ok(())
    }

    /// Has a document removed that is at `path`. Where that is a link, the file goes, too, that it leads to and that
    /// alchemy has written the credential into. One that isn't ours to remove is said.
    pub(super) fn remove_whole(&self, path: &Path, remove: impl FnOnce() -> Result<Changed>) -> Result<()> {
        let file = trusted::linked_file(path);
        remove()?.say(self.messages);
        let Some(file) = file else { return Ok(()) };
        let removed = trusted::is_ours_to_remove(self.home, &file).and_then(|()| atomic::remove(&file));
        match removed {
            Ok(changed) => changed.say(self.messages),
            Err(error) => self.messages.loss(&format!(
                "an old credential is still in {}, to which a link in the data folder led: {error}",
                file.display()
            )),
        }
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

/// Whether `config.json` says of a profile what it said when its documents were last set aside: the change that they
/// were set aside for was not made.
pub(super) fn is_unchanged(home: &Home, name: &ProfileName) -> Result<bool> {
    match inspect::note(home, name).set_aside {
        Some(digest) => Ok(digest == Config::digest_of(home, name)?),
        None => Ok(true), // by an earlier alchemy, or on a full disk
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
