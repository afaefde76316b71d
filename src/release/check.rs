//! What keeps a credential from the wrong account: the account that a pin file guards. And a warning of what
//! lies in the directory and outranks the credential, or the account, in the clients that load it.

use std::ffi::OsString;
use std::path::Path;

use super::choice::{Choice, outer};
use super::selector::Selector;
use crate::clients::hazards::{CHOOSES_ENVIRONMENT, Client, Look, Scene, other_accounts};
use crate::clients::leads::{Leads, Level};
use crate::directory::{Here, RequiredAccount};
use crate::environment::ACCOUNT_ID;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::{Account, AccountId};
use crate::store::Store;
use crate::store::settings::Settings;

/// A choice that may be used here, and the account for this run.
pub(crate) struct Checked<'c> {
    pub(super) choice: &'c Choice,
    pub(super) account: Option<Account>,
}

/// The program that gets the credential.
pub(crate) struct Receiver<'a> {
    /// Its words; none for a shell, in which anything may be run.
    pub command: &'a [OsString],
    /// It gets an empty `CLOUDFLARE_API_KEY` beside a token.
    pub blank_key: bool,
    /// Which client it is, where that is known.
    pub client: Option<Client>,
}

impl Choice {
    /// Checks the required account of the working directory: the account for this run is that one, and must be the
    /// `asked` one, or else the one of the choice. An environment's credential that names none gets it.
    ///
    /// Fails when the account is another one, with the ways on.
    pub(crate) fn check(
        &self,
        selector: &Selector,
        store: &Store,
        asked: Option<Account>,
    ) -> Result<Checked<'_>> {
        selector.here()?;
        self.check_silently(selector, store, asked)
    }

    /// Checks the required account as [`Choice::check`] does, without a word of what is ignored in the directory.
    pub(crate) fn check_silently(
        &self,
        selector: &Selector,
        store: &Store,
        asked: Option<Account>,
    ) -> Result<Checked<'_>> {
        let guard = selector.look()?.sound()?.guard.as_ref();
        let account = within(selector.host, store, self, asked, guard)?;
        Ok(Checked { choice: self, account })
    }
}

/// Checks the required accounts of the folders that the words of a command lead to; the account for this run. A path among them that need not mean anything counts
/// where `strict` says so.
///
/// Fails when one of them demands another account, or cannot be understood.
pub(crate) fn folders(
    host: &Host,
    store: &Store,
    choice: &Choice,
    mut asked: Option<Account>,
    leads: &Leads,
    strict: Option<bool>,
) -> Result<Option<Account>> {
    for folder in leads.folders.iter().skip(1) {
        if folder.level < Level::Reached && !is_strict(host, strict)? {
            continue;
        }
        let here = Here::look(&host.home, &folder.path, host.uid)?;
        asked = within(host, store, choice, asked, here.sound()?.guard.as_ref())?;
    }
    Ok(asked)
}

fn within(
    host: &Host,
    store: &Store,
    choice: &Choice,
    asked: Option<Account>,
    guard: Option<&RequiredAccount>,
) -> Result<Option<Account>> {
    let Some(guard) = guard else { return Ok(asked) };
    let is_asked = asked.is_some();
    match asked.or_else(|| choice.account()) {
        Some(account) if account.id == guard.account => Ok(Some(account)),
        Some(account) => Err(refused(host, store, guard, choice, &account, is_asked)),
        None => Account::of_id(guard.account.as_str()).map(Some),
    }
}

fn refused(
    host: &Host,
    store: &Store,
    guard: &RequiredAccount,
    choice: &Choice,
    account: &Account,
    is_asked: bool,
) -> Error {
    let who = match choice {
        _ if is_asked => "--account names".to_owned(),
        Choice::Profile(profile, selection) => {
            format!("profile '{}' ({}) is for", profile.name, selection.reason)
        }
        Choice::Environment(_) => format!("{ACCOUNT_ID} in the environment names"),
    };
    let of_guard = profiles_of(store, &guard.account);
    let name = of_guard.iter().find(|(_, account)| !account.name.is_empty());
    let guarded = name.map_or_else(|| guard.account.to_string(), |(_, account)| account.to_string());
    let for_this_run = format!("for this run: --account {}", guard.account);
    let names: Vec<String> = of_guard.iter().take(3).map(|(name, _)| format!("-p {name}")).collect();
    let hint = if matches!(choice, Choice::Environment(_)) {
        format!("use a credential of that account; or, if this one is, {for_this_run}")
    } else if names.is_empty() {
        format!("{for_this_run}; or another profile: -p NAME")
    } else {
        format!("use {}; or {for_this_run}", names.join(" or "))
    };
    Error::new(format!("{who} account {account}, and {} is for account {guarded}", host.shown(&guard.pin)))
        .hint(hint)
}

/// The profiles of an account.
fn profiles_of(store: &Store, id: &AccountId) -> Vec<(String, Account)> {
    let listed = store.list().unwrap_or_default().into_iter().filter(|listed| !listed.shadowed);
    let profiles = listed.filter_map(|listed| Some((listed.name, listed.profile.ok()?.account)));
    profiles.filter(|(_, account)| account.id == *id).collect()
}

/// Looks for what would outrank the credential of what was `choice`, or its account, where the words of the command
/// lead, for a `receiver` that is to get it: that is said, or, where it is so settled, an error.
///
/// Fails when there is something, and `strict`, else the setting, says so.
pub(crate) fn hazards(
    host: &Host,
    store: &Store,
    choice: &Choice,
    account: Option<&Account>,
    receiver: &Receiver,
    leads: &Leads,
    strict: Option<bool>,
) -> Result<()> {
    let own = choice.account();
    let scene = Scene {
        home: host.user_home(),
        given: choice.given(),
        account: account.or(own.as_ref()),
        environment: host.text(CHOOSES_ENVIRONMENT),
        mode: host.text("NODE_ENV"),
        turbo_mode: host.text("TURBO_ENV_MODE"),
        blank_key: receiver.blank_key,
        client: receiver.client,
    };
    let mut look = Look::new(&scene, leads);
    let mut hazards = look.evident();
    // The setting is not read where nothing depends on it.
    let strict = (!hazards.is_empty() || look.is_open()) && is_strict(host, strict)?;
    if strict {
        let possible = look.possible();
        hazards
            .extend(possible.into_iter().filter(|possible| !possible.is_among(&hazards)).collect::<Vec<_>>());
    }
    let show = |path: &Path| host.shown(path);
    let told: Vec<String> = hazards.iter().take(MOST_TOLD).map(|hazard| hazard.told(&show)).collect();
    let Some((last, before)) = told.split_last() else { return Ok(()) };
    let profile_of = |id: &str| {
        let account = Account::of_id(&id.to_ascii_lowercase()).ok()?;
        profiles_of(store, &account.id).into_iter().next().map(|(name, _)| name)
    };
    let way_out = hazards.get(told.len() - 1).map(|hazard| hazard.way_out(&profile_of)).unwrap_or_default();
    for line in before {
        host.messages.say(line);
    }
    let last = match hazards.len() - told.len() {
        0 => last.clone(),
        more => format!("{last}; and {more} more"),
    };
    if strict {
        return Err(Error::new(last).hint(format!("{way_out}; or, to run all the same: --no-strict")));
    }
    host.messages.say(&last);
    Ok(())
}

/// Whether nothing is run where something may outrank the credential: as the command line says, else the setting.
fn is_strict(host: &Host, strict: Option<bool>) -> Result<bool> {
    strict.map_or_else(|| Settings::load(&host.home).map(|settings| settings.strict), Ok)
}

/// The most lines that are said of hazards.
const MOST_TOLD: usize = 3;

/// Warns where wrangler's own configuration names another account, which it would use in silence.
pub(crate) fn warn_of_wrangler(host: &Host, account: Option<&Account>) {
    let warnings = account.map(|account| other_accounts_of_wrangler(host, account));
    warnings.iter().flatten().for_each(|warning| host.messages.say(warning));
}

/// The warnings, where there is something to warn of.
pub(crate) fn other_accounts_of_wrangler(host: &Host, account: &Account) -> Vec<String> {
    let hazards = other_accounts(&host.directory, host.text(CHOOSES_ENVIRONMENT), account);
    hazards.iter().map(|hazard| hazard.told(&|path| host.shown(path))).collect()
}

/// An inherited account that the command will not see is named, unless an outer `alchemy exec` put it
/// there: then it is the account of that one's profile.
pub(crate) fn warn_of_other_account(host: &Host, store: &Store, account: Option<&Account>) {
    let (Some(inherited), Some(account)) = (host.variable(ACCOUNT_ID), account) else { return };
    if inherited == account.id.as_str() {
        return;
    }
    if outer(host, store).is_some_and(|outer| inherited == outer.account.id.as_str()) {
        return;
    }
    host.messages.say(&format!(
        "{ACCOUNT_ID}={} in the environment is replaced by {account}; --account overrides it for one run",
        inherited.to_string_lossy()
    ));
}
