//! The two documents about directories in the user's home: read as they are, changed under one lock.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::disk::document::parse;
use crate::disk::home::Home;
use crate::disk::lock::Lock;
use crate::disk::trusted::{self, Reading};
use crate::disk::{atomic, generation};
use crate::error::{Error, Result};
use crate::terminal::Messages;

/// The newest version of both that we know.
const VERSION: u64 = 1;

/// A document, as far as we read it.
pub(super) trait Record: DeserializeOwned + Default {
    /// What it says of its version.
    fn version(&self) -> Option<u64>;
}

/// Reads a document; one that does not exist is an empty one.
///
/// Fails when it cannot be read, is not JSON or of another shape (with line and column), or is newer than we know.
pub(super) fn load<T: Record>(home: &Home, path: &Path) -> Result<T> {
    match trusted::read(home, path, Reading::Settings)? {
        Some(bytes) => parse(&path.display().to_string(), &bytes, VERSION, T::version),
        None => Ok(T::default()),
    }
}

/// Changes a document under the lock; what we do not know in it stays. Where the change changes nothing,
/// nothing is written.
///
/// The old one is still
/// there then.
pub(super) fn edit<T: Record, R>(
    home: &Home,
    path: &Path,
    messages: Messages,
    change: impl FnOnce(&mut Map<String, Value>) -> R,
) -> Result<R> {
    let _lock = Lock::acquire(&[home.lock("directories")], "the directories", messages)?;
    let origin = path.display().to_string();
    let mut document = match trusted::read(home, path, Reading::Settings)? {
        Some(bytes) => {
            parse(&origin, &bytes, VERSION, T::version)?;
            parse(&origin, &bytes, VERSION, |_: &Map<String, Value>| None)?
        }
        None => Map::from_iter([("version".to_owned(), VERSION.into())]),
    };
    let before = document.clone();
    let result = change(&mut document);
    if document != before {
        let bytes = serde_json::to_vec_pretty(&document)
            .map_err(|error| Error::new(format!("cannot write {origin}: {error}")))?;
        // Whoever watches by whole seconds (direnv) sees every change.
        atomic::prepare(path, &bytes)?.a_second_later()?.commit()?.say(&messages);
        generation::moved(home, &[]);
    }
    Ok(result)
}

/// The object of that name in a document, which is made where it is missing.
pub(super) fn object<'a>(document: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let value = document.entry(name).or_insert(Value::Null);
    // Something else than an object has been refused when the document was read.
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(object) => object,
        _ => unreachable!("made an object just above"),
    }
}

/// A path as our documents have it.
///
/// Fails when it is not UTF-8, and so cannot stand in JSON.
pub(super) fn key(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        Error::new(format!("{} is not UTF-8, so it cannot be written down", path.display()))
            .hint("use a directory with another name")
    })
}
