//! Files and locks: the data folder, atomic writes, whose a file is, our locks and npm's, the generation file.

pub mod atomic;
pub mod document;
pub mod generation;
pub mod home;
pub mod lock;
pub mod npm_lock;
pub mod trusted;
