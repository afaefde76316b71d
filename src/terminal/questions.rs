//! Questions to the person, on the terminal itself.
//!
//! What stands in a question is made safe to show here, and whatever ends or stops us puts the terminal back.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;

use inquire::InquireError;

use super::restored::{Manner, Restored};
use super::{printable, secret_line, stderr_is_terminal};
use crate::error::{Error, Result, reason};
use crate::secret::Secret;

/// What the library tells the terminal in the end, and at the beginning: the cursor is shown or hidden, a paste is plain
/// or marked.
const LEAVE: &[u8] = b"\x1b[?2004l\x1b[?25h\r\n";
const AGAIN: &str = "\x1b[?2004h\x1b[?25l";

/// The terminal, for as long as a question is on it.
struct Questions {
    /// Where stderr led before, when that was not the terminal.
    stderr: Option<OwnedFd>,
    _restored: Restored,
}

impl Questions {
    /// `what` is asked for, and `flag` gives it without a question.
    fn open(what: &str, flag: &str) -> Result<Self> {
        let failed = |error: io::Error| cannot_ask(what, &reason(&error), flag);
        let tty = open_terminal(what, flag)?;
        // The library makes the settings that it needs, and hides the cursor.
        let manner = Manner { during: None, interrupt: None, leave: LEAVE, again: AGAIN.to_owned() };
        let restored = Restored::new(&tty, manner).map_err(failed)?;
        if stderr_is_terminal() {
            return Ok(Self { stderr: None, _restored: restored });
        }
        // The prompts draw on stderr, which is a file or a pipe here: for the time of the question it
        // leads to the terminal.
        let moved = || -> io::Result<OwnedFd> {
            let before = nix::unistd::dup(io::stderr())?;
            nix::unistd::dup2_stderr(&tty)?;
            Ok(before)
        };
        Ok(Self { stderr: Some(moved().map_err(failed)?), _restored: restored })
    }
}

fn open_terminal(what: &str, flag: &str) -> Result<File> {
    OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| no_terminal(what, flag))
}

fn no_terminal(what: &str, flag: &str) -> Error {
    Error::usage(format!("cannot ask for {}: there is no terminal", what.trim_end_matches(':')))
        .hint(format!("give it by {flag}"))
}

impl Drop for Questions {
    fn drop(&mut self) {
        if let Some(before) = &self.stderr {
            // It was open a moment ago; there is nowhere to report to if it is not now.
            let _ = nix::unistd::dup2_stderr(before);
        }
    }
}

fn answer<T>(result: std::result::Result<T, InquireError>, what: &str, flag: &str) -> Result<T> {
    result.map_err(|error| match error {
        InquireError::OperationCanceled | InquireError::OperationInterrupted => canceled(),
        InquireError::NotTTY => no_terminal(what, flag),
        other => cannot_ask(what, &other.to_string(), flag),
    })
}

fn canceled() -> Error {
    Error::new("cancelled; nothing was changed")
}

fn cannot_ask(what: &str, why: &str, flag: &str) -> Error {
    Error::new(format!("cannot ask for {}: {why}", what.trim_end_matches(':')))
        .hint(format!("give it by {flag}"))
}

/// Asks for a line of text.
///
/// # Errors
/// Without a terminal, naming `flag`; when the person cancels.
pub fn ask_text(question: &str, default: Option<&str>, flag: &str) -> Result<String> {
    let _questions = Questions::open(question, flag)?;
    let shown = printable(question);
    let mut prompt = inquire::Text::new(&shown);
    prompt.default = default;
    answer(prompt.prompt(), question, flag)
}

/// Asks for a secret, which is not shown.
///
/// # Errors
/// Without a terminal, naming `flag`; when the person cancels.
pub fn ask_secret(question: &str, flag: &str) -> Result<Secret> {
    let tty = open_terminal(question, flag)?;
    match secret_line::read(&tty, &printable(question)) {
        Ok(Some(line)) => Ok(Secret::from(line)),
        Ok(None) => Err(canceled()),
        Err(error) => Err(cannot_ask(question, &reason(&error), flag)),
    }
}

/// Asks for a yes or a no.
///
/// # Errors
/// Without a terminal, naming `flag`; when the person cancels.
pub fn ask_yes(question: &str, flag: &str) -> Result<bool> {
    let _questions = Questions::open("a yes or a no", flag)?;
    answer(inquire::Confirm::new(&printable(question)).with_default(false).prompt(), question, flag)
}

/// Asks for one of several; typing narrows the list. The position of the choice.
///
/// # Errors
/// Without a terminal, naming `flag`; when the person cancels.
pub fn ask_choice(question: &str, options: &[String], cursor: usize, flag: &str) -> Result<usize> {
    let _questions = Questions::open(question, flag)?;
    let shown: Vec<String> = options.iter().map(|option| printable(option)).collect();
    let asked = printable(question);
    let prompt = inquire::Select::new(&asked, shown).with_starting_cursor(cursor);
    answer(prompt.raw_prompt(), question, flag).map(|choice| choice.index)
}

/// Asks for any number of several; typing narrows the list. The positions of the choices.
///
/// # Errors
/// Without a terminal, naming `flag`; when the person cancels.
pub fn ask_choices(question: &str, options: &[String], ticked: &[usize], flag: &str) -> Result<Vec<usize>> {
    let _questions = Questions::open(question, flag)?;
    let shown: Vec<String> = options.iter().map(|option| printable(option)).collect();
    let asked = printable(question);
    let prompt = inquire::MultiSelect::new(&asked, shown).with_default(ticked).with_page_size(15);
    let chosen = answer(prompt.raw_prompt(), question, flag)?;
    Ok(chosen.into_iter().map(|choice| choice.index).collect())
}
