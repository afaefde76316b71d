//! Where a new credential is kept: the arguments that say so, and what they come to.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::{Commands, Encryption, Profile, ProfileName, StoreKind};
use crate::store::settings::{GivenCommands, Settings};
use crate::store::{Store, cipher, command};

/// Where to keep the secret.
#[derive(Args, Default)]
#[command(next_help_heading = "Store")]
pub(super) struct StoreArguments {
    /// Where to keep the secret [default: ALCHEMY_STORE, or the keyring where one answers]
    #[arg(long, value_name = "STORE")]
    store: Option<ChosenStore>,
    #[command(flatten)]
    details: StoreDetails,
}

/// What two of the stores need to know.
#[derive(Args, Default)]
pub(super) struct StoreDetails {
    /// Encrypt it to an SSH key or age's own identities, by the file of the private key
    #[arg(long, value_name = "PATH")]
    identity: Option<PathBuf>,
    /// The command that prints the secret's document, for --store command; {profile} is the profile
    #[arg(long, value_name = "COMMAND")]
    read_command: Option<String>,
    /// The command that keeps the document that it reads
    #[arg(long, value_name = "COMMAND")]
    write_command: Option<String>,
    /// The command that removes the document
    #[arg(long, value_name = "COMMAND")]
    delete_command: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ChosenStore {
    /// The keyring of the desktop or of macOS
    Keyring,
    /// A file that only you can read, and the npm package reads, too
    File,
    /// A file that is encrypted with age
    Encrypted,
    /// Your own commands: pass, op, bw, …
    Command,
}

impl StoreArguments {
    /// Whether anything of this was said.
    ///
    /// Fails when the flags contradict each other.
    pub(super) fn is_given(&self) -> Result<bool> {
        Ok(self.asked()?.is_some())
    }

    /// Where to keep the secret of a profile that is this one `before`. The store is chosen once, when the
    /// profile is made; a change keeps it unless another is named.
    ///
    /// Fails when the flags contradict each other, or the store that is named cannot be had.
    pub(super) fn resolve(
        &self,
        host: &Host,
        store: &Store,
        name: &ProfileName,
        before: Option<&Profile>,
    ) -> Result<StoreKind> {
        let kept = before.map(|before| before.store.clone()).filter(|store| *store != StoreKind::Npm);
        let asked = match (self.asked()?, kept, host.text("ALCHEMY_STORE")) {
            (None, Some(kept), _) => return Ok(kept),
            (None, None, Some(named)) => Some(ChosenStore::from_str(named, false).map_err(|_| {
                Error::usage(format!("ALCHEMY_STORE is '{named}', which is no store"))
                    .hint("it can be keyring, file, encrypted or command")
            })?),
            (asked, ..) => asked,
        };
        match asked {
            Some(ChosenStore::File) => return Ok(StoreKind::File),
            Some(ChosenStore::Encrypted) => return self.details.encrypted(host, store, name),
            Some(ChosenStore::Command) => return self.details.command(host),
            Some(ChosenStore::Keyring) | None => {}
        }
        match (asked, store.keyring_answers()) {
            (_, Ok(())) => Ok(StoreKind::Keyring),
            (Some(_), Err(error)) => Err(Error::new(error.to_string()).hint(
                "unlock or start it, or keep the profile in a file: --store file; encrypted: --store encrypted",
            )),
            (None, Err(error)) => {
                host
                    .messages
                    .say(&format!("{error}; keeping the secret in a file that only you can read"));
                Ok(StoreKind::File)
            }
        }
    }

    /// The store by its own flag, or by those that only it has.
    fn asked(&self) -> Result<Option<ChosenStore>> {
        match (self.store, self.details.implied()?) {
            (Some(store), Some(implied)) if store != implied => Err(contradiction()),
            (store, implied) => Ok(store.or(implied)),
        }
    }
}

impl StoreDetails {
    /// The store of that name, for a profile that is kept in another.
    ///
    /// Fails when the flags contradict each other, or what the store needs is not given.
    pub(super) fn store_named(
        &self,
        host: &Host,
        store: &Store,
        profile: &ProfileName,
        named: &str,
    ) -> Result<StoreKind> {
        let chosen = ChosenStore::from_str(named, false).ok();
        if self.implied()?.is_some_and(|implied| chosen != Some(implied)) {
            return Err(contradiction());
        }
        match chosen {
            Some(ChosenStore::Keyring) => Ok(StoreKind::Keyring),
            Some(ChosenStore::File) => Ok(StoreKind::File),
            Some(ChosenStore::Encrypted) => self.encrypted(host, store, profile),
            Some(ChosenStore::Command) => self.command(host),
            None => Ok(StoreKind::Npm),
        }
    }

    /// The store that alone has the flags that are given.
    fn implied(&self) -> Result<Option<ChosenStore>> {
        let Self { identity, read_command, write_command, delete_command } = self;
        let has_command = [read_command, write_command, delete_command].into_iter().any(Option::is_some);
        match (identity.is_some(), has_command) {
            (true, true) => {
                Err(Error::usage("--identity is for the store encrypted, the commands for command")
                    .hint("leave one of them out"))
            }
            (true, false) => Ok(Some(ChosenStore::Encrypted)),
            (false, true) => Ok(Some(ChosenStore::Command)),
            (false, false) => Ok(None),
        }
    }

    fn encrypted(&self, host: &Host, store: &Store, name: &ProfileName) -> Result<StoreKind> {
        let Some(path) = &self.identity else {
            store.choose_passphrase(name)?;
            return Ok(StoreKind::Encrypted(Encryption::Passphrase));
        };
        let path = host.directory.join(path);
        if path.to_str().is_none() {
            return Err(Error::usage("the path of the identity is not UTF-8").hint("give it another name"));
        }
        let recipients = cipher::recipients(&path)?;
        Ok(StoreKind::Encrypted(Encryption::Identity { path, recipients }))
    }

    fn command(&self, host: &Host) -> Result<StoreKind> {
        let GivenCommands { read, write, delete } = Settings::load(&host.home)?.commands;
        let given =
            |flag: &Option<String>, setting: Option<String>, name: &str| {
                let command = flag.clone().or(setting);
                match command.as_deref().map(command::check) {
                    Some(Err(why)) => Err(Error::usage(format!("--{name}-command {why}"))
                        .hint(format!("give it by {}", way(name)))),
                    _ => Ok(command),
                }
            };
        let needed = |command: Option<String>, name: &str| {
            command.ok_or_else(|| {
                Error::usage(format!("the store command has no command that {name}s"))
                    .hint(format!("give it by {}", way(name)))
            })
        };
        Ok(StoreKind::Command(Commands {
            read: needed(given(&self.read_command, read, "read")?, "read")?,
            write: needed(given(&self.write_command, write, "write")?, "write")?,
            delete: given(&self.delete_command, delete, "delete")?,
        }))
    }
}

fn contradiction() -> Error {
    Error::usage("--store is another than the one that the other flags are for")
        .hint("--identity is for --store encrypted, the commands for --store command")
}

/// How a command is given.
fn way(name: &str) -> String {
    format!("--{name}-command 'PROGRAM … {{profile}}', or '{name}' under [command] in settings.toml")
}
