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

use super::step::{State, Step};
use super::tcsh;
use crate::error::{Error, Result};
use crate::shell::quote::{self, Text};
use crate::shell::{Variables, is_name};

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
        Shell::Tcsh => return for_tcsh(step, table, is_set),
        Shell::Bash | Shell::Zsh => calls(&mut out, step, quote::ansi_c),
        Shell::Fish => calls(&mut out, step, quote::fish),
    }
    Ok(out.finish())
}

fn for_tcsh(step: &Step, table: &[&str], is_set: impl Fn(&str) -> bool) -> Result<Zeroizing<String>> {
    fn names(names: &[String]) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }
    let set: Vec<(&str, &str)> = step.set.iter().map(|(name, value)| (&**name, value.expose())).collect();
    let change = tcsh::Change {
        adopt: &names(step.adopt.as_deref().unwrap_or_default()),
        leave: step.leave,
        set: &set,
        unset: &names(&step.unset),
    };
    let State { active, told, generation, pin, until, now, .. } = &step.state;
    let files = [generation, pin].map(|watched| (&*watched.path, watched.modified));
    let state = tcsh::TcshState { active, told, files, until: *until, now: *now };
    // What is adopted takes the place of the table.
    let table = if step.adopt.is_some() { &[] } else { table };
    tcsh::statements(&change, table, is_set, &state)
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
    crate::shell::json(out, &document)
}
