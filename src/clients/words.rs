//! Reading words: of a command line as it was given, and of the text of a shell's script, cut into its commands.
//!
//! A text is cut only as far as is needed to see which programs it calls with which words. What a shell would put in
//! only when it runs (`$NAME`, `$(…)`, `*`) makes a word unknown; what stands in `$(…)` is read as commands, too.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::Path;
use std::rc::Rc;

/// The most levels of `$(…)` and `${…}` that are read, one in another.
const DEPTH: u8 = 16;

/// What stands for the folder that `mktemp -d` makes, which is empty. It's no value for a variable: a script may put
/// something into a folder that it knows by a name.
pub(super) const NEW_FOLDER: &str = "/tmp/{new}";

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// The text, without its quotes.
    pub text: OsString,
    /// False where the shell makes something else of the text.
    pub is_known: bool,
}

impl Word {
    /// A word of a command line, as it is.
    pub(crate) fn given(text: &OsStr) -> Self {
        Self { text: text.to_owned(), is_known: true }
    }

    /// The text where it is UTF-8; else nothing of it has a meaning but as a path.
    pub(crate) fn str(&self) -> &str {
        self.text.to_str().unwrap_or_default()
    }

    /// True for `-x`, `--name` and `--name=value`.
    pub(crate) fn is_option(&self) -> bool {
        self.str().starts_with('-')
    }

    /// The name of an option, and the value behind its `=`.
    pub(crate) fn option(&self) -> Option<(&str, Option<Self>)> {
        let text = Some(self.str()).filter(|text| text.starts_with('-') && text.len() > 1)?;
        Some(match text.split_once('=') {
            Some((name, value)) => (name, Some(Self { text: value.into(), is_known: self.is_known })),
            None => (text, None),
        })
    }

    /// `NAME=value`.
    pub(crate) fn assignment(&self) -> Option<(&str, Self)> {
        let (name, value) = self.str().split_once('=')?;
        // `NAME+=value` adds to what is there: the whole is not known.
        let (name, is_added) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let valid =
            !name.is_empty() && name.chars().all(is_name) && !name.starts_with(|c: char| c.is_ascii_digit());
        valid.then(|| (name, Self { text: value.into(), is_known: self.is_known && !is_added }))
    }

    /// The name of the program that the word calls: `wrangler` for `node_modules/.bin/wrangler`, `wrangler@4` and
    /// `bin/wrangler.js`. `None` for a file of another folder, which may have any name.
    pub(crate) fn program(&self) -> Option<&str> {
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

/// A value that words give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// This one.
    Known(String),
    /// One that is known only when the command runs.
    Unknown,
}

impl Value {
    pub(super) fn of(word: &Word) -> Self {
        if word.is_known { Self::Known(word.text.to_string_lossy().into_owned()) } else { Self::Unknown }
    }
}

/// A part of a shell's text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A command, and the line on which it ends, from 1.
    Command(Vec<Word>, usize),
    /// A subshell begins: where its commands go counts inside of it only.
    Open,
    /// A subshell ends.
    Close,
    /// What a command of these words is given to read (`<<E`, `<<<`), and the line on which it begins.
    Document(Vec<Word>, String, usize),
    /// What the command before it writes is given to the next one.
    Pipe,
    /// A file that a command is given to read (`<`).
    Input(Word),
    /// The text ends inside of a quote, a substitution or a document.
    Unended(usize),
}

/// What words of a text that a shell replaces stand for, as far as that is known before it runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// `$0`: the script.
    pub script: Option<String>,
    /// `${BASH_SOURCE[0]}`: the file that the text stands in.
    pub source: Option<String>,
    /// `git rev-parse --show-toplevel`: the root of the repository.
    pub root: Option<String>,
    /// Variables of the text with their values.
    pub(super) values: HashMap<String, String>,
    /// The names that stand once in the text without a `$`: what sets such a variable is all that does.
    pub(super) once: Rc<HashSet<String>>,
}

/// What stands in a word for `$(…)`, where nobody knows what its commands write.
pub(super) const WRITTEN: &str = "$(…)";

/// The most variables of a text whose values are known.
const VALUES: usize = 64;

/// The commands of a shell's text.
pub(crate) fn pieces(text: &str, known: &Known) -> Vec<Piece> {
    let known = Known { once: Rc::new(names_once(text)), ..known.clone() };
    let mut cutter = Cutter { chars: text.chars().collect(), line: 1, known, ..Cutter::default() };
    cutter.cut(DEPTH);
    if cutter.is_unended {
        cutter.pieces.push(Piece::Unended(cutter.line));
    }
    cutter.pieces
}

/// The names that stand once in a text, but for where their values are taken.
fn names_once(text: &str) -> HashSet<String> {
    let (mut seen, mut before) = (HashMap::new(), ' ');
    for part in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let name = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        if !name.is_empty() && !matches!(before, '$' | '{') {
            let count: &mut usize = seen.entry(name).or_default();
            *count = count.saturating_add(1);
        }
        before = part.chars().last().unwrap_or(' ');
    }
    seen.into_iter().filter(|(_, count)| *count == 1).map(|(name, _)| name.to_owned()).collect()
}

/// A document that begins on the next line.
struct Document {
    end: String,
    /// `<<-`: tabs before its lines are none of its own.
    is_indented: bool,
    /// Its delimiter is quoted: nothing in it is replaced.
    is_quoted: bool,
    /// The words of the command that reads it.
    command: Vec<Word>,
}

#[derive(Default)]
struct Cutter {
    chars: Vec<char>,
    at: usize,
    line: usize,
    pieces: Vec<Piece>,
    words: Vec<Word>,
    word: Option<(String, bool)>,
    /// What the next word is, where that is none of the command's own.
    redirect: Option<Redirect>,
    /// What the command reads, by `<<<`.
    texts: Vec<String>,
    /// The documents of the line.
    documents: Vec<Document>,
    /// How many of them are of commands that have ended.
    owned: usize,
    /// The `case` commands that the text is in.
    cases: Vec<Case>,
    /// The parentheses that are open.
    open: usize,
    /// How many were when the one of `NAME=(…)` was: its words may be a command's, on many lines.
    array: Option<usize>,
    end: End,
    known: Known,
    /// The conditions, loops and bodies of functions that are open.
    conditions: usize,
    /// The command runs only if the one before it says so.
    is_conditional: bool,
    is_unended: bool,
}

/// What a word behind a sign of redirection is.
enum Redirect {
    /// A file of `>`.
    Output,
    /// A file of `<`.
    Input,
    /// What the command reads, of `<<<`.
    Text,
}

/// How a text ends.
#[derive(Default, PartialEq, Eq)]
enum End {
    /// With its last character.
    #[default]
    Last,
    /// It is that of `$(…)`, and ends with the parenthesis that none has opened.
    Parenthesis,
    /// It has ended so.
    Closed,
}

/// Where in a `case` command a text is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    /// Before `in`.
    Head,
    /// In a pattern, which `)` ends.
    Pattern,
    /// In the commands of a pattern.
    Body,
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
        match self.redirect.take() {
            Some(Redirect::Text) => return self.texts.push(text),
            Some(Redirect::Input) => {
                return self.pieces.push(Piece::Input(Word { text: text.into(), is_known }));
            }
            Some(Redirect::Output) => return,
            None => {}
        }
        match (text.as_str(), self.cases.last_mut()) {
            ("in", Some(case @ Case::Head)) => {
                *case = Case::Pattern;
                return self.words.clear();
            }
            ("esac", Some(Case::Pattern | Case::Body)) if self.words.is_empty() => {
                self.cases.pop();
                return;
            }
            (_, Some(Case::Pattern)) => return,
            ("if" | "while" | "until" | "for" | "select" | "{", _) if self.words.is_empty() => {
                self.conditions = self.conditions.saturating_add(1);
            }
            ("fi" | "done" | "}", _) if self.words.is_empty() => {
                self.conditions = self.conditions.saturating_sub(1);
            }
            ("case", _) if self.words.iter().all(|word| is_prefix(word.str())) => self.cases.push(Case::Head),
            _ => {}
        }
        self.words.push(Word { text: text.into(), is_known });
    }

    fn end_command(&mut self, line: usize) {
        self.end_word();
        self.redirect = None;
        for document in self.documents.iter_mut().skip(self.owned) {
            document.command.clone_from(&self.words);
        }
        self.owned = self.documents.len();
        let texts = std::mem::take(&mut self.texts);
        if !self.words.is_empty() {
            let words = std::mem::take(&mut self.words);
            let is_certain = self.conditions == 0 && self.open == 0 && self.cases.is_empty();
            if is_certain && !self.is_conditional {
                self.known.note(&words);
            }
            let documents = texts.into_iter().map(|text| Piece::Document(words.clone(), text, line));
            let documents: Vec<Piece> = documents.collect();
            self.pieces.push(Piece::Command(words, line));
            self.pieces.extend(documents);
        }
    }

    /// The delimiter of a document, behind its `<<`.
    fn delimiter(&mut self) {
        let is_indented = self.peek() == Some('-');
        if is_indented {
            self.at += 1;
        }
        while self.peek().is_some_and(|c| c == ' ' || c == '\t') {
            self.at += 1;
        }
        let (mut end, mut quote, mut is_quoted) = (String::new(), None, false);
        while let Some(c) = self.peek() {
            let is_over = c.is_whitespace() || matches!(c, ';' | '&' | '|' | '<' | '>' | '(' | ')');
            match (c, quote) {
                ('\n', _) => break,
                (c, Some(open)) if c == open => quote = None,
                ('\'' | '"', None) => (quote, is_quoted) = (Some(c), true),
                ('\\', None) => is_quoted = true,
                (_, None) if is_over => break,
                (c, _) => end.push(c),
            }
            self.at += 1;
        }
        if end.is_empty() && !is_quoted {
            self.is_unended = true;
        } else {
            self.documents.push(Document { end, is_indented, is_quoted, command: Vec::new() });
        }
    }

    /// The documents whose line has ended.
    fn read_documents(&mut self, depth: u8) {
        self.owned = 0;
        for document in std::mem::take(&mut self.documents) {
            // What follows one that has no end is read as commands; no other is looked for.
            if self.is_unended {
                return;
            }
            let (before, first) = (self.at, self.line);
            let (mut text, mut is_found) = (String::new(), false);
            while self.at < self.chars.len() && !is_found {
                let mut line = String::new();
                while let Some(c) = self.next().filter(|c| *c != '\n') {
                    line.push(c);
                }
                let own = if document.is_indented { line.trim_start_matches('\t') } else { &line };
                is_found = own == document.end;
                if !is_found {
                    text.push_str(own);
                    text.push('\n');
                }
            }
            if !is_found {
                (self.at, self.line, self.is_unended) = (before, first, true);
                return;
            }
            if !document.is_quoted {
                self.inner(text.chars().collect(), first, depth, Self::replaced);
            }
            if !document.command.is_empty() {
                self.pieces.push(Piece::Document(document.command, text, first));
            }
        }
    }

    /// The commands in a part of the text.
    fn inner(&mut self, chars: Vec<char>, line: usize, depth: u8, cut: impl FnOnce(&mut Self, u8)) {
        let Some(depth) = depth.checked_sub(1) else { return };
        let mut inner = Self { chars, line, known: self.known.clone(), ..Self::default() };
        cut(&mut inner, depth);
        self.is_unended |= inner.is_unended;
        self.put_in(inner.pieces);
    }

    fn put_in(&mut self, mut pieces: Vec<Piece>) {
        self.pieces.push(Piece::Open);
        self.pieces.append(&mut pieces);
        self.pieces.push(Piece::Close);
    }

    /// A text of which only what is put in is commands.
    fn replaced(&mut self, depth: u8) {
        while let Some(c) = self.next() {
            match c {
                '\\' => {
                    self.next();
                }
                '$' | '`' => self.substitution(c, depth),
                _ => {}
            }
        }
    }

    /// `$'…'`, behind its first quote.
    fn escaped(&mut self) {
        self.word.get_or_insert_with(|| (String::new(), true));
        while let Some(c) = self.next() {
            match c {
                '\'' => return,
                '\\' => {
                    let Some(c) = self.next() else { break };
                    let (digits, radix) = match c {
                        'x' => (2, 16),
                        'u' => (4, 16),
                        'U' => (8, 16),
                        '0'..='7' => (3, 8),
                        _ => (0, 10),
                    };
                    if digits == 0 {
                        let named = [('n', '\n'), ('t', '\t'), ('r', '\r'), ('e', '\u{1b}'), ('E', '\u{1b}')];
                        let found = named.iter().find(|(name, _)| *name == c);
                        self.push(found.map_or(c, |(_, stands_for)| *stands_for));
                        continue;
                    }
                    self.at -= usize::from(radix == 8);
                    let rest = self.chars.get(self.at..).unwrap_or_default();
                    let number: String = rest.iter().take(digits).take_while(|c| c.is_digit(radix)).collect();
                    self.at += number.len();
                    match u32::from_str_radix(&number, radix).ok().and_then(char::from_u32) {
                        Some(c) => self.push(c),
                        None => self.unknown(),
                    }
                }
                c => self.push(c),
            }
        }
        self.is_unended = true;
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
                    loop {
                        match self.next() {
                            Some('\'') => break,
                            Some(c) => self.push(c),
                            None => {
                                self.is_unended = true;
                                break;
                            }
                        }
                    }
                }
                '"' => self.quoted(depth),
                '$' if self.peek() == Some('\'') => {
                    self.at += 1;
                    self.escaped();
                }
                '$' if self.peek() == Some('"') => {}
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
                '(' | ')' => {
                    let is_array = self.word.as_ref().is_some_and(|(text, _)| text.ends_with('='));
                    self.end_word();
                    if c == ')' && self.array == Some(self.open) {
                        self.array = None;
                        // What can't be known is known to be no command.
                        let unknown = self.words.iter().take_while(|word| !word.is_known).count();
                        self.words.drain(..unknown);
                    }
                    if let Some(case @ Case::Pattern) = self.cases.last_mut() {
                        if c == ')' {
                            *case = Case::Body;
                        }
                        continue;
                    }
                    if c == ')' && self.end == End::Parenthesis && self.open == 0 {
                        self.end = End::Closed;
                        break;
                    }
                    self.end_command(line);
                    self.open = if c == '(' { self.open + 1 } else { self.open.saturating_sub(1) };
                    if c == '(' && is_array {
                        self.array = Some(self.open);
                    }
                    self.pieces.push(if c == '(' { Piece::Open } else { Piece::Close });
                }
                '<' | '>' => self.redirect(c, depth),
                '\n' if self.array.is_some() => self.end_word(),
                '\n' => {
                    // Behind `&&` a command may stand on the next line.
                    let is_empty = self.words.is_empty() && self.word.is_none();
                    self.end_command(line);
                    self.is_conditional &= is_empty;
                    self.read_documents(depth);
                }
                ';' | '&' | '|' => {
                    self.end_word();
                    if c == '|' && self.cases.last() == Some(&Case::Pattern) {
                        continue;
                    }
                    self.end_command(line);
                    let is_pair = c != ';' && self.peek() == Some(c);
                    self.at += usize::from(is_pair);
                    if c == '|' && !is_pair {
                        self.pieces.push(Piece::Pipe);
                    }
                    self.is_conditional = is_pair || c == '|';
                    let is_next = c == ';' && self.peek().is_some_and(|c| matches!(c, ';' | '&'));
                    if let Some(case @ Case::Body) = self.cases.last_mut().filter(|_| is_next) {
                        *case = Case::Pattern;
                    }
                }
                c if c.is_whitespace() => self.end_word(),
                c => self.push(c),
            }
        }
        self.end_command(self.line);
        self.is_unended |= !self.documents.is_empty();
    }

    /// `<`, `>` and what begins with them.
    fn redirect(&mut self, c: char, depth: u8) {
        // A number before it is a descriptor.
        if self.word.as_ref().is_some_and(|(text, _)| text.chars().all(|c| c.is_ascii_digit())) {
            self.word = None;
        }
        self.end_word();
        let rest = self.chars.get(self.at..).unwrap_or_default();
        if c == '<' && rest.starts_with(&['<', '<']) {
            self.at += 2;
            self.redirect = Some(Redirect::Text);
        } else if c == '<' && rest.starts_with(&['<']) {
            self.at += 1;
            self.delimiter();
        } else if self.peek() == Some('(') {
            self.substitution('$', depth);
        } else {
            while self.peek().is_some_and(|c| matches!(c, '<' | '>' | '&' | '|')) {
                self.at += 1;
            }
            self.redirect = Some(if c == '<' { Redirect::Input } else { Redirect::Output });
        }
    }

    fn quoted(&mut self, depth: u8) {
        self.word.get_or_insert_with(|| (String::new(), true));
        while let Some(c) = self.next() {
            match c {
                '"' => return,
                '\\' => {
                    if let Some(c) = self.next().filter(|c| *c != '\n') {
                        if !matches!(c, '"' | '\\' | '$' | '`') {
                            self.push('\\');
                        }
                        self.push(c);
                    }
                }
                '$' | '`' => self.substitution(c, depth),
                c => self.push(c),
            }
        }
        self.is_unended = true;
    }

    /// What a shell puts in: some folders and files are known, all else is not.
    fn substitution(&mut self, first: char, depth: u8) {
        let before = self.word.as_ref().map(|(text, _)| text.as_str()).unwrap_or_default();
        let is_start = before.is_empty() || before.ends_with(['=', ':']);
        if first == '$' && self.peek() != Some('(') {
            let rest = self.chars.get(self.at..).unwrap_or_default();
            let found = self.known.variable(rest).filter(|(_, text)| is_start || !is_whole(text));
            if let Some((length, text)) = found {
                self.at += length;
                text.chars().for_each(|c| self.push(c));
                return;
            }
            self.push('$');
            self.unknown();
            if self.peek() == Some('{')
                && let Some(depth) = depth.checked_sub(1)
            {
                self.braces(depth);
            }
            return;
        }
        let Some(deeper) = depth.checked_sub(1) else {
            self.unknown();
            self.is_unended = true;
            self.at = self.chars.len();
            return;
        };
        let pieces = if first == '`' {
            self.backquoted(deeper)
        } else {
            self.at += 1;
            if self.peek() == Some('(') && self.arithmetic(depth) {
                return self.unknown();
            }
            let chars = std::mem::take(&mut self.chars);
            let mut inner = Self {
                chars,
                at: self.at,
                line: self.line,
                end: End::Parenthesis,
                known: self.known.clone(),
                ..Self::default()
            };
            inner.cut(deeper);
            (self.chars, self.at, self.line) = (inner.chars, inner.at, inner.line);
            self.is_unended |= inner.is_unended || inner.end != End::Closed;
            inner.pieces
        };
        if let Some(text) = self.known.output(&pieces).filter(|_| is_start) {
            self.word.get_or_insert_with(|| (String::new(), true));
            return text.chars().for_each(|c| self.push(c));
        }
        WRITTEN.chars().for_each(|c| self.push(c));
        self.unknown();
        self.put_in(pieces);
    }

    /// The commands between back quotes, behind the first one.
    fn backquoted(&mut self, depth: u8) -> Vec<Piece> {
        let (line, mut chars) = (self.line, Vec::new());
        loop {
            match self.next() {
                Some('`') => break,
                Some('\\') => match self.next() {
                    Some(c @ ('`' | '\\' | '$')) => chars.push(c),
                    c => chars.extend(std::iter::once('\\').chain(c)),
                },
                Some(c) => chars.push(c),
                None => {
                    self.is_unended = true;
                    break;
                }
            }
        }
        let mut inner = Self { chars, line, known: self.known.clone(), ..Self::default() };
        inner.cut(depth);
        self.is_unended |= inner.is_unended;
        inner.pieces
    }

    /// `$((…))`, behind its first parenthesis, in which only what is put in is commands. False for a subshell, of
    /// which nothing has been read then.
    fn arithmetic(&mut self, depth: u8) -> bool {
        let (before, line) = (self.at, self.line);
        let (mut open, mut chars) = (1_usize, Vec::new());
        while let Some(c) = self.next() {
            match c {
                '(' => open = open.saturating_add(1),
                ')' => open = open.saturating_sub(1),
                _ => {}
            }
            if open == 0 {
                break;
            }
            chars.push(c);
        }
        if open > 0 || chars.last() != Some(&')') {
            (self.at, self.line) = (before, line);
            return false;
        }
        self.inner(chars, line, depth, Self::replaced);
        true
    }

    /// `${…}`, behind its `$`: whatever stands in it is one word.
    fn braces(&mut self, depth: u8) {
        let mut is_quoted = false;
        while let Some(c) = self.next() {
            match c {
                '\\' => {
                    self.push(c);
                    if let Some(c) = self.next() {
                        self.push(c);
                    }
                }
                '$' | '`' => self.substitution(c, depth),
                '"' => is_quoted = !is_quoted,
                '}' if !is_quoted => return self.push(c),
                c => self.push(c),
            }
        }
        self.is_unended = true;
    }
}

/// Words before a command that are none of it.
pub(crate) fn is_prefix(word: &str) -> bool {
    ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "time", "exec", "command", "builtin"]
        .contains(&word)
}

/// A path that is one only at the start of a word.
fn is_whole(path: &str) -> bool {
    path.starts_with(['/', '.', '~'])
}

impl Known {
    /// Notes the variables that a command sets, and that nothing else in the text does.
    fn note(&mut self, words: &[Word]) {
        let own = ["export", "readonly", "local", "declare", "typeset"];
        let words = words.get(usize::from(words.first().is_some_and(|word| own.contains(&word.str())))..);
        let words = words.unwrap_or_default();
        if !words.iter().all(|word| word.assignment().is_some()) {
            return;
        }
        for (name, value) in words.iter().filter_map(Word::assignment).filter(|(_, value)| value.is_known) {
            // What is relative is another place later, and the shell makes more of the rest.
            let is_plain = !value.str().starts_with('.')
                && !value.str().contains(|c: char| c.is_whitespace() || "*?[]{}~".contains(c));
            if is_plain && self.once.contains(name) && self.values.len() < VALUES {
                self.values.insert(name.to_owned(), value.str().to_owned());
            }
        }
    }

    /// What `$…` stands for at the start of a text that follows the sign, and the length of its name.
    fn variable(&self, rest: &[char]) -> Option<(usize, String)> {
        let folder = |path: &Option<String>| path.as_deref().and_then(parent);
        let here = || Some(".".to_owned());
        let home = || Some("~".to_owned());
        let of_script = || self.script.clone();
        let of_source = || self.source.clone();
        let of_folder = || folder(&self.script);
        let of_source_folder = || folder(&self.source);
        let names: [(&str, &dyn Fn() -> Option<String>); 14] = [
            ("{PWD}", &here),
            ("PWD", &here),
            ("{HOME}", &home),
            ("HOME", &home),
            ("{0%/*}", &of_folder),
            ("{0:h}", &of_folder),
            ("{0:A:h}", &of_folder),
            ("{0:a:h}", &of_folder),
            ("{0}", &of_script),
            ("0", &of_script),
            ("{BASH_SOURCE[0]%/*}", &of_source_folder),
            ("{BASH_SOURCE[0]}", &of_source),
            ("{BASH_SOURCE}", &of_source),
            ("BASH_SOURCE", &of_source),
        ];
        let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
        let braces = usize::from(rest.first() == Some(&'{'));
        let own: String = rest.iter().skip(braces).take_while(|c| is_name(c)).collect();
        let is_closed = braces == 0 || rest.get(braces + own.len()) == Some(&'}');
        if let Some(value) = self.values.get(&own).filter(|_| is_closed) {
            return Some((own.len() + 2 * braces, value.clone()));
        }
        let (name, stands_for) = names.iter().find(|(name, _)| {
            let length = name.len();
            name.chars().eq(rest.iter().take(length).copied())
                && (name.ends_with(['}', '0']) || !rest.get(length).is_some_and(is_name))
        })?;
        Some((name.len(), stands_for()?))
    }

    /// What the commands of `$(…)` write, where that is a folder or a file that is known.
    fn output(&self, pieces: &[Piece]) -> Option<String> {
        let mut folder = None;
        let (last, before) = pieces.split_last()?;
        for piece in before {
            let Piece::Command(words, _) = piece else { return None };
            match &arguments(words)?[..] {
                ["cd", to] => folder = Some((*to).to_owned()),
                _ => return None,
            }
        }
        let Piece::Command(words, _) = last else { return None };
        let words = arguments(words)?;
        match (&words[..], folder) {
            (["pwd"], folder) => Some(folder.unwrap_or_else(|| ".".to_owned())),
            (["git", "rev-parse"], None) => self.root.clone(),
            (["mktemp", "-d"], None) => Some(NEW_FOLDER.to_owned()),
            (["dirname", path], None) => parent(path),
            (["realpath" | "readlink", path], None) if path.starts_with('/') => {
                fs::canonicalize(path).ok()?.to_str().map(str::to_owned)
            }
            _ => None,
        }
    }
}

/// The words of a command that are no options, where all are known and each option changes nothing.
fn arguments(words: &[Word]) -> Option<Vec<&str>> {
    let harmless = ["--", "-P", "-L", "-f", "-e", "--show-toplevel"];
    let is_harmless = |word: &&Word| !harmless.contains(&word.str());
    let all_known = words.iter().all(|word| word.is_known);
    let kept: Vec<&str> = words.iter().filter(is_harmless).map(Word::str).collect();
    let is_git = kept.first() == Some(&"git");
    let is_top = words.iter().any(|word| word.str() == "--show-toplevel");
    (all_known && is_git == is_top).then_some(kept)
}

/// The folder of a path, as `dirname` writes it.
fn parent(path: &str) -> Option<String> {
    match Path::new(path).parent()?.to_str()? {
        "" => Some(".".to_owned()),
        parent => Some(parent.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The commands of a text: an unknown word with `?` behind it, a subshell in brackets.
    fn shown(text: &str) -> String {
        let word = |word: &Word| format!("{}{}", word.str(), if word.is_known { "" } else { "?" });
        let shown = pieces(text, &known()).into_iter().map(|piece| match piece {
            Piece::Command(words, line) => {
                format!("{line}:{}", words.iter().map(word).collect::<Vec<_>>().join("|"))
            }
            Piece::Pipe => "|".to_owned(),
            Piece::Open => "(".to_owned(),
            Piece::Close => ")".to_owned(),
            Piece::Document(words, text, line) => {
                format!("{line}:{}<{text:?}", words.iter().map(word).collect::<String>())
            }
            Piece::Unended(line) => format!("{line}:…"),
            Piece::Input(word) => format!("<{}", word.str()),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    fn known() -> Known {
        let of = |text: &str| Some(text.to_owned());
        Known { script: of("/s/x.sh"), source: of("/s/t/y.sh"), root: of("/r"), ..Known::default() }
    }

    #[test]
    fn a_text_is_cut_into_its_commands_as_a_shell_cuts_it() {
        for (text, expected) in [
            ("", ""),
            ("wrangler deploy --env staging", "1:wrangler|deploy|--env|staging"),
            ("cd a && b || c; d & e | f", "1:cd|a 1:b 1:c 1:d 1:e | 1:f"),
            ("a 'b  c' \"d \\\" e\" f\\ g", "1:a|b  c|d \" e|f g"),
            ("(cd a && b) && c", "( 1:cd|a 1:b ) 1:c"),
            ("cd \"$X\" && cd $PWD/a && cd ${HOME}", "1:cd|$X? 1:cd|./a 1:cd|~"),
            ("cd $PWDX", "1:cd|$PWDX?"),
            ("cd \"$(dirname \"$1\")\"", "( 1:dirname|$1? ) 1:cd|$(…)?"),
            ("cd \"$(dirname -- \"$0\")/..\"", "1:cd|/s/.."),
            ("cd `dirname $0` && a", "1:cd|/s 1:a"),
            ("cd \"${0%/*}\"; cd ${BASH_SOURCE[0]%/*}", "1:cd|/s 1:cd|/s/t"),
            ("D=\"$(cd \"$(dirname \"${BASH_SOURCE[0]}\")/..\" && pwd -P)\"", "1:D=/s/t/.."),
            ("cd \"$(git rev-parse --show-toplevel)/a\" --cwd=$(pwd)", "1:cd|/r/a|--cwd=."),
            ("cd \"$(git rev-parse --git-dir)\"", "( 1:git|rev-parse|--git-dir ) 1:cd|$(…)?"),
            ("x=$(case $1 in a) echo b;; esac) c", "( 1:echo|b ) 1:x=$(…)?|c"),
            ("case a in (a|b) c;; $d) e;& *) (f) ;; esac | g", "1:c 1:e ( 1:f ) | 1:g"),
            ("(case a in\na)\nb\n;;\nesac) && c", "( 3:b ) 5:c"),
            ("echo case in a", "1:echo|case|in|a"),
            ("a \"${b:?it's c; d}\" ${e:-f g}", "1:a|${b:?it's c; d}?|${e:-f g}?"),
            ("source <(b .env)", "( 1:b|.env ) 1:source|$(…)?"),
            ("a+=b", "1:a+=b"),
            ("D=$(cd `dirname $0` && pwd); cd \"$D/..\"; cd a/$D", "1:D=/s 1:cd|/s/.. 1:cd|a/$D?"),
            ("A=x B=y; cd $A/${B}z ${B:-1} $AB", "1:A=x|B=y 1:cd|x/yz|${B:-1}?|$AB?"),
            ("if a; then A=x; fi; cd $A", "1:if|a 1:then|A=x 1:fi 1:cd|$A?"),
            ("a && A=x; B=y; cd $A $B", "1:a 1:A=x 1:B=y 1:cd|$A?|y"),
            ("a &&\n\nA=x\nB=y; cd $A $B", "1:a 3:A=x 4:B=y 4:cd|$A?|y"),
            ("A=x; read A; cd $A", "1:A=x 1:read|A 1:cd|$A?"),
            ("A=.; B='x y'; cd $A $B", "1:A=. 1:B=x y 1:cd|$A?|$B?"),
            ("f() { A=x; }; cd $A", "1:f ( ) 1:{|A=x 1:} 1:cd|$A?"),
            ("(A=x); A1=y b; cd $A $A1", "( 1:A=x ) 1:A1=y|b 1:cd|$A?|$A1?"),
            ("a `b c` d", "( 1:b|c ) 1:a|$(…)?|d"),
            ("a >b 2>&1 <c d", "<c 1:a|d"),
            ("a # b\n# c\nd \\\n e", "1:a 4:d|e"),
            ("a packages/*", "1:a|packages/*?"),
            ("A=1 b", "1:A=1|b"),
            ("a \"", "1:a| 1:…"),
            ("a $(", "( ) 1:a|$(…)? 1:…"),
            ("a '", "1:a| 1:…"),
            ("a $'b\\'\\x41\\101\\n' c", "1:a|b'AA\n|c"),
            ("a \"b\\\nc\"", "2:a|bc"),
            ("a \"$(b ')' \"c)\" )\" d", "( 1:b|)|c) ) 1:a|$(…)?|d"),
            ("a <<E b\nx 'y\nE\nc", "1:a|b ( ) 2:ab<\"x 'y\\n\" 4:c"),
            ("a <<-'E F'\n\t$(x)\n\tE F\nc", "1:a 2:a<\"$(x)\\n\" 4:c"),
            ("a <<E\nb", "1:a 2:b 2:…"),
            ("a <<< 'b c' d", "1:a|d 1:ad<\"b c\""),
            ("a $((1 << 2)) b\nc", "( ) 1:a|?|b 2:c"),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
        for part in ["$(", "(", "\"", "`", "${", "'\"", "\\", "a;", "<"] {
            let _ = pieces(&part.repeat(20_000), &Known::default());
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
