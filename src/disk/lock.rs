//! Advisory locks: one of our processes at a time changes a document.
//!
//! `flock` on a file of its own (never on the document: a rename would swap it under the lock). The
//! kernel drops it when its holder dies, so there is no stale lock and nothing to clean up; the files
//! stay, because removing one would let two processes hold "the same" lock. What a holder has to tell
//! the next one, alive or dead, is in the file: its [`Note`].

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::disk::atomic;
use crate::disk::trusted::open_own;
use crate::error::{Error, Result};
use crate::terminal::Messages;

/// How long to wait for another process before giving up: longer than a refresh can take.
const LIMIT: Duration = Duration::from_secs(60);
/// How long to wait in silence.
const SILENT: Duration = Duration::from_secs(1);
/// How often to look; `flock` has no timed form.
const POLL: Duration = Duration::from_millis(10);

/// What a holder tells the next. Holds no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Note {
    /// A refresh token was sent, and no answer to it has been kept (yet).
    pub sent: Option<Sent>,
    /// The last refresh failed.
    pub failed: Option<FailedRefresh>,
    /// The stores between which a credential was to move: the one that isn't its own may still have a copy.
    pub left_in: Vec<LeftCopy>,
    /// The digest of what `config.json` said of the profile when its documents were set aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
    /// Folders of ours among npm's locks, as we last left them.
    pub npm: Vec<Mark>,
}

/// A store, as it is written down where there is no entry: in a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeftCopy {
    /// The store's name.
    pub store: String,
    /// Its commands, where it has some.
    pub commands: Option<Value>,
}

/// A refresh token that may have been spent for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sent {
    /// Its digest.
    pub token: String,
    /// When it was sent.
    pub at: Timestamp,
    /// Its sender has waited for the answer in vain; else it is still waiting, or was killed.
    pub unanswered: bool,
    /// Its answer came, and could be kept nowhere.
    #[serde(default)]
    pub unkept: bool,
    /// The id of an API token that was rolled: by it another profile can roll it once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A refresh that failed, for a reason that meets everyone alike who asked before it had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FailedRefresh {
    /// When it had failed.
    pub at: Timestamp,
    /// The grant is over; else it is something that may pass, such as the network.
    pub over: bool,
    /// Why, for people.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// How a folder that is a lock of npm's was when we last touched it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// Its name.
    pub name: String,
    /// Its inode.
    pub inode: u64,
    /// Its times in nanoseconds of Unix time: the one that it has, and the one that it is about to get.
    pub times: Vec<i64>,
}

/// A held lock; dropping the last copy of it releases it.
#[derive(Debug, Clone)]
pub(crate) struct Lock(Arc<Held>);

#[derive(Debug)]
struct Held {
    file: File,
    note: Mutex<Note>,
}

impl Lock {
    /// Waits for the lock at the first of these paths that can be opened; its folder is made when it is
    /// missing. `what` names what it guards, for the messages.
    ///
    /// Fails when no file can be made, or another process holds it for more than 60 s.
    pub(crate) fn acquire(paths: &[PathBuf], what: &str, messages: Messages) -> Result<Self> {
        let (path, file) = open_first(paths)?;
        let mut wait = Wait::new(what, messages);
        loop {
            match file.try_lock() {
                Ok(()) => {
                    let note = read(&file).unwrap_or_default();
                    return Ok(Self(Arc::new(Held { file, note: Mutex::new(note) })));
                }
                Err(TryLockError::WouldBlock) => wait.pause(POLL, path)?,
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path, &error)),
            }
        }
    }

    /// What the file says.
    pub(crate) fn note(&self) -> Note {
        self.lock().clone()
    }

    /// Changes what the file says. It is a help for the next holder, so that it cannot be written (the
    /// disk is full) is no failure.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Note)) {
        let mut note = self.lock();
        let before = note.clone();
        change(&mut note);
        if *note != before
            && let Ok(bytes) = serde_json::to_vec(&*note)
            && self.0.file.write_all_at(&bytes, 0).is_ok()
        {
            let _ = self.0.file.set_len(bytes.len() as u64);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Note> {
        self.0.note.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open_first(paths: &[PathBuf]) -> Result<(&Path, File)> {
    // The first is the usual place: its error is the one to tell.
    let mut failed = None;
    for path in paths {
        match open(path) {
            Ok(file) => return Ok((path, file)),
            Err(error) => drop(failed.get_or_insert(error)),
        }
    }
    Err(failed.unwrap_or_else(|| Error::new("there is no place for a lock")))
}

/// Opens the file to lock: to write where that is allowed, else to read, which is enough for a lock on
/// a home that cannot be written.
fn open(path: &Path) -> Result<File> {
    let made = path.parent().map_or(Ok(()), |folder| atomic::make_folder(folder).map(drop));
    let write = open_own(path, OpenOptions::new().create(true).truncate(false).read(true).write(true));
    let failed = |error: &std::io::Error| Error::io("open the lock", path, error);
    match (made, write) {
        (_, Ok(file)) => Ok(file),
        (made, Err(error)) => match open_own(path, OpenOptions::new().read(true)) {
            Ok(file) => Ok(file),
            Err(_) if error.kind() == ErrorKind::NotFound => {
                Err(made.err().unwrap_or_else(|| failed(&error)))
            }
            Err(_) => Err(failed(&error)),
        },
    }
}

/// What the last holder wrote. One that was killed as it wrote may have left the end of an older text
/// behind its own.
fn read(file: &File) -> Option<Note> {
    let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
    let mut bytes = vec![0; length.min(64 * 1024)];
    file.read_exact_at(&mut bytes, 0).ok()?;
    serde_json::Deserializer::from_slice(&bytes).into_iter().next()?.ok()
}

/// What the last holder of the lock at `path` wrote, held or not. Nothing is changed.
pub(crate) fn peek(path: &Path) -> Option<Note> {
    read(&open_own(path, OpenOptions::new().read(true)).ok()?)
}

/// Who holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Nobody.
    Nobody,
    /// The process of this ID.
    Process(i32),
    /// A process that the system does not tell.
    Unknown,
}

/// Finds who holds the lock at `path`. Fails when the file cannot be opened or tried.
pub(crate) fn holder(path: &Path) -> io::Result<Holder> {
    let file = open_own(path, OpenOptions::new().read(true))?;
    // Shared, and for a moment: who comes just now tries again in 10 ms.
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| Holder::Nobody),
        Err(TryLockError::WouldBlock) => {
            let metadata = file.metadata()?;
            let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
            Ok(holder_in(&locks, metadata.ino()).map_or(Holder::Unknown, Holder::Process))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The process that has a `flock` of this inode in `/proc/locks` (proc(5)); 0 is one of another namespace.
/// The device there is not always that of `stat` (overlayfs, btrfs).
fn holder_in(locks: &str, inode: u64) -> Option<i32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, pid, file) = (words.next()?, words.nth(2)?, words.next()?);
        let of_file = file.rsplit_once(':').is_some_and(|(_, number)| number.parse() == Ok(inode));
        (kind == "FLOCK" && of_file).then(|| pid.parse().ok())?.filter(|pid| *pid > 0)
    })
}

/// A wait for another process: silent for a second, then said, and at an end after 60 s.
pub(super) struct Wait<'a> {
    what: &'a str,
    messages: Messages,
    started: Instant,
    said: bool,
}

impl<'a> Wait<'a> {
    pub(super) fn new(what: &'a str, messages: Messages) -> Self {
        Self { what, messages, started: Instant::now(), said: false }
    }

    /// Waits a little; `path` is what is waited for.
    ///
    /// Fails when the time is over.
    pub(super) fn pause(&mut self, pause: Duration, path: &Path) -> Result<()> {
        let waited = self.started.elapsed();
        if waited >= LIMIT {
            let error = format!(
                "another process has held {} for {} s: {}",
                self.what,
                LIMIT.as_secs(),
                path.display()
            );
            return Err(Error::new(error).hint("end that process (a suspended one?) and try again"));
        }
        if !self.said && waited >= SILENT {
            self.messages.say(&format!("waiting for another alchemy to finish with {}", self.what));
            self.said = true;
        }
        sleep(pause);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_of_a_lock_is_found_by_its_inode() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 08:01:55 0 EOF\n2: FLOCK  ADVISORY  WRITE 42 08:01:55 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 43 08:01:55 0 EOF\n3: FLOCK  ADVISORY  WRITE 0 00:2f:56 0 EOF\n";
        assert_eq!(holder_in(locks, 55), Some(42));
        assert_eq!(holder_in(locks, 56), None);
        assert_eq!(holder_in("", 55), None);
    }
}
