//! The packages of a workspace, as its list of them says.
//!
//! Nothing is run. What is read is bounded: a repository may have any number of folders.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonc_parser::ast::Value;

use super::jsonc;
use super::packages::{DENO, LIMIT, NAME, Package, fits, string, strings, within};
use crate::directory::file;

/// The most packages of a workspace.
const PACKAGES: usize = 1024;
/// The most entries of folders that are looked at for them.
const ENTRIES: usize = 32 * 1024;
/// What is said of a workspace that has more.
pub(crate) const MORE_PACKAGES: &str = "has more packages in its workspace than are looked at";
/// How deep `**` goes.
const DEPTH: usize = 3;

/// The files of which a package has one, each with its name in it.
const FILES: [&str; 4] = [NAME, "project.json", DENO[0], DENO[1]];

/// Reads the patterns of a folder's packages, or says why they can't be understood.
type List = fn(&Path) -> Result<Vec<String>, String>;

/// What lists the packages of a folder.
const LISTS: [List; 6] = [
    |at| in_package(&at.join(NAME)),
    |at| in_package(&at.join(DENO[0])),
    |at| in_package(&at.join(DENO[1])),
    |at| {
        let small =
            file::read(&at.join("pnpm-workspace.yaml"), LIMIT, None).map_err(|refusal| refusal.why())?;
        Ok(small.map(|small| pnpm(&small.bytes)).unwrap_or_default())
    },
    |at| in_list(&at.join("lerna.json"), "packages"),
    |at| in_list(&at.join("rush.json"), "projects"),
];

fn in_package(file: &Path) -> Result<Vec<String>, String> {
    Ok(Package::of_file(file)?.map(|package| package.workspaces).unwrap_or_default())
}

/// The folders in a list of texts, or of objects with a `projectFolder`.
fn in_list(file: &Path, name: &str) -> Result<Vec<String>, String> {
    let small = file::read(file, LIMIT, None).map_err(|refusal| refusal.why())?;
    let Some(small) = small else { return Ok(Vec::new()) };
    let text = jsonc::text(&small.bytes);
    let value = jsonc::parse(&text)?;
    let list = value.as_object().and_then(|object| jsonc::property(object, name)).map(|list| &list.value);
    let objects = list.and_then(Value::as_array).into_iter().flat_map(|array| &array.elements);
    let folder = |value: &Value| string(&jsonc::property(value.as_object()?, "projectFolder")?.value);
    Ok(list.map(strings).into_iter().flatten().chain(objects.filter_map(folder)).collect())
}

/// The folders of a workspace.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    /// Its root.
    pub root: Option<PathBuf>,
    /// The folders of its packages.
    pub folders: Vec<PathBuf>,
    /// False where there are more than are looked at, or where they could not be found.
    pub is_whole: bool,
    /// The names of the packages, read when they are first asked for.
    names: OnceCell<Vec<Option<String>>>,
    /// The real paths of the folders, read when they are first asked for.
    paths: OnceCell<Vec<Option<PathBuf>>>,
    seen: HashSet<PathBuf>,
    entries: usize,
}

impl Workspace {
    /// The workspace that a folder belongs to, by the nearest list of packages upward.
    pub(crate) fn around(directory: &Path, home: &Path) -> Self {
        let mut this = Self { is_whole: true, ..Self::default() };
        for at in within(directory, home) {
            let mut patterns = Vec::new();
            for list in LISTS {
                match list(at) {
                    Ok(found) => patterns.extend(found),
                    Err(_) => this.is_whole = false,
                }
            }
            // Nx takes any folder with one of its files.
            if patterns.is_empty() && at.join("nx.json").is_file() {
                patterns.push("**".to_owned());
            }
            if patterns.is_empty() {
                continue;
            }
            this.root = Some(at.to_owned());
            // What a pattern takes out is looked at all the same.
            for pattern in patterns.iter().filter(|pattern| !pattern.starts_with('!')) {
                let parts: Vec<&str> = pattern.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
                this.expand(at, &parts, DEPTH);
            }
            break;
        }
        this
    }

    fn expand(&mut self, at: &Path, parts: &[&str], depth: usize) {
        let Some((part, rest)) = parts.split_first() else {
            if !self.seen.contains(at) && FILES.iter().any(|name| at.join(name).is_file()) {
                if self.folders.len() == PACKAGES {
                    self.is_whole = false;
                } else {
                    self.seen.insert(at.to_owned());
                    self.folders.push(at.to_owned());
                }
            }
            return;
        };
        if !part.contains('*') {
            return self.expand(&at.join(part), rest, depth);
        }
        let is_deep = *part == "**";
        if is_deep {
            self.expand(at, rest, depth);
        }
        if is_deep && depth == 0 {
            return;
        }
        let (first, last) = part.split_once('*').unwrap_or_default();
        for entry in fs::read_dir(at).into_iter().flatten().flatten() {
            self.entries += 1;
            if self.entries > ENTRIES {
                self.is_whole = false;
                return;
            }
            let name = entry.file_name();
            let text = name.to_string_lossy();
            // Only the first star of a part is one: what a second stands for is looked at, too.
            let last = last.rsplit('*').next().unwrap_or_default();
            let fits = is_deep || (text.starts_with(first) && text.ends_with(last));
            if !fits || name == "node_modules" || text.starts_with('.') || !entry.path().is_dir() {
                continue;
            }
            if is_deep {
                self.expand(&entry.path(), parts, depth - 1);
            } else {
                self.expand(&entry.path(), rest, depth);
            }
        }
    }

    /// The names of the packages, each of which may have none.
    pub(crate) fn names(&self) -> &[Option<String>] {
        let read = |file: PathBuf| Package::of_file(&file).ok().flatten().and_then(|package| package.name);
        let name = |folder: &PathBuf| FILES.iter().find_map(|name| read(folder.join(name)));
        self.names.get_or_init(|| self.folders.iter().map(name).collect())
    }

    /// The packages that a word names, by their folder or their name as a whole or behind their scope.
    pub(crate) fn named<'a>(&'a self, word: &'a str, at: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        let plain = word.trim_start_matches("...").trim_end_matches("...").trim_matches(['{', '}', '^']);
        let path = fs::canonicalize(at.join(plain)).ok();
        let real = |folder: &PathBuf| fs::canonicalize(folder).ok();
        let paths = self.paths.get_or_init(|| self.folders.iter().map(real).collect());
        let packages = self.folders.iter().zip(paths).zip(self.names());
        let named = packages.filter(move |((_, own), name)| {
            let is_name = |name: &String| {
                let short = name.rsplit_once('/').map(|(_, short)| short);
                name == plain || short == Some(plain) || (plain.contains('*') && fits(name, plain))
            };
            path == **own || name.as_ref().is_some_and(is_name)
        });
        named.map(|((folder, _), _)| folder)
    }
}

/// The list `packages` of pnpm's file: one a line, as everybody writes it, or in brackets.
fn pnpm(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let plain = |item: &str| item.trim().trim_matches(['"', '\'']).to_owned();
    let (mut found, mut is_list) = (Vec::new(), false);
    for line in text.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim_end();
        if let Some(rest) = line.strip_prefix("packages:") {
            is_list = true;
            let inner = rest.trim().trim_start_matches('[').trim_end_matches(']');
            found.extend(inner.split(',').map(plain));
        } else if let (true, Some(item)) = (is_list, line.trim_start().strip_prefix('-')) {
            found.push(plain(item));
        } else if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
            is_list = false;
        }
    }
    found.retain(|item| !item.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pnpms_list_is_read_in_both_of_its_forms() {
        for (text, expected) in [
            ("packages:\n  - 'a/*'\n  # - no\n  - \"b\" # yes\nother:\n  - c\n", vec!["a/*", "b"]),
            ("packages: ['a', b/**]\n", vec!["a", "b/**"]),
            ("catalog:\n  a: 1\n", vec![]),
        ] {
            assert_eq!(pnpm(text.as_bytes()), expected, "{text}");
        }
    }
}
