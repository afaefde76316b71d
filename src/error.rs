//! What went wrong, why, and the command that mends it.
//!
//! One line, lower case, without a full stop: what failed, on what, why. Then, on a line of its own,
//! a hint: what to do next. No error ever holds a secret.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::shell::quote::word as quoted;

/// What an error means for the exit code (design §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Something failed: 1, or 125 from `exec`.
    Failed,
    /// A grant is over or gone, and only signing in again helps: as [`Kind::Failed`].
    SignedOut,
    /// A store has no credential that can be used, but a damaged one, or none: as [`Kind::Failed`].
    NoCredential,
    /// The command line is wrong: 2, or 125 from `exec`.
    Usage,
    /// The program to run exists and cannot be executed: 126.
    NotExecutable,
    /// The program to run does not exist: 127.
    NotFound,
    /// The reader of our output went away: nothing to say, exit code 0.
    Closed,
}

/// An error for people; see the module's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
    hint: Option<String>,
}

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure that is not about the command line.
    pub fn new(message: impl Into<String>) -> Self {
        Self::of(Kind::Failed, message)
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::of(Kind::Usage, message)
    }

    /// An error of the given kind.
    pub fn of(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// A failed operation of the system on a file: `cannot WHAT PATH: reason`, with a hint.
    pub fn io(what: &str, path: &Path, error: &io::Error) -> Self {
        let new = Self::new(format!("cannot {what} {}: {}", path.display(), reason(error)));
        let word = |path: &Path| quoted(&path.display().to_string());
        let see = "see what is there, and whose it is: ls -ld";
        match (error.kind(), path.parent()) {
            (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => {
                new.hint("make room on the disk and try again; nothing was changed")
            }
            (ErrorKind::ReadOnlyFilesystem, Some(folder)) => new.hint(format!(
                "the file system of {} is mounted read-only: make it writable and try again; nothing was changed",
                folder.display()
            )),
            // A file is made, renamed and removed by whoever may write its folder.
            (ErrorKind::PermissionDenied, Some(folder)) => {
                new.hint(format!("{see} {} {}", word(folder), word(path)))
            }
            _ => new.hint(format!("{see} {}", word(path))),
        }
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds another way on to what to do next.
    pub fn or(self, way: &str) -> Self {
        let hint = self.hint.as_ref().map_or_else(|| way.to_owned(), |hint| format!("{hint}; or {way}"));
        self.hint(hint)
    }

    /// The same told as an error of another kind, in other words: what to do next stays.
    pub fn retold(self, kind: Kind, message: impl Into<String>) -> Self {
        Self { hint: self.hint, ..Self::of(kind, message) }
    }

    /// What the error means for the exit code.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to do next, where there is something to do.
    pub fn next_step(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The system's words for an error, in our style: lower case, without `(os error 2)`.
pub fn reason(error: &io::Error) -> String {
    let text = match error.raw_os_error() {
        Some(code) => nix::errno::Errno::from_raw(code).desc().to_owned(),
        None => error.to_string(),
    };
    lower_first(&text)
}

/// The text with its first letter in lower case, unless it starts with an abbreviation.
pub fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
