//! `alchemy hook-env`: what a shell's hook asks for when something has changed. It never holds the prompt for
//! longer than two seconds, asks nobody anything, and says at most one line.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use clap::Args;
use jiff::Timestamp;

use super::hook::{Caller, refuse_terminal};
use super::{ProfileArgument, direnv};
use crate::digest::sha256_hex;
use crate::directory::bindings::Bindings;
use crate::directory::mark::ActiveMark;
use crate::disk::generation;
use crate::environment::ACTIVE;
use crate::error::Result;
use crate::hook::desired::{Desired, HookState, SecretLife};
use crate::hook::render::render;
use crate::hook::step::{self, Now, Visibility};
use crate::hook::step::{State, Step, Watched};
use crate::host::Host;
use crate::profile::AccountId;
use crate::release::selector::Selector;
use crate::terminal;

/// Tell a shell's hook what to do
#[derive(Args)]
pub(super) struct HookEnv {
    /// The shell, or direnv
    caller: Caller,
    #[command(flatten)]
    direnv: Direnv,
    /// What this shell's hook has made active
    #[arg(long, default_value = "")]
    active: String,
    /// What it was told last
    #[arg(long, default_value = "")]
    told: String,
    /// What ALCHEMY_ACTIVE is, from a hook that takes all that it has set away for this call
    #[arg(long)]
    found: Option<String>,
    /// Give back all that is set
    #[arg(long)]
    leave: bool,
    /// The variables that it keeps something for, where it must be told each by its name
    #[arg(long, default_value = "", value_delimiter = ',')]
    table: Vec<String>,
    /// Say nothing now, but at the next prompt
    #[arg(long)]
    silent: bool,
    /// Take only what is stored, as in a subshell: no network
    #[arg(long)]
    offline: bool,
}

/// What `use alchemy` in an `.envrc` is given.
#[derive(Args)]
struct Direnv {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Its name and account, no secret
    #[arg(long)]
    profile_only: bool,
}

impl HookEnv {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        refuse_terminal()?;
        let Caller::Shell(shell) = self.caller else {
            return direnv::run(host, self.direnv.profile.get(), self.direnv.profile_only);
        };
        // First of all: what changes from here on is seen at the next prompt.
        let generation = host.home.generation();
        let generation = watched(&generation, generation::text(&host.home));
        let before = Told::parse(&self.told);
        // Who can take away what is theirs does so whenever direnv acts, and need not wait for direnv.
        let is_lifted = self.found.is_some();
        let waits = Waits::next(before.waits.as_ref(), host).filter(|_| !is_lifted);
        let get = |name: &str| {
            let found = host.variables.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.to_string_lossy().into_owned())
        };
        let selector = Selector::of(host);
        let (step, told, until) = if self.leave {
            let active = self.found.as_deref().unwrap_or_default();
            let (also, account) = Desired::inherited(host, active);
            let account = account.as_ref().map(AccountId::as_str);
            let now = Now { own: &self.active, active, also: &also, account, ..Now::default() };
            (step::step(None, now, &get), Told::default(), None)
        } else if waits.as_ref().is_some_and(Waits::is_worth_it) && !self.offline {
            // All stays as it is until the next prompt.
            let state = State { active: self.active.clone(), ..State::default() };
            (Step { state, ..Step::default() }, Told { waits, ..before }, Some(LONG_AGO))
        } else {
            let active = self.found.as_deref().or_else(|| host.text(ACTIVE)).unwrap_or_default();
            let is_direnvs = ActiveMark::parse(active).is_some_and(|mark| mark.is_direnvs());
            let active = if is_direnvs { "" } else { active };
            let state = HookState {
                own: &self.active,
                active,
                has_secret: before.has_secret,
                life: before.life.as_ref(),
                is_lifted,
            };
            let mut desired = Desired::of(&selector, state, self.offline);
            let mut told = Told { waits, ..Told::of(&desired, &before) };
            match told.line(&before, &desired, active) {
                Some(_) if self.silent => {
                    told.holds_back = true;
                    told.digest.clone_from(&before.digest);
                    desired.until = Some(Timestamp::UNIX_EPOCH); // the next prompt says it
                }
                Some(line) => host.messages.say(&line),
                None => {}
            }
            let now = Now {
                own: &self.active,
                active,
                visibility: if is_lifted {
                    Visibility::Lifted
                } else if is_direnvs || selector.names_profile() {
                    Visibility::Covered
                } else {
                    Visibility::Whole
                },
                is_disturbed: before.waits.is_some(),
                has_secret: before.has_secret,
                also: &desired.also,
                account: desired.account.as_ref().map(AccountId::as_str),
            };
            let until = desired.until.map(|until| until.as_second().saturating_add(1));
            (step::step(desired.target.as_ref(), now, &get), told, until)
        };
        let pin = selector.look().ok().and_then(|here| here.pin.as_ref());
        let state = State {
            generation,
            pin: pin.map_or_else(Watched::default, |pin| watched(&pin.path, Some(pin.bytes.clone()))),
            until,
            now: host.started.as_second(),
            told: told.to_string(),
            bound: bound(host),
            ..step.state
        };
        let step = Step { state, ..step };
        let table: Vec<&str> =
            self.table.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        terminal::print(&render(shell, &step, &table, |name| get(name).is_some())?)
    }
}

/// The most bound directories, and bytes of their paths, that a shell is told of: more take it longer to compare than to
/// ask.
const MOST_BOUND: usize = 64;
const MOST_BYTES: usize = 8 * 1024;

/// All directories that are bound, for a shell that can tell by itself that none of them is around another one.
fn bound(host: &Host) -> Option<Vec<String>> {
    let bindings = Bindings::load(&host.home).ok()?;
    let paths: Vec<String> =
        bindings.iter().map(|(path, _)| path.to_str().map(str::to_owned)).collect::<Option<_>>()?;
    let bytes: usize = paths.iter().map(String::len).sum();
    (paths.len() <= MOST_BOUND && bytes <= MOST_BYTES).then_some(paths)
}

/// A file for the hook to look at, with what was in it.
fn watched(path: &Path, bytes: Option<Vec<u8>>) -> Watched {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let seconds =
        modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs());
    // One whose path is no text cannot be named to a shell.
    let Some(path) = path.to_str() else { return Watched::default() };
    Watched {
        path: path.to_owned(),
        text: String::from_utf8(bytes.unwrap_or_default()).ok().filter(|text| !text.contains('\0')),
        modified: i64::try_from(seconds).unwrap_or_default(),
    }
}

/// A time that is past by every clock, in seconds of Unix time. A shell's clock need not be as far as ours: bash's
/// and zsh's is that of the kernel's last tick, and in whole seconds.
const LONG_AGO: i64 = 0;

/// What the shell keeps for us from one time to the next: the secret is among what was set, and how long that lives;
/// a digest of what the person was told last, so that it is not said again; that something is still to be said, since
/// nothing might be then; and that direnv is waited for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    has_secret: bool,
    holds_back: bool,
    life: Option<SecretLife>,
    digest: String,
    waits: Option<Waits>,
}

/// How often direnv was waited for in one directory.
#[derive(Debug, PartialEq, Eq)]
struct Waits {
    times: u8,
    directory: String,
}

impl Waits {
    /// After `cd`, and at the prompt. An environment of direnv's can be inherited by a shell that has no hook of
    /// direnv's, so there must be an end.
    const MOST: u8 = 2;

    fn next(before: Option<&Self>, host: &Host) -> Option<Self> {
        if !direnv::is_about_to_unload(host) {
            return None;
        }
        let directory = digest(host.directory.as_os_str().as_bytes());
        let before = before.filter(|before| before.directory == directory).map_or(0, |before| before.times);
        Some(Self { times: before.saturating_add(1), directory })
    }

    fn is_worth_it(&self) -> bool {
        self.times <= Self::MOST
    }
}

fn digest(text: impl AsRef<[u8]>) -> String {
    let mut digest = sha256_hex(text);
    digest.truncate(16);
    digest
}

impl Told {
    fn parse(text: &str) -> Self {
        let (mark, rest) = text.split_at_checked(1).unwrap_or_default();
        let (rest, life) = rest.split_once('+').unwrap_or((rest, ""));
        let life = life.split_once('+').and_then(|(until, account)| {
            Some(SecretLife { until: until.parse().ok()?, account: account.to_owned() })
        });
        let (digest, waits) = rest.split_once('-').unwrap_or((rest, ""));
        let waits = waits.split_once('-').and_then(|(times, directory)| {
            Some(Waits { times: times.parse().ok()?, directory: directory.to_owned() })
        });
        Self {
            has_secret: mark.eq_ignore_ascii_case("s"),
            holds_back: ["S", "N"].contains(&mark),
            life,
            digest: digest.to_owned(),
            waits,
        }
    }

    fn of(desired: &Desired, before: &Self) -> Self {
        let has_secret = desired.target.as_ref().is_some_and(|target| target.has_secret);
        let digest = if !desired.remarks.is_empty() {
            digest(desired.remarks.join("\n"))
        } else if desired.target.is_some() {
            String::new()
        } else {
            before.digest.clone() // so that coming back is no reason to say it again
        };
        Self { has_secret, holds_back: false, life: desired.life.clone(), digest, waits: None }
    }

    /// The one line: the profile, when it is another one, and what has not been said yet.
    fn line(&self, before: &Self, desired: &Desired, active: &str) -> Option<String> {
        let profile = |active: &str| active.rsplit_once(':').map(|(_, name)| name.to_owned());
        let target = desired.target.as_ref();
        let is_another =
            target.is_some_and(|target| before.holds_back || profile(&target.active) != profile(active));
        let mut parts = Vec::new();
        if is_another {
            let only = if self.has_secret { "" } else { ", its name and account only" };
            parts.push(format!("{}{only}", desired.shown));
        }
        if is_another || self.digest != before.digest {
            parts.extend(desired.remarks.iter().cloned());
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match (self.has_secret, self.holds_back) {
            (true, false) => 's',
            (false, false) => 'n',
            (true, true) => 'S',
            (false, true) => 'N',
        };
        write!(f, "{mark}{}", self.digest)?;
        self.waits.as_ref().map_or(Ok(()), |waits| write!(f, "-{}-{}", waits.times, waits.directory))?;
        self.life.as_ref().map_or(Ok(()), |life| write!(f, "+{}+{}", life.until, life.account))
    }
}
