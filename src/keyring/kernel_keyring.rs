//! Where a decrypted document is kept for a while: the keyring that the Linux kernel has of each user.
//!
//! It is in the memory of the kernel, never on a disk, and the kernel drops it when its time is over, whether or
//! not anything of ours still runs. The keyring is the user's (`@u`, `user-keyring(7)`) and not the session's
//! (`@s`): a second terminal, a hook, a cron job of the same person must find it, and each login has a session
//! keyring of its own. Nor the persistent one, which is to outlive all logins. What ties it to us is possession:
//! only who has `@u` among the keyrings of its process may look, which we see to ourselves, as some services
//! and containers start without.
//!
//! It helps, and nothing depends on it: where the kernel has none, or its quota is used up (32 KiB for a
//! document, 20 kB for all of a user on some systems), everything works as before and asks each time.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use zeroize::Zeroizing;

use crate::digest::sha256_hex;
use crate::disk::atomic::Bytes;
use crate::secret::Secret;

/// What is kept of an encrypted document.
pub(crate) struct Kept {
    /// The SHA-256 of the file that the document was decrypted from, so that it never goes before a newer one.
    pub digest: String,
    /// The document.
    pub document: Bytes,
    /// The passphrase that opens the file: a grant that is refreshed is to be encrypted again without asking.
    pub passphrase: Option<Secret>,
    /// Until when, in seconds of Unix time: a refresh must not make it last longer.
    pub until: u64,
}

/// When something ends that is kept from now on.
pub(crate) fn until(keep: Duration) -> u64 {
    now().saturating_add(keep.as_secs())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The name of what is kept of a file: one in another home is another.
fn description(path: &Path) -> String {
    format!("alchemy-cli:{}", sha256_hex(path.as_os_str().as_encoded_bytes()))
}

impl Kept {
    fn to_bytes(&self) -> Bytes {
        let passphrase = self.passphrase.as_ref().map_or("", Secret::expose);
        let head = format!("{} {} {}\n", self.digest, self.until, passphrase.len());
        Zeroizing::new([head.as_bytes(), passphrase.as_bytes(), &self.document].concat())
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let mut head = str::from_utf8(&bytes[..end]).ok()?.split(' ');
        let (digest, until, length) = (head.next()?, head.next()?, head.next()?);
        let (passphrase, document) = bytes[end + 1..].split_at_checked(length.parse().ok()?)?;
        let passphrase = str::from_utf8(passphrase).ok()?;
        Some(Self {
            digest: digest.to_owned(),
            document: Zeroizing::new(document.to_vec()),
            passphrase: (!passphrase.is_empty()).then(|| Secret::from(passphrase.to_owned())),
            until: until.parse().ok()?,
        })
    }
}

/// What is kept of a file.
pub(crate) fn find(path: &Path) -> Option<Kept> {
    let kept = Kept::from_bytes(&kernel::read(&description(path))?)?;
    (kept.until > now()).then_some(kept)
}

/// Keeps it, in the place of what was kept of the file before. Whether it is.
pub(crate) fn keep(path: &Path, kept: &Kept) -> bool {
    let left = kept.until.saturating_sub(now());
    left > 0 && kernel::write(&description(path), &kept.to_bytes(), left).is_some()
}

/// Forgets what is kept of a file. Whether anything was.
pub(crate) fn forget(path: &Path) -> bool {
    kernel::remove(&description(path)).is_some()
}

#[cfg(target_os = "linux")]
mod kernel {
    use linux_keyutils::{KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
    use zeroize::Zeroizing;

    use super::Bytes;

    /// The largest that the kernel takes, in bytes (`add_key(2)`).
    const LARGEST: usize = 32_767;

    /// The process's keyring and, linked into it so that what is there is possessed, the user's.
    fn keyrings() -> Option<(KeyRing, KeyRing)> {
        let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true).ok()?;
        process.link_keyring_id(KeyRingIdentifier::User).ok()?;
        Some((process, KeyRing::from_special_id(KeyRingIdentifier::User, true).ok()?))
    }

    pub(super) fn read(description: &str) -> Option<Bytes> {
        let (_, user) = keyrings()?;
        let mut bytes = Zeroizing::new(vec![0; LARGEST]);
        let length = user.search(description).ok()?.read(&mut *bytes).ok()?;
        bytes.truncate(length.min(LARGEST));
        Some(bytes)
    }

    /// It gets its time and its permissions before anybody can find it: killed in between, nothing stays.
    pub(super) fn write(description: &str, bytes: &[u8], seconds: u64) -> Option<()> {
        let (process, user) = keyrings()?;
        let key = process.add_key(description, bytes).ok()?;
        key.set_timeout(usize::try_from(seconds).ok()?).ok()?;
        key.set_perms(KeyPermissionsBuilder::builder().posessor(Permission::ALL).build()).ok()?;
        user.link_key(key).ok()
    }

    pub(super) fn remove(description: &str) -> Option<()> {
        let (_, user) = keyrings()?;
        user.search(description).ok()?.invalidate().ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use super::Bytes;

    pub fn read(_: &str) -> Option<Bytes> {
        None
    }

    pub fn write(_: &str, _: &[u8], _: u64) -> Option<()> {
        None
    }

    pub fn remove(_: &str) -> Option<()> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_as_it_was() {
        for passphrase in [None, Some("hunter2\n with a line")] {
            let kept = Kept {
                digest: "d".repeat(64),
                document: Zeroizing::new(b"{\n}".to_vec()),
                passphrase: passphrase.map(|text| Secret::from(text.to_owned())),
                until: 7,
            };
            let found = Kept::from_bytes(&kept.to_bytes()).expect("whole");
            assert_eq!((found.digest, found.document, found.until), (kept.digest, kept.document, 7));
            assert_eq!(found.passphrase, kept.passphrase);
        }
        for broken in [&b""[..], b"x", b"d 7 9\nshort", b"d x 0\n", b"d 7\n"] {
            assert!(Kept::from_bytes(broken).is_none());
        }
    }
}
