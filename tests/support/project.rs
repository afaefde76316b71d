//! Projects with an npm `alchemy` in their `node_modules`: the real one, or a program that shows what it gets.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::write_program;

/// Shows its environment, with its arguments as `ARGUMENTS`.
const SHOW: &str = "#!/bin/sh\nARGUMENTS=\"$*\" exec env -0\n";

/// Makes the program that `node_modules/.bin/alchemy` of a folder leads to, as npm does: a package of this version
/// with this text as its program.
pub fn install_script(folder: &Path, version: &str, text: &str) {
    let package = folder.join("node_modules/alchemy");
    fs::create_dir_all(package.join("bin")).expect("a folder");
    let document = format!("{{ \"name\": \"alchemy\", \"version\": \"{version}\" }}");
    fs::write(package.join("package.json"), document).expect("written");
    write_program(&package.join("bin/cli.js"), text);
    link_bin(folder, Path::new("../alchemy/bin/cli.js"));
}

/// The same with a program that shows what it gets.
pub fn install(folder: &Path, version: &str) {
    install_script(folder, version, SHOW);
}

/// Has the real package in a folder, and beside it what its stacks import.
pub fn install_real(folder: &Path, package: &Path, program: &str) {
    let modules = folder.join("node_modules");
    fs::create_dir_all(&modules).expect("a folder");
    symlink(package, modules.join("alchemy")).expect("linked");
    let effect = package.with_file_name("effect");
    symlink(effect, modules.join("effect")).expect("linked");
    link_bin(folder, &Path::new("../alchemy/bin").join(program));
}

/// Makes `node_modules/.bin/alchemy` a link.
pub fn link_bin(folder: &Path, target: &Path) {
    let bin = folder.join("node_modules/.bin");
    fs::create_dir_all(&bin).expect("a folder");
    symlink(target, bin.join("alchemy")).expect("linked");
}
