//! What a shell is to have in this directory: the profile that the directory selects, and its session, where
//! that may leave and is there in time.

use jiff::{SignedDuration, Timestamp};

use super::sources::{Outcome, Sources};
use crate::directory::mark::ActiveMark;
use crate::directory::{DirectoryProfile, How};
use crate::environment::{
    ACCOUNT_ID, ACTIVE, API_KEY, API_TOKEN, Changes, DEFAULT_ACCOUNT_ID, EXPIRATION, PROFILE, Value,
};
use crate::error::{Error, Kind, Result};
use crate::hook::step::Target;
use crate::host::Host;
use crate::profile::{AccountId, Profile, ProfileName};
use crate::release::changes::changes;
use crate::release::check;
use crate::release::choice::Choice;
use crate::release::release::min_ttl;
use crate::release::selector::Selector;
use crate::session::Session;
use crate::store::Store;
use crate::store::settings::{Export, HOOK_EXPORT, Settings};

/// When to look again after a failure that may pass, and for a session that was not there in time: that it was
/// renewed shows at once, by the generation file.
const RETRY: SignedDuration = SignedDuration::from_secs(30);
/// When to look again whether direnv has loaded what was renewed.
const SOON: SignedDuration = SignedDuration::from_secs(5);
/// When to look again for a session that is over: the npm package tells nobody that somebody has signed in.
const OVER: SignedDuration = SignedDuration::from_secs(60);

/// What a shell is to have, and what the person should be told.
#[derive(Default)]
pub(crate) struct Desired {
    /// The profile, with what to set; `None` where there is none to be had.
    pub target: Option<Target>,
    /// The profile and its account, in words.
    pub shown: String,
    /// What else there is to tell.
    pub remarks: Vec<String>,
    /// When to look again in any case.
    pub until: Option<Timestamp>,
    /// Names under which the active profile's token may stand, besides the usual ones.
    pub also: Vec<String>,
    /// The active profile's account.
    pub account: Option<AccountId>,
    /// How long the secret among what is set lives, and for which account; `None` where nobody knows.
    pub life: Option<SecretLife>,
    /// A session was not there in time.
    is_late: bool,
    /// Only what is stored counts: no network, no command of the person's.
    is_offline: bool,
}

/// The end of a secret that a hook has set, in whole seconds of Unix time, and the account that it was set for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretLife {
    pub until: i64,
    pub account: String,
}

/// What a hook has set, by its own account.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HookState<'a> {
    /// `ALCHEMY_ACTIVE` as the hook has set it; empty for nothing.
    pub own: &'a str,
    /// `ALCHEMY_ACTIVE` in the shell; another one was inherited from another shell.
    pub active: &'a str,
    /// The hook has set the profile's secret, which lives so long.
    pub has_secret: bool,
    pub life: Option<&'a SecretLife>,
    /// What is seen is below what the hook has set, so that a mark of direnv's shows.
    pub is_lifted: bool,
}

impl Desired {
    /// What the shell is to have. `is_offline`: only what is stored counts.
    pub(crate) fn of(selector: &Selector, shell: HookState, is_offline: bool) -> Self {
        let mut this = Self { is_offline, ..Self::default() };
        if shell.active != shell.own {
            (this.also, this.account) = Self::inherited(selector.host, shell.active);
        }
        if let Err(error) = this.look(selector, shell) {
            this.target = None;
            this.remark(&error);
        }
        this
    }

    /// The names under which the token of the profile that is active stands, besides the usual ones; and its account.
    pub(crate) fn inherited(host: &Host, active: &str) -> (Vec<String>, Option<AccountId>) {
        profile_of(host, active)
            .map_or_else(Default::default, |profile| (profile.also, Some(profile.account.id)))
    }

    fn look(&mut self, selector: &Selector, shell: HookState) -> Result<()> {
        let host = selector.host;
        let active = shell.active;
        let here = selector.look()?;
        self.remarks.extend(here.notes.iter().cloned());
        here.sound()?;
        if let Some(ask) = here.asks.as_ref().filter(|ask| !ask.denied) {
            self.remarks.push(selector.request(here, ask));
        }
        let choice = here.choice.as_ref();
        if selector.names_profile() {
            self.say_outranked(selector, choice);
            return self.look_after_direnv(host);
        }
        let Some(choice) = choice else { return self.look_after_direnv(host) };
        if has_loaded(selector, choice, shell) {
            return self.look_after_direnv(host);
        }
        let store = host.store(false)?;
        let selection = selector.selection(choice);
        let profile = store.find(&selection)?;
        let account_choice = Choice::Profile(Box::new(profile.clone()), selection);
        account_choice.check_silently(selector, &store, None)?;

        self.shown = format!("{} ({})", profile.name, profile.account.short());
        let session = if profile.confirm || hook_exports_names(host)? {
            None
        } else {
            self.session(host, &store, &profile, active)?
        };
        self.remarks.extend(check::other_accounts_of_wrangler(host, &profile.account));
        let mut target = target(choice, &profile, session.as_ref());
        let life = shell.life.filter(|life| {
            let holds = shell.has_secret && active == shell.own && target.active == active;
            holds && life.until > host.started.as_second() && life.account == profile.account.id.as_str()
        });
        let account = profile.account.id.to_string();
        let life_of = |session: &Session| Some(SecretLife { until: session.expires?.as_second(), account });
        self.life = session.as_ref().and_then(life_of);
        if let Some(life) = life.filter(|_| self.is_late) {
            target.has_secret = true; // it stays until the new one is there
            self.life = Some(life.clone());
        } else if self.is_late {
            self.remark_late(&profile);
        }
        self.target = Some(target);
        Ok(())
    }

    /// Says that a variable of the person's goes before the directory, unless it came with a credential.
    fn say_outranked(&mut self, selector: &Selector, choice: Option<&DirectoryProfile>) {
        let host = selector.host;
        let has_credential = [API_TOKEN, API_KEY].into_iter().any(|name| host.variable(name).is_some());
        let is_direnvs = host.variable("DIRENV_DIR").is_some();
        let name = host.text(PROFILE).and_then(|name| ProfileName::parse(name).ok());
        let agrees = |choice: &DirectoryProfile| is_direnvs && name.as_ref() == Some(&choice.name);
        if let Some(choice) = choice.filter(|choice| !has_credential && !agrees(choice)) {
            self.remarks.push(format!(
                "'{}' ({}) is not activated: {} names another profile",
                choice.name,
                selector.selection(choice).reason,
                if host.variable("CLOUDFLARE_PROFILE").is_some() { "CLOUDFLARE_PROFILE" } else { PROFILE },
            ));
        }
    }

    /// Where direnv has loaded a profile (`use alchemy`), nothing is ours to set. But direnv has no clock: when
    /// the session has run out it is refreshed, which moves the stamp that direnv watches.
    fn look_after_direnv(&mut self, host: &Host) -> Result<()> {
        let is_direnvs = host.variable("DIRENV_DIR").is_some();
        let name = host.text(PROFILE).and_then(|name| ProfileName::parse(name).ok());
        let expires = host.text(EXPIRATION).and_then(|text| text.parse::<Timestamp>().ok());
        let (true, Some(expires), Some(name)) = (is_direnvs, expires, name) else { return Ok(()) };
        let asked = min_ttl(host, None)?;
        self.until = Some(earlier(expires, asked));
        if self.until > Some(host.started) {
            return Ok(());
        }
        self.until = Some(later(host.started, SOON));
        let store = host.store(false)?;
        if let Some(profile) = store.get(&name)?.filter(|profile| !profile.confirm) {
            self.session(host, &store, &profile, "")?;
            if self.is_late {
                self.remark_late(&profile);
            }
        }
        Ok(())
    }

    /// The profile's session, where it can be had in time.
    fn session(
        &mut self,
        host: &Host,
        store: &Store,
        profile: &Profile,
        active: &str,
    ) -> Result<Option<Session>> {
        let (sources, notes) = Sources::of(host, store, profile)?;
        let min_ttl = sources.fresh.min_ttl;
        if active.is_empty() {
            self.remarks.extend(notes); // else the variables are ours
        }
        let now = host.started;
        Ok(match sources.ask(host, self.is_offline) {
            Outcome::Session(session) => {
                if session.grant {
                    self.until = session.expires.map(|expires| next_look(expires, min_ttl, now));
                }
                Some(session)
            }
            Outcome::Late => {
                self.until = Some(later(now, RETRY));
                self.is_late = true;
                None
            }
            Outcome::Failed(error) => {
                let pause = if error.kind() == Kind::SignedOut { OVER } else { RETRY };
                self.until = Some(later(now, pause));
                self.remark(&error);
                None
            }
        })
    }

    fn remark_late(&mut self, profile: &Profile) {
        self.remarks.push(format!("the session of '{}' is still on its way", profile.name));
    }

    fn remark(&mut self, error: &Error) {
        self.remarks.push(match error.next_step() {
            Some(hint) => format!("{error}; {hint}"),
            None => error.to_string(),
        });
    }
}

/// True if a shell's hook exports no secret.
fn hook_exports_names(host: &Host) -> Result<bool> {
    let export = match host.text(HOOK_EXPORT) {
        Some(text) => Export::parse(text, HOOK_EXPORT)?,
        None => Settings::load(&host.home)?.export,
    };
    Ok(export == Export::Profile)
}

/// Where else the token of a profile stands that another shell has made active.
fn profile_of(host: &Host, active: &str) -> Option<Profile> {
    let name = ProfileName::parse(active.rsplit_once(':')?.1).ok()?;
    host.store(false).ok()?.get(&name).ok()?
}

/// Whether direnv has put the choice into the environment already, by `use alchemy`. A hook that cannot take away
/// what it has set keeps out of direnv's way altogether.
fn has_loaded(selector: &Selector, choice: &DirectoryProfile, shell: HookState) -> bool {
    let Some(mark) = selector.mark().filter(ActiveMark::is_direnvs) else { return false };
    let is_of_here =
        mark.profile == choice.name.as_str() && selector.host.directory.starts_with(&mark.directory);
    choice.how == How::Envrc || is_of_here || !shell.is_lifted
}

/// When to look again at a grant's session.
fn next_look(expires: Timestamp, min_ttl: SignedDuration, now: Timestamp) -> Timestamp {
    let due = earlier(expires, min_ttl);
    if due > now {
        return due;
    }
    // What lives shorter than it should is looked at again when half of that is over.
    let half = expires.duration_since(now).checked_div(2).unwrap_or_default();
    later(now, half.clamp(SignedDuration::from_secs(1), RETRY))
}

/// What is asked for and what a document says may reach beyond the beginning and the end of time.
fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// What to set for a profile: with its session, or its name and account only.
fn target(choice: &DirectoryProfile, profile: &Profile, session: Option<&Session>) -> Target {
    let active = format!("{}:{}", choice.at.display(), profile.name);
    let plain = |(name, value): (String, String)| (name, Value::Plain(value));
    let (mut set, mut unset) = match session {
        Some(session) => {
            let Changes { set, unset } = changes(session, &profile.also);
            (set, without_our_own(unset))
        }
        None => (named(profile).into_iter().map(plain).collect(), Vec::new()),
    };
    set.push(plain((ACTIVE.to_owned(), active.clone())));
    unset.retain(|name| name != ACTIVE);
    Target { active, set, unset, has_secret: session.is_some() }
}

/// What says which profile it is, without its secret.
pub(crate) fn named(profile: &Profile) -> [(String, String); 3] {
    let account = profile.account.id.to_string();
    [
        (ACCOUNT_ID.to_owned(), account.clone()),
        (DEFAULT_ACCOUNT_ID.to_owned(), account),
        (PROFILE.to_owned(), profile.name.to_string()),
    ]
}

/// What to take away from a shell: not what answers for alchemy itself there, which is no client's.
pub(crate) fn without_our_own(names: Vec<String>) -> Vec<String> {
    let is_our_own =
        |name: &String| name.starts_with("ALCHEMY_") && ![EXPIRATION, ACTIVE].contains(&name.as_str());
    names.into_iter().filter(|name| !is_our_own(name)).collect()
}
