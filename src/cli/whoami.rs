//! `alchemy whoami`: ask Cloudflare who the credential is, and what it can see.

use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::{Pick, ProfileArgument};
use crate::cloudflare::{Credential, Identity, Who, identify};
use crate::error::Result;
use crate::host::Host;
use crate::profile::{Method, SignIn};
use crate::release::choice::Choice;
use crate::release::selector::Selector;
use crate::session::{Gate, Session};
use crate::terminal;

/// Ask Cloudflare: who, which accounts, how long still
#[derive(Args)]
pub(super) struct Whoami {
    #[command(flatten)]
    profile: ProfileArgument,
    #[command(flatten)]
    pick: Pick,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Whoami {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let mut store = host.store(true)?;
        let choice = Choice::find_or_pick(&Selector::of(host), &store, self.profile.get(), self.pick.pick)?;
        let session = choice.session(host, &mut store, None, None, Gate::Inside)?;
        let notice = |text: &str| host.messages.say(text);
        let client = host.client(&session.endpoint, &session.credential, &notice)?;
        let pinned = session.account.as_ref().map(|account| &account.id);
        let identity = identify(&client, &session.credential, pinned, host.started)?;
        if self.json {
            terminal::print_json(&as_json(&choice, &session, &identity, host.started))
        } else {
            terminal::print(&as_text(&choice, &session, &identity, host.started))
        }
    }
}

fn method(session: &Session) -> Method {
    match &session.credential {
        Credential::Key { .. } => Method::ApiKey,
        Credential::Token(_) if session.grant => Method::OAuth,
        Credential::Token(_) => Method::ApiToken,
    }
}

/// What is wrong with the pinned account, where something is.
fn unseen(session: &Session, identity: &Identity) -> bool {
    session.account.as_ref().is_some_and(|pinned| {
        !identity.accounts.is_empty()
            && identity.owner() != Some(&pinned.id)
            && !identity.accounts.iter().any(|account| account.id == pinned.id)
    })
}

fn as_text(choice: &Choice, session: &Session, identity: &Identity, now: Timestamp) -> String {
    let profile = match choice {
        Choice::Profile(profile, selection) => format!("{} ({})", profile.name, selection.reason),
        Choice::Environment(_) => "none (the environment's credential)".to_owned(),
    };
    let who = match &identity.who {
        Who::User { email: Some(email), .. } => email.clone(),
        Who::User { email: None, .. } => "a user (the credential may not read which)".to_owned(),
        Who::Account(owner) => format!("account {owner} (a token of its own)"),
    };
    let mut lines = vec![("profile", profile), ("method", method(session).to_string()), ("who", who)];
    if let Some(token) = &identity.token {
        lines.push(("token", format!("{} ({})", token.id, token.status)));
    }
    let expires = identity.token.as_ref().and_then(|token| token.expires_on).or(session.expires);
    let expires = expires.map(|at| format!("{at} ({})", terminal::expiry(at, now, session.grant)));
    lines.push(("expires", expires.unwrap_or_else(|| "never".to_owned())));
    if let Choice::Profile(profile, _) = choice
        && let Some(sign_in) = &profile.sign_in
    {
        lines.push(("scopes", sign_in.scopes.join(" ")));
        if !sign_in.lacks().is_empty() {
            lines.push(("lacks", sign_in.lacks().join(" ")));
        }
    }
    if unseen(session, identity)
        && let Some(pinned) = &session.account
    {
        lines.push(("account", format!("{pinned}: pinned, but not among those that the credential sees")));
    }
    let mut text = terminal::fields(&lines);
    let rows: Vec<[String; 3]> = identity
        .accounts
        .iter()
        .map(|account| {
            let pinned = session.account.as_ref().is_some_and(|pinned| pinned.id == account.id);
            [
                account.id.to_string(),
                account.name.clone(),
                if pinned { "pinned".to_owned() } else { String::new() },
            ]
        })
        .collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&terminal::table(["ACCOUNT", "NAME", ""], &rows));
    }
    text
}

fn as_json(choice: &Choice, session: &Session, identity: &Identity, now: Timestamp) -> serde_json::Value {
    let (email, user, owner) = match &identity.who {
        Who::User { email, id } => (email.as_ref(), id.as_ref(), None),
        Who::Account(owner) => (None, None, Some(owner)),
    };
    let token =
        identity.token.as_ref().map(|token| json!({ "id": token.id, "status": token.status.to_string() }));
    let expires = identity.token.as_ref().and_then(|token| token.expires_on).or(session.expires);
    let pinned = session.account.as_ref().map(|pinned| {
        let name = identity.accounts.iter().find(|a| a.id == pinned.id).map_or(&pinned.name, |a| &a.name);
        json!({ "id": pinned.id, "name": name, "visible": !unseen(session, identity) })
    });
    let sign_in = match choice {
        Choice::Profile(profile, _) => profile.sign_in.as_ref(),
        Choice::Environment(_) => None,
    };
    json!({
        "profile": session.profile,
        "method": method(session),
        "user": { "id": user, "email": email },
        "ownedBy": owner,
        "token": token,
        "expires": expires,
        "expiresIn": expires.map(|at| at.duration_since(now).as_secs()),
        "scopes": sign_in.map(|sign_in| &sign_in.scopes),
        "missingScopes": sign_in.map(SignIn::lacks),
        "account": pinned,
        "accounts": identity.accounts,
    })
}
