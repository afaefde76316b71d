//! Reading and writing documents so that everyone sees the old one or the new one, whole.
//!
//! A write goes to a temporary file beside its target (0600 from its creation), is flushed to the
//! disk, renamed over the target, and the folder is flushed too. Killed at any moment, it leaves the
//! old document or the new one; what it may leave beside it is swept up by the next write.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use nix::libc;
use zeroize::Zeroizing;

use crate::error::{Error, Result};

/// A document's bytes; wiped when dropped, as it may hold a secret.
pub type Bytes = Zeroizing<Vec<u8>>;

/// What a read found besides the bytes.
pub struct Found {
    /// The document.
    pub bytes: Bytes,
    /// Its mode was looser than 0600; it has been tightened.
    pub tightened: bool,
}

/// Reads a document that holds a secret; a mode looser than 0600 is tightened. `None` when there is
/// no such file.
///
/// # Errors
/// When it exists and cannot be read, or cannot be tightened.
pub fn read_secret(path: &Path) -> Result<Option<Found>> {
    // What a person's own pipe gives is waited for.
    let Some((file, metadata, bytes)) = read_open(path, 0, |metadata| !metadata.is_dir())? else {
        return Ok(None);
    };
    let tightened = metadata.mode() & 0o077 != 0;
    if tightened {
        file.set_permissions(Permissions::from_mode(0o600)).map_err(|error| {
            Error::io("make private", path, &error).hint(format!("chmod 600 {}", path.display()))
        })?;
    }
    Ok(Some(Found { bytes, tightened }))
}

/// The same without tightening anything.
///
/// # Errors
/// When it exists and cannot be read.
pub fn read_waiting(path: &Path) -> Result<Option<Bytes>> {
    Ok(read_open(path, 0, |metadata| !metadata.is_dir())?.map(|(_, _, bytes)| bytes))
}

/// Reads a document. `None` when there is no such file.
///
/// # Errors
/// When it exists and cannot be read, or is no regular file.
pub fn read(path: &Path) -> Result<Option<Bytes>> {
    // A pipe would be waited for until somebody writes into it.
    Ok(read_open(path, libc::O_NONBLOCK, Metadata::is_file)?.map(|(_, _, bytes)| bytes))
}

fn read_open(
    path: &Path,
    flags: i32,
    is_document: impl Fn(&Metadata) -> bool,
) -> Result<Option<(File, Metadata, Bytes)>> {
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // A link that leads nowhere (to a disk that is not there now) is not a missing document.
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        Err(error) => return Err(Error::io("read", path, &error)),
    };
    let metadata = file.metadata().map_err(|error| Error::io("read", path, &error))?;
    if !is_document(&metadata) {
        let error = if metadata.is_dir() {
            ErrorKind::IsADirectory.into()
        } else {
            std::io::Error::other("it is no regular file")
        };
        return Err(Error::io("read", path, &error));
    }
    // Room enough that a growing buffer does not leave unwiped copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
    file.read_to_end(&mut bytes).map_err(|error| Error::io("read", path, &error))?;
    Ok(Some((file, metadata, bytes)))
}

/// Reads and parses a document; one that does not parse although it is younger than 2 s is read again
/// for up to 1 s, because the npm package truncates its files when it writes them
/// (`facts/alchemy-npm.md` §1.13).
///
/// # Errors
/// The error of `read`, or that of the last `parse`.
pub fn read_settled<R, T>(
    path: &Path,
    read: impl Fn(&Path) -> Result<Option<R>>,
    parse: impl Fn(&R) -> Result<T>,
) -> Result<Option<T>> {
    const YOUNG: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(50);
    const TRIES: u32 = 20;
    for _ in 0..TRIES {
        let Some(bytes) = read(path)? else { return Ok(None) };
        let error = match parse(&bytes) {
            Ok(parsed) => return Ok(Some(parsed)),
            Err(error) => error,
        };
        let age = fs::metadata(path)
            .and_then(|m| m.modified())
            .map(|modified| SystemTime::now().duration_since(modified).unwrap_or_default());
        if !age.is_ok_and(|age| age < YOUNG) {
            return Err(error);
        }
        sleep(PAUSE);
    }
    match read(path)? {
        Some(bytes) => parse(&bytes).map(Some),
        None => Ok(None),
    }
}

/// Replaces a document, or makes it. The caller holds the lock that guards it.
///
/// # Errors
/// When the disk is full or the folder cannot be written; the old document is still there then.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    prepare(path, bytes)?.commit()
}

/// A new document on the disk, whole, beside the one that it will replace. Dropped, it is gone.
#[derive(Debug)]
pub struct Prepared {
    file: tempfile::NamedTempFile,
    target: PathBuf,
}

/// Writes a document beside its place. The caller holds the lock that guards it.
///
/// # Errors
/// When the disk is full or the folder cannot be written.
pub fn prepare(path: &Path, bytes: &[u8]) -> Result<Prepared> {
    // A symbolic link stays one: its target is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let failed = |error: &std::io::Error| Error::io("write", path, error);
    let folder = target.parent().unwrap_or(Path::new("/"));
    make_folder(folder)?;
    sweep(&target);
    let mut file = tempfile::Builder::new()
        .prefix(&temporary_prefix(&target))
        .suffix(TEMPORARY_SUFFIX)
        .tempfile_in(folder)
        .map_err(|error| failed(&error))?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|error| failed(&error))?;
    Ok(Prepared { file, target })
}

impl Prepared {
    /// Gives it a time of modification that is at least a second after that of the document it replaces.
    ///
    /// # Errors
    /// When its time cannot be set.
    pub fn a_second_later(self) -> Result<Self> {
        let before = fs::metadata(&self.target).and_then(|metadata| metadata.modified());
        let time = before
            .map_or_else(|_| SystemTime::now(), |at| SystemTime::now().max(at + Duration::from_secs(1)));
        self.file.as_file().set_modified(time).map_err(|error| Error::io("write", &self.target, &error))?;
        Ok(self)
    }

    /// Gives it the mode of the document that it replaces, where there is one: it may be for others to read.
    ///
    /// # Errors
    /// When its mode cannot be set.
    pub fn keeping_mode(self) -> Result<Self> {
        if let Ok(metadata) = fs::metadata(&self.target) {
            let set = self.file.as_file().set_permissions(metadata.permissions());
            set.map_err(|error| Error::io("write", &self.target, &error))?;
        }
        Ok(self)
    }

    /// Writes another content into the room that was taken.
    ///
    /// # Errors
    /// When it is longer than the room, and the disk is full.
    pub fn refill(mut self, bytes: &[u8]) -> Result<Self> {
        let mut refill = || {
            let file = self.file.as_file_mut();
            file.rewind()?;
            file.write_all(bytes)?;
            file.set_len(bytes.len() as u64)?;
            file.sync_all()
        };
        match refill() {
            Ok(()) => Ok(self),
            Err(error) => Err(Error::io("write", &self.target, &error)),
        }
    }

    /// Puts the document into its place.
    ///
    /// # Errors
    /// When the file system refuses; the old document is still there then.
    pub fn commit(self) -> Result<()> {
        let failed = |error: &std::io::Error| Error::io("write", &self.target, error);
        self.file.persist(&self.target).map_err(|error| failed(&error.error))?;
        sync_folder(&self.target).map_err(|error| failed(&error))
    }
}

/// A document under another name, from which it can come back.
pub struct Aside {
    path: PathBuf,
    aside: PathBuf,
}

/// Takes a document, where there is one, out of its place without destroying it. Left behind by a
/// crash, it is swept up like a temporary file.
///
/// # Errors
/// When it exists and cannot be renamed.
pub fn set_aside(path: &Path) -> Result<Aside> {
    let name = format!("{}aside{TEMPORARY_SUFFIX}", temporary_prefix(path));
    let aside = path.with_file_name(name);
    match fs::rename(path, &aside) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("rename", path, &error)),
        _ => Ok(Aside { path: path.to_owned(), aside }),
    }
}

impl Aside {
    /// Puts it back. Called when something else has failed, which is what the person is told.
    pub fn restore(self) {
        let _ = fs::rename(&self.aside, &self.path);
    }

    /// Destroys it.
    ///
    /// # Errors
    /// When it exists and cannot be removed.
    pub fn remove(self) -> Result<()> {
        remove(&self.aside).map(|_| ())
    }
}

/// Removes a document, and what a killed write of it left. Whether there was one. The caller holds the
/// lock that guards it.
///
/// # Errors
/// When it exists and cannot be removed.
pub fn remove(path: &Path) -> Result<bool> {
    sweep(path);
    match fs::remove_file(path) {
        Ok(()) => {
            sync_folder(path).map_err(|error| Error::io("remove", path, &error))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Error::io("remove", path, &error)),
    }
}

/// Makes a folder and those above it, each 0700.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Error::io("make the folder", folder, &error))
}

/// Makes a folder of ours private again where npm, or a umask, left it open.
///
/// # Errors
/// When it exists and cannot be tightened.
pub fn tighten_folder(folder: &Path) -> Result<()> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.mode() & 0o077 != 0 => {
            fs::set_permissions(folder, Permissions::from_mode(0o700))
                .map_err(|error| Error::io("make private", folder, &error))
        }
        _ => Ok(()),
    }
}

/// Flushes the folder that a document stands in: only then is a rename or a removal durable.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

const TEMPORARY_SUFFIX: &str = ".tmp";

fn temporary_prefix(target: &Path) -> String {
    format!(".{}.", target.file_name().unwrap_or_default().to_string_lossy())
}

/// Removes what a killed write left. Nobody else is writing: the caller holds the lock. That a file
/// cannot be removed is no reason to fail the write.
fn sweep(target: &Path) {
    let prefix = temporary_prefix(target);
    let leftover = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix) && name.ends_with(TEMPORARY_SUFFIX)
    };
    let Some(Ok(entries)) = target.parent().map(fs::read_dir) else { return };
    for path in entries.flatten().map(|entry| entry.path()).filter(leftover) {
        let _ = fs::remove_file(path);
    }
}
