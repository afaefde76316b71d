//! A credential in the environment, or in a `.env` file.
//!
//! The names are those that wrangler, the SDKs and the npm package read
//! (`facts/wrangler-cloudflare.md` §1.5); of an old and a new name for the same, the new one counts.

use std::collections::BTreeMap;
use std::path::Path;

use zeroize::Zeroizing;

use super::{Found, What, read};
use crate::directory::dotenv;
use crate::error::{Error, Result};
use crate::secret::Secret;

const TOKEN: [&str; 2] = ["CLOUDFLARE_API_TOKEN", "CF_API_TOKEN"];
const KEY: [&str; 2] = ["CLOUDFLARE_API_KEY", "CF_API_KEY"];
const EMAIL: [&str; 4] = ["CLOUDFLARE_EMAIL", "CF_EMAIL", "CLOUDFLARE_ACCOUNT_EMAIL", "CF_API_EMAIL"];
const ACCOUNT: [&str; 2] = ["CLOUDFLARE_ACCOUNT_ID", "CF_ACCOUNT_ID"];

/// Variables by their names, as far as we read them.
pub(crate) type Variables = BTreeMap<&'static str, Secret>;

/// What was found, and by which variables that hold a secret.
#[derive(Debug, Default)]
pub(crate) struct InVariables {
    /// The token first.
    pub found: Vec<Found>,
    /// The variables that hold what was found.
    pub held_by: Vec<&'static str>,
}

/// The variables that we read.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TOKEN.into_iter().chain(KEY).chain(EMAIL).chain(ACCOUNT)
}

/// The variables of a `.env` file, and the lines of it that hold a credential, for people: `3, 5`.
///
/// Fails when it cannot be read.
pub(crate) fn of_file(path: &Path) -> Result<(Variables, String)> {
    let wrong = |why: &str| Error::new(format!("{} {why}", path.display())).hint("name another by --file");
    let bytes = read(path).map_err(|why| wrong(&why))?.ok_or_else(|| wrong("does not exist"))?;
    let text = Zeroizing::new(dotenv::text(&bytes));
    let entries = dotenv::entries(&text);
    let known = entries.iter().filter_map(|entry| Some((names().find(|name| *name == entry.name)?, entry)));
    let lines = known.clone().filter(|(name, _)| TOKEN.contains(name) || KEY.contains(name));
    let lines: Vec<String> = lines.map(|(_, entry)| entry.line.to_string()).collect();
    // Of one that comes twice the later one counts.
    let variables =
        known.map(|(name, entry)| (name, Secret::from(entry.value.clone().into_owned()))).collect();
    Ok((variables, lines.join(", ")))
}

/// What the variables hold, under this name; a key beside a token under another.
pub(crate) fn find(variables: &Variables, name: &str) -> InVariables {
    let set = |names: &[&'static str]| {
        let set =
            |name: &&'static str| Some((*name, variables.get(name).filter(|it| !it.expose().is_empty())?));
        names.iter().find_map(set)
    };
    let account = set(&ACCOUNT).map(|(_, account)| account.expose().trim().to_owned());
    let found = |name: String, what| Found { name, what, account: account.clone(), notes: Vec::new() };
    let mut all = InVariables::default();
    if let Some((variable, token)) = set(&TOKEN) {
        all.held_by.push(variable);
        // An access token of a session ends by itself (`facts/wrangler-cloudflare.md` §3.4).
        let what = if token.expose().starts_with("cfoat_") {
            What::Unusable(format!(
                "{variable} is no API token but the access token of a session, which runs out; sign in: alchemy login"
            ))
        } else {
            What::pasted(token.expose(), What::Token)
        };
        all.found.push(found(name.to_owned(), what));
    }
    if let Some((variable, key)) = set(&KEY) {
        all.held_by.push(variable);
        let what = match set(&EMAIL) {
            Some((_, email)) => What::pasted(key.expose(), |key| {
                let email = email.expose().trim().to_owned();
                What::Key { key, email }
            }),
            None => What::Unusable(format!("{variable} is set without the e-mail ({})", EMAIL[0])),
        };
        let mut key = found(if all.found.is_empty() { name.to_owned() } else { format!("{name}-key") }, what);
        if !all.found.is_empty() {
            key.notes
                .push("wrangler and npm alchemy 1 used this key, and not the token beside it".to_owned());
        }
        all.found.push(key);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_file(text: &str) -> Result<(Variables, String)> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(".env");
        std::fs::write(&path, text).expect("written");
        of_file(&path)
    }

    #[test]
    fn a_file_is_read_as_the_tools_read_it() {
        let text = "# a comment\nexport CLOUDFLARE_API_TOKEN=\"tok # hunter2\" # another\n\nOTHER='x\ny'\n\
                    CF_API_KEY = key-hunter2\nCF_EMAIL=a@b.c\nCLOUDFLARE_ACCOUNT_ID=abc\n";
        let (variables, lines) = in_file(text).expect("read");
        assert_eq!(lines, "2, 6");
        let all = find(&variables, "default");
        assert_eq!(all.held_by, ["CLOUDFLARE_API_TOKEN", "CF_API_KEY"]);
        let [token, key] = &all.found[..] else { panic!("{all:?}") };
        assert!(matches!(&token.what, What::Token(token) if token.expose() == "tok # hunter2"));
        assert_eq!((token.name.as_str(), token.account.as_deref()), ("default", Some("abc")));
        assert!(matches!(&key.what, What::Key { email, .. } if email == "a@b.c"));
        assert_eq!(key.name, "default-key");
    }

    #[test]
    fn a_new_name_goes_before_an_old_one_and_an_empty_value_is_none() {
        let of = |pairs: &[(&'static str, &str)]| {
            let variables = pairs.iter().map(|(name, value)| (*name, Secret::from((*value).to_owned())));
            find(&variables.collect(), "x")
        };
        let all = of(&[("CF_API_TOKEN", "old"), ("CLOUDFLARE_API_TOKEN", "new")]);
        assert!(
            matches!(&all.found[..], [Found { what: What::Token(token), .. }] if token.expose() == "new")
        );
        let all = of(&[("CF_API_TOKEN", "old"), ("CLOUDFLARE_API_TOKEN", "")]);
        assert_eq!(all.held_by, ["CF_API_TOKEN"]);
        let all = of(&[("CLOUDFLARE_API_KEY", "key")]);
        assert!(matches!(&all.found[..], [Found { what: What::Unusable(_), .. }]), "{all:?}");
        let all = of(&[("CLOUDFLARE_API_TOKEN", "cfoat_hunter2")]);
        assert!(matches!(&all.found[..], [Found { what: What::Unusable(_), .. }]), "{all:?}");
        assert!(of(&[("CLOUDFLARE_ACCOUNT_ID", "abc")]).found.is_empty());
    }
}
