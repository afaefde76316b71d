//! A loopback double of the Cloudflare v4 API, for integration tests and `examples/quickstart.rs`.
//!
//! Rules it keeps:
//! - It knows one user, and only the accounts and credentials it was told of. Everything is
//!   permitted unless a [`Credential`] lacks a [`Permission`]; `status` alone decides whether a
//!   token works: `expires_on` and `not_before` are reported, never compared with a clock.
//! - Codes and shapes are those of Cloudflare's documentation and of answers seen in the wild;
//!   nothing here was compared with the real API. Where a refusal has two codes, a comment says
//!   why this one.
//! - Every request that could be parsed is in [`Cloudflare::requests`] before its answer is sent.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::http::{Faults, Limit, Response, Server, Service, Spoilt, is_token};
pub use super::http::{Gate, Moment, Request};

const ROOT: &str = "/client/v4";
/// Between two bytes of [`Fault::SlowBody`]: any real body then takes over ten seconds.
const SLOW_BYTE: Duration = Duration::from_millis(100);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    UserToken,
    /// An access token of a user's OAuth grant, which no call verifies.
    Grant,
    /// Owned by the account with this id, the only one it sees.
    AccountToken(String),
    /// Sent as `X-Auth-Key`, together with this e-mail as `X-Auth-Email`.
    GlobalKey(String),
}

impl Kind {
    fn email(&self) -> Option<&str> {
        match self {
            Self::GlobalKey(email) => Some(email),
            Self::UserToken | Self::Grant | Self::AccountToken(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Active,
    Disabled,
    Expired,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// `GET /user`
    UserRead,
    /// `GET /accounts` and `GET /accounts/{id}`
    AccountsRead,
    /// `GET /memberships`
    MembershipsRead,
    /// List, roll and delete tokens.
    TokensEdit,
}

/// What a request may authenticate with. Change fields with struct update syntax:
/// `Credential { status: Status::Disabled, ..Credential::user_token("tok") }`.
#[derive(Clone, Debug)]
pub struct Credential {
    pub kind: Kind,
    /// The secret as it is sent.
    pub value: String,
    /// Token id, 32 hex digits; made from the value unless set.
    pub id: String,
    pub name: String,
    pub status: Status,
    /// For example `2027-01-01T00:00:00Z`.
    pub expires_on: Option<String>,
    pub not_before: Option<String>,
    /// Ids of the accounts it sees; `None`: all (for an account token: its own).
    pub accounts: Option<Vec<String>>,
    pub lacks: Vec<Permission>,
}

impl Credential {
    pub fn user_token(value: &str) -> Self {
        Self::new(Kind::UserToken, value)
    }

    pub fn account_token(value: &str, account: &str) -> Self {
        Self::new(Kind::AccountToken(account.into()), value)
    }

    pub fn global_key(key: &str, email: &str) -> Self {
        Self::new(Kind::GlobalKey(email.into()), key)
    }

    fn new(kind: Kind, value: &str) -> Self {
        Self {
            kind,
            value: value.into(),
            id: hex_id(value),
            name: "example".into(),
            status: Status::Active,
            expires_on: None,
            not_before: None,
            accounts: None,
            lacks: Vec::new(),
        }
    }

    /// Takes a permission away.
    pub fn without(mut self, permission: Permission) -> Self {
        self.lacks.push(permission);
        self
    }

    /// Sees only these accounts.
    pub fn sees(mut self, accounts: &[&str]) -> Self {
        self.accounts = Some(accounts.iter().map(ToString::to_string).collect());
        self
    }

    fn sees_account(&self, id: &str) -> bool {
        let listed = |ids: &Vec<String>| ids.iter().any(|seen| seen == id);
        let own = !matches!(&self.kind, Kind::AccountToken(owner) if owner != id);
        own && self.accounts.as_ref().is_none_or(listed)
    }
}

/// A way to fail. `Reset`, `Truncated` and `SlowBody` spoil the real answer, so the request has
/// had its effect (a rolled token is rolled); with all others it has none.
#[derive(Clone, Debug)]
pub enum Fault {
    /// This status with a v4 error body.
    Status(u16),
    /// This status with a challenge page of the edge in HTML.
    StatusHtml(u16),
    /// Status, v4 error code and message.
    Code(u16, u64, &'static str),
    /// 429; `retry_after` in seconds.
    RateLimited { retry_after: u64 },
    /// No answer until the double is dropped.
    Hang,
    /// The headers, then a byte at a time.
    SlowBody,
    /// The connection closes in the middle of the headers.
    Reset,
    /// `content-length` promises more than comes before the connection closes.
    Truncated,
    /// 200 with a body that is not JSON.
    NotJson,
    /// 200 with JSON that is no v4 envelope.
    WrongShape,
    /// 200 without a body.
    EmptyBody,
    /// 307 (keeps method and body, so the most can leak) to exactly this URL.
    Redirect(String),
}

/// Path below `/client/v4` (empty if it is elsewhere), and query.
fn route(request: &Request) -> (&str, &str) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    (path.strip_prefix(ROOT).unwrap_or_default(), query)
}

type Hook = dyn Fn(Moment) + Send + Sync;

/// Whether an access token works.
type IsActive = Box<dyn Fn(&str) -> bool + Send>;

/// The double; it serves until it is dropped.
pub struct Cloudflare {
    server: Server<Shared>,
}

impl Cloudflare {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// If the system gives out no port.
    pub fn start() -> Self {
        Self { server: Server::start(Shared::default()) }
    }

    /// `http://127.0.0.1:PORT/client/v4`
    pub fn base_url(&self) -> String {
        self.server.url() + ROOT
    }

    /// Adds an account.
    ///
    /// # Panics
    /// If the id is not 32 hex digits, as the routes match nothing else.
    pub fn account(&self, id: &str, name: &str) {
        assert!(is_hex_id(id), "account id {id:?} is not 32 hex digits");
        self.server.service.lock().accounts.push((id.into(), name.into()));
    }

    /// Adds a credential, in place of an earlier one with the same value; returns its token id.
    pub fn add(&self, credential: Credential) -> String {
        let id = credential.id.clone();
        let mut state = self.server.service.lock();
        state.credentials.retain(|known| known.value != credential.value);
        state.credentials.push(credential);
        id
    }

    /// Takes the access tokens of whatever grants this is true of, too.
    pub fn take_grants(&self, is_active: impl Fn(&str) -> bool + Send + 'static) {
        self.server.service.lock().grants = Some((Box::new(is_active), Credential::new(Kind::Grant, "")));
    }

    /// From now on such a token may not do this.
    pub fn grants_lack(&self, permission: Permission) {
        self.change_grants(|grant| grant.without(permission));
    }

    /// From now on such a token sees these accounts alone.
    pub fn grants_see(&self, accounts: &[&str]) {
        self.change_grants(|grant| grant.sees(accounts));
    }

    fn change_grants(&self, change: impl FnOnce(Credential) -> Credential) {
        let mut state = self.server.service.lock();
        state.grants = state.grants.take().map(|(is_active, grant)| (is_active, change(grant)));
    }

    /// The value a token has now, after rolls; `None` once deleted.
    pub fn value_of(&self, token_id: &str) -> Option<String> {
        let state = self.server.service.lock();
        state.credentials.iter().find(|known| known.id == token_id).map(|known| known.value.clone())
    }

    /// The credentials that it knows now.
    pub fn credentials(&self) -> Vec<Credential> {
        self.server.service.lock().credentials.clone()
    }

    /// Knows these credentials and no other, and has received nothing.
    pub fn restore(&self, credentials: &[Credential]) {
        self.settle();
        let mut state = self.server.service.lock();
        state.credentials = credentials.to_vec();
        state.requests.clear();
    }

    /// Plans a fault for requests from now on; [`Limit::on`] takes paths below `/client/v4`. Of several
    /// that apply, the first planned with times left is met.
    pub fn fault(&self, fault: Fault) -> Limit<'_, Fault> {
        self.server.service.faults.plan(fault)
    }

    /// Steps in at the moments of every request that changes something.
    pub fn set_hook(&self, hook: impl Fn(Moment) + Send + Sync + 'static) {
        *self.server.service.hook.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    }

    /// Holds such requests back at a moment, until the test lets them pass.
    pub fn gate(&self, at: Moment) -> Gate {
        let (gate, hook) = Gate::new(at);
        self.set_hook(hook);
        gate
    }

    /// Waits until every request that has come in is answered.
    pub fn settle(&self) {
        self.server.settle();
    }

    /// Forgets all faults; those under way go on.
    pub fn clear_faults(&self) {
        self.server.service.faults.clear();
    }

    /// The titles of the KV namespaces that were made in an account.
    pub fn namespaces(&self, account: &str) -> Vec<String> {
        let state = self.server.service.lock();
        let own = state.namespaces.iter().filter(|(owner, _)| owner == account);
        own.map(|(_, title)| title.clone()).collect()
    }

    /// Adds a DNS zone, which every credential sees.
    pub fn zone(&self, name: &str) {
        self.server.service.lock().zones.push(name.into());
    }

    /// The names of the DNS records that are there.
    pub fn dns_records(&self) -> Vec<String> {
        self.server
            .service
            .lock()
            .dns_records
            .iter()
            .map(|record| text_of(record, "name").to_owned())
            .collect()
    }

    /// What was received so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.server.service.lock().requests.clone()
    }
}

#[derive(Default)]
struct State {
    accounts: Vec<(String, String)>,
    credentials: Vec<Credential>,
    grants: Option<(IsActive, Credential)>,
    /// KV namespaces that were made: account and title.
    namespaces: Vec<(String, String)>,
    /// The names of DNS zones.
    zones: Vec<String>,
    /// DNS records, as the API shows them.
    dns_records: Vec<Value>,
    requests: Vec<Request>,
    rolls: u32,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    faults: Faults<Fault>,
    hook: Mutex<Option<Arc<Hook>>>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Shared {
    /// Records the request, then gives its answer, with the fault that is still to be brought in.
    fn answer(&self, request: Request) -> Response {
        static RAY: AtomicU64 = AtomicU64::new(1);
        let hook = self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let hook = hook.filter(|_| request.method != "GET");
        if let Some(hook) = &hook {
            hook(Moment::Received);
        }
        let mut state = self.lock();
        let fault = self.faults.meet(route(&request).0, |_| true);
        let response = match &fault {
            None | Some(Fault::Reset | Fault::Truncated | Fault::SlowBody) => {
                state.route(&request).unwrap_or_else(|refusal| refusal)
            }
            Some(Fault::Hang | Fault::EmptyBody) => Response::new(200, ""),
            Some(Fault::Status(status)) => error(*status, u64::from(*status), "injected fault"),
            Some(Fault::StatusHtml(status)) => {
                Response::page(*status, "Just a moment...").with_header("cf-mitigated", "challenge")
            }
            Some(Fault::Code(status, code, message)) => error(*status, *code, message),
            Some(Fault::RateLimited { retry_after }) => error(429, 971, "Please wait and slow down")
                .with_header("retry-after", &retry_after.to_string())
                .with_header("ratelimit", &format!("\"default\";r=0;t={retry_after}")),
            Some(Fault::NotJson) => Response::new(200, "upstream said: {not json"),
            Some(Fault::WrongShape) => Response::json(200, &json!({ "ok": "yes", "data": [1, 2] })),
            Some(Fault::Redirect(url)) => Response::new(307, "").with_header("location", url),
        };
        let spoilt = match fault {
            Some(Fault::Hang) => Some(Spoilt::Hang),
            Some(Fault::Reset) => Some(Spoilt::Reset),
            Some(Fault::Truncated) => Some(Spoilt::Truncated),
            Some(Fault::SlowBody) => Some(Spoilt::Slow(SLOW_BYTE)),
            _ => None,
        };
        state.requests.push(request);
        drop(state);
        if let Some(hook) = &hook {
            hook(Moment::Done);
        }
        let ray = format!("{:016x}-TXL", RAY.fetch_add(1, Ordering::Relaxed));
        response.with_header("cf-ray", &ray).spoilt(spoilt)
    }

    // In practice the header that breaks a request is a token with a newline in it.
    fn malformed(&self) -> Response {
        malformed(6111, "Authorization")
    }
}

fn is_hex_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// 32 hex digits that stay the same for the same seed.
fn hex_id(seed: &str) -> String {
    let half = |part: u8| {
        let mut hasher = DefaultHasher::new();
        (part, seed).hash(&mut hasher);
        hasher.finish()
    };
    format!("{:016x}{:016x}", half(0), half(1))
}

fn success(result: &Value) -> Response {
    let body = json!({ "success": true, "errors": [], "messages": [], "result": result });
    Response::json(200, &body)
}

/// Whether a query leaves this value of a field: it asks for no other one.
fn is_asked_for(query: &str, key: &str, value: &str) -> bool {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| *name == key).is_none_or(|(_, asked)| asked == value)
}

fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// One page of a list as the query asks for it.
fn page(items: Vec<Value>, query: &str) -> Response {
    let asked = |key: &str, default: usize| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let value = pairs.find(|(name, _)| *name == key).map(|(_, value)| value.parse());
        value.and_then(Result::ok).unwrap_or(default).max(1)
    };
    let (number, per_page, total) = (asked("page", 1), asked("per_page", 20).min(50), items.len());
    let skipped = (number - 1).saturating_mul(per_page);
    let result: Vec<Value> = items.into_iter().skip(skipped).take(per_page).collect();
    let info = json!({
        "page": number, "per_page": per_page, "count": result.len(),
        "total_count": total, "total_pages": total.div_ceil(per_page),
    });
    Response::json(
        200,
        &json!({
            "success": true, "errors": [], "messages": [], "result": result, "result_info": info,
        }),
    )
}

fn refusal(status: u16, error: &Value) -> Response {
    let body = json!({ "success": false, "errors": [error], "messages": [], "result": null });
    Response::json(status, &body)
}

fn error(status: u16, code: u64, message: &str) -> Response {
    refusal(status, &json!({ "code": code, "message": message }))
}

fn malformed(code: u64, header: &str) -> Response {
    let chain = json!([{ "code": code, "message": format!("Invalid format for {header} header") }]);
    let message = "Invalid request headers";
    refusal(400, &json!({ "code": 6003, "message": message, "error_chain": chain }))
}

fn no_route(path: &str) -> Response {
    let hint = "perhaps your object identifier is invalid?";
    error(404, 7003, &format!("Could not route to {path}, {hint}"))
}

/// The credential is sound, but not for this.
fn unauthorized() -> Response {
    error(403, 9109, "Unauthorized to access requested resource")
}

fn authentication_error() -> Response {
    error(403, 10000, "Authentication error")
}

impl State {
    /// The credential the request carries, whatever its status, if it is known;
    /// `Authorization` wins over `X-Auth-Key`.
    fn authenticate(&self, request: &Request) -> Result<Option<Credential>, Response> {
        let find = |value: &str, email: Option<&str>| {
            let same = |known: &&Credential| known.value == value && known.kind.email() == email;
            self.credentials.iter().find(same).cloned()
        };
        if let Some(authorization) = request.header("authorization") {
            let token = authorization.strip_prefix("Bearer ").filter(|token| is_token(token));
            let token = token.ok_or_else(|| malformed(6111, "Authorization"))?;
            let granted = || {
                let (is_active, grant) = self.grants.as_ref()?;
                is_active(token).then(|| Credential { value: token.to_owned(), ..grant.clone() })
            };
            return Ok(find(token, None).or_else(granted));
        }
        match (request.header("x-auth-key"), request.header("x-auth-email")) {
            (Some(key), Some(_)) if !is_token(key) => Err(malformed(6103, "X-Auth-Key")),
            (Some(key), email @ Some(_)) => find(key, email).map(Some).ok_or_else(authentication_error),
            _ => {
                let names = "X-Auth-Key, X-Auth-Email or Authorization";
                Err(error(400, 9106, &format!("Missing {names} headers")))
            }
        }
    }

    fn route(&mut self, request: &Request) -> Result<Response, Response> {
        let (path, query) = route(request);
        if path.is_empty() {
            return Err(no_route(&request.path));
        }
        let method = request.method.as_str();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let known = self.authenticate(request)?;
        let tokens = match &segments[..] {
            ["user", "tokens", rest @ ..] => Some((Kind::UserToken, rest)),
            ["accounts", id, "tokens", rest @ ..] => Some((Kind::AccountToken((*id).into()), rest)),
            _ => None,
        };
        // Before the status is looked at: verify alone answers for a token that no longer works.
        if let (Some((owner, ["verify"])), "GET") = (&tokens, method) {
            return verify(known.as_ref(), owner);
        }
        let working = known.filter(|known| known.status == Status::Active);
        let caller = working.ok_or_else(|| error(403, 9109, "Invalid access token"))?;
        let may = |permission| !caller.lacks.contains(&permission);
        let is_user = !matches!(caller.kind, Kind::AccountToken(_));
        let seen = || self.accounts.iter().filter(|(id, _)| caller.sees_account(id));
        match (method, &segments[..]) {
            (_, ["accounts", id, ..]) if !is_hex_id(id) => Err(no_route(path)),
            (_, ["accounts", id, _, ..]) if !caller.sees_account(id) => Err(authentication_error()),
            (_, ["user", ..]) if !is_user => Err(unauthorized()),
            ("GET", ["user"]) if may(Permission::UserRead) => Ok(success(&user_json(&caller))),
            ("GET", ["accounts"]) if may(Permission::AccountsRead) => {
                Ok(page(seen().map(account_json).collect(), query))
            }
            ("GET", ["accounts", id]) if may(Permission::AccountsRead) => {
                let account = seen().find(|(seen, _)| seen == id).map(account_json);
                account.as_ref().map(success).ok_or_else(unauthorized)
            }
            ("GET", ["user" | "accounts"] | ["accounts", _]) => Err(unauthorized()),
            ("GET", ["memberships"]) if is_user && may(Permission::MembershipsRead) => {
                Ok(page(seen().map(membership_json).collect(), query))
            }
            // Wrangler goes on without memberships after 10000, but not after 9109 (4.125.0, `whoami`).
            ("GET", ["memberships"]) => Err(authentication_error()),
            ("GET", ["zones"]) => {
                let named = self.zones.iter().filter(|zone| is_asked_for(query, "name", zone));
                let zones = named.map(|zone| json!({ "id": hex_id(zone), "name": zone, "status": "active" }));
                Ok(page(zones.collect(), query))
            }
            (_, ["zones", id, "dns_records", rest @ ..]) => {
                let is_known = self.zones.iter().any(|zone| hex_id(zone) == *id);
                if is_known { self.dns(rest, request) } else { Err(no_route(path)) }
            }
            ("GET", ["accounts", id, "storage", "kv", "namespaces"]) => {
                let own = self.namespaces.iter().filter(|(account, _)| account == id);
                let titles = ["example"].into_iter().chain(own.map(|(_, title)| title.as_str()));
                Ok(page(titles.map(|title| namespace_json(id, title)).collect(), query))
            }
            ("POST", ["accounts", id, "storage", "kv", "namespaces"]) => {
                let body: Option<Value> = serde_json::from_slice(&request.body).ok();
                let title = body.as_ref().and_then(|body| body["title"].as_str());
                let title = title.ok_or_else(|| error(400, 10019, "invalid request body"))?;
                self.namespaces.push(((*id).into(), title.into()));
                Ok(success(&namespace_json(id, title)))
            }
            _ => match tokens {
                Some(_) if !may(Permission::TokensEdit) => Err(unauthorized()),
                Some((owner, rest)) => self.tokens(&owner, rest, request),
                None => Err(no_route(path)),
            },
        }
    }

    /// The routes below `…/dns_records`.
    fn dns(&mut self, rest: &[&str], request: &Request) -> Result<Response, Response> {
        let (path, query) = route(request);
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let asked = |record: &&Value| {
                    let is = |key: &str, field| is_asked_for(query, key, text_of(record, field));
                    is("name.exact", "name") && is("content.exact", "content")
                };
                Ok(page(self.dns_records.iter().filter(asked).cloned().collect(), query))
            }
            ("POST", []) => {
                let body = serde_json::from_slice(&request.body).ok();
                let mut record: Value = body.ok_or_else(|| error(400, 9207, "Request body is invalid."))?;
                record["id"] = hex_id(&record.to_string()).into();
                self.dns_records.push(record.clone());
                Ok(success(&record))
            }
            ("DELETE", [id]) => {
                self.dns_records.retain(|record| text_of(record, "id") != *id);
                Ok(success(&json!({ "id": id })))
            }
            _ => Err(no_route(path)),
        }
    }

    /// The routes below `…/tokens` for the tokens of one owner.
    fn tokens(&mut self, owner: &Kind, rest: &[&str], request: &Request) -> Result<Response, Response> {
        let (path, query) = route(request);
        let find = |id: &str| {
            let same = |known: &Credential| known.kind == *owner && known.id == id;
            self.credentials.iter().position(same).ok_or_else(|| no_route(path))
        };
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let own = self.credentials.iter().filter(|known| known.kind == *owner);
                Ok(page(own.map(token_json).collect(), query))
            }
            ("PUT", [id, "value"]) => {
                let index = find(id)?;
                if !serde_json::from_slice(&request.body).is_ok_and(|body: Value| body.is_object()) {
                    return Err(error(400, 6007, "Malformed JSON in request body"));
                }
                self.rolls += 1;
                let kind = if *owner == Kind::UserToken { 'u' } else { 'a' };
                // As long as a real one: prefix, 40 and a checksum of 8 (Cloudflare docs, token formats).
                let value = format!("cf{kind}t_hunter2{:041}", self.rolls);
                self.credentials[index].value.clone_from(&value);
                Ok(success(&value.into()))
            }
            ("DELETE", [id]) => {
                let deleted = self.credentials.remove(find(id)?);
                Ok(success(&json!({ "id": deleted.id })))
            }
            _ => Err(no_route(path)),
        }
    }
}

/// Each of the two verify routes knows only its own kind of token.
fn verify(known: Option<&Credential>, owner: &Kind) -> Result<Response, Response> {
    match known {
        Some(known) if matches!(known.kind, Kind::GlobalKey(_)) => Err(unauthorized()),
        Some(known) if known.kind == *owner => Ok(success(&verified_json(known))),
        _ => Err(error(401, 1000, "Invalid API Token")),
    }
}

fn verified_json(token: &Credential) -> Value {
    let mut json = json!({ "id": token.id, "status": token.status.as_str() });
    for (key, time) in [("expires_on", &token.expires_on), ("not_before", &token.not_before)] {
        if let Some(time) = time {
            json[key] = time.as_str().into();
        }
    }
    json
}

fn token_json(token: &Credential) -> Value {
    let mut json = verified_json(token);
    json["name"] = token.name.as_str().into();
    json["issued_on"] = "2026-01-01T00:00:00Z".into();
    json["policies"] = json!([]);
    json
}

fn account_json((id, name): &(String, String)) -> Value {
    json!({
        "id": id, "name": name, "type": "standard",
        "created_on": "2026-01-01T00:00:00Z", "settings": { "enforce_twofactor": false },
    })
}

fn namespace_json(account: &str, title: &str) -> Value {
    let seed = if title == "example" { account.to_owned() } else { format!("{account} {title}") };
    json!({ "id": hex_id(&seed), "title": title, "supports_url_encoding": true })
}

fn membership_json(account: &(String, String)) -> Value {
    json!({
        "id": hex_id(&account.0), "status": "accepted", "account": account_json(account),
        "roles": ["Super Administrator - All Privileges"], "permissions": {},
        "api_access_enabled": null,
    })
}

fn user_json(caller: &Credential) -> Value {
    let email = caller.kind.email().unwrap_or("user@example.com");
    json!({
        "id": hex_id(email), "email": email, "first_name": null, "last_name": null,
        "country": null, "two_factor_authentication_enabled": true, "suspended": false,
        "organizations": [],
    })
}
