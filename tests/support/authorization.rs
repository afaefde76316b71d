//! A loopback double of an OAuth authorization server, with public clients and PKCE.
//!
//! Rules it keeps:
//! - A refresh token can be spent once: it is rotated, and whoever sends a spent one ends the grant
//!   (RFC 9700 §4.14.2), as a code that comes twice does (RFC 6749 §4.1.2).
//! - Each client has only its own grants; any client id is known. Access tokens are never looked at.
//! - Every request to an endpoint is in [`Authorization::requests`] before its answer is sent.
//! - Tokens hold the marker of the tests' secrets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use reqwest::Url;
use serde_json::{Value, json};

use super::http::{Faults, Limit, Request, Response, Server, Service, Spoilt};
pub use super::http::{Gate, Moment};

const AUTH: &str = "/oauth2/auth";
const TOKEN: &str = "/oauth2/token";
const REVOKE: &str = "/oauth2/revoke";

/// The tokens of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

/// A way to fail. With those that say it, the request has its effect all the same: a refresh token is
/// spent, and nobody learns its successor.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection closes before anything of the request is read.
    Unread,
    /// The connection closes instead of the answer; the request has its effect.
    Lost,
    /// The answer ends in the middle; the request has its effect.
    Truncated,
    /// The answer comes a byte at a time with this pause before each; the request has its effect.
    Slow(Duration),
    /// No answer until the double is dropped.
    Hang,
    /// 429 or 503, with `retry-after` in seconds.
    Busy(u16, Option<u64>),
    /// This status with a page for browsers.
    Page(u16),
    /// 403 with a challenge page of Cloudflare's.
    Challenge,
    /// This status with a body that is declared to be JSON.
    Body(u16, &'static str),
    /// This status with a body that is declared to be a web page, and is none.
    CalledPage(u16, &'static str),
    /// 302 to this URL.
    Redirect(String),
    /// The person, or the server, refuses at the authorization endpoint with this code.
    Denied(&'static str),
}

/// What a token is to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It works.
    Live,
    /// It was exchanged for a new pair.
    Spent,
    /// Its grant is over.
    Dead,
    /// The server never issued it.
    Unknown,
}

/// A request to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The last part of its path: `auth`, `token` or `revoke`.
    pub endpoint: String,
    /// The fields of its form, or of its query.
    pub form: BTreeMap<String, String>,
    /// Its header `user-agent`: who asked.
    pub agent: String,
}

/// What the server knew at a moment.
pub struct Memory(Books);

type Hook = dyn Fn(Moment) + Send + Sync;
type Change = dyn Fn(&mut Value) + Send + Sync;

/// The double; it serves until it is dropped.
pub struct Authorization {
    server: Server<Shared>,
}

impl Authorization {
    /// Listens on a free port of 127.0.0.1. Access tokens live for an hour.
    pub fn start() -> Self {
        Self { server: Server::start(Shared::default()) }
    }

    pub fn auth_url(&self) -> String {
        self.server.url() + AUTH
    }

    pub fn token_url(&self) -> String {
        self.server.url() + TOKEN
    }

    pub fn revoke_url(&self) -> String {
        self.server.url() + REVOKE
    }

    /// A grant that somebody has given to a client.
    pub fn issue(&self, client_id: &str, scopes: &[&str]) -> Pair {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        self.state().issue(Grant { client_id: client_id.into(), scopes, ..Grant::default() })
    }

    /// A code that somebody has got for a client in a browser, with a PKCE challenge of S256.
    pub fn code(&self, client_id: &str, redirect_uri: &str, challenge: &str, scopes: &[&str]) -> String {
        self.state().code(Code {
            client_id: client_id.into(),
            redirect_uri: redirect_uri.into(),
            challenge: challenge.into(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            grant: None,
        })
    }

    /// How long new access tokens live, in seconds.
    pub fn set_life(&self, seconds: u64) {
        self.state().life = Some(seconds);
    }

    /// Whether a refresh token is replaced when it is used, as it is unless this says otherwise.
    pub fn set_rotation(&self, rotation: bool) {
        self.state().no_rotation = !rotation;
    }

    /// Whether a spent refresh token that is sent again ends its grant, as it does unless this says
    /// otherwise. It is refused either way.
    pub fn set_reuse_detection(&self, detection: bool) {
        self.state().no_reuse_detection = !detection;
    }

    /// Changes each answer with tokens before it is sent, such as `|answer| answer["scope"] = "a".into()`.
    pub fn set_change(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        *lock(&self.server.service.change) = Some(Box::new(change));
    }

    /// Steps in at the moments of every request for tokens.
    pub fn set_hook(&self, hook: impl Fn(Moment) + Send + Sync + 'static) {
        *lock(&self.server.service.hook) = Some(Arc::new(hook));
    }

    /// Steps in no more.
    pub fn remove_hook(&self) {
        *lock(&self.server.service.hook) = None;
    }

    /// Holds requests for tokens back at a moment, until the test lets them pass.
    pub fn gate(&self, at: Moment) -> Gate {
        let (gate, hook) = Gate::new(at);
        self.set_hook(hook);
        gate
    }

    /// Plans a fault for requests to the token endpoint from now on ([`Fault::Denied`]: to the
    /// authorization endpoint). Of several, the first planned with times left is met.
    pub fn fault(&self, fault: Fault) -> Limit<'_, Fault> {
        let path = if matches!(fault, Fault::Denied(_)) { AUTH } else { TOKEN };
        self.server.service.faults.plan(fault).on(path)
    }

    /// The same for requests to the revocation endpoint.
    pub fn revocation_fault(&self, fault: Fault) -> Limit<'_, Fault> {
        self.server.service.faults.plan(fault).on(REVOKE)
    }

    /// Waits until everything that was sent so far has had its effect, also what killed clients sent.
    pub fn settle(&self) {
        self.server.settle();
    }

    /// Forgets all faults; those under way go on.
    pub fn clear_faults(&self) {
        self.server.service.faults.clear();
    }

    /// What was received so far, oldest first.
    pub fn requests(&self) -> Vec<Asked> {
        self.state().requests.clone()
    }

    /// How many requests with a refresh token were received, whatever became of them.
    pub fn refreshes(&self) -> usize {
        let is_refresh = |asked: &&Asked| asked.form.get("grant_type").is_some_and(|t| t == "refresh_token");
        self.state().requests.iter().filter(is_refresh).count()
    }

    /// How often a refresh token was exchanged for a new pair.
    pub fn rotations(&self) -> usize {
        self.state().rotations
    }

    /// How often a refresh token was sent that had been spent.
    pub fn reuses(&self) -> usize {
        self.state().reuses
    }

    /// How many grants there are that are not over.
    pub fn live_grants(&self) -> usize {
        self.state().grants.iter().filter(|grant| !grant.over).count()
    }

    /// What a token, of either kind, is to the server.
    pub fn state_of(&self, token: &str) -> State {
        let state = self.state();
        let Some(grant) = state.grants.iter().find(|grant| grant.knows(token)) else { return State::Unknown };
        if grant.over {
            State::Dead
        } else if grant.spent.iter().any(|spent| spent == token) {
            State::Spent
        } else {
            State::Live
        }
    }

    /// The refresh tokens that work now.
    pub fn live_refresh_tokens(&self) -> Vec<String> {
        let state = self.state();
        let live = state.grants.iter().filter(|grant| !grant.over);
        live.map(|grant| grant.refresh.clone()).collect()
    }

    /// What the server knows now.
    pub fn memory(&self) -> Memory {
        Memory(self.state().clone())
    }

    /// Knows again what it knew then, and nothing that came later.
    pub fn restore(&self, memory: &Memory) {
        self.settle();
        *self.state() = memory.0.clone();
    }

    /// Ends the grant of a token, as the person can in the dashboard.
    pub fn end(&self, token: &str) {
        let mut state = self.state();
        let grant = state.grants.iter_mut().find(|grant| grant.knows(token)).expect("a grant");
        grant.over = true;
    }

    fn state(&self) -> MutexGuard<'_, Books> {
        lock(&self.server.service.books)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
struct Shared {
    books: Mutex<Books>,
    faults: Faults<Fault>,
    hook: Mutex<Option<Arc<Hook>>>,
    change: Mutex<Option<Box<Change>>>,
}

/// What the server knows.
#[derive(Clone, Default)]
struct Books {
    grants: Vec<Grant>,
    codes: BTreeMap<String, Code>,
    requests: Vec<Asked>,
    issued: usize,
    rotations: usize,
    reuses: usize,
    life: Option<u64>,
    no_rotation: bool,
    no_reuse_detection: bool,
}

#[derive(Clone, Default)]
struct Grant {
    client_id: String,
    scopes: Vec<String>,
    access: Vec<String>,
    /// The refresh token that works.
    refresh: String,
    spent: Vec<String>,
    over: bool,
}

impl Grant {
    fn knows(&self, token: &str) -> bool {
        self.refresh == token || self.spent.iter().chain(&self.access).any(|known| known == token)
    }
}

#[derive(Clone)]
struct Code {
    client_id: String,
    redirect_uri: String,
    challenge: String,
    scopes: Vec<String>,
    /// The refresh token of the grant that it was exchanged for.
    grant: Option<String>,
}

type Form = BTreeMap<String, String>;

fn form(text: &str) -> Form {
    let url = Url::parse(&format!("http://form/?{text}")).expect("a URL");
    url.query_pairs().into_owned().collect()
}

impl Service for Shared {
    fn accepts(&self) -> bool {
        let met = |path| self.faults.meet(path, |fault| matches!(fault, Fault::Unread)).is_some();
        !met(TOKEN) && !met(REVOKE)
    }

    fn answer(&self, request: Request) -> Response {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let endpoint = match (request.method.as_str(), path) {
            ("GET", AUTH) | ("POST", TOKEN | REVOKE) => path.rsplit('/').next().unwrap_or_default(),
            _ => return Response::page(404, "Not found"),
        };
        let body = String::from_utf8_lossy(&request.body);
        let form = form(if path == AUTH { query } else { &body });
        let agent = request.header("user-agent").unwrap_or_default().to_owned();
        lock(&self.books).requests.push(Asked { endpoint: endpoint.to_owned(), form: form.clone(), agent });
        let hook = lock(&self.hook).clone().filter(|_| path == TOKEN);
        if let Some(hook) = &hook {
            hook(Moment::Received);
        }
        let fault = self.faults.meet(path, |fault| !matches!(fault, Fault::Unread));
        let spoilt = match fault {
            None => None,
            Some(Fault::Lost) => Some(Spoilt::Reset),
            Some(Fault::Truncated) => Some(Spoilt::Truncated),
            Some(Fault::Slow(pause)) => Some(Spoilt::Slow(pause)),
            Some(fault) => return fault.answer(&form),
        };
        let outcome = match path {
            AUTH => lock(&self.books).authorize(&form),
            REVOKE => lock(&self.books).revoke(&form),
            _ => lock(&self.books).tokens(&form).map(|mut answer| {
                if let Some(change) = &*lock(&self.change) {
                    change(&mut answer);
                }
                Response::json(200, &answer).with_header("cache-control", "no-store")
            }),
        };
        if let Some(hook) = &hook {
            hook(Moment::Done);
        }
        let response = outcome.unwrap_or_else(|Refusal(status, code)| {
            let description = format!("{code}, says the double");
            Response::json(status, &json!({ "error": code, "error_description": description }))
        });
        response.spoilt(spoilt)
    }
}

impl Fault {
    fn answer(&self, form: &Form) -> Response {
        match self {
            Self::Unread | Self::Lost | Self::Truncated | Self::Slow(_) => {
                unreachable!("they spoil an answer")
            }
            Self::Hang => Response::new(200, "").spoilt(Some(Spoilt::Hang)),
            Self::Busy(status, after) => {
                let busy = Response::json(*status, &json!({ "error": "temporarily_unavailable" }));
                match after {
                    Some(seconds) => busy.with_header("retry-after", &seconds.to_string()),
                    None => busy,
                }
            }
            Self::Page(status) => Response::page(*status, "Bad gateway"),
            Self::Challenge => {
                Response::page(403, "Just a moment...").with_header("cf-mitigated", "challenge")
            }
            Self::Body(status, text) => Response::new(*status, *text),
            Self::CalledPage(status, text) => {
                Response::new(*status, *text).with_header("content-type", "text/html; charset=utf-8")
            }
            Self::Redirect(url) => Response::new(302, "").with_header("location", url),
            Self::Denied(code) => redirect(form, &[("error", code)]),
        }
    }
}

/// Sends the browser back to where it came from (RFC 6749 §4.1.2), with the issuer (RFC 9207).
fn redirect(form: &Form, fields: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(form.get("redirect_uri").map_or("", String::as_str)) else {
        return Response::page(400, "No redirect_uri");
    };
    url.query_pairs_mut()
        .extend_pairs(fields)
        .extend_pairs(form.get_key_value("state"))
        .append_pair("iss", "http://127.0.0.1");
    Response::new(302, "").with_header("location", url.as_str())
}

/// A status and a code of RFC 6749 §5.2.
struct Refusal(u16, &'static str);

const INVALID_GRANT: Refusal = Refusal(400, "invalid_grant");
const INVALID_REQUEST: Refusal = Refusal(400, "invalid_request");

fn field<'a>(form: &'a Form, name: &str) -> Result<&'a str, Refusal> {
    form.get(name).map(String::as_str).ok_or(INVALID_REQUEST)
}

impl Books {
    /// A number that no token or code has yet.
    fn number(&mut self) -> usize {
        self.issued += 1;
        self.issued
    }

    fn next_pair(&mut self) -> Pair {
        let number = self.number();
        Pair { access: format!("at-hunter2-{number}"), refresh: format!("rt-hunter2-{number}") }
    }

    fn issue(&mut self, grant: Grant) -> Pair {
        let pair = self.next_pair();
        let (access, refresh) = (vec![pair.access.clone()], pair.refresh.clone());
        self.grants.push(Grant { access, refresh, ..grant });
        pair
    }

    fn code(&mut self, code: Code) -> String {
        let name = format!("code-hunter2-{}", self.number());
        self.codes.insert(name.clone(), code);
        name
    }

    /// The authorization endpoint, with a person who consents to everything at once.
    fn authorize(&mut self, form: &Form) -> Result<Response, Refusal> {
        let wrong =
            field(form, "response_type")? != "code" || field(form, "code_challenge_method")? != "S256";
        if wrong {
            return Ok(redirect(form, &[("error", "invalid_request")]));
        }
        let code = self.code(Code {
            client_id: field(form, "client_id")?.to_owned(),
            redirect_uri: field(form, "redirect_uri")?.to_owned(),
            challenge: field(form, "code_challenge")?.to_owned(),
            scopes: field(form, "scope")?.split(' ').map(str::to_owned).collect(),
            grant: None,
        });
        Ok(redirect(form, &[("code", &code)]))
    }

    /// The token endpoint.
    fn tokens(&mut self, form: &Form) -> Result<Value, Refusal> {
        let client_id = form.get("client_id").ok_or(Refusal(401, "invalid_client"))?;
        match field(form, "grant_type")? {
            "authorization_code" => self.exchange(client_id, form),
            "refresh_token" => self.refresh(client_id, field(form, "refresh_token")?),
            _ => Err(Refusal(400, "unsupported_grant_type")),
        }
    }

    fn exchange(&mut self, client_id: &str, form: &Form) -> Result<Value, Refusal> {
        let (name, redirect_uri) = (field(form, "code")?, field(form, "redirect_uri")?);
        let verifier = PkceCodeVerifier::new(field(form, "code_verifier")?.to_owned());
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
        let code = self.codes.get(name).ok_or(INVALID_GRANT)?;
        if let Some(refresh) = &code.grant {
            self.grants.iter_mut().filter(|grant| grant.knows(refresh)).for_each(|grant| grant.over = true);
            return Err(INVALID_GRANT);
        }
        let right = code.client_id == client_id
            && code.redirect_uri == redirect_uri
            && code.challenge == challenge.as_str();
        if !right {
            return Err(INVALID_GRANT);
        }
        let scopes = code.scopes.clone();
        let grant = Grant { client_id: client_id.to_owned(), scopes: scopes.clone(), ..Grant::default() };
        let pair = self.issue(grant);
        if let Some(code) = self.codes.get_mut(name) {
            code.grant = Some(pair.refresh.clone());
        }
        Ok(self.answer(&pair.access, Some(&pair.refresh), &scopes))
    }

    fn refresh(&mut self, client_id: &str, token: &str) -> Result<Value, Refusal> {
        let pair = self.next_pair();
        let own =
            |grant: &&mut Grant| grant.client_id == client_id && !grant.access.iter().any(|a| a == token);
        let grant = self.grants.iter_mut().filter(own).find(|grant| grant.knows(token));
        let grant = grant.ok_or(INVALID_GRANT)?;
        if grant.refresh != token {
            self.reuses += 1;
            grant.over |= !self.no_reuse_detection;
            return Err(INVALID_GRANT);
        }
        if grant.over {
            return Err(INVALID_GRANT);
        }
        grant.access.push(pair.access.clone());
        let scopes = grant.scopes.clone();
        if self.no_rotation {
            return Ok(self.answer(&pair.access, None, &scopes));
        }
        let spent = std::mem::replace(&mut grant.refresh, pair.refresh.clone());
        grant.spent.push(spent);
        self.rotations += 1;
        Ok(self.answer(&pair.access, Some(&pair.refresh), &scopes))
    }

    fn answer(&self, access: &str, refresh: Option<&str>, scopes: &[String]) -> Value {
        let life = self.life.unwrap_or(3600);
        let mut answer = json!({ "access_token": access, "token_type": "bearer", "expires_in": life });
        if let Some(refresh) = refresh {
            answer["refresh_token"] = refresh.into();
        }
        answer["scope"] = scopes.join(" ").into();
        answer
    }

    /// The revocation endpoint: an unknown token is no error (RFC 7009 §2.2); one of another client's is
    /// (§2.1). With a token of either kind the whole grant is over.
    fn revoke(&mut self, form: &Form) -> Result<Response, Refusal> {
        let token = field(form, "token")?;
        let client_id = form.get("client_id").ok_or(Refusal(401, "invalid_client"))?;
        for grant in self.grants.iter_mut().filter(|grant| grant.knows(token)) {
            if grant.client_id != *client_id {
                return Err(Refusal(400, "invalid_client"));
            }
            grant.over = true;
        }
        Ok(Response::new(200, ""))
    }
}
