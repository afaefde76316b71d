//! Files of recipes: what make, just and mise set and load before they run the commands that such a file holds, and
//! those commands.
//!
//! A file is read line by line, as far as people usually write it. A variable that stands in one with its value is
//! put in where a recipe names it; a function, and what a file includes by a variable, is known only when it runs.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::evidence::quoted;
use super::leads::{At, Walk};
use super::packages::{is_env_file, within};
use super::scripts::SCRIPT;
use super::words::Word;
use crate::directory::file;

/// The names of each program's files, of which the first one that is there counts.
const MAKE: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];
const JUST: [&str; 3] = ["justfile", "Justfile", ".justfile"];
const MISE: [&str; 6] = [
    "mise.toml",
    ".mise.toml",
    "mise.local.toml",
    ".mise.local.toml",
    "mise/config.toml",
    ".config/mise.toml",
];

/// What a file of recipes holds.
#[derive(Default)]
struct Recipes {
    rules: Vec<Rule>,
    /// The variables with their values, as far as those are known.
    values: HashMap<String, Option<String>>,
    /// The files that were read as a part of it.
    included: HashSet<PathBuf>,
}

/// A rule: what it makes, what must be there before, and the lines that a shell runs.
#[derive(Default)]
struct Rule {
    targets: Vec<String>,
    before: Vec<String>,
    file: PathBuf,
    lines: Vec<(usize, String)>,
}

impl Walk<'_> {
    /// What a program that is called by this name does with its file of recipes.
    pub(super) fn recipes(&mut self, name: &str, words: &[Word], at: &At) {
        let is_make = matches!(name, "make" | "gmake");
        if at.depth == 0 || !(is_make || matches!(name, "just" | "mise")) {
            return;
        }
        let mut at = At { depth: at.depth - 1, ..at.clone() };
        let (mut file, mut goals, mut set) = (None, Vec::new(), Vec::new());
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let text = word.str();
            let (option, attached) = match text.split_once('=').filter(|_| text.starts_with("--")) {
                Some((option, value)) => (option, Some(value)),
                None if text.starts_with('-') && !text.starts_with("--") => match text.split_at_checked(2) {
                    Some((option, value)) => (option, Some(value).filter(|value| !value.is_empty())),
                    None => (text, None),
                },
                None => (text, None),
            };
            let is_folder = matches!(option, "-C" | "--directory" | "--cd" | "-d" | "--working-directory");
            let is_file = matches!(option, "-f" | "--file" | "--makefile" | "--justfile");
            if is_folder || is_file {
                let value = attached.map(|value| Word { text: value.into(), is_known: word.is_known });
                let Some(value) = value.or_else(|| words.next().cloned()) else { break };
                if is_folder {
                    at.folder = self.enter(Some(&value), &at);
                } else {
                    file = self.path(&value, &at.folder);
                }
            } else if let Some((name, value)) = word.assignment() {
                set.push((name.to_owned(), value.is_known.then(|| value.str().to_owned())));
            } else if !word.is_option() {
                goals.push(text.to_owned());
            }
        }
        let first = |folder: &Path, names: &[&str]| {
            names.iter().map(|name| folder.join(name)).find(|file| file.is_file())
        };
        let files: Vec<PathBuf> = match name {
            "just" => file
                .or_else(|| within(&at.folder, self.home).find_map(|folder| first(folder, &JUST)))
                .into_iter()
                .collect(),
            "mise" => within(&at.folder, self.home)
                .flat_map(|folder| MISE.iter().map(|name| folder.join(name)))
                .filter(|file| file.is_file())
                .collect(),
            _ => file.or_else(|| first(&at.folder, &MAKE)).into_iter().collect(),
        };
        let mut recipes = Recipes::default();
        for file in files {
            match name {
                "mise" => self.read_mise(&file, &goals, &mut at),
                _ => self.read_recipes(&file, is_make, &mut recipes, &mut at),
            }
            if let Some(folder) = file.parent().filter(|_| name == "just") {
                folder.clone_into(&mut at.folder);
            }
        }
        recipes.values.extend(set);
        self.make(&recipes, goals, is_make, &at);
    }

    /// The lines of a file, where it can be read; a line that goes on is one with the next.
    fn lines_of(&mut self, file: &Path, at: &At) -> Vec<(usize, String)> {
        let text = match file::read(file, SCRIPT, None) {
            Ok(Some(small)) => String::from_utf8_lossy(&small.bytes).into_owned(),
            Ok(None) => return Vec::new(),
            Err(refusal) => {
                let at = At { file: Some(file.to_owned()), line: None, ..at.clone() };
                self.unknown(&at, refusal.why());
                return Vec::new();
            }
        };
        let mut lines: Vec<(usize, String)> = Vec::new();
        if !self.may_cut(&text, at) {
            return lines;
        }
        let mut goes_on = false;
        for (number, line) in (1..).zip(text.lines()) {
            let (line, more) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
            match lines.last_mut().filter(|_| goes_on) {
                Some((_, before)) => {
                    before.push(' ');
                    before.push_str(line.trim_start());
                }
                None => lines.push((number, line.to_owned())),
            }
            goes_on = more;
        }
        lines
    }

    fn read_recipes(&mut self, file: &Path, is_make: bool, recipes: &mut Recipes, at: &mut At) {
        let (mut conditions, mut is_definition) = (0_usize, false);
        let (mut loads, mut is_above, mut env_file) = (false, is_make, None);
        let folder = if is_make { at.folder.clone() } else { file.parent().unwrap_or(file).to_owned() };
        for (number, line) in self.lines_of(file, at) {
            at.line = Some(number);
            at.file = Some(file.to_owned());
            let is_recipe = line.starts_with('\t') || (!is_make && line.starts_with(' '));
            if let Some(rule) = recipes.rules.last_mut().filter(|_| is_recipe && !line.trim().is_empty()) {
                rule.lines.push((number, line.trim().to_owned()));
                continue;
            }
            let line = line.split(" #").next().unwrap_or_default().trim();
            let mut words = line.split_whitespace();
            let first = words.next().unwrap_or_default();
            match first {
                "endef" => is_definition = false,
                _ if is_definition => {}
                "define" if is_make => is_definition = true,
                "" => {}
                _ if first.starts_with('#') => {}
                "ifeq" | "ifneq" | "ifdef" | "ifndef" => conditions = conditions.saturating_add(1),
                "endif" => conditions = conditions.saturating_sub(1),
                "else" => {}
                "include" | "-include" | "sinclude" if is_make => {
                    for name in words {
                        self.include(name, true, &folder, recipes, at);
                    }
                }
                "import" | "import?" if !is_make => {
                    for name in quoted(line) {
                        self.include(name, false, &folder, recipes, at);
                    }
                }
                "unexport" | "undefine" => {
                    let (here, mut after) = (at.clone(), at.variables.clone());
                    words.for_each(|name| self.assign(name, None, &here, &mut after));
                    at.variables = after;
                }
                "set" if !is_make => {
                    let setting = words.next().unwrap_or_default();
                    let is_on = !line.ends_with("false");
                    loads |= is_on && setting.starts_with("dotenv-");
                    is_above |= is_on && setting == "dotenv-override";
                    if matches!(setting, "dotenv-filename" | "dotenv-path") {
                        env_file = quoted(line).first().map(|name| (*name).to_owned());
                    }
                }
                _ => {
                    if let Some((name, value)) = assignment(line) {
                        if conditions > 0 {
                            at.variables.tested.extend(super::assignments::named(&format!("${name}")));
                        }
                        let (here, mut after) = (at.clone(), at.variables.clone());
                        self.assign(name, Some(&value), &here, &mut after);
                        at.variables = after;
                        let known = value.is_known.then(|| value.str().to_owned());
                        let values = recipes.values.entry(name.to_owned());
                        // One that is set twice may have either value.
                        values.and_modify(|known| *known = None).or_insert(known);
                    } else if let Some(rule) = Rule::of(line, file) {
                        recipes.rules.push(rule);
                    }
                }
            }
        }
        at.line = None;
        if loads {
            let path = folder.join(env_file.unwrap_or_else(|| ".env".to_owned()));
            self.load(&path, is_above, at);
        }
    }

    /// A file that is read as a part of another.
    fn include(&mut self, name: &str, is_make: bool, folder: &Path, recipes: &mut Recipes, at: &mut At) {
        let word = Word { text: name.into(), is_known: !name.contains(['$', '*', '?']) };
        let Some(path) = self.path(&word, folder) else {
            let what = "includes a file that is known only when it runs".to_owned();
            return self.unknown(at, what);
        };
        if path.file_name().is_some_and(is_env_file) {
            return self.load(&path, true, at);
        }
        if at.depth == 0 || !path.is_file() || !self.may_read(at) {
            return;
        }
        // The same file says the same again.
        if !recipes.included.insert(path.clone()) {
            return;
        }
        let mut inner = At { depth: at.depth - 1, ..at.clone() };
        self.read_recipes(&path, is_make, recipes, &mut inner);
        at.variables = inner.variables;
    }

    /// mise sets what stands in `[env]`, and the files that are named there, above what is set.
    fn read_mise(&mut self, file: &Path, goals: &[String], at: &mut At) {
        let folder = file.parent().unwrap_or(file).to_owned();
        let mut section = String::new();
        for (number, line) in self.lines_of(file, at) {
            if let Some(name) = line.trim().strip_prefix('[').and_then(|line| line.split_once(']')) {
                name.0.clone_into(&mut section);
                continue;
            }
            let here = At { file: Some(file.to_owned()), line: Some(number), ..at.clone() };
            let Some((name, value)) = line.split_once('=') else { continue };
            let texts = quoted(value);
            let value = Word { text: texts.first().copied().unwrap_or(value.trim()).into(), is_known: true };
            let name = name.trim();
            let is_asked = |task: &str| goals.iter().any(|goal| goal == task.trim_matches('"'));
            let is_task = section.strip_prefix("tasks.").is_some_and(is_asked) && name == "run";
            if is_task || (section == "tasks" && is_asked(name)) {
                self.text(value.str(), &[], &At { folder: folder.clone(), ..here });
            } else if name.contains("file") {
                let files = texts.iter().map(|text| folder.join(text));
                files.for_each(|file| self.load(&file, true, &here));
            } else if section == "env" {
                self.assign(name, Some(&value), &here, &mut at.variables);
            }
        }
    }

    /// The recipes of what is asked for, else of what stands first, and of what must be there before.
    fn make(&mut self, recipes: &Recipes, mut goals: Vec<String>, is_make: bool, at: &At) {
        if goals.is_empty() {
            let first = recipes.rules.iter().flat_map(|rule| &rule.targets);
            goals.extend(first.into_iter().find(|name| !name.starts_with('.')).cloned());
        }
        let mut seen: HashSet<String> = HashSet::new();
        let is_unknown = |name: &String| name.contains(UNKNOWN);
        let names = |names: &[String]| names_in(names, recipes, is_make);
        let rules = recipes.rules.iter().map(|rule| (rule, names(&rule.targets), names(&rule.before)));
        let rules: Vec<(&Rule, Vec<String>, Vec<String>)> = rules.collect();
        let mut is_open = rules.iter().any(|(_, targets, _)| targets.iter().any(is_unknown));
        while let Some(goal) = goals.pop() {
            if !seen.insert(goal.clone()) {
                continue;
            }
            if !self.may_read(at) {
                return;
            }
            let is_pattern = |target: &String| {
                let parts = target.split_once('%');
                parts.is_some_and(|(first, last)| goal.starts_with(first) && goal.ends_with(last))
            };
            let is_meant = |target: &String| *target == goal || is_pattern(target);
            for (rule, targets, before) in &rules {
                if targets.iter().any(is_meant) {
                    is_open |= before.iter().any(is_unknown);
                    goals.extend(before.iter().cloned());
                    self.run_lines(rule, recipes, is_make, at);
                }
            }
        }
        if is_open {
            // What a function names may be any of them.
            self.guess(|walk| {
                recipes.rules.iter().for_each(|rule| walk.run_lines(rule, recipes, is_make, at));
            });
        }
    }

    fn run_lines(&mut self, rule: &Rule, recipes: &Recipes, is_make: bool, at: &At) {
        for (line, text) in &rule.lines {
            let text = text.trim_start_matches(['@', '-', '+']).trim_start();
            let text = if is_make { put_in(text, recipes) } else { put_in_braces(text, recipes) };
            let at = At { file: Some(rule.file.clone()), line: Some(*line), ..at.clone() };
            self.text(&text, &[], &at);
        }
    }
}

impl Rule {
    /// `TARGET…: BEFORE… ; COMMAND`
    fn of(line: &str, file: &Path) -> Option<Self> {
        let (targets, rest) = line.split_once(':')?;
        let (before, command) = rest.split_once(';').unwrap_or((rest, ""));
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        Some(Self {
            targets: words(targets.trim_end_matches('&').trim_start_matches('@')),
            before: words(before.trim_start_matches(':')),
            file: file.to_owned(),
            lines: Some((0, command.trim().to_owned()))
                .filter(|(_, text)| !text.is_empty())
                .into_iter()
                .collect(),
        })
    }
}

/// `NAME = value`, also of one target, with the words that may stand before it; `?=` changes nothing that is set.
fn assignment(line: &str) -> Option<(&str, Word)> {
    let (before, value) = line.split_once('=')?;
    let is_default = before.ends_with('?');
    let is_added = before.ends_with('+');
    let is_run = before.ends_with('!');
    let before = before.trim_end_matches([':', '?', '+', '!']);
    let name = before.rsplit(':').next().unwrap_or(before).split_whitespace().last()?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let modifiers = ["export", "override", "private"];
    let words = before.rsplit(':').next().unwrap_or(before).split_whitespace();
    if !is_name || !words.filter(|word| *word != name).all(|word| modifiers.contains(&word)) {
        return None;
    }
    let value = value.trim();
    let inner = ['\'', '"'].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let value = inner.unwrap_or(value);
    let whole = value.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
    let text = match whole {
        _ if is_default => format!("${{{name}:-{value}}}"),
        Some(name) => format!("${{{name}}}"),
        None => value.to_owned(),
    };
    let is_known = !text.contains(['$', '`', '{']) && !is_added && !is_run;
    Some((name, Word { text: text.into(), is_known }))
}

/// What stands in a line for what is known only when it is made.
const UNKNOWN: &str = "${UNKNOWN}";

/// The names of targets, with the values of variables.
fn names_in(names: &[String], recipes: &Recipes, is_make: bool) -> Vec<String> {
    if !is_make || !names.iter().any(|name| name.contains('$')) {
        return names.to_vec();
    }
    put_in(&names.join(" "), recipes).split_whitespace().map(str::to_owned).collect()
}

/// A line as a shell gets it from make: with the values of variables, and `$NAME` where those are not known.
fn put_in(text: &str, recipes: &Recipes) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once('$') {
        done.push_str(before);
        let close = match behind.chars().next() {
            Some('(') => ')',
            Some('{') => '}',
            sign => {
                // `$$` is the shell's own sign, `$@` a name of make's.
                done.push('$');
                rest = if sign == Some('$') { behind.get(1..).unwrap_or_default() } else { behind };
                continue;
            }
        };
        let inner = behind.get(1..).unwrap_or_default();
        let Some((name, after)) = inner.split_once(close) else {
            done.push('$');
            rest = behind;
            continue;
        };
        match recipes.values.get(name) {
            Some(Some(value)) => done.push_str(value),
            _ if name == "MAKE" => done.push_str("make"),
            _ if name == "CURDIR" => done.push('.'),
            // Its own variables, by its manual.
            None if name == "RM" => done.push_str("rm -f"),
            None if matches!(name, "CC" | "CXX" | "AR" | "LD") => done.push_str("cc"),
            // A function may write anything.
            _ => done.push_str(UNKNOWN),
        }
        rest = after;
    }
    done + rest
}

/// A line as a shell gets it from just.
fn put_in_braces(text: &str, recipes: &Recipes) -> String {
    let (mut done, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("{{") {
        let (name, after) = behind.split_once("}}").unwrap_or((behind, ""));
        done.push_str(before);
        done.push_str(recipes.values.get(name.trim()).and_then(Option::as_deref).unwrap_or(UNKNOWN));
        rest = after;
    }
    done + rest
}
