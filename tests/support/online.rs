//! A home whose commands ask a double of the API, and no secret of theirs is ever shown.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use super::cloudflare::{Cloudflare, Credential};
use super::{ACME, BETA, Home, Output, run_with_input};

/// Part of every secret, and of nothing else: where it appears, a secret has leaked.
pub const SECRET: &str = "hunter2";
/// A token.
pub const TOKEN: &str = "tok-hunter2";
/// A Global API Key, of [`EMAIL`].
pub const KEY: &str = "key-hunter2";
/// The owner of [`KEY`].
pub const EMAIL: &str = "me@example.com";

/// A home and the API that its commands ask. Credentials are kept in the file store.
pub struct Online {
    pub home: Home,
    pub cf: Cloudflare,
    variables: BTreeMap<String, String>,
}

impl Online {
    /// An API with the accounts [`ACME`], named Acme, and [`BETA`], named Beta.
    pub fn new() -> Self {
        let this = Self::without_accounts();
        this.cf.account(ACME, "Acme");
        this.cf.account(BETA, "Beta");
        this
    }

    /// An API without accounts.
    pub fn without_accounts() -> Self {
        let cf = Cloudflare::start();
        let variables = [("CLOUDFLARE_API_BASE_URL", cf.base_url()), ("ALCHEMY_STORE", "file".to_owned())];
        let variables = variables.map(|(name, value)| (name.to_owned(), value)).into();
        Self { home: Home::new(), cf, variables }
    }

    /// Sets a variable for all commands from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Removes a variable for all commands from now on.
    pub fn unset(&mut self, name: &str) {
        self.variables.remove(name);
    }

    /// `alchemy` with arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.alchemy_command(arguments);
        command.envs(&self.variables);
        command
    }

    /// Runs `alchemy` to its end, with text on its standard input; it shows no secret.
    #[track_caller]
    pub fn run(&self, arguments: &[&str], input: &str) -> Output {
        shows_no_secret(run_with_input(&mut self.command(arguments), input))
    }

    /// `alchemy` succeeds at a command that shows nothing but one line for the person.
    #[track_caller]
    pub fn done(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input).expect_code(0);
        assert_eq!((output.stdout.as_str(), output.stderr.lines().count()), ("", 1), "{}", output.stderr);
        output.stderr
    }

    /// `alchemy` fails: it says nothing but one line with these words and a hint, changes nothing, and
    /// shows no secret, also where it says what it does (`-v`).
    #[track_caller]
    pub fn refuses(&self, arguments: &[&str], input: &str, code: i32, words: &str) -> Output {
        let before = self.home.snapshot();
        self.run(&[&["-v"], arguments].concat(), input).expect_error(code, words);
        let output = self.run(arguments, input);
        // That an existing credential goes to the double is always said.
        let aside = format!("alchemy: the API is {} by CLOUDFLARE_API_BASE_URL\n", self.cf.base_url());
        let stderr = output.stderr.replacen(&aside, "", 1);
        let output = Output { stderr, ..output }.expect_only_error(code, words);
        assert!(self.home.snapshot() == before, "nothing is changed");
        output
    }

    /// Makes a profile that was verified, of a user's token, for [`ACME`]. Its id.
    pub fn token_profile(&self, name: &str) -> String {
        let id = self.cf.add(Credential::user_token(TOKEN));
        self.done(&["configure", "-p", name, "--token-stdin", "--account", ACME], TOKEN);
        id
    }

    /// Makes a profile that was verified, of a Global API Key, for [`ACME`].
    pub fn key_profile(&self, name: &str) {
        self.cf.add(Credential::global_key(KEY, EMAIL));
        self.done(&["configure", "-p", name, "--key-stdin", "--email", EMAIL, "--account", ACME], KEY);
    }

    /// Makes a profile that npm alchemy 1 signed in to: an access token that lives until then, in
    /// milliseconds of Unix time.
    pub fn oauth_profile(&self, name: &str, expires: i64) {
        let config = serde_json::json!({
            "version": 1,
            "profiles": { name: { "cloudflare": {
                "method": "oauth", "metadata": { "id": ACME, "name": "Acme" }, "scopes": ["account:read"],
            } } },
        });
        let document = serde_json::json!({
            "type": "oauth", "access": TOKEN, "refresh": format!("refresh-{SECRET}"),
            "expires": expires, "scopes": ["account:read"],
        });
        self.home.write("config.json", &config.to_string());
        self.home.write_private(&format!("credentials/{name}/cloudflare.json"), &document.to_string());
    }

    /// What `config.json` says of the profile.
    pub fn entry(&self, profile: &str) -> Value {
        let mut config: Value = serde_json::from_str(&self.home.read("config.json")).expect("JSON");
        config["profiles"][profile]["cloudflare"].take()
    }

    /// The paths below `/client/v4` that were asked for since the double was started, without queries.
    pub fn asked(&self) -> Vec<String> {
        let path = |path: &str| {
            let path = path.strip_prefix("/client/v4").unwrap_or(path);
            path.split('?').next().unwrap_or_default().to_owned()
        };
        self.cf.requests().iter().map(|request| path(&request.path)).collect()
    }
}

/// Fails the test when a secret is in the output.
#[track_caller]
pub fn shows_no_secret(output: Output) -> Output {
    for shown in [&output.stdout, &output.stderr] {
        assert!(!shown.contains(SECRET), "a secret is shown:\n{shown}");
    }
    output
}

/// A whole second about an hour from now: in milliseconds of Unix time, and as it is printed.
pub fn in_an_hour() -> (i64, String) {
    let seconds = jiff::Timestamp::now().as_second() + 3600;
    let printed = jiff::Timestamp::from_second(seconds).expect("a time").to_string();
    (seconds * 1000, printed)
}
