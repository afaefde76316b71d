//! The npm package's own locks, taken as it takes them (`facts/alchemy-npm.md` §1.12 and §3.4).
//!
//! Both are folders, made by `mkdir` and kept alive by touching them. Whoever does not touch one for the
//! protocol's time has died, and the next removes it. One that *we* left behind when we were killed is
//! known by the mark in our own lock's note, and goes at once. So that there is no moment at which it is there and
//! unknown, it is made under a name of ours, marked, and then renamed to npm's, where nothing has that; and it goes
//! by being renamed back. Where a file system cannot do that, it is made in its place and marked there.

use std::fs::{self, File, FileTimes, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::owner::AsOwner;
use crate::disk::atomic;
use crate::disk::home::Home;
use crate::disk::lock::{Lock, Mark, Wait};
use crate::error::{Error, Result};
use crate::profile::ProfileName;
use crate::shell;
use crate::signals;
use crate::terminal::Messages;

/// How often to look whether a lock is free.
const POLL: Duration = Duration::from_millis(25);
/// How often a held lock is touched: well within the time after which npm takes it for a dead one's.
const HEARTBEAT: Duration = Duration::from_secs(3);

/// Whose protocol it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Version 1 (proper-lockfile): an empty folder, dead after 10 s.
    V1,
    /// Version 2: a folder with a file `owner`, dead after 30 s.
    V2,
}

impl Protocol {
    fn dead_after(self) -> Duration {
        Duration::from_secs(match self {
            Self::V1 => 10,
            Self::V2 => 30,
        })
    }
}

/// A held lock of npm's; dropping it releases it.
#[derive(Debug)]
pub(crate) struct NpmLock {
    folder: LockFolder,
    heartbeat: Option<(Sender<()>, JoinHandle<()>)>,
}

#[derive(Debug, Clone)]
struct LockFolder {
    path: PathBuf,
    protocol: Protocol,
    /// What version 2 writes into `owner`.
    owner: String,
    /// Our own lock, in whose note the folder is marked.
    ours: Lock,
}

impl NpmLock {
    /// Waits for the lock at `path`. `None` where no folder can be made there: then npm cannot take it
    /// either, and cannot write what it guards.
    ///
    /// Fails when another process holds it for more than 60 s.
    pub(crate) fn acquire(
        path: PathBuf,
        protocol: Protocol,
        ours: &Lock,
        what: &str,
        messages: Messages,
    ) -> Result<Option<Self>> {
        let owner = random_id()?;
        let folder = LockFolder { path, protocol, owner, ours: ours.clone() };
        if let Some(parent) = folder.path.parent()
            && atomic::make_folder(parent).map(drop).is_err()
        {
            return Ok(None);
        }
        let _owner = AsOwner::take().map_err(|error| Error::io("lock", &folder.path, &error))?;
        let mut wait = Wait::new(what, messages);
        loop {
            match folder.make() {
                Ok(()) => break,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    folder.refuse_what_is_none()?;
                    if !folder.remove_if_dead() {
                        wait.pause(POLL, &folder.path)?;
                    }
                }
                Err(error) => {
                    messages.verbose(&format!("npm's lock is left out: {error}"));
                    return Ok(None);
                }
            }
        }
        Ok(Some(Self { heartbeat: None, folder }.kept_alive()))
    }

    fn kept_alive(mut self) -> Self {
        let (stop, stopped) = channel();
        let folder = self.folder.clone();
        let beat = move || {
            while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
                if folder.touch().is_err() {
                    break; // It was taken from us: it is not ours to touch any more.
                }
            }
        };
        // Without a thread it lives for the protocol's time, which is mostly enough.
        if let Ok(thread) = signals::thread("heartbeat", beat) {
            self.heartbeat = Some((stop, thread));
        }
        self
    }
}

impl Drop for NpmLock {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.heartbeat.take() {
            drop(stop);
            // It only ever sleeps or touches; a panic in it has been reported.
            let _ = thread.join();
        }
        // A folder that can't be looked at or removed just now keeps its mark: by it the next of us removes the folder at
        // once, and needn't wait for the protocol's time.
        let is_free = match fs::symlink_metadata(&self.folder.path) {
            Ok(metadata) => !self.folder.is_mark_of(&metadata) || self.folder.remove(metadata.ino()),
            Err(error) => error.kind() == ErrorKind::NotFound,
        };
        if is_free {
            self.folder.unmark();
        }
    }
}

impl LockFolder {
    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Where it is before it is npm's lock, and after. No two of us use it: it is under our own lock.
    fn own_path(&self) -> PathBuf {
        self.path.with_file_name(format!(".{}.ours", self.name()))
    }

    /// Makes the folder, marked as ours at every moment.
    fn make(&self) -> io::Result<()> {
        // A look, as most that must wait find it held.
        if fs::symlink_metadata(&self.path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let own = self.own_path();
        self.clear(&own);
        self.create(&own)?;
        match atomic::rename_exclusively(&own, &self.path) {
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                self.clear(&own);
                self.create(&self.path)
            }
            outcome => {
                if outcome.is_err() {
                    self.clear(&own);
                }
                outcome
            }
        }
    }

    /// Creates the folder at a path, and marks it as ours.
    fn create(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).create(path)?;
        if self.protocol == Protocol::V2 {
            // Without it the folder is still respected until it is 30 s old.
            let owner = OpenOptions::new().create_new(true).write(true).mode(0o600).open(path.join("owner"));
            let _ = owner.and_then(|mut file| file.write_all(self.owner.as_bytes()));
        }
        let metadata = fs::symlink_metadata(path).inspect_err(|_| {
            self.clear(path); // Without a mark it would be in the way of all others for the protocol's time.
        })?;
        self.mark(&metadata, vec![nanoseconds(&metadata)]);
        Ok(())
    }

    /// Removes a folder that is a lock, or was one, with what the protocol puts into it.
    fn clear(&self, path: &Path) -> bool {
        if self.protocol == Protocol::V2 {
            let _ = fs::remove_file(path.join("owner"));
        }
        match fs::remove_dir(path) {
            Ok(()) => true,
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
    }

    fn mark(&self, metadata: &Metadata, times: Vec<i64>) {
        let mark = Mark { name: self.name(), inode: metadata.ino(), times };
        self.ours.change(|note| {
            note.npm.retain(|other| other.name != mark.name);
            note.npm.push(mark);
        });
    }

    fn unmark(&self) {
        let name = self.name();
        self.ours.change(|note| note.npm.retain(|mark| mark.name != name));
    }

    /// Whether the folder is as one of us last left it.
    fn is_mark_of(&self, metadata: &Metadata) -> bool {
        let (name, time) = (self.name(), nanoseconds(metadata));
        self.ours
            .note()
            .npm
            .iter()
            .any(|mark| mark.name == name && mark.inode == metadata.ino() && mark.times.contains(&time))
    }

    /// Npm's locks are folders: whatever else has the name is held by nobody, and never goes by itself.
    ///
    /// Fails when there is something else.
    fn refuse_what_is_none(&self) -> Result<()> {
        let path = &self.path;
        if fs::symlink_metadata(path).map_or(true, |metadata| metadata.is_dir()) {
            return Ok(());
        }
        let word = shell::word(&path.display().to_string());
        Err(Error::new(format!("{} isn't a lock of npm's, which is a folder", path.display()))
            .hint(format!("take it away: rm {word}")))
    }

    /// Sets the folder's time to now.
    ///
    /// Fails when it is gone, or another's by now.
    fn touch(&self) -> io::Result<()> {
        // By a handle: were it taken from us in the middle of this, version 1 would end with an error at
        // once because of a time that it did not set.
        let folder = File::open(&self.path)?;
        let metadata = folder.metadata()?;
        if !self.is_mark_of(&metadata) {
            return Err(ErrorKind::NotFound.into());
        }
        let now = SystemTime::now();
        let next = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        // First the mark, with both times: killed in between, the folder is still known as ours.
        self.mark(&metadata, vec![nanoseconds(&metadata), i64::try_from(next).unwrap_or(i64::MAX)]);
        folder.set_times(FileTimes::new().set_modified(now))?;
        // As the file system keeps it, which may be in coarser steps.
        let metadata = folder.metadata()?;
        self.mark(&metadata, vec![nanoseconds(&metadata)]);
        Ok(())
    }

    /// Removes the folder of someone who has died: at once when it was one of us, who must be dead as
    /// our own lock is ours now; else after the protocol's time. Whether it is worth trying again now.
    fn remove_if_dead(&self) -> bool {
        let Ok(metadata) = fs::symlink_metadata(&self.path) else { return true };
        let age = metadata.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
        let dead = age.is_some_and(|age| age > self.protocol.dead_after());
        (dead || self.is_mark_of(&metadata)) && self.remove(metadata.ino())
    }

    /// Removes the folder with this inode. Whether the lock is free now.
    fn remove(&self, inode: u64) -> bool {
        let Ok(_owner) = AsOwner::take() else { return false };
        // Renamed it is free in one step: killed in the middle of emptying it, it would be nobody's that we know.
        let own = self.own_path();
        match self.clear(&own).then(|| atomic::rename_exclusively(&self.path, &own)) {
            Some(Ok(())) => {
                let is_it = fs::symlink_metadata(&own).is_ok_and(|metadata| metadata.ino() == inode);
                let is_empty = || fs::read_dir(&own).is_ok_and(|mut inside| inside.next().is_none());
                if is_it && (self.clear(&own) || is_empty()) {
                    return true; // An empty one that can't be removed just now is in nobody's way under this name.
                }
                // Somebody has taken the lock just now; or something is in it that the protocol does not know, and
                // that npm would not remove either.
                let _ = atomic::rename_exclusively(&own, &self.path);
                false
            }
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => true,
            _ => self.clear(&self.path),
        }
    }
}

/// A lock of npm's that is there: held by somebody, or left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// The folder.
    pub path: PathBuf,
    /// Whose it is.
    pub protocol: Protocol,
    /// How long nobody has touched it.
    pub age: Duration,
    /// How far its time lies ahead of the clock, where it does: until then nobody takes its holder for dead.
    pub ahead: Duration,
    /// Whoever made it has died: it was not touched for the protocol's time.
    pub dead: bool,
    /// Something is in it that the protocol does not know: npm cannot remove it, and waits for ever.
    pub stuck: bool,
}

/// All locks of npm's that are there, sorted by name. Nothing is changed.
pub(crate) fn all(lock_folder: &Path) -> Vec<Left> {
    let folders = fs::read_dir(lock_folder).into_iter().flatten().flatten();
    let mut found: Vec<Left> = folders
        .filter_map(|entry| {
            let name = entry.file_name();
            let is_v2 = Path::new(&name).extension().is_some_and(|extension| extension == "lock");
            let protocol = match name.to_str()? {
                _ if is_v2 => Protocol::V2,
                name if name.starts_with("cloudflare-") => Protocol::V1,
                _ => return None,
            };
            let metadata = entry.metadata().ok().filter(Metadata::is_dir)?;
            let (now, touched) = (SystemTime::now(), metadata.modified().ok()?);
            let age = now.duration_since(touched).unwrap_or_default();
            let ahead = touched.duration_since(now).unwrap_or_default();
            let known = |name: &str| protocol == Protocol::V2 && name == "owner";
            let mut inside = fs::read_dir(entry.path()).into_iter().flatten().flatten();
            let stuck = inside.any(|entry| !entry.file_name().to_str().is_some_and(known));
            Some(Left { path: entry.path(), protocol, age, ahead, dead: age > protocol.dead_after(), stuck })
        })
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Removes one whose holder has died, as the next who needs it would: by taking it, and giving it back.
///
/// Fails when somebody has taken it meanwhile and does not give it back within 60 s.
pub(crate) fn release(home: &Home, left: &Left, messages: Messages) -> Result<()> {
    let name = left.path.file_name().unwrap_or_default().to_string_lossy();
    let key = match left.protocol {
        Protocol::V1 => name.strip_prefix("cloudflare-"),
        Protocol::V2 => name.strip_prefix("profile-credentials-").and_then(|name| name.strip_suffix(".lock")),
    };
    // Under the lock of ours that guards it: no other process of ours has it then.
    let ours = match key.and_then(|name| ProfileName::parse(name).ok()) {
        Some(name) => home.credential_lock(&name),
        None => vec![home.lock("npm-profiles")],
    };
    let what = format!("npm's lock {name}");
    let ours = Lock::acquire(&ours, &what, messages)?;
    NpmLock::acquire(left.path.clone(), left.protocol, &ours, &what, messages).map(drop)
}

/// The time of the last change in nanoseconds of Unix time.
fn nanoseconds(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// A name for the owner of a lock that nobody else has.
fn random_id() -> Result<String> {
    let number = getrandom::u64().map_err(|error| Error::new(format!("no random numbers: {error}")))?;
    Ok(format!("alchemy-{number:016x}"))
}

/// The name of version 1's lock for a profile's credential.
pub(crate) fn v1(lock_folder: &Path, profile: &str) -> PathBuf {
    // A `ProfileName` has no character that version 1 would encode.
    lock_folder.join(format!("cloudflare-{profile}"))
}

/// The name of version 2's lock by that key.
pub(crate) fn v2(lock_folder: &Path, key: &str) -> PathBuf {
    lock_folder.join(format!("{key}.lock"))
}
