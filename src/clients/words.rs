//! Reading words: of a command line as it was given, and of the text of a shell's script, cut into its commands.
//!
//! A text is cut only as far as is needed to see which programs it calls with which words. What a shell would put in
//! only when it runs (`$NAME`, `$(…)`, `*`) makes a word unknown; what stands in `$(…)` is read as commands, too.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The most levels of `$(…)` that are looked into.
const DEPTH: u8 = 4;

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The text, without its quotes.
    pub text: OsString,
    /// False where the shell makes something else of the text.
    pub is_known: bool,
}

impl Word {
    /// A word of a command line, as it is.
    #[must_use]
    pub fn given(text: &OsStr) -> Self {
        Self { text: text.to_owned(), is_known: true }
    }

    /// The text where it is UTF-8; else nothing of it has a meaning but as a path.
    #[must_use]
    pub fn str(&self) -> &str {
        self.text.to_str().unwrap_or_default()
    }

    /// True for `-x`, `--name` and `--name=value`.
    #[must_use]
    pub fn is_option(&self) -> bool {
        self.str().starts_with('-')
    }

    /// The name of an option, and the value behind its `=`.
    #[must_use]
    pub fn option(&self) -> Option<(&str, Option<Self>)> {
        let text = Some(self.str()).filter(|text| text.starts_with('-') && text.len() > 1)?;
        Some(match text.split_once('=') {
            Some((name, value)) => (name, Some(Self { text: value.into(), is_known: self.is_known })),
            None => (text, None),
        })
    }

    /// `NAME=value`.
    #[must_use]
    pub fn assignment(&self) -> Option<(&str, Self)> {
        let (name, value) = self.str().split_once('=')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let valid =
            !name.is_empty() && name.chars().all(is_name) && !name.starts_with(|c: char| c.is_ascii_digit());
        valid.then(|| (name, Self { text: value.into(), is_known: self.is_known }))
    }

    /// The name of the program that the word calls: `wrangler` for `node_modules/.bin/wrangler`, `wrangler@4` and
    /// `bin/wrangler.js`. `None` for a file of another folder, which may have any name.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        if !self.is_known {
            return None;
        }
        let path = Path::new(&self.text);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.ends_with("bin") && !folder.ends_with(".bin")) {
            return None;
        }
        let name = path.file_name()?.to_str()?;
        let name = name.split('@').next().filter(|name| !name.is_empty())?;
        Some(name.strip_suffix(".js").unwrap_or(name))
    }
}

/// A part of a shell's text.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// A command, and the line on which it ends, from 1.
    Command(Vec<Word>, usize),
    /// A subshell begins: where its commands go counts inside of it only.
    Open,
    /// A subshell ends.
    Close,
}

/// The commands of a shell's text.
#[must_use]
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut cutter = Cutter { chars: text.chars().collect(), at: 0, line: 1, ..Cutter::default() };
    cutter.cut(DEPTH);
    cutter.pieces
}

#[derive(Default)]
struct Cutter {
    chars: Vec<char>,
    at: usize,
    line: usize,
    pieces: Vec<Piece>,
    words: Vec<Word>,
    word: Option<(String, bool)>,
    /// The next word is a file of `<` or `>`.
    is_file: bool,
}

impl Cutter {
    fn next(&mut self) -> Option<char> {
        let next = self.chars.get(self.at).copied()?;
        self.at += 1;
        if next == '\n' {
            self.line += 1;
        }
        Some(next)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_with(|| (String::new(), true)).0.push(c);
    }

    fn unknown(&mut self) {
        self.word.get_or_insert_with(|| (String::new(), true)).1 = false;
    }

    fn end_word(&mut self) {
        let Some((text, is_known)) = self.word.take() else { return };
        if std::mem::take(&mut self.is_file) {
            return;
        }
        self.words.push(Word { text: text.into(), is_known });
    }

    fn end_command(&mut self, line: usize) {
        self.end_word();
        self.is_file = false;
        if !self.words.is_empty() {
            self.pieces.push(Piece::Command(std::mem::take(&mut self.words), line));
        }
    }

    fn cut(&mut self, depth: u8) {
        loop {
            let line = self.line;
            let Some(c) = self.next() else { break };
            match c {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c) => self.push(c),
                },
                '\'' => {
                    self.word.get_or_insert_with(|| (String::new(), true));
                    while let Some(c) = self.next().filter(|c| *c != '\'') {
                        self.push(c);
                    }
                }
                '"' => self.quoted(depth),
                '$' | '`' => self.substitution(c, depth),
                '*' | '?' | '[' => {
                    self.push(c);
                    self.unknown();
                }
                '#' if self.word.is_none() => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                '(' => {
                    self.end_command(line);
                    self.pieces.push(Piece::Open);
                }
                ')' => {
                    self.end_command(line);
                    self.pieces.push(Piece::Close);
                }
                '<' | '>' => {
                    // A number before it is a descriptor.
                    if self.word.as_ref().is_some_and(|(text, _)| text.chars().all(|c| c.is_ascii_digit())) {
                        self.word = None;
                    }
                    self.end_word();
                    while self.peek().is_some_and(|c| matches!(c, '<' | '>' | '&' | '|')) {
                        self.at += 1;
                    }
                    self.is_file = self.peek() != Some('(');
                }
                ';' | '&' | '|' | '\n' => self.end_command(line),
                c if c.is_whitespace() => self.end_word(),
                c => self.push(c),
            }
        }
        self.end_command(self.line);
    }

    fn quoted(&mut self, depth: u8) {
        self.word.get_or_insert_with(|| (String::new(), true));
        while let Some(c) = self.next().filter(|c| *c != '"') {
            match c {
                '\\' => {
                    if let Some(c) = self.next() {
                        if !matches!(c, '"' | '\\' | '$' | '`' | '\n') {
                            self.push('\\');
                        }
                        self.push(c);
                    }
                }
                '$' | '`' => self.substitution(c, depth),
                c => self.push(c),
            }
        }
    }

    /// What a shell puts in: the working directory and the home are known, all else is not.
    fn substitution(&mut self, first: char, depth: u8) {
        let is_start = self.word.as_ref().is_none_or(|(text, _)| text.is_empty());
        if first == '$' && self.peek() != Some('(') {
            let rest = self.chars.get(self.at..).unwrap_or_default();
            let known = [("{PWD}", '.'), ("PWD", '.'), ("{HOME}", '~'), ("HOME", '~')];
            let found = known.iter().find(|(name, _)| {
                let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
                let length = name.len();
                name.chars().eq(rest.iter().take(length).copied())
                    && (name.ends_with('}') || !rest.get(length).is_some_and(is_name))
            });
            if let Some((name, stands_for)) = found.filter(|_| is_start) {
                self.at += name.len();
                return self.push(*stands_for);
            }
            self.push('$');
            return self.unknown();
        }
        self.unknown();
        let (mut open, start) = (0_usize, self.at);
        let mut end = self.chars.len();
        while let Some(c) = self.next() {
            open = match c {
                '(' if first == '$' => open + 1,
                ')' if first == '$' => open.saturating_sub(1),
                _ => open,
            };
            if (first == '$' && c == ')' && open == 0) || (first == '`' && c == '`') {
                end = self.at.saturating_sub(1);
                break;
            }
        }
        if depth == 0 {
            return;
        }
        let inner = self.chars.get(start..end).unwrap_or_default();
        let inner = inner.strip_prefix(&['(']).unwrap_or(inner).to_vec();
        let mut cutter = Self { chars: inner, at: 0, line: self.line, ..Self::default() };
        cutter.cut(depth - 1);
        self.pieces.push(Piece::Open);
        self.pieces.append(&mut cutter.pieces);
        self.pieces.push(Piece::Close);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands of a text: an unknown word with `?` behind it, a subshell in brackets.
    fn shown(text: &str) -> String {
        let word = |word: &Word| format!("{}{}", word.str(), if word.is_known { "" } else { "?" });
        let shown = pieces(text).into_iter().map(|piece| match piece {
            Piece::Command(words, line) => {
                format!("{line}:{}", words.iter().map(word).collect::<Vec<_>>().join("|"))
            }
            Piece::Open => "(".to_owned(),
            Piece::Close => ")".to_owned(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_text_is_cut_into_its_commands_as_a_shell_cuts_it() {
        for (text, expected) in [
            ("", ""),
            ("wrangler deploy --env staging", "1:wrangler|deploy|--env|staging"),
            ("cd a && b || c; d & e | f", "1:cd|a 1:b 1:c 1:d 1:e 1:f"),
            ("a 'b  c' \"d \\\" e\" f\\ g", "1:a|b  c|d \" e|f g"),
            ("(cd a && b) && c", "( 1:cd|a 1:b ) 1:c"),
            ("cd \"$X\" && cd $PWD/a && cd ${HOME}", "1:cd|$X? 1:cd|./a 1:cd|~"),
            ("cd $PWDX", "1:cd|$PWDX?"),
            ("cd \"$(dirname \"$0\")\"", "( 1:dirname|$0? ) 1:cd|?"),
            ("a `b c` d", "( 1:b|c ) 1:a|?|d"),
            ("a >b 2>&1 <c d", "1:a|d"),
            ("a # b\n# c\nd \\\n e", "1:a 4:d|e"),
            ("a packages/*", "1:a|packages/*?"),
            ("A=1 b", "1:A=1|b"),
            ("a \"", "1:a|"),
            ("a $(", "( ) 1:a|?"),
            ("a '", "1:a|"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
        for part in ["$(", "(", "\"", "`", "${", "'\"", "\\", "a;", "<"] {
            let _ = pieces(&part.repeat(20_000));
        }
    }

    #[test]
    fn a_program_is_known_by_its_name_wherever_it_is_installed() {
        for (word, expected) in [
            ("wrangler", Some("wrangler")),
            ("/usr/bin/wrangler", Some("wrangler")),
            ("node_modules/.bin/wrangler", Some("wrangler")),
            ("node_modules/wrangler/bin/wrangler.js", Some("wrangler")),
            ("wrangler@4.164.0", Some("wrangler")),
            ("wrangler/deploy", None),
            ("./deploy.sh", None),
            ("@scope/name", None),
            ("", None),
        ] {
            assert_eq!(Word::given(OsStr::new(word)).program(), expected, "{word}");
        }
    }
}
