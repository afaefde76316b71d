//! Signing in, at a real authorization server (npm's `oidc-provider`) and through a real browser (headless
//! Chromium): by the browser's own way back, by pasting on a terminal, and from a pipe.
//!
//! The API is a double that takes the tokens which the server calls active. Where a test has no use for a
//! browser, it follows the address that is shown as one would.

use std::io::{BufRead, BufReader, Read, Write};
use std::ops::Deref;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use support::chromium::Chromium;
use support::oidc::{Callback, Consent, LIMITED, OWN, SCOPES, Server, V1, V2};
use support::online::{Online, SECRET, shows_no_secret};
use support::pty::Terminal;
use support::{ACME, Output, finished, run};

/// The scopes of the server.
const ALL: &str = "account:read,workers_scripts:write,memberships.read,workers-scripts.write";
/// Those of them that npm's clients may ask for, version 1 and version 2.
const V1S: &str = "account:read,workers_scripts:write";
const V2S: &str = "memberships.read,workers-scripts.write";
/// Where its grant is kept, and where one is that npm's version 1 shares.
const NATIVE: &str = "credentials/prod/native.json";
const SHARED: &str = "credentials/prod/cloudflare.json";
/// A redirect URI of which the port is whatever is free.
const ANY_PORT: &str = "http://127.0.0.1:0/callback";
/// The arguments that sign in to `prod` again.
const LOGIN: [&str; 3] = ["login", "-p", "prod"];

/// The arguments that make `prod`.
fn configure(scopes: &str) -> [&str; 10] {
    ["configure", "-p", "prod", "--method", "oauth", "--account", ACME, "--yes", "--scopes", scopes]
}

/// A home whose commands sign in at a server, as its client [`OWN`] where nothing else is said.
struct Person {
    server: Server,
    online: Online,
}

impl Deref for Person {
    type Target = Online;

    fn deref(&self) -> &Online {
        &self.online
    }
}

impl Person {
    fn new() -> Option<Self> {
        let (server, mut online) = (Server::start()?, Online::new());
        online.cf.take_grants(server.introspection());
        online.set("SSL_CERT_FILE", server.ca().to_str().expect("text"));
        online.set("ALCHEMY_OAUTH_CLIENT_ID", OWN);
        online.set("ALCHEMY_OAUTH_REDIRECT_URI", ANY_PORT);
        for (variable, endpoint) in [("AUTH", "auth"), ("TOKEN", "token"), ("REVOKE", "revoke")] {
            online.set(&format!("ALCHEMY_OAUTH_{variable}_URL"), server.url(endpoint));
        }
        Some(Self { server, online })
    }

    /// One who has signed in to the profile `prod`, with all scopes.
    fn with_prod() -> Option<Self> {
        let this = Self::new()?;
        this.sign_in(&configure(ALL));
        Some(this)
    }

    /// One who signs in as with npm's version 2: the code comes to a page of the web.
    fn with_npms_client() -> Option<Self> {
        let mut this = Self::new()?;
        this.online.set("ALCHEMY_OAUTH_CLIENT_ID", V2);
        this.online.unset("ALCHEMY_OAUTH_REDIRECT_URI");
        this.online.set("ALCHEMY_OAUTH_CALLBACK", "http://127.0.0.1:0/auth/callback");
        Some(this)
    }

    /// Signs in by pasting, which succeeds; what was shown.
    #[track_caller]
    fn sign_in(&self, arguments: &[&str]) -> String {
        let mut terminal = self.without_browser(arguments);
        let callback = self.server.browse(&address(&mut terminal));
        terminal.line(callback.url());
        self.succeeds(terminal).replace(callback.url(), "")
    }

    /// `alchemy` on a terminal, which opens no browser.
    fn without_browser(&self, arguments: &[&str]) -> Terminal {
        Terminal::start(self.command(&[arguments, &["--no-browser"]].concat()))
    }

    /// The sign-in to `prod` on this terminal succeeds; what was shown.
    #[track_caller]
    fn succeeds(&self, terminal: Terminal) -> String {
        let (code, shown) = terminal.finish();
        assert_eq!(code, 0, "{shown}");
        assert!(shown.contains("profile 'prod' is ready: oauth, account Acme"), "{shown}");
        assert!(self.server.is_active(&self.token()));
        shown
    }

    /// A sign-in that the server ends in the browser makes nothing: what the page says, and the terminal.
    #[track_caller]
    fn makes_nothing(&self) -> (String, String) {
        let mut terminal = self.without_browser(&configure(ALL));
        let callback = self.server.browse(&address(&mut terminal));
        let page = self.server.open(&callback);
        assert!(page.contains("<h1>Not signed in</h1>"), "{page}");
        let (code, shown) = terminal.finish();
        assert_eq!(code, 1, "{shown}");
        assert!(shown.contains("hint: "), "{shown}");
        assert!(self.home.snapshot().is_empty(), "nothing is made");
        (page, shown)
    }

    /// The token of `prod`.
    #[track_caller]
    fn token(&self) -> String {
        run(&mut self.command(&["token", "prod"])).expect_code(0).stdout.trim_end().to_owned()
    }

    /// Makes the access token of `prod` be over, as far as is known here.
    fn expire(&self) {
        let mut grant: Value = serde_json::from_str(&self.home.read(NATIVE)).expect("JSON");
        grant["expires"] = 0.into();
        self.home.write_private(NATIVE, &grant.to_string());
    }
}

/// Waits for the invitation; the address that it shows.
#[track_caller]
fn address(terminal: &mut Terminal) -> String {
    terminal.expect("paste the code or the address that it ends at");
    let shown = terminal.text();
    shown.lines().find(|line| line.starts_with("https://")).expect("an address").to_owned()
}

/// What a script that reads the person's messages does: gives the text that it makes of the address.
fn from_a_pipe(mut child: Child, paste: impl FnOnce(&str) -> String) -> Output {
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut said = String::new();
    while !said.lines().last().is_some_and(|line| line.starts_with("https://")) {
        assert_ne!(stderr.read_line(&mut said).expect("read"), 0, "no address in: {said}");
    }
    let pasted = paste(said.lines().last().expect("an address").trim_end());
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(pasted.as_bytes()).expect("taken");
    drop(stdin);
    stderr.read_to_string(&mut said).expect("read");
    let output = finished(child.wait_with_output().expect("an end"));
    output.with_stderr(said)
}

/// The page's own code and state, as it would show them to be copied.
fn code_and_state(callback: &Callback) -> (String, String) {
    let parameter = |name| callback.parameter(name).expect("a parameter");
    (parameter("code"), parameter("state"))
}

// --- through a real browser ---

#[test]
fn a_person_allows_it_in_a_browser_and_the_last_page_says_that_it_worked() {
    let Some(prod) = Person::new() else { return };
    let Some(chromium) = Chromium::new(&prod.server, "Allow") else { return };
    prod.server.consent(Consent::Ask);
    let mut command = prod.command(&configure(ALL));
    command.env("BROWSER", chromium.script());
    let terminal = Terminal::start(command);
    let page = chromium.page();
    assert_eq!(page.title, "Signed in - alchemy");
    assert_eq!(page.text, "Signed in\n\nYou can close this page: alchemy goes on in the terminal.");
    assert!(page.url.starts_with("http://127.0.0.1:"), "{}", page.url);
    let shown = prod.succeeds(terminal);
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn a_person_denies_it_in_a_browser_and_keeps_the_old_session() {
    let Some(prod) = Person::with_prod() else { return };
    let Some(chromium) = Chromium::new(&prod.server, "Deny") else { return };
    let before = prod.home.snapshot();
    prod.server.consent(Consent::Ask);
    let mut command = prod.command(&LOGIN);
    command.env("BROWSER", chromium.script());
    let terminal = Terminal::start(command);
    let page = chromium.page();
    assert_eq!(page.title, "Not signed in - alchemy");
    assert!(page.text.contains("consent was denied"), "{}", page.text);
    let (code, shown) = terminal.finish();
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("consent was denied (access_denied: the person said no)"), "{shown}");
    assert!(shown.contains("hint: sign in again and allow it: alchemy login -p prod"), "{shown}");
    assert!(prod.home.snapshot() == before, "nothing is changed");
    assert!(prod.server.is_active(&prod.token()));
}

#[test]
fn the_hosted_page_of_npms_client_finds_us_from_a_browser() {
    let Some(prod) = Person::with_npms_client() else { return };
    let Some(chromium) = Chromium::new(&prod.server, "Allow") else { return };
    prod.server.consent(Consent::Ask);
    let mut terminal = prod.without_browser(&[&["-v"], &configure(V2S)[..]].concat());
    let address = address(&mut terminal);
    let shown = terminal.text();
    let listening = shown.lines().find_map(|line| line.split_once("waiting for the browser at ")?.1.into());
    prod.server.hosted_page_goes_on_to(listening.expect("said where"));
    let mut browser = Command::new(chromium.script()).arg(address).spawn().expect("started");
    assert_eq!(chromium.page().title, "Signed in - alchemy");
    prod.succeeds(terminal);
    assert!(browser.wait().expect("an end").success());
}

// --- without one ---

#[test]
fn the_browsers_way_back_works_with_every_client() {
    for (client, redirect, scopes, document) in
        [(OWN, ANY_PORT, ALL, NATIVE), (V1, "http://localhost:0/auth/callback", V1S, SHARED)]
    {
        let Some(mut prod) = Person::new() else { return };
        prod.online.set("ALCHEMY_OAUTH_CLIENT_ID", client);
        prod.online.set("ALCHEMY_OAUTH_REDIRECT_URI", redirect);
        let mut terminal = prod.without_browser(&configure(scopes));
        let callback = prod.server.browse(&address(&mut terminal));
        let page = prod.server.open(&callback);
        assert!(page.contains("<h1>Signed in</h1>"), "{page}");
        let shown = prod.succeeds(terminal);
        assert!(!shown.contains(SECRET) && !shown.contains("not granted"), "{shown}");
        assert_eq!(prod.entry("prod")["scopes"], json!(scopes.split(',').collect::<Vec<_>>()));
        assert!(prod.home.alchemy(document).exists());
    }
}

#[test]
fn what_the_page_shows_can_be_pasted_in_every_form_on_a_terminal_and_from_a_pipe() {
    let Some(prod) = Person::with_npms_client() else { return };
    let arguments = configure(V2S);
    let forms: [fn(&Callback) -> String; 3] = [
        |callback| code_and_state(callback).0,
        |callback| format!("{}#{}", code_and_state(callback).0, code_and_state(callback).1),
        |callback| callback.url().to_owned(),
    ];
    for form in forms {
        let mut terminal = prod.without_browser(&arguments);
        let callback = prod.server.browse(&address(&mut terminal));
        assert!(callback.url().starts_with("https://alchemy.run/auth/callback?"), "{}", callback.url());
        terminal.line(&form(&callback));
        let shown = prod.succeeds(terminal).replace(&form(&callback), "");
        assert!(!shown.contains(SECRET), "{shown}");

        let mut command = prod.command(&arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("started");
        let output = from_a_pipe(child, |address| form(&prod.server.browse(address)));
        let output = shows_no_secret(output).expect_code(0);
        assert!(output.stderr.ends_with("kept in the file store\n"), "{}", output.stderr);
        assert!(prod.server.is_active(&prod.token()));
    }
}

#[test]
fn the_answer_to_another_sign_in_is_refused_and_the_right_one_still_taken() {
    let Some(prod) = Person::new() else { return };
    let mut other = prod.without_browser(&configure(ALL));
    let others = prod.server.browse(&address(&mut other));
    let mut terminal = prod.without_browser(&configure(ALL));
    let callback = prod.server.browse(&address(&mut terminal));
    terminal.line(others.url());
    terminal.expect("that is the answer to another sign-in");
    terminal.line(callback.url());
    prod.succeeds(terminal);
}

#[test]
fn a_code_that_the_server_does_not_know_ends_the_sign_in_and_changes_nothing() {
    let Some(prod) = Person::with_prod() else { return };
    let before = prod.home.snapshot();
    let mut terminal = prod.without_browser(&LOGIN);
    address(&mut terminal);
    terminal.line("hunter2-made-up");
    let (code, shown) = terminal.finish();
    assert_eq!(code, 1, "{shown}");
    assert!(shown.contains("invalid_grant"), "{shown}");
    assert!(shown.contains("hint: try again: alchemy login -p prod"), "{shown}");
    assert!(!shown.replace("hunter2-made-up", "").contains(SECRET), "{shown}");
    assert!(prod.home.snapshot() == before, "nothing is changed");
}

#[test]
fn a_server_whose_ca_is_not_trusted_is_named_with_the_variable_that_mends_it() {
    let Some(mut prod) = Person::new() else { return };
    prod.online.unset("SSL_CERT_FILE");
    let (page, shown) = prod.makes_nothing();
    assert!(page.contains("UnknownIssuer"), "{page}");
    assert!(shown.contains("UnknownIssuer") && shown.contains("SSL_CERT_FILE"), "{shown}");
}

// --- what is granted ---

#[test]
fn scopes_that_are_not_granted_are_named_and_asked_for_again_the_next_time() {
    let Some(prod) = Person::new() else { return };
    prod.server.consent(Consent::Only(&["memberships.read", "account:read"]));
    let shown = prod.sign_in(&configure(ALL));
    assert!(
        shown.contains("not granted, of what was asked for: workers_scripts:write workers-scripts.write\n"),
        "{shown}"
    );
    assert_eq!(prod.entry("prod")["scopes"], json!(["account:read", "memberships.read"]));
    let whoami = prod.run(&["whoami", "prod", "--json"], "").expect_code(0).stdout;
    let whoami: Value = serde_json::from_str(&whoami).expect("JSON");
    assert_eq!(whoami["missingScopes"], json!(["workers_scripts:write", "workers-scripts.write"]));

    prod.server.consent(Consent::Allow);
    let shown = prod.sign_in(&LOGIN);
    assert!(!shown.contains("not granted"), "{shown}");
    assert_eq!(prod.entry("prod")["scopes"], json!(SCOPES));
}

#[test]
fn a_session_with_less_replaces_the_old_one_only_when_the_person_says_so() {
    let Some(prod) = Person::with_prod() else { return };
    let (before, token) = (prod.home.snapshot(), prod.token());
    prod.server.consent(Consent::Only(&["memberships.read"]));
    let sign_in = || {
        let mut terminal = prod.without_browser(&LOGIN);
        let callback = prod.server.browse(&address(&mut terminal));
        terminal.line(callback.url());
        terminal.expect("the old session has more; replace it all the same?");
        terminal
    };
    let mut terminal = sign_in();
    terminal.line("n");
    let (code, shown) = terminal.finish();
    assert_eq!(code, 1, "{shown}");
    assert!(prod.home.snapshot() == before, "nothing is changed");
    assert!(prod.server.is_active(&token));
    assert_eq!(prod.server.requests().last().map(String::as_str), Some("revocation 200"), "of the new one");

    let mut terminal = sign_in();
    terminal.line("y");
    prod.succeeds(terminal);
    assert_eq!(prod.entry("prod")["scopes"], json!(["memberships.read"]));
}

#[test]
fn scopes_that_the_client_may_not_have_are_an_error_that_names_the_flag() {
    let Some(mut prod) = Person::new() else { return };
    prod.online.set("ALCHEMY_OAUTH_CLIENT_ID", LIMITED);
    let (_, shown) = prod.makes_nothing();
    assert!(shown.contains("may not ask for all of these scopes (invalid_scope"), "{shown}");
    assert!(shown.contains("--scopes"), "{shown}");
}

// --- the life of a session ---

#[test]
fn a_session_is_renewed_revoked_and_signed_in_to_again() {
    let Some(prod) = Person::with_prod() else { return };
    let first = prod.token();
    prod.expire();
    let second = prod.token();
    assert!(first != second && prod.server.is_active(&second));
    assert!(prod.run(&["whoami", "prod"], "").expect_code(0).stdout.contains("Acme"));

    prod.run(&["logout", "-p", "prod"], "").expect_code(0);
    assert!(!prod.server.is_active(&first) && !prod.server.is_active(&second));
    prod.run(&["token", "prod"], "").expect_code(1).expect_hint("alchemy login -p prod");

    prod.sign_in(&LOGIN);
    prod.expire();
    assert!(prod.server.is_active(&prod.token()), "what it was issued with is kept with the profile");
}

#[test]
fn a_session_that_a_second_use_of_its_refresh_token_has_ended_is_signed_in_to_again() {
    let Some(prod) = Person::with_prod() else { return };
    prod.expire();
    let spent = prod.home.read(NATIVE);
    let token = prod.token();
    prod.home.write_private(NATIVE, &spent);
    prod.run(&["token", "prod"], "")
        .expect_error(1, "the session of profile 'prod' is over")
        .expect_hint("alchemy login -p prod");
    assert!(!prod.server.is_active(&token), "the server has ended the grant, as it must");
    prod.sign_in(&LOGIN);
}
