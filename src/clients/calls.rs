//! Calls of programs of the table, each as its row reads the words.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::leads::{At, Filtered, Level, Reaches, Walk, real};
use super::options::{Parsed, Until};
use super::packages::nearest_of;
use super::programs::{Before, EnvFiles, Filter, Program, Role, Runs, called};
use super::scripts::{Run, is_installed, unknown_words};
use super::words::{Known, Piece, Value, Word, pieces};
use crate::directory::file;

/// The commands of wrangler that take a path to a script, beside which the configuration is then looked for
/// (`resolveWranglerConfigPath` of wrangler 4.164).
const WITH_SCRIPT: [&[&str]; 7] = [
    &["deploy"],
    &["dev"],
    &["publish"],
    &["preview"],
    &["delete"],
    &["versions", "upload"],
    &["triggers", "deploy"],
];

/// Options of find and fd behind which a program stands.
const EXECUTES: [&str; 8] = ["-exec", "-execdir", "-ok", "-okdir", "-x", "--exec", "-X", "--exec-batch"];

/// The most that is read of the list of git's submodules, in bytes.
const MODULES: u64 = 64 * 1024;

impl Walk<'_> {
    pub(super) fn known(&mut self, program: &'static Program, words: &[Word], at: &At) {
        let verb = words.iter().skip(1).find(|word| !word.is_option());
        if verb.is_some_and(|verb| program.options.files.contains(&verb.str())) {
            return self.file_tool(program, words, at);
        }
        self.note_program(program);
        match program.role {
            Role::Harmless => {}
            Role::Client => self.client(program, words, at),
            Role::Runtime => self.runtime(program, words, at),
            Role::Runner(runs) => {
                self.unset_by_env(program, words, at);
                // Of words that become variables only when it runs the text has told what it sees.
                let of_env = if program.name == "env" { unknown_words(words) } else { Vec::new() };
                let is_left = |word: &&Word| !of_env.iter().any(|other| std::ptr::eq(*other, *word));
                let words: Vec<Word> = words.iter().filter(is_left).cloned().collect();
                self.runner(program, runs, &words, at);
            }
            Role::Files => self.file_tool(program, words, at),
            Role::Manager(verbs) => self.manager(program, verbs, words, at),
            Role::Monorepo(tasks) => self.monorepo(program, tasks, words, at),
            Role::Scripts(prefixes) => self.scripts(program, prefixes, words, at),
            Role::Shell => self.shell(program, words, at),
            Role::Finder => self.finder(program, words, at),
            Role::Open => self.open(program, words, at),
        }
    }

    /// The words behind a program's name, as its row reads them.
    pub(super) fn parse<'w>(
        &mut self,
        program: &Program,
        words: &'w [Word],
        until: Until,
        at: &At,
    ) -> Parsed<'w> {
        let parsed = Parsed::of(program, words, until);
        self.leads.is_sure &= !parsed.is_unsure;
        if parsed.is_cut {
            self.unknown(at, format!("gives {} more options than are looked at", program.name));
        }
        parsed
    }

    /// The folders in which a program may run by its options: where there are several, some go to each one after the
    /// other, and some only to the last one.
    pub(super) fn enter_all(&mut self, parsed: &Parsed, at: &At) -> Vec<PathBuf> {
        let mut folders = Vec::new();
        let mut before = at.clone();
        for word in &parsed.folders {
            before.folder = self.enter(Some(word), &before);
            folders.push(before.folder.clone());
            if folders.len() > 1 {
                folders.push(self.enter(Some(word), at));
            }
        }
        if folders.len() > 1 {
            self.leads.is_sure = false;
        }
        if parsed.is_unsure || folders.is_empty() {
            folders.push(at.folder.clone());
        }
        let mut found: Vec<PathBuf> = Vec::new();
        for folder in folders {
            if !found.contains(&folder) {
                found.push(folder);
            }
        }
        found
    }

    /// The paths in the values of options that the row doesn't have: something may go there.
    pub(super) fn look_at_unknown(&mut self, parsed: &Parsed, at: &At) {
        let is_there = |word: &&Word| self.path(word, &at.folder).is_some_and(|path| path.exists());
        let values: Vec<Word> = parsed.unknown.iter().filter(is_there).cloned().collect();
        if !values.is_empty() {
            self.leads.is_sure = false;
            self.evidence(&values, at);
        }
    }

    fn client(&mut self, program: &'static Program, words: &[Word], at: &At) {
        let words = words.get(1..).unwrap_or_default();
        let parsed = self.parse(program, words, Until::End, at);
        for folder in self.enter_all(&parsed, at) {
            self.client_in(program, &parsed, words, &folder, at);
        }
    }

    fn client_in(
        &mut self,
        program: &'static Program,
        parsed: &Parsed,
        words: &[Word],
        folder: &Path,
        at: &At,
    ) {
        let mut visit = self.visit(program, parsed, folder, at);
        for configuration in &visit.configurations {
            if let Some(parent) = configuration.parent() {
                self.reach(parent, Level::Reached);
            }
        }
        let word = |place: usize| words.get(place).map(Word::str).unwrap_or_default();
        // How many of the words that are no options end with these.
        let end_of = |verb: &[&str]| {
            verb.iter().try_fold(0, |first, name| {
                parsed
                    .candidates(first)
                    .find(|(_, place)| word(*place) == *name)
                    .map(|(number, _)| number + 1)
            })
        };
        visit.is_pages = end_of(&["pages"]).is_some();
        let with_script = WITH_SCRIPT.iter().find_map(|verb| Some((verb.len(), end_of(verb)?)));
        if let Some((length, end)) = with_script.filter(|_| visit.configurations.is_empty()) {
            let mut is_sure = false;
            for (place, may_be_value) in parsed.positionals.iter().skip(end) {
                let Some(script) = words.get(*place) else { continue };
                if !script.is_known {
                    let what = format!("gives {} a script that is known only when it runs", program.name);
                    self.unknown(at, what);
                }
                let Some(path) = self.path(script, folder) else { continue };
                if let Some(parent) = path.parent().filter(|_| path.is_file()) {
                    self.reach(parent, Level::Reached);
                    visit.beside.push(real(parent));
                    is_sure |= !may_be_value && end == length;
                }
            }
            if !is_sure && !visit.beside.is_empty() {
                visit.beside.push(folder.to_owned());
            }
        }
        let others = parsed.environments.iter().rev().skip(1);
        for environment in others {
            self.leads.is_sure = false;
            let mut other = visit.clone();
            other.environment = Some(Value::of(environment));
            self.leads.visits.push(other);
        }
        self.leads.visits.push(visit);
    }

    /// A program that runs code of the project.
    pub(super) fn runtime(&mut self, program: &'static Program, words: &[Word], at: &At) {
        self.note(Reaches::Unknown);
        let words = words.get(1..).unwrap_or_default();
        let is_plain = program.env_files == EnvFiles::Named;
        let until = if is_plain { Until::Program(&[]) } else { Until::End };
        let parsed = self.parse(program, words, until, at);
        for folder in self.enter_all(&parsed, at) {
            self.runtime_in(program, &parsed, words, &folder, at);
        }
    }

    fn runtime_in(
        &mut self,
        program: &'static Program,
        parsed: &Parsed,
        words: &[Word],
        folder: &Path,
        at: &At,
    ) {
        let mut visit = self.visit(program, parsed, folder, at);
        let starts = parsed.starts();
        if let EnvFiles::ByMode(verbs, _) = program.env_files {
            let is_verb = |place: &usize| words.get(*place).map(Word::str);
            let mode = starts
                .iter()
                .filter_map(is_verb)
                .find_map(|verb| verbs.iter().find(|(name, _)| *name == verb));
            visit.mode = mode.map(|(_, mode)| *mode);
        }
        for configuration in &visit.configurations {
            if let Some(parent) = configuration.parent() {
                self.reach(parent, Level::Reached);
            }
        }
        let mut inner_at = At { folder: folder.to_owned(), ..at.clone() };
        inner_at.inherited.extend(visit.env_files.clone());
        for name in &parsed.scripts {
            self.leads.is_sure = false;
            self.script_of(program, name.str(), &[], &inner_at);
        }
        // `node …/bin/wrangler.js`
        for place in &starts {
            let inner = words.get(*place).and_then(Word::program).and_then(called);
            if let Some(inner) = inner.filter(|inner| inner.role == Role::Client) {
                self.leads.is_sure &= starts.len() == 1;
                self.known(inner, words.get(*place..).unwrap_or_default(), &inner_at);
                if starts.len() == 1 {
                    return;
                }
            }
        }
        self.leads.is_sure = false;
        let is_test = visit.mode == Some("test") || parsed.has(&["--test"]);
        if is_test {
            // Tests stand anywhere, and go to no folder because of that.
            self.leads.visits.push(visit);
            return self.files_named(words, at);
        }
        if at.is_piped && words.iter().all(|word| word.str() == "-") {
            self.tell_piped(program, at);
        }
        for (place, _) in parsed.positionals.iter().take(starts.len() + 1) {
            let file = words.get(*place).and_then(|word| self.path(word, folder));
            let file = file.as_deref().filter(|file| file.is_file() && !is_installed(file));
            let Some(file) = file else { continue };
            if let Some(parent) = file.parent() {
                self.reach(parent, Level::Reached);
            }
            self.read_unparsed(file, &inner_at);
        }
        self.leads.visits.push(visit);
        self.evidence(words, at);
    }

    /// A manager that runs a file itself, as bun does.
    pub(super) fn runtime_of(&mut self, program: &'static Program, words: &[Word], at: &At) {
        let words: Vec<Word> =
            std::iter::once(Word::given(OsStr::new(program.name))).chain(words.iter().cloned()).collect();
        self.runtime(program, &words, at);
    }

    /// A program that runs the one that its words name.
    fn runner(&mut self, program: &'static Program, runs: &'static Runs, all: &[Word], at: &At) {
        let words = all.get(1..).unwrap_or_default();
        let parsed = self.parse(program, words, Until::Program(runs.verbs), at);
        self.leads.is_sure &= runs.is_direct;
        self.look_at_unknown(&parsed, at);
        if !runs.verbs.is_empty() && !parsed.has_verb {
            return self.open(program, all, at);
        }
        let mut starts = parsed.starts();
        if runs.before == Before::End {
            starts =
                words.iter().position(|word| word.str() == "--").map(|end| end + 1).into_iter().collect();
        }
        starts.retain(|start| *start < words.len());
        let is_certain = parsed.positionals.iter().all(|(_, may_be_value)| !may_be_value);
        if !is_certain {
            self.evidence(words, at);
        }
        let is_alone = starts.is_empty() && parsed.texts.is_empty() && parsed.split.is_empty();
        // Without a program it may start a shell, or read what it runs.
        self.leads.is_sure &= is_certain && !is_alone;
        for folder in self.enter_all(&parsed, at) {
            let at = At { folder, ..at.clone() };
            // mise loads what its files say before it runs a program, too.
            self.recipes(program.name, &[], &at);
            self.runner_in(program, runs, &parsed, words, &starts, &at);
        }
    }

    fn runner_in(
        &mut self,
        program: &'static Program,
        runs: &Runs,
        parsed: &Parsed,
        words: &[Word],
        starts: &[usize],
        at: &At,
    ) {
        let mut at = at.clone();
        let rest_from = |start: usize| words.get(start..).unwrap_or_default();
        let has_rest =
            starts.iter().any(|start| rest_from(*start).iter().any(|word| word.assignment().is_none()));
        if has_rest || !parsed.texts.is_empty() || !parsed.split.is_empty() {
            let filtered = Self::filtered(program, parsed, &at);
            self.leads.filtered.extend(filtered);
        }
        let mut starts = starts.to_vec();
        let mut env_files = parsed.env_files.clone();
        for start in &mut starts {
            let Some(word) = words.get(*start) else { continue };
            let is_file = self.path(word, &at.folder).is_some_and(|path| path.is_file());
            match runs.before {
                // `direnv exec bin/deploy`
                Before::Folder if is_file => {}
                Before::Folder => {
                    let folder = self.enter(Some(word), &at);
                    *start += 1;
                    // direnv loads its file there, and the program runs here.
                    let file = nearest_of(".envrc", &folder, self.home).map(|folder| folder.join(".envrc"));
                    let file = file.map(|file| Word::given(file.as_os_str()));
                    let inner = At { folder, ..at.clone() };
                    let next = file.and_then(|file| self.script_file(&file, &inner, Run::Sourced));
                    at.variables = next.map_or(at.variables, |next| next.variables);
                }
                Before::EnvFile if is_file && parsed.env_files.is_empty() => {
                    env_files.push(word.clone());
                    *start += 1;
                }
                Before::Nothing | Before::EnvFile | Before::End => {}
            }
        }
        if !program.rules.is_empty() {
            let mut visit = self.visit(program, parsed, &at.folder, &at);
            visit.env_files = self.listed(&env_files, &at.folder);
            visit.is_above |= parsed.has(&["-o", "--override", "--overload"]);
            visit.is_above &= !parsed.has(&["--no-override"]);
            at.inherited.extend(visit.files(None));
            self.leads.visits.push(visit);
        }
        let last = starts.first().map(|start| rest_from(*start)).unwrap_or_default();
        for text in &parsed.texts {
            self.leads.is_sure = false;
            self.text(&text.text.to_string_lossy(), last, &at);
        }
        for text in &parsed.split {
            let mut inner: Vec<Word> = vec![Word::given(OsStr::new(program.name))];
            for piece in pieces(&text.text.to_string_lossy(), &Known::default()) {
                if let Piece::Command(words, _) = piece {
                    inner.extend(words);
                }
            }
            inner.extend(words.get(parsed.after_split..).unwrap_or_default().iter().cloned());
            self.command(&inner, &at);
        }
        if parsed.packages.is_empty() && !parsed.has_all_packages(program) {
            self.run_any(runs, words, &starts, &at);
        } else {
            for folder in self.folders_of(&parsed.packages, &at) {
                self.run_any(runs, words, &starts, &At { folder, ..at.clone() });
            }
        }
    }

    /// The programs that may be meant.
    fn run_any(&mut self, runs: &Runs, words: &[Word], starts: &[usize], at: &At) {
        for start in starts {
            let rest = words.get(*start..).unwrap_or_default();
            if runs.adds_words {
                self.tell_added(rest, at);
            }
            self.run_words(rest, at);
        }
    }

    /// A command, which may stand in one word as a text for a shell.
    pub(super) fn run_words(&mut self, words: &[Word], at: &At) {
        match words.split_first() {
            Some((first, rest)) if first.text.to_string_lossy().contains(char::is_whitespace) => {
                self.leads.is_sure = false;
                self.text(&first.text.to_string_lossy(), rest, at);
            }
            _ => self.command(words, at),
        }
    }

    fn tell_added(&mut self, words: &[Word], at: &At) {
        let Some(head) = words.first() else { return };
        if !is_harmless(head) {
            let what = format!("runs {} with words that are known only when it runs", head.text.display());
            self.unknown(at, what);
        }
    }

    /// `find`, which runs programs with what it finds.
    fn finder(&mut self, program: &'static Program, words: &[Word], at: &At) {
        self.leads.is_sure = false;
        let is_run = |word: &Word| EXECUTES.contains(&word.str());
        let own = words.iter().position(is_run).unwrap_or(words.len());
        let mut runs: Vec<&[Word]> = Vec::new();
        for (place, _) in words.iter().enumerate().filter(|(_, word)| is_run(word)) {
            let rest = words.get(place + 1..).unwrap_or_default();
            let length = rest.iter().take_while(|word| word.str() != ";").count();
            runs.extend(rest.get(..length));
        }
        // Where it runs nothing that may be a client, a path is none that a client goes to.
        if runs.iter().all(|rest| rest.first().is_none_or(is_harmless)) {
            self.files(words, at);
        } else {
            self.evidence(words.get(1..).unwrap_or_default(), at);
        }
        let parsed = self.parse(program, words.get(1..own).unwrap_or_default(), Until::End, at);
        for folder in self.enter_all(&parsed, at) {
            let at = At { folder, ..at.clone() };
            for rest in &runs {
                self.tell_added(rest, &at);
                self.command(rest, &at);
            }
        }
    }

    /// A program that may do anything in the folders that its options name, also with its words.
    fn open(&mut self, program: &'static Program, all: &[Word], at: &At) {
        let words = all.get(1..).unwrap_or_default();
        let parsed = self.parse(program, words, Until::End, at);
        self.leads.is_sure = false;
        self.evidence(words, at);
        for file in &parsed.configurations {
            if let Some(parent) = self.path(file, &at.folder).as_deref().and_then(Path::parent) {
                self.reach(parent, Level::Reached);
            }
        }
        for text in parsed.paths.iter().flat_map(|value| value.str().split([':', ',', '='])) {
            let path = self.path(&Word::given(OsStr::new(text)), &at.folder);
            if let Some(path) = path.filter(|path| path.is_dir()) {
                self.reach(&path, Level::Named);
            }
        }
        // `just packages/api/deploy`
        for word in parsed.positionals.iter().filter_map(|(place, _)| words.get(*place)) {
            let path = self.path(word, &at.folder).filter(|_| word.str().contains('/'));
            if let Some(parent) = path.as_deref().and_then(Path::parent).filter(|parent| parent.is_dir()) {
                self.reach(parent, Level::Possible);
            }
        }
        let folders = self.enter_all(&parsed, at);
        if program.rules.is_empty() {
            // What is started elsewhere has only what stands in the file.
            for file in &parsed.env_files {
                let Some(file) = self.path(file, &at.folder) else { continue };
                self.guess(|walk| walk.load(&file, true, at));
            }
        } else {
            // A file that is named is looked for here by foreman, and there by just.
            let is_named = !parsed.env_files.is_empty() && !folders.contains(&at.folder);
            let here = Some(&at.folder).filter(|_| is_named);
            for folder in folders.iter().chain(here) {
                let visit = self.visit(program, &parsed, folder, at);
                self.leads.visits.push(visit);
            }
        }
        for file in parsed.configurations.iter().filter(|_| !program.files.is_empty()) {
            if let Some(file) = self.path(file, &at.folder).filter(|file| file.is_file()) {
                self.read_unparsed(&file, at);
            }
        }
        for text in &parsed.texts {
            self.text(&text.text.to_string_lossy(), &[], at);
        }
        // What leads to the folder isn't looked for in it.
        let is_left =
            |place: usize| place.checked_sub(1).is_none_or(|place| !parsed.of_folders.contains(&place));
        let words: Vec<Word> = all
            .iter()
            .enumerate()
            .filter(|(place, _)| is_left(*place))
            .map(|(_, word)| word.clone())
            .collect();
        let command = parsed.command.and_then(|place| all.get(place + 1..)).unwrap_or_default();
        for folder in folders {
            let at = At { folder, ..at.clone() };
            self.own_files(program, &at);
            self.other(&words, &at);
            self.run_words(command, &at);
        }
    }

    /// A program that reads or writes the files that its words name, and may run another one.
    fn file_tool(&mut self, program: &'static Program, words: &[Word], at: &At) {
        let parsed = self.parse(program, words.get(1..).unwrap_or_default(), Until::End, at);
        self.files(words, at);
        let place = words.iter().position(|word| program.options.runs.contains(&word.str()));
        if place.is_none() && parsed.texts.is_empty() {
            // It reads files there, and may start what a configuration says.
            let mut folder = at.folder.clone();
            for word in &parsed.folders {
                let Some(path) = self.path(word, &folder) else { continue };
                self.reach(&path, Level::Possible);
                folder = path;
            }
            return;
        }
        let behind = words.iter().skip(place.map_or(words.len(), |place| place + 1));
        let behind: Vec<Word> = behind.skip_while(|word| word.is_option()).cloned().collect();
        for folder in self.enter_all(&parsed, at) {
            let at = At { folder, ..at.clone() };
            for text in &parsed.texts {
                self.text(&text.text.to_string_lossy(), &[], &at);
            }
            let modules = if behind.is_empty() { Vec::new() } else { modules(&at.folder) };
            for folder in modules.into_iter().chain([at.folder.clone()]) {
                self.reach(&folder, Level::Reached);
                self.run_words(&behind, &At { folder, ..at.clone() });
            }
        }
    }

    fn shell(&mut self, program: &'static Program, words: &[Word], at: &At) {
        let words = words.get(1..).unwrap_or_default();
        let options = &program.options;
        let is_file_first = options.text.is_empty() && options.command.is_empty();
        let until = if is_file_first { Until::Program(&[]) } else { Until::End };
        let parsed = self.parse(program, words, until, at);
        self.leads.is_sure = false;
        let filtered = Self::filtered(program, &parsed, at);
        self.leads.filtered.extend(filtered);
        for text in &parsed.texts {
            self.text(&text.text.to_string_lossy(), &[], at);
        }
        if let Some(place) = parsed.command {
            return self.command(words.get(place..).unwrap_or_default(), at);
        }
        let starts = parsed.starts();
        let is_text = !options.texts.is_empty() && parsed.has(options.texts);
        let reads_input = starts.is_empty() && parsed.texts.is_empty()
            || (!options.texts.is_empty() && parsed.has(&["-s"]));
        if at.is_piped && reads_input {
            self.tell_piped(program, at);
        }
        for start in &starts {
            let (Some(first), rest) = (words.get(*start), words.get(*start..).unwrap_or_default()) else {
                continue;
            };
            if is_text {
                self.text(&first.text.to_string_lossy(), &[], at);
            } else if first.program().and_then(called).is_some_and(|row| row.role == Role::Shell) {
                self.command(rest, at);
            } else {
                self.script_file(first, at, Run::ByShell);
            }
        }
        let end = if is_text { starts.last().map(|start| start + 1) } else { None };
        self.evidence(words.get(end.unwrap_or_default()..).unwrap_or_default(), at);
    }

    fn tell_piped(&mut self, program: &Program, at: &At) {
        self.unknown(at, format!("gives {} a text that is known only when it runs", program.name));
    }

    pub(super) fn filtered(program: &'static Program, parsed: &Parsed, at: &At) -> Option<Filtered> {
        let is_on = match program.filter? {
            Filter::Turbo => true,
            Filter::With(options) => parsed.has(options),
            Filter::Without(options) => !parsed.has(options),
        };
        is_on.then(|| Filtered {
            program,
            file: at.file.clone(),
            line: at.line,
            folder: at.folder.clone(),
            tasks: Vec::new(),
            is_certain: true,
            kept: parsed.kept.clone(),
            mode: None,
        })
    }
}

/// True for the name of a program that neither sends a request nor runs what its words name.
fn is_harmless(head: &Word) -> bool {
    head.program().and_then(called).is_some_and(|row| {
        let runs_none = row.options.runs.is_empty() && row.options.text.is_empty();
        row.role == Role::Harmless || (row.role == Role::Files && runs_none)
    })
}

/// The folders of git's submodules, as far as there are not too many.
fn modules(folder: &Path) -> Vec<PathBuf> {
    let small = file::read(&folder.join(".gitmodules"), MODULES, None).ok().flatten();
    let text = small.map(|small| String::from_utf8_lossy(&small.bytes).into_owned()).unwrap_or_default();
    let paths =
        text.lines().filter_map(|line| line.trim().strip_prefix("path")?.trim_start().strip_prefix('='));
    paths.map(|path| real(&folder.join(path.trim()))).collect()
}
