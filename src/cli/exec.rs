//! `alchemy exec`: become a command that has the profile's credential in its environment.

use std::ffi::{OsStr, OsString};

use clap::Args;

use super::account::account_by_id;
use super::chosen::Chosen;
use super::context::Context;
use super::r2::R2Arguments;
use super::{Consent, MinTtl, guard};
use crate::environment::{ACCOUNT_ID, PROFILE, Value, apply, changes};
use crate::error::{Error, Result};
use crate::launch;
use crate::profile::{Account, ProfileName};
use crate::session::CONFIRM;
use crate::store::Store;

/// Run a command with a profile's credential; without a command, a subshell
///
/// With -p, or when -- comes first, all that follows is the command. Otherwise the first word is the
/// profile and the rest the command, with or without --.
///
/// The exit code is the command's own; 125 when alchemy itself failed, 126 when the command cannot be
/// executed, 127 when it is not found.
#[derive(Args)]
#[command(override_usage = "alchemy exec [OPTIONS] [PROFILE] [--] [COMMAND]...")]
pub struct Exec {
    /// The profile [default: by CLOUDFLARE_PROFILE, ALCHEMY_PROFILE, the directory, or 'default']
    #[arg(short, long, value_name = "PROFILE")]
    profile: Option<OsString>,
    /// Another account for this run
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Repeat the token under another variable's name (CF_API_TOKEN, CF_DNS_API_TOKEN, …)
    #[arg(long, value_name = "NAME", value_parser = super::env::variable_name)]
    also: Vec<String>,
    #[command(flatten)]
    r2: R2Arguments,
    #[command(flatten)]
    min_ttl: MinTtl,
    #[command(flatten)]
    consent: Consent,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

impl Exec {
    pub fn run(self, context: &Context) -> Result<()> {
        let account = self.account.as_deref().map(account_by_id).transpose()?;
        let mut store = context.store(true)?;
        let profile = self.profile.as_deref().map(OsStr::to_string_lossy);
        let chosen = Chosen::of(context, &store, profile.as_deref())
            .map_err(|error| self.forgotten_profile(context, &store).unwrap_or(error))?;

        let subshell = self.command.is_empty();
        let arguments = if subshell { vec![shell(context)] } else { self.command };
        let path = context.variable("PATH");
        let program = launch::find(&arguments[0], path, &context.directory)?;

        let session =
            chosen.release(context, &mut store, account, &self.min_ttl, context.gate(self.consent))?;
        guard::warn_of_wrangler(context, session.account.as_ref());
        warn_of_other_account(context, &store, session.account.as_ref());
        let mut also = self.also;
        also.extend_from_slice(chosen.also());
        let mut changes = changes(&session, &also);
        self.r2.add(context, &mut store, &chosen, &session, &mut changes)?;
        if let Chosen::Profile(profile, _) = &chosen
            && profile.confirm
        {
            // What runs under this one is not asked again (design §7).
            changes.set.push((CONFIRM.to_owned(), Value::Plain(profile.name.to_string())));
        }
        let environment = apply(context.variables.clone(), &changes);
        if subshell {
            let who = session.profile.as_ref().map_or("the environment's credential", ProfileName::as_str);
            let account = session.account.as_ref().map(|account| format!(" ({account})")).unwrap_or_default();
            context.messages.say(&format!("{who}{account} is active in this shell; 'exit' leaves it"));
        }
        context.messages.verbose(&format!("running {}", program.display()));
        match launch::replace(&program, arguments, environment)? {}
    }

    /// `alchemy exec wrangler deploy`: the first word is no profile but a program.
    fn forgotten_profile(&self, context: &Context, store: &Store) -> Option<Error> {
        let word = self.profile.as_deref()?;
        let name = word.to_str().and_then(|word| ProfileName::parse(word).ok());
        if name.is_some_and(|name| !matches!(store.get(&name), Ok(None))) {
            return None;
        }
        launch::find(word, context.variable("PATH"), &context.directory).ok()?;
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

fn shell(context: &Context) -> OsString {
    context.variable("SHELL").unwrap_or(OsStr::new("/bin/sh")).to_owned()
}

/// An inherited account that the command will not see is named, unless an outer `alchemy exec` put it
/// there: then it is the account of the profile that `ALCHEMY_PROFILE` names.
fn warn_of_other_account(context: &Context, store: &Store, account: Option<&Account>) {
    let (Some(inherited), Some(account)) = (context.variable(ACCOUNT_ID), account) else { return };
    if inherited == account.id.as_str() {
        return;
    }
    let outer = context.text(PROFILE).and_then(|name| ProfileName::parse(name).ok());
    let outer = outer.and_then(|name| store.get(&name).ok().flatten());
    if outer.is_some_and(|outer| inherited == outer.account.id.as_str()) {
        return;
    }
    context.messages.say(&format!(
        "{ACCOUNT_ID}={} in the environment is replaced by {account}; --account overrides it for one run",
        inherited.to_string_lossy()
    ));
}
