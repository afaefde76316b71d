//! Which `.env` files a command line will have loaded, and by whom: by its words alone, nothing is run.
//!
//! Where the words do not say it, all may be: a script, a shell or another program may start any of them.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use crate::directory::npm_bin::top;

/// The most files that a command line may name to be looked through.
const MOST_FILES: usize = 8;

/// Who loads such files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Wrangler.
    Wrangler,
    /// The npm package's version 1.
    Npm1,
    /// Its version 2.
    Npm2,
}

impl Client {
    /// As people know it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wrangler => "wrangler",
            Self::Npm1 => "npm alchemy 1",
            Self::Npm2 => "npm alchemy 2",
        }
    }
}

/// What one of them loads; of two files that say the same, the later one counts.
pub struct Load {
    /// Who.
    pub client: Client,
    /// The files.
    pub files: Vec<PathBuf>,
    /// It goes before the variables of the process.
    pub is_above: bool,
}

/// Whom a command line starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Wrangler, by its name.
    Wrangler,
    /// The npm package, of whichever version.
    Npm,
    /// A script of a package, which hands its arguments on.
    Script,
    /// Something else, that may start any of them.
    Other,
}

/// What of a command line says which files are loaded.
#[derive(Debug, PartialEq, Eq)]
pub struct Words<'a> {
    /// Whom it starts.
    pub tool: Tool,
    /// It is run as a script of the package, in that one's directory. Those of other packages of a workspace
    /// are not looked for.
    pub in_package: bool,
    /// `--prefix` and its like: what runs the scripts goes there first.
    pub start: Option<&'a Path>,
    /// `--cwd`: wrangler and npm's version 1 go there first.
    pub directory: Option<&'a Path>,
    /// `--env-file`, once or more.
    pub files: Vec<&'a OsStr>,
    /// `--env` of wrangler. `CLOUDFLARE_ENV` chooses no `.env` file of its (measured).
    pub environment: Option<&'a str>,
    /// `--config` of wrangler.
    pub config: Option<&'a Path>,
}

impl<'a> Words<'a> {
    /// Of a command with its arguments.
    pub fn of(command: &'a [OsString]) -> Self {
        let is_one = |word: &OsString, names: &[&str]| names.iter().any(|name| base_name(word) == *name);
        let is_before = |word: &&OsString| {
            option(word).is_some() || is_one(word, &RUNNERS) || is_one(word, &BEFORE) || is_assignment(word)
        };
        let runner = Runner::of(command);
        let (first, start) = runner.as_ref().map_or((0, None), |runner| (runner.first, runner.start));
        let is_named = |(_, word): &(usize, &OsString)| !is_before(word) && start != Some(Path::new(word));
        let named = command.iter().enumerate().skip(first).find(is_named);
        let named = named.and_then(|(at, word)| Some((at, tool(word)?)));
        let (at, tool) = match (named, &runner) {
            (Some(named), _) => named,
            (None, Some(runner)) => (runner.end, Tool::Script),
            (None, None) => (0, Tool::Other),
        };
        let mut this = Self {
            tool,
            in_package: runner.as_ref().is_some_and(|runner| runner.in_package),
            start,
            directory: None,
            files: Vec::new(),
            environment: None,
            config: None,
        };
        if tool == Tool::Other {
            return this; // its options have meanings of their own
        }
        let mut words = command.iter().map(OsString::as_os_str).enumerate().peekable();
        while let Some((place, word)) = words.next() {
            let Some((name, attached)) = option(word) else { continue };
            let mut next = || words.next_if(|(_, next)| option(next).is_none()).map(|(_, next)| next);
            let mut value = || attached.or_else(&mut next);
            match name {
                "--cwd" if place >= at => this.directory = value().map(Path::new),
                "-e" | "--env" => this.environment = value().and_then(OsStr::to_str),
                "-c" | "--config" if tool == Tool::Wrangler => this.config = value().map(Path::new),
                "--env-file" => {
                    this.files.extend(value());
                    // Wrangler takes all the words that follow, with `=` too (measured).
                    if tool == Tool::Wrangler {
                        this.files.extend(std::iter::from_fn(next));
                    }
                }
                _ => {}
            }
        }
        this.files.truncate(MOST_FILES);
        this
    }

    /// The directories that it may run in, of which the first is where it is started.
    pub fn directories(&self, started: &Path, home: &Path) -> Vec<PathBuf> {
        let start = self.start.map_or_else(|| started.to_owned(), |to| started.join(to));
        // By its real path: what is above `..` is not known by words.
        let start = if self.start.is_some() { fs::canonicalize(&start).unwrap_or(start) } else { start };
        let package = if self.in_package { package(&start, home) } else { None };
        let package = package.filter(|package| *package != start).map(Path::to_owned);
        let join = |at: PathBuf| self.directory.map_or_else(|| at.clone(), |to| at.join(to));
        [start].into_iter().chain(package).map(join).collect()
    }

    /// Who loads what, when it runs in this directory.
    pub fn loads(&self, directory: &Path) -> Vec<Load> {
        let join = |names: &[&OsStr]| names.iter().map(|name| directory.join(name)).collect::<Vec<_>>();
        let mut defaults: Vec<OsString> = [".env", ".env.local"].map(OsString::from).to_vec();
        // Wrangler makes a file's name of any text; only a plain one names an environment.
        let plain = |name: &&str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if let Some(environment) = self.environment.filter(plain) {
            defaults
                .extend([format!(".env.{environment}").into(), format!(".env.{environment}.local").into()]);
        }
        let defaults = join(&defaults.iter().map(OsString::as_os_str).collect::<Vec<_>>());
        let only_env = vec![directory.join(".env")];
        let named = join(&self.files);
        let load = |client, files: &[PathBuf], is_above| Load { client, files: files.to_owned(), is_above };
        let by_default = [
            load(Client::Wrangler, &defaults, false),
            load(Client::Npm1, &only_env, false),
            load(Client::Npm2, &only_env, false),
        ];
        let by_name = [
            load(Client::Wrangler, &named, false),
            load(Client::Npm1, &named, false),
            load(Client::Npm2, &named, true),
        ];
        let loads: Vec<Load> = match (self.tool, named.is_empty()) {
            (_, true) => by_default.into(),
            // Whom the script hands them on to is not known, nor whether it does.
            (Tool::Script, false) => by_default.into_iter().chain(by_name).collect(),
            (_, false) => by_name.into(),
        };
        let is_for = |load: &Load| match self.tool {
            Tool::Wrangler => load.client == Client::Wrangler,
            Tool::Npm => load.client != Client::Wrangler,
            Tool::Script | Tool::Other => true,
        };
        loads.into_iter().filter(is_for).collect()
    }
}

/// The nearest directory with a package, up to the root of the repository or the home.
fn package<'a>(directory: &'a Path, home: &Path) -> Option<&'a Path> {
    let top = top(directory, home);
    let mut within = directory.ancestors().take_while(|at| at.starts_with(top));
    within.find(|at| at.join("package.json").is_file())
}

/// What runs the scripts of packages, as a command line says it.
struct Runner<'a> {
    /// Its place among the words.
    first: usize,
    /// Where its own words end.
    end: usize,
    in_package: bool,
    start: Option<&'a Path>,
}

impl<'a> Runner<'a> {
    fn of(command: &'a [OsString]) -> Option<Self> {
        // After `env`.
        let is_before =
            |word: &OsString| base_name(word) == "env" || is_assignment(word) || option(word).is_some();
        let first = command.iter().position(|word| !is_before(word))?;
        let name = RUNNERS.iter().find(|name| base_name(&command[first]) == **name)?;
        let is_manager = MANAGERS.contains(name);
        let (mut start, mut end, mut verb) = (None, command.len(), None);
        let mut words = command.iter().map(OsString::as_os_str).enumerate().skip(first + 1).peekable();
        while let Some((at, word)) = words.next() {
            match option(word) {
                _ if word == "--" => {
                    end = at;
                    break;
                }
                Some(("--prefix" | "-C" | "--dir" | "--cwd", attached)) if is_manager => {
                    let next = || words.next().map(|(_, next)| next);
                    start = attached.or_else(next).map(Path::new);
                }
                Some(_) => {}
                // What follows is the program's.
                None if tool(word).is_some() => {
                    end = at;
                    break;
                }
                None => verb = verb.or(Some(word)),
            }
        }
        let is_program = verb.is_some_and(|verb| PROGRAMS.iter().any(|program| verb == *program));
        Some(Self { first, end, in_package: is_manager && !is_program, start })
    }
}

/// Those of them that run a package's scripts in its directory.
const MANAGERS: [&str; 4] = ["npm", "pnpm", "yarn", "bun"];

/// Their words by which they run a program where they are.
const PROGRAMS: [&str; 3] = ["exec", "dlx", "x"];

/// Those that run the scripts or the programs of packages.
const RUNNERS: [&str; 7] = ["npm", "npx", "pnpm", "pnpx", "yarn", "bun", "bunx"];

/// Words that stand between them and the program.
const BEFORE: [&str; 7] = ["node", "nodejs", "env", "exec", "dlx", "x", "run"];

/// `NAME=value`, after `env`.
fn is_assignment(word: &OsStr) -> bool {
    word.to_str().is_some_and(|word| word.contains('='))
}

/// Whom a word names: `wrangler`, `node_modules/.bin/wrangler`, `wrangler@4`, `bin/wrangler.js`.
fn tool(word: &OsStr) -> Option<Tool> {
    let folder = Path::new(word).parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.ends_with("bin") && !folder.ends_with(".bin")) {
        return None; // a folder of a project may have any name
    }
    let name = base_name(word).to_str()?;
    let name = name.split('@').next().unwrap_or_default();
    match name.strip_suffix(".js").unwrap_or(name) {
        "wrangler" => Some(Tool::Wrangler),
        "alchemy" => Some(Tool::Npm),
        _ => None,
    }
}

/// An option, and the value that is attached to it by `=`.
fn option(word: &OsStr) -> Option<(&str, Option<&OsStr>)> {
    let text = word.to_str().filter(|text| text.starts_with('-') && text.len() > 1)?;
    match text.split_once('=') {
        Some((option, value)) => Some((option, Some(OsStr::new(value)))),
        None => Some((text, None)),
    }
}

fn base_name(word: &OsStr) -> &OsStr {
    Path::new(word).file_name().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_a_command_line_starts_is_read_from_the_words_before_its_own() {
        let table = [
            ("wrangler deploy", Tool::Wrangler),
            ("/usr/bin/wrangler deploy", Tool::Wrangler),
            ("node --enable-source-maps node_modules/wrangler/bin/wrangler.js deploy", Tool::Wrangler),
            ("npx -y wrangler@4.164.0 deploy", Tool::Wrangler),
            ("pnpm dlx wrangler dev", Tool::Wrangler),
            ("env CI=1 yarn wrangler tail", Tool::Wrangler),
            ("bunx alchemy deploy", Tool::Npm),
            ("node_modules/.bin/alchemy deploy", Tool::Npm),
            ("npm run deploy -- --env staging", Tool::Script),
            ("bun run --cwd packages/alchemy deploy", Tool::Script),
            ("/opt/node/bin/npm test", Tool::Script),
            ("env CI=1 npm test", Tool::Script),
            ("npm --prefix wrangler run x", Tool::Script),
            ("yarn --cwd p wrangler deploy", Tool::Wrangler),
            ("./deploy.sh wrangler", Tool::Other),
            ("grep -r wrangler", Tool::Other),
            ("wrangler/deploy", Tool::Other),
            ("", Tool::Other),
        ];
        for (line, expected) in table {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            assert_eq!(Words::of(&words).tool, expected, "{line}");
        }
    }

    #[test]
    fn scripts_run_in_the_directory_of_their_package_or_in_the_one_that_is_named() {
        let table: [(&str, bool, Option<&str>, Option<&str>); 17] = [
            ("npm run d", true, None, None),
            ("npm t", true, None, None),
            ("env CI=1 npm start", true, None, None),
            ("npm --prefix p run d", true, Some("p"), None),
            ("npm run d --prefix=p -- --cwd q", true, Some("p"), Some("q")),
            ("npm -C p test -- --prefix q", true, Some("p"), None),
            ("pnpm --dir p d", true, Some("p"), None),
            ("pnpm -C p exec wrangler deploy --cwd q", false, Some("p"), Some("q")),
            ("yarn --cwd p d", true, Some("p"), None),
            ("yarn wrangler deploy --cwd q", true, None, Some("q")),
            ("bun run --cwd p d", true, Some("p"), None),
            ("bun x wrangler deploy", false, None, None),
            ("npm exec -- wrangler deploy", false, None, None),
            ("npx --prefix p wrangler --cwd q", false, None, Some("q")),
            ("wrangler deploy --cwd q", false, None, Some("q")),
            ("make --dir p npm", false, None, None),
            ("npm --prefix", true, None, None),
        ];
        for (line, in_package, start, directory) in table {
            let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            let words = Words::of(&words);
            let (start, directory) = (start.map(Path::new), directory.map(Path::new));
            assert_eq!(
                (words.in_package, words.start, words.directory),
                (in_package, start, directory),
                "{line}"
            );
        }
    }

    #[test]
    fn options_are_read_with_their_values_in_either_form() {
        let words = "wrangler deploy -e staging --cwd=sub -c other.toml --env-file a b --env-file=c d --x";
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let expected = Words {
            tool: Tool::Wrangler,
            in_package: false,
            start: None,
            directory: Some(Path::new("sub")),
            files: ["a", "b", "c", "d"].map(OsStr::new).to_vec(),
            environment: Some("staging"),
            config: Some(Path::new("other.toml")),
        };
        assert_eq!(Words::of(&words), expected);
        let words = ["alchemy", "deploy", "--env-file", "a", "b", "-e"].map(OsString::from);
        assert_eq!(Words::of(&words).files, ["a"]);
        let words = ["docker", "run", "--env-file", "a"].map(OsString::from);
        assert!(Words::of(&words).files.is_empty(), "its options have meanings of their own");
    }
}
