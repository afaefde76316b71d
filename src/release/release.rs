//! The step from a choice to a session. [`Checked::release`] is the only place from which a credential leaves alchemy:
//! every command that outputs one, or gives one to a program, calls it.

use jiff::SignedDuration;

use super::check::Checked;
use super::choice::Choice;
use crate::environment::{API_BASE_URL, BASE_URL};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::http::Endpoint;
use crate::profile::{Account, Profile};
use crate::session::sign_in::offer_sign_in;
use crate::session::{Gate, MIN_TTL, Session, Source, endpoint};
use crate::store::Store;
use crate::terminal::time;

impl Checked<'_> {
    /// The session whose credential leaves, through the gate.
    ///
    /// Fails when the gate stays closed, or no session is to be had.
    pub(crate) fn release(
        self,
        host: &Host,
        store: &mut Store,
        min_ttl: Option<SignedDuration>,
        gate: Gate,
    ) -> Result<Session> {
        self.choice.session(host, store, self.account, min_ttl, gate)
    }
}

impl Choice {
    /// The session for what was chosen, with the asked life in it when it is a grant's. Where the grant is
    /// over and a person is there, signing in again is offered.
    pub(crate) fn session(
        &self,
        host: &Host,
        store: &mut Store,
        account: Option<Account>,
        min_ttl: Option<SignedDuration>,
        gate: Gate,
    ) -> Result<Session> {
        self.session_living(host, store, account, self::min_ttl(host, min_ttl)?, gate)
    }

    /// The same with `min_ttl` of life in it.
    pub(crate) fn session_living(
        &self,
        host: &Host,
        store: &mut Store,
        account: Option<Account>,
        min_ttl: SignedDuration,
        gate: Gate,
    ) -> Result<Session> {
        match self {
            Self::Profile(profile, selection) => {
                host.messages.verbose(&format!(
                    "profile '{}' ({}), {}, account {}",
                    profile.name, selection.reason, profile.method, profile.account
                ));
                let endpoint = existing_endpoint(host, profile);
                let session = |store: &Store, profile: &Profile, min_ttl, gate| {
                    let (endpoint, account) = (endpoint.clone(), account.clone());
                    Source { store, profile, endpoint, account, min_ttl, gate, host }.session()
                };
                let session = match session(store, profile, min_ttl, gate) {
                    Err(error) if offer_sign_in(host, store, profile, &error)? => {
                        let profile = store.find(selection)?;
                        session(store, &profile, SignedDuration::ZERO, Gate::Inside) // it has been asked
                    }
                    session => session,
                }?;
                if session.expires.is_some_and(|expires| expires <= host.started) && !session.grant {
                    host.messages.say(&format!(
                        "the API token of profile '{}' expired, as far as is known; give it a new one: \
                         alchemy configure -p {}",
                        profile.name, profile.name
                    ));
                }
                Ok(session)
            }
            Self::Environment(session) => {
                let account = account.or_else(|| session.account.clone());
                Ok(Session { account, ..(**session).clone() })
            }
        }
    }
}

/// The life that an OAuth token must have left: as the command line has `asked`, else `ALCHEMY_MIN_TTL`.
pub(crate) fn min_ttl(host: &Host, asked: Option<SignedDuration>) -> Result<SignedDuration> {
    match (asked, host.text("ALCHEMY_MIN_TTL")) {
        (Some(asked), _) => Ok(asked),
        (None, Some(text)) => time(text).map_err(|error| {
            Error::usage(format!("ALCHEMY_MIN_TTL is '{text}': {error}")).hint("give it as 90, 90s or 15m")
        }),
        (None, None) => Ok(MIN_TTL),
    }
}

/// The API for an existing profile's credential, and what a person should know of it.
pub(crate) fn endpoint_of(host: &Host, profile: &Profile) -> (Endpoint, Vec<String>) {
    let variables = [API_BASE_URL, BASE_URL].map(|name| (name, host.text(name)));
    endpoint(profile.endpoint.as_ref(), &variables)
}

/// The same, with what there is to know said.
pub(crate) fn existing_endpoint(host: &Host, profile: &Profile) -> Endpoint {
    let (endpoint, notes) = endpoint_of(host, profile);
    for note in &notes {
        host.messages.say(note);
    }
    endpoint
}
