//! Refreshing under the locks of the real npm package: who waits for whom, what a killed process leaves,
//! and a hundred of ours beside twenty of npm's.
//!
//! Version 1 now and then, and version 2 always, goes on with a refresh token that it read before it waited
//! for the lock, and spends it a second time. That is not in our hands; we do not, and none of ours fails of
//! it as long as the server does not end the grant.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::json;
use support::authorization::{Fault, Moment, State};
use support::npm::ended;
use support::shared::Version::{V1, V2};
use support::shared::{EXPIRED, Shared, for_both, is_ours, token_of, until};
use support::{has, run};

#[test]
fn version_1_waits_while_we_refresh_and_takes_what_came_of_it() {
    let Some(shared) = Shared::new(V1) else { return };
    shared.signed_in("p", EXPIRED);
    let gate = shared.gate();
    let ours = shared.start("p");
    gate.arrival();
    let mut theirs = shared.start_npm("sayWaiting(); return await token('p')");
    let mut said =
        BufReader::new(theirs.stdout.take().expect("a pipe")).lines().map(|line| line.expect("read"));
    assert_eq!(said.next().as_deref(), Some("waits"));
    drop(gate);
    let token = token_of(ours);
    assert_eq!(said.last(), Some(json!(token).to_string()));
    assert!(theirs.wait().expect("ended").success());
    assert_eq!(shared.refreshes(), (1, 0));
}

/// Version 2 waits while we refresh, and then goes on with what it has read before. The token that we gave
/// out.
fn version_2_after_us(shared: &Shared) -> String {
    let old = shared.signed_in("p", EXPIRED);
    let gate = shared.gate();
    let ours = shared.start("p");
    gate.arrival();
    let mut theirs = shared.start_npm("sayWaiting(); return await token('p').catch((error) => error._tag)");
    let said = BufReader::new(theirs.stdout.take().expect("a pipe")).lines();
    let mut said = said.map(|line| line.expect("read"));
    let waits =
        |line: &String| line.contains("auth lock: acquiring") && line.contains("profile-credentials-p");
    assert!(said.any(|line| waits(&line)));
    drop(gate);
    let token = token_of(ours);
    assert_eq!(said.last().as_deref(), Some("\"NeedsReauth\""));
    assert!(theirs.wait().expect("ended").success());
    let requests = shared.server.requests();
    let spent: Vec<_> = requests.iter().map(|asked| asked.form["refresh_token"].as_str()).collect();
    assert_eq!(spent, [&*old.refresh, &*old.refresh], "the second when ours was over");
    token
}

#[test]
fn version_2_spends_a_token_after_us_and_where_that_does_not_end_the_grant_all_is_well() {
    let Some(shared) = Shared::new(V2) else { return };
    shared.server.set_reuse_detection(false);
    let token = version_2_after_us(&shared);
    assert_eq!(shared.token("p"), token);
    assert_eq!(shared.npm("return await token('p')"), json!(token));
    assert_eq!(shared.refreshes(), (1, 1));
}

#[test]
fn version_2_spends_a_token_after_us_and_where_that_ends_the_grant_we_say_how_to_sign_in_again() {
    let Some(shared) = Shared::new(V2) else { return };
    let token = version_2_after_us(&shared);
    assert_eq!(shared.server.state_of(&token), State::Dead);
    assert_eq!(shared.token("p"), token, "which nobody can know here");
    let mut document = shared.document("p");
    document["values"]["expires"] = json!(1);
    shared.home.write(&shared.path("p"), &document.to_string());
    run(&mut shared.command(&["token", "p"]))
        .expect_error(1, "the session of profile 'p' is over")
        .expect_hint("alchemy login -p p");
    assert_eq!(shared.document("p"), document, "nothing is changed");
}

#[test]
fn we_wait_while_npm_refreshes_and_take_what_came_of_it() {
    for_both(|shared| {
        shared.signed_in("p", EXPIRED);
        waits_for_npm(shared);
        assert_eq!(shared.refreshes(), (0, 1));
    });
}

/// While npm refreshes, we wait, and take what came of it.
#[track_caller]
fn waits_for_npm(shared: &Shared) {
    let gate = shared.gate();
    let theirs = shared.start_npm("return await token('p')");
    gate.arrival();
    let ours = waiting(shared, "profile 'p'");
    drop(gate);
    assert_eq!(json!(token_of(ours)), ended(theirs));
}

/// Starts `alchemy token p` and sees it wait for that.
#[track_caller]
fn waiting(shared: &Shared, what: &str) -> Child {
    let mut ours = shared.start("p");
    let expected = format!("alchemy: waiting for another alchemy to finish with {what}\n");
    let mut said = String::new();
    // Unbuffered: what else it says is for whoever waits for its end.
    let stderr = ours.stderr.as_mut().expect("a pipe");
    while !said.ends_with(&expected) {
        let mut byte = [0];
        stderr.read_exact(&mut byte).unwrap_or_else(|_| panic!("'{expected}' in:\n{said}"));
        said.push(byte[0].into());
    }
    ours
}

/// Starts a process that asks for tokens and never gets an answer, and kills it then. The server has done
/// nothing.
fn kill_in_refresh(shared: &Shared, start: impl FnOnce() -> Child) {
    shared.server.fault(Fault::Hang).times(1);
    let before = shared.server.refreshes();
    let mut child = start();
    until("it asks", || shared.server.refreshes() > before);
    child.kill().expect("killed");
    child.wait().expect("ended");
}

/// Succeeds without a word of waiting.
#[track_caller]
fn refreshes_at_once(shared: &Shared, profile: &str) {
    let said = run(&mut shared.command(&["token", profile])).expect_code(0).stderr;
    assert!(!said.contains("waiting"), "{said}");
    assert_eq!(shared.locks(), [""; 0]);
}

#[test]
fn a_lock_that_we_left_when_we_were_killed_is_removed_by_the_next_of_us_at_once() {
    for_both(|shared| {
        shared.signed_in("p", EXPIRED);
        kill_in_refresh(shared, || shared.start("p"));
        assert!(shared.home.alchemy(&shared.lock("p")).is_dir());
        refreshes_at_once(shared, "p");
        assert_eq!((shared.refreshes(), shared.server.rotations()), ((2, 0), 1));
        assert_eq!(shared.names("p"), ["cloudflare.json"], "what it had prepared is gone, too");
    });
}

#[test]
fn a_lock_that_we_left_and_that_npm_has_taken_since_is_npms() {
    for_both(|shared| {
        shared.signed_in("p", EXPIRED);
        kill_in_refresh(shared, || shared.start("p"));
        // What npm does when its time for a lock is over.
        fs::remove_dir_all(shared.home.alchemy(&shared.lock("p"))).expect("removed");
        waits_for_npm(shared);
        assert_eq!(shared.refreshes(), (1, 1));
    });
}

#[test]
fn a_lock_with_the_inode_of_one_that_we_left_and_another_time_is_not_ours() {
    for_both(|shared| {
        shared.signed_in("p", EXPIRED);
        kill_in_refresh(shared, || shared.start("p"));
        let lock = shared.home.alchemy(&shared.lock("p"));
        File::open(&lock).and_then(|lock| lock.set_modified(SystemTime::now())).expect("its time set");
        let ours = waiting(shared, "profile 'p'");
        fs::remove_dir_all(&lock).expect("removed");
        token_of(ours);
    });
}

#[test]
fn version_1_takes_the_lock_that_we_left_when_we_were_killed_after_its_ten_seconds() {
    let Some(shared) = Shared::new(V1) else { return };
    shared.signed_in("p", EXPIRED);
    kill_in_refresh(&shared, || shared.start("p"));
    let token = shared.npm("return await token('p')");
    assert_eq!(json!(shared.token("p")), token);
    assert_eq!(shared.refreshes(), (1, 1));
}

#[test]
fn a_lock_that_npm_left_when_it_was_killed_is_taken_when_it_is_stale() {
    for_both(|shared| {
        shared.signed_in("p", EXPIRED);
        kill_in_refresh(shared, || shared.start_npm("return await token('p')"));
        let lock = File::open(shared.home.alchemy(&shared.lock("p"))).expect("the lock");
        let age = Duration::from_secs(if shared.version == V1 { 11 } else { 31 });
        lock.set_modified(SystemTime::now() - age).expect("its time set");
        refreshes_at_once(shared, "p");
        assert_eq!(shared.refreshes(), (1, 1));
    });
}

#[test]
fn a_lock_that_we_hold_is_kept_alive_and_one_that_was_taken_from_us_is_left_alone() {
    for_both(|shared| {
        shared.signed_in("p", EXPIRED);
        let gate = shared.gate();
        let ours = shared.start("p");
        gate.arrival();
        let lock = shared.home.alchemy(&shared.lock("p"));
        let state = || {
            let metadata = fs::metadata(&lock).expect("the lock");
            (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())
        };
        let first = state();
        until("it is touched", || state() != first);
        let inside = fs::read_dir(&lock).expect("listed").map(|entry| entry.expect("an entry").file_name());
        let expected: &[&str] = if shared.version == V1 { &[] } else { &["owner"] };
        assert_eq!(inside.collect::<Vec<_>>(), expected, "version 1 would spin on anything in it");

        fs::remove_dir_all(&lock).expect("removed");
        fs::create_dir(&lock).expect("made");
        if shared.version == V2 {
            fs::write(lock.join("owner"), "another").expect("written");
        }
        let another = state();
        // Longer than from one touch to the next.
        sleep(Duration::from_secs(4));
        assert_eq!(state(), another);
        drop(gate);
        token_of(ours);
        assert_eq!(state(), another);
    });
}

#[test]
fn version_2s_lock_of_all_profiles_is_waited_for_before_anything_is_spent() {
    let Some(shared) = Shared::new(V2) else { return };
    shared.signed_in("p", EXPIRED);
    let lock = shared.home.alchemy("lock/profiles.lock");
    fs::create_dir(&lock).expect("made");
    let ours = waiting(&shared, "npm's profiles");
    assert_eq!(shared.refreshes(), (0, 0));
    fs::remove_dir(&lock).expect("removed");
    token_of(ours);
    assert_eq!(shared.refreshes(), (1, 0));
}

#[test]
fn a_lock_of_all_profiles_that_we_left_holds_up_no_other_profile_of_ours() {
    let Some(shared) = Shared::new(V2).filter(|_| has("strace")) else { return };
    for profile in ["p", "q"] {
        shared.signed_in(profile, EXPIRED);
    }
    // Killed where the document takes its place, which is in the middle of the write.
    let document = shared.home.alchemy(&shared.path("p"));
    let ours = shared.command(&["token", "p"]);
    let mut traced = Command::new("strace");
    let renames = "rename,renameat,renameat2";
    traced.args(["-f", "-qq", "-o", "/dev/null", "-P"]).arg(&document);
    traced.args([
        "-e",
        &format!("trace={renames}"),
        "-e",
        &format!("inject={renames}:signal=SIGKILL:when=1"),
    ]);
    traced.arg(ours.get_program()).args(ours.get_args()).env_clear();
    traced.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    traced.current_dir(shared.home.path()).stdin(Stdio::null());
    assert_ne!(run(&mut traced).code, 0, "killed");
    assert_eq!(shared.refreshes().0, 1);
    let lock = shared.home.alchemy("lock/profiles.lock");
    assert!(lock.is_dir());
    let said = run(&mut shared.command(&["token", "q"])).expect_code(0).stderr;
    assert!(!said.contains("waiting") && !lock.is_dir(), "{said}");
}

// --- many of us and many of npm's at once ---

/// How many of ours, and of npm's, start at once.
const OURS: usize = 100;
const NPMS: usize = 20;

/// Who is the first to come, by a hair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Any,
    Npm,
}

/// Starts them all on a profile whose token has run out. Npm's have loaded their libraries before: they
/// read the document as soon as ours. The tokens that ours gave out, and how many of npm's failed.
fn at_once(shared: &Shared, first: First) -> (Vec<String>, usize) {
    let script = "await ready(); return await token('p').then(() => true, () => false)";
    let start = |_| shared.npm_command(script).stdin(Stdio::piped()).spawn().expect("started");
    let mut npms: Vec<_> = (0..NPMS).map(start).collect();
    let mut said = Vec::new();
    for child in &mut npms {
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("read");
        assert_eq!(line, "ready\n");
        said.push(stdout);
    }
    let mut ours = Vec::new();
    for child in &mut npms {
        drop(child.stdin.take());
        if first == First::Npm {
            until("it asks", || shared.server.refreshes() > 0);
        }
        ours.extend((0..OURS / NPMS).map(|_| shared.start("p")));
    }
    let tokens = ours.into_iter().map(token_of).collect();
    let ends = said.into_iter().map(|said| said.lines().last().expect("a line").expect("read"));
    let npms_failed = ends.filter(|end| end != "true").count();
    for mut child in npms {
        assert!(child.wait().expect("ended").success());
    }
    (tokens, npms_failed)
}

/// How often we, and how often npm's, sent a refresh token that had been sent before.
fn spent_twice(shared: &Shared) -> (usize, usize) {
    let mut seen = BTreeSet::new();
    let mut twice = (0, 0);
    for asked in shared.server.requests() {
        if !seen.insert(asked.form["refresh_token"].clone()) {
            *if is_ours(&asked.agent) { &mut twice.0 } else { &mut twice.1 } += 1;
        }
    }
    twice
}

#[test]
fn a_hundred_of_us_beside_twenty_of_npms_spend_nothing_twice_and_none_of_us_fails() {
    for (version, first) in [(V1, First::Any), (V1, First::Npm), (V2, First::Any), (V2, First::Npm)] {
        let Some(shared) = Shared::new(version) else { return };
        // What npm spends twice must not end the grant, or all would fail of it.
        shared.server.set_reuse_detection(false);
        // As far away as a real server, so that npm's come while the first is under way.
        shared.server.set_hook(|moment| {
            if moment == Moment::Received {
                sleep(Duration::from_millis(250));
            }
        });
        let old = shared.signed_in("p", EXPIRED);
        let (tokens, npms_failed) = at_once(&shared, first);
        let (refreshes, (twice, npms_twice)) = (shared.refreshes(), spent_twice(&shared));
        eprintln!(
            "{OURS} of ours and {NPMS} of npm's {version:?}, first {first:?}: we asked {} times and npm's {}; \
             npm's spent a token again {npms_twice} times, and {npms_failed} of them failed",
            refreshes.0, refreshes.1
        );
        assert_eq!(twice, 0);
        for token in tokens {
            assert!(token != old.access && shared.server.state_of(&token) == State::Live);
        }
        assert_eq!(shared.server.rotations(), 1, "whoever came first");
        assert_eq!(shared.server.reuses(), npms_twice);
        let mut document = shared.document("p");
        assert_eq!(json!(shared.token("p")), shared.tokens(&mut document)["access"]);
        assert_eq!(shared.locks(), [""; 0]);
    }
}
