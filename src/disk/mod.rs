//! Files and locks: the data folder, atomic writes, whose a file is, our locks and npm's, the generation file.

pub(crate) mod atomic;
pub(crate) mod document;
pub(crate) mod generation;
pub(crate) mod home;
pub(crate) mod lock;
pub(crate) mod npm_lock;
pub(crate) mod obstacle;
pub(crate) mod owner;
pub(crate) mod trust;
pub(crate) mod trusted;
