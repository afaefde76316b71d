//! `config.json`: what is known about the profiles, apart from their secrets.
//!
//! The file is the npm package's, version 1 of its schema (`facts/alchemy-npm.md` §1.3); our own
//! fields stand beside its own in the provider object. A change is made on the JSON as it is, so that
//! whatever we do not know (other providers, other tools' fields, the order) stays.

use std::borrow::Cow;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::marks::Marks;
use super::store_fields::{Identity, StoreCommands, commands, encrypted_to, store_kind};
use crate::digest::sha256_hex;
use crate::disk::atomic::{self, Bytes, Prepared};
use crate::disk::document::{self, BY_HAND};
use crate::disk::home::Home;
use crate::disk::lock::Lock;
use crate::disk::trusted::{self, Reading};
use crate::error::{Error, Result};
use crate::http::Endpoint;
use crate::oauth::client::{self, Client, Preset};
use crate::profile::{Account, AccountId, Method, Profile, ProfileName, SignIn, StoreKind, TokenFacts};
use crate::signals::HeldBack;
use crate::terminal::Messages;

/// The newest version of the schema that we know.
const VERSION: u64 = 1;

/// The document, as far as we read it. Fields that are not named here are ignored here and kept by
/// [`Edit`].
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Config {
    version: Option<u64>,
    #[serde(default)]
    profiles: HashMap<String, Providers>,
    /// Tells this folder's keyring items from those of another `ALCHEMY_HOME`; absent in `~/.alchemy`.
    pub keyring_id: Option<String>,
    /// What restricts the profiles.
    #[serde(skip)]
    pub marks: Marks,
}

#[derive(Debug, Deserialize)]
struct Providers {
    cloudflare: Option<Entry>,
}

/// What `config.json` says of one profile's Cloudflare side.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    method: String,
    #[serde(default)]
    metadata: Metadata,
    credential_store: Option<String>,
    encrypted_to: Option<Identity>,
    commands: Option<StoreCommands>,
    base_url: Option<String>,
    token_id: Option<String>,
    token_expires: Option<Timestamp>,
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    confirm: bool,
    // Up to 370 names in each profile, and only the chosen one's are looked at.
    scopes: Option<Box<RawValue>>,
    oauth: Option<OAuth>,
    /// We are root, and the folder is another person's.
    #[serde(skip)]
    is_anothers: bool,
}

/// What of the OAuth client is not as built in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OAuth {
    client_id: Option<String>,
    auth_url: Option<String>,
    token_url: Option<String>,
    revoke_url: Option<String>,
    redirect_uri: Option<String>,
    callback: Option<String>,
    offline_access: Option<bool>,
    requested_scopes: Option<Box<RawValue>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct Metadata {
    id: Option<String>,
    name: Option<String>,
}

impl Config {
    /// Reads the file; one that does not exist is an empty one.
    ///
    /// Fails when it cannot be read, is not JSON, is of another shape (with line and column), or of a
    /// version that is newer than we know.
    pub(crate) fn load(home: &Home) -> Result<Self> {
        // In this order: a mark goes last, when the profile that it restricts is gone.
        let config = Self::load_alone(home)?;
        Ok(Self { marks: Marks::load(home)?, ..config })
    }

    /// Reads the file without the marks, for whoever wants to know whether it can be understood.
    pub(crate) fn load_alone(home: &Home) -> Result<Self> {
        let path = home.config();
        let parse = |bytes: &Bytes| parse(&path.display().to_string(), bytes);
        let read = |path: &Path| trusted::read(home, path, Reading::Settings);
        atomic::read_settled(&path, read, parse)?.map_or_else(|| Ok(Self::default()), |it| it.judged(home))
    }

    /// The digest of what the file says of a profile, which may be nothing: it tells whether a change was made that
    /// was killed.
    ///
    /// Fails when the file cannot be read, or is not JSON.
    pub(crate) fn digest_of(home: &Home, name: &ProfileName) -> Result<String> {
        let path = home.config();
        let read = |path: &Path| trusted::read(home, path, Reading::Settings);
        let parse = |bytes: &Bytes| {
            let not_json =
                |error| Error::new(format!("{} is not valid JSON: {error}", path.display())).hint(BY_HAND);
            serde_json::from_slice::<Value>(bytes).map_err(not_json)
        };
        let mut document = atomic::read_settled(&path, read, parse)?.unwrap_or_default();
        let entry = document["profiles"][name.as_str()]["cloudflare"].take();
        Ok(sha256_hex(entry.to_string().as_bytes()))
    }

    /// The profile of that name, with what restricts it. `None` when the file says nothing of it.
    pub(crate) fn profile(&self, name: &ProfileName) -> Option<Result<Profile>> {
        let profile = self.unmarked(name.as_str(), name)?;
        Some(profile.and_then(|profile| self.marked(profile)))
    }

    /// What the file says of `entry`, as a profile of that name, without what restricts it: for whoever lets no
    /// secret out, but changes, moves or deletes it.
    pub(crate) fn unmarked(&self, entry: &str, name: &ProfileName) -> Option<Result<Profile>> {
        Some(self.entry(entry)?.profile(name))
    }

    /// A profile, with what restricts it, whichever layout it is from.
    pub(crate) fn marked(&self, mut profile: Profile) -> Result<Profile> {
        self.marks.restrict(&mut profile)?;
        Ok(profile)
    }

    /// The names of all profiles that have a Cloudflare side, sorted; also those that are no
    /// [`ProfileName`], which version 1 of the npm package lets through.
    pub(crate) fn names(&self) -> Vec<&str> {
        let with_cloudflare = self.profiles.iter().filter(|(_, providers)| providers.cloudflare.is_some());
        let mut names: Vec<_> = with_cloudflare.map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// What the file says of a profile.
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.profiles.get(name)?.cloudflare.as_ref()
    }

    /// Writes down in each entry whether the folder is another person's.
    fn judged(mut self, home: &Home) -> Result<Self> {
        if trusted::is_anothers(home)? {
            let entries = self.profiles.values_mut().filter_map(|providers| providers.cloudflare.as_mut());
            entries.for_each(|entry| entry.is_anothers = true);
        }
        Ok(self)
    }
}

impl Entry {
    /// The entry as a profile, without what [`Marks`] restrict.
    ///
    /// Fails when a field holds what no version of the schema allows; the profile and the field are named.
    fn profile(&self, name: &ProfileName) -> Result<Profile> {
        let wrong = |field: &str, value: &str| {
            Error::new(format!("profile '{name}' has an unknown {field} '{value}' in config.json"))
                .hint(format!("set the profile up again: alchemy configure -p {name}"))
        };
        let id = self.metadata.id.as_deref().unwrap_or_default();
        let named = self.credential_store.as_deref();
        let method = Method::from_name(&self.method).ok_or_else(|| wrong("method", &self.method))?;
        let endpoint = self.base_url.as_deref().map(Endpoint::parse).transpose()?;
        let sign_in = if method == Method::OAuth { Some(self.sign_in()?) } else { None };
        if self.is_anothers {
            let client = sign_in.as_ref().map(|sign_in| &sign_in.client);
            let urls = client.map(|client| [&client.auth_url, &client.token_url, &client.revoke_url]);
            let urls = urls.into_iter().flatten().chain([&endpoint]).flatten();
            if let Some(url) = urls.into_iter().find(|url| !url.is_loopback() && !url.is_cloudflares()) {
                let why = "which root doesn't follow in another person's folder";
                return Err(Error::new(format!("profile '{name}' is for {url}, {why}"))
                    .hint("run it as the owner of the folder: sudo -u OWNER alchemy …"));
            }
        }
        Ok(Profile {
            name: name.clone(),
            method,
            account: Account {
                id: AccountId::parse(id).ok_or_else(|| wrong("account id", id))?,
                name: self.metadata.name.clone().unwrap_or_default(),
            },
            store: store_kind(named, self.encrypted_to.clone(), self.commands.clone())
                .ok_or_else(|| wrong("store", named.unwrap_or_default()))?,
            endpoint,
            token: self.token_id.clone().map(|id| TokenFacts { id, expires: self.token_expires }),
            also: self.also.clone(),
            confirm: self.confirm,
            sign_in,
        })
    }

    /// An entry without a client is version 1's of the npm package, which knows only its own.
    fn sign_in(&self) -> Result<SignIn> {
        // What npm may have written into it is no reason to fail: scopes are told, not needed.
        let names = |scopes: &Option<Box<RawValue>>| -> Option<Vec<String>> {
            scopes.as_ref().and_then(|scopes| serde_json::from_str(scopes.get()).ok())
        };
        let scopes = names(&self.scopes).unwrap_or_default();
        let Some(oauth) = &self.oauth else {
            return Ok(SignIn { client: Client::new(Preset::AlchemyV1.client_id()), scopes, asked: None });
        };
        let id = oauth.client_id.clone().map_or(Preset::AlchemyV1.client_id().into(), Cow::Owned);
        let url = |name, url: &Option<String>| url.as_deref().map(|url| client::url(name, url)).transpose();
        Ok(SignIn {
            client: Client {
                id,
                auth_url: url("authUrl in config.json", &oauth.auth_url)?,
                token_url: url("tokenUrl in config.json", &oauth.token_url)?,
                revoke_url: url("revokeUrl in config.json", &oauth.revoke_url)?,
                redirect_uri: url("redirectUri in config.json", &oauth.redirect_uri)?,
                callback: oauth.callback.as_deref().map(client::callback_url).transpose()?,
                offline_access: oauth.offline_access.unwrap_or(true),
            },
            scopes,
            asked: names(&oauth.requested_scopes),
        })
    }
}

/// The object `oauth` of an entry; `None` when there is nothing in it.
fn oauth(sign_in: &SignIn) -> Option<Value> {
    let SignIn { client, asked, .. } = sign_in;
    let url = |url: &Option<Endpoint>| url.as_ref().map(|url| Value::from(url.as_str()));
    let fields = [
        ("clientId", (!client.is_v1()).then(|| client.id.as_ref().into())),
        ("authUrl", url(&client.auth_url)),
        ("tokenUrl", url(&client.token_url)),
        ("revokeUrl", url(&client.revoke_url)),
        ("redirectUri", url(&client.redirect_uri)),
        ("callback", url(&client.callback)),
        ("offlineAccess", (!client.offline_access).then_some(Value::Bool(false))),
        ("requestedScopes", asked.clone().map(Value::from)),
    ];
    let fields: Map<String, Value> =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    (!fields.is_empty()).then_some(Value::Object(fields))
}

fn parse(origin: &str, bytes: &[u8]) -> Result<Config> {
    document::parse(origin, bytes, VERSION, |config: &Config| config.version)
}

/// The document open for a change, under its lock; and with it, what restricts the profiles.
#[derive(Debug)]
pub(crate) struct Edit<'a> {
    home: &'a Home,
    document: Map<String, Value>,
    /// The document as it was read, under the lock.
    pub before: Config,
    marks: Marks,
    messages: Messages,
    lock: Lock,
}

impl<'a> Edit<'a> {
    /// Takes the lock and reads the document.
    pub(crate) fn open(home: &'a Home, messages: &Messages) -> Result<Self> {
        let lock = Lock::acquire(&[home.lock("config")], "config.json", *messages)?;
        let path = home.config();
        let origin = path.display().to_string();
        // Reading passes over what a change must keep, so this can fail where `parse` does not.
        let parse = |bytes: &Bytes| {
            let document = |error| Error::new(format!("{origin} is not valid JSON: {error}")).hint(BY_HAND);
            Ok((parse(&origin, bytes)?, serde_json::from_slice(bytes).map_err(document)?))
        };
        let read = |path: &Path| trusted::read(home, path, Reading::Settings);
        let (before, document) = atomic::read_settled(&path, read, parse)?
            .unwrap_or_else(|| (Config::default(), Map::from_iter([("version".to_owned(), VERSION.into())])));
        let before = Config { marks: Marks::load(home)?, ..before.judged(home)? };
        let mut edit =
            Self { home, document, marks: before.marks.clone(), before, messages: *messages, lock };
        edit.take_marks_over();
        Ok(edit)
    }

    /// Has what restricts profiles stand where nobody else drops it.
    fn take_marks_over(&mut self) {
        let marked = self
            .before
            .profiles
            .iter()
            .filter(|(_, providers)| providers.cloudflare.as_ref().is_some_and(|entry| entry.confirm));
        let marked: Vec<String> = marked.map(|(name, _)| name.clone()).collect();
        for name in &marked {
            self.marks.take(name);
            let providers = self.object("profiles").get_mut(name).map(as_object);
            if let Some(entry) = providers.and_then(|providers| providers.get_mut("cloudflare")) {
                as_object(entry).shift_remove("confirm");
            }
        }
    }

    /// Puts the profile's fields into its entry, which is made when it is missing. What we do not
    /// know there stays.
    pub(crate) fn put(&mut self, profile: &Profile) {
        self.marks.set(profile);
        let entry = self.object("profiles").entry(profile.name.as_str());
        let entry =
            as_object(as_object(entry.or_insert(Value::Null)).entry("cloudflare").or_insert(Value::Null));
        let token = profile.token.as_ref();
        let text = |value: Option<String>| value.map(Value::from);
        // Version 1 of the npm package has one store, and so no word for it.
        let store = (profile.store != StoreKind::File).then(|| profile.store.name().to_owned());
        let also = (!profile.also.is_empty()).then(|| profile.also.clone().into());
        let fields = [
            ("method", text(Some(profile.method.name().to_owned()))),
            ("metadata", Some(metadata(entry.get("metadata"), &profile.account))),
            ("credentialStore", text(store)),
            ("encryptedTo", encrypted_to(&profile.store)),
            ("commands", commands(&profile.store)),
            ("baseUrl", text(profile.endpoint.as_ref().map(ToString::to_string))),
            ("tokenId", text(token.map(|t| t.id.clone()))),
            ("tokenExpires", text(token.and_then(|t| t.expires).map(|at| at.to_string()))),
            ("also", also),
            // Version 1 of the npm package signs in again only where it finds scopes.
            ("scopes", profile.sign_in.as_ref().map(|sign_in| sign_in.scopes.clone().into())),
            ("oauth", profile.sign_in.as_ref().and_then(oauth)),
        ];
        for (name, value) in fields {
            match value {
                Some(value) => {
                    entry.insert(name.to_owned(), value);
                }
                None => {
                    entry.shift_remove(name);
                }
            }
        }
    }

    /// Whether the profile of that name asks before its secret leaves.
    pub(crate) fn confirms(&self, name: &ProfileName) -> bool {
        self.marks.confirms(name.as_str())
    }

    /// Takes what restricts a profile out, too, that is about to be no more in any layout.
    pub(crate) fn unmark(&mut self, name: &str) {
        self.marks.remove(name);
    }

    /// Takes a profile's Cloudflare side out, and the profile when nothing else is in it. What restricts it stays,
    /// as another layout may have it: see [`Edit::unmark`].
    pub(crate) fn remove(&mut self, name: &str) {
        let profiles = self.object("profiles");
        let left = profiles.get_mut(name).map(as_object).is_some_and(|providers| {
            providers.shift_remove("cloudflare");
            !providers.is_empty()
        });
        if !left {
            profiles.shift_remove(name);
        }
    }

    /// Gives a profile, with everything in it, another name at the same place.
    pub(crate) fn rename(&mut self, from: &str, to: &ProfileName) {
        self.marks.rename(from, to);
        let profiles = self.object("profiles");
        *profiles = std::mem::take(profiles)
            .into_iter()
            .map(|(name, value)| (if name == from { to.to_string() } else { name }, value))
            .collect();
    }

    /// Writes down the id that tells this folder's keyring items from another's.
    pub(crate) fn set_keyring_id(&mut self, id: &str) {
        self.document.insert("keyringId".to_owned(), id.into());
    }

    /// Writes the changed document beside the old one, where a full disk shows before anything else
    /// has changed. The lock stays held.
    ///
    /// The stores change next, then `config.json`. Interrupted between, a profile would have two credentials or none:
    /// so signals are held back from here until the caller has made or undone all of it, and drops what holds them.
    ///
    /// Fails when it cannot be written; the old one is still there then.
    pub(crate) fn prepare(self, _held_back: &HeldBack) -> Result<PreparedEdit<'_>> {
        let bytes = serde_json::to_vec_pretty(&self.document)
            .map_err(|error| Error::new(format!("cannot write config.json: {error}")))?;
        let Self { home, before: Config { marks: before, .. }, marks: after, messages, lock, .. } = self;
        let between = before.and(&after);
        let stricter = (between != before)
            .then(|| between.to_bytes().and_then(|bytes| atomic::prepare(&home.marks(), &bytes)))
            .transpose()?;
        let config = atomic::prepare(&home.config(), &bytes)?;
        let looser = (between != after).then_some(after);
        let path = home.marks();
        Ok(PreparedEdit { config, stricter, before, looser, path, messages, lock, held_back: PhantomData })
    }

    fn object(&mut self, name: &str) -> &mut Map<String, Value> {
        as_object(self.document.entry(name).or_insert(Value::Null))
    }
}

/// The changed document, on the disk beside the old one, still under the lock.
#[derive(Debug)]
pub(crate) struct PreparedEdit<'h> {
    config: Prepared,
    /// What restricts the profiles from before the change until after it: whatever does before or after.
    stricter: Option<Prepared>,
    /// What restricted them before.
    before: Marks,
    /// What restricts them after it, where that is less.
    looser: Option<Marks>,
    path: PathBuf,
    messages: Messages,
    lock: Lock,
    held_back: PhantomData<&'h HeldBack>,
}

impl PreparedEdit<'_> {
    /// Puts it in the old one's place. What restricts a profile no longer goes when that which this returns is
    /// dropped: after whatever it restricted.
    ///
    /// Fails when the file system refuses; nothing was changed then.
    pub(crate) fn commit(self) -> Result<MarksToLoosen> {
        let Self { config, stricter, before, looser, path, messages, lock, .. } = self;
        let to = |looser| MarksToLoosen { path, looser, messages, lock: Some(lock) };
        let is_stricter = stricter.is_some();
        if let Some(stricter) = stricter {
            stricter.commit()?.say(&messages);
        }
        match config.commit() {
            Ok(changed) => changed.say(&messages),
            Err(error) => {
                drop(to(is_stricter.then_some(before))); // as it was
                return Err(error);
            }
        }
        let mut marks = to(looser);
        if marks.looser.is_none() {
            marks.lock = None; // nothing more to do under it
        }
        Ok(marks)
    }
}

/// Takes away what restricts profiles no longer, under the lock of `config.json`, when it is dropped. Killed before
/// that, they are restricted still.
#[must_use = "dropped, it takes away what restricts a profile no longer"]
#[derive(Debug)]
pub(crate) struct MarksToLoosen {
    path: PathBuf,
    looser: Option<Marks>,
    messages: Messages,
    /// Held, and never asked.
    lock: Option<Lock>,
}

impl MarksToLoosen {
    /// Takes it away now.
    ///
    /// Fails when it cannot be taken away; the profile is restricted as before then.
    pub(crate) fn loosen(mut self) -> Result<()> {
        self.write().map_err(|error| Error::new(still_restricted(&error)).hint("do the same again"))
    }

    fn write(&mut self) -> Result<()> {
        let Some(marks) = self.looser.take() else { return Ok(()) };
        atomic::write(&self.path, &marks.to_bytes()?)?.say(&self.messages);
        Ok(())
    }
}

impl Drop for MarksToLoosen {
    fn drop(&mut self) {
        if let Err(error) = self.write() {
            let still = still_restricted(&error);
            self.messages.loss(&format!("{still}; to have it otherwise, do the same again"));
        }
    }
}

fn still_restricted(error: &Error) -> String {
    format!("a profile is still restricted as it was before ({error})")
}

/// The value as an object; anything else becomes an empty one. [`Config::load`] has refused a
/// document where something else than nothing would be lost by that.
fn as_object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("made an object just above"),
    }
}

fn metadata(before: Option<&Value>, account: &Account) -> Value {
    let mut fields = before.and_then(Value::as_object).cloned().unwrap_or_default();
    fields.insert("id".to_owned(), account.id.as_str().into());
    fields.insert("name".to_owned(), account.name.as_str().into());
    fields.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_line_and_column() {
        let table = [
            ("", "c is empty"),
            ("{\n  oops", "c is not valid JSON: key must be a string at line 2 column 3"),
            ("[]", "c has a wrong type"),
            (
                "{\"profiles\": {\"p\": {\"cloudflare\": {\"method\": 7}}}}",
                "c has a wrong type: invalid type: integer `7`, expected a string at line 1 column 46",
            ),
            ("{\"version\": 2, \"profiles\": []}", "c is of version 2, and this alchemy knows version 1"),
        ];
        for (text, expected) in table {
            let error = parse("c", text.as_bytes()).expect_err("refused").to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
