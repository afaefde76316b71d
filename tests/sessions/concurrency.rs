//! Many processes at once: nothing is lost, everything stays whole. Processes that are killed are in `sweep`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Barrier;
use std::thread;

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

/// Starts a command with its input.
fn start(home: &Home, arguments: &[&str], input: &str) -> Child {
    let mut command = home.alchemy_command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("started");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("taken");
    child
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
