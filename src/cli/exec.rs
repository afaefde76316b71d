//! `alchemy exec`: become a command that has the profile's credential in its environment.

use std::ffi::{OsStr, OsString};

use clap::Args;

use super::r2::R2Arguments;
use super::{GiveArguments, Pick};
use crate::environment::apply;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::launch;
use crate::profile::ProfileName;
use crate::release::check::Receiver;
use crate::release::choice::Choice;
use crate::release::give::give;
use crate::release::selector::Selector;
use crate::store::Store;

/// Run a command with a profile's credential; without a command, a subshell
///
/// With -p or --pick, or when -- comes first, all that follows is the command. Otherwise the first word is the
/// profile and the rest the command, with or without --.
///
/// The exit code is the command's own; 125 when alchemy itself failed, 126 when the command cannot be
/// executed, 127 when it is not found.
#[derive(Args)]
#[command(override_usage = "alchemy exec [OPTIONS] [PROFILE] [--] [COMMAND]...")]
pub(super) struct Exec {
    /// The profile [default: by CLOUDFLARE_PROFILE, ALCHEMY_PROFILE, the directory, or 'default']
    #[arg(short, long, value_name = "PROFILE")]
    profile: Option<OsString>,
    #[command(flatten)]
    pick: Pick,
    #[command(flatten)]
    give: GiveArguments,
    /// Repeat the token under another variable's name (CF_API_TOKEN, CF_DNS_API_TOKEN, …)
    #[arg(long, value_name = "NAME", value_parser = super::env::variable_name)]
    also: Vec<String>,
    #[command(flatten)]
    r2: R2Arguments,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Exec {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let mut store = host.store(true)?;
        let profile = self.profile.as_deref().map(OsStr::to_string_lossy);
        let selector = Selector::of(host);
        let choice = Choice::find_or_pick(&selector, &store, profile.as_deref(), self.pick.pick)
            .map_err(|error| self.forgotten_profile(host, &store).unwrap_or(error))?;

        let subshell = self.command.is_empty();
        let arguments = if subshell { vec![shell(host)] } else { self.command };
        let command = if subshell { &[] } else { &arguments[..] };
        let path = host.search_path();
        let program = launch::find(&arguments[0], path, &host.directory)?;

        let (session, mut changes) = give(
            &selector,
            &mut store,
            &choice,
            &Receiver { command, blank_key: false, client: None },
            self.give.options()?,
            &self.also,
        )?;
        self.r2.add(host, &mut store, &choice, &session, &mut changes)?;
        let environment = apply(host.variables.clone(), &changes);
        if subshell {
            let who = session.profile.as_ref().map_or("the environment's credential", ProfileName::as_str);
            let account = session.account.as_ref().map(|account| format!(" ({account})")).unwrap_or_default();
            host.messages.say(&format!("{who}{account} is active in this shell; 'exit' leaves it"));
        }
        host.messages.verbose(&format!("running {}", program.display()));
        match launch::replace(&program, arguments, environment)? {}
    }

    /// `alchemy exec wrangler deploy`: the first word is no profile but a program.
    fn forgotten_profile(&self, host: &Host, store: &Store) -> Option<Error> {
        let word = self.profile.as_deref()?;
        let name = word.to_str().and_then(|word| ProfileName::parse(word).ok());
        if name.is_some_and(|name| !matches!(store.get(&name), Ok(None))) {
            return None;
        }
        launch::find(word, host.search_path(), &host.directory).ok()?;
        let word = word.to_string_lossy();
        // Only plain words are repeated: what an option holds may be a secret of the command's.
        let plain = |word: &&OsString| {
            let word = word.to_string_lossy();
            !word.starts_with('-') && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:@".contains(c))
        };
        let shown: Vec<_> =
            self.command.iter().take_while(plain).map(|word| word.to_string_lossy()).collect();
        let mut line = [std::slice::from_ref(&word), &shown].concat().join(" ");
        if shown.len() < self.command.len() {
            line.push_str(" …");
        }
        Some(
            Error::usage(format!("there is no profile '{word}'"))
                .hint(format!("to run it as a command: alchemy exec -- {line}")),
        )
    }
}

fn shell(host: &Host) -> OsString {
    host.variable("SHELL").unwrap_or(OsStr::new("/bin/sh")).to_owned()
}
