//! Which profile a directory has: bindings, project files and their trust, direnv.

mod directories;
mod direnv;
mod guard;
mod trust;
mod use_alchemy;
