//! A refresh that is interrupted, killed or left hanging. Ctrl-C, TERM, Ctrl-Z and a closed terminal wait
//! until the new pair is kept, at whatever stage they come: no grant is lost. `kill -9` cannot wait: what it
//! loses is named (and `sweep` kills at every other moment, too, when nothing is lost). Nothing waits for
//! ever.

use std::fs::{self, DirEntry, File, FileTimes};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;
use support::authorization::{Fault, Gate, Moment, State};
use support::pty::start_unread;
use support::signed_in::{OWN, SCOPES, SignedIn, V1, V2, file, in_seconds, pair_of};
use support::{has, run};

/// What a person, a shell, a closing terminal or a stopping system sends.
const INTERRUPTIONS: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// When something happens to a refresh.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// The server has the request, and has done nothing.
    Received,
    /// The server has spent the token, and has not answered.
    Spent,
    /// So long after the answer was let go.
    Answered(Duration),
    /// So long after the start of the process.
    Running(Duration),
}

/// Moments spread over a refresh, of the client's whose time is given: `count` of each kind.
fn stages(usual: Duration, count: u32) -> Vec<Stage> {
    let after_answer = Duration::from_millis(4);
    (0..count)
        .flat_map(|n| {
            let answered = Stage::Answered(after_answer * n / count);
            [Stage::Received, Stage::Spent, answered, Stage::Running(usual * n * 5 / 4 / count)]
        })
        .collect()
}

/// Waits in short spins: a moment is shorter than the system's shortest sleep.
fn spin(time: Duration) {
    let started = Instant::now();
    while started.elapsed() < time {
        thread::yield_now();
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null()).stderr(Stdio::null())
}

fn pid(child: &Child) -> Pid {
    Pid::from_raw(child.id().try_into().expect("a process id"))
}

/// The profile `prod` of a client, and how long its refresh takes.
fn prod(client: &str) -> (SignedIn, Duration) {
    let online = SignedIn::prod_of(client, 0);
    let started = Instant::now();
    online.token("prod");
    (online, started.elapsed())
}

/// Has the access token run out, with the same refresh token.
fn run_out(online: &SignedIn, client: &str) {
    online.keep("prod", client, &pair_of(&online.kept("prod", client)), in_seconds(-1));
}

/// Starts a process, and strikes it at that stage.
fn at<P, Q>(online: &SignedIn, stage: Stage, start: impl FnOnce() -> P, strike: impl FnOnce(P) -> Q) -> Q {
    let gate = match stage {
        Stage::Received => Some(online.server.gate(Moment::Received)),
        Stage::Spent | Stage::Answered(_) => Some(online.server.gate(Moment::Done)),
        Stage::Running(_) => None,
    };
    let process = start();
    gate.iter().for_each(Gate::arrival);
    if let Stage::Answered(after) | Stage::Running(after) = stage {
        gate.iter().for_each(Gate::pass);
        spin(after);
    }
    let struck = strike(process);
    online.server.remove_hook();
    struck
}

/// How a process ended; when it stops before, that is handled.
fn end(child: &Child, stopped: impl FnOnce()) -> Option<Signal> {
    let mut stopped = Some(stopped);
    loop {
        match waitpid(pid(child), Some(WaitPidFlag::WUNTRACED)).expect("waited") {
            WaitStatus::Stopped(..) => {
                stopped.take().expect("it stops once")();
                kill(pid(child), Signal::SIGCONT).expect("continued");
            }
            WaitStatus::Exited(_, 0) => return None,
            WaitStatus::Signaled(_, signal, _) => return Some(signal),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_signal_waits_until_the_new_pair_is_kept() {
    for client in [OWN, V1, V2] {
        let (online, usual) = prod(client);
        let start = || {
            let mut command = online.job(&["token", "prod"]);
            quiet(command.process_group(0)).spawn().expect("started")
        };
        for (signal, stage) in
            INTERRUPTIONS.into_iter().flat_map(|s| stages(usual, 4).into_iter().map(move |g| (s, g)))
        {
            run_out(&online, client);
            let old = pair_of(&online.kept("prod", client));
            #[allow(clippy::zombie_processes, reason = "`end` waits for it")]
            let child = at(&online, stage, start, |child| {
                // A zombie takes signals, too: it may have ended just now.
                kill(pid(&child), signal).expect("sent");
                child
            });
            let in_request = matches!(stage, Stage::Received | Stage::Spent);
            let mut stopped = false;
            let ended_by = end(&child, || {
                stopped = true;
                // Nobody waits for one that is suspended, also who must have the locks. (It may have been
                // stopped between taking them and holding this signal back, which are a few instructions.)
                if in_request {
                    let longer = ["token", "-p", "prod", "--min-ttl", "2h"];
                    assert_eq!(online.run(&longer).expect_code(0).stderr, "");
                }
            });
            online.server.settle();
            let pair = pair_of(&online.kept("prod", client));
            assert_eq!(online.server.state_of(&pair.refresh), State::Live, "{client} {signal} {stage:?}");
            if in_request {
                assert_ne!(pair, old, "{client} {signal} {stage:?}");
                let stops = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU].contains(&signal);
                let obeyed = if stops { stopped } else { ended_by == Some(signal) };
                assert!(obeyed, "{client} {signal} {stage:?}: {ended_by:?}");
            }
        }
        assert_eq!(online.server.reuses(), 0);
    }
}

/// A signal to a process goes to any of its threads that does not block it: all do, the one that looks names up, too.
#[cfg(target_os = "linux")]
#[test]
fn no_thread_lets_a_signal_through_while_the_server_has_the_request() {
    for client in [OWN, V1, V2] {
        let (online, _) = prod(client);
        run_out(&online, client);
        let start = || quiet(&mut online.command(&["token", "prod"])).spawn().expect("started");
        let mut child = at(&online, Stage::Spent, start, |child| {
            let threads = fs::read_dir(format!("/proc/{}/task", child.id())).expect("its threads");
            let mut names = Vec::new();
            for thread in threads.map(|thread| thread.expect("a thread").path()) {
                let status = fs::read_to_string(thread.join("status")).expect("its status");
                let field = |name: &str| {
                    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field");
                    line.trim().to_owned()
                };
                let blocked = u64::from_str_radix(&field("SigBlk:"), 16).expect("a mask");
                for signal in INTERRUPTIONS {
                    assert!(blocked & 1 << (signal as u32 - 1) != 0, "{client} {status} {signal}");
                }
                names.push(field("Name:"));
            }
            // Those of npm's clients have a heartbeat.
            assert!(client == OWN || names.len() > 1, "{client}: {names:?}");
            child
        });
        assert!(child.wait().expect("ended").success());
    }
}

#[test]
fn a_terminal_that_closes_does_not_take_the_new_pair_along() {
    for client in [OWN, V1, V2] {
        let (online, usual) = prod(client);
        for stage in stages(usual, 8) {
            run_out(&online, client);
            let old = pair_of(&online.kept("prod", client));
            let start = || start_unread(online.command(&["exec", "prod", "--", "sleep", "60"]));
            #[allow(clippy::zombie_processes, reason = "`end` waits for it")]
            let child = at(&online, stage, start, |(child, terminal)| {
                drop(terminal);
                child
            });
            assert_eq!(end(&child, || ()), Some(Signal::SIGHUP), "{client} {stage:?}");
            online.server.settle();
            let pair = pair_of(&online.kept("prod", client));
            assert_eq!(online.server.state_of(&pair.refresh), State::Live, "{client} {stage:?}");
            assert!(pair != old || matches!(stage, Stage::Running(_)), "{client} {stage:?}");
        }
        assert_eq!(online.server.reuses(), 0);
    }
}

#[test]
fn a_refresh_that_is_killed_before_the_answer_loses_the_grant_and_says_so() {
    for (client, stage) in
        [OWN, V1, V2].into_iter().flat_map(|c| [Stage::Received, Stage::Spent].map(|s| (c, s)))
    {
        let (online, _) = prod(client);
        run_out(&online, client);
        let (rotations, started) = (online.server.rotations(), Timestamp::now());
        let start = || quiet(&mut online.command(&["token", "prod"])).spawn().expect("started");
        let mut child = at(&online, stage, start, |mut child| {
            child.kill().expect("killed");
            child
        });
        assert_eq!(child.wait().expect("ended").signal(), Some(Signal::SIGKILL as i32));
        online.server.settle();
        assert_eq!(online.server.rotations(), rotations + 1, "{client} {stage:?}");
        assert!(!online.home.alchemy("rescue/prod").exists());
        assert_eq!(online.server.state_of(&pair_of(&online.kept("prod", client)).refresh), State::Spent);
        let error = online
            .run(&["token", "prod"])
            .expect_only_error(1, "the session of profile 'prod' is over: ")
            .expect_hint("alchemy login -p prod");
        let (_, rest) = error.stderr.split_once("the refresh at ").expect("it is named");
        let (at, rest) = rest.split_once(" was killed").expect("that it was killed");
        assert!(rest.starts_with(" before its answer was kept\n"), "{}", error.stderr);
        let at: Timestamp = at.parse().expect("a time");
        // It is told in whole seconds.
        assert!(at.as_second() >= started.as_second() && at <= Timestamp::now());
    }
}

/// Whether the next pair lies whole beside the document.
fn is_left(online: &SignedIn, client: &str) -> bool {
    let document = online.home.alchemy(&file("prod", client));
    let name = format!(".{}.next.tmp", document.file_name().expect("a name").to_string_lossy());
    let text = fs::read(document.with_file_name(name)).unwrap_or_default();
    serde_json::from_slice::<Value>(&text).is_ok()
}

#[test]
fn a_pair_that_was_written_whole_is_brought_home_wherever_its_process_was_killed() {
    if !has("strace") {
        return;
    }
    for client in [OWN, V1, V2] {
        let online = SignedIn::prod_of(client, 0);
        let mut command = online.struck("rename,renameat:signal=SIGKILL:when=1", &["token", "prod"]);
        run(&mut command).expect_code(137);
        assert!(is_left(&online, client), "{client}");
        // Neither `doctor` nor whoever looks for room takes it for something to sweep, however old it is.
        let document = file("prod", client);
        let (folder, name) = document.rsplit_once('/').expect("a folder");
        online.home.age(&format!("{folder}/.{name}.next.tmp"));
        let said = online.run(&["doctor", "--offline"]).stdout;
        assert!(!said.contains(".next.tmp"), "{client}: {said}");
        assert!(is_left(&online, client), "{client}");
        let output = online.run(&["token", "prod"]).expect_code(0);
        let kept = pair_of(&online.kept("prod", client));
        assert_eq!(
            (output.stdout.trim_end(), online.server.refreshes()),
            (kept.access.as_str(), 1),
            "{client}"
        );
        assert_eq!(online.server.state_of(&kept.refresh), State::Live);
        assert_eq!(online.token("prod"), kept.access);

        // One that is not whole, or not of this refresh, is none.
        run_out(&online, client);
        let whole = online.home.read(&document);
        for text in [&whole[..whole.len() / 2], "", &whole.replace(&kept.refresh, "rt-of-another")] {
            run_out(&online, client);
            online.home.write_private(&format!("{folder}/.{name}.next.tmp"), text);
            let before = online.server.refreshes();
            online.token("prod");
            assert_eq!((online.server.refreshes(), online.server.reuses()), (before + 1, 0), "{client}");
        }
    }
}

#[test]
fn a_lock_of_npms_that_a_killed_process_has_left_is_known_as_ours_whenever_it_was_killed() {
    if !has("strace") {
        return;
    }
    let mut killed = 0;
    let steps = ["mkdir", "renameat2", "unlink", "rmdir", "fsync"];
    for (client, step) in [V1, V2].into_iter().flat_map(|client| steps.map(|step| (client, step))) {
        for number in 1..9 {
            let online = SignedIn::prod_of(client, 0);
            let injection = format!("{step}:signal=SIGKILL:when={number}");
            let output = run(&mut online.struck(&injection, &["token", "prod"]));
            if output.code == 0 {
                break; // there are no more of them
            }
            output.expect_code(137);
            killed += 1;
            assert_eq!(unknown_locks(&online), [""; 0], "{client} {injection}");
            // The lock is taken, and found, by the next that needs it; a session that was lost is another matter.
            online.keep("prod", client, &online.server.issue(client, &SCOPES), in_seconds(-1));
            let output = online.run(&["token", "prod"]).expect_code(0);
            assert!(
                !output.stderr.contains("waiting for another"),
                "{client} {injection}: {}",
                output.stderr
            );
            let left: Vec<_> =
                fs::read_dir(online.home.alchemy("lock")).expect("a folder").flatten().collect();
            let left = left.iter().filter(|entry| entry.file_name() != "native" && entry.path().is_dir());
            assert_eq!(left.count(), 0, "{client} {injection}");
        }
    }
    assert!(killed > 20, "{killed}");
}

#[test]
fn that_a_refresh_was_killed_is_no_matter_after_a_new_sign_in() {
    let (online, _) = prod(OWN);
    run_out(&online, OWN);
    let start = || quiet(&mut online.command(&["token", "prod"])).spawn().expect("started");
    let mut child = at(&online, Stage::Spent, start, |mut child| {
        child.kill().expect("killed");
        child
    });
    child.wait().expect("ended");
    let pair = online.server.issue(OWN, &SCOPES);
    online.keep("prod", OWN, &pair, in_seconds(-1));
    online.server.end(&pair.refresh);
    let error =
        online.run(&["token", "prod"]).expect_only_error(1, "the session of profile 'prod' is over: ");
    assert!(!error.stderr.contains("killed"), "{}", error.stderr);
}

/// The locks of npm's that are not as the note says, so that the next one would wait for the protocol's 10 or 30 s.
fn unknown_locks(online: &SignedIn) -> Vec<String> {
    // A process that was killed early has made none, and a note that it was killed in is none.
    let note = |lock: &str| -> Value {
        let note = fs::read(online.home.alchemy(lock)).unwrap_or_default();
        let note = serde_json::Deserializer::from_slice(&note).into_iter().next();
        note.and_then(Result::ok).unwrap_or_default()
    };
    let notes = ["lock/native/prod", "lock/npm-profiles"].map(note);
    let is_known = |lock: &DirEntry| {
        let metadata = lock.metadata().expect("metadata");
        let time = metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec();
        notes.iter().filter_map(|note| note["npm"].as_array()).flatten().any(|mark| {
            let same = mark["name"] == *lock.file_name().to_string_lossy() && mark["inode"] == metadata.ino();
            same && mark["times"].as_array().is_some_and(|times| times.contains(&time.into()))
        })
    };
    let locks = fs::read_dir(online.home.alchemy("lock")).into_iter().flatten();
    let locks = locks.map(|lock| lock.expect("an entry"));
    // Npm's are folders; the others are ours.
    let names = locks.filter(|lock| lock.path().is_dir() && !is_known(lock));
    let names = names.map(|lock| lock.file_name().to_string_lossy().into_owned());
    // Under that name it is in nobody's way.
    names.filter(|name| name != "native" && !name.starts_with('.')).collect()
}

/// A command starts as one that was called directly: nothing is held back from it.
#[cfg(target_os = "linux")]
#[test]
fn a_command_gets_its_signals_after_a_refresh() {
    for client in [OWN, V1, V2] {
        let online = SignedIn::prod_of(client, 0);
        let output = online.run(&["exec", "prod", "--", "grep", "SigBlk", "/proc/self/status"]);
        assert_eq!(output.expect_code(0).stdout, "SigBlk:\t0000000000000000\n");
    }
}

// --- left hanging ---

#[test]
fn a_hanging_server_and_a_held_lock_are_waited_for_to_a_limit() {
    let hanging = || {
        let online = SignedIn::prod(600);
        online.server.fault(Fault::Hang);
        online
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let online = hanging();
            online.keep("prod", OWN, &online.pair(), in_seconds(-1));
            online
                .run(&["exec", "prod", "--", "true"])
                .expect_only_error(125, "at 127.0.0.1:")
                .expect_hint("check the network");
            assert_eq!(online.server.refreshes(), 2, "asked again, as it may not have been received");
        });
        scope.spawn(|| {
            let online = hanging();
            let said = online.run(&["exec", "-p", "prod", "--min-ttl", "15m", "true"]).expect_code(0).stderr;
            assert!(said.contains("no answer within 20 s; the token of 'prod' is used, for "), "{said}");
        });
        scope.spawn(|| {
            let online = SignedIn::prod(0);
            online.home.write("lock/native/prod", "");
            let held = File::open(online.home.alchemy("lock/native/prod")).expect("the lock's file");
            held.lock().expect("locked");
            online
                .run(&["token", "prod"])
                .expect_error(1, "another process has held profile 'prod' for 60 s: ")
                .expect_hint("end that process (a suspended one?) and try again");
            assert!(online.server.requests().is_empty());
        });
        scope.spawn(|| {
            let online = SignedIn::new();
            online.profile("prod", V1, 0);
            let lock = online.home.alchemy("lock/cloudflare-prod");
            fs::create_dir_all(&lock).expect("npm's lock");
            // As if npm touched it again and again.
            let alive = FileTimes::new().set_modified(SystemTime::now() + Duration::from_secs(90));
            File::open(&lock).expect("opened").set_times(alive).expect("touched");
            online
                .run(&["token", "prod"])
                .expect_error(1, "another process has held profile 'prod' for 60 s: ");
            assert!(online.server.requests().is_empty() && lock.exists());
        });
    });
}

#[test]
fn a_lock_that_a_dead_npm_has_left_is_no_reason_to_wait() {
    let online = SignedIn::new();
    online.profile("prod", V1, 0);
    let lock = online.home.alchemy("lock/cloudflare-prod");
    fs::create_dir_all(&lock).expect("npm's lock");
    online.home.age("lock/cloudflare-prod");
    online.token("prod");
    assert!(!lock.exists());
}
