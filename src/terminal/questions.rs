//! Questions to the person, on the terminal itself.
//!
//! What stands in a question is made safe to show here, and whatever ends or stops us puts the terminal back.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

use inquire::InquireError;
use zeroize::Zeroizing;

use super::hangup::Watch;
use super::line::{self, Typed};
use super::restored::{Manner, Restored};
use super::{printable, stderr_is_terminal};
use crate::error::{Error, Result, reason};
use crate::secret::Secret;

/// What the library tells the terminal in the end, and at the beginning: the cursor is shown or hidden, a paste is plain
/// or marked.
const LEAVE: &[u8] = b"\x1b[?2004l\x1b[?25h\r\n";
const AGAIN: &str = "\x1b[?2004h\x1b[?25l";

/// The terminal, for as long as a question is on it.
struct Questions {
    /// Where standard input led before: the library reads that where it is a terminal, and so it always is one here.
    stdin: OwnedFd,
    /// Where stderr led before, when that was not the terminal.
    stderr: Option<OwnedFd>,
    watch: Option<Watch>,
    _restored: Restored,
}

/// The terminal that standard input is made: always the same, as the library knows it by what it was at first.
static INPUT: OnceLock<File> = OnceLock::new();

impl Questions {
    /// `what` is asked for, and `flag` gives it without a question.
    fn open(what: &str, flag: &str) -> Result<Self> {
        let tty = open_terminal(what, flag)?;
        Self::take(&tty).map_err(|error| cannot_ask(what, &reason(&error), flag))
    }

    fn take(tty: &File) -> io::Result<Self> {
        // The library makes the settings that it needs, and hides the cursor.
        let manner = Manner { during: None, interrupt: None, leave: LEAVE, again: AGAIN.to_owned() };
        let restored = Restored::new(tty, manner)?;
        let stdin = nix::unistd::dup(io::stdin())?;
        let mut this = Self { stdin, stderr: None, watch: None, _restored: restored };
        if !io::stdin().is_terminal() {
            let input = if let Some(input) = INPUT.get() {
                input
            } else {
                let input = tty.try_clone()?;
                INPUT.get_or_init(|| input)
            };
            nix::unistd::dup2_stdin(input)?;
        }
        if !stderr_is_terminal() {
            // The prompts draw on stderr, which is a file or a pipe here: for the time of the question it
            // leads to the terminal.
            this.stderr = Some(nix::unistd::dup(io::stderr())?);
            nix::unistd::dup2_stderr(tty)?;
        }
        this.watch = Some(Watch::start()?);
        Ok(this)
    }

    /// Whether the terminal has gone meanwhile. It is watched until then.
    fn has_lost_terminal(&mut self) -> bool {
        self.watch.take().is_some_and(Watch::end)
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
        self.has_lost_terminal();
        // They were open a moment ago; there is nowhere to report to if they are not now.
        let _ = nix::unistd::dup2_stdin(&self.stdin);
        if let Some(before) = &self.stderr {
            let _ = nix::unistd::dup2_stderr(before);
        }
    }
}

/// Has the library ask.
fn ask<T>(
    what: &str,
    flag: &str,
    prompt: impl FnOnce() -> std::result::Result<T, InquireError>,
) -> Result<T> {
    let mut questions = Questions::open(what, flag)?;
    let answer = prompt();
    if questions.has_lost_terminal() {
        return Err(canceled());
    }
    answer.map_err(|error| match error {
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
/// Fails without a terminal, naming `flag`; when the person cancels.
pub(crate) fn ask_text(question: &str, default: Option<&str>, flag: &str) -> Result<String> {
    let shown = printable(question);
    let mut prompt = inquire::Text::new(&shown);
    prompt.default = default;
    ask(question, flag, || prompt.prompt())
}

/// Asks for a line in the terminal's own line mode.
fn ask_line<T>(
    (what, question): (&str, &str),
    typed: Typed,
    flag: &str,
    answer: impl Fn(Zeroizing<String>) -> Option<T>,
) -> Result<T> {
    let tty = open_terminal(what, flag)?;
    let answer = line::read(&tty, &printable(question), typed, answer);
    answer.map_err(|error| cannot_ask(what, &reason(&error), flag))?.ok_or_else(canceled)
}

/// Asks for a secret, which is not shown. Empty lines are passed over: they come along with a paste.
///
/// Fails without a terminal, naming `flag`; when the person cancels.
pub(crate) fn ask_secret(question: &str, flag: &str) -> Result<Secret> {
    let answer = |text: Zeroizing<String>| (!text.trim().is_empty()).then_some(text);
    ask_line((question, question), Typed::Secret, flag, answer).map(Secret::from)
}

/// Asks for a yes or a no.
///
/// Fails without a terminal, naming `flag`; when the person cancels.
pub(crate) fn ask_yes(question: &str, flag: &str) -> Result<bool> {
    let answer = |text: Zeroizing<String>| match text.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Some(true),
        "" | "n" | "no" => Some(false),
        _ => None,
    };
    ask_line(("a yes or a no", &format!("{question} (y/N)")), Typed::Word, flag, answer)
}

/// Asks for one of several; typing narrows the list. The position of the choice.
///
/// Fails without a terminal, naming `flag`; when the person cancels.
pub(crate) fn ask_choice(question: &str, options: &[String], cursor: usize, flag: &str) -> Result<usize> {
    let shown: Vec<String> = options.iter().map(|option| printable(option)).collect();
    let asked = printable(question);
    let prompt = inquire::Select::new(&asked, shown).with_starting_cursor(cursor);
    ask(question, flag, || prompt.raw_prompt()).map(|choice| choice.index)
}

/// Asks for any number of several; typing narrows the list. The positions of the choices.
///
/// Fails without a terminal, naming `flag`; when the person cancels.
pub(crate) fn ask_choices(
    question: &str,
    options: &[String],
    ticked: &[usize],
    flag: &str,
) -> Result<Vec<usize>> {
    let shown: Vec<String> = options.iter().map(|option| printable(option)).collect();
    let asked = printable(question);
    let prompt = inquire::MultiSelect::new(&asked, shown).with_default(ticked).with_page_size(15);
    let chosen = ask(question, flag, || prompt.raw_prompt())?;
    Ok(chosen.into_iter().map(|choice| choice.index).collect())
}
