//! Writing what was planned: profiles, then bindings; last, the sign-ins are offered.

use super::Import;
use super::planned::{Item, Planned};
use crate::directory::bindings::bind;
use crate::error::Result;
use crate::host::Host;
use crate::import::{Accounts, Fate, WHY_NO_GRANT};
use crate::profile::{Account, Encryption, Method, Profile, ProfileName, SignIn, StoreKind};
use crate::session::sign_in::client::SignInOptions;
use crate::session::sign_in::{say_ready, sign_in_again};
use crate::store::Store;
use crate::terminal;

/// Carries it out.
pub(super) fn carry_out(import: &Import, host: &Host, store: &mut Store, planned: &Planned) -> Result<()> {
    let to_make = planned.items.iter().filter_map(|item| match (&item.fate, &item.name, &item.accounts) {
        (Fate::Make | Fate::Replace(_), Some(name), Accounts::One(account)) => Some((item, name, account)),
        _ => None,
    });
    let (mut kept_in, mut signed_out) = (None::<StoreKind>, Vec::new());
    let is_store_given = import.store.is_given()?;
    for (item, name, account) in to_make {
        let before = store.get(name).ok().flatten();
        let kept = before.as_ref().map(|before| before.store.clone()).filter(|kind| *kind != StoreKind::Npm);
        // Decided once for all that are new, and said once; but each has a passphrase of its own.
        let kind = match (kept, &kept_in) {
            (Some(kept), _) if !is_store_given => kept,
            (_, Some(kind)) if *kind != StoreKind::Encrypted(Encryption::Passphrase) => kind.clone(),
            _ => kept_in.insert(import.store.resolve(host, store, name, None)?).clone(),
        };
        let profile = profile(planned, item, (name, account), kind, before);
        if let Some(document) = item.found.what.document() {
            store.put(&profile, &document, None)?;
            say_ready(host, &profile);
            continue;
        }
        store.put_signed_out(&profile)?;
        let scopes = profile.sign_in.as_ref().map_or(0, |sign_in| sign_in.scopes.len());
        host.messages
            .say(&format!("profile '{name}' is made: oauth, account {account}, {scopes} scopes, signed out"));
        signed_out.push(profile);
    }
    for bound in &planned.bindings {
        if let (Fate::Make | Fate::Replace(_), Some(name)) = (&bound.fate, &bound.name) {
            bind(&host.home, &bound.directory, name, host.messages)?;
            host.messages.say(&format!("{} uses profile '{name}' now", host.shown(&bound.directory)));
        }
    }
    offer_sign_ins(import, host, store, signed_out)
}

fn profile(
    planned: &Planned,
    item: &Item,
    (name, account): (&ProfileName, &Account),
    store: StoreKind,
    before: Option<Profile>,
) -> Profile {
    let endpoint = &planned.endpoint;
    let sign_in = item.scopes.as_ref().map(|scopes| SignIn {
        client: planned.client.clone(),
        scopes: scopes.scopes.clone(),
        asked: None,
    });
    Profile {
        name: name.clone(),
        method: item.found.what.method().unwrap_or(Method::OAuth),
        account: account.clone(),
        store,
        // A loopback API is a test's, and gone tomorrow; it is never kept.
        endpoint: Some(endpoint.clone()).filter(|it| !it.is_cloudflare() && !it.is_loopback()),
        token: item.token.clone(),
        sign_in,
        confirm: before.as_ref().is_some_and(|before| before.confirm),
        also: before.map(|before| before.also).unwrap_or_default(),
    }
}

fn offer_sign_ins(import: &Import, host: &Host, store: &mut Store, signed_out: Vec<Profile>) -> Result<()> {
    if signed_out.is_empty() {
        return Ok(());
    }
    host.messages.say(&format!("the sign-in of {} is not copied: {WHY_NO_GRANT}", import.tool));
    for profile in signed_out {
        let name = profile.name.clone();
        let now = store.may_ask()
            && !import.yes
            && terminal::ask_yes(&format!("sign in to '{name}' now?"), "alchemy login")?;
        if now {
            // One that fails leaves the others, and the profile, as they are.
            match sign_in_again(host, store, profile, &SignInOptions::default(), false) {
                Ok(()) => continue,
                Err(error) => host.messages.error(&error),
            }
        }
        host.messages.say(&format!("to sign in: alchemy login -p {name}"));
    }
    Ok(())
}
