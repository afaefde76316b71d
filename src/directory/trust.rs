//! Trust: which pin files may select a profile, by their real path and a hash of what they say.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::project_file::ProjectFile;
use super::records::{self, Record, key, object};
use crate::disk::home::Home;
use crate::error::Result;
use crate::terminal::Messages;

/// What the person has said of a pin file that asks for a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// It may select.
    Allowed,
    /// It may not, and need not be asked about.
    Denied,
    /// Nothing yet, or of other content.
    Unknown,
}

/// All that was said.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Trusted {
    version: Option<u64>,
    #[serde(default)]
    allowed: BTreeMap<String, String>,
    #[serde(default)]
    denied: BTreeMap<String, String>,
}

impl Record for Trusted {
    fn version(&self) -> Option<u64> {
        self.version
    }
}

impl Trusted {
    /// Reads it; without the file nothing was said.
    ///
    /// Fails when the document cannot be understood.
    pub(crate) fn load(home: &Home) -> Result<Self> {
        records::load(home, &home.trust())
    }

    /// What was said of a file with this hash at this path.
    pub(crate) fn of(&self, path: &Path, hash: &str) -> Trust {
        let said = |list: &BTreeMap<String, String>| {
            path.to_str().and_then(|path| list.get(path)).is_some_and(|known| known == hash)
        };
        match (said(&self.denied), said(&self.allowed)) {
            (true, _) => Trust::Denied,
            (_, true) => Trust::Allowed,
            _ => Trust::Unknown,
        }
    }

    /// The files of which something was said, their hashes, and what; sorted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Path, &str, Trust)> {
        let list = |list, trust| {
            let entries: &BTreeMap<String, String> = list;
            entries.iter().map(move |(path, hash)| (Path::new(path), hash.as_str(), trust))
        };
        list(&self.allowed, Trust::Allowed).chain(list(&self.denied, Trust::Denied))
    }
}

/// Writes down that the file may select a profile, or may not.
///
/// Fails when the document cannot be understood, locked or written.
pub(crate) fn say(home: &Home, file: &ProjectFile, allow: bool, messages: Messages) -> Result<()> {
    let key = key(&file.path)?;
    let (to, from) = if allow { ("allowed", "denied") } else { ("denied", "allowed") };
    records::edit::<Trusted, _>(home, &home.trust(), messages, |document| {
        object(document, from).shift_remove(key);
        object(document, to).insert(key.to_owned(), file.hash().into());
    })
}

/// Forgets what was said of files for which `is_stale` says so, by their path and hash; how many.
pub(crate) fn prune(
    home: &Home,
    messages: Messages,
    is_stale: impl Fn(&Path, &str) -> bool,
) -> Result<usize> {
    records::edit::<Trusted, _>(home, &home.trust(), messages, |document| {
        ["allowed", "denied"].into_iter().fold(0, |gone, list| {
            let list = object(document, list);
            let before = list.len();
            list.retain(|path, hash| !is_stale(Path::new(path), hash.as_str().unwrap_or_default()));
            gone + before - list.len()
        })
    })
}
