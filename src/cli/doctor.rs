//! `alchemy doctor`: gather what the themes of [`crate::doctor`] look at, and print, mend and judge what they
//! find.

use std::ffi::OsStr;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::hook::{Caller, PLACEHOLDER};
use super::store_arguments::ChosenStore;
use crate::directory::Here;
use crate::disk::generation;
use crate::doctor::binary::{Binary, Twin, known_twin, twin};
use crate::doctor::profiles::Looked;
use crate::doctor::shells::{Hooks, Printed};
use crate::doctor::{self, Finding, Level, Machine, environment, network, stores};
use crate::error::{Error, Result};
use crate::hook::render::Shell;
use crate::host::Host;
use crate::http::Endpoint;
use crate::http::probe::probe;
use crate::keyring::{Keyring, Params, Unlock};
use crate::launch;
use crate::profile::selection::select;
use crate::profile::{Profile, ProfileName, StoreKind};
use crate::release::release::endpoint_of;
use crate::release::selector::Selector;
use crate::store::settings::{Export, HOOK_EXPORT};
use crate::store::{Store, inspect};
use crate::terminal::{self, printable};

/// How long the program beside this one may take to say its version.
const PATIENCE: Duration = Duration::from_secs(2);

/// Look for what is wrong, and say what mends it
///
/// It changes nothing, asks nobody and shows no secret: what it prints can be pasted into an issue. The exit
/// code is 1 when there is a problem; notes are only to be known.
#[derive(Args)]
pub(super) struct Doctor {
    /// Mend what is safe to mend: modes of what is only yours, locks left behind, what npm moved away
    #[arg(long)]
    fix: bool,
    /// Ask no server
    #[arg(long)]
    offline: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let shown = |path: &Path| host.shown(path);
        let machine = Machine {
            home: &host.home,
            user_home: host.user_home(),
            uid: host.uid,
            now: host.started,
            variables: &host.variables,
            directory: &host.directory,
            shown: &shown,
        };
        let looking = host.home.look_only();
        let mut examined = Examined::new(host, &machine, None, self.offline);
        drop(looking);
        let mut done = Vec::new();
        let fixes: Vec<_> = examined.findings.iter().filter_map(|finding| finding.fix.clone()).collect();
        if self.fix && !fixes.is_empty() {
            for fix in &fixes {
                // What one of them has mended may be what another needs.
                let store = host.store(false).ok();
                match doctor::apply(&machine, fix, store.as_ref(), host.messages) {
                    Ok(text) => done.push(text),
                    Err(error) => host.messages.error(&error),
                }
            }
            let asked = examined.asked;
            let _looking = host.home.look_only();
            examined = Examined::new(host, &machine, Some(asked), self.offline);
        }
        if self.json {
            terminal::print_json(&examined.as_json(&machine, &done))?;
        } else {
            terminal::print(&examined.in_words(&machine, &done))?;
        }
        let problems = examined.findings.iter().filter(|finding| finding.level == Level::Problem);
        let mendable = problems.clone().filter(|finding| finding.fix.is_some()).count();
        match problems.count() {
            0 => Ok(()),
            count => {
                let error = Error::new(match count {
                    1 => "there is 1 problem".to_owned(),
                    _ => format!("there are {count} problems"),
                });
                Err(match mendable {
                    0 => error.hint("each has its own command that mends it"),
                    _ => error.hint(format!("alchemy doctor --fix mends {mendable} of them")),
                })
            }
        }
    }
}

/// The machine as it was found.
struct Examined {
    facts: Vec<(&'static str, Vec<String>)>,
    findings: Vec<Finding>,
    asked: Vec<network::ServerAnswer>,
}

impl Examined {
    /// Looks at everything. `asked` is what the servers said already.
    fn new(host: &Host, machine: &Machine, asked: Option<Vec<network::ServerAnswer>>, offline: bool) -> Self {
        let binary = this_binary();
        let keyring = ask_keyring(host);
        let profiles = look_at_profiles(host, keyring.answer.is_ok());
        let selector = Selector::of(host);
        let here = selector.look();
        let known: &[Looked] = profiles.as_deref().unwrap_or_default();
        let selected = selected(&selector, here.as_ref().ok().copied(), known);
        let exists = |name: &str| profiles.is_err() || known.iter().any(|looked| looked.listed.name == name);
        let hooks = hooks(host);
        let asked = match asked {
            Some(asked) => asked,
            None if offline => Vec::new(),
            None => ask_servers(host, known),
        };

        let mut findings = doctor::binary::check(machine, &binary);
        findings.extend(doctor::home::check(machine));
        findings.extend(stores::documents(machine));
        findings.extend(stores::put_aside(machine));
        let kept = |kind| {
            let of_kind = known.iter().filter_map(|looked| looked.listed.profile.as_ref().ok());
            of_kind.filter(move |profile: &&Profile| profile.store == kind)
        };
        let in_keyring: Vec<String> =
            kept(StoreKind::Keyring).map(|profile| profile.name.to_string()).collect();
        findings.extend(stores::keyring(&keyring, &in_keyring));
        findings.extend(doctor::locks::check(machine));
        findings.extend(match &profiles {
            Ok(profiles) => doctor::profiles::check(machine, profiles),
            Err(error) => vec![doctor::profiles::unchecked(error)],
        });
        let environment = environment::Known {
            names: profiles.as_ref().ok().map(|all| all.iter().map(|it| it.listed.name.as_str()).collect()),
            also: known
                .iter()
                .filter_map(|looked| looked.listed.profile.as_ref().ok())
                .flat_map(|profile| profile.also.iter().map(String::as_str))
                .collect(),
            account: selected.map(|profile| profile.account.id.as_str()),
            refused: refused(host),
        };
        findings.extend(environment::check(machine, &environment));
        findings.extend(doctor::directory::here(machine, &here, selected, &exists));
        findings.extend(doctor::directory::hazards(machine, selected));
        findings.extend(doctor::directory::bindings(machine, &here, &exists));
        findings.extend(doctor::directory::trust(machine));
        findings.extend(doctor::shells::check(machine, &hooks));
        findings.extend(asked.iter().filter_map(|asked| network::check(machine, asked)));
        let mut findings: Vec<Finding> = findings.into_iter().map(|finding| machine.tidy(finding)).collect();
        findings.sort_by_key(|finding| finding.level);

        let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        let stores = known.iter().filter_map(|looked| looked.listed.profile.as_ref().ok()).map(|p| &p.store);
        let path = binary
            .path
            .as_deref()
            .map_or_else(|_| "at an unknown path".to_owned(), |path| machine.show(path));
        let facts = vec![
            ("alchemy", vec![format!("{} ({system}), {path}", binary.version)]),
            ("home", vec![machine.show(host.home.root())]),
            ("profiles", vec![stores::counted(stores)]),
            ("keyring", vec![keyring.in_words()]),
            ("hooks", doctor::shells::in_words(machine, &hooks)),
            ("network", asked.iter().map(|asked| asked.in_words(machine)).collect()),
        ];
        Self { facts, findings, asked }
    }

    fn in_words(&self, machine: &Machine, done: &[String]) -> String {
        let mut out = String::new();
        for (name, values) in &self.facts {
            let values = if values.is_empty() { "none".to_owned() } else { values.join("; ") };
            let _ = writeln!(out, "{name:9} {}", printable(&values));
        }
        for text in done {
            let _ = writeln!(out, "\nmended: {}", printable(&tidied(machine, text)));
        }
        for Finding { id, level, what, why, mend, .. } in &self.findings {
            let level = if *level == Level::Problem { "problem" } else { "note" };
            let _ = writeln!(out, "\n{level}: {} [{id}]", printable(what));
            let _ = writeln!(out, "  why:  {}", printable(why));
            let _ = writeln!(out, "  mend: {}", printable(mend));
        }
        if !self.findings.iter().any(|finding| finding.level == Level::Problem) {
            out.push_str("\nnothing is wrong\n");
        }
        out
    }

    fn as_json(&self, machine: &Machine, done: &[String]) -> Value {
        let facts: serde_json::Map<String, Value> =
            self.facts.iter().map(|(name, values)| ((*name).to_owned(), json!(values))).collect();
        let findings = self.findings.iter().map(|finding| {
            let mut value = json!(finding);
            value["fixable"] = finding.fix.is_some().into();
            value
        });
        let done: Vec<String> = done.iter().map(|text| tidied(machine, text)).collect();
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "facts": facts,
            "findings": findings.collect::<Vec<_>>(),
            "mended": done,
        })
    }
}

fn tidied(machine: &Machine, text: &str) -> String {
    machine.tidy(Finding::note("mended", text)).what
}

fn this_binary() -> Binary {
    let failed = |error: std::io::Error| Error::io("find", Path::new("/proc/self/exe"), &error);
    let path = std::env::current_exe().and_then(|path| path.canonicalize()).map_err(failed);
    let version = |twin: PathBuf| {
        let said = launch::detached(&twin, &["--version"], PATIENCE).ok().flatten();
        let said = said.map(|said| String::from_utf8_lossy(&said).into_owned()).unwrap_or_default();
        said.trim().strip_prefix("alchemy ").unwrap_or_default().to_owned()
    };
    let own_version = env!("CARGO_PKG_VERSION");
    let asked = |own: &PathBuf| {
        let twin = Some(twin(own)).filter(|twin| twin.is_file())?;
        Some(known_twin(&twin, own, own_version).unwrap_or_else(|| Twin::Said(version(twin))))
    };
    let twin = path.as_ref().ok().and_then(asked);
    Binary { version: own_version, path, twin }
}

fn ask_keyring(host: &Host) -> stores::KeyringAnswer {
    let started = Instant::now();
    let params = Params { bus: host.session_bus(), unlock: Unlock::Never };
    let answer = Keyring::open(&params).and_then(|keyring| keyring.probe());
    stores::KeyringAnswer { answer, took: started.elapsed() }
}

/// All profiles, and what is known of each one's credential. The keyring is asked where it `answers`.
fn look_at_profiles(host: &Host, answers: bool) -> Result<Vec<Looked>> {
    let store = host.store(false)?;
    let listed = store.list()?.into_iter().map(|listed| {
        let profile = listed.profile.as_ref().ok().filter(|_| !listed.shadowed);
        let reachable = profile.filter(|profile| match profile.store {
            StoreKind::Keyring => answers,
            // Neither a passphrase nor whatever the person's own commands may ask for.
            StoreKind::Encrypted(_) => store.is_open(profile),
            StoreKind::Command(_) => false,
            StoreKind::File | StoreKind::Npm => true,
        });
        let found = reachable.map(|profile| store.look(profile));
        let moved = profile.and_then(|profile| store.moved_away(profile));
        let changed = profile.and_then(|profile| changed(&store, profile));
        let note = profile.map(|profile| inspect::note(&host.home, &profile.name)).unwrap_or_default();
        Looked { listed, found, moved, changed, note }
    });
    Ok(listed.collect())
}

/// When a profile or its credential was changed last: by us, or by whoever wrote its file.
fn changed(store: &Store, profile: &Profile) -> Option<Timestamp> {
    let ours = generation::changed(store.home(), &profile.name);
    let written = store.file(profile).and_then(|file| file.metadata().ok()?.modified().ok());
    let written = written.and_then(|at| Timestamp::try_from(at).ok());
    ours.into_iter().chain(written).max()
}

/// The profile that applies in the working directory, as far as nothing is wrong with that.
fn selected<'a>(selector: &Selector, here: Option<&Here>, known: &'a [Looked]) -> Option<&'a Profile> {
    let by_name = selector.with_named(None, select).ok()?.map(|selection| selection.name);
    let name = by_name.or_else(|| here?.choice.as_ref().map(|choice| choice.name.clone()));
    let name = name.unwrap_or_else(ProfileName::default);
    let profiles = known.iter().filter(|looked| !looked.listed.shadowed);
    profiles.filter_map(|looked| looked.listed.profile.as_ref().ok()).find(|profile| profile.name == name)
}

/// Variables of ours that cannot be understood, and what they must be.
fn refused(host: &Host) -> Vec<(&'static str, &'static str)> {
    let wrong = |name: &'static str, must: &'static str, is_right: &dyn Fn(&str) -> bool| {
        host.variable(name).is_some_and(|value| !value.to_str().is_some_and(is_right)).then_some((name, must))
    };
    let settings = [
        wrong("ALCHEMY_MIN_TTL", "a length of time: 90, 90s or 15m", &|text| super::time(text).is_ok()),
        wrong("ALCHEMY_STORE", "the name of a store", &|text| ChosenStore::from_str(text, false).is_ok()),
        wrong(HOOK_EXPORT, "'profile' or 'credential'", &|text| Export::parse(text, HOOK_EXPORT).is_ok()),
    ];
    settings.into_iter().flatten().collect()
}

fn hooks(host: &Host) -> Hooks {
    let printed = |caller: Caller| {
        let shell = if let Caller::Shell(shell) = caller { Some(shell) } else { None };
        Printed { shell, template: caller.script().into_owned() }
    };
    let saved = [Caller::Shell(Shell::Nu), Caller::Shell(Shell::Fish), Caller::Direnv];
    let path = host.variable("PATH");
    Hooks {
        binary: host.binary().unwrap_or_else(|_| PathBuf::from("alchemy")),
        placeholder: PLACEHOLDER,
        printed: saved.map(printed).into(),
        direnv: launch::find(OsStr::new("direnv"), path, &host.directory).is_ok(),
    }
}

/// Asks each server that a profile is for, once; without profiles, Cloudflare's.
fn ask_servers(host: &Host, known: &[Looked]) -> Vec<network::ServerAnswer> {
    let mut endpoints: Vec<(Endpoint, Vec<String>)> = Vec::new();
    for profile in known.iter().filter_map(|looked| looked.listed.profile.as_ref().ok()) {
        let (endpoint, _) = endpoint_of(host, profile);
        let name = profile.name.to_string();
        match endpoints.iter_mut().find(|(known, _)| *known == endpoint) {
            Some((_, names)) => names.push(name),
            None => endpoints.push((endpoint, vec![name])),
        }
    }
    if endpoints.is_empty() {
        endpoints.push((Endpoint::cloudflare(), Vec::new()));
    }
    let ask = |(endpoint, profiles): (Endpoint, Vec<String>)| {
        let probe = probe(&endpoint, &host.network());
        network::ServerAnswer { endpoint, profiles, probe, now: Timestamp::now() }
    };
    endpoints.into_iter().map(ask).collect()
}
