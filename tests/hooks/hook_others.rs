//! The hook among the hooks of others: those of the person and of other tools run exactly as often as they would
//! without it, see the status of the last command, and ours runs, too.

use std::fs;
use std::process::Stdio;

use support::bound::{given, home, ours, tell_to};
use support::has;
use support::hooked::{Bash, Elvish, Fish, Hooked, Nu, Shell, Tcsh, Zsh};
use support::online::SECRET;

/// Lines of an rc file before the hook and after it, and what they have written into `~/log` by the fourth prompt:
/// after the start, a command that fails with 3, a `cd`, and one that fails with 4.
type Case<'a> = (&'a str, &'a str, &'a str);

fn each_as_before(shell: Shell, cases: &[Case]) {
    tell_to(&[shell], |shell| {
        for (before, after, log) in cases {
            let home = home();
            let mut sh = Hooked::start_among(shell, &home, before, after, &[]);
            let fails = |code| match shell {
                Nu => format!("^sh -c 'exit {code}'"),
                _ => format!("sh -c 'exit {code}'"),
            };
            sh.line(&fails(3));
            sh.cd("acme");
            sh.line(&fails(4));
            let caret = if shell == Nu { "^" } else { "" };
            sh.line(&format!("{caret}cp {0}/log {0}/seen", home.path().display()));
            assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}: {before} {after}");
            sh.cd("elsewhere");
            assert!(ours(&sh.environment()).is_empty(), "{shell:?}: {before} {after}");
            let seen = fs::read_to_string(home.path().join("seen")).unwrap_or_default();
            let shown = sh.exit();
            let seen: Vec<&str> = seen.split_whitespace().collect();
            assert_eq!(
                seen,
                log.split_whitespace().collect::<Vec<_>>(),
                "{shell:?}: {before} {after}\n{shown}"
            );
            for trouble in ["rror:", "not found", "annot"] {
                assert!(!shown.contains(trouble), "{shell:?}: {before} {after}\n{shown}");
            }
        }
    });
}

#[test]
fn in_bash() {
    // As starship does it: it keeps what was there, and evaluates it with the status of the last command.
    let starship = r#"
starship_set() { return "${1:-0}"; }
starship_preexec() { :; }
starship_precmd() { STATUS=$?; echo "s$STATUS" >>~/log; starship_set "$STATUS"; eval "$PRESERVED"; }
trap 'starship_preexec "$_"' DEBUG
PRESERVED=${PROMPT_COMMAND-}
PROMPT_COMMAND=starship_precmd"#;
    let own = "PROMPT_COMMAND='echo p$? >>~/log'";
    let inside = format!("{own}\n{starship}");
    let mut cases = vec![
        (own, "", "p0 p3 p0 p4"),
        ("PROMPT_COMMAND='echo p$? >>~/log;'", "", "p0 p3 p0 p4"),
        ("PROMPT_COMMAND='echo p$? >>~/log ; '", "", "p0 p3 p0 p4"),
        ("PROMPT_COMMAND=$'echo p$? >>~/log\\necho q >>~/log\\n'", "", "p0 q p3 q p0 q p4 q"),
        ("export PROMPT_COMMAND='echo p$? >>~/log'", "", "p0 p3 p0 p4"),
        ("unset PROMPT_COMMAND; : >~/log", "", ""),
        ("PROMPT_COMMAND=; : >~/log", "", ""),
        ("", "PROMPT_COMMAND=\"echo p\\$? >>~/log;$PROMPT_COMMAND\"", "p0 p3 p0 p4"),
        ("", "PROMPT_COMMAND=\"${PROMPT_COMMAND%;}; echo p\\$? >>~/log\"", "p0 p3 p0 p4"),
        (starship, "", "s0 s3 s0 s4"),
        ("", starship, "s0 s3 s0 s4"),
        (&inside, "", "s0 p0 s3 p3 s0 p0 s4 p4"),
        (own, starship, "s0 p0 s3 p3 s0 p0 s4 p4"),
        ("trap 'echo bye >>~/log' EXIT; echo hi >~/log", "", "hi"),
        ("trap 'DEBUGS=$((DEBUGS+1))' DEBUG; PROMPT_COMMAND='echo p$? >>~/log'", "", "p0 p3 p0 p4"),
        ("trap 'echo e$? >>~/log' ERR", "", "e3 e4"),
        ("", "set -E; trap 'echo e$? >>~/log' ERR", "e3 e4"),
        ("trap 'echo e$? >>~/log' ERR; PROMPT_COMMAND='echo p$? >>~/log'", "", "p0 e3 p3 p0 e4 p4"),
        ("", "IFS=_a; PROMPT_COMMAND+='; echo p$? >>~/log'", "p0 p3 p0 p4"),
        (
            "trap 'echo e$? >>~/log' ERR; _direnv_hook() { echo d$? >>~/log; }; PROMPT_COMMAND=_direnv_hook",
            "set -E; PROMPT_COMMAND+='; echo p$? >>~/log'",
            "d0 p0 e3 d3 p0 d0 p0 e4 d4 p0",
        ),
    ];
    let array = "PROMPT_COMMAND=('echo p$? >>~/log' 'echo q$? >>~/log')";
    // Since 5.1.
    let arrays = [
        (array, "", "p0 q0 p3 q3 p0 q0 p4 q4"),
        ("PROMPT_COMMAND=('echo p$? >>~/log')", "", "p0 p3 p0 p4"),
        ("", "PROMPT_COMMAND+=('echo q$? >>~/log')", "q0 q3 q0 q4"),
        (
            array,
            "PROMPT_COMMAND=('echo o$? >>~/log' \"${PROMPT_COMMAND[@]}\")",
            "o0 p0 q0 o3 p3 q3 o0 p0 q0 o4 p4 q4",
        ),
    ];
    let has_arrays = ["-c", "((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 501))"];
    if std::process::Command::new("bash").args(has_arrays).status().is_ok_and(|status| status.success()) {
        cases.extend(arrays);
    }
    each_as_before(Bash, &cases);
}

#[test]
fn in_zsh() {
    let functions = "precmd() { echo p$? >>~/log }\nchpwd() { echo c >>~/log }";
    let arrays = "mine() { echo m$? >>~/log }\nyours() { echo y >>~/log }\nprecmd_functions+=(mine)\n\
                  chpwd_functions+=(yours)";
    let both = format!("{functions}\n{arrays}");
    each_as_before(
        Zsh,
        &[
            (functions, "", "p0 p3 c p0 p4"),
            ("", functions, "p0 p3 c p0 p4"),
            (arrays, "", "m0 m3 y m0 m4"),
            ("", arrays, "m0 m3 y m0 m4"),
            (&both, "", "p0 m0 p3 m3 c y p0 m0 p4 m4"),
            ("preexec() { echo x >>~/log }", "", "x x x x"),
            ("TRAPZERR() { echo e$? >>~/log }", "", "e3 e4"),
            ("", "trap 'echo e$? >>~/log' ZERR", "e3 e4"),
            (
                "_direnv_hook() { echo d$? >>~/log }\nprecmd_functions=(_direnv_hook)\nchpwd_functions=(_direnv_hook)",
                "mine() { echo m$? >>~/log }\nprecmd_functions+=(mine)\ntrap 'echo e$? >>~/log' ZERR",
                "d0 m0 e3 d3 m3 d3 d0 m0 e4 d4 m4",
            ),
            ("trap 'echo bye >>~/log' EXIT; echo hi >~/log", "", "hi"),
            (
                "autoload -Uz add-zsh-hook; mine() { echo m$? >>~/log }; add-zsh-hook precmd mine",
                "",
                "m0 m3 m0 m4",
            ),
        ],
    );
}

#[test]
fn in_fish() {
    let events = "function mine --on-event fish_prompt; echo m$status >>~/log; end\n\
                  function yours --on-variable PWD; echo y >>~/log; end";
    let prompt = "function fish_prompt; echo p$status >>~/log; printf 'ready: '; end";
    let commands = "function before --on-event fish_preexec; echo b >>~/log; end\n\
                    function after --on-event fish_postexec; echo a$status >>~/log; end";
    each_as_before(
        Fish,
        &[
            (events, "", "m0 m3 y m0 m4"),
            ("", events, "m0 m3 y m0 m4"),
            (commands, "", "b a3 b a0 b a4 b"),
            ("", commands, "b a3 b a0 b a4 b"),
        ],
    );
    // The prompt itself is drawn as often as fish likes.
    tell_to(&[Fish], |shell| {
        let home = home();
        let mut sh = Hooked::start_with(shell, &home, prompt, &[]);
        sh.cd("acme");
        sh.environment();
        sh.line("sh -c 'exit 3'");
        sh.environment();
        sh.exit();
        let log = fs::read_to_string(home.path().join("log")).expect("a log");
        assert!(log.lines().any(|line| line == "p3"), "{log}");
    });
}

#[test]
fn in_nushell() {
    let log = "\"\\n\" | save --append ~/log";
    let closure = format!("{{|| $\"p($env.LAST_EXIT_CODE)\" + {log} }}");
    let text = format!("'$\"t($env.LAST_EXIT_CODE)\" + {log}'");
    let change = format!("{{|before, after| \"c\" + {log} }}");
    let set = |name: &str, value: &str| format!("$env.config.hooks.{name} = {value}");
    let lists = format!(
        "{}\n{}",
        set("pre_prompt", &format!("[{closure}]")),
        set("env_change", &format!("{{PWD: [{change}]}}"))
    );
    let shown = set("display_output", "{|| if (term size).columns > 0 { table } else { print } }");
    let shown = format!("{shown}\n{}", set("pre_prompt", &format!("[{closure}]")));
    let cases = [
        (set("pre_prompt", &format!("[{closure}]")), "p0 p3 p0 p4"),
        (set("pre_prompt", &format!("[{closure} {text}]")), "p0 t0 p3 t3 p0 t0 p4 t4"),
        (set("pre_prompt", &format!("[{{condition: {{|| true}}, code: {closure}}}]")), "p0 p3 p0 p4"),
        (lists, "c p0 p3 c p0 p4"),
        (shown, "p0 p3 p0 p4"),
    ];
    let cases: Vec<Case> = cases.iter().map(|(before, log)| (before.as_str(), "", *log)).collect();
    each_as_before(Nu, &cases);
    let later = format!("$env.config.hooks.pre_prompt ++= [{closure}]");
    each_as_before(Nu, &[("", &later, "p0 p3 p0 p4")]);
}

#[test]
fn in_elvish() {
    let lists = "set edit:before-readline = [$@edit:before-readline { echo p >>~/log }]\n\
                 set after-chdir = [$@after-chdir {|dir| echo c >>~/log }]\n\
                 set before-chdir = [$@before-chdir {|dir| echo b >>~/log }]\n\
                 set edit:after-readline = [$@edit:after-readline {|line| echo r >>~/log }]";
    let log = "p r p r b c p r p r";
    each_as_before(Elvish, &[(lists, "", log), ("", lists, log)]);
}

#[test]
fn in_tcsh() {
    // What a builtin writes in cwdcmd goes to the terminal, whatever it is sent to.
    let aliases = "alias precmd 'echo p$status >>~/log'\nalias cwdcmd 'sh -c \"echo c >>~/log\"'";
    let quoted = "alias precmd 'echo p$status \"\" >>~/log; true'";
    each_as_before(Tcsh, &[(aliases, "", "p0 p3 c p0 p4"), (quoted, "", "p0 p3 p0 p4")]);
}

/// Somebody who writes down every command that is run: what the hook evaluates is none.
#[test]
fn a_debug_trap_sees_no_secret() {
    for (shell, trap) in [
        (Bash, "set -T; trap 'echo \"$BASH_COMMAND\" >>~/log' DEBUG"),
        (Bash, "shopt -s extdebug; trap 'echo \"$BASH_COMMAND\" >>~/log; true' DEBUG"),
        (Zsh, "trap 'print -r -- $ZSH_DEBUG_CMD >>~/log' DEBUG"),
        (Zsh, "TRAPDEBUG() { print -r -- $ZSH_DEBUG_CMD >>~/log }"),
    ] {
        tell_to(&[shell], |shell| {
            let home = home();
            let mut sh = Hooked::start_among(shell, &home, "", trap, &[("CF_API_KEY", "old-hunter2")]);
            sh.cd("acme");
            sh.cd("beta");
            sh.cd("elsewhere");
            sh.line(": still-there");
            sh.environment();
            sh.exit();
            let log = fs::read_to_string(home.path().join("log")).expect("a log");
            assert!(log.contains(": still-there"), "{shell:?}: {log}");
            assert!(!log.contains(SECRET), "{shell:?}: {log}");
        });
    }
}

#[test]
fn zoxide_takes_one_to_a_bound_directory() {
    if !has("zoxide") {
        return;
    }
    // Those that Debian's zoxide knows.
    tell_to(&[Bash, Zsh, Fish], |shell| {
        let init = match shell {
            Fish => "zoxide init fish | source".to_owned(),
            shell => format!("eval \"$(zoxide init {})\"", shell.name()),
        };
        for (before, after) in [(&*init, ""), ("", &*init)] {
            let home = home();
            for directory in ["acme", "beta"] {
                let mut add = home.command("zoxide");
                add.arg("add").arg(home.path().join(directory)).stdout(Stdio::null());
                assert!(add.status().expect("zoxide").success());
            }
            let mut sh = Hooked::start_among(shell, &home, before, after, &[]);
            let first = ours(&sh.environment());
            for (directory, profile) in [("acme", "prod"), ("beta", "beta"), ("acme", "prod")] {
                sh.line(&format!("z {directory}"));
                assert_eq!(ours(&sh.environment()), given(&home, directory, profile), "{shell:?}: {after}");
            }
            // At once, too.
            let token = home.path().join("token");
            sh.line(&format!("z beta && printenv CLOUDFLARE_API_TOKEN >{}", token.display()));
            sh.environment();
            assert_eq!(fs::read_to_string(token).expect("written"), "tok-beta-hunter2\n", "{shell:?}");
            sh.cd("elsewhere");
            assert_eq!(ours(&sh.environment()), first, "{shell:?}");
            sh.exit();
        }
    });
}

/// A shell that has inherited `PROMPT_COMMAND` from one with the hook, and has read no rc file.
#[test]
fn an_exported_prompt_command_does_no_harm_in_a_shell_without_the_hook() {
    let own = "export PROMPT_COMMAND='echo p$? >>~/log'";
    let direnvs = "_direnv_hook() { echo d$? >>~/log; }; export -f _direnv_hook; \
                   export PROMPT_COMMAND='_direnv_hook; echo p$? >>~/log'";
    for (rc, log) in [(own, "p0 p3 p0"), (direnvs, "d0 p0 d3 p0 d0 p0")] {
        // The failure of the command itself is one for the trap, nothing else is.
        let trapped = log.replacen("p0", "p0 e", 1);
        for (set, log) in [("set -u; IFS=_a", log), ("set -E; trap 'echo e >>~/log' ERR", &trapped)] {
            tell_to(&[Bash], |shell| {
                let home = home();
                let mut sh = Hooked::start_with(shell, &home, rc, &[]);
                sh.cd("acme");
                sh.line("bash --norc --noprofile -i");
                sh.line(&format!("rm ~/log; {set}"));
                sh.line("sh -c 'exit 3'");
                sh.cd("beta");
                sh.line("cp ~/log ~/seen");
                assert_eq!(
                    ours(&sh.environment()),
                    given(&home, "acme", "prod"),
                    "{rc}; {set}: no hook runs"
                );
                sh.line("exit");
                let shown = sh.exit();
                assert!(!shown.contains("not found") && !shown.contains("unbound"), "{rc}; {set}\n{shown}");
                let seen = fs::read_to_string(home.path().join("seen")).expect("a log");
                assert_eq!(
                    seen.split_whitespace().collect::<Vec<_>>().join(" "),
                    log,
                    "{rc}; {set}\n{shown}"
                );
            });
        }
    }
}
