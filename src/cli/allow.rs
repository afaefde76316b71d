//! `alchemy allow`: trust a pin file, so that it may select a profile.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::r#use::existing;
use crate::directory::project_file::{self, Found, Pin, ProjectFile};
use crate::directory::trust::{self, Trust, Trusted};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::Account;
use crate::terminal;

/// Trust a pin file (.alchemy.toml): it may select a profile until its content changes
#[derive(Args)]
pub(super) struct Allow {
    /// Where to look for it, and from there upward [default: here]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// List what was allowed and denied
    #[arg(long, conflicts_with_all = ["directory", "prune"])]
    list: bool,
    /// Forget files that are gone or have changed
    #[arg(long, conflicts_with = "directory")]
    prune: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Allow {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        if self.list {
            return list(host, self.json);
        }
        if self.prune {
            let is_stale = |path: &Path, hash: &str| state(host, path, hash) != State::There;
            let gone = trust::prune(&host.home, host.messages, is_stale)?;
            if self.json {
                return terminal::print_json(&json!({ "forgotten": gone }));
            }
            host.messages.say(&format!("pin files forgotten, as they are gone or have changed: {gone}"));
            return Ok(());
        }
        let (pin, file) = nearest(host, self.directory.as_deref())?;
        let shown = host.shown(&file.path);
        let guards = pin.account.as_ref().map(|account| format!("guards account {account}"));
        let Some(name) = &pin.profile else {
            if self.json {
                return say_json(&pin, &file, None);
            }
            let only = guards.unwrap_or_else(|| "says nothing".to_owned());
            host.messages.say(&format!("{shown} needs no trust: it only {only}"));
            return Ok(());
        };
        // One that cannot be read is no reason not to say what is trusted.
        let profile = host.store(false)?.get(name).ok().flatten();
        trust::say(&host.home, &file, true, host.messages)?;
        if self.json {
            return say_json(&pin, &file, Some(Trust::Allowed));
        }
        let account = match &profile {
            Some(profile) => format!("account {}", profile.account),
            None => format!("to make it: alchemy configure -p {name}"),
        };
        let guards = guards.map(|guards| format!(", and {guards}")).unwrap_or_default();
        host.messages.say(&format!("{shown} may select profile '{name}' now ({account}){guards}"));
        let differs = |own: &Account| pin.account.as_ref().is_some_and(|guarded| *guarded != own.id);
        if profile.is_some_and(|profile| differs(&profile.account)) {
            host.messages.say("the account that it guards is not the profile's: only --account helps");
        }
        Ok(())
    }
}

/// What was allowed or denied, for programs.
pub(super) fn say_json(pin: &Pin, file: &ProjectFile, trust: Option<Trust>) -> Result<()> {
    let Pin { profile, account } = pin;
    terminal::print_json(
        &json!({ "file": file.path, "profile": profile, "account": account, "trust": trust }),
    )
}

/// The nearest pin file from a directory upward, when it is one that can be judged.
pub(super) fn nearest(host: &Host, directory: Option<&Path>) -> Result<(Pin, ProjectFile)> {
    let directory = existing(host, directory)?;
    match directory.ancestors().find_map(|at| project_file::read(at, host.uid)) {
        Some(Found::Pin(pin, file)) => Ok((pin, file)),
        Some(Found::Broken(error, _)) => Err(error),
        Some(Found::Ignored(note)) => {
            Err(Error::new(note).hint("take it over first (chown), or move it away; then look what it says"))
        }
        None => Err(Error::new(format!(
            "there is no {} in {} or above",
            project_file::NAME,
            host.shown(&directory)
        ))
        .hint("to bind the directory for yourself alone: alchemy use PROFILE")),
    }
}

#[derive(PartialEq, Eq)]
enum State {
    There,
    Changed,
    Gone,
}

fn state(host: &Host, path: &Path, hash: &str) -> State {
    match path.parent().and_then(|directory| project_file::read(directory, host.uid)) {
        Some(Found::Pin(_, file)) if file.hash() == hash => State::There,
        Some(_) => State::Changed,
        None => State::Gone,
    }
}

fn list(host: &Host, json: bool) -> Result<()> {
    let trusted = Trusted::load(&host.home)?;
    let entries: Vec<_> = trusted
        .iter()
        .map(|(path, hash, trust)| {
            let state = match state(host, path, hash) {
                State::There => "",
                State::Changed => "changed",
                State::Gone => "gone",
            };
            (path, trust, state)
        })
        .collect();
    if json {
        let entry = |(path, trust, state): &(&Path, Trust, &str)| {
            let state = if state.is_empty() { "there" } else { state };
            json!({ "file": path, "trust": trust, "state": state })
        };
        return terminal::print_json(&entries.iter().map(entry).collect::<Vec<_>>().into());
    }
    if entries.is_empty() {
        host.messages.say("no pin file was allowed or denied yet");
        return Ok(());
    }
    let row = |(path, trust, state): &(&Path, Trust, &str)| {
        let trust = if *trust == Trust::Allowed { "allowed" } else { "denied" };
        [host.shown(path), trust.to_owned(), (*state).to_owned()]
    };
    terminal::print(&terminal::table(["FILE", "TRUST", ""], &entries.iter().map(row).collect::<Vec<_>>()))
}
