//! `alchemy`: Cloudflare credentials for any command.
//!
//! Every command that needs a credential walks one way, from left to right. Each step is a value that cannot be had
//! otherwise, and what can fail cheaply fails first.
//!
//! ```text
//! argv ─► choice ─► check ─► gate ─► session ─► changes ─► launch
//!         which     the      asked   fresh or   variables  execve
//!         profile,  required once    refreshed  to set
//!         and why   account                     and unset
//! ```
//!
//! - [`cli`]: argv, help and printing; one file per command: its arguments and its `run`.
//! - [`host`]: what the process was given, as values: variables, clock, messages, questions, passphrase, paste.
//! - [`release`]: the one way: choice, candidates, check, gate, release (→ session), give (→ changes).
//! - [`profile`]: names, accounts, methods, and the rule which selection wins.
//! - [`session`]: a credential that is usable now, and the one rule by which it is refreshed; signing in, rotating.
//! - [`store`]: `config.json`, the credential stores, rescue files; a profile made, changed, renamed, moved, deleted.
//! - [`disk`]: the data folder, atomic writes, whose a file is, our locks and npm's, the generation file.
//! - [`keyring`]: the keyring of the platform, and the kernel's.
//! - [`oauth`]: how a session is got, refreshed and revoked. [`cloudflare`]: the API calls that we make. [`http`]: what
//!   all requests have in common.
//! - [`directory`]: bindings, project files and their trust: what a directory has to say.
//! - [`clients`]: what other programs read, and what of it overrides a credential: one table.
//! - [`environment`]: the variables, and changes of an environment. [`shell`]: both, quoted for a shell or a file
//!   format.
//! - [`hook`]: what a shell should have, the step to that, and the text for each shell; the scripts are in `shell/`.
//! - [`launch`]: find the executable and become it. Nothing else may exec.
//! - [`doctor`]: what can be off on a machine, one file per theme. [`import`]: what other tools have.
//! - [`terminal`]: messages, questions, tables. [`signals`]: what must not be interrupted. [`secret`]: a string that
//!   never prints itself; [`digest`] stands for one. [`error`]: what failed, why, and the command that fixes it.
//!
//! Layers point one way: `cli` may use everything; nothing below it prints, asks, exits or reads the environment except
//! through a value that it was given.

// They panic where the reader has gone; `terminal` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![warn(unreachable_pub)]
#![allow(rustdoc::private_intra_doc_links, reason = "the map above names every room")]

pub mod cli;
pub mod clients;
pub mod cloudflare;
pub mod digest;
pub mod directory;
mod disk;
mod doctor;
pub mod environment;
pub mod error;
pub mod hook;
mod host;
pub mod http;
mod import;
mod keyring;
mod launch;
mod oauth;
pub mod profile;
mod release;
pub mod secret;
mod session;
pub mod shell;
mod signals;
mod store;
mod terminal;
