//! A URL that a secret may be sent to: the base of an API, an endpoint of an authorization server.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use serde::Serialize;

use crate::error::{Error, Result};

/// Cloudflare's own (facts §3.1).
const CLOUDFLARE: &str = "https://api.cloudflare.com/client/v4";

/// A URL that a secret may be sent to, without a trailing slash.
///
/// It is `https`, or `http` on a loopback host, so that a credential never crosses a network in
/// the clear; it has no user information, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Endpoint(String);

impl Endpoint {
    /// Checks a base URL of an API, and brings it to its normal form.
    ///
    /// Fails when it does not have the form above. A URL with user information is not repeated.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_as(text, "an api base url", &format!("cloudflare's own is {CLOUDFLARE}"))
    }

    /// Checks a URL that is something else: `what` it is, with its article, and a hint what it must be.
    pub fn parse_as(text: &str, what: &str, hint: &str) -> Result<Self> {
        let shown: String = text.chars().take(200).collect();
        let wrong = |why: &str| Error::new(format!("{shown:?} cannot be {what}: {why}")).hint(hint);
        let user_information =
            || Error::new(format!("{what} cannot hold a user name or a password")).hint(hint);
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(wrong("it holds white space or a control character"));
        }
        let Ok(url) = Url::parse(text) else {
            return Err(if text.contains('@') { user_information() } else { wrong("it is not a url") });
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(user_information());
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it has a query or a fragment"));
        }
        match url.scheme() {
            "https" => {}
            "http" if host_is_loopback(&url) => {}
            "http" => return Err(wrong("http is for loopback hosts only; use https")),
            _ => return Err(wrong("it must begin with https://")),
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// One that is part of the program, and so has the form above.
    pub(crate) fn fixed(url: &str) -> Self {
        debug_assert_eq!(Self::parse(url).as_ref().map(Self::as_str), Ok(url));
        Self(url.to_owned())
    }

    /// Cloudflare's own API.
    pub fn cloudflare() -> Self {
        Self(CLOUDFLARE.to_owned())
    }

    /// Its host and port, for messages.
    pub fn host(&self) -> &str {
        let rest = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(host, _)| host)
    }

    /// Whether it is on this machine: 127.0.0.0/8, `[::1]` or `localhost`.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| host_is_loopback(&url))
    }

    /// Whether it is Cloudflare's own API.
    pub fn is_cloudflare(&self) -> bool {
        self.0 == CLOUDFLARE
    }

    /// Whether it is on a host of Cloudflare's.
    pub fn is_cloudflares(&self) -> bool {
        let url = Url::parse(&self.0).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or_default();
        host.strip_suffix("cloudflare.com").is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// The URL, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Judged by the parsed host, so that `127.1` is one and `localhost.example.com` is none.
fn host_is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_https_and_http_on_loopback() {
        for (text, url) in [
            (CLOUDFLARE, CLOUDFLARE),
            ("https://api.cloudflare.com/client/v4/", CLOUDFLARE),
            ("HTTPS://API.cloudflare.com:443/client/v4//", CLOUDFLARE),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.1:8080/v4", "http://127.0.0.1:8080/v4"),
            ("http://localhost/client/v4", "http://localhost/client/v4"),
            ("http://[::1]:9", "http://[::1]:9"),
            ("https://10.0.0.1/x", "https://10.0.0.1/x"),
        ] {
            assert_eq!(Endpoint::parse(text).expect(text).as_str(), url);
        }
    }

    #[test]
    fn refuses_whatever_could_carry_a_credential_elsewhere_or_in_the_clear() {
        for text in [
            "",
            "api.cloudflare.com",
            "http://api.cloudflare.com/client/v4",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://0.0.0.0",
            "http://[::ffff:10.0.0.1]",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://",
            "https://host/?",
            "https://host/#x",
            "https://ho st",
            "https://host\n",
            "http://localhost@example.com",
        ] {
            let error = Endpoint::parse(text).expect_err(text);
            assert!(error.next_step().is_some(), "{text:?}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        for text in ["https://u:hunter2@host", "https://hunter2@host", "https://u:hunter2@"] {
            let error = Endpoint::parse(text).expect_err(text);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn knows_cloudflare_and_loopback() {
        assert!(Endpoint::cloudflare().is_cloudflare() && !Endpoint::cloudflare().is_loopback());
        assert_eq!(Endpoint::parse(CLOUDFLARE), Ok(Endpoint::cloudflare()));
        let local = Endpoint::parse("http://127.9.9.9:1").expect("loopback");
        assert!(local.is_loopback() && !local.is_cloudflare());
        for (url, is_theirs) in [
            (CLOUDFLARE, true),
            ("https://dash.cloudflare.com/oauth2/token", true),
            ("https://cloudflare.com:8443", true),
            ("https://notcloudflare.com", false),
            ("https://cloudflare.com.example.com", false),
            ("https://example.com/cloudflare.com", false),
        ] {
            assert_eq!(Endpoint::parse(url).expect(url).is_cloudflares(), is_theirs, "{url}");
        }
    }
}
