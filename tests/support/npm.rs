//! The real npm package, both versions, called as libraries in a Node of their own (`tests/run` installs
//! all three). What the scripts can use is in `npm/v1.mjs` and `npm/v2.mjs`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::authorization::Authorization;
use super::{Home, finished, given, run};

/// The client id of version 1.
pub const V1_CLIENT: &str = "6d8c2255-0773-45f6-b376-2914632e6f91";
/// The client id of version 2.
pub const V2_CLIENT: &str = "e7e25ec474419def6ba38d2d2638b122";

/// Nothing is told to its makers.
const QUIET: [(&str, &str); 2] = [("ALCHEMY_TELEMETRY_DISABLED", "1"), ("DO_NOT_TRACK", "1")];

/// One version of the npm package in a home.
pub struct Npm<'a> {
    home: &'a Home,
    node: PathBuf,
    package: PathBuf,
    driver: &'static str,
    server: String,
}

impl<'a> Npm<'a> {
    /// Version 1; `None` where it is not installed, which is said.
    pub fn v1(home: &'a Home) -> Option<Self> {
        Self::new(home, "ALCHEMY_TEST_NPM_V1", "v1.mjs")
    }

    /// Version 2; `None` where it is not installed, which is said.
    pub fn v2(home: &'a Home) -> Option<Self> {
        Self::new(home, "ALCHEMY_TEST_NPM_V2", "v2.mjs")
    }

    fn new(home: &'a Home, package: &str, driver: &'static str) -> Option<Self> {
        let (package, node) = (given(package)?, given("ALCHEMY_TEST_NODE")?);
        Some(Self { home, node, package, driver, server: String::new() })
    }

    /// Asks this server instead of Cloudflare's.
    pub fn at(self, server: &Authorization) -> Self {
        let server = server.token_url().replace("/oauth2/token", "");
        Self { server, ..self }
    }

    /// A process that runs a script.
    pub fn command(&self, script: &str) -> Command {
        let mut command = self.home.command(&self.node);
        command.args(self.words(script)).envs(QUIET).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The same under `alchemy exec`, with words before it, and options of Node's.
    pub fn command_under_exec(
        &self,
        profile: &str,
        before: &[&str],
        options: &[&str],
        script: &str,
    ) -> Command {
        let mut command = self.home.alchemy_command(&["exec", profile, "--"]);
        command.args(before).arg(&self.node).args(options).args(self.words(script)).envs(QUIET);
        command
    }

    /// What Node is given.
    fn words(&self, script: &str) -> [OsString; 4] {
        let drivers = PathBuf::from(super::PROJECT).join("tests/support/npm");
        [
            drivers.join(self.driver).into(),
            self.package.as_os_str().to_owned(),
            self.server.clone().into(),
            script.into(),
        ]
    }

    /// Runs a script to its end; what it returns.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        returned(&run(&mut self.command(script)).expect_code(0).stdout)
    }

    /// Starts a script; [`ended`] is its end.
    pub fn start(&self, script: &str) -> Child {
        self.command(script).spawn().expect("started")
    }
}

/// What a script that was started returns.
#[track_caller]
pub fn ended(child: Child) -> Value {
    returned(&finished(child.wait_with_output().expect("finished")).expect_code(0).stdout)
}

/// What a script returns is the last line that is printed.
#[track_caller]
pub fn returned(stdout: &str) -> Value {
    let last = stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error} in:\n{stdout}"))
}
