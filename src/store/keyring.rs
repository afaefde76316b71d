//! The keyring of the platform: four calls, each with a deadline, errors a person can read.
//!
//! A call runs in a thread of its own and is given up, not stopped, when its time is over: a bus
//! that never answers must not hang us, and the process ends soon anyway. What such a thread still
//! holds of a secret is wiped when it ends.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error, Result};
use zeroize::Zeroizing;

/// The service name of all our entries.
pub const SERVICE: &str = "alchemy-cli";

/// What a locked keyring leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlock {
    /// [`KeyringError::Locked`] at once: for a hook, direnv, `credential-process`.
    Never,
    /// The dialog of the desktop: for a person at a terminal.
    Dialog,
}

impl Unlock {
    /// The time limit of a call: 5 s, or 60 s where a person may have to type a password.
    #[must_use]
    pub const fn limit(self) -> Duration {
        match self {
            Self::Never => Duration::from_secs(5),
            Self::Dialog => Duration::from_secs(60),
        }
    }
}

/// Where the environment of this process says the session bus is (Linux only).
#[derive(Clone, Debug, Default)]
pub struct SessionBus {
    /// `DBUS_SESSION_BUS_ADDRESS`.
    pub address: Option<OsString>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// The real user id of this process, who must own the socket in `runtime_dir`.
    pub uid: u32,
}

/// How to open the keyring.
#[derive(Clone, Debug)]
pub struct Params {
    /// The session bus; not used on macOS.
    pub bus: SessionBus,
    /// Whether a dialog may be shown.
    pub unlock: Unlock,
    /// The time limit of each call, normally [`Unlock::limit`]; a dialog gets it in whole seconds.
    pub limit: Duration,
}

/// Why the keyring did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyringError {
    /// There is none, or none that may be used; the reason.
    Unavailable(String),
    /// It is locked and was not to be unlocked, or the person did not unlock it.
    Locked,
    /// No answer in this many seconds. A write may still happen.
    TimedOut(u64),
    /// The document is larger than the `limit` (bytes) of the platform.
    TooLarge {
        /// The largest size, in bytes.
        limit: u32,
    },
    /// Anything else; the reason, never the secret.
    Other(String),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) => write!(f, "no keyring: {reason}"),
            Self::Locked => f.write_str("the keyring is locked"),
            Self::TimedOut(seconds) => write!(f, "the keyring did not answer in {seconds} s"),
            Self::TooLarge { limit } => {
                write!(f, "too large for the keyring, which takes {limit} bytes")
            }
            Self::Other(reason) => write!(f, "the keyring failed: {reason}"),
        }
    }
}

impl std::error::Error for KeyringError {}

impl From<Error> for KeyringError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoStorageAccess(_) => Self::Locked,
            Error::NoDefaultStore => Self::Unavailable("none on this platform".to_owned()),
            // A store that cannot be reached says so with an `io::Error`.
            Error::PlatformFailure(e) if e.is::<io::Error>() => Self::Unavailable(e.to_string()),
            #[cfg(target_os = "macos")]
            Error::PlatformFailure(e) if needs_person(e.as_ref()) => Self::Locked,
            Error::PlatformFailure(e) => Self::Other(e.to_string()),
            Error::TooLong(_, limit) => Self::TooLarge { limit },
            Error::Ambiguous(found) => Self::Other(format!("{} entries match", found.len())),
            // Not with `{:?}`: two of the other kinds hold the secret.
            other => Self::Other(other.to_string()),
        }
    }
}

type Probe = dyn Fn() -> Result<()> + Send + Sync;

/// The keyring of the platform.
pub struct Keyring {
    store: Arc<CredentialStore>,
    probe: Arc<Probe>,
    limit: Duration,
}

impl Keyring {
    /// Decides whether there may be a keyring; asks it nothing yet.
    ///
    /// # Errors
    /// [`KeyringError::Unavailable`].
    pub fn open(params: &Params) -> std::result::Result<Self, KeyringError> {
        let (store, probe) = platform(params)?;
        Ok(Self { store, probe, limit: params.limit })
    }

    /// The secret of `user`, or `None` if there is none.
    ///
    /// # Errors
    /// Any [`KeyringError`].
    pub fn get(&self, user: &str) -> std::result::Result<Option<Zeroizing<Vec<u8>>>, KeyringError> {
        let entry = self.entry(user)?;
        self.within_limit(move || found(entry.get_secret().map(Zeroizing::new)))
    }

    /// Stores `secret` for `user`, then reads it back.
    ///
    /// # Errors
    /// Any [`KeyringError`]; [`KeyringError::Other`] if what is read back differs.
    pub fn set(&self, user: &str, secret: &[u8]) -> std::result::Result<(), KeyringError> {
        let entry = self.entry(user)?;
        // Our one copy: the thread may outlive the caller's.
        let secret = Zeroizing::new(secret.to_vec());
        let same = self.within_limit(move || {
            entry.set_secret(&secret)?;
            Ok(Zeroizing::new(entry.get_secret()?) == secret)
        })?;
        if same {
            Ok(())
        } else {
            Err(KeyringError::Other("it gave back something else than it was given".to_owned()))
        }
    }

    /// Deletes the secret of `user`; says whether there was one.
    ///
    /// # Errors
    /// Any [`KeyringError`].
    pub fn delete(&self, user: &str) -> std::result::Result<bool, KeyringError> {
        let entry = self.entry(user)?;
        self.within_limit(move || found(entry.delete_credential())).map(|deleted| deleted.is_some())
    }

    /// Whether a write would work now. Under [`Unlock::Dialog`] a locked keyring is unlocked for it.
    ///
    /// # Errors
    /// Any [`KeyringError`]: the reason why not.
    pub fn probe(&self) -> std::result::Result<(), KeyringError> {
        let probe = self.probe.clone();
        self.within_limit(move || probe())
    }

    fn entry(&self, user: &str) -> Result<Entry> {
        self.store.build(SERVICE, user, None)
    }

    fn within_limit<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> std::result::Result<T, KeyringError> {
        let (answer, answers) = mpsc::sync_channel(1);
        let run = move || drop(answer.send(call())); // an answer that comes too late is dropped
        let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(run);
        thread.map_err(|e| KeyringError::Other(e.to_string()))?;
        match answers.recv_timeout(self.limit) {
            Ok(result) => Ok(result?),
            Err(mpsc::RecvTimeoutError::Timeout) => Err(KeyringError::TimedOut(self.limit.as_secs())),
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(KeyringError::Other("its client stopped".to_owned()))
            }
        }
    }
}

fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Err(Error::NoEntry) => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(target_os = "linux")]
fn platform(params: &Params) -> Result<(Arc<CredentialStore>, Arc<Probe>)> {
    let store = super::secret_service::Store::new(&params.bus, params.unlock, params.limit)?;
    Ok((store.clone(), Arc::new(move || store.probe())))
}

/// The login keychain. It tells that it is locked only when written to, so the probe writes.
#[cfg(target_os = "macos")]
fn platform(params: &Params) -> Result<(Arc<CredentialStore>, Arc<Probe>)> {
    use security_framework::os::macos::keychain::SecKeychain;
    let store = apple_native_keyring_store::keychain::Store::new()?;
    let entry = keyring_core::api::CredentialStoreApi::build(&*store, "alchemy-cli probe", "probe", None)?;
    // Dialogs are off in this process for as long as this value lives.
    let quiet = match params.unlock {
        Unlock::Never => {
            Some(SecKeychain::disable_user_interaction().map_err(|e| Error::PlatformFailure(Box::new(e)))?)
        }
        Unlock::Dialog => None,
    };
    let probe = move || {
        let _held = &quiet;
        entry.set_secret(b"probe")?;
        entry.delete_credential()
    };
    Ok((store, Arc::new(probe)))
}

/// Errors of Security.framework (`SecBase.h`) that the store takes for failures.
#[cfg(target_os = "macos")]
fn needs_person(error: &(dyn std::error::Error + 'static)) -> bool {
    const INTERACTION_NOT_ALLOWED: i32 = -25308;
    const AUTH_FAILED: i32 = -25293;
    const USER_CANCELED: i32 = -128;
    let code = error.downcast_ref::<security_framework::base::Error>().map(|e| e.code());
    matches!(code, Some(INTERACTION_NOT_ALLOWED | AUTH_FAILED | USER_CANCELED))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn platform(_: &Params) -> Result<(Arc<CredentialStore>, Arc<Probe>)> {
    Err(Error::NoDefaultStore)
}
