//! Sessions against a real authorization server (npm's `oidc-provider`, over https with a CA of its own):
//! its refresh tokens rotate, and one that is spent twice ends the whole grant. What a token is worth is
//! asked there, by introspection, and never concluded from our own files.

use std::process::Command;
use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};
use support::oidc::{OWN, OWN_CALLBACK, SCOPES, Server, Tokens, V1};
use support::online::shows_no_secret;
use support::{ACME, Home, Output, run};

/// A home with the profile `prod`, signed in at a server.
struct SignedIn {
    server: Server,
    home: Home,
    client: &'static str,
    /// Where the grant is kept.
    document: &'static str,
}

/// A client of the user's own, and one whose grants are shared with npm's version 1: each has its own
/// document, locks and way to ask.
const CLIENTS: [(&str, &str, &str); 2] = [
    (OWN, OWN_CALLBACK, "credentials/prod/native.json"),
    (V1, "http://localhost:9976/auth/callback", "credentials/prod/cloudflare.json"),
];

impl SignedIn {
    /// Signed in with an access token that has run out, as far as is known here. With it, what was got.
    fn with(
        (client, redirect, document): (&'static str, &'static str, &'static str),
    ) -> Option<(Self, Tokens)> {
        let this = Self { server: Server::start()?, home: Home::new(), client, document };
        let mut oauth =
            json!({ "tokenUrl": this.server.url("token"), "revokeUrl": this.server.url("revoke") });
        if client != V1 {
            oauth["clientId"] = client.into();
        }
        let config = json!({ "version": 1, "profiles": { "prod": { "cloudflare": {
            "method": "oauth", "metadata": { "id": ACME, "name": "Acme" }, "scopes": SCOPES, "oauth": oauth,
        } } } });
        this.home.write("config.json", &config.to_string());
        let tokens = this.server.sign_in(client, redirect, &SCOPES);
        this.keep(&tokens);
        Some((this, tokens))
    }

    fn new() -> Option<(Self, Tokens)> {
        Self::with(CLIENTS[0])
    }

    /// Makes this the profile's grant, run out.
    fn keep(&self, tokens: &Tokens) {
        let mut document = json!({ "type": "oauth", "access": tokens.access, "refresh": tokens.refresh,
            "expires": jiff::Timestamp::now().as_millisecond() - 1000, "scopes": SCOPES });
        if self.client != V1 {
            document["clientId"] = self.client.into();
        }
        self.home.write_private(self.document, &document.to_string());
    }

    /// The grant as it is kept.
    fn kept(&self) -> Tokens {
        let kept: Value = serde_json::from_str(&self.home.read(self.document)).expect("JSON");
        let text = |name: &str| kept[name].as_str().expect("text").to_owned();
        Tokens { access: text("access"), refresh: text("refresh"), scope: String::new() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.alchemy_command(arguments);
        command.env("SSL_CERT_FILE", self.server.ca());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        run(&mut self.command(arguments))
    }

    /// What `alchemy token` prints.
    fn token(&self) -> String {
        let output = self.run(&["token", "prod"]).expect_code(0);
        assert_eq!(output.stderr, "", "nothing to say");
        output.stdout.trim_end().to_owned()
    }

    fn works(&self, token: &str) -> bool {
        self.server.is_active(token)
    }

    /// What the server was asked after the sign-in.
    fn asked(&self) -> Vec<String> {
        self.server.requests().into_iter().filter(|asked| !asked.starts_with("authorization_code")).collect()
    }

    /// Whether any file below `~/.alchemy` holds the text.
    fn in_a_file(&self, text: &str) -> bool {
        self.home.snapshot().values().any(|(_, content)| String::from_utf8_lossy(content).contains(text))
    }
}

#[test]
fn a_token_that_has_run_out_is_renewed_and_the_refresh_token_with_it() {
    for client in CLIENTS {
        let Some((prod, first)) = SignedIn::with(client) else { return };
        let mut before = first;
        for _ in 0..3 {
            let token = prod.token();
            let after = prod.kept();
            assert_eq!(after.access, token);
            assert!(prod.works(&token) && prod.works(&after.refresh));
            assert_ne!(after.refresh, before.refresh, "it rotates");
            assert!(
                !prod.in_a_file(&before.refresh) && !prod.in_a_file(&before.access),
                "of the old nothing is left"
            );
            assert_eq!(prod.token(), token, "it lives for an hour");
            prod.keep(&after);
            before = after;
        }
        assert_eq!(prod.asked(), ["refresh_token 200"; 3]);
    }
}

#[test]
fn processes_at_once_spend_the_refresh_token_once_and_the_grant_lives_on() {
    for client in CLIENTS {
        let Some((prod, first)) = SignedIn::with(client) else { return };
        let start = Barrier::new(20);
        let tokens: Vec<String> = thread::scope(|scope| {
            let run = || {
                start.wait();
                prod.token()
            };
            let running: Vec<_> = (0..20).map(|_| scope.spawn(run)).collect();
            running.into_iter().map(|running| running.join().expect("all succeed")).collect()
        });
        assert!(tokens.iter().all(|token| *token == prod.kept().access), "all get the same");
        assert_eq!(prod.asked(), ["refresh_token 200"]);
        assert!(prod.works(&tokens[0]) && !prod.works(&first.refresh));
        prod.keep(&prod.kept());
        assert!(prod.works(&prod.token()), "and it goes on");
    }
}

#[test]
fn a_refresh_token_that_somebody_else_has_spent_ends_the_session_with_the_command_that_mends_it() {
    let Some((prod, first)) = SignedIn::new() else { return };
    let token = prod.token();
    prod.keep(&first);
    let before = prod.home.snapshot();
    for arguments in [&["token", "prod"][..], &["whoami", "prod"], &["env", "prod"]] {
        shows_no_secret(prod.run(arguments))
            .expect_only_error(1, "the session of profile 'prod' is over")
            .expect_hint("alchemy login -p prod");
    }
    shows_no_secret(prod.run(&["exec", "prod", "--", "true"])).expect_only_error(125, "invalid_grant");
    assert!(!prod.works(&token), "the server has ended the grant, as it must");
    assert!(prod.home.snapshot() == before, "nothing is changed");
}

#[test]
fn logout_and_delete_revoke_the_grant() {
    for client in CLIENTS {
        for arguments in [&["logout", "-p", "prod"][..], &["profile", "delete", "prod", "--yes"]] {
            let Some((prod, _)) = SignedIn::with(client) else { return };
            let token = prod.token();
            let refresh = prod.kept().refresh;
            assert!(prod.works(&token) && prod.works(&refresh));
            let said = shows_no_secret(prod.run(arguments)).expect_code(0).stderr;
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(!prod.works(&token) && !prod.works(&refresh), "neither works any more");
            assert!(!prod.in_a_file(&token) && !prod.in_a_file(&refresh));
            assert_eq!(prod.asked(), ["refresh_token 200", "revocation 200"]);
        }
    }
}

#[test]
fn who_is_signed_out_is_told_so_and_keeps_the_profile() {
    let Some((prod, _)) = SignedIn::new() else { return };
    prod.run(&["logout", "-p", "prod"]).expect_code(0);
    prod.run(&["token", "prod"])
        .expect_only_error(1, "is missing from the file store")
        .expect_hint("alchemy login -p prod");
    let again = prod.run(&["logout", "-p", "prod"]).expect_code(0);
    assert_eq!(again.stderr, "alchemy: profile 'prod' is not signed in\n");
    let listed: Value =
        serde_json::from_str(&prod.run(&["list", "--json"]).expect_code(0).stdout).expect("JSON");
    assert_eq!((&listed[0]["name"], &listed[0]["signedIn"]), (&json!("prod"), &json!(false)));
    assert_eq!(prod.asked(), ["revocation 200"]);
}

#[test]
fn a_server_that_cannot_be_reached_keeps_the_grant_from_being_forgotten_unless_one_says_so() {
    let Some((mut prod, _)) = SignedIn::new() else { return };
    let before = prod.home.snapshot();
    prod.server.stop();
    for (arguments, way_out) in [
        (&["logout", "-p", "prod"][..], "alchemy logout -p prod --local"),
        (&["profile", "delete", "prod", "--yes"], "alchemy profile delete prod --no-revoke"),
    ] {
        shows_no_secret(prod.run(arguments))
            .expect_only_error(1, "cannot revoke the grant of profile 'prod'")
            .expect_hint(way_out);
        assert!(prod.home.snapshot() == before, "nothing is changed");
    }
    let said = prod.run(&["logout", "-p", "prod", "--local"]).expect_code(0).stderr;
    assert!(said.contains("its grant stays valid"), "{said}");
    assert!(!prod.home.alchemy(prod.document).exists());
}

#[test]
fn a_ca_that_is_not_trusted_costs_nothing_but_the_variable_that_names_it() {
    let Some((prod, first)) = SignedIn::new() else { return };
    let before = prod.home.snapshot();
    for arguments in [&["token", "prod"][..], &["logout", "-p", "prod"]] {
        let untrusting = run(&mut prod.home.alchemy_command(arguments));
        shows_no_secret(untrusting).expect_only_error(1, "UnknownIssuer").expect_hint("SSL_CERT_FILE");
    }
    assert_eq!(prod.asked(), [""; 0], "nothing was sent");
    assert!(prod.works(&first.refresh));
    assert!(prod.home.snapshot() == before, "nothing is changed");

    let mut trusting = prod.home.alchemy_command(&["token", "prod"]);
    trusting.env("NODE_EXTRA_CA_CERTS", prod.server.ca());
    assert!(prod.works(run(&mut trusting).expect_code(0).stdout.trim_end()));
    assert_eq!(prod.asked(), ["refresh_token 200"]);
}
