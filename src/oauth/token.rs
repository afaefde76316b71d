//! The token and revocation endpoints: what is asked of them, and what an answer means.
//!
//! What a server says is read leniently: a pair of tokens that has been issued must not be lost over a
//! field that we do not need. What it means that there are none is in [`super::failure`].

use std::cell::RefCell;
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AccessToken, AuthorizationCode, ClientId, HttpRequest, HttpResponse, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, RETRY_AFTER};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::Client;
use super::failure::{Failure, Seen, Told};
use crate::error::Result as Outcome;
use crate::http::{self, Endpoint, Limits, Network, Unreachable};
use crate::secret::Secret;

/// For a connection 10 s, for the whole 20 s.
pub(crate) const LIMITS: Limits =
    Limits { connect: Duration::from_secs(10), request: Duration::from_secs(20) };
/// The most bytes of an answer that are read.
const BODY_LIMIT: usize = 1024 * 1024;
/// What an answer without `expires_in` is taken for (RFC 6749 §5.1 leaves it open).
const USUAL_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// The longest life of an access token that is believed.
pub(crate) const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24 * 366);

/// What the token endpoint has issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// The access token.
    pub access: Secret,
    /// The refresh token; without one the old stays valid (RFC 6749 §6).
    pub refresh: Option<Secret>,
    /// How long the access token lives, from when it was asked for.
    pub life: SignedDuration,
    /// What is odd about the life that the server told, for the person.
    pub odd: Option<String>,
    /// The scopes granted; `None` when they are those that were asked for (RFC 6749 §5.1).
    pub scopes: Option<Vec<String>>,
}

/// The endpoints of one client, ready to be asked.
pub(crate) struct Authority {
    client_id: ClientId,
    token_url: Endpoint,
    redirect_uri: Endpoint,
    /// Version 1 of the npm package names its redirect URI at a refresh too.
    redirect_on_refresh: bool,
    http: reqwest::Client,
}

type OAuth = oauth2::Client<
    BasicErrorResponse,
    Answer,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
>;

impl Authority {
    /// Prepares requests to `token_url`, which is the client's own unless something overrides it.
    ///
    /// Fails when TLS cannot be prepared.
    pub(crate) fn new(client: &Client, token_url: Endpoint, network: &Network) -> Outcome<Self> {
        let http = http::client(&token_url, headers(), network, LIMITS)?;
        Ok(Self {
            client_id: ClientId::new(client.id.to_string()),
            token_url,
            redirect_uri: client.redirect_uri(),
            redirect_on_refresh: client.is_v1(),
            http,
        })
    }

    /// The host that is asked, for messages.
    pub(crate) fn host(&self) -> &str {
        self.token_url.host()
    }

    /// Spends a refresh token (RFC 6749 §6).
    pub(crate) async fn refresh(&self, refresh: &Secret) -> Result<Tokens, Failure> {
        let oauth = self.oauth()?;
        let token = RefreshToken::new(refresh.expose().to_owned());
        let mut request = oauth.exchange_refresh_token(&token);
        if self.redirect_on_refresh {
            request = request.add_extra_param("redirect_uri", self.redirect_uri.as_str().to_owned());
        }
        let seen = RefCell::new(None);
        let answer = request.request_async(&|request| self.send(request, &seen)).await;
        judge(answer, seen.into_inner(), &[refresh])
    }

    /// Exchanges an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5).
    pub(crate) async fn exchange(
        &self,
        code: &Secret,
        verifier: PkceCodeVerifier,
        redirect_uri: &Endpoint,
    ) -> Result<Tokens, Failure> {
        let oauth = self.oauth()?;
        let redirect = RedirectUrl::new(redirect_uri.as_str().to_owned())
            .map_err(|error| Failure::Strange(error.to_string()))?;
        let seen = RefCell::new(None);
        let answer = oauth
            .exchange_code(AuthorizationCode::new(code.expose().to_owned()))
            .set_pkce_verifier(verifier)
            .set_redirect_uri(std::borrow::Cow::Owned(redirect))
            .request_async(&|request| self.send(request, &seen))
            .await;
        judge(answer, seen.into_inner(), &[code])
    }

    fn oauth(&self) -> Result<OAuth, Failure> {
        let url = TokenUrl::new(self.token_url.as_str().to_owned())
            .map_err(|error| Failure::Strange(error.to_string()))?;
        Ok(oauth2::Client::new(self.client_id.clone()).set_token_uri(url))
    }

    async fn send(&self, request: HttpRequest, seen: &RefCell<Option<Seen>>) -> Result<HttpResponse, Sent> {
        let request = request.try_into().map_err(|error| Sent(Unreachable::new(error, LIMITS)))?;
        let (met, body) = receive(&self.http, request).await?;
        // The crate asks for exactly 200 and for a content type; we do not.
        let status = if met.status.is_success() { StatusCode::OK } else { met.status };
        *seen.borrow_mut() = Some(met);
        let mut response = HttpResponse::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}

/// Revokes a refresh token and with it the grant (RFC 7009 §2.1), or an access token where there is no
/// other. The crate would refuse a server on
/// loopback without TLS (facts, crates §3), so the form is posted here.
pub(crate) async fn revoke(
    client: &Client,
    url: &Endpoint,
    network: &Network,
    token: Revocable<'_>,
) -> Outcome<Result<(), Failure>> {
    let (secret, hint) = match token {
        Revocable::Refresh(secret) => (secret, "refresh_token"),
        Revocable::Access(secret) => (secret, "access_token"),
    };
    let http = http::client(url, headers(), network, LIMITS)?;
    let form = [("token", secret.expose()), ("token_type_hint", hint), ("client_id", client.id.as_ref())];
    let request = http.post(url.as_str()).form(&form).build();
    let request = match request {
        Ok(request) => request,
        Err(error) => return Ok(Err(Failure::Strange(Unreachable::new(error, LIMITS).detail))),
    };
    Ok(match receive(&http, request).await {
        Ok((seen, _)) if seen.status.is_success() => Ok(()),
        Ok((seen, body)) => {
            let told: Told = serde_json::from_slice(&body).unwrap_or_default();
            Err(seen.failure(&told, &[secret]))
        }
        Err(Sent(unreachable)) => Err(unreachable.into()),
    })
}

/// What can be revoked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Revocable<'a> {
    /// A refresh token.
    Refresh(&'a Secret),
    /// An access token.
    Access(&'a Secret),
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))])
}

async fn receive(http: &reqwest::Client, request: reqwest::Request) -> Result<(Seen, Vec<u8>), Sent> {
    let lost = |error| Sent(Unreachable::new(error, LIMITS));
    let mut response = http.execute(request).await.map_err(lost)?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let mut seen = Seen {
        status: response.status(),
        after: header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok()),
        page: header("cf-mitigated") == Some("challenge"),
    };
    let body = http::body(&mut response, BODY_LIMIT).await.map_err(lost)?;
    // By what is in it: some servers call every answer a web page, JSON or nothing at all.
    seen.page |= http::is_page(&body);
    Ok((seen, body))
}

/// A request that got no answer, as an error for the crate.
#[derive(Debug)]
struct Sent(Unreachable);

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.detail)
    }
}

impl std::error::Error for Sent {}

fn judge(
    answer: Result<Answer, RequestTokenError<Sent, BasicErrorResponse>>,
    seen: Option<Seen>,
    secrets: &[&Secret],
) -> Result<Tokens, Failure> {
    let told = match answer {
        Ok(answer) if answer.is_usable() => return Ok(answer.tokens()),
        Err(RequestTokenError::Request(Sent(unreachable))) => return Err(unreachable.into()),
        Err(RequestTokenError::ServerResponse(response)) => Told {
            error: response.error().to_string(),
            error_description: response.error_description().cloned().unwrap_or_default(),
        },
        // The words of these may hold the tokens.
        Ok(_) | Err(RequestTokenError::Parse(..) | RequestTokenError::Other(_)) => Told::default(),
    };
    Err(match seen {
        Some(seen) if seen.status.is_success() && !seen.page => {
            Failure::NoAnswer("an answer without tokens in it".to_owned())
        }
        Some(seen) => seen.failure(&told, secrets),
        None => Failure::Strange("the request could not be made".to_owned()),
    })
}

/// The answer of the token endpoint (RFC 6749 §5.1).
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    access_token: AccessToken,
    refresh_token: Option<RefreshToken>,
    expires_in: Option<Value>,
    scope: Option<Value>,
    /// Not looked at: everything that we get is sent as a bearer token.
    #[serde(skip, default = "bearer")]
    token_type: BasicTokenType,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl TokenResponse for Answer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        self.expires_in.as_ref().and_then(Value::as_u64).map(Duration::from_secs)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None // `scope` is read leniently below
    }
}

impl Answer {
    /// Whether its tokens are such as RFC 6749 A.12 and A.17 let them be: others could be neither sent nor
    /// read again. An empty refresh token is none.
    fn is_usable(&self) -> bool {
        let printable = |token: &str| token.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let access = self.access_token.secret();
        let refresh = self.refresh_token.as_ref().map_or("", |token| token.secret());
        !access.is_empty() && printable(access) && printable(refresh)
    }

    fn tokens(self) -> Tokens {
        let (life, odd) = life(self.expires_in.as_ref());
        let scopes = match &self.scope {
            Some(Value::String(text)) => Some(text.split_ascii_whitespace().map(str::to_owned).collect()),
            _ => None,
        };
        let refresh = self.refresh_token.map(RefreshToken::into_secret).filter(|token| !token.is_empty());
        Tokens {
            access: Secret::from(self.access_token.into_secret()),
            refresh: refresh.map(Secret::from),
            life,
            odd,
            scopes,
        }
    }
}

/// The life that the server tells, brought into bounds, and what is odd about it.
fn life(told: Option<&Value>) -> (SignedDuration, Option<String>) {
    let seconds = match told {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    let life = seconds.and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
    match life {
        None => (USUAL_LIFE, Some("no life that can be read; taken for an hour".to_owned())),
        Some(life) if life > LONGEST_LIFE => {
            (USUAL_LIFE, Some(format!("a life of {} s; taken for an hour", life.as_secs())))
        }
        Some(life) if life <= SignedDuration::ZERO => {
            (SignedDuration::ZERO, Some(format!("a life of {} s", life.as_secs())))
        }
        Some(life) => (life, None),
    }
}

/// When tokens run out that were asked for at `sent`: that moment counts, as the server's clock started
/// later.
pub(crate) fn expires(sent: Timestamp, life: SignedDuration) -> Timestamp {
    sent.checked_add(life).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lives_are_brought_into_bounds_and_odd_ones_told() {
        for (told, seconds, odd) in [
            (Some(json!(3600)), 3600, false),
            (Some(json!("57600")), 57600, false),
            (Some(json!(59.9)), 59, false),
            (None, 3600, true),
            (Some(json!(null)), 3600, true),
            (Some(json!("soon")), 3600, true),
            (Some(json!(0)), 0, true),
            (Some(json!(-5)), 0, true),
            (Some(json!(i64::MAX)), 3600, true),
            (Some(json!(u64::MAX)), 3600, true),
        ] {
            let (life, said) = life(told.as_ref());
            assert_eq!((life.as_secs(), said.is_some()), (seconds, odd), "{told:?}");
        }
    }

    #[test]
    fn an_answer_is_read_leniently() {
        let least: Answer = serde_json::from_value(json!({ "access_token": "hunter2" })).expect("read");
        assert!(!format!("{least:?}").contains("hunter2"));
        let tokens = least.tokens();
        assert_eq!((tokens.refresh, tokens.scopes), (None, None));
        let odd = json!({ "access_token": "a", "refresh_token": "", "token_type": 7, "scope": ["a"],
            "expires_in": "60", "new": {} });
        let odd: Answer = serde_json::from_value(odd).expect("read");
        assert!(odd.is_usable());
        assert_eq!(odd.tokens().refresh, None);
        for (access, refresh) in [("", "b"), ("a\nb", "b"), ("a", "\u{7f}"), ("é", "b")] {
            let useless = json!({ "access_token": access, "refresh_token": refresh });
            let useless: Answer = serde_json::from_value(useless).expect("read");
            assert!(!useless.is_usable(), "{access:?} {refresh:?}");
        }
    }
}
