//! The profiles: whether each has its credential, of the right kind, alive, and as wide as was asked for.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::{Finding, Fix, Machine, few};
use crate::disk::lock::Note;
use crate::environment::may_repeat;
use crate::error::Error;
use crate::profile::{Method, Profile, ProfileName, SignIn, StoreKind};
use crate::shell;
use crate::store::credential::{Document, Grant};
use crate::store::{Listed, inspect, rescue};
use crate::terminal::life;

/// How long before its end an API token is spoken of.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How long a refresh may be under way.
const IN_FLIGHT: SignedDuration = SignedDuration::from_secs(60);

/// A profile, with what a look at its credential has told.
pub(crate) struct Looked {
    /// It, as it is listed.
    pub listed: Listed,
    /// What its store has; `None` where that was not asked, as the store does not answer or the profile cannot be used.
    pub found: Option<Result<Option<Document>, Error>>,
    /// Where version 2 of the npm package has moved it.
    pub moved: Option<PathBuf>,
    /// When the profile or its credential was changed last, as far as is known.
    pub changed: Option<Timestamp>,
    /// What the last refresh has noted.
    pub note: Note,
}

/// What is off with the profiles.
pub(crate) fn check(machine: &Machine, profiles: &[Looked]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = profiles.iter().flat_map(|looked| of_one(machine, looked)).collect();
    findings.extend(shadowed(profiles));
    findings.extend(unasked(profiles));
    findings.extend(orphans(machine, profiles));
    if profiles.is_empty() && !machine.home.config().exists() {
        let why = "there is nothing to run a command with yet";
        findings.push(Finding::note("no-profiles", "no profiles yet").why(why).mend("alchemy configure"));
    }
    findings
}

/// That nothing is known of them, as they cannot be listed.
pub(crate) fn unchecked(error: &Error) -> Finding {
    let what = format!("the profiles were not looked at: {error}");
    let why = "which there are is not known";
    Finding::note("profiles-unchecked", what).why(why).mend("mend that, and look again: alchemy doctor")
}

/// Secrets of profiles that are not there.
fn orphans(machine: &Machine, profiles: &[Looked]) -> Vec<Finding> {
    let known = |name: &str| profiles.iter().any(|looked| looked.listed.name == name);
    let documents = inspect::orphans(machine.home, &known).into_iter().map(|path| {
        let what = format!("{} belongs to no profile", machine.show(&path));
        let why = "a secret stays there that nothing uses";
        Finding::note("credential-orphan", what).why(why).mend(format!("rm {}", machine.word(&path)))
    });
    let rescued = inspect::rescue_orphans(machine.home, &known).into_iter().map(|path| {
        let what = format!("{} waits for a profile that is not there", machine.show(&path));
        let why = "a session stays there that nothing uses";
        Finding::note("rescue-orphan", what).why(why).mend(format!("rm {}", machine.word(&path)))
    });
    documents.chain(rescued).collect()
}

fn of_one(machine: &Machine, looked: &Looked) -> Vec<Finding> {
    let name = &looked.listed.name;
    let profile = match &looked.listed.profile {
        Ok(profile) => profile,
        Err(error) => {
            let finding = Finding::of("profile-broken", error);
            let what = format!("profile '{name}' cannot be used: {}", finding.what);
            return vec![Finding { what, ..finding }.why("no command runs with it")];
        }
    };
    let mut findings = Vec::new();
    let word = shell::word(name);
    // A shadowed one is the npm package's own business, and its name means the other one here.
    if looked.listed.shadowed {
        return findings;
    }
    let again = again(profile);
    match &looked.found {
        Some(Ok(Some(document))) if document.method() != profile.method => {
            let what = format!("the credential of profile '{name}' is of the kind {}", document.method());
            let why = format!("the profile is of the kind {}, so no command runs with it", profile.method);
            let mend = format!("alchemy configure -p {word}");
            findings.push(Finding::problem("credential-kind", what).why(why).mend(mend));
        }
        Some(Ok(Some(Document::OAuth(grant)))) => findings.extend(session(machine, profile, grant, looked)),
        Some(Ok(Some(_))) | None => {}
        Some(Ok(None)) => findings.push(missing(machine, profile, looked)),
        Some(Err(error)) => {
            let finding = Finding::of("credential-unreadable", error).why("no command runs with it");
            findings.push(if error.next_step().is_some() { finding } else { finding.mend(&again) });
        }
    }
    let is_npms = matches!(profile.store, StoreKind::File | StoreKind::Npm);
    if !is_npms && machine.home.credential(name).is_file() {
        let what = format!("npm has signed in to profile '{name}' anew, beside the {} store", profile.store);
        let why = "the next command that needs it takes it over into that store";
        findings.push(Finding::note("newer-sign-in", what).why(why).mend(format!("alchemy whoami {word}")));
    }
    for path in rescue::waiting(machine.home, &profile.name) {
        let what = format!("a newer credential of profile '{name}' waits in {}", machine.show(&path));
        let why = "its store refused it when it was renewed; the one in that file is the only one that lives";
        let mend = if profile.method == Method::OAuth {
            format!("alchemy profile refresh {word}")
        } else {
            "alchemy doctor --fix".to_owned()
        };
        let finding = Finding::problem("rescue-waiting", what).why(why).mend(mend);
        findings.push(finding.fix(Fix::BringHome(profile.name.clone())));
    }
    findings.extend(token(machine.now, profile));
    let refused: Vec<String> = profile.also.iter().filter(|also| !may_repeat(also)).cloned().collect();
    if !refused.is_empty() {
        let what = format!("profile '{name}' is to repeat its token as {}", few(&refused));
        let why = "that name says something else already, so it does not";
        let mend = format!("alchemy profile set {word} --no-also");
        findings.push(Finding::note("also-refused", what).why(why).mend(mend));
    }
    findings
}

fn missing(machine: &Machine, profile: &Profile, looked: &Looked) -> Finding {
    let Profile { name, store, .. } = profile;
    let Some(moved) = &looked.moved else {
        let what = format!("the credential of profile '{name}' is missing from the {store} store");
        return Finding::problem("credential-missing", what)
            .why("no command runs with it")
            .mend(again(profile));
    };
    let what =
        format!("npm alchemy 2 has moved the credential of profile '{name}' to {}", machine.show(moved));
    let finding = Finding::problem("moved-by-npm", what).why("no command runs with it");
    finding.mend("alchemy doctor --fix").fix(Fix::BringBack(name.clone()))
}

/// The command by which a profile gets its credential again.
fn again(profile: &Profile) -> String {
    let command = if profile.method == Method::OAuth { "login" } else { "configure" };
    format!("alchemy {command} -p {}", profile.name)
}

fn session(machine: &Machine, profile: &Profile, grant: &Grant, looked: &Looked) -> Vec<Finding> {
    let name = &profile.name;
    let mut findings = Vec::new();
    // A refresh that failed before somebody signed in again says nothing of the session now.
    let is_past = |at: Timestamp| machine.now.duration_since(at) > IN_FLIGHT;
    let since = |at: Timestamp| looked.changed.is_none_or(|changed| at > changed);
    let over = looked.note.failed.as_ref().filter(|failed| since(failed.at));
    let ended = grant.refresh.is_none() && grant.expires <= machine.now;
    if ended || over.is_some_and(|failed| failed.over) {
        let what = match over {
            Some(failed) => failed.message.clone(),
            None => format!("the session of profile '{name}' has run out and cannot be renewed"),
        };
        let why = "no command runs with it";
        findings.push(Finding::problem("grant-over", what).why(why).mend(again(profile)));
    } else if let Some(failed) = over {
        let what = format!("the last refresh of profile '{name}' failed: {}", failed.message);
        let why = "it is tried again when it is needed";
        findings.push(
            Finding::note("refresh-failed", what).why(why).mend(format!("alchemy profile refresh {name}")),
        );
    }
    if let Some(sent) = looked.note.sent.as_ref().filter(|sent| since(sent.at) && is_past(sent.at)) {
        let ago = life(machine.now.duration_since(sent.at));
        let what = format!("a refresh of profile '{name}' was sent {ago} ago, and its answer not kept");
        let why = "a refresh token can be spent once: the session may be over";
        let mend = format!("alchemy profile refresh {name}");
        findings.push(Finding::note("refresh-unanswered", what).why(why).mend(mend));
    }
    let lacks = profile.sign_in.as_ref().map(SignIn::lacks).unwrap_or_default();
    if !lacks.is_empty() {
        let lacks: Vec<String> = lacks.into_iter().map(str::to_owned).collect();
        let what = format!("profile '{name}' was not granted all that it asked for: {}", few(&lacks));
        let why = "commands that need these fail with 'authentication error'";
        findings.push(Finding::problem("scopes-missing", what).why(why).mend(again(profile)));
    }
    findings
}

fn token(now: Timestamp, profile: &Profile) -> Option<Finding> {
    let expires = profile.token.as_ref()?.expires?;
    let (name, left) = (&profile.name, expires.duration_since(now));
    let mend = again(profile);
    if !left.is_positive() {
        let what = format!("the API token of profile '{name}' expired {} ago", life(-left));
        return Some(Finding::problem("token-expired", what).why("Cloudflare refuses it").mend(mend));
    }
    (left < SOON).then(|| {
        let what = format!("the API token of profile '{name}' expires in {}", life(left));
        Finding::note("token-expires-soon", what).why("Cloudflare refuses it from then on").mend(mend)
    })
}

/// Credentials that were not looked at, as that would ask a person or run commands of theirs. Of a keyring that
/// does not answer there is a finding already.
fn unasked(profiles: &[Looked]) -> Option<Finding> {
    let kept_otherwise = |profile: &&Profile| profile.store != StoreKind::Keyring;
    let unasked = profiles.iter().filter(|looked| looked.found.is_none() && !looked.listed.shadowed);
    let names = unasked.filter_map(|looked| looked.listed.profile.as_ref().ok()).filter(kept_otherwise);
    let names: Vec<String> = names.map(|profile| profile.name.to_string()).collect();
    let first = names.first()?;
    let what = format!("not looked at: the credentials of {}", few(&names));
    let why = "that would ask for a passphrase, or run the commands that keep them";
    Some(Finding::note("credential-unasked", what).why(why).mend(format!("alchemy whoami {first}")))
}

/// Names that both layouts have.
fn shadowed(profiles: &[Looked]) -> Vec<Finding> {
    let hidden = profiles.iter().filter(|looked| looked.listed.shadowed);
    hidden
        .map(|hidden| {
            let name = &hidden.listed.name;
            let own = profiles.iter().find(|looked| looked.listed.name == *name && !looked.listed.shadowed);
            let account = |looked: &Looked| looked.listed.profile.as_ref().ok().map(|p| p.account.id.clone());
            let differ = own.and_then(account).zip(account(hidden)).is_some_and(|(own, other)| own != other);
            let what = format!("both config.json and npm alchemy 2 have a profile '{name}'");
            let new = free_name(name, profiles);
            let mend = format!("alchemy profile rename {} {new}", shell::word(name));
            if differ {
                let why =
                    "they are of different accounts: npm's own commands use another one than alchemy does";
                return Finding::problem("profile-shadowed", what).why(why).mend(mend);
            }
            let why = "alchemy uses the one in config.json, npm alchemy 2 its own";
            Finding::note("profile-shadowed", what).why(why).mend(mend)
        })
        .collect()
}

/// A name that no profile has.
fn free_name(name: &str, profiles: &[Looked]) -> String {
    let taken = |new: &str| profiles.iter().any(|looked| looked.listed.name == new);
    let new = |count: usize| format!("{name}-{count}");
    let free = (1..100).map(new).find(|new| !taken(new) && ProfileName::parse(new).is_ok());
    free.unwrap_or_else(|| "NEW".to_owned())
}
