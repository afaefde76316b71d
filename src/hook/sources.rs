//! How a hook gets a profile's session without waiting for longer than a prompt may: what is at hand is taken, and for
//! anything else a process of its own is started, which hands the session over.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use zeroize::Zeroizing;

use crate::cloudflare::Credential;
use crate::disk::generation;
use crate::error::{Error, Kind, Result, reason};
use crate::host::Host;
use crate::launch;
use crate::profile::{Profile, StoreKind};
use crate::release::release::{endpoint_of, min_ttl};
use crate::secret::Secret;
use crate::session::{Gate, Session, Source};
use crate::store::{Store, inspect};
use crate::terminal;

/// How long a prompt waits for a session. With what comes before and after it, that is less than two seconds.
const PATIENCE: Duration = Duration::from_millis(1800);
/// What came of asking for a session.
pub(crate) enum Outcome {
    Session(Session),
    /// It was not there in time; somebody is still at it.
    Late,
    Failed(Error),
}

/// Where a profile's sessions come from for a hook.
pub(crate) struct Sources<'a> {
    /// One that lives.
    living: Source<'a>,
    /// One that lives as long as was asked for.
    pub fresh: Source<'a>,
}

impl<'a> Sources<'a> {
    /// The sources, and what there is to say of them.
    pub(crate) fn of(
        host: &'a Host,
        store: &'a Store<'a>,
        profile: &'a Profile,
    ) -> Result<(Self, Vec<String>)> {
        let min_ttl = min_ttl(host, None)?;
        let (endpoint, notes) = endpoint_of(host, profile);
        let source = |min_ttl| {
            let endpoint = endpoint.clone();
            // Nobody is there to be asked.
            Source { store, profile, endpoint, account: None, min_ttl, gate: Gate::Closed, host }
        };
        Ok((Self { living: source(SignedDuration::ZERO), fresh: source(min_ttl) }, notes))
    }

    /// Asks for a session: here, where it is at hand, else in a process of its own, for which a prompt does not
    /// wait longer than it may. `offline`: only for what is stored.
    pub(crate) fn ask(&self, host: &Host, offline: bool) -> Outcome {
        match self.living.if_immediate() {
            Ok(Some(session)) if offline || !self.is_due(&session) => return Outcome::Session(session),
            Ok(_) if offline && self.living.profile.store != StoreKind::Keyring => return Outcome::Late,
            Ok(_) => {}
            Err(error) => return Outcome::Failed(error),
        }
        let name = self.fresh.profile.name.as_str();
        let words: &[&str] =
            if offline { &["hook-session", name, "--offline"] } else { &["hook-session", name] };
        let handed = host.binary().and_then(|binary| {
            launch::detached(&binary, words, PATIENCE).map_err(|error| {
                Error::new(format!("cannot get the session of '{name}': {}", reason(&error)))
            })
        });
        match handed {
            Ok(Some(bytes)) => match serde_json::from_slice::<Handed>(&bytes) {
                Ok(handed) => {
                    // That process has nobody whom it could tell.
                    if let Some(loss) = inspect::loss(&host.home, &self.fresh.profile.name) {
                        host.messages.loss(&loss);
                    }
                    handed.taken(&self.fresh)
                }
                Err(_) => Outcome::Failed(Error::new(format!("cannot get the session of '{name}'"))),
            },
            Ok(None) => Outcome::Late,
            Err(error) => Outcome::Failed(error),
        }
    }

    /// Returns the session that is stored and still lives.
    pub(crate) fn stored(&self) -> Result<Session> {
        let name = &self.living.profile.name;
        self.living.stored()?.ok_or_else(|| Error::new(format!("the session of '{name}' is not at hand")))
    }

    /// The session, however long it takes.
    pub(crate) fn session(&self) -> Result<Session> {
        match self.living.session() {
            Ok(session) if self.is_due(&session) => self.fresh.session(),
            session => session,
        }
    }

    /// Whether a session has less life than was asked for, and a refresh would give it more. It gives no more to
    /// one of which more is to come than has passed since the last: each would move the generation file, and so
    /// have every shell's next prompt ask for another.
    fn is_due(&self, session: &Session) -> bool {
        let Source { store, profile, host, min_ttl, .. } = &self.fresh;
        let Some(expires) = session.expires.filter(|_| session.grant) else { return false };
        let now = host.now();
        let left = expires.duration_since(now);
        let changed = || generation::changed(store.home(), &profile.name);
        left < *min_ttl && changed().is_none_or(|changed| now.duration_since(changed) >= left)
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

/// Hands a session over to the hook that waits for it.
pub(crate) fn hand_over(session: &Result<Session>) -> Result<()> {
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
    terminal::print(&Zeroizing::new(document.to_string()))
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
