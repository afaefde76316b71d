//! The HTTP client for our own calls: one credential, one endpoint; for a GET with patience.
//!
//! Asynchronous underneath, on a runtime of its own in the calling thread.

use std::cell::Cell;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::Credential;
use super::answer::{Answer, failure, judge};
use super::error::{ApiError, Cause};
use crate::error::{Error, Result};
use crate::http::{self, Endpoint, Limits, Network, Requests, Unreachable};

/// The most bytes of an answer that are read.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// How long to wait for what. [`Timing::default`] is for people; tests have less time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// For a connection, TLS included: 10 s.
    pub connect: Duration,
    /// For one request and its whole answer: 30 s.
    pub request: Duration,
    /// Before each further try, when the server or the connection failed: 250 ms, 1 s.
    pub back_off: [Duration; 2],
    /// For all waits together that Cloudflare asks for by 429: 30 s.
    pub rate_limit: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            request: Duration::from_secs(30),
            back_off: [Duration::from_millis(250), Duration::from_secs(1)],
            rate_limit: Duration::from_secs(30),
        }
    }
}

/// A client for one endpoint with one credential. Its calls are in `calls.rs`.
pub struct Client<'a> {
    http: reqwest::Client,
    requests: Requests,
    endpoint: Endpoint,
    credential: Credential,
    timing: Timing,
    /// What is left of [`Timing::rate_limit`].
    patience: Cell<Duration>,
    notice: &'a dyn Fn(&str),
}

impl<'a> Client<'a> {
    /// Makes a client; nothing is sent yet. `notice` gets a line for people when a call has to wait.
    ///
    /// Fails when the credential cannot be sent in a header, a CA variable names no certificate, the
    /// system has none, or the system gives no runtime.
    pub fn new(
        endpoint: &Endpoint,
        credential: &Credential,
        network: &Network,
        notice: &'a dyn Fn(&str),
    ) -> Result<Self> {
        Self::with_timing(endpoint, credential, network, notice, Timing::default())
    }

    /// [`Client::new`] with other times.
    pub fn with_timing(
        endpoint: &Endpoint,
        credential: &Credential,
        network: &Network,
        notice: &'a dyn Fn(&str),
        timing: Timing,
    ) -> Result<Self> {
        let limits = Limits { connect: timing.connect, request: timing.request };
        Ok(Self {
            http: http::client(endpoint, headers(credential)?, network, limits)?,
            requests: Requests::new()?,
            endpoint: endpoint.clone(),
            credential: credential.clone(),
            patience: Cell::new(timing.rate_limit),
            timing,
            notice,
        })
    }

    /// The result of `GET path`; `what` is for the error: "cannot WHAT".
    pub(super) fn get(&self, what: &str, path: &str) -> Result<Answer, ApiError> {
        self.requests.run(self.try_often(path)).map_err(|error| self.about(what, error))
    }

    /// The result of `PUT path` with an empty object, sent once: what changes something may have done so although
    /// there is no answer.
    pub(super) fn put_once(&self, what: &str, path: &str) -> Result<Answer, ApiError> {
        self.requests.run(self.try_once(Method::PUT, path)).map_err(|error| self.about(what, error))
    }

    /// A failure, with what was tried and who was asked.
    pub(super) fn about(&self, what: &str, error: ApiError) -> ApiError {
        ApiError {
            what: what.into(),
            server: if self.endpoint.is_cloudflare() {
                "cloudflare".into()
            } else {
                self.endpoint.as_str().into()
            },
            with_key: matches!(self.credential, Credential::Key { .. }),
            ..error
        }
    }

    /// The failure that an answer of the right form and the wrong content is.
    pub(super) fn wrong_shape(&self, what: &str) -> ApiError {
        let error = ApiError::new(Cause::BadAnswer).detail("json of another shape than documented");
        self.about(what, error)
    }

    /// Text of the server, safe to show and to keep.
    pub(super) fn tame(&self, text: &str) -> String {
        http::tame(text, self.credential.secret().expose())
    }

    /// GETs change nothing, so a failure that may pass is met with another try.
    async fn try_often(&self, path: &str) -> Result<Answer, ApiError> {
        let mut back_off = self.timing.back_off.iter();
        loop {
            let error = match self.try_once(Method::GET, path).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = match error.cause {
                Cause::RateLimited => self.pause_asked_for(&error),
                _ if error.transient => back_off.next().copied(),
                _ => None,
            };
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(error),
            }
        }
    }

    /// The wait that a 429 asks for, when the patience that is left allows it.
    fn pause_asked_for(&self, error: &ApiError) -> Option<Duration> {
        // At least a second: a zero would have us knock without end.
        let seconds = error.retry_after?.max(1);
        let pause = Duration::from_secs(seconds);
        let left = self.patience.get().checked_sub(pause)?;
        self.patience.set(left);
        (self.notice)(&format!("rate limited by cloudflare; waiting {seconds} s"));
        Some(pause)
    }

    async fn try_once(&self, method: Method, path: &str) -> Result<Answer, ApiError> {
        let limits = Limits { connect: self.timing.connect, request: self.timing.request };
        let unreachable = |error| ApiError::from(Unreachable::new(error, limits));
        let secret = self.credential.secret().expose();
        let has_body = method == Method::PUT;
        let mut request = self.http.request(method, format!("{}{path}", self.endpoint));
        if has_body {
            request = request.header(CONTENT_TYPE, "application/json").body("{}");
        }
        let mut response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let bad = |detail: &str| failure(Cause::BadAnswer, status, &headers, secret).detail(detail);
        match http::body(&mut response, BODY_LIMIT + 1).await {
            Ok(body) if body.len() > BODY_LIMIT => Err(bad("more than 4 MiB")),
            Ok(body) => judge(status, &headers, &body, secret),
            Err(error) if error.is_timeout() => Err(unreachable(error)),
            Err(_) => Err(bad("an answer that is cut off")),
        }
    }
}

fn headers(credential: &Credential) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    match credential {
        Credential::Token(token) => {
            let text = zeroize::Zeroizing::new(format!("Bearer {}", token.expose()));
            headers.insert(AUTHORIZATION, value("token", &text)?);
        }
        Credential::Key { key, email } => {
            let name = HeaderName::from_static;
            headers.insert(name("x-auth-key"), value("key", key.expose())?);
            headers.insert(name("x-auth-email"), value("e-mail", email)?);
        }
    }
    Ok(headers)
}

fn value(what: &str, text: &str) -> Result<HeaderValue> {
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let value = HeaderValue::from_str(text).ok().filter(|_| plain);
    let mut value = value.ok_or_else(|| {
        Error::new(format!(
            "the {what} cannot be sent to cloudflare: it holds a character outside ascii, or a \
             control character"
        ))
        .hint(format!("copy the {what} again, in one line"))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Whether a page was the last: `pages` were read, the last with `got` entries, `sum` in all.
pub(super) fn is_last(info: &Value, page: u64, per_page: u64, got: u64, sum: u64) -> bool {
    let says = |key: &str| info[key].as_u64();
    match (says("total_pages"), says("total_count")) {
        _ if got == 0 => true,
        (Some(pages), _) => page >= pages,
        (None, Some(count)) => sum >= count,
        (None, None) => got < says("per_page").unwrap_or(per_page),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::secret::Secret;

    fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn what_cannot_be_a_header_is_an_error_and_what_can_is_marked_sensitive() {
        for bad in ["hunter2\n", "hunter2\té", "hunter2\u{7f}", "hunter2é"] {
            let error = headers(&Credential::Token(secret(bad))).expect_err(bad);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let (key, email) = (secret("hunter2"), "jürgen@example.com".to_owned());
        let error = headers(&Credential::Key { key, email }).expect_err("e-mail");
        assert!(error.to_string().contains("e-mail"), "{error}");
        let good = headers(&Credential::Token(secret("hunter2"))).expect("headers");
        assert!(!format!("{good:?}").contains("hunter2"), "{good:?}");
    }

    #[test]
    fn the_last_page_is_known_whatever_the_server_tells() {
        for (info, page, got, sum, last) in [
            (json!({"total_pages": 2}), 1, 50, 50, false),
            (json!({"total_pages": 2}), 2, 1, 51, true),
            (json!({"total_pages": 9}), 3, 0, 51, true),
            (json!({"total_count": 60}), 1, 50, 50, false),
            (json!({"total_count": 60}), 2, 10, 60, true),
            (json!({"per_page": 20}), 1, 20, 20, false),
            (json!(null), 1, 50, 50, false),
            (json!(null), 1, 20, 20, true),
        ] {
            assert_eq!(is_last(&info, page, 50, got, sum), last, "{info} {page}");
        }
    }
}
