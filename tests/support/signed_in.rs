//! A home with profiles that are signed in, and the authorization server that they are signed in at. No
//! message ever shows a secret.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, pipe};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::authorization::{Authorization, Gate, Pair};
use super::keyring::{BUS, Keyring};
use super::online::SECRET;
use super::{ACME, ALCHEMY, Home, Output, age, finished, run, run_with_input};

/// The variable by which a grant of a built-in client goes to the double.
pub const TOKEN_URL: &str = "ALCHEMY_OAUTH_TOKEN_URL";
/// A client of the user's own.
pub const OWN: &str = "a-client-of-our-own";
/// The client of the npm package's version 1, with which it shares its grants.
pub const V1: &str = "6d8c2255-0773-45f6-b376-2914632e6f91";
/// The client of the npm package's version 2, with which it shares its grants in documents of its own.
pub const V2: &str = "e7e25ec474419def6ba38d2d2638b122";
/// What the grants are for.
pub const SCOPES: [&str; 2] = ["account:read", "workers:write"];

/// A home, the server, and what is set for all commands.
pub struct SignedIn {
    pub home: Home,
    pub server: Authorization,
    variables: BTreeMap<String, String>,
}

impl SignedIn {
    pub fn new() -> Self {
        Self { home: Home::new(), server: Authorization::start(), variables: BTreeMap::new() }
    }

    /// With the profile `prod` of a client of the user's own, in the file store; its access token has this
    /// many seconds left.
    pub fn prod(left: i64) -> Self {
        Self::prod_of(OWN, left)
    }

    /// The same of any client; npm's version 2 keeps its grants in its own store.
    pub fn prod_of(client: &str, left: i64) -> Self {
        let mut this = Self::new();
        this.profile("prod", client, left);
        if client == V2 {
            this.set(TOKEN_URL, this.server.token_url());
        }
        this
    }

    /// Makes a profile of a grant of a client.
    pub fn profile(&self, name: &str, client: &str, left: i64) -> Pair {
        let pair = self.server.issue(client, &SCOPES);
        if client != V2 {
            self.describe(name, client, json!({}));
        }
        self.keep(name, client, &pair, in_seconds(left));
        pair
    }

    /// Makes the profile `prod` in a keyring, for all commands from now on.
    pub fn keyring_profile(&mut self, keyring: &Keyring, left: i64) -> Pair {
        self.set(BUS, keyring.address());
        let pair = self.server.issue(OWN, &SCOPES);
        self.describe("prod", OWN, json!({ "credentialStore": "keyring" }));
        keyring.store("prod", &document(OWN, &pair, &in_seconds(left).into()).to_string());
        pair
    }

    /// Makes the profile `prod` in the encrypted store, by the real `age`; its pair, and the file of the identity.
    pub fn encrypted_profile(&self, left: i64) -> Option<(Pair, PathBuf)> {
        let identity = age::identity(&self.home)?;
        let pair = self.server.issue(OWN, &SCOPES);
        let text = fs::read_to_string(&identity).expect("read");
        let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("one");
        let to = json!({ "identity": identity, "recipients": [recipient] });
        self.describe("prod", OWN, json!({ "credentialStore": "encrypted", "encryptedTo": to }));
        let document = document(OWN, &pair, &in_seconds(left).into()).to_string();
        age::encrypt(&self.home, &identity, &document, &self.home.alchemy("encrypted/prod.age"));
        Some((pair, identity))
    }

    /// Makes the profile `prod` in the store of these commands, of which the one that writes keeps the grant.
    pub fn command_profile(&self, commands: &Value, left: i64) -> Pair {
        let pair = self.server.issue(OWN, &SCOPES);
        self.describe("prod", OWN, json!({ "credentialStore": "command", "commands": commands }));
        let write = commands["write"].as_str().expect("a command").replace("{profile}", "prod");
        let document = document(OWN, &pair, &in_seconds(left).into()).to_string();
        let mut sh = self.home.command("sh");
        run_with_input(sh.args(["-c", &write]).envs(&self.variables), &document).expect_code(0);
        pair
    }

    /// Writes down what is known of a profile, apart from its grant.
    fn describe(&self, name: &str, client: &str, store: Value) {
        let path = self.home.alchemy("config.json");
        let config = fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut config: Value = config.unwrap_or_else(|| json!({ "version": 1, "profiles": {} }));
        let mut entry = json!({
            "method": "oauth", "metadata": { "id": ACME, "name": "Acme" }, "scopes": SCOPES,
            "oauth": { "tokenUrl": self.server.token_url(), "revokeUrl": self.server.revoke_url() },
        });
        if client != V1 {
            entry["oauth"]["clientId"] = client.into();
        }
        if let (Some(entry), Value::Object(store)) = (entry.as_object_mut(), store) {
            entry.extend(store);
        }
        config["profiles"][name] = json!({ "cloudflare": entry });
        self.home.write("config.json", &config.to_string());
    }

    /// Puts a grant into its file, as somebody does who has just signed in. `expires` as it stands there.
    pub fn keep(&self, name: &str, client: &str, pair: &Pair, expires: impl Into<Value>) {
        let path = file(name, client);
        self.home.write_private(&path, &document(client, pair, &expires.into()).to_string());
    }

    /// The document of a profile.
    pub fn kept(&self, name: &str, client: &str) -> Value {
        serde_json::from_str(&self.home.read(&file(name, client))).expect("the document parses")
    }

    /// The tokens of the profile `prod` in the file store.
    pub fn pair(&self) -> Pair {
        pair_of(&self.kept("prod", OWN))
    }

    /// Sets a variable for all commands from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// `alchemy` with arguments.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.alchemy_command(arguments);
        command.envs(&self.variables);
        command
    }

    /// The same, struck as [`Home::struck`] says.
    pub fn struck(&self, injection: &str, arguments: &[&str]) -> Command {
        let mut command = self.home.struck(injection, arguments);
        command.envs(&self.variables);
        command
    }

    /// The same as a job in the session of the tests, where a signal can stop it.
    pub fn job(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.job(ALCHEMY);
        command.args(arguments).envs(&self.variables);
        command
    }

    /// Runs `alchemy` to its end.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = no_secret_said(run(&mut self.command(arguments)));
        // That a grant goes to the double by a variable is always said.
        let aside = format!("alchemy: the token endpoint is {} by {TOKEN_URL}\n", self.server.token_url());
        Output { stderr: output.stderr.replacen(&aside, "", 1), ..output }
    }

    /// Starts a command many times at once. The first to ask the server waits at the gate until all others
    /// say that they wait for it; then the gate opens. How each ended, and the other lines that were said.
    #[track_caller]
    pub fn crowd(&self, count: usize, arguments: &[&str], gate: Gate) -> (Vec<Output>, Vec<String>) {
        let (said, stderr) = pipe().expect("a pipe");
        let start = |_| {
            let mut command = self.command(arguments);
            command.stdout(Stdio::piped()).stderr(stderr.try_clone().expect("another descriptor"));
            command.spawn().expect("started")
        };
        let children: Vec<_> = (0..count).map(start).collect();
        drop(stderr);
        gate.arrival();
        let mut lines = BufReader::new(said).lines().map(|line| line.expect("text"));
        let is_wait = |line: &String| line.starts_with("alchemy: waiting for another alchemy to finish");
        let mut others: Vec<String> = Vec::new();
        let mut waiting = 0;
        while waiting < count - 1 {
            let line = lines.next().expect("all wait");
            if is_wait(&line) { waiting += 1 } else { others.push(line) }
        }
        drop(gate);
        others.extend(lines);
        assert!(!others.concat().contains(SECRET), "a secret is shown: {others:?}");
        let end = |child: Child| finished(child.wait_with_output().expect("finished"));
        (children.into_iter().map(end).collect(), others)
    }

    /// The token that a profile's commands get, without a word to the person.
    #[track_caller]
    pub fn token(&self, name: &str) -> String {
        let output = self.run(&["token", name]).expect_code(0);
        assert_eq!(output.stderr, "");
        output.stdout.trim_end().to_owned()
    }
}

/// Where a grant of a client is kept.
pub fn file(name: &str, client: &str) -> String {
    match client {
        V1 => format!("credentials/{name}/cloudflare.json"),
        V2 => format!("profiles/{name}/cloudflare.json"),
        _ => format!("credentials/{name}/native.json"),
    }
}

fn document(client: &str, pair: &Pair, expires: &Value) -> Value {
    if client == V2 {
        return json!({
            "format": "alchemy.profile/v1", "provider": "Cloudflare", "metadata": { "kept": true },
            "values": {
                "method": "oauth", "scopes": SCOPES, "accountId": ACME, "clientId": V2,
                "access": pair.access, "refresh": pair.refresh, "expires": expires,
            },
        });
    }
    let mut document = json!({
        "type": "oauth", "access": pair.access, "refresh": pair.refresh, "expires": expires,
        "scopes": SCOPES,
    });
    if client != V1 {
        document["clientId"] = client.into();
    }
    document
}

/// The tokens in a document.
pub fn pair_of(document: &Value) -> Pair {
    let document = document.get("values").unwrap_or(document);
    let token = |name: &str| document[name].as_str().expect("a token").to_owned();
    Pair { access: token("access"), refresh: token("refresh") }
}

/// So many seconds from now, in milliseconds of Unix time.
pub fn in_seconds(seconds: i64) -> i64 {
    jiff::Timestamp::now().as_millisecond() + seconds * 1000
}

/// Fails the test when something for the person holds a secret.
#[track_caller]
pub fn no_secret_said(output: Output) -> Output {
    assert!(!output.stderr.contains(SECRET), "a secret is shown:\n{}", output.stderr);
    output
}
