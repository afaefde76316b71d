//! Packages of JavaScript: the scripts that a `package.json` holds, and what npm's own file says of them.
//!
//! Nothing is run.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;

use super::jsonc::{self, Lines};
use super::words::Word;
use crate::directory::file;
use crate::directory::npm_bin::top;

/// The name of the file.
pub(crate) const NAME: &str = "package.json";
/// The names of Deno's.
pub(crate) const DENO: [&str; 2] = ["deno.json", "deno.jsonc"];
/// The most that is read of a file, in bytes.
pub(super) const LIMIT: u64 = 1024 * 1024;

/// A package.
#[derive(Debug, Default)]
pub(crate) struct Package {
    /// Its folder.
    pub folder: PathBuf,
    /// Its name.
    pub name: Option<String>,
    file: &'static str,
    scripts: Vec<Script>,
    /// The names that patterns were found to mean.
    matched: RefCell<HashMap<String, Rc<Vec<String>>>>,
    /// The patterns of the folders of its workspace.
    pub workspaces: Vec<String>,
}

/// A script of a package.
#[derive(Debug)]
pub(crate) struct Script {
    /// Its name.
    pub name: String,
    /// What a shell runs.
    pub text: String,
    /// The line in `package.json`, from 1.
    pub line: usize,
}

impl Package {
    /// The package of a `package.json`, or the tasks of Deno's file, where there is one.
    ///
    /// The error says why the file can't be understood, in words that follow its name.
    pub(crate) fn of_file(file: &Path) -> Result<Option<Self>, String> {
        let small = file::read(file, LIMIT, None).map_err(|refusal| refusal.why())?;
        let Some(small) = small else { return Ok(None) };
        let text = jsonc::text(&small.bytes);
        let value = jsonc::parse(&text)?;
        let root = value.as_object().ok_or("is not an object")?;
        let get = |name: &str| jsonc::property(root, name).map(|property| &property.value);
        let name = DENO.into_iter().find(|name| file.ends_with(name)).unwrap_or(NAME);
        let scripts = get(if name == NAME { "scripts" } else { "tasks" }).and_then(Value::as_object);
        let lines = Lines::of(&text);
        let script = |property: &ObjectProp| {
            let line = lines.line(property.start());
            Some(Script { name: property.name.as_str().to_owned(), text: command(&property.value)?, line })
        };
        let workspaces = get("workspaces").or(get("workspace"));
        let lists = ["packages", "members"];
        let packages = |object: &Object| {
            lists.into_iter().find_map(|name| jsonc::property(object, name)).map(|list| strings(&list.value))
        };
        let workspaces =
            workspaces.and_then(|value| value.as_object().map_or(Some(strings(value)), packages));
        Ok(Some(Self {
            folder: file.parent().map(Path::to_owned).unwrap_or_default(),
            name: get("name").and_then(string),
            file: name,
            scripts: scripts.iter().flat_map(|object| &object.properties).filter_map(script).collect(),
            matched: RefCell::default(),
            workspaces: workspaces.unwrap_or_default(),
        }))
    }

    /// The name of its file.
    pub(crate) fn file_name(&self) -> &'static str {
        self.file
    }

    /// The names of the scripts that a name or a pattern may mean. A pattern's parts between its stars are looked at;
    /// one with more than that means any.
    pub(crate) fn matching(&self, pattern: &str) -> Rc<Vec<String>> {
        // Each of many scripts may ask for the same pattern.
        if let Some(found) = self.matched.borrow().get(pattern) {
            return Rc::clone(found);
        }
        let names = self.scripts.iter().map(|script| &script.name);
        let mut found: Vec<String> =
            names.filter(|name| *name == pattern || fits(name, pattern)).cloned().collect();
        found.dedup();
        let found = Rc::new(found);
        self.matched.borrow_mut().insert(pattern.to_owned(), Rc::clone(&found));
        found
    }

    /// The script of a name: of two that are the same, the last one.
    pub(crate) fn script(&self, name: &str) -> Option<&Script> {
        self.scripts.iter().rfind(|script| script.name == name)
    }

    /// What runs under a name: the script, with what runs before and after it.
    pub(crate) fn around<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Script> {
        let names = [format!("pre{name}"), name.to_owned(), format!("post{name}")];
        let is_there = self.script(name).is_some();
        names.into_iter().filter(move |_| is_there).filter_map(|name| self.script(&name))
    }
}

/// What a script runs: a text, or an object of Deno's with others that run before it.
fn command(value: &Value) -> Option<String> {
    let Some(object) = value.as_object() else { return string(value) };
    let get = |name: &str| jsonc::property(object, name).map(|property| &property.value);
    let before = get("dependencies").map(strings).unwrap_or_default();
    let before = before.iter().map(|name| format!("deno task '{name}'\n"));
    Some(before.chain(get("command").and_then(string)).collect())
}

pub(super) fn string(value: &Value) -> Option<String> {
    value.as_string_lit().map(|text| text.value.to_string())
}

/// Whether a name fits a pattern, as far as its stars say.
pub(super) fn fits(name: &str, pattern: &str) -> bool {
    // `/^deploy:/` is an expression of pnpm's.
    if pattern.len() > 1 && pattern.starts_with('/') && pattern.ends_with('/') {
        return true;
    }
    if pattern.contains(['?', '[', '{', '(', '!']) {
        return true;
    }
    let Some((first, rest)) = pattern.split_once('*') else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    let Some(mut left) = name.strip_prefix(first) else { return false };
    for part in parts {
        let Some((_, behind)) = left.split_once(part) else { return false };
        left = behind;
    }
    left.ends_with(last)
}

pub(super) fn strings(value: &Value) -> Vec<String> {
    let elements = value.as_array().into_iter().flat_map(|array| &array.elements);
    elements.filter_map(|value| value.as_string_lit().map(|text| text.value.to_string())).collect()
}

/// The nearest folder upward with a `package.json`, up to the root of the repository or the home.
pub(crate) fn nearest<'a>(directory: &'a Path, home: &Path) -> Option<&'a Path> {
    nearest_of(NAME, directory, home)
}

/// The nearest folder upward with a file of this name, in the same bounds.
pub(crate) fn nearest_of<'a>(name: &str, directory: &'a Path, home: &Path) -> Option<&'a Path> {
    within(directory, home).find(|at| at.join(name).is_file())
}

/// What a project's `.npmrc` says of the packages that npm runs scripts of.
#[derive(Debug, Default)]
pub(crate) struct Npmrc {
    /// Those that are named.
    pub packages: Vec<Word>,
    /// Every one is meant.
    pub is_in_all: bool,
}

impl Npmrc {
    /// The file of a folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let small = file::read(&folder.join(".npmrc"), LIMIT, None).ok().flatten();
        let text = small.map(|small| String::from_utf8_lossy(&small.bytes).into_owned()).unwrap_or_default();
        let mut this = Self::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim().trim_matches(['"', '\'']);
            match name.trim().trim_end_matches("[]") {
                "workspace" => this.packages.push(Word::given(OsStr::new(value))),
                "workspaces" => this.is_in_all |= value != "false",
                _ => {}
            }
        }
        this
    }
}

/// A folder and those above it, up to the root of the repository or the home.
pub(crate) fn within<'a>(directory: &'a Path, home: &Path) -> impl Iterator<Item = &'a Path> {
    let top = top(directory, home);
    directory.ancestors().take_while(move |at| at.starts_with(top))
}

/// The version of a package that is installed for a folder.
pub(crate) fn version(directory: &Path, package: &str) -> Option<Version> {
    let file = |at: &Path| at.join("node_modules").join(package).join(NAME);
    let file = directory.ancestors().map(file).find(|file| file.is_file())?;
    let small = file::read(&file, LIMIT, None).ok()??;
    let text = jsonc::text(&small.bytes);
    let value = jsonc::parse(&text).ok()?;
    let version = &jsonc::property(value.as_object()?, "version")?.value;
    Version::parse(&version.as_string_lit()?.value)
}

/// The first two numbers of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(pub u32, pub u32);

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(str::parse);
        Some(Self(numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

/// True for the name of a template of `.env` files: no program loads it unless it is named.
pub(crate) fn is_template(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    [".example", ".sample", ".template", ".dist"].iter().any(|ending| name.ends_with(ending))
}

/// True for the name of a `.env` file: what direnv runs is none.
pub(crate) fn is_env_file(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.strip_prefix(".env")
        .is_some_and(|rest| !rest.starts_with("rc") && !rest.starts_with(char::is_alphabetic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_files_are_told_by_their_names() {
        for name in [".env", ".env.local", ".env.staging", ".env-prod", ".env_x"] {
            assert!(is_env_file(OsStr::new(name)), "{name}");
        }
        for name in [".envrc", ".envrc.local", ".environment", "env", ".e"] {
            assert!(!is_env_file(OsStr::new(name)), "{name}");
        }
    }
}
