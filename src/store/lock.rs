//! Advisory locks: one of our processes at a time changes a document.
//!
//! `flock` on a file of its own (never on the document: a rename would swap it under the lock). The
//! kernel drops it when its holder dies, so there is no stale lock and nothing to clean up; the files
//! stay, because removing one would let two processes hold "the same" lock.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::atomic;
use crate::error::{Error, Result};
use crate::terminal::Messages;

/// How long to wait for another process before giving up.
const LIMIT: Duration = Duration::from_secs(60);
/// How long to wait in silence.
const SILENT: Duration = Duration::from_secs(1);
/// How often to look; `flock` has no timed form.
const POLL: Duration = Duration::from_millis(10);

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "held for its drop, which unlocks")] File);

impl Lock {
    /// Waits for the lock at `path`, whose folder is made when it is missing. `what` names what it
    /// guards, for the messages.
    ///
    /// # Errors
    /// When the file cannot be made, or another process holds it for more than 60 s.
    pub fn acquire(path: &Path, what: &str, messages: Messages) -> Result<Self> {
        if let Some(folder) = path.parent() {
            atomic::make_folder(folder)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| Error::io("open the lock", path, &error))?;
        let started = Instant::now();
        let mut said = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if started.elapsed() < LIMIT => {
                    if !said && started.elapsed() >= SILENT {
                        messages.say(&format!("waiting for another alchemy to finish with {what}"));
                        said = true;
                    }
                    sleep(POLL);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(format!(
                        "another process has held {what} for {} s: {}",
                        LIMIT.as_secs(),
                        path.display()
                    ))
                    .hint("end that process (a suspended one?) and try again"));
                }
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path, &error)),
            }
        }
    }
}
