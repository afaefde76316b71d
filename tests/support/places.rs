//! A home with two profiles, and directories in it that say which of them applies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::online::shows_no_secret;
use super::{ACME, BETA, Home, Output, run};

/// A home with the profiles `prod`, for [`ACME`], and `beta`, for [`BETA`].
pub struct Places {
    pub home: Home,
    root: PathBuf,
}

impl Places {
    pub fn new() -> Self {
        let home = Home::new();
        for (name, account, label) in [("prod", ACME, "Acme"), ("beta", BETA, "Beta")] {
            home.token_profile(name, &format!("tok-hunter2-{name}"));
            let account = ["--account", account, "--account-name", label, "--no-verify"];
            home.run(&[&["profile", "set", name], &account[..]].concat()).expect_code(0);
        }
        let root = home.path().canonicalize().expect("a real path");
        Self { home, root }
    }

    /// A profile that applies where nothing selects.
    pub fn token_default(&self) {
        self.home.token_profile("default", "tok-hunter2-default");
    }

    /// A path below the home, by its real path.
    pub fn path(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// The same as text.
    pub fn text(&self, below: &str) -> String {
        self.path(below).to_str().expect("UTF-8").to_owned()
    }

    /// A directory below the home, which is made where it is missing.
    pub fn directory(&self, below: &str) -> PathBuf {
        let directory = self.path(below);
        fs::create_dir_all(&directory).expect("a directory");
        directory
    }

    /// Writes a file below the home.
    pub fn write(&self, below: &str, text: impl AsRef<[u8]>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("written");
    }

    /// Writes the pin file of a directory.
    pub fn pin(&self, below: &str, text: impl AsRef<[u8]>) {
        self.write(&format!("{below}/.alchemy.toml"), text);
    }

    /// `alchemy` in a directory below the home, which is made where it is missing.
    pub fn command(&self, below: &str, arguments: &[&str]) -> Command {
        let mut command = self.home.alchemy_command(arguments);
        // The home by its real path: else nothing in it would be shown from `~` on.
        command.current_dir(self.directory(below)).env("HOME", &self.root);
        command
    }

    /// Runs it to its end; it shows no secret.
    #[track_caller]
    pub fn run(&self, below: &str, arguments: &[&str]) -> Output {
        shows_no_secret(run(&mut self.command(below, arguments)))
    }

    /// The same with further variables.
    #[track_caller]
    pub fn run_with(&self, below: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        shows_no_secret(run(self.command(below, arguments).envs(variables.iter().copied())))
    }

    /// It succeeds, and says one line, which is returned.
    #[track_caller]
    pub fn done(&self, below: &str, arguments: &[&str]) -> String {
        let output = self.run(below, arguments).expect_code(0);
        assert_eq!((output.stdout.as_str(), output.stderr.lines().count()), ("", 1), "{}", output.stderr);
        output.stderr
    }

    /// What applies in a directory, and why.
    #[track_caller]
    pub fn applies(&self, below: &str) -> String {
        self.run(below, &["profile", "current"]).expect_code(0).stdout.trim_end().to_owned()
    }

    /// The profile with whose credential a command runs in a directory.
    #[track_caller]
    pub fn runs_with(&self, below: &str) -> String {
        let print = ["exec", "--", "printenv", "ALCHEMY_PROFILE"];
        self.run(below, &print).expect_code(0).stdout.trim_end().to_owned()
    }
}

/// `git` in a directory, apart from what is configured on this machine.
#[track_caller]
pub fn git(directory: &Path, arguments: &[&str]) {
    let mut git = Command::new("git");
    git.current_dir(directory)
        .args(["-c", "user.name=Me", "-c", "user.email=me@example.com"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = git.output().expect("git started");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
