//! Refreshing and signing out beside the real npm package: in place and in its format, so that whoever
//! refreshes first, the others take what came of it and ask nobody.
//!
//! Who waits for whom is in `tests/stores/npm_locks.rs`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use support::authorization::{Pair, State};
use support::keyring::Keyring;
use support::npm::{V1_CLIENT, V2_CLIENT};
use support::shared::Version::{V1, V2};
use support::shared::{EXPIRED, HOUR, Shared, for_both, token_of};
use support::{ACME, run};

#[test]
fn a_grant_that_we_refresh_is_npms_to_use() {
    for_both(|shared| {
        let old = shared.signed_in("p", EXPIRED);
        let document = shared.path("p");
        let mut before = shared.json(&document);
        if shared.version == V2 {
            // What is not ours stays.
            before["metadata"] = json!({ "note": "x", "a": [1] });
            before["other"] = json!(1.5);
            before["values"]["more"] = json!({ "b": null });
            shared.home.write(&document, &format!("{before:#}"));
        }
        let new = shared.token("p");
        assert_ne!(new, old.access);

        let after = shared.home.read(&document);
        assert!(!after.ends_with('\n') && after.contains("\n  \""), "as npm writes it: {after}");
        let mut written: Value = serde_json::from_str(&after).expect("JSON");
        let tokens = shared.tokens(&mut written).clone();
        let mut expected = before;
        for changed in ["access", "refresh", "expires"] {
            shared.tokens(&mut expected)[changed] = tokens[changed].clone();
        }
        assert_eq!(after, format!("{expected:#}"), "nothing else is changed, and in the same order");
        assert_eq!((tokens["access"].as_str(), tokens["refresh"] != json!(old.refresh)), (Some(&*new), true));
        let mode = fs::metadata(shared.home.alchemy(&document)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        assert_eq!(shared.npm("return await token('p')"), json!(new));
        if shared.version == V2 {
            let connected = json!({ "status": "connected", "code": null });
            assert_eq!(shared.npm("return await show('p')"), connected);
            assert_eq!(shared.npm("return await list()"), json!({ "default": null, "p": "oauth" }));
        }
        assert_eq!(shared.refreshes(), (1, 0), "npm asks nobody");
        assert_eq!(
            shared.names("p"),
            ["cloudflare.json"],
            "nothing of ours, and nothing moved away as invalid"
        );
        assert_eq!(shared.locks(), [""; 0]);
    });
}

#[test]
fn a_grant_that_npm_refreshes_is_ours_to_use() {
    for_both(|shared| {
        shared.signed_in("p", EXPIRED);
        let new = shared.npm("return await token('p')");
        assert_eq!(json!(shared.token("p")), new);
        assert_eq!(shared.refreshes(), (0, 1));
    });
}

#[test]
fn npm_refreshes_with_ten_seconds_left_and_we_with_a_minute() {
    for_both(|shared| {
        let old = shared.signed_in("p", 30_000);
        assert_eq!(shared.npm("return await token('p')"), json!(old.access));
        assert_ne!(shared.token("p"), old.access);
        assert_eq!(shared.refreshes(), (1, 0));
        let old = shared.signed_in("q", 5_000);
        assert_ne!(shared.npm("return await token('q')"), json!(old.access));
        assert_eq!(shared.refreshes(), (1, 1));
    });
}

#[test]
fn a_grant_of_another_client_is_beside_version_1s_documents_and_not_seen_by_it() {
    let Some(shared) = Shared::new(V1) else { return };
    let Pair { access, refresh } = shared.server.issue(V2_CLIENT, &["d1.write"]);
    let entry = json!({
        "method": "oauth", "metadata": { "id": ACME, "name": "Acme" }, "scopes": ["d1.write"],
        "oauth": { "clientId": V2_CLIENT }
    });
    let config = json!({ "version": 1, "profiles": { "p": { "cloudflare": entry } } });
    let native = json!({
        "type": "oauth", "access": access, "refresh": refresh, "expires": 1, "scopes": ["d1.write"],
        "clientId": V2_CLIENT
    });
    shared.home.write("config.json", &config.to_string());
    shared.home.write("credentials/p/native.json", &native.to_string());
    let token = shared.token("p");
    assert_eq!(shared.json("credentials/p/native.json")["access"], json!(token));
    assert!(!shared.home.alchemy(&shared.path("p")).exists());
    assert_eq!(shared.npm("return (await Credentials.get(of('p'))) ?? 'none'"), "none");
    let refused = shared.npm("return await token('p').catch((error) => error.message)");
    assert!(refused.as_str().is_some_and(|text| text.contains("Credentials not found")), "{refused}");
    assert_eq!(shared.json("config.json"), config);
}

#[test]
fn a_grant_of_another_client_in_version_2s_document_is_refreshed_as_that_clients() {
    let Some(shared) = Shared::new(V2) else { return };
    let Pair { access, refresh } = shared.server.issue("other", &["d1.write"]);
    shared.npm(&format!(
        "await configure('p', {{ method: 'oauth', scopes: ['d1.write'], accountId: '{ACME}', clientId: 'other',
            access: '{access}', refresh: '{refresh}', expires: 1 }})"
    ));
    let token = shared.token("p");
    let document = shared.document("p");
    assert_eq!(
        (&document["values"]["access"], &document["values"]["clientId"]),
        (&json!(token), &json!("other"))
    );
    assert_eq!(shared.server.requests()[0].form["client_id"], "other");
    // Version 2 has no use for it, as before, and leaves it alone.
    let reauth = json!({ "status": "needs-reauth", "code": "provider.needs-reauth" });
    assert_eq!(shared.npm("return await show('p')"), reauth);
    assert_eq!((shared.document("p"), shared.names("p")), (document, vec!["cloudflare.json".to_owned()]));
}

#[test]
fn what_we_prepare_beside_version_2s_document_is_none_of_its_documents() {
    let Some(shared) = Shared::new(V2) else { return };
    shared.signed_in("p", EXPIRED);
    let gate = shared.gate();
    let ours = shared.start("p");
    gate.arrival();
    let before = shared.names("p");
    assert_eq!(before.len(), 2, "the document, and room for the next: {before:?}");
    assert_eq!(shared.npm("return await list()"), json!({ "default": null, "p": "oauth" }));
    assert_eq!(shared.names("p"), before);
    drop(gate);
    token_of(ours);
    assert_eq!(shared.names("p"), ["cloudflare.json"]);
}

#[test]
fn what_version_1_signs_in_to_beside_a_profile_in_the_keyring_moves_there_and_is_refreshed_there() {
    let Some(keyring) = Keyring::start() else { return };
    let Some(shared) = Shared::new(V1) else { return };
    let entry = json!({
        "method": "oauth", "metadata": { "id": ACME, "name": "Acme" }, "scopes": ["account:read"],
        "credentialStore": "keyring"
    });
    let config = json!({ "version": 1, "profiles": { "p": { "cloudflare": entry } } });
    shared.home.write("config.json", &config.to_string());
    // What its `login` writes.
    let sign_in = |life: i64| {
        let pair = shared.server.issue(V1_CLIENT, &["account:read"]);
        let Pair { access, refresh } = &pair;
        shared.npm(&format!(
            "await Credentials.set(of('p'), {{ type: 'oauth', access: '{access}', refresh: '{refresh}',
                expires: Date.now() + {life}, scopes: ['account:read'] }})"
        ));
        pair
    };
    let token = || {
        let mut command = shared.command(&["token", "p"]);
        let child = command.env("DBUS_SESSION_BUS_ADDRESS", keyring.address()).spawn().expect("started");
        let token = token_of(child);
        assert!(!shared.home.alchemy(&shared.path("p")).exists());
        let kept: Value = serde_json::from_str(&keyring.lookup("p").expect("an item")).expect("JSON");
        assert_eq!(kept["access"], json!(token));
        token
    };
    let old = sign_in(EXPIRED);
    let new = token();
    assert!(new != old.access && token() == new);
    let newer = sign_in(HOUR);
    assert_eq!(token(), newer.access);
    assert_eq!(shared.refreshes(), (1, 0));
}

#[test]
fn what_npm_signs_in_to_while_we_refresh_is_kept() {
    for_both(|shared| {
        shared.signed_in("p", EXPIRED);
        let gate = shared.gate();
        let ours = shared.start("p");
        gate.arrival();
        let newer = shared.signed_in("p", HOUR);
        drop(gate);
        token_of(ours);
        assert_eq!(shared.token("p"), newer.access);
        assert_eq!(shared.npm("return await token('p')"), json!(newer.access));

        shared.signed_in("p", EXPIRED);
        let gate = shared.gate();
        let ours = shared.start("p");
        gate.arrival();
        shared.npm(&match shared.version {
            V1 => {
                format!("await configure('p', {{ type: 'api-token', apiToken: 'tok' }}, {{ id: '{ACME}' }})")
            }
            V2 => format!(
                "await configure('p', {{ method: 'stored', credentialType: 'apiToken', apiToken: 'tok',
                    accountId: '{ACME}' }})"
            ),
        });
        drop(gate);
        token_of(ours);
        assert_eq!(shared.token("p"), "tok");
        assert!(!shared.home.alchemy("rescue/p").exists());
    });
}

#[test]
fn signing_out_revokes_the_grant_and_leaves_what_npm_leaves() {
    for_both(|shared| {
        let pair = shared.signed_in("p", HOUR);
        shared.signed_in("q", HOUR);
        shared.home.write("credentials/p/cloudflare-state-store.json", "{}");
        let other = shared.document("q");
        let config = fs::read(shared.home.alchemy("config.json")).ok();
        run(&mut shared.command(&["logout", "-p", "p"])).expect_code(0);

        assert_eq!(shared.server.state_of(&pair.refresh), State::Dead);
        let requests = shared.server.requests();
        let [revoked] = &requests[..] else { panic!("{requests:?}") };
        let form = json!({
            "token": pair.refresh, "token_type_hint": "refresh_token", "client_id": shared.client_id()
        });
        assert_eq!(json!(revoked.form), form);
        assert!(!shared.home.alchemy(&shared.path("p")).exists());
        assert_eq!(fs::read(shared.home.alchemy("config.json")).ok(), config, "it can be signed in to again");
        assert_eq!(shared.document("q"), other);
        assert_eq!(shared.locks(), [""; 0]);
        match shared.version {
            V1 => {
                let known = "return [(await Provider.get(of('p'))).method, await Credentials.get(of('p'))]";
                assert_eq!(shared.npm(known), json!(["oauth", null]));
                run(&mut shared.command(&["token", "p"]))
                    .expect_only_error(1, "missing from the file store")
                    .expect_hint("alchemy login -p p");
            }
            V2 => {
                assert_eq!(
                    shared.npm("return await list()"),
                    json!({ "default": null, "p": null, "q": "oauth" })
                );
                run(&mut shared.command(&["token", "p"])).expect_only_error(1, "there is no profile 'p'");
                // As its own way to sign out does.
                assert!(!shared.home.alchemy("credentials/p/cloudflare-state-store.json").exists());
            }
        }
    });
}
