//! Interchange with the real npm package, both versions: what we write it reads, what it writes we use
//! where it is, and what it moves or takes away is named with the way back.
//!
//! Refreshing beside it is in `tests/sessions/npm_refresh.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::keyring::Keyring;
use support::npm::{Npm, V2_CLIENT};
use support::{ACME, BETA, Home, run, run_with_input};

/// What a command gets of a profile.
fn given_to_a_command(home: &Home, name: &str) -> String {
    let show = "echo $CLOUDFLARE_API_TOKEN $CLOUDFLARE_API_KEY $CLOUDFLARE_EMAIL $CLOUDFLARE_ACCOUNT_ID";
    home.run(&["exec", name, "--", "sh", "-c", show]).expect_code(0).stdout
}

/// The names in the listing, each with one field.
fn listed(home: &Home, field: &str) -> Value {
    let listed: Value =
        serde_json::from_str(&home.run(&["list", "--json"]).expect_code(0).stdout).expect("JSON");
    listed.as_array().expect("an array").iter().map(|l| json!([l["name"], l[field]])).collect()
}

// --- version 1 ---

#[test]
fn npm_reads_the_profiles_that_we_write() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home.key_profile("legacy", "key-example", "me@example.com");
    home.token_profile("default", "tok-é\"\\ $x");
    let script = "return await Promise.all(['prod', 'legacy', 'default'].map(
        (name) => Provider.getWithCredentials(of(name))))";
    let Some(npm) = Npm::v1(&home) else { return };
    let read = npm.run(script);
    let provider =
        |method: &str, name: &str| json!({ "method": method, "metadata": { "id": ACME, "name": name } });
    assert_eq!(
        read,
        json!([
            {
                "provider": provider("api-token", "Acme"),
                "credentials": { "type": "api-token", "apiToken": "tok-example" }
            },
            {
                "provider": provider("api-key", ""),
                "credentials": { "type": "api-key", "apiKey": "key-example", "email": "me@example.com" }
            },
            {
                "provider": provider("api-token", "Acme"),
                "credentials": { "type": "api-token", "apiToken": "tok-é\"\\ $x" }
            }
        ])
    );
    // Its own way to a usable credential, which it goes before each request.
    let script = "return await Credentials.getRefreshed(of('prod'), () => { throw 'refreshed' })";
    assert_eq!(npm.run(script)["apiToken"], "tok-example");
}

#[test]
fn npm_sees_what_we_change_rename_and_delete() {
    let home = Home::new();
    for name in ["a", "b", "c"] {
        home.token_profile(name, &format!("tok-{name}"));
    }
    home.token_profile("a", "tok-new");
    home.run(&["profile", "set", "a", "--account", BETA, "--no-verify", "--also", "CF_API_TOKEN"])
        .expect_code(0);
    home.run(&["profile", "rename", "b", "bb"]).expect_code(0);
    home.run(&["profile", "delete", "c", "--yes"]).expect_code(0);
    let script = "const both = async (name) => [(await Provider.get(of(name)))?.metadata.id,
        (await Credentials.get(of(name)))?.apiToken];
        return await Promise.all(['a', 'b', 'bb', 'c'].map(both))";
    let Some(npm) = Npm::v1(&home) else { return };
    assert_eq!(npm.run(script), json!([[BETA, "tok-new"], [null, null], [ACME, "tok-b"], [null, null]]));
}

#[test]
fn we_use_the_profiles_that_npm_writes() {
    let home = Home::new();
    let Some(npm) = Npm::v1(&home) else { return };
    npm.run(&format!(
        "const account = {{ id: '{BETA}', name: 'Beta Ltd' }};
        const grant = {{ type: 'oauth', access: 'at-npm', refresh: 'rt-npm', scopes: ['account:read'] }};
        const scopes = ['account:read', 'offline_access'];
        await configure('token', {{ type: 'api-token', apiToken: 'tok-npm' }}, account);
        await configure('key', {{ type: 'api-key', apiKey: 'key-npm', email: 'me@example.com' }}, account);
        await configure('fresh', {{ ...grant, expires: Date.now() + 3600_000 }}, account, scopes);
        await configure('ci/tok', {{ type: 'api-token', apiToken: 'tok-ci' }}, account);
        await configure('empty', {{ type: 'api-token', apiToken: '' }}, account);"
    ));
    let before = home.snapshot();
    let methods = json!([
        ["ci/tok", null],
        ["empty", "api-token"],
        ["fresh", "oauth"],
        ["key", "api-key"],
        ["token", "api-token"]
    ]);
    assert_eq!(listed(&home, "method"), methods);
    assert_eq!(given_to_a_command(&home, "token"), format!("tok-npm {BETA}\n"));
    assert_eq!(given_to_a_command(&home, "key"), format!("key-npm me@example.com {BETA}\n"));
    assert_eq!(given_to_a_command(&home, "fresh"), format!("at-npm {BETA}\n"));
    home.age("credentials/empty/cloudflare.json");
    home.run(&["exec", "empty", "true"])
        .expect_only_error(125, "missing, empty or")
        .expect_hint("configure -p empty");
    assert_eq!(home.snapshot(), before, "npm's files are used as they are");

    home.run(&["profile", "rename", "ci/tok", "ci"]).expect_code(0);
    assert_eq!(given_to_a_command(&home, "ci"), format!("tok-ci {BETA}\n"));
}

#[test]
fn each_keeps_what_the_other_wrote() {
    let home = Home::new();
    home.token_profile("ours", "tok-ours");
    home.run(&["profile", "set", "ours", "--also", "CF_API_TOKEN"]).expect_code(0);
    let before: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    let Some(npm) = Npm::v1(&home) else { return };
    let token = "{ type: 'api-token', apiToken: 'tok-npms' }";
    npm.run(&format!("await configure('npms', {token}, {{ id: '{BETA}', name: 'Beta' }})"));
    let after: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    assert_eq!(after["profiles"]["ours"], before["profiles"]["ours"]);
    home.token_profile("ours", "tok-2");
    let last: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    assert_eq!(last, after);
    assert_eq!(home.run(&["token", "npms"]).expect_code(0).stdout, "tok-npms\n");
}

#[test]
fn npm_can_go_on_writing_files_that_we_have_made_private() {
    let home = Home::new();
    let Some(npm) = Npm::v1(&home) else { return };
    npm.run("await Credentials.set(of('p'), { type: 'api-token', apiToken: 'tok-1' })");
    home.token_profile("p", "tok-2");
    let modes = || {
        ["credentials", "credentials/p", "credentials/p/cloudflare.json"]
            .map(|path| fs::metadata(home.alchemy(path)).expect("there").permissions().mode() & 0o777)
    };
    assert_eq!(modes(), [0o700, 0o700, 0o600]);
    npm.run("await Credentials.set(of('p'), { type: 'api-token', apiToken: 'tok-3' })");
    assert_eq!(home.run(&["token", "p"]).expect_code(0).stdout, "tok-3\n");
    assert_eq!(modes(), [0o700, 0o700, 0o600]);
}

// --- version 2 ---

/// The values of version 2's document with an API token, in JavaScript.
fn token_values(token: &str) -> String {
    format!("{{ method: 'stored', credentialType: 'apiToken', apiToken: '{token}', accountId: '{BETA}' }}")
}

#[test]
fn we_use_the_profiles_that_version_2_writes_and_name_its_own_command_for_those_that_lack_something() {
    let home = Home::new();
    let Some(npm) = Npm::v2(&home) else { return };
    let token = token_values("tok-npm");
    npm.run(&format!(
        "const account = {{ accountId: '{BETA}' }};
        const key = {{ method: 'stored', credentialType: 'apiKey', apiKey: 'key-npm', email: 'me@example.com' }};
        const grant = {{ method: 'oauth', scopes: ['d1.write'], access: 'at-npm', refresh: 'rt-npm' }};
        const live = {{ ...grant, ...account, expires: Date.now() + 3600_000 }};
        await configure('token', {token});
        await configure('key', {{ ...key, ...account }});
        await configure('fresh', {{ ...live, clientId: '{V2_CLIENT}' }});
        await configure('foreign', {{ ...live, clientId: 'other' }});
        await configure('stub', {{ method: 'oauth' }});
        await configure('bare', {{}});
        await create('nothing');"
    ));
    let before = home.snapshot();
    let stores = json!([
        ["bare", null],
        ["foreign", "npm"],
        ["fresh", "npm"],
        ["key", "npm"],
        ["stub", null],
        ["token", "npm"]
    ]);
    assert_eq!(listed(&home, "store"), stores, "a profile without Cloudflare is none of ours");
    assert_eq!(given_to_a_command(&home, "token"), format!("tok-npm {BETA}\n"));
    assert_eq!(given_to_a_command(&home, "key"), format!("key-npm me@example.com {BETA}\n"));
    assert_eq!(given_to_a_command(&home, "fresh"), format!("at-npm {BETA}\n"));
    assert_eq!(given_to_a_command(&home, "foreign"), format!("at-npm {BETA}\n"));
    for (name, client) in [("fresh", "alchemy"), ("foreign", "other")] {
        let shown = home.run(&["profile", "show", name]).expect_code(0).stdout;
        assert!(shown.contains(&format!("client   {client}\nscopes   d1.write\n")), "{shown}");
    }
    for (name, command) in
        [("stub", "refresh --profile stub"), ("bare", "edit --profile bare --reconfigure Cloudflare")]
    {
        home.age(&format!("profiles/{name}/cloudflare.json"));
        home.run(&["exec", name, "true"])
            .expect_only_error(125, "is not complete")
            .expect_hint(&format!("npx alchemy profile {command}"));
    }
    assert_eq!(home.snapshot(), before, "npm's files are used as they are");
}

#[test]
fn a_name_that_both_versions_have_is_version_1s_and_version_2_keeps_its_own() {
    let home = Home::new();
    let Some(npm) = Npm::v2(&home) else { return };
    npm.run(&format!("await configure('work', {})", token_values("tok-2")));
    home.token_profile("work", "tok-1");
    assert_eq!(listed(&home, "shadowed"), json!([["work", false], ["work", true]]));
    assert_eq!(given_to_a_command(&home, "work"), format!("tok-1 {ACME}\n"));
    assert_eq!(npm.run("return await token('work')"), "tok-2");
    home.run(&["profile", "delete", "work", "--yes"]).expect_code(0);
    assert_eq!(given_to_a_command(&home, "work"), format!("tok-2 {BETA}\n"));
    assert_eq!(npm.run("return [await token('work'), await list()]")[0], "tok-2");
}

#[test]
fn what_version_2_moves_away_when_it_migrates_comes_back_with_the_command_that_we_name() {
    let home = Home::new();
    let Some(npm) = Npm::v2(&home) else { return };
    home.token_profile("prod", "tok-example");
    home.token_profile("other", "tok-other");
    let config = home.read("config.json");
    home.write("profiles.json", r#"{ "version": 0, "profiles": {} }"#);
    npm.run("return await list()");
    assert!(!home.alchemy("credentials").exists() && home.read("config.json") == config);

    // What version 2 caches of a deployment.
    home.write("credentials/prod/cloudflare-state-store.json", "{}");
    for name in ["prod", "other"] {
        let refused = home.run(&["exec", name, "true"]).expect_only_error(125, "npm alchemy 2 moved it to");
        let hint = refused.stderr.lines().last().expect("a hint");
        let command = hint.strip_prefix("hint: bring it back: ").and_then(|hint| hint.split_once("; or "));
        let (command, _) = command.unwrap_or_else(|| panic!("{hint}"));
        run(home.command("sh").args(["-c", command])).expect_code(0);
    }
    assert_eq!(given_to_a_command(&home, "prod"), format!("tok-example {ACME}\n"));
    assert_eq!(given_to_a_command(&home, "other"), format!("tok-other {ACME}\n"));
    assert_eq!(home.read("credentials/prod/cloudflare-state-store.json"), "{}");
}

#[test]
fn what_version_2_deletes_or_renames_with_a_profile_of_its_own_is_said_and_can_be_set_up_again() {
    let home = Home::new();
    let Some(npm) = Npm::v2(&home) else { return };
    home.token_profile("prod", "tok-old");
    let config = home.read("config.json");
    for script in
        ["await create('prod'); await destroy('prod')", "await create('prod'); await rename('prod', 'x')"]
    {
        npm.run(script);
        assert!(!home.alchemy("credentials/prod").exists() && home.read("config.json") == config);
        home.run(&["exec", "prod", "true"])
            .expect_only_error(125, "npm alchemy 2 removes or renames it with a profile of the same name")
            .expect_hint("set the profile up again: alchemy configure -p prod");
        home.token_profile("prod", "tok-new");
        assert_eq!(given_to_a_command(&home, "prod"), format!("tok-new {ACME}\n"));
    }
}

#[test]
fn version_2_takes_nothing_of_a_profile_that_is_kept_in_the_keyring() {
    let Some(keyring) = Keyring::start() else { return };
    let home = Home::new();
    let Some(npm) = Npm::v2(&home) else { return };
    let ours = |arguments: &[&str], input: &str| {
        let mut command = home.alchemy_command(arguments);
        run_with_input(command.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()), input).expect_code(0)
    };
    let configure = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
    ours(&[&configure[..], &["--store", "keyring"]].concat(), "tok-example");
    home.write("profiles.json", r#"{ "version": 0, "profiles": {} }"#);
    home.write("credentials/prod/cloudflare-state-store.json", "{}");
    npm.run("await list(); await create('prod'); await destroy('prod')");
    assert_eq!(ours(&["token", "prod"], "").stdout, "tok-example\n");
}
