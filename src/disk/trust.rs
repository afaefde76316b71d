//! What is known of the owner and the mode of the data folder and the runtime folder, looked at once.

use std::cell::{Cell, OnceCell};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::geteuid;

use crate::terminal::Messages;

/// The bits of a mode that let others do anything.
const OF_OTHERS: u32 = 0o077;

/// What is known of the data folder and of us.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    /// Where it is said that a mode was tightened; without it none is.
    pub(super) messages: Option<Messages>,
    pub(super) looks_only: Cell<bool>,
    pub(super) folder: OnceCell<FolderOwner>,
    pub(super) runtime: OnceCell<bool>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct FolderOwner {
    pub(super) owner: u32,
    /// Others can get to what is in it.
    pub(super) is_open: bool,
}

impl Trust {
    /// The trust of a home; with `messages`, what is ours alone is tightened, and that is said.
    pub(super) fn new(messages: Option<Messages>) -> Self {
        Self { messages, looks_only: Cell::new(false), folder: OnceCell::new(), runtime: OnceCell::new() }
    }

    /// Tightens nothing for as long as the value lives.
    pub(super) fn look_only(&self) -> Looking<'_> {
        Looking { trust: self, before: self.looks_only.replace(true) }
    }

    /// Whether the folder for what lasts until the next login counts: a real folder, ours, 0700, as its
    /// specification demands (XDG base directory).
    pub(super) fn counts_runtime(&self, folder: &Path) -> bool {
        let is_ours = |metadata: Metadata| {
            metadata.is_dir() && metadata.uid() == geteuid().as_raw() && metadata.mode() & OF_OTHERS == 0
        };
        *self.runtime.get_or_init(|| fs::symlink_metadata(folder).is_ok_and(is_ours))
    }
}

/// For as long as it lives, nothing is tightened.
pub struct Looking<'a> {
    trust: &'a Trust,
    before: bool,
}

impl Drop for Looking<'_> {
    fn drop(&mut self) {
        self.trust.looks_only.set(self.before);
    }
}
