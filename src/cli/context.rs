//! What the process was given, read once: environment, clock, terminal.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::PathBuf;

use jiff::Timestamp;

use super::{Colour, Consent, Global};
use crate::cloudflare::{Client, Credential};
use crate::environment::{API_BASE_URL, PROFILE};
use crate::error::{Error, Kind, Result};
use crate::http::{Endpoint, Network};
use crate::profile::selection::{Selection, select};
use crate::session::{Edge, Gate};
use crate::store::Store;
use crate::store::home::Home;
use crate::store::keyring::{Params, Unlock};
use crate::store::session_bus::SessionBus;
use crate::terminal::{Level, Messages};

/// What the process was given.
pub struct Context {
    /// The environment, as it is: names and values need not be text.
    pub variables: Vec<(OsString, OsString)>,
    /// Where everything is kept.
    pub home: Home,
    /// How to talk to the person.
    pub messages: Messages,
    /// The working directory; a command is looked for from there when it is given as a path.
    pub directory: PathBuf,
    /// The time at which the process started.
    pub now: Timestamp,
}

impl Context {
    /// Reads everything. With an error comes the way to report it.
    pub fn read(global: &Global) -> std::result::Result<Self, (Error, Messages)> {
        let variables: Vec<_> = std::env::vars_os().collect();
        let has = |name: &str| value(&variables, name).is_some();
        let level = match (global.quiet || has("ALCHEMY_QUIET"), global.verbose) {
            (true, 0) => Level::Quiet,
            (_, 0) => Level::Normal,
            _ => Level::Verbose,
        };
        let colour = match global.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => !has("NO_COLOR") && std::io::stderr().is_terminal(),
        };
        let messages = Messages::new(level, colour);
        let alchemy_home = value(&variables, "ALCHEMY_HOME").map(PathBuf::from);
        let user_home = std::env::home_dir().filter(|home| home.is_absolute());
        if user_home.is_none() && alchemy_home.is_none() {
            let error = Error::new("HOME is no absolute path, so there is nowhere to keep profiles");
            return Err((error.hint("set HOME, or ALCHEMY_HOME to an absolute path"), messages));
        }
        if alchemy_home.as_ref().is_some_and(|home| home.is_relative()) {
            let error = Error::new("ALCHEMY_HOME is not an absolute path");
            return Err((error.hint("a relative one would be another folder in every directory"), messages));
        }
        let runtime = value(&variables, "XDG_RUNTIME_DIR").map(PathBuf::from);
        let home = Home::new(alchemy_home, &user_home.unwrap_or_default(), runtime);
        // It may be gone; then relative paths fail by themselves.
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        Ok(Self { variables, home, messages, directory, now: Timestamp::now() })
    }

    /// A variable's value; an empty one is an unset one.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        value(&self.variables, name)
    }

    /// A variable's value as text; one that is none is like an unset one, and named.
    pub fn text(&self, name: &str) -> Option<&str> {
        let value = self.variable(name)?;
        let text = value.to_str();
        if text.is_none() {
            self.messages.say(&format!("{name} is ignored: it is not UTF-8"));
        }
        text
    }

    /// Opens the store. `may_ask`: the keyring may show its dialog, as a person waits at a terminal.
    pub fn store(&self, may_ask: bool) -> Result<Store<'_>> {
        let interactive = may_ask && !self.in_direnv() && crate::terminal::stderr_is_terminal();
        let unlock = if interactive { Unlock::Dialog } else { Unlock::Never };
        let bus = SessionBus {
            address: self.variable("DBUS_SESSION_BUS_ADDRESS").map(OsStr::to_owned),
            runtime_dir: self.variable("XDG_RUNTIME_DIR").map(PathBuf::from),
            uid: nix::unistd::getuid().as_raw(),
        };
        Store::open(&self.home, Params { bus, unlock }, &self.messages)
    }

    /// Whether direnv is evaluating an `.envrc`: nobody is asked anything then.
    fn in_direnv(&self) -> bool {
        self.variable("DIRENV_IN_ENVRC").is_some()
    }

    /// The gate for a secret that leaves.
    pub fn gate(&self, consent: Consent) -> Gate {
        if self.in_direnv() { Gate::Closed } else { Gate::Asks { yes: consent.yes } }
    }

    /// Which profile applies.
    pub fn select(&self, argument: Option<&str>) -> Result<Selection> {
        // What is not UTF-8 cannot be a name, and is refused as one: ignoring it would run with another.
        let name = |variable: &str| self.variable(variable).map(OsStr::to_string_lossy);
        select(argument, name("CLOUDFLARE_PROFILE").as_deref(), name(PROFILE).as_deref())
    }

    /// The API for a new credential: what `CLOUDFLARE_API_BASE_URL` says, else Cloudflare's.
    pub fn new_endpoint(&self) -> Result<Endpoint> {
        match self.text(API_BASE_URL) {
            Some(url) => Endpoint::parse(url).map_err(|error| {
                let message = format!("{API_BASE_URL}: {error}");
                error.retold(Kind::Failed, message)
            }),
            None => Ok(Endpoint::cloudflare()),
        }
    }

    /// A client for our own requests.
    pub fn client<'a>(
        &'a self,
        endpoint: &Endpoint,
        credential: &Credential,
        notice: &'a dyn Fn(&str),
    ) -> Result<Client<'a>> {
        self.messages.verbose(&format!("asking {endpoint}"));
        Client::new(endpoint, credential, &self.network(), notice)
    }
}

impl Edge for Context {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn network(&self) -> Network {
        Network {
            ca_file: self.variable("SSL_CERT_FILE").map(PathBuf::from),
            ca_dir: self.variable("SSL_CERT_DIR").map(OsStr::to_owned),
            extra_ca: self.variable("NODE_EXTRA_CA_CERTS").map(PathBuf::from),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        Self::text(self, name)
    }

    fn messages(&self) -> &Messages {
        &self.messages
    }

    fn confirm(&self, question: &str, flag: &str) -> Result<bool> {
        crate::terminal::ask_yes(question, flag)
    }
}

fn value<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    variables
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_os_str())
        .filter(|v| !v.is_empty())
}
