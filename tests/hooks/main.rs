//! The hooks in every shell, on a terminal.

mod bash32;
mod hook_cd;
mod hook_direnv;
mod hook_idle;
mod hook_late;
mod hook_odd;
mod hook_others;
mod hook_tcsh;
mod hook_time;
mod hook_trust;
mod hooks;
mod powershell;
mod shells;
mod tcsh;
