//! Many processes at once, and processes that are killed: nothing is lost, everything stays whole.

mod support;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{ACME, Home};

/// The arguments that give a profile a new token and account.
fn configure<'a>(name: &'a str, account: &'a str) -> [&'a str; 10] {
    ["configure", "-p", name, "--token-stdin", "--no-verify", "--account", account, "--store", "file", "-y"]
}

/// An account's id for a number.
fn account(number: usize) -> String {
    format!("{number:032x}")
}

fn config(home: &Home) -> Value {
    serde_json::from_str(&home.read("config.json")).expect("config.json parses")
}

/// Runs commands with their input at the same moment; all succeed.
fn at_once(home: &Home, commands: &[(Vec<&str>, String)]) {
    let start = Barrier::new(commands.len());
    thread::scope(|scope| {
        for (arguments, input) in commands {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                home.run_with_input(arguments, input).expect_code(0);
            });
        }
    });
}

#[test]
fn fifty_configures_and_deletes_at_once_lose_nothing_and_the_document_always_parses() {
    let home = Home::new();
    home.token_profile("kept", "tok-kept");
    let names = |prefix: &str| (0..25).map(|n| format!("{prefix}-{n}")).collect::<Vec<_>>();
    let (new, old) = (names("new"), names("old"));
    for name in &old {
        home.token_profile(name, name);
    }
    let mut commands = Vec::new();
    for (new, old) in new.iter().zip(&old) {
        commands.push((configure(new, ACME).to_vec(), format!("tok-{new}")));
        commands.push((vec!["profile", "delete", old, "--yes"], String::new()));
    }
    thread::scope(|scope| {
        let work = scope.spawn(|| at_once(&home, &commands));
        while !work.is_finished() {
            assert_eq!(config(&home)["version"], 1);
        }
        work.join().expect("all succeeded");
    });
    let config = config(&home);
    let mut left: Vec<&str> =
        config["profiles"].as_object().expect("an object").keys().map(String::as_str).collect();
    let mut expected: Vec<&str> = new.iter().map(String::as_str).chain(["kept"]).collect();
    left.sort_unstable();
    expected.sort_unstable();
    assert_eq!(left, expected);
    for name in expected {
        assert_eq!(home.run(&["token", name]).expect_code(0).stdout, format!("tok-{name}\n"));
    }
    let mut folders: Vec<_> = fs::read_dir(home.alchemy("credentials")).expect("a folder").collect();
    folders
        .retain(|folder| folder.as_ref().is_ok_and(|f| f.file_name().to_string_lossy().starts_with("old")));
    assert!(folders.is_empty(), "{folders:?}");
    assert_eq!(leftovers(&home), Vec::<PathBuf>::new());
}

#[test]
fn configures_of_one_profile_at_once_leave_the_credential_and_the_account_of_one_of_them() {
    let home = Home::new();
    let accounts: Vec<String> = (0..8).map(account).collect();
    let commands: Vec<_> =
        accounts.iter().map(|id| (configure("prod", id).to_vec(), format!("tok-{id}"))).collect();
    for _ in 0..6 {
        at_once(&home, &commands);
        let config = config(&home);
        let id = config["profiles"]["prod"]["cloudflare"]["metadata"]["id"].as_str().expect("an id");
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, format!("tok-{id}\n"));
    }
}

#[test]
fn who_waits_for_another_process_says_so_after_a_second_and_goes_on_when_it_may() {
    let home = Home::new();
    home.token_profile("prod", "tok-old");
    for (lock, what) in [("lock/config", "config.json"), ("lock/native/prod", "profile 'prod'")] {
        let held = File::open(home.alchemy(lock)).expect("the lock's file");
        held.lock().expect("locked");
        let mut child = start(&home, &configure("prod", ACME), "tok-new");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = String::new();
        stderr.read_line(&mut said).expect("read");
        assert_eq!(said, format!("alchemy: waiting for another alchemy to finish with {what}\n"));
        assert!(home.read("credentials/prod/cloudflare.json").contains("tok-old"), "it waits");
        held.unlock().expect("unlocked");
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).expect("read");
        assert!(child.wait().expect("ended").success(), "{rest}");
        assert_eq!(rest.lines().count(), 1, "said once: {rest}");
        assert!(home.read("credentials/prod/cloudflare.json").contains("tok-new"));
        home.token_profile("prod", "tok-old");
    }
}

#[test]
fn reading_waits_for_nobody() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    let held = ["lock/config", "lock/native/prod"].map(|lock| {
        let file = File::open(home.alchemy(lock)).expect("the lock's file");
        file.lock().expect("locked");
        file
    });
    for arguments in [&["exec", "prod", "--", "true"][..], &["env", "prod"], &["list"]] {
        assert_eq!(home.run(arguments).expect_code(0).stderr, "", "{arguments:?}");
    }
    drop(held);
}

// --- killed at any moment ---

fn start(home: &Home, arguments: &[&str], input: &str) -> Child {
    let mut command = home.alchemy_command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("taken");
    child
}

/// The token in the credential's document, which is whole whenever one looks.
fn credential(home: &Home) -> String {
    let text = home.read("credentials/prod/cloudflare.json");
    let document: Value = serde_json::from_str(&text).expect("the credential parses");
    document["apiToken"].as_str().expect("a token").to_owned()
}

/// The temporary files that there are, while others come and go.
fn leftovers(home: &Home) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let folders = list(&home.alchemy("credentials")).into_iter().chain([home.alchemy("")]);
    let files = folders.flat_map(|folder| list(&folder));
    files.filter(|path| path.extension().is_some_and(|extension| extension == "tmp")).collect()
}

/// Waits for the process to come to its moment or to its end, kills it, and says whether it was killed
/// before its end.
fn kill_at(moment: impl Fn() -> bool, mut child: Child) -> bool {
    while child.try_wait().expect("waited").is_none() && !moment() {
        thread::yield_now();
    }
    child.kill().expect("killed, or gone");
    !child.wait().expect("ended").success()
}

/// How long the command takes that is to be killed, for moments spread over its life.
fn usual(run: impl FnOnce()) -> Duration {
    let started = Instant::now();
    run();
    started.elapsed()
}

#[test]
fn an_update_that_is_killed_leaves_the_old_or_the_new_documents_whole() {
    let home = Home::new();
    let configure_whole = |id: &str| {
        home.run_with_input(&configure("prod", id), &format!("tok-{id}")).expect_code(0);
    };
    configure_whole(&account(0));
    let usual = usual(|| configure_whole(&account(0)));
    let mut old = (account(0), account(0));
    let mut deaths = 0;
    for round in 1..=150_usize {
        let id = account(round);
        let known = leftovers(&home);
        let child = start(&home, &configure("prod", &id), &format!("tok-{id}"));
        let (kind, started) = (round % 4, Instant::now());
        let after = usual * u32::try_from(round % 50).expect("small") / 40;
        deaths += usize::from(kill_at(
            || match kind {
                0 => started.elapsed() >= after,
                // The new config.json is being written beside the old one, or the credential is.
                1 | 2 => leftovers(&home).iter().any(|path| {
                    !known.contains(path)
                        && (path.parent() == Some(&home.alchemy("credentials/prod"))) == (kind == 2)
                }),
                // The credential is in its place, and the new config.json perhaps not yet.
                _ => credential(&home).contains(&id),
            },
            child,
        ));

        let pinned = config(&home)["profiles"]["prod"]["cloudflare"]["metadata"]["id"].clone();
        let pinned = pinned.as_str().expect("an id").to_owned();
        assert!(pinned == id || pinned == old.0, "{pinned} in round {round}");
        let token = home.run(&["token", "prod"]).expect_code(0).stdout;
        let token = token.trim().trim_start_matches("tok-").to_owned();
        assert!(token == id || token == old.1, "{token} in round {round}");
        assert!(pinned != id || token == id, "the credential is there before config.json says so");
        let left = leftovers(&home);
        assert!(left.len() <= 2, "one for each document at the most: {left:?}");
        old = (pinned, token);
    }
    assert!(deaths >= 30, "only {deaths} of 150 were killed");
    configure_whole(&account(0));
    assert_eq!(leftovers(&home), Vec::<PathBuf>::new(), "swept by the next write");
}

#[test]
fn a_rename_that_is_killed_leaves_one_profile_that_works() {
    let home = Home::new();
    home.token_profile("a", "tok-example");
    let usual = usual(|| {
        home.run(&["profile", "rename", "a", "b"]).expect_code(0);
    });
    let (mut name, mut deaths) = ("b".to_owned(), 0);
    for round in 0..60 {
        let to = if name == "a" { "b" } else { "a" };
        let known = leftovers(&home);
        let child = start(&home, &["profile", "rename", &name, to], "");
        let (credential, started) = (format!("credentials/{to}/cloudflare.json"), Instant::now());
        let after = usual * (round % 20) / 16;
        deaths += usize::from(kill_at(
            || match round % 3 {
                0 => started.elapsed() >= after,
                1 => leftovers(&home).iter().any(|path| !known.contains(path)),
                _ => home.alchemy(&credential).exists(),
            },
            child,
        ));
        let config = config(&home);
        let names: Vec<_> = config["profiles"].as_object().expect("an object").keys().collect();
        assert_eq!(names.len(), 1, "{names:?}");
        name.clone_from(names[0]);
        assert_eq!(home.run(&["token", &name]).expect_code(0).stdout, "tok-example\n");
    }
    assert!(deaths >= 10, "only {deaths} of 60 were killed");
}
