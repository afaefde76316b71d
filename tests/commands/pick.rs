//! The picker: who names no profile, and has none that applies, chooses from a list.

use std::process::Command;

use support::Home;
use support::places::Places;
use support::pty::{CTRL_C, DOWN, ENTER, ESC, Terminal};

const SHOW: [&str; 3] = ["sh", "-c", "echo \"runs with $ALCHEMY_PROFILE and $CLOUDFLARE_API_TOKEN\" >&2"];

/// `prod`, `beta` and a key profile, and nothing that selects.
fn places() -> Places {
    let places = Places::new();
    places.home.key_profile("legacy", "key-hunter2", "me@example.com");
    places
}

/// Picks the last one, and sees it used.
#[track_caller]
fn picks_legacy(command: Command, then: &str) {
    let mut terminal = Terminal::start(command);
    terminal.expect("profile:");
    terminal.expect("prod");
    terminal.press("leg");
    terminal.press(ENTER);
    terminal.expect(then);
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_person_who_names_no_profile_chooses_one_by_its_name_its_method_or_its_account() {
    let places = places();
    picks_legacy(places.command("code", &[&["exec", "--"], &SHOW[..]].concat()), "runs with legacy");
    for (typed, used) in [("api-key", "legacy"), ("Beta", "beta"), ("Acme", "prod")] {
        let mut terminal = Terminal::start(places.command("code", &[&["exec", "--"], &SHOW[..]].concat()));
        terminal.expect("profile:");
        terminal.press(typed);
        terminal.press(ENTER);
        terminal.expect(&format!("runs with {used}"));
        assert_eq!(terminal.finish().0, 0, "{typed}");
    }
    // One alone is no answer yet, either.
    let home = Home::new();
    home.token_profile("prod", "tok-hunter2-prod");
    let mut terminal = Terminal::start(home.alchemy_command(&[&["exec", "--"], &SHOW[..]].concat()));
    terminal.expect("prod  api-token  Acme (0123");
    terminal.press(ENTER);
    terminal.expect("runs with prod and tok-hunter2-prod");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn it_asks_where_nothing_else_gives_a_credential_and_nowhere_else() {
    let places = places();
    let exec = [&["exec", "--"], &SHOW[..]].concat();
    let unasked = |directory: &str, variables: &[(&str, &str)], words: &str| {
        let mut command = places.command(directory, &exec);
        let (_, shown) = Terminal::start({
            command.envs(variables.iter().copied());
            command
        })
        .finish();
        assert!(shown.contains(words) && !shown.contains("? profile:"), "{directory} {variables:?}: {shown}");
    };
    unasked("code", &[("ALCHEMY_PROFILE", "beta")], "runs with beta");
    unasked("code", &[("ALCHEMY_PROFILE", "nope")], "there is no profile 'nope'");
    unasked("code", &[("CI", "true")], "there is no profile 'default'");
    unasked("code", &[("DIRENV_IN_ENVRC", "1")], "there is no profile 'default'");
    let token = ("CLOUDFLARE_API_TOKEN", "tok-hunter2-own");
    unasked("code", &[token], "using CLOUDFLARE_API_TOKEN from the environment");
    places.done("bound", &["use", "prod"]);
    unasked("bound", &[], "runs with prod");
    places.pin("pinned", "profile = \"prod\"");
    unasked("pinned", &[], "is not allowed yet");
    places.token_default();
    unasked("code", &[], "runs with default");
    // No terminal: an error, as ever.
    let places = self::places();
    places.run("code", &exec).expect_only_error(125, "there is no profile 'default' (by default)");
}

#[test]
fn pick_asks_always_and_the_one_that_applies_is_offered_first() {
    let places = places();
    places.done("code", &["use", "prod"]);
    let exec = [&["exec", "--pick"], &SHOW[..]].concat();
    let mut terminal = Terminal::start(places.command("code", &exec));
    terminal.expect("> prod");
    terminal.press(ENTER);
    terminal.expect("runs with prod");
    assert_eq!(terminal.finish().0, 0);
    let mut command = places.command("code", &exec);
    command.env("ALCHEMY_PROFILE", "prod");
    picks_legacy(command, "runs with legacy");
    // Whatever follows is the command's own.
    let own = ["exec", "--pick", "sh", "-c", "echo \"has $1\" >&2", "0", "--pick"];
    picks_legacy(places.command("code", &own), "has --pick");
    picks_legacy(places.command("code", &["use", "--pick"]), "~/code uses profile 'legacy' now");
    assert_eq!(places.applies("code"), "legacy (bound at ~/code)");

    for (arguments, code) in [(&exec[..], 125), (&["whoami", "--pick"], 2), (&["use", "--pick"], 2)] {
        places.run("code", arguments).expect_only_error(code, "there is no terminal").expect_hint("-p NAME");
    }
    for (arguments, code) in
        [(&["exec", "prod", "--pick", "true"][..], 125), (&["whoami", "prod", "--pick"], 2)]
    {
        places.run("code", arguments).expect_only_error(code, "names one").expect_hint("leave one");
    }
    places.run("code", &["use", "--pick", "--unset"]).expect_only_error(2, "--pick");
    let empty = Home::new();
    empty.run(&["exec", "--pick", "true"]).expect_only_error(125, "no profiles").expect_hint("configure");
}

#[test]
fn use_alone_shows_what_applies_and_offers_to_bind_where_nothing_does() {
    let places = places();
    let mut terminal = Terminal::start(places.command("code", &["use"]));
    terminal.expect("default (by default)");
    terminal.expect("profile:");
    terminal.press(&format!("{DOWN}{ENTER}"));
    terminal.expect("~/code uses profile");
    assert_eq!(terminal.finish().0, 0);
    let (code, shown) = Terminal::start(places.command("code", &["use"])).finish();
    assert!(code == 0 && !shown.contains("? profile:"), "{shown}");
    let (code, shown) = Terminal::start(places.command("other", &["use", "--json"])).finish();
    assert!(code == 0 && !shown.contains("? profile:"), "{shown}");
}

#[test]
fn who_cancels_runs_nothing_and_changes_nothing() {
    let places = places();
    let before = places.home.snapshot();
    for (key, arguments, code) in [
        (ESC, &["exec", "--", "sh", "-c", "echo it runs"][..], 125),
        (CTRL_C, &["exec", "--pick", "sh", "-c", "echo it runs"], 125),
        (ESC, &["whoami"], 1),
        (CTRL_C, &["use", "--pick"], 1),
    ] {
        let mut terminal = Terminal::start(places.command("code", arguments));
        terminal.expect("profile:");
        terminal.expect("prod");
        terminal.press(key);
        let (ended, shown) = terminal.finish();
        assert_eq!(ended, code, "{shown}");
        assert!(shown.contains("cancelled; nothing was changed") && !shown.contains("it runs"), "{shown}");
    }
    assert!(places.home.snapshot() == before);
}
