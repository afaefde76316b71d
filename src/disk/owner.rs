//! Acting on files as the owner of the data folder: as root in another person's folder, what is made there is theirs, and
//! no link of theirs leads us where they could not go themselves.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::unistd::{Gid, Uid, geteuid};

static DATA_FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// The owner of the data folder, where we are root and somebody else is.
static OWNER: OnceLock<Owner> = OnceLock::new();

#[derive(Debug, Clone, Copy)]
struct Owner {
    user: Uid,
    group: Gid,
    /// The owner may not go where the folder is: a person's folder that is mounted below `/root` in a container.
    is_shut_out: bool,
}

/// Has all that is done with files of the data folder from now on be done as its owner, where we are root. Where
/// there is no folder yet, as the owner of the one that it will be made in.
pub(crate) fn act_as_owner_of(root: &Path) {
    // It is the same in all of a process.
    let _ = DATA_FOLDER.set(root.to_owned());
    if !geteuid().is_root() {
        return;
    }
    let existing = root.ancestors().find_map(|folder| fs::metadata(folder).ok());
    if let Some(folder) = existing.filter(|folder| folder.uid() != 0) {
        let (user, group) = (Uid::from_raw(folder.uid()), Gid::from_raw(folder.gid()));
        let owner = Owner { user, group, is_shut_out: false };
        let is_shut_out = AsOwner::become_one(owner).is_ok_and(|_owner| {
            let found = fs::metadata(root).map_err(|error| error.kind());
            found.is_err_and(|error| error == ErrorKind::PermissionDenied)
        });
        let _ = OWNER.set(Owner { is_shut_out, ..owner });
    }
}

/// The data folder, once it is known.
pub(super) fn data_folder() -> Option<&'static Path> {
    DATA_FOLDER.get().map(PathBuf::as_path)
}

/// To whom the data folder must belong, with all that is in it: to us; where we are root, to its owner, and if that is
/// root, too, to the owner of the home directory that it lies in.
pub(crate) fn rightful_owner(root: &Path, us: u32) -> u32 {
    let owner = |folder: &Path| fs::metadata(folder).map(|metadata| metadata.uid()).ok();
    match owner(root) {
        _ if us != 0 => us,
        Some(owner) if owner != 0 => owner,
        _ => root.parent().and_then(owner).unwrap_or(us),
    }
}

pub(super) fn acting_for() -> u32 {
    OWNER.get().map_or_else(geteuid, |owner| owner.user).as_raw()
}

/// For as long as it lives, this thread acts on files as the data folder's owner, where that is not us.
pub(crate) struct AsOwner(Option<(Uid, Gid)>);

impl AsOwner {
    /// Becomes the owner; nothing where that is us.
    ///
    /// Fails when the system refuses: what we made would be root's, and lock the owner out.
    pub(crate) fn take() -> io::Result<Self> {
        OWNER.get().map_or(Ok(Self(None)), |owner| Self::become_one(*owner))
    }

    fn become_one(owner: Owner) -> io::Result<Self> {
        let this = Self(Some(switch(owner.user, owner.group)?));
        if owner.is_shut_out {
            keep_access()?;
        }
        Ok(this)
    }
}

impl Drop for AsOwner {
    fn drop(&mut self) {
        if let Some((user, group)) = self.0 {
            // It was ours a moment ago.
            let _ = switch(user, group);
        }
    }
}

/// Acts as this user and group; who it was before.
#[cfg(target_os = "linux")]
fn switch(user: Uid, group: Gid) -> io::Result<(Uid, Gid)> {
    use nix::unistd::{setfsgid, setfsuid};
    // For files only, and for this thread only. The group first: afterwards it may not be changed. On the way
    // back that order is refused, so it is tried again when the user is back.
    let before_group = setfsgid(group);
    let before_user = setfsuid(user);
    setfsgid(group);
    // Neither tells whether it succeeded; the next one tells what is in force.
    if setfsuid(user) == user && setfsgid(group) == group {
        return Ok((before_user, before_group));
    }
    setfsuid(before_user);
    setfsgid(before_group);
    Err(refused(user))
}

/// Keeps root's access to what the owner may not reach. What is made is still the owner's.
#[cfg(target_os = "linux")]
fn keep_access() -> io::Result<()> {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let mut sets = capabilities(None)?;
    // The kernel has just taken them; with root's user it gives them back by itself (capabilities(7)).
    sets.effective |= sets.permitted & (CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
    Ok(set_capabilities(None, sets)?)
}

#[cfg(not(target_os = "linux"))]
fn keep_access() -> io::Result<()> {
    Err(ErrorKind::PermissionDenied.into())
}

#[cfg(not(target_os = "linux"))]
fn switch(user: Uid, group: Gid) -> io::Result<(Uid, Gid)> {
    use nix::unistd::{getegid, setegid, seteuid};
    let before = (geteuid(), getegid());
    let root = seteuid(Uid::from_raw(0));
    root.and_then(|()| setegid(group)).and_then(|()| seteuid(user)).map_err(|_| refused(user))?;
    Ok(before)
}

fn refused(user: Uid) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, format!("cannot act as user {user}, whose folder it is"))
}
