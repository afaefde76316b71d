//! The documents and the stores: whether they can be understood and reached, and what npm has moved away.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{Finding, Machine, few};
use crate::directory::bindings::Bindings;
use crate::directory::trust::Trusted;
use crate::disk::trusted::{self, Reading};
use crate::error::Error;
use crate::keyring::KeyringError;
use crate::profile::StoreKind;
use crate::store::config::Config;
use crate::store::marks::Marks;
use crate::store::settings::Settings;

/// How long a keyring may take without being called slow.
const SLOW: Duration = Duration::from_secs(1);

/// Our documents that cannot be read or understood; each says where.
pub(crate) fn documents(machine: &Machine) -> Vec<Finding> {
    let home = machine.home;
    let failed = [
        (home.config(), Config::load_alone(home).err(), "no profile can be used, and none made"),
        (
            home.marks(),
            Marks::load(home).err(),
            "what restricts the profiles is not known, so none can be used",
        ),
        (
            home.bindings(),
            Bindings::load(home).err(),
            "no directory selects a profile, and nothing runs by one",
        ),
        (home.trust(), Trusted::load(home).err(), "no pin file selects a profile"),
        (home.settings(), Settings::load(home).err(), "what it settles is not known, so hooks do nothing"),
    ];
    let finding = |(path, error, why): (PathBuf, Option<Error>, &str)| {
        let error = error?;
        if trusted::read(home, &path, Reading::Settings).is_err() {
            return Some(Finding::of("document-unreadable", &error).why(why));
        }
        if path == home.marks() {
            // Moved away, it would restrict nothing any more.
            return Some(Finding::of("document-broken", &error).why(why));
        }
        let mend = format!("mv {0} {0}.broken", machine.word(&path));
        let why = format!("{why}; mend it by hand, or start anew without it");
        Some(Finding::problem("document-broken", error.to_string()).why(why).mend(mend))
    };
    failed.into_iter().filter_map(finding).collect()
}

/// What the keyring said, and how long it took.
pub(crate) struct KeyringAnswer {
    /// Whether it would take a credential now.
    pub answer: Result<(), KeyringError>,
    /// How long that took.
    pub took: Duration,
}

impl KeyringAnswer {
    /// In words, for the facts.
    pub(crate) fn in_words(&self) -> String {
        match &self.answer {
            Ok(()) => format!("answers in {} ms", self.took.as_millis()),
            Err(KeyringError::Locked) => "locked".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

/// What is off with the keyring. `used` are the profiles that are kept there: without any it is nobody's
/// business, and a server has none.
pub(crate) fn keyring(asked: &KeyringAnswer, used: &[String]) -> Vec<Finding> {
    if used.is_empty() {
        return Vec::new();
    }
    let error = match &asked.answer {
        Ok(()) if asked.took <= SLOW => return Vec::new(),
        Ok(()) => {
            let what = format!("the keyring took {:.1} s to answer", asked.took.as_secs_f32());
            let why = "each command with a profile that is kept there waits for it";
            let mend = "restart it, or your session: systemctl --user restart gnome-keyring-daemon";
            return vec![Finding::note("keyring-slow", what).why(why).mend(mend)];
        }
        Err(error) => error,
    };
    let (id, mend) = match error {
        KeyringError::Locked => ("keyring-locked", unlock(used)),
        KeyringError::TimedOut(_) => {
            ("keyring-silent", "systemctl --user restart gnome-keyring-daemon".to_owned())
        }
        _ => ("keyring-missing", from_file(used)),
    };
    vec![Finding::problem(id, error.to_string()).why(format!("kept there: {}", few(used))).mend(mend)]
}

/// On a terminal the keyring shows its dialog, whatever asks it.
fn unlock(used: &[String]) -> String {
    let name = used.first().map_or("", String::as_str);
    format!("alchemy whoami {name}   # on a terminal: the keyring asks for its password")
}

/// Where no keyring is to be had.
fn from_file(used: &[String]) -> String {
    let name = used.first().map_or("", String::as_str);
    format!("alchemy configure -p {name} --store file   # or run it in your desktop session")
}

/// What npm's version 2 has put aside and nobody misses; and what it could not read.
pub(crate) fn put_aside(machine: &Machine) -> Vec<Finding> {
    let home = machine.home;
    let list = |folder: PathBuf| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        paths
    };
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut findings = Vec::new();
    for folder in list(home.root().to_owned()) {
        if name(&folder).starts_with(".profiles-v0-") && !list(folder.join("credentials")).is_empty() {
            let what = format!("npm alchemy 2 has moved old credentials to {}", machine.show(&folder));
            let why = "secrets stay there that nothing uses any more";
            let mend = format!("rm -r {}   # when no other tool needs them", machine.word(&folder));
            findings.push(Finding::note("npm-moved-folder", what).why(why).mend(mend));
        }
    }
    let documents = list(home.npm_profiles()).into_iter().flat_map(list);
    let is_bad =
        |path: &PathBuf| name(path).contains(".invalid-") && path.extension().is_some_and(|e| e == "bak");
    for document in documents.filter(is_bad) {
        let what =
            format!("npm alchemy 2 could not read a document, and moved it to {}", machine.show(&document));
        let why = "the profile of that folder has lost its credential there";
        let mend = format!("rm {}   # after a look into it", machine.word(&document));
        findings.push(Finding::note("npm-invalid", what).why(why).mend(mend));
    }
    findings
}

/// How many profiles each store has, in words.
pub(crate) fn counted<'a>(stores: impl Iterator<Item = &'a StoreKind>) -> String {
    let mut counts: Vec<(&StoreKind, usize)> = Vec::new();
    for store in stores {
        match counts.iter_mut().find(|(known, _)| *known == store) {
            Some((_, count)) => *count += 1,
            None => counts.push((store, 1)),
        }
    }
    let words: Vec<String> = counts.iter().map(|(store, count)| format!("{count} in {store}")).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::Level::{Note, Problem};
    use super::*;

    #[test]
    fn a_keyring_matters_to_those_who_use_it() {
        let asked = |answer, seconds| KeyringAnswer { answer, took: Duration::from_secs(seconds) };
        let (nobody, prod) = (Vec::new(), vec!["prod".to_owned()]);
        let found = |asked: &KeyringAnswer, used: &[String]| {
            keyring(asked, used).into_iter().map(|f| (f.id, f.level)).collect::<Vec<_>>()
        };
        assert_eq!(found(&asked(Ok(()), 0), &prod), []);
        assert_eq!(found(&asked(Ok(()), 3), &prod), [("keyring-slow", Note)]);
        let missing = || Err(KeyringError::Unavailable("no bus".to_owned()));
        assert_eq!(found(&asked(missing(), 0), &prod), [("keyring-missing", Problem)]);
        assert_eq!(found(&asked(missing(), 0), &nobody), []);
        assert_eq!(found(&asked(Err(KeyringError::Locked), 0), &prod), [("keyring-locked", Problem)]);
        assert_eq!(found(&asked(Err(KeyringError::TimedOut(5)), 5), &prod), [("keyring-silent", Problem)]);
    }
}
