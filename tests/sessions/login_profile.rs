//! What signing in makes of a profile: its account and its scopes, what is asked on the way, what is kept and
//! for what else. At doubles of the authorization server and the API.
//!
//! Whatever fails: the old session is still there, and the new one is revoked.

use std::process::Stdio;
use std::thread;

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use support::authorization::{Fault, Moment, State};
use support::cloudflare::Permission;
use support::online::Online;
use support::person::{CONFIGURE, LOGIN, Person, address_in, get, redirected};
use support::pty::{DOWN, ENTER, Redirected, Terminal};
use support::signed_in::{OWN, V1};
use support::{ACME, BETA, run, with_full_disk, write_program};

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
    let said = person.sign_in(&LOGIN).expect_code(0).stderr;
    let told = format!("what comes of this sign-in is exchanged at {}", person.server.token_url());
    assert!(said.contains(&told), "{said}");
    let mut built_in = person.start(&[&LOGIN[..], &["--client", "alchemy"]].concat());
    assert!(built_in.url.starts_with("https://dash.cloudflare.com/oauth2/auth?"), "{}", built_in.url);
    assert!(!built_in.said.contains("is exchanged at"), "{}", built_in.said);
    built_in.child.kill().expect("killed");
    built_in.finish().expect_code(137);
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

/// A code is spent once: from when it is sent, no signal ends the sign-in before its session is kept. The browser that
/// was opened still runs, in a thread of its own, which cannot hold signals back: it would hand that on to the browser.
#[test]
fn a_signal_waits_until_a_new_session_is_kept() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let person = Person::new();
        let browser = person.home.path().join("browser");
        let (masks, ended) = (person.home.path().join("masks"), person.home.path().join("end"));
        let script = format!(
            "#!/bin/sh\ngrep SigBlk /proc/self/status >{0}.new; mv {0}.new {0}\n\
             until test -e {1}; do sleep 0.05; done\n",
            masks.display(),
            ended.display()
        );
        write_program(&browser, &script);
        let mut terminal = Terminal::start(person.command(&CONFIGURE));
        terminal.expect("paste the code");
        terminal.wait_for(|| masks.exists(), "the browser is opened");
        let there = redirected(&address_in(&terminal.text()));
        let gate = person.server.gate(Moment::Received);
        let page = thread::spawn(move || get(&there, &[]));
        gate.arrival();
        kill(terminal.pid(), signal).expect("sent");
        drop(gate);
        let (code, shown) = terminal.finish();
        std::fs::write(&ended, "").expect("the browser is closed");
        page.join().expect("a page");
        assert_eq!(code, 128 + signal as i32, "{signal}: {shown}");
        assert!(shown.contains("profile 'prod' is ready"), "{signal}: {shown}");
        assert_eq!(person.server.state_of(&person.refresh_token()), State::Live, "{signal}");
        assert_eq!(person.server.live_grants(), 1, "{signal}");
        let masks = std::fs::read_to_string(masks).expect("a browser was opened");
        assert_eq!(masks, "SigBlk:\t0000000000000000\n", "nothing is held back from the browser");
    }
}
