//! What the process was given, read once: environment, clock, terminal. All else gets it from here, as values.

mod passphrase;
pub mod paste;

use std::cell::{Cell, OnceCell};
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use crate::cloudflare::{Client, Credential};
use crate::directory::mark::{ActivatedBy, ActiveMark, ENVRC};
use crate::directory::{Ask, Choice, Here, How, pin};
use crate::environment::{self, ACTIVE, API_BASE_URL, PROFILE};
use crate::error::{Error, Kind, Result};
use crate::http::{Endpoint, Network, ProxyVariables};
use crate::profile::ProfileName;
use crate::profile::selection::{Named, Reason, Selection, select};
use crate::secret::Secret;
use crate::session::{Edge, Gate};
use crate::shell;
use crate::store::Store;
use crate::store::access::{Access, Person};
use crate::store::home::Home;
use crate::store::keyring::{Params, Unlock};
use crate::store::session_bus::SessionBus;
use crate::store::settings::{Export, HOOK_EXPORT, KEEP, Settings};
use crate::store::trusted;
use crate::terminal::{Level, Messages};
use passphrase::Given;

/// Stands for the data folder where there is none: nothing is there, and nobody can make it.
const NOWHERE: &str = "/proc/alchemy/no-home";

/// What the command line says of how to talk to the person.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Nothing but errors is said.
    pub is_quiet: bool,
    /// What is being done is said, too.
    pub is_verbose: bool,
    /// Messages have color; `None` where the terminal and `NO_COLOR` decide.
    pub has_color: Option<bool>,
}

/// What the process was given.
pub struct Host {
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
    here: OnceCell<Result<Here>>,
    noted: Cell<bool>,
    passphrase: Given,
}

/// The profile that is selected, or asked for.
pub struct Wanted {
    /// It, and why.
    pub selection: Selection,
    /// Why it must not be used: a pin file asks for it that is not allowed to.
    pub refusal: Option<Error>,
}

impl Host {
    /// Reads everything. With an error comes the way to report it.
    pub fn read(manner: Manner, program: OsString) -> std::result::Result<Self, (Error, Messages)> {
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
        trusted::act_as_owner_of(home.root());
        // It may be gone; then relative paths fail by themselves.
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let (started, uid) = (Timestamp::now(), nix::unistd::getuid().as_raw());
        let (here, noted) = (OnceCell::new(), Cell::new(false));
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
            here,
            noted,
            passphrase,
        })
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

    /// Opens the store. `may_ask`: the keyring may show its dialog, and a passphrase be asked for, as a person
    /// waits at a terminal.
    pub fn store(&self, may_ask: bool) -> Result<Store<'_>> {
        let unlock = if may_ask && self.may_ask() { Unlock::Dialog } else { Unlock::Never };
        let may_ask = may_ask && !self.in_direnv();
        let keyring = Params { bus: self.session_bus(), unlock };
        Store::open(&self.home, Access { keyring, may_ask, person: self }, &self.messages)
    }

    /// What is said of the session bus, where the keyring is.
    pub fn session_bus(&self) -> SessionBus {
        SessionBus {
            address: self.variable("DBUS_SESSION_BUS_ADDRESS").map(OsStr::to_owned),
            runtime_dir: self.variable("XDG_RUNTIME_DIR").map(PathBuf::from),
            uid: self.uid,
        }
    }

    /// Whether a person waits at a terminal, and may be asked what was not asked for.
    pub fn may_ask(&self) -> bool {
        !self.in_direnv() && crate::terminal::stderr_is_terminal()
    }

    /// Whether direnv is evaluating an `.envrc`: nobody is asked anything then.
    fn in_direnv(&self) -> bool {
        self.variable("DIRENV_IN_ENVRC").is_some()
    }

    /// The gate for a secret that leaves; `yes` is the command line's answer.
    pub fn gate(&self, yes: bool) -> Gate {
        if self.in_direnv() { Gate::Closed } else { Gate::Asks { yes } }
    }

    /// Which profile applies.
    pub fn select(&self, argument: Option<&str>) -> Result<Selection> {
        let wanted = self.wanted(argument)?;
        wanted.refusal.map_or(Ok(wanted.selection), Err)
    }

    /// The same, and where a pin file asks for one without being allowed to, that one.
    pub fn wanted(&self, argument: Option<&str>) -> Result<Wanted> {
        if let Some(selection) = self.with_named(argument, select)? {
            return Ok(Wanted { selection, refusal: None });
        }
        let here = self.here()?;
        let selection = match (&here.choice, &here.asks) {
            (Some(choice), asks) => {
                let selection = self.selection(choice);
                if let Some(ask) = asks.as_ref().filter(|ask| !ask.denied) {
                    self.messages.say(&format!(
                        "{}, so '{}' is used ({}); to allow it: {}",
                        self.asking(ask),
                        selection.name,
                        selection.reason,
                        allow(here, ask)
                    ));
                }
                selection
            }
            (None, Some(ask)) => {
                let selection =
                    Selection { name: ask.name.clone(), reason: Reason::Asked(self.shown(&ask.pin)) };
                return Ok(Wanted { selection, refusal: Some(self.refusal(here, ask)) });
            }
            (None, None) => Selection::of_nothing(),
        };
        Ok(Wanted { selection, refusal: None })
    }

    /// What a directory chose, as a selection.
    pub fn selection(&self, choice: &Choice) -> Selection {
        let reason = match choice.how {
            How::Bound => Reason::Bound(self.shown(&choice.at)),
            How::Pinned => Reason::Pinned(self.shown(&choice.at.join(pin::NAME))),
            How::Envrc => Reason::Envrc(self.shown(&choice.at.join(ENVRC))),
        };
        Selection { name: choice.name.clone(), reason }
    }

    /// What a pin file asks for, and how to let it.
    pub fn request(&self, here: &Here, ask: &Ask) -> String {
        format!("{}; to allow it: {}", self.asking(ask), allow(here, ask))
    }

    /// Why a pin file that is not allowed selects nothing, and the ways on.
    pub fn refusal(&self, here: &Here, ask: &Ask) -> Error {
        let allow = allow(here, ask);
        Error::new(self.asking(ask))
            .hint(format!("to let it select: {allow}; or name the profile: -p {}", ask.name))
    }

    fn asking(&self, ask: &Ask) -> String {
        let why = if ask.denied { "is denied" } else { "is not allowed yet" };
        format!("{} asks for profile '{}' and {why}", self.shown(&ask.pin), ask.name)
    }

    /// `with` what names a profile. What is not UTF-8 cannot be a name, and is refused as one: ignoring it
    /// would run with another.
    pub fn with_named<T>(&self, argument: Option<&str>, with: impl FnOnce(Named) -> T) -> T {
        let text = |variable: &str| self.variable(variable).map(OsStr::to_string_lossy);
        let (cloudflare, alchemy, active) = (text("CLOUDFLARE_PROFILE"), text(PROFILE), text(ACTIVE));
        with(Named {
            command_line: argument,
            cloudflare_profile: cloudflare.as_deref(),
            alchemy_profile: alchemy.as_deref(),
            active: active.as_deref(),
        })
    }

    /// The profile that direnv's `use alchemy NAME` has put into the environment: it is of the `.envrc`'s directory
    /// and those below, as a binding is.
    pub fn loaded(&self) -> Option<Choice> {
        let mark = self.mark().filter(|mark| mark.by == ActivatedBy::Direnv { is_named: true })?;
        let is_here = self.directory.starts_with(&mark.directory)
            && self.with_named(None, |named| named.is_from_directory());
        let name = ProfileName::parse(&mark.profile).ok().filter(|_| is_here)?;
        Some(Choice { name, how: How::Envrc, at: mark.directory })
    }

    /// What `ALCHEMY_ACTIVE` says.
    pub fn mark(&self) -> Option<ActiveMark> {
        self.text(ACTIVE).and_then(ActiveMark::parse)
    }

    /// What the working directory and those above it say; looked at once.
    ///
    /// # Errors
    /// When a document of ours, or a pin file that counts here, cannot be understood.
    pub fn here(&self) -> Result<&Here> {
        let here = self.look()?;
        if !self.noted.replace(true) {
            here.notes.iter().for_each(|note| self.messages.say(note));
        }
        here.sound()
    }

    /// The same, without a word of what is ignored, and also when a pin file is broken.
    ///
    /// # Errors
    /// When a document of ours cannot be understood.
    pub fn look(&self) -> Result<&Here> {
        let look = || {
            let mut here = Here::look(&self.home, &self.directory, self.uid)?;
            self.loaded().into_iter().for_each(|loaded| here.add_loaded(loaded));
            Ok(here)
        };
        self.here.get_or_init(look).as_ref().map_err(Clone::clone)
    }

    /// Whether the person names a profile by a variable: the directory has no say then.
    pub fn names_profile(&self) -> bool {
        self.with_named(None, |named| named.candidates().next().is_some())
    }

    /// Whether a shell's hook exports no secret.
    ///
    /// # Errors
    /// When what says so cannot be understood.
    pub fn hook_exports_names(&self) -> Result<bool> {
        let export = match self.text(HOOK_EXPORT) {
            Some(text) => Export::parse(text, HOOK_EXPORT)?,
            None => Settings::load(&self.home)?.export,
        };
        Ok(export == Export::Profile)
    }

    /// Refuses to go on where there is nowhere to keep profiles.
    ///
    /// # Errors
    /// When neither `HOME` and the user's entry nor `ALCHEMY_HOME` name a folder.
    pub fn needs_home(&self) -> Result<()> {
        if self.is_homeless {
            let error = Error::new("HOME is no absolute path, so there is nowhere to keep profiles");
            return Err(error.hint("set HOME, or ALCHEMY_HOME to an absolute path"));
        }
        Ok(())
    }

    /// `PATH` as the system has it: an empty one is one, too.
    pub fn search_path(&self) -> Option<&OsStr> {
        self.variables.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_os_str())
    }

    /// The person's home directory; empty where there is none.
    pub fn user_home(&self) -> &Path {
        &self.user_home
    }

    /// A path as people write it: from `~` on, where it is below the user's home.
    pub fn shown(&self, path: &Path) -> String {
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
            _ => path.display().to_string(),
        }
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

impl Edge for Host {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn network(&self) -> Network {
        Network {
            ca_file: self.variable("SSL_CERT_FILE").map(PathBuf::from),
            ca_dir: self.variable("SSL_CERT_DIR").map(OsStr::to_owned),
            extra_ca: self.variable("NODE_EXTRA_CA_CERTS").map(PathBuf::from),
            proxy: ProxyVariables::read(|name| self.variable(name)),
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

/// The command that allows it.
fn allow(here: &Here, ask: &Ask) -> String {
    let is_nearest = here.nearest.as_ref() == Some(&ask.pin);
    match ask.pin.parent().filter(|_| !is_nearest) {
        Some(directory) => format!("alchemy allow {}", shell::word(&directory.display().to_string())),
        None => "alchemy allow".to_owned(),
    }
}

fn value<'a>(variables: &'a [(OsString, OsString)], name: &str) -> Option<&'a OsStr> {
    variables
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_os_str())
        .filter(|v| !v.is_empty())
}
