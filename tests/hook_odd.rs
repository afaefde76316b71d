//! The hooks of bash and zsh in shells where something is in the way: traps that see every command, variables
//! that cannot be changed, files that are not what they were.

mod support;

use std::fs;
use std::path::Path;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use support::bound::{given, home, ours, tell_to};
use support::hooked::{Bash, Hooked, Zsh};
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
            tell_to(&[Bash, Zsh], |shell| {
                let home = home();
                let mut sh = Hooked::start_with(shell, &home, &before, &[]);
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
            });
        }
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

#[test]
fn a_pin_file_that_becomes_a_fifo_holds_no_prompt() {
    tell_to(&[Bash, Zsh], |shell| {
        let home = home();
        let pin = home.path().join("acme/.alchemy.toml");
        fs::write(&pin, "").expect("written");
        let mut sh = Hooked::start(shell, &home);
        sh.cd("acme");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        fs::remove_file(&pin).expect("removed");
        mkfifo(&pin, Mode::S_IRUSR).expect("a fifo");
        sh.line("");
        sh.environment();
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
