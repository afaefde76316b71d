//! The binary: hand the command line over, turn the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    alchemy::cli::main(std::env::args_os().collect())
}
