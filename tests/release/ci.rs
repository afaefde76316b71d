//! The examples of `docs/ci.md` that need more than a shell: GitHub's composite action, GitLab's job, the
//! development container. Each is taken from the page itself.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use support::github::Job;
use support::lint::json_of_yaml;
use support::markdown;
use support::online::{Online, SECRET};
use support::places::git;
use support::{ACME, ALCHEMY, Home, given, has, is_secret, run, run_with_input, write_program};

/// A token with what a runner would take for an escape of its own.
const TOKEN: &str = "tok-hunter2-100%25";

/// The file of this name that the page shows.
fn example(name: &str) -> String {
    markdown::file("docs/ci.md", name)
}

/// A checkout with the page's pin file in it, and programs of ours in `PATH`.
fn checkout() -> (Home, String) {
    let home = Home::new();
    fs::write(home.path().join(".alchemy.toml"), example(".alchemy.toml")).expect("written");
    let bin = home.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    std::os::unix::fs::symlink(ALCHEMY, bin.join("alchemy")).expect("linked");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a path"));
    (home, path)
}

#[test]
fn the_composite_action_hands_the_credential_on_and_the_log_does_not_show_it() {
    let Some(action) = json_of_yaml(&example(".github/actions/cloudflare/action.yml")) else { return };
    let (home, path) = checkout();
    let mut job = Job::start(&home, &[("PATH", &path)], &[]);
    let outputs = job.uses(&action, &[("api-token", TOKEN)]);
    assert_eq!(outputs, BTreeMap::from([("account-id".to_owned(), ACME.to_owned())]));
    assert_eq!(job.environment["CLOUDFLARE_API_TOKEN"], TOKEN, "the steps that follow have it");
    assert_eq!(job.environment["CLOUDFLARE_ACCOUNT_ID"], ACME, "for the account of the pin file");
    // A step that shows what it should not.
    job.run("echo \"the token is $CLOUDFLARE_API_TOKEN\"", &BTreeMap::new());
    assert!(job.log.contains("using CLOUDFLARE_API_TOKEN from the environment\n"), "{}", job.log);
    assert!(job.log.ends_with("the token is ***\n") && !job.log.contains(SECRET), "{}", job.log);
}

#[test]
fn the_credential_of_a_profile_is_hidden_also_where_the_file_was_forgotten() {
    let (home, path) = checkout();
    home.token_profile("prod", TOKEN);
    let mut job = Job::start(&home, &[("PATH", &path)], &[]);
    job.run("alchemy env prod --format github-actions", &BTreeMap::new());
    let hidden = "::add-mask::***\nCLOUDFLARE_API_TOKEN=***\n";
    assert!(job.log.contains(hidden) && !job.log.contains(SECRET), "{}", job.log);
    job.run("alchemy env prod --format github-actions >> \"$GITHUB_ENV\"", &BTreeMap::new());
    let given = ["CLOUDFLARE_API_TOKEN", "ALCHEMY_PROFILE"].map(|name| job.environment[name].as_str());
    assert_eq!(given, [TOKEN, "prod"]);
    assert!(!job.log.contains(SECRET), "{}", job.log);
}

#[test]
fn outside_of_a_runner_nothing_but_the_lines_is_printed() {
    let (home, _) = checkout();
    home.token_profile("prod", TOKEN);
    let output = home.run(&["env", "prod", "--format", "github-actions"]).expect_code(0);
    assert!(output.stdout.starts_with(&format!("CLOUDFLARE_API_TOKEN={TOKEN}\n")), "{}", output.stdout);
    assert_eq!(output.stderr, "");
}

#[test]
fn gitlabs_job_runs_with_the_variables_of_the_project() {
    let Some((node, modules)) = packages() else { return };
    if !has("rsync") || !has("git") {
        return;
    }
    let online = Online::new();
    let (home, path) = checkout();
    is_secret(TOKEN);
    // What the job would install and ask.
    let npx =
        "#!/bin/sh\n[ \"$CLOUDFLARE_API_TOKEN\" = \"$EXPECTED\" ] && echo \"$* to $CLOUDFLARE_ACCOUNT_ID\"\n";
    write_program(&home.path().join("bin/npx"), npx);
    let repository = home.path().join("repository");
    fs::create_dir(&repository).expect("a folder");
    for name in [".gitlab-ci.yml", ".alchemy.toml"] {
        fs::write(repository.join(name), example(name)).expect("written");
    }
    git(&repository, &["init", "--quiet", "--initial-branch", "main"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "--message", "a"]);
    git(&repository, &["remote", "add", "origin", "git@gitlab.example:acme/site.git"]);
    git(&repository, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    git(&repository, &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"]);
    let mut runner = home.command(node);
    runner.arg(modules.join("gitlab-ci-local/dist/index.js")).args(["--force-shell-executor", "deploy"]);
    for (name, value) in [
        ("CLOUDFLARE_API_TOKEN", TOKEN),
        ("CLOUDFLARE_API_BASE_URL", &online.cf.base_url()),
        ("EXPECTED", TOKEN),
    ] {
        runner.args(["--variable", &format!("{name}={value}")]);
    }
    let output = run(runner.current_dir(&repository).env("PATH", path)).expect_code(0);
    let shown = output.stdout + &output.stderr;
    assert!(shown.contains(&format!("wrangler deploy to {ACME}")), "{shown}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn a_development_container_gets_the_credential_of_whoever_starts_it() {
    let Some((node, modules)) = packages() else { return };
    let (home, _) = checkout();
    home.token_profile("prod", TOKEN);
    let folder = home.path().join(".devcontainer");
    fs::create_dir(&folder).expect("a folder");
    let file = ".devcontainer/devcontainer.json";
    fs::write(home.path().join(file), example(file)).expect("written");
    let (node, program) = (node.display().to_string(), modules.join("@devcontainers/cli/devcontainer.js"));
    let program = program.display().to_string();
    // It asks docker which containers there are; there are none.
    let read = ["--docker-path", "/bin/true", "--workspace-folder", "."];
    let arguments = [&["exec", "prod", "--", &node, &program, "read-configuration"], &read[..]].concat();
    let output = run_with_input(&mut home.alchemy_command(&arguments), "").expect_code(0);
    let read: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    let variables = &read["configuration"]["remoteEnv"];
    assert_eq!(variables["CLOUDFLARE_API_TOKEN"], TOKEN);
    assert_eq!(variables["CLOUDFLARE_ACCOUNT_ID"], ACME);
}

fn packages() -> Option<(PathBuf, PathBuf)> {
    given("ALCHEMY_TEST_NODE").zip(given("ALCHEMY_TEST_NODE_MODULES"))
}
