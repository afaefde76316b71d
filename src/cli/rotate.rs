//! `alchemy rotate`: give an API token a new value, in place.

use clap::Args;
use jiff::SignedDuration;
use serde_json::json;

use super::{ProfileArgument, r2};
use crate::cloudflare::Credential;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::http::Endpoint;
use crate::profile::{Method, Profile};
use crate::release::choice::Choice;
use crate::release::release::existing_endpoint;
use crate::release::selector::Selector;
use crate::session::rotate::rotated;
use crate::session::{Gate, Source};
use crate::store::Store;
use crate::terminal;

/// Give an API token a new value, in place
///
/// The old value is dead from then on, wherever else it was used, and so are R2 keys made from it. The token needs
/// the permission 'API Tokens Write', or another profile that has it.
#[derive(Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Roll it by this profile's credential
    #[arg(long, value_name = "PROFILE")]
    with: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Rotate {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let mut store = host.store(true)?;
        let profile = store.find(&Selector::of(host).select(self.profile.get())?)?;
        let name = &profile.name;
        if profile.method != Method::ApiToken {
            let hint = if profile.method == Method::OAuth {
                format!("a new access token comes by itself, or now by: alchemy profile refresh {name}")
            } else {
                format!("roll the key on the dashboard, then: alchemy configure -p {name}")
            };
            let message = format!("profile '{name}' has no API token to rotate: it is an {}", profile.method);
            return Err(Error::new(message).hint(hint));
        }
        let endpoint = existing_endpoint(host, &profile);
        let by = match &self.with {
            Some(with) => Some(credential_of(host, &mut store, with, &profile, &endpoint)?),
            None => None,
        };
        let min_ttl = SignedDuration::ZERO;
        let source = Source {
            store: &store,
            profile: &profile,
            endpoint,
            account: None,
            min_ttl,
            gate: Gate::Inside,
            host,
        };
        let facts = rotated(&source, by.as_ref())?;
        if profile.token.as_ref() != Some(&facts) {
            r2::keep_facts(host, &mut store, &profile, &facts);
        }
        if self.json {
            return terminal::print_json(&json!({ "profile": name, "token": facts }));
        }
        host.messages.say(&format!(
            "the token of profile '{name}' has a new value; the old one is dead, wherever else it was used, and so \
             are R2 keys made from it"
        ));
        Ok(())
    }
}

/// The credential of another profile, which goes nowhere but to the API that it is for.
fn credential_of(
    host: &Host,
    store: &mut Store,
    with: &str,
    profile: &Profile,
    endpoint: &Endpoint,
) -> Result<Credential> {
    let choice = Choice::find(&Selector::of(host), store, Some(with))?;
    let session = choice.session(host, store, None, None, Gate::Inside)?;
    if session.endpoint == *endpoint {
        return Ok(session.credential);
    }
    let message = format!(
        "profile '{with}' is for the api {}, and '{}' for {endpoint}",
        session.endpoint, profile.name
    );
    Err(Error::new(message).hint("name a profile that is for the same api"))
}
