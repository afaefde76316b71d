//! Names of hosts: a resolver that hangs holds no lock for longer than its limit, a machine without a thread to give
//! is an error before anything was sent, and loopback names are never looked up.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc;
use serde_json::{Value, json};
use support::authorization::State;
use support::person::{Person, SignIn};
use support::signed_in::{OWN, SignedIn, in_seconds};
use support::{ALCHEMY, Home, Output, copy_for_everyone, finished, has, run};

/// A host that no resolver of ours may ever know.
const HOST: &str = "https://nonexistent.invalid";
/// The user who has no process but the one under test.
const NOBODY: u32 = 54_321;

/// A library with a `getaddrinfo` that never answers; for `LD_PRELOAD`.
fn silent_resolver(home: &Home) -> Option<PathBuf> {
    let (source, library) = (home.path().join("silent.c"), home.path().join("silent.so"));
    fs::write(&source, "#include <unistd.h>\nint getaddrinfo() { for (;;) pause(); }\n").expect("written");
    if !has("cc") {
        return None;
    }
    let mut compiler = Command::new("cc");
    run(compiler.args(["-shared", "-fPIC", "-w", "-o"]).arg(&library).arg(&source)).expect_code(0);
    Some(library)
}

/// Changes what is known of `prod`.
fn change(home: &Home, change: impl FnOnce(&mut Value)) {
    let mut config: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    change(&mut config["profiles"]["prod"]["cloudflare"]);
    home.write("config.json", &config.to_string());
}

/// `prod`, all of whose servers have names to be looked up.
fn named(left: i64) -> SignedIn {
    let online = SignedIn::prod(left);
    change(&online.home, |entry| {
        entry["oauth"] = json!({ "clientId": OWN, "tokenUrl": format!("{HOST}/token"), "revokeUrl": format!("{HOST}/revoke") });
        entry["baseUrl"] = format!("{HOST}/client/v4").into();
    });
    online
}

#[track_caller]
fn lock_is_free(home: &Home) {
    let Ok(lock) = File::open(home.alchemy("lock/native/prod")) else { return };
    lock.try_lock().expect("nobody holds the profile's lock");
}

/// Runs a command to its end, which comes in time.
#[track_caller]
fn within(limit: u64, command: &mut Command) -> Output {
    let started = Instant::now();
    let output = run(command);
    let took = started.elapsed();
    // So much more than the limit is a machine that is busy; a resolver that is waited for hangs for ever.
    assert!(took < Duration::from_secs(limit) + Duration::from_secs(25), "{took:?}: {}", output.stderr);
    output
}

#[test]
fn a_resolver_that_hangs_is_waited_for_to_a_limit_and_no_lock_outlives_it() {
    let table: [(&[&str], i64, u64, i32, &str); 6] = [
        (&["token", "prod"], 0, 32, 1, "no connection within 10 s"),
        (
            &["exec", "prod", "--", "true"],
            58,
            32,
            0,
            "no connection within 10 s; the token of 'prod' is used",
        ),
        (&["profile", "refresh", "prod"], 600, 32, 1, "no connection within 10 s"),
        (&["logout", "prod"], 600, 10, 1, "no connection within 10 s"),
        (&["profile", "delete", "prod", "--yes"], 600, 10, 1, "no connection within 10 s"),
        (&["whoami", "prod"], 600, 32, 1, "no connection within 10 s"),
    ];
    thread::scope(|scope| {
        for (arguments, left, limit, code, words) in table {
            scope.spawn(move || {
                let online = named(left);
                let Some(library) = silent_resolver(&online.home) else { return };
                let before = online.pair();
                let mut command = online.command(arguments);
                let output = within(limit, command.env("LD_PRELOAD", library)).expect_code(code);
                assert!(output.stderr.contains(words), "{arguments:?}: {}", output.stderr);
                lock_is_free(&online.home);
                assert_eq!(online.pair(), before, "{arguments:?}");
                assert_eq!(online.server.state_of(&before.refresh), State::Live, "{arguments:?}");
            });
        }
        // A sign-in has the code, and cannot bring it anywhere.
        scope.spawn(|| {
            let person = Person::new();
            let Some(library) = silent_resolver(&person.home) else { return };
            let started = Instant::now();
            let mut command =
                person.command(&["configure", "-p", "prod", "--method", "oauth", "--store", "file"]);
            command.env("ALCHEMY_OAUTH_TOKEN_URL", format!("{HOST}/token")).env("LD_PRELOAD", library);
            let mut sign_in = SignIn::start(command);
            let state =
                sign_in.url.split_once("state=").and_then(|(_, rest)| rest.split('&').next()).expect("one");
            let answer = format!("http://127.0.0.1/auth/callback?code=a-code&state={state}\n");
            sign_in.paste(&answer);
            let output = sign_in.finish().expect_code(1);
            assert!(output.stderr.contains("no connection within 10 s"), "{}", output.stderr);
            assert!(started.elapsed() < Duration::from_secs(32 + 25));
        });
        // The doctor asks the server of each profile.
        scope.spawn(|| {
            let online = named(600);
            let Some(library) = silent_resolver(&online.home) else { return };
            let mut command = online.command(&["doctor"]);
            let output = within(5, command.env("LD_PRELOAD", library));
            assert!(output.stdout.contains("within 5 s"), "{}", output.stdout);
        });
    });
}

/// Runs the binary as a user who can have no further thread. Root's own limit does not bind root.
fn without_threads(home: &Home, mut command: Command) -> Output {
    let binary = home.path().join("alchemy-of-nobody");
    copy_for_everyone(&binary);
    assert_eq!(Path::new(command.get_program()), Path::new(ALCHEMY));
    let mut limited = Command::new(&binary);
    limited.args(command.get_args()).env_clear().current_dir(home.path());
    limited.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if nix::unistd::getuid().is_root() {
        give_to_nobody(home.path());
        limited.uid(NOBODY);
    }
    let limit = || {
        let one = libc::rlimit { rlim_cur: 1, rlim_max: 1 };
        // SAFETY: it reads the value it is given.
        if unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &raw const one) } == -1 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes one system call and allocates nothing.
    unsafe { limited.pre_exec(limit) };
    command = limited;
    finished(command.stdin(Stdio::null()).output().expect("started"))
}

fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("given away");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("read") {
            give_to_nobody(&entry.expect("an entry").path());
        }
    }
}

#[test]
fn without_a_thread_to_be_had_nothing_is_sent_and_that_is_said() {
    let table: [(&[&str], i64, i32); 8] = [
        (&["token", "prod"], 0, 1),
        (&["exec", "prod", "--", "true"], 0, 125),
        (&["exec", "prod", "--", "true"], 50, 0),
        (&["profile", "refresh", "prod"], 600, 1),
        (&["logout", "prod"], 600, 1),
        (&["whoami", "prod"], 600, 1),
        (&["profile", "delete", "prod", "--yes"], 600, 1),
        (&["doctor"], 600, 1),
    ];
    thread::scope(|scope| {
        for (arguments, left, code) in table {
            scope.spawn(move || {
                let online = named(left);
                let before = online.pair();
                let output = without_threads(&online.home, online.command(arguments));
                let said = format!("{}{}", output.stdout, output.stderr);
                output.expect_code(code);
                assert!(said.contains("cannot start a thread to look up the host"), "{arguments:?}: {said}");
                assert!(!said.contains("panicked"), "{said}");
                assert_eq!(online.pair(), before, "{arguments:?}");
                let note = fs::read_to_string(online.home.alchemy("lock/native/prod")).unwrap_or_default();
                let note: Value = serde_json::from_str(&note).unwrap_or_default();
                assert_eq!(note["sent"], Value::Null, "{arguments:?}: it was not sent");
            });
        }
    });
    // What needs no name to be looked up needs no thread.
    let online = SignedIn::prod(0);
    let output = without_threads(&online.home, online.command(&["token", "prod"])).expect_code(0);
    assert_eq!(output.stdout.trim_end(), online.pair().access);
}

#[test]
fn loopback_names_are_not_looked_up() {
    for host in ["localhost", "LOCALHOST"] {
        let online = SignedIn::prod(0);
        let Some(library) = silent_resolver(&online.home) else { return };
        let url = online.server.token_url().replace("127.0.0.1", host);
        assert!(url.contains(host), "{url}");
        change(&online.home, |entry| entry["oauth"]["tokenUrl"] = url.into());
        let mut command = online.command(&["token", "prod"]);
        let output = run(command.env("LD_PRELOAD", library)).expect_code(0);
        assert_eq!(output.stdout.trim_end(), online.pair().access);
        online.keep("prod", OWN, &online.pair(), in_seconds(600));
    }
}
