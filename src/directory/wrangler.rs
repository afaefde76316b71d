//! The account that wrangler would use by its own configuration, which goes before
//! `CLOUDFLARE_ACCOUNT_ID` (`facts/wrangler-cloudflare.md` §1.8).

use std::path::{Component, Path, PathBuf};

use jsonc_parser::ast::Object;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use toml::de::{DeTable, DeValue};

use super::file;
use crate::store::document::position;

/// The most that is read of one, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// In wrangler's order: the nearest of the first name, else of the second, else of the third
/// (`findWranglerConfig` of wrangler 4.164).
const NAMES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// Where a build tool says which configuration it has made, as Vite's plugin does.
const REDIRECTION: &str = ".wrangler/deploy/config.json";

/// An account that a configuration names.
pub struct Found {
    /// Its id, as it is written.
    pub id: String,
    /// The configuration.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: usize,
}

/// The `account_id` of each configuration that wrangler may take in this directory, or of the one that it is
/// named, for its `environment`: of the person's, and of the one that a build tool has made and redirects to,
/// which some of wrangler's commands take instead (`deploy`, `dev`, `versions upload`, those of Pages). What is
/// not there or cannot be understood is left out: that is wrangler's to tell.
#[must_use]
pub fn accounts(directory: &Path, named: Option<&Path>, environment: Option<&str>) -> Vec<Found> {
    let own = match named {
        Some(named) => read(directory.join(named)),
        None => NAMES.iter().find_map(|name| nearest(directory, name)),
    };
    let generated = if named.is_none() { redirected(directory) } else { None };
    // A generated one has no environments: wrangler refuses it then.
    let all = [own.map(|own| (own, environment)), generated.map(|generated| (generated, None))];
    all.into_iter()
        .flatten()
        .filter_map(|(configuration, environment)| account(configuration, environment))
        .collect()
}

/// A file that is there, with its text where it could be read.
type Configuration = (PathBuf, Option<Vec<u8>>);

fn read(path: PathBuf) -> Option<Configuration> {
    match file::read(&path, LIMIT, None) {
        Ok(small) => small.map(|small| (path, Some(small.bytes))),
        Err(_) => Some((path, None)),
    }
}

fn nearest(directory: &Path, name: &str) -> Option<Configuration> {
    directory.ancestors().map(|directory| directory.join(name)).find_map(read)
}

/// The configuration that the nearest redirection leads to; its path is relative to that file
/// (`findRedirectedWranglerConfig` of wrangler 4.164).
fn redirected(directory: &Path) -> Option<Configuration> {
    let (file, bytes) = nearest(directory, REDIRECTION)?;
    let parsed = parse_to_ast(text(bytes.as_deref()?)?, &CollectOptions::default(), &ParseOptions::default());
    let value = parsed.ok()?.value?;
    let path = &value.as_object()?.get_string("configPath")?.value;
    read(plain(&file.parent()?.join(path.as_ref())))
}

/// A path without `.` and `..`, by its words alone, as Node's `path.resolve` makes it.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

fn text(bytes: &[u8]) -> Option<&str> {
    let whole = std::str::from_utf8(bytes).ok()?;
    Some(whole.strip_prefix('\u{feff}').unwrap_or(whole))
}

fn account((file, bytes): Configuration, environment: Option<&str>) -> Option<Found> {
    let bytes = bytes?;
    let text = text(&bytes)?;
    let is_toml = file.extension().is_some_and(|extension| extension == "toml");
    let (id, at) = if is_toml { in_toml(text, environment) } else { in_jsonc(text, environment) }?;
    let (line, _) = position(text.as_bytes(), at);
    // The only ones that wrangler takes; an empty one is none.
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    is_id.then_some(Found { id, file, line })
}

/// The id and where it is: the environment's own, else that of all.
fn in_toml(text: &str, environment: Option<&str>) -> Option<(String, usize)> {
    let table = DeTable::parse(text).ok()?.into_inner();
    let id = |table: &DeTable| {
        let value = table.get("account_id")?;
        Some((value.get_ref().as_str()?.to_owned(), value.span().start))
    };
    let of_environment = environment.and_then(|name| match table.get("env")?.get_ref() {
        DeValue::Table(all) => match all.get(name)?.get_ref() {
            DeValue::Table(own) => id(own),
            _ => None,
        },
        _ => None,
    });
    of_environment.or_else(|| id(&table))
}

fn in_jsonc(text: &str, environment: Option<&str>) -> Option<(String, usize)> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default()).ok()?;
    let value = parsed.value?;
    let table = value.as_object()?;
    let id = |table: &Object| {
        let id = table.get_string("account_id")?;
        Some((id.value.to_string(), id.start()))
    };
    let of_environment = environment.and_then(|name| id(table.get_object("env")?.get_object(name)?));
    of_environment.or_else(|| id(table))
}
