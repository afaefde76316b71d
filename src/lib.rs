//! `alchemy`: Cloudflare credentials for any command.
//!
//! Every command that needs a credential walks one way through the house, from left to right. Each
//! step takes the value of the step before, returns a value, and can be tested alone; what can fail
//! cheaply fails first.
//!
//! ```text
//! argv ─► selection ─► store ─► session ─► environment ─► launch
//!         which         what is   usable     variables to   execve
//!         profile,      known     right      set and unset
//!         and why       about it  now        (pure)
//! ```
//!
//! - [`cli`]: one file per command: its arguments and its `run`. The edge: only here are the process's
//!   environment, terminal and clock read, and handed on as values.
//! - [`profile`]: names, methods, accounts; [`profile::selection`]: which one applies, and why.
//! - [`directory`]: bindings, pin files and trust: what a directory has to say about that.
//! - [`store`]: `config.json`, the credential stores, the locks, atomic writes.
//! - [`session`]: profile → a credential that is usable right now, with its account; the one refresh
//!   rule. [`oauth`]: how a grant is got, renewed and revoked. [`signals`]: what must not be interrupted.
//! - [`environment`]: session → variables to set and to unset. [`transition`]: the step that a shell's hook
//!   takes to them from what the shell has. [`shell`]: both, quoted for a shell or a file format; `shell/`
//!   holds the scripts themselves.
//! - [`doctor`]: what can be off on a machine, one file per theme: from values to findings.
//! - [`import`]: what other tools have, and what becomes of it here.
//! - [`launch`]: find the executable and become it. Nothing else may exec.
//! - [`cloudflare`]: the API calls that we make ourselves. [`http`]: what all requests have in common.
//! - [`terminal`]: messages, questions, tables. [`secret`]: a string that never prints itself.
//!   [`digest`]: what stands for one where it must not stand itself.
//!   [`error`]: what went wrong, why, and the command that mends it.
//!
//! Layers point one way: `cli` may use everything; nothing below it prints, asks, exits or reads the
//! environment except through a value that it was given.

// They panic where the reader has gone; `terminal` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]
#![warn(unreachable_pub)]

pub mod cli;
pub mod clients;
pub mod cloudflare;
pub mod digest;
pub mod directory;
pub(crate) mod disk;
pub(crate) mod doctor;
pub mod environment;
pub mod error;
pub(crate) mod host;
pub mod http;
pub(crate) mod import;
pub(crate) mod keyring;
pub(crate) mod launch;
pub(crate) mod oauth;
pub mod profile;
pub(crate) mod release;
pub mod secret;
pub(crate) mod session;
pub mod shell;
pub(crate) mod signals;
pub(crate) mod store;
pub(crate) mod terminal;
pub(crate) mod transition;
