//! A sign-in to a profile, from the question to what is kept: what `alchemy configure` and `alchemy login`
//! have in common.

pub(crate) mod account;
mod browser;
pub(crate) mod client;
mod scopes;

use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::http::Endpoint;
use crate::oauth::client::Client;
use crate::oauth::scopes::{Catalog, OFFLINE_ACCESS, parse};
use crate::profile::{Account, Method, Profile, ProfileName, SignIn, StoreKind};
use crate::store::Store;
use crate::store::credential::{Document, Grant};
use crate::terminal;
use browser::{NO_REFRESH_TOKEN, discard, sign_in};
use client::SignInOptions;
use scopes::choose_scopes;

/// A sign-in to a profile, from the question to what is kept.
pub(crate) struct SignInPlan<'a> {
    /// The profile's name.
    pub name: ProfileName,
    /// The profile as it is, where there is one.
    pub before: Option<Profile>,
    /// Where its session is kept.
    pub store_kind: StoreKind,
    /// How to sign in.
    pub options: &'a SignInOptions,
    /// Whether the profile asks before its secret leaves; `None` leaves that as it is.
    pub confirm: Option<bool>,
    /// Nothing is asked.
    pub yes: bool,
    /// The command that tries once more.
    pub again: String,
}

impl SignInPlan<'_> {
    /// Signs in and keeps what comes of it, for the account that `account` finds; it gets the profile as it
    /// is by then, the grant, and the API.
    ///
    /// Then the old session is still in place, and the new one is revoked.
    pub(crate) fn carry_out(
        &self,
        host: &Host,
        store: &mut Store,
        account: impl FnOnce(Option<&Profile>, &Grant, &Endpoint) -> Result<Account>,
    ) -> Result<()> {
        let before = self.before.as_ref();
        let signed_in = before.and_then(|before| before.sign_in.as_ref());
        let client = self.options.client.resolve(host, signed_in.map(|it| &it.client))?;
        if self.store_kind == StoreKind::Npm && !client.is_v2() {
            return Err(Error::new(format!(
                "profile '{}' is kept by npm alchemy 2, which knows no client but its own",
                self.name
            ))
            .hint("leave --client and the endpoints out, or make another profile: alchemy configure"));
        }
        store.has_room_for(&self.name, &self.store_kind, before)?;
        let scopes = self.scopes(&client, signed_in)?;
        let endpoint = match before.and_then(|before| before.endpoint.clone()) {
            Some(kept) if host.variable(crate::environment::API_BASE_URL).is_none() => kept,
            _ => host.new_endpoint()?,
        };
        // A question in between can be ended nevertheless.
        let (sign_in, grant, _held_back) = sign_in(host, client, scopes, self.options, &self.again)?;
        let client = sign_in.client.clone();
        let kept = self.check(host, store, &sign_in, &grant).and_then(|()| {
            let before = self.by_now(store)?;
            let profile = Profile {
                name: self.name.clone(),
                method: Method::OAuth,
                account: account(before.as_ref(), &grant, &endpoint)?,
                store: self.store_kind.clone(),
                // A loopback API is a test's, and gone tomorrow; it is never kept, and takes no other's place.
                endpoint: if endpoint.is_loopback() {
                    before.as_ref().and_then(|before| before.endpoint.clone())
                } else {
                    Some(endpoint).filter(|endpoint| !endpoint.is_cloudflare())
                },
                token: None,
                sign_in: Some(sign_in),
                confirm: self.confirm.unwrap_or_else(|| before.as_ref().is_some_and(|before| before.confirm)),
                also: before.map(|before| before.also).unwrap_or_default(),
            };
            store.put(&profile, &Document::OAuth(grant.clone()), self.confirm)?;
            Ok(profile)
        });
        let profile = kept.inspect_err(|_| discard(host, &client, &grant))?;
        say_ready(host, &profile);
        Ok(())
    }

    /// The profile as it is by now: signing in takes minutes, and what others did meanwhile stays done.
    fn by_now(&self, store: &mut Store) -> Result<Option<Profile>> {
        store.reload()?;
        let now = store.get(&self.name);
        let kind = |profile: &Profile| (profile.method, profile.store.clone());
        match (&self.before, &now) {
            (Some(before), Ok(now)) if now.as_ref().map(kind) != Some(kind(before)) => {
                let (name, done) = (&self.name, if now.is_some() { "changed" } else { "deleted or renamed" });
                Err(Error::new(format!("profile '{name}' was {done} while you signed in; it is left so"))
                    .hint(format!("see what there is now: alchemy list; then: {}", self.again)))
            }
            // One that cannot be read is replaced: that is how it is mended.
            _ => Ok(now.ok().flatten()),
        }
    }

    /// The scopes to ask for: those that are named, those of the profile, or what the person chooses.
    fn scopes(&self, client: &Client, before: Option<&SignIn>) -> Result<Vec<String>> {
        if let Some(text) = &self.options.scopes {
            return parse(text, client);
        }
        let before = before.filter(|before| before.client.is_v1() == client.is_v1());
        // Npm keeps with the scopes what is none.
        let before = before.map(SignIn::scopes_to_ask).unwrap_or_default().iter();
        let before: Vec<String> = before.filter(|scope| *scope != OFFLINE_ACCESS).cloned().collect();
        if !before.is_empty() {
            Ok(before)
        } else if self.yes || !terminal::stderr_is_terminal() {
            Ok(Catalog::of(client).basic)
        } else {
            choose_scopes(&Catalog::of(client))
        }
    }

    /// What must hold before the old session goes.
    fn check(&self, host: &Host, store: &Store, sign_in: &SignIn, grant: &Grant) -> Result<()> {
        if grant.refresh.is_none() {
            return Err(Error::new(NO_REFRESH_TOKEN).hint(
                "the client must be allowed to get one (grant type refresh_token, scope offline_access)",
            ));
        }
        let lacks = sign_in.lacks();
        if lacks.is_empty() {
            return Ok(());
        }
        host.messages.say(&format!("not granted, of what was asked for: {}", lacks.join(" ")));
        let loses = self.before.as_ref().is_some_and(|before| {
            let had = before.sign_in.as_ref().map(|it| it.scopes.as_slice()).unwrap_or_default();
            had.iter().any(|scope| lacks.contains(&scope.as_str())) && store.credential(before).is_ok()
        });
        if loses
            && !self.yes
            && !terminal::ask_yes("the old session has more; replace it all the same?", "--yes")?
        {
            return Err(Error::new("cancelled; the old session is kept"));
        }
        Ok(())
    }
}

/// Says that a profile is made, or changed.
pub(crate) fn say_ready(host: &Host, profile: &Profile) {
    let Profile { name, method, account, store, .. } = profile;
    host.messages
        .say(&format!("profile '{name}' is ready: {method}, account {account}, kept in the {store} store"));
}

/// Signs in again to a profile.
pub(crate) fn sign_in_again(
    host: &Host,
    store: &mut Store,
    profile: Profile,
    options: &SignInOptions,
    yes: bool,
) -> Result<()> {
    let name = profile.name.clone();
    if profile.method != Method::OAuth {
        return Err(Error::new(format!("profile '{name}' does not sign in: it is an {}", profile.method))
            .hint(format!("to make it sign in: alchemy configure -p {name} --method oauth")));
    }
    let pinned = profile.account.clone();
    let plan = SignInPlan {
        again: format!("alchemy login -p {name}"),
        name,
        store_kind: profile.store.clone(),
        before: Some(profile),
        options,
        confirm: None,
        yes,
    };
    plan.carry_out(host, store, |before, grant, endpoint| {
        account::same_account(host, before.map_or(&pinned, |before| &before.account), grant, endpoint)
    })
}

/// Offers to sign in again after `error`, where a person can answer; whether that was done.
pub(crate) fn offer_sign_in(
    host: &Host,
    store: &mut Store,
    profile: &Profile,
    error: &Error,
) -> Result<bool> {
    if error.kind() != Kind::SignedOut || !store.may_ask() {
        return Ok(false);
    }
    host.messages.say(&error.to_string());
    if !terminal::ask_yes("sign in now?", "alchemy login")? {
        return Err(error.clone().retold(Kind::SignedOut, "cancelled; nothing was run"));
    }
    let options = SignInOptions { stdin_is_taken: true, ..SignInOptions::default() };
    sign_in_again(host, store, profile.clone(), &options, false)?;
    Ok(true)
}
