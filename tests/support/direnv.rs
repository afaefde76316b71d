//! A shell without the shell, as direnv sees one: its environment changes as direnv says at each prompt.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::bound::{Variables, ours};
use super::online::SECRET;
use super::{Home, Output, has, run};

/// The shell, and where it is.
pub struct Direnv<'h> {
    home: &'h Home,
    /// The working directory.
    pub directory: PathBuf,
    /// What a command would be given.
    pub environment: Variables,
}

impl<'h> Direnv<'h> {
    /// In a directory below the home that has this `.envrc`, which is allowed, and with this `use_alchemy`. None,
    /// where direnv is not installed.
    pub fn with(home: &'h Home, below: &str, envrc: &str, function: &str) -> Option<Self> {
        if !has("direnv") {
            return None;
        }
        let library = home.path().join(".config/direnv/lib");
        fs::create_dir_all(&library).expect("a folder");
        fs::write(library.join("use_alchemy.sh"), function).expect("written");
        let directory = home.path().join(below);
        fs::create_dir_all(&directory).expect("a folder");
        fs::write(directory.join(".envrc"), envrc).expect("written");
        let this = Self { home, directory, environment: BTreeMap::new() };
        run(&mut this.command(&["allow"])).expect_code(0);
        Some(this)
    }

    /// With what `alchemy hook direnv` prints.
    pub fn new(home: &'h Home, below: &str, envrc: &str) -> Option<Self> {
        let function = home.run(&["hook", "direnv"]).expect_code(0).stdout;
        Self::with(home, below, envrc, &function)
    }

    /// `direnv` with arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command("direnv");
        command.args(arguments).current_dir(&self.directory).envs(&self.environment);
        command
    }

    /// The next prompt: what direnv says to the person, and how it ends. It shows no secret.
    #[track_caller]
    pub fn prompt(&mut self) -> Output {
        let output = run(&mut self.command(&["export", "json"]));
        assert!(!output.stderr.contains(SECRET), "a secret is shown:\n{}", output.stderr);
        if !output.stdout.is_empty() {
            let changes: BTreeMap<String, Option<String>> =
                serde_json::from_str(&output.stdout).expect("JSON");
            for (name, value) in changes {
                self.environment.remove(&name);
                self.environment.extend(value.map(|value| (name, value)));
            }
        }
        output
    }

    /// What alchemy says at the next prompt.
    #[track_caller]
    pub fn said(&mut self) -> Vec<String> {
        let said = self.prompt().stderr;
        said.lines().filter(|line| line.starts_with("alchemy: ")).map(str::to_owned).collect()
    }

    /// What is ours in the environment at the next prompt, at which nothing is wrong.
    #[track_caller]
    pub fn given(&mut self) -> Variables {
        let said = self.said();
        assert!(said.is_empty(), "{said:?}");
        ours(&self.environment)
    }

    /// The next prompt, in a directory below the home.
    #[track_caller]
    pub fn cd(&mut self, below: &str) -> Output {
        self.directory = self.home.path().join(below);
        self.prompt()
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }
}
