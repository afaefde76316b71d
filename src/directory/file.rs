//! Reading a small file that anybody may have put there: a repository, an archive, another user.
//!
//! Nothing is read but a regular file of a bounded size (a FIFO or a device would never end), through one
//! open file, so that what was judged is what was read; of a symbolic link, both its own owner and that
//! of its target count.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::SystemTime;

use nix::libc;

use crate::error::reason;

/// How much of a file tells whether it is a text, in bytes.
const START: u64 = 512;

/// A file as it was read.
pub(crate) struct Small {
    /// All of it.
    pub bytes: Vec<u8>,
    /// When it was last changed, where the file system knows.
    pub modified: Option<SystemTime>,
}

/// Why a file that exists was not read.
pub(crate) enum Refusal {
    /// It belongs to this user, who is neither the person nor root.
    Foreign(u32),
    /// It is no regular file.
    Irregular,
    /// It is longer than this many bytes.
    TooLarge(u64),
    /// The system refuses; a link that leads nowhere is one of these.
    Io(io::Error),
}

impl Refusal {
    /// The reason in words, which follow "it".
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Foreign(owner) => format!("belongs to user {owner}, not to you or root"),
            Self::Irregular => "is no regular file".to_owned(),
            Self::TooLarge(limit) => format!("is larger than {} KiB", limit / 1024),
            Self::Io(error) => format!("cannot be read: {}", reason(error)),
        }
    }
}

/// Reads a file of up to `limit` bytes, which must belong to `owner` or root where one is given. `None`
/// when there is no such file. It never blocks.
///
/// Fails when there is something that is not such a file.
pub(crate) fn read(path: &Path, limit: u64, owner: Option<u32>) -> Result<Option<Small>, Refusal> {
    let Some((file, metadata)) = open_regular(path, owner)? else { return Ok(None) };
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len().min(limit)).unwrap_or_default() + 1);
    read_rest(file, &mut bytes, limit)?;
    Ok(Some(Small { bytes, modified: metadata.modified().ok() }))
}

/// Reads a text of up to `limit` bytes, as [`read`] does. `None` also for a program and its like, which is told by its
/// first bytes, and not read any further.
///
/// Fails when there is something that is no regular file, or a text that is larger.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Refusal> {
    let Some((mut file, _)) = open_regular(path, None)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.by_ref().take(START).read_to_end(&mut bytes).map_err(Refusal::Io)?;
    if bytes.contains(&0) {
        return Ok(None);
    }
    read_rest(file, &mut bytes, limit)?;
    Ok(Some(bytes))
}

fn open_regular(path: &Path, owner: Option<u32>) -> Result<Option<(File, Metadata)>, Refusal> {
    let Some(file) = open(path, owner)? else { return Ok(None) };
    let metadata = file.metadata().map_err(Refusal::Io)?;
    check_owner(&metadata, owner)?;
    if metadata.is_file() { Ok(Some((file, metadata))) } else { Err(Refusal::Irregular) }
}

/// Reads what follows in a file that may have up to `limit` bytes, of which `bytes` holds the first ones.
fn read_rest(file: File, bytes: &mut Vec<u8>, limit: u64) -> Result<(), Refusal> {
    let left = (limit + 1).saturating_sub(bytes.len() as u64);
    file.take(left).read_to_end(bytes).map_err(Refusal::Io)?;
    if bytes.len() as u64 > limit { Err(Refusal::TooLarge(limit)) } else { Ok(()) }
}

fn open(path: &Path, owner: Option<u32>) -> Result<Option<File>, Refusal> {
    let open = |more| {
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY | more;
        OpenOptions::new().read(true).custom_flags(flags).open(path)
    };
    // Without following a link first: that way one call tells a missing file from a link to nowhere.
    let error = match open(libc::O_NOFOLLOW) {
        Ok(file) => return Ok(Some(file)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => error,
    };
    match fs::symlink_metadata(path) {
        Ok(metadata) => {
            check_owner(&metadata, owner)?;
            let followed = if metadata.is_symlink() { open(0) } else { Err(error) };
            followed.map(Some).map_err(Refusal::Io)
        }
        // In a folder that may not be searched nobody can say whether it is there.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound) => Ok(None),
        Err(_) => Err(Refusal::Io(error)),
    }
}

fn check_owner(metadata: &Metadata, owner: Option<u32>) -> Result<(), Refusal> {
    match owner {
        Some(owner) if metadata.uid() != owner && metadata.uid() != 0 => {
            Err(Refusal::Foreign(metadata.uid()))
        }
        _ => Ok(()),
    }
}
