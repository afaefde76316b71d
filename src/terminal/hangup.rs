//! The end of a question whose terminal has gone, where nothing ends the process: SIGHUP may be ignored (`nohup`), or
//! meet the shell alone.
//!
//! Who reads a terminal that is gone is told of its end at once, each time. The library reads again then, for ever, and
//! cannot be called off: so what it reads becomes a person who cancels.

use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::dup2_stdin;

use crate::signals;

/// What poll says of a terminal that is gone.
pub(super) const GONE: PollFlags = PollFlags::POLLHUP.union(PollFlags::POLLERR);
/// More than once, as half a sequence of a key may have been read before.
const CANCELS: [u8; 8] = [0x03; 8]; // Ctrl-C

/// Watches the terminal that standard input is, for as long as the library reads that.
pub(super) struct Watch {
    thread: JoinHandle<bool>,
    stop: PipeWriter,
}

impl Watch {
    /// Starts to watch.
    ///
    /// Fails when the system gives no descriptor or no thread.
    pub(super) fn start() -> io::Result<Self> {
        let terminal = io::stdin().as_fd().try_clone_to_owned()?;
        let (stopped, stop) = io::pipe()?;
        let thread = signals::thread("hangup", move || cancel_when_gone(&terminal, &stopped))?;
        Ok(Self { thread, stop })
    }

    /// Ends the watch: whether the terminal has gone, and standard input is no longer it.
    pub(super) fn end(self) -> bool {
        drop(self.stop);
        self.thread.join().unwrap_or(false)
    }
}

/// Waits for the first of both ends: that of the terminal, and that of the question.
fn cancel_when_gone(terminal: &OwnedFd, stopped: &PipeReader) -> bool {
    loop {
        let mut polled = [
            PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
            PollFd::new(terminal.as_fd(), PollFlags::empty()),
        ];
        match poll(&mut polled, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            // A system that cannot tell of a terminal says so at once.
            Err(_) => return false,
            Ok(_) => {
                let is_gone = polled[1].revents().is_some_and(|events| events.intersects(GONE));
                // The library may have failed for that very reason before we came to look.
                let is_over = polled[0].any() == Some(true);
                return is_gone && (is_over || cancel().is_ok());
            }
        }
    }
}

fn cancel() -> io::Result<()> {
    let (keys, mut person) = io::pipe()?;
    person.write_all(&CANCELS)?;
    Ok(dup2_stdin(keys)?)
}
