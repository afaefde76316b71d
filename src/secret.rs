//! A string that never prints itself and is wiped when it is dropped.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize, Zeroizing};

/// A token, a key or another value that must not reach a log, an error or a panic message.
///
/// It has no `Display`, its `Debug` says `[secret]`, and its memory is overwritten on drop. The one
/// way to its text is [`Secret::expose`], so that `grep expose` finds every place where one leaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself. What is done with it is the caller's responsibility.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Cleans what a person pasted: surrounding white space and quotes go, the rest stays as it is.
    ///
    /// Neither length nor alphabet is judged: Cloudflare changed both in 2026, and validators that
    /// knew them refused good tokens (`facts/wrangler-cloudflare.md` §2, row 14).
    ///
    /// A text for people, without the secret: when nothing is left, or a control character is inside.
    pub fn from_pasted(pasted: &str) -> Result<Self, &'static str> {
        let text = pasted.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\u{feff}'));
        if text.is_empty() {
            Err("is empty")
        } else if text.chars().any(char::is_control) {
            Err("holds a control character")
        } else {
            Ok(Self::from(text.to_owned()))
        }
    }

    /// A short form that tells two secrets apart on a screen and is of no use otherwise: the kind's
    /// prefix (`cfut_`), when it has one, and stars.
    pub fn masked(&self) -> String {
        let prefix = self.0.split_once('_').map_or("", |(prefix, _)| prefix);
        if matches!(prefix, "cfk" | "cfut" | "cfat" | "cfoat") {
            format!("{prefix}_********")
        } else {
            "********".to_owned()
        }
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Zeroize for Secret {
    fn zeroize(&mut self) {
        self.0.zeroize();
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // Npm writes what it was given, also nothing; an empty variable would be no credential.
        if text.is_empty() { Err(D::Error::custom("empty")) } else { Ok(Self::from(text)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_prints_itself() {
        let secret = Secret::from("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.masked(), "********");
        assert_eq!(Secret::from("cfut_abc".to_owned()).masked(), "cfut_********");
    }

    #[test]
    fn pasted_text_is_cleaned_but_not_judged() {
        for pasted in ["tok", " tok\n", "\"tok\"", "'tok'\r\n", "\u{feff}tok"] {
            assert_eq!(Secret::from_pasted(pasted).expect("clean").expose(), "tok", "{pasted:?}");
        }
        assert_eq!(Secret::from_pasted("a b'c").expect("kept").expose(), "a b'c");
        assert_eq!(Secret::from_pasted(" \"\" "), Err("is empty"));
        assert_eq!(Secret::from_pasted("a\nb"), Err("holds a control character"));
        assert_eq!(Secret::from_pasted("a\u{1b}[31mb"), Err("holds a control character"));
    }
}
