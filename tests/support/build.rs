//! Tells the harness where the binaries under test are, which Cargo builds beside it, and their version.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // `target/debug/build/support-…/out`
    let out = env::var("OUT_DIR").expect("set by Cargo");
    let profile = Path::new(&out).ancestors().find(|folder| folder.ends_with("build")).and_then(Path::parent);
    let profile = profile.expect("a folder `build`");
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("set by Cargo");
    let project = Path::new(&manifest).ancestors().nth(2).expect("tests/support is in the project");
    let target = profile.parent().expect("a target directory");
    let manifest = project.join("Cargo.toml");
    println!("cargo::rerun-if-changed={}", manifest.display());
    let text = fs::read_to_string(manifest).expect("the package's manifest");
    let version = text.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    println!("cargo::rustc-env=ALCHEMY_VERSION={}", version.expect("a version"));
    for (name, path) in [
        ("PROJECT", project),
        ("BINARY", &profile.join("alchemy")),
        ("BINARY_EXEC", &profile.join("alchemy-exec")),
        ("TEMPORARY", &target.join("tmp")),
    ] {
        println!("cargo::rustc-env=ALCHEMY_{name}={}", path.display());
    }
}
