//! The one gate (design §7): a profile marked `confirm` asks before its secret leaves.

use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::Profile;

/// Answers for the profile that it names, and is set for what runs under an `exec` that was confirmed.
pub(crate) const CONFIRM: &str = "ALCHEMY_CONFIRM";

/// What becomes of a secret, and who may say that it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It stays with us: nobody is asked.
    Inside,
    /// It leaves, and a person is asked, unless the command line has said yes.
    Asks {
        /// The command line has.
        yes: bool,
    },
    /// It would leave to what runs without anyone's asking, and so it does not.
    Closed,
}

impl Gate {
    /// Lets the secret of a profile through.
    ///
    /// Fails when the person says no, or nobody can be asked.
    pub(super) fn pass(self, profile: &Profile, host: &Host) -> Result<()> {
        let name = &profile.name;
        match self {
            _ if !profile.confirm => Ok(()),
            Self::Inside | Self::Asks { yes: true } => Ok(()),
            Self::Asks { yes: false } if host.text(CONFIRM) == Some(name.as_str()) => Ok(()),
            Self::Asks { yes: false } => {
                let question = format!("use profile '{name}', account {}?", profile.account);
                if host.confirm(&question, &format!("--yes or {CONFIRM}={name}"))? {
                    Ok(())
                } else {
                    Err(Error::new("cancelled; no secret was given out"))
                }
            }
            Self::Closed => Err(Error::new(format!(
                "profile '{name}' asks before its secret leaves, and nobody can be asked here"
            ))
            .hint(format!(
                "load its name alone: use alchemy --profile-only {name}; then: alchemy exec -- COMMAND"
            ))),
        }
    }
}
