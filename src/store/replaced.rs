//! What a store had before a change, which gets it back unless the change is made.
//!
//! A credential is written before `config.json` names it, so a change can fail when the store has the new one
//! already. Then the old one comes back by itself: it is a value, which is dropped.

use std::path::PathBuf;

use super::Store;
use super::atomic::{self, Bytes};
use super::config::Config;
use super::credential::Document;
use super::grant::has_none;
use super::home::Home;
use super::place::same;
use super::trusted::{self, Reading};
use crate::error::Result;
use crate::profile::Profile;

/// What a store had. Dropped, the store has it again.
#[must_use = "dropped, the store has again what it had"]
pub(super) struct Replaced<'s, 'a> {
    store: &'s Store<'a>,
    profile: Profile,
    had: Had,
    changed: bool,
}

/// What it has is not waited for.
const SECRET: Reading = Reading::Secret { waits: false };

/// What there was.
enum Had {
    /// A file, as it was; or none.
    File(PathBuf, Option<Bytes>),
    /// An item of another program's store; or none.
    Item(Option<Document>),
    /// It is not known: what is there stays.
    Unknown,
}

impl<'a> Store<'a> {
    /// Remembers what the profile's store has, before that is replaced. The caller holds its locks.
    pub(super) fn about_to_replace(&self, profile: &Profile) -> Replaced<'_, 'a> {
        let had = match self.file(profile) {
            Some(path) => had_file(self.home, path),
            None => match self.read_item(profile, false) {
                Ok(document) => Had::Item(document),
                // What is nobody's need not be there again; a command may fail where there is nothing.
                Err(_) if self.is_nobodys(profile) => Had::Item(None),
                Err(_) => Had::Unknown,
            },
        };
        Replaced { store: self, profile: profile.clone(), had, changed: false }
    }

    /// Whether `config.json` has no profile of that name in that store.
    fn is_nobodys(&self, profile: &Profile) -> bool {
        let name = &profile.name;
        Config::load(self.home).is_ok_and(|config| match config.unmarked(name.as_str(), name) {
            Some(now) => now.is_ok_and(|now| now.store.name() != profile.store.name()),
            None => true,
        })
    }

    /// Remembers what is at a path, before that is replaced.
    pub(super) fn about_to_replace_file(&self, profile: &Profile, path: PathBuf) -> Replaced<'_, 'a> {
        Replaced { store: self, profile: profile.clone(), had: had_file(self.home, path), changed: false }
    }
}

fn had_file(home: &Home, path: PathBuf) -> Had {
    match trusted::read(home, &path, SECRET) {
        Ok(bytes) => Had::File(path, bytes),
        Err(_) => Had::Unknown,
    }
}

impl Replaced<'_, '_> {
    /// It is replaced now; until here, a failure need not have changed anything.
    pub(super) fn is_changed(&mut self) {
        self.changed = true;
    }

    /// The change is made: what was before is of no use any more.
    pub(super) fn forget(mut self) {
        self.had = Had::Unknown;
    }

    fn give_back(&self) -> Result<()> {
        let (store, profile) = (self.store, &self.profile);
        match &self.had {
            Had::Unknown => Ok(()),
            Had::File(path, bytes) => {
                if trusted::read(store.home, path, SECRET).is_ok_and(|now| now == *bytes) {
                    return Ok(());
                }
                store.forget_opened(&profile.name);
                match bytes {
                    Some(bytes) => atomic::write(path, bytes)?.say(store.messages),
                    None => store.remove_document(path)?,
                }
                Ok(())
            }
            Had::Item(document) => {
                let is_same = |now: &Option<Document>| match (now, document) {
                    (Some(now), Some(document)) => same(now, document),
                    (now, document) => now.is_none() && document.is_none(),
                };
                match store.read_item(profile, false) {
                    Ok(now) if is_same(&now) => return Ok(()),
                    // It may have refused the new one, too; what is torn, it has taken in part.
                    Err(error) if !self.changed && !has_none(&error) => return Ok(()),
                    _ => {}
                }
                match document {
                    Some(document) => store.write_item(profile, &document.to_bytes()),
                    None => store.delete_item(profile),
                }
            }
        }
    }
}

impl Drop for Replaced<'_, '_> {
    fn drop(&mut self) {
        let Profile { name, store, .. } = &self.profile;
        if let Err(error) = self.give_back() {
            self.store.messages.loss(&format!(
                "the {store} store has the new credential of '{name}' already, and does not take the old one back: \
                 {error}"
            ));
        }
    }
}
