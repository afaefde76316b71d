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

const MEND: &str = "it may say export = \"profile\" or export = \"credential\", and nothing else";

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

/// The setting `export`.
///
/// # Errors
/// When the file cannot be read, or says something else; with line and column.
pub fn export(home: &Home) -> Result<Export> {
    let path = home.settings();
    let Some(bytes) = atomic::read(&path)? else { return Ok(Export::default()) };
    let wrong = |at: usize, what: &str| {
        let (line, column) = position(&bytes, at);
        Error::new(format!("{}, line {line}, column {column}: {what}", path.display())).hint(MEND)
    };
    let text = str::from_utf8(&bytes).map_err(|error| wrong(error.valid_up_to(), "it is not UTF-8"))?;
    let table = DeTable::parse(text)
        .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message()))?;
    let mut export = Export::default();
    for (key, value) in table.get_ref() {
        export = match (key.get_ref().as_ref(), value.get_ref()) {
            ("export", DeValue::String(text)) => Export::parse(text, "export")
                .map_err(|error| wrong(value.span().start, &error.to_string()))?,
            ("export", _) => return Err(wrong(value.span().start, "the value must be a text in quotes")),
            _ => return Err(wrong(key.span().start, "a key that is not 'export'")),
        };
    }
    Ok(export)
}
