//! `alchemy configure`, all of it by flags: the credential is verified before anything is written, the
//! account is one that it sees, and whatever fails leaves everything as it was.

use serde_json::{Value, json};
use support::cloudflare::{Cloudflare, Credential, Fault, Permission, Status};
use support::online::{EMAIL, KEY, Online, SECRET, TOKEN};
use support::{ACME, BETA, run_with_input};

const BY_TOKEN: [&str; 4] = ["configure", "-p", "prod", "--token-stdin"];
const BY_KEY: [&str; 6] = ["configure", "-p", "prod", "--key-stdin", "--email", EMAIL];

fn with<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [first, more].concat()
}

/// `config.json` and the credential document of the profile `prod`.
fn kept(online: &Online) -> (Value, Value) {
    let json = |path| serde_json::from_str(&online.home.read(path)).expect("JSON");
    (json("config.json"), json("credentials/prod/cloudflare.json"))
}

#[test]
fn a_users_token_is_kept_with_its_id_its_expiry_and_the_one_account_that_it_sees() {
    let online = Online::new();
    let expires_on = Some("2999-01-01T00:00:00Z".to_owned());
    let id = online.cf.add(Credential { expires_on, ..Credential::user_token(TOKEN).sees(&[ACME]) });
    let said = online.done(&BY_TOKEN, TOKEN);
    let expected =
        format!("profile 'prod' is ready: api-token, account Acme ({ACME}), kept in the file store");
    assert_eq!(said, format!("alchemy: {expected}\n"));

    let metadata = json!({ "id": ACME, "name": "Acme" });
    let entry = json!({ "method": "api-token", "metadata": metadata,
        "tokenId": id, "tokenExpires": "2999-01-01T00:00:00Z" });
    let (config, document) = kept(&online);
    // No `baseUrl`: an API on loopback is a test's, and gone tomorrow.
    assert_eq!(config, json!({ "version": 1, "profiles": { "prod": { "cloudflare": entry } } }));
    assert_eq!(document, json!({ "type": "api-token", "apiToken": TOKEN }));

    assert_eq!(online.asked()[0], "/user/tokens/verify");
    for request in online.cf.requests() {
        assert_eq!(request.method, "GET");
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {TOKEN}")));
        assert_eq!((request.header("x-auth-key"), request.header("x-auth-email")), (None, None));
        assert!(!request.path.contains(SECRET), "{}", request.path);
    }
}

#[test]
fn an_account_owned_token_is_kept_with_the_account_that_owns_it() {
    for value in [format!("cfat_{SECRET}"), TOKEN.to_owned()] {
        let online = Online::new();
        let id = online.cf.add(Credential::account_token(&value, BETA));
        online.done(&BY_TOKEN, &value);
        let entry = online.entry("prod");
        assert_eq!(entry["metadata"], json!({ "id": BETA, "name": "Beta" }));
        assert_eq!((&entry["tokenId"], entry.get("tokenExpires")), (&json!(id), None));
        // It may not ask about users, and a refusal could be taken for a wrong token.
        assert!(!online.asked().iter().any(|path| path == "/user"), "{:?}", online.asked());
    }
}

#[test]
fn an_account_owned_token_that_may_not_list_accounts_needs_the_accounts_id() {
    let online = Online::new();
    let value = format!("cfat_{SECRET}");
    online.cf.add(Credential::account_token(&value, BETA).without(Permission::AccountsRead));
    online.refuses(&BY_TOKEN, &value, 1, "does not know this token").expect_hint("--account");
    online.done(&with(&BY_TOKEN, &["--account", BETA, "--account-name", "Ours"]), &value);
    assert_eq!(online.entry("prod")["metadata"], json!({ "id": BETA, "name": "Ours" }));
    // Its own account is the only one that it can be for.
    let online = Online::new();
    online.cf.add(Credential::account_token(&value, BETA));
    let arguments = with(&BY_TOKEN, &["--account", ACME]);
    online.refuses(&arguments, &value, 1, &format!("does not see account {ACME}")).expect_hint(BETA);
}

#[test]
fn a_global_api_key_is_kept_with_its_email_and_has_no_id() {
    let online = Online::new();
    online.cf.add(Credential::global_key(KEY, EMAIL).sees(&[BETA]));
    let said = online.done(&BY_KEY, KEY);
    assert!(said.contains(&format!("api-key, account Beta ({BETA})")), "{said}");
    let (config, document) = kept(&online);
    let metadata = json!({ "id": BETA, "name": "Beta" });
    assert_eq!(
        config["profiles"]["prod"]["cloudflare"],
        json!({ "method": "api-key", "metadata": metadata })
    );
    assert_eq!(document, json!({ "type": "api-key", "apiKey": KEY, "email": EMAIL }));
    for request in online.cf.requests() {
        assert_eq!((request.header("x-auth-key"), request.header("x-auth-email")), (Some(KEY), Some(EMAIL)));
        assert_eq!(request.header("authorization"), None);
    }
}

#[test]
fn the_account_is_given_by_its_id_or_its_exact_name() {
    let upper = BETA.to_ascii_uppercase();
    for account in [BETA, &upper, "Beta"] {
        let online = Online::new();
        online.cf.add(Credential::user_token(TOKEN));
        online.done(&with(&BY_TOKEN, &["--account", account]), TOKEN);
        assert_eq!(online.entry("prod")["metadata"], json!({ "id": BETA, "name": "Beta" }), "{account}");
    }
    let online = Online::new();
    online.cf.add(Credential::user_token(TOKEN));
    online.done(&with(&BY_TOKEN, &["--account", ACME, "--account-name", "Ours"]), TOKEN);
    assert_eq!(online.entry("prod")["metadata"], json!({ "id": ACME, "name": "Ours" }));
}

#[test]
fn an_account_that_is_not_one_of_those_seen_is_an_error_that_lists_them() {
    let online = Online::new();
    let third = "33333333333333333333333333333333";
    online.cf.account(third, "Acme");
    online.cf.add(Credential::user_token(TOKEN));
    let all = [format!("Acme ({ACME})"), format!("Beta ({BETA})"), format!("Acme ({third})")].join(", ");
    let unseen = "44444444444444444444444444444444";
    for (account, words) in [
        ("Acme", "2 accounts are named 'Acme'".to_owned()),
        ("acm", "the credential sees no account named 'acm'".to_owned()),
        ("beta", "the credential sees no account named 'beta'".to_owned()),
        (unseen, format!("the credential does not see account {unseen}")),
    ] {
        let output = online.refuses(&with(&BY_TOKEN, &["--account", account]), TOKEN, 1, &words);
        output.expect_hint(&all);
    }
    let online = Online::without_accounts();
    online.cf.add(Credential::user_token(TOKEN));
    online.refuses(&BY_TOKEN, TOKEN, 1, "the credential sees no account").expect_hint("--account ID");
}

#[test]
fn one_of_several_accounts_is_not_chosen_without_a_person() {
    let online = Online::new();
    online.cf.add(Credential::user_token(TOKEN));
    online.cf.add(Credential::global_key(KEY, EMAIL));
    for (arguments, secret) in [(&BY_TOKEN[..], TOKEN), (&BY_KEY, KEY)] {
        let output = online.refuses(arguments, secret, 2, "cannot ask for account: there is no terminal");
        let all = format!("--account; it sees Acme ({ACME}), Beta ({BETA})");
        output.expect_hint(&all);
    }
}

#[test]
fn an_account_on_a_later_page_is_found() {
    let online = Online::without_accounts();
    for number in 0..60 {
        online.cf.account(&format!("{number:032x}"), &format!("account {number}"));
    }
    online.cf.add(Credential::user_token(TOKEN));
    online.done(&with(&BY_TOKEN, &["--account", "account 59"]), TOKEN);
    assert_eq!(online.entry("prod")["metadata"]["id"], format!("{:032x}", 59));
    let pages = online.asked().iter().filter(|path| *path == "/accounts").count();
    assert_eq!(pages, 2);
}

#[test]
fn without_verification_nothing_is_asked_and_the_account_must_be_an_id() {
    let online = Online::new();
    online.cf.fault(Fault::Status(500));
    let unverified = with(&BY_TOKEN, &["--no-verify"]);
    online.refuses(&unverified, TOKEN, 2, "with --no-verify").expect_hint("--account ID");
    let by_name = with(&unverified, &["--account", "Acme"]);
    online.refuses(&by_name, TOKEN, 2, "'Acme' is not an account's id").expect_hint("32 hexadecimal digits");
    online.done(&with(&unverified, &["--account", ACME, "--account-name", "Ours"]), TOKEN);
    let (config, document) = kept(&online);
    let metadata = json!({ "id": ACME, "name": "Ours" });
    assert_eq!(
        config["profiles"]["prod"]["cloudflare"],
        json!({ "method": "api-token", "metadata": metadata })
    );
    assert_eq!(document["apiToken"], TOKEN);
    online.done(&with(&BY_KEY, &["--no-verify", "--account", BETA, "--yes"]), KEY);
    assert_eq!(kept(&online).1["apiKey"], KEY);
    assert_eq!(online.asked(), [""; 0]);
}

#[test]
fn a_credential_that_does_not_work_is_one_clear_error_and_nothing_is_written() {
    let online = Online::new();
    for (status, value) in [(Status::Disabled, "off-hunter2"), (Status::Expired, "old-hunter2")] {
        let expires_on = (status == Status::Expired).then(|| "2026-01-01T00:00:00Z".to_owned());
        online.cf.add(Credential { status, expires_on, ..Credential::user_token(value).sees(&[ACME]) });
    }
    let not_before = Some("2999-01-01T00:00:00Z".to_owned());
    let later = Credential { not_before, ..Credential::user_token("later-hunter2").sees(&[ACME]) };
    online.cf.add(later);
    online.cf.add(Credential::global_key(KEY, EMAIL));
    let other = ["configure", "-p", "prod", "--key-stdin", "--email", "you@example.com"];
    let table: [(&[&str], &str, &str, &str); 7] = [
        (&BY_TOKEN, "wrong-hunter2", "does not know this token (1000 Invalid API Token", "copy it again"),
        (&BY_TOKEN, "cfat_hunter2", "does not know this token (1000 Invalid API Token", "--account"),
        (&BY_TOKEN, "off-hunter2", "this token is disabled", "enable it again"),
        (&BY_TOKEN, "old-hunter2", "this token is expired since 2026-01-01T00:00:00Z", "extend it"),
        (&BY_TOKEN, "later-hunter2", "this token is not valid before 2999-01-01T00:00:00Z", "clock"),
        (&BY_KEY, "wrong-hunter2", "does not know this key with this e-mail", "check the key"),
        (&other, KEY, "does not know this key with this e-mail", "its owner's"),
    ];
    let refused = |more: &[&str]| {
        for (arguments, secret, words, hint) in table {
            online.refuses(&with(arguments, more), secret, 1, words).expect_hint(hint);
        }
    };
    refused(&[]);
    assert!(online.home.snapshot().is_empty(), "not even a folder: {:?}", online.home.snapshot());
    // And a profile that works goes on to work.
    online.token_profile("prod");
    refused(&["--yes"]);
    online.run(&["whoami", "prod"], "").expect_code(0);
}

#[test]
fn an_api_that_does_not_answer_as_it_should_leaves_everything_as_it_was() {
    let online = Online::new();
    online.token_profile("prod");
    for (fault, words) in [
        (Fault::StatusHtml(403), "a bot challenge"),
        (Fault::Status(403), "(403 injected"),
        (Fault::NotJson, "not json"),
        (Fault::WrongShape, "not the api's"),
        (Fault::Truncated, "cut off"),
        (Fault::RateLimited { retry_after: 299 }, "answered 429"),
    ] {
        online.cf.clear_faults();
        online.cf.fault(fault);
        online.refuses(&with(&BY_TOKEN, &["--yes"]), "new-hunter2", 1, words);
    }
}

#[test]
fn an_existing_profile_is_not_changed_without_being_asked_to() {
    let online = Online::new();
    online.token_profile("prod");
    let before = online.cf.requests().len();
    for arguments in [&BY_TOKEN[..], &BY_KEY, &with(&BY_TOKEN, &["--no-verify", "--account", BETA])] {
        let words = format!("profile 'prod' exists (api-token, account Acme ({ACME}))");
        online.refuses(arguments, "new-hunter2", 2, &words).expect_hint("--yes");
    }
    assert_eq!(online.cf.requests().len(), before, "what can fail without the network fails before it");
}

#[test]
fn a_new_secret_for_an_existing_profile_keeps_the_account_that_it_is_pinned_to() {
    let online = Online::new();
    online.cf.add(Credential::user_token(TOKEN));
    // The second of those seen: the first would be taken by chance.
    online.done(&with(&BY_TOKEN, &["--account", "Beta"]), TOKEN);
    online.run(&["profile", "set", "prod", "--also", "CF_API_TOKEN"], "").expect_code(0);
    let id = online.cf.add(Credential::user_token("new-hunter2"));
    online.done(&with(&BY_TOKEN, &["--yes"]), "new-hunter2");
    let entry = online.entry("prod");
    assert_eq!((&entry["metadata"]["id"], &entry["tokenId"]), (&json!(BETA), &json!(id)));
    assert_eq!(entry["also"], json!(["CF_API_TOKEN"]));
    assert_eq!(kept(&online).1["apiToken"], "new-hunter2");
    // Another method: what was known of the token goes.
    online.cf.add(Credential::global_key(KEY, EMAIL));
    online.done(&with(&BY_KEY, &["--yes"]), KEY);
    let entry = online.entry("prod");
    assert_eq!((&entry["method"], &entry["metadata"]["id"]), (&json!("api-key"), &json!(BETA)));
    assert_eq!(entry.get("tokenId"), None);
    // A token that was not verified: the id of the old one would be that of wrong R2 keys.
    online.cf.add(Credential::user_token(TOKEN));
    online.done(&with(&BY_TOKEN, &["--yes", "--account", "Beta"]), TOKEN);
    assert_ne!(online.entry("prod").get("tokenId"), None);
    online.done(&with(&BY_TOKEN, &["--yes", "--no-verify", "--account", BETA]), "unseen-hunter2");
    assert_eq!(online.entry("prod").get("tokenId"), None);
    // The pinned one is no longer among several: that is for a person to decide.
    for (id, name) in
        [("33333333333333333333333333333333", "Third"), ("44444444444444444444444444444444", "")]
    {
        online.cf.account(id, name);
    }
    let without = ["33333333333333333333333333333333", "44444444444444444444444444444444"];
    online.cf.add(Credential::user_token("other-hunter2").sees(&without));
    let arguments = with(&BY_TOKEN, &["--yes"]);
    online.refuses(&arguments, "other-hunter2", 2, "cannot ask for account").expect_hint("--account");
}

#[test]
fn flags_that_contradict_each_other_are_named() {
    let online = Online::new();
    let table: [(&[&str], &str, &str); 6] = [
        (&["--method", "api-key", "--token-stdin"], "--method is another than", "leave --method out"),
        (&["--method", "api-token", "--key-stdin"], "--method is another than", "leave --method out"),
        (&["--method", "api-token", "--email", EMAIL], "--method is another than", "leave --method out"),
        (&["--token-stdin", "--email", EMAIL], "--email belongs to a key", "--key-stdin"),
        (&["--token-stdin", "--key-stdin"], "cannot be used with", "--help"),
        (&["--token-stdin", "--store", "nowhere"], "invalid value 'nowhere'", "--help"),
    ];
    for (arguments, words, hint) in table {
        let arguments = with(&["configure", "-p", "prod"], arguments);
        online.refuses(&arguments, TOKEN, 2, words).expect_hint(hint);
    }
    assert!(online.cf.requests().is_empty() && online.home.snapshot().is_empty());
}

#[test]
fn a_secret_cannot_be_given_where_every_user_of_the_machine_could_read_it() {
    let online = Online::new();
    for argument in [
        &["--token", TOKEN][..],
        &[&format!("--token={TOKEN}")],
        &["--api-token", TOKEN],
        &["--key", KEY],
        &[&format!("--key={KEY}")],
        &[&format!("-t{TOKEN}")],
        &[&format!("--token-stdin={TOKEN}")],
        &["--token-stdin", TOKEN],
        &["--key-stdin", KEY],
        &[KEY],
    ] {
        let arguments = with(&["configure", "-p", "prod"], argument);
        let output = online.run(&arguments, "").expect_code(2);
        assert_eq!((output.stdout.as_str(), output.stderr.lines().count()), ("", 2), "{}", output.stderr);
    }
    let suggestion = online.run(&with(&["configure"], &["--token", TOKEN]), "").expect_code(2);
    suggestion.expect_hint("--token-stdin");
    assert!(online.home.snapshot().is_empty());
}

#[test]
fn a_pasted_secret_is_cleaned_before_it_is_sent_and_what_cannot_be_sent_is_refused() {
    let online = Online::new();
    online.cf.add(Credential::user_token(TOKEN).sees(&[ACME]));
    online.done(&BY_TOKEN, &format!("\u{feff} \"{TOKEN}\"\r\n"));
    assert_eq!(kept(&online).1["apiToken"], TOKEN);
    let again = with(&BY_TOKEN, &["--yes"]);
    online.refuses(&again, "hunter2é", 1, "the token cannot be sent to cloudflare");
    let email = ["configure", "-p", "prod", "--key-stdin", "--email", "mé@example.com", "--yes"];
    online.refuses(&email, KEY, 1, "the e-mail cannot be sent to cloudflare");
}

#[test]
fn another_api_is_kept_with_the_profile_and_one_that_would_leak_is_refused() {
    let mut online = Online::new();
    let unverified = with(&BY_TOKEN, &["--no-verify", "--account", ACME, "--yes"]);
    for (url, base_url) in [
        ("https://api.example.com/client/v4/", json!("https://api.example.com/client/v4")),
        ("https://api.cloudflare.com/client/v4", Value::Null),
        ("http://127.0.0.1:4000/client/v4", Value::Null),
        ("https://localhost:4000/client/v4", Value::Null),
        ("", Value::Null),
    ] {
        online.set("CLOUDFLARE_API_BASE_URL", url);
        online.done(&unverified, TOKEN);
        assert_eq!(online.entry("prod")["baseUrl"], base_url, "{url}");
    }
    for (url, words) in [
        ("http://api.example.com/client/v4", "http is for loopback hosts only"),
        ("https://hunter2@api.example.com", "cannot hold a user name or a password"),
        ("https://api.example.com/?x", "a query"),
        ("api.example.com", "CLOUDFLARE_API_BASE_URL"),
    ] {
        online.set("CLOUDFLARE_API_BASE_URL", url);
        online.refuses(&unverified, TOKEN, 1, words);
    }
}

#[test]
fn what_is_verified_is_sent_to_the_api_and_nowhere_else() {
    let mut online = Online::new();
    let other = Cloudflare::start();
    let elsewhere = other.base_url();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "CLOUDFLARE_BASE_URL"] {
        online.set(name, elsewhere.as_str());
    }
    online.cf.add(Credential::user_token(TOKEN).sees(&[ACME]));
    online.cf.fault(Fault::Redirect(format!("{elsewhere}/user/tokens/verify")));
    let output = online.refuses(&BY_TOKEN, TOKEN, 1, "a redirect to http://127.0.0.1");
    assert!(output.stderr.contains("which is not followed"), "{}", output.stderr);
    online.cf.clear_faults();
    let output = run_with_input(&mut online.command(&BY_TOKEN), TOKEN).expect_code(0);
    assert!(output.stderr.contains("is ready"), "{}", output.stderr);
    assert!(!online.cf.requests().is_empty());
    assert!(other.requests().is_empty(), "{:?}", other.requests());
}
