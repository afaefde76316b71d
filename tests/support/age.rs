//! The real `age`, with identities of its own and of `ssh-keygen`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::pty::Terminal;
use super::{Home, Output, has, run};

/// The passphrase of everything here that has one.
pub const PASSPHRASE: &str = "hunter2 of a person";
/// By which a passphrase is given.
pub const COMMAND: &str = "ALCHEMY_PASSPHRASE_COMMAND";

/// Makes an identity; its file.
pub fn identity(home: &Home) -> Option<PathBuf> {
    let path = home.path().join("identity.txt");
    if !has("age-keygen") || !has("age") {
        return None;
    }
    run(home.command("age-keygen").arg("-o").arg(&path)).expect_code(0);
    Some(path)
}

/// Makes an SSH key; its file.
pub fn ssh_key(home: &Home, kind: &str, passphrase: &str) -> Option<PathBuf> {
    let path = home.path().join(format!("id_{kind}"));
    if !has("ssh-keygen") {
        return None;
    }
    let quiet = ["-q", "-C", "a comment", "-t", kind, "-N", passphrase, "-f"];
    run(home.command("ssh-keygen").args(quiet).arg(&path)).expect_code(0);
    Some(path)
}

/// The document of an API token, as it is encrypted.
pub fn document(token: &str) -> String {
    format!("{{\n  \"type\": \"api-token\",\n  \"apiToken\": \"{token}\"\n}}")
}

/// Encrypts to an identity, as `age` does, into a file that nobody else may read.
pub fn encrypt(home: &Home, identity: &Path, text: &str, to: &Path) {
    fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    let mut age = home.command("sh");
    age.args(["-c", "umask 077; printf %s \"$1\" | age -e -i \"$2\" -o \"$3\"", "sh", text]);
    run(age.args([identity, to])).expect_code(0);
}

/// Decrypts with an identity.
pub fn decrypt(home: &Home, identity: &Path, file: &Path) -> Output {
    run(home.command("age").args(["-d", "-i"]).args([identity, file]))
}

/// Encrypts to [`PASSPHRASE`], as `age` does for a person at a terminal.
pub fn encrypt_to_passphrase(home: &Home, text: &str, to: &Path) {
    let plain = home.path().join("plain");
    fs::write(&plain, text).expect("written");
    let mut age = home.command("age");
    age.args(["-e", "-p", "-o"]).args([to, &plain]);
    let mut terminal = Terminal::start(age);
    terminal.expect("Enter passphrase");
    terminal.line(PASSPHRASE);
    terminal.expect("Confirm passphrase");
    terminal.line(PASSPHRASE);
    assert_eq!(terminal.finish().0, 0);
    fs::set_permissions(to, fs::Permissions::from_mode(0o600)).expect("made private");
    fs::remove_file(plain).expect("removed");
}

/// What `age` shows of a file for a person who types [`PASSPHRASE`].
pub fn decrypted_with_passphrase(home: &Home, file: &Path) -> String {
    let mut age = home.command("age");
    age.arg("-d").arg(file);
    let mut terminal = Terminal::start(age);
    terminal.expect("Enter passphrase");
    terminal.line(PASSPHRASE);
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    shown
}
