//! Calls of managers of packages, and of what runs a script in many packages: which scripts and programs they run, in
//! which folders.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::leads::{At, Filtered, Level, NAMES, Reaches, Visit, Walk, real};
use super::options::{Parsed, Until};
use super::packages::{DENO, NAME as PACKAGE, Npmrc, Package, nearest, nearest_of};
use super::programs::{EnvFiles, Filter, Program, Tasks, Verbs, called};
use super::turbo::{self, Turbo};
use super::words::{Value, Word};
use super::workspaces::{MORE_PACKAGES, Workspace};

/// Signs of a word that means other packages than the ones that it names, such as a glob, `!NAME` and `[BRANCH]`.
const PATTERNS: [char; 10] = ['*', '?', '!', '^', '{', '}', '[', ']', '(', ')'];

/// A call of a manager.
#[derive(Clone, Copy)]
struct Call<'a> {
    program: &'static Program,
    verbs: &'static Verbs,
    words: &'a [Word],
    parsed: &'a Parsed<'a>,
    /// The packages that are named.
    packages: &'a [Word],
    /// Every package of the workspace is meant.
    is_in_all: bool,
    /// Where the manager is called.
    outer: &'a At,
}

impl<'a> Call<'a> {
    /// One of the words that are no options.
    fn word(&self, number: usize) -> &'a str {
        let place = self.parsed.positionals.get(number).map(|(place, _)| *place);
        place.and_then(|place| self.words.get(place)).map(Word::str).unwrap_or_default()
    }

    /// The words behind one of those that are no options.
    fn behind(&self, number: usize) -> &'a [Word] {
        let place = self.parsed.positionals.get(number).map(|(place, _)| place + 1);
        place.and_then(|place| self.words.get(place..)).unwrap_or_default()
    }

    /// What a script gets of the words behind its name: npm keeps the options before `--`.
    fn further(&self, number: usize) -> Vec<Word> {
        if self.program.name == "npm" {
            let places = self.parsed.positionals.iter().skip(number + 1);
            return places.filter_map(|(place, _)| self.words.get(*place)).cloned().collect();
        }
        self.behind(number).iter().filter(|word| word.str() != "--").cloned().collect()
    }
}

impl Walk<'_> {
    pub(super) fn manager(
        &mut self,
        program: &'static Program,
        verbs: &'static Verbs,
        words: &[Word],
        at: &At,
    ) {
        let words = words.get(1..).unwrap_or_default();
        let parsed = self.parse(program, words, Until::End, at);
        self.look_at_unknown(&parsed, at);
        for folder in self.enter_all(&parsed, at) {
            let mut here = At { folder, ..at.clone() };
            if parsed.has(verbs.root)
                && let Some(root) = self.workspace(&here.folder).root.clone()
            {
                self.reach(&root, Level::Reached);
                here.folder = real(&root);
            }
            if !program.rules.is_empty() && !parsed.env_files.is_empty() {
                let visit = self.visit(program, &parsed, &here.folder, &here);
                self.leads.visits.push(visit);
            }
            for text in &parsed.texts {
                self.leads.is_sure = false;
                self.text(&text.text.to_string_lossy(), &[], &here);
            }
            let rc = if program.name == "npm" { self.npmrc(&here) } else { Npmrc::default() };
            let packages: Vec<Word> = parsed.packages.iter().cloned().chain(rc.packages).collect();
            let is_in_all = parsed.has_all_packages(program) || rc.is_in_all;
            let call =
                Call { program, verbs, words, parsed: &parsed, packages: &packages, is_in_all, outer: at };
            self.read_verbs(&call, &here);
        }
    }

    fn npmrc(&self, at: &At) -> Npmrc {
        let folder = nearest(&at.folder, self.home).unwrap_or(&at.folder);
        Npmrc::read(folder)
    }

    /// What the words say, under each reading of them: a word behind an option that is not known may be its value, or
    /// the verb.
    fn read_verbs(&mut self, call: &Call, at: &At) {
        let numbers: Vec<usize> = call.parsed.candidates(0).map(|(number, _)| number).collect();
        let is_certain = call.parsed.positionals.first().is_some_and(|(_, may_be_value)| !may_be_value);
        if !is_certain {
            self.leads.is_sure = false;
            self.evidence(call.words, at);
        }
        if numbers.is_empty() {
            self.run_lifecycle(call, "", at);
        }
        for (readings, number) in numbers.into_iter().enumerate() {
            if readings > 0 && !self.may_read(at) {
                return;
            }
            self.read_verb(call, number, at);
        }
    }

    fn read_verb(&mut self, call: &Call, number: usize, at: &At) {
        let Call { program, verbs, words, .. } = *call;
        let mut call = *call;
        let mut number = number;
        while verbs.every.contains(&call.word(number)) {
            call.is_in_all = true;
            number += 1;
        }
        // pnpm's `-r` with a filter means what the filter says.
        if call.is_in_all && (program.name != "pnpm" || call.packages.is_empty()) {
            self.every_package(at);
        }
        let verb = call.word(number);
        if verbs.exec.contains(&verb) {
            return self.manager_exec(&call, number, at);
        }
        if verbs.texts.contains(&verb) {
            self.text(call.word(number + 1), &[], at);
            return self.runtime_of(program, words, at);
        }
        if verbs.workspace.contains(&verb) {
            return self.in_workspace(&call, number, at);
        }
        // `bun test` runs no script.
        let is_own = matches!(program.env_files, EnvFiles::ByMode(own, _) if own.iter().any(|(name, _)| *name == verb));
        if is_own {
            return self.runtime_of(program, words, at);
        }
        if verbs.run.contains(&verb) {
            let names: Vec<usize> = call.parsed.candidates(number + 1).map(|(number, _)| number).collect();
            let more = call.parsed.positionals.len().saturating_sub(number + 1);
            let is_many = call.parsed.has(verbs.many);
            self.leads.is_sure &= names.len() == 1;
            let count = if is_many { more } else { names.len() };
            for name in (number + 1..).take(count) {
                self.run_named(&call, name, false, at);
            }
            return;
        }
        let scripts = verbs.scripts.iter().filter(|(names, _)| names.contains(&verb));
        for script in scripts.flat_map(|(_, scripts)| *scripts) {
            self.run_own(&call, script, &call.further(number), at);
        }
        self.run_lifecycle(&call, verb, at);
        let is_known = |list: &[(&[&str], &[&str])]| list.iter().any(|(names, _)| names.contains(&verb));
        if is_known(verbs.scripts) || is_known(verbs.lifecycle) {
            return;
        }
        if verbs.is_bare {
            self.run_named(&call, number, true, at);
        } else if program.env_files == EnvFiles::Named {
            self.leads.is_sure = false;
            self.evidence(words, at);
        } else {
            self.runtime_of(program, words, at);
        }
    }

    /// The scripts that run in all packages with a verb.
    fn run_lifecycle(&mut self, call: &Call, verb: &str, at: &At) {
        let lists = call.verbs.lifecycle.iter().filter(|(names, _)| names.contains(&verb));
        let scripts: Vec<&str> = lists.flat_map(|(_, scripts)| *scripts).copied().collect();
        if !scripts.is_empty() {
            self.leads.is_sure = false;
            self.evidence(call.words, at);
        }
        if !scripts.is_empty() {
            // Other packages may be installed with those that are named.
            let workspace = self.workspace_told(at);
            self.reach_possibly(&workspace);
        }
        for script in scripts {
            self.run_in_packages(call.packages, at, script);
        }
    }

    /// A word that names a script; a bare one may name a program instead.
    fn run_named(&mut self, call: &Call, number: usize, is_bare: bool, at: &At) {
        let Call { program, words, .. } = *call;
        let name = call.word(number);
        if call.is_in_all || !call.packages.is_empty() {
            return self.run_own(call, name, &[], at);
        }
        let is_script =
            self.packages_at(program, at).iter().any(|package| !package.matching(name).is_empty());
        let is_code = program.env_files != EnvFiles::Named;
        if is_script || (!is_bare && !is_code) {
            return self.run_own(call, name, &call.further(number), at);
        }
        let place = call.parsed.positionals.get(number).map_or(words.len(), |(place, _)| *place);
        let rest = words.get(place..).unwrap_or_default();
        // Yarn runs a program in the folder of the package.
        let package = nearest(&at.folder, self.home).map(Path::to_owned);
        if let Some(package) = package.filter(|_| program.name == "yarn") {
            self.reach(&package, Level::Reached);
            self.command(rest, &At { folder: real(&package), ..at.clone() });
        }
        // `bun run FILE`: a file gets what bun loads, and neither a script nor a program that is installed does.
        let is_program = rest.first().and_then(Word::program).and_then(called).is_some();
        let is_file = !is_bare && at.folder.join(name).is_file();
        if is_code && (is_file || !is_program) {
            self.runtime_of(program, words, at);
        } else {
            self.command(rest, at);
        }
    }

    /// A script of the package here, or of those that are named.
    fn run_own(&mut self, call: &Call, name: &str, further: &[Word], at: &At) {
        self.leads.is_sure = false;
        self.evidence(call.words, at);
        if call.is_in_all || !call.packages.is_empty() {
            return self.run_in_packages(call.packages, at, name);
        }
        self.script_of(call.program, name, further, at);
    }

    /// A script of the package here.
    pub(super) fn script_of(&mut self, program: &Program, name: &str, further: &[Word], at: &At) {
        for package in self.packages_at(program, at) {
            self.reach(&package.folder, Level::Reached);
            self.run_script(&package, name, further, at);
        }
    }

    /// What holds the scripts that a program runs here.
    fn packages_at(&mut self, program: &Program, at: &At) -> Vec<Rc<Package>> {
        let names: &[&str] = if program.name == "deno" { &[PACKAGE, DENO[0], DENO[1]] } else { &[PACKAGE] };
        let files = names.iter().filter_map(|name| Some(nearest_of(name, &at.folder, self.home)?.join(name)));
        let files: Vec<PathBuf> = files.collect();
        files.iter().filter_map(|file| self.package_file(file, at)).collect()
    }

    /// A manager that runs a program.
    fn manager_exec(&mut self, call: &Call, number: usize, at: &At) {
        let rest = call.behind(number);
        let inner = self.parse(call.program, rest, Until::Program(&[]), at);
        let starts = inner.starts();
        let is_certain = inner.positionals.iter().all(|(_, may_be_value)| !may_be_value);
        let texts: Vec<&Word> = call.parsed.texts.iter().chain(&inner.texts).collect();
        self.leads.is_sure &=
            is_certain && texts.is_empty() && starts.iter().any(|start| *start < rest.len());
        let mut folders = vec![at.folder.clone()];
        if call.verbs.exec_stays && call.outer.folder != at.folder {
            folders.push(call.outer.folder.clone());
        }
        if call.is_in_all || !call.packages.is_empty() {
            folders.extend(self.folders_of(call.packages, at));
        }
        for folder in folders {
            let at = At { folder, ..at.clone() };
            for text in &texts {
                self.text(&text.text.to_string_lossy(), &[], &at);
            }
            for start in &starts {
                self.run_words(rest.get(*start..).unwrap_or_default(), &at);
            }
        }
    }

    /// `yarn workspace NAME`: what follows is for that package.
    fn in_workspace(&mut self, call: &Call, number: usize, at: &At) {
        let name = call.behind(number).iter().find(|word| word.str() == call.word(number + 1));
        let manager = Word::given(OsStr::new(call.program.name));
        let words: Vec<Word> =
            std::iter::once(manager).chain(call.behind(number + 1).iter().cloned()).collect();
        self.evidence(call.words, at);
        for folder in self.folders_of(&name.cloned().into_iter().collect::<Vec<_>>(), at) {
            self.command(&words, &At { folder, ..at.clone() });
        }
    }

    /// A program that runs a script by its name in many packages.
    pub(super) fn monorepo(
        &mut self,
        program: &'static Program,
        tasks: &'static Tasks,
        words: &[Word],
        at: &At,
    ) {
        let words = words.get(1..).unwrap_or_default();
        let parsed = self.parse(program, words, Until::End, at);
        self.leads.is_sure = false;
        for folder in self.enter_all(&parsed, at) {
            self.monorepo_in(program, tasks, &parsed, words, &At { folder, ..at.clone() });
        }
    }

    fn monorepo_in(
        &mut self,
        program: &'static Program,
        tasks: &Tasks,
        parsed: &Parsed,
        words: &[Word],
        at: &At,
    ) {
        self.evidence(words, at);
        // What stands behind `--` is for the tasks.
        let own = parsed.positionals.iter().filter(|(place, _)| parsed.end.is_none_or(|end| *place < end));
        let places: Vec<usize> = own.map(|(place, _)| *place).collect();
        let own: Vec<&str> = places.iter().filter_map(|place| words.get(*place)).map(Word::str).collect();
        if own.first().is_some_and(|verb| tasks.without.contains(verb)) {
            return;
        }
        let mut names: Vec<&str> = Vec::new();
        let listed = parsed.scripts.iter().flat_map(|list| list.str().split(','));
        for name in own.iter().copied().filter(|word| !tasks.verbs.contains(word)).chain(listed) {
            if names.len() == NAMES {
                self.tell(at, format!("runs more than {NAMES} tasks"));
                break;
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let given = |name: &str| Word::given(OsStr::new(name));
        let mut packages: Vec<Word> = parsed
            .packages
            .iter()
            .flat_map(|list| list.str().split(',').map(given).collect::<Vec<_>>())
            .collect();
        let mut scripts: Vec<(&str, String)> = Vec::new();
        for name in names.iter().copied() {
            // `nx run PACKAGE:TASK:CONFIGURATION`, `turbo run PACKAGE#TASK`
            let split = tasks.separator.and_then(|separator| name.split_once(separator));
            if let Some((package, task)) = split {
                packages.push(given(package));
                let configured = task.split_once(':').filter(|_| tasks.has_packages);
                scripts.extend(
                    std::iter::once(task)
                        .chain(configured.map(|(task, _)| task))
                        .map(|task| (name, task.to_owned())),
                );
            } else {
                packages.extend(Some(given(name)).filter(|_| tasks.has_packages));
            }
            scripts.push((name, name.to_owned()));
        }
        // A task may run those of other packages first.
        let workspace = self.workspace_told(at);
        self.reach_possibly(&workspace);
        let folders = self.named(&packages, at);
        let of_tasks: Vec<String> = scripts.iter().map(|(_, script)| script.clone()).collect();
        let at = &self.load_for_tasks(program, parsed, &of_tasks, folders, at);
        // `lerna exec wrangler deploy`
        let start = parsed.end.map(|end| end + 1).or_else(|| places.get(1).copied());
        let behind = start.and_then(|start| words.get(start..)).unwrap_or_default();
        if own.first().is_some_and(|verb| *verb == "exec" && tasks.verbs.contains(verb)) {
            for folder in self.folders_of(&packages, at) {
                self.run_words(behind, &At { folder, ..at.clone() });
            }
        }
        let mut by_task: Vec<(String, Reaches)> = Vec::new();
        for (name, script) in scripts {
            let reaches = self.reached_by(|walk| walk.run_in_packages(&packages, at, &script));
            by_task.push((name.to_owned(), reaches));
        }
        if program.filter == Some(Filter::Turbo) {
            for task in self.tasks_before(&names, at) {
                let script = task.rsplit('#').next().unwrap_or_default();
                let reaches = self.reached_by(|walk| walk.run_in_packages(&[], at, script));
                by_task.push((task, reaches));
            }
        }
        let Some(filtered) = Self::filtered(program, parsed, at) else { return };
        let mode = words.iter().enumerate().find_map(|(place, word)| match word.option()? {
            ("--env-mode", Some(value)) => Some(Value::of(&value)),
            ("--env-mode", None) => words.get(place + 1).map(Value::of),
            _ => None,
        });
        let mode = mode.or(at.variables.turbo.clone());
        // A task that reaches no client misses nothing.
        for (reaches, is_certain) in [(Reaches::Client, true), (Reaches::Unknown, false)] {
            let mut tasks: Vec<String> = Vec::new();
            for (name, _) in by_task.iter().filter(|(_, own)| *own == reaches) {
                if !tasks.contains(name) {
                    tasks.push(name.clone());
                }
            }
            if !tasks.is_empty() {
                self.leads.filtered.push(Filtered {
                    tasks,
                    mode: mode.clone(),
                    is_certain,
                    ..filtered.clone()
                });
            }
        }
    }

    /// The tasks that turbo runs before others, as its configurations say.
    fn tasks_before(&mut self, names: &[&str], at: &At) -> Vec<String> {
        let Some(root) = turbo::root(&at.folder, self.home) else { return Vec::new() };
        let workspace = self.workspace(root.parent().unwrap_or(&at.folder));
        let of_packages = workspace.folders.iter().filter_map(|folder| turbo::file_in(folder));
        let files = std::iter::once(root).chain(of_packages);
        // One that can't be read is told where its filter is looked at.
        let read: Vec<Turbo> = files.filter_map(|file| Turbo::of_file(&file).ok()).collect();
        let mut found: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut next = 0;
        while let Some(task) = found.get(next).cloned() {
            next += 1;
            for before in read.iter().flat_map(|own| own.before(&task)) {
                if found.iter().any(|known| known == before) {
                    continue;
                }
                if found.len() == NAMES {
                    self.tell(at, format!("runs more than {NAMES} tasks"));
                    break;
                }
                found.push(before.to_owned());
            }
        }
        found.split_off(names.len().min(found.len()))
    }

    /// What a program loads for its tasks: files of the workspace and of the packages, some of one task.
    fn load_for_tasks(
        &mut self,
        program: &'static Program,
        parsed: &Parsed,
        tasks: &[String],
        packages: Vec<PathBuf>,
        at: &At,
    ) -> At {
        let mut inner = at.clone();
        if program.rules.is_empty() {
            return inner;
        }
        let root = self.workspace(&at.folder).root.clone();
        for folder in root.into_iter().chain([at.folder.clone()]).chain(packages) {
            let visit = self.visit(program, parsed, &folder, at);
            let of_task = tasks
                .iter()
                .map(|task| Visit { environment: Some(Value::Known(task.clone())), ..visit.clone() });
            for visit in of_task.chain([visit.clone()]) {
                inner.inherited.extend(visit.files(None));
                self.leads.visits.push(visit);
            }
        }
        inner
    }

    /// A program each of whose words is the name of scripts behind one of these, or a text for a shell.
    pub(super) fn scripts(&mut self, program: &'static Program, prefixes: &[&str], words: &[Word], at: &At) {
        let words = words.get(1..).unwrap_or_default();
        let parsed = self.parse(program, words, Until::End, at);
        self.leads.is_sure = false;
        self.evidence(words, at);
        for folder in self.enter_all(&parsed, at) {
            let at = At { folder, ..at.clone() };
            for text in &parsed.texts {
                self.text(&text.text.to_string_lossy(), &[], &at);
            }
            for word in parsed.positionals.iter().filter_map(|(place, _)| words.get(*place)) {
                let text = word.text.to_string_lossy();
                let Some(named) = prefixes.iter().find_map(|prefix| text.trim_start().strip_prefix(prefix))
                else {
                    self.text(&text, &[], &at);
                    continue;
                };
                let mut named = named.split_whitespace().map(|word| Word::given(OsStr::new(word)));
                let Some(name) = named.next() else { continue };
                let further: Vec<Word> = named.filter(|word| word.str() != "--").collect();
                self.script_of(program, name.str(), &further, &at);
            }
        }
    }

    pub(super) fn package(&mut self, folder: &Path, at: &At) -> Option<Rc<Package>> {
        self.package_file(&folder.join(PACKAGE), at)
    }

    fn package_file(&mut self, file: &Path, at: &At) -> Option<Rc<Package>> {
        if let Some(read) = self.read.get(file) {
            return read.clone();
        }
        let package = match Package::of_file(file) {
            Ok(package) => package.map(Rc::new),
            Err(why) => {
                let at = At { file: Some(file.to_owned()), line: None, ..at.clone() };
                self.unknown(&at, why);
                None
            }
        };
        self.read.insert(file.to_owned(), package.clone());
        package
    }

    /// The folders of all packages of the workspace, which are reached.
    fn every_package(&mut self, at: &At) -> Vec<PathBuf> {
        self.leads.is_sure = false;
        let workspace = self.workspace_told(at);
        for folder in &workspace.folders {
            self.reach(folder, Level::Reached);
        }
        workspace.folders.iter().map(|folder| real(folder)).collect()
    }

    fn workspace(&mut self, folder: &Path) -> Rc<Workspace> {
        let home = self.home;
        let found = self.workspaces.entry(folder.to_owned());
        Rc::clone(found.or_insert_with(|| Rc::new(Workspace::around(folder, home))))
    }

    /// The workspace; it is told where it is not known as a whole.
    fn workspace_told(&mut self, at: &At) -> Rc<Workspace> {
        let workspace = self.workspace(&at.folder);
        if !workspace.is_whole {
            self.unknown(at, MORE_PACKAGES.to_owned());
        }
        workspace
    }

    /// The scripts of a name, or of a pattern, with what runs before and after each.
    pub(super) fn run_script(&mut self, package: &Package, name: &str, further: &[Word], at: &At) {
        let scripts = package.matching(name);
        if scripts.is_empty() {
            return;
        }
        self.reach(&package.folder, Level::Reached);
        if at.depth == 0 {
            return self.tell_depth(at);
        }
        for name in scripts.iter() {
            // A pattern may mean any number of scripts.
            if scripts.len() > 1 && !self.may_read(at) {
                return;
            }
            for script in package.around(name) {
                let at = At {
                    folder: real(&package.folder),
                    file: Some(real(&package.folder).join(package.file_name())),
                    line: Some(script.line),
                    depth: at.depth - 1,
                    ..at.clone()
                };
                self.text(&script.text, if script.name == *name { further } else { &[] }, &at);
            }
        }
    }

    /// The packages of the workspace that words name, which are surely meant. Any other package may be meant too,
    /// unless each word names its packages exactly.
    fn named(&mut self, packages: &[Word], at: &At) -> Vec<PathBuf> {
        self.leads.is_sure = false;
        let workspace = self.workspace_told(at);
        let mut is_exact = !packages.is_empty() && workspace.is_whole;
        let mut named: Vec<PathBuf> = Vec::new();
        for word in packages {
            let before = named.len();
            named.extend(workspace.named(word.str(), &at.folder).cloned());
            let is_pattern = word.str().contains(PATTERNS) || word.str().contains("...");
            is_exact &= word.is_known && named.len() > before && !is_pattern;
        }
        if !is_exact {
            self.reach_possibly(&workspace);
        }
        for folder in &named {
            self.reach(folder, Level::Reached);
        }
        named
    }

    /// The folders of a workspace, in any of which something may run.
    fn reach_possibly(&mut self, workspace: &Workspace) {
        for folder in &workspace.folders {
            self.reach(folder, Level::Possible);
        }
    }

    /// The folders of the packages that words name; else of all, and the one here.
    pub(super) fn folders_of(&mut self, packages: &[Word], at: &At) -> Vec<PathBuf> {
        let named = self.named(packages, at);
        if !named.is_empty() {
            return named.iter().map(|folder| real(folder)).collect();
        }
        let mut folders = if packages.is_empty() {
            self.every_package(at)
        } else {
            self.workspace(&at.folder).folders.iter().map(|folder| real(folder)).collect()
        };
        folders.push(at.folder.clone());
        folders
    }

    /// A script in the packages of the workspace that words name; else in each that no word takes out, and in the
    /// one here.
    fn run_in_packages(&mut self, packages: &[Word], at: &At, script: &str) {
        let mut folders = self.named(packages, at);
        if folders.is_empty() {
            let workspace = self.workspace(&at.folder);
            let out = packages.iter().filter_map(|word| word.str().strip_prefix('!'));
            let out: HashSet<&PathBuf> = out.flat_map(|word| workspace.named(word, &at.folder)).collect();
            folders.extend(workspace.folders.iter().filter(|folder| !out.contains(folder)).cloned());
            folders.extend(nearest(&at.folder, self.home).map(Path::to_owned));
        }
        let mut seen: HashSet<&PathBuf> = HashSet::new();
        for folder in &folders {
            if self.left == 0 {
                return;
            }
            if !seen.insert(folder) {
                continue;
            }
            for name in [PACKAGE, DENO[0], DENO[1]] {
                if let Some(package) = self.package_file(&folder.join(name), at) {
                    self.run_script(&package, script, &[], at);
                }
            }
        }
    }
}
