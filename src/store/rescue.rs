//! The rescue file: where a new credential waits that its store refused.
//!
//! A refresh token can be spent once, and a token's old value is dead when it is rolled, so what was issued
//! must be kept somewhere: 0600 in the home, or in the runtime folder when the home cannot be written. The
//! file says, by a digest, which secret it replaces: it is the newer one only as long as the store still has
//! that.

use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::atomic::{self, Bytes};
use super::credential::Document;
use super::home::Home;
use crate::error::{Error, Kind, Result};
use crate::profile::ProfileName;

/// A credential in a rescue file.
pub struct Rescued {
    /// The file.
    pub path: PathBuf,
    /// The credential.
    pub document: Document,
    /// The digest of the secret that it replaces.
    pub replaces: String,
    written: SystemTime,
}

#[derive(Deserialize)]
struct Replaces {
    replaces: String,
}

impl Rescued {
    /// What tells the newest.
    #[must_use]
    pub fn age(&self) -> (Option<Timestamp>, SystemTime) {
        let expires = match &self.document {
            Document::OAuth(grant) => Some(grant.expires),
            Document::ApiToken { .. } | Document::ApiKey { .. } => None,
        };
        (expires, self.written)
    }
}

/// Whether something may wait for this profile: a question that costs no more than a look.
#[must_use]
pub fn any(home: &Home, name: &ProfileName) -> bool {
    home.rescues(name).iter().any(|path| path.exists())
}

/// All that wait for this profile, each as `open` decrypts it. One that holds no credential is of no use, and
/// passed over.
///
/// # Errors
/// When one that is there cannot be read or decrypted: it may hold the only credential that lives.
pub fn read(
    home: &Home,
    name: &ProfileName,
    open: impl Fn(&str, Bytes) -> Result<Bytes>,
) -> Result<Vec<Rescued>> {
    let mut waiting = Vec::new();
    for path in home.rescues(name).into_iter().filter(|path| path.exists()) {
        let shown = path.display().to_string();
        let unread = |error: Error| {
            let why = format!("the newest credential of profile '{name}' may wait in {shown}: {error}");
            error.retold(Kind::Failed, why)
        };
        let Some(found) = atomic::read_secret(&path).map_err(unread)? else { continue };
        let bytes = open(&shown, found.bytes).map_err(unread)?;
        waiting.extend(parse(path, &bytes));
    }
    Ok(waiting)
}

fn parse(path: PathBuf, bytes: &Bytes) -> Option<Rescued> {
    let Replaces { replaces } = serde_json::from_slice(bytes).ok()?;
    let written = std::fs::metadata(&path).ok()?.modified().ok()?;
    let document = Document::parse(bytes, "the rescue file").ok()?;
    Some(Rescued { path, document, replaces, written })
}

/// Keeps a credential, as `seal` encrypts it; where it is now.
///
/// # Errors
/// When no place takes it; the reason of the last.
pub fn write(
    home: &Home,
    name: &ProfileName,
    document: &Document,
    replaces: &str,
    seal: impl FnOnce(Bytes) -> Result<Bytes>,
) -> Result<PathBuf> {
    let mut document: Value =
        serde_json::from_slice(&document.to_bytes()).map_err(|error| Error::new(error.to_string()))?;
    document["replaces"] = replaces.into();
    let bytes = seal(Zeroizing::new(format!("{document:#}").into_bytes()))?;
    let mut failed = Error::new("there is no place for it");
    for path in home.rescues(name) {
        match atomic::write(&path, &bytes) {
            Ok(()) => return Ok(path),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Removes what waits for this profile, when it is home or over.
pub fn remove(home: &Home, name: &ProfileName) {
    for path in home.rescues(name) {
        // One that stays is found to be over the next time.
        let _ = atomic::remove(&path);
    }
}
