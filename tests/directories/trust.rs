//! Pin files: what they may say, which files are one at all, and that they select nothing before they are
//! allowed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use support::places::{Places, git};
use support::{ACME, BETA, has};

const PROD: &str = "profile = \"prod\"\n";
const PINNED: &str = "prod (pinned by ~/code/.alchemy.toml)";
const ASKS: &str = "~/code/.alchemy.toml asks for profile 'prod' and is not allowed yet";

#[test]
fn a_pin_file_selects_only_after_it_was_allowed_and_until_it_changes() {
    let places = Places::new();
    places.pin("code", PROD);
    for command in [&["exec", "--", "true"][..], &["token"], &["env"], &["whoami"], &["profile", "show"]] {
        let code = if command[0] == "exec" { 125 } else { 1 };
        let error = places.run("code/sub", command).expect_only_error(code, ASKS);
        error.expect_hint("alchemy allow; or name the profile: -p prod");
    }
    assert_eq!(
        support::run(&mut places.command("code", &["token", "-p", "prod"])).stdout,
        "tok-hunter2-prod\n"
    );
    places.run("code", &["list"]).expect_code(0);

    let said = places.done("code/sub", &["allow"]);
    assert_eq!(
        said,
        format!("alchemy: ~/code/.alchemy.toml may select profile 'prod' now (account Acme ({ACME}))\n")
    );
    assert_eq!(places.applies("code/sub"), PINNED);
    assert_eq!(places.runs_with("code/sub"), "prod");
    // The same content at another time is the same; any other is not.
    places.pin("code", PROD);
    assert_eq!(places.applies("code"), PINNED);
    places.pin("code", format!("{PROD}#\n"));
    places.run("code", &["token"]).expect_only_error(1, ASKS);
    places.pin("code", PROD);
    assert_eq!(places.applies("code"), PINNED);
    // Elsewhere it is another file.
    fs::rename(places.path("code"), places.path("moved")).expect("moved");
    places.run("moved", &["token"]).expect_only_error(1, "~/moved/.alchemy.toml asks for profile 'prod'");
}

#[test]
fn without_trust_something_further_up_selects_and_one_line_says_so() {
    let places = Places::new();
    places.done("", &["use", "beta"]);
    places.pin("code", PROD);
    let output = places.run("code", &["exec", "--", "printenv", "ALCHEMY_PROFILE"]).expect_code(0);
    assert_eq!(output.stdout, "beta\n");
    assert_eq!(
        output.stderr,
        format!("alchemy: {ASKS}, so 'beta' is used (bound at ~); to allow it: alchemy allow\n")
    );
    // Nothing of it is said where it makes no difference.
    assert_eq!(places.run("code", &["exec", "prod", "--", "true"]).expect_code(0).stderr, "");
    places.done("code", &["deny"]);
    assert_eq!(places.run("code", &["exec", "--", "true"]).expect_code(0).stderr, "");
    places.done("code", &["use", "beta"]);
    assert_eq!(places.applies("code"), "beta (bound at ~/code)", "a binding goes before it in one directory");
}

#[test]
fn only_the_nearest_that_may_select_does_and_what_is_further_up_is_not_asked() {
    let places = Places::new();
    places.pin("code", PROD);
    places.done("code/acme", &["use", "beta"]);
    assert_eq!(places.run("code/acme", &["exec", "--", "true"]).expect_code(0).stderr, "");
    places.done("code", &["allow"]);
    assert_eq!(places.applies("code/acme"), "beta (bound at ~/code/acme)");
    assert_eq!(places.applies("code"), PINNED);

    // Not the nearest file, but the nearest that asks: the command that allows it says where it is.
    places.pin("other", PROD);
    places.pin("other/sub", format!("account = \"{ACME}\""));
    let error = places.run("other/sub", &["token"]).expect_only_error(1, "~/other/.alchemy.toml asks for");
    error.expect_hint(&format!("alchemy allow {};", places.text("other")));
    places.done("other/sub", &["allow", "../../other"]);
    assert_eq!(places.applies("other/sub"), "prod (pinned by ~/other/.alchemy.toml)");
}

#[test]
fn deny_takes_trust_back_and_stops_the_question_until_the_content_changes() {
    let places = Places::new();
    places.pin("code", PROD);
    places.done("code", &["allow"]);
    let said = places.done("code", &["deny"]);
    assert!(said.contains("may not select profile 'prod'"), "{said}");
    let error = places.run("code", &["token"]).expect_only_error(1, "asks for profile 'prod' and is denied");
    error.expect_hint("alchemy allow");
    let listed = places.run("", &["allow", "--list"]).expect_code(0).stdout;
    assert_eq!(listed, "FILE                  TRUST\n~/code/.alchemy.toml  denied\n");
    places.pin("code", "profile = \"beta\"");
    places.run("code", &["token"]).expect_only_error(1, "asks for profile 'beta' and is not allowed yet");
    places.done("code", &["allow"]);
    assert_eq!(places.applies("code"), "beta (pinned by ~/code/.alchemy.toml)");
}

#[test]
fn what_was_said_is_listed_and_what_has_no_file_any_more_is_forgotten() {
    let places = Places::new();
    for directory in ["a", "b", "c", "d"] {
        places.pin(directory, PROD);
        places.done(directory, &[if directory == "d" { "deny" } else { "allow" }]);
    }
    places.pin("b", "profile = \"beta\"");
    fs::remove_dir_all(places.path("c")).expect("removed");
    let list = places.run("", &["allow", "--list", "--json"]).expect_code(0).stdout;
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    let states: Vec<_> = list
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| (row["trust"].as_str(), row["state"].as_str()))
        .collect();
    let expected = [("allowed", "there"), ("allowed", "changed"), ("allowed", "gone"), ("denied", "there")];
    assert_eq!(states, expected.map(|(trust, state)| (Some(trust), Some(state))));
    let said = places.done("", &["allow", "--prune"]);
    assert!(said.contains("changed: 2"), "{said}");
    let listed = places.run("", &["allow", "--list"]).expect_code(0).stdout;
    assert_eq!(listed, "FILE               TRUST\n~/a/.alchemy.toml  allowed\n~/d/.alchemy.toml  denied\n");
    let json = places.run("a", &["allow", "--json"]).expect_code(0).stdout;
    assert!(json.contains("\"trust\": \"allowed\""), "{json}");
}

#[test]
fn an_account_alone_needs_no_trust_and_what_is_allowed_is_shown() {
    let places = Places::new();
    let before = places.home.snapshot();
    places.pin("code", format!("account = \"{ACME}\""));
    let said = places.done("code", &["allow"]);
    assert!(said.contains(&format!("needs no trust: it only guards account {ACME}")), "{said}");
    let said = places.done("code", &["deny"]);
    assert!(said.contains("asks for no profile"), "{said}");
    places.pin("code", "# nothing\n");
    assert!(places.done("code", &["allow"]).contains("says nothing"));
    assert!(places.home.snapshot() == before, "nothing is changed");
    places.run("", &["allow"]).expect_only_error(1, "there is no .alchemy.toml in ~ or above");

    places.pin("code", "profile = \"new\"");
    assert!(places.done("code", &["allow"]).contains("to make it: alchemy configure -p new"));
    places.pin("code", format!("profile = \"prod\"\naccount = \"{BETA}\""));
    let said = places.run("code", &["allow"]).expect_code(0).stderr;
    assert!(said.contains(&format!("guards account {BETA}")) && said.contains("not the profile's"), "{said}");
}

#[test]
fn a_file_that_says_anything_else_lets_nothing_out_and_its_place_is_named() {
    let places = Places::new();
    let long = format!("# {}\n", "hunter2".repeat(10_000));
    let table: [(&[u8], &str); 17] = [
        (b"hunter2 = \"x\"", "line 1, column 1: a key that is neither 'profile' nor 'account'"),
        (b"\n\n[hunter2]\nprofile = \"prod\"", "line 3, column 2: a key that is neither"),
        (b"profile = \"prod\"\r\n  token = \"hunter2\"\r\n", "line 2, column 3: a key that is neither"),
        (b"profile = \"hunter2/../x\"", "line 1, column 11: this cannot be a profile's name"),
        (b"profile = \"\"", "line 1, column 11: this cannot be a profile's name"),
        (b"# \xc3\xa9\nprofile = 3", "line 2, column 11: the value must be a text in quotes"),
        (b"profile.hunter2 = \"x\"", "line 1, column 1"),
        (b"account = \"hunter2\"", "line 1, column 11: this is no account's id"),
        (b"account = [\"0123456789abcdef0123456789abcdef\"]", "the value must be a text in quotes"),
        (b"profile = \"a\"\nprofile = \"hunter2\"", "line 2, column 1: duplicate key"),
        (b"profile = hunter2", "line 1, column 11"),
        (b"hunter2-is-a-secret-of-somebody", "line 1, column"),
        (b"\n\nprofile = \"hunter2", "line 3, column"),
        (b"profile = \"\xff\xfehunter2\"", "line 1, column 12: it is not UTF-8"),
        (b"\x7fELF\x02\x01\x01\0\0hunter2", "line 1, column 1"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n", "line 1, column"),
        (long.as_bytes(), "is larger than 64 KiB"),
    ];
    for (text, words) in table {
        places.pin("code", text);
        for command in
            [&["exec", "prod", "--", "true"][..], &["token", "prod"], &["env"], &["use"], &["allow"]]
        {
            let code = if command[0] == "exec" { 125 } else { 1 };
            let error = places.run("code/sub", command).expect_only_error(code, words);
            assert!(error.stderr.contains("code/.alchemy.toml"), "{}", error.stderr);
            error.expect_hint("mend it, or take it away");
        }
        places.run("code", &["credential-process", "prod"]).expect_only_error(1, words);
        places.run("code", &["list"]).expect_code(0);
    }
}

#[test]
fn line_ends_of_windows_and_a_byte_order_mark_are_no_matter() {
    let places = Places::new();
    places.pin("code", format!("\u{feff}profile = \"prod\"\r\naccount = \"{}\"\r\n", ACME.to_uppercase()));
    places.done("code", &["allow"]);
    assert_eq!(places.applies("code"), PINNED);
    assert_eq!(places.runs_with("code"), "prod");
}

#[test]
fn what_is_no_regular_file_never_blocks_and_lets_nothing_out() {
    let places = Places::new();
    let pin = places.directory("code").join(".alchemy.toml");
    let refused = |words: &str| {
        for command in [&["token", "prod"][..], &["token"], &["allow"], &["deny"]] {
            places.run("code", command).expect_only_error(1, words);
        }
        fs::remove_file(&pin).or_else(|_| fs::remove_dir(&pin)).expect("removed");
    };
    mkfifo(&pin, Mode::S_IRWXU).expect("a FIFO");
    refused("is no regular file");
    symlink("/dev/zero", &pin).expect("a link");
    refused("is no regular file");
    fs::create_dir(&pin).expect("a directory");
    refused("is no regular file");
    symlink("/nowhere/at/all", &pin).expect("a link");
    refused("cannot be read: no such file");
    symlink(&pin, &pin).expect("a link");
    refused("cannot be read: too many");
    std::os::unix::net::UnixListener::bind(&pin).map(drop).expect("a socket");
    refused("cannot be read");
    if !geteuid().is_root() {
        places.pin("code", PROD);
        fs::set_permissions(&pin, Permissions::from_mode(0o000)).expect("its mode set");
        refused("cannot be read: permission denied");
    }
}

#[test]
fn a_link_to_a_file_of_ones_own_is_followed_and_is_trusted_by_its_own_path() {
    let places = Places::new();
    places.pin("shared", PROD);
    for directory in ["code", "other"] {
        let link = places.directory(directory).join(".alchemy.toml");
        symlink(places.path("shared/.alchemy.toml"), link).expect("a link");
    }
    places.done("code", &["allow"]);
    assert_eq!(places.applies("code"), PINNED);
    places.run("other", &["token"]).expect_only_error(1, "~/other/.alchemy.toml asks for profile 'prod'");
    places.run("shared", &["token"]).expect_only_error(1, "~/shared/.alchemy.toml asks for profile 'prod'");
}

#[test]
fn another_users_file_is_ignored_and_said_and_so_is_another_users_link() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let places = Places::new();
    places.done("", &["use", "beta"]);
    places.pin("code", format!("profile = \"prod\"\naccount = \"{ACME}\""));
    chown(places.path("code/.alchemy.toml"), Some(1234), None).expect("given away");
    let output = places.run("code", &["exec", "--", "printenv", "ALCHEMY_PROFILE"]).expect_code(0);
    assert_eq!(output.stdout, "beta\n");
    assert!(
        output.stderr.contains("code/.alchemy.toml is ignored: it belongs to user 1234"),
        "{}",
        output.stderr
    );
    assert_eq!(output.stderr.lines().count(), 1);
    places.run("code", &["allow"]).expect_only_error(1, "is ignored").expect_hint("chown");

    let link = places.directory("link").join(".alchemy.toml");
    places.pin("own", PROD);
    symlink(places.path("own/.alchemy.toml"), &link).expect("a link");
    lchown(&link, Some(1234), None).expect("given away");
    let output = places.run("link", &["exec", "--", "true"]).expect_code(0);
    assert!(output.stderr.contains("link/.alchemy.toml is ignored"), "{}", output.stderr);
}

#[test]
fn a_worktree_trusts_what_its_main_one_trusts() {
    if !has("git") {
        return;
    }
    let places = Places::new();
    places.pin("code", PROD);
    let main = places.path("code");
    git(&main, &["init", "--quiet"]);
    git(&main, &["add", "."]);
    git(&main, &["commit", "--quiet", "-m", "one"]);
    git(&main, &["worktree", "add", "--quiet", "-b", "fix", "../fix"]);
    places.run("fix", &["token"]).expect_only_error(1, "~/fix/.alchemy.toml asks for profile 'prod'");
    places.done("code", &["allow"]);
    assert_eq!(places.applies("fix"), "prod (pinned by ~/fix/.alchemy.toml)");
    // Of another branch's content nothing was said.
    places.pin("fix", "profile = \"beta\"");
    places.run("fix", &["token"]).expect_only_error(1, "~/fix/.alchemy.toml asks for profile 'beta'");
    // A copy of the files is no worktree.
    places.pin("copy", PROD);
    places.write("copy/.git", fs::read(places.path("fix/.git")).expect("read"));
    places.run("copy", &["token"]).expect_only_error(1, "~/copy/.alchemy.toml asks for profile 'prod'");
}

#[test]
fn a_cloned_repository_takes_no_credential_by_itself() {
    if !has("git") {
        return;
    }
    let places = Places::new();
    places.token_default();
    places.pin("origin", PROD);
    places.write("origin/.env", "ALCHEMY_PROFILE=prod\nCLOUDFLARE_API_BASE_URL=https://evil.example\n");
    places.write("origin/.envrc", "export ALCHEMY_PROFILE=prod\n");
    let origin = places.path("origin");
    git(&origin, &["init", "--quiet"]);
    git(&origin, &["add", "."]);
    git(&origin, &["commit", "--quiet", "-m", "one"]);
    git(&places.path(""), &["clone", "--quiet", "origin", "clone"]);

    let before = places.home.snapshot();
    let output = places.run("clone", &["exec", "--", "true"]);
    let error =
        output.expect_only_error(125, "~/clone/.alchemy.toml asks for profile 'prod' and is not allowed");
    error.expect_hint("to let it select: alchemy allow");
    assert!(places.home.snapshot() == before, "nothing is changed");
    places.done("clone", &["allow"]);
    assert_eq!(places.runs_with("clone"), "prod");
}
