//! The rescue file: where a new credential waits that its store refused.
//!
//! A refresh token can be spent once, and a token's old value is dead when it is rolled, so what was issued
//! must be kept somewhere: 0600 in the home, or in the runtime folder when the home cannot be written. The
//! file says, by a digest, which secret it replaces: it is the newer one only as long as the store still has
//! that.

use std::path::PathBuf;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::credential::Document;
use crate::disk::atomic::{self, Bytes};
use crate::disk::home::Home;
use crate::disk::trusted::{self, Reading};
use crate::error::{Error, Kind, Result};
use crate::profile::ProfileName;
use crate::terminal::Messages;

/// A credential in a rescue file.
pub(crate) struct Rescued {
    /// The file.
    pub path: PathBuf,
    /// The credential.
    pub document: Document,
    /// The digest of the secret that it replaces.
    pub replaces: String,
    written: SystemTime,
}

/// What waits for a profile.
#[derive(Default)]
pub(crate) struct Waiting {
    /// Credentials.
    pub credentials: Vec<Rescued>,
    /// That one is about to come: see [`announce`].
    pub is_announced: bool,
}

#[derive(Deserialize)]
struct Replaces {
    replaces: String,
}

/// A file that holds no credential, but says that one is about to come.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Announcement {
    announced: bool,
    replaces: String,
}

fn is_announcement(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Announcement>(bytes).is_ok_and(|it| it.announced)
}

impl Rescued {
    /// What tells the newest.
    pub(crate) fn age(&self) -> (Option<Timestamp>, SystemTime) {
        let expires = match &self.document {
            Document::OAuth(grant) => Some(grant.expires),
            Document::ApiToken { .. } | Document::ApiKey { .. } => None,
        };
        (expires, self.written)
    }
}

/// All that wait for this profile, each as `open` decrypts it. One that holds no credential is of no use, and
/// passed over.
///
/// Fails when one that is there cannot be read or decrypted: it may hold the only credential that lives.
pub(crate) fn read(
    home: &Home,
    name: &ProfileName,
    open: impl Fn(&str, Bytes) -> Result<Bytes>,
) -> Result<Waiting> {
    let mut waiting = Waiting::default();
    // Also one that a killed process has written whole, and not put into its place: it says itself what it replaces.
    let paths = home.rescues(name).into_iter();
    for (path, is_left) in paths.flat_map(|path| [(atomic::left_successor(&path), true), (path, false)]) {
        if !path.exists() {
            continue;
        }
        let shown = path.display().to_string();
        let unread = |error: Error| {
            let why = format!("the newest credential of profile '{name}' may wait in {shown}: {error}");
            error.retold(Kind::Failed, why)
        };
        let Some(bytes) = trusted::read(home, &path, Reading::Rescue).map_err(unread)? else { continue };
        if is_announcement(&bytes) {
            waiting.is_announced = true;
            continue;
        }
        match open(&shown, bytes) {
            Ok(bytes) => waiting.credentials.extend(parse(path, &bytes)),
            // It was not written to its end.
            Err(error) if is_left && error.kind() == Kind::NoCredential => {}
            Err(error) => return Err(unread(error)),
        }
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
/// Fails when no place takes it; the reason of the last.
pub(crate) fn write(
    home: &Home,
    name: &ProfileName,
    document: &Document,
    replaces: &str,
    messages: Messages,
    seal: impl FnOnce(Bytes) -> Result<Bytes>,
) -> Result<PathBuf> {
    let mut document: Value =
        serde_json::from_slice(&document.to_bytes()).map_err(|error| Error::new(error.to_string()))?;
    document["replaces"] = replaces.into();
    let bytes = seal(Zeroizing::new(format!("{document:#}").into_bytes()))?;
    let mut failed = Error::new("there is no place for it");
    for path in home.rescues(name) {
        match atomic::reserve(&path, &bytes).and_then(atomic::Prepared::commit) {
            Ok(changed) => {
                changed.say(&messages);
                return Ok(path);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Says, where those look who read an API token, that this one may be dead in a moment, and that another is about
/// to come. That it cannot be said is no reason not to go on.
pub(crate) fn announce(home: &Home, name: &ProfileName, replaces: &str, messages: Messages) {
    let announcement = Announcement { announced: true, replaces: replaces.to_owned() };
    let Ok(bytes) = serde_json::to_vec(&announcement) else { return };
    if let Some(written) = home.rescues(name).iter().find_map(|path| atomic::write(path, &bytes).ok()) {
        written.say(&messages);
    }
}

/// The rescue files of a profile that are there, and hold a credential.
pub(crate) fn waiting(home: &Home, name: &ProfileName) -> Vec<PathBuf> {
    let holds_none = |path: &PathBuf| {
        let read = trusted::read(home, path, Reading::Rescue);
        matches!(read, Ok(Some(bytes)) if is_announcement(&bytes))
    };
    home.rescues(name).into_iter().filter(|path| path.exists() && !holds_none(path)).collect()
}

/// Removes what waits for this profile, when it is home or over. What stays is said: it holds a secret, and is only found
/// to be over the next time.
pub(crate) fn remove(home: &Home, name: &ProfileName, messages: &Messages) {
    for path in home.rescues(name) {
        match atomic::remove(&path) {
            Ok(changed) => changed.say(messages),
            Err(error) => messages.loss(&format!("an old credential of '{name}' stays: {error}")),
        }
    }
}
