//! The first thing to run: a profile made, a command run with it, everything cleaned up.
//!
//! It starts a double of Cloudflare's API on loopback and works in a temporary home, with the same
//! binary and the same flags that you would use.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::cloudflare::{Cloudflare, Credential};

fn main() -> Result<(), Box<dyn Error>> {
    let api = Cloudflare::start();
    api.account("0123456789abcdef0123456789abcdef", "Acme");
    api.add(Credential::user_token("tok-example"));
    let home = tempfile::tempdir()?;
    let alchemy = build()?;
    let run = |shown: &str, arguments: &[&str], input: &str| -> Result<(), Box<dyn Error>> {
        println!("\n$ {shown}");
        let mut command = Command::new(&alchemy);
        command.args(arguments).current_dir(home.path()).stdin(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if ["CLOUDFLARE_", "CF_", "ALCHEMY_"].iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command.env("HOME", home.path()).env("CLOUDFLARE_API_BASE_URL", api.base_url());
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let status = child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("'{shown}' ended with {status}").into()) }
    };

    println!("# Cloudflare is a double on loopback here: {}", api.base_url());
    run(
        "echo tok-example | alchemy configure -p prod --token-stdin --store file",
        &["configure", "-p", "prod", "--token-stdin", "--store", "file"],
        "tok-example\n",
    )?;
    run("alchemy list", &["list"], "")?;
    run("alchemy whoami prod", &["whoami", "prod"], "")?;
    let show = "echo \"token $CLOUDFLARE_API_TOKEN of account $CLOUDFLARE_ACCOUNT_ID\"";
    run(
        &format!("alchemy exec -q prod -- sh -c '{show}'"),
        &["exec", "-q", "prod", "--", "sh", "-c", show],
        "",
    )?;
    run("alchemy credential-process -q prod", &["credential-process", "-q", "prod"], "")?;
    println!("\n# That was all in {}, which is gone now.", home.path().display());
    Ok(())
}

/// The binary of this profile, built when it is not yet.
fn build() -> Result<PathBuf, Box<dyn Error>> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--bin", "alchemy"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    if !cargo.status()?.success() {
        return Err("the binary does not build".into());
    }
    // This example is in `target/<profile>/examples`, the binary one folder above.
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(Path::parent).ok_or("no folder above the examples")?;
    Ok(folder.join("alchemy"))
}
