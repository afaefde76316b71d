//! The pin file, `.alchemy.toml`: what a team commits to say which profile and account a repository is for.
//!
//! It may only name things. It may also be hostile: what it says counts as little as it can, and none of
//! its text is ever repeated in an error, as it may be a link to somebody's secret.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use toml::de::{DeTable, DeValue};

use super::file::{self, Refusal};
use crate::digest::sha256_hex;
use crate::disk::document::position;
use crate::error::{Error, Result};
use crate::profile::{AccountId, ProfileName};

/// Its name.
pub(crate) const NAME: &str = ".alchemy.toml";

/// The most that is read of one, in bytes.
const LIMIT: u64 = 64 * 1024;

/// What a pin file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pin {
    /// The profile that it asks for.
    pub profile: Option<ProfileName>,
    /// The account that it guards.
    pub account: Option<AccountId>,
}

/// A pin file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// Where it is.
    pub path: PathBuf,
    /// The bytes that were parsed.
    pub bytes: Vec<u8>,
    /// When it was last changed, where the file system knows.
    pub modified: Option<SystemTime>,
}

impl ProjectFile {
    /// The SHA-256 of the bytes that were parsed, in hex: what trust is about.
    pub fn hash(&self) -> String {
        sha256_hex(&self.bytes)
    }
}

/// What a directory has by the name of a pin file.
#[derive(Debug)]
pub(crate) enum Found {
    /// One that can be read.
    Pin(Pin, ProjectFile),
    /// One that cannot: nobody knows which account it guards. The file, where its bytes could be read.
    Broken(Error, Option<ProjectFile>),
    /// One that counts for nothing; what a person should be told of it.
    Ignored(String),
}

/// Reads the pin file of a directory, where there is one. `uid` is the person's.
pub(crate) fn read(directory: &Path, uid: u32) -> Option<Found> {
    let path = directory.join(NAME);
    let small = match file::read(&path, LIMIT, Some(uid)) {
        Ok(small) => small?,
        Err(refusal @ Refusal::Foreign(_)) => {
            return Some(Found::Ignored(format!("{} is ignored: it {}", path.display(), refusal.why())));
        }
        Err(refusal) => {
            let error = Error::new(format!("{} {}", path.display(), refusal.why()));
            return Some(Found::Broken(error.hint(MEND), None));
        }
    };
    let file = ProjectFile { path, bytes: small.bytes, modified: small.modified };
    Some(match parse(&file) {
        Ok(pin) => Found::Pin(pin, file),
        Err(error) => Found::Broken(error, Some(file)),
    })
}

const MEND: &str =
    "it may say profile = \"NAME\" and account = \"ID\", and nothing else; mend it, or take it away";

fn parse(file: &ProjectFile) -> Result<Pin> {
    let wrong = |at: usize, what: &str| {
        let (line, column) = position(&file.bytes, at);
        let path = file.path.display();
        Error::new(format!("{path}, line {line}, column {column}: {what}")).hint(MEND)
    };
    let text =
        std::str::from_utf8(&file.bytes).map_err(|error| wrong(error.valid_up_to(), "it is not UTF-8"))?;
    // The parser's messages are fixed texts; only with the document would they show some of it.
    let table = DeTable::parse(text)
        .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message()))?;
    let mut pin = Pin::default();
    for (key, value) in table.get_ref() {
        let text = || match value.get_ref() {
            DeValue::String(text) => Ok(text),
            _ => Err(wrong(value.span().start, "the value must be a text in quotes")),
        };
        match key.get_ref().as_ref() {
            "profile" => {
                let name = ProfileName::parse(text()?);
                let name = name.map_err(|_| wrong(value.span().start, "this cannot be a profile's name"))?;
                pin.profile = Some(name);
            }
            "account" => {
                let id = AccountId::parse(text()?);
                let id = id.ok_or_else(|| {
                    wrong(value.span().start, "this is no account's id, which is 32 hexadecimal digits")
                })?;
                pin.account = Some(id);
            }
            _ => return Err(wrong(key.span().start, "a key that is neither 'profile' nor 'account'")),
        }
    }
    Ok(pin)
}
