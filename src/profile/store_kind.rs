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
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::File | Self::Keyring | Self::Npm => None,
            Self::Encrypted(Encryption::Passphrase) => Some("to a passphrase".to_owned()),
            Self::Encrypted(Encryption::Identity { path, .. }) => Some(format!("to {}", path.display())),
            Self::Command(commands) => Some(program(&commands.read).to_owned()),
        }
    }
}

/// The program that a command runs: all of it that may be shown, as a variable that it sets or an argument may be a
/// secret. The shell itself, where it cannot be told.
pub fn program(command: &str) -> &str {
    let is_set = |word: &&str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        })
    };
    // A value in quotes may go on behind the next space.
    let quoted = |word: &&str| word.contains(['\'', '"', '`', '$', '\\']);
    let word = command.split_whitespace().find(|word| !is_set(word) || quoted(word));
    word.filter(|word| !is_set(word)).unwrap_or("sh")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_command_its_program_is_shown_and_nothing_that_may_be_a_secret() {
        for (command, shown) in [
            ("pass show alchemy/{profile}", "pass"),
            ("BW_SESSION=hunter2 bw get notes {profile}", "bw"),
            ("A=1 B=hunter2 /usr/bin/op {profile}", "/usr/bin/op"),
            ("A='x hunter2' op {profile}", "sh"),
            ("A=$(cat hunter2) op {profile}", "sh"),
            ("=hunter2", "=hunter2"),
            ("A=hunter2", "sh"),
            (" ", "sh"),
        ] {
            assert_eq!(program(command), shown, "{command}");
        }
    }
}
