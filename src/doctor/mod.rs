//! `alchemy doctor`: what can be off on a machine, one file per theme.
//!
//! Each theme is a function from values to findings. It looks and changes nothing: no refresh, no question,
//! no unlocking, not even the tightening of a mode that a read does elsewhere. What it says is meant to be
//! pasted into an issue: no secret, no e-mail, no name of an account (Cloudflare makes it of the e-mail), no
//! path of the person's home. Whatever cannot be looked at is a note that says so, and never the end.

pub(crate) mod binary;
pub(crate) mod directory;
pub(crate) mod environment;
mod fix;
pub(crate) mod home;
pub(crate) mod locks;
pub(crate) mod network;
pub(crate) mod profiles;
mod rc;
pub(crate) mod shells;
pub(crate) mod stores;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::disk::home::Home;
use crate::disk::npm_lock::Left;
use crate::error::Error;
use crate::profile::ProfileName;
use crate::shell;
pub(crate) use fix::apply;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Something does not work, or will not, or lets a secret be seen.
    Problem,
    /// Something to know; nothing is wrong.
    Note,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What kind of thing it is, for programs and for searching: it never changes.
    pub id: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is the case.
    pub what: String,
    /// Why that matters.
    pub why: String,
    /// The command that mends it, or what to do where there is none.
    pub mend: String,
    /// What mends it without asking anybody, where that is safe.
    #[serde(skip)]
    pub fix: Option<Fix>,
}

impl Finding {
    fn new(id: &'static str, level: Level, what: impl Into<String>) -> Self {
        Self { id, level, what: what.into(), why: String::new(), mend: String::new(), fix: None }
    }

    /// Something that is wrong.
    pub(crate) fn problem(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(id, Level::Problem, what)
    }

    /// Something to know.
    pub(crate) fn note(id: &'static str, what: impl Into<String>) -> Self {
        Self::new(id, Level::Note, what)
    }

    /// Why it matters.
    pub(crate) fn why(self, why: impl Into<String>) -> Self {
        Self { why: why.into(), ..self }
    }

    /// What mends it.
    pub(crate) fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: mend.into(), ..self }
    }

    /// What [`apply`] does about it.
    pub(crate) fn fix(self, fix: Fix) -> Self {
        Self { fix: Some(fix), ..self }
    }

    /// An error as something that is wrong: its hint mends it.
    pub(crate) fn of(id: &'static str, error: &Error) -> Self {
        let mend = error.next_step().unwrap_or("alchemy --help");
        Self::problem(id, error.to_string()).mend(mend)
    }
}

/// What is safe to do without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fix {
    /// Takes files and folders that are ours alone from everyone else, those above first.
    Private(Vec<PathBuf>),
    /// Removes a lock of npm's whose holder is dead.
    Release(Left),
    /// Brings back a credential that npm's version 2 has moved away.
    BringBack(ProfileName),
    /// Brings the pair of tokens that waits in a rescue file into its store.
    BringHome(ProfileName),
}

/// What the edge read of this machine, for all themes.
pub(crate) struct Machine<'a> {
    /// Where everything is kept.
    pub home: &'a Home,
    /// The person's home directory.
    pub user_home: &'a Path,
    /// The person.
    pub uid: u32,
    /// The time.
    pub now: Timestamp,
    /// The environment.
    pub variables: &'a [(OsString, OsString)],
    /// The working directory, by its real path.
    pub directory: &'a Path,
    /// A path as people write it: from `~` on.
    pub shown: &'a dyn Fn(&Path) -> String,
}

impl Machine<'_> {
    /// A variable's value; an empty one is an unset one.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        let mut named = self.variables.iter().filter(|(key, _)| key == name);
        named.next().map(|(_, value)| value.as_os_str()).filter(|value| !value.is_empty())
    }

    /// The same, as text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.variable(name)?.to_str()
    }

    /// A path as people write it.
    pub(crate) fn show(&self, path: &Path) -> String {
        (self.shown)(path)
    }

    /// A path as a word of a command.
    pub(crate) fn word(&self, path: &Path) -> String {
        let shown = self.show(path);
        match shown.strip_prefix("~/") {
            Some(below) => format!("~/{}", shell::word(below)),
            None if shown == "~" => shown,
            None => shell::word(&shown),
        }
    }

    /// Folders of the environment's `PATH`, absolute ones.
    pub(crate) fn path_folders(&self) -> impl Iterator<Item = PathBuf> {
        let path = self.variable("PATH").unwrap_or_default();
        std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect::<Vec<_>>().into_iter()
    }

    /// A finding of this machine as it may be shown: the person's home is `~` in it, whoever wrote the text.
    pub(crate) fn tidy(&self, finding: Finding) -> Finding {
        let tidy = |text: &str| with_tilde(text, self.user_home);
        let Finding { what, why, mend, .. } = &finding;
        let (what, why, mend) = (tidy(what), tidy(why), tidy(mend));
        Finding { what, why, mend, ..finding }
    }
}

/// The text with `~` wherever it names the person's home.
fn with_tilde(text: &str, user_home: &Path) -> String {
    let Some(home) = user_home.to_str().filter(|home| home.len() > 1) else { return text.to_owned() };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(home) {
        let (before, after) = (&rest[..at], &rest[at + home.len()..]);
        let begins = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && !"/._-~".contains(c));
        let ends = after.chars().next().is_none_or(|c| !c.is_alphanumeric() && !"._-".contains(c));
        out.push_str(before);
        out.push_str(if begins && ends { "~" } else { home });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Names, as a list for people: a few of them, and how many more there are.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 3;
    match names.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_persons_home_is_a_tilde_wherever_it_is_named() {
        let table = [
            ("cannot read /home/me/.alchemy/x: no", "cannot read ~/.alchemy/x: no"),
            ("/home/me", "~"),
            ("rm /home/me/a /home/me/b", "rm ~/a ~/b"),
            ("/home/me2/x and /mnt/home/me/x", "/home/me2/x and /mnt/home/me/x"),
            ("BASH='/home/me/x'", "BASH='~/x'"),
        ];
        for (text, expected) in table {
            assert_eq!(with_tilde(text, Path::new("/home/me")), expected);
        }
        assert_eq!(with_tilde("/ /a", Path::new("/")), "/ /a");
    }
}
