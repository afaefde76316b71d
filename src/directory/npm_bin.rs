//! A project's own npm `alchemy`: where its program is, whether it may be trusted with a credential, and its
//! version.
//!
//! It is looked for as npm's own tools do, in `node_modules/.bin` of each directory upward, but never beyond the
//! repository or the home: what somebody has put above those is not the project's. And nothing is taken that
//! others than the person and root can change: whoever changes it gets the credential.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};
use serde::Deserialize;

use super::file;
use crate::error::{Error, Kind, Result, reason};

/// The most that is read of a `package.json`, in bytes: version 2's has 100 KB of exports.
const LIMIT: u64 = 1024 * 1024;

/// The program below a directory.
const BIN: &str = "node_modules/.bin/alchemy";

/// A program that may be run.
#[derive(Debug)]
pub(crate) struct NpmBin {
    /// Its path in `node_modules/.bin`.
    pub program: PathBuf,
    /// The file that this leads to.
    pub file: FileId,
    /// The version that its package says it has.
    pub version: Option<String>,
}

impl NpmBin {
    /// Whether it is of version 2 or later, as far as is known.
    pub(crate) fn is_version_2(&self) -> bool {
        let major =
            self.version.as_deref().and_then(|version| version.split('.').next()?.parse::<u64>().ok());
        major.is_some_and(|major| major >= 2)
    }
}

/// A file, whatever its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// The file with this metadata.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

impl std::fmt::Display for FileId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.device, self.inode)
    }
}

/// The npm `alchemy` for a directory, which is given by its real path, where there is one; `uid` is the person's.
///
/// Fails when there is one that others can change, or that cannot be run.
pub(crate) fn find(directory: &Path, home: &Path, uid: u32) -> Result<Option<NpmBin>> {
    let top = top(directory, home);
    let mut programs = on_the_way(directory, top).map(|at| at.join(BIN));
    let Some(program) = programs.find(|program| fs::symlink_metadata(program).is_ok()) else {
        return Ok(None);
    };
    let target = fs::canonicalize(&program).map_err(|error| {
        Error::of(Kind::NotFound, format!("cannot run {}: {}", program.display(), reason(&error)))
            .hint("install the project's packages again: npm install, or bun install")
    })?;
    check(&program, &target, top, uid)?;
    let metadata = fs::metadata(&target).map_err(|error| Error::io("read", &target, &error))?;
    if !metadata.is_file() || metadata.mode() & 0o111 == 0 {
        return Err(Error::of(
            Kind::NotExecutable,
            format!("cannot run {}: permission denied", program.display()),
        )
        .hint(format!("make it executable: chmod +x {}", target.display())));
    }
    let version = version(&program, &target, uid);
    Ok(Some(NpmBin { program, file: FileId::of(&metadata), version }))
}

/// How far up is looked: to the root of the repository or to the home, whatever comes first. Outside of both,
/// no further than the directory itself.
pub(crate) fn top<'a>(directory: &'a Path, home: &Path) -> &'a Path {
    let home = fs::canonicalize(home).unwrap_or_else(|_| home.to_owned());
    let is_top = |at: &&Path| *at == home || fs::symlink_metadata(at.join(".git")).is_ok();
    directory.ancestors().find(is_top).unwrap_or(directory)
}

/// A path and the folders that it is in, up to the top; of one that is elsewhere, all.
fn on_the_way<'a>(path: &'a Path, top: &'a Path) -> impl Iterator<Item = &'a Path> {
    let is_within = path.starts_with(top);
    path.ancestors().take_while(move |at| !is_within || at.starts_with(top))
}

/// Checks the program, the file that it leads to, and the folders on the way to both.
fn check(program: &Path, target: &Path, top: &Path, uid: u32) -> Result<()> {
    let folder = program.parent().and_then(|folder| fs::canonicalize(folder).ok());
    let real = [folder.as_deref(), Some(target)].into_iter().flatten();
    for path in on_the_way(program, top).chain(real.flat_map(|path| on_the_way(path, top))) {
        let metadata = fs::symlink_metadata(path).map_err(|error| Error::io("read", path, &error))?;
        let shown = path.display();
        let (why, mend) = if metadata.uid() != uid && metadata.uid() != 0 {
            let why = format!("{shown} belongs to user {}, not to you or root", metadata.uid());
            (why, format!("see what it is: ls -ld {shown}"))
        } else if can_be_changed_by_others(&metadata, uid) {
            let why = format!("others can change {shown} (mode {:04o})", metadata.mode() & 0o7777);
            (why, format!("chmod go-w {shown}"))
        } else {
            continue;
        };
        let own_word = format!("or, on your own word: alchemy exec PROFILE -- {}", program.display());
        return Err(
            Error::new(format!("npm's alchemy is not run: {why}")).hint(format!("{mend}; {own_word}"))
        );
    }
    Ok(())
}

fn can_be_changed_by_others(metadata: &Metadata, uid: u32) -> bool {
    // A link has no mode of its own; of what a sticky folder holds, only the owner can take anything away.
    let is_exempt = metadata.is_symlink() || (metadata.is_dir() && metadata.mode() & 0o1000 != 0);
    let by_group = metadata.mode() & 0o020 != 0 && !is_private(metadata.gid(), uid);
    !is_exempt && (metadata.mode() & 0o002 != 0 || by_group)
}

/// Whether nobody else is in the group: where everyone has one of their own (Fedora, and Debian's `adduser`),
/// files that it may write are usual.
fn is_private(gid: u32, uid: u32) -> bool {
    let Ok(Some(group)) = Group::from_gid(Gid::from_raw(gid)) else { return false };
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(uid)) else { return false };
    (group.name == user.name || gid == 0) && group.mem.iter().all(|member| *member == user.name)
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
}

/// The version of the package that the program belongs to: of the file that it leads to (npm, bun and yarn link
/// it), else of the one beside `.bin` (pnpm writes a script instead).
fn version(program: &Path, target: &Path, uid: u32) -> Option<String> {
    let own = target.ancestors().skip(1).take_while(|folder| !folder.ends_with("node_modules"));
    let beside = program.ancestors().nth(2).map(|modules| modules.join("alchemy"));
    let folders = own.map(Path::to_owned).chain(beside);
    let package = |folder: PathBuf| {
        let small = file::read(&folder.join("package.json"), LIMIT, Some(uid)).ok()??;
        serde_json::from_slice::<Package>(&small.bytes).ok()
    };
    folders.filter_map(package).find(|package| package.name == "alchemy").map(|package| package.version)
}
