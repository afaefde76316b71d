//! What the stores are given of the process around them.

use std::ffi::OsString;
use std::time::Duration;

use crate::error::Result;
use crate::keyring;
use crate::secret::Secret;

/// What the stores need of the person who runs us, asked for only when it is needed.
pub(crate) trait Person {
    /// A passphrase that was given in advance, and the name of the variable that gives it. `may_ask`: a program
    /// that gives it may ask on the terminal.
    ///
    /// Fails when it cannot be had in the way that the variable says.
    fn given_passphrase(&self, may_ask: bool) -> Result<Option<(Secret, &'static str)>>;
    /// Asks for a passphrase on the terminal; `flag` gives it without a question.
    ///
    /// Fails when nobody is there to be asked.
    fn ask(&self, question: &str, flag: &str) -> Result<Secret>;
    /// For how long the kernel keeps what was decrypted; zero for not at all.
    ///
    /// Fails when what says so cannot be understood.
    fn keep(&self) -> Result<Duration>;
    /// The environment of the person's own commands: without a credential of ours.
    fn environment(&self) -> Vec<(OsString, OsString)>;
}

/// How the stores may be opened.
pub(crate) struct Access<'a> {
    /// The keyring.
    pub keyring: keyring::Params,
    /// Whether a person may be asked on the terminal.
    pub may_ask: bool,
    /// That person.
    pub person: &'a dyn Person,
}
