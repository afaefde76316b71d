//! What is said of real clients before they start is true: where something outranks the credential that
//! `exec` gives it is named, and where nothing is named they use that credential.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::cloudflare::{Cloudflare, Credential};
use support::dotenv::HARMLESS;
use support::npm::{Npm, returned};
use support::{ACME, BETA, Home, given, has, run, write_program};

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

/// `exec prod` of a command in a directory with these files, where `wrangler` is the real one: whether it was asked for
/// nothing but our account with our credential, and what was said before; then the same with `--strict`.
fn by(files: &[(&str, &str)], words: &[&str]) -> Option<(bool, String, i32)> {
    let (node, modules) = (given("ALCHEMY_TEST_NODE")?, given("ALCHEMY_TEST_NODE_MODULES")?);
    let (home, directory) = home_with(files);
    let bin = home.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    let wrangler = modules.join("wrangler/bin/wrangler.js");
    let script = format!("#!/bin/sh\nexec {} {} \"$@\"\n", node.display(), wrangler.display());
    write_program(&bin.join("wrangler"), &script);
    // What npm does with a script, as far as it matters here.
    let run_script = "require('child_process').spawnSync(require('./package.json').scripts[process.argv[2]], \
                      { shell: true, stdio: 'inherit' })";
    fs::write(directory.join("npm.js"), run_script).expect("written");
    write_program(&bin.join("npm"), &format!("#!/bin/sh\nexec {} npm.js \"$2\"\n", node.display()));
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("set"));
    let api = Cloudflare::start();
    api.account(ACME, "Acme");
    api.add(Credential::user_token("tok-hunter2-prod"));
    let start = |options: &[&str]| {
        let mut command = home.alchemy_command(&[&["exec"], options, &["prod", "--"], words].concat());
        command.current_dir(&directory).env("CLOUDFLARE_API_BASE_URL", api.base_url()).env("PATH", &path);
        command.envs([("WRANGLER_SEND_METRICS", "false"), ("NO_UPDATE_NOTIFIER", "1"), ("CI", "true")]);
        run(&mut command)
    };
    let said = start(&[]).stderr;
    let requests = api.requests();
    assert!(!requests.is_empty(), "{words:?} asks nothing: {said}");
    let ours = requests.iter().all(|request| {
        let seen = ["authorization", "x-auth-key"].map(|name| request.header(name));
        seen == [Some("Bearer tok-hunter2-prod"), None]
            && (!request.path.contains("/accounts/") || request.path.contains(ACME))
    });
    let strict = start(&["--strict"]).code;
    assert_eq!(api.requests().len() == requests.len(), strict == 125, "refused is not run");
    Some((ours, said, strict))
}

/// Files, a command, whether its call goes elsewhere, and the code of `--strict`.
type Behind<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], bool, i32);

#[test]
fn behind_scripts_and_wrappers_wrangler_takes_something_else_exactly_where_that_is_said() {
    let two = format!("account_id = \"{ACME}\"\n[env.staging]\naccount_id = \"{BETA}\"\n");
    let one = format!("account_id = \"{ACME}\"\n[env.staging]\nname = \"y\"\n");
    let other = format!("account_id = \"{BETA}\"\n");
    let scripts = "{\"scripts\":{\"s\":\"wrangler kv namespace list --env staging\",\"p\":\"wrangler kv namespace list\",\
                   \"a\":\"CLOUDFLARE_ENV=staging wrangler d1 list\",\"c\":\"cd sub && wrangler d1 list\"}}";
    let staging = "CLOUDFLARE_ENV=staging\n";
    let (set_own, set_other) = (
        format!("CLOUDFLARE_ACCOUNT_ID={ACME} wrangler d1 list"),
        format!("CLOUDFLARE_ACCOUNT_ID={BETA}; wrangler d1 list"),
    );
    let load = "export $(grep -v '^#' .env | xargs) && wrangler d1 list";
    let fallback = "export CLOUDFLARE_API_TOKEN=\"${CLOUDFLARE_API_TOKEN:-hunter2-other}\"; wrangler d1 list";
    let here = "cd \"$(dirname \"$0\")\"; wrangler d1 list";
    let table: [Behind; 22] = [
        (&[], &["sh", "-c", &set_own], false, 0),
        (&[], &["sh", "-c", &set_other], true, 125),
        (&[], &["env", "CLOUDFLARE_API_TOKEN=hunter2-other", "wrangler", "d1", "list"], true, 125),
        (&[], &["sh", "-c", fallback], false, 0),
        (&[(".env", TOKEN)], &["sh", "-c", load], true, 125),
        (&[(".env", TOKEN)], &["sh", "-c", "cat .env; wrangler d1 list"], false, 0),
        (&[("vars", TOKEN)], &["sh", "-c", ". ./vars; wrangler d1 list"], true, 125),
        (&[("sub/wrangler.toml", &other), ("sub/x.sh", here)], &["sh", "sub/x.sh"], true, 125),
        (&[("sub/x.sh", here)], &["sh", "sub/x.sh"], false, 0),
        (&[("wrangler.toml", &two)], &["npm", "run", "s"], true, 125),
        (&[("wrangler.toml", &two)], &["npm", "run", "a"], true, 125),
        (&[("wrangler.toml", &two)], &["npm", "run", "p"], false, 125),
        (&[("wrangler.toml", &one)], &["npm", "run", "p"], false, 0),
        (&[("wrangler.toml", &one)], &["npm", "run", "s"], false, 0),
        (
            &[("wrangler.toml", &two)],
            &["timeout", "60", "wrangler", "d1", "list", "--env", "staging"],
            true,
            125,
        ),
        (&[("wrangler.toml", &two)], &["sh", "-c", "wrangler d1 list -e staging"], true, 125),
        (&[("wrangler.toml", &two)], &["wrangler", "d1", "list"], false, 0),
        (&[("wrangler.toml", &two), (".env", staging)], &["wrangler", "d1", "list"], true, 125),
        (&[("wrangler.toml", &two), (".env", staging)], &["npm", "run", "p"], true, 125),
        (&[("wrangler.toml", &two), (".env", staging)], &["wrangler", "d1", "list", "--env", ""], false, 0),
        (&[(".env.staging", PAIR)], &["npm", "run", "s"], true, 125),
        (&[("sub/wrangler.toml", &other)], &["npm", "run", "c"], true, 125),
    ];
    for (files, words, misleads, code) in table {
        let files = [files, &[("package.json", scripts)]].concat();
        let Some((ours, said, strict)) = by(&files, words) else { return };
        let is_hazard = |line: &str| line.contains(", line ") || line.contains("the command: ");
        let warns = said.lines().any(|line| line.starts_with("alchemy: ") && is_hazard(line));
        let ran = if strict == 125 { 125 } else { 0 };
        assert_eq!((!ours, warns, ran), (misleads, misleads, code), "{files:?} {words:?}: {said}");
    }
}

#[test]
fn wrangler_takes_the_configuration_beside_its_script_exactly_where_that_is_said() {
    let code = "export default { fetch() { return new Response('x') } }";
    let of = |account: &str| {
        format!("name = \"x\"\ncompatibility_date = \"2025-01-01\"\naccount_id = \"{account}\"\n")
    };
    let (acme, beta) = (of(ACME), of(BETA));
    for (own, beside, misleads) in [(&acme, &beta, true), (&beta, &acme, false)] {
        let files = [
            ("wrangler.toml", own.as_str()),
            ("packages/api/wrangler.toml", beside.as_str()),
            ("packages/api/src/index.js", code),
        ];
        let words = ["wrangler", "deploy", "packages/api/src/index.js"];
        let Some((ours, said, strict)) = by(&files, &words) else { return };
        let warns = said.contains("~/code/packages/api/wrangler.toml, line 3: account_id");
        assert_eq!((!ours, warns, strict == 125), (misleads, misleads, misleads), "{said}");
    }
}

#[test]
fn bun_hands_on_what_a_file_says_exactly_where_that_is_said() {
    let Some(bun) = given("ALCHEMY_TEST_BUN") else { return };
    let modes = [None, Some("production"), Some("test"), Some("staging")];
    for name in [
        ".env.production",
        ".env.development",
        ".env.test",
        ".env.production.local",
        ".env.local",
        ".env.other",
    ] {
        for mode in modes {
            for words in [&["show.ts"][..], &["run", "show.ts"], &["--env-file=.env.other", "show.ts"]] {
                let script = "console.log(process.env.CLOUDFLARE_API_KEY ?? 'nothing')";
                let (home, directory) = home_with(&[(name, PAIR), ("show.ts", script)]);
                let start = |options: &[&str]| {
                    let mut command = home.alchemy_command(&[&["exec"], options, &["prod", "--"]].concat());
                    command.arg(&bun).args(words).current_dir(&directory).env_remove("NODE_ENV");
                    run(command.envs(mode.map(|mode| ("NODE_ENV", mode))))
                };
                let output = start(&[]).expect_code(0);
                let is_there = output.stdout == "hunter2-other\n";
                let warns = output.stderr.contains(&format!("~/code/{name}, line 1: CLOUDFLARE_API_KEY"));
                // The default files are wrangler's, too, whatever bun is named.
                let is_default = name == ".env.local";
                assert_eq!(warns, is_there || is_default, "{name} {mode:?} {words:?}: {output:?}");
                // Whatever lies there may count, as code may load it.
                start(&["--strict"]).expect_code(125);
            }
        }
    }
}

#[test]
fn bun_hands_nothing_on_to_scripts_and_installed_programs() {
    let Some(bun) = given("ALCHEMY_TEST_BUN") else { return };
    let path =
        format!("{}:{}", bun.parent().expect("a folder").display(), std::env::var("PATH").expect("set"));
    let show = "echo key=${CLOUDFLARE_API_KEY:-nothing}";
    let package = format!("{{\"scripts\":{{\"show\":\"{show}\"}}}}");
    for (line, is_handed_on) in [
        ("run show", false),
        ("show", false),
        ("run wrangler", false),
        ("wrangler", false),
        ("x wrangler", false),
        ("--bun run wrangler", false),
        ("run --env-file=.env.development show", true),
        ("--env-file=.env.development run wrangler", true),
        ("run show.ts", true),
        ("exec ./show.sh", true),
    ] {
        let (home, directory) = home_with(&[
            (".env.development", PAIR),
            ("package.json", &package),
            ("show.ts", "console.log('key=' + (process.env.CLOUDFLARE_API_KEY ?? 'nothing'))"),
        ]);
        for name in ["node_modules/.bin/wrangler", "show.sh"] {
            let program = directory.join(name);
            fs::create_dir_all(program.parent().expect("a folder")).expect("a folder");
            write_program(&program, &format!("#!/bin/sh\n{show}\n"));
        }
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = home.alchemy_command(&[&["exec", "prod", "--", "bun"], &words[..]].concat());
        command.current_dir(&directory).env("PATH", &path).env_remove("NODE_ENV");
        let output = run(&mut command).expect_code(0);
        let is_there = output.stdout.contains("key=hunter2-other");
        assert!(is_there || output.stdout.contains("key=nothing"), "{line}: {output:?}");
        let warns = output.stderr.contains("~/code/.env.development, line 1: CLOUDFLARE_API_KEY");
        assert_eq!((is_there, warns), (is_handed_on, is_handed_on), "{line}: {output:?}");
    }
}

#[test]
fn turbo_keeps_the_credential_from_a_task_exactly_where_that_is_said() {
    let Some(modules) = given("ALCHEMY_TEST_NODE_MODULES") else { return };
    let turbo = modules.join("@turbo/linux-64/bin/turbo");
    if !turbo.is_file() || !has("npm") {
        return;
    }
    let pass = "{\"globalPassThroughEnv\":[\"CLOUDFLARE_*\"],\"tasks\":{\"show\":{\"cache\":false}}}";
    let of_task = "{\"tasks\":{\"show\":{\"cache\":false,\"passThroughEnv\":[\"CLOUDFLARE_API_TOKEN\",\"CLOUDFLARE_ACCOUNT_ID\"]}}}";
    for (text, words, drops) in [
        ("{\"tasks\":{\"show\":{\"cache\":false}}}", &["run", "show"][..], true),
        ("{\"tasks\":{\"show\":{\"cache\":false}}}", &["run", "show", "--env-mode=loose"], false),
        (pass, &["run", "show"], false),
        (of_task, &["run", "show"], false),
        (of_task, &["show"], false),
    ] {
        let package = "{\"name\":\"r\",\"packageManager\":\"npm@10.0.0\",\"workspaces\":[\"packages/*\"]}";
        let script = "{\"name\":\"a\",\"scripts\":{\"show\":\"echo token=$CLOUDFLARE_API_TOKEN account=$CLOUDFLARE_ACCOUNT_ID.\"}}";
        let files = [("package.json", package), ("packages/a/package.json", script), ("turbo.json", text)];
        let (home, directory) = home_with(&files);
        run(home.command(Path::new("git")).args(["init", "-q"]).current_dir(&directory)).expect_code(0);
        let start = |options: &[&str]| {
            let mut command =
                home.alchemy_command(&[&["exec"], options, &["prod", "--account", ACME, "--"]].concat());
            command.arg(&turbo).args(words).current_dir(&directory).env("TURBO_TELEMETRY_DISABLED", "1");
            run(&mut command)
        };
        let output = start(&[]);
        let is_there = output.stdout.contains(&format!("token=tok-hunter2-prod account={ACME}."));
        assert!(is_there || output.stdout.contains("token= account="), "{output:?}");
        let warns = output.stderr.contains("has turbo keep CLOUDFLARE_API_TOKEN");
        assert_eq!((!is_there, warns), (drops, drops), "{text} {words:?}: {output:?}");
        assert_eq!(start(&["--strict"]).code == 125, drops, "{text} {words:?}");
    }
}
