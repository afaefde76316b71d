//! `alchemy import`: bring in what other tools have.
//!
//! First it is found and shown, then what must be known is asked, and only then something is written:
//! whoever cancels has changed nothing. Of the other tool nothing is ever changed.

mod carry_out;
mod choices;
mod planned;
mod shown;
mod sources;

use std::fmt;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::store_arguments::StoreArguments;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::import::{Existing, Fate};
use crate::profile::Account;
use crate::terminal;
use planned::Planned;

/// Bring in what other tools have
///
/// Shows first what becomes of each profile. API tokens and keys are copied. A sign-in of another program is
/// not, as its refresh token can be spent once: the profile is made with its account and scopes, and you sign
/// in to it. Nothing of the other tool is changed, and a second run changes nothing.
#[derive(Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Import {
    /// Where from
    #[arg(value_name = "TOOL")]
    tool: Tool,
    /// Only these of its profiles
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Read this file, as .env, and not the environment
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The name of the profile here, where one is imported
    #[arg(short, long, value_name = "PROFILE", conflicts_with = "prefix")]
    profile: Option<String>,
    /// Put this before each name
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prefix: String,
    /// The account, by its id or its exact name, where it is not known or one of several
    #[arg(long, value_name = "ID-or-NAME")]
    account: Option<String>,
    /// What to do where a profile or a binding of that name is another one [default: ask]
    #[arg(long, value_name = "ANSWER")]
    on_conflict: Option<OnConflict>,
    /// Do not ask Cloudflare; --account must be an id then
    #[arg(long)]
    no_verify: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Import without asking whether to
    #[arg(short, long)]
    yes: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreArguments,
}

/// The tools.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Tool {
    /// Its profiles, and its directory bindings
    Wrangler,
    /// Its profiles, with the secrets in the keyring or its encrypted files
    CfVault,
    /// The tokens and keys of npm alchemy 2
    Npm,
    /// The environment, or a .env file
    Env,
}

/// What to do about a name that is taken.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnConflict {
    /// Leave it out
    Skip,
    /// Give it another name; a binding is left out
    Rename,
    /// Replace what is there
    Replace,
}

impl Tool {
    /// As a part of a profile's name.
    fn word(self) -> &'static str {
        match self {
            Self::Wrangler => "wrangler",
            Self::CfVault => "cf-vault",
            Self::Npm => "npm",
            Self::Env => "env",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Import {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        self.check()?;
        let mut store = host.store(true)?;
        // Nobody is to be asked for the passphrase of something else.
        let existing = Existing::all(&host.store(false)?, self.tool != Tool::Npm)?;
        let (source, variables) = sources::find(&self, host, &store, &existing)?;
        let mut planned = Planned::of(&self, host, &store, source, &existing)?;
        if !self.json {
            terminal::print(&planned.table(host, self.tool))?;
            planned.notes().iter().for_each(|note| host.messages.say(note));
        }
        if self.dry_run {
            return self.end(&planned);
        }
        if planned.changes_something() {
            if !self.yes && !terminal::ask_yes("import these?", "--yes")? {
                return Err(Error::new("cancelled; nothing was changed"));
            }
            choices::ask(&self, &mut planned, &existing)?;
            planned.bind(host, self.on_conflict)?;
            choices::ask_bindings(host, &mut planned)?;
            carry_out::carry_out(&self, host, &mut store, &planned)?;
            if let Some(from) = variables {
                from.say(host, &planned);
            }
        } else if planned.items.iter().any(|item| !matches!(item.fate, Fate::Left(_))) && !self.json {
            host.messages.say("nothing was changed: there is nothing new to import");
        }
        self.end(&planned)
    }

    /// What the flags say that does not go together.
    fn check(&self) -> Result<()> {
        if self.file.is_some() && self.tool != Tool::Env {
            return Err(Error::usage("--file is for alchemy import env").hint("leave it out"));
        }
        if self.tool == Tool::Env && !self.names.is_empty() {
            return Err(Error::usage("the environment has no profiles to choose from")
                .hint("name the new profile: alchemy import env -p NAME"));
        }
        if self.no_verify
            && let Some(account) = &self.account
        {
            Account::of_id(account)?;
        }
        Ok(())
    }

    /// The outcome for programs, and as an exit code.
    fn end(&self, planned: &Planned) -> Result<()> {
        if self.json {
            terminal::print_json(&planned.as_json(self))?;
        }
        match planned.items.iter().find(|item| matches!(item.fate, Fate::Left(_))) {
            Some(left) if planned.items.iter().all(|item| matches!(item.fate, Fate::Left(_))) => {
                let Fate::Left(why) = &left.fate else { return Ok(()) };
                Err(Error::new(format!(
                    "nothing of {} can be imported: '{}': {why}",
                    self.tool, left.found.name
                ))
                .hint("make a profile by hand: alchemy configure"))
            }
            _ => Ok(()),
        }
    }
}
