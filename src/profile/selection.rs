//! Which profile applies, and why (design §4). Pure: what the edge read comes in, a value goes out.

use std::fmt;

use super::ProfileName;
use crate::error::{Kind, Result};

/// Why a profile applies. Every message that names a profile can name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The positional argument, or `-p/--profile`.
    CommandLine,
    /// `CLOUDFLARE_PROFILE`, the npm package's own first choice.
    CloudflareProfile,
    /// `ALCHEMY_PROFILE`.
    AlchemyProfile,
    /// A binding of this directory, which is written as people write it.
    Bound(String),
    /// This allowed pin file.
    Pinned(String),
    /// This `.envrc` names it, which direnv has loaded.
    Envrc(String),
    /// This pin file asks for it, which is not allowed to.
    Asked(String),
    /// A person at the terminal, from the list.
    Picked,
    /// Nothing selects, so it is `default`.
    Default,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("from the command line"),
            Self::CloudflareProfile => f.write_str("from CLOUDFLARE_PROFILE"),
            Self::AlchemyProfile => f.write_str("from ALCHEMY_PROFILE"),
            Self::Bound(directory) => write!(f, "bound at {directory}"),
            Self::Pinned(file) => write!(f, "pinned by {file}"),
            Self::Envrc(file) => write!(f, "loaded by direnv from {file}"),
            Self::Asked(file) => write!(f, "asked for by {file}"),
            Self::Picked => f.write_str("picked from the list"),
            Self::Default => f.write_str("by default"),
        }
    }
}

/// A profile's name together with the reason why it applies. The profile need not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// The name.
    pub name: ProfileName,
    /// Why this one.
    pub reason: Reason,
}

/// What the process was given that can name a profile. An empty variable is an unset one; an empty
/// argument is a wrong one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Named<'a> {
    /// The positional argument, or `-p`.
    pub command_line: Option<&'a str>,
    /// `CLOUDFLARE_PROFILE`.
    pub cloudflare_profile: Option<&'a str>,
    /// `ALCHEMY_PROFILE`.
    pub alchemy_profile: Option<&'a str>,
    /// `ALCHEMY_ACTIVE`: who has activated which profile ([`crate::directory::mark`]).
    pub active: Option<&'a str>,
}

impl<'a> Named<'a> {
    /// The names with their reasons, the first that counts first.
    pub(crate) fn candidates(self) -> impl Iterator<Item = (&'a str, Reason)> {
        let set = |value: Option<&'a str>| value.filter(|value| !value.is_empty());
        [
            (self.command_line, Reason::CommandLine),
            (set(self.cloudflare_profile), Reason::CloudflareProfile),
            (set(self.alchemy_profile).filter(|_| !self.is_from_directory()), Reason::AlchemyProfile),
        ]
        .into_iter()
        .filter_map(|(name, reason)| Some((name?, reason)))
    }

    /// Whether `ALCHEMY_PROFILE` is what the hook or direnv has set, and not the person: it then says no more than
    /// the directory does, which may be another one by now.
    pub(crate) fn is_from_directory(&self) -> bool {
        let active = self.active.and_then(|active| active.rsplit_once(':')).map(|(_, profile)| profile);
        active.is_some_and(|profile| !profile.is_empty() && self.alchemy_profile == Some(profile))
    }
}

/// The selection by what the process was given, the first that is present: the command line,
/// `CLOUDFLARE_PROFILE`, `ALCHEMY_PROFILE`. Without any, it is the directory's turn, then `default`'s.
///
/// Fails when the name that was found cannot be a profile's name.
pub(crate) fn select(named: Named) -> Result<Option<Selection>> {
    let Some((name, reason)) = named.candidates().next() else { return Ok(None) };
    match ProfileName::parse(name) {
        Ok(name) => Ok(Some(Selection { name, reason })),
        Err(error) if reason == Reason::CommandLine => Err(error),
        Err(error) => {
            let message = format!("{error} ({reason})");
            Err(error.retold(Kind::Usage, message))
        }
    }
}

impl Selection {
    /// `default`, when nothing selects.
    pub(crate) fn of_nothing() -> Self {
        Self { name: ProfileName::default(), reason: Reason::Default }
    }
}

/// The names that a person may have meant, the nearest first.
pub(crate) fn near<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
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
            ((Some("a"), Some("b"), Some("c"), None), Some(("a", Reason::CommandLine))),
            ((None, Some("b"), Some("c"), None), Some(("b", Reason::CloudflareProfile))),
            ((None, Some(""), Some("c"), None), Some(("c", Reason::AlchemyProfile))),
            ((None, None, Some("c"), Some("/a:b:d")), Some(("c", Reason::AlchemyProfile))),
            ((None, None, Some("c"), Some("/a:b:c")), None),
            ((None, Some("c"), Some("c"), Some("/a:c")), Some(("c", Reason::CloudflareProfile))),
            ((Some("c"), None, Some("c"), Some("/a:c")), Some(("c", Reason::CommandLine))),
            ((None, None, Some(""), Some("/a:")), None),
            ((None, None, None, None), None),
        ];
        for ((command_line, cloudflare_profile, alchemy_profile, active), expected) in table {
            let named = Named { command_line, cloudflare_profile, alchemy_profile, active };
            let selected = select(named).expect("selects").map(|s| (s.name.to_string(), s.reason));
            assert_eq!(selected, expected.map(|(name, reason)| (name.to_owned(), reason)), "{named:?}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_one_is_refused_and_its_source_is_said() {
        assert!(select(Named { command_line: Some(""), ..Named::default() }).is_err());
        let error = select(Named { cloudflare_profile: Some("../x"), ..Named::default() });
        let error = error.expect_err("refused");
        assert!(error.to_string().contains("from CLOUDFLARE_PROFILE"), "{error}");
    }

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        assert_eq!(near("prdo", ["prod", "staging", "prod-eu"]), ["prod", "prod-eu"]);
        assert!(near("wrangler", ["prod", "staging"]).is_empty());
    }
}
