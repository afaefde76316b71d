//! Signals held back while something must not be interrupted.

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Signals that wait until this is dropped; threads that are started meanwhile inherit it.
#[derive(Debug)]
#[must_use = "they are held back until it is dropped"]
pub struct HeldBack {
    before: Option<SigSet>,
}

impl HeldBack {
    /// What a person or a closing terminal sends: INT, TERM, HUP and TSTP.
    pub fn interruptions() -> Self {
        Self::of(&SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGTSTP]))
    }

    /// What a person sends to have the process stop until it is told to go on: TSTP.
    pub fn suspension() -> Self {
        Self::of(&SigSet::from_iter([Signal::SIGTSTP]))
    }

    /// Everything that can be held back.
    pub fn all() -> Self {
        Self::of(&SigSet::all())
    }

    fn of(signals: &SigSet) -> Self {
        // The only error is a wrong `how`.
        Self { before: signals.thread_swap_mask(SigmaskHow::SIG_BLOCK).ok() }
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = before.thread_set_mask();
        }
    }
}
