//! Profile → session: a credential that is usable right now, with its account; and the gate that its secret
//! leaves by.
//!
//! A session is asked for through [`Source`], which can be asked again: what runs for long gets a new
//! one each time. A [`Session`] that exists has life left.

mod gate;
mod refresh;
pub(crate) mod rotate;
pub(crate) mod sign_in;

use jiff::{SignedDuration, Timestamp};

use crate::cloudflare::Credential;
use crate::error::Result;
use crate::host::Host;
use crate::http::Endpoint;
use crate::profile::{Account, Method, Profile, ProfileName, StoreKind};
use crate::store::Store;
use crate::store::credential::Document;
pub(crate) use gate::{CONFIRM, Gate};

/// The life that an OAuth access token must have left unless something else is asked for.
pub(crate) const MIN_TTL: SignedDuration = SignedDuration::from_secs(60);

/// A credential that is usable right now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The profile that it is from; `None` for one from the environment.
    pub profile: Option<ProfileName>,
    /// The account; `None` only for a credential from an environment that names none.
    pub account: Option<Account>,
    /// The credential.
    pub credential: Credential,
    /// The token is an OAuth grant's access token, no API token.
    pub grant: bool,
    /// When it stops working, where it does.
    pub expires: Option<Timestamp>,
    /// The API that it is for.
    pub endpoint: Endpoint,
}

/// Where sessions of one profile come from.
pub(crate) struct Source<'a> {
    /// The store that holds its credential.
    pub store: &'a Store<'a>,
    /// The profile.
    pub profile: &'a Profile,
    /// The API that its sessions are for; see [`endpoint`].
    pub endpoint: Endpoint,
    /// The account for this run, where it is not the profile's.
    pub account: Option<Account>,
    /// The life that an OAuth access token must have left.
    pub min_ttl: SignedDuration,
    /// Whether its secret leaves.
    pub gate: Gate,
    /// The process around it.
    pub host: &'a Host,
}

impl Source<'_> {
    /// A session that is usable now: a grant with too little life is refreshed.
    ///
    /// Fails when the gate stays closed; when a grant is over, or cannot be refreshed and has run out.
    pub(crate) fn session(&self) -> Result<Session> {
        self.gate.pass(self.profile, self.host)?;
        let now = self.host.now();
        let mut read = self.store.credential(self.profile);
        // A token that was rolled and could not be kept: what the store has is dead, or torn.
        if self.store.may_be_rescued(&self.profile.name, &read) {
            let mut held = self.store.hold(self.profile)?;
            held.share_with_npm()?;
            read = held.read().map(|current| {
                held.say_unsettled(&current);
                current.document
            });
        }
        let document = match read? {
            Document::OAuth(grant) if !refresh::is_fresh(&grant, now, self.min_ttl) => {
                Document::OAuth(refresh::refreshed(self, &grant, now)?)
            }
            document => document,
        };
        Ok(self.of(document))
    }

    /// A session that is there without waiting for anyone: a lock, the network, a keyring, a passphrase. `None` where it
    /// takes [`Source::session`].
    ///
    /// Fails when the gate stays closed.
    pub(crate) fn if_immediate(&self) -> Result<Option<Session>> {
        if self.profile.store == StoreKind::Keyring {
            return self.gate.pass(self.profile, self.host).map(|()| None);
        }
        self.stored()
    }

    /// Returns the session that the store has, without a lock, the network, a passphrase or a command of the person's,
    /// but from a keyring, too. `None` where it takes [`Source::session`].
    ///
    /// Fails when the gate stays closed.
    pub(crate) fn stored(&self) -> Result<Option<Session>> {
        self.gate.pass(self.profile, self.host)?;
        match self.profile.store {
            StoreKind::Command(_) => return Ok(None),
            StoreKind::Encrypted(_) if !self.store.is_open(self.profile) => return Ok(None),
            StoreKind::Encrypted(_) | StoreKind::File | StoreKind::Npm | StoreKind::Keyring => {}
        }
        let Some(read) = self.store.credential_at_hand(self.profile).transpose() else { return Ok(None) };
        if self.store.may_be_rescued(&self.profile.name, &read) {
            return Ok(None);
        }
        match read? {
            Document::OAuth(grant) if !refresh::is_fresh(&grant, self.host.now(), self.min_ttl) => Ok(None),
            document => Ok(Some(self.of(document))),
        }
    }

    fn of(&self, document: Document) -> Session {
        let (credential, expires) = match document {
            Document::ApiToken { token } => {
                (Credential::Token(token), self.profile.token.as_ref().and_then(|facts| facts.expires))
            }
            Document::ApiKey { key, email } => (Credential::Key { key, email }, None),
            Document::OAuth(grant) => (Credential::Token(grant.access), Some(grant.expires)),
        };
        self.with(credential, expires)
    }

    /// The session with a credential that somebody else has got from this source.
    pub(crate) fn with(&self, credential: Credential, expires: Option<Timestamp>) -> Session {
        let profile = self.profile;
        Session {
            profile: Some(profile.name.clone()),
            account: Some(self.account.clone().unwrap_or_else(|| profile.account.clone())),
            credential,
            grant: profile.method == Method::OAuth,
            expires,
            endpoint: self.endpoint.clone(),
        }
    }
}

/// The API that an existing credential is for (design §7, "Endpoints"): the profile's own, else one on
/// loopback from the environment, else Cloudflare's. Another one in the environment is ignored: it
/// would send the secret to whoever set the variable. With it, what the person should be told.
///
/// `variables` are names and values as they stand in the environment.
pub(crate) fn endpoint(
    kept: Option<&Endpoint>,
    variables: &[(&str, Option<&str>)],
) -> (Endpoint, Vec<String>) {
    let usual = kept.cloned().unwrap_or_else(Endpoint::cloudflare);
    overridden("the API", "credential", kept, usual, variables)
}

/// The same for R2's S3 interface, whose keys come of an API token; `usual` is the account's own.
pub(crate) fn s3_endpoint(usual: Endpoint, variables: &[(&str, Option<&str>)]) -> (Endpoint, Vec<String>) {
    overridden("R2's S3 interface", "key", None, usual, variables)
}

/// The same for `what` of an existing grant's endpoints, of which `usual` is the one without the variable.
/// What the person should be told is said.
pub(crate) fn grant_endpoint(
    host: &Host,
    what: &str,
    kept: Option<&Endpoint>,
    usual: Endpoint,
    variable: &str,
) -> Endpoint {
    let (endpoint, notes) = overridden(what, "grant", kept, usual, &[(variable, host.text(variable))]);
    for note in &notes {
        host.messages.say(note);
    }
    endpoint
}

/// The same for any endpoint; `what` it is, for which `secret`, and the `usual` one.
fn overridden(
    what: &str,
    secret: &str,
    kept: Option<&Endpoint>,
    usual: Endpoint,
    variables: &[(&str, Option<&str>)],
) -> (Endpoint, Vec<String>) {
    let mut chosen: Option<Endpoint> = None;
    let mut notes = Vec::new();
    for (name, value) in variables {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        match Endpoint::parse(value) {
            Ok(endpoint) if endpoint == usual || chosen.as_ref() == Some(&endpoint) => {}
            Ok(endpoint) if endpoint.is_loopback() && kept.is_none() && chosen.is_none() => {
                notes.push(format!("{what} is {endpoint} by {name}"));
                chosen = Some(endpoint);
            }
            Ok(endpoint) => notes.push(format!(
                "{name}={endpoint} is ignored: this {secret} is for {}",
                chosen.as_ref().unwrap_or(&usual)
            )),
            Err(_) => {
                notes.push(format!("{name} is ignored: it is no address (https, or http on loopback)"));
            }
        }
    }
    (chosen.unwrap_or(usual), notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_redirects_an_existing_credential() {
        let own = Endpoint::parse("https://api.example.com/client/v4").expect("valid");
        let cloudflare = Endpoint::cloudflare();
        let loopback = "http://127.0.0.1:1/client/v4";
        let evil = "https://evil.example/client/v4";
        let table = [
            (None, Some(loopback), None, loopback, 1),
            (None, Some(loopback), Some(loopback), loopback, 1),
            (None, None, Some(loopback), loopback, 1),
            (None, Some(evil), Some(loopback), loopback, 2),
            (None, Some(evil), None, cloudflare.as_str(), 1),
            (None, Some("http://evil.example"), None, cloudflare.as_str(), 1),
            (None, Some(cloudflare.as_str()), Some(""), cloudflare.as_str(), 0),
            (Some(&own), Some(loopback), None, own.as_str(), 1),
            (Some(&own), Some(own.as_str()), Some(own.as_str()), own.as_str(), 0),
        ];
        for (kept, api, sdk, expected, notes) in table {
            let (endpoint, said) = endpoint(kept, &[("A", api), ("B", sdk)]);
            assert_eq!((endpoint.as_str(), said.len()), (expected, notes), "{api:?} {sdk:?}: {said:?}");
        }
    }
}
