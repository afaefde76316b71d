//! How the binaries are linked on Linux with glibc, for one thing only: the time that it takes to start
//! them, which every command that `alchemy exec` runs pays for. Measured in the README's "Speed".

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if target("OS") != "linux" || target("ENV") != "gnu" || target("FEATURE").contains("crt-static") {
        return;
    }
    // The unwinder goes into the binary: one library less to find, map and bind. rustc names the shared
    // one; the linker takes this script for it, where the C compiler has the static one at all.
    let (Ok(out), Some(compiler)) = (std::env::var("OUT_DIR"), compiler()) else { return };
    let archive = Command::new(compiler).arg("-print-file-name=libgcc_eh.a").output();
    let archive = archive.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if archive.is_ok_and(|path| Path::new(&path).is_absolute())
        && std::fs::write(Path::new(&out).join("libgcc_s.so"), "GROUP ( -lgcc_eh -lgcc )\n").is_ok()
    {
        println!("cargo::rustc-link-search=native={out}");
    }
}

/// The compiler of this machine, when that is the one that is built for.
fn compiler() -> Option<&'static str> {
    let native = std::env::var("HOST").ok()? == std::env::var("TARGET").ok()?;
    native.then_some("cc")
}
