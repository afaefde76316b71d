//! `alchemy logout`: revoke a grant at Cloudflare, then forget it.

use clap::Args;
use serde_json::json;

use super::ProfileArgument;
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::http;
use crate::oauth::client::REVOKE_URL;
use crate::oauth::failure::Failure;
use crate::oauth::token::revoke;
use crate::profile::{Method, Profile, ProfileName, StoreKind};
use crate::release::selector::Selector;
use crate::session::grant_endpoint;
use crate::signals::HeldBack;
use crate::store::credential::Grant;
use crate::store::grant::Held;
use crate::store::{Listed, Store};
use crate::terminal;

/// Sign out: revoke the OAuth grant at Cloudflare, then forget it
///
/// The profile stays, so that 'alchemy login' can sign in again.
#[derive(Args)]
pub(super) struct Logout {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Sign out of all profiles with OAuth
    #[arg(long, conflicts_with_all = ["positional", "profile"])]
    all: bool,
    /// Forget without asking Cloudflare, where the grant stays valid
    #[arg(long)]
    local: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Logout {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let store = host.store(true)?;
        let (mut profiles, mut failed) = (Vec::new(), Vec::new());
        if self.all {
            for Listed { name, profile, .. } in store.list()?.into_iter().filter(|listed| !listed.shadowed) {
                match profile {
                    Ok(profile) if profile.method == Method::OAuth => profiles.push(profile),
                    Ok(_) => {}
                    // It may be signed in.
                    Err(error) => {
                        let message = format!("cannot sign out of '{name}': {error}");
                        failed.push(error.retold(Kind::Failed, message));
                    }
                }
            }
        } else {
            profiles.push(store.find(&Selector::of(host).select(self.profile.get())?)?);
        }
        let mut done = Vec::new();
        for profile in &profiles {
            match sign_out(host, &store, profile, self.local) {
                Ok(signed_out) => done.push(json!({ "profile": profile.name, "signedOut": signed_out })),
                Err(error) => failed.push(error),
            }
        }
        if self.json {
            terminal::print_json(&done.into())?;
        } else if profiles.is_empty() && failed.is_empty() {
            host.messages.say("no profile is signed in with oauth");
        }
        // One that could not be signed out is no reason to leave out the others.
        let last = failed.pop();
        for error in &failed {
            host.messages.error(error);
        }
        last.map_or(Ok(()), Err)
    }
}

/// Signs out of a profile; whether it was signed in.
fn sign_out(host: &Host, store: &Store, profile: &Profile, local: bool) -> Result<bool> {
    let name = &profile.name;
    if profile.method != Method::OAuth {
        return Err(Error::new(format!(
            "profile '{name}' has no oauth session: it is an {}",
            profile.method
        ))
        .hint(format!("to forget it: alchemy profile delete {name}")));
    }
    // Dropped after the locks: stopped by Ctrl-Z with them in hand, we would stop everyone else.
    let _held_back;
    if !local {
        unlock(store, profile).map_err(|error| error.or(&by_force(name)))?;
    }
    let held = hold(store, profile)?;
    _held_back = HeldBack::interruptions();
    match held.read() {
        Err(error) if error.kind() == Kind::SignedOut => {
            host.messages.say(&format!("profile '{name}' is not signed in"));
            return Ok(false);
        }
        _ if local => {}
        Ok(current) => revoke_grant(host, profile, &current.document.into_grant(name)?)
            .map_err(|error| error.or(&by_force(name)))?,
        Err(error) => return Err(error),
    }
    held.forget()?;
    let how = if local { "; its grant stays valid at cloudflare, as that was not asked" } else { "" };
    let again = if profile.store == StoreKind::Npm {
        format!("npx alchemy profile edit --profile {name} --add Cloudflare")
    } else {
        format!("alchemy login -p {name}")
    };
    host.messages.say(&format!("signed out of '{name}'{how}; sign in again: {again}"));
    Ok(true)
}

/// Revokes the grant of a profile that is about to be deleted; one that is not signed in has none.
///
/// Fails when the server cannot be asked, or refuses.
pub(super) fn revoke_of(host: &Host, store: &Store, profile: &Profile) -> Result<()> {
    unlock(store, profile)?;
    let _held_back = HeldBack::suspension();
    match hold(store, profile)?.read() {
        Ok(current) => revoke_grant(host, profile, &current.document.into_grant(&profile.name)?),
        Err(error) if error.kind() == Kind::SignedOut => Ok(()),
        Err(error) => Err(error),
    }
}

fn by_force(name: &ProfileName) -> String {
    format!("forget it here alone: alchemy logout -p {name} --local")
}

/// Has a person asked for a passphrase now, and not with locks in hand that others wait for.
fn unlock(store: &Store, profile: &Profile) -> Result<()> {
    match profile.store {
        StoreKind::Encrypted(_) if !store.is_open(profile) => store.credential(profile).map(drop),
        _ => Ok(()),
    }
}

fn hold<'s, 'a>(store: &'s Store<'a>, profile: &Profile) -> Result<Held<'s, 'a>> {
    let mut held = store.hold(profile)?;
    held.share_with_npm()?;
    Ok(held)
}

/// Revokes a grant of the profile's (RFC 7009).
fn revoke_grant(host: &Host, profile: &Profile, grant: &Grant) -> Result<()> {
    let name = &profile.name;
    let client = grant.client(profile)?;
    let Some(usual) = client.revoke_url() else {
        return Err(Error::new(format!("no revocation endpoint is known for the grant of profile '{name}'")));
    };
    let kept = client.revoke_url.as_ref();
    let url = grant_endpoint(host, "the revocation endpoint", kept, usual, REVOKE_URL);
    let network = host.network();
    let failed = |failure: Failure| {
        Error::new(format!("cannot revoke the grant of profile '{name}' at {}: {failure}", url.host()))
            .hint(failure.next_step())
    };
    http::run(revoke(&client, &url, &network, grant.revocable()))??.map_err(failed)
}
