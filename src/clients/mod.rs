//! What other programs read, and what of it overrides the credential or the account that a command is given.

pub mod assignments;
mod calls;
pub mod cloudflare_cfg;
mod evidence;
pub mod hazards;
pub mod jsonc;
pub mod leads;
mod managers;
mod options;
pub mod packages;
pub mod programs;
mod recipes;
mod scripts;
pub mod turbo;
pub mod words;
pub mod workspaces;
