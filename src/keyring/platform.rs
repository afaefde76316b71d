//! What the keyrings of the platforms have in common.

use std::sync::Arc;
use std::time::Duration;

use keyring_core::CredentialStore;

/// What a locked keyring leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unlock {
    /// [`super::KeyringError::Locked`] at once: for a hook, direnv, `credential-process`.
    Never,
    /// The dialog of the desktop: for a person at a terminal.
    Dialog,
}

impl Unlock {
    /// The time limit of a call: 5 s, or 60 s where a person may have to type a password.
    pub(crate) const fn limit(self) -> Duration {
        match self {
            Self::Never => Duration::from_secs(5),
            Self::Dialog => Duration::from_secs(60),
        }
    }
}

type Probe = dyn Fn() -> keyring_core::Result<()> + Send + Sync;
/// The store of the platform, and what tries whether it takes a write.
pub(super) type Platform = (Arc<CredentialStore>, Arc<Probe>);
