//! The command line: one file per command, its arguments and its `run`.
//!
//! This is the edge. What the process was given (arguments, environment, terminal, clock) is read
//! here, once, into a [`context::Context`], and handed on as values.

#![allow(clippy::doc_markdown, reason = "the comments on arguments are their help texts, plain text")]

mod configure;
mod context;
mod credential_process;
mod env;
mod exec;
mod grammar;
mod profile;
mod token;
mod whoami;

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

use clap::error::{ContextKind, ErrorKind};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::error::{Error, Kind, Result, lower_first};
use crate::terminal::{self, Level, Messages};
use context::Context;

/// The name under which the binary is `alchemy exec`.
pub const EXEC_NAME: &str = "alchemy-exec";

/// Cloudflare credentials for any command.
#[derive(Parser)]
#[command(name = "alchemy", version, subcommand_required = true, arg_required_else_help = true)]
#[command(disable_help_subcommand = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Args)]
struct Global {
    /// Say what is being done (never a secret)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Colour,
}

#[derive(Clone, Copy, ValueEnum)]
enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Command {
    Exec(exec::Exec),
    Env(env::Env),
    Token(token::Token),
    CredentialProcess(credential_process::CredentialProcess),
    Configure(configure::Configure),
    Whoami(whoami::Whoami),
    /// List the profiles
    #[command(visible_alias = "ls")]
    List(profile::List),
    #[command(subcommand)]
    Profile(profile::Profile),
}

impl Command {
    fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Exec(exec) => exec.run(context),
            Self::Env(env) => env.run(context),
            Self::Token(token) => token.run(context),
            Self::CredentialProcess(process) => process.run(context),
            Self::Configure(configure) => configure.run(context),
            Self::Whoami(whoami) => whoami.run(context),
            Self::List(list) => list.run(context),
            Self::Profile(profile) => profile.run(context),
        }
    }
}

/// The profile that a command is about: by position, or by `-p`.
#[derive(Args)]
struct ProfileArgument {
    /// The profile [default: by CLOUDFLARE_PROFILE, ALCHEMY_PROFILE, or 'default']
    #[arg(value_name = "PROFILE")]
    positional: Option<String>,
    /// The same, as an option
    #[arg(short, long = "profile", value_name = "PROFILE", conflicts_with = "positional")]
    profile: Option<String>,
}

impl ProfileArgument {
    fn get(&self) -> Option<&str> {
        self.profile.as_deref().or(self.positional.as_deref())
    }
}

/// Runs the command line and says how it went.
#[must_use]
pub fn main(mut arguments: Vec<OsString>) -> ExitCode {
    let by_name = arguments.first().is_some_and(|name| base_name(name) == EXEC_NAME);
    if by_name {
        arguments.insert(1, "exec".into());
    }
    let mut command = Cli::command();
    let arguments = grammar::canonical(arguments, &command);
    let is_exec = grammar::subcommand(&arguments, &command).is_some_and(|word| word == "exec");
    let parsed =
        command.try_get_matches_from_mut(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return wrong_usage(&error, is_exec),
    };
    let context = Context::read(&cli.global);
    match context.and_then(|context| cli.command.run(&context).map_err(|error| (error, context.messages))) {
        Ok(()) => ExitCode::SUCCESS,
        Err((error, messages)) => {
            if error.kind() != Kind::Closed {
                messages.error(&error);
            }
            exit_code(error.kind(), is_exec)
        }
    }
}

/// Design §8: `exec` keeps to the codes of `env`, `timeout` and `nohup`.
fn exit_code(kind: Kind, is_exec: bool) -> ExitCode {
    ExitCode::from(match kind {
        Kind::Closed => 0,
        Kind::Failed | Kind::Usage if is_exec => 125,
        Kind::Failed => 1,
        Kind::Usage => 2,
        Kind::NotExecutable => 126,
        Kind::NotFound => 127,
    })
}

/// Help and version go to stdout; everything else becomes one line with a hint, like any error.
fn wrong_usage(error: &clap::Error, is_exec: bool) -> ExitCode {
    let messages = Messages::new(Level::Normal, false);
    let shown = error.to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match terminal::print(&shown) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => exit_code(error.kind(), is_exec),
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // There is nobody left to tell when this cannot be written.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), shown.as_bytes());
        return exit_code(Kind::Usage, is_exec);
    }
    let first = shown.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let mut line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    if let (ErrorKind::UnknownArgument, Some(word)) = (error.kind(), error.get(ContextKind::InvalidArg))
        && !word.to_string().starts_with('-')
    {
        // Not repeated: it may be a secret, given where none is taken.
        "too many words on the command line".clone_into(&mut line);
    }
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .into_iter()
            .find_map(|kind| error.get(kind))
            .map(ToString::to_string);
    let hint = match suggestion {
        Some(suggestion) => format!("did you mean {suggestion}?"),
        None => "see alchemy --help, or --help after the command".to_owned(),
    };
    messages.error(&Error::usage(lower_first(&line)).hint(hint));
    exit_code(Kind::Usage, is_exec)
}

fn base_name(path: &OsStr) -> &OsStr {
    std::path::Path::new(path).file_name().unwrap_or(path)
}
