//! `settings.toml`: what a person has settled once and for all, written by hand.

use toml::de::{DeTable, DeValue};

use super::atomic;
use super::document::position;
use super::home::Home;
use crate::error::{Error, Result};

/// What a shell's hook puts into the shell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Export {
    /// The whole environment of the profile.
    #[default]
    Credential,
    /// The profile's name and its account only.
    Profile,
}

/// The variable that goes before the setting.
pub const HOOK_EXPORT: &str = "ALCHEMY_HOOK_EXPORT";

/// What is settled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// What a shell's hook puts into the shell.
    pub export: Export,
    /// Nothing is run where something in the directory goes before the credential.
    pub strict: bool,
}

/// The keys that there are, for whoever has written another.
const MEND: &str = "it may say export = \"profile\" or \"credential\", and strict = true or false";

impl Export {
    /// By its name in the setting and in the variable.
    ///
    /// # Errors
    /// Any other name, found in `origin`.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        match text {
            "credential" => Ok(Self::Credential),
            "profile" => Ok(Self::Profile),
            _ => Err(Error::new(format!("{origin} is neither 'profile' nor 'credential'"))
                .hint("'profile' exports no secret")),
        }
    }
}

impl Settings {
    /// Reads the file; one that does not exist settles nothing.
    ///
    /// # Errors
    /// When the file cannot be read, or says something else; with line and column.
    pub fn load(home: &Home) -> Result<Self> {
        let path = home.settings();
        let Some(bytes) = atomic::read(&path)? else { return Ok(Self::default()) };
        let wrong = |at: usize, what: &str| {
            let (line, column) = position(&bytes, at);
            Error::new(format!("{}, line {line}, column {column}: {what}", path.display())).hint(MEND)
        };
        let text = str::from_utf8(&bytes).map_err(|error| wrong(error.valid_up_to(), "it is not UTF-8"))?;
        let table = DeTable::parse(text)
            .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message()))?;
        let mut settings = Self::default();
        for (key, value) in table.get_ref() {
            let at = value.span().start;
            let said = match key.get_ref().as_ref() {
                "export" => text_of(value.get_ref())
                    .and_then(|text| Export::parse(text, "export"))
                    .map(|export| settings.export = export),
                "strict" => truth_of(value.get_ref()).map(|strict| settings.strict = strict),
                _ => return Err(wrong(key.span().start, "a key that alchemy does not know")),
            };
            said.map_err(|error| wrong(at, &error.to_string()))?;
        }
        Ok(settings)
    }
}

fn text_of<'a>(value: &'a DeValue) -> Result<&'a str> {
    match value {
        DeValue::String(text) => Ok(text),
        _ => Err(Error::new("the value must be a text in quotes")),
    }
}

fn truth_of(value: &DeValue) -> Result<bool> {
    match value {
        DeValue::Boolean(truth) => Ok(*truth),
        _ => Err(Error::new("the value must be true or false")),
    }
}
