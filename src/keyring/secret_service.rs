//! The Secret Service (GNOME Keyring, `KWallet`, `KeePassXC`) as a `keyring_core` store.
//!
//! Rules of this file:
//! - Secrets cross the bus in a plain session, so the bus is a Unix socket or there is no keyring.
//!   (A Diffie-Hellman session is three quarters of the time of a read, and only hides them from a
//!   monitor on the bus: a process of the same user, which can ask the unlocked service itself.)
//! - No bus is started: no `autolaunch:`, no `unixexec:`. [`Unlock::Never`] never asks anybody.
//! - `OpenSession` is never the first call of a connection. gnome-keyring-daemon (42 to 50) aborts
//!   if it comes before the daemon has noted the client, a race it loses once in thousands of times
//!   (gnome-keyring work items 190, 196, 199); it survives that in any other call.
//! - Items have the attributes and content type of `dbus-secret-service-keyring-store`.

use std::any::Any;
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dbus::arg::{AppendAll, PropMap, ReadAll, Variant};
use dbus::channel::Channel;
use dbus::{Error as BusError, Message, Path};
use keyring_core::api::{CredentialApi, CredentialStoreApi};
use keyring_core::attributes::parse_attributes;
use keyring_core::{Credential, Entry, Error, Result};

use super::platform::Unlock;
use super::session_bus::SessionBus;

const SERVICE: &str = "org.freedesktop.Secret.Service";
const COLLECTION: &str = "org.freedesktop.Secret.Collection";
const ITEM: &str = "org.freedesktop.Secret.Item";
const PROMPT: &str = "org.freedesktop.Secret.Prompt";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Session, parameters (none in a plain session), value, content type.
type Secret = (Path<'static>, Vec<u8>, Vec<u8>, String);

/// A service that cannot be reached, told from its other failures by the [`io::Error`] in the box.
fn no_service(reason: &str) -> Error {
    let error = io::Error::new(io::ErrorKind::NotConnected, reason);
    Error::PlatformFailure(Box::new(error))
}

fn locked(reason: &str) -> Error {
    Error::NoStorageAccess(reason.into())
}

fn decode(error: BusError) -> Error {
    let name = error.name().unwrap_or_default();
    match name.strip_prefix("org.freedesktop.DBus.Error.") {
        Some(n) if n == "ServiceUnknown" || n.starts_with("Spawn.") => {
            no_service(error.message().unwrap_or(name))
        }
        None if name == "org.freedesktop.Secret.Error.IsLocked" => locked("locked since the search"),
        _ => Error::PlatformFailure(Box::new(error)),
    }
}

/// A store in the default collection of the user's Secret Service; connects when first used.
#[derive(Clone)]
pub(super) struct Store {
    address: Arc<str>,
    unlock: Unlock,
    limit: Duration,
    connection: Arc<Mutex<Option<Connection>>>,
    /// Several items were found where one is meant.
    several: Arc<AtomicBool>,
}

impl Store {
    /// A store on `bus`; a call to it, or a dialog under [`Unlock::Dialog`], may take `limit`.
    pub(super) fn new(bus: &SessionBus, unlock: Unlock, limit: Duration) -> Result<Self> {
        let address = bus.unix_address().map_err(no_service)?.into();
        let connection = Arc::default();
        Ok(Self { address, unlock, limit, connection, several: Arc::default() })
    }

    /// Whether several items were found where one is meant.
    pub(super) fn has_several(&self) -> bool {
        self.several.load(Ordering::Relaxed)
    }

    fn found_several(&self) {
        self.several.store(true, Ordering::Relaxed);
    }

    /// Whether a new item could be stored now; writes nothing, unlocks under [`Unlock::Dialog`].
    ///
    /// `PlatformFailure` if no service answers, `NoStorageAccess` if it has no default collection,
    /// or that is locked and may not or could not be unlocked.
    pub(super) fn probe(&self) -> Result<()> {
        self.with(|bus| {
            bus.search(&HashMap::from([("service", "alchemy-cli probe")]))?;
            bus.collection().map(drop)
        })
    }

    /// The secret of an item of another program: the first with these attributes, as `secret-tool` takes it,
    /// in `collection` where one is named by the end of its path.
    pub(super) fn get_foreign(
        &self,
        attributes: &[(&str, String)],
        collection: Option<&str>,
    ) -> Result<Vec<u8>> {
        let attributes = attributes.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.with(|bus| {
            let (unlocked, locked) = bus.search(&attributes)?;
            let within = |item: &&Path| {
                let folder = item.rsplit_once('/').and_then(|(path, _)| path.rsplit_once('/'));
                collection.is_none_or(|name| folder.is_some_and(|(_, folder)| folder == name))
            };
            let item = unlocked.iter().chain(&locked).find(within).ok_or(Error::NoEntry)?;
            if locked.contains(item) {
                bus.unlock(item)?;
            }
            bus.secret(item)
        })
    }

    /// Runs `work` on the one connection, which is dropped when it failed: a service that was
    /// started anew knows nothing of an old session.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut kept = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bus = kept.take().map_or_else(|| self.connect(), Ok)?;
        let result = work(&mut bus);
        if !matches!(result, Err(Error::PlatformFailure(_))) {
            *kept = Some(bus);
        }
        result
    }

    fn connect(&self) -> Result<Connection> {
        let refused = |e: BusError| no_service(e.message().unwrap_or("the session bus failed"));
        let mut channel = Channel::open_private(&self.address).map_err(refused)?;
        channel.register().map_err(refused)?;
        Ok(Connection { channel, unlock: self.unlock, limit: self.limit, session: None })
    }
}

/// The calls of the specification that we need.
struct Connection {
    channel: Channel,
    unlock: Unlock,
    limit: Duration,
    session: Option<Path<'static>>,
}

impl Connection {
    fn call<A: AppendAll, R: ReadAll>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        args: A,
    ) -> Result<R> {
        let message = Message::call_with_args("org.freedesktop.secrets", path, interface, method, args);
        let reply = self.channel.send_with_reply_and_block(message, self.limit);
        reply.and_then(|reply| reply.read_all()).map_err(decode)
    }

    fn service<A: AppendAll, R: ReadAll>(&self, method: &str, args: A) -> Result<R> {
        self.call("/org/freedesktop/secrets", SERVICE, method, args)
    }

    /// The unlocked and the locked items. As the first call of a connection it may meet the race that
    /// `OpenSession` must not: it is then answered that there is no such method.
    fn search(&self, attributes: &HashMap<&str, &str>) -> Result<(Vec<Path<'static>>, Vec<Path<'static>>)> {
        let search = || self.service("SearchItems", (attributes,));
        search().or_else(|error| match &error {
            Error::PlatformFailure(e) if e.to_string().contains("SearchItems") => search(),
            _ => Err(error),
        })
    }

    fn session(&mut self) -> Result<Path<'static>> {
        if let Some(session) = &self.session {
            return Ok(session.clone());
        }
        let plain = ("plain", Variant(""));
        let (_, session): (Variant<String>, Path) = self.service("OpenSession", plain)?;
        self.session = Some(session.clone());
        Ok(session)
    }

    fn secret(&mut self, item: &Path<'static>) -> Result<Vec<u8>> {
        let session = self.session()?;
        let (secret,): (Secret,) = self.call(item, ITEM, "GetSecret", (session,))?;
        Ok(secret.2)
    }

    /// The default collection, where there is one.
    fn default_collection(&self) -> Result<Option<Path<'static>>> {
        let (path,): (Path,) = self.service("ReadAlias", ("default",))?;
        Ok((&*path != "/").then_some(path))
    }

    /// The default collection, unlocked.
    fn collection(&self) -> Result<Path<'static>> {
        let path = self.default_collection()?.ok_or_else(|| locked("there is no default collection"))?;
        let (is_locked,): (Variant<bool>,) = self.call(&path, PROPERTIES, "Get", (COLLECTION, "Locked"))?;
        if is_locked.0 {
            self.unlock(&path)?;
        }
        Ok(path)
    }

    fn unlock(&self, object: &Path<'static>) -> Result<()> {
        if self.unlock == Unlock::Never {
            return Err(locked("locked"));
        }
        let (_, prompt): (Vec<Path>, Path) = self.service("Unlock", (vec![object],))?;
        self.prompt(&prompt)
    }

    /// Shows the dialog that a call asks for, if it does, and waits until it is over.
    fn prompt(&self, path: &Path<'static>) -> Result<()> {
        if &**path == "/" {
            return Ok(());
        }
        if self.unlock == Unlock::Never {
            return Err(locked("it asks for a dialog"));
        }
        let rule = format!("type='signal',interface='{PROMPT}',path='{path}'");
        let name = "org.freedesktop.DBus";
        let watch = Message::call_with_args(name, "/org/freedesktop/DBus", name, "AddMatch", (rule,));
        self.channel.send_with_reply_and_block(watch, self.limit).map_err(decode)?;
        self.call::<_, ()>(path, PROMPT, "Prompt", ("",))?;
        let end = Instant::now() + self.limit;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let Some(message) = self.channel.blocking_pop_message(left).map_err(decode)? else {
                continue;
            };
            if message.path().as_ref() == Some(path) && message.member().as_deref() == Some("Completed") {
                let dismissed = message.read1().unwrap_or(true);
                return if dismissed { Err(locked("the dialog was dismissed")) } else { Ok(()) };
            }
        }
        self.call::<_, ()>(path, PROMPT, "Dismiss", ())?;
        Err(locked("the dialog was not answered"))
    }
}

/// The item of one service and user.
#[derive(Clone)]
struct ItemCredential {
    store: Store,
    service: String,
    user: String,
}

impl ItemCredential {
    fn attributes(&self) -> HashMap<&str, &str> {
        HashMap::from([("service", &*self.service), ("username", &*self.user)])
    }

    /// The item meant, unlocked: of several, that of the default collection, and there the one that was changed
    /// last. The search itself tells locked from unlocked, so that the common read is three calls: `SearchItems`,
    /// `OpenSession`, `GetSecret`.
    fn item(&self, bus: &Connection) -> Result<Path<'static>> {
        let (mut items, locked) = self.items(bus)?;
        if items.len() > 1 {
            self.store.found_several();
            let default = bus.default_collection()?;
            let mut ranked = Vec::with_capacity(items.len());
            for item in items {
                let (changed,): (Variant<u64>,) = bus.call(&item, PROPERTIES, "Get", (ITEM, "Modified"))?;
                let is_default = default.as_ref().is_some_and(|default| is_within(&item, default));
                ranked.push((is_default, changed.0, item));
            }
            // The path tells two apart that are alike in all else: the same one at each call.
            ranked.sort();
            items = ranked.into_iter().map(|(.., item)| item).collect();
        }
        let item = items.pop().ok_or(Error::NoEntry)?;
        if locked.contains(&item) {
            bus.unlock(&item)?;
        }
        Ok(item)
    }

    /// All items of this service and user, in whatever collection; and which of what was found is locked.
    fn items(&self, bus: &Connection) -> Result<(Vec<Path<'static>>, Vec<Path<'static>>)> {
        let (unlocked, locked) = bus.search(&self.attributes())?;
        let mut items = [&*unlocked, &*locked].concat();
        if items.len() > 1 {
            self.keep_exact(bus, &mut items)?;
        }
        Ok((items, locked))
    }

    /// Keeps those with our attributes only: a search finds items that have more of them, too.
    /// (`xdg:schema` does not count: gnome-keyring adds it when it has read its file again.)
    fn keep_exact(&self, bus: &Connection, items: &mut Vec<Path<'static>>) -> Result<()> {
        let own = self.attributes();
        let foreign = |key: &String| !own.contains_key(&**key) && key != "xdg:schema";
        for i in (0..items.len()).rev() {
            let get = (ITEM, "Attributes");
            let (found,): (Variant<HashMap<String, String>>,) =
                bus.call(&items[i], PROPERTIES, "Get", get)?;
            if found.0.keys().any(foreign) {
                items.remove(i);
            }
        }
        Ok(())
    }
}

/// Whether an item is in a collection: its path is the collection's, and a name of its own.
fn is_within(item: &Path, collection: &Path) -> bool {
    item.rsplit_once('/').is_some_and(|(folder, _)| folder == &**collection)
}

impl CredentialApi for ItemCredential {
    /// Into the item that is there, wherever it is, else a new one in the default collection.
    fn set_secret(&self, secret: &[u8]) -> Result<()> {
        self.store.with(|bus| {
            let item = self.item(bus);
            let content = (bus.session()?, &[] as &[u8], secret, "application/octet-stream");
            match item {
                Ok(item) => bus.call(&item, ITEM, "SetSecret", (content,)),
                Err(Error::NoEntry) => {
                    let own = self.attributes().into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
                    let mut properties = PropMap::new();
                    let label = format!("alchemy: {}", self.user);
                    properties.insert(format!("{ITEM}.Label"), Variant(Box::new(label)));
                    let own: HashMap<String, String> = own.collect();
                    properties.insert(format!("{ITEM}.Attributes"), Variant(Box::new(own)));
                    let made = (properties, content, true);
                    let (_, prompt): (Path, Path) =
                        bus.call(&bus.collection()?, COLLECTION, "CreateItem", made)?;
                    bus.prompt(&prompt)
                }
                Err(error) => Err(error),
            }
        })
    }

    fn get_secret(&self) -> Result<Vec<u8>> {
        self.store.with(|bus| {
            let item = self.item(bus)?;
            bus.secret(&item)
        })
    }

    /// All of them: one that stayed in another collection would be the profile's from now on.
    fn delete_credential(&self) -> Result<()> {
        self.store.with(|bus| {
            let (items, locked) = self.items(bus)?;
            if items.is_empty() {
                return Err(Error::NoEntry);
            }
            // First, so that none is gone where another cannot go.
            for item in items.iter().filter(|item| locked.contains(item)) {
                bus.unlock(item)?;
            }
            for item in &items {
                let (prompt,): (Path,) = bus.call(item, ITEM, "Delete", ())?;
                bus.prompt(&prompt)?;
            }
            Ok(())
        })
    }

    fn get_credential(&self) -> Result<Option<Arc<Credential>>> {
        self.store.with(|bus| self.item(bus).map(|_| None))
    }

    fn get_specifiers(&self) -> Option<(String, String)> {
        Some((self.service.clone(), self.user.clone()))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl CredentialStoreApi for Store {
    fn vendor(&self) -> String {
        "Secret Service, by libdbus".to_owned()
    }

    fn id(&self) -> String {
        "session bus, plain session".to_owned()
    }

    fn build(&self, service: &str, user: &str, modifiers: Option<&HashMap<&str, &str>>) -> Result<Entry> {
        parse_attributes(&[], modifiers)?;
        let (store, service, user) = (self.clone(), service.to_owned(), user.to_owned());
        let credential = ItemCredential { store, service, user };
        Ok(Entry::new_with_credential(Arc::new(credential)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
