//! The credential document: version 1 of the npm package's, field for field
//! (`facts/alchemy-npm.md` §1.4), in whatever store it is kept.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::atomic::Bytes;
use crate::error::{Error, Result};
use crate::profile::Method;
use crate::secret::Secret;

/// A profile's secret, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Document {
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
    OAuth {
        /// The access token.
        access: Secret,
        /// When the access token stops working.
        expires: Timestamp,
    },
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
    expires: Option<i64>,
}

impl Document {
    /// Reads a document. `origin` says where it is from, for the errors.
    ///
    /// # Errors
    /// When it is not JSON (with line and column), has no known `type`, or lacks a field of its type.
    /// What it holds is never part of the message.
    pub fn parse(bytes: &[u8], origin: &str) -> Result<Self> {
        // serde's own words quote what they found, which may be the secret: only the place is told.
        let fields: Fields = serde_json::from_slice(bytes).map_err(|error| {
            let what = if bytes.is_empty() {
                "is empty"
            } else if error.is_data() {
                "has a field that is missing, empty or of a wrong type"
            } else {
                "is not valid JSON"
            };
            Error::new(format!("{origin} {what} (line {}, column {})", error.line(), error.column()))
        })?;
        let lacks = |field: &str| Error::new(format!("{origin} has no '{field}'"));
        match Method::from_name(&fields.r#type) {
            Some(Method::ApiToken) => {
                Ok(Self::ApiToken { token: fields.api_token.ok_or_else(|| lacks("apiToken"))? })
            }
            Some(Method::ApiKey) => Ok(Self::ApiKey {
                key: fields.api_key.ok_or_else(|| lacks("apiKey"))?,
                email: fields.email.ok_or_else(|| lacks("email"))?,
            }),
            Some(Method::OAuth) => Ok(Self::OAuth {
                access: fields.access.ok_or_else(|| lacks("access"))?,
                expires: fields
                    .expires
                    .and_then(|ms| Timestamp::from_millisecond(ms).ok())
                    .ok_or_else(|| lacks("expires"))?,
            }),
            None => Err(Error::new(format!("{origin} has a 'type' that this alchemy does not know"))),
        }
    }

    /// The document for a store: two-space JSON without a newline at its end, as npm writes it.
    /// `None` for a grant: those are written by their refresh.
    #[must_use]
    pub fn to_bytes(&self) -> Option<Bytes> {
        let value = match self {
            Self::ApiToken { token } => json!({ "type": "api-token", "apiToken": token.expose() }),
            Self::ApiKey { key, email } => {
                json!({ "type": "api-key", "apiKey": key.expose(), "email": email })
            }
            Self::OAuth { .. } => return None,
        };
        serde_json::to_vec_pretty(&value).ok().map(Zeroizing::new)
    }

    /// The method that it serves.
    #[must_use]
    pub fn method(&self) -> Method {
        match self {
            Self::ApiToken { .. } => Method::ApiToken,
            Self::ApiKey { .. } => Method::ApiKey,
            Self::OAuth { .. } => Method::OAuth,
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
        assert_eq!(document.to_bytes().expect("written").as_slice(), text.as_bytes());
        let key = br#"{ "type": "api-key", "apiKey": "k", "email": "me@example.com", "other": 1 }"#;
        assert_eq!(Document::parse(key, "it").expect("parses").method(), Method::ApiKey);
        let grant =
            br#"{ "type": "oauth", "access": "a", "refresh": "r", "expires": 1795461851449, "scopes": [] }"#;
        assert_eq!(Document::parse(grant, "it").expect("parses").method(), Method::OAuth);
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
