//! A profile's name: a word that is safe as a file name, a variable's value and an argument.

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};

/// A name of the form `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`, the rule of the npm package's version 2.
///
/// It becomes part of a path, so nothing else gets in: not `..`, not `a/b`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct ProfileName(String);

impl ProfileName {
    /// The name that applies when nothing selects another.
    pub const DEFAULT: &'static str = "default";

    /// Checks a name.
    ///
    /// Fails when it does not have the form above; the hint says what the form is.
    pub fn parse(text: &str) -> Result<Self> {
        let mut bytes = text.bytes();
        let valid = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
            && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
            && text.len() <= 64;
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::usage(format!("'{text}' cannot be a profile's name"))
                .hint("use up to 64 letters, digits, '.', '_' and '-', a letter or digit first"))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ProfileName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_words_and_nothing_that_could_leave_its_folder() {
        for good in ["prod", "A", "0", "acme.prod_eu-1", &"x".repeat(64)] {
            assert!(ProfileName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "../x", "a/b", "-p", ".hidden", "a b", "é", "a\n", &"x".repeat(65)] {
            assert!(ProfileName::parse(bad).is_err(), "{bad:?}");
        }
    }
}
