//! `use alchemy` in an `.envrc`: a real direnv and the real binary. What is loaded, what is given back, what makes
//! direnv look again, and what a person is told.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::authorization::Pair;
use support::bound::{Variables, bind, given, home, name_and_account, ours};
use support::direnv::Direnv;
use support::online::SECRET;
use support::person::{LOGIN, Person};
use support::places::git;
use support::pty::{Redirected, Terminal};
use support::signed_in::{OWN, SignedIn};
use support::{ACME, ALCHEMY, BETA, Home, has, is_secret, run};

const TOKEN: &str = "CLOUDFLARE_API_TOKEN";

/// What `prod` or `beta` gives through direnv, by an `.envrc` that names it (`acme/.envrc`) or takes the directory's own
/// (`acme/.envrc:`).
fn loaded(home: &Home, envrc: &str, profile: &str) -> Variables {
    let mut given = given(home, "", profile);
    given.insert("ALCHEMY_ACTIVE".to_owned(), mark(home, envrc, profile));
    given
}

/// The same of one whose secret stays.
fn named(home: &Home, envrc: &str, profile: &str) -> Variables {
    let mut named = name_and_account(home, "", profile);
    named.insert("ALCHEMY_ACTIVE".to_owned(), mark(home, envrc, profile));
    named
}

fn mark(home: &Home, envrc: &str, profile: &str) -> String {
    format!("{}:{profile}", home.path().join(envrc).display())
}

/// Writes a pin file, at another time than the one before: direnv knows whole seconds only.
fn pin(directory: &Path, text: &str) {
    let path = directory.join(".alchemy.toml");
    let before = fs::metadata(&path).and_then(|metadata| metadata.modified());
    fs::write(&path, text).expect("written");
    if let Ok(before) = before {
        let file = fs::File::options().write(true).open(&path).expect("opened");
        file.set_modified(before + Duration::from_secs(1)).expect("its time set");
    }
}

#[test]
fn it_loads_and_gives_back() {
    for (envrc, profile) in [
        ("use alchemy", "prod"),
        ("use alchemy beta", "beta"),
        ("use alchemy -p beta", "beta"),
        ("use alchemy --profile beta", "beta"),
        ("set -eu\nuse alchemy beta", "beta"),
        ("strict_env\nuse alchemy beta", "beta"),
        ("set -eux -o noclobber -o pipefail\nuse alchemy beta\n[[ $- == *x* ]]", "beta"),
    ] {
        let home = home();
        let Some(mut shell) = Direnv::new(&home, "acme", envrc) else { return };
        for (name, value) in [(TOKEN, "mine-hunter2"), ("CF_API_KEY", "old-hunter2"), ("OTHER", "kept")] {
            is_secret(value);
            shell.environment.insert(name.to_owned(), value.to_owned());
        }
        let before = shell.environment.clone();
        let marked = if envrc.ends_with("alchemy") { "acme/.envrc:" } else { "acme/.envrc" };
        assert_eq!(shell.given(), loaded(&home, marked, profile), "{envrc}");
        assert_eq!(shell.get("OTHER"), Some("kept"), "{envrc}");
        let again = shell.prompt();
        assert_eq!((&*again.stdout, &*again.stderr), ("", ""), "{envrc}: nothing is done twice");
        shell.cd("elsewhere").expect_code(0);
        assert_eq!(shell.environment, before, "{envrc}");
    }
}

#[test]
fn with_profile_only_there_is_no_secret() {
    for envrc in ["use alchemy --profile-only beta", "set -eu\nuse alchemy -p beta --profile-only"] {
        let home = home();
        let Some(mut shell) = Direnv::new(&home, "acme", envrc) else { return };
        let before = shell.environment.clone();
        assert_eq!(shell.given(), named(&home, "acme/.envrc", "beta"), "{envrc}");
        assert!(!kept(&shell).contains(SECRET), "{envrc}");
        let mut exec = home.alchemy_command(&["exec", "--", "printenv", TOKEN]);
        let output = run(exec.current_dir(&shell.directory).envs(&shell.environment)).expect_code(0);
        assert_eq!(output.stdout, "tok-beta-hunter2\n", "{envrc}: that is how it is used");
        shell.cd("elsewhere");
        assert_eq!(shell.environment, before, "{envrc}");
    }
}

#[test]
fn a_script_that_goes_elsewhere_gets_what_is_bound_there() {
    let home = home();
    bind(&home, "prod", "project/bound");
    for envrc in ["use alchemy beta", "use alchemy --profile-only beta"] {
        let Some(mut shell) = Direnv::new(&home, "project", envrc) else { return };
        shell.given();
        let alchemy = |arguments: &[&str], directory: &str| {
            let mut command = home.alchemy_command(arguments);
            run(command.current_dir(home.path().join(directory)).envs(&shell.environment))
        };
        for (directory, token) in [
            ("project", "tok-beta-hunter2"),
            ("acme", "tok-prod-hunter2"),
            // The nearer one counts, as among bindings.
            ("project/bound/sub", "tok-prod-hunter2"),
        ] {
            let exec = alchemy(&["exec", "--", "printenv", TOKEN], directory).expect_code(0);
            assert_eq!(exec.stdout, format!("{token}\n"), "{envrc}: {directory}");
            let name = if token.contains("beta") { "beta\n" } else { "prod\n" };
            assert_eq!(alchemy(&["prompt"], directory).expect_code(0).stdout, name, "{envrc}: {directory}");
        }
        // What direnv has loaded is of its directory alone.
        assert_eq!(alchemy(&["prompt"], "elsewhere").expect_code(0).stdout, "", "{envrc}");
        let why = alchemy(&["use", "-v"], "project").expect_code(0).stdout;
        assert!(why.contains("~/project/.envrc"), "{why}");
        assert!(why.lines().any(|line| line.starts_with("*  ~/project/.envrc")), "{why}");
        let why = alchemy(&["use", "-v"], "project/bound").expect_code(0).stdout;
        assert!(why.lines().any(|line| line.starts_with("*  ~/project/bound ")), "{why}");
    }
}

#[test]
fn an_envrc_goes_before_what_is_bound_in_its_directory_and_one_without_a_name_follows_it() {
    let home = home();
    let token = |shell: &Direnv| {
        let mut command = home.alchemy_command(&["token"]);
        run(command.current_dir(&shell.directory).envs(&shell.environment)).expect_code(0).stdout
    };
    let Some(mut shell) = Direnv::new(&home, "acme", "use alchemy beta") else { return };
    shell.given();
    assert_eq!(token(&shell), "tok-beta-hunter2\n");
    // A binding that changes on this line counts at once.
    let Some(mut shell) = Direnv::new(&home, "acme", "use alchemy") else { return };
    shell.given();
    assert_eq!(token(&shell), "tok-prod-hunter2\n");
    home.run(&["use", "beta", "acme"]).expect_code(0);
    assert_eq!(token(&shell), "tok-beta-hunter2\n");
}

#[test]
fn a_variable_of_the_persons_stays_theirs_under_direnv() {
    let home = home();
    let Some(mut shell) = Direnv::new(&home, "project", "use alchemy") else { return };
    shell.environment.insert("ALCHEMY_PROFILE".to_owned(), "beta".to_owned());
    assert_eq!(shell.given().get("ALCHEMY_ACTIVE"), None);
    let mut command = home.alchemy_command(&["token"]);
    let output = run(command.current_dir(home.path().join("acme")).envs(&shell.environment)).expect_code(0);
    assert_eq!(output.stdout, "tok-beta-hunter2\n");
}

/// What direnv keeps, and every child is given.
fn kept(shell: &Direnv) -> String {
    let diff = shell.get("DIRENV_DIFF").expect("a difference");
    run(&mut shell.command(&["show_dump", diff])).expect_code(0).stdout
}

/// No wish of ours, but what the documentation says.
#[test]
fn what_is_loaded_can_be_read_in_what_direnv_keeps() {
    let home = home();
    let Some(mut shell) = Direnv::new(&home, "acme", "use alchemy") else { return };
    shell.given();
    assert!(kept(&shell).contains("tok-prod-hunter2"));
}

#[test]
fn a_refresh_anywhere_is_there_at_the_next_prompt() {
    let signed_in = SignedIn::prod(3000);
    signed_in.profile("other", OWN, 3000);
    signed_in.home.age("config.json"); // so that any write to it would be seen
    let Some(mut shell) = Direnv::new(&signed_in.home, "project", "use alchemy prod") else { return };
    assert_eq!(shell.given().get(TOKEN), Some(&signed_in.pair().access));
    // Within a second, too.
    for _ in 0..3 {
        signed_in.run(&["profile", "refresh", "prod"]).expect_code(0);
        let Pair { access, .. } = signed_in.pair();
        assert_ne!(shell.get(TOKEN), Some(&*access));
        assert_eq!(shell.given().get(TOKEN), Some(&access));
    }
    signed_in.run(&["profile", "refresh", "other"]).expect_code(0);
    assert_eq!(shell.prompt().stderr, "", "another profile's is nothing to it");
    assert_eq!(signed_in.server.reuses(), 0);
}

#[test]
fn what_has_run_out_is_refreshed_when_it_is_loaded() {
    let signed_in = SignedIn::prod(-5);
    let Some(mut shell) = Direnv::new(&signed_in.home, "project", "set -eu\nuse alchemy prod") else {
        return;
    };
    shell.given();
    assert_eq!(shell.get(TOKEN), Some(&*signed_in.pair().access));
    assert_eq!(signed_in.server.refreshes(), 1);
    // The stamp of that refresh is what is watched now.
    shell.given();
    assert_eq!(shell.prompt().stderr, "");
}

#[test]
fn signing_out_and_in_is_noticed() {
    let person = Person::with_prod();
    let envrc = "use alchemy prod || export FAILED=$?";
    let Some(mut shell) = Direnv::new(&person.home, "project", envrc) else { return };
    assert!(shell.given().contains_key(TOKEN));
    person.run(&["logout", "-p", "prod"], "").expect_code(0);
    let said = shell.said();
    assert!(matches!(&said[..], [line] if line.contains("alchemy login -p prod")), "{said:?}");
    assert_eq!((shell.get(TOKEN), shell.get("FAILED")), (None, Some("1")));
    person.sign_in(&LOGIN).expect_code(0);
    assert!(shell.given().contains_key(TOKEN));
    assert_eq!(shell.get("FAILED"), None);
}

#[test]
fn a_session_that_is_over_ends_a_strict_envrc_with_one_line() {
    for strict in ["set -eu", "strict_env"] {
        let signed_in = SignedIn::prod(-5);
        signed_in.server.end(&signed_in.pair().refresh);
        let envrc = format!("{strict}\nuse alchemy prod\nexport REACHED=1");
        let Some(mut shell) = Direnv::new(&signed_in.home, "project", &envrc) else { return };
        let said = shell.said();
        assert!(matches!(&said[..], [line] if line.contains("alchemy login -p prod")), "{said:?}");
        assert_eq!((shell.get(TOKEN), shell.get("REACHED")), (None, None));
    }
}

#[test]
fn a_profile_that_is_made_or_changed_is_noticed() {
    let home = home();
    let Some(mut shell) = Direnv::new(&home, "project", "use alchemy new") else { return };
    let said = shell.said();
    assert!(matches!(&said[..], [line] if line.contains("'new'")), "{said:?}");
    home.token_profile("new", "tok-new-hunter2");
    assert_eq!(shell.given()[TOKEN], "tok-new-hunter2");
    for (account, name) in [(BETA, "Beta"), (ACME, "Acme"), (BETA, "Beta")] {
        let set = ["profile", "set", "new", "--account", account, "--account-name", name, "--no-verify"];
        home.run(&set).expect_code(0);
        assert_eq!(shell.given()["CLOUDFLARE_ACCOUNT_ID"], account);
    }
    home.run(&["profile", "delete", "new", "--yes"]).expect_code(0);
    assert_eq!(shell.said().len(), 1);
    assert_eq!(ours(&shell.environment), Variables::new());
}

#[test]
fn a_binding_that_changes_is_noticed() {
    let home = home();
    let Some(mut shell) = Direnv::new(&home, "acme", "use alchemy") else { return };
    assert_eq!(shell.given(), loaded(&home, "acme/.envrc:", "prod"));
    // As fast as it goes: direnv knows whole seconds only.
    for profile in ["beta", "prod", "beta"] {
        home.run(&["use", profile, "acme"]).expect_code(0);
        assert_eq!(shell.given(), loaded(&home, "acme/.envrc:", profile));
    }
    home.run(&["use", "--unset", "acme"]).expect_code(0);
    let said = shell.said();
    assert!(matches!(&said[..], [line] if line.contains("'default'")), "{said:?}");
    assert_eq!(ours(&shell.environment), Variables::new());
}

#[test]
fn a_pin_file_counts_when_it_is_allowed_until_it_changes() {
    let home = home();
    let Some(mut shell) = Direnv::new(&home, "repository", "use alchemy") else { return };
    shell.said();
    let directory = shell.directory.clone();
    pin(&directory, "profile = \"prod\"\n");
    let said = shell.said();
    assert!(matches!(&said[..], [line] if line.contains("alchemy allow")), "a new one is noticed: {said:?}");
    for _ in 0..2 {
        home.run(&["allow", "repository"]).expect_code(0);
        assert_eq!(shell.given(), loaded(&home, "repository/.envrc:", "prod"));
        home.run(&["deny", "repository"]).expect_code(0);
        assert_eq!(shell.said().len(), 1);
        assert_eq!(ours(&shell.environment), Variables::new());
    }
    home.run(&["allow", "repository"]).expect_code(0);
    shell.given();
    pin(&directory, "profile = \"beta\"\n");
    let said = shell.said();
    assert!(matches!(&said[..], [line] if line.contains("'beta'")), "{said:?}");
    assert_eq!(ours(&shell.environment), Variables::new());
    home.run(&["allow", "repository"]).expect_code(0);
    assert_eq!(shell.given(), loaded(&home, "repository/.envrc:", "beta"));
    fs::remove_file(directory.join(".alchemy.toml")).expect("removed");
    assert_eq!(shell.said().len(), 1, "there is no profile 'default'");
    assert_eq!(ours(&shell.environment), Variables::new());
}

#[test]
fn a_guard_keeps_the_other_account_out() {
    for option in ["", "--profile-only"] {
        let home = home();
        let envrc = format!("use alchemy {option} prod || export FAILED=$?");
        let Some(mut shell) = Direnv::new(&home, "repository", &envrc) else { return };
        assert!(!shell.given().is_empty());
        let directory = shell.directory.clone();
        pin(&directory, "profile = \"prod\"\n");
        home.run(&["allow", "repository"]).expect_code(0);
        assert!(!shell.given().is_empty());
        for (account, refused) in [(BETA, true), (ACME, false), (BETA, true)] {
            pin(&directory, &format!("account = \"{account}\"\n"));
            let said = shell.said();
            assert_eq!(ours(&shell.environment).is_empty(), refused, "{option} {said:?}");
            assert_eq!(shell.get("FAILED"), refused.then_some("1"));
            let names = |line: &String| line.contains(ACME) && line.contains(BETA);
            assert!(said.len() == usize::from(refused) && said.iter().all(names), "{said:?}");
        }
    }
}

#[test]
fn the_guard_of_a_directory_above_is_watched_too() {
    let home = home();
    let Some(mut shell) = Direnv::new(&home, "repository/app", "use alchemy prod") else { return };
    let (app, above) = (shell.directory.clone(), home.path().join("repository"));
    pin(&above, &format!("account = \"{ACME}\"\n"));
    pin(&app, "profile = \"prod\"\n");
    home.run(&["allow", "repository/app"]).expect_code(0);
    assert!(!shell.given().is_empty());
    pin(&above, &format!("account = \"{BETA}\"\n"));
    assert_eq!(shell.said().len(), 1);
    assert_eq!(ours(&shell.environment), Variables::new());
}

#[test]
fn a_profile_that_asks_first_is_never_asked_for() {
    let home = home();
    home.run(&["profile", "set", "prod", "--confirm"]).expect_code(0);
    let Some(mut shell) = Direnv::new(&home, "acme", "use alchemy prod || export FAILED=$?") else { return };
    let said = shell.said();
    assert!(matches!(&said[..], [line] if line.contains("use alchemy --profile-only prod")), "{said:?}");
    assert_eq!((ours(&shell.environment), shell.get("FAILED")), (Variables::new(), Some("1")));
    // Also not by an answer that was meant for a command.
    shell.environment.insert("ALCHEMY_CONFIRM".to_owned(), "prod".to_owned());
    shell.cd("elsewhere");
    shell.cd("acme");
    assert_eq!(shell.get(TOKEN), None);
    shell.environment.remove("ALCHEMY_CONFIRM");
    let Some(mut shell) = Direnv::new(&home, "acme", "use alchemy --profile-only prod") else { return };
    assert_eq!(shell.given(), named(&home, "acme/.envrc", "prod"));
}

#[test]
fn nobody_is_asked_by_a_direnv_that_does_not_say_what_it_is() {
    let home = home();
    home.run(&["profile", "set", "prod", "--confirm"]).expect_code(0);
    let command = home.alchemy_command(&["hook-env", "direnv", "prod"]);
    let redirected = Redirected { stdout: Some(Stdio::null()), ..Redirected::default() };
    let (code, shown) = Terminal::start_redirected(command, redirected).finish();
    assert!(code == 1 && shown.contains("use alchemy --profile-only prod"), "{code}: {shown}");
}

#[test]
fn a_cloned_repository_gets_nothing() {
    if !has("direnv") {
        return;
    }
    let home = home();
    let origin = home.path().join("origin");
    fs::create_dir(&origin).expect("a folder");
    fs::write(origin.join(".envrc"), "use alchemy prod\n").expect("written");
    fs::write(origin.join(".alchemy.toml"), "profile = \"prod\"\n").expect("written");
    fs::write(origin.join(".env"), "ALCHEMY_PROFILE=prod\nCLOUDFLARE_PROFILE=prod\n").expect("written");
    git(&origin, &["init", "-q"]);
    git(&origin, &["add", "."]);
    git(&origin, &["commit", "-qm", "one"]);
    git(home.path(), &["clone", "-q", "origin", "clone"]);
    // Allowed here is not allowed there.
    let Some(mut shell) = Direnv::new(&home, "origin", "use alchemy prod\n") else { return };
    assert_eq!(shell.given(), loaded(&home, "origin/.envrc", "prod"));
    shell.cd("elsewhere");
    let before = shell.environment.clone();
    let said = shell.cd("clone").stderr;
    assert!(said.contains("is blocked") && !said.contains("alchemy: "), "{said}");
    assert_eq!(ours(&shell.environment), ours(&before));
    let mut exec = home.alchemy_command(&["exec", "--", "printenv"]);
    let output = run(exec.current_dir(&shell.directory).envs(&shell.environment));
    output.expect_only_error(125, "is not allowed yet").expect_hint("alchemy allow");
}

#[test]
fn no_process_has_a_secret_among_its_arguments() {
    if !has("strace") {
        return;
    }
    let home = home();
    let Some(shell) = Direnv::new(&home, "acme", "set -eu\nuse alchemy beta") else { return };
    let trace = home.path().join("trace");
    let mut command: Command = home.command("strace");
    command.args(["-f", "-qq", "-s", "100000", "-e", "trace=execve", "-o"]).arg(&trace);
    command.args(["direnv", "export", "json"]).current_dir(&shell.directory);
    let output = run(&mut command).expect_code(0);
    assert!(output.stdout.contains(SECRET));
    let trace = fs::read_to_string(trace).expect("a trace");
    assert!(trace.contains(ALCHEMY) && trace.contains("hook-env") && !trace.contains(SECRET), "{trace}");
}

#[test]
fn where_the_hook_has_it_direnv_loads_nothing() {
    let home = home();
    let Some(mut shell) = Direnv::new(&home, "acme", "use alchemy\nexport LOADED=1") else { return };
    let active = given(&home, "acme", "prod");
    shell.environment.extend(active.clone());
    assert_eq!(shell.given(), active);
    assert_eq!(shell.get("LOADED"), Some("1"));
    assert!(!kept(&shell).contains(SECRET));
    shell.cd("elsewhere");
    assert_eq!(shell.environment, active, "the hook is to take it away");
}
