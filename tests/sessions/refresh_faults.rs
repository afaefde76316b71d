//! A refresh that goes wrong: each failure is one line with the next step, says what it is, tries again
//! only where that cannot end the grant, and leaves the old credential in its place. While the old token
//! lives, the command runs.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};
use support::authorization::{Fault, Moment, State};
use support::run;
use support::signed_in::{OWN, SCOPES, SignedIn, V1, file, in_seconds};

const INVALID_GRANT: Fault =
    Fault::Body(400, r#"{"error":"invalid_grant","error_description":"no\u001b[31m"}"#);
const NETWORK: &str = "check the network, and HTTPS_PROXY where a proxy is needed, and try again";
const BROWSER: &str = "try without vpn, WARP or proxy, or from another network";
const LOGIN: &str = "sign in again: alchemy login -p prod";

/// What a server does again and again, how many requests it gets, what is said of it, and the hint.
fn faults() -> Vec<(Fault, usize, &'static str, &'static str)> {
    let page = "a web page answered (a bot challenge, a proxy or a hotel's login)";
    vec![
        // Nobody can have received it, or nobody has looked at it.
        (Fault::Busy(429, None), 3, "status 429", "try again in a few minutes"),
        (Fault::Busy(503, Some(0)), 3, "status 503", "try again in a few minutes"),
        (Fault::Busy(503, Some(120)), 1, "status 503", "try again in 120 s"),
        // It may have been received.
        (Fault::Unread, 0, "connection", NETWORK),
        (Fault::Page(500), 2, "status 500", NETWORK),
        (Fault::Page(502), 2, "status 502", NETWORK),
        (Fault::Body(200, "upstream said: {not json"), 2, "an answer without tokens in it", NETWORK),
        (Fault::Body(200, r#"{"access_token":7}"#), 2, "an answer without tokens in it", NETWORK),
        (Fault::Body(200, ""), 2, "an answer without tokens in it", NETWORK),
        // Something else answered.
        (Fault::Challenge, 1, page, BROWSER),
        (Fault::Page(200), 1, page, BROWSER),
        (Fault::Page(400), 1, page, BROWSER),
        (Fault::Body(403, "{}"), 1, "status 403", BROWSER),
        (Fault::Redirect("https://evil.example/".to_owned()), 1, "status 302, a redirect", BROWSER),
        // The server knows the grant no more.
        (INVALID_GRANT, 1, "refuses it (invalid_grant: no\\u{1b}[31m)", LOGIN),
        (Fault::Body(401, r#"{"error":"invalid_client"}"#), 1, "refuses it (invalid_client)", LOGIN),
        (Fault::Body(400, ""), 1, "refuses it (it refuses, without saying why)", LOGIN),
        // Some servers call every answer a web page.
        (Fault::CalledPage(400, ""), 1, "refuses it (it refuses, without saying why)", LOGIN),
        (Fault::CalledPage(401, ""), 1, "refuses it (it refuses, without saying why)", LOGIN),
        (Fault::CalledPage(400, r#"{"error":"invalid_grant"}"#), 1, "refuses it (invalid_grant)", LOGIN),
    ]
}

/// Nobody would write into the one, and the other has no end: the lock is held meanwhile.
#[test]
fn certificates_are_read_from_regular_files_of_a_bounded_size() {
    let signed_in = SignedIn::prod(-60);
    let at = |name: &str| signed_in.home.path().join(name);
    mkfifo(&at("fifo"), Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
    symlink("/dev/zero", at("zero")).expect("a link");
    fs::File::create(at("large")).and_then(|file| file.set_len(1 << 40)).expect("a large file");
    for (name, why) in [
        ("fifo", "is no regular file"),
        ("zero", "is no regular file"),
        ("large", "is larger than 16384 KiB"),
    ] {
        for variable in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
            let mut command = signed_in.command(&["token", "prod"]);
            let words = format!("{variable} names {:?}, which {why}", at(name));
            run(command.env(variable, at(name))).expect_error(1, &words).expect_hint(variable);
        }
    }
    let mut command = signed_in.command(&["token", "prod"]);
    run(command.env("SSL_CERT_DIR", signed_in.home.path())).expect_error(1, "which holds no ca certificate");
    assert_eq!(signed_in.server.refreshes(), 0);
    signed_in.run(&["token", "prod"]).expect_code(0);
    assert_eq!(signed_in.server.refreshes(), 1);
}

/// Does something for each fault at the same time: most of them wait for somebody.
fn with_each(check: impl Fn(Fault, usize, &str, &str) + Sync) {
    let check = &check;
    thread::scope(|scope| {
        for (fault, requests, words, hint) in faults() {
            scope.spawn(move || check(fault, requests, words, hint));
        }
    });
}

#[test]
fn each_failure_says_what_it_is_and_what_to_do_and_changes_nothing() {
    with_each(|fault, requests, words, hint| {
        let online = SignedIn::prod(0);
        let before = online.home.snapshot();
        online.server.fault(fault.clone());
        let error = online.run(&["exec", "prod", "--", "true"]).expect_only_error(125, words);
        let line = error.expect_hint(hint).stderr;
        let begins = if hint == LOGIN {
            "alchemy: the session of profile 'prod' is over: 127.0.0.1:"
        } else {
            "alchemy: cannot refresh the session of profile 'prod' at 127.0.0.1:"
        };
        assert!(line.starts_with(begins), "{line}");
        assert_eq!(online.server.refreshes(), requests, "{fault:?}");
        online.run(&["-vv", "exec", "prod", "--", "true"]).expect_error(125, words);
        assert!(online.home.snapshot() == before, "nothing is changed by {fault:?}");
        // And nothing is lost.
        online.server.clear_faults();
        let token = online.token("prod");
        assert_eq!(online.pair().access, token, "{fault:?}");
        assert_eq!(online.server.state_of(&online.pair().refresh), State::Live);
    });
}

#[test]
fn while_the_old_token_lives_the_command_runs_and_the_failure_is_said() {
    with_each(|fault, requests, words, hint| {
        let online = SignedIn::prod(50);
        online.server.fault(fault.clone());
        let output = online.run(&["exec", "prod", "--", "sh", "-c", "echo $CLOUDFLARE_API_TOKEN"]);
        if hint == LOGIN {
            // Who has ended a grant has ended its tokens.
            output.expect_only_error(125, words);
            return;
        }
        let output = output.expect_code(0);
        assert_eq!(output.stdout.trim_end(), online.pair().access);
        let one_line = output.stderr.lines().count() == 1 && output.stderr.contains(words);
        assert!(
            one_line && output.stderr.contains("; the token of 'prod' is used, for "),
            "{}",
            output.stderr
        );
        assert_eq!(online.server.refreshes(), requests, "{fault:?}");
    });
}

#[test]
fn a_failure_that_passes_is_not_noticed() {
    thread::scope(|scope| {
        for fault in [
            Fault::Busy(429, Some(1)),
            Fault::Busy(503, None),
            Fault::Unread,
            Fault::Page(502),
            Fault::Body(200, "{}"),
        ] {
            scope.spawn(move || {
                let online = SignedIn::prod(0);
                online.server.fault(fault.clone()).times(1);
                assert_eq!(online.token("prod"), online.pair().access, "{fault:?}");
                assert_eq!(online.server.rotations(), 1);
            });
        }
    });
    let online = SignedIn::prod(0);
    online.server.fault(Fault::Slow(Duration::from_millis(2)));
    assert_eq!((online.token("prod"), online.server.refreshes()), (online.pair().access, 1));
}

#[test]
fn an_answer_that_is_lost_after_the_token_was_spent_ends_the_grant_and_is_named() {
    const NO_ANSWER: &str = "Z got no answer";
    for fault in [Fault::Lost, Fault::Truncated] {
        let online = SignedIn::prod(0);
        online.server.fault(fault.clone()).times(1);
        // Whether it was spent is only known by asking again: a server may not replace it, or bear with us.
        online.run(&["token", "prod"]).expect_only_error(1, NO_ANSWER).expect_hint(LOGIN);
        assert_eq!(online.server.refreshes(), 2, "{fault:?}");

        let online = SignedIn::prod(0);
        online.server.fault(fault.clone()).times(1);
        online.server.fault(Fault::Page(502)).times(1);
        online.run(&["token", "prod"]).expect_only_error(1, "status 502").expect_hint(NETWORK);
        online.run(&["token", "prod"]).expect_only_error(1, NO_ANSWER).expect_hint(LOGIN);

        let online = SignedIn::prod(0);
        online.server.set_rotation(false);
        online.server.fault(fault).times(1);
        assert_eq!((online.token("prod"), online.server.refreshes()), (online.pair().access, 2));
    }
}

#[test]
fn who_finds_that_another_program_has_refreshed_meanwhile_uses_what_that_has_got() {
    for (client, fault) in [(OWN, None), (V1, None), (OWN, Some(Fault::Page(502)))] {
        let online = SignedIn::new();
        let old = online.profile("prod", client, 0);
        let new = online.server.issue(client, &SCOPES);
        let path = online.home.alchemy(&file("prod", client));
        let mut document = online.kept("prod", client);
        (document["access"], document["refresh"]) = (new.access.as_str().into(), new.refresh.into());
        document["expires"] = in_seconds(3600).into();
        match fault {
            None => online.server.end(&old.refresh),
            Some(fault) => drop(online.server.fault(fault)),
        }
        online.server.set_hook(move |moment| {
            if moment == Moment::Received {
                fs::write(&path, document.to_string()).expect("written");
            }
        });
        assert_eq!((online.token("prod"), online.server.refreshes()), (new.access, 1));
    }
}

#[test]
fn a_grant_without_a_refresh_token_says_so_when_it_has_run_out() {
    for refresh in [Value::Null, json!("")] {
        let online = SignedIn::prod(50);
        let mut document = online.kept("prod", OWN);
        document["refresh"] = refresh;
        online.home.write(&file("prod", OWN), &document.to_string());
        online
            .run(&["token", "prod"])
            .expect_only_error(1, "the session of profile 'prod' is over: it has no refresh token")
            .expect_hint(LOGIN);
        assert!(online.server.requests().is_empty());
    }
}

// --- no network ---

/// Sends the refreshes of `prod` to another place.
fn ask_at(online: &SignedIn, url: &str) {
    let mut config: Value = serde_json::from_str(&online.home.read("config.json")).expect("JSON");
    config["profiles"]["prod"]["cloudflare"]["oauth"]["tokenUrl"] = url.into();
    online.home.write("config.json", &config.to_string());
}

#[test]
fn without_a_network_a_living_token_is_used_and_a_dead_one_names_the_cause() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}/token", listener.local_addr().expect("an address"))
    };
    let table = [
        (nobody.as_str(), "connection refused"),
        ("https://nonexistent.invalid/token", "at nonexistent.invalid: "),
    ];
    thread::scope(|scope| {
        for (url, words) in table {
            scope.spawn(move || {
                let online = SignedIn::prod(30);
                ask_at(&online, url);
                let output = online.run(&["exec", "prod", "--", "sh", "-c", "echo it runs"]).expect_code(0);
                assert_eq!(output.stdout, "it runs\n");
                let said = output.stderr;
                assert!(said.contains(words) && said.lines().count() == 1, "{said}");
                assert!(said.contains("; the token of 'prod' is used, for 2"), "{said}");
                online.keep("prod", OWN, &online.pair(), in_seconds(0));
                online
                    .run(&["exec", "prod", "--", "true"])
                    .expect_only_error(125, words)
                    .expect_hint(NETWORK);
            });
        }
    });
}
