//! `alchemy open`: the account's dashboard in the browser.
//!
//! It lets nothing out and needs no credential: only the account, which is in `config.json`.

use clap::Args;

use crate::error::{Error, Result};
use crate::host::Host;
use crate::launch;
use crate::profile::selection::{Reason, Selection, near};
use crate::profile::{AccountId, Profile, ProfileName};
use crate::release::selector::Selector;
use crate::store::Store;
use crate::terminal;

/// Where every account has its pages.
const DASHBOARD: &str = "https://dash.cloudflare.com";

/// Open the account's dashboard in the browser
///
/// PATH is what follows the account in the address of a page, as it is there: workers-and-pages, r2/overview.
/// A single word that is no profile's name is the PATH.
#[derive(Args)]
#[command(override_usage = "alchemy open [OPTIONS] [PROFILE] [PATH]")]
pub(super) struct Open {
    /// The profile, and a page of its account
    #[arg(value_name = "PROFILE [PATH]", num_args = 0..=2)]
    words: Vec<String>,
    /// The profile, as an option
    #[arg(short, long, value_name = "PROFILE")]
    profile: Option<String>,
    /// Print the address, and open nothing
    #[arg(long, visible_alias = "url")]
    print: bool,
}

impl Open {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let store = host.store(false)?;
        let (name, path) = self.split(&store)?;
        let profile = store.find(&Selector::of(host).select(name.as_deref())?)?;
        let url = address(&profile, path.as_deref().unwrap_or_default())?;
        if self.print {
            return terminal::print(&format!("{url}\n"));
        }
        host.messages.say(&format!("opening {url}"));
        launch::open_in_browser(&url).map_err(|error| {
            Error::new(format!("no browser could be opened: {error}"))
                .hint(format!("set BROWSER, or open it yourself: {url}"))
        })
    }

    /// The profile's name and the path, as far as they are given.
    fn split(&self, store: &Store) -> Result<(Option<String>, Option<String>)> {
        let mut words = self.words.iter().cloned();
        match (&self.profile, words.next(), words.next()) {
            (Some(profile), path, None) => Ok((Some(profile.clone()), path)),
            (Some(_), ..) => Err(Error::usage("too many words on the command line")
                .hint("it is: alchemy open PROFILE PATH, or alchemy open -p PROFILE PATH")),
            (None, Some(word), None) if !is_profile(store, &word) => Ok((None, Some(word))),
            (None, name, path) => Ok((name, path)),
        }
    }
}

/// Whether a word that stands alone is meant as a profile: there is one, or one that is called nearly so.
fn is_profile(store: &Store, word: &str) -> bool {
    let Ok(name) = ProfileName::parse(word) else { return false };
    let known = store.list().unwrap_or_default();
    let selection = Selection { name, reason: Reason::CommandLine };
    store.find(&selection).is_ok() || !near(word, known.iter().map(|listed| listed.name.as_str())).is_empty()
}

/// The address of a page of the profile's account.
fn address(profile: &Profile, path: &str) -> Result<String> {
    if let Some(endpoint) = &profile.endpoint {
        return Err(Error::new(format!(
            "profile '{}' is for the API at {endpoint}, whose dashboard alchemy does not know",
            profile.name
        ))
        .hint("open it by the address that those gave you who run it"));
    }
    page(&profile.account.id, path).ok_or_else(|| {
        Error::usage(format!("'{path}' is no page of an account")).hint(
            "give what follows the account in the page's address, such as workers-and-pages or r2/overview",
        )
    })
}

/// The address of a page of an account, unless the path leads away from there.
fn page(account: &AccountId, path: &str) -> Option<String> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let plain = |b: u8| b.is_ascii_graphic() && !b"\\:\"'<>`{}|^".contains(&b);
    // A browser takes `%2e` for a dot, and two of those for the folder above.
    let lower = path.to_ascii_lowercase();
    let is_dots = |part: &str| matches!(part.replace("%2e", ".").as_str(), "." | "..");
    let way = lower.split(['?', '#']).next().unwrap_or_default();
    let leaves = way.split('/').any(is_dots) || way.starts_with('/') || way.contains("//");
    (path.bytes().all(plain) && !leaves)
        .then(|| format!("{DASHBOARD}/{account}/{path}").trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_below_the_account_or_nothing() {
        let account = AccountId::parse(&"a".repeat(32)).expect("an id");
        let at = |path: &str| page(&account, path).map(|url| url.replace(&account.to_string(), "A"));
        for (path, url) in [
            ("", ""),
            ("/", ""),
            ("workers", "/workers"),
            ("/workers-and-pages/", "/workers-and-pages"),
            ("r2/overview?tab=x#y", "/r2/overview?tab=x#y"),
            ("example.com/dns%20x", "/example.com/dns%20x"),
            ("a..b/...", "/a..b/..."),
        ] {
            assert_eq!(at(path), Some(format!("{DASHBOARD}/A{url}")), "{path}");
        }
        for path in [
            "..",
            "a/../b",
            "./a",
            "%2e%2E/x",
            ".%2e",
            "//evil.example",
            "a//b",
            "https://evil.example",
            "javascript:x",
            "a\\..\\b",
            "a b",
            "a\nb",
            "é",
            "\u{1b}[31m",
            "\"",
        ] {
            assert_eq!(at(path), None, "{path}");
        }
    }
}
