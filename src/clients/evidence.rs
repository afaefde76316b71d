//! What the words of a program say that may do anything with them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;

use super::leads::{At, Level, NAMES, Value, Walk};
use super::options::Parsed;
use super::packages::{is_env_file, nearest};
use super::programs::{Role, called};
use super::scripts::is_installed;
use super::words::{Piece, Word, pieces};

/// The most words of a command that are looked up as paths.
const PATHS: usize = 64;

impl Walk<'_> {
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
                let package = package.and_then(|folder| self.package(&folder, at));
                self.run_script(package.as_deref(), name, &[], at);
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
}
