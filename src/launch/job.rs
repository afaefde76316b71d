//! A command of the person's as a job of ours: it has the terminal, and stops and continues with us.
//!
//! It has a process group of its own, so that it can be ended with all that it has started. A Ctrl-Z therefore stops
//! it alone, and the shell that waits for us knows nothing of it: so we give the terminal back and stop ourselves, with
//! whatever else is in our job, as if the key had met us.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, ExitStatus};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, killpg};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};

use crate::terminal::Lent;

/// A command that runs, in a process group of its own.
pub(super) struct Job {
    child: Child,
    group: Pid,
    status: Option<ExitStatus>,
    terminal: Option<Foreground>,
    /// How long it was stopped, all in all.
    stopped: Duration,
}

impl Job {
    /// What was started, with the terminal where it was given that.
    pub(super) fn new(child: Child, terminal: Option<Foreground>) -> Self {
        let group = Pid::from_raw(child.id().cast_signed());
        let this = Self { child, group, status: None, terminal, stopped: Duration::ZERO };
        this.tell_group(Some(group));
        this
    }

    /// Where its output comes from.
    pub(super) fn output(&mut self) -> io::Result<ChildStdout> {
        self.child.stdout.take().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// How long it was stopped, which does not count for its limit.
    pub(super) fn stopped(&self) -> Duration {
        self.stopped
    }

    /// How it ended, when it has. When it has stopped, this stops us, and returns when both go on.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.wait_with(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)?;
        Ok(self.status)
    }

    /// Ends it, and all that it has started.
    pub(super) fn kill(&mut self) {
        let _ = killpg(self.group, Signal::SIGKILL); // it may have ended just now
        if self.status.is_none() {
            let _ = kill(self.group, Signal::SIGKILL); // and may have left the group
        }
    }

    /// Waits for its end.
    pub(super) fn wait(mut self) -> io::Result<ExitStatus> {
        loop {
            self.wait_with(WaitPidFlag::empty())?;
            if let Some(status) = self.status {
                return Ok(status);
            }
        }
    }

    fn wait_with(&mut self, flags: WaitPidFlag) -> io::Result<()> {
        if self.status.is_some() {
            return Ok(()); // its number may be another's by now
        }
        match waitpid(self.group, Some(flags)) {
            Ok(WaitStatus::Exited(_, code)) => self.status = Some(ExitStatus::from_raw((code & 0xff) << 8)),
            Ok(WaitStatus::Signaled(_, signal, _)) => self.status = Some(ExitStatus::from_raw(signal as i32)),
            Ok(WaitStatus::Stopped(_, signal)) => self.stop(signal),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        if self.status.is_some() {
            self.tell_group(None);
        }
        Ok(())
    }

    /// Tells what takes the terminal back whose it is.
    fn tell_group(&self, group: Option<Pid>) {
        if let Some(lent) = self.terminal.as_ref().and_then(|terminal| terminal.lent.as_ref()) {
            lent.set_job(group);
        }
    }

    /// Stops us, as the command has; then both go on.
    fn stop(&mut self, signal: Signal) {
        // One without a terminal was stopped by somebody who knows it; its limit goes on.
        let Some(terminal) = &self.terminal else { return };
        let since = Instant::now();
        let modes = terminal.give_back();
        // Nobody is stopped by these whom nobody could continue. Where they are held back, as a lock is in our hands or
        // a new session is on its way, we stop after that, and the command goes on at once.
        let signal =
            if matches!(signal, Signal::SIGTTIN | Signal::SIGTTOU) { signal } else { Signal::SIGTSTP };
        let _ = killpg(getpgrp(), signal);
        terminal.lend(self.group, modes.as_ref());
        let _ = killpg(self.group, Signal::SIGCONT);
        self.stopped += since.elapsed();
    }
}

/// The terminal, which is another process group's for as long as this lives.
pub(super) struct Foreground {
    /// Puts it back when a signal ends us.
    lent: Option<Lent>,
    pub(super) tty: File,
    ours: Pid,
    /// How it was set before.
    modes: Option<Termios>,
    /// The shell has it, and we are in the background.
    is_away: Cell<bool>,
}

impl Foreground {
    /// `None` without a terminal, and in the background, where it is not ours to give away.
    pub(super) fn take() -> Option<Self> {
        let tty = File::options().read(true).write(true).open("/dev/tty").ok()?;
        let ours = getpgrp();
        if tcgetpgrp(&tty) != Ok(ours) {
            return None;
        }
        let modes = tcgetattr(&tty).ok();
        let lent = modes.as_ref().map(|modes| Lent::new(&tty, modes));
        Some(Self { lent, tty, ours, modes, is_away: Cell::new(false) })
    }

    /// Takes it back from the command, as it was before; how the command had it set.
    fn give_back(&self) -> Option<Termios> {
        if self.is_away.get() {
            return None;
        }
        let modes = tcgetattr(&self.tty).ok();
        // A terminal that is gone needs nothing back.
        let _ = in_background(|| tcsetpgrp(&self.tty, self.ours));
        self.set(self.modes.as_ref());
        modes
    }

    /// Gives it to the command again, unless we are continued in the background.
    fn lend(&self, to: Pid, modes: Option<&Termios>) {
        self.is_away.set(tcgetpgrp(&self.tty) != Ok(self.ours));
        if !self.is_away.get() {
            self.set(modes);
            let _ = in_background(|| tcsetpgrp(&self.tty, to));
        }
    }

    fn set(&self, modes: Option<&Termios>) {
        if let Some(modes) = modes {
            let _ = in_background(|| tcsetattr(&self.tty, SetArg::TCSADRAIN, modes));
        }
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        // One that was killed has had no time to set it back.
        self.give_back();
    }
}

/// Does what the system stops a process for that is not in the foreground.
pub(super) fn in_background(act: impl FnOnce() -> nix::Result<()>) -> nix::Result<()> {
    let signals = SigSet::from(Signal::SIGTTOU);
    let before = signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let outcome = act();
    before.thread_set_mask()?;
    outcome
}
