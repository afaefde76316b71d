//! Bindings: "this directory uses that profile", kept in the user's home and never in a repository.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::records::{self, Record, key, object};
use crate::disk::home::Home;
use crate::error::{Error, Result};
use crate::profile::ProfileName;
use crate::terminal::Messages;

/// All bindings.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Bindings {
    version: Option<u64>,
    /// Real paths of directories, and the names of profiles.
    #[serde(default)]
    bindings: BTreeMap<String, String>,
}

impl Record for Bindings {
    fn version(&self) -> Option<u64> {
        self.version
    }
}

impl Bindings {
    /// Reads them; without the file there are none.
    ///
    /// Fails when the document cannot be understood.
    pub(crate) fn load(home: &Home) -> Result<Self> {
        records::load(home, &home.bindings())
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }

    /// The directories and their profiles, sorted.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.bindings.iter().map(|(directory, profile)| (Path::new(directory), profile.as_str()))
    }

    /// The profile of exactly this directory.
    ///
    /// Fails when what it is bound to cannot be a profile's name.
    pub(crate) fn get(&self, directory: &Path) -> Result<Option<ProfileName>> {
        let Some(name) = directory.to_str().and_then(|directory| self.bindings.get(directory)) else {
            return Ok(None);
        };
        ProfileName::parse(name).map(Some).map_err(|error| {
            Error::new(format!("{error}, and {} is bound to it", directory.display()))
                .hint("bind it anew: alchemy use PROFILE")
        })
    }
}

/// Binds a directory, by its real path; the profile that it was bound to before.
///
/// Fails when the document cannot be understood, locked or written.
pub(crate) fn bind(
    home: &Home,
    directory: &Path,
    name: &ProfileName,
    messages: Messages,
) -> Result<Option<String>> {
    let key = key(directory)?;
    let before = records::edit::<Bindings, _>(home, &home.bindings(), messages, |document| {
        object(document, "bindings").insert(key.to_owned(), name.as_str().into())
    })?;
    Ok(name_in(before))
}

/// Takes a directory's binding away; the profile that it was bound to.
pub(crate) fn unbind(home: &Home, directory: &Path, messages: Messages) -> Result<Option<String>> {
    let key = key(directory)?;
    let before = records::edit::<Bindings, _>(home, &home.bindings(), messages, |document| {
        object(document, "bindings").shift_remove(key)
    })?;
    Ok(name_in(before))
}

/// Has all bindings of one name follow a profile to its new one; how many there are.
pub(crate) fn rename(home: &Home, from: &str, to: &ProfileName, messages: Messages) -> Result<usize> {
    // Most people who rename a profile have none, and then nothing is locked or made.
    if !Bindings::load(home)?.iter().any(|(_, name)| name == from) {
        return Ok(0);
    }
    records::edit::<Bindings, _>(home, &home.bindings(), messages, |document| {
        let bound = object(document, "bindings").values_mut().filter(|name| name.as_str() == Some(from));
        bound.map(|name| *name = to.as_str().into()).count()
    })
}

fn name_in(value: Option<Value>) -> Option<String> {
    value.and_then(|value| value.as_str().map(str::to_owned))
}
