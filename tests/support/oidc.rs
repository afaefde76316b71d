//! A real authorization server that we did not write, on loopback, over https with a CA of its own: npm's
//! `oidc-provider` (`oidc-provider.mjs`), which [`super::given`] finds.
//!
//! It is asked here as its other users ask it: [`Server::introspect`] is what a resource server does,
//! [`Server::sign_in`] what a browser and an OAuth client do. Every token of its holds [`super::online::SECRET`].

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Mutex;

use oauth2::PkceCodeChallenge;
use reqwest::{Client, Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::given;

/// Version 1's client of the npm package; it gets the same redirect URI as there.
pub const V1: &str = "6d8c2255-0773-45f6-b376-2914632e6f91";
/// Version 2's, whose redirect URI is a page of the web.
pub const V2: &str = "e7e25ec474419def6ba38d2d2638b122";
/// A client of the user's own, for [`OWN_CALLBACK`] at any port (RFC 8252 §7.3).
pub const OWN: &str = "my-own-client";
/// The redirect URI of [`OWN`], less its port.
pub const OWN_CALLBACK: &str = "http://127.0.0.1/callback";
/// A client that may ask for [`SCOPES`]' first alone.
pub const LIMITED: &str = "limited-client";
/// The scopes that the server knows, in the spelling of both versions.
pub const SCOPES: [&str; 4] =
    ["account:read", "workers_scripts:write", "memberships.read", "workers-scripts.write"];

/// The server; it ends with the value.
pub struct Server {
    child: Child,
    port: u16,
    answers: Mutex<BufReader<ChildStdout>>,
    folder: TempDir,
    http: Http,
}

/// What the person at the consent page does.
#[derive(Clone, Copy)]
pub enum Consent<'a> {
    /// Goes straight through.
    Allow,
    /// Says no.
    Deny,
    /// Allows these scopes alone.
    Only(&'a [&'a str]),
    /// Sees a page with a button for each answer.
    Ask,
}

/// What a client got.
#[derive(Clone, Debug, Deserialize)]
pub struct Tokens {
    #[serde(rename = "access_token")]
    pub access: String,
    #[serde(rename = "refresh_token")]
    pub refresh: String,
    pub scope: String,
}

impl Server {
    /// A server whose access tokens live for an hour, and which allows everything. `None` where it is not
    /// installed.
    pub fn start() -> Option<Self> {
        let (modules, node) = (given("ALCHEMY_TEST_NODE_MODULES")?, given("ALCHEMY_TEST_NODE")?);
        let folder = tempfile::tempdir().expect("a folder");
        let identity = Identity::new();
        fs::write(folder.path().join("ca.pem"), &identity.ca).expect("written");
        fs::write(folder.path().join("server.pem"), &identity.certificate).expect("written");
        let clients = [
            (OWN, OWN_CALLBACK, SCOPES.join(" ")),
            (LIMITED, OWN_CALLBACK, SCOPES[0].to_owned()),
            (V1, "http://localhost:9976/auth/callback", SCOPES.join(" ")),
            (V2, "https://alchemy.run/auth/callback", SCOPES.join(" ")),
        ];
        let clients = clients.map(|(id, redirect, scopes)| {
            json!({ "client_id": id, "redirect_uris": [redirect], "scope": format!("offline_access {scopes}") })
        });
        let setup = json!({ "certificate": identity.certificate, "key": identity.key, "clients": clients,
            "scopes": SCOPES, "life": 3600 });
        let mut child = Command::new(node)
            .arg(Path::new(super::PROJECT).join("tests/support/oidc-provider.mjs"))
            .arg(modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It warns of what only a public server must not do.
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let answers = Mutex::new(BufReader::new(child.stdout.take().expect("a pipe")));
        let http = Http::trusting(&identity.ca);
        let mut server = Self { child, port: 0, answers, folder, http };
        let ready = server.tell(&setup);
        server.port = ready["port"].as_u64().and_then(|port| port.try_into().ok()).expect("a port");
        Some(server)
    }

    /// One of its endpoints, such as `token`.
    pub fn url(&self, endpoint: &str) -> String {
        format!("https://127.0.0.1:{}/oauth2/{endpoint}", self.port)
    }

    /// The certificate of its CA.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Its own certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.pem")
    }

    /// From now on the person does this.
    pub fn consent(&self, consent: Consent) {
        let consent = match consent {
            Consent::Allow => json!("allow"),
            Consent::Deny => json!("deny"),
            Consent::Ask => json!("ask"),
            Consent::Only(scopes) => json!({ "only": scopes }),
        };
        self.tell(&json!({ "consent": consent }));
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The page at [`V2`]'s redirect URI, which a browser finds here, looks for somebody who listens there.
    pub fn hosted_page_goes_on_to(&self, callback: &str) {
        self.tell(&json!({ "callback": callback }));
    }

    /// What its token and revocation endpoints were asked, oldest first, each with the status of its answer:
    /// `refresh_token 200`.
    pub fn requests(&self) -> Vec<String> {
        serde_json::from_value(self.tell(&json!({ "requests": true }))).expect("a list")
    }

    /// Whether a token works (RFC 7662).
    #[track_caller]
    pub fn is_active(&self, token: &str) -> bool {
        is_active(&self.http, &self.url("introspect"), token)
    }

    /// The same for somebody who outlives it, such as a double of the API that takes its tokens.
    pub fn introspection(&self) -> impl Fn(&str) -> bool + Send + use<> {
        let ca = fs::read_to_string(self.ca()).expect("read");
        let (http, url) = (Http::trusting(&ca), self.url("introspect"));
        move |token| is_active(&http, &url, token)
    }

    /// Signs in as a client does, the person allowing what the server's [`Consent`] says.
    #[track_caller]
    pub fn sign_in(&self, client: &str, redirect: &str, scopes: &[&str]) -> Tokens {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let query = [
            ("client_id", client),
            ("redirect_uri", redirect),
            ("response_type", "code"),
            ("scope", &scopes.join(" ")),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        let url = Url::parse_with_params(&self.url("auth"), query).expect("a URL");
        let callback = self.browse(url.as_str());
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("redirect_uri", redirect),
            ("code", &callback.parameter("code").expect("a code")),
            ("code_verifier", verifier.secret()),
        ];
        serde_json::from_value(self.http.post(&self.url("token"), &form).json()).expect("tokens")
    }

    /// Follows a URL as a browser does whose person decides at once, to the page of somebody else that it
    /// ends at, which is not opened.
    #[track_caller]
    pub fn browse(&self, url: &str) -> Callback {
        let mut cookies = BTreeMap::new();
        let mut url = Url::parse(url).expect("a URL");
        for _ in 0..10 {
            if url.port() != Some(self.port) {
                return Callback(url);
            }
            let answer = self.http.get(&url, &cookies);
            let location = answer.location.as_deref();
            let location = location.unwrap_or_else(|| panic!("{url} leads nowhere: {}", answer.body));
            url = url.join(location).expect("a URL");
            cookies.extend(answer.cookies);
        }
        panic!("{url} is not the end");
    }

    /// Ends it.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Opens the page that a browser was sent to, on this machine: its source.
    pub fn open(&self, callback: &Callback) -> String {
        self.http.get(&callback.0, &BTreeMap::new()).body
    }

    fn tell(&self, what: &Value) -> Value {
        let mut answers = self.answers.lock().expect("no other has failed");
        let mut stdin = self.child.stdin.as_ref().expect("a pipe");
        stdin.write_all(format!("{what}\n").as_bytes()).expect("told");
        let mut line = String::new();
        answers.read_line(&mut line).expect("answered");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("it has ended ({error}) at {what}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn is_active(http: &Http, url: &str, token: &str) -> bool {
    super::is_secret(token);
    let answer = http.post(url, &[("client_id", OWN), ("token", token)]).json();
    answer["active"].as_bool().expect("an answer about the token")
}

/// Where the browser was sent back to.
pub struct Callback(Url);

impl Callback {
    /// The URL.
    pub fn url(&self) -> &str {
        self.0.as_str()
    }

    /// A parameter of its query.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.0.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// A CA, and a certificate of it for loopback with its key; all in PEM.
struct Identity {
    ca: String,
    certificate: String,
    key: String,
}

impl Identity {
    fn new() -> Self {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "a private CA");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_key = rcgen::KeyPair::generate().expect("a key");
        let ca = parameters.self_signed(&ca_key).expect("a certificate");
        let issuer = rcgen::Issuer::new(parameters, ca_key);
        let key = rcgen::KeyPair::generate().expect("a key");
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let server = rcgen::CertificateParams::new(names).expect("names");
        let server = server.signed_by(&key, &issuer).expect("a certificate");
        Self { ca: ca.pem(), certificate: server.pem(), key: key.serialize_pem() }
    }
}

/// An HTTP client that follows no redirect.
struct Http {
    client: Client,
    runtime: tokio::runtime::Runtime,
}

struct Answer {
    status: u16,
    location: Option<String>,
    cookies: Vec<(String, String)>,
    body: String,
}

impl Http {
    fn trusting(ca: &str) -> Self {
        // Losing a race to another test's thread means that there is one now.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = reqwest::Certificate::from_pem(ca.as_bytes()).expect("a certificate");
        let client = Client::builder()
            .tls_certs_only([ca])
            .no_proxy()
            // The server closes a connection that has been idle for a while, perhaps just when it is used.
            .pool_max_idle_per_host(0)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(super::pty::LIMIT);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { client: client.build().expect("a client"), runtime }
    }

    fn get(&self, url: &Url, cookies: &BTreeMap<String, String>) -> Answer {
        let cookies: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.send(self.client.request(Method::GET, url.clone()).header("cookie", cookies.join("; ")))
    }

    fn post(&self, url: &str, form: &[(&str, &str)]) -> Answer {
        self.send(self.client.request(Method::POST, url).form(form))
    }

    fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        self.runtime.block_on(async {
            let response = request.send().await.expect("an answer");
            let headers = response.headers().clone();
            let texts = |name| headers.get_all(name).into_iter().map(|value| value.to_str().expect("text"));
            let cookies = texts("set-cookie").filter_map(|cookie| {
                let (name, value) = cookie.split(';').next()?.split_once('=')?;
                Some((name.to_owned(), value.to_owned()))
            });
            Answer {
                status: response.status().as_u16(),
                location: texts("location").next().map(str::to_owned),
                cookies: cookies.collect(),
                body: response.text().await.expect("a body"),
            }
        })
    }
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        serde_json::from_str(&self.body).expect("JSON")
    }
}
