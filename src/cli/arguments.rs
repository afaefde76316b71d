//! Arguments that several commands have.

use clap::Args;
use jiff::SignedDuration;

use crate::error::Result;
use crate::profile::{Account, ProfileName};
use crate::release::give::GiveOptions;
use crate::terminal::time;

/// The profile that a command is about: by position, or by `-p`.
#[derive(Args, Default)]
pub(super) struct ProfileArgument {
    /// The profile [default: by CLOUDFLARE_PROFILE, ALCHEMY_PROFILE, the directory, or 'default']
    #[arg(value_name = "PROFILE")]
    positional: Option<String>,
    /// The same, as an option
    #[arg(short, long = "profile", value_name = "PROFILE", conflicts_with = "positional")]
    profile: Option<String>,
}

impl ProfileArgument {
    /// A profile that is given by name, and not by the command line.
    pub(super) fn named(name: &ProfileName) -> Self {
        Self { profile: Some(name.to_string()), positional: None }
    }

    pub(super) fn get(&self) -> Option<&str> {
        self.profile.as_deref().or(self.positional.as_deref())
    }
}

/// The answer in advance for a profile that asks before its secret leaves.
#[derive(Args, Clone, Copy, Default)]
pub(super) struct Consent {
    /// Do not ask, for a profile that is marked 'confirm'
    #[arg(short, long)]
    pub yes: bool,
}

/// What to do where something in the directory goes before the credential.
#[derive(Args, Clone, Copy, Default)]
pub(super) struct Strictness {
    /// Run nothing where a .env or wrangler's configuration here goes before the credential or account
    #[arg(long, overrides_with = "no_strict")]
    strict: bool,
    /// Only warn of it, also where the setting 'strict' says otherwise
    #[arg(long, overrides_with = "strict")]
    no_strict: bool,
}

impl Strictness {
    /// What was said on the command line, if anything.
    pub(super) fn given(self) -> Option<bool> {
        (self.strict || self.no_strict).then_some(self.strict)
    }
}

/// What a person may say of a profile besides its credential.
#[derive(Args, Clone, Copy, Default)]
pub(super) struct Marks {
    /// Have it ask each time before its secret leaves; shell hooks and direnv get its name only
    #[arg(long, conflicts_with = "no_confirm")]
    confirm: bool,
    /// Have it ask no more
    #[arg(long)]
    no_confirm: bool,
}

impl Marks {
    pub(super) fn given(self) -> bool {
        self.confirm || self.no_confirm
    }

    /// What was said of whether it asks, if anything.
    pub(super) fn asked(self) -> Option<bool> {
        self.given().then_some(self.confirm)
    }

    /// Whether the profile asks, that did so `before` or did not.
    pub(super) fn confirm(self, before: bool) -> bool {
        if self.given() { self.confirm } else { before }
    }
}

/// The life that an OAuth token must have left.
#[derive(Args, Default)]
pub(super) struct MinTtl {
    /// Refresh an OAuth token that lives shorter (90, 90s, 15m) [default: ALCHEMY_MIN_TTL, or 60s]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub min_ttl: Option<SignedDuration>,
}

/// Whether the person wants to choose.
#[derive(Args, Clone, Copy, Default)]
pub(super) struct Pick {
    /// Choose the profile from a list
    #[arg(long)]
    pub pick: bool,
}

/// What may be said of a credential for one run.
#[derive(Args)]
pub(super) struct GiveArguments {
    /// Another account for this run
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    #[command(flatten)]
    min_ttl: MinTtl,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    strictness: Strictness,
}

impl GiveArguments {
    /// The same as options of the release.
    ///
    /// Fails when the account is no ID.
    pub(super) fn options(&self) -> Result<GiveOptions> {
        Ok(GiveOptions {
            account: self.account.as_deref().map(Account::of_id).transpose()?,
            min_ttl: self.min_ttl.min_ttl,
            yes: self.consent.yes,
            strict: self.strictness.given(),
        })
    }
}
