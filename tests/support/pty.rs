//! A real terminal: a pseudo-terminal with a command in a session of its own, and a person at its keys.
//!
//! What was shown is read as a person reads it, without colours and cursor movements; a wait for a text
//! that does not come fails the test with everything that was shown.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{SigHandler, Signal};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::{Pid, tcgetpgrp};

use super::{ALCHEMY, Home};

/// A wait that ends only when the test has failed.
pub const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks whether the command has ended.
const LOOK: Duration = Duration::from_millis(10);

/// How wide it is.
pub const COLUMNS: u16 = 120;

pub const CTRL_C: &str = "\x03";
pub const CTRL_Z: &str = "\x1a";
pub const ESC: &str = "\x1b";
pub const DOWN: &str = "\x1b[B";
pub const ENTER: &str = "\r";

/// Shells with job control, and how they are started.
pub const SHELLS: [(&str, &[&str]); 2] =
    [("bash", &["--norc", "--noprofile", "--noediting", "-i"]), ("sh", &["-i", "-m"])];

/// A terminal and the command that was started on it.
pub struct Terminal {
    child: Child,
    master: File,
    /// Held until the command has ended: it may have the terminal without a stream that leads there.
    slave: Option<OwnedFd>,
    output: Receiver<Vec<u8>>,
    shown: Vec<u8>,
    /// How much of [`Self::text`] an [`Self::expect`] has passed.
    passed: usize,
    /// How much of [`Self::shown`] an [`Self::until`] has passed.
    taken: usize,
    modes: Termios,
}

/// What is not the terminal.
#[derive(Default)]
pub struct Redirected {
    pub stdin: Option<Stdio>,
    pub stdout: Option<Stdio>,
    pub stderr: Option<Stdio>,
}

impl Terminal {
    /// An interactive shell with job control, one of [`SHELLS`], at its prompt. `$ALCHEMY` is the binary.
    pub fn shell(home: &Home, name: &str, arguments: &[&str]) -> Self {
        let mut command = home.command(name);
        command.args(arguments).env("PS1", "prompt> ").env("TERM", "dumb").env("ALCHEMY", ALCHEMY);
        let mut terminal = Self::start(command);
        terminal.expect("prompt> ");
        terminal
    }

    /// Starts the command with the terminal as its stdin, stdout and stderr.
    pub fn start(command: Command) -> Self {
        Self::start_redirected(command, Redirected::default())
    }

    /// Starts the command, which [`super::Home::command`] made, on the terminal, some of its streams elsewhere.
    pub fn start_redirected(mut command: Command, redirected: Redirected) -> Self {
        let pty = open();
        let modes = tcgetattr(&pty.slave).expect("modes");
        let tty = || Stdio::from(pty.slave.try_clone().expect("another descriptor"));
        command.stdin(redirected.stdin.unwrap_or_else(tty));
        command.stdout(redirected.stdout.unwrap_or_else(tty));
        command.stderr(redirected.stderr.unwrap_or_else(tty));
        take_terminal(&mut command, &pty.slave);
        let child = command.spawn().expect("started");
        let master = File::from(pty.master);
        let output = read_in_thread(master.try_clone().expect("another descriptor").into());
        Self { child, master, slave: Some(pty.slave), output, shown: Vec::new(), passed: 0, taken: 0, modes }
    }

    /// The process id of the command, which leads the session.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("a process id"))
    }

    /// The process group that the keys reach.
    pub fn foreground(&self) -> Pid {
        tcgetpgrp(&self.master).expect("a group in the foreground")
    }

    /// Whether the terminal is as it was before anything ran on it.
    pub fn is_restored(&self) -> bool {
        tcgetattr(&self.master).expect("modes") == self.modes
    }

    /// Waits until the terminal is not as it was: a question is shown a moment before or after it has its settings.
    #[track_caller]
    pub fn expect_modes_of_a_question(&self) {
        self.wait_for(|| !self.is_restored(), "the terminal has the settings of a question");
    }

    /// Waits until the keys reach this group.
    #[track_caller]
    pub fn until_foreground(&self, group: Pid) {
        self.wait_for(|| self.foreground() == group, "the group is in the foreground");
    }

    /// Waits until something holds that is not shown.
    #[track_caller]
    pub fn wait_for(&self, holds: impl Fn() -> bool, what: &str) {
        let since = Instant::now();
        while !holds() {
            assert!(since.elapsed() < LIMIT, "not so: {what}\n{}", self.text());
            thread::sleep(LOOK);
        }
    }

    /// Writes to the command's stdin, which was redirected to a pipe, and closes it.
    pub fn pipe(&mut self, text: &str) {
        let mut stdin = self.child.stdin.take().expect("a pipe");
        stdin.write_all(text.as_bytes()).expect("written");
    }

    /// Presses keys.
    pub fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("pressed");
    }

    /// Types a line.
    pub fn line(&mut self, line: &str) {
        self.press(&format!("{line}{ENTER}"));
    }

    /// Waits until the text is shown, after what was waited for before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        loop {
            let shown = self.text();
            if let Some(at) = shown[self.passed..].find(text) {
                self.passed += at + text.len();
                return;
            }
            assert!(self.read(), "'{text}' is not shown after {} bytes of:\n{shown}", self.passed);
        }
    }

    /// Waits until a control sequence, or any other bytes, came that many times in all.
    #[track_caller]
    pub fn expect_times(&mut self, bytes: &[u8], times: usize) {
        let (mut found, mut from) = (0, 0);
        loop {
            while let Some(at) = self.shown[from..].windows(bytes.len()).position(|window| window == bytes) {
                found += 1;
                from += at + bytes.len();
            }
            if found >= times {
                return;
            }
            from = from.max(self.shown.len().saturating_sub(bytes.len() - 1));
            assert!(self.read(), "not {times} times in:\n{}", self.text());
        }
    }

    /// Waits until such bytes come; what came before them, and after those that were waited for before.
    #[track_caller]
    pub fn until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            let news = &self.shown[self.taken..];
            if let Some(at) = news.windows(end.len()).position(|window| window == end) {
                let taken = news[..at].to_vec();
                self.taken += at + end.len();
                return taken;
            }
            assert!(self.read(), "it has ended after:\n{}", self.text());
        }
    }

    /// Has [`Self::expect`] look only at what is still to come.
    pub fn skip(&mut self) {
        self.passed = self.text().len();
    }

    /// What was shown until now, without colours and cursor movements.
    pub fn text(&self) -> String {
        plain(&self.shown)
    }

    /// Waits for the end of the command: its exit code, and everything that was shown. The modes of the
    /// terminal are those of before, and the cursor is visible.
    #[track_caller]
    pub fn finish(mut self) -> (i32, String) {
        while self.read() {}
        let status = self.child.wait().expect("an end");
        assert!(self.is_restored(), "the terminal's modes are restored");
        let shown = String::from_utf8_lossy(&self.shown);
        assert!(shown.rfind("\x1b[?25l") <= shown.rfind("\x1b[?25h"), "the cursor is visible");
        assert!(shown.rfind("\x1b[?2004h") <= shown.rfind("\x1b[?2004l"), "pasted text is plain again");
        let output = std::process::Output { status, stdout: Vec::new(), stderr: Vec::new() };
        let shown = self.text();
        // What was typed and what the command itself has printed are on the same screen.
        let ours = |line: &&str| {
            line.contains("panicked")
                || ["alchemy: ", "hint: ", "? ", "> "].iter().any(|p| line.starts_with(p))
        };
        let said: Vec<&str> = shown.lines().filter(ours).collect();
        (super::finished(output).with_stderr(said.join("\n")).code, shown)
    }

    /// Reads what is shown next; false when nobody is left to show anything.
    #[track_caller]
    fn read(&mut self) -> bool {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        let since = Instant::now();
        loop {
            match self.output.recv_timeout(LOOK) {
                Ok(chunk) => {
                    self.shown.extend(chunk);
                    return true;
                }
                Err(Disconnected) => return false,
                Err(Timeout) if since.elapsed() > LIMIT => {
                    panic!("nothing happens any more after:\n{}", self.text())
                }
                Err(Timeout) => {
                    if self.child.try_wait().expect("a child").is_some() {
                        self.slave = None;
                    }
                }
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Only a test that has failed leaves one running; what it had started hangs up with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_in_thread(master: OwnedFd) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut master = File::from(master);
        let mut buffer = [0; 4096];
        // EIO when the last process has closed the terminal.
        while let Ok(count @ 1..) = master.read(&mut buffer) {
            // Where the cursor is (`ESC [ 6 n`), a terminal answers by itself; line editors wait for it.
            if buffer[..count].windows(4).any(|window| window == b"\x1b[6n") {
                let _ = master.write_all(b"\x1b[1;1R");
            }
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Starts a command on a terminal that nobody reads, and that hangs up when what is returned with the
/// command is dropped.
pub fn start_unread(mut command: Command) -> (Child, OwnedFd) {
    let pty = open();
    let tty = || Stdio::from(pty.slave.try_clone().expect("another descriptor"));
    command.stdin(tty()).stdout(tty()).stderr(tty());
    take_terminal(&mut command, &pty.slave);
    (command.spawn().expect("started"), pty.master)
}

/// Starts a command that ignores SIGHUP on a terminal which goes away when keys were pressed at its question: how it
/// ends then, by itself, and what it has said on stderr.
#[track_caller]
pub fn hang_up_at_question(mut command: Command, stdin: Option<Stdio>, keys: &str) -> super::Output {
    let pty = open();
    let modes = tcgetattr(&pty.slave).expect("modes");
    let tty = || Stdio::from(pty.slave.try_clone().expect("another descriptor"));
    command.stdin(stdin.unwrap_or_else(tty)).stdout(tty()).stderr(Stdio::piped());
    take_terminal(&mut command, &pty.slave);
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe {
        command.pre_exec(|| {
            nix::sys::signal::signal(Signal::SIGHUP, SigHandler::SigIgn)?;
            Ok(())
        });
    }
    let mut child = command.spawn().expect("started");
    drop(command); // it holds the terminal
    drop(pty.slave);
    let since = Instant::now();
    while tcgetattr(&pty.master).expect("modes") == modes {
        if since.elapsed() > LIMIT {
            child.kill().expect("killed");
            panic!("there is no question: {:?}", child.wait_with_output());
        }
        thread::sleep(LOOK);
    }
    let mut master = File::from(pty.master);
    master.write_all(keys.as_bytes()).expect("pressed");
    drop(master);
    let since = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        if since.elapsed() > LIMIT {
            child.kill().expect("killed");
            panic!("it goes on without a terminal: {:?}", child.wait_with_output());
        }
        thread::sleep(LOOK);
    }
    super::finished(child.wait_with_output().expect("an end"))
}

fn open() -> OpenptyResult {
    let size = Winsize { ws_row: 40, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).expect("a pseudo-terminal");
    for fd in [&pty.master, &pty.slave] {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("kept from other tests' commands");
    }
    pty
}

/// Has the command, which [`super::Home::command`] made, take the terminal as that of its session.
fn take_terminal(command: &mut Command, slave: &OwnedFd) {
    let slave = slave.as_raw_fd();
    let take = move || {
        // SAFETY: an ioctl without memory of ours; the descriptor lives in the caller beyond the spawn.
        if unsafe { libc::ioctl(slave, libc::TIOCSCTTY, 0) } == -1 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe { command.pre_exec(take) };
}

/// The text without control sequences; one whose end is still to come is left out, too.
fn plain(shown: &[u8]) -> String {
    let text = String::from_utf8_lossy(shown);
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\x1b' => match chars.next() {
                Some('[') => drop(chars.find(|c| ('@'..='~').contains(c))),
                // A title, or where a prompt begins: until a bell, or a string terminator (`ESC \`).
                Some(']') => {
                    let end = chars.find(|c| matches!(c, '\x07' | '\x1b'));
                    end.filter(|end| *end == '\x1b').and_then(|_| chars.next());
                }
                _ => {}
            },
            '\r' => {}
            c => out.push(c),
        }
    }
    out
}
