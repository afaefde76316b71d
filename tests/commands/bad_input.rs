//! What goes wrong outside the API and the keyring: each is one line that says what, a hint under it
//! that says what to do, the documented exit code, and nothing is lost or changed.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::pipe;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;
use support::{ACME, ALCHEMY, BETA, Home, Output, copy_for_everyone, environment, has, run, run_with_input};

const CREDENTIAL: &str = "credentials/prod/cloudflare.json";

fn prod() -> Home {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home
}

/// The arguments that make or change `prod` from a token on standard input.
const CONFIGURE: [&str; 10] =
    ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", BETA, "--store", "file", "-y"];

/// Every kind of command that reads the store, with the code of its failures.
const COMMANDS: [(&[&str], i32); 10] = [
    (&["exec", "prod", "--", "true"], 125),
    (&["exec", "--", "true"], 125),
    (&["env", "prod"], 1),
    (&["token", "prod"], 1),
    (&["credential-process", "prod"], 1),
    (&["profile", "show", "prod"], 1),
    (&["profile", "set", "prod", "--account-name", "X"], 1),
    (&["profile", "rename", "prod", "live"], 1),
    (&["profile", "delete", "prod", "--yes"], 1),
    (&CONFIGURE, 1),
];

/// Those of them that change something.
fn changing() -> impl Iterator<Item = (&'static [&'static str], i32)> {
    let words = ["configure", "set", "rename", "delete"];
    COMMANDS.into_iter().filter(move |(arguments, _)| words.iter().any(|word| arguments.contains(word)))
}

/// Each of the commands fails with these words, and nothing is changed.
#[track_caller]
fn all_refuse(home: &Home, words: &str, hint: &str) {
    let before = home.snapshot();
    let list = (&["list"][..], 1);
    for (arguments, code) in COMMANDS.into_iter().chain([list]) {
        home.run_with_input(arguments, "tok-new").expect_only_error(code, words).expect_hint(hint);
        assert!(home.snapshot() == before, "{arguments:?} changed something");
    }
}

// --- names ---

#[test]
fn an_unknown_profile_is_named_with_its_reason_and_those_that_are_near() {
    let home = prod();
    home.token_profile("staging", "tok-staging");
    let before = home.snapshot();
    for (arguments, code) in COMMANDS.into_iter().filter(|(a, _)| a[0] != "configure" && a[1] != "--") {
        let arguments: Vec<_> = arguments.iter().map(|a| if *a == "prod" { "prdo" } else { *a }).collect();
        home.run(&arguments)
            .expect_only_error(code, "there is no profile 'prdo'")
            .expect_hint("did you mean prod?");
    }
    home.run(&["token", "wrangler"])
        .expect_only_error(1, "there is no profile 'wrangler' (from the command line)")
        .expect_hint("alchemy configure -p wrangler");
    home.run(&["token"])
        .expect_only_error(1, "there is no profile 'default' (by default)")
        .expect_hint("alchemy configure -p default");
    let mut command = home.alchemy_command(&["exec", "--", "true"]);
    run(command.env("ALCHEMY_PROFILE", "stagign"))
        .expect_only_error(125, "there is no profile 'stagign' (from ALCHEMY_PROFILE)")
        .expect_hint("did you mean staging?");
    assert_eq!(home.snapshot(), before);
    let nothing = Home::new();
    nothing
        .run(&["token", "prod"])
        .expect_only_error(1, "no profile")
        .expect_hint("alchemy configure -p prod");
    assert!(!nothing.alchemy("").exists());
}

#[test]
fn what_cannot_be_a_name_is_refused_wherever_it_comes_from() {
    let home = prod();
    home.write("x/cloudflare.json", "{\"type\":\"api-token\",\"apiToken\":\"tok-outside\"}");
    let before = home.snapshot();
    let long = "x".repeat(65);
    for name in
        ["../x", "..", ".", "", "a/b", "/etc", ".hidden", "a b", "é", "a\nb", "a\x1b[31mb", "*", &long]
    {
        for (arguments, code) in COMMANDS {
            let Some(at) = arguments.iter().position(|argument| *argument == "prod") else { continue };
            if arguments[1] == "rename" {
                continue; // the one command that takes what only npm lets through
            }
            let mut arguments = arguments.to_vec();
            arguments[at] = name;
            let code = if code == 125 { 125 } else { 2 };
            home.run_with_input(&arguments, "tok")
                .expect_only_error(code, "cannot be a profile's name")
                .expect_hint("64 letters");
        }
        for variable in ["ALCHEMY_PROFILE", "CLOUDFLARE_PROFILE"] {
            let mut command = home.alchemy_command(&["exec", "--", "true"]);
            let output = run(command.env(variable, name));
            if name.is_empty() {
                output.expect_only_error(125, "there is no profile 'default'");
            } else {
                output.expect_only_error(125, &format!("(from {variable})")).expect_hint("64 letters");
            }
        }
    }
    // One that is a word but no UTF-8 is not passed over either: that would be another profile.
    home.token_profile("default", "tok-default");
    let mut command = home.alchemy_command(&["exec", "--", "true"]);
    run(command.env("ALCHEMY_PROFILE", OsStr::from_bytes(b"pr\xffd")))
        .expect_only_error(125, "ALCHEMY_PROFILE");
    let mut command = home.alchemy_command(&["token"]);
    run(command.arg(OsStr::from_bytes(b"pr\xffd"))).expect_only_error(2, "UTF-8");
    home.run(&["profile", "delete", "default", "--yes"]).expect_code(0);
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_wrong_command_line_is_code_2_and_in_exec_125() {
    let home = prod();
    let before = home.snapshot();
    for arguments in [
        &["tokn"][..],
        &["token", "prod", "extra"],
        &["token", "prod", "-p", "other"],
        &["list", "--nope"],
        &["list", "-q", "-v"],
        &["profile", "rename", "prod"],
        &["profile", "set", "prod", "--account", "x", "--no-verify"],
        &["profile", "set", "prod", "--also", "A B"],
        &["configure", "-p", "q", "--token-stdin", "--store", "cupboard"],
        &["configure", "-p", "q", "--token-stdin", "--key-stdin"],
        &["configure", "-p", "q", "--token-stdin", "--email", "me@example.com"],
        &["configure", "-p", "q", "--token-stdin", "--method", "api-key"],
        &["configure", "-p", "q", "--token-stdin", "--no-verify"],
        &["configure", "-p", "q", "--token-stdin", "--no-verify", "--account", "Acme"],
        &["env", "prod", "--format", "cobol"],
    ] {
        home.run_with_input(arguments, "tok").expect_only_error(2, "alchemy: ");
    }
    home.run(&["exec", "prod", "--account", "x", "true"]).expect_only_error(125, "not an account's id");
    let mut command = home.alchemy_command(&CONFIGURE[..7]);
    run_with_input(command.env("ALCHEMY_STORE", "cupboard").args(["-p", "q"]), "tok").expect_code(2);
    let mut command = home.alchemy_command(&["configure", "-p", "q"]);
    command.args(&CONFIGURE[3..7]).env("ALCHEMY_STORE", "cupboard");
    run_with_input(&mut command, "tok").expect_only_error(2, "ALCHEMY_STORE is 'cupboard'");
    assert_eq!(home.snapshot(), before);
}

// --- config.json ---

#[test]
fn a_config_json_that_cannot_be_understood_is_left_alone_and_its_place_named() {
    let by_hand = "mend it by hand";
    let newer = "use a newer alchemy";
    let table = [
        ("", "config.json is empty", by_hand),
        (" \n\t", "config.json is empty", by_hand),
        (
            "{\n  \"version\": 1,\n  oops",
            "is not valid JSON: key must be a string at line 3 column 3",
            by_hand,
        ),
        ("{\"version\": 1, \"profiles\": {", "is not valid JSON", by_hand),
        (
            "{\"version\": 1, \"profiles\": {}}\n{}",
            "is not valid JSON: trailing characters at line 2",
            by_hand,
        ),
        ("\u{feff}{}", "is not valid JSON", by_hand),
        ("[]", "has a wrong type", by_hand),
        ("null", "has a wrong type", by_hand),
        ("\"prod\"", "has a wrong type", by_hand),
        ("{\"version\": \"1\"}", "has a wrong type", by_hand),
        ("{\"version\": 1, \"profiles\": []}", "has a wrong type", by_hand),
        ("{\"version\": 1, \"profiles\": {\"prod\": 7}}", "has a wrong type", by_hand),
        ("{\"profiles\": {\"prod\": {\"cloudflare\": []}}}", "has a wrong type", by_hand),
        ("{\"profiles\": {\"prod\": {\"cloudflare\": {\"method\": 7}}}}", "has a wrong type", by_hand),
        ("{\"profiles\": {\"a\": {}, \"a\": {}}, \"version\": 1.5}", "has a wrong type", by_hand),
        ("{\"version\": 2, \"profiles\": {}}", "is of version 2", newer),
        ("{\"version\": 7, \"profiles\": [\"prod\"]}", "is of version 7", newer),
    ];
    for (text, words, hint) in table {
        let home = prod();
        home.write("config.json", text);
        home.age("config.json");
        all_refuse(&home, words, hint);
    }
    // What is only passed over in reading must not get lost in writing.
    let home = prod();
    let config = home.read("config.json");
    let odd = [&config.as_bytes()[..config.len() - 1], b", \"x\": \"\xff\"}"].concat();
    fs::write(home.alchemy("config.json"), odd).expect("written");
    home.age("config.json");
    let before = home.snapshot();
    for (arguments, _) in changing() {
        let output = home.run_with_input(arguments, "tok").expect_only_error(1, "is not valid JSON");
        output.expect_hint(by_hand);
    }
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_config_json_that_cannot_be_read_is_left_alone() {
    let home = prod();
    fs::remove_file(home.alchemy("config.json")).expect("removed");
    fs::create_dir(home.alchemy("config.json")).expect("a folder");
    all_refuse(&home, "cannot read", "mv ");

    let home = prod();
    fs::remove_file(home.alchemy("config.json")).expect("removed");
    symlink("config.json", home.alchemy("config.json")).expect("a link");
    all_refuse(&home, "cannot read", "without it: rm ");

    let home = Home::new();
    let file = home.path().join(".alchemy");
    fs::write(&file, "a file").expect("written");
    for (arguments, code) in COMMANDS {
        home.run_with_input(arguments, "tok").expect_only_error(code, "not a directory").expect_hint("mv ");
    }
    assert_eq!(fs::read_to_string(file).expect("read"), "a file");
}

/// A home with `prod` that belongs to a person who is not root, who may read everything, and how that
/// person runs a command in it.
fn of_a_person() -> (Home, impl Fn(&[&str]) -> Command) {
    let home = prod();
    let person = geteuid().is_root().then_some(65534);
    let binary = home.path().join("alchemy");
    copy_for_everyone(&binary);
    if let Some(id) = person {
        let below = home.snapshot().into_keys().chain([home.alchemy(""), binary, home.path().to_owned()]);
        let locks = ["lock", "lock/native", "lock/config", "lock/native/prod"].map(|lock| home.alchemy(lock));
        for path in below.chain(locks) {
            chown(path, Some(id), Some(id)).expect("given away");
        }
    }
    let path = home.path().to_owned();
    let command = move |arguments: &[&str]| {
        let mut command = Command::new(path.join("alchemy"));
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &path).current_dir(&path).args(arguments);
        if let Some(id) = person {
            command.gid(id).uid(id);
        }
        command
    };
    (home, command)
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode set");
}

#[test]
fn what_one_may_not_read_is_said_and_left_alone() {
    let (home, command) = of_a_person();
    assert_eq!(run(&mut command(&["token", "prod"])).expect_code(0).stdout, "tok-example\n");
    for (closed, only_credential) in [("config.json", false), (CREDENTIAL, true)] {
        let open = fs::metadata(home.alchemy(closed)).expect("there").permissions();
        let before = home.snapshot();
        set_mode(home.alchemy(closed), 0o000);
        for (arguments, code) in COMMANDS {
            if only_credential && !["token", "exec", "env", "credential-process"].contains(&arguments[0])
                || arguments == ["exec", "--", "true"]
            {
                continue; // does not read it
            }
            run_with_input(&mut command(arguments), "tok")
                .expect_only_error(code, "permission denied")
                .expect_hint("chmod u+rwX ");
        }
        fs::set_permissions(home.alchemy(closed), open).expect("mode set");
        assert_eq!(home.snapshot(), before);
    }
    assert_eq!(run(&mut command(&["token", "prod"])).expect_code(0).stdout, "tok-example\n");
}

#[test]
fn a_home_that_cannot_be_written_serves_for_reading_and_refuses_the_rest() {
    let (home, command) = of_a_person();
    let folders = ["", "credentials", "credentials/prod", "lock", "lock/native"];
    for folder in folders {
        set_mode(home.alchemy(folder), 0o500);
    }
    let before = home.snapshot();
    assert_eq!(run(&mut command(&["token", "prod"])).expect_code(0).stdout, "tok-example\n");
    run(&mut command(&["exec", "prod", "--", "true"])).expect_code(0);
    run(&mut command(&["list"])).expect_code(0);
    for (arguments, code) in changing() {
        run_with_input(&mut command(arguments), "tok")
            .expect_only_error(code, "permission denied")
            .expect_hint("chmod -R u+rwX ");
    }
    assert_eq!(home.snapshot(), before);
    for folder in folders {
        set_mode(home.alchemy(folder), 0o700); // so that it can be cleaned up
    }
}

#[test]
fn one_entry_that_makes_no_sense_stops_only_its_own_profile() {
    let entry = |method: &str, id: &str, more: &str| {
        format!(
            "{{\"version\":1,\"profiles\":{{\"prod\":{{\"cloudflare\":{{\"method\":\"{method}\",\
             \"metadata\":{{\"id\":\"{id}\",\"name\":\"N\"}}{more}}}}},\
             \"good\":{{\"cloudflare\":{{\"method\":\"api-token\",\"metadata\":{{\"id\":\"{ACME}\"}}}}}}}}}}"
        )
    };
    let table = [
        (entry("saml", ACME, ""), "unknown method 'saml'"),
        (entry("", ACME, ""), "unknown method ''"),
        (entry("api-token", "acme", ""), "unknown account id 'acme'"),
        (entry("api-token", "", ""), "unknown account id ''"),
        (entry("api-token", ACME, ",\"credentialStore\":\"cloud\""), "unknown store 'cloud'"),
    ];
    for (config, words) in table {
        let home = prod();
        home.token_profile("good", "tok-good");
        home.write("config.json", &config);
        let before = home.snapshot();
        for (arguments, code) in COMMANDS {
            if arguments.contains(&"prod") && !arguments.iter().any(|a| ["configure", "delete"].contains(a)) {
                home.run(arguments).expect_only_error(code, words).expect_hint("alchemy configure -p");
            }
        }
        assert_eq!(home.snapshot(), before);
        assert_eq!(home.run(&["token", "good"]).expect_code(0).stdout, "tok-good\n");
        assert!(home.run(&["list"]).expect_code(0).stdout.contains(words));
        // What the hint says mends it, and asks for more than its word before it does.
        let without_yes = &CONFIGURE[..9];
        no_terminal(&home, without_yes, "tok-new").expect_only_error(2, "which cannot be read");
        home.run_with_input(&CONFIGURE, "tok-new").expect_code(0);
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "tok-new\n");
    }
}

// --- credential documents ---

#[test]
fn a_credential_that_is_missing_torn_or_wrong_is_an_error_that_shows_no_secret() {
    let token = |value: &str| format!("{{\"type\": \"api-token\", \"apiToken\": {value}}}");
    let table = [
        (String::new(), "is empty"),
        (
            "{\"type\": \"api-token\", \"apiToken\": \"hunter2".to_owned(),
            "is not valid JSON (line 1, column 42)",
        ),
        ("hunter2".to_owned(), "is not valid JSON"),
        ("\"hunter2\"".to_owned(), "wrong type"),
        ("[\"hunter2\"]".to_owned(), "wrong type"),
        (token("{\"hunter2\": 1}"), "wrong type"),
        (token("31415926"), "wrong type"),
        (token("\"\""), "empty"),
        (token("null"), "has no 'apiToken'"),
        ("{\"apiToken\": \"hunter2\"}".to_owned(), "missing"),
        ("{\"type\": \"hunter2\"}".to_owned(), "a 'type' that this alchemy does not know"),
        ("{\"type\": \"api-token\", \"apiKey\": \"hunter2\"}".to_owned(), "has no 'apiToken'"),
        (
            "{\"type\": \"api-key\", \"apiKey\": \"hunter2\", \"email\": \"me@example.com\"}".to_owned(),
            "of the kind api-key, and the profile of the kind api-token",
        ),
        (
            "{\"type\": \"oauth\", \"access\": \"hunter2\", \"expires\": 99999999999999}".to_owned(),
            "of the kind oauth, and the profile of the kind api-token",
        ),
    ];
    let home = prod();
    let refuse = |words: &str| {
        let before = home.snapshot();
        for (arguments, code) in COMMANDS.into_iter().filter(|(a, _)| a.len() < 5 && a[1] == "prod") {
            let output = home.run(&[arguments[0], "-v", "prod"]).expect_error(code, words);
            assert!(!output.stderr.contains("hunter2") && !output.stderr.contains("31415926"), "{output:?}");
            home.run(arguments).expect_only_error(code, words).expect_hint("alchemy configure -p prod");
        }
        // What is not secret is not touched by it.
        home.run(&["profile", "show", "prod"]).expect_code(0);
        home.run(&["list"]).expect_code(0);
        assert_eq!(home.snapshot(), before);
    };
    for (text, words) in table {
        home.write(CREDENTIAL, &text);
        home.age(CREDENTIAL);
        refuse(words);
    }
    fs::remove_file(home.alchemy(CREDENTIAL)).expect("removed");
    refuse("the credential of profile 'prod' is missing from the file store");
    fs::remove_dir(home.alchemy("credentials/prod")).expect("removed");
    refuse("the credential of profile 'prod' is missing from the file store");
    home.token_profile("prod", "tok-again");
    assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "tok-again\n");

    fs::remove_file(home.alchemy(CREDENTIAL)).expect("removed");
    fs::create_dir(home.alchemy(CREDENTIAL)).expect("a folder");
    home.run(&["token", "prod"]).expect_only_error(1, "is a directory");
    let before = home.snapshot();
    home.run_with_input(&CONFIGURE, "tok-new").expect_only_error(1, "is a directory");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn a_document_of_npm_version_2_that_is_wrong_shows_no_secret_either() {
    let home = Home::new();
    for (text, words) in [
        ("", "is not a profile of npm alchemy 2"),
        (
            "{\"format\": \"alchemy.profile/v1\", \"values\": {\"apiToken\": \"hunter2",
            "is not a profile of npm",
        ),
        ("{\"format\": \"alchemy.profile/v1\", \"values\": \"hunter2\"}", "is not a profile of npm"),
        (
            "{\"format\": \"alchemy.profile/v9\", \"values\": {\"apiToken\": \"hunter2\"}}",
            "of an unknown format",
        ),
        ("{\"format\": \"alchemy.profile/v1\", \"values\": {\"apiToken\": \"hunter2\"}}", "is not complete"),
    ] {
        home.write_private("profiles/prod/cloudflare.json", text);
        home.age("profiles/prod/cloudflare.json");
        let before = home.snapshot();
        for (arguments, code) in [(&["exec", "prod", "true"][..], 125), (&["token", "prod"], 1)] {
            let output = home.run(arguments).expect_only_error(code, words);
            assert!(!output.stderr.contains("hunter2"), "{output:?}");
        }
        let listed = home.run(&["list"]).expect_code(0).stdout;
        assert!(listed.contains(words) && !listed.contains("hunter2"), "{listed}");
        assert_eq!(home.snapshot(), before);
    }
}

// --- disks ---

#[test]
fn a_write_that_fails_leaves_the_old_documents() {
    // No file may grow: every write fails, and says so instead of being killed by the signal.
    let home = prod();
    let before = home.snapshot();
    for (arguments, _) in changing() {
        let mut command = home.command("sh");
        let line = "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"";
        command.args(["-c", line, ALCHEMY]).args(arguments);
        run_with_input(&mut command, "tok-new").expect_only_error(1, "file too large").expect_hint("ls -ld");
        assert_eq!(home.snapshot(), before, "{arguments:?}");
    }
}

#[test]
fn a_full_disk_leaves_the_old_documents() {
    // A disk of sixteen pages: two for the documents of `prod`, and the rest is filled but for as many
    // pages as are said. With none the new config.json has no room, with one the credential.
    let script = r#"
        mount -t tmpfs -o size=64k none "$HOME/.alchemy" || exit 99
        cp -a "$HOME/before/." "$HOME/.alchemy"
        dd if=/dev/zero of="$HOME/.alchemy/filling" bs=4096 2>/dev/null
        dd if=/dev/null of="$HOME/.alchemy/filling" bs=4096 seek=$(( $(stat -c %s "$HOME/.alchemy/filling") / 4096 - $1 )) 2>/dev/null
        shift
        "$0" "$@"
        code=$?
        rm "$HOME/.alchemy/filling"
        cp -a "$HOME/.alchemy/." "$HOME/after"
        exit $code
    "#;
    if !has("unshare") {
        return;
    }
    let mut refused = Vec::new();
    for free in 0..4 {
        for (arguments, new) in [(&CONFIGURE[..], "tok-new"), (&["profile", "rename", "prod", "live"], "")] {
            let home = prod();
            let old = home.snapshot();
            fs::rename(home.alchemy(""), home.path().join("before")).expect("moved");
            for folder in [home.alchemy(""), home.path().join("after")] {
                fs::create_dir(folder).expect("a folder");
            }
            let mut command = home.command("unshare");
            command.args(if geteuid().is_root() { &["-m"][..] } else { &["-r", "-m"] });
            command.args(["sh", "-c", script, ALCHEMY, &free.to_string()]).args(arguments);
            let output = run_with_input(&mut command, new);
            if output.stderr.starts_with("unshare: ") || output.code == 99 {
                assert!(std::env::var_os("ALCHEMY_TEST_NO_SKIP").is_none(), "{}", output.stderr);
                eprintln!("skipped: no file system can be mounted here: {}", output.stderr.trim());
                return;
            }
            fs::remove_dir(home.alchemy("")).expect("removed");
            fs::rename(home.path().join("after"), home.alchemy("")).expect("moved");
            if output.code == 0 {
                assert!(home.snapshot() != old);
                continue;
            }
            output.expect_only_error(1, "no space left on device").expect_hint("make room");
            assert_eq!(home.snapshot(), old, "{free} {arguments:?}");
            refused.push((free, arguments[0]));
        }
    }
    let expected = [(0, "configure"), (0, "profile"), (1, "configure"), (1, "profile")];
    assert_eq!(refused, expected, "with room for both it is written");
}

// --- stdout ---

/// The commands that print, with the code of their failures.
const PRINTING: [&[&str]; 9] = [
    &["list"],
    &["list", "--json"],
    &["profile", "show", "prod"],
    &["profile", "current"],
    &["env", "prod"],
    &["token", "prod"],
    &["credential-process", "prod"],
    &["--help"],
    &["--version"],
];

#[test]
fn a_stdout_that_nobody_reads_is_no_failure() {
    let home = prod();
    for arguments in PRINTING {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let mut command = home.alchemy_command(arguments);
        let child = command.stdout(writer).stderr(Stdio::piped()).spawn().expect("started");
        let output = support::finished(child.wait_with_output().expect("finished")).expect_code(0);
        assert_eq!(output.stderr, "", "{arguments:?}");
        let mut closed = home.command("sh");
        let output = run(closed.args(["-c", "\"$0\" \"$@\" >&-", ALCHEMY]).args(arguments)).expect_code(0);
        assert_eq!(output.stderr, "", "{arguments:?}");
    }
    assert!(home.read("config.json").starts_with('{'), "nothing was printed into a document");
    // A change is made whether or not anybody reads what it prints.
    let mut command = home.alchemy_command(&["profile", "delete", "prod", "--yes", "--json"]);
    let (_, writer) = pipe().expect("a pipe");
    assert!(command.stdout(writer).status().expect("started").success());
    home.run(&["token", "prod"]).expect_only_error(1, "there is no profile");
}

#[test]
fn a_stdout_that_cannot_be_written_is_a_failure() {
    let home = prod();
    for arguments in PRINTING {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("opened");
        let mut command = home.alchemy_command(arguments);
        let child = command.stdout(full).stderr(Stdio::piped()).spawn().expect("started");
        let output = support::finished(child.wait_with_output().expect("finished"));
        output.expect_only_error(1, "cannot write to stdout: no space left on device");
    }
}

#[test]
fn a_stderr_that_cannot_be_written_changes_no_exit_code() {
    let home = prod();
    for (arguments, code) in [(&["token", "nope"][..], 1), (&["exec", "nope", "true"], 125), (&["x"], 2)] {
        let (_, writer) = pipe().expect("a pipe");
        for stderr in [Stdio::from(writer), File::create("/dev/full").expect("opened").into()] {
            let mut command = home.alchemy_command(arguments);
            assert_eq!(command.stderr(stderr).status().expect("started").code(), Some(code), "{arguments:?}");
        }
    }
}

/// A line of each command that ends by itself, as it is typed.
const EVERY: &str = "exec prod -- true
    exec prod -- nonexistent
    exec nope -- true
    env prod
    env prod --format fish
    env prod --format tcsh
    env prod --format nu
    env prod --format elvish
    env prod --format pwsh
    env prod --format json
    env prod --format dotenv
    env prod --format docker
    env prod --format github-actions
    env prod --unset
    -v env prod
    token prod
    -vv token nope
    credential-process prod
    credential-process prod --format aws
    configure
    configure --list-scopes
    login prod
    logout prod
    logout --all --json
    rotate nope
    unlock prod
    lock
    whoami nope
    open nope
    list
    list --json
    -v list
    profile show prod
    profile show prod --json
    profile current
    profile delete nope --yes
    hook bash
    hook zsh
    hook fish
    hook direnv
    prompt
    use
    use --list
    allow
    allow --list
    deny
    doctor --offline
    doctor --offline --json
    import wrangler
    completions bash
    completions zsh
    man
    man env
    help
    help env
    --help
    --version
    profile
    nope
    --nope
    env --help
    deploy";

/// A stream that cannot be written: its reader has gone, or its disk is full; or, in a shell, it is closed.
fn unwritable() -> [Stdio; 2] {
    let (_, writer) = pipe().expect("a pipe");
    [writer.into(), OpenOptions::new().write(true).open("/dev/full").expect("opened").into()]
}

#[test]
fn no_command_minds_a_stream_that_is_closed() {
    let home = prod();
    let command = |line: &str, shell: &str| {
        let mut command = home.command("sh");
        command.args(["-c", &format!("\"$0\" \"$@\" {shell}"), ALCHEMY]).args(line.split_whitespace());
        command.env("GITHUB_ACTIONS", "true");
        command
    };
    for line in EVERY.lines() {
        let usual = run(&mut command(line, ""));
        let code = Some(usual.code);
        assert!(matches!(usual.code, 0 | 1 | 2 | 125 | 127), "{line}: {usual:?}");
        for shell in ["2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"] {
            assert_eq!(command(line, shell).output().expect("started").status.code(), code, "{line} {shell}");
        }
        for (what, stderr) in ["gone", "full"].into_iter().zip(unwritable()) {
            let output = command(line, "").stderr(stderr).output().expect("started");
            assert_eq!(output.status.code(), code, "{line}: stderr is {what}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), usual.stdout, "{line}: stderr is {what}");
        }
        let [gone, full] = unwritable();
        let output = support::finished(command(line, "").stdout(gone).output().expect("started"));
        // What is printed is printed; that nobody reads it is no failure.
        assert!(
            output.code == usual.code || !usual.stdout.is_empty() && output.code == 0,
            "{line}: {output:?}"
        );
        assert!(!output.stderr.contains("panicked"), "{line}: {output:?}");
        let output = support::finished(command(line, "").stdout(full).output().expect("started"));
        let failed = if usual.stdout.is_empty() { usual.code } else { 1 };
        assert_eq!(output.code, failed, "{line}: stdout is full: {output:?}");
        let [one, other] = unwritable();
        let status = command(line, "").stdout(one).stderr(other).status().expect("started");
        assert!(matches!(status.code(), Some(0 | 1 | 2 | 125 | 127)), "{line}: {status:?}");
    }
}

// --- the environment ---

#[test]
fn variables_that_are_not_utf_8_are_passed_through_or_named() {
    let home = prod();
    let odd = OsStr::from_bytes(b"\xff\xfe=x");
    let mut command = home.alchemy_command(&["exec", "prod", "--", "sh", "-c"]);
    let output = run(command.arg("printf %s \"$ODD\" | od -An -tx1").env("ODD", odd)).expect_code(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), (" ff fe 3d 78\n", ""));
    let mut command = home.alchemy_command(&["exec", "prod", "--", "env", "-0"]);
    let output = run(command.env(OsStr::from_bytes(b"N\xff"), "kept")).expect_code(0);
    assert_eq!(environment(&output.stdout)["N\u{fffd}"], "kept");
    // Those that are ours are named, not taken for something else, and never a panic.
    for variable in ["CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL", "CLOUDFLARE_ACCOUNT_ID", "CI"] {
        let mut command = home.alchemy_command(&["exec", "prod", "--", "env", "-0"]);
        let output = run(command.env(variable, odd)).expect_code(0);
        assert_eq!(environment(&output.stdout)["CLOUDFLARE_ACCOUNT_ID"], ACME);
        assert!(output.stderr.contains(variable) || variable == "CI", "{variable}: {}", output.stderr);
    }
    let mut command = home.alchemy_command(&["configure", "-p", "q", "--token-stdin", "--no-verify"]);
    command.args(["--account", ACME]).env("ALCHEMY_STORE", odd).env("XDG_RUNTIME_DIR", odd);
    let output = run_with_input(command.env("DBUS_SESSION_BUS_ADDRESS", odd), "tok").expect_code(0);
    assert!(output.stderr.contains("ALCHEMY_STORE is ignored"), "{}", output.stderr);
    for variable in ["PATH", "SHELL", "TERM", "LANG", "NO_COLOR", "ALCHEMY_QUIET", "DIRENV_IN_ENVRC"] {
        let mut command = home.alchemy_command(&["token", "prod"]);
        assert_eq!(run(command.env(variable, odd)).expect_code(0).stdout, "tok-example\n", "{variable}");
    }
}

#[test]
fn a_home_whose_path_is_not_utf_8_is_a_home() {
    let home = Home::new();
    let odd = home.path().join(OsStr::from_bytes(b"\xff home"));
    fs::create_dir(&odd).expect("a folder");
    for variable in ["HOME", "ALCHEMY_HOME"] {
        let with = |arguments: &[&str], input: &str| {
            run_with_input(home.alchemy_command(arguments).env(variable, &odd), input).expect_code(0)
        };
        with(&CONFIGURE, "tok-odd");
        assert_eq!(with(&["token", "prod"], "").stdout, "tok-odd\n");
        with(&["profile", "rename", "prod", "live"], "");
        assert_eq!(with(&["exec", "live", "--", "printenv", "CLOUDFLARE_API_TOKEN"], "").stdout, "tok-odd\n");
    }
    assert!(odd.join("config.json").is_file() && odd.join(".alchemy/config.json").is_file());
    assert!(!home.alchemy("").exists());
}

#[test]
fn a_home_that_is_no_absolute_path_is_refused() {
    let home = prod();
    let before = home.snapshot();
    for relative in [".alchemy", "./.alchemy", "~/.alchemy"] {
        let mut command = home.alchemy_command(&["token", "prod"]);
        run(command.env("ALCHEMY_HOME", relative))
            .expect_only_error(1, "ALCHEMY_HOME is not an absolute path");
        let mut command = home.alchemy_command(&["exec", "prod", "true"]);
        run(command.env("ALCHEMY_HOME", relative)).expect_only_error(125, "ALCHEMY_HOME is not an absolute");
        let mut command = home.alchemy_command(&CONFIGURE);
        run_with_input(command.env("HOME", relative), "tok")
            .expect_only_error(1, "HOME is no absolute path")
            .expect_hint("ALCHEMY_HOME");
    }
    assert_eq!(home.snapshot(), before);
}

#[test]
fn without_home_it_is_the_one_of_the_user_and_without_a_user_an_error() {
    let home = prod();
    let mut command = home.alchemy_command(&["token", "prod"]);
    command.env_remove("HOME").env("ALCHEMY_HOME", home.alchemy(""));
    assert_eq!(run(&mut command).expect_code(0).stdout, "tok-example\n");
    if !geteuid().is_root() {
        eprintln!("skipped: only root can be somebody of whom the system knows nothing");
        return;
    }
    let (home, _) = of_a_person();
    let nobody_known = |arguments: &[&str]| {
        let mut command = Command::new(home.path().join("alchemy"));
        command.env_clear().args(arguments).current_dir("/").uid(3_000_000_007).gid(3_000_000_007);
        command
    };
    set_mode(home.path(), 0o755);
    run(&mut nobody_known(&["list"]))
        .expect_only_error(1, "HOME is no absolute path")
        .expect_hint("ALCHEMY_HOME");
    // A credential that the environment holds needs none: containers run with any uid.
    let in_ci = |arguments: &[&str]| {
        let mut command = nobody_known(arguments);
        let variables = [("CI", "true"), ("CLOUDFLARE_API_TOKEN", "tok-ci"), ("CLOUDFLARE_ACCOUNT_ID", ACME)];
        command.envs(variables);
        command
    };
    let of_command = ["exec", "--", "/usr/bin/printenv", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"];
    let output = run(&mut in_ci(&of_command)).expect_code(0);
    assert_eq!(output.stdout, format!("tok-ci\n{ACME}\n"));
    assert!(output.stderr.contains("CLOUDFLARE_API_TOKEN from the environment"), "{}", output.stderr);
    assert_eq!(run(&mut in_ci(&["exec", "prod", "--", "/bin/true"])).code, 0);
    assert_eq!(run(&mut in_ci(&["token"])).expect_code(0).stdout, "tok-ci\n");
    let mut key = nobody_known(&["env", "--format", "json"]);
    key.envs([("CI", "true"), ("CLOUDFLARE_API_KEY", "key-ci"), ("CLOUDFLARE_EMAIL", "me@example.com")]);
    assert!(run(&mut key).expect_code(0).stdout.contains("key-ci"));
    run(nobody_known(&of_command).env("CI", "true")).expect_only_error(125, "HOME is no absolute path");
    run(&mut in_ci(&["list"])).expect_only_error(1, "HOME is no absolute path").expect_hint("ALCHEMY_HOME");
    run_with_input(&mut in_ci(&CONFIGURE), "tok").expect_only_error(1, "HOME is no absolute path");

    let folder = home.path().join("theirs");
    fs::create_dir(&folder).expect("a folder");
    chown(&folder, Some(3_000_000_007), None).expect("given away");
    run_with_input(nobody_known(&CONFIGURE).env("ALCHEMY_HOME", folder.join("x")), "tok").expect_code(0);
    assert!(folder.join("x/config.json").is_file());
}

// --- questions without a terminal ---

/// Runs `alchemy` in a session of its own, which has no terminal.
fn no_terminal(home: &Home, arguments: &[&str], input: &str) -> Output {
    let mut command = home.command("setsid");
    run_with_input(command.args(["--wait", ALCHEMY]).args(arguments), input)
}

#[test]
fn a_question_without_a_terminal_fails_at_once_and_names_the_flag() {
    if !has("setsid") {
        return;
    }
    let home = prod();
    let before = home.snapshot();
    let file = ["--store", "file", "--no-verify", "--account", ACME];
    let table: [(&[&str], &str); 6] = [
        (&["configure", "--token-stdin"], "-p NAME"),
        (&["configure", "-p", "new"], "--method"),
        (&["configure", "-p", "new", "--method", "api-token"], "--token-stdin"),
        (&["configure", "-p", "new", "--method", "api-key"], "--email"),
        (&["configure", "-p", "new", "--email", "me@example.com"], "--key-stdin"),
        (&["configure", "-p", "prod", "--token-stdin"], "--yes"),
    ];
    for (arguments, flag) in table {
        no_terminal(&home, &[arguments, &file].concat(), "tok")
            .expect_only_error(2, "alchemy: ")
            .expect_hint(flag);
    }
    no_terminal(&home, &["profile", "delete", "prod"], "yes\n")
        .expect_only_error(2, "alchemy: ")
        .expect_hint("--yes");
    assert_eq!(home.snapshot(), before);
    // What needs no question needs no terminal.
    no_terminal(&home, &CONFIGURE, "tok-new").expect_code(0);
    assert_eq!(no_terminal(&home, &["token", "prod"], "").expect_code(0).stdout, "tok-new\n");
}

// --- secrets as people paste them ---

#[test]
fn a_pasted_secret_is_trimmed_and_otherwise_taken_as_it_is() {
    let home = prod();
    for (pasted, kept) in [
        ("tok-1\n", "tok-1"),
        ("  tok-2\r\n\n", "tok-2"),
        ("\"tok-3\"", "tok-3"),
        ("'tok-4'\n", "tok-4"),
        ("\u{feff}tok-5", "tok-5"),
        ("t", "t"),
        ("a token with spaces, 'quotes' and $(more) é", "a token with spaces, 'quotes' and $(more) é"),
        (&"x".repeat(4096), &"x".repeat(4096)),
    ] {
        home.run_with_input(&CONFIGURE, pasted).expect_code(0);
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, format!("{kept}\n"));
    }
    home.key_profile("key", " \"key-1\"\n", "  me@example.com ");
    let shown = home.run(&["credential-process", "key"]).expect_code(0).stdout;
    assert!(shown.contains("\"key-1\"") && shown.contains("\"me@example.com\""), "{shown}");
}

#[test]
fn a_secret_that_cannot_be_one_is_refused_and_not_shown() {
    let home = prod();
    let before = home.snapshot();
    for (pasted, words) in [
        ("", "the API token is empty"),
        (" \n\t ", "the API token is empty"),
        ("\"\"\n", "the API token is empty"),
        ("hunter2\nhunter2", "the API token holds a control character"),
        ("hun\tter2", "the API token holds a control character"),
        ("\u{1b}[200~hunter2\u{1b}[201~", "the API token holds a control character"),
        ("hunter2\0", "the API token holds a control character"),
        (&"hunter2".repeat(20_000), "longer than any secret"),
    ] {
        for name in ["prod", "new"] {
            let mut arguments = CONFIGURE;
            arguments[2] = name;
            let output = home.run_with_input(&arguments, pasted).expect_only_error(1, words);
            assert!(!output.stderr.contains("unter2"), "{}", output.stderr);
        }
    }
    let mut command = home.command("sh");
    command.args(["-c", "printf 'hunter2\\377' | \"$0\" \"$@\"", ALCHEMY]).args(CONFIGURE);
    let output = run(&mut command).expect_only_error(1, "valid UTF-8");
    assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
    let key = ["configure", "-p", "k", "--key-stdin", "--no-verify", "--account", ACME, "--store", "file"];
    for email in ["", " ", "me@example.com\nX-Other: 1"] {
        let arguments = [&key[..], &["--email", email]].concat();
        home.run_with_input(&arguments, "key").expect_only_error(2, "the e-mail is empty or holds");
    }
    let arguments = [&key[..], &["--email", "me@example.com"]].concat();
    home.run_with_input(&arguments, " ").expect_only_error(1, "the Global API Key is empty");
    assert_eq!(home.snapshot(), before);
}
