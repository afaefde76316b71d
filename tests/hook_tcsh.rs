//! The hook of tcsh in a real tcsh: what `hook-env` prints for it arrives exactly and is given back
//! exactly, and the hook asks when something has changed and at no other time.
//!
//! `hook-env` is a stand-in here, which notes its arguments and prints a file.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use alchemy::shell::hook_tcsh::{Change, State, statements, without_comments};
use support::pty::{CTRL_C, Terminal};
use support::values::nasty;
use support::{Home, has};

/// A home for tcsh, with the stand-in, the directory `bound` and the files that the hook looks at.
struct Fake {
    home: Home,
}

impl Fake {
    /// None, where tcsh is not installed.
    fn new() -> Option<Self> {
        if !has("tcsh") {
            return None;
        }
        let fake = Self { home: Home::new() };
        for name in ["generation", "pin", "clock", "calls", "answer"] {
            fs::write(fake.path(name), "").expect("written");
        }
        fs::create_dir(fake.path("bound")).expect("a directory");
        let script = "#!/bin/sh\ncd ${0%/*}\ncase $1 in\nhook) cat hook;;\n\
                      hook-env) printf '[%s]' \"$@\" >>calls; echo >>calls; sh ./before; cat answer;;\nesac\n";
        fs::write(fake.path("alchemy"), script).expect("written");
        fs::write(fake.path("before"), "").expect("written");
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(fake.path("alchemy"), executable).expect("executable");
        let hook = without_comments(include_str!("../shell/hook.tcsh"));
        fs::write(fake.path("hook"), hook.replace("__ALCHEMY__", &fake.name("alchemy"))).expect("written");
        Some(fake)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// What the next calls print. It is `text` for a shell whose table and environment are these.
    fn answer(&self, change: &Change, table: &[&str], environment: &[&str], until: Option<i64>) {
        fs::write(self.path("answer"), self.text(change, table, environment, until)).expect("written");
    }

    fn text(&self, change: &Change, table: &[&str], environment: &[&str], until: Option<i64>) -> String {
        let modified = |name: &str| {
            let time = fs::metadata(self.path(name)).and_then(|data| data.modified());
            let since = time.map(|time| time.duration_since(std::time::UNIX_EPOCH).expect("after 1970"));
            since.map_or(0, |since| i64::try_from(since.as_secs()).expect("a time"))
        };
        let (generation, pin) = (self.name("generation"), self.name("pin"));
        let state = State {
            active: "/a  b*{c}!$d:prod",
            told: "",
            files: [(&generation, modified("generation")), (&pin, modified("pin"))],
            until,
            clock: &self.name("clock"),
        };
        let is_set = |name: &str| environment.contains(&name);
        statements(change, table, is_set, &state).expect("statements").to_string()
    }

    /// How often `hook-env` was called.
    fn calls(&self) -> usize {
        fs::read_to_string(self.path("calls")).expect("calls").lines().count()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.home.command(words[0]);
        command.args(&words[1..]).env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
        let path = format!("{}:{}", self.home.path().display(), std::env::var("PATH").expect("PATH"));
        command.env("PATH", path);
        command
    }

    /// Runs a script after the hook was read, and expects no word from it but what it prints.
    fn run(&self, locale: &str, environment: &[(&str, &str)], script: &str) -> String {
        let script = format!("eval \"`alchemy hook tcsh`\"\n{script}");
        let mut command = self.command(&["tcsh", "-f", "-c", &script]);
        let output = command.env("LC_ALL", locale).envs(environment.iter().copied()).output().expect("tcsh");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The environment after each of the texts, in one shell: `edits` are run before them.
    fn after_each(
        &self,
        environment: &[(&str, &str)],
        steps: &[(&str, &str)],
    ) -> Vec<BTreeMap<String, String>> {
        let mut script = String::new();
        for (i, (edit, text)) in steps.iter().enumerate() {
            fs::write(self.path(&format!("text{i}")), text).expect("written");
            script += &format!("{edit}\neval \"`cat text{i}`\"\nenv -0 > seen{i}\n");
        }
        assert_eq!(self.run("C.UTF-8", environment, &script), "");
        let seen = |i| fs::read_to_string(self.path(&format!("seen{i}"))).expect("an environment");
        (0..steps.len()).map(|i| self::environment(&seen(i))).collect()
    }

    /// A person's tcsh on a terminal, with the hook behind `rc`.
    fn start(&self, rc: &str) -> Terminal {
        self.start_under(&["tcsh"], rc)
    }

    /// The same, started by a command.
    fn start_under(&self, words: &[&str], rc: &str) -> Terminal {
        let rc =
            format!("unset edit\nset prompt = 'READY '\n{rc}\nif ($?prompt) eval \"`alchemy hook tcsh`\"\n");
        fs::write(self.path(".tcshrc"), rc).expect("written");
        let mut terminal = Terminal::start(self.command(words));
        terminal.expect("READY");
        terminal
    }
}

fn environment(printed: &str) -> BTreeMap<String, String> {
    let pairs = printed.split_terminator('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Types a line and waits for the next prompt: what was shown between.
fn typed(terminal: &mut Terminal, line: &str) -> String {
    let from = terminal.text().len();
    terminal.line(&format!("{line}; echo D''ONE"));
    terminal.expect("DONE");
    terminal.expect("READY");
    terminal.text()[from..].to_owned()
}

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
        for locale in ["C.UTF-8", "C"] {
            let script = "env -0 > first; eval \"`cat enter`\"; env -0 > inside; eval \"`cat leave`\"; \
                          env -0 > after; set | grep '^__alchemy_[won]'; alias precmd";
            let left = fake.run(locale, &before, script);
            let read = |name: &str| fs::read_to_string(fake.path(name)).expect("an environment");
            let inside = environment(&read("inside"));
            for (name, value) in &set {
                assert_eq!(inside.get(*name).map(String::as_str), Some(*value), "{locale}");
            }
            assert_eq!(environment(&read("first")), environment(&read("after")), "{locale}");
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
        ("(cd /usr; true); echo `cd /usr; pwd` | cat", 0),
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
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let now = i64::try_from(now.as_secs()).expect("a time");
    fake.answer(&Change::default(), &[], &[], Some(now + 3600));
    let mut terminal = fake.start("set noclobber");
    typed(&mut terminal, "true");
    assert_eq!(fake.calls(), 1);
    fake.answer(&Change::default(), &[], &[], Some(now));
    typed(&mut terminal, "cd bound");
    assert_eq!(fake.calls(), 2 + 1, "once for the directory, and at the next prompt for the time");
    fake.answer(&Change::default(), &[], &[], None);
    typed(&mut terminal, "true");
    let calls = fake.calls();
    typed(&mut terminal, "true");
    assert_eq!(fake.calls(), calls);
}

#[test]
fn no_process_is_started_at_an_idle_prompt() {
    let Some(fake) = Fake::new() else { return };
    if !has("strace") {
        return;
    }
    fake.answer(&Change::default(), &[], &[], Some(i64::MAX));
    let calls = "trace=fork,vfork,clone,clone3,execve";
    let strace = ["strace", "-f", "-qq", "-e", calls, "-o", &fake.name("trace"), "tcsh"];
    let mut terminal = fake.start_under(&strace, "");
    let trace = || fs::read_to_string(fake.path("trace")).expect("a trace").lines().count();
    let before = trace();
    for _ in 0..1000 {
        terminal.line("");
        terminal.expect("READY");
    }
    assert_eq!(trace(), before);
    typed(&mut terminal, "cd bound");
    assert!(trace() > before, "strace sees them");
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
    let script = include_str!("../shell/hook.tcsh");
    fs::write(fake.path("hook.tcsh"), script.replace("__ALCHEMY__", "alchemy")).expect("written");
    let sourced = fake.run("C", &[], "alias; source hook.tcsh; alias");
    let (evaluated, sourced) = sourced.split_at(sourced.len() / 2);
    assert_eq!(evaluated, sourced);
    let path = Path::new("hook");
    let hook = fs::read_to_string(fake.path("").join(path)).expect("the hook");
    assert!(hook.lines().all(|line| line.ends_with(';')), "{hook}");
}
