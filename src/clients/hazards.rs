//! What in a directory outranks the credential that a command is given, or the account: entries of the
//! `.env` files that wrangler and the npm package load by themselves, and wrangler's own `account_id`.
//!
//! Each rule was measured with wrangler 4.164 and the npm package 0.94.0 and 2.0.0-beta.79
//! (tests/hazards.rs keeps them true), on top of what `environment.rs` sets and unsets: a variable of the
//! process that is not empty wins everywhere but over an `--env-file` of npm's version 2, and an entry
//! without a value changes nothing but the headers of wrangler's SDK. So the base URLs, the account and the profiles that a `.env` names are no
//! hazards; nor are `CLOUDFLARE_COMPLIANCE_REGION`, `WRANGLER_API_ENVIRONMENT` and
//! `CLOUDFLARE_API_USER_SERVICE_KEY`, as requests go where the base URL says, with our credential. Not looked
//! at: `.dev.vars`, from which wrangler takes no credential.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use super::loads::Client;
use super::loads::{Load, Tool, Words};
use crate::directory::dotenv::{self, Entry};
use crate::directory::file::{self, Refusal};
use crate::directory::wrangler::{self, Configuration};
use crate::environment::{ACCOUNT_ID, API_KEY, API_TOKEN, EMAIL};
use crate::profile::Account;

/// The most that is read of a `.env` file, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// One thing that outranks what a command is given. It never holds a value of the file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hazard {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1; `None` where the file could not be looked through.
    pub line: Option<usize>,
    /// The variable, or wrangler's `account_id`; `None` where the file could not be looked through.
    pub variable: Option<&'static str>,
    /// What comes of it, in words that follow the variable, or the file.
    pub effect: String,
}

impl Hazard {
    /// In one line, with the file's name as it is to be `shown`.
    #[must_use]
    pub fn told(&self, shown: &str) -> String {
        match (self.line, self.variable) {
            (Some(line), Some(variable)) => format!("{shown}, line {line}: {variable} {}", self.effect),
            _ => format!("{shown} {}", self.effect),
        }
    }
}

impl fmt::Display for Hazard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(&self.file.display().to_string()))
    }
}

/// What a command is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// A token.
    Token,
    /// A Global API Key and its e-mail.
    Key,
}

impl Given {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Key => "key",
        }
    }
}

/// A command, and where and with what it is to run.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The working directory.
    pub directory: &'a Path,
    /// The person's home directory.
    pub home: &'a Path,
    /// The command with its arguments; none for a shell, in which any may follow.
    pub command: &'a [OsString],
    /// The credential.
    pub given: Given,
    /// The account.
    pub account: Option<&'a Account>,
    /// `CLOUDFLARE_ENV`, by which wrangler chooses a part of its configuration.
    pub environment: Option<&'a str>,
    /// `CLOUDFLARE_API_KEY` is set and empty: version 1 of the npm package takes no other then.
    pub blank_key: bool,
    /// The one client that the command is, where that is known: what misleads others is none then.
    pub client: Option<Client>,
}

/// All that outranks what the command is given, as far as can be seen without running it.
#[must_use]
pub fn look(scene: &Scene) -> Vec<Hazard> {
    let words = Words::of(scene.command);
    let directories = words.directories(scene.directory, scene.home);
    let loads: Vec<Load> = directories.iter().flat_map(|directory| words.loads(directory)).collect();
    let mut files: Vec<&Path> = Vec::new();
    for file in loads.iter().flat_map(|load| &load.files) {
        if !files.contains(&file.as_path()) {
            files.push(file);
        }
    }
    let (mut texts, mut hazards) = (Vec::new(), Vec::new());
    for path in files {
        match file::read(path, LIMIT, None) {
            Ok(None) => {}
            Ok(Some(small)) => {
                let bytes = Zeroizing::new(small.bytes);
                texts.push((path, Zeroizing::new(dotenv::text(&bytes))));
            }
            Err(refusal) => hazards.extend(unread(path, &refusal)),
        }
    }
    hazards.extend(in_env_files(scene, &loads, &texts));
    if let (Some(account), true) = (scene.account, words.tool != Tool::Npm) {
        let environment = words.environment.or(scene.environment);
        for directory in &directories {
            let others = other_accounts(directory, words.config, environment, account);
            let others: Vec<Hazard> = others.into_iter().filter(|other| !hazards.contains(other)).collect();
            hazards.extend(others);
        }
    }
    hazards
}

/// Wrangler's configurations that name another account than this one, which wrangler would use in silence.
#[must_use]
pub fn other_accounts(
    directory: &Path,
    config: Option<&Path>,
    environment: Option<&str>,
    account: &Account,
) -> Vec<Hazard> {
    let named = |config| wrangler::named(directory.join(config));
    let own = config.map_or_else(|| wrangler::own(directory), named);
    let generated = if config.is_none() { wrangler::redirected(directory) } else { None };
    let all = [own.map(|own| (own, environment)), generated.map(|generated| (generated, None))];
    let hazard = |(configuration, environment): (Configuration, Option<&str>)| {
        let (line, variable, effect) = match &configuration.accounts {
            Err(why) => (None, None, format!("{why}, so nobody knows which account wrangler takes from it")),
            Ok(accounts) => {
                let named = accounts.of(environment)?;
                let effect = match named.id.as_deref() {
                    Some(id) if id.eq_ignore_ascii_case(account.id.as_str()) => return None,
                    Some(id) => format!("{id} goes before account {account} in wrangler"),
                    None => format!("is no account ID, and goes before account {account} in wrangler"),
                };
                (Some(named.line), Some("account_id"), effect)
            }
        };
        Some(Hazard { file: configuration.file, line, variable, effect })
    };
    all.into_iter().flatten().filter_map(hazard).collect()
}

/// A file that its readers may read, and we do not. One that they cannot read, such as a folder, does
/// nothing.
fn unread(path: &Path, refusal: &Refusal) -> Option<Hazard> {
    let may_count = match refusal {
        Refusal::TooLarge(_) => true,
        Refusal::Irregular => !path.is_dir(),
        Refusal::Foreign(_) | Refusal::Io(_) => false,
    };
    may_count.then(|| Hazard {
        file: path.to_owned(),
        line: None,
        variable: None,
        effect: format!(
            "{}, so it was not looked through for what goes before the credential",
            refusal.why()
        ),
    })
}

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It is used, and not what was given.
    Before(&'static str),
    /// It is sent together with what was given: which of them counts is the server's choice.
    Beside(&'static str),
}

/// An entry that counts, where it is.
type Place<'a> = (&'a Path, &'a Entry<'a>);

fn in_env_files(scene: &Scene, loads: &[Load], texts: &[(&Path, Zeroizing<String>)]) -> Vec<Hazard> {
    let parsed: Vec<(&Path, Vec<Entry>)> =
        texts.iter().map(|(path, text)| (*path, dotenv::entries(text))).collect();
    let mut found: Vec<(&Path, usize, &'static str, Effect, Vec<&str>)> = Vec::new();
    for load in loads.iter().filter(|load| scene.client.is_none_or(|client| client == load.client)) {
        // The last entry of a name, also where it has no value.
        let entry = |name: &str| {
            let files = load.files.iter().rev();
            let mut entries = files.filter_map(|file| parsed.iter().find(|(path, _)| path == file));
            entries.find_map(|(path, entries)| Some((*path, entries.iter().rfind(|e| e.name == name)?)))
        };
        for ((file, entry), variable, effect) in effects(scene, load, &entry) {
            let same = (file, entry.line, variable, effect);
            match found.iter_mut().find(|(f, l, v, e, _)| (*f, *l, *v, *e) == same) {
                Some((.., clients)) if clients.contains(&load.client.name()) => {}
                Some((.., clients)) => clients.push(load.client.name()),
                None => found.push((file, entry.line, variable, effect, vec![load.client.name()])),
            }
        }
    }
    let hazard =
        |(file, line, variable, effect, clients): (&Path, usize, &'static str, Effect, Vec<&str>)| {
            let effect = match effect {
                Effect::Before(what) => format!("goes before the {what} in {}", clients.join(" and ")),
                Effect::Beside(what) => format!("is sent beside the {what} by {}", clients.join(" and ")),
            };
            Hazard { file: file.to_owned(), line: Some(line), variable: Some(variable), effect }
        };
    found.into_iter().map(hazard).collect()
}

/// What the entries do to one client. The sources of the rules are its own: wrangler's `getAuthFromEnv`, and
/// the SDK in it, which sends each of the variables that it finds; version 1's `createCloudflareApi`; version
/// 2's `readEnvironment`.
fn effects<'a>(
    scene: &Scene,
    load: &Load,
    entry: &dyn Fn(&str) -> Option<Place<'a>>,
) -> Vec<(Place<'a>, &'static str, Effect)> {
    let set = |name: &'static str| entry(name).filter(|(_, e)| !e.value.is_empty()).map(|at| (at, name));
    let what = scene.given.name();
    let before = |(at, name)| (at, name, Effect::Before(what));
    match (load.client, scene.given) {
        (Client::Wrangler, given) => {
            // An old name is read only where the new one is not there at all.
            let either = |new, old| if entry(new).is_some() { set(new) } else { set(old) };
            let (key, email) = (either(API_KEY, "CF_API_KEY"), either(EMAIL, "CF_EMAIL"));
            let mut found: Vec<_> = match (given, key, email) {
                (Given::Key, ..) => Vec::new(),
                (Given::Token, Some(key), Some(_)) => vec![before(key)],
                // Each becomes a header of its own, an empty one too.
                (Given::Token, ..) => {
                    let alone = [API_KEY, EMAIL].into_iter();
                    alone.filter_map(|name| Some((entry(name)?, name, Effect::Beside(what)))).collect()
                }
            };
            let headers = set("CLOUDFLARE_API_HEADERS");
            found.extend(headers.filter(|((_, e), _)| authenticates(&e.value)).map(before));
            found
        }
        (Client::Npm1, Given::Token) if !scene.blank_key => set(API_KEY).map(before).into_iter().collect(),
        (Client::Npm2, given) if load.is_above => {
            let own = |((_, e), _): &(Place, _)| {
                scene.account.is_none_or(|account| e.value.eq_ignore_ascii_case(account.id.as_str()))
            };
            let account = set(ACCOUNT_ID).filter(|found| !own(found));
            let account = account.map(|(at, name)| (at, name, Effect::Before("account")));
            let token = set(API_TOKEN);
            let key = if given == Given::Key && token.is_none() {
                [set(API_KEY), set(EMAIL)]
            } else {
                [None, None]
            };
            token.into_iter().chain(key.into_iter().flatten()).map(before).chain(account).collect()
        }
        (Client::Npm2, Given::Key) => set(API_TOKEN).map(before).into_iter().collect(),
        (Client::Npm1, _) | (Client::Npm2, Given::Token) => Vec::new(),
    }
}

/// Whether headers, as JSON, have some that say who is asking.
fn authenticates(headers: &str) -> bool {
    let headers = headers.to_ascii_lowercase();
    ["authorization", "x-auth-"].iter().any(|name| headers.contains(name))
}
