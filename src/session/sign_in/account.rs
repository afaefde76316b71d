//! Which account a profile is for.

use crate::cloudflare::{Client, Credential, accounts_of_user};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::http::Endpoint;
use crate::profile::{Account, AccountId, Profile};
use crate::store::credential::Grant;
use crate::terminal;

/// The one account that a profile gets, of those that its credential can see; `owner` is the account that
/// owns the credential, where one does.
///
/// Fails when the asked one is not among them, a name is not the name of exactly one, or there is none.
pub(crate) fn choose_account(
    client: &Client,
    seen: &[Account],
    owner: Option<&AccountId>,
    asked: Option<&str>,
    before: Option<&Account>,
) -> Result<Account> {
    let listed = || {
        let shown: Vec<String> = seen.iter().map(ToString::to_string).collect();
        format!("it sees {}", if shown.is_empty() { "none".to_owned() } else { shown.join(", ") })
    };
    if let Some(asked) = asked {
        if let Some(id) = AccountId::parse(asked) {
            if let Some(account) = seen.iter().find(|account| account.id == id) {
                return Ok(account.clone());
            }
            // A token need not be allowed to list accounts; one of the account's own has proved itself.
            if seen.is_empty() || owner == Some(&id) {
                let unnamed = Account { id: id.clone(), name: String::new() };
                return Ok(client.account(&id).unwrap_or(unnamed));
            }
            return Err(Error::new(format!("the credential does not see account {id}")).hint(listed()));
        }
        let named: Vec<_> = seen.iter().filter(|account| account.name == asked).collect();
        return match named.as_slice() {
            [account] => Ok((*account).clone()),
            [] => Err(Error::new(format!("the credential sees no account named '{asked}'")).hint(listed())),
            _ => Err(Error::new(format!("{} accounts are named '{asked}'", named.len()))
                .hint(format!("give the id: --account ID; {}", listed()))),
        };
    }
    match seen {
        [] => Err(Error::new("the credential sees no account").hint("give its id: --account ID")),
        [account] => Ok(account.clone()),
        _ => {
            let current = before.and_then(|before| seen.iter().position(|account| account.id == before.id));
            let options: Vec<String> = seen.iter().map(ToString::to_string).collect();
            match (terminal::ask_choice("account:", &options, current.unwrap_or(0), "--account"), current) {
                (Ok(choice), _) => Ok(seen[choice].clone()),
                // A new secret for a profile that exists, from a script: the account stays.
                (Err(error), Some(current)) if error.kind() == crate::error::Kind::Usage => {
                    Ok(seen[current].clone())
                }
                (Err(error), None) if error.kind() == crate::error::Kind::Usage => {
                    Err(Error::usage(error.to_string()).hint(format!("give it by --account; {}", listed())))
                }
                (Err(error), _) => Err(error),
            }
        }
    }
}

/// The account of a new profile: the one that is asked for, or the person chooses.
///
/// Fails when the session does not see it, or sees none.
pub(crate) fn new_account(
    host: &Host,
    asked: Option<&str>,
    before: Option<&Profile>,
    grant: &Grant,
    endpoint: &Endpoint,
) -> Result<Account> {
    of_those_seen(host, grant, endpoint, |client, seen| {
        if seen.is_empty() && asked.and_then(AccountId::parse).is_none() {
            return Err(Error::new("the session sees no account").hint(
                "sign in with the scope memberships.read (account:read at alchemy-v1), or give --account ID",
            ));
        }
        choose_account(client, seen, None, asked, before.map(|before| &before.account))
    })
}

/// The account that the profile is pinned to, which its new session must see.
///
/// Fails when it does not.
pub(crate) fn same_account(
    host: &Host,
    pinned: &Account,
    grant: &Grant,
    endpoint: &Endpoint,
) -> Result<Account> {
    of_those_seen(host, grant, endpoint, |_, seen| match seen.iter().find(|it| it.id == pinned.id) {
        Some(account) => Ok(account.clone()),
        // It need not be allowed to list them.
        None if seen.is_empty() => Ok(pinned.clone()),
        None => {
            let seen: Vec<String> = seen.iter().map(ToString::to_string).collect();
            let message =
                format!("the new session does not see account {pinned}, to which the profile is pinned");
            Err(Error::new(message).hint(format!(
                "sign in as somebody who does, or pin another by alchemy configure; it sees {}",
                seen.join(", ")
            )))
        }
    })
}

/// One of the accounts that a grant's user sees.
fn of_those_seen(
    host: &Host,
    grant: &Grant,
    endpoint: &Endpoint,
    choose: impl FnOnce(&Client, &[Account]) -> Result<Account>,
) -> Result<Account> {
    let notice = |text: &str| host.messages.say(text);
    let client = host.client(endpoint, &Credential::Token(grant.access.clone()), &notice)?;
    let seen = accounts_of_user(&client)?;
    choose(&client, &seen)
}
