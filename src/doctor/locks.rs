//! Who holds what: our own locks, which the kernel drops with their holder, and npm's, which somebody must
//! remove when theirs has died.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;

use super::{Finding, Fix, Machine};
use crate::disk::lock::{self, Holder};
use crate::disk::npm_lock::{self, Left, Protocol};
use crate::terminal::life;

/// How far ahead of the clock a lock's time may be: file servers' clocks differ a little.
const AHEAD: Duration = Duration::from_secs(30);

/// The locks that are held or were left.
pub(crate) fn check(machine: &Machine) -> Vec<Finding> {
    let ours = files(machine).into_iter().filter_map(|path| held(machine, &path));
    let npms = npm_lock::all(&machine.home.locks()).into_iter().map(|left| of_npm(machine, left));
    ours.chain(npms).collect()
}

/// The files of our own locks.
fn files(machine: &Machine) -> Vec<PathBuf> {
    let folders =
        [Some(machine.home.locks()), Some(machine.home.lock("native")), machine.home.runtime_folder()];
    let entries =
        folders.into_iter().flatten().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let is_rescue = |name: &OsStr| name.as_encoded_bytes().starts_with(b"rescue-");
    let files = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()) && !is_rescue(&entry.file_name()));
    let mut paths: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn held(machine: &Machine, path: &Path) -> Option<Finding> {
    let lock = machine.show(path);
    let why = "whoever needs it waits for up to a minute";
    match lock::holder(path) {
        Ok(Holder::Nobody) => None,
        Ok(Holder::Process(pid)) => {
            let process = Process::of(pid);
            let who = format!("process {pid}{}", process.name());
            Some(if process.stopped {
                let what = format!("{who} is suspended and holds {lock}");
                let mend = format!("kill -CONT {pid}");
                Finding::problem("lock-suspended", what).why(why).mend(mend)
            } else {
                let what = format!("{who} holds {lock}");
                Finding::note("lock-held", what).why(why).mend(format!("ps -fp {pid}"))
            })
        }
        Ok(Holder::Unknown) => {
            let what = format!("another process holds {lock}");
            Some(Finding::note("lock-held", what).why(why).mend(format!("fuser -v {}", machine.word(path))))
        }
        Err(error) => {
            let what = format!("cannot tell who holds {lock}: {}", crate::error::reason(&error));
            Some(Finding::note("lock-unknown", what).why(why).mend(format!("ls -l {}", machine.word(path))))
        }
    }
}

/// What the system tells of a process.
struct Process {
    command: String,
    stopped: bool,
}

impl Process {
    /// From `/proc/PID/stat` (proc(5)): the id, the name in brackets (which may hold any character), a state.
    fn of(pid: i32) -> Self {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let (before, after) = stat.rsplit_once(')').unwrap_or_default();
        let command = before.split_once('(').map_or("", |(_, name)| name);
        Self {
            command: command.to_owned(),
            stopped: matches!(after.trim_start().chars().next(), Some('T' | 't')),
        }
    }

    fn name(&self) -> String {
        if self.command.is_empty() { String::new() } else { format!(" ({})", self.command) }
    }
}

fn of_npm(machine: &Machine, left: Left) -> Finding {
    let lock = machine.show(&left.path);
    let whose = match left.protocol {
        Protocol::V1 => "npm alchemy 1",
        Protocol::V2 => "npm alchemy 2",
    };
    let in_words = |time| life(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX));
    let age = in_words(left.age);
    if left.stuck {
        let what = format!("the lock {lock} of {whose} holds something that is not its own");
        let why = "nobody can remove it, so every refresh waits for it in vain";
        return Finding::problem("npm-lock-stuck", what)
            .why(why)
            .mend(format!("rm -r {}", machine.word(&left.path)));
    }
    if left.dead {
        let what = format!("the lock {lock} of {whose} was left behind {age} ago");
        let why = "its holder was killed; the next refresh removes it";
        let mend = format!("rm -r {}", machine.word(&left.path));
        return Finding::problem("npm-lock-stale", what).why(why).mend(mend).fix(Fix::Release(left));
    }
    if left.ahead > AHEAD {
        let what =
            format!("the time of the lock {lock} of {whose} is {} in the future", in_words(left.ahead));
        let why =
            "until then nobody takes it for left behind: whoever needs it waits (was the clock set back?)";
        return Finding::problem("npm-lock-future", what)
            .why(why)
            .mend(format!("touch {}", machine.word(&left.path)));
    }
    let what = format!("{whose}, or an alchemy in its place, holds {lock}, touched {age} ago");
    let why = "a refresh is going on; whoever needs it waits";
    Finding::note("npm-lock-held", what).why(why).mend("wait a moment, and look again: alchemy doctor")
}
