//! Making, changing, renaming and deleting profiles.
//!
//! Always in this order, so that a crash at any moment leaves documents that are whole and no secret
//! without an owner for longer than needed: the profile's lock, then `config.json`'s; the new
//! `config.json` is written beside the old one, where a full disk shows; then the credential; then the
//! new `config.json` takes the old one's place; last, a credential in another store goes. From the
//! second step on, nothing that a terminal or a shell sends interrupts it.

use std::path::{Path, PathBuf};

use super::config::{Edit, MarksToLoosen, PreparedEdit};
use super::credential::Document;
use super::grant::{self, ProfileLock};
use super::place::same;
use super::relocate::{leaves, leaves_none};
use super::replaced::Replaced;
use super::store_fields::note_left;
use super::{Store, npm, rescue};
use crate::disk::atomic::Aside;
use crate::disk::home::Home;
use crate::disk::lock::Lock;
use crate::disk::owner::AsOwner;
use crate::disk::trusted::{self, Reading};
use crate::disk::{atomic, generation};
use crate::error::{Error, Result};
use crate::profile::{Profile, ProfileName, StoreKind};
use crate::signals::HeldBack;

impl Store<'_> {
    /// Makes the profile, or changes it to be this one with this credential. Whether it asks, and what repeats its
    /// token, stays as it is by then, unless `confirm` says otherwise.
    ///
    /// Fails when a lock, a store or the disk refuses; the old profile and its credential are still there then.
    pub(crate) fn put(
        &mut self,
        profile: &Profile,
        document: &Document,
        confirm: Option<bool>,
    ) -> Result<()> {
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
        // A keyring's dialog as well comes before the locks, and while Ctrl-C still ends it.
        self.ready(name, &profile.store)?;
        // Dropped after the locks: stopped by Ctrl-Z with them in hand, we would stop everyone else.
        let held_back;
        let lock = self.lock_both(profile)?;
        let edit = self.edit_for(profile, confirm)?;
        held_back = HeldBack::interruptions();
        self.replace(profile, document, lock.ours(), edit, &held_back)?;
        drop(lock);
        self.reload_changed();
        Ok(())
    }

    /// Puts a profile and its credential in the place of what has its name, under its lock.
    fn replace(
        &self,
        profile: &Profile,
        document: &Document,
        lock: &Lock,
        edit: Edit,
        held_back: &HeldBack,
    ) -> Result<()> {
        let name = &profile.name;
        let before = edit.before.unmarked(name.as_str(), name).and_then(Result::ok);
        if let Some(before) = before.as_ref().filter(|before| before.store == StoreKind::File) {
            self.put_back(before)?;
        }
        let prepared = edit.prepare(held_back)?;
        if let Some(before) = before.filter(|before| before.store.name() != profile.store.name()) {
            leaves(lock, &[&before.store, &profile.store]);
        }
        let mut replaced = self.about_to_replace(profile);
        self.keep(profile, document)?;
        replaced.is_changed();
        let own: Vec<_> = self.file(profile).into_iter().collect();
        let asides = self.set_strays_aside(lock, profile, &own)?;
        let marks = prepared.commit()?;
        // The change is made: nothing from here on takes it back, or calls it failed.
        replaced.forget();
        self.discard(lock, asides, name);
        rescue::remove(self.home, name, self.messages);
        remove_folder(&self.home.credential(name.as_str()));
        self.wipe_left(lock, profile);
        drop(marks);
        generation::moved(self.home, &[name]);
        Ok(())
    }

    /// Takes the documents of a profile's name away that are not its `own`. They must be gone before `config.json`
    /// names its store: beside a profile that is kept elsewhere they would count as a newer sign-in by npm, and
    /// where it has no credential, as that.
    pub(super) fn set_strays_aside(
        &self,
        lock: &Lock,
        profile: &Profile,
        own: &[PathBuf],
    ) -> Result<Vec<Aside>> {
        let name = &profile.name;
        let is_encrypted = matches!(profile.store, StoreKind::Encrypted(_));
        let documents =
            [self.home.credential(name.as_str()), self.home.native_credential(name.as_str())].into_iter();
        let strays = documents
            .chain(is_encrypted.then(|| self.home.encrypted(name)))
            .filter(|path| !own.contains(path));
        self.set_aside(lock, name, &strays.collect::<Vec<_>>())
    }

    /// Destroys what was set aside, as the change is made; what stays is said.
    pub(super) fn discard(&self, lock: &Lock, asides: Vec<Aside>, name: &ProfileName) {
        let mut are_gone = true;
        for aside in asides {
            let place = aside.place();
            if let Err(error) = self.remove_whole(&place, || aside.discard()) {
                are_gone = false;
                self.say_left(name, &StoreKind::File, &error);
            }
        }
        if are_gone {
            lock.change(|note| note.set_aside = None);
        }
    }

    /// Says that an old credential stays where it should not.
    fn say_left(&self, name: &ProfileName, store: &StoreKind, error: &Error) {
        self.messages.loss(&format!("an old credential of '{name}' is still in the {store} store: {error}"));
    }

    /// Reads `config.json` again after a change, which is made whether this works or not.
    fn reload_changed(&mut self) {
        if let Err(error) = self.reload() {
            self.messages.say(&error.to_string());
        }
    }

    /// Makes a profile that signs in, or changes one to be this, without a session yet.
    ///
    /// Fails when a lock, a store or the disk refuses; what was there before is there then.
    pub(crate) fn put_signed_out(&mut self, profile: &Profile) -> Result<()> {
        let name = &profile.name;
        self.unlock(name)?;
        let held_back; // dropped after the locks
        let lock = self.lock_both(profile)?;
        let edit = self.edit_for(profile, None)?;
        held_back = HeldBack::interruptions();
        let before = edit.before.unmarked(name.as_str(), name).and_then(Result::ok);
        let prepared = edit.prepare(&held_back)?;
        let mut replaced = Vec::new();
        if let Some(before) = &before {
            replaced.push(self.without_item(before)?);
        }
        // What nobody owned would be its session from now on.
        if !matches!(&profile.store, StoreKind::Command(_)) {
            replaced.push(self.without_item(profile)?);
        }
        self.finish_without(lock.ours(), name, prepared, replaced)?;
        drop(lock);
        generation::moved(self.home, &[name]);
        self.reload_changed();
        Ok(())
    }

    /// Deletes a profile's item, where its store has items; it comes back unless the change is made.
    fn without_item(&self, profile: &Profile) -> Result<Option<Replaced<'_, '_>>> {
        if matches!(profile.store, StoreKind::File | StoreKind::Npm) {
            return Ok(None);
        }
        let mut replaced = self.about_to_replace(profile);
        self.delete_item(profile)?;
        replaced.is_changed();
        Ok(Some(replaced))
    }

    /// Makes a change that leaves a name without a credential: its documents go, too.
    fn finish_without(
        &self,
        lock: &Lock,
        name: &ProfileName,
        prepared: PreparedEdit,
        replaced: Vec<Option<Replaced>>,
    ) -> Result<()> {
        let paths = [self.home.credential(name.as_str()), self.home.native_credential(name.as_str())];
        let asides = self.set_aside(lock, name, &paths)?;
        let marks = prepared.commit()?;
        replaced.into_iter().flatten().for_each(Replaced::forget);
        self.discard(lock, asides, name);
        for path in &paths {
            remove_folder(path);
        }
        rescue::remove(self.home, name, self.messages);
        drop(marks);
        Ok(())
    }

    /// `config.json` open, with the profile in it. What others have said of it meanwhile stays, unless it is asked
    /// for otherwise: whoever makes it may have waited for a person.
    fn edit_for(&self, profile: &Profile, confirm: Option<bool>) -> Result<Edit<'_>> {
        let mut edit = Edit::open(self.home, self.messages)?;
        self.identify_keyring(profile, &mut edit)?;
        let mut profile = profile.clone();
        profile.confirm = confirm.unwrap_or_else(|| edit.confirms(&profile.name));
        if let Some(Ok(now)) = edit.before.unmarked(profile.name.as_str(), &profile.name) {
            profile.also = now.also;
        }
        edit.put(&profile);
        Ok(edit)
    }

    /// Whether a new session of a profile, which is this one `before`, could be kept: whoever is to sign in
    /// learns that it could not before, and not after.
    ///
    /// Fails when a lock, the store or the disk refuses.
    pub(crate) fn has_room_for(
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
            Edit::open(self.home, self.messages)?.prepare(&HeldBack::interruptions()).map(drop)
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
        match self.config.unmarked(profile.name.as_str(), &profile.name) {
            Some(Ok(before)) if grant::is_shared_with_v1(&before) => self.lock_profile(&before),
            _ => self.lock_profile(profile),
        }
    }

    /// The locks of whatever has this name now.
    fn lock_as_it_is(&self, name: &ProfileName) -> Result<ProfileLock> {
        match self.config.unmarked(name.as_str(), name) {
            Some(Ok(profile)) => self.lock_profile(&profile),
            _ => self.lock_ours(name),
        }
    }

    /// Has a keyring unlocked that holds the credential of whatever has this name now: before any lock is
    /// taken, as a person may have to be asked.
    fn unlock(&self, name: &ProfileName) -> Result<()> {
        match self.config.unmarked(name.as_str(), name) {
            Some(Ok(profile)) if profile.store == StoreKind::Keyring => {
                self.read_item(&profile, true).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Changes what is not secret, by the profile as it is under the lock.
    ///
    /// Fails when it is gone, is kept by the npm package's version 2, or cannot be written.
    pub(crate) fn update(
        &mut self,
        name: &ProfileName,
        change: impl FnOnce(&mut Profile),
    ) -> Result<Profile> {
        let mut edit = Edit::open(self.home, self.messages)?;
        let held_back = HeldBack::interruptions();
        let Some(profile) = edit.before.profile(name) else { return Err(self.not_ours(name.as_str())) };
        let mut profile = profile?;
        // What is aside comes back only as long as the profile is what it was then.
        if profile.store == StoreKind::File {
            self.put_back(&profile)?;
        }
        change(&mut profile);
        edit.put(&profile);
        let loosened = edit.prepare(&held_back)?.commit()?.loosen();
        generation::moved(self.home, &[name]);
        self.reload_changed();
        loosened.map(|()| profile)
    }

    /// Gives a profile another name. The old one need not be a [`ProfileName`].
    ///
    /// Fails when there is none of the old name or one of the new, a newer credential waits in a rescue file and cannot
    /// be brought home, or a store refuses.
    pub(crate) fn rename(&mut self, from: &str, to: &ProfileName) -> Result<()> {
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
        let held_back; // dropped after the locks
        let other = old_name.as_ref().filter(|name| *name != to);
        let lock_other = |name| self.lock_as_it_is(name).and_then(|locks| self.settle(name, locks));
        // The same order in every process.
        let before = other.filter(|name| *name < to).map(lock_other).transpose()?;
        let lock = self.lock_as_it_is(to)?;
        let after = other.filter(|name| *name > to).map(lock_other).transpose()?;
        let mut edit = Edit::open(self.home, self.messages)?;
        let Some(profile) = edit.before.unmarked(from, to) else {
            let is_done = match (other, before.as_ref().or(after.as_ref())) {
                (Some(from), Some(locks)) => self.finish_rename(from, locks.ours(), to)?,
                _ => false,
            };
            return if is_done { Ok(()) } else { Err(self.not_ours(from)) };
        };
        if from == to.as_str() {
            return Ok(());
        }
        let exists = || Error::new(format!("there is already a profile '{to}'"));
        if edit.before.entry(to.as_str()).is_some() {
            return Err(exists().hint(format!("delete it first: alchemy profile delete {to}")));
        }
        if npm::read(self.home, to)?.is_some() {
            let way = "choose another name; that profile is npm's, and changed by its own command: npx alchemy profile";
            return Err(exists().hint(way));
        }
        self.none_waits(to)?;
        edit.rename(from, to);
        let profile = profile?;
        held_back = HeldBack::interruptions();
        let prepared = edit.prepare(&held_back)?;
        let old = old_name.clone().map(|name| Profile { name, ..profile.clone() });
        let from_lock = before.as_ref().or(after.as_ref()).map(ProfileLock::ours);
        if let Some(lock) = from_lock {
            leaves(lock, &[&profile.store]);
        }
        let marks = match (&old, &profile.store) {
            (_, StoreKind::Keyring | StoreKind::Command(_)) => {
                let document = old.as_ref().map(|old| self.read_item(old, false)).transpose()?.flatten();
                let mut replaced = self.about_to_replace(&profile);
                match document {
                    Some(document) => self.write_item(&profile, &document.to_bytes())?,
                    None => self.delete_stray_item(&profile)?,
                }
                replaced.is_changed();
                let strays = self.set_strays_aside(lock.ours(), &profile, &[])?;
                let marks = prepared.commit()?;
                replaced.forget();
                self.discard(lock.ours(), strays, to);
                marks
            }
            (Some(old), StoreKind::Encrypted(_)) => {
                // As it is: a name is no part of what is encrypted.
                let files = [(self.home.encrypted(&old.name), self.home.encrypted(to))];
                self.copy_and_commit(lock.ours(), &profile, &files, prepared)?
            }
            _ => {
                let files = [Home::credential, Home::native_credential]
                    .map(|path| (path(self.home, from), path(self.home, to.as_str())));
                self.copy_and_commit(lock.ours(), &profile, &files, prepared)?
            }
        };
        // It has its new name: what stays under the old one is said, and takes nothing of that back.
        let removed = self.remove_old_name(from, old.as_ref());
        match (removed, from_lock) {
            (Ok(()), Some(lock)) => leaves_none(lock),
            (Ok(()), None) => {}
            (Err(error), _) => self.messages.loss(&format!(
                "the credential of '{to}' is still there under its old name '{from}', too: {error}"
            )),
        }
        drop(marks);
        drop((before, lock, after));
        generation::moved(self.home, &old_name.iter().chain([to]).collect::<Vec<_>>());
        self.reload_changed();
        Ok(())
    }

    /// Ends a rename that was killed after `config.json` had the new name: removes what is still under the old one,
    /// which must be the same credential. Returns whether there was any. The caller has both locks; `lock` is that of the
    /// old name, and says what a rename may have left.
    fn finish_rename(&self, from: &ProfileName, lock: &Lock, to: &ProfileName) -> Result<bool> {
        let Some(now) = self.by_now(to)? else { return Ok(false) };
        if !lock.note().left_in.contains(&note_left(&now.store)) {
            return Ok(false); // it may be a name that was mistyped
        }
        let old = Profile { name: from.clone(), ..now.clone() };
        match (self.kept(&old, false)?, self.kept(&now, false)?) {
            (Some(copy), Some(own)) if same(&copy, &own) => {
                self.remove_old_name(from.as_str(), Some(&old))?;
                leaves_none(lock);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Removes the credential that is still under the old name of a profile, which is `old` where that is a
    /// [`ProfileName`].
    fn remove_old_name(&self, from: &str, old: Option<&Profile>) -> Result<()> {
        match old {
            Some(old) if !matches!(old.store, StoreKind::File | StoreKind::Npm) => self.delete_item(old),
            _ => [self.home.credential(from), self.home.native_credential(from)]
                .iter()
                .try_for_each(|path| self.remove_document(path)),
        }
    }

    /// Copies files to the places where a change of `config.json` has them, and makes the change.
    fn copy_and_commit(
        &self,
        lock: &Lock,
        profile: &Profile,
        files: &[(PathBuf, PathBuf)],
        prepared: PreparedEdit,
    ) -> Result<MarksToLoosen> {
        let (mut replaced, mut own) = (Vec::new(), Vec::new());
        for (old, new) in files {
            if let Some(bytes) = trusted::read(self.home, old, Reading::Secret { waits: false })? {
                replaced.push(self.about_to_replace_file(profile, new.clone()));
                let written = atomic::write(new, &bytes).inspect_err(|_| remove_folder(new))?;
                written.say(self.messages);
                own.push(new.clone());
            }
        }
        let strays = self.set_strays_aside(lock, profile, &own)?;
        let marks = prepared.commit()?;
        replaced.into_iter().for_each(Replaced::forget);
        self.discard(lock, strays, &profile.name);
        remove_folder(&self.home.credential(profile.name.as_str()));
        Ok(marks)
    }

    /// Deletes an item that is nobody's: a profile that is about to have its name, and no credential, would own it.
    fn delete_stray_item(&self, profile: &Profile) -> Result<()> {
        if matches!(self.read_item(profile, false), Ok(None)) {
            return Ok(());
        }
        self.delete_item(profile)?;
        match self.read_item(profile, false) {
            Ok(Some(_)) => Err(Error::new(format!(
                "the {} store has a credential of another '{}', and does not delete it",
                profile.store, profile.name
            ))
            .hint("delete it by hand, or choose another name")),
            _ => Ok(()),
        }
    }

    /// Whether a newer credential may be beside a profile's store: a look or two.
    fn has_beside(&self, profile: &Profile) -> bool {
        let takes_over = !matches!(profile.store, StoreKind::File | StoreKind::Npm);
        self.home.may_have_rescued(&profile.name)
            || self.left_successor(profile).is_some()
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
            if profile.store == StoreKind::File {
                self.put_back(&profile)?;
            }
            if self.has_beside(&profile) {
                locks = self.bring_home_locked(&profile, locks)?;
            }
            self.wipe_left(locks.ours(), &profile);
        }
        self.none_waits(name).map(|()| locks)
    }

    /// Makes sure that no rescue file has this name: it may hold the only credential that lives.
    fn none_waits(&self, name: &ProfileName) -> Result<()> {
        let Some(path) = rescue::waiting(self.home, name).pop() else { return Ok(()) };
        let path = path.display();
        Err(Error::new(format!(
            "{path} may hold the newest credential of profile '{name}', and is not in its store; nothing was renamed"
        ))
        .hint("see what keeps it from there: alchemy doctor"))
    }

    /// Deletes a profile and its credential.
    ///
    /// Fails when there is none, it is kept by the npm package's version 2, or a store refuses.
    pub(crate) fn delete(&mut self, name: &ProfileName) -> Result<()> {
        self.unlock(name)?;
        let held_back; // dropped after the locks
        let lock = self.lock_as_it_is(name)?;
        let mut edit = Edit::open(self.home, self.messages)?;
        let Some(profile) = edit.before.unmarked(name.as_str(), name) else {
            return Err(self.not_ours(name.as_str()));
        };
        if let Ok(profile) = &profile {
            self.wipe_left(lock.ours(), profile);
        }
        edit.remove(name.as_str());
        // What npm has of that name is restricted still.
        if npm_has_none(self.home, name) {
            edit.unmark(name.as_str());
        }
        held_back = HeldBack::interruptions();
        let prepared = edit.prepare(&held_back)?;
        let replaced = profile.ok().map(|profile| self.without_item(&profile)).transpose()?;
        self.finish_without(lock.ours(), name, prepared, replaced.into_iter().collect())?;
        drop(lock);
        generation::moved(self.home, &[name]);
        self.reload_changed();
        Ok(())
    }

    pub(super) fn remove_documents(&self, name: &ProfileName) -> Result<()> {
        for path in [self.home.credential(name.as_str()), self.home.native_credential(name.as_str())] {
            self.remove_document(&path)?;
        }
        rescue::remove(self.home, name, self.messages);
        Ok(())
    }

    fn not_ours(&self, name: &str) -> Error {
        match ProfileName::parse(name) {
            Ok(name) if self.home.npm_document(&name).is_file() => in_npm(&name),
            _ => self.unknown(name, ""),
        }
    }

    /// Reads `config.json` again: others may have changed it.
    pub(crate) fn reload(&mut self) -> Result<()> {
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
    if let (Some(folder), Ok(_owner)) = (document.parent(), AsOwner::take()) {
        let _ = std::fs::remove_dir(folder);
    }
}

/// Whether the npm package's version 2 has no profile of a name, for certain.
fn npm_has_none(home: &Home, name: &ProfileName) -> bool {
    matches!(home.npm_document(name).try_exists(), Ok(false))
}

fn random_id() -> Result<String> {
    let bytes = getrandom::u32().map_err(|error| Error::new(format!("no random numbers: {error}")))?;
    Ok(format!("{bytes:08x}"))
}
