//! A home with directories that are bound to profiles, and what a shell in them is to see.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;

use super::hooked::{SHELLS, Shell};
use super::{ACME, BETA, Home};

/// The variables of an environment.
pub type Variables = BTreeMap<String, String>;

/// Tells a story to every shell that is installed, to all at once.
pub fn tell(story: impl Fn(Shell) + Sync) {
    tell_to(&SHELLS, story);
}

/// Tells a story to some shells.
pub fn tell_to(shells: &[Shell], story: impl Fn(Shell) + Sync) {
    thread::scope(|scope| {
        for shell in shells.iter().copied().filter(|shell| shell.is_installed()) {
            let story = &story;
            let named = thread::Builder::new().name(format!("{shell:?}"));
            named.spawn_scoped(scope, move || story(shell)).expect("a thread");
        }
    });
}

/// A home with the profiles `prod` of Acme, bound at `acme`, and `beta` of Beta, bound at `beta`; and a directory
/// `elsewhere` that is not bound.
pub fn home() -> Home {
    let home = Home::new();
    home.token_profile("prod", "tok-prod-hunter2");
    home.token_profile("beta", "tok-beta-hunter2");
    let of_beta = ["profile", "set", "beta", "--account", BETA, "--account-name", "Beta", "--no-verify"];
    home.run(&of_beta).expect_code(0);
    for (profile, directory) in [("prod", "acme"), ("beta", "beta")] {
        bind(&home, profile, directory);
    }
    fs::create_dir_all(home.path().join("elsewhere")).expect("a folder");
    home
}

/// Makes a directory, and binds it.
pub fn bind(home: &Home, profile: &str, directory: &str) {
    fs::create_dir_all(home.path().join(directory).join("sub/dir")).expect("a folder");
    home.run(&["use", profile, directory]).expect_code(0);
}

/// What is ours in an environment.
pub fn ours(variables: &Variables) -> Variables {
    let ours = |name: &str| ["CLOUDFLARE_", "CF_", "ALCHEMY_"].iter().any(|prefix| name.starts_with(prefix));
    variables
        .iter()
        .filter(|(name, _)| ours(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What the profile of [`home`] that is bound there gives to a child.
pub fn given(home: &Home, directory: &str, profile: &str) -> Variables {
    let api = "https://api.cloudflare.com/client/v4";
    let mut given = name_and_account(home, directory, profile);
    given.insert("CLOUDFLARE_API_TOKEN".to_owned(), format!("tok-{profile}-hunter2"));
    given.insert("CLOUDFLARE_API_BASE_URL".to_owned(), api.to_owned());
    given.insert("CLOUDFLARE_BASE_URL".to_owned(), api.to_owned());
    given
}

/// What one gives whose secret stays.
pub fn name_and_account(home: &Home, directory: &str, profile: &str) -> Variables {
    let account = if profile == "beta" { BETA } else { ACME };
    let active = active(&home.path().join(directory), profile);
    [
        ("CLOUDFLARE_ACCOUNT_ID", account),
        ("CLOUDFLARE_DEFAULT_ACCOUNT_ID", account),
        ("ALCHEMY_PROFILE", profile),
        ("ALCHEMY_ACTIVE", &active),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

fn active(directory: &Path, profile: &str) -> String {
    format!("{}:{profile}", directory.display())
}
