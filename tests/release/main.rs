//! What is released: packages, the pages of the documentation, recipes for continuous integration.

mod ci;
mod docs;
mod packaging;
