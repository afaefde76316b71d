//! How each format writes one value, so that it is read back exactly.
//!
//! Functions from text to text. None of them sees a control character: [`super::render`] has refused it.

use std::io;

use zeroize::Zeroizing;

/// Text that holds secrets: it grows into new memory and wipes the old one.
#[derive(Default)]
pub(crate) struct Text(Zeroizing<String>);

impl Text {
    pub(crate) fn push(&mut self, more: &str) {
        let length = self.0.len() + more.len();
        if length > self.0.capacity() {
            let mut larger = Zeroizing::new(String::with_capacity((2 * length).max(4096)));
            larger.push_str(&self.0);
            self.0 = larger;
        }
        self.0.push_str(more);
    }

    pub(crate) fn push_all(&mut self, pieces: &[&str]) {
        for piece in pieces {
            self.push(piece);
        }
    }

    /// Appends a statement for a shell, on the same line as those before it.
    pub(crate) fn push_statement(&mut self, pieces: &[&str]) {
        self.push(if self.0.is_empty() { "" } else { " " });
        self.push_all(pieces);
    }

    /// The finished text, with the one newline at its end.
    pub(crate) fn finish(mut self) -> Zeroizing<String> {
        let end = self.0.trim_end_matches('\n').len();
        self.0.truncate(end);
        self.push("\n");
        self.0
    }
}

/// For `serde_json`, which writes whole characters.
impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(std::str::from_utf8(bytes).map_err(io::Error::other)?);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends `value` with a backslash before every character that any shell might take for syntax.
///
/// Backslashes rather than quotes, because an unquoted `eval $(…)` splits the text into words and joins
/// them with one space: `\ \ ` survives that, `'  '` does not. A backslash has no other meaning before
/// these characters in bash, dash, zsh, ksh, mksh, fish or tcsh.
pub(crate) fn backslashed(out: &mut Text, value: &str) {
    for c in value.chars() {
        if !is_plain(c) && !is_private_to_fish(c) {
            out.push("\\");
        }
        out.push(c.encode_utf8(&mut [0; 4]));
    }
}

/// Appends `value` for bash and zsh, control characters and all: `$'…'` where it is not plain.
pub(crate) fn ansi_c(out: &mut Text, value: &str) {
    if !value.is_empty() && value.chars().all(is_plain) {
        return out.push(value);
    }
    out.push("$'");
    for c in value.chars() {
        match c {
            '\\' | '\'' => out.push_all(&["\\", c.encode_utf8(&mut [0; 4])]),
            c if c.is_control() => {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    out.push(&format!("\\{byte:03o}"));
                }
            }
            c => out.push(c.encode_utf8(&mut [0; 4])),
        }
    }
    out.push("'");
}

/// Appends `value` for fish, control characters and all.
pub(crate) fn fish(out: &mut Text, value: &str) {
    if value.is_empty() {
        out.push("''");
    }
    for c in value.chars() {
        if c.is_control() {
            out.push(&format!("\\u{:04x}", u32::from(c)));
        } else {
            backslashed(out, c.encode_utf8(&mut [0; 4]));
        }
    }
}

/// Appends `value` as a text of Nushell: in double quotes, where a backslash escapes.
pub(crate) fn nu(out: &mut Text, value: &str) {
    out.push("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.push_all(&["\\", c.encode_utf8(&mut [0; 4])]),
            c if c.is_control() => out.push(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c.encode_utf8(&mut [0; 4])),
        }
    }
    out.push("\"");
}

/// Appends `value` as a `PowerShell` literal.
///
/// `PowerShell` takes four typographic quotes for `'` as well, and each is doubled (`IsSingleQuote` in
/// its tokenizer's `CharTraits.cs`).
pub(crate) fn powershell(out: &mut Text, value: &str) {
    out.push("'");
    for c in value.chars() {
        let twice = matches!(c, '\'' | '\u{2018}'..='\u{201b}');
        for _ in 0..=u8::from(twice) {
            out.push(c.encode_utf8(&mut [0; 4]));
        }
    }
    out.push("'");
}

/// The quotes that make every reader of `.env` files see `value` itself, or `None` where none do.
///
/// Measured with `node --env-file` (20.20), npm's dotenv 18, bun 1.4, python-dotenv and bash; read in
/// compose-go's `dotenv/parser.go`. Single quotes are literal in all of them, but a backslash before the
/// closing one is an escape to some, and python-dotenv halves a double one. Backtick quotes are Node's
/// and npm's alone, and bash would run what is between them. Readers that expand `$NAME` even in single
/// quotes (bun, dotenv-expand, python-dotenv) cannot be told not to in a way that the others understand.
pub(crate) fn dotenv(value: &str) -> Option<&'static str> {
    if !value.is_empty() && value.chars().all(is_plain) {
        Some("")
    } else if !value.contains('\'') && !value.ends_with('\\') && !value.contains(r"\\") {
        Some("'")
    } else if !value.contains(['\\', '"', '$', '`']) {
        Some("\"")
    } else {
        None
    }
}

/// Whether a character means itself everywhere, at any place of a word.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | ':' | '@' | '+' | ',' | '-')
}

/// Characters without a meaning that fish has taken for its own marks, and that it loses behind a
/// backslash (`src/common.h`; seen in 3.6).
fn is_private_to_fish(c: char) -> bool {
    matches!(c, '\u{f600}'..='\u{f6ff}' | '\u{fdd0}'..='\u{fdef}')
}

/// A word as a person can paste it into any shell, for hints.
pub(crate) fn word(text: &str) -> String {
    let mut out = Text::default();
    backslashed(&mut out, text);
    out.finish().trim_end_matches('\n').to_owned()
}
