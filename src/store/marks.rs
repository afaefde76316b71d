//! `marks.json`: what restricts a profile, by its name.
//!
//! A mark must not be lost by another program's doing: version 1 of the npm package replaces a profile's whole
//! entry in `config.json` and drops what it does not know (`facts/alchemy-npm.md` §1.3). So marks stand in a
//! file of our own. `config.json` had them before; one that still stands there counts as well, and goes over with
//! the next change ([`Marks::take`]).
//!
//! Whatever is unclear restricts: a file that does not parse is an error, and so is a mark that we do not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::disk::document::{self, BY_HAND};
use crate::disk::home::Home;
use crate::disk::trusted::{self, Reading};
use crate::error::{Error, Result};
use crate::profile::{Profile, ProfileName};

/// The newest version of the document that we know.
const VERSION: u64 = 1;

/// What to do about one that cannot be understood.
const MEND: &str =
    "mend it by hand; moving it away lifts every restriction, and no profile asks before its secret leaves";

/// The document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marks {
    version: Option<u64>,
    #[serde(default)]
    profiles: BTreeMap<String, ProfileMarks>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// What restricts one profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProfileMarks {
    /// It asks before its secret leaves.
    #[serde(default, skip_serializing_if = "is_false")]
    confirm: bool,
    /// Marks of a newer alchemy.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Marks {
    /// Reads the file; one that does not exist marks nothing.
    ///
    /// Fails when it cannot be read, is not JSON or of another shape (with line and column), or is newer than we know.
    pub(crate) fn load(home: &Home) -> Result<Self> {
        let path = home.marks();
        match trusted::read(home, &path, Reading::Settings)? {
            Some(bytes) => {
                let version = |marks: &Self| marks.version;
                // Without the file nothing is restricted any more: that is no way to mend it.
                let safely = |error: Error| match error.next_step() {
                    Some(BY_HAND) => error.hint(MEND),
                    _ => error,
                };
                document::parse(&path.display().to_string(), &bytes, VERSION, version).map_err(safely)
            }
            None => Ok(Self::default()),
        }
    }

    /// Restricts a profile as is said of its name.
    ///
    /// Fails when it has a mark that we do not know, or the file has something that may restrict every profile: then nobody
    /// knows what it forbids.
    pub(crate) fn restrict(&self, profile: &mut Profile) -> Result<()> {
        if let Some(field) = self.unknown.keys().next() {
            let message = format!(
                "marks.json has '{field}', which this alchemy does not know, and which may restrict profile '{}'",
                profile.name
            );
            return Err(Error::new(message).hint("use a newer alchemy; it stands in marks.json"));
        }
        let Some(marks) = self.profiles.get(profile.name.as_str()) else { return Ok(()) };
        if let Some(name) = marks.unknown.keys().next() {
            let message =
                format!("profile '{}' has a mark '{name}' that this alchemy does not know", profile.name);
            return Err(Error::new(message).hint("use a newer alchemy; the mark stands in marks.json"));
        }
        profile.confirm |= marks.confirm;
        Ok(())
    }

    /// Whether the profile of that name asks before its secret leaves.
    pub(crate) fn confirms(&self, name: &str) -> bool {
        self.profiles.get(name).is_some_and(|marks| marks.confirm)
    }

    /// Writes down what restricts a profile; marks that we do not know stay.
    pub(crate) fn set(&mut self, profile: &Profile) {
        self.change(profile.name.as_str(), |marks| marks.confirm = profile.confirm);
    }

    /// Takes a mark over that stood in `config.json`.
    pub(crate) fn take(&mut self, name: &str) {
        self.change(name, |marks| marks.confirm = true);
    }

    /// Gives the marks of a name to another.
    pub(crate) fn rename(&mut self, from: &str, to: &ProfileName) {
        // What may have been left under that name is of a profile that is gone.
        self.remove(to.as_str());
        if let Some(marks) = self.profiles.remove(from) {
            self.profiles.insert(to.to_string(), marks);
        }
    }

    /// Removes the marks of a profile that goes.
    pub(crate) fn remove(&mut self, name: &str) {
        self.profiles.remove(name);
    }

    fn change(&mut self, name: &str, change: impl FnOnce(&mut ProfileMarks)) {
        let marks = self.profiles.entry(name.to_owned()).or_default();
        change(marks);
        if *marks == ProfileMarks::default() {
            self.remove(name);
        }
    }

    /// These marks and those others: whatever either restricts.
    pub(crate) fn and(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (name, marks) in &other.profiles {
            let own = both.profiles.entry(name.clone()).or_default();
            own.confirm |= marks.confirm;
            for (mark, value) in &marks.unknown {
                own.unknown.entry(mark.as_str()).or_insert_with(|| value.clone());
            }
        }
        both
    }

    /// The document for the disk.
    ///
    /// Fails when it cannot be written as JSON.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>> {
        let document = Self { version: Some(VERSION), ..self.clone() };
        serde_json::to_vec_pretty(&document)
            .map_err(|error| Error::new(format!("cannot write marks.json: {error}")))
    }
}
