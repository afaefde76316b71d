//! The command line: one file per command, its arguments and its `run`.
//!
//! What the process was given (environment, terminal, clock) is read once, into a [`Host`], and handed on.

#![allow(clippy::doc_markdown, reason = "the comments on arguments are their help texts, plain text")]

mod allow;
mod arguments;
mod client;
mod complete;
mod completions;
mod configure;
mod credential_process;
mod deny;
mod direnv;
mod doctor;
mod env;
mod exec;
mod grammar;
mod hook;
mod hook_env;
mod hook_session;
mod import;
mod list;
mod lock;
mod login;
mod logout;
mod man;
mod r#move;
mod npm;
mod npm_words;
mod open;
mod profile;
mod prompt;
mod r2;
mod refresh;
mod rotate;
mod scopes;
mod store_arguments;
mod token;
mod r#use;
mod whoami;

use std::ffi::{CStr, OsStr, OsString, c_char, c_int};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

use clap::error::{ContextKind, ErrorKind};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::error::{Error, Kind, Result, lower_first};
use crate::host::{Host, Manner};
use crate::launch;
use crate::release::choice::holds_credential;
use crate::terminal::{self, Level, Messages, time};
use arguments::{Consent, GiveArguments, Marks, MinTtl, Pick, ProfileArgument};

/// The name under which the binary is `alchemy exec`.
pub const EXEC_NAME: &str = "alchemy-exec";

/// Cloudflare credentials for any command.
#[derive(Parser)]
#[command(name = "alchemy", version, subcommand_required = true, arg_required_else_help = true)]
#[command(max_term_width = 100, after_help = npm_words::help())]
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

impl Global {
    fn manner(&self) -> Manner {
        let has_color = match self.color {
            Colour::Auto => None,
            Colour::Always => Some(true),
            Colour::Never => Some(false),
        };
        Manner { is_quiet: self.quiet, is_verbose: self.verbose > 0, has_color }
    }
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
    Login(login::Login),
    Logout(logout::Logout),
    Rotate(rotate::Rotate),
    Unlock(lock::Unlock),
    Lock(lock::Lock),
    Whoami(whoami::Whoami),
    Open(open::Open),
    /// List the profiles
    #[command(visible_alias = "ls")]
    List(list::List),
    #[command(subcommand)]
    Profile(profile::Profile),
    Hook(hook::Hook),
    #[command(hide = true)]
    HookEnv(hook_env::HookEnv),
    #[command(hide = true)]
    HookSession(hook_session::HookSession),
    Prompt(prompt::Prompt),
    Use(r#use::Use),
    Allow(allow::Allow),
    Deny(deny::Deny),
    Doctor(doctor::Doctor),
    Import(import::Import),
    Completions(completions::Completions),
    Man(man::Man),
    #[command(name = "__complete", hide = true)]
    Complete(complete::Complete),
    #[command(flatten)]
    Npm(npm::Npm),
}

impl Command {
    fn run(self, host: &Host) -> Result<()> {
        // These may take a credential that the environment holds (design §4, CI): a container's user need have no home.
        let is_releasing = matches!(
            self,
            Self::Exec(_) | Self::Env(_) | Self::Token(_) | Self::CredentialProcess(_) | Self::Npm(_)
        );
        if !is_releasing || !holds_credential(host) {
            host.needs_home()?;
        }
        match self {
            Self::Exec(exec) => exec.run(host),
            Self::Env(env) => env.run(host),
            Self::Token(token) => token.run(host),
            Self::CredentialProcess(process) => process.run(host),
            Self::Configure(configure) => configure.run(host),
            Self::Login(login) => login.run(host),
            Self::Logout(logout) => logout.run(host),
            Self::Rotate(rotate) => rotate.run(host),
            Self::Unlock(unlock) => unlock.run(host),
            Self::Lock(lock) => lock.run(host),
            Self::Whoami(whoami) => whoami.run(host),
            Self::Open(open) => open.run(host),
            Self::List(list) => list.run(host),
            Self::Profile(profile) => profile.run(host),
            Self::Hook(hook) => hook.run(host),
            Self::HookEnv(hook) => hook.run(host),
            Self::HookSession(session) => session.run(host),
            Self::Prompt(prompt::Prompt {}) => prompt::run(host),
            Self::Use(bind) => bind.run(host),
            Self::Allow(allow) => allow.run(host),
            Self::Deny(deny) => deny.run(host),
            Self::Doctor(doctor) => doctor.run(host),
            Self::Import(import) => import.run(host),
            Self::Completions(completions) => completions.run(host),
            Self::Man(man) => man.run(),
            Self::Complete(complete) => complete.run(host),
            Self::Npm(npm) => npm.run(host),
        }
    }
}

/// `Cli` with nothing in it but what must be fast: building the parser of the other commands would cost more
/// time than everything else that these do.
#[derive(Parser)]
#[command(name = "alchemy", version)]
struct QuickCli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Quick,
}

/// The commands in it.
const QUICK: [&str; 4] = ["exec", "hook-env", "hook-session", "prompt"];

#[derive(Subcommand)]
enum Quick {
    Exec(exec::Exec),
    #[command(hide = true)]
    HookEnv(hook_env::HookEnv),
    #[command(hide = true)]
    HookSession(hook_session::HookSession),
    Prompt(prompt::Prompt),
}

impl From<QuickCli> for Cli {
    fn from(QuickCli { global, command }: QuickCli) -> Self {
        let command = match command {
            Quick::Exec(exec) => Command::Exec(exec),
            Quick::HookEnv(hook) => Command::HookEnv(hook),
            Quick::HookSession(session) => Command::HookSession(session),
            Quick::Prompt(prompt) => Command::Prompt(prompt),
        };
        Self { global, command }
    }
}

/// The arguments of a `main` that C has called.
///
/// # Safety
/// They must be what the C library gives its `main`.
pub unsafe fn arguments(count: c_int, arguments: *const *const c_char) -> Vec<OsString> {
    let count = usize::try_from(count).unwrap_or_default();
    // SAFETY: by the contract there are `count` pointers, each to text that ends with a zero byte.
    let text = |index: usize| unsafe { CStr::from_ptr(*arguments.add(index)) };
    (0..count).map(|index| OsStr::from_bytes(text(index).to_bytes()).to_owned()).collect()
}

/// Runs the command line; the exit code.
pub fn main(mut arguments: Vec<OsString>) -> u8 {
    occupy_standard_streams();
    launch::ignore_sigpipe();
    launch::shield_memory();
    let asks_version = matches!(&arguments[..], [_, word] if word == "--version");
    if !asks_version && arguments.first().is_some_and(|name| base_name(name) == EXEC_NAME) {
        arguments.insert(1, "exec".into());
    }
    let program = arguments.first().cloned().unwrap_or_default();
    let is_quick = arguments.get(1).is_some_and(|word| QUICK.iter().any(|quick| word == quick));
    let mut command = if is_quick { QuickCli::command() } else { Cli::command() };
    let arguments = grammar::canonical(arguments, &command);
    let word = grammar::subcommand(&arguments, &command).map(OsStr::to_owned);
    let is_exec = word.as_deref().is_some_and(|word| word == "exec" || npm_words::has(word));
    let parsed = command.try_get_matches_from_mut(arguments).and_then(|matches| {
        if is_quick {
            QuickCli::from_arg_matches(&matches).map(Cli::from)
        } else {
            Cli::from_arg_matches(&matches)
        }
    });
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let unknown = word.filter(|word| command.find_subcommand(word).is_none());
            return wrong_usage(&error, unknown.as_deref(), is_exec);
        }
    };
    let host = Host::read(cli.global.manner(), program);
    match host.and_then(|host| cli.command.run(&host).map_err(|error| (error, host.messages))) {
        Ok(()) => 0,
        Err((error, messages)) => failed(&error, messages, is_exec),
    }
}

/// Where standard input, output or error is closed, `/dev/null` takes its number: else the next file that
/// is opened would, and what is printed would go into it. The command finds them closed again.
fn occupy_standard_streams() {
    while let Ok(file) = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null") {
        if file.as_raw_fd() > 2 {
            break;
        }
        std::mem::forget(file);
    }
}

/// Reports the error, unless the reader of our output is just gone.
fn failed(error: &Error, messages: Messages, is_exec: bool) -> u8 {
    if error.kind() != Kind::Closed {
        messages.error(error);
    }
    exit_code(error.kind(), is_exec)
}

/// Design §8: `exec` keeps to the codes of `env`, `timeout` and `nohup`.
fn exit_code(kind: Kind, is_exec: bool) -> u8 {
    match kind {
        Kind::Closed => 0,
        Kind::Failed | Kind::SignedOut | Kind::NoCredential | Kind::Usage if is_exec => 125,
        Kind::Failed | Kind::SignedOut | Kind::NoCredential => 1,
        Kind::Usage => 2,
        Kind::NotExecutable => 126,
        Kind::NotFound => 127,
    }
}

/// Help and version go to stdout; everything else becomes one line with a hint, like any error.
/// `unknown` is the command, where there is none of that name.
fn wrong_usage(error: &clap::Error, unknown: Option<&OsStr>, is_exec: bool) -> u8 {
    let messages = Messages::new(Level::Normal, false);
    let shown = error.to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match terminal::print(&shown) {
            Ok(()) => 0,
            Err(error) => failed(&error, messages, is_exec),
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        terminal::print_to_stderr(&shown);
        return exit_code(Kind::Usage, is_exec);
    }
    if let (ErrorKind::InvalidSubcommand, Some(word)) = (error.kind(), unknown) {
        messages
            .error(&npm_words::unknown(&word.to_string_lossy(), error.get(ContextKind::SuggestedSubcommand)));
        return exit_code(Kind::Usage, is_exec);
    }
    let first = shown.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let mut line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    // What is too much is not repeated: it may be a secret, given where none is taken.
    match (error.kind(), error.get(ContextKind::InvalidArg).map(ToString::to_string)) {
        (ErrorKind::UnknownArgument, Some(word)) if !word.starts_with('-') => {
            "too many words on the command line".clone_into(&mut line);
        }
        (ErrorKind::TooManyValues, Some(option)) => line = format!("{option} takes no value"),
        _ => {}
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
