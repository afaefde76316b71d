//! `alchemy credential-process`: JSON for programs that ask a helper for credentials.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::account::account_by_id;
use super::chosen::Chosen;
use super::context::Context;
use super::{Consent, MinTtl, ProfileArgument};
use crate::cloudflare::{Credential, TokenOwner, usable};
use crate::digest::sha256_hex;
use crate::error::{Error, Result};
use crate::profile::{Method, TokenFacts};
use crate::session::Session;
use crate::store::Store;
use crate::terminal;

/// Print JSON for programs that ask a helper for credentials
#[derive(Args)]
pub struct CredentialProcess {
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
    pub fn run(self, context: &Context) -> Result<()> {
        let account = self.account.as_deref().map(account_by_id).transpose()?;
        // Started by another program, without a person: the keyring must not ask.
        let mut store = context.store(false)?;
        let chosen = Chosen::of(context, &store, self.profile.get())?;
        let session =
            chosen.release(context, &mut store, account, &self.min_ttl, context.gate(self.consent))?;
        let fields = match self.format {
            Document::Cloudflare => cloudflare(&session),
            Document::Aws => aws(context, &mut store, &chosen, &session)?,
        };
        let mut document = Map::new();
        document.insert("Version".to_owned(), 1.into());
        for (name, value) in fields {
            if let Some(value) = value {
                document.insert(name.to_owned(), value.into());
            }
        }
        terminal::print(&zeroize::Zeroizing::new(format!("{}\n", Value::Object(document))))
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

/// R2's keys are derived from an API token: the access key id is the token's id, the secret the
/// lower-case hex SHA-256 of its value (`facts/wrangler-cloudflare.md` §3.3).
fn aws(context: &Context, store: &mut Store, chosen: &Chosen, session: &Session) -> Result<Fields> {
    let refused = |what: &str| {
        Err(Error::new(format!("R2 keys cannot be derived from {what}: they are made from an API token"))
            .hint("make a profile with an API token that has R2 permissions"))
    };
    let token = match &session.credential {
        Credential::Token(_) if session.grant => return refused("an OAuth session"),
        Credential::Key { .. } => return refused("a Global API Key"),
        Credential::Token(token) => token,
    };
    let known = match chosen {
        Chosen::Profile(profile, _) => profile.token.clone(),
        Chosen::Environment(_) => None,
    };
    let facts = match known {
        Some(facts) => facts,
        None => ask_for_facts(context, store, chosen, session)?,
    };
    let secret = sha256_hex(token.expose());
    let expiration = facts.expires.map(|at| at.to_string());
    Ok(vec![("AccessKeyId", Some(facts.id)), ("SecretAccessKey", Some(secret)), ("Expiration", expiration)])
}

/// Asks Cloudflare for the token's id and expiry, once: they are kept with the profile.
fn ask_for_facts(
    context: &Context,
    store: &mut Store,
    chosen: &Chosen,
    session: &Session,
) -> Result<TokenFacts> {
    let notice = |text: &str| context.messages.say(text);
    let client = context.client(&session.endpoint, &session.credential, &notice)?;
    let status = match (client.verify_token(&TokenOwner::User), &session.account) {
        (Err(error), Some(account)) if error.is_refusal() => {
            client.verify_token(&TokenOwner::Account(account.id.clone()))?
        }
        (status, _) => status?,
    };
    usable(&status, context.now)?;
    let facts = TokenFacts { id: status.id, expires: status.expires_on };
    if let Chosen::Profile(profile, _) = chosen {
        let kept = facts.clone();
        // Where it cannot be kept (a profile of npm's, a full disk) it is asked for again next time.
        if let Err(error) = store.update(&profile.name, |profile| profile.token = Some(kept)) {
            context.messages.verbose(&format!("the token's id is not kept: {error}"));
        }
    }
    Ok(facts)
}
