//! The hooks of bash and zsh in shells where something is in the way: traps that see every command, variables
//! that cannot be changed, files that are not what they were.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use support::bound::{given, home, ours, tell, tell_to};
use support::hooked::{Bash, Fish, Hooked, Nu, Shell, Zsh};
use support::online::SECRET;
use support::{ALCHEMY, Home, run};

#[test]
fn a_trap_that_sees_every_command_sees_no_secret() {
    let traps = [
        (Bash, "set -T; trap 'printf %s\\\\n \"$BASH_COMMAND\" >>LOG' DEBUG"),
        (Bash, "shopt -s extdebug; trap 'printf %s\\\\n \"$BASH_COMMAND\" >>LOG' DEBUG"),
        (Zsh, "trap 'print -r -- \"$ZSH_DEBUG_CMD\" >>LOG' DEBUG"),
        (Zsh, "TRAPDEBUG() { print -r -- \"$ZSH_DEBUG_CMD\" >>LOG }"),
    ];
    for (shell, trap) in traps {
        tell_to(&[shell], |shell| {
            let home = home();
            let log = home.path().join("log");
            let mut sh = Hooked::start_with(shell, &home, "", &[("CF_API_KEY", "old-hunter2")]);
            sh.line(&trap.replace("LOG", &log.display().to_string()));
            for directory in ["acme", "beta", "elsewhere", "acme"] {
                sh.cd(directory);
            }
            assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
            sh.cd("elsewhere");
            sh.environment();
            sh.exit();
            let seen = fs::read_to_string(&log).expect("a log");
            assert!(!seen.contains(SECRET), "{shell:?}, {trap}:\n{seen}");
            // It is there after the hook as before. (A function is seen twice, when it is called and when it begins.)
            let each = if shell == Bash { 2 } else { 1 };
            assert_eq!(seen.matches("cd '").count(), 5 * each, "{shell:?}, {trap}:\n{seen}");
        });
    }
}

#[test]
fn where_unset_variables_are_errors_there_is_none() {
    tell_to(&[Bash, Zsh], |shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.line("unset SECONDS; set -u");
        sh.cd("acme");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        sh.cd("elsewhere");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        let shown = sh.exit();
        assert!(!shown.contains("unbound") && !shown.contains("not set"), "{shell:?}: {shown}");
    });
}

/// What stands before the hook has one variable be one that cannot be changed: nothing of ours is set anywhere then.
#[track_caller]
fn nothing_is_changed(shell: Shell, before: &str) {
    let home = home();
    let mut sh = Hooked::start_with(shell, &home, before, &[]);
    let first = sh.environment();
    for directory in ["acme", "elsewhere"] {
        sh.cd(directory);
        assert_eq!(sh.environment(), first, "{shell:?}, {before}, {directory}");
    }
    let said = sh.said();
    assert!(
        matches!(&said[..], [_, line] if line.ends_with("cannot be changed in this shell, so nothing is")),
        "{shell:?}, {before}: {said:?}"
    );
    sh.exit();
}

#[test]
fn where_one_variable_cannot_be_changed_none_is() {
    let variables = [
        "readonly CLOUDFLARE_ACCOUNT_ID=mine",
        "readonly CLOUDFLARE_API_BASE_URL=https://api.example.com; export CLOUDFLARE_API_BASE_URL",
        "readonly CF_API_TOKEN=mine-hunter2; export CF_API_TOKEN",
        "typeset -i CLOUDFLARE_ACCOUNT_ID=5",
        "typeset -u CLOUDFLARE_API_TOKEN=MINE; export CLOUDFLARE_API_TOKEN",
    ];
    for variable in variables {
        for before in [variable.to_owned(), format!("{variable}; set -e")] {
            tell_to(&[Bash, Zsh], |shell| nothing_is_changed(shell, &before));
        }
    }
}

#[test]
fn where_one_variable_is_declared_and_cannot_be_changed_none_is() {
    for name in ["CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN", "ALCHEMY_PROFILE", "ALCHEMY_ACTIVE"] {
        for declaration in ["readonly", "typeset -i", "typeset -a", "typeset -A", "typeset -u"] {
            tell_to(&[Bash, Zsh], |shell| nothing_is_changed(shell, &format!("{declaration} {name}")));
        }
        tell_to(&[Zsh], |shell| {
            nothing_is_changed(shell, &format!("setopt typeset_to_unset; readonly {name}"));
        });
        tell_to(&[Bash], |shell| nothing_is_changed(shell, &format!("typeset -n {name}")));
    }
}

#[test]
fn what_is_exported_without_a_value_is_so_again() {
    tell_to(&[Bash], |shell| {
        let home = home();
        let mut sh = Hooked::start_with(shell, &home, "export CLOUDFLARE_API_TOKEN", &[]);
        sh.cd("acme");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"));
        sh.cd("elsewhere");
        assert!(ours(&sh.environment()).is_empty());
        sh.line("declare -p CLOUDFLARE_API_TOKEN; CLOUDFLARE_API_TOKEN=mine-hunter2");
        sh.terminal.expect("declare -x CLOUDFLARE_API_TOKEN\n");
        assert_eq!(sh.environment()["CLOUDFLARE_API_TOKEN"], "mine-hunter2");
        sh.exit();
    });
}

/// As hardened systems have it, which log commands by it.
#[test]
fn where_prompt_command_is_read_only_cd_counts_all_the_same() {
    let variables = ["readonly PROMPT_COMMAND='echo p >>~/log'", "readonly PROMPT_COMMAND=_direnv_hook"];
    for variable in variables {
        tell_to(&[Bash], |shell| {
            let home = home();
            let before = format!("_direnv_hook() {{ :; }}; set -a; {variable}");
            let mut sh = Hooked::start_among(shell, &home, &before, "READ=on", &[]);
            assert_eq!(sh.environment().get("READ").map(String::as_str), Some("on"), "what follows is read");
            let said = sh.said();
            assert!(matches!(&said[..], [line] if line.contains("PROMPT_COMMAND is read-only")), "{said:?}");
            sh.cd("acme");
            assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{variable}");
            sh.cd("elsewhere");
            assert!(ours(&sh.environment()).is_empty(), "{variable}");
            let shown = sh.exit();
            assert!(!shown.contains("readonly"), "{variable}: {shown}");
        });
    }
}

#[test]
fn nothing_of_the_hook_is_exported_where_all_is_when_it_is_read() {
    tell_to(&[Bash, Zsh], |shell| {
        let home = home();
        let mut sh = Hooked::start_with(shell, &home, "set -a", &[]);
        sh.cd("acme");
        let seen = sh.environment();
        let state: Vec<_> = seen.keys().filter(|name| name.contains("__alchemy")).collect();
        assert!(state.is_empty(), "{shell:?}: {state:?}");
        sh.line("SINCE=exported");
        sh.nested();
        sh.cd("elsewhere");
        let seen = sh.environment();
        assert!(ours(&seen).is_empty() && seen["SINCE"] == "exported", "{shell:?}: {:?}", ours(&seen));
        sh.unnested();
        sh.exit();
    });
}

/// Puts something at a path that is no file to be read at a prompt.
type Puts = fn(&Path);

const NO_FILES: [(&str, Puts); 5] = [
    ("a FIFO", |path| mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO")),
    ("a link to a FIFO", |path| {
        let fifo = path.with_extension("fifo");
        mkfifo(&fifo, Mode::S_IRUSR | Mode::S_IWUSR).expect("a FIFO");
        symlink(fifo, path).expect("a link");
    }),
    ("a folder", |path| fs::create_dir(path).expect("a folder")),
    ("a socket", |path| drop(UnixListener::bind(path).expect("a socket"))),
    ("an endless device", |path| symlink("/dev/zero", path).expect("a link")),
];

/// What is watched becomes each of these while the shell is there.
fn no_prompt_waits_for(watched: impl Fn(&Home) -> PathBuf + Sync) {
    tell(|shell| {
        for (what, put) in NO_FILES {
            let home = home();
            fs::write(home.path().join("acme/.alchemy.toml"), "").expect("written");
            let mut sh = Hooked::start(shell, &home);
            sh.cd("acme");
            assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
            let path = watched(&home);
            sh.while_it_waits(|| {
                fs::remove_file(&path).expect("removed");
                put(&path);
            });
            sh.line("");
            sh.environment();
            sh.cd("elsewhere");
            assert!(ours(&sh.environment()).is_empty(), "{shell:?}: {what}");
            sh.exit();
        }
    });
}

#[test]
fn a_project_file_that_is_no_file_any_more_holds_no_prompt() {
    no_prompt_waits_for(|home| home.path().join("acme/.alchemy.toml"));
}

#[test]
fn a_generation_file_that_is_no_file_any_more_holds_no_prompt() {
    no_prompt_waits_for(|home| home.alchemy("generation"));
}

/// Else a shell would keep the credential of before, and nobody be told.
#[test]
fn a_generation_file_that_cannot_be_written_makes_way() {
    tell_to(&[Bash, Zsh, Fish], |shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.cd("acme");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        let file = home.alchemy("generation");
        if geteuid().is_root() {
            chown(file, Some(12345), Some(12345)).expect("given away");
        } else {
            fs::set_permissions(file, Permissions::from_mode(0o0)).expect("its mode");
        }
        sh.line(&format!("{ALCHEMY} use beta ."));
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "beta"), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_project_file_that_has_become_large_is_seen_to_have_changed() {
    tell_to(&[Bash, Zsh, Fish, Nu], |shell| {
        let home = home();
        let pin = home.path().join("acme/.alchemy.toml");
        fs::write(&pin, "#").expect("written");
        let mut sh = Hooked::start(shell, &home);
        sh.cd("acme");
        sh.environment();
        fs::write(&pin, vec![b'#'; 16 << 20]).expect("written");
        sh.line("");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_pin_file_that_no_shell_reads_as_it_is_is_not_watched() {
    let home = home();
    let watches = |home: &Home, directory: &Path| {
        let mut command = home.command(ALCHEMY);
        command.args(["hook-env", "nu"]).current_dir(directory);
        let state: serde_json::Value =
            serde_json::from_str(&run(&mut command).expect_code(0).stdout).expect("JSON");
        state["state"]["pinFile"].as_str().expect("text").to_owned()
    };
    let directory = home.path().canonicalize().expect("real").join("elsewhere");
    let pin = directory.join(".alchemy.toml");
    fs::write(&pin, "# plain\n").expect("written");
    assert_eq!(watches(&home, &directory), pin.display().to_string());
    for odd in [&b"# \xff\n"[..], b"# \0\n"] {
        fs::write(&pin, odd).expect("written");
        assert_eq!(watches(&home, &directory), "");
    }
}
