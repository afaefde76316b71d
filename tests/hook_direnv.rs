//! The hook beside direnv's, in whichever order they stand in the rc file: neither takes the other's for its own,
//! and what direnv has loaded is fresh although direnv has no clock.

mod support;

use std::time::Instant;

use support::authorization::Pair;
use support::bound::{Variables, bind, given, home, ours, tell, tell_to};
use support::direnv::Direnv;
use support::hooked::{Bash, Fish, Hooked, Shell, Zsh};
use support::pty::LIMIT;
use support::signed_in::SignedIn;
use support::{Home, has};

/// Those that direnv has a hook for, as we do.
const SHELLS: [Shell; 3] = [Bash, Zsh, Fish];
const TOKEN: &str = "CLOUDFLARE_API_TOKEN";

/// Which of the two rc lines comes last: in bash and zsh it puts its hook first.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Order {
    OursThenDirenvs,
    DirenvsThenOurs,
}
use Order::{DirenvsThenOurs, OursThenDirenvs};

const ORDERS: [Order; 2] = [OursThenDirenvs, DirenvsThenOurs];

fn start(shell: Shell, home: &Home, order: Order) -> Hooked<'_> {
    let direnv = match shell {
        Fish => "direnv hook fish | source".to_owned(),
        shell => format!("eval \"$(direnv hook {})\"", shell.name()),
    };
    let (before, after) = if order == OursThenDirenvs { ("", &*direnv) } else { (&*direnv, "") };
    // Each line that direnv says would cost the test a look.
    Hooked::start_among(shell, home, before, after, &[("DIRENV_LOG_FORMAT", "")])
}

/// The environment without what direnv keeps for itself.
fn environment(sh: &mut Hooked) -> Variables {
    let mut seen = sh.environment();
    seen.retain(|name, _| !name.starts_with("DIRENV_") || name == "DIRENV_LOG_FORMAT");
    seen
}

/// The directories: name, and the profile that is right there, by the hook or by direnv; in `plain` ones an `.envrc`
/// knows nothing of us and sets a token by itself.
const DIRECTORIES: [(&str, Option<(&str, By)>); 8] = [
    ("acme", Some(("prod", By::Hook))),
    ("project", Some(("beta", By::Direnv))),
    ("elsewhere", None),
    ("both", Some(("beta", By::Either))),
    ("acme/inner", Some(("beta", By::Direnv))),
    ("differs", Some(("beta", By::Direnv))),
    ("plain", None),
    ("acme/plain", Some(("prod", By::Hook))),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum By {
    Hook,
    Direnv,
    Either,
}

/// A walk along every way from one of the first six to another.
fn every_way() -> Vec<usize> {
    let pairs = (0..6).flat_map(|i| (i + 1..6).flat_map(move |j| [i, j]));
    pairs.chain([0]).collect()
}

/// A walk to and from where an `.envrc` sets what the hook sets.
fn plain_ways() -> Vec<usize> {
    const ACME: usize = 0;
    const PROJECT: usize = 1;
    const ELSEWHERE: usize = 2;
    const PLAIN: usize = 6;
    const INNER: usize = 7;
    let first = [ACME, PLAIN, ACME, ELSEWHERE, PLAIN, ELSEWHERE, PROJECT, PLAIN, PROJECT, INNER, ELSEWHERE];
    let then = [INNER, ACME, INNER, PROJECT, ELSEWHERE, PLAIN, INNER, ELSEWHERE, ACME, INNER, ACME];
    [first, then].concat()
}

#[test]
fn each_directory_gives_its_own_and_nothing_is_left_of_the_others() {
    each_gives_its_own(&every_way());
}

#[test]
fn what_direnv_puts_back_is_never_taken_for_the_persons() {
    each_gives_its_own(&plain_ways());
}

fn each_gives_its_own(steps: &[usize]) {
    if !has("direnv") {
        return;
    }
    tell_to(&SHELLS, |shell| {
        for order in ORDERS {
            let home = home();
            for directory in ["project", "both", "acme/inner", "differs"] {
                Direnv::new(&home, directory, "use alchemy beta");
            }
            for directory in ["plain", "acme/plain"] {
                Direnv::new(&home, directory, "export CLOUDFLARE_API_TOKEN=other-hunter2");
            }
            bind(&home, "beta", "both");
            bind(&home, "prod", "differs");
            let mut sh = start(shell, &home, order);
            sh.export(TOKEN, "mine-hunter2");
            sh.export("CF_API_KEY", "old-hunter2");
            let before = environment(&mut sh);
            let mut way = String::new();
            for step in steps.iter().copied() {
                let (directory, right) = DIRECTORIES[step];
                way = format!("{way} > {directory}");
                sh.cd(directory);
                let seen = environment(&mut sh);
                let mut expected = before.clone();
                if let Some((profile, by)) = right {
                    expected.remove("CF_API_KEY");
                    let bound = directory.trim_end_matches("/plain");
                    expected.extend(given(&home, bound, profile));
                    let direnvs =
                        by == By::Direnv || (by == By::Either && !seen.contains_key("ALCHEMY_ACTIVE"));
                    if direnvs {
                        expected.remove("ALCHEMY_ACTIVE");
                    }
                }
                match directory {
                    "plain" => drop(expected.insert(TOKEN.to_owned(), "other-hunter2".to_owned())),
                    // Both set it there, and the last one wins: direnv, unless it had something to take back first.
                    "acme/plain" if seen[TOKEN] == "other-hunter2" => {
                        expected.insert(TOKEN.to_owned(), "other-hunter2".to_owned());
                    }
                    _ => {}
                }
                assert_eq!(seen, expected, "{shell:?}, {order:?}: {way}");
            }
            sh.cd("elsewhere");
            assert_eq!(sh.environment(), before, "{shell:?}, {order:?}: nothing of direnv's either");
            sh.exit();
        }
    });
}

#[test]
fn what_direnv_has_loaded_is_fresh_although_direnv_has_no_clock() {
    if !has("direnv") {
        return;
    }
    tell_to(&SHELLS, |shell| {
        for order in ORDERS {
            // A minute must be left: in two seconds it is not.
            let signed_in = SignedIn::prod(62);
            let Pair { access: old, .. } = signed_in.pair();
            Direnv::new(&signed_in.home, "project", "use alchemy prod");
            let mut sh = start(shell, &signed_in.home, order);
            sh.cd("project");
            assert_eq!(sh.environment().get(TOKEN), Some(&old), "{shell:?}, {order:?}");
            let since = Instant::now();
            while signed_in.server.refreshes() == 0 {
                assert!(since.elapsed() < LIMIT, "{shell:?}, {order:?}: nobody refreshes");
                sh.environment();
            }
            // That was at a prompt. Where direnv looks after us it has it there, else at the next one: fish calls
            // whoever came first.
            if shell != Fish || order == OursThenDirenvs {
                assert_eq!(sh.environment()[TOKEN], signed_in.pair().access, "{shell:?}, {order:?}: at once");
            }
            sh.line("");
            assert_eq!(sh.environment()[TOKEN], signed_in.pair().access, "{shell:?}, {order:?}");
            assert_eq!(signed_in.server.refreshes(), 1, "{shell:?}, {order:?}");
            sh.cd("");
            assert_eq!(sh.environment().get(TOKEN), None, "{shell:?}, {order:?}");
            sh.exit();
        }
    });
}

#[test]
fn a_token_that_is_renewed_meanwhile_does_not_come_back_old() {
    if !has("direnv") {
        return;
    }
    tell_to(&SHELLS, |shell| {
        for order in ORDERS {
            let signed_in = SignedIn::prod(3000);
            bind(&signed_in.home, "prod", "acme");
            Direnv::new(&signed_in.home, "project", "export CLOUDFLARE_API_TOKEN=other-hunter2");
            let mut sh = start(shell, &signed_in.home, order);
            let before = environment(&mut sh);
            sh.cd("acme");
            let old = environment(&mut sh);
            sh.cd("project");
            assert_eq!(environment(&mut sh)[TOKEN], "other-hunter2", "{shell:?}, {order:?}");
            signed_in.run(&["profile", "refresh", "prod"]).expect_code(0);
            sh.cd("acme");
            let new = environment(&mut sh);
            assert_eq!(new[TOKEN], signed_in.pair().access, "{shell:?}, {order:?}");
            assert_ne!(new[TOKEN], old[TOKEN]);
            sh.cd("");
            assert_eq!(environment(&mut sh), before, "{shell:?}, {order:?}");
            sh.exit();
        }
    });
}

#[test]
fn where_both_mean_the_same_profile_nothing_is_said_of_it() {
    if !has("direnv") {
        return;
    }
    tell_to(&SHELLS, |shell| {
        for order in ORDERS {
            let home = home();
            Direnv::new(&home, "acme", "use alchemy --profile-only prod");
            let mut sh = start(shell, &home, order);
            sh.cd("acme");
            let seen = environment(&mut sh);
            assert_eq!(seen["ALCHEMY_PROFILE"], "prod", "{shell:?}, {order:?}");
            let said = sh.said();
            assert!(said.iter().all(|line| line == "alchemy: prod (Acme)"), "{shell:?}, {order:?}: {said:?}");
            sh.cd("elsewhere");
            assert!(ours(&environment(&mut sh)).is_empty(), "{shell:?}, {order:?}");
            sh.exit();
        }
    });
}

/// As of a shell that an editor has started, which was started in a directory of direnv's.
#[test]
fn what_direnv_has_left_to_a_shell_without_its_hook_holds_nothing_up() {
    tell(|shell| {
        let home = home();
        let mut sh =
            Hooked::start_with(shell, &home, "", &[("DIRENV_DIR", "-/nowhere"), (TOKEN, "mine-hunter2")]);
        let before = environment(&mut sh);
        for (directory, profile) in [("acme", "prod"), ("beta", "beta")] {
            sh.cd(directory);
            sh.environment();
            sh.environment();
            assert_eq!(ours(&sh.environment()), given(&home, directory, profile), "{shell:?}");
        }
        sh.cd("elsewhere");
        sh.environment();
        sh.environment();
        assert_eq!(environment(&mut sh), before, "{shell:?}");
        sh.exit();
    });
}
