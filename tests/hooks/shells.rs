//! What `alchemy env` prints, evaluated by real shells: every value arrives exactly, whatever is in it.
//!
//! A shell that is not installed is skipped in one line; with `ALCHEMY_TEST_NO_SKIP=1` it is a failure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use alchemy::shell::{Format, render};
use clap::ValueEnum;
use support::values::nasty;
use support::{ACME, ALCHEMY, Home, write_program};
use tempfile::TempDir;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shell {
    Bash,
    Dash,
    Zsh,
    Ksh,
    Mksh,
    Fish,
    Tcsh,
    Nu,
    Elvish,
}

use Shell::{Bash, Dash, Elvish, Fish, Ksh, Mksh, Nu, Tcsh, Zsh};

const POSIX: [Shell; 5] = [Bash, Dash, Zsh, Ksh, Mksh];

/// Every shell with each format that is meant for it.
const READERS: [(Shell, Format); 10] = [
    (Bash, Format::Sh),
    (Dash, Format::Sh),
    (Zsh, Format::Sh),
    (Ksh, Format::Sh),
    (Mksh, Format::Sh),
    (Fish, Format::Sh),
    (Fish, Format::Fish),
    (Tcsh, Format::Tcsh),
    (Nu, Format::Nu),
    (Elvish, Format::Elvish),
];

impl Shell {
    /// The program and the options before a script, so that no one's configuration is read.
    fn command(self) -> Vec<&'static str> {
        match self {
            Bash => vec!["bash", "--norc", "--noprofile", "-c"],
            Dash => vec!["dash", "-c"],
            Zsh => vec!["zsh", "-f", "-c"],
            Ksh => vec!["ksh", "-c"],
            Mksh => vec!["mksh", "-c"],
            Fish => vec!["fish", "-c"],
            Tcsh => vec!["tcsh", "-f", "-c"],
            Nu => vec!["nu", "--no-config-file", "-c"],
            Elvish => vec!["elvish", "-norc", "-c"],
        }
    }

    /// What people type, unquoted, to take over the environment that `command` prints.
    fn eval(self, command: &str) -> String {
        match self {
            Tcsh => format!("eval `{command}`\n"),
            Nu => format!("source '{}'\nalchemy-env\n", script("env.nu").display()),
            Elvish => {
                let definition = std::fs::read_to_string(script("env.elv")).expect("env.elv");
                format!("{definition}\nalchemy-env\n")
            }
            _ => format!("eval $({command})\n"),
        }
    }

    /// The program `env`, where the shell has something of its own by that name.
    fn env(self) -> &'static str {
        if self == Nu { "^env" } else { "env" }
    }

    fn is_installed(self) -> bool {
        let program = self.command()[0];
        let installed = Command::new(program).arg("--version").output().is_ok();
        if !installed {
            assert!(std::env::var_os("ALCHEMY_TEST_NO_SKIP").is_none(), "{program} is not installed");
            eprintln!("skipped: {program} is not installed");
        }
        installed
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("shell").join(name)
}

/// The environment of a program that `shell` starts after it has evaluated the output of `command`.
///
/// `before` runs first, in the same shell. It starts in `dir`, with only `env`, `PATH` and a home of
/// its own. Anything on standard error, and any status but 0, is a failure.
fn eval_in(
    shell: Shell,
    before: &str,
    command: &str,
    dir: &Path,
    env: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let script = format!("{before}{}{} -0\n", shell.eval(command), shell.env());
    let Output { status, stdout, stderr } = run(shell, &script, command, dir, env);
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success() && stderr.is_empty(), "{shell:?}: {status}: {stderr}");
    let text = String::from_utf8(stdout).expect("UTF-8");
    let pairs = text.split_terminator('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Runs a script in a shell. The loaders of Nu and Elvish find `command` under the name `alchemy`.
fn run(shell: Shell, script: &str, command: &str, dir: &Path, env: &[(&str, &str)]) -> Output {
    let home = TempDir::new().expect("a home");
    let alchemy = home.path().join("alchemy");
    write_program(&alchemy, &format!("#!/bin/sh\n{command}\n"));
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").expect("PATH"));
    let [program, options @ ..] = &*shell.command() else { unreachable!("a shell is a program") };
    Command::new(program)
        .args(options)
        .arg(script)
        .env_clear()
        .env("PATH", path)
        .env("HOME", home.path())
        .env("LC_ALL", "C.UTF-8")
        .envs(env.iter().copied())
        .current_dir(dir)
        .output()
        .expect("a shell")
}

/// A rendered text in a file of its own, and the command that prints it.
struct Printed {
    _dir: TempDir,
    command: String,
}

fn printed(format: Format, set: &[(&str, &str)], unset: &[&str]) -> Printed {
    let dir = TempDir::new().expect("a directory");
    let file = dir.path().join("text");
    std::fs::write(&file, render(format, set, unset).expect("rendered").as_bytes()).expect("written");
    Printed { command: format!("cat {}", file.display()), _dir: dir }
}

fn numbered(values: &[String]) -> Vec<(String, String)> {
    values.iter().enumerate().map(|(i, value)| (format!("NASTY_{i}"), value.clone())).collect()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (&**name, &**value)).collect()
}

/// A directory where most patterns match something.
fn matching_files() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    for name in
        ["a", "b", "c", "ab", "a b", "x61", "export", "*", "?", "[ab]", "~", "{a,b}", "-n", "é", "NASTY_1"]
    {
        std::fs::write(dir.path().join(name), "").expect("written");
    }
    dir
}

fn assert_same(shell: Shell, seen: &BTreeMap<String, String>, expected: &[(String, String)]) {
    let wrong: Vec<_> = expected.iter().filter(|(name, value)| seen.get(name) != Some(value)).collect();
    for (name, value) in &wrong {
        eprintln!("{shell:?}: {value:?} became {:?}", seen.get(name));
    }
    assert!(wrong.is_empty(), "{shell:?}: {} of {} values are wrong", wrong.len(), expected.len());
}

#[test]
fn every_value_arrives_exactly_in_every_shell() {
    let dir = matching_files();
    let mut values = nasty();
    for (shell, format) in READERS.into_iter().filter(|(shell, _)| shell.is_installed()) {
        if matches!(format, Format::Nu | Format::Elvish) {
            values.extend(["two\nlines\n", "\ttab", "\r\n", "\u{1b}[31m", "\u{85}"].map(str::to_owned));
        }
        // In portions: tcsh misreads more than 8 KiB that are not all ASCII when its locale is C.
        for expected in numbered(&values).chunks(100) {
            let printed = printed(format, &borrowed(expected), &[]);
            for locale in ["C.UTF-8", "C"] {
                let env = [("LC_ALL", locale), ("NASTY_2", "set before")];
                let seen = eval_in(shell, "", &printed.command, dir.path(), &env);
                assert_same(shell, &seen, expected);
            }
        }
    }
}

#[test]
fn a_value_arrives_exactly_as_the_last_one_too() {
    let dir = matching_files();
    for (shell, format) in READERS.into_iter().filter(|(shell, _)| shell.is_installed()) {
        for value in ["", " ", "a ", "\\", "a\\ ", "{", "a{b,c} ", "#", "&", "*"] {
            let printed = printed(format, &[("FIRST", "1"), ("LAST", value)], &["ABSENT"]);
            let seen = eval_in(shell, "", &printed.command, dir.path(), &[]);
            assert_eq!(seen.get("LAST").map(String::as_str), Some(value), "{shell:?}");
        }
    }
}

#[test]
fn what_the_binary_prints_arrives_exactly_and_goes_away_again() {
    let dir = matching_files();
    let home = Home::new();
    let key = "k  e   y'\"$HOME`id`$(id)*?[ab]~{a,b};#&|<>()!\\ é日本 \\";
    let email = "o'br  ien \"x\" $PATH `*;#\\ü@example.com";
    home.key_profile("legacy", key, email);
    let path = home.path().to_string_lossy().into_owned();
    for (shell, format) in READERS.into_iter().filter(|(shell, _)| shell.is_installed()) {
        let name = format.to_possible_value().expect("a name").get_name().to_owned();
        let env = [("HOME", path.as_str()), ("CLOUDFLARE_API_TOKEN", "old"), ("CF_API_KEY", "old")];
        let seen = eval_in(shell, "", &format!("{ALCHEMY} env legacy --format {name}"), dir.path(), &env);
        let expected = [
            ("CLOUDFLARE_API_KEY", Some(key)),
            ("CLOUDFLARE_EMAIL", Some(email)),
            ("CLOUDFLARE_ACCOUNT_ID", Some(ACME)),
            ("ALCHEMY_PROFILE", Some("legacy")),
            ("CLOUDFLARE_API_TOKEN", None),
            ("CF_API_KEY", None),
        ];
        for (name, value) in expected {
            assert_eq!(seen.get(name).map(String::as_str), value, "{shell:?} {name}");
        }
        let env = [
            ("HOME", path.as_str()),
            ("CLOUDFLARE_API_KEY", key),
            ("CLOUDFLARE_EMAIL", email),
            ("OTHER", "1"),
        ];
        let seen = eval_in(shell, "", &format!("{ALCHEMY} env --unset --format {name}"), dir.path(), &env);
        assert!(!seen.keys().any(|name| name.starts_with("CLOUDFLARE_")), "{shell:?}: {:?}", seen.keys());
        assert_eq!(seen.get("OTHER").map(String::as_str), Some("1"), "{shell:?}");
    }
}

#[test]
fn variables_are_unset_whether_or_not_they_were_set() {
    let dir = matching_files();
    for (shell, format) in READERS.into_iter().filter(|(shell, _)| shell.is_installed()) {
        for set in [&[][..], &[("NEW", "1"), ("BOTH", "new")]] {
            let printed = printed(format, set, &["OLD", "ABSENT", "BOTH"]);
            let env = [("OLD", "1"), ("BOTH", "old"), ("OTHER", "kept")];
            let seen = eval_in(shell, "", &printed.command, dir.path(), &env);
            assert_eq!(seen.get("OTHER").map(String::as_str), Some("kept"), "{shell:?}");
            for name in ["OLD", "ABSENT", "NEW", "BOTH"] {
                let expected = set.iter().find(|(set, _)| *set == name).map(|(_, value)| *value);
                assert_eq!(seen.get(name).map(String::as_str), expected, "{shell:?}: {name}");
            }
        }
    }
}

#[test]
fn scripts_stay_strict() {
    let dir = matching_files();
    let expected = numbered(&nasty());
    for shell in POSIX.into_iter().filter(|shell| shell.is_installed()) {
        let printed = printed(Format::Sh, &borrowed(&expected), &["OLD", "ABSENT"]);
        let pipefail = if shell == Dash { "" } else { "set -o pipefail\n" };
        let before = format!("set -eu\n{pipefail}BEFORE=$-$(set +o)\n");
        let command = &printed.command;
        let seen = eval_in(shell, &before, command, dir.path(), &[("OLD", "1")]);
        assert_same(shell, &seen, &expected);
        assert_eq!(seen.get("OLD"), None, "{shell:?}");

        let check = "test \"$BEFORE\" = \"$-$(set +o)\" || exit 99\nfalse\necho survived\n";
        let script = format!("{before}{}{check}", shell.eval(command));
        let output = run(shell, &script, command, dir.path(), &[("OLD", "1")]);
        assert_eq!(
            (output.status.code(), &*output.stdout, &*output.stderr),
            (Some(1), &b""[..], &b""[..]),
            "{shell:?}"
        );
    }
}

#[test]
fn the_quoted_eval_and_the_common_options_read_the_same() {
    let dir = matching_files();
    let expected = numbered(&nasty());
    let printed = printed(Format::Sh, &borrowed(&expected), &["OLD"]);
    let text = format!("\"$({})\"", printed.command);
    for (shell, before) in [
        (Bash, "shopt -s nullglob extglob dotglob\n"),
        (Bash, "shopt -s failglob\n"),
        (Bash, "set -o posix\n"),
        (Bash, "IFS='\n\t'\n"),
        (Zsh, "setopt shwordsplit\n"),
        (Zsh, "emulate sh\n"),
        (Zsh, "emulate ksh\n"),
        (Ksh, "set -f\n"),
        (Mksh, "set -o posix\n"),
    ] {
        if shell.is_installed() {
            let seen = eval_in(shell, before, &printed.command, dir.path(), &[("OLD", "1")]);
            assert_same(shell, &seen, &expected);
        }
    }
    for shell in POSIX.into_iter().chain([Fish]).filter(|shell| shell.is_installed()) {
        let before = format!("eval {text}\n");
        let seen = eval_in(shell, &before, "true", dir.path(), &[("OLD", "1")]);
        assert_same(shell, &seen, &expected);
        assert_eq!(seen.get("OLD"), None, "{shell:?}");
    }
}

#[test]
fn a_universal_variable_of_fish_is_covered_and_not_deleted() {
    if !Fish.is_installed() {
        return;
    }
    let dir = TempDir::new().expect("a directory");
    for format in [Format::Sh, Format::Fish] {
        let printed = printed(format, &[], &["OLD"]);
        let before = "set -Ux OLD mine\nset -l n kept\n";
        let how = if format == Format::Sh {
            Fish.eval(&printed.command)
        } else {
            format!("{} | source\n", printed.command)
        };
        let script = format!("{before}{how}env | string match 'OLD=*'\nset -e -g OLD\necho $OLD $n\n");
        for env in [&[("OLD", "inherited")][..], &[]] {
            let output = run(Fish, &script, "", dir.path(), env);
            assert_eq!(String::from_utf8_lossy(&output.stdout), "OLD=\nmine kept\n", "{format:?}");
            assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
}

#[test]
fn the_loaders_hand_on_their_arguments_and_change_nothing_when_alchemy_fails() {
    let dir = TempDir::new().expect("a directory");
    for (shell, format) in [(Nu, "nu"), (Elvish, "elvish")] {
        if !shell.is_installed() {
            continue;
        }
        let load = shell.eval("");
        let command = r#"printf '{"set":{"ARGS":"%s"},"unset":["OLD"]}' "$*""#;
        let called = load.replace("\nalchemy-env\n", "\nalchemy-env prod --unset -v\n");
        let script = format!("{called}{}\n", shell.env());
        let output = run(shell, &script, command, dir.path(), &[("OLD", "1")]);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&format!("ARGS=env --format {format} prod --unset -v\n")), "{shell:?}: {text}");
        assert!(!text.contains("OLD="), "{shell:?}: {text}");

        let script = format!("{load}echo survived\n");
        let failing = "echo 'error: no profile' >&2; exit 1";
        let output = run(shell, &script, failing, dir.path(), &[]);
        assert!(!output.status.success() && output.stdout.is_empty(), "{shell:?}: {output:?}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.starts_with("error: no profile\n"), "{shell:?}: {stderr}");
    }
}

#[test]
fn a_dotenv_file_reads_the_same_in_bash_and_node() {
    let mut expected = numbered(&nasty());
    expected.retain(|(name, value)| render(Format::Dotenv, &[(name, value)], &[]).is_ok());
    assert!(expected.len() > 300, "{} values fit", expected.len());
    let file = TempDir::new().expect("a directory");
    let path = file.path().join(".env");
    let text = render(Format::Dotenv, &borrowed(&expected), &[]).expect("rendered");
    std::fs::write(&path, text.as_bytes()).expect("written");

    let seen = eval_in(Bash, &format!("set -a\n. '{}'\n", path.display()), "true", file.path(), &[]);
    assert_same(Bash, &seen, &expected);

    let json = "console.log(JSON.stringify(process.env))";
    let node = Command::new("node").arg(format!("--env-file={}", path.display())).args(["-e", json]).output();
    let Ok(output) = node else {
        assert!(std::env::var_os("ALCHEMY_TEST_NO_SKIP").is_none(), "node is not installed");
        eprintln!("skipped: node is not installed");
        return;
    };
    let seen: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).expect("JSON");
    for (name, value) in &expected {
        assert_eq!(seen.get(name), Some(value), "node");
    }
}
