//! Words of a program's call as its row reads them: its options with their values, and the words that are none.
//!
//! Programs don't agree on how options are written: `-C../beta`, `-ye staging`, `--e staging`, `--chd ../beta`, `-prefix
//! ../beta`. What is written as the row has it is read for certain. Any other form that leads to an option of the row
//! counts as that option, and the reading isn't sure.

use super::programs::{Options, Program};
use super::words::Word;

/// The most values of a kind that are looked at.
const VALUES: usize = 8;

/// What the value of an option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OptionKind {
    Folder,
    Project,
    Environment,
    Configuration,
    EnvFile,
    Package,
    Text,
    Split,
    Script,
    Paths,
    Other,
}

/// How far words are a program's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// All of them.
    End,
    /// Up to the name of another program, before which one of these words stands where there are any.
    Program(&'static [&'static str]),
}

/// Words as the row of their program reads them.
#[derive(Default)]
pub(super) struct Parsed<'w> {
    pub folders: Vec<Word>,
    /// The places of the words that name the folders.
    pub of_folders: Vec<usize>,
    pub environments: Vec<Word>,
    pub configurations: Vec<Word>,
    pub env_files: Vec<Word>,
    pub packages: Vec<Word>,
    /// Texts for a shell.
    pub texts: Vec<Word>,
    /// Texts whose words stand in their place.
    pub split: Vec<Word>,
    /// The place behind such a text: all that follows stands behind its words.
    pub after_split: usize,
    pub scripts: Vec<Word>,
    /// Values in which paths stand.
    pub paths: Vec<Word>,
    /// The values of options that the row doesn't have, as far as they stand in the same word.
    pub unknown: Vec<Word>,
    /// All options, by their names.
    pub flags: Vec<&'w str>,
    /// The places of the words that are no options, and whether such a one may be an option's value.
    pub positionals: Vec<(usize, bool)>,
    /// The variables that `--preserve-env=` names.
    pub kept: Vec<String>,
    /// The place of `--`.
    pub end: Option<usize>,
    /// The place of the words of a program that an option is followed by.
    pub command: Option<usize>,
    /// The word that has to stand before a program's name is there.
    pub has_verb: bool,
    /// Something may be read in another way, too.
    pub is_unsure: bool,
    /// There are more values than are looked at.
    pub is_cut: bool,
}

impl<'w> Parsed<'w> {
    pub(super) fn of(program: &Program, words: &'w [Word], until: Until) -> Self {
        let mut this = Self::default();
        let options = &program.options;
        let (mut at, mut may_be_value) = (0, false);
        while let Some(word) = words.get(at) {
            let place = at;
            at += 1;
            if word.str() == "--" {
                this.end = Some(place);
                if until == Until::End {
                    this.positionals.extend((at..words.len()).map(|place| (place, false)));
                }
                break;
            }
            if word.str() == "-" {
                this.flags.push("-");
                continue;
            }
            // `bash +e`
            if !options.texts.is_empty() && word.str().starts_with('+') {
                may_be_value = word.str().ends_with(['o', 'O']);
                continue;
            }
            let Some((name, attached)) = word.option() else {
                if let Until::Program(verbs) = until {
                    if !this.has_verb && verbs.contains(&word.str()) {
                        this.has_verb = true;
                        may_be_value = false;
                        continue;
                    }
                    this.positionals.push((place, may_be_value));
                    if !may_be_value {
                        break;
                    }
                } else {
                    this.positionals.push((place, may_be_value));
                }
                may_be_value = false;
                continue;
            };
            if let ("--preserve-env", Some(list)) = (name, &attached) {
                this.kept.extend(list.str().split(',').map(str::to_owned));
                may_be_value = false;
                continue;
            }
            this.flags.push(name);
            if options.command.contains(&name) {
                this.command = Some(at);
                break;
            }
            if is_flag(options, name) {
                may_be_value = false;
                continue;
            }
            if let Some(kind) = kind_of(options, name) {
                may_be_value = false;
                let value = attached.or_else(|| {
                    // A text may begin like an option.
                    let is_text = matches!(kind, OptionKind::Text | OptionKind::Split);
                    let next = words.get(at).filter(|next| is_text || !next.is_option())?;
                    at += 1;
                    Some(next.clone())
                });
                this.is_unsure |= value.is_none() && at < words.len();
                this.is_unsure |= kind == OptionKind::Project;
                if matches!(kind, OptionKind::Folder | OptionKind::Project) {
                    this.of_folders.extend(place..at);
                }
                this.keep(kind, value);
                if kind == OptionKind::Split {
                    this.after_split = at;
                    break;
                }
                // Wrangler takes all the words that follow, with `=` too (measured).
                while let Some(file) = words.get(at).filter(|next| {
                    kind == OptionKind::EnvFile && options.are_env_files_many && !next.is_option()
                }) {
                    this.keep(kind, Some(file.clone()));
                    at += 1;
                }
                continue;
            }
            may_be_value = attached.is_none();
            this.unknown.extend(attached.clone());
            for (kind, value) in other_readings(options, name, attached.as_ref()) {
                this.is_unsure = true;
                let end = at + usize::from(value.is_none());
                match kind {
                    OptionKind::Split => this.after_split = end,
                    OptionKind::Folder | OptionKind::Project => this.of_folders.extend(place..end),
                    _ => {}
                }
                let is_text = matches!(kind, OptionKind::Text | OptionKind::Split);
                let next = || words.get(at).filter(|next| is_text || !next.is_option()).cloned();
                this.keep(kind, value.or_else(next));
            }
            if !this.split.is_empty() {
                break;
            }
        }
        this
    }

    fn keep(&mut self, kind: OptionKind, value: Option<Word>) {
        let values = match kind {
            OptionKind::Folder | OptionKind::Project => &mut self.folders,
            OptionKind::Environment => &mut self.environments,
            OptionKind::Configuration => &mut self.configurations,
            OptionKind::EnvFile => &mut self.env_files,
            OptionKind::Package => &mut self.packages,
            OptionKind::Text => &mut self.texts,
            OptionKind::Split => &mut self.split,
            OptionKind::Script => &mut self.scripts,
            OptionKind::Paths => &mut self.paths,
            OptionKind::Other => return,
        };
        let Some(value) = value else { return };
        if values.contains(&value) {
            return;
        }
        if values.len() == VALUES {
            self.is_cut = true;
        } else {
            values.push(value);
        }
    }

    /// One of the options stands there, also in `-xyz`.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        let is_one = |flag: &&str| {
            let letters = flag.strip_prefix('-').filter(|rest| !rest.starts_with('-')).unwrap_or_default();
            let mut short =
                names.iter().filter_map(|name| name.strip_prefix('-').filter(|name| name.len() == 1));
            names.contains(flag) || short.any(|letter| letters.contains(letter))
        };
        self.flags.iter().any(is_one)
    }

    /// An option says that every package of the workspace is meant.
    pub(super) fn has_all_packages(&self, program: &Program) -> bool {
        self.has(program.options.all_packages)
    }

    /// Those of the words that are no options, from the `first` of them on, which may be the first one that is no
    /// option's value: by their numbers and their places.
    pub(super) fn candidates(&self, first: usize) -> impl Iterator<Item = (usize, usize)> {
        let mut is_over = false;
        let rest = self.positionals.iter().enumerate().skip(first);
        rest.take_while(move |(_, (_, may_be_value))| !std::mem::replace(&mut is_over, !may_be_value))
            .map(|(number, (place, _))| (number, *place))
    }

    /// Where the words of another program may begin.
    pub(super) fn starts(&self) -> Vec<usize> {
        let mut starts: Vec<usize> = self.candidates(0).map(|(_, place)| place).collect();
        let is_found = self.positionals.iter().any(|(_, may_be_value)| !may_be_value);
        starts.extend(self.end.filter(|_| !is_found).map(|end| end + 1));
        starts
    }
}

/// The options of a row that have a value, by what it is.
fn kinds(options: &Options) -> [(OptionKind, &'static [&'static str]); 11] {
    [
        (OptionKind::Folder, options.folder),
        (OptionKind::Project, options.project),
        (OptionKind::Environment, options.environment),
        (OptionKind::Configuration, options.configuration),
        (OptionKind::EnvFile, options.env_file),
        (OptionKind::Package, options.package),
        (OptionKind::Text, options.text),
        (OptionKind::Split, options.split),
        (OptionKind::Script, options.script),
        (OptionKind::Paths, options.paths),
        (OptionKind::Other, options.other),
    ]
}

fn kind_of(options: &Options, name: &str) -> Option<OptionKind> {
    kinds(options).into_iter().find(|(_, names)| names.contains(&name)).map(|(kind, _)| kind)
}

/// An option that has no value for certain: one of the row's, `-xyz` of such, and `--no-…`.
fn is_flag(options: &Options, name: &str) -> bool {
    if options.flags.contains(&name) {
        return true;
    }
    let letters = name.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    let is_letter = |letter: char| options.flags.contains(&format!("-{letter}").as_str());
    match letters {
        Some(letters) => kind_of(options, name).is_none() && letters.chars().all(is_letter),
        None => name.starts_with("--no-") && kind_of(options, name).is_none(),
    }
}

/// The options of the row that a word may stand for which the row does not have, each with what is its value; `None`
/// for the next word.
fn other_readings(options: &Options, name: &str, attached: Option<&Word>) -> Vec<(OptionKind, Option<Word>)> {
    let is_known = attached.is_none_or(|word| word.is_known);
    let mut readings = Vec::new();
    let letters = name.strip_prefix('-').filter(|rest| !rest.starts_with('-'));
    let bare = plain(name);
    if bare.is_empty() {
        return readings;
    }
    // `--e`, `--envFile`, `-prefix`, and `--chd` for `--chdir`.
    if bare.len() > 1 || letters.is_none() {
        let all = || {
            kinds(options)
                .into_iter()
                .flat_map(|(kind, names)| names.iter().map(move |name| (kind, plain(name))))
        };
        let exact: Vec<OptionKind> =
            all().filter(|(_, known)| *known == bare).map(|(kind, _)| kind).collect();
        let begun = all().filter(|(_, known)| exact.is_empty() && known.starts_with(&bare));
        for kind in exact.iter().copied().chain(begun.map(|(kind, _)| kind)) {
            readings.push((kind, attached.cloned()));
        }
    }
    // `-C../beta`, where the rest is the value; and `-ye staging`, where the last letter has one.
    let Some(letters) = letters else { return readings };
    let whole = attached.map_or_else(|| letters.to_owned(), |value| format!("{letters}={}", value.str()));
    let of_letter = |letter: char| kind_of(options, &format!("-{letter}"));
    let first = letters
        .char_indices()
        .find_map(|(place, letter)| Some((place + letter.len_utf8(), of_letter(letter)?)));
    if let Some((end, kind)) = first {
        let rest = whole.get(end..).unwrap_or_default();
        let rest = rest.strip_prefix('=').unwrap_or(rest);
        let rest = Some(rest).filter(|rest| !rest.is_empty());
        readings.push((kind, rest.map(|rest| Word { text: rest.into(), is_known })));
    }
    if let Some(kind) = letters.chars().next_back().and_then(of_letter) {
        readings.push((kind, attached.cloned()));
    }
    readings
}

/// An option's name without its dashes; a long one is the same in all its forms.
fn plain(name: &str) -> String {
    let bare = name.trim_start_matches('-');
    if bare.len() == 1 { bare.to_owned() } else { bare.replace('-', "").to_lowercase() }
}
