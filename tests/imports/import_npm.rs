//! `alchemy import npm`: what the real npm package has in the folder that is shared with it.

use serde_json::{Value, json};
use support::cloudflare::Credential;
use support::npm::{Npm, V2_CLIENT};
use support::online::{EMAIL, KEY, Online, TOKEN};
use support::wrangler::files;
use support::{ACME, BETA};

/// A home that version 2 of npm has made profiles in: a token, a key, and a sign-in.
fn online() -> Option<Online> {
    let online = Online::new();
    online.cf.add(Credential::user_token(TOKEN));
    online.cf.add(Credential::global_key(KEY, EMAIL));
    let npm = Npm::v2(&online.home)?;
    npm.run(&format!(
        "await configure('prod', {{ method: 'stored', credentialType: 'apiToken', apiToken: '{TOKEN}',
             accountId: '{ACME}' }});
         await configure('legacy', {{ method: 'stored', credentialType: 'apiKey', apiKey: '{KEY}',
             email: '{EMAIL}', accountId: '{BETA}' }});
         await configure('work', {{ method: 'oauth', scopes: ['d1.write'], accountId: '{ACME}',
             clientId: '{V2_CLIENT}', access: 'at-hunter2', refresh: 'rt-hunter2', expires: 1 }})"
    ));
    Some(online)
}

/// What happens to each: its name, and one word.
#[track_caller]
fn planned(online: &Online, arguments: &[&str]) -> Value {
    let output = online.run(&[&["import", "npm", "--json", "--yes"], arguments].concat(), "").expect_code(0);
    let planned: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let profiles = planned["profiles"].as_array().expect("a list").iter();
    profiles.map(|one| json!([one["name"], one["action"]])).collect()
}

#[test]
fn its_tokens_and_keys_are_copied_once_and_its_sign_ins_are_used_where_they_are() {
    let Some(online) = online() else { return };
    let theirs = online.home.alchemy("profiles");
    let before = files(&[&theirs]);
    let expected = json!([["legacy", "make"], ["prod", "make"], ["work", "stay"]]);
    assert_eq!(planned(&online, &["--dry-run"]), expected);
    assert!(!online.home.alchemy("config.json").exists());
    let shown = online.run(&["import", "npm", "--yes"], "").expect_code(0);
    for words in [
        "becomes profile 'prod'",
        "it is used where it is (two programs with the same refresh token",
        "alchemy profile move work --store keyring",
    ] {
        assert!(shown.stdout.contains(words), "'{words}' in {}", shown.stdout);
    }
    assert!(shown.stderr.contains("config.json"), "which of both counts is said: {}", shown.stderr);
    assert_eq!(online.entry("prod")["metadata"], json!({ "id": ACME, "name": "Acme" }));
    assert_eq!(online.entry("legacy")["metadata"]["id"], BETA);

    let ours = online.home.snapshot();
    let again = planned(&online, &[]);
    let there: Vec<&Value> = again.as_array().expect("a list").iter().collect();
    assert!(there.iter().all(|one| one[1] == "there" || one[1] == "stay"), "{again}");
    assert!(online.home.snapshot() == ours, "a second run changes nothing");
    assert!(files(&[&theirs]) == before, "something of npm's was changed");
    let npm = Npm::v2(&online.home).expect("installed");
    assert_eq!(npm.run("return (await list()).prod"), "stored", "npm's own is still its");
}

#[test]
fn what_is_here_already_and_what_is_of_an_older_layout_is_told() {
    let online = Online::new();
    let Some(npm) = Npm::v1(&online.home) else { return };
    npm.run(&format!(
        "await configure('old', {{ type: 'api-token', apiToken: '{TOKEN}' }}, {{ id: '{ACME}', name: 'Acme' }})"
    ));
    online.home.write("profiles.json", r#"{ "version": 0, "profiles": {} }"#);
    let before = online.home.snapshot();
    let output = online.run(&["import", "npm"], "").expect_code(0);
    assert!(output.stdout.contains("alchemy profile move old --store keyring"), "{}", output.stdout);
    assert!(output.stderr.contains("profiles.json is of an older layout"), "{}", output.stderr);
    assert!(online.home.snapshot() == before, "nothing was changed");
}

#[test]
fn a_profile_of_npms_that_is_broken_is_passed_over() {
    let Some(online) = online() else { return };
    online.home.write_private("profiles/broken/cloudflare.json", "{ \"hunter2");
    online.home.token_profile("prod", "tok-hunter2-other");
    let expected = json!([
        ["broken", "leave"],
        ["legacy", "make"],
        ["prod", "stay"],
        ["prod", "stay"],
        ["work", "stay"]
    ]);
    assert_eq!(planned(&online, &["--on-conflict", "skip"]), expected);
    assert!(online.home.read("credentials/prod/cloudflare.json").contains("other"), "what is there stays");
}
