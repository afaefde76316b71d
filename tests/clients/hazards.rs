//! What in a directory outranks the credential that `exec` gives: named before the command starts, and with
//! `--strict` refused. That all this is true is asked of the real clients in `tests/clients/hazards_clients.rs`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use support::dotenv::HARMLESS;
use support::places::Places;
use support::{ACME, BETA, Output, run, write_program};

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
fn an_entry_that_weakens_the_connection_is_named() {
    let tls = "NODE_TLS_REJECT_UNAUTHORIZED switches off the check of the server's certificate in";
    let case = Case::new(&[(".env", "NODE_TLS_REJECT_UNAUTHORIZED=0\n"), ("x.ts", "")]);
    case.evident("wrangler deploy", &format!("line 1: {tls} wrangler"));
    case.evident("alchemy deploy", &format!("line 1: {tls} npm alchemy 1"));
    case.evident("bun x.ts", "and what bun runs");
    case.evident("make x", tls);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        let case = Case::new(&[(".env", &format!("A=1\n{name}=http://127.0.0.1:9\n")), ("x.ts", "")]);
        case.evident("bun x.ts", &format!("line 2: {name} sends the token through another proxy in what"));
        case.possible("make x", &format!("line 2: {name} sends the token through another proxy"));
        case.fine("wrangler deploy");
    }
    for harmless in
        ["NODE_TLS_REJECT_UNAUTHORIZED=1", "NODE_TLS_REJECT_UNAUTHORIZED=", "HTTP_PROXY=x", "HTTPS_PROXY="]
    {
        let case = Case::new(&[(".env", harmless), ("x.ts", "")]);
        case.fine("wrangler deploy");
        case.fine("bun x.ts");
    }
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

/// A directory with these files, and programs that do nothing.
pub(crate) struct Case {
    pub(crate) places: Places,
    path: String,
}

impl Case {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let places = Places::new();
        for (name, text) in files {
            places.write(&format!("code/{name}"), text);
        }
        places.directory("bin");
        let programs = [
            "wrangler", "alchemy", "npm", "npx", "pnpm", "yarn", "bun", "make", "turbo", "cli4", "python3",
            "next", "vite",
        ];
        for name in programs.iter().chain(&[
            "dotenv",
            "dotenvx",
            "tsx",
            "sst",
            "sudo",
            "env-cmd",
            "nx",
            "tool",
            "deno",
            "pulumi",
            "terraform",
            "pnpx",
            "bunx",
            "lerna",
            "rush",
            "moon",
            "rushx",
            "nf",
            "poetry",
            "pipenv",
            "fd",
            "concurrently",
            "run-s",
            "npm-run-all",
            "git",
            "docker",
            "just",
            "task",
            "nodemon",
            "foreman",
            "op",
            "direnv",
            "mise",
            "uv",
            "su",
            "nix",
            "node",
        ]) {
            write_program(&places.path("bin").join(name), "#!/bin/sh\n");
        }
        let path = format!("{}:{}", places.text("bin"), std::env::var("PATH").expect("set"));
        Self { places, path }
    }

    /// The words are cut at spaces; what stands between `'` is one.
    fn run(&self, options: &[&str], line: &str, variables: &[(&str, &str)]) -> Output {
        let cut = line.split('\'').enumerate();
        let words =
            cut.flat_map(|(n, part)| if n % 2 == 1 { vec![part] } else { part.split_whitespace().collect() });
        let words: Vec<&str> = words.collect();
        let variables = [variables, &[("PATH", self.path.as_str())]].concat();
        self.places.run_with("code", &[&["exec"], options, &["prod", "--"], &words].concat(), &variables)
    }

    /// What is said without `--strict`, when the command runs.
    #[track_caller]
    pub(crate) fn said(&self, line: &str, variables: &[(&str, &str)]) -> String {
        self.run(&[], line, variables).expect_code(0).stderr
    }

    /// Refused by `--strict`, with these words.
    #[track_caller]
    pub(crate) fn refused(&self, line: &str, variables: &[(&str, &str)], words: &str) {
        let output = self.run(&["--strict"], line, variables).expect_code(125);
        assert!(output.stderr.contains(words), "{line}: {}", output.stderr);
    }

    /// Evident: said, and refused by `--strict`.
    #[track_caller]
    pub(crate) fn evident(&self, line: &str, words: &str) {
        let said = self.said(line, &[]);
        assert!(said.contains(words), "{line}: {said:?}");
        self.refused(line, &[], words);
    }

    /// Possible: nothing is said, and `--strict` refuses.
    #[track_caller]
    pub(crate) fn possible(&self, line: &str, words: &str) {
        assert_eq!(self.said(line, &[]), "", "{line}");
        self.refused(line, &[], words);
    }

    /// Nothing is said, and `--strict` lets it run.
    #[track_caller]
    pub(crate) fn fine(&self, line: &str) {
        assert_eq!(self.said(line, &[]), "", "{line}");
        assert_eq!(self.run(&["--strict"], line, &[]).expect_code(0).stderr, "", "{line}");
    }
}

/// A repository with two accounts, of which the default one is the profile's.
fn two_accounts() -> String {
    format!("name = \"x\"\naccount_id = \"{ACME}\"\n[env.staging]\naccount_id = \"{BETA}\"\n")
}

const SCRIPTS: &str = r#"{ "scripts": {
  "list:staging": "wrangler kv namespace list --env staging",
  "plain": "wrangler deploy",
  "around": "npm run -s list:staging",
  "quiet": "tsc",
  "prequiet2": "wrangler deploy -e staging",
  "quiet2": "tsc",
  "assigned": "CLOUDFLARE_ENV=staging wrangler deploy",
  "crossed": "cross-env CLOUDFLARE_ENV=staging wrangler deploy",
  "exported": "export CLOUDFLARE_ENV=staging && wrangler deploy",
  "timed": "timeout 60 wrangler deploy --env=staging",
  "sh": "sh -c 'wrangler deploy -e staging'",
  "all": "run-s plain list:staging",
  "both": "concurrently 'npm:plain' \"wrangler dev -e staging\"",
  "ring": "npm run ring",
  "file": "./deploy.sh",
  "noise": "echo --environment stagings"
} }"#;

#[test]
fn behind_a_script_a_shell_or_a_wrapper_every_environment_counts_and_one_that_is_named_is_said() {
    let (config, account) = (two_accounts(), "wrangler.toml, line 4: account_id");
    let script = "#!/bin/sh\nset -e\nwrangler deploy --env staging\n";
    let case = Case::new(&[("wrangler.toml", &config), ("package.json", SCRIPTS), ("deploy.sh", script)]);
    for line in [
        "npm run -s list:staging",
        "npm run around",
        "npm run quiet2",
        "npm run assigned",
        "npm run crossed",
        "npm run exported",
        "npm run timed",
        "npm run sh",
        "npm run all",
        "npm run both",
        "npm run file",
        "pnpm list:staging",
        "yarn list:staging",
        "bun run list:staging",
        "npm run plain -- --env staging",
        "timeout 60 wrangler kv namespace list --env staging",
        "nice wrangler deploy -e staging",
        "xargs wrangler deploy -e=staging",
        "env CLOUDFLARE_ENV=staging wrangler deploy",
        "sh -c 'wrangler deploy --env staging'",
        "bash -ec 'cd . && CLOUDFLARE_ENV=staging wrangler deploy'",
        "sh deploy.sh",
        "make deploy --env staging",
        "wrangler deploy --env staging",
        "npx wrangler deploy -e staging",
    ] {
        case.evident(line, account);
    }
    for line in [
        "npm run plain",
        "npm run quiet",
        "npm run noise",
        "npm run ring",
        "npm run none",
        "make deploy",
        "timeout 60 wrangler deploy",
        "sh -c 'wrangler deploy'",
        "env A=1 wrangler deploy",
        "tool staging",
        "true",
    ] {
        case.possible(line, account);
    }
    for line in [
        "wrangler deploy",
        "npx wrangler deploy",
        "yarn wrangler deploy",
        "pnpm exec wrangler deploy",
        "wrangler deploy --env production",
        "wrangler deploy --env ''",
        "echo staging",
        "printenv PATH",
        "alchemy deploy --stage staging",
    ] {
        case.fine(line);
    }
    // By the variable, also where the words say nothing.
    let staging = [("CLOUDFLARE_ENV", "staging")];
    for line in ["wrangler deploy", "npm run plain", "make x"] {
        assert!(case.said(line, &staging).contains(account), "{line}");
        case.refused(line, &staging, account);
    }
    assert_eq!(case.said("wrangler deploy --env production", &staging), "");
    assert_eq!(case.said("wrangler deploy --env ''", &staging), "", "an empty one is none");
    // A subshell may do anything.
    let shell = case.places.run("code", &["exec", "--strict", "prod"]);
    assert!(shell.expect_code(125).stderr.contains(account));
}

#[test]
fn an_ordinary_repository_passes_strict() {
    let one = format!("account_id = \"{ACME}\"\n[env.staging]\nname = \"y\"\n");
    let harmless = "CLOUDFLARE_API_TOKEN=hunter2-other\nNOTE=1\n";
    let case = Case::new(&[
        ("wrangler.toml", &one),
        ("package.json", SCRIPTS),
        (".env", harmless),
        (".env.staging", harmless),
        (".env.example", "CLOUDFLARE_API_KEY=\n"),
        (".envrc", "export CLOUDFLARE_API_KEY=x"),
    ]);
    for line in
        ["npm run list:staging", "npm run quiet", "make x", "sh -c 'wrangler deploy -e staging'", "true"]
    {
        case.fine(line);
    }
}

#[test]
fn a_named_environments_env_file_counts_behind_a_script() {
    let case = Case::new(&[("package.json", SCRIPTS), (".env.staging", PAIR)]);
    let key = ".env.staging, line 1: CLOUDFLARE_API_KEY";
    case.evident("npm run list:staging", key);
    case.evident("timeout 60 wrangler deploy --env staging", key);
    case.possible("npm run plain", key);
    case.fine("wrangler deploy");
    // Every file of that kind, however it is called.
    for name in [".env.example", ".env.sample", ".env.template", ".env.staging.dist"] {
        let case = Case::new(&[(name, PAIR)]);
        case.fine("make x");
        case.evident(&format!("tool --file={name}"), name);
    }
    for name in [".env.prod.local", ".env-old", ".env.examples"] {
        let case = Case::new(&[(name, PAIR)]);
        case.possible("make x", &format!("{name}, line 1: CLOUDFLARE_API_KEY"));
        case.evident(&format!("tool --file={name}"), name);
    }
    fs::remove_file(case.places.path("code/.env.staging")).expect("removed");
    mkfifo(&case.places.path("code/.env.staging"), Mode::S_IRWXU).expect("a FIFO");
    case.possible("npm run plain", ".env.staging is no regular file");
}

#[test]
fn an_environment_that_a_loaded_file_chooses_counts() {
    let config = two_accounts();
    let account = "wrangler.toml, line 4: account_id";
    for (name, line) in
        [(".env", "wrangler deploy"), (".env.local", "wrangler deploy"), (".env", "npm run x")]
    {
        let case = Case::new(&[("wrangler.toml", &config), (name, "A=1\nCLOUDFLARE_ENV=staging\n")]);
        case.evident(line, account);
        assert!(case.said(line, &[]).contains(&format!("CLOUDFLARE_ENV in {name}, line 2")));
        assert_eq!(case.said("wrangler deploy --env production", &[]), "");
        assert_eq!(case.said("wrangler deploy", &[("CLOUDFLARE_ENV", "production")]), "");
        // What runs outside of `exec` hears of it, too.
        let said = run(&mut case.places.command("code", &["env", "prod"])).expect_code(0).stderr;
        assert!(said.contains(account), "{said}");
    }
    let other = Case::new(&[("wrangler.toml", &config), ("vars", "CLOUDFLARE_ENV=staging"), (".env", "A=1")]);
    other.fine("wrangler deploy");
    other.evident("wrangler deploy --env-file vars", account);
    // What is known only when it runs may be any.
    let case = Case::new(&[("wrangler.toml", &config), (".env", "CLOUDFLARE_ENV=$STAGE\n")]);
    case.possible("wrangler deploy", account);
}

#[test]
fn wrangler_looks_for_its_configuration_beside_the_script_that_it_is_given() {
    let (own, beta) = (format!("account_id = \"{ACME}\""), format!("account_id = \"{BETA}\""));
    let case = Case::new(&[
        ("wrangler.toml", &own),
        ("packages/api/wrangler.toml", &beta),
        ("packages/api/src/index.js", ""),
        ("packages/web/src/index.js", ""),
        ("package.json", r#"{"scripts":{"d":"wrangler deploy packages/api/src/index.js"}}"#),
    ]);
    let account = "~/code/packages/api/wrangler.toml, line 1: account_id";
    for line in [
        "wrangler deploy packages/api/src/index.js",
        "wrangler versions upload --name x ./packages/api/src/index.js",
        "wrangler dev packages/api/src/index.js --remote",
        "npx wrangler deploy --minify packages/api/src/index.js",
        "npm run d",
        "timeout 9 wrangler deploy packages/api/src/index.js",
        "wrangler deploy --cwd packages api/src/index.js",
    ] {
        case.evident(line, account);
    }
    for line in [
        "wrangler deploy packages/web/src/index.js",
        "wrangler deploy packages/api",
        "wrangler deploy packages/api/src/index.js -c wrangler.toml",
        "wrangler kv key put packages/api/src/index.js x",
    ] {
        case.fine(line);
    }
    // Its own configuration is not looked at then.
    case.places.write("code/wrangler.toml", &beta);
    case.places.write("code/packages/api/wrangler.toml", &own);
    case.fine("wrangler deploy packages/api/src/index.js");
}

#[test]
fn folders_that_the_words_or_a_scripts_text_lead_to_count() {
    let beta = format!("account_id = \"{BETA}\"");
    let scripts = r#"{"scripts":{"api":"cd packages/api && npm run x", "back":"(cd packages/api); wrangler deploy",
      "unknown":"cd \"$WHERE\" && wrangler deploy", "here":"cd \"$PWD\" && wrangler deploy", "up":"cd .. && x"}}"#;
    let case = Case::new(&[
        ("package.json", scripts),
        ("packages/api/wrangler.toml", &beta),
        ("packages/api/package.json", r#"{"name":"@acme/api","scripts":{"x":"wrangler deploy"}}"#),
        ("web/package.json", "{}"),
    ]);
    let account = "~/code/packages/api/wrangler.toml, line 1: account_id";
    for line in [
        "npm run api",
        "npm run back",
        "sh -c 'cd packages/api && wrangler deploy'",
        "sh -c 'pushd packages/api; make'",
        "make -C packages/api",
        "npm --prefix packages/api run x",
        "tool packages/api/src",
        "env -C packages/api make",
        "node packages/api/deploy.js",
        "wrangler deploy --cwd packages/api",
    ] {
        if line.contains("src") || line.contains("deploy.js") {
            case.places.write("code/packages/api/src/a", "");
            case.places.write("code/packages/api/deploy.js", "");
        }
        case.evident(line, account);
    }
    case.possible("npm run unknown", "~/code/package.json, line 2: goes to $WHERE, a folder");
    case.possible("sh -c 'cd $WHERE && wrangler deploy'", "the command goes to $WHERE, a folder");
    for line in ["npm run here", "npm run up", "tool web", "sh -c 'cd web && ls'", "npm --prefix web run x"] {
        case.fine(line);
    }
    // The packages of a workspace.
    case.places.write("code/pnpm-workspace.yaml", "packages:\n  - packages/*\n");
    case.evident("pnpm --filter api x", account);
    case.evident("npm run x -w @acme/api", account);
    case.possible("nx run-many -t lint", account);
    for line in [
        "pnpm -r lint",
        "pnpm -r exec wrangler deploy",
        "pnpm recursive exec wrangler deploy",
        "npm exec -ws wrangler deploy",
        "npx --workspaces wrangler deploy",
        "npm run x --workspaces",
        "pnpm --recursive run x",
        "pulumi -C packages/api up",
    ] {
        case.evident(line, account);
    }
    case.places.pin("code/tf", format!("account = \"{BETA}\""));
    case.run(&[], "terraform -chdir=tf plan", &[])
        .expect_error(125, "~/code/tf/.alchemy.toml is for account");
    // Folders that are known only when it runs.
    for folder in ["/nowhere", "../nowhere", "{packages,x}", "~nobody", "~nobody/x"] {
        case.refused(&format!("sh -c 'true || cd {folder}'"), &[], &format!("the command goes to {folder}"));
    }
    case.refused("sh -c 'CDPATH=/tmp; true || cd packages'", &[], "the command goes to packages");
    case.fine("sh -c 'true || cd nowhere'");
    // A script is read by what its first line says.
    for first in
        ["", "#!/bin/sh -e", "#!/usr/bin/env bash", "#! /usr/bin/env -S bash -e", "#!/usr/bin/env -S A=1 sh"]
    {
        case.places.write("code/run", format!("{first}\ntrue || cd packages/api\n"));
        let script = case.places.path("code/run");
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("executable");
        case.evident("./run", account);
    }
    case.places.write("code/run", "#!/usr/bin/env cat\n");
    case.fine("./run");
    case.places.write("code/run", "#!/usr/bin/nl\n");
    case.possible("./run", "~/code/run is run, and isn't a script of a shell");
}

/// A repository with another account in a folder and in an environment, and none in its own scripts but those.
fn with_package(scripts: &str) -> Case {
    let beta = format!("account_id = \"{BETA}\"");
    let environments = format!("{}[env.1]\naccount_id = \"{BETA}\"\n", two_accounts());
    Case::new(&[
        ("wrangler.toml", &environments),
        ("package.json", scripts),
        ("packages/api/wrangler.toml", &beta),
        ("packages/api/package.json", r#"{"name":"@acme/api","scripts":{"x":"wrangler deploy"}}"#),
        ("packages/api/src/index.js", ""),
        ("packages/api/.env.api", ""),
    ])
}

const API: &str = "~/code/packages/api/wrangler.toml, line 1: account_id";
const STAGING: &str = "~/code/wrangler.toml, line 4: account_id";

#[test]
fn options_count_in_every_form_that_a_program_takes() {
    let case = with_package("{}");
    for line in [
        "env -Cpackages/api make",
        "env -vC packages/api make",
        "env -vCpackages/api make",
        "env --chd=packages/api make",
        "env --chd packages/api make",
        "make -Cpackages/api",
        "make -C packages -C api",
        "make -kCpackages/api x",
        "make --dir packages/api",
        "make -f packages/api/Makefile",
        "git -Cpackages/api submodule foreach make",
        "git -C packages -C api bisect run make",
        "pnpm -Cpackages/api x",
        "pnpm --dir=packages/api x",
        "npm -sC packages/api run x",
        "npm -prefix packages/api run x",
        "npm --prefix=packages/api run x",
        "wrangler deploy --c packages/api/wrangler.toml",
        "wrangler deploy -cpackages/api/wrangler.toml",
        "wrangler deploy -yc packages/api/wrangler.toml",
        "wrangler deploy -e production -c packages/api/wrangler.toml -c wrangler.toml",
    ] {
        case.evident(line, API);
    }
    for line in ["git -Cpackages/api push", "git -C packages -C api push"] {
        case.refused(line, &[], API);
    }
    for line in [
        "wrangler deploy -estaging",
        "wrangler deploy -e=staging",
        "wrangler deploy -ye staging",
        "wrangler deploy -ye=staging",
        "wrangler deploy --e staging",
        "wrangler deploy --e=staging",
        "wrangler deploy -e staging -e production",
    ] {
        case.evident(line, STAGING);
    }
    // Not every version of env takes options there.
    for line in [
        "env -S '-C packages/api make'",
        "env '-S-C packages/api make' x",
        "env '--split-string=A=1 -C packages/api wrangler' deploy",
    ] {
        case.refused(line, &[], API);
    }
    case.evident("env -S 'wrangler deploy' -e staging", STAGING);
    case.evident("env '-SA=1 wrangler deploy -e staging'", STAGING);
    case.evident("wrangler deploy -e1", "~/code/wrangler.toml, line 6: account_id");
    // What the row has as it is written stays certain.
    for line in [
        "wrangler deploy -e production",
        "wrangler deploy --env=production --dry-run",
        "wrangler deploy -y",
        "npx -y wrangler deploy",
        "npx --no-install wrangler deploy",
    ] {
        case.fine(line);
    }
}

#[test]
fn a_word_behind_an_option_that_is_not_known_is_read_in_both_ways() {
    let case = with_package(SCRIPTS);
    for line in [
        "npm --omit dev run list:staging",
        "npm --heading x run list:staging",
        "npm --heading x --json run list:staging",
        "npm run --heading x list:staging",
        "pnpm --workspace-concurrency 1 run list:staging",
        "pnpm --store-dir x list:staging",
        "yarn --mutex network run list:staging",
        "yarn --cache-folder x list:staging",
        "bun --title x run list:staging",
        "npx --heading x wrangler deploy -e staging",
        "pnpm --store-dir x exec wrangler deploy -e staging",
        "npm exec --heading x wrangler deploy -e staging",
        "sudo --prompt x wrangler deploy -e staging",
        "bash -e -o pipefail -c 'wrangler deploy -e staging'",
        "sh +e -c 'wrangler deploy -e staging'",
        "bash --rcfile x -euo pipefail -c 'wrangler deploy -e staging'",
        "bash -euoc pipefail 'wrangler deploy -e staging'",
        "su me -c 'wrangler deploy -e staging'",
        "nix shell nixpkgs#x -c wrangler deploy -e staging",
    ] {
        case.evident(line, STAGING);
    }
    for line in [
        "wrangler --log-level debug deploy packages/api/src/index.js",
        "wrangler versions --x y upload packages/api/src/index.js",
        "node --require ./wrangler.toml packages/api/src/index.js",
        "node -r ./wrangler.toml packages/api/src/index.js",
        "node --import ./wrangler.toml packages/api/src/index.js",
        "node --title x packages/api/src/index.js",
        "tsx --tsconfig x packages/api/src/index.js",
    ] {
        case.evident(line, API);
    }
}

#[test]
fn a_program_that_is_not_named_may_be_any() {
    let case = with_package(SCRIPTS);
    for line in ["npx", "npx -y", "pnpx", "bunx", "sudo", "npm exec", "npm x --", "pnpm exec"] {
        case.possible(line, STAGING);
    }
    for line in ["npm run -s -- list:staging", "npm run -- list:staging", "npm -- run list:staging"] {
        case.evident(line, STAGING);
    }
    for line in ["npm exec -- wrangler deploy -e staging", "npm exec -c 'wrangler deploy -e staging'"] {
        case.evident(line, STAGING);
    }
    case.evident("pnpm -c exec 'wrangler deploy -e staging'", STAGING);
    case.evident("npm run plain more --env staging", STAGING);
    // It runs where npm is called, and not where the option leads (measured).
    case.places.write("code/wrangler.toml", format!("account_id = \"{BETA}\""));
    case.places.directory("code/other");
    let here = "~/code/wrangler.toml, line 1: account_id";
    case.evident("npm --prefix other exec wrangler deploy", here);
    case.evident("npm --prefix packages/api exec wrangler deploy", API);
}

#[test]
fn scripts_are_found_by_patterns_by_verbs_and_by_other_programs() {
    let staging = "wrangler deploy -e staging";
    let scripts = r#"{"scripts":{"deploy:eu:a":"STAGING","test":"true","prepare":"STAGING","poststop":"STAGING",
      "stop":"true","restart":"true","prepublishOnly":"STAGING","postversion":"STAGING","dev":"true"}}"#;
    let case = with_package(&scripts.replace("STAGING", staging));
    for line in [
        "run-s deploy:*:a",
        "run-s 'deploy:**'",
        "run-s 'deploy:{eu,us}:a'",
        "npm-run-all dev --parallel deploy:*",
        "npm-run-all -p 'deploy:eu:a -- --dry-run'",
        "concurrently npm:deploy:*",
        "concurrently -n x 'pnpm:deploy:eu:a -- -x' dev",
        "concurrently yarn:deploy:eu:a",
        "concurrently bun:deploy:eu:a",
        "concurrently node:deploy:eu:a",
        "concurrently 'cd packages && cd .. && wrangler deploy -e staging'",
        "pnpm run '/^deploy:/'",
        "bun run --parallel dev deploy:*",
        "node --run deploy:eu:a",
        "node --run=deploy:eu:a",
        "deno task deploy:eu:a",
        "npm install",
        "npm ci",
        "npm i x",
        "npm rebuild",
        "pnpm install",
        "yarn",
        "yarn add x",
        "bun install",
        "npm publish",
        "npm version patch",
        "npm stop",
        "npm restart",
    ] {
        case.evident(line, "~/code/wrangler.toml, line 4: account_id");
    }
    for line in ["run-s dev", "npm test", "npm run dev", "concurrently npm:dev", "node --run dev", "npm ls"] {
        case.possible(line, STAGING);
    }
    let tasks = r#"{ // Deno's
      "tasks": { "a": "wrangler deploy -e staging", "b": { "command": "true", "dependencies": ["a"] }, "c": "true" } }"#;
    for file in ["deno.json", "deno.jsonc"] {
        let case = Case::new(&[("wrangler.toml", &two_accounts()), (file, tasks)]);
        for line in ["deno task a", "deno task b", "deno task --eval 'wrangler deploy -e staging'"] {
            case.evident(line, STAGING);
        }
        case.possible("deno task c", STAGING);
        case.possible("deno run x.ts", STAGING);
    }
    // What npm's own file says.
    for text in ["workspace = api\n", "workspace[]=packages/api", "workspaces=true"] {
        let case = with_package(r#"{"workspaces":["packages/*"],"scripts":{"x":"true"}}"#);
        assert_eq!(case.said("npm run x", &[]), "");
        case.places.write("code/.npmrc", text);
        case.evident("npm run x", API);
    }
}

#[test]
fn programs_that_run_others_are_followed_to_where_they_run_them() {
    let case = with_package(r#"{"workspaces":["packages/*"]}"#);
    case.places.write("code/.gitmodules", "[submodule \"api\"]\n\tpath = packages/api\n\turl = x\n");
    for line in [
        "yarn workspace @acme/api run x",
        "yarn workspace api x",
        "yarn workspace api wrangler deploy",
        "yarn workspaces run x",
        "yarn workspaces foreach -A run x",
        "nx run api:x",
        "nx x api",
        "nx run-many -t x -p api",
        "turbo run api#x",
        "turbo run x --filter=api",
        "lerna run x --scope api",
        "lerna exec --scope api -- wrangler deploy",
        "pnpm --filter api x",
        "pnpm --filter '@acme/*' x",
        "docker compose --project-directory packages/api up",
        "docker compose -f packages/api/compose.yml up",
        "docker run -e CLOUDFLARE_API_TOKEN -v ./packages/api:/x -w /x image",
        "docker run --mount type=bind,source=./packages/api,target=/x image",
        "bun exec 'cd packages/api && wrangler deploy'",
        "pnpm --config.dir=packages/api x",
        "npx --x=packages/api wrangler deploy",
        "sst deploy --config packages/api/sst.config.ts",
        "vite build -c packages/api/vite.config.ts",
        "just -d packages/api -f justfile deploy",
        "just -f packages/api/justfile deploy",
        "task -d packages/api deploy",
        "nodemon --cwd packages/api",
        "nodemon -x 'cd packages/api && wrangler deploy'",
        "foreman start -d packages/api",
        "direnv exec packages/api wrangler deploy",
        "mise -C packages/api x -- wrangler deploy",
        "mise x node@20 -- sh -c 'cd packages/api && wrangler deploy'",
        "uv run --directory packages/api wrangler deploy",
        "poetry -C packages/api run wrangler deploy",
        "poetry run sh -c 'cd packages/api && wrangler deploy'",
        "bunx --cwd packages/api wrangler deploy",
        "op run -- sh -c 'cd packages/api && wrangler deploy'",
        "git submodule foreach 'cd packages/api && wrangler deploy'",
        "git submodule foreach --recursive wrangler deploy",
        "git rebase -x 'cd packages/api && wrangler deploy' main",
        "find . -exec sh -c 'cd packages/api && wrangler deploy' ;",
        "xargs sh -c 'cd packages/api && wrangler deploy'",
    ] {
        case.evident(line, API);
    }
    for line in ["nx run-many -t x", "turbo run x", "lerna run x", "yarn workspace none run x"] {
        case.refused(line, &[], API);
    }
    let more = "with words that are known only when it runs";
    for line in
        ["xargs wrangler deploy", "find . -execdir wrangler deploy ;", "find . -exec wrangler -c {} +"]
    {
        case.refused(line, &[], &format!("runs wrangler {more}"));
    }
    case.refused("sh -c 'wrangler deploy \"$X\"'", &[], "gives wrangler a script that is known only when");
    for file in ["vars", ".env"] {
        case.places.write(&format!("code/{file}"), "CLOUDFLARE_API_TOKEN=hunter2-other\n");
    }
    let token = ", line 1: CLOUDFLARE_API_TOKEN goes before the token";
    for line in [
        "dotenvx run --overload -f vars -- make",
        "dotenvx run -f vars -o -- wrangler deploy",
        "env-cmd vars make",
        "env-cmd -f vars make",
        "foreman -e vars start",
        "op run --env-file vars -- make",
        "pipenv run wrangler deploy",
    ] {
        case.evident(line, token);
    }
    assert!(!case.said("dotenvx run -f vars -- make", &[]).contains("vars"));
    case.places.write("code/vars", PAIR);
    let key = "~/code/vars, line 1: CLOUDFLARE_API_KEY";
    for line in ["uv run --env-file vars x.py", "pnpm --env-file vars run x", "dotenvx run -f vars -- make"] {
        case.evident(line, key);
    }
    let one = Case::new(&[("packages/api/package.json", r#"{"name":"api"}"#)]);
    one.places.write("code/pnpm-workspace.yaml", "packages: ['packages/*']\n");
    one.places.write("code/package.json", r#"{"scripts":{"y":"cd own && wrangler deploy"}}"#);
    one.places.write("code/own/wrangler.toml", format!("account_id = \"{BETA}\""));
    for line in ["sh -c 'cd packages/api && pnpm -w run y'", "pnpm -C packages/api --workspace-root y"] {
        one.evident(line, "~/code/own/wrangler.toml, line 1: account_id");
    }
}

#[test]
fn programs_that_run_others_go_where_their_options_lead_and_load_what_they_say() {
    let beta = format!("account_id = \"{BETA}\"");
    let case = Case::new(&[
        ("own/wrangler.toml", &beta),
        ("packages/api/own/wrangler.toml", &beta),
        ("packages/api/package.json", r#"{"name":"api","scripts":{"x":"cd own && wrangler deploy"}}"#),
        ("package.json", r#"{"workspaces":["packages/*"],"scripts":{"x":"cd own && wrangler deploy"}}"#),
        ("vars", PAIR),
    ]);
    write_program(&case.places.path("code/go"), "#!/bin/sh\ncd own && wrangler deploy\n");
    let (here, api) = ("~/code/own/wrangler.toml", "~/code/packages/api/own/wrangler.toml");
    for (line, file) in [
        ("fd -C packages/api . -x sh -c 'cd own && wrangler deploy'", api),
        ("lerna exec sh -c 'cd own && wrangler deploy'", api),
        ("just -d packages/api -f justfile -c sh -c 'cd own && wrangler deploy'", api),
        ("poetry -P packages/api run sh -c 'cd own && wrangler deploy'", api),
        ("poetry -P packages/api run sh -c 'cd own && wrangler deploy'", here),
        ("uv run --project packages/api sh -c 'cd own && wrangler deploy'", here),
        ("concurrently --cwd packages/api 'cd own && wrangler deploy'", here),
        ("direnv exec ./go", here),
        ("rushx x", here),
    ] {
        case.evident(line, file);
    }
    assert!(!case.said("rushx x", &[]).contains(api));
    let key = "~/code/vars, line 1: CLOUDFLARE_API_KEY";
    for line in [
        "just -E vars deploy",
        "foreman run -e none,vars make",
        "nf -e none,vars start",
        "dotenvx run -f none,vars -- make",
        "op --cache run --env-file vars -- make",
        "env-cmd --recursive -f vars make",
    ] {
        case.evident(line, key);
    }
    let key = |file: &str| format!("~/code/{file}, line 1: CLOUDFLARE_API_KEY");
    for (file, line) in [
        (".env", "nx run api:x"),
        (".env.x", "nx run api:x"),
        (".env.eu.local", "nx run api:x -c eu"),
        ("packages/api/.env", "nx run api:x"),
        (".env", "lerna run x"),
        ("packages/api/.env", "foreman start -d packages/api"),
    ] {
        case.places.write(&format!("code/{file}"), PAIR);
        case.evident(line, &key(file));
    }
}

#[test]
fn the_packages_of_a_workspace_are_found_by_each_list_of_them() {
    let package = r#"{"name":"@acme/api","scripts":{"x":"wrangler deploy"}}"#;
    for (list, text, line) in [
        ("package.json", r#"{"workspaces":["packages/*"]}"#, "npm --ws run x"),
        ("package.json", r#"{"workspaces":{"packages":["packages/*"]}}"#, "npm run x -w @acme/api"),
        ("pnpm-workspace.yaml", "packages: ['packages/*']", "pnpm -r x"),
        ("lerna.json", r#"{"packages":["packages/*"]}"#, "lerna run x --scope api"),
        (
            "rush.json",
            r#"{"projects":[{"packageName":"a","projectFolder":"packages/api"}]}"#,
            "rush x --to api",
        ),
        ("nx.json", "{}", "nx run api:x"),
        ("nx.json", "{}", "nx run-many -t x --projects=other,api"),
        ("deno.json", r#"{"workspace":["packages/api"]}"#, "deno task -r x"),
        ("deno.jsonc", r#"{"workspace":{"members":["./packages/api"]}}"#, "deno task --filter @acme/api x"),
        ("pnpm-workspace.yaml", "packages: ['packages/*']", "moon run api:x"),
    ] {
        let beta = format!("account_id = \"{BETA}\"");
        let mut files = vec![("packages/api/wrangler.toml", beta.as_str()), (list, text)];
        for file in ["packages/api/package.json", "packages/api/project.json", "packages/api/deno.json"] {
            files.push((file, package));
        }
        Case::new(&files).evident(line, API);
    }
}

#[test]
fn a_shells_text_is_read_as_a_shell_reads_it() {
    let (config, account) = (two_accounts(), "wrangler.toml, line 4: account_id");
    let named =
        |text: &str| Case::new(&[("wrangler.toml", &config), ("x.sh", text)]).said("bash -n x.sh", &[]);
    for text in [
        "sh <<E\nwrangler deploy -e staging\nE\n",
        "bash -s <<-'E E' | cat\n\twrangler deploy -e staging\n\tE E\n",
        "bash <<< 'wrangler deploy -e staging'\n",
        "cat <<E\nit's $(wrangler deploy -e staging)\nE\n",
        "cat <<E\nit's\nE\nwrangler deploy -e staging\n",
        "cat <<E; cat <<F\n'\nE\n\"\nF\nwrangler deploy -e staging\n",
        "wrangler deploy -e $'stag\\x69ng'\n",
        "x \"$(echo ')' \"(\" # don't )\n)\" && wrangler deploy -e staging\n",
        "wrangler deploy -e \"stag\\\ning\"\n",
        "x $(( 1 << 2 ))\nwrangler deploy -e staging\n",
    ] {
        assert!(named(text).contains(account), "{text}: {}", named(text));
    }
    for text in ["cat <<E\nwrangler deploy -e staging\nE\n", "cat <<'E'\n$(wrangler deploy -e staging)\nE\n"]
    {
        assert_eq!(named(text), "", "{text}");
    }
    let own = Case::new(&[]);
    for text in ["echo \"", "echo '", "echo $(", "echo `", "cat <<E\nx"] {
        own.places.write("code/x.sh", text);
        own.refused("sh x.sh", &[], "can't be read to its end");
    }
    own.fine("make 'it is not a shell that reads \"'");
}

#[test]
fn the_account_that_wrangler_pages_has_kept_counts_for_the_versions_that_take_it() {
    let cache = format!("{{\n \"account_id\": \"{BETA}\",\n \"project_name\": \"x\" }}");
    let kept = "node_modules/.cache/wrangler/pages.json";
    let of = |version: &str| {
        let package = format!("{{\"version\":\"{version}\"}}");
        let files = [(kept, cache.as_str()), ("node_modules/wrangler/package.json", &package)];
        Case::new(if version.is_empty() { &files[..1] } else { &files })
    };
    let account = &format!("~/code/{kept}, line 2: account_id {BETA}");
    of("4.85.1").evident("wrangler pages deploy dist", account);
    of("3.114.0").possible("npm run pages", account);
    of("").possible("wrangler pages deploy dist", account);
    of("4.86.0").fine("wrangler pages deploy dist");
    of("4.86.0").fine("make x");
    of("3.114.0").fine("wrangler deploy");
    let own = Case::new(&[(kept, &format!("{{\"account_id\":\"{ACME}\"}}"))]);
    own.fine("wrangler pages deploy dist");
    let broken = Case::new(&[(kept, "{"), ("node_modules/wrangler/package.json", "{\"version\":\"4.1.0\"}")]);
    broken.evident("wrangler pages deploy dist", "nobody knows which account wrangler pages takes");
}

#[test]
fn a_file_of_python_cloudflares_counts() {
    let text = "[CloudFlare]\nbase_url = https://example.com/\ntoken = hunter2-other\n";
    let case = Case::new(&[(".cloudflare.cfg", text)]);
    for line in ["cli4 /zones", "python3 x.py", "make dns", "true"] {
        case.evident(line, "~/code/.cloudflare.cfg, line 2: base_url sends the token to another address");
        case.evident(line, "~/code/.cloudflare.cfg, line 3: token goes before the token");
    }
    case.fine("wrangler deploy");
    let other = Case::new(&[(".cloudflare.cfg", "[other]\ntoken = hunter2-other\n")]);
    other.possible("make dns", "~/code/.cloudflare.cfg, line 2: token");
    // The person's own.
    let home = Case::new(&[]);
    home.places.write(".cloudflare.cfg", text);
    home.evident("cli4 /zones", "~/.cloudflare.cfg, line 2: base_url");
    home.possible("make dns", "~/.cloudflare.cfg, line 2: base_url");
}

#[test]
fn programs_that_load_env_files_by_a_mode_or_by_name_are_known() {
    let files: Vec<String> = ["production", "development", "test", "other"]
        .iter()
        .flat_map(|mode| [format!(".env.{mode}"), format!(".env.{mode}.local")])
        .collect();
    for name in &files {
        let case = Case::new(&[(name, PAIR), ("show.ts", "")]);
        let mode = name.trim_start_matches(".env.").trim_end_matches(".local");
        let line = &format!("{name}, line 1: CLOUDFLARE_API_KEY");
        let check = |words: &str, of: &str, variables: &[(&str, &str)]| {
            let said = case.said(words, variables);
            assert_eq!(said.contains(line), mode == of, "{words} {variables:?} {name}: {said}");
            case.refused(words, variables, line);
        };
        for words in ["bun show.ts", "bun run show.ts", "bun --bun show.ts"] {
            check(words, "development", &[]);
            check(words, "production", &[("NODE_ENV", "production")]);
            check(words, "test", &[("NODE_ENV", "test")]);
            check(words, "development", &[("NODE_ENV", "staging")]);
        }
        check("bun test", "test", &[]);
        check("env NODE_ENV=production bun show.ts", "production", &[]);
        check("next dev", "development", &[]);
        check("next build", "production", &[]);
        check("vite build", "production", &[]);
        check("vite build --mode other", "other", &[]);
        check("vite", "development", &[]);
        if mode == "other" {
            check("sst deploy --stage other", "other", &[]);
            for words in [
                format!("tsx --env-file={name} show.ts"),
                format!("node --env-file={name} show.ts"),
                format!("node --env-file-if-exists {name} show.ts"),
                format!("deno run --env-file={name} show.ts"),
                format!("dotenv -e {name} -- make"),
                format!("dotenvx run -f {name} -- make"),
                format!("bun --env-file={name} show.ts"),
                format!("sh -c 'node --env-file={name} show.ts'"),
            ] {
                case.evident(&words, line);
            }
        }
    }
    // What goes before the variables replaces the token itself.
    let case = Case::new(&[
        ("vars", "CLOUDFLARE_API_TOKEN=hunter2-other\n"),
        (".env", "CLOUDFLARE_API_TOKEN=hunter2-other\n"),
    ]);
    let token = "line 1: CLOUDFLARE_API_TOKEN goes before the token";
    case.evident("env-cmd -f vars make", token);
    case.evident("dotenv -o -e vars -- make", token);
    case.evident("sh -c 'set -a; . ./.env; wrangler deploy'", token);
    assert_eq!(case.said("dotenv -e vars -- make", &[]), "");
    assert_eq!(case.said("env-cmd --no-override -f vars make", &[]), "");
}

/// A script's text as `code/x.sh`, which `bash -n x.sh` reads and does not run.
fn script(text: &str) -> Case {
    Case::new(&[("x.sh", text), ("sub/wrangler.toml", &format!("account_id = \"{BETA}\""))])
}

#[test]
fn assignments_that_replace_what_is_given_are_named() {
    let token = "CLOUDFLARE_API_TOKEN replaces the token";
    let account = "CLOUDFLARE_ACCOUNT_ID replaces the account";
    for (text, words) in [
        ("CLOUDFLARE_API_TOKEN=hunter2 wrangler deploy", token),
        ("CLOUDFLARE_API_TOKEN=$(pass cf); x", token),
        ("export CLOUDFLARE_API_TOKEN=\"$STAGING\"", token),
        ("export CLOUDFLARE_API_TOKEN=${STAGING:-$CLOUDFLARE_API_TOKEN}", token),
        ("CLOUDFLARE_API_TOKEN+=x", token),
        ("CLOUDFLARE_API_TOKEN=${CLOUDFLARE_API_TOKEN}x", token),
        ("CLOUDFLARE_API_TOKEN=$CLOUDFLARE_API_KEY", token),
        ("declare -x CLOUDFLARE_ACCOUNT_ID=fedcba9876543210fedcba9876543210", account),
        ("set -gx CLOUDFLARE_ACCOUNT_ID $x", account),
        ("setenv CLOUDFLARE_ACCOUNT_ID x", account),
        ("for CLOUDFLARE_ACCOUNT_ID in a b; do wrangler deploy; done", account),
        ("read -r CLOUDFLARE_ACCOUNT_ID <ids", account),
        ("eval \"export CLOUDFLARE_ACCOUNT_ID=x\"", account),
        ("docker run -e CLOUDFLARE_ACCOUNT_ID=x image", account),
        ("tool --env=CLOUDFLARE_ACCOUNT_ID=x", account),
        ("tool -eCLOUDFLARE_ACCOUNT_ID=x", account),
        ("cross-env CLOUDFLARE_ACCOUNT_ID=x wrangler deploy", account),
        ("env CLOUDFLARE_ACCOUNT_ID=x wrangler deploy", account),
        (
            "a\n\n CLOUDFLARE_DEFAULT_ACCOUNT_ID=x sst deploy",
            "line 3: CLOUDFLARE_DEFAULT_ACCOUNT_ID replaces",
        ),
        ("CLOUDFLARE_BASE_URL=http://127.0.0.1:1 x", "CLOUDFLARE_BASE_URL replaces the address of the API"),
        ("CF_API_URL=https://example.com cli4", "CF_API_URL may override the address of the API"),
        ("CLOUDFLARE_API_KEY=x CLOUDFLARE_EMAIL=y x", "CLOUDFLARE_API_KEY may override the token"),
        ("CF_API_TOKEN=x flarectl", "CF_API_TOKEN may override the token"),
        ("CF_API_KEY=${CF_API_KEY:-x} x", "CF_API_KEY may override the token"),
        ("CF_ACCOUNT_ID=x x", "CF_ACCOUNT_ID may override the account"),
        (
            "NODE_TLS_REJECT_UNAUTHORIZED=0 wrangler",
            "REJECT_UNAUTHORIZED switches off the check of the server",
        ),
        ("export https_proxy=http://127.0.0.1:9", "https_proxy sends the token through another proxy"),
        ("unset CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN is taken away, and with it the token"),
        ("unset A CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_ACCOUNT_ID is taken away, and with it the account"),
        ("env -u CLOUDFLARE_API_TOKEN wrangler deploy", "CLOUDFLARE_API_TOKEN is taken away"),
        ("env -i --unset=CLOUDFLARE_API_TOKEN wrangler", "CLOUDFLARE_API_TOKEN is taken away"),
        ("set -e CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN is taken away"),
        ("export -n CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN is taken away"),
        ("declare +x CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_TOKEN is taken away"),
        ("CLOUDFLARE_API_TOKEN= wrangler deploy", "CLOUDFLARE_API_TOKEN is taken away"),
    ] {
        let case = script(text);
        let said = case.said("bash -n x.sh", &[]);
        let is_named = said.contains(words) && said.contains("~/code/x.sh, line ");
        assert!(is_named && !said.contains("hunter2"), "{text}: {said}");
        case.refused("bash -n x.sh", &[], words);
    }
}

#[test]
fn assignments_of_what_is_given_change_nothing() {
    let own = format!("CLOUDFLARE_ACCOUNT_ID={ACME} wrangler deploy");
    for text in [
        &own,
        "export CLOUDFLARE_API_TOKEN CLOUDFLARE_ACCOUNT_ID",
        "CLOUDFLARE_ACCOUNT_ID=$CLOUDFLARE_ACCOUNT_ID wrangler deploy",
        "export CLOUDFLARE_API_TOKEN=\"${CLOUDFLARE_API_TOKEN}\"",
        "export CLOUDFLARE_API_TOKEN=\"${CLOUDFLARE_API_TOKEN:?is not there; set it}\"",
        "export CLOUDFLARE_API_TOKEN=${CLOUDFLARE_API_TOKEN:-$(pass show cf)}",
        ": \"${CLOUDFLARE_API_TOKEN:=x}\"",
        "CF_API_TOKEN=$CLOUDFLARE_API_TOKEN flarectl",
        "CF_ACCOUNT_ID=$CLOUDFLARE_ACCOUNT_ID; unset CLOUDFLARE_API_KEY CF_API_TOKEN",
        "docker run -e CLOUDFLARE_API_TOKEN image",
        "HTTPS_PROXY=$HTTPS_PROXY CF_API_KEY=${CF_API_KEY:-} x",
        "NODE_TLS_REJECT_UNAUTHORIZED=1 wrangler; unset HTTPS_PROXY; ALL_PROXY= x",
        "CLOUDFLARE_API_TOKEN=x echo a",
        "echo CLOUDFLARE_API_TOKEN=x",
        "MY_CLOUDFLARE_API_TOKEN=x make",
        "ALCHEMY_PROFILE=x CLOUDFLARE_PROFILE=y wrangler",
    ] {
        script(text).fine("bash -n x.sh");
    }
    // A key profile is given no token.
    let key = |text: &str| {
        let case = script(text);
        case.places.home.key_profile("legacy", "hunter2-key", "me@example.com");
        case.places
            .run_with("code", &["exec", "legacy", "--", "bash", "-n", "x.sh"], &[("PATH", &case.path)])
            .stderr
    };
    assert!(key("export CLOUDFLARE_API_TOKEN=${CLOUDFLARE_API_TOKEN:-x}").contains("may override the key"));
    assert!(key("CLOUDFLARE_EMAIL=x@y.z wrangler").contains("CLOUDFLARE_EMAIL replaces the key"));
}

#[test]
fn assignments_count_wherever_they_stand() {
    let token = "CLOUDFLARE_API_TOKEN replaces the token";
    // One that looks first whether it is there need not.
    for text in [
        "[ -n \"$CLOUDFLARE_API_TOKEN\" ] || export CLOUDFLARE_API_TOKEN=x",
        "if [[ -z ${CLOUDFLARE_API_TOKEN:-} ]]; then\nCLOUDFLARE_API_TOKEN=$(pass cf)\nfi",
    ] {
        script(text).possible("bash -n x.sh", token);
    }
    // Scripts of packages, files that are sourced, and the words themselves.
    let case = Case::new(&[
        ("package.json", "{\"scripts\":{\n\"d\":\"CLOUDFLARE_ACCOUNT_ID=x wrangler deploy\"}}"),
        ("vars", "A=1\nCLOUDFLARE_API_TOKEN=x\n"),
    ]);
    case.evident("npm run d", "~/code/package.json, line 2: CLOUDFLARE_ACCOUNT_ID replaces");
    case.evident("sh -c '. ./vars; wrangler deploy'", "~/code/vars, line 2: CLOUDFLARE_API_TOKEN replaces");
    case.evident("bash -c 'source vars && wrangler deploy'", "~/code/vars, line 2: CLOUDFLARE_API_TOKEN");
    case.evident("env CLOUDFLARE_API_TOKEN=x wrangler deploy", "the command: CLOUDFLARE_API_TOKEN replaces");
    case.evident("make CLOUDFLARE_ACCOUNT_ID=x deploy", "the command: CLOUDFLARE_ACCOUNT_ID replaces");
    // What a sourced file changes stays.
    let config = two_accounts();
    let case = Case::new(&[("wrangler.toml", &config), ("vars", "CLOUDFLARE_ENV=staging\n")]);
    case.evident("sh -c '. ./vars; wrangler deploy'", "wrangler.toml, line 4: account_id");
    let many =
        (0..100).map(|n| format!("A={n}\nCF_API_TOKEN=$CLOUDFLARE_API_TOKEN\n")).collect::<Vec<_>>().concat();
    script(&many).possible("bash -n x.sh", "sets variables in more than 64 places");
}

#[test]
fn files_that_a_script_puts_into_its_variables_go_before_them() {
    let token = "~/code/.env, line 1: CLOUDFLARE_API_TOKEN goes before the token";
    for text in [
        "export $(cat .env | xargs)",
        "export $(grep -v '^#' .env | xargs -d '\\n')",
        "export $(< .env)",
        "eval \"$(cat .env)\"",
        "eval $(sed 's/^/export /' ./.env)",
        "set -a; source <(cat .env | tr -d x); set +a",
        "while IFS= read -r line; do\nexport \"$line\"\ndone < .env",
        "cat .env | while read -r line; do export \"$line\"; done",
        "vars=`cat .env`; export $vars",
        "env $(cat .env | xargs) wrangler deploy",
        "A=1 . .env",
    ] {
        let case = Case::new(&[("x.sh", text), (".env", "CLOUDFLARE_API_TOKEN=hunter2-other\n")]);
        case.evident("bash -n x.sh", token);
    }
    for text in ["cat .env", "export A=$(cat .env)", "wc < .env", ". ./lib.sh"] {
        let case = Case::new(&[("x.sh", text), (".env", "CLOUDFLARE_API_TOKEN=hunter2-other\n")]);
        case.fine("bash -n x.sh");
    }
}

#[test]
fn what_make_just_and_mise_load_and_set_counts() {
    let (env, config) = ("CLOUDFLARE_API_TOKEN=hunter2-other\n", two_accounts());
    let beta = format!("account_id = \"{BETA}\"");
    let of = |name: &str, text: &str| {
        let case = Case::new(&[
            (name, text),
            (".env", env),
            ("wrangler.toml", &config),
            ("sub/wrangler.toml", &beta),
            ("vars.mk", "\nexport CLOUDFLARE_ACCOUNT_ID = x\n"),
        ]);
        for name in ["just", "mise"] {
            write_program(&case.places.path("bin").join(name), "#!/bin/sh\n");
        }
        case
    };
    let token = "~/code/.env, line 1: CLOUDFLARE_API_TOKEN goes before the token";
    let account = "~/code/wrangler.toml, line 4: account_id";
    let deploy = "all:\n\ttrue\ndeploy: build\n";
    for (text, line, words) in [
        ("include .env\nexport\n", "make", token),
        ("x:\n\ttrue\n-include none .env # x\n", "make x", token),
        ("include vars.mk", "make", "~/code/vars.mk, line 2: CLOUDFLARE_ACCOUNT_ID replaces the account"),
        ("A := 1\nexport CLOUDFLARE_API_TOKEN := x", "make", "~/code/Makefile, line 2: CLOUDFLARE_API_TOKEN"),
        ("CLOUDFLARE_API_TOKEN=$(shell pass cf)", "make", "line 1: CLOUDFLARE_API_TOKEN replaces the token"),
        ("x: export CLOUDFLARE_ACCOUNT_ID = y", "make", "line 1: CLOUDFLARE_ACCOUNT_ID replaces"),
        ("unexport CLOUDFLARE_API_TOKEN", "make", "line 1: CLOUDFLARE_API_TOKEN is taken away"),
        ("CF_API_TOKEN ?= x", "make", "line 1: CF_API_TOKEN may override the token"),
        (&format!("{deploy}\twrangler deploy \\\n\t  -e staging"), "make deploy", account),
        (&format!("{deploy}\t@wrangler deploy -e $(ENV)"), "make deploy ENV=staging", account),
        (&format!("E = staging\n{deploy}\twrangler deploy -e ${{E}}"), "make deploy", account),
        (&format!("{deploy}build:\n\tcd sub && wrangler deploy"), "make deploy", "~/code/sub/wrangler.toml"),
        (&format!("{deploy}\t$(MAKE) -C sub"), "make deploy", "~/code/sub/wrangler.toml"),
        ("%-deploy:\n\twrangler deploy -e staging", "make a-deploy", account),
        ("export CLOUDFLARE_ENV := staging\nx:\n\twrangler deploy", "make", account),
    ] {
        let case = of("Makefile", text);
        let said = case.said(line, &[]);
        assert!(said.contains(words), "{text} {line}: {said}");
        case.refused(line, &[], words);
    }
    for text in [
        "CLOUDFLARE_API_TOKEN := $(CLOUDFLARE_API_TOKEN)",
        "CLOUDFLARE_API_TOKEN ?= x",
        "export CLOUDFLARE_API_TOKEN",
        "all:\n\ttrue\ndeploy:\n\twrangler deploy -e staging",
        "define X\nCLOUDFLARE_API_TOKEN = x\nendef",
        "# CLOUDFLARE_API_TOKEN = x",
        "x:\n\techo $$CLOUDFLARE_API_TOKEN $@",
    ] {
        let case = of("Makefile", text);
        fs::remove_file(case.places.path("code/wrangler.toml")).expect("removed");
        case.fine("make");
    }
    let case = of("Makefile", "ifndef X\nCLOUDFLARE_API_TOKEN = x\nendif\n");
    case.possible("make", "line 2: CLOUDFLARE_API_TOKEN replaces");
    of("Makefile", "include $(FILE)").possible("make", "line 1: includes a file that is known only");
    of("other.mk", "include .env").evident("make -f other.mk", token);
    of("sub/Makefile", "include ../.env").evident("make -C sub", token);
    let case = of("justfile", "set dotenv-load\nset dotenv-override := true\nx:\n  true\n");
    case.evident("just x", token);
    let case =
        of("justfile", "set dotenv-load\n\nx env='a':\n    wrangler deploy -e {{ E }}\nE := 'staging'");
    case.evident("just x", account);
    assert!(!case.said("just x", &[]).contains(token), "just sets none that is set");
    case.places.write("code/.env", "CLOUDFLARE_API_KEY=x\n");
    case.evident("just x", "~/code/.env, line 1: CLOUDFLARE_API_KEY");
    of("mise.toml", "[env]\n_.file = '.env'\n").evident("mise run x", token);
    let tasks = "[env]\nCLOUDFLARE_ACCOUNT_ID = \"x\"\n[tasks.d]\nrun = \"cd sub && wrangler deploy\"\n";
    let case = of("mise.toml", tasks);
    case.evident("mise run d", "~/code/sub/wrangler.toml, line 1: account_id");
    case.evident("mise run x", "~/code/mise.toml, line 2: CLOUDFLARE_ACCOUNT_ID replaces the account");
    assert!(!case.said("mise run x", &[]).contains("sub/wrangler.toml"));
}

#[test]
fn a_scripts_own_folder_is_known_and_a_name_that_cdpath_leads_to_is_not() {
    let account = "~/code/sub/wrangler.toml, line 1: account_id";
    for folder in [
        "\"$(dirname \"$0\")\"",
        "\"$(dirname -- \"$0\")\"",
        "\"${0%/*}\"",
        "\"$(dirname \"${BASH_SOURCE[0]}\")\"",
        "\"$(cd \"$(dirname \"$0\")\" && pwd)\"",
        "`dirname $0`",
        "\"$(dirname \"$(realpath \"$0\")\")\"",
    ] {
        let case = script("");
        case.places.write("code/sub/x.sh", format!("cd {folder} && wrangler deploy\n"));
        case.evident("bash -n sub/x.sh", account);
        case.places.write("code/sub/x.sh", format!("cd {folder}/.. && wrangler deploy\n"));
        case.places.write("code/sub/wrangler.toml", format!("account_id = \"{ACME}\""));
        case.fine("bash -n sub/x.sh");
    }
    let case = script("");
    for (before, folder) in [
        ("D=\"$(cd \"$(dirname \"${BASH_SOURCE[0]}\")\" && pwd)\"", "\"$D\""),
        ("readonly D=`dirname \"$0\"`", "\"${D}/.\""),
        ("D=sub", "$D"),
    ] {
        case.places.write("code/sub/x.sh", format!("set -eu\n{before}\ncd {folder}\nwrangler deploy\n"));
        case.evident("bash -n sub/x.sh", account);
        case.places
            .write("code/sub/x.sh", format!("if a; then {before}; fi\ncd {folder}\nwrangler deploy\n"));
        case.refused("bash -n sub/x.sh", &[], "line 2: goes to $");
    }
    for text in ["cd \"$(pwd)\"", "cd \"$(git rev-parse --show-toplevel)\" && wrangler deploy"] {
        let case = script(text);
        case.places.directory("code/.git");
        case.fine("bash -n x.sh");
    }
    script("cd \"$(git rev-parse --show-toplevel)\"").possible("bash -n x.sh", "goes to $(…), a folder");
    let case = script("cd \"$(git rev-parse --show-toplevel)/sub\" && wrangler deploy");
    case.places.directory("code/.git");
    case.evident("bash -n x.sh", account);
    // `$0` is the script that is run, `BASH_SOURCE` the one that is sourced.
    let case = script(". sub/y.sh");
    case.places.write("code/sub/y.sh", "cd \"$(dirname \"${BASH_SOURCE[0]}\")\" && wrangler deploy");
    case.evident("bash -n x.sh", account);
    case.places.write("code/sub/y.sh", "cd \"$(dirname \"$0\")\" && wrangler deploy");
    case.places.write("code/sub/wrangler.toml", "");
    case.fine("bash -n x.sh");
    // A shell that is called by a script has another name.
    case.places.write("code/x.sh", "sh -c 'cd \"$(dirname \"$0\")\"'");
    case.possible("bash -n x.sh", "line 1: goes to $(…), a folder");
    case.places.write("code/x.sh", "x=$(case $1 in a) echo b;; esac) && cd sub; exec \"$0\"");
    case.fine("bash -n x.sh");
    case.places.write("code/x.sh", "x() (\ncd sub\ncase $1 in\n(a|b) wrangler deploy;;\nesac\n)");
    case.places.write("code/sub/wrangler.toml", format!("account_id = \"{BETA}\""));
    case.evident("bash -n x.sh", account);
    // By `CDPATH`, also an inherited one.
    let cdpath = [("CDPATH", "/tmp")];
    let case = script("true || cd sub\nx");
    case.evident("bash -n x.sh", account);
    let case = script("true || cd none\nx");
    case.fine("bash -n x.sh");
    case.refused("bash -n x.sh", &cdpath, "line 1: goes to none, a folder");
    for text in ["true || cd ./none", "CDPATH= cd none || true", "CDPATH=; true || cd none", "cd /"] {
        case.places.write("code/x.sh", text);
        assert_eq!(case.run(&["--strict"], "bash -n x.sh", &cdpath).expect_code(0).stderr, "", "{text}");
    }
}

#[test]
fn paths_are_found_in_words_that_only_may_lead_to_them() {
    let account = "~/code/sub/wrangler.toml, line 1: account_id";
    let case = script("");
    case.places.write("code/sub/a.txt", "");
    for line in [
        "python3 -c 'import os; os.chdir(\"sub\"); os.system(\"wrangler deploy\")'",
        "node -e \"process.chdir(`sub`)\"",
        "ruby -e 'Dir.chdir(\"./sub\")'",
        "tool -Csub",
        "tool -C../code/sub",
        "tool a:sub",
        "tool me@host:./sub",
        "tool --map=a=sub",
        "tool a,sub",
        // Programs that only read and write files.
        "git add sub/a.txt",
        "vim sub/a.txt",
        "eslint sub",
        "tsc -p sub",
        "prettier --write sub/a.txt",
        "git -C sub status",
    ] {
        write_program(&case.places.path("bin").join(line.split(' ').next().expect("a word")), "#!/bin/sh\n");
        case.possible(line, account);
    }
    for line in ["tool sub/a.txt", "tool ./sub", "tool --dir=./sub", "tool ../code/sub"] {
        case.evident(line, account);
    }
    for line in ["cp sub/a.txt sub/b", "grep -r x sub/a.txt", "rm -f sub/none", "mkdir -p sub/c"] {
        write_program(&case.places.path("bin").join(line.split(' ').next().expect("a word")), "#!/bin/sh\n");
        case.fine(line);
    }
    let many = (0..2_000).map(|n| format!(" a{n}")).collect::<Vec<_>>().concat();
    case.refused(&format!("tool{many}"), &[], "the command names more than 1024 paths");
    // What is shown of a path says where it is.
    assert!(
        case.said("sh -c 'cd ./sub/../sub/. && wrangler deploy'", &[])
            .contains("alchemy: ~/code/sub/wrangler")
    );
    assert!(
        case.said("wrangler deploy -c ./sub/./wrangler.toml", &[]).contains("alchemy: ~/code/sub/wrangler")
    );
}

#[test]
fn many_files_are_looked_through_and_each_hint_fits() {
    let case = Case::new(&[("package.json", "{"), ("wrangler.toml", &two_accounts())]);
    let hint = |line: &str, words: &str| {
        case.run(&["--strict"], line, &[]).expect_code(125).expect_hint(words);
    };
    let account =
        "if you mean that account: -p beta; else call wrangler itself, with --env or --cwd; or, to run all";
    hint("npm run x", account);
    hint("wrangler deploy -e staging", account);
    case.places
        .run("code", &["exec", "--strict", "-p", "beta", "--", "../bin/wrangler", "deploy", "-e", "staging"])
        .expect_code(0);
    let itself = "call wrangler itself, with --env or --cwd; or, to run all the same: --no-strict";
    let other = format!("account_id = \"{ACME}\"\n[env.x]\naccount_id = \"{}\"\n", "1".repeat(32));
    fs::write(case.places.path("code/wrangler.toml"), other).expect("written");
    hint("make x", &format!("hint: {itself}"));
    case.places.write("code/.env", PAIR);
    hint("wrangler deploy", "correct that line");
    fs::remove_file(case.places.path("code/.env")).expect("removed");
    fs::write(case.places.path("code/wrangler.toml"), "[").expect("written");
    hint("wrangler deploy", "correct the file");
    fs::remove_file(case.places.path("code/wrangler.toml")).expect("removed");
    hint("npm run x", "correct the file");
    hint("sh -c 'true || cd $X'", "change the command");
    let twice = case.run(&["--strict"], "npm run x", &[]).stderr;
    assert_eq!(twice.matches(", so ").count(), 1, "{twice}");
    for n in 0..5_000 {
        fs::write(case.places.path(&format!("code/f{n}")), "").expect("written");
    }
    fs::remove_file(case.places.path("code/package.json")).expect("removed");
    case.fine("make x");
    for n in 0..70 {
        fs::write(case.places.path(&format!("code/.env.{n}")), "").expect("written");
    }
    case.possible("make x", "~/code holds more files than were looked through");
    hint("make x", "run it in another folder");
}

#[test]
fn programs_that_keep_variables_back_are_said_and_refused() {
    let turbo = |text: &str| {
        Case::new(&[
            ("turbo.json", text),
            (
                "package.json",
                r#"{"scripts":{"d":"turbo run deploy", "l":"turbo run deploy --env-mode=loose", "deploy":"wrangler deploy"}}"#,
            ),
        ])
    };
    let strict = turbo(r#"{ "tasks": { "deploy": {} } }"#);
    let words = "turbo.json, line 1: has turbo keep CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID from task 'deploy'";
    for line in [
        "turbo run deploy",
        "turbo deploy",
        "turbo watch deploy",
        "turbo --log-level ls run deploy",
        "npx turbo run deploy",
        "npm run d",
        "timeout 9 turbo run deploy",
        "sh -c 'turbo run deploy'",
    ] {
        strict.evident(line, words);
        assert!(strict.said(line, &[]).contains("\"globalPassThroughEnv\": [\"CLOUDFLARE_*\"]"));
    }
    for line in [
        "turbo run deploy --env-mode=loose",
        "turbo run deploy --env-mode loose",
        "turbo --ui deploy ls",
        "turbo prune deploy",
        "npm run l",
        "sh -c 'TURBO_ENV_MODE=loose turbo run deploy'",
    ] {
        strict.fine(line);
    }
    assert_eq!(strict.said("turbo run deploy", &[("TURBO_ENV_MODE", "loose")]), "");
    for passing in [
        r#"{ "globalPassThroughEnv": ["CLOUDFLARE_*"], "tasks": { "deploy": {} } }"#,
        r#"{ "tasks": { "deploy": { "passThroughEnv": ["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"] } } }"#,
        r#"{ "tasks": { "deploy": { "env": ["CLOUDFLARE_*"] } } }"#,
        r#"{ "globalEnv": ["*"], "tasks": { "deploy": {} } }"#,
    ] {
        turbo(passing).fine("turbo run deploy");
        turbo(passing).fine("npm run d");
    }
    turbo("{").evident("turbo run deploy", "nobody knows what turbo keeps");
    let old = Case::new(&[
        ("turbo.json", "{ \"pipeline\": {} }"),
        ("node_modules/turbo/package.json", "{\"version\":\"1.13.4\"}"),
    ]);
    old.fine("turbo run deploy");
    let case = Case::new(&[]);
    for (line, name) in [
        ("env -i wrangler deploy", "env"),
        ("env - wrangler deploy", "env"),
        ("sudo wrangler deploy", "sudo"),
        ("sudo -u me wrangler deploy", "sudo"),
        ("sudo --preserve-env=PATH,CLOUDFLARE_ACCOUNT_ID wrangler deploy", "sudo"),
        ("sh -c 'env -i wrangler deploy'", "env"),
        ("mise x --deny-env -- wrangler deploy", "mise"),
        ("mise x --allow-env=PATH -- wrangler deploy", "mise"),
    ] {
        case.refused(line, &[], &format!("runs {name}, which keeps the token"));
    }
    for line in [
        "env A=1 wrangler deploy",
        "sudo --preserve-env=CLOUDFLARE_API_TOKEN,CLOUDFLARE_ACCOUNT_ID wrangler deploy",
        "sudo -E wrangler deploy",
        "sudo -EH wrangler deploy",
        "env A=1 true",
    ] {
        case.run(&["--strict"], line, &[]).expect_code(0);
    }
}

#[test]
fn what_cannot_be_understood_is_named() {
    let beside = format!("account_id = \"{ACME}\"");
    let case = Case::new(&[("package.json", "{"), ("wrangler.toml", &beside)]);
    case.possible("npm run x", "~/code/package.json isn't valid JSON");
    case.fine("wrangler deploy");
    let deep: String = (0..12).fold(String::from("{\"scripts\":{\"s12\":\"x\""), |text, n| {
        format!("{text},\"s{n}\":\"npm run s{}\"", n + 1)
    });
    let case = Case::new(&[("package.json", &format!("{deep}}}}}"))]);
    case.possible("npm run s0", "runs scripts that run more than 8 others");
    let each = (0..9).map(|n| format!("\"s{n}\":\"npm run 's*'\",\n")).collect::<Vec<_>>().concat();
    let all = Case::new(&[("package.json", &format!("{{\"scripts\":{{{each}\"x\":\"x\"}}}}"))]);
    let refused = all.run(&["--strict"], "npm run s0", &[]).expect_code(125);
    let told =
        refused.stderr.lines().filter(|line| line.contains("runs scripts that run more than 8 others"));
    assert_eq!(told.count(), 1, "{}", refused.stderr);
    assert!(refused.stderr.lines().count() <= 3, "{}", refused.stderr);
    case.fine("npm run s9");
    let text = format!("{{\"scripts\":{{\"x\":{:?}}}}}", "true;".repeat(3_000));
    Case::new(&[("package.json", &text)]).possible("npm run x", "calls more programs than are looked at");
    // Nothing takes longer than the bounds: neither what is called, nor what is only set, or gone to.
    let most = "calls more programs than are looked at";
    for line in [":", "A=1", "cd $X", "cd /", "export A=1", "if a; then npm run y; fi", "make -e e$N"] {
        let text = format!("{line}\n").repeat(200_000 / (line.len() + 1));
        let case = Case::new(&[("x.sh", &text), ("package.json", "{\"scripts\":{\"y\":\"wrangler\"}}")]);
        case.refused("sh x.sh", &[], if line == "cd $X" { "line 1: goes to $X" } else { most });
    }
    for (text, line) in
        [("x:; true <.env\n", "sh -n x.sh"), ("include Makefile\n", "make"), ("include .env\n", "make")]
    {
        let text = format!("export $(x)\n{}", text.repeat(250_000 / text.len()));
        Case::new(&[("x.sh", &text), ("Makefile", &text)]).refused(line, &[], most);
    }
    let far = Case::new(&[("x.sh", &"cd a/b/c;".repeat(20_000))]);
    far.refused("sh -n x.sh", &[], "goes to a/b/c, a folder that is known only when it runs");
    let large = format!("{}\n", "# x\n".repeat(50_000));
    Case::new(&[("x.sh", &"sh y.sh\n".repeat(1_000)), ("y.sh", &large)]).refused("sh -n x.sh", &[], most);
    let rules = (0..8_000).map(|n| format!("a{n}: a{} b{n}\n", n + 1)).collect::<Vec<_>>().concat();
    Case::new(&[("Makefile", &rules)]).refused("make", &[], most);
    let names = (0..100).map(|n| format!("make -e e{n}\n")).collect::<Vec<_>>().concat();
    Case::new(&[("x.sh", &names)]).refused("sh x.sh", &[], "names more than 64 environments");
    let tasks = (0..100).map(|n| format!(" t{n} t0")).collect::<Vec<_>>().concat();
    Case::new(&[]).possible(&format!("turbo run{tasks}"), "runs more than 64 tasks");
}

#[test]
fn a_task_that_reaches_no_client_misses_nothing() {
    let turbo = r#"{ "tasks": { "build": {}, "lint": {}, "deploy": {}, "dev": {}, "ship": {},
      "all": { "dependsOn": ["^build", "api#deploy"] } } }"#;
    let case = Case::new(&[
        ("turbo.json", turbo),
        (
            "package.json",
            r#"{"workspaces":["packages/*"],"scripts":{"d":"turbo run build && wrangler deploy"}}"#,
        ),
        (
            "packages/api/package.json",
            r#"{"name":"api","scripts":{"build":"tsc -b","lint":"eslint . && tsc","deploy":"wrangler deploy",
              "ship":"npm run deploy","dev":"wrangler dev","own":"tool","vite":"vite build",
              "curl":"curl -H \"Authorization: Bearer $CLOUDFLARE_API_TOKEN\" https://x"}}"#,
        ),
    ]);
    for line in ["turbo build", "turbo lint", "turbo run build lint --filter=api", "npm run d", "turbo none"]
    {
        case.fine(line);
    }
    let keeps = |task: &str| {
        format!("has turbo keep CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID from {task}, which")
    };
    for (line, task) in [
        ("turbo deploy", "task 'deploy'"),
        ("turbo run build ship", "task 'ship'"),
        ("turbo run api#deploy", "task 'api#deploy'"),
        ("turbo all", "task 'api#deploy'"),
        ("turbo curl", "task 'curl'"),
        ("turbo build deploy lint dev", "tasks 'deploy' and 'dev'"),
        ("turbo ship deploy dev", "tasks 'ship', 'deploy' and 'dev'"),
    ] {
        case.evident(line, &keeps(task));
        assert_eq!(case.said(line, &[]).lines().count(), 1, "{line}");
    }
    case.possible("turbo own", &keeps("task 'own'"));
    case.possible("turbo vite", &keeps("task 'vite'"));
}

#[test]
fn a_large_workspace_of_one_account_is_looked_through() {
    let case = Case::new(&[
        ("package.json", r#"{"workspaces":["packages/*"]}"#),
        ("turbo.json", r#"{"globalPassThroughEnv":["CLOUDFLARE_*"],"tasks":{"d":{}}}"#),
    ]);
    let write = |n: usize, account: &str| {
        let package =
            format!("{{\"name\":\"p{n}\",\"scripts\":{{\"d\":\"wrangler deploy\",\"prepare\":\"tsc\"}}}}");
        case.places.write(&format!("code/packages/p{n}/package.json"), package);
        case.places
            .write(&format!("code/packages/p{n}/wrangler.toml"), format!("account_id = \"{account}\""));
    };
    (0..200).for_each(|n| write(n, ACME));
    for line in ["npm run d -w p1", "turbo d", "npm ci", "npm run d -ws", "pnpm -r d"] {
        case.fine(line);
    }
    write(199, BETA);
    let account = "~/code/packages/p199/wrangler.toml, line 1: account_id";
    case.evident("turbo d", account);
    case.evident("npm run d -w p199", account);
    case.possible("turbo none", account);
    for n in 200..1_030 {
        case.places.write(&format!("code/packages/p{n}/package.json"), "{}");
    }
    let refused = case.run(&["--strict"], "turbo none", &[]).expect_code(125);
    assert!(
        refused.stderr.contains("has more packages in its workspace than are looked at"),
        "{}",
        refused.stderr
    );
    fs::remove_file(case.places.path("code/packages/p199/wrangler.toml")).expect("removed");
    let refused = case.run(&["--strict"], "turbo none", &[]).expect_code(125);
    refused.expect_hint("call wrangler itself, in the folder of one package");
}

#[test]
fn a_package_that_is_named_exactly_counts_alone() {
    let case = with_package(r#"{"workspaces":["packages/*"]}"#);
    let own = format!("account_id = \"{ACME}\"");
    case.places.write("code/wrangler.toml", &own);
    case.places.write("code/packages/web/wrangler.toml", &own);
    case.places.write("code/packages/web/package.json", r#"{"name":"web","scripts":{"dev":"wrangler dev"}}"#);
    for line in [
        "npm run dev -w packages/web",
        "npm run dev --workspace=web",
        "pnpm --filter web dev",
        "pnpm -r --filter web dev",
        "yarn workspace web run dev",
        "bun run --filter web dev",
        "npx -w web wrangler deploy",
    ] {
        case.fine(line);
    }
    for line in [
        "pnpm --filter 'web...' dev",
        "pnpm --filter '...^web' dev",
        "pnpm --filter '!web' dev",
        "pnpm --filter 'w*' dev",
        "npm run dev -w web -w none",
        "npm install -w web",
        "turbo run dev --filter=web",
    ] {
        case.refused(line, &[], API);
    }
}

#[test]
fn programs_that_only_read_and_write_files_go_nowhere() {
    let case = with_package(r#"{"workspaces":["packages/*"]}"#);
    case.places.write("code/packages/api/a.js", "");
    let harmless = "sort F;tail F;head F;stat F;file F;du D;tree D;wc F;diff F F;chown me F;cut -f1 F;touch F;\
        sed -i s/a/b/ F;awk 1 F;go build D;esbuild F;swc F;rollup F;webpack F;deno fmt F;deno lint D;sqlite3 F;\
        psql -f F;kubectl apply -f F;helm template D;docker build D;docker buildx build D;prisma D;\
        drizzle-kit D;pytest D;bun test D;node --test F;find D -name x;find D -exec chmod +x {} +;tar cf x D;ln F x";
    for line in harmless.split(';') {
        let line = line.trim().replace('F', "packages/api/a.js").replace('D', "packages/api");
        write_program(&case.places.path("bin").join(line.split(' ').next().expect("a word")), "#!/bin/sh\n");
        assert_eq!(case.said(&line, &[]), "", "{line}");
    }
    for line in
        ["docker compose --project-directory packages/api build", "find packages/api -exec wrangler deploy +"]
    {
        case.evident(line, API);
    }
    let one = Case::new(&[("a.js", "")]);
    for line in [
        "find . -name x -exec chmod +x {} +",
        "find . -name x -exec sed -i s/a/b/ {} +",
        "sh -c 'cd \"$(mktemp -d)\" && ls'",
        "xargs sort",
    ] {
        one.fine(line);
    }
    let more = "with words that are known only when it runs";
    one.possible("find . -name x -exec git {} +", more);
    one.possible("sh -c 'true || cd \"$(mktemp -d -p .)\"'", "goes to $(…), a folder");
    one.possible("sh -c 'true || cd \"$(tool)/x\"'", "goes to $(…)/x, a folder");
    one.possible(
        "sh -c 'x=$(mktemp -d); true || wrangler deploy -c $x/wrangler.toml'",
        "a file that is known only",
    );
    // What is said of a file that is run names it as people do.
    one.places.write("code/big.sh", "x".repeat(300_000));
    one.possible("sh -n ././big.sh", "alchemy: ~/code/big.sh is run, and could not be read whole");
}
