//! Making, changing, renaming and deleting profiles.
//!
//! Always in this order, so that a crash at any moment leaves documents that are whole and no secret
//! without an owner for longer than needed: the profile's lock, then `config.json`'s; the new
//! `config.json` is written beside the old one, where a full disk shows; then the credential; then the
//! new `config.json` takes the old one's place; last, a credential in another store goes.

use std::path::Path;

use zeroize::Zeroizing;

use super::config::Edit;
use super::credential::Document;
use super::grant::{self, ProfileLock};
use super::{Store, atomic, generation, npm, rescue};
use crate::error::{Error, Result};
use crate::profile::{Method, Profile, ProfileName, StoreKind};

impl Store<'_> {
    /// Makes the profile, or changes it to be this one with this credential.
    ///
    /// # Errors
    /// When a lock, a store or the disk refuses; the old profile and its credential are still there then.
    pub fn put(&mut self, profile: &Profile, document: &Document) -> Result<()> {
        let name = &profile.name;
        if profile.store == StoreKind::Npm {
            // Of what is there, only a grant is replaced by one of the same client.
            let known = npm::read(self.home, name)?.and_then(|(known, _)| known.sign_in);
            return match (document, known) {
                (Document::OAuth(grant), Some(known)) if known.client.id == grant.client_id() => {
                    self.put_into_npms(profile, grant)
                }
                _ => Err(in_npm(name)),
            };
        }
        let bytes = document.to_bytes();
        self.ready(name, &profile.store)?;
        let _lock = self.lock_both(profile)?;
        let mut edit = Edit::open(self.home, self.messages)?;
        if profile.store == StoreKind::Keyring && edit.before.keyring_id.is_none() && self.home.is_another {
            edit.set_keyring_id(&random_id()?);
        }
        edit.put(profile);
        let before = edit.before.entry(name.as_str()).and_then(|entry| entry.profile(name).ok());
        let prepared = edit.prepare()?;
        self.config.keyring_id.clone_from(&prepared.keyring_id);
        let path = self.home.credential(name.as_str());
        let mut others = vec![path.clone(), self.home.native_credential(name.as_str())];
        if profile.store == StoreKind::File {
            let path = self.document_path(profile);
            others.retain(|other| *other != path);
            atomic::write(&path, &bytes).inspect_err(|_| remove_folder(&path))?;
            for folder in [Some(self.home.credentials().as_path()), path.parent()].into_iter().flatten() {
                atomic::tighten_folder(folder)?;
            }
        } else if profile.store == StoreKind::Keyring {
            self.write_item(profile, &with_headroom(document, &bytes))?;
        } else {
            self.write_item(profile, &bytes)?;
        }
        // They must be gone before config.json names another store: what lies beside such a profile counts as
        // a newer sign-in by npm. Set aside, so that they can come back.
        let asides = others.iter().map(|other| atomic::set_aside(other)).collect::<Result<Vec<_>>>()?;
        if let Err(error) = prepared.commit() {
            asides.into_iter().for_each(atomic::Aside::restore);
            return Err(error);
        }
        asides.into_iter().try_for_each(atomic::Aside::remove)?;
        rescue::remove(self.home, name);
        remove_folder(&path);
        if let Some(before) = before.filter(|before| before.store.name() != profile.store.name())
            && let Err(error) = self.delete_item(&before)
        {
            self.messages.say(&format!("the old credential is still in the {} store: {error}", before.store));
        }
        generation::moved(self.home, &[name]);
        self.reload()
    }

    /// Whether a new session of a profile, which is this one `before`, could be kept: whoever is to sign in
    /// learns that it could not before, and not after.
    ///
    /// # Errors
    /// When a lock, the store or the disk refuses.
    pub fn has_room_for(
        &self,
        name: &ProfileName,
        store: &StoreKind,
        before: Option<&Profile>,
    ) -> Result<()> {
        self.ready(name, store)?;
        let _lock = before.map_or_else(|| self.lock_ours(name), |before| self.lock_profile(before))?;
        let document = match store {
            StoreKind::Keyring | StoreKind::Command(_) => None,
            StoreKind::Encrypted(_) => Some(self.home.encrypted(name)),
            StoreKind::File => Some(self.home.credential(name.as_str())),
            StoreKind::Npm => Some(self.home.npm_document(name)),
        };
        if let Some(document) = document.filter(|path| path.parent().is_some_and(Path::is_dir)) {
            atomic::prepare(&document, &[])?;
        }
        if *store == StoreKind::Npm {
            Ok(())
        } else {
            Edit::open(self.home, self.messages)?.prepare().map(drop)
        }
    }

    /// The locks of a profile that is about to become this one: npm's, too, where it refreshes what is
    /// there or what will be.
    fn lock_both(&self, profile: &Profile) -> Result<ProfileLock> {
        let before = self.config.entry(profile.name.as_str());
        match before.and_then(|entry| entry.profile(&profile.name).ok()) {
            Some(before) if grant::is_shared_with_v1(&before) => self.lock_profile(&before),
            _ => self.lock_profile(profile),
        }
    }

    /// The locks of whatever has this name now.
    fn lock_as_it_is(&self, name: &ProfileName) -> Result<ProfileLock> {
        match self.config.entry(name.as_str()).and_then(|entry| entry.profile(name).ok()) {
            Some(profile) => self.lock_profile(&profile),
            None => self.lock_ours(name),
        }
    }

    /// Has a keyring unlocked that holds the credential of whatever has this name now: before any lock is
    /// taken, as a person may have to be asked.
    fn unlock(&self, name: &ProfileName) -> Result<()> {
        match self.config.entry(name.as_str()).map(|entry| entry.profile(name)) {
            Some(Ok(profile)) if profile.store == StoreKind::Keyring => {
                self.read_item(&profile, true).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Changes what is not secret, by the profile as it is under the lock.
    ///
    /// # Errors
    /// When it is gone, is kept by the npm package's version 2, or cannot be written.
    pub fn update(&mut self, name: &ProfileName, change: impl FnOnce(&mut Profile)) -> Result<Profile> {
        let mut edit = Edit::open(self.home, self.messages)?;
        let Some(entry) = edit.before.entry(name.as_str()) else { return Err(self.not_ours(name.as_str())) };
        let mut profile = entry.profile(name)?;
        change(&mut profile);
        edit.put(&profile);
        edit.prepare()?.commit()?;
        generation::moved(self.home, &[name]);
        self.reload()?;
        Ok(profile)
    }

    /// Gives a profile another name. The old one need not be a [`ProfileName`].
    ///
    /// # Errors
    /// When there is none of the old name or one of the new, or a store refuses.
    pub fn rename(&mut self, from: &str, to: &ProfileName) -> Result<()> {
        // A name that npm let through may hold '/', but must not lead out of the folder.
        let inside = !from.is_empty()
            && Path::new(from).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !inside {
            return Err(self.unknown(from, ""));
        }
        let old_name = ProfileName::parse(from).ok();
        old_name.iter().try_for_each(|name| self.unlock(name))?;
        let mut names: Vec<_> = old_name.iter().chain([to]).collect();
        names.sort(); // the same order in every process
        names.dedup();
        let _locks = names.into_iter().map(|name| self.lock_as_it_is(name)).collect::<Result<Vec<_>>>()?;
        let mut edit = Edit::open(self.home, self.messages)?;
        let Some(entry) = edit.before.entry(from) else { return Err(self.not_ours(from)) };
        if from == to.as_str() {
            return Ok(());
        }
        if edit.before.entry(to.as_str()).is_some() || npm::read(self.home, to)?.is_some() {
            return Err(Error::new(format!("there is already a profile '{to}'"))
                .hint(format!("delete it first: alchemy profile delete {to}")));
        }
        let profile = entry.profile(to)?;
        edit.rename(from, to.as_str());
        let prepared = edit.prepare()?;
        let moves = [
            (self.home.credential(from), self.home.credential(to.as_str())),
            (self.home.native_credential(from), self.home.native_credential(to.as_str())),
        ];
        match (&old_name, &profile.store) {
            (Some(old_name), StoreKind::Keyring | StoreKind::Command(_)) => {
                let old = Profile { name: old_name.clone(), ..profile.clone() };
                if let Some(document) = self.read_item(&old, false)? {
                    self.write_item(&profile, &document.to_bytes())?;
                }
                prepared.commit()?;
                self.delete_item(&old)?;
            }
            (Some(old_name), StoreKind::Encrypted(_)) => {
                // As it is: a name is no part of what is encrypted.
                if let Some(found) = atomic::read_secret(&self.home.encrypted(old_name))? {
                    atomic::write(&self.home.encrypted(to), &found.bytes)?;
                }
                prepared.commit()?;
                self.delete_item(&Profile { name: old_name.clone(), ..profile })?;
            }
            _ => {
                for (old, new) in &moves {
                    if let Some(found) = atomic::read_secret(old)? {
                        atomic::write(new, &found.bytes).inspect_err(|_| remove_folder(new))?;
                    }
                }
                prepared.commit()?;
                for (old, _) in &moves {
                    atomic::remove(old)?;
                    remove_folder(old);
                }
            }
        }
        generation::moved(self.home, &old_name.iter().chain([to]).collect::<Vec<_>>());
        self.reload()
    }

    /// Deletes a profile and its credential.
    ///
    /// # Errors
    /// When there is none, it is kept by the npm package's version 2, or a store refuses.
    pub fn delete(&mut self, name: &ProfileName) -> Result<()> {
        self.unlock(name)?;
        let _lock = self.lock_as_it_is(name)?;
        let mut edit = Edit::open(self.home, self.messages)?;
        let Some(entry) = edit.before.entry(name.as_str()) else { return Err(self.not_ours(name.as_str())) };
        let profile = entry.profile(name);
        edit.remove(name.as_str());
        let prepared = edit.prepare()?;
        if let Ok(profile) = profile {
            self.delete_item(&profile)?;
        }
        self.remove_documents(name)?;
        prepared.commit()?;
        generation::moved(self.home, &[name]);
        self.reload()
    }

    pub(super) fn remove_documents(&self, name: &ProfileName) -> Result<()> {
        for path in [self.home.credential(name.as_str()), self.home.native_credential(name.as_str())] {
            atomic::remove(&path)?;
            remove_folder(&path);
        }
        rescue::remove(self.home, name);
        Ok(())
    }

    fn not_ours(&self, name: &str) -> Error {
        match ProfileName::parse(name) {
            Ok(name) if self.home.npm_document(&name).is_file() => in_npm(&name),
            _ => self.unknown(name, ""),
        }
    }

    /// Reads `config.json` again: others may have changed it.
    ///
    /// # Errors
    /// Those of [`Config::load`](super::config::Config::load).
    pub fn reload(&mut self) -> Result<()> {
        self.config = super::Config::load(self.home)?;
        Ok(())
    }
}

fn in_npm(name: &ProfileName) -> Error {
    Error::new(format!("profile '{name}' is kept by npm alchemy 2, which changes its profiles itself"))
        .hint("use its own command: npx alchemy profile")
}

/// A grant's document with room for the next one, which may be longer: where a keyring takes only so many
/// bytes, that shows when signing in and not at the first refresh. JSON may end in white space.
fn with_headroom(document: &Document, bytes: &[u8]) -> atomic::Bytes {
    let mut padded = Zeroizing::new(bytes.to_vec());
    if document.method() == Method::OAuth {
        padded.resize(bytes.len() + bytes.len() / 2, b' ');
    }
    padded
}

/// Removes a credential's folder when nothing is left in it; anything else there is another program's.
fn remove_folder(document: &Path) {
    if let Some(folder) = document.parent() {
        let _ = std::fs::remove_dir(folder);
    }
}

fn random_id() -> Result<String> {
    let bytes = getrandom::u32().map_err(|error| Error::new(format!("no random numbers: {error}")))?;
    Ok(format!("{bytes:08x}"))
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
        let padded = with_headroom(&document, grant);
        assert_eq!(padded.len(), grant.len() + grant.len() / 2, "room for longer tokens");
        assert_eq!(Document::parse(&padded, "it"), Ok(document));
        let token = Document::parse(br#"{ "type": "api-token", "apiToken": "t" }"#, "it").expect("parses");
        assert_eq!(with_headroom(&token, b"xy").as_slice(), b"xy", "which never changes");

        let name = ProfileName::parse("prod").expect("a name");
        let error = keyring_failed(&name, &KeyringError::TooLarge { limit: 2560 });
        assert_eq!(error.to_string(), "the keyring takes only 2560 bytes");
        assert_eq!(error.next_step(), Some("keep it in a file: alchemy configure -p prod --store file"));
    }
}
