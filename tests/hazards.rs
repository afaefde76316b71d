//! What in a directory outranks the credential that `exec` gives: named before the command starts, and with
//! `--strict` refused. That all this is true is asked of the real clients in `tests/hazards_clients.rs`.

mod support;

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use support::dotenv::HARMLESS;
use support::places::Places;
use support::{ACME, BETA, Output, write_program};

/// The lines that are said before the command runs, in a directory with these files.
#[track_caller]
fn said(files: &[(&str, &str)], arguments: &[&str]) -> Vec<String> {
    let places = Places::new();
    places.home.key_profile("legacy", "hunter2-key", "me@example.com");
    for (name, text) in files {
        places.write(&format!("code/{name}"), text);
    }
    fs::create_dir(places.path("bin")).expect("a folder");
    for name in ["wrangler", "alchemy", "npm", "npx", "docker"] {
        write_program(&places.path("bin").join(name), "#!/bin/sh\n");
    }
    let path = format!("{}:{}", places.text("bin"), std::env::var("PATH").expect("set"));
    let output = places.run_with("code", arguments, &[("PATH", &path)]).expect_code(0);
    output.stderr.lines().map(|line| line.trim_start_matches("alchemy: ").to_owned()).collect()
}

/// `exec` of these words with the profile; `true` where there are none.
fn exec<'a>(profile: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    let words = if words.is_empty() { &["true"] } else { words };
    [&["exec", profile, "--"], words].concat()
}

const KEY: &str = "CLOUDFLARE_API_KEY=hunter2-other\n";
const PAIR: &str = "CLOUDFLARE_API_KEY=hunter2-other\nCLOUDFLARE_EMAIL=other@example.com\n";
const HEADERS: &str = "CLOUDFLARE_API_HEADERS={\"Authorization\":\"Bearer hunter2-other\"}\n";

#[test]
fn each_entry_that_outranks_the_credential_is_named_with_its_file_its_line_and_whom_it_misleads() {
    let beside = "is sent beside the token by wrangler";
    let table: [(&str, &[&str], &str, &[&str]); 18] = [
        ("prod", &[], HARMLESS, &[]),
        (
            "prod",
            &[],
            PAIR,
            &["line 1: CLOUDFLARE_API_KEY goes before the token in wrangler and npm alchemy 1"],
        ),
        (
            "prod",
            &[],
            KEY,
            &[
                "line 1: CLOUDFLARE_API_KEY is sent beside the token by wrangler",
                "line 1: CLOUDFLARE_API_KEY goes before the token in npm alchemy 1",
            ],
        ),
        (
            "prod",
            &["wrangler", "deploy"],
            KEY,
            &["line 1: CLOUDFLARE_API_KEY is sent beside the token by wrangler"],
        ),
        (
            "prod",
            &["../bin/alchemy", "deploy"],
            KEY,
            &["line 1: CLOUDFLARE_API_KEY goes before the token in npm alchemy 1"],
        ),
        ("prod", &[], "\n\nCLOUDFLARE_EMAIL=a@b.c\n", &[&format!("line 3: CLOUDFLARE_EMAIL {beside}")]),
        (
            "prod",
            &["npx", "wrangler@4"],
            "CF_API_KEY=x\nCF_EMAIL=x",
            &["line 1: CF_API_KEY goes before the token in wrangler"],
        ),
        (
            "prod",
            &["wrangler"],
            "CF_API_KEY=x\nCLOUDFLARE_API_KEY=\nCF_EMAIL=x",
            &["line 2: CLOUDFLARE_API_KEY is sent beside the token by wrangler"],
        ),
        ("prod", &["alchemy"], "CLOUDFLARE_API_KEY=''\n", &[]),
        ("prod", &["wrangler"], "CF_API_KEY=x\n", &[]),
        ("prod", &[], HEADERS, &["line 1: CLOUDFLARE_API_HEADERS goes before the token in wrangler"]),
        ("legacy", &[], HEADERS, &["line 1: CLOUDFLARE_API_HEADERS goes before the key in wrangler"]),
        ("legacy", &[], PAIR, &[]),
        (
            "legacy",
            &[],
            "CLOUDFLARE_API_TOKEN=x",
            &["line 1: CLOUDFLARE_API_TOKEN goes before the key in npm alchemy 2"],
        ),
        ("legacy", &["wrangler"], "CLOUDFLARE_API_TOKEN=x", &[]),
        ("legacy", &[], "CLOUDFLARE_API_TOKEN=", &[]),
        ("prod", &["wrangler"], "A='\nCLOUDFLARE_API_KEY=x\nCLOUDFLARE_EMAIL=x'\n", &[]),
        (
            "prod",
            &["alchemy"],
            "\u{feff}export CLOUDFLARE_API_KEY = \"x\" # y\r\n",
            &["line 1: CLOUDFLARE_API_KEY goes before the token in npm alchemy 1"],
        ),
    ];
    for (profile, words, text, expected) in table {
        let expected: Vec<String> = expected.iter().map(|line| format!("~/code/.env, {line}")).collect();
        assert_eq!(said(&[(".env", text)], &exec(profile, words)), expected, "{profile} {words:?} {text:?}");
    }
    let shell = said(&[(".env", PAIR)], &["exec", "prod"]);
    assert!(shell[0].starts_with("~/code/.env, line 1: CLOUDFLARE_API_KEY"), "a subshell: {shell:?}");
}

#[test]
fn the_files_are_those_that_the_command_will_load_and_the_last_of_them_counts() {
    let named = |file: &str| {
        vec![format!("~/code/{file}, line 1: CLOUDFLARE_API_HEADERS goes before the token in wrangler")]
    };
    let headers = |file: &'static str, words: &[&str]| said(&[(file, HEADERS)], &exec("prod", words));
    for file in [".env", ".env.local"] {
        assert_eq!(headers(file, &["wrangler"]), named(file));
    }
    for words in [
        &["wrangler", "-e", "staging"][..],
        &["wrangler", "--env=staging"],
        &["npm", "run", "x", "--", "--env", "staging"],
    ] {
        assert_eq!(headers(".env.staging", words), named(".env.staging"), "{words:?}");
        assert_eq!(headers(".env.staging.local", words), named(".env.staging.local"), "{words:?}");
        assert_eq!(headers(".env.production", words), Vec::<String>::new());
    }
    assert_eq!(headers("sub/.env", &["wrangler", "--cwd", "sub"]), named("sub/.env"));
    assert_eq!(headers(".env", &["wrangler", "--cwd", "sub"]), Vec::<String>::new());
    assert_eq!(headers("other", &["wrangler", "--env-file", "x", "other"]), named("other"));
    assert_eq!(headers("other", &["wrangler", "--env-file=x", "--env-file=other"]), named("other"));
    assert_eq!(headers(".env", &["wrangler", "--env-file", "other"]), Vec::<String>::new());
    assert_eq!(headers("other", &["docker", "run", "--env-file", "other"]), Vec::<String>::new());
    assert_eq!(headers(".dev.vars", &["wrangler"]), Vec::<String>::new());
    let emptied = [(".env", HEADERS), (".env.local", "CLOUDFLARE_API_HEADERS=\n")];
    assert_eq!(said(&emptied, &exec("prod", &["wrangler"])), Vec::<String>::new());
    let spread = [(".env", "\nCLOUDFLARE_EMAIL=x"), (".env.local", KEY)];
    let line = "~/code/.env.local, line 1: CLOUDFLARE_API_KEY goes before the token in wrangler";
    assert_eq!(said(&spread, &exec("prod", &["wrangler"])), [line]);
}

#[test]
fn scripts_of_packages_are_followed_to_where_they_run() {
    let places = Places::new();
    places.directory("repo/.git");
    places.directory("repo/p/src");
    places.write("package.json", "{}");
    places.write("repo/package.json", "{}");
    places.write("repo/p/package.json", "{\"scripts\":{\"d\":\"wrangler deploy\"}}");
    places.write("repo/p/.env", PAIR);
    let ran = places.path("ran");
    places.directory("bin");
    for name in ["npm", "pnpm", "yarn", "bun", "npx", "make"] {
        write_program(&places.path("bin").join(name), &format!("#!/bin/sh\n: >{}\n", ran.display()));
    }
    let path = format!("{}:{}", places.text("bin"), std::env::var("PATH").expect("set"));
    let run = |directory: &str, line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        places.run_with(
            directory,
            &[&["exec", "--strict", "prod", "--"], &words[..]].concat(),
            &[("PATH", &path)],
        )
    };
    let refused = [
        ("repo/p/src", "npm run d"),
        ("repo/p/src", "env CI=1 npm test"),
        ("repo/p/src", "pnpm d"),
        ("repo/p/src", "yarn d"),
        ("repo/p/src", "yarn wrangler deploy"),
        ("repo/p/src", "bun run d"),
        ("repo", "npm --prefix p run d"),
        ("repo", "npm run d --prefix=p"),
        ("repo", "npm -C p run d"),
        ("repo", "pnpm --dir p/src d"),
        ("repo", "yarn --cwd p d"),
        ("repo", "bun run --cwd p d"),
        ("repo/other", "npm --prefix ../p run d"),
    ];
    for (directory, line) in refused {
        let words = "~/repo/p/.env, line 1: CLOUDFLARE_API_KEY goes before the token in wrangler";
        run(directory, line).expect_only_error(125, words);
        assert!(!ran.exists(), "{line}");
    }
    for (directory, line) in [
        ("repo", "npm run d"),
        ("repo/other", "npm run d"),
        ("repo/p/src", "npx wrangler deploy"),
        ("repo/p/src", "pnpm exec wrangler deploy"),
        ("repo/p/src", "make npm"),
    ] {
        assert_eq!(run(directory, line).expect_code(0).stderr, "", "{line}");
    }
    // Both count; and what is above the repository is not the project's.
    places.write("repo/p/src/.env.local", HEADERS);
    let said = run("repo/p/src", "npm run d").expect_code(125).stderr;
    assert!(
        said.contains("~/repo/p/src/.env.local, line 1") && said.contains("~/repo/p/.env, line 1"),
        "{said}"
    );
    fs::remove_file(places.path("repo/package.json")).expect("removed");
    places.write(".env", PAIR);
    assert_eq!(run("repo/other", "npm run d").expect_code(0).stderr, "");
    // Wrangler's own configuration, too.
    fs::remove_file(places.path("repo/p/.env")).expect("removed");
    places.write("repo/p/wrangler.json", format!("{{\"account_id\":\"{BETA}\"}}"));
    run("repo", "npm --prefix p run d").expect_only_error(125, "~/repo/p/wrangler.json, line 1: account_id");
}

#[test]
fn a_file_that_npm_alchemy_2_is_named_goes_before_everything() {
    let account = format!("CLOUDFLARE_API_TOKEN=x\nCLOUDFLARE_ACCOUNT_ID={BETA}\nCLOUDFLARE_API_KEY=x\n");
    let other = [("other", account.as_str())];
    let lines = [
        "~/code/other, line 3: CLOUDFLARE_API_KEY goes before the token in npm alchemy 1",
        "~/code/other, line 1: CLOUDFLARE_API_TOKEN goes before the token in npm alchemy 2",
        "~/code/other, line 2: CLOUDFLARE_ACCOUNT_ID goes before the account in npm alchemy 2",
    ];
    assert_eq!(said(&other, &exec("prod", &["alchemy", "deploy", "--env-file", "other"])), lines);
    let own = format!("CLOUDFLARE_ACCOUNT_ID={ACME}\nCLOUDFLARE_API_TOKEN=\nCLOUDFLARE_EMAIL=x\n");
    assert_eq!(
        said(&[("other", &own)], &exec("prod", &["alchemy", "--env-file=other"])),
        Vec::<String>::new()
    );
    let key = "~/code/other, line 3: CLOUDFLARE_EMAIL goes before the key in npm alchemy 2";
    assert_eq!(said(&[("other", &own)], &exec("legacy", &["alchemy", "--env-file=other"])), [key]);
}

#[test]
fn many_are_counted_and_quiet_says_nothing() {
    let text = format!("{PAIR}{HEADERS}");
    let other = format!("account_id = \"{BETA}\"");
    let files =
        [(".env", text.as_str()), (".env.local", "CLOUDFLARE_API_KEY=x"), ("wrangler.toml", other.as_str())];
    let lines = said(&files, &exec("prod", &[]));
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[2].ends_with("in npm alchemy 1; and 1 more"), "{lines:?}");
    assert_eq!(said(&files, &[&["-q"], &exec("prod", &[])[..]].concat()), Vec::<String>::new());
}

#[test]
fn strict_runs_nothing_and_a_setting_makes_it_the_rule() {
    let places = Places::new();
    places.write("code/.env", PAIR);
    places.write("account/wrangler.json", format!("{{\n \"account_id\": \"{BETA}\"\n}}"));
    let ran = places.path("ran");
    let touch = ran.to_str().expect("UTF-8");
    let run_in = |directory: &str, options: &[&str]| -> Output {
        places.run(directory, &[&["exec"], options, &["prod", "touch", touch]].concat())
    };
    let words = "~/code/.env, line 1: CLOUDFLARE_API_KEY goes before the token in wrangler and npm alchemy 1";
    run_in("code", &["--strict"]).expect_only_error(125, words).expect_hint("--no-strict");
    let account = "~/account/wrangler.json, line 2: account_id fedcba";
    run_in("account", &["--strict"]).expect_only_error(125, account);
    places.home.write("settings.toml", "strict = true\n");
    // Not even the credential is read.
    let credential = places.home.read("credentials/prod/cloudflare.json");
    places.home.write_private("credentials/prod/cloudflare.json", "nonsense");
    run_in("code", &[]).expect_only_error(125, words);
    run_in("code", &["-q"]).expect_only_error(125, words);
    places.home.write_private("credentials/prod/cloudflare.json", &credential);
    assert!(!ran.exists(), "nothing was run");
    run_in("elsewhere", &[]).expect_code(0);
    fs::remove_file(&ran).expect("it was run");
    let said = run_in("code", &["--no-strict"]).expect_code(0).stderr;
    assert_eq!(said, format!("alchemy: {words}\n"));
    run_in("code", &["--strict", "--no-strict"]).expect_code(0);
    places.home.write("settings.toml", "strict = false\nexport = \"credential\"\n");
    run_in("code", &[]).expect_code(0);
    run_in("code", &["--no-strict", "--strict"]).expect_only_error(125, words);
    for wrong in ["strict = \"yes\"", "strict = 1"] {
        places.home.write("settings.toml", wrong);
        run_in("code", &[]).expect_error(125, "the value must be true or false").expect_hint("strict = true");
    }
}

#[test]
fn what_cannot_be_looked_through_is_named_and_never_waited_for() {
    let places = Places::new();
    let lines = |directory: &str| places.run(directory, &["exec", "prod", "true"]).expect_code(0).stderr;
    let why = "so it was not looked through for what goes before the credential";
    places.write("huge/.env", "A=1\n".repeat(300_000));
    assert_eq!(lines("huge"), format!("alchemy: ~/huge/.env is larger than 1024 KiB, {why}\n"));
    mkfifo(&places.directory("fifo").join(".env"), Mode::S_IRWXU).expect("a FIFO");
    assert_eq!(lines("fifo"), format!("alchemy: ~/fifo/.env is no regular file, {why}\n"));
    symlink("/dev/zero", places.directory("zero").join(".env")).expect("a link");
    assert!(lines("zero").contains("is no regular file"));
    // None of their readers can make anything of these.
    places.directory("folder/.env");
    symlink("nowhere", places.directory("nowhere").join(".env")).expect("a link");
    symlink(".env", places.directory("loop").join(".env")).expect("a link");
    for directory in ["folder", "nowhere", "loop"] {
        assert_eq!(lines(directory), "", "{directory}");
    }
    places.write("odd/.env", b"\xff\xfe=\x00\nCLOUDFLARE_API_KEY=\xff\xff");
    assert!(lines("odd").contains("line 2: CLOUDFLARE_API_KEY"), "{}", lines("odd"));
    symlink(places.path("odd/.env"), places.directory("link").join(".env")).expect("a link");
    assert!(lines("link").contains("~/link/.env, line 2"), "{}", lines("link"));
}
