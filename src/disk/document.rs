//! Our documents as text: where they are wrong, and for JSON, of which version they are.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Error, Result};

/// What to do about a document that cannot be understood.
pub(crate) const BY_HAND: &str = "mend it by hand, or move it away to start anew; alchemy does not change it";

/// The document in `bytes`, read from `origin`; `newest` is the last version of it that we know.
///
/// Fails when it is empty, not JSON, of another shape (with line and column), or newer than we know.
pub(crate) fn parse<T: DeserializeOwned>(
    origin: &str,
    bytes: &[u8],
    newest: u64,
    version: impl Fn(&T) -> Option<u64>,
) -> Result<T> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::new(format!("{origin} is empty")).hint(BY_HAND));
    }
    let newer = |version: u64| {
        Error::new(format!("{origin} is of version {version}, and this alchemy knows version {newest}"))
            .hint("use a newer alchemy; this one leaves the file alone")
    };
    match serde_json::from_slice::<T>(bytes) {
        Ok(document) => match version(&document) {
            Some(version) if version > newest => Err(newer(version)),
            _ => Ok(document),
        },
        Err(error) => {
            // A newer schema may have other shapes, and its version is the better answer.
            let version = serde_json::from_slice::<Value>(bytes).ok().and_then(|v| v["version"].as_u64());
            Err(match version {
                Some(version) if version > newest => newer(version),
                _ if error.is_data() => {
                    Error::new(format!("{origin} has a wrong type: {error}")).hint(BY_HAND)
                }
                _ => Error::new(format!("{origin} is not valid JSON: {error}")).hint(BY_HAND),
            })
        }
    }
}

/// Line and column of a byte, as editors count: from 1, and in characters.
pub(crate) fn position(bytes: &[u8], at: usize) -> (usize, usize) {
    let lines = bytes[..at.min(bytes.len())].split(|byte| *byte == b'\n');
    let (line, last) = lines.enumerate().last().unwrap_or_default();
    (line + 1, String::from_utf8_lossy(last).chars().count() + 1)
}
