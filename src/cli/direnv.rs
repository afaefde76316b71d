//! `alchemy hook-env direnv`: what `use alchemy` in an `.envrc` evaluates (`shell/use_alchemy.sh`).

use std::path::{Path, PathBuf};

use crate::directory::mark::{ActivatedBy, ActiveMark};
use crate::directory::project_file;
use crate::environment::{ACTIVE, Changes, Value};
use crate::error::{Error, Result};
use crate::hook::desired::{named, without_our_own};
use crate::hook::render::{Shell, word};
use crate::host::Host;
use crate::profile::selection::{Reason, Selection};
use crate::release::changes::changes;
use crate::release::check;
use crate::release::choice::Choice;
use crate::release::selector::Selector;
use crate::session::Gate;
use crate::shell::{Format, render};
use crate::terminal;

/// Prints which files to watch, and what to set. When there is nothing to be had, direnv still watches: what
/// mends it has it look again.
pub(super) fn run(host: &Host, profile: Option<&str>, profile_only: bool) -> Result<()> {
    let mut watched = vec![host.home.config(), host.home.bindings(), host.home.trust()];
    // Each of them could select or guard, also one that is not there yet.
    watched.extend(host.directory.ancestors().map(|at| at.join(project_file::NAME)));
    let selector = Selector::of(host);
    let wanted = selector.select(profile);
    if let Ok(selection) = &wanted {
        watched.insert(0, host.home.stamp(&selection.name));
    }
    terminal::print(&watch(&watched))?;
    let changes = wanted.and_then(|selection| load(&selector, profile, &selection, profile_only));
    // direnv shows what it is told, and wants one line.
    let changes = changes.map_err(|error| match error.next_step() {
        Some(hint) => Error::of(error.kind(), format!("{error}; {hint}")),
        None => error,
    })?;
    match changes {
        Some(Changes { set, unset }) => {
            let set: Vec<(&str, &str)> = set.iter().map(|(name, value)| (&**name, value.expose())).collect();
            let unset: Vec<&str> = unset.iter().map(String::as_str).collect();
            terminal::print(&render(Format::Sh, &set, &unset)?)
        }
        None => Ok(()),
    }
}

fn watch(files: &[PathBuf]) -> String {
    let words: Vec<String> =
        files.iter().filter_map(|file| Path::to_str(file)).map(|file| word(Shell::Bash, file)).collect();
    format!("watch_file {}; ", words.join(" "))
}

/// Whether direnv's own hook, where the shell has it, is about to take back what it has loaded: from its `.envrc`
/// the person has gone elsewhere, or to a nearer one. What direnv puts back then, it puts back over anything.
pub(super) fn is_about_to_unload(host: &Host) -> bool {
    let Some(loaded) = host.text("DIRENV_DIR").map(|dir| Path::new(dir.trim_start_matches('-'))) else {
        return false;
    };
    let loaded = loaded.canonicalize().unwrap_or_else(|_| loaded.to_owned());
    let mut nearer = host.directory.ancestors().take_while(|at| *at != loaded);
    !host.directory.starts_with(&loaded) || nearer.any(|at| at.join(".envrc").exists())
}

/// What to set; nothing where the hook of the shell sets it, which puts back what was there, too.
fn load(
    selector: &Selector,
    argument: Option<&str>,
    selection: &Selection,
    profile_only: bool,
) -> Result<Option<Changes>> {
    let host = selector.host;
    let mut store = host.store(false)?;
    let active = host.text(ACTIVE).and_then(|active| active.rsplit_once(':'));
    let choice = selector.look()?.choice.as_ref();
    if active.is_some_and(|(_, profile)| profile == selection.name.as_str())
        && choice.is_some_and(|choice| choice.name == selection.name)
    {
        return Ok(None);
    }
    let choice = Choice::find(selector, &store, argument)?;
    let mark = mark(host, selection);
    if profile_only {
        choice.check(selector, &store, None)?;
        let Choice::Profile(profile, _) = &choice else { return Ok(None) };
        let set = named(profile).into_iter().map(|(name, value)| (name, Value::Plain(value)));
        // The other variable would go before the name.
        return Ok(Some(marked(
            Changes { set: set.collect(), unset: vec!["CLOUDFLARE_PROFILE".to_owned()] },
            mark,
        )));
    }
    // Nobody can be asked here, whether this direnv says that it is one (DIRENV_IN_ENVRC) or is too old for that.
    let session = choice.check(selector, &store, None)?.release(host, &mut store, None, Gate::Closed)?;
    check::warn_of_wrangler(host, session.account.as_ref());
    let Changes { set, unset } = changes(&session, choice.also());
    Ok(Some(marked(Changes { set, unset: without_our_own(unset) }, mark)))
}

/// What says that the profile is the directory's: not where a variable of the person's selects, which stays theirs.
fn mark(host: &Host, selection: &Selection) -> Option<ActiveMark> {
    let is_named = match selection.reason {
        Reason::CloudflareProfile | Reason::AlchemyProfile => return None,
        Reason::CommandLine | Reason::Envrc(_) | Reason::Picked => true,
        Reason::Bound(_) | Reason::Pinned(_) | Reason::Asked(_) | Reason::Default => false,
    };
    let directory = host.directory.clone();
    Some(ActiveMark { by: ActivatedBy::Direnv { is_named }, directory, profile: selection.name.to_string() })
}

fn marked(mut changes: Changes, mark: Option<ActiveMark>) -> Changes {
    changes.unset.retain(|name| name != ACTIVE);
    match mark {
        Some(mark) => changes.set.push((ACTIVE.to_owned(), Value::Plain(mark.to_string()))),
        None => changes.unset.push(ACTIVE.to_owned()),
    }
    changes
}
