//! The keyring of the platform: four calls, each with a deadline, errors a person can read.
//!
//! A call runs in a thread of its own and is given up, not stopped, when its time is over: a bus
//! that never answers must not hang us, and the process ends soon anyway.

pub(crate) mod kernel_keyring;
#[cfg(target_os = "macos")]
mod keychain;
mod platform;
#[cfg(target_os = "linux")]
mod secret_service;
pub(crate) mod session_bus;

use std::cell::Cell;
use std::sync::{Arc, mpsc, mpsc::RecvTimeoutError};
use std::{fmt, io};

use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use crate::error::reason;
use crate::signals;
use platform::Platform;
pub(crate) use platform::Unlock;
use session_bus::SessionBus;

/// The service name of all our entries.
pub(crate) const SERVICE: &str = "alchemy-cli";

/// How to open the keyring.
#[derive(Clone, Debug)]
pub(crate) struct Params {
    /// The session bus; not used on macOS.
    pub bus: SessionBus,
    /// Whether a dialog may be shown, once the keyring has said that it is locked.
    pub unlock: Unlock,
}

/// Why the keyring did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeyringError {
    /// There is none, or none that may be used; the reason.
    Unavailable(String),
    /// It is locked and was not to be unlocked, or the person did not unlock it.
    Locked,
    /// No answer in this many seconds. A write may still happen.
    TimedOut(u64),
    /// The document is larger than the keyring of the platform takes: `limit`, in bytes.
    TooLarge { limit: u32 },
    /// Anything else; the reason, never the secret.
    Other(String),
}

impl fmt::Display for KeyringError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(reason) => write!(f, "no keyring: {reason}"),
            Self::Locked => f.write_str("the keyring is locked"),
            Self::TimedOut(seconds) => write!(f, "the keyring did not answer in {seconds} s"),
            Self::TooLarge { limit } => write!(f, "the keyring takes only {limit} bytes"),
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
            Error::PlatformFailure(e) if keychain::needs_person(e.as_ref()) => Self::Locked,
            Error::PlatformFailure(e) => Self::Other(e.to_string()),
            Error::TooLong(_, limit) => Self::TooLarge { limit },
            Error::Ambiguous(found) => Self::Other(format!("{} entries match", found.len())),
            // Not with `{:?}`: two of the other kinds hold the secret.
            other => Self::Other(other.to_string()),
        }
    }
}

type Answer<T> = Result<T, KeyringError>;
/// The keyring of the platform.
pub(crate) struct Keyring {
    params: Params,
    /// Several items were found where one is meant; and that was told.
    several: Cell<bool>,
    told: Cell<bool>,
}

impl Keyring {
    /// Decides whether there may be a keyring; asks it nothing yet.
    pub(crate) fn open(params: &Params) -> Answer<Self> {
        open_platform(&params.bus, Unlock::Never)?;
        Ok(Self { params: params.clone(), several: Cell::default(), told: Cell::default() })
    }

    /// Whether several items were found where one is meant, and nobody has been told yet.
    pub(crate) fn takes_several(&self) -> bool {
        self.several.get() && !self.told.replace(true)
    }

    /// The secret of `user`, or `None` if there is none.
    pub(crate) fn get(&self, user: &str) -> Answer<Option<Zeroizing<Vec<u8>>>> {
        let user = user.to_owned();
        self.ask(move |platform| found(entry(platform, &user)?.get_secret().map(Zeroizing::new)))
    }

    /// The secret of an item of another program, which has these attributes; in the Secret Service only
    /// within `collection`, where one is named. `None` if there is none.
    pub(crate) fn get_foreign(
        &self,
        attributes: &[(&'static str, &str)],
        collection: Option<&'static str>,
    ) -> Answer<Option<Zeroizing<Vec<u8>>>> {
        let attributes: Vec<_> = attributes.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        self.ask(move |platform| found(foreign(platform, &attributes, collection).map(Zeroizing::new)))
    }

    /// Stores `secret` for `user`, then reads it back.
    pub(crate) fn set(&self, user: &str, secret: &[u8]) -> Answer<()> {
        // A copy of our own: a thread may outlive the caller's.
        let (user, secret) = (user.to_owned(), Arc::new(Zeroizing::new(secret.to_vec())));
        let same = self.ask(move |platform| {
            let entry = entry(platform, &user)?;
            entry.set_secret(&secret)?;
            Ok(Zeroizing::new(entry.get_secret()?) == *secret)
        })?;
        let differs = || KeyringError::Other("it gave back something else".to_owned());
        same.then_some(()).ok_or_else(differs)
    }

    /// Deletes the secret of `user`, all of them where there are several; says whether there was one.
    pub(crate) fn delete(&self, user: &str) -> Answer<bool> {
        let user = user.to_owned();
        let gone = self.ask(move |platform| found(entry(platform, &user)?.delete_credential()))?;
        Ok(gone.is_some())
    }

    /// Whether a write would work now. Under [`Unlock::Dialog`] a locked keyring is unlocked for it.
    pub(crate) fn probe(&self) -> Answer<()> {
        self.ask(|(_, probe)| probe())
    }

    /// Asks without a dialog first, for which a short limit is enough: one that hangs must not be given
    /// the time of a person. Only one that says that it is locked is asked with the dialog.
    fn ask<T: Send + 'static>(
        &self,
        call: impl Fn(&Platform) -> keyring_core::Result<T> + Clone + Send + 'static,
    ) -> Answer<T> {
        match self.within_limit(Unlock::Never, call.clone()) {
            Err(KeyringError::Locked) if self.params.unlock == Unlock::Dialog => {
                self.within_limit(Unlock::Dialog, call)
            }
            answer => answer,
        }
    }

    fn within_limit<T: Send + 'static>(
        &self,
        unlock: Unlock,
        call: impl FnOnce(&Platform) -> keyring_core::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let platform = open_platform(&self.params.bus, unlock)?;
        let (sender, answer) = mpsc::sync_channel(1);
        let run = move || {
            let answer = call(&platform);
            drop(sender.send((answer, has_several(&platform)))); // too late an answer is dropped
        };
        signals::thread("keyring", run).map_err(|e| KeyringError::Other(reason(&e)))?;
        match answer.recv_timeout(unlock.limit()) {
            Ok((result, several)) => {
                self.several.set(self.several.get() || several);
                Ok(result?)
            }
            Err(RecvTimeoutError::Timeout) => Err(KeyringError::TimedOut(unlock.limit().as_secs())),
            Err(RecvTimeoutError::Disconnected) => Err(KeyringError::Other("panic".to_owned())),
        }
    }
}

fn entry(platform: &Platform, user: &str) -> keyring_core::Result<Entry> {
    platform.0.build(SERVICE, user, None)
}

fn found<T>(result: keyring_core::Result<T>) -> keyring_core::Result<Option<T>> {
    match result {
        Err(Error::NoEntry) => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(target_os = "linux")]
fn has_several(platform: &Platform) -> bool {
    let store = platform.0.as_any().downcast_ref::<secret_service::Store>();
    store.is_some_and(secret_service::Store::has_several)
}

/// A keychain has one item of a service and an account.
#[cfg(not(target_os = "linux"))]
fn has_several(_: &Platform) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn foreign(
    platform: &Platform,
    attributes: &[(&'static str, String)],
    collection: Option<&'static str>,
) -> keyring_core::Result<Vec<u8>> {
    let store = platform.0.as_any().downcast_ref::<secret_service::Store>();
    store.ok_or(Error::NoDefaultStore)?.get_foreign(attributes, collection)
}

/// A keychain knows items by service and account alone, and we open no other than the login keychain.
#[cfg(not(target_os = "linux"))]
fn foreign(
    platform: &Platform,
    attributes: &[(&'static str, String)],
    collection: Option<&'static str>,
) -> keyring_core::Result<Vec<u8>> {
    match (attributes, collection) {
        ([("service", service), ("account", account)], None) => {
            platform.0.build(service, account, None)?.get_secret()
        }
        _ => Err(Error::NoEntry),
    }
}

#[cfg(target_os = "linux")]
fn open_platform(bus: &SessionBus, unlock: Unlock) -> keyring_core::Result<Platform> {
    let store = secret_service::Store::new(bus, unlock, unlock.limit())?;
    Ok((Arc::new(store.clone()), Arc::new(move || store.probe())))
}

#[cfg(target_os = "macos")]
use keychain::open as open_platform;

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn open_platform(_: &SessionBus, _: Unlock) -> keyring_core::Result<Platform> {
    Err(Error::NoDefaultStore)
}
