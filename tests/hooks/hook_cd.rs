//! `cd` counts at once: what follows on the same line has the credential of the new directory, in functions, lists and
//! subshells, whatever the person has made of `cd`; and `cd` itself stays what it was.

use std::fs;
use std::os::unix::fs::symlink;

use support::authorization::Moment;
use support::bound::{bind, given, home, ours, tell_to};
use support::hooked::{Bash, Elvish, Fish, Hooked, Shell, Tcsh, Zsh};
use support::keyring::{BUS, Keyring};
use support::signed_in::SignedIn;
use support::{ALCHEMY, Home, Output, run, write_program};

/// A line, and the profiles that the programs called `seen` in it have.
type Row<'a> = (&'a str, &'a str);

/// Makes the program `seen`, which writes down whose token it has been given.
fn with_seen(home: &Home) {
    let bin = home.path().join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    let log = home.path().join("log");
    let text = format!(
        "#!/bin/sh\ntoken=${{CLOUDFLARE_API_TOKEN-tok-none-hunter2}}\ntoken=${{token#tok-}}\n\
         echo \"${{token%-hunter2}}\" >>'{}'\n",
        log.display()
    );
    write_program(&bin.join("seen"), &text);
    for (link, to) in [("link", "beta/sub"), ("acme-link", "acme")] {
        symlink(home.path().join(to), home.path().join(link)).expect("a link");
    }
    fs::create_dir_all(home.path().join("asks/sub")).expect("a folder");
    fs::write(home.path().join("asks/.alchemy.toml"), "profile = \"beta\"\n").expect("written");
    fs::create_dir_all(home.path().join("elsewhere/deep")).expect("a folder");
}

/// Types each line in `acme`, which is bound to `prod`, and says what was seen, where it should be something else.
fn each(shell: Shell, before: &str, after: &str, rows: &[Row]) {
    tell_to(&[shell], |shell| {
        let home = home();
        with_seen(&home);
        let rc = format!("{before}\n{}", path_line(shell, &home));
        let mut sh = Hooked::start_among(shell, &home, &rc, after, &[]);
        for (line, expected) in rows {
            sh.cd("acme");
            sh.environment();
            let log = home.path().join("log");
            fs::write(&log, "").expect("written");
            sh.line(line);
            sh.environment();
            let seen = fs::read_to_string(&log).expect("a log");
            let seen: Vec<&str> = seen.split_whitespace().collect();
            assert_eq!(seen.join(" "), *expected, "{shell:?}: {line}\n{}", sh.terminal.text());
        }
        // And afterwards all is as it should be.
        sh.cd("beta");
        assert_eq!(ours(&sh.environment()), given(&home, "beta", "beta"), "{shell:?}");
        sh.cd("elsewhere");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        sh.exit();
    });
}

fn path_line(shell: Shell, home: &Home) -> String {
    let bin = home.path().join("bin").display().to_string();
    match shell {
        Fish => format!("set -gx PATH {bin} $PATH"),
        Tcsh => format!("setenv PATH {bin}:$PATH"),
        Elvish => format!("set-env PATH {bin}:$E:PATH"),
        _ => format!("PATH={bin}:$PATH; export PATH"),
    }
}

/// Lines that bash and zsh understand alike.
const LINES: &[Row] = &[
    ("cd ../beta && seen", "beta"),
    ("cd ../beta; seen; cd ../elsewhere; seen; cd ../acme; seen", "beta none prod"),
    ("(cd ../beta && seen); seen", "beta prod"),
    ("(cd ../elsewhere && seen); seen", "none prod"),
    ("(cd sub && seen; cd ../../beta/sub && seen; cd ../../elsewhere/deep && seen)", "prod beta none"),
    ("(cd ../beta && (cd ../acme && seen) && seen); seen", "prod beta prod"),
    ("x=$(cd ../beta && seen); seen", "beta prod"),
    ("x=`cd ../beta && seen`", "beta"),
    ("seen $(cd ../elsewhere && seen)", "none prod"),
    ("f() { cd ../beta; seen; }; f; seen", "beta beta"),
    ("f() ( cd ../beta; seen; ); f; seen", "beta prod"),
    ("f() { cd \"$1\" || return 1; shift; \"$@\"; }; (f ../beta seen); seen", "beta prod"),
    ("for d in beta elsewhere acme; do (cd ../$d; seen); done", "beta none prod"),
    ("for d in beta elsewhere acme; do cd ../$d; seen; done", "beta none prod"),
    ("{ cd ../beta; seen; } | cat; seen", "beta prod"),
    ("(cd ../beta; seen) & wait; seen", "beta prod"),
    ("pushd ../beta >/dev/null && seen && popd >/dev/null && seen", "beta prod"),
    ("cd ../elsewhere && seen; cd - >/dev/null && seen", "none prod"),
    ("cd -- ../beta && seen", "beta"),
    ("cd -P ../link && seen", "beta"),
    ("cd -L ../link && seen && cd .. && seen", "beta none"),
    ("(cd ../link && seen && cd -P .. && seen); seen", "beta beta prod"),
    ("(cd ../acme-link && seen); cd ../acme-link/sub && seen", "prod prod"),
    ("cd ../nowhere || seen", "prod"),
    ("(cd ../nowhere; seen)", "prod"),
    ("CDPATH=..; cd beta >/dev/null && seen; unset CDPATH", "beta"),
    ("(cd ../asks/sub && seen); cd ../asks && seen", "none none"),
    ("cd ../beta 2>/dev/null >&2 && seen", "beta"),
    ("eval 'cd ../beta && seen'", "beta"),
    ("echo x | while read -r x; do cd ../beta; seen; done", "beta"),
    ("(set -e; cd ../beta; seen); seen", "beta prod"),
    ("(set -eu; set -o pipefail; IFS=/; cd ../beta; seen; cd ../elsewhere; seen); seen", "beta none prod"),
    ("(ALCHEMY_PROFILE=beta; cd ../elsewhere; seen); seen", "none prod"),
    ("trap 'cd ../beta; seen' USR1; kill -USR1 $$; trap - USR1; seen", "beta beta"),
    ("until cd ../beta; do :; done; seen", "beta"),
    ("seen; cd; seen; cd acme; seen", "prod none prod"),
    ("cd .; seen", "prod"),
];

#[test]
fn in_bash() {
    let more = [
        ("cd -e -P ../beta && seen", "beta"),
        ("(set -o posix; cd ../beta && seen); seen", "beta prod"),
        ("set -o posix; cd ../beta && seen; set +o posix", "beta"),
        ("(shopt -s nocasematch; cd ../Acme 2>/dev/null || cd ../beta && seen)", "beta"),
        ("(set -xv; cd ../beta && seen) 2>/dev/null; set -a; cd ../beta; seen; set +a", "beta beta"),
        ("pushd -n ../beta >/dev/null; seen; pushd >/dev/null; seen; dirs -c", "prod beta"),
        ("../beta && seen", "beta"),   // autocd
        ("cd ../bet && seen", "beta"), // cdspell
        ("coproc { cd ../beta && seen; }; wait", "beta"),
        ("cat <(cd ../beta && seen)", "beta"),
        ("command cd ../beta; builtin cd ../acme && seen", "prod"),
    ];
    let rows = [LINES, &more].concat();
    each(Bash, "shopt -s autocd cdspell", "", &rows);
    each(Bash, "set -u; set -o pipefail; set -o posix; IFS=/", "", LINES);
}

#[test]
fn in_zsh() {
    let more = [
        ("../beta && seen", "beta"), // autocd
        ("(../beta && seen); seen", "beta prod"),
        ("cat <(cd ../beta && seen)", "beta"),
        ("() { cd ../beta; seen } ; seen", "beta beta"),
        ("cd acme beta && seen", "beta"),
    ];
    let rows = [LINES, &more].concat();
    each(Zsh, "setopt auto_cd", "", &rows);
    each(Zsh, "setopt ksh_arrays sh_word_split no_glob posix_builtins no_unset pipe_fail", "", LINES);
}

#[test]
fn in_fish() {
    each(
        Fish,
        "",
        "",
        &[
            ("cd ../beta; and seen", "beta"),
            ("cd ../beta; seen; cd ../elsewhere; seen; cd ../acme; seen", "beta none prod"),
            // The directory of a substitution is the shell's.
            ("set x (cd ../beta; seen); seen", "beta beta"),
            ("set x (cd ../elsewhere; seen; cd ../beta; seen); seen", "none beta beta"),
            ("seen (cd ../beta; seen)", "beta beta"),
            ("function f; cd ../beta; seen; end; f; seen", "beta beta"),
            ("begin; cd ../beta; seen; end | cat", "beta"),
            ("pushd ../beta; seen; popd; seen", "beta prod"),
            ("cd ../elsewhere; seen; cd -; seen", "none prod"),
            ("../beta; and seen", "beta"),
            ("cd ../asks/sub; seen", "none"),
            ("cd ../nowhere; or seen", "prod"),
        ],
    );
}

/// Where a program starts in tcsh's `(…)` or `` `…` ``, another directory's credential is not there.
#[test]
fn in_tcsh() {
    each(
        Tcsh,
        "",
        "",
        &[
            ("cd ../beta && seen", "beta"),
            ("cd ../elsewhere && seen && cd ../acme && seen", "none prod"),
            ("pushd ../beta >/dev/null; seen; popd >/dev/null; seen", "beta prod"),
            ("(cd ../beta && seen); seen", "beta prod"),
            ("(cd ../elsewhere; seen; cd ../beta/sub; seen); seen", "none none prod"),
            ("set x = `cd ../beta && seen`; seen", "beta prod"),
            ("cd ../nowhere || seen", "prod"),
        ],
    );
}

/// What hides ours from the hook while `cd` runs is gone when the function returns, and ours is there again.
#[test]
fn what_comes_back_when_a_function_returns_is_still_ours() {
    let posix = &[
        ("f() { local CLOUDFLARE_API_TOKEN=x; cd ../DIR; }; f", "DIR"),
        ("f() { local -x CLOUDFLARE_API_TOKEN=x; cd ../beta; cd ../acme; cd ../DIR; }; f", "DIR"),
        (
            "g() { cd ../DIR; }; f() { local CLOUDFLARE_ACCOUNT_ID=x CLOUDFLARE_API_TOKEN; g; }; f; cd ../DIR",
            "DIR",
        ),
        ("f() { cd ../DIR; }; CLOUDFLARE_API_TOKEN=x f", "DIR"),
        ("f() { cd ../DIR; }; ALCHEMY_PROFILE=beta f", "DIR"),
        ("f() { cd ../beta; cd ../elsewhere; cd ../DIR; }; CLOUDFLARE_ACCOUNT_ID=x f", "DIR"),
        ("f() { export CLOUDFLARE_API_TOKEN=mine-hunter2; cd ../DIR; }; f", "mine"),
    ][..];
    let fish = &[
        ("function f; set -lx CLOUDFLARE_API_TOKEN x; cd ../DIR; end; f", "DIR"),
        ("function f; cd ../DIR; end; CLOUDFLARE_API_TOKEN=x f", "DIR"),
        ("function f; cd ../DIR; end; ALCHEMY_PROFILE=beta f", "DIR"),
        ("function f; set -gx CLOUDFLARE_API_TOKEN mine-hunter2; cd ../DIR; end; f", "mine"),
    ][..];
    let elvish = &[
        ("fn f { tmp E:CLOUDFLARE_API_TOKEN = x; cd ../DIR }; f", "DIR"),
        ("fn f { tmp E:ALCHEMY_PROFILE = beta; cd ../DIR }; f", "DIR"),
        ("fn f { set-env CLOUDFLARE_API_TOKEN mine-hunter2; cd ../DIR }; f", "mine"),
    ][..];
    tell_to(&[Bash, Zsh, Fish, Elvish], |shell| {
        let rows = match shell {
            Fish => fish,
            Elvish => elvish,
            _ => posix,
        };
        for variables in
            [&[][..], &[("CLOUDFLARE_API_TOKEN", "before-hunter2"), ("CF_API_KEY", "key-hunter2")]]
        {
            for (line, expected) in rows {
                for to in ["beta", "elsewhere", "acme"] {
                    if *expected == "mine" && to != "elsewhere" {
                        continue;
                    }
                    let home = home();
                    with_seen(&home);
                    let mut sh = Hooked::start_with(shell, &home, "", variables);
                    sh.cd("elsewhere");
                    let outside = ours(&sh.environment());
                    sh.cd("acme");
                    sh.environment();
                    sh.line(&line.replace("DIR", to));
                    let seen = ours(&sh.environment());
                    let context = format!("{shell:?}: {line} {to}\n{}", sh.terminal.text());
                    if *expected == "mine" {
                        assert_eq!(seen["CLOUDFLARE_API_TOKEN"], "mine-hunter2", "{context}");
                        sh.exit();
                        continue;
                    }
                    let wanted = match to {
                        "beta" => given(&home, "beta", "beta"),
                        "acme" => given(&home, "acme", "prod"),
                        _ => outside.clone(),
                    };
                    assert_eq!(seen, wanted, "{context}");
                    sh.cd("elsewhere");
                    assert_eq!(ours(&sh.environment()), outside, "{context}: outside");
                    sh.exit();
                }
            }
        }
    });
}

/// Elvish has one directory for all that runs in it.
#[test]
fn in_elvish() {
    each(
        Elvish,
        "",
        "",
        &[
            ("cd ../beta; seen", "beta"),
            ("{ tmp pwd = ../beta; seen }; seen", "beta prod"),
            ("put (cd ../beta; seen; cd ../elsewhere; seen); seen", "beta none none"),
            ("fn f { cd ../beta; seen }; f; seen", "beta beta"),
            ("try { cd ../nowhere } catch { seen }", "prod"),
        ],
    );
}

/// Whatever the person has made of `cd`, before the hook or after it.
#[test]
fn the_persons_own_cd_is_kept() {
    let function = "cd() { builtin cd \"$@\" && echo \"went $#\" >>~/went; }";
    let of_zoxide = "function __zoxide_cd() { \\builtin cd -- \"$@\"; }\nfunction __zoxide_z() { __zoxide_cd \"$1\"; }\n\
                     function z() { __zoxide_z \"$@\"; }";
    let by_zoxide = format!("{of_zoxide}\nfunction cd() {{ __zoxide_z \"$@\"; }}");
    let pushing = "cd() { pushd \"$1\" >/dev/null && echo went >>~/went; }";
    let subshell = "up() ( cd .. && seen )\ncd() { builtin cd \"$1\"; }";
    let rvm = "__zsh_like_cd() { builtin \"$@\" && echo went >>~/went; }\nfunction cd() { __zsh_like_cd cd \"$@\"; }";
    let cd: &[Row] = &[
        ("cd ../beta && seen", "beta"),
        ("(cd ../beta && seen); seen", "beta prod"),
        ("cd ../nowhere 2>/dev/null || seen", "prod"),
    ];
    let z: &[Row] = &[("z ../beta && seen", "beta"), ("(z ../beta && seen); seen", "beta prod")];
    for (text, rows, shells) in [
        (function, cd, &[Bash, Zsh][..]),
        (of_zoxide, z, &[Bash, Zsh]),
        (&*by_zoxide, cd, &[Bash, Zsh]),
        (pushing, cd, &[Bash, Zsh]),
        (subshell, cd, &[Bash, Zsh]),
        (rvm, cd, &[Bash]),
        ("alias cd='cd -P'", cd, &[Bash, Zsh]),
        ("alias builtin=false local=false return=false test=false", cd, &[Bash]),
        ("went() { builtin cd \"$1\"; }\nalias cd=went", cd, &[Bash, Zsh]),
        ("alias cd='pushd >/dev/null'", cd, &[Bash, Zsh]),
        ("cd() { builtin cd \"$@\"; }; export -f cd", cd, &[Bash]),
    ] {
        for shell in shells {
            each(*shell, text, "", rows);
            each(*shell, "", text, rows);
        }
    }
}

/// Where it is made another one while the shell runs, the next prompt finds out.
#[test]
fn a_cd_that_is_made_anew_is_wrapped_anew() {
    tell_to(&[Bash], |shell| {
        let home = home();
        with_seen(&home);
        let mut sh = Hooked::start_with(shell, &home, &path_line(shell, &home), &[]);
        for round in 0..3 {
            sh.line(&format!("cd() {{ builtin cd \"$@\"; echo {round} >>~/rounds; }}"));
            sh.cd("elsewhere");
            sh.cd("acme");
            sh.environment();
            fs::write(home.path().join("log"), "").expect("written");
            sh.line("cd ../beta && seen");
            sh.read_again();
            sh.line("cd ../acme && seen");
            sh.environment();
            assert_eq!(
                fs::read_to_string(home.path().join("log")).expect("a log"),
                "beta\nprod\n",
                "{round}"
            );
        }
        let rounds = fs::read_to_string(home.path().join("rounds")).expect("a log");
        assert_eq!(rounds.replace('\n', ""), "000011112222", "each ran once");
        sh.exit();
    });
}

/// What a shell does with a script, with the hook or without it.
fn script(shell: Shell, home: &Home, hooked: bool, before: &str, script: &str) -> Output {
    let hook = format!("eval \"$({ALCHEMY} hook {})\"\n", shell.name());
    let rc = home.path().join(if shell == Bash { ".bashrc" } else { ".zshrc" });
    fs::write(&rc, format!("{before}\n{}", if hooked { &*hook } else { "" })).expect("written");
    let mut command = home.command(shell.name());
    if shell == Bash {
        command.arg("--rcfile").arg(&rc);
    }
    command.args(["-i", "-c", script]).env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
    run(command.current_dir(home.path().join("elsewhere")))
}

/// What only bash knows.
const OF_BASH: &[&str] = &[
    "pushd -n ../beta",
    "cd - >/dev/full",
    "popd -n",
    "cd -e -P ../beta",
    "cd -@ ../beta",
    "cd ../beta extra",
    "shopt -s cdspell; cd ../bet",
    "shopt -s autocd; ../beta",
    "shopt -s cdable_vars; b=$HOME/beta; cd b",
    "set -o posix; cd ../beta",
    "set -o posix; cd ../nowhere",
    "trap 'echo err' ERR; cd ../nowhere",
    "set -E; trap 'echo err' ERR; cd ../nowhere",
    "set -E; trap 'echo err' ERR; f() { cd ../nowhere; }; f",
    "trap 'echo debug' DEBUG; cd ../beta",
    "trap 'echo return' RETURN; cd ../beta",
    "set -P; cd ../link",
    "set -eE; trap 'echo err' ERR; cd ../nowhere",
    "shopt -s nocasematch; set -E; trap 'echo err' ERR; cd ../nowhere",
    "shopt -s nocasematch; set -e; cd ../beta; echo \"$-\"",
    "unset PWD; set -u; cd ../beta",
    "shopt -s inherit_errexit; set -e; x=$(cd ../nowhere; echo not here)",
];

#[test]
fn cd_says_and_returns_what_it_would() {
    let show = "; echo \"$? [$_] ${PIPESTATUS[*]-} $PWD $OLDPWD\"";
    let mut lines: Vec<String> = [
        "cd",
        "cd ..",
        "cd ../beta",
        "cd ../nowhere",
        "cd ''",
        "cd -",
        "cd a b",
        "cd -Z",
        "cd -- ../beta",
        "cd -P ../link",
        "cd -L ../link/..",
        "cd -P ../link/..",
        "CDPATH=..:; cd beta",
        "CDPATH=/nowhere:..; cd beta",
        "unset HOME; cd",
        "HOME=/nowhere; cd",
        "unset OLDPWD; cd -",
        "OLDPWD=/nowhere; cd -",
        "cd ../beta; cd -",
        "pushd ../beta",
        "pushd ../beta; pushd; popd",
        "popd",
        "pushd",
        "pushd ../nowhere",
        "pushd +7",
        "pushd ../beta; pushd ../acme; popd +1",
        "pushd ../beta; dirs -v",
        "cd ../beta | cat",
        "cd ../nowhere | cat",
        "! cd ../nowhere",
        "cd ../log",
        "cd ../beta/",
        "cd ./../elsewhere/./deep",
        "cd ../beta >/dev/full",
        "readonly OLDPWD; cd ../beta",
        "set -e; cd ../nowhere || true; (cd ../nowhere; echo not here); echo here",
        "set -e; cd ../nowhere; echo not here",
        "set -u; cd ../beta",
        "set -o pipefail; cd ../nowhere | cat",
        "IFS=/; cd ../beta",
        "set -f; cd ../beta",
        "f() { cd ../beta; return 7; }; f",
        "f() { local IFS=x; cd \"$@\"; }; f ../beta",
        "x=$(cd ../beta && pwd); echo \"$x\"",
        "x=$(cd ../nowhere 2>&1); echo \"$x\"",
        "trap 'echo exit $?' EXIT; cd ../beta",
        "true | false; cd ../beta",
        "true first; cd ../beta; echo \"$_\"",
        "cd ../beta && cd ../acme && cd ../elsewhere/deep && pwd -P",
        "chmod 0 ../locked; cd ../locked; cd ../locked/.; chmod 700 ../locked",
        "mkdir ../gone; cd ../gone; rmdir ../gone; cd .; cd ..",
    ]
    .map(str::to_owned)
    .into();
    for shell in [Bash, Zsh] {
        if !shell.is_installed() {
            continue;
        }
        if shell == Bash {
            lines.extend(OF_BASH.iter().map(|line| (*line).to_owned()));
        }
        let home = home();
        with_seen(&home);
        fs::create_dir(home.path().join("locked")).expect("a folder");
        for before in ["", "cd() { builtin cd \"$@\" && echo went; }"] {
            for line in &lines {
                let line = format!(": first; {line}{show}");
                let plain = script(shell, &home, false, before, &line);
                let hooked = script(shell, &home, true, before, &line);
                assert_eq!(hooked.code, plain.code, "{shell:?}: {before} {line}");
                assert_eq!(hooked.stdout, plain.stdout, "{shell:?}: {before} {line}");
                assert_eq!(hooked.stderr, plain.stderr, "{shell:?}: {before} {line}");
            }
        }
        lines.truncate(lines.len() - if shell == Bash { OF_BASH.len() } else { 0 });
    }
}

#[test]
fn a_child_gets_nothing_of_the_wrapper() {
    tell_to(&[Bash], |shell| {
        let home = home();
        with_seen(&home);
        // An exported function of the person's is for the scripts that run in the shell, too.
        let before = "cd() { builtin cd \"$@\" && echo went >>~/went; }; export -f cd; set -a";
        let mut sh = Hooked::start_with(shell, &home, before, &[]);
        sh.cd("acme");
        let seen = sh.environment();
        let names: Vec<_> = seen.keys().filter(|name| name.contains("__alchemy")).collect();
        assert!(names.is_empty(), "{names:?}");
        sh.line("bash -c 'cd ../beta && pwd >~/there'");
        sh.environment();
        let there = fs::read_to_string(home.path().join("there")).expect("written");
        assert!(there.trim_end().ends_with("/beta"), "{there}");
        let went = fs::read_to_string(home.path().join("went")).expect("written");
        assert_eq!(went, "went\nwent\n", "{}", sh.terminal.text());
        sh.exit();
    });
}

#[test]
fn a_trace_of_cd_shows_no_secret() {
    tell_to(&[Bash, Zsh], |shell| {
        let home = home();
        with_seen(&home);
        let variables = [("CLOUDFLARE_API_TOKEN", "mine-hunter2"), ("CF_API_KEY", "old-hunter2")];
        let mut sh = Hooked::start_with(shell, &home, "", &variables);
        sh.line("set -xv");
        sh.line("cd ~/acme; (cd ~/beta; cd ~/elsewhere); x=$(cd ~/beta; cd ~/acme); cd ~/beta; cd ~/elsewhere; cd ~/acme");
        sh.line("set +xv");
        assert_eq!(ours(&sh.environment())["CLOUDFLARE_API_TOKEN"], "tok-prod-hunter2");
        let shown = sh.exit();
        assert!(!shown.contains("hunter2"), "{shell:?}: {shown}");
    });
}

#[test]
fn what_is_said_at_cd_is_said_once_and_not_into_the_output_of_cd() {
    tell_to(&[Bash, Zsh], |shell| {
        let home = home();
        with_seen(&home);
        let mut sh = Hooked::start_with(shell, &home, &path_line(shell, &home), &[]);
        sh.line("(cd acme; cd ../beta); x=$(cd acme)");
        sh.environment();
        assert!(sh.said().is_empty(), "{shell:?}: a subshell says nothing");
        sh.line("cd acme && echo first");
        sh.environment();
        let shown = sh.terminal.text();
        assert_eq!(sh.said(), ["alchemy: prod (Acme)"], "{shell:?}");
        assert!(shown.find("alchemy: prod") < shown.rfind("\nfirst"), "{shell:?}: at once\n{shown}");
        sh.line("cd ../beta 2>~/errors; cd ../asks 2>>~/errors; cd ../beta 2>>~/errors; seen");
        sh.environment();
        assert_eq!(fs::read_to_string(home.path().join("errors")).expect("there"), "", "{shell:?}");
        assert_eq!(sh.said(), ["alchemy: beta (Beta)"], "{shell:?}: at the prompt");
        sh.line("");
        sh.environment();
        assert!(sh.said().is_empty(), "{shell:?}: once");
        sh.exit();
    });
}

/// From `beta`, where a token is set: what a subshell, and then a line, find in `acme`.
fn from_beta(
    signed_in: &SignedIn,
    variables: &[(&str, &str)],
    story: impl Fn(&mut Hooked, &dyn Fn() -> String) + Sync,
) {
    let home = &signed_in.home;
    home.token_profile("beta", "tok-beta-hunter2");
    bind(home, "prod", "acme");
    bind(home, "beta", "beta");
    with_seen(home);
    for shell in [Bash, Zsh] {
        if !shell.is_installed() {
            continue;
        }
        let mut sh = Hooked::start_with(shell, home, &path_line(shell, home), variables);
        sh.cd("beta");
        sh.environment();
        let log = home.path().join("log");
        let take = || {
            let seen = fs::read_to_string(&log).unwrap_or_default();
            fs::write(&log, "").expect("written");
            seen.trim_end().to_owned()
        };
        take();
        story(&mut sh, &take);
        sh.exit();
    }
}

#[test]
fn a_subshell_asks_no_network_and_is_left_with_no_other_accounts_credential() {
    let signed_in = SignedIn::prod(-60);
    from_beta(&signed_in, &[], |sh, take| {
        sh.line("(cd ../acme && seen); x=$(cd ../acme; seen)");
        sh.environment();
        assert_eq!(take(), "none\nnone", "{:?}", sh.shell);
        assert_eq!(signed_in.server.refreshes(), 0, "{:?}", sh.shell);
        assert!(!sh.terminal.text().contains("alchemy: prod"), "{:?}", sh.shell);
    });
    let home = &signed_in.home;
    let mut sh = Hooked::start_with(Bash, home, &path_line(Bash, home), &[]);
    sh.line("cd acme && seen"); // it is the shell itself that has it renewed
    sh.environment();
    let seen = fs::read_to_string(home.path().join("log")).expect("a log");
    assert_eq!((seen.trim_end(), signed_in.server.refreshes()), (&*signed_in.pair().access, 1));
    sh.exit();
}

#[test]
fn a_subshell_has_what_is_in_the_keyring() {
    let Some(keyring) = Keyring::start() else { return };
    let mut signed_in = SignedIn::new();
    let pair = signed_in.keyring_profile(&keyring, 600);
    from_beta(&signed_in, &[(BUS, keyring.address())], |sh, take| {
        sh.line("(cd ../acme && seen)");
        sh.environment();
        assert_eq!(take(), pair.access, "{:?}", sh.shell);
    });
}

#[test]
fn where_the_credential_is_late_the_old_one_is_gone_and_cd_returns() {
    let signed_in = SignedIn::prod(-60);
    let gate = signed_in.server.gate(Moment::Received);
    from_beta(&signed_in, &[], |sh, take| {
        sh.line("cd ../acme; echo st$?; seen");
        sh.environment();
        assert_eq!(take(), "none", "{:?}", sh.shell);
        assert!(sh.terminal.text().contains("\nst0"), "{:?}", sh.shell);
    });
    drop(gate);
}

#[test]
fn where_alchemy_itself_is_gone_the_old_credential_is_gone_with_the_directory() {
    tell_to(&[Bash, Zsh, Fish], |shell| {
        let home = home();
        with_seen(&home);
        let link = home.path().join("link-to-alchemy");
        symlink(ALCHEMY, &link).expect("a link");
        let mut sh = Hooked::start_with(shell, &home, &path_line(shell, &home), &[]);
        let read = format!("{} hook {}", link.display(), shell.name());
        sh.line(&if shell == Fish { format!("{read} | source") } else { format!("eval \"$({read})\"") });
        sh.cd("acme");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        fs::remove_file(&link).expect("removed");
        sh.line(
            "cd ../beta 2>/dev/null; and seen"
                .replace("; and", if shell == Fish { "; and" } else { " &&" })
                .as_str(),
        );
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        assert_eq!(fs::read_to_string(home.path().join("log")).expect("a log"), "none\n", "{shell:?}");
        sh.exit();
    });
}

/// As powerlevel10k does it: a prompt is shown first of all, what is written until the real one is there is kept in a
/// file, and is warned of.
const INSTANT_PROMPT: &str = r#"
exec {real_1}>&1 {real_2}>&2 1>~/instant 2>&1
typeset -gi __p9k_instant_prompt_active=1
instant_prompt_ends() {
  ((${+__p9k_instant_prompt_active})) || return 0
  exec 1>&$real_1 2>&$real_2
  [[ ! -s ~/instant ]] || print -r -- "WARNING: console output: $(<~/instant)"
  unset __p9k_instant_prompt_active
}
cd ~/beta"#;

#[test]
fn nothing_is_written_while_an_instant_prompt_is_shown() {
    tell_to(&[Zsh], |shell| {
        let home = home();
        with_seen(&home);
        let last = "cd ~/acme\nprecmd_functions+=(instant_prompt_ends)";
        let mut sh = Hooked::start_among(shell, &home, INSTANT_PROMPT, last, &[]);
        // Without a key being pressed.
        sh.terminal.expect("alchemy: prod (Acme)");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"));
        sh.line("cd ../beta");
        sh.environment();
        assert_eq!(sh.said(), ["alchemy: prod (Acme)", "alchemy: beta (Beta)"]);
        let shown = sh.exit();
        assert!(!shown.contains("WARNING"), "{shown}");
    });
}
