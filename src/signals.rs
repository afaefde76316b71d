//! Signals held back while something must not be interrupted.
//!
//! A signal mask is a thread's own: a signal to the process goes to any thread that does not block it. So our threads
//! are started by [`thread`], with everything blocked; and as one thread cannot be (a browser inherits its mask),
//! what ends or stops a process is also caught, noted and raised again.

use std::io;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle};

use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, raise, sigaction};

/// What a person, a shell, a closing terminal or a stopping system sends to end a process or to stop it.
const INTERRUPTIONS: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];
/// Those of them that stop a process until it is told to go on. The last two meet a process in the background that
/// uses its terminal.
const STOPS: [Signal; 3] = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];
/// Those that another process sends, and so to any thread. (A terminal sends the other two to the very thread that
/// uses it.)
const SENT: [Signal; 5] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP];

/// Signals that wait until this is dropped; threads that are started meanwhile inherit it.
#[derive(Debug)]
#[must_use = "they are held back until it is dropped"]
pub(crate) struct HeldBack {
    before: Option<SigSet>,
    /// What would have been done about each of [`SENT`] that is caught.
    actions: Vec<(Signal, SigAction)>,
    /// The mask is that of the thread that made this, and so stays there.
    thread: PhantomData<*const ()>,
}

impl HeldBack {
    /// Holds back INT, TERM, HUP, QUIT, TSTP, TTIN and TTOU, in every thread.
    pub(crate) fn interruptions() -> Self {
        let before = block(&SigSet::from_iter(INTERRUPTIONS));
        let actions = SENT.into_iter().filter_map(|signal| Some((signal, catch(signal)?))).collect();
        Self { before, actions, thread: PhantomData }
    }

    /// Holds back what has the process stop until it is told to go on: TSTP, TTIN and TTOU.
    pub(crate) fn suspension() -> Self {
        Self { before: block(&SigSet::from_iter(STOPS)), actions: Vec::new(), thread: PhantomData }
    }

    /// Holds back everything that can be held back, in this thread.
    pub(crate) fn all() -> Self {
        Self { before: block(&SigSet::all()), actions: Vec::new(), thread: PhantomData }
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        for (signal, action) in &self.actions {
            // SAFETY: the action was in force before, and is what it was then.
            let _ = unsafe { sigaction(*signal, action) };
        }
        let ours = self.actions.iter().fold(0, |bits, (signal, _)| bits | bit(*signal as c_int));
        let caught = CAUGHT.fetch_and(!ours, Ordering::Relaxed) & ours;
        for (signal, _) in &self.actions {
            if caught & bit(*signal as c_int) != 0 {
                // It waits for the mask of before, as one does that met this thread.
                let _ = raise(*signal);
            }
        }
        if let Some(before) = &self.before {
            let _ = before.thread_set_mask();
        }
    }
}

/// Starts a thread that no signal reaches, and so the process through it.
///
/// Fails when the system gives no thread.
pub(crate) fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    // A thread inherits the mask of the one that starts it.
    let _held_back = HeldBack::all();
    Builder::new().name(name.to_owned()).spawn(work)
}

/// Blocks signals in this thread; the mask of before.
fn block(signals: &SigSet) -> Option<SigSet> {
    // The only error is a wrong `how`.
    signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok()
}

/// The signals that met a thread which did not block them, a bit each.
static CAUGHT: AtomicU32 = AtomicU32::new(0);

fn bit(signal: c_int) -> u32 {
    1 << (signal & 31)
}

extern "C" fn note(signal: c_int) {
    CAUGHT.fetch_or(bit(signal), Ordering::Relaxed);
}

/// Has a signal noted instead of obeyed; the action of before. One that is ignored stays so.
fn catch(signal: Signal) -> Option<SigAction> {
    let caught = SigAction::new(SigHandler::Handler(note), SaFlags::SA_RESTART, SigSet::all());
    // SAFETY: the handler does one atomic operation, which is allowed in it.
    let before = unsafe { sigaction(signal, &caught) }.ok()?;
    if matches!(before.handler(), SigHandler::SigIgn) {
        // SAFETY: the action was in force a moment ago.
        let _ = unsafe { sigaction(signal, &before) };
        return None;
    }
    Some(before)
}
