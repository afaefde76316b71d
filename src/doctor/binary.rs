//! The program itself: which one it is, which others have its name, and its twin for package scripts.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::{Finding, Machine};
use crate::error::Error;

/// The name under which the binary is `alchemy exec`.
pub(crate) const EXEC: &str = "alchemy-exec";
const NAME: &str = "alchemy";

/// What the edge knows of the program.
pub(crate) struct Binary {
    /// Its version.
    pub version: &'static str,
    /// Its file, by its real path (`/proc/self/exe`); or why nobody knows it.
    pub path: Result<PathBuf, Error>,
    /// What the `alchemy-exec` beside it says that it is; `None` where there is none.
    pub twin: Option<Twin>,
}

/// The program beside this one.
pub(crate) enum Twin {
    /// It was run, and said that it is of this version.
    Said(String),
    /// It was not run, as it or its folder is another's, or open to all.
    Foreign(String),
    /// It was not run, as a group can change it or its folder; many have that group to themselves.
    OfGroup,
}

/// What can be said of a twin without running it: that it is this program itself; or that it is not to be run, as
/// others than us and root own it or its folder, or can change it.
pub(crate) fn known_twin(twin: &Path, own: &Path, version: &str) -> Option<Twin> {
    if is_same(twin, own) {
        return Some(Twin::Said(version.to_owned()));
    }
    let us = geteuid().as_raw();
    let real = twin.canonicalize().ok()?;
    let mut of_group = None;
    for path in [Some(real.as_path()), real.parent()].into_iter().flatten() {
        let metadata = fs::metadata(path).ok()?;
        let it = if metadata.is_dir() { "its folder" } else { "it" };
        if ![0, us].contains(&metadata.uid()) {
            return Some(Twin::Foreign(format!("{it} belongs to user {}", metadata.uid())));
        }
        if metadata.mode() & 0o002 != 0 {
            return Some(Twin::Foreign(format!("everybody can change {it}")));
        }
        if metadata.mode() & 0o020 != 0 {
            of_group = Some(Twin::OfGroup);
        }
    }
    of_group
}

/// Where the twin belongs.
pub(crate) fn twin(path: &Path) -> PathBuf {
    path.with_file_name(EXEC)
}

/// What is off with it.
pub(crate) fn check(machine: &Machine, binary: &Binary) -> Vec<Finding> {
    let path = match &binary.path {
        Ok(path) => path,
        Err(error) => {
            let why = "so what else is in PATH was not compared with it";
            let finding = Finding::note("binary-unknown", error.to_string()).why(why);
            return vec![finding.mend("ls -l /proc/self/exe")];
        }
    };
    let mut findings = others(machine, path);
    let folder = path.parent().unwrap_or(path);
    let in_path = machine.path_folders().any(|folder| is_program(&folder.join(EXEC)));
    let why =
        "inside package scripts 'alchemy' is node_modules/.bin's: alchemy-exec is the name of ours there";
    let link = format!("ln -sf {NAME} {}", machine.word(&folder.join(EXEC)));
    match &binary.twin {
        None if !in_path => {
            let what = format!("there is no {EXEC} beside {}", machine.show(path));
            findings.push(Finding::problem("exec-missing", what).why(why).mend(link));
        }
        Some(Twin::Foreign(reason)) => {
            let what = format!("{EXEC} beside {} was not run: {reason}", machine.show(path));
            let why = "who can change it can run anything as you, in each package script that calls it";
            findings.push(Finding::problem("exec-foreign", what).why(why).mend(link));
        }
        Some(Twin::OfGroup) => {
            let what = format!(
                "{EXEC} beside {} was not asked for its version: its group can change it",
                machine.show(path)
            );
            let why = "who can change it can run anything as you, in each package script that calls it";
            let mend = format!("chmod go-w {} {}", machine.word(&folder.join(EXEC)), machine.word(folder));
            findings.push(Finding::note("exec-group", what).why(why).mend(mend));
        }
        Some(Twin::Said(said)) if *said != binary.version => {
            let said = if said.is_empty() { "of no version that it tells" } else { said };
            let what = format!("{EXEC} beside {} is {said}, not {}", machine.show(path), binary.version);
            findings.push(Finding::problem("exec-version", what).why(why).mend(link));
        }
        _ => {}
    }
    findings
}

/// Programs of the same name in `PATH`.
fn others(machine: &Machine, path: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut ours_seen = false;
    let mut seen: Vec<PathBuf> = Vec::new();
    let folder = path.parent().unwrap_or(path);
    for candidate in machine.path_folders().map(|folder| folder.join(NAME)).filter(|path| is_program(path)) {
        let real = candidate.canonicalize().unwrap_or_else(|_| candidate.clone());
        if is_same(&real, path) {
            ours_seen = true;
            continue;
        }
        if seen.contains(&real) {
            continue;
        }
        let shown = machine.show(&candidate);
        let npms = is_npms(&real);
        let first = format!("export PATH={}:\"$PATH\"", machine.word(folder));
        // Where package scripts look first; no order of PATH helps there.
        let in_scripts = candidate.parent().is_some_and(|folder| folder.ends_with("node_modules/.bin"));
        findings.push(match (ours_seen || in_scripts, npms) {
            (false, true) => {
                let what = format!("npm's alchemy comes first in PATH: {shown}");
                let why = "the name 'alchemy' means that one in this shell (inside package scripts it always \
                           does: ours is alchemy-exec there)";
                Finding::problem("npm-alchemy-first", what).why(why).mend(first)
            }
            (false, false) => {
                let what = format!("another alchemy comes first in PATH: {shown}");
                let why = "the name 'alchemy' means that one in this shell";
                Finding::problem("other-alchemy-first", what).why(why).mend(first)
            }
            (true, true) => {
                let what = format!("npm's alchemy is in PATH as well: {shown}");
                let why = "inside package scripts, and where node_modules/.bin comes first, the name 'alchemy' \
                           is npm's: ours is alchemy-exec there";
                Finding::note("npm-alchemy", what).why(why).mend("alchemy-exec PROFILE -- COMMAND")
            }
            (true, false) => {
                let what = format!("another alchemy is in PATH, after this one: {shown}");
                let why = "an update of that one changes nothing here";
                Finding::note("other-alchemy", what).why(why).mend(format!("rm {}", machine.word(&candidate)))
            }
        });
        seen.push(real);
    }
    if !ours_seen {
        let what = format!("{} is not in PATH", machine.show(folder));
        let why = "the name 'alchemy' does not mean this program, nor 'alchemy-exec' its twin";
        let mend = format!("export PATH={}:\"$PATH\"", machine.word(folder));
        // Where another has the name, that is what is wrong.
        if findings.is_empty() {
            findings.push(Finding::note("not-in-path", what).why(why).mend(mend));
        }
    }
    findings
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The same file, under whatever names.
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
    a == b || id(a).is_some_and(|a| Some(a) == id(b))
}

/// Whether it is npm's: a file of a package, or a script for a JavaScript engine.
fn is_npms(real: &Path) -> bool {
    if real.components().any(|part| part.as_os_str() == "node_modules") {
        return true;
    }
    let mut start = [0; 64];
    let length = File::open(real).and_then(|mut file| file.read(&mut start)).unwrap_or_default();
    let start = String::from_utf8_lossy(&start[..length]);
    let line = start.lines().next().unwrap_or_default();
    line.starts_with("#!") && ["node", "bun", "deno"].iter().any(|engine| line.contains(engine))
}
