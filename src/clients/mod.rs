//! What other programs read, and what of it overrides the credential or the account that a command is given.

pub mod hazards;
mod loads;
pub mod programs;
