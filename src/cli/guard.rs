//! What keeps a credential from the wrong account: the account that a pin file guards. And a warning of what
//! lies in the directory and outranks the credential, or the account, in the clients that load it.

use std::path::Path;

use super::account::account_by_id;
use super::chosen::{Chosen, outer};
use super::context::Context;
use super::handover::Receiver;
use crate::clients::hazards::{CHOOSES_ENVIRONMENT, Hazard, Look, Scene, other_accounts};
use crate::clients::leads::{Leads, Level};
use crate::directory::{Guard, Here};
use crate::environment::ACCOUNT_ID;
use crate::error::{Error, Result};
use crate::profile::{Account, AccountId};
use crate::store::Store;
use crate::store::settings::Settings;

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
    within(context, store, chosen, asked, context.look()?.sound()?.guard.as_ref())
}

/// The same for the folders that the words of a command lead to. A path among them that need not mean anything counts
/// where `strict` says so.
///
/// # Errors
/// When one of them demands another account, or cannot be understood.
pub fn folders(
    context: &Context,
    store: &Store,
    chosen: &Chosen,
    mut asked: Option<Account>,
    leads: &Leads,
    strict: Option<bool>,
) -> Result<Option<Account>> {
    for folder in leads.folders.iter().skip(1) {
        if folder.level < Level::Reached && !is_strict(context, strict)? {
            continue;
        }
        let here = Here::look(&context.home, &folder.path, context.uid)?;
        asked = within(context, store, chosen, asked, here.sound()?.guard.as_ref())?;
    }
    Ok(asked)
}

fn within(
    context: &Context,
    store: &Store,
    chosen: &Chosen,
    asked: Option<Account>,
    guard: Option<&Guard>,
) -> Result<Option<Account>> {
    let Some(guard) = guard else { return Ok(asked) };
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

/// Looks for what would outrank the credential of what was `chosen`, or its account, where the words of the command
/// lead, for a `receiver` that is to get it: that is said, or, where it is so settled, an error.
///
/// # Errors
/// When there is something, and `strict`, else the setting, says so.
pub fn hazards(
    context: &Context,
    chosen: &Chosen,
    account: Option<&Account>,
    receiver: &Receiver,
    leads: &Leads,
    strict: Option<bool>,
) -> Result<()> {
    let own = chosen.account();
    let scene = Scene {
        directory: &context.directory,
        home: context.user_home(),
        command: receiver.command,
        given: chosen.given(),
        account: account.or(own.as_ref()),
        environment: context.text(CHOOSES_ENVIRONMENT),
        mode: context.text("NODE_ENV"),
        turbo_mode: context.text("TURBO_ENV_MODE"),
        blank_key: receiver.blank_key,
        client: receiver.client,
    };
    let mut look = Look::new(&scene, leads);
    let mut hazards = look.evident();
    // The setting is not read where nothing depends on it.
    let strict = (!hazards.is_empty() || look.is_open()) && is_strict(context, strict)?;
    if strict {
        let possible = look.possible();
        hazards
            .extend(possible.into_iter().filter(|possible| !possible.is_among(&hazards)).collect::<Vec<_>>());
    }
    let show = |path: &Path| context.shown(path);
    let told: Vec<String> = hazards.iter().take(MOST_TOLD).map(|hazard| hazard.told(&show)).collect();
    let Some((last, before)) = told.split_last() else { return Ok(()) };
    let way_out = hazards.get(told.len() - 1).map(Hazard::way_out).unwrap_or_default();
    for line in before {
        context.messages.say(line);
    }
    let last = match hazards.len() - told.len() {
        0 => last.clone(),
        more => format!("{last}; and {more} more"),
    };
    if strict {
        return Err(Error::new(last).hint(format!("{way_out}; or, to run all the same: --no-strict")));
    }
    context.messages.say(&last);
    Ok(())
}

/// Whether nothing is run where something may outrank the credential: as the command line says, else the setting.
fn is_strict(context: &Context, strict: Option<bool>) -> Result<bool> {
    strict.map_or_else(|| Settings::load(&context.home).map(|settings| settings.strict), Ok)
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
    let hazards = other_accounts(&context.directory, context.text(CHOOSES_ENVIRONMENT), account);
    hazards.iter().map(|hazard| hazard.told(&|path| context.shown(path))).collect()
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
