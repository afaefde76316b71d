//! Making, changing, renaming and deleting profiles.
//!
//! Always in this order, so that a crash at any moment leaves documents that are whole and no secret
//! without an owner for longer than needed: the profile's lock, then `config.json`'s; the new
//! `config.json` is written beside the old one, where a full disk shows; then the credential; then the
//! new `config.json` takes the old one's place; last, a credential in another store goes.

use std::path::Path;

use super::config::Edit;
use super::credential::Document;
use super::grant::{self, ProfileLock};
use super::{Store, atomic, generation, inspect, npm, rescue};
use crate::error::{Error, Result};
use crate::profile::{Profile, ProfileName, StoreKind};

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
                    self.put_into_npms(profile, document)
                }
                _ => Err(in_npm(name)),
            };
        }
        if profile.store != StoreKind::Keyring {
            self.ready(name, &profile.store)?; // that one says so itself
        }
        let lock = self.lock_both(profile)?;
        let edit = self.edit_for(profile)?;
        let before = edit.before.entry(name.as_str()).and_then(|entry| entry.profile(name).ok());
        let prepared = edit.prepare()?;
        let path = self.home.credential(name.as_str());
        let mut others = vec![path.clone(), self.home.native_credential(name.as_str())];
        self.keep(profile, document)?;
        if profile.store == StoreKind::File {
            let path = self.document_path(profile);
            others.retain(|other| *other != path);
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
        self.wipe_left(lock.ours(), profile);
        generation::moved(self.home, &[name]);
        self.reload()
    }

    /// Makes a profile that signs in, or changes one to be this, without a session yet.
    ///
    /// # Errors
    /// When a lock, a store or the disk refuses.
    pub fn put_signed_out(&mut self, profile: &Profile) -> Result<()> {
        let name = &profile.name;
        self.unlock(name)?;
        let _lock = self.lock_both(profile)?;
        let edit = self.edit_for(profile)?;
        let replaced = edit.before.entry(name.as_str()).map(|entry| entry.profile(name));
        let prepared = edit.prepare()?;
        if let Some(Ok(replaced)) = &replaced {
            self.delete_item(replaced)?;
        }
        // What nobody owned would be its session from now on.
        if !matches!(&profile.store, StoreKind::Command(_)) {
            self.delete_item(profile)?;
        }
        self.remove_documents(name)?;
        prepared.commit()?;
        generation::moved(self.home, &[name]);
        self.reload()
    }

    /// `config.json` open, with the profile in it.
    fn edit_for(&self, profile: &Profile) -> Result<Edit<'_>> {
        let mut edit = Edit::open(self.home, self.messages)?;
        self.identify_keyring(profile, &mut edit)?;
        edit.put(profile);
        Ok(edit)
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

    /// Gives this folder's keyring items an id, where another folder's could have the same names. Whether it is a
    /// new one.
    pub(super) fn identify_keyring(&self, profile: &Profile, edit: &mut Edit) -> Result<bool> {
        let (id, is_new) = match &edit.before.keyring_id {
            Some(id) => (id.clone(), false),
            None if profile.store == StoreKind::Keyring && self.home.is_another => {
                let id = random_id()?;
                edit.set_keyring_id(&id);
                (id, true)
            }
            None => return Ok(false),
        };
        // It is never another one.
        let _ = self.keyring_id.set(id);
        Ok(is_new)
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
    /// When there is none of the old name or one of the new, a newer credential waits in a rescue file and cannot
    /// be brought home, or a store refuses.
    pub fn rename(&mut self, from: &str, to: &ProfileName) -> Result<()> {
        // A name that npm let through may hold '/', but must not lead out of the folder.
        let inside = !from.is_empty()
            && Path::new(from).components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if !inside {
            return Err(self.unknown(from, ""));
        }
        let old_name = ProfileName::parse(from).ok();
        if let Some(name) = &old_name {
            self.unlock(name)?;
            self.meet(name)?;
        }
        let mut names: Vec<_> = old_name.iter().chain([to]).collect();
        names.sort(); // the same order in every process
        names.dedup();
        let mut held = Vec::new();
        for name in names {
            let locks = self.lock_as_it_is(name)?;
            held.push(if name == to { locks } else { self.settle(name, locks)? });
        }
        let mut edit = Edit::open(self.home, self.messages)?;
        let Some(entry) = edit.before.entry(from) else { return Err(self.not_ours(from)) };
        if from == to.as_str() {
            return Ok(());
        }
        if edit.before.entry(to.as_str()).is_some() || npm::read(self.home, to)?.is_some() {
            return Err(Error::new(format!("there is already a profile '{to}'"))
                .hint(format!("delete it first: alchemy profile delete {to}")));
        }
        self.none_waits(to)?;
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

    /// Whether a newer credential may be beside a profile's store: a look or two.
    fn has_beside(&self, profile: &Profile) -> bool {
        let takes_over = !matches!(profile.store, StoreKind::File | StoreKind::Npm);
        self.may_have_rescued(&profile.name)
            || takes_over && self.home.credential(profile.name.as_str()).exists()
    }

    /// Has whatever [`Store::settle`] will need unlocked: before any lock, as a person may have to be asked.
    fn meet(&self, name: &ProfileName) -> Result<()> {
        match self.by_now(name)? {
            Some(profile) if self.has_beside(&profile) => self.unlocked(&profile),
            _ => Ok(()),
        }
    }

    /// Brings home what is beside the store of whatever has this name, and wipes what a killed move has left:
    /// both are found by the name.
    fn settle(&self, name: &ProfileName, mut locks: ProfileLock) -> Result<ProfileLock> {
        if let Some(profile) = self.by_now(name)?.filter(|profile| profile.store != StoreKind::Npm) {
            if self.has_beside(&profile) {
                locks = self.bring_home_locked(&profile, locks)?;
            }
            self.wipe_left(locks.ours(), &profile);
        }
        self.none_waits(name).map(|()| locks)
    }

    /// Makes sure that no rescue file has this name: it may hold the only credential that lives.
    fn none_waits(&self, name: &ProfileName) -> Result<()> {
        let Some(path) = inspect::waiting(self.home, name).pop() else { return Ok(()) };
        let path = path.display();
        Err(Error::new(format!(
            "{path} may hold the newest credential of profile '{name}', and is not in its store; nothing was renamed"
        ))
        .hint("see what keeps it from there: alchemy doctor"))
    }

    /// Deletes a profile and its credential.
    ///
    /// # Errors
    /// When there is none, it is kept by the npm package's version 2, or a store refuses.
    pub fn delete(&mut self, name: &ProfileName) -> Result<()> {
        self.unlock(name)?;
        let lock = self.lock_as_it_is(name)?;
        let mut edit = Edit::open(self.home, self.messages)?;
        let Some(entry) = edit.before.entry(name.as_str()) else { return Err(self.not_ours(name.as_str())) };
        let profile = entry.profile(name);
        if let Ok(profile) = &profile {
            self.wipe_left(lock.ours(), profile);
        }
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

/// Removes a credential's folder when nothing is left in it; anything else there is another program's.
pub(super) fn remove_folder(document: &Path) {
    if let Some(folder) = document.parent() {
        let _ = std::fs::remove_dir(folder);
    }
}

fn random_id() -> Result<String> {
    let bytes = getrandom::u32().map_err(|error| Error::new(format!("no random numbers: {error}")))?;
    Ok(format!("{bytes:08x}"))
}
