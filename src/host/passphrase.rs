//! A passphrase that is given in advance: by a file descriptor, or by a command that prints it. Never by a plain
//! variable, which every program that is started would have as well.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::mem::ManuallyDrop;
use std::os::fd::{BorrowedFd, FromRawFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use zeroize::Zeroizing;

use super::Host;
use crate::disk::trusted;
use crate::error::{Error, Result, reason};
use crate::launch::{self, Piped};
use crate::secret::Secret;
use crate::store::access::Person;

const FD: &str = "ALCHEMY_PASSPHRASE_FD";
const COMMAND: &str = "ALCHEMY_PASSPHRASE_COMMAND";
const PLAIN: &str = "ALCHEMY_PASSPHRASE";
/// All of them, for what is run in between.
pub(super) const VARIABLES: [&str; 3] = [FD, COMMAND, PLAIN];
/// Longer is no passphrase.
const LONGEST: usize = 4096;

/// What the environment says of it.
pub(super) struct Given {
    /// The file of that number, or why there is none.
    file: Option<Result<ManuallyDrop<File>, String>>,
}

impl Given {
    /// Takes the file of the number that the environment names: it is ours from now on, and what we start does not
    /// get it.
    ///
    /// # Safety
    /// Nothing in this process owns a file above the standard streams yet: it would have two owners.
    pub(super) unsafe fn taken(variables: &[(OsString, OsString)]) -> Self {
        let value = variables.iter().find(|(name, value)| name == FD && !value.is_empty());
        // SAFETY: as the caller says.
        Self { file: value.map(|(_, value)| unsafe { inherited(value) }) }
    }

    /// The passphrase, and the name of the variable that gave it.
    pub(super) fn get(&self, host: &Host, may_ask: bool) -> Result<Option<(Secret, &'static str)>> {
        if host.variable(PLAIN).is_some() {
            host.messages
                .say(&format!("{PLAIN} is ignored, as every program would have it; use {COMMAND} or {FD}"));
        }
        if let Some(file) = &self.file {
            let text = file.as_ref().map_err(Clone::clone);
            let text = text.and_then(|file| read(file).map_err(|error| reason(&error)));
            let text = text.map_err(|why| {
                Error::new(format!("cannot read the passphrase by {FD}: {why}"))
                    .hint(format!("give the number of an open file: {FD}=3 alchemy … 3<FILE"))
            })?;
            return first_line(&text, FD);
        }
        let Some(command) = host.text(COMMAND) else { return Ok(None) };
        let failed = |why: &str| {
            Error::new(format!("the command by {COMMAND} gives no passphrase: {why}"))
                .hint("try it by itself: its first line is the passphrase")
        };
        trusted::may_run(&host.home, &format!("the command by {COMMAND}"))?;
        match launch::piped(command, host.environment(), &[], may_ask) {
            Ok(Piped::Ended(status, output)) if status.success() => first_line(&output, COMMAND),
            Ok(Piped::Ended(status, _)) => Err(failed(&status.to_string())),
            Ok(Piped::TimedOut(limit)) => Err(failed(&format!("no end in {} s", limit.as_secs()))),
            Ok(Piped::TooLong) => Err(failed("its output is too long")),
            Err(error) => Err(failed(&reason(&error))),
        }
    }
}

/// The file of that number, which what we start does not get. It is never closed: a standard stream is not ours to
/// close, and any other goes when we do.
///
/// # Safety
/// See [`Given::taken`].
unsafe fn inherited(value: &OsStr) -> Result<ManuallyDrop<File>, String> {
    let number = value.to_str().and_then(|text| text.parse::<RawFd>().ok()).filter(|number| *number >= 0);
    let number = number.ok_or_else(|| format!("'{}' is no number", value.to_string_lossy()))?;
    // SAFETY: where it is no open file, all that comes of the number is the error of the next call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = if number > 2 { FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC) } else { FcntlArg::F_GETFD };
    fcntl(borrowed, flags).map_err(|errno| reason(&errno.into()))?;
    // SAFETY: it is open, has no other owner (as the caller says), and is never closed.
    Ok(ManuallyDrop::new(unsafe { File::from_raw_fd(number) }))
}

/// What is to be read, to its end or to the end of its first line.
fn read(mut file: &File) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0]);
    while text.len() < LONGEST {
        // A byte at a time: what follows the line is another's to read.
        match file.read(&mut *byte) {
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            Ok(_) => text.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(text)
}

fn first_line(bytes: &[u8], by: &'static str) -> Result<Option<(Secret, &'static str)>> {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match str::from_utf8(line) {
        Ok(line) if !line.is_empty() && line.len() < LONGEST => Ok(Some((Secret::from(line.to_owned()), by))),
        _ => Err(Error::new(format!("the passphrase by {by} is empty, too long, or no text"))
            .hint("its first line is the passphrase")),
    }
}
