//! The variables that name, give and override a credential, and changes of an environment (design §7). Pure: values in,
//! values out.

pub(crate) mod r2;

use std::ffi::{OsStr, OsString};

use crate::clients::programs::{OWN, PROGRAMS};
use crate::secret::Secret;

/// The API token, for OAuth's access tokens and for API tokens alike.
pub const API_TOKEN: &str = "CLOUDFLARE_API_TOKEN";
/// The Global API Key.
pub const API_KEY: &str = "CLOUDFLARE_API_KEY";
/// The e-mail that belongs to the key.
pub const EMAIL: &str = "CLOUDFLARE_EMAIL";
/// The account.
pub const ACCOUNT_ID: &str = "CLOUDFLARE_ACCOUNT_ID";
/// The profile, under the npm package's own name for it.
pub const PROFILE: &str = "ALCHEMY_PROFILE";
/// What the shell hook has activated: `<directory>:<profile>`.
pub const ACTIVE: &str = "ALCHEMY_ACTIVE";
/// When the credential stops working, RFC 3339.
pub const EXPIRATION: &str = "ALCHEMY_CREDENTIAL_EXPIRATION";
/// The API's base URL, as wrangler reads it.
pub const API_BASE_URL: &str = "CLOUDFLARE_API_BASE_URL";
/// The API's base URL, as Cloudflare's SDKs read it.
pub const BASE_URL: &str = "CLOUDFLARE_BASE_URL";

/// The account, under the only name by which SST reads it.
pub const DEFAULT_ACCOUNT_ID: &str = "CLOUDFLARE_DEFAULT_ACCOUNT_ID";

/// Everything that [`crate::release::changes`] may set.
pub const SET: [&str; 9] =
    [API_TOKEN, API_KEY, EMAIL, ACCOUNT_ID, DEFAULT_ACCOUNT_ID, PROFILE, EXPIRATION, API_BASE_URL, BASE_URL];

/// The variables that a command does not get, since some program would let them override, replace or redirect its
/// credential: all that a program of the table reads and [`crate::release::changes`] does not set, and our own.
pub fn removed() -> Vec<&'static str> {
    let read = PROGRAMS.iter().flat_map(|program| program.variables);
    let mut names: Vec<&'static str> = OWN.iter().chain(read).copied().collect();
    names.retain(|name| !SET.contains(name));
    names.sort_unstable();
    names.dedup();
    names
}

/// A variable's value: a secret says so, to be masked wherever it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// May be shown.
    Plain(String),
    /// Must not be shown.
    Secret(Secret),
}

impl Value {
    /// The text that the variable gets.
    pub fn expose(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Secret(secret) => secret.expose(),
        }
    }
}

/// What to change in an environment: the names do not overlap.
#[derive(Debug, PartialEq, Eq)]
pub struct Changes {
    /// Variables to set, in the order in which they are shown.
    pub set: Vec<(String, Value)>,
    /// Variables to remove.
    pub unset: Vec<String>,
}

impl Changes {
    /// Sets a variable to nothing instead of removing it: some programs take an unset one from elsewhere.
    pub fn blank(&mut self, name: &str) {
        self.unset.retain(|unset| unset != name);
        self.set.push((name.to_owned(), Value::Plain(String::new())));
    }
}

/// Variables that shells, the loader and most programs read, each in its own way.
const OF_EVERYONE: [&str; 11] =
    ["BASH_ENV", "CDPATH", "ENV", "HOME", "IFS", "LOGNAME", "PATH", "PROMPT_COMMAND", "PWD", "SHELL", "USER"];

/// Whether the token may be repeated under this name: one that says something else already would have two
/// values, or the secret where everyone looks.
pub fn may_repeat(name: &str) -> bool {
    let is_taken = SET.contains(&name) || name.starts_with("ALCHEMY_") || OF_EVERYONE.contains(&name);
    !is_taken && !["LD_", "DYLD_"].iter().any(|prefix| name.starts_with(prefix))
}

impl Changes {
    /// Removes further variables, unless they are set.
    pub fn without(mut self, names: &[String]) -> Self {
        let is_named = |name: &&String| {
            self.unset.contains(name) || self.set.iter().any(|(set, _)| set == *name) || !may_repeat(name)
        };
        let further: Vec<String> = names.iter().filter(|name| !is_named(name)).cloned().collect();
        self.unset.extend(further);
        self
    }
}

/// The changes that take away whatever [`crate::release::changes`] may have set.
pub fn removal(also: &[String]) -> Changes {
    let unset = SET.iter().map(|name| (*name).to_owned()).chain(also.iter().cloned()).collect();
    Changes { set: Vec::new(), unset }
}

/// The environment after the changes. Everything they do not name stays as it was, byte for byte.
pub fn apply(environment: Vec<(OsString, OsString)>, changes: &Changes) -> Vec<(OsString, OsString)> {
    let named = |name: &OsStr| {
        changes.unset.iter().any(|unset| name == unset.as_str())
            || changes.set.iter().any(|(set, _)| name == set.as_str())
    };
    let set = changes.set.iter().map(|(name, value)| (name.into(), value.expose().into()));
    environment.into_iter().filter(|(name, _)| !named(name)).chain(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_else_stays_even_when_it_is_not_text() {
        use std::os::unix::ffi::OsStringExt;
        let odd = (OsString::from("ODD"), OsString::from_vec(vec![0xff, b'x']));
        let before = vec![odd.clone(), ("CF_API_KEY".into(), "old".into()), (API_TOKEN.into(), "old".into())];
        let token = Value::Secret(Secret::from("t".to_owned()));
        let changes =
            Changes { set: vec![(API_TOKEN.to_owned(), token)], unset: vec!["CF_API_KEY".to_owned()] };
        let after = apply(before, &changes);
        assert_eq!(after[0], odd);
        assert_eq!(after.iter().filter(|(name, _)| name == API_TOKEN).count(), 1);
        assert!(!after.iter().any(|(name, _)| name == "CF_API_KEY"));
    }

    #[test]
    fn the_page_names_each_variable_that_is_removed_and_the_programs_that_read_it() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/environment.md");
        let page = std::fs::read_to_string(page).expect("read");
        let (_, section) = page.split_once("## Taken away").expect("a section");
        let (section, _) = section.split_once("\n## ").expect("another section");
        let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
        let readers = |name: &str| -> Vec<&str> {
            let read = PROGRAMS.iter().filter(|program| program.variables.contains(&name));
            let own = OWN.contains(&name).then_some("alchemy");
            read.map(|program| program.name).chain(own).collect()
        };
        let expected: Vec<String> = removed()
            .into_iter()
            .map(|name| format!("| `{name}` | {} |", readers(name).join(", ")))
            .collect();
        assert_eq!(rows, expected);
    }
}
