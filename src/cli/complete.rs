//! `alchemy __complete` (hidden): what can stand at the cursor, for the scripts `shell/completions.*`, which
//! `alchemy completions` prints.
//!
//! It answers from the files that name profiles. It opens no credential and no keyring, asks nobody and
//! nothing, and has no errors: where it cannot help, it says nothing. The name is no profile's and no
//! command's of anybody, so that no line that is typed comes here by mistake; a variable that switches a
//! program to completing (clap's `COMPLETE`) would turn every run around wherever it is exported.
//!
//! The first line of the answer says what follows (tcsh, which can do nothing else, gets the values alone):
//! - `values`: one a line, a tab, and what it is. None of them has a character that a shell would quote.
//! - `command N`: the N-th word (from 0) begins another command line, which the shell can complete. Where it
//!   cannot, the executables in `PATH` follow, when it is that first word that is typed.
//! - `directories`: the shell knows how to name those.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use clap::builder::Str;
use clap::{Arg, Args, Command, CommandFactory};
use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter, complete,
};

use super::grammar::{WordPlace, is_profile_option, parsed, place};
use super::{Cli, EXEC_NAME, base_name, npm_words};
use crate::error::Result;
use crate::hook::render::Shell;
use crate::host::Host;
use crate::oauth::client::{Client, Preset};
use crate::oauth::scopes::{ALL, BASIC, Catalog};
use crate::profile::Profile;
use crate::terminal::{self, printable};

const DIRECTORIES: &str = "directories";

/// Say what can stand at the cursor
#[derive(Args)]
pub(super) struct Complete {
    shell: Shell,
    /// The words are split at '=' as bash splits them
    #[arg(long)]
    split: bool,
    /// Describe several values in the values themselves, for a list that is only shown
    #[arg(long)]
    list: bool,
    /// The words of the line, up to the cursor
    #[arg(last = true)]
    words: Vec<OsString>,
}

impl Complete {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        // It says nothing of a mode.
        let _looking = host.home.look_only();
        let words = if self.shell == Shell::Tcsh { words_of_tcsh(host) } else { self.words };
        let typed = Typed::new(words, self.split);
        let mut command = Cli::command();
        let is_option = |value: &CompletionCandidate| value.get_value().as_bytes().starts_with(b"-");
        let (at, mut values) = match place(&typed.words, &command) {
            WordPlace::Command(at) => {
                let names = match self.shell {
                    Shell::Nu | Shell::Pwsh | Shell::Tcsh if at + 1 == typed.words.len() => {
                        executables(host, typed.last())
                    }
                    Shell::Tcsh => PathCompleter::any().complete(typed.last()),
                    // The shell itself completes it, or at least files.
                    _ => Vec::new(),
                };
                (Some(typed.origins[at]), names)
            }
            place => {
                let before = &typed.words[..typed.words.len() - 1];
                let known = known(host, before);
                let profiles =
                    matches!(place, WordPlace::Profile).then(|| starting(&known.profiles, typed.last()));
                command = with_values(command, &known).mut_subcommands(|command| {
                    let is_npms = npm_words::WORDS.iter().any(|word| word.name == command.get_name());
                    if is_npms { command.hide(false) } else { command }
                });
                let words = parsed(typed.words.clone(), &command);
                let last = words.len() - 1;
                let found = complete(&mut command, words, last, Some(&host.directory));
                let mut found = found.unwrap_or_default();
                if matches!(place, WordPlace::Npm) {
                    // Of what the parser knows, this alone means the same to npm's.
                    found.retain(|value| !is_option(value) || is_profile_option(value.get_value()));
                }
                (None, profiles.into_iter().flatten().chain(found).collect())
            }
        };
        // Options are for who asks for them by a dash, or where there is nothing else.
        if typed.last().is_empty() && values.iter().any(|value| !is_option(value)) {
            values.retain(|value| !is_option(value));
        }
        let directories = values.iter().any(|v| v.get_tag().is_some_and(|t| t.to_string() == DIRECTORIES));
        if self.shell == Shell::Tcsh {
            let values = if directories { PathCompleter::dir().complete(typed.last()) } else { values };
            let names = lines(&values, 0, false).into_iter();
            let names = names.map(|line| line.split('\t').next().unwrap_or_default().to_owned() + "\n");
            return terminal::print(&names.collect::<String>());
        }
        let kind = match at {
            Some(at) => format!("command {at}"),
            None if directories => DIRECTORIES.to_owned(),
            None => "values".to_owned(),
        };
        let lines = if directories { Vec::new() } else { lines(&values, typed.cut, self.list) };
        terminal::print(&[vec![kind], lines, vec![String::new()]].concat().join("\n"))
    }
}

/// tcsh tells the line up to the cursor by a variable, without its quotes.
fn words_of_tcsh(host: &Host) -> Vec<OsString> {
    let line = host.variable("COMMAND_LINE").unwrap_or_default().as_bytes();
    let mut words: Vec<_> = line.split(|byte| *byte == b' ').map(OsStr::from_bytes).collect();
    let last = words.pop();
    words.retain(|word| !word.is_empty());
    words.into_iter().chain(last).map(OsStr::to_owned).collect()
}

/// The words as `alchemy` would get them, and where each was on the line.
struct Typed {
    words: Vec<OsString>,
    origins: Vec<usize>,
    /// So much of the last word is a word of its own to the shell, and stays as it is.
    cut: usize,
}

impl Typed {
    fn new(line: Vec<OsString>, split: bool) -> Self {
        let mut typed = Self { words: Vec::new(), origins: Vec::new(), cut: 0 };
        let mut joined = false;
        for (at, word) in line.into_iter().enumerate() {
            let equals = split && word == "=";
            match typed.words.last_mut() {
                Some(option) if joined || (equals && option.as_bytes().starts_with(b"--")) => {
                    typed.cut = option.len() + usize::from(equals);
                    option.push(word);
                    joined = equals && !joined;
                }
                _ => {
                    typed.cut = 0;
                    typed.words.push(word);
                    typed.origins.push(at);
                }
            }
        }
        if typed.words.first().is_some_and(|name| base_name(name) == EXEC_NAME) {
            typed.words.insert(1, "exec".into());
            typed.origins.insert(1, 0);
        }
        if typed.words.len() < 2 {
            typed.words.resize(2, OsString::new());
            typed.origins.resize(2, 1);
        }
        typed
    }

    fn last(&self) -> &OsStr {
        self.words.last().map_or(OsStr::new(""), OsString::as_os_str)
    }
}

/// What files say: values with what they are.
struct Known {
    profiles: Vec<(String, String)>,
    accounts: Vec<(String, String)>,
    /// An option has named the profile, or says that none is wanted.
    has_option: bool,
    /// A word of the line is the name of one.
    has_name: bool,
}

fn known(host: &Host, before: &[OsString]) -> Known {
    let profiles = host.store(false).map(|store| store.known()).unwrap_or_default();
    let mut accounts: Vec<_> = profiles
        .iter()
        .filter_map(|(_, profile)| profile.as_ref())
        .map(|Profile { account, .. }| (account.id.to_string(), account.name.clone()))
        .collect();
    accounts.sort();
    accounts.dedup_by(|a, b| a.0 == b.0);
    let described = |Profile { method, account, .. }: Profile| {
        format!("{method}, {}", if account.name.is_empty() { account.id.as_str() } else { &account.name })
    };
    let profiles: Vec<_> = profiles
        .into_iter()
        .map(|(name, profile)| (name.to_string(), profile.map(described).unwrap_or_default()))
        .collect();
    let no_name = |word: &OsString| is_profile_option(word) || word == "--unset" || word == "--pick";
    let has_option = before.iter().any(no_name);
    let has_name = before.iter().skip(2).any(|word| profiles.iter().any(|(name, _)| word == name.as_str()));
    Known { profiles, accounts, has_option, has_name }
}

/// The parser, with the values that it does not know itself. What an argument takes is told by its name.
fn with_values(command: Command, known: &Known) -> Command {
    command
        .mut_args(|arg| match completer(&arg, known) {
            Some(completer) => arg.add(completer),
            None => arg,
        })
        .mut_subcommands(|command| with_values(command, known))
}

fn completer(arg: &Arg, known: &Known) -> Option<ArgValueCompleter> {
    let listed = |values: Vec<(String, String)>| {
        Some(ArgValueCompleter::new(move |current: &OsStr| starting(&values, current)))
    };
    let plain = |values: &[&str]| listed(values.iter().map(|v| ((*v).to_owned(), String::new())).collect());
    let takes = arg.get_value_names().and_then(|names| names.first()).map(Str::as_str);
    match (arg.get_id().as_str(), takes) {
        ("positional", Some("PROFILE")) if known.has_option => None,
        (_, Some("PROFILE")) => listed(known.profiles.clone()),
        (_, Some("PROFILE [DIR]" | "PROFILE [PATH]")) if !known.has_option && !known.has_name => {
            listed(known.profiles.clone())
        }
        ("account", _) => listed(known.accounts.clone()),
        ("scopes", _) => Some(ArgValueCompleter::new(scopes)),
        ("client", _) => plain(&[Preset::Alchemy.name(), Preset::AlchemyV1.name()]),
        (_, Some("DIR" | "PROFILE [DIR]")) => Some(ArgValueCompleter::new(|_: &OsStr| {
            vec![CompletionCandidate::new("").tag(Some(DIRECTORIES.into()))]
        })),
        _ => None,
    }
}

/// The last of a list of scopes with commas between.
fn scopes(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let (before, last) = current.split_at(current.rfind(',').map_or(0, |comma| comma + 1));
    let catalog = Catalog::of(&Client::new(Preset::Alchemy.client_id()));
    let all = catalog.all().map(|scope| (scope.id.clone(), scope.name.clone()));
    let sets = [BASIC, ALL].map(|set| (set.to_owned(), String::new()));
    let sets = sets.into_iter().filter(|_| before.is_empty());
    let values: Vec<_> = sets.chain(all).collect();
    starting(&values, OsStr::new(last)).into_iter().map(|value| value.add_prefix(before)).collect()
}

fn starting(values: &[(String, String)], current: &OsStr) -> Vec<CompletionCandidate> {
    let described = |text: &str| (!text.is_empty()).then(|| printable(text).into());
    values
        .iter()
        .filter(|(value, _)| value.as_bytes().starts_with(current.as_bytes()))
        .map(|(value, text)| CompletionCandidate::new(value).help(described(text)))
        .collect()
}

fn executables(host: &Host, current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(path) = host.variable("PATH") else { return Vec::new() };
    let mut names: Vec<OsString> = std::env::split_paths(path)
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(Iterator::flatten)
        .filter(|entry| entry.file_name().as_bytes().starts_with(current.as_bytes()))
        .filter(|entry| {
            let metadata = std::fs::metadata(entry.path());
            metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        })
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    names.dedup();
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The values without what the shell holds for a word of its own, `cut`; where they are only shown, `list`,
/// aligned and with what they are.
fn lines(values: &[CompletionCandidate], cut: usize, list: bool) -> Vec<String> {
    let values: Vec<(&str, String)> = values
        .iter()
        .filter_map(|value| {
            let help = value.get_help().map(ToString::to_string).unwrap_or_default();
            let value = value.get_value().to_str().filter(|value| value.bytes().all(is_plain))?;
            Some((value.get(cut..)?, help.lines().next().unwrap_or_default().to_owned()))
        })
        .collect();
    let width = values.iter().map(|(value, _)| value.len()).max().unwrap_or_default();
    let several = values.len() > 1;
    let line = |(value, help): &(&str, String)| match help.as_str() {
        "" => (*value).to_owned(),
        help if list && several => format!("{value:width$}  ({help})"),
        help => format!("{value}\t{help}"),
    };
    values.iter().map(line).collect()
}

/// Whether the byte means itself in every shell, at any place of a word.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./:@+,=%".contains(&byte)
}
