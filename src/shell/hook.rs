//! What `alchemy hook-env` tells a shell's hook to do, written for that shell.
//!
//! Functions from values to text. The hooks themselves are in `shell/`; each has the functions that are called
//! here, and keeps what was there before where no child sees it. Nu and Elvish, which evaluate no text, and
//! PowerShell, which would trace it, get JSON.

use std::collections::BTreeMap;
use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;
use zeroize::Zeroizing;

use super::quote::{self, Text};
use super::{Variables, hook_tcsh, is_name};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// A shell that has a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
    Nu,
    Elvish,
    Tcsh,
    Pwsh,
}

/// A file to look at, as it was.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Its path; empty where there is nothing to look at.
    pub path: String,
    /// What was in it; empty for one that is missing. `None` for what a shell does not read as it is: bytes that
    /// are not UTF-8, and NULs.
    pub text: Option<String>,
    /// When it was changed, in seconds of Unix time; 0 for one that is missing.
    pub modified: i64,
}

/// What the hook keeps until it asks again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// `<directory>:<profile>`, or empty.
    pub active: String,
    /// Moves at every change of what we know.
    pub generation: Watched,
    /// The pin file in force.
    pub pin: Watched,
    /// From when on to ask again in any case, in seconds of Unix time.
    pub until: Option<i64>,
    /// The time, in seconds of Unix time.
    pub now: i64,
    /// Which message has been shown.
    pub told: String,
    /// All directories that are bound, by their real paths; `None` where they are too many to be told, or unknown.
    pub bound: Option<Vec<String>>,
}

/// What the hook is to do, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Variables whose values are ours, although another shell has set them: they take the place of all that
    /// the hook has kept until now.
    pub adopt: Option<Vec<String>>,
    /// Give everything back.
    pub leave: bool,
    /// Variables to set.
    pub set: Vec<(String, Secret)>,
    /// Variables to take away.
    pub unset: Vec<String>,
    /// What to keep.
    pub state: State,
}

/// The step for a shell. tcsh wants to know, besides, what is in its table, and whether a variable is set in its
/// environment. The text holds the secrets, so it is wiped when it is dropped.
///
/// A name that is no variable's, or a value that the shell cannot be given. The error never has the value.
pub(crate) fn render(
    shell: Shell,
    step: &Step,
    table: &[&str],
    is_set: impl Fn(&str) -> bool,
) -> Result<Zeroizing<String>> {
    for name in step.adopt.iter().flatten().chain(step.set.iter().map(|(name, _)| name)).chain(&step.unset) {
        if !is_name(name) {
            return Err(Error::new(format!("{name:?} is not the name of a variable")));
        }
    }
    if let Some((name, _)) = step.set.iter().find(|(_, value)| value.expose().contains('\0')) {
        return Err(Error::new(format!("{name} cannot be set: its value holds a NUL")));
    }
    let mut out = Text::default();
    match shell {
        Shell::Nu | Shell::Elvish | Shell::Pwsh => json(&mut out, step)?,
        Shell::Tcsh => return tcsh(step, table, is_set),
        Shell::Bash | Shell::Zsh => calls(&mut out, step, quote::ansi_c),
        Shell::Fish => calls(&mut out, step, quote::fish),
    }
    Ok(out.finish())
}

fn tcsh(step: &Step, table: &[&str], is_set: impl Fn(&str) -> bool) -> Result<Zeroizing<String>> {
    fn names(names: &[String]) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }
    let set: Vec<(&str, &str)> = step.set.iter().map(|(name, value)| (&**name, value.expose())).collect();
    let change = hook_tcsh::Change {
        adopt: &names(step.adopt.as_deref().unwrap_or_default()),
        leave: step.leave,
        set: &set,
        unset: &names(&step.unset),
    };
    let State { active, told, generation, pin, until, now, .. } = &step.state;
    let files = [generation, pin].map(|watched| (&*watched.path, watched.modified));
    let state = hook_tcsh::State { active, told, files, until: *until, now: *now };
    // What is adopted takes the place of the table.
    let table = if step.adopt.is_some() { &[] } else { table };
    hook_tcsh::statements(&change, table, is_set, &state)
}

/// A text as one word in a shell's script.
pub(crate) fn word(shell: Shell, text: &str) -> String {
    let mut out = Text::default();
    match shell {
        Shell::Bash | Shell::Zsh => quote::ansi_c(&mut out, text),
        Shell::Fish => quote::fish(&mut out, text),
        Shell::Tcsh => quote::backslashed(&mut out, text),
        Shell::Nu => quote::nu(&mut out, text),
        Shell::Elvish => out.push_all(&["'", &text.replace('\'', "''"), "'"]),
        Shell::Pwsh => quote::powershell(&mut out, text),
    }
    out.finish().trim_end_matches('\n').to_owned()
}

/// Calls of the hook's functions.
fn calls(out: &mut Text, step: &Step, quote: fn(&mut Text, &str)) {
    let mut call = |name: &str, words: &[&str]| {
        out.push_all(&["__alchemy_", name]);
        for word in words {
            out.push(" ");
            quote(out, word);
        }
        out.push("; ");
    };
    if let Some(adopt) = &step.adopt {
        call("adopt", &adopt.iter().map(String::as_str).collect::<Vec<_>>());
    }
    if step.leave {
        call("leave", &[]);
    }
    for (name, value) in &step.set {
        call("set", &[name, value.expose()]);
    }
    for name in &step.unset {
        call("unset", &[name]);
    }
    if let Some(bound) = &step.state.bound {
        // With how far each is from the root: only one directory above another one can be it then.
        let depths = bound.iter().map(|path| Path::new(path).components().skip(1).count());
        let words: Vec<String> = depths.zip(bound).map(|(depth, path)| format!("{depth}:{path}")).collect();
        call("bound", &words.iter().map(String::as_str).collect::<Vec<_>>());
    }
    call("state", &step.state.words().each_ref().map(|(_, word)| word.as_str()));
}

#[derive(Serialize)]
struct Document<'a> {
    adopt: Option<&'a [String]>,
    leave: bool,
    set: Variables<'a>,
    unset: &'a [String],
    state: BTreeMap<&'static str, String>,
}

fn json(out: &mut Text, step: &Step) -> Result<()> {
    let set: Vec<(&str, &str)> = step.set.iter().map(|(name, value)| (&**name, value.expose())).collect();
    let document = Document {
        adopt: step.adopt.as_deref(),
        leave: step.leave,
        set: Variables(&set),
        unset: &step.unset,
        state: step.state.words().into(),
    };
    super::json(out, &document)
}

impl State {
    /// Its parts, by the names that they have in JSON, in the order in which they are arguments.
    fn words(&self) -> [(&'static str, String); 8] {
        let until = self.until.map_or_else(String::new, |until| until.to_string());
        // One that always reads as changed would have every prompt ask again.
        let watched = |Watched { path, text, .. }: &Watched| match text {
            Some(text) => (path.clone(), text.clone()),
            None => <(String, String)>::default(),
        };
        let (generation, pin) = (watched(&self.generation), watched(&self.pin));
        [
            ("active", self.active.clone()),
            ("generationFile", generation.0),
            ("generation", generation.1),
            ("pinFile", pin.0),
            ("pin", pin.1),
            ("until", until),
            ("now", self.now.to_string()),
            ("told", self.told.clone()),
        ]
    }
}
