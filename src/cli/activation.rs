//! What a shell is to have in this directory: the profile that the directory selects, and its session, where
//! that may leave and is there in time.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::chosen::{Chosen, asked_life};
use super::context::Context;
use super::{MinTtl, guard};
use crate::cloudflare::Credential;
use crate::directory::Choice;
use crate::environment::{
    ACCOUNT_ID, ACTIVE, API_BASE_URL, API_KEY, API_TOKEN, BASE_URL, Changes, EXPIRATION, PROFILE, Value,
    changes,
};
use crate::error::{Error, Kind, Result};
use crate::launch;
use crate::profile::{Profile, ProfileName};
use crate::secret::Secret;
use crate::session::{Gate, Session, Source, endpoint};
use crate::shell::hook::Target;
use crate::store::Store;

/// How long a prompt waits for a session. With what comes before and after it, that is less than two seconds.
const PATIENCE: Duration = Duration::from_millis(1800);
/// When to look again after a failure that may pass.
const RETRY: SignedDuration = SignedDuration::from_secs(30);
/// When to look again for a session that was not there in time. That it came shows by the generation file.
const SOON: SignedDuration = SignedDuration::from_secs(5);
/// When to look again for a session that is over: the npm package tells nobody that somebody has signed in.
const OVER: SignedDuration = SignedDuration::from_secs(60);

/// What a shell is to have, and what the person should be told.
#[derive(Default)]
pub struct Activation {
    /// The profile, with what to set; `None` where there is none to be had.
    pub target: Option<Target>,
    /// The profile and its account, in words.
    pub shown: String,
    /// What else there is to tell.
    pub remarks: Vec<String>,
    /// When to look again in any case.
    pub until: Option<Timestamp>,
    /// Names under which the active profile's token may stand, besides the usual ones.
    pub also: Vec<String>,
}

/// What came of asking for a session.
enum Outcome {
    Session(Session),
    /// It was not there in time; somebody is still at it.
    Late,
    Failed(Error),
}

impl Activation {
    /// What the shell is to have. `active` is what it has now, and `own` what its own hook has set.
    pub fn of(context: &Context, own: &str, active: &str) -> Self {
        let mut this = Self::default();
        if active != own {
            this.also = also_of(context, active).unwrap_or_default();
        }
        if let Err(error) = this.look(context, active) {
            this.target = None;
            this.remark(&error);
        }
        this
    }

    fn look(&mut self, context: &Context, active: &str) -> Result<()> {
        let here = context.look()?;
        self.remarks.extend(here.notes.iter().cloned());
        here.sound()?;
        if let Some(ask) = here.asks.as_ref().filter(|ask| !ask.denied) {
            self.remarks.push(context.request(here, ask));
        }
        if context.names_profile() {
            return self.look_after_direnv(context, here.choice.as_ref());
        }
        let Some(choice) = &here.choice else { return Ok(()) };
        let store = context.store(false)?;
        let selection = context.selection(choice);
        let profile = store.find(&selection)?;
        let chosen = Chosen::Profile(Box::new(profile.clone()), selection);
        guard::account(context, &store, &chosen, None)?;

        self.shown = format!("{} ({})", profile.name, profile.account.short());
        let session = if profile.confirm || context.hook_exports_names()? {
            None
        } else {
            self.session(context, &store, &profile, active)?
        };
        self.remarks.extend(guard::other_account_of_wrangler(context, &profile.account));
        self.target = Some(target(choice, &profile, session.as_ref()));
        Ok(())
    }

    /// Where direnv has loaded a profile (`use alchemy`), nothing is ours to set. But direnv has no clock: when
    /// the session has run out it is refreshed, which moves the stamp that direnv watches.
    fn look_after_direnv(&mut self, context: &Context, choice: Option<&Choice>) -> Result<()> {
        let has_credential = [API_TOKEN, API_KEY].into_iter().any(|name| context.variable(name).is_some());
        let is_direnvs = context.variable("DIRENV_DIR").is_some();
        let name = context.text(PROFILE).and_then(|name| ProfileName::parse(name).ok());
        let agrees = |choice: &Choice| is_direnvs && name.as_ref() == Some(&choice.name);
        if let Some(choice) = choice.filter(|choice| !has_credential && !agrees(choice)) {
            self.remarks.push(format!(
                "'{}' ({}) is not activated: {} names another profile",
                choice.name,
                context.selection(choice).reason,
                if context.variable("CLOUDFLARE_PROFILE").is_some() { "CLOUDFLARE_PROFILE" } else { PROFILE },
            ));
        }
        let expires = context.text(EXPIRATION).and_then(|text| text.parse::<Timestamp>().ok());
        let (true, Some(expires), Some(name)) = (is_direnvs, expires, name) else { return Ok(()) };
        self.until = Some(expires - asked_life(context, &MinTtl::default())?);
        if self.until > Some(context.now) {
            return Ok(());
        }
        self.until = Some(context.now + SOON);
        let store = context.store(false)?;
        if let Some(profile) = store.get(&name)?.filter(|profile| !profile.confirm) {
            self.session(context, &store, &profile, "")?;
        }
        Ok(())
    }

    /// The profile's session, where it can be had in time.
    fn session(
        &mut self,
        context: &Context,
        store: &Store,
        profile: &Profile,
        active: &str,
    ) -> Result<Option<Session>> {
        let min_ttl = asked_life(context, &MinTtl::default())?;
        let variables = [API_BASE_URL, BASE_URL].map(|name| (name, context.text(name)));
        let (endpoint, notes) = endpoint(profile.endpoint.as_ref(), &variables);
        if active.is_empty() {
            self.remarks.extend(notes); // else the variables are ours
        }
        let source =
            Source { store, profile, endpoint, account: None, min_ttl, gate: Gate::Closed, edge: context };
        let now = context.now;
        Ok(match ask(&source) {
            Outcome::Session(session) => {
                if session.grant {
                    self.until = session.expires.map(|expires| next_look(expires, min_ttl, now));
                }
                Some(session)
            }
            Outcome::Late => {
                self.until = Some(now + SOON);
                self.remarks.push(format!("the session of '{}' is still being renewed", profile.name));
                None
            }
            Outcome::Failed(error) => {
                self.until = Some(now + if error.kind() == Kind::SignedOut { OVER } else { RETRY });
                self.remark(&error);
                None
            }
        })
    }

    fn remark(&mut self, error: &Error) {
        self.remarks.push(match error.next_step() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        });
    }
}

/// Where else the token of a profile stands that another shell has made active.
fn also_of(context: &Context, active: &str) -> Option<Vec<String>> {
    let name = ProfileName::parse(active.rsplit_once(':')?.1).ok()?;
    Some(context.store(false).ok()?.get(&name).ok()??.also)
}

/// When to look again at a grant's session.
fn next_look(expires: Timestamp, min_ttl: SignedDuration, now: Timestamp) -> Timestamp {
    let due = expires - min_ttl;
    if due > now {
        return due;
    }
    // What lives shorter than it should is looked at again when half of that is over.
    let half = expires.duration_since(now) / 2;
    now + half.clamp(SignedDuration::from_secs(1), RETRY)
}

/// What to set for a profile: with its session, or its name and account only.
fn target(choice: &Choice, profile: &Profile, session: Option<&Session>) -> Target {
    let active = format!("{}:{}", choice.at.display(), profile.name);
    let plain = |(name, value): (String, String)| (name, Value::Plain(value));
    let (mut set, mut unset) = match session {
        Some(session) => {
            let Changes { set, unset } = changes(session, &profile.also);
            (set, without_our_own(unset))
        }
        None => (named(profile).into_iter().map(plain).collect(), Vec::new()),
    };
    set.push(plain((ACTIVE.to_owned(), active.clone())));
    unset.retain(|name| name != ACTIVE);
    Target { active, set, unset, has_secret: session.is_some() }
}

/// What says which profile it is, without its secret.
pub fn named(profile: &Profile) -> [(String, String); 2] {
    [(ACCOUNT_ID.to_owned(), profile.account.id.to_string()), (PROFILE.to_owned(), profile.name.to_string())]
}

/// What to take away from a shell: not what answers for alchemy itself there, which is no client's.
pub fn without_our_own(names: Vec<String>) -> Vec<String> {
    let is_our_own =
        |name: &String| name.starts_with("ALCHEMY_") && ![EXPIRATION, ACTIVE].contains(&name.as_str());
    names.into_iter().filter(|name| !is_our_own(name)).collect()
}

/// Asks for a session: here, where it is at hand, else in a process of its own, for which a prompt does not wait
/// longer than it may.
fn ask(source: &Source) -> Outcome {
    match source.at_hand() {
        Ok(Some(session)) => return Outcome::Session(session),
        Ok(None) => {}
        Err(error) => return Outcome::Failed(error),
    }
    let handed = launch::detached(PATIENCE, || hand_over(&source.session()));
    match handed.map(|bytes| bytes.map(|bytes| serde_json::from_slice::<Handed>(&bytes))) {
        Ok(Some(Ok(handed))) => handed.taken(source),
        Ok(None) => Outcome::Late,
        Ok(Some(Err(_))) | Err(_) => {
            Outcome::Failed(Error::new("the process that was to get the session has failed"))
        }
    }
}

/// A session on its way from the process that got it, over a pipe that nobody else has.
#[derive(Deserialize)]
struct Handed {
    token: Option<Secret>,
    key: Option<Secret>,
    email: Option<String>,
    expires: Option<Timestamp>,
    failed: Option<String>,
    hint: Option<String>,
    #[serde(default)]
    over: bool,
}

fn hand_over(session: &Result<Session>) -> Zeroizing<Vec<u8>> {
    let document = match session {
        Ok(Session { credential: Credential::Token(token), expires, .. }) => {
            json!({ "token": token.expose(), "expires": expires })
        }
        Ok(Session { credential: Credential::Key { key, email }, .. }) => {
            json!({ "key": key.expose(), "email": email })
        }
        Err(error) => json!({
            "failed": error.to_string(), "hint": error.next_step(), "over": error.kind() == Kind::SignedOut,
        }),
    };
    Zeroizing::new(document.to_string().into_bytes())
}

impl Handed {
    fn taken(self, source: &Source) -> Outcome {
        let credential = match self {
            Self { token: Some(token), .. } => Credential::Token(token),
            Self { key: Some(key), email: Some(email), .. } => Credential::Key { key, email },
            Self { failed, hint, over, .. } => {
                let kind = if over { Kind::SignedOut } else { Kind::Failed };
                let error = Error::of(kind, failed.unwrap_or_default());
                return Outcome::Failed(hint.map_or_else(|| error.clone(), |hint| error.clone().hint(hint)));
            }
        };
        Outcome::Session(source.with(credential, self.expires))
    }
}
