//! `alchemy exec` under the name that package scripts use: inside them `alchemy` is
//! `node_modules/.bin/alchemy`, the npm package's own command.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments: Vec<_> = std::env::args_os().collect();
    if let Some(name) = arguments.first_mut() {
        *name = alchemy::cli::EXEC_NAME.into();
    }
    alchemy::cli::main(arguments)
}
