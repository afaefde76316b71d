//! What is said of real clients before they start is true: where something outranks the credential that
//! `exec` gives it is named, and where nothing is named they use that credential.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::cloudflare::{Cloudflare, Credential};
use support::dotenv::HARMLESS;
use support::npm::{Npm, returned};
use support::{ACME, BETA, Home, given, run, write_program};

const KEY: &str = "CLOUDFLARE_API_KEY=hunter2-other\n";
const EMAIL: &str = "CLOUDFLARE_EMAIL=other@example.com\n";
const PAIR: &str =
    "export CLOUDFLARE_API_KEY = \"hunter2-other\" # old\r\nCLOUDFLARE_EMAIL=other@example.com\r\n";
const OLD: &str = "CF_API_KEY=hunter2-other\nCF_EMAIL=other@example.com\n";
const TOKEN: &str = "CLOUDFLARE_API_TOKEN=hunter2-other\n";
const HEADERS: &str = "CLOUDFLARE_API_HEADERS='{\"Authorization\":\"Bearer hunter2-other\"}'\n";
const KEY_HEADERS: &str = "CLOUDFLARE_API_HEADERS='{\"X-Auth-Key\":\"hunter2-other\"}'\n";

/// A home with a token profile and a key profile, and a directory with these files.
fn home_with(files: &[(&str, &str)]) -> (Home, PathBuf) {
    let home = Home::new();
    home.token_profile("prod", "tok-hunter2-prod");
    home.key_profile("legacy", "key-hunter2-legacy", "me@example.com");
    let directory = home.path().join("code");
    // Node itself looks for a file that wrangler is named.
    for (name, text) in files.iter().chain(&[("none", "")]) {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }
    (home, directory)
}

/// Wrangler in a directory with these files: whether it sent nothing but our credential for our account, and what
/// was said before.
fn wrangler(
    node: &Path,
    modules: &Path,
    files: &[(&str, &str)],
    profile: &str,
    words: &[&str],
    variables: &[(&str, &str)],
) -> (bool, String) {
    let (home, directory) = home_with(files);
    let api = Cloudflare::start();
    api.account(ACME, "Acme");
    api.add(Credential::user_token("tok-hunter2-prod"));
    api.add(Credential::global_key("key-hunter2-legacy", "me@example.com"));
    let mut command = home.alchemy_command(&["exec", profile, "--"]);
    command.arg(node).arg(modules.join("wrangler/bin/wrangler.js")).args(words).current_dir(directory);
    command.env("CLOUDFLARE_API_BASE_URL", api.base_url()).envs(variables.iter().copied());
    command.envs([("WRANGLER_SEND_METRICS", "false"), ("NO_UPDATE_NOTIFIER", "1"), ("CI", "true")]);
    // It may fail where the API does not know what it sends; what that was is the question.
    let said = run(&mut command).stderr;
    let requests = api.requests();
    assert!(!requests.is_empty(), "{words:?} asks nothing: {said}");
    let ours = requests.iter().all(|request| {
        let seen = ["authorization", "x-auth-key", "x-auth-email"].map(|name| request.header(name));
        let is_ours = match profile {
            "prod" => seen == [Some("Bearer tok-hunter2-prod"), None, None],
            _ => seen == [None, Some("key-hunter2-legacy"), Some("me@example.com")],
        };
        is_ours && (!request.path.contains("/accounts/") || request.path.contains(ACME))
    });
    (ours, said)
}

#[test]
fn wrangler_sends_something_else_exactly_where_that_is_said() {
    let (Some(node), Some(modules)) = (given("ALCHEMY_TEST_NODE"), given("ALCHEMY_TEST_NODE_MODULES")) else {
        return;
    };
    let (kv, d1) = (&["kv", "namespace", "list"][..], &["d1", "list"][..]);
    let both = format!("{PAIR}{TOKEN}");
    let config = format!("name = \"x\"\naccount_id = \"{ACME}\"\n[env.staging]\naccount_id = \"{BETA}\"\n");
    let table: [(&str, &str, &str, &[&str], bool); 15] = [
        (".env", HARMLESS, "prod", kv, false),
        (".env", KEY, "prod", kv, true),
        (".env", EMAIL, "prod", kv, true),
        (".env", "CLOUDFLARE_API_KEY=''\n", "prod", kv, true),
        (".env", PAIR, "prod", kv, true),
        (".env.local", PAIR, "prod", d1, true),
        (".env", OLD, "prod", d1, true),
        (".env", HEADERS, "prod", d1, true),
        (".env", KEY_HEADERS, "legacy", kv, true),
        (".env", &both, "legacy", kv, false),
        (".env.staging", HEADERS, "prod", &["d1", "list", "-e", "staging"], true),
        (".dev.vars", HEADERS, "prod", d1, false),
        ("other", HEADERS, "prod", &["d1", "list", "--env-file", "none", "other"], true),
        (".env", HEADERS, "prod", &["d1", "list", "--env-file", "none"], false),
        ("wrangler.toml", &config, "prod", &["kv", "namespace", "list", "-e", "staging"], true),
    ];
    for (name, text, profile, words, misleads) in table {
        let (ours, said) = wrangler(&node, &modules, &[(name, text)], profile, words, &[]);
        let warns = said.contains(&format!("{name}, line "));
        assert_eq!((!ours, warns), (misleads, misleads), "{name} {text:?} {words:?}: {said}");
    }
    // By a variable it chooses a part of its configuration, and no `.env` file.
    let staging = [("CLOUDFLARE_ENV", "staging")];
    for (name, text, misleads) in [(".env.staging", HEADERS, false), ("wrangler.toml", &config, true)] {
        let (ours, said) = wrangler(&node, &modules, &[(name, text)], "prod", kv, &staging);
        assert_eq!((!ours, said.contains(", line ")), (misleads, misleads), "{name}: {said}");
    }
}

#[test]
fn wrangler_deploys_to_the_account_of_a_generated_configuration_where_that_is_said() {
    let (Some(node), Some(modules)) = (given("ALCHEMY_TEST_NODE"), given("ALCHEMY_TEST_NODE_MODULES")) else {
        return;
    };
    let of = |account: &str| {
        format!(
            "{{\"name\":\"x\",\"main\":\"index.js\",\"compatibility_date\":\"2025-01-01\",\
             \"account_id\":\"{account}\"}}"
        )
    };
    let code = "export default { fetch() { return new Response('x') } }";
    for (account, misleads) in [(BETA, true), (ACME, false)] {
        let (own, generated) = (of(ACME), of(account));
        let files = [
            ("wrangler.json", own.as_str()),
            ("index.js", code),
            ("dist/wrangler.json", &generated),
            ("dist/index.js", code),
            (".wrangler/deploy/config.json", "{\"configPath\":\"../../dist/wrangler.json\"}"),
        ];
        let (ours, said) = wrangler(&node, &modules, &files, "prod", &["deploy"], &[]);
        let warns = said.contains("~/code/dist/wrangler.json, line 1: account_id");
        assert_eq!((!ours, warns), (misleads, misleads), "{account}: {said}");
    }
}

#[test]
fn npm_alchemy_1_takes_something_else_exactly_where_that_is_said() {
    let ours = json!({ "type": "api-token", "apiToken": "tok-hunter2-prod", "accountId": ACME });
    let key = json!({
        "type": "api-key", "apiKey": "key-hunter2-legacy", "email": "me@example.com", "accountId": ACME
    });
    let table = [
        ("prod", HARMLESS, false),
        ("prod", PAIR, true),
        ("prod", OLD, false),
        ("prod", HEADERS, false),
        ("legacy", TOKEN, false),
        ("legacy", PAIR, false),
    ];
    for (profile, text, misleads) in table {
        let (home, directory) = home_with(&[(".env", text)]);
        let Some(npm) = Npm::v1(&home) else { return };
        // As its `deploy` starts the stack.
        let mut command =
            npm.command_under_exec(profile, &[], &["--env-file=.env"], "return await environment()");
        let output = run(command.current_dir(directory)).expect_code(0);
        let used: Value = returned(&output.stdout);
        let is_ours = used == if profile == "prod" { ours.clone() } else { key.clone() };
        let warns =
            output.stderr.lines().any(|line| line.contains("alchemy 1") && line.contains(".env, line "));
        assert_eq!((!is_ours, warns), (misleads, misleads), "{profile} {text:?}: {used} {}", output.stderr);
    }
}

#[test]
fn npm_alchemy_2_takes_something_else_exactly_where_that_is_said() {
    let ours = json!({ "type": "apiToken", "apiToken": "tok-hunter2-prod", "accountId": ACME });
    let key = json!({
        "type": "apiKey", "apiKey": "key-hunter2-legacy", "email": "me@example.com", "accountId": ACME
    });
    let account = format!("CLOUDFLARE_ACCOUNT_ID={BETA}\n");
    let blank = "CLOUDFLARE_API_TOKEN=\nCLOUDFLARE_API_KEY=\nCLOUDFLARE_EMAIL=\nCLOUDFLARE_ACCOUNT_ID=\n";
    let table: [(&str, &str, &str, bool); 14] = [
        ("prod", ".env", HARMLESS, false),
        ("prod", ".env", PAIR, false),
        ("prod", ".env", TOKEN, false),
        ("legacy", ".env", TOKEN, true),
        ("legacy", ".env", PAIR, false),
        ("legacy", ".env", blank, false),
        ("prod", "other", TOKEN, true),
        ("prod", "other", &account, true),
        ("prod", "other", PAIR, false),
        ("prod", "other", blank, false),
        ("legacy", "other", KEY, true),
        ("legacy", "other", EMAIL, true),
        ("legacy", "other", TOKEN, true),
        ("legacy", "other", blank, false),
    ];
    for (profile, name, text, misleads) in table {
        let (home, directory) = home_with(&[(name, text)]);
        let Some(npm) = Npm::v2(&home) else { return };
        // Its own program is started with a file's name; here it is one that starts what follows.
        fs::create_dir(directory.join("bin")).expect("a folder");
        write_program(&directory.join("bin/alchemy"), "#!/bin/sh\nshift 2\nexec \"$@\"\n");
        let (script, before) = match name {
            ".env" => ("return await environment()", &[][..]),
            _ => ("return await environment('other')", &["bin/alchemy", "--env-file", "other"][..]),
        };
        let mut command = npm.command_under_exec(profile, before, &[], script);
        let output = run(command.current_dir(directory)).expect_code(0);
        let used: Value = returned(&output.stdout);
        let is_ours = used == if profile == "prod" { ours.clone() } else { key.clone() };
        let warns = output.stderr.lines().any(|line| line.contains("alchemy 2") && line.contains(", line "));
        assert_eq!((!is_ours, warns), (misleads, misleads), "{profile} {text:?}: {used} {}", output.stderr);
    }
}
