//! The shell hooks and what a repository asks for: nothing by itself; and what a profile lets out: its secret,
//! or its name.

use std::fs;
use std::time::Duration;

use support::bound::{given, home, name_and_account, ours, tell};
use support::hooked::Hooked;
use support::pty::Terminal;
use support::{ACME, BETA, Home};

fn pin(home: &Home, text: &str) {
    let repository = home.path().join("repository");
    fs::create_dir_all(repository.join("src")).expect("a folder");
    let file = repository.join(".alchemy.toml");
    let before = fs::metadata(&file).and_then(|metadata| metadata.modified());
    fs::write(&file, text).expect("written");
    // tcsh knows the time of a file in whole seconds only.
    if let Ok(before) = before {
        let file = fs::File::options().write(true).open(&file).expect("opened");
        file.set_modified(before + Duration::from_secs(1)).expect("its time set");
    }
}

#[test]
fn a_pin_file_asks_once_and_counts_when_it_is_allowed_until_it_changes() {
    tell(|shell| {
        let home = home();
        pin(&home, "profile = \"prod\"\n");
        let mut sh = Hooked::start(shell, &home);
        sh.cd("repository");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        let asks = "alchemy: ~/repository/.alchemy.toml asks for profile 'prod' and is not allowed yet; to allow it: \
                    alchemy allow";
        assert_eq!(sh.said(), [asks], "{shell:?}");
        for directory in ["repository/src", "elsewhere", "repository"] {
            sh.cd(directory);
        }
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        assert!(sh.said().is_empty(), "{shell:?}: once is enough");

        home.run(&["allow", "repository"]).expect_code(0);
        sh.line("");
        assert_eq!(ours(&sh.environment()), given(&home, "repository", "prod"), "{shell:?}");
        assert_eq!(sh.said(), ["alchemy: prod (Acme)"], "{shell:?}");

        pin(&home, "profile = \"beta\"\n");
        sh.line("");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}: {:?}", ours(&sh.environment()));
        assert_eq!(sh.said(), [asks.replace("prod", "beta")], "{shell:?}");

        home.run(&["deny", "repository"]).expect_code(0);
        sh.line("");
        sh.cd("elsewhere");
        sh.cd("repository");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        assert!(sh.said().is_empty(), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_guard_keeps_the_other_account_out() {
    tell(|shell| {
        let home = home();
        pin(&home, &format!("account = \"{BETA}\"\n"));
        home.run(&["use", "prod", "repository"]).expect_code(0);
        let mut sh = Hooked::start(shell, &home);
        sh.cd("repository/src");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        let said = sh.said();
        let [line] = &said[..] else { panic!("{shell:?}: one line, not {said:?}") };
        for words in [ACME, BETA, "~/repository/.alchemy.toml", "-p beta", "--account"] {
            assert!(line.contains(words), "{shell:?}: '{words}' in {line}");
        }
        pin(&home, &format!("account = \"{ACME}\"\n"));
        sh.line("");
        assert_eq!(ours(&sh.environment()), given(&home, "repository", "prod"), "{shell:?}");
        sh.exit();
    });
}

#[test]
fn a_broken_pin_file_is_said_and_lets_nothing_out() {
    tell(|shell| {
        let home = home();
        pin(&home, "profile = \"prod\"\nscript = \"touch x\"\n");
        home.run(&["use", "prod", "repository"]).expect_code(0);
        let mut sh = Hooked::start(shell, &home);
        sh.cd("repository");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        let said = sh.said();
        assert!(
            matches!(&said[..], [line] if line.contains(".alchemy.toml, line 2, column 1")),
            "{shell:?}: {said:?}"
        );
        sh.exit();
    });
}

#[test]
fn wranglers_own_account_is_warned_of_in_the_one_line() {
    tell(|shell| {
        let home = home();
        let file = home.path().join("acme/wrangler.jsonc");
        fs::write(file, format!("{{ /* ours */ \"account_id\": \"{BETA}\", }}")).expect("written");
        let mut sh = Hooked::start(shell, &home);
        sh.cd("acme/sub");
        assert_eq!(ours(&sh.environment()), given(&home, "acme", "prod"), "{shell:?}");
        let said = sh.said();
        let [line] = &said[..] else { panic!("{shell:?}: one line, not {said:?}") };
        assert!(
            line.starts_with("alchemy: prod (Acme); ") && line.contains("account_id fedc"),
            "{shell:?}: {line}"
        );
        sh.exit();
    });
}

#[test]
fn a_profile_that_asks_gives_its_name_and_account_only() {
    tell(|shell| {
        let home = home();
        home.run(&["profile", "set", "prod", "--confirm"]).expect_code(0);
        let mut sh = Hooked::start_with(shell, &home, "", &[("CLOUDFLARE_API_TOKEN", "mine-hunter2")]);
        let before = sh.environment();
        sh.cd("acme");
        let seen = ours(&sh.environment());
        let mut expected = name_and_account(&home, "acme", "prod");
        expected.insert("CLOUDFLARE_API_TOKEN".to_owned(), "mine-hunter2".to_owned());
        assert_eq!(seen, expected, "{shell:?}");
        assert_eq!(sh.said(), ["alchemy: prod (Acme), its name and account only"], "{shell:?}");
        sh.cd("beta");
        assert_eq!(ours(&sh.environment()), given(&home, "beta", "beta"), "{shell:?}");
        sh.cd("acme");
        assert_eq!(ours(&sh.environment()), expected, "{shell:?}");
        sh.cd("elsewhere");
        assert_eq!(sh.environment(), before, "{shell:?}");
        sh.exit();
    });
}

#[test]
fn names_alone_are_exported_where_that_is_asked_for() {
    tell(|shell| {
        let home = home();
        let mut sh = Hooked::start_with(shell, &home, "", &[("ALCHEMY_HOOK_EXPORT", "profile")]);
        sh.cd("acme");
        let mut expected = name_and_account(&home, "acme", "prod");
        expected.insert("ALCHEMY_HOOK_EXPORT".to_owned(), "profile".to_owned());
        assert_eq!(ours(&sh.environment()), expected, "{shell:?}");
        sh.exit();

        home.write("settings.toml", "export = \"profile\" # no secret in a shell\n");
        let mut sh = Hooked::start(shell, &home);
        sh.cd("acme");
        assert_eq!(ours(&sh.environment()), name_and_account(&home, "acme", "prod"), "{shell:?}");
        sh.said();
        home.write("settings.toml", "export = \"all\"\n");
        sh.cd("beta");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}: what cannot be understood lets nothing out");
        let said = sh.said();
        assert!(matches!(&said[..], [line] if line.contains("settings.toml, line 1, column 10")), "{said:?}");
        sh.exit();
    });
}

#[test]
fn the_pin_file_that_selects_is_watched_behind_one_that_guards() {
    tell(|shell| {
        let home = home();
        pin(&home, "profile = \"prod\"\n");
        home.run(&["allow", "repository"]).expect_code(0);
        let guard = home.path().join("repository/src/.alchemy.toml");
        fs::write(guard, format!("account = \"{ACME}\"\n")).expect("written");
        let mut sh = Hooked::start(shell, &home);
        sh.cd("repository/src");
        assert_eq!(ours(&sh.environment()), given(&home, "repository", "prod"), "{shell:?}");
        sh.said();
        pin(&home, "profile = \"beta\"\n");
        sh.line("");
        assert!(ours(&sh.environment()).is_empty(), "{shell:?}");
        let said = sh.said();
        let [line] = &said[..] else { panic!("{shell:?}: one line, not {said:?}") };
        let allow = format!("alchemy allow {}", home.path().join("repository").display());
        assert!(line.contains("'beta'") && line.ends_with(&allow), "{shell:?}: {line}");
        sh.exit();
    });
}

#[test]
fn what_is_for_a_hook_is_not_shown_to_a_person() {
    let home = home();
    for arguments in [&["hook-env", "bash"][..], &["hook-env", "direnv", "prod"], &["hook-session", "prod"]] {
        let mut command = home.alchemy_command(arguments);
        command.current_dir(home.path().join("acme"));
        let (code, shown) = Terminal::start(command).finish();
        assert_eq!(code, 2, "{shown}");
        assert!(shown.contains("this is for a shell's hook") && !shown.contains("hunter2"), "{shown}");
    }
}
