//! A person who signs in at doubles of the authorization server and the API: the commands, and what a
//! browser does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use serde_json::Value;

use super::authorization::{Authorization, State};
use super::online::{Online, shows_no_secret};
use super::signed_in::OWN;
use super::{ACME, Output, finished};

/// Makes `prod`.
pub const CONFIGURE: [&str; 10] =
    ["configure", "-p", "prod", "--method", "oauth", "--account", ACME, "--yes", "--scopes", "a,b"];
/// Signs in to it again.
pub const LOGIN: [&str; 3] = ["login", "-p", "prod"];
/// A browser whose person allows everything: it goes where it is sent, and on from there.
pub const BROWSER: &str = r#"#!/bin/bash
visit() {
  rest=${1#http://} host=${rest%%/*}
  exec 3<>"/dev/tcp/${host%:*}/${host#*:}"
  printf 'GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "${rest#*/}" "$host" >&3
}
visit "$1"
while read -r name value; do [[ $name != location: ]] || there=${value%$'\r'}; done <&3
visit "$there"
cat <&3
"#;

/// A home whose commands sign in at the double, as the client [`OWN`].
pub struct Person {
    pub online: Online,
    pub server: Arc<Authorization>,
}

impl Deref for Person {
    type Target = Online;

    fn deref(&self) -> &Online {
        &self.online
    }
}

impl Person {
    pub fn new() -> Self {
        Self::with(Online::new())
    }

    pub fn with(mut online: Online) -> Self {
        let server = Arc::new(Authorization::start());
        let issuer = Arc::clone(&server);
        online.cf.take_grants(move |token| issuer.state_of(token) == State::Live);
        for (variable, value) in [
            ("CLIENT_ID", OWN.to_owned()),
            ("REDIRECT_URI", "http://127.0.0.1:0/auth/callback".to_owned()),
            ("AUTH_URL", server.auth_url()),
            ("TOKEN_URL", server.token_url()),
            ("REVOKE_URL", server.revoke_url()),
        ] {
            online.set(&format!("ALCHEMY_OAUTH_{variable}"), value);
        }
        Self { online, server }
    }

    /// One who has signed in to `prod`.
    pub fn with_prod() -> Self {
        let this = Self::new();
        this.sign_in(&CONFIGURE).expect_code(0);
        this
    }

    pub fn start(&self, arguments: &[&str]) -> SignIn {
        SignIn::start(self.command(&[&["-vv"], arguments].concat()))
    }

    /// Signs in as a browser does, to the end.
    pub fn sign_in(&self, arguments: &[&str]) -> Output {
        let sign_in = self.start(arguments);
        get(&redirected(&sign_in.url), &[]);
        sign_in.finish()
    }

    /// Fails to sign in: it says these words, changes nothing, and leaves no new grant alive.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str], code: i32, words: &str) -> Output {
        let (before, live) = (self.home.snapshot(), self.server.live_grants());
        let output = self.sign_in(arguments).expect_error(code, words);
        assert!(self.home.snapshot() == before, "something was changed");
        assert_eq!(self.server.live_grants(), live, "the new grant is revoked, the old is not");
        output
    }

    /// The refresh token of `prod`.
    pub fn refresh_token(&self) -> String {
        let document = self.home.read("credentials/prod/native.json");
        let document: Value = serde_json::from_str(&document).expect("JSON");
        document["refresh"].as_str().expect("a token").to_owned()
    }

    /// Makes `BROWSER` a script that writes down where it is sent, and goes there; the file.
    pub fn browser(&self) -> std::path::PathBuf {
        let (script, opened) = (self.home.path().join("browser"), self.home.path().join("opened"));
        let (begin, rest) = BROWSER.split_once('\n').expect("two lines");
        let opened_shown = opened.display();
        let text = format!(
            "{begin}\necho \"$1\" > {opened_shown}.new && mv {opened_shown}.new {opened_shown}\n{rest}"
        );
        super::write_program(&script, &text);
        opened
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.online.command(arguments);
        let script = self.home.path().join("browser");
        command.env("BROWSER", if script.exists() { script } else { "/nonexistent".into() });
        command
    }

    /// Makes the access token of `prod` be over, as far as is known here.
    pub fn expire(&self) {
        let path = "credentials/prod/native.json";
        let mut grant: Value = serde_json::from_str(&self.home.read(path)).expect("JSON");
        grant["expires"] = 0.into();
        self.home.write_private(path, &grant.to_string());
    }
}

/// A sign-in that waits for its answer.
pub struct SignIn {
    pub child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    pub said: String,
    /// The address that it shows.
    pub url: String,
}

impl SignIn {
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("started");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        while !said.lines().last().is_some_and(|line| line.starts_with("http")) {
            assert_ne!(stderr.read_line(&mut said).expect("read"), 0, "no address in:\n{said}");
        }
        let url = said.lines().last().expect("an address").to_owned();
        Self { child, stderr, said, url }
    }

    /// Where it listens, as `-v` tells.
    pub fn listens_at(&self) -> &str {
        let line = self.said.lines().find(|line| line.contains("waiting for the browser at"));
        line.and_then(|line| line.split_whitespace().last()).expect("an address")
    }

    pub fn paste(&mut self, text: &str) {
        self.child.stdin.as_mut().expect("a pipe").write_all(text.as_bytes()).expect("taken");
    }

    pub fn finish(mut self) -> Output {
        drop(self.child.stdin.take());
        self.stderr.read_to_string(&mut self.said).expect("read");
        let output = finished(self.child.wait_with_output().expect("an end"));
        shows_no_secret(output.with_stderr(self.said))
    }
}

/// An HTTP request to a loopback server: method, URL, further headers (a `Host` replaces the right one);
/// the whole answer, which is empty when there is none.
pub fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> String {
    let rest = url.strip_prefix("http://").expect("http");
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut stream = TcpStream::connect(authority).expect("connected");
    let host = [("Host", authority)];
    let host = host.iter().filter(|_| !headers.iter().any(|(name, _)| *name == "Host"));
    let first = format!("{method} {path} HTTP/1.1\r\nConnection: close");
    let headers = host.chain(headers).map(|(name, value)| format!("{name}: {value}"));
    let text = std::iter::once(first).chain(headers).collect::<Vec<_>>().join("\r\n");
    stream.write_all(format!("{text}\r\n\r\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("read");
    answer
}

pub fn get(url: &str, headers: &[(&str, &str)]) -> String {
    request("GET", url, headers)
}

/// Where the authorization server sends the browser.
pub fn redirected(url: &str) -> String {
    let answer = get(url, &[]);
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    location.unwrap_or_else(|| panic!("no redirect: {answer}")).to_owned()
}

pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// The address in what was shown.
pub fn address_in(shown: &str) -> String {
    shown.lines().find(|line| line.starts_with("http")).expect("an address").to_owned()
}
