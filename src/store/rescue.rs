//! The rescue file: where a new pair of tokens waits that its store refused.
//!
//! A refresh token can be spent once, so a pair that was issued must be kept somewhere: 0600 in the home,
//! or in the runtime folder when the home cannot be written. The file says, by a digest, which refresh
//! token the pair replaces: it is the newer one only as long as the store still has that.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::atomic::{self, Bytes};
use super::credential::{Document, Grant};
use super::home::Home;
use crate::digest::sha256_hex;
use crate::error::{Error, Result};
use crate::profile::ProfileName;
use crate::secret::Secret;

/// A pair of tokens in a rescue file.
pub struct Rescued {
    /// The file.
    pub path: PathBuf,
    /// The pair.
    pub grant: Grant,
    /// The digest of the refresh token that it replaces.
    pub replaces: String,
}

#[derive(Deserialize)]
struct Replaces {
    replaces: String,
}

/// What of a refresh token may be written down: its SHA-256 in hex; empty where there is none.
#[must_use]
pub fn digest(refresh: Option<&Secret>) -> String {
    refresh.map(|token| sha256_hex(token.expose())).unwrap_or_default()
}

/// All that wait for this profile, each as `open` decrypts it. One that cannot be read is of no use, and passed
/// over.
#[must_use]
pub fn read(home: &Home, name: &ProfileName, open: impl Fn(Bytes) -> Option<Bytes>) -> Vec<Rescued> {
    let parse = |path: PathBuf| {
        let bytes = open(atomic::read_secret(&path).ok()??.bytes)?;
        let Replaces { replaces } = serde_json::from_slice(&bytes).ok()?;
        match Document::parse(&bytes, "the rescue file") {
            Ok(Document::OAuth(grant)) => Some(Rescued { path, grant, replaces }),
            _ => None,
        }
    };
    home.rescues(name).into_iter().filter_map(parse).collect()
}

/// Keeps a pair, as `seal` encrypts it; where it is now.
///
/// # Errors
/// When no place takes it; the reason of the last.
pub fn write(
    home: &Home,
    name: &ProfileName,
    grant: &Grant,
    replaces: &str,
    seal: impl FnOnce(Bytes) -> Result<Bytes>,
) -> Result<PathBuf> {
    let document = Document::OAuth(grant.clone()).to_bytes();
    let mut document: Value =
        serde_json::from_slice(&document).map_err(|error| Error::new(error.to_string()))?;
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
