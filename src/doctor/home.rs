//! The folder in which everything is kept: whose it is, who else can look into it, what was left in it, and
//! whether the disk under it can be written.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, access};

use super::{Finding, Fix, Machine, few};
use crate::disk::home::{Home, written_to};
use crate::disk::owner::rightful_owner;
use crate::disk::trusted;
use crate::error::reason;
use crate::store::inspect;

/// The most entries that are looked at: a home has a handful for each profile.
const MANY: usize = 10_000;
/// How old a temporary file must be to be one that was left behind: no write takes that long.
const LEFT_BEHIND: Duration = Duration::from_secs(600);
/// What is off with the folder itself and with what is in it.
pub(crate) fn check(machine: &Machine) -> Vec<Finding> {
    let root = machine.home.root();
    let shown = machine.show(root);
    let mut findings = Vec::new();
    let link = match fs::symlink_metadata(root) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return findings,
        Err(error) => {
            let what = format!("cannot look at {shown}: {}", reason(&error));
            let mend = format!("ls -ld {}", machine.word(root));
            return vec![Finding::problem("home-unreadable", what).why("nothing is known then").mend(mend)];
        }
    };
    if link.is_symlink() {
        let Ok(target) = root.canonicalize() else {
            let what = format!("{shown} is a link that leads nowhere");
            let why = "every profile is out of reach (is a disk not mounted?)";
            return vec![
                Finding::problem("home-gone", what).why(why).mend(format!("ls -l {}", machine.word(root))),
            ];
        };
        let what = format!("{shown} is a link to {}", machine.show(&target));
        let why = "secrets are kept there: it must not be a folder that is synchronized or shared";
        findings.push(
            Finding::note("home-link", what).why(why).mend(format!("ls -ld {}", machine.word(&target))),
        );
    }
    if !root.is_dir() {
        let what = format!("{shown} is no folder");
        let mend = format!("mv {0} {0}.old", machine.word(root));
        return vec![Finding::problem("home-no-folder", what).why("nothing can be kept there").mend(mend)];
    }
    let entries = Entries::below(machine.home);
    findings.extend(entries.foreign(machine));
    findings.extend(entries.anothers(machine));
    findings.extend(entries.links(machine));
    if is_for_more(root, machine.user_home) {
        let what = format!("{shown} is a folder for more than what alchemy keeps");
        let why = "so who may look into it, and what was left in it, was not looked at";
        let mend = "set ALCHEMY_HOME to a folder of its own, or unset it";
        findings.push(Finding::note("home-shared", what).why(why).mend(mend));
    } else {
        findings.extend(entries.unreadable(machine));
        findings.extend(entries.open(machine));
        findings.extend(entries.shared(machine));
        findings.extend(entries.left_behind(machine));
    }
    findings.extend(disk(machine));
    findings
}

/// Whether the home is the person's own home directory, is above it, or holds another home of ours.
fn is_for_more(root: &Path, user_home: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(user_home).starts_with(real(root)) || root.join(".alchemy").exists()
}

/// A command for those of the home's entries, and all below them, that these paths are in.
fn command(machine: &Machine, program: &str, change: &str, paths: &[PathBuf]) -> String {
    let root = machine.home.root();
    let first = |path: &PathBuf| Some(root.join(path.strip_prefix(root).ok()?.components().next()?));
    let mut tops: Vec<PathBuf> = paths.iter().filter_map(first).collect();
    tops.sort();
    tops.dedup();
    let itself = paths.iter().any(|path| path == root);
    let itself = itself.then(|| format!("{program} {change} {}", machine.word(root)));
    let words: Vec<String> = tops.iter().map(|path| machine.word(path)).collect();
    let below = (!words.is_empty()).then(|| format!("{program} -R {change} {}", words.join(" ")));
    [itself, below].into_iter().flatten().collect::<Vec<_>>().join(" && ")
}

/// Something in the home, by its path.
type Entry = (PathBuf, Metadata);

/// What is in the home, the home itself first, and each folder before what is in it. Links are not followed,
/// and folders that are neither ours nor npm's are not looked into.
struct Entries<'a> {
    home: &'a Home,
    found: Vec<(PathBuf, Metadata)>,
    /// Folders that could not be listed.
    closed: Vec<PathBuf>,
}

impl<'a> Entries<'a> {
    fn below(home: &'a Home) -> Self {
        let root = home.root();
        let mut this = Self { home, found: Vec::new(), closed: Vec::new() };
        // The home itself may be a link.
        this.found.extend(fs::metadata(root).map(|metadata| (root.to_owned(), metadata)));
        let mut next = 0;
        while let Some((path, metadata)) = this.found.get(next) {
            next += 1;
            if !metadata.is_dir() || !home.holds(path) || this.found.len() > MANY {
                continue;
            }
            let path = path.clone();
            let Ok(entries) = fs::read_dir(&path) else {
                this.closed.push(path);
                continue;
            };
            let inside = entries.flatten().filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
            let mut inside: Vec<_> = inside.collect();
            inside.sort_by(|a, b| a.0.cmp(&b.0));
            this.found.extend(inside);
        }
        this
    }

    /// What is ours or npm's.
    fn known(&self) -> impl Iterator<Item = &(PathBuf, Metadata)> {
        self.found.iter().filter(|(path, _)| self.home.holds(path))
    }

    /// The files and folders of that, and no links: those have no mode of their own.
    fn ours(&self) -> impl Iterator<Item = &(PathBuf, Metadata)> {
        self.known().filter(|(_, metadata)| metadata.is_file() || metadata.is_dir())
    }

    fn unreadable(&self, machine: &Machine) -> Option<Finding> {
        let lacks = |metadata: &Metadata| {
            let needed = if metadata.is_dir() { 0o700 } else { 0o600 };
            metadata.uid() == machine.uid && metadata.mode() & needed != needed
        };
        let paths: Vec<PathBuf> =
            self.ours().filter(|(_, metadata)| lacks(metadata)).map(|(path, _)| path.clone()).collect();
        let paths = if paths.is_empty() { self.closed.clone() } else { paths };
        if paths.is_empty() {
            return None;
        }
        let what = format!("you may not read and write {}", few(&names(machine, &paths)));
        let mend = command(machine, "chmod", "u+rwX", &paths);
        let why = "what is in there cannot be used or renewed";
        Some(Finding::problem("mode-own", what).why(why).mend(mend).fix(Fix::Private(paths)))
    }

    fn foreign(&self, machine: &Machine) -> Option<Finding> {
        let found = self.owner(machine);
        if self.known().all(|(_, metadata)| metadata.uid() == found) {
            return None;
        }
        let owner = rightful_owner(self.home.root(), machine.uid);
        let foreign = self.known().filter(|(_, metadata)| metadata.uid() != owner);
        let foreign: Vec<PathBuf> = foreign.map(|(path, _)| path.clone()).collect();
        (!foreign.is_empty()).then(|| {
            let whose = if owner == machine.uid { "you".to_owned() } else { format!("user {owner}") };
            let what = format!("not {whose} but another user owns {}", few(&names(machine, &foreign)));
            let why = "it is not used, or cannot be written (was alchemy or npm once run by sudo?)";
            let mend = command(machine, "sudo chown -h", &owner.to_string(), &foreign);
            Finding::problem("owner", what).why(why).mend(mend)
        })
    }

    /// Whose all of it must be: root may be in another person's folder.
    fn owner(&self, machine: &Machine) -> u32 {
        let folder = self.found.first().filter(|_| machine.uid == 0);
        folder.map_or(machine.uid, |(_, metadata)| metadata.uid())
    }

    /// Root is in another person's folder.
    fn anothers(&self, machine: &Machine) -> Option<Finding> {
        let owner = self.owner(machine);
        (owner != machine.uid).then(|| {
            let what = format!("{} belongs to user {owner}, and you are root", machine.show(self.home.root()));
            let why = "root runs none of its commands, and follows no address in it but Cloudflare's and loopback's";
            let mend = format!("sudo -u '#{owner}' alchemy doctor");
            Finding::note("home-anothers", what).why(why).mend(mend)
        })
    }

    /// What others may read or write: what is ours alone, and what is not.
    fn loose(&self) -> (Vec<&Entry>, Vec<&Entry>) {
        let locks = self.home.locks();
        let is_npms = |path: &Path| {
            // Its locks are folders without a secret, which come and go.
            let below = path.strip_prefix(&locks).ok().and_then(|below| below.components().next());
            below.is_some_and(|first| first.as_os_str() != "native" && locks.join(first).is_dir())
        };
        let open = self.ours().filter(|(path, metadata)| metadata.mode() & 0o077 != 0 && !is_npms(path));
        open.partition(|(path, metadata)| trusted::is_ours_alone(self.home, path, metadata))
    }

    /// What others may read or write, and is ours alone.
    fn open(&self, machine: &Machine) -> Option<Finding> {
        let open: Vec<PathBuf> = self.loose().0.into_iter().map(|(path, _)| path.clone()).collect();
        (!open.is_empty()).then(|| {
            let what = format!("others may look into {}", few(&names(machine, &open)));
            let why = "files must be 0600 and folders 0700: there are secrets, and what leads to them";
            let mend = command(machine, "chmod", "go=", &open);
            Finding::problem("mode", what).why(why).mend(mend).fix(Fix::Private(open))
        })
    }

    /// What others may read or write, and has something of others in it, or another name.
    fn shared(&self, machine: &Machine) -> Option<Finding> {
        let owner = self.owner(machine);
        let mine = self.loose().1.into_iter().filter(|(_, metadata)| metadata.uid() == owner);
        let mine: Vec<_> = mine.collect();
        // What others work in is not theirs to lose.
        let is_common = mine.iter().any(|(_, metadata)| trusted::is_common(metadata));
        let shared: Vec<PathBuf> = mine.into_iter().map(|(path, _)| path.clone()).collect();
        (!shared.is_empty()).then(|| {
            let what = format!("others may look into {}", few(&names(machine, &shared)));
            let why = "it is not yours alone, has other names, or holds what is not alchemy's: who needs it, you know";
            let mend = if is_common {
                "set ALCHEMY_HOME to a folder of your own".to_owned()
            } else {
                command(machine, "chmod", "go=", &shared)
            };
            Finding::problem("mode-shared", what).why(why).mend(mend)
        })
    }

    fn links(&self, machine: &Machine) -> Vec<Finding> {
        let links = self.found.iter().filter(|(_, metadata)| metadata.is_symlink()).map(|(path, _)| path);
        let dangling = |path: &&PathBuf| !path.exists();
        let finding = |path: &PathBuf| {
            let what = format!("{} is a link that leads nowhere", machine.show(path));
            let why = "what was there is out of reach (is a disk not mounted?)";
            Finding::problem("link-gone", what).why(why).mend(format!("rm {}", machine.word(path)))
        };
        links.filter(dangling).map(finding).collect()
    }

    fn left_behind(&self, machine: &Machine) -> Option<Finding> {
        let is_old = |metadata: &Metadata| {
            let age = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            metadata.is_file() && age.is_some_and(|age| age > LEFT_BEHIND)
        };
        let is_temporary =
            |path: &Path| path.file_name().is_some_and(|name| name.to_str().and_then(written_to).is_some());
        let left = self.ours().filter(|(path, metadata)| is_temporary(path) && is_old(metadata));
        let left = left.filter(|(path, _)| !inspect::may_be_last_copy(machine.home, path));
        let left: Vec<PathBuf> = left.map(|(path, _)| path.clone()).collect();
        (!left.is_empty()).then(|| {
            let what = format!("killed writes have left {}", few(&names(machine, &left)));
            let why = "there may be an old secret in it";
            let words: Vec<String> = left.iter().map(|path| machine.word(path)).collect();
            let mend = format!("rm {}", words.join(" "));
            Finding::problem("left-behind", what).why(why).mend(mend)
        })
    }
}

fn names(machine: &Machine, paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| machine.show(path)).collect()
}

fn disk(machine: &Machine) -> Option<Finding> {
    let root = machine.home.root();
    let Ok(disk) = statvfs(root) else { return None };
    let read_only = disk.flags().contains(FsFlags::ST_RDONLY);
    of_disk(machine, read_only, disk.blocks_available() == 0, disk.files() > 0 && disk.files_available() == 0)
        .or_else(|| {
            let may = access(root, AccessFlags::W_OK | AccessFlags::X_OK).is_ok();
            (!may).then(|| {
                let what = format!("you may not write in {}", machine.show(root));
                let mend = format!("chmod u+rwx {}", machine.word(root));
                let why = "no session can be renewed there, and nothing changed";
                Finding::problem("home-unwritable", what).why(why).mend(mend)
            })
        })
}

/// What a disk tells: it is mounted to be read, has no blocks, has no inodes.
fn of_disk(machine: &Machine, read_only: bool, no_room: bool, no_files: bool) -> Option<Finding> {
    let root = machine.home.root();
    let why = "a session is renewed only where the new one can be kept";
    let finding = |id, state: &str, mend: String| {
        let what = format!("the disk of {} {state}", machine.show(root));
        Some(Finding::problem(id, what).why(why).mend(mend))
    };
    match (read_only, no_room, no_files) {
        (true, ..) => {
            finding("disk-read-only", "can only be read", format!("findmnt -T {}", machine.word(root)))
        }
        (_, true, _) => finding("disk-full", "is full", format!("df -h {}", machine.word(root))),
        (.., true) => finding("disk-full", "has no inodes left", format!("df -i {}", machine.word(root))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_cannot_be_written_is_told_from_one_that_is_full() {
        let home = Home::new(Some("/home/me/.alchemy".into()), Path::new("/home/me"), None);
        let machine = Machine {
            home: &home,
            user_home: Path::new("/home/me"),
            uid: 1000,
            now: jiff::Timestamp::UNIX_EPOCH,
            variables: &[],
            directory: Path::new("/"),
            shown: &|path| path.display().to_string(),
        };
        for (read_only, no_room, no_files, id) in [
            (false, false, false, None),
            (true, true, false, Some("disk-read-only")),
            (false, true, false, Some("disk-full")),
            (false, false, true, Some("disk-full")),
        ] {
            let found = of_disk(&machine, read_only, no_room, no_files).map(|finding| finding.id);
            assert_eq!(found, id, "{read_only} {no_room} {no_files}");
        }
    }
}
