//! A line, read in the terminal's own line mode: erasing, pasting, Ctrl-V, Ctrl-U and Ctrl-Z are the terminal's, no such
//! key types a letter, and a dumb one will do. What was typed before the question is no answer to it.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{InputFlags, LocalFlags, SpecialCharacterIndices};
use zeroize::Zeroizing;

use super::hangup::GONE;
use super::restored::{Manner, Restored, settings};

/// The longest line that a terminal gives, without its end: it drops what is more, without a word (`N_TTY_BUF_SIZE`;
/// `MAX_CANON`).
const LONGEST: usize = if cfg!(target_os = "linux") { 4095 } else { 1023 };
/// What a terminal puts around a paste for a program that asked for it; a shell may have, and forgotten.
const PASTE: [&str; 2] = ["\x1b[200~", "\x1b[201~"];

/// The key that calls off a question whose answer is shown.
const ESC: u8 = 0x1b;

/// What is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Typed {
    /// It is not shown, and any key but Enter may be a part of it.
    Secret,
    /// It is shown, and Esc ends it.
    Word,
}

/// Asks on a terminal, again and again until a line is an answer; `None` when the person cancels (Ctrl-C, Ctrl-D; Esc),
/// and when the terminal goes.
///
/// Fails when the terminal cannot be used, or the line is no text.
pub(super) fn read<T>(
    tty: &File,
    question: &str,
    typed: Typed,
    answer: impl Fn(Zeroizing<String>) -> Option<T>,
) -> io::Result<Option<T>> {
    let prompt = format!("? {question} ");
    let mut during = settings(tty)?;
    // The last one, which has a meaning for a secret only, tells these settings from a shell's.
    during.local_flags |= LocalFlags::ICANON | LocalFlags::ISIG | LocalFlags::IEXTEN | LocalFlags::ECHONL;
    during.local_flags &= !LocalFlags::NOFLSH;
    during.input_flags |= InputFlags::ICRNL;
    match typed {
        Typed::Secret => during.local_flags &= !LocalFlags::ECHO,
        Typed::Word => {
            during.local_flags |= LocalFlags::ECHO | LocalFlags::ECHOE | LocalFlags::ECHOCTL;
            during.control_chars[SpecialCharacterIndices::VEOL as usize] = ESC;
        }
    }
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
        let Some(text) = next_line(tty, typed, &interrupted)? else { return Ok(None) };
        if let Some(answer) = answer(text) {
            return Ok(Some(answer));
        }
    }
}

/// The next line, cleaned of the marks of a paste.
fn next_line(
    tty: &File,
    typed: Typed,
    interrupted: &io::PipeReader,
) -> io::Result<Option<Zeroizing<String>>> {
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
        if typed == Typed::Word && bytes.ends_with(&[ESC]) {
            (&*tty).write_all(b"\n")?;
            return Ok(None);
        }
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
