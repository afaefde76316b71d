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

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::dotenv::{self, Entry};
use super::file::{self, Refusal};
use super::wrangler;
use crate::environment::{ACCOUNT_ID, API_KEY, API_TOKEN, EMAIL};
use crate::profile::Account;

/// The most that is read of a `.env` file, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// The most files that a command line may name to be looked through.
const MOST_FILES: usize = 8;

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
}

/// All that outranks what the command is given, as far as can be seen without running it.
#[must_use]
pub fn look(scene: &Scene) -> Vec<Hazard> {
    let words = Words::of(scene.command);
    let directory = words.directory.map_or_else(|| scene.directory.to_owned(), |to| scene.directory.join(to));
    let loads = words.loads(&directory);
    let mut texts: Vec<(&Path, Zeroizing<String>)> = Vec::new();
    let mut hazards = Vec::new();
    for path in loads.iter().flat_map(|load| &load.files) {
        if texts.iter().any(|(read, _)| read == path) || hazards.iter().any(|h: &Hazard| h.file == *path) {
            continue;
        }
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
        hazards.extend(other_account(&directory, words.config, environment, account));
    }
    hazards
}

/// Wrangler's configuration, where it names another account than this one, which wrangler would use in
/// silence.
#[must_use]
pub fn other_account(
    directory: &Path,
    config: Option<&Path>,
    environment: Option<&str>,
    account: &Account,
) -> Option<Hazard> {
    let found = wrangler::account(directory, config, environment)?;
    (!found.id.eq_ignore_ascii_case(account.id.as_str())).then(|| Hazard {
        file: found.file,
        line: Some(found.line),
        variable: Some("account_id"),
        effect: format!("{} goes before account {account} in wrangler", found.id),
    })
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

/// Who loads such files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Wrangler,
    Npm1,
    Npm2,
}

impl Client {
    fn name(self) -> &'static str {
        match self {
            Self::Wrangler => "wrangler",
            Self::Npm1 => "npm alchemy 1",
            Self::Npm2 => "npm alchemy 2",
        }
    }
}

/// What one of them loads; of two files that say the same, the later one counts.
struct Load {
    client: Client,
    files: Vec<PathBuf>,
    /// It goes before the variables of the process.
    is_above: bool,
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
    for load in loads {
        // The last entry of a name, also where it has no value.
        let entry = |name: &str| {
            let files = load.files.iter().rev();
            let mut entries = files.filter_map(|file| parsed.iter().find(|(path, _)| path == file));
            entries.find_map(|(path, entries)| Some((*path, entries.iter().rfind(|e| e.name == name)?)))
        };
        for ((file, entry), variable, effect) in effects(scene, load, &entry) {
            let same = (file, entry.line, variable, effect);
            match found.iter_mut().find(|(f, l, v, e, _)| (*f, *l, *v, *e) == same) {
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
            found.extend(headers.filter(|((_, e), _)| authenticates(e.value)).map(before));
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

/// Whom a command line starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    /// Wrangler, by its name.
    Wrangler,
    /// The npm package, of whichever version.
    Npm,
    /// A script of a package, which hands its arguments on.
    Script,
    /// Something else, that may start any of them.
    Other,
}

/// What of a command line says which files are loaded.
#[derive(Debug, PartialEq, Eq)]
struct Words<'a> {
    tool: Tool,
    /// `--cwd`: wrangler and npm's version 1 go there first.
    directory: Option<&'a Path>,
    /// `--env-file`, once or more.
    files: Vec<&'a OsStr>,
    /// `--env` of wrangler. `CLOUDFLARE_ENV` chooses no `.env` file of its (measured).
    environment: Option<&'a str>,
    /// `--config` of wrangler.
    config: Option<&'a Path>,
}

impl<'a> Words<'a> {
    fn of(command: &'a [OsString]) -> Self {
        let tool = command.iter().find_map(|word| tool(word)).unwrap_or(match command.first() {
            Some(first) if RUNNERS.iter().any(|runner| base_name(first) == *runner) => Tool::Script,
            _ => Tool::Other,
        });
        let mut this = Self { tool, directory: None, files: Vec::new(), environment: None, config: None };
        if tool == Tool::Other {
            return this; // its options have meanings of their own
        }
        let mut words = command.iter().map(OsString::as_os_str).peekable();
        while let Some(word) = words.next() {
            let Some((name, attached)) = option(word) else { continue };
            let mut value = || attached.or_else(|| words.next_if(|next| option(next).is_none()));
            match name {
                "--cwd" => this.directory = value().map(Path::new),
                "-e" | "--env" => this.environment = value().and_then(OsStr::to_str),
                "-c" | "--config" if tool == Tool::Wrangler => this.config = value().map(Path::new),
                "--env-file" => {
                    this.files.extend(value());
                    // Wrangler takes all the words that follow, with `=` too (measured).
                    if tool == Tool::Wrangler {
                        this.files
                            .extend(std::iter::from_fn(|| words.next_if(|next| option(next).is_none())));
                    }
                }
                _ => {}
            }
        }
        this.files.truncate(MOST_FILES);
        this
    }

    /// Who loads what.
    fn loads(&self, directory: &Path) -> Vec<Load> {
        let join = |names: &[&OsStr]| names.iter().map(|name| directory.join(name)).collect::<Vec<_>>();
        let mut defaults: Vec<OsString> = [".env", ".env.local"].map(OsString::from).to_vec();
        // Wrangler makes a file's name of any text; only a plain one names an environment.
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if let Some(environment) = self.environment.filter(plain) {
            defaults
                .extend([format!(".env.{environment}").into(), format!(".env.{environment}.local").into()]);
        }
        let defaults = join(&defaults.iter().map(OsString::as_os_str).collect::<Vec<_>>());
        let only_env = vec![directory.join(".env")];
        let named = join(&self.files);
        let load = |client, files: &[PathBuf], is_above| Load { client, files: files.to_owned(), is_above };
        let by_default = [
            load(Client::Wrangler, &defaults, false),
            load(Client::Npm1, &only_env, false),
            load(Client::Npm2, &only_env, false),
        ];
        let by_name = [
            load(Client::Wrangler, &named, false),
            load(Client::Npm1, &named, false),
            load(Client::Npm2, &named, true),
        ];
        let loads: Vec<Load> = match (self.tool, named.is_empty()) {
            (_, true) => by_default.into(),
            // Whom the script hands them on to is not known, nor whether it does.
            (Tool::Script, false) => by_default.into_iter().chain(by_name).collect(),
            (_, false) => by_name.into(),
        };
        let is_for = |load: &Load| match self.tool {
            Tool::Wrangler => load.client == Client::Wrangler,
            Tool::Npm => load.client != Client::Wrangler,
            Tool::Script | Tool::Other => true,
        };
        loads.into_iter().filter(is_for).collect()
    }
}

/// Those that run the scripts of packages.
const RUNNERS: [&str; 7] = ["npm", "npx", "pnpm", "pnpx", "yarn", "bun", "bunx"];

/// Whom a word names: `wrangler`, `node_modules/.bin/wrangler`, `wrangler@4`, `bin/wrangler.js`.
fn tool(word: &OsStr) -> Option<Tool> {
    let name = base_name(word).to_str()?;
    let name = name.split('@').next().unwrap_or_default();
    match name.strip_suffix(".js").unwrap_or(name) {
        "wrangler" => Some(Tool::Wrangler),
        "alchemy" => Some(Tool::Npm),
        _ => None,
    }
}

/// An option, and the value that is attached to it by `=`.
fn option(word: &OsStr) -> Option<(&str, Option<&OsStr>)> {
    let text = word.to_str().filter(|text| text.starts_with('-') && text.len() > 1)?;
    match text.split_once('=') {
        Some((option, value)) => Some((option, Some(OsStr::new(value)))),
        None => Some((text, None)),
    }
}

fn base_name(word: &OsStr) -> &OsStr {
    Path::new(word).file_name().unwrap_or(word)
}
