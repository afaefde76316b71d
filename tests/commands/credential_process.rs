//! `alchemy credential-process` and `alchemy token`: a credential for programs that ask for one, and the
//! keys for R2 that follow from a token.

use serde_json::{Value, json};
use support::cloudflare::{Credential, Fault, Status};
use support::online::{EMAIL, KEY, Online, TOKEN, in_an_hour};
use support::{ACME, BETA, Output, environment, run};

const PROCESS: [&str; 2] = ["credential-process", "prod"];
const AWS: [&str; 4] = ["credential-process", "prod", "--format", "aws"];
const UNVERIFIED: [&str; 7] = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME];
/// The SHA-256 of "abc", from FIPS 180-2, appendix B.1.
const SHA256_OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// The document that a command prints on one line, without another word.
fn document(output: Output) -> Value {
    let output = output.expect_code(0);
    assert_eq!(output.stderr, "");
    one_line(&output.stdout)
}

fn one_line(stdout: &str) -> Value {
    assert!(stdout.ends_with("}\n") && stdout.lines().count() == 1, "{stdout}");
    serde_json::from_str(stdout).expect("JSON")
}

/// Without the double as the API, which a person is told of in one line.
fn offline() -> Online {
    let mut online = Online::new();
    online.unset("CLOUDFLARE_API_BASE_URL");
    online
}

#[test]
fn a_token_and_a_key_each_have_their_document() {
    let online = offline();
    online.done(&UNVERIFIED, TOKEN);
    let token = document(run(&mut online.command(&PROCESS)));
    assert_eq!(token, json!({ "Version": 1, "Type": "api-token", "ApiToken": TOKEN, "AccountId": ACME }));
    let by_name = ["credential-process", "-p", "prod", "--format", "cloudflare"];
    assert_eq!(document(run(&mut online.command(&by_name))), token);
    let key = ["configure", "-p", "prod", "--key-stdin", "--email", EMAIL, "--no-verify", "--yes"];
    online.done(&[&key[..], &["--account", BETA]].concat(), KEY);
    assert_eq!(
        document(run(&mut online.command(&PROCESS))),
        json!({ "Version": 1, "Type": "api-key", "ApiKey": KEY, "Email": EMAIL, "AccountId": BETA })
    );
}

#[test]
fn a_token_that_expires_says_when() {
    let online = Online::new();
    let expires_on = Some("2999-01-01T00:00:00Z".to_owned());
    let id = online.cf.add(Credential { expires_on, ..Credential::user_token(TOKEN).sees(&[ACME]) });
    online.done(&["configure", "-p", "prod", "--token-stdin"], TOKEN);
    let printed = |arguments: &[&str]| one_line(&run(&mut online.command(arguments)).expect_code(0).stdout);
    assert_eq!(printed(&PROCESS)["Expiration"], "2999-01-01T00:00:00Z");
    let aws = printed(&AWS);
    assert_eq!((&aws["AccessKeyId"], &aws["Expiration"]), (&json!(id), &json!("2999-01-01T00:00:00Z")));
    let after = run(&mut online.command(&["exec", "prod", "--", "env", "-0"])).expect_code(0).stdout;
    assert_eq!(environment(&after)["ALCHEMY_CREDENTIAL_EXPIRATION"], "2999-01-01T00:00:00Z");
}

#[test]
fn the_environments_own_credential_has_a_document_too() {
    let mut online = offline();
    online.set("CLOUDFLARE_API_KEY", KEY);
    online.set("CLOUDFLARE_EMAIL", EMAIL);
    let printed = |online: &Online| {
        let output = run(&mut online.command(&["credential-process"])).expect_code(0);
        assert!(output.stderr.contains("from the environment"), "{}", output.stderr);
        one_line(&output.stdout)
    };
    assert_eq!(printed(&online), json!({ "Version": 1, "Type": "api-key", "ApiKey": KEY, "Email": EMAIL }));
    online.set("CLOUDFLARE_API_TOKEN", TOKEN);
    online.set("CLOUDFLARE_ACCOUNT_ID", ACME);
    assert_eq!(
        printed(&online),
        json!({ "Version": 1, "Type": "api-token", "ApiToken": TOKEN, "AccountId": ACME })
    );
    let output = run(&mut online.command(&["token"])).expect_code(0);
    assert_eq!(output.stdout, format!("{TOKEN}\n"));
}

#[test]
fn r2_keys_are_the_tokens_id_and_the_sha_256_of_its_value() {
    let online = Online::new();
    let id = online.cf.add(Credential::user_token("abc").sees(&[ACME]));
    online.done(&["configure", "-p", "prod", "--token-stdin"], "abc");
    let asked = online.cf.requests().len();
    let printed = one_line(&online.run(&AWS, "").expect_code(0).stdout);
    assert_eq!(printed, json!({ "Version": 1, "AccessKeyId": id, "SecretAccessKey": SHA256_OF_ABC }));
    assert_eq!(online.cf.requests().len(), asked, "the id is known since the token was verified");
}

#[test]
fn an_id_that_is_not_known_is_asked_for_once_and_kept() {
    let expiry = Some("2999-01-01T00:00:00Z".to_owned());
    let user = Credential { expires_on: expiry, ..Credential::user_token("abc") };
    for credential in [user, Credential::account_token("abc", ACME)] {
        let online = Online::new();
        let expires = credential.expires_on.clone().map_or(Value::Null, Value::from);
        let id = online.cf.add(credential);
        online.done(&UNVERIFIED, "abc");
        assert_eq!(online.entry("prod").get("tokenId"), None);
        let first = one_line(&online.run(&AWS, "").expect_code(0).stdout);
        assert_eq!((&first["AccessKeyId"], &first["SecretAccessKey"]), (&json!(id), &json!(SHA256_OF_ABC)));
        let entry = online.entry("prod");
        assert_eq!((&entry["tokenId"], &entry["tokenExpires"]), (&json!(id), &expires));
        assert_eq!(entry["metadata"], json!({ "id": ACME, "name": "" }));
        let asked = online.cf.requests().len();
        assert_ne!(asked, 0);
        // It is the same document again, and it needs no network.
        online.cf.fault(Fault::Status(500));
        assert_eq!(one_line(&online.run(&AWS, "").expect_code(0).stdout)["AccessKeyId"], id);
        assert_eq!(online.cf.requests().len(), asked);
    }
}

#[test]
fn the_first_document_is_like_every_later_one() {
    let online = Online::new();
    let expires_on = Some("2999-01-01T00:00:00Z".to_owned());
    online.cf.add(Credential { expires_on, ..Credential::user_token("abc") });
    online.done(&UNVERIFIED, "abc");
    let printed = || one_line(&online.run(&AWS, "").expect_code(0).stdout);
    assert_eq!(printed(), printed());
}

#[test]
fn for_the_environments_token_the_id_is_asked_for_and_not_kept() {
    let mut online = Online::new();
    let id = online.cf.add(Credential::user_token("abc"));
    online.set("CLOUDFLARE_API_TOKEN", "abc");
    let aws = ["credential-process", "--format", "aws"];
    for times in 1..=2 {
        assert_eq!(one_line(&online.run(&aws, "").expect_code(0).stdout)["AccessKeyId"], id);
        assert_eq!(online.asked(), vec!["/user/tokens/verify"; times]);
    }
    assert!(online.home.snapshot().is_empty());
}

#[test]
fn r2_keys_follow_from_nothing_but_an_api_token() {
    let mut online = offline();
    online.oauth_profile("prod", in_an_hour().0);
    let why = "R2 keys cannot be derived from an OAuth session";
    online.refuses(&AWS, "", 1, why).expect_hint("an API token that has R2 permissions");
    let key = ["configure", "-p", "legacy", "--key-stdin", "--email", EMAIL, "--no-verify"];
    online.done(&[&key[..], &["--account", ACME]].concat(), KEY);
    let why = "R2 keys cannot be derived from a Global API Key";
    online.refuses(&["credential-process", "legacy", "--format", "aws"], "", 1, why).expect_hint("R2");
    online.set("CLOUDFLARE_API_KEY", KEY);
    online.set("CLOUDFLARE_EMAIL", EMAIL);
    let arguments = ["-v", "credential-process", "--format", "aws"];
    online.run(&arguments, "").expect_error(1, why);
    online.refuses(&["credential-process", "prod", "--format", "azure"], "", 2, "invalid value 'azure'");
}

#[test]
fn an_id_that_cannot_be_had_is_an_error_without_half_a_document() {
    let online = Online::new();
    online.done(&UNVERIFIED, TOKEN);
    // Unknown to the double: neither a user's nor the account's.
    online.refuses(&AWS, "", 1, "answered 401: 1000 Invalid API Token").expect_hint("copy the token again");
    for (status, words) in [(Status::Disabled, "this token is disabled"), (Status::Expired, "is expired")] {
        online.cf.add(Credential { status, ..Credential::user_token(TOKEN) });
        online.refuses(&AWS, "", 1, words).expect_hint("create a new one");
    }
    online.cf.fault(Fault::StatusHtml(403));
    let asked = online.cf.requests().len();
    online.refuses(&AWS, "", 1, "a bot challenge").expect_hint("vpn");
    assert_eq!(online.cf.requests().len(), asked + 2, "only a refusal has it asked as the account's");
}

#[test]
fn a_grant_of_npms_works_while_its_access_token_lives() {
    let online = offline();
    let (milliseconds, expires) = in_an_hour();
    online.oauth_profile("prod", milliseconds);
    assert_eq!(
        document(run(&mut online.command(&PROCESS))),
        json!({ "Version": 1, "Type": "oauth", "ApiToken": TOKEN, "AccountId": ACME, "Expiration": expires })
    );
    assert_eq!(run(&mut online.command(&["token", "prod"])).expect_code(0).stdout, format!("{TOKEN}\n"));
    let after = run(&mut online.command(&["exec", "prod", "--", "env", "-0"])).expect_code(0).stdout;
    let after = environment(&after);
    assert_eq!(after["CLOUDFLARE_API_TOKEN"], TOKEN);
    assert_eq!(after["ALCHEMY_CREDENTIAL_EXPIRATION"], expires);
    let set = run(&mut online.command(&["env", "prod", "--format", "json"])).expect_code(0).stdout;
    let set: Value = serde_json::from_str(&set).expect("JSON");
    assert_eq!(
        (&set["CLOUDFLARE_API_TOKEN"], &set["ALCHEMY_CREDENTIAL_EXPIRATION"]),
        (&json!(TOKEN), &json!(expires))
    );
}

#[test]
fn token_prints_the_token_and_nothing_else() {
    let online = offline();
    online.done(&UNVERIFIED, TOKEN);
    let output = run(&mut online.command(&["token", "prod"])).expect_code(0);
    assert_eq!((output.stdout, output.stderr), (format!("{TOKEN}\n"), String::new()));
    let key = ["configure", "-p", "prod", "--key-stdin", "--email", EMAIL, "--no-verify", "--yes"];
    online.done(&[&key[..], &["--account", ACME]].concat(), KEY);
    let why = "this credential is a Global API Key, not a token";
    online.refuses(&["token", "prod"], "", 1, why).expect_hint("credential-process");
    for arguments in [&PROCESS[..], &["token"]] {
        online.refuses(&[arguments[0], "nope"], "", 1, "there is no profile 'nope'");
    }
}
