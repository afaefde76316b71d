//! What can go wrong when somebody signs in: strays at the callback, ports in use, answers that lack
//! something, second thoughts. At doubles of the authorization server and the API; a real server and a real
//! browser are in `sign_in.rs`.
//!
//! Whatever fails: the old session is still there, and the new one is revoked.

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::json;
use support::authorization::Fault;
use support::person::{CONFIGURE, LOGIN, Person, SignIn, address_in, get, redirected, request, status};
use support::pty::{CTRL_C, Terminal};

/// Answers whose tokens could be neither sent nor kept.
const EMPTY: &str = r#"{"access_token":"","refresh_token":"rt-hunter2","expires_in":3600}"#;
const BROKEN: &str = r#"{"access_token":"at-hunter2\nX: y","refresh_token":"rt-hunter2","expires_in":3600}"#;
const ALCHEMY_RUN: &str = "https://alchemy.run/auth/callback";

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
    // Its files are nobody else's to list. Of a connection that it has not accepted yet, the system knows no inode.
    let port: u16 = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let here = format!("0100007F:{port:04X}");
    let is_accepted = |line: &&str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(1) == Some(&here.as_str()) && words.get(3) == Some(&"01") && words.get(9) != Some(&"0")
    };
    let accepted = || {
        let all = fs::read_to_string("/proc/net/tcp").expect("read");
        all.lines().filter(is_accepted).count()
    };
    while accepted() < 50 {
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
