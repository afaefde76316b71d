//! Where the words of a command lead: which programs of the table they call, in which folders, with which
//! environments, files and configurations. Nothing is run.
//!
//! A direct call of a program that is known is read word by word. Behind everything else (a script of a package, a
//! shell, a program that is not known) other calls may be made than those that can be seen: [`Leads::is_sure`] is false
//! then, and [`super::hazards`] takes into account whatever lies there. What can be seen all the same (in the words, in
//! scripts, in what scripts call) is evidence, by which a person is warned.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::assignments::{Assigned, Assignment, Variables, variable};
use super::options::Parsed;
use super::packages::Package;
use super::programs::{EnvFiles, Program, Role, called};
use super::words::{NEW_FOLDER, Value, Word};
use super::workspaces::Workspace;

/// The most that scripts call scripts.
const DEPTH: u8 = 8;
/// The most commands that are read.
const COMMANDS: usize = 2_500;
/// How many bytes of a text cost as much as a command.
const TEXT: usize = 1024;
/// The most environments, tasks and unknown things that are told apart.
pub(super) const NAMES: usize = 64;
/// The most folders that are led to.
const FOLDERS: usize = 2048;
/// The most parts of a folder's path to which a text goes: each folder above it is looked through.
const PARTS: usize = 64;

/// A call of a program of the table that can be seen.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    /// The program.
    pub program: &'static Program,
    /// Where it runs.
    pub folder: PathBuf,
    /// The environment that its own words name.
    pub environment: Option<Value>,
    /// The mode of `.env` files that its own words name.
    pub mode: Option<&'static str>,
    /// What an assignment before it says.
    pub variables: Variables,
    /// The `.env` files that it is named; none where it takes its own.
    pub env_files: Vec<PathBuf>,
    /// `.env` files that another program has loaded before it.
    pub inherited: Vec<PathBuf>,
    /// The entries of the files go before the variables.
    pub is_above: bool,
    /// The configurations that it is named.
    pub configurations: Vec<PathBuf>,
    /// The folders beside whose scripts it looks for its configuration, instead of its own.
    pub beside: Vec<PathBuf>,
    /// It is one of the commands for Pages.
    pub is_pages: bool,
    /// Words or scripts say that it is called, and not only that it may be.
    pub is_certain: bool,
}

/// How surely words lead to a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Something there may be run.
    Possible,
    /// A path among the words is in it.
    Named,
    /// An option, `cd`, or the path of what is run says so.
    Reached,
}

/// Whether commands call what needs a credential.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reaches {
    /// All that they call is known, and none of it does.
    #[default]
    Nothing,
    /// They call something that may.
    Unknown,
    /// They call a client.
    Client,
}

/// A folder that words lead to.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    /// The folder, by its real path.
    pub path: PathBuf,
    /// How surely.
    pub level: Level,
}

/// Something that could not be looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// The file in which it stands; `None` for the command itself.
    pub file: Option<PathBuf>,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// What it is, in words that follow the place.
    pub what: String,
}

/// A call of a program that keeps variables from what it starts.
#[derive(Debug, Clone)]
pub(crate) struct Filtered {
    /// The program.
    pub program: &'static Program,
    /// The file in which the call stands; `None` for the command itself.
    pub file: Option<PathBuf>,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// Where it runs.
    pub folder: PathBuf,
    /// What turbo is to run.
    pub tasks: Vec<String>,
    /// Words or scripts say that it is made, and a client of the table is behind it; else both may be.
    pub is_certain: bool,
    /// The variables that its words let through.
    pub kept: Vec<String>,
    /// `--env-mode`, else what an assignment says.
    pub mode: Option<Value>,
}

/// Where the words of a command lead.
#[derive(Debug, Default)]
pub(crate) struct Leads {
    /// All that is called can be seen.
    pub is_sure: bool,
    /// The calls that can be seen.
    pub visits: Vec<Visit>,
    /// The folders, of which the first is the one that the command is started in.
    pub folders: Vec<Folder>,
    /// Environments that words name to a program that may do anything with them.
    pub names: Vec<String>,
    /// What could not be looked through.
    pub unknown: Vec<Unknown>,
    /// The calls that keep variables back.
    pub filtered: Vec<Filtered>,
    /// Assignments of variables that give a credential, an account or an address.
    pub assignments: Vec<Assignment>,
}

impl Leads {
    /// Of a command with its arguments; without any, of a shell, in which anything may follow. `has_cdpath`: the
    /// environment has a `CDPATH`, by which a shell looks for folders.
    pub(crate) fn of(command: &[OsString], directory: &Path, home: &Path, has_cdpath: bool) -> Self {
        let mut walk = Walk {
            home,
            left: COMMANDS,
            read: HashMap::new(),
            workspaces: HashMap::new(),
            places: HashMap::new(),
            reaches: Reaches::default(),
            loaded: HashSet::new(),
            unparsed: HashSet::new(),
            is_guess: false,
            leads: Self { is_sure: true, ..Self::default() },
        };
        walk.leads.folders.push(Folder { path: directory.to_owned(), level: Level::Reached });
        walk.places.insert(directory.to_owned(), 0);
        let at = At {
            folder: directory.to_owned(),
            variables: Variables { has_cdpath, ..Variables::default() },
            inherited: Vec::new(),
            file: None,
            line: None,
            script: None,
            source: None,
            depth: DEPTH,
            is_piped: false,
        };
        if command.is_empty() {
            walk.leads.is_sure = false;
        } else {
            let words: Vec<Word> = command.iter().map(|word| Word::given(word)).collect();
            walk.command(&words, &at);
        }
        walk.leads
    }
}

/// Where in all that is read a command stands.
#[derive(Clone)]
pub(super) struct At {
    pub(super) folder: PathBuf,
    pub(super) variables: Variables,
    pub(super) inherited: Vec<PathBuf>,
    pub(super) file: Option<PathBuf>,
    pub(super) line: Option<usize>,
    /// The script that a text is of, by which it knows itself.
    pub(super) script: Option<PathBuf>,
    /// The file that the text stands in.
    pub(super) source: Option<PathBuf>,
    /// How much deeper scripts may call scripts.
    pub(super) depth: u8,
    /// A pipe leads to it: what a shell or a runtime reads from there is known only when it runs.
    pub(super) is_piped: bool,
}

impl At {
    /// The place of what belongs to the whole command.
    pub(super) fn nowhere() -> Self {
        Self {
            folder: PathBuf::new(),
            variables: Variables::default(),
            inherited: Vec::new(),
            file: None,
            line: None,
            script: None,
            source: None,
            depth: 0,
            is_piped: false,
        }
    }
}

pub(super) struct Walk<'a> {
    pub(super) home: &'a Path,
    /// How many more commands are read.
    pub(super) left: usize,
    /// The packages that were read, by their folders.
    pub(super) read: HashMap<PathBuf, Option<Rc<Package>>>,
    /// The workspaces, by the folders from which they were looked for.
    pub(super) workspaces: HashMap<PathBuf, Rc<Workspace>>,
    /// The places of the folders among those that are led to.
    places: HashMap<PathBuf, usize>,
    /// What the commands have called by now.
    reaches: Reaches,
    /// The `.env` files that were loaded: where, whether above the variables, and with what around them.
    pub(super) loaded: HashSet<(PathBuf, PathBuf, bool, String)>,
    /// The texts that nobody here understands, as they were read, with the folder that they were read in.
    pub(super) unparsed: HashSet<(PathBuf, PathBuf)>,
    /// What is read need not be run: see [`Walk::guess`].
    pub(super) is_guess: bool,
    pub(super) leads: Leads,
}

impl Walk<'_> {
    pub(super) fn command(&mut self, words: &[Word], at: &At) {
        let mut at = at.clone();
        let assigned = words.iter().take_while(|word| word.assignment().is_some()).count();
        let (assignments, words) = words.split_at(assigned);
        // Another process: the text that calls it is none of its own.
        (at.script, at.source) = (None, None);
        let Some(head) = words.first() else { return };
        if !self.may_read(&at) {
            return;
        }
        let program = head.program().and_then(called);
        let place = at.clone();
        let is_harmless =
            program.is_some_and(|program| program.role == Role::Harmless && program.variables.is_empty());
        for (name, value) in assignments.iter().filter_map(Word::assignment).filter(|_| !is_harmless) {
            self.assign(name, Some(&value), &place, &mut at.variables);
        }
        let names_variable = |word: &Word| word.text.to_string_lossy().contains("CLOUDFLARE_");
        if words.iter().any(names_variable) {
            self.note(Reaches::Client);
        }
        if let Some(program) = program {
            self.known(program, words, &at);
        } else {
            self.note(Reaches::Unknown);
            self.other(words, &at);
        }
    }

    pub(super) fn note(&mut self, reaches: Reaches) {
        self.reaches = self.reaches.max(reaches);
    }

    /// Notes what a program of the table is.
    pub(super) fn note_program(&mut self, program: &Program) {
        self.note(match program.role {
            Role::Client => Reaches::Client,
            _ if !program.variables.is_empty() => Reaches::Client,
            Role::Runtime | Role::Open => Reaches::Unknown,
            _ => Reaches::Nothing,
        });
    }

    /// What the commands reach that are read meanwhile.
    pub(super) fn reached_by(&mut self, read: impl FnOnce(&mut Self)) -> Reaches {
        let before = std::mem::take(&mut self.reaches);
        read(self);
        let reached = self.reaches;
        self.note(before);
        reached
    }

    /// Reads what only may be run: whatever it leads to is possible, and nothing of it is evident.
    pub(super) fn guess(&mut self, read: impl FnOnce(&mut Self)) {
        let (visits, filtered, names) =
            (self.leads.visits.len(), self.leads.filtered.len(), self.leads.names.len());
        let is_inner = std::mem::replace(&mut self.is_guess, true);
        read(self);
        self.is_guess = is_inner;
        self.leads.is_sure = false;
        self.leads.visits.iter_mut().skip(visits).for_each(|visit| visit.is_certain = false);
        self.leads.filtered.iter_mut().skip(filtered).for_each(|filtered| filtered.is_certain = false);
        // All environments are possible where not all that runs can be seen.
        self.leads.names.truncate(names);
    }

    /// Takes one command from those that may be read. The first one beyond them is told, and no other.
    pub(super) fn may_read(&mut self, at: &At) -> bool {
        self.take(1, at)
    }

    /// Takes what it costs to cut a text into its commands: a short text may be read any number of times, a long one
    /// only a few.
    pub(super) fn may_cut(&mut self, text: &str, at: &At) -> bool {
        self.take(text.len() / TEXT, at)
    }

    fn take(&mut self, count: usize, at: &At) -> bool {
        if self.left > 0 {
            self.left = self.left.saturating_sub(count);
            if self.left == 0 {
                self.tell(at, "calls more programs than are looked at".to_owned());
            }
        }
        if self.left == 0 {
            self.note(Reaches::Unknown);
        }
        self.left > 0
    }

    pub(super) fn visit(
        &mut self,
        program: &'static Program,
        parsed: &Parsed,
        folder: &Path,
        at: &At,
    ) -> Visit {
        let configurations = parsed.configurations.iter().filter_map(|word| self.path(word, folder));
        let visit = Visit {
            environment: parsed.environments.last().map(Value::of),
            variables: at.variables.clone(),
            env_files: self.listed(&parsed.env_files, folder),
            inherited: at.inherited.clone(),
            configurations: configurations.collect(),
            ..Visit::plain(program, folder, None)
        };
        let unknown = parsed.env_files.iter().chain(&parsed.configurations).any(|word| !word.is_known);
        if unknown {
            self.unknown(at, format!("names {} a file that is known only when it runs", program.name));
        }
        visit
    }

    /// The files that words name. Foreman and dotenvx take a list in one word.
    pub(super) fn listed(&self, words: &[Word], folder: &Path) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for word in words {
            let Some(whole) = self.path(word, folder) else { continue };
            if whole.is_file() || !word.str().contains(',') {
                files.push(whole);
                continue;
            }
            let parts = word.str().split(',').map(|part| Word { text: part.trim().into(), ..word.clone() });
            files.extend(parts.filter_map(|part| self.path(&part, folder)));
        }
        files
    }

    /// The folder that a word leads to from where a command runs, which is reached by it.
    pub(super) fn enter(&mut self, word: Option<&Word>, at: &At) -> PathBuf {
        let Some(word) = word else { return at.folder.clone() };
        let text = word.text.to_string_lossy();
        // A shell makes other words of braces and `~NAME`.
        let is_elsewhere =
            text == "-" || (text.starts_with('~') && text.len() > 1 && !text.starts_with("~/"));
        let is_below = |path: &Path| {
            path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        };
        let may_be_absent = is_below(Path::new(&word.text)) && !text.contains(['{', '}', '~']);
        let may_be_there = |path: &Path| {
            path.is_dir() || text == NEW_FOLDER || (may_be_absent && path.components().count() < PARTS)
        };
        let path = self.path(word, &at.folder).filter(|path| !is_elsewhere && may_be_there(path));
        if let Some(path) = path {
            self.reach(&path, Level::Reached);
            real(&path)
        } else {
            // What a command in `$(…)` writes is no part of the word's text.
            let is_written = !word.is_known && (text.is_empty() || text.starts_with('/'));
            let written = if is_written && !text.contains(['$', '*', '?', '[']) { "$(…)" } else { "" };
            let what = format!("goes to {written}{text}, a folder that is known only when it runs");
            self.unknown(at, what);
            at.folder.clone()
        }
    }

    pub(super) fn path(&self, word: &Word, folder: &Path) -> Option<PathBuf> {
        if !word.is_known || word.text.is_empty() {
            return None;
        }
        let path = Path::new(&word.text);
        let path = path.strip_prefix("~").map_or_else(|_| folder.join(path), |below| self.home.join(below));
        // People are shown no `.` and `..` that says nothing.
        let plain: PathBuf = path.components().collect();
        if !plain.components().any(|part| part == Component::ParentDir) {
            return Some(plain);
        }
        match (plain.parent(), plain.file_name()) {
            (Some(parent), Some(name)) => Some(real(parent).join(name)),
            _ => Some(real(&plain)),
        }
    }

    pub(super) fn reach(&mut self, path: &Path, level: Level) {
        let path = real(path);
        let level = if self.is_guess { Level::Possible } else { level };
        let next = self.leads.folders.len();
        let place = self.places.get(&path).and_then(|place| self.leads.folders.get_mut(*place));
        match place {
            Some(folder) => folder.level = folder.level.max(level),
            None if next < FOLDERS => {
                self.places.insert(path.clone(), next);
                self.leads.folders.push(Folder { path, level });
            }
            None => self.tell(&At::nowhere(), format!("leads to more than {FOLDERS} folders")),
        }
    }

    /// Of many unknown things the first ones are told: one is enough to refuse the command.
    pub(super) fn unknown(&mut self, at: &At, what: String) {
        self.note(Reaches::Unknown);
        if self.leads.unknown.len() < NAMES {
            self.tell(at, what);
        }
    }

    /// Scripts run others more often than is looked at: that is told once.
    pub(super) fn tell_depth(&mut self, at: &At) {
        self.note(Reaches::Unknown);
        let what = format!("runs scripts that run more than {DEPTH} others");
        if self.leads.unknown.iter().all(|unknown| unknown.what != what) {
            self.tell(at, what);
        }
    }

    pub(super) fn tell(&mut self, at: &At, what: String) {
        self.note(Reaches::Unknown);
        let unknown = Unknown { file: at.file.clone(), line: at.line, what };
        if !self.leads.unknown.contains(&unknown) {
            self.leads.unknown.push(unknown);
        }
    }
}

impl Walk<'_> {
    /// Notes what an assignment gives a variable, or without a value that the variable is taken away.
    pub(super) fn assign(&mut self, name: &str, value: Option<&Word>, at: &At, variables: &mut Variables) {
        variables.assign(name, value);
        let Some((variable, kind)) = variable(name) else { return };
        let assignment = Assignment {
            file: at.file.clone(),
            line: at.line,
            variable,
            kind,
            assigned: value.map_or(Assigned::Nothing, |value| Assigned::of(value, kind)),
            is_certain: !self.is_guess && !at.variables.tested.contains(&variable),
        };
        if self.leads.assignments.contains(&assignment) {
            return;
        }
        if self.leads.assignments.len() < NAMES {
            self.leads.assignments.push(assignment);
        } else {
            self.tell(&At::nowhere(), format!("sets variables in more than {NAMES} places"));
        }
    }
}

impl Visit {
    /// A call in a folder, of which no more is known than the environment.
    pub(crate) fn plain(program: &'static Program, folder: &Path, environment: Option<&str>) -> Self {
        Self {
            program,
            folder: folder.to_owned(),
            environment: environment.map(|name| Value::Known(name.to_owned())),
            mode: None,
            variables: Variables::default(),
            env_files: Vec::new(),
            inherited: Vec::new(),
            is_above: program.is_above,
            configurations: Vec::new(),
            beside: Vec::new(),
            is_pages: false,
            is_certain: true,
        }
    }

    /// The `.env` files, of which a later one goes before an earlier one. `mode` is what `NODE_ENV` says;
    /// `CLOUDFLARE_ENV` chooses none (measured).
    pub(crate) fn files(&self, mode: Option<&str>) -> Vec<PathBuf> {
        if !self.env_files.is_empty() {
            return self.env_files.clone();
        }
        let environment = match &self.environment {
            Some(Value::Known(name)) => Some(name.as_str()),
            _ => None,
        };
        let names = match self.program.env_files {
            EnvFiles::Named => Vec::new(),
            EnvFiles::One => vec![".env".to_owned()],
            EnvFiles::ByEnvironment => by_environment(environment),
            EnvFiles::ByMode(_, usual) => {
                let variable = match &self.variables.mode {
                    Some(Value::Known(name)) => Some(name.as_str()),
                    _ => mode,
                };
                let variable = variable.filter(|name| ["development", "production", "test"].contains(name));
                let mode = environment.or(self.mode).or(variable).unwrap_or(usual);
                by_mode(mode)
            }
        };
        names.into_iter().map(|name| self.folder.join(name)).collect()
    }
}

/// `.env`, `.env.local` and those of an environment, in wrangler's order.
fn by_environment(name: Option<&str>) -> Vec<String> {
    let mut names = vec![".env".to_owned(), ".env.local".to_owned()];
    if let Some(name) = name.filter(|name| is_plain(name)) {
        names.extend([format!(".env.{name}"), format!(".env.{name}.local")]);
    }
    names
}

/// The same for a mode, in the order of bun, Next and Vite; a test takes no `.env.local`.
fn by_mode(mode: &str) -> Vec<String> {
    let mut names = vec![".env".to_owned()];
    let mode = Some(mode).filter(|mode| is_plain(mode));
    names.extend(mode.map(|mode| format!(".env.{mode}")));
    names.extend(mode.filter(|mode| *mode != "test").map(|_| ".env.local".to_owned()));
    names.extend(mode.map(|mode| format!(".env.{mode}.local")));
    names
}

/// A file's name is made of any text; only a plain one names an environment.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// A folder by its real path: what is above `..` is not known by words.
pub(super) fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
