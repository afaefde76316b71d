//! What a program gets, by `exec` or as the project's own npm `alchemy`: the last steps of the one way before
//! it is launched.

use std::ffi::OsString;

use clap::Args;

use super::account::account_by_id;
use super::chosen::{Chosen, inherited_also};
use super::context::Context;
use super::{Consent, MinTtl, Strictness, guard};
use crate::clients::hazards::Client;
use crate::clients::leads::Leads;
use crate::environment::{Changes, Value, changes};
use crate::error::Result;
use crate::session::{CONFIRM, Session};
use crate::store::Store;

/// What may be said for one run.
#[derive(Args)]
pub struct Handover {
    /// Another account for this run
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    #[command(flatten)]
    min_ttl: MinTtl,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    strictness: Strictness,
}

/// The program that gets it.
pub struct Receiver<'a> {
    /// Its words; none for a shell, in which anything may be run.
    pub command: &'a [OsString],
    /// It gets an empty `CLOUDFLARE_API_KEY` beside a token.
    pub blank_key: bool,
    /// Which client it is, where that is known.
    pub client: Option<Client>,
}

impl Handover {
    /// The session for what was chosen, and the environment's changes for it, with the person told where the
    /// program will not use that. `also` repeats the token under further names.
    ///
    /// # Errors
    /// Where that is settled to be one, and those of [`Chosen::release`].
    pub fn of(
        &self,
        context: &Context,
        store: &mut Store,
        chosen: &Chosen,
        receiver: &Receiver,
        also: &[String],
    ) -> Result<(Session, Changes)> {
        let account = self.account.as_deref().map(account_by_id).transpose()?;
        let leads = Leads::of(
            receiver.command,
            &context.directory,
            context.user_home(),
            context.variable("CDPATH").is_some(),
        );
        let strict = self.strictness.given();
        let account = guard::folders(context, store, chosen, account, &leads, strict)?;
        guard::hazards(context, chosen, account.as_ref(), receiver, &leads, strict)?;
        let session = chosen.release(context, store, account, &self.min_ttl, context.gate(self.consent))?;
        guard::warn_of_other_account(context, store, session.account.as_ref());
        let also = [also, chosen.also()].concat();
        let mut changes = changes(&session, &also).without(&inherited_also(context, store));
        if let Chosen::Profile(profile, _) = chosen
            && profile.confirm
        {
            // What runs under this one is not asked again (design §7).
            changes.set.push((CONFIRM.to_owned(), Value::Plain(profile.name.to_string())));
        }
        Ok((session, changes))
    }
}
