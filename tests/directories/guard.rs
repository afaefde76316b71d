//! The account that a pin file guards: outside of it no credential leaves, by whatever command and in CI
//! too; and the warning where wrangler would use another one by itself.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use support::places::Places;
use support::{ACME, BETA, Home, Output, run, write_program};

/// Every command that lets a credential out, with the code of its failures.
const RELEASING: [(&[&str], i32); 4] = [
    (&["exec", "-p", "prod", "sh", "-c", "exit 0"], 125),
    (&["env", "prod"], 1),
    (&["token", "prod"], 1),
    (&["credential-process", "prod"], 1),
];

/// The arguments with an option right after the command's name.
fn with<'a>(arguments: &[&'a str], option: &[&'a str]) -> Vec<&'a str> {
    [&arguments[..1], option, &arguments[1..]].concat()
}

#[test]
fn outside_of_the_guarded_account_nothing_leaves_and_both_ways_on_are_named() {
    let places = Places::new();
    // It is not allowed, and need not be. It is the nearest one with an account that counts.
    places.pin("code", format!("profile = \"beta\"\naccount = \"{BETA}\""));
    places.pin("code/sub", "profile = \"prod\"");
    for (command, code) in RELEASING {
        let words = format!(
            "profile 'prod' (from the command line) is for account Acme ({ACME}), and ~/code/.alchemy.toml is for \
             account Beta ({BETA})"
        );
        let error = places.run("code/sub", command).expect_only_error(code, &words);
        error.expect_hint(&format!("use -p beta; or for this run: --account {BETA}"));
        // The ways on, as they are named.
        let other = run(&mut places.command("code/sub", &with(command, &["--account", BETA])));
        assert_eq!(other.expect_code(0).stderr, "", "{command:?}");
        let named: Vec<&str> =
            command.iter().map(|word| if *word == "prod" { "beta" } else { word }).collect();
        run(&mut places.command("code/sub", &named)).expect_code(0);
        let error = places.run("code/sub", &with(command, &["--account", ACME]));
        error.expect_only_error(code, &format!("--account names account {ACME}, and ~/code/.alchemy.toml"));
    }
    let account = ["exec", "--account", BETA, "prod", "printenv", "CLOUDFLARE_ACCOUNT_ID"];
    assert_eq!(places.run("code", &account).expect_code(0).stdout, format!("{BETA}\n"));
}

#[test]
fn a_guard_holds_for_a_binding_and_for_a_variable_alike_and_above_a_nearer_pin_too() {
    let places = Places::new();
    places.pin("code", format!("account = \"{BETA}\""));
    places.run("code/sub", &["use", "prod"]).expect_code(0);
    places.run("code/sub", &["token"]).expect_only_error(1, "profile 'prod' (bound at ~/code/sub) is for");
    let variable = [("CLOUDFLARE_PROFILE", "prod")];
    places.run_with("code", &["token"], &variable).expect_only_error(1, "(from CLOUDFLARE_PROFILE) is for");
    // A nearer one with an account is the one that counts.
    places.pin("code/sub", format!("account = \"{ACME}\""));
    assert_eq!(places.runs_with("code/sub"), "prod");
    // No command but those that let a credential out is stopped.
    places.run("code", &["profile", "show", "prod"]).expect_code(0);
    places.run("code", &["list"]).expect_code(0);
}

#[test]
fn it_holds_before_the_credential_is_read() {
    let places = Places::new();
    places.pin("code", format!("account = \"{BETA}\""));
    places.home.write_private("credentials/prod/cloudflare.json", "nonsense");
    places.run("code", &["token", "prod"]).expect_only_error(1, "is for account Beta");
    places.run("", &["token", "prod"]).expect_error(1, "cloudflare.json");
}

/// A home without profiles, in CI: a token in the environment, in a directory with this pin file.
fn in_ci(pin: Option<&str>, account: Option<&str>, arguments: &[&str]) -> Output {
    let home = Home::new();
    let directory = home.path().join("code");
    fs::create_dir(&directory).expect("a directory");
    if let Some(pin) = pin {
        fs::write(directory.join(".alchemy.toml"), pin).expect("written");
    }
    let mut command = home.alchemy_command(arguments);
    command.current_dir(directory).env("CI", "true").env("CLOUDFLARE_API_TOKEN", "tok-hunter2-ci");
    run(command.envs(account.map(|account| ("CLOUDFLARE_ACCOUNT_ID", account))))
}

#[test]
fn in_ci_the_environments_credential_stands_in_for_a_pinned_profile_that_does_not_exist() {
    let pin = format!("profile = \"prod\"\naccount = \"{ACME}\"");
    let show = ["exec", "--", "printenv", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"];
    for account in [Some(ACME), None] {
        let output = in_ci(Some(&pin), account, &show).expect_code(0);
        assert_eq!(output.stdout, format!("tok-hunter2-ci\n{ACME}\n"), "it is set when it is unset");
        assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
        assert!(output.stderr.contains("there is no profile 'prod' (asked for by "), "{}", output.stderr);
        assert!(
            output.stderr.contains("using CLOUDFLARE_API_TOKEN from the environment"),
            "{}",
            output.stderr
        );
    }
    let refused = in_ci(Some(&pin), Some(BETA), &show);
    let refused = refused.expect_error(125, "CLOUDFLARE_ACCOUNT_ID in the environment names account");
    refused.expect_hint(&format!("--account {ACME}"));
    in_ci(Some("profile = \"prod\""), None, &["token"]).expect_code(0);
    in_ci(Some("nonsense"), None, &["token"]).expect_only_error(1, "line 1");

    // A variable is no directory: whoever set it meant that profile.
    let places = Places::new();
    places.pin("code", "profile = \"new\"");
    let token = ("CLOUDFLARE_API_TOKEN", "tok-hunter2-ci");
    let named = [token, ("CI", "true"), ("ALCHEMY_PROFILE", "new")];
    places.run_with("code", &["exec", "--", "true"], &named).expect_only_error(125, "no profile 'new'");
    // One that exists is not used before it is allowed to be asked for, whatever the environment holds.
    places.pin("code", "profile = \"prod\"");
    let ci = [token, ("CI", "true")];
    places.run_with("code", &["exec", "--", "true"], &ci).expect_only_error(125, "is not allowed yet");
    // Bound to one that is gone.
    places.home.write("bindings.json", &format!("{{\"bindings\":{{{:?}:\"gone\"}}}}", places.text("code")));
    let said = places.run_with("code", &["exec", "--", "true"], &[token]).expect_code(0).stderr;
    assert!(said.contains("there is no profile 'gone' (bound at ~/code); using"), "{said}");
}

const OTHER: &str = "fedcba9876543210fedcba9876543210";

#[test]
fn an_account_of_wranglers_own_configuration_that_differs_is_a_warning() {
    let places = Places::new();
    let table: [(&str, String); 4] = [
        (
            "wrangler.toml",
            format!("name = \"x\"\naccount_id = \"{OTHER}\" # ours\n[vars]\naccount_id = \"y\"\n"),
        ),
        ("wrangler.json", format!("{{ \"account_id\": \"{OTHER}\" }}")),
        (
            "wrangler.jsonc",
            format!(
                "\u{feff}// one\n{{ /* two */ \"vars\": {{ \"account_id\": \"y\" }},\r\n \"account_id\": \"{OTHER}\",\r\n}}\n"
            ),
        ),
        ("wrangler.json", format!("{{ \"account_id\": \"{}\" }}", OTHER.to_uppercase())),
    ];
    for (n, (file, text)) in table.iter().enumerate() {
        let directory = format!("{n}/sub");
        places.write(&format!("{n}/{file}"), text);
        for command in [&["exec", "prod", "--", "true"][..], &["env", "prod"]] {
            let said = run(&mut places.command(&directory, command)).expect_code(0).stderr;
            let (line, rest) = said.split_once('\n').unwrap_or_default();
            assert!(rest.is_empty() && line.contains(&format!("~/{n}/{file}")), "{file}: {said}");
            assert!(line.to_lowercase().contains(OTHER) && line.contains(ACME), "{file}: {said}");
        }
        assert_eq!(
            run(&mut places.command(&directory, &["exec", "beta", "true"])).stderr,
            "",
            "the same one"
        );
        let other = ["exec", "--account", OTHER, "prod", "true"];
        assert_eq!(run(&mut places.command(&directory, &other)).stderr, "", "asked for");
        assert_eq!(run(&mut places.command(&directory, &["-q", "exec", "prod", "true"])).stderr, "");
    }
}

#[test]
fn a_generated_configuration_of_wranglers_counts_beside_the_persons_own() {
    let places = Places::new();
    let said = |directory: &str, command: &[&str]| run(&mut places.command(directory, command)).stderr;
    let exec = &["exec", "prod", "--", "true"][..];
    let (own, other) =
        (format!("{{ \"account_id\": \"{ACME}\" }}"), format!("{{ \"account_id\": \"{OTHER}\" }}"));
    places.write("code/wrangler.json", &own);
    places.write("code/dist/wrangler.json", &other);
    places.write(
        "code/.wrangler/deploy/config.json",
        "{ // by Vite\n \"configPath\": \"../../dist/wrangler.json\",\n}",
    );
    let line = format!(
        "alchemy: ~/code/dist/wrangler.json, line 1: account_id {OTHER} goes before account Acme ({ACME})"
    );
    places.directory("code/sub");
    places.directory("bin");
    write_program(&places.path("bin/wrangler"), "#!/bin/sh\n");
    for directory in ["code", "code/sub"] {
        for command in [exec, &["env", "prod"]] {
            let said = said(directory, command);
            assert!(said.starts_with(&line) && said.lines().count() == 1, "{directory} {command:?}: {said}");
        }
    }
    places
        .run("code", &["exec", "--strict", "prod", "../bin/wrangler", "deploy"])
        .expect_only_error(125, "~/code/dist/wrangler.json, line 1");
    // The one that wrangler is named goes before both; else each is said.
    let named = ["exec", "--strict", "prod", "--", "../bin/wrangler", "deploy", "-c", "wrangler.json"];
    assert_eq!(said("code", &named), "");
    places.write("code/wrangler.json", &other);
    assert_eq!(said("code", exec).lines().count(), 2);
    places.write("code/wrangler.json", &own);
    // What cannot be understood is named; what leads to no file is not.
    for wrong in ["", "{", "{}", "{\"configPath\":7}", "{\"configPath\":\"\"}", "[]"] {
        places.write("code/.wrangler/deploy/config.json", wrong);
        let said = said("code", exec);
        assert!(
            said.contains("~/code/.wrangler/deploy/config.json ") && said.lines().count() == 1,
            "{wrong}: {said}"
        );
        places
            .run("code", &["exec", "--strict", "prod", "true"])
            .expect_only_error(125, "nobody knows which account");
    }
    places.write("code/.wrangler/deploy/config.json", "{\"configPath\":\"../../none\"}");
    assert_eq!(said("code", exec), "");
}

#[test]
fn of_wranglers_files_the_one_counts_that_wrangler_takes_and_a_broken_one_is_named() {
    let places = Places::new();
    let quiet = |directory: &str| {
        let output = places.run(directory, &["exec", "prod", "--", "true"]).expect_code(0);
        assert_eq!(output.stderr, "", "{directory}");
    };
    let (own, other) = (format!("{{ \"account_id\": \"{ACME}\" }}"), format!("account_id = \"{OTHER}\""));
    // By the name first, by the distance then.
    places.write("a/wrangler.json", &own);
    places.write("a/b/wrangler.toml", &other);
    quiet("a/b");
    places.write("c/wrangler.toml", &other);
    places.write("c/d/wrangler.toml", format!("account_id = \"{ACME}\""));
    quiet("c/d");
    let named = |directory: &str| {
        let output = places.run(directory, &["exec", "prod", "--", "true"]).expect_code(0);
        assert!(
            output.stderr.contains(&format!("~/{directory}/wrangler.")),
            "{directory}: {}",
            output.stderr
        );
        places.run(directory, &["exec", "--strict", "prod", "true"]).expect_code(125);
    };
    for (n, text) in ["", "{", "account_id = ", "{ \"account_id\": 7 }", "[]", "\0\u{1}"].iter().enumerate() {
        places.write(&format!("e{n}/wrangler.jsonc"), text);
        named(&format!("e{n}"));
    }
    places.write("none/wrangler.jsonc", "{ \"account_id\": \"\" }");
    quiet("none");
    places.write("deep/wrangler.json", "[".repeat(500_000));
    named("deep");
    places.write("deep/wrangler.toml", format!("a = {}", "[".repeat(500_000)));
    fs::remove_file(places.path("deep/wrangler.json")).expect("removed");
    named("deep");
    places.write("evil/wrangler.jsonc", "{ \"account_id\": \"x\\n\\u001b[31malchemy: hunter2\" }");
    named("evil");
    assert!(!places.run("evil", &["exec", "prod", "--", "true"]).stderr.contains('\u{1b}'));
    mkfifo(&places.directory("fifo").join("wrangler.toml"), Mode::S_IRWXU).expect("a FIFO");
    quiet("fifo");
    symlink("/dev/zero", places.directory("zero").join("wrangler.jsonc")).expect("a link");
    quiet("zero");
}

#[test]
fn the_folders_that_the_words_lead_to_demand_their_account_too() {
    let places = Places::new();
    places.pin("beta", format!("account = \"{BETA}\""));
    places.write("beta/x.js", "");
    places.write("beta/deploy.sh", "true\n");
    places.write("beta/package.json", "{\"name\":\"b\",\"scripts\":{\"deploy\":\"true\"}}");
    for root in ["all", "code"] {
        places.write(&format!("{root}/pnpm-workspace.yaml"), "packages: ['../beta', 'c']\n");
    }
    places.write("all/package.json", "{}");
    places.write("code/package.json", "{\"scripts\":{\"go\":\"cd ../beta && true\",\"stay\":\"true\"}}");
    places.directory("bin");
    for name in
        ["npm", "wrangler", "pnpm", "yarn", "bun", "make", "node", "nx", "turbo", "docker", "lerna", "git"]
    {
        write_program(&places.path("bin").join(name), "#!/bin/sh\necho ran\n");
    }
    let path = format!("{}:{}", places.text("bin"), std::env::var("PATH").expect("set"));
    let run = |options: &[&str], profile: &str, line: &str| {
        let cut = line.split('\'').enumerate();
        let words: Vec<&str> = cut
            .flat_map(|(n, part)| if n % 2 == 1 { vec![part] } else { part.split_whitespace().collect() })
            .collect();
        let words = [&["exec"], options, &[profile, "--"], &words].concat();
        places.run_with("code", &words, &[("PATH", &path)])
    };
    for line in [
        "npm --prefix ../beta run deploy",
        "npm run deploy --prefix=../beta",
        "pnpm -C ../beta deploy",
        "pnpm --dir ../beta deploy",
        "yarn --cwd ../beta deploy",
        "bun run --cwd ../beta deploy",
        "wrangler deploy --cwd ../beta",
        "wrangler deploy ../beta/x.js",
        "wrangler deploy --config ../beta/wrangler.toml",
        "npm run go",
        "sh -c 'cd ../beta && make'",
        "env -C ../beta make",
        "sh ../beta/deploy.sh",
        "node ../beta/x.js",
        "timeout 9 npm --prefix ../beta run deploy",
        "make -C ../beta",
        "make -C../beta",
        "git -C ../beta submodule foreach make",
        "docker compose --project-directory ../beta up",
        "docker compose -f ../beta/compose.yml up",
        "yarn --cwd ../all workspace b run deploy",
        "nx run b:deploy",
        "turbo --cwd ../all run b#deploy",
        "turbo --cwd ../all run deploy --filter=b",
        "pnpm -C ../all --filter b deploy",
        "lerna run deploy --scope b",
        "npm --prefix ../all run deploy -w b",
    ] {
        let words = format!(
            "profile 'prod' (from the command line) is for account Acme ({ACME}), and ~/beta/.alchemy.toml"
        );
        run(&[], "prod", line).expect_only_error(125, &words);
        run(&["--no-strict"], "prod", line).expect_only_error(125, &words);
        run(&[], "beta", line).expect_code(0);
        run(&["--account", BETA], "prod", line).expect_code(0);
    }
    // A path that need not mean anything counts for --strict alone.
    run(&[], "prod", "make ../beta/x.js").expect_code(0);
    run(&["--strict"], "prod", "make ../beta/x.js").expect_error(125, "~/beta/.alchemy.toml is for account");
    for line in ["npm run stay", "make deploy", "wrangler deploy"] {
        run(&["--strict"], "prod", line).expect_code(0);
    }
    // One that nobody understands lets nothing out.
    places.pin("beta", "nonsense");
    run(&[], "beta", "npm --prefix ../beta run deploy").expect_only_error(125, "/beta/.alchemy.toml");
}

#[test]
fn a_script_that_runs_in_a_package_leads_to_its_folder() {
    let places = Places::new();
    places.write("code/package.json", r#"{"workspaces":["packages/*"],"scripts":{"all":"turbo d"}}"#);
    places.write(
        "code/turbo.json",
        r#"{"globalPassThroughEnv":["*"],"tasks":{"d":{},"ship":{"dependsOn":["^d"]}}}"#,
    );
    places.write("code/packages/api/package.json", r#"{"name":"api","scripts":{"d":"wrangler deploy"}}"#);
    places.write("code/packages/web/package.json", r#"{"name":"web","scripts":{"x":"true","ship":"true"}}"#);
    places.pin("code/packages/api", format!("account = \"{BETA}\""));
    places.directory("bin");
    for name in ["npm", "npx", "pnpm", "nx", "turbo", "lerna", "yarn"] {
        write_program(&places.path("bin").join(name), "#!/bin/sh\n");
    }
    let path = format!("{}:{}", places.text("bin"), std::env::var("PATH").expect("set"));
    let run = |profile: &str, line: &str| {
        let words: Vec<&str> = ["exec", profile, "--"].into_iter().chain(line.split(' ')).collect();
        places.run_with("code", &words, &[("PATH", &path)])
    };
    for line in [
        "turbo d",
        "npx turbo d",
        "nx run-many -t d",
        "lerna run d",
        "npm run all",
        "turbo ship",
        "turbo d --filter=./packages/*",
        "pnpm -r d",
        "npm run d -ws",
        "turbo run d --filter=api",
        "lerna exec d",
    ] {
        run("prod", line).expect_error(125, "~/code/packages/api/.alchemy.toml is for account");
        run("beta", line).expect_code(0);
    }
    for line in
        ["turbo x", "nx run-many -t x", "npm run x -w web", "pnpm --filter web x", "turbo d --filter=!api"]
    {
        run("prod", line).expect_code(0);
    }
}
