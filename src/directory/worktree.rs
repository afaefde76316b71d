//! Linked git worktrees (gitrepository-layout(5), "worktrees"): they are covered by their main one.
//!
//! The `.git` file of a worktree is worth nothing by itself: an unpacked archive can hold one that points
//! anywhere. The proof is the back pointer, which stands in the main repository.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::file;

/// The most that is read of git's small files, in bytes: a path fits.
const LIMIT: u64 = 8 * 1024;

/// A linked worktree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Worktree {
    /// Its root.
    pub root: PathBuf,
    /// The root of its main worktree.
    pub main: PathBuf,
}

impl Worktree {
    /// The linked worktree that a directory, given by its real path, is in. `uid` is the person's.
    pub(super) fn of(directory: &Path, uid: u32) -> Option<Self> {
        directory.ancestors().find_map(|root| Some(Self { root: root.to_owned(), main: main_of(root, uid)? }))
    }

    /// The same path in the main worktree.
    pub(super) fn in_main(&self, path: &Path) -> Option<PathBuf> {
        // By its parts: joining an empty path would leave a slash at the end.
        path.strip_prefix(&self.root)
            .ok()
            .map(|below| self.main.components().chain(below.components()).collect())
    }
}

/// The root of the main worktree of the linked one with this root.
fn main_of(root: &Path, uid: u32) -> Option<PathBuf> {
    let own = root.join(".git");
    let line = first_line(&own, Some(uid))?;
    let folder = OsStr::from_bytes(line.as_os_str().as_bytes().strip_prefix(b"gitdir: ")?);
    let folder = fs::canonicalize(root.join(folder)).ok()?;
    let common = fs::canonicalize(folder.join(first_line(&folder.join("commondir"), None)?)).ok()?;
    let back = fs::canonicalize(folder.join(first_line(&folder.join("gitdir"), None)?)).ok()?;
    // `own` must be what it is by its real path: as a link it could lead to the file of another worktree.
    let proven = folder.parent() == Some(&common.join("worktrees")) && back == own;
    (proven && common.file_name() == Some(OsStr::new(".git"))).then(|| common.parent().map(Path::to_owned))?
}

fn first_line(path: &Path, owner: Option<u32>) -> Option<PathBuf> {
    let small = file::read(path, LIMIT, owner).ok()??;
    let line = small.bytes.split(|byte| *byte == b'\n').next()?;
    (!line.is_empty()).then(|| OsStr::from_bytes(line).into())
}
