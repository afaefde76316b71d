//! The last step of the one way: what a program gets, by `exec` or as the project's own npm `alchemy`, before it is
//! launched.

use jiff::SignedDuration;

use super::changes::changes;
use super::check::{self, Receiver};
use super::choice::{Choice, inherited_also};
use super::gate::outward_gate;
use super::selector::Selector;
use crate::clients::leads::Leads;
use crate::environment::{Changes, Value};
use crate::error::Result;
use crate::profile::Account;
use crate::session::{CONFIRM, Session};
use crate::store::Store;

/// What may be said for one run.
#[derive(Debug, Default)]
pub(crate) struct GiveOptions {
    /// Another account for this run.
    pub account: Option<Account>,
    /// The life that an OAuth token must have left.
    pub min_ttl: Option<SignedDuration>,
    /// The gate's question is answered.
    pub yes: bool,
    /// Nothing is run where something here overrides the credential or the account; `None` leaves it to the setting.
    pub strict: Option<bool>,
}

/// Gives the credential of a choice to a program: the session, and the environment's changes for it. The person is told
/// where the program will not use that. `also` repeats the token under further names.
///
/// Where something overrides the credential and that is settled to be an error; when an account is another than the
/// required one, the gate stays closed, or no session is to be had.
pub(crate) fn give(
    selector: &Selector,
    store: &mut Store,
    choice: &Choice,
    receiver: &Receiver,
    options: GiveOptions,
    also: &[String],
) -> Result<(Session, Changes)> {
    let host = selector.host;
    let has_cdpath = host.variable("CDPATH").is_some();
    let leads = Leads::of(receiver.command, &host.directory, host.user_home(), has_cdpath);
    let account = check::folders(host, store, choice, options.account, &leads, options.strict)?;
    check::hazards(host, store, choice, account.as_ref(), receiver, &leads, options.strict)?;
    let checked = choice.check(selector, store, account)?;
    let session = checked.release(host, store, options.min_ttl, outward_gate(host, options.yes))?;
    check::warn_of_other_account(host, store, session.account.as_ref());
    let also = [also, choice.also()].concat();
    let mut changes = changes(&session, &also).without(&inherited_also(host, store));
    if let Choice::Profile(profile, _) = choice
        && profile.confirm
    {
        // What runs under this one is not asked again (design §7).
        changes.set.push((CONFIRM.to_owned(), Value::Plain(profile.name.to_string())));
    }
    Ok((session, changes))
}
