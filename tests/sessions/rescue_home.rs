//! What is beside a store and newer than what is in it (a rescue file, a sign-in by npm, a copy of a killed
//! move) is never lost: it is brought home first, and where that cannot be, nothing is changed.

use std::fs;

use alchemy::digest::sha256_hex;
use serde_json::{Value, json};
use support::age::{self, COMMAND};
use support::{ACME, Home, run, run_with_input};

const OLD: &str = "tok-hunter2-old";
const NEW: &str = "tok-hunter2-new";
const RENAME: [&str; 4] = ["profile", "rename", "prod", "live"];

/// The document of the token [`NEW`], as it waits for the place of [`OLD`].
fn waiting() -> String {
    json!({ "type": "api-token", "apiToken": NEW, "replaces": sha256_hex(OLD) }).to_string()
}

fn rescue(home: &Home) {
    home.write_private("rescue/prod", &waiting());
}

/// `prod` with the token [`OLD`], kept by commands in plain files.
fn by_commands() -> Home {
    let home = Home::new();
    let arguments = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
    let mut command = home.alchemy_command(&arguments);
    command.args(["--read-command", "cat vault-{profile}", "--write-command", "cat >vault-{profile}"]);
    run_with_input(command.args(["--delete-command", "rm vault-{profile}"]), OLD).expect_code(0);
    home
}

/// From now on `prod` is written by this command.
fn write_by(home: &Home, command: &str) {
    let mut config: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    config["profiles"]["prod"]["cloudflare"]["commands"]["write"] = command.into();
    home.write("config.json", &config.to_string());
}

#[track_caller]
fn expect_token(home: &Home, profile: &str, token: &str) {
    assert_eq!(home.run(&["token", profile]).expect_code(0).stdout.trim_end(), token);
    assert!(!home.alchemy("rescue").join(profile).exists());
}

#[test]
fn what_waits_in_a_rescue_file_goes_along_when_a_profile_is_renamed() {
    let in_a_file = Home::new();
    in_a_file.token_profile("prod", OLD);
    for home in [in_a_file, by_commands()] {
        rescue(&home);
        home.run(&RENAME).expect_code(0);
        assert!(!home.alchemy("rescue/prod").exists());
        expect_token(&home, "live", NEW);
    }
}

#[test]
fn a_newer_sign_in_by_npm_goes_along_when_a_profile_is_renamed() {
    let home = by_commands();
    let document = json!({ "type": "api-token", "apiToken": NEW }).to_string();
    home.write_private("credentials/prod/cloudflare.json", &document);
    let output = home.run(&RENAME).expect_code(0);
    assert!(output.stderr.contains("moved a newer credential of profile 'prod'"), "{}", output.stderr);
    assert!(!home.alchemy("credentials/prod").join("cloudflare.json").exists());
    expect_token(&home, "live", NEW);
}

#[test]
fn the_copy_that_a_killed_move_has_left_is_wiped_when_a_profile_is_renamed() {
    let home = by_commands();
    let config: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    let commands = &config["profiles"]["prod"]["cloudflare"]["commands"];
    let note = json!({ "left": { "store": "command", "commands": commands } }).to_string();
    home.token_profile("prod", OLD);
    home.write_private("lock/native/prod", &note);
    home.run(&RENAME).expect_code(0);
    assert!(!home.path().join("vault-prod").exists());
    expect_token(&home, "live", OLD);
}

#[test]
fn a_profile_whose_newest_credential_cannot_be_brought_home_keeps_its_name() {
    let home = by_commands();
    write_by(&home, "false");
    rescue(&home);
    let before = home.snapshot();
    let path = home.alchemy("rescue/prod").display().to_string();
    home.run(&RENAME).expect_only_error(1, &path).expect_hint("alchemy doctor");
    // One of a profile that is gone is nobody's to take.
    fs::rename(home.alchemy("rescue/prod"), home.alchemy("rescue/live")).expect("moved");
    home.run(&RENAME).expect_only_error(1, &home.alchemy("rescue/live").display().to_string());
    fs::rename(home.alchemy("rescue/live"), home.alchemy("rescue/prod")).expect("moved back");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_store_that_has_nothing_whole_is_mended_by_the_rescue_file() {
    // A command that takes what it is given, leaves a part of it, and fails.
    let truncates = |kept: &str| format!("cat >/dev/null; printf %s '{kept}' >vault-prod; exit 1");
    for torn in ["", "{\"type\":"] {
        let home = by_commands();
        write_by(&home, &truncates(torn));
        fs::write(home.path().join("vault-prod"), torn).expect("written");
        rescue(&home);
        // Meanwhile it serves from where it is.
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout.trim_end(), NEW);
        assert!(home.alchemy("rescue/prod").exists());
        home.run(&RENAME).expect_only_error(1, &home.alchemy("rescue/prod").display().to_string());
        write_by(&home, "cat >vault-{profile}");
        let output = home.run(&["token", "prod"]).expect_code(0);
        assert!(output.stderr.contains("is in its store again"), "{}", output.stderr);
        expect_token(&home, "prod", NEW);
        home.run(&RENAME).expect_code(0);
        expect_token(&home, "live", NEW);
    }
    let home = Home::new();
    home.token_profile("prod", OLD);
    let document = "credentials/prod/cloudflare.json";
    for torn in [Some("{\"type\": \"api-token\", \"apiT"), None] {
        match torn {
            Some(torn) => home.write_private(document, torn),
            None => fs::remove_file(home.alchemy(document)).expect("removed"),
        }
        rescue(&home);
        expect_token(&home, "prod", NEW);
        assert!(home.read(document).contains(NEW));
    }
}

#[test]
fn doctor_names_a_command_that_brings_an_api_token_home() {
    let home = Home::new();
    home.token_profile("prod", OLD);
    rescue(&home);
    let said = home.run(&["doctor"]);
    let said = format!("{}{}", said.stdout, said.stderr);
    assert!(said.contains("a newer credential of profile 'prod' waits in"), "{said}");
    assert!(said.contains("alchemy doctor --fix") && !said.contains("profile refresh prod"), "{said}");
    home.run(&["doctor", "--fix"]);
    expect_token(&home, "prod", NEW);
}

/// `prod` with the token [`OLD`], encrypted to an identity of age's.
fn encrypted() -> Option<Home> {
    let home = Home::new();
    let identity = age::identity(&home)?;
    let arguments = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
    let mut command = home.alchemy_command(&arguments);
    run_with_input(command.arg("--identity").arg(&identity), OLD).expect_code(0);
    Some(home)
}

/// No command uses the old token, and none removes the file that may hold the new one.
#[track_caller]
fn expect_refused(home: &Home, words: &str, hint: &str) {
    let path = home.alchemy("rescue/prod");
    let before = fs::read(&path).expect("read");
    for arguments in [&["token", "prod"][..], &["profile", "move", "prod", "--store", "file"], &RENAME] {
        let output = home.run(arguments).expect_only_error(1, &path.display().to_string());
        let output = output.expect_hint(hint);
        assert!(output.stderr.contains(words), "{}", output.stderr);
        assert_eq!(fs::read(&path).expect("it is still there"), before);
    }
}

#[test]
fn a_rescue_file_that_cannot_be_decrypted_is_named_and_kept() {
    let (Some(home), Some(other)) = (encrypted(), encrypted()) else { return };
    let path = home.alchemy("rescue/prod");
    age::encrypt(&home, &other.path().join("identity.txt"), &waiting(), &path);
    expect_refused(&home, "is encrypted to another key", "alchemy configure -p prod");
    fs::remove_file(&path).expect("removed");
    age::encrypt_to_passphrase(&home, &waiting(), &path);
    expect_refused(&home, "cannot ask for passphrase", "ALCHEMY_PASSPHRASE_FD");
    for arguments in [["unlock", "prod"], ["token", "prod"]] {
        let mut command = home.alchemy_command(&arguments);
        run(command.env(COMMAND, "echo hunter2 of a person").env("ALCHEMY_KEEP", "0")).expect_code(0);
    }
    expect_token(&home, "prod", NEW);
}
