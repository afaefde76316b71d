//! The accounts that wrangler's configurations name, which go before `CLOUDFLARE_ACCOUNT_ID`
//! (`facts/wrangler-cloudflare.md` §1.8), read as wrangler 4.164 reads them (`tests/clients/readers.rs` compares both).
//!
//! A configuration that is there and can't be understood is told, with the reason: an older or newer wrangler may read
//! what this reader doesn't.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{self, Refusal};
use crate::clients::jsonc;
use crate::disk::document::position;

/// The most that is read of a configuration, in bytes; wrangler has no limit.
const LIMIT: u64 = 4 * 1024 * 1024;

/// In wrangler's order: the nearest of the first name, else of the second, else of the third
/// (`findWranglerConfig` of wrangler 4.164).
const NAMES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// Where a build tool says which configuration it has made, as Vite's plugin does.
const REDIRECTION: &str = ".wrangler/deploy/config.json";

/// A configuration that is there.
#[derive(Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The file.
    pub file: PathBuf,
    /// The accounts that it names, or why it can't be understood, in words that follow the file's name.
    pub accounts: Result<Accounts, String>,
}

/// The accounts that a configuration names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// The account without an environment, and of each environment that names none.
    pub default: Option<Account>,
    /// The environments (`[env.NAME]`), in their order, each with the account that it names itself.
    pub environments: Vec<(String, Option<Account>)>,
}

/// An `account_id`. An empty one is none: wrangler ignores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The ID as it is written. `None` where it is not of letters, digits, `-` and `_` alone, or not even text: this
    /// wrangler refuses it, an older one may send it.
    pub id: Option<String>,
    /// The line in the file, from 1.
    pub line: usize,
}

impl Accounts {
    /// The account that wrangler uses for an environment, or for none: the environment's own, else the default. An
    /// environment that is not there has the default one, too.
    pub fn of(&self, environment: Option<&str>) -> Option<&Account> {
        let own = environment.and_then(|name| self.environments.iter().find(|(own, _)| own == name));
        own.and_then(|(_, account)| account.as_ref()).or(self.default.as_ref())
    }

    /// Every account that wrangler may use, with the environment that chooses it.
    pub fn all(&self) -> impl Iterator<Item = (Option<&str>, &Account)> {
        let environments = self.environments.iter();
        let of_environments =
            environments.filter_map(|(name, account)| Some((Some(name.as_str()), account.as_ref()?)));
        self.default.iter().map(|account| (None, account)).chain(of_environments)
    }
}

/// The person's own configuration that wrangler takes in a directory.
pub fn own(directory: &Path) -> Option<Configuration> {
    NAMES.iter().find_map(|name| nearest(directory, name)).map(|(file, read)| Configuration::of(file, read))
}

/// The configuration that wrangler is given by `--config`. `None` where there is no such file.
pub fn named(file: PathBuf) -> Option<Configuration> {
    let content = match file::read(&file, LIMIT, None) {
        Ok(small) => small?.bytes,
        // Wrangler reads a pipe, too.
        Err(refusal) => return Some(Configuration { file, accounts: Err(refusal.why()) }),
    };
    Some(Configuration::of(file, Ok(content)))
}

/// The configuration that a build tool has made, to which the nearest redirection leads
/// (`findRedirectedWranglerConfig` of wrangler 4.164). Some of wrangler's commands take it instead of the person's
/// (`deploy`, `dev`, `versions upload`, those of Pages). It has no environments: wrangler refuses it then, so its
/// default account is the one that counts. A redirection that can't be understood is told in its place.
pub fn redirected(directory: &Path) -> Option<Configuration> {
    let (file, bytes) = nearest(directory, REDIRECTION)?;
    let target = bytes.and_then(|bytes| {
        let text = jsonc::text(&bytes);
        let value = jsonc::parse(&text)?;
        let object = plain_object(&value, &text)?;
        let path = jsonc::property(object, "configPath").and_then(|path| path.value.as_string_lit());
        let path = path.filter(|path| !path.value.is_empty()).ok_or("names no configuration")?;
        // The path is relative to the folder of this file.
        Ok(plain(&file.parent().unwrap_or(directory).join(path.value.as_ref())))
    });
    match target {
        Ok(target) => named(target),
        Err(why) => Some(Configuration { file, accounts: Err(why) }),
    }
}

/// The content of a file that is there, or why it was not read.
type Content = Result<Vec<u8>, String>;

/// Reads a file; `None` where wrangler's search finds none: only a regular file is one.
fn read(path: &Path) -> Option<Content> {
    match file::read(path, LIMIT, None) {
        Ok(small) => small.map(|small| Ok(small.bytes)),
        Err(Refusal::Irregular) => None,
        Err(refusal) => Some(Err(refusal.why())),
    }
}

fn nearest(directory: &Path, name: &str) -> Option<(PathBuf, Content)> {
    let mut paths = directory.ancestors().map(|directory| directory.join(name));
    paths.find_map(|path| read(&path).map(|content| (path, content)))
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

impl Configuration {
    fn of(file: PathBuf, content: Content) -> Self {
        // By the end of the name alone, as wrangler tells them; for it, every other file says nothing.
        let name = file.as_os_str().to_string_lossy();
        let read = if name.ends_with(".toml") {
            in_toml
        } else if name.ends_with(".json") || name.ends_with(".jsonc") {
            in_jsonc
        } else {
            |_: &str| Ok(Accounts::default())
        };
        let accounts = content.and_then(|bytes| read(&jsonc::text(&bytes)));
        Self { file, accounts }
    }
}

/// The lines of a text, which may hold many accounts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The account that is written at this byte; `id` is `None` where it is no text.
    fn account(&self, at: usize, id: Option<&str>) -> Option<Account> {
        if id == Some("") {
            return None;
        }
        let is_plain = |id: &&str| id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let line = self.0.partition_point(|end| *end < at) + 1;
        Some(Account { id: id.filter(is_plain).map(str::to_owned), line })
    }
}

fn in_toml(text: &str) -> Result<Accounts, String> {
    let table = DeTable::parse(text).map_err(|error| {
        let (line, column) = position(text.as_bytes(), error.span().map_or(0, |span| span.start));
        format!("isn't valid TOML on line {line}, column {column}: {}", error.message())
    })?;
    let lines = Lines::of(text);
    let own = |table: &DeTable| {
        let value = table.get("account_id")?;
        lines.account(value.span().start, value.get_ref().as_str())
    };
    let of_value = |value: &DeValue| if let DeValue::Table(table) = value { own(table) } else { None };
    let environments = match table.get_ref().get("env").map(Spanned::get_ref) {
        Some(DeValue::Table(all)) => {
            let named =
                all.iter().map(|(name, value)| (name.get_ref().to_string(), of_value(value.get_ref())));
            named.collect()
        }
        // To JavaScript a list is an object with numbers for names.
        Some(DeValue::Array(all)) => {
            let numbered = all.iter().enumerate();
            numbered.map(|(at, value)| (at.to_string(), of_value(value.get_ref()))).collect()
        }
        _ => Vec::new(),
    };
    Ok(Accounts { default: own(table.get_ref()), environments })
}

fn in_jsonc(text: &str) -> Result<Accounts, String> {
    let value = jsonc::parse(text)?;
    let root = plain_object(&value, text)?;
    let lines = Lines::of(text);
    let own = |object: &Object| {
        let property = jsonc::property(object, "account_id")?;
        lines.account(property.start(), property.value.as_string_lit().map(|id| id.value.as_ref()))
    };
    let of_value = |value: &Value| match value {
        Value::Object(_) => Ok(own(plain_object(value, text)?)),
        _ => Ok::<_, String>(None),
    };
    let environments = match jsonc::property(root, "env").map(|env| &env.value) {
        Some(value @ Value::Object(_)) => {
            let all = &plain_object(value, text)?.properties;
            // Of two environments of one name the last one counts.
            let mut seen = HashSet::new();
            let mut named = Vec::new();
            for property in all.iter().rev().filter(|property| seen.insert(property.name.as_str())) {
                named.push((property.name.as_str().to_owned(), of_value(&property.value)?));
            }
            named.reverse();
            named
        }
        Some(Value::Array(all)) => {
            let numbered = all.elements.iter().enumerate();
            numbered
                .map(|(at, value)| Ok((at.to_string(), of_value(value)?)))
                .collect::<Result<_, String>>()?
        }
        _ => Vec::new(),
    };
    Ok(Accounts { default: own(root), environments })
}

/// The object that a value is. One with the key `__proto__` is refused: wrangler's parser makes it the prototype of the
/// object, which then has the properties of both.
fn plain_object<'a, 'text>(value: &'a Value<'text>, text: &str) -> Result<&'a Object<'text>, String> {
    let object = value.as_object().ok_or("isn't an object")?;
    match jsonc::property(object, "__proto__") {
        Some(property) => {
            let (line, _) = position(text.as_bytes(), property.start());
            Err(format!("has a key __proto__ on line {line}"))
        }
        None => Ok(object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: Option<&str>, line: usize) -> Account {
        Account { id: id.map(str::to_owned), line }
    }

    #[test]
    fn accounts_have_their_lines_and_an_environment_without_one_has_the_default() {
        let toml = "account_id = 'a'\n[env.s]\naccount_id = 'b'\n[env.empty]\naccount_id = ''\n";
        let json = "{\"account_id\": \"a\", \"env\": {\n\"empty\": {\"account_id\": \"\"},\n\"s\": {\"account_id\": \"b\"}}}";
        for accounts in [in_toml(toml).expect(toml), in_jsonc(json).expect(json)] {
            assert_eq!(accounts.of(None).cloned(), Some(account(Some("a"), 1)));
            assert_eq!(accounts.of(Some("s")).cloned(), Some(account(Some("b"), 3)));
            assert_eq!(accounts.of(Some("empty")), accounts.of(None));
            assert_eq!(accounts.of(Some("other")), accounts.of(None));
            let all: Vec<_> = accounts.all().map(|(name, _)| name).collect();
            assert_eq!(all, [None, Some("s")]);
        }
    }

    #[test]
    fn what_is_no_account_id_is_told_and_what_cannot_be_read_says_why() {
        for value in ["1", "null", "\" x\"", "\"a/b\"", "[]"] {
            let text = format!("{{\n\"account_id\": {value}}}");
            assert_eq!(in_jsonc(&text).expect(&text).default, Some(account(None, 2)), "{value}");
        }
        for text in ["", "[]", "{", "{\"a\":1 \"b\":2}", "{'a':1}", "{\"env\":{\"s\":{\"__proto__\":{}}}}"] {
            assert!(in_jsonc(text).is_err(), "{text}");
        }
        assert!(in_toml("a = ").expect_err("broken").contains("line 1"));
    }
}
