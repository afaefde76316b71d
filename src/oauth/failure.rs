//! Why an authorization server gave nothing, told apart by whether the request can have been received.
//!
//! [`Failure::Unsent`] and [`Failure::Busy`] may be tried again without a thought,
//! [`Failure::NoAnswer`] may not: a refresh token can be spent once.

use std::fmt;
use std::time::Duration;

use reqwest::StatusCode;
use serde::Deserialize;

use crate::http::{Unreachable, tame};
use crate::secret::Secret;

/// Before each further try when nothing was received.
pub(crate) const BACK_OFF: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// Why there are no new tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Nothing was sent for certain: name resolution, connection, TLS.
    Unsent {
        /// Why.
        detail: String,
        /// It is not a matter of time: a certificate is not trusted.
        lasting: bool,
    },
    /// 429 or 503: the server did not look at it. `after` in seconds, where it asked for a pause.
    Busy {
        /// The HTTP status.
        status: u16,
        /// `retry-after`, in seconds.
        after: Option<u64>,
    },
    /// It may have been received, and there is no answer that tells.
    NoAnswer(String),
    /// 400 or 401: the grant is not valid (any more), or the client is not.
    Refused {
        /// The code (RFC 6749 §5.2), such as `invalid_grant`; empty when there was none.
        error: String,
        /// What the server says about it, safe to show.
        description: String,
    },
    /// Something else than the server answered, or it answered what it must not.
    Strange(String),
}

impl Failure {
    /// What a person can do about it.
    pub(crate) fn next_step(&self) -> String {
        match self {
            Self::Unsent { lasting: true, .. } => {
                "where a company's proxy signs certificates, set SSL_CERT_FILE to a pem file with its ca"
            }
            Self::Unsent { .. } | Self::NoAnswer(_) => {
                "check the network, and HTTPS_PROXY where a proxy is needed, and try again"
            }
            Self::Busy { after: Some(seconds @ 1..), .. } => return format!("try again in {seconds} s"),
            Self::Busy { .. } => "try again in a few minutes",
            Self::Refused { .. } => "try again",
            Self::Strange(_) => {
                "something between here and there may want a browser: try without vpn, WARP or proxy, or \
                 from another network"
            }
        }
        .to_owned()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsent { detail, .. } | Self::NoAnswer(detail) | Self::Strange(detail) => {
                f.write_str(detail)
            }
            Self::Busy { status, .. } => write!(f, "status {status}"),
            Self::Refused { error, description } => match (error.as_str(), description.as_str()) {
                ("", "") => f.write_str("it refuses, without saying why"),
                (error, "") => f.write_str(error),
                ("", description) => f.write_str(description),
                (error, description) => write!(f, "{error}: {description}"),
            },
        }
    }
}

impl From<Unreachable> for Failure {
    fn from(failure: Unreachable) -> Self {
        if failure.unsent {
            Self::Unsent { detail: failure.detail, lasting: failure.tls }
        } else {
            Self::NoAnswer(failure.detail)
        }
    }
}

/// What an answer is, apart from its body.
#[derive(Debug)]
pub(super) struct Seen {
    pub status: StatusCode,
    pub after: Option<u64>,
    /// It is a web page, or says that it is a bot challenge.
    pub page: bool,
}

/// An error as RFC 6749 §5.2 has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Told {
    pub error: String,
    pub error_description: String,
}

impl Seen {
    pub(super) fn failure(&self, told: &Told, secrets: &[&Secret]) -> Failure {
        let status = self.status.as_u16();
        match status {
            429 | 503 => Failure::Busy { status, after: self.after },
            500.. => Failure::NoAnswer(format!("status {status}")),
            _ if self.page => Failure::Strange(
                "a web page answered (a bot challenge, a proxy or a hotel's login)".to_owned(),
            ),
            400 | 401 => Failure::Refused {
                error: tame_all(&told.error, secrets),
                description: tame_all(&told.error_description, secrets),
            },
            300..400 => Failure::Strange(format!("status {status}, a redirect, which is not followed")),
            _ if told.error.is_empty() => Failure::Strange(format!("status {status}")),
            _ => Failure::Strange(format!("status {status}: {}", tame_all(&told.error, secrets))),
        }
    }
}

fn tame_all(text: &str, secrets: &[&Secret]) -> String {
    let cut = secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.expose(), "[secret]"));
    tame(&cut, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_decides_what_a_failure_is() {
        let failure = |status, page| {
            let status = StatusCode::from_u16(status).expect("a status");
            Seen { status, after: Some(7), page }.failure(&Told::default(), &[])
        };
        assert!(matches!(failure(400, false), Failure::Refused { .. }));
        assert!(matches!(failure(401, false), Failure::Refused { .. }));
        assert_eq!(failure(429, true), Failure::Busy { status: 429, after: Some(7) });
        assert_eq!(failure(503, true), Failure::Busy { status: 503, after: Some(7) });
        assert!(matches!(failure(502, true), Failure::NoAnswer(_)));
        assert!(matches!(failure(403, true), Failure::Strange(_)));
        assert!(matches!(failure(302, false), Failure::Strange(_)));
    }

    #[test]
    fn a_server_that_echoes_a_secret_does_not_make_us_show_it() {
        let seen = Seen { status: StatusCode::BAD_REQUEST, after: None, page: false };
        let told =
            Told { error: "invalid_grant".into(), error_description: "rt-hunter2 is \x1b[31mbad".into() };
        let failure = seen.failure(&told, &[&Secret::from("rt-hunter2".to_owned())]);
        assert_eq!(failure.to_string(), "invalid_grant: [secret] is \\u{1b}[31mbad");
    }
}
