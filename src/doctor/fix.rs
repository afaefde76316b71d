//! What `--fix` does: only what is safe whoever else is at work, and whatever somebody has put there.
//!
//! A mode is set through an open file that is no link and lies below the home; a lock goes only by its own
//! protocol; nothing that somebody has put in a place meanwhile is replaced; a file of a shell is read again
//! before a line of it changes, and keeps its mode.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::AT_FDCWD;
use nix::libc;
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};

use super::{Fix, Machine, few, rc};
use crate::error::{Error, Result};
use crate::profile::ProfileName;
use crate::store::atomic::{self, Changed};
use crate::store::{Store, npm_lock};
use crate::terminal::Messages;

/// Mends it; what was done. `store` is there where `config.json` can be understood.
///
/// # Errors
/// When it could not be mended, or is not as it was found any more; what is there is still whole then.
pub fn apply(machine: &Machine, fix: &Fix, store: Option<&Store>, messages: Messages) -> Result<String> {
    let profile = |name: &ProfileName| {
        let unknown = || Error::new(format!("profile '{name}' is not there any more"));
        let store = store.ok_or_else(unknown)?;
        Ok::<_, Error>((store, store.get(name)?.ok_or_else(unknown)?))
    };
    match fix {
        Fix::Private(paths) => {
            for path in paths {
                inside(machine, path)?;
                make_private(path, machine.uid).map_err(|error| Error::io("make private", path, &error))?;
            }
            Ok(format!("made private: {}", shown(machine, paths)))
        }
        Fix::Sweep(paths) => {
            for path in paths {
                inside(machine, path)?;
                fs::remove_file(path).map_err(|error| Error::io("remove", path, &error))?;
            }
            Ok(format!("removed {}", shown(machine, paths)))
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
        Fix::Save { path, text } => {
            if path.exists() {
                own(path, machine.uid)?;
                let is_ours =
                    rc::text(path).is_some_and(|old| old.trim().is_empty() || rc::begin_alike(&old, text));
                if !is_ours {
                    let what = format!("{} is not alchemy's any more", path.display());
                    return Err(Error::new(what).hint("change it by hand"));
                }
            }
            atomic::prepare(path, text.as_bytes())?.keeping_mode()?.commit()?.say(&messages);
            Ok(format!("wrote {} anew", machine.show(path)))
        }
        Fix::Line { path, line, with } => {
            change_line(path, line.as_bytes(), with.as_deref(), machine.uid)?.say(&messages);
            // Not the line itself: whatever else stands in it is nobody's business.
            let done = if with.is_some() { "corrected the hook" } else { "removed the second hook" };
            Ok(format!("{done} in {}", machine.show(path)))
        }
    }
}

fn shown(machine: &Machine, paths: &[PathBuf]) -> String {
    few(&paths.iter().map(|path| machine.show(path)).collect::<Vec<_>>())
}

/// Refuses what does not lie below the home, by its real path: a folder there may have become a link.
fn inside(machine: &Machine, path: &Path) -> Result<()> {
    let real = |path: &Path| path.canonicalize().map_err(|error| Error::io("find", path, &error));
    let root = real(machine.home.root())?;
    let folder = if path == machine.home.root() { path } else { path.parent().unwrap_or(path) };
    if real(folder)?.starts_with(root) {
        Ok(())
    } else {
        Err(Error::new(format!("{} does not lie below the home any more", path.display())))
    }
}

/// Sets the mode of what is there, and not of what a link leads to.
fn make_private(path: &Path, uid: u32) -> io::Result<()> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => {
            let metadata = file.metadata()?;
            if metadata.uid() != uid || !(metadata.is_file() || metadata.is_dir()) {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
            file.set_permissions(Permissions::from_mode(private(&metadata)))
        }
        // One that its owner may not even read.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let mode = Mode::from_bits_truncate(private(&fs::symlink_metadata(path)?));
            Ok(fchmodat(AT_FDCWD, path, mode, FchmodatFlags::NoFollowSymlink)?)
        }
        // The home itself may be a link, which is the person's own.
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) && path.is_dir() => fs::metadata(path)
            .and_then(|metadata| {
                if metadata.uid() != uid {
                    return Err(io::ErrorKind::PermissionDenied.into());
                }
                File::open(path)?.set_permissions(Permissions::from_mode(0o700))
            }),
        Err(error) => Err(error),
    }
}

/// The mode that is right for something: a program stays one.
fn private(metadata: &Metadata) -> u32 {
    if metadata.is_dir() { 0o700 } else { metadata.mode() & 0o700 | 0o600 }
}

/// Refuses a file that is not the person's own.
fn own(path: &Path, uid: u32) -> Result<()> {
    let metadata = fs::metadata(path).map_err(|error| Error::io("read", path, &error))?;
    if metadata.is_file() && metadata.uid() == uid {
        Ok(())
    } else {
        Err(Error::new(format!("{} is no file of your own", path.display())).hint("change it by hand"))
    }
}

/// Replaces the last line that is this one, or takes it out. All else stays byte for byte.
fn change_line(path: &Path, line: &[u8], with: Option<&str>, uid: u32) -> Result<Changed> {
    own(path, uid)?;
    let bytes = fs::read(path).map_err(|error| Error::io("read", path, &error))?;
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let is_it = |other: &&[u8]| other.strip_suffix(b"\n").unwrap_or(other) == line;
    let changed = || Error::new(format!("{} has changed meanwhile", path.display())).hint("alchemy doctor");
    let at = lines.iter().rposition(is_it).ok_or_else(changed)?;
    let new = with.map(|with| [with.as_bytes(), b"\n"].concat());
    match &new {
        Some(new) => lines[at] = new,
        None => drop(lines.remove(at)),
    }
    atomic::prepare(path, &lines.concat())?.keeping_mode()?.commit()
}
