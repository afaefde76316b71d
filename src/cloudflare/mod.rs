//! The Cloudflare API calls that alchemy itself makes: who a credential is, what it may see; and the one that
//! gives a token a new value.
//!
//! Rules kept here:
//! - Nothing is printed, only handed to a notice function.
//! - Only GET requests are tried again. The one that changes something is sent once, and says whether it may
//!   have been received.
//! - No secret is part of an error, a notice or a `Debug`; a secret that a server echoes is cut out.
//! - Text from the server leaves this module with its control characters escaped.
//!
//! Shapes, codes and limits are from `facts/wrangler-cloudflare.md` §3.

mod answer;
mod calls;
mod client;
mod error;
mod identify;

use jiff::Timestamp;
use serde::Serialize;

pub use client::{Client, Timing};
pub use error::{ApiError, Cause, Problem};
pub use identify::{Identity, Who, accounts_of_user, identify, is_accounts, owner_of, usable};

use crate::profile::AccountId;
use crate::secret::Secret;

/// What a request proves itself with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API token, a user's or an account's, or an OAuth access token: `Authorization: Bearer`.
    Token(Secret),
    /// The Global API Key: `X-Auth-Key`, with the e-mail it belongs to as `X-Auth-Email`.
    Key {
        /// The key itself.
        key: Secret,
        /// The e-mail of the user it belongs to.
        email: String,
    },
}

impl Credential {
    /// The part that must not be shown.
    pub(crate) fn secret(&self) -> &Secret {
        match self {
            Self::Token(secret) | Self::Key { key: secret, .. } => secret,
        }
    }
}

/// The user a credential acts for (`GET /user`, facts §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// The 32-hex id.
    pub id: String,
    /// The e-mail address, when Cloudflare tells it.
    pub email: Option<String>,
}

/// Whose token it is. Each kind has its own verify call, which rejects the other (facts §3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOwner {
    /// A user's token: `/user/tokens/verify`.
    User,
    /// A token that this account owns: `/accounts/{id}/tokens/verify`.
    Account(AccountId),
}

/// Whether a token works, in Cloudflare's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenState {
    /// It works, within `not_before` and `expires_on`.
    Active,
    /// It was switched off on the dashboard.
    Disabled,
    /// Its time is over.
    Expired,
    /// A word that is not documented; taken for a token that works.
    #[serde(untagged)]
    Other(String),
}

impl std::fmt::Display for TokenState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Other(word) => word,
        })
    }
}

/// What Cloudflare says about a token (facts §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenStatus {
    /// The token's id; for R2's S3 interface it is the access key id.
    pub id: String,
    /// Whether it works.
    pub status: TokenState,
    /// When it stops working, where it does.
    pub expires_on: Option<Timestamp>,
    /// When it begins to work, where that was set.
    pub not_before: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_shows_no_secret() {
        let key = Credential::Key { key: Secret::from("hunter2".to_owned()), email: "a@b.c".to_owned() };
        let token = Credential::Token(Secret::from("hunter2".to_owned()));
        assert!(!format!("{key:?} {token:?}").contains("hunter2"));
    }

    #[test]
    fn a_state_is_one_word_in_json() {
        for (state, word) in
            [(TokenState::Active, "\"active\""), (TokenState::Other("new".into()), "\"new\"")]
        {
            assert_eq!(serde_json::to_string(&state).expect("json"), word);
        }
    }
}
