//! A machine on which nothing is wrong: alchemy and its twin in `PATH`, two profiles, a directory that is bound
//! to one, the hooks of bash and direnv, and an API that knows the time. What `alchemy doctor` says of it.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::http::{Request, Response, Server, Service};
use super::online::shows_no_secret;
use super::{ACME, ALCHEMY, ALCHEMY_EXEC, BETA, Home, Output, is_secret, run, run_with_input};

/// An API that refuses everyone, and says what time it is: that of this machine, and so many seconds more.
#[derive(Default)]
pub struct Clock {
    pub ahead: AtomicI64,
}

impl Service for Clock {
    fn answer(&self, _: Request) -> Response {
        let time = Timestamp::now() + SignedDuration::from_secs(self.ahead.load(Ordering::Relaxed));
        let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time).expect("a date");
        Response::new(400, "{}").with_header("date", &date)
    }
}

pub struct Machine {
    pub home: Home,
    pub api: Server<Clock>,
    /// The working directory, which is bound to `prod` and has an `.envrc`.
    pub directory: PathBuf,
    /// No server is asked: those tests are without one that is this machine's.
    pub offline: bool,
    variables: BTreeMap<String, String>,
}

/// What `alchemy doctor --json` said.
#[derive(Debug)]
pub struct Examined {
    pub code: i32,
    pub said: Value,
}

impl Machine {
    pub fn new() -> Self {
        let home = Home::new();
        let directory = home.path().join("acme");
        fs::create_dir_all(&directory).expect("a folder");
        let mut this = Self {
            directory,
            api: Server::start(Clock::default()),
            offline: false,
            variables: BTreeMap::new(),
            home,
        };
        this.install(Path::new(ALCHEMY), "alchemy");
        this.install(Path::new(ALCHEMY_EXEC), "alchemy-exec");
        this.set("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", this.bin().display()));
        this.set("SHELL", "/bin/bash");
        this.profile("prod", ACME);
        this.profile("beta", BETA);
        this.alchemy(&["use", "prod", "."]).expect_code(0);
        this.write(".bashrc", "eval \"$(alchemy hook bash)\"\neval \"$(direnv hook bash)\"\n");
        this.write("acme/.envrc", "use alchemy prod\n");
        let function = this.alchemy(&["hook", "direnv"]).expect_code(0).stdout;
        this.write(".config/direnv/lib/use_alchemy.sh", &function);
        this
    }

    /// The folder that the programs are installed in.
    pub fn bin(&self) -> PathBuf {
        self.home.path().join("bin")
    }

    fn install(&self, program: &Path, name: &str) {
        fs::create_dir_all(self.bin()).expect("a folder");
        let to = self.bin().join(name);
        // Both are as large as debug builds are.
        fs::hard_link(program, &to).or_else(|_| fs::copy(program, &to).map(drop)).expect("installed");
    }

    /// Makes a profile with an API token, which is for the double.
    pub fn profile(&self, name: &str, account: &str) {
        let token = format!("tok-{name}-hunter2");
        is_secret(&token);
        let arguments = ["configure", "-p", name, "--token-stdin", "--no-verify", "--account", account];
        let arguments = [&arguments[..], &["--account-name", "me@example.com's Account", "--yes"]].concat();
        let mut command = self.command("alchemy");
        command
            .args(arguments)
            .env("ALCHEMY_STORE", self.variables.get("ALCHEMY_STORE").map_or("file", String::as_str));
        run_with_input(&mut command, &token).expect_code(0);
        self.change(name, |entry| entry["baseUrl"] = self.api.url().into());
    }

    /// Changes what `config.json` says of a profile.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let mut config: Value = serde_json::from_str(&self.home.read("config.json")).expect("JSON");
        change(&mut config["profiles"][name]["cloudflare"]);
        self.home.write("config.json", &config.to_string());
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    pub fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// A path below the person's home.
    pub fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    /// Writes a file below the person's home.
    pub fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// A program of this machine, in its working directory.
    pub fn command(&self, program: &str) -> Command {
        let path = self.bin().join(program);
        let mut command = self.home.command(if path.exists() { path.as_os_str() } else { program.as_ref() });
        command.envs(&self.variables).current_dir(&self.directory);
        command
    }

    pub fn alchemy(&self, arguments: &[&str]) -> Output {
        run(self.command("alchemy").args(arguments))
    }

    /// What it says; never a secret, the account's name, or the path of the home, and changing nothing
    /// without `--fix`.
    #[track_caller]
    pub fn doctor(&self, arguments: &[&str]) -> Examined {
        let offline = if self.offline { &["--offline"][..] } else { &[] };
        let arguments = [&["doctor", "--json"], offline, arguments].concat();
        let before = self.home.snapshot();
        let output = run(self.command("alchemy").args(&arguments));
        if !arguments.contains(&"--fix") {
            assert!(self.home.snapshot() == before, "nothing is changed");
            let mut in_words = self.command("alchemy");
            let in_words = run(in_words.args(arguments.iter().filter(|argument| **argument != "--json")));
            self.is_for_everyone(&in_words);
            assert_eq!(in_words.code, output.code);
        }
        self.is_for_everyone(&output);
        Examined::of(output)
    }

    /// What may be pasted into an issue.
    #[track_caller]
    fn is_for_everyone(&self, output: &Output) {
        for word in [self.home.path().to_str().expect("UTF-8"), "example.com", "hunter2"] {
            assert!(!output.stdout.contains(word), "'{word}' in:\n{}", output.stdout);
        }
        assert!(
            !output.stderr.contains("hunter2") && !output.stderr.contains("panicked"),
            "{}",
            output.stderr
        );
    }

    /// Types a command that mends something, and asks again in the same shell.
    #[track_caller]
    pub fn after(&self, mend: &str) -> Examined {
        let mut shell = self.command("sh");
        let offline = if self.offline { "--offline" } else { "" };
        shell.args(["-c", &format!("{mend}\nalchemy doctor --json {offline}")]);
        let output = run(&mut shell);
        let json = output.stdout.find("\n{\n").map_or(0, |at| at + 1);
        let stdout = output.stdout[json..].to_owned();
        Examined::of(Output { stdout, ..output })
    }
}

impl Examined {
    #[track_caller]
    fn of(output: Output) -> Self {
        let output = shows_no_secret(output);
        let said = serde_json::from_str(&output.stdout);
        let said = said.unwrap_or_else(|error| panic!("{error}: {}\n{}", output.stdout, output.stderr));
        Self { code: output.code, said }
    }

    /// The ids of what was found, with `?` behind those of notes.
    pub fn ids(&self) -> Vec<String> {
        let id = |finding: &Value| {
            let level = if finding["level"] == "note" { "?" } else { "" };
            format!("{}{level}", finding["id"].as_str().expect("an id"))
        };
        self.said["findings"].as_array().expect("findings").iter().map(id).collect()
    }

    /// The command that mends the first.
    pub fn mend(&self) -> &str {
        self.said["findings"][0]["mend"].as_str().expect("a command")
    }

    /// Nothing was found.
    #[track_caller]
    pub fn is_healthy(&self) {
        assert!(self.ids().is_empty() && self.code == 0, "{:#}", self.said);
    }
}

/// What mends a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The command that it says, typed into a shell.
    Mend,
    /// `--fix`.
    Fix,
}

/// A healthy machine with this fault: exactly these are found (notes have a `?`), and the exit code says
/// whether there is a problem.
#[track_caller]
pub fn planted(plant: impl Fn(&mut Machine), ids: &[&str]) -> Machine {
    let mut machine = Machine::new();
    plant(&mut machine);
    let examined = machine.doctor(&[]);
    assert_eq!(examined.ids(), ids, "{:#}", examined.said);
    for finding in examined.said["findings"].as_array().expect("findings") {
        for field in ["what", "why", "mend"] {
            assert!(finding[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {finding:#}");
        }
    }
    let is_problem = ids.iter().any(|id| !id.ends_with('?'));
    assert_eq!(examined.code, i32::from(is_problem), "{ids:?}");
    machine
}

/// Each of these ways alone mends it.
#[track_caller]
pub fn mended(plant: impl Fn(&mut Machine), ids: &[&str], ways: &[By]) {
    for way in ways {
        let machine = planted(&plant, ids);
        if *way == By::Fix {
            let fixed = machine.doctor(&["--fix"]);
            assert!(!fixed.said["mended"].as_array().expect("what was done").is_empty(), "{ids:?}");
            fixed.is_healthy();
        } else {
            let mend = machine.doctor(&[]).mend().to_owned();
            machine.after(&mend).is_healthy();
        }
        machine.doctor(&[]).is_healthy();
    }
}

/// Sets a mode.
pub fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("set");
}
