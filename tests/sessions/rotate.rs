//! `alchemy rotate`: an API token gets a new value in place. Whatever happens on the way, the new value is kept
//! somewhere, or it is said what became of the old one.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::cloudflare::{Credential, Fault, Moment, Permission};
use support::keyring::{BUS, Keyring};
use support::online::{EMAIL, KEY, Online, SECRET, TOKEN, in_an_hour, shows_no_secret};
use support::{ACME, Output, finished, with_full_disk};

const FILE: &str = "credentials/prod/cloudflare.json";
const ROTATE: [&str; 2] = ["rotate", "prod"];

/// A verified profile `prod`, and the id of its token.
fn prod() -> (Online, String) {
    let online = Online::new();
    let id = online.token_profile("prod");
    (online, id)
}

/// The token that a profile's commands get.
#[track_caller]
fn token(online: &Online) -> String {
    support::run(&mut online.command(&["token", "prod"])).expect_code(0).stdout.trim_end().to_owned()
}

/// The calls that changed something.
fn rolls(online: &Online) -> Vec<String> {
    let requests = online.cf.requests();
    let puts = requests.iter().filter(|request| request.method == "PUT");
    puts.map(|request| request.path.replace("/client/v4", "")).collect()
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
}

#[track_caller]
fn end(child: Child) -> Output {
    shows_no_secret(finished(child.wait_with_output().expect("finished")))
}

fn strike(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().expect("a process id")), signal).expect("a signal");
}

/// A token whose store breaks while the server answers, and is whole again with the second value.
fn with_broken_store(online: &Online) -> impl FnOnce() + use<> {
    let (path, aside) = (online.home.alchemy(FILE), online.home.path().join("aside"));
    online.cf.set_hook({
        let (path, aside) = (path.clone(), aside.clone());
        move |moment| {
            if moment == Moment::Done {
                fs::rename(&path, &aside).expect("moved");
                fs::create_dir(&path).expect("a folder in its place");
            }
        }
    });
    move || {
        fs::remove_dir(&path).expect("removed");
        fs::rename(&aside, &path).expect("moved back");
    }
}

#[test]
fn a_users_token_gets_a_new_value() {
    let (online, id) = prod();
    let entry = online.entry("prod");
    let said = online.run(&ROTATE, "").expect_code(0);
    assert!(
        said.stderr.contains("the token of profile 'prod' has a new value; the old one is dead"),
        "{said:?}"
    );
    assert!(said.stderr.contains("R2 keys made from it") && said.stdout.is_empty(), "{said:?}");
    let value = online.cf.value_of(&id).expect("it lives");
    assert!(value != TOKEN && token(&online) == value);
    assert_eq!(rolls(&online), [format!("/user/tokens/{id}/value")]);
    let request = online.cf.requests().into_iter().find(|request| request.method == "PUT").expect("one");
    assert_eq!(
        (request.body.as_slice(), request.header("content-type")),
        (&b"{}"[..], Some("application/json"))
    );
    assert_eq!(online.entry("prod"), entry, "what is known of it stays");
    let json = support::run(&mut online.command(&["rotate", "-p", "prod", "--json"])).expect_code(0).stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json, json!({ "profile": "prod", "token": { "id": id, "expires": null } }));
    assert_eq!(online.cf.value_of(&id), Some(token(&online)));
}

#[test]
fn an_accounts_token_is_rolled_at_the_account_and_its_id_is_kept() {
    let online = Online::new();
    for value in ["tok-hunter2", "cfat_hunter2"] {
        let id = online.cf.add(Credential::account_token(value, ACME));
        let configure =
            ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
        online.done(&configure, value);
        online.run(&ROTATE, "").expect_code(0);
        assert_eq!(rolls(&online).last(), Some(&format!("/accounts/{ACME}/tokens/{id}/value")));
        assert_eq!(online.cf.value_of(&id), Some(token(&online)));
        assert_eq!(online.entry("prod")["tokenId"], id);
    }
}

#[test]
fn it_is_done_in_every_store() {
    let Some(keyring) = Keyring::start() else { return };
    let (mut online, id) = prod();
    online.set(BUS, keyring.address());
    for store in ["npm", "keyring", "file"] {
        online.run(&["profile", "move", "prod", "--store", store], "").expect_code(0);
        let before = token(&online);
        online.run(&ROTATE, "").expect_code(0);
        let now = token(&online);
        assert!(now != before && online.cf.value_of(&id) == Some(now), "{store}");
    }
}

#[test]
fn only_an_api_token_can_be_rotated() {
    let online = Online::new();
    online.oauth_profile("prod", in_an_hour().0);
    let why = "profile 'prod' has no API token to rotate: it is an oauth";
    online.refuses(&ROTATE, "", 1, why).expect_hint("alchemy profile refresh prod");
    online.key_profile("legacy");
    let why = "profile 'legacy' has no API token to rotate: it is an api-key";
    online.refuses(&["rotate", "legacy"], "", 1, why).expect_hint("on the dashboard");
    online.refuses(&["rotate", "nope"], "", 1, "there is no profile 'nope'");
    assert!(rolls(&online).is_empty());
}

#[test]
fn a_token_that_may_not_roll_itself_is_rolled_by_another_profile() {
    let online = Online::new();
    let may_not = Credential::user_token(TOKEN).without(Permission::TokensEdit);
    let id = online.cf.add(may_not);
    online.done(&["configure", "-p", "prod", "--token-stdin", "--account", ACME], TOKEN);
    online
        .refuses(&ROTATE, "", 1, "answered 403: 9109")
        .expect_hint("'API Tokens Write'; by a profile that has it: alchemy rotate prod --with PROFILE");
    assert_eq!(token(&online), TOKEN);
    online.key_profile("admin");
    online.run(&["rotate", "prod", "--with", "admin"], "").expect_code(0);
    assert_eq!(online.cf.value_of(&id), Some(token(&online)));
    let request = online.cf.requests().into_iter().rfind(|request| request.method == "PUT").expect("one");
    assert_eq!((request.header("x-auth-key"), request.header("x-auth-email")), (Some(KEY), Some(EMAIL)));
    assert_eq!(request.header("authorization"), None);
    online.refuses(&["rotate", "prod", "--with", "nope"], "", 1, "there is no profile 'nope'");
}

#[test]
fn a_token_that_is_off_is_an_error_before_anything_is_sent() {
    let (online, _) = prod();
    online.cf.add(Credential::user_token("another"));
    online.home.token_profile("prod", "unknown-hunter2");
    online.run(&ROTATE, "").expect_error(1, "answered 401: 1000 Invalid API Token");
    online.cf.fault(Fault::StatusHtml(403));
    online.run(&ROTATE, "").expect_error(1, "a bot challenge");
    assert!(rolls(&online).is_empty());
}

#[test]
fn an_answer_that_is_lost_is_said_and_another_profile_brings_the_token_back() {
    for fault in [Fault::Reset, Fault::Truncated] {
        let (online, id) = prod();
        online.cf.fault(fault).on(&format!("/user/tokens/{id}/value")).times(1);
        online
            .run(&ROTATE, "")
            .expect_error(
                1,
                "the token of profile 'prod' was rolled, and the answer with its new value is lost",
            )
            .expect_hint(
                "alchemy rotate prod --with PROFILE; or make a new token, then: alchemy configure -p prod",
            );
        // The next one knows it, too.
        online.run(&ROTATE, "").expect_error(1, "ended before its new value was kept");
        assert_eq!(rolls(&online).len(), 1, "it is never sent twice by itself");
        online.key_profile("admin");
        online.run(&["rotate", "prod", "--with", "admin"], "").expect_code(0);
        assert_eq!(online.cf.value_of(&id), Some(token(&online)));
    }
}

#[test]
fn where_nothing_was_done_the_old_value_goes_on() {
    let (online, id) = prod();
    for fault in [Fault::Status(500), Fault::NotJson, Fault::WrongShape, Fault::EmptyBody] {
        online.cf.fault(fault).on(&format!("/user/tokens/{id}/value")).times(1);
        online
            .run(&ROTATE, "")
            .expect_error(1, "the old value of profile 'prod' still works")
            .expect_hint("try again: alchemy rotate prod");
        assert_eq!(token(&online), TOKEN);
    }
    online.cf.fault(Fault::RateLimited { retry_after: 9 }).on(&format!("/user/tokens/{id}/value")).times(1);
    online.run(&ROTATE, "").expect_error(1, "answered 429").expect_hint("try again in 9 s");
    online.run(&ROTATE, "").expect_code(0);
    assert_eq!(online.cf.value_of(&id), Some(token(&online)));
}

#[test]
fn a_full_disk_shows_before_the_token_is_rolled() {
    let (online, _) = prod();
    let mut command = online.command(&ROTATE);
    shows_no_secret(support::run(with_full_disk(&mut command, true))).expect_error(1, "cannot write ");
    assert!(rolls(&online).is_empty());
    assert_eq!(token(&online), TOKEN);
}

#[test]
fn a_store_that_breaks_meanwhile_gets_the_value_when_it_is_whole_again() {
    let (online, id) = prod();
    let mend = with_broken_store(&online);
    let said = online.run(&ROTATE, "").expect_code(0).stderr;
    let rescue = online.home.alchemy("rescue/prod");
    assert!(said.contains("the new token of profile 'prod' could not be kept in the file store"), "{said}");
    assert!(said.contains(&format!("; it is in {} until", rescue.display())), "{said}");
    assert_eq!(fs::metadata(&rescue).expect("a rescue file").mode() & 0o777, 0o600);
    mend();
    let output = support::run(&mut online.command(&["token", "prod"])).expect_code(0);
    assert!(output.stderr.contains("the token of profile 'prod' that waited in "), "{}", output.stderr);
    assert_eq!(Some(output.stdout.trim_end().to_owned()), online.cf.value_of(&id));
    assert!(!rescue.exists() && online.home.read(FILE).contains(output.stdout.trim_end()));
    // One that was given since is not overtaken by an old file.
    fs::create_dir_all(rescue.parent().expect("a folder")).expect("a folder");
    let old = json!({ "type": "api-token", "apiToken": format!("old-{SECRET}"), "replaces": "0" });
    online.home.write_private("rescue/prod", &old.to_string());
    assert_eq!(Some(token(&online)), online.cf.value_of(&id));
    assert!(!rescue.exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_keyring_that_is_locked_meanwhile_gets_the_value_when_it_is_unlocked() {
    let Some(keyring) = Keyring::start() else { return };
    let (mut online, id) = prod();
    online.set(BUS, keyring.address());
    online.run(&["profile", "move", "prod", "--store", "keyring"], "").expect_code(0);
    let gate = online.cf.gate(Moment::Done);
    let child = start(&mut online.command(&ROTATE));
    gate.arrival();
    keyring.lock();
    drop(gate);
    let said = end(child).expect_code(0).stderr;
    assert!(said.contains("could not be kept in the keyring store (the keyring is locked)"), "{said}");
    keyring.unlock();
    assert_eq!(Some(token(&online)), online.cf.value_of(&id));
    assert!(keyring.lookup("prod").expect("kept").contains(&token(&online)));
    assert!(!online.home.alchemy("rescue/prod").exists());
}

#[test]
fn a_signal_waits_until_the_new_value_is_kept() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        for moment in [Moment::Received, Moment::Done] {
            let (online, id) = prod();
            let gate = online.cf.gate(moment);
            let child = start(&mut online.command(&ROTATE));
            gate.arrival();
            strike(&child, signal);
            drop(gate);
            assert_eq!(end(child).code, 128 + signal as i32);
            let value = online.cf.value_of(&id);
            assert!(value.as_deref() != Some(TOKEN) && value == Some(token(&online)), "{signal} {moment:?}");
        }
    }
}

#[test]
fn killed_before_it_is_kept_the_loss_is_named_and_another_profile_brings_the_token_back() {
    let (online, id) = prod();
    online.key_profile("admin");
    for moment in [Moment::Received, Moment::Done] {
        let before = token(&online);
        let gate = online.cf.gate(moment);
        let mut child = start(&mut online.command(&ROTATE));
        gate.arrival();
        child.kill().expect("killed");
        child.wait().expect("an end");
        drop(gate);
        online.cf.set_hook(|_| ());
        // What was received is answered, whether anybody is there or not.
        online.cf.settle();
        assert_eq!(token(&online), before, "{moment:?}: the old value, and nothing else");
        assert_ne!(online.cf.value_of(&id), Some(before), "{moment:?}");
        online
            .run(&ROTATE, "")
            .expect_error(1, "a rotation at ")
            .expect_hint("alchemy rotate prod --with PROFILE");
        online.run(&["rotate", "prod", "--with", "admin"], "").expect_code(0);
        assert_eq!(online.cf.value_of(&id), Some(token(&online)), "{moment:?}");
    }
}

#[test]
fn a_token_whose_id_was_never_asked_for_is_brought_back_as_well() {
    let online = Online::new();
    let id = online.cf.add(Credential::user_token(TOKEN));
    let unverified = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
    online.done(&unverified, TOKEN);
    online.key_profile("admin");
    online.cf.fault(Fault::Reset).on(&format!("/user/tokens/{id}/value")).times(1);
    online.run(&ROTATE, "").expect_code(1).expect_hint("alchemy rotate prod --with PROFILE");
    online.run(&["rotate", "prod", "--with", "admin"], "").expect_code(0);
    assert_eq!(online.cf.value_of(&id), Some(token(&online)));
}

#[test]
fn many_at_once_roll_in_turn() {
    let (online, id) = prod();
    let children: Vec<_> = (0..20).map(|_| start(&mut online.command(&ROTATE))).collect();
    for child in children {
        end(child).expect_code(0);
    }
    assert_eq!(rolls(&online).len(), 20);
    assert_eq!(online.cf.value_of(&id), Some(token(&online)));
}
