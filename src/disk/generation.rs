//! Marks that move at every change, for those who watch: a shell's hook and direnv (design §9).
//!
//! `generation` moves at every change of bindings, trust, profiles and credentials; a profile's stamp at
//! every change of it or of its credential. Both by their content, and by at least a whole second of their
//! time of modification: direnv and tcsh compare no less. Nothing is in them that anyone must keep.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

use crate::disk::atomic;
use crate::disk::home::Home;
use crate::disk::owner::AsOwner;
use crate::disk::trusted::open_own;
use crate::error::Error;
use crate::profile::ProfileName;

/// More than this is in no such file.
const LONGEST: u64 = 4096;

/// Tells those who watch that something has changed, and these profiles in particular. Called when the change
/// is durable: whoever looks then sees it.
///
/// That it cannot be told is no failure of the change: a hook looks anew at the next change of directory. It is said,
/// as an account that is not used any more may stay in a shell until then.
pub(crate) fn moved(home: &Home, profiles: &[&ProfileName]) {
    let paths = profiles.iter().map(|name| home.stamp(name)).chain([home.generation()]);
    let failed = paths.filter_map(|path| move_on(&path).err().map(|error| (path, error))).last();
    if let (Some((path, error)), Some(messages)) = (failed, home.trusts().messages) {
        let error = Error::io("write", &path, &error);
        messages.loss(&format!("open shells keep the old credential until their directory changes: {error}"));
    }
}

/// When a profile or its credential was changed last, as far as is known.
pub(crate) fn changed(home: &Home, name: &ProfileName) -> Option<Timestamp> {
    let file = open_own(&home.stamp(name), OpenOptions::new().read(true)).ok()?;
    Timestamp::from_nanosecond(text_of(&file).try_into().ok()?).ok()
}

/// What the file `generation` says, for a shell that compares it; `None` where it is none of ours.
pub(crate) fn text(home: &Home) -> Option<Vec<u8>> {
    let file = open_own(&home.generation(), OpenOptions::new().read(true)).ok()?;
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Moves one on. What is in its place and cannot be written makes way: it holds nothing.
fn move_on(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        drop(atomic::make_folder(folder).map_err(io::Error::other)?);
    }
    move_after(path, None).or_else(|_| {
        let _owner = AsOwner::take()?;
        let before = fs::symlink_metadata(path)?.modified()?;
        fs::remove_file(path)?;
        move_after(path, Some(before))
    })
}

/// Moves on what is there, or makes it anew after one that had this time.
fn move_after(path: &Path, replaced: Option<SystemTime>) -> io::Result<()> {
    let file = open_own(path, OpenOptions::new().create(true).truncate(false).read(true).write(true))?;
    // Two at once must not give it the same time.
    file.lock()?;
    let before = file.metadata()?.modified()?;
    let before = replaced.map_or(before, |replaced| replaced.max(before));
    let now = SystemTime::now();
    let nanoseconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let text = format!("{:020}\n", nanoseconds.max(text_of(&file).saturating_add(1)));
    file.write_all_at(text.as_bytes(), 0)?;
    // One whose time is the last that there is stays there.
    file.set_modified(before.checked_add(Duration::from_secs(1)).map_or(now, |later| later.max(now)))
}

/// The number in it; 0 for a new one.
fn text_of(file: &File) -> u128 {
    let mut bytes = [0; 20];
    let read = file.read_exact_at(&mut bytes, 0);
    read.ok().and_then(|()| str::from_utf8(&bytes).ok()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_moves_the_content_and_the_time_by_a_second() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::new(Some(folder.path().join("home")), Path::new("/"), None);
        let name = ProfileName::parse("prod").expect("a name");
        let mut seen = Vec::new();
        for _ in 0..3 {
            moved(&home, &[&name]);
            for path in [home.generation(), home.stamp(&name)] {
                let text = std::fs::read_to_string(&path).expect("there");
                let time = std::fs::metadata(&path).and_then(|m| m.modified()).expect("a time");
                seen.push((path, text, time));
            }
        }
        for later in 2..seen.len() {
            let (before, after) = (&seen[later - 2], &seen[later]);
            assert_eq!((&before.0, before.1.len()), (&after.0, after.1.len()));
            assert!(after.1 > before.1, "{} {}", before.1, after.1);
            assert!(after.2 >= before.2 + Duration::from_secs(1));
        }
    }
}
