//! The tests start every program as a login starts a shell: no signal is ignored, and new files get the mode 644.
//!
//! Whoever starts the tests hands other things down: `nohup` ignores HUP, a shell without job control ignores INT and
//! QUIT for what it starts in the background, a continuous-integration runner may ignore any, and a person may have
//! `umask 077`. An ignored signal stays ignored across `execve`, and so does the umask. This file has the test process
//! itself put both right before its `main`, so every program that it starts, by whatever helper, inherits a login's.
//! (The mask of blocked signals is emptied by [`std::process::Command`].)

use nix::libc;

/// A signal that this process doesn't mind. `execve` sets a handled signal back to its default action, while an
/// ignored one stays ignored.
extern "C" fn ignore(_signal: libc::c_int) {}

/// Replaces each ignored signal by one that is handled and has no effect: the test process itself goes on ignoring
/// what its caller has told it to ignore (a run under `nohup` outlives the terminal).
extern "C" fn start_as_a_login_does() {
    for signal in 1..=64 {
        // SAFETY: a zeroed `sigaction` is one with the default action, no flags and an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: it writes the value it is given; a number that is no signal is refused.
        let is_known = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) } == 0;
        if is_known && action.sa_sigaction == libc::SIG_IGN {
            action.sa_sigaction = ignore as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            // SAFETY: the handler does nothing, which is safe in every moment.
            unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
        }
    }
    // SAFETY: it changes a number of this process; there is no other thread before `main`.
    unsafe { libc::umask(0o022) };
}

/// What the C library calls before `main`, and so before the first test.
#[used]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_os = "macos"), unsafe(link_section = ".init_array"))]
static BEFORE_MAIN: extern "C" fn() = start_as_a_login_does;
