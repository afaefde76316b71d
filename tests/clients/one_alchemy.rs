//! One `alchemy` for both: npm's commands go to the project's own npm `alchemy`, with the credential of the
//! profile that is selected, in the way that its version needs.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use support::places::Places;
use support::project::{install, install_script, link_bin};
use support::{ACME, BETA, Home, environment, run, write_program};

const ASKING: [&str; 11] =
    ["deploy", "destroy", "dev", "plan", "run", "logs", "drift", "state", "provider", "util", "unsafe"];
const NOT_ASKING: [&str; 3] = ["create", "init", "telemetry"];

/// A home with profiles, and in it a repository with an npm alchemy of this version that shows what it gets.
fn project(version: &str) -> Places {
    let places = Places::new();
    places.directory("code/.git");
    install(&places.path("code"), version);
    places
}

/// What the npm alchemy got.
#[track_caller]
fn got(places: &Places, below: &str, arguments: &[&str]) -> BTreeMap<String, String> {
    got_with(places, below, arguments, &[])
}

#[track_caller]
fn got_with(
    places: &Places,
    below: &str,
    arguments: &[&str],
    more: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let output = run(places.command(below, arguments).envs(more.iter().copied())).expect_code(0);
    environment(&output.stdout)
}

fn profile_of(got: &BTreeMap<String, String>) -> Option<&str> {
    let profile = got.get("ALCHEMY_PROFILE")?;
    assert_eq!(got["CLOUDFLARE_API_TOKEN"], format!("tok-hunter2-{profile}"));
    assert_eq!(got["CLOUDFLARE_ACCOUNT_ID"], if profile == "prod" { ACME } else { BETA });
    Some(profile)
}

#[test]
fn npms_commands_get_the_credential_or_none_and_their_arguments_as_they_are() {
    let places = project("0.94.0");
    for word in ASKING {
        let got = got(&places, "code", &[word, "--profile", "prod", "-v", "--", "-q", "x y"]);
        assert_eq!(profile_of(&got), Some("prod"), "{word}");
        assert_eq!(got["ARGUMENTS"], format!("{word} --profile prod -v -- -q x y"));
    }
    // As they find it, it stays.
    let own = [("CLOUDFLARE_API_TOKEN", "tok-own"), ("CF_API_KEY", "own")];
    for word in NOT_ASKING {
        let got = got_with(&places, "code", &[word, "--profile=prod", "x"], &own);
        assert_eq!(got["ARGUMENTS"], format!("{word} --profile=prod x"));
        assert_eq!((got["CLOUDFLARE_API_TOKEN"].as_str(), got["CF_API_KEY"].as_str()), ("tok-own", "own"));
        assert!(!got.contains_key("CLOUDFLARE_ACCOUNT_ID") && !got.contains_key("CLOUDFLARE_API_KEY"));
    }
    // Help needs no profile.
    for help in ["--help", "-h"] {
        assert_eq!(profile_of(&got(&places, "code", &["deploy", help])), None);
    }
    let mut command = places.command("code", &["deploy", "--profile", "prod"]);
    let odd = OsStr::from_bytes(b"\xff\n'");
    let output = command.arg(odd).output().expect("started");
    assert!(output.stdout.windows(3).any(|bytes| bytes == odd.as_bytes()));
}

#[test]
fn after_two_dashes_comes_any_command_of_npms_also_one_that_is_ours() {
    let places = project("2.0.0-beta.79");
    for line in ["login", "configure -p x", "logout", "profile list", "init", "help", "--version", ""] {
        let line: Vec<&str> = line.split_whitespace().collect();
        let got = got(&places, "code", &[&["--"], &line[..]].concat());
        assert_eq!((got["ARGUMENTS"].as_str(), profile_of(&got)), (&*line.join(" "), None));
    }
    for line in ["deploy -h x --profile prod", "new --profile=prod", "exec --profile prod"] {
        let line: Vec<&str> = line.split(' ').filter(|word| *word != "-h").collect();
        let got = got(&places, "code", &[&["--"], &line[..]].concat());
        assert_eq!((got["ARGUMENTS"].as_str(), profile_of(&got)), (&*line.join(" "), Some("prod")));
    }
    let got = got(&places, "code", &["-vp", "prod", "--", "new", "--", "--profile", "x"]);
    assert_eq!((got["ARGUMENTS"].as_str(), profile_of(&got)), ("new -- --profile x", Some("prod")));
}

#[test]
fn the_profile_is_npms_option_ours_a_variables_a_bindings_or_an_allowed_pin_files() {
    let places = project("0.94.0");
    let (cloudflare, alchemy) = (("CLOUDFLARE_PROFILE", "prod"), ("ALCHEMY_PROFILE", "beta"));
    let table = [
        ("deploy --profile=beta", vec![], "beta"),
        ("-p beta deploy", vec![], "beta"),
        ("-pbeta -y deploy --stage x", vec![], "beta"),
        ("--profile=beta deploy --profile beta", vec![], "beta"),
        ("deploy --profile beta", vec![cloudflare], "beta"),
        ("deploy", vec![cloudflare, alchemy], "prod"),
        ("deploy", vec![alchemy], "beta"),
        ("util create-cloudflare-token -p beta", vec![], "beta"),
    ];
    for (line, variables, profile) in table {
        let got = got_with(&places, "code", &line.split(' ').collect::<Vec<_>>(), &variables);
        assert_eq!(profile_of(&got), Some(profile), "{line} {variables:?}");
    }
    places.pin("code", "profile = \"beta\"");
    places.done("code", &["allow"]);
    assert_eq!(profile_of(&got(&places, "code", &["plan"])), Some("beta"));
    places.done("code", &["use", "prod"]);
    assert_eq!(profile_of(&got(&places, "code", &["plan"])), Some("prod"));

    for arguments in
        [&["-p", "prod", "deploy", "--profile", "beta"][..], &["deploy", "--profile=a", "--profile", "b"]]
    {
        places
            .run("code", arguments)
            .expect_only_error(125, "two profiles are named")
            .expect_hint("name one");
    }
    places.run("code", &["deploy", "--profile", "prdo"]).expect_error(125, "prdo").expect_hint("prod");
    places.run("code", &["deploy", "--profile="]).expect_error(125, "profile");
}

#[test]
fn default_alone_is_not_enough_and_the_rule_for_ci_holds() {
    let places = project("0.94.0");
    let in_ci = [("CI", "true"), ("CLOUDFLARE_API_TOKEN", "tok-ci"), ("CLOUDFLARE_ACCOUNT_ID", ACME)];
    let ci = got_with(&places, "code", &["deploy"], &in_ci);
    assert_eq!((ci["CLOUDFLARE_API_TOKEN"].as_str(), ci["CLOUDFLARE_API_KEY"].as_str()), ("tok-ci", ""));

    places
        .run("code", &["deploy"])
        .expect_only_error(
            125,
            "nothing here selects a profile, and the project's own alchemy gets no credential",
        )
        .expect_hint("alchemy deploy --profile NAME; for this directory: alchemy use NAME");
    places.token_default();
    for variables in [&[][..], &in_ci] {
        let refused = places.run_with("code", &["deploy"], variables);
        refused
            .expect_only_error(125, "nothing here selects a profile, and 'default' alone is not enough")
            .expect_hint("for this run: alchemy deploy --profile NAME; for this directory: alchemy use NAME");
    }
    places.run("code", &["--", "new"]).expect_only_error(125, "alone").expect_hint("alchemy -p NAME -- …");
    let chosen = got(&places, "code", &["deploy", "--profile", "default"]);
    assert_eq!(chosen["CLOUDFLARE_API_TOKEN"], "tok-hunter2-default");
}

#[test]
fn each_version_gets_what_it_needs_against_its_env_file() {
    let places = project("0.94.0");
    places.home.key_profile("legacy", "key-hunter2", "me@example.com");
    let key = |places: &Places, profile| {
        let variables = [("CLOUDFLARE_API_KEY", "inherited"), ("CLOUDFLARE_ACCOUNT_EMAIL", "inherited")];
        let got = got_with(places, "code", &["deploy", "--profile", profile], &variables);
        assert!(!got.contains_key("CLOUDFLARE_ACCOUNT_EMAIL"));
        got.get("CLOUDFLARE_API_KEY").cloned()
    };
    let set = |version: &str| {
        let document = format!("{{ \"name\": \"alchemy\", \"version\": \"{version}\" }}");
        places.write("code/node_modules/alchemy/package.json", document);
    };
    for (version, blank) in
        [("0.94.0", true), ("1.2.3", true), ("2.0.0-beta.79", false), ("10.0.0", false), ("?", true)]
    {
        set(version);
        assert_eq!(key(&places, "prod"), blank.then(String::new), "{version}");
        assert_eq!(key(&places, "legacy").as_deref(), Some("key-hunter2"), "{version}");
    }
    // As pnpm does it: a script instead of a link, beside the package.
    fs::remove_file(places.path("code/node_modules/.bin/alchemy")).expect("removed");
    let script = "#!/bin/sh\nexec \"${0%/*}/../alchemy/bin/cli.js\" \"$@\"\n";
    write_program(&places.path("code/node_modules/.bin/alchemy"), script);
    set("2.1.0");
    assert_eq!(key(&places, "prod"), None);
    fs::remove_file(places.path("code/node_modules/alchemy/package.json")).expect("removed");
    assert_eq!(key(&places, "prod"), Some(String::new()));
}

#[test]
fn it_is_looked_for_up_to_the_repositorys_root_or_the_home_and_no_further() {
    let places = project("0.94.0");
    let from = |below: &str| {
        let output = run(&mut places.command(below, &["-v", "-p", "prod", "deploy"]));
        let line = output.stderr.lines().find_map(|line| line.split("running npm's alchemy 0.94.0, ").nth(1));
        line.map_or_else(|| output.code.to_string(), |path| path.replace(&places.text(""), ""))
    };
    assert_eq!(from("code"), "code/node_modules/.bin/alchemy");
    assert_eq!(from("code/packages/web"), "code/node_modules/.bin/alchemy");
    install(&places.directory("code/packages"), "0.94.0");
    assert_eq!(from("code/packages/web"), "code/packages/node_modules/.bin/alchemy");

    // Another repository ends it: also a worktree or a submodule, whose `.git` is a file.
    install(&places.path(""), "0.94.0");
    assert_eq!(from("elsewhere/deep"), "node_modules/.bin/alchemy");
    places.directory("other/.git");
    places.write("worktree/.git", "gitdir: x");
    assert_eq!([from("other/deep"), from("worktree/deep")], ["127", "127"]);
    let error = places.run("other/deep", &["deploy"]);
    error
        .expect_only_error(127, "npm's alchemy is not installed in ~/other/deep or above, up to ~/other")
        .expect_hint("npm install alchemy, or bun add alchemy");
    places.run("other", &["init"]).expect_only_error(127, "in ~/other").expect_hint("npx alchemy init");

    // Above the home, and outside of it, nobody looks further than the directory.
    let outside = tempfile::tempdir().expect("a folder");
    let deep = outside.path().join("deep");
    fs::create_dir(&deep).expect("a folder");
    install(outside.path(), "0.94.0");
    let at = |directory: &Path| run(places.command("", &["-p", "prod", "plan"]).current_dir(directory)).code;
    assert_eq!([at(outside.path()), at(&deep)], [0, 127]);
    let home = Home::new();
    let mut below_home = home.alchemy_command(&["init"]);
    run(below_home.env("HOME", &deep).current_dir(&deep)).expect_error(127, "not installed");
}

#[test]
fn what_cannot_be_run_has_the_exit_codes_of_exec() {
    let places = project("0.94.0");
    install_script(&places.directory("fails/x").join(".."), "0.94.0", "#!/bin/sh\nexit 42\n");
    assert_eq!(places.run("fails", &["-p", "prod", "deploy"]).code, 42);
    let program = places.path("code/node_modules/alchemy/bin/cli.js");
    fs::remove_file(&program).expect("removed");
    places.run("code", &["deploy"]).expect_only_error(127, "no such file").expect_hint("npm install");
    fs::write(&program, "").expect("written");
    places.run("code", &["deploy"]).expect_only_error(126, "permission denied").expect_hint("chmod +x");
    link_bin(&places.directory("folder"), Path::new("."));
    places.run("folder", &["deploy"]).expect_error(126, "permission denied");
    write_program(&program, "#!/nonexistent/node\n");
    places.run("code", &["-p", "prod", "deploy"]).expect_error(127, "cannot run 'alchemy'");
    places.run("code", &["--nonsense", "deploy"]).expect_error(125, "--nonsense");
}

#[test]
fn a_typo_runs_nothing_and_names_what_may_have_been_meant() {
    let places = project("0.94.0");
    places.done("code", &["use", "prod"]);
    let table = [
        ("deplyo", "did you mean deploy (npm's)"),
        ("dploy", "did you mean deploy (npm's)"),
        ("plann", "did you mean plan (npm's)"),
        ("logn", "did you mean login"),
        ("npm", "see alchemy --help; to have npm's alchemy try it: alchemy -- npm"),
        ("xyzzy", "see alchemy --help; to have npm's alchemy try it: alchemy -- xyzzy"),
    ];
    for (typo, hint) in table {
        for line in [&[typo][..], &[typo, "--profile", "prod"], &["-p", "prod", typo, "--stage=x"]] {
            let error = places.run("code", line).expect_only_error(2, &format!("no command '{typo}'"));
            error.expect_hint(hint);
        }
    }
    places.run("code", &["profile", "deploy"]).expect_error(2, "deploy");
}

#[test]
fn help_and_completion_show_npms_commands_as_npms() {
    let places = project("0.94.0");
    let help = places.run("code", &["--help"]).stdout;
    let (ours, npms) = help.split_once("Commands of npm's alchemy").expect("a heading");
    for word in ASKING.iter().chain(&NOT_ASKING) {
        assert!(npms.contains(word) && !ours.contains(&format!("\n  {word} ")), "{word}");
    }
    for help in [&["help", "deploy"][..], &["--help", "deploy"]] {
        let help = places.run("code", help).expect_code(0).stdout;
        assert!(help.contains("handed to the project's own npm alchemy"), "{help}");
        assert!(help.contains("Usage: alchemy [OPTIONS] deploy [ARGUMENTS]"), "{help}");
    }
    let page = places.run("code", &["man"]).expect_code(0).stdout;
    assert!(page.contains("COMMANDS OF NPM") && page.contains("fBdestroy"), "{page}");

    let answer = |line: &[&str]| {
        let answer = places.run("code", &[&["__complete", "zsh", "--", "alchemy"], line].concat()).stdout;
        answer.lines().skip(1).map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    };
    let answers: [(&[&str], &[&str]); 10] = [
        (&["depl"], &["deploy"]),
        (&["-p", "prod", "depl"], &["deploy"]),
        (&["-p", "pr"], &["prod"]),
        (&["-p", "prod", "deploy", "--profile", "b"], &["beta"]),
        (&["deploy", "--pro"], &["--profile"]),
        (&["deploy", "--"], &["--profile"]),
        (&["deploy", "--profile", ""], &["beta", "prod"]),
        (&["deploy", "--profile=pr"], &["--profile=prod"]),
        (&["deploy", "x"], &[]),
        (&["--", "deploy", "--acc"], &[]),
    ];
    for (line, expected) in answers {
        let found: Vec<String> = answer(line);
        assert_eq!(found, expected, "{line:?}");
    }
    let all: Vec<String> = answer(&[""]);
    assert!(all.iter().any(|word| word == "deploy") && !all.iter().any(|word| word == "__npm"), "{all:?}");
}
