//! Our own calls to Cloudflare, over real connections to the loopback double: what each kind of
//! credential gets to know, and what each failure says.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use alchemy::cloudflare::{ApiError, Cause, Client, Credential, Identity, Timing, User, Who, identify};
use alchemy::error::Error;
use alchemy::http::{Endpoint, Network};
use alchemy::profile::{Account, AccountId};
use alchemy::secret::Secret;
use support::cloudflare::{self as double, Cloudflare, Fault, Permission, Status};
use support::tls;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
/// No part of any text that is not about a secret.
const SECRET: &str = "hunter2-hunter2";

fn double() -> Cloudflare {
    let cf = Cloudflare::start();
    cf.account(A, "Alpha");
    cf.account(B, "Beta");
    cf
}

fn token(text: &str) -> Credential {
    Credential::Token(Secret::from(text.to_owned()))
}

fn key(text: &str, email: &str) -> Credential {
    Credential::Key { key: Secret::from(text.to_owned()), email: email.to_owned() }
}

fn id(text: &str) -> AccountId {
    AccountId::parse(text).expect("an account id")
}

/// Quick to give up, so that the tests are.
fn timing() -> Timing {
    Timing {
        connect: Duration::from_millis(500),
        request: Duration::from_millis(500),
        back_off: [Duration::from_millis(5), Duration::from_millis(10)],
        rate_limit: Duration::from_secs(2),
    }
}

/// Runs with a client; returns what came and what was said meanwhile. No text may hold the secret.
fn with_client<T, E: ToString>(
    url: &str,
    credential: &Credential,
    network: &Network,
    call: impl FnOnce(&Client) -> Result<T, E>,
) -> (Result<T, E>, Vec<String>) {
    let said = RefCell::new(Vec::new());
    let notice = |line: &str| said.borrow_mut().push(line.to_owned());
    let endpoint = Endpoint::parse(url).expect("endpoint");
    let client = Client::with_timing(&endpoint, credential, network, &notice, timing());
    let result = call(&client.expect("client"));
    let said = said.take();
    let error = result.as_ref().err().map(ToString::to_string);
    for line in said.iter().chain(&error) {
        assert!(!line.contains(SECRET), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }
    (result, said)
}

fn who_is(cf: &Cloudflare, credential: &Credential, hint: Option<&str>) -> Result<Identity, Error> {
    let hint = hint.map(id);
    let network = Network::default();
    with_client(&cf.base_url(), credential, &network, |client| {
        identify(client, credential, hint.as_ref(), jiff::Timestamp::now())
    })
    .0
}

// Functions, as a method's path is not general enough in the client's lifetime.
fn user(client: &Client) -> Result<User, ApiError> {
    client.user()
}

fn accounts(client: &Client) -> Result<Vec<Account>, ApiError> {
    client.accounts()
}

fn memberships(client: &Client) -> Result<Vec<Account>, ApiError> {
    client.memberships()
}

/// Lists the accounts with a user's token while the double misbehaves.
fn accounts_fail(cf: &Cloudflare) -> ApiError {
    cf.add(double::Credential::user_token(SECRET));
    let network = Network::default();
    with_client(&cf.base_url(), &token(SECRET), &network, accounts).0.expect_err("a failure")
}

fn names(identity: &Identity) -> Vec<&str> {
    let accounts = identity.accounts.iter();
    accounts.map(|account| account.name.as_str()).collect()
}

#[test]
fn a_users_token_is_its_user_and_sees_the_accounts() {
    let cf = double();
    let token_id = cf.add(double::Credential::user_token("tok"));
    let found = who_is(&cf, &token("tok"), None).expect("known");
    assert!(matches!(&found.who, Who::User { email: Some(e), .. } if e == "user@example.com"));
    assert_eq!(found.token.as_ref().map(|t| t.id.as_str()), Some(&*token_id));
    assert_eq!(names(&found), ["Alpha", "Beta"]);
    let agent = cf.requests()[0].header("user-agent").map(str::to_owned);
    assert_eq!(agent.as_deref(), Some(concat!("alchemy/", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_token_that_may_see_little_is_known_all_the_same() {
    let cf = double();
    cf.add(
        double::Credential::user_token("tok").without(Permission::UserRead).without(Permission::AccountsRead),
    );
    let found = who_is(&cf, &token("tok"), None).expect("known");
    assert_eq!(found.who, Who::User { email: None, id: None });
    assert_eq!(names(&found), ["Alpha", "Beta"], "from the memberships");
    cf.add(
        double::Credential::user_token("less")
            .without(Permission::AccountsRead)
            .without(Permission::MembershipsRead),
    );
    let found = who_is(&cf, &token("less"), Some(A)).expect("known");
    assert!(found.accounts.is_empty() && found.token.is_some());
}

#[test]
fn an_account_owned_token_is_found_by_prefix_by_hint_and_by_list() {
    let cf = double();
    for value in ["cfat_owned", "owned"] {
        cf.add(double::Credential::account_token(value, A));
        for hint in [None, Some(A), Some(B)] {
            let found = who_is(&cf, &token(value), hint).expect("known");
            assert_eq!(found.who, Who::Account(id(A)), "{value} {hint:?}");
            assert_eq!(names(&found), ["Alpha"]);
        }
    }
    let unseen = double::Credential::account_token("cfat_blind", A);
    cf.add(unseen.without(Permission::AccountsRead));
    let found = who_is(&cf, &token("cfat_blind"), Some(A)).expect("known");
    assert_eq!((found.accounts.len(), names(&found)), (1, vec![""]));
    let error = who_is(&cf, &token("cfat_blind"), None).expect_err("nowhere to look");
    assert!(error.next_step().is_some_and(|hint| hint.contains("--account")), "{error}");
}

#[test]
fn a_global_key_is_its_user() {
    let cf = double();
    cf.add(double::Credential::global_key("key", "me@example.com"));
    let found = who_is(&cf, &key("key", "me@example.com"), None).expect("known");
    assert!(matches!(&found.who, Who::User { email: Some(e), .. } if e == "me@example.com"));
    assert_eq!((found.token.clone(), names(&found)), (None, vec!["Alpha", "Beta"]));
    let error = who_is(&cf, &key("key", "other@example.com"), None).expect_err("unknown");
    assert!(error.to_string().contains("does not know this key"), "{error}");
}

#[test]
fn a_token_that_no_call_verifies_but_that_works_is_an_oauth_token() {
    let cf = double();
    cf.add(double::Credential::user_token("cfoat_x"));
    cf.fault(Fault::Code(401, 1000, "Invalid API Token")).on("/user/tokens/verify");
    let found = who_is(&cf, &token("cfoat_x"), None).expect("works");
    assert_eq!((found.token.clone(), names(&found)), (None, vec!["Alpha", "Beta"]));
}

#[test]
fn a_credential_that_is_unknown_or_off_is_one_clear_error() {
    let cf = double();
    for value in [SECRET, "cfat_unknown"] {
        let error = who_is(&cf, &token(value), None).expect_err("unknown");
        let text = error.to_string();
        assert!(text.contains("does not know this token (1000 Invalid API Token, cf-ray "), "{text}");
        assert!(error.next_step().is_some_and(|hint| hint.contains("dash.cloudflare.com")));
    }
    for (status, word) in [(Status::Disabled, "disabled"), (Status::Expired, "expired")] {
        cf.add(double::Credential { status, ..double::Credential::user_token(word) });
        let error = who_is(&cf, &token(word), None).expect_err(word);
        assert!(error.to_string().contains(word) && error.next_step().is_some(), "{error}");
    }
    let later = Some("2999-01-01T00:00:00Z".to_owned());
    cf.add(double::Credential { not_before: later, ..double::Credential::user_token("later") });
    let error = who_is(&cf, &token("later"), None).expect_err("not yet");
    assert!(error.to_string().contains("not valid before 2999"), "{error}");
}

#[test]
fn an_endpoint_that_is_not_the_api_is_not_blamed_on_the_token() {
    let cf = double();
    cf.fault(Fault::Code(404, 7003, "Could not route to /x"));
    let error = who_is(&cf, &token("tok"), None).expect_err("no route");
    assert!(error.to_string().contains("answered 404: 7003 Could not route"), "{error}");
    cf.clear_faults();
    cf.fault(Fault::Code(403, 9109, "Cannot use the access token from location: 192.0.2.1"));
    let error = who_is(&cf, &token("tok"), None).expect_err("refused");
    assert!(error.to_string().contains("refuses this token (9109 Cannot use"), "{error}");
    assert!(error.next_step().is_some_and(|hint| hint.contains("ip addresses")));
}

#[test]
fn all_pages_are_read() {
    let cf = Cloudflare::start();
    for n in 0..120 {
        cf.account(&format!("{n:032x}"), &format!("account {n}"));
    }
    cf.add(double::Credential::user_token("tok"));
    let network = Network::default();
    let (found, _) = with_client(&cf.base_url(), &token("tok"), &network, accounts);
    assert_eq!(found.expect("accounts").len(), 120);
    let (found, _) = with_client(&cf.base_url(), &token("tok"), &network, memberships);
    assert_eq!(found.expect("memberships").len(), 120);
    assert_eq!(cf.requests().len(), 6);
}

#[test]
fn a_server_that_recovers_is_asked_again_and_one_that_does_not_is_given_up() {
    for fault in [Fault::Status(503), Fault::Reset] {
        let cf = double();
        cf.fault(fault.clone()).times(2);
        cf.add(double::Credential::user_token("tok"));
        let network = Network::default();
        let (found, _) = with_client(&cf.base_url(), &token("tok"), &network, accounts);
        assert_eq!(found.expect("recovered").len(), 2, "{fault:?}");
    }
    let cf = double();
    cf.fault(Fault::Status(502));
    let error = accounts_fail(&cf);
    assert_eq!((error.cause, cf.requests().len()), (Cause::Server, 3));
    assert!(error.to_string().contains("cf-ray"), "{error}");
}

#[test]
fn a_rate_limit_is_waited_for_when_it_is_short_and_named_when_it_is_long() {
    let cf = double();
    cf.fault(Fault::RateLimited { retry_after: 1 }).times(1);
    cf.add(double::Credential::user_token("tok"));
    let begun = Instant::now();
    let network = Network::default();
    let (found, said) = with_client(&cf.base_url(), &token("tok"), &network, accounts);
    assert_eq!(found.expect("after the wait").len(), 2);
    assert_eq!(said, ["rate limited by cloudflare; waiting 1 s"]);
    assert!(begun.elapsed() >= Duration::from_secs(1));

    cf.fault(Fault::RateLimited { retry_after: 299 });
    let error = accounts_fail(&cf);
    assert_eq!(error.cause, Cause::RateLimited);
    assert!(error.next_step().contains("try again in 299 s"), "{}", error.next_step());
}

#[test]
fn every_failure_has_its_cause_and_a_hint() {
    let redirect = "https://example.com/elsewhere".to_owned();
    for (fault, cause, says) in [
        (Fault::Status(401), Cause::Unauthorized, "401"),
        (Fault::Code(403, 10000, "Authentication error"), Cause::Forbidden, "10000 Authentication"),
        (Fault::StatusHtml(403), Cause::Challenge, "bot challenge"),
        (Fault::StatusHtml(503), Cause::Challenge, "bot challenge"),
        (Fault::Hang, Cause::Unreachable, "no answer within 0.5 s"),
        (Fault::SlowBody, Cause::Unreachable, "no answer within 0.5 s"),
        (Fault::Reset, Cause::Unreachable, "connection"),
        (Fault::Truncated, Cause::BadAnswer, "cut off"),
        (Fault::NotJson, Cause::BadAnswer, "not json"),
        (Fault::WrongShape, Cause::BadAnswer, "not the api's"),
        (Fault::EmptyBody, Cause::BadAnswer, "nothing in it"),
        (Fault::Redirect(redirect), Cause::BadAnswer, "redirect to https://example.com"),
    ] {
        let cf = double();
        cf.fault(fault.clone());
        let error = accounts_fail(&cf);
        assert_eq!(error.cause, cause, "{fault:?}: {error}");
        assert!(error.to_string().contains(says), "{fault:?}: {error}");
        assert!(!error.next_step().is_empty());
        assert!(!format!("{error:?}").contains(SECRET));
    }
}

#[test]
fn nobody_there_is_unreachable_with_the_systems_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let url = format!("http://{}/client/v4", listener.local_addr().expect("address"));
    drop(listener);
    let network = Network::default();
    let (result, _) = with_client(&url, &token(SECRET), &network, user);
    let error = result.expect_err("refused");
    assert_eq!(error.cause, Cause::Unreachable);
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert!(!error.to_string().contains("os error"), "{error}");
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("connection");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b' '; 8192]).is_ok() {}
    });
    let network = Network::default();
    let (result, _) = with_client(&url, &token(SECRET), &network, user);
    let error = result.expect_err("too long");
    assert!(error.to_string().contains("more than 4 MiB"), "{error}");
    serving.join().expect("served");
}

#[test]
fn an_unknown_authority_is_named_with_the_variable_that_mends_it_and_known_ones_are_trusted() {
    let folder = tempfile::tempdir().expect("folder");
    let (good, port) = tls::server(folder.path(), "good.pem");
    let (other, _) = tls::server(folder.path(), "other.pem");
    let url = format!("https://127.0.0.1:{port}");
    let ask = |network: &Network| with_client(&url, &token(SECRET), network, user).0;

    let strict = Network { ca_file: Some(other), ..Network::default() };
    let error = ask(&strict).expect_err("unknown");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
    assert!(error.next_step().contains("SSL_CERT_FILE"), "{}", error.next_step());

    let by_file = Network { ca_file: Some(good.clone()), ..Network::default() };
    let by_dir = Network { ca_dir: Some(folder.path().into()), ..Network::default() };
    let by_extra = Network { extra_ca: Some(good), ..strict };
    for network in [by_file, by_dir, by_extra] {
        let user = ask(&network).expect("trusted");
        assert_eq!(user.email.as_deref(), Some("tls@example.com"));
    }
}

#[test]
fn a_ca_file_that_is_not_there_is_an_error_and_no_panic() {
    let endpoint = Endpoint::cloudflare();
    let network = Network { ca_file: Some("/nonexistent/ca.pem".into()), ..Network::default() };
    let error = Client::new(&endpoint, &token(SECRET), &network, &|_| {}).err().expect("missing");
    assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
    assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    assert!(error.next_step().is_some());
}

#[test]
fn a_token_that_cannot_be_a_header_is_an_error_and_no_panic() {
    let network = Network::default();
    let bad = token(&format!("{SECRET}\n"));
    let error = Client::new(&Endpoint::cloudflare(), &bad, &network, &|_| {}).err().expect("bad");
    assert!(error.to_string().contains("cannot be sent"), "{error}");
    assert!(!error.to_string().contains(SECRET));
}
