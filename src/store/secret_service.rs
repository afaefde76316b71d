//! The Secret Service (GNOME Keyring, `KWallet`, `KeePassXC`) as a `keyring_core` store.
//!
//! Rules of this file:
//! - Secrets cross the bus in a plain session, so the bus is a Unix socket or there is no keyring.
//!   (A Diffie-Hellman session is three quarters of the time of a read, and hides nothing from a
//!   process of the same user, which can ask the unlocked service itself.)
//! - Nothing is started: no `autolaunch:`, no `unixexec:`. Nothing is asked under [`Unlock::Never`].
//! - An item carries the attributes, the content type and the replacing of the crate
//!   `dbus-secret-service-keyring-store`; either reads what the other wrote.
//! - Calls block for as long as the bus likes; the deadline is the caller's (see `keyring.rs`).

use std::any::Any;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dbus_secret_service::{EncryptionType, Error as BusError, Item, Path, SecretService};
use keyring_core::api::{CredentialApi, CredentialStoreApi};
use keyring_core::attributes::parse_attributes;
use keyring_core::{Credential, Entry, Error, Result};

use super::keyring::{SessionBus, Unlock};

/// The attributes that name an item, as the keyring project's own stores call them.
const SERVICE: &str = "service";
const USER: &str = "username";
const CONTENT_TYPE: &str = "application/octet-stream";

/// What libdbus would connect to, judged without calling it: it takes its address from the
/// environment and cannot be handed one, so this repeats `init_session_address` and
/// `dbus_parse_address` of libdbus 1.14.
///
/// Unlike other clients libdbus does not try `/run/user/UID/bus` by itself; without
/// `XDG_RUNTIME_DIR` it would go on to `autolaunch:`.
fn unix_only(bus: &SessionBus) -> std::result::Result<(), &'static str> {
    if let Some(address) = bus.address.as_ref().filter(|a| !a.is_empty()) {
        let bytes = address.as_bytes();
        let mut entries = bytes.strip_suffix(b";").unwrap_or(bytes).split(|b| *b == b';');
        return if entries.all(|entry| entry.starts_with(b"unix:")) {
            Ok(())
        } else {
            Err("DBUS_SESSION_BUS_ADDRESS is not a unix socket")
        };
    }
    let Some(dir) = &bus.runtime_dir else {
        return Err("no session bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set");
    };
    let mut socket = OsString::from(dir);
    socket.push("/bus");
    match std::fs::symlink_metadata(socket) {
        Ok(meta) if meta.file_type().is_socket() && meta.uid() == bus.uid => Ok(()),
        _ => Err(
            "no session bus: DBUS_SESSION_BUS_ADDRESS is not set, $XDG_RUNTIME_DIR/bus is no socket of ours",
        ),
    }
}

/// A failure to reach the service at all, told from its other failures by the boxed [`io::Error`].
fn unreachable(reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::PlatformFailure(Box::new(io::Error::new(io::ErrorKind::NotConnected, reason)))
}

fn decode(error: BusError) -> Error {
    match error {
        BusError::Locked | BusError::NoResult | BusError::Prompt => Error::NoStorageAccess(Box::new(error)),
        // Locked between our search and our call.
        BusError::Dbus(ref e) if e.name() == Some("org.freedesktop.Secret.Error.IsLocked") => {
            Error::NoStorageAccess(Box::new(error))
        }
        _ => Error::PlatformFailure(Box::new(error)),
    }
}

/// A store in the default collection of the user's Secret Service; connects when first used.
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    unlock: Unlock,
    prompt: Duration,
    service: Mutex<Option<SecretService>>,
}

impl Store {
    /// A store on the session bus of this process.
    ///
    /// `bus` must be what the environment of this process says, for libdbus reads it again.
    /// `prompt` (whole seconds) is how long a dialog may stay open under [`Unlock::Dialog`].
    ///
    /// # Errors
    /// `PlatformFailure` around an [`io::Error`] if that bus is none, or not a Unix socket.
    pub fn new(bus: &SessionBus, unlock: Unlock, prompt: Duration) -> Result<Arc<Self>> {
        unix_only(bus).map_err(unreachable)?;
        let shared = Shared { unlock, prompt, service: Mutex::new(None) };
        Ok(Arc::new(Self { shared: Arc::new(shared) }))
    }

    /// Whether a new item could be stored now; writes nothing, unlocks under [`Unlock::Dialog`].
    ///
    /// # Errors
    /// `PlatformFailure` if no service answers, `NoStorageAccess` if it has no default collection,
    /// or that is locked and may not or could not be unlocked.
    pub fn probe(&self) -> Result<()> {
        self.shared.with(|service| {
            let collection = service.get_default_collection().map_err(decode)?;
            if collection.is_locked().map_err(decode)? {
                self.shared.unlock_with(|| collection.unlock())?;
            }
            Ok(())
        })
    }
}

impl Shared {
    /// Runs `work` on the one connection, which is made when there is none and dropped when it
    /// failed: a service that was started anew knows nothing of an old session.
    fn with<T>(&self, work: impl FnOnce(&SecretService) -> Result<T>) -> Result<T> {
        let mut held = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        let service = match held.take() {
            Some(service) => service,
            None => self.connect()?,
        };
        let result = work(&service);
        if !matches!(result, Err(Error::PlatformFailure(_))) {
            *held = Some(service);
        }
        result
    }

    fn connect(&self) -> Result<SecretService> {
        // Zero seconds: dbus-secret-service then gives up before it shows any prompt.
        let seconds = match self.unlock {
            Unlock::Never => 0,
            Unlock::Dialog => self.prompt.as_secs().max(1),
        };
        let connect = || SecretService::connect_with_max_prompt_timeout(EncryptionType::Plain, seconds);
        connect()
            .or_else(|error| match error {
                // The crate allows each call 2 s; a service that the bus starts just now may need more.
                BusError::Dbus(ref e) if e.name() == Some("org.freedesktop.DBus.Error.NoReply") => connect(),
                _ => Err(error),
            })
            .map_err(|error| match error {
                BusError::Dbus(e) => unreachable(e.message().unwrap_or("the session bus failed")),
                _ => unreachable(error),
            })
    }

    fn unlock_with(&self, unlock: impl FnOnce() -> std::result::Result<(), BusError>) -> Result<()> {
        match self.unlock {
            Unlock::Never => Err(decode(BusError::Locked)),
            Unlock::Dialog => unlock().map_err(decode),
        }
    }
}

/// The item of one service and user; with a path, one of several that match.
#[derive(Clone)]
struct ItemCredential {
    shared: Arc<Shared>,
    service: String,
    user: String,
    path: Option<Path<'static>>,
}

impl ItemCredential {
    fn attributes(&self) -> HashMap<&str, &str> {
        HashMap::from([(SERVICE, self.service.as_str()), (USER, self.user.as_str())])
    }

    /// The one item meant, unlocked. The search itself tells locked from unlocked, so that the
    /// common read is three calls: `OpenSession`, `SearchItems`, `GetSecret`.
    fn item<'a>(&self, service: &'a SecretService) -> Result<Item<'a>> {
        let (item, locked) = if let Some(path) = &self.path {
            let item = Item::new(service, path.clone());
            let locked = item.is_locked().map_err(decode)?;
            (item, locked)
        } else {
            let found = service.search_items(self.attributes()).map_err(decode)?;
            let unlocked = found.unlocked.into_iter().map(|item| (item, false));
            let all = unlocked.chain(found.locked.into_iter().map(|item| (item, true)));
            self.choose(all.collect())?
        };
        if locked {
            self.shared.unlock_with(|| item.unlock())?;
        }
        Ok(item)
    }

    /// The only one, else the only one without attributes beyond ours: a search also finds the items
    /// of other programs that have more.
    fn choose<'a>(&self, mut found: Vec<(Item<'a>, bool)>) -> Result<(Item<'a>, bool)> {
        if found.len() > 1 {
            let exact: Vec<bool> =
                found.iter().map(|(item, _)| self.is_exact(item)).collect::<Result<_>>()?;
            if exact.iter().filter(|exact| **exact).count() == 1 {
                let mut exact = exact.into_iter();
                found.retain(|_| exact.next() == Some(true));
            } else {
                let each = found.into_iter().map(|(item, _)| Self { path: Some(item.path), ..self.clone() });
                return Err(Error::Ambiguous(
                    each.map(|one| Entry::new_with_credential(Arc::new(one))).collect(),
                ));
            }
        }
        found.pop().ok_or(Error::NoEntry)
    }

    /// `xdg:schema` is set by libsecret and by some services, and says nothing about the owner.
    fn is_exact(&self, item: &Item) -> Result<bool> {
        let attributes = item.get_attributes().map_err(decode)?;
        let own = self.attributes();
        Ok(attributes.keys().all(|key| own.contains_key(key.as_str()) || key == "xdg:schema"))
    }
}

impl CredentialApi for ItemCredential {
    /// Into the item that is there, wherever it is, else into a new one of the default collection.
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        self.shared.with(|service| match self.item(service) {
            Ok(item) => item.set_secret(secret, CONTENT_TYPE).map_err(decode),
            Err(Error::NoEntry) => {
                let collection = service.get_default_collection().map_err(decode)?;
                if collection.is_locked().map_err(decode)? {
                    self.shared.unlock_with(|| collection.unlock())?;
                }
                let label = format!("alchemy: {}", self.user);
                let made = collection.create_item(&label, self.attributes(), secret, true, CONTENT_TYPE);
                made.map(drop).map_err(decode)
            }
            Err(error) => Err(error),
        })
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        self.shared.with(|service| self.item(service)?.get_secret().map_err(decode))
    }

    fn delete_credential(&self) -> Result<()> {
        self.shared.with(|service| self.item(service)?.delete().map_err(decode))
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        let path = self.shared.with(|service| Ok(self.item(service)?.path))?;
        Ok(self
            .path
            .is_none()
            .then(|| Arc::new(Self { path: Some(path), ..self.clone() }) as Arc<Credential>))
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        Some((self.service.clone(), self.user.clone()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.user, self.service)
    }
}

impl CredentialStoreApi for Store {
    fn vendor(&self) -> String {
        "Secret Service, by dbus-secret-service".to_owned()
    }

    fn id(&self) -> String {
        "session bus, plain".to_owned()
    }

    fn build(&self, service: &str, user: &str, modifiers: Option<&HashMap<&str, &str>>) -> Result<Entry> {
        parse_attributes(&[], modifiers)?;
        let (shared, service, user) = (self.shared.clone(), service.to_owned(), user.to_owned());
        Ok(Entry::new_with_credential(Arc::new(ItemCredential { shared, service, user, path: None })))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn debug_fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret Service")
    }
}
