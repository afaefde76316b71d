//! The store `npm`: documents of version 2 of the npm package, used where they are.
//!
//! `profiles/<profile>/cloudflare.json` holds metadata and secret together
//! (`facts/alchemy-npm.md` §3.2). A folder without that document is no profile of ours.

use jiff::Timestamp;
use serde::Deserialize;

use super::atomic::{self, Bytes};
use super::credential::Document;
use super::home::Home;
use crate::error::{Error, Result};
use crate::profile::{Account, AccountId, Profile, ProfileName, StoreKind};
use crate::secret::Secret;

#[derive(Deserialize)]
struct Envelope {
    format: String,
    values: Values,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Values {
    account_id: Option<String>,
    api_token: Option<Secret>,
    api_key: Option<Secret>,
    email: Option<String>,
    access: Option<Secret>,
    expires: Option<i64>,
}

/// The names of version 2's profiles that have a Cloudflare document, sorted.
///
/// # Errors
/// When the folder exists and cannot be listed.
pub fn names(home: &Home) -> Result<Vec<ProfileName>> {
    let folder = home.npm_profiles();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("list", &folder, &error)),
    };
    let mut names: Vec<_> = entries
        .flatten()
        .filter_map(|entry| ProfileName::parse(entry.file_name().to_str()?).ok())
        .filter(|name| home.npm_document(name).is_file())
        .collect();
    names.sort();
    Ok(names)
}

/// A profile of version 2 with its credential. `None` when there is no such document.
///
/// # Errors
/// When the document cannot be read, is none of version 2's, or is not complete.
pub fn read(home: &Home, name: &ProfileName) -> Result<Option<(Profile, Document)>> {
    let path = home.npm_document(name);
    atomic::read_settled(&path, atomic::read, |bytes: &Bytes| parse(bytes, name, &path.display().to_string()))
}

fn parse(bytes: &[u8], name: &ProfileName, origin: &str) -> Result<(Profile, Document)> {
    let again = format!("sign in again with npm's own: npx alchemy profile refresh --profile {name}");
    // The parser's words would quote what it found, which may be the secret.
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| {
        Error::new(format!(
            "{origin} is not a profile of npm alchemy 2 (line {}, column {})",
            error.line(),
            error.column()
        ))
        .hint(again.clone())
    })?;
    if envelope.format != "alchemy.profile/v1" {
        return Err(Error::new(format!("{origin} is of an unknown format"))
            .hint("use a newer alchemy; this one leaves the file alone"));
    }
    let values = envelope.values;
    let incomplete = || Error::new(format!("{origin} is not complete")).hint(again.clone());
    let id = values.account_id.as_deref().and_then(AccountId::parse).ok_or_else(incomplete)?;
    let document = match values {
        Values { api_token: Some(token), .. } => Document::ApiToken { token },
        Values { api_key: Some(key), email: Some(email), .. } => Document::ApiKey { key, email },
        Values { access: Some(access), expires: Some(expires), .. } => Document::OAuth {
            access,
            expires: Timestamp::from_millisecond(expires).map_err(|_| incomplete())?,
        },
        _ => return Err(incomplete()),
    };
    let profile = Profile {
        name: name.clone(),
        method: document.method(),
        account: Account { id, name: String::new() },
        store: StoreKind::Npm,
        endpoint: None,
        token: None,
        also: Vec::new(),
    };
    Ok((profile, document))
}
