//! What directories say: bindings, pin files, and which of those are trusted (design §4); and what in one
//! outranks the credential that a command is given.
//!
//! The nearest directory upward wins, and in one directory the binding goes before the pin file. A pin
//! file selects a profile only when it is allowed; the account that it names guards always. A linked git
//! worktree is covered by the bindings of its main one, as though it stood there.

pub(crate) mod bindings;
pub mod dotenv;
pub(crate) mod file;
pub(crate) mod mark;
pub(crate) mod npm_bin;
pub(crate) mod project_file;
mod records;
pub(crate) mod trust;
mod walk;
mod worktree;
pub mod wrangler;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::disk::home::Home;
use crate::error::{Error, Result};
use crate::profile::{AccountId, ProfileName};
use project_file::ProjectFile;
use trust::Trust;
pub use walk::{Finding, Says, walk};

/// What the directories from one upward say.
#[derive(Debug, Default)]
pub struct Here {
    /// The nearest binding or allowed pin file: what selects.
    pub choice: Option<DirectoryProfile>,
    /// The nearest pin file that asks for a profile and is not allowed, where it is nearer than `choice`.
    pub asks: Option<Ask>,
    /// The nearest pin file with an account: it guards, allowed or not.
    pub guard: Option<RequiredAccount>,
    /// The nearest pin file.
    pub nearest: Option<PathBuf>,
    /// The pin file to be watched: the one that selects or asks, else the nearest.
    pub pin: Option<ProjectFile>,
    /// What is wrong with a pin file that had to be looked at: nobody knows what it guards, so nothing may
    /// be let out. See [`Here::sound`].
    pub broken: Option<Error>,
    /// What a person should be told: files that are ignored.
    pub notes: Vec<String>,
}

/// A profile that a directory selects. It need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryProfile {
    /// Its name.
    pub name: ProfileName,
    /// What selects it.
    pub how: How,
    /// The directory.
    pub at: PathBuf,
}

impl DirectoryProfile {
    /// Whether its directory is above another one, which is nearer to what is below both.
    pub fn is_above(&self, at: &Path) -> bool {
        at != self.at && at.starts_with(&self.at)
    }
}

/// What in a directory selects a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// A binding.
    Bound,
    /// A pin file that is allowed.
    Pinned,
    /// An `.envrc` that names it, which direnv has loaded.
    Envrc,
}

/// A profile that a pin file asks for without being allowed to select it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Its name.
    pub name: ProfileName,
    /// The pin file.
    pub pin: PathBuf,
    /// The person has denied it, and need not be asked again.
    pub denied: bool,
}

/// An account outside of which no credential leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredAccount {
    /// The account.
    pub account: AccountId,
    /// The pin file that names it.
    pub pin: PathBuf,
}

impl Here {
    /// What counts in a directory, which is given by its real path. `uid` is the person's. A directory
    /// that is gone says nothing.
    ///
    /// Fails when a document of ours cannot be understood. A broken pin file is told in `broken`.
    pub fn look(home: &Home, directory: &Path, uid: u32) -> Result<Self> {
        let mut here = Self::default();
        walk(home, directory, uid, |finding| here.take(finding))?;
        Ok(here)
    }

    /// The same, unless a pin file is broken.
    pub fn sound(&self) -> Result<&Self> {
        self.broken.clone().map_or(Ok(self), Err)
    }

    /// Has what direnv has loaded count for its directory and below, until something nearer selects: what stands in
    /// the same directory was there before the `.envrc` named another profile.
    pub fn add_loaded(&mut self, loaded: DirectoryProfile) {
        if self.choice.as_ref().is_some_and(|choice| loaded.is_above(&choice.at)) {
            return;
        }
        self.asks = self.asks.take().filter(|ask| ask.pin.parent().is_some_and(|at| loaded.is_above(at)));
        self.choice = Some(loaded);
    }

    /// Takes what the next directory says; at an end when nothing further up can count.
    fn take(&mut self, Finding { at, says }: Finding) -> ControlFlow<()> {
        match says {
            Says::Bound(name) => {
                self.choice.get_or_insert(DirectoryProfile { name, how: How::Bound, at });
            }
            Says::Pinned(pin, file, trust) => {
                let path = file.path.clone();
                self.nearest.get_or_insert_with(|| path.clone());
                if self.pin.is_none()
                    || (pin.profile.is_some() && self.choice.is_none() && self.asks.is_none())
                {
                    self.pin = Some(file);
                }
                if let (Some(name), None) = (pin.profile, &self.choice) {
                    if trust == Some(Trust::Allowed) {
                        self.choice = Some(DirectoryProfile { name, how: How::Pinned, at });
                    } else {
                        let denied = trust == Some(Trust::Denied);
                        self.asks.get_or_insert_with(|| Ask { name, pin: path.clone(), denied });
                    }
                }
                if let Some(account) = pin.account {
                    self.guard.get_or_insert(RequiredAccount { account, pin: path });
                }
            }
            Says::Broken(error, file) => {
                self.pin = self.pin.take().or(file);
                self.broken = Some(error);
                return ControlFlow::Break(());
            }
            Says::Ignored(note) => self.notes.push(note),
        }
        match (&self.choice, &self.guard) {
            (Some(_), Some(_)) => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}
