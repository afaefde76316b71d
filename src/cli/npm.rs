//! The npm package's own commands: handed to the project's `alchemy`, with the profile's credential.
//!
//! The words are fixed, so that a typo runs nothing; `alchemy -- ARGUMENTS` hands over whatever there is. What
//! is run is what the directory holds, which may be a stranger's clone. So it gets a credential only where
//! the person has said which: by an option, a variable, a binding or an allowed pin file. And it is not run
//! inside itself: a wrapper of that name which calls this program would otherwise never end.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use clap::error::ContextValue;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::chosen::Chosen;
use super::context::Context;
use super::handover::{Handover, Receiver};
use crate::cloudflare::Credential;
use crate::directory::npm_bin::{self, FileId, NpmBin};
use crate::environment::{ACTIVE, API_KEY, apply, removal};
use crate::error::{Error, Kind, Result};
use crate::launch;
use crate::profile::ProfileName;
use crate::profile::selection::Reason;
use crate::shell;

/// The command that hands over all arguments; nobody types it, see [`super::grammar`].
pub const ANY: &str = "__npm";

/// A command of the npm package.
pub struct Word {
    pub name: &'static str,
    pub about: &'static str,
    /// It asks Cloudflare: it gets the credential.
    has_credential: bool,
}

const fn word(name: &'static str, about: &'static str, has_credential: bool) -> Word {
    Word { name, about, has_credential }
}

/// The commands of both versions (`facts/alchemy-npm.md` §4) that are not ours as well.
pub const WORDS: [Word; 14] = [
    word("deploy", "Deploy a stack", true),
    word("destroy", "Destroy a stack's resources", true),
    word("dev", "Run a stack locally, with live changes", true),
    word("plan", "Show what deploying would change (version 2)", true),
    word("run", "Run a stack without changing it (version 1)", true),
    word("logs", "Show a stack's logs (version 2)", true),
    word("drift", "Compare a stack with what is there (version 2)", true),
    word("state", "Look into a stack's state", true),
    word("provider", "Look after a provider, such as its state store (version 2)", true),
    word("util", "Create tokens, and the like (version 1)", true),
    word("unsafe", "What cannot be undone (version 2)", true),
    word("create", "Create a project (version 1)", false),
    word("init", "Set a project up (version 1)", false),
    word("telemetry", "Switch telemetry on or off (version 1)", false),
];

/// Commands of the npm package that are ours, too, and look after its own profiles: they read no credential from
/// the environment (`facts/alchemy-npm.md` §1.9, §3.6). Or ask nobody.
const WITHOUT_CREDENTIAL: [&str; 5] = ["configure", "login", "logout", "profile", "help"];

/// What happens to the program that we are inside of, in it: the files that were run, oldest first.
const HANDED: &str = "ALCHEMY_HANDED";

/// Whether the word is one of the npm package's.
pub fn has(word: &OsStr) -> bool {
    word == ANY || known(word).is_some()
}

fn known(name: &OsStr) -> Option<&'static Word> {
    WORDS.iter().find(|word| name == word.name)
}

/// A command line for the npm package's `alchemy`.
pub struct Npm {
    options: Options,
    /// All that it gets, its command first.
    arguments: Vec<OsString>,
}

/// What stands before the command is ours.
#[derive(Args)]
struct Options {
    /// The profile; --profile after the command says the same
    #[arg(short, long, value_name = "PROFILE")]
    profile: Option<String>,
    #[command(flatten)]
    handover: Handover,
    /// What npm's alchemy gets, as it is
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

impl Subcommand for Npm {
    fn augment_subcommands(command: Command) -> Command {
        let words = WORDS.iter().map(|Word { name, about, .. }| {
            subcommand(name, format!("{about}: handed to the project's own npm alchemy"))
        });
        let any = subcommand(ANY, "Handed to the project's own npm alchemy".to_owned());
        command.subcommands(words.chain([any]))
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        has(OsStr::new(name))
    }
}

/// They have their own place in the help, so that nobody takes them for ours.
fn subcommand(name: &'static str, about: String) -> Command {
    let usage = format!("alchemy [OPTIONS] {} [ARGUMENTS]...", if name == ANY { "--" } else { name });
    Options::augment_args(Command::new(name)).about(about).hide(true).override_usage(usage)
}

impl FromArgMatches for Npm {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, clap::Error> {
        let Some((name, matches)) = matches.subcommand() else {
            return Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand));
        };
        let mut options = Options::from_arg_matches(matches)?;
        let word = known(OsStr::new(name)).map(|word| word.name.into());
        let arguments = word.into_iter().chain(std::mem::take(&mut options.arguments)).collect();
        Ok(Self { options, arguments })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// What the main help says of the npm package's commands.
pub fn help() -> String {
    let names = |has_credential: bool| {
        let words = WORDS.iter().filter(|word| word.has_credential == has_credential);
        words.map(|word| word.name).collect::<Vec<_>>().join(", ")
    };
    format!(
        "Commands of npm's alchemy, handed to the one in the project's node_modules:\n  \
         {}\n          with the credential of the profile: -p before the command, or --profile after it\n  \
         {}\n          without one\n  \
         -- ARGUMENTS\n          any other",
        names(true),
        names(false)
    )
}

/// A command that is neither ours nor one of npm's, with those that may have been meant.
pub fn unknown(word: &str, near: Option<&ContextValue>) -> Error {
    let near: Vec<String> = match near {
        Some(ContextValue::Strings(names)) => names.clone(),
        Some(ContextValue::String(name)) => vec![name.clone()],
        _ => Vec::new(),
    };
    let of_whom = |name: &String| match known(OsStr::new(name)) {
        Some(_) => format!("{name} (npm's)"),
        None => name.clone(),
    };
    // The likeliest comes last.
    let near: Vec<String> = near.iter().rev().map(of_whom).collect();
    let near = if near.is_empty() {
        "see alchemy --help".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Error::usage(format!("there is no command '{word}'"))
        .hint(format!("{near}; to have npm's alchemy try it: alchemy -- {}", shell::word(word)))
}

impl Npm {
    pub fn run(self, context: &Context) -> Result<()> {
        let asked = asked(&self.arguments);
        let profile = one_profile(self.options.profile.as_deref(), &asked.profiles)?;
        let found = npm_bin::find(&context.directory, context.user_home(), context.uid)?;
        let npm = found.ok_or_else(|| self.not_installed(context))?;
        let handed = handed(context, &npm)?;
        let arguments: Vec<OsString> =
            std::iter::once("alchemy".into()).chain(self.arguments.iter().cloned()).collect();
        let environment = if asked.has_credential {
            self.with_credential(context, &npm, &arguments, profile.as_deref())?
        } else {
            without_credential(context)?
        };
        let environment = environment.into_iter().filter(|(name, _)| name != HANDED);
        let environment = environment.chain([(HANDED.into(), handed.into())]).collect();
        let version = npm.version.as_deref().unwrap_or("of an unknown version");
        context.messages.verbose(&format!("running npm's alchemy {version}, {}", npm.program.display()));
        match launch::replace(&npm.program, arguments, environment)? {}
    }

    /// The environment with the credential that the person has chosen for this.
    fn with_credential(
        &self,
        context: &Context,
        npm: &NpmBin,
        arguments: &[OsString],
        profile: Option<&str>,
    ) -> Result<Vec<(OsString, OsString)>> {
        let mut store = context.store(true)?;
        if profile.is_none() && !context.names_profile() {
            let here = context.here()?;
            // What is above it and selects for other programs does not vouch for this one.
            if let (Some(_), Some(ask)) = (&here.choice, &here.asks) {
                return Err(context.refusal(here, ask));
            }
        }
        let chosen = Chosen::of(context, &store, profile)?;
        self.check_choice(context, &chosen)?;
        // Version 1 takes a key before a token, and an unset one from `.env`; an empty one is none to it
        // (`facts/alchemy-npm.md` §1.7). Version 2 takes the token first.
        let blank_key = !npm.is_version_2();
        let receiver = Receiver { command: arguments, blank_key };
        let (session, mut changes) =
            self.options.handover.of(context, &mut store, &chosen, &receiver, &[])?;
        if blank_key && matches!(session.credential, Credential::Token(_)) {
            changes.blank(API_KEY);
        }
        Ok(apply(context.variables.clone(), &changes))
    }

    /// `default`, which nobody has chosen, is for the person's own programs, and what a shell's hook has left in
    /// the environment is for the directory that it is from.
    fn check_choice(&self, context: &Context, chosen: &Chosen) -> Result<()> {
        let message = match chosen {
            Chosen::Profile(profile, selection) if selection.reason == Reason::Default => {
                format!("nothing here selects a profile, and '{}' alone is not enough", profile.name)
            }
            Chosen::Environment(_) if context.variable(ACTIVE).is_some() => {
                "nothing here selects a profile, and the environment's credential is another directory's"
                    .to_owned()
            }
            _ => return Ok(()),
        };
        let line = match self.arguments.first().filter(|word| known(word).is_some()) {
            Some(word) => format!("{} --profile NAME", word.display()),
            None => "-p NAME -- …".to_owned(),
        };
        Err(Error::new(format!("{message} to give the project's own alchemy its credential"))
            .hint(format!("for this run: alchemy {line}; for this directory: alchemy use NAME")))
    }

    fn not_installed(&self, context: &Context) -> Error {
        let top = npm_bin::top(&context.directory, context.user_home());
        let up = if top == context.directory { "" } else { " or above, up to " };
        let up = if up.is_empty() { String::new() } else { format!("{up}{}", context.shown(top)) };
        let place = context.shown(&context.directory);
        let hint = match self.arguments.first().and_then(|word| known(word)) {
            Some(word) if !word.has_credential => format!("npx alchemy {}, or bunx alchemy {0}", word.name),
            _ => "npm install alchemy, or bun add alchemy".to_owned(),
        };
        Error::of(Kind::NotFound, format!("npm's alchemy is not installed in {place}{up}"))
            .hint(format!("install it: {hint}"))
    }
}

/// What the arguments say to us.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    /// The profiles that npm's own options name.
    profiles: Vec<OsString>,
    /// The command asks Cloudflare.
    has_credential: bool,
}

fn asked(arguments: &[OsString]) -> Asked {
    let own: Vec<&OsString> = arguments.iter().take_while(|word| *word != "--").collect();
    let command = own.iter().find(|word| !word.as_bytes().starts_with(b"-"));
    let is_help = own.iter().any(|word| *word == "--help" || *word == "-h");
    let has_credential = !is_help
        && command.is_some_and(|name| match known(name) {
            Some(word) => word.has_credential,
            None => !WITHOUT_CREDENTIAL.iter().any(|without| *name == without),
        });
    // The short form is version 1's, for `util` alone; elsewhere it would be something else.
    let short: &[u8] = if command.is_some_and(|name| *name == "util") { b"-p" } else { b"--profile" };
    let mut profiles = Vec::new();
    let mut words = own.into_iter();
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        if bytes == b"--profile" || bytes == short {
            profiles.extend(words.next().cloned());
        } else if let Some(value) = bytes.strip_prefix(b"--profile=") {
            profiles.push(OsStr::from_bytes(value).to_owned());
        }
    }
    Asked { profiles, has_credential }
}

/// The one profile that is named, by our option or by npm's.
fn one_profile(ours: Option<&str>, npms: &[OsString]) -> Result<Option<String>> {
    let npms = npms.iter().map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> = ours.map(str::to_owned).into_iter().chain(npms).collect();
    names.dedup();
    match &names[..] {
        [] => Ok(None),
        [name] => Ok(Some(name.clone())),
        [first, second, ..] => Err(Error::usage(format!("two profiles are named: '{first}' and '{second}'"))
            .hint("name one: its credential is what npm's alchemy uses, whatever its own --profile says")),
    }
}

/// The files that were handed to, with this one.
///
/// # Errors
/// When it is among them already, or is this program itself.
fn handed(context: &Context, npm: &NpmBin) -> Result<String> {
    let before = context.text(HANDED).unwrap_or_default();
    let ours = std::env::current_exe().and_then(fs::metadata);
    let shown = context.shown(&npm.program);
    if ours.is_ok_and(|ours| FileId::of(&ours) == npm.file) {
        return Err(Error::new(format!("{shown} is this program, and not npm's alchemy"))
            .hint("install npm's: npm install alchemy, or bun add alchemy"));
    }
    let file = npm.file.to_string();
    if before.split(' ').any(|handed| handed == file) {
        return Err(Error::new(format!("{shown} was run by alchemy, and calls alchemy again"))
            .hint(format!("call {shown} itself there: it has the credential; or unset {HANDED}")));
    }
    Ok(format!("{before} {file}").trim_start().to_owned())
}

/// The environment as the person has it. What a shell's hook has put there is ours.
fn without_credential(context: &Context) -> Result<Vec<(OsString, OsString)>> {
    let Some(active) = context.text(ACTIVE) else { return Ok(context.variables.clone()) };
    let name = active.rsplit_once(':').and_then(|(_, name)| ProfileName::parse(name).ok());
    let store = context.store(false)?;
    let profile = name.and_then(|name| store.get(&name).ok().flatten());
    let mut changes = removal(&profile.map(|profile| profile.also).unwrap_or_default());
    changes.unset.push(ACTIVE.to_owned());
    Ok(apply(context.variables.clone(), &changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Asked {
        asked(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_asks_cloudflare_gets_the_credential_of_the_profile_that_npms_options_name() {
        let table: [(&str, bool, &[&str]); 20] = [
            ("deploy", true, &[]),
            ("deploy --profile prod --stage x", true, &["prod"]),
            ("deploy --profile=prod", true, &["prod"]),
            ("deploy --profile=", true, &[""]),
            ("deploy --profile a --profile=b", true, &["a", "b"]),
            ("deploy -p prod", true, &[]),
            ("util create-cloudflare-token -p prod", true, &["prod"]),
            ("provider aws bootstrap --aws-profile x", true, &[]),
            ("run -- --profile x", true, &[]),
            ("deploy --profile", true, &[]),
            ("deploy --help", false, &[]),
            ("run -- --help", true, &[]),
            ("create", false, &[]),
            ("init --profile prod", false, &["prod"]),
            ("telemetry disable", false, &[]),
            ("profile list", false, &[]),
            ("login", false, &[]),
            ("--version", false, &[]),
            ("new-command", true, &[]),
            ("", false, &[]),
        ];
        for (line, has_credential, profiles) in table {
            let profiles = profiles.iter().map(OsString::from).collect();
            assert_eq!(of(line), Asked { profiles, has_credential }, "{line}");
        }
    }

    #[test]
    fn one_profile_may_be_named_twice_and_two_may_not() {
        let name =
            |ours, npms: &[&str]| one_profile(ours, &npms.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(name(None, &[]), Ok(None));
        assert_eq!(name(Some("a"), &["a", "a"]), Ok(Some("a".to_owned())));
        assert_eq!(name(None, &["a"]), Ok(Some("a".to_owned())));
        assert!(name(Some("a"), &["b"]).is_err() && name(None, &["a", "b"]).is_err());
    }
}
