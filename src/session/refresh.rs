//! The one refresh rule (design §6).
//!
//! A refresh token is spent by one process at a time, under the profile's locks, after reading again what
//! is there; the new pair is durable before anything uses it; and whoever waited meanwhile takes over what
//! came of it, a failure too.

use std::fmt::Write;
use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::{Source, grant_endpoint};
use crate::disk::generation;
use crate::disk::lock::{FailedRefresh, Sent};
use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::http::Requests;
use crate::oauth::client::TOKEN_URL;
use crate::oauth::failure::{BACK_OFF, Failure};
use crate::oauth::token::{Authority, LONGEST_LIFE, Tokens, expires};
use crate::signals::HeldBack;
use crate::store::credential::{Document, Grant};
use crate::store::grant::{Current, Held};
use crate::terminal::life;

/// The life that makes a token that somebody else has got good enough, whatever was asked for.
const ENOUGH: SignedDuration = SignedDuration::from_secs(10);
/// After this long no further try is begun, so that whoever waits for the lock outlasts us.
const NO_MORE_TRIES: Duration = Duration::from_secs(25);

/// Why there is no fresh grant.
enum Stop {
    /// The grant is over.
    Over(Error),
    /// Something that may pass: a token that still lives will do.
    Passing(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Passing(error)
    }
}

impl From<FailedRefresh> for Stop {
    fn from(FailedRefresh { over, message, hint, .. }: FailedRefresh) -> Self {
        if over {
            Self::Over(Error::of(Kind::SignedOut, message).hint(hint))
        } else {
            Self::Passing(Error::new(message).hint(hint))
        }
    }
}

impl Stop {
    /// As it is told to those who wait.
    fn at(&self, at: Timestamp) -> FailedRefresh {
        let (over, error) = match self {
            Self::Over(error) => (true, error),
            Self::Passing(error) => (false, error),
        };
        let hint = error.next_step().unwrap_or_default().to_owned();
        FailedRefresh { at, over, message: error.to_string(), hint }
    }
}

/// Whether the grant can be used at `now` without a refresh.
pub(super) fn is_fresh(grant: &Grant, now: Timestamp, min_ttl: SignedDuration) -> bool {
    let left = grant.expires.duration_since(now);
    left >= min_ttl && left <= LONGEST_LIFE
}

/// A grant with life in it, for one that has too little. `started` is when the too little was seen.
///
/// Fails when the grant is over ([`Kind::SignedOut`]), or cannot be refreshed and its token does not live.
pub(super) fn refreshed(source: &Source, first: &Grant, started: Timestamp) -> Result<Grant> {
    let name = &source.profile.name;
    let messages = source.host.messages;
    report_absurd(source, first, started);
    let mut latest = first.clone();
    match (Refresh { source, first, started }).run(&mut latest) {
        Ok(grant) => Ok(grant),
        Err(Stop::Over(error)) => Err(error),
        Err(Stop::Passing(error)) => {
            let left = latest.expires.duration_since(source.host.now());
            if left <= SignedDuration::ZERO || left > LONGEST_LIFE {
                return Err(error);
            }
            messages.say(&format!("{error}; the token of '{name}' is used, for {} still", life(left)));
            Ok(latest)
        }
    }
}

/// An expiry that no token has is said: npm writes what it was given, and clocks are wrong.
fn report_absurd(source: &Source, grant: &Grant, now: Timestamp) {
    let too_long = grant.expires.duration_since(now) > LONGEST_LIFE;
    // Seconds taken for milliseconds end in 1970, years before there was anything to sign in to.
    let since_epoch = grant.expires.duration_since(Timestamp::UNIX_EPOCH);
    let too_old = since_epoch < SignedDuration::from_hours(24 * 365 * 40);
    if too_long || too_old {
        source.host.messages.say(&format!(
            "the token of profile '{}' is said to expire at {}, which cannot be; getting a new one (is this \
             machine's clock right?)",
            source.profile.name,
            grant.expires.strftime("%Y-%m-%d")
        ));
    }
}

struct Refresh<'r> {
    source: &'r Source<'r>,
    first: &'r Grant,
    started: Timestamp,
}

impl Refresh<'_> {
    fn run(&self, latest: &mut Grant) -> Result<Grant, Stop> {
        let mut held = self.source.store.hold(self.source.profile)?;
        // Stopped by Ctrl-Z with the locks in hand, it would stop everyone else.
        let suspension = HeldBack::suspension();
        let outcome = self.locked(&mut held, latest);
        drop(held);
        drop(suspension);
        outcome
    }

    fn locked(&self, held: &mut Held, latest: &mut Grant) -> Result<Grant, Stop> {
        let name = &self.source.profile.name;
        let peeked = held.peek();
        // What is torn may have its successor in a rescue file.
        if !self.source.store.may_be_rescued(name, &peeked) {
            *latest = peeked?.into_grant(name)?;
            if let Some(grant) = self.changed(latest) {
                return Ok(grant); // Another process of ours did it while we waited.
            }
        }
        let note = held.lock().note();
        // One that is still to come was noted before the clock was set back.
        let meanwhile = self.started..=self.source.host.now();
        if let Some(failed) = note.failed.filter(|failed| meanwhile.contains(&failed.at)) {
            return Err(failed.into()); // It tried, as well.
        }
        held.share_with_npm()?;
        let current = held.read()?;
        *latest = current.document.clone().into_grant(name)?;
        if let Some(grant) = self.changed(latest) {
            return Ok(grant);
        }
        let lost = note.sent.filter(|sent| sent.token == current.digest());
        let outcome = self.spend(held, &current, latest, lost);
        if let Err(stop) = &outcome {
            held.lock().change(|note| note.failed = Some(stop.at(self.source.host.now())));
        }
        outcome
    }

    /// The grant, when it is another than the one that was too short, and lives long enough. One that was got while
    /// we waited does as long as it lives at all: the next would live no longer, and where all live for seconds,
    /// each of many that wait would else get one of its own.
    fn changed(&self, grant: &Grant) -> Option<Grant> {
        let left = grant.expires.duration_since(self.source.host.now());
        let is_new = || {
            let Source { store, profile, .. } = self.source;
            generation::changed(store.home(), &profile.name).is_some_and(|changed| changed >= self.started)
        };
        let does = left <= LONGEST_LIFE && (left >= ENOUGH || left.is_positive() && is_new());
        (grant.access != self.first.access && does).then(|| grant.clone())
    }

    /// The grant that another program has put there meanwhile.
    fn read_again(&self, held: &Held) -> Option<Grant> {
        let current = held.read().ok()?;
        self.changed(&current.document.into_grant(&self.source.profile.name).ok()?)
    }

    /// Spends the refresh token. `lost` is an earlier try whose answer was not kept.
    fn spend(
        &self,
        held: &Held,
        current: &Current,
        grant: &Grant,
        mut lost: Option<Sent>,
    ) -> Result<Grant, Stop> {
        let Source { host, profile, .. } = self.source;
        let Some(token) = &grant.refresh else {
            return Err(self.over("it has no refresh token", None));
        };
        let client = grant.client(profile).map_err(Stop::Over)?;
        let (kept, usual) = (client.token_url.as_ref(), client.token_url());
        let token_url = grant_endpoint(host, "the token endpoint", kept, usual, TOKEN_URL);
        let room = held.reserve(current)?;
        host.messages.verbose(&format!("refreshing the session of '{}' at {token_url}", profile.name));
        let authority = Authority::new(&client, token_url, &host.network())?;
        let requests = Requests::new()?;

        let begun = Instant::now();
        let mut pauses = BACK_OFF.into_iter();
        let mut unanswered = false;
        loop {
            // From here until the new pair is durable.
            let held_back = HeldBack::interruptions();
            let at = host.now();
            let sent = Sent { token: current.digest(), at, unanswered: false, unkept: false, id: None };
            held.lock().change(|note| note.sent = Some(sent.clone()));
            let failure = match requests.run(authority.refresh(token)) {
                Ok(tokens) => {
                    let next = renewed(grant, tokens, at, host);
                    let kept = held.write(room, current, &Document::OAuth(next.clone()));
                    held.lock().change(|note| note.failed = None);
                    drop(held_back);
                    if let Err(error) = kept {
                        self.say_lost(&error);
                    }
                    return Ok(next);
                }
                Err(failure) => failure,
            };
            if let Failure::NoAnswer(_) = failure {
                lost = Some(Sent { unanswered: true, ..sent });
            }
            held.lock().change(|note| note.sent.clone_from(&lost));
            drop(held_back);
            let in_time = begun.elapsed() < NO_MORE_TRIES;
            match &failure {
                Failure::Refused { .. } => {
                    held.lock().change(|note| note.sent = None);
                    return match self.read_again(held) {
                        Some(grant) => Ok(grant),
                        None => {
                            Err(self
                                .over(&format!("{} refuses it ({failure})", authority.host()), lost.as_ref()))
                        }
                    };
                }
                Failure::NoAnswer(_) if !unanswered && in_time => {
                    if let Some(grant) = self.read_again(held) {
                        return Ok(grant);
                    }
                    unanswered = true;
                }
                Failure::Unsent { lasting: false, .. } | Failure::Busy { .. } if in_time => {
                    let asked = match failure {
                        Failure::Busy { after, .. } => after.map(Duration::from_secs),
                        _ => None,
                    };
                    match pauses.next().map(|usual| asked.unwrap_or(usual)) {
                        Some(pause) if begun.elapsed().saturating_add(pause) < NO_MORE_TRIES => sleep(pause),
                        _ => return Err(self.passing(&failure, &authority)),
                    }
                }
                _ => return Err(self.passing(&failure, &authority)),
            }
        }
    }

    fn over(&self, why: &str, lost: Option<&Sent>) -> Stop {
        let name = &self.source.profile.name;
        let mut message = format!("the session of profile '{name}' is over: {why}");
        if let Some(Sent { at, unanswered, unkept, .. }) = lost {
            let at = at.strftime("%Y-%m-%d %H:%M:%SZ");
            let how = match (unkept, unanswered) {
                (true, _) => "got a new session that could be kept nowhere",
                (_, true) => "got no answer",
                _ => "was killed before its answer was kept",
            };
            let _ = write!(message, "; the refresh at {at} {how}");
        }
        Stop::Over(
            Error::of(Kind::SignedOut, message).hint(format!("sign in again: alchemy login -p {name}")),
        )
    }

    fn passing(&self, failure: &Failure, authority: &Authority) -> Stop {
        let (name, host) = (&self.source.profile.name, authority.host());
        let message = format!("cannot refresh the session of profile '{name}' at {host}: {failure}");
        Stop::Passing(Error::new(message).hint(failure.next_step()))
    }

    /// Neither store nor rescue file took the pair, although there was room a moment ago.
    fn say_lost(&self, error: &Error) {
        let name = &self.source.profile.name;
        self.source.host.messages.loss(&format!(
            "the new session of profile '{name}' could be kept nowhere ({error}): it serves this command \
             alone, then sign in again: alchemy login -p {name}"
        ));
    }
}

/// The grant that follows: what the answer leaves out stays as it was (RFC 6749 §5.1 and §6).
fn renewed(grant: &Grant, tokens: Tokens, sent: Timestamp, host: &Host) -> Grant {
    if let Some(odd) = &tokens.odd {
        host.messages.say(&format!("the server told of the new token {odd}"));
    }
    Grant {
        access: tokens.access,
        refresh: tokens.refresh.or_else(|| grant.refresh.clone()),
        expires: expires(sent, tokens.life),
        scopes: tokens.scopes.unwrap_or_else(|| grant.scopes.clone()),
        client_id: grant.client_id.clone(),
    }
}
