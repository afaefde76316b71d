//! `alchemy import wrangler`: the profiles and directory bindings that the real wrangler has made, in its
//! files and with its key in a real keyring. Nothing of them is changed, whatever is done.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use support::keyring::{BUS, Keyring};
use support::online::shows_no_secret;
use support::person::Person;
use support::pty::{DOWN, ENTER, Terminal};
use support::wrangler::{Wrangler, files};
use support::{ACME, BETA, Output, run};

/// A person, and where wrangler has its files in their home.
struct Wranglers {
    person: Person,
    folder: PathBuf,
}

impl Wranglers {
    /// One whose grants see one account alone.
    fn new() -> Self {
        let person = Person::new();
        person.cf.grants_see(&[ACME]);
        let folder = person.home.path().join(".config/.wrangler");
        Self { person, folder }
    }

    fn wrangler(&self) -> Option<Wrangler<'_>> {
        Wrangler::new(&self.person.home, &self.person.server)
    }

    /// `alchemy import wrangler` with arguments; it shows no secret, and changes nothing of wrangler's.
    #[track_caller]
    fn import(&self, arguments: &[&str]) -> Output {
        self.import_by(self.person.command(&[&["import", "wrangler"], arguments].concat()))
    }

    #[track_caller]
    fn import_by(&self, mut command: Command) -> Output {
        let before = files(&[&self.folder]);
        let output = shows_no_secret(run(&mut command));
        assert!(files(&[&self.folder]) == before, "something of wrangler's was changed");
        output
    }

    /// The same, for programs.
    #[track_caller]
    fn planned(&self, arguments: &[&str]) -> Value {
        let output = self.import(&[&["--json", "--yes"], arguments].concat()).expect_code(0);
        serde_json::from_str(&output.stdout).expect("JSON")
    }

    /// Writes a file of wrangler's, as it does itself.
    fn write(&self, below: &str, text: &str) {
        let path = self.folder.join(below);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    }

    /// A profile of wrangler's whose session is over.
    fn ended(&self, name: &str) {
        let text = "oauth_token = \"at-hunter2\"\nrefresh_token = \"rt-hunter2\"\n\
            expiration_time = \"2020-01-01T00:00:00.000Z\"\nscopes = [ \"account:read\" ]\n";
        self.write(&format!("config/{name}.toml"), text);
    }

    /// What `config.json` says of a profile: its method and its account.
    fn profile(&self, name: &str) -> Value {
        let entry = self.person.entry(name);
        json!([entry["method"], entry["metadata"]["id"]])
    }
}

/// What happens to each, in one word.
fn actions(planned: &Value) -> Vec<String> {
    let of = |list: &str| planned[list].as_array().expect("a list").clone();
    let all = of("profiles").into_iter().chain(of("bindings"));
    all.map(|one| one["action"].as_str().expect("a word").to_owned()).collect()
}

#[test]
fn profiles_and_bindings_of_the_real_wrangler_are_imported_twice_and_work_after_a_sign_in() {
    let this = Wranglers::new();
    let Some(wrangler) = this.wrangler() else { return };
    let home = &this.person.home;
    wrangler.sign_in(&["login"]);
    wrangler.sign_in(&["auth", "create", "work"]);
    for directory in ["code/acme", "gone"] {
        fs::create_dir_all(home.path().join(directory)).expect("made");
        let path = home.path().join(directory);
        wrangler.run(&["auth", "activate", "work", path.to_str().expect("UTF-8")]);
    }
    fs::remove_dir(home.path().join("gone")).expect("removed");
    let (refreshes, live) = (this.person.server.refreshes(), this.person.server.live_grants());

    // First it is shown, and nothing is done.
    let shown = this.import(&["--dry-run"]).expect_code(0).stdout;
    for row in [
        "default   oauth   Acme (0123456789abcdef0123456789abcdef)  becomes profile 'default', signed out",
        "~/code/acme  will use profile 'work'",
        "~/gone       is left out: there is no such directory",
    ] {
        assert!(shown.contains(row), "'{row}' in:\n{shown}");
    }
    assert!(!home.alchemy("config.json").exists() && !home.alchemy("bindings.json").exists());
    assert_eq!(actions(&this.planned(&["--dry-run"])), ["make", "make", "make", "leave"]);

    let said = this.import(&["--yes"]).expect_code(0).stderr;
    for line in [
        "two programs with the same refresh token would sign each other out",
        "to sign in: alchemy login -p work",
    ] {
        assert_eq!(said.matches(line).count(), 1, "'{line}' once in:\n{said}");
    }
    assert_eq!(this.profile("work"), json!(["oauth", ACME]));
    let scopes = this.person.entry("work")["scopes"].take();
    let scopes: Vec<&str> = scopes.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    for scope in ["workers-kv-storage.write", "memberships.read", "page.write"] {
        assert!(scopes.contains(&scope), "{scope} in {scopes:?}");
    }
    let applies = |directory: &str| {
        let mut command = this.person.command(&["profile", "current"]);
        run(command.current_dir(home.path().join(directory))).expect_code(0).stdout
    };
    assert!(applies("code/acme").starts_with("work (bound at "), "{}", applies("code/acme"));

    // A second time there is nothing to do, and nothing is asked.
    let before = home.snapshot();
    assert_eq!(actions(&this.planned(&[])), ["there", "there", "there", "leave"]);
    let again = this.import(&[]).expect_code(0);
    assert!(again.stderr.contains("nothing was changed"), "{}", again.stderr);
    assert!(home.snapshot() == before, "a second run changes nothing");

    // None of wrangler's grants was spent; one's own follows from a sign-in.
    let server = &this.person.server;
    assert_eq!((server.refreshes(), server.live_grants()), (refreshes, live));
    this.person.run(&["token", "work"], "").expect_error(1, "missing").expect_hint("alchemy login -p work");
    this.person.sign_in(&["login", "-p", "work"]).expect_code(0);
    let token = this.person.command(&["token", "work"]).output().expect("started").stdout;
    assert!(token.starts_with(b"at-hunter2-"), "a token of its own");
    assert_eq!(actions(&this.planned(&[])), ["there", "there", "there", "leave"], "also once signed in");
    let asked: Vec<String> =
        server.requests().into_iter().filter_map(|asked| asked.form.get("grant_type").cloned()).collect();
    assert!(!asked.contains(&"refresh_token".to_owned()), "{asked:?}");
}

#[test]
fn what_wrangler_has_encrypted_is_read_with_its_key_in_the_keyring() {
    let Some(keyring) = Keyring::start() else { return };
    let mut this = Wranglers::new();
    this.person.online.set(BUS, keyring.address());
    let Some(wrangler) = this.wrangler() else { return };
    let wrangler = wrangler.on(keyring.address());
    wrangler.sign_in(&["login", "--use-keyring"]);
    wrangler.sign_in(&["auth", "create", "work"]);
    drop(wrangler);
    assert!(this.folder.join("config/work.enc").exists() && !this.folder.join("config/work.toml").exists());

    let planned = this.planned(&["--dry-run"]);
    assert_eq!(actions(&planned), ["make", "make"]);
    let work = &planned["profiles"][1];
    assert_eq!((&work["account"]["id"], &work["notes"]), (&json!(ACME), &json!([])));
    assert!(work["scopes"].as_array().expect("a list").contains(&json!("d1.write")), "{work}");
    this.import(&["--yes"]).expect_code(0);
    let before = this.person.home.snapshot();
    assert_eq!(actions(&this.planned(&[])), ["there", "there"]);
    assert!(this.person.home.snapshot() == before, "a second run changes nothing");

    // Where the key cannot be had, the account must be named, and why its scopes are not known is said.
    this.person.online.unset(BUS);
    let said = this.import(&["work", "--dry-run", "-p", "new"]).expect_code(1).stderr;
    assert!(said.contains("'work': its account cannot be told") && said.contains("--account"), "{said}");
}

#[test]
fn an_encrypted_profile_without_its_key_is_made_with_the_account_that_is_named() {
    let this = Wranglers::new();
    this.write(
        "config/work.enc",
        r#"{"v":1,"alg":"AES-256-GCM","iv":"AAAA","tag":"AAAA","ciphertext":"AAAA"}"#,
    );
    let said = this.import(&["--account", BETA, "--yes"]).expect_code(0).stderr;
    assert!(said.contains("work.enc cannot be decrypted (no keyring"), "{said}");
    assert_eq!(this.profile("work"), json!(["oauth", BETA]));
    assert_eq!(actions(&this.planned(&["--account", BETA])), ["there"]);
}

#[test]
fn names_are_mapped_and_what_cannot_be_imported_is_named_and_passed_over() {
    let this = Wranglers::new();
    for name in ["_work", "work", "-x", "staging", "default"] {
        this.ended(name);
    }
    this.write("config/broken.toml", "oauth_token = hunter2");
    this.write("config/empty.toml", "");
    this.write("wrangler-temporary-account.toml", "");
    this.write("profiles/directory-bindings.json", "[hunter2");
    let planned = this.planned(&["--account", ACME]);
    let profiles = planned["profiles"].as_array().expect("a list");
    let told: Vec<Value> =
        profiles.iter().map(|one| json!([one["name"], one["profile"], one["action"]])).collect();
    let expected = json!([
        ["-x", "x", "make"],
        ["_work", "work", "make"],
        ["broken", null, "leave"],
        ["default", "default", "make"],
        ["empty", null, "leave"],
        ["staging", null, "leave"],
        ["work", null, "leave"],
    ]);
    assert_eq!(json!(told), expected);
    let reason = |at: usize| profiles[at]["reason"].as_str().expect("a reason").to_owned();
    assert!(reason(2).contains("is not TOML (line 1, column 15)"), "{}", reason(2));
    assert!(reason(4).contains("holds no credential") && reason(5).contains("staging"));
    assert!(reason(6).contains("another one gets the name 'work'"), "{}", reason(6));
    let notes = planned["notes"].to_string();
    assert!(notes.contains("is not JSON (line 1") && notes.contains("that account is temporary"), "{notes}");

    this.import(&["work", "-p", "other", "--account", BETA, "--yes"]).expect_code(0);
    this.import(&["work", "--prefix", "wr-", "--account", BETA, "--yes"]).expect_code(0);
    assert_eq!(this.profile("other")[1], BETA);
    assert_eq!(this.profile("wr-work")[1], BETA);
    this.import(&["-p", "one", "--account", ACME]).expect_error(2, "--profile names one profile");
    this.import(&["nobody"])
        .expect_error(1, "wrangler has no profile 'nobody'")
        .expect_hint("it has -x, _work");
}

#[test]
fn the_account_is_the_one_that_is_seen_or_named_or_asked_for() {
    let this = Wranglers::new();
    let Some(wrangler) = this.wrangler() else { return };
    wrangler.sign_in(&["login"]);
    this.person.cf.grants_see(&[ACME, BETA]);
    let several = this.import(&[]).expect_code(1).stderr;
    assert!(several.contains("it is for one of several accounts; give it by --account: Acme"), "{several}");
    assert_eq!(this.planned(&["--dry-run", "--account", "Beta"])["profiles"][0]["account"]["id"], BETA);

    let mut terminal = Terminal::start(this.person.command(&["import", "wrangler"]));
    terminal.expect("one of 2");
    terminal.expect("import these?");
    terminal.line("y");
    terminal.expect("account of 'default':");
    terminal.press(&format!("{DOWN}{ENTER}"));
    terminal.expect("sign in to 'default' now?");
    terminal.line("n");
    terminal.expect("to sign in: alchemy login -p default");
    assert_eq!(terminal.finish().0, 0);
    assert_eq!(this.profile("default")[1], BETA);

    // The profile is for one of the accounts that the session sees: it is the same.
    assert_eq!(actions(&this.planned(&[])), ["there"]);
}

#[test]
fn a_sign_in_is_offered_and_done() {
    let this = Wranglers::new();
    this.ended("default");
    this.person.browser();
    let mut terminal = Terminal::start(this.person.command(&["import", "wrangler"]));
    terminal.expect("import these?");
    terminal.line("y");
    terminal.expect("account id of 'default':");
    terminal.line(ACME);
    terminal.expect("two programs with the same refresh token would sign each other out");
    terminal.expect("sign in to 'default' now?");
    terminal.line("y");
    terminal.expect("profile 'default' is ready: oauth, account Acme");
    assert_eq!(terminal.finish().0, 0);
    this.person.run(&["whoami", "default"], "").expect_code(0);
}

#[test]
fn names_that_collide_are_asked_about_and_what_is_there_is_only_replaced_on_request() {
    let this = Wranglers::new();
    this.person.home.token_profile("default", "tok-hunter2");
    this.ended("default");
    fs::create_dir(this.person.home.path().join("acme")).expect("made");
    let acme = this.person.home.path().join("acme").canonicalize().expect("a real path");
    this.write(
        "profiles/directory-bindings.json",
        &json!({ &*acme.to_string_lossy(): "default" }).to_string(),
    );
    let account = ["--account", BETA];
    let before = this.person.home.snapshot();
    this.import(&[&account[..], &["--yes"]].concat())
        .expect_code(2)
        .expect_hint("--on-conflict skip, rename or replace");
    let skipped = this.planned(&[&account[..], &["--on-conflict", "skip"]].concat());
    assert_eq!(actions(&skipped), ["stay", "leave"]);
    assert!(this.person.home.snapshot() == before, "nothing was changed");

    // Twice with another name is once.
    for expected in [["make", "make"], ["there", "there"]] {
        let renamed = this.planned(&[&account[..], &["--on-conflict", "rename"]].concat());
        assert_eq!(actions(&renamed), expected);
        assert_eq!(renamed["profiles"][0]["profile"], "default-wrangler");
    }
    assert_eq!(this.profile("default-wrangler")[1], BETA);
    assert_eq!(this.profile("default")[0], "api-token");

    // On a terminal.
    this.person.run(&["profile", "delete", "default-wrangler", "--yes"], "").expect_code(0);
    let mut terminal = Terminal::start(this.person.command(&["import", "wrangler", "--account", BETA]));
    terminal.expect("is asked for: profile 'default' exists (api-token, account Acme");
    terminal.expect("import these?");
    terminal.line("y");
    terminal.expect("profile 'default' exists");
    terminal.press(&format!("{DOWN}{ENTER}"));
    terminal.expect("its name here:");
    terminal.line("-2");
    terminal.expect("'-2' cannot be a profile's name; its name here:");
    terminal.line("default-wrangler-2");
    terminal.expect("is bound to 'default-wrangler'; bind it to 'default-wrangler-2'?");
    terminal.line("y");
    terminal.expect("sign in to 'default-wrangler-2' now?");
    terminal.line("n");
    assert_eq!(terminal.finish().0, 0);
    assert_eq!(this.profile("default-wrangler-2")[1], BETA);

    let shown = this.planned(&["default", "-p", "default-wrangler-2", "--account", ACME, "--dry-run"]);
    assert_eq!(actions(&shown), ["ask", "there"]);
}

#[test]
fn a_binding_that_differs_is_asked_about() {
    let this = Wranglers::new();
    this.person.home.token_profile("mine", "tok-hunter2");
    this.ended("work");
    let acme = this.person.home.path().join("acme");
    fs::create_dir(&acme).expect("made");
    this.person.run(&["use", "mine", "acme"], "").expect_code(0);
    let acme = acme.canonicalize().expect("a real path");
    this.write("profiles/directory-bindings.json", &json!({ &*acme.to_string_lossy(): "work" }).to_string());
    let bound = || {
        let output = this.person.run(&["use", "--list", "--json"], "").expect_code(0).stdout;
        serde_json::from_str::<Value>(&output).expect("JSON")[0]["profile"].clone()
    };
    let account = ["--account", ACME];
    this.import(&[&account[..], &["--yes"]].concat()).expect_code(2).expect_hint("--on-conflict");
    assert_eq!(
        actions(&this.planned(&[&account[..], &["--on-conflict", "skip"]].concat())),
        ["make", "stay"]
    );
    assert_eq!(bound(), "mine");
    let replaced = this.planned(&[&account[..], &["--on-conflict", "replace"]].concat());
    assert_eq!(actions(&replaced), ["there", "replace"]);
    assert_eq!(bound(), "work");
}

#[test]
fn a_profile_that_is_replaced_loses_its_old_credential() {
    let this = Wranglers::new();
    this.person.home.token_profile("default", "tok-hunter2");
    this.ended("default");
    let replaced = this.planned(&["--account", ACME, "--on-conflict", "replace"]);
    assert_eq!(actions(&replaced), ["replace"]);
    assert_eq!(this.profile("default"), json!(["oauth", ACME]));
    let left = this.person.home.snapshot();
    let has_secret = |content: &Vec<u8>| String::from_utf8_lossy(content).contains("hunter2");
    assert!(!left.values().any(|(_, content)| has_secret(content)), "{:?}", left.keys());
}

#[test]
fn a_session_that_belongs_to_nobody_does_not_become_the_profiles() {
    let this = Wranglers::new();
    this.person.home.write_private(
        "credentials/default/native.json",
        r#"{"type":"oauth","access":"at-hunter2","refresh":"rt-hunter2","expires":4102444800000,"scopes":[],"clientId":"e7e25ec474419def6ba38d2d2638b122"}"#,
    );
    this.ended("default");
    this.planned(&["--account", ACME, "--store", "file"]);
    assert_eq!(this.profile("default"), json!(["oauth", ACME]));
    let token = this.person.home.run(&["token", "default"]);
    token.expect_error(1, "the credential of profile 'default' is missing");
}

#[test]
fn in_a_keyring_a_profile_that_is_replaced_goes_and_another_homes_is_not_taken_for_it() {
    let Some(keyring) = Keyring::start() else { return };
    let mut this = Wranglers::new();
    this.ended("default");
    this.person.online.set(BUS, keyring.address());
    this.person.online.unset("ALCHEMY_STORE");
    let configure = ["configure", "-p", "default", "--token-stdin", "--no-verify", "--account", ACME];
    this.person.run(&configure, "tok-hunter2").expect_code(0);
    assert!(keyring.lookup("default").is_some());

    // Another folder of profiles, whose items have other names.
    let other = this.person.home.path().join("other");
    let there = |arguments: &[&str]| {
        let mut command = this.person.command(arguments);
        shows_no_secret(run(command.env("ALCHEMY_HOME", &other)))
    };
    there(&["import", "wrangler", "--account", BETA, "--yes"]).expect_code(0);
    let listed = there(&["list"]).expect_code(0).stdout;
    assert!(listed.contains("keyring") && listed.contains("signed out"), "{listed}");
    there(&["token", "default"]).expect_error(1, "is missing from the keyring store");

    assert_eq!(actions(&this.planned(&["--account", BETA, "--on-conflict", "replace"])), ["replace"]);
    assert_eq!(keyring.lookup("default"), None, "the token is gone");
    let listed = this.person.run(&["list"], "").expect_code(0).stdout;
    assert!(listed.contains("keyring") && listed.contains("signed out"), "{listed}");
}

#[test]
fn without_wrangler_there_is_nothing_to_import_and_a_person_can_say_no() {
    let this = Wranglers::new();
    this.import(&[]).expect_only_error(1, "nothing of wrangler is found").expect_hint("wrangler login");
    this.ended("default");
    this.import(&["--account", ACME]).expect_code(2).expect_hint("give it by --yes");
    let mut terminal = Terminal::start(this.person.command(&["import", "wrangler", "--account", ACME]));
    terminal.expect("import these?");
    terminal.line("n");
    terminal.expect("cancelled; nothing was changed");
    assert_eq!(terminal.finish().0, 1);
    assert!(!this.person.home.alchemy("config.json").exists());
    // The folder of old goes before the usual one, as it does for wrangler.
    fs::create_dir(this.person.home.path().join(".wrangler")).expect("made");
    this.import(&["--account", ACME]).expect_error(1, ".wrangler/config");
}
