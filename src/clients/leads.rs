//! Where the words of a command lead: which programs of the table they call, in which folders, with which
//! environments, files and configurations. Nothing is run.
//!
//! A direct call of a program that is known is read word by word. Behind everything else (a script of a package, a
//! shell, a program that is not known) other calls may be made than those that can be seen: [`Leads::is_sure`] is false
//! then, and [`super::hazards`] takes into account whatever lies there. What can be seen all the same (in the words, in
//! scripts, in what scripts call) is evidence, by which a person is warned.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::options::Parsed;
use super::packages::{Package, Workspace, is_env_file, nearest};
use super::programs::{EnvFiles, Program, Role, called};
use super::words::{Piece, Word, pieces};
use crate::directory::file;

/// The most that scripts call scripts.
pub(super) const DEPTH: u8 = 8;
/// The most commands that are read.
const COMMANDS: usize = 500;
/// The most words of a command that are looked up as paths.
const PATHS: usize = 64;
/// The most environments, tasks and unknown things that are told apart.
pub(super) const NAMES: usize = 64;
/// The most folders that are led to.
const FOLDERS: usize = 1024;
/// The most that is read of a script's file, in bytes.
const SCRIPT: u64 = 256 * 1024;

/// A value that words give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// This one.
    Known(String),
    /// One that is known only when the command runs.
    Unknown,
}

impl Value {
    pub(super) fn of(word: &Word) -> Self {
        if word.is_known { Self::Known(word.text.to_string_lossy().into_owned()) } else { Self::Unknown }
    }
}

/// A call of a program of the table that can be seen.
#[derive(Debug, Clone)]
pub struct Visit {
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
}

/// Variables that choose what is loaded, as far as an assignment among the words sets them.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// `CLOUDFLARE_ENV`.
    pub environment: Option<Value>,
    /// `NODE_ENV`.
    pub mode: Option<Value>,
    /// `TURBO_ENV_MODE`.
    pub turbo: Option<Value>,
    /// `CDPATH` is set, by which a shell looks for folders.
    pub has_cdpath: bool,
}

impl Variables {
    fn assign(&mut self, name: &str, value: &Word) {
        self.has_cdpath |= name == "CDPATH" && !value.text.is_empty();
        let place = match name {
            "CLOUDFLARE_ENV" => &mut self.environment,
            "NODE_ENV" => &mut self.mode,
            "TURBO_ENV_MODE" => &mut self.turbo,
            _ => return,
        };
        *place = Some(Value::of(value));
    }
}

/// How surely words lead to a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something there may be run.
    Possible,
    /// A path among the words is in it.
    Named,
    /// An option, `cd`, or the path of what is run says so.
    Reached,
}

/// A folder that words lead to.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The folder, by its real path.
    pub path: PathBuf,
    /// How surely.
    pub level: Level,
}

/// Something that could not be looked through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The file in which it stands; `None` for the command itself.
    pub file: Option<PathBuf>,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// What it is, in words that follow the place.
    pub what: String,
}

/// A call of a program that keeps variables from what it starts.
#[derive(Debug, Clone)]
pub struct Filtered {
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
    /// The variables that its words let through.
    pub kept: Vec<String>,
    /// `--env-mode`, else what an assignment says.
    pub mode: Option<Value>,
}

/// Where the words of a command lead.
#[derive(Debug, Default)]
pub struct Leads {
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
}

impl Leads {
    /// Of a command with its arguments; without any, of a shell, in which anything may follow.
    #[must_use]
    pub fn of(command: &[OsString], directory: &Path, home: &Path) -> Self {
        let mut walk = Walk {
            home,
            left: COMMANDS,
            read: HashMap::new(),
            workspaces: HashMap::new(),
            leads: Self { is_sure: true, ..Self::default() },
        };
        walk.leads.folders.push(Folder { path: directory.to_owned(), level: Level::Reached });
        let at = At {
            folder: directory.to_owned(),
            variables: Variables::default(),
            inherited: Vec::new(),
            file: None,
            line: None,
            depth: DEPTH,
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
    /// How much deeper scripts may call scripts.
    pub(super) depth: u8,
}

impl At {
    /// The place of what belongs to the whole command.
    fn nowhere() -> Self {
        Self {
            folder: PathBuf::new(),
            variables: Variables::default(),
            inherited: Vec::new(),
            file: None,
            line: None,
            depth: 0,
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
    pub(super) leads: Leads,
}

impl Walk<'_> {
    pub(super) fn command(&mut self, words: &[Word], at: &At) {
        let mut at = at.clone();
        let assigned = words.iter().take_while(|word| word.assignment().is_some()).count();
        let (assignments, words) = words.split_at(assigned);
        for (name, value) in assignments.iter().filter_map(Word::assignment) {
            at.variables.assign(name, &value);
        }
        let Some(head) = words.first() else { return };
        if !self.may_read(&at) {
            return;
        }
        match head.program().and_then(called) {
            Some(program) => self.known(program, words, &at),
            None => self.other(words, &at),
        }
    }

    /// Takes one command from those that may be read. The first one beyond them is told, and no other.
    pub(super) fn may_read(&mut self, at: &At) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            if left == 0 {
                self.tell(at, "calls more programs than are looked at".to_owned());
            }
        }
        self.left > 0
    }

    /// A program that the table does not have: what it does with its words is not known.
    pub(super) fn other(&mut self, words: &[Word], at: &At) {
        self.leads.is_sure = false;
        if let Some(head) = words.first() {
            self.script_file(head, at, false);
        }
        let rest = words.get(1..).unwrap_or_default();
        self.evidence(rest, at);
        let mut inner = at.clone();
        for (place, word) in rest.iter().enumerate() {
            if let Some((name, value)) = word.assignment() {
                inner.variables.assign(name, &value);
            }
            let text = word.text.to_string_lossy();
            if text.contains(char::is_whitespace) {
                // It need not be a shell's.
                let mut pieces = pieces(&text);
                pieces.retain(|piece| !matches!(piece, Piece::Unended(_)));
                self.pieces(pieces, &inner);
            }
            // `concurrently npm:deploy`
            if let Some(name) = text.strip_prefix("npm:") {
                let package = nearest(&at.folder, self.home).map(Path::to_owned);
                if let Some(package) = package.and_then(|folder| self.package(&folder, at)) {
                    self.run_script(&package, name, &[], at);
                }
            }
            let program = word.program().and_then(called).filter(|row| row.role != Role::Harmless);
            if program.is_some() {
                return self.command(rest.get(place..).unwrap_or_default(), &inner);
            }
        }
    }

    /// What the words of a program say that may do anything with them: environments, and paths.
    pub(super) fn evidence(&mut self, words: &[Word], at: &At) {
        for (place, word) in words.iter().enumerate() {
            let value = match word.option() {
                Some(("-e" | "--env", Some(value))) => Some(value),
                Some(("-e" | "--env", None)) => {
                    words.get(place + 1).filter(|next| !next.is_option()).cloned()
                }
                _ => word.assignment().filter(|(name, _)| *name == "CLOUDFLARE_ENV").map(|(_, value)| value),
            };
            self.name(value.as_ref());
        }
        let value = |word: &Word| word.str().split_once('=').map(|(_, value)| value.to_owned());
        let is_option = |word: &&Word| word.is_option() && !word.str().contains('=');
        let candidates = words.iter().filter(|word| word.is_known && !is_option(word)).flat_map(|word| {
            let whole = if word.is_option() { None } else { Some(word.text.clone()) };
            whole.into_iter().chain(value(word).map(OsString::from))
        });
        for text in candidates.take(PATHS) {
            let word = Word { text, is_known: true };
            if word.text.is_empty() || word.text.to_string_lossy().contains(char::is_whitespace) {
                continue;
            }
            let is_path = word.text.to_string_lossy().contains('/') || word.str() == "..";
            let Some(path) = self.path(&word, &at.folder) else { continue };
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_dir() {
                self.reach(&path, if is_path { Level::Named } else { Level::Possible });
            } else if !self.name_file(&path, at)
                && is_path
                && let Some(parent) = path.parent()
                && !is_installed(&path)
            {
                self.reach(parent, Level::Named);
            }
        }
    }

    /// A file that a word names counts, where its name says what it is for.
    fn name_file(&mut self, path: &Path, at: &At) -> bool {
        let Some(name) = path.file_name() else { return false };
        let text = name.to_string_lossy();
        let is_env = is_env_file(name);
        let extension = Path::new(name).extension().and_then(OsStr::to_str);
        let is_configuration =
            text.starts_with("wrangler") && matches!(extension, Some("toml" | "json" | "jsonc"));
        if !is_env && !is_configuration {
            return false;
        }
        for program in ["wrangler", "alchemy"].into_iter().filter_map(called) {
            let mut visit = self.visit(program, &Parsed::default(), &at.folder, at);
            if is_env {
                visit.env_files.push(path.to_owned());
            } else {
                visit.configurations.push(path.to_owned());
            }
            self.leads.visits.push(visit);
        }
        true
    }

    /// An environment that words name.
    fn name(&mut self, value: Option<&Word>) {
        let Some(Value::Known(name)) = value.map(Value::of) else { return };
        if self.leads.names.contains(&name) {
            return;
        }
        if self.leads.names.len() < NAMES {
            return self.leads.names.push(name);
        }
        let what = format!("names more than {NAMES} environments");
        self.tell(&At::nowhere(), what);
    }

    /// The commands of a shell's text, to the last of which `further` words are added.
    pub(super) fn text(&mut self, text: &str, further: &[Word], at: &At) {
        let mut pieces = pieces(text);
        if let Some(Piece::Command(words, _)) = pieces.last_mut() {
            words.extend(further.iter().cloned());
        }
        self.pieces(pieces, at);
    }

    fn pieces(&mut self, pieces: Vec<Piece>, at: &At) {
        let mut at = at.clone();
        let is_file = at.line.is_none() && at.file.is_some();
        let mut outer = Vec::new();
        for piece in pieces {
            if self.left == 0 {
                return;
            }
            match piece {
                Piece::Open => outer.push(at.clone()),
                Piece::Close => at = outer.pop().unwrap_or(at),
                Piece::Unended(line) => {
                    let line = if is_file { Some(line) } else { at.line };
                    self.unknown(&At { line, ..at.clone() }, "can't be read to its end".to_owned());
                }
                Piece::Document(words, text, line) => {
                    let is_shell = |word: &Word| {
                        word.program().and_then(called).is_some_and(|row| row.role == Role::Shell)
                    };
                    if words.iter().any(is_shell) && self.may_read(&at) {
                        let line = if is_file { Some(line) } else { at.line };
                        self.text(&text, &[], &At { line, ..at.clone() });
                    }
                }
                Piece::Command(words, line) => {
                    let mut here = at.clone();
                    if is_file {
                        here.line = Some(line);
                    }
                    self.line(&words, &here, &mut at);
                }
            }
        }
    }

    /// A command of a shell: `at` is where it runs, `after` where the next ones do.
    fn line(&mut self, words: &[Word], at: &At, after: &mut At) {
        let is_prefix = |word: &&Word| {
            let prefixes = [
                "if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "exec", "command",
                "builtin",
            ];
            prefixes.contains(&word.str())
        };
        let words = words.get(words.iter().take_while(is_prefix).count()..).unwrap_or_default();
        if words.iter().all(|word| word.assignment().is_some()) {
            self.may_read(at);
            for (name, value) in words.iter().filter_map(Word::assignment) {
                after.variables.assign(name, &value);
            }
            return;
        }
        let is_own = ["cd", "pushd", "chdir", "export", "set", "declare", "typeset", ".", "source"]
            .contains(&words.first().map(Word::str).unwrap_or_default());
        if is_own && !self.may_read(at) {
            return;
        }
        let argument = || words.iter().skip(1).find(|word| !word.is_option() || word.str() == "-");
        match words.first().map(Word::str).unwrap_or_default() {
            "cd" | "pushd" | "chdir" => {
                let home = Word { text: "~".into(), is_known: true };
                let to = argument().cloned().unwrap_or(home);
                after.folder = self.enter(Some(&to), at);
            }
            "export" | "set" | "declare" | "typeset" => {
                for (name, value) in words.iter().filter_map(Word::assignment) {
                    after.variables.assign(name, &value);
                }
            }
            "." | "source" => {
                let Some(file) = argument() else { return };
                let path = self.path(file, &at.folder);
                let is_env = path.as_deref().and_then(Path::file_name).is_some_and(is_env_file);
                if let (Some(path), true) = (path, is_env) {
                    // A shell sets what stands there, whatever was set before.
                    for program in [called("sh"), called("wrangler")].into_iter().flatten() {
                        let mut visit = self.visit(program, &Parsed::default(), &at.folder, at);
                        visit.is_above = true;
                        visit.env_files.push(path.clone());
                        self.leads.visits.push(visit);
                    }
                } else {
                    self.script_file(file, at, true);
                }
            }
            _ => self.command(words, at),
        }
    }

    /// A file that is run: its folder counts, and where it is a shell's script, what it calls.
    pub(super) fn script_file(&mut self, word: &Word, at: &At, is_shells: bool) {
        let is_path = word.text.to_string_lossy().contains('/');
        let Some(path) = self.path(word, &at.folder).filter(|_| is_path || is_shells) else { return };
        if !path.is_file() {
            return;
        }
        let is_named = path.extension().is_some_and(|extension| extension == "sh" || extension == "bash");
        let small = match file::read(&path, SCRIPT, None) {
            Ok(Some(small)) => small,
            // So large is a program, unless something says that it is a script.
            Err(_) if is_shells || is_named => {
                return self.unknown(at, format!("runs {}, which could not be read whole", path.display()));
            }
            Ok(None) | Err(_) => return,
        };
        let text = String::from_utf8_lossy(&small.bytes);
        if text.contains('\0') {
            return;
        }
        let first = text.lines().next().unwrap_or_default();
        let interpreter = first.strip_prefix("#!").filter(|_| !is_shells).map(interpreter);
        if interpreter.is_some() && is_installed(&path) {
            return;
        }
        if let Some(parent) = path.parent() {
            self.reach(parent, Level::Reached);
        }
        if at.depth == 0 {
            return self.unknown(at, format!("runs scripts that run more than {DEPTH} others"));
        }
        let at = At { depth: at.depth - 1, ..at.clone() };
        // A text without `#!` is run by the shell that calls it.
        let Some(mut words) = interpreter else {
            return self.text(&text, &[], &At { file: Some(path), line: None, ..at });
        };
        let is_env =
            |word: &&Word| word.is_option() || word.assignment().is_some() || word.program() == Some("env");
        let program = words.iter().find(|word| !is_env(word));
        if program.and_then(Word::program).and_then(called).is_none() {
            let what = format!("runs {}, which is no script of a shell", path.display());
            return self.unknown(&at, what);
        }
        words.push(Word::given(path.as_os_str()));
        self.command(&words, &at);
    }

    pub(super) fn visit(
        &mut self,
        program: &'static Program,
        parsed: &Parsed,
        folder: &Path,
        at: &At,
    ) -> Visit {
        let paths = |words: &[Word]| -> Vec<PathBuf> {
            words.iter().filter_map(|word| self.path(word, folder)).collect()
        };
        let visit = Visit {
            environment: parsed.environments.last().map(Value::of),
            variables: at.variables.clone(),
            env_files: paths(&parsed.env_files),
            inherited: at.inherited.clone(),
            configurations: paths(&parsed.configurations),
            ..Visit::plain(program, folder, None)
        };
        let unknown = parsed.env_files.iter().chain(&parsed.configurations).any(|word| !word.is_known);
        if unknown {
            self.unknown(at, format!("names {} a file that is known only when it runs", program.name));
        }
        visit
    }

    /// The folder that a word leads to from where a command runs, which is reached by it.
    pub(super) fn enter(&mut self, word: Option<&Word>, at: &At) -> PathBuf {
        let Some(word) = word else { return at.folder.clone() };
        let text = word.text.to_string_lossy();
        // A shell looks elsewhere for a folder by `CDPATH`, and makes other words of braces and `~NAME`.
        let is_elsewhere = text == "-"
            || (text.starts_with('~') && text.len() > 1 && !text.starts_with("~/"))
            || (at.variables.has_cdpath && !text.starts_with(['/', '.', '~']));
        let is_below = |path: &Path| {
            path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
        };
        let may_be_absent = is_below(Path::new(&word.text)) && !text.contains(['{', '}', '~']);
        let path =
            self.path(word, &at.folder).filter(|path| !is_elsewhere && (may_be_absent || path.is_dir()));
        if let Some(path) = path {
            self.reach(&path, Level::Reached);
            real(&path)
        } else {
            let what = format!("goes to {}, a folder that is known only when it runs", word.text.display());
            self.unknown(at, what);
            at.folder.clone()
        }
    }

    pub(super) fn path(&self, word: &Word, folder: &Path) -> Option<PathBuf> {
        if !word.is_known || word.text.is_empty() {
            return None;
        }
        let path = Path::new(&word.text);
        Some(match path.strip_prefix("~") {
            Ok(below) => self.home.join(below),
            Err(_) => folder.join(path),
        })
    }

    pub(super) fn reach(&mut self, path: &Path, level: Level) {
        let path = real(path);
        let is_full = self.leads.folders.len() >= FOLDERS;
        match self.leads.folders.iter_mut().find(|folder| folder.path == path) {
            Some(folder) => folder.level = folder.level.max(level),
            None if !is_full => self.leads.folders.push(Folder { path, level }),
            None => self.tell(&At::nowhere(), format!("leads to more than {FOLDERS} folders")),
        }
    }

    /// Of many unknown things the first ones are told: one is enough to refuse the command.
    pub(super) fn unknown(&mut self, at: &At, what: String) {
        if self.leads.unknown.len() < NAMES {
            self.tell(at, what);
        }
    }

    pub(super) fn tell(&mut self, at: &At, what: String) {
        let unknown = Unknown { file: at.file.clone(), line: at.line, what };
        if !self.leads.unknown.contains(&unknown) {
            self.leads.unknown.push(unknown);
        }
    }
}

impl Visit {
    /// A call in a folder, of which no more is known than the environment.
    #[must_use]
    pub fn plain(program: &'static Program, folder: &Path, environment: Option<&str>) -> Self {
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
        }
    }

    /// The `.env` files, of which a later one goes before an earlier one. `mode` is what `NODE_ENV` says;
    /// `CLOUDFLARE_ENV` chooses none (measured).
    #[must_use]
    pub fn files(&self, mode: Option<&str>) -> Vec<PathBuf> {
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

/// The words of a `#!` line. A system hands on what follows the program as one word, which `env -S` cuts.
fn interpreter(line: &str) -> Vec<Word> {
    let line = line.trim();
    let (program, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let split = rest.strip_prefix("-S").or_else(|| rest.strip_prefix("--split-string="));
    let words = split.map_or(vec![rest], |text| text.split_whitespace().collect());
    std::iter::once(program)
        .chain(words.into_iter().filter(|word| !word.is_empty()))
        .map(|word| Word::given(OsStr::new(word)))
        .collect()
}

/// True for a file of an installed package: its folder is none that a person works in.
pub(super) fn is_installed(file: &Path) -> bool {
    file.components().any(|part| part == Component::Normal("node_modules".as_ref()))
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
