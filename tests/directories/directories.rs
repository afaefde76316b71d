//! Bindings: which directory uses which profile, and what of a directory's name, links and git worktrees
//! counts for that.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use support::places::{Places, git};
use support::{ACME, BETA, finished, has, run};

#[test]
fn the_nearest_directory_upward_wins_and_any_name_that_is_given_goes_before_it() {
    let places = Places::new();
    assert_eq!(places.applies("code/acme"), "default (by default)");
    let said = places.done("code", &["use", "prod"]);
    assert_eq!(said, format!("alchemy: ~/code uses profile 'prod' now (account Acme ({ACME}))\n"));
    places.directory("code/acme/beta");
    places.done("", &["use", "beta", "code/acme/beta"]);

    assert_eq!(places.applies("code/acme"), "prod (bound at ~/code)");
    assert_eq!(places.applies("code/acme/beta/deep/below"), "beta (bound at ~/code/acme/beta)");
    assert_eq!(places.applies("code-2"), "default (by default)", "a name that only starts alike");
    assert_eq!(places.runs_with("code/acme"), "prod");

    let who = ["profile", "current"];
    let table: [(&[(&str, &str)], &str); 7] = [
        (&[("ALCHEMY_PROFILE", "beta")], "beta (from ALCHEMY_PROFILE)"),
        (&[("CLOUDFLARE_PROFILE", "beta"), ("ALCHEMY_PROFILE", "x")], "beta (from CLOUDFLARE_PROFILE)"),
        (&[("ALCHEMY_PROFILE", "")], "prod (bound at ~/code)"),
        // What the hook has set in another directory says nothing here.
        (&[("ALCHEMY_PROFILE", "beta"), ("ALCHEMY_ACTIVE", "/a:b:beta")], "prod (bound at ~/code)"),
        (&[("ALCHEMY_PROFILE", "beta"), ("ALCHEMY_ACTIVE", "/a:prod")], "beta (from ALCHEMY_PROFILE)"),
        (&[("ALCHEMY_PROFILE", "beta"), ("ALCHEMY_ACTIVE", "")], "beta (from ALCHEMY_PROFILE)"),
        (
            &[("CLOUDFLARE_PROFILE", "beta"), ("ALCHEMY_PROFILE", "beta"), ("ALCHEMY_ACTIVE", "/a:beta")],
            "beta (from CLOUDFLARE_PROFILE)",
        ),
    ];
    for (variables, expected) in table {
        let output = places.run_with("code", &who, variables).expect_code(0);
        assert_eq!(output.stdout.trim_end(), expected, "{variables:?}");
    }
    assert_eq!(run(&mut places.command("code", &["token", "beta"])).stdout, "tok-hunter2-beta\n");
}

#[test]
fn every_command_that_is_about_a_profile_follows_the_directory() {
    let places = Places::new();
    places.done("code", &["use", "beta"]);
    let shown = places.run("code", &["profile", "show"]).expect_code(0).stdout;
    assert!(shown.starts_with("profile  beta (bound at ~/code)\n"), "{shown}");
    let listed = places.run("code", &["list"]).expect_code(0).stdout;
    assert!(listed.lines().any(|line| line.starts_with("*  beta ")), "{listed}");
    for command in [&["token"][..], &["env"], &["credential-process"]] {
        let output = run(&mut places.command("code", command)).expect_code(0);
        assert!(output.stdout.contains("tok-hunter2-beta"), "{command:?}");
    }
    places.home.run(&["profile", "delete", "beta", "--yes"]).expect_code(0);
    places.run("code", &["exec", "--", "true"]).expect_only_error(125, "no profile 'beta' (bound at ~/code)");
}

#[test]
fn a_profile_that_is_renamed_keeps_its_directories() {
    let places = Places::new();
    places.done("a", &["use", "prod"]);
    places.done("b", &["use", "beta"]);
    let said = places.done("", &["profile", "rename", "prod", "live"]);
    assert!(said.contains("also for the directory that was bound to it"), "{said}");
    let listed = places.run("", &["use", "--list"]).expect_code(0).stdout;
    assert_eq!(listed, "DIRECTORY  PROFILE\n~/a        live\n~/b        beta\n");
    assert_eq!(places.runs_with("a"), "live");
}

#[test]
fn alone_it_says_which_profile_applies_and_why() {
    let places = Places::new();
    places.done("code", &["use", "prod"]);
    places.pin("code/acme", format!("profile = \"beta\"\naccount = \"{BETA}\"\n"));
    let alone = places.run("code", &["use"]).expect_code(0);
    assert_eq!(alone.stdout, format!("profile  prod (bound at ~/code)\naccount  Acme ({ACME})\n"));

    let chain = places.run("code/acme", &["use", "-v"]).expect_code(0).stdout;
    let row = |start: &str, words: &[&str]| {
        let line = chain.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("'{start}' in:\n{chain}"));
        for word in words {
            assert!(line.contains(word), "'{word}' in: {line}");
        }
    };
    row("   CLOUDFLARE_PROFILE", &[]);
    row("   ~/code/acme/.alchemy.toml", &["beta", BETA, "not allowed"]);
    row("*  ~/code ", &["prod", "bound"]);
    row("   by default", &["default"]);
    row("guard", &["only account", BETA, "nothing leaves"]);

    let json = places.run("code/acme", &["use", "--json"]).expect_code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["profile"], &json["account"]["id"]), (&"prod".into(), &ACME.into()));
    assert_eq!(json["guard"]["account"], BETA);
    let wins: Vec<_> = json["chain"].as_array().expect("rows").iter().map(|row| &row["wins"]).collect();
    assert_eq!(wins.iter().filter(|wins| ***wins == true).count(), 1);

    // The row that is marked is the one that is followed, whatever there is.
    places.done("code/acme", &["allow"]);
    assert_eq!(places.applies("code/acme"), "beta (pinned by ~/code/acme/.alchemy.toml)");
    let marked = places.run("code/acme", &["use", "-v"]).expect_code(0).stdout;
    assert!(marked.lines().any(|line| line.starts_with("*  ~/code/acme/.alchemy.toml")), "{marked}");
    let hook = [("ALCHEMY_PROFILE", "prod"), ("ALCHEMY_ACTIVE", "/x:prod")];
    let marked = places.run_with("code/acme", &["use", "-v"], &hook).expect_code(0).stdout;
    assert!(marked.lines().any(|line| line.starts_with("*  ~/code/acme/.alchemy.toml")), "{marked}");
}

#[test]
fn the_credential_of_another_directory_is_not_taken_for_the_persons_own() {
    let places = Places::new();
    let own = [("CLOUDFLARE_API_TOKEN", "tok-hunter2"), ("CLOUDFLARE_ACCOUNT_ID", ACME)];
    let run = ["exec", "--", "true"];
    places.run_with("code", &run, &own).expect_code(0);
    // `cd` in a script that a hooked shell has started: nothing has taken the directory's credential away.
    let of_hook = [("ALCHEMY_PROFILE", "prod"), ("ALCHEMY_ACTIVE", "/x:prod")];
    places
        .run_with("code", &run, &[&own[..], &of_hook].concat())
        .expect_only_error(125, "no profile 'default'");
}

#[test]
fn a_binding_is_of_a_profile_and_a_directory_that_exist() {
    let places = Places::new();
    let before = places.home.snapshot();
    places.run("code", &["use", "prdo"]).expect_only_error(1, "no profile 'prdo'").expect_hint("prod");
    places.run("code", &["use", "../x"]).expect_only_error(2, "cannot be a profile's name");
    places.run("code", &["use", "prod", "gone"]).expect_only_error(1, "gone is no directory");
    places.write("code/file", "");
    places.run("code", &["use", "prod", "file"]).expect_only_error(1, "file is no directory");
    places.run("code", &["use", "prod", ".", "more"]).expect_only_error(2, "too many words");
    places.run("code", &["use", "-p", "prod", ".", "more"]).expect_only_error(2, "too many words");
    assert!(places.home.snapshot() == before, "nothing is changed");

    places.done("code", &["use", "-p", "prod", "."]);
    let said = places.done("code", &["use", "beta"]);
    assert!(said.contains("and no longer 'prod'"), "{said}");
    let json = places.run("code", &["use", "prod", "--json"]).expect_code(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["directory"], &json["before"]), (&places.text("code").into(), &"beta".into()));
}

#[test]
fn what_stands_against_a_new_binding_is_said() {
    let places = Places::new();
    places.pin("code", format!("account = \"{BETA}\""));
    let output =
        places.run_with("code/acme", &["use", "prod"], &[("ALCHEMY_PROFILE", "beta")]).expect_code(0);
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(
        matches!(lines[..], [done, guard, variable]
        if done.contains("uses profile 'prod'") && guard.contains(&format!("~/code/.alchemy.toml is for account {BETA}"))
            && variable.contains("from ALCHEMY_PROFILE goes before it")),
        "{}",
        output.stderr
    );
    places.pin("code", "nonsense");
    let said = places.run("code", &["use", "beta"]).expect_code(0).stderr;
    assert!(said.contains("nothing can be run there yet") && said.contains("line 1"), "{said}");
}

#[test]
fn unset_takes_exactly_one_binding_away_also_when_its_directory_is_gone() {
    let places = Places::new();
    places.done("code", &["use", "prod"]);
    places.done("code/acme", &["use", "beta"]);
    let error =
        places.run("code/other", &["use", "--unset"]).expect_only_error(1, "~/code/other is not bound");
    error.expect_hint(&format!("alchemy use --unset {}", places.text("code")));
    places.run("", &["use", "--unset"]).expect_only_error(1, "is not bound").expect_hint("use --list");

    let listed = || places.run("", &["use", "--list"]).expect_code(0).stdout;
    assert_eq!(listed(), "DIRECTORY    PROFILE\n~/code       prod\n~/code/acme  beta\n");
    fs::remove_dir(places.path("code/acme")).expect("removed");
    assert_eq!(listed(), "DIRECTORY    PROFILE\n~/code       prod\n~/code/acme  beta     gone\n");
    // By another way to it, of which a part is gone.
    symlink(places.path("code"), places.path("link")).expect("a link");
    places.done("", &["use", "--unset", "link/gone/../acme"]);
    assert_eq!(listed(), "DIRECTORY  PROFILE\n~/code     prod\n");
    let json = places.run("code", &["use", "--unset", "--json"]).expect_code(0).stdout;
    assert!(json.contains("\"unbound\": \"prod\""), "{json}");
    assert!(places.done("", &["use", "--list"]).contains("no directory is bound yet"));
}

#[test]
fn links_lead_to_the_real_directory_and_a_directory_that_is_gone_says_nothing() {
    let places = Places::new();
    places.directory("real/sub");
    symlink(places.path("real"), places.path("link")).expect("a link");
    places.done("link/sub", &["use", "prod"]);
    assert_eq!(places.applies("real/sub"), "prod (bound at ~/real/sub)");
    assert_eq!(places.applies("link/sub"), "prod (bound at ~/real/sub)");
    let home = places.path("home");
    symlink(places.path("real"), &home).expect("a link");
    let mut command = places.command("real/sub", &["profile", "current"]);
    let output = run(command.env("HOME", home).env("ALCHEMY_HOME", places.home.alchemy(""))).expect_code(0);
    assert_eq!(output.stdout, "prod (bound at ~/sub)\n");

    let script = "rmdir \"$PWD\" && exec \"$0\" profile current";
    let alchemy = support::ALCHEMY;
    let mut command = places.home.command("sh");
    command.args(["-c", script, alchemy]).current_dir(places.path("link/sub"));
    assert_eq!(run(&mut command).expect_code(0).stdout, "default (by default)\n");
}

#[test]
fn a_name_that_cannot_be_written_down_is_refused_and_one_with_control_characters_cannot_forge_a_line() {
    use std::os::unix::ffi::OsStrExt;
    let places = Places::new();
    let odd = places.path("").join(std::ffi::OsStr::from_bytes(b"x\xff"));
    // Not every file system takes such a name.
    if fs::create_dir(&odd).is_ok() {
        let output = run(places.command("", &["use", "prod"]).current_dir(&odd));
        output.expect_only_error(1, "is not UTF-8");
    }
    let forged = places.directory("x\nalchemy: \x1b[31mforged");
    let output = run(places.command("", &["use", "prod"]).current_dir(&forged)).expect_code(0);
    assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
    let listed = places.run("", &["use", "--list"]).expect_code(0).stdout;
    assert!(!listed.contains('\x1b') && listed.lines().count() == 2, "{listed}");
    let current = run(places.command("", &["profile", "current"]).current_dir(&forged)).expect_code(0).stdout;
    assert!(!current.contains('\x1b') && current.lines().count() == 1, "{current}");
}

#[test]
fn many_at_once_lose_nothing_and_the_document_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let places = Places::new();
    let names: Vec<String> = (0..12).map(|n| format!("code/{n}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| places.command(name, &["use", "prod"]).stderr(Stdio::piped()).spawn().expect("started"))
        .collect();
    for child in children {
        finished(child.wait_with_output().expect("finished")).expect_code(0);
    }
    let listed = places.run("", &["use", "--list", "--json"]).expect_code(0).stdout;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(12));
    let mode = fs::metadata(places.home.alchemy("bindings.json")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_document_that_cannot_be_understood_is_named_and_left_alone_and_unknown_fields_stay() {
    let places = Places::new();
    places.pin("code", "profile = \"prod\"");
    for (file, command) in [("bindings.json", &["use", "prod"]), ("trust.json", &["allow", "."])] {
        for (text, words) in [
            ("{ \"version\": 1,", "EOF while parsing"),
            ("", "is empty"),
            ("{ \"bindings\": [], \"allowed\": [] }", "line 1 column"),
            ("{ \"version\": 2, \"bindings\": 7 }", "is of version 2"),
        ] {
            places.home.write(file, text);
            places.run("code", command).expect_only_error(1, words);
            places.run("code", &["exec", "--", "true"]).expect_only_error(125, words);
            places.run("code", &["list"]).expect_code(0);
            assert_eq!(places.home.read(file), text);
        }
        places.home.write(file, "{ \"version\": 1, \"ours\": { \"x\": [1] } }");
        places.run("code", command).expect_code(0);
        let after: serde_json::Value = serde_json::from_str(&places.home.read(file)).expect("JSON");
        assert_eq!(after["ours"]["x"][0], 1, "{after}");
    }
    let wrong = format!("{{ \"bindings\": {{ {:?}: \"../x\" }} }}", places.text("code"));
    places.home.write("bindings.json", &wrong);
    places.run("code", &["token"]).expect_only_error(1, "'../x' cannot be a profile's name");
}

/// A repository at `code/acme` with one commit, and a worktree of it at `trees/fix`.
fn repository(places: &Places) {
    let main = places.directory("code/acme");
    places.write("code/acme/sub/file", "x");
    git(&main, &["init", "--quiet"]);
    git(&main, &["add", "."]);
    git(&main, &["commit", "--quiet", "-m", "one"]);
    places.directory("trees");
    git(&main, &["worktree", "add", "--quiet", "-b", "fix", &places.text("trees/fix")]);
}

#[test]
fn a_worktree_is_covered_by_its_main_one() {
    if !has("git") {
        return;
    }
    let places = Places::new();
    repository(&places);
    places.done("trees", &["use", "beta"]);
    assert_eq!(places.applies("trees/fix"), "beta (bound at ~/trees)");
    places.done("code", &["use", "prod"]);
    assert_eq!(places.applies("trees/fix/sub"), "prod (bound at ~/code)", "as though it stood there");
    places.done("code/acme/sub", &["use", "beta"]);
    assert_eq!(places.applies("trees/fix/sub"), "beta (bound at ~/code/acme/sub)", "the same path");
    assert_eq!(places.applies("trees/fix"), "prod (bound at ~/code)");
    places.done("trees/fix", &["use", "beta"]);
    assert_eq!(places.applies("trees/fix/sub"), "beta (bound at ~/trees/fix)", "its own goes first");

    // A worktree inside of its main one: what is between them is nearer.
    git(&places.path("code/acme"), &["worktree", "add", "--quiet", "-b", "in", "inner/in"]);
    places.done("code/acme", &["use", "prod"]);
    places.done("code/acme/inner", &["use", "beta"]);
    assert_eq!(places.applies("code/acme/inner/in"), "beta (bound at ~/code/acme/inner)");
}

#[test]
fn a_worktree_with_relative_paths_is_one_too() {
    if !has("git") {
        return;
    }
    let places = Places::new();
    repository(&places);
    places.done("code/acme", &["use", "prod"]);
    // What git 2.48 writes under `worktree.useRelativePaths`.
    places.write("trees/fix/.git", "gitdir: ../../code/acme/.git/worktrees/fix\n");
    places.write("code/acme/.git/worktrees/fix/gitdir", "../../../../../trees/fix/.git\n");
    assert_eq!(places.applies("trees/fix"), "prod (bound at ~/code/acme)");
}

#[test]
fn a_directory_that_only_claims_to_be_a_worktree_is_none() {
    if !has("git") {
        return;
    }
    let places = Places::new();
    repository(&places);
    places.done("code/acme", &["use", "prod"]);
    assert_eq!(places.applies("trees/fix"), "prod (bound at ~/code/acme)");
    let nothing = "default (by default)";
    let main = places.text("code/acme/.git");

    // Another worktree's file, as it is.
    places.write("forged/a/.git", format!("gitdir: {main}/worktrees/fix\n"));
    assert_eq!(places.applies("forged/a"), nothing);
    // A link to it.
    places.directory("forged/b");
    symlink(places.path("trees/fix/.git"), places.path("forged/b/.git")).expect("a link");
    assert_eq!(places.applies("forged/b"), nothing);
    // One that brings its own proof.
    places.write("forged/c/.git", "gitdir: proof\n");
    places.write("forged/c/proof/commondir", format!("{main}\n"));
    places.write("forged/c/proof/gitdir", format!("{}\n", places.text("forged/c/.git")));
    assert_eq!(places.applies("forged/c"), nothing);
    // The same in a folder that is called as git's is.
    places.write("forged/d/.git", "gitdir: x/worktrees/proof\n");
    places.write("forged/d/x/worktrees/proof/commondir", format!("{main}\n"));
    places.write("forged/d/x/worktrees/proof/gitdir", format!("{}\n", places.text("forged/d/.git")));
    assert_eq!(places.applies("forged/d"), nothing);
    // Nonsense.
    for (n, text) in ["", "gitdir: ", "gitdir: /dev/zero", "gitdir:", "\0", "gitdir: ."].iter().enumerate() {
        places.write(&format!("forged/n{n}/.git"), text);
        assert_eq!(places.applies(&format!("forged/n{n}")), nothing, "{text:?}");
    }
}
