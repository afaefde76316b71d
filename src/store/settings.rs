//! `settings.toml`: what a person has settled once and for all, written by hand.

use jiff::SignedDuration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::disk::document::position;
use crate::disk::home::Home;
use crate::disk::trusted::{self, Reading};
use crate::error::{Error, Result};
use crate::terminal::time;

/// What a shell's hook puts into the shell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Export {
    /// The whole environment of the profile.
    #[default]
    Credential,
    /// The profile's name and its account only.
    Profile,
}

/// The variable that goes before the setting.
pub(crate) const HOOK_EXPORT: &str = "ALCHEMY_HOOK_EXPORT";

/// The variable that goes before the setting `keep`.
pub(crate) const KEEP: &str = "ALCHEMY_KEEP";
/// For how long the kernel keeps what was decrypted, where nobody has settled it.
const USUAL_KEEP: SignedDuration = SignedDuration::from_mins(15);

/// What is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    /// What a shell's hook puts into the shell.
    pub export: Export,
    /// Nothing is run where something in the directory goes before the credential.
    pub strict: bool,
    /// For how long the kernel keeps what was decrypted; zero for not at all.
    pub keep: SignedDuration,
    /// The commands of the store of that name, for profiles that are made from now on.
    pub commands: GivenCommands,
}

/// Commands of the store `command`, as far as they are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GivenCommands {
    /// Reads the document.
    pub read: Option<String>,
    /// Writes it.
    pub write: Option<String>,
    /// Deletes it.
    pub delete: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            export: Export::default(),
            strict: false,
            keep: USUAL_KEEP,
            commands: GivenCommands::default(),
        }
    }
}

/// The keys that there are, for whoever has written another.
const MEND: &str = "it may say export = \"profile\" or \"credential\", and strict = true or false; under [encrypted] keep = \"15m\"; under \
                    [command] read, write and delete; and nothing else";

impl Export {
    /// By its name in the setting and in the variable.
    pub(crate) fn parse(text: &str, origin: &str) -> Result<Self> {
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
    /// Fails when the file cannot be read, or says something else; with line and column.
    pub(crate) fn load(home: &Home) -> Result<Self> {
        let path = home.settings();
        let Some(bytes) = trusted::read(home, &path, Reading::Settings)? else { return Ok(Self::default()) };
        let wrong = |at: usize, what: &str| {
            let (line, column) = position(&bytes, at);
            Error::new(format!("{}, line {line}, column {column}: {what}", path.display())).hint(MEND)
        };
        let text = str::from_utf8(&bytes).map_err(|error| wrong(error.valid_up_to(), "it is not UTF-8"))?;
        let table = DeTable::parse(text)
            .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message()))?;
        let mut settings = Self::default();
        for (key, value) in table.get_ref() {
            let key = (key.get_ref().as_ref(), key.span().start);
            match (key.0, value.get_ref()) {
                (table @ ("encrypted" | "command"), DeValue::Table(entries)) => {
                    for (entry, value) in entries {
                        let entry = (format!("{table}.{}", entry.get_ref()), entry.span().start);
                        settings.set(&entry.0, value).map_err(|error| error.told(&wrong, entry.1, value))?;
                    }
                }
                _ => settings.set(key.0, value).map_err(|error| error.told(&wrong, key.1, value))?,
            }
        }
        Ok(settings)
    }

    fn set(&mut self, key: &str, value: &Spanned<DeValue>) -> Result<(), Unset> {
        let text = || text_of(value.get_ref());
        match key {
            "export" => self.export = Export::parse(text()?, "export")?,
            "strict" => self.strict = truth_of(value.get_ref())?,
            "encrypted.keep" => self.keep = time(text()?)?,
            "command.read" => self.commands.read = Some(text()?.to_owned()),
            "command.write" => self.commands.write = Some(text()?.to_owned()),
            "command.delete" => self.commands.delete = Some(text()?.to_owned()),
            _ => return Err(Unset::Unknown),
        }
        Ok(())
    }
}

/// Why something was not set.
enum Unset {
    /// There is no such key.
    Unknown,
    /// Its value is none.
    Wrong(Error),
}

impl From<Error> for Unset {
    fn from(error: Error) -> Self {
        Self::Wrong(error)
    }
}

impl Unset {
    /// As an error that names the place: of the key, or of the value.
    fn told(self, wrong: &dyn Fn(usize, &str) -> Error, key: usize, value: &Spanned<DeValue>) -> Error {
        match self {
            Self::Unknown => wrong(key, "a key that alchemy does not know"),
            Self::Wrong(error) => wrong(value.span().start, &error.to_string()),
        }
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
