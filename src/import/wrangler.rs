//! Wrangler's profiles and directory bindings (`facts/wrangler-cloudflare.md` §1.4, §1.9).
//!
//! `config/<profile>.toml` holds a grant of wrangler's own client; `<profile>.enc` holds the same, encrypted
//! with a key in the keyring. A grant is not copied: what is taken of it are its scopes, and, while its
//! access token lives, the accounts that Cloudflare shows it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::sealed::{Opened, open_envelope};
use super::{Found, FoundBinding, Source, What, nothing_at, read};
use crate::disk::document::position;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The service under which wrangler keeps its keys in the keyring, the account being the profile.
pub(crate) const SERVICE: &str = "wrangler";

/// Where wrangler keeps what it knows (`getGlobalConfigPath`); its own variable for that does not exist.
pub(crate) fn folder(user_home: &Path, xdg_config_home: Option<&Path>) -> PathBuf {
    let legacy = user_home.join(".wrangler");
    if legacy.is_dir() {
        return legacy;
    }
    let usual = if cfg!(target_os = "macos") { "Library/Preferences" } else { ".config" };
    xdg_config_home.map_or_else(|| user_home.join(usual), Path::to_owned).join(".wrangler")
}

/// What wrangler has. `key` looks a profile's key up in the keyring; it says why it cannot.
///
/// Fails when there is nothing of wrangler's, or it cannot be listed.
pub(crate) fn find(
    folder: &Path,
    now: Timestamp,
    key: &dyn Fn(&str) -> Result<Option<Opened>, String>,
) -> Result<Source> {
    let config = folder.join("config");
    let mut source = Source::default();
    for name in names(&config)? {
        source.found.push(if name == "staging" {
            let why = "it is for Cloudflare's staging environment".to_owned();
            Found { name, what: What::Unusable(why), account: None, notes: Vec::new() }
        } else {
            profile(&config, name, now, key)
        });
    }
    if source.found.is_empty() {
        let hint = "sign in there first (wrangler login), or make a profile here: alchemy configure";
        return Err(nothing_at("wrangler", &config, hint));
    }
    for folder in [folder, &config] {
        let temporary = folder.join("wrangler-temporary-account.toml");
        if temporary.exists() {
            source.notes.push(format!("{} is passed over: that account is temporary", temporary.display()));
        }
    }
    match bindings(folder) {
        Ok(bindings) => source.bindings = bindings,
        Err(why) => source.notes.push(why),
    }
    Ok(source)
}

/// The names of the profiles, sorted.
fn names(config: &Path) -> Result<BTreeSet<String>> {
    let entries = match fs::read_dir(config) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(Error::io("list", config, &error)),
    };
    let name = |path: PathBuf| {
        let ending = path.extension()?.to_str()?;
        let name = path.file_stem()?.to_str()?;
        let is_profile = matches!(ending, "toml" | "enc") && name != "wrangler-temporary-account";
        is_profile.then(|| name.to_owned())
    };
    Ok(entries.flatten().filter_map(|entry| name(entry.path())).collect())
}

fn profile(
    config: &Path,
    name: String,
    now: Timestamp,
    key: &dyn Fn(&str) -> Result<Option<Opened>, String>,
) -> Found {
    let (encrypted, plain) = (config.join(format!("{name}.enc")), config.join(format!("{name}.toml")));
    let mut notes = Vec::new();
    let what = match decrypted(&encrypted, &name, key) {
        Ok(Some(text)) => grant(&text, &encrypted, now),
        // Wrangler takes the other file then.
        Ok(None) => match read(&plain) {
            Ok(Some(text)) => grant(&text, &plain, now),
            Ok(None) => What::Unusable("it was removed just now".to_owned()),
            Err(why) => What::Unusable(format!("{} {why}", plain.display())),
        },
        // That it is a sign-in is known all the same.
        Err(why) => {
            notes.push(format!("{} {why}, so its scopes are not known", encrypted.display()));
            What::Grant { scopes: Vec::new(), access: None }
        }
    };
    Found { name, what, account: None, notes }
}

/// An encrypted file, opened; `None` where there is none.
fn decrypted(
    path: &Path,
    name: &str,
    key: &dyn Fn(&str) -> Result<Option<Opened>, String>,
) -> Result<Option<Opened>, String> {
    let Some(envelope) = read(path)? else { return Ok(None) };
    let key = key(name).map_err(|why| format!("cannot be decrypted ({why})"))?;
    let key = key.ok_or("cannot be decrypted (its key is not in the keyring)")?;
    Ok(Some(open_envelope(&envelope, &key)?))
}

/// What a file of wrangler's holds.
fn grant(bytes: &[u8], path: &Path, now: Timestamp) -> What {
    let wrong = |at: usize| {
        let (line, column) = position(bytes, at);
        // The parser's words could quote a token.
        What::Unusable(format!("{} is not TOML (line {line}, column {column})", path.display()))
    };
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return wrong(error.valid_up_to()),
    };
    let table = match DeTable::parse(text) {
        Ok(table) => table.into_inner(),
        Err(error) => return wrong(error.span().map_or(0, |span| span.start)),
    };
    let text = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
    let secret = |key: &str| text(key).filter(|text| !text.is_empty());
    // Of wrangler 1, which wrangler still reads.
    if let Some(token) = secret("api_token") {
        return What::pasted(token, What::Token);
    }
    if let (Some(key), Some(email)) = (secret("api_key"), secret("email")) {
        return What::pasted(key, |key| What::Key { key, email: email.to_owned() });
    }
    if secret("oauth_token").is_none() && secret("refresh_token").is_none() {
        return What::Unusable(format!("{} holds no credential", path.display()));
    }
    let lives = text("expiration_time")
        .and_then(|at| at.parse::<Timestamp>().ok())
        .is_some_and(|expires| expires > now);
    let scopes = match table.get("scopes").map(toml::Spanned::get_ref) {
        Some(DeValue::Array(scopes)) => {
            scopes.iter().filter_map(|scope| scope.get_ref().as_str()).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    let access = secret("oauth_token").filter(|_| lives).map(|token| Secret::from(token.to_owned()));
    What::Grant { scopes, access }
}

fn bindings(folder: &Path) -> Result<Vec<FoundBinding>, String> {
    let path = folder.join("profiles/directory-bindings.json");
    let told = |why: &str| format!("the directory bindings are passed over: {} {why}", path.display());
    let Some(bytes) = read(&path).map_err(|why| told(&why))? else { return Ok(Vec::new()) };
    let bindings: Value = serde_json::from_slice(&bytes)
        .map_err(|error| told(&format!("is not JSON (line {}, column {})", error.line(), error.column())))?;
    let bindings = bindings.as_object().ok_or_else(|| told("is not what wrangler writes"))?;
    let binding = |(directory, name): (&String, &Value)| {
        Some(FoundBinding { directory: directory.into(), name: name.as_str()?.to_owned() })
    };
    Ok(bindings.iter().filter_map(binding).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_grant_a_token_of_wrangler_1_or_nothing() {
        let now = "2026-01-01T00:00:00Z".parse().expect("a time");
        let of = |text: &str| grant(text.as_bytes(), Path::new("f"), now);
        let tokens = "oauth_token = 'hunter2'\nrefresh_token = 'hunter2'\n";
        for (expires, lives) in
            [("2025-12-31T00:00:00Z", false), ("2026-01-02T00:00:00.000Z", true), ("x", false)]
        {
            let text = format!("{tokens}expiration_time = '{expires}'\nscopes = ['a:read', 7]\n");
            let What::Grant { scopes, access } = of(&text) else { panic!("{text}") };
            assert_eq!((scopes, access.is_some()), (vec!["a:read".to_owned()], lives), "{expires}");
        }
        assert!(matches!(of(tokens), What::Grant { scopes, access: None } if scopes.is_empty()));
        assert!(matches!(of("api_token = 'hunter2'"), What::Token(token) if token.expose() == "hunter2"));
        assert!(matches!(of("api_key = 'hunter2'\nemail = 'a@b.c'"), What::Key { .. }));
        for (text, why) in [
            ("", "f holds no credential"),
            ("oauth_token = ''", "f holds no credential"),
            ("a = 1\n  oauth_token = hunter2", "f is not TOML (line 2, column 17)"),
        ] {
            assert!(matches!(of(text), What::Unusable(said) if said == why), "{text}: {:?}", of(text));
        }
    }
}
