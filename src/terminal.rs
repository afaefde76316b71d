//! What people see: messages on stderr, questions on the terminal, data on stdout.
//!
//! The rules: stdout carries data only. Everything for people goes to stderr, one line a message, with
//! control characters escaped, whoever wrote the text. Questions go to the terminal itself
//! (`/dev/tty`), also when stderr is a file; without a terminal they fail at once and name the flag.

mod hangup;
mod line;
mod printable;
mod questions;
mod restored;

use std::fmt::Write as _;
use std::io::{self, ErrorKind, IsTerminal, Write};

use jiff::{SignedDuration, Timestamp};

pub(crate) use printable::{printable, printable_json};
pub(crate) use questions::{ask_choice, ask_choices, ask_secret, ask_text, ask_yes};
pub(crate) use restored::Lent;

use crate::error::{Error, Kind, Result, reason};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Errors only.
    Quiet,
    /// What a person should know.
    Normal,
    /// Also what is being done; never a value.
    Verbose,
}

/// The way to say something to the person who runs us.
#[derive(Debug, Clone, Copy)]
pub struct Messages {
    level: Level,
    colour: bool,
}

impl Messages {
    /// Messages of a level, coloured or not.
    pub fn new(level: Level, colour: bool) -> Self {
        Self { level, colour }
    }

    /// Says what a person should know.
    pub fn say(&self, text: &str) {
        if self.level >= Level::Normal {
            print_to_stderr(&format!("alchemy: {}\n", printable(text)));
        }
    }

    /// Says what is lost, or may be, or what of a secret stays where it should not: also where little is to be said.
    pub fn loss(&self, text: &str) {
        print_to_stderr(&format!("alchemy: {}\n", printable(text)));
    }

    /// Whether what is being done is said.
    pub fn is_verbose(&self) -> bool {
        self.level >= Level::Verbose
    }

    /// Says what is being done.
    pub fn verbose(&self, text: &str) {
        if self.level >= Level::Verbose {
            print_to_stderr(&format!("alchemy: {}\n", printable(text)));
        }
    }

    /// Says what a person cannot do without, however little is to be said: on a line of its own.
    pub fn always(&self, text: &str) {
        print_to_stderr(&format!("{}\n", printable(text)));
    }

    /// Reports an error, with its hint on a line of its own.
    pub fn error(&self, error: &Error) {
        let (red, dim, plain) = if self.colour { ("\x1b[31m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        let mut lines = format!("{red}alchemy:{plain} {}\n", printable(&error.to_string()));
        if let Some(hint) = error.next_step() {
            let _ = writeln!(lines, "{dim}hint:{plain} {}", printable(hint));
        }
        print_to_stderr(&lines);
    }
}

/// Writes to stderr what is not a message: help, or lines for a program that reads it. In one piece, as many of our
/// processes may share a terminal.
pub(crate) fn print_to_stderr(lines: &str) {
    // Nobody is left to be told when stderr is closed.
    let _ = io::stderr().lock().write_all(lines.as_bytes());
}

/// Writes data to stdout.
///
/// [`Kind::Closed`] when the reader has gone, which is no failure of ours; else why it cannot be
/// written (a full disk).
pub(crate) fn print(data: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(data.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Error::of(Kind::Closed, "stdout is closed"),
        _ => Error::new(format!("cannot write to stdout: {}", reason(&error)))
            .hint("see where it leads, and whether there is room"),
    })
}

/// Writes a value to stdout as JSON, for programs; what would act on a terminal is escaped.
pub(crate) fn print_json(value: &serde_json::Value) -> Result<()> {
    print(&printable_json(&format!("{value:#}\n")))
}

/// Rows under a heading, in columns as wide as they must be.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> =
        rows.iter().map(|row| std::array::from_fn(|column| printable(&row[column]))).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).chain([heading[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    let heading = heading.map(str::to_owned);
    for row in std::iter::once(&heading).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Names and their values, one a line.
pub(crate) fn fields(fields: &[(&str, String)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        let _ = writeln!(out, "{name:8} {}", printable(value));
    }
    out
}

/// A length of time as people say it, in its two largest units at most: `52m`, `1h 5m`, `3d 4h`.
pub(crate) fn life(left: SignedDuration) -> String {
    let seconds = left.as_secs().max(0);
    let units =
        [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    // Seconds say something only when they are all that is left.
    let shown =
        units[first..].iter().take(2).filter(|(count, unit)| *count > 0 && (*unit != "s" || first == 3));
    let text = shown.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ");
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// A length of time as people write it: seconds, or with units.
///
/// Fails when it is none, or negative.
pub(crate) fn time(text: &str) -> Result<SignedDuration> {
    let wrong = || Error::usage("it is no length of time, such as 90, 90s or 15m");
    let time = match text.trim().parse::<u32>() {
        Ok(seconds) => SignedDuration::from_secs(seconds.into()),
        Err(_) => text.trim().parse().map_err(|_| wrong())?,
    };
    if time.is_negative() { Err(wrong()) } else { Ok(time) }
}

/// When something stops working, in words: `in 52m, renews`, `in 3d`, `2h ago`.
pub(crate) fn expiry(expires: Timestamp, now: Timestamp, renews: bool) -> String {
    let left = expires.duration_since(now);
    match (left.is_positive(), renews) {
        (true, true) => format!("in {}, renews", life(left)),
        (true, false) => format!("in {}", life(left)),
        (false, true) => "now, renews".to_owned(),
        (false, false) => format!("{} ago", life(-left)),
    }
}

/// Whether stdout is a terminal: then a person reads it, and secrets are masked.
pub(crate) fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether stderr is a terminal: then a person reads the messages.
pub(crate) fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_said_in_two_units() {
        for (seconds, said) in [
            (-5, "0s"),
            (0, "0s"),
            (30, "30s"),
            (90, "1m"),
            (3119, "51m"),
            (3600, "1h"),
            (3900, "1h 5m"),
            (273_600, "3d 4h"),
            (86_405, "1d"),
        ] {
            assert_eq!(life(SignedDuration::from_secs(seconds)), said);
        }
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [["prod".to_owned(), "é".to_owned()], ["x".to_owned(), String::new()]];
        assert_eq!(table(["NAME", "WHAT"], &rows), "NAME  WHAT\nprod  é\nx\n");
    }
}
