//! A person at a terminal: questions and how they are cancelled, masked secrets, and a command of `exec`
//! that has the terminal to itself.

use std::fs::{self, File};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use support::cloudflare::{Cloudflare, Credential};
use support::pty::{CTRL_C, CTRL_Z, DOWN, ENTER, ESC, Redirected, SHELLS, Terminal, hang_up_at_question};
use support::{ACME, ALCHEMY, BETA, Home, has};

const TOKEN: &str = "cfut_example-0123456789";

/// An API with a token that sees one account, one that sees two, and a key that sees two.
fn api() -> Cloudflare {
    let api = Cloudflare::start();
    api.account(ACME, "Acme");
    api.account(BETA, "Beta");
    api.add(Credential::user_token(TOKEN));
    api.add(Credential::user_token("one-account").sees(&[BETA]));
    api.add(Credential::global_key("key-example", "me@example.com"));
    api
}

fn prod() -> Home {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home
}

fn alchemy(home: &Home, api: &Cloudflare, arguments: &[&str]) -> Command {
    let mut command = home.alchemy_command(arguments);
    command.env("CLOUDFLARE_API_BASE_URL", api.base_url());
    command
}

#[track_caller]
fn expect_account(home: &Home, profile: &str, account: &str) {
    let shown = home.run(&["profile", "show", profile, "--json"]).expect_code(0).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(shown["account"]["id"], account);
}

#[test]
fn configure_asks_for_all_that_no_flag_gives() {
    let (home, api) = (Home::new(), api());
    let mut terminal = Terminal::start(alchemy(&home, &api, &["configure"]));
    terminal.expect("profile name:");
    terminal.line("prod");
    terminal.expect("method:");
    terminal.expect("Global API Key");
    terminal.press(&format!("{DOWN}{ENTER}"));
    terminal.expect("API token:");
    terminal.line(TOKEN);
    terminal.expect("account:");
    terminal.expect("Beta");
    terminal.press(&format!("{DOWN}{ENTER}"));
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("example"), "a secret is shown in:\n{shown}");
    assert!(shown.ends_with("kept in the file store\n"), "{shown}");
    expect_account(&home, "prod", BETA);
    assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, format!("{TOKEN}\n"));
}

#[test]
fn a_key_is_asked_for_with_its_email_and_typing_narrows_the_accounts() {
    let (home, api) = (Home::new(), api());
    let mut terminal = Terminal::start(alchemy(&home, &api, &["configure", "-p", "legacy"]));
    terminal.expect("method:");
    terminal.press(&format!("{DOWN}{DOWN}{ENTER}"));
    terminal.expect("e-mail of the account's owner:");
    terminal.line("me@example.com");
    terminal.expect("Global API Key:");
    terminal.line("key-example");
    terminal.expect("account:");
    terminal.line("bet");
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("key-example"), "a secret is shown in:\n{shown}");
    expect_account(&home, "legacy", BETA);
    let printed = home.run(&["env", "legacy"]).expect_code(0).stdout;
    assert!(printed.contains("CLOUDFLARE_API_KEY=key-example;"), "{printed}");
}

#[test]
fn a_secret_can_be_pasted_with_what_the_clipboard_holds_around_it() {
    let home = Home::new();
    let arguments = ["configure", "-p", "prod", "--method", "api-token", "--no-verify", "--account", ACME];
    let texts = [TOKEN.to_owned(), format!("{TOKEN}\n"), format!("\n  \"{TOKEN}\" \r\n")];
    // As it comes, and as it comes to a program that has asked for the marks of a paste.
    let marks = [("", ""), ("\x1b[200~", "\x1b[201~")];
    for (pasted, (begin, end)) in texts.iter().flat_map(|text| marks.map(|marks| (text, marks))) {
        let mut terminal = Terminal::start(home.alchemy_command(&[&arguments[..], &["--yes"]].concat()));
        terminal.expect("API token:");
        terminal.press(&format!("{begin}{pasted}{end}"));
        terminal.press(ENTER);
        let (code, shown) = terminal.finish();
        assert_eq!(code, 0, "{pasted:?}:\n{shown}");
        assert!(!shown.contains("example"), "{shown}");
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, format!("{TOKEN}\n"));
        home.run(&["profile", "delete", "prod", "--yes"]).expect_code(0);
    }
}

/// `configure` for `prod`, at the question for its token.
fn asked_for_a_token(home: &Home) -> Terminal {
    let arguments =
        ["configure", "-p", "prod", "--method", "api-token", "--no-verify", "--account", ACME, "--yes"];
    let mut terminal = Terminal::start(home.alchemy_command(&arguments));
    terminal.expect("API token: ");
    terminal
}

#[test]
fn a_secret_is_edited_as_any_line_of_the_terminal() {
    let home = prod();
    for (keys, token) in [
        ("\x16hunter2\r", "hunter2"),      // Ctrl-V, which some press to paste
        ("\x15hunter2\r", "hunter2"),      // Ctrl-U
        ("wrong\x15hunter2\r", "hunter2"), // and with something to remove
        ("wrong hunter\x17hunter2\r", "wrong hunter2"), // Ctrl-W
        ("hunter3\x7f2\r", "hunter2"),     // Backspace
        ("hunt\x04er2\r", "hunter2"),      // Ctrl-D in the middle
        ("\r\n  \rhunter2\n", "hunter2"),  // empty lines, as they come with a paste
        ("hunter2\rchange it\rsecond line\r", "hunter2"),
    ] {
        let mut terminal = asked_for_a_token(&home);
        assert!(!terminal.is_restored(), "it is not shown");
        terminal.press(keys);
        let (code, shown) = terminal.finish();
        assert_eq!(code, 0, "{keys:?}:\n{shown}");
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, format!("{token}\n"), "{keys:?}");
        assert!(!shown.contains("hunter"), "{shown}");
    }
    let long = "a".repeat(4094);
    for (keys, words) in [
        ("\x01hunter2\r", "the API token holds a control character"), // Ctrl-A is a character here
        ("hunter2\x1b\r", "the API token holds a control character"),
        ("hunter2\x04\x04", "prod"), // the end of the input ends the line
        (&format!("{long}\r"), "prod"),
        (&format!("{long}b\r"), "a terminal takes no line of more than 4094 characters"),
        (&format!("{long}{long}\r"), "a terminal takes no line of more than 4094 characters"),
    ] {
        let before = home.snapshot();
        let mut terminal = asked_for_a_token(&home);
        terminal.press(keys);
        let (code, shown) = terminal.finish();
        assert!(shown.contains(words), "{shown}");
        assert_eq!(code, i32::from(words != "prod"), "{shown}");
        assert!(code == 0 || home.snapshot() == before, "nothing was changed");
        assert!(!shown.contains("hunter2") && !shown.contains("aaaa"), "{shown}");
    }
}

#[test]
fn a_dumb_terminal_will_do_for_a_secret() {
    let home = prod();
    for term in ["dumb", ""] {
        let arguments =
            ["configure", "-p", "prod", "--method", "api-token", "--no-verify", "--account", ACME, "--yes"];
        let mut command = home.alchemy_command(&arguments);
        command.env("TERM", term);
        let mut terminal = Terminal::start(command);
        terminal.expect("? API token: ");
        terminal.line("hunter2");
        terminal.expect("is ready");
        let bytes = terminal.until(b"is ready");
        assert!(
            !bytes.contains(&0x1b),
            "no sequence that it would show: {}",
            String::from_utf8_lossy(&bytes)
        );
        assert_eq!(terminal.finish().0, 0);
    }
}

/// The kinds of questions: the words of a command, and what it asks.
const QUESTIONS: [(&[&str], &str); 5] = [
    (&["configure"], "profile name:"),
    (&["configure", "-p", "new"], "method:"),
    (&["configure", "-p", "new", "--method", "api-token"], "API token: "),
    (&["configure", "-p", "prod"], "change it?"),
    (&["configure", "--method", "oauth", "-p", "new"], "scopes:"),
];

#[test]
fn a_signal_at_a_question_ends_it_and_leaves_the_terminal_as_it_was() {
    let home = prod();
    let before = home.snapshot();
    for (arguments, question) in QUESTIONS {
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
            let mut terminal = Terminal::start(home.alchemy_command(arguments));
            terminal.expect(question);
            terminal.expect_modes_of_a_question();
            kill(terminal.pid(), signal).expect("sent");
            let (code, shown) = terminal.finish();
            // Ctrl-C in the terminal's line mode is this signal, and cancels as at any other question.
            let cancels = signal == Signal::SIGINT && ["API token: ", "change it?"].contains(&question);
            assert_eq!(code, if cancels { 1 } else { 128 + signal as i32 }, "{question} {signal}:\n{shown}");
            assert_eq!(home.snapshot(), before, "{question} {signal}");
        }
    }
}

#[test]
fn a_signal_that_is_ignored_stays_ignored_at_a_question() {
    let home = prod();
    for (arguments, question) in [QUESTIONS[2], QUESTIONS[3]] {
        let mut command = home.command("sh");
        command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", ALCHEMY]).args(arguments);
        let mut terminal = Terminal::start(command);
        terminal.expect(question);
        terminal.expect_modes_of_a_question();
        kill(terminal.pid(), Signal::SIGHUP).expect("sent");
        terminal.press(CTRL_C);
        let (code, shown) = terminal.finish();
        assert_eq!(code, 1, "{shown}");
        assert!(shown.contains("cancelled; nothing was changed"), "{shown}");
    }
}

/// As under `nohup`, which takes standard input away, too.
#[test]
fn a_question_whose_terminal_goes_away_is_cancelled_though_nothing_ends_it() {
    let home = prod();
    home.token_profile("asks", "tok-example");
    home.run(&["profile", "set", "asks", "--confirm"]).expect_code(0);
    let before = home.snapshot();
    let gate: (&[&str], &str) = (&["exec", "asks", "--", "true"], "use profile");
    // The last one is not asked where stderr is no terminal.
    for (arguments, question) in QUESTIONS.into_iter().take(4).chain([gate]) {
        // Nothing, a half of an answer, and a half of what an arrow key sends.
        for keys in ["", "y", "y\x04", "\x1b["] {
            for stdin in [None, Some(Stdio::null())] {
                let what = format!("{question} {keys:?} {stdin:?}");
                let output = hang_up_at_question(home.alchemy_command(arguments), stdin, keys);
                let code = if arguments[0] == "exec" { 125 } else { 1 };
                assert_eq!(output.code, code, "{what}:\n{}", output.stderr);
                assert!(output.stderr.contains("alchemy: cancelled; no"), "{what}:\n{}", output.stderr);
                assert_eq!(home.snapshot(), before, "{what}");
            }
        }
    }
}

#[test]
fn a_question_that_is_stopped_leaves_the_terminal_to_the_shell_and_goes_on_in_front() {
    let home = prod();
    for (name, arguments) in SHELLS.into_iter().filter(|(name, _)| has(name)) {
        let mut terminal = Terminal::shell(&home, name, arguments);
        terminal.line(&format!(
            "$ALCHEMY configure -p prod --method api-token --no-verify --account {ACME} --yes --store file"
        ));
        terminal.expect("API token: ");
        terminal.press("half");
        terminal.press(CTRL_Z);
        terminal.expect("Stopped");
        terminal.expect("prompt> ");
        // The shell itself does not see to that: what is typed now is shown.
        terminal.line("echo vis''ible; stty -a | tr ' ;' '\\n\\n' | grep -x -e -echo -e echo | tr o 0");
        terminal.expect("visible\n");
        terminal.expect("ech0\n");
        terminal.expect("prompt> ");
        terminal.line("fg");
        terminal.expect("? API token: ");
        terminal.expect_modes_of_a_question();
        terminal.line("hunter2");
        terminal.expect("is ready");
        terminal.expect("prompt> ");
        terminal.line("exit");
        let (code, shown) = terminal.finish();
        assert_eq!(code, 0, "{name}: {shown}");
        assert!(!shown.contains("hunter2"), "{name}: {shown}");
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "hunter2\n", "{name}");

        // In the background it waits until it is in front: what it puts back is not the shell's own line editor's.
        for (question, answer) in [("API token: ", "hunter2"), ("change it?", "n")] {
            let mut terminal = Terminal::shell(&home, name, arguments);
            let yes = if answer == "n" { "" } else { "--yes" };
            let configure =
                "$ALCHEMY configure -p prod --method api-token --no-verify --store file --account";
            terminal.line(&format!("{configure} {ACME} {yes} & sleep 0.3; echo vis''ible"));
            terminal.expect("visible\n");
            terminal.expect("prompt> ");
            assert!(terminal.is_restored(), "{name}: the terminal is the shell's");
            terminal.line("fg");
            terminal.expect(question);
            terminal.expect_modes_of_a_question();
            terminal.line(answer);
            terminal.expect(if answer == "n" { "cancelled" } else { "is ready" });
            terminal.line("exit");
            let (_, shown) = terminal.finish();
            assert!(!shown.contains("hunter2"), "{name}: {shown}");
        }

        // Stopped from outside, and at a question that is drawn.
        for (question, answer, more) in [("API token: ", "hunter3", ""), ("change it?", "n", " --store file")]
        {
            let mut terminal = Terminal::shell(&home, name, arguments);
            let yes = if more.is_empty() { " --yes" } else { "" };
            terminal.line(&format!(
                "$ALCHEMY configure -p prod --method api-token --no-verify --account {ACME}{yes}{more}"
            ));
            terminal.expect(question);
            terminal.expect_modes_of_a_question();
            let asked = terminal.foreground();
            kill(asked, Signal::SIGTSTP).expect("sent");
            terminal.expect("Stopped");
            terminal.expect("prompt> ");
            terminal.line("echo vis''ible");
            terminal.expect("visible\n");
            terminal.expect("prompt> ");
            terminal.line("fg");
            terminal.until_foreground(asked);
            terminal.expect_modes_of_a_question();
            terminal.line(answer);
            terminal.expect("prompt> ");
            terminal.line("exit");
            let (_, shown) = terminal.finish();
            assert!(!shown.contains("hunter3"), "{name}: {shown}");
        }
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "hunter3\n", "{name}");
    }
}

#[test]
fn the_only_account_is_chosen_by_itself() {
    let (home, api) = (Home::new(), api());
    let arguments = ["configure", "-p", "prod", "--method", "api-token"];
    let mut terminal = Terminal::start(alchemy(&home, &api, &arguments));
    terminal.expect("API token:");
    terminal.line("one-account");
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("account:") && !shown.contains("method:"), "{shown}");
    expect_account(&home, "prod", BETA);
}

#[test]
fn an_existing_profile_is_changed_after_a_yes_and_keeps_its_account_in_reach() {
    let (home, api) = (prod(), api());
    let arguments = ["configure", "-p", "prod", "--method", "api-token"];
    let mut terminal = Terminal::start(alchemy(&home, &api, &arguments));
    terminal.expect("profile 'prod' exists (api-token, account Acme");
    terminal.line("y");
    terminal.expect("API token:");
    terminal.line(TOKEN);
    terminal.expect("account:");
    terminal.press(ENTER); // the cursor is on the one of before
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, format!("{TOKEN}\n"));
    expect_account(&home, "prod", ACME);
}

#[test]
fn every_question_can_be_cancelled_and_nothing_has_changed() {
    let (home, api) = (prod(), api());
    let before = home.snapshot();
    let yes = format!("y{ENTER}");
    let to_token = format!("{DOWN}{ENTER}");
    let methods = ("method:", to_token.as_str());
    let table: [&[(&str, &str)]; 9] = [
        &[("change it?", "n\r")],
        &[("change it?", ENTER)], // no is the default
        &[("change it?", CTRL_C)],
        &[("change it?", ESC)],
        &[("change it?", &yes), ("method:", ESC)],
        &[("change it?", &yes), methods, ("API token:", CTRL_C)],
        &[("change it?", &yes), methods, ("API token:", "half a token\x03")],
        &[("change it?", &yes), methods, ("API token:", "\x04")], // the end of the input
        &[("change it?", &yes), methods, ("API token:", &format!("{TOKEN}\r")), ("account:", CTRL_C)],
    ];
    for answers in table {
        let mut terminal = Terminal::start(alchemy(&home, &api, &["configure", "-p", "prod"]));
        for (question, keys) in answers {
            terminal.expect(question);
            terminal.press(keys);
        }
        let (code, shown) = terminal.finish();
        assert_eq!(code, 1, "{answers:?}:\n{shown}");
        assert!(shown.ends_with("alchemy: cancelled; nothing was changed\n"), "{answers:?}:\n{shown}");
        assert!(!shown.contains("half a token") && !shown.contains(TOKEN), "{shown}");
        assert_eq!(home.snapshot(), before, "{answers:?}");
    }
}

#[test]
fn questions_go_to_the_terminal_when_every_stream_is_elsewhere() {
    let (home, api) = (Home::new(), api());
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| home.path().join(name));
    let redirected = Redirected {
        stdin: Some(Stdio::piped()),
        stdout: Some(File::create(&stdout).expect("a file").into()),
        stderr: Some(File::create(&stderr).expect("a file").into()),
    };
    let arguments = ["configure", "-p", "prod", "--token-stdin", "--store", "file"];
    let mut terminal = Terminal::start_redirected(alchemy(&home, &api, &arguments), redirected);
    terminal.pipe(&format!("{TOKEN}\n"));
    terminal.expect("account:");
    terminal.line("beta");
    let (code, shown) = terminal.finish();
    let read = |path| fs::read_to_string(path).expect("read");
    let (stdout, stderr) = (read(&stdout), read(&stderr));
    assert_eq!(code, 0, "{shown}{stderr}");
    assert_eq!(stdout, "");
    assert!(
        stderr.starts_with("alchemy: profile 'prod' is ready") && stderr.lines().count() == 1,
        "{stderr}"
    );
    assert!(!shown.contains("is ready"), "messages go to stderr: {shown}");
    expect_account(&home, "prod", BETA);

    // The same with the question before the secret is read, and an error after it.
    let redirected = Redirected {
        stdin: Some(Stdio::piped()),
        stderr: Some(File::create(home.path().join("stderr")).expect("a file").into()),
        ..Redirected::default()
    };
    let mut terminal = Terminal::start_redirected(alchemy(&home, &api, &arguments), redirected);
    terminal.pipe("");
    terminal.expect("change it?");
    terminal.line("y");
    let (code, shown) = terminal.finish();
    let stderr = read(&home.path().join("stderr"));
    assert_eq!(code, 1, "{shown}{stderr}");
    assert!(stderr.starts_with("alchemy: the API token is empty\nhint: "), "{stderr}");
}

#[test]
fn data_goes_to_a_stdout_elsewhere_while_the_person_is_asked() {
    let home = prod();
    let stdout = home.path().join("stdout");
    let redirected =
        Redirected { stdout: Some(File::create(&stdout).expect("a file").into()), ..Redirected::default() };
    let command = home.alchemy_command(&["profile", "delete", "prod", "--json"]);
    let mut terminal = Terminal::start_redirected(command, redirected);
    terminal.expect("delete profile 'prod' and its credential?");
    terminal.line("y");
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    let deleted: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(stdout).expect("read")).expect("JSON");
    assert_eq!(deleted["deleted"], "prod");
}

#[test]
fn delete_asks_first() {
    let home = prod();
    let before = home.snapshot();
    for keys in ["n\r", ENTER, CTRL_C, ESC] {
        let mut terminal = Terminal::start(home.alchemy_command(&["profile", "delete", "prod"]));
        terminal.expect("delete profile 'prod' and its credential?");
        terminal.press(keys);
        let (code, shown) = terminal.finish();
        assert_eq!(code, 1, "{keys:?}:\n{shown}");
        assert!(shown.contains("cancelled; nothing was changed"), "{keys:?}:\n{shown}");
        assert_eq!(home.snapshot(), before, "{keys:?}");
    }
    let mut terminal = Terminal::start(home.alchemy_command(&["profile", "delete", "prod"]));
    terminal.expect("delete profile 'prod' and its credential?");
    terminal.line("y");
    let (code, shown) = terminal.finish();
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("profile 'prod' is deleted"), "{shown}");
    home.run(&["profile", "show", "prod"]).expect_error(1, "there is no profile 'prod'");
    assert!(!home.alchemy("credentials/prod").exists());
}

#[test]
fn without_a_terminal_a_question_fails_at_once_and_names_the_flag() {
    let home = prod();
    let before = home.snapshot();
    home.run(&["configure", "-p", "prod"]).expect_only_error(2, "profile 'prod' exists").expect_hint("--yes");
    home.run(&["configure", "-p", "new"])
        .expect_only_error(2, "there is no terminal")
        .expect_hint("--method");
    home.run(&["configure"]).expect_only_error(2, "there is no terminal").expect_hint("-p NAME");
    let arguments = ["configure", "-p", "new", "--method", "api-token", "--store", "file"];
    home.run(&arguments).expect_only_error(2, "there is no terminal").expect_hint("--token-stdin");
    home.run(&["profile", "delete", "prod"])
        .expect_only_error(2, "there is no terminal")
        .expect_hint("--yes");
    assert_eq!(home.snapshot(), before);
}

#[test]
fn env_is_masked_on_a_terminal_unless_revealed() {
    let home = Home::new();
    home.token_profile("prod", TOKEN);
    let shown = |arguments: &[&str]| {
        let (code, shown) = Terminal::start(home.alchemy_command(arguments)).finish();
        assert_eq!(code, 0, "{shown}");
        shown
    };
    let masked = shown(&["env", "prod"]);
    assert!(!masked.contains("example") && masked.contains("CLOUDFLARE_API_TOKEN=cfut_"), "{masked}");
    assert!(masked.contains(&format!("CLOUDFLARE_ACCOUNT_ID={ACME};")), "an id is no secret: {masked}");
    let comment = masked.lines().last().expect("a line");
    assert!(comment.starts_with("# masked") && comment.contains("eval $(alchemy env)"), "{masked}");
    assert!(comment.contains("--reveal"), "{masked}");
    let fish = shown(&["env", "prod", "--format", "fish"]);
    assert!(!fish.contains("example") && fish.contains("| source"), "{fish}");

    let revealed = shown(&["env", "prod", "--reveal"]);
    assert!(revealed.contains(&format!("CLOUDFLARE_API_TOKEN={TOKEN};")), "{revealed}");
    assert!(!revealed.contains("# masked"), "{revealed}");
    // In a pipe the values are what it is for.
    let piped = home.run(&["env", "prod"]).expect_code(0).stdout;
    assert_eq!(piped, revealed);
    assert_eq!(shown(&["token", "prod"]), format!("{TOKEN}\n"), "a token is what was asked for");
}

#[test]
fn the_terminal_is_the_commands() {
    let home = prod();
    let script =
        "test -t 0 && test -t 1 && test -t 2 && echo \"tty of $$\"; read -r line; echo \"read $line\"";
    let mut terminal = Terminal::start(home.alchemy_command(&["exec", "prod", "--", "sh", "-c", script]));
    let pid = terminal.pid();
    // The command is the very process that was started: nobody is in between.
    terminal.expect(&format!("tty of {pid}\n"));
    assert_eq!(terminal.foreground(), pid);
    terminal.line("some words");
    terminal.expect("read some words");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn ctrl_c_reaches_the_command_once() {
    let home = prod();
    // The `read` may end by the signal; only a line ends the loop.
    let script = "n=0; trap 'n=$((n+1)); echo \"int $n\"' INT; echo ready\n\
                  until read -r line; do :; done; echo \"total $n\"; exit 5";
    let mut terminal = Terminal::start(home.alchemy_command(&["exec", "prod", "--", "sh", "-c", script]));
    terminal.expect("ready\n");
    terminal.press(CTRL_C);
    terminal.expect("int 1\n");
    terminal.press(CTRL_C);
    terminal.expect("int 2\n");
    terminal.line("enough");
    terminal.expect("total 2\n");
    assert_eq!(terminal.finish().0, 5);
}

#[test]
fn ctrl_c_ends_a_command_that_does_not_mind_it_and_the_shell_stops_its_loop() {
    if !has("bash") {
        return;
    }
    let home = prod();
    let mut shell = home.command("bash");
    let script = "for i in 1 2; do \"$0\" exec prod -- sh -c 'echo started; read -r x'; done; echo after";
    shell.args(["-c", script, ALCHEMY]);
    let mut terminal = Terminal::start(shell);
    terminal.expect("started\n");
    terminal.press(CTRL_C);
    let (code, shown) = terminal.finish();
    assert_eq!(code, 130, "{shown}");
    assert!(!shown.contains("after"), "{shown}");
}

#[test]
fn ctrl_z_stops_the_command_and_fg_continues_it() {
    let home = prod();
    for (name, arguments) in SHELLS.into_iter().filter(|(name, _)| has(name)) {
        let mut terminal = Terminal::shell(&home, name, arguments);
        let shell = terminal.foreground();
        // What is typed is shown, too: the outputs are spelled otherwise.
        terminal.line(
            "$ALCHEMY exec prod -- sh -c \"echo run''ning; until read -r x; do :; done; echo got=\\$x\"",
        );
        terminal.expect("running\n");
        let command = terminal.foreground();
        assert_ne!(command, shell, "{name} gave it the terminal");
        terminal.press(CTRL_Z);
        terminal.expect("Stopped");
        terminal.expect("prompt> ");
        assert_eq!(terminal.foreground(), shell, "{name} has the terminal back");
        terminal.line("echo code=$?");
        terminal.expect(&format!("code={}\n", 128 + Signal::SIGTSTP as i32));
        terminal.expect("prompt> ");
        terminal.line("fg");
        terminal.expect("read -r x"); // the shell shows what it continues
        terminal.line("words");
        terminal.expect("got=words\n");
        terminal.expect("prompt> ");
        terminal.line("exit");
        assert_eq!(terminal.finish().0, 0, "{name}");
    }
}

#[test]
fn a_killed_commands_signal_is_in_the_calling_shells_exit_code() {
    let home = prod();
    for (name, arguments) in SHELLS.into_iter().filter(|(name, _)| has(name)) {
        let mut terminal = Terminal::shell(&home, name, arguments);
        terminal.line("$ALCHEMY exec prod -- sh -c 'kill -TERM $$'; echo code=$?");
        terminal.expect("code=143\n");
        terminal.line("$ALCHEMY exec nope -- true; echo code=$?");
        terminal.expect("there is no profile 'nope'");
        terminal.expect("code=125\n");
        terminal.line("exit");
        assert_eq!(terminal.finish().0, 0, "{name}");
    }
}

#[test]
fn exec_alone_is_a_shell_on_the_terminal() {
    let home = prod();
    let mut command = home.alchemy_command(&["exec", "prod"]);
    command.env("SHELL", "/bin/sh").env("PS1", "prompt> ");
    let mut terminal = Terminal::start(command);
    terminal.expect("prompt> ");
    let said = terminal.text();
    let line = format!("alchemy: prod (Acme ({ACME})) is active in this shell; 'exit' leaves it\n");
    assert_eq!(said, format!("{line}prompt> "));
    terminal.line("echo \"$ALCHEMY_PROFILE:$CLOUDFLARE_API_TOKEN\"");
    terminal.expect("prod:tok-example\n");
    terminal.line("exit 3");
    assert_eq!(terminal.finish().0, 3);

    let stderr = home.path().join("stderr");
    let mut command = home.alchemy_command(&["exec", "prod"]);
    command.env("SHELL", "/bin/true");
    let redirected =
        Redirected { stderr: Some(File::create(&stderr).expect("a file").into()), ..Redirected::default() };
    let (code, shown) = Terminal::start_redirected(command, redirected).finish();
    assert_eq!((code, shown.as_str()), (0, ""), "the line is on stderr");
    assert_eq!(fs::read_to_string(stderr).expect("read"), line);
}
