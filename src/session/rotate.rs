//! A new value for an API token, in place (`alchemy rotate`).
//!
//! From the moment in which Cloudflare rolls a token its old value is dead, and the new one is told once. So room
//! for it is taken before, no signal interrupts until it is durable, and a store that refuses it after all has it
//! in a rescue file. Killed between the answer and the write is the one loss that nobody can prevent: the next try
//! names it.

use super::Source;
use crate::cloudflare::{ApiError, Client, Credential, TokenOwner, TokenStatus, is_accounts, owner_of};
use crate::disk::lock::Sent;
use crate::error::{Error, Result};
use crate::profile::{Profile, TokenFacts};
use crate::secret::Secret;
use crate::signals::HeldBack;
use crate::store::credential::Document;
use crate::store::grant::{Current, Held};

/// Gives the profile's token a new value, which is kept when this returns; what is known of the token. `by`
/// another credential, of the same API, where the token may not do it itself.
///
/// Fails when Cloudflare refuses or does not answer, or the new value cannot be kept; what became of the old one is said.
pub(crate) fn rotated(source: &Source, by: Option<&Credential>) -> Result<TokenFacts> {
    // A person may have to be asked for a passphrase, and not with locks in hand that others wait for.
    source.store.credential(source.profile)?;
    let mut held = source.store.hold(source.profile)?;
    // Stopped by Ctrl-Z with the locks in hand, it would stop everyone else.
    let suspension = HeldBack::suspension();
    let outcome = held.share_with_npm().and_then(|()| {
        let current = held.read()?;
        match &current.document {
            Document::ApiToken { token } => {
                (Rotation { source, held: &held, current: &current, token, by }).run()
            }
            document => {
                Err(Error::new(format!("profile '{}' is an {}", source.profile.name, document.method())))
            }
        }
    });
    drop(held);
    drop(suspension);
    outcome
}

struct Rotation<'r> {
    source: &'r Source<'r>,
    held: &'r Held<'r, 'r>,
    current: &'r Current,
    token: &'r Secret,
    by: Option<&'r Credential>,
}

impl Rotation<'_> {
    fn run(&self) -> Result<TokenFacts> {
        let Source { host, .. } = self.source;
        let notice = |text: &str| host.messages.say(text);
        let own = Credential::Token(self.token.clone());
        let own = Client::new(&self.source.endpoint, &own, &host.network(), &notice)?;
        let (owner, facts) = self.known(&own)?;
        let other;
        let client = match self.by {
            Some(by) => {
                other = Client::new(&self.source.endpoint, by, &host.network(), &notice)?;
                &other
            }
            None => &own,
        };
        let room = self.held.reserve(self.current)?;
        host.messages.verbose(&format!("rolling the token {} at {}", facts.id, self.source.endpoint));

        // From here until the new value is durable.
        let held_back = HeldBack::interruptions();
        self.held.announce(self.current);
        let (token, id) = (self.current.digest(), Some(facts.id.clone()));
        let sent = Sent { token, at: host.now(), unanswered: false, unkept: false, id };
        self.held.lock().change(|note| note.sent = Some(sent.clone()));
        let error = match client.roll_token(&owner, &facts.id) {
            Ok(token) => {
                let kept = self.held.write(room, self.current, &Document::ApiToken { token });
                drop(held_back);
                return kept
                    .map(|()| facts)
                    .map_err(|error| self.lost(&format!("its new value could be kept nowhere ({error})")));
            }
            Err(error) => error,
        };
        if error.may_have_happened() {
            self.held.lock().change(|note| note.sent = Some(Sent { unanswered: true, ..sent }));
            drop(held_back);
            return Err(self.unanswered(&own, &error));
        }
        self.not_rolled();
        drop(held_back);
        Err(self.refused(error))
    }

    /// Nothing has become of it: the token is what it was.
    fn not_rolled(&self) {
        self.held.lock().change(|note| note.sent = None);
        self.held.retract();
    }

    fn profile(&self) -> &Profile {
        self.source.profile
    }

    fn verify(&self, own: &Client) -> Result<(TokenOwner, TokenStatus), ApiError> {
        owner_of(own, self.token, Some(&self.profile().account.id))
    }

    /// Whose the token is, and its id. Of one that is dead already, as far as it was kept, or noted when it was rolled:
    /// another credential can give it a new life.
    fn known(&self, own: &Client) -> Result<(TokenOwner, TokenFacts)> {
        let error = match self.verify(own) {
            Ok((owner, status)) => {
                return Ok((owner, TokenFacts { id: status.id, expires: status.expires_on }));
            }
            Err(error) => error,
        };
        if !error.is_refusal() {
            return Err(error.into());
        }
        let sent = self.held.lock().note().sent.filter(|sent| sent.token == self.current.digest());
        let noted = sent.as_ref().and_then(|sent| sent.id.clone());
        let noted = noted.map(|id| TokenFacts { id, expires: None });
        match (self.by, noted.or_else(|| self.profile().token.clone())) {
            (Some(_), Some(facts)) => {
                let account = self.profile().account.id.clone();
                let owner =
                    if is_accounts(self.token) { TokenOwner::Account(account) } else { TokenOwner::User };
                Ok((owner, facts))
            }
            _ => Err(match sent {
                Some(Sent { at, .. }) => self.lost(&format!(
                    "a rotation at {} ended before its new value was kept",
                    at.strftime("%Y-%m-%d %H:%M:%SZ")
                )),
                None => error.into(),
            }),
        }
    }

    /// The error for a call that was sent and not answered: the old value tells what has become of it.
    fn unanswered(&self, own: &Client, error: &ApiError) -> Error {
        let name = &self.profile().name;
        match self.verify(own) {
            Ok(_) => {
                self.not_rolled();
                Error::new(format!("{error}; the old value of profile '{name}' still works"))
                    .hint(format!("try again: alchemy rotate {name}"))
            }
            Err(now) if now.is_refusal() => {
                self.lost(&format!("the answer with its new value is lost ({error})"))
            }
            Err(_) => Error::new(format!("{error}; the token of profile '{name}' may have been rolled"))
                .hint(format!("see whether its old value still works: alchemy whoami {name}")),
        }
    }

    /// The error for a token whose value nobody knows any more.
    fn lost(&self, why: &str) -> Error {
        let name = &self.profile().name;
        Error::new(format!("the token of profile '{name}' was rolled, and {why}")).hint(format!(
            "roll it once more by another profile: alchemy rotate {name} --with PROFILE; or make a new token, then: \
             alchemy configure -p {name}"
        ))
    }

    fn refused(&self, error: ApiError) -> Error {
        let name = &self.profile().name;
        if !error.is_refusal() {
            return error.into();
        }
        let may = "needs the permission 'API Tokens Write'";
        let hint = if self.by.is_some() {
            format!(
                "the other profile {may} for it; or roll it on the dashboard, then: alchemy configure -p {name}"
            )
        } else {
            format!(
                "to roll itself it {may}; by a profile that has it: alchemy rotate {name} --with PROFILE; or roll it \
                 on the dashboard, then: alchemy configure -p {name}"
            )
        };
        Error::new(error.to_string()).hint(hint)
    }
}
