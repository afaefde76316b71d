//! Session buses to keep secrets on: one with a real gnome-keyring, and those that people have instead.

use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::{Output, finished, has, run_with_input};

/// The variable by which a bus is found.
pub const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

/// A private session bus with an unlocked, throw-away gnome-keyring. Both end with the value.
pub struct Keyring {
    wrapper: Child,
    address: String,
    stopped: Cell<Option<Pid>>,
}

impl Keyring {
    /// Starts one by `tests/with-keyring`; `None` where the programs for it are missing.
    pub fn start() -> Option<Self> {
        let programs =
            ["gnome-keyring-daemon", "dbus-run-session", "dbus-monitor", "gdbus", "secret-tool", "bash"];
        if !programs.into_iter().all(has) {
            return None;
        }
        let mut command = Command::new(format!("{}/tests/with-keyring", super::PROJECT));
        // It lives until its stdin closes: also when this process is killed.
        let script = format!("echo \"${BUS}\"; exec cat");
        command.args(["sh", "-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut wrapper = command.spawn().expect("started");
        let address = first_line(&mut wrapper);
        Some(Self { wrapper, address, stopped: Cell::new(None) })
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// The secret that is kept under a name, by another program's eyes; `None` when there is none.
    pub fn lookup(&self, username: &str) -> Option<String> {
        let output = self.tool("secret-tool", &["lookup", "service", "alchemy-cli", "username", username]);
        (output.code == 0 && !output.stdout.is_empty()).then_some(output.stdout)
    }

    /// The names under which something of ours is kept, sorted.
    pub fn usernames(&self) -> Vec<String> {
        let found = self.tool("secret-tool", &["search", "--all", "service", "alchemy-cli"]).expect_code(0);
        // The attributes go to stderr.
        let lines = found.stdout.lines().chain(found.stderr.lines());
        let mut names: Vec<String> =
            lines.filter_map(|line| line.strip_prefix("attribute.username = ")).map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Puts a secret under a name, as another program does.
    pub fn store(&self, username: &str, secret: &str) {
        let mut command = Command::new("secret-tool");
        command.args(["store", "--label=of the test", "service", "alchemy-cli", "username", username]);
        run_with_input(command.env(BUS, &self.address), secret).expect_code(0);
    }

    /// Removes an item behind our back.
    pub fn clear(&self, username: &str) {
        self.tool("secret-tool", &["clear", "service", "alchemy-cli", "username", username]).expect_code(0);
    }

    /// Locks the keyring.
    pub fn lock(&self) {
        let method = "org.freedesktop.Secret.Service.Lock";
        let service = ["--dest", "org.freedesktop.secrets", "--object-path", "/org/freedesktop/secrets"];
        let arguments = [&["call", "--session"], &service[..], &["--method", method]].concat();
        let collections = "['/org/freedesktop/secrets/collection/login']";
        let output = self.tool("gdbus", &[&arguments[..], &[collections]].concat()).expect_code(0);
        assert!(output.stdout.contains("collection/login"), "nothing was locked: {}", output.stdout);
    }

    /// Unlocks the keyring, as a person does at its dialog.
    #[cfg(target_os = "linux")]
    pub fn unlock(&self) {
        let collection = dbus::Path::from("/org/freedesktop/secrets/collection/login");
        self.with_master_password::<_, ()>("UnlockWithMasterPassword", collection);
    }

    /// Makes a collection of another program, unlocked; its path.
    #[cfg(target_os = "linux")]
    pub fn create_collection(&self, label: &str) -> String {
        let label = dbus::arg::Variant(label);
        let properties =
            std::collections::HashMap::from([("org.freedesktop.Secret.Collection.Label", label)]);
        let (path,): (dbus::Path,) = self.with_master_password("CreateWithMasterPassword", properties);
        path.to_string()
    }

    /// Puts a secret into a collection, under attributes, as another program does.
    pub fn store_in(&self, collection: &str, attributes: &[&str], secret: &str) {
        let mut command = Command::new("secret-tool");
        command
            .args(["store", "--label=of the test", &format!("--collection={collection}")])
            .args(attributes);
        run_with_input(command.env(BUS, &self.address), secret).expect_code(0);
    }

    /// The only way to give a password without a display; it is what the daemon's own tests use.
    #[cfg(target_os = "linux")]
    fn with_master_password<A: dbus::arg::Append, R: dbus::arg::ReadAll>(&self, method: &str, what: A) -> R {
        use dbus::Path;
        use dbus::arg::Variant;
        let mut channel = dbus::channel::Channel::open_private(&self.address).expect("a bus");
        channel.register().expect("a name on the bus");
        let call = |interface: &str, method: &str| {
            let path = "/org/freedesktop/secrets";
            dbus::Message::call_with_args("org.freedesktop.secrets", path, interface, method, ())
        };
        let ask = |message| channel.send_with_reply_and_block(message, Duration::from_secs(20));
        let open = call("org.freedesktop.Secret.Service", "OpenSession").append2("plain", Variant(""));
        let (_, session): (Variant<String>, Path) = ask(open).expect("a session").read2().expect("its path");
        let password = (session, Vec::<u8>::new(), b"test-password".to_vec(), "text/plain");
        let private = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface";
        ask(call(private, method).append2(what, password)).expect(method).read_all().expect("an answer")
    }

    /// Has its daemon go on.
    pub fn go_on(&self) {
        if let Some(daemon) = self.stopped.take() {
            kill(daemon, Signal::SIGCONT).expect("continued");
        }
    }

    /// Stops its daemon: the bus goes on, and nobody answers for it.
    pub fn stop(&self) {
        let bus = ["--dest", "org.freedesktop.DBus", "--object-path", "/org/freedesktop/DBus"];
        let method =
            ["--method", "org.freedesktop.DBus.GetConnectionUnixProcessID", "org.freedesktop.secrets"];
        let output = self.tool("gdbus", &[&["call", "--session"], &bus[..], &method].concat()).expect_code(0);
        let digits: String =
            output.stdout.replace("uint32", "").chars().filter(char::is_ascii_digit).collect();
        let daemon = Pid::from_raw(digits.parse().expect("a process id"));
        kill(daemon, Signal::SIGSTOP).expect("stopped");
        self.stopped.set(Some(daemon));
    }

    /// Watches from now on what is asked of the keyring.
    pub fn watch(&self) -> Watch<'_> {
        let mut command = Command::new("dbus-monitor");
        command.args(["--session", "type='method_call'"]).env(BUS, &self.address).stdout(Stdio::piped());
        let mut monitor = command.spawn().expect("started");
        let mut lines = BufReader::new(monitor.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
        // As a monitor it has no name on the bus any more: this is the first that it sees.
        assert!(lines.any(|line| line.contains("member=NameLost")), "the bus can be watched");
        Watch { keyring: self, monitor, lines: Box::new(lines) }
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).env(BUS, &self.address).env("LC_ALL", "C").stdin(Stdio::null());
        finished(command.output().expect("started"))
    }
}

/// Someone who sees every call on the bus.
pub struct Watch<'a> {
    keyring: &'a Keyring,
    monitor: Child,
    lines: Box<dyn Iterator<Item = String>>,
}

impl Watch<'_> {
    /// What the keyring was asked since the last time: interface and method, without their common
    /// prefix.
    pub fn calls(&mut self) -> Vec<String> {
        // The bus keeps the order, so what comes before this one is all.
        let service = ["--dest", "org.freedesktop.secrets", "--object-path", "/org/freedesktop/secrets"];
        let method = ["--method", "org.freedesktop.Secret.Service.ReadAlias", "the end"];
        self.keyring.tool("gdbus", &[&["call", "--session"], &service[..], &method].concat()).expect_code(0);
        let mut calls = Vec::new();
        for line in self.lines.by_ref() {
            if line.contains("string \"the end\"") {
                calls.pop();
                return calls;
            }
            let call = line.split_once("interface=org.freedesktop.Secret.").map(|(_, call)| call);
            calls.extend(call.map(|call| call.replace("; member=", ".")));
        }
        panic!("the monitor has ended after {calls:?}");
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        let _ = self.monitor.kill();
        let _ = self.monitor.wait();
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        self.go_on();
        drop(self.wrapper.stdin.take());
        let _ = self.wrapper.wait();
    }
}

/// A bus on which nobody keeps secrets.
pub struct BareBus {
    daemon: Child,
    address: String,
    _folder: TempDir,
}

impl BareBus {
    pub fn start() -> Option<Self> {
        if !has("dbus-daemon") {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("session.conf");
        let policy = "<allow send_destination='*'/><allow eavesdrop='true'/><allow own='*'/>";
        let listen = folder.path().join("bus");
        let text = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context='default'>{policy}</policy></busconfig>",
            listen.display()
        );
        fs::write(&config, text).expect("written");
        let mut command = Command::new("dbus-daemon");
        command.arg(format!("--config-file={}", config.display())).args(["--nofork", "--print-address"]);
        // As root in a container it may not raise its limits, and says so.
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut daemon = command.spawn().expect("started");
        let address = first_line(&mut daemon);
        Some(Self { daemon, address, _folder: folder })
    }

    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for BareBus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// A bus that takes every connection and never says a word.
pub struct SilentBus {
    listener: UnixListener,
    address: String,
}

impl SilentBus {
    /// Listens in a folder.
    pub fn start(folder: &Path) -> Self {
        let path = folder.join("silent-bus");
        // The kernel takes connections for as long as it listens; nobody needs to accept them.
        let listener = UnixListener::bind(&path).expect("bound");
        listener.set_nonblocking(true).expect("not blocking");
        Self { listener, address: format!("unix:path={}", path.display()) }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next of the connections that were made, if there is one.
    pub fn connection(&self) -> Option<UnixStream> {
        match self.listener.accept() {
            Ok((stream, _)) => Some(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("read");
    let address = line.trim_end();
    assert!(address.starts_with("unix:"), "no bus came up: {address:?}");
    address.to_owned()
}
