//! The one gate: a profile marked `confirm` asks before its secret leaves, whichever command lets it out.

use support::npm::Npm;
use support::pty::{CTRL_C, CTRL_Z, ENTER, ESC, SHELLS, Terminal};
use support::{ACME, ALCHEMY, ALCHEMY_EXEC, BETA, Home, environment, has, run};

const TOKEN: &str = "tok-prod-hunter2";

/// A home whose profile `prod` asks, and whose profile `ci` does not.
fn home() -> Home {
    let home = Home::new();
    home.token_profile("prod", TOKEN);
    home.token_profile("ci", "tok-ci-hunter2");
    home.run(&["profile", "set", "prod", "--confirm"]).expect_code(0);
    home
}

/// The commands that let a secret out.
const LEAVES: [&[&str]; 5] = [
    &["exec", "prod", "--", "env", "-0"],
    &["env", "prod"],
    &["token", "prod"],
    &["credential-process", "prod"],
    &["credential-process", "prod", "--format", "aws"],
];

#[test]
fn it_asks_wherever_a_secret_leaves_and_a_no_keeps_it_in() {
    let home = home();
    for command in LEAVES {
        let mut terminal = Terminal::start(home.alchemy_command(command));
        terminal.expect("use profile 'prod', account Acme");
        terminal.press("n");
        terminal.press(ENTER);
        let (code, shown) = terminal.finish();
        assert_eq!(code, if command[0] == "exec" { 125 } else { 1 }, "{shown}");
        assert!(shown.contains("cancelled; no secret was given out"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    for command in &LEAVES[..4] {
        let mut terminal = Terminal::start(home.alchemy_command(command));
        terminal.expect("use profile 'prod', account Acme");
        terminal.press("y");
        terminal.press(ENTER);
        let (code, shown) = terminal.finish();
        assert_eq!(code, 0, "{shown}");
        let out = if command[0] == "env" { "# masked, as this is a terminal" } else { TOKEN };
        assert!(shown.contains(out), "{shown}");
    }
}

#[test]
fn what_was_typed_before_the_question_is_no_answer_to_it() {
    let home = home();
    let go = home.path().join("go");
    let mut command = home.command("sh");
    command.args([
        "-c",
        "echo ready; until [ -e go ]; do :; done; exec \"$@\"",
        "sh",
        ALCHEMY,
        "token",
        "prod",
    ]);
    command.current_dir(home.path());
    let mut terminal = Terminal::start(command);
    terminal.expect("ready\n");
    terminal.line("y");
    terminal.expect("y\n"); // the terminal has it
    std::fs::write(go, "").expect("written");
    terminal.expect("(y/N) ");
    terminal.line("n");
    let (code, shown) = terminal.finish();
    assert!(code == 1 && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn no_key_but_those_of_a_yes_says_yes() {
    let home = home();
    let asked = || {
        let mut terminal = Terminal::start(home.alchemy_command(&["token", "prod"]));
        terminal.expect("(y/N) ");
        terminal
    };
    // Ctrl-Y and its like are characters of their own, an arrow and Alt-y begin with Esc, Ctrl-\ ends us.
    for (keys, code) in [
        ("\x19", None),
        ("\x19y", None),
        ("\x01", None),
        ("yy", None),
        ("y e s", None),
        ("1", None),
        ("\x1by", Some(1)),
        ("y\x1b[D", Some(1)),
        (ESC, Some(1)),
        (CTRL_C, Some(1)),
        ("\x04", Some(1)),
        ("\x1c", Some(131)),
    ] {
        let mut terminal = asked();
        terminal.press(keys);
        if code.is_none() {
            terminal.press(ENTER);
            terminal.expect("(y/N) ");
            terminal.line("no");
        }
        let (ended, shown) = terminal.finish();
        assert_eq!(ended, code.unwrap_or(1), "{keys:?}: {shown}");
        assert!(!shown.contains("hunter2"), "{keys:?}: {shown}");
    }
    for keys in ["y", "Y", "yes", "n\x7fy", "no\x15y"] {
        let mut terminal = asked();
        terminal.line(keys);
        let (code, shown) = terminal.finish();
        assert!(code == 0 && shown.ends_with(&format!("{TOKEN}\n")), "{keys:?}: {shown}");
    }
    for (name, arguments) in SHELLS.into_iter().filter(|(name, _)| has(name)) {
        let mut terminal = Terminal::shell(&home, name, arguments);
        terminal.line("$ALCHEMY token prod");
        terminal.expect("(y/N) ");
        terminal.press(&format!("y{CTRL_Z}"));
        terminal.expect("Stopped");
        terminal.expect("prompt> ");
        terminal.line("fg");
        terminal.expect("(y/N) ");
        terminal.line(""); // the half of before is gone
        terminal.expect("cancelled");
        terminal.expect("prompt> ");
        terminal.line("exit");
        let (_, shown) = terminal.finish();
        assert!(!shown.contains("hunter2"), "{name}: {shown}");
    }
}

#[test]
fn where_nobody_can_be_asked_it_names_the_ways_on() {
    let home = home();
    for command in LEAVES {
        let code = if command[0] == "exec" { 125 } else { 2 };
        let output = home.run(command).expect_only_error(code, "there is no terminal");
        output.expect_hint("--yes or ALCHEMY_CONFIRM=prod");
    }
}

#[test]
fn a_yes_in_advance_counts_for_the_profile_that_it_names() {
    let home = home();
    for yes in ["-y", "--yes"] {
        assert_eq!(home.run(&["token", "prod", yes]).expect_code(0).stdout, format!("{TOKEN}\n"));
        home.run(&["exec", yes, "prod", "--", "true"]).expect_code(0);
    }
    for (variable, code) in [("prod", 0), ("ci", 2), ("yes", 2), ("1", 2), ("", 2)] {
        let mut command = home.alchemy_command(&["token", "prod"]);
        run(command.env("ALCHEMY_CONFIRM", variable)).expect_code(code);
    }
    assert_eq!(home.run(&["token", "ci"]).expect_code(0).stdout, "tok-ci-hunter2\n", "which does not ask");
}

#[test]
fn what_runs_under_one_that_was_confirmed_is_not_asked_again() {
    let home = home();
    let nested = format!("{ALCHEMY_EXEC} prod -- env -0; {ALCHEMY_EXEC} ci -- {ALCHEMY_EXEC} prod -- true");
    let output = home.run(&["exec", "--yes", "prod", "--", "sh", "-ec", &nested]).expect_code(0);
    let seen = environment(&output.stdout);
    assert_eq!((seen["CLOUDFLARE_API_TOKEN"].as_str(), seen["ALCHEMY_CONFIRM"].as_str()), (TOKEN, "prod"));
    // For another profile that asks it is no answer, and a shell does not get it by `env`.
    home.run(&["profile", "set", "ci", "--confirm"]).expect_code(0);
    let nested = format!("{ALCHEMY_EXEC} ci -- true");
    home.run(&["exec", "--yes", "prod", "--", "sh", "-c", &nested]).expect_code(125);
    assert!(!home.run(&["env", "prod", "--yes"]).expect_code(0).stdout.contains("ALCHEMY_CONFIRM"));
}

#[test]
fn under_direnv_nothing_answers() {
    let home = home();
    for yes in [&[][..], &["--yes"]] {
        let arguments = [&["env", "prod"], yes].concat();
        let mut command = home.alchemy_command(&arguments);
        command.env("DIRENV_IN_ENVRC", "1").env("ALCHEMY_CONFIRM", "prod");
        let output = run(&mut command).expect_only_error(1, "nobody can be asked here");
        output.expect_hint("use alchemy --profile-only prod");
    }
}

#[test]
fn what_keeps_the_secret_in_does_not_ask() {
    let home = home();
    home.run(&["profile", "show", "prod"]).expect_code(0);
    home.run(&["list"]).expect_code(0);
    home.run(&["profile", "current"]).expect_code(0);
    home.run(&["use", "prod"]).expect_code(0);
}

#[test]
fn the_mark_is_set_kept_shown_and_taken_away() {
    let home = home();
    let asks = |name: &str| {
        let shown = home.run(&["profile", "show", name, "--json"]).expect_code(0).stdout;
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        shown["confirm"].as_bool().expect("a mark")
    };
    assert!(asks("prod") && !asks("ci"));
    assert!(home.run(&["profile", "show", "prod"]).stdout.contains("asks before its secret leaves"));
    // Another token, another name: it still asks.
    home.token_profile("prod", "tok-other-hunter2");
    assert!(asks("prod"));
    home.run(&["profile", "rename", "prod", "live"]).expect_code(0);
    assert!(asks("live"));
    home.run(&["profile", "set", "live", "--no-confirm"]).expect_code(0);
    assert!(!asks("live"));
    let configure =
        ["configure", "-p", "new", "--token-stdin", "--no-verify", "--account", ACME, "--store", "file"];
    home.run_with_input(&[&configure[..], &["--confirm"]].concat(), TOKEN).expect_code(0);
    assert!(asks("new"));
    let both = ["profile", "set", "new", "--confirm", "--no-confirm"];
    home.run(&both).expect_code(2);
    home.run(&["profile", "set", "new"]).expect_code(2).expect_hint("--confirm or --no-confirm");
}

const REFUSED: &str = "there is no terminal";

#[test]
fn npm_that_replaces_the_profile_does_not_take_the_mark_off() {
    let home = home();
    let Some(npm) = Npm::v1(&home) else { return };
    let token = "{ type: 'api-token', apiToken: 'tok-npm-hunter2' }";
    npm.run(&format!("await configure('prod', {token}, {{ id: '{BETA}', name: 'Beta' }})"));
    assert!(!home.read("config.json").contains("confirm"));
    home.run(&["token", "prod"]).expect_only_error(2, REFUSED);
    home.run(&["exec", "prod", "--", "true"]).expect_only_error(125, REFUSED);
    assert_eq!(home.run(&["token", "ci"]).expect_code(0).stdout, "tok-ci-hunter2\n");
    home.run(&["profile", "set", "prod", "--no-confirm"]).expect_code(0);
    assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "tok-npm-hunter2\n");
}

#[test]
fn the_mark_goes_where_the_profile_goes() {
    let home = home();
    home.run(&["profile", "rename", "prod", "live"]).expect_code(0);
    home.run(&["token", "live"]).expect_only_error(2, REFUSED);
    home.token_profile("prod", TOKEN);
    home.run(&["token", "prod"]).expect_code(0);
    home.token_profile("live", TOKEN);
    home.run(&["token", "live"]).expect_only_error(2, REFUSED);
    home.run(&["profile", "delete", "live", "--yes"]).expect_code(0);
    home.token_profile("live", TOKEN);
    home.run(&["token", "live"]).expect_code(0);
    // Also a profile of npm's version 2.
    home.run(&["profile", "move", "live", "--store", "npm"]).expect_code(0);
    home.write_private("marks.json", r#"{"version": 1, "profiles": {"live": {"confirm": true}}}"#);
    home.run(&["token", "live"]).expect_only_error(2, REFUSED);
}

#[test]
fn a_mark_that_stands_in_config_json_counts_and_goes_over_with_the_next_change() {
    let home = home();
    home.write_private("marks.json", r#"{"version": 1, "profiles": {"other": {"kept": 1}}}"#);
    let config = home.read("config.json").replace("\"method\"", "\"confirm\": true, \"method\"");
    home.write_private("config.json", &config);
    for name in ["prod", "ci"] {
        home.run(&["token", name]).expect_only_error(2, REFUSED);
    }
    home.run(&["profile", "set", "ci", "--account-name", "New"]).expect_code(0);
    assert!(!home.read("config.json").contains("confirm") && home.read("marks.json").contains("\"kept\""));
    for name in ["prod", "ci"] {
        home.run(&["token", name]).expect_only_error(2, REFUSED);
    }
    home.run(&["profile", "set", "ci", "--no-confirm"]).expect_code(0);
    home.run(&["token", "ci"]).expect_code(0);
    home.run(&["token", "prod"]).expect_only_error(2, REFUSED);
}

#[test]
fn marks_that_cannot_be_understood_restrict_and_are_left_as_they_are() {
    let home = home();
    let huge = format!("{{\"profiles\": {{\"ci\": {{\"confirm\": \"{}\"}}}}}}", "x".repeat(1 << 16));
    for text in ["", "{", "[]", "{\"version\": 2}", "{\"profiles\": {\"ci\": {\"confirm\": 1}}}", &huge] {
        home.write_private("marks.json", text);
        home.run(&["token", "ci"]).expect_error(1, "marks.json");
        home.run(&["exec", "ci", "--", "true"]).expect_error(125, "marks.json");
        home.run(&["profile", "set", "ci", "--no-confirm"]).expect_error(1, "marks.json");
        assert_eq!(home.read("marks.json"), text);
        let doctor = home.run(&["doctor"]).stdout;
        assert!(doctor.contains("marks.json") && !doctor.contains("mv "), "no way to lift it: {doctor}");
        // What is said to do about it lifts no restriction unsaid.
        let said = home.run(&["token", "ci"]).stderr;
        let is_newer = said.contains("use a newer alchemy");
        assert!(is_newer || !said.contains("start anew"), "{said}");
        assert!(
            text.is_empty() || text == huge || is_newer || said.contains("lifts every restriction"),
            "{said}"
        );
    }
    // What the whole file has besides, may restrict every profile.
    let whole = r#"{"version": 1, "deny": ["*"], "profiles": {}}"#;
    home.write_private("marks.json", whole);
    home.run(&["token", "ci"]).expect_only_error(1, "marks.json has 'deny'").expect_hint("newer alchemy");
    // One mark that we do not know is its profile's alone, and is not taken off.
    home.write_private("marks.json", r#"{"profiles": {"prod": {"policy": {"deny": ["*"]}}}}"#);
    home.run(&["token", "prod"]).expect_only_error(1, "a mark 'policy'").expect_hint("newer alchemy");
    home.run(&["profile", "set", "ci", "--confirm"]).expect_code(0);
    home.run(&["token", "ci"]).expect_only_error(2, REFUSED);
    home.run(&["token", "prod"]).expect_only_error(1, "a mark 'policy'");
}

#[test]
fn a_mark_that_is_set_while_configure_waits_for_its_secret_stays() {
    let home = home();
    let arguments = ["configure", "-p", "ci", "--method", "api-token", "--no-verify", "--account", ACME];
    let mut terminal = Terminal::start(home.alchemy_command(&[&arguments[..], &["--yes"]].concat()));
    terminal.expect("API token:");
    home.run(&["profile", "set", "ci", "--confirm", "--also", "MY_TOKEN"]).expect_code(0);
    terminal.line("tok-new-hunter2");
    assert_eq!(terminal.finish().0, 0);
    home.run(&["token", "ci"]).expect_only_error(2, REFUSED);
    let output = home.run(&["exec", "--yes", "ci", "--", "env", "-0"]).expect_code(0);
    assert_eq!(environment(&output.stdout)["MY_TOKEN"], "tok-new-hunter2");
}

#[test]
fn what_npm_has_of_the_same_name_stays_restricted_when_a_profile_goes() {
    let home = home();
    home.run(&["profile", "move", "ci", "--store", "npm"]).expect_code(0);
    let document = home.read("profiles/ci/cloudflare.json");
    home.write_private("profiles/prod/cloudflare.json", &document);
    home.run(&["profile", "delete", "prod", "--yes"]).expect_code(0);
    home.run(&["token", "prod"]).expect_only_error(2, REFUSED);
}

#[test]
fn a_mark_that_cannot_be_taken_off_is_an_error() {
    if !has("strace") {
        return;
    }
    let mut failed = 0;
    for call in ["rename", "renameat", "renameat2"] {
        for number in 1..4 {
            let home = home();
            let injection = format!("{call}:error=ENOSPC:when={number}");
            let output = run(&mut home.struck(&injection, &["profile", "set", "prod", "--no-confirm"]));
            let is_off = home.run(&["token", "prod"]).code == 0;
            assert_eq!(output.code == 0, is_off, "{injection}: {}", output.stderr);
            failed += usize::from(output.stderr.contains("still restricted"));
        }
    }
    assert!(failed > 0);
}

/// An account's name that would rewrite the question: ESC, C1's CSI, an override of the direction, a line of its own,
/// and text that nobody sees.
const FORGED: &str =
    "Acme\u{1b}[2K\u{9b}1G\r\nuse profile 'ci'?\u{202e}x\u{2066}\u{2028}\u{200b}\u{feff}\u{e0041}";

/// A home whose profile `prod` asks and has that account.
fn forged() -> Home {
    let home = home();
    let mut config: serde_json::Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    config["profiles"]["prod"]["cloudflare"]["metadata"]["name"] = FORGED.into();
    home.write_private("config.json", &config.to_string());
    home
}

/// Fails when one of the characters above is there as it is. ESC and line ends are the terminal's own, too.
#[track_caller]
fn shows_it_escaped(shown: &[u8]) {
    let text = String::from_utf8_lossy(shown);
    for c in FORGED.chars().filter(|c| !c.is_ascii()).chain(['\u{fffd}']) {
        assert!(!text.contains(c), "{c:?} in {text:?}");
    }
    assert!(!text.contains("\x1b[2K\u{9b}") && !text.contains("\nuse profile 'ci'"), "{text:?}");
    assert!(text.contains(r"Acme\u{1b}[2K\u{9b}1G\r\nuse profile 'ci'?\u{202e}x"), "{text:?}");
}

#[test]
fn a_question_cannot_be_forged_by_an_accounts_name() {
    let home = forged();
    for arguments in [&["token", "prod"][..], &["configure", "-p", "prod", "--method", "api-token"]] {
        let mut terminal = Terminal::start(home.alchemy_command(arguments));
        let shown = terminal.until(b"(y/N)");
        terminal.press("n");
        terminal.press(ENTER);
        shows_it_escaped(&shown);
        assert_eq!(terminal.finish().0, 1);
    }
}

#[test]
fn what_is_printed_cannot_act_on_a_terminal() {
    let home = forged();
    for arguments in
        [&["list"][..], &["profile", "show", "prod"], &["-v", "profile", "current", "-v"], &["use", "prod"]]
    {
        let output = home.run(arguments).expect_code(0);
        let shown = output.stdout + &output.stderr;
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{arguments:?}: {shown:?}");
        assert!(!FORGED.chars().any(|c| !c.is_ascii() && shown.contains(c)), "{arguments:?}: {shown:?}");
    }
    for arguments in [&["list", "--json"][..], &["profile", "show", "prod", "--json"]] {
        let shown = home.run(arguments).expect_code(0).stdout;
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{arguments:?}: {shown:?}");
        assert!(shown.contains("\\u202e") && !shown.contains('\u{202e}'), "{arguments:?}: {shown:?}");
        let value: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        let profile =
            value.as_array().and_then(|all| all.iter().find(|one| one["name"] == "prod")).unwrap_or(&value);
        assert_eq!(profile["account"]["name"], FORGED, "it means the same");
    }
}
