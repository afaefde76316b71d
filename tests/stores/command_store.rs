//! The store `command`: the person's own commands keep the document. The real `pass` does, and so does whatever
//! else reads standard input and prints it again; what fails, hangs or lies is named and harms nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use support::age::document;
use support::authorization::{Moment, State};
use support::pty::{CTRL_C, CTRL_Z, SHELLS, Terminal};
use support::signed_in::{SignedIn, pair_of};
use support::{ACME, Home, Output, environment, has, run, run_with_input};

const READ: &str = "pass show alchemy/{profile}";
const WRITE: &str = "pass insert --multiline --force alchemy/{profile} >/dev/null";
const DELETE: &str = "pass rm --force alchemy/{profile} >/dev/null";

/// The commands for plain files, which stand for any program.
fn files() -> Value {
    json!({ "read": "cat vault-{profile} 2>/dev/null", "write": "cat >vault-{profile}", "delete": "rm vault-{profile}" })
}

/// Makes or changes the profile `prod` with a token.
fn configure(home: &Home, token: &str, commands: &Value) -> Output {
    run_with_input(&mut configuring(home, commands), token)
}

fn configuring(home: &Home, commands: &Value) -> Command {
    let arguments = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
    let mut command = home.alchemy_command(&arguments);
    for name in ["read", "write", "delete"] {
        if let Some(text) = commands[name].as_str() {
            command.args([&format!("--{name}-command"), text]);
        }
    }
    command
}

/// `prod` in plain files, with another command for one of these.
fn with(name: &str, text: &str) -> Home {
    let home = Home::new();
    configure(&home, "tok-hunter2", &files()).expect_code(0);
    let mut config: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    config["profiles"]["prod"]["cloudflare"]["commands"][name] = text.into();
    home.write("config.json", &config.to_string());
    home
}

#[track_caller]
fn token(home: &Home) -> String {
    let output = home.run(&["token", "prod"]).expect_code(0);
    assert_eq!(output.stderr, "");
    output.stdout.trim_end().to_owned()
}

/// A home with a password store of its own, whose key has no passphrase.
struct Pass {
    home: Home,
    gnupg: tempfile::TempDir,
}

impl Pass {
    fn new() -> Option<Self> {
        if !has("pass") || !has("gpg") {
            return None;
        }
        // The path of gpg-agent's socket is short.
        let private = fs::Permissions::from_mode(0o700);
        let this = Self { home: Home::new(), gnupg: tempfile::tempdir_in("/tmp").expect("a folder") };
        fs::set_permissions(this.gnupg.path(), private).expect("made private");
        let key = ["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "me@example.com"];
        run(this.with(this.home.command("gpg").args(key))).expect_code(0);
        run(this.with(this.home.command("pass").args(["init", "me@example.com"]))).expect_code(0);
        Some(this)
    }

    fn with<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("GNUPGHOME", self.gnupg.path())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(self.with(&mut self.home.alchemy_command(arguments)))
    }

    fn show(&self, name: &str) -> Output {
        run(self.with(self.home.command("pass").args(["show", name])))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let _ = self.with(self.home.command("gpgconf").args(["--kill", "all"])).output();
    }
}

#[test]
fn the_real_pass_keeps_a_profile() {
    let Some(pass) = Pass::new() else { return };
    let commands = json!({ "read": READ, "write": WRITE, "delete": DELETE });
    run_with_input(pass.with(&mut configuring(&pass.home, &commands)), "tok-hunter2").expect_code(0);
    assert_eq!(pass.show("alchemy/prod").stdout, "{\"type\":\"api-token\",\"apiToken\":\"tok-hunter2\"}\n");
    let files = pass.home.snapshot();
    assert!(!files.values().any(|(_, content)| String::from_utf8_lossy(content).contains("hunter2")));
    let output = pass.run(&["token", "prod"]).expect_code(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("tok-hunter2\n", ""));
    let child = pass.run(&["exec", "prod", "--", "env", "-0"]).expect_code(0);
    assert_eq!(environment(&child.stdout)["CLOUDFLARE_API_TOKEN"], "tok-hunter2");

    pass.run(&["profile", "rename", "prod", "live"]).expect_code(0);
    pass.show("alchemy/prod").expect_code(1);
    assert_eq!(pass.run(&["token", "live"]).expect_code(0).stdout, "tok-hunter2\n");
    pass.run(&["profile", "delete", "live", "--yes"]).expect_code(0);
    pass.show("alchemy/live").expect_code(1);
}

#[test]
fn the_commands_are_written_down_with_the_profile_and_the_settings_count_for_a_new_one() {
    let home = Home::new();
    let setting = |folder: &str| {
        let text = |command: &str| format!("{command} {folder}/{{profile}}");
        fs::create_dir_all(home.path().join(folder)).expect("a folder");
        format!("[command]\nread = \"{}\"\nwrite = \"{}\"\n", text("cat"), text("cat >"))
    };
    home.write("settings.toml", &setting("one"));
    let mut command = configuring(&home, &Value::Null);
    run_with_input(command.args(["--store", "command"]), "tok-hunter2").expect_code(0);
    let config: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    let entry = &config["profiles"]["prod"]["cloudflare"];
    assert_eq!(
        (&entry["credentialStore"], &entry["commands"]["read"]),
        (&"command".into(), &"cat one/{profile}".into())
    );
    // What is settled later does not move it.
    home.write("settings.toml", &setting("two"));
    assert_eq!(token(&home), "tok-hunter2");
    configure(&home, "tok-hunter2-2", &Value::Null).expect_code(0);
    assert!(fs::read_to_string(home.path().join("one/prod")).expect("read").contains("tok-hunter2-2"));
    assert!(home.run(&["profile", "show", "prod"]).expect_code(0).stdout.contains("command (cat)"));
    assert!(home.run(&["list"]).expect_code(0).stdout.contains("command"));
    let said = home.run(&["profile", "delete", "prod", "--yes"]).expect_code(0).stderr;
    assert!(said.contains("stays where its command has put it"), "{said}");

    let home = Home::new();
    for (commands, words) in [
        (json!({ "read": "cat {profile}" }), "the store command has no command that writes"),
        (json!({ "read": "cat x", "write": "cat >{profile}" }), "--read-command says nowhere {profile}"),
        (json!({ "read": " ", "write": "cat >{profile}" }), "--read-command is empty"),
    ] {
        configure(&home, "tok-hunter2", &commands).expect_only_error(2, words);
    }
}

/// Whoever reads it in one piece sees its end, however soon we are gone.
#[test]
fn what_is_to_be_kept_is_there_before_the_command_starts() {
    for length in [20, 4_000, 65_500] {
        let home = with("write", "cat >vault-{profile}");
        let token = format!("tok-hunter2-{}", "x".repeat(length));
        configure(&home, &token, &json!({})).expect_code(0);
        assert_eq!(self::token(&home), token);
        // Its first deed is to kill who has started it.
        let home = with("write", "kill -9 $PPID; cat >vault-{profile}");
        configure(&home, &token, &json!({})).expect_code(137);
        let kept: Value =
            serde_json::from_str(&fs::read_to_string(home.path().join("vault-prod")).expect("read"))
                .expect("a whole document");
        assert_eq!(kept["apiToken"], token.as_str());
    }
}

#[test]
fn a_document_may_have_many_lines_and_none_is_a_profile_without_a_credential() {
    let home = with("read", "cat vault-{profile}");
    let vault = home.path().join("vault-prod");
    for text in [document("tok-hunter2-a"), format!("\n{}\n\n", document("tok-hunter2-a"))] {
        fs::write(&vault, text).expect("written");
        assert_eq!(token(&home), "tok-hunter2-a");
    }
    fs::write(&vault, "\n").expect("written");
    home.run(&["token", "prod"]).expect_only_error(1, "is missing from the command store");
}

#[test]
fn what_fails_hangs_or_floods_is_named_and_nothing_of_it_is_shown() {
    let flood = "yes hunter2-hunter2-hunter2";
    let table = [
        ("exit 3", "'exit', which reads the credential of profile 'prod': it failed with code 3"),
        (
            "no-such-program x",
            "'no-such-program', which reads the credential of profile 'prod': it is not found",
        ),
        ("kill -9 $$", "'kill', which reads the credential of profile 'prod': it was ended by signal 9"),
        (
            flood,
            "'yes', which reads the credential of profile 'prod': its output is longer than any document",
        ),
        ("printf '{\"type\": \"hunter2'", "what 'printf' prints for profile 'prod' is not valid JSON"),
        ("echo hunter2", "what 'echo' prints for profile 'prod' is not valid JSON"),
        ("echo '{\"type\":\"api-token\"}'", "what 'echo' prints for profile 'prod' has no 'apiToken'"),
        (
            "while :; do printf ' '; sleep 0.1; done",
            "'while', which reads the credential of profile 'prod': no end in 5 s",
        ),
        (
            "trap '' PIPE; head -c 300000 /dev/zero; sleep 1000",
            "'trap', which reads the credential of profile 'prod': its output is longer than any document",
        ),
        ("sleep 1000 & sleep 1000", "'sleep', which reads the credential of profile 'prod': no end in 5 s"),
    ];
    for (read, words) in table {
        let home = with("read", read);
        home.run(&["token", "prod"]).expect_error(1, words).expect_hint("try the command by itself");
    }
    // What a command has to say reaches the person.
    let said = with("read", "echo the vault is sealed >&2; exit 1").run(&["token", "prod"]).stderr;
    assert!(said.starts_with("the vault is sealed\n"), "{said}");
}

#[test]
fn what_a_command_has_started_ends_with_it_when_its_time_is_over() {
    let home = Home::new();
    let pids = home.path().join("pids");
    let read = format!("echo $$ >>{0}; sh -c 'echo $$ >>{0}; exec sleep 1000' & wait", pids.display());
    let home_of = with("read", &read);
    home_of.run(&["token", "prod"]).expect_error(1, "no end in 5 s");
    for pid in fs::read_to_string(pids).expect("read").lines() {
        let stat = fs::read_to_string(PathBuf::from("/proc").join(pid).join("stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{pid} runs: {stat}");
    }
}

#[test]
fn a_profile_whose_document_is_gone_can_be_deleted_and_one_that_cannot_be_deleted_stays() {
    let home = Home::new();
    configure(&home, "tok-hunter2", &files()).expect_code(0);
    fs::remove_file(home.path().join("vault-prod")).expect("removed");
    home.run(&["profile", "delete", "prod", "--yes"]).expect_code(0);
    let home = with("delete", "exit 5");
    home.run(&["profile", "delete", "prod", "--yes"]).expect_error(1, "it failed with code 5");
    assert_eq!(token(&home), "tok-hunter2");
}

#[test]
fn one_that_leaves_a_process_behind_has_ended_all_the_same() {
    let home = with("read", "cat vault-{profile}; sleep 7 &");
    assert_eq!(token(&home), "tok-hunter2");
}

#[test]
fn a_command_gets_no_credential_of_ours_no_terminal_in_a_hook_and_the_document_by_no_argument() {
    let home = Home::new();
    let seen = home.path().join("seen");
    let write = format!(
        "{{ env; cat /proc/$$/cmdline | tr '\\0' ' '; }} >{}; cat >vault-{{profile}}",
        seen.display()
    );
    let commands = json!({ "read": "cat vault-{profile} 2>/dev/null", "write": write });
    let mut command = configuring(&home, &commands);
    command.envs([
        ("CLOUDFLARE_API_TOKEN", "tok-hunter2-outer"),
        ("CF_THEIRS", "kept"),
        ("ALCHEMY_PROFILE", "x"),
    ]);
    run_with_input(&mut command, "tok-hunter2").expect_code(0);
    let seen = fs::read_to_string(seen).expect("read");
    assert!(
        !seen.contains("hunter2") && !seen.contains("ALCHEMY_PROFILE=") && seen.contains("CF_THEIRS=kept"),
        "{seen}"
    );

    let tty = "test -t 0 && echo a terminal >&2; (: </dev/tty) 2>/dev/null && echo may ask >&2; cat vault-{profile}";
    let home = with("read", tty);
    let (code, shown) = Terminal::start(home.alchemy_command(&["credential-process", "prod"])).finish();
    assert!(code == 0 && !shown.contains("may ask") && !shown.contains("a terminal"), "{shown}");
    let (code, shown) = Terminal::start(home.alchemy_command(&["token", "prod"])).finish();
    assert!(code == 0 && shown.contains("may ask") && !shown.contains("a terminal"), "{shown}");
}

#[test]
fn on_a_terminal_a_command_may_ask_and_the_keys_reach_it() {
    let home = with(
        "read",
        "printf 'vault: ' >/dev/tty; read -r word </dev/tty; test $word = open && cat vault-{profile}",
    );
    let start = || {
        let mut terminal = Terminal::start(home.alchemy_command(&["token", "prod"]));
        terminal.expect("vault: ");
        terminal
    };
    let mut terminal = start();
    terminal.line("open");
    terminal.expect("tok-hunter2");
    assert_eq!(terminal.finish().0, 0);
    let mut terminal = start();
    terminal.press(CTRL_C);
    terminal.expect("cancelled: ");
    terminal.expect("was interrupted (SIGINT)");
    assert_eq!(terminal.finish().0, 1);
}

/// A command that asks in a mode of its own, as a pinentry does.
const ASKS: &str = "stty -echo </dev/tty; printf 'vault: ' >/dev/tty; read -r word </dev/tty; \
                    stty echo </dev/tty; test $word = open && cat vault-{profile}";

#[test]
fn ctrl_z_stops_a_command_that_asks_with_us_and_fg_continues_both() {
    let home = with("read", ASKS);
    for (name, arguments) in SHELLS.into_iter().filter(|(name, _)| has(name)) {
        let mut terminal = Terminal::shell(&home, name, arguments);
        let shell = terminal.foreground();
        terminal.line("$ALCHEMY token prod");
        terminal.expect("vault: ");
        let command = terminal.foreground();
        assert_ne!(command, shell, "{name} gave it the terminal");
        for again in ["", "bg; sleep 0.2; "] {
            terminal.press(CTRL_Z);
            terminal.expect("Stopped");
            terminal.expect("prompt> ");
            assert_eq!(terminal.foreground(), shell, "{name} has the terminal back");
            terminal.line(&format!("echo vis''ible; {again}fg"));
            terminal.expect("visible\n");
            terminal.until_foreground(command);
        }
        terminal.line("open");
        terminal.expect("tok-hunter2\n");
        terminal.expect("prompt> ");
        assert_eq!(terminal.foreground(), shell, "{name} has the terminal in the end");
        // Killed while both are stopped, neither is left.
        terminal.line("$ALCHEMY token prod");
        terminal.expect("vault: ");
        terminal.press(CTRL_Z);
        terminal.expect("Stopped");
        terminal.expect("prompt> ");
        terminal.line("kill -KILL %1; fg; echo go''ne");
        terminal.expect("gone\n");
        terminal.line("exit");
        terminal.expect("exit");
        assert_eq!(terminal.finish().0, 0, "{name}");
    }
}

#[test]
fn a_signal_that_ends_us_takes_the_terminal_back_from_a_command_and_ends_that() {
    let home =
        with("read", "echo $PPID >parent; stty -echo </dev/tty; printf 'vault: ' >/dev/tty; exec sleep 600");
    for (name, arguments) in SHELLS.into_iter().filter(|(name, _)| has(name)) {
        for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
            let mut terminal = Terminal::shell(&home, name, arguments);
            let shell = terminal.foreground();
            // The shell itself puts back what a job leaves behind that a signal has ended: here none has.
            terminal.line("(trap : INT QUIT; $ALCHEMY token prod; echo code $?; stty -a; echo do''ne)");
            terminal.expect("vault: ");
            let command = terminal.foreground();
            assert_ne!(command, shell, "{name} gave it the terminal");
            let parent = fs::read_to_string(home.path().join("parent")).expect("a process id");
            kill(Pid::from_raw(parent.trim().parse().expect("a number")), signal).expect("sent");
            terminal.expect(&format!("code {}\n", 128 + signal as i32));
            terminal.expect("done\n");
            terminal.expect("prompt> ");
            let text = terminal.text();
            assert!(text.contains(" echo ") && !text.contains(" -echo "), "{name}, {signal}: {text}");
            // One that nobody has asked after yet has ended, too.
            let runs = || {
                let stat = fs::read_to_string(format!("/proc/{command}/stat")).unwrap_or_default();
                !stat.is_empty() && !stat.contains(") Z ")
            };
            terminal.wait_for(|| !runs(), "the command has ended");
            terminal.line("exit");
            assert_eq!(terminal.finish().0, 0, "{name}, {signal}");
        }
    }
}

#[test]
fn where_nobody_could_continue_us_ctrl_z_stops_nothing() {
    let home = with("read", ASKS);
    let mut terminal = Terminal::start(home.alchemy_command(&["token", "prod"]));
    terminal.expect("vault: ");
    let command = terminal.foreground();
    terminal.press(CTRL_Z);
    terminal.until_foreground(command);
    terminal.line("open");
    terminal.expect("tok-hunter2\n");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_passphrase_command_stops_and_continues_with_us() {
    let home = Home::new();
    let asks = "printf 'pin: ' >/dev/tty; read -r pin </dev/tty; echo $pin";
    let arguments = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME];
    let mut command = home.alchemy_command(&[&arguments[..], &["--store", "encrypted", "--yes"]].concat());
    command.env("ALCHEMY_PASSPHRASE_COMMAND", "echo 1234").env("ALCHEMY_KEEP", "0");
    run_with_input(&mut command, "tok-hunter2").expect_code(0);
    let (name, arguments) = SHELLS[1];
    let mut terminal = Terminal::shell(&home, name, arguments);
    terminal
        .line(&format!("export ALCHEMY_KEEP=0 ALCHEMY_PASSPHRASE_COMMAND=\"{}\"", asks.replace('$', "\\$")));
    terminal.line("$ALCHEMY token prod");
    terminal.expect("pin: ");
    terminal.expect("pin: ");
    terminal.press(CTRL_Z);
    terminal.expect("Stopped");
    terminal.expect("prompt> ");
    terminal.line("fg");
    terminal.expect("token prod");
    terminal.line("1234");
    terminal.expect("tok-hunter2\n");
    terminal.line("exit");
    terminal.expect("exit");
    assert_eq!(terminal.finish().0, 0);
}

/// The new pair is on its way: nobody is stopped, and those who wait for the lock are not held up.
#[test]
fn ctrl_z_at_a_command_that_keeps_a_new_pair_counts_when_it_is_kept() {
    let online = SignedIn::new();
    let write = "if test -e vault-{profile}; then printf 'saving: ' >/dev/tty; read -r x </dev/tty; fi; cat >vault-{profile}";
    let commands = json!({ "read": "cat vault-{profile}", "write": write, "delete": "rm vault-{profile}" });
    let before = online.command_profile(&commands, 0);
    let (name, arguments) = SHELLS[1];
    let mut terminal = Terminal::shell(&online.home, name, arguments);
    terminal.line("$ALCHEMY token prod");
    terminal.expect("saving: ");
    let command = terminal.foreground();
    terminal.press(CTRL_Z);
    terminal.until_foreground(command);
    terminal.line("yes");
    terminal.expect("Stopped");
    let vault = std::fs::read(online.home.path().join("vault-prod")).expect("read");
    let kept = pair_of(&serde_json::from_slice(&vault).expect("JSON"));
    assert!(kept != before && online.server.state_of(&kept.refresh) == State::Live);
    terminal.expect("prompt> ");
    terminal.line("fg");
    terminal.expect(&format!("{}\n", kept.access));
    terminal.line("exit");
    terminal.expect("exit");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn what_is_written_is_read_back_and_a_lie_is_no_change() {
    let home = Home::new();
    for (write, words) in [
        (
            "cat >/dev/null; echo {profile} >/dev/null",
            "'cat', which reads the credential of profile 'prod': it failed with code 1",
        ),
        ("tr h H >vault-{profile}", "'tr' has kept something else than the credential"),
        ("false {profile}", "'false', which writes the credential of profile 'prod': it failed with code 1"),
        (
            "exec <&-; exit 4; # {profile}",
            "'exec', which writes the credential of profile 'prod': it failed with code 4",
        ),
    ] {
        let mut commands = files();
        commands["write"] = write.into();
        configure(&home, "tok-hunter2", &commands).expect_error(1, words);
        assert!(!home.alchemy("config.json").exists(), "{write}");
        assert!(!home.path().join("vault-prod").exists(), "{write}: an item that nobody owns");
    }
    let home = Home::new();
    let commands = json!({ "read": "no-such-program {profile}", "write": "cat >vault-{profile}" });
    configure(&home, "tok-hunter2", &commands).expect_error(1, "'no-such-program', which reads");
    assert!(!home.path().join("vault-prod").exists(), "nothing is written that could not be read");
}

#[test]
fn a_write_that_ends_half_way_leaves_the_old_credential_or_says_that_it_is_gone() {
    let write =
        "if test -e torn; then head -c 20 >vault-{profile}; rm torn; exit 1; fi; cat >vault-{profile}";
    let home = with("write", write);
    let tear = || fs::write(home.path().join("torn"), "").expect("written");
    tear();
    configure(&home, "tok-hunter2-new", &json!({})).expect_error(1, "it failed with code 1");
    assert_eq!(token(&home), "tok-hunter2", "it is written back");
    let mut commands = files();
    commands["write"] = "head -c 20 >vault-{profile}; exit 1".into();
    let said = configure(&home, "tok-hunter2-new", &commands).expect_code(1).stderr;
    assert!(said.contains("does not take the old one back"), "{said}");
}

#[test]
fn twenty_at_once_with_a_grant_that_has_run_out_make_one_request() {
    let online = SignedIn::new();
    let old = online.command_profile(&files(), 0);
    let gate = online.server.gate(Moment::Received);
    let (outputs, said) = online.crowd(20, &["token", "prod"], gate);
    assert!(said.is_empty(), "{said:?}");
    assert!(outputs.iter().all(|output| output.code == 0 && output.stdout == outputs[0].stdout));
    assert_eq!((online.server.refreshes(), online.server.state_of(&old.refresh)), (1, State::Spent));
    let kept = fs::read_to_string(online.home.path().join("vault-prod")).expect("read");
    let pair = pair_of(&serde_json::from_str(&kept).expect("JSON"));
    assert_eq!(
        (pair.access.as_str(), online.server.state_of(&pair.refresh)),
        (outputs[0].stdout.trim_end(), State::Live)
    );
    online.run(&["logout", "prod"]).expect_code(0);
    assert!(!online.home.path().join("vault-prod").exists());
}

#[test]
fn a_pair_that_the_command_refuses_waits_and_comes_home() {
    let online = SignedIn::new();
    let mut commands = files();
    commands["write"] = "test ! -e sealed && cat >vault-{profile}".into();
    online.command_profile(&commands, 0);
    let sealed = online.home.path().join("sealed");
    fs::write(&sealed, "").expect("written");
    let output = online.run(&["token", "prod"]).expect_code(0);
    assert!(output.stderr.contains("could not be kept in the command store"), "{}", output.stderr);
    assert!(online.home.alchemy("rescue/prod").exists());
    fs::remove_file(sealed).expect("removed");
    let again = online.run(&["token", "prod"]).expect_code(0);
    assert!(again.stderr.contains("is in its store again"), "{}", again.stderr);
    assert_eq!((again.stdout, online.server.refreshes()), (output.stdout, 1));
}

#[test]
fn a_command_that_was_killed_says_nothing_of_what_is_still_there() {
    // As where the system kills what it has no memory for: it deletes nothing, and reads nothing.
    let killed = "kill -9 $$; echo {profile}";
    let home = with("delete", killed);
    let mut config: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    config["profiles"]["prod"]["cloudflare"]["commands"]["read"] = killed.into();
    home.write("config.json", &config.to_string());
    let before = home.snapshot();
    home.run(&["profile", "delete", "prod", "--yes"]).expect_only_error(1, "it was ended by signal 9");
    assert_eq!(home.snapshot(), before);
    // The old copy stays known, until it is deleted.
    let configure = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--yes", "--account", ACME];
    let configure = [&configure[..], &["--store", "file"]].concat();
    for _ in 0..2 {
        let said = home.run_with_input(&configure, "tok-new").expect_code(0).stderr;
        assert!(
            said.contains("an old copy of the credential of 'prod' is still in the command store"),
            "{said}"
        );
    }
    assert!(home.path().join("vault-prod").exists());
}
