//! Profiles: a named way to reach Cloudflare, pinned to one account.
//!
//! Everything here is valid by construction and holds no secret; where a profile's secret is kept,
//! and how it is read, is the store's business.

mod name;
pub(crate) mod selection;
mod store_kind;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use crate::error::Error;
use crate::http::Endpoint;
use crate::oauth::client::Client;
pub use name::ProfileName;
pub use store_kind::{Commands, Encryption, StoreKind, program};

/// How a profile proves who it is. The names are the npm package's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// A grant of an OAuth client: access and refresh token.
    #[serde(rename = "oauth")]
    OAuth,
    /// An API token, a user's or an account's.
    ApiToken,
    /// The Global API Key with the e-mail it belongs to.
    ApiKey,
}

impl Method {
    /// All methods with the names that `config.json` gives them (`facts/alchemy-npm.md` §1.3).
    const NAMES: [(Self, &'static str); 3] =
        [(Self::OAuth, "oauth"), (Self::ApiToken, "api-token"), (Self::ApiKey, "api-key")];

    /// The method that `config.json` calls so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, n)| *n == name).map(|(method, _)| *method)
    }

    /// Its name in `config.json` and on the command line.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(method, _)| *method == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The id of a Cloudflare account: 32 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct AccountId(String);

impl AccountId {
    /// The id, when the text is one; upper-case digits are accepted and lowered.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()))
            .then(|| Self(text.to_ascii_lowercase()))
    }

    /// Its 32 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Cloudflare account: its id and the name people gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// The 32-hex id.
    pub id: AccountId,
    /// The name, as the API or the person gave it; it can be empty and is never unique.
    pub name: String,
}

impl Account {
    /// The account that an ID names, without its name.
    ///
    /// Fails when the text is not an account's ID.
    pub fn of_id(text: &str) -> crate::error::Result<Self> {
        match AccountId::parse(text) {
            Some(id) => Ok(Self { id, name: String::new() }),
            None => Err(Error::usage(format!("'{text}' is not an account's id")).hint(
                "an id is 32 hexadecimal digits; 'alchemy whoami' shows those that the credential sees",
            )),
        }
    }

    /// The name where there is one, else the id.
    pub fn short(&self) -> &str {
        if self.name.is_empty() { self.id.as_str() } else { &self.name }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() || self.name == self.id.as_str() {
            write!(f, "{}", self.id)
        } else {
            write!(f, "{} ({})", self.name, self.id)
        }
    }
}

/// What Cloudflare said about an API token when it was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenFacts {
    /// The token's id; for R2's S3 interface it is the access key id.
    pub id: String,
    /// When it stops working, where it does.
    pub expires: Option<Timestamp>,
}

/// How a profile signs in with OAuth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// The client that asks.
    pub client: Client,
    /// The scopes granted.
    pub scopes: Vec<String>,
    /// The scopes asked for, where more were than granted.
    pub asked: Option<Vec<String>>,
}

impl SignIn {
    /// The scopes to ask for when signing in again.
    pub fn scopes_to_ask(&self) -> &[String] {
        self.asked.as_deref().unwrap_or(&self.scopes)
    }

    /// The scopes that were asked for and not granted.
    pub fn lacks(&self) -> Vec<&str> {
        let asked = self.scopes_to_ask().iter().filter(|scope| !self.scopes.contains(scope));
        asked.map(String::as_str).collect()
    }
}

/// A profile, as everything but its secret is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: ProfileName,
    /// How it proves who it is.
    pub method: Method,
    /// The one account it is pinned to.
    pub account: Account,
    /// Where its credential is kept.
    pub store: StoreKind,
    /// The API it is for, where that is not Cloudflare's own.
    pub endpoint: Option<Endpoint>,
    /// What is known of its API token.
    pub token: Option<TokenFacts>,
    /// How it signs in; there for each profile with the method OAuth.
    pub sign_in: Option<SignIn>,
    /// Further variables that repeat the token for clients that know only those.
    pub also: Vec<String>,
    /// A person is asked before the secret leaves.
    pub confirm: bool,
}
