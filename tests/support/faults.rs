//! One fault at every system call of a run of `alchemy`: the call fails, or the process is killed before it.
//!
//! A first run under `strace` writes down which calls there are; then there is one run for each call and each fault,
//! every one in the same home and beside the same servers as the first. A call is known by its name and by how often its
//! process or thread had made it, as `strace -e inject=NAME:when=N` counts. Calls before the program has shielded its
//! memory belong to its start: nothing was read or changed until then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::online::SECRET;
use super::{ALCHEMY, Home, Output, has, run_with_input};

/// Calls that don't fail on a running system for a reason of the machine's: they take memory (for which a program has no
/// way on) or random numbers, change nothing but the process, wait, or close (what was written is flushed by then; and
/// where a folder's fails, Rust's own library ends the process, which is as good as a kill).
const NEVER_FAIL: &str = "close getrandom brk mmap munmap mprotect madvise mremap futex rt_sigreturn rt_sigaction rt_sigprocmask \
    sigaltstack exit exit_group sched_getaffinity sched_yield set_robust_list rseq arch_prctl set_tid_address gettid \
    getpid getppid getpgrp getuid geteuid getgid getegid restart_syscall clock_gettime clock_nanosleep nanosleep \
    epoll_wait poll ppoll wait4 waitid execve umask tgkill";
/// Calls that need room on a disk.
const NEED_ROOM: &str = "write pwrite64 writev openat creat mkdir mkdirat rename renameat renameat2 link linkat symlink \
    ftruncate fallocate fsync fdatasync";
/// Calls after which something outside of the process is another than before. Killed before any other call, a process
/// leaves exactly what it leaves when it is killed before the next of these.
const CHANGE: &str = "write pwrite64 writev openat creat mkdir mkdirat rename renameat renameat2 link linkat symlink \
    unlink unlinkat rmdir ftruncate fallocate fsync fdatasync chmod fchmod fchmodat fchown fchownat utimensat flock fcntl \
    sendto sendmsg recvfrom recvmsg connect close clone clone3 fork vfork execve keyctl add_key exit_group kill";

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It fails with this error.
    Error(&'static str),
    /// The process is killed before it.
    Kill,
}

/// A fault and the call at which it happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Injection {
    pub call: String,
    /// The how manieth call of this name, from 1.
    pub when: usize,
    pub fault: Fault,
}

impl fmt::Display for Injection {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self.fault {
            Fault::Error(error) => write!(out, "{}:error={error}:when={}", self.call, self.when),
            Fault::Kill => write!(out, "{}:signal=SIGKILL:when={}", self.call, self.when),
        }
    }
}

/// How a run has ended, and whether the credential is what it should be.
pub enum Verdict {
    /// It works.
    Survived,
    /// It is lost, nobody could have prevented that, and the exact way back is said (and leads back).
    LostAndSaid,
}

/// A home in which a command is run again and again.
pub struct Scenario<'s> {
    pub name: &'s str,
    pub home: &'s Home,
    pub variables: &'s BTreeMap<String, String>,
    pub arguments: &'s [&'s str],
    pub input: &'s str,
    /// Has everything outside of the home as it was at first.
    pub reset: &'s dyn Fn(),
    /// Looks how it has gone; an error is what is broken.
    pub judge: &'s dyn Fn(&Run) -> Result<Verdict, String>,
}

/// A run with a fault.
pub struct Run<'r> {
    pub scenario: &'r Scenario<'r>,
    pub injection: &'r Injection,
    pub output: Output,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// The commonest scenarios, and a kill before every call that changes something.
    Commonest,
    /// All scenarios.
    Stores,
    /// All scenarios, and a kill before every call at all.
    All,
}

/// What `ALCHEMY_TEST_SWEEP` asks for.
pub fn extent() -> Extent {
    match std::env::var("ALCHEMY_TEST_SWEEP").as_deref() {
        Err(_) => Extent::Commonest,
        Ok("stores") => Extent::Stores,
        Ok("all") => Extent::All,
        Ok(other) => panic!("ALCHEMY_TEST_SWEEP is '{other}', and neither 'stores' nor 'all'"),
    }
}

impl Scenario<'_> {
    /// Runs it once for each fault, and prints the figures.
    ///
    /// # Panics
    /// With a list of what is broken.
    pub fn sweep(&self) {
        if !has("strace") {
            return;
        }
        // What a test has written down by itself gets the modes of what `alchemy` writes.
        for path in below(&self.home.alchemy("")).into_iter().chain([self.home.alchemy("")]) {
            let mode = if path.is_dir() { 0o700 } else { 0o600 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
        }
        let first = tempfile::tempdir().expect("a temporary folder");
        copy(self.home.path(), first.path());
        let injections = self.injections();
        let (mut survived, mut lost, mut unreached, mut broken) = (0, 0, 0, Vec::new());
        for injection in &injections {
            self.set_back(first.path());
            let Some(output) = self.run(injection) else {
                unreached += 1;
                continue;
            };
            let run = Run { scenario: self, injection, output };
            match self.look(&run) {
                Ok(Verdict::Survived) => survived += 1,
                Ok(Verdict::LostAndSaid) => lost += 1,
                Err(why) => broken.push(format!("{injection}: {why}\n  {}", run.said())),
            }
        }
        eprintln!(
            "sweep of {}: {} runs ({unreached} came to their end before the call), {survived} survived, {lost} lost and \
             said, {} broken",
            self.name,
            injections.len(),
            broken.len()
        );
        assert!(broken.is_empty(), "{}: {} are broken:\n{}", self.name, broken.len(), broken.join("\n"));
    }

    /// `alchemy` with the variables of the scenario.
    pub fn alchemy(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.home.alchemy_command(arguments);
        run_with_input(command.envs(self.variables), input)
    }

    fn set_back(&self, first: &Path) {
        for entry in fs::read_dir(self.home.path()).expect("a home") {
            let path = entry.expect("an entry").path();
            let is_folder = path.is_dir() && !path.is_symlink();
            if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removed");
        }
        copy(first, self.home.path());
        (self.reset)();
    }

    /// The command under `strace` and a limit: what hangs is broken.
    fn strace(&self, trace: &Path, options: &[&str]) -> Command {
        let mut command = self.home.command("timeout");
        command.args(["--kill-after=5", "100", "strace", "-f", "-b", "execve", "-q", "-o"]).arg(trace);
        command.args(options).arg(ALCHEMY).args(self.arguments).envs(self.variables);
        command
    }

    /// All faults at all calls of a run without one.
    fn injections(&self) -> Vec<Injection> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let trace = folder.path().join("trace");
        (self.reset)();
        let output = run_with_input(&mut self.strace(&trace, &[]), self.input);
        assert_eq!(output.code, 0, "{}: {}", self.name, output.stderr);
        let text = String::from_utf8_lossy(&fs::read(trace).expect("a trace")).into_owned();
        let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut started = false;
        let mut ends: Vec<String> = Vec::new();
        let mut all = Vec::new();
        let mut known = BTreeSet::new();
        for line in text.lines() {
            let Some((process, call)) = line.split_once(char::is_whitespace) else { continue };
            let call = call.trim_start();
            let Some((name, arguments)) = call.split_once('(') else { continue };
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                continue; // the other half of a call that was written down, or a signal
            }
            let when = counts.entry((process, name)).or_default();
            *when += 1;
            if !started {
                started = name == "prctl" && arguments.starts_with("PR_SET_DUMPABLE");
                continue;
            }
            // The ends of the pair by which a process that was just started tells of its failure.
            if let Some((_, pair)) = arguments.split_once('[').filter(|_| name == "socketpair") {
                ends = pair.split(']').next().unwrap_or_default().split(", ").map(str::to_owned).collect();
            }
            if let Some((_, new)) = arguments.rsplit_once("= ").filter(|_| name == "socket") {
                ends.retain(|end| end != new);
            }
            let descriptor = arguments.split(',').next().unwrap_or_default();
            let is_of_a_pair = name == "recvfrom" && ends.iter().any(|end| end == descriptor);
            let may_fail = !is_between_ourselves(name, arguments) && !is_of_a_pair;
            for fault in faults(name).into_iter().filter(|fault| may_fail || *fault == Fault::Kill) {
                let injection = Injection { call: name.to_owned(), when: *when, fault };
                if known.insert(injection.clone()) {
                    all.push(injection);
                }
            }
        }
        assert!(!all.is_empty(), "{}: no call after the start in:\n{text}", self.name);
        all
    }

    /// Runs it with the fault; `None` when it ended before it came to that call.
    fn run(&self, injection: &Injection) -> Option<Output> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let trace = folder.path().join("trace");
        let (only, inject) = (format!("trace={}", injection.call), format!("inject={injection}"));
        let output = run_with_input(&mut self.strace(&trace, &["-e", &only, "-e", &inject]), self.input);
        let trace = String::from_utf8_lossy(&fs::read(trace).expect("a trace")).into_owned();
        let mark = if injection.fault == Fault::Kill { "killed by SIGKILL" } else { "(INJECTED)" };
        trace.contains(mark).then_some(output)
    }

    /// What is true of every run, and then what the scenario says.
    fn look(&self, run: &Run) -> Result<Verdict, String> {
        let said = &run.output.stderr;
        if said.contains(SECRET) {
            return Err("a secret is said".to_owned());
        }
        if said.contains("panicked") || [124, 134, 139].contains(&run.output.code) {
            return Err("it hangs or breaks".to_owned());
        }
        if run.output.code == 1 && !said.contains("alchemy: ") {
            return Err("it fails without a word".to_owned());
        }
        let loose = loose(&self.home.alchemy(""));
        if !loose.is_empty() {
            return Err(format!("others may read {loose:?}"));
        }
        let verdict = (self.judge)(run)?;
        let left = self.left();
        if left.is_empty() {
            return Ok(verdict);
        }
        // What the next command has not removed is named by `doctor`, with its mend, as soon as nobody can be writing it
        // any more.
        for path in &left {
            self.home.age(path);
        }
        let doctor = self.alchemy(&["doctor", "--fix"], "");
        let mut left = self.left();
        left.retain(|path| !doctor.stdout.contains(path.as_str()));
        if left.is_empty() {
            Ok(verdict)
        } else {
            Err(format!("stays for ever: {left:?}\n  {}", doctor.stdout))
        }
    }

    /// What a run that was interrupted has left below the data folder: temporary files, rescue files, npm's locks.
    fn left(&self) -> Vec<String> {
        let root = self.home.alchemy("");
        let mut left = Vec::new();
        for path in below(&root) {
            let inside = path.strip_prefix(&root).expect("below").to_str().expect("UTF-8").to_owned();
            let ends = path.extension().unwrap_or_default();
            // Under a name of its own (`.ours`) a lock is in nobody's way, and the next of us takes it.
            let is_lock = path.parent() == Some(&root.join("lock")) && path.is_dir();
            let is_lock = is_lock && !inside.ends_with("native") && ends != "ours";
            let is_rescue = inside.starts_with("rescue/") && path.is_file();
            if ends == "tmp" || is_lock || is_rescue {
                left.push(inside);
            }
        }
        left
    }
}

impl Run<'_> {
    /// What it said, for a person who looks into a failure.
    pub fn said(&self) -> String {
        format!("exit {}: {}", self.output.code, self.output.stderr.trim_end().replace('\n', "\n  "))
    }

    /// The next command of the person's: nothing keeps it waiting, and it shows no secret on its standard error.
    pub fn next(&self, arguments: &[&str], input: &str) -> Result<Output, String> {
        let output = self.scenario.alchemy(arguments, input);
        let odd =
            ["waiting for another", "panicked", SECRET].into_iter().find(|odd| output.stderr.contains(odd));
        match odd {
            Some(odd) => Err(format!("'{odd}' from the next {arguments:?}:\n  {}", output.stderr)),
            None => Ok(output),
        }
    }

    /// The same command once more, without a fault.
    pub fn again(&self) -> Result<Output, String> {
        self.next(self.scenario.arguments, self.scenario.input)
    }

    /// Whether a text is in any file of the home.
    pub fn is_in_a_file(&self, text: &str) -> bool {
        !self.files_with(text).is_empty()
    }

    /// Whether the secret is in as many files of the data folder as it should be. One that is left where it was before
    /// is not counted when the person was told of it.
    pub fn check_copies(&self, secret: &str, expected: usize) -> Result<(), String> {
        let files = self.files_with(secret);
        let told = files.iter().filter(|path| self.tells_of(path)).count();
        if files.len() == expected || files.len() > expected && files.len() - told <= expected {
            return Ok(());
        }
        Err(format!("{files:?} have the secret, and {expected} should have it"))
    }

    /// Whether the person was told of a file.
    pub fn tells_of(&self, path: &Path) -> bool {
        self.output.stderr.contains(path.to_str().expect("UTF-8"))
    }

    /// The files of the data folder that a text is in.
    fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let has_it = |path: &PathBuf| {
            let bytes = fs::read(path).unwrap_or_default();
            bytes.windows(text.len()).any(|window| window == text.as_bytes())
        };
        let files = below(&self.scenario.home.alchemy("")).into_iter().filter(|path| path.is_file());
        files.filter(has_it).collect()
    }

    /// Whether it was cut off from the answer of a server: killed, or by a network that broke.
    pub fn is_cut_off(&self) -> bool {
        let network = [
            "sendto",
            "sendmsg",
            "recvfrom",
            "recvmsg",
            "read",
            "write",
            "writev",
            "epoll_ctl",
            "epoll_create1",
        ];
        self.injection.fault == Fault::Kill || network.contains(&self.injection.call.as_str())
    }
}

/// The faults of a call.
fn faults(call: &str) -> Vec<Fault> {
    let is_one_of = |calls: &str| calls.split_whitespace().any(|other| other == call);
    let mut faults = Vec::new();
    if !is_one_of(NEVER_FAIL) {
        faults.push(Fault::Error("EIO"));
    }
    if is_one_of(NEED_ROOM) {
        faults.push(Fault::Error("ENOSPC"));
    }
    if extent() == Extent::All || is_one_of(CHANGE) {
        faults.push(Fault::Kill);
    }
    faults
}

/// Whether a call can't fail for a reason of the machine's by its arguments: a number of eight bytes is how threads wake
/// each other, which is memory; and where standard error fails, nothing can be said.
fn is_between_ourselves(call: &str, arguments: &str) -> bool {
    // What `strace` writes down before the call has ended ends so, too.
    let is_short = [", 8) ", ", 8 <unfinished"].into_iter().any(|end| arguments.contains(end));
    call == "write" && (is_short || arguments.starts_with("2, "))
}

/// Everything below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(below(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}

/// What is not for its owner alone.
fn loose(folder: &Path) -> Vec<PathBuf> {
    let is_loose = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|found| found.mode() & 0o077 != 0);
    below(folder).into_iter().filter(is_loose).collect()
}

/// Copies what is in a folder, with modes.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let (path, new) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type().expect("a kind").is_dir() {
            fs::create_dir(&new).expect("a folder");
            copy(&path, &new);
            fs::set_permissions(&new, entry.metadata().expect("metadata").permissions()).expect("its mode");
        } else {
            fs::copy(&path, &new).expect("copied");
        }
    }
}
