//! The machine on which the documentation is run: a home, one shell on a terminal, and around it the doubles of
//! Cloudflare. What was shown is what a person would see on that terminal at the end of the command.
//!
//! The doubles' addresses and the home's path are shown as those that a person has.

use std::fmt::Write as _;
use std::fs;
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::authorization::{Authorization, State};
use super::cloudflare::{Cloudflare, Credential};
use super::keyring::{BUS, Keyring};
use super::pty::{COLUMNS, DOWN, ENTER, Terminal};
use super::{ACME, ALCHEMY, ALCHEMY_EXEC, BETA, Home, given, has, write_program};

/// The API tokens that the double knows; the documentation uses no others.
pub const TOKENS: [&str; 2] = ["tok-example", "tok-renewed"];
/// The Global API Key that it knows.
pub const KEY: &str = "key-example";
/// What the shell reads first: no line editor and no echo, and a prompt that only the tests see (OSC 133 is what
/// terminals are told the end of a command by). `API` is there at each prompt, whatever was unset.
const RC: &str = r#"stty -echo
set +o emacs +o vi +o histexpand
unset HISTFILE
PROMPT_COMMAND='export CLOUDFLARE_API_BASE_URL="${CLOUDFLARE_API_BASE_URL:-API}"'
PS1='\e]133;D;$?\a' PS2=
"#;
const MARK: &[u8] = b"\x1b]133;D;";

pub struct Console {
    home: Home,
    programs: TempDir,
    cloudflare: Cloudflare,
    authorization: Arc<Authorization>,
    keyring: Option<Keyring>,
    terminal: Terminal,
}

/// How a command ended, and what it has shown.
pub struct Shown {
    pub status: i32,
    pub text: String,
}

impl Console {
    pub fn start() -> Self {
        let cloudflare = Cloudflare::start();
        cloudflare.account(ACME, "Acme");
        cloudflare.account(BETA, "Beta");
        for token in TOKENS {
            cloudflare.add(Credential::user_token(token));
            super::is_secret(token);
        }
        cloudflare.add(Credential::global_key(KEY, "me@example.com"));
        super::is_secret(KEY);
        let authorization = Arc::new(Authorization::start());
        let issuer = Arc::clone(&authorization);
        cloudflare.take_grants(move |token| issuer.state_of(token) == State::Live);

        let (home, programs) = (Home::new(), tempfile::tempdir().expect("a folder"));
        for (name, binary) in [("alchemy", ALCHEMY), ("alchemy-exec", ALCHEMY_EXEC)] {
            std::os::unix::fs::symlink(binary, programs.path().join(name)).expect("linked");
        }
        let rc = RC.replace("API}", &(cloudflare.base_url() + "}"));
        fs::write(home.path().join(".bashrc"), rc).expect("written");
        let mut command = home.command("bash");
        command.args(["--noprofile", "-i"]).env("PATH", path_with(programs.path()));
        command
            .env("SHELL", which::which("bash").expect("bash"))
            .env("TERM", "xterm")
            .env("LC_ALL", "C.UTF-8");
        let terminal = Terminal::start(command);
        let mut this = Self { home, programs, cloudflare, authorization, keyring: None, terminal };
        this.ended();
        this
    }

    /// Has a keyring from here on; false where none is installed.
    #[must_use]
    pub fn with_keyring(&mut self) -> bool {
        let Some(keyring) = Keyring::start() else { return false };
        self.setup(&format!("export {BUS}='{}'", keyring.address()));
        self.keyring = Some(keyring);
        true
    }

    /// Has an authorization server from here on, and a browser.
    pub fn with_sign_in(&mut self) {
        let browser = self.programs.path().join("browser");
        write_program(&browser, super::person::BROWSER);
        let mut exports = format!("export BROWSER='{}'\n", browser.display());
        for (variable, value) in [
            ("REDIRECT_URI", "http://127.0.0.1:0/auth/callback".to_owned()),
            ("AUTH_URL", self.authorization.auth_url()),
            ("TOKEN_URL", self.authorization.token_url()),
            ("REVOKE_URL", self.authorization.revoke_url()),
        ] {
            let _ = writeln!(exports, "export ALCHEMY_OAUTH_{variable}='{value}'");
        }
        self.setup(&exports);
    }

    /// Has the real wrangler from here on; false where it is not installed.
    #[must_use]
    pub fn with_wrangler(&mut self) -> bool {
        let Some((node, modules)) = given("ALCHEMY_TEST_NODE").zip(given("ALCHEMY_TEST_NODE_MODULES")) else {
            return false;
        };
        let wrangler = modules.join("wrangler/bin/wrangler.js");
        self.program("wrangler", &format!("exec '{}' '{}' \"$@\"", node.display(), wrangler.display()));
        // It asks Cloudflare's own hosts, which no double stands for.
        self.setup("export WRANGLER_SEND_METRICS=false NO_UPDATE_NOTIFIER=1");
        true
    }

    /// Has containers from here on; false where they cannot be had.
    ///
    /// There is no daemon here, so podman stands in for docker: its options are docker's, and like docker's client
    /// it reads an `--env-file` itself. What a container in a container may not have is left out.
    #[must_use]
    pub fn with_docker(&mut self) -> bool {
        if !["podman", "runc", "busybox"].into_iter().all(has) {
            return false;
        }
        let folder = self.programs.path().join(".containers");
        fs::create_dir(&folder).expect("a folder");
        let (conf, storage) = (folder.join("containers.conf"), folder.join("storage.conf"));
        let engine = "[engine]\nruntime = 'runc'\ncgroup_manager = 'cgroupfs'\nevents_logger = 'none'\n";
        let limits = "default_ulimits = ['nofile=1024:1024', 'nproc=1024:1024']";
        fs::write(&conf, format!("[containers]\nnetns = 'none'\n{limits}\n{engine}")).expect("written");
        let roots = format!("graphroot = '{0}/root'\nrunroot = '{0}/run'\n", folder.display());
        fs::write(&storage, format!("[storage]\ndriver = 'vfs'\n{roots}")).expect("written");
        let configured =
            format!("CONTAINERS_CONF='{}' CONTAINERS_STORAGE_CONF='{}'", conf.display(), storage.display());
        self.program("docker", &format!("export {configured}\nexec podman \"$@\""));
        self.setup(
            "tree=$(mktemp -d) && mkdir \"$tree/bin\" && cp \"$(command -v busybox)\" \"$tree/bin/busybox\" &&
             ln -s busybox \"$tree/bin/env\" && tar -C \"$tree\" -c . | docker import - busybox && rm -r \"$tree\"",
        );
        true
    }

    /// Puts a program in front of those of the machine.
    pub fn program(&self, name: &str, script: &str) {
        write_program(&self.programs.path().join(name), &format!("#!/bin/bash\n{script}\n"));
    }

    /// Writes a file as the shell sees its path.
    pub fn file(&mut self, path: &str, text: &str) {
        let content = self.programs.path().join(".content");
        fs::write(&content, text).expect("written");
        self.setup(&format!("mkdir -p \"$(dirname {path})\" && cp '{}' {path}", content.display()));
    }

    /// Runs lines in the shell, of which nobody hears.
    #[track_caller]
    pub fn setup(&mut self, lines: &str) {
        let script = self.programs.path().join(".setup");
        fs::write(&script, lines).expect("written");
        let shown = self.run(&format!(". '{}'", script.display()), &[]);
        assert_eq!(shown.status, 0, "the setup fails: {lines}\n{}", shown.text);
    }

    /// Runs lines as a script of their own.
    pub fn script(&mut self, lines: &str) -> Shown {
        let script = self.programs.path().join(".script");
        fs::write(&script, lines).expect("written");
        self.run(&format!("bash -eu '{}'", script.display()), &[])
    }

    /// Types a command, and presses a key whenever something is shown.
    #[track_caller]
    pub fn run(&mut self, command: &str, keys: &[(String, String)]) -> Shown {
        self.terminal.skip();
        for line in command.lines() {
            self.terminal.line(line);
        }
        for (shown, key) in keys {
            self.terminal.expect(shown);
            match key.as_str() {
                "enter" => self.terminal.press(ENTER),
                "down" => self.terminal.press(DOWN),
                text => self.terminal.press(text),
            }
        }
        let (status, bytes) = self.ended();
        Shown { status, text: self.as_a_person_has_it(&screen(&bytes)) }
    }

    /// The status of what has just ended, and what it has written to the terminal.
    #[track_caller]
    fn ended(&mut self) -> (i32, Vec<u8>) {
        let bytes = self.terminal.until(MARK);
        let status = String::from_utf8(self.terminal.until(b"\x07")).expect("a status");
        (status.parse().expect("a status"), bytes)
    }

    fn as_a_person_has_it(&self, text: &str) -> String {
        let home = self.home.path().to_str().expect("UTF-8");
        let api = self.cloudflare.base_url();
        let login = self.authorization.auth_url().replace("/oauth2/auth", "");
        // Said because these addresses are not Cloudflare's.
        let asides = [
            "alchemy: what comes of this sign-in is exchanged at ".to_owned(),
            format!("alchemy: the token endpoint is {login}"),
            format!("alchemy: the revocation endpoint is {login}"),
            format!("alchemy: the API is {api} by "),
        ];
        let is_aside = |line: &&str| asides.iter().any(|aside| line.starts_with(aside));
        let text: String = text.split_inclusive('\n').filter(|line| !is_aside(line)).collect();
        text.replace(&format!("; the API is {api} by CLOUDFLARE_API_BASE_URL"), "")
            .replace(&api, "https://api.cloudflare.com/client/v4")
            .replace(&login, "https://dash.cloudflare.com")
            .replace(home, "/home/me")
    }

    /// Leaves the shell, which is the first one again.
    #[track_caller]
    pub fn exit(mut self) {
        let shell = self.run("echo $$", &[]).text;
        assert_eq!(
            shell.trim(),
            self.terminal.pid().to_string(),
            "the documentation has left an inner shell open"
        );
        self.terminal.line("stty echo; exit 0");
        self.terminal.finish();
    }
}

/// Programs of ours before those of the machine.
pub fn path_with(programs: &Path) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(all).expect("a path")
}

/// What is on a terminal that is as high as it must be, with lines as they were written.
fn screen(bytes: &[u8]) -> String {
    let lines = bytes.split(|byte| *byte == b'\n').count() + 40;
    let size = |size: usize| u16::try_from(size).ok().and_then(NonZeroU16::new).expect("a size");
    let mut parser = vt100::Parser::new(size(lines), size(COLUMNS.into()), 0);
    parser.process(bytes);
    let text = parser.screen().contents();
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines.push(""); // for the end of the last
    if lines.len() == 1 { String::new() } else { lines.join("\n") }
}

/// Whether bash would run a line, or wait for the next.
pub fn is_complete(command: &str) -> bool {
    let mut check = std::process::Command::new("bash");
    let output = check.args(["-n", "-c", command]).output().expect("started");
    output.status.success() && !command.ends_with('\\')
}
