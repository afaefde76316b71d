//! What turbo 2 lets through to a task: by default only a few variables, none of which is Cloudflare's. A task that
//! misses its credential then runs with whatever else its programs find.
//!
//! The rules were measured with turbo 2.11.11 (tests/clients/readers.rs keeps them true). A variable reaches a task
//! - in the mode `loose`, always;
//! - else by the task's `env`, or by the global `env` or `passThroughEnv` or the task's own `passThroughEnv`, unless
//!   that one takes it out (`!NAME`).
//!
//! The definition of a task for one package is the root's `PACKAGE#TASK`, else its `TASK`; over it goes, key by key, the
//! `TASK` of the package's own configuration.

use std::path::{Path, PathBuf};

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;

use super::jsonc::{self, Lines};
use super::packages::{LIMIT, within};
use crate::directory::file;

/// The names of a configuration; turbo refuses to run where a folder has both.
pub const NAMES: [&str; 2] = ["turbo.json", "turbo.jsonc"];

/// What an entry of a package's list stands for: the list that it inherits.
const INHERITED: &str = "$TURBO_EXTENDS$";

/// Which variables turbo lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Those that a configuration names.
    Strict,
    /// All.
    Loose,
}

impl Mode {
    /// The mode of this name, as in `--env-mode` and `TURBO_ENV_MODE`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "strict" => Some(Self::Strict),
            "loose" => Some(Self::Loose),
            _ => None,
        }
    }
}

/// Whether a task gets a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passing {
    /// The task gets it.
    Passed,
    /// Turbo takes it out. The line is that of the task's definition in the root's configuration, from 1, where there is
    /// one.
    Dropped(Option<usize>),
}

/// A configuration, of the repository's root or of a package.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Turbo {
    /// `globalEnv` and `globalPassThroughEnv`, or `env` and `passThroughEnv` of the newer `global`.
    global: Vec<Patterns>,
    mode: Option<Mode>,
    tasks: Vec<(String, Task)>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Task {
    line: usize,
    mode: Option<Mode>,
    env: Option<Patterns>,
    pass: Option<Patterns>,
    /// The tasks that run before it.
    before: Vec<String>,
    /// `extends: false`: nothing of the root's definition counts.
    is_alone: bool,
}

/// The configuration of a folder.
pub(crate) fn file_in(folder: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).find(|file| file.is_file())
}

/// The configuration of the repository's root: the uppermost one. The others are of packages.
pub(crate) fn root(folder: &Path, home: &Path) -> Option<PathBuf> {
    within(folder, home).filter_map(file_in).last()
}

impl Turbo {
    /// Reads the configuration of a file; the error says why it can't be understood, in words that follow its name.
    pub(crate) fn of_file(file: &Path) -> Result<Self, String> {
        let small = file::read(file, LIMIT, None).map_err(|refusal| refusal.why())?;
        Self::read(&small.map(|small| small.bytes).unwrap_or_default())
    }

    /// The tasks that run before a task, whatever the package.
    pub(crate) fn before<'a>(&'a self, task: &str) -> impl Iterator<Item = &'a str> {
        let plain = task.rsplit('#').next().unwrap_or_default().to_owned();
        let own = self.tasks.iter().filter(move |(name, _)| name.rsplit('#').next() == Some(&plain));
        own.flat_map(|(_, task)| &task.before).map(|name| name.trim_start_matches('^'))
    }

    /// Reads a configuration.
    ///
    /// The error says why turbo's configuration can't be understood, in words that follow the file's name: not JSON, another shape, or
    /// a package's that extends something else than the root's.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = jsonc::text(bytes);
        let value = jsonc::parse(&text)?;
        let root = value.as_object().ok_or("is not an object")?;
        let extends = strings(root, "extends")?.unwrap_or_default();
        if let Some(other) = extends.iter().find(|name| *name != "//") {
            return Err(format!("extends {other:?}, which is not looked through"));
        }
        let mut global = vec![strings(root, "globalEnv")?, strings(root, "globalPassThroughEnv")?];
        if let Some(newer) = object(root, "global")? {
            global.extend([strings(newer, "env")?, strings(newer, "passThroughEnv")?]);
        }
        let global = global.into_iter().flatten().map(Patterns).collect();
        let mut this = Self { global, mode: mode(root)?, tasks: Vec::new() };
        let tasks = object(root, "tasks")?;
        let lines = Lines::of(&text);
        for property in tasks.iter().flat_map(|tasks| &tasks.properties) {
            let name = property.name.as_str();
            let task =
                property.value.as_object().ok_or_else(|| format!("has a task {name:?} that is no object"))?;
            let line = lines.line(property.start());
            this.tasks.retain(|(other, _)| other != name);
            this.tasks.push((name.to_owned(), Task::read(task, line)?));
        }
        Ok(this)
    }

    fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.iter().find(|(own, _)| own == name).map(|(_, task)| task)
    }

    /// Whether each run of a task gets a variable, whatever the package: `Dropped` if one does not. This is the
    /// root's configuration, `packages` are those of the packages that have their own, by the package's name. The task
    /// is named as in turbo's words: `deploy`, `api#deploy`, `//#deploy`. `mode` is that of `--env-mode`, else of
    /// `TURBO_ENV_MODE`.
    pub fn passes(
        &self,
        task: &str,
        variable: &str,
        packages: &[(&str, &Turbo)],
        mode: Option<Mode>,
    ) -> Passing {
        let (only, task) = task.split_once('#').map_or((None, task), |(package, task)| (Some(package), task));
        // Every package that the root or its own configuration tells apart, and any that neither does.
        let suffix = format!("#{task}");
        let of_root = self.tasks.iter().filter_map(|(name, _)| name.strip_suffix(&suffix)).map(Some);
        let of_packages = packages.iter().filter(|(_, own)| own.task(task).is_some());
        let any = self.task(task).map(|_| None);
        let all = of_root.chain(of_packages.map(|(name, _)| Some(*name))).chain(any);
        let mut all: Vec<Option<&str>> = if only.is_some() { vec![only] } else { all.collect() };
        if all.is_empty() {
            all.push(None); // a task that nothing defines
        }
        for package in all {
            let own = packages.iter().find(|(name, _)| Some(*name) == package).map(|(_, own)| *own);
            let passing = self.passes_in(task, variable, package, own, mode);
            if passing != Passing::Passed {
                return passing;
            }
        }
        Passing::Passed
    }

    /// Whether the task of one package gets the variable; this is the root's configuration, `own` the package's.
    fn passes_in(
        &self,
        task: &str,
        variable: &str,
        package: Option<&str>,
        own: Option<&Turbo>,
        mode: Option<Mode>,
    ) -> Passing {
        let root = package.and_then(|package| self.task(&format!("{package}#{task}"))).or(self.task(task));
        let own = own.and_then(|own| own.task(task));
        let line = root.map(|root| root.line);
        let root = root.filter(|_| !own.is_some_and(|own| own.is_alone));
        let mode_of = |task: Option<&Task>| task.and_then(|task| task.mode);
        let mode = mode_of(own).or(mode_of(root)).or(mode).or(self.mode).unwrap_or(Mode::Strict);
        let list = |of: fn(&Task) -> &Option<Patterns>| {
            let inherited = || root.and_then(|root| of(root).clone()).unwrap_or_default();
            own.and_then(|own| of(own).clone()).map_or_else(inherited, |own| own.with(&inherited()))
        };
        let (env, pass) = (list(|task| &task.env), list(|task| &task.pass));
        let is_in = |patterns: &Patterns| patterns.include(variable) && !patterns.exclude(variable);
        let passes = mode == Mode::Loose
            || is_in(&env)
            || ((self.global.iter().any(is_in) || pass.include(variable)) && !pass.exclude(variable));
        if passes { Passing::Passed } else { Passing::Dropped(line) }
    }
}

impl Task {
    fn read(task: &Object, line: usize) -> Result<Self, String> {
        let extends = jsonc::property(task, "extends").and_then(|property| property.value.as_boolean_lit());
        Ok(Self {
            line,
            mode: mode(task)?,
            env: strings(task, "env")?.map(Patterns),
            pass: strings(task, "passThroughEnv")?.map(Patterns),
            before: strings(task, "dependsOn")?.unwrap_or_default(),
            is_alone: extends.is_some_and(|extends| !extends.value),
        })
    }
}

/// Names of variables as a configuration has them: `*` stands for anything, `!` takes out, and `\` takes either its
/// meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Patterns(Vec<String>);

impl Patterns {
    fn include(&self, variable: &str) -> bool {
        let included = self.0.iter().filter(|pattern| !pattern.starts_with('!'));
        let mut patterns = included
            .map(|pattern| pattern.strip_prefix('\\').filter(|p| p.starts_with('!')).unwrap_or(pattern));
        patterns.any(|pattern| matches(pattern, variable))
    }

    fn exclude(&self, variable: &str) -> bool {
        self.0
            .iter()
            .filter_map(|pattern| pattern.strip_prefix('!'))
            .any(|pattern| matches(pattern, variable))
    }

    /// The list, with what it inherits where it says so.
    fn with(mut self, inherited: &Self) -> Self {
        if self.0.iter().any(|pattern| pattern == INHERITED) {
            self.0.retain(|pattern| pattern != INHERITED);
            self.0.extend(inherited.0.iter().cloned());
        }
        self
    }
}

/// Whether a pattern is for a name: `\*` is a star, every other `*` any text.
fn matches(pattern: &str, name: &str) -> bool {
    let (mut parts, mut part, mut before) = (Vec::new(), String::new(), None);
    for c in pattern.chars() {
        match (c, before) {
            ('*', Some('\\')) => {
                part.pop();
                part.push('*');
            }
            ('*', _) => parts.push(std::mem::take(&mut part)),
            _ => part.push(c),
        }
        before = Some(c);
    }
    let [first, middle @ ..] = parts.as_slice() else { return part == name };
    let Some(rest) = name.strip_prefix(first.as_str()) else { return false };
    let Some(mut rest) = rest.strip_suffix(part.as_str()) else { return false };
    for part in middle {
        let Some(at) = rest.find(part.as_str()) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

fn object<'a, 'text>(object: &'a Object<'text>, name: &str) -> Result<Option<&'a Object<'text>>, String> {
    let Some(property) = jsonc::property(object, name) else { return Ok(None) };
    property.value.as_object().map(Some).ok_or_else(|| format!("has a {name} that is no object"))
}

fn strings(object: &Object, name: &str) -> Result<Option<Vec<String>>, String> {
    let Some(property) = jsonc::property(object, name) else { return Ok(None) };
    let wrong = || format!("has a {name} that is no list of names");
    let array = property.value.as_array().ok_or_else(wrong)?;
    let string = |value: &Value| value.as_string_lit().map(|text| text.value.to_string()).ok_or_else(wrong);
    array.elements.iter().map(string).collect::<Result<_, _>>().map(Some)
}

fn mode(object: &Object) -> Result<Option<Mode>, String> {
    let Some(property) = jsonc::property(object, "envMode") else { return Ok(None) };
    let name = property.value.as_string_lit().map(|text| text.value.as_ref()).unwrap_or_default();
    Mode::named(name).map(Some).ok_or_else(|| "has an envMode that is neither strict nor loose".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_turbo() {
        let table = [
            ("CLOUDFLARE_*", true),
            ("*", true),
            ("*_TOKEN", true),
            ("CLOUD*_API_*", true),
            ("*API*API*", false),
            ("CLOUDFLARE_API_TOKEN", true),
            ("CLOUDFLARE_API_TOKEN*", true),
            ("CLOUDFLARE_API_TOKEN_FILE", false),
            ("cloudflare_*", false),
            (r"CLOUDFLARE_\*", false),
            (r"\*", false),
            ("", false),
            ("**", true),
            ("*_TOKE*EN", false),
        ];
        for (pattern, expected) in table {
            assert_eq!(matches(pattern, "CLOUDFLARE_API_TOKEN"), expected, "{pattern}");
        }
    }

    #[test]
    fn a_configuration_that_cannot_be_understood_says_why() {
        for text in [
            "",
            "[]",
            "{",
            "{'tasks': {}}",
            r#"{"tasks": []}"#,
            r#"{"tasks": {"deploy": null}}"#,
            r#"{"globalEnv": "X"}"#,
            r#"{"globalPassThroughEnv": null}"#,
            r#"{"envMode": "infer"}"#,
            r#"{"extends": ["shared"]}"#,
            r#"{"tasks": {"deploy": {"env": [1]}}}"#,
        ] {
            assert!(Turbo::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Turbo::read("[".repeat(100_000).as_bytes()).is_err());
    }
}
