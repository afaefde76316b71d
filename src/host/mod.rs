//! What the process was given, read once: environment, clock, terminal. All else gets it from here, as values.

mod passphrase;
pub(crate) mod paste;

use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::cloudflare::{Client, Credential};
use crate::disk::home::Home;
use crate::disk::owner;
use crate::environment::{self, API_BASE_URL};
use crate::error::{Error, Kind, Result};
use crate::http::{Endpoint, Network, ProxyVariables};
use crate::keyring::session_bus::SessionBus;
use crate::keyring::{Params, Unlock};
use crate::launch;
use crate::secret::Secret;
use crate::store::Store;
use crate::store::access::{Access, Person};
use crate::store::settings::{KEEP, Settings};
use crate::terminal::{Level, Messages};
use passphrase::Given;

/// Stands for the data folder where there is none: nothing is there, and nobody can make it.
const NOWHERE: &str = "/proc/alchemy/no-home";

/// What the command line says of how to talk to the person.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manner {
    /// Nothing but errors is said.
    pub is_quiet: bool,
    /// What is being done is said, too.
    pub is_verbose: bool,
    /// Messages have color; `None` where the terminal and `NO_COLOR` decide.
    pub has_color: Option<bool>,
}

/// What the process was given.
pub(crate) struct Host {
    /// The environment, as it is: names and values need not be text.
    pub variables: Vec<(OsString, OsString)>,
    /// Where everything is kept.
    pub home: Home,
    /// How to talk to the person.
    pub messages: Messages,
    /// The working directory, by its real path; a command is looked for from there when it is given as a
    /// path.
    pub directory: PathBuf,
    /// The name by which this program was called.
    pub program: OsString,
    /// The time at which the process started.
    pub started: Timestamp,
    /// The user's id.
    pub uid: u32,
    user_home: PathBuf,
    is_homeless: bool,
    passphrase: Given,
}

impl Host {
    /// Reads everything. With an error comes the way to report it.
    pub(crate) fn read(manner: Manner, program: OsString) -> std::result::Result<Self, (Error, Messages)> {
        let variables: Vec<_> = std::env::vars_os().collect();
        // SAFETY: this is done once, before this process opens a file that it keeps.
        let passphrase = unsafe { Given::taken(&variables) };
        let has = |name: &str| value(&variables, name).is_some();
        let level = match (manner.is_quiet || has("ALCHEMY_QUIET"), manner.is_verbose) {
            (_, true) => Level::Verbose,
            (true, false) => Level::Quiet,
            (false, false) => Level::Normal,
        };
        let by_terminal = || !has("NO_COLOR") && std::io::stderr().is_terminal();
        let messages = Messages::new(level, manner.has_color.unwrap_or_else(by_terminal));
        let alchemy_home = value(&variables, "ALCHEMY_HOME").map(PathBuf::from);
        let user_home = std::env::home_dir().filter(|home| home.is_absolute());
        let is_homeless = user_home.is_none() && alchemy_home.is_none();
        if alchemy_home.as_ref().is_some_and(|home| home.is_relative()) {
            let error = Error::new("ALCHEMY_HOME is not an absolute path");
            return Err((error.hint("a relative one would be another folder in every directory"), messages));
        }
        let runtime = value(&variables, "XDG_RUNTIME_DIR").map(PathBuf::from);
        let user_home = user_home.unwrap_or_default();
        let root = alchemy_home.or(is_homeless.then(|| NOWHERE.into()));
        let home = Home::new(root, &user_home, runtime).tightening(messages);
        owner::act_as_owner_of(home.root());
        // It may be gone; then relative paths fail by themselves.
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let (started, uid) = (Timestamp::now(), nix::unistd::getuid().as_raw());
        Ok(Self {
            variables,
            home,
            messages,
            directory,
            program,
            started,
            uid,
            user_home,
            is_homeless,
            passphrase,
        })
    }

    /// A variable's value; an empty one is an unset one.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        value(&self.variables, name)
    }

    /// A variable's value as text; one that is none is like an unset one, and named.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = self.variable(name)?;
        let text = value.to_str();
        if text.is_none() {
            self.messages.say(&format!("{name} is ignored: it is not UTF-8"));
        }
        text
    }

    /// Opens the store. `may_ask`: the keyring may show its dialog, and a passphrase be asked for, as a person
    /// waits at a terminal.
    pub(crate) fn store(&self, may_ask: bool) -> Result<Store<'_>> {
        let unlock = if may_ask && self.may_ask() { Unlock::Dialog } else { Unlock::Never };
        let may_ask = may_ask && !self.in_direnv();
        let keyring = Params { bus: self.session_bus(), unlock };
        Store::open(&self.home, Access { keyring, may_ask, person: self }, &self.messages)
    }

    /// What is said of the session bus, where the keyring is.
    pub(crate) fn session_bus(&self) -> SessionBus {
        SessionBus {
            address: self.variable("DBUS_SESSION_BUS_ADDRESS").map(OsStr::to_owned),
            runtime_dir: self.variable("XDG_RUNTIME_DIR").map(PathBuf::from),
            uid: self.uid,
        }
    }

    /// Whether a person waits at a terminal, and may be asked what was not asked for.
    pub(crate) fn may_ask(&self) -> bool {
        !self.in_direnv() && crate::terminal::stderr_is_terminal()
    }

    /// Whether direnv is evaluating an `.envrc`: nobody is asked anything then.
    pub(crate) fn in_direnv(&self) -> bool {
        self.variable("DIRENV_IN_ENVRC").is_some()
    }

    /// Refuses to go on where there is nowhere to keep profiles.
    ///
    /// Fails when neither `HOME` and the user's entry nor `ALCHEMY_HOME` name a folder.
    pub(crate) fn needs_home(&self) -> Result<()> {
        if self.is_homeless {
            let error = Error::new("HOME is no absolute path, so there is nowhere to keep profiles");
            return Err(error.hint("set HOME, or ALCHEMY_HOME to an absolute path"));
        }
        Ok(())
    }

    /// `PATH` as the system has it: an empty one is one, too.
    pub(crate) fn search_path(&self) -> Option<&OsStr> {
        self.variables.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_os_str())
    }

    /// The path by which this program was called: not that of its file, which a package manager replaces.
    pub(crate) fn binary(&self) -> Result<PathBuf> {
        let called = self.program.as_os_str();
        launch::find(called, self.search_path(), &self.directory)
            .ok()
            .filter(|path| path.is_absolute())
            .map_or_else(
                || std::env::current_exe().map_err(|e| Error::io("find", Path::new("alchemy"), &e)),
                Ok,
            )
    }

    /// The person's home directory; empty where there is none.
    pub(crate) fn user_home(&self) -> &Path {
        &self.user_home
    }

    /// A path as people write it: from `~` on, where it is below the user's home.
    pub(crate) fn shown(&self, path: &Path) -> String {
        // Where the home is given by a link (`/home` is one on some systems), real paths have another start.
        let below = path.strip_prefix(&self.user_home).map(Path::to_owned).ok().or_else(|| {
            let real = self.user_home.canonicalize().ok()?;
            path.strip_prefix(real).map(Path::to_owned).ok()
        });
        match below {
            Some(below) if self.user_home.parent().is_some() => {
                let parts = Path::new("~").components().chain(below.components());
                parts.collect::<PathBuf>().display().to_string()
            }
            _ => path.components().collect::<PathBuf>().display().to_string(),
        }
    }

    /// The API for a new credential: what `CLOUDFLARE_API_BASE_URL` says, else Cloudflare's.
    pub(crate) fn new_endpoint(&self) -> Result<Endpoint> {
        match self.text(API_BASE_URL) {
            Some(url) => Endpoint::parse(url).map_err(|error| {
                let message = format!("{API_BASE_URL}: {error}");
                error.retold(Kind::Failed, message)
            }),
            None => Ok(Endpoint::cloudflare()),
        }
    }

    /// A client for our own requests.
    pub(crate) fn client<'a>(
        &'a self,
        endpoint: &Endpoint,
        credential: &Credential,
        notice: &'a dyn Fn(&str),
    ) -> Result<Client<'a>> {
        self.messages.verbose(&format!("asking {endpoint}"));
        Client::new(endpoint, credential, &self.network(), notice)
    }
}

impl Host {
    /// The time, now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// What every request has in common: which certificates are trusted, and by which proxy it goes.
    pub(crate) fn network(&self) -> Network {
        Network {
            ca_file: self.variable("SSL_CERT_FILE").map(PathBuf::from),
            ca_dir: self.variable("SSL_CERT_DIR").map(OsStr::to_owned),
            extra_ca: self.variable("NODE_EXTRA_CA_CERTS").map(PathBuf::from),
            proxy: ProxyVariables::read(|name| self.variable(name)),
        }
    }

    /// Asks the person for a yes or a no; `flag` answers in advance.
    ///
    /// Fails when nobody is there to be asked.
    pub(crate) fn confirm(&self, question: &str, flag: &str) -> Result<bool> {
        crate::terminal::ask_yes(question, flag)
    }
}

impl Person for Host {
    fn given_passphrase(&self, may_ask: bool) -> Result<Option<(Secret, &'static str)>> {
        self.passphrase.get(self, may_ask)
    }

    fn ask(&self, question: &str, flag: &str) -> Result<Secret> {
        crate::terminal::ask_secret(question, flag)
    }

    fn keep(&self) -> Result<Duration> {
        let keep = match self.text(KEEP) {
            Some(text) => crate::terminal::time(text).map_err(|error| {
                Error::usage(format!("{KEEP} is '{text}': {error}")).hint("0 is for not at all")
            })?,
            None => Settings::load(&self.home)?.keep,
        };
        Ok(keep.unsigned_abs())
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let mut changes = environment::removal(&[]);
        changes.unset.extend(passphrase::VARIABLES.map(str::to_owned));
        environment::apply(self.variables.clone(), &changes)
    }
}

fn value<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    variables
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_os_str())
        .filter(|v| !v.is_empty())
}
