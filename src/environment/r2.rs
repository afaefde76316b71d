//! What aws-cli, the AWS SDKs and rclone need for R2's S3 interface, beside our own variables. Pure.

use super::{Changes, Value};
use crate::http::Endpoint;
use crate::profile::AccountId;
use crate::secret::Secret;

/// The names under which the SDKs look for the endpoint of S3, the narrower first.
pub(crate) const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

/// What could outrank, replace or redirect the keys: other sources of AWS credentials, a session token that does
/// not belong to them, and what has the SDKs ignore the endpoint. Of rclone's: keys for all S3 remotes.
const SCRUB: [&str; 22] = [
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_VAULT",
    "RCLONE_S3_ACCESS_KEY_ID",
    "RCLONE_S3_SECRET_ACCESS_KEY",
    "RCLONE_S3_SESSION_TOKEN",
    "RCLONE_S3_PROFILE",
    "RCLONE_S3_SHARED_CREDENTIALS_FILE",
    "RCLONE_S3_ENV_AUTH",
];

/// Where R2 keeps a bucket by law (`facts/wrangler-cloudflare.md` §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jurisdiction {
    /// The European Union.
    Eu,
    /// The clouds of the United States' government.
    Fedramp,
}

/// The endpoint of an account's buckets.
pub(crate) fn endpoint(account: &AccountId, jurisdiction: Option<Jurisdiction>) -> Endpoint {
    let part = match jurisdiction {
        None => "",
        Some(Jurisdiction::Eu) => ".eu",
        Some(Jurisdiction::Fedramp) => ".fedramp",
    };
    Endpoint::fixed(&format!("https://{account}{part}.r2.cloudflarestorage.com"))
}

/// Adds the keys and the endpoint to what is to change.
pub(crate) fn add(changes: &mut Changes, access_key_id: &str, secret: &Secret, endpoint: &Endpoint) {
    let url = endpoint.as_str();
    let plain = [
        ("AWS_ACCESS_KEY_ID", access_key_id),
        ("AWS_REGION", "auto"),
        ("AWS_DEFAULT_REGION", "auto"),
        (ENDPOINTS[0], url),
        (ENDPOINTS[1], url),
        ("RCLONE_CONFIG_R2_TYPE", "s3"),
        ("RCLONE_CONFIG_R2_PROVIDER", "Cloudflare"),
        ("RCLONE_CONFIG_R2_ENV_AUTH", "true"),
        ("RCLONE_CONFIG_R2_ENDPOINT", url),
        ("RCLONE_CONFIG_R2_REGION", "auto"),
        // Else those of a remote `r2` in rclone's configuration would go before the environment's.
        ("RCLONE_CONFIG_R2_ACCESS_KEY_ID", ""),
        ("RCLONE_CONFIG_R2_SECRET_ACCESS_KEY", ""),
        ("RCLONE_CONFIG_R2_SESSION_TOKEN", ""),
    ];
    changes.set.extend(plain.map(|(name, value)| (name.to_owned(), Value::Plain(value.to_owned()))));
    changes.set.push(("AWS_SECRET_ACCESS_KEY".to_owned(), Value::Secret(secret.clone())));
    changes.unset.extend(SCRUB.map(str::to_owned));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accounts_endpoint_says_where_its_buckets_are() {
        let account = AccountId::parse(&"a".repeat(32)).expect("an id");
        for (jurisdiction, part) in
            [(None, ""), (Some(Jurisdiction::Eu), ".eu"), (Some(Jurisdiction::Fedramp), ".fedramp")]
        {
            let expected = format!("https://{account}{part}.r2.cloudflarestorage.com");
            assert_eq!(endpoint(&account, jurisdiction).as_str().trim_end_matches('/'), expected);
        }
    }

    #[test]
    fn nothing_is_both_set_and_unset() {
        let mut changes = Changes { set: Vec::new(), unset: Vec::new() };
        let account = AccountId::parse(&"a".repeat(32)).expect("an id");
        add(&mut changes, "id", &Secret::from("hunter2".to_owned()), &endpoint(&account, None));
        assert!(changes.set.iter().all(|(name, _)| !changes.unset.contains(name)));
        let secret = |(_, value): &(String, Value)| matches!(value, Value::Secret(_));
        assert_eq!(changes.set.iter().filter(|it| secret(it)).count(), 1);
    }
}
