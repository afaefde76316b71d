//! Who a credential is, whatever its kind: the one answer behind `configure` and `whoami`.
//!
//! No single call works for every kind (facts §1.6, §2 row 10): a user's token and an account's are
//! verified at different places, an account-owned token may not ask for users or memberships, and an
//! OAuth token may not be verifiable at all. A prefix (`cfat_`) only says what to try first.

use jiff::Timestamp;
use serde::Serialize;

use super::client::Client;
use super::error::{ApiError, Cause, DASHBOARD};
use super::{Credential, TokenOwner, TokenState, TokenStatus};
use crate::error::{Error, Result};
use crate::profile::{Account, AccountId};
use crate::secret::Secret;

/// The most accounts through which the owner of a token is looked for. An account-owned token sees
/// one; hundreds of calls for a token of another kind would only meet the rate limit.
const MAX_OWNERS: usize = 20;

/// Whom a credential acts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Who {
    /// A user: a user's token, an OAuth token, or a Global API Key.
    User {
        /// The e-mail address; unknown to a token without `user:read`.
        email: Option<String>,
        /// The 32-hex id; unknown in the same case.
        id: Option<String>,
    },
    /// The account that owns the token.
    Account(AccountId),
}

/// What Cloudflare knows of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whom it acts for.
    pub who: Who,
    /// Id, state and times of an API token; none for a key, nor for an OAuth token.
    pub token: Option<TokenStatus>,
    /// The accounts that it sees, which can be none: a token need not be allowed to list them.
    pub accounts: Vec<Account>,
}

impl Identity {
    /// The account that owns the credential, when that is an account's own token.
    pub fn owner(&self) -> Option<&AccountId> {
        match &self.who {
            Who::Account(owner) => Some(owner),
            Who::User { .. } => None,
        }
    }
}

/// Finds out who a credential is. `account_hint` is the account it is said to be for: with it, an
/// account-owned token that cannot list accounts is found too.
///
/// `now` is compared with a token's `not_before`.
///
/// Fails when Cloudflare does not know the credential, when it is disabled, expired or not valid yet, and
/// when the calls fail otherwise (see [`super::Cause`]).
pub fn identify(
    client: &Client,
    credential: &Credential,
    account_hint: Option<&AccountId>,
    now: Timestamp,
) -> Result<Identity> {
    match credential {
        Credential::Key { .. } => identify_key(client, account_hint),
        Credential::Token(token) => identify_token(client, is_accounts(token), account_hint, now),
    }
}

fn identify_key(client: &Client, hint: Option<&AccountId>) -> Result<Identity> {
    let user = client.user().map_err(|error| {
        if error.is_refusal() {
            let hint = error.next_step();
            Error::new(format!("cloudflare does not know this key with this e-mail ({})", error.brief()))
                .hint(hint)
        } else {
            error.into()
        }
    })?;
    let listed = tolerate(client.accounts())?.unwrap_or_default();
    Ok(Identity {
        accounts: visible(client, listed, hint)?,
        who: Who::User { email: user.email, id: Some(user.id) },
        token: None,
    })
}

fn identify_token(
    client: &Client,
    account_first: bool,
    hint: Option<&AccountId>,
    now: Timestamp,
) -> Result<Identity> {
    let mut search = Search { client, hint, listed: None, refusals: Vec::new() };
    let found = if account_first {
        match search.owned_by_account()? {
            None => search.owned_by_user()?,
            found => found,
        }
    } else {
        match search.owned_by_user()? {
            None => search.owned_by_account()?,
            found => found,
        }
    };
    if let Some((_, token)) = &found {
        usable(token, now)?;
    }
    match found {
        Some((TokenOwner::Account(id), token)) => search.account_identity(id, token),
        Some((TokenOwner::User, token)) => search.user_identity(Some(token)),
        None => search.user_identity(None),
    }
}

/// A look for the owner of a token, with what was found on the way.
struct Search<'c, 'n> {
    client: &'c Client<'n>,
    hint: Option<&'c AccountId>,
    /// `GET /accounts`, asked at most once; refused is empty.
    listed: Option<Vec<Account>>,
    refusals: Vec<ApiError>,
}

impl Search<'_, '_> {
    fn verify(&mut self, owner: TokenOwner) -> Result<Option<(TokenOwner, TokenStatus)>> {
        let status = self.client.verify_token(&owner);
        Ok(self.noted(status)?.map(|status| (owner, status)))
    }

    fn owned_by_user(&mut self) -> Result<Option<(TokenOwner, TokenStatus)>> {
        self.verify(TokenOwner::User)
    }

    fn owned_by_account(&mut self) -> Result<Option<(TokenOwner, TokenStatus)>> {
        if let Some(hint) = self.hint
            && let Some(found) = self.verify(TokenOwner::Account(hint.clone()))?
        {
            return Ok(Some(found));
        }
        let ids: Vec<AccountId> = self.listed()?.iter().map(|it| it.id.clone()).collect();
        let others = ids.into_iter().filter(|id| Some(id) != self.hint);
        for id in others.take(MAX_OWNERS).collect::<Vec<_>>() {
            if let Some(found) = self.verify(TokenOwner::Account(id))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    fn listed(&mut self) -> Result<&[Account]> {
        if self.listed.is_none() {
            let accounts = self.client.accounts();
            self.listed = Some(self.noted(accounts)?.unwrap_or_default());
        }
        Ok(self.listed.as_deref().unwrap_or_default())
    }

    /// A refusal is kept, for the error in the end; other failures end the search.
    fn noted<T>(&mut self, result: Result<T, ApiError>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_refusal() => {
                self.refusals.push(error);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// An account-owned token: what it may not see, its verification has proved.
    fn account_identity(mut self, id: AccountId, token: TokenStatus) -> Result<Identity> {
        let mut accounts = self.listed()?.to_vec();
        if !accounts.iter().any(|account| account.id == id) {
            let name = tolerate(self.client.account(&id))?.map(|account| account.name);
            let (id, name) = (id.clone(), name.unwrap_or_default());
            accounts.push(Account { id, name });
        }
        Ok(Identity { who: Who::Account(id), token: Some(token), accounts })
    }

    /// A user's token; or, without a status, one that no call verifies but that works all the same,
    /// as an OAuth access token does.
    fn user_identity(mut self, token: Option<TokenStatus>) -> Result<Identity> {
        let user = tolerate(self.client.user())?;
        let listed = self.listed()?.to_vec();
        if token.is_none() && user.is_none() && listed.is_empty() {
            return Err(self.unknown());
        }
        Ok(Identity {
            accounts: visible(self.client, listed, self.hint)?,
            who: match user {
                Some(user) => Who::User { email: user.email, id: Some(user.id) },
                None => Who::User { email: None, id: None },
            },
            token,
        })
    }

    /// No call took the token. 1000 says so in so many words; the other refusals follow from it.
    fn unknown(&self) -> Error {
        let telling = self.refusals.iter().find(|error| error.has_code(1000));
        match (telling, self.refusals.first()) {
            (Some(error), _) => {
                let account = if self.hint.is_none() {
                    "; name the account of an account-owned token with --account"
                } else {
                    ""
                };
                Error::new(format!("cloudflare does not know this token ({})", error.brief()))
                    .hint(format!("copy it again, or create a new one at {DASHBOARD}{account}"))
            }
            // Not about the token: there is no such call at this endpoint.
            (None, Some(error)) if error.cause == Cause::NotFound => error.clone().into(),
            (None, Some(error)) => Error::new(format!("cloudflare refuses this token ({})", error.brief()))
                .hint(error.next_step()),
            (None, None) => Error::new("cloudflare does not show whose token this is")
                .hint(format!("create a new one at {DASHBOARD}")),
        }
    }
}

/// Accounts listed, else the memberships, else the one hinted at, as far as they may be seen.
fn visible(client: &Client, mut accounts: Vec<Account>, hint: Option<&AccountId>) -> Result<Vec<Account>> {
    if accounts.is_empty() {
        accounts = tolerate(client.memberships())?.unwrap_or_default();
    }
    if let Some(hint) = hint
        && !accounts.iter().any(|account| account.id == *hint)
    {
        accounts.extend(tolerate(client.account(hint))?);
    }
    Ok(accounts)
}

/// The accounts of a user who has signed in with OAuth: the memberships, else what may be listed. A grant
/// of the client `alchemy` lists no accounts (`facts/alchemy-npm.md` §2.2). None when it may see neither.
///
/// Fails when a call fails otherwise than by a refusal.
pub fn accounts_of_user(client: &Client) -> Result<Vec<Account>> {
    let memberships = tolerate(client.memberships())?.unwrap_or_default();
    if memberships.is_empty() {
        Ok(tolerate(client.accounts())?.unwrap_or_default())
    } else {
        Ok(memberships)
    }
}

/// A refusal is nothing to see; other failures are failures.
fn tolerate<T>(result: Result<T, ApiError>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_refusal() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whose a token is, and what Cloudflare says of it, by the two calls that verify one and no other; `account` is
/// the one that it may belong to.
///
/// The last refusal when it is neither the user's nor the account's; when a call fails otherwise.
pub fn owner_of(
    client: &Client,
    token: &Secret,
    account: Option<&AccountId>,
) -> Result<(TokenOwner, TokenStatus), ApiError> {
    let verify = |owner: TokenOwner| client.verify_token(&owner).map(|status| (owner, status));
    let Some(account) = account.cloned().map(TokenOwner::Account) else { return verify(TokenOwner::User) };
    let account_first = is_accounts(token);
    let (first, second) =
        if account_first { (account, TokenOwner::User) } else { (TokenOwner::User, account) };
    match verify(first) {
        Err(error) if error.is_refusal() => verify(second),
        result => result,
    }
}

/// Whether a token says of itself that an account owns it.
pub fn is_accounts(token: &Secret) -> bool {
    token.expose().starts_with("cfat_")
}

/// Whether a token that Cloudflare knows can be used at `now`.
///
/// Fails when it is disabled, expired or not valid yet.
pub fn usable(token: &TokenStatus, now: Timestamp) -> Result<()> {
    let when =
        |time: Option<Timestamp>, word: &str| time.map_or_else(String::new, |time| format!(" {word} {time}"));
    let create = format!("create a new one at {DASHBOARD}");
    match &token.status {
        TokenState::Disabled => {
            Err(Error::new("this token is disabled").hint(format!("enable it again, or {create}")))
        }
        TokenState::Expired => {
            Err(Error::new(format!("this token is expired{}", when(token.expires_on, "since")))
                .hint(format!("extend it, or {create}")))
        }
        _ => match token.not_before.filter(|time| *time > now) {
            Some(time) => Err(Error::new(format!("this token is not valid before {time}"))
                .hint(format!("wait until then, check this machine's clock, or {create}"))),
            None => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(status: TokenState, not_before: Option<&str>) -> TokenStatus {
        TokenStatus {
            id: "id".into(),
            status,
            expires_on: Some("2026-01-01T00:00:00Z".parse().expect("time")),
            not_before: not_before.map(|text| text.parse().expect("time")),
        }
    }

    #[test]
    fn only_a_token_that_works_now_is_usable() {
        let now = "2026-06-01T00:00:00Z".parse().expect("time");
        let table = [
            // Active, though it should have expired: the server's clock is the one that counts.
            (token(TokenState::Active, Some("2026-05-31T00:00:00Z")), None),
            (token(TokenState::Other("new".into()), None), None),
            (token(TokenState::Disabled, None), Some("disabled")),
            (token(TokenState::Expired, None), Some("expired since 2026-01-01T00:00:00Z")),
            (
                token(TokenState::Active, Some("2026-06-02T00:00:00Z")),
                Some("not valid before 2026-06-02T00:00:00Z"),
            ),
        ];
        for (token, says) in table {
            match (usable(&token, now), says) {
                (Ok(()), None) => {}
                (Err(error), Some(says)) => {
                    assert!(error.to_string().contains(says), "{error}");
                    assert!(error.next_step().is_some());
                }
                (result, _) => panic!("{token:?}: {result:?}"),
            }
        }
    }
}
