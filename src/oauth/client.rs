//! OAuth clients: who asks for a grant, and where.
//!
//! Two are built in, those of the npm package `alchemy` (`facts/alchemy-npm.md` §2); any other is a
//! client of the user's own at Cloudflare, or a test's. What differs from the built-in endpoints is kept
//! with the profile, because a refresh token goes only where it came from.

use std::borrow::Cow;

use crate::error::{Error, Result};
use crate::http::Endpoint;

/// The variables that name another client or its endpoints (design §10).
pub(crate) const CLIENT_ID: &str = "ALCHEMY_OAUTH_CLIENT_ID";
/// See [`CLIENT_ID`].
pub(crate) const AUTH_URL: &str = "ALCHEMY_OAUTH_AUTH_URL";
/// See [`CLIENT_ID`].
pub(crate) const TOKEN_URL: &str = "ALCHEMY_OAUTH_TOKEN_URL";
/// See [`CLIENT_ID`].
pub(crate) const REVOKE_URL: &str = "ALCHEMY_OAUTH_REVOKE_URL";
/// See [`CLIENT_ID`].
pub(crate) const REDIRECT_URI: &str = "ALCHEMY_OAUTH_REDIRECT_URI";
/// See [`CLIENT_ID`].
pub(crate) const CALLBACK_URL: &str = "ALCHEMY_OAUTH_CALLBACK";

const HTTPS_OR_LOOPBACK: &str = "it must be https, or http on a loopback host";
/// Where the answer to an authorization request is waited for, unless the redirect URI says it.
const USUAL_CALLBACK: &str = "http://127.0.0.1:9976/auth/callback";

/// A client that Cloudflare and we both know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Version 2 of the npm package: every permission scope there is; the default.
    Alchemy,
    /// Version 1 of the npm package: its grants can be shared with it.
    AlchemyV1,
}

impl Preset {
    /// All, with their names on the command line and their client ids.
    const ALL: [(Self, &'static str, &'static str); 2] = [
        (Self::Alchemy, "alchemy", "e7e25ec474419def6ba38d2d2638b122"),
        (Self::AlchemyV1, "alchemy-v1", "6d8c2255-0773-45f6-b376-2914632e6f91"),
    ];

    /// The preset with this client id.
    pub fn of(client_id: &str) -> Option<Self> {
        Self::ALL.iter().find(|(.., id)| *id == client_id).map(|(preset, ..)| *preset)
    }

    /// The preset of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, _)| *known == name).map(|(preset, ..)| *preset)
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(preset, ..)| *preset == self).map_or("", |(_, name, _)| name)
    }

    /// Its client id.
    pub fn client_id(self) -> &'static str {
        Self::ALL.iter().find(|(preset, ..)| *preset == self).map_or("", |(.., id)| id)
    }
}

/// An OAuth client, with what is not as built in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The `client_id` (RFC 6749 §2.2).
    pub id: Cow<'static, str>,
    /// The authorization endpoint, where it is not Cloudflare's.
    pub auth_url: Option<Endpoint>,
    /// The token endpoint, where it is not Cloudflare's.
    pub token_url: Option<Endpoint>,
    /// The revocation endpoint, where it is not Cloudflare's.
    pub revoke_url: Option<Endpoint>,
    /// The redirect URI that is registered with the client, where it is no preset's.
    pub redirect_uri: Option<Endpoint>,
    /// Where we listen, when the redirect URI leads elsewhere first.
    pub callback: Option<Endpoint>,
    /// Whether the scope `offline_access` is asked for; some clients get a refresh token without it and
    /// are refused with it (`facts/wrangler-cloudflare.md` §3.6).
    pub offline_access: bool,
}

impl Client {
    /// A client of this id with nothing but built-in endpoints.
    pub fn new(id: impl Into<Cow<'static, str>>) -> Self {
        Self {
            id: id.into(),
            auth_url: None,
            token_url: None,
            revoke_url: None,
            redirect_uri: None,
            callback: None,
            offline_access: true,
        }
    }

    /// The preset that it is by its id.
    pub fn preset(&self) -> Option<Preset> {
        Preset::of(&self.id)
    }

    /// Whether version 1 of the npm package can use its grants.
    pub fn is_v1(&self) -> bool {
        self.preset() == Some(Preset::AlchemyV1)
    }

    /// Whether version 2 of the npm package can go on with its grants, at Cloudflare's own endpoints: those on
    /// loopback are a test's.
    pub fn is_v2(&self) -> bool {
        let loopback = |url: &Option<Endpoint>| url.as_ref().is_none_or(Endpoint::is_loopback);
        self.preset() == Some(Preset::Alchemy) && loopback(&self.token_url) && loopback(&self.revoke_url)
    }

    /// The authorization endpoint (RFC 6749 §3.1).
    pub fn auth_url(&self) -> Endpoint {
        let usual = if self.is_v1() { "authorize" } else { "auth" };
        self.auth_url.clone().unwrap_or_else(|| cloudflare(usual))
    }

    /// The token endpoint (RFC 6749 §3.2).
    pub fn token_url(&self) -> Endpoint {
        self.token_url.clone().unwrap_or_else(|| cloudflare("token"))
    }

    /// The revocation endpoint (RFC 7009 §2). `None` when the token endpoint is somebody else's and this
    /// one was not named: a refresh token goes only to whoever issued it.
    pub fn revoke_url(&self) -> Option<Endpoint> {
        match (&self.revoke_url, &self.token_url) {
            (Some(url), _) => Some(url.clone()),
            (None, None) => Some(cloudflare("revoke")),
            (None, Some(_)) => None,
        }
    }

    /// The redirect URI (RFC 6749 §3.1.2).
    pub fn redirect_uri(&self) -> Endpoint {
        self.redirect_uri.clone().unwrap_or_else(|| {
            Endpoint::fixed(match self.preset() {
                Some(Preset::Alchemy) => "https://alchemy.run/auth/callback",
                Some(Preset::AlchemyV1) | None => "http://localhost:9976/auth/callback",
            })
        })
    }

    /// Where we listen for the answer: at the redirect URI when that is on loopback, else where the page
    /// behind it sends the browser.
    pub fn callback(&self) -> Endpoint {
        let redirect = self.redirect_uri();
        match &self.callback {
            Some(callback) => callback.clone(),
            None if redirect.is_loopback() && redirect.as_str().starts_with("http:") => redirect,
            None => Endpoint::fixed(USUAL_CALLBACK),
        }
    }
}

/// A URL of an OAuth endpoint, as a person gives it.
///
/// Fails when it is neither https nor http on loopback; `name` says which.
pub(crate) fn url(name: &str, text: &str) -> Result<Endpoint> {
    Endpoint::parse_as(text, &format!("the {name}"), HTTPS_OR_LOOPBACK)
}

/// Where we listen, as a person gives it.
///
/// Fails when it is not http on loopback.
pub(crate) fn callback_url(text: &str) -> Result<Endpoint> {
    let url = url("callback", text)?;
    if url.is_loopback() && url.as_str().starts_with("http:") {
        Ok(url)
    } else {
        Err(Error::usage(format!("the callback {url} is not http on a loopback host"))
            .hint(format!("the usual one is {USUAL_CALLBACK}")))
    }
}

fn cloudflare(endpoint: &str) -> Endpoint {
    Endpoint::fixed(&format!("https://dash.cloudflare.com/oauth2/{endpoint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_those_of_npm() {
        let alchemy = Client::new(Preset::Alchemy.client_id());
        assert_eq!(alchemy.auth_url().as_str(), "https://dash.cloudflare.com/oauth2/auth");
        assert_eq!(alchemy.redirect_uri().as_str(), "https://alchemy.run/auth/callback");
        assert_eq!(alchemy.callback().as_str(), USUAL_CALLBACK);
        let v1 = Client::new(Preset::AlchemyV1.client_id());
        assert!(v1.is_v1() && !alchemy.is_v1());
        assert_eq!(v1.auth_url().as_str(), "https://dash.cloudflare.com/oauth2/authorize");
        assert_eq!(v1.callback().as_str(), "http://localhost:9976/auth/callback");
        for client in [alchemy, v1] {
            assert_eq!(client.token_url().as_str(), "https://dash.cloudflare.com/oauth2/token");
            assert_eq!(client.revoke_url(), Some(cloudflare("revoke")));
        }
    }

    #[test]
    fn a_refresh_token_of_somebody_else_is_not_revoked_at_cloudflare() {
        let own = url("token url", "https://auth.example.com/token").expect("valid");
        let client = Client { token_url: Some(own), ..Client::new("mine") };
        assert_eq!(client.revoke_url(), None);
    }

    #[test]
    fn the_callback_is_on_loopback() {
        for text in ["https://127.0.0.1:1/x", "http://example.com/x", "https://alchemy.run/auth/callback"] {
            assert!(callback_url(text).is_err(), "{text}");
        }
        assert!(callback_url("http://[::1]:9/x").is_ok());
    }
}
