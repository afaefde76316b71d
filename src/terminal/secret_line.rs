//! A line that is not shown, read in the terminal's own line mode: erasing, pasting, Ctrl-V and Ctrl-U are the
//! terminal's, and a dumb one will do.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{InputFlags, LocalFlags};
use zeroize::Zeroizing;

use super::hangup::GONE;
use super::restored::{Manner, Restored, settings};

/// The longest line that a terminal gives, without its end: it drops what is more, without a word (`N_TTY_BUF_SIZE`;
/// `MAX_CANON`).
const LONGEST: usize = if cfg!(target_os = "linux") { 4095 } else { 1023 };
/// What a terminal puts around a paste for a program that asked for it; a shell may have, and forgotten.
const PASTE: [&str; 2] = ["\x1b[200~", "\x1b[201~"];

/// Asks on a terminal; `None` when the person cancels (Ctrl-C, Ctrl-D), and when the terminal goes. Empty lines are passed over: they come along
/// with a paste.
///
/// Fails when the terminal cannot be used, or the line cannot be a secret.
pub(super) fn read(tty: &File, question: &str) -> io::Result<Option<Zeroizing<String>>> {
    let prompt = format!("? {question} ");
    let mut during = settings(tty)?;
    during.local_flags |= LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN | LocalFlags::ECHONL;
    during.local_flags &= !(LocalFlags::ECHO | LocalFlags::NOFLSH);
    during.input_flags |= InputFlags::ICRNL;
    let (interrupted, interrupt) = io::pipe()?;
    let manner = Manner {
        during: Some(during),
        interrupt: Some(interrupt.into()),
        leave: b"\n",
        again: prompt.clone(),
    };
    let _restored = Restored::new(tty, manner)?;
    loop {
        (&*tty).write_all(prompt.as_bytes())?;
        match next_line(tty, &interrupted)? {
            None => return Ok(None),
            Some(text) if text.trim().is_empty() => {}
            Some(text) => return Ok(Some(text)),
        }
    }
}

/// The next line, cleaned of the marks of a paste.
fn next_line(tty: &File, interrupted: &io::PipeReader) -> io::Result<Option<Zeroizing<String>>> {
    // Room for all that a terminal gives: bytes that grow leave copies.
    let mut bytes = Zeroizing::new(Vec::with_capacity(2 * (LONGEST + 1)));
    let mut chunk = Zeroizing::new([0; LONGEST + 1]);
    loop {
        let wanted = PollFlags::POLLIN;
        let mut polled = [PollFd::new(interrupted.as_fd(), wanted), PollFd::new(tty.as_fd(), wanted)];
        match poll(&mut polled, PollTimeout::NONE) {
            Err(Errno::EINTR) => continue,
            outcome => outcome?,
        };
        if polled[0].any() == Some(true) {
            (&*tty).write_all(b"\n")?; // as after an answer
            return Ok(None);
        }
        if polled[1].revents().is_some_and(|events| events.intersects(GONE)) {
            return Ok(None); // a half of what was to be typed is no answer
        }
        let count = match (&*tty).read(&mut *chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            count => count?,
        };
        bytes.extend_from_slice(&chunk[..count]);
        if count > 0 && !bytes.ends_with(b"\n") && bytes.len() <= LONGEST {
            continue; // Ctrl-D in the middle of a line
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        if line.len() >= LONGEST {
            let most = LONGEST - 1;
            return Err(io::Error::other(format!("a terminal takes no line of more than {most} characters")));
        }
        let text = str::from_utf8(line).map_err(|_| io::Error::other("what was typed is not UTF-8"))?;
        let [begin, end] = PASTE;
        let text = text.strip_prefix(begin).unwrap_or(text);
        return Ok(Some(Zeroizing::new(text.strip_suffix(end).unwrap_or(text).to_owned())));
    }
}
