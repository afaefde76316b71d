//! The first step of the one way: which credential a command gets, a profile's or the environment's own.

use super::pick::{is_open, pick as picked};
use super::selector::{Selector, Wanted};
use crate::clients::hazards::Given;
use crate::cloudflare::Credential;
use crate::environment::{ACCOUNT_ID, ACTIVE, API_KEY, API_TOKEN, EMAIL, PROFILE};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::selection::{Reason, Selection};
use crate::profile::{Account, Method, Profile, ProfileName};
use crate::secret::Secret;
use crate::session::Session;
use crate::store::Store;

/// The start of the way: which credential a command gets.
pub(crate) enum Choice {
    /// A profile's.
    Profile(Box<Profile>, Selection),
    /// The environment's own, by the rule for CI (design §4).
    Environment(Box<Session>),
}

impl Choice {
    /// Which credential applies: the selected profile's, or, when it does not exist and the rule for CI
    /// allows it, the environment's.
    pub(crate) fn find(selector: &Selector, store: &Store, argument: Option<&str>) -> Result<Self> {
        let host = selector.host;
        let Wanted { selection, refusal } = selector.wanted(argument)?;
        let unknown = match (refusal, store.find(&selection)) {
            (None, Ok(profile)) => return Ok(Self::Profile(Box::new(profile), selection)),
            (Some(refusal), _) => refusal,
            (None, Err(error)) => error,
        };
        // Only a profile that does not exist: one that cannot be read is an error everywhere.
        let may_fall_back = match selection.reason {
            Reason::Default | Reason::Bound(_) | Reason::Pinned(_) | Reason::Asked(_) => true,
            Reason::CommandLine => is_ci(host) && !host.home.config().exists(),
            Reason::CloudflareProfile | Reason::AlchemyProfile | Reason::Envrc(_) | Reason::Picked => false,
        };
        // What a hook or direnv has set for a directory is not the person's own credential, and none for another one.
        let is_another_directorys = host.variable(ACTIVE).is_some();
        if !may_fall_back || is_another_directorys || store.get(&selection.name)?.is_some() {
            return Err(unknown);
        }
        match environment_session(host)? {
            Some((session, variable)) => {
                host.messages.say(&format!(
                    "there is no profile '{}' ({}); using {variable} from the environment",
                    selection.name, selection.reason
                ));
                Ok(Self::Environment(Box::new(session)))
            }
            None => Err(unknown),
        }
    }

    /// The same for a command of a person's: who wants to `pick` the profile is asked, and so is who has named
    /// none, where nothing else gives a credential.
    pub(crate) fn find_or_pick(
        selector: &Selector,
        store: &Store,
        argument: Option<&str>,
        pick: bool,
    ) -> Result<Self> {
        if !pick {
            match Self::find(selector, store, argument) {
                Err(error) if argument.is_some() || !is_open(selector, store)? => return Err(error),
                Ok(choice) => return Ok(choice),
                Err(_) => {}
            }
        } else if argument.is_some() {
            return Err(Error::usage("--pick asks for the profile, and the command line names one")
                .hint("leave one of them out"));
        }
        let (profile, selection) = picked(selector, store)?;
        Ok(Self::Profile(Box::new(profile), selection))
    }

    /// Further variables that repeat the token, as they are kept with the profile.
    pub(crate) fn also(&self) -> &[String] {
        match self {
            Self::Profile(profile, _) => &profile.also,
            Self::Environment(_) => &[],
        }
    }

    /// Its own account, where it has one.
    pub(crate) fn account(&self) -> Option<Account> {
        match self {
            Self::Profile(profile, _) => Some(profile.account.clone()),
            Self::Environment(session) => session.account.clone(),
        }
    }

    /// What kind of credential it gives.
    pub(crate) fn given(&self) -> Given {
        let is_key = match self {
            Self::Profile(profile, _) => profile.method == Method::ApiKey,
            Self::Environment(session) => matches!(session.credential, Credential::Key { .. }),
        };
        if is_key { Given::Key } else { Given::Token }
    }
}

/// The profile that the environment is already for, by an outer `alchemy exec` or `alchemy env`.
pub(crate) fn outer(host: &Host, store: &Store) -> Option<Profile> {
    let name = host.text(PROFILE).and_then(|name| ProfileName::parse(name).ok())?;
    store.get(&name).ok().flatten()
}

/// Where else the token of that profile stands: it must not stay there beside another profile's.
pub(crate) fn inherited_also(host: &Host, store: &Store) -> Vec<String> {
    outer(host, store).map(|profile| profile.also).unwrap_or_default()
}

/// Whether nobody is there, by what the services of that kind say.
pub(crate) fn is_ci(host: &Host) -> bool {
    host.text("CI")
        .is_some_and(|ci| !matches!(ci.to_ascii_lowercase().as_str(), "false" | "0" | "no" | "off"))
}

/// Whether the environment holds a credential.
pub(crate) fn holds_credential(host: &Host) -> bool {
    let is_set = |name| host.variable(name).is_some();
    is_set(API_TOKEN) || (is_set(API_KEY) && is_set(EMAIL))
}

/// The credential that the environment holds, with the variable that it is from. A token goes
/// before a key: it is the narrower one.
fn environment_session(host: &Host) -> Result<Option<(Session, &'static str)>> {
    let (credential, variable) = match (host.text(API_TOKEN), host.text(API_KEY), host.text(EMAIL)) {
        (Some(token), _, _) => (Credential::Token(Secret::from(token.to_owned())), API_TOKEN),
        (None, Some(key), Some(email)) => {
            let key = Secret::from(key.to_owned());
            (Credential::Key { key, email: email.to_owned() }, API_KEY)
        }
        _ => return Ok(None),
    };
    let account = match host.text(ACCOUNT_ID) {
        Some(id) => Some(Account::of_id(id)?),
        None => None,
    };
    let endpoint = host.new_endpoint()?;
    Ok(Some((
        Session { profile: None, account, credential, grant: false, expires: None, endpoint },
        variable,
    )))
}
