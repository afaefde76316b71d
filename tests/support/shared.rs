//! A home that we share with the real npm package, and the server that has issued its grants.
//!
//! A grant of version 1 is in `credentials/<profile>/cloudflare.json`, one of version 2 in
//! `profiles/<profile>/cloudflare.json`; each is refreshed under the lock of its version.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::authorization::{Authorization, Gate, Moment, Pair};
use super::npm::{Npm, V1_CLIENT, V2_CLIENT};
use super::online::SECRET;
use super::{ACME, Home, Output, finished};

/// A life, in milliseconds, that is over.
pub const EXPIRED: i64 = -1000;
/// A life, in milliseconds, that lasts.
pub const HOUR: i64 = 3_600_000;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(50);

/// A version of the npm package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}
use Version::{V1, V2};

/// The home, shared with one version.
pub struct Shared {
    pub home: Home,
    pub server: Authorization,
    pub version: Version,
}

/// Runs a test for both versions at once.
pub fn for_both(test: impl Fn(&Shared) + Sync) {
    thread::scope(|scope| {
        for version in [V1, V2] {
            let test = &test;
            scope.spawn(move || Shared::new(version).iter().for_each(test));
        }
    });
}

impl Shared {
    /// `None` where that version is not installed, which is said.
    pub fn new(version: Version) -> Option<Self> {
        let this = Self { home: Home::new(), server: Authorization::start(), version };
        this.driver().is_some().then_some(this)
    }

    fn driver(&self) -> Option<Npm<'_>> {
        let npm = match self.version {
            V1 => Npm::v1(&self.home),
            V2 => Npm::v2(&self.home),
        };
        npm.map(|npm| npm.at(&self.server))
    }

    /// A process of npm's that runs a script.
    pub fn npm_command(&self, script: &str) -> Command {
        self.driver().expect("installed").command(script)
    }

    /// Runs a script of npm's to its end; what it returns.
    #[track_caller]
    pub fn npm(&self, script: &str) -> Value {
        self.driver().expect("installed").run(script)
    }

    /// Starts a script of npm's; [`super::npm::ended`] is its end.
    pub fn start_npm(&self, script: &str) -> Child {
        self.npm_command(script).spawn().expect("started")
    }

    /// A profile that npm has signed in to, whose access token lives for that many milliseconds more.
    pub fn signed_in(&self, profile: &str, life: i64) -> Pair {
        let scopes = ["account:read", "offline_access"];
        let pair = self.server.issue(self.client_id(), &scopes);
        let Pair { access, refresh } = &pair;
        let tokens = format!("access: '{access}', refresh: '{refresh}', expires: Date.now() + {life}");
        let scopes = json!(scopes);
        self.npm(&match self.version {
            V1 => format!(
                "await configure('{profile}', {{ type: 'oauth', {tokens}, scopes: {scopes} }},
                    {{ id: '{ACME}', name: 'Acme' }}, {scopes})"
            ),
            V2 => format!(
                "await configure('{profile}', {{ method: 'oauth', scopes: {scopes}, accountId: '{ACME}',
                    clientId: '{V2_CLIENT}', {tokens} }})"
            ),
        });
        pair
    }

    /// `alchemy` with arguments, asking the server.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.alchemy_command(arguments);
        command
            .env("ALCHEMY_OAUTH_TOKEN_URL", self.server.token_url())
            .env("ALCHEMY_OAUTH_REVOKE_URL", self.server.revoke_url())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts `alchemy token`; [`token_of`] is its end.
    pub fn start(&self, profile: &str) -> Child {
        self.command(&["token", profile]).spawn().expect("started")
    }

    /// The token that we give out for a profile.
    #[track_caller]
    pub fn token(&self, profile: &str) -> String {
        token_of(self.start(profile))
    }

    /// The client id of npm's grants.
    pub fn client_id(&self) -> &'static str {
        match self.version {
            V1 => V1_CLIENT,
            V2 => V2_CLIENT,
        }
    }

    /// Where the document of a profile is.
    pub fn path(&self, profile: &str) -> String {
        match self.version {
            V1 => format!("credentials/{profile}/cloudflare.json"),
            V2 => format!("profiles/{profile}/cloudflare.json"),
        }
    }

    /// The document of a profile.
    pub fn document(&self, profile: &str) -> Value {
        self.json(&self.path(profile))
    }

    /// The names in the folder of a profile's document.
    pub fn names(&self, profile: &str) -> Vec<String> {
        let path = self.home.alchemy(&self.path(profile));
        let entries = fs::read_dir(path.parent().expect("a folder")).expect("listed");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names.map(|name| name.into_string().expect("text")).collect()
    }

    /// What in a document holds the tokens.
    pub fn tokens<'d>(&self, document: &'d mut Value) -> &'d mut Value {
        match self.version {
            V1 => document,
            V2 => &mut document["values"],
        }
    }

    pub fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.home.read(path)).expect("JSON")
    }

    /// The lock under which a grant is refreshed.
    pub fn lock(&self, profile: &str) -> String {
        match self.version {
            V1 => format!("lock/cloudflare-{profile}"),
            V2 => format!("lock/profile-credentials-{profile}.lock"),
        }
    }

    /// The locks of npm's that there are.
    pub fn locks(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.alchemy("lock")).expect("listed");
        let folders = entries.map(|entry| entry.expect("an entry")).filter(|entry| entry.path().is_dir());
        let names = folders.map(|entry| entry.file_name().into_string().expect("text"));
        names.filter(|name| name != "native").collect()
    }

    /// How many requests for tokens came from us, and how many from npm.
    pub fn refreshes(&self) -> (usize, usize) {
        let requests = self.server.requests();
        let refreshes = requests.iter().filter(|asked| asked.endpoint == "token");
        let (ours, npms): (Vec<_>, Vec<_>) = refreshes.partition(|asked| is_ours(&asked.agent));
        (ours.len(), npms.len())
    }

    /// Holds requests for tokens back before they have an effect, until that is dropped.
    pub fn gate(&self) -> Gate {
        self.server.gate(Moment::Received)
    }
}

/// Whether a request is one of ours, by its `user-agent`.
pub fn is_ours(agent: &str) -> bool {
    agent == format!("alchemy/{}", super::VERSION)
}

/// The end of [`Shared::start`].
#[track_caller]
pub fn token_of(child: Child) -> String {
    let Output { stdout, stderr, .. } = finished(child.wait_with_output().expect("finished")).expect_code(0);
    assert!(!stderr.contains(SECRET), "a secret is shown: {stderr}");
    stdout.trim_end().to_owned()
}

/// Waits for something to become true.
#[track_caller]
pub fn until(what: &str, mut is_true: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < LONG, "{what}");
        sleep(Duration::from_millis(5));
    }
}
