//! The shell hooks: the same story told to every shell, in a real one, on a terminal. A directory gives, takes,
//! and puts back; and the person's own doings stay the person's.

use std::fs;

use support::bound::{bind, given, home, ours, tell, tell_to};
use support::hooked::{Bash, Elvish, Fish, Hooked, Nu, Tcsh, Zsh};
use support::online::SECRET;
use support::{ALCHEMY, is_secret};

/// Whatever a shell could take for its own.
const HOSTILE: &str = "mine-hunter2 '\"$HOME`!*{a,b}\\ ~#;&|<>()[]?=%";

#[test]
fn a_directory_gives_and_takes_and_puts_back_what_was_there() {
    is_secret(HOSTILE);
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.export("CLOUDFLARE_API_TOKEN", HOSTILE);
        sh.export("CF_API_KEY", "-n old-hunter2");
        sh.export("OTHER", "kept");
        let before = sh.environment();
        assert_eq!(before["CLOUDFLARE_API_TOKEN"], HOSTILE, "{shell:?}");
        assert!(sh.said().is_empty());

        sh.cd("acme/sub");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        assert_eq!(sh.said(), ["alchemy: prod (Acme)"], "{shell:?}");

        sh.cd("beta/sub/dir");
        assert_eq!(ours(&sh.environment()), given(&home, "beta", "beta"), "{shell:?}");
        assert_eq!(sh.said(), ["alchemy: beta (Beta)"], "{shell:?}");

        sh.cd("elsewhere");
        assert_eq!(sh.environment(), before, "{shell:?}");
        assert!(sh.said().is_empty(), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_secret_stands_under_its_documented_name_and_nowhere_else() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.export("CLOUDFLARE_API_KEY", "saved-hunter2");
        // Whatever is assigned from now on is exported.
        if matches!(shell, Bash | Zsh) {
            sh.line("set -a");
        }
        sh.cd("acme");
        let inside = sh.environment();
        let with_secret: Vec<_> = inside.iter().filter(|(_, value)| value.contains(SECRET)).collect();
        assert_eq!(
            with_secret,
            [(&"CLOUDFLARE_API_TOKEN".to_owned(), &"tok-prod-hunter2".to_owned())],
            "{shell:?}"
        );
        let state: Vec<_> = inside.keys().filter(|name| name.to_lowercase().contains("__alchemy")).collect();
        assert!(state.is_empty(), "{shell:?}: {state:?}");
        sh.exit();
    });
}

#[test]
fn what_the_person_changes_inside_stays_so_outside() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.export("CF_API_TOKEN", "mine-hunter2");
        sh.cd("acme");
        sh.export("CLOUDFLARE_ACCOUNT_ID", "changed");
        sh.export("CF_API_TOKEN", "changed-hunter2");
        sh.cd("acme/sub");
        let inside = sh.environment();
        assert_eq!(inside["CLOUDFLARE_ACCOUNT_ID"], "changed", "{shell:?}");
        assert_eq!(inside["CLOUDFLARE_API_TOKEN"], "tok-prod-hunter2", "{shell:?}");
        sh.cd("elsewhere");
        let after = ours(&sh.environment());
        let left = [("CF_API_TOKEN", "changed-hunter2"), ("CLOUDFLARE_ACCOUNT_ID", "changed")];
        assert_eq!(after, left.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_hundred_directories_leave_no_trace() {
    tell(|shell| {
        let home = home();
        let profile = |i: usize| if i.is_multiple_of(3) { "beta" } else { "prod" };
        for i in 0..10 {
            bind(&home, profile(i), &format!("many/{i}"));
            for j in 0..10 {
                fs::create_dir(home.path().join(format!("many/{i}/{j}"))).expect("a folder");
            }
        }
        let mut sh = Hooked::start(shell, &home);
        sh.export("CLOUDFLARE_API_TOKEN", HOSTILE);
        let before = sh.environment();
        for visit in 0..100 {
            sh.cd(&format!("many/{}/{}", visit % 10, visit / 10)); // out of one and into the next
            if usize::is_multiple_of(visit, 10) {
                sh.cd("elsewhere");
            }
        }
        assert_eq!(ours(&sh.environment()), given(&home, "many/9", profile(9)), "{shell:?}");
        sh.cd("elsewhere");
        assert_eq!(sh.environment(), before, "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_shell_in_a_shell_takes_what_it_inherits_for_ours_and_restores_nothing() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.export("CLOUDFLARE_API_TOKEN", "mine-hunter2");
        let before = sh.environment();
        sh.cd("acme");
        let inside = sh.environment();
        sh.said();
        sh.nested();
        assert_eq!(ours(&sh.environment()), ours(&inside), "{shell:?}");
        sh.cd("elsewhere");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}: {:?}", ours(&sh.environment()));
        sh.cd("beta");
        assert_eq!(ours(&sh.environment()), given(&home, "beta", "beta"), "{shell:?}");
        assert_eq!(sh.said(), ["alchemy: beta (Beta)"], "{shell:?}");
        sh.unnested();
        assert_eq!(sh.environment(), inside, "{shell:?}");
        sh.cd("elsewhere");
        assert_eq!(sh.environment(), before, "{shell:?}");
        sh.exit();
    });
}

#[test]
fn what_a_shell_in_a_shell_is_given_by_the_person_stays_the_persons() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.cd("acme");
        let inside = sh.environment();
        sh.said();
        for (name, value) in [("ALCHEMY_PROFILE", "beta"), ("CLOUDFLARE_ACCOUNT_ID", "mine")] {
            sh.nested_by(&format!("env {name}={value}"));
            let seen = ours(&sh.environment());
            if name == "ALCHEMY_PROFILE" {
                assert_eq!(
                    seen,
                    [(name.to_owned(), value.to_owned())].into(),
                    "{shell:?}: and none of prod's"
                );
            }
            sh.cd("elsewhere");
            assert_eq!(
                ours(&sh.environment()),
                [(name.to_owned(), value.to_owned())].into(),
                "{shell:?}: {name}"
            );
            sh.unnested();
            assert_eq!(sh.environment(), inside, "{shell:?}: {name}");
        }
        sh.exit();
    });
}

#[test]
fn under_exec_the_hook_stays_out_of_the_way() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.cd("acme");
        sh.environment();
        sh.said();
        sh.nested_by(&format!("{ALCHEMY} exec beta --"));
        for directory in ["acme", "elsewhere", "acme/sub"] {
            sh.cd(directory);
            let seen = sh.environment();
            assert_eq!(seen["CLOUDFLARE_API_TOKEN"], "tok-beta-hunter2", "{shell:?} {directory}");
            assert_eq!(
                (seen["ALCHEMY_PROFILE"].as_str(), seen.get("ALCHEMY_ACTIVE")),
                ("beta", None),
                "{shell:?}"
            );
        }
        assert!(sh.said().is_empty(), "{shell:?}: {:?}", sh.said());
        sh.unnested();
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_script_that_goes_to_another_directory_gets_what_is_bound_there() {
    tell_to(&[Bash], |shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.cd("acme");
        let (out, other) = (home.path().join("out"), home.path().join("beta"));
        sh.line(&format!("sh -c 'cd {} && {ALCHEMY} token >{}'", other.display(), out.display()));
        sh.environment();
        assert_eq!(fs::read_to_string(&out).expect("written"), "tok-beta-hunter2\n");
        sh.exit();
    });
}

#[test]
fn the_persons_own_variable_goes_before_the_directory() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.export("ALCHEMY_PROFILE", "beta");
        sh.cd("acme");
        let seen = ours(&sh.environment());
        assert_eq!(seen, [("ALCHEMY_PROFILE".to_owned(), "beta".to_owned())].into(), "{shell:?}");
        let said = sh.said();
        assert!(
            matches!(&said[..], [line] if line.contains("'prod' (bound at ~/acme) is not activated")),
            "{said:?}"
        );
        sh.unset("ALCHEMY_PROFILE");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        // A change of mind inside: what is ours goes, what is the person's stays.
        sh.export("CLOUDFLARE_PROFILE", "beta");
        let seen = ours(&sh.environment());
        assert_eq!(seen, [("CLOUDFLARE_PROFILE".to_owned(), "beta".to_owned())].into(), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_directory_that_vanishes_is_no_trouble() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        let before = sh.environment();
        sh.cd("acme/sub/dir");
        sh.environment();
        fs::remove_dir_all(home.path().join("acme/sub")).expect("removed");
        sh.line("");
        home.run(&["use", "beta", "elsewhere"]).expect_code(0); // something to look at
        sh.line("");
        sh.cd("acme");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        fs::remove_dir_all(home.path().join("acme")).expect("removed");
        sh.cd("");
        assert_eq!(sh.environment(), before, "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_trace_shows_no_secret() {
    tell_to(&[Bash, Zsh, Fish], |shell| {
        let home = home();
        for trace in
            if shell == Fish { &["set -g fish_trace all"][..] } else { &["set -x", "set -v", "set -xva"] }
        {
            let variables = [("CLOUDFLARE_API_TOKEN", "mine-hunter2"), ("CF_API_KEY", "old-hunter2")];
            let mut sh = Hooked::start_with(shell, &home, "", &variables);
            sh.line(trace);
            for directory in ["acme", "acme/sub", "beta", "elsewhere", "acme", "elsewhere"] {
                sh.cd(directory);
            }
            sh.environment();
            sh.line(if shell == Fish { "set -e fish_trace" } else { "set +xva" });
            sh.environment();
            let shown = sh.exit();
            assert!(!shown.contains(SECRET), "{shell:?}, {trace}:\n{shown}");
            assert!(shown.contains("dump"), "{shell:?} is traced");
        }
    });
}

#[test]
fn strict_and_odd_shells_go_on() {
    let bash = "set -euo pipefail; set -o noclobber; shopt -s nocasematch; IFS=/0123456789; alias local=false export=false \
                read=false unset=false set=false printf=false return=false declare=false shift=false \
                continue=false";
    let zsh = "set -eu; setopt ksh_arrays sh_word_split no_clobber extended_glob warn_create_global warn_nested_var \
               no_glob; IFS=/0123456789; alias local=false export=false unset=false emulate=false typeset=false \
               return=false shift=false continue=false";
    let tcsh = "set noclobber noglob nonomatch; alias set false; unalias set";
    let bash_posix = "set -o posix; set -EC; IFS=_a; trap : ERR; shopt -s failglob nullglob extglob";
    let bash_traced = "shopt -s extdebug; set -TE; trap : DEBUG; trap : RETURN; trap : ERR; set -P";
    // Since 5.0.
    let bash_locals = "shopt -s localvar_inherit localvar_unset 2>/dev/null; unset IFS";
    let bash_functions = "export() { builtin export \"$@\"; }; unset() { builtin unset \"$@\"; }; \
                          read() { builtin read \"$@\"; }; printf() { builtin printf \"$@\"; }; \
                          set() { builtin set \"$@\"; }; eval() { builtin eval \"$@\"; }; \
                          shift() { builtin shift \"$@\"; }; alias() { builtin alias \"$@\"; }";
    let zsh_posix = "setopt err_return posix_builtins posix_identifiers glob_subst rc_expand_param; IFS=_a0";
    let zsh_traced = "TRAPDEBUG() { : }; TRAPZERR() { : }; TRAPEXIT() { : }; setopt chase_links auto_pushd";
    let zsh_functions = "export() { builtin export \"$@\" }; unset() { builtin unset \"$@\" }; \
                         alias -g A=false G=false; setopt null_glob all_export rc_quotes";
    for (shell, before) in [
        (Bash, bash),
        (Bash, bash_posix),
        (Bash, bash_traced),
        (Bash, bash_locals),
        (Bash, bash_functions),
        (Zsh, zsh),
        (Zsh, zsh_posix),
        (Zsh, zsh_traced),
        (Zsh, zsh_functions),
        (Tcsh, tcsh),
    ] {
        tell_to(&[shell], |shell| {
            let home = home();
            let mut sh = Hooked::start_with(shell, &home, before, &[("CF_API_KEY", "old-hunter2")]);
            let first = sh.environment();
            sh.cd("acme");
            assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}: {before}");
            sh.cd("beta");
            assert_eq!(ours(&sh.environment()), given(&home, "beta", "beta"), "{shell:?}: {before}");
            sh.cd("elsewhere");
            assert_eq!(sh.environment(), first, "{shell:?}: {before}");
            let said: Vec<_> = sh.said();
            assert_eq!(said, ["alchemy: prod (Acme)", "alchemy: beta (Beta)"], "{shell:?}: {before}");
            sh.exit();
        });
    }
}

#[test]
fn the_exit_code_of_the_last_command_is_still_there() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        let (fail, show) = match shell {
            Bash | Zsh => ("sh -c 'exit 3'; cd acme; (exit 3)", "echo st$?"),
            Fish | Tcsh => ("cd acme; sh -c 'exit 3'", "echo st$status"),
            Nu => ("cd acme; ^sh -c 'exit 3'", "print $\"st($env.LAST_EXIT_CODE)\""),
            Elvish => return sh.exit_quietly(), // it has none
        };
        sh.line(fail);
        sh.line(show);
        sh.environment();
        let shown = sh.exit();
        assert!(shown.contains("st3"), "{shell:?}:\n{shown}");
    });
}

#[test]
fn nothing_is_said_where_that_is_asked_for() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start_with(shell, &home, "", &[("ALCHEMY_QUIET", "1")]);
        sh.cd("acme");
        assert_eq!(sh.environment()["ALCHEMY_PROFILE"], "prod");
        sh.cd("beta");
        assert_eq!(sh.environment()["ALCHEMY_PROFILE"], "beta");
        assert!(sh.said().is_empty(), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn read_twice_it_is_read_once() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start_with(shell, &home, "", &[("CLOUDFLARE_API_TOKEN", "mine-hunter2")]);
        let before = sh.environment();
        sh.cd("acme");
        sh.environment();
        sh.read_again();
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        sh.said();
        sh.cd("elsewhere");
        assert_eq!(sh.environment(), before, "{shell:?}");
        sh.cd("beta");
        sh.environment();
        assert_eq!(sh.said(), ["alchemy: beta (Beta)"], "{shell:?}");
        sh.exit();
    });
}

#[test]
fn whoever_takes_our_marks_away_does_not_take_the_credential_along() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.export("CLOUDFLARE_API_TOKEN", "mine-hunter2");
        let before = sh.environment();
        sh.cd("acme");
        sh.unset("ALCHEMY_PROFILE");
        sh.unset("ALCHEMY_ACTIVE");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}: it is there again");
        sh.cd("elsewhere");
        assert_eq!(sh.environment(), before, "{shell:?}");
        sh.exit();
    });
}
