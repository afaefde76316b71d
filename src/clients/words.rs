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
    /// What a command of these words is given to read (`<<E`, `<<<`), and the line on which it begins.
    Document(Vec<Word>, String, usize),
    /// The text ends inside of a quote, a substitution or a document.
    Unended(usize),
}

/// The commands of a shell's text.
#[must_use]
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut cutter = Cutter { chars: text.chars().collect(), at: 0, line: 1, ..Cutter::default() };
    cutter.cut(DEPTH);
    if cutter.is_unended {
        cutter.pieces.push(Piece::Unended(cutter.line));
    }
    cutter.pieces
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
    /// The next word is a file of `<` or `>`.
    is_file: bool,
    /// The next word is what the command reads, of `<<<`.
    is_text: bool,
    /// What the command reads, by `<<<`.
    texts: Vec<String>,
    /// The documents of the line.
    documents: Vec<Document>,
    /// How many of them are of commands that have ended.
    owned: usize,
    is_unended: bool,
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
        if std::mem::take(&mut self.is_text) {
            return self.texts.push(text);
        }
        if std::mem::take(&mut self.is_file) {
            return;
        }
        self.words.push(Word { text: text.into(), is_known });
    }

    fn end_command(&mut self, line: usize) {
        self.end_word();
        self.is_file = false;
        self.is_text = false;
        for document in self.documents.iter_mut().skip(self.owned) {
            document.command.clone_from(&self.words);
        }
        self.owned = self.documents.len();
        let texts = std::mem::take(&mut self.texts);
        if !self.words.is_empty() {
            let words = std::mem::take(&mut self.words);
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
        let mut inner = Self { chars, line, ..Self::default() };
        cut(&mut inner, depth);
        self.is_unended |= inner.is_unended;
        self.pieces.push(Piece::Open);
        self.pieces.append(&mut inner.pieces);
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

    /// The end of `$(…)`, behind its parenthesis: quotes and what they hold are not looked at.
    fn closing(&mut self) -> Option<usize> {
        let (mut open, mut before) = (vec![')'], ' ');
        while let Some(c) = self.next() {
            let is_quoted = open.last() == Some(&'"');
            match c {
                '\\' => {
                    self.next();
                }
                '"' if is_quoted => {
                    open.pop();
                }
                '"' => open.push('"'),
                '\'' if !is_quoted => while self.next()? != '\'' {},
                '#' if !is_quoted && (before.is_whitespace() || matches!(before, ';' | '(' | '&' | '|')) => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                '(' if !is_quoted || before == '$' => open.push(')'),
                ')' if !is_quoted => {
                    open.pop();
                    if open.is_empty() {
                        return self.at.checked_sub(1);
                    }
                }
                _ => {}
            }
            before = c;
        }
        None
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
                    let rest = self.chars.get(self.at..).unwrap_or_default();
                    if c == '<' && rest.starts_with(&['<', '<']) {
                        self.at += 2;
                        self.is_text = true;
                        continue;
                    }
                    if c == '<' && rest.starts_with(&['<']) {
                        self.at += 1;
                        self.delimiter();
                        continue;
                    }
                    while self.peek().is_some_and(|c| matches!(c, '<' | '>' | '&' | '|')) {
                        self.at += 1;
                    }
                    self.is_file = self.peek() != Some('(');
                }
                '\n' => {
                    self.end_command(line);
                    self.read_documents(depth);
                }
                ';' | '&' | '|' => self.end_command(line),
                c if c.is_whitespace() => self.end_word(),
                c => self.push(c),
            }
        }
        self.end_command(self.line);
        self.is_unended |= !self.documents.is_empty();
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
        let (start, line) = (self.at, self.line);
        let end = if first == '$' {
            self.at += 1;
            self.closing()
        } else {
            loop {
                match self.next() {
                    Some('\\') => {
                        self.next();
                    }
                    Some('`') => break self.at.checked_sub(1),
                    Some(_) => {}
                    None => break None,
                }
            }
        };
        self.is_unended |= end.is_none();
        let inner = self.chars.get(start..end.unwrap_or(self.chars.len())).unwrap_or_default();
        let is_arithmetic = first == '$' && inner.starts_with(&['(', '(']);
        let inner = inner.strip_prefix(&['(']).unwrap_or(inner).to_vec();
        self.inner(
            inner,
            line,
            depth,
            |inner, depth| {
                if is_arithmetic { inner.replaced(depth) } else { inner.cut(depth) }
            },
        );
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
            Piece::Document(words, text, line) => {
                format!("{line}:{}<{text:?}", words.iter().map(word).collect::<String>())
            }
            Piece::Unended(line) => format!("{line}:…"),
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
            ("a \"", "1:a| 1:…"),
            ("a $(", "( ) 1:a|? 1:…"),
            ("a '", "1:a| 1:…"),
            ("a $'b\\'\\x41\\101\\n' c", "1:a|b'AA\n|c"),
            ("a \"b\\\nc\"", "2:a|bc"),
            ("a \"$(b ')' \"c)\" )\" d", "( 1:b|)|c) ) 1:a|?|d"),
            ("a <<E b\nx 'y\nE\nc", "1:a|b ( ) 2:ab<\"x 'y\\n\" 4:c"),
            ("a <<-'E F'\n\t$(x)\n\tE F\nc", "1:a 2:a<\"$(x)\\n\" 4:c"),
            ("a <<E\nb", "1:a 2:b 2:…"),
            ("a <<< 'b c' d", "1:a|d 1:ad<\"b c\""),
            ("a $((1 << 2)) b\nc", "( ) 1:a|?|b 2:c"),
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
