//! `alchemy profile move`: a credential goes from any store to any other, also while others read it. (What is left
//! of it when a move is killed or fails at any moment is in `sweep`.) The keyring is a real one, and so is npm alchemy 2.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};
use support::age;
use support::authorization::{Moment, State};
use support::keyring::{BUS, Keyring};
use support::npm::{Npm, ended};
use support::signed_in::{OWN, SignedIn, V1, V2, file, no_secret_said, pair_of};
use support::{ACME, Output, finished, with_full_disk};

const TOKEN: &str = "tok-hunter2";
/// Through every store.
const MOVES: [&str; 12] = [
    "keyring",
    "npm",
    "file",
    "encrypted",
    "command",
    "keyring",
    "encrypted",
    "npm",
    "command",
    "npm",
    "encrypted",
    "file",
];

/// A home with all that the stores need, where it can be had: a keyring, an identity of age's, and commands.
fn with_keyring() -> Option<(SignedIn, Keyring)> {
    let keyring = Keyring::start()?;
    let mut online = SignedIn::new();
    online.set(BUS, keyring.address());
    age::identity(&online.home)?;
    let folder = online.home.path().join("kept");
    fs::create_dir(&folder).expect("a folder");
    let file = folder.join("{profile}");
    let file = file.display();
    // The file is replaced whole, as a password manager does.
    let commands = format!(
        "[command]\nread = 'cat {file} 2>&-'\nwrite = 'cat >{file}.new && mv {file}.new {file}'\n\
         delete = 'rm -f {file}'\n"
    );
    online.home.write("settings.toml", &commands);
    Some((online, keyring))
}

/// The arguments that move the profile `prod`.
fn moving(online: &SignedIn, store: &str) -> Vec<String> {
    let identity = online.home.path().join("identity.txt").display().to_string();
    let mut arguments = vec!["profile", "move", "prod", "--store", store];
    if store == "encrypted" {
        arguments.extend(["--identity", &identity]);
    }
    arguments.into_iter().map(str::to_owned).collect()
}

/// `alchemy`, about to move the profile `prod`.
fn mover(online: &SignedIn, store: &str) -> Command {
    let arguments = moving(online, store);
    online.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// Moves the profile `prod`; what it says is one line.
#[track_caller]
fn to(online: &SignedIn, store: &str) -> String {
    let output = no_secret_said(support::run(&mut mover(online, store))).expect_code(0);
    assert_eq!((output.stdout.as_str(), output.stderr.lines().count()), ("", 1), "{}", output.stderr);
    output.stderr
}

/// The store that is named for `prod`: by `config.json`, or by its silence.
fn named(online: &SignedIn) -> String {
    let config: Value = serde_json::from_str(&online.home.read("config.json")).expect("it parses");
    match &config["profiles"]["prod"]["cloudflare"] {
        Value::Null => "npm".to_owned(),
        entry => entry["credentialStore"].as_str().unwrap_or("file").to_owned(),
    }
}

/// What is kept of `prod`, in which store.
fn copies(online: &SignedIn, keyring: &Keyring) -> Vec<(&'static str, Value)> {
    let read = |below: &str| fs::read_to_string(online.home.alchemy(below)).ok();
    let sealed = online.home.alchemy("encrypted/prod.age");
    let identity = online.home.path().join("identity.txt");
    let opened =
        sealed.exists().then(|| age::decrypt(&online.home, &identity, &sealed).expect_code(0).stdout);
    let documents = [
        ("file", read(&file("prod", V1))),
        ("file", read(&file("prod", OWN))),
        ("keyring", keyring.lookup("prod")),
        ("npm", read(&file("prod", V2))),
        ("encrypted", opened),
        ("command", fs::read_to_string(online.home.path().join("kept/prod")).ok()),
    ];
    let parsed = |text: &String| serde_json::from_str(text).expect("it parses");
    documents.iter().filter_map(|(store, text)| Some((*store, parsed(text.as_ref()?)))).collect()
}

/// The secret in a document of whatever store.
fn secret(document: &Value) -> String {
    let values = document.get("values").unwrap_or(document);
    let names = ["apiToken", "apiKey", "refresh"];
    names.iter().find_map(|name| values[*name].as_str()).expect("a secret").to_owned()
}

#[test]
fn a_credential_goes_through_every_store_and_back() {
    let Some((online, keyring)) = with_keyring() else { return };
    let make: [&dyn Fn() -> String; 3] = [
        &|| {
            online.home.token_profile("prod", TOKEN);
            TOKEN.to_owned()
        },
        &|| {
            online.home.key_profile("prod", "key-hunter2", "me@example.com");
            "key-hunter2".to_owned()
        },
        &|| online.profile("prod", V2, 3600).refresh,
    ];
    for make in make {
        let expected = make();
        let print = ["exec", "prod", "--", "printenv"];
        let environment = || {
            let printed = online.run(&print).expect_code(0).stdout;
            let mut lines: Vec<String> = printed.lines().map(str::to_owned).collect();
            lines.retain(|line| line.starts_with("CLOUDFLARE_") || line.starts_with("ALCHEMY_"));
            lines.sort();
            lines
        };
        let before = environment();
        for store in MOVES {
            let line = to(&online, store);
            assert!(line.contains(&format!("profile 'prod' is kept in the {store} store now")), "{line}");
            assert_eq!(line.contains("as plain text that only you can read"), store == "file", "{line}");
            let copies = copies(&online, &keyring);
            let [(kept_in, document)] = &copies[..] else { panic!("one copy: {copies:?}") };
            assert_eq!((*kept_in, secret(document)), (store, expected.clone()));
            assert_eq!((named(&online).as_str(), environment()), (store, before.clone()));
        }
        online.run(&["profile", "delete", "prod", "--yes", "--no-revoke"]).expect_code(0);
        assert!(copies(&online, &keyring).is_empty());
    }
}

#[test]
fn npm_uses_what_has_moved_to_it_and_nothing_that_has_moved_away() {
    let online = SignedIn::new();
    let Some(npm) = Npm::v2(&online.home) else { return };
    online.home.token_profile("prod", TOKEN);
    to(&online, "npm");
    assert_eq!(npm.run("return [await list(), await token('prod')]")[1], TOKEN);
    let document = online.home.alchemy("profiles/prod/cloudflare.json");
    let mode = |path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(document.clone()), mode(online.home.alchemy("profiles/prod"))), (0o600, 0o700));
    assert_eq!(npm.run("return (await show('prod')).status"), "connected");
    let listed: Value =
        serde_json::from_str(&online.run(&["list", "--json"]).expect_code(0).stdout).expect("JSON");
    assert_eq!(listed[0]["account"], json!({ "id": ACME, "name": "Acme" }), "also the account's name");
    assert!(document.exists(), "npm has not moved it away as invalid");

    to(&online, "file");
    assert!(!online.home.alchemy("profiles/prod").exists());
    assert_eq!(npm.run("return Object.keys(await list())"), json!(["default"]));
    // Another provider's document is npm's business.
    to(&online, "npm");
    online.home.write_private("profiles/prod/aws.json", "{}");
    to(&online, "file");
    assert_eq!(online.home.read("profiles/prod/aws.json"), "{}");
}

#[test]
fn what_npm_cannot_hold_stays_and_the_reason_is_said() {
    let online = SignedIn::new();
    online.home.token_profile("prod", TOKEN);
    let set = |flags: &[&str]| {
        online.run(&[&["profile", "set", "prod"], flags].concat()).expect_code(0);
    };
    let refused = |words: &str| -> Output {
        let before = online.home.snapshot();
        let output = online.run(&["profile", "move", "prod", "--store", "npm"]).expect_only_error(1, words);
        assert!(online.home.snapshot() == before, "nothing is changed");
        output
    };
    set(&["--confirm"]);
    refused("no longer ask before its secret leaves").expect_hint("profile set prod --no-confirm");
    set(&["--no-confirm", "--also", "CF_API_TOKEN"]);
    refused("no longer repeat its token").expect_hint("profile set prod --no-also");
    set(&["--no-also"]);
    online.profile("other", V2, 3600);
    fs::create_dir(online.home.alchemy("profiles/prod")).expect("a folder");
    let theirs = online.home.alchemy(&file("prod", V2));
    fs::copy(online.home.alchemy(&file("other", V2)), &theirs).expect("copied");
    refused("a profile 'prod' of its own").expect_hint("profile rename prod NEW");
    fs::remove_file(theirs).expect("removed");
    online.profile("prod", OWN, 3600);
    refused("no grant but one of its own client").expect_hint("alchemy exec");
    online.profile("prod", V1, 3600);
    refused("no grant but one of its own client");
}

#[test]
fn to_the_store_where_it_is_nothing_is_done() {
    let online = SignedIn::new();
    online.home.token_profile("prod", TOKEN);
    let before = online.home.snapshot();
    assert!(to(&online, "file").contains("is kept in the file store already"));
    assert!(online.home.snapshot() == before);
    let json = online.run(&["profile", "move", "prod", "--store", "npm", "--json"]).expect_code(0);
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json, json!({ "profile": "prod", "from": "file", "to": "npm" }));
    online.run(&["profile", "move", "nope", "--store", "file"]).expect_only_error(1, "no profile 'nope'");
    online.run(&["profile", "move", "prod", "--store", "moon"]).expect_only_error(2, "'moon'");
    online.run(&["profile", "move", "prod"]).expect_only_error(2, "--store");
}

#[test]
fn a_store_that_does_not_take_it_leaves_everything_as_it_was() {
    let Some((mut online, keyring)) = with_keyring() else { return };
    online.home.token_profile("prod", TOKEN);
    let unchanged = |online: &SignedIn, store: &str, words: &str| {
        let (files, items) = (online.home.snapshot(), keyring.usernames());
        online.run(&["profile", "move", "prod", "--store", store]).expect_only_error(1, words);
        assert!(online.home.snapshot() == files && keyring.usernames() == items, "nothing is changed");
    };
    online.set(BUS, "unix:path=/nonexistent");
    unchanged(&online, "keyring", "no keyring: ");
    online.set(BUS, keyring.address());
    keyring.lock();
    unchanged(&online, "keyring", "the keyring is locked");
    keyring.unlock();
    to(&online, "keyring");
    for store in ["file", "npm"] {
        let files = online.home.snapshot();
        let mut command = online.command(&["profile", "move", "prod", "--store", store]);
        support::run(with_full_disk(&mut command, true)).expect_error(1, "cannot write ");
        assert!(online.home.snapshot() == files && keyring.lookup("prod").is_some());
    }
    keyring.lock();
    unchanged(&online, "file", "the keyring is locked");
    keyring.unlock();
    to(&online, "file");
    assert_eq!(online.token("prod"), TOKEN);
}

#[test]
fn a_newer_session_that_waits_in_a_rescue_file_goes_along() {
    let online = SignedIn::prod(0);
    // Nothing can be written beside a document with a name as long as a name can be.
    let (document, target) =
        (online.home.alchemy(&file("prod", OWN)), online.home.path().join("x".repeat(255)));
    fs::rename(&document, &target).expect("moved");
    std::os::unix::fs::symlink(&target, &document).expect("a link");
    let token = online.run(&["token", "prod"]).expect_code(0).stdout;
    assert!(online.home.alchemy("rescue/prod").exists());
    // From there it could not be removed, and that shows before anything has changed.
    online.run(&["profile", "move", "prod", "--store", "npm"]).expect_only_error(1, "cannot write ");
    fs::remove_file(&document).expect("removed");
    fs::rename(&target, &document).expect("moved back");
    let Some(keyring) = Keyring::start() else { return };
    let mut command = online.command(&["profile", "move", "prod", "--store", "keyring"]);
    support::run(command.env(BUS, keyring.address())).expect_code(0);
    let kept = pair_of(&serde_json::from_str(&keyring.lookup("prod").expect("kept")).expect("JSON"));
    assert_eq!(
        (kept.access.as_str(), online.server.state_of(&kept.refresh)),
        (token.trim_end(), State::Live)
    );
    assert!(!online.home.alchemy("rescue/prod").exists());
}

#[test]
fn whoever_reads_it_meanwhile_gets_it() {
    let Some((online, keyring)) = with_keyring() else { return };
    online.home.token_profile("prod", TOKEN);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut times = 0;
                    while !over.load(Ordering::Relaxed) {
                        let output =
                            online.run(&["exec", "prod", "--", "sh", "-c", "echo $CLOUDFLARE_API_TOKEN"]);
                        assert_eq!(output.expect_code(0).stdout.trim_end(), TOKEN);
                        times += 1;
                    }
                    times
                })
            })
            .collect();
        for _ in 0..2 {
            for store in MOVES {
                to(&online, store);
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(readers.into_iter().all(|reader| reader.join().expect("no failure") > 3));
    });
    assert_eq!(copies(&online, &keyring).len(), 1);
}

#[test]
fn a_refresh_that_npm_is_at_is_waited_for() {
    let mut online = SignedIn::new();
    online.profile("prod", V2, 0);
    online.set(support::signed_in::TOKEN_URL, online.server.token_url());
    let Some(npm) = Npm::v2(&online.home) else { return };
    let npm = npm.at(&online.server);
    let gate = online.server.gate(Moment::Done);
    let theirs = npm.start("return await token('prod')");
    gate.arrival();
    let mut command = online.command(&["profile", "move", "prod", "--store", "file"]);
    let mut ours = command.stderr(Stdio::piped()).spawn().expect("started");
    let mut said = String::new();
    let mut lines = std::io::BufReader::new(ours.stderr.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut lines, &mut said).expect("read");
    assert!(said.contains("waiting for another alchemy to finish with profile 'prod'"), "{said}");
    drop(gate);
    let token = ended(theirs);
    finished(ours.wait_with_output().expect("finished")).expect_code(0);
    let kept = pair_of(&online.kept("prod", OWN));
    assert_eq!((Value::from(kept.access), online.server.state_of(&kept.refresh)), (token, State::Live));
    assert!(!online.home.alchemy("profiles/prod").exists());
}

#[test]
fn many_at_once_move_in_turn() {
    let Some((online, keyring)) = with_keyring() else { return };
    online.home.token_profile("prod", TOKEN);
    let start = |n: usize| {
        let mut command = mover(&online, MOVES[n % MOVES.len()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
    };
    let children: Vec<_> = (0..14).map(start).collect();
    for child in children {
        finished(child.wait_with_output().expect("finished")).expect_code(0);
    }
    let copies = copies(&online, &keyring);
    assert!(copies.len() == 1 && copies[0].0 == named(&online), "{copies:?}");
    assert_eq!(online.token("prod"), TOKEN);
}
