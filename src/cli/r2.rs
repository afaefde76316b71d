//! The keys of R2's S3 interface, which follow from an API token.

use clap::{Args, ValueEnum};

use crate::cloudflare::{Credential, owner_of, usable};
use crate::digest::sha256_hex;
use crate::environment::Changes;
use crate::environment::r2::{self, Jurisdiction};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::{Profile, TokenFacts};
use crate::release::choice::Choice;
use crate::secret::Secret;
use crate::session::{Session, s3_endpoint};
use crate::store::Store;

/// The keys of a session's token: the access key id is the token's id, the secret the lower-case hex SHA-256 of
/// its value (`facts/wrangler-cloudflare.md` §3.3).
pub(super) struct Keys {
    /// The token's id, and when it stops working.
    pub token: TokenFacts,
    /// The secret access key.
    pub secret: Secret,
}

impl Keys {
    /// Fails when the session is of no API token, and when the token's id has to be asked for and is not told.
    pub(super) fn of(host: &Host, store: &mut Store, choice: &Choice, session: &Session) -> Result<Self> {
        let refused = |what: &str| {
            Err(Error::new(format!("R2 keys cannot be derived from {what}: they are made from an API token"))
                .hint("make a profile with an API token that has R2 permissions"))
        };
        let token = match &session.credential {
            Credential::Token(_) if session.grant => return refused("an OAuth session"),
            Credential::Key { .. } => return refused("a Global API Key"),
            Credential::Token(token) => token,
        };
        let known = match choice {
            Choice::Profile(profile, _) => profile.token.clone(),
            Choice::Environment(_) => None,
        };
        let facts = match known {
            Some(facts) => facts,
            None => ask(host, store, choice, session, token)?,
        };
        Ok(Self { token: facts, secret: sha256_hex(token.expose()).into() })
    }
}

/// The keys in a command's environment.
#[derive(Args, Clone, Copy, Default)]
pub(super) struct R2Arguments {
    /// Give it R2's keys and endpoint, too, as aws-cli, the AWS SDKs and rclone (remote r2:) read them
    #[arg(long)]
    r2: bool,
    /// Where its buckets are kept by law
    #[arg(long, value_name = "PLACE", requires = "r2")]
    r2_jurisdiction: Option<JurisdictionName>,
}

#[derive(Clone, Copy, ValueEnum)]
enum JurisdictionName {
    Eu,
    Fedramp,
}

impl R2Arguments {
    /// Adds them, where they are asked for.
    pub(super) fn add(
        self,
        host: &Host,
        store: &mut Store,
        choice: &Choice,
        session: &Session,
        changes: &mut Changes,
    ) -> Result<()> {
        if !self.r2 {
            return Ok(());
        }
        let keys = Keys::of(host, store, choice, session)?;
        let Some(account) = &session.account else {
            return Err(Error::new("R2's endpoint is an account's, and none is known")
                .hint("name it: --account ID, or CLOUDFLARE_ACCOUNT_ID"));
        };
        let place = self.r2_jurisdiction.map(|place| match place {
            JurisdictionName::Eu => Jurisdiction::Eu,
            JurisdictionName::Fedramp => Jurisdiction::Fedramp,
        });
        let usual = r2::endpoint(&account.id, place);
        let (endpoint, notes) = s3_endpoint(usual, &r2::ENDPOINTS.map(|name| (name, host.text(name))));
        for note in &notes {
            host.messages.say(note);
        }
        r2::add(changes, &keys.token.id, &keys.secret, &endpoint);
        Ok(())
    }
}

/// Asks Cloudflare for the token's id and expiry, once: they are kept with the profile.
fn ask(
    host: &Host,
    store: &mut Store,
    choice: &Choice,
    session: &Session,
    token: &Secret,
) -> Result<TokenFacts> {
    let notice = |text: &str| host.messages.say(text);
    let client = host.client(&session.endpoint, &session.credential, &notice)?;
    let (_, status) = owner_of(&client, token, session.account.as_ref().map(|account| &account.id))?;
    usable(&status, host.started)?;
    let facts = TokenFacts { id: status.id, expires: status.expires_on };
    if let Choice::Profile(profile, _) = choice {
        keep_facts(host, store, profile, &facts);
    }
    Ok(facts)
}

/// Keeps what Cloudflare says of a profile's token. Where it cannot be kept (a profile of npm's, a full disk) it
/// is asked for again next time.
pub(super) fn keep_facts(host: &Host, store: &mut Store, profile: &Profile, facts: &TokenFacts) {
    let kept = facts.clone();
    if let Err(error) = store.update(&profile.name, |profile| profile.token = Some(kept)) {
        host.messages.verbose(&format!("the token's id is not kept: {error}"));
    }
}
