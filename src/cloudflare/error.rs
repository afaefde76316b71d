//! Why a call failed: the documented codes as causes, and the step that mends each.

use std::fmt::{self, Write};

use crate::error::Error;
use crate::http::{Unreachable, cut};

/// Where tokens and the Global API Key are made and looked up.
pub(super) const DASHBOARD: &str = "https://dash.cloudflare.com/profile/api-tokens";

/// Why a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// 401, or a code that says that the credential is unknown or malformed.
    Unauthorized,
    /// 403: the credential may not do this.
    Forbidden,
    /// 404: there is no such thing, or not for this credential.
    NotFound,
    /// 429, with a wait that was too long for us.
    RateLimited,
    /// 5xx, three times.
    Server,
    /// A web page in place of an answer: a bot challenge, a company's proxy, a hotel's login.
    Challenge,
    /// No answer: name resolution, connection, TLS, time-out.
    Unreachable,
    /// An answer that the API does not give: not JSON, another shape, cut off, a redirect.
    BadAnswer,
    /// Any other refusal, such as 400.
    Refused,
}

/// One entry of an answer's `errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The code, where there is one; the innermost of an `error_chain` has its own entry.
    pub code: Option<u64>,
    /// The message, already safe to show.
    pub message: String,
}

/// A call that failed. It holds no secret, and its texts are safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "facts about one failure that go with any other")]
pub struct ApiError {
    /// What was tried, for instance `list the accounts`.
    pub(super) what: Box<str>,
    /// Who was asked: `cloudflare`, or the base URL of another endpoint.
    pub(super) server: Box<str>,
    /// Whether it was asked with the Global API Key.
    pub(super) with_key: bool,
    /// Why it failed.
    pub cause: Cause,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// What the answer said.
    pub problems: Vec<Problem>,
    /// More about [`Cause::Unreachable`] and [`Cause::BadAnswer`], in our words.
    pub detail: Option<Box<str>>,
    /// Cloudflare's id of the request, which its support asks for.
    pub ray: Option<Box<str>>,
    /// `retry-after`, in seconds.
    pub retry_after: Option<u64>,
    /// A certificate was not trusted, or TLS failed otherwise.
    pub(super) tls: bool,
    /// Trying again can help.
    pub(super) transient: bool,
    /// There was no connection, so nothing was sent for certain.
    pub(super) unsent: bool,
}

impl ApiError {
    pub(super) fn new(cause: Cause) -> Self {
        Self {
            what: Box::default(),
            server: Box::default(),
            with_key: false,
            cause,
            status: None,
            problems: Vec::new(),
            detail: None,
            ray: None,
            retry_after: None,
            tls: false,
            transient: false,
            unsent: false,
        }
    }

    pub(super) fn detail(mut self, detail: impl Into<Box<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Whether the answer has this code, at any depth.
    pub fn has_code(&self, code: u64) -> bool {
        self.problems.iter().any(|problem| problem.code == Some(code))
    }

    /// Whether Cloudflare answered, and the answer is about this call: another call may succeed.
    /// A malformed header (6003) or a failure of the network is met by every call alike.
    pub fn is_refusal(&self) -> bool {
        let refused =
            matches!(self.cause, Cause::Unauthorized | Cause::Forbidden | Cause::NotFound | Cause::Refused);
        refused && !self.has_code(6003) && !self.has_code(6111)
    }

    /// Whether the call may have had its effect all the same: it was sent, and no answer tells.
    pub fn may_have_happened(&self) -> bool {
        match self.cause {
            Cause::Unreachable => !self.unsent,
            Cause::Server | Cause::BadAnswer => true,
            _ => false,
        }
    }

    /// What the answer said, and the `cf-ray`: `1000 Invalid API Token, cf-ray 8f…`.
    pub fn brief(&self) -> String {
        let said = if self.problems.is_empty() {
            self.status.map_or_else(String::new, |status| format!("status {status}"))
        } else {
            self.said()
        };
        match &self.ray {
            Some(ray) => format!("{said}, cf-ray {ray}"),
            None => said,
        }
    }

    fn said(&self) -> String {
        let mut text = String::new();
        for Problem { code, message } in &self.problems {
            let separator = if text.is_empty() { "" } else { "; " };
            let code = code.map_or_else(String::new, |code| format!("{code} "));
            let _ = write!(text, "{separator}{}", format!("{code}{message}").trim());
        }
        cut(text)
    }

    /// What to do next.
    pub fn next_step(&self) -> String {
        let has = |codes: &[u64]| codes.iter().any(|code| self.has_code(*code));
        let secret = if self.with_key { "key" } else { "token" };
        match self.cause {
            Cause::RateLimited => match self.retry_after {
                Some(seconds) => format!("try again in {seconds} s; {LIMITS}"),
                None => format!("try again in five minutes; {LIMITS}"),
            },
            Cause::Server => {
                "try again; https://www.cloudflarestatus.com tells whether cloudflare has a problem"
                    .to_owned()
            }
            Cause::Challenge => "something between here and the api wants a browser: try without \
                                 vpn, WARP or proxy, or from another network"
                .to_owned(),
            Cause::Unreachable if self.tls => "where a company's proxy signs certificates, set \
                                               SSL_CERT_FILE to a pem file with its ca"
                .to_owned(),
            Cause::Unreachable if self.server.starts_with("http:") => {
                "check the api base url, and that a server listens there".to_owned()
            }
            Cause::Unreachable => "check the network, and HTTPS_PROXY where a proxy is needed".to_owned(),
            Cause::BadAnswer => "check the api base url, and what is between here and it; with \
                                 cloudflare's own, try again later"
                .to_owned(),
            _ if has(&[6003, 6111, 6103]) => {
                format!("the {secret} is malformed; copy it again, in one line and without quotes")
            }
            _ if has(&[1000]) => {
                format!("copy the {secret} again, or create a new one at {DASHBOARD}")
            }
            _ if has(&[7003]) => "check the account id and the api base url".to_owned(),
            _ if self.with_key && has(&[9103, 9106, 9109, 10000, 10001]) => {
                format!("check the key and that the e-mail is its owner's, at {DASHBOARD}")
            }
            _ if has(&[9106, 10001]) => "this call takes no token of this kind; an account-owned \
                                         token cannot ask about users"
                .to_owned(),
            _ if has(&[9109]) => format!(
                "the token is expired, revoked, bound to other ip addresses, or lacks a \
                 permission; see {DASHBOARD}"
            ),
            Cause::Forbidden if has(&[10000]) => {
                format!("the token lacks a permission for this, or is for another account; see {DASHBOARD}")
            }
            Cause::Unauthorized => {
                format!("copy the {secret} again, or create a new one at {DASHBOARD}")
            }
            Cause::Forbidden | Cause::Refused => {
                format!("see what the {secret} is allowed to do at {DASHBOARD}")
            }
            Cause::NotFound => "check the account id and the api base url".to_owned(),
        }
    }
}

const LIMITS: &str = "cloudflare allows 1200 requests in five minutes, the dashboard's included";

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, server, .. } = self;
        write!(f, "cannot {what}: ")?;
        let detail = self.detail.as_deref().unwrap_or_default();
        if self.cause == Cause::Unreachable {
            return write!(f, "cannot reach {server}: {detail}");
        }
        write!(f, "{server} answered")?;
        if let Some(status) = self.status {
            write!(f, " {status}")?;
        }
        if !detail.is_empty() {
            write!(f, " with {detail}")?;
        }
        if !self.problems.is_empty() {
            write!(f, ": {}", self.said())?;
        }
        match &self.ray {
            Some(ray) => write!(f, " (cf-ray {ray})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

impl From<Unreachable> for ApiError {
    fn from(failure: Unreachable) -> Self {
        Self {
            tls: failure.tls,
            // A certificate does not become good by asking again, and who waited so long waited enough.
            transient: !failure.tls && !failure.timed_out,
            unsent: failure.unsent,
            ..Self::new(Cause::Unreachable).detail(failure.detail)
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::new(error.to_string()).hint(error.next_step())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(cause: Cause, status: u16, code: u64, message: &str) -> ApiError {
        ApiError {
            what: "list the accounts".into(),
            server: "cloudflare".into(),
            status: Some(status),
            problems: vec![Problem { code: Some(code), message: message.into() }],
            ray: Some("8f-TXL".into()),
            ..ApiError::new(cause)
        }
    }

    #[test]
    fn one_line_says_what_failed_why_and_the_ray_and_the_hint_what_to_do() {
        let error: Error = refused(Cause::Forbidden, 403, 10000, "Authentication error").into();
        assert_eq!(
            error.to_string(),
            "cannot list the accounts: cloudflare answered 403: 10000 Authentication error (cf-ray 8f-TXL)"
        );
        assert!(error.next_step().is_some_and(|hint| hint.contains("lacks a permission")));
    }

    #[test]
    fn every_documented_code_has_a_hint_of_its_own() {
        let table = [
            (Cause::Unauthorized, 401, 1000, "copy the token again"),
            (Cause::Unauthorized, 400, 6003, "malformed"),
            (Cause::Unauthorized, 400, 6111, "malformed"),
            (Cause::NotFound, 404, 7003, "account id"),
            (Cause::Unauthorized, 400, 9106, "no token of this kind"),
            (Cause::Forbidden, 403, 9109, "expired, revoked"),
            (Cause::Forbidden, 403, 10000, "lacks a permission"),
            (Cause::Unauthorized, 400, 10001, "no token of this kind"),
            (Cause::RateLimited, 429, 971, "try again in"),
            (Cause::Server, 500, 500, "cloudflarestatus"),
        ];
        for (cause, status, code, hint) in table {
            let step = refused(cause, status, code, "text").next_step();
            assert!(step.contains(hint), "{code}: {step}");
        }
        let mut key = refused(Cause::Forbidden, 403, 10000, "Authentication error");
        key.with_key = true;
        assert!(key.next_step().contains("e-mail"));
    }
}
