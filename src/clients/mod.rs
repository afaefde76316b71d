//! What other programs read, and what of it overrides the credential or the account that a command is given.

pub(crate) mod assignments;
mod calls;
pub mod cloudflare_cfg;
mod evidence;
pub(crate) mod hazards;
pub(crate) mod jsonc;
pub(crate) mod leads;
mod managers;
mod options;
pub(crate) mod packages;
pub(crate) mod programs;
mod recipes;
mod scripts;
mod texts;
pub mod turbo;
pub(crate) mod words;
pub(crate) mod workspaces;
