//! The harness: the built binary, driven as a person would, in a home of its own.
//!
//! Nothing of the machine's own environment reaches it but `PATH`: no `HOME`, no session bus, no
//! Cloudflare variable. Where a test needs one, it says so.

#![allow(clippy::new_without_default, reason = "a double is started, which no default says")]

pub mod age;
pub mod authorization;
pub mod bare_debian;
pub mod bound;
pub mod chromium;
pub mod cloudflare;
pub mod console;
pub mod direnv;
pub mod dotenv;
pub mod faults;
pub mod github;
pub mod hooked;
pub mod http;
pub mod keyring;
pub mod lint;
pub mod login;
pub mod machine;
pub mod markdown;
pub mod npm;
pub mod oidc;
pub mod online;
pub mod person;
pub mod places;
pub mod project;
pub mod pty;
pub mod release;
pub mod shared;
pub mod signed_in;
pub mod tls;
pub mod values;
pub mod wrangler;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::libc;
use tempfile::TempDir;

/// The binary under test.
pub const ALCHEMY: &str = env!("ALCHEMY_BINARY");
/// The same under its other name.
pub const ALCHEMY_EXEC: &str = env!("ALCHEMY_BINARY_EXEC");
/// The folder of the project.
pub const PROJECT: &str = env!("ALCHEMY_PROJECT");
/// The version of the sources.
pub const VERSION: &str = env!("ALCHEMY_VERSION");
/// An account.
pub const ACME: &str = "0123456789abcdef0123456789abcdef";
/// Another account.
pub const BETA: &str = "fedcba9876543210fedcba9876543210";

/// A home, with `~/.alchemy` in it when something made it. Gone with the value.
pub struct Home {
    folder: TempDir,
}

/// What a run left: its exit code (128 + n for a signal), stdout and stderr.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path below `~/.alchemy`.
    pub fn alchemy(&self, below: &str) -> PathBuf {
        self.path().join(".alchemy").join(below)
    }

    /// Writes a file, in folders as alchemy makes them.
    pub fn write(&self, below: &str, text: &str) {
        let path = self.alchemy(below);
        let mut folders = fs::DirBuilder::new();
        folders.recursive(true).mode(0o700).create(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// Writes a file that nobody else may read, as a secret's must be.
    pub fn write_private(&self, below: &str, text: &str) {
        self.write(below, text);
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(self.alchemy(below), private).expect("made private");
    }

    pub fn read(&self, below: &str) -> String {
        fs::read_to_string(self.alchemy(below)).expect("read")
    }

    /// Everything below `~/.alchemy` but the locks, the folder of the rescue files itself, and the marks that say that something has changed: path, mode and content (of a link: its target). Two
    /// that are equal say that nothing was changed in between.
    pub fn snapshot(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.alchemy("")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let entry = entry.expect("an entry");
                let (path, metadata) = (entry.path(), entry.metadata().expect("metadata"));
                if ["lock", "stamps", "generation"].iter().any(|name| path == self.alchemy(name)) {
                    continue;
                }
                // Without anything in it, it says nothing.
                if path == self.alchemy("rescue") {
                    folders.push(path);
                    continue;
                }
                let content = if metadata.is_symlink() {
                    fs::read_link(&path).expect("a link").into_os_string().into_encoded_bytes()
                } else if metadata.is_dir() {
                    folders.push(path.clone());
                    Vec::new()
                } else {
                    fs::read(&path).expect("read")
                };
                found.insert(path, (metadata.mode(), content));
            }
        }
        found
    }

    /// Sets a file's time back by an hour: it is not just being written.
    pub fn age(&self, below: &str) {
        let hour = std::time::Duration::from_secs(3600);
        let file = fs::File::open(self.alchemy(below)).expect("opened");
        file.set_modified(std::time::SystemTime::now() - hour).expect("its time set");
    }

    /// `program` in this home, with nothing else of the environment but `PATH`, and in a session of its
    /// own: it must not ask on the terminal from which the tests are run.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.job(program);
        // SAFETY: between fork and exec it makes one system call and allocates nothing.
        unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
        command
    }

    /// The same in the session of the tests, where a signal can stop it.
    pub fn job(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.path())
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// `alchemy` with arguments.
    pub fn alchemy_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(ALCHEMY);
        command.args(arguments);
        command
    }

    /// `alchemy` with arguments, of which one system call fails, or at which it is killed: `injection` is what
    /// strace's `inject` takes.
    pub fn struck(&self, injection: &str, arguments: &[&str]) -> Command {
        let mut command = self.command("strace");
        let (calls, _) = injection.split_once(':').expect("system calls, and what happens to them");
        // Without its seccomp filter, with which it sends no signal.
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
        command.args(["-e", &format!("inject={injection}")]);
        command.arg(ALCHEMY).args(arguments);
        command
    }

    /// Runs `alchemy` to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.alchemy_command(arguments))
    }

    /// Runs `alchemy` with text on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Output {
        run_with_input(&mut self.alchemy_command(arguments), input)
    }

    /// A profile with an API token in the file store, of the account [`ACME`].
    pub fn token_profile(&self, name: &str, token: &str) {
        let arguments = ["configure", "-p", name, "--token-stdin", "--no-verify", "--account", ACME];
        let arguments = [&arguments[..], &["--account-name", "Acme", "--store", "file", "--yes"]].concat();
        is_secret(token);
        self.run_with_input(&arguments, token).expect_code(0);
    }

    /// A profile with a Global API Key in the file store, of the account [`ACME`].
    pub fn key_profile(&self, name: &str, key: &str, email: &str) {
        let arguments = ["configure", "-p", name, "--key-stdin", "--no-verify", "--account", ACME];
        let arguments = [&arguments[..], &["--email", email, "--store", "file", "--yes"]].concat();
        is_secret(key);
        self.run_with_input(&arguments, key).expect_code(0);
    }
}

impl Output {
    /// The output, whose stderr was read elsewhere.
    pub fn with_stderr(self, stderr: String) -> Self {
        capture("said", &stderr);
        Self { stderr, ..self }
    }

    /// Fails the test with everything that was said when the exit code is another one.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// The exit code is this, stdout is empty, and stderr is one error line with these words, and a
    /// hint under it.
    #[track_caller]
    pub fn expect_error(self, code: i32, words: &str) -> Self {
        let this = self.expect_code(code);
        assert_eq!(this.stdout, "", "stdout carries data only");
        let errors: Vec<&str> = this.stderr.lines().filter(|line| line.contains(words)).collect();
        assert_eq!(errors.len(), 1, "one line with '{words}' in:\n{}", this.stderr);
        assert!(errors[0].starts_with("alchemy: "), "{}", errors[0]);
        assert!(!this.stderr.contains("panicked"), "{}", this.stderr);
        this
    }

    /// The same, and stderr is nothing but that line and its hint.
    #[track_caller]
    pub fn expect_only_error(self, code: i32, words: &str) -> Self {
        let this = self.expect_error(code, words);
        let lines: Vec<&str> = this.stderr.lines().collect();
        let two = matches!(lines[..], [error, hint] if error.contains(words) && hint.starts_with("hint: "));
        assert!(two, "one line and its hint in:\n{}", this.stderr);
        this
    }

    #[track_caller]
    pub fn expect_hint(self, words: &str) -> Self {
        let hint = self.stderr.lines().find(|line| line.starts_with("hint: ")).unwrap_or_default();
        assert!(hint.contains(words), "'{words}' in the hint of:\n{}", self.stderr);
        self
    }
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Output {
    let output = command.output().expect("started");
    finished(output)
}

/// Runs a command with text on its standard input.
pub fn run_with_input(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that does not read its input may be gone already.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    finished(child.wait_with_output().expect("finished"))
}

/// Writes a program. It is written by a process of its own: of a file that this one has open for writing, another
/// test's fork would have a copy open for a moment, and until then the system refuses to execute it (`ETXTBSY`).
pub fn write_program(path: &Path, text: &str) {
    let mut writer = Command::new("sh");
    writer.args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(path);
    run_with_input(&mut writer, text).expect_code(0);
}

/// What a finished process left.
pub fn finished(output: std::process::Output) -> Output {
    use std::os::unix::process::ExitStatusExt;
    let status = output.status;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).expect("an end");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let output = Output { code, stdout: text(output.stdout), stderr: text(output.stderr) };
    // What has a runner hide a secret must name it.
    let said = output.stderr.split_inclusive('\n').filter(|line| !line.starts_with("::add-mask::"));
    capture("said", &said.collect::<String>());
    output
}

/// Where `tests/run` looks for secrets in all that was said, when every test has run.
fn capture(what: &str, text: &str) {
    let Some(folder) = std::env::var_os("ALCHEMY_TEST_CAPTURE") else { return };
    let file = fs::OpenOptions::new().create(true).append(true).open(Path::new(&folder).join(what));
    file.and_then(|mut file| file.write_all(format!("{text}\n").as_bytes())).expect("captured");
}

/// Makes known that a text is a secret, which no message may hold. A short one would be found everywhere.
pub fn is_secret(text: &str) {
    if text.len() >= 8 {
        capture("secrets", text.lines().next().unwrap_or_default());
    }
}

/// The environment that `env -0` printed.
pub fn environment(printed: &str) -> BTreeMap<String, String> {
    let pairs = printed.split('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Whether a program that a test needs is here. Where nothing may be skipped (`tests/run` in CI), it
/// must be.
pub fn has(program: &str) -> bool {
    let found = which::which(program).is_ok();
    assert!(found || std::env::var_os("ALCHEMY_TEST_NO_SKIP").is_none(), "{program} is not installed");
    if !found {
        eprintln!("skipped: {program} is not installed");
    }
    found
}

/// Copies the binary to a place where another user can run it: what was built may lie where that one cannot go, and be
/// nobody else's, by the umask it was built under. By a process of its own, as [`write_program`] says why.
pub fn copy_for_everyone(to: &Path) {
    run(Command::new("install").args(["-m", "755", ALCHEMY]).arg(to)).expect_code(0);
}

/// What `tests/run` installed and named by this variable; like [`has`] where it did not.
pub fn given(variable: &str) -> Option<PathBuf> {
    let value = std::env::var_os(variable).map(PathBuf::from);
    let must = std::env::var_os("ALCHEMY_TEST_NO_SKIP").is_some();
    assert!(value.is_some() || !must, "{variable} is not set; tests/run sets it");
    if value.is_none() {
        eprintln!("skipped: {variable} is not set; tests/run sets it");
    }
    value
}

/// Every write into a file fails, as on a full disk: before the command starts, or once it runs.
pub fn with_full_disk(command: &mut Command, full: bool) -> &mut Command {
    let limit = move || {
        // SAFETY: to ignore it is no handler of ours.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        let none = libc::rlimit { rlim_cur: 0, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: it reads the value it is given.
        if full && unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const none) } == -1 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls and allocates nothing.
    unsafe { command.pre_exec(limit) }
}
