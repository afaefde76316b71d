//! The encrypted store: a file of age for each profile, to a passphrase or to a key, which the real `age` opens
//! and may have made; and everything that people do with profiles, without a secret in the clear.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serde_json::Value;
use support::age::{self, COMMAND, PASSPHRASE, document};
use support::authorization::{Moment, State};
use support::pty::Terminal;
use support::signed_in::{SignedIn, pair_of};
use support::{ACME, Home, Output, environment, run, run_with_input};

const FILE: &str = "encrypted/prod.age";
const PRINTS: &str = "echo hunter2 of a person";

/// Makes or changes the profile `prod` with a token.
fn configure(home: &Home, token: &str, more: &[&str]) -> Output {
    configure_with(home, token, more, &[])
}

fn configure_with(home: &Home, token: &str, more: &[&str], variables: &[(&str, &str)]) -> Output {
    let arguments = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
    let mut command = home.alchemy_command(&[&arguments[..], more].concat());
    run_with_input(command.env("ALCHEMY_KEEP", "0").envs(variables.iter().copied()), token)
}

/// `prod`, encrypted to an identity of age's; its file.
fn prod(home: &Home, token: &str) -> Option<String> {
    let identity = age::identity(home)?.to_str().expect("UTF-8").to_owned();
    configure(home, token, &["--identity", &identity]).expect_code(0);
    Some(identity)
}

/// `alchemy` that gets [`PASSPHRASE`] by a command, and keeps nothing.
fn with_passphrase(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.alchemy_command(arguments);
    command.env(COMMAND, PRINTS).env("ALCHEMY_KEEP", "0");
    command
}

#[track_caller]
fn token(home: &Home) -> String {
    let output = home.run(&["token", "prod"]).expect_code(0);
    assert_eq!(output.stderr, "");
    output.stdout.trim_end().to_owned()
}

/// Whether a file below `~/.alchemy` holds the text.
fn in_a_file(home: &Home, text: &str) -> bool {
    home.snapshot().values().any(|(_, content)| String::from_utf8_lossy(content).contains(text))
}

fn config(home: &Home) -> Value {
    let config: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    config["profiles"]["prod"]["cloudflare"].clone()
}

#[test]
fn a_profile_is_a_private_file_that_age_opens_and_every_command_uses() {
    let home = Home::new();
    let Some(identity) = prod(&home, "tok-hunter2") else { return };
    assert!(!in_a_file(&home, "tok-hunter2") && !home.alchemy("credentials").exists());
    assert_eq!(fs::metadata(home.alchemy(FILE)).expect("a file").mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(home.alchemy("encrypted")).expect("a folder").mode() & 0o777, 0o700);
    let opened = age::decrypt(&home, identity.as_ref(), &home.alchemy(FILE)).expect_code(0);
    assert_eq!(opened.stdout, document("tok-hunter2"));

    let config = config(&home);
    assert_eq!(
        (&config["credentialStore"], &config["encryptedTo"]["identity"]),
        (&"encrypted".into(), &identity.clone().into())
    );
    assert!(config["encryptedTo"]["recipients"][0].as_str().is_some_and(|text| text.starts_with("age1")));
    let child = home.run(&["exec", "prod", "--", "env", "-0"]).expect_code(0);
    assert_eq!(environment(&child.stdout)["CLOUDFLARE_API_TOKEN"], "tok-hunter2");
    assert!(home.run(&["credential-process", "prod"]).expect_code(0).stdout.contains("tok-hunter2"));
    let shown = home.run(&["profile", "show", "prod"]).expect_code(0).stdout;
    assert!(shown.contains(&format!("encrypted (to {identity})")), "{shown}");
    assert!(home.run(&["list"]).expect_code(0).stdout.contains("encrypted"));
    let listed = home.run(&["list", "--json"]).expect_code(0).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed[0]["store"], "encrypted");
    assert_eq!(listed[0]["storeDetail"], format!("to {identity}"));
}

#[test]
fn ssh_keys_serve_as_they_serve_age() {
    for kind in ["ed25519", "rsa"] {
        let home = Home::new();
        let Some(key) = age::ssh_key(&home, kind, "") else { return };
        configure(&home, "tok-hunter2", &["--identity", key.to_str().expect("UTF-8")]).expect_code(0);
        assert_eq!(token(&home), "tok-hunter2");
        assert_eq!(
            age::decrypt(&home, &key, &home.alchemy(FILE)).expect_code(0).stdout,
            document("tok-hunter2")
        );
        age::encrypt(&home, &key, &document("tok-hunter2-by-age"), &home.alchemy(FILE));
        assert_eq!(token(&home), "tok-hunter2-by-age");
        // It is the private half that opens it.
        fs::rename(&key, home.path().join("away")).expect("moved");
        home.run(&["token", "prod"]).expect_only_error(1, "does not exist");
    }
}

#[test]
fn an_ssh_key_with_a_passphrase_is_asked_for_it_and_only_to_read() {
    let home = Home::new();
    let Some(key) = age::ssh_key(&home, "ed25519", PASSPHRASE) else { return };
    // To encrypt, the public half is enough.
    configure(&home, "tok-hunter2", &["--identity", key.to_str().expect("UTF-8")]).expect_code(0);
    let output = run(&mut with_passphrase(&home, &["token", "prod"])).expect_code(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("tok-hunter2\n", ""));
    run(with_passphrase(&home, &["token", "prod"]).env(COMMAND, "echo hunter2-another"))
        .expect_only_error(1, "the passphrase by ALCHEMY_PASSPHRASE_COMMAND is not that of");

    let mut command = home.alchemy_command(&["token", "prod"]);
    command.env("ALCHEMY_KEEP", "0");
    let mut terminal = Terminal::start(command);
    terminal.expect(&format!("passphrase of {}:", key.display()));
    terminal.line(PASSPHRASE);
    terminal.expect("tok-hunter2");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_new_passphrase_is_typed_twice_and_a_wrong_one_three_times_at_most() {
    let home = Home::new();
    let ask = |arguments: &[&str]| {
        let mut command = home.alchemy_command(arguments);
        command.env("ALCHEMY_KEEP", "0");
        Terminal::start(command)
    };
    let new = [
        "configure",
        "-p",
        "prod",
        "--method",
        "api-token",
        "--no-verify",
        "--account",
        ACME,
        "--store",
        "encrypted",
    ];
    let mut terminal = ask(&new);
    terminal.expect("new passphrase of profile 'prod':");
    terminal.line(PASSPHRASE);
    terminal.expect("the same again:");
    terminal.line("hunter2 of another");
    let (code, shown) = terminal.finish();
    assert!(code == 1 && shown.contains("the two passphrases are not the same"), "{shown}");
    assert!(!home.alchemy("config.json").exists());

    let mut terminal = ask(&new);
    terminal.expect("new passphrase of profile 'prod':");
    terminal.line(PASSPHRASE);
    terminal.expect("the same again:");
    terminal.line(PASSPHRASE);
    terminal.expect("API token:");
    terminal.line("tok-hunter2");
    assert_eq!(terminal.finish().0, 0);
    assert_eq!(config(&home)["encryptedTo"], Value::Null);
    assert!(age::decrypted_with_passphrase(&home, &home.alchemy(FILE)).contains("tok-hunter2"));

    let mut terminal = ask(&["token", "prod"]);
    terminal.expect("passphrase of profile 'prod':");
    terminal.line("hunter2 of another");
    terminal.expect("that is not the passphrase of profile 'prod'; try again");
    terminal.expect("passphrase of profile 'prod':");
    terminal.line(PASSPHRASE);
    terminal.expect("tok-hunter2");
    assert_eq!(terminal.finish().0, 0);

    let mut terminal = ask(&["token", "prod"]);
    for _ in 0..3 {
        terminal.expect("passphrase of profile 'prod':");
        terminal.line("hunter2 of another");
    }
    terminal.expect("that is not the passphrase of profile 'prod', 3 times");
    assert_eq!(terminal.finish().0, 1);
}

#[test]
fn a_file_that_age_has_made_to_a_passphrase_is_read() {
    let home = Home::new();
    configure_with(&home, "tok-hunter2", &["--store", "encrypted"], &[(COMMAND, PRINTS)]).expect_code(0);
    if !support::has("age") {
        return;
    }
    fs::remove_file(home.alchemy(FILE)).expect("removed");
    age::encrypt_to_passphrase(&home, &document("tok-hunter2-by-age"), &home.alchemy(FILE));
    let output = run(&mut with_passphrase(&home, &["token", "prod"])).expect_code(0);
    assert_eq!(output.stdout, "tok-hunter2-by-age\n");
}

#[test]
fn a_passphrase_is_given_by_a_descriptor_or_a_command_that_the_child_gets_neither_of() {
    let home = Home::new();
    configure_with(&home, "tok-hunter2", &["--store", "encrypted"], &[(COMMAND, PRINTS)]).expect_code(0);
    let given = home.path().join("given");
    fs::write(&given, format!("{PASSPHRASE}\nmore")).expect("written");
    let file = fs::File::open(&given).expect("opened");
    let number = file.as_raw_fd().to_string();
    let child = ["exec", "prod", "--", "sh", "-c", "env; ls -l /dev/fd/ 2>&1"];
    let mut command = home.alchemy_command(&child);
    let fd = file.as_raw_fd();
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe {
        use std::os::unix::process::CommandExt;
        let inherit = move || {
            let fd = std::os::fd::BorrowedFd::borrow_raw(fd);
            Ok(fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)?)
        };
        command.pre_exec(inherit);
    }
    command.env("ALCHEMY_PASSPHRASE_FD", &number).env("ALCHEMY_KEEP", "0");
    let seen = run(&mut command).expect_code(0);
    assert_eq!(seen.stderr, "");
    assert!(seen.stdout.contains("CLOUDFLARE_API_TOKEN=tok-hunter2"));
    let given = given.to_str().expect("UTF-8");
    assert!(!seen.stdout.contains("PASSPHRASE") && !seen.stdout.contains(given), "{}", seen.stdout);

    let mut child = with_passphrase(&home, &["exec", "prod", "--", "printenv", COMMAND]);
    run(&mut child).expect_code(1);
    // A command gets no credential of an outer `alchemy exec`.
    let mut nested = with_passphrase(&home, &["token", "prod"]);
    nested.env("CLOUDFLARE_API_TOKEN", "tok-hunter2-outer");
    run(nested.env(COMMAND, format!("test -z \"$CLOUDFLARE_API_TOKEN\" && {PRINTS}"))).expect_code(0);

    let table = [
        ("ALCHEMY_PASSPHRASE_FD", "977", "cannot read the passphrase by ALCHEMY_PASSPHRASE_FD: "),
        (
            "ALCHEMY_PASSPHRASE_FD",
            "x",
            "cannot read the passphrase by ALCHEMY_PASSPHRASE_FD: 'x' is no number",
        ),
        ("ALCHEMY_PASSPHRASE_FD", "0", "the passphrase by ALCHEMY_PASSPHRASE_FD is empty"),
        (COMMAND, "exit 3", "the command by ALCHEMY_PASSPHRASE_COMMAND gives no passphrase: exit status: 3"),
        (COMMAND, "echo", "the passphrase by ALCHEMY_PASSPHRASE_COMMAND is empty"),
        (
            COMMAND,
            "echo hunter2",
            "the passphrase by ALCHEMY_PASSPHRASE_COMMAND is not that of profile 'prod'",
        ),
    ];
    for (variable, value, words) in table {
        run(home.alchemy_command(&["token", "prod"]).env(variable, value)).expect_only_error(1, words);
    }
    let mut plain = with_passphrase(&home, &["token", "prod"]);
    let output = run(plain.env("ALCHEMY_PASSPHRASE", PASSPHRASE)).expect_code(0);
    assert!(output.stderr.starts_with("alchemy: ALCHEMY_PASSPHRASE is ignored"), "{}", output.stderr);
    assert_eq!((output.stdout.as_str(), output.stderr.lines().count()), ("tok-hunter2\n", 1));
}

#[test]
fn what_may_not_ask_says_how_to_unlock_and_a_person_without_a_terminal_how_to_give_it() {
    let home = Home::new();
    configure_with(&home, "tok-hunter2", &["--store", "encrypted"], &[(COMMAND, PRINTS)]).expect_code(0);
    home.run(&["token", "prod"])
        .expect_only_error(2, "cannot ask for passphrase of profile 'prod': there is no terminal")
        .expect_hint("ALCHEMY_PASSPHRASE_FD or ALCHEMY_PASSPHRASE_COMMAND");
    let locked = "the credential of profile 'prod' is locked: nobody can be asked for its passphrase here";
    home.run(&["credential-process", "prod"]).expect_only_error(1, locked).expect_hint("alchemy unlock prod");
    // Not on a terminal either.
    let (code, shown) = Terminal::start(home.alchemy_command(&["credential-process", "prod"])).finish();
    assert!(code == 1 && shown.contains(locked), "{shown}");
    let mut direnv = home.alchemy_command(&["env", "prod"]);
    direnv.env("DIRENV_IN_ENVRC", "1");
    let (code, shown) = Terminal::start(direnv).finish();
    assert!(code == 1 && shown.contains(locked), "{shown}");
}

#[test]
fn a_damaged_or_hostile_file_is_named_for_what_it_is_and_stays() {
    let home = Home::new();
    let Some(identity) = prod(&home, "tok-hunter2") else { return };
    let whole = fs::read(home.alchemy(FILE)).expect("read");
    let mut flipped = whole.clone();
    *flipped.last_mut().expect("a byte") ^= 1;
    let scrypt = |work: u8| {
        let (salt, body) = ("A".repeat(22), "A".repeat(43));
        format!("age-encryption.org/v1\n-> scrypt {salt} {work}\n{body}\n--- {body}\n0123456789abcdefhunter2")
    };
    let others = home.path().join("others.age");
    let other = Home::new();
    age::identity(&other);
    age::encrypt(&home, &other.path().join("identity.txt"), &document("tok-hunter2"), &others);
    let plain = home.path().join("plain.age");
    age::encrypt(&home, identity.as_ref(), "{ \"type\": \"hunter2", &plain);
    let table = [
        (Vec::new(), "is damaged, or is no age file"),
        (b"hunter2".to_vec(), "is damaged, or is no age file"),
        (document("tok-hunter2").into_bytes(), "is damaged, or is no age file"),
        (whole[..whole.len() / 2].to_vec(), "is damaged"),
        (whole[..whole.len() - 1].to_vec(), "is damaged"),
        (flipped, "is damaged"),
        (fs::read(others).expect("read"), "is encrypted to another key"),
        (fs::read(plain).expect("read"), "is not valid JSON"),
        (scrypt(30).into_bytes(), "asks for 2^30 steps of work"),
        (b"age-encryption.org/v9\n-> X\n\n--- AAAA\nhunter2".to_vec(), "is "),
    ];
    for (bytes, words) in table {
        fs::write(home.alchemy(FILE), &bytes).expect("written");
        run(&mut with_passphrase(&home, &["token", "prod"])).expect_only_error(1, words);
        assert_eq!(fs::read(home.alchemy(FILE)).expect("read"), bytes);
    }
    // Setting it up again mends it.
    configure(&home, "tok-hunter2-new", &["--identity", &identity]).expect_code(0);
    assert_eq!(token(&home), "tok-hunter2-new");
}

#[test]
fn an_identity_that_cannot_be_used_is_refused_before_anything_is_made() {
    let home = Home::new();
    let path = |name: &str| home.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::write(path("empty"), "").expect("written");
    fs::write(path("text"), "hunter2\n").expect("written");
    fs::write(path("large"), "x".repeat(100_000)).expect("written");
    let mut table =
        vec![("missing", "does not exist"), ("text", "is neither an SSH key nor an age identity")];
    table.extend([("empty", "holds no identity"), ("large", "is too large for one")]);
    if let Some(key) = age::ssh_key(&home, "ecdsa", "") {
        table.push(("id_ecdsa", "is an SSH key of a kind that age cannot use"));
        assert!(key.exists());
    }
    for (name, words) in table {
        configure(&home, "tok-hunter2", &["--identity", &path(name)]).expect_only_error(1, words);
        assert!(!home.alchemy("config.json").exists());
    }
    for (flags, words) in [
        (&["--identity", "x", "--store", "file"][..], "--store is another than the one"),
        (&["--identity", "x", "--read-command", "y"], "--identity is for the store encrypted"),
    ] {
        configure(&home, "tok-hunter2", flags).expect_only_error(2, words);
    }
}

#[test]
fn twenty_at_once_with_a_grant_that_has_run_out_make_one_request() {
    let online = SignedIn::new();
    let Some((old, identity)) = online.encrypted_profile(0) else { return };
    let gate = online.server.gate(Moment::Received);
    let (outputs, said) = online.crowd(20, &["token", "prod"], gate);
    assert!(said.is_empty(), "{said:?}");
    assert!(outputs.iter().all(|output| output.code == 0 && output.stdout == outputs[0].stdout));
    assert_eq!((online.server.refreshes(), online.server.state_of(&old.refresh)), (1, State::Spent));
    let kept = age::decrypt(&online.home, &identity, &online.home.alchemy(FILE)).expect_code(0).stdout;
    let pair = pair_of(&serde_json::from_str(&kept).expect("JSON"));
    assert_eq!(
        (pair.access.as_str(), online.server.state_of(&pair.refresh)),
        (outputs[0].stdout.trim_end(), State::Live)
    );
    assert!(!in_a_file(&online.home, &pair.access));
}

#[test]
fn a_public_key_that_is_none_is_found_before_the_refresh_token_is_spent() {
    let online = SignedIn::new();
    let Some((pair, _)) = online.encrypted_profile(0) else { return };
    let mut config: Value = serde_json::from_str(&online.home.read("config.json")).expect("JSON");
    config["profiles"]["prod"]["cloudflare"]["encryptedTo"]["recipients"] = vec!["age1nonsense"].into();
    online.home.write("config.json", &config.to_string());
    online.run(&["token", "prod"]).expect_only_error(1, "'age1nonsense' is no public key");
    assert_eq!(online.server.state_of(&pair.refresh), State::Live);
}

#[test]
fn a_pair_that_the_store_refuses_waits_encrypted_and_comes_home() {
    let online = SignedIn::new();
    let Some((_, identity)) = online.encrypted_profile(0) else { return };
    let (file, target) = (online.home.alchemy(FILE), online.home.path().join("x".repeat(255)));
    // The name of its file is as long as a name can be, which leaves none for a temporary file beside it.
    fs::rename(&file, &target).expect("moved");
    symlink(&target, &file).expect("a link");
    let output = online.run(&["token", "prod"]).expect_code(0);
    assert!(output.stderr.contains("could not be kept in the encrypted store"), "{}", output.stderr);
    let rescue = online.home.alchemy("rescue/prod");
    let waits = age::decrypt(&online.home, &identity, &rescue).expect_code(0).stdout;
    assert!(waits.contains(output.stdout.trim_end()));
    assert_eq!(fs::metadata(&rescue).expect("a file").mode() & 0o777, 0o600);

    fs::rename(&target, &file).expect("moved back");
    let again = online.run(&["token", "prod"]).expect_code(0);
    assert!(again.stderr.contains("is in its store again"), "{}", again.stderr);
    assert_eq!((again.stdout, online.server.refreshes()), (output.stdout, 1));
    assert!(!rescue.exists());
}

#[test]
fn a_profile_changes_its_store_is_renamed_signed_out_and_deleted_without_a_trace() {
    let home = Home::new();
    home.token_profile("prod", "tok-hunter2-file");
    let Some(identity) = prod(&home, "tok-hunter2") else { return };
    assert!(!home.alchemy("credentials/prod").exists() && !in_a_file(&home, "tok-hunter2-file"));
    home.run(&["profile", "rename", "prod", "live"]).expect_code(0);
    assert!(!home.alchemy(FILE).exists());
    assert_eq!(home.run(&["token", "live"]).expect_code(0).stdout, "tok-hunter2\n");
    home.run(&["profile", "rename", "live", "prod"]).expect_code(0);
    configure(&home, "tok-hunter2-file", &["--store", "file"]).expect_code(0);
    assert_eq!(token(&home), "tok-hunter2-file");
    assert!(!home.alchemy(FILE).exists());
    assert_eq!(
        (&config(&home)["credentialStore"], &config(&home)["encryptedTo"]),
        (&Value::Null, &Value::Null)
    );
    configure(&home, "tok-hunter2", &["--identity", &identity]).expect_code(0);
    home.run(&["profile", "delete", "prod", "--yes"]).expect_code(0);
    assert!(!home.alchemy(FILE).exists());

    let online = SignedIn::new();
    let Some((pair, _)) = online.encrypted_profile(3600) else { return };
    online.run(&["logout", "prod"]).expect_code(0);
    assert!(online.server.state_of(&pair.refresh) != State::Live && !online.home.alchemy(FILE).exists());
    online.run(&["token", "prod"]).expect_error(1, "is missing from the encrypted store");
}

#[test]
fn a_newer_sign_in_by_npm_is_encrypted_and_its_file_removed() {
    let home = Home::new();
    let Some(identity) = prod(&home, "tok-hunter2") else { return };
    home.write_private("credentials/prod/cloudflare.json", &document("tok-hunter2-npm"));
    let output = home.run(&["token", "prod"]).expect_code(0);
    assert_eq!(output.stdout, "tok-hunter2-npm\n");
    assert!(output.stderr.contains("into the encrypted store"), "{}", output.stderr);
    assert!(!in_a_file(&home, "tok-hunter2-npm"));
    let opened = age::decrypt(&home, Path::new(&identity), &home.alchemy(FILE)).expect_code(0);
    assert_eq!(opened.stdout, document("tok-hunter2-npm"));
}
