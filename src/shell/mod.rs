//! What `alchemy env` prints: variables to set and to unset, written for a shell, a program or a file.
//!
//! Functions from values to text. The rule of every format: what is read back is the exact value, and
//! a value that a format cannot carry is an error that names the variable, never a guess.
//!
//! [`Format::Sh`] is made for what people type, `eval $(alchemy env)` without quotes, in bash, dash,
//! zsh, ksh, mksh and fish, under `set -eu` too. The shell splits the text at blanks, expands it as a
//! pattern, joins it with blanks and reads it again; so it is one line without quotes, its statements
//! end in `;` (or a blank at the end of the last value would be lost), and every odd character has its
//! own backslash. Two limits that no quoting lifts: an `IFS` with a character of the text in it; and,
//! in ksh and mksh, values with `*`, `?` or `[` beside a file whose name starts like the quoted word,
//! its `NAME=` and backslashes included. `eval "$(alchemy env)"` has neither.

pub(crate) mod quote;

use clap::ValueEnum;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use quote::Text;
pub(crate) use quote::word;

/// Who is going to read the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// bash, dash, zsh, ksh, mksh and fish: `eval $(alchemy env)`
    Sh,
    /// fish: `alchemy env --format fish | source`
    Fish,
    /// csh and tcsh: ``eval `alchemy env --format tcsh` ``
    Tcsh,
    /// Nushell: JSON `{"set": {…}, "unset": […]}` for `shell/env.nu`
    Nu,
    /// Elvish: JSON `{"set": {…}, "unset": […]}` for `shell/env.elv`
    Elvish,
    /// `PowerShell`: `alchemy env --format pwsh | Out-String | Invoke-Expression`
    Pwsh,
    /// One JSON object, name to value
    Json,
    /// A `.env` file
    Dotenv,
    /// A file for `docker run --env-file`
    Docker,
    /// Lines for `"$GITHUB_ENV"`
    GithubActions,
}

impl Format {
    /// Whether the format can unset a variable: the shells can, the formats for files cannot.
    pub fn can_unset(self) -> bool {
        !matches!(self, Self::Json | Self::Dotenv | Self::Docker | Self::GithubActions)
    }

    /// Whether the format has a way to write a newline and the other control characters.
    fn has_escapes(self) -> bool {
        matches!(self, Self::Json | Self::Nu | Self::Elvish)
    }
}

/// The text that unsets the variables `unset`, then sets those of `set`, in the order given.
///
/// It ends with one newline. Formats that describe a set of variables ([`Format::can_unset`] says no)
/// leave `unset` out. The text holds the secrets, so it is wiped when it is dropped.
///
/// [`crate::error::Kind::Usage`] for nothing but `unset` in a format that cannot unset; otherwise a
/// name that is no variable's, or a value that the format cannot carry. The error never has the value.
pub fn render(format: Format, set: &[(&str, &str)], unset: &[&str]) -> Result<Zeroizing<String>> {
    if set.is_empty() && !unset.is_empty() && !format.can_unset() {
        let shells = Format::value_variants().iter().filter(|format| format.can_unset());
        let names: Vec<String> = shells.map(|shell| name_of(*shell)).collect();
        return Err(Error::usage(format!("the format {} can only set variables", name_of(format)))
            .hint(format!("--unset works for shells: {}", names.join(", "))));
    }
    for name in set.iter().map(|(name, _)| name).chain(unset) {
        if !is_name(name) {
            return Err(Error::new(format!("{name:?} is not the name of a variable")));
        }
    }
    for (name, value) in set {
        if !format.has_escapes() && value.contains(char::is_control) {
            return Err(cannot_carry(format, name, "holds a control character"));
        }
    }
    let mut out = Text::default();
    match format {
        Format::Sh => sh(&mut out, set, unset),
        Format::Fish => fish(&mut out, set, unset),
        Format::Tcsh => tcsh(&mut out, set, unset),
        Format::Pwsh => pwsh(&mut out, set, unset),
        Format::Nu | Format::Elvish => json(&mut out, &Change { set: Variables(set), unset })?,
        Format::Json => json(&mut out, &Variables(set))?,
        Format::Dotenv => dotenv(&mut out, set)?,
        Format::Docker | Format::GithubActions => {
            for (name, value) in set {
                out.push_all(&[name, "=", value, "\n"]);
            }
        }
    }
    Ok(out.finish())
}

/// One line for the POSIX shells and fish at once.
///
/// `test a = \x61` tells them apart: fish reads `a`, the others `x61`. What only fish may run, or only
/// the others, stands behind `&&` or `||`, where `set -e` does not mind a false test.
fn sh(out: &mut Text, set: &[(&str, &str)], unset: &[&str]) {
    if !unset.is_empty() {
        out.push_statement(&[r"test a = \x61 && eval "]);
        quote::backslashed(out, &fish_unset(unset));
        out.push_all(&[r"; test a = \x61 || unset -v ", &unset.join(" "), ";"]);
    }
    for (name, value) in set {
        // ksh and mksh expand `{a,b}` in the words of an unquoted `$(…)`, backslashes or not, so the two
        // braces must not share one: after each opening one, a statement of its own appends the rest.
        for (i, piece) in value.split_inclusive('{').chain(value.is_empty().then_some("")).enumerate() {
            out.push_statement(&["export ", name, "="]);
            if i > 0 {
                out.push_all(&["\"$", name, "\""]);
            }
            quote::backslashed(out, piece);
            out.push(";");
        }
    }
}

/// One line, so that it can be sourced and evaluated.
fn fish(out: &mut Text, set: &[(&str, &str)], unset: &[&str]) {
    if !unset.is_empty() {
        out.push_statement(&[&fish_unset(unset)]);
    }
    for (name, value) in set {
        out.push_statement(&["set -gx ", name, " "]);
        quote::backslashed(out, value);
        out.push(";");
    }
}

/// Takes the variables out of fish's environment, without a message and with status 0.
///
/// Never a plain `set -e`: it can delete a universal variable, which is the person's own setting on
/// disk, for all sessions and for good. One of those is covered with an empty value instead, in this
/// session (a global that is not exported does not hide it from programs: measured in 3.6).
fn fish_unset(unset: &[&str]) -> String {
    let names = unset.join(" ");
    format!("begin; set -l n; for n in {names}; set -eg $n; if set -qU $n; set -gx $n; end; end; end;")
}

/// One line. In what backticks yield, csh expands every brace, backslash or not, except one that is a
/// word by itself: so that is where a value's opening brace comes from.
fn tcsh(out: &mut Text, set: &[(&str, &str)], unset: &[&str]) {
    for name in unset {
        out.push_statement(&["unsetenv ", name, ";"]);
    }
    let has_brace = set.iter().any(|(_, value)| value.contains('{'));
    if has_brace {
        out.push_statement(&["set alchemy_brace = { ;"]);
    }
    for (name, value) in set {
        out.push_statement(&["setenv ", name, " "]);
        for (i, piece) in value.split('{').enumerate() {
            out.push(if i > 0 { "\"$alchemy_brace\"" } else { "" });
            quote::backslashed(out, piece);
        }
        out.push(";");
    }
    if has_brace {
        out.push_statement(&["unset alchemy_brace;"]);
    }
}

fn pwsh(out: &mut Text, set: &[(&str, &str)], unset: &[&str]) {
    for name in unset {
        out.push_all(&["Remove-Item Env:", name, " -ErrorAction SilentlyContinue\n"]);
    }
    for (name, value) in set {
        out.push_all(&["$env:", name, " = "]);
        quote::powershell(out, value);
        out.push("\n");
    }
}

fn dotenv(out: &mut Text, set: &[(&str, &str)]) -> Result<()> {
    for (name, value) in set {
        let quotes = quote::dotenv(value).ok_or_else(|| {
            cannot_carry(Format::Dotenv, name, "holds characters that readers of .env files do not agree on")
        })?;
        out.push_all(&[name, "=", quotes, value, quotes, "\n"]);
    }
    Ok(())
}

#[derive(Serialize)]
struct Change<'a> {
    set: Variables<'a>,
    unset: &'a [&'a str],
}

/// Serialized as an object, in the order given.
pub(crate) struct Variables<'a>(pub &'a [(&'a str, &'a str)]);

impl Serialize for Variables<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

pub(crate) fn json(out: &mut Text, value: &impl Serialize) -> Result<()> {
    serde_json::to_writer(out, value).map_err(|error| Error::new(format!("cannot write JSON: {error}")))
}

fn cannot_carry(format: Format, name: &str, why: &str) -> Error {
    Error::new(format!("cannot write {name} in the format {}: its value {why}", name_of(format)))
        .hint("--format json carries every value")
}

/// The format's name on the command line.
fn name_of(format: Format) -> String {
    format.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// The names that every shell can assign to, and that can carry no code into one.
pub(crate) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests;
