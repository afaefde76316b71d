//! `alchemy whoami`: what Cloudflare says of each kind of credential, and what each failure says.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;

use serde_json::{Value, json};
use support::cloudflare::{Credential, Fault, Permission};
use support::online::{EMAIL, KEY, Online, TOKEN, in_an_hour};
use support::{ACME, ALCHEMY, BETA, environment, has, run};

const WHOAMI: [&str; 2] = ["whoami", "prod"];

fn json_of(online: &Online, arguments: &[&str]) -> Value {
    let output = online.run(arguments, "").expect_code(0);
    serde_json::from_str(&output.stdout).expect("JSON")
}

fn text_of(online: &Online) -> String {
    online.run(&WHOAMI, "").expect_code(0).stdout
}

fn both() -> Value {
    json!([{ "id": ACME, "name": "Acme" }, { "id": BETA, "name": "Beta" }])
}

fn pinned() -> Value {
    json!({ "id": ACME, "name": "Acme", "visible": true })
}

/// The id of the double's user, which it makes from the e-mail.
fn user_id(json: &Value) -> Value {
    let id = json["user"]["id"].clone();
    assert_eq!(id.as_str().map(str::len), Some(32), "{json}");
    id
}

#[test]
fn a_users_token_has_a_user_an_id_a_state_an_expiry_and_accounts() {
    let online = Online::new();
    let expires_on = Some("2999-01-01T00:00:00Z".to_owned());
    let id = online.cf.add(Credential { expires_on, ..Credential::user_token(TOKEN) });
    online.done(&["configure", "-p", "prod", "--token-stdin", "--account", ACME], TOKEN);
    let text = text_of(&online);
    let life = text.split_once("(in ").and_then(|(_, rest)| rest.split_once(")\n")).expect("a life").0;
    // Within the first hour of a day there are no hours to tell.
    let days = life.split(' ').next().and_then(|days| days.strip_suffix('d'));
    assert!(days.is_some_and(|days| days.parse::<u32>().is_ok()), "days, and hours: {life}");
    assert_eq!(
        text,
        format!(
            "profile  prod (from the command line)\n\
             method   api-token\n\
             who      user@example.com\n\
             token    {id} (active)\n\
             expires  2999-01-01T00:00:00Z (in {life})\n\
             \n\
             ACCOUNT                           NAME\n\
             {ACME}  Acme  pinned\n\
             {BETA}  Beta\n"
        )
    );
    let told = json_of(&online, &["whoami", "prod", "--json"]);
    assert!(told["expiresIn"].as_i64().is_some_and(|seconds| seconds > 0), "{told}");
    assert_eq!(
        told,
        json!({
            "profile": "prod",
            "method": "api-token",
            "user": { "id": user_id(&told), "email": "user@example.com" },
            "ownedBy": null,
            "token": { "id": id, "status": "active" },
            "expires": "2999-01-01T00:00:00Z",
            "expiresIn": told["expiresIn"],
            "scopes": null,
            "missingScopes": null,
            "account": pinned(),
            "accounts": both(),
        })
    );
}

#[test]
fn a_token_that_may_not_read_its_user_is_somebodys_all_the_same() {
    let online = Online::new();
    let id = online.cf.add(Credential::user_token(TOKEN).without(Permission::UserRead));
    online.done(&["configure", "-p", "prod", "--token-stdin", "--account", ACME], TOKEN);
    let text = text_of(&online);
    assert!(text.contains("who      a user (the credential may not read which)\n"), "{text}");
    assert!(text.contains("expires  never\n"), "{text}");
    let told = json_of(&online, &["whoami", "-p", "prod", "--json"]);
    assert_eq!(told["user"], json!({ "id": null, "email": null }));
    assert_eq!((&told["token"]["id"], &told["expires"]), (&json!(id), &Value::Null));
}

#[test]
fn an_account_owned_token_has_its_account_and_no_user() {
    let online = Online::new();
    let id = online.cf.add(Credential::account_token(TOKEN, ACME));
    online.done(&["configure", "-p", "prod", "--token-stdin"], TOKEN);
    let text = text_of(&online);
    assert!(text.contains(&format!("who      account {ACME} (a token of its own)\n")), "{text}");
    assert!(text.contains(&format!("token    {id} (active)\n")), "{text}");
    assert!(text.contains(&format!("\n{ACME}  Acme  pinned\n")), "{text}");
    let told = json_of(&online, &["whoami", "prod", "--json"]);
    assert_eq!(
        told,
        json!({
            "profile": "prod",
            "method": "api-token",
            "user": { "id": null, "email": null },
            "ownedBy": ACME,
            "token": { "id": id, "status": "active" },
            "expires": null,
            "expiresIn": null,
            "scopes": null,
            "missingScopes": null,
            "account": pinned(),
            "accounts": [{ "id": ACME, "name": "Acme" }],
        })
    );
}

#[test]
fn a_global_api_key_has_a_user_and_no_token() {
    let online = Online::new();
    online.key_profile("prod");
    let text = text_of(&online);
    assert!(text.contains("method   api-key\n") && text.contains("who      me@example.com\n"), "{text}");
    assert!(!text.contains("token "), "{text}");
    let told = json_of(&online, &["whoami", "prod", "--json"]);
    assert_eq!(
        told,
        json!({
            "profile": "prod",
            "method": "api-key",
            "user": { "id": user_id(&told), "email": EMAIL },
            "ownedBy": null,
            "token": null,
            "expires": null,
            "expiresIn": null,
            "scopes": null,
            "missingScopes": null,
            "account": pinned(),
            "accounts": both(),
        })
    );
}

#[test]
fn an_access_token_of_npms_sign_in_has_a_user_and_its_own_expiry() {
    let online = Online::new();
    online.cf.add(Credential::user_token(TOKEN));
    online.cf.fault(Fault::Code(401, 1000, "Invalid API Token")).on("/user/tokens/verify");
    let (milliseconds, expires) = in_an_hour();
    online.oauth_profile("prod", milliseconds);
    let text = text_of(&online);
    assert!(text.contains("method   oauth\n") && text.contains("who      user@example.com\n"), "{text}");
    let told = json_of(&online, &["whoami", "prod", "--json"]);
    assert_eq!((&told["method"], &told["token"]), (&json!("oauth"), &Value::Null));
    assert_eq!((&told["expires"], &told["accounts"]), (&json!(expires), &both()));
}

#[test]
fn a_pinned_account_that_the_credential_does_not_see_is_named() {
    let online = Online::new();
    online.cf.add(Credential::user_token(TOKEN).sees(&[BETA]));
    let unverified = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME];
    online.done(&[&unverified[..], &["--account-name", "Ours"]].concat(), TOKEN);
    let text = text_of(&online);
    let line = format!("account  Ours ({ACME}): pinned, but not among those that the credential sees\n");
    assert!(text.contains(&line), "{text}");
    assert!(text.ends_with(&format!("\n{BETA}  Beta\n")), "{text}");
    let told = json_of(&online, &["whoami", "prod", "--json"]);
    assert_eq!(told["account"], json!({ "id": ACME, "name": "Ours", "visible": false }));
}

#[test]
fn a_name_from_cloudflare_cannot_move_the_cursor() {
    let online = Online::without_accounts();
    online.cf.account(ACME, "A\u{1b}[31m\ncme\u{202e}");
    online.cf.add(Credential::user_token(TOKEN));
    let said = online.done(&["configure", "-p", "prod", "--token-stdin"], TOKEN);
    let (text, listed) = (text_of(&online), online.run(&["list"], "").stdout);
    for shown in [said, text, listed] {
        assert!(shown.contains("A\\u{1b}[31m\\ncme\\u{202e}"), "{shown}");
        assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown}");
    }
}

#[test]
fn the_environments_own_credential_answers_where_there_is_no_profile() {
    let mut online = Online::new();
    let id = online.cf.add(Credential::user_token(TOKEN));
    online.cf.add(Credential::global_key(KEY, EMAIL));
    online.set("CLOUDFLARE_API_KEY", KEY);
    online.set("CLOUDFLARE_EMAIL", EMAIL);
    let output = online.run(&["whoami"], "").expect_code(0);
    assert!(output.stdout.contains("profile  none (the environment's credential)\n"), "{}", output.stdout);
    assert!(output.stdout.contains("method   api-key\n"), "{}", output.stdout);
    let said = "there is no profile 'default' (by default); using CLOUDFLARE_API_KEY from the environment";
    assert_eq!(output.stderr, format!("alchemy: {said}\n"));
    let told = json_of(&online, &["whoami", "--json"]);
    assert_eq!((&told["profile"], &told["account"]), (&Value::Null, &Value::Null));
    assert_eq!((&told["user"]["email"], &told["accounts"]), (&json!(EMAIL), &both()));

    online.set("CLOUDFLARE_API_TOKEN", TOKEN);
    online.set("CLOUDFLARE_ACCOUNT_ID", ACME);
    let told = json_of(&online, &["whoami", "--json"]);
    assert_eq!((&told["method"], &told["token"]["id"]), (&json!("api-token"), &json!(id)));
    assert_eq!(told["account"], pinned());
    online.set("CLOUDFLARE_ACCOUNT_ID", "acme");
    online.refuses(&["whoami"], "", 2, "'acme' is not an account's id");
    online.set("CLOUDFLARE_ACCOUNT_ID", ACME);
    online.set("CLOUDFLARE_API_TOKEN", "wrong-hunter2");
    online.run(&["-v", "whoami"], "").expect_error(1, "does not know this token");
}

#[test]
fn every_documented_code_has_its_cause_the_ray_and_a_next_step() {
    let online = Online::new();
    online.token_profile("prod");
    online.key_profile("legacy");
    let invalid = "Invalid API Token";
    let headers = "Invalid request headers";
    let table = [
        (
            "prod",
            (401, 1000, invalid),
            "does not know this token (1000 Invalid API Token, cf-ray ",
            "copy it",
        ),
        ("prod", (403, 9109, "no"), "refuses this token (9109 no, cf-ray ", "expired, revoked"),
        ("prod", (403, 10000, "no"), "refuses this token (10000 no, cf-ray ", "lacks a permission"),
        ("prod", (400, 6003, headers), "answered 400: 6003 Invalid request headers (cf-ray ", "malformed"),
        ("prod", (404, 7003, "no"), "answered 404: 7003 no (cf-ray ", "api base url"),
        ("legacy", (403, 9109, "no"), "does not know this key with this e-mail (9109 no, cf-ray ", "e-mail"),
        ("legacy", (400, 6003, headers), "answered 400: 6003 Invalid request headers (cf-ray ", "the key is"),
    ];
    for (profile, (status, code, message), words, hint) in table {
        online.cf.clear_faults();
        online.cf.fault(Fault::Code(status, code, message));
        online.refuses(&["whoami", profile], "", 1, words).expect_hint(hint);
        online.refuses(&["whoami", profile, "--json"], "", 1, words);
    }
}

#[test]
fn a_server_that_echoes_the_secret_does_not_get_it_shown() {
    let online = Online::new();
    online.token_profile("prod");
    online.cf.fault(Fault::Code(401, 1000, "tok-hunter2 is invalid"));
    online.refuses(&WHOAMI, "", 1, "(1000 [secret] is invalid, cf-ray ");
    online.cf.clear_faults();
    online.cf.fault(Fault::Redirect("https://example.com/?tok-hunter2".to_owned()));
    online.refuses(&WHOAMI, "", 1, "a redirect to https://example.com/?[secret]");
}

#[test]
fn a_short_rate_limit_is_waited_for_and_a_long_one_says_when() {
    let online = Online::new();
    online.token_profile("prod");
    let before = online.cf.requests().len();
    online.cf.fault(Fault::RateLimited { retry_after: 1 }).times(1);
    let output = online.run(&WHOAMI, "").expect_code(0);
    assert_eq!(output.stderr.matches("rate limited by cloudflare; waiting 1 s").count(), 1);
    assert_eq!(online.asked()[before..][..2], ["/user/tokens/verify", "/user/tokens/verify"]);
    online.cf.fault(Fault::RateLimited { retry_after: 299 });
    let before = online.cf.requests().len();
    let output =
        online.run(&WHOAMI, "").expect_error(1, "answered 429: 971 Please wait and slow down (cf-ray ");
    output.expect_hint("try again in 299 s");
    assert_eq!(online.cf.requests().len(), before + 1, "nobody who was told to wait asks again at once");
}

#[test]
fn a_server_that_fails_is_asked_again_twice() {
    let online = Online::new();
    online.token_profile("prod");
    let before = online.cf.requests().len();
    online.cf.fault(Fault::Status(503)).times(2);
    online.run(&WHOAMI, "").expect_code(0);
    online.cf.clear_faults();
    online.cf.fault(Fault::Status(502));
    let recovered = online.cf.requests().len();
    assert!(recovered > before + 2);
    let output = online
        .run(&["-v", "whoami", "prod"], "")
        .expect_error(1, "answered 502: 502 injected fault (cf-ray ");
    output.expect_hint("www.cloudflarestatus.com");
    assert_eq!(online.cf.requests().len(), recovered + 3);
}

#[test]
fn whatever_the_api_does_not_say_is_named_as_that() {
    let online = Online::new();
    online.token_profile("prod");
    for (fault, words, hint) in [
        (Fault::StatusHtml(403), "answered 403 with a bot challenge (cf-ray ", "vpn"),
        (Fault::StatusHtml(200), "answered 200 with a bot challenge (cf-ray ", "vpn"),
        (Fault::Reset, "cannot reach http://127.0.0.1", "that a server listens there"),
        (Fault::Truncated, "with an answer that is cut off", "api base url"),
        (Fault::NotJson, "with something that is not json", "api base url"),
        (Fault::WrongShape, "with json that is not the api's", "api base url"),
        (Fault::EmptyBody, "with nothing in it", "api base url"),
        (
            Fault::Redirect("https://example.com/".to_owned()),
            "a redirect to https://example.com/",
            "api base",
        ),
    ] {
        online.cf.clear_faults();
        online.cf.fault(fault);
        online.refuses(&WHOAMI, "", 1, words).expect_hint(hint);
    }
}

#[test]
fn an_api_that_nobody_listens_at_is_named_and_so_is_a_file_of_certificates_that_is_missing() {
    let mut online = Online::new();
    online.token_profile("prod");
    let nobody = nobody();
    online.set("CLOUDFLARE_API_BASE_URL", format!("http://{nobody}/client/v4"));
    let output = online.run(&["-v", "whoami", "prod"], "").expect_error(1, "connection refused");
    output.expect_hint("that a server listens there");
    online.set("CLOUDFLARE_API_BASE_URL", "https://localhost:1/client/v4");
    let missing = online.home.path().join("missing.pem").display().to_string();
    let folder = online.home.path().display().to_string();
    let configure = ["configure", "-p", "new", "--token-stdin"];
    for variable in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        for (path, why) in [(&missing, "cannot be read: no such file"), (&folder, "is no regular file")] {
            online.set(variable, path.as_str());
            for (arguments, input) in [(&WHOAMI[..], ""), (&configure, TOKEN)] {
                let words = format!("{variable} names {path:?}, which {why}");
                let output = online.run(&[&["-v"], arguments].concat(), input).expect_error(1, &words);
                output.expect_hint(variable);
            }
        }
        online.unset(variable);
    }
    online.set("SSL_CERT_DIR", folder.as_str());
    online.run(&WHOAMI, "").expect_error(1, "which holds no ca certificate").expect_hint("SSL_CERT_DIR");
}

#[test]
fn a_loopback_api_is_asked_without_a_proxy() {
    let mut online = Online::new();
    online.token_profile("prod");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        online.set(name, format!("http://{}", nobody()));
    }
    online.run(&WHOAMI, "").expect_code(0);
}

#[test]
fn an_existing_credential_is_not_sent_where_the_environment_says() {
    let mut online = Online::new();
    online.token_profile("prod");
    let asked = online.cf.requests().len();
    // For an endpoint with TLS there must be some authority to trust.
    let authority = online.home.path().join("ca.pem");
    std::fs::write(&authority, certificate_authority()).expect("written");
    online.set("SSL_CERT_FILE", authority.display().to_string());

    let evil = "https://evil.example/client/v4";
    online.set("CLOUDFLARE_API_BASE_URL", evil);
    online.set("CLOUDFLARE_BASE_URL", evil);
    let said = "is ignored: this credential is for https://api.cloudflare.com/client/v4";
    assert_eq!(hosts_asked(&mut online, &["whoami", "prod"], said), ["api.cloudflare.com:443"]);

    // One that was made for another API goes there, and not even loopback leads it elsewhere.
    online.set("CLOUDFLARE_API_BASE_URL", "https://api.example.com/client/v4");
    let own = ["configure", "-p", "own", "--token-stdin", "--no-verify", "--account", ACME];
    online.done(&own, TOKEN);
    for elsewhere in [evil.to_owned(), online.cf.base_url()] {
        online.set("CLOUDFLARE_API_BASE_URL", elsewhere.as_str());
        online.set("CLOUDFLARE_BASE_URL", elsewhere.as_str());
        let said = "is ignored: this credential is for https://api.example.com/client/v4";
        assert_eq!(hosts_asked(&mut online, &["whoami", "own"], said), ["api.example.com:443"]);
        let output = run(&mut online.command(&["exec", "own", "--", "env", "-0"])).expect_code(0);
        let after = environment(&output.stdout);
        for name in ["CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_BASE_URL"] {
            assert_eq!(after[name], "https://api.example.com/client/v4", "{elsewhere}");
            assert!(output.stderr.contains(&format!("{name}={elsewhere} {said}")), "{}", output.stderr);
        }
    }
    assert_eq!(online.cf.requests().len(), asked);
}

/// A proxy that lets nothing out: what it was asked, in the words of each request.
struct RefusingProxy {
    address: SocketAddr,
    asked: mpsc::Receiver<Vec<String>>,
}

impl RefusingProxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, asked) = mpsc::channel();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let lines = BufReader::new(stream.try_clone().expect("a copy")).lines().map_while(Result::ok);
                let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                // Noted before it is answered: who has the answer may look at once.
                if sender.send(lines).is_err() {
                    break;
                }
                let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n");
            }
        });
        Self { address, asked }
    }

    /// The logins of all requests since the last call; each was to tunnel to this host.
    fn logins(&self, host: &str) -> Vec<Option<String>> {
        let login = |lines: Vec<String>| {
            assert!(lines[0].starts_with(&format!("CONNECT {host}:443 ")), "{lines:?}");
            let header = |line: &str| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("proxy-authorization").then(|| value.to_owned())
            };
            lines.iter().find_map(|line| header(line))
        };
        self.asked.try_iter().map(login).collect()
    }
}

#[test]
fn a_proxy_is_understood_as_curl_does_or_is_an_error_and_nothing_goes_past_it() {
    if !has("curl") || !has("strace") {
        return;
    }
    let mut online = Online::new();
    online.set("CLOUDFLARE_API_BASE_URL", "https://api.example.com/client/v4");
    online.done(&["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME], TOKEN);
    online.unset("CLOUDFLARE_API_BASE_URL");
    let authority = online.home.path().join("ca.pem");
    std::fs::write(&authority, certificate_authority()).expect("written");
    online.set("SSL_CERT_FILE", authority.display().to_string());
    let proxy = RefusingProxy::start();
    let at = proxy.address;
    let log = online.home.path().join("connections");

    // What asks whom, and what was connected to besides the proxy.
    let ask = |variables: &[(&str, &str)]| {
        let mut command = online.home.command("strace");
        command.args(["-f", "-qq", "-e", "trace=connect", "-e", "signal=none", "-o"]).arg(&log);
        command.arg(ALCHEMY).args(WHOAMI).env("SSL_CERT_FILE", &authority).envs(variables.iter().copied());
        let output = run(&mut command);
        let connected = std::fs::read_to_string(&log).expect("a log");
        let past: Vec<String> = connected
            .lines()
            .filter(|line| {
                line.contains("AF_INET") && !line.contains(&format!("sin_port=htons({})", at.port()))
            })
            .map(str::to_owned)
            .collect();
        assert_eq!(past, Vec::<String>::new(), "{variables:?}");
        let mut logins = proxy.logins("api.example.com");
        logins.dedup();
        (output, logins)
    };
    let ask_by_curl = |variables: &[(&str, &str)]| {
        let mut command = online.home.command("curl");
        command.args(["-sS", "https://api.example.com/"]).envs(variables.iter().copied());
        command.output().expect("started"); // curl itself shows a password
        proxy.logins("api.example.com")
    };

    let accepted = |name: &str, value: String| {
        let variables = [(name, value.as_str())];
        let (output, ours) = ask(&variables);
        assert_eq!(ours, ask_by_curl(&variables), "{value}: {}", output.stderr);
        assert_eq!(ours.len(), 1, "{value}: {}", output.stderr);
        assert!(!output.expect_error(1, "cannot reach").stderr.contains("ter2"));
    };
    for login in [
        r"corp\user:hunter2@",
        "me:p%40hunter2@",
        "me:%zz{\"}hunter2@",
        "me:%ffhunter2@",
        "me@",
        "me:a:hunter2@",
        ":hunter2@",
    ] {
        accepted("HTTPS_PROXY", format!("http://{login}{at}"));
    }
    for (name, scheme) in [("https_proxy", ""), ("ALL_PROXY", "HTTP://"), ("all_proxy", "http://")] {
        accepted(name, format!("{scheme}{at}/path"));
    }
    let refused = |name: &str, value: &str| {
        let variables = [(name, value)];
        let (output, ours) = ask(&variables);
        assert_eq!((ours, ask_by_curl(&variables)), (vec![], vec![]), "{value}");
        let output = output.expect_error(1, "can't be understood");
        assert!(output.stderr.contains(name) && !output.stderr.contains("ter2"), "{}", output.stderr);
    };
    for value in [
        format!("http://me:hunter2@x@{at}"),
        format!("http://me:hun/ter2@{at}"),
        format!("http://me:hun#ter2@{at}"),
        format!(" http://me:hunter2@{at}"),
        format!("ftp://me:hunter2@{at}"),
        "me:hunter2".to_owned(),
        "http://".to_owned(),
    ] {
        refused("HTTPS_PROXY", &value);
    }
    for name in ["https_proxy", "ALL_PROXY", "all_proxy"] {
        refused(name, "me:hunter2");
    }
    // The one that curl takes; a variable of CGI takes nothing back.
    let (by_proxy, refused) = (format!("me:hunter2@{at}"), "me:hunter2".to_owned());
    for variables in [
        [("https_proxy", &by_proxy), ("HTTPS_PROXY", &refused)],
        [("HTTPS_PROXY", &by_proxy), ("ALL_PROXY", &refused)],
        [("HTTPS_PROXY", &by_proxy), ("HTTP_PROXY", &refused)],
        [("HTTPS_PROXY", &by_proxy), ("REQUEST_METHOD", &refused)],
        [("HTTPS_PROXY", &by_proxy), ("NO_PROXY", &refused)],
    ] {
        let variables = variables.map(|(name, value)| (name, value.as_str()));
        let (output, ours) = ask(&variables);
        assert_eq!(ours, ask_by_curl(&variables), "{variables:?}: {}", output.stderr);
        assert_eq!(ours.len(), 1, "{variables:?}: {}", output.stderr);
    }
}

/// An address of this machine at which nobody listens.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// Runs a command that cannot succeed, as all its requests go through a proxy that lets none out; the
/// hosts that it wanted to reach, each once.
fn hosts_asked(online: &mut Online, arguments: &[&str], said: &str) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"] {
        online.set(name, format!("http://{address}"));
    }
    let (sender, asked) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            match refuse(stream) {
                Ok(Some(line)) => sender.send(line).expect("received"),
                Ok(None) => break,
                Err(_) => {}
            }
        }
    });
    let output = online.run(&[&["-v"], arguments].concat(), "");
    // A connection without a word is ours, and ends it.
    drop(TcpStream::connect(address).expect("connected"));
    serving.join().expect("served");
    let output = output.expect_error(1, "cannot reach");
    assert!(output.stderr.contains(said), "{}", output.stderr);
    let mut hosts: Vec<String> = asked.iter().collect();
    hosts.dedup();
    hosts
}

/// Reads one request to a proxy and refuses it: the host of a CONNECT, or the whole line of another.
fn refuse(mut stream: TcpStream) -> std::io::Result<Option<String>> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let Some(line) = lines.next().transpose()? else { return Ok(None) };
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")?;
    let host = line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    Ok(Some(host.unwrap_or(&line).to_owned()))
}

/// An authority that nobody has a certificate of, as PEM.
fn certificate_authority() -> String {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    parameters.self_signed(&key).expect("a certificate").pem()
}
