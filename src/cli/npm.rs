//! The npm package's own commands: handed to the project's `alchemy`, with the profile's credential.
//!
//! The words are fixed, so that a typo runs nothing; `alchemy -- ARGUMENTS` hands over whatever there is. What
//! is run is what the directory holds, which may be a stranger's clone. So it gets a credential only where
//! the person has said which: by an option, a variable, a binding or an allowed pin file. And it is not run
//! inside itself: a wrapper of that name which calls this program would otherwise never end.

use std::ffi::{OsStr, OsString};
use std::fs;

use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::GiveArguments;
use super::npm_words::{ANY, WORDS, Word, asked, has, known};
use crate::clients::hazards::Client;
use crate::cloudflare::Credential;
use crate::directory::npm_bin::{self, FileId, NpmBin};
use crate::environment::{ACTIVE, API_KEY, API_TOKEN, PROFILE, apply, removal};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::launch;
use crate::profile::ProfileName;
use crate::profile::selection::Reason;
use crate::release::check::Receiver;
use crate::release::choice::{Choice, is_ci};
use crate::release::give::give;
use crate::release::selector::Selector;
use crate::store::Store;

/// The files that were handed over to, oldest first, for who is called inside of one.
const HANDED: &str = "ALCHEMY_HANDED";

/// A command line for the npm package's `alchemy`.
pub(super) struct Npm {
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
    give: GiveArguments,
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

impl Npm {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let asked = asked(&self.arguments);
        let profile = one_profile(self.options.profile.as_deref(), &asked.profiles)?;
        let found = npm_bin::find(&host.directory, host.user_home(), host.uid)?;
        let npm = found.ok_or_else(|| self.not_installed(host))?;
        let handed = handed(host, &npm)?;
        let arguments: Vec<OsString> =
            std::iter::once("alchemy".into()).chain(self.arguments.iter().cloned()).collect();
        let environment = if asked.has_credential {
            self.with_credential(host, &npm, &arguments, profile.as_deref())?
        } else {
            without_credential(host)?
        };
        let environment = environment.into_iter().filter(|(name, _)| name != HANDED);
        let environment = environment.chain([(HANDED.into(), handed.into())]).collect();
        let version = npm.version.as_deref().unwrap_or("of an unknown version");
        host.messages.verbose(&format!("running npm's alchemy {version}, {}", npm.program.display()));
        match launch::replace(&npm.program, arguments, environment)? {}
    }

    /// The environment with the credential that the person has choice for this.
    fn with_credential(
        &self,
        host: &Host,
        npm: &NpmBin,
        arguments: &[OsString],
        profile: Option<&str>,
    ) -> Result<Vec<(OsString, OsString)>> {
        let mut store = host.store(true)?;
        let selector = Selector::of(host);
        if profile.is_none() && !selector.names_profile() {
            let here = selector.here()?;
            // What is above it and selects for other programs does not vouch for this one; nor does a credential
            // in the environment, which stands in only in CI (design §4).
            if let Some(ask) = here.asks.as_ref().filter(|_| here.choice.is_some() || !is_ci(host)) {
                return Err(selector.refusal(here, ask));
            }
        }
        let choice = match Choice::find(&selector, &store, profile) {
            Err(_) if is_unselected(&selector, &store, profile) => {
                return Err(self.unselected("and the project's own alchemy gets no credential without one"));
            }
            choice => choice?,
        };
        self.check_choice(&choice)?;
        // Version 1 takes a key before a token, and an unset one from `.env`; an empty one is none to it
        // (`facts/alchemy-npm.md` §1.7). Version 2 takes the token first.
        let blank_key = !npm.is_version_2();
        let client = npm.version.as_ref().map(|_| if blank_key { Client::Npm1 } else { Client::Npm2 });
        let receiver = Receiver { command: arguments, blank_key, client };
        let (session, mut changes) =
            give(&selector, &mut store, &choice, &receiver, self.options.give.options()?, &[])?;
        if blank_key && matches!(session.credential, Credential::Token(_)) {
            changes.blank(API_KEY);
        }
        Ok(apply(host.variables.clone(), &changes))
    }

    /// `default`, which nobody has choice, is for the person's own programs.
    fn check_choice(&self, choice: &Choice) -> Result<()> {
        match choice {
            Choice::Profile(profile, selection) if selection.reason == Reason::Default => {
                let why = format!(
                    "and '{}' alone is not enough to give the project's own alchemy its credential",
                    profile.name
                );
                Err(self.unselected(&why))
            }
            _ => Ok(()),
        }
    }

    fn unselected(&self, why: &str) -> Error {
        let line = match self.arguments.first().filter(|word| known(word).is_some()) {
            Some(word) => format!("{} --profile NAME", word.display()),
            None => "-p NAME -- …".to_owned(),
        };
        Error::new(format!("nothing here selects a profile, {why}"))
            .hint(format!("for this run: alchemy {line}; for this directory: alchemy use NAME"))
    }

    fn not_installed(&self, host: &Host) -> Error {
        let top = npm_bin::top(&host.directory, host.user_home());
        let is_top = top == host.directory;
        let up = if is_top { String::new() } else { format!(" or above, up to {}", host.shown(top)) };
        let place = host.shown(&host.directory);
        let hint = match self.arguments.first().and_then(|word| known(word)) {
            Some(word) if !word.has_credential => format!("npx alchemy {}, or bunx alchemy {0}", word.name),
            _ => "npm install alchemy, or bun add alchemy".to_owned(),
        };
        Error::of(Kind::NotFound, format!("npm's alchemy is not installed in {place}{up}"))
            .hint(format!("install it: {hint}"))
    }
}

/// Whether nothing selects, and there is no `default`.
fn is_unselected(selector: &Selector, store: &Store, profile: Option<&str>) -> bool {
    let is_named = profile.is_some() || selector.names_profile();
    let is_free = || selector.here().is_ok_and(|here| here.choice.is_none() && here.asks.is_none());
    !is_named && is_free() && matches!(store.get(&ProfileName::default()), Ok(None))
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
/// Fails when it is among them already, or is this program itself.
fn handed(host: &Host, npm: &NpmBin) -> Result<String> {
    let before = host.text(HANDED).unwrap_or_default();
    let ours = std::env::current_exe().and_then(fs::metadata);
    let shown = host.shown(&npm.program);
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

/// The environment as the person has it. What a shell's hook, an outer `exec` or `env` has put there is ours: a
/// credential beside the name of the profile that it is of. One without is the person's own, and stays.
fn without_credential(host: &Host) -> Result<Vec<(OsString, OsString)>> {
    let secrets: Vec<&OsStr> = [API_TOKEN, API_KEY].iter().filter_map(|name| host.variable(name)).collect();
    let active = host.text(ACTIVE).map(|active| active.rsplit_once(':').map_or("", |(_, name)| name));
    let of_profile = if secrets.is_empty() { None } else { host.text(PROFILE) };
    if active.is_none() && of_profile.is_none() {
        return Ok(host.variables.clone());
    }
    let store = host.store(false)?;
    let names = active.into_iter().chain(of_profile).filter_map(|name| ProfileName::parse(name).ok());
    let profiles = names.filter_map(|name| store.get(&name).ok().flatten());
    let mut also: Vec<String> = profiles.flat_map(|profile| profile.also).collect();
    // `exec --also` repeats it under names that are kept nowhere.
    let repeats = host.variables.iter().filter(|(_, value)| secrets.contains(&value.as_os_str()));
    also.extend(repeats.filter_map(|(name, _)| name.to_str().map(str::to_owned)));
    let mut changes = removal(&also);
    changes.unset.push(ACTIVE.to_owned());
    Ok(apply(host.variables.clone(), &changes))
}

#[cfg(test)]
mod tests {
    use super::*;

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
