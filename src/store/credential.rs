//! The credential document: version 1 of the npm package's, field for field
//! (`facts/alchemy-npm.md` §1.4), in whatever store it is kept.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::digest::sha256_hex;
use crate::disk::atomic::Bytes;
use crate::error::{Error, Kind, Result};
use crate::oauth::client::{Client, Preset};
use crate::oauth::token::Revocable;
use crate::profile::{Method, Profile, ProfileName};
use crate::secret::Secret;

/// A profile's secret, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Document {
    /// An API token.
    ApiToken {
        /// The token.
        token: Secret,
    },
    /// A Global API Key.
    ApiKey {
        /// The key.
        key: Secret,
        /// The e-mail that it belongs to.
        email: String,
    },
    /// A grant of an OAuth client.
    OAuth(Grant),
}

/// A grant of an OAuth client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The access token.
    pub access: Secret,
    /// The refresh token, which can be spent once. Npm may have written a grant without one.
    pub refresh: Option<Secret>,
    /// When the access token stops working; the epoch when the document does not say it.
    pub expires: Timestamp,
    /// The scopes granted.
    pub scopes: Vec<String>,
    /// The client that it was issued to; `None` is version 1 of the npm package, which writes none.
    pub client_id: Option<String>,
}

impl Grant {
    /// The id of the client that it was issued to.
    pub(crate) fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or(Preset::AlchemyV1.client_id())
    }

    /// The client that it was issued to: its profile's own, or, after a newer sign-in by npm, npm's.
    ///
    /// Fails when it is neither: then nobody knows where the grant belongs.
    pub(crate) fn client(&self, profile: &Profile) -> Result<Client> {
        let own = profile.sign_in.as_ref().map(|sign_in| &sign_in.client);
        match (own.filter(|client| client.id == self.client_id()), Preset::of(self.client_id())) {
            (Some(client), _) => Ok(client.clone()),
            (None, Some(preset)) => Ok(Client::new(preset.client_id())),
            (None, None) => {
                let name = &profile.name;
                let message =
                    format!("the session of profile '{name}' was issued to a client that it does not know");
                Err(Error::of(Kind::SignedOut, message)
                    .hint(format!("sign in again: alchemy login -p {name}")))
            }
        }
    }

    /// What is to be revoked of it: with a refresh token goes all of it.
    pub(crate) fn revocable(&self) -> Revocable<'_> {
        self.refresh.as_ref().map_or(Revocable::Access(&self.access), Revocable::Refresh)
    }
}

/// The fields as they stand in the file; which are there depends on `type`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    r#type: String,
    api_token: Option<Secret>,
    api_key: Option<Secret>,
    email: Option<String>,
    access: Option<Secret>,
    // Only at a refresh does it matter that it is there: lenient, as npm may write nothing into it.
    refresh: Option<String>,
    expires: Option<Value>,
    #[serde(default)]
    scopes: Vec<String>,
    client_id: Option<String>,
}

/// A time in milliseconds of Unix time; the epoch, which is long over, when it is none.
pub(super) fn expiry(expires: Option<&Value>) -> Timestamp {
    let milliseconds = match expires {
        Some(Value::Number(number)) => number
            .as_i64()
            .map(SignedDuration::from_millis)
            .or_else(|| SignedDuration::try_from_secs_f64(number.as_f64()? / 1000.0).ok()),
        _ => Some(SignedDuration::ZERO),
    };
    let since_epoch = milliseconds.unwrap_or(SignedDuration::MAX);
    Timestamp::UNIX_EPOCH.saturating_add(since_epoch).unwrap_or(Timestamp::MAX)
}

/// A refresh token, unless it is empty.
pub(super) fn refresh_token(refresh: Option<String>) -> Option<Secret> {
    refresh.filter(|token| !token.is_empty()).map(Secret::from)
}

impl Document {
    /// What of the secret that a newer one replaces may be written down: its SHA-256 in hex; empty where
    /// there is none. Of a grant it is the refresh token, which can be spent once.
    pub(crate) fn digest(&self) -> String {
        let secret = match self {
            Self::ApiToken { token } => Some(token),
            Self::ApiKey { key, .. } => Some(key),
            Self::OAuth(grant) => grant.refresh.as_ref(),
        };
        secret.map(|secret| sha256_hex(secret.expose())).unwrap_or_default()
    }

    /// The grant that it is.
    ///
    /// Fails when it is none; `name` is the profile's.
    pub(crate) fn into_grant(self, name: &ProfileName) -> Result<Grant> {
        match self {
            Self::OAuth(grant) => Ok(grant),
            document => Err(Error::new(format!("profile '{name}' is an {}", document.method()))),
        }
    }

    /// Reads a document. `origin` says where it is from, for the errors.
    ///
    /// Fails when it is not JSON (with line and column), has no known `type`, or lacks a field of its type.
    /// What it holds is never part of the message.
    pub(crate) fn parse(bytes: &[u8], origin: &str) -> Result<Self> {
        // serde's own words quote what they found, which may be the secret: only the place is told.
        let fields: Fields = serde_json::from_slice(bytes).map_err(|error| {
            let what = if bytes.is_empty() {
                "is empty"
            } else if error.is_data() {
                "has a field that is missing, empty or of a wrong type"
            } else {
                "is not valid JSON"
            };
            Error::of(
                Kind::NoCredential,
                format!("{origin} {what} (line {}, column {})", error.line(), error.column()),
            )
        })?;
        let lacks = |field: &str| Error::of(Kind::NoCredential, format!("{origin} has no '{field}'"));
        match Method::from_name(&fields.r#type) {
            Some(Method::ApiToken) => {
                Ok(Self::ApiToken { token: fields.api_token.ok_or_else(|| lacks("apiToken"))? })
            }
            Some(Method::ApiKey) => Ok(Self::ApiKey {
                key: fields.api_key.ok_or_else(|| lacks("apiKey"))?,
                email: fields.email.ok_or_else(|| lacks("email"))?,
            }),
            Some(Method::OAuth) => Ok(Self::OAuth(Grant {
                access: fields.access.ok_or_else(|| lacks("access"))?,
                refresh: refresh_token(fields.refresh),
                expires: expiry(fields.expires.as_ref()),
                scopes: fields.scopes,
                client_id: fields.client_id,
            })),
            None => Err(Error::of(
                Kind::NoCredential,
                format!("{origin} has a 'type' that this alchemy does not know"),
            )),
        }
    }

    /// The document for a store: two-space JSON without a newline at its end, as npm writes it.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let value = match self {
            Self::ApiToken { token } => json!({ "type": "api-token", "apiToken": token.expose() }),
            Self::ApiKey { key, email } => {
                json!({ "type": "api-key", "apiKey": key.expose(), "email": email })
            }
            Self::OAuth(grant) => {
                let mut value = json!({
                    "type": "oauth",
                    "access": grant.access.expose(),
                    "refresh": grant.refresh.as_ref().map(Secret::expose),
                    "expires": grant.expires.as_millisecond(),
                    "scopes": grant.scopes,
                });
                if let Some(client_id) = &grant.client_id {
                    value["clientId"] = client_id.as_str().into();
                }
                value
            }
        };
        Zeroizing::new(format!("{value:#}").into_bytes())
    }

    /// The method that it serves.
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::ApiToken { .. } => Method::ApiToken,
            Self::ApiKey { .. } => Method::ApiKey,
            Self::OAuth(_) => Method::OAuth,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_npm_writes_and_writes_what_npm_reads() {
        let text = "{\n  \"type\": \"api-token\",\n  \"apiToken\": \"tok-example\"\n}";
        let document = Document::parse(text.as_bytes(), "it").expect("parses");
        assert_eq!(document, Document::ApiToken { token: Secret::from("tok-example".to_owned()) });
        assert_eq!(document.to_bytes().as_slice(), text.as_bytes());
        let key = br#"{ "type": "api-key", "apiKey": "k", "email": "me@example.com", "other": 1 }"#;
        assert_eq!(Document::parse(key, "it").expect("parses").method(), Method::ApiKey);
        let grant =
            br#"{ "type": "oauth", "access": "a", "refresh": "r", "expires": 1795461851449, "scopes": [] }"#;
        assert_eq!(Document::parse(grant, "it").expect("parses").method(), Method::OAuth);
    }

    #[test]
    fn a_grant_says_whose_it_is_and_its_expiry_is_read_whatever_is_there() {
        let v1 = "{\n  \"type\": \"oauth\",\n  \"access\": \"a\",\n  \"refresh\": \"r\",\n  \
                  \"expires\": 1795461851449,\n  \"scopes\": [\n    \"account:read\"\n  ]\n}";
        let document = Document::parse(v1.as_bytes(), "it").expect("parses");
        assert_eq!(String::from_utf8_lossy(&document.to_bytes()), v1, "as version 1 writes it");
        let Document::OAuth(grant) = document else { panic!("a grant") };
        assert_eq!(grant.client_id(), "6d8c2255-0773-45f6-b376-2914632e6f91");
        let own = Document::OAuth(Grant { client_id: Some("mine".to_owned()), ..grant });
        assert_eq!(Document::parse(&own.to_bytes(), "it"), Ok(own));
        for (expires, seconds) in [
            ("null", 0),
            ("\"soon\"", 0),
            ("1795461851", 1_795_461),
            ("1795461851449.5", 1_795_461_851),
            ("1e300", Timestamp::MAX.as_second()),
        ] {
            let text =
                format!(r#"{{ "type": "oauth", "access": "a", "refresh": "", "expires": {expires} }}"#);
            let Ok(Document::OAuth(grant)) = Document::parse(text.as_bytes(), "it") else { panic!("{text}") };
            assert_eq!((grant.expires.as_second(), grant.refresh), (seconds, None), "{text}");
        }
    }

    #[test]
    fn errors_name_the_place_and_never_the_secret() {
        let table = [
            ("", "it is empty (line 1, column 0)"),
            ("{\"type\": \"api-token\", \"apiToken\": \"hunter2", "it is not valid JSON (line 1, column 42)"),
            ("{\"type\": \"api-key\", \"email\": \"hunter2\"}", "it has no 'apiKey'"),
            ("{\"type\": \"hunter2\"}", "it has a 'type' that this alchemy does not know"),
            ("[\"hunter2\"]", "it has a field that is missing, empty or of a wrong type (line 1, column 11)"),
        ];
        for (text, expected) in table {
            let error = Document::parse(text.as_bytes(), "it").expect_err("refused");
            assert_eq!(error.to_string(), expected);
        }
        let wrong_type = b"{\"type\": \"api-token\",\n \"apiToken\": 31415926}";
        let error = Document::parse(wrong_type, "it").expect_err("refused").to_string();
        assert!(error.contains("line 2") && !error.contains("31415926"), "{error}");
    }
}
