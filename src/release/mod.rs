//! The one way by which a credential leaves alchemy.
//!
//! ```text
//! choice ─► check ─► gate ─► session ─► changes
//! which     the      asked   fresh or   variables to
//! profile,  required once    refreshed  set and unset
//! and why   account
//! ```
//!
//! - [`selector`]: which profile applies, and why. [`candidates`]: everything that could have selected one.
//!   [`pick`]: the person chooses from a list.
//! - [`choice`]: the credential that a command gets: a profile's, or the environment's own (the rule for CI).
//! - [`check`]: the required account of the directory and of the folders that a command's words lead to; and what lies
//!   there that overrides the credential.
//! - [`gate`]: whether a person must agree first.
//! - [`release`]: from a checked choice to a session. Nothing else lets a credential out.
//! - [`changes`]: from a session to the variables to set and to unset. [`give`]: all steps, for a program.

pub(crate) mod candidates;
pub(crate) mod changes;
pub(crate) mod check;
pub(crate) mod choice;
pub(crate) mod gate;
pub(crate) mod give;
pub(crate) mod pick;
#[allow(clippy::module_inception, reason = "the step has the name of the way")]
pub(crate) mod release;
pub(crate) mod selector;
