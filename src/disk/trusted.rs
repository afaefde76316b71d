//! Whose a file is, who else may change or read it, and what follows from that (design §5). One place decides:
//! [`judge`].
//!
//! A file is trusted that has the owner of its data folder, when that owner is us, or we are root. What others
//! may write (or read, where it is a secret) is tightened where it is ours alone, and refused elsewhere. As
//! root in another person's folder we act on files as that person ([`super::owner::AsOwner`]): what is made there is
//! theirs, and no link of theirs leads us where they could not go themselves.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::geteuid;

use super::atomic::{self, Bytes};
use super::home::Home;
use super::owner::{AsOwner, acting_for};
use super::trust::{FolderOwner, Trust};
use crate::error::{Error, Result};
use crate::shell;

/// What nobody else may do with a file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Change it: it can run or redirect something.
    ToWriting,
    /// Read it either: it holds a secret.
    ToAll,
}

impl Closed {
    fn forbids(self) -> u32 {
        match self {
            Self::ToWriting => 0o022,
            Self::ToAll => 0o077,
        }
    }

    /// What `chmod` takes to forbid it.
    fn as_mode(self) -> &'static str {
        match self {
            Self::ToWriting => "go-w",
            Self::ToAll => "go=",
        }
    }
}

/// What is to be done with something that is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Sound,
    /// Its mode is too loose, and it is ours alone: it may be tightened.
    Loose,
}

/// Judges a file or a folder by what is known of it when it is open. `owner` is whose it must be.
///
/// Fails when it belongs to another, or others may do what they may not and it is not ours alone: with the command
/// that fixes it.
pub(crate) fn judge(
    home: &Home,
    path: &Path,
    metadata: &Metadata,
    owner: u32,
    closed: Closed,
) -> Result<Verdict> {
    let shown = path.display();
    let word = shell::word(&shown.to_string());
    if metadata.uid() != owner {
        let whose = if owner == geteuid().as_raw() { "you".to_owned() } else { format!("user {owner}") };
        return Err(Error::new(format!("{shown} belongs to user {}, not to {whose}", metadata.uid()))
            .hint(hint_of_anothers(path, metadata, owner, closed)));
    }
    let loose = metadata.mode() & closed.forbids();
    if loose == 0 {
        return Ok(Verdict::Sound);
    }
    if is_ours_alone(home, path, metadata) {
        return Ok(Verdict::Loose);
    }
    let error = Error::new(if loose & 0o022 == 0 {
        format!("other users can read {shown}")
    } else {
        format!("other users can change {shown}")
    });
    Err(if is_common(metadata) {
        error.hint("it is a shared folder; set ALCHEMY_HOME to a folder of your own")
    } else if loose & 0o022 == 0 {
        error.hint(format!("chmod go= {word}"))
    } else {
        error.hint(format!("if you trust what is in it: chmod {} {word}", closed.as_mode()))
    })
}

/// What to do about a file of another than its owner must be, or a folder, with all that is in it.
fn hint_of_anothers(path: &Path, metadata: &Metadata, owner: u32, closed: Closed) -> String {
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

/// The bit of a folder in which everybody may make files, and remove their own only.
const STICKY: u32 = 0o1000;

/// Whether it is such a folder: it is no one's to close.
pub(crate) fn is_common(metadata: &Metadata) -> bool {
    metadata.mode() & STICKY != 0 && metadata.is_dir()
}

/// Whether something is ours and nobody else's, so that its mode is ours to set: a file of one name that no link
/// leads to, or a folder that is not shared and holds only names of ours, with our owner.
pub(crate) fn is_ours_alone(home: &Home, path: &Path, metadata: &Metadata) -> bool {
    let us = geteuid().as_raw();
    if metadata.uid() != us {
        return false;
    }
    if metadata.is_file() {
        let named = fs::symlink_metadata(path);
        return metadata.nlink() == 1 && named.is_ok_and(|named| is_same(&named, metadata));
    }
    if !metadata.is_dir() || is_common(metadata) {
        return false;
    }
    let Ok(mut entries) = fs::read_dir(path) else { return false };
    entries.all(|entry| {
        let Ok(entry) = entry else { return false };
        home.may_hold(&entry.path()) && entry.metadata().is_ok_and(|entry| entry.uid() == us)
    })
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The mode that is right for something: a program stays one.
pub(crate) fn private(metadata: &Metadata) -> u32 {
    if metadata.is_dir() { 0o700 } else { metadata.mode() & 0o700 | 0o600 }
}

/// Gives something that is open, of which this is known, the mode that is right for it. Returns whether it is closed
/// then: some file systems keep no modes.
///
/// Fails when its mode cannot be set.
pub(crate) fn make_private(file: &File, metadata: &Metadata, closed: Closed) -> io::Result<bool> {
    file.set_permissions(Permissions::from_mode(private(metadata)))?;
    Ok(file.metadata()?.mode() & closed.forbids() == 0)
}

impl Trust {
    /// The data folder, judged once; `None` as long as there is none.
    fn folder(&self, home: &Home) -> Result<Option<FolderOwner>> {
        if let Some(folder) = self.folder.get() {
            return Ok(Some(*folder));
        }
        let Ok(metadata) = fs::metadata(home.root()) else { return Ok(None) };
        if !metadata.is_dir() {
            return Ok(None);
        }
        let us = geteuid();
        let owner = if us.is_root() { metadata.uid() } else { us.as_raw() };
        let mut mode = metadata.mode();
        if judge(home, home.root(), &metadata, owner, Closed::ToWriting)? == Verdict::Loose
            && self.tighten_folder(home.root(), &metadata)?
        {
            mode = 0o700;
        }
        Ok(Some(*self.folder.get_or_init(|| FolderOwner { owner, is_open: mode & 0o011 != 0 })))
    }

    /// Judges the folders between the data folder and a file in it, where others can get there.
    fn between(&self, home: &Home, path: &Path, owner: u32) -> Result<()> {
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != home.root()) {
            let Ok(metadata) = fs::metadata(folder) else { continue };
            if judge(home, folder, &metadata, owner, Closed::ToWriting)? == Verdict::Loose {
                self.tighten_folder(folder, &metadata)?;
            }
        }
        Ok(())
    }

    fn tighten_folder(&self, path: &Path, metadata: &Metadata) -> Result<bool> {
        let failed = |error: &io::Error| Error::io("make private", path, error);
        let flags = libc::O_DIRECTORY | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|e| failed(&e))?;
        let found = file.metadata().map_err(|error| failed(&error))?;
        if !is_same(&found, metadata) {
            return Err(Error::new(format!("{} has just been replaced", path.display())));
        }
        self.tighten(path, &file, &found, Closed::ToWriting)
    }

    /// Tightens the mode of what was judged to be loose, and says so; whether it did.
    fn tighten(&self, path: &Path, file: &File, metadata: &Metadata, closed: Closed) -> Result<bool> {
        let Some(messages) = self.messages.filter(|_| !self.looks_only.get()) else { return Ok(false) };
        let mode = private(metadata);
        let failed = |error: &io::Error| {
            let word = shell::word(&path.display().to_string());
            Error::io("make private", path, error).hint(format!("chmod {mode:o} {word}"))
        };
        if !make_private(file, metadata, closed).map_err(|error| failed(&error))? {
            let error =
                format!("other users can get at {}, whose file system keeps no modes", path.display());
            return Err(Error::new(error).hint("set ALCHEMY_HOME to a folder on another file system"));
        }
        let could = if metadata.mode() & 0o022 == 0 { "read" } else { "changed" };
        messages.say(&format!("{} could be {could} by others; its mode is {mode:04o} now", path.display()));
        Ok(true)
    }
}

/// What is read, and what may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A document without a secret.
    Settings,
    /// One with a secret. `waits`: what a person's own pipe gives is waited for; never while a prompt waits.
    Secret {
        /// Whether a pipe is waited for.
        waits: bool,
    },
    /// A rescue file, which is never a link.
    Rescue,
}

/// Reads a document in the data folder. `None` when there is no such file.
///
/// Fails when it exists and cannot be read, is not trusted, is no regular file, or is too large for a document.
pub(crate) fn read(home: &Home, path: &Path, reading: Reading) -> Result<Option<Bytes>> {
    let trust = home.trusts();
    let folder = trust.folder(home)?;
    let owner = folder.map_or_else(|| geteuid().as_raw(), |folder| folder.owner);
    if folder.is_some_and(|folder| folder.is_open) && path.starts_with(home.root()) {
        trust.between(home, path, owner)?;
    }
    let (flags, closed, waits) = match reading {
        Reading::Settings => (libc::O_NONBLOCK, Closed::ToWriting, false),
        Reading::Secret { waits: false } => (libc::O_NONBLOCK, Closed::ToAll, false),
        Reading::Secret { waits: true } => (0, Closed::ToAll, true),
        Reading::Rescue => (libc::O_NONBLOCK | libc::O_NOFOLLOW, Closed::ToAll, false),
    };
    let opened = atomic::open(path, flags).map_err(|error| match fs::metadata(path) {
        // Its owner alone may read it.
        Ok(metadata) if metadata.uid() != owner && path.starts_with(home.root()) => {
            error.hint(hint_of_anothers(path, &metadata, owner, closed))
        }
        _ => error,
    });
    let Some((file, metadata)) = opened? else { return Ok(None) };
    if !(metadata.is_file() || waits && metadata.file_type().is_fifo()) {
        return Err(atomic::not_a_document(path, &metadata));
    }
    // What lies in the runtime folder is ours, whose home it may be.
    let owner = if path.starts_with(home.root()) { owner } else { geteuid().as_raw() };
    if judge(home, path, &metadata, owner, closed)? == Verdict::Loose {
        trust.tighten(path, &file, &metadata, closed)?;
    }
    atomic::contents(path, file, &metadata).map(Some)
}

/// The file that a link leads to; `None` where there is no link, or nothing that could hold a document behind it.
pub(crate) fn linked_file(path: &Path) -> Option<PathBuf> {
    let _owner = AsOwner::take().ok()?;
    let real = path.is_symlink().then(|| fs::canonicalize(path))?.ok()?;
    fs::symlink_metadata(&real).is_ok_and(|metadata| metadata.is_file()).then_some(real)
}

/// Whether a file to which a link in the data folder led is ours to remove: it has the folder's owner and one name, and
/// is not another document of the folder.
pub(crate) fn is_ours_to_remove(home: &Home, file: &Path) -> Result<()> {
    let metadata = fs::symlink_metadata(file).map_err(|error| Error::io("find", file, &error))?;
    let owner = home.trusts().folder(home)?.map_or_else(|| geteuid().as_raw(), |folder| folder.owner);
    let root = fs::canonicalize(home.root()).map_err(|error| Error::io("find", home.root(), &error))?;
    if metadata.uid() != owner {
        Err(Error::new(format!("it belongs to user {}", metadata.uid())))
    } else if metadata.nlink() > 1 {
        Err(Error::new("it has other names"))
    } else if file.starts_with(root) {
        Err(Error::new("it lies in the data folder itself, and may be another profile's"))
    } else {
        Ok(())
    }
}

/// Closes a folder in the data folder to everyone else, where it is ours alone.
///
/// Fails when it is, and cannot be closed.
pub(crate) fn close_folder(home: &Home, folder: &Path) -> Result<()> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.mode() & 0o077 != 0 && is_ours_alone(home, folder, &metadata) => {
            home.trusts().tighten_folder(folder, &metadata).map(drop)
        }
        _ => Ok(()),
    }
}

/// Whether the data folder is another person's, and we are root in it.
///
/// Fails when it is not trusted at all.
pub(crate) fn is_anothers(home: &Home) -> Result<bool> {
    Ok(home.trusts().folder(home)?.is_some_and(|folder| folder.owner != geteuid().as_raw()))
}

/// Refuses to run a command that root finds in another person's folder, or environment.
///
/// Fails when it is one; or the folder is not trusted at all.
pub(crate) fn may_run(home: &Home, what: &str) -> Result<()> {
    if !is_anothers(home)? {
        return Ok(());
    }
    let owner = home.trusts().folder(home)?.map_or(0, |folder| folder.owner);
    Err(Error::new(format!("root doesn't run {what}: {} belongs to user {owner}", home.root().display()))
        .hint(format!("run it as that user: sudo -u '#{owner}' alchemy …")))
}

/// Opens a file of ours to write in it: a lock, a mark. It is no link, is regular, has one name, and belongs to
/// whom we act for.
///
/// Fails when it cannot be opened, or is something else.
pub(crate) fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let _owner = AsOwner::take()?;
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = options.mode(0o600).custom_flags(flags).open(path).map_err(|error| {
        let is_link = error.raw_os_error() == Some(libc::ELOOP);
        if is_link { io::Error::other("it is a link, which is not followed here") } else { error }
    })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let owner = acting_for();
    if metadata.uid() != owner || metadata.nlink() > 1 {
        return Err(io::Error::other(format!("it belongs to user {}, or has other names", metadata.uid())));
    }
    if metadata.mode() & Closed::ToWriting.forbids() != 0 {
        if owner != geteuid().as_raw() {
            return Err(io::Error::other("others can change it"));
        }
        if !make_private(&file, &metadata, Closed::ToWriting)? {
            return Err(io::Error::other("others can change it, and its file system keeps no modes"));
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_ours_alone_when_nothing_else_is_in_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("home");
        fs::create_dir(&root).expect("made");
        let home = Home::new(Some(root.clone()), Path::new("/nobody"), None);
        let is_alone = || is_ours_alone(&home, &root, &fs::metadata(&root).expect("there"));
        for name in ["config.json", "generation", ".config.json.AbC123.tmp", "id", "telemetry-disabled"] {
            fs::write(root.join(name), "").expect("written");
            assert!(is_alone(), "{name}");
        }
        fs::set_permissions(&root, Permissions::from_mode(0o1777)).expect("set");
        assert!(!is_alone(), "a shared folder");
        fs::set_permissions(&root, Permissions::from_mode(0o777)).expect("set");
        assert!(is_alone());
        fs::write(root.join("notes"), "").expect("written");
        assert!(!is_alone(), "somebody else's name");
    }

    #[test]
    fn a_file_is_ours_alone_by_its_one_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::new(Some(folder.path().into()), Path::new("/nobody"), None);
        let (file, link) = (folder.path().join("config.json"), folder.path().join("link"));
        fs::write(&file, "").expect("written");
        let is_alone = |path: &Path| is_ours_alone(&home, path, &fs::metadata(path).expect("there"));
        assert!(is_alone(&file));
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        assert!(is_alone(&file) && !is_alone(&link), "not what a link leads to");
        fs::hard_link(&file, folder.path().join("other")).expect("linked");
        assert!(!is_alone(&file), "it has two names");
    }
}
