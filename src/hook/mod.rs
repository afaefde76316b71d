//! What a shell's hook does: what the shell should have, the step to that from what it has, and that step written for the
//! shell.
//!
//! - [`desired`]: what a shell should have in a directory. [`sources`]: its session, in the time that a prompt has.
//! - [`step`]: from what a shell has to what it should have. Pure.
//! - [`render`]: a step as text for a shell; [`tcsh`]: for the one that has no functions. The scripts are in `shell/`.

pub(crate) mod desired;
pub(crate) mod render;
pub(crate) mod sources;
pub(crate) mod step;
pub mod tcsh;
