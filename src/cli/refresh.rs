//! `alchemy profile refresh`: get a new access token now, without waiting for the old one to run out.

use clap::Args;
use serde_json::json;

use super::ProfileArgument;
use crate::cloudflare::Credential;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::Method;
use crate::release::choice::Choice;
use crate::release::selector::Selector;
use crate::session::Gate;
use crate::store::credential::Document;
use crate::terminal;

/// Get a new access token now; where that is not possible any more, sign in
#[derive(Args)]
pub(super) struct Refresh {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Refresh {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let mut store = host.store(true)?;
        let selection = Selector::of(host).select(self.profile.get())?;
        let profile = store.find(&selection)?;
        let name = profile.name.clone();
        if profile.method != Method::OAuth {
            return Err(Error::new(format!(
                "profile '{name}' is an {}, which needs no refresh",
                profile.method
            ))
            .hint(format!("to see whether it works: alchemy whoami {name}")));
        }
        let before = store.credential(&profile).ok();
        let choice = Choice::Profile(Box::new(profile), selection);
        let session =
            choice.session_living(host, &mut store, None, jiff::SignedDuration::MAX, Gate::Inside)?;
        if let (Some(Document::OAuth(grant)), Credential::Token(token)) = (before, &session.credential)
            && grant.access == *token
        {
            return Err(Error::new(format!(
                "profile '{name}' has got no new access token; the old one lives"
            ))
            .hint(format!("try again: alchemy profile refresh {name}")));
        }
        if self.json {
            return terminal::print_json(&json!({ "profile": name, "expires": session.expires }));
        }
        let life = session.expires.map(|at| terminal::expiry(at, host.started, true)).unwrap_or_default();
        host.messages.say(&format!("profile '{name}' has a new access token, which expires {life}"));
        Ok(())
    }
}
