//! Words of a program's call as its row reads them: its options with their values, and the words that are none.

use super::programs::Program;
use super::words::Word;

/// The most `.env` files that a command may name.
const ENV_FILES: usize = 8;

/// Words as the row of their program reads them.
#[derive(Default)]
pub struct Parsed<'w> {
    pub folder: Option<Word>,
    pub environment: Option<Word>,
    pub configurations: Vec<Word>,
    pub env_files: Vec<Word>,
    pub packages: Vec<Word>,
    pub text: Option<Word>,
    /// All options, by their names.
    pub flags: Vec<&'w str>,
    /// The places of the words that are no options, and whether such a one may be an option's value.
    pub positionals: Vec<(usize, bool)>,
    /// The variables that `--preserve-env=` names.
    pub kept: Vec<String>,
    /// The place of `--`.
    pub end: Option<usize>,
    /// The place behind the text.
    pub after_text: Option<usize>,
}

impl<'w> Parsed<'w> {
    /// `until_first`: what follows the first word that is no option is another program's.
    pub fn of(program: &Program, further: &[&str], words: &'w [Word], until_first: bool) -> Self {
        let mut this = Self::default();
        let options = &program.options;
        let (mut at, mut may_be_value) = (0, false);
        while let Some(word) = words.get(at) {
            let place = at;
            at += 1;
            if word.str() == "--" {
                this.end = Some(place);
                break;
            }
            if word.str() == "-" {
                this.flags.push("-");
                continue;
            }
            let Some((name, attached)) = word.option() else {
                this.positionals.push((place, may_be_value));
                may_be_value = false;
                if until_first {
                    break;
                }
                continue;
            };
            may_be_value = false;
            if let ("--preserve-env", Some(list)) = (name, &attached) {
                this.kept.extend(list.str().split(',').map(str::to_owned));
                continue;
            }
            this.flags.push(name);
            let is = |names: &[&str]| names.contains(&name);
            let has_value = [
                options.folder,
                options.environment,
                options.configuration,
                options.env_file,
                options.package,
                options.text,
                options.other,
                further,
            ]
            .iter()
            .any(|names| is(names));
            if !has_value {
                may_be_value = attached.is_none();
                continue;
            }
            let value = attached.or_else(|| {
                let next = words.get(at).filter(|next| !next.is_option())?;
                at += 1;
                Some(next.clone())
            });
            if is(options.env_file) {
                this.env_files.extend(value);
                // Wrangler takes all the words that follow, with `=` too (measured).
                let files = words.get(at..).unwrap_or_default().iter().take_while(|next| !next.is_option());
                for file in files.filter(|_| options.are_env_files_many) {
                    this.env_files.push(file.clone());
                    at += 1;
                }
            } else if is(options.text) {
                this.after_text = Some(at);
                this.text = value;
                if until_first {
                    break;
                }
            } else if is(options.folder) {
                this.folder = value;
            } else if is(options.environment) {
                this.environment = value;
            } else if is(options.configuration) {
                this.configurations.extend(value);
            } else if is(options.package) {
                this.packages.extend(value);
            }
        }
        this.env_files.truncate(ENV_FILES);
        this
    }

    /// One of the options stands there, also in `-xyz`.
    pub fn has(&self, names: &[&str]) -> bool {
        let is_one = |flag: &&str| {
            let letters = flag.strip_prefix('-').filter(|rest| !rest.starts_with('-')).unwrap_or_default();
            let mut short =
                names.iter().filter_map(|name| name.strip_prefix('-').filter(|name| name.len() == 1));
            names.contains(flag) || short.any(|letter| letters.contains(letter))
        };
        self.flags.iter().any(is_one)
    }

    /// An option says that every package of the workspace is meant.
    pub fn has_all_packages(&self, program: &Program) -> bool {
        self.flags.iter().any(|flag| matches!(*flag, "--workspaces" | "-ws" | "--recursive"))
            || (program.name == "pnpm" && self.has(&["-r"]))
    }

    /// Where the words of another program begin.
    pub fn rest(&self) -> Option<usize> {
        self.positionals.first().map(|(place, _)| *place).or(self.end.map(|end| end + 1))
    }
}
