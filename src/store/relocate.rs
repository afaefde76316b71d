//! A credential on its way from one store to another.
//!
//! At every instant the store that `config.json` names has a whole copy: first the new store gets one, which is
//! read back; then `config.json` names that store; then the old copy goes. Killed in between, one copy too many
//! is left, never one too few. Where it is, the profile's lock says, and the next change of the profile wipes it.
//!
//! Version 2 of the npm package takes a document for a profile whatever `config.json` says, so a grant could be
//! refreshed there and here as long as both are: its document comes last before, and goes first after, the
//! change of `config.json`.

use super::config::Edit;
use super::credential::Document;
use super::grant::Held;
use super::place::same;
use super::store_fields::{note_left, store_left};
use super::{Store, npm, rescue};
use crate::disk::atomic;
use crate::disk::generation;
use crate::disk::lock::Lock;
use crate::error::{Error, Result};
use crate::profile::{Profile, ProfileName, StoreKind};
use crate::signals::HeldBack;

/// Where a credential was, and where it is.
pub(crate) struct Relocated {
    /// The profile as it is now.
    pub profile: Profile,
    /// Its store before; the same where there was nothing to do.
    pub from: StoreKind,
}

impl Store<'_> {
    /// Moves a profile's credential to another store.
    ///
    /// Fails when there is no such profile, when the other store cannot hold it or does not take it, or a lock or the
    /// disk refuses: the credential is where it was then. When the old copy cannot be wiped: then it is in both.
    pub(crate) fn relocate(&mut self, name: &ProfileName, to: StoreKind) -> Result<Relocated> {
        let found = self.get(name)?.ok_or_else(|| self.unknown(name.as_str(), ""))?;
        // Before any lock: a person may have to be asked to unlock them.
        self.unlocked(&found)?;
        self.ready(name, &to)?;
        let mut held = self.hold(&found)?;
        held.share_with_npm()?;
        let from = held.profile().clone();
        let target = Profile { store: to, ..from.clone() };
        let outcome = self.move_held(&mut held, &from, target);
        drop(held);
        let reloaded = self.reload();
        let profile = outcome?;
        reloaded.map(|()| Relocated { from: from.store.clone(), profile })
    }

    fn move_held(&self, held: &mut Held, from: &Profile, mut target: Profile) -> Result<Profile> {
        let document = held.read()?.document;
        // Where one waits in a rescue file and cannot be brought home, the old one.
        let stored = self.kept(from, false)?.unwrap_or_else(|| document.clone());
        self.wipe_left(held.lock(), from);
        if from.store.name() == target.store.name() {
            return Ok(from.clone());
        }
        held.share_as(&target)?;
        // Where it could not be removed shows before anything has changed.
        if from.store == StoreKind::File {
            atomic::prepare(&self.document_path(from), &[])?;
        }
        let mut edit = Edit::open(self.home, self.messages)?;
        if self.identify_keyring(&target, &mut edit)? {
            // Written down first: killed after that, the copy would be under a name that nobody knows.
            drop(edit.prepare(&HeldBack::interruptions())?.commit()?);
            edit = Edit::open(self.home, self.messages)?;
        }
        if let Some(now) = edit.before.profile(&target.name) {
            target = Profile { store: target.store.clone(), ..now? };
        }
        self.must_take(&target, &document)?;
        if target.store == StoreKind::Npm {
            edit.remove(target.name.as_str());
        } else {
            edit.put(&target);
        }
        let held_back = HeldBack::interruptions();
        let prepared = edit.prepare(&held_back)?;

        leaves(held.lock(), &[&from.store, &target.store]);
        let mut is_new = true;
        let made = self.keep_verified(&target, &document).and_then(|kept| {
            is_new = kept;
            let is_file = |profile: &&Profile| profile.store == StoreKind::File;
            let strays = if is_file(&&target) {
                Vec::new()
            } else {
                let old = Some(from).filter(is_file).map(|from| self.document_path(from));
                self.set_strays_aside(
                    held.lock(),
                    &target,
                    &old.into_iter().chain(self.file(&target)).collect::<Vec<_>>(),
                )?
            };
            prepared.commit().map(|marks| (strays, marks))
        });
        let (strays, marks) = made.inspect_err(|_| {
            if !is_new || self.wipe(&target, Some(&document)).is_ok() {
                leaves_none(held.lock());
            }
        })?;
        // It has moved: nothing from here on takes that back.
        drop(marks);
        generation::moved(self.home, &[&target.name]);
        self.discard(held.lock(), strays, &target.name);
        let wiped = self.wipe(from, Some(&stored));
        let gone = wiped.map_err(|error| not_wiped(from, &target, &error))?;
        leaves_none(held.lock());
        rescue::remove(self.home, &target.name, self.messages);
        if !gone {
            self.messages.say(&format!(
                "the {} store has got another credential of '{}' meanwhile, which is left there",
                from.store, target.name
            ));
        }
        Ok(target)
    }

    /// Whether the target can be what it is to be.
    fn must_take(&self, target: &Profile, document: &Document) -> Result<()> {
        if target.store != StoreKind::Npm {
            return Ok(());
        }
        npm::can_hold(target)?;
        let name = &target.name;
        match npm::read(self.home, name)? {
            Some((_, other)) if !same(&other, document) => Err(Error::new(format!(
                "npm alchemy 2 has a profile '{name}' of its own, with another credential"
            ))
            .hint(format!("give ours another name first: alchemy profile rename {name} NEW"))),
            _ => Ok(()),
        }
    }

    /// Keeps the credential in its new store too, which gives it back; whether that did not have it before.
    fn keep_verified(&self, target: &Profile, document: &Document) -> Result<bool> {
        let has =
            |kept: Result<Option<Document>>| kept.map(|kept| kept.is_some_and(|it| same(&it, document)));
        if has(self.kept(target, false)).unwrap_or(false) {
            return Ok(false); // It may be npm's, with more in it.
        }
        self.keep(target, document)?;
        if has(self.kept(target, false))? {
            return Ok(true);
        }
        let Profile { name, store, .. } = target;
        Err(Error::new(format!("the {store} store gives back something else than it was given"))
            .hint(format!("the credential of '{name}' stays where it was")))
    }

    /// Wipes the copy that a move which was killed has left behind. Npm uses its own whatever `config.json` says:
    /// there only one that is the same as the profile's is a copy.
    pub(super) fn wipe_left(&self, lock: &Lock, profile: &Profile) {
        let mut are_gone = true;
        for left in lock.note().left_in.into_iter().filter_map(store_left) {
            if left.name() != profile.store.name() {
                are_gone &= self.wipe_copy(profile, &left);
            }
        }
        if are_gone {
            leaves_none(lock);
        }
    }

    /// Wipes the copy in another store than the profile's; whether nothing is left of it there.
    fn wipe_copy(&self, profile: &Profile, left: &StoreKind) -> bool {
        let name = &profile.name;
        let copy = Profile { store: left.clone(), ..profile.clone() };
        let wiped = if *left == StoreKind::Npm {
            self.kept(profile, false)
                .and_then(|own| own.map_or(Ok(false), |own| self.wipe(&copy, Some(&own))))
        } else {
            self.wipe(&copy, None)
        };
        match wiped {
            Ok(true) => true,
            Ok(false) => {
                self.messages.say(&format!(
                    "npm alchemy 2 has a credential of its own for '{name}', which is left there"
                ));
                true
            }
            Err(error) => {
                self.messages.loss(&format!(
                    "an old copy of the credential of '{name}' is still in the {left} store: {error}"
                ));
                false
            }
        }
    }
}

/// Writes down in which stores, besides those that are noted already, there may be a copy too many: before the first is
/// made, so that it is known whenever the change is killed.
pub(super) fn leaves(lock: &Lock, stores: &[&StoreKind]) {
    lock.change(|note| {
        for left in stores.iter().map(|store| note_left(store)) {
            if !note.left_in.contains(&left) {
                note.left_in.push(left);
            }
        }
    });
}

/// Writes down that there is no copy too many.
pub(super) fn leaves_none(lock: &Lock) {
    lock.change(|note| note.left_in.clear());
}

/// The error of a move that has left its old copy behind.
fn not_wiped(from: &Profile, target: &Profile, error: &Error) -> Error {
    let Profile { name, store, .. } = target;
    let from = &from.store;
    Error::new(format!(
        "profile '{name}' is kept in the {store} store now, but its old copy is still in the {from} store: \
         {error}"
    ))
    .hint(format!("wipe it by the same once more: alchemy profile move {name} --store {store}"))
}
