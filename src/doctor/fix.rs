//! What `--fix` does: only what is safe whoever else is at work, and whatever somebody has put there.
//!
//! A mode is set through an open file that is no link, lies below the home and is ours alone; a lock goes only
//! by its own protocol; nothing that somebody has put in a place meanwhile is replaced. The files of shells are
//! the person's: what belongs there, or does not, is printed.

use std::fs::{self, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::libc;
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};

use super::{Fix, Machine, few};
use crate::disk::home::Home;
use crate::disk::trust::Closed;
use crate::disk::{npm_lock, obstacle, trusted};
use crate::error::{Error, Result};
use crate::profile::ProfileName;
use crate::store::Store;
use crate::terminal::Messages;

/// Mends it; what was done. `store` is there where `config.json` can be understood.
///
/// Fails when it could not be mended, or is not as it was found any more; what is there is still whole then.
pub(crate) fn apply(
    machine: &Machine,
    fix: &Fix,
    store: Option<&Store>,
    messages: Messages,
) -> Result<String> {
    let profile = |name: &ProfileName| {
        let unknown = || Error::new(format!("profile '{name}' is not there any more"));
        let store = store.ok_or_else(unknown)?;
        Ok::<_, Error>((store, store.get(name)?.ok_or_else(unknown)?))
    };
    match fix {
        Fix::Private(paths) => {
            for path in paths {
                inside(machine, path)?;
                make_private(machine.home, path)
                    .map_err(|error| obstacle::failed("make private", path, &error))?;
            }
            Ok(format!("made private: {}", shown(machine, paths)))
        }
        Fix::Release(left) => {
            npm_lock::release(machine.home, left, messages)?;
            Ok(format!("removed the lock {}", machine.show(&left.path)))
        }
        Fix::BringBack(name) => {
            let (store, profile) = profile(name)?;
            let from = store.bring_back(&profile)?;
            Ok(format!("brought the credential of profile '{name}' back from {}", machine.show(&from)))
        }
        Fix::BringHome(name) => {
            let (store, profile) = profile(name)?;
            store.bring_home(&profile)?;
            Ok(format!("brought the session of profile '{name}' into the {} store", profile.store))
        }
    }
}

fn shown(machine: &Machine, paths: &[PathBuf]) -> String {
    few(&paths.iter().map(|path| machine.show(path)).collect::<Vec<_>>())
}

/// Refuses what does not lie below the home, by its real path: a folder there may have become a link.
fn inside(machine: &Machine, path: &Path) -> Result<()> {
    let real = |path: &Path| path.canonicalize().map_err(|error| obstacle::failed("find", path, &error));
    let root = real(machine.home.root())?;
    let folder = if path == machine.home.root() { path } else { path.parent().unwrap_or(path) };
    if real(folder)?.starts_with(root) {
        Ok(())
    } else {
        Err(Error::new(format!("{} does not lie below the home any more", path.display())))
    }
}

/// Sets the mode of what is there, and not of what a link leads to, where it is still ours alone.
fn make_private(home: &Home, path: &Path) -> io::Result<()> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    // The home itself may be a link, which is the person's own.
    let no_link = if path == home.root() { 0 } else { libc::O_NOFOLLOW };
    let alone = |metadata: &Metadata| {
        let is_alone = trusted::is_ours_alone(home, path, metadata);
        if is_alone { Ok(()) } else { Err(io::Error::from(io::ErrorKind::PermissionDenied)) }
    };
    match OpenOptions::new().read(true).custom_flags(flags | no_link).open(path) {
        Ok(file) => {
            let metadata = file.metadata()?;
            alone(&metadata)?;
            if trusted::make_private(&file, &metadata, Closed::ToAll)? {
                Ok(())
            } else {
                Err(io::Error::other("its file system keeps no modes"))
            }
        }
        // One that its owner may not even read.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let metadata = fs::symlink_metadata(path)?;
            if metadata.is_file() {
                alone(&metadata)?;
            }
            let mode = Mode::from_bits_truncate(trusted::private(&metadata));
            Ok(fchmodat(AT_FDCWD, path, mode, FchmodatFlags::NoFollowSymlink)?)
        }
        Err(error) => Err(error),
    }
}
