//! What keeps a credential from the wrong account: the account that a pin file guards, and a warning where
//! wrangler would use another one by itself.

use super::account::account_by_id;
use super::chosen::Chosen;
use super::context::Context;
use crate::directory::{Guard, wrangler_account};
use crate::environment::{ACCOUNT_ID, PROFILE};
use crate::error::{Error, Result};
use crate::profile::{Account, AccountId, ProfileName};
use crate::store::Store;

/// The account for this run, where a pin file guards one: that one, which must be the `asked` one, or else
/// the one of what was `chosen`. An environment's credential that names none gets it.
///
/// # Errors
/// When it is another one, with the ways on.
pub fn account(
    context: &Context,
    store: &Store,
    chosen: &Chosen,
    asked: Option<Account>,
) -> Result<Option<Account>> {
    let Some(guard) = &context.look()?.sound()?.guard else { return Ok(asked) };
    let own = || match chosen {
        Chosen::Profile(profile, _) => Some(profile.account.clone()),
        Chosen::Environment(session) => session.account.clone(),
    };
    let is_asked = asked.is_some();
    match asked.or_else(own) {
        Some(account) if account.id == guard.account => Ok(Some(account)),
        Some(account) => Err(refused(context, store, guard, chosen, &account, is_asked)),
        None => account_by_id(guard.account.as_str()).map(Some),
    }
}

fn refused(
    context: &Context,
    store: &Store,
    guard: &Guard,
    chosen: &Chosen,
    account: &Account,
    is_asked: bool,
) -> Error {
    let who = match chosen {
        _ if is_asked => "--account names".to_owned(),
        Chosen::Profile(profile, selection) => {
            format!("profile '{}' ({}) is for", profile.name, selection.reason)
        }
        Chosen::Environment(_) => format!("{ACCOUNT_ID} in the environment names"),
    };
    let of_guard = profiles_of(store, &guard.account);
    let name = of_guard.iter().find(|(_, account)| !account.name.is_empty());
    let guarded = name.map_or_else(|| guard.account.to_string(), |(_, account)| account.to_string());
    let for_this_run = format!("for this run: --account {}", guard.account);
    let names: Vec<String> = of_guard.iter().take(3).map(|(name, _)| format!("-p {name}")).collect();
    let hint = if matches!(chosen, Chosen::Environment(_)) {
        format!("use a credential of that account; or, if this one is, {for_this_run}")
    } else if names.is_empty() {
        format!("{for_this_run}; or another profile: -p NAME")
    } else {
        format!("use {}; or {for_this_run}", names.join(" or "))
    };
    Error::new(format!("{who} account {account}, and {} is for account {guarded}", context.shown(&guard.pin)))
        .hint(hint)
}

/// The profiles of an account.
fn profiles_of(store: &Store, id: &AccountId) -> Vec<(String, Account)> {
    let listed = store.list().unwrap_or_default().into_iter().filter(|listed| !listed.shadowed);
    let profiles = listed.filter_map(|listed| Some((listed.name, listed.profile.ok()?.account)));
    profiles.filter(|(_, account)| account.id == *id).collect()
}

/// Warns where wrangler's own configuration names another account, which it would use in silence.
pub fn warn_of_wrangler(context: &Context, account: Option<&Account>) {
    if let Some(warning) = account.and_then(|account| other_account_of_wrangler(context, account)) {
        context.messages.say(&warning);
    }
}

/// The warning, where there is something to warn of.
pub fn other_account_of_wrangler(context: &Context, account: &Account) -> Option<String> {
    let (id, file) = wrangler_account(&context.directory)?;
    (!id.eq_ignore_ascii_case(account.id.as_str())).then(|| {
        format!(
            "wrangler will use account {id}, by {}, and not {account}: its account_id goes before \
             CLOUDFLARE_ACCOUNT_ID",
            context.shown(&file)
        )
    })
}

/// An inherited account that the command will not see is named, unless an outer `alchemy exec` put it
/// there: then it is the account of the profile that `ALCHEMY_PROFILE` names.
pub fn warn_of_other_account(context: &Context, store: &Store, account: Option<&Account>) {
    let (Some(inherited), Some(account)) = (context.variable(ACCOUNT_ID), account) else { return };
    if inherited == account.id.as_str() {
        return;
    }
    let outer = context.text(PROFILE).and_then(|name| ProfileName::parse(name).ok());
    let outer = outer.and_then(|name| store.get(&name).ok().flatten());
    if outer.is_some_and(|outer| inherited == outer.account.id.as_str()) {
        return;
    }
    context.messages.say(&format!(
        "{ACCOUNT_ID}={} in the environment is replaced by {account}; --account overrides it for one run",
        inherited.to_string_lossy()
    ));
}
