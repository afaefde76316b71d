//! `alchemy list` and `alchemy profile list`: what profiles there are, and how long their credentials live.
//!
//! The keyring is opened for what is in it alone, how long an OAuth session lives, and without a dialog.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::profile::{Method, Profile, SignIn, StoreKind};
use crate::release::selector::Selector;
use crate::store::credential::Document;
use crate::store::{Listed, Store};
use crate::terminal;

#[derive(Args)]
pub(super) struct List {
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let store = host.store(false)?;
        let listed = store.list()?;
        // A name in a variable that cannot be one is no reason to show nothing.
        let current = Selector::of(host).select(None).ok();
        let is_current = |listed: &Listed| {
            !listed.shadowed && current.as_ref().is_some_and(|c| c.name.as_str() == listed.name)
        };
        if self.json {
            let profiles: Vec<Value> =
                listed.iter().map(|l| as_json(&store, l, is_current(l), host.started)).collect();
            return terminal::print_json(&profiles.into());
        }
        if listed.is_empty() {
            host.messages.say("no profiles yet; make one: alchemy configure");
            return Ok(());
        }
        let rows: Vec<[String; 8]> = listed
            .iter()
            .map(|l| {
                let mark = if is_current(l) { "*" } else { "" }.to_owned();
                match &l.profile {
                    Ok(p) => [
                        mark,
                        l.name.clone(),
                        p.method.to_string(),
                        p.account.name.clone(),
                        p.account.id.to_string(),
                        if l.shadowed { format!("{} (hidden)", p.store) } else { p.store.to_string() },
                        p.sign_in.as_ref().map_or_else(String::new, |s| s.scopes.len().to_string()),
                        Life::of(&store, p).in_words(host.started),
                    ],
                    Err(error) => {
                        let mut row = <[String; 8]>::default();
                        row[..4].clone_from_slice(&[mark, l.name.clone(), "?".to_owned(), error.to_string()]);
                        row
                    }
                }
            })
            .collect();
        let heading = ["", "NAME", "METHOD", "ACCOUNT", "ID", "STORE", "SCOPES", "EXPIRES"];
        terminal::print(&terminal::table(heading, &rows))
    }
}

/// How long a profile's credential lives, as far as is known without asking anybody.
pub(super) enum Life {
    /// Until then; a session is renewed by itself, a token is not.
    Until { expires: Timestamp, renews: bool },
    /// It does not expire.
    Unlimited,
    /// Nobody has told: the token was never verified.
    Untold,
    /// There is no session: signing in makes one.
    SignedOut,
    /// The session is encrypted, and a passphrase is needed to look.
    Locked,
    /// Where the session is kept cannot be read now; the reason.
    Unknown(Error),
}

impl Life {
    pub(super) fn of(store: &Store, profile: &Profile) -> Self {
        match (profile.method, &profile.token) {
            (Method::OAuth, _) => {}
            (Method::ApiToken, None) => return Self::Untold,
            (_, token) => {
                let expires = token.as_ref().and_then(|token| token.expires);
                return expires.map_or(Self::Unlimited, |expires| Self::Until { expires, renews: false });
            }
        }
        // A list is no reason to ask for a passphrase, nor to run what gives it.
        if matches!(profile.store, StoreKind::Encrypted(_)) && !store.is_open(profile) {
            return Self::Locked;
        }
        match store.credential(profile) {
            Ok(Document::OAuth(grant)) => {
                Self::Until { expires: grant.expires, renews: grant.refresh.is_some() }
            }
            Ok(_) => Self::Untold,
            Err(error) if error.kind() == Kind::SignedOut => Self::SignedOut,
            Err(error) => Self::Unknown(error),
        }
    }

    pub(super) fn in_words(&self, now: Timestamp) -> String {
        match self {
            Self::Until { expires, renews } => terminal::expiry(*expires, now, *renews),
            Self::Unlimited => "never".to_owned(),
            Self::Untold => String::new(),
            Self::SignedOut => "signed out".to_owned(),
            Self::Locked => "locked".to_owned(),
            Self::Unknown(error) => error.to_string(),
        }
    }

    /// For programs: when, and in how many seconds from now.
    pub(super) fn add_to(&self, value: &mut Value, now: Timestamp) {
        let expires = match self {
            Self::Until { expires, .. } => Some(*expires),
            _ => None,
        };
        value["expires"] = json!(expires);
        value["expiresIn"] = json!(expires.map(|at| at.duration_since(now).as_secs()));
        if value["method"] == json!(Method::OAuth) {
            value["signedIn"] = match self {
                Self::Locked | Self::Unknown(_) => Value::Null,
                life => (!matches!(life, Self::SignedOut)).into(),
            };
        }
    }
}

fn as_json(store: &Store, listed: &Listed, current: bool, now: Timestamp) -> Value {
    match &listed.profile {
        Ok(profile) => {
            let mut value = describe(profile);
            Life::of(store, profile).add_to(&mut value, now);
            value["current"] = current.into();
            value["shadowed"] = listed.shadowed.into();
            value
        }
        Err(error) => json!({ "name": listed.name, "current": current, "error": error.to_string() }),
    }
}

/// A profile for programs: everything but its secret, and what that tells.
pub(super) fn describe(profile: &Profile) -> Value {
    let mut value = json!({
        "name": profile.name,
        "method": profile.method,
        "account": profile.account,
        "store": profile.store,
        "baseUrl": profile.endpoint,
        "token": profile.token,
        "also": profile.also,
        "confirm": profile.confirm,
        "client": profile.sign_in.as_ref().map(|sign_in| sign_in.client.id.as_ref()),
        "scopes": profile.sign_in.as_ref().map(|sign_in| &sign_in.scopes),
        "missingScopes": profile.sign_in.as_ref().map(SignIn::lacks),
    });
    if let Some(detail) = profile.store.detail() {
        value["storeDetail"] = detail.into();
    }
    value
}
