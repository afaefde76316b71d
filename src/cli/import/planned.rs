//! What is to become of each thing that was found: its name here, its account, and what there is already.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{Import, OnConflict};
use crate::cloudflare::{Credential, accounts_of_user, identify};
use crate::directory::bindings::Bindings;
use crate::environment::{API_BASE_URL, BASE_URL};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::http::Endpoint;
use crate::import::wrangler_scopes::{Mapped, mapped};
use crate::import::{
    Accounts, Existing, Fate, Found, FoundBinding, Source, What, fate, free_name, same_secret, target,
};
use crate::oauth::client::Client;
use crate::oauth::scopes::Catalog;
use crate::profile::{Account, AccountId, ProfileName, TokenFacts};
use crate::session;
use crate::session::sign_in::account::choose_account;
use crate::session::sign_in::client::ClientOptions;
use crate::store::Store;

/// Everything, with what is to become of it.
pub(super) struct Planned {
    /// What becomes profiles.
    pub items: Vec<Item>,
    /// What becomes bindings.
    pub bindings: Vec<Bound>,
    /// The API for all of them.
    pub endpoint: Endpoint,
    /// The client that signs in.
    pub client: Client,
    found_bindings: Vec<FoundBinding>,
    notes: Vec<String>,
}

/// Something that was found, with what is to become of it.
pub(super) struct Item {
    pub found: Found,
    /// Its name here; of what has none, the fate says so.
    pub name: Option<ProfileName>,
    pub accounts: Accounts,
    /// What Cloudflare says of the token.
    pub token: Option<TokenFacts>,
    /// The scopes to ask for, of what signs in.
    pub scopes: Option<Mapped>,
    pub fate: Fate,
}

/// A binding that was found, with what is to become of it.
pub(super) struct Bound {
    pub directory: PathBuf,
    /// The profile here.
    pub name: Option<ProfileName>,
    pub fate: Fate,
}

/// An error in one line.
pub(super) fn told(error: &Error) -> String {
    match error.next_step() {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    }
}

impl Planned {
    /// Plans it all; Cloudflare is asked, and nobody else.
    pub(super) fn of(
        import: &Import,
        host: &Host,
        store: &Store,
        source: Source,
        existing: &[Existing],
    ) -> Result<Self> {
        let endpoint = match import.tool {
            // Its credentials exist already, and are Cloudflare's (design §7).
            super::Tool::Npm => {
                let variables = [API_BASE_URL, BASE_URL].map(|name| (name, host.text(name)));
                let (endpoint, notes) = session::endpoint(None, &variables);
                for note in &notes {
                    host.messages.say(note);
                }
                endpoint
            }
            _ => host.new_endpoint()?,
        };
        let client = ClientOptions::default().resolve(host, None)?;
        let can_become = source.found.iter().filter(|found| !matches!(found.what, What::Unusable(_)));
        let count = can_become.count();
        if import.profile.is_some() && import.tool != super::Tool::Env && count > 1 {
            return Err(Error::usage(format!("--profile names one profile, and {count} are to be imported"))
                .hint("name the one: alchemy import TOOL NAME -p PROFILE; or give --prefix"));
        }
        let mut planned = Self {
            items: Vec::new(),
            bindings: Vec::new(),
            endpoint,
            client,
            found_bindings: source.bindings,
            notes: source.notes,
        };
        let mut given = BTreeSet::new();
        for found in source.found {
            let item = planned.item(import, host, store, found, existing, &mut given)?;
            planned.items.push(item);
        }
        planned.bind(host, import.on_conflict)?;
        Ok(planned)
    }

    fn item(
        &self,
        import: &Import,
        host: &Host,
        store: &Store,
        found: Found,
        existing: &[Existing],
        given: &mut BTreeSet<ProfileName>,
    ) -> Result<Item> {
        let scopes = match &found.what {
            What::Grant { scopes, .. } => Some(self.scopes(scopes)),
            _ => None,
        };
        let mut item =
            Item { found, name: None, accounts: Accounts::Unknown, token: None, scopes, fate: Fate::Make };
        let name = match &import.profile {
            Some(name) if import.tool != super::Tool::Env => Ok(ProfileName::parse(name)?),
            _ => target(&item.found.name, &import.prefix),
        };
        let name = match name {
            Ok(name) => name,
            Err(why) => return Ok(Item { fate: Fate::Left(why), ..item }),
        };
        item.name = Some(name.clone());
        // Nobody needs to be asked then.
        let is_settled = matches!(item.found.what, What::Stays { .. } | What::Unusable(_));
        let asked = import.account.clone().or_else(|| item.found.account.clone());
        let may_be = |account: &Account| {
            asked
                .as_deref()
                .is_none_or(|it| account.name == it || AccountId::parse(it).as_ref() == Some(&account.id))
        };
        if let Some(same) = same_secret(&item.found.what, existing, &may_be) {
            item.fate = Fate::There(same.to_owned());
            return Ok(item);
        }
        if is_settled {
            item.fate = fate(&item.found.what, &name, &item.accounts, existing);
            return Ok(item);
        }
        match self.accounts(import, host, &item.found) {
            Ok((accounts, token)) => (item.accounts, item.token) = (accounts, token),
            Err(error) => return Ok(Item { fate: Fate::Left(told(&error)), ..item }),
        }
        item.fate = fate(&item.found.what, &name, &item.accounts, existing);
        let taken = existing.iter().find(|it| it.name == name.as_str());
        if let Some(same) = taken.and_then(|taken| taken.holds(&item.found.what, store)) {
            item.fate = Fate::There(same.to_owned());
        }
        if !store.may_ask()
            && matches!(item.fate, Fate::Make | Fate::Collides(_))
            && let Some(why) = unknown(&item.accounts)
        {
            item.fate = Fate::Left(why);
            return Ok(item);
        }
        let is_taken =
            |name: &ProfileName| given.contains(name) || existing.iter().any(|it| it.name == name.as_str());
        if let Fate::Collides(what) = &item.fate {
            match import.on_conflict {
                Some(OnConflict::Skip) => {
                    item.fate = Fate::Stays(format!("profile '{name}' exists ({what}), and stays as it is"));
                }
                Some(OnConflict::Replace) => item.fate = Fate::Replace(what.clone()),
                Some(OnConflict::Rename) => {
                    item.name = free_name(&name, import.tool.word(), is_taken);
                    item.fate = Fate::Make;
                }
                None => {}
            }
        }
        if let (Fate::Make | Fate::Replace(_) | Fate::Collides(_), Some(name)) = (&item.fate, &item.name)
            && !given.insert(name.clone())
        {
            item.fate = Fate::Left(format!(
                "another one gets the name '{name}'; by itself: alchemy import {} {} -p PROFILE",
                import.tool, item.found.name
            ));
        }
        Ok(item)
    }

    fn scopes(&self, wranglers: &[String]) -> Mapped {
        let mapped = mapped(wranglers, &self.client);
        // What cannot be read is asked for as in a new profile.
        if mapped.scopes.is_empty() {
            return Mapped { scopes: Catalog::of(&self.client).basic, ..mapped };
        }
        mapped
    }

    /// The accounts for which something can be, by what Cloudflare says.
    fn accounts(
        &self,
        import: &Import,
        host: &Host,
        found: &Found,
    ) -> Result<(Accounts, Option<TokenFacts>)> {
        let asked = import.account.as_deref().or(found.account.as_deref());
        let notice = |text: &str| host.messages.say(text);
        let credential = match &found.what {
            What::Token(token) => Credential::Token(token.clone()),
            What::Key { key, email } => Credential::Key { key: key.clone(), email: email.clone() },
            What::Grant { access, .. } => {
                // Wrangler's token is Cloudflare's alone.
                let is_its_own = self.endpoint.is_cloudflare() || self.endpoint.is_loopback();
                let access = access.as_ref().filter(|_| is_its_own && !import.no_verify);
                let Some(access) = access else {
                    let account = asked.map(Account::of_id).transpose()?;
                    return Ok((account.map_or(Accounts::Unknown, Accounts::One), None));
                };
                let credential = Credential::Token(access.clone());
                let client = host.client(&self.endpoint, &credential, &notice)?;
                let seen = match (accounts_of_user(&client), asked.and_then(AccountId::parse)) {
                    (Err(_), Some(_)) => Vec::new(),
                    (seen, _) => seen?,
                };
                let accounts = match (seen.as_slice(), asked) {
                    ([], None) => Accounts::Unknown,
                    ([_, _, ..], None) => Accounts::Several(seen),
                    _ => Accounts::One(choose_account(&client, &seen, None, asked, None)?),
                };
                return Ok((accounts, None));
            }
            What::Stays { .. } | What::Unusable(_) => return Ok((Accounts::Unknown, None)),
        };
        if import.no_verify {
            let account = asked.map(Account::of_id).transpose()?.ok_or_else(|| {
                Error::usage("with --no-verify the account cannot be looked up")
                    .hint("give its id: --account ID")
            })?;
            return Ok((Accounts::One(account), None));
        }
        let client = host.client(&self.endpoint, &credential, &notice)?;
        let hint = asked.and_then(AccountId::parse);
        let identity = identify(&client, &credential, hint.as_ref(), host.started)?;
        let accounts = match (identity.accounts.as_slice(), asked) {
            ([_, _, ..], None) => Accounts::Several(identity.accounts.clone()),
            (seen, asked) => Accounts::One(choose_account(&client, seen, identity.owner(), asked, None)?),
        };
        let token = identity.token.map(|status| TokenFacts { id: status.id, expires: status.expires_on });
        Ok((accounts, token))
    }

    /// Plans the bindings, by the names that the profiles have by now.
    pub(super) fn bind(&mut self, host: &Host, on_conflict: Option<OnConflict>) -> Result<()> {
        if self.found_bindings.is_empty() {
            return Ok(());
        }
        let there = Bindings::load(&host.home)?;
        let bound = self.found_bindings.iter().map(|found| {
            let item = self.items.iter().find(|item| item.found.name == found.name);
            bound(found, item, &there, on_conflict)
        });
        self.bindings = bound.collect();
        let mut seen = BTreeSet::new();
        for bound in &mut self.bindings {
            if !seen.insert(bound.directory.clone()) {
                bound.fate = Fate::Left("it is the same directory as another one".to_owned());
            }
        }
        Ok(())
    }

    /// Whether there is something to write.
    pub(super) fn changes_something(&self) -> bool {
        let fates = self.items.iter().map(|item| &item.fate).chain(self.bindings.iter().map(|it| &it.fate));
        fates.into_iter().any(|fate| matches!(fate, Fate::Make | Fate::Replace(_) | Fate::Collides(_)))
    }

    /// What a person should know besides.
    pub(super) fn notes(&self) -> Vec<String> {
        let is_new = |item: &&Item| matches!(item.fate, Fate::Make | Fate::Replace(_) | Fate::Collides(_));
        let of_items = self.items.iter().filter(is_new).flat_map(|item| {
            let lacks = item.scopes.as_ref().map(|scopes| scopes.lacks.join(" ")).filter(|it| !it.is_empty());
            let lacks = lacks.map(|lacks| format!("the client that signs in here cannot ask for: {lacks}"));
            let notes = item.found.notes.iter().cloned().chain(lacks);
            notes.map(|note| format!("'{}': {note}", item.found.name))
        });
        of_items.chain(self.notes.iter().cloned()).collect()
    }
}

/// Why an account must be asked for.
fn unknown(accounts: &Accounts) -> Option<String> {
    match accounts {
        Accounts::One(_) => None,
        Accounts::Several(seen) => {
            let seen: Vec<String> = seen.iter().map(Account::to_string).collect();
            Some(format!("it is for one of several accounts; give it by --account: {}", seen.join(", ")))
        }
        Accounts::Unknown => Some(
            "its account cannot be told, as no living session of it can be read; give it by --account ID"
                .to_owned(),
        ),
    }
}

fn bound(
    found: &FoundBinding,
    item: Option<&Item>,
    there: &Bindings,
    on_conflict: Option<OnConflict>,
) -> Bound {
    let left = |why: &str| Bound {
        directory: found.directory.clone(),
        name: None,
        fate: Fate::Left(why.to_owned()),
    };
    let Some(item) = item else { return left("the profile that it is bound to does not exist there") };
    // Our bindings are by real paths; wrangler's as they were written.
    let directory = match found.directory.canonicalize() {
        Ok(directory) if found.directory.is_absolute() && directory.is_dir() => directory,
        _ => return left("there is no such directory"),
    };
    let name = match &item.fate {
        Fate::There(name) => ProfileName::parse(name).ok(),
        _ => item.name.clone(),
    };
    let before = there.get(&directory);
    let fate = match (&before, &item.fate) {
        (Ok(Some(before)), _) if Some(before) == name.as_ref() => Fate::There(before.to_string()),
        (_, Fate::Stays(_) | Fate::Left(_)) => return left("its profile is not imported"),
        (Ok(None), _) => Fate::Make,
        (before, _) => {
            let before = before.as_ref().ok().and_then(Option::as_ref);
            let before = before.map_or("what is no profile".to_owned(), |name| format!("'{name}'"));
            match on_conflict {
                Some(OnConflict::Replace) => Fate::Replace(before),
                Some(_) => Fate::Stays(format!("it is bound to {before}, and stays so")),
                None => Fate::Collides(before),
            }
        }
    };
    Bound { directory, name, fate }
}
