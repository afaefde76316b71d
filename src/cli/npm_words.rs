//! The commands of the npm package's `alchemy`: which there are, which of them ask Cloudflare, and what their
//! arguments say to us.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::error::ContextValue;

use crate::error::Error;
use crate::shell;

/// The command that hands over all arguments; nobody types it, see [`super::grammar`].
pub(super) const ANY: &str = "__npm";

/// A command of the npm package.
pub(super) struct Word {
    pub name: &'static str,
    pub about: &'static str,
    /// It asks Cloudflare: it gets the credential.
    pub has_credential: bool,
}

const fn word(name: &'static str, about: &'static str, has_credential: bool) -> Word {
    Word { name, about, has_credential }
}

/// The commands of both versions (`facts/alchemy-npm.md` §4) that are not ours as well.
pub(super) const WORDS: [Word; 14] = [
    word("deploy", "Deploy a stack", true),
    word("destroy", "Destroy a stack's resources", true),
    word("dev", "Run a stack locally, with live changes", true),
    word("plan", "Show what deploying would change (version 2)", true),
    word("run", "Run a stack without changing it (version 1)", true),
    word("logs", "Show a stack's logs (version 2)", true),
    word("drift", "Compare a stack with what is there (version 2)", true),
    word("state", "Look into a stack's state", true),
    word("provider", "Look after a provider, such as its state store (version 2)", true),
    word("util", "Create tokens, and the like (version 1)", true),
    word("unsafe", "What cannot be undone (version 2)", true),
    word("create", "Create a project (version 1)", false),
    word("init", "Set a project up (version 1)", false),
    word("telemetry", "Switch telemetry on or off (version 1)", false),
];

/// Commands of the npm package that are ours, too, and look after its own profiles: they read no credential from
/// the environment (`facts/alchemy-npm.md` §1.9, §3.6). Or ask nobody.
const WITHOUT_CREDENTIAL: [&str; 5] = ["configure", "login", "logout", "profile", "help"];

/// Whether the word is one of the npm package's.
pub(super) fn has(word: &OsStr) -> bool {
    word == ANY || known(word).is_some()
}

pub(super) fn known(name: &OsStr) -> Option<&'static Word> {
    WORDS.iter().find(|word| name == word.name)
}

/// What the main help says of the npm package's commands.
pub(super) fn help() -> String {
    let names = |has_credential: bool| {
        let words = WORDS.iter().filter(|word| word.has_credential == has_credential);
        words.map(|word| word.name).collect::<Vec<_>>().join(", ")
    };
    format!(
        "Commands of npm's alchemy, handed to the one in the project's node_modules:\n  \
         {}\n          with the credential of the profile: -p before the command, or --profile after it\n  \
         {}\n          without one\n  \
         -- ARGUMENTS\n          any other",
        names(true),
        names(false)
    )
}

/// A command that is neither ours nor one of npm's, with those that may have been meant.
pub(super) fn unknown(word: &str, near: Option<&ContextValue>) -> Error {
    let near: Vec<String> = match near {
        Some(ContextValue::Strings(names)) => names.clone(),
        Some(ContextValue::String(name)) => vec![name.clone()],
        _ => Vec::new(),
    };
    let of_whom = |name: &String| match known(OsStr::new(name)) {
        Some(_) => format!("{name} (npm's)"),
        None => name.clone(),
    };
    // The likeliest comes last; and some nobody types.
    let near: Vec<String> = near.iter().rev().filter(|name| !name.starts_with('_')).map(of_whom).collect();
    let near = if near.is_empty() {
        "see alchemy --help;".to_owned()
    } else {
        format!("did you mean {}?", near.join(" or "))
    };
    Error::usage(format!("there is no command '{word}'"))
        .hint(format!("{near} to have npm's alchemy try it: alchemy -- {}", shell::word(word)))
}

/// What the arguments say to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NpmRequest {
    /// The profiles that npm's own options name.
    pub profiles: Vec<OsString>,
    /// The command asks Cloudflare.
    pub has_credential: bool,
}

pub(super) fn asked(arguments: &[OsString]) -> NpmRequest {
    let own: Vec<&OsString> = arguments.iter().take_while(|word| *word != "--").collect();
    let command = own.iter().find(|word| !word.as_bytes().starts_with(b"-"));
    let is_help = own.iter().any(|word| *word == "--help" || *word == "-h");
    let has_credential = !is_help
        && command.is_some_and(|name| match known(name) {
            Some(word) => word.has_credential,
            None => !WITHOUT_CREDENTIAL.iter().any(|without| *name == without),
        });
    // The short form is version 1's, for `util` alone; elsewhere it would be something else.
    let short: &[u8] = if command.is_some_and(|name| *name == "util") { b"-p" } else { b"--profile" };
    let mut profiles = Vec::new();
    let mut words = own.into_iter();
    while let Some(word) = words.next() {
        let bytes = word.as_bytes();
        if bytes == b"--profile" || bytes == short {
            profiles.extend(words.next().cloned());
        } else if let Some(value) = bytes.strip_prefix(b"--profile=") {
            profiles.push(OsStr::from_bytes(value).to_owned());
        }
    }
    NpmRequest { profiles, has_credential }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> NpmRequest {
        asked(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn what_asks_cloudflare_gets_the_credential_of_the_profile_that_npms_options_name() {
        let table: [(&str, bool, &[&str]); 20] = [
            ("deploy", true, &[]),
            ("deploy --profile prod --stage x", true, &["prod"]),
            ("deploy --profile=prod", true, &["prod"]),
            ("deploy --profile=", true, &[""]),
            ("deploy --profile a --profile=b", true, &["a", "b"]),
            ("deploy -p prod", true, &[]),
            ("util create-cloudflare-token -p prod", true, &["prod"]),
            ("provider aws bootstrap --aws-profile x", true, &[]),
            ("run -- --profile x", true, &[]),
            ("deploy --profile", true, &[]),
            ("deploy --help", false, &[]),
            ("run -- --help", true, &[]),
            ("create", false, &[]),
            ("init --profile prod", false, &["prod"]),
            ("telemetry disable", false, &[]),
            ("profile list", false, &[]),
            ("login", false, &[]),
            ("--version", false, &[]),
            ("new-command", true, &[]),
            ("", false, &[]),
        ];
        for (line, has_credential, profiles) in table {
            let profiles = profiles.iter().map(OsString::from).collect();
            assert_eq!(of(line), NpmRequest { profiles, has_credential }, "{line}");
        }
    }
}
