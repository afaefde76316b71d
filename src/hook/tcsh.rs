//! What `hook-env` prints for tcsh: the statements that change the environment, for `shell/hook.tcsh`.
//!
//! csh has no functions that a short script could call, so everything is spelled out, on one line, which
//! the hook evaluates as ``eval "`…`"``: in those quotes nothing is split or expanded before it is read.
//!
//! Two things shape the statements. A variable that is not set is an error wherever it is named, even
//! behind a false `if`, but not in the words of an `eval`. And an error in `precmd` makes tcsh drop the alias:
//! no statement may fail.
//!
//! The table of what to give back is in variables of the shell, which programs do not get:
//! `__alchemy_was_NAME` and `__alchemy_ours_NAME`, each `(yes VALUE)`, or `(no "")` for a variable that
//! is not set. Only its names are known here: they are an argument of the next call (`--table`).

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::shell::quote::{self, Text};

/// What changes in the environment, in this order.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change<'a> {
    /// Variables that another shell set: what they hold now is ours, and there is nothing to give back.
    pub adopt: &'a [&'a str],
    /// Whether what is in the table is given back.
    pub leave: bool,
    pub set: &'a [(&'a str, &'a str)],
    /// Variables to take away; one that is in neither the environment nor the table needs nothing.
    pub unset: &'a [&'a str],
}

/// What the shell has to know until the next call.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcshState<'a> {
    /// For the next call's `--active`.
    pub active: &'a str,
    /// For its `--told`.
    pub told: &'a str,
    /// The files to watch, each with its time of change in seconds, 0 for a missing one.
    pub files: [(&'a str, i64); 2],
    /// The time of the next call, in seconds since the epoch.
    pub until: Option<i64>,
    /// The time now, in seconds since the epoch.
    pub now: i64,
}

/// `shell/hook.tcsh` as `alchemy hook` prints it: the lines that are statements.
pub fn without_comments(script: &str) -> String {
    let lines = script.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The statements, as one line that ends in a newline, and wiped when it is dropped as it has secrets.
///
/// `table` has the names of the last call's `--table`: none, where that is out of force. `is_set` says
/// whether a variable is in the shell's environment now, which is the one that `hook-env` has.
///
/// For a value or a path with a control character, which csh cannot quote. It names the variable only.
pub fn statements(
    change: &Change,
    table: &[&str],
    is_set: impl Fn(&str) -> bool,
    state: &TcshState,
) -> Result<Zeroizing<String>> {
    if let Some((name, _)) = change.set.iter().find(|(_, value)| value.contains(char::is_control)) {
        return Err(Error::new(format!("cannot set {name} in tcsh: its value holds a control character")));
    }
    let [(generation, _), (pin, _)] = state.files;
    if [state.active, state.told, generation, pin].concat().contains(char::is_control) {
        return Err(Error::new("a path holds a control character, which tcsh cannot take"));
    }

    let mut out = Text::default();
    let mut names: Vec<&str> = if change.adopt.is_empty() { table.to_vec() } else { Vec::new() };
    if names.is_empty() {
        forget(&mut out);
    }
    for name in change.adopt.iter().filter(|name| is_set(name)) {
        look(&mut out, name);
        out.push_statement(&["set __alchemy_was_", name, "=(no \"\");"]);
        out.push_statement(&["set __alchemy_ours_", name, "=($__alchemy_now[1] \"$__alchemy_now[2]:q\");"]);
        names.push(name);
    }
    // What is given back now is in the environment after all.
    let may_be_set: Vec<&str> = names.clone();
    if change.leave {
        for name in names.drain(..) {
            give_back(&mut out, name);
        }
        forget(&mut out);
    }
    for (name, value) in change.set {
        enter(&mut out, name, &mut names);
        out.push_statement(&["set __alchemy_new=(yes "]);
        word(&mut out, value);
        out.push(");");
        when_ours(&mut out, name, &["setenv ", name, r#" "$__alchemy_new[2]:q""#]);
    }
    for name in change.unset {
        if names.contains(name) || may_be_set.contains(name) || is_set(name) {
            enter(&mut out, name, &mut names);
            out.push_statement(&["set __alchemy_new=(no \"\");"]);
            when_ours(&mut out, name, &["unsetenv ", name]);
        }
    }
    out.push_statement(&["unset __alchemy_now __alchemy_new;"]);
    remember(&mut out, state, &names);
    Ok(out.finish())
}

/// A value as one word.
fn word(out: &mut Text, value: &str) {
    if value.is_empty() {
        out.push("\"\"");
    }
    quote::backslashed(out, value);
}

/// Drops the table.
fn forget(out: &mut Text) {
    out.push_statement(&["unset __alchemy_was_* __alchemy_ours_*;"]);
}

/// Sets `__alchemy_now` to what the variable is now.
fn look(out: &mut Text, name: &str) {
    out.push_statement(&["set __alchemy_now=(no \"\");"]);
    out.push_statement(&["if ($?", name, ") eval 'set __alchemy_now=(yes \"$", name, ":q\")';"]);
}

/// What is written for "the variable still is what we made it", after [`look`].
fn is_ours(name: &str) -> [&str; 3] {
    ["if (\"$__alchemy_now:q\" == \"$__alchemy_ours_", name, ":q\")"]
}

/// Puts the variable back to what it was, if it still is what we made it.
fn give_back(out: &mut Text, name: &str) {
    look(out, name);
    out.push_statement(&is_ours(name));
    out.push_all(&[" set __alchemy_now=(ours $__alchemy_was_", name, "[1]);"]);
    out.push_statement(&["if (\"$__alchemy_now:q\" == \"ours yes\") setenv ", name]);
    out.push_all(&[" \"$__alchemy_was_", name, "[2]:q\";"]);
    out.push_statement(&["if (\"$__alchemy_now:q\" == \"ours no\") unsetenv ", name, ";"]);
}

/// Puts the variable into the table as it is now, unless it is there.
fn enter<'a>(out: &mut Text, name: &'a str, names: &mut Vec<&'a str>) {
    look(out, name);
    if !names.contains(&name) {
        for saved in ["was", "ours"] {
            out.push_statement(&[
                "set __alchemy_",
                saved,
                "_",
                name,
                "=($__alchemy_now[1] \"$__alchemy_now[2]:q\");",
            ]);
        }
        names.push(name);
    }
}

/// Makes the variable `__alchemy_new`, by a statement, if it is ours to change.
fn when_ours(out: &mut Text, name: &str, statement: &[&str]) {
    out.push_statement(&is_ours(name));
    out.push_all(&[" eval 'set __alchemy_ours_", name, r#"=($__alchemy_new[1] "$__alchemy_new[2]:q"); "#]);
    out.push_all(statement);
    out.push("';");
}

fn remember(out: &mut Text, state: &TcshState, names: &[&str]) {
    out.push_statement(&["set __alchemy_files=("]);
    for (path, modified) in state.files {
        word(out, path);
        // tcsh's `-M` says -1.
        let modified = if modified == 0 { -1 } else { modified };
        out.push_all(&[" ", &modified.to_string(), " "]);
    }
    out.push(");");
    let table = names.join(",");
    for (name, value) in [("active", state.active), ("told", state.told), ("table", &table)] {
        out.push_statement(&["set __alchemy_", name, "="]);
        word(out, value);
        out.push(";");
    }
    if let Some(until) = state.until {
        remind(out, until, state.now);
    }
}

/// Has tcsh say when it is time for the next call, unless it is going to say so earlier anyway.
///
/// `sched +h:mm` counts from the beginning of this minute and is due the second after (`tc.sched.c`), so
/// what it can do is the last whole minute before. In what is left from there, each prompt makes a call.
fn remind(out: &mut Text, until: i64, now: i64) {
    let minute = now - now.rem_euclid(60);
    let minutes = ((until - 1 - minute) / 60).min(23 * 60 + 59);
    if minutes < 1 {
        return out.push_statement(&["set __alchemy_due=1;"]);
    }
    let alarm = (minute + 60 * minutes).to_string();
    let delay = format!("{}:{:02}", minutes / 60, minutes % 60);
    out.push_statement(&["if (! $__alchemy_alarm || $__alchemy_alarm > ", &alarm, ") eval '"]);
    out.push_all(&["set __alchemy_alarm=", &alarm, "; "]);
    out.push_all(&["sched +", &delay, " set __alchemy_due=1 __alchemy_alarm=0';"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(change: &Change, table: &[&str], environment: &[&str]) -> String {
        let state =
            TcshState { active: "/a b:prod", told: "", files: [("/g", 7), ("", 0)], until: None, now: 0 };
        statements(change, table, |name| environment.contains(&name), &state).expect("text").to_string()
    }

    #[test]
    fn what_is_to_be_remembered_ends_the_line() {
        let expected = r#"unset __alchemy_was_* __alchemy_ours_*; unset __alchemy_now __alchemy_new; set __alchemy_files=(/g 7 "" -1 ); set __alchemy_active=/a\ b:prod; set __alchemy_told=""; set __alchemy_table="";"#;
        assert_eq!(text(&Change::default(), &[], &[]), format!("{expected}\n"));
    }

    #[test]
    fn the_table_has_what_was_changed() {
        let set = [("A", "1"), ("B", "")];
        for (change, table, environment, expected) in [
            (Change { set: &set, unset: &["C", "D"], ..Change::default() }, &[][..], &["C"][..], "A,B,C"),
            (Change { set: &set, unset: &["C", "D"], ..Change::default() }, &["D", "A"], &[], "D,A,B"),
            (Change { leave: true, ..Change::default() }, &["A", "B"], &["A"], "\"\""),
            (
                Change { leave: true, set: &set, unset: &["C", "D"], ..Change::default() },
                &["A", "C"],
                &[],
                "A,B,C",
            ),
            (Change { adopt: &["A", "B"], ..Change::default() }, &["C"], &["B"], "B"),
            (Change { adopt: &["A"], leave: true, set: &set, ..Change::default() }, &[], &["A"], "A,B"),
        ] {
            let text = text(&change, table, environment);
            assert!(text.ends_with(&format!(" set __alchemy_table={expected};\n")), "{text}");
            assert_eq!(text.lines().count(), 1);
        }
    }

    #[test]
    fn the_alarm_is_in_the_last_whole_minute_before_the_time() {
        for (until, now, alarm, delay) in [
            (7261, 3600, 7260, "1:01"),
            (7261, 3659, 7260, "1:01"),
            (7260, 3600, 7200, "1:00"),
            (3700, 3659, 3660, "0:01"),
            (i64::MAX, 3600, 3600 + 86340, "23:59"),
        ] {
            let mut out = Text::default();
            remind(&mut out, until, now);
            let text = out.finish();
            assert!(text.contains(&format!(" > {alarm}) ")), "{}", *text);
            assert!(text.contains(&format!("={alarm}; sched +{delay} ")), "{}", *text);
        }
        for until in [3660, 3600, 10] {
            let mut out = Text::default();
            remind(&mut out, until, 3659);
            assert_eq!(*out.finish(), "set __alchemy_due=1;\n");
        }
    }

    #[test]
    fn what_csh_cannot_quote_is_an_error_without_the_value() {
        let state = TcshState::default();
        let change = Change { set: &[("TOKEN", "hunter2\n")], ..Change::default() };
        let error = statements(&change, &[], |_| false, &state).expect_err("refused");
        assert!(
            error.to_string().contains("TOKEN") && !format!("{error:?}").contains("hunter2"),
            "{error:?}"
        );
        let state = TcshState { active: "/two\nlines:prod", ..TcshState::default() };
        statements(&Change::default(), &[], |_| false, &state).expect_err("refused");
    }
}
