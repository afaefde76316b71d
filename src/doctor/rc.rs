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
pub struct Line {
    /// Its number, from 1.
    pub number: usize,
    /// It.
    pub text: String,
    /// The program in it, without quotes.
    pub program: String,
    /// It can be taken out, and what stands around it means what it did.
    pub alone: bool,
}

/// The text of a file; `None` where there is none that can be read.
#[must_use]
pub fn text(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LIMIT).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of a text that have `PROGRAM hook SHELL` in them, where the program is called `name`.
#[must_use]
pub fn lines(text: &str, name: &str, shell: &str) -> Vec<Line> {
    let all: Vec<&str> = text.lines().collect();
    let find = |(index, line): (usize, &&str)| {
        let program = program(line, name, shell)?;
        let alone = stands_alone(&all, index);
        Some(Line { number: index + 1, text: (*line).to_owned(), program, alone })
    };
    all.iter().enumerate().filter_map(find).collect()
}

/// Whether a line is a statement of its own in no block, as far as can be told without a shell: in doubt it
/// is none.
fn stands_alone(lines: &[&str], at: usize) -> bool {
    let says = |line: &&&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let before = lines[..at].iter().rfind(says).is_none_or(|line| !goes_on(line));
    let after = lines[at + 1..].iter().find(says).is_none_or(|line| !continues(line));
    !lines[at].starts_with(char::is_whitespace) && !goes_on(lines[at]) && before && after
}

/// Whether a line needs the next one: what it begins or opens ends there, or later.
fn goes_on(line: &str) -> bool {
    const LAST: [&str; 7] = ["then", "else", "do", "in", "begin", "and", "or"];
    const FIRST: [&str; 9] = ["if", "for", "foreach", "while", "function", "switch", "case", "begin", "else"];
    const ENDS: [&str; 6] = ["fi", "done", "end", "endif", "esac", "}"];
    // What looks like a comment may be none, so both are looked at.
    let code = line.split(" #").next().unwrap_or_default();
    [line, code].into_iter().map(str::trim_end).any(|line| {
        let mut words = line.split(|c: char| c.is_whitespace() || c == ';').filter(|word| !word.is_empty());
        let first = words.next().unwrap_or_default();
        let last = words.next_back().unwrap_or(first);
        line.ends_with(['\\', '&', '|', '{', '(', '`']) && !line.ends_with(" &")
            || LAST.contains(&last)
            || FIRST.contains(&first) && !ENDS.contains(&last)
    })
}

/// Whether a line belongs to what stands before it.
fn continues(line: &str) -> bool {
    const FIRST: [&str; 9] = ["fi", "else", "elif", "done", "end", "endif", "esac", "and", "or"];
    let line = line.trim_start();
    let word = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    line.starts_with(['}', ')', ';', '|', '&']) || FIRST.contains(&word)
}

/// The line with another program wherever it names this one, in whatever way it does.
#[must_use]
pub fn with_program(line: &Line, user_home: &Path, other: &str) -> String {
    let path = path_of(&line.program, user_home);
    let below = path.as_deref().and_then(|path| path.strip_prefix(user_home).ok()?.to_str());
    let mut names = vec![line.program.clone()];
    names.extend(path.as_deref().and_then(Path::to_str).map(str::to_owned));
    names.extend(below.into_iter().flat_map(|below| HOMES.map(|home| format!("{home}{below}"))));
    names.iter().fold(line.text.clone(), |text, name| replace_path(&text, name, other))
}

/// Replaces a path where it stands whole.
fn replace_path(text: &str, path: &str, with: &str) -> String {
    let is_of_path = |c: char| c.is_alphanumeric() || "/._-+~".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in text.match_indices(path) {
        let (before, after) = (&text[..at], &text[at + path.len()..]);
        if !before.ends_with(is_of_path) && !after.starts_with(is_of_path) {
            out.push_str(&text[done..at]);
            out.push_str(with);
            done = at + path.len();
        }
    }
    out.push_str(&text[done..]);
    out
}

/// Whether two scripts begin alike, by what the first of their comments says of them.
#[must_use]
pub fn begin_alike(one: &str, other: &str) -> bool {
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
#[must_use]
pub fn path_of(program: &str, user_home: &Path) -> Option<PathBuf> {
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
    fn a_line_stands_alone_where_nothing_around_it_needs_it() {
        let hook = "eval \"$(alchemy hook bash)\"";
        for (before, after, expected) in [
            ("", "", true),
            ("a=1\n", "\nb=2", true),
            ("if [ -f x ]; then . x; fi\n", "\nif true; then a; fi", true),
            ("sleep 1 &\n", "", true),
            ("fi\n# then\n", "\n\n# fi", true),
            ("  ", "", false),
            ("if true; then\n", "\nelse\n:\nfi", false),
            ("if true; then # so\n\n# and\n", "\na=1\nfi", false),
            ("true && \\\n", "\nb=2", false),
            ("true &&\n", "", false),
            ("false ||\n", "", false),
            ("f() {\n", "\na=1\n}", false),
            ("while true; do\n", "", false),
            ("if status is-interactive\n", "\na", false),
            ("a=1\n", "\nfi", false),
            ("a=1\n", "\n\n  } # f", false),
            ("a=1\n", "\ndone; b", false),
            ("", " \\\nb=2", false),
            ("", " &&\nb=2", false),
        ] {
            let text = format!("{before}{hook}{after}");
            assert_eq!(lines(&text, "alchemy", "bash")[0].alone, expected, "{text}");
        }
    }

    #[test]
    fn a_program_is_replaced_wherever_it_is_named_and_nothing_else_is() {
        for (line, expected) in [
            (
                "[ -x ~/a/alchemy ] && eval \"$(~/a/alchemy hook bash)\"",
                "[ -x /b ] && eval \"$(/b hook bash)\"",
            ),
            (
                "[ -x \"$HOME/a/alchemy\" ] && eval \"$(/h/a/alchemy hook bash)\"",
                "[ -x \"/b\" ] && eval \"$(/b hook bash)\"",
            ),
            (
                "~/a/alchemy-exec; /x/h/a/alchemy; ~/a/alchemy hook bash",
                "~/a/alchemy-exec; /x/h/a/alchemy; /b hook bash",
            ),
        ] {
            let found = lines(line, "alchemy", "bash");
            assert_eq!(with_program(&found[0], Path::new("/h"), "/b"), expected);
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
