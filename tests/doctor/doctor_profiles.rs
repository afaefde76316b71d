//! What `alchemy doctor` finds of profiles: see `doctor.rs` for how. What npm's version 2 has moved away, what
//! cannot be used or understood, what has run out, and what waits to come home.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use support::machine::By::{Fix, Mend};
use support::machine::{Machine, mended, mode, planted};
use support::{ACME, BETA};

/// The id of a fault, and what plants it.
type Plant<'a> = (&'a str, &'a dyn Fn(&mut Machine));

/// Says of a profile that it was signed in to, with this document.
fn sign_in(machine: &Machine, document: &serde_json::Value) {
    machine.change("prod", |entry| {
        entry["method"] = "oauth".into();
        entry["scopes"] = json!(["account:read"]);
    });
    let text = document.to_string();
    machine.home.write_private("credentials/prod/cloudflare.json", &text);
}

fn grant(left: i64) -> serde_json::Value {
    let expires = support::signed_in::in_seconds(left);
    json!({
        "type": "oauth", "access": "at-hunter2", "refresh": "rt-hunter2", "expires": expires,
        "scopes": ["account:read"],
    })
}

#[test]
fn what_npms_version_2_moved_away_comes_back() {
    let moved = |machine: &mut Machine| {
        let away = ".profiles-v0-2026-01-02T03-04-05-678Z";
        fs::create_dir_all(machine.home.alchemy(away)).expect("a folder");
        mode(&machine.home.alchemy(away), 0o700);
        let (from, to) = ("credentials", format!("{away}/credentials"));
        fs::rename(machine.home.alchemy(from), machine.home.alchemy(&to)).expect("moved");
    };
    let both = ["moved-by-npm", "moved-by-npm", "npm-moved-folder?"];
    let machine = planted(moved, &both);
    let before = machine.doctor(&[]);
    let fixed = machine.doctor(&["--fix"]);
    assert_eq!((fixed.code, fixed.said["mended"].as_array().map(Vec::len)), (0, Some(2)), "{before:?}");
    let token = machine.alchemy(&["token", "prod"]).expect_code(0);
    assert_eq!(token.stdout.trim_end(), "tok-prod-hunter2");
    // By the command that it says.
    let machine = planted(moved, &both);
    let mend = machine.doctor(&[]).mend().to_owned();
    assert_eq!(machine.after(&format!("{mend} --offline >/dev/null")).code, 0);
    // What somebody has put there meanwhile stays.
    let machine = planted(moved, &both);
    machine.profile("prod", ACME);
    assert_eq!(machine.doctor(&["--fix"]).code, 0);
    let token = machine.alchemy(&["token", "beta"]).expect_code(0);
    assert_eq!(token.stdout.trim_end(), "tok-beta-hunter2");

    let unreadable = |machine: &mut Machine| {
        machine.home.write_private("profiles/x/cloudflare.json.invalid-2026-01-02.bak", "hunter2");
        mode(&machine.home.alchemy("profiles"), 0o700);
        mode(&machine.home.alchemy("profiles/x"), 0o700);
    };
    mended(unreadable, &["npm-invalid?"], &[Mend]);
}

#[test]
fn a_profile_that_cannot_be_used_is_named_with_the_reason() {
    let unknown = |machine: &mut Machine| machine.change("beta", |entry| entry["method"] = "magic".into());
    let machine = planted(unknown, &["profile-broken"]);
    machine.profile("beta", BETA);
    machine.doctor(&[]).is_healthy();
    let of_npm = |machine: &mut Machine| {
        machine.home.write_private("profiles/npms/cloudflare.json", "{\n  hunter2");
        machine.home.age("profiles/npms/cloudflare.json");
        mode(&machine.home.alchemy("profiles"), 0o700);
        mode(&machine.home.alchemy("profiles/npms"), 0o700);
    };
    let machine = planted(of_npm, &["profile-broken"]);
    let what = machine.doctor(&[]).said["findings"][0]["what"].to_string();
    assert!(what.contains("~/.alchemy/profiles/npms/cloudflare.json") && what.contains("line 2"), "{what}");
    let odd = |machine: &mut Machine| {
        let config = machine.home.read("config.json").replace("\"beta\"", "\"be ta\"");
        machine.home.write("config.json", &config);
        fs::rename(machine.home.alchemy("credentials/beta"), machine.home.alchemy("credentials/be ta"))
            .expect("renamed");
    };
    let machine = planted(odd, &["profile-broken"]);
    let mend = machine.doctor(&[]).mend().replace("NEW", "beta");
    machine.after(&mend).is_healthy();
}

#[test]
fn a_name_that_both_layouts_have_is_a_trap_when_the_accounts_differ() {
    let both = |account: &'static str| {
        move |machine: &mut Machine| {
            let document = json!({
                "format": "alchemy.profile/v1", "provider": "Cloudflare",
                "values": { "method": "apiToken", "accountId": account, "apiToken": "npm-hunter2" },
            });
            machine.home.write_private("profiles/beta/cloudflare.json", &document.to_string());
            machine.offline = true; // Npm's documents know no server but Cloudflare's own.
            mode(&machine.home.alchemy("profiles"), 0o700);
            mode(&machine.home.alchemy("profiles/beta"), 0o700);
        }
    };
    mended(both(ACME), &["profile-shadowed"], &[Mend]);
    mended(both(BETA), &["profile-shadowed?"], &[Mend]);
}

#[test]
fn a_credential_that_is_missing_broken_or_of_another_kind() {
    let document = "credentials/beta/cloudflare.json";
    let missing = |machine: &mut Machine| fs::remove_file(machine.home.alchemy(document)).expect("removed");
    let broken = |machine: &mut Machine| {
        machine.home.write_private(document, "{\"type\": \"api-token\", hunter2");
        machine.home.age(document);
    };
    let another = |machine: &mut Machine| {
        let key = json!({ "type": "api-key", "apiKey": "key-hunter2", "email": "me@example.com" });
        machine.home.write_private(document, &key.to_string());
    };
    let plants: [Plant; 3] =
        [("credential-missing", &missing), ("credential-unreadable", &broken), ("credential-kind", &another)];
    for (id, plant) in plants {
        let machine = planted(plant, &[id]);
        assert_eq!(machine.doctor(&[]).mend(), "alchemy configure -p beta");
        machine.profile("beta", BETA);
        machine.doctor(&[]).is_healthy();
    }
    let orphan = |machine: &mut Machine| {
        machine.home.write_private("credentials/gone/cloudflare.json", "{}");
        mode(&machine.home.alchemy("credentials/gone"), 0o700);
    };
    mended(orphan, &["credential-orphan?"], &[Mend]);
}

#[test]
fn a_credential_that_only_a_persons_own_commands_know_is_left_alone() {
    let by_command = |machine: &mut Machine| {
        fs::remove_dir_all(machine.home.alchemy("credentials/beta")).expect("removed");
        machine.change("beta", |entry| {
            entry["credentialStore"] = "command".into();
            entry["commands"] = json!({ "read": "touch ~/asked", "write": "touch ~/asked" });
        });
    };
    let machine = planted(by_command, &["credential-unasked?"]);
    assert_eq!(machine.doctor(&[]).mend(), "alchemy whoami beta");
    assert!(!machine.path("asked").exists());
}

#[test]
fn a_session_that_is_over_or_narrower_than_asked() {
    let over = |machine: &mut Machine| {
        let mut document = grant(-60);
        document["refresh"] = "".into();
        sign_in(machine, &document);
    };
    let machine = planted(over, &["grant-over"]);
    assert_eq!(machine.doctor(&[]).mend(), "alchemy login -p prod");
    sign_in(&machine, &grant(3600));
    machine.doctor(&[]).is_healthy();

    // What the last refresh has noted counts until somebody signs in again.
    let failed = |over: bool| {
        move |machine: &mut Machine| {
            sign_in(machine, &grant(30));
            let note = json!({ "failed": {
                "at": Timestamp::now() + SignedDuration::from_secs(5), "over": over,
                "message": "the session of profile 'prod' is over: it was refused", "hint": "",
            } });
            machine.home.write_private("lock/native/prod", &note.to_string());
            for folder in ["lock", "lock/native"] {
                mode(&machine.home.alchemy(folder), 0o700);
            }
        }
    };
    planted(failed(true), &["grant-over"]);
    planted(failed(false), &["refresh-failed?"]);

    let narrow = |machine: &mut Machine| {
        sign_in(machine, &grant(3600));
        machine.change("prod", |entry| {
            entry["oauth"] = json!({ "requestedScopes": ["account:read", "workers:write"] });
        });
    };
    let machine = planted(narrow, &["scopes-missing"]);
    let what = machine.doctor(&[]).said["findings"][0]["what"].to_string();
    assert!(what.contains("workers:write") && !what.contains("account:read"), "{what}");
}

#[test]
fn an_api_token_that_has_run_out_or_soon_will() {
    let expires = |hours: i64| {
        move |machine: &mut Machine| {
            machine.change("prod", |entry| {
                entry["tokenId"] = "0".repeat(32).into();
                let at = Timestamp::now() + SignedDuration::from_hours(hours);
                entry["tokenExpires"] = at.to_string().into();
            });
        }
    };
    let machine = planted(expires(-1), &["token-expired"]);
    assert_eq!(machine.doctor(&[]).mend(), "alchemy configure -p prod");
    planted(expires(24), &["token-expires-soon?"]);
    planted(expires(24 * 30), &[]);
}

#[test]
fn a_session_that_waits_in_a_rescue_file_is_brought_home() {
    let waiting = |machine: &mut Machine| {
        sign_in(machine, &grant(-60));
        let mut rescued = grant(3600);
        rescued["access"] = "at-rescued-hunter2".into();
        rescued["replaces"] = alchemy::digest::sha256_hex(b"rt-hunter2").into();
        machine.home.write_private("rescue/prod", &rescued.to_string());
        mode(&machine.home.alchemy("rescue"), 0o700);
    };
    mended(waiting, &["rescue-waiting"], &[Fix]);
    let machine = planted(waiting, &["rescue-waiting"]);
    machine.doctor(&["--fix"]).is_healthy();
    let token = machine.alchemy(&["token", "prod"]).expect_code(0);
    assert_eq!(token.stdout.trim_end(), "at-rescued-hunter2");
    let orphan = |machine: &mut Machine| {
        machine.home.write_private("rescue/gone", "{}");
        mode(&machine.home.alchemy("rescue"), 0o700);
    };
    mended(orphan, &["rescue-orphan?"], &[Mend]);
}

#[test]
fn without_a_profile_it_says_how_to_make_one() {
    let none = |machine: &mut Machine| {
        fs::remove_dir_all(machine.path(".alchemy")).expect("removed");
        machine.offline = true;
    };
    let machine = planted(none, &["no-profiles?"]);
    assert_eq!(machine.doctor(&[]).mend(), "alchemy configure");
    // Cloudflare's own server is asked then; the proxy on the way is named, and its password is not.
    let by_proxy = |machine: &mut Machine| {
        none(machine);
        machine.offline = false;
        machine.set("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:9");
    };
    let machine = planted(by_proxy, &["unreachable", "no-profiles?"]);
    let what = machine.doctor(&[]).said["findings"][0]["what"].to_string();
    assert!(what.contains("api.cloudflare.com") && what.contains("127.0.0.1:9 (HTTPS_PROXY)"), "{what}");
}
