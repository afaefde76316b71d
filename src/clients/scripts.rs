//! Reading scripts: the text of a shell, and the files that words run.

use std::ffi::OsStr;
use std::path::{Component, Path};

use super::leads::{At, DEPTH, Level, Walk};
use super::options::Parsed;
use super::packages::is_env_file;
use super::programs::{Role, called};
use super::words::{Piece, Word, pieces};
use crate::directory::file;

/// The most that is read of a script's file, in bytes.
const SCRIPT: u64 = 256 * 1024;

impl Walk<'_> {
    /// The commands of a shell's text, to the last of which `further` words are added.
    pub(super) fn text(&mut self, text: &str, further: &[Word], at: &At) {
        let mut pieces = pieces(text);
        if let Some(Piece::Command(words, _)) = pieces.last_mut() {
            words.extend(further.iter().cloned());
        }
        self.pieces(pieces, at);
    }

    pub(super) fn pieces(&mut self, pieces: Vec<Piece>, at: &At) {
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
