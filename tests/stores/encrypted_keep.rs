//! What was decrypted is kept in the kernel's keyring for a time: asked for once, found by every process of the
//! person's, never instead of a newer file, and forgotten by whatever changes the profile.

use std::fs;
use std::process::Command;

use serde_json::Value;
use support::age::{self, COMMAND, PASSPHRASE, document};
use support::authorization::{Moment, Pair, State};
use support::pty::Terminal;
use support::signed_in::{OWN, SCOPES, SignedIn, in_seconds};
use support::{ACME, Home, Output, has, run, run_with_input};

const PRINTS: &str = "echo hunter2 of a person";
const LOCKED: &str = "is locked: nobody can be asked for its passphrase here";

/// A home whose profile `prod` is encrypted to [`PASSPHRASE`]; what the kernel keeps of it goes with it.
struct Locked {
    home: Home,
}

impl Drop for Locked {
    fn drop(&mut self) {
        // On the way out of a test that has failed, too.
        let _ = self.home.alchemy_command(&["lock"]).output();
    }
}

impl Locked {
    fn new() -> Self {
        let this = Self { home: Home::new() };
        this.configure("tok-hunter2", &["--store", "encrypted"]).expect_code(0);
        this.lock();
        this
    }

    fn configure(&self, token: &str, more: &[&str]) -> Output {
        let arguments = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "-y"];
        let mut command = self.home.alchemy_command(&[&arguments[..], more].concat());
        run_with_input(command.env(COMMAND, PRINTS), token)
    }

    fn lock(&self) {
        self.home.run(&["lock", "prod"]).expect_code(0);
    }

    /// Gives the passphrase once.
    fn unlock(&self) {
        run(&mut self.with_passphrase(&["unlock", "prod"])).expect_code(0);
    }

    fn with_passphrase(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.alchemy_command(arguments);
        command.env(COMMAND, PRINTS);
        command
    }

    /// What a program gets that cannot ask.
    fn given(&self) -> Output {
        self.home.run(&["credential-process", "prod"])
    }

    #[track_caller]
    fn expect_open(&self, token: &str) {
        let output = self.given().expect_code(0);
        assert!(output.stdout.contains(&format!("\"{token}\"")) && output.stderr.is_empty());
    }

    #[track_caller]
    fn expect_locked(&self) {
        self.given().expect_only_error(1, LOCKED);
    }
}

/// What the kernel says of what it keeps of `prod`: when it goes, and who may do what with it.
fn kept(home: &Home) -> Option<(String, String)> {
    let mut keyctl = home.command("keyctl");
    let keys = run(keyctl.args(["session", "-", "sh", "-c", "keyctl link @u @s; cat /proc/keys"]));
    let mut sum = home.command("sh");
    let sum = run(sum.args(["-c", "printf %s \"$0\" | sha256sum"]).arg(home.alchemy("encrypted/prod.age")));
    let name = format!("alchemy-cli:{}", sum.stdout.split(' ').next().expect("a sum"));
    let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut found = keys.stdout.lines().filter(|line| line.contains(&name)).map(fields);
    // The kernel lists what is revoked (R), dead (D) or invalidated (i) until it has tidied up (proc_keys(5)).
    let fields = found.find(|fields| !fields[1].contains(['R', 'D', 'i']))?;
    Some((fields[3].clone(), fields[4].clone()))
}

#[test]
fn a_passphrase_is_asked_for_once() {
    let locked = Locked::new();
    locked.expect_locked();
    let mut terminal = Terminal::start(locked.home.alchemy_command(&["token", "prod"]));
    terminal.expect("passphrase of profile 'prod':");
    terminal.line(PASSPHRASE);
    terminal.expect("tok-hunter2");
    assert_eq!(terminal.finish().0, 0);
    // Another process, in another session.
    locked.expect_open("tok-hunter2");
    assert_eq!(locked.home.run(&["exec", "prod", "--", "true"]).expect_code(0).stderr, "");
    let said = locked.home.run(&["lock"]).expect_code(0).stderr;
    assert_eq!(said, "alchemy: profile 'prod' is locked\n");
    locked.expect_locked();
    assert_eq!(locked.home.run(&["lock"]).expect_code(0).stderr, "alchemy: nothing was unlocked\n");
}

#[test]
fn the_kernel_keeps_it_for_its_owner_alone_and_for_a_time() {
    if !has("keyctl") {
        return;
    }
    let table = [
        ("", "", &["14m", "15m"][..]),
        ("[encrypted]\nkeep = \"2h\"\n", "", &["119m", "1h", "2h"]),
        ("[encrypted]\nkeep = \"2h\"\n", "50m", &["49m", "50m"]),
    ];
    for (settings, variable, left) in table {
        let locked = Locked::new();
        locked.home.write("settings.toml", settings);
        run(locked.with_passphrase(&["unlock", "prod"]).env("ALCHEMY_KEEP", variable)).expect_code(0);
        let (time, mode) = kept(&locked.home).expect("it is kept");
        assert!(left.contains(&time.as_str()), "{settings:?} {variable:?}: {time}");
        assert_eq!(mode, "3f000000", "who possesses it, and nobody else");
        locked.lock();
        assert_eq!(kept(&locked.home), None);
    }
}

#[test]
fn it_is_not_kept_by_who_does_not_want_it() {
    for (settings, variable) in [("[encrypted]\nkeep = \"0\"\n", ""), ("", "0"), ("", "0s")] {
        let locked = Locked::new();
        locked.home.write("settings.toml", settings);
        let output = run(locked.with_passphrase(&["unlock", "prod"]).env("ALCHEMY_KEEP", variable));
        let said = output.expect_code(0).stderr;
        assert!(said.contains("but nothing keeps it: it is asked for each time"), "{said}");
        locked.expect_locked();
    }
    let locked = Locked::new();
    let output = run(locked.with_passphrase(&["token", "prod"]).env("ALCHEMY_KEEP", "long")).expect_code(0);
    assert!(output.stderr.contains("ALCHEMY_KEEP is 'long': it is no length of time"), "{}", output.stderr);
    for (text, place) in [
        ("[encrypted]\nkeep = 15\n", "line 2, column 8: the value must be a text in quotes"),
        ("[encrypted]\nkeep = \"x\"\n", "line 2, column 8: it is no length of time"),
        ("[encrypted]\nkeeps = \"1m\"\n", "line 2, column 1: a key that alchemy does not know"),
    ] {
        locked.home.write("settings.toml", text);
        let said = run(&mut locked.with_passphrase(&["token", "prod"])).expect_code(0).stderr;
        assert!(said.contains(place), "{said}");
    }
}

#[test]
fn what_is_kept_never_goes_before_another_file() {
    let locked = Locked::new();
    let path = locked.home.alchemy("encrypted/prod.age");
    let older = fs::read(&path).expect("read");
    locked.configure("tok-hunter2-newer", &[]).expect_code(0);
    locked.expect_open("tok-hunter2-newer");
    // The passphrase is the same, and so opens it.
    fs::write(&path, &older).expect("written");
    locked.expect_open("tok-hunter2");
    // With another it does not, and nothing of what was kept is used.
    let other = Locked::new();
    other.home.alchemy_command(&["lock"]).output().expect("run");
    let mut new = other.home.alchemy_command(&["configure", "-p", "prod", "--token-stdin", "--no-verify"]);
    new.args(["--account", ACME, "--yes", "--store", "encrypted"]).env(COMMAND, "echo hunter2-another");
    run_with_input(&mut new, "tok-hunter2-other").expect_code(0);
    fs::copy(other.home.alchemy("encrypted/prod.age"), &path).expect("copied");
    locked.expect_locked();
    fs::write(&path, &older).expect("written");
    locked.expect_locked();
}

#[test]
fn every_change_of_a_profile_drops_it() {
    let locked = Locked::new();
    locked.unlock();
    locked.home.run(&["profile", "rename", "prod", "live"]).expect_code(0);
    locked.home.run(&["credential-process", "live"]).expect_only_error(1, LOCKED);
    locked.home.run(&["profile", "rename", "live", "prod"]).expect_code(0);
    locked.expect_locked();
    locked.unlock();
    let sealed = fs::read(locked.home.alchemy("encrypted/prod.age")).expect("read");
    let config = locked.home.read("config.json");
    locked.home.run(&["profile", "delete", "prod", "--yes"]).expect_code(0);
    // Even if all of its files come back.
    locked.home.write("config.json", &config);
    locked.home.write_private("encrypted/prod.age", "");
    fs::write(locked.home.alchemy("encrypted/prod.age"), sealed).expect("written");
    locked.expect_locked();
}

/// Signed in to `prod`, which is encrypted to [`PASSPHRASE`]; its pair.
fn signed_in(left: i64) -> Option<(SignedIn, Pair)> {
    let online = SignedIn::new();
    online.encrypted_profile(0)?;
    // To a passphrase instead.
    let pair = online.server.issue(OWN, &SCOPES);
    let mut config: Value = serde_json::from_str(&online.home.read("config.json")).expect("JSON");
    config["profiles"]["prod"]["cloudflare"].as_object_mut().expect("an entry").remove("encryptedTo");
    online.home.write("config.json", &config.to_string());
    let path = online.home.alchemy("encrypted/prod.age");
    fs::remove_file(&path).expect("removed");
    let grant = format!(
        r#"{{"type":"oauth","access":"{}","refresh":"{}","expires":{},"scopes":["a"],"clientId":"{OWN}"}}"#,
        pair.access,
        pair.refresh,
        in_seconds(left)
    );
    age::encrypt_to_passphrase(&online.home, &grant, &path);
    Some((online, pair))
}

#[test]
fn twenty_at_once_that_find_what_is_kept_make_one_request_and_ask_nobody() {
    let Some((mut online, pair)) = signed_in(0) else { return };
    online.set(COMMAND, PRINTS);
    online.run(&["unlock", "prod"]).expect_code(0);
    online.set(COMMAND, "");
    let gate = online.server.gate(Moment::Received);
    let (outputs, said) = online.crowd(20, &["credential-process", "prod"], gate);
    assert!(said.is_empty(), "{said:?}");
    let token =
        |output: &Output| serde_json::from_str::<Value>(&output.stdout).expect("JSON")["ApiToken"].clone();
    assert!(outputs.iter().all(|output| output.code == 0 && token(output) == token(&outputs[0])));
    assert_eq!((online.server.refreshes(), online.server.state_of(&pair.refresh)), (1, State::Spent));
    online.run(&["lock"]).expect_code(0);
}

#[test]
fn a_grant_is_refreshed_without_asking_and_is_kept_no_longer_for_it() {
    let Some((mut online, pair)) = signed_in(3600) else { return };
    online.set(COMMAND, PRINTS);
    online.set("ALCHEMY_KEEP", "600s");
    online.run(&["unlock", "prod"]).expect_code(0);
    online.set(COMMAND, "");
    online.set("ALCHEMY_KEEP", "2h");
    online.set("ALCHEMY_MIN_TTL", "2h");
    let output = online.run(&["credential-process", "prod"]).expect_code(0);
    assert!(!output.stdout.contains(&pair.access) && output.stderr.is_empty(), "{}", output.stderr);
    assert_eq!((online.server.refreshes(), online.server.state_of(&pair.refresh)), (1, State::Spent));
    // What is kept is the new grant.
    online.set("ALCHEMY_MIN_TTL", "0");
    let again = online.run(&["credential-process", "prod"]).expect_code(0).stdout;
    let token = |output: &str| serde_json::from_str::<Value>(output).expect("JSON")["ApiToken"].clone();
    assert_eq!((token(&again), online.server.refreshes()), (token(&output.stdout), 1));
    if has("keyctl") {
        let (time, _) = kept(&online.home).expect("it is kept");
        assert!(["9m", "10m"].contains(&time.as_str()), "{time}");
    }
    assert!(online.run(&["list"]).expect_code(0).stdout.contains("renews"));
    online.run(&["lock", "prod"]).expect_code(0);
    assert!(online.run(&["list"]).expect_code(0).stdout.contains(" locked"));
    let mut terminal = Terminal::start(online.command(&["logout", "prod"]));
    terminal.expect("passphrase of profile 'prod':");
    terminal.line(PASSPHRASE);
    terminal.expect("signed out of 'prod'");
    assert_eq!(terminal.finish().0, 0);
    online.run(&["lock", "prod"]).expect_code(0).expect_nothing_unlocked();
    assert!(online.run(&["list"]).expect_code(0).stdout.contains("signed out"));
}

trait Nothing {
    fn expect_nothing_unlocked(self);
}

impl Nothing for Output {
    #[track_caller]
    fn expect_nothing_unlocked(self) {
        assert_eq!(self.stderr, "alchemy: nothing was unlocked\n");
    }
}

#[test]
fn a_hook_never_asks_says_how_to_unlock_and_finds_what_is_kept() {
    let locked = Locked::new();
    locked.home.run(&["use", "prod"]).expect_code(0);
    let prompt = || {
        let output = locked.home.run(&["hook-env", "nu", "--active", "", "--told", ""]).expect_code(0);
        let told: Value = serde_json::from_str(&output.stdout).expect("JSON");
        (told["set"]["CLOUDFLARE_API_TOKEN"].clone(), output.stderr)
    };
    let (token, said) = prompt();
    assert!(token.is_null() && said.contains("unlock it for a while: alchemy unlock prod"), "{said}");
    let before = locked.home.read("generation");
    locked.unlock();
    assert_ne!(locked.home.read("generation"), before, "each shell's next prompt looks anew");
    let (token, said) = prompt();
    assert_eq!(token, "tok-hunter2", "{said}");
}

#[test]
fn where_the_kernel_keeps_nothing_it_is_asked_for_each_time() {
    if !has("strace") {
        return;
    }
    let locked = Locked::new();
    let refused = |arguments: &[&str], variable: &str| {
        let mut strace = locked.home.command("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", "inject=keyctl,add_key:error=ENOSYS"]);
        run(strace.arg(support::ALCHEMY).args(arguments).env(COMMAND, variable))
    };
    let output = refused(&["-v", "token", "prod"], PRINTS).expect_code(0);
    assert_eq!(output.stdout, "tok-hunter2\n");
    assert!(output.stderr.contains("the kernel's keyring does not keep the passphrase"), "{}", output.stderr);
    refused(&["credential-process", "prod"], "").expect_only_error(1, LOCKED);
    let said = refused(&["unlock", "prod"], PRINTS).expect_code(0).stderr;
    assert!(said.contains("but nothing keeps it"), "{said}");
}

#[test]
fn a_key_without_a_passphrase_is_kept_nowhere() {
    let home = Home::new();
    let Some(identity) = age::identity(&home) else { return };
    let arguments = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME];
    let identity = ["--identity", identity.to_str().expect("UTF-8")];
    home.run_with_input(&[&arguments[..], &identity].concat(), "tok-hunter2").expect_code(0);
    home.run(&["token", "prod"]).expect_code(0);
    let said = home.run(&["unlock", "prod"]).expect_code(0).stderr;
    assert!(said.contains("needs no unlocking: its key has no passphrase"), "{said}");
    home.run(&["lock"]).expect_code(0).expect_nothing_unlocked();
    let path = home.alchemy("encrypted/prod.age");
    age::encrypt(&home, identity[1].as_ref(), &document("tok-hunter2-2"), &path);
    assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "tok-hunter2-2\n");
}
