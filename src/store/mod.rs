//! What is known and kept: `config.json`, the credential stores, locks and atomic writes (design §5).
//!
//! [`Store`] is the one door: profiles are found, made, changed and taken away here, and their
//! credentials are read here, whichever store holds them.

pub(crate) mod access;
pub(crate) mod cipher;
pub(crate) mod command;
pub(crate) mod config;
pub(crate) mod credential;
pub(crate) mod encrypted;
pub(crate) mod grant;
pub(crate) mod inspect;
mod item;
pub(crate) mod marks;
mod npm;
mod place;
pub(crate) mod relocate;
mod replaced;
pub(crate) mod rescue;
pub(crate) mod settings;
mod store_fields;
mod write;

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};
use std::path::{Path, PathBuf};

use crate::disk::atomic::{self, Bytes};
use crate::disk::generation;
use crate::disk::home::Home;
use crate::disk::lock::Lock;
use crate::disk::npm_lock::{self, NpmLock, Protocol};
use crate::disk::trusted::{self, Reading};
use crate::error::{Error, Kind, Result};
use crate::keyring::{self, Keyring};
use crate::profile::selection::{Selection, near};
use crate::profile::{Method, Profile, ProfileName, StoreKind};
use crate::shell;
use crate::terminal::Messages;
use access::Access;
use config::Config;
use credential::Document;
use grant::ProfileLock;

/// The profiles and their credentials in one folder.
pub(crate) struct Store<'a> {
    home: &'a Home,
    config: Config,
    access: Access<'a>,
    keyring: OnceCell<Keyring>,
    /// Tells this folder's keyring items from another's. Once it is made, it stays.
    keyring_id: OnceCell<String>,
    opened: encrypted::Opened,
    messages: &'a Messages,
}

/// One line of a listing.
pub(crate) struct Listed {
    /// The name, which need not be a [`ProfileName`]: version 1 of the npm package lets any through.
    pub name: String,
    /// The profile, or why it cannot be used.
    pub profile: Result<Profile>,
    /// Another layout has a profile of this name, and that one wins.
    pub shadowed: bool,
}

impl<'a> Store<'a> {
    /// Reads `config.json`. The keyring is not opened before a credential in it is asked for.
    pub(crate) fn open(home: &'a Home, access: Access<'a>, messages: &'a Messages) -> Result<Self> {
        let config = Config::load(home)?;
        let keyring_id = config.keyring_id.clone().map(OnceCell::from).unwrap_or_default();
        let (keyring, opened) = (OnceCell::new(), encrypted::Opened::default());
        Ok(Self { home, config, access, keyring, keyring_id, opened, messages })
    }

    /// The folder.
    pub(crate) fn home(&self) -> &Home {
        self.home
    }

    /// The profile of that name; `None` when neither layout has one.
    ///
    /// Fails when there is one that cannot be read.
    pub(crate) fn get(&self, name: &ProfileName) -> Result<Option<Profile>> {
        match self.config.profile(name) {
            Some(profile) => profile.map(Some),
            None => match npm::read(self.home, name)? {
                Some((profile, _)) => self.config.marked(profile).map(Some),
                // It may have been moved out of there since `config.json` was read.
                None => self.by_now(name),
            },
        }
    }

    /// The profile of that name by now: others may have changed it since `config.json` was read.
    fn by_now(&self, name: &ProfileName) -> Result<Option<Profile>> {
        let config = Config::load(self.home)?;
        if let Some(id) = &config.keyring_id {
            // It is never another one.
            let _ = self.keyring_id.set(id.clone());
        }
        match config.profile(name) {
            Some(profile) => profile.map(Some),
            None => npm::read(self.home, name)?.map(|(profile, _)| config.marked(profile)).transpose(),
        }
    }

    /// The profile, when its credential is in another store by now.
    fn elsewhere(&self, profile: &Profile) -> Result<Option<Profile>> {
        Ok(self.by_now(&profile.name)?.filter(|now| now.store != profile.store))
    }

    /// The selected profile.
    ///
    /// Fails when it does not exist (names that are near are named), or cannot be read.
    pub(crate) fn find(&self, selection: &Selection) -> Result<Profile> {
        match self.get(&selection.name)? {
            Some(profile) => Ok(profile),
            None => Err(self.unknown(selection.name.as_str(), &format!(" ({})", selection.reason))),
        }
    }

    /// The error for a name that no profile has.
    pub(crate) fn unknown(&self, name: &str, reason: &str) -> Error {
        let known: Vec<String> = self.names();
        let near = near(name, known.iter().map(String::as_str));
        let hint = if !near.is_empty() {
            format!("did you mean {}? 'alchemy list' shows all", near.join(" or "))
        } else if known.is_empty() {
            format!("make it: alchemy configure -p {name}")
        } else {
            format!("'alchemy list' shows all; make it: alchemy configure -p {name}")
        };
        Error::new(format!("there is no profile '{name}'{reason}")).hint(hint)
    }

    fn names(&self) -> Vec<String> {
        let npm = npm::names(self.home).unwrap_or_default();
        self.config
            .names()
            .into_iter()
            .map(str::to_owned)
            .chain(npm.iter().map(ToString::to_string))
            .collect()
    }

    /// The names that can be used, sorted, each with what `config.json` says of it. Nothing else is opened:
    /// the npm package's documents hold their secret, too.
    pub(crate) fn known(&self) -> Vec<(ProfileName, Option<Profile>)> {
        let mut names: Vec<_> =
            self.names().iter().filter_map(|name| ProfileName::parse(name).ok()).collect();
        names.sort();
        names.dedup();
        let entry = |name: &ProfileName| self.config.profile(name)?.ok();
        names.into_iter().map(|name| (name.clone(), entry(&name))).collect()
    }

    /// All profiles of both layouts, sorted by name. No credential is read from a keyring.
    ///
    /// Fails when a folder cannot be listed.
    pub(crate) fn list(&self) -> Result<Vec<Listed>> {
        let own = self.config.names().into_iter().map(|name| {
            let profile = match ProfileName::parse(name).ok().and_then(|name| self.config.profile(&name)) {
                Some(profile) => profile,
                None => Err(Error::new("its name is not one that can be used")
                    .hint(format!("alchemy profile rename '{name}' NEW"))),
            };
            Listed { name: name.to_owned(), profile, shadowed: false }
        });
        let mut listed: Vec<_> = own.collect();
        for name in npm::names(self.home)? {
            let profile = npm::read(self.home, &name).and_then(|read| match read {
                Some((profile, _)) => self.config.marked(profile),
                None => Err(Error::new("it was removed just now")),
            });
            let shadowed = self.config.entry(name.as_str()).is_some();
            listed.push(Listed { name: name.to_string(), profile, shadowed });
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name).then(a.shadowed.cmp(&b.shadowed)));
        Ok(listed)
    }

    /// Whether a person waits at a terminal, so that something may be asked.
    pub(crate) fn may_ask(&self) -> bool {
        self.access.keyring.unlock == keyring::Unlock::Dialog
    }

    /// The profile's credential.
    ///
    /// Fails when it is missing, cannot be read, or is of another kind than the profile.
    pub(crate) fn credential(&self, profile: &Profile) -> Result<Document> {
        self.read(profile, |at| self.stored(at, None))
    }

    /// Returns the profile's credential only if that needs no lock, for which another process might keep a prompt
    /// waiting; otherwise `None`: a killed command has set it aside, or npm has signed in beside its store.
    pub(crate) fn credential_at_hand(&self, profile: &Profile) -> Result<Option<Document>> {
        let needs_lock = Cell::new(false);
        let stored = |at: &Profile| {
            let stored = self.stored_at_hand(at)?;
            needs_lock.set(stored.is_none() && self.needs_lock(at));
            Ok(stored)
        };
        match self.read(profile, stored) {
            Err(_) if needs_lock.get() => Ok(None),
            read => read.map(Some),
        }
    }

    /// The profile's credential, read by who holds its locks.
    fn read_locked(&self, profile: &Profile, held: &ProfileLock) -> Result<Document> {
        self.read(profile, |at| self.stored(at, Some(held)))
    }

    /// The profile's credential, where `stored` finds it for the profile as it is by now.
    fn read(
        &self,
        profile: &Profile,
        stored: impl Fn(&Profile) -> Result<Option<Document>>,
    ) -> Result<Document> {
        let name = &profile.name;
        self.messages
            .verbose(&format!("reading the credential of '{name}' from the {} store", profile.store));
        let mut at = Cow::Borrowed(profile);
        let document = loop {
            match stored(&at) {
                Ok(Some(document)) => break document,
                // It may have been moved to another store a moment ago, and again while we looked there.
                outcome => match self.elsewhere(&at)? {
                    Some(moved) => at = Cow::Owned(moved),
                    None => return Err(outcome.map_or_else(|error| error, |_| self.missing(profile))),
                },
            }
        };
        if document.method() == profile.method {
            Ok(document)
        } else {
            Err(Error::new(format!(
                "the credential of profile '{name}' is of the kind {}, and the profile of the kind {}",
                document.method(),
                profile.method
            ))
            .hint(format!("set the profile up again: alchemy configure -p {name}")))
        }
    }

    /// What the store has for the profile, of whatever kind.
    fn stored(&self, profile: &Profile, held: Option<&ProfileLock>) -> Result<Option<Document>> {
        let newer = match &profile.store {
            StoreKind::Keyring | StoreKind::Encrypted(_) | StoreKind::Command(_) => {
                self.take_over(profile, held)?
            }
            StoreKind::File | StoreKind::Npm => None,
        };
        newer.map_or_else(|| self.kept(profile, held.is_none()), |newer| Ok(Some(newer)))
    }

    /// Where the file store keeps the profile's credential.
    fn document_path(&self, profile: &Profile) -> PathBuf {
        let name = profile.name.as_str();
        if profile.method == Method::OAuth && !grant::is_shared_with_v1(profile) {
            self.home.native_credential(name)
        } else {
            self.home.credential(name)
        }
    }

    /// The error for a profile without its credential. Version 2 of the npm package moves the whole
    /// folder away when it migrates, and removes or renames a profile's with a profile of its own of that
    /// name (`facts/alchemy-npm.md` §3.3).
    fn missing(&self, profile: &Profile) -> Error {
        let Profile { name, store, .. } = profile;
        let (kind, again) = if profile.method == Method::OAuth {
            (Kind::SignedOut, format!("sign in again: alchemy login -p {name}"))
        } else {
            (Kind::NoCredential, format!("set the profile up again: alchemy configure -p {name}"))
        };
        let missing = format!("the credential of profile '{name}' is missing from the {store} store");
        let path = self.document_path(profile);
        match self.moved_by_npm(&path) {
            Some(moved) if *store == StoreKind::File => {
                let quoted = |path: &Path| shell::word(&path.display().to_string());
                // The document alone: version 2 has made the folder anew, where it keeps something there.
                let folder = quoted(path.parent().unwrap_or(&path));
                let documents = [&moved, &path].map(|path| quoted(path)).join(" ");
                let moved = moved.display();
                Error::of(kind, format!("{missing}: npm alchemy 2 moved it to {moved}"))
                    .hint(format!("bring it back: mkdir -p {folder} && mv {documents}; or {again}"))
            }
            _ if *store == StoreKind::File && self.home.npm_profiles().is_dir() => {
                let why = "npm alchemy 2 removes or renames it with a profile of the same name";
                Error::of(kind, format!("{missing}; {why}")).hint(again)
            }
            _ => Error::of(kind, missing).hint(again),
        }
    }

    /// Where version 2 of the npm package has moved a document of the file store, the newest first.
    fn moved_by_npm(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(self.home.root()).ok()?;
        let mut folders: Vec<PathBuf> = std::fs::read_dir(self.home.root())
            .ok()?
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(".profiles-v0-"))
            .map(|entry| entry.path())
            .collect();
        folders.sort();
        folders.into_iter().rev().map(|folder| folder.join(below)).find(|moved| moved.is_file())
    }

    /// `held`: a lock is that others wait for, so that a pipe is not waited for.
    fn read_file(&self, path: &Path, name: &ProfileName, held: bool) -> Result<Option<Document>> {
        let shown = path.display().to_string();
        let waits = self.access.may_ask && !held;
        let read = |path: &Path| trusted::read(self.home, path, Reading::Secret { waits });
        let parse = |bytes: &Bytes| {
            Document::parse(bytes, &shown).map_err(|error| {
                let hint = format!("set the profile up again: alchemy configure -p {name}");
                if error.next_step().is_some() { error } else { error.hint(hint) }
            })
        };
        atomic::read_settled(path, read, parse)
    }

    /// A credential file beside a profile that npm cannot read is a newer sign-in by npm: it is
    /// moved into the profile's store under the lock, read back there, and then removed (design §5).
    fn take_over(&self, profile: &Profile, held: Option<&ProfileLock>) -> Result<Option<Document>> {
        let name = &profile.name;
        let path = self.home.credential(name.as_str());
        if !path.exists() {
            return Ok(None);
        }
        let taken = if held.is_none() {
            // Before any lock is taken, as a person may have to be asked to unlock it.
            self.ready(name, &profile.store)?;
            Some(self.lock_profile(profile)?)
        } else {
            None
        };
        let Some(locks) = held.or(taken.as_ref()) else { return Ok(None) };
        if taken.is_some() && self.elsewhere(profile)?.is_some() {
            return Ok(None); // It has been moved there.
        }
        // Npm may be refreshing what it has just written.
        let npm = npm_lock::v1(&self.home.locks(), name.as_str());
        let what = format!("profile '{name}'");
        let _npm = NpmLock::acquire(npm, Protocol::V1, locks.ours(), &what, *self.messages)?;
        let Some(document) = self.read_file(&path, name, true)? else { return Ok(None) };
        if document.method() != profile.method {
            self.messages.say(&format!(
                "{} is ignored: it holds no {}, and profile '{name}' is kept in the {} store",
                path.display(),
                profile.method,
                profile.store
            ));
            return Ok(None);
        }
        self.write_item(profile, &document.to_bytes())?;
        // Where it cannot be removed, nothing goes on: the next one would take it for newer than what came of it.
        self.remove_whole(&path, || atomic::remove(&path))?;
        generation::moved(self.home, &[name]);
        self.messages.say(&format!(
            "moved a newer credential of profile '{name}' from {} into the {} store",
            path.display(),
            profile.store
        ));
        Ok(Some(document))
    }

    fn lock(&self, name: &ProfileName) -> Result<Lock> {
        Lock::acquire(&self.home.credential_lock(name), &format!("profile '{name}'"), *self.messages)
    }
}
