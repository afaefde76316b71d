//! Reading `.cloudflare.cfg` as the Python package `cloudflare` 2 does (`read_configs.py` of 2.20.0).
//!
//! It is an INI file for Python's `configparser`, and each entry replaces the variable of that name, also an empty
//! one (which leaves the program without that credential). The package reads three files as if they were one; of two that
//! say the same, the later one counts. No crate reads INI by these rules: continued lines, `[DEFAULT]`, both `=` and
//! `:`, and the line of each entry.
//!
//! Python refuses some files that are read here: an entry or a section that stands twice, a line that is nothing. The
//! program does not run then; so what such a file says is listed too, for the Python or the locale that reads it after all.

use std::path::{Path, PathBuf};

/// Cloudflare's own address, as the package writes it.
const BASE_URL: &str = "https://api.cloudflare.com/client/v4";

/// The section that every other section inherits from.
const DEFAULT: &str = "DEFAULT";

/// The sections that the package takes where the program names none; the second goes before the first.
const OWN: [&str; 2] = ["CloudFlare", "Cloudflare"];

/// The methods for which an entry may be set apart: `token.get`.
const METHODS: [&str; 5] = ["get", "patch", "post", "put", "delete"];

/// The files that the package reads in this directory, the one that counts most at the end.
pub fn files(directory: &Path, home: &Path) -> [PathBuf; 3] {
    [directory.join(".cloudflare.cfg"), home.join(".cloudflare.cfg"), home.join(".cloudflare/cloudflare.cfg")]
}

/// What an entry does to what the package is given by variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionEffect {
    /// It replaces the credential, or goes beside it.
    Credential,
    /// It sends the credential to another address.
    Address,
    /// It adds headers that say who is asking.
    Headers,
}

/// An entry that overrides a variable. It holds no value of the file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Its name, in lower case: `token`, `base_url`, `key.get`.
    pub option: String,
    /// The section that it stands in.
    pub section: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// What it does.
    pub effect: OptionEffect,
}

impl Override {
    /// True if the entry counts without the program naming a section of its own.
    pub fn is_default(&self) -> bool {
        self.section == DEFAULT || OWN.contains(&self.section.as_str())
    }
}

/// All entries of a file that override a variable, in their order. What is not UTF-8 becomes a replacement
/// character.
pub fn overrides(bytes: &[u8]) -> Vec<Override> {
    let text = text(bytes);
    let overrides = entries(&text).into_iter().filter_map(|entry| {
        let effect = effect(&entry)?;
        Some(Override { option: entry.option, section: entry.section.to_owned(), line: entry.line, effect })
    });
    overrides.collect()
}

fn effect(entry: &Entry) -> Option<OptionEffect> {
    let method = entry.option.rsplit_once('.').filter(|(_, method)| METHODS.contains(method));
    match method.map_or(entry.option.as_str(), |(option, _)| option) {
        "token" | "key" | "email" | "certtoken" => Some(OptionEffect::Credential),
        "base_url" | "openapi_url" => {
            let url: String = entry.value.chars().filter(|c| !is_space(*c)).collect();
            // An entry for one method is read and then used for nothing.
            let counts = method.is_none() && !url.is_empty() && url.trim_end_matches('/') != BASE_URL;
            counts.then_some(OptionEffect::Address)
        }
        "http_headers" => {
            // A reference to another entry may bring anything in.
            let headers = entry.value.to_ascii_lowercase();
            let counts = ["authorization", "x-auth-", "%("].iter().any(|part| headers.contains(part));
            (counts && method.is_none()).then_some(OptionEffect::Headers)
        }
        _ => None,
    }
}

/// An entry as `configparser` has it.
struct Entry<'a> {
    section: &'a str,
    option: String,
    line: usize,
    value: String,
}

/// The text with all its line ends as `\n`, as Python opens a file.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n")
}

/// What Python calls white space: besides Unicode's, the four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// All entries of a text (`RawConfigParser._read` of Python 3.11).
fn entries(text: &str) -> Vec<Entry<'_>> {
    let (mut found, mut section, mut indent, mut is_open) = (Vec::<Entry>::new(), None, 0, false);
    for (at, line) in text.split('\n').enumerate() {
        let value = line.trim_matches(is_space);
        if value.is_empty() || value.starts_with(['#', ';']) {
            if let (true, true, Some(entry)) = (value.is_empty(), is_open, found.last_mut()) {
                entry.value.push('\n');
            }
            continue;
        }
        let depth = line.chars().take_while(|c| is_space(*c)).count();
        if let (true, true, Some(entry)) = (is_open, depth > indent, found.last_mut()) {
            entry.value.push('\n');
            entry.value.push_str(value);
            continue;
        }
        indent = depth;
        if let Some(name) = header(value) {
            (section, is_open) = (Some(name), false);
        } else if let (Some(section), Some((option, value))) = (section, value.split_once(['=', ':'])) {
            let option = option.trim_end_matches(is_space).to_lowercase();
            let value = value.trim_start_matches(is_space).to_owned();
            found.push(Entry { section, option, line: at + 1, value });
            is_open = true;
        }
    }
    for entry in &mut found {
        entry.value.truncate(entry.value.trim_end_matches(is_space).len());
    }
    found
}

/// The name of a section, where a line is its header: up to the last bracket, whatever follows.
fn header(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?;
    inner.rfind(']').map(|end| &inner[..end]).filter(|name| !name.is_empty())
}
