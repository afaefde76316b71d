//! `ALCHEMY_ACTIVE`: who has put a directory's profile into the environment, and for which directory.
//!
//! `<directory>:<profile>` is the shell hook's, `<directory>/.envrc:<profile>` is direnv's for an `.envrc` that names
//! the profile, and `<directory>/.envrc::<profile>` is direnv's for an `.envrc` that takes the directory's own one.

use std::fmt;
use std::path::{Path, PathBuf};

/// What direnv evaluates in a directory.
pub(crate) const ENVRC: &str = ".envrc";

/// Who has set the variables of the profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActivatedBy {
    /// The shell hook.
    Hook,
    /// direnv; the `.envrc` names the profile, or it takes the one that the directory selects.
    Direnv {
        /// The `.envrc` names the profile.
        is_named: bool,
    },
}

/// What `ALCHEMY_ACTIVE` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ActiveMark {
    /// Who has set it.
    pub by: ActivatedBy,
    /// The directory of the binding, of the project file or of the `.envrc`.
    pub directory: PathBuf,
    /// The profile.
    pub profile: String,
}

impl ActiveMark {
    /// Reads the value of the variable; `None` for a text that names no profile.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (origin, profile) = text.rsplit_once(':').filter(|(_, profile)| !profile.is_empty())?;
        let named = origin.strip_suffix(ENVRC).map(|directory| (directory, true));
        let own = || origin.strip_suffix(':')?.strip_suffix(ENVRC).map(|directory| (directory, false));
        let (by, directory) = match named.or_else(own).filter(|(directory, _)| directory.ends_with('/')) {
            // Without its slash, unless that is the root.
            Some((directory, is_named)) => {
                (ActivatedBy::Direnv { is_named }, Path::new(directory).components().collect())
            }
            None => (ActivatedBy::Hook, PathBuf::from(origin)),
        };
        Some(Self { by, directory, profile: profile.to_owned() })
    }

    /// Whether direnv has set it.
    pub(crate) fn is_direnvs(&self) -> bool {
        self.by != ActivatedBy::Hook
    }
}

impl fmt::Display for ActiveMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, directory, profile } = self;
        match by {
            ActivatedBy::Hook => write!(f, "{}:{profile}", directory.display()),
            ActivatedBy::Direnv { is_named } => {
                let origin = directory.join(ENVRC);
                write!(f, "{}:{}{profile}", origin.display(), if *is_named { "" } else { ":" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        let (named, own) = (ActivatedBy::Direnv { is_named: true }, ActivatedBy::Direnv { is_named: false });
        for (text, by, directory) in [
            ("/acme:prod", ActivatedBy::Hook, "/acme"),
            ("/a:b c:prod", ActivatedBy::Hook, "/a:b c"),
            ("/:prod", ActivatedBy::Hook, "/"),
            ("/acme/.envrc:prod", named, "/acme"),
            ("/.envrc:prod", named, "/"),
            ("/acme/.envrc::prod", own, "/acme"),
            ("/a:b/.envrc::prod", own, "/a:b"),
            // A directory that is only called alike.
            ("/acme/x.envrc:prod", ActivatedBy::Hook, "/acme/x.envrc"),
            ("/acme/:prod", ActivatedBy::Hook, "/acme/"),
        ] {
            let mark = ActiveMark { by, directory: directory.into(), profile: "prod".to_owned() };
            assert_eq!(ActiveMark::parse(text), Some(mark.clone()), "{text}");
            assert_eq!(mark.to_string(), text);
        }
        for text in ["", "prod", "/acme:", "/acme/.envrc:"] {
            assert_eq!(ActiveMark::parse(text), None, "{text}");
        }
    }
}
