//! Looking at what is kept without changing anything, and mending what `alchemy doctor` has found.

use std::fs;
use std::path::{Path, PathBuf};

use super::atomic::{self, Bytes};
use super::credential::Document;
use super::home::Home;
use super::lock::Note;
use super::trusted::{self, AsOwner, Reading};
use super::{Store, generation, lock, npm, rescue};
use crate::error::{Error, Result};
use crate::profile::{Profile, ProfileName, StoreKind};

impl Store<'_> {
    /// The profile's credential, of whatever kind; `None` when there is none. Other than
    /// [`Store::credential`] this tightens no mode and takes no newer sign-in over.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn look(&self, profile: &Profile) -> Result<Option<Document>> {
        let name = &profile.name;
        match &profile.store {
            StoreKind::File => {
                let path = self.document_path(profile);
                let parse = |bytes: &Bytes| Document::parse(bytes, &path.display().to_string());
                let read = |path: &Path| trusted::read(self.home, path, Reading::Secret { waits: false });
                match atomic::read_settled(&path, read, parse)? {
                    Some(document) => Ok(Some(document)),
                    // The next command puts it back.
                    None => atomic::read_settled(&atomic::aside(&path), read, parse),
                }
            }
            StoreKind::Keyring | StoreKind::Encrypted(_) | StoreKind::Command(_) => {
                self.read_item(profile, false)
            }
            StoreKind::Npm => Ok(npm::read(self.home, name)?.map(|(_, document)| document)),
        }
    }

    /// The file that the profile's credential is in, where it is in one.
    #[must_use]
    pub fn file(&self, profile: &Profile) -> Option<PathBuf> {
        match profile.store {
            StoreKind::File => Some(self.document_path(profile)),
            StoreKind::Encrypted(_) => Some(self.home.encrypted(&profile.name)),
            StoreKind::Npm => Some(self.home.npm_document(&profile.name)),
            StoreKind::Keyring | StoreKind::Command(_) => None,
        }
    }

    /// Where version 2 of the npm package has moved the profile's credential, when it is there no more.
    #[must_use]
    pub fn moved_away(&self, profile: &Profile) -> Option<PathBuf> {
        let path = self.file(profile).filter(|path| profile.store == StoreKind::File && !path.exists())?;
        self.moved_by_npm(&path)
    }

    /// Brings it back, unless something has taken its place; where it was.
    ///
    /// # Errors
    /// When a lock or the file system refuses; it is still where it was then.
    pub fn bring_back(&self, profile: &Profile) -> Result<PathBuf> {
        let name = &profile.name;
        let _locks = self.lock_profile(profile)?;
        let nothing = || Error::new(format!("there is nothing of profile '{name}' to bring back any more"));
        let (path, moved) = self.file(profile).zip(self.moved_away(profile)).ok_or_else(nothing)?;
        if !fs::symlink_metadata(&moved).is_ok_and(|metadata| metadata.is_file()) {
            return Err(Error::new(format!("{} is no regular file", moved.display())));
        }
        if let Some(folder) = path.parent() {
            atomic::make_folder(folder)?.into_iter().for_each(|made| made.say(self.messages));
            trusted::close_folder(self.home, folder)?;
        }
        let _owner = AsOwner::take().map_err(|error| Error::io("bring back", &moved, &error))?;
        // A link does not replace what somebody has put there meanwhile; a rename would.
        fs::hard_link(&moved, &path).map_err(|error| Error::io("bring back", &moved, &error))?;
        // It is back: that it is there, too, takes nothing of that away.
        match atomic::remove(&moved) {
            Ok(changed) => changed.into_iter().for_each(|changed| changed.say(self.messages)),
            Err(error) => self.messages.loss(&format!("a copy is still in {}: {error}", moved.display())),
        }
        generation::moved(self.home, &[name]);
        Ok(moved)
    }

    /// Brings the pair of tokens that waits in a rescue file into the store.
    ///
    /// # Errors
    /// When it cannot be brought home (yet).
    pub fn bring_home(&self, profile: &Profile) -> Result<()> {
        let mut held = self.hold(profile)?;
        held.share_with_npm()?;
        held.read()?;
        match waiting(self.home, &profile.name).pop() {
            None => Ok(()),
            Some(path) => Err(Error::new(format!("{} is still needed", path.display()))
                .hint("the store does not take it; see its own finding")),
        }
    }
}

/// The rescue files of a profile that are there, and hold a credential.
#[must_use]
pub fn waiting(home: &Home, name: &ProfileName) -> Vec<PathBuf> {
    rescue::waiting(home, name)
}

/// What the last refresh of a profile noted.
#[must_use]
pub fn note(home: &Home, name: &ProfileName) -> Note {
    home.credential_lock(name).iter().find_map(|path| lock::peek(path)).unwrap_or_default()
}

/// The documents of the file store that belong to no profile: their profiles' names, sorted. `known` are the
/// names that there are.
#[must_use]
pub fn orphans(home: &Home, known: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let folders = fs::read_dir(home.credentials()).into_iter().flatten().flatten();
    let of_nobody = folders.filter(|entry| entry.file_name().to_str().is_some_and(|name| !known(name)));
    let documents =
        of_nobody.flat_map(|entry| ["cloudflare.json", "native.json"].map(|n| entry.path().join(n)));
    let mut found: Vec<PathBuf> = documents.filter(|path| Path::is_file(path)).collect();
    found.sort();
    found
}
