//! `use alchemy` in an `.envrc`, in a real direnv: loaded, watched, taken away, under every strictness.
//!
//! `hook-env direnv` is a stand-in here: a script that the test writes.

use std::fs::{self, File};
use std::ops::{Deref, DerefMut};
use std::time::{Duration, SystemTime};

use support::direnv::Direnv;
use support::{Home, write_program};

/// A shell in a home whose `alchemy` is the stand-in.
struct Shell<'h> {
    home: &'h Home,
    direnv: Direnv<'h>,
}

impl<'h> Shell<'h> {
    /// With an `.envrc` that is allowed; none, where direnv is not installed.
    fn new(home: &'h Home, envrc: &str) -> Option<Self> {
        let alchemy = home.path().join("alchemy").display().to_string();
        let function = include_str!("../../shell/use_alchemy.sh").replace("__ALCHEMY__", &alchemy);
        let shell = Self { home, direnv: Direnv::with(home, "", envrc, &function)? };
        shell.touch("stamp", 100);
        Some(shell)
    }

    /// What `alchemy hook-env direnv` does from now on.
    fn alchemy(&self, script: &str) {
        let path = self.home.path().join("alchemy");
        let stamp = self.home.path().join("stamp");
        let script = format!("#!/bin/sh\nSTAMP={}\n{script}\n", stamp.display());
        write_program(&path, &script);
    }

    /// Sets a file's time, in seconds before now.
    fn touch(&self, name: &str, seconds: u64) {
        let path = self.home.path().join(name);
        let file = File::options().create(true).append(true).open(path).expect("opened");
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).expect("its time set");
    }
}

impl<'h> Deref for Shell<'h> {
    type Target = Direnv<'h>;

    fn deref(&self) -> &Direnv<'h> {
        &self.direnv
    }
}

impl DerefMut for Shell<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.direnv
    }
}

const LOADS: &str =
    r#"echo "watch_file $STAMP; unset -v OLD; export TOKEN=hunter2\\ \\'a\\*b; export ARGS='$#:$*';""#;
const FAILS: &str = "echo \"watch_file $STAMP;\"; echo 'alchemy: no session' >&2; exit 1";

#[test]
fn it_loads_and_gives_back() {
    let home = Home::new();
    let Some(mut shell) = Shell::new(&home, "use alchemy prod --profile-only\n") else { return };
    shell.alchemy(LOADS);
    shell.environment.insert("OLD".into(), "before".into());
    shell.prompt();
    assert_eq!(shell.get("TOKEN"), Some("hunter2 'a*b"));
    assert_eq!(shell.get("ARGS"), Some("4:hook-env direnv prod --profile-only"));
    assert_eq!(shell.get("OLD"), None);
    fs::remove_file(shell.home.path().join(".envrc")).expect("removed");
    shell.prompt();
    assert_eq!((shell.get("TOKEN"), shell.get("OLD")), (None, Some("before")));
}

#[test]
fn it_is_loaded_anew_when_the_stamp_has_moved() {
    let home = Home::new();
    let Some(mut shell) = Shell::new(&home, "use alchemy\n") else { return };
    shell.alchemy(LOADS);
    shell.prompt();
    shell.alchemy("echo \"watch_file $STAMP; export TOKEN=fresh;\"");
    shell.prompt();
    assert_eq!(shell.get("TOKEN"), Some("hunter2 'a*b"), "nothing has moved");
    shell.touch("stamp", 99);
    shell.prompt();
    assert_eq!(shell.get("TOKEN"), Some("fresh"));
}

#[test]
fn without_a_session_it_says_one_line_and_waits_for_the_stamp() {
    let home = Home::new();
    let Some(mut shell) = Shell::new(&home, "use alchemy\n") else { return };
    shell.alchemy(FAILS);
    let said = shell.prompt().stderr;
    assert_eq!(said.matches("alchemy: no session").count(), 1, "{said}");
    shell.alchemy(LOADS);
    assert_eq!(shell.prompt().stderr, "", "it is not asked again before something moves");
    shell.touch("stamp", 99);
    shell.prompt();
    assert_eq!(shell.get("TOKEN"), Some("hunter2 'a*b"));
}

/// Of an `.envrc` that fails, direnv takes nothing over, not even what to watch: it has to be told.
#[test]
fn without_a_session_a_strict_envrc_ends_there() {
    for strict in ["set -eu", "strict_env"] {
        let envrc = format!("{strict}\nuse alchemy\necho unreachable\n");
        let home = Home::new();
        let Some(mut shell) = Shell::new(&home, &envrc) else { return };
        shell.alchemy(FAILS);
        let said = shell.prompt().stderr;
        assert_eq!(said.matches("alchemy: no session").count(), 1, "{said}");
        assert!(!said.contains("unreachable"), "{said}");
        shell.alchemy(LOADS);
        shell.touch(".envrc", 99); // `direnv reload`
        shell.prompt();
        assert_eq!(shell.get("TOKEN"), Some("hunter2 'a*b"), "{envrc}");
    }
}

#[test]
fn a_failure_can_be_handled() {
    let home = Home::new();
    let Some(mut shell) = Shell::new(&home, "set -eu\nuse alchemy || export FAILED=$?\n") else { return };
    shell.alchemy(&FAILS.replace("exit 1", "exit 7"));
    shell.prompt();
    assert_eq!(shell.get("FAILED"), Some("7"));
}

#[test]
fn it_is_strict_and_a_trace_shows_no_secret() {
    for envrc in ["set -eux\nuse alchemy\nexport AFTER=$-\n", "strict_env\nuse alchemy\nexport AFTER=$-\n"] {
        let home = Home::new();
        let Some(mut shell) = Shell::new(&home, envrc) else { return };
        shell.alchemy(LOADS);
        let said = shell.prompt().stderr;
        assert_eq!(shell.get("TOKEN"), Some("hunter2 'a*b"));
        assert!(!said.contains("hunter2"), "{said}");
        let traces = envrc.contains("-eux");
        assert_eq!(said.contains("+ export AFTER"), traces, "{said}");
        assert_eq!(shell.get("AFTER").map(|flags| flags.contains('x')), Some(traces));
    }
}

#[test]
fn it_holds_nothing_of_direnv_and_cannot_ask() {
    let home = Home::new();
    let Some(mut shell) = Shell::new(&home, "exec 0<&-\nuse alchemy\n") else { return };
    let script = "(: >&3) 2>/dev/null && echo 'export HELD=3;'; echo \"export READ=$(wc -c);\"";
    shell.alchemy(script);
    shell.prompt();
    assert_eq!((shell.get("HELD"), shell.get("READ")), (None, Some("0")));
}
