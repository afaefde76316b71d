//! Reading scripts: the text of a shell, and the files that words run.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use super::assignments::named;
use super::leads::{At, Level, Walk};
use super::options::Parsed;
use super::packages::is_env_file;
use super::programs::{Role, called};
use super::words::{Known, Piece, WRITTEN, Word, is_prefix, pieces};
use crate::directory::file;
use crate::directory::npm_bin::top;

/// The most that is read of a script's file, in bytes.
pub(super) const SCRIPT: u64 = 256 * 1024;

/// Programs that write what stands in a file.
const READERS: [&str; 13] =
    ["cat", "grep", "egrep", "sed", "awk", "gawk", "tr", "sort", "head", "tail", "envsubst", "xargs", "cut"];

/// How a script comes to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Run {
    /// It is called by its own path, and its first line says what reads it.
    Itself,
    /// The same, where it is among the words of a program that may run it.
    Guessed,
    /// A shell is given it.
    ByShell,
    /// A shell reads it in the place of `. FILE`: what it changes stays.
    Sourced,
}

impl Walk<'_> {
    /// The commands of a shell's text, to the last of which `further` words are added.
    pub(super) fn text(&mut self, text: &str, further: &[Word], at: &At) {
        if !self.may_cut(text, at) {
            return;
        }
        let mut pieces = pieces(text, &self.stands_for(at));
        if let Some(Piece::Command(words, _)) = pieces.last_mut() {
            words.extend(further.iter().cloned());
        }
        self.pieces(pieces, at);
    }

    /// What a shell's words stand for in a text there.
    fn stands_for(&self, at: &At) -> Known {
        let text = |path: &Path| path.to_str().map(str::to_owned);
        let top = top(&at.folder, self.home);
        Known {
            script: at.script.as_deref().and_then(text),
            source: at.source.as_deref().and_then(text),
            root: fs::symlink_metadata(top.join(".git")).is_ok().then(|| text(top)).flatten(),
            ..Known::default()
        }
    }

    /// The commands of a text; returned is where the next ones would run.
    pub(super) fn pieces(&mut self, pieces: Vec<Piece>, at: &At) -> At {
        let mut at = at.clone();
        let is_file = at.line.is_none() && at.file.is_some();
        let (mut outer, mut is_piped) = (Vec::new(), false);
        // A text may set what it reads of a file, in many ways: a file that it reads is taken for one that it loads
        // then.
        let mut loaded = Loaded::default();
        let mut inputs: Vec<Word> = Vec::new();
        let mut rest = pieces.into_iter().peekable();
        while let Some(piece) = rest.next() {
            if self.left == 0 {
                break;
            }
            match piece {
                Piece::Open => {
                    outer.push((at.clone(), is_piped, loaded.files.len()));
                    at.is_piped |= is_piped;
                    is_piped = false;
                }
                Piece::Close => {
                    let first;
                    (at, is_piped, first) = outer.pop().unwrap_or((at, is_piped, loaded.files.len()));
                    loaded.is_written |= first < loaded.files.len();
                }
                Piece::Pipe => is_piped = true,
                Piece::Unended(line) => {
                    let line = if is_file { Some(line) } else { at.line };
                    self.unknown(&At { line, ..at.clone() }, "can't be read to its end".to_owned());
                }
                Piece::Document(words, text, line) => {
                    if words.iter().any(is_shell) && self.may_read(&at) {
                        let line = if is_file { Some(line) } else { at.line };
                        self.text(&text, &[], &At { line, ..at.clone() });
                    }
                }
                Piece::Input(file) => {
                    let path = self.readable(&file, &at);
                    loaded.files.extend(path.map(|path| (path, at.clone())));
                    inputs.push(file);
                }
                Piece::Command(words, line) => {
                    let mut here = at.clone();
                    if is_file {
                        here.line = Some(line);
                    }
                    here.is_piped |= std::mem::take(&mut is_piped);
                    let own = words.get(words.iter().take_while(|word| is_before(word)).count()..);
                    let own = own.unwrap_or_default();
                    if own.first().is_some_and(|head| READERS.contains(&head.str())) {
                        let read = own.iter().filter_map(|word| self.readable(word, &here));
                        loaded.files.extend(read.map(|file| (file, here.clone())));
                    }
                    loaded.note(own, &here);
                    let has_document = matches!(rest.peek(), Some(Piece::Document(of, ..)) if *of == words);
                    let inputs = std::mem::take(&mut inputs);
                    here.is_piped &= inputs.is_empty() && !has_document;
                    if words.iter().any(is_shell) {
                        for input in inputs {
                            self.script_file(&input, &here, Run::ByShell);
                        }
                    }
                    self.line(&words, &here, &mut at);
                }
            }
        }
        self.load_all(loaded);
        at
    }

    /// What a text sets of the files that it reads, where the names are known only when it runs.
    fn load_all(&mut self, loaded: Loaded) {
        let of_variable = loaded.of_variable.filter(|_| loaded.files.is_empty());
        for at in loaded.unknown.iter().chain(&of_variable) {
            self.unknown(at, "runs or sets what is known only when it runs".to_owned());
        }
        for (file, at) in loaded.files.iter().filter(|_| loaded.sets_unknown) {
            // A shell sets what stands there, whatever was set before.
            self.load(file, true, at);
            if loaded.is_read {
                let word = Word::given(file.as_os_str());
                self.guess(|walk| {
                    walk.script_file(&word, at, Run::ByShell);
                });
            }
        }
    }

    /// The file that a word names, which is there, or is a `.env` that may be.
    fn readable(&self, word: &Word, at: &At) -> Option<PathBuf> {
        self.env_file(word, at).or_else(|| self.path(word, &at.folder).filter(|path| path.is_file()))
    }

    /// The `.env` file that a word names.
    fn env_file(&self, word: &Word, at: &At) -> Option<PathBuf> {
        let path = self.path(word, &at.folder)?;
        path.file_name().is_some_and(is_env_file).then_some(path)
    }

    /// A file is loaded as a `.env`: above the variables, or only where none is set.
    pub(super) fn load(&mut self, file: &Path, is_above: bool, at: &At) {
        if !self.may_read(at) {
            return;
        }
        // The same file that is loaded again says the same again.
        let surroundings = format!("{} {:?} {:?}", self.is_guess, at.variables.environment, at.inherited);
        if !self.loaded.insert((file.to_owned(), at.folder.clone(), is_above, surroundings)) {
            return;
        }
        for program in [called("sh"), called("wrangler")].into_iter().flatten() {
            let mut visit = self.visit(program, &Parsed::default(), &at.folder, at);
            visit.is_above = is_above;
            visit.env_files.push(file.to_owned());
            self.leads.visits.push(visit);
        }
    }

    /// A command of a shell: `at` is where it runs, `after` where the next ones do.
    fn line(&mut self, words: &[Word], at: &At, after: &mut At) {
        let prefixes = words.iter().take_while(|word| is_prefix(word.str())).count();
        let words = words.get(prefixes..).unwrap_or_default();
        let assigned = words.iter().take_while(|word| word.assignment().is_some()).count();
        let (assignments, own) = words.split_at(assigned);
        let Some(head) = own.first() else {
            self.may_read(at);
            for (name, value) in assignments.iter().filter_map(Word::assignment) {
                self.assign(name, Some(&value), at, &mut after.variables);
            }
            return;
        };
        if !BUILTINS.contains(&head.str()) {
            return self.command(words, at);
        }
        if !self.may_read(at) {
            return;
        }
        let mut at = at.clone();
        let place = at.clone();
        for (name, value) in assignments.iter().filter_map(Word::assignment) {
            self.assign(name, Some(&value), &place, &mut at.variables);
        }
        let at = &at;
        let arguments = own.get(1..).unwrap_or_default();
        let options = arguments.iter().filter(|word| word.str().starts_with(['-', '+'])).map(Word::str);
        let is_set =
            |letter: char| options.clone().any(|option| !option.starts_with("--") && option.contains(letter));
        let names = || arguments.iter().filter(|word| !word.str().starts_with(['-', '+']));
        match head.str() {
            "cd" | "pushd" | "chdir" => {
                let to = arguments.iter().find(|word| !word.is_option() || word.str() == "-").cloned();
                let mut to = to.unwrap_or(Word { text: "~".into(), is_known: true });
                // By `CDPATH` a shell looks for a folder elsewhere.
                to.is_known &= !at.variables.has_cdpath || to.str().starts_with(['/', '.', '~']);
                after.folder = self.enter(Some(&to), at);
            }
            "export" | "declare" | "typeset" | "readonly" | "local" => {
                // `export -n NAME` and `declare +x NAME` take it from what is started.
                let is_taken = (head.str() == "export" && is_set('n')) || options.clone().any(|o| o == "+x");
                for word in names() {
                    match word.assignment() {
                        Some((name, value)) => {
                            self.assign(name, Some(&value), at, &mut after.variables);
                        }
                        None if is_taken => self.assign(word.str(), None, at, &mut after.variables),
                        None => {}
                    }
                }
            }
            // fish has `set -x NAME VALUE` and `set -e NAME`, csh `setenv NAME VALUE`.
            "set" | "setenv" => {
                let (name, value) = (names().next(), names().nth(1));
                let value = value.cloned().unwrap_or(Word { text: OsString::new(), is_known: true });
                let value = Some(&value).filter(|_| head.str() == "setenv" || !is_set('e'));
                if let Some(name) = name {
                    self.assign(name.str(), value, at, &mut after.variables);
                }
            }
            "unset" | "unsetenv" => {
                for name in names() {
                    self.assign(name.str(), None, at, &mut after.variables);
                }
            }
            "read" | "for" => {
                let unknown = Word { text: OsString::new(), is_known: false };
                let count = if head.str() == "for" { 1 } else { usize::MAX };
                for name in names().take(count) {
                    self.assign(name.str(), Some(&unknown), at, &mut after.variables);
                }
                self.evidence(names().skip(count).cloned().collect::<Vec<_>>().as_slice(), at);
            }
            "[" | "[[" | "test" => {
                let tested = arguments.iter().filter_map(|word| named(word.str()));
                after.variables.tested.extend(tested);
            }
            "eval" => {
                // What it gets of a file is read with the file.
                let text: Vec<&str> =
                    arguments.iter().map(Word::str).filter(|text| *text != WRITTEN).collect();
                let pieces = pieces(&text.join(" "), &self.stands_for(at));
                let next = self.pieces(pieces, at);
                (after.folder, after.variables) = (next.folder, next.variables);
            }
            _ => {
                let Some(file) = names().next() else { return };
                if let Some(path) = self.env_file(file, at) {
                    self.load(&path, true, at);
                } else if file.str() != WRITTEN
                    && let Some(next) = self.script_file(file, at, Run::Sourced)
                {
                    (after.folder, after.variables) = (next.folder, next.variables);
                }
            }
        }
    }

    /// A file that is run: its folder counts, and where it is a shell's script, what it calls. Returned is where the
    /// commands behind it would run, if a shell sources it.
    pub(super) fn script_file(&mut self, word: &Word, at: &At, run: Run) -> Option<At> {
        let is_shells = matches!(run, Run::ByShell | Run::Sourced);
        if is_shells && !word.is_known {
            self.unknown(at, "runs a script that is known only when it runs".to_owned());
        }
        let is_path = word.text.to_string_lossy().contains('/');
        let path = self.path(word, &at.folder).filter(|_| is_path || is_shells)?;
        // A script that calls itself is being read.
        if !path.is_file() || at.file.as_ref() == Some(&path) {
            return None;
        }
        let is_named = path.extension().is_some_and(|extension| extension == "sh" || extension == "bash");
        let bytes = match file::read_text(&path, SCRIPT) {
            Ok(Some(bytes)) => bytes,
            // So large is a program, unless something says that it is a script.
            Err(_) if is_shells || is_named => {
                let at = At { file: Some(path), line: None, ..at.clone() };
                self.unknown(&at, "is run, and could not be read whole".to_owned());
                return None;
            }
            Ok(None) | Err(_) => return None,
        };
        let text = String::from_utf8_lossy(&bytes);
        if text.contains('\0') {
            return None;
        }
        let first = text.lines().next().unwrap_or_default();
        // Other words are files of any kind.
        if run == Run::Guessed && !is_named && !first.starts_with("#!") && !is_executable(&path) {
            return None;
        }
        let interpreter = first.strip_prefix("#!").filter(|_| !is_shells).map(interpreter);
        if interpreter.is_some() && is_installed(&path) {
            return None;
        }
        if let Some(parent) = path.parent() {
            self.reach(parent, Level::Reached);
        }
        if at.depth == 0 {
            self.tell_depth(at);
            return None;
        }
        let at = At { depth: at.depth - 1, ..at.clone() };
        // A text without `#!` is run by the shell that calls it.
        let Some(mut words) = interpreter else {
            let script = if run == Run::Sourced { at.script.clone() } else { Some(path.clone()) };
            let at = At { file: Some(path.clone()), source: Some(path), script, line: None, ..at };
            if !self.may_cut(&text, &at) {
                return None;
            }
            let pieces = pieces(&text, &self.stands_for(&at));
            return Some(self.pieces(pieces, &at));
        };
        let is_env =
            |word: &&Word| word.is_option() || word.assignment().is_some() || word.program() == Some("env");
        let program = words.iter().find(|word| !is_env(word));
        if program.and_then(Word::program).and_then(called).is_none() {
            let at = At { file: Some(path), line: None, ..at };
            self.unknown(&at, "is run, and isn't a script of a shell".to_owned());
            return None;
        }
        words.push(Word::given(path.as_os_str()));
        self.command(&words, &at);
        None
    }
}

/// Commands of a shell's own, which change what follows them.
const BUILTINS: [&str; 20] = [
    "cd", "pushd", "chdir", "export", "declare", "typeset", "readonly", "local", "set", "setenv", "unset",
    "unsetenv", "read", "for", "[", "[[", "test", "eval", ".", "source",
];

/// The files that a text reads, and what it sets of them.
#[derive(Default)]
struct Loaded {
    files: Vec<(PathBuf, At)>,
    /// The commands of a `$(…)` of the next command read some.
    is_written: bool,
    /// Something sets variables whose names are known only when it runs.
    sets_unknown: bool,
    /// Something runs what is written, too.
    is_read: bool,
    /// Where something is set or run of no file that can be seen.
    unknown: Option<At>,
    /// Where something is set of a variable, which may hold what any of the files says.
    of_variable: Option<At>,
}

impl Loaded {
    /// Notes what a command does with what was read before it.
    fn note(&mut self, words: &[Word], at: &At) {
        let is_written = std::mem::take(&mut self.is_written);
        let unknown = unknown_words(words);
        if unknown.is_empty() {
            return;
        }
        self.sets_unknown = true;
        self.is_read |= words.first().is_some_and(|head| matches!(head.str(), "eval" | "." | "source"));
        if !unknown.iter().any(|word| word.str().contains(WRITTEN)) {
            self.of_variable.get_or_insert_with(|| at.clone());
        } else if !is_written {
            self.unknown.get_or_insert_with(|| at.clone());
        }
    }
}

/// True for the name of a shell.
fn is_shell(word: &Word) -> bool {
    word.program().and_then(called).is_some_and(|row| row.role == Role::Shell)
}

/// A word before a command's own.
fn is_before(word: &Word) -> bool {
    is_prefix(word.str()) || word.assignment().is_some()
}

/// The words of which a command makes variables whose names are known only when it runs, or that it runs.
pub(super) fn unknown_words(words: &[Word]) -> Vec<&Word> {
    let Some((head, rest)) = words.split_first() else { return Vec::new() };
    let unknown = rest.iter().filter(|word| !word.is_known && word.assignment().is_none());
    match head.str() {
        "export" | "declare" | "typeset" | "readonly" | "eval" => unknown.collect(),
        // What follows the program is its own.
        "env" => rest
            .iter()
            .take_while(|word| !word.is_known || word.is_option() || word.assignment().is_some())
            .filter(|word| !word.is_known && word.assignment().is_none())
            .collect(),
        // A file with a name may be any; one without is what a command writes.
        "." | "source" => unknown.filter(|word| word.str() == WRITTEN).collect(),
        _ => Vec::new(),
    }
}

/// True for a file that may be called by its own path.
fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o111 != 0)
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
