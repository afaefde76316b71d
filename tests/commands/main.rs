//! What one command does: its words, its output, its exit codes, and what a terminal sees.

mod bad_input;
mod completions;
mod configure;
mod confirm;
mod credential_process;
mod exec;
mod exec_r2;
mod man;
mod open;
mod pick;
mod terminal;
mod whoami;
