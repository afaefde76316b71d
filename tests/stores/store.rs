//! What is kept in `~/.alchemy`, and how: the npm package's version-1 schema, fields that are not
//! ours, modes, links, names that only npm lets through, and version 2's profiles beside it all.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use nix::sys::stat::Mode;
use serde_json::{Value, json};
use support::age;
use support::keyring::{BUS, Keyring};
use support::{ACME, ALCHEMY, BETA, Home, Output, has, run, run_with_input};

const CREDENTIAL: &str = "credentials/prod/cloudflare.json";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode set");
}

/// What a command printed as JSON.
#[track_caller]
fn json_of(output: Output) -> Value {
    serde_json::from_str(&output.expect_code(0).stdout).expect("JSON")
}

/// A document of npm's version 2 for a profile with an API token, of the account [`BETA`].
fn version_2(home: &Home, name: &str, token: &str) {
    let values =
        json!({ "method": "stored", "credentialType": "apiToken", "apiToken": token, "accountId": BETA });
    let document = json!({
        "format": "alchemy.profile/v1", "provider": "Cloudflare", "metadata": {}, "values": values
    });
    home.write_private(&format!("profiles/{name}/cloudflare.json"), &format!("{document:#}"));
}

// --- the documents ---

#[test]
fn documents_are_those_of_npm_version_1_to_the_byte() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home.key_profile("legacy", "key-example", "me@example.com");
    let config = r#"{
  "version": 1,
  "profiles": {
    "prod": {
      "cloudflare": {
        "method": "api-token",
        "metadata": {
          "id": "0123456789abcdef0123456789abcdef",
          "name": "Acme"
        }
      }
    },
    "legacy": {
      "cloudflare": {
        "method": "api-key",
        "metadata": {
          "id": "0123456789abcdef0123456789abcdef",
          "name": ""
        }
      }
    }
  }
}"#;
    assert_eq!(home.read("config.json"), config);
    assert_eq!(home.read(CREDENTIAL), "{\n  \"type\": \"api-token\",\n  \"apiToken\": \"tok-example\"\n}");
    assert_eq!(
        home.read("credentials/legacy/cloudflare.json"),
        "{\n  \"type\": \"api-key\",\n  \"apiKey\": \"key-example\",\n  \"email\": \"me@example.com\"\n}"
    );
}

#[test]
fn files_are_0600_in_folders_of_0700_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let home = Home::new();
        let line = format!("umask {umask}; exec \"$0\" \"$@\"");
        let mut command = home.command("sh");
        command.args(["-c", &line, support::ALCHEMY, "configure", "-p", "prod", "--token-stdin"]);
        command.args(["--no-verify", "--account", ACME, "--store", "file"]);
        run_with_input(&mut command, "tok").expect_code(0);
        let folders = ["", "credentials", "credentials/prod", "lock", "lock/native"];
        for folder in folders {
            assert_eq!(mode(&home.alchemy(folder)) & 0o077, 0, "{umask} {folder}");
        }
        for file in ["config.json", CREDENTIAL, "lock/config", "lock/native/prod"] {
            assert_eq!(mode(&home.alchemy(file)) & 0o077, 0, "{umask} {file}");
        }
        assert_eq!((mode(&home.alchemy(CREDENTIAL)), mode(&home.alchemy("config.json"))), (0o600, 0o600));
    }
}

#[test]
fn a_credential_that_others_could_read_is_made_private_and_that_is_said() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    let credential = home.alchemy(CREDENTIAL);
    for loose in [0o644, 0o660, 0o601] {
        set_mode(&credential, loose);
        let output = home.run(&["token", "prod"]).expect_code(0);
        assert_eq!(output.stdout, "tok-example\n");
        assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
        assert!(output.stderr.contains(CREDENTIAL) && output.stderr.contains("0600"), "{}", output.stderr);
        assert_eq!(mode(&credential), 0o600);
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stderr, "", "said once");
    }
    // Npm makes its folders 0755; the next write closes those of the credentials.
    set_mode(&home.alchemy("credentials"), 0o755);
    set_mode(&home.alchemy("credentials/prod"), 0o755);
    home.token_profile("prod", "tok-2");
    assert_eq!(mode(&home.alchemy("credentials")), 0o700);
    assert_eq!(mode(&home.alchemy("credentials/prod")), 0o700);
}

#[test]
fn a_secret_that_others_can_change_is_closed_to_reading_too() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    fs::hard_link(home.alchemy(CREDENTIAL), home.path().join("other-name")).expect("linked");
    set_mode(&home.alchemy(CREDENTIAL), 0o666);
    home.run(&["token", "prod"]).expect_only_error(1, "other users can change").expect_hint("chmod go= ");
}

#[test]
fn a_pipe_beside_an_encrypted_profile_is_not_waited_for_under_its_lock() {
    let home = Home::new();
    let Some(identity) = age::identity(&home) else { return };
    let configure = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME];
    let identity = ["--identity", identity.to_str().expect("text")];
    run_with_input(&mut home.alchemy_command(&[&configure[..], &identity].concat()), "tok-example")
        .expect_code(0);
    fs::create_dir_all(home.alchemy("credentials/prod")).expect("a folder");
    nix::unistd::mkfifo(&home.alchemy(CREDENTIAL), Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe");
    let mut limited = home.command("timeout");
    run(limited.args(["20", support::ALCHEMY, "token", "prod"]))
        .expect_only_error(1, "it is no regular file");
}

/// A `config.json` as another program, or a later version of this one, could leave it.
const FOREIGN: &str = r#"{
  "$schema": "https://example.com/schema.json",
  "version": 1,
  "zeta": [1, 2.5, null, {"deep": "é\u001b"}],
  "profiles": {
    "other": {
      "aws": {"method": "sso", "metadata": {"region": "eu-1"}},
      "cloudflare": {"method": "oauth", "metadata": {"id": "fedcba9876543210fedcba9876543210", "name": "Beta", "plan": "pro"}, "scopes": ["account:read"], "x": 1}
    },
    "prod": {
      "before": {"anything": true},
      "cloudflare": {
        "ours-later": {"a": 1},
        "metadata": {"plan": "free", "name": "Old", "id": "fedcba9876543210fedcba9876543210"},
        "method": "api-token",
        "confirm": true
      },
      "after": "a string"
    },
    "empty": {},
    "third": {"aws": {"method": "keys"}, "cloudflare": {"method": "api-token", "metadata": {"id": "0123456789abcdef0123456789abcdef", "name": "C"}}}
  },
  "alpha": false
}"#;

fn foreign() -> Home {
    let home = Home::new();
    home.write("config.json", FOREIGN);
    home.write(CREDENTIAL, "{\"type\":\"api-token\",\"apiToken\":\"tok-old\",\"note\":\"mine\"}");
    home.write("credentials/third/cloudflare.json", "{\"type\":\"api-token\",\"apiToken\":\"tok-3\"}");
    for name in ["prod", "third"] {
        set_mode(&home.alchemy(&format!("credentials/{name}/cloudflare.json")), 0o600);
    }
    home
}

/// The order of the fields counts: both are compared as they are written.
#[track_caller]
fn assert_config(home: &Home, change: impl FnOnce(&mut Value)) {
    let mut expected: Value = serde_json::from_str(FOREIGN).expect("JSON");
    take_mark(&mut expected, "prod");
    change(&mut expected);
    assert_eq!(home.read("config.json"), format!("{expected:#}"));
}

/// The mark that restricts a profile has gone over into a file of our own.
fn take_mark(config: &mut Value, name: &str) {
    config["profiles"][name]["cloudflare"].as_object_mut().expect("an object").shift_remove("confirm");
}

#[test]
fn configure_keeps_every_field_that_is_not_its_own_and_their_order() {
    let home = foreign();
    home.token_profile("prod", "tok-new");
    assert_config(&home, |config| {
        let metadata = &mut config["profiles"]["prod"]["cloudflare"]["metadata"];
        metadata["id"] = ACME.into();
        metadata["name"] = "Acme".into();
    });
}

#[test]
fn profile_set_keeps_every_field_that_is_not_its_own_and_their_order() {
    let home = foreign();
    home.run(&["profile", "set", "prod", "--account-name", "New", "--also", "CF_API_TOKEN"]).expect_code(0);
    assert_config(&home, |config| {
        let entry = &mut config["profiles"]["prod"]["cloudflare"];
        entry["metadata"]["name"] = "New".into();
        entry["also"] = json!(["CF_API_TOKEN"]);
    });
    home.run(&["profile", "set", "prod", "--account", ACME, "--no-verify", "--no-also"]).expect_code(0);
    assert_config(&home, |config| {
        let metadata = &mut config["profiles"]["prod"]["cloudflare"]["metadata"];
        metadata["id"] = ACME.into();
        // The name belonged to the other account.
        metadata["name"] = "".into();
    });
}

#[test]
fn rename_keeps_every_field_and_the_profiles_place() {
    let home = foreign();
    home.run(&["profile", "rename", "prod", "live"]).expect_code(0);
    let renamed = FOREIGN.replace("\"prod\":", "\"live\":");
    let mut expected: Value = serde_json::from_str(&renamed).expect("JSON");
    take_mark(&mut expected, "live");
    assert_eq!(home.read("config.json"), format!("{expected:#}"));
    assert!(home.read("credentials/live/cloudflare.json").contains("\"note\":\"mine\""));
    assert!(!home.alchemy("credentials/prod").exists());
}

#[test]
fn deleting_a_profile_leaves_the_others_and_its_other_providers() {
    let home = foreign();
    home.run(&["profile", "delete", "third", "--yes"]).expect_code(0);
    home.run(&["profile", "delete", "prod", "--yes"]).expect_code(0);
    assert_config(&home, |config| {
        for name in ["third", "prod"] {
            config["profiles"][name].as_object_mut().expect("an object").shift_remove("cloudflare");
        }
    });
    assert!(!home.alchemy("credentials/prod").exists() && !home.alchemy("credentials/third").exists());
    // A profile that is only Cloudflare's goes altogether.
    home.token_profile("mine", "tok");
    home.run(&["profile", "delete", "mine", "--yes"]).expect_code(0);
    assert!(!home.read("config.json").contains("\"mine\""));
}

/// A home in which a rename of `old` was killed when `config.json` had `new`, and both were there.
fn half_renamed(store: &[&str]) -> Option<Home> {
    if !has("strace") {
        return None;
    }
    for number in 1.. {
        let home = Home::new();
        age::identity(&home)?;
        let configure = ["configure", "-p", "old", "--token-stdin", "--no-verify", "--account", ACME];
        home.run_with_input(&[&configure[..], store].concat(), "tok-example").expect_code(0);
        let injection = format!("unlink,rmdir:signal=SIGKILL:when={number}");
        let output = support::run(&mut home.struck(&injection, &["profile", "rename", "old", "new"]));
        output.expect_code(137);
        if home.read("config.json").contains("\"new\"") {
            return Some(home);
        }
    }
    None
}

#[test]
fn a_rename_that_was_killed_at_its_end_is_ended_by_the_same_once_more() {
    let commands = ["--read-command", "cat kept-{profile}", "--write-command", "cat >kept-{profile}"];
    let commands = [&commands[..], &["--delete-command", "rm kept-{profile}"]].concat();
    let encrypted = ["--store", "encrypted", "--identity", "identity.txt"];
    let stores: [(&[&str], &str); 3] = [
        (&["--store", "file"], ".alchemy/credentials/old/cloudflare.json"),
        (&encrypted, ".alchemy/encrypted/old.age"),
        (&commands, "kept-old"),
    ];
    for (store, left) in stores {
        let Some(home) = half_renamed(store) else { return };
        let left = home.path().join(left);
        assert!(left.exists(), "{store:?}");
        home.run(&["profile", "rename", "old", "nowhere"]).expect_code(1);
        home.run(&["profile", "rename", "old", "new"]).expect_code(0);
        assert!(!left.exists(), "{store:?}");
        assert_eq!(home.run(&["token", "new"]).expect_code(0).stdout, "tok-example\n");
        // Done is done.
        home.run(&["profile", "rename", "old", "new"]).expect_only_error(1, "there is no profile 'old'");
    }
    // Another credential is nobody's copy.
    let Some(home) = half_renamed(&["--store", "file"]) else { return };
    let left = "credentials/old/cloudflare.json";
    home.write_private(left, &age::document("tok-other"));
    home.run(&["profile", "rename", "old", "new"]).expect_only_error(1, "there is no profile 'old'");
    assert!(home.alchemy(left).exists());
}

#[test]
fn a_rename_that_cannot_be_done_says_why_and_changes_nothing() {
    let keyring = Keyring::start();
    let home = Home::new();
    if age::identity(&home).is_none() {
        return;
    }
    let run = |arguments: &[&str], input: &str| {
        let mut command = home.alchemy_command(arguments);
        command.envs(keyring.iter().map(|keyring| (BUS, keyring.address())));
        run_with_input(&mut command, input)
    };
    // Its commands write down that they have run.
    let read = "echo {profile} >>\"$HOME/ran\"; cat kept-{profile}";
    let commands = ["--read-command", read, "--write-command", "cat >kept-{profile}"];
    let stores: [(&str, &[&str]); 4] = [
        ("in-file", &["--store", "file"]),
        ("in-age", &["--store", "encrypted", "--identity", "identity.txt"]),
        ("in-command", &commands),
        ("in-keyring", &["--store", "keyring"]),
    ];
    let stores = &stores[..if keyring.is_some() { 4 } else { 3 }];
    for (name, store) in stores {
        let configure = ["configure", "-p", name, "--token-stdin", "--no-verify", "--account", ACME];
        run(&[&configure[..], store].concat(), "tok-example").expect_code(0);
    }
    version_2(&home, "in-npm", "tok-example");
    home.token_profile("signed-out", "tok-example");
    fs::remove_dir_all(home.alchemy("credentials/signed-out")).expect("removed");
    fs::remove_file(home.path().join("ran")).expect("removed");
    let existing: Vec<&str> = stores.iter().map(|(name, _)| *name).chain(["in-npm", "signed-out"]).collect();
    let before = home.snapshot();
    for from in existing.iter().copied().chain(["mistyped"]) {
        for to in existing.iter().copied().chain(["free"]).filter(|to| *to != from) {
            let (words, hint) = match (from, to) {
                ("mistyped", _) => ("there is no profile 'mistyped'".to_owned(), "alchemy list"),
                ("in-npm", _) => ("profile 'in-npm' is kept by npm".to_owned(), "npx alchemy profile"),
                (_, "free") => continue, // that can be done
                (_, "in-npm") => (format!("there is already a profile '{to}'"), "npx alchemy profile"),
                _ => (format!("there is already a profile '{to}'"), "alchemy profile delete"),
            };
            run(&["profile", "rename", from, to], "").expect_only_error(1, &words).expect_hint(hint);
            assert_eq!(home.snapshot(), before, "{from} {to}");
        }
    }
    let ran = fs::read_to_string(home.path().join("ran")).unwrap_or_default();
    assert!(!ran.contains("mistyped") && !ran.contains("in-npm"), "{ran}");
    // Each can be had still, and renamed.
    for (name, _) in stores {
        run(&["profile", "rename", name, "free"], "").expect_code(0);
        assert_eq!(run(&["token", "free"], "").expect_code(0).stdout, "tok-example\n");
        run(&["profile", "rename", "free", name], "").expect_code(0);
    }
    run(&["profile", "rename", "signed-out", "free"], "").expect_code(0);
    run(&["token", "free"], "").expect_only_error(1, "is missing");
}

#[test]
fn a_renamed_profile_owns_nothing_that_lay_under_its_new_name() {
    let documents = ["cloudflare.json", "native.json", ".cloudflare.json.aside.tmp"];
    let stray = |home: &Home| {
        for document in documents {
            home.write_private(&format!("credentials/new/{document}"), &age::document("tok-stranger"));
        }
        home.write_private("encrypted/new.age", "sealed");
    };
    let no_stray = |home: &Home| {
        let left = home.snapshot().into_iter().filter(|(_, (_, content))| {
            String::from_utf8_lossy(content).contains("tok-stranger") || content == b"sealed"
        });
        let left: Vec<_> = left.map(|(path, _)| path).filter(|path| !path.ends_with("new.age")).collect();
        assert!(left.is_empty(), "{left:?}");
    };
    let home = Home::new();
    home.token_profile("old", "tok-example");
    stray(&home);
    home.run(&["profile", "rename", "old", "new"]).expect_code(0);
    assert_eq!(home.run(&["token", "new"]).expect_code(0).stdout, "tok-example\n");
    let without = || {
        let home = Home::new();
        home.token_profile("old", "tok-example");
        fs::remove_file(home.alchemy("credentials/old/cloudflare.json")).expect("removed");
        home
    };
    let home = without();
    stray(&home);
    home.run(&["profile", "rename", "old", "new"]).expect_code(0);
    home.run(&["token", "new"]).expect_only_error(1, "is missing");
    no_stray(&home);

    // Items: of the command store, which is as the keyring.
    for (has_own, kept) in [(true, Some("tok-example\n")), (false, None)] {
        let home = Home::new();
        let read = "cat vault-{profile} 2>/dev/null || true";
        let commands = ["--read-command", read, "--write-command", "cat >vault-{profile}"];
        let delete = ["--delete-command", "rm vault-{profile}"];
        let configure = ["configure", "-p", "old", "--token-stdin", "--no-verify", "--account", ACME];
        let configure = [&configure[..], &commands, &delete].concat();
        run_with_input(&mut home.alchemy_command(&configure), "tok-example").expect_code(0);
        if !has_own {
            fs::remove_file(home.path().join("vault-old")).expect("removed");
        }
        stray(&home);
        fs::write(home.path().join("vault-new"), age::document("tok-stranger")).expect("written");
        home.run(&["profile", "rename", "old", "new"]).expect_code(0);
        let token = home.run(&["token", "new"]);
        match kept {
            Some(kept) => assert_eq!(token.expect_code(0).stdout, kept),
            None => drop(token.expect_only_error(1, "is missing")),
        }
        no_stray(&home);
        assert_eq!(home.path().join("vault-new").exists(), has_own);
    }

    for has_own in [true, false] {
        let home = Home::new();
        let Some(identity) = age::identity(&home) else { return };
        let configure = ["configure", "-p", "old", "--token-stdin", "--no-verify", "--account", ACME];
        let identity = ["--identity", identity.to_str().expect("text")];
        run_with_input(&mut home.alchemy_command(&[&configure[..], &identity].concat()), "tok-example")
            .expect_code(0);
        if !has_own {
            fs::remove_file(home.alchemy("encrypted/old.age")).expect("removed");
        }
        stray(&home);
        home.run(&["profile", "rename", "old", "new"]).expect_code(0);
        let token = home.run(&["token", "new"]);
        if has_own {
            assert_eq!(token.expect_code(0).stdout, "tok-example\n");
        } else {
            drop(token.expect_only_error(1, "is missing"));
        }
        no_stray(&home);
        assert_eq!(home.alchemy("encrypted/new.age").exists(), has_own);
    }
}

#[test]
fn a_deleted_or_renamed_profile_leaves_no_secret_that_a_killed_write_had_left() {
    for arguments in [&["profile", "delete", "prod", "--yes"][..], &["profile", "rename", "prod", "live"]] {
        let home = Home::new();
        home.token_profile("prod", "tok-example");
        home.write("credentials/prod/.cloudflare.json.Ab12Cd.tmp", "tok-half");
        home.run(arguments).expect_code(0);
        assert!(!home.alchemy("credentials/prod").exists(), "{arguments:?}");
        assert!(!home.snapshot().values().any(|(_, content)| content == b"tok-half"));
    }
}

#[test]
fn a_change_of_the_method_takes_the_old_methods_fields_away() {
    let home = foreign();
    home.token_profile("other", "tok-other"); // was an OAuth grant
    let config: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    let entry = &config["profiles"]["other"]["cloudflare"];
    assert_eq!(entry["method"], "api-token");
    assert!(entry.get("scopes").is_none(), "npm keeps scopes with a grant only: {entry}");
    assert_eq!(entry["x"], 1);
    home.key_profile("other", "key", "me@example.com");
    assert!(!home.read("credentials/other/cloudflare.json").contains("tok-other"));
}

#[test]
fn symbolic_links_stay_links() {
    let home = foreign();
    let elsewhere = home.path().join("dotfiles");
    fs::create_dir(&elsewhere).expect("a folder");
    for (link, target) in [("config.json", "alchemy.json"), (CREDENTIAL, "credential.json")] {
        fs::rename(home.alchemy(link), elsewhere.join(target)).expect("moved");
        std::os::unix::fs::symlink(elsewhere.join(target), home.alchemy(link)).expect("a link");
    }
    home.token_profile("prod", "tok-new");
    home.run(&["profile", "set", "third", "--account-name", "Linked"]).expect_code(0);
    for link in ["config.json", CREDENTIAL] {
        assert!(fs::symlink_metadata(home.alchemy(link)).expect("metadata").is_symlink(), "{link}");
    }
    assert!(fs::read_to_string(elsewhere.join("alchemy.json")).expect("read").contains("Linked"));
    assert!(fs::read_to_string(elsewhere.join("credential.json")).expect("read").contains("tok-new"));
    assert_eq!(home.run(&["token", "prod", "--yes"]).expect_code(0).stdout, "tok-new\n");
}

/// Has a document be a link to a file, which gets its content.
fn link(home: &Home, below: &str, file: &Path) {
    fs::rename(home.alchemy(below), file).expect("moved");
    std::os::unix::fs::symlink(file, home.alchemy(below)).expect("a link");
}

#[test]
fn what_a_link_leads_to_goes_with_the_credential() {
    let encrypted = ["--store", "encrypted", "--identity", "identity.txt"];
    let moving = [&["profile", "move", "prod"][..], &encrypted].concat();
    let configure = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--yes", "--account", ACME];
    let configure = [&configure[..], &encrypted].concat();
    for change in [
        &["profile", "delete", "prod", "--yes"][..],
        &["profile", "rename", "prod", "x"],
        &moving,
        &configure,
    ] {
        let home = Home::new();
        if age::identity(&home).is_none() {
            return;
        }
        home.token_profile("prod", "tok-old");
        let file = home.path().join("credential.json");
        link(&home, CREDENTIAL, &file);
        // By a link that leads to a link.
        let between = home.path().join("between");
        std::os::unix::fs::symlink(&file, &between).expect("a link");
        fs::remove_file(home.alchemy(CREDENTIAL)).expect("removed");
        std::os::unix::fs::symlink(&between, home.alchemy(CREDENTIAL)).expect("a link");
        let said = home.run_with_input(change, "tok-new").expect_code(0).stderr;
        assert!(!file.exists() && !home.alchemy(CREDENTIAL).is_symlink(), "{change:?}: {said}");
        assert!(!said.contains("still in"), "{said}");
    }
    // An encrypted one, and one that npm has put beside it.
    let home = Home::new();
    let files = ["sealed", "newer"].map(|name| home.path().join(name));
    let commands = ["--read-command", "cat {profile}", "--write-command", "cat >{profile}"];
    age::identity(&home);
    home.run_with_input(&configure, "tok-old").expect_code(0);
    link(&home, "encrypted/prod.age", &files[0]);
    let by_command = ["configure", "-p", "other", "--token-stdin", "--no-verify", "--account", ACME];
    home.run_with_input(&[&by_command[..], &commands].concat(), "tok-old").expect_code(0);
    home.write_private("credentials/other/cloudflare.json", &age::document("tok-newer"));
    link(&home, "credentials/other/cloudflare.json", &files[1]);
    assert_eq!(home.run(&["token", "other"]).expect_code(0).stdout, "tok-newer\n");
    home.run(&["profile", "delete", "prod", "--yes"]).expect_code(0);
    assert!(files.iter().all(|file| !file.exists()));
}

#[test]
fn what_a_link_leads_to_and_is_not_ours_alone_stays_and_is_said() {
    let delete = ["profile", "delete", "prod", "--yes", "--quiet"];
    let home = Home::new();
    home.token_profile("prod", "tok-old");
    let file = home.path().join("credential.json");
    link(&home, CREDENTIAL, &file);
    fs::hard_link(&file, home.path().join("other")).expect("a second name");
    let said = home.run(&delete).expect_code(0).stderr;
    let words = format!("an old credential is still in {}", fs::canonicalize(&file).expect("real").display());
    assert!(said.contains(&words) && said.contains("it has other names"), "{said}");
    assert!(file.exists());
    // Another profile's.
    let home = Home::new();
    home.token_profile("live", "tok-old");
    home.token_profile("prod", "tok-old");
    fs::remove_file(home.alchemy(CREDENTIAL)).expect("removed");
    std::os::unix::fs::symlink("../live/cloudflare.json", home.alchemy(CREDENTIAL)).expect("a link");
    let said = home.run(&delete).expect_code(0).stderr;
    assert!(
        said.contains("credentials/live/cloudflare.json") && said.contains("another profile's"),
        "{said}"
    );
    assert_eq!(home.run(&["token", "live"]).expect_code(0).stdout, "tok-old\n");
    // Nothing is said of what never was a file.
    let home = Home::new();
    home.token_profile("prod", "tok-old");
    fs::remove_file(home.alchemy(CREDENTIAL)).expect("removed");
    std::os::unix::fs::symlink("/dev/null", home.alchemy(CREDENTIAL)).expect("a link");
    assert_eq!(home.run(&delete).expect_code(0).stderr, "");
}

#[test]
fn a_link_that_leads_nowhere_is_an_error_and_not_an_empty_document() {
    let home = Home::new();
    fs::create_dir(home.alchemy("")).expect("a folder");
    std::os::unix::fs::symlink("not-mounted-now", home.alchemy("config.json")).expect("a link");
    let before = home.snapshot();
    home.run(&["list"]).expect_only_error(1, "no such file");
    let arguments = ["configure", "-p", "p", "--token-stdin", "--no-verify", "--account", ACME];
    home.run_with_input(&[&arguments[..], &["--store", "file"]].concat(), "tok")
        .expect_only_error(1, "no such file");
    assert_eq!(home.snapshot(), before);
}

// --- documents that are just being written ---

/// Runs `alchemy token prod` while its credential is a pipe, out of which every reading gets what
/// `contents` gives, in turn, and the last one from then on. Each has the modification time `modified`.
/// The output, and how often it was read.
fn read_from_pipe(home: &Home, contents: &[&str], modified: impl Fn() -> SystemTime) -> (Output, usize) {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = home.alchemy(CREDENTIAL);
    fs::remove_file(&path).expect("removed");
    nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe");
    let mut command = home.alchemy_command(&["token", "prod"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    // Opening the writing end without waiting fails while nobody reads.
    let open = || fs::OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(&path);
    let mut served = 0;
    while child.try_wait().expect("waited").is_none() {
        if let Ok(mut pipe) = open() {
            let content = contents[served.min(contents.len() - 1)];
            served += 1;
            // The reader can be gone again; that shows in its output.
            let _ = pipe.write_all(content.as_bytes());
            pipe.set_modified(modified()).expect("its time set");
            drop(pipe); // the end of this reading
            while child.try_wait().expect("waited").is_none() && open().is_ok() {}
        }
        std::thread::yield_now();
    }
    (support::finished(child.wait_with_output().expect("finished")), served)
}

#[test]
fn a_torn_credential_that_is_just_being_written_is_read_again() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    let whole = home.read(CREDENTIAL);
    let (output, served) = read_from_pipe(&home, &["", &whole[..20], &whole], SystemTime::now);
    assert_eq!(output.expect_code(0).stdout, "tok-example\n");
    assert!(served >= 3, "{served}");
}

#[test]
fn a_torn_credential_that_nobody_writes_is_an_error_at_once() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    let whole = home.read(CREDENTIAL);
    let old = || SystemTime::now() - Duration::from_secs(3);
    let (output, served) = read_from_pipe(&home, &[&whole[..20], &whole], old);
    output.expect_only_error(1, "is not valid JSON").expect_hint("alchemy configure -p prod");
    assert_eq!(served, 1, "no second reading");
}

#[test]
fn a_torn_credential_that_stays_torn_is_an_error_in_the_end() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home.write(CREDENTIAL, "{\"type\": \"api-to");
    set_mode(&home.alchemy(CREDENTIAL), 0o600);
    home.run(&["token", "prod"]).expect_only_error(1, "is not valid JSON");
}

// --- ALCHEMY_HOME ---

#[test]
fn alchemy_home_is_the_folder_instead_of_the_one_in_home() {
    let home = Home::new();
    home.token_profile("prod", "tok-usual");
    let other = home.path().join("other place");
    let elsewhere = |arguments: &[&str]| {
        let mut command = home.alchemy_command(arguments);
        command.env("ALCHEMY_HOME", &other);
        command
    };
    let arguments = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME];
    run_with_input(&mut elsewhere(&[&arguments[..], &["--store", "file"]].concat()), "tok-other")
        .expect_code(0);
    assert_eq!(run(&mut elsewhere(&["token", "prod"])).expect_code(0).stdout, "tok-other\n");
    assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "tok-usual\n");
    assert_eq!(mode(&other), 0o700);
    let kept = fs::read_to_string(other.join(CREDENTIAL)).expect("read");
    assert!(kept.contains("tok-other"));
    // Empty is unset; and a folder by variable needs no HOME.
    let mut command = home.alchemy_command(&["token", "prod"]);
    assert_eq!(run(command.env("ALCHEMY_HOME", "")).expect_code(0).stdout, "tok-usual\n");
    let mut command = elsewhere(&["token", "prod"]);
    assert_eq!(run(command.env("HOME", "relative")).expect_code(0).stdout, "tok-other\n");
}

// --- the commands on profiles ---

#[test]
fn list_shows_every_profile_for_people_and_for_programs() {
    let home = Home::new();
    let output = home.run(&["list"]).expect_code(0);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("alchemy configure"), "{}", output.stderr);
    assert_eq!(json_of(home.run(&["list", "--json"])), json!([]));
    assert!(!home.alchemy("").exists(), "looking makes nothing");

    home.token_profile("prod", "tok-example");
    home.key_profile("default", "key-example", "me@example.com");
    let table = format!(
        "   NAME     METHOD     ACCOUNT  ID                                STORE  SCOPES  EXPIRES\n\
         *  default  api-key             {ACME}  file           never\n   \
            prod     api-token  Acme     {ACME}  file\n"
    );
    for arguments in [&["list"][..], &["profile", "list"], &["ls"], &["profile", "ls"]] {
        let output = home.run(arguments).expect_code(0);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), (table.as_str(), ""), "{arguments:?}");
    }
    let listed = json_of(home.run(&["list", "--json"]));
    assert_eq!(
        listed[1],
        json!({
            "name": "prod", "method": "api-token", "account": { "id": ACME, "name": "Acme" },
            "store": "file", "baseUrl": null, "token": null, "also": [], "confirm": false,
            "confirm": false, "client": null, "scopes": null, "missingScopes": null, "expires": null, "expiresIn": null,
            "current": false, "shadowed": false
        })
    );
    assert_eq!((&listed[0]["name"], &listed[0]["current"]), (&json!("default"), &json!(true)));
    let mut command = home.alchemy_command(&["list", "--json"]);
    let listed = json_of(run(command.env("ALCHEMY_PROFILE", "prod")));
    assert_eq!((&listed[0]["current"], &listed[1]["current"]), (&json!(false), &json!(true)));
}

#[test]
fn show_tells_everything_but_the_secret() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home.run(&["profile", "set", "prod", "--also", "CF_API_TOKEN"]).expect_code(0);
    let shown = home.run(&["profile", "show", "prod"]).expect_code(0).stdout;
    let expected = format!(
        "profile  prod (from the command line)\n\
         method   api-token\n\
         account  Acme ({ACME})\n\
         store    file\n\
         also     CF_API_TOKEN\n"
    );
    assert_eq!(shown, expected);
    let shown = json_of(home.run(&["profile", "show", "-p", "prod", "--json"]));
    assert_eq!(
        shown,
        json!({
            "name": "prod", "method": "api-token", "account": { "id": ACME, "name": "Acme" },
            "store": "file", "baseUrl": null, "token": null, "also": ["CF_API_TOKEN"], "confirm": false,
            "client": null, "scopes": null, "missingScopes": null, "expires": null, "expiresIn": null
        })
    );
}

#[test]
fn set_changes_what_is_not_secret() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    let credential = home.read(CREDENTIAL);
    let set = ["profile", "set", "prod", "--account", BETA, "--no-verify", "--account-name", "B", "--json"];
    let set = json_of(home.run(&set));
    assert_eq!(set["account"], json!({ "id": BETA, "name": "B" }));
    let shown = json_of(home.run(&["profile", "show", "prod", "--json"]));
    for (field, value) in set.as_object().expect("an object") {
        assert_eq!(&shown[field], value, "{field}");
    }
    let output = home.run(&["profile", "set", "prod", "--account-name", "C"]).expect_code(0);
    assert_eq!(output.stdout, "");
    assert!(output.stderr.contains("'prod' is changed: account C"), "{}", output.stderr);
    assert_eq!(home.read(CREDENTIAL), credential);
    home.run(&["profile", "set", "prod"]).expect_only_error(2, "nothing to change");
}

#[test]
fn rename_moves_metadata_and_credential() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home.token_profile("taken", "tok-taken");
    let before = home.snapshot();
    home.run(&["profile", "rename", "prod", "taken"])
        .expect_only_error(1, "already a profile 'taken'")
        .expect_hint("alchemy profile delete taken");
    home.run(&["profile", "rename", "prod", "prod"]).expect_code(0);
    assert_eq!(home.snapshot(), before);
    let renamed = json_of(home.run(&["profile", "rename", "prod", "live", "--json"]));
    assert_eq!(renamed, json!({ "renamed": "prod", "to": "live" }));
    assert_eq!(home.run(&["token", "live"]).expect_code(0).stdout, "tok-example\n");
    home.run(&["token", "prod"]).expect_only_error(1, "there is no profile 'prod'");
    assert!(!home.alchemy("credentials/prod").exists());
    assert_eq!(mode(&home.alchemy("credentials/live/cloudflare.json")), 0o600);
    let output = home.run(&["profile", "mv", "live", "prod"]).expect_code(0);
    assert_eq!(output.stdout, "");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn delete_takes_metadata_and_credential_away() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home.token_profile("other", "tok-other");
    let deleted = json_of(home.run(&["profile", "delete", "prod", "--yes", "--json"]));
    assert_eq!(deleted, json!({ "deleted": "prod" }));
    assert!(!home.snapshot().values().any(|(_, content)| {
        let text = String::from_utf8_lossy(content);
        text.contains("tok-example") || text.contains("prod")
    }));
    assert_eq!(home.run(&["token", "other"]).expect_code(0).stdout, "tok-other\n");
    home.run(&["profile", "delete", "prod", "--yes"]).expect_only_error(1, "there is no profile 'prod'");
    home.run(&["profile", "delete", "--yes"]).expect_only_error(2, "which profile?");
    // One that cannot be read can be deleted.
    home.write("config.json", "{\"profiles\": {\"odd\": {\"cloudflare\": {\"method\": \"saml\"}}}}");
    home.run(&["profile", "rm", "-y", "odd"]).expect_code(0);
    assert_eq!(json_of(home.run(&["list", "--json"])), json!([]));
}

#[test]
fn current_says_which_profile_applies_and_why() {
    let home = Home::new();
    let with = |variables: &[(&str, &str)], arguments: &[&str]| {
        run(home.alchemy_command(arguments).envs(variables.iter().copied())).expect_code(0).stdout
    };
    let both = [("CLOUDFLARE_PROFILE", "a"), ("ALCHEMY_PROFILE", "b")];
    assert_eq!(with(&[], &["profile", "current"]), "default (by default)\n");
    assert_eq!(with(&both, &["profile", "current"]), "a (from CLOUDFLARE_PROFILE)\n");
    assert_eq!(with(&both[1..], &["profile", "current"]), "b (from ALCHEMY_PROFILE)\n");
    let current: Value = serde_json::from_str(&with(&both, &["profile", "current", "--json"])).expect("JSON");
    assert_eq!(current, json!({ "name": "a", "reason": "from CLOUDFLARE_PROFILE" }));
}

// --- names that only npm lets through ---

#[test]
fn names_that_npm_lets_through_are_listed_and_rename_is_their_way_in() {
    let home = foreign();
    let mut config: Value = serde_json::from_str(FOREIGN).expect("JSON");
    take_mark(&mut config, "prod");
    for name in ["ci/tok", "my profile", "../x", ""] {
        config["profiles"][name] = config["profiles"]["third"].clone();
    }
    home.write("config.json", &config.to_string());
    let document = "{\"type\":\"api-token\",\"apiToken\":\"tok-ci\"}";
    home.write("credentials/ci/tok/cloudflare.json", document);
    home.write("credentials/my profile/cloudflare.json", document);
    home.write("x/cloudflare.json", "{\"type\":\"api-token\",\"apiToken\":\"tok-outside\"}");
    for path in ["credentials/ci/tok/cloudflare.json", "credentials/my profile/cloudflare.json"] {
        set_mode(&home.alchemy(path), 0o600);
    }

    let listed = json_of(home.run(&["list", "--json"]));
    let listed = listed.as_array().expect("an array");
    for name in ["ci/tok", "my profile", "../x", ""] {
        let entry = listed.iter().find(|entry| entry["name"] == name).expect("listed");
        assert!(entry["error"].as_str().is_some_and(|error| error.contains("its name")), "{entry}");
    }
    assert!(home.run(&["list"]).expect_code(0).stdout.contains("ci/tok"));
    home.run(&["exec", "ci/tok", "true"]).expect_only_error(125, "cannot be a profile's name");

    let before = home.snapshot();
    for outside in ["../x", "", "/x", "third/../../x", "./third"] {
        home.run(&["profile", "rename", outside, "mine"]).expect_only_error(1, "there is no profile");
    }
    for to in ["../x", "a/b", "", ".", ".."] {
        home.run(&["profile", "rename", "third", to]).expect_only_error(2, "cannot be a profile's name");
    }
    assert_eq!(home.snapshot(), before);

    for (from, to) in [("ci/tok", "ci"), ("my profile", "mine")] {
        home.run(&["profile", "rename", from, to]).expect_code(0);
        assert_eq!(home.run(&["token", to]).expect_code(0).stdout, "tok-ci\n");
        assert!(!home.alchemy(&format!("credentials/{from}")).exists());
        config["profiles"][to] = config["profiles"][from].take();
        config["profiles"].as_object_mut().expect("an object").shift_remove(from);
    }
    let kept: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    assert_eq!(kept, config);
}

// --- version 2's profiles ---

#[test]
fn profiles_of_npm_version_2_are_listed_and_used_where_they_are() {
    let home = Home::new();
    version_2(&home, "work", "tok-work");
    home.write_private(
        "profiles/key/cloudflare.json",
        &json!({
            "format": "alchemy.profile/v1", "provider": "Cloudflare", "metadata": {},
            "values": { "method": "stored", "credentialType": "apiKey", "apiKey": "key-2",
                        "email": "me@example.com", "accountId": BETA.to_uppercase() }
        })
        .to_string(),
    );
    fs::create_dir_all(home.alchemy("profiles/default")).expect("a folder");
    home.write_private("profiles/stub/cloudflare.json", "{\"format\":\"alchemy.profile/v1\",\"provider\":\"Cloudflare\",\"metadata\":{},\"values\":{\"method\":\"oauth\"}}");
    home.age("profiles/stub/cloudflare.json");
    home.write("profiles/not a name/cloudflare.json", "{}");
    let before = home.snapshot();

    let listed = json_of(home.run(&["list", "--json"]));
    let names: Vec<_> = listed.as_array().expect("an array").iter().map(|l| l["name"].clone()).collect();
    assert_eq!(names, ["key", "stub", "work"], "an empty folder is no profile");
    assert_eq!(
        listed[2],
        json!({
            "name": "work", "method": "api-token", "account": { "id": BETA, "name": "" }, "store": "npm",
            "baseUrl": null, "token": null, "also": [], "confirm": false, "client": null, "scopes": null,
            "missingScopes": null, "expires": null, "expiresIn": null, "current": false, "shadowed": false
        })
    );
    assert!(listed[1]["error"].as_str().is_some_and(|error| error.contains("not complete")), "{listed}");
    let show = "echo $CLOUDFLARE_API_TOKEN $CLOUDFLARE_API_KEY $CLOUDFLARE_EMAIL $CLOUDFLARE_ACCOUNT_ID";
    let printed = |name: &str| home.run(&["exec", name, "--", "sh", "-c", show]).expect_code(0).stdout;
    assert_eq!(printed("work"), format!("tok-work {BETA}\n"));
    assert_eq!(printed("key"), format!("key-2 me@example.com {BETA}\n"));
    home.run(&["exec", "stub", "true"]).expect_only_error(125, "not complete").expect_hint("npx alchemy");
    home.run(&["exec", "default", "true"]).expect_only_error(125, "there is no profile 'default'");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn profiles_of_npm_version_2_are_npms_to_change() {
    let home = Home::new();
    version_2(&home, "work", "tok-work");
    home.token_profile("prod", "tok-example");
    let before = home.snapshot();
    for arguments in [
        &["set", "work", "--account-name", "X"][..],
        &["set", "work", "--account", ACME, "--no-verify"],
        &["rename", "work", "other"],
        &["delete", "work", "--yes"],
    ] {
        home.run(&[&["profile"], arguments].concat())
            .expect_only_error(1, "kept by npm alchemy 2")
            .expect_hint("npx alchemy profile");
    }
    home.run(&["profile", "rename", "prod", "work"]).expect_only_error(1, "already a profile 'work'");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_profile_in_config_json_goes_before_one_of_version_2() {
    let home = Home::new();
    version_2(&home, "work", "tok-2");
    let document = home.read("profiles/work/cloudflare.json");
    home.token_profile("work", "tok-1");
    assert_eq!(home.run(&["token", "work"]).expect_code(0).stdout, "tok-1\n");
    let listed = json_of(home.run(&["list", "--json"]));
    let shown: Vec<_> =
        listed.as_array().expect("an array").iter().map(|l| (&l["store"], &l["shadowed"])).collect();
    assert_eq!(shown, [(&json!("file"), &json!(false)), (&json!("npm"), &json!(true))]);
    assert!(home.run(&["list"]).expect_code(0).stdout.contains("npm (hidden)"));
    home.run(&["profile", "set", "work", "--account-name", "X"]).expect_code(0);
    home.run(&["profile", "delete", "work", "--yes"]).expect_code(0);
    assert_eq!(home.run(&["token", "work"]).expect_code(0).stdout, "tok-2\n", "what was hidden is back");
    assert_eq!(home.read("profiles/work/cloudflare.json"), document);
}

// --- what fails, or is killed, in the middle of a change ---

/// What a change of the profile `prod` does, struck by this: it was `tok-old` in the file store before.
struct Struck {
    home: Home,
    output: Output,
}

/// Has `prod` encrypted with a new token, or moved there with its own; `None` where a tool is missing.
fn struck(injection: &str, moved: bool, flags: &[&str]) -> Option<Struck> {
    let home = Home::new();
    let identity = has("strace").then(|| age::identity(&home)).flatten()?;
    let identity = identity.to_str().expect("text");
    home.token_profile("prod", "tok-old");
    let change = if moved {
        vec!["profile", "move", "prod", "--store", "encrypted", "--identity", identity]
    } else {
        let configure =
            ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
        [&configure[..], &["--identity", identity]].concat()
    };
    let output = run_with_input(&mut home.struck(injection, &[flags, &change[..]].concat()), "tok-new");
    Some(Struck { home, output })
}

impl Struck {
    /// The token by now; a person is told of it only when it was put back.
    fn token(&self) -> String {
        self.home.run(&["token", "prod"]).expect_code(0).stdout.trim_end().to_owned()
    }
}

const UNCONFIRMED: &str = "its disk did not confirm that";

#[test]
fn what_the_disk_does_not_confirm_is_done_all_the_same_and_said() {
    for moved in [false, true] {
        let (mut done, mut refused) = (0, 0);
        for number in 1..20 {
            for (error, flags) in [("EIO", &["--quiet"][..]), ("EINVAL", &[])] {
                let injection = format!("fsync:error={error}:when={number}");
                let Some(struck) = struck(&injection, moved, flags) else { return };
                let Struck { output, .. } = &struck;
                let new = if moved { "tok-old" } else { "tok-new" };
                let is_done = output.code == 0;
                assert_eq!(
                    struck.token(),
                    if is_done { new } else { "tok-old" },
                    "{injection} {}",
                    output.stderr
                );
                assert!(error != "EINVAL" || is_done, "{injection}: {}", output.stderr);
                // A file that is not flushed is not put into its place; a folder may be one that tells nobody.
                let is_said = output.stderr.contains(UNCONFIRMED);
                assert!(error == "EIO" || !is_said, "{injection}: {}", output.stderr);
                if error == "EIO" {
                    done += usize::from(is_done && is_said);
                    refused += usize::from(!is_done);
                    assert!(is_done || output.stderr.contains("cannot write"), "{}", output.stderr);
                }
            }
        }
        assert!(done >= 2 && refused >= 2, "{done} {refused}");
    }
}

/// Removes each temporary file that `doctor` calls left behind when an hour has passed.
fn remove_what_doctor_names(home: &Home) {
    let left: Vec<_> =
        home.snapshot().into_keys().filter(|path| path.extension().is_some_and(|it| it == "tmp")).collect();
    for path in &left {
        home.age(path.strip_prefix(home.alchemy("")).expect("below").to_str().expect("text"));
    }
    let said = home.run(&["doctor", "--offline"]).stdout;
    for path in left {
        if said.contains(path.file_name().expect("a name").to_str().expect("text")) {
            fs::remove_file(path).expect("removed");
        }
    }
}

/// Every rename and removal of the change, by the names that the system calls them.
const STEPS: [&str; 5] = ["rename", "renameat", "renameat2", "unlink", "rmdir"];

#[test]
fn a_change_that_fails_is_undone_and_one_that_is_killed_leaves_what_comes_back() {
    for (step, moved) in STEPS.into_iter().flat_map(|step| [(step, false), (step, true)]) {
        for number in 1..4 {
            let injection = format!("{step}:error=ENOSPC:when={number}");
            let Some(failed) = struck(&injection, moved, &[]) else { return };
            let is_done = failed.output.code == 0;
            let expected = if is_done && !moved { "tok-new" } else { "tok-old" };
            assert_eq!(failed.token(), expected, "{injection}: {}", failed.output.stderr);

            let injection = format!("{step}:signal=SIGKILL:when={number}");
            let Some(killed) = struck(&injection, moved, &[]) else { return };
            // Nothing that `doctor` would have removed is the last copy, however old it is.
            remove_what_doctor_names(&killed.home);
            let token = killed.token();
            assert!(token == "tok-old" || token == "tok-new" && !moved, "{injection}: {token}");
            let left = killed.home.snapshot().into_keys();
            let left: Vec<_> = left.filter(|path| path.extension().is_some_and(|it| it == "tmp")).collect();
            assert!(left.is_empty(), "{injection}: {left:?}");
        }
    }
}

#[test]
fn the_last_copy_that_a_killed_command_had_set_aside_is_put_back_and_another_one_is_swept() {
    let home = Home::new();
    home.token_profile("prod", "tok-old");
    let aside = home.alchemy("credentials/prod/.cloudflare.json.aside.tmp");
    let set_aside = || {
        fs::rename(home.alchemy(CREDENTIAL), &aside).expect("set aside");
        home.age("credentials/prod/.cloudflare.json.aside.tmp");
    };
    set_aside();
    remove_what_doctor_names(&home);
    assert!(aside.exists());
    let output = home.run(&["token", "prod"]).expect_code(0);
    assert_eq!(output.stdout, "tok-old\n");
    assert!(output.stderr.contains("is in its place again"), "{}", output.stderr);
    assert!(!aside.exists());
    // Every change counts it as the credential, too.
    for change in [&["profile", "rename", "prod", "live"][..], &["profile", "rename", "live", "prod"]] {
        let name = change[2];
        let document = home.alchemy(&format!("credentials/{name}/cloudflare.json"));
        fs::rename(&document, document.with_file_name(".cloudflare.json.aside.tmp")).expect("set aside");
        home.run(change).expect_code(0);
        assert_eq!(home.run(&["token", change[3]]).expect_code(0).stdout, "tok-old\n");
    }
    // Beside the document itself it is an old secret.
    fs::copy(home.alchemy(CREDENTIAL), &aside).expect("copied");
    home.age("credentials/prod/.cloudflare.json.aside.tmp");
    remove_what_doctor_names(&home);
    assert!(!aside.exists());
    // And so it is where `config.json` names another store.
    set_aside();
    let config =
        home.read("config.json").replace("\"api-token\"", "\"api-token\", \"credentialStore\": \"keyring\"");
    home.write_private("config.json", &config);
    remove_what_doctor_names(&home);
    assert!(!aside.exists());
}

#[test]
fn what_a_killed_rename_had_set_aside_does_not_become_the_renamed_profiles() {
    if !has("strace") {
        return;
    }
    let mut left = 0;
    for (step, number) in STEPS.into_iter().flat_map(|step| (1..20).map(move |number| (step, number))) {
        let home = Home::new();
        home.token_profile("old", "tok-example");
        fs::remove_file(home.alchemy("credentials/old/cloudflare.json")).expect("signed out");
        let stray = "credentials/new/cloudflare.json";
        home.write_private(stray, &age::document("tok-stranger"));
        let injection = format!("{step}:signal=SIGKILL:when={number}");
        let output = support::run(&mut home.struck(&injection, &["profile", "rename", "old", "new"]));
        if output.code == 0 {
            continue; // it has fewer of them
        }
        output.expect_code(137);
        let is_renamed = home.read("config.json").contains("\"new\"");
        let words = if is_renamed { "is missing" } else { "there is no profile 'new'" };
        home.run(&["token", "new"]).expect_only_error(1, words);
        // Also not when what the profile is changes once more.
        if is_renamed {
            home.run(&["profile", "set", "new", "--confirm"]).expect_code(0);
            home.run(&["token", "new", "--yes"]).expect_only_error(1, words);
        }
        let aside = home.alchemy("credentials/new/.cloudflare.json.aside.tmp");
        if is_renamed && aside.exists() {
            left += 1;
            remove_what_doctor_names(&home);
            assert!(!aside.exists(), "{injection}");
        }
        // What is nobody's is lost to nobody as long as nothing was renamed.
        assert!(is_renamed || aside.exists() || home.alchemy(stray).exists(), "{injection}");
    }
    assert!(left > 0);
}

#[test]
fn a_change_of_a_profile_brings_back_what_a_killed_command_had_set_aside() {
    if !has("strace") {
        return;
    }
    let home = Home::new();
    home.token_profile("prod", "tok-old");
    let aside = home.alchemy("credentials/prod/.cloudflare.json.aside.tmp");
    // Before `config.json` says that it is gone.
    let mut delete = home.struck("rename:signal=SIGKILL:when=2", &["profile", "delete", "prod", "--yes"]);
    support::run(&mut delete).expect_code(137);
    assert!(aside.exists());
    home.run(&["profile", "set", "prod", "--confirm"]).expect_code(0);
    assert_eq!(home.run(&["token", "prod", "--yes"]).expect_code(0).stdout, "tok-old\n");
    assert!(!aside.exists());
}

#[test]
fn a_rescue_file_that_stays_when_its_profile_goes_is_said() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    fs::create_dir_all(home.alchemy("rescue/prod")).expect("something that cannot be removed");
    let said = home.run(&["profile", "delete", "prod", "--yes", "--quiet"]).expect_code(0).stderr;
    assert!(said.contains("an old credential of 'prod' stays: cannot remove"), "{said}");
}

#[test]
fn a_prompt_waits_for_no_lock_where_one_is_needed_to_tell_which_credential_counts() {
    let beside = |home: &Home| home.write_private(CREDENTIAL, &age::document("tok-newer"));
    let set_aside = |home: &Home| {
        let document = home.alchemy(CREDENTIAL);
        fs::rename(&document, document.with_file_name(".cloudflare.json.aside.tmp")).expect("set aside");
    };
    let commands = ["--read-command", "cat {profile}", "--write-command", "cat >{profile}"];
    let identity = ["--store", "encrypted", "--identity", "identity.txt"];
    let cases: [(&[&str], &str); 3] =
        [(&["--store", "file"], "tok-old\n"), (&commands, "tok-newer\n"), (&identity, "tok-newer\n")];
    for (store, token) in cases {
        let home = Home::new();
        if age::identity(&home).is_none() {
            return;
        }
        let configure = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME];
        home.run_with_input(&[&configure[..], store].concat(), "tok-old").expect_code(0);
        home.run(&["use", "prod", "."]).expect_code(0);
        if token == "tok-newer\n" {
            beside(&home);
        } else {
            set_aside(&home);
        }
        let lock = File::options().append(true).open(home.alchemy("lock/native/prod")).expect("a lock");
        lock.lock().expect("held by another");
        let mut prompt = home.command("timeout");
        prompt.args(["30", ALCHEMY, "hook-env", "bash", "--offline"]);
        let output = support::run(&mut prompt).expect_code(0);
        assert!(!output.stdout.contains("tok-") && output.stdout.contains("ALCHEMY_PROFILE prod"));
        assert!(output.stderr.contains("is still on its way"), "{}", output.stderr);
        drop(lock);
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, token);
    }
}

#[test]
fn what_belongs_to_no_profile_is_found_in_every_store() {
    let home = Home::new();
    home.token_profile("prod", "tok");
    home.write_private("credentials/gone/.native.json.aside.tmp", "{}");
    home.write_private("encrypted/gone.age", "sealed");
    home.write_private("rescue/gone", "{}");
    let said = home.run(&["doctor"]);
    let said = format!("{}{}", said.stdout, said.stderr);
    for path in ["credentials/gone/.native.json.aside.tmp", "encrypted/gone.age", "rescue/gone"] {
        assert!(said.contains(path), "{path}: {said}");
    }
}
