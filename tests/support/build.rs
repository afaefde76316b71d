//! Tells the harness where the binaries under test are, which Cargo builds beside it.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // `target/debug/build/support-…/out`
    let out = env::var("OUT_DIR").expect("set by Cargo");
    let profile = Path::new(&out).ancestors().find(|folder| folder.ends_with("build")).and_then(Path::parent);
    let profile = profile.expect("a folder `build`");
    let manifest = env::var("CARGO_MANIFEST_DIR").expect("set by Cargo");
    let project = Path::new(&manifest).ancestors().nth(2).expect("tests/support is in the project");
    let target = profile.parent().expect("a target directory");
    for (name, path) in [
        ("PROJECT", project),
        ("BINARY", &profile.join("alchemy")),
        ("BINARY_EXEC", &profile.join("alchemy-exec")),
        ("TEMPORARY", &target.join("tmp")),
    ] {
        println!("cargo::rustc-env=ALCHEMY_{name}={}", path.display());
    }
}
