//! `alchemy use`: bind a directory to a profile; alone, say which profile applies here, and why.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::Pick;
use crate::directory::Here;
use crate::directory::bindings::{Bindings, bind, unbind};
use crate::error::{Error, Result, reason};
use crate::host::Host;
use crate::profile::selection::{Reason, Selection};
use crate::profile::{Account, Profile, ProfileName};
use crate::release::candidates::{Candidate, list_candidates, winner};
use crate::release::pick::{is_open, pick};
use crate::release::selector::{Selector, Wanted};
use crate::shell;
use crate::terminal;

/// Bind a directory to a profile; alone, say which profile applies here, and why
///
/// The binding is kept in your home, not in the directory, and covers everything below it that has none
/// of its own, and the worktrees of a git repository. With -v, alone, every candidate is shown.
#[derive(Args)]
#[command(
    override_usage = "alchemy use [OPTIONS] [PROFILE] [DIR]\n       alchemy use --unset [DIR]\n       \
                            alchemy use --list"
)]
pub(super) struct Use {
    /// The profile, and the directory [default: this one]
    #[arg(value_name = "PROFILE [DIR]", num_args = 0..)]
    words: Vec<PathBuf>,
    /// The profile, as an option
    #[arg(short, long, value_name = "PROFILE", conflicts_with_all = ["unset", "list", "pick"])]
    profile: Option<String>,
    #[command(flatten)]
    pick: Pick,
    /// Take the binding of a directory away
    #[arg(long, conflicts_with_all = ["list", "pick"])]
    unset: bool,
    /// List the directories that are bound
    #[arg(long, conflicts_with_all = ["words", "pick"])]
    list: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Use {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let mut words = self.words.into_iter();
        let profile = match self.profile {
            Some(profile) => Some(profile),
            None if self.unset || self.pick.pick => None,
            None => words.next().map(|word| word.to_string_lossy().into_owned()),
        };
        let directory = words.next();
        if words.next().is_some() {
            return Err(Error::usage("too many words on the command line")
                .hint("it is: alchemy use PROFILE [DIR], or with --pick or --unset: [DIR]"));
        }
        match profile {
            _ if self.list => list(host, self.json),
            _ if self.unset => unset(host, directory.as_deref(), self.json),
            Some(profile) => set(host, &profile, directory.as_deref(), self.json),
            None => {
                let (selector, store) = (Selector::of(host), host.store(false)?);
                if !self.pick.pick {
                    show(&selector, self.json)?;
                }
                if self.pick.pick || (!self.json && is_open(&selector, &store)?) {
                    let (profile, _) = pick(&selector, &store)?;
                    set(host, profile.name.as_str(), directory.as_deref(), self.json)?;
                }
                Ok(())
            }
        }
    }
}

fn set(host: &Host, profile: &str, directory: Option<&Path>, json: bool) -> Result<()> {
    let name = ProfileName::parse(profile)?;
    let store = host.store(false)?;
    let profile = store.find(&Selection { name, reason: Reason::CommandLine })?;
    let directory = existing(host, directory)?;
    let before = bind(&host.home, &directory, &profile.name, host.messages)?;
    let before = before.filter(|before| before != profile.name.as_str());
    if json {
        let (name, account) = (&profile.name, &profile.account);
        let bound = json!({ "directory": directory, "profile": name, "account": account, "before": before });
        terminal::print_json(&bound)?;
    } else {
        let instead = before.map(|before| format!(", and no longer '{before}'")).unwrap_or_default();
        host.messages.say(&format!(
            "{} uses profile '{}' now (account {}){instead}",
            host.shown(&directory),
            profile.name,
            profile.account
        ));
    }
    warn(host, &directory, &profile)
}

/// What stands against the new binding: an account that is guarded there, or a variable.
fn warn(host: &Host, directory: &Path, profile: &Profile) -> Result<()> {
    let here = Here::look(&host.home, directory, host.uid)?;
    if let Some(broken) = &here.broken {
        host.messages.say(&format!("nothing can be run there yet: {broken}"));
    }
    if let Some(guard) = here.guard.filter(|guard| guard.account != profile.account.id) {
        host.messages.say(&format!(
            "{} is for account {}: in that directory the profile works only with --account {}",
            host.shown(&guard.pin),
            guard.account,
            guard.account
        ));
    }
    let selector = Selector::of(host);
    let overridden = selector.with_named(None, |named| named.candidates().next().map(|(_, why)| why));
    let loaded = selector.loaded().filter(|loaded| loaded.at == directory);
    let overridden = overridden.or_else(|| loaded.map(|loaded| selector.selection(&loaded).reason));
    if let Some(why) = overridden {
        host.messages.say(&format!("in this shell the profile {why} goes before it"));
    }
    Ok(())
}

fn unset(host: &Host, directory: Option<&Path>, json: bool) -> Result<()> {
    let directory = as_bound(host, directory)?;
    let Some(profile) = unbind(&host.home, &directory, host.messages)? else {
        let bindings = Bindings::load(&host.home)?;
        let above = bindings.iter().map(|(bound, _)| bound).filter(|bound| directory.starts_with(bound));
        let hint = match above.last() {
            Some(above) => {
                let word = shell::word(&above.display().to_string());
                format!("the binding that covers it is another one's: alchemy use --unset {word}")
            }
            None => "to see what is bound: alchemy use --list".to_owned(),
        };
        return Err(Error::new(format!("{} is not bound", host.shown(&directory))).hint(hint));
    };
    if json {
        return terminal::print_json(&json!({ "directory": directory, "unbound": profile }));
    }
    host.messages.say(&format!("{} is not bound to profile '{profile}' any more", host.shown(&directory)));
    Ok(())
}

fn list(host: &Host, json: bool) -> Result<()> {
    let bindings = Bindings::load(&host.home)?;
    if json {
        let entry = |(directory, profile): (&Path, &str)| json!({ "directory": directory, "profile": profile, "exists": directory.is_dir() });
        return terminal::print_json(&bindings.iter().map(entry).collect::<Vec<_>>().into());
    }
    if bindings.is_empty() {
        host.messages.say("no directory is bound yet; bind one: alchemy use PROFILE");
        return Ok(());
    }
    let row = |(directory, profile): (&Path, &str)| {
        let gone = if directory.is_dir() { "" } else { "gone" };
        [host.shown(directory), profile.to_owned(), gone.to_owned()]
    };
    terminal::print(&terminal::table(
        ["DIRECTORY", "PROFILE", ""],
        &bindings.iter().map(row).collect::<Vec<_>>(),
    ))
}

/// The real path of a directory, which must exist; without one, of the working directory.
pub(super) fn existing(host: &Host, directory: Option<&Path>) -> Result<PathBuf> {
    let directory = directory.unwrap_or(&host.directory);
    let wrong = |why: &str| {
        Error::new(format!("{} is no directory that can be used: {why}", directory.display()))
            .hint("give one that exists")
    };
    let real = directory.canonicalize().map_err(|error| wrong(&reason(&error)))?;
    if real.is_dir() { Ok(real) } else { Err(wrong("not a directory")) }
}

/// The path under which a directory was bound, which may be gone since: real as far as it exists.
fn as_bound(host: &Host, directory: Option<&Path>) -> Result<PathBuf> {
    let directory = directory.unwrap_or(&host.directory);
    let absolute = std::path::absolute(directory).map_err(|error| Error::io("find", directory, &error))?;
    let mut real = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            part => real.push(part),
        }
        real = real.canonicalize().unwrap_or(real);
    }
    Ok(real)
}

/// Shows which profile applies in the working directory: with `-v` all candidates, too.
fn show(selector: &Selector, json: bool) -> Result<()> {
    let host = selector.host;
    let store = host.store(false)?;
    let chain = list_candidates(selector)?;
    if host.messages.is_verbose() && !json {
        terminal::print(&format!("{}\n", as_table(&chain)))?;
    }
    let Wanted { selection, refusal } = selector.wanted(None)?;
    let guard = selector.here()?.guard.as_ref();
    let profile = store.get(&selection.name)?;
    let account = profile.as_ref().map(|profile| &profile.account);
    if json {
        let selected = refusal.is_none().then_some(&selection.name);
        let asked = refusal.is_some().then_some(&selection.name);
        return terminal::print_json(&json!({
            "profile": selected,
            "asked": asked,
            "reason": selection.reason.to_string(),
            "exists": profile.is_some(),
            "account": account,
            "guard": guard.map(|guard| json!({ "account": guard.account, "file": guard.pin })),
            "chain": as_json(&chain),
        }));
    }
    let name = match &refusal {
        Some(refusal) => {
            let next = refusal.next_step().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("none: {refusal}{next}")
        }
        None => format!("{} ({})", selection.name, selection.reason),
    };
    let mut lines = vec![("profile", name)];
    if refusal.is_none() {
        lines.push((
            "account",
            account.map_or_else(|| "the profile does not exist".to_owned(), Account::to_string),
        ));
    }
    if let Some(guard) = guard {
        let holds = account.is_none_or(|account| account.id == guard.account);
        let otherwise = if holds { "" } else { ", so nothing leaves without --account" };
        let file = host.shown(&guard.pin);
        lines.push(("guard", format!("only account {}, by {file}{otherwise}", guard.account)));
    }
    terminal::print(&terminal::fields(&lines))
}

fn as_table(chain: &[Candidate]) -> String {
    let winner = winner(chain);
    let rows: Vec<[String; 5]> = chain
        .iter()
        .enumerate()
        .map(|(index, candidate)| {
            let mark = if winner == Some(index) { "*" } else { "" }.to_owned();
            let account = candidate.account.as_ref().map(ToString::to_string).unwrap_or_default();
            let profile = candidate.profile.clone().unwrap_or_default();
            [mark, candidate.source.clone(), profile, account, candidate.note.clone()]
        })
        .collect();
    terminal::table(["", "BY", "PROFILE", "GUARDED ACCOUNT", ""], &rows)
}

fn as_json(chain: &[Candidate]) -> Value {
    let winner = winner(chain);
    let value = |(index, candidate): (usize, &Candidate)| {
        json!({
            "by": candidate.source,
            "profile": candidate.profile,
            "guardedAccount": candidate.account,
            "note": candidate.note,
            "wins": winner == Some(index),
        })
    };
    chain.iter().enumerate().map(value).collect()
}
