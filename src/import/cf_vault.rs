//! What cf-vault has (v0.0.22, `facts/wrangler-cloudflare.md` §5): profiles in a TOML file, each with its
//! secret in a keyring of `99designs/keyring` v1.1.6, as an item `<profile>-<auth_type>`.
//!
//! Read are its Secret Service items and its encrypted files. Its other backends (pass, `KWallet`, a keychain
//! of its own on macOS) are out of reach: cf-vault itself gives those secrets out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::sealed::{Opened, open_jwe};
use super::{Found, Source, What, nothing_at, read};
use crate::disk::document::position;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::shell;

/// The attribute by which the library finds an item of the Secret Service (`go-libsecret`).
pub(crate) const ATTRIBUTE: &str = "profile";
/// The collection that cf-vault keeps its items in (`LibSecretCollectionName`).
pub(crate) const COLLECTION: &str = "cfvault";

/// Where its files are.
#[derive(Debug)]
pub(crate) struct Places {
    /// `config.toml`.
    pub config: PathBuf,
    /// The folder of the encrypted files.
    pub keys: PathBuf,
}

/// How its secrets are reached.
pub(crate) struct Access<'a> {
    /// `CF_VAULT_BACKEND`: the one backend to use.
    pub backend: Option<&'a str>,
    /// An item of the Secret Service; says why it cannot be had.
    pub item: &'a dyn Fn(&str) -> Result<Option<Opened>, String>,
    /// The passphrase of the encrypted files; says why it cannot be had.
    pub passphrase: &'a dyn Fn() -> Result<Secret, String>,
}

/// An item, as the library keeps it in either place.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    data: Secret,
}

/// What the file says of a profile.
struct Entry {
    email: String,
    auth_type: String,
    notes: Vec<String>,
}

/// The places by the variables that cf-vault knows. It takes the old ones only where a variable is not set;
/// whoever has set it since still has their profiles there.
pub(crate) fn places(user_home: &Path, config_home: Option<&Path>, data_home: Option<&Path>) -> Places {
    let legacy = user_home.join(".cf-vault");
    let first = |folder: Option<&Path>, below: &str| {
        let new = folder.map(|folder| folder.join("cf-vault").join(below));
        let old = legacy.join(below);
        match new {
            Some(new) if new.exists() || !old.exists() => new,
            _ => old,
        }
    };
    Places { config: first(config_home, "config.toml"), keys: first(data_home, "keys") }
}

/// What cf-vault has.
///
/// Fails when there is no configuration of its, or that cannot be understood.
pub(crate) fn find(places: &Places, access: &Access) -> Result<Source> {
    let path = &places.config;
    let wrong = |why: &str| Error::new(format!("{} {why}", path.display())).hint("mend it, and try again");
    let Some(bytes) = read(path).map_err(|why| wrong(&why))? else {
        let hint = "if it is elsewhere, set XDG_CONFIG_HOME and XDG_DATA_HOME as cf-vault has them";
        return Err(nothing_at("cf-vault", path, hint));
    };
    let at = |at: usize| {
        let (line, column) = position(&bytes, at);
        wrong(&format!("is not TOML (line {line}, column {column})"))
    };
    let text = str::from_utf8(&bytes).map_err(|error| at(error.valid_up_to()))?;
    let table = DeTable::parse(text).map_err(|error| at(error.span().map_or(0, |span| span.start)))?;
    let mut source = Source::default();
    for (name, entry) in entries(table.get_ref()) {
        let what = secret(places, access, &name, &entry);
        source.found.push(Found { name, what, account: None, notes: entry.notes });
    }
    if source.found.is_empty() {
        source.notes.push(format!("{} has no profiles", path.display()));
    }
    Ok(source)
}

fn entries(table: &DeTable) -> BTreeMap<String, Entry> {
    let Some(DeValue::Table(profiles)) = table.get("profiles").map(toml::Spanned::get_ref) else {
        return BTreeMap::new();
    };
    let entry = |profile: &DeValue| {
        let text = |key: &str| {
            profile.get(key).and_then(|value| value.get_ref().as_str()).unwrap_or_default().to_owned()
        };
        let mut notes = Vec::new();
        let duration = text("session_duration");
        if !duration.is_empty() {
            notes.push(format!("its session_duration ({duration}) is not taken over: its own token is used"));
        }
        if profile.get("policies").is_some() {
            notes.push("its policies are not taken over: they are for tokens that cf-vault makes".to_owned());
        }
        Entry { email: text("email"), auth_type: text("auth_type"), notes }
    };
    profiles.iter().map(|(name, profile)| (name.get_ref().to_string(), entry(profile.get_ref()))).collect()
}

fn secret(places: &Places, access: &Access, name: &str, entry: &Entry) -> What {
    let variable = match entry.auth_type.as_str() {
        "api_token" => "CLOUDFLARE_API_TOKEN",
        "api_key" => "CLOUDFLARE_API_KEY",
        _ => return What::Unusable("its auth_type is neither api_token nor api_key".to_owned()),
    };
    let bytes = match item(places, access, &format!("{name}-{}", entry.auth_type)) {
        Ok(bytes) => bytes,
        Err(why) => {
            let flags = if entry.auth_type == "api_key" {
                format!("--key-stdin --email {}", shell::word(&entry.email))
            } else {
                "--token-stdin".to_owned()
            };
            let word = shell::word(name);
            return What::Unusable(format!(
                "{why}; let cf-vault give it out: cf-vault exec {word} -- printenv {variable} | \
                 alchemy configure -p {word} {flags}"
            ));
        }
    };
    let data = serde_json::from_slice::<Item>(&bytes)
        .ok()
        .and_then(|item| STANDARD.decode(item.data.expose()).map(Zeroizing::new).ok())
        .and_then(|data| str::from_utf8(&data).map(|text| Zeroizing::new(text.to_owned())).ok());
    match (data, entry.auth_type.as_str()) {
        (None, _) => What::Unusable("its secret is not what cf-vault keeps".to_owned()),
        (Some(data), "api_key") => What::pasted(&data, |key| What::Key { key, email: entry.email.clone() }),
        (Some(data), _) => What::pasted(&data, What::Token),
    }
}

/// The item of that name; why there is none. In the library's order: the keyring, then the files.
fn item(places: &Places, access: &Access, key: &str) -> Result<Opened, String> {
    let (asks_keyring, asks_files) = match access.backend {
        None => (true, true),
        Some("secret-service") => (true, false),
        Some("file") => (false, true),
        Some(other) => return Err(format!("its secret is kept by {other}, which cannot be read here")),
    };
    let mut why = Vec::new();
    if asks_keyring {
        match (access.item)(key) {
            Ok(Some(item)) => return Ok(item),
            Ok(None) => why.push("its secret is not in the keyring".to_owned()),
            Err(error) => why.push(error),
        }
    }
    if asks_files {
        // As the library writes a name (`percent.Encode` with `/`).
        let file = places.keys.join(key.replace('%', "%25").replace('/', "%2F"));
        match read(&file) {
            Ok(Some(text)) => {
                let passphrase = (access.passphrase)()?;
                let text = String::from_utf8_lossy(&text);
                return open_jwe(&text, passphrase.expose())
                    .map_err(|error| format!("{} {error}", file.display()));
            }
            Ok(None) => why.push(format!("there is no {}", file.display())),
            Err(error) => why.push(format!("{} {error}", file.display())),
        }
    }
    Err(why.join(", and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[profiles.prod]\nemail = 'a@b.c'\nauth_type = 'api_token'\n\
        session_duration = '15m'\n[[profiles.prod.policies]]\neffect = 'allow'\n\
        [profiles.'my key']\nemail = 'a@b.c'\nauth_type = 'api_key'\n[profiles.odd]\nauth_type = 'x'\n";

    #[test]
    fn a_profile_is_found_with_its_secret_and_what_is_not_taken_over_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("config.toml");
        std::fs::write(&config, CONFIG).expect("written");
        let places = Places { config, keys: folder.path().join("keys") };
        // "hunter2" in base64.
        let item = |key: &str| {
            let known = key == "prod-api_token";
            Ok(known.then(|| Opened::new(br#"{"Key":"prod-api_token","Data":"aHVudGVyMg=="}"#.to_vec())))
        };
        let passphrase = || Err("nobody asks".to_owned());
        let access = |backend| Access { backend, item: &item, passphrase: &passphrase };
        let source = find(&places, &access(None)).expect("found");
        let names: Vec<&str> = source.found.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["my key", "odd", "prod"]);
        let [key, odd, prod] = &source.found[..] else { panic!("three") };
        assert!(matches!(&prod.what, What::Token(token) if token.expose() == "hunter2"));
        assert_eq!(prod.notes.len(), 2, "{:?}", prod.notes);
        let What::Unusable(why) = &key.what else { panic!("{:?}", key.what) };
        assert!(why.contains("not in the keyring, and there is no") && why.contains("--key-stdin"), "{why}");
        assert!(matches!(&odd.what, What::Unusable(why) if why.contains("auth_type")));
        let source = find(&places, &access(Some("pass"))).expect("found");
        let What::Unusable(why) = &source.found[2].what else { panic!("a token") };
        assert!(why.contains("kept by pass"), "{why}");
    }
}
