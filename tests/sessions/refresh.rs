//! The refresh rule: a token with enough life is used as it is; one with too little is exchanged once,
//! however many ask, and what comes of it is kept before anyone uses it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use support::authorization::{Fault, Moment, Pair, State};
use support::keyring::Keyring;
use support::signed_in::{OWN, SCOPES, SignedIn, TOKEN_URL, V1, V2, in_seconds, pair_of};
use support::{Output, run};

/// The refreshed `prod` is kept, and the server knows it as the one that works.
#[track_caller]
fn expect_kept(online: &SignedIn, token: &str) {
    let pair = online.pair();
    assert_eq!(pair.access, token);
    assert_eq!(online.server.state_of(&pair.refresh), State::Live);
}

#[test]
fn a_token_with_enough_life_is_used_without_a_request_or_a_lock() {
    let online = SignedIn::prod(3600);
    let before = online.home.snapshot();
    assert_eq!(online.token("prod"), online.pair().access);
    assert_eq!(online.run(&["exec", "prod", "--", "true"]).expect_code(0).stderr, "");
    assert!(online.server.requests().is_empty() && online.home.snapshot() == before);
    assert!(!online.home.alchemy("lock").exists());
}

#[test]
fn a_token_with_too_little_life_is_exchanged_by_every_command_that_needs_it() {
    for arguments in [
        &["exec", "prod", "--", "true"][..],
        &["env", "prod", "--format", "json"],
        &["token", "prod"],
        &["credential-process", "prod"],
    ] {
        let online = SignedIn::prod(30);
        let old = online.pair();
        assert_eq!(online.run(arguments).expect_code(0).stderr, "", "{arguments:?}");
        assert_eq!(online.server.state_of(&old.refresh), State::Spent);
        let token = online.token("prod");
        expect_kept(&online, &token);
        assert_eq!(online.server.refreshes(), 1, "{arguments:?}");
    }
}

#[test]
fn the_life_that_must_be_left_is_given_by_option_or_variable() {
    let table = [
        (&[][..], "", false),
        (&[], "90", false),
        (&[], "90s", false),
        (&[], "15m", true),
        (&[], "1h", true),
        (&["--min-ttl", "15m"], "", true),
        (&["--min-ttl", "1m30s"], "15m", false),
        (&["--min-ttl", "0"], "15m", false),
        (&["--min-ttl", "601"], "0", true),
    ];
    for (options, variable, refreshed) in table {
        let mut online = SignedIn::prod(600);
        online.set("ALCHEMY_MIN_TTL", variable);
        online.run(&[&["exec", "-p", "prod"], options, &["--", "true"]].concat()).expect_code(0);
        assert_eq!(online.server.refreshes(), usize::from(refreshed), "{options:?} {variable:?}");
    }
    for (options, variable) in [(&[][..], "soon"), (&[], "-90"), (&["--min-ttl", "5 apples"], "")] {
        let mut online = SignedIn::prod(600);
        online.set("ALCHEMY_MIN_TTL", variable);
        let arguments = [&["exec", "-p", "prod"], options, &["--", "true"]].concat();
        online.run(&arguments).expect_only_error(125, "it is no length of time, such as 90, 90s or 15m");
    }
}

#[test]
fn a_request_holds_what_its_client_sends_and_nothing_more() {
    let online = SignedIn::new();
    let own = online.profile("own", OWN, 0);
    let v1 = online.profile("v1", V1, 0);
    online.token("own");
    online.token("v1");
    let [own_asked, v1_asked] = &online.server.requests()[..] else { panic!("two requests") };
    let form = |client: &str, pair: &Pair| json!({ "grant_type": "refresh_token", "client_id": client, "refresh_token": pair.refresh });
    assert_eq!(json!(own_asked.form), form(OWN, &own));
    let mut expected = form(V1, &v1);
    expected["redirect_uri"] = "http://localhost:9976/auth/callback".into();
    assert_eq!(json!(v1_asked.form), expected);
}

#[test]
fn the_new_grant_is_kept_as_its_client_keeps_it() {
    for client in [OWN, V1] {
        let online = SignedIn::prod_of(client, 0);
        online.server.set_change(|answer| answer["scope"] = "workers:write dns:read".into());
        let before = in_seconds(3600);
        let token = online.token("prod");
        let kept = online.kept("prod", client);
        let Pair { access, refresh } = pair_of(&kept);
        assert_eq!(access, token);
        let expires = kept["expires"].as_i64().expect("a number");
        assert!((before..=in_seconds(3600)).contains(&expires));
        let mut expected = json!({ "type": "oauth", "access": access, "refresh": refresh,
            "expires": expires, "scopes": ["workers:write", "dns:read"] });
        if client == OWN {
            expected["clientId"] = OWN.into();
        }
        assert_eq!(kept.to_string(), expected.to_string(), "the same fields in the same order");
    }
}

#[test]
fn a_document_of_npm_version_2_is_refreshed_where_it_is() {
    let online = SignedIn::prod_of(V2, 0);
    let mut expected = online.kept("prod", V2);
    let token = online.token("prod");
    let kept = online.kept("prod", V2);
    for field in ["access", "refresh", "expires"] {
        expected["values"][field].clone_from(&kept["values"][field]);
    }
    assert_eq!(kept.to_string(), expected.to_string(), "all else stays as it was");
    assert_eq!(pair_of(&kept).access, token);
    assert_eq!(online.server.state_of(&pair_of(&kept).refresh), State::Live);
    let locks = fs::read_dir(online.home.alchemy("lock")).expect("a folder");
    let names = locks.map(|lock| lock.expect("an entry").file_name().into_string().expect("text"));
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, ["native", "npm-profiles"], "none of npm's is left");
}

#[test]
fn a_token_lives_from_when_it_was_asked_for() {
    let online = SignedIn::prod(0);
    let received = Arc::new(Mutex::new(0));
    online.server.set_hook({
        let received = Arc::clone(&received);
        move |moment| match moment {
            Moment::Received => *received.lock().expect("no panic") = in_seconds(3600),
            Moment::Done => sleep(Duration::from_millis(300)), // the network is slow
        }
    });
    online.token("prod");
    let expires = online.kept("prod", OWN)["expires"].as_i64().expect("a number");
    assert!(expires <= *received.lock().expect("no panic"));
}

#[test]
fn an_expiry_that_no_token_has_is_said_and_mended_by_one_refresh() {
    for expires in [
        json!(in_seconds(10 * 365 * 86_400)),
        json!(in_seconds(3600) / 1000), // seconds where milliseconds belong
        json!("2026-01-01T00:00:00Z"),
        json!(1e300),
        Value::Null,
    ] {
        let online = SignedIn::prod(0);
        online.keep("prod", OWN, &online.pair(), expires.clone());
        let said = online.run(&["exec", "prod", "--", "true"]).expect_code(0).stderr;
        assert!(said.starts_with("alchemy: the token of profile 'prod' is said to expire at "), "{said}");
        assert!(said.contains("which cannot be") && said.lines().count() == 1, "{said}");
        let token = online.token("prod");
        expect_kept(&online, &token);
        assert_eq!(online.server.refreshes(), 1, "{expires}");
    }
}

#[test]
fn what_an_answer_leaves_out_stays_as_it_was() {
    let online = SignedIn::prod(0);
    let old = online.pair();
    online.server.set_rotation(false);
    online.server.set_change(|answer| drop(answer.as_object_mut().expect("an object").remove("scope")));
    let token = online.token("prod");
    assert_eq!(online.pair(), Pair { access: token, refresh: old.refresh });
    assert_eq!(online.kept("prod", OWN)["scopes"], json!(SCOPES));
}

#[test]
fn a_life_that_cannot_be_is_taken_for_an_hour_and_said() {
    for life in [Value::Null, json!("soon"), json!(i64::MAX), json!(1e18)] {
        let online = SignedIn::prod(0);
        online.server.set_change(move |answer| answer["expires_in"] = life.clone());
        let said = online.run(&["exec", "prod", "--", "true"]).expect_code(0).stderr;
        assert!(said.contains("taken for an hour") && said.lines().count() == 1, "{said}");
        let expires = online.kept("prod", OWN)["expires"].as_i64().expect("a number");
        assert!((in_seconds(3000)..=in_seconds(3600)).contains(&expires));
        online.token("prod");
        assert_eq!(online.server.refreshes(), 1, "no refresh at each use");
    }
}

// --- many at once ---

#[track_caller]
fn expect_one_answer(online: &SignedIn, outputs: &[Output], said: &[String]) {
    assert_eq!(said, [""; 0]);
    assert!(outputs.iter().all(|o| (o.code, &o.stdout) == (0, &outputs[0].stdout)), "{outputs:?}");
    assert_eq!((online.server.refreshes(), online.server.reuses()), (1, 0));
}

#[test]
fn two_hundred_at_once_make_one_request_and_get_one_answer() {
    let online = SignedIn::prod(0);
    let gate = online.server.gate(Moment::Received);
    let (outputs, said) = online.crowd(200, &["token", "prod"], gate);
    expect_one_answer(&online, &outputs, &said);
    expect_kept(&online, &online.token("prod"));
}

#[test]
fn a_token_that_was_got_while_others_waited_serves_them_however_short_it_lives() {
    for is_new in [true, false] {
        let online = SignedIn::prod(0);
        online.home.write("lock/native/prod", "");
        let held = File::open(online.home.alchemy("lock/native/prod")).expect("the lock's file");
        held.lock().expect("locked");
        let mut command = online.command(&["token", "prod"]);
        let mut waiting = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let mut said = BufReader::new(waiting.stderr.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("read");
        assert!(line.contains("waiting for another alchemy"), "{line}");
        // As another of ours does, whose server gives tokens for seconds; or npm, which says of none when it was got.
        let pair = online.server.issue(OWN, &SCOPES);
        online.keep("prod", OWN, &pair, in_seconds(9));
        if is_new {
            let now = jiff::Timestamp::now().as_nanosecond();
            online.home.write("stamps/prod", &format!("{now:020}\n"));
        }
        drop(held);
        let output = support::finished(waiting.wait_with_output().expect("finished")).expect_code(0);
        assert_eq!(output.stdout.trim_end() == pair.access, is_new);
        assert_eq!(online.server.refreshes(), usize::from(!is_new));
    }
}

#[test]
fn two_hundred_at_once_make_one_request_with_a_keyring_too() {
    let Some(keyring) = Keyring::start() else { return };
    let mut online = SignedIn::new();
    online.keyring_profile(&keyring, 0);
    let gate = online.server.gate(Moment::Received);
    let (outputs, said) = online.crowd(200, &["token", "prod"], gate);
    expect_one_answer(&online, &outputs, &said);
    let kept = keyring.lookup("prod").expect("an item");
    let pair = pair_of(&serde_json::from_str(&kept).expect("the document parses"));
    assert_eq!(pair.access, online.token("prod"));
    assert_eq!(online.server.state_of(&pair.refresh), State::Live);
}

#[test]
fn who_waited_for_a_refresh_that_failed_does_not_try_it_again() {
    for (fault, requests, words) in [
        (Fault::Page(502), 2, "cannot refresh the session of profile 'prod' at 127.0.0.1:"),
        (Fault::Challenge, 1, "a web page answered"),
        (Fault::Body(400, r#"{"error":"invalid_grant"}"#), 1, "the session of profile 'prod' is over: "),
    ] {
        let online = SignedIn::prod(0);
        let gate = online.server.gate(Moment::Received);
        online.server.fault(fault.clone());
        let (outputs, said) = online.crowd(50, &["token", "prod"], gate);
        assert_eq!(online.server.refreshes(), requests, "{fault:?}");
        assert!(outputs.iter().all(|output| output.code == 1 && output.stdout.is_empty()), "{outputs:?}");
        assert_eq!(said.iter().filter(|line| line.contains(words)).count(), 50, "{said:?}");
        assert_eq!(said.iter().filter(|line| line.starts_with("hint: ")).count(), 50, "{said:?}");
        // Whoever comes later does.
        online.run(&["token", "prod"]).expect_only_error(1, words);
        assert_eq!(online.server.refreshes(), 2 * requests);
    }
}

#[test]
fn a_failure_that_was_noted_before_the_clock_was_set_back_is_not_taken_for_ones_own() {
    let online = SignedIn::prod(0);
    online.server.fault(Fault::Challenge);
    online.run(&["token", "prod"]).expect_only_error(1, "a web page answered");
    let path = online.home.alchemy("lock/native/prod");
    let mut note: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    assert!(note["failed"]["at"].is_string(), "{note}");
    note["failed"]["at"] = "2999-01-01T00:00:00Z".into();
    fs::write(&path, note.to_string()).expect("written");
    online.run(&["token", "prod"]).expect_only_error(1, "a web page answered");
    assert_eq!(online.server.refreshes(), 2);
}

#[test]
fn two_profiles_do_not_wait_for_each_other() {
    for client in [OWN, V1, V2] {
        let online = SignedIn::prod_of(client, 0);
        online.profile("two", client, 0);
        let gate = online.server.gate(Moment::Received);
        let start = |name| {
            let mut command = online.command(&["token", name]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started")
        };
        let children = ["prod", "two"].map(start);
        // Neither has an answer yet.
        gate.arrival();
        gate.arrival();
        drop(gate);
        for mut child in children {
            assert!(child.wait().expect("ended").success());
        }
    }
}

#[test]
fn who_waits_says_so_after_a_second_and_takes_what_has_come_meanwhile() {
    let online = SignedIn::prod(0);
    online.home.write("lock/native/prod", "");
    let held = File::open(online.home.alchemy("lock/native/prod")).expect("the lock's file");
    held.lock().expect("locked");
    let mut command = online.command(&["token", "prod"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    stderr.read_line(&mut said).expect("read");
    assert_eq!(said, "alchemy: waiting for another alchemy to finish with profile 'prod'\n");
    // Somebody else signs in. Its token need not live for as long as ours must.
    let pair = online.server.issue(OWN, &SCOPES);
    online.keep("prod", OWN, &pair, in_seconds(30));
    held.unlock().expect("unlocked");
    let mut token = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut token).expect("read");
    assert!(child.wait().expect("ended").success());
    assert_eq!((token.trim_end(), online.server.refreshes()), (&*pair.access, 0));
}

// --- where a refresh token goes ---

#[test]
fn a_refresh_token_goes_only_where_it_came_from() {
    let evil = "https://evil.example/oauth2/token";
    let mut online = SignedIn::prod(0);
    online.set(TOKEN_URL, evil);
    online.set("ALCHEMY_OAUTH_REVOKE_URL", "https://evil.example/oauth2/revoke");
    online.set("CLOUDFLARE_API_BASE_URL", "https://evil.example/client/v4");
    let said = online.run(&["exec", "prod", "--", "true"]).expect_code(0).stderr;
    let ignored = format!(
        "alchemy: ALCHEMY_OAUTH_TOKEN_URL={evil} is ignored: this grant is for {}\n",
        online.server.token_url()
    );
    assert!(said.contains(&ignored), "{said}");
    assert!(said.contains("CLOUDFLARE_API_BASE_URL=https://evil.example/client/v4 is ignored"), "{said}");
    assert_eq!((said.lines().count(), online.server.refreshes()), (2, 1), "{said}");
    let script = "echo $CLOUDFLARE_API_BASE_URL $CLOUDFLARE_BASE_URL";
    let output = online.run(&["exec", "prod", "--", "sh", "-c", script]).expect_code(0);
    let usual = "https://api.cloudflare.com/client/v4";
    assert_eq!(output.stdout, format!("{usual} {usual}\n"), "the command is not led there either");
}

#[test]
fn loopback_stands_in_for_cloudflare_and_is_named() {
    let online = SignedIn::prod_of(V2, 0);
    let said = run(&mut online.command(&["exec", "prod", "--", "true"])).expect_code(0).stderr;
    let url = online.server.token_url();
    assert_eq!(said, format!("alchemy: the token endpoint is {url} by {TOKEN_URL}\n"));
    assert_eq!(online.server.refreshes(), 1);
}

#[test]
fn what_is_done_is_said_without_a_secret() {
    for client in [OWN, V1, V2] {
        let online = SignedIn::prod_of(client, 0);
        let said = online.run(&["-vv", "exec", "prod", "--", "true"]).expect_code(0).stderr;
        let url = online.server.token_url();
        assert!(said.contains(&format!("refreshing the session of 'prod' at {url}")), "{said}");
    }
}
