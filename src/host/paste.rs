//! Lines that a person pastes, or a script pipes, while something else is waited for.
//!
//! They come from standard input; where that is no terminal, and at its end, from the terminal itself.
//! Nothing is read ahead of need: what is typed later is for the next question, or for the command.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::io::unix::AsyncFd;
use tokio::task::coop::consume_budget;

/// The longest line that is taken, in bytes; a terminal gives none that is longer.
const LONGEST: usize = 64 * 1024;

/// Where lines come from, the one to read now last.
pub(crate) struct Paste {
    sources: Vec<Source>,
    pending: Vec<u8>,
    /// Whether a person can type here.
    pub has_terminal: bool,
}

enum Source {
    /// A pipe or a terminal, which may let us wait.
    Waiting(AsyncFd<File>),
    /// A file, or `/dev/null`, which never does.
    Ready(File),
}

impl Paste {
    /// Takes standard input and the terminal, as far as they are there; of standard input nothing but a
    /// terminal when it `is_taken`. Within a runtime.
    pub(crate) fn open(is_taken: bool) -> Self {
        let stdin = io::stdin();
        let (piped, typed) = if stdin.is_terminal() {
            (None, duplicate(&stdin))
        } else {
            (duplicate(&stdin).filter(|_| !is_taken), File::open("/dev/tty").ok())
        };
        let has_terminal = typed.is_some();
        let sources = [typed, piped].into_iter().flatten().map(Source::new).collect();
        Self { sources, pending: Vec::new(), has_terminal }
    }

    /// Whether there is nothing to read from.
    pub(crate) fn is_over(&self) -> bool {
        self.sources.is_empty()
    }

    /// The next line, without its end. `None` when there is none any more. Nothing is lost when the future
    /// is dropped.
    pub(crate) async fn line(&mut self) -> Option<String> {
        loop {
            // Whoever never stops sending must leave the others their turn: the browser, the time limit.
            consume_budget().await;
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                return Some(self.take(end + 1));
            }
            // What a source leaves without the end of a line is given out with that source.
            let source = self.sources.last()?;
            let mut bytes = [0; 4096];
            match source.read(&mut bytes).await {
                Ok(count) if count > 0 && self.pending.len() < LONGEST => {
                    self.pending.extend_from_slice(&bytes[..count]);
                }
                // The end, or as good as it.
                _ => {
                    self.sources.pop();
                    if !self.pending.is_empty() {
                        return Some(self.take(self.pending.len()));
                    }
                }
            }
        }
    }

    fn take(&mut self, count: usize) -> String {
        let line: Vec<u8> = self.pending.drain(..count).collect();
        String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()
    }
}

impl Source {
    fn new(file: File) -> Self {
        // What cannot be waited for is refused here.
        // SAFETY: a `File` has the same open descriptor for as long as it lives.
        match unsafe { AsyncFd::register(file) } {
            Ok(file) => Self::Waiting(file),
            Err(error) => Self::Ready(error.into_parts().0),
        }
    }

    async fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Ready(file) => (&*file).read(bytes),
            Self::Waiting(file) => {
                // The descriptor stays in its blocking mode, which it shares with other processes: it is
                // read only when there is something.
                while !has_input(file.get_ref()) {
                    file.readable().await?.clear_ready();
                }
                file.get_ref().read(bytes)
            }
        }
    }
}

fn has_input(file: &File) -> bool {
    let mut polled = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    // Hung up counts: reading tells the end then.
    poll(&mut polled, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

fn duplicate(stdin: &io::Stdin) -> Option<File> {
    stdin.as_fd().try_clone_to_owned().ok().map(File::from)
}
