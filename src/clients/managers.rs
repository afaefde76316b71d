//! Calls of managers of packages, and of what runs a script in many packages: which scripts and programs they run, in
//! which folders.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::leads::{At, DEPTH, Level, NAMES, Value, Walk, real};
use super::options::Parsed;
use super::packages::{NAME as PACKAGE, Package, Workspace, nearest};
use super::programs::{EnvFiles, Filter, Program, Verbs, called};
use super::words::Word;

/// The commands of turbo that run no tasks.
const TURBO_WITHOUT_TASKS: [&str; 11] =
    ["ls", "prune", "login", "logout", "link", "unlink", "daemon", "gen", "generate", "query", "info"];

impl Walk<'_> {
    pub(super) fn manager(&mut self, program: &'static Program, verbs: &Verbs, words: &[Word], at: &At) {
        let words = words.get(1..).unwrap_or_default();
        let parsed = Parsed::of(program, &[], words, false);
        let start = self.enter(parsed.folder.as_ref(), at);
        let mut at = At { folder: start, ..at.clone() };
        if program.name == "pnpm"
            && parsed.has(&["-w", "--workspace-root"])
            && let Some(root) = self.workspace(&at.folder).root.clone()
        {
            self.reach(&root, Level::Reached);
            at.folder = real(&root);
        }
        let package = nearest(&at.folder, self.home).map(Path::to_owned);
        if !program.rules.is_empty() && !parsed.env_files.is_empty() {
            let visit = self.visit(program, &parsed, &at.folder, &at);
            self.leads.visits.push(visit);
        }
        let mut positionals = parsed.positionals.iter().map(|(place, _)| *place);
        let mut is_in_all = parsed.has_all_packages(program);
        let mut place = positionals.next();
        let is_recursive = |place: usize| {
            words.get(place).is_some_and(|word| matches!(word.str(), "recursive" | "multi" | "m"))
        };
        if program.name == "pnpm" && place.is_some_and(is_recursive) {
            is_in_all = true;
            place = positionals.next();
        }
        let Some(place) = place else {
            self.leads.is_sure = false;
            return self.evidence(words, &at);
        };
        if is_in_all {
            self.every_package(&at);
        }
        let verb = words.get(place).map(Word::str).unwrap_or_default();
        if verbs.exec.contains(&verb) {
            let rest = words.get(place + 1..).unwrap_or_default();
            return self.manager_exec(program, &parsed, is_in_all, rest, &at);
        }
        if program.name == "yarn" && matches!(verb, "workspace" | "workspaces") {
            return self.monorepo(program, words, &at);
        }
        let script = if verbs.run.contains(&verb) {
            positionals.next().and_then(|place| words.get(place)).map(Word::str)
        } else {
            verbs.scripts.iter().find(|(name, _)| *name == verb).map(|(_, script)| *script)
        };
        // `bun test` runs no script.
        let is_own = matches!(program.env_files, EnvFiles::ByMode(own, _) if own.iter().any(|(name, _)| *name == verb));
        if is_own {
            return self.runtime_of(program, words, &at);
        }
        let is_bare = script.is_none() && verbs.is_bare;
        let name = script.or(is_bare.then_some(verb)).unwrap_or_default();
        if is_in_all || !parsed.packages.is_empty() {
            self.evidence(words, &at);
            self.leads.is_sure = false;
            self.packages(&parsed, &at, Some(name));
            return;
        }
        let read = package.as_deref().map(|folder| self.package(folder, &at)).unwrap_or_default();
        let is_script = read.as_ref().is_some_and(|package| package.script(name).is_some());
        if !is_script && is_bare && program.name != "npm-run-all" {
            // Yarn runs a program in the folder of the package.
            let rest = words.get(place..).unwrap_or_default();
            if let Some(package) = package.filter(|_| program.name == "yarn") {
                self.reach(&package, Level::Reached);
                self.command(rest, &At { folder: real(&package), ..at.clone() });
            }
            let is_code = program.env_files != EnvFiles::Named;
            let is_client = words.get(place).and_then(Word::program).and_then(called).is_some();
            return if is_code && !is_client {
                self.runtime_of(program, words, &at);
            } else {
                self.command(rest, &at);
            };
        }
        // `bun run FILE`
        if !is_script && program.env_files != EnvFiles::Named && script.is_some() {
            return self.runtime_of(program, words, &at);
        }
        self.leads.is_sure = false;
        self.evidence(words, &at);
        if program.name == "npm-run-all" {
            for name in parsed.positionals.iter().filter_map(|(place, _)| words.get(*place)) {
                self.run_script(read.as_deref(), name.str(), &[], &at);
            }
            return;
        }
        if let Some(package) = &package {
            self.reach(package, Level::Reached);
        }
        let further: Vec<Word> = match parsed.end {
            Some(end) => words.get(end + 1..).unwrap_or_default().to_vec(),
            // All but npm hand on what stands behind the script's name.
            None if program.name == "npm" => Vec::new(),
            None => {
                let after = words.iter().position(|word| word.str() == name).map_or(words.len(), |at| at + 1);
                words.get(after..).unwrap_or_default().to_vec()
            }
        };
        self.run_script(read.as_deref(), name, &further, &at);
    }

    /// A manager that runs a program: `rest` is what follows its verb.
    pub(super) fn manager_exec(
        &mut self,
        program: &'static Program,
        parsed: &Parsed,
        is_in_all: bool,
        rest: &[Word],
        at: &At,
    ) {
        let inner = Parsed::of(program, &["--package", "-p"], rest, true);
        if let Some(text) = &inner.text {
            self.leads.is_sure = false;
            self.text(&text.text.to_string_lossy(), &[], at);
        }
        let rest = inner.rest().and_then(|place| rest.get(place..)).unwrap_or_default();
        let mut folders = self.packages(parsed, at, None);
        if is_in_all && parsed.packages.is_empty() {
            folders = self.every_package(at);
        }
        for folder in folders {
            self.command(rest, &At { folder, ..at.clone() });
        }
        self.command(rest, at);
    }

    /// A program that runs a script by its name in many packages.
    pub(super) fn monorepo(&mut self, program: &'static Program, words: &[Word], at: &At) {
        let own = usize::from(words.first().is_some_and(|word| word.program().and_then(called).is_some()));
        let words = words.get(own..).unwrap_or_default();
        let parsed = Parsed::of(program, &[], words, false);
        let at = At { folder: self.enter(parsed.folder.as_ref(), at), ..at.clone() };
        self.leads.is_sure = false;
        self.evidence(words, &at);
        let positionals = parsed.positionals.iter().filter_map(|(place, _)| words.get(*place));
        // `nx run PACKAGE:TASK`, `turbo run PACKAGE#TASK`.
        let is_turbo = program.filter == Some(Filter::Turbo);
        let is_word = |word: &&Word| {
            let is_verb = matches!(word.str(), "run" | "run-many" | "affected" | "exec" | "foreach");
            !is_verb && (!is_turbo || word.str() != "watch")
        };
        let mut positionals = positionals.peekable();
        if is_turbo && positionals.peek().is_some_and(|word| TURBO_WITHOUT_TASKS.contains(&word.str())) {
            return;
        }
        let mut names: Vec<&str> = Vec::new();
        for name in positionals.filter(is_word).map(Word::str) {
            if names.len() == NAMES {
                self.tell(&at, format!("runs more than {NAMES} tasks"));
                break;
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let task = |name: &str| name.rsplit([':', '#']).next().unwrap_or_default().to_owned();
        let mut filtered = Self::filtered(program, &parsed, &at);
        if let Some(filtered) = &mut filtered {
            filtered.tasks = names.iter().map(|name| (*name).to_owned()).collect();
            let mode = words.iter().enumerate().find_map(|(place, word)| match word.option()? {
                ("--env-mode", Some(value)) => Some(Value::of(&value)),
                ("--env-mode", None) => words.get(place + 1).map(Value::of),
                _ => None,
            });
            filtered.mode = mode.or(at.variables.turbo.clone());
        }
        self.leads.filtered.extend(filtered);
        for name in names {
            self.packages(&parsed, &at, Some(&task(name)));
        }
    }

    /// The packages of the workspace: those that are named are surely meant, else any may be. In each of them a
    /// script is run, where one is given. The folders of those that are named are returned.
    pub(super) fn packages(&mut self, parsed: &Parsed, at: &At, script: Option<&str>) -> Vec<PathBuf> {
        if script.is_none() && parsed.packages.is_empty() {
            return Vec::new();
        }
        self.leads.is_sure = false;
        let workspace = self.workspace(&at.folder);
        if !workspace.is_whole {
            self.unknown(at, "has more packages in its workspace than are looked at".to_owned());
        }
        let asked = parsed.packages.iter().map(Word::str);
        let named: Vec<PathBuf> = asked.flat_map(|word| workspace.named(word, &at.folder).cloned()).collect();
        for folder in &workspace.folders {
            self.reach(folder, if named.contains(folder) { Level::Reached } else { Level::Possible });
        }
        let all = if named.is_empty() { &workspace.folders } else { &named };
        for folder in all {
            if self.left == 0 {
                break;
            }
            let package = script.and_then(|_| self.package(folder, at));
            self.run_script(package.as_deref(), script.unwrap_or_default(), &[], at);
        }
        let root = nearest(&at.folder, self.home).map(Path::to_owned);
        let root = root.filter(|_| named.is_empty()).and_then(|folder| self.package(&folder, at));
        self.run_script(root.as_deref(), script.unwrap_or_default(), &[], at);
        named
    }

    pub(super) fn package(&mut self, folder: &Path, at: &At) -> Option<Rc<Package>> {
        if let Some(read) = self.read.get(folder) {
            return read.clone();
        }
        let package = match Package::read(folder) {
            Ok(package) => package.map(Rc::new),
            Err(why) => {
                let at = At { file: Some(folder.join(PACKAGE)), line: None, ..at.clone() };
                self.unknown(&at, why);
                None
            }
        };
        self.read.insert(folder.to_owned(), package.clone());
        package
    }

    /// The folders of all packages of the workspace, which are reached.
    pub(super) fn every_package(&mut self, at: &At) -> Vec<PathBuf> {
        self.leads.is_sure = false;
        let workspace = self.workspace(&at.folder);
        if !workspace.is_whole {
            self.unknown(at, "has more packages in its workspace than are looked at".to_owned());
        }
        for folder in &workspace.folders {
            self.reach(folder, Level::Reached);
        }
        workspace.folders.iter().map(|folder| real(folder)).collect()
    }

    pub(super) fn workspace(&mut self, folder: &Path) -> Rc<Workspace> {
        let home = self.home;
        let found = self.workspaces.entry(folder.to_owned());
        Rc::clone(found.or_insert_with(|| Rc::new(Workspace::around(folder, home))))
    }

    /// A script of a package, with what runs before and after it.
    pub(super) fn run_script(&mut self, package: Option<&Package>, name: &str, further: &[Word], at: &At) {
        let Some(package) = package else { return };
        if at.depth == 0 {
            return self.unknown(at, format!("runs scripts that run more than {DEPTH} others"));
        }
        let folder = real(&package.folder);
        for script in package.around(name) {
            let at = At {
                folder: folder.clone(),
                file: Some(folder.join(PACKAGE)),
                line: Some(script.line),
                depth: at.depth - 1,
                ..at.clone()
            };
            self.text(&script.text, if script.name == name { further } else { &[] }, &at);
        }
    }
}
