//! What keeps a credential from the wrong account: the account that a pin file guards. And a warning of what
//! lies in the directory and outranks the credential, or the account, in the clients that load it.

use super::account::account_by_id;
use super::chosen::{Chosen, outer};
use super::context::Context;
use super::handover::Receiver;
use crate::clients::hazards::{Scene, look, other_accounts};
use crate::directory::Guard;
use crate::environment::ACCOUNT_ID;
use crate::error::{Error, Result};
use crate::profile::{Account, AccountId};
use crate::store::Store;
use crate::store::settings::Settings;

/// The variable by which wrangler chooses a part of its configuration.
const WRANGLER_ENVIRONMENT: &str = "CLOUDFLARE_ENV";

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
    let is_asked = asked.is_some();
    match asked.or_else(|| chosen.account()) {
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

/// Looks for what in the working directory would outrank the credential of what was `chosen`, for a
/// `receiver` that is to get it, or its account: that is said, or, where it is so settled, an error.
///
/// # Errors
/// When there is something, and `strict`, else the setting, says so.
pub fn hazards(
    context: &Context,
    chosen: &Chosen,
    account: Option<&Account>,
    receiver: &Receiver,
    strict: Option<bool>,
) -> Result<()> {
    let own = chosen.account();
    let scene = Scene {
        directory: &context.directory,
        home: context.user_home(),
        command: receiver.command,
        given: chosen.given(),
        account: account.or(own.as_ref()),
        environment: context.text(WRANGLER_ENVIRONMENT),
        blank_key: receiver.blank_key,
        client: receiver.client,
    };
    let hazards = look(&scene);
    let told = hazards.iter().take(MOST_TOLD).map(|hazard| hazard.told(&context.shown(&hazard.file)));
    let told: Vec<String> = told.collect();
    let Some((last, before)) = told.split_last() else { return Ok(()) };
    for line in before {
        context.messages.say(line);
    }
    let last = match hazards.len() - told.len() {
        0 => last.clone(),
        more => format!("{last}; and {more} more"),
    };
    // The setting is not read before there is something to it.
    if strict.map_or_else(|| Settings::load(&context.home).map(|settings| settings.strict), Ok)? {
        return Err(Error::new(last).hint("take it out of the file; or, to run all the same: --no-strict"));
    }
    context.messages.say(&last);
    Ok(())
}

/// The most lines that are said of hazards.
const MOST_TOLD: usize = 3;

/// Warns where wrangler's own configuration names another account, which it would use in silence.
pub fn warn_of_wrangler(context: &Context, account: Option<&Account>) {
    let warnings = account.map(|account| other_accounts_of_wrangler(context, account));
    warnings.iter().flatten().for_each(|warning| context.messages.say(warning));
}

/// The warnings, where there is something to warn of.
pub fn other_accounts_of_wrangler(context: &Context, account: &Account) -> Vec<String> {
    let hazards = other_accounts(&context.directory, None, context.text(WRANGLER_ENVIRONMENT), account);
    hazards.iter().map(|hazard| hazard.told(&context.shown(&hazard.file))).collect()
}

/// An inherited account that the command will not see is named, unless an outer `alchemy exec` put it
/// there: then it is the account of that one's profile.
pub fn warn_of_other_account(context: &Context, store: &Store, account: Option<&Account>) {
    let (Some(inherited), Some(account)) = (context.variable(ACCOUNT_ID), account) else { return };
    if inherited == account.id.as_str() {
        return;
    }
    if outer(context, store).is_some_and(|outer| inherited == outer.account.id.as_str()) {
        return;
    }
    context.messages.say(&format!(
        "{ACCOUNT_ID}={} in the environment is replaced by {account}; --account overrides it for one run",
        inherited.to_string_lossy()
    ));
}
