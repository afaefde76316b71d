//! The real npm `alchemy`, both versions, deploys with a profile's credential into the profile's account, whatever
//! the `.env` beside its stack says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::cloudflare::{Cloudflare, Credential};
use support::project::install_real;
use support::{ACME, BETA, Home, given, run};

const TOKEN: &str = "tok-hunter2-prod";
const KEY: &str = "key-hunter2-legacy";
const EMAIL: &str = "me@example.com";

/// It outranks, replaces and redirects what it can.
const HIJACK: &str = "CLOUDFLARE_API_TOKEN=tok-hijacked\nCLOUDFLARE_API_KEY=key-hijacked\n\
    CLOUDFLARE_EMAIL=evil@example.com\nCLOUDFLARE_ACCOUNT_ID=fedcba9876543210fedcba9876543210\n\
    CLOUDFLARE_BASE_URL=http://127.0.0.1:9/client/v4\nALCHEMY_PROFILE=hijacked\n";

const STACK_1: &str = r#"import alchemy from "alchemy";
import { KVNamespace } from "alchemy/cloudflare";

const app = await alchemy("demo");
await KVNamespace("kv", { title: "demo-kv" });
await app.finalize();
"#;

const STACK_2: &str = r#"import * as Alchemy from "alchemy";
import * as Cloudflare from "alchemy/Cloudflare";
import * as Effect from "effect/Effect";

export default Alchemy.Stack(
  "Demo",
  { providers: Cloudflare.providers(), state: Alchemy.localState() },
  Effect.gen(function* () {
    yield* Cloudflare.KV.Namespace("kv", { title: "demo-kv" });
  }),
);
"#;

/// A repository with a stack and the real package, a home with the profiles `prod`, which has a token, and `legacy`,
/// which has a key, and an API that takes both.
struct Demo {
    home: Home,
    api: Cloudflare,
    node: PathBuf,
    project: PathBuf,
}

impl Demo {
    /// `None` where the package is not installed, which is said.
    fn new(package: &str, program: &str, stack: (&str, &str)) -> Option<Self> {
        let (package, node) = (given(package)?, given("ALCHEMY_TEST_NODE")?);
        let api = Cloudflare::start();
        api.account(ACME, "Acme");
        api.account(BETA, "Beta");
        api.add(Credential::user_token(TOKEN));
        let home = Home::new();
        home.token_profile("prod", TOKEN);
        api.add(Credential::global_key(KEY, EMAIL));
        home.key_profile("legacy", KEY, EMAIL);
        let project = home.path().join("project");
        fs::create_dir_all(project.join(".git")).expect("a folder");
        install_real(&project, &package, program);
        fs::write(project.join(stack.0), stack.1).expect("written");
        fs::write(project.join(".env"), HIJACK).expect("written");
        Some(Self { home, api, node, project })
    }

    fn version_1() -> Option<Self> {
        Self::new("ALCHEMY_TEST_NPM_V1", "alchemy.js", ("alchemy.run.mjs", STACK_1))
    }

    fn version_2() -> Option<Self> {
        Self::new("ALCHEMY_TEST_NPM_V2", "cli.js", ("alchemy.run.ts", STACK_2))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.alchemy_command(arguments);
        let path = std::env::var_os("PATH").expect("PATH");
        let node = self.node.parent().map(Path::to_owned);
        let path = node.into_iter().chain(std::env::split_paths(&path));
        let hosts = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/npm/hosts.mjs");
        command
            .current_dir(&self.project)
            .env("PATH", std::env::join_paths(path).expect("a path"))
            .env("CLOUDFLARE_API_BASE_URL", self.api.base_url())
            .env("TEST_API", self.api.base_url().trim_end_matches("/client/v4"))
            .env("NODE_OPTIONS", format!("--import={hosts}"))
            .envs([("ALCHEMY_TELEMETRY_DISABLED", "1"), ("DO_NOT_TRACK", "1"), ("USER", "me")]);
        command
    }

    /// Runs it, and sees the namespace made once, in our account, with our token and no other credential.
    #[track_caller]
    fn deploys(&self, arguments: &[&str]) {
        self.deploys_with([Some(&format!("Bearer {TOKEN}")), None, None], arguments);
    }

    /// The same with these headers: `Authorization`, `X-Auth-Key` and `X-Auth-Email`.
    #[track_caller]
    fn deploys_with(&self, headers: [Option<&str>; 3], arguments: &[&str]) {
        let output = run(&mut self.command(arguments)).expect_code(0);
        assert_eq!(self.api.namespaces(ACME), ["demo-kv"], "{}{}", output.stdout, output.stderr);
        assert!(self.api.namespaces(BETA).is_empty());
        for request in self.api.requests() {
            let seen = ["authorization", "x-auth-key", "x-auth-email"].map(|name| request.header(name));
            assert_eq!(seen, headers, "{}", request.path);
            assert!(request.path.contains(ACME), "{}", request.path);
        }
    }
}

#[test]
fn version_1_deploys_with_our_token_against_its_env_file() {
    let Some(demo) = Demo::version_1() else { return };
    demo.deploys(&["deploy", "--profile", "prod"]);
}

#[test]
fn version_1_deploys_with_our_key_against_its_env_file() {
    let Some(demo) = Demo::version_1() else { return };
    demo.deploys_with([None, Some(KEY), Some(EMAIL)], &["deploy", "--profile", "legacy"]);
}

#[test]
fn version_1_deploys_under_exec() {
    let Some(demo) = Demo::version_1() else { return };
    // An unset variable it takes from there: only who knows what is run can keep it from that.
    fs::write(demo.project.join(".env"), HIJACK.replace("CLOUDFLARE_API_KEY=key-hijacked\n", ""))
        .expect("written");
    demo.deploys(&["exec", "prod", "--", "node_modules/.bin/alchemy", "deploy"]);
}

#[test]
fn version_2_deploys_with_our_token_against_its_env_file() {
    let Some(demo) = Demo::version_2() else { return };
    demo.deploys(&["deploy", "--profile", "prod", "--yes"]);
}

#[test]
fn version_2_deploys_under_exec() {
    let Some(demo) = Demo::version_2() else { return };
    demo.deploys(&["exec", "prod", "--", "node_modules/.bin/alchemy", "deploy", "--yes"]);
}

#[test]
fn version_2_finds_its_environment_complete() {
    let Some(demo) = Demo::version_2() else { return };
    let check = ["provider", "check-env", "--provider", "Cloudflare"];
    run(&mut demo.command(&[&["-p", "prod"], &check[..]].concat())).expect_code(0);
    run(&mut demo.command(&["deploy", "--help"])).expect_code(0);
    assert!(demo.api.requests().is_empty());
}

/// It is said of `.env` with these words at the end of a line; with `--strict` nothing is run.
#[track_caller]
fn is_said_and_refused(demo: &Demo, line: &[&str], words: &str) {
    let output = run(&mut demo.command(line));
    assert!(
        output.stderr.lines().any(|said| said.contains("/.env, line ") && said.ends_with(words)),
        "{output:?}"
    );
    let at = usize::from(line[0] == "exec");
    let strict = [&line[..at], &["--strict"], &line[at..]].concat();
    let before = demo.api.requests().len();
    let refused = run(&mut demo.command(&strict)).expect_code(125);
    assert!(refused.stderr.contains(words) && refused.stdout.is_empty(), "{refused:?}");
    assert_eq!(demo.api.requests().len(), before);
}

#[test]
fn what_an_env_file_can_do_all_the_same_is_said_and_strict_refuses() {
    let Some(demo) = Demo::version_1() else { return };
    let under_exec = ["exec", "prod", "--", "node_modules/.bin/alchemy", "--version"];
    is_said_and_refused(&demo, &under_exec, "goes before the token in npm alchemy 1");
    run(&mut demo.command(&["--strict", "-p", "prod", "deploy"])).expect_code(0);
    assert_eq!(demo.api.namespaces(ACME), ["demo-kv"]);

    let Some(demo) = Demo::version_2() else { return };
    let check = ["-p", "prod", "provider", "check-env", "--provider", "Cloudflare", "--env-file", ".env"];
    is_said_and_refused(&demo, &check, "goes before the account in npm alchemy 2");
    // What misleads version 1 alone is nothing to it.
    run(&mut demo.command(&["--strict", "-p", "prod", "deploy", "--yes"])).expect_code(0);
    assert_eq!(demo.api.namespaces(ACME), ["demo-kv"]);
}
