//! `alchemy use`: bind a directory to a profile; alone, say which profile applies here, and why.

use std::path::{Component, Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::chain;
use super::pick::{Pick, is_open, pick};
use crate::directory::Here;
use crate::directory::bindings::{Bindings, bind, unbind};
use crate::error::{Error, Result, reason};
use crate::host::Host;
use crate::profile::selection::{Reason, Selection};
use crate::profile::{Profile, ProfileName};
use crate::release::selector::Selector;
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
pub struct Use {
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
    pub fn run(self, host: &Host) -> Result<()> {
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
                    chain::show(&selector, self.json)?;
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
pub fn existing(host: &Host, directory: Option<&Path>) -> Result<PathBuf> {
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
