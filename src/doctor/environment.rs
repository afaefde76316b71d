//! The environment: what is set by hand and outranks, replaces or redirects a credential in some program.
//!
//! `alchemy exec` and the hooks take all of it away from what they start (`environment::removed`); what else is
//! started from this shell sees it. What the hook itself has set is not by hand.

use super::{Finding, Machine};
use crate::clients::programs::{OWN, REDIRECTS};
use crate::directory::mark::ActiveMark;
use crate::environment::{
    ACCOUNT_ID, ACTIVE, API_BASE_URL, API_KEY, API_TOKEN, BASE_URL, DEFAULT_ACCOUNT_ID, PROFILE, removed,
};
use crate::http::Endpoint;
use crate::profile::ProfileName;
use crate::profile::selection::Named;

/// What is known of the profiles.
pub(crate) struct Known<'a> {
    /// The names that there are; `None` where nobody knows.
    pub names: Option<Vec<&'a str>>,
    /// The further names under which profiles repeat their token.
    pub also: Vec<&'a str>,
    /// The account of the profile that is selected here.
    pub account: Option<&'a str>,
    /// Variables of our own that the edge does not understand, and what each must be.
    pub refused: Vec<(&'static str, &'static str)>,
}

/// What is off with the environment.
pub(crate) fn check(machine: &Machine, known: &Known) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(redirects(machine));
    findings.extend(others(machine, known));
    findings.extend(credential(machine));
    findings.extend(account(machine, known));
    findings.extend(selection(machine, known));
    findings.extend(home(machine));
    findings.extend(settings(known));
    findings
}

fn unset(finding: Finding, name: &str) -> Finding {
    finding.mend(format!("unset {name}"))
}

/// Whether alchemy gave this shell what it has: then nothing of that is by hand.
fn is_given(machine: &Machine) -> bool {
    machine.variable(PROFILE).is_some()
        && (machine.variable(API_TOKEN).is_some() || machine.variable(API_KEY).is_some())
}

fn redirects(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in [API_BASE_URL, BASE_URL].into_iter().chain(REDIRECTS) {
        let Some(value) = machine.variable(name) else { continue };
        let url = value.to_str().and_then(|text| Endpoint::parse(text).ok());
        let is_ours = [API_BASE_URL, BASE_URL].contains(&name) && is_given(machine);
        if is_ours || url.as_ref().is_some_and(Endpoint::is_cloudflare) {
            continue;
        }
        let what = format!("{name} is set");
        let finding = if url.is_some_and(|url| url.is_loopback()) {
            let why = "it leads to this machine, and counts for alchemy's own requests, too";
            Finding::note("env-redirect", what).why(why)
        } else {
            let why = "programs that are not run through alchemy send their credential where it says";
            Finding::problem("env-redirect", what).why(why)
        };
        findings.push(unset(finding, name));
    }
    findings
}

/// Whether a variable of ours has a finding of its own, or is for those who start alchemy.
fn is_told_elsewhere(name: &str) -> bool {
    OWN.contains(&name) && name != "ALCHEMY_PASSPHRASE"
}

/// The credentials and headers of other names that some client prefers.
fn others(machine: &Machine, known: &Known) -> Vec<Finding> {
    let others = removed().into_iter().filter(|name| !REDIRECTS.contains(name) && !is_told_elsewhere(name));
    let set = others.filter(|name| machine.variable(name).is_some());
    let by_hand = set.filter(|name| !(is_given(machine) && known.also.contains(name)));
    by_hand
        .map(|name| {
            let what = format!("{name} is set");
            let why = "some programs use it before, or instead of, the profile's credential; alchemy exec takes \
                       it away";
            unset(Finding::note("env-other-credential", what).why(why), name)
        })
        .collect()
}

fn credential(machine: &Machine) -> Option<Finding> {
    let set = |name: &str| machine.variable(name).is_some();
    match (set(API_TOKEN), set(API_KEY)) {
        (true, true) => {
            let what = format!("both {API_TOKEN} and {API_KEY} are set");
            let why = "programs differ in which of the two they use";
            Some(unset(Finding::problem("env-two-credentials", what).why(why), API_KEY))
        }
        (token, key) if (token || key) && !is_given(machine) => {
            let name = if token { API_TOKEN } else { API_KEY };
            let what = format!("{name} is set, and not by alchemy");
            let why = "programs that are not run through alchemy use it, whatever the profile is";
            Some(unset(Finding::note("env-credential", what).why(why), name))
        }
        _ => None,
    }
}

fn account(machine: &Machine, known: &Known) -> Vec<Finding> {
    let Some(account) = known.account else { return Vec::new() };
    let is_other = |name: &&str| machine.text(name).is_some_and(|set| !set.eq_ignore_ascii_case(account));
    let finding = |name| {
        let what = format!("{name} is another account than that of the profile that applies here");
        let why = "programs that are not run through alchemy use it; alchemy exec sets the profile's";
        unset(Finding::note("env-account", what).why(why), name)
    };
    [ACCOUNT_ID, DEFAULT_ACCOUNT_ID].into_iter().filter(is_other).map(finding).collect()
}

/// What names a profile.
fn selection(machine: &Machine, known: &Known) -> Vec<Finding> {
    let mut findings = Vec::new();
    let text = |name: &str| machine.variable(name).map(|value| value.to_string_lossy());
    let (cloudflare, alchemy, active) = (text("CLOUDFLARE_PROFILE"), text(PROFILE), text(ACTIVE));
    let named = Named {
        command_line: None,
        cloudflare_profile: cloudflare.as_deref(),
        alchemy_profile: alchemy.as_deref(),
        active: active.as_deref(),
    };
    let by_hand = alchemy.as_deref().filter(|_| !named.is_from_directory());
    if let (Some(first), Some(second)) = (cloudflare.as_deref(), by_hand)
        && first != second
    {
        let what = "CLOUDFLARE_PROFILE and ALCHEMY_PROFILE name two profiles";
        let why = "the first wins, and other programs may know only the second";
        findings.push(unset(Finding::problem("env-two-profiles", what).why(why), PROFILE));
    }
    for (name, value) in [("CLOUDFLARE_PROFILE", cloudflare.as_deref()), (PROFILE, by_hand)] {
        let Some(value) = value else { continue };
        let missing = known.names.as_ref().is_some_and(|names| !names.contains(&value));
        if missing || ProfileName::parse(value).is_err() {
            let what = format!("{name} names a profile that is not there");
            let why = "every command that names none fails, wherever it is run";
            findings.push(unset(Finding::problem("env-profile-missing", what).why(why), name));
        }
    }
    if let Some((_, active)) = machine.variables.iter().find(|(name, _)| name == ACTIVE) {
        let active = active.to_string_lossy();
        let is_here =
            ActiveMark::parse(&active).is_some_and(|mark| machine.directory.starts_with(mark.directory));
        if !is_here {
            let state = if active.is_empty() { "empty" } else { "of another directory" };
            let what = format!("{ACTIVE} is {state}");
            let why = "it is for the hook and direnv alone: was it inherited, or set by hand?";
            findings.push(unset(Finding::note("env-active", what).why(why), ACTIVE));
        }
    }
    findings
}

fn home(machine: &Machine) -> Option<Finding> {
    machine.variable("ALCHEMY_HOME")?;
    let root = machine.home.root();
    let what = if !root.exists() {
        "ALCHEMY_HOME is a folder that is not there"
    } else if root.join(".alchemy").is_dir() {
        "ALCHEMY_HOME is a folder that has an .alchemy in it, and not that one"
    } else {
        return None;
    };
    let why = "the profiles of ~/.alchemy are out of sight with it";
    Some(unset(Finding::note("env-home", what).why(why), "ALCHEMY_HOME"))
}

/// Our own settings that nobody can understand.
fn settings(known: &Known) -> Vec<Finding> {
    let finding = |(name, must): &(&'static str, &'static str)| {
        let finding = Finding::problem("env-setting", format!("{name} is not understood"));
        unset(finding.why(format!("it must be {must}; commands that read it fail")), name)
    };
    known.refused.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::path::Path;

    use super::*;
    use crate::disk::home::Home;

    fn ids(variables: &[(&str, &str)]) -> Vec<String> {
        let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        let variables: Vec<_> = variables.iter().map(pair).collect();
        let home = Home::new(None, Path::new("/home/me"), None);
        let machine = Machine {
            home: &home,
            user_home: Path::new("/home/me"),
            uid: 1000,
            now: jiff::Timestamp::UNIX_EPOCH,
            variables: &variables,
            directory: Path::new("/code/acme/src"),
            shown: &|path| path.display().to_string(),
        };
        let known = Known {
            names: Some(vec!["prod", "beta"]),
            also: vec!["CF_API_TOKEN"],
            account: Some("aaaa"),
            refused: vec![],
        };
        let level = |finding: &Finding| if finding.level == super::super::Level::Note { "?" } else { "!" };
        check(&machine, &known).iter().map(|finding| format!("{}{}", finding.id, level(finding))).collect()
    }

    #[test]
    fn what_is_set_by_hand_is_told_from_what_the_hook_has_set() {
        let hooked = [
            (PROFILE, "prod"),
            (ACTIVE, "/code/acme:prod"),
            (API_TOKEN, "hunter2"),
            (ACCOUNT_ID, "AAAA"),
            (API_BASE_URL, "http://127.0.0.1:1"),
            ("CF_API_TOKEN", "hunter2"),
        ];
        assert!(ids(&[]).is_empty() && ids(&hooked).is_empty(), "{:?}", ids(&hooked));
        assert!(ids(&[(API_TOKEN, ""), (API_BASE_URL, "https://api.cloudflare.com/client/v4/")]).is_empty());
        for (variables, expected) in [
            (vec![(API_TOKEN, "hunter2")], vec!["env-credential?"]),
            (vec![("CF_API_TOKEN", "hunter2")], vec!["env-other-credential?"]),
            (vec![(API_TOKEN, "x"), (API_KEY, "y")], vec!["env-two-credentials!"]),
            (vec![(BASE_URL, "https://evil.example")], vec!["env-redirect!"]),
            (vec![(BASE_URL, "http://127.0.0.1:9")], vec!["env-redirect?"]),
            (vec![("WRANGLER_API_ENVIRONMENT", "staging")], vec!["env-redirect!"]),
            (vec![(ACCOUNT_ID, "bbbb")], vec!["env-account?"]),
            (vec![(DEFAULT_ACCOUNT_ID, "bbbb")], vec!["env-account?"]),
            (vec![("CF_Token", "hunter2")], vec!["env-other-credential?"]),
            (vec![("CF_API_URL", "https://evil.example")], vec!["env-redirect!"]),
            (vec![(PROFILE, "prod"), ("CLOUDFLARE_PROFILE", "beta")], vec!["env-two-profiles!"]),
            (vec![(PROFILE, "prd")], vec!["env-profile-missing!"]),
            (vec![(ACTIVE, "/code/beta:beta")], vec!["env-active?"]),
        ] {
            assert_eq!(ids(&variables), expected, "{variables:?}");
        }
    }
}
