//! Interchange with the real npm package, version 1: what we write it reads, what it writes we use.
//!
//! Its library is called in its own Node (`tests/run` installs both); it takes its folder from `HOME`.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::{ACME, BETA, Home, given, run};

/// Runs JavaScript with `Profile`, `Provider`, `Credentials` and `of`, a profile's key; what it returns.
/// `None` where npm's package is not installed, which is said.
fn npm(home: &Home, script: &str) -> Option<Value> {
    let (package, node) = (given("ALCHEMY_TEST_NPM_V1")?, given("ALCHEMY_TEST_NODE")?);
    let library = package.join("lib/auth.js");
    let program = format!(
        "const {{ Profile, Provider, Credentials }} = await import(process.argv[1]);\n\
         const of = (profile) => ({{ provider: 'cloudflare', profile }});\n\
         const result = await (async () => {{ {script} }})();\n\
         console.log(JSON.stringify(result ?? null));"
    );
    let mut command = home.command(node);
    let output = run(command.args(["--input-type=module", "-e", &program, "--"]).arg(library)).expect_code(0);
    Some(serde_json::from_str(&output.stdout).expect("JSON"))
}

#[test]
fn npm_reads_the_profiles_that_we_write() {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home.key_profile("legacy", "key-example", "me@example.com");
    home.token_profile("default", "tok-é\"\\ $x");
    let script = "return await Promise.all(['prod', 'legacy', 'default'].map(
        (name) => Provider.getWithCredentials(of(name))))";
    let Some(read) = npm(&home, script) else { return };
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
    let refreshed = npm(&home, script).expect("installed");
    assert_eq!(refreshed["apiToken"], "tok-example");
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
    let Some(read) = npm(&home, script) else { return };
    assert_eq!(read, json!([[BETA, "tok-new"], [null, null], [ACME, "tok-b"], [null, null]]));
}

#[test]
fn we_use_the_profiles_that_npm_writes() {
    let home = Home::new();
    let script = format!(
        "const account = {{ id: '{BETA}', name: 'Beta Ltd' }};
        const write = async (name, method, credentials, more) => {{
            await Credentials.set(of(name), {{ type: method, ...credentials }});
            await Provider.set(of(name), {{ method, metadata: account, ...more }});
        }};
        await write('token', 'api-token', {{ apiToken: 'tok-npm' }});
        await write('key', 'api-key', {{ apiKey: 'key-npm', email: 'me@example.com' }});
        const grant = {{ access: 'at-npm', refresh: 'rt-npm', scopes: ['account:read'] }};
        const scopes = {{ scopes: ['account:read', 'offline_access'] }};
        await write('fresh', 'oauth', {{ ...grant, expires: Date.now() + 3600_000 }}, scopes);
        await write('over', 'oauth', {{ ...grant, expires: Date.now() - 1000 }}, scopes);
        await write('ci/tok', 'api-token', {{ apiToken: 'tok-ci' }});
        await write('empty', 'api-token', {{ apiToken: '' }});"
    );
    if npm(&home, &script).is_none() {
        return;
    }
    let before = home.snapshot();
    let listed = home.run(&["list", "--json"]).expect_code(0).stdout;
    let listed: Value = serde_json::from_str(&listed).expect("JSON");
    let listed: Vec<_> =
        listed.as_array().expect("an array").iter().map(|l| (l["name"].clone(), &l["method"])).collect();
    let expected = json!([
        ["ci/tok", null],
        ["empty", "api-token"],
        ["fresh", "oauth"],
        ["key", "api-key"],
        ["over", "oauth"],
        ["token", "api-token"]
    ]);
    assert_eq!(json!(listed), expected);

    let show = "echo $CLOUDFLARE_API_TOKEN $CLOUDFLARE_API_KEY $CLOUDFLARE_EMAIL $CLOUDFLARE_ACCOUNT_ID";
    let printed = |name: &str| home.run(&["exec", name, "--", "sh", "-c", show]).expect_code(0).stdout;
    assert_eq!(printed("token"), format!("tok-npm {BETA}\n"));
    assert_eq!(printed("key"), format!("key-npm me@example.com {BETA}\n"));
    assert_eq!(printed("fresh"), format!("at-npm {BETA}\n"));
    home.run(&["exec", "over", "true"])
        .expect_only_error(125, "has run out")
        .expect_hint("alchemy login -p over");
    home.age("credentials/empty/cloudflare.json");
    home.run(&["exec", "empty", "true"])
        .expect_only_error(125, "missing, empty or")
        .expect_hint("configure -p empty");
    assert_eq!(home.snapshot(), before, "npm's files are used as they are");

    home.run(&["profile", "rename", "ci/tok", "ci"]).expect_code(0);
    assert_eq!(printed("ci"), format!("tok-ci {BETA}\n"));
}

#[test]
fn each_keeps_what_the_other_wrote() {
    let home = Home::new();
    home.token_profile("ours", "tok-ours");
    home.run(&["profile", "set", "ours", "--also", "CF_API_TOKEN"]).expect_code(0);
    let before: Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    let script = format!(
        "await Credentials.set(of('npms'), {{ type: 'api-token', apiToken: 'tok-npms' }});
        await Provider.set(of('npms'), {{ method: 'api-token', metadata: {{ id: '{BETA}', name: 'Beta' }} }});"
    );
    if npm(&home, &script).is_none() {
        return;
    }
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
    let script = "await Credentials.set(of('p'), { type: 'api-token', apiToken: 'tok-1' })";
    if npm(&home, script).is_none() {
        return;
    }
    home.token_profile("p", "tok-2");
    let modes = || {
        ["credentials", "credentials/p", "credentials/p/cloudflare.json"]
            .map(|path| fs::metadata(home.alchemy(path)).expect("there").permissions().mode() & 0o777)
    };
    assert_eq!(modes(), [0o700, 0o700, 0o600]);
    npm(&home, "await Credentials.set(of('p'), { type: 'api-token', apiToken: 'tok-3' })");
    assert_eq!(home.run(&["token", "p"]).expect_code(0).stdout, "tok-3\n");
    assert_eq!(modes(), [0o700, 0o700, 0o600]);
}
