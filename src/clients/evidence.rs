//! What the words of a program say that may do anything with them.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::leads::{At, Level, NAMES, Walk};
use super::options::Parsed;
use super::packages::{is_env_file, nearest};
use super::programs::{Program, Role, called};
use super::scripts::{Run, is_installed};
use super::words::{Known, Piece, Value, Word, pieces};

/// The most paths among the words of a command that are looked up.
const PATHS: usize = 1024;

impl Walk<'_> {
    /// A program that the table does not have: what it does with its words is not known.
    pub(super) fn other(&mut self, words: &[Word], at: &At) {
        self.leads.is_sure = false;
        if let Some(head) = words.first() {
            if !head.is_known {
                self.unknown(at, "runs a program that is known only when it runs".to_owned());
            }
            self.script_file(head, at, Run::Itself);
            self.recipes(head.program().unwrap_or_default(), words.get(1..).unwrap_or_default(), at);
        }
        let rest = words.get(1..).unwrap_or_default();
        self.evidence(rest, at);
        let mut inner = at.clone();
        for (place, word) in rest.iter().enumerate() {
            // `docker run -e NAME=value`, `tool --env=NAME=value`
            let attached = Some(word).filter(|word| word.is_option());
            let attached = attached.and_then(|word| {
                word.option()
                    .and_then(|(_, value)| value)
                    .filter(|value| value.assignment().is_some())
                    .or_else(|| Some(Word { text: word.str().get(2..)?.into(), is_known: word.is_known }))
            });
            if let Some((name, value)) = attached.as_ref().unwrap_or(word).assignment() {
                self.assign(name, Some(&value), at, &mut inner.variables);
            }
            let value = attached.as_ref().and_then(Word::assignment).map(|(_, value)| value);
            let script = value.as_ref().or(attached.as_ref()).unwrap_or(word);
            self.guess(|walk| {
                walk.script_file(script, &inner, Run::Guessed);
            });
            let text = word.text.to_string_lossy();
            if text.contains(char::is_whitespace) {
                self.loose_text(&text, &inner);
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

    /// The commands of a text that need not be a shell's: what can't be understood of it says nothing.
    pub(super) fn loose_text(&mut self, text: &str, at: &At) {
        let mut pieces = pieces(text, &Known::default());
        pieces.retain(|piece| match piece {
            Piece::Unended(_) => false,
            Piece::Command(words, _) => words.first().is_none_or(|head| head.is_known),
            _ => true,
        });
        self.pieces(pieces, at);
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
        self.paths(words, at, Level::Named);
    }

    /// The words of a program that reads or writes the files that they name.
    pub(super) fn files(&mut self, words: &[Word], at: &At) {
        self.files_named(words.get(1..).unwrap_or_default(), at);
    }

    /// The same for the words behind its name.
    pub(super) fn files_named(&mut self, words: &[Word], at: &At) {
        self.leads.is_sure = false;
        self.paths(words, at, Level::Possible);
    }

    /// The paths among words. `most`: how surely one leads to its folder that stands there as such.
    fn paths(&mut self, words: &[Word], at: &At, most: Level) {
        let mut left = PATHS;
        for word in words.iter().filter(|word| word.is_known) {
            let Some(text) = word.text.to_str() else {
                left = left.saturating_sub(1);
                self.look_up(&word.text, at, most);
                continue;
            };
            let found = if text.contains(char::is_whitespace) || text.contains(['\'', '"', '`']) {
                quoted(text).into_iter().map(|text| (text, Level::Possible)).collect()
            } else {
                parts(text, most)
            };
            for (text, level) in found.into_iter().filter(|(text, _)| !text.is_empty()) {
                if left == 0 {
                    return self.tell(at, format!("names more than {PATHS} paths"));
                }
                left -= 1;
                self.look_up(OsStr::new(text), at, level);
            }
        }
    }

    /// A path that may be there: a folder counts, and the one that a file is in.
    fn look_up(&mut self, text: &OsStr, at: &At, most: Level) {
        let word = Word { text: text.to_owned(), is_known: true };
        let is_path = word.text.to_string_lossy().contains('/') || word.str() == "..";
        let Some(path) = self.path(&word, &at.folder) else { return };
        let Ok(metadata) = fs::metadata(&path) else { return };
        let level = if is_path { most } else { Level::Possible };
        if metadata.is_dir() {
            self.reach(&path, level);
        } else if !(most >= Level::Named && self.name_file(&path, at))
            && is_path
            && let Some(parent) = path.parent()
            && !is_installed(&path)
        {
            self.reach(parent, level);
        }
    }

    /// `env -u NAME`.
    pub(super) fn unset_by_env(&mut self, program: &Program, words: &[Word], at: &At) {
        if program.name != "env" {
            return;
        }
        let mut variables = at.variables.clone();
        let mut words = words.iter().skip(1);
        while let Some(word) = words.next().filter(|word| word.is_option() || word.assignment().is_some()) {
            let name = match word.str() {
                "-u" | "--unset" => words.next().map(Word::str),
                "-C" | "--chdir" | "-S" | "--split-string" => {
                    words.next();
                    None
                }
                text => text.strip_prefix("--unset=").or_else(|| text.strip_prefix("-u")),
            };
            if let Some(name) = name {
                self.assign(name, None, at, &mut variables);
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
}

/// What of a word may be a path: the whole, the value of an option, and what stands behind a sign that separates.
fn parts(text: &str, most: Level) -> Vec<(&str, Level)> {
    let mut found = Vec::new();
    if !text.starts_with('-') {
        found.push((text, most));
    }
    let value = text.split_once('=').map(|(_, value)| value);
    found.extend(value.map(|value| (value, most)));
    // `-C../beta`
    if text.starts_with('-') && !text.starts_with("--") {
        found.extend(text.get(2..).map(|attached| (attached, Level::Possible)));
    }
    let behind =
        text.match_indices(['=', ':', '@', ',']).filter_map(|(at, sign)| text.get(at + sign.len()..));
    found.extend(behind.filter(|part| Some(*part) != value).map(|part| (part, Level::Possible)));
    found
}

/// What stands in quotes in a text, such as a program's that another one is given.
pub(super) fn quoted(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for quote in ['\'', '"', '`'] {
        let signs: Vec<usize> = text.match_indices(quote).map(|(at, _)| at).collect();
        found.extend(signs.windows(2).filter_map(|pair| text.get(pair.first()? + 1..*pair.last()?)));
    }
    found
}
