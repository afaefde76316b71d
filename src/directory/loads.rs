//! Which `.env` files a command line will have loaded, and by whom: by its words alone, nothing is run.
//!
//! Where the words do not say it, all may be: a script, a shell or another program may start any of them.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

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
        let tool = match command.iter().find(|word| !is_before(word)).and_then(|word| tool(word)) {
            Some(tool) => tool,
            None if command.first().is_some_and(|first| is_one(first, &RUNNERS)) => Tool::Script,
            None => Tool::Other,
        };
        let mut this = Self { tool, directory: None, files: Vec::new(), environment: None, config: None };
        if tool == Tool::Other {
            return this; // its options have meanings of their own
        }
        let mut words = command.iter().map(OsString::as_os_str).peekable();
        while let Some(word) = words.next() {
            let Some((name, attached)) = option(word) else { continue };
            let mut value = || attached.or_else(|| words.next_if(|next| option(next).is_none()));
            match name {
                "--cwd" => this.directory = value().map(Path::new),
                "-e" | "--env" => this.environment = value().and_then(OsStr::to_str),
                "-c" | "--config" if tool == Tool::Wrangler => this.config = value().map(Path::new),
                "--env-file" => {
                    this.files.extend(value());
                    // Wrangler takes all the words that follow, with `=` too (measured).
                    if tool == Tool::Wrangler {
                        this.files
                            .extend(std::iter::from_fn(|| words.next_if(|next| option(next).is_none())));
                    }
                }
                _ => {}
            }
        }
        this.files.truncate(MOST_FILES);
        this
    }

    /// Who loads what.
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

/// Those that run the scripts of packages.
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
    fn options_are_read_with_their_values_in_either_form() {
        let words = "wrangler deploy -e staging --cwd=sub -c other.toml --env-file a b --env-file=c d --x";
        let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
        let expected = Words {
            tool: Tool::Wrangler,
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
