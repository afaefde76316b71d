//! The hook of tcsh in a real tcsh: what `hook-env` prints for it arrives exactly and is given back
//! exactly, and the hook asks when something has changed and at no other time.

use std::collections::BTreeMap;
use std::fs;

use crate::tcsh::{Fake, environment, now, typed};
use alchemy::hook::tcsh::Change;
use support::pty::CTRL_C;
use support::values::nasty;

#[test]
fn every_value_is_set_and_given_back_exactly() {
    let Some(fake) = Fake::new() else { return };
    let values = nasty();
    // In portions: tcsh misreads more than 8 KiB that are not all ASCII when its locale is C.
    for portion in values.chunks(8) {
        let names: Vec<String> = (0..portion.len()).map(|i| format!("NASTY_{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let set: Vec<(&str, &str)> = names.iter().copied().zip(portion.iter().map(String::as_str)).collect();
        let before: Vec<(&str, &str)> =
            names.iter().copied().zip(portion.iter().rev().map(String::as_str)).collect();
        let enter = fake.text(&Change { set: &set, ..Change::default() }, &[], &names, None);
        let leave = fake.text(&Change { leave: true, ..Change::default() }, &names, &names, None);
        fs::write(fake.path("enter"), enter).expect("written");
        fs::write(fake.path("leave"), leave).expect("written");
        for (locale, options) in [("C.UTF-8", ""), ("C", ""), ("C.UTF-8", "set backslash_quote noglob;")] {
            let script = "env -0 > first; eval \"`cat enter`\"; env -0 > inside; eval \"`cat leave`\"; \
                          env -0 > after; set | grep '^__alchemy_[won]'; alias precmd";
            let left = fake.run(locale, &before, &format!("{options}{script}"));
            let read = |name: &str| fs::read_to_string(fake.path(name)).expect("an environment");
            let inside = environment(&read("inside"));
            for (name, value) in &set {
                assert_eq!(inside.get(*name).map(String::as_str), Some(*value), "{locale} {options}");
            }
            assert_eq!(environment(&read("first")), environment(&read("after")), "{locale} {options}");
            assert_eq!(left, "; __alchemy_precmd\n", "{locale}");
        }
    }
}

fn value<'a>(environment: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    environment.get(name).map(String::as_str)
}

#[test]
fn what_the_person_changed_is_left_alone() {
    let Some(fake) = Fake::new() else { return };
    let names = ["KEPT", "CHANGED", "GONE", "BACK", "NEW"];
    let set = |value| names.map(|name| (name, value));
    let enter = Change { set: &set("ours"), unset: &["TAKEN", "RESET", "ABSENT"], ..Change::default() };
    let refresh = Change { set: &set("fresh"), unset: &["TAKEN", "RESET", "ABSENT"], ..Change::default() };
    let leave = Change { leave: true, ..Change::default() };
    let before = ["KEPT", "CHANGED", "GONE", "BACK", "TAKEN", "RESET"];
    let table = ["KEPT", "CHANGED", "GONE", "BACK", "NEW", "TAKEN", "RESET"];
    let edits = "setenv CHANGED mine\nunsetenv GONE\nsetenv BACK before\nsetenv RESET mine";
    let seen = fake.after_each(
        &before.map(|name| (name, "before")),
        &[
            ("", &fake.text(&enter, &[], &before, None)),
            (edits, &fake.text(&refresh, &table, &table, None)),
            ("", &fake.text(&leave, &table, &table, None)),
        ],
    );
    for (name, expected) in [
        ("KEPT", [Some("ours"), Some("fresh"), Some("before")]),
        ("CHANGED", [Some("ours"), Some("mine"), Some("mine")]),
        ("GONE", [Some("ours"), None, None]),
        ("BACK", [Some("ours"), Some("before"), Some("before")]),
        ("NEW", [Some("ours"), Some("fresh"), None]),
        ("TAKEN", [None, None, Some("before")]),
        ("RESET", [None, Some("mine"), Some("mine")]),
        ("ABSENT", [None, None, None]),
    ] {
        assert_eq!([0, 1, 2].map(|i| value(&seen[i], name)), expected, "{name}");
    }
}

#[test]
fn what_a_person_had_comes_back_with_its_control_characters() {
    let Some(fake) = Fake::new() else { return };
    let enter = Change { set: &[("A", "ours")], unset: &["B"], ..Change::default() };
    let leave = Change { leave: true, ..Change::default() };
    for old in
        ["two\nlines", "\n", "line\n", "\ttab ", "\r\n", "\u{1b}[31m", "\u{7f}", "\u{85}", "a\n`id`!\"'"]
    {
        let seen = fake.after_each(
            &[("A", old), ("B", old)],
            &[
                ("", &fake.text(&enter, &[], &["A", "B"], None)),
                ("", &fake.text(&leave, &["A", "B"], &["A"], None)),
            ],
        );
        assert_eq!([value(&seen[0], "A"), value(&seen[0], "B")], [Some("ours"), None]);
        assert_eq!([value(&seen[1], "A"), value(&seen[1], "B")], [Some(old), Some(old)]);
    }
}

#[test]
fn one_profile_takes_the_place_of_another() {
    let Some(fake) = Fake::new() else { return };
    let one = Change { set: &[("BOTH", "1"), ("ONE", "1")], unset: &["TAKEN"], ..Change::default() };
    let two =
        Change { leave: true, set: &[("BOTH", "2"), ("TAKEN", "2")], unset: &["ONE"], ..Change::default() };
    let leave = Change { leave: true, ..Change::default() };
    let seen = fake.after_each(
        &[("BOTH", "0"), ("TAKEN", "0")],
        &[
            ("", &fake.text(&one, &[], &["BOTH", "TAKEN"], None)),
            ("", &fake.text(&two, &["BOTH", "ONE", "TAKEN"], &["BOTH", "ONE"], None)),
            ("", &fake.text(&leave, &["BOTH", "TAKEN", "ONE"], &["BOTH", "TAKEN"], None)),
        ],
    );
    for (name, expected) in [
        ("BOTH", [Some("1"), Some("2"), Some("0")]),
        ("ONE", [Some("1"), None, None]),
        ("TAKEN", [None, Some("2"), Some("0")]),
    ] {
        assert_eq!([0, 1, 2].map(|i| value(&seen[i], name)), expected, "{name}");
    }
}

#[test]
fn adopted_values_are_taken_away_unless_they_were_changed() {
    let Some(fake) = Fake::new() else { return };
    let adopt = Change { adopt: &["A", "B", "ABSENT"], ..Change::default() };
    let refresh = Change { set: &[("A", "fresh")], ..Change::default() };
    let leave = Change { leave: true, ..Change::default() };
    let seen = fake.after_each(
        &[("A", "inherited"), ("B", "inherited")],
        &[
            ("", &fake.text(&adopt, &["STALE"], &["A", "B"], None)),
            ("setenv B mine", &fake.text(&refresh, &["A", "B"], &["A", "B"], None)),
            ("", &fake.text(&leave, &["A", "B"], &["A", "B"], None)),
        ],
    );
    for (name, expected) in [
        ("A", [Some("inherited"), Some("fresh"), None]),
        ("B", [Some("inherited"), Some("mine"), Some("mine")]),
        ("ABSENT", [None, None, None]),
    ] {
        assert_eq!([0, 1, 2].map(|i| value(&seen[i], name)), expected, "{name}");
    }
}

#[test]
fn it_asks_when_something_has_changed_and_never_else() {
    let Some(fake) = Fake::new() else { return };
    fake.answer(&Change::default(), &[], &[], None);
    let mut terminal = fake.start("");
    let mut calls = fake.calls();
    assert_eq!(calls, 1);
    for (line, asks) in [
        ("true", 0),
        ("false", 0),
        ("cd bound", 1),
        ("cd ..; cd bound; cd .", 2),
        ("(cd /usr; true); echo `cd /usr; pwd` | cat", 2), // each takes away what is of another directory
        ("tcsh -f -c 'cd /usr'", 0),
        ("tcsh -c 'cd /usr'", 0),
        ("setenv CLOUDFLARE_PROFILE 'a  b'", 1),
        ("setenv CLOUDFLARE_PROFILE 'a b'", 1),
        ("unsetenv CLOUDFLARE_PROFILE", 1),
        ("setenv ALCHEMY_PROFILE ''", 1),
        ("setenv ALCHEMY_ACTIVE '*{a,b}?!'", 1),
        ("unsetenv ALCHEMY_ACTIVE", 1),
        ("set noclobber noglob nonomatch; set x = 1", 0),
        ("eval \"`alchemy hook tcsh`\"", 0),
    ] {
        typed(&mut terminal, line);
        assert_eq!(fake.calls() - calls, asks, "{line}");
        calls = fake.calls();
    }
    for file in ["generation", "pin"] {
        typed(&mut terminal, &format!("touch -d 2001-01-01 ../{file}"));
        assert_eq!(fake.calls() - calls, 1, "{file}");
        // The answer still has the old time: as soon as it is the file's, there is nothing to ask.
        fake.answer(&Change::default(), &[], &[], None);
        typed(&mut terminal, "true");
        calls = fake.calls();
        typed(&mut terminal, "true");
        assert_eq!(fake.calls(), calls, "{file}");
    }
    let arguments = fs::read_to_string(fake.path("calls")).expect("calls");
    assert!(
        arguments.ends_with("[hook-env][tcsh][--active][/a  b*{c}!$d:prod][--told][][--table][]\n"),
        "{arguments}"
    );
}

#[test]
fn it_asks_when_the_time_has_come() {
    let Some(fake) = Fake::new() else { return };
    fake.answer(&Change::default(), &[], &[], Some(now() + 3600));
    let mut terminal = fake.start("set noclobber");
    typed(&mut terminal, "true");
    assert_eq!(fake.calls(), 1);
    fake.answer(&Change::default(), &[], &[], Some(now()));
    typed(&mut terminal, "cd bound");
    assert_eq!(fake.calls(), 2 + 1, "once for the directory, and at the next prompt for the time");
    fake.answer(&Change::default(), &[], &[], None);
    typed(&mut terminal, "true");
    let calls = fake.calls();
    typed(&mut terminal, "true");
    assert_eq!(fake.calls(), calls);
}

#[test]
fn what_was_there_before_goes_on() {
    let Some(fake) = Fake::new() else { return };
    fake.answer(&Change::default(), &[], &[], None);
    let rc = "alias precmd 'echo PRE$status \"a  b\"'\nalias cwdcmd 'echo IN $cwd'";
    let mut terminal = fake.start(&format!("{rc}\nif ($?prompt) eval \"`alchemy hook tcsh`\""));
    let shown = typed(&mut terminal, "cd bound; false");
    assert_eq!(shown.matches("PRE").count(), 1, "{shown}");
    assert!(shown.contains("IN ") && shown.contains("/bound") && shown.contains("a  b"), "{shown}");
    terminal.line("sh -c 'exit 3'");
    terminal.expect("PRE3");
    terminal.expect("READY");
    assert!(typed(&mut terminal, "echo status $status").contains("status 3"));
    assert!(!typed(&mut terminal, "history").contains("alchemy"));
}

#[test]
fn a_trace_shows_no_secret() {
    let Some(fake) = Fake::new() else { return };
    let change = Change { set: &[("TOKEN", "hunter2")], ..Change::default() };
    fake.answer(&change, &[], &["TOKEN"], None);
    let mut terminal = fake.start("setenv TOKEN hunter2-before");
    for line in ["set echo; cd bound", "set verbose; cd ..", "cd bound", "setenv TOKEN$$ x"] {
        fake.answer(&change, &["TOKEN"], &["TOKEN"], None);
        typed(&mut terminal, line);
    }
    fake.answer(&Change { leave: true, ..Change::default() }, &["TOKEN"], &["TOKEN"], None);
    typed(&mut terminal, "cd ..");
    let shown = typed(&mut terminal, "echo $?echo$?verbose");
    assert!(shown.contains("echo 11"), "{shown}");
    assert!(!terminal.text().contains("hunter2"), "{}", terminal.text());
    assert!(typed(&mut terminal, "unset echo verbose; printenv TOKEN").contains("hunter2-before"));
}

#[test]
fn a_call_that_fails_changes_nothing_and_is_not_made_again() {
    let Some(fake) = Fake::new() else { return };
    fake.answer(&Change::default(), &[], &[], None);
    let mut terminal = fake.start("");
    fs::write(fake.path("answer"), "").expect("written");
    fs::write(fake.path("before"), "echo 'alchemy: no session' >&2; exit 1").expect("written");
    let shown = typed(&mut terminal, "cd bound");
    assert!(shown.contains("alchemy: no session"), "{shown}");
    let calls = fake.calls();
    typed(&mut terminal, "true");
    assert_eq!(fake.calls(), calls);

    fs::write(fake.path("before"), "echo waiting >&2; exec sleep 600").expect("written");
    terminal.line("cd ..");
    terminal.expect("waiting");
    terminal.press(CTRL_C);
    terminal.expect("READY");
    assert!(typed(&mut terminal, "alias precmd").contains("__alchemy_precmd"));

    fs::remove_file(fake.path("alchemy")).expect("removed");
    let shown = typed(&mut terminal, "cd bound");
    assert!(!shown.contains("not found"), "{shown}");
}

#[test]
fn the_script_is_one_line_to_eval_and_a_file_to_source() {
    let Some(fake) = Fake::new() else { return };
    let script = include_str!("../../shell/hook.tcsh");
    fs::write(fake.path("hook.tcsh"), script.replace("__ALCHEMY__", "alchemy")).expect("written");
    let sourced = fake.run("C", &[], "alias; source hook.tcsh; alias");
    let (evaluated, sourced) = sourced.split_at(sourced.len() / 2);
    assert_eq!(evaluated, sourced);
    let hook = fs::read_to_string(fake.path("hook")).expect("the hook");
    assert!(hook.lines().all(|line| line.ends_with(';')), "{hook}");
}
