//! Becoming the command: find the executable, then replace this process by it. And the browser, the person's
//! own commands, and programs that outlive us.
//!
//! Nothing else in the house may exec. The command gets its signals, terminal, job control and exit
//! code because it *is* this process afterwards; there is nobody in between to get them wrong.

mod job;

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
#[cfg(target_os = "linux")]
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::unistd::{Pid, execve, getpid, setpgid, setsid, tcsetpgrp};
use zeroize::Zeroizing;

use crate::error::{Error, Kind, Result, reason};
use crate::signals::{self, HeldBack};
use job::{Foreground, Job, in_background};

/// Finds the program to run, as `execvp` would: a name with a slash is a path, any other is looked
/// for in `path`, or in the C library's default one where `PATH` is not set. An empty part of it is `cwd`.
///
/// [`Kind::NotFound`] (127) when there is none, [`Kind::NotExecutable`] (126) when there is one that
/// cannot be run: the codes of `env`, `timeout` and `nohup`.
pub(crate) fn find(command: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Result<PathBuf> {
    let path = path.map_or_else(default_path, OsStr::to_owned);
    let has_slash = command.as_bytes().contains(&b'/');
    // By its full name: what stands in a part that is relative is another program in another directory.
    let candidates: Vec<PathBuf> = if command.is_empty() {
        Vec::new()
    } else if has_slash {
        vec![cwd.join(command)]
    } else {
        std::env::split_paths(&path).map(|folder| cwd.join(folder).join(command)).collect()
    };
    if let Some(found) =
        candidates.iter().find_map(|candidate| which::which_in(candidate, Some(""), cwd).ok())
    {
        return Ok(found);
    }
    let candidate =
        candidates.into_iter().find(|path| if has_slash { path.exists() } else { path.is_file() });
    let shown = command.to_string_lossy();
    Err(match candidate {
        Some(path) if path.is_dir() => {
            Error::of(Kind::NotExecutable, format!("cannot run '{shown}': it is a directory"))
        }
        Some(path) => Error::of(Kind::NotExecutable, format!("cannot run '{shown}': permission denied"))
            .hint(format!("make it executable: chmod +x {}", path.display())),
        None if has_slash => Error::of(Kind::NotFound, format!("cannot run '{shown}': no such file")),
        None => Error::of(Kind::NotFound, format!("cannot run '{shown}': not found in PATH")).hint(
            if shown.starts_with('-') {
                "alchemy has no such option; its options go before the command"
            } else {
                "check its spelling, or give its path"
            },
        ),
    })
}

/// Where `execvp` looks without `PATH`.
fn default_path() -> OsString {
    // SAFETY: without a buffer it only tells how long one must be.
    let length = unsafe { libc::confstr(libc::_CS_PATH, std::ptr::null_mut(), 0) };
    let mut path = vec![0_u8; length];
    // SAFETY: it writes up to `length` bytes into a buffer of that length.
    let written = unsafe { libc::confstr(libc::_CS_PATH, path.as_mut_ptr().cast(), path.len()) };
    // Its last byte is a NUL.
    path.truncate(written.min(length).saturating_sub(1));
    OsString::from_vec(path)
}

/// Opens an address in the browser that `BROWSER` names, or the system's. What that prints goes nowhere.
///
/// Fails when there is none.
pub(crate) fn open_in_browser(url: &str) -> std::io::Result<()> {
    webbrowser::open(url)
}

/// Replaces this process by the program. `arguments` starts with the name as it was typed.
///
/// Returns only when the system refuses: too long an environment, no memory, a broken interpreter.
pub(crate) fn replace(
    program: &Path,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
) -> Result<Infallible> {
    let shown = arguments.first().map_or_else(String::new, |a| a.to_string_lossy().into_owned());
    let failed = |errno: Errno| {
        let kind = if errno == Errno::ENOENT { Kind::NotFound } else { Kind::NotExecutable };
        Error::of(kind, format!("cannot run '{shown}': {}", reason(&errno.into())))
    };
    let text = |value: OsString| CString::new(value.into_vec()).map_err(|_| failed(Errno::EINVAL));
    let path = text(program.as_os_str().to_owned())?;
    let mut arguments = arguments.into_iter().map(text).collect::<Result<Vec<_>>>()?;
    let environment = environment
        .into_iter()
        .map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            text(name)
        })
        .collect::<Result<Vec<_>>>()?;
    restore_sigpipe();
    restore_core_limit();
    let Err(mut errno) = execve(&path, &arguments, &environment);
    if errno == Errno::ENOEXEC {
        // A script without a `#!` line: `execvp` hands it to the shell, and people expect that.
        let shell = c"/bin/sh".to_owned();
        arguments.splice(..1, [shell.clone(), path]);
        let Err(second) = execve(&shell, &arguments, &environment);
        errno = second;
    }
    Err(failed(errno))
}

/// Runs a program in a session of its own, away from our terminal, with none of the files that we were given, and waits up to `limit` for the whole of its
/// output. When that is over, only the waiting stops: the program goes on without us, and ends its work.
///
/// Fails when it cannot be started, or ends without any output.
pub(crate) fn detached(
    program: &Path,
    arguments: &[&str],
    limit: Duration,
) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let apart = || {
        keep_no_inherited_files();
        Ok(setsid().map(drop)?)
    };
    // SAFETY: between fork and exec it makes system calls and allocates nothing.
    unsafe { command.pre_exec(apart) };
    let mut child = command.spawn()?;
    let Some(mut output) = child.stdout.take() else { return Err(io::ErrorKind::BrokenPipe.into()) };
    let until = Instant::now() + limit;
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 * 1024));
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], left) {
            Ok(0) => return Ok(None),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => {
                let mut chunk = Zeroizing::new([0; 4096]);
                match output.read(&mut *chunk)? {
                    0 if bytes.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                    0 => return Ok(Some(bytes)),
                    count => bytes.extend_from_slice(&chunk[..count]),
                }
            }
        }
    }
}

/// What came of a command of the person's.
pub(crate) enum Piped {
    /// It ended; with all of its output.
    Ended(ExitStatus, Zeroizing<Vec<u8>>),
    /// It wrote more than it may, and was killed.
    TooLong,
    /// It had not ended after this time, and was killed.
    TimedOut(Duration),
}

/// The time for a command that may have to ask a person something, and for one that may not.
const FOR_A_PERSON: Duration = Duration::from_secs(60);
const FOR_A_PROGRAM: Duration = Duration::from_secs(5);
/// The most that a command of the person's may write.
const LONGEST: usize = 256 * 1024;
/// How often to look whether a command has ended whose output somebody else still has open.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a command of the person's by `sh -c` with `input` on its standard input, and takes its output; what it
/// has to say goes to our standard error. `may_ask`: it gets the terminal, where there is one, and the time that
/// a person needs; else it has none and gets 5 s. Whatever it has started is killed with it.
///
/// Fails when there is no shell, or no process to be had.
pub(crate) fn piped(
    command: &str,
    environment: Vec<(OsString, OsString)>,
    input: &[u8],
    may_ask: bool,
) -> io::Result<Piped> {
    let terminal = if may_ask { Foreground::take() } else { None };
    let limit = if terminal.is_some() { FOR_A_PERSON } else { FOR_A_PROGRAM };
    let tty = terminal.as_ref().map(|terminal| terminal.tty.as_raw_fd());
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", command]).env_clear().envs(environment);
    let given = Given::holding(input)?;
    shell.stdin(given.stdin).stdout(Stdio::piped());
    let group = move || {
        // What is held back here is none of its business (`signals`).
        SigSet::empty().thread_set_mask()?;
        match tty {
            Some(tty) => {
                setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
                // SAFETY: it is open in the parent, and so here.
                let tty = unsafe { BorrowedFd::borrow_raw(tty) };
                in_background(|| tcsetpgrp(tty, getpid()))?;
            }
            None => drop(setsid()?),
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls and allocates nothing.
    unsafe { shell.pre_exec(group) };
    // The command has the terminal before this process knows whose it is: a signal in between would end this process
    // and leave the command there.
    let held_back = HeldBack::all();
    let mut job = Job::new(shell.spawn()?, terminal);
    drop(held_back);
    if let Some((mut pipe, rest)) = given.later {
        // In a thread, as it may never be read. That it was not is for the exit code to tell.
        let started = signals::thread("input", move || drop(pipe.write_all(&rest)));
        started.inspect_err(|_| job.kill())?;
    }
    let outcome = read_to_end(&mut job, Instant::now() + limit);
    if !matches!(&outcome, Ok(Some(output)) if output.len() <= LONGEST) {
        job.kill();
    }
    let status = job.wait();
    Ok(match outcome? {
        Some(output) if output.len() > LONGEST => Piped::TooLong,
        Some(output) => Piped::Ended(status?, output),
        None => Piped::TimedOut(limit),
    })
}

/// What a command gets on its standard input. All of it is there, with its end, before the command is started: were
/// we killed after that, it would else read an empty document, and keep it.
struct Given {
    stdin: Stdio,
    /// What is still to be written when the command runs, where there is no room for it before.
    later: Option<(io::PipeWriter, Zeroizing<Vec<u8>>)>,
}

impl Given {
    fn holding(input: &[u8]) -> io::Result<Self> {
        if input.is_empty() {
            return Ok(Self { stdin: Stdio::null(), later: None });
        }
        let (reader, mut writer) = io::pipe()?;
        // A pipe, as some programs take no file there; and one has room for any document that there is.
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let mut rest = input;
        while !rest.is_empty() {
            match writer.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Self::in_memory(input),
                Err(error) => return Err(error),
            }
        }
        Ok(Self { stdin: reader.into(), later: None })
    }

    /// For what is longer than a pipe holds (64 KiB; 4 KiB for who has very many).
    #[cfg(target_os = "linux")]
    fn in_memory(input: &[u8]) -> io::Result<Self> {
        use std::io::Seek;
        let mut file = std::fs::File::from(memfd_create(c"input", MFdFlags::MFD_CLOEXEC)?);
        file.write_all(input)?;
        file.rewind()?;
        Ok(Self { stdin: file.into(), later: None })
    }

    #[cfg(not(target_os = "linux"))]
    fn in_memory(input: &[u8]) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        Ok(Self { stdin: reader.into(), later: Some((writer, Zeroizing::new(input.to_vec()))) })
    }
}

/// The output of a command until its end, or a little more than it may be; `None` when that is not reached. The time
/// for which it was stopped does not count.
fn read_to_end(job: &mut Job, until: Instant) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut output = job.output()?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST + 4096));
    loop {
        // Looked at before the pipe is: what it wrote before its end is there then.
        let has_ended = job.try_wait()?.is_some();
        let left = (until + job.stopped()).saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        let wait = if has_ended { Duration::ZERO } else { left.min(LOOK) };
        let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], wait) {
            Ok(0) if has_ended => return Ok(Some(bytes)), // somebody that it has started has the pipe still
            Ok(0) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => {
                let mut chunk = Zeroizing::new([0; 4096]);
                let count = output.read(&mut *chunk)?;
                bytes.extend_from_slice(&chunk[..count]);
                if count == 0 || bytes.len() > LONGEST {
                    // Closed is not ended.
                    while count == 0 && job.try_wait()?.is_none() {
                        if until + job.stopped() <= Instant::now() {
                            return Ok(None);
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    return Ok(Some(bytes));
                }
            }
        }
    }
}

/// Has the program that comes next get the standard streams alone: a lock that somebody holds by another file would
/// last as long as it does. Nothing is closed here, so that whatever owns a file still has it.
fn keep_no_inherited_files() {
    #[cfg(target_os = "linux")]
    {
        let flags = nix::libc::CLOSE_RANGE_CLOEXEC;
        // SAFETY: it marks open files, and takes and gives no memory.
        if unsafe { nix::libc::syscall(nix::libc::SYS_close_range, 3, nix::libc::c_uint::MAX, flags) } == 0 {
            return;
        }
    }
    // Where the system cannot do it at once (Linux before 5.11).
    let most = getrlimit(Resource::RLIMIT_NOFILE).map_or(MOST_FILES, |(soft, _)| soft.min(MOST_FILES));
    for number in 3..i32::try_from(most).unwrap_or_default() {
        // SAFETY: it marks an open file; a number that is none is an error, which says nothing.
        unsafe { nix::libc::fcntl(number, nix::libc::F_SETFD, nix::libc::FD_CLOEXEC) };
    }
}

/// As many open files as are looked for one by one.
const MOST_FILES: rlim_t = 65_536;

/// Whether SIGPIPE was ignored when this process started.
static SIGPIPE_WAS_IGNORED: AtomicBool = AtomicBool::new(false);

/// Ignores SIGPIPE, so that writing to a reader that has gone is an error and not our end.
///
/// What is ignored stays ignored across `execve`, and the command must get what we were given (systemd
/// starts services with it ignored, a shell does not): [`replace`] gives it back.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: SIG_IGN is no handler of ours that could run in a bad moment.
    let before = unsafe { signal(Signal::SIGPIPE, SigHandler::SigIgn) };
    SIGPIPE_WAS_IGNORED.store(matches!(before, Ok(SigHandler::SigIgn)), Ordering::Relaxed);
}

fn restore_sigpipe() {
    if !SIGPIPE_WAS_IGNORED.load(Ordering::Relaxed) {
        // SAFETY: SIG_DFL is no handler of ours that could run in a bad moment.
        // The only error is an invalid signal, which SIGPIPE is not.
        let _ = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    }
}

/// Keeps other processes of the same user from reading the secret out of this one: no debugger attaches to it,
/// its memory and environment in `/proc` are root's, and no core dump of it is written. The command that this
/// process becomes is open to its user again, like any other.
pub(crate) fn shield_memory() {
    forbid_core_dump();
    // `execve` sets it back (prctl(2)). From here on most of `/proc/PID` belongs to root; the process itself may still
    // open what is in its own `/proc/self/fd`, where `/dev/stdin` and `/dev/fd` lead.
    #[cfg(target_os = "linux")]
    // The only error is a wrong value.
    let _ = nix::sys::prctl::set_dumpable(false);
}

/// How large a core dump was allowed to be when this process started; 0 for none.
static CORE_LIMIT: AtomicU64 = AtomicU64::new(0);

/// Allows no core dump of this process: one would have the secret, and be in the working directory, which may be
/// a repository. It is forbidden by its size as well, where the system has nothing else. The command gets back what we
/// were given: [`replace`].
fn forbid_core_dump() {
    if let Ok((soft @ 1.., hard)) = getrlimit(Resource::RLIMIT_CORE)
        && setrlimit(Resource::RLIMIT_CORE, 0, hard).is_ok()
    {
        CORE_LIMIT.store(soft, Ordering::Relaxed);
    }
}

fn restore_core_limit() {
    let soft: rlim_t = CORE_LIMIT.load(Ordering::Relaxed);
    if soft > 0
        && let Ok((_, hard)) = getrlimit(Resource::RLIMIT_CORE)
    {
        // It was allowed a moment ago.
        let _ = setrlimit(Resource::RLIMIT_CORE, soft, hard);
    }
}
