//! Looking at what is kept without changing anything, and mending what `alchemy doctor` has found.

use std::fs;
use std::path::{Path, PathBuf};

use super::config::Config;
use super::credential::Document;
use super::place::is_unchanged;
use super::{Store, npm, rescue};
use crate::disk::atomic::{self, Bytes};
use crate::disk::home::Home;
use crate::disk::lock::Note;
use crate::disk::owner::AsOwner;
use crate::disk::trusted::{self, Reading};
use crate::disk::{generation, lock, obstacle};
use crate::error::{Error, Result};
use crate::profile::{Profile, ProfileName, StoreKind};

impl Store<'_> {
    /// The profile's credential, of whatever kind; `None` when there is none. Other than
    /// [`Store::credential`] this tightens no mode and takes no newer sign-in over.
    ///
    /// Fails when it cannot be read or understood.
    pub(crate) fn look(&self, profile: &Profile) -> Result<Option<Document>> {
        let name = &profile.name;
        match &profile.store {
            StoreKind::File => {
                let path = self.document_path(profile);
                let parse = |bytes: &Bytes| Document::parse(bytes, &path.display().to_string());
                let read = |path: &Path| trusted::read(self.home, path, Reading::Secret { waits: false });
                match atomic::read_settled(&path, read, parse)? {
                    Some(document) => Ok(Some(document)),
                    // The next command puts it back.
                    None if self.is_set_aside(profile) => {
                        atomic::read_settled(&atomic::aside(&path), read, parse)
                    }
                    None => Ok(None),
                }
            }
            StoreKind::Keyring | StoreKind::Encrypted(_) | StoreKind::Command(_) => {
                self.read_item(profile, false)
            }
            StoreKind::Npm => Ok(npm::read(self.home, name)?.map(|(_, document)| document)),
        }
    }

    /// The file that the profile's credential is in, where it is in one.
    pub(crate) fn file(&self, profile: &Profile) -> Option<PathBuf> {
        match profile.store {
            StoreKind::File => Some(self.document_path(profile)),
            StoreKind::Encrypted(_) => Some(self.home.encrypted(&profile.name)),
            StoreKind::Npm => Some(self.home.npm_document(&profile.name)),
            StoreKind::Keyring | StoreKind::Command(_) => None,
        }
    }

    /// Where version 2 of the npm package has moved the profile's credential, when it is there no more.
    pub(crate) fn moved_away(&self, profile: &Profile) -> Option<PathBuf> {
        let path = self.file(profile).filter(|path| profile.store == StoreKind::File && !path.exists())?;
        self.moved_by_npm(&path)
    }

    /// Brings it back, unless something has taken its place; where it was.
    ///
    /// Fails when a lock or the file system refuses; it is still where it was then.
    pub(crate) fn bring_back(&self, profile: &Profile) -> Result<PathBuf> {
        let name = &profile.name;
        let _locks = self.lock_profile(profile)?;
        let nothing = || Error::new(format!("there is nothing of profile '{name}' to bring back any more"));
        let (path, moved) = self.file(profile).zip(self.moved_away(profile)).ok_or_else(nothing)?;
        if !fs::symlink_metadata(&moved).is_ok_and(|metadata| metadata.is_file()) {
            return Err(Error::new(format!("{} is no regular file", moved.display())));
        }
        if let Some(folder) = path.parent() {
            atomic::make_folder(folder)?.say(self.messages);
            trusted::close_folder(self.home, folder)?;
        }
        let _owner = AsOwner::take().map_err(|error| obstacle::failed("bring back", &moved, &error))?;
        // A link does not replace what somebody has put there meanwhile; a rename would.
        fs::hard_link(&moved, &path).map_err(|error| obstacle::failed("bring back", &moved, &error))?;
        // It is back: that it is there, too, takes nothing of that away.
        match atomic::remove(&moved) {
            Ok(changed) => changed.say(self.messages),
            Err(error) => self.messages.loss(&format!("a copy is still in {}: {error}", moved.display())),
        }
        generation::moved(self.home, &[name]);
        Ok(moved)
    }

    /// Brings the pair of tokens that waits in a rescue file into the store.
    ///
    /// Fails when it cannot be brought home (yet).
    pub(crate) fn bring_home(&self, profile: &Profile) -> Result<()> {
        let mut held = self.hold(profile)?;
        held.share_with_npm()?;
        held.read()?;
        match rescue::waiting(self.home, &profile.name).pop() {
            None => Ok(()),
            Some(path) => Err(Error::new(format!("{} is still needed", path.display()))
                .hint("the store does not take it; see its own finding")),
        }
    }
}

/// What a refresh could not keep where it belongs, for a process that had nobody to tell.
pub(crate) fn loss(home: &Home, name: &ProfileName) -> Option<String> {
    if note(home, name).sent.is_some_and(|sent| sent.unkept) {
        return Some(format!(
            "the new session of profile '{name}' could be kept nowhere: when it ends, sign in again: alchemy login \
             -p {name}"
        ));
    }
    let path = rescue::waiting(home, name).pop()?;
    Some(format!(
        "the newest credential of profile '{name}' is in {}, as its store does not take it; see: alchemy doctor",
        path.display()
    ))
}

/// Whether a temporary file that a killed command has left may be the only copy of a credential: one that was set
/// aside and whose place is empty, unless `config.json` says that its profile is kept elsewhere, or was changed since; or
/// the successor of one that was sent to be replaced. The next command that needs it brings it home.
pub(crate) fn may_be_last_copy(home: &Home, path: &Path) -> bool {
    let Some(document) = atomic::document_of(path) else { return false };
    let name = |path: &Path| {
        let in_folder = || Some(path.parent()?.file_name()?.to_str()?.to_owned());
        match document.extension().and_then(|extension| extension.to_str()) {
            Some("age") => Some(document.file_stem()?.to_str()?.to_owned()),
            Some("json") => in_folder(),
            _ => Some(document.file_name()?.to_str()?.to_owned()), // a rescue file
        }
    };
    let Some(name) = name(&document).and_then(|name| ProfileName::parse(&name).ok()) else { return false };
    if atomic::left_successor(&document) == path {
        return note(home, &name).sent.is_some();
    }
    let is_elsewhere = || {
        let profile = Config::load_alone(home).ok()?.unmarked(name.as_str(), &name)?.ok()?;
        Some(profile.store != StoreKind::File)
    };
    let is_old = || is_elsewhere().unwrap_or(false) || !is_unchanged(home, &name).unwrap_or(true);
    atomic::aside(&document) == path && !document.exists() && !is_old()
}

/// What the last refresh of a profile noted.
pub(crate) fn note(home: &Home, name: &ProfileName) -> Note {
    home.credential_lock(name).iter().find_map(|path| lock::peek(path)).unwrap_or_default()
}

/// The credentials in files that belong to no profile, and also those that a killed command has set aside. `known`
/// are the names that there are.
pub(crate) fn orphans(home: &Home, known: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let inside = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let of_nobody = inside(home.credentials())
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| !known(name)));
    let documents =
        of_nobody.flat_map(|entry| ["cloudflare.json", "native.json"].map(|n| entry.path().join(n)));
    let documents = documents.flat_map(|path| [atomic::aside(&path), path]);
    let sealed = inside(home.encrypted_folder()).map(|entry| entry.path()).filter(|path| {
        let name = path.file_stem().and_then(|name| name.to_str());
        path.extension().is_some_and(|it| it == "age") && name.is_some_and(|name| !known(name))
    });
    let mut found: Vec<PathBuf> = documents.chain(sealed).filter(|path| path.is_file()).collect();
    found.sort();
    found
}

/// The rescue files that wait for no profile that there is, wherever they are.
pub(crate) fn rescue_orphans(home: &Home, known: &dyn Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = home
        .rescue_folders()
        .into_iter()
        .flat_map(|(folder, prefix)| {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter(move |entry| {
                let name = entry.file_name();
                let name = name.to_str().and_then(|name| name.strip_prefix(prefix));
                name.is_some_and(|name| ProfileName::parse(name).is_ok() && !known(name))
            })
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}
