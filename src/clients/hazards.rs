//! What overrides the credential that a command is given, or the account: entries of `.env` files, `account_id` of
//! wrangler's configurations and caches, `.cloudflare.cfg`, and programs that keep variables from what they start.
//!
//! Each rule was measured with wrangler 4.164, npm alchemy 0.94.0 and 2.0.0-beta.79, bun 1.4.5 and turbo 2
//! (`tests/clients/hazards_clients.rs` keeps them true), on top of what `environment.rs` sets and removes: a variable of the
//! process that is not empty wins everywhere but over a file that goes before the variables, and an entry without a
//! value changes nothing but the headers of Cloudflare's SDKs. So the base URLs, the account and the profiles that a `.env`
//! names are no hazards; nor are `CLOUDFLARE_COMPLIANCE_REGION` and `WRANGLER_API_ENVIRONMENT`, as requests go where the
//! base URL says, with our credential. `.dev.vars` is not looked at: wrangler takes no credential from it.
//!
//! A hazard is evident when words, scripts or loaded files lead to it ([`Look::evident`]): a person is warned. Where
//! not all that runs can be seen, whatever lies there may count ([`Look::possible`]): that is for `--strict`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::assignments::{Assigned, Assignment, CHECK, PROXIES, VariableKind};
use super::leads::{Filtered, Leads, Level, Visit};
use super::packages::{Version, is_env_file, is_template, version, within};
use super::programs::{Filter, Program, Reads, Rules, called};
use super::turbo::{self, Mode, Passing, Turbo};
use super::words::Value;
use super::workspaces::{MORE_PACKAGES, Workspace};
use super::{cloudflare_cfg, jsonc};
use crate::directory::dotenv::{self, Entry};
use crate::directory::file::{self, Refusal};
use crate::directory::wrangler::{self, Configuration};
use crate::disk::document::position;
use crate::environment::{ACCOUNT_ID, API_BASE_URL, API_KEY, API_TOKEN, BASE_URL, DEFAULT_ACCOUNT_ID, EMAIL};
use crate::profile::Account;

/// The most that is read of a file, in bytes.
const LIMIT: u64 = 1024 * 1024;
/// The most `.env` files of a folder.
const FILES: usize = 64;
/// The most entries of a folder that are looked at for them: to read the names takes no time.
const ENTRIES: usize = 200_000;
/// The most folders that are looked through for what may count.
const FOLDERS: usize = 1024;

/// The variable by which wrangler chooses an environment of its configuration.
pub(crate) const CHOOSES_ENVIRONMENT: &str = "CLOUDFLARE_ENV";
/// From this version on, wrangler's commands for Pages take the account of the environment first.
const WITHOUT_PAGES_CACHE: Version = Version(4, 86);

/// The clients that anything may start.
const ANYTHING: [&str; 3] = ["wrangler", "alchemy", "cli4"];

/// One thing that overrides what a command is given. It never holds a secret of the file's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Hazard {
    /// The file; `None` for the command itself.
    pub file: Option<PathBuf>,
    /// The line in it, from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// The name of the variable or the setting.
    pub variable: Option<String>,
    /// What comes of it, in words that follow the variable, or the file.
    pub effect: String,
    /// What a person can do about it.
    pub way: Way,
}

/// What a person can do about a hazard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// Correct what stands there, or change the command.
    #[default]
    Correct,
    /// Use a profile of this account, which a configuration names and may mean.
    Account(String),
    /// Go to a part of what is too large to be looked through.
    Part,
}

impl Hazard {
    /// The hazard in one line; `show` writes a path for people.
    pub(crate) fn told(&self, show: &dyn Fn(&Path) -> String) -> String {
        let file = self.file.as_deref().map_or_else(|| "the command".to_owned(), show);
        let colon = if self.file.is_none() && self.variable.is_some() { ":" } else { "" };
        let line = self.line.map_or_else(|| colon.to_owned(), |line| format!(", line {line}:"));
        let variable = self.variable.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        format!("{file}{line}{variable} {}", self.effect)
    }

    /// What a person can do about the hazard; `profile_of` names a profile of an account.
    pub(crate) fn way_out(&self, profile_of: &dyn Fn(&str) -> Option<String>) -> String {
        let way = match (&self.way, &self.file, self.line) {
            (Way::Account(id), ..) => {
                let itself = "call wrangler itself, with --env or --cwd";
                return profile_of(id).map_or_else(
                    || itself.to_owned(),
                    |name| format!("if you mean that account: -p {name}; else {itself}"),
                );
            }
            (Way::Part, ..) => "call wrangler itself, in the folder of one package",
            (Way::Correct, None, _) => "change the command",
            (Way::Correct, Some(file), _) if file.is_dir() => "run it in another folder",
            (Way::Correct, Some(_), Some(_)) => "correct that line",
            (Way::Correct, Some(_), None) => "correct the file",
        };
        way.to_owned()
    }

    /// True if one of the hazards is of the same entry, or the same.
    pub(crate) fn is_among(&self, hazards: &[Self]) -> bool {
        let place = |hazard: &Self| (hazard.file.clone(), hazard.line, hazard.variable.clone());
        hazards.iter().any(|other| other == self || (self.line.is_some() && place(other) == place(self)))
    }
}

/// What a command is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// A token.
    Token,
    /// A Global API Key and its email.
    Key,
}

impl Given {
    fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Key => "key",
        }
    }

    /// The variables without which a program uses another credential or account.
    fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Token => &[API_TOKEN, ACCOUNT_ID],
            Self::Key => &[API_KEY, EMAIL, ACCOUNT_ID],
        }
    }
}

/// A client that a command is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// Version 1 of the npm package.
    Npm1,
    /// Its version 2.
    Npm2,
}

/// What a command is given, and what of its surroundings counts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// The person's home directory.
    pub home: &'a Path,
    /// The credential.
    pub given: Given,
    /// The account.
    pub account: Option<&'a Account>,
    /// `CLOUDFLARE_ENV`, by which wrangler chooses a part of its configuration.
    pub environment: Option<&'a str>,
    /// `NODE_ENV`, by which programs choose `.env` files.
    pub mode: Option<&'a str>,
    /// `TURBO_ENV_MODE`.
    pub turbo_mode: Option<&'a str>,
    /// `CLOUDFLARE_API_KEY` is set and empty: version 1 of the npm package takes no other then.
    pub blank_key: bool,
    /// The one client that the command is, where that is known: what misleads others is none then.
    pub client: Option<Client>,
}

/// Wrangler's configurations in a directory that name another account than this one, which wrangler would use in
/// silence, and those that nobody understands. `environment` is `CLOUDFLARE_ENV`; else a `.env` file may set it.
pub(crate) fn other_accounts(directory: &Path, environment: Option<&str>, account: &Account) -> Vec<Hazard> {
    let scene = Scene {
        home: Path::new(""),
        given: Given::Token,
        account: Some(account),
        environment,
        mode: None,
        turbo_mode: None,
        blank_key: false,
        client: None,
    };
    let leads = Leads::default();
    let mut look = Look::new(&scene, &leads);
    if let Some(program) = called("wrangler") {
        look.accounts(&Visit::plain(program, directory, None), false);
    }
    look.hazards
}

/// The text of a file, where it could be read.
type Text = Option<Zeroizing<String>>;

/// A look at what lies where the words of a command lead.
pub(crate) struct Look<'a> {
    scene: &'a Scene<'a>,
    leads: &'a Leads,
    texts: HashMap<PathBuf, Text>,
    found: Vec<Found>,
    hazards: Vec<Hazard>,
    is_open: bool,
}

/// An entry of a `.env` file that counts, with the programs that it misleads.
struct Found {
    file: PathBuf,
    line: usize,
    variable: &'static str,
    effect: Effect,
    programs: Vec<String>,
}

/// What an entry does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It is used, and not what was given.
    Before(&'static str),
    /// It is sent together with what was given: which of them counts is the server's choice.
    Beside(&'static str),
    /// The program no longer asks who the server is.
    Unchecked,
    /// What was given goes through a proxy that the entry names.
    Proxy(&'static str),
}

impl<'a> Look<'a> {
    /// A look for a command whose words lead there.
    pub(crate) fn new(scene: &'a Scene, leads: &'a Leads) -> Self {
        Self { scene, leads, texts: HashMap::new(), found: Vec::new(), hazards: Vec::new(), is_open: false }
    }

    /// What words, scripts and loaded files lead to.
    pub(crate) fn evident(&mut self) -> Vec<Hazard> {
        for visit in self.visits().into_iter().filter(|visit| visit.is_certain) {
            self.env_files(&visit);
            self.accounts(&visit, false);
            self.pages_cache(&visit, false);
            let has_home = !ANYTHING.contains(&visit.program.calls.first().copied().unwrap_or_default())
                || self.leads.is_sure;
            self.cloudflare_cfg(&visit, has_home, false);
        }
        self.assignments(true);
        self.filters(true);
        self.told()
    }

    /// True if there may be more than what is evident.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open || !self.leads.is_sure || !self.leads.unknown.is_empty()
    }

    /// What may count besides, as not all that runs can be seen.
    pub(crate) fn possible(&mut self) -> Vec<Hazard> {
        for unknown in &self.leads.unknown {
            let (file, line) = (unknown.file.clone(), unknown.line);
            let effect = format!("{}, so not everything was checked", unknown.what);
            let way = if unknown.what == MORE_PACKAGES { Way::Part } else { Way::Correct };
            self.add(Hazard { file, line, effect, way, ..Hazard::default() });
        }
        self.assignments(false);
        self.filters(false);
        for visit in self.visits() {
            if !visit.is_certain {
                self.env_files(&visit);
            }
            let is_unknown = self.environment(&visit).0 == Some(Value::Unknown);
            self.accounts(&visit, is_unknown || !self.leads.is_sure);
            self.pages_cache(&visit, true);
        }
        if self.leads.is_sure {
            return self.told();
        }
        if self.leads.folders.len() > FOLDERS {
            let effect = format!("leads to more than {FOLDERS} folders, and not all were looked through");
            self.add(Hazard { effect, way: Way::Part, ..Hazard::default() });
        }
        for folder in self.leads.folders.iter().take(FOLDERS) {
            self.all_env_files(&folder.path);
            for program in ANYTHING.into_iter().filter_map(called) {
                let visit = Visit::plain(program, &folder.path, None);
                self.accounts(&visit, true);
                self.pages_cache(&visit, true);
                self.cloudflare_cfg(&visit, true, true);
            }
        }
        self.told()
    }

    /// The calls that can be seen; where not all can, the clients in each folder that is surely meant, with each
    /// environment that words name.
    fn visits(&self) -> Vec<Visit> {
        let mut visits = Vec::new();
        let folders = self.leads.folders.iter().filter(|folder| folder.level >= Level::Named).take(FOLDERS);
        for folder in folders.filter(|_| !self.leads.is_sure) {
            for program in ANYTHING.into_iter().filter_map(called) {
                visits.push(Visit::plain(program, &folder.path, None));
                let names =
                    self.leads.names.iter().filter(|_| program.reads.contains(&Reads::WranglerConfiguration));
                visits.extend(names.map(|name| Visit::plain(program, &folder.path, Some(name))));
            }
        }
        visits.extend(self.leads.visits.iter().cloned());
        visits
    }

    /// All that was found by now, which is not told again.
    fn told(&mut self) -> Vec<Hazard> {
        let hazard = |found: Found| {
            let programs = found.programs.join(" and ");
            let effect = match found.effect {
                Effect::Before(what) => format!("goes before the {what} in {programs}"),
                Effect::Beside(what) => format!("is sent beside the {what} by {programs}"),
                Effect::Unchecked => {
                    format!("switches off the check of the server's certificate in {programs}")
                }
                Effect::Proxy(what) => format!("sends the {what} through another proxy in {programs}"),
            };
            Hazard {
                file: Some(found.file),
                line: Some(found.line),
                variable: Some(found.variable.to_owned()),
                effect,
                ..Hazard::default()
            }
        };
        let mut told: Vec<Hazard> = self.found.drain(..).map(hazard).collect();
        told.append(&mut self.hazards);
        told
    }

    fn add(&mut self, hazard: Hazard) {
        if !self.hazards.contains(&hazard) {
            self.hazards.push(hazard);
        }
    }

    /// Reads a file once. One that its readers may read, and we do not, is a hazard; one that they cannot read, such
    /// as a folder, does nothing.
    fn read(&mut self, path: &Path) {
        if self.texts.contains_key(path) {
            return;
        }
        let text = match file::read(path, LIMIT, None) {
            Ok(small) => small.map(|small| {
                let bytes = Zeroizing::new(small.bytes);
                Zeroizing::new(dotenv::text(&bytes))
            }),
            Err(refusal) => {
                let may_count = match refusal {
                    Refusal::TooLarge(_) => true,
                    Refusal::Irregular => !path.is_dir(),
                    Refusal::Foreign(_) | Refusal::Io(_) => false,
                };
                if may_count {
                    let why = refusal.why();
                    let effect =
                        format!("{why}, so it was not looked through for what goes before the credential");
                    self.add(Hazard { file: Some(path.to_owned()), effect, ..Hazard::default() });
                }
                None
            }
        };
        self.texts.insert(path.to_owned(), text);
    }

    fn text(&self, path: &Path) -> Option<&str> {
        self.texts.get(path)?.as_ref().map(|text| text.as_str())
    }

    /// The files that count for a call, of which a later one goes before an earlier one.
    fn files(&mut self, visit: &Visit) -> Vec<PathBuf> {
        let mut files = visit.files(self.scene.mode);
        files.extend(visit.inherited.iter().cloned());
        for file in &files {
            self.read(file);
        }
        files
    }

    /// The entries of `.env` files that count for a call.
    fn env_files(&mut self, visit: &Visit) {
        let files = self.files(visit);
        for rules in visit.program.rules {
            let is_meant = match (self.scene.client, rules) {
                (None, _) | (Some(Client::Npm1), Rules::Npm1) | (Some(Client::Npm2), Rules::Npm2) => true,
                (Some(_), _) => false,
            };
            if is_meant {
                // What npm alchemy 2 is named goes before the variables.
                let is_named = *rules == Rules::Npm2 && !visit.env_files.is_empty();
                let name = rules_name(*rules, visit.program);
                self.entries(*rules, visit.is_above || is_named, &files, &name, true);
            }
        }
    }

    /// `with_empty`: an entry without a value counts where it does something.
    fn entries(&mut self, rules: Rules, is_above: bool, files: &[PathBuf], program: &str, with_empty: bool) {
        // Readers other than wrangler's and npm's find more in a file than those do.
        let is_loose = rules == Rules::Code || !with_empty;
        let read = |text| {
            let loose = if is_loose { dotenv::possible(text) } else { Vec::new() };
            loose.into_iter().chain(dotenv::entries(text)).collect::<Vec<Entry>>()
        };
        let parsed: Vec<(&Path, Vec<Entry>)> =
            files.iter().filter_map(|file| Some((file.as_path(), read(self.text(file)?)))).collect();
        // The last entry of a name, also where it has no value.
        let entry = |name: &str| {
            let mut files = parsed.iter().rev();
            files.find_map(|(path, entries)| {
                let mut of_name = entries.iter().rev().filter(|entry| entry.name == name);
                let last = of_name.next()?;
                let valued = of_name.find(|entry| is_loose && !entry.value.is_empty());
                Some((*path, if last.value.is_empty() { valued.unwrap_or(last) } else { last }))
            })
        };
        let effects: Vec<_> = effects(self.scene, rules, is_above, &entry)
            .into_iter()
            .filter(|((_, entry), ..)| with_empty || !entry.value.is_empty())
            .map(|((file, entry), variable, effect)| (file.to_owned(), entry.line, variable, effect))
            .collect();
        for (file, line, variable, effect) in effects {
            let same = |found: &&mut Found| {
                (&found.file, found.line, found.variable, found.effect) == (&file, line, variable, effect)
            };
            match self.found.iter_mut().find(same) {
                Some(found) if found.programs.iter().any(|known| known == program) => {}
                Some(found) => found.programs.push(program.to_owned()),
                None => {
                    self.found.push(Found {
                        file,
                        line,
                        variable,
                        effect,
                        programs: vec![program.to_owned()],
                    });
                }
            }
        }
    }

    /// Variables that words or scripts set: those that certainly are, or those that may be.
    fn assignments(&mut self, is_certain: bool) {
        for assignment in self.leads.assignments.iter().filter(|one| one.is_certain == is_certain) {
            let Some(effect) = self.assigned(assignment) else { continue };
            let (file, line) = (assignment.file.clone(), assignment.line);
            self.add(Hazard {
                file,
                line,
                variable: Some(assignment.variable.to_owned()),
                effect,
                ..Hazard::default()
            });
        }
    }

    /// What an assignment does, unless the variable holds what it is given.
    fn assigned(&self, assignment: &Assignment) -> Option<String> {
        let account = self.scene.account;
        let is_given = |name: &str| {
            self.scene.given.variables().iter().any(|given| *given == name && name != ACCOUNT_ID)
                || (account.is_some() && [ACCOUNT_ID, DEFAULT_ACCOUNT_ID].contains(&name))
                || [API_BASE_URL, BASE_URL].contains(&name)
        };
        let is_given_itself = is_given(assignment.variable);
        let is_same = match &assignment.assigned {
            Assigned::Nothing => !is_given_itself,
            Assigned::Reference(name) => *name == assignment.variable || is_given(name),
            Assigned::Default(name) => is_given(name),
            Assigned::Account(id) => account.is_some_and(|own| id.eq_ignore_ascii_case(own.id.as_str())),
            Assigned::Other => false,
        };
        if is_same {
            return None;
        }
        let what = match assignment.kind {
            VariableKind::Credential => self.scene.given.name(),
            VariableKind::Account => "account",
            VariableKind::Address => "address of the API",
            VariableKind::Check => {
                return Some("switches off the check of the server's certificate".to_owned());
            }
            VariableKind::Proxy => {
                return Some(format!("sends the {} through another proxy", self.scene.given.name()));
            }
        };
        Some(match (&assignment.assigned, is_given_itself) {
            (Assigned::Nothing, _) => format!("is taken away, and with it the {what}"),
            (_, true) => format!("replaces the {what}"),
            (_, false) => format!("may override the {what}"),
        })
    }

    /// Whatever is called `.env…` in a folder, each file as a program may be named it. A template is none, and
    /// neither is an entry without a value.
    fn all_env_files(&mut self, folder: &Path) {
        let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.by_ref().take(ENTRIES).map(|entry| entry.file_name());
        let mut names: Vec<OsString> = names.filter(|name| is_env_file(name) && !is_template(name)).collect();
        names.sort();
        if names.len() > FILES || entries.next().is_some() {
            let effect =
                "holds more files than were looked through for what goes before the credential".to_owned();
            self.add(Hazard { file: Some(folder.to_owned()), effect, ..Hazard::default() });
        }
        for file in names.into_iter().take(FILES).map(|name| folder.join(name)) {
            self.read(&file);
            let files = [file];
            for (rules, program) in [
                (Rules::Wrangler, "wrangler"),
                (Rules::Npm1, "npm alchemy 1"),
                (Rules::Npm2, "npm alchemy 2"),
            ] {
                self.entries(rules, false, &files, program, false);
            }
            self.entries(Rules::Code, false, &files, "what a program runs that loads it", false);
        }
    }

    /// The environment of wrangler's configuration that counts for a call, and what says so.
    fn environment(&mut self, visit: &Visit) -> (Option<Value>, Option<String>) {
        let of_words = visit.environment.clone().or(visit.variables.environment.clone());
        let of_process = || self.scene.environment.map(|name| Value::Known(name.to_owned()));
        if let Some(value) = of_words.or_else(of_process) {
            return (Some(value).filter(|value| *value != Value::Known(String::new())), None);
        }
        let files = self.files(visit);
        for file in files.iter().rev() {
            let entries = self.text(file).map(dotenv::entries).unwrap_or_default();
            let Some(entry) = entries.iter().rfind(|entry| entry.name == CHOOSES_ENVIRONMENT) else {
                continue;
            };
            if entry.value.is_empty() {
                break;
            }
            let value = if entry.value.contains('$') {
                Value::Unknown // wrangler puts other variables in
            } else {
                Value::Known(entry.value.to_string())
            };
            let name = file.file_name().unwrap_or_default().display();
            return (Some(value), Some(format!("{CHOOSES_ENVIRONMENT} in {name}, line {}", entry.line)));
        }
        (None, None)
    }

    /// Accounts of wrangler's configurations, of the environment that counts or of `all`.
    fn accounts(&mut self, visit: &Visit, all: bool) {
        let Some(account) = self.scene.account else { return };
        if !visit.program.reads.contains(&Reads::WranglerConfiguration) || self.scene.client.is_some() {
            return;
        }
        let configurations = configurations(visit);
        if configurations.is_empty() {
            return;
        }
        let (environment, origin) = self.environment(visit);
        self.is_open |= environment == Some(Value::Unknown);
        let name = match &environment {
            Some(Value::Known(name)) => Some(name.as_str()),
            _ => None,
        };
        for (configuration, has_environments) in configurations {
            let Configuration { file, accounts } = configuration;
            let accounts = match accounts {
                Ok(accounts) => accounts,
                Err(why) => {
                    let effect = format!("{why}, so nobody knows which account wrangler takes from it");
                    self.add(Hazard { file: Some(file), effect, ..Hazard::default() });
                    continue;
                }
            };
            let chosen = accounts.of(name.filter(|_| has_environments));
            let one = chosen.into_iter().map(|account| (name, account));
            let others = accounts.all().filter(|_| all && has_environments);
            for (environment, named) in one.chain(others) {
                let id = named.id.as_deref();
                if id.is_some_and(|id| id.eq_ignore_ascii_case(account.id.as_str())) {
                    continue;
                }
                let by = match (&origin, environment) {
                    (Some(origin), Some(_)) => format!(" (by {origin})"),
                    (None, Some(name)) if accounts.environments.iter().any(|(own, _)| own == name) => {
                        format!(" (environment {})", name.escape_debug())
                    }
                    _ => String::new(),
                };
                let effect = match id {
                    Some(id) => format!("{id} goes before account {account} in wrangler{by}"),
                    None => format!("is no account ID, and may go before account {account} in wrangler{by}"),
                };
                let (file, line) = (Some(file.clone()), Some(named.line));
                let way = id.map_or(Way::Correct, |id| Way::Account(id.to_owned()));
                let hazard = Hazard { file, line, variable: Some("account_id".to_owned()), effect, way };
                if !hazard.is_among(&self.hazards) {
                    self.add(hazard);
                }
            }
        }
    }

    /// The account that wrangler's commands for Pages have kept, and take first before 4.86.
    fn pages_cache(&mut self, visit: &Visit, all: bool) {
        let Some(account) = self.scene.account else { return };
        if !visit.program.reads.contains(&Reads::PagesCache)
            || !(visit.is_pages || (all && !self.leads.is_sure))
        {
            return;
        }
        let places = ["node_modules/.cache/wrangler/pages.json", ".wrangler/cache/pages.json"];
        let home = self.scene.home;
        let found = places.iter().filter_map(|place| {
            within(&visit.folder, home).map(|at| at.join(place)).find(|file| file.is_file())
        });
        for file in found.collect::<Vec<_>>() {
            match version(&visit.folder, "wrangler") {
                Some(version) if version >= WITHOUT_PAGES_CACHE => return,
                None if !all => {
                    self.is_open = true;
                    return;
                }
                _ => {}
            }
            let (line, id) = match cached_account(&file) {
                Ok(Some((line, id))) => (Some(line), id),
                Ok(None) => continue,
                Err(why) => {
                    let effect = format!("{why}, so nobody knows which account wrangler pages takes from it");
                    self.add(Hazard { file: Some(file), effect, ..Hazard::default() });
                    continue;
                }
            };
            if !id.eq_ignore_ascii_case(account.id.as_str()) {
                let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
                let effect = format!("{id} goes before account {account} in wrangler pages before 4.86");
                self.add(Hazard {
                    file: Some(file),
                    line,
                    variable: Some("account_id".to_owned()),
                    effect,
                    ..Hazard::default()
                });
            }
        }
    }

    /// python-cloudflare's files, which go before the variables: the directory's, and with `has_home` the person's.
    fn cloudflare_cfg(&mut self, visit: &Visit, has_home: bool, all: bool) {
        if !visit.program.reads.contains(&Reads::CloudflareCfg) || self.scene.client.is_some() {
            return;
        }
        let files = cloudflare_cfg::files(&visit.folder, self.scene.home);
        for file in files.into_iter().take(if has_home { 3 } else { 1 }) {
            let small = match file::read(&file, LIMIT, None) {
                Ok(Some(small)) => small,
                Ok(None) | Err(Refusal::Io(_) | Refusal::Foreign(_)) => continue,
                Err(refusal) => {
                    if !file.is_dir() {
                        let effect = format!("{}, so it was not looked through", refusal.why());
                        self.add(Hazard { file: Some(file), effect, ..Hazard::default() });
                    }
                    continue;
                }
            };
            let what = self.scene.given.name();
            for found in cloudflare_cfg::overrides(&small.bytes) {
                if !all && !found.is_default() {
                    continue;
                }
                let effect = match found.effect {
                    cloudflare_cfg::OptionEffect::Credential => {
                        format!("goes before the {what} in python-cloudflare")
                    }
                    cloudflare_cfg::OptionEffect::Address => {
                        format!("sends the {what} to another address in python-cloudflare")
                    }
                    cloudflare_cfg::OptionEffect::Headers => {
                        format!("is sent beside the {what} by python-cloudflare")
                    }
                };
                let (file, line) = (Some(file.clone()), Some(found.line));
                let hazard = Hazard { file, line, variable: Some(found.option), effect, ..Hazard::default() };
                self.add(hazard);
            }
        }
    }

    /// The calls that keep variables from a client, or from what may be one.
    fn filters(&mut self, is_certain: bool) {
        let mut seen: Vec<&Filtered> = Vec::new();
        for filtered in self.leads.filtered.iter().filter(|filtered| filtered.is_certain == is_certain) {
            let is_same = |other: &&Filtered| {
                filtered.program.filter == Some(Filter::Turbo)
                    && other.program.filter == filtered.program.filter
                    && (&other.folder, &other.tasks, &other.mode)
                        == (&filtered.folder, &filtered.tasks, &filtered.mode)
            };
            if !seen.iter().any(is_same) {
                self.filter(filtered);
                seen.push(filtered);
            }
        }
    }

    /// A call of a program that keeps variables from what it starts.
    fn filter(&mut self, filtered: &Filtered) {
        if filtered.program.filter == Some(Filter::Turbo) {
            return self.turbo(filtered);
        }
        let is_kept = |name: &&str| filtered.kept.iter().any(|kept| kept == name);
        if self.scene.given.variables().iter().all(is_kept) {
            return;
        }
        let effect = format!(
            "runs {}, which keeps the {} from what it starts: that uses another sign-in, or none",
            filtered.program.name,
            self.scene.given.name()
        );
        self.add(Hazard { file: filtered.file.clone(), line: filtered.line, effect, ..Hazard::default() });
    }

    fn turbo(&mut self, filtered: &Filtered) {
        let Some(root) = turbo::root(&filtered.folder, self.scene.home) else { return };
        let folder = root.parent().unwrap_or(&filtered.folder);
        if version(folder, "turbo").is_some_and(|version| version < Version(2, 0)) {
            return; // version 1 lets all through
        }
        let home = self.scene.home;
        let mut read = |file: &Path| {
            Turbo::of_file(file).map_err(|why| {
                let effect = format!("{why}, so nobody knows what turbo keeps from its tasks");
                self.add(Hazard { file: Some(file.to_owned()), effect, ..Hazard::default() });
            })
        };
        let Ok(own) = read(&root) else { return };
        let mut packages = Vec::new();
        let workspace = Workspace::around(folder, home);
        for (at, name) in workspace.folders.iter().zip(workspace.names()) {
            let Some(file) = turbo::file_in(at) else { continue };
            let Ok(package) = read(&file) else { return };
            packages.extend(name.clone().map(|name| (name, package)));
        }
        let packages: Vec<(&str, &Turbo)> = packages.iter().map(|(name, own)| (name.as_str(), own)).collect();
        let mode = match &filtered.mode {
            Some(Value::Known(name)) => Mode::named(name),
            Some(Value::Unknown) => None,
            None => self.scene.turbo_mode.and_then(Mode::named),
        };
        // The variables that turbo keeps, with the tasks that miss them and the line of the first one.
        let mut kept: Vec<(Vec<&str>, Vec<&str>, Option<usize>)> = Vec::new();
        for task in &filtered.tasks {
            let dropped = self.scene.given.variables().iter().filter_map(|variable| {
                match own.passes(task, variable, &packages, mode) {
                    Passing::Passed => None,
                    Passing::Dropped(line) => Some((*variable, line)),
                }
            });
            let dropped: Vec<_> = dropped.collect();
            let Some((_, line)) = dropped.first() else { continue };
            let names: Vec<&str> = dropped.iter().map(|(name, _)| *name).collect();
            match kept.iter_mut().find(|(known, ..)| *known == names) {
                Some((_, tasks, _)) => tasks.push(task),
                None => kept.push((names, vec![task], *line)),
            }
        }
        for (names, tasks, line) in kept {
            let quoted: Vec<String> = tasks.iter().map(|task| format!("'{}'", task.escape_debug())).collect();
            let (task, then) = match quoted.as_slice() {
                [one] => (format!("task {one}"), "which then uses"),
                [first @ .., last] => (format!("tasks {} and {last}", first.join(", ")), "which then use"),
                [] => continue,
            };
            let effect = format!(
                "has turbo keep {} from {task}, {then} another sign-in, or none; \
                 \"globalPassThroughEnv\": [\"CLOUDFLARE_*\"] lets it through",
                names.join(" and "),
            );
            self.add(Hazard { file: Some(root.clone()), line, effect, ..Hazard::default() });
        }
    }
}

/// The configurations that wrangler may take for a call, and whether their environments count: a generated one has
/// none.
fn configurations(visit: &Visit) -> Vec<(Configuration, bool)> {
    if !visit.configurations.is_empty() {
        let named = visit.configurations.iter().filter_map(|file| wrangler::named(file.clone()));
        return named.map(|named| (named, true)).collect();
    }
    let folders = if visit.beside.is_empty() { std::slice::from_ref(&visit.folder) } else { &visit.beside };
    let mut found = Vec::new();
    for folder in folders {
        found.extend(wrangler::own(folder).map(|own| (own, true)));
        found.extend(wrangler::redirected(folder).map(|generated| (generated, false)));
    }
    found
}

/// The account in wrangler's cache for Pages, and its line.
fn cached_account(file: &Path) -> Result<Option<(usize, String)>, String> {
    let small = file::read(file, LIMIT, None).map_err(|refusal| refusal.why())?;
    let text = jsonc::text(&small.map(|small| small.bytes).unwrap_or_default());
    let value = jsonc::parse(&text)?;
    let property = value.as_object().and_then(|object| jsonc::property(object, "account_id"));
    let Some(property) = property else { return Ok(None) };
    let Some(id) = property.value.as_string_lit() else { return Ok(None) };
    let (line, _) = position(text.as_bytes(), jsonc_parser::common::Ranged::start(property));
    Ok(Some((line, id.value.to_string())))
}

fn rules_name(rules: Rules, program: &Program) -> String {
    match rules {
        Rules::Wrangler => "wrangler".to_owned(),
        Rules::Npm1 => "npm alchemy 1".to_owned(),
        Rules::Npm2 => "npm alchemy 2".to_owned(),
        Rules::Code => format!("what {} runs", program.name),
    }
}

/// An entry that counts, where it is.
type Place<'a> = (&'a Path, &'a Entry<'a>);

/// What the entries do to a program.
fn effects<'a>(
    scene: &Scene,
    rules: Rules,
    is_above: bool,
    entry: &dyn Fn(&str) -> Option<Place<'a>>,
) -> Vec<(Place<'a>, &'static str, Effect)> {
    let set = |name: &'static str| entry(name).filter(|(_, e)| !e.value.is_empty()).map(|at| (at, name));
    let what = scene.given.name();
    let before = |(at, name)| (at, name, Effect::Before(what));
    let beside = |(at, name)| (at, name, Effect::Beside(what));
    let headers = |name: &'static str| set(name).filter(|((_, e), _)| authenticates(&e.value)).map(before);
    // Of a file that goes before the variables: what was given, and the account.
    let above = || {
        let own = |((_, e), _): &(Place, _)| {
            scene.account.is_none_or(|account| e.value.eq_ignore_ascii_case(account.id.as_str()))
        };
        let account = set(ACCOUNT_ID).filter(|found| !own(found));
        let account = account.map(|(at, name)| (at, name, Effect::Before("account")));
        let token = set(API_TOKEN);
        let key = if scene.given == Given::Key && token.is_none() {
            [set(API_KEY), set(EMAIL)]
        } else {
            [None, None]
        };
        token.into_iter().chain(key.into_iter().flatten()).map(before).chain(account)
    };
    let mut effects: Vec<_> = match (rules, scene.given) {
        (Rules::Wrangler, given) => {
            // An old name is read only where the new one is not there at all.
            let either = |new, old| if entry(new).is_some() { set(new) } else { set(old) };
            let (key, email) = (either(API_KEY, "CF_API_KEY"), either(EMAIL, "CF_EMAIL"));
            let mut found: Vec<_> = match (given, key, email) {
                (Given::Key, ..) => Vec::new(),
                (Given::Token, Some(key), Some(_)) => vec![before(key)],
                // Each becomes a header of its own, an empty one too.
                (Given::Token, ..) => {
                    let alone = [API_KEY, EMAIL].into_iter();
                    alone.filter_map(|name| Some(beside((entry(name)?, name)))).collect()
                }
            };
            found.extend(headers("CLOUDFLARE_API_HEADERS"));
            if is_above {
                found.extend(above());
            }
            found
        }
        (Rules::Npm1, Given::Token) if !scene.blank_key => set(API_KEY).map(before).into_iter().collect(),
        (Rules::Npm2, _) if is_above => above().collect(),
        (Rules::Npm2, Given::Key) => set(API_TOKEN).map(before).into_iter().collect(),
        (Rules::Npm1, _) | (Rules::Npm2, Given::Token) => Vec::new(),
        (Rules::Code, given) => {
            let mut found: Vec<_> = match given {
                Given::Token => match (set(API_KEY), set(EMAIL)) {
                    (Some(key), Some(_)) => vec![before(key)],
                    alone => [alone.0, alone.1].into_iter().flatten().map(beside).collect(),
                },
                Given::Key => set(API_TOKEN).map(beside).into_iter().filter(|_| !is_above).collect(),
            };
            found.extend(set("CLOUDFLARE_API_USER_SERVICE_KEY").map(beside));
            found.extend(headers("CLOUDFLARE_API_HEADERS"));
            found.extend(headers("CLOUDFLARE_CUSTOM_HEADERS"));
            if is_above {
                found.extend(above());
            }
            found
        }
    };
    // Node reads this one when it connects, so an entry counts in all of them (measured); a proxy only in code.
    let tls = set(CHECK).filter(|((_, e), _)| e.value == "0");
    effects.extend(tls.map(|(at, name)| (at, name, Effect::Unchecked)));
    if rules == Rules::Code {
        effects.extend(PROXIES.into_iter().filter_map(set).map(|(at, name)| (at, name, Effect::Proxy(what))));
    }
    effects
}

/// Whether headers have some that say who is asking.
fn authenticates(headers: &str) -> bool {
    let headers = headers.to_ascii_lowercase();
    ["authorization", "x-auth-"].iter().any(|name| headers.contains(name))
}
