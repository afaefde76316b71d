//! Which profile applies, and why (design §4). Pure: what the edge read comes in, a value goes out.

use std::fmt;

use super::ProfileName;
use crate::error::{Kind, Result};

/// Why a profile applies. Every message that names a profile can name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The positional argument, or `-p/--profile`.
    CommandLine,
    /// `CLOUDFLARE_PROFILE`, the npm package's own first choice.
    CloudflareProfile,
    /// `ALCHEMY_PROFILE`.
    AlchemyProfile,
    /// Nothing selects, so it is `default`.
    Default,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommandLine => "from the command line",
            Self::CloudflareProfile => "from CLOUDFLARE_PROFILE",
            Self::AlchemyProfile => "from ALCHEMY_PROFILE",
            Self::Default => "by default",
        })
    }
}

/// A profile's name together with the reason why it applies. The profile need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The name.
    pub name: ProfileName,
    /// Why this one.
    pub reason: Reason,
}

/// Decides by the first that is present: the command line, `CLOUDFLARE_PROFILE`, `ALCHEMY_PROFILE`,
/// `default`. An empty variable is an unset one; an empty argument is a wrong one.
///
/// # Errors
/// When the name that was found cannot be a profile's name.
pub fn select(
    command_line: Option<&str>,
    cloudflare_profile: Option<&str>,
    alchemy_profile: Option<&str>,
) -> Result<Selection> {
    let set = |value: Option<&'_ str>| value.filter(|v| !v.is_empty()).map(str::to_owned);
    let candidates = [
        (command_line.map(str::to_owned), Reason::CommandLine),
        (set(cloudflare_profile), Reason::CloudflareProfile),
        (set(alchemy_profile), Reason::AlchemyProfile),
    ];
    let (name, reason) = candidates
        .into_iter()
        .find_map(|(name, reason)| name.map(|n| (n, reason)))
        .unwrap_or_else(|| (ProfileName::DEFAULT.to_owned(), Reason::Default));
    match ProfileName::parse(&name) {
        Ok(name) => Ok(Selection { name, reason }),
        Err(error) if reason == Reason::CommandLine => Err(error),
        Err(error) => {
            let message = format!("{error} ({reason})");
            Err(error.retold(Kind::Usage, message))
        }
    }
}

/// The names that a person may have meant, the nearest first.
#[must_use]
pub fn near<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = wanted.to_lowercase();
    let mut scored: Vec<_> = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.75)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.into_iter().map(|(_, name)| name).take(3).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_present_wins_and_empty_variables_are_unset() {
        let table = [
            ((Some("a"), Some("b"), Some("c")), "a", Reason::CommandLine),
            ((None, Some("b"), Some("c")), "b", Reason::CloudflareProfile),
            ((None, Some(""), Some("c")), "c", Reason::AlchemyProfile),
            ((None, None, Some("")), "default", Reason::Default),
            ((None, None, None), "default", Reason::Default),
        ];
        for ((flag, cloudflare, alchemy), name, reason) in table {
            let selection = select(flag, cloudflare, alchemy).expect("selects");
            assert_eq!((selection.name.as_str(), selection.reason), (name, reason));
        }
    }

    #[test]
    fn a_name_that_cannot_be_one_is_refused_and_its_source_is_said() {
        assert!(select(Some(""), None, None).is_err());
        let error = select(None, Some("../x"), None).expect_err("refused");
        assert!(error.to_string().contains("from CLOUDFLARE_PROFILE"), "{error}");
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(near("prdo", ["prod", "staging", "prod-eu"]), ["prod", "prod-eu"]);
        assert!(near("wrangler", ["prod", "staging"]).is_empty());
    }
}
