//! What a person must decide before anything is written: names that are taken, and accounts.

use super::Import;
use super::planned::Planned;
use crate::error::Result;
use crate::host::Host;
use crate::import::{Accounts, Existing, Fate, free_name};
use crate::profile::{Account, ProfileName};
use crate::terminal;

/// The flag that answers without a question.
const CONFLICT: &str = "--on-conflict skip, rename or replace";

/// Asks about the profiles.
pub(super) fn ask(import: &Import, planned: &mut Planned, existing: &[Existing]) -> Result<()> {
    let mut given: Vec<ProfileName> = planned
        .items
        .iter()
        .filter(|item| matches!(item.fate, Fate::Make | Fate::Replace(_)))
        .filter_map(|item| item.name.clone())
        .collect();
    for item in &mut planned.items {
        if let (Fate::Collides(what), Some(name)) = (&item.fate, &item.name) {
            let what = what.clone();
            let is_taken = |name: &ProfileName| {
                given.contains(name) || existing.iter().any(|it| it.name == name.as_str())
            };
            let question = format!("profile '{name}' exists ({what}); the one of {}:", import.tool);
            let options =
                ["leave it out", "give it another name", "replace what is there"].map(str::to_owned);
            match terminal::ask_choice(&question, &options, 0, CONFLICT)? {
                0 => item.fate = Fate::Stays(format!("profile '{name}' exists ({what}), and stays as it is")),
                1 => {
                    let new = ask_name(free_name(name, import.tool.word(), is_taken).as_ref(), is_taken)?;
                    given.push(new.clone());
                    item.name = Some(new);
                    item.fate = Fate::Make;
                }
                _ => item.fate = Fate::Replace(what),
            }
        }
        if matches!(item.fate, Fate::Make | Fate::Replace(_)) {
            let of = format!("'{}'", item.found.name);
            let account = match &item.accounts {
                Accounts::One(_) => continue,
                Accounts::Several(seen) => {
                    let options: Vec<String> = seen.iter().map(ToString::to_string).collect();
                    seen[terminal::ask_choice(&format!("account of {of}:"), &options, 0, "--account")?]
                        .clone()
                }
                Accounts::Unknown => {
                    let id = terminal::ask_text(&format!("account id of {of}:"), None, "--account ID")?;
                    Account::of_id(id.trim())?
                }
            };
            item.accounts = Accounts::One(account);
        }
    }
    Ok(())
}

/// A name that is free.
fn ask_name(proposed: Option<&ProfileName>, is_taken: impl Fn(&ProfileName) -> bool) -> Result<ProfileName> {
    let mut question = "its name here:".to_owned();
    loop {
        let text = terminal::ask_text(&question, proposed.map(ProfileName::as_str), CONFLICT)?;
        match ProfileName::parse(text.trim()) {
            Ok(name) if is_taken(&name) => question = format!("'{name}' is taken, too; its name here:"),
            Ok(name) => return Ok(name),
            Err(error) => question = format!("{error}; its name here:"),
        }
    }
}

/// Asks about the directories.
pub(super) fn ask_bindings(host: &Host, planned: &mut Planned) -> Result<()> {
    for bound in &mut planned.bindings {
        let (Fate::Collides(before), Some(name)) = (&bound.fate, &bound.name) else { continue };
        let directory = host.shown(&bound.directory);
        let question = format!("{directory} is bound to {before}; bind it to '{name}'?");
        bound.fate = if terminal::ask_yes(&question, CONFLICT)? {
            Fate::Replace(before.clone())
        } else {
            Fate::Stays(format!("it is bound to {before}, and stays so"))
        };
    }
    Ok(())
}
