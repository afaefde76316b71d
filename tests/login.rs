//! What can go wrong when somebody signs in, and what is asked on the way: strays at the callback, answers
//! that lack something, accounts that cannot be seen, ports in use, second thoughts. At doubles of the
//! authorization server and the API; a real server and a real browser are in `sign_in.rs`.
//!
//! Whatever fails: the old session is still there, and the new one is revoked.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use support::authorization::{Authorization, Fault, State};
use support::cloudflare::Permission;
use support::online::{Online, shows_no_secret};
use support::pty::{CTRL_C, DOWN, ENTER, Redirected, Terminal};
use support::signed_in::{OWN, V1};
use support::{ACME, BETA, Output, finished, run, with_full_disk};

const CONFIGURE: [&str; 10] =
    ["configure", "-p", "prod", "--method", "oauth", "--account", ACME, "--yes", "--scopes", "a,b"];
const LOGIN: [&str; 3] = ["login", "-p", "prod"];
/// Answers whose tokens could be neither sent nor kept.
const EMPTY: &str = r#"{"access_token":"","refresh_token":"rt-hunter2","expires_in":3600}"#;
const BROKEN: &str = r#"{"access_token":"at-hunter2\nX: y","refresh_token":"rt-hunter2","expires_in":3600}"#;
const ALCHEMY_RUN: &str = "https://alchemy.run/auth/callback";

/// A home whose commands sign in at the double, as the client [`OWN`].
struct Person {
    online: Online,
    server: Arc<Authorization>,
}

impl Deref for Person {
    type Target = Online;

    fn deref(&self) -> &Online {
        &self.online
    }
}

impl Person {
    fn new() -> Self {
        Self::with(Online::new())
    }

    fn with(mut online: Online) -> Self {
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
    fn with_prod() -> Self {
        let this = Self::new();
        this.sign_in(&CONFIGURE).expect_code(0);
        this
    }

    fn start(&self, arguments: &[&str]) -> SignIn {
        SignIn::start(self.command(&[&["-vv"], arguments].concat()))
    }

    /// Signs in as a browser does, to the end.
    fn sign_in(&self, arguments: &[&str]) -> Output {
        let sign_in = self.start(arguments);
        get(&redirected(&sign_in.url), &[]);
        sign_in.finish()
    }

    /// Fails to sign in: it says these words, changes nothing, and leaves no new grant alive.
    #[track_caller]
    fn fails(&self, arguments: &[&str], code: i32, words: &str) -> Output {
        let (before, live) = (self.home.snapshot(), self.server.live_grants());
        let output = self.sign_in(arguments).expect_error(code, words);
        assert!(self.home.snapshot() == before, "something was changed");
        assert_eq!(self.server.live_grants(), live, "the new grant is revoked, the old is not");
        output
    }

    /// The refresh token of `prod`.
    fn refresh_token(&self) -> String {
        let document = self.home.read("credentials/prod/native.json");
        let document: Value = serde_json::from_str(&document).expect("JSON");
        document["refresh"].as_str().expect("a token").to_owned()
    }
}

/// A sign-in that waits for its answer.
struct SignIn {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    said: String,
    /// The address that it shows.
    url: String,
}

impl SignIn {
    fn start(mut command: Command) -> Self {
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
    fn listens_at(&self) -> &str {
        let line = self.said.lines().find(|line| line.contains("waiting for the browser at"));
        line.and_then(|line| line.split_whitespace().last()).expect("an address")
    }

    fn paste(&mut self, text: &str) {
        self.child.stdin.as_mut().expect("a pipe").write_all(text.as_bytes()).expect("taken");
    }

    fn finish(mut self) -> Output {
        drop(self.child.stdin.take());
        self.stderr.read_to_string(&mut self.said).expect("read");
        let output = finished(self.child.wait_with_output().expect("an end"));
        shows_no_secret(output.with_stderr(self.said))
    }
}

/// An HTTP request to a loopback server: method, URL, further headers (a `Host` replaces the right one);
/// the whole answer, which is empty when there is none.
fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> String {
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

fn get(url: &str, headers: &[(&str, &str)]) -> String {
    request("GET", url, headers)
}

/// Where the authorization server sends the browser.
fn redirected(url: &str) -> String {
    let answer = get(url, &[]);
    let location = answer.lines().find_map(|line| line.strip_prefix("location: "));
    location.unwrap_or_else(|| panic!("no redirect: {answer}")).to_owned()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

// --- the callback ---

#[test]
fn strays_at_the_callback_get_an_error_and_the_right_answer_is_still_taken() {
    let person = Person::new();
    let sign_in = person.start(&CONFIGURE);
    let callback = redirected(&sign_in.url);
    let (address, query) = callback.split_once('?').expect("a query");
    let root = address.strip_suffix("/auth/callback").expect("the path");
    for (method, url, headers, expected) in [
        ("GET", format!("{root}/favicon.ico"), &[][..], 404),
        ("GET", format!("{root}/?{query}"), &[], 404),
        ("GET", format!("{root}/auth/callback/x?{query}"), &[], 404),
        ("GET", address.to_owned(), &[], 400),
        ("GET", format!("{address}?code=x&state=y"), &[], 400),
        ("GET", format!("{address}?code=x"), &[], 400),
        ("GET", format!("{address}?error=access_denied"), &[], 400),
        ("POST", callback.clone(), &[], 405),
        ("HEAD", callback.clone(), &[], 405),
        ("GET", callback.clone(), &[("Host", "evil.example")], 421),
        ("GET", callback.clone(), &[("Host", "127.0.0.1:1")], 421),
        ("GET", callback.clone(), &[("Host", "127.0.0.1.evil.example")], 421),
    ] {
        let answer = request(method, &url, headers);
        assert_eq!(status(&answer), expected, "{method} {url} {headers:?}: {answer}");
    }
    let mut garbage = TcpStream::connect(root.strip_prefix("http://").expect("http")).expect("connected");
    garbage.write_all(b"\x16\x03\x01 not http\r\n\r\n").expect("sent");
    let silent = TcpStream::connect(root.strip_prefix("http://").expect("http")).expect("connected");

    let page = get(&format!("{callback}&iss=https%3A%2F%2Fissuer&new=1"), &[]);
    assert!(status(&page) == 200 && page.contains("<h1>Signed in</h1>"), "{page}");
    for header in ["cache-control: no-store", "referrer-policy: no-referrer", "default-src 'none'"] {
        assert!(page.contains(header), "{header} in {page}");
    }
    assert!(!page.contains("http://") && !page.contains("https://"), "self-contained: {page}");
    let output = sign_in.finish().expect_code(0);
    assert!(output.stderr.contains("profile 'prod' is ready: oauth, account Acme"), "{}", output.stderr);
    assert!(TcpStream::connect(root.strip_prefix("http://").expect("http")).is_err(), "it is closed");
    drop((garbage, silent));
}

#[cfg(target_os = "linux")]
#[test]
fn however_many_connections_others_hold_open_there_is_one_left_for_the_exchange() {
    use std::os::unix::process::CommandExt;

    use nix::libc;

    let person = Person::new();
    let few = libc::rlimit { rlim_cur: 100, rlim_max: 100 };
    // SAFETY: it reads the value it is given.
    let limit = move || match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const few) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    };
    let mut command = person.command(&[&["-vv"], &CONFIGURE[..]].concat());
    // SAFETY: between fork and exec it makes one system call, which reads the value it is given.
    unsafe { command.pre_exec(limit) };
    let mut sign_in = SignIn::start(command);
    let address = sign_in.listens_at().split('/').nth(2).expect("an address").to_owned();
    let held: Vec<_> = (0..150).map(|_| TcpStream::connect(&address).expect("connected")).collect();
    let open = format!("/proc/{}/fd", sign_in.child.id());
    while fs::read_dir(&open).expect("it runs").count() < 64 {
        thread::yield_now();
    }
    sign_in.paste(&format!("{}\n", redirected(&sign_in.url)));
    sign_in.finish().expect_code(0);
    drop(held);
}

#[test]
fn a_hosted_page_finds_out_that_we_are_there_and_brings_the_answer() {
    let mut person = Person::new();
    person.online.set("ALCHEMY_OAUTH_REDIRECT_URI", ALCHEMY_RUN);
    person.online.set("ALCHEMY_OAUTH_CALLBACK", "http://127.0.0.1:0/auth/callback");
    let sign_in = person.start(&CONFIGURE);
    let hosted = redirected(&sign_in.url);
    let query = hosted.strip_prefix(ALCHEMY_RUN).expect("the hosted page first");
    let here = sign_in.listens_at().to_owned();
    let ping = here.replace("/callback", "/ping");
    for (method, expected) in [("OPTIONS", 204), ("GET", 200)] {
        let answer = request(method, &ping, &[("Origin", "https://alchemy.run")]);
        assert_eq!(status(&answer), expected, "{answer}");
        for header in [
            "access-control-allow-origin: https://alchemy.run\r\n",
            "access-control-allow-methods: GET, OPTIONS\r\n",
            "access-control-allow-private-network: true\r\n",
            "cache-control: no-store\r\n",
        ] {
            assert!(answer.contains(header), "{header} in {answer}");
        }
    }
    assert_eq!(status(&request("GET", &ping, &[("Host", "evil.example")])), 421);
    assert!(get(&format!("{here}{query}"), &[]).contains("Signed in"));
    sign_in.finish().expect_code(0);
}

#[test]
fn localhost_is_listened_to_on_both_address_families_and_nowhere_else() {
    let mut person = Person::new();
    person.online.set("ALCHEMY_OAUTH_REDIRECT_URI", "http://localhost:0/auth/callback");
    let sign_in = person.start(&CONFIGURE);
    let callback = redirected(&sign_in.url);
    let port = callback.split([':', '/']).nth(4).expect("a port").to_owned();
    for address in ["127.0.0.1", "[::1]"] {
        let url = callback.replace("localhost", address);
        assert_eq!(status(&get(&url.replace("state=", "state=x"), &[])), 400, "{url}");
    }
    let bound = |address: &str| TcpListener::bind(format!("{address}:{port}")).is_ok();
    assert!(bound("127.0.0.2"), "a socket on all addresses would be in the way of this");
    assert!(
        get(&callback.replace("localhost", "[::1]"), &[("Host", &format!("localhost:{port}"))])
            .contains("Signed in")
    );
    sign_in.finish().expect_code(0);
}

#[test]
fn a_port_in_use_leaves_pasting_and_opens_no_browser() {
    let mut person = Person::new();
    let other = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = format!("http://{}/auth/callback", other.local_addr().expect("an address"));
    person.online.set("ALCHEMY_OAUTH_REDIRECT_URI", &address);
    let mut sign_in = person.start(&CONFIGURE);
    assert!(
        sign_in.said.contains(&format!("cannot wait for the browser at {address} (address already in use)"))
    );
    let callback = redirected(&sign_in.url);
    sign_in.paste(&format!("{callback}\n"));
    sign_in.finish().expect_code(0);

    let opened = person.browser();
    let mut terminal = Terminal::start(person.command(&LOGIN));
    terminal.expect("paste the code");
    let url = address_in(&terminal.text());
    terminal.line(&redirected(&url));
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    assert!(!opened.exists(), "what else listens there would get the answer");

    // With nothing to paste from, nobody is kept waiting.
    let output = person.run(&LOGIN, "").expect_error(1, "no way is left for the answer");
    output.expect_hint("alchemy login -p prod");
}

#[test]
fn a_browser_is_opened_from_a_terminal_alone_and_at_the_address_that_is_shown() {
    let person = Person::with_prod();
    let opened = person.browser();
    person.sign_in(&LOGIN).expect_code(0);
    let mut terminal = Terminal::start(person.command(&[&LOGIN[..], &["--no-browser"]].concat()));
    terminal.expect("paste the code");
    terminal.press(CTRL_C);
    assert_eq!(terminal.finish().0, 130);
    assert!(!opened.exists(), "neither without a terminal nor when it is not wanted");

    let mut terminal = Terminal::start(person.command(&["-q", "login", "prod"]));
    terminal.expect("http://");
    // The browser, a script here, goes to the callback by itself.
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(fs::read_to_string(&opened).expect("opened").trim(), address_in(&shown), "also with -q");
}

impl Person {
    /// Makes `BROWSER` a script that writes down where it is sent, and goes there; the file.
    fn browser(&self) -> std::path::PathBuf {
        let (script, opened) = (self.home.path().join("browser"), self.home.path().join("opened"));
        let text = format!(
            "#!/bin/bash\necho \"$1\" > {opened}.new && mv {opened}.new {opened}\n\
             visit() {{ rest=${{1#http://}} host=${{rest%%/*}}; exec 3<>\"/dev/tcp/${{host%:*}}/${{host#*:}}\"\n\
             printf 'GET /%s HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n' \"${{rest#*/}}\" \"$host\" >&3; }}\n\
             visit \"$1\"; while read -r name value; do [[ $name != location: ]] || there=${{value%$'\\r'}}; done <&3\n\
             visit \"$there\"; cat <&3\n",
            opened = opened.display()
        );
        fs::write(&script, text).expect("written");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("executable");
        opened
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.online.command(arguments);
        let script = self.home.path().join("browser");
        command.env("BROWSER", if script.exists() { script } else { "/nonexistent".into() });
        command
    }
}

/// The address in what was shown.
fn address_in(shown: &str) -> String {
    shown.lines().find(|line| line.starts_with("http")).expect("an address").to_owned()
}

#[test]
fn a_script_that_gives_a_wrong_code_without_the_end_of_its_line_is_told_at_once() {
    let person = Person::new();
    let mut sign_in = person.start(&CONFIGURE);
    sign_in.paste("code#of-another");
    sign_in.finish().expect_error(1, "that is the answer to another sign-in");
}

#[test]
fn whoever_pipes_without_an_end_does_not_keep_the_browser_waiting() {
    let person = Person::new();
    let mut sign_in = person.start(&CONFIGURE);
    let mut stdin = sign_in.child.stdin.take().expect("a pipe");
    let piping = thread::spawn(move || while stdin.write_all(&[b'\n'; 4096]).is_ok() {});
    assert!(get(&redirected(&sign_in.url), &[]).contains("Signed in"));
    sign_in.finish().expect_code(0);
    piping.join().expect("an end");
}

// --- answers ---

#[test]
fn an_answer_that_is_none_says_so_in_the_browser_and_on_the_terminal() {
    let person = Person::with_prod();
    for (fault, words, hint) in [
        (Fault::Body(400, "{\"error\":\"invalid_grant\"}"), "invalid_grant", "alchemy login -p prod"),
        (Fault::Body(401, "{\"error\":\"invalid_client\"}"), "invalid_client", "alchemy login -p prod"),
        (Fault::Page(500), "status 500", "check the network"),
        (Fault::Challenge, "a web page answered", "may want a browser"),
        (Fault::Body(200, "{}"), "an answer without tokens in it", "check the network"),
        (Fault::Body(200, EMPTY), "an answer without tokens in it", "check the network"),
        (Fault::Body(200, BROKEN), "an answer without tokens in it", "check the network"),
        (Fault::Unread, "connection", "check the network"),
    ] {
        let (before, sign_in) = (person.home.snapshot(), person.start(&LOGIN));
        let callback = redirected(&sign_in.url);
        person.server.fault(fault).times(3);
        let page = get(&callback, &[]);
        assert!(page.contains("<h1>Not signed in</h1>") && page.contains(words), "{words} in {page}");
        let output = sign_in.finish().expect_error(1, words).expect_hint(hint);
        assert!(output.stderr.contains("cannot sign in at 127.0.0.1:"), "{}", output.stderr);
        assert!(person.home.snapshot() == before, "{words}");
        person.server.clear_faults();
    }
    // What passes by itself is not noticed.
    for fault in [Fault::Busy(503, None), Fault::Busy(429, Some(0))] {
        person.server.fault(fault).times(1);
        person.sign_in(&LOGIN).expect_code(0);
    }
}

#[test]
fn consent_that_is_denied_and_scopes_that_do_not_exist_are_told_apart() {
    let person = Person::with_prod();
    for (error, words, hint) in [
        ("access_denied", "consent was denied", "alchemy login -p prod"),
        ("invalid_scope", "may not ask for all of these scopes", "--no-offline-access"),
        ("server_error", "the authorization server refuses (server_error)", "try again"),
    ] {
        person.server.fault(Fault::Denied(error)).times(1);
        let before = person.home.snapshot();
        let sign_in = person.start(&LOGIN);
        assert!(get(&redirected(&sign_in.url), &[]).contains("Not signed in"));
        sign_in.finish().expect_error(1, words).expect_hint(hint);
        assert!(person.home.snapshot() == before);
    }
}

#[test]
fn an_answer_without_a_refresh_token_is_no_session() {
    let person = Person::with_prod();
    person.server.set_change(|answer| {
        answer.as_object_mut().expect("an object").remove("refresh_token");
    });
    let before = person.home.snapshot();
    let sign_in = person.start(&LOGIN);
    let page = get(&redirected(&sign_in.url), &[]);
    assert!(page.contains("<h1>Not signed in</h1>") && page.contains("no refresh token"), "{page}");
    sign_in.finish().expect_error(1, "the answer holds no refresh token").expect_hint("offline_access");
    assert!(person.home.snapshot() == before);
}

#[test]
fn fewer_scopes_are_named_and_replace_more_only_when_that_is_wanted() {
    let person = Person::new();
    person.server.set_change(|answer| answer["scope"] = "a".into());
    let said = person.sign_in(&CONFIGURE).expect_code(0).stderr;
    assert!(said.contains("not granted, of what was asked for: b\n"), "{said}");
    let entry = person.entry("prod");
    assert_eq!((&entry["scopes"], &entry["oauth"]["requestedScopes"]), (&json!(["a"]), &json!(["a", "b"])));
    person.server.set_change(|answer| answer["scope"] = "b a offline_access extra".into());
    let said = person.sign_in(&LOGIN).expect_code(0).stderr;
    assert!(!said.contains("not granted"), "{said}");
    assert_eq!(person.entry("prod")["scopes"], json!(["b", "a", "extra"]), "asked for again, and granted");

    person.server.set_change(|answer| answer["scope"] = "a".into());
    person.fails(&LOGIN, 2, "cannot ask for a yes or a no").expect_hint("--yes");
    person.sign_in(&[&LOGIN[..], &["--yes"]].concat()).expect_code(0);
    assert_eq!(person.entry("prod")["scopes"], json!(["a"]));
}

#[test]
fn ctrl_c_while_waiting_leaves_everything_as_it_was_and_the_port_free() {
    let person = Person::with_prod();
    let before = person.home.snapshot();
    let mut terminal = Terminal::start(person.command(&["-v", "login", "prod"]));
    terminal.expect("paste the code");
    let shown = terminal.text();
    let address = shown.lines().find(|line| line.contains("waiting for the browser at")).expect("said");
    let address =
        address.split_whitespace().last().and_then(|url| url.split('/').nth(2)).expect("an address");
    assert!(TcpStream::connect(address).is_ok());
    terminal.press(CTRL_C);
    assert_eq!(terminal.finish().0, 130);
    assert!(TcpListener::bind(address).is_ok());
    assert!(person.home.snapshot() == before);
}

// --- accounts ---

#[test]
fn the_account_is_found_on_any_page_and_same_names_are_told_apart_by_id() {
    let person = Person::with(Online::without_accounts());
    person.fails(&CONFIGURE[..5], 1, "the session sees no account").expect_hint("memberships.read");
    for number in 0..60 {
        person.cf.account(&format!("{number:032x}"), &format!("Account {number}"));
    }
    person.cf.account(ACME, "Acme");
    let by_name = ["configure", "-p", "prod", "--method", "oauth", "--account", "Acme"];
    person.sign_in(&by_name).expect_code(0);
    assert_eq!(person.entry("prod")["metadata"], json!({ "id": ACME, "name": "Acme" }));
    assert_eq!(person.asked().last().map(String::as_str), Some("/memberships"), "they tell all");

    person.cf.account(BETA, "Acme");
    let again = [&by_name[..], &["--yes"]].concat();
    person.fails(&again, 1, "2 accounts are named 'Acme'").expect_hint(BETA);
    person.fails(&[&by_name[..6], &["Nobody", "--yes"]].concat(), 1, "no account named 'Nobody'");
    person.fails(
        &[&by_name[..6], &["f".repeat(32).as_str(), "--yes"]].concat(),
        1,
        "does not see account ffff",
    );
    person.sign_in(&[&by_name[..6], &[BETA, "--yes"]].concat()).expect_code(0);
    assert_eq!(person.entry("prod")["metadata"]["id"], BETA);
}

#[test]
fn a_session_that_may_not_list_accounts_takes_the_one_that_is_named() {
    let person = Person::new();
    for permission in [Permission::MembershipsRead, Permission::AccountsRead] {
        person.cf.grants_lack(permission);
    }
    person.fails(&CONFIGURE[..5], 1, "the session sees no account").expect_hint("--account ID");
    person.sign_in(&CONFIGURE).expect_code(0);
    person.sign_in(&LOGIN).expect_code(0);
}

#[test]
fn a_new_session_that_does_not_see_the_pinned_account_replaces_nothing() {
    let person = Person::with_prod();
    let refresh = person.refresh_token();
    person.cf.grants_see(&[BETA]);
    person.fails(&LOGIN, 1, "the new session does not see account Acme").expect_hint("it sees Beta");
    assert_eq!((person.refresh_token(), person.server.state_of(&refresh)), (refresh.clone(), State::Live));
}

// --- on a terminal ---

#[test]
fn a_profile_that_does_not_exist_is_made_with_scopes_that_one_chooses_by_group() {
    let mut person = Person::new();
    person.run(&LOGIN, "").expect_error(1, "there is no profile 'prod'").expect_hint("--method oauth");
    person.online.unset("ALCHEMY_OAUTH_CLIENT_ID");
    let mut terminal = Terminal::start(person.command(&["login", "prod", "--no-browser"]));
    terminal.expect("making it");
    terminal.expect("basic: the 30 that most projects need");
    terminal.press(&format!("{DOWN}{DOWN}{ENTER}"));
    terminal.expect("groups to choose from");
    terminal.press("media");
    terminal.expect("Media (8)");
    terminal.press(&format!(" {ENTER}"));
    terminal.expect("scopes (type to search)");
    terminal.expect("Media: calls.read");
    terminal.press("stream.write");
    terminal.expect("Media: stream.write");
    terminal.press(&format!(" {ENTER}"));
    terminal.expect("1 scope)");
    terminal.expect("paste the code");
    let url = address_in(&terminal.text());
    assert!(url.contains("scope=stream.write+offline_access"), "{url}");
    terminal.line(&redirected(&url));
    terminal.expect("account:");
    terminal.line("bet");
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(person.entry("prod")["metadata"]["id"], BETA);
    assert_eq!(person.entry("prod")["scopes"], json!(["stream.write"]));
}

#[test]
fn a_command_that_finds_its_session_over_offers_to_sign_in_and_goes_on() {
    let person = Person::with_prod();
    let exec = ["exec", "prod", "--", "sh", "-c", "echo it ran with ${CLOUDFLARE_API_TOKEN:+a token}"];
    for answer in ["n", "y"] {
        person.server.end(&person.refresh_token());
        person.expire();
        let mut terminal = Terminal::start(person.command(&exec));
        terminal.expect("is over");
        terminal.expect("sign in now?");
        terminal.line(answer);
        if answer == "n" {
            terminal.expect("cancelled");
            terminal.expect("hint: sign in again: alchemy login -p prod");
            assert_eq!(terminal.finish().0, 125);
            continue;
        }
        terminal.expect("paste the code");
        terminal.line(&redirected(&address_in(&terminal.text())));
        terminal.expect("it ran with a token");
        assert_eq!(terminal.finish().0, 0);
    }
    // A program that asks for a credential, and a script, get the error at once.
    person.server.end(&person.refresh_token());
    person.expire();
    for arguments in [&exec[..3], &["credential-process", "prod"], &["env", "prod"]] {
        let code = if arguments[0] == "exec" { 125 } else { 1 };
        person
            .run(&[arguments, if code == 125 { &["true"] } else { &[] }].concat(), "")
            .expect_error(code, "is over")
            .expect_hint("alchemy login -p prod");
    }
    let mut terminal = Terminal::start(person.command(&["credential-process", "prod"]));
    terminal.expect("hint: sign in again");
    assert_eq!(terminal.finish().0, 1, "npm and aws do not wait for a person");
}

#[test]
fn what_is_piped_to_a_command_is_left_for_it_when_its_session_must_be_signed_in_to_first() {
    let person = Person::with_prod();
    person.server.end(&person.refresh_token());
    person.expire();
    let piped = Redirected { stdin: Some(Stdio::piped()), ..Redirected::default() };
    let mut terminal = Terminal::start_redirected(person.command(&["exec", "prod", "--", "cat"]), piped);
    terminal.pipe("for cat alone\n");
    terminal.expect("sign in now?");
    terminal.line("y");
    terminal.expect("paste the code");
    terminal.line(&redirected(&address_in(&terminal.text())));
    terminal.expect("for cat alone");
    assert_eq!(terminal.finish().0, 0);
}

impl Person {
    /// Makes the access token of `prod` be over, as far as is known here.
    fn expire(&self) {
        let path = "credentials/prod/native.json";
        let mut grant: Value = serde_json::from_str(&self.home.read(path)).expect("JSON");
        grant["expires"] = 0.into();
        self.home.write_private(path, &grant.to_string());
    }
}

// --- what is kept, and for what else ---

#[test]
fn a_store_that_could_not_keep_the_session_is_told_before_anybody_has_to_sign_in() {
    let person = Person::with_prod();
    let new = [&["configure", "-p", "new"], &CONFIGURE[3..]].concat();
    for arguments in [&LOGIN[..], &CONFIGURE, &new] {
        let output =
            run(with_full_disk(&mut person.command(arguments), true)).expect_error(1, "cannot write");
        assert!(!output.stderr.contains("sign in at this address"), "{}", output.stderr);
    }
    let config = person.home.read("config.json");
    let in_keyring = config.replacen("\"method\"", "\"credentialStore\": \"keyring\", \"method\"", 1);
    person.home.write("config.json", &in_keyring);
    for arguments in [&LOGIN[..], &CONFIGURE] {
        let output = person.run(arguments, "").expect_error(1, "no keyring").expect_hint("--store file");
        assert!(!output.stderr.contains("sign in at this address"), "{}", output.stderr);
    }
    assert_eq!(person.home.read("config.json"), in_keyring);
    person.home.write("config.json", &config);
    person.sign_in(&LOGIN).expect_code(0);
}

#[test]
fn what_a_grant_was_issued_with_is_kept_and_used_without_the_variables() {
    let mut person = Person::with_prod();
    let entry = person.entry("prod");
    let expected = json!({
        "clientId": OWN, "authUrl": person.server.auth_url(), "tokenUrl": person.server.token_url(),
        "revokeUrl": person.server.revoke_url(), "redirectUri": "http://127.0.0.1:0/auth/callback",
    });
    assert_eq!(entry["oauth"], expected);
    for variable in ["CLIENT_ID", "REDIRECT_URI", "AUTH_URL", "TOKEN_URL", "REVOKE_URL"] {
        person.online.unset(&format!("ALCHEMY_OAUTH_{variable}"));
    }
    let before = person.refresh_token();
    let refreshed = person.run(&["profile", "refresh", "prod", "--json"], "").expect_code(0).stdout;
    assert!(refreshed.contains("\"profile\": \"prod\""), "{refreshed}");
    assert_eq!(person.server.state_of(&before), State::Spent);
    person.sign_in(&LOGIN).expect_code(0);
    person.server.fault(Fault::Page(500));
    person.run(&["profile", "refresh", "prod"], "").expect_error(1, "has got no new access token");
    person.server.clear_faults();
    let kept = person.refresh_token();
    person.run(&["logout", "-p", "prod"], "").expect_code(0);
    assert_eq!(person.server.state_of(&kept), State::Dead);
    person.sign_in(&LOGIN).expect_code(0);
}

#[test]
fn an_api_that_is_a_tests_does_not_take_the_place_of_the_profiles_own() {
    let person = Person::with_prod();
    assert!(person.entry("prod")["baseUrl"].is_null());
    let own = "\"baseUrl\": \"https://api.example.com/client/v4\", \"method\"";
    person.home.write("config.json", &person.home.read("config.json").replacen("\"method\"", own, 1));
    person.sign_in(&LOGIN).expect_code(0);
    assert_eq!(person.entry("prod")["baseUrl"], "https://api.example.com/client/v4");
}

#[test]
fn what_others_do_to_the_profile_while_somebody_signs_in_stays_done() {
    let person = Person::with_prod();
    let meanwhile = |arguments: &[&str], input: &str| {
        let sign_in = person.start(&LOGIN);
        let callback = redirected(&sign_in.url);
        person.run(arguments, input).expect_code(0);
        let changed = person.home.snapshot();
        get(&callback, &[]);
        (sign_in.finish(), changed)
    };
    let set = ["profile", "set", "prod", "--account", BETA, "--also", "CF_API_TOKEN", "--no-verify"];
    meanwhile(&set, "").0.expect_code(0);
    let entry = person.entry("prod");
    assert_eq!((&entry["metadata"]["id"], &entry["also"]), (&json!(BETA), &json!(["CF_API_TOKEN"])));

    for (arguments, input, words) in [
        (&["profile", "rename", "prod", "other"][..], "", "was deleted or renamed while you signed in"),
        (&["profile", "delete", "prod", "--yes"], "", "was deleted or renamed while you signed in"),
        (
            &["configure", "-p", "prod", "--yes", "--token-stdin", "--no-verify", "--account", ACME],
            "tok-hunter2",
            "was changed while you signed in",
        ),
    ] {
        if person.entry("prod").is_null() {
            person.sign_in(&CONFIGURE).expect_code(0);
        }
        let (output, changed) = meanwhile(arguments, input);
        output.expect_error(1, words).expect_hint("alchemy list");
        assert!(person.home.snapshot() == changed, "{arguments:?}");
    }
}

#[test]
fn flags_do_what_the_variables_do_and_go_before_them() {
    let mut person = Person::new();
    let (auth, token) = (person.server.auth_url(), person.server.token_url());
    for variable in ["AUTH_URL", "TOKEN_URL", "REVOKE_URL"] {
        person.online.set(&format!("ALCHEMY_OAUTH_{variable}"), "https://elsewhere.example/x");
    }
    let revoke = person.server.revoke_url();
    let flags = ["--client-id", "mine", "--auth-url", &auth, "--token-url", &token, "--revoke-url", &revoke];
    let flags = [&CONFIGURE[..], &flags, &["--no-offline-access"]].concat();
    let sign_in = person.start(&flags);
    assert!(
        sign_in.url.contains("client_id=mine") && !sign_in.url.contains("offline_access"),
        "{}",
        sign_in.url
    );
    get(&redirected(&sign_in.url), &[]);
    sign_in.finish().expect_code(0);
    assert_eq!(person.entry("prod")["oauth"]["offlineAccess"], false);
    for (flag, url) in [
        ("--token-url", "http://example.com/token"),
        ("--auth-url", "ftp://127.0.0.1/"),
        ("--callback", "https://127.0.0.1/callback"),
        ("--callback", "http://0.0.0.0:1/callback"),
        ("--client-id", ""),
        ("--client-id", "two words"),
    ] {
        person.run(&[&LOGIN[..], &[flag, url]].concat(), "").expect_error(2, "alchemy: ");
    }
    let mixed = ["configure", "-p", "new", "--token-stdin", "--no-offline-access"];
    person.run(&mixed, "tok-hunter2").expect_error(2, "scopes and clients belong to oauth");
    person.run(&["login", "-p", "prod", "--client", "wrangler"], "").expect_error(2, "--client");
}

#[test]
fn a_grant_of_npms_client_is_kept_as_npm_keeps_it() {
    let mut person = Person::new();
    person.online.unset("ALCHEMY_OAUTH_CLIENT_ID");
    let scopes = ["--client", "alchemy-v1", "--scopes", "account:read,workers:write"];
    person.sign_in(&[&CONFIGURE[..8], &scopes].concat()).expect_code(0);
    let document: Value =
        serde_json::from_str(&person.home.read("credentials/prod/cloudflare.json")).expect("JSON");
    let fields: Vec<&String> = document.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["type", "access", "refresh", "expires", "scopes"]);
    assert!(person.entry("prod")["oauth"]["clientId"].is_null());
    let codes = person.server.requests();
    assert!(codes.iter().any(|asked| asked.form.get("client_id").is_some_and(|id| id == V1)));

    // Npm keeps what is no scope with the scopes; it is asked for once, and not missed.
    let config =
        person.home.read("config.json").replace("\"workers:write\"", "\"workers:write\", \"offline_access\"");
    person.home.write("config.json", &config);
    person.server.set_change(|answer| answer["scope"] = "account:read workers:write".into());
    let sign_in = person.start(&LOGIN);
    assert_eq!(sign_in.url.matches("offline_access").count(), 1, "{}", sign_in.url);
    get(&redirected(&sign_in.url), &[]);
    let said = sign_in.finish().expect_code(0).stderr;
    assert!(!said.contains("not granted"), "{said}");
    person
        .run(&["login", "-p", "prod", "--scopes", "workers-scripts.write"], "")
        .expect_error(2, "knows no scope 'workers-scripts.write'")
        .expect_hint("workers_scripts:write");
}

#[test]
fn a_profile_of_npms_version_2_is_signed_in_to_where_it_is() {
    let mut person = Person::new();
    person.online.unset("ALCHEMY_OAUTH_CLIENT_ID");
    let document = |access: &str| {
        json!({
            "format": "alchemy.profile/v1", "provider": "Cloudflare", "metadata": { "kept": true },
            "values": {
                "method": "oauth", "scopes": ["d1.write"], "accountId": ACME, "access": access,
                "clientId": "e7e25ec474419def6ba38d2d2638b122", "refresh": "rt-hunter2", "expires": 1
            }
        })
    };
    person.home.write_private("profiles/work/cloudflare.json", &document("at-hunter2").to_string());
    person.sign_in(&["login", "-p", "work"]).expect_code(0);
    let kept: Value = serde_json::from_str(&person.home.read("profiles/work/cloudflare.json")).expect("JSON");
    assert_ne!(kept["values"]["access"], "at-hunter2");
    let mut expected = document("");
    for field in ["access", "refresh", "expires"] {
        expected["values"][field] = kept["values"][field].clone();
    }
    assert_eq!(kept, expected, "nothing else has changed");
    assert!(!person.home.alchemy("config.json").exists(), "and nothing is written elsewhere");
    person
        .run(&["login", "-p", "work", "--client-id", "mine"], "")
        .expect_error(1, "knows no client but its own");
}

#[test]
fn a_profile_can_go_from_a_token_to_signing_in_and_back() {
    let person = Person::new();
    person.token_profile("prod");
    person.run(&LOGIN, "").expect_error(1, "does not sign in").expect_hint("--method oauth");
    person.sign_in(&CONFIGURE).expect_code(0);
    assert!(!person.home.alchemy("credentials/prod/cloudflare.json").exists());
    person.done(&["configure", "-p", "prod", "--token-stdin", "--account", ACME, "--yes"], "tok-hunter2");
    assert!(!person.home.alchemy("credentials/prod/native.json").exists());
    assert!(person.entry("prod")["oauth"].is_null() && person.entry("prod")["scopes"].is_null());
}

#[test]
fn the_scopes_that_can_be_asked_for_are_listed() {
    let person = Person::new();
    let listed =
        person.run(&["configure", "--list-scopes", "--client", "alchemy-v1"], "").expect_code(0).stdout;
    assert_eq!(listed.lines().count(), 71, "{listed}");
    assert!(listed.lines().any(|line| line.starts_with("workers_scripts:write") && line.contains("basic")));
    let listed = person.run(&["configure", "--list-scopes"], "").expect_code(0).stdout;
    assert_eq!(listed.lines().count(), 371);
}
