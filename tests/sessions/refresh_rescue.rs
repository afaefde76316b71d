//! A new pair of tokens that its store refuses: it waits in a rescue file, private and said, serves the
//! commands meanwhile, and comes home as soon as the store takes it. Where nothing could take it, the
//! refresh token is not spent.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::libc;
use serde_json::Value;
use support::authorization::{Moment, Pair, State};
use support::keyring::Keyring;
use support::signed_in::{OWN, SCOPES, SignedIn, V1, V2, file, in_seconds, no_secret_said, pair_of};
use support::{Output, finished, has, run, with_full_disk};

const WAITS: &str = "the new session of profile 'prod' could not be kept in the ";
const HOME_AGAIN: &str = "is in its store again";

/// The pair in a rescue file, which only its owner can read.
#[track_caller]
fn rescued(path: &Path) -> Pair {
    assert_eq!(fs::metadata(path).expect("a rescue file").mode() & 0o777, 0o600);
    let document: Value = serde_json::from_slice(&fs::read(path).expect("read")).expect("it parses");
    pair_of(&document)
}

/// The run succeeded with this token, and said one line with these words.
#[track_caller]
fn expect_said(output: Output, token: &str, words: &str) -> Output {
    let output = output.expect_code(0);
    assert_eq!(output.stdout.trim_end(), token);
    assert!(output.stderr.contains(words) && output.stderr.lines().count() == 1, "{}", output.stderr);
    output
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
}

/// From now on nothing can be written where the document is, by whoever it is: the name of its file is
/// as long as a name can be, which leaves none for a temporary file beside it.
fn make_unwritable(online: &SignedIn) -> PathBuf {
    let document = online.home.alchemy(&file("prod", OWN));
    let target = online.home.path().join("x".repeat(255));
    fs::rename(&document, &target).expect("moved");
    symlink(&target, &document).expect("a link");
    target
}

/// Ends what [`make_unwritable`] began.
fn make_writable(online: &SignedIn, target: &Path) {
    fs::rename(target, online.home.alchemy(&file("prod", OWN))).expect("moved back");
}

#[test]
fn a_store_that_breaks_during_the_refresh_gets_the_pair_when_it_is_whole_again() {
    for client in [OWN, V1, V2] {
        let online = SignedIn::prod_of(client, 0);
        let (path, aside) = (online.home.alchemy(&file("prod", client)), online.home.path().join("aside"));
        online.server.set_hook({
            let (path, aside) = (path.clone(), aside.clone());
            move |moment| {
                if moment == Moment::Done {
                    fs::rename(&path, &aside).expect("moved");
                    fs::create_dir(&path).expect("a folder in its place");
                }
            }
        });
        let output = online.run(&["token", "prod"]);
        let rescue = online.home.alchemy("rescue/prod");
        let pair = rescued(&rescue);
        let said = expect_said(output, &pair.access, WAITS).stderr;
        assert!(said.contains(&format!("; it is in {} until", rescue.display())), "{said}");
        assert_eq!(online.server.state_of(&pair.refresh), State::Live);

        online.server.remove_hook();
        fs::remove_dir(&path).expect("removed");
        fs::rename(&aside, &path).expect("moved back");
        expect_said(online.run(&["token", "prod"]), &pair.access, HOME_AGAIN);
        assert_eq!(pair_of(&online.kept("prod", client)), pair);
        assert!(!rescue.exists());
        assert_eq!((online.token("prod"), online.server.refreshes()), (pair.access, 1));
    }
}

#[test]
fn a_store_that_cannot_be_written_is_done_without_for_as_long_as_it_takes() {
    let online = SignedIn::prod(0);
    let target = make_unwritable(&online);
    let rescue = online.home.alchemy("rescue/prod");
    // It is too short to be used a second time.
    online.server.set_life(5);
    let output = online.run(&["token", "prod"]);
    expect_said(output, &rescued(&rescue).access, WAITS);
    online.server.set_life(3600);
    let output = online.run(&["token", "prod"]);
    let pair = rescued(&rescue);
    expect_said(output, &pair.access, WAITS);
    assert_eq!(online.token("prod"), pair.access, "it serves without another request");
    assert_eq!((online.server.refreshes(), online.server.reuses()), (2, 0));
    make_writable(&online, &target);
    expect_said(online.run(&["token", "prod"]), &pair.access, HOME_AGAIN);
    assert_eq!((online.pair(), online.server.refreshes()), (pair, 2));
}

#[test]
fn where_the_home_cannot_be_written_the_runtime_folder_takes_the_pair() {
    let mut online = SignedIn::prod(0);
    make_unwritable(&online);
    online.home.write("rescue", "in the way");
    let runtime = online.home.path().join("run");
    fs::DirBuilder::new().mode(0o700).create(&runtime).expect("a folder");
    online.set("XDG_RUNTIME_DIR", runtime.to_str().expect("text"));
    let output = online.run(&["token", "prod"]).expect_code(0);
    let mut folders = fs::read_dir(runtime.join("alchemy")).expect("a folder of ours");
    let rescue = folders.next().expect("one for this home").expect("an entry").path().join("rescue-prod");
    let pair = rescued(&rescue);
    let said = expect_said(output, &pair.access, WAITS).stderr;
    assert!(said.contains(&rescue.display().to_string()), "{said}");
    assert_eq!((online.token("prod"), online.server.refreshes()), (pair.access, 1));
}

#[test]
fn a_loss_is_said_also_where_nothing_else_is() {
    let online = SignedIn::prod(0);
    make_unwritable(&online);
    let output = online.run(&["--quiet", "token", "prod"]);
    let pair = rescued(&online.home.alchemy("rescue/prod"));
    expect_said(output, &pair.access, WAITS);
    if !has("strace") {
        return;
    }
    // Neither the store nor a rescue file takes it: not even beside them is there room.
    let online = SignedIn::prod(0);
    let mut command = online.struck("renameat,rename:error=EIO:when=1+", &["token", "prod"]);
    let output = no_secret_said(run(command.env("ALCHEMY_QUIET", "1"))).expect_code(0);
    let left = online.home.alchemy("credentials/prod/.native.json.next.tmp");
    assert!(
        left.exists() && output.stderr.contains(WAITS) && output.stderr.contains(&left.display().to_string()),
        "{}",
        output.stderr
    );
    let token = online.run(&["token", "prod"]).expect_code(0);
    assert_eq!((token.stdout, online.server.refreshes()), (output.stdout, 1));
    assert!(token.stderr.contains("is in its store") && !left.exists(), "{}", token.stderr);
    // Where it is lost, the next one knows why.
    let online = SignedIn::prod(0);
    online.home.write("lock/native/prod", "");
    online.home.write("rescue", "in the way");
    let output = run(&mut online.struck("fsync:error=EIO:when=2", &["-q", "token", "prod"])).expect_code(0);
    assert!(output.stderr.contains("could be kept nowhere ("), "{}", output.stderr);
    online.run(&["token", "prod"]).expect_only_error(1, "got a new session that could be kept nowhere");
}

#[test]
fn where_nothing_takes_the_new_pair_the_old_is_not_spent() {
    let online = SignedIn::prod(0);
    let target = make_unwritable(&online);
    online.home.write("rescue", "in the way");
    online.run(&["token", "prod"]).expect_only_error(1, "cannot write ").expect_hint("ls -ld ");
    // With life left in it, it serves.
    let mut document = online.kept("prod", OWN);
    document["expires"] = in_seconds(50).into();
    fs::write(&target, document.to_string()).expect("written");
    let token = pair_of(&document).access;
    expect_said(online.run(&["token", "prod"]), &token, "; the token of 'prod' is used, for ");
    assert!(online.server.requests().is_empty());
}

#[test]
fn a_full_disk_shows_before_the_token_is_spent() {
    let online = SignedIn::prod(0);
    let before = online.pair();
    let mut command = online.command(&["token", "prod"]);
    no_secret_said(run(with_full_disk(&mut command, true))).expect_only_error(1, "cannot write ");
    assert!(online.server.requests().is_empty() && online.pair() == before);
    assert_eq!(online.token("prod"), online.pair().access);
}

#[cfg(target_os = "linux")]
#[test]
fn a_pair_that_finds_no_place_after_all_serves_this_once_and_that_is_said() {
    let online = SignedIn::prod(0);
    let gate = online.server.gate(Moment::Done);
    let mut command = online.command(&["token", "prod"]);
    let child = start(with_full_disk(&mut command, false));
    gate.arrival();
    let none = libc::rlimit { rlim_cur: 0, rlim_max: libc::RLIM_INFINITY };
    let pid = child.id().try_into().expect("a process id");
    // SAFETY: it reads the value it is given, and writes none back.
    let set = unsafe { libc::prlimit(pid, libc::RLIMIT_FSIZE, &raw const none, std::ptr::null_mut()) };
    assert_eq!(set, 0, "the limit is set");
    drop(gate);
    let output = no_secret_said(finished(child.wait_with_output().expect("finished")));
    let token = output.stdout.trim_end().to_owned();
    assert_eq!(online.server.state_of(&token), State::Live);
    let said =
        expect_said(output, &token, "the new session of profile 'prod' could be kept nowhere (").stderr;
    assert!(
        said.contains("it serves this command alone, then sign in again: alchemy login -p prod"),
        "{said}"
    );
}

#[test]
fn a_pair_that_a_newer_sign_in_has_overtaken_is_dropped() {
    let online = SignedIn::prod(0);
    let target = make_unwritable(&online);
    let output = online.run(&["token", "prod"]);
    let pair = rescued(&online.home.alchemy("rescue/prod"));
    expect_said(output, &pair.access, WAITS);
    make_writable(&online, &target);
    online.keep("prod", OWN, &online.server.issue(OWN, &SCOPES), in_seconds(0));
    let token = online.token("prod");
    assert!(token != pair.access && online.pair().access == token);
    assert!(!online.home.alchemy("rescue/prod").exists());
    assert_eq!((online.server.refreshes(), online.server.reuses()), (2, 0));
}

// --- the keyring ---

/// A profile in a keyring, to which something happens while the server answers. The pair that was rescued.
fn rescued_from(keyring: &Keyring, happens: fn(&Keyring), words: &str) -> (SignedIn, Pair) {
    let mut online = SignedIn::new();
    online.keyring_profile(keyring, 0);
    let gate = online.server.gate(Moment::Done);
    let child = start(&mut online.command(&["token", "prod"]));
    gate.arrival();
    happens(keyring);
    drop(gate);
    let output = no_secret_said(finished(child.wait_with_output().expect("finished")));
    let pair = rescued(&online.home.alchemy("rescue/prod"));
    let said = expect_said(output, &pair.access, &format!("{WAITS}keyring store")).stderr;
    assert!(said.contains(words), "{said}");
    (online, pair)
}

#[track_caller]
fn expect_in_keyring(online: &SignedIn, keyring: &Keyring, pair: &Pair) {
    let kept = keyring.lookup("prod").expect("an item");
    assert_eq!(pair_of(&serde_json::from_str(&kept).expect("the document parses")), *pair);
    assert!(!online.home.alchemy("rescue/prod").exists());
    assert_eq!((online.token("prod"), online.server.refreshes()), (pair.access.clone(), 1));
    assert_eq!(online.server.state_of(&pair.refresh), State::Live);
}

#[cfg(target_os = "linux")]
#[test]
fn a_keyring_that_is_locked_during_the_refresh_gets_the_pair_when_it_is_unlocked() {
    let Some(keyring) = Keyring::start() else { return };
    let (online, pair) = rescued_from(&keyring, Keyring::lock, "the keyring is locked");
    online.run(&["token", "prod"]).expect_only_error(1, "the keyring is locked");
    keyring.unlock();
    expect_said(online.run(&["token", "prod"]), &pair.access, HOME_AGAIN);
    expect_in_keyring(&online, &keyring, &pair);
}

#[test]
fn a_keyring_that_hangs_during_the_refresh_gets_the_pair_when_it_goes_on() {
    let Some(keyring) = Keyring::start() else { return };
    let (online, pair) = rescued_from(&keyring, Keyring::stop, "did not answer in 5 s");
    keyring.go_on();
    // It may or may not do late what it was asked.
    assert_eq!(online.run(&["token", "prod"]).expect_code(0).stdout.trim_end(), pair.access);
    expect_in_keyring(&online, &keyring, &pair);
}
