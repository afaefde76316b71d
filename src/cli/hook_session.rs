//! `alchemy hook-session` (hidden): the process of its own that gets a session for a hook.

use clap::Args;

use super::hook::refuse_terminal;
use crate::error::Result;
use crate::hook::sources::{Sources, hand_over};
use crate::host::Host;
use crate::release::choice::Choice;
use crate::release::selector::Selector;

/// `alchemy hook-session` (hidden): the process of its own that gets a session for [`Sources::ask`], however long
/// that takes. Whoever asked may be gone by then: what was renewed is in the store.
#[derive(Args)]
pub(super) struct HookSession {
    profile: String,
    /// Take only what is stored
    #[arg(long)]
    offline: bool,
}

impl HookSession {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        refuse_terminal()?;
        let store = host.store(false)?;
        let selector = Selector::of(host);
        let selection = selector.select(Some(&self.profile))?;
        let profile = store.find(&selection)?;
        let choice = Choice::Profile(Box::new(profile.clone()), selection);
        choice.check_silently(&selector, &store, None)?;
        // Nobody shall wait for us who wants to take the directory away.
        let _ = std::env::set_current_dir("/");
        let sources = Sources::of(host, &store, &profile)?.0;
        hand_over(&if self.offline { sources.stored() } else { sources.session() })
    }
}
