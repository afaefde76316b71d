//! The hooks: in which files they are installed, whether what was saved of them is what this binary prints,
//! and direnv's side.

use std::path::{Path, PathBuf};

use super::binary::is_same;
use super::{Finding, Machine, rc};
use crate::environment::ACTIVE;
use crate::hook::render::{Shell, word};

/// A hook as this binary prints it.
pub(crate) struct Printed {
    /// The shell; none is direnv.
    pub shell: Option<Shell>,
    /// The text, with `placeholder` where the path of the binary belongs.
    pub template: String,
}

/// What the edge knows of the hooks.
pub(crate) struct Hooks {
    /// The path of the binary as a hook has it.
    pub binary: PathBuf,
    /// What stands for it in a template.
    pub placeholder: &'static str,
    /// Those that people save: Nushell reads files only, and fish and direnv have folders for them.
    pub printed: Vec<Printed>,
    /// Whether `direnv` is in `PATH`.
    pub direnv: bool,
}

/// The shells that have a hook, with the names that `alchemy hook` knows them by.
const SHELLS: [(Shell, &str); 7] = [
    (Shell::Bash, "bash"),
    (Shell::Zsh, "zsh"),
    (Shell::Fish, "fish"),
    (Shell::Nu, "nu"),
    (Shell::Elvish, "elvish"),
    (Shell::Tcsh, "tcsh"),
    (Shell::Pwsh, "pwsh"),
];

/// A file with the line of a hook, or a hook that was saved.
struct Place {
    shell: &'static str,
    path: PathBuf,
    lines: Vec<rc::Line>,
    /// The number of direnv's line.
    direnv: Option<usize>,
}

/// The hooks that are installed, in words, for the facts.
pub(crate) fn in_words(machine: &Machine, hooks: &Hooks) -> Vec<String> {
    if !machine.user_home.is_absolute() {
        return Vec::new();
    }
    let mut words = Vec::new();
    for place in places(machine) {
        let at = machine.show(&place.path);
        for line in &place.lines {
            let order = match place.direnv {
                Some(direnv) if direnv < line.number => ", after direnv's",
                Some(_) => ", before direnv's",
                None => "",
            };
            words.push(format!("{} in {at}:{}{order}", place.shell, line.number));
        }
    }
    for printed in &hooks.printed {
        let Some((_, name)) = named(printed) else { continue };
        let is_saved = |path: &PathBuf| {
            let text = rc::text(path).filter(|text| rc::lines(text, "alchemy", name).is_empty());
            text.is_some_and(|text| rc::begin_alike(&text, &printed.template))
        };
        let saved = saved_at(machine, printed.shell).filter(is_saved);
        words.extend(saved.map(|path| format!("{name} in {}", machine.show(&path))));
    }
    words
}

/// What is off with the hooks.
pub(crate) fn check(machine: &Machine, hooks: &Hooks) -> Vec<Finding> {
    if !machine.user_home.is_absolute() {
        let why = "where shells read their hooks from is not known";
        let note = Finding::note("hooks-unchecked", "HOME is no absolute path, so no hooks were looked at");
        return vec![note.why(why).mend("export HOME=/your/home")];
    }
    let places = places(machine);
    let mut findings: Vec<Finding> =
        places.iter().flat_map(|place| of_place(machine, hooks, place)).collect();
    for printed in &hooks.printed {
        let saved = saved_at(machine, printed.shell);
        findings.extend(saved.filter_map(|path| of_saved(machine, hooks, printed, &path)));
    }
    findings.extend(missing(machine, &places));
    findings.extend(direnv(machine, hooks));
    findings
}

fn of_place(machine: &Machine, hooks: &Hooks, place: &Place) -> Vec<Finding> {
    let mut findings = Vec::new();
    let file = machine.show(&place.path);
    if let [first, .., last] = &place.lines[..] {
        let what =
            format!("the hook is installed twice in {file} (lines {} and {})", first.number, last.number);
        let why = "each shell starts alchemy once more for nothing";
        let mend = format!("take line {} out of {file}", last.number);
        findings.push(Finding::problem("hook-twice", what).why(why).mend(mend));
    }
    for line in &place.lines {
        let Some(program) = rc::path_of(&line.program, machine.user_home) else { continue };
        let at = format!("the hook in {file} (line {})", line.number);
        if program.exists() {
            if !is_same(&program, &hooks.binary) {
                let what = format!("{at} calls another alchemy, {}", machine.show(&program));
                let why = "an update of this one changes nothing in new shells";
                let mend = format!("write {} there", machine.show(&hooks.binary));
                findings.push(Finding::note("hook-other", what).why(why).mend(mend));
            }
            continue;
        }
        let what = format!("{at} calls {}, which is not there", machine.show(&program));
        let why = "each new shell says so, and has no hook";
        let shell = SHELLS.into_iter().find(|(_, name)| *name == place.shell);
        let new =
            shell.zip(plain(&hooks.binary)).map(|((shell, name), binary)| hook_line(shell, name, binary));
        let mend = match new {
            Some(new) => format!("write this in the place of line {} of {file}: {new}", line.number),
            None => format!("write the path of alchemy into line {} of {file}", line.number),
        };
        findings.push(Finding::problem("hook-gone", what).why(why).mend(mend));
    }
    findings
}

/// A path that every shell takes as it is.
fn plain(path: &Path) -> Option<&str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    path.to_str().filter(|path| path.starts_with('/') && path.chars().all(is_plain))
}

/// The line that installs a shell's hook, by the path or the name of the binary.
fn hook_line(shell: Shell, name: &str, binary: &str) -> String {
    match shell {
        Shell::Fish => format!("{binary} hook fish | source"),
        Shell::Elvish => format!("eval ({binary} hook elvish | slurp)"),
        Shell::Tcsh => format!("if ($?prompt) eval \"`{binary} hook tcsh`\""),
        Shell::Pwsh => format!("{binary} hook pwsh | Out-String | Invoke-Expression"),
        Shell::Bash | Shell::Zsh | Shell::Nu => format!("eval \"$({binary} hook {name})\""),
    }
}

/// The shell of the person, when it has no hook.
fn missing(machine: &Machine, places: &[Place]) -> Option<Finding> {
    let program = Path::new(machine.variable("SHELL")?).file_name()?.to_str()?.to_owned();
    let program = if program == "csh" { "tcsh" } else { &program };
    let (shell, name) = SHELLS.into_iter().find(|(_, name)| *name == program)?;
    let is_installed = places.iter().any(|place| place.shell == name && !place.lines.is_empty());
    // One that has spoken here is installed in a way that was not looked for.
    let is_at_work = machine.variable(ACTIVE).is_some();
    if is_installed || is_at_work || saved_at(machine, Some(shell)).any(|path| path.is_file()) {
        return None;
    }
    let mend = match (saved_at(machine, Some(shell)).next(), rc_files(machine, shell).into_iter().next()) {
        (Some(path), _) if shell == Shell::Nu => save(machine, &path, "nu"),
        (_, Some(path)) => format!("echo '{}' >> {}", hook_line(shell, name, "alchemy"), machine.word(&path)),
        _ => return None,
    };
    let what = format!("no hook is installed for your shell, {name}");
    let why = "a directory's profile is used by 'alchemy exec' there, and not by what is run without it";
    Some(Finding::note("hook-missing", what).why(why).mend(mend))
}

/// The command that saves what this binary prints.
fn save(machine: &Machine, path: &Path, what: &str) -> String {
    let folder = machine.word(path.parent().unwrap_or(path));
    format!("mkdir -p {folder} && alchemy hook {what} > {}", machine.word(path))
}

/// The shell that reads it, and what `alchemy hook` calls it. direnv evaluates with bash.
fn named(printed: &Printed) -> Option<(Shell, &'static str)> {
    match printed.shell {
        Some(shell) => SHELLS.into_iter().find(|(known, _)| *known == shell),
        None => Some((Shell::Bash, "direnv")),
    }
}

fn of_saved(machine: &Machine, hooks: &Hooks, printed: &Printed, path: &Path) -> Option<Finding> {
    let text = rc::text(path)?;
    let (shell, name) = named(printed)?;
    if !rc::lines(&text, "alchemy", name).is_empty() {
        return None; // It calls the binary, and so is always new.
    }
    if !text.trim().is_empty() && !rc::begin_alike(&text, &printed.template) {
        let what = format!("{} is not alchemy's hook, although it has the name", machine.show(path));
        let why = "it is your own, so alchemy leaves it as it is";
        let mend = format!("give it another name, if the hook is to be there: alchemy hook {name}");
        return Some(Finding::note("hook-foreign", what).why(why).mend(mend));
    }
    let current = printed.template.replace(hooks.placeholder, &word(shell, hooks.binary.to_str()?));
    let what = match embedded(&printed.template, hooks.placeholder, &text) {
        _ if text == current => return None,
        Some(program) => {
            let program = rc::path_of(unquoted(program), machine.user_home)?;
            if program.exists() {
                return None;
            }
            format!("{} calls {}, which is not there", machine.show(path), machine.show(&program))
        }
        None => format!("{} is not what this alchemy prints for {name}", machine.show(path)),
    };
    let id = if name == "direnv" { "use-alchemy-outdated" } else { "hook-outdated" };
    let why = "a hook and the alchemy that it calls must be of one version";
    Some(Finding::problem(id, what).why(why).mend(save(machine, path, name)))
}

/// What stands in a text in the place of the placeholder, when the text is otherwise the template.
fn embedded<'t>(template: &str, placeholder: &str, text: &'t str) -> Option<&'t str> {
    let mut pieces = template.split(placeholder);
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut found: Option<&str> = None;
    for piece in pieces {
        // What follows a placeholder never begins with what is in a path.
        let end = rest.find(|c: char| c.is_whitespace() || c == ')' || c == ';').unwrap_or(rest.len());
        let (word, after) = match found {
            Some(word) => (word, rest.strip_prefix(word)?),
            None => rest.split_at(end),
        };
        found = Some(word);
        rest = after.strip_prefix(piece)?;
    }
    rest.is_empty().then_some(found)?
}

fn unquoted(word: &str) -> &str {
    word.trim_start_matches('$').trim_matches(|c| matches!(c, '\'' | '"' | '`'))
}

fn direnv(machine: &Machine, hooks: &Hooks) -> Vec<Finding> {
    let Some(envrc) = super::directory::envrc(machine) else { return Vec::new() };
    let mut findings = Vec::new();
    let says = format!("{} says 'use alchemy'", machine.show(&envrc));
    if !hooks.direnv {
        let what = format!("{says}, and direnv is not installed");
        let why = "nobody reads that file";
        findings.push(
            Finding::note("direnv-missing", what).why(why).mend("https://direnv.net/docs/installation.html"),
        );
    }
    let config = config(machine).join("direnv");
    let defines = |path: PathBuf| rc::text(&path).is_some_and(|text| text.contains("use_alchemy"));
    let is_defined = ["direnvrc", "lib/use_alchemy.sh"].iter().any(|below| defines(config.join(below)))
        || defines(machine.user_home.join(".direnvrc"));
    if let (false, Some(path)) = (is_defined, saved_at(machine, None).next()) {
        let what = format!("{says}, and direnv does not know what that is");
        let why = "direnv stops there with an error";
        let finding = Finding::problem("use-alchemy-missing", what).why(why);
        // What is there and defines something else is somebody's own.
        findings.push(if path.exists() {
            finding.mend(format!("alchemy hook direnv >> {}", machine.word(&path)))
        } else {
            finding.mend(save(machine, &path, "direnv"))
        });
    }
    findings
}

/// Where a shell reads its lines from, the usual place first.
fn rc_files(machine: &Machine, shell: Shell) -> Vec<PathBuf> {
    let (home, config) = (machine.user_home, config(machine));
    let zsh = machine.variable("ZDOTDIR").map_or_else(|| home.to_owned(), PathBuf::from);
    let below =
        |folder: &Path, names: &[&str]| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>();
    match shell {
        Shell::Bash => below(home, &[".bashrc", ".bash_profile", ".bash_login", ".profile"]),
        Shell::Zsh => below(&zsh, &[".zshrc", ".zprofile", ".zshenv"]),
        Shell::Fish => {
            let mut files = below(&config, &["fish/config.fish"]);
            let more = std::fs::read_dir(config.join("fish/conf.d")).into_iter().flatten().flatten();
            let mut more: Vec<_> = more.map(|entry| entry.path()).collect();
            more.sort();
            files.extend(more);
            files
        }
        Shell::Nu => below(&config, &["nushell/config.nu", "nushell/env.nu"]),
        Shell::Elvish => [below(&config, &["elvish/rc.elv"]), below(home, &[".elvish/rc.elv"])].concat(),
        Shell::Tcsh => below(home, &[".tcshrc", ".cshrc"]),
        Shell::Pwsh => {
            below(&config, &["powershell/Microsoft.PowerShell_profile.ps1", "powershell/profile.ps1"])
        }
    }
}

/// Where a hook is saved that is read as a file, the usual place first.
fn saved_at(machine: &Machine, shell: Option<Shell>) -> impl Iterator<Item = PathBuf> + use<> {
    let config = config(machine);
    let paths = match shell {
        Some(Shell::Nu) => {
            let data = machine.variable("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            let data = data.unwrap_or_else(|| machine.user_home.join(".local/share"));
            vec![data.join("nushell/vendor/autoload/alchemy.nu"), config.join("nushell/autoload/alchemy.nu")]
        }
        Some(Shell::Fish) => vec![config.join("fish/conf.d/alchemy.fish")],
        None => vec![config.join("direnv/lib/use_alchemy.sh")],
        Some(_) => Vec::new(),
    };
    paths.into_iter()
}

fn config(machine: &Machine) -> PathBuf {
    let named = machine.variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    named.unwrap_or_else(|| machine.user_home.join(".config"))
}

fn places(machine: &Machine) -> Vec<Place> {
    let place = |(shell, path): (&'static str, PathBuf)| {
        let text = rc::text(&path)?;
        let lines = rc::lines(&text, "alchemy", shell);
        let direnv = rc::lines(&text, "direnv", shell).first().map(|line| line.number);
        (!lines.is_empty()).then_some(Place { shell, path, lines, direnv })
    };
    let files = SHELLS
        .iter()
        .flat_map(|(shell, name)| rc_files(machine, *shell).into_iter().map(move |path| (*name, path)));
    files.filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_in_a_saved_hook_is_found_where_the_rest_is_the_template() {
        let template = "a = @ x\nb (@)\n";
        assert_eq!(embedded(template, "@", "a = /bin/al x\nb (/bin/al)\n"), Some("/bin/al"));
        for other in
            ["a = /bin/al x\nb (/bin/other)\n", "a = /bin/al x\n", "a = /bin/al x\nb (/bin/al)\nc\n", ""]
        {
            assert_eq!(embedded(template, "@", other), None, "{other}");
        }
        assert_eq!(unquoted("$'/bin/al'"), "/bin/al");
    }
}
