//! The shell hooks and the clock: a session that runs out at an idle prompt is fresh at the next one, and no
//! prompt waits for longer than two seconds.

use std::time::Instant;

use support::authorization::{Fault, Moment, Pair};
use support::bound::{bind, tell};
use support::hooked::{Hooked, Shell};
use support::pty::{CTRL_C, LIMIT};
use support::signed_in::{OWN, SignedIn, in_seconds};
use support::{ALCHEMY, run};

/// A home whose profile `prod`, bound at `acme`, lives for that many seconds more.
fn signed_in(left: i64) -> SignedIn {
    let signed_in = SignedIn::prod(left);
    bind(&signed_in.home, "prod", "acme");
    signed_in
}

fn token(sh: &mut Hooked) -> Option<String> {
    sh.environment().remove("CLOUDFLARE_API_TOKEN")
}

/// Looks again and again, at prompt after prompt, until the token is another one than this, or is there at all.
#[track_caller]
fn next_token(sh: &mut Hooked, old: &str) -> String {
    let since = Instant::now();
    loop {
        match token(sh) {
            Some(token) if token != old => return token,
            _ => assert!(since.elapsed() < LIMIT, "{:?}: no new token at any prompt", sh.shell),
        }
    }
}

#[test]
fn a_session_that_runs_out_at_the_prompt_is_fresh_at_the_next() {
    tell(|shell| {
        // A minute must be left: in two seconds it is not.
        let signed_in = signed_in(62);
        let old = signed_in.pair();
        let mut sh = Hooked::start(shell, &signed_in.home);
        sh.export("CLOUDFLARE_API_TOKEN", "mine-hunter2");
        let before = sh.environment();
        sh.cd("acme");
        assert_eq!(token(&mut sh), Some(old.access.clone()), "{shell:?}");
        let new = next_token(&mut sh, &old.access);
        assert_eq!(new, signed_in.pair().access, "{shell:?}");
        assert_eq!(signed_in.server.refreshes(), 1, "{shell:?}");
        assert_eq!(sh.said(), ["alchemy: prod (Acme)"], "{shell:?}: nothing is said of it");
        let expires = &sh.environment()["ALCHEMY_CREDENTIAL_EXPIRATION"];
        let expires: jiff::Timestamp = expires.parse().expect("a time");
        assert!(expires.as_millisecond() > in_seconds(3000), "{shell:?}");
        sh.cd("");
        assert_eq!(sh.environment(), before, "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_refresh_anywhere_is_in_every_shell_at_its_next_prompt() {
    tell(|shell| {
        let signed_in = signed_in(3000);
        let old = signed_in.pair();
        let mut sh = Hooked::start(shell, &signed_in.home);
        sh.cd("acme");
        assert_eq!(token(&mut sh), Some(old.access), "{shell:?}");
        signed_in.run(&["profile", "refresh", "prod"]).expect_code(0);
        sh.line("");
        assert_eq!(token(&mut sh), Some(signed_in.pair().access), "{shell:?}");
        // What the person has changed is not taken back by a refresh.
        sh.export("CLOUDFLARE_API_TOKEN", "mine-hunter2");
        signed_in.run(&["profile", "refresh", "prod"]).expect_code(0);
        sh.line("");
        assert_eq!(token(&mut sh).as_deref(), Some("mine-hunter2"), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_prompt_does_not_wait_for_a_slow_server_and_the_refresh_is_finished_all_the_same() {
    tell(|shell| {
        let signed_in = signed_in(-5);
        let gate = signed_in.server.gate(Moment::Received);
        let mut sh = Hooked::start(shell, &signed_in.home);
        sh.cd("acme");
        gate.arrival();
        // The prompt is back while the server still has the request.
        let seen = sh.environment();
        assert_eq!(
            (seen.get("CLOUDFLARE_API_TOKEN"), seen["ALCHEMY_PROFILE"].as_str()),
            (None, "prod"),
            "{shell:?}"
        );
        let said = sh.said();
        let late =
            "alchemy: prod (Acme), its name and account only; the session of 'prod' is still on its way";
        assert_eq!(said, [late], "{shell:?}");
        drop(gate);
        let new = next_token(&mut sh, "");
        assert_eq!(new, signed_in.pair().access, "{shell:?}");
        assert_eq!((signed_in.server.refreshes(), signed_in.server.reuses()), (1, 0), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn nobody_waits_for_whoever_waits_for_the_server() {
    let signed_in = signed_in(-5);
    let gate = signed_in.server.gate(Moment::Received);
    for _ in 0..2 {
        let mut command = signed_in.command(&["hook-env", "bash"]);
        command.current_dir(signed_in.home.path().join("acme"));
        let output = run(&mut command).expect_code(0);
        assert!(output.stderr.contains("still on its way"), "{}", output.stderr);
    }
    gate.arrival();
    drop(gate);
    signed_in.token("prod");
    assert_eq!((signed_in.server.refreshes(), signed_in.server.reuses()), (1, 0));
}

#[test]
fn a_session_that_is_over_leaves_the_name_and_says_how_to_mend_it_once() {
    tell(|shell| {
        let signed_in = signed_in(-5);
        signed_in.server.end(&signed_in.pair().refresh);
        let mut sh = Hooked::start(shell, &signed_in.home);
        sh.cd("acme");
        let seen = sh.environment();
        assert_eq!(
            (seen.get("CLOUDFLARE_API_TOKEN"), seen["ALCHEMY_PROFILE"].as_str()),
            (None, "prod"),
            "{shell:?}"
        );
        let said = sh.said();
        let [line] = &said[..] else { panic!("{shell:?}: one line, not {said:?}") };
        assert!(
            line.starts_with("alchemy: prod (Acme), its name and account only; the session of"),
            "{line}"
        );
        assert!(line.ends_with("sign in again: alchemy login -p prod"), "{line}");
        sh.cd("acme/sub");
        sh.cd("");
        sh.environment();
        assert!(sh.said().is_empty(), "{shell:?}");

        // Somebody signs in: at the next prompt it is there.
        sh.cd("acme");
        sh.environment();
        let pair = signed_in.server.issue(OWN, &["a"]);
        signed_in.keep("prod", OWN, &pair, in_seconds(3000));
        signed_in.run(&["profile", "set", "prod", "--account-name", "Acme"]).expect_code(0);
        sh.line("");
        assert_eq!(token(&mut sh), Some(pair.access), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn the_network_is_down_and_the_token_alive() {
    tell(|shell| {
        let signed_in = signed_in(50);
        let Pair { access, .. } = signed_in.pair();
        signed_in.server.fault(Fault::Busy(503, Some(1000)));
        let mut sh = Hooked::start(shell, &signed_in.home);
        sh.cd("acme");
        assert_eq!(token(&mut sh), Some(access), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn ctrl_c_while_the_hook_waits_leaves_a_whole_state() {
    tell(|shell: Shell| {
        let signed_in = signed_in(-5);
        let gate = signed_in.server.gate(Moment::Received);
        let mut sh = Hooked::start(shell, &signed_in.home);
        sh.export("CF_API_KEY", "old-hunter2");
        let before = sh.environment();
        sh.cd("acme");
        gate.arrival();
        sh.terminal.press(CTRL_C);
        drop(gate);
        let new = next_token(&mut sh, "");
        assert_eq!(new, signed_in.pair().access, "{shell:?}");
        assert_eq!((signed_in.server.refreshes(), signed_in.server.reuses()), (1, 0), "{shell:?}");
        sh.cd("");
        assert_eq!(sh.environment(), before, "{shell:?}");
        sh.exit();
    });
}

#[test]
fn many_shells_at_one_expiry_refresh_once() {
    let signed_in = signed_in(-5);
    let pair = signed_in.pair();
    let mut children = Vec::new();
    for _ in 0..20 {
        let mut command = signed_in.command(&["hook-env", "bash"]);
        command.current_dir(signed_in.home.path().join("acme"));
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        children.push(command.spawn().expect("started"));
    }
    for child in children {
        let output = support::finished(child.wait_with_output().expect("an end")).expect_code(0);
        assert!(!output.stdout.contains(&pair.access));
    }
    assert_eq!((signed_in.server.refreshes(), signed_in.server.reuses()), (1, 0));
    let new = signed_in.pair();
    let mut command = signed_in.home.command(ALCHEMY);
    command.args(["hook-env", "bash"]).current_dir(signed_in.home.path().join("acme"));
    assert!(run(&mut command).expect_code(0).stdout.contains(&new.access));
}
