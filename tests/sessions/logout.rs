//! Signing out of many profiles, and beside others that use them: what fails for one keeps nobody else
//! signed in, and no grant stays alive that we had in our hands.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};
use support::authorization::{Fault, Moment, State};
use support::finished;
use support::signed_in::{OWN, SignedIn, V1, file};

#[test]
fn all_are_signed_out_but_those_that_cannot_be_and_these_are_named() {
    let online = SignedIn::new();
    let grants = [("a", OWN), ("b", V1), ("c", OWN), ("d", V1)].map(|(name, client)| {
        let pair = online.profile(name, client, 3600);
        (name, client, pair.refresh)
    });
    let whole = online.home.read("config.json");
    let mut config: Value = serde_json::from_str(&whole).expect("JSON");
    config["profiles"]["b"]["cloudflare"]["metadata"]["id"] = "none".into();
    online.home.write("config.json", &config.to_string());
    online.server.revocation_fault(Fault::Page(500)).times(1);

    let output = online.run(&["logout", "--all", "--json"]).expect_code(1);
    for words in
        ["cannot revoke the grant of profile 'a'", "cannot sign out of 'b': profile 'b' has an unknown"]
    {
        assert!(output.stderr.contains(words), "{words} in {}", output.stderr);
    }
    let done: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(done, json!([{ "profile": "c", "signedOut": true }, { "profile": "d", "signedOut": true }]));
    for (name, client, refresh) in &grants {
        let left = ["a", "b"].contains(name);
        let state = if left { State::Live } else { State::Dead };
        assert_eq!(online.server.state_of(refresh), state, "{name}");
        assert_eq!(online.home.alchemy(&file(name, client)).exists(), left, "{name}");
    }

    online.home.write("config.json", &whole);
    online.run(&["logout", "--all"]).expect_code(0);
    assert_eq!(online.server.live_grants(), 0);
    for arguments in [&["logout", "--all"][..], &["logout", "--all", "--local"]] {
        let said = online.run(arguments).expect_code(0).stderr;
        assert_eq!(said.matches("is not signed in").count(), 4, "{said}");
    }
}

#[test]
fn a_logout_waits_for_a_refresh_and_revokes_what_came_of_it() {
    for arguments in [&["logout", "prod"][..], &["profile", "delete", "prod", "--yes"]] {
        let online = SignedIn::prod(0);
        let gate = online.server.gate(Moment::Done);
        let start = |arguments| {
            let mut command = online.command(arguments);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
        };
        let refresh = start(&["token", "prod"]);
        gate.arrival();
        let mut logout = start(arguments);
        let mut said = String::new();
        let mut stderr = BufReader::new(logout.stderr.take().expect("a pipe"));
        stderr.read_line(&mut said).expect("read");
        assert!(said.contains("waiting for another alchemy to finish"), "{said}");
        drop(gate);
        finished(refresh.wait_with_output().expect("an end")).expect_code(0);
        finished(logout.wait_with_output().expect("an end")).expect_code(0);
        assert_eq!(online.server.live_grants(), 0);
        assert!(!online.home.alchemy(&file("prod", OWN)).exists());
    }
}
