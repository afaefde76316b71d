//! Where credentials are stored, by whom they may be read, and that every change is whole or not made.

mod command_store;
mod encrypted;
mod encrypted_keep;
mod keyring;
mod move_store;
mod npm_locks;
mod owners;
mod store;
mod store_interrupted;
mod sweep;
