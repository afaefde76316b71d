//! `alchemy import env`: a credential in the environment, or in a `.env` file, which stays as it is and is
//! never shown.

use std::fs;
use std::process::Command;

use serde_json::Value;
use support::cloudflare::Credential;
use support::online::{EMAIL, KEY, Online, TOKEN, shows_no_secret};
use support::pty::{ENTER, Terminal};
use support::{ACME, BETA, Output, run};

const DOTENV: &str = "# of the project\nexport CLOUDFLARE_API_TOKEN=\"tok-hunter2\"  # mine\n\nDATABASE=hunter2\n\
    CF_API_KEY = key-hunter2\nCF_EMAIL='me@example.com'\nCLOUDFLARE_ACCOUNT_ID=fedcba9876543210fedcba9876543210\n";

/// A home, and an API that knows a token and a key, which see both accounts.
fn online() -> Online {
    let online = Online::new();
    online.cf.add(Credential::user_token(TOKEN));
    online.cf.add(Credential::global_key(KEY, EMAIL));
    online
}

fn command(online: &Online, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = online.command(&[&["import", "env"], arguments].concat());
    command.envs(variables.iter().copied());
    command
}

/// Runs it; it shows no secret.
#[track_caller]
fn import(online: &Online, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    shows_no_secret(run(&mut command(online, arguments, variables)))
}

/// What happens to each: the profile, and one word.
#[track_caller]
fn planned(online: &Online, arguments: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let output = import(online, &[&["--json", "--yes"], arguments].concat(), variables).expect_code(0);
    let planned: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let profiles = planned["profiles"].as_array().expect("a list");
    profiles.iter().map(|one| format!("{} {}", one["profile"], one["action"]).replace('"', "")).collect()
}

#[test]
fn a_token_in_the_environment_becomes_a_profile_once() {
    let online = online();
    let token = [("CLOUDFLARE_API_TOKEN", TOKEN), ("CLOUDFLARE_ACCOUNT_ID", ACME)];
    let shown = import(&online, &["--dry-run"], &token).expect_code(0).stdout;
    assert!(shown.contains("Acme (0123456789abcdef0123456789abcdef)  becomes profile 'default'"), "{shown}");
    assert!(!online.home.alchemy("config.json").exists());

    let said = import(&online, &["-p", "prod", "--yes"], &token).expect_code(0).stderr;
    for line in
        ["profile 'prod' is ready: api-token, account Acme", "to take it out: unset CLOUDFLARE_API_TOKEN"]
    {
        assert!(said.contains(line), "'{line}' in {said}");
    }
    assert_eq!(online.entry("prod")["metadata"]["id"], ACME);
    assert!(!online.entry("prod")["tokenId"].is_null(), "it was verified");
    let before = online.home.snapshot();
    // Without a question, whatever name is asked for.
    assert_eq!(planned(&online, &[], &token), ["prod there"]);
    assert_eq!(planned(&online, &["-p", "other"], &token), ["prod there"]);
    assert!(online.home.snapshot() == before, "a second run changes nothing");
}

#[test]
fn what_is_kept_encrypted_is_opened_to_see_that_it_is_there() {
    let online = online();
    let variables = [
        ("CLOUDFLARE_API_TOKEN", TOKEN),
        ("CLOUDFLARE_ACCOUNT_ID", ACME),
        // Not in the kernel either.
        ("ALCHEMY_KEEP", "0"),
        ("ALCHEMY_PASSPHRASE_COMMAND", "echo correct-hunter2-horse"),
    ];
    let arguments = ["-p", "prod", "--store", "encrypted"];
    assert_eq!(planned(&online, &arguments, &variables), ["prod make"]);
    assert_eq!(online.entry("prod")["credentialStore"], "encrypted");
    assert_eq!(planned(&online, &arguments, &variables), ["prod there"]);
    // Who gives no passphrase and cannot be asked learns that the name is taken.
    let taken = import(&online, &[&arguments[..], &["--yes"]].concat(), &variables[..3]).expect_code(2);
    assert!(taken.stdout.contains("is asked for: profile 'prod' exists (api-token"), "{}", taken.stdout);
}

#[test]
fn a_file_is_read_as_it_is_and_stays_as_it_is() {
    let online = online();
    let file = online.home.path().join(".env");
    fs::write(&file, DOTENV).expect("written");
    let of_file = ["--file", ".env", "-p", "acme"];
    // What the environment says is not looked at.
    let token = [("CLOUDFLARE_API_TOKEN", "other-hunter2")];
    assert_eq!(planned(&online, &of_file, &token), ["acme make", "acme-key make"]);
    assert_eq!(planned(&online, &of_file, &[]), ["acme there", "acme-key there"]);
    assert_eq!(fs::read_to_string(&file).expect("read"), DOTENV);
    let print = "echo $CLOUDFLARE_API_TOKEN$CLOUDFLARE_API_KEY $CLOUDFLARE_EMAIL $CLOUDFLARE_ACCOUNT_ID";
    for (name, expected) in
        [("acme", format!("{TOKEN} {BETA}\n")), ("acme-key", format!("{KEY} {EMAIL} {BETA}\n"))]
    {
        let output = run(&mut online.command(&["exec", name, "--", "sh", "-c", print])).expect_code(0);
        assert_eq!(output.stdout, expected);
    }

    // The command that is told takes the lines out, and no others.
    online.run(&["profile", "delete", "acme", "--yes"], "").expect_code(0);
    let said = import(&online, &[&of_file[..], &["--yes"]].concat(), &[]).expect_code(0).stderr;
    assert!(said.contains(".env still holds CLOUDFLARE_API_TOKEN and CF_API_KEY (line 2, 5)"), "{said}");
    let sed = said.lines().find_map(|line| line.split_once("to take it out: ")).expect("a command").1;
    run(online.home.command("sh").args(["-c", sed])).expect_code(0);
    let left: String = DOTENV.split_inclusive('\n').filter(|line| !line.contains("API_")).collect();
    assert_eq!(fs::read_to_string(&file).expect("read"), left);
    import(&online, &["--file", ".env"], &[]).expect_only_error(1, "no credential for cloudflare is in .env");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let online = online();
    import(&online, &["--file", "none"], &[]).expect_only_error(1, "none does not exist");
    import(&online, &["--file", "."], &[]).expect_only_error(1, ". is no regular file");
    shows_no_secret(run(&mut online.command(&["import", "wrangler", "--file", ".env"])))
        .expect_only_error(2, "--file is for alchemy import env");
}

#[test]
fn what_alchemy_itself_has_put_there_is_no_new_credential() {
    let online = online();
    online.done(&["configure", "-p", "prod", "--token-stdin", "--account", ACME], TOKEN);
    let inside = ["exec", "prod", "--", support::ALCHEMY, "import", "env", "--yes"];
    let output = shows_no_secret(run(&mut online.command(&inside))).expect_code(0);
    assert!(output.stdout.contains("is there already: profile 'prod'"), "{}", output.stdout);
    for (token, more) in [("cfoat_hunter2", "CF_NOTHING"), ("at-hunter2", "ALCHEMY_CREDENTIAL_EXPIRATION")] {
        let said = import(
            &online,
            &["--yes", "-p", "x"],
            &[("CF_API_TOKEN", token), (more, "2099-01-01T00:00:00Z")],
        );
        let said = said.expect_code(1).stderr;
        assert!(said.contains("nothing of env can be imported") && said.contains("runs out"), "{said}");
    }
}

#[test]
fn names_and_accounts_are_asked_for_where_somebody_can_answer() {
    let online = online();
    let token = [("CLOUDFLARE_API_TOKEN", TOKEN)];
    import(&online, &["--yes"], &token)
        .expect_only_error(2, "cannot ask for profile name")
        .expect_hint("-p NAME");
    let several = import(&online, &["--yes", "-p", "x"], &token).expect_code(1).stderr;
    assert!(several.contains("give it by --account: Acme"), "{several}");
    import(&online, &["x"], &token).expect_only_error(2, "the environment has no profiles");
    import(&online, &[], &[]).expect_only_error(1, "no credential for cloudflare is in the environment");
    let key = [("CLOUDFLARE_API_KEY", KEY)];
    let no_email = import(&online, &["-p", "x"], &key).expect_code(1).stderr;
    assert!(no_email.contains("without the e-mail (CLOUDFLARE_EMAIL)"), "{no_email}");

    let mut terminal = Terminal::start(command(&online, &[], &token));
    terminal.expect("profile name:");
    terminal.press(ENTER);
    terminal.expect("one of 2");
    terminal.expect("import these?");
    terminal.line("y");
    terminal.expect("account of 'default':");
    terminal.press(ENTER);
    terminal.expect("profile 'default' is ready");
    let (code, shown) = terminal.finish();
    assert!(code == 0 && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn the_same_token_for_another_account_is_another_profile() {
    let online = online();
    let token = |account| [("CLOUDFLARE_API_TOKEN", TOKEN), ("CLOUDFLARE_ACCOUNT_ID", account)];
    assert_eq!(planned(&online, &["-p", "acme"], &token(ACME)), ["acme make"]);
    assert_eq!(planned(&online, &["-p", "beta"], &token(BETA)), ["beta make"]);
    assert_eq!(planned(&online, &["-p", "other"], &token(BETA)), ["beta there"]);
}
