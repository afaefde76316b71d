//! A profile's credential under its locks: read again, replaced, never lost.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::credential::Document;
use super::place::same;
use super::{Store, npm, rescue};
use crate::disk::atomic::{self, Prepared};
use crate::disk::generation;
use crate::disk::lock::Lock;
use crate::disk::npm_lock::{self, NpmLock, Protocol};
use crate::disk::trusted::{self, Reading};
use crate::error::{Error, Kind, Result};
use crate::profile::{Method, Profile, ProfileName, StoreKind};

/// The locks of a profile's credential: ours, and inside it npm's for the document. They are given back
/// in this order.
pub(super) struct ProfileLock {
    npm: Option<NpmLock>,
    ours: Lock,
}

impl ProfileLock {
    /// What the holders of our lock tell each other.
    pub(super) fn ours(&self) -> &Lock {
        &self.ours
    }
}

/// A profile's credential, held so that nobody else can change it.
pub(crate) struct Held<'s, 'a> {
    store: &'s Store<'a>,
    profile: Profile,
    locks: ProfileLock,
}

/// The credential as it is now.
pub(crate) struct Current {
    /// The credential.
    pub document: Document,
    /// The digest of the secret that the store has; another one's when this is from the rescue file.
    replaces: String,
}

impl Current {
    /// What of its secret may be written down.
    pub(crate) fn digest(&self) -> String {
        self.document.digest()
    }
}

/// Room for the next credential, taken before the present one is spent; else why the store gave none, where it keeps
/// files at all.
pub(crate) struct Room(Result<Prepared, Option<Error>>);

impl Room {
    fn taken(self) -> Result<Prepared> {
        self.0.map_err(|why| why.unwrap_or_else(|| Error::new("the store keeps no file")))
    }
}

/// How much longer than the present document the next may be, in bytes.
const SLACK: usize = 4096;

impl<'a> Store<'a> {
    /// Takes our lock of a profile's credential, waiting for whoever has it. It may have been moved to another
    /// store meanwhile: it is held where it is by then.
    ///
    /// Fails when somebody does not give it back within 60 s, or `config.json` cannot be read.
    pub(crate) fn hold<'s>(&'s self, profile: &Profile) -> Result<Held<'s, 'a>> {
        let locks = self.lock_ours(&profile.name)?;
        let profile = self.elsewhere(profile)?.unwrap_or_else(|| profile.clone());
        Ok(Held { store: self, profile, locks })
    }

    /// Keeps a new grant of a profile of version 2's, in the document that it has there.
    ///
    /// Fails when the document is gone, or cannot be written.
    pub(super) fn put_into_npms(&self, profile: &Profile, grant: &Document) -> Result<()> {
        let held = Held { store: self, profile: profile.clone(), locks: self.lock_profile(profile)? };
        held.put(held.room()?, grant, None)?;
        rescue::remove(self.home, &profile.name, self.messages);
        generation::moved(self.home, &[&profile.name]);
        Ok(())
    }

    /// Whether what was read may be over without saying so, or is nothing whole, and a newer one may wait in a
    /// rescue file. Whether a grant is over, its expiry tells.
    pub(crate) fn may_be_rescued(&self, name: &ProfileName, read: &Result<Document>) -> bool {
        let is_doubtful = match read {
            Ok(document) => document.method() == Method::ApiToken,
            Err(error) => has_none(error),
        };
        is_doubtful && self.home.may_have_rescued(name)
    }

    /// Has a profile's store unlocked, also one that has nothing whole: before any lock, as a person may have to be
    /// asked.
    pub(super) fn unlocked(&self, profile: &Profile) -> Result<()> {
        match self.stored(profile, None) {
            Err(error) if !has_none(&error) => Err(error),
            _ => Ok(()),
        }
    }

    /// The successor that a killed process may have left beside a profile's credential.
    pub(super) fn left_successor(&self, profile: &Profile) -> Option<PathBuf> {
        self.file(profile).map(|path| atomic::left_successor(&path)).filter(|left| left.exists())
    }

    /// Has what is beside a profile's store brought home, as whoever reads it does; under these locks, which are
    /// given back.
    pub(super) fn bring_home_locked(&self, profile: &Profile, locks: ProfileLock) -> Result<ProfileLock> {
        let held = Held { store: self, profile: profile.clone(), locks };
        if self.home.may_have_rescued(&profile.name) || self.left_successor(profile).is_some() {
            held.read()?;
        } else {
            self.stored(profile, Some(&held.locks))?;
        }
        Ok(held.locks)
    }

    /// Takes our lock alone.
    pub(super) fn lock_ours(&self, name: &ProfileName) -> Result<ProfileLock> {
        Ok(ProfileLock { npm: None, ours: self.lock(name)? })
    }

    /// Takes the locks under which a profile's credential may be changed.
    pub(super) fn lock_profile(&self, profile: &Profile) -> Result<ProfileLock> {
        let mut locks = self.lock_ours(&profile.name)?;
        self.add_npms(&mut locks, profile)?;
        Ok(locks)
    }

    /// Adds npm's lock for the document, where it shares it.
    fn add_npms(&self, locks: &mut ProfileLock, profile: &Profile) -> Result<()> {
        let folder = self.home.locks();
        let npms = match &profile.store {
            StoreKind::File if is_shared_with_v1(profile) => {
                Some((npm_lock::v1(&folder, profile.name.as_str()), Protocol::V1))
            }
            StoreKind::Npm => {
                Some((npm_lock::v2(&folder, &format!("profile-credentials-{}", profile.name)), Protocol::V2))
            }
            StoreKind::File | StoreKind::Keyring | StoreKind::Encrypted(_) | StoreKind::Command(_) => None,
        };
        if let Some((path, protocol)) = npms {
            let what = format!("profile '{}'", profile.name);
            locks.npm = NpmLock::acquire(path, protocol, &locks.ours, &what, *self.messages)?;
        }
        Ok(())
    }

    /// Version 2's lock for every change of its documents. It is of all profiles, so that whoever finds it
    /// left behind need not hold the lock of this one: it has one of ours to itself.
    pub(super) fn lock_npms_profiles(&self) -> Result<Option<NpmLock>> {
        let (home, messages, what) = (self.home, *self.messages, "npm's profiles");
        let ours = Lock::acquire(&[home.lock("npm-profiles")], what, messages)?;
        NpmLock::acquire(npm_lock::v2(&home.locks(), "profiles"), Protocol::V2, &ours, what, messages)
    }

    /// Takes Cloudflare out of a profile of version 2's, under its locks. As it does itself, with the secret that
    /// came of the credential, and that the next deployment gets again.
    pub(super) fn remove_from_npm(&self, name: &ProfileName) -> Result<()> {
        for path in [self.home.npm_state_store(name), self.home.npm_document(name)] {
            self.remove_whole(&path, || atomic::remove(&path))?;
        }
        Ok(())
    }
}

/// Whether version 1 of the npm package refreshes this profile's grant, too.
pub(super) fn is_shared_with_v1(profile: &Profile) -> bool {
    profile.method == Method::OAuth && profile.sign_in.as_ref().is_none_or(|sign_in| sign_in.client.is_v1())
}

impl Held<'_, '_> {
    /// The profile, as it is under the lock.
    pub(crate) fn profile(&self) -> &Profile {
        &self.profile
    }

    /// What the holders of our lock tell each other.
    pub(crate) fn lock(&self) -> &Lock {
        self.locks.ours()
    }

    /// Takes npm's lock, too, where it shares the document. Whoever finds by [`Held::peek`] that
    /// another of ours has done the work needs none of it.
    ///
    /// Fails when somebody does not give it back within 60 s.
    pub(crate) fn share_with_npm(&mut self) -> Result<()> {
        self.store.add_npms(&mut self.locks, &self.profile)
    }

    /// Takes npm's lock also for what the profile is about to be.
    ///
    /// Fails when somebody does not give it back within 60 s.
    pub(super) fn share_as(&mut self, target: &Profile) -> Result<()> {
        if self.locks.npm.is_none() { self.store.add_npms(&mut self.locks, target) } else { Ok(()) }
    }

    /// The credential that the store has.
    pub(crate) fn peek(&self) -> Result<Document> {
        self.store.read_locked(&self.profile, &self.locks)
    }

    /// The credential: from the rescue file when that has a newer one (which is brought home), else from the
    /// store.
    pub(crate) fn read(&self) -> Result<Current> {
        let name = &self.profile.name;
        let stored = match self.peek() {
            Err(error) if !has_none(&error) => return Err(error),
            stored => stored,
        };
        let waiting = rescue::read(self.store.home, name, |shown, bytes| match &self.profile.store {
            StoreKind::Encrypted(encryption) => self.store.decrypt_rescued(name, encryption, shown, &bytes),
            _ => Ok(bytes),
        })?;
        let is_any = !waiting.credentials.is_empty();
        // Where a write has left nothing whole behind, nothing in the store can be newer.
        let newer = waiting.credentials.into_iter().filter(|rescued| {
            rescued.document.method() == self.profile.method
                && stored.as_ref().map_or(true, |stored| rescued.replaces == stored.digest())
        });
        let Some(rescued) = newer.max_by_key(rescue::Rescued::age) else {
            let document = stored?;
            let current = Current { replaces: document.digest(), document };
            if let Some(adopted) = self.adopt_successor(&current)? {
                rescue::remove(self.store.home, name, self.store.messages);
                return Ok(adopted);
            }
            if is_any || waiting.is_announced && self.unsettled(&current).is_none() {
                // Somebody has signed in since, or given it another token.
                rescue::remove(self.store.home, name, self.store.messages);
            }
            return Ok(current);
        };
        let current = Current { document: rescued.document, replaces: rescued.replaces };
        if let Some(adopted) = self.adopt_successor(&current)? {
            rescue::remove(self.store.home, name, self.store.messages);
            return Ok(adopted);
        }
        let home = self.room().and_then(|room| self.put(room, &current.document, Some(&current.replaces)));
        if home.is_ok() {
            rescue::remove(self.store.home, name, self.store.messages);
            generation::moved(self.store.home, &[name]);
            let digest = current.digest();
            self.store.messages.say(&format!(
                "the {} of profile '{name}' that waited in {} is in its store again",
                called(&current.document),
                rescued.path.display()
            ));
            return Ok(Current { replaces: digest, ..current });
        }
        Ok(current)
    }

    /// Brings home the successor that a process of ours had written whole, and was killed before it was in its
    /// place. It is that only where the note says that this very secret was sent to be replaced: room for the
    /// successor is made anew for each, before.
    fn adopt_successor(&self, current: &Current) -> Result<Option<Current>> {
        let Profile { name, .. } = &self.profile;
        let is_sent = self.lock().note().sent.is_some_and(|sent| sent.token == current.digest());
        let Some(path) = self.store.file(&self.profile).filter(|_| is_sent) else { return Ok(None) };
        let left = atomic::left_successor(&path);
        let Some(document) = self.read_successor(&left)? else { return Ok(None) };
        if document.method() != self.profile.method || document.digest() == current.digest() {
            return Ok(None);
        }
        let is_npms = self.profile.store == StoreKind::Npm;
        let _profiles = if is_npms { self.store.lock_npms_profiles()? } else { None };
        atomic::adopt_successor(&path)?.say(self.store.messages);
        self.lock().change(|note| (note.sent, note.failed) = (None, None));
        generation::moved(self.store.home, &[name]);
        self.store.messages.say(&format!(
            "the new {} of profile '{name}', which a killed process had left in {}, is in its store now",
            called(&document),
            left.display()
        ));
        Ok(Some(Current { replaces: document.digest(), document }))
    }

    /// The successor in a file beside the store's; `None` where there is none, or none that is whole.
    fn read_successor(&self, left: &Path) -> Result<Option<Document>> {
        let Profile { name, store, .. } = &self.profile;
        let bytes = trusted::read(self.store.home, left, Reading::Rescue)?;
        let Some(bytes) = bytes.filter(|bytes| !bytes.iter().all(u8::is_ascii_whitespace)) else {
            return Ok(None);
        };
        let shown = left.display().to_string();
        match store {
            StoreKind::Npm => Ok(npm::parse(&bytes, name, &shown).ok().map(|(_, document)| document)),
            StoreKind::Encrypted(encryption) => {
                match self.store.decrypt_rescued(name, encryption, &shown, &bytes) {
                    Ok(bytes) => Ok(Document::parse(&bytes, &shown).ok()),
                    // It was not written to its end.
                    Err(error) if has_none(&error) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            _ => Ok(Document::parse(&bytes, &shown).ok()),
        }
    }

    /// Says, where a rotation of this very token ended before its new value was kept, that it may be dead.
    pub(crate) fn say_unsettled(&self, current: &Current) {
        let Some(at) = self.unsettled(current) else { return };
        let name = &self.profile.name;
        self.store.messages.loss(&format!(
            "a rotation of profile '{name}' at {} ended before its new value was kept: where Cloudflare refuses the \
             token, roll it by another profile (alchemy rotate {name} --with PROFILE) or give a new one (alchemy \
             configure -p {name})",
            at.strftime("%Y-%m-%d %H:%M:%SZ")
        ));
    }

    /// When this very API token was sent to be rolled, where nobody knows what has become of it.
    fn unsettled(&self, current: &Current) -> Option<Timestamp> {
        let is_token = current.document.method() == Method::ApiToken;
        let sent = self.lock().note().sent.filter(|sent| is_token && sent.token == current.digest());
        sent.map(|sent| sent.at)
    }

    /// Tells those who read the token meanwhile that it is about to be rolled: they wait for what comes of it.
    pub(crate) fn announce(&self, current: &Current) {
        rescue::announce(self.store.home, &self.profile.name, &current.digest(), *self.store.messages);
    }

    /// Takes back what was announced, as nothing has come of it.
    pub(crate) fn retract(&self) {
        rescue::remove(self.store.home, &self.profile.name, self.store.messages);
    }

    /// Takes room for the next one, so that a full disk shows before the present one is spent.
    ///
    /// Fails when neither the store nor a rescue file could take it.
    pub(crate) fn reserve(&self, current: &Current) -> Result<Room> {
        if let StoreKind::Encrypted(encryption) = &self.profile.store {
            // A rescue file is encrypted, too.
            self.store.ready_to_encrypt(&self.profile.name, encryption)?;
        }
        self.room().or_else(|error| {
            self.store.messages.verbose(&format!("{error}; trying the rescue file"));
            let blank = vec![b' '; current.document.to_bytes().len() + SLACK];
            let mut places = self.store.home.rescues(&self.profile.name).into_iter();
            if places.any(|path| atomic::prepare(&path, &blank).is_ok()) {
                Ok(Room(Err(Some(error))))
            } else {
                Err(error)
            }
        })
    }

    fn room(&self) -> Result<Room> {
        let Some(path) = self.store.file(&self.profile) else { return Ok(Room(Err(None))) };
        if self.profile.store == StoreKind::Npm {
            // One that a killed process left is waited for now, and not with the next pair in our hands.
            drop(self.store.lock_npms_profiles()?);
        }
        // Longer is no document of ours, and will be refused when it is read.
        let length = std::fs::metadata(&path).map_or(0, |metadata| metadata.len().min(atomic::LIMIT));
        let blank = vec![b' '; usize::try_from(length).unwrap_or_default() + SLACK];
        Ok(Room(Ok(atomic::reserve(&path, &blank)?)))
    }

    /// Makes the next one durable: in the store, else in a rescue file, which is said. What was noted of the
    /// present one's being sent is settled by it.
    ///
    /// Fails when neither takes it; the reason of the store.
    pub(crate) fn write(&self, room: Room, current: &Current, next: &Document) -> Result<()> {
        let name = &self.profile.name;
        let is_settled = || self.lock().change(|note| note.sent = None);
        let Err(error) = self.put(room, next, Some(&current.replaces)) else {
            is_settled();
            rescue::remove(self.store.home, name, self.store.messages);
            generation::moved(self.store.home, &[name]);
            return Ok(());
        };
        let seal = |bytes: atomic::Bytes| match &self.profile.store {
            StoreKind::Encrypted(encryption) => {
                self.store.encrypt(name, encryption, &bytes).map(Zeroizing::new)
            }
            _ => Ok(bytes),
        };
        let rescued =
            rescue::write(self.store.home, name, next, &current.replaces, *self.store.messages, seal);
        // What could not be put into its place lies whole beside it all the same, where the next of us finds it.
        let left = self.store.file(&self.profile).map(|path| atomic::left_successor(&path));
        let is_left =
            |left: &PathBuf| self.read_successor(left).ok().flatten().is_some_and(|left| same(&left, next));
        let path = match (rescued, left) {
            (Ok(path), _) => {
                is_settled();
                if let Some(document) = self.store.file(&self.profile) {
                    atomic::remove_successor(&document);
                }
                path
            }
            (Err(_), Some(left)) if is_left(&left) => left,
            (Err(_), _) => {
                self.lock().change(|note| note.sent.iter_mut().for_each(|sent| sent.unkept = true));
                return Err(error);
            }
        };
        generation::moved(self.store.home, &[name]);
        self.store.messages.loss(&format!(
            "the new {} of profile '{name}' could not be kept in the {} store ({error}); it is in {} \
             until that works again",
            called(next),
            self.profile.store,
            path.display()
        ));
        Ok(())
    }

    /// Forgets the grant. What is known of the profile stays, so that it can sign in again.
    ///
    /// Fails when the store refuses; then the grant is still there.
    pub(crate) fn forget(&self) -> Result<()> {
        let name = &self.profile.name;
        match self.profile.store {
            StoreKind::File => self.store.remove_documents(name)?,
            StoreKind::Keyring | StoreKind::Encrypted(_) | StoreKind::Command(_) => {
                self.store.delete_item(&self.profile)?;
                self.store.remove_documents(name)?;
            }
            StoreKind::Npm => {
                let _profiles = self.store.lock_npms_profiles()?;
                self.store.remove_from_npm(name)?;
                rescue::remove(self.store.home, name, self.store.messages);
            }
        }
        generation::moved(self.store.home, &[name]);
        Ok(())
    }

    /// Keeps a credential; one that follows another only in that one's place.
    fn put(&self, room: Room, document: &Document, replaces: Option<&str>) -> Result<()> {
        let Profile { name, store, .. } = &self.profile;
        match store {
            StoreKind::Keyring | StoreKind::Command(_) => {
                return self.store.write_item(&self.profile, &document.to_bytes());
            }
            StoreKind::Encrypted(encryption) => {
                let write = |sealed: &[u8]| room.taken()?.refill(sealed)?.commit();
                return self.store.write_encrypted(name, encryption, &document.to_bytes(), write);
            }
            StoreKind::File | StoreKind::Npm => {}
        }
        let is_npms = *store == StoreKind::Npm;
        let written =
            || if is_npms { npm::with(self.store.home, name, document) } else { Ok(document.to_bytes()) };
        // First of all: killed while it waits for npm, it is found.
        let first = written()?;
        let room = room.taken()?.refill(&first)?;
        let _profiles = if is_npms { self.store.lock_npms_profiles()? } else { None };
        if replaces.is_some_and(|replaces| self.is_superseded(replaces)) {
            self.store
                .messages
                .verbose(&format!("'{name}' has got another credential meanwhile, which is kept"));
            room.discard();
            return Ok(());
        }
        // What else is in npm's document may have changed until then.
        let now = written()?;
        let room = if now == first { room } else { room.refill(&now)? };
        room.commit()?.say(self.store.messages);
        Ok(())
    }

    /// Whether the store has something else by now than the credential with this digest: npm takes none of the
    /// locks when it signs in.
    fn is_superseded(&self, replaces: &str) -> bool {
        match self.store.stored(&self.profile, Some(&self.locks)) {
            Ok(Some(stored)) => stored.method() != self.profile.method || stored.digest() != replaces,
            Ok(None) | Err(_) => false,
        }
    }
}

/// Whether an error of the store says that nothing whole is in it, and not that it cannot be read now.
pub(super) fn has_none(error: &Error) -> bool {
    matches!(error.kind(), Kind::NoCredential | Kind::SignedOut)
}

/// What people call such a credential.
fn called(document: &Document) -> &'static str {
    match document {
        Document::OAuth(_) => "session",
        Document::ApiToken { .. } => "token",
        Document::ApiKey { .. } => "key",
    }
}
