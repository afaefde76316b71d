//! The keyring as the store: a real Secret Service (gnome-keyring on a bus of its own), and the buses
//! that people have instead, where the file store takes its place.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use support::keyring::{BUS, BareBus, Keyring, SilentBus};
use support::pty::Terminal;
use support::{ACME, Home, Output, environment, run, run_with_input};

const FILE: &str = "credentials/prod/cloudflare.json";

/// The document of an API token, as npm's version 1 has it.
fn document(token: &str) -> String {
    format!("{{\n  \"type\": \"api-token\",\n  \"apiToken\": \"{token}\"\n}}")
}

/// `alchemy` with a bus.
fn on(bus: &str, home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.alchemy_command(arguments);
    command.env(BUS, bus);
    command
}

/// Makes or changes a profile on a bus.
fn configure(bus: &str, home: &Home, name: &str, token: &str, more: &[&str]) -> Output {
    let arguments = ["configure", "-p", name, "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
    run_with_input(&mut on(bus, home, &[&arguments[..], more].concat()), token)
}

/// A profile `prod` in the keyring.
fn prod(keyring: &Keyring, token: &str) -> Home {
    let home = Home::new();
    configure(keyring.address(), &home, "prod", token, &["--store", "keyring"]).expect_code(0);
    home
}

fn token(bus: &str, home: &Home, profile: &str) -> String {
    let output = run(&mut on(bus, home, &["token", profile])).expect_code(0);
    assert_eq!(output.stderr, "");
    output.stdout.trim_end().to_owned()
}

/// Where `config.json` says that a profile's credential is kept.
fn kept_in(home: &Home, profile: &str) -> Value {
    let config: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    config["profiles"][profile]["cloudflare"]["credentialStore"].clone()
}

/// Whether any file below `~/.alchemy` holds the text.
fn in_a_file(home: &Home, text: &str) -> bool {
    home.snapshot().values().any(|(_, content)| String::from_utf8_lossy(content).contains(text))
}

#[test]
fn a_profile_is_kept_as_version_1s_document_under_its_name() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-example");
    assert_eq!(keyring.lookup("prod"), Some(document("tok-example")));
    assert_eq!(kept_in(&home, "prod"), "keyring");
    assert!(!in_a_file(&home, "tok-example") && !home.alchemy("credentials/prod").exists());

    let key = ["configure", "-p", "legacy", "--key-stdin", "--email", "me@example.com", "--no-verify"];
    let key = [&key[..], &["--account", ACME]].concat();
    run_with_input(&mut on(keyring.address(), &home, &key), "key-example").expect_code(0);
    let kept: Value = serde_json::from_str(&keyring.lookup("legacy").expect("kept")).expect("JSON");
    assert_eq!(kept, json!({ "type": "api-key", "apiKey": "key-example", "email": "me@example.com" }));
    assert_eq!(keyring.usernames(), ["legacy", "prod"]);
}

#[test]
fn every_command_that_needs_the_credential_reads_it() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (prod(&keyring, "tok-example"), keyring.address());
    let quiet = |arguments: &[&str]| {
        let output = run(&mut on(bus, &home, arguments)).expect_code(0);
        assert_eq!(output.stderr, "", "{arguments:?}");
        output.stdout
    };
    let child = environment(&quiet(&["exec", "prod", "--", "env", "-0"]));
    assert_eq!(child["CLOUDFLARE_API_TOKEN"], "tok-example");
    assert_eq!(child[BUS], bus, "the command's own use of the bus goes on");
    assert!(quiet(&["env", "prod"]).contains("CLOUDFLARE_API_TOKEN=tok-example;"));
    assert_eq!(quiet(&["token", "prod"]), "tok-example\n");
    assert!(quiet(&["credential-process", "prod"]).contains("\"ApiToken\":\"tok-example\""));
}

#[test]
fn it_is_the_default_where_one_answers() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (Home::new(), keyring.address());
    let output = configure(bus, &home, "prod", "tok-example", &[]).expect_code(0);
    assert!(output.stderr.ends_with("kept in the keyring store\n"), "{}", output.stderr);
    assert_eq!(output.stderr.lines().count(), 1, "nothing about files: {}", output.stderr);
    assert!(keyring.lookup("prod").is_some());

    // The person decides, by the variable or, before it, by the flag; and a change moves nothing.
    let mut command = on(bus, &home, &["configure", "-p", "f", "--token-stdin", "--no-verify"]);
    command.args(["--account", ACME]).env("ALCHEMY_STORE", "file");
    run_with_input(&mut command, "tok-f").expect_code(0);
    assert_eq!(kept_in(&home, "f"), Value::Null);
    run_with_input(command.args(["-p", "k", "--store", "keyring"]), "tok-k").expect_error(2, "-p");
    let mut command = on(bus, &home, &["configure", "-p", "k", "--token-stdin", "--no-verify"]);
    command.args(["--account", ACME, "--store", "keyring"]).env("ALCHEMY_STORE", "file");
    run_with_input(&mut command, "tok-k").expect_code(0);
    assert_eq!(keyring.usernames(), ["k", "prod"]);
    configure(bus, &home, "f", "tok-f2", &[]).expect_code(0);
    assert_eq!((keyring.lookup("f"), token(bus, &home, "f")), (None, "tok-f2".to_owned()));
    configure(bus, &home, "prod", "tok-2", &[]).expect_code(0);
    assert_eq!(keyring.lookup("prod"), Some(document("tok-2")));
    assert_eq!(keyring.usernames(), ["k", "prod"], "replaced, not repeated");
}

#[test]
fn where_none_answers_a_file_takes_its_place_in_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let silent = SilentBus::start(folder.path());
    let bare = BareBus::start();
    let mut table = vec![
        (Some("unix:path=/nonexistent"), "no keyring: "),
        (None, "no keyring: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set"),
        (Some(""), "no keyring: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set"),
        (Some("tcp:host=localhost,port=1"), "no keyring: DBUS_SESSION_BUS_ADDRESS is not a unix socket"),
        (Some("autolaunch:"), "no keyring: DBUS_SESSION_BUS_ADDRESS is not a unix socket"),
        (Some("garbage"), "no keyring: "),
        (Some(silent.address()), "the keyring did not answer in 5 s"),
    ];
    table.extend(bare.as_ref().map(|bare| (Some(bare.address()), "no keyring: ")));
    for (bus, why) in table {
        let home = Home::new();
        let arguments = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME];
        let mut command = home.alchemy_command(&arguments);
        let output = run_with_input(command.envs(bus.map(|bus| (BUS, bus))), "tok-example").expect_code(0);
        let lines: Vec<&str> = output.stderr.lines().collect();
        let [line, ready] = lines[..] else { panic!("{bus:?}: {}", output.stderr) };
        assert!(line.starts_with(&format!("alchemy: {why}")), "{bus:?}: {line}");
        assert!(line.ends_with("keeping the secret in a file that only you can read"), "{bus:?}: {line}");
        assert!(ready.ends_with("kept in the file store"), "{bus:?}: {ready}");
        // Later runs know where it is: they open no bus and say nothing.
        let mut command = home.alchemy_command(&["token", "prod"]);
        let output = run(command.envs(bus.map(|bus| (BUS, bus)))).expect_code(0);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("tok-example\n", ""), "{bus:?}");
    }
    let connections = std::iter::from_fn(|| silent.connection()).count();
    assert_eq!(connections, 1, "only configure asked");
}

#[test]
fn a_keyring_that_was_asked_for_and_does_not_answer_is_an_error() {
    let home = Home::new();
    for bus in ["unix:path=/nonexistent", "tcp:host=localhost,port=1"] {
        configure(bus, &home, "prod", "tok-example", &["--store", "keyring"])
            .expect_only_error(1, "no keyring: ")
            .expect_hint("--store file");
    }
    assert!(!home.alchemy("config.json").exists() && !in_a_file(&home, "tok-example"));
}

#[test]
fn what_is_not_secret_never_opens_the_keyring() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-example");
    let silent = SilentBus::start(home.path());
    let commands: [&[&str]; 8] = [
        &["list"],
        &["list", "--json"],
        &["profile", "show", "prod"],
        &["profile", "current"],
        &["profile", "set", "prod", "--account-name", "Acme"],
        &["env", "prod", "--unset"],
        &["exec", "nope", "--", "true"],
        &["exec", "prod", "--", "no-such-command"],
    ];
    for arguments in commands {
        let output = run(&mut on(silent.address(), &home, arguments));
        let code = if arguments[0] == "exec" { if arguments[1] == "nope" { 125 } else { 127 } } else { 0 };
        output.expect_code(code);
        assert!(silent.connection().is_none(), "{arguments:?}");
    }
    assert!(home.run(&["list"]).expect_code(0).stdout.contains("keyring"), "without any bus, too");
}

#[test]
fn rename_and_delete_take_the_item_along() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (prod(&keyring, "tok-example"), keyring.address());
    run(&mut on(bus, &home, &["profile", "rename", "prod", "live"])).expect_code(0);
    assert_eq!(keyring.usernames(), ["live"]);
    assert_eq!(token(bus, &home, "live"), "tok-example");
    assert_eq!(kept_in(&home, "live"), "keyring");
    run(&mut on(bus, &home, &["profile", "delete", "live", "--yes"])).expect_code(0);
    assert_eq!(keyring.usernames(), [""; 0]);
    run(&mut on(bus, &home, &["token", "live"])).expect_error(1, "there is no profile 'live'");
}

#[cfg(target_os = "linux")]
#[test]
fn of_several_items_of_one_name_the_default_collections_is_used_and_all_go_with_the_profile() {
    let Some(keyring) = Keyring::start() else { return };
    let bus = keyring.address();
    let other = keyring.create_collection("another");
    let put = |name: &str| {
        let attributes = ["service", "alchemy-cli", "username", name];
        keyring.store_in(&other, &attributes, &document("tok-of-another"));
    };
    let home = prod(&keyring, "tok-example");
    put("prod");
    assert_eq!(keyring.usernames(), ["prod", "prod"]);
    let several = |arguments: &[&str]| {
        let output = run(&mut on(bus, &home, arguments)).expect_code(0);
        assert_eq!(output.stderr.matches("several items").count(), 1, "{}", output.stderr);
        output
    };
    assert_eq!(several(&["token", "prod"]).stdout, "tok-example\n");
    // It is the one that is written, too.
    configure(bus, &home, "prod", "tok-2", &[]).expect_code(0);
    assert_eq!(several(&["token", "prod"]).stdout, "tok-2\n");
    several(&["profile", "rename", "prod", "live"]);
    assert_eq!(
        (keyring.usernames(), token(bus, &home, "live")),
        (vec!["live".to_owned()], "tok-2".to_owned())
    );
    put("live");
    several(&["profile", "move", "live", "--store", "file"]);
    assert_eq!(keyring.usernames(), [""; 0]);
    run(&mut on(bus, &home, &["profile", "move", "live", "--store", "keyring"])).expect_code(0);
    put("live");
    run(&mut on(bus, &home, &["profile", "delete", "live", "--yes"])).expect_code(0);
    assert_eq!(keyring.usernames(), [""; 0]);
}

#[test]
fn without_the_keyring_rename_and_delete_change_nothing() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-example");
    let before = home.snapshot();
    let dead = "unix:path=/nonexistent";
    run(&mut on(dead, &home, &["profile", "rename", "prod", "live"])).expect_only_error(1, "no keyring: ");
    run(&mut on(dead, &home, &["profile", "delete", "prod", "-y"])).expect_only_error(1, "no keyring: ");
    configure(dead, &home, "prod", "tok-2", &[]).expect_only_error(1, "no keyring: ").expect_hint("-p prod");
    assert_eq!(home.snapshot(), before);
    assert_eq!(token(keyring.address(), &home, "prod"), "tok-example");
}

#[test]
fn changing_the_store_leaves_exactly_one_copy() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (prod(&keyring, "tok-1"), keyring.address());
    configure(bus, &home, "prod", "tok-2", &["--store", "file"]).expect_code(0);
    assert_eq!(keyring.usernames(), [""; 0]);
    assert_eq!((home.read(FILE), kept_in(&home, "prod")), (document("tok-2"), Value::Null));
    assert_eq!(token("", &home, "prod"), "tok-2");

    configure(bus, &home, "prod", "tok-3", &["--store", "keyring"]).expect_code(0);
    assert_eq!(keyring.lookup("prod"), Some(document("tok-3")));
    assert!(!in_a_file(&home, "tok-") && !home.alchemy("credentials/prod").exists());
    assert_eq!(token(bus, &home, "prod"), "tok-3");
}

#[test]
fn a_profile_whose_keyring_is_gone_is_mended_as_the_hint_says() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-1");
    let dead = "unix:path=/nonexistent";
    run(&mut on(dead, &home, &["exec", "prod", "--", "true"]))
        .expect_only_error(125, "no keyring: ")
        .expect_hint("alchemy configure -p prod --store file");
    let output = configure(dead, &home, "prod", "tok-2", &["--store", "file"]).expect_code(0);
    assert!(output.stderr.contains("still in the keyring"), "{}", output.stderr);
    assert_eq!(token(dead, &home, "prod"), "tok-2");
}

#[test]
fn a_locked_keyring_is_an_error_and_no_dialog() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (prod(&keyring, "tok-example"), keyring.address());
    keyring.lock();
    let mut watch = keyring.watch();
    let before = home.snapshot();
    let locked = "the keyring is locked";
    let commands: [(&[&str], i32); 5] = [
        (&["exec", "prod", "--", "true"], 125),
        (&["env", "prod"], 1),
        (&["token", "prod"], 1),
        (&["credential-process", "prod"], 1),
        (&["profile", "delete", "prod", "--yes"], 1),
    ];
    for (arguments, code) in commands {
        run(&mut on(bus, &home, arguments)).expect_only_error(code, locked).expect_hint("unlock it");
    }
    configure(bus, &home, "prod", "tok-2", &[]).expect_only_error(1, locked).expect_hint("unlock it");
    configure(bus, &home, "new", "tok-2", &["--store", "keyring"])
        .expect_only_error(1, locked)
        .expect_hint("--store file");
    assert_eq!(home.snapshot(), before);
    // A bus that nobody has unlocked is that of most servers: a new profile is kept in a file.
    let output = configure(bus, &home, "new", "tok-new", &[]).expect_code(0);
    assert!(output.stderr.starts_with("alchemy: the keyring is locked; keeping the secret in a file"));
    assert_eq!(token(bus, &home, "new"), "tok-new");
    let calls = watch.calls();
    assert!(calls.contains(&"Service.SearchItems".to_owned()), "{calls:?}");
    assert!(!calls.iter().any(|call| call.contains("Unlock") || call.contains("Prompt")), "{calls:?}");
}

#[test]
fn a_read_is_three_calls() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-example");
    let mut watch = keyring.watch();
    assert_eq!(token(keyring.address(), &home, "prod"), "tok-example");
    assert_eq!(watch.calls(), ["Service.SearchItems", "Service.OpenSession", "Item.GetSecret"]);
}

#[test]
fn a_bus_that_never_answers_ends_with_the_limit_it_had() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-example");
    let silent = SilentBus::start(home.path());
    let exec = ["exec", "prod", "--", "true"];
    run(&mut on(silent.address(), &home, &exec))
        .expect_only_error(125, "the keyring did not answer in 5 s")
        .expect_hint("alchemy configure -p prod --store file");
    assert!(silent.connection().is_some());
    // At a terminal a person may unlock a keyring, for which there is more time; a hanging one gets none.
    let (code, shown) = Terminal::start(on(silent.address(), &home, &exec)).finish();
    assert!(code == 125 && shown.contains("did not answer in 5 s"), "{shown}");
}

#[test]
fn a_keyring_that_hangs_on_a_live_bus_ends_with_an_error() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (prod(&keyring, "tok-example"), keyring.address());
    keyring.stop();
    run(&mut on(bus, &home, &["exec", "prod", "--", "true"]))
        .expect_only_error(125, "keyring")
        .expect_hint("alchemy configure -p prod --store file");
    let output = configure(bus, &home, "new", "tok-new", &[]).expect_code(0);
    assert!(output.stderr.contains("keeping the secret in a file"), "{}", output.stderr);
}

#[test]
fn an_item_that_was_removed_behind_our_back_is_missing() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (prod(&keyring, "tok-example"), keyring.address());
    keyring.clear("prod");
    let missing = "the credential of profile 'prod' is missing from the keyring store";
    for (command, code) in [("exec", 125), ("token", 1)] {
        run(&mut on(bus, &home, &[command, "-p", "prod"]))
            .expect_only_error(code, missing)
            .expect_hint("alchemy configure -p prod");
    }
    // As the hint says; and a profile without its item can be deleted.
    configure(bus, &home, "prod", "tok-2", &[]).expect_code(0);
    assert_eq!(token(bus, &home, "prod"), "tok-2");
    keyring.clear("prod");
    run(&mut on(bus, &home, &["profile", "delete", "prod", "--yes"])).expect_code(0);
}

#[test]
fn a_newer_sign_in_by_npm_moves_into_the_keyring() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (prod(&keyring, "tok-old"), keyring.address());
    home.write(FILE, &document("tok-new"));
    home.age(FILE);
    let output = run(&mut on(bus, &home, &["token", "prod"])).expect_code(0);
    assert_eq!(output.stdout, "tok-new\n");
    let said: Vec<&str> = output.stderr.lines().filter(|line| line.contains("moved")).collect();
    let [said] = said[..] else { panic!("{}", output.stderr) };
    assert!(
        said.contains("'prod'") && said.contains(FILE) && said.ends_with("into the keyring store"),
        "{said}"
    );
    assert!(!output.stderr.contains("tok-"), "{}", output.stderr);
    assert_eq!(keyring.lookup("prod"), Some(document("tok-new")));
    assert!(!home.alchemy(FILE).exists());
    assert_eq!(token(bus, &home, "prod"), "tok-new");
}

#[test]
fn a_newer_sign_in_stays_where_it_is_when_the_keyring_refuses() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-old");
    home.write(FILE, &document("tok-new"));
    home.age(FILE);
    keyring.lock();
    for (bus, why) in [(keyring.address(), "is locked"), ("unix:path=/nonexistent", "no keyring: ")] {
        run(&mut on(bus, &home, &["token", "prod"])).expect_error(1, why);
        assert_eq!(home.read(FILE), document("tok-new"), "{why}");
    }
}

#[test]
fn a_file_of_another_kind_beside_the_profile_is_ignored_and_said() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (prod(&keyring, "tok-example"), keyring.address());
    let grant = r#"{"type":"oauth","access":"a","refresh":"r","expires":1,"scopes":[]}"#;
    let key = r#"{"type":"api-key","apiKey":"k","email":"me@example.com"}"#;
    for other in [grant, key] {
        home.write(FILE, other);
        home.age(FILE);
        let output = run(&mut on(bus, &home, &["token", "prod"])).expect_code(0);
        assert_eq!(output.stdout, "tok-example\n");
        let said = output.stderr.lines().filter(|line| line.contains(FILE) && line.contains("is ignored"));
        assert_eq!(said.count(), 1, "{}", output.stderr);
        assert_eq!(home.read(FILE), other, "it is not ours to remove");
        assert_eq!(keyring.lookup("prod"), Some(document("tok-example")));
    }
}

#[test]
fn two_homes_with_a_profile_of_one_name_do_not_meet() {
    let Some(keyring) = Keyring::start() else { return };
    let (home, bus) = (prod(&keyring, "tok-usual"), keyring.address());
    let other = |folder: &str, arguments: &[&str]| {
        let mut command = on(bus, &home, arguments);
        command.env("ALCHEMY_HOME", home.path().join(folder));
        command
    };
    let make = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME];
    for folder in ["one", "two"] {
        run_with_input(&mut other(folder, &make), &format!("tok-{folder}")).expect_code(0);
    }
    let id = |folder: &str| {
        let config = fs::read(home.path().join(folder).join("config.json")).expect("read");
        let config: Value = serde_json::from_slice(&config).expect("JSON");
        config["keyringId"].as_str().expect("an id").to_owned()
    };
    let [one, two] = [id("one"), id("two")];
    assert_ne!(one, two);
    let mut names = vec![format!("{one}/prod"), format!("{two}/prod"), "prod".to_owned()];
    names.sort();
    assert_eq!(keyring.usernames(), names);
    for folder in ["one", "two"] {
        let read = run(&mut other(folder, &["token", "prod"])).expect_code(0).stdout;
        assert_eq!(read, format!("tok-{folder}\n"));
    }
    assert_eq!(token(bus, &home, "prod"), "tok-usual");
    // The usual folder is the usual one by whatever name, and one of them deletes only its own.
    let usual = run(&mut other(".alchemy", &["token", "prod"])).expect_code(0).stdout;
    assert_eq!(usual, "tok-usual\n");
    run(&mut other("one", &["profile", "delete", "prod", "--yes"])).expect_code(0);
    assert_eq!(keyring.usernames().len(), 2);
    assert_eq!(id("one"), one, "the id stays with the folder");
}

#[test]
fn a_long_token_and_one_beyond_ascii_come_back_whole() {
    let Some(keyring) = Keyring::start() else { return };
    for token in ["x".repeat(20_000), "tök\u{1f511} $'\"\\ `*".to_owned()] {
        let home = prod(&keyring, &token);
        let child = ["exec", "prod", "--", "sh", "-c", "printf %s \"$CLOUDFLARE_API_TOKEN\""];
        let output = run(&mut on(keyring.address(), &home, &child)).expect_code(0);
        assert!(output.stdout == token, "{} bytes came back", output.stdout.len());
    }
}

#[test]
fn a_bus_in_the_runtime_directory_is_found_without_the_variable() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-example");
    let socket = keyring.address().trim_start_matches("unix:path=");
    let socket = Path::new(socket.split(',').next().expect("a path"));
    let runtime = home.path().join("run");
    fs::create_dir(&runtime).expect("a folder");
    fs::hard_link(socket, runtime.join("bus")).expect("the same socket");
    let mut command = home.alchemy_command(&["token", "prod"]);
    assert_eq!(run(command.env("XDG_RUNTIME_DIR", &runtime)).expect_code(0).stdout, "tok-example\n");
}

#[test]
fn a_person_at_a_terminal_is_asked_to_unlock_and_a_program_there_is_not() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-example");
    keyring.lock();
    let mut watch = keyring.watch();
    let mut asked = |arguments: &[&str], code: i32, variable: &str| {
        let mut command = on(keyring.address(), &home, arguments);
        // There is no display to show a dialog on, which ends as one that the person closes.
        let (ended, shown) = Terminal::start({
            command.env(variable, "1");
            command
        })
        .finish();
        assert_eq!(ended, code, "{shown}");
        assert!(shown.contains("the keyring is locked") && shown.contains("unlock it"), "{shown}");
        watch.calls().contains(&"Service.Unlock".to_owned())
    };
    assert!(asked(&["exec", "prod", "--", "true"], 125, "OTHER"));
    assert!(!asked(&["credential-process", "prod"], 1, "OTHER"));
    assert!(!asked(&["env", "prod"], 1, "DIRENV_IN_ENVRC"));
}

#[test]
fn no_lock_is_held_while_a_person_is_asked_to_unlock() {
    let Some(keyring) = Keyring::start() else { return };
    let home = prod(&keyring, "tok-example");
    keyring.lock();
    let ask = |arguments: &[&str]| {
        // Its lock is another's, so whoever took it before asking would wait for it instead.
        let held = File::open(home.alchemy("lock/native/prod")).expect("the lock's file");
        held.lock().expect("locked");
        let (code, shown) = Terminal::start(on(keyring.address(), &home, arguments)).finish();
        assert_eq!(code, 1, "{arguments:?}: {shown}");
        assert!(
            shown.contains("the keyring is locked") && !shown.contains("waiting"),
            "{arguments:?}: {shown}"
        );
    };
    ask(&["profile", "delete", "prod", "--yes"]);
    ask(&["profile", "rename", "prod", "two"]);
    // A newer sign-in by npm, which goes into the keyring.
    home.write(FILE, &document("tok-2"));
    ask(&["token", "prod"]);
}
