//! Real clients as children of `alchemy exec`: what they send is the profile's credential, for the
//! profile's account, to the API that we name, whatever else their environment held.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::cloudflare::{Cloudflare, Credential, Request};
use support::console::path_with;
use support::{ACME, BETA, Home, given, markdown, run, write_program};

/// What npm installed for the tests; `tests/run` says where.
fn packages() -> Option<(PathBuf, PathBuf)> {
    let path = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let found = path("ALCHEMY_TEST_NODE").zip(path("ALCHEMY_TEST_NODE_MODULES"));
    if found.is_none() {
        assert!(std::env::var_os("ALCHEMY_TEST_NO_SKIP").is_none(), "npm's packages are not installed");
        eprintln!("skipped: npm's packages are not installed");
    }
    found
}

/// A home with a token profile and a key profile, and the API that knows both.
fn home_and_api() -> (Home, Cloudflare) {
    let api = Cloudflare::start();
    api.account(ACME, "Acme");
    api.account(BETA, "Beta");
    api.add(Credential::user_token("tok-example"));
    api.add(Credential::global_key("key-example", "me@example.com"));
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home.key_profile("legacy", "key-example", "me@example.com");
    (home, api)
}

/// `alchemy exec PROFILE -- COMMAND…` in an environment that tries to get in the way.
fn exec(home: &Home, api: &Cloudflare, arguments: &[&str]) -> Command {
    let mut command = home.alchemy_command(&[&["exec", "-q"], arguments].concat());
    command.env("CLOUDFLARE_API_BASE_URL", api.base_url());
    for name in ["CF_API_TOKEN", "CF_API_KEY", "CF_EMAIL", "CLOUDFLARE_API_USER_SERVICE_KEY", "CF_ACCOUNT_ID"]
    {
        command.env(name, "in-the-way");
    }
    command.env("CLOUDFLARE_CUSTOM_HEADERS", "Authorization: Bearer in-the-way");
    command.env("CLOUDFLARE_API_HEADERS", "{\"authorization\": \"Bearer in-the-way\"}");
    // Nothing of these is ours: they keep the clients from asking other servers.
    for (name, value) in [("WRANGLER_SEND_METRICS", "false"), ("NO_UPDATE_NOTIFIER", "1"), ("CI", "true")] {
        command.env(name, value);
    }
    command
}

#[track_caller]
fn only_ours(requests: &[Request], token: bool) {
    assert!(!requests.is_empty(), "it asked nothing");
    for request in requests {
        let seen = ["authorization", "x-auth-key", "x-auth-email"].map(|name| request.header(name));
        let ours = if token {
            [Some("Bearer tok-example"), None, None]
        } else {
            [None, Some("key-example"), Some("me@example.com")]
        };
        assert_eq!(seen, ours, "{} {}", request.method, request.path);
    }
}

#[test]
fn wrangler_sends_our_credential_for_our_account() {
    let Some((node, modules)) = packages() else { return };
    let wrangler = modules.join("wrangler/bin/wrangler.js");
    let (node, wrangler) = (node.to_string_lossy(), wrangler.to_string_lossy());
    for (profile, token) in [("prod", true), ("legacy", false)] {
        let (home, api) = home_and_api();
        let list = [profile, "--", &node, &wrangler, "kv", "namespace", "list"];
        let output = run(&mut exec(&home, &api, &list)).expect_code(0);
        assert!(output.stdout.contains("example"), "{}", output.stdout);
        only_ours(&api.requests(), token);
        let path = format!("/client/v4/accounts/{ACME}/storage/kv/namespaces");
        assert!(api.requests().iter().any(|request| request.path.starts_with(&path)), "{:?}", api.requests());
    }
    let (home, api) = home_and_api();
    let who = run(&mut exec(&home, &api, &["prod", "--", &node, &wrangler, "whoami"])).expect_code(0);
    assert!(who.stdout.contains("Acme"), "{}", who.stdout);
    only_ours(&api.requests(), true);
    let other = ["prod", "--account", BETA, "--", &node, &wrangler, "kv", "namespace", "list"];
    run(&mut exec(&home, &api, &other)).expect_code(0);
    let last = api.requests().pop().expect("a request");
    assert!(last.path.contains(BETA), "{}", last.path);
}

#[test]
fn cloudflares_sdk_sends_our_credential() {
    let Some((node, modules)) = packages() else { return };
    let script = "const { default: Cloudflare } = await import(process.argv[1]);
        const client = new Cloudflare();
        for await (const account of client.accounts.list()) console.log(account.name);";
    let sdk = modules.join("cloudflare/index.mjs");
    for (profile, token) in [("prod", true), ("legacy", false)] {
        let (home, api) = home_and_api();
        let node = node.to_string_lossy();
        let arguments = [profile, "--", &node, "--input-type=module", "-e", script, &sdk.to_string_lossy()];
        let output = run(&mut exec(&home, &api, &arguments)).expect_code(0);
        assert_eq!(output.stdout, "Acme\nBeta\n");
        only_ours(&api.requests(), token);
    }
}

#[test]
fn certbot_gets_a_certificate_and_renews_it_by_the_script_of_the_documentation() {
    let Some(packages) = given("ALCHEMY_TEST_PYTHON_PACKAGES") else { return };
    let (home, api) = home_and_api();
    api.zone("example.com");
    let authority = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/acme.py");
    let mut authority = Command::new("python3")
        .arg(authority)
        .env("PYTHONPATH", &packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut directory = String::new();
    BufReader::new(authority.stdout.take().expect("a pipe")).read_line(&mut directory).expect("read");

    let (bin, temporary) = (home.path().join("bin"), home.path().join("tmp"));
    for folder in [&bin, &temporary] {
        fs::create_dir(folder).expect("a folder");
    }
    let certbot = "#!/bin/sh\nexec python3 -c 'from certbot.main import main; main()' \"$@\"\n";
    write_program(&bin.join("certbot"), certbot);
    let script = home.path().join("certbot-cloudflare");
    fs::write(&script, markdown::file("docs/programs.md", "certbot-cloudflare")).expect("written");

    for words in
        [&["certonly", "-d", "example.com"][..], &["renew", "--force-renewal", "--no-random-sleep-on-renew"]]
    {
        let earlier = api.requests().len();
        let mut arguments = vec!["prod", "--", "sh", script.to_str().expect("UTF-8")];
        arguments.extend(words);
        arguments.extend(["--non-interactive", "--agree-tos", "--email", "me@example.com"]);
        arguments.extend(["--server", directory.trim_end(), "--dns-cloudflare-propagation-seconds", "0"]);
        let folders =
            ["config", "work", "logs"].map(|name| (format!("--{name}-dir"), home.path().join(name)));
        for (name, folder) in &folders {
            arguments.extend([name, folder.to_str().expect("UTF-8")]);
        }
        let mut command = exec(&home, &api, &arguments);
        command.env("PATH", path_with(&bin)).env("PYTHONPATH", &packages).env("TMPDIR", &temporary);
        let output = run(&mut command).expect_code(0);
        assert!(home.path().join("config/live/example.com/fullchain.pem").is_file(), "{output:?}");
        let requests = api.requests().split_off(earlier);
        only_ours(&requests, true);
        let is_record =
            |request: &&Request| request.method == "POST" && request.path.ends_with("/dns_records");
        assert_eq!(requests.iter().filter(is_record).count(), 1, "{requests:?}");
        assert!(api.dns_records().is_empty(), "it is taken away again");
        assert_eq!(fs::read_dir(&temporary).expect("a folder").count(), 0, "no file with the token is left");
    }
    drop(authority.stdin.take());
    authority.wait().expect("ended");
}
