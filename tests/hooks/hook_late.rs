//! What the hooks give where a session is late, or lives for less than was asked for.

use std::fs::File;

use serde_json::Value;
use support::authorization::Moment;
use support::keyring::Keyring;
use support::signed_in::SignedIn;
use support::{ALCHEMY, Output, run};

/// What a prompt in the home is given by `alchemy hook-env`, as Nushell is told.
struct Prompt {
    set: Value,
    leave: bool,
    state: Value,
    said: String,
}

impl Prompt {
    /// At the first prompt, or after `before` with these variables.
    fn at(signed_in: &SignedIn, before: Option<&Self>, variables: &[(&str, &str)]) -> Self {
        let word =
            |name: &str| before.map_or("", |before| before.state[name].as_str().expect("text")).to_owned();
        let arguments = ["hook-env", "nu", "--active", &word("active"), "--told", &word("told")];
        let mut command = signed_in.command(&arguments);
        if let Some(before) = before {
            let set = before.set.as_object().expect("variables").iter();
            command.envs(set.map(|(name, value)| (name, value.as_str().expect("text"))));
        }
        let Output { stdout, stderr, .. } = run(command.envs(variables.iter().copied())).expect_code(0);
        let mut told: Value = serde_json::from_str(&stdout).expect("JSON");
        let [set, leave, state] = ["set", "leave", "state"].map(|name| told[name].take());
        Self { set, leave: leave.as_bool().expect("a bool"), state, said: stderr }
    }
}

/// Signed in to `prod`, to which the home is bound.
fn bound(signed_in: SignedIn) -> SignedIn {
    signed_in.run(&["use", "prod"]).expect_code(0);
    signed_in
}

#[test]
fn a_refresh_that_goes_on_holds_nothing_of_the_shell() {
    let signed_in = bound(SignedIn::prod(-60));
    let gate = signed_in.server.gate(Moment::Received);
    let lock = signed_in.home.path().join("theirs");
    let mut command = signed_in.home.command("bash");
    command.args(["-c", "exec 7>\"$1\"; flock 7; \"$2\" hook-env nu", "-"]);
    run(command.args([lock.as_os_str(), ALCHEMY.as_ref()])).expect_code(0);
    gate.arrival();
    File::open(&lock).expect("the file").try_lock().expect("nobody holds it");
}

#[test]
fn tokens_that_live_for_less_than_was_asked_for_are_not_refreshed_at_every_prompt() {
    let signed_in = bound(SignedIn::prod(600));
    let mut prompt = Prompt::at(&signed_in, None, &[("ALCHEMY_MIN_TTL", "2h")]);
    for _ in 0..3 {
        prompt = Prompt::at(&signed_in, Some(&prompt), &[("ALCHEMY_MIN_TTL", "2h")]);
    }
    assert_eq!(signed_in.server.refreshes(), 1);
    // A command gets what it asks for.
    signed_in.run(&["token", "--min-ttl", "2h"]).expect_code(0);
    assert_eq!(signed_in.server.refreshes(), 2);
}

fn stays_while_its_successor_is_late(signed_in: &SignedIn) {
    let first = Prompt::at(signed_in, None, &[]);
    assert!(first.set["CLOUDFLARE_API_TOKEN"].is_string(), "{}", first.said);
    let gate = signed_in.server.gate(Moment::Received);
    let second = Prompt::at(signed_in, Some(&first), &[("ALCHEMY_MIN_TTL", "20m")]);
    gate.arrival();
    assert_eq!((&second.set, second.leave, &*second.said), (&serde_json::json!({}), false, ""));
    assert_eq!(
        (&second.state["told"], &second.state["active"]),
        (&first.state["told"], &first.state["active"])
    );
    // One that has run out does not.
    let told = first.state["told"].as_str().expect("text");
    let (start, end) = told.split_once('+').expect("when the token ends");
    let (_, account) = end.split_once('+').expect("the account that it is for");
    let state = serde_json::json!({
        "active": first.state["active"], "told": format!("{start}+1577836800+{account}"),
    });
    let expired = Prompt { state, ..first };
    let second = Prompt::at(signed_in, Some(&expired), &[("ALCHEMY_MIN_TTL", "20m")]);
    assert!(second.leave && second.said.contains("still on its way"), "{}", second.said);
}

#[test]
fn a_token_that_lives_stays_while_its_successor_is_late() {
    stays_while_its_successor_is_late(&bound(SignedIn::prod(600)));
    let Some(keyring) = Keyring::start() else { return };
    let mut signed_in = SignedIn::new();
    signed_in.keyring_profile(&keyring, 600);
    stays_while_its_successor_is_late(&bound(signed_in));
}
