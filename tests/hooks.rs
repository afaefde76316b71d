//! The shell hooks: the same story told to every shell, in a real one, on a terminal.

mod support;

use std::collections::BTreeMap;
use std::fs;

use support::hooked::{Hooked, SHELLS, Shell};
use support::online::SECRET;
use support::{ACME, BETA, Home};

/// Tells a story to every shell that is installed.
fn tell(story: impl Fn(Shell) + Sync) {
    std::thread::scope(|scope| {
        for shell in SHELLS.into_iter().filter(|shell| shell.is_installed()) {
            let story = &story;
            scope.spawn(move || story(shell));
        }
    });
}

/// A home with the profiles `prod` of Acme, bound at `acme`, and `beta` of Beta, bound at `beta`.
fn home() -> Home {
    let home = Home::new();
    home.token_profile("prod", "tok-prod-hunter2");
    home.token_profile("beta", "tok-beta-hunter2");
    home.run(&["profile", "set", "beta", "--account", BETA, "--account-name", "Beta", "--no-verify"])
        .expect_code(0);
    for (profile, directory) in [("prod", "acme"), ("beta", "beta")] {
        fs::create_dir_all(home.path().join(directory).join("sub/dir")).expect("a folder");
        home.run(&["use", profile, directory]).expect_code(0);
    }
    fs::create_dir_all(home.path().join("elsewhere")).expect("a folder");
    home
}

type Variables = BTreeMap<String, String>;

/// What is ours in an environment.
fn ours(variables: &Variables) -> Variables {
    let ours =
        |name: &String| ["CLOUDFLARE_", "CF_", "ALCHEMY_"].iter().any(|prefix| name.starts_with(prefix));
    variables
        .iter()
        .filter(|(name, _)| ours(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What a directory gives to a child.
fn given(home: &Home, directory: &str, profile: &str, account: &str) -> Variables {
    let api = "https://api.cloudflare.com/client/v4";
    let active = format!("{}:{profile}", home.path().join(directory).display());
    [
        ("CLOUDFLARE_API_TOKEN", &*format!("tok-{profile}-hunter2")),
        ("CLOUDFLARE_ACCOUNT_ID", account),
        ("CLOUDFLARE_API_BASE_URL", api),
        ("CLOUDFLARE_BASE_URL", api),
        ("ALCHEMY_PROFILE", profile),
        ("ALCHEMY_ACTIVE", &*active),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[test]
fn a_directory_gives_and_takes_and_puts_back_what_was_there() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.export("CLOUDFLARE_API_TOKEN", "mine-hunter2 '\"$HOME`!*{a,b}\\ ");
        sh.export("CF_API_KEY", "-n old-hunter2");
        sh.export("OTHER", "kept");
        let before = sh.environment();
        assert_eq!(before["CLOUDFLARE_API_TOKEN"], "mine-hunter2 '\"$HOME`!*{a,b}\\ ", "{shell:?}");
        assert!(sh.said().is_empty());

        sh.cd("acme/sub");
        let inside = sh.environment();
        assert_eq!(ours(&inside), given(&home, "acme", "prod", ACME), "{shell:?}");
        assert_eq!(sh.said(), ["alchemy: prod (Acme)"], "{shell:?}");

        sh.cd("beta/sub/dir");
        assert_eq!(ours(&sh.environment()), given(&home, "beta", "beta", BETA), "{shell:?}");
        assert_eq!(sh.said(), ["alchemy: beta (Beta)"], "{shell:?}");

        sh.cd("elsewhere");
        assert_eq!(sh.environment(), before, "{shell:?}");
        assert!(sh.said().is_empty(), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_secret_stands_under_its_documented_name_and_nowhere_else() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start(shell, &home);
        sh.cd("acme");
        let inside = sh.environment();
        let with_secret: Vec<_> = inside.iter().filter(|(_, value)| value.contains(SECRET)).collect();
        assert_eq!(
            with_secret,
            [(&"CLOUDFLARE_API_TOKEN".to_owned(), &"tok-prod-hunter2".to_owned())],
            "{shell:?}"
        );
        let hooks: Vec<_> = inside.keys().filter(|name| name.to_lowercase().contains("__alchemy")).collect();
        assert!(hooks.is_empty(), "{shell:?}: {hooks:?}");
        sh.exit();
    });
}
