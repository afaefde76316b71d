//! The store `npm`: documents of version 2 of the npm package, used where they are.
//!
//! `profiles/<profile>/cloudflare.json` holds metadata and secret together
//! (`facts/alchemy-npm.md` §3.2). A folder without that document is no profile of ours. A change is made
//! on the JSON as it is: version 2 moves away what it cannot read.

use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::credential::{Document, Grant, expiry, refresh_token};
use crate::disk::atomic::{self, Bytes};
use crate::disk::home::Home;
use crate::disk::obstacle;
use crate::disk::trusted::{self, Reading};
use crate::error::{Error, Result};
use crate::oauth::client::{Client, Preset};
use crate::profile::{Account, AccountId, Profile, ProfileName, SignIn, StoreKind};
use crate::secret::Secret;

/// The format of version 2's documents.
const FORMAT: &str = "alchemy.profile/v1";
/// What to do about a profile that cannot be version 2's.
const STAY: &str = "leave it where it is: npm can use it all the same, through alchemy exec";

#[derive(Deserialize)]
struct Envelope {
    format: String,
    #[serde(default)]
    metadata: Value,
    values: Values,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Values {
    method: Option<String>,
    account_id: Option<String>,
    api_token: Option<Secret>,
    api_key: Option<Secret>,
    email: Option<String>,
    access: Option<Secret>,
    refresh: Option<String>,
    expires: Option<Value>,
    #[serde(default)]
    scopes: Vec<String>,
    client_id: Option<String>,
}

/// The names of version 2's profiles that have a Cloudflare document, sorted.
///
/// Fails when the folder exists and cannot be listed.
pub(super) fn names(home: &Home) -> Result<Vec<ProfileName>> {
    let folder = home.npm_profiles();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(obstacle::failed("list", &folder, &error)),
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
/// Fails when the document cannot be read, is none of version 2's, or is not complete.
pub(super) fn read(home: &Home, name: &ProfileName) -> Result<Option<(Profile, Document)>> {
    let path = home.npm_document(name);
    let read = |path: &Path| trusted::read(home, path, Reading::Secret { waits: false });
    atomic::read_settled(&path, read, |bytes: &Bytes| parse(bytes, name, &path.display().to_string()))
}

/// The document with another credential of its kind in it. The caller holds version 2's locks.
///
/// Fails when the document is gone, or is none of version 2's (any more).
pub(super) fn with(home: &Home, name: &ProfileName, credential: &Document) -> Result<Bytes> {
    let path = home.npm_document(name);
    let gone =
        || Error::new(format!("{} is gone", path.display())).hint(by_npm(name, "edit", " --add Cloudflare"));
    let bytes = trusted::read(home, &path, Reading::Secret { waits: false })?.ok_or_else(gone)?;
    parse(&bytes, name, &path.display().to_string())?;
    let mut document: Value = serde_json::from_slice(&bytes).map_err(|_| gone())?;
    let values = &mut document["values"];
    match credential {
        Document::ApiToken { token } => values["apiToken"] = token.expose().into(),
        Document::ApiKey { key, email } => {
            values["apiKey"] = key.expose().into();
            values["email"] = email.as_str().into();
        }
        Document::OAuth(grant) => {
            values["access"] = grant.access.expose().into();
            if let Some(refresh) = &grant.refresh {
                values["refresh"] = refresh.expose().into();
            }
            values["expires"] = grant.expires.as_millisecond().into();
            values["scopes"] = json!(grant.scopes);
        }
    }
    Ok(Zeroizing::new(format!("{document:#}").into_bytes()))
}

/// The document of a profile that version 2 does not have yet. The account's name, for which it has no field,
/// goes into its `metadata`, which version 2 keeps as it is.
pub(super) fn new(profile: &Profile, credential: &Document) -> Bytes {
    let account = profile.account.id.as_str();
    let values = match credential {
        Document::ApiToken { token } => json!({
            "method": "stored", "credentialType": "apiToken", "apiToken": token.expose(), "accountId": account,
        }),
        Document::ApiKey { key, email } => json!({
            "method": "stored", "credentialType": "apiKey", "apiKey": key.expose(), "email": email,
            "accountId": account,
        }),
        Document::OAuth(grant) => json!({
            "method": "oauth", "scopes": grant.scopes, "accountId": account, "clientId": grant.client_id(),
            "access": grant.access.expose(),
            "refresh": grant.refresh.as_ref().map(Secret::expose).unwrap_or_default(),
            "expires": grant.expires.as_millisecond(),
        }),
    };
    let metadata = match profile.account.name.as_str() {
        "" => json!({}),
        name => json!({ "accountName": name }),
    };
    let document =
        json!({ "format": FORMAT, "provider": "Cloudflare", "metadata": metadata, "values": values });
    Zeroizing::new(format!("{document:#}").into_bytes())
}

/// Whether version 2's document can say all that matters of a profile.
///
/// What it cannot say, and how to do without.
pub(super) fn can_hold(profile: &Profile) -> Result<()> {
    let name = &profile.name;
    let refused = |what: &str, hint: String| {
        Err(Error::new(format!("profile '{name}' cannot be kept by npm alchemy 2: {what}")).hint(hint))
    };
    let set = |flag: &str| format!("do without it first: alchemy profile set {name} {flag}");
    match profile {
        Profile { confirm: true, .. } => {
            refused("it would no longer ask before its secret leaves", set("--no-confirm"))
        }
        Profile { also, .. } if !also.is_empty() => {
            refused("it would no longer repeat its token under further names", set("--no-also"))
        }
        Profile { endpoint: Some(endpoint), .. } => refused(
            &format!("npm knows no api but cloudflare's, and this one is for {endpoint}"),
            STAY.into(),
        ),
        Profile { sign_in: Some(sign_in), .. } if !sign_in.client.is_v2() => {
            refused("npm goes on with no grant but one of its own client", STAY.into())
        }
        _ => Ok(()),
    }
}

/// The hint that names version 2's own command for a profile.
fn by_npm(name: &ProfileName, command: &str, more: &str) -> String {
    format!("with npm's own command: npx alchemy profile {command} --profile {name}{more}")
}

/// A document of version 2's, as a profile with its credential.
///
/// Fails when it is none of version 2's, or is not complete.
pub(super) fn parse(bytes: &[u8], name: &ProfileName, origin: &str) -> Result<(Profile, Document)> {
    // The parser's words would quote what it found, which may be the secret.
    let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| {
        Error::new(format!(
            "{origin} is not a profile of npm alchemy 2 (line {}, column {})",
            error.line(),
            error.column()
        ))
        // It moves such a document away by itself.
        .hint(by_npm(name, "edit", " --add Cloudflare"))
    })?;
    if envelope.format != FORMAT {
        return Err(Error::new(format!("{origin} is of an unknown format"))
            .hint("use a newer alchemy; this one leaves the file alone"));
    }
    let Envelope { metadata, values, .. } = envelope;
    // Its migration leaves documents that say little more than that there was something.
    let mend = if values.method.as_deref() == Some("oauth") {
        by_npm(name, "refresh", "")
    } else {
        by_npm(name, "edit", " --reconfigure Cloudflare")
    };
    let incomplete = || Error::new(format!("{origin} is not complete")).hint(mend.clone());
    let id = values.account_id.as_deref().and_then(AccountId::parse).ok_or_else(incomplete)?;
    let own = Preset::Alchemy.client_id();
    let mut sign_in = None;
    let document = match values {
        // By its method: a document may hold the fields of another that it had before.
        Values { access: Some(access), method: Some(method), .. } if method == "oauth" => {
            let client_id = values.client_id.unwrap_or_else(|| own.to_owned());
            let client = Client::new(client_id.clone());
            sign_in = Some(SignIn { client, scopes: values.scopes.clone(), asked: None });
            Document::OAuth(Grant {
                access,
                refresh: refresh_token(values.refresh),
                expires: expiry(values.expires.as_ref()),
                scopes: values.scopes,
                client_id: Some(client_id),
            })
        }
        Values { api_token: Some(token), .. } => Document::ApiToken { token },
        Values { api_key: Some(key), email: Some(email), .. } => Document::ApiKey { key, email },
        _ => return Err(incomplete()),
    };
    let account = Account { id, name: metadata["accountName"].as_str().unwrap_or_default().to_owned() };
    let profile = Profile {
        name: name.clone(),
        method: document.method(),
        account,
        store: StoreKind::Npm,
        endpoint: None,
        token: None,
        sign_in,
        also: Vec::new(),
        confirm: false,
    };
    Ok((profile, document))
}
