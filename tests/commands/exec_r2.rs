//! `alchemy exec --r2`: the keys and the endpoint of R2's S3 interface beside our own variables.

use std::path::Path;

use serde_json::json;
use support::cloudflare::Request;
use support::online::{Online, TOKEN, in_an_hour};
use support::{ACME, environment, given, has, run, run_with_input};

/// The SHA-256 of [`TOKEN`], by `printf tok-hunter2 | sha256sum`.
fn secret() -> String {
    let output = run(Online::new().home.command("sh").args(["-c", "printf tok-hunter2 | sha256sum"]));
    output.stdout.split_whitespace().next().expect("a sum").to_owned()
}

#[test]
fn the_command_has_keys_and_endpoint_and_nothing_that_outranks_them() {
    let online = Online::new();
    let id = online.token_profile("prod");
    let mut command = online.command(&["exec", "prod", "--r2", "--", "env", "-0"]);
    for name in ["AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_ROLE_ARN"] {
        command.env(name, "inherited");
    }
    let child = environment(&run(&mut command).expect_code(0).stdout);
    let endpoint = format!("https://{ACME}.r2.cloudflarestorage.com");
    let secret = secret();
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("AWS_REGION", "auto"),
        ("AWS_DEFAULT_REGION", "auto"),
        ("AWS_ENDPOINT_URL_S3", &endpoint),
        ("AWS_ENDPOINT_URL", &endpoint),
        ("RCLONE_CONFIG_R2_TYPE", "s3"),
        ("RCLONE_CONFIG_R2_PROVIDER", "Cloudflare"),
        ("RCLONE_CONFIG_R2_ENDPOINT", &endpoint),
        ("CLOUDFLARE_API_TOKEN", TOKEN),
    ] {
        assert_eq!(child.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(child.values().all(|value| value != "inherited"));
    let eu = online.run(
        &["exec", "prod", "--r2", "--r2-jurisdiction", "eu", "--", "printenv", "AWS_ENDPOINT_URL_S3"],
        "",
    );
    assert_eq!(eu.expect_code(0).stdout.trim_end(), format!("https://{ACME}.eu.r2.cloudflarestorage.com"));
    let plain = online.run(&["exec", "prod", "--", "sh", "-c", "echo ${AWS_ACCESS_KEY_ID-none}"], "");
    assert_eq!(plain.expect_code(0).stdout, "none\n");
}

#[test]
fn only_an_endpoint_on_loopback_takes_the_place_of_r2s() {
    let online = Online::new();
    online.token_profile("prod");
    let print = ["exec", "prod", "--r2", "--", "printenv", "AWS_ENDPOINT_URL_S3"];
    for (url, kept) in [("http://127.0.0.1:9", true), ("https://evil.example", false)] {
        let output = run(online.command(&print).env("AWS_ENDPOINT_URL_S3", url)).expect_code(0);
        assert_eq!(output.stdout.trim_end() == url, kept, "{}", output.stdout);
        assert!(output.stderr.contains(url), "it is said: {}", output.stderr);
    }
}

#[test]
fn there_are_no_keys_without_an_api_token() {
    let online = Online::new();
    online.oauth_profile("prod", in_an_hour().0);
    let exec = |name| ["exec", name, "--r2", "--", "true"];
    online.run(&exec("prod"), "").expect_error(125, "R2 keys cannot be derived from an OAuth session");
    online.key_profile("legacy");
    online.run(&exec("legacy"), "").expect_error(125, "R2 keys cannot be derived from a Global API Key");
    online.refuses(&["exec", "legacy", "--r2-jurisdiction", "eu", "--", "true"], "", 125, "--r2");
}

/// Runs a program with R2's keys against the double, which stands for R2: what it answers is no matter. Each
/// request is signed by the token's id, with a signature that the secret makes.
fn expect_signed(online: &Online, id: &str, program: &[&str], variables: &[(&str, &Path)]) {
    let url = online.cf.base_url().replace("/client/v4", "");
    let mut command = online.command(&[&["exec", "prod", "--r2", "--"], program].concat());
    command
        .env("AWS_ENDPOINT_URL_S3", &url)
        .env("AWS_SESSION_TOKEN", "theirs")
        .envs(variables.iter().copied());
    let output = run(&mut command);
    let requests = online.cf.requests().into_iter();
    let requests: Vec<_> =
        requests.filter(|it| it.header("authorization").is_some_and(|it| it.starts_with("AWS4-"))).collect();
    assert!(!requests.is_empty(), "it asked nothing: {}", output.stderr);
    for request in requests {
        let header = request.header("authorization").expect("signed");
        assert!(header.contains(&format!("Credential={id}/")) && header.contains("/auto/s3/"), "{header}");
        assert_eq!(request.header("x-amz-security-token"), None);
        let Request { method, path, headers, .. } = &request;
        let input = json!({ "method": method, "path": path, "headers": headers }).to_string();
        let mut python = online.home.command("python3");
        python.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/sigv4.py")).arg(secret());
        let signature = run_with_input(&mut python, &input).expect_code(0).stdout;
        assert!(header.ends_with(&format!("Signature={}", signature.trim_end())), "{header}\n{signature}");
    }
}

#[test]
fn rclone_signs_with_the_keys_also_where_its_configuration_has_others() {
    if !has("rclone") || !has("python3") {
        return;
    }
    let online = Online::new();
    let id = online.token_profile("prod");
    let config = online.home.path().join("rclone.conf");
    let theirs = "[r2]\ntype = s3\naccess_key_id = theirs\nsecret_access_key = theirs\n";
    std::fs::write(&config, theirs).expect("written");
    let once = ["rclone", "--retries", "1", "--low-level-retries", "1", "lsf", "r2:"];
    expect_signed(&online, &id, &once, &[("RCLONE_CONFIG", &config)]);
}

#[test]
fn the_aws_command_line_signs_with_the_keys_also_where_its_configuration_has_others() {
    let Some(packages) = given("ALCHEMY_TEST_PYTHON_PACKAGES") else { return };
    let online = Online::new();
    let id = online.token_profile("prod");
    let config = online.home.path().join("credentials");
    let theirs =
        "[default]\naws_access_key_id = theirs\naws_secret_access_key = theirs\naws_session_token = theirs\n";
    std::fs::write(&config, theirs).expect("written");
    let aws = packages.join("bin/aws").display().to_string();
    let variables = [("PYTHONPATH", packages.as_path()), ("AWS_SHARED_CREDENTIALS_FILE", &config)];
    expect_signed(&online, &id, &["python3", &aws, "s3api", "list-objects-v2", "--bucket", "b"], &variables);
}
