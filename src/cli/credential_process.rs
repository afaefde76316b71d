//! `alchemy credential-process`: JSON for programs that ask a helper for credentials.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::r2::Keys;
use super::{Consent, MinTtl, ProfileArgument};
use crate::cloudflare::Credential;
use crate::error::Result;
use crate::host::Host;
use crate::profile::{Account, Method};
use crate::release::choice::Choice;
use crate::release::gate::outward_gate;
use crate::release::selector::Selector;
use crate::session::Session;
use crate::terminal;

/// Print JSON for programs that ask a helper for credentials
#[derive(Args)]
pub(super) struct CredentialProcess {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Our own document, or that of the AWS SDKs with keys for R2's S3 interface
    #[arg(long, value_name = "FORMAT", default_value = "cloudflare")]
    format: Document,
    /// Another account than the profile's
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    #[command(flatten)]
    min_ttl: MinTtl,
    #[command(flatten)]
    consent: Consent,
}

#[derive(Clone, Copy, ValueEnum)]
enum Document {
    Cloudflare,
    Aws,
}

impl CredentialProcess {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let account = self.account.as_deref().map(Account::of_id).transpose()?;
        // Started by another program, without a person: the keyring must not ask.
        let mut store = host.store(false)?;
        let selector = Selector::of(host);
        let choice = Choice::find(&selector, &store, self.profile.get())?;
        let session = choice.check(&selector, &store, account)?.release(
            host,
            &mut store,
            self.min_ttl.min_ttl,
            outward_gate(host, self.consent.yes),
        )?;
        let fields = match self.format {
            Document::Cloudflare => cloudflare(&session),
            Document::Aws => aws(&Keys::of(host, &mut store, &choice, &session)?),
        };
        let mut document = Map::new();
        document.insert("Version".to_owned(), 1.into());
        for (name, value) in fields {
            if let Some(value) = value {
                document.insert(name.to_owned(), value.into());
            }
        }
        let document = zeroize::Zeroizing::new(format!("{}\n", Value::Object(document)));
        terminal::print(&zeroize::Zeroizing::new(terminal::printable_json(&document)))
    }
}

type Fields = Vec<(&'static str, Option<String>)>;

fn cloudflare(session: &Session) -> Fields {
    let account = session.account.as_ref().map(|account| account.id.to_string());
    let expiration = session.expires.map(|at| at.to_string());
    let mut fields = match &session.credential {
        Credential::Token(token) => {
            let kind = if session.grant { Method::OAuth } else { Method::ApiToken };
            vec![("Type", Some(kind.name().to_owned())), ("ApiToken", Some(token.expose().to_owned()))]
        }
        Credential::Key { key, email } => vec![
            ("Type", Some(Method::ApiKey.name().to_owned())),
            ("ApiKey", Some(key.expose().to_owned())),
            ("Email", Some(email.clone())),
        ],
    };
    fields.extend([("AccountId", account), ("Expiration", expiration)]);
    fields
}

fn aws(keys: &Keys) -> Fields {
    let expiration = keys.token.expires.map(|at| at.to_string());
    vec![
        ("AccessKeyId", Some(keys.token.id.clone())),
        ("SecretAccessKey", Some(keys.secret.expose().to_owned())),
        ("Expiration", expiration),
    ]
}
