//! What is in the way of us at a file of the data folder, and the command that takes it out of the way.
//!
//! The system says only that a file cannot be reached. Why is found on the way there: the first entry, from the data
//! folder down, whose kind, owner or mode is wrong.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::libc;
use nix::unistd::geteuid;

use super::owner::{data_folder, rightful_owner};
use super::trust::Closed;
use crate::error::Error;
use crate::shell;

/// A failed operation on a file, with a hint: [`Error::io`], and where something in the data folder is in the way, the
/// command against that.
pub(crate) fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let failed = Error::io(what, path, error);
    match way_out(path, error) {
        Some(way) => failed.hint(way),
        None => failed,
    }
}

/// What to do about what is in the way at a file of the data folder, or on the way there: words and a command.
pub(crate) fn way_out(path: &Path, error: &io::Error) -> Option<String> {
    let is_of_disk = matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
    );
    let root = data_folder().filter(|_| !is_of_disk)?;
    let owner = rightful_owner(root, geteuid().as_raw());
    let is_denied = error.kind() == ErrorKind::PermissionDenied;
    way_down(root, path).find_map(|entry| {
        let word = shell::word(&entry.display().to_string());
        let metadata = match fs::metadata(entry) {
            Ok(metadata) => metadata,
            Err(error) if leads_nowhere(entry, &error) => {
                return Some(format!("a link leads nowhere (is a disk not mounted?); without it: rm {word}"));
            }
            Err(_) => return None,
        };
        let is_folder = metadata.is_dir();
        if !is_folder && (entry != path || error.kind() == ErrorKind::NotADirectory) {
            let way = if entry == root { format!("mv {word} {word}.old") } else { format!("rm {word}") };
            Some(format!("no folder is in the place of one: {way}"))
        } else if is_folder && entry == path && error.kind() == ErrorKind::IsADirectory {
            Some(format!("a folder is in the place of a file: mv {word} {word}.old"))
        } else if metadata.uid() != owner {
            let closed = if is_folder { Closed::ToWriting } else { Closed::ToAll };
            give_back(root, entry, &metadata, closed)
        } else if is_denied && !metadata.mode() & needed(is_folder) != 0 {
            let recursively = if is_folder { "-R " } else { "" };
            Some(format!("its owner may not use it: chmod {recursively}u+rwX {word}"))
        } else {
            None
        }
    })
}

/// What to do about something that has another owner than it must have: the first such thing on the way to it.
/// `metadata` is its own, and `closed` what others may not do with it.
pub(super) fn of_another(path: &Path, metadata: &Metadata, closed: Closed) -> String {
    let us = geteuid().as_raw();
    let Some(root) = data_folder().filter(|root| path.starts_with(root)) else {
        return change_owner(path, metadata, us, closed);
    };
    let owner = rightful_owner(root, us);
    let above = way_down(root, path).filter(|entry| *entry != path);
    let wrong = above.filter_map(|entry| Some((entry, fs::metadata(entry).ok()?)));
    let way = match wrong.into_iter().find(|(_, metadata)| metadata.uid() != owner) {
        Some((entry, metadata)) => give_back(root, entry, &metadata, Closed::ToWriting),
        None => give_back(root, path, metadata, closed),
    };
    way.unwrap_or_else(|| format!("see where it leads: ls -ld {}", shell::word(&path.display().to_string())))
}

/// The bits of a mode without which its owner can't use a folder, or a file.
fn needed(is_folder: bool) -> u32 {
    if is_folder { 0o700 } else { 0o600 }
}

/// The entries from the data folder down to a file in it.
fn way_down<'p>(root: &Path, path: &'p Path) -> impl Iterator<Item = &'p Path> {
    let way: Vec<_> = path.ancestors().take_while(|entry| entry.starts_with(root)).collect();
    way.into_iter().rev()
}

/// Whether something is a link behind which there is nothing, by the error of a look at it.
fn leads_nowhere(entry: &Path, error: &io::Error) -> bool {
    let is_nothing = error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ELOOP);
    is_nothing && entry.is_symlink()
}

/// The command that gives something back to whom the data folder must belong. `None` where root would be led out of
/// another person's folder.
fn give_back(root: &Path, path: &Path, metadata: &Metadata, closed: Closed) -> Option<String> {
    let us = geteuid().as_raw();
    let owner = rightful_owner(root, us);
    let is_below = || Some(fs::canonicalize(path).ok()?.starts_with(fs::canonicalize(root).ok()?));
    let may_be_given = owner == us || is_below().unwrap_or(false);
    may_be_given.then(|| change_owner(path, metadata, owner, closed))
}

/// The command that changes the owner of a file, or of a folder with all that is in it.
fn change_owner(path: &Path, metadata: &Metadata, owner: u32, closed: Closed) -> String {
    // No link is followed in the command, so that nobody leads it elsewhere meanwhile; and a link is not what it is about.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let word = shell::word(&real.display().to_string());
    let flags = if metadata.is_dir() { "-hR" } else { "-h" };
    let mode = match metadata.mode() & closed.forbids() {
        0 => String::new(),
        _ => format!(" && sudo chmod {} {word}", closed.as_mode()),
    };
    format!("if you trust what is in it: sudo chown {flags} {owner} {word}{mode}")
}
