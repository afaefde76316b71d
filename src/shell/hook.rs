//! What `alchemy hook-env` tells a shell's hook to do, written for that shell.
//!
//! Functions from values to text. The hooks themselves are in `shell/`; each has the functions that are called
//! here, and keeps what was there before where no child sees it. Nu and Elvish, which evaluate no text, and
//! PowerShell, which would trace it, get JSON.

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::Serialize;
use zeroize::Zeroizing;

use super::quote::{self, Text};
use super::{Variables, hook_tcsh, is_name};
use crate::environment::{ACTIVE, SET, Value};
use crate::error::{Error, Result};

/// A shell that has a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
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
pub struct Watched {
    /// Its path; empty where there is nothing to look at.
    pub path: String,
    /// What was in it; empty for one that is missing.
    pub text: String,
    /// When it was changed, in seconds of Unix time; 0 for one that is missing.
    pub modified: i64,
}

/// What the hook keeps until it asks again.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct State {
    /// `<directory>:<profile>`, or empty.
    pub active: String,
    /// Moves at every change of what we know.
    pub generation: Watched,
    /// The nearest pin file.
    pub pin: Watched,
    /// From when on to ask again in any case, in seconds of Unix time.
    pub until: Option<i64>,
    /// The time, in seconds of Unix time.
    pub now: i64,
    /// Which message has been shown.
    pub told: String,
}

/// What a shell is to have.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// `<directory>:<profile>`.
    pub active: String,
    /// Variables to set.
    pub set: Vec<(String, Value)>,
    /// Variables that must not be there.
    pub unset: Vec<String>,
    /// The profile's secret is among them.
    pub has_secret: bool,
}

/// What the hook is to do, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Variables whose values are ours, although another shell has set them: they take the place of all that
    /// the hook has kept until now.
    pub adopt: Option<Vec<String>>,
    /// Give everything back.
    pub leave: bool,
    /// Variables to set.
    pub set: Vec<(String, Value)>,
    /// Variables to take away.
    pub unset: Vec<String>,
    /// What to keep.
    pub state: State,
}

/// What a hook has, by its own account and by its shell's environment.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// What this hook has made active, and keeps what was before for.
    pub own: &'a str,
    /// `ALCHEMY_ACTIVE`: another one, where it was inherited from another shell; empty where nothing is active,
    /// or something else (direnv) has taken over for a time.
    pub active: &'a str,
    /// The secret of the own one is among what it has set.
    pub has_secret: bool,
    /// Names under which another shell may have set the token, besides the usual ones.
    pub also: &'a [String],
    /// direnv has put back what it had found, whoever has set it meanwhile: what differs from what the hook has
    /// made it need not be the person's doing.
    pub is_disturbed: bool,
}

impl Step {
    /// The step from what there is to what is wanted. `get` is the shell's environment.
    #[must_use]
    pub fn towards(wanted: Option<&Target>, now: Now, get: &dyn Fn(&str) -> Option<String>) -> Self {
        let Now { own, active, has_secret, also, is_disturbed } = now;
        let is_inherited = !active.is_empty() && active != own;
        let mut step = Self::default();
        if is_inherited {
            let ours = SET.iter().copied().chain([ACTIVE]).chain(also.iter().map(String::as_str));
            step.adopt = Some(ours.filter(|name| get(name).is_some()).map(str::to_owned).collect());
        }
        let Some(wanted) = wanted else {
            step.leave = !active.is_empty();
            if active.is_empty() {
                own.clone_into(&mut step.state.active); // it may come back
            }
            return step;
        };
        if active.is_empty() && !own.is_empty() {
            step.adopt = Some(Vec::new()); // it does not come back
        }
        let is_renewal =
            wanted.active == active && !is_inherited && !is_disturbed && wanted.has_secret == has_secret;
        step.leave = !active.is_empty() && !is_renewal;
        let is_news = |name: &str, value: &str| !is_renewal || get(name).as_deref() != Some(value);
        let set = wanted.set.iter().filter(|(name, value)| is_news(name, value.expose()));
        step.set = set.cloned().collect();
        // What comes back by leaving is not in the environment yet.
        let unset = wanted.unset.iter().filter(|name| step.leave || get(name).is_some());
        step.unset = unset.cloned().collect();
        step.state.active.clone_from(&wanted.active);
        step
    }
}

/// The step for a shell. tcsh wants to know, besides, what is in its table, and whether a variable is set in its
/// environment. The text holds the secrets, so it is wiped when it is dropped.
///
/// # Errors
/// A name that is no variable's, or a value that the shell cannot be given. The error never has the value.
pub fn render(
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
    let State { active, told, generation, pin, until, now } = &step.state;
    let files = [generation, pin].map(|watched| (&*watched.path, watched.modified));
    let state = hook_tcsh::State { active, told, files, until: *until, now: *now };
    // What is adopted takes the place of the table.
    let table = if step.adopt.is_some() { &[] } else { table };
    hook_tcsh::statements(&change, table, is_set, &state)
}

/// A text as one word in a shell's script.
#[must_use]
pub fn word(shell: Shell, text: &str) -> String {
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
        // What a shell reads of a file ends at a NUL.
        let text = |watched: &Watched| watched.text.split('\0').next().unwrap_or_default().to_owned();
        [
            ("active", self.active.clone()),
            ("generationFile", self.generation.path.clone()),
            ("generation", text(&self.generation)),
            ("pinFile", self.pin.path.clone()),
            ("pin", text(&self.pin)),
            ("until", until),
            ("now", self.now.to_string()),
            ("told", self.told.clone()),
        ]
    }
}
