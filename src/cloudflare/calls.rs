//! The calls: one method each, from a path to a value (facts §3.2).

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::{Client, is_last};
use super::error::{ApiError, Cause};
use super::{TokenOwner, TokenState, TokenStatus, User};
use crate::profile::{Account, AccountId};
use crate::secret::Secret;

/// Entries asked for at once, the most that Cloudflare gives.
const PER_PAGE: u64 = 50;
/// The end of any list, so that no server can keep us reading: 5000 accounts.
const MAX_PAGES: u64 = 100;

#[derive(Deserialize)]
struct UserJson {
    id: String,
    email: Option<String>,
}

#[derive(Deserialize)]
struct AccountJson {
    id: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct MembershipJson {
    status: Option<String>,
    account: Option<AccountJson>,
}

#[derive(Deserialize)]
struct TokenJson {
    id: String,
    status: String,
    expires_on: Option<String>,
    not_before: Option<String>,
}

impl Client<'_> {
    /// `GET /user`: the user that the credential acts for. It needs the permission `user:read`, and
    /// an account-owned token never has it.
    pub fn user(&self) -> Result<User, ApiError> {
        let user: UserJson = self.one("read the user", "/user")?;
        let email = user.email.map(|email| self.tame(&email));
        Ok(User { id: self.tame(&user.id), email: email.filter(|email| !email.is_empty()) })
    }

    /// `GET /accounts`: all accounts that the credential sees.
    pub fn accounts(&self) -> Result<Vec<Account>, ApiError> {
        let what = "list the accounts";
        let accounts = self.all(what, "/accounts", "")?;
        self.distinct(what, accounts)
    }

    /// `GET /memberships`: the accounts that the user belongs to and has accepted to.
    pub fn memberships(&self) -> Result<Vec<Account>, ApiError> {
        let what = "list the memberships";
        let memberships: Vec<MembershipJson> = self.all(what, "/memberships", "&status=accepted")?;
        let accepted = memberships
            .into_iter()
            .filter(|one| one.status.as_deref().is_none_or(|it| it == "accepted"))
            .filter_map(|one| one.account)
            .collect();
        self.distinct(what, accepted)
    }

    /// `GET /accounts/{id}`: one account.
    pub fn account(&self, id: &AccountId) -> Result<Account, ApiError> {
        let what = format!("read the account {id}");
        let account = self.one(&what, &format!("/accounts/{id}"))?;
        self.account_of(&what, account)
    }

    /// Whether the token that the client has works; whose it is decides which call can tell.
    pub fn verify_token(&self, owner: &TokenOwner) -> Result<TokenStatus, ApiError> {
        let what = "verify the token";
        let token: TokenJson = match owner {
            TokenOwner::User => self.one(what, "/user/tokens/verify")?,
            TokenOwner::Account(id) => self.one(what, &format!("/accounts/{id}/tokens/verify"))?,
        };
        let time = |text: Option<String>| match text.filter(|text| !text.is_empty()) {
            Some(text) => text.parse::<Timestamp>().map(Some),
            None => Ok(None),
        };
        let (Ok(expires_on), Ok(not_before)) = (time(token.expires_on), time(token.not_before)) else {
            return Err(self.wrong_shape(what));
        };
        Ok(TokenStatus {
            id: self.tame(&token.id),
            status: match token.status.as_str() {
                "active" => TokenState::Active,
                "disabled" => TokenState::Disabled,
                "expired" => TokenState::Expired,
                other => TokenState::Other(self.tame(other)),
            },
            expires_on,
            not_before,
        })
    }

    /// `PUT …/tokens/{id}/value`: gives a token a new value; from then on the old one is dead. It is sent once:
    /// see [`ApiError::may_have_happened`].
    pub fn roll_token(&self, owner: &TokenOwner, id: &str) -> Result<Secret, ApiError> {
        let what = "roll the token";
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(self.about(what, ApiError::new(Cause::Refused).detail("an id that is none")));
        }
        let answer = match owner {
            TokenOwner::User => self.put_once(what, &format!("/user/tokens/{id}/value"))?,
            TokenOwner::Account(account) => {
                self.put_once(what, &format!("/accounts/{account}/tokens/{id}/value"))?
            }
        };
        serde_json::from_value(answer.result).map_err(|_| self.wrong_shape(what))
    }

    fn one<T: DeserializeOwned>(&self, what: &str, path: &str) -> Result<T, ApiError> {
        let answer = self.get(what, path)?;
        serde_json::from_value(answer.result).map_err(|_| self.wrong_shape(what))
    }

    fn all<T: DeserializeOwned>(&self, what: &str, path: &str, filter: &str) -> Result<Vec<T>, ApiError> {
        let mut found = Vec::new();
        for page in 1..=MAX_PAGES {
            let path = format!("{path}?page={page}&per_page={PER_PAGE}{filter}");
            let answer = self.get(what, &path)?;
            // A list without entries can be null.
            let entries: Option<Vec<T>> =
                serde_json::from_value(answer.result).map_err(|_| self.wrong_shape(what))?;
            let entries = entries.unwrap_or_default();
            let got = entries.len() as u64;
            found.extend(entries);
            if is_last(&answer.info, page, PER_PAGE, got, found.len() as u64) {
                return Ok(found);
            }
        }
        let error = ApiError::new(Cause::BadAnswer).detail("more than a hundred pages");
        Err(self.about(what, error))
    }

    fn distinct(&self, what: &str, list: Vec<AccountJson>) -> Result<Vec<Account>, ApiError> {
        let mut accounts: Vec<Account> = Vec::with_capacity(list.len());
        for account in list {
            let account = self.account_of(what, account)?;
            // An account that is made while pages are read moves others to the next page.
            if !accounts.iter().any(|known| known.id == account.id) {
                accounts.push(account);
            }
        }
        Ok(accounts)
    }

    fn account_of(&self, what: &str, account: AccountJson) -> Result<Account, ApiError> {
        let id = AccountId::parse(&account.id).ok_or_else(|| self.wrong_shape(what))?;
        let name = self.tame(&account.name.unwrap_or_default());
        Ok(Account { id, name })
    }
}
