//! Who gets a credential when npm's commands are handed over: the program of a project for which the person has
//! chosen a profile, which nobody else can change, and which is not this program again.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, lchown};
use std::path::Path;

use nix::unistd::geteuid;
use support::places::{Places, git};
use support::project::{install, install_script, link_bin};
use support::{ACME, ALCHEMY, environment, has, run, write_program};

/// Keeps what it gets.
const KEEP: &str = "#!/bin/sh\necho \"$*\" >>\"$HOME/ran\"\nenv >>\"$HOME/seen\"\n";

/// For words that are ours: where none of them does anything. The subshell of exec, too, is the person's.
const NOWHERE: [(&str, &str); 4] = [
    ("CLOUDFLARE_API_BASE_URL", "http://127.0.0.1:9/client/v4"),
    ("HTTPS_PROXY", "http://127.0.0.1:9"),
    ("BROWSER", "/bin/true"),
    ("SHELL", "/bin/true"),
];

/// The words that help shows, ours and npm's, but those by which the person says that it may have one.
fn words(places: &Places) -> Vec<String> {
    let help = places.run("", &["--help"]).stdout;
    let (ours, npms) = help.split_once("Commands of npm's").expect("npm's");
    let ours = ours.split("Commands:\n").nth(1).unwrap_or_default().lines();
    let ours = ours.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let npms = npms.split([' ', ',', '\n']).filter(|word| word.len() > 2);
    let all = ours.chain(npms).chain(["deplyo", "new"]);
    all.filter(|word| !["allow", "deny", "use"].contains(word)).map(str::to_owned).collect()
}

/// Types every word in the clone, alone and after `--`. The program there gets no credential.
#[track_caller]
fn no_word_gives_a_credential(places: &Places, variables: &[(&str, &str)]) {
    let words = words(places);
    assert!(words.len() > 30, "{words:?}");
    for word in &words {
        for line in [&[word.as_str()][..], &["--", word], &[word, "."]] {
            let mut command = places.command("clone", line);
            command.envs(NOWHERE.iter().chain(variables).copied());
            run(&mut command);
        }
    }
    let seen = fs::read_to_string(places.path("seen")).unwrap_or_default();
    for trace in ["hunter2", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"] {
        assert!(!seen.contains(trace), "it has got {trace}");
    }
}

#[test]
fn no_word_typed_in_a_strangers_clone_gives_its_program_a_credential() {
    if !has("git") {
        return;
    }
    let places = Places::new();
    places.token_default();
    let origin = places.directory("origin");
    install_script(&origin, "0.94.0", KEEP);
    places.pin("origin", "profile = \"prod\"");
    git(&origin, &["init", "--quiet"]);
    git(&origin, &["add", "--force", "."]);
    git(&origin, &["commit", "--quiet", "-m", "one"]);
    git(&places.path(""), &["clone", "--quiet", "origin", "clone"]);

    no_word_gives_a_credential(&places, &[]);
    let ran = fs::read_to_string(places.path("ran")).expect("run without a credential");
    assert!(ran.lines().any(|line| line == "init") && !ran.lines().any(|line| line == "deploy"), "{ran}");
    places.run("clone", &["deploy"]).expect_only_error(125, "asks for profile 'prod' and is not allowed yet");

    // What is bound further up, or what a shell's hook has left there, does not vouch for it.
    places.done("", &["use", "beta"]);
    no_word_gives_a_credential(&places, &[]);
    places
        .run("clone", &["deploy"])
        .expect_only_error(125, "is not allowed yet")
        .expect_hint("alchemy allow");
    places.done("clone", &["deny"]);
    no_word_gives_a_credential(&places, &[]);
    places.run("clone", &["deploy"]).expect_only_error(125, "is denied");
    fs::remove_file(places.path("clone/.alchemy.toml")).expect("removed");
    places.done("", &["use", "--unset"]);
    no_word_gives_a_credential(&places, &[]);

    // Once allowed, it has it.
    places.pin("clone", "profile = \"prod\"");
    places.done("clone", &["allow"]);
    run(&mut places.command("clone", &["deploy"])).expect_code(0);
    assert!(fs::read_to_string(places.path("seen")).expect("seen").contains("tok-hunter2-prod"));
}

#[test]
fn what_a_shells_hook_has_set_for_another_directory_does_not_go_by() {
    let places = Places::new();
    places.directory("clone/.git");
    install_script(&places.path("clone"), "0.94.0", KEEP);
    places.home.run(&["profile", "set", "prod", "--also", "CF_API_TOKEN"]).expect_code(0);
    let active = format!("{}:prod", places.text("acme"));
    let hooked = [
        ("ALCHEMY_ACTIVE", active.as_str()),
        ("ALCHEMY_PROFILE", "prod"),
        ("CLOUDFLARE_API_TOKEN", "tok-hunter2-prod"),
        ("CLOUDFLARE_ACCOUNT_ID", ACME),
        ("CF_API_TOKEN", "tok-hunter2-prod"),
    ];
    no_word_gives_a_credential(&places, &hooked);
    places
        .run_with("clone", &["deploy"], &hooked)
        .expect_error(125, "the project's own alchemy gets no credential without one")
        .expect_hint("alchemy deploy --profile NAME");
}

#[test]
fn a_token_of_the_environment_does_not_stand_in_for_a_profile_that_a_clone_asks_for() {
    let places = Places::new();
    places.directory("clone/.git");
    install(&places.path("clone"), "0.94.0");
    let token = ("CLOUDFLARE_API_TOKEN", "own-hunter2");
    for name in ["prod", "missing"] {
        places.pin("clone", format!("profile = \"{name}\""));
        for more in [&[token][..], &[token, ("CI", "false")]] {
            let error = places.run_with("clone", &["deploy"], more);
            let words = format!("~/clone/.alchemy.toml asks for profile '{name}' and is not allowed yet");
            error.expect_only_error(125, &words).expect_hint("alchemy allow");
        }
    }
    let ci = [token, ("CI", "true")];
    let output = run(places.command("clone", &["deploy"]).envs(ci)).expect_code(0);
    assert_eq!(environment(&output.stdout)["CLOUDFLARE_API_TOKEN"], "own-hunter2");
    places.done("clone", &["deny"]);
    places.run_with("clone", &["deploy"], &[token]).expect_only_error(125, "is denied");
}

#[test]
fn what_exec_or_env_has_set_does_not_reach_those_that_need_no_credential() {
    let places = Places::new();
    places.home.key_profile("legacy", "hunter2-key", "me@example.com");
    places.home.run(&["profile", "set", "prod", "--also", "CF_API_TOKEN"]).expect_code(0);
    places.directory("code/.git");
    install(&places.path("code"), "0.94.0");
    let shell = format!("eval \"$({ALCHEMY} env prod)\" && exec {ALCHEMY} init");
    for word in ["create", "init", "telemetry"] {
        for (directory, line) in [
            ("code", &["exec", "prod", "--also", "TF_VAR_token", "--", ALCHEMY, word][..]),
            ("code", &["exec", "legacy", "--", ALCHEMY, word]),
            ("code", &["exec", "prod", "sh", "-c", &shell]),
        ] {
            let output = run(&mut places.command(directory, line)).expect_code(0);
            let got = environment(&output.stdout);
            for (name, value) in &got {
                assert!(!value.contains("hunter2") && !name.starts_with("CLOUDFLARE_"), "{line:?}: {name}");
            }
            assert!(!got.contains_key("ALCHEMY_PROFILE") && got.contains_key("PATH"), "{line:?}");
        }
    }
    let shell = shell.replace("exec ", "exec env HERE=1 ");
    let output = run(places.home.command("sh").args(["-c", &shell]).current_dir(places.path("code")));
    let got = environment(&output.expect_code(0).stdout);
    assert!(got.contains_key("HERE") && !got.values().any(|value| value.contains("hunter2")));
    // A person's own stays, and a profile's name alone is no secret.
    for (variables, left) in [
        (&[("CLOUDFLARE_API_TOKEN", "own-hunter2")][..], "CLOUDFLARE_API_TOKEN"),
        (&[("ALCHEMY_PROFILE", "prod"), ("CLOUDFLARE_ACCOUNT_ID", ACME)], "CLOUDFLARE_ACCOUNT_ID"),
    ] {
        let output = run(places.command("code", &["init"]).envs(variables.iter().copied())).expect_code(0);
        assert!(environment(&output.stdout).contains_key(left), "{left}");
    }
}

#[test]
fn nothing_runs_that_others_can_change() {
    let places = Places::new();
    let project = |name: &str| {
        let folder = places.directory(&format!("{name}/.git"));
        let folder = folder.parent().expect("a folder").to_owned();
        install_script(&folder, "0.94.0", KEEP);
        folder
    };
    let on_the_way = [
        "",
        "node_modules",
        "node_modules/.bin",
        "node_modules/alchemy",
        "node_modules/alchemy/bin",
        "node_modules/alchemy/bin/cli.js",
    ];
    let refused = |name: &str, words: &str, hint: &str| {
        for line in [&["-p", "prod", "deploy"][..], &["init"], &["--", "x", "--profile=prod"]] {
            let error = places.run(name, line).expect_only_error(125, words);
            error.expect_hint(hint).expect_hint("alchemy exec PROFILE -- ");
        }
    };
    for (at, below) in on_the_way.iter().enumerate() {
        for mode in [0o777, 0o775] {
            let name = format!("mode-{at}-{mode:o}");
            let path = project(&name).join(below);
            // A group that is nobody's own. Only who is in it can give it; else the mode for all must do.
            if mode == 0o775 && chown(&path, None, Some(12345)).is_err() {
                continue;
            }
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
            refused(&name, "others can change", "chmod go-w");
        }
        if geteuid().is_root() {
            let name = format!("owner-{at}");
            let path = project(&name).join(below);
            chown(&path, Some(1234), None).expect("given away");
            refused(&name, "belongs to user 1234, not to you or root", "ls -ld");
        }
    }
    if geteuid().is_root() {
        lchown(project("link").join("node_modules/.bin/alchemy"), Some(1234), None).expect("given away");
        refused("link", "belongs to user 1234", "ls -ld");
    }
    // Elsewhere, too: what a link leads to.
    let shared = places.directory("shared");
    fs::set_permissions(&shared, Permissions::from_mode(0o777)).expect("set");
    write_program(&shared.join("tool"), KEEP);
    let folder = places.directory("linked/.git").join("..");
    link_bin(&folder, &shared.join("tool"));
    refused("linked", "others can change", "chmod go-w");
    assert!(!places.path("ran").exists(), "something has run");

    // In a folder such as /tmp nobody can take away what is another's; and one's own group is oneself.
    fs::set_permissions(&shared, Permissions::from_mode(0o1777)).expect("set");
    run(&mut places.command("linked", &["-p", "prod", "deploy"])).expect_code(0);
}

#[test]
fn it_is_never_run_inside_itself() {
    let places = Places::new();
    let bin = places.directory("bin");
    std::os::unix::fs::symlink(ALCHEMY, bin.join("alchemy")).expect("linked");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("PATH"));
    let end = |below: &str, words: &str| {
        for line in [&["deploy"][..], &["init"], &["--", "plan"]] {
            let mut command = places.command(below, &[&["-p", "prod"], line].concat());
            let output = run(command.env("PATH", &path));
            let output = output.expect_only_error(125, words);
            assert!(!output.stderr.contains("hunter2"));
        }
    };
    places.directory("ourselves/.git");
    link_bin(&places.path("ourselves"), Path::new(ALCHEMY));
    end("ourselves", "~/ourselves/node_modules/.bin/alchemy is this program");
    // Another copy of it finds itself there.
    places.directory("copy/.git");
    fs::create_dir_all(places.path("copy/node_modules/.bin")).expect("a folder");
    let copy = places.text("copy/node_modules/.bin/alchemy");
    run(places.home.command("cp").args([ALCHEMY, &copy])).expect_code(0);
    for word in ["deploy", "init"] {
        let error = places.run("copy", &["-p", "prod", word]);
        error.expect_only_error(125, "~/copy/node_modules/.bin/alchemy is this program");
    }
    let wrappers = [
        ("same", "exec alchemy -p prod \"$@\""),
        ("other", "alchemy -p prod deploy more"),
        ("deep", "sh -c 'sh -c \"alchemy -p prod init; exit \\$?\"'"),
        ("dashes", "alchemy exec prod -- alchemy -p prod -- \"$@\""),
    ];
    for (name, line) in wrappers {
        let folder = places.directory(&format!("{name}/.git"));
        install_script(folder.parent().expect("a folder"), "0.94.0", &format!("#!/bin/sh\n{line}\n"));
        end(name, "was run by alchemy, and calls alchemy again");
    }
    // One that calls another's, as a stack may, and by it itself.
    for (name, other) in [("one", "two"), ("two", "one")] {
        let folder = places.directory(&format!("{name}/.git"));
        let script = format!("#!/bin/sh\ncd ../{other} && exec alchemy -p prod deploy\n");
        install_script(folder.parent().expect("a folder"), "0.94.0", &script);
    }
    end("one", "~/one/node_modules/.bin/alchemy was run by alchemy, and calls alchemy again");
    install(&places.path("end"), "0.94.0");
    let script = "#!/bin/sh\ncd ../end && exec alchemy -p beta deploy\n";
    places.directory("start/.git");
    install_script(&places.path("start"), "0.94.0", script);
    let output = run(places.command("start", &["-p", "prod", "deploy"]).env("PATH", &path)).expect_code(0);
    assert_eq!(environment(&output.stdout)["CLOUDFLARE_API_TOKEN"], "tok-hunter2-beta");
}

#[test]
fn the_guard_and_the_gate_are_those_of_exec() {
    let places = Places::new();
    places.directory("code/.git");
    install(&places.path("code"), "0.94.0");
    places.pin("code", format!("account = \"{ACME}\""));
    places.run("code", &["-p", "beta", "deploy"]).expect_error(125, &format!("is for account Acme ({ACME})"));
    let account = ["-p", "beta", "--account", ACME, "deploy"];
    let output = run(&mut places.command("code", &account)).expect_code(0);
    assert_eq!(environment(&output.stdout)["CLOUDFLARE_ACCOUNT_ID"], ACME);

    places.home.run(&["profile", "set", "prod", "--confirm"]).expect_code(0);
    places.run("code", &["-p", "prod", "deploy"]).expect_code(125).expect_hint("ALCHEMY_CONFIRM=prod");
    let output = run(&mut places.command("code", &["-y", "-p", "prod", "deploy"])).expect_code(0);
    assert_eq!(environment(&output.stdout)["ALCHEMY_CONFIRM"], "prod");
}
