//! What other tools have, and what becomes of it here.
//!
//! One file per tool finds it; nothing of the tool's is ever written, and none of its refresh tokens is
//! ever spent. What becomes of each is decided here, purely, by what there is already: so that it can be
//! shown before it is done, and a second run finds everything in its place.

pub(crate) mod cf_vault;
pub(crate) mod env;
pub(crate) mod npm;
mod sealed;
pub(crate) mod wrangler;
pub(crate) mod wrangler_scopes;

use std::path::{Path, PathBuf};

use crate::directory::file;
use crate::error::{Error, Result};
use crate::profile::{Account, Method, Profile, ProfileName, StoreKind};
use crate::secret::Secret;
use crate::store::Store;
use crate::store::credential::Document;

/// Why a grant of another client is not copied, for people.
pub(crate) const WHY_NO_GRANT: &str =
    "two programs with the same refresh token would sign each other out, as it can be spent once";
/// The most that is read of a file of another tool, in bytes.
const LIMIT: u64 = 1024 * 1024;
/// The longest name that a profile can have.
const LONGEST_NAME: usize = 64;

/// Everything that was found at a tool.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// What can become profiles.
    pub found: Vec<Found>,
    /// Directories that are bound there.
    pub bindings: Vec<FoundBinding>,
    /// What else a person should know of it.
    pub notes: Vec<String>,
}

/// One thing that can become a profile.
#[derive(Debug)]
pub(crate) struct Found {
    /// How the tool calls it.
    pub name: String,
    /// What it is.
    pub what: What,
    /// The id or the name of its account, where the tool knows it.
    pub account: Option<String>,
    /// What of it is not taken over.
    pub notes: Vec<String>,
}

/// What was found.
#[derive(Debug)]
pub(crate) enum What {
    /// An API token.
    Token(Secret),
    /// A Global API Key.
    Key {
        /// The key.
        key: Secret,
        /// The e-mail that it belongs to.
        email: String,
    },
    /// A grant of another OAuth client, which stays where it is.
    Grant {
        /// Its scopes in the other client's spelling; none where they cannot be read.
        scopes: Vec<String>,
        /// Its access token, while that lives.
        access: Option<Secret>,
    },
    /// It is usable here as it is; why nothing is done with it.
    Stays {
        /// How it proves who it is.
        method: Method,
        /// Why, and how to have it otherwise.
        why: String,
    },
    /// It cannot be used; why.
    Unusable(String),
}

/// A directory that is bound at the tool.
#[derive(Debug)]
pub(crate) struct FoundBinding {
    /// The directory, as it is written there.
    pub directory: PathBuf,
    /// How the tool calls what it is bound to.
    pub name: String,
}

/// A profile that there is already.
pub(crate) struct Existing {
    /// Its name.
    pub name: String,
    /// The profile, or nothing when it cannot be read.
    pub profile: Option<Profile>,
    /// Its API token or key.
    pub secret: Option<Secret>,
}

/// The accounts for which something can be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Accounts {
    /// Exactly this one.
    One(Account),
    /// One of these.
    Several(Vec<Account>),
    /// Nobody can tell.
    Unknown,
}

/// What becomes of something that was found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// A new profile.
    Make,
    /// There is a profile that is the same; its name.
    There(String),
    /// There is another profile of that name; what that is.
    Collides(String),
    /// It takes the place of that other profile; what that is.
    Replace(String),
    /// Nothing is done, and nothing is missing; why.
    Stays(String),
    /// It is left out; why.
    Left(String),
}

impl What {
    /// How it proves who it is.
    pub(crate) fn method(&self) -> Option<Method> {
        match self {
            Self::Token(_) => Some(Method::ApiToken),
            Self::Key { .. } => Some(Method::ApiKey),
            Self::Grant { .. } => Some(Method::OAuth),
            Self::Stays { method, .. } => Some(*method),
            Self::Unusable(_) => None,
        }
    }

    /// The document that is kept of it; none of a grant, which is not copied.
    pub(crate) fn document(&self) -> Option<Document> {
        match self {
            Self::Token(token) => Some(Document::ApiToken { token: token.clone() }),
            Self::Key { key, email } => Some(Document::ApiKey { key: key.clone(), email: email.clone() }),
            _ => None,
        }
    }

    /// A token or a key as it was kept, which may have white space around it.
    fn pasted(text: &str, what: impl FnOnce(Secret) -> Self) -> Self {
        match Secret::from_pasted(text) {
            Ok(secret) => what(secret),
            Err(why) => Self::Unusable(format!("its secret {why}")),
        }
    }
}

impl Existing {
    /// All profiles, with the secrets of those that do not sign in. Without those of npm's version 2 when it
    /// is they that are imported.
    ///
    /// Fails when they cannot be listed.
    pub(crate) fn all(store: &Store, with_npms: bool) -> Result<Vec<Self>> {
        let mut listed = store.list()?;
        listed.retain(|listed| {
            let is_npms = listed.profile.as_ref().is_ok_and(|profile| profile.store == StoreKind::Npm);
            !listed.shadowed && (with_npms || !is_npms)
        });
        let known = listed.into_iter().map(|listed| {
            let profile = listed.profile.ok();
            let secret = profile.as_ref().and_then(|profile| secret_of(store, profile));
            Self { name: listed.name, profile, secret }
        });
        Ok(known.collect())
    }

    /// The name, when it holds this secret by what a store says that may ask a person to open it.
    pub(crate) fn holds(&self, what: &What, store: &Store) -> Option<&str> {
        let (What::Token(secret) | What::Key { key: secret, .. }) = what else { return None };
        let profile = self.profile.as_ref().filter(|_| self.secret.is_none())?;
        (secret_of(store, profile)? == *secret).then_some(&*self.name)
    }

    fn describe(&self) -> String {
        match &self.profile {
            Some(profile) => format!("{}, account {}", profile.method, profile.account),
            None => "which cannot be read".to_owned(),
        }
    }
}

/// The API token or key of a profile.
fn secret_of(store: &Store, profile: &Profile) -> Option<Secret> {
    if profile.method == Method::OAuth {
        return None;
    }
    match store.credential(profile).ok()? {
        Document::ApiToken { token: secret } | Document::ApiKey { key: secret, .. } => Some(secret),
        Document::OAuth(_) => None,
    }
}

/// The profile's name for something that the tool calls `name`: what our rule does not let through becomes
/// `-`, and not the first letter.
pub(crate) fn target(name: &str, prefix: &str) -> Result<ProfileName, String> {
    let name = format!("{prefix}{name}");
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = name.chars().map(plain).skip_while(|c| !c.is_ascii_alphanumeric()).collect();
    let name = name.get(..name.len().min(LONGEST_NAME)).unwrap_or_default();
    ProfileName::parse(name).map_err(|_| "no profile can have its name".to_owned())
}

/// The profile that holds the same secret, for an account that it `may_be`.
pub(crate) fn same_secret<'a>(
    what: &What,
    existing: &'a [Existing],
    may_be: &dyn Fn(&Account) -> bool,
) -> Option<&'a str> {
    let (What::Token(secret) | What::Key { key: secret, .. }) = what else { return None };
    let is_for = |it: &&Existing| it.profile.as_ref().is_none_or(|profile| may_be(&profile.account));
    let mut same = existing.iter().filter(|it| it.secret.as_ref() == Some(secret));
    same.find(is_for).map(|it| it.name.as_str())
}

/// What becomes of something that would be called `name`, by what there is already.
pub(crate) fn fate(what: &What, name: &ProfileName, accounts: &Accounts, existing: &[Existing]) -> Fate {
    match what {
        What::Stays { why, .. } => return Fate::Stays(why.clone()),
        What::Unusable(why) => return Fate::Left(why.clone()),
        _ => {}
    }
    let may_be = |pinned: &Account| match accounts {
        Accounts::One(account) => pinned.id == account.id,
        Accounts::Several(_) | Accounts::Unknown => true,
    };
    if let Some(same) = same_secret(what, existing, &may_be) {
        return Fate::There(same.to_owned());
    }
    let Some(taken) = existing.iter().find(|it| it.name == name.as_str()) else { return Fate::Make };
    if !matches!(what, What::Grant { .. }) {
        return Fate::Collides(taken.describe());
    }
    let signs_in = |it: &&Existing| it.profile.as_ref().is_some_and(|it| it.method == Method::OAuth);
    let is_same = |it: &&Existing| {
        let pinned = it.profile.as_ref().map(|profile| &profile.account.id);
        match accounts {
            Accounts::One(account) => pinned == Some(&account.id),
            Accounts::Several(seen) => seen.iter().any(|account| pinned == Some(&account.id)),
            Accounts::Unknown => false,
        }
    };
    let mut candidates = std::iter::once(taken).chain(existing);
    match candidates.find(|it| signs_in(it) && is_same(it)) {
        Some(same) => Fate::There(same.name.clone()),
        None if *accounts == Accounts::Unknown && signs_in(&taken) => Fate::Stays(format!(
            "profile '{name}' exists, and whether it is for the same account cannot be told"
        )),
        None => Fate::Collides(taken.describe()),
    }
}

/// A name that nothing has, for one whose own is taken: `default-wrangler`, `default-wrangler-2`.
pub(crate) fn free_name(
    name: &ProfileName,
    tool: &str,
    taken: impl Fn(&ProfileName) -> bool,
) -> Option<ProfileName> {
    let candidates = (1..100).map(|n| if n == 1 { format!("-{tool}") } else { format!("-{tool}-{n}") });
    candidates
        .filter_map(|ending| {
            let room = LONGEST_NAME.saturating_sub(ending.len()).min(name.as_str().len());
            ProfileName::parse(&format!("{}{ending}", &name.as_str()[..room])).ok()
        })
        .find(|name| !taken(name))
}

/// A file of another tool; `None` where there is none. Why it cannot be read is said in words that follow
/// its path.
fn read(path: &Path) -> Result<Option<sealed::Opened>, String> {
    match file::read(path, LIMIT, None) {
        Ok(read) => Ok(read.map(|small| small.bytes.into())),
        Err(refusal) => Err(refusal.why()),
    }
}

/// The error for a tool of which there is nothing.
fn nothing_at(tool: &str, path: &Path, hint: &str) -> Error {
    Error::new(format!("nothing of {tool} is found: there is no {}", path.display())).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::AccountId;

    fn account(digit: char) -> Account {
        let id = AccountId::parse(&digit.to_string().repeat(32)).expect("an id");
        Account { id, name: String::new() }
    }

    fn existing(name: &str, method: Method, digit: char, secret: Option<&str>) -> Existing {
        let profile = Profile {
            name: ProfileName::parse(name).expect("a name"),
            method,
            account: account(digit),
            store: StoreKind::File,
            endpoint: None,
            token: None,
            sign_in: None,
            also: Vec::new(),
            confirm: false,
        };
        let secret = secret.map(|secret| Secret::from(secret.to_owned()));
        Existing { name: name.to_owned(), profile: Some(profile), secret }
    }

    #[test]
    fn a_name_that_we_do_not_take_becomes_one_that_we_do() {
        for (name, prefix, expected) in [
            ("prod", "", Ok("prod")),
            ("prod", "wr-", Ok("wr-prod")),
            ("_work", "", Ok("work")),
            ("-_-a_b", "", Ok("a_b")),
            ("a b/../c", "", Ok("a-b-..-c")),
            ("é", "", Err(())),
            ("__", "", Err(())),
            ("", "", Err(())),
        ] {
            let target = target(name, prefix);
            assert_eq!(target.as_ref().map(ProfileName::as_str).map_err(drop), expected, "{name}");
        }
        assert_eq!(target(&"x".repeat(99), "").map(|name| name.as_str().len()), Ok(64));
        let long = ProfileName::parse(&"x".repeat(64)).expect("a name");
        let free = free_name(&long, "wrangler", |name| !name.as_str().ends_with("-2")).expect("a name");
        assert!(free.as_str().ends_with("x-wrangler-2") && free.as_str().len() == 64, "{free}");
    }

    #[test]
    fn what_is_there_already_is_found_by_its_secret_or_its_account() {
        let token = |text: &str| What::Token(Secret::from(text.to_owned()));
        let grant = || What::Grant { scopes: Vec::new(), access: None };
        let there = [
            existing("default", Method::ApiToken, 'a', Some("t1")),
            existing("work", Method::OAuth, 'b', None),
            existing("other", Method::OAuth, 'c', None),
        ];
        let one = |digit| Accounts::One(account(digit));
        let several = || Accounts::Several(vec![account('b'), account('d')]);
        let is = |name: &str| Fate::There(name.to_owned());
        let collides = |method: &str, digit: char| {
            Fate::Collides(format!("{method}, account {}", digit.to_string().repeat(32)))
        };
        let table = [
            (token("t2"), "new", one('a'), Fate::Make),
            (token("t1"), "new", one('a'), is("default")),
            (token("t2"), "default", one('a'), collides("api-token", 'a')),
            (grant(), "new", one('b'), Fate::Make),
            (grant(), "work", one('b'), is("work")),
            (grant(), "work", several(), is("work")),
            // Renamed, when it was imported.
            (grant(), "default", one('c'), is("other")),
            (grant(), "work", one('d'), collides("oauth", 'b')),
            (grant(), "default", Accounts::Unknown, collides("api-token", 'a')),
        ];
        for (what, name, accounts, expected) in table {
            let name = ProfileName::parse(name).expect("a name");
            assert_eq!(fate(&what, &name, &accounts, &there), expected, "{name}");
        }
        let work = ProfileName::parse("work").expect("a name");
        let unknown = fate(&grant(), &work, &Accounts::Unknown, &there);
        assert!(matches!(unknown, Fate::Stays(_)), "{unknown:?}");
    }
}
