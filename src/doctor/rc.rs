//! What stands in the files that shells read at their start: the lines that install a hook.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most that is read of one, in bytes.
const LIMIT: u64 = 1024 * 1024;
/// The ways in which shells write the person's home.
const HOMES: [&str; 5] = ["~/", "$HOME/", "${HOME}/", "$env.HOME/", "$env:HOME/"];

/// A line that installs a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// The program in it, without quotes.
    pub program: String,
}

/// The text of a file; `None` where there is none that can be read.
pub(super) fn text(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of a text that have `PROGRAM hook SHELL` in them, where the program is called `name`.
pub(super) fn lines(text: &str, name: &str, shell: &str) -> Vec<Line> {
    let numbered = (1..).zip(text.lines());
    numbered
        .filter_map(|(number, line)| Some(Line { number, program: program(line, name, shell)? }))
        .collect()
}

/// Whether two scripts begin alike, by what the first of their comments says of them.
pub(super) fn begin_alike(one: &str, other: &str) -> bool {
    let header = |text: &str| {
        let mut lines = text.lines().map(str::trim_end);
        // That one is for a linter, and many have it.
        lines.find(|line| !line.starts_with("# shellcheck ")).map(str::to_owned)
    };
    header(one).is_some_and(|line| !line.is_empty() && Some(line) == header(other))
}

fn program(line: &str, name: &str, shell: &str) -> Option<String> {
    if line.trim_start().starts_with('#') {
        return None;
    }
    let words = format!(" hook {shell}");
    line.match_indices(&words).find_map(|(at, _)| {
        let ends = line[at + words.len()..].chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '-');
        let program = last_word(line[..at].trim_end());
        let is_it = Path::new(&program).file_name().is_some_and(|file| file == name);
        (ends && is_it).then_some(program)
    })
}

/// The last word of a piece of a shell's line, without the quotes around it.
fn last_word(text: &str) -> String {
    if let Some(quote) = text.chars().next_back().filter(|c| matches!(c, '"' | '\'')) {
        let inside = &text[..text.len() - 1];
        return inside.rsplit(quote).next().unwrap_or_default().to_owned();
    }
    let is_end = |c: char| c.is_whitespace() || "(`\"';&|={^".contains(c);
    text.rsplit(is_end).next().unwrap_or_default().to_owned()
}

/// The program as a path, where it is one that can be told without a shell.
pub(super) fn path_of(program: &str, user_home: &Path) -> Option<PathBuf> {
    for prefix in HOMES {
        if let Some(below) = program.strip_prefix(prefix) {
            return Some(user_home.join(below));
        }
    }
    program.starts_with('/').then(|| PathBuf::from(program)).filter(|_| !program.contains(['$', '*', '\\']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_found_in_what_people_write() {
        for (line, shell, program) in [
            ("eval \"$(alchemy hook bash)\"", "bash", Some("alchemy")),
            ("  eval \"$(/opt/x/alchemy hook zsh)\" # here", "zsh", Some("/opt/x/alchemy")),
            ("eval \"$(\"$HOME/bin/alchemy\" hook bash)\"", "bash", Some("$HOME/bin/alchemy")),
            ("eval \"$('/o p/alchemy' hook bash)\"", "bash", Some("/o p/alchemy")),
            ("if ($?prompt) eval \"`alchemy hook tcsh`\"", "tcsh", Some("alchemy")),
            ("~/.cargo/bin/alchemy hook fish | source", "fish", Some("~/.cargo/bin/alchemy")),
            ("eval (alchemy hook elvish | slurp)", "elvish", Some("alchemy")),
            ("command -v alchemy >/dev/null && eval \"$(alchemy hook bash)\"", "bash", Some("alchemy")),
            ("# eval \"$(alchemy hook bash)\"", "bash", None),
            ("eval \"$(direnv hook bash)\"", "bash", None),
            ("eval \"$(alchemy hook bash)\"", "zsh", None),
            ("alchemy hook bash-like", "bash", None),
            ("echo alchemy", "bash", None),
        ] {
            let found = lines(line, "alchemy", shell);
            assert_eq!(found.first().map(|line| line.program.as_str()), program, "{line}");
        }
    }

    #[test]
    fn a_program_is_a_path_where_no_shell_is_needed_to_tell() {
        let home = Path::new("/home/me");
        assert_eq!(path_of("~/bin/alchemy", home), Some("/home/me/bin/alchemy".into()));
        assert_eq!(path_of("/usr/bin/alchemy", home), Some("/usr/bin/alchemy".into()));
        for other in ["alchemy", "$X/alchemy", "/opt/$V/alchemy", "bin/alchemy"] {
            assert_eq!(path_of(other, home), None, "{other}");
        }
    }
    #[test]
    fn scripts_begin_alike_by_what_they_say_they_are() {
        let ours = "# shellcheck shell=bash\n# Gives.\nx\n";
        for (text, expected) in [
            (ours, true),
            ("# Gives.\nold", true),
            ("# shellcheck shell=bash\nuse_alchemy() { :; }\n", false),
            ("alias a=b\n# Gives.\n", false),
            ("", false),
        ] {
            assert_eq!(begin_alike(text, ours), expected, "{text}");
        }
    }
}
