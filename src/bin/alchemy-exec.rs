//! `alchemy exec` under the name that package scripts use: inside them `alchemy` is
//! `node_modules/.bin/alchemy`, the npm package's own command.

#![no_main]

use std::ffi::{c_char, c_int};

/// The entry point, as C has it; see `main.rs`.
///
/// # Safety
/// It is for the C library to call, once.
// SAFETY: no other item of the program is called `main`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    // SAFETY: these are what the C library gives its `main`.
    let mut arguments = unsafe { alchemy::cli::arguments(count, arguments) };
    if let Some(name) = arguments.first_mut() {
        *name = alchemy::cli::EXEC_NAME.into();
    }
    alchemy::cli::main(arguments).into()
}
