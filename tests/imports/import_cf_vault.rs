//! `alchemy import cf-vault`: its TOML file, with its secrets in a real keyring or in files encrypted by an
//! encoder that is not ours (npm's `jose`), both in the form of `99designs/keyring`. Nothing of it is changed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use support::cloudflare::Credential;
use support::keyring::{BUS, Keyring};
use support::online::{EMAIL, KEY, Online, TOKEN, shows_no_secret};
use support::pty::Terminal;
use support::wrangler::files;
use support::{ACME, BETA, Output, given, run};

/// As cf-vault writes it.
const CONFIG: &str = r#"
[profiles]

  [profiles.legacy]
    auth_type = "api_key"
    email = "me@example.com"

  [profiles.prod]
    auth_type = "api_token"
    email = "me@example.com"
    session_duration = "15m"

    [[profiles.prod.policies]]
      effect = "allow"
      id = ""

      [[profiles.prod.policies.permission_groups]]
        id = "0123456789abcdef0123456789abcdef"

      [profiles.prod.policies.resources]
        "com.cloudflare.api.account.*" = "*"
"#;
const PASSPHRASE: &str = "correct-hunter2-horse";
const VARIABLE: &str = "CF_VAULT_FILE_PASSPHRASE";

/// A home with cf-vault's files, and the API that knows its secrets.
struct Vault {
    online: Online,
    folder: PathBuf,
}

impl Vault {
    fn new() -> Self {
        let online = Online::new();
        online.cf.add(Credential::user_token(TOKEN).sees(&[ACME]));
        online.cf.add(Credential::global_key(KEY, EMAIL).sees(&[BETA]));
        let folder = online.home.path().join(".cf-vault");
        fs::create_dir_all(folder.join("keys")).expect("made");
        fs::write(folder.join("config.toml"), CONFIG).expect("written");
        Self { online, folder }
    }

    /// One with its secrets in encrypted files; `None` where npm's packages are not installed.
    fn encrypted() -> Option<Self> {
        let this = Self::new();
        for (name, secret) in [("prod-api_token", TOKEN), ("legacy-api_key", KEY)] {
            fs::write(this.folder.join("keys").join(name), jwe(&item(name, secret))?).expect("written");
        }
        Some(this)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.online.command(&[&["import", "cf-vault"], arguments].concat())
    }

    /// Runs it; it shows no secret, and changes nothing of cf-vault's.
    #[track_caller]
    fn import_by(&self, command: &mut Command) -> Output {
        let before = files(&[&self.folder]);
        let output = shows_no_secret(run(command));
        assert!(files(&[&self.folder]) == before, "something of cf-vault's was changed");
        output
    }

    /// The same with the passphrase of its files, for programs.
    #[track_caller]
    fn planned(&self, arguments: &[&str]) -> Value {
        let mut command = self.command(&[&["--json", "--yes"], arguments].concat());
        let output = self.import_by(command.env(VARIABLE, PASSPHRASE)).expect_code(0);
        serde_json::from_str(&output.stdout).expect("JSON")
    }

    /// Both profiles are here, and each gives its secret.
    #[track_caller]
    fn both_work(&self) {
        for (name, secret, account) in [("prod", TOKEN, ACME), ("legacy", KEY, BETA)] {
            let print = "echo $CLOUDFLARE_API_TOKEN$CLOUDFLARE_API_KEY $CLOUDFLARE_ACCOUNT_ID";
            let mut command = self.online.command(&["exec", name, "--", "sh", "-c", print]);
            assert_eq!(run(&mut command).expect_code(0).stdout, format!("{secret} {account}\n"));
        }
    }
}

/// An item, as `99designs/keyring` keeps it: Go writes bytes in base64.
fn item(key: &str, secret: &str) -> String {
    let data = STANDARD.encode(secret);
    let item = json!({ "Key": key, "Data": data, "Label": "", "Description": "",
        "KeychainNotTrustApplication": false, "KeychainNotSynchronizable": false });
    item.to_string()
}

/// An encrypted file, as `99designs/keyring` has `jose2go` make it; by npm's `jose`.
fn jwe(text: &str) -> Option<String> {
    let (modules, node) = (given("ALCHEMY_TEST_NODE_MODULES")?, given("ALCHEMY_TEST_NODE")?);
    let script = "const { CompactEncrypt } = await import(process.argv[1]);
        const bytes = (text) => new TextEncoder().encode(text);
        const jwe = new CompactEncrypt(bytes(process.argv[2]))
            .setProtectedHeader({ alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', created: '2026-01-01 00:00:00 UTC' })
            .setKeyManagementParameters({ p2c: 8192, p2s: crypto.getRandomValues(new Uint8Array(12)) });
        process.stdout.write(await jwe.encrypt(bytes(process.argv[3])));";
    let jose = modules.join("jose/dist/webapi/index.js");
    let mut command = Command::new(node);
    command.args(["--input-type=module", "-e", script]).arg(jose).args([text, PASSPHRASE]);
    Some(run(&mut command).expect_code(0).stdout)
}

fn actions(planned: &Value) -> Vec<&str> {
    let profiles = planned["profiles"].as_array().expect("a list");
    profiles.iter().map(|one| one["action"].as_str().expect("a word")).collect()
}

#[test]
fn its_encrypted_files_are_imported_twice_and_are_as_they_were() {
    let Some(vault) = Vault::encrypted() else { return };
    let planned = vault.planned(&["--dry-run"]);
    assert_eq!(actions(&planned), ["make", "make"]);
    let [legacy, prod] = &planned["profiles"].as_array().expect("a list")[..] else { panic!("two") };
    assert_eq!((&legacy["method"], &legacy["account"]["id"]), (&json!("api-key"), &json!(BETA)));
    assert_eq!((&prod["method"], &prod["account"]["id"]), (&json!("api-token"), &json!(ACME)));
    let notes = prod["notes"].to_string();
    assert!(notes.contains("session_duration (15m)") && notes.contains("policies"), "{notes}");
    assert!(!vault.online.home.alchemy("config.json").exists());

    let said = vault.import_by(vault.command(&["--yes"]).env(VARIABLE, PASSPHRASE)).expect_code(0).stderr;
    assert!(said.contains("profile 'prod' is ready: api-token, account Acme"), "{said}");
    vault.both_work();
    assert!(!vault.online.entry("prod")["tokenId"].is_null(), "it was verified");
    let before = vault.online.home.snapshot();
    assert_eq!(actions(&vault.planned(&[])), ["there", "there"]);
    assert!(vault.online.home.snapshot() == before, "a second run changes nothing");
}

#[test]
fn its_keyring_items_are_imported_twice_and_those_of_another_program_are_not() {
    let Some(keyring) = Keyring::start() else { return };
    let mut vault = Vault::new();
    vault.online.set(BUS, keyring.address());
    let collection = keyring.create_collection("cfvault");
    // Another program that uses the same library, such as aws-vault, has the same attribute.
    let other = keyring.create_collection("awsvault");
    keyring.store_in(&other, &["profile", "prod-api_token"], &item("prod-api_token", "other-hunter2"));
    let refused = vault.import_by(&mut vault.command(&["--dry-run"])).expect_code(1).stderr;
    assert!(refused.contains("its secret is not in the keyring, and there is no "), "{refused}");

    for (name, secret) in [("prod-api_token", TOKEN), ("legacy-api_key", KEY)] {
        keyring.store_in(&collection, &["profile", name], &item(name, secret));
    }
    for expected in [["make", "make"], ["there", "there"]] {
        assert_eq!(actions(&vault.planned(&["--store", "file"])), expected);
    }
    vault.both_work();
    let kept = |name| vault.online.home.read(&format!("credentials/{name}/cloudflare.json"));
    assert!(kept("prod").contains(TOKEN) && kept("legacy").contains(KEY));
}

#[test]
fn the_passphrase_is_asked_for_once_and_a_wrong_one_is_told() {
    let Some(vault) = Vault::encrypted() else { return };
    let mut terminal = Terminal::start(vault.command(&[]));
    terminal.expect("the passphrase of cf-vault's files:");
    terminal.line(PASSPHRASE);
    terminal.expect("becomes profile 'prod'");
    terminal.expect("import these?");
    terminal.line("y");
    let (code, shown) = terminal.finish();
    assert_eq!((code, shown.matches("the passphrase").count() > 0), (0, true));
    assert!(!shown.contains("hunter2"), "{shown}");
    vault.both_work();

    let Some(vault) = Vault::encrypted() else { return };
    let wrong = vault.import_by(vault.command(&["--yes"]).env(VARIABLE, "wrong")).expect_code(1);
    assert!(
        wrong.stderr.contains("keys/legacy-api_key is encrypted with another passphrase"),
        "{}",
        wrong.stderr
    );
    let nobody = vault.import_by(&mut vault.command(&["--yes"])).expect_code(1).stderr;
    assert!(nobody.contains("give it by CF_VAULT_FILE_PASSPHRASE"), "{nobody}");
    assert!(!vault.online.home.alchemy("config.json").exists());
    fs::write(vault.folder.join("keys/prod-api_token"), "hunter2").expect("written");
    let planned = vault.planned(&["--dry-run"]);
    let reason = planned["profiles"][1]["reason"].as_str().expect("a reason");
    assert!(reason.contains("prod-api_token is no file that 99designs/keyring writes"), "{reason}");
}

#[test]
fn what_is_kept_elsewhere_is_got_by_the_command_that_is_told() {
    let vault = Vault::new();
    let said = vault.import_by(vault.command(&[]).env("CF_VAULT_BACKEND", "pass")).expect_code(1).stderr;
    for words in [
        "its secret is kept by pass, which cannot be read here",
        "cf-vault exec legacy -- printenv CLOUDFLARE_API_KEY | alchemy configure -p legacy --key-stdin --email",
    ] {
        assert!(said.contains(words), "'{words}' in {said}");
    }
}

#[test]
fn a_token_that_cloudflare_does_not_know_is_left_out_unless_it_need_not() {
    let Some(vault) = Vault::encrypted() else { return };
    vault
        .online
        .cf
        .add(Credential { status: support::cloudflare::Status::Disabled, ..Credential::user_token(TOKEN) });
    let planned = vault.planned(&["--dry-run"]);
    assert_eq!(actions(&planned), ["make", "leave"]);
    let reason = planned["profiles"][1]["reason"].as_str().expect("a reason");
    assert!(reason.contains("this token is disabled"), "{reason}");
    assert_eq!(actions(&vault.planned(&["prod", "--no-verify", "--account", ACME])), ["make"]);
    let mut no_account = vault.command(&["--no-verify"]);
    let shown = vault.import_by(no_account.env(VARIABLE, PASSPHRASE)).expect_code(0).stdout;
    assert!(shown.contains("give its id: --account ID"), "{shown}");
    vault.import_by(&mut vault.command(&["--no-verify", "--account", "Acme"])).expect_error(2, "'Acme'");
}

#[test]
fn its_files_are_found_where_its_variables_say_and_a_broken_one_is_named() {
    let mut vault = Vault::new();
    for (variable, folder) in [("XDG_CONFIG_HOME", "conf"), ("XDG_DATA_HOME", "data")] {
        vault.online.set(variable, vault.online.home.path().join(folder).to_str().expect("UTF-8"));
    }
    // Set later than the profiles were made: they are still in the old place.
    assert!(vault.import_by(&mut vault.command(&[])).expect_code(1).stdout.contains("prod"));
    let config = vault.online.home.path().join("conf/cf-vault/config.toml");
    fs::create_dir_all(config.parent().expect("a folder")).expect("made");
    fs::write(&config, "[profiles.new]\nauth_type = hunter2\n").expect("written");
    vault.import_by(&mut vault.command(&[])).expect_only_error(1, "config.toml is not TOML (line 2, column ");
    fs::write(&config, "").expect("written");
    let output = vault.import_by(&mut vault.command(&[])).expect_code(0);
    assert!(output.stderr.contains("conf/cf-vault/config.toml has no profiles"), "{}", output.stderr);
    fs::remove_file(&config).expect("removed");
    fs::remove_file(vault.folder.join("config.toml")).expect("removed");
    vault.import_by(&mut vault.command(&[])).expect_only_error(1, "nothing of cf-vault is found");
}
