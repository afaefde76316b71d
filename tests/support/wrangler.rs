//! The real wrangler, signed in at a double of the authorization server, in a home.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use super::authorization::Authorization;
use super::person::{get, redirected};
use super::shared::until;
use super::{Home, Output, finished, given, run};

/// Wrangler in a home.
pub struct Wrangler<'a> {
    home: &'a Home,
    server: &'a Authorization,
    node: PathBuf,
    script: PathBuf,
    bus: Option<String>,
}

impl<'a> Wrangler<'a> {
    /// `None` where it is not installed, which is said.
    pub fn new(home: &'a Home, server: &'a Authorization) -> Option<Self> {
        let (modules, node) = (given("ALCHEMY_TEST_NODE_MODULES")?, given("ALCHEMY_TEST_NODE")?);
        Some(Self { home, server, node, script: modules.join("wrangler/bin/wrangler.js"), bus: None })
    }

    /// With a keyring on this bus.
    pub fn on(self, bus: &str) -> Self {
        Self { bus: Some(bus.to_owned()), ..self }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(&self.node);
        command
            .arg(&self.script)
            .args(arguments)
            .env("WRANGLER_AUTH_URL", self.server.auth_url())
            .env("WRANGLER_TOKEN_URL", self.server.token_url())
            // Nothing of these is ours: they keep it from asking other servers.
            .envs([("WRANGLER_SEND_METRICS", "false"), ("NO_UPDATE_NOTIFIER", "1")])
            .envs(self.bus.iter().map(|bus| (super::keyring::BUS, bus)));
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments)).expect_code(0)
    }

    /// Signs in by a command of its, as a browser does.
    #[track_caller]
    pub fn sign_in(&self, arguments: &[&str]) {
        // The redirect URI is fixed; the port that is listened at is not. Nobody else takes this one soon.
        let port =
            TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
        let port = port.to_string();
        let mut command = self.command(&[arguments, &["--browser=false", "--callback-port", &port]].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut said = String::new();
        let url = loop {
            let mut line = String::new();
            assert_ne!(stdout.read_line(&mut line).expect("read"), 0, "no address in:\n{said}");
            said.push_str(&line);
            if let Some(at) = line.find(&self.server.auth_url()) {
                break line[at..].trim().to_owned();
            }
        };
        // It shows the address a moment before it listens.
        until("wrangler listens", || TcpStream::connect(format!("localhost:{port}")).is_ok());
        get(&redirected(&url).replace("localhost:8976", &format!("localhost:{port}")), &[]);
        stdout.read_to_string(&mut said).expect("read");
        let output = finished(child.wait_with_output().expect("an end")).expect_code(0);
        assert!(said.contains("Successfully logged in") || output.stderr.is_empty(), "{said}{output:?}");
    }
}

/// A file as it is: its mode, when it was last changed, and its content.
pub type State = (u32, SystemTime, Vec<u8>);

/// Every file below some folders: two that are equal say that nothing was changed in between.
pub fn files(folders: &[&Path]) -> BTreeMap<PathBuf, State> {
    let mut found = BTreeMap::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|&folder| folder.to_owned()).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            let metadata = fs::symlink_metadata(&path).expect("metadata");
            if metadata.is_dir() {
                folders.push(path);
            } else {
                let modified = metadata.modified().expect("a time");
                let content = fs::read(&path).expect("read");
                found.insert(path, (metadata.mode(), modified, content));
            }
        }
    }
    found
}
