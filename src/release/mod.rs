//! The one way by which a credential leaves.

pub mod gate;
pub mod selector;
