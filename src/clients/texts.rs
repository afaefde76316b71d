//! Texts that programs read and that nobody here understands: the code that a runtime is given, and the files by which
//! a program of the table is told what to run. What such a text names may be run, loaded or set: all of it is possible,
//! and none of it evident.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::assignments::variable;
use super::leads::{At, Level, Walk};
use super::packages::{LIMIT, within};
use super::programs::{Program, Role, called};
use super::scripts::{Run, is_installed};
use super::words::Word;
use crate::directory::file;

/// The most names of a text that are looked up.
const NAMES: usize = 4096;

/// What stands before a value that a name gets.
const SIGNS: [&str; 6] = ["??=", "||=", "+=", ":=", "=", ":"];

impl Walk<'_> {
    /// The files by which a program is told what to run, of each name the nearest one upward.
    pub(super) fn own_files(&mut self, program: &Program, at: &At) {
        let home = self.home;
        for name in program.files {
            let mut places = within(&at.folder, home).map(|folder| folder.join(name));
            if let Some(file) = places.find(|file| file.is_file()) {
                self.read_unparsed(&file, at);
            }
        }
    }

    /// A text that may name anything.
    pub(super) fn read_unparsed(&mut self, file: &Path, at: &At) {
        let key = (file.to_owned(), at.folder.clone());
        if is_installed(file) || self.unparsed.contains(&key) || !self.may_read(at) {
            return;
        }
        self.unparsed.insert(key);
        let here = At { file: Some(file.to_owned()), line: None, ..at.clone() };
        let small = match file::read(file, LIMIT, None) {
            Ok(Some(small)) => small,
            Ok(None) => return,
            Err(refusal) => return self.unknown(&here, refusal.why()),
        };
        let text = String::from_utf8_lossy(&small.bytes);
        let Some(depth) = at.depth.checked_sub(1).filter(|_| !text.contains('\0')) else { return };
        self.guess(|walk| walk.unparsed_lines(&text, file, &At { depth, ..here }));
    }

    fn unparsed_lines(&mut self, text: &str, file: &Path, at: &At) {
        let (mut left, mut loads) = (NAMES, false);
        for (number, line) in (1..).zip(text.lines()) {
            let at = At { line: Some(number), ..at.clone() };
            let own = line.trim_start();
            if own.is_empty() || ["#", "//", "* "].iter().any(|sign| own.starts_with(sign)) {
                continue;
            }
            // Compose's list of files, which go before the variables.
            loads = line.contains("env_file") || line.contains("override") || (loads && own.starts_with('-'));
            self.unparsed_assignments(line, &at);
            let folder = file.parent().unwrap_or(file);
            let mut bases = vec![folder.to_owned()];
            if at.folder != folder {
                bases.push(at.folder.clone());
            }
            for name in names(line) {
                if left == 0 {
                    return self.tell(&at, format!("names more than {NAMES} files"));
                }
                left -= 1;
                self.unparsed_name(name, loads, &mut bases, &at);
            }
            self.unparsed_command(own, &at);
        }
    }

    /// A name that may be a folder's or a file's, beside the text, where it is read, or in the folder before it.
    fn unparsed_name(&mut self, name: &str, loads: bool, bases: &mut Vec<PathBuf>, at: &At) {
        let word = Word::given(OsStr::new(name));
        let found = bases.iter().find_map(|base| self.path(&word, base).filter(|path| path.exists()));
        let Some(path) = found else { return };
        if path.is_dir() {
            self.reach(&path, Level::Possible);
            bases.truncate(2);
            bases.push(path);
            return;
        }
        if let Some(parent) = path.parent().filter(|_| !is_installed(&path)) {
            self.reach(parent, Level::Possible);
        }
        if loads {
            self.load(&path, true, at);
        }
        self.script_file(&Word::given(path.as_os_str()), at, Run::Guessed);
    }

    /// The assignments of variables of the table that a line may hold.
    fn unparsed_assignments(&mut self, line: &str, at: &At) {
        let mut rest = line;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        while let Some(start) = rest.find(is_name) {
            let from = rest.get(start..).unwrap_or_default();
            let (name, behind) = from.split_at(from.find(|c: char| !is_name(c)).unwrap_or(from.len()));
            rest = behind;
            if variable(name).is_none() {
                continue;
            }
            // `NAME = x`, `"NAME": x`, `env["NAME"] = x`
            let behind = behind.trim_start_matches(['"', '\'', ']']).trim_start();
            let Some(value) = SIGNS.iter().find_map(|sign| behind.strip_prefix(sign)) else { continue };
            let value = value.trim();
            let is_compared = value.starts_with(['=', '>', ':']);
            let is_type = ["string", "z."].iter().any(|start| value.starts_with(start));
            if value.is_empty() || is_compared || is_type {
                continue;
            }
            let end = |c: char| c.is_whitespace() || "'\"`,;".contains(c);
            let value = value.trim_start_matches(['"', '\'', '`']).split(end).next().unwrap_or_default();
            let holds_itself = value.split(|c: char| !is_name(c)).any(|part| part == name);
            let (text, is_known) =
                if holds_itself { (format!("${name}"), false) } else { (value.to_owned(), true) };
            let mut variables = at.variables.clone();
            self.assign(name, Some(&Word { text: text.into(), is_known }), at, &mut variables);
        }
    }

    /// The command that a line may hold, at its start, behind a key or in quotes.
    fn unparsed_command(&mut self, line: &str, at: &At) {
        let mut texts: Vec<&str> = line.split(['"', '\'', '`']).skip(1).collect();
        texts.push(line.trim_start_matches(['-', '@', ' ']));
        texts.extend(line.split_once(": ").map(|(_, value)| value.trim_start()));
        for text in texts {
            let head = text.split_whitespace().next().map(|head| Word::given(OsStr::new(head)));
            let program = head.as_ref().and_then(Word::program).and_then(called);
            let is_command = program.is_some_and(|row| !matches!(row.role, Role::Harmless | Role::Files));
            if is_command && text.trim().contains(' ') {
                self.loose_text(text, at);
            }
        }
    }
}

/// What in a line may name a folder or a file; what a variable stands for before a `/` is left out.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let separates = |c: char| c.is_whitespace() || "\"'`()[]{}<>,;=:|&!*#".contains(c);
    line.split(separates).filter_map(|part| {
        let part = match part.strip_prefix('$') {
            Some(behind) => behind.split_once('/')?.1,
            None => part,
        };
        let part = part.trim_start_matches('/');
        Some(part).filter(|part| !part.is_empty() && *part != "." && *part != "..")
    })
}
