//! The terminal's settings while a question is on it, or a job of ours has it: whatever ends or stops us meanwhile, they
//! are put back first.
//!
//! A question may be ended at any time, also where signals are held back around it ([`crate::signals`]). Its code waits
//! in a read, and a library's cannot be called off; so the handlers do the work themselves, by calls that POSIX allows in
//! a handler alone, and then do what the signal would have done.

use std::fs::File;
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction};
use nix::sys::termios::{SetArg, Termios, tcdrain, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};

/// What ends a question, or us while a job has the terminal, from outside.
const ENDS: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// Puts a terminal's settings back: when it is dropped, and before a signal ends or stops the process.
pub(super) struct Restored {
    tty: File,
    before: Termios,
    mask: Option<SigSet>,
    taken: Taken,
    /// Whether what is typed beside the question is thrown away.
    when: SetArg,
    /// Where a SIGINT is told, where that is no end of the process.
    _interrupt: Option<OwnedFd>,
}

/// Has a signal that ends us take the terminal back first from a job of ours, and end that, too. One at a time, and none
/// beside a question. Where such signals are held back ([`crate::signals`]) they stay so.
pub(crate) struct Lent {
    question: &'static Question,
    taken: Taken,
}

/// The signals that are handled here, and what would have been done about each.
#[derive(Default)]
struct Taken(Vec<(Signal, SigAction)>);

/// What the handlers know.
struct Question {
    tty: RawFd,
    before: libc::termios,
    /// The settings to go on with after a stop; those at the stop where nothing else is known.
    during: MaybeUninit<libc::termios>,
    is_known: AtomicBool,
    /// Where a SIGINT is told, or -1.
    interrupt: RawFd,
    /// The process group that has the terminal, where it is a job's; 0 until that is known.
    job: Option<AtomicI32>,
    /// What is written when the question is left in the middle, and when it is come back to.
    leave: &'static [u8],
    again: Vec<u8>,
}

/// How a question is asked.
pub(super) struct Manner {
    /// The settings that it needs, where it does not make them itself.
    pub during: Option<Termios>,
    /// Gets a byte at each SIGINT, which then ends the question alone.
    pub interrupt: Option<OwnedFd>,
    /// What is written when a signal ends or stops it.
    pub leave: &'static [u8],
    /// What is written when it goes on.
    pub again: String,
}

static QUESTION: AtomicPtr<Question> = AtomicPtr::new(ptr::null_mut());

impl Restored {
    /// Remembers the settings of a terminal, then makes those of the question. One question at a time.
    ///
    /// Fails when it is no terminal any more.
    pub(super) fn new(tty: &File, manner: Manner) -> io::Result<Self> {
        let tty = tty.try_clone()?;
        let before = settings(&tty)?;
        // Never given back: a handler may be at it in another thread whenever it would be. It holds no secret.
        let question = Box::leak(Box::new(Question {
            tty: tty.as_raw_fd(),
            before: raw(&before),
            during: manner
                .during
                .as_ref()
                .map_or(MaybeUninit::uninit(), |during| MaybeUninit::new(raw(during))),
            is_known: AtomicBool::new(manner.during.is_some()),
            interrupt: manner.interrupt.as_ref().map_or(-1, AsRawFd::as_raw_fd),
            job: None,
            leave: manner.leave,
            again: manner.again.into_bytes(),
        }));
        QUESTION.store(question, Ordering::Release);
        // What was typed before the question is no answer to it. What is left of a paste of many lines is none to the
        // next one, nor a command for the shell.
        let when = if manner.during.is_some() { SetArg::TCSAFLUSH } else { SetArg::TCSANOW };
        let (mask, taken) = (None, Taken::default());
        let mut this = Self { tty, before, mask, taken, when, _interrupt: manner.interrupt };
        for signal in ENDS.into_iter().chain([Signal::SIGTSTP, Signal::SIGCONT]) {
            this.taken.take(signal, |before| !matches!(before, SigHandler::SigIgn));
        }
        // A stop may be held back for the sake of others, who wait for a lock of ours; an end may not.
        this.mask = SigSet::from_iter(ENDS).thread_swap_mask(SigmaskHow::SIG_UNBLOCK).ok();
        if let Some(during) = &manner.during {
            set(&this.tty, when, during)?;
        }
        Ok(this)
    }
}

impl Lent {
    /// Before the job is started that is to have the terminal, with the settings to put back.
    pub(crate) fn new(tty: &File, before: &Termios) -> Self {
        // Never given back, as that of a question.
        let question = Box::leak(Box::new(Question {
            tty: tty.as_raw_fd(),
            before: raw(before),
            during: MaybeUninit::uninit(),
            is_known: AtomicBool::new(false),
            interrupt: -1,
            job: Some(AtomicI32::new(0)),
            leave: b"",
            again: Vec::new(),
        }));
        QUESTION.store(question, Ordering::Release);
        let mut taken = Taken::default();
        for signal in ENDS {
            taken.take(signal, |before| matches!(before, SigHandler::SigDfl));
        }
        Self { question, taken }
    }

    /// Which process group the job is; none when it has ended, as its number may be another's then.
    pub(crate) fn set_job(&self, group: Option<Pid>) {
        if let Some(job) = &self.question.job {
            job.store(group.map_or(0, Pid::as_raw), Ordering::Release);
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(mem::take(&mut self.taken));
        QUESTION.store(ptr::null_mut(), Ordering::Release);
    }
}

impl Taken {
    /// Takes a signal, where what was done about it until now allows that.
    fn take(&mut self, signal: Signal, may: impl FnOnce(SigHandler) -> bool) {
        // SAFETY: the handler keeps to what is allowed in one.
        let Ok(before) = (unsafe { sigaction(signal, &action()) }) else { return };
        if may(before.handler()) {
            self.0.push((signal, before));
        } else {
            // SAFETY: the action was in force a moment ago.
            let _ = unsafe { sigaction(signal, &before) };
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        for (signal, action) in &self.0 {
            // SAFETY: the action was in force before, and is what it was then.
            let _ = unsafe { sigaction(*signal, action) };
        }
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = set(&self.tty, self.when, &self.before);
        drop(mem::take(&mut self.taken));
        if let Some(mask) = &self.mask {
            let _ = mask.thread_set_mask();
        }
        QUESTION.store(ptr::null_mut(), Ordering::Release);
    }
}

/// The settings of a terminal that is ours: those that a shell has for its own line editor are not to be put back. In the
/// background the system stops us here, as it does who reads the terminal, until we are in front.
///
/// Fails when nobody could bring us there, or it is no terminal any more.
pub(super) fn settings(tty: &File) -> io::Result<Termios> {
    loop {
        match tcdrain(tty) {
            Err(Errno::EINTR) => {}
            outcome => break outcome?,
        }
    }
    if tcgetpgrp(tty)? == getpgrp() {
        Ok(tcgetattr(tty)?)
    } else {
        Err(io::Error::other("another program has the terminal"))
    }
}

/// Settings as the system has them. The conversion of the crate leaves out what was changed since they were read.
fn raw(settings: &Termios) -> libc::termios {
    let raw = libc::termios::from(settings.clone());
    let (c_iflag, c_lflag) = (settings.input_flags.bits(), settings.local_flags.bits());
    libc::termios { c_iflag, c_lflag, c_cc: settings.control_chars, ..raw }
}

/// Sets a terminal. In the background the system stops us until we are in front again, unless that is held back.
fn set(tty: &File, when: SetArg, settings: &Termios) -> io::Result<()> {
    loop {
        match tcsetattr(tty.as_fd(), when, settings) {
            Err(Errno::EINTR) => {}
            outcome => return Ok(outcome?),
        }
    }
}

fn action() -> SigAction {
    SigAction::new(SigHandler::Handler(handle), SaFlags::SA_RESTART, SigSet::empty())
}

/// Every call in here is in POSIX's list of those that a handler may make (2.4.3): `tcgetattr`, `tcsetattr`,
/// `tcgetpgrp`, `tcsetpgrp`, `getpgrp`, `write`, `sigaction`, `pthread_sigmask`, `kill`, `raise`.
extern "C" fn handle(signal: c_int) {
    let errno = Errno::last_raw();
    // SAFETY: it is null, or points to what is never given back, and is not changed but for `during`, whose flag says
    // when that is whole.
    if let Some(question) = unsafe { QUESTION.load(Ordering::Acquire).as_ref() } {
        match signal {
            libc::SIGCONT => question.go_on(),
            libc::SIGINT if question.interrupt >= 0 => write(question.interrupt, b"!"),
            _ => question.obey(signal),
        }
    }
    Errno::set_raw(errno);
}

impl Question {
    /// Puts the terminal back, and lets the signal do what it does by itself.
    fn obey(&self, signal: c_int) {
        if let Some(job) = &self.job {
            self.take_back(job.load(Ordering::Acquire));
            end(job.load(Ordering::Acquire), signal);
        } else if self.is_in_front() {
            let mut now = MaybeUninit::uninit();
            // SAFETY: it writes the value whose place it is given.
            let is_there = unsafe { libc::tcgetattr(self.tty, now.as_mut_ptr()) } == 0;
            if is_there && !self.is_known.load(Ordering::Acquire) {
                // SAFETY: both are places of one such value, and nobody reads this one before the flag is set.
                unsafe { ptr::copy_nonoverlapping(now.as_ptr(), self.during.as_ptr().cast_mut(), 1) };
                self.is_known.store(true, Ordering::Release);
            }
            // SAFETY: it reads the value that it is given.
            unsafe { libc::tcsetattr(self.tty, libc::TCSAFLUSH, &raw const self.before) };
            write(self.tty, self.leave);
        }
        let Ok(signal) = Signal::try_from(signal) else { return };
        let by_default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        let alone = SigSet::from(signal);
        // SAFETY: the default is no handler of ours.
        let _ = unsafe { sigaction(signal, &by_default) };
        let _ = nix::sys::signal::raise(signal);
        let mask = alone.thread_swap_mask(SigmaskHow::SIG_UNBLOCK);
        // A stop is over here.
        if let Ok(mask) = mask {
            let _ = mask.thread_set_mask();
        }
        // SAFETY: the handler is this one.
        let _ = unsafe { sigaction(signal, &action()) };
        if signal == Signal::SIGTSTP {
            // Where nobody could continue us, we were not stopped, and no SIGCONT has come.
            self.go_on();
        }
    }

    /// Takes the question up again after a stop, where the settings are not those of the question.
    fn go_on(&self) {
        if !self.is_known.load(Ordering::Acquire) {
            return;
        }
        // SAFETY: the flag says that it is whole.
        let during = unsafe { &*self.during.as_ptr() };
        let mut now = MaybeUninit::uninit();
        // SAFETY: it writes the value whose place it is given, which is read only when it has.
        let same = unsafe {
            libc::tcgetattr(self.tty, now.as_mut_ptr()) == 0
                && now.assume_init_ref().c_lflag == during.c_lflag
        };
        if !same {
            // In the background the system stops us here until we are in front.
            // SAFETY: it reads the value that it is given.
            unsafe { libc::tcsetattr(self.tty, libc::TCSAFLUSH, during) };
            write(self.tty, &self.again);
        }
    }

    /// Takes the terminal back from a job, unless it is somebody else's by now.
    fn take_back(&self, job: libc::pid_t) {
        // SAFETY: neither takes memory of ours.
        let (front, ours) = unsafe { (libc::tcgetpgrp(self.tty), libc::getpgrp()) };
        if ![front, 0].contains(&job) && front != ours {
            return;
        }
        // Who is not in front is stopped for it else.
        let mask = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK);
        // SAFETY: it reads the value that it is given.
        unsafe {
            libc::tcsetpgrp(self.tty, ours);
            libc::tcsetattr(self.tty, libc::TCSAFLUSH, &raw const self.before);
        }
        if let Ok(mask) = mask {
            let _ = mask.thread_set_mask();
        }
    }

    fn is_in_front(&self) -> bool {
        // SAFETY: neither takes memory of ours.
        unsafe { libc::tcgetpgrp(self.tty) == libc::getpgrp() }
    }
}

/// Ends a job as we are ended.
fn end(job: libc::pid_t, signal: c_int) {
    if job > 0 {
        // SAFETY: it takes no memory of ours.
        unsafe { libc::kill(-job, signal) };
    }
}

fn write(fd: RawFd, bytes: &[u8]) {
    // SAFETY: it reads the bytes that it is given. Nobody is left to be told when it fails.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
}
