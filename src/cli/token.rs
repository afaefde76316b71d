//! `alchemy token`: the bare token on stdout, nothing else.

use clap::Args;

use super::{Consent, MinTtl, ProfileArgument};
use crate::cloudflare::Credential;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::Account;
use crate::release::choice::Choice;
use crate::release::gate::outward_gate;
use crate::release::selector::Selector;
use crate::terminal;

/// Print the token and a newline, nothing else
#[derive(Args)]
pub(super) struct Token {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Another account than the profile's
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    #[command(flatten)]
    min_ttl: MinTtl,
    #[command(flatten)]
    consent: Consent,
}

impl Token {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let account = self.account.as_deref().map(Account::of_id).transpose()?;
        let mut store = host.store(true)?;
        let selector = Selector::of(host);
        let choice = Choice::find(&selector, &store, self.profile.get())?;
        match choice
            .check(&selector, &store, account)?
            .release(host, &mut store, self.min_ttl.min_ttl, outward_gate(host, self.consent.yes))?
            .credential
        {
            Credential::Token(token) => {
                terminal::print(&zeroize::Zeroizing::new(format!("{}\n", token.expose())))
            }
            Credential::Key { .. } => Err(Error::new("this credential is a Global API Key, not a token")
                .hint("alchemy credential-process prints keys, alchemy exec and env set them")),
        }
    }
}
