//! The hook beside direnv's, in whichever order they stand in the rc file: neither takes the other's for its own,
//! and what direnv has loaded is fresh although direnv has no clock.

use std::fs;
use std::path::Path;
use std::time::Instant;

use support::authorization::Pair;
use support::bound::{Variables, bind, given, home, name_and_account, ours, tell, tell_to};
use support::direnv::Direnv;
use support::hooked::{Bash, Fish, Hooked, Shell, Zsh};
use support::pty::LIMIT;
use support::signed_in::SignedIn;
use support::{BETA, Home, has, run};

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
    without_direnvs(sh.environment())
}

fn without_direnvs(mut seen: Variables) -> Variables {
    seen.retain(|name, _| !name.starts_with("DIRENV_") || name == "DIRENV_LOG_FORMAT");
    seen
}

/// What a model of a directory is made of. The directories are named by their paths below the home.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Where the person goes.
    at: &'static str,
    /// The nearest directory that is bound, or has a project file that is allowed.
    chosen: Option<(&'static str, &'static str)>,
    /// The nearest directory with an `.envrc`, and what is in it.
    envrc: Option<(&'static str, Envrc)>,
}

#[derive(Debug, Clone, Copy)]
enum Envrc {
    /// Sets and removes variables.
    Sets(&'static [(&'static str, Option<&'static str>)]),
    /// `use alchemy beta`
    Uses,
    /// `use alchemy --profile-only beta`
    Names,
    /// `use alchemy`
    UsesOwn,
}
use Envrc::{Names, Sets, Uses, UsesOwn};

const NEUTRAL: Place = Place { at: "elsewhere", chosen: None, envrc: None };
const OTHER_ACCOUNT: &str = "11111111111111111111111111111111";
const UNRELATED: Envrc = Sets(&[("UNRELATED", Some("1"))]);
const TOKEN_OF_ITS_OWN: Envrc = Sets(&[(TOKEN, Some("other-hunter2"))]);

/// Ten kinds of directory, two of each.
const KINDS: [[Place; 2]; 10] = [
    // Nothing.
    [NEUTRAL, Place { at: "nowhere", ..NEUTRAL }],
    // Bound.
    [
        Place { at: "acme", chosen: Some(("acme", "prod")), envrc: None },
        Place { at: "beta", chosen: Some(("beta", "beta")), envrc: None },
    ],
    // Bound, with an `.envrc` that knows nothing of us.
    [
        Place { at: "both", chosen: Some(("both", "prod")), envrc: Some(("both", UNRELATED)) },
        Place { at: "both2", chosen: Some(("both2", "beta")), envrc: Some(("both2", UNRELATED)) },
    ],
    // An `.envrc` that sets the token.
    [
        Place { at: "token", chosen: None, envrc: Some(("token", TOKEN_OF_ITS_OWN)) },
        Place { at: "token2", chosen: Some(("token2", "prod")), envrc: Some(("token2", TOKEN_OF_ITS_OWN)) },
    ],
    // One that sets the account, and the time of the credential's end.
    [
        Place {
            at: "account",
            chosen: None,
            envrc: Some(("account", Sets(&[("CLOUDFLARE_ACCOUNT_ID", Some(OTHER_ACCOUNT))]))),
        },
        Place {
            at: "account2",
            chosen: Some(("account2", "beta")),
            envrc: Some((
                "account2",
                Sets(&[("CLOUDFLARE_ACCOUNT_ID", Some(OTHER_ACCOUNT)), ("CF_API_KEY", Some("x"))]),
            )),
        },
    ],
    // One that removes what is ours and what is the person's.
    [
        Place {
            at: "unset",
            chosen: None,
            envrc: Some(("unset", Sets(&[(TOKEN, None), ("CLOUDFLARE_ACCOUNT_ID", None)]))),
        },
        Place {
            at: "unset2",
            chosen: Some(("unset2", "prod")),
            envrc: Some(("unset2", Sets(&[(TOKEN, None), ("CF_API_KEY", None), ("ALCHEMY_PROFILE", None)]))),
        },
    ],
    // `use alchemy beta`, in a directory that is bound to another profile, too.
    [
        Place { at: "uses", chosen: None, envrc: Some(("uses", Uses)) },
        Place { at: "uses2", chosen: Some(("uses2", "prod")), envrc: Some(("uses2", Uses)) },
    ],
    // The same without the secret.
    [
        Place { at: "names", chosen: None, envrc: Some(("names", Names)) },
        Place { at: "names2", chosen: Some(("names2", "prod")), envrc: Some(("names2", Names)) },
    ],
    // One below the other: the `.envrc` below what is bound, and what is bound below the `.envrc`.
    [
        Place {
            at: "acme/inner",
            chosen: Some(("acme", "prod")),
            envrc: Some(("acme/inner", TOKEN_OF_ITS_OWN)),
        },
        Place { at: "uses/inner", chosen: Some(("uses/inner", "prod")), envrc: Some(("uses", Uses)) },
    ],
    // A project file that is allowed; an `.envrc` that takes what it selects.
    [
        Place { at: "project", chosen: Some(("project", "beta")), envrc: Some(("project", UNRELATED)) },
        Place { at: "own", chosen: Some(("own", "prod")), envrc: Some(("own", UsesOwn)) },
    ],
];

impl Envrc {
    fn text(self) -> String {
        match self {
            Uses => "use alchemy beta".to_owned(),
            Names => "use alchemy --profile-only beta".to_owned(),
            UsesOwn => "use alchemy".to_owned(),
            Sets(changes) => {
                let line = |(name, value): &(&str, Option<&str>)| match value {
                    Some(value) => format!("export {name}={value}\n"),
                    None => format!("unset {name}\n"),
                };
                changes.iter().map(line).collect()
            }
        }
    }
}

/// What direnv makes of an environment by what it has loaded.
fn with_direnv(home: &Home, loaded: Option<(&str, Envrc)>, below: &Variables) -> Variables {
    let mut above = below.clone();
    let Some((at, envrc)) = loaded else { return above };
    let envrc_path = format!("{}/.envrc", home.path().join(at).display());
    match envrc {
        Sets(changes) => {
            for (name, value) in changes {
                above.remove(*name);
                above.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
            }
            return above;
        }
        Uses => above.extend(given(home, at, "beta")),
        Names => above.extend(name_and_account(home, at, "beta")),
        UsesOwn => above.extend(given(home, at, "prod")),
    }
    if !matches!(envrc, Names) {
        above.remove("CF_API_KEY");
    }
    let mark =
        if matches!(envrc, UsesOwn) { format!("{envrc_path}::prod") } else { format!("{envrc_path}:beta") };
    above.insert("ALCHEMY_ACTIVE".to_owned(), mark);
    above
}

/// What the hook makes of an environment in a directory: the nearest that selects does, and of two in one directory
/// that which direnv has loaded.
fn with_hook(home: &Home, place: &Place, loaded: Option<(&str, Envrc)>, below: &Variables) -> Variables {
    let mut above = below.clone();
    let Some((at, profile)) = place.chosen else { return above };
    let is_direnvs = loaded.is_some_and(|(loaded, envrc)| match envrc {
        Uses | Names => {
            Path::new(place.at).starts_with(loaded) && (loaded == at || !Path::new(at).starts_with(loaded))
        }
        UsesOwn => Path::new(place.at).starts_with(loaded),
        Sets(_) => false,
    });
    if !is_direnvs {
        above.remove("CF_API_KEY");
        above.extend(given(home, at, profile));
    }
    above
}

/// The environment in a place: the person's, above it direnv's, above that ours.
fn model(home: &Home, place: &Place, loaded: Option<(&str, Envrc)>, own: &Variables) -> Variables {
    with_hook(home, place, loaded, &with_direnv(home, loaded, own))
}

/// A home in which all places are.
fn places() -> Home {
    let home = home();
    for Place { at, chosen, envrc } in KINDS.as_flattened() {
        fs::create_dir_all(home.path().join(at)).expect("a folder");
        if let Some((directory, envrc)) = envrc {
            Direnv::new(&home, directory, &envrc.text());
        }
        match chosen {
            Some(("project", profile)) => {
                let file = home.path().join("project/.alchemy.toml");
                fs::write(file, format!("profile = \"{profile}\"\n")).expect("written");
                home.run(&["allow", "project"]).expect_code(0);
            }
            Some((directory, profile)) => bind(&home, profile, directory),
            None => {}
        }
    }
    home
}

/// The way: from each kind of place to each, and then to where nothing is. Of each kind it is now one and now the other.
fn every_pair() -> Vec<Place> {
    let pair = |i: usize, j: usize| {
        let (first, second) = if i == j { (0, 1) } else { ((i + j) % 2, (i + j / 2) % 2) };
        [KINDS[i][first], KINDS[j][second], NEUTRAL]
    };
    // From and to where nothing is, each of these ways goes.
    let between = (1..KINDS.len()).flat_map(|i| (1..KINDS.len()).flat_map(move |j| pair(i, j)));
    pair(0, 0).into_iter().chain(between).collect()
}

/// The environment is compared with the model's on the line with the `cd`, and at the next prompt.
#[test]
fn whoever_acts_first_what_was_there_before_comes_back() {
    let way = every_pair();
    if !has("direnv") {
        return;
    }
    tell_to(&SHELLS, |shell| {
        for order in ORDERS {
            let home = places();
            let mut sh = start(shell, &home, order);
            sh.export(TOKEN, "mine-hunter2");
            sh.export("CF_API_KEY", "old-hunter2");
            let own = environment(&mut sh);
            let seen = sh.walk(&way.iter().map(|place| place.at).collect::<Vec<_>>());
            let mut differences = Vec::new();
            let mut loaded = None;
            let mut walked = String::new();
            for (place, [on_the_line, at_the_prompt]) in way.iter().zip(seen) {
                walked = format!("{walked} > {}", place.at);
                // direnv's own hook acts at the prompt; zsh's at once.
                let still_loaded = if shell == Zsh { place.envrc } else { loaded };
                loaded = place.envrc;
                for (when, seen, loaded) in
                    [("on the line", on_the_line, still_loaded), ("at the prompt", at_the_prompt, loaded)]
                {
                    let (seen, expected) = (without_direnvs(seen), model(&home, place, loaded, &own));
                    if seen != expected {
                        let way: Vec<&str> = walked.split(" > ").collect();
                        let last = way[way.len().saturating_sub(4)..].join(" > ");
                        differences.push(format!("{last}, {when}: {}", difference(&expected, &seen)));
                    }
                }
            }
            sh.exit();
            assert!(
                differences.is_empty(),
                "{shell:?}, {order:?}: {} of {}:\n{}",
                differences.len(),
                way.len(),
                differences[..differences.len().min(12)].join("\n")
            );
        }
    });
}

fn difference(expected: &Variables, seen: &Variables) -> String {
    let names: std::collections::BTreeSet<&String> = expected.keys().chain(seen.keys()).collect();
    let differing = names.into_iter().filter(|name| expected.get(*name) != seen.get(*name));
    let shown: Vec<String> = differing
        .map(|name| format!("{name} is {:?} and not {:?}", seen.get(name), expected.get(name)))
        .collect();
    shown.join(", ")
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
                let seen = sh.environment();
                // On a busy machine the prompt may not have waited for it, and says so.
                if !sh.said().iter().any(|line| line.contains("is still on its way")) {
                    assert_eq!(seen[TOKEN], signed_in.pair().access, "{shell:?}, {order:?}: at once");
                }
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

/// What a binding selects is not said where direnv has loaded another profile by the prompt, which says so itself.
#[test]
fn where_direnv_selects_another_profile_the_binding_is_not_said() {
    if !has("direnv") {
        return;
    }
    tell_to(&SHELLS, |shell| {
        for order in ORDERS {
            let home = home();
            Direnv::new(&home, "acme", "use alchemy beta");
            for directory in ["other", "denied"] {
                bind(&home, "prod", directory);
                Direnv::new(&home, directory, "export UNRELATED=1");
            }
            let mut sh = start(shell, &home, order);
            fs::write(home.path().join("denied/.envrc"), "export UNRELATED=2").expect("written");
            for (directory, lines) in [
                ("acme/sub", &[][..]),
                ("acme", &[]),
                ("elsewhere", &[]),
                ("acme", &[]),
                ("other/sub", &["alchemy: prod (Acme)"]),
                ("other", &[]),
                ("elsewhere", &[]),
                ("denied", &["alchemy: prod (Acme)"]),
                ("denied/sub/dir", &[]),
            ] {
                sh.cd(directory);
                sh.environment();
                assert_eq!(sh.said(), lines, "{shell:?}, {order:?}: {directory}");
            }
            sh.exit();
        }
    });
}

/// A shell in a shell, which goes elsewhere before its first prompt, as a terminal does that an editor opens.
#[test]
fn what_is_inherited_from_another_shell_is_never_what_direnv_puts_back() {
    if !has("direnv") {
        return;
    }
    tell_to(&SHELLS, |shell| {
        for order in ORDERS {
            let home = home();
            Direnv::new(&home, "token", "export CLOUDFLARE_API_TOKEN=other-hunter2");
            Direnv::new(&home, "names", "use alchemy --profile-only beta");
            for directory in ["token", "names"] {
                let mut sh = start(shell, &home, order);
                sh.cd("acme");
                let inside = sh.environment();
                sh.said();
                sh.nested();
                assert_eq!(sh.environment(), inside, "{shell:?}, {order:?}: as it was");
                assert!(sh.said().is_empty(), "{shell:?}, {order:?}: and nothing is said of it");
                sh.unnested();
                let at = home.path().join(directory);
                sh.nested_by(&format!("env -C '{}'", at.display()));
                let seen = environment(&mut sh);
                let expected = match directory {
                    "token" => [(TOKEN.to_owned(), "other-hunter2".to_owned())].into(),
                    _ => with_direnv(&home, Some(("names", Names)), &Variables::new()),
                };
                assert_eq!(ours(&seen), expected, "{shell:?}, {order:?}");
                sh.cd("elsewhere");
                assert!(ours(&environment(&mut sh)).is_empty(), "{shell:?}, {order:?}: nothing is left");
                sh.unnested();
                assert_eq!(sh.environment(), inside, "{shell:?}, {order:?}");
                sh.exit();
            }
        }
    });
}

/// direnv acts without a change of directory: an `.envrc` is edited, denied, allowed, loaded again.
#[test]
fn what_was_there_before_comes_back_whatever_makes_direnv_act() {
    if !has("direnv") {
        return;
    }
    tell_to(&SHELLS, |shell| {
        for order in ORDERS {
            let home = home();
            let direnv =
                Direnv::new(&home, "acme", "export CLOUDFLARE_API_TOKEN=other-hunter2").expect("direnv");
            let mut sh = start(shell, &home, order);
            sh.export(TOKEN, "mine-hunter2");
            sh.export("CF_API_KEY", "old-hunter2");
            let own = environment(&mut sh);
            sh.cd("acme");
            let prod = || {
                let mut prod = own.clone();
                prod.remove("CF_API_KEY");
                prod.extend(given(&home, "acme", "prod"));
                prod
            };
            assert_eq!(environment(&mut sh), prod(), "{shell:?}, {order:?}");
            // What the person changes inside stays, whatever direnv does.
            sh.export("CLOUDFLARE_ACCOUNT_ID", OTHER_ACCOUNT);
            let write = |text: &str| {
                let path = home.path().join("acme/.envrc");
                let before = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("its time");
                fs::write(&path, text).expect("written");
                // direnv knows whole seconds only.
                let file = fs::File::options().write(true).open(&path).expect("opened");
                file.set_modified(before + std::time::Duration::from_secs(2)).expect("its time set");
            };
            let mut expected = prod();
            expected.insert("CLOUDFLARE_ACCOUNT_ID".to_owned(), OTHER_ACCOUNT.to_owned());
            let (api, loopback) = ("https://api.cloudflare.com/client/v4", "http://127.0.0.1:9");
            for (text, endpoint) in [
                ("unset CLOUDFLARE_API_TOKEN", api),
                // The one override that counts for an existing credential.
                ("export CLOUDFLARE_BASE_URL=http://127.0.0.1:9", loopback),
                ("unset CF_API_KEY", api),
            ] {
                write(text);
                run(&mut direnv.command(&["allow"])).expect_code(0);
                for name in ["CLOUDFLARE_BASE_URL", "CLOUDFLARE_API_BASE_URL"] {
                    expected.insert(name.to_owned(), endpoint.to_owned());
                }
                sh.line("");
                assert_eq!(environment(&mut sh), expected, "{shell:?}, {order:?}: {text}");
                sh.line("direnv reload");
                assert_eq!(environment(&mut sh), expected, "{shell:?}, {order:?}: {text}, reloaded");
            }
            run(&mut direnv.command(&["deny"])).expect_code(0);
            sh.line("");
            assert_eq!(environment(&mut sh), expected, "{shell:?}, {order:?}: denied");
            // The `.envrc` selects another profile now, where the person is, and then none.
            write("use alchemy --profile-only beta");
            run(&mut direnv.command(&["allow"])).expect_code(0);
            sh.line("");
            let mut named = with_direnv(&home, Some(("acme", Names)), &own);
            named.insert("CLOUDFLARE_ACCOUNT_ID".to_owned(), BETA.to_owned());
            let seen = environment(&mut sh);
            assert_eq!(seen["ALCHEMY_ACTIVE"], named["ALCHEMY_ACTIVE"], "{shell:?}, {order:?}");
            assert_eq!(seen[TOKEN], "mine-hunter2", "{shell:?}, {order:?}");
            fs::remove_file(home.path().join("acme/.envrc")).expect("removed");
            sh.line("");
            assert_eq!(environment(&mut sh)[TOKEN], "tok-prod-hunter2", "{shell:?}, {order:?}");
            sh.unset("CLOUDFLARE_ACCOUNT_ID");
            sh.cd("elsewhere");
            assert_eq!(environment(&mut sh), own, "{shell:?}, {order:?}");
            sh.exit();
        }
    });
}

/// A shell whose hook cannot go before direnv's waits for it, until the next prompt: that is told by a time, which must be
/// past by whatever clock the shell has.
#[test]
fn who_waits_for_direnv_looks_again_at_the_next_prompt_by_any_clock() {
    let home = home();
    let waiting = |shell: &str| {
        let mut command = home.alchemy_command(&["hook-env", shell]);
        command.current_dir(home.path().join("acme")).env("DIRENV_DIR", "-/nowhere");
        run(&mut command).expect_code(0).stdout
    };
    for shell in ["nu", "elvish", "pwsh"] {
        let answer: serde_json::Value = serde_json::from_str(&waiting(shell)).expect("JSON");
        assert_eq!(answer["set"], serde_json::json!({}), "{shell}: it waits");
        let seconds = |name: &str| answer["state"][name].as_str().and_then(|text| text.parse::<i64>().ok());
        let (until, now) = (seconds("until").expect("a time"), seconds("now").expect("a time"));
        assert!(until < now - 3600, "{shell}: {until} at {now}");
    }
    assert!(waiting("tcsh").contains("set __alchemy_due=1;"));
    // Who goes before direnv waits for nothing.
    let mut command = home.alchemy_command(&["hook-env", "bash", "--found", ""]);
    command.current_dir(home.path().join("acme")).env("DIRENV_DIR", "-/nowhere");
    assert!(run(&mut command).expect_code(0).stdout.contains("tok-prod-hunter2"));
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
