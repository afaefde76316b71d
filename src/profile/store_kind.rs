//! Where a profile's credential is kept, with what must be known to find and to open it there.

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Where a profile's credential is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreKind {
    /// `credentials/<profile>/cloudflare.json`, version 1 of the npm package's own document.
    File,
    /// The operating system's keyring.
    Keyring,
    /// `profiles/<profile>/cloudflare.json`, version 2 of the npm package's document.
    Npm,
    /// `encrypted/<profile>.age`.
    Encrypted(Encryption),
    /// Wherever the person's own commands keep it.
    Command(Commands),
}

/// To what a credential is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// A passphrase.
    Passphrase,
    /// The public halves of an SSH key or of age identities, and the file that has the private ones.
    Identity {
        /// The file; an absolute path.
        path: PathBuf,
        /// The public halves, as `age` writes them: `age1…`, `ssh-ed25519 …` or `ssh-rsa …`.
        recipients: Vec<String>,
    },
}

/// The person's own commands, for `sh -c`. `{profile}` in them is the profile's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands {
    /// Writes the document to its standard output.
    pub read: String,
    /// Keeps the document that it reads from its standard input.
    pub write: String,
    /// Removes the document.
    pub delete: Option<String>,
}

impl StoreKind {
    /// Its name in `config.json` and on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Keyring => "keyring",
            Self::Npm => "npm",
            Self::Encrypted(_) => "encrypted",
            Self::Command(_) => "command",
        }
    }

    /// What of it is worth knowing besides its name.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::File | Self::Keyring | Self::Npm => None,
            Self::Encrypted(Encryption::Passphrase) => Some("to a passphrase".to_owned()),
            Self::Encrypted(Encryption::Identity { path, .. }) => Some(format!("to {}", path.display())),
            Self::Command(commands) => Some(commands.read.clone()),
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for StoreKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
