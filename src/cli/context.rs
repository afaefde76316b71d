//! What the process was given, read once: environment, clock, terminal. And the first steps of the one
//! way, which every command that needs a credential takes: selection, profile, session.

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::login::offer;
use super::{Colour, Global, MinTtl};
use crate::cloudflare::{Client, Credential};
use crate::environment::{ACCOUNT_ID, API_BASE_URL, API_KEY, API_TOKEN, BASE_URL, EMAIL, PROFILE};
use crate::error::{Error, Kind, Result};
use crate::http::{Endpoint, Network};
use crate::profile::selection::{Reason, Selection, select};
use crate::profile::{Account, AccountId, Profile};
use crate::secret::Secret;
use crate::session::{Edge, MIN_TTL, Session, Source, endpoint};
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

/// The start of the way: which credential a command gets.
pub enum Chosen {
    /// A profile's.
    Profile(Box<Profile>, Selection),
    /// The environment's own, by the rule for CI (design §4).
    Environment(Box<Session>),
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
        let in_direnv = self.variable("DIRENV_IN_ENVRC").is_some();
        let interactive = may_ask && !in_direnv && crate::terminal::stderr_is_terminal();
        let unlock = if interactive { Unlock::Dialog } else { Unlock::Never };
        let bus = SessionBus {
            address: self.variable("DBUS_SESSION_BUS_ADDRESS").map(OsStr::to_owned),
            runtime_dir: self.variable("XDG_RUNTIME_DIR").map(PathBuf::from),
            uid: nix::unistd::getuid().as_raw(),
        };
        Store::open(&self.home, Params { bus, unlock }, &self.messages)
    }

    /// Which profile applies.
    pub fn select(&self, argument: Option<&str>) -> Result<Selection> {
        // What is not UTF-8 cannot be a name, and is refused as one: ignoring it would run with another.
        let name = |variable: &str| self.variable(variable).map(OsStr::to_string_lossy);
        select(argument, name("CLOUDFLARE_PROFILE").as_deref(), name(PROFILE).as_deref())
    }

    /// Which credential applies: the selected profile's, or, when it does not exist and the rule for CI
    /// allows it, the environment's.
    pub fn choose(&self, store: &Store, argument: Option<&str>) -> Result<Chosen> {
        let selection = self.select(argument)?;
        let unknown = match store.find(&selection) {
            Ok(profile) => return Ok(Chosen::Profile(Box::new(profile), selection)),
            Err(error) => error,
        };
        // Only a profile that does not exist: one that cannot be read is an error everywhere.
        let may_fall_back = match selection.reason {
            Reason::Default => true,
            Reason::CommandLine => self.is_ci() && !self.home.config().exists(),
            Reason::CloudflareProfile | Reason::AlchemyProfile => false,
        };
        if !may_fall_back || store.get(&selection.name)?.is_some() {
            return Err(unknown);
        }
        match self.environment_session()? {
            Some((session, variable)) => {
                self.messages.say(&format!(
                    "there is no profile '{}' ({}); using {variable} from the environment",
                    selection.name, selection.reason
                ));
                Ok(Chosen::Environment(Box::new(session)))
            }
            None => Err(unknown),
        }
    }

    /// The session for what was chosen, with the asked life in it when it is a grant's. Where the grant is
    /// over and a person is there, signing in again is offered.
    pub fn session(
        &self,
        store: &mut Store,
        chosen: &Chosen,
        account: Option<Account>,
        min_ttl: &MinTtl,
    ) -> Result<Session> {
        let min_ttl = self.min_ttl(min_ttl)?;
        self.session_living(store, chosen, account, min_ttl)
    }

    /// The same with `min_ttl` of life in it.
    pub fn session_living(
        &self,
        store: &mut Store,
        chosen: &Chosen,
        account: Option<Account>,
        min_ttl: SignedDuration,
    ) -> Result<Session> {
        match chosen {
            Chosen::Profile(profile, selection) => {
                self.messages.verbose(&format!(
                    "profile '{}' ({}), {}, account {}",
                    profile.name, selection.reason, profile.method, profile.account
                ));
                let endpoint = self.endpoint(profile);
                let session = |store: &Store, profile: &Profile, min_ttl| {
                    let (endpoint, account) = (endpoint.clone(), account.clone());
                    Source { store, profile, endpoint, account, min_ttl, edge: self }.session()
                };
                let session = match session(store, profile, min_ttl) {
                    Err(error) if offer(self, store, profile, &error)? => {
                        let profile = store.find(selection)?;
                        session(store, &profile, SignedDuration::ZERO)
                    }
                    session => session,
                }?;
                if session.expires.is_some_and(|expires| expires <= self.now) && !session.grant {
                    self.messages.say(&format!(
                        "the API token of profile '{}' expired, as far as is known; give it a new one: \
                         alchemy configure -p {}",
                        profile.name, profile.name
                    ));
                }
                Ok(session)
            }
            Chosen::Environment(session) => {
                let account = account.or_else(|| session.account.clone());
                Ok(Session { account, ..(**session).clone() })
            }
        }
    }

    fn min_ttl(&self, asked: &MinTtl) -> Result<SignedDuration> {
        match (asked.min_ttl, self.text("ALCHEMY_MIN_TTL")) {
            (Some(asked), _) => Ok(asked),
            (None, Some(text)) => super::time(text).map_err(|error| {
                Error::usage(format!("ALCHEMY_MIN_TTL is '{text}': {error}"))
                    .hint("give it as 90, 90s or 15m")
            }),
            (None, None) => Ok(MIN_TTL),
        }
    }

    /// The API for an existing profile's credential, with what a person should know said.
    fn endpoint(&self, profile: &Profile) -> Endpoint {
        let variables = [API_BASE_URL, BASE_URL].map(|name| (name, self.text(name)));
        let (endpoint, notes) = endpoint(profile.endpoint.as_ref(), &variables);
        for note in &notes {
            self.messages.say(note);
        }
        endpoint
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

    fn is_ci(&self) -> bool {
        self.text("CI")
            .is_some_and(|ci| !matches!(ci.to_ascii_lowercase().as_str(), "false" | "0" | "no" | "off"))
    }

    /// The credential that the environment holds, with the variable that it is from. A token goes
    /// before a key: it is the narrower one.
    fn environment_session(&self) -> Result<Option<(Session, &'static str)>> {
        let (credential, variable) = match (self.text(API_TOKEN), self.text(API_KEY), self.text(EMAIL)) {
            (Some(token), _, _) => (Credential::Token(Secret::from(token.to_owned())), API_TOKEN),
            (None, Some(key), Some(email)) => {
                let key = Secret::from(key.to_owned());
                (Credential::Key { key, email: email.to_owned() }, API_KEY)
            }
            _ => return Ok(None),
        };
        let account = match self.text(ACCOUNT_ID) {
            Some(id) => Some(account_by_id(id)?),
            None => None,
        };
        let endpoint = self.new_endpoint()?;
        Ok(Some((
            Session { profile: None, account, credential, grant: false, expires: None, endpoint },
            variable,
        )))
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
}

/// The account that an id names, for one run.
///
/// # Errors
/// When it is no id.
pub fn account_by_id(id: &str) -> Result<Account> {
    match AccountId::parse(id) {
        Some(id) => Ok(Account { id, name: String::new() }),
        None => Err(Error::usage(format!("'{id}' is not an account's id"))
            .hint("an id is 32 hexadecimal digits; 'alchemy whoami' shows those that the credential sees")),
    }
}

fn value<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    variables
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_os_str())
        .filter(|v| !v.is_empty())
}
