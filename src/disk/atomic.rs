//! Reading and writing documents so that everyone sees the old one or the new one, whole.
//!
//! A write goes to a temporary file beside its target (0600 from its creation), is flushed to the
//! disk, renamed over the target, and the folder is flushed too. Killed at any moment, it leaves the
//! old document or the new one; what it may leave beside it is swept up by the next write.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use nix::libc;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::obstacle;
use super::owner::AsOwner;
use crate::error::{Error, Result, reason};
use crate::shell;
use crate::terminal::Messages;

/// A document's bytes; wiped when dropped, as it may hold a secret.
pub(crate) type Bytes = Zeroizing<Vec<u8>>;

/// The most bytes of a document: ours have a few thousand.
pub(crate) const LIMIT: u64 = 1024 * 1024;

/// Reads a file that is none of the data folder's. `None` when there is no such file.
///
/// Fails when it exists and cannot be read, is no regular file, or is too large for a document.
pub(crate) fn read(path: &Path) -> Result<Option<Bytes>> {
    // A pipe would be waited for until somebody writes into it.
    let Some((file, metadata)) = open(path, libc::O_NONBLOCK)? else { return Ok(None) };
    if !metadata.is_file() {
        return Err(not_a_document(path, &metadata));
    }
    contents(path, file, &metadata).map(Some)
}

/// Opens a document. `None` when there is no such file.
pub(super) fn open(path: &Path, flags: i32) -> Result<Option<(File, Metadata)>> {
    let failed = |error: &io::Error| obstacle::failed("read", path, error);
    let _owner = AsOwner::take().map_err(|error| failed(&error))?;
    let flags = flags | libc::O_NOCTTY;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        // A link that leads nowhere (to a disk that is not there now) is not a missing document.
        Err(error) if error.kind() == ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        Err(error) => return Err(failed(&error)),
    };
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    Ok(Some((file, metadata)))
}

/// The error for what is there and is no document.
pub(super) fn not_a_document(path: &Path, metadata: &Metadata) -> Error {
    let error = if metadata.is_dir() {
        ErrorKind::IsADirectory.into()
    } else {
        io::Error::other("it is no regular file")
    };
    obstacle::failed("read", path, &error)
}

/// What is in an open document.
pub(super) fn contents(path: &Path, file: File, metadata: &Metadata) -> Result<Bytes> {
    let too_large = |size: &str| {
        let error = format!("{} is too large for a document of alchemy's: {size}", path.display());
        let word = shell::word(&path.display().to_string());
        Err(Error::new(error).hint(format!("look what it is: ls -l {word}")))
    };
    if metadata.len() > LIMIT {
        return too_large(&format!("{} bytes, and the most is {LIMIT}", metadata.len()));
    }
    // Room enough that a growing buffer does not leave unwiped copies behind.
    let room = usize::try_from(metadata.len()).unwrap_or_default().saturating_add(1).max(8 * 1024);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    let read = file.take(LIMIT.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| obstacle::failed("read", path, &error))?;
    if bytes.len() as u64 > LIMIT {
        return too_large(&format!("more than {LIMIT} bytes"));
    }
    Ok(bytes)
}

/// Reads and parses a document; one that does not parse although it is younger than 2 s is read again
/// for up to 1 s, because the npm package truncates its files when it writes them
/// (`facts/alchemy-npm.md` §1.13).
///
/// The error of `read`, or that of the last `parse`.
pub(crate) fn read_settled<R, T>(
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

/// A change that is made, and that no failure after it takes back.
///
/// A rename or a removal is there at once for every process. What can still fail is to have the disk confirm it,
/// and that is no reason to undo anything: it is only said. So the functions of this file return an error only
/// where nothing was changed, and this value where something was.
#[must_use = "what the disk has not confirmed must be said"]
#[derive(Debug)]
pub(crate) struct Changed {
    path: PathBuf,
    unconfirmed: Option<io::Error>,
}

impl Changed {
    /// Flushes the folder of a document that was just renamed or removed.
    fn flushed(path: &Path) -> Self {
        Self { path: path.to_owned(), unconfirmed: sync_folder(path).err() }
    }

    /// Nothing was to be done.
    fn nothing() -> Self {
        Self { path: PathBuf::new(), unconfirmed: None }
    }

    /// This change, made after an earlier one: what either leaves unconfirmed is to be said.
    fn after(self, earlier: Self) -> Self {
        if self.unconfirmed.is_some() { self } else { earlier }
    }

    /// Says that the disk did not confirm the change, where it did not.
    pub(crate) fn say(self, messages: &Messages) {
        if let Some(error) = self.unconfirmed {
            messages.loss(&format!(
                "{} is changed, but its disk did not confirm that ({}): after a power failure it may be as it was \
                 before",
                self.path.display(),
                reason(&error)
            ));
        }
    }
}

/// Replaces a document, or makes it. The caller holds the lock that guards it.
///
/// Fails when the disk is full or the folder cannot be written; nothing was changed then.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<Changed> {
    prepare(path, bytes)?.commit()
}

/// A new document on the disk, whole, beside the one that it will replace. Dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Prepared {
    file: tempfile::NamedTempFile,
    target: PathBuf,
    /// The folder was made for it.
    folder: Changed,
    /// It was made by [`reserve`].
    is_successor: bool,
}

/// Writes a document beside its place. The caller holds the lock that guards it.
///
/// Fails when the disk is full or the folder cannot be written.
pub(crate) fn prepare(path: &Path, bytes: &[u8]) -> Result<Prepared> {
    let _owner = AsOwner::take().map_err(|error| obstacle::failed("write", path, &error))?;
    let target = real_target(path);
    sweep(&target);
    prepare_named(path, target, false, bytes)
}

/// Takes room for the successor of a document, at a place where it is found again when we are killed before it
/// is in its place: see [`left_successor`]. The caller holds the lock that guards the document, and has taken home
/// what an earlier one may have left there.
///
/// Fails when the disk is full or the folder cannot be written.
pub(crate) fn reserve(path: &Path, bytes: &[u8]) -> Result<Prepared> {
    let _owner = AsOwner::take().map_err(|error| obstacle::failed("write", path, &error))?;
    let target = real_target(path);
    sweep(&target);
    remove_successor(path);
    prepare_named(path, target, true, bytes)
}

/// Where the successor of a document is until it takes its place: [`reserve`].
pub(crate) fn left_successor(path: &Path) -> PathBuf {
    beside(&real_target(path), SUCCESSOR)
}

/// Removes the successor of a document, which is kept elsewhere or of no use.
pub(crate) fn remove_successor(path: &Path) {
    if let Ok(_owner) = AsOwner::take() {
        // Mostly there is none.
        let _ = fs::remove_file(left_successor(path));
    }
}

/// Puts the successor that a killed process has left into its place.
///
/// Fails when the file system refuses; both are as they were then.
pub(crate) fn adopt_successor(path: &Path) -> Result<Changed> {
    let _owner = AsOwner::take().map_err(|error| obstacle::failed("write", path, &error))?;
    let target = real_target(path);
    fs::rename(beside(&target, SUCCESSOR), &target)
        .map_err(|error| obstacle::failed("write", path, &error))?;
    Ok(Changed::flushed(&target))
}

/// A symbolic link stays one: its target is replaced.
fn real_target(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn prepare_named(path: &Path, target: PathBuf, is_successor: bool, bytes: &[u8]) -> Result<Prepared> {
    let failed = |error: &io::Error| obstacle::failed("write", path, error);
    let folder = target.parent().unwrap_or(Path::new("/"));
    let made = make_folder(folder)?;
    let (name, random) = if is_successor { (SUCCESSOR, 0) } else { ("", RANDOM) };
    // Opened here, as the system says it: `tempfile` would add a path, which nobody knows, to the error.
    let open =
        |path: &Path| OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    let mut file = tempfile::Builder::new()
        .prefix(&format!("{}{name}", temporary_prefix(&target)))
        .rand_bytes(random)
        .suffix(TEMPORARY_SUFFIX)
        .make_in(folder, open)
        .map_err(|error| failed(&error))?;
    file.write_all(bytes).and_then(|()| sync_file(file.as_file())).map_err(|error| failed(&error))?;
    Ok(Prepared { file, target, folder: made, is_successor })
}

impl Prepared {
    /// Gives it a time of modification that is at least a second after that of the document it replaces.
    ///
    /// Fails when its time cannot be set.
    pub(crate) fn a_second_later(self) -> Result<Self> {
        let before = fs::metadata(&self.target).and_then(|metadata| metadata.modified());
        let later = before.ok().and_then(|at| at.checked_add(Duration::from_secs(1)));
        let time = later.map_or_else(SystemTime::now, |later| later.max(SystemTime::now()));
        self.file
            .as_file()
            .set_modified(time)
            .map_err(|error| obstacle::failed("write", &self.target, &error))?;
        Ok(self)
    }

    /// Writes another content into the room that was taken. A successor stays from then on, until it is in its place
    /// or [`Prepared::discard`]ed.
    ///
    /// Fails when it is longer than the room, and the disk is full.
    pub(crate) fn refill(mut self, bytes: &[u8]) -> Result<Self> {
        let mut refill = || {
            let file = self.file.as_file_mut();
            // Its length first: killed after the last byte, what is there is whole, with nothing behind it.
            file.set_len(bytes.len() as u64)?;
            file.rewind()?;
            file.write_all(bytes)?;
            sync_file(file)
        };
        match refill() {
            Ok(()) => {
                // It may be the only copy from now on: whoever looks for it finds it there.
                self.file.disable_cleanup(self.is_successor);
                Ok(self)
            }
            Err(error) => Err(obstacle::failed("write", &self.target, &error)),
        }
    }

    /// Destroys it: something newer is in its place.
    pub(crate) fn discard(mut self) {
        self.file.disable_cleanup(false);
    }

    /// Puts the document into its place. What was set aside, or left for it by a killed process, is superseded and
    /// goes.
    ///
    /// Fails when the file system refuses; nothing was changed then.
    pub(crate) fn commit(self) -> Result<Changed> {
        let Self { file, target, folder, .. } = self;
        let _owner = AsOwner::take().map_err(|error| obstacle::failed("write", &target, &error))?;
        file.persist(&target).map_err(|error| obstacle::failed("write", &target, &error.error))?;
        let changed = Changed::flushed(&target).after(folder);
        remove_superseded(&target);
        Ok(changed)
    }
}

/// A document under another name. Dropped, it is back in its place: whoever set it aside and ends early, by an
/// error or a panic, loses nothing. When the process is killed, whoever reads it next puts it back
/// ([`restore`]).
#[must_use = "dropped, it is back in its place"]
#[derive(Debug)]
pub(crate) struct Aside {
    path: PathBuf,
    discarded: bool,
}

/// Takes a document, where there is one, out of its place without destroying it. One that a killed process had
/// set aside counts as the document where there is no other.
///
/// Fails when it exists and cannot be renamed; nothing was changed then.
pub(crate) fn set_aside(path: &Path) -> Result<Aside> {
    let _owner = AsOwner::take().map_err(|error| obstacle::failed("rename", path, &error))?;
    match fs::rename(path, aside(path)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(obstacle::failed("rename", path, &error)),
        _ => Ok(Aside { path: path.to_owned(), discarded: false }),
    }
}

/// Destroys a document that a killed process has set aside, and that is of no use any more. One that stays is found to
/// be that the next time.
pub(crate) fn remove_aside(path: &Path) {
    if let Ok(_owner) = AsOwner::take() {
        let _ = fs::remove_file(aside(path));
    }
}

/// Where a document is while it is set aside.
pub(crate) fn aside(path: &Path) -> PathBuf {
    beside(path, ASIDE)
}

/// Puts a document back that a killed process has set aside, unless something has taken its place. Whether
/// anything was there to be put back. The caller holds the lock that guards it.
///
/// Fails when it cannot be renamed; it is still aside then.
pub(crate) fn restore(path: &Path) -> Result<Option<Changed>> {
    let _owner = AsOwner::take().map_err(|error| obstacle::failed("bring back", path, &error))?;
    match rename_new(&aside(path), path) {
        Ok(()) => Ok(Some(Changed::flushed(path))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => Ok(None),
        Err(error) => Err(obstacle::failed("bring back", path, &error)),
    }
}

impl Aside {
    /// Where it is.
    pub(crate) fn place(&self) -> PathBuf {
        aside(&self.path)
    }

    /// Destroys it.
    ///
    /// Fails when it exists and cannot be removed. It stays aside then, and is not put back.
    pub(crate) fn discard(mut self) -> Result<Changed> {
        self.discarded = true;
        let _owner = AsOwner::take().map_err(|error| obstacle::failed("remove", &self.path, &error))?;
        sweep(&self.path);
        remove_successor(&self.path);
        remove_one(&aside(&self.path))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if !self.discarded {
            // Something else has failed, and that is what the person is told. Where this fails, too, it stays
            // where the next reader finds it.
            let _ = restore(&self.path);
        }
    }
}

/// Renames a file or a folder to a name that nothing has.
///
/// [`ErrorKind::AlreadyExists`] when something has it; [`ErrorKind::Unsupported`] where the system or its file
/// system cannot tell that in the same moment.
pub(crate) fn rename_exclusively(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Err(ErrorKind::Unsupported.into()),
        Err(errno) => Err(errno.into()),
    }
}

/// As [`rename_exclusively`]; where that is not to be had, after a look.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_exclusively(from, to) {
        Err(error) if error.kind() == ErrorKind::Unsupported => match fs::symlink_metadata(to) {
            Ok(_) => Err(ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to),
        },
        outcome => outcome,
    }
}

/// Removes a document, where there is one, what was set aside of it, and what killed writes of it left. The caller
/// holds the lock that guards it.
///
/// Fails when it exists and cannot be removed; it is still there then.
pub(crate) fn remove(path: &Path) -> Result<Changed> {
    let _owner = AsOwner::take().map_err(|error| obstacle::failed("remove", path, &error))?;
    // First, as one that stayed would be taken for the last copy of what is gone.
    remove_superseded(path);
    sweep(path);
    remove_one(path)
}

/// Removes a file, where there is one.
fn remove_one(path: &Path) -> Result<Changed> {
    match fs::remove_file(path) {
        Ok(()) => Ok(Changed::flushed(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Changed::nothing()),
        Err(error) => Err(obstacle::failed("remove", path, &error)),
    }
}

/// Makes a folder and those above it, each 0700, where it is not there. The folders that they are made in are
/// flushed: what is durable in a folder that is not is gone with it.
///
/// Fails when it cannot be made.
pub(crate) fn make_folder(folder: &Path) -> Result<Changed> {
    if folder.is_dir() {
        return Ok(Changed::nothing());
    }
    let failed = |error: &io::Error| obstacle::failed("make the folder", folder, error);
    let _owner = AsOwner::take().map_err(|error| failed(&error))?;
    let mut missing: Vec<&Path> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    let mut changed = Changed::nothing();
    while let Some(next) = missing.pop() {
        match DirBuilder::new().mode(0o700).create(next) {
            Ok(()) => changed = Changed::flushed(next).after(changed),
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && next.is_dir() => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    // Where it exists, and is none.
    if folder.is_dir() { Ok(changed) } else { Err(failed(&ErrorKind::NotADirectory.into())) }
}

/// Flushes the folder that a document stands in: only then is a rename or a removal durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    sync_file(&File::open(path.parent().unwrap_or(Path::new("/")))?)
}

/// Flushes a file or a folder, on file systems that can (fsync(2): `EINVAL` where they cannot).
fn sync_file(file: &File) -> io::Result<()> {
    match file.sync_all() {
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOTSUP | libc::ENOSYS))
                || error.kind() == ErrorKind::Unsupported =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}

const TEMPORARY_SUFFIX: &str = ".tmp";
/// So many random characters are in the name of a temporary file.
const RANDOM: usize = 6;
/// What stands in their place in the name of a document that is set aside: shorter, so that the names never meet.
const ASIDE: &str = "aside";
/// What stands there in the name of a document's successor.
const SUCCESSOR: &str = "next";

fn temporary_prefix(target: &Path) -> String {
    format!(".{}.", target.file_name().unwrap_or_default().to_string_lossy())
}

/// The place beside a document by that name.
fn beside(target: &Path, name: &str) -> PathBuf {
    target.with_file_name(format!("{}{name}{TEMPORARY_SUFFIX}", temporary_prefix(target)))
}

/// The document beside which a file of that name is what was set aside of it, or its successor.
pub(crate) fn document_of(path: &Path) -> Option<PathBuf> {
    let rest = path.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(TEMPORARY_SUFFIX)?;
    let (document, name) = rest.rsplit_once('.')?;
    [ASIDE, SUCCESSOR].contains(&name).then(|| path.with_file_name(document))
}

/// Whether something of that name, beside a document, is what is left of a write of it that was killed: a temporary
/// file of the document itself, and not of another one whose name begins alike.
fn is_temporary(name: &str, prefix: &str) -> bool {
    let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(TEMPORARY_SUFFIX));
    random.is_some_and(|random| random.len() == RANDOM && random.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Removes what a killed write left. Nobody else is writing: the caller holds the lock. That a file
/// cannot be removed is no reason to fail the write.
fn sweep(target: &Path) {
    let prefix = temporary_prefix(target);
    let Some(Ok(entries)) = target.parent().map(fs::read_dir) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().is_some_and(|name| is_temporary(name, &prefix)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes what a document, now in its place or gone for good, has left under its two other names.
fn remove_superseded(target: &Path) {
    for name in [ASIDE, SUCCESSOR] {
        // Mostly there is none.
        let _ = fs::remove_file(beside(target, name));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_write_sweeps_what_was_left_of_its_own_document_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let (left, kept) = (
            [".prod.a1B2c3.tmp", ".prod.ZZZZZZ.tmp"],
            [
                ".prod.eu.a1B2c3.tmp",
                ".prod.aside.tmp",
                ".prod.next.tmp",
                "prod.a1B2c3.tmp",
                ".prod.tmp",
                ".prod.x.tmp",
            ],
        );
        left.iter().chain(&kept).for_each(|name| fs::write(at(name), "x").expect("written"));
        drop(prepare(&at("prod"), b"new").expect("prepared"));
        assert!(left.iter().all(|name| !at(name).exists()));
        assert!(kept.iter().all(|name| at(name).exists()), "also the last copy of something");
        assert_eq!(write(&at("prod"), b"new").expect("written").unconfirmed.map(|e| e.kind()), None);
        assert!(!at(".prod.aside.tmp").exists() && !at(".prod.next.tmp").exists(), "both are superseded");
        assert!(at(".prod.eu.a1B2c3.tmp").exists(), "somebody writes that one just now");
    }

    #[test]
    fn what_is_set_aside_comes_back_unless_it_is_discarded() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("it");
        let text = || fs::read_to_string(&path).ok();
        fs::write(&path, "old").expect("written");
        let set = set_aside(&path).expect("set aside");
        assert_eq!(text(), None);
        drop(set);
        assert_eq!(text().as_deref(), Some("old"));
        // As if killed: whoever comes next counts it as the document.
        std::mem::forget(set_aside(&path).expect("set aside"));
        drop(set_aside(&path).expect("set aside again"));
        assert_eq!(text().as_deref(), Some("old"));
        // What has taken its place meanwhile is the newer one.
        let set = set_aside(&path).expect("set aside");
        fs::write(&path, "new").expect("written");
        drop(set);
        assert_eq!(text().as_deref(), Some("new"));
        assert!(restore(&path).expect("nothing to do").is_none());
        drop(set_aside(&path).expect("set aside").discard().expect("removed"));
        assert!(text().is_none() && !aside(&path).exists());
        assert!(restore(&path).expect("nothing to do").is_none());
    }

    #[test]
    fn a_folder_is_made_with_those_above_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a/b/c");
        assert!(make_folder(&deep).expect("made").unconfirmed.is_none());
        assert!(make_folder(&deep).expect("there").unconfirmed.is_none());
        for made in [&deep, &folder.path().join("a")] {
            assert_eq!(fs::metadata(made).expect("there").mode() & 0o777, 0o700);
        }
        fs::write(deep.join("file"), "").expect("written");
        assert!(make_folder(&deep.join("file/d")).is_err());
    }
}
