//! The directories: what the working directory selects and guards, and what is written down of others.

use super::{Finding, Machine};
use crate::clients::hazards::{CHOOSES_ENVIRONMENT, Given, Hazard, Look, Scene};
use crate::clients::leads::Leads;
use crate::directory::bindings::Bindings;
use crate::directory::mark::ENVRC;
use crate::directory::trust::Trusted;
use crate::directory::{Ask, Here, How, project_file};
use crate::error::Error;
use crate::profile::{Account, Method, Profile};

/// What is off with the working directory. `selected` is the profile that applies in it, where there is one;
/// `exists` tells which there are, or that nobody knows.
pub(crate) fn here(
    machine: &Machine,
    here: &Result<&Here, Error>,
    selected: Option<&Profile>,
    exists: &dyn Fn(&str) -> bool,
) -> Vec<Finding> {
    // A document of ours that cannot be understood is found among the stores.
    let Ok(here) = here else { return Vec::new() };
    let mut findings = Vec::new();
    if let Some(error) = &here.broken {
        let why = "nobody knows which account it guards, so nothing runs below it";
        findings.push(Finding::of("pin-broken", error).why(why));
    }
    if let Some(Ask { name, pin, .. }) = here.asks.as_ref().filter(|ask| !ask.denied) {
        let what = format!("{} asks for profile '{name}', and is not allowed", machine.show(pin));
        let folder = machine.word(pin.parent().unwrap_or(pin));
        let mend = format!("alchemy allow {folder}   # or: alchemy deny {folder}");
        findings.push(if here.choice.is_none() {
            let why = "without a profile by name no command runs here";
            Finding::problem("pin-not-allowed", what).why(why).mend(mend)
        } else {
            Finding::note("pin-not-allowed", what).why("what is above it selects instead").mend(mend)
        });
    }
    if let Some(choice) = here.choice.as_ref().filter(|choice| !exists(choice.name.as_str())) {
        let at = machine.show(&choice.at);
        let what = match choice.how {
            How::Bound => format!("{at} is bound to profile '{}', which is not there", choice.name),
            How::Pinned => {
                format!("{at}/{} names profile '{}', which is not there", project_file::NAME, choice.name)
            }
            How::Envrc => format!("{at}/{ENVRC} names profile '{}', which is not there", choice.name),
        };
        let mend = format!("alchemy configure -p {}", choice.name);
        findings.push(Finding::problem("profile-missing", what).why("no command runs here").mend(mend));
    }
    if let (Some(guard), Some(profile)) = (&here.guard, selected)
        && guard.account != profile.account.id
    {
        let what = format!(
            "{} is for another account than that of profile '{}', which applies here",
            machine.show(&guard.pin),
            profile.name
        );
        let why = "no credential leaves for it here";
        findings.push(
            Finding::problem("pin-account", what)
                .why(why)
                .mend("alchemy use PROFILE   # one of that account"),
        );
    }
    for note in &here.notes {
        let why = "it counts for nothing: somebody else could change it";
        findings
            .push(Finding::note("pin-ignored", note).why(why).mend("see whose it is: ls -l .alchemy.toml"));
    }
    findings
}

/// What lies in the working directory and outranks the credential of the profile that applies in it, or its
/// account, in programs that are run through alchemy, too.
pub(crate) fn hazards(machine: &Machine, selected: Option<&Profile>) -> Vec<Finding> {
    let Some(profile) = selected else { return Vec::new() };
    // Its name may be an e-mail.
    let account = Account { id: profile.account.id.clone(), name: String::new() };
    let given = if profile.method == Method::ApiKey { Given::Key } else { Given::Token };
    let scene = Scene {
        home: machine.user_home,
        given,
        account: Some(&account),
        environment: machine.text(CHOOSES_ENVIRONMENT),
        mode: machine.text("NODE_ENV"),
        turbo_mode: None,
        blank_key: false,
        client: None,
    };
    let finding = |hazard: Hazard| {
        let file = hazard.file.as_deref().unwrap_or(machine.directory);
        let mend = match hazard.line {
            Some(line) => format!("take line {line} out of {}, or correct it", machine.show(file)),
            None => format!("look into it: ls -l {}", machine.word(file)),
        };
        let why = "what is run here acts with that; alchemy exec warns of it, and with --strict refuses";
        Finding::problem("hazard", hazard.told(&|path| machine.show(path))).why(why).mend(mend)
    };
    let leads = Leads::of(&[], machine.directory, machine.user_home, false);
    Look::new(&scene, &leads).evident().into_iter().map(finding).collect()
}

/// Bindings that point nowhere. `exists` as above; what selects here is found there.
pub(crate) fn bindings(
    machine: &Machine,
    here: &Result<&Here, Error>,
    exists: &dyn Fn(&str) -> bool,
) -> Vec<Finding> {
    let Ok(bindings) = Bindings::load(machine.home) else { return Vec::new() };
    let chosen = here.as_ref().ok().and_then(|here| here.choice.as_ref()).map(|choice| choice.at.as_path());
    let finding = |(directory, name): (&std::path::Path, &str)| {
        let shown = machine.show(directory);
        let away = format!("alchemy use --unset {}", machine.word(directory));
        if !directory.is_dir() {
            let what = format!("{shown} is bound to profile '{name}', and gone");
            let why = "a directory that is made there later would be bound";
            return Some(Finding::note("binding-gone", what).why(why).mend(away));
        }
        (!exists(name) && chosen != Some(directory)).then(|| {
            let what = format!("{shown} is bound to profile '{name}', which is not there");
            Finding::problem("binding-profile-missing", what).why("no command runs there").mend(away)
        })
    };
    bindings.iter().filter_map(finding).collect()
}

/// Pin files that were allowed or denied and are there no more, or say something else by now.
pub(crate) fn trust(machine: &Machine) -> Option<Finding> {
    let trusted = Trusted::load(machine.home).ok()?;
    let gone: Vec<String> =
        trusted.iter().filter(|(path, ..)| !path.is_file()).map(|(path, ..)| machine.show(path)).collect();
    (!gone.is_empty()).then(|| {
        let what = format!("pin files that you have judged are gone: {}", super::few(&gone));
        let why = "a file of the same text that is put there later would be trusted";
        Finding::note("trust-gone", what).why(why).mend("alchemy allow --prune")
    })
}

/// Whether the `.envrc` that direnv would load here has `use alchemy` in it; the file.
pub(crate) fn envrc(machine: &Machine) -> Option<std::path::PathBuf> {
    let envrc = machine.directory.ancestors().map(|at| at.join(".envrc")).find(|path| path.is_file())?;
    let text = super::rc::text(&envrc)?;
    let uses = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next(), words.next()) == (Some("use"), Some("alchemy"))
            || line.trim_start().starts_with("use_alchemy")
    };
    text.lines().any(uses).then_some(envrc)
}
