//! The binary: hand the command line over, turn the outcome into an exit code.
//!
//! It is started by the C library and not by Rust's runtime, whose preparations (a stack guard found by
//! reading `/proc/self/maps`, signal stacks, SIGPIPE) would cost `alchemy exec` more than the rest of its
//! work does, and would have to be taken back before the command runs.

#![no_main]

use std::ffi::{c_char, c_int};

/// The entry point, as C has it.
///
/// # Safety
/// It is for the C library to call, once.
// SAFETY: no other item of the program is called `main`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // SAFETY: these are what the C library gives its `main`.
    let arguments = unsafe { alchemy::cli::arguments(count, arguments) };
    alchemy::cli::main(arguments).into()
}
