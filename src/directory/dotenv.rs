//! Reading a `.env` file as its readers do.
//!
//! The rules are those of the npm package `dotenv` (16.3.1, `lib/main.js`, the pattern `LINE`), which
//! wrangler bundles and version 2 of the npm package repeats (effect's `ConfigProvider.fromDotEnvContents`);
//! `tests/clients/readers.rs` compares both on 200,000 texts. Node's own reader, for version 1, agrees on what people write
//! (`tests/clients/hazards_clients.rs`). No crate does: what is needed is the line of each name, and just these rules,
//! oddities included. `$NAME` in a value is not followed.
//!
//! Other readers are looser: bun 1.4 finds `A : 1`, and `x` in `A='x' y'`. [`possible`] has what any of them may find:
//! who looks for what bun, or a reader that is not known, takes from a file counts both.

use std::borrow::Cow;

/// What a file assigns to a name.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name.
    pub name: &'a str,
    /// The line on which the name stands, from 1.
    pub line: usize,
    /// The value, without its quotes.
    pub value: Cow<'a, str>,
}

/// The text of a file with all its line ends as `\n`. What is not UTF-8 becomes a replacement character, as
/// it does for Node.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n")
}

/// All assignments of a text that [`text`] made, in their order; a later one of the same name is the one
/// that counts.
pub fn entries(text: &str) -> Vec<Entry<'_>> {
    let (mut found, mut line, mut at) = (Vec::new(), 1, 0);
    loop {
        let start = after_space(text, at);
        line += newlines(&text[at..start]);
        if start == text.len() {
            return found;
        }
        let assigned = assignment(text, start);
        let end = assigned.as_ref().map_or(start, |(.., end)| *end);
        found.extend(assigned.map(|(name, value, _)| Entry { name, line, value }));
        at = text[end..].find(ends_line).map_or(text.len(), |length| end + length);
        line += newlines(&text[start..at]);
    }
}

/// Each line of a text that [`text`] made which any reader may take for the start of an assignment, whatever is around
/// it: one inside of a value of several lines, too. A value is the rest of the line, without the quotes around it.
pub fn possible(text: &str) -> Vec<Entry<'_>> {
    let is_gap = |c: char| is_space(c) || c.is_whitespace() || c == '\u{fffd}';
    let (mut found, mut line, mut at) = (Vec::new(), 1, 0);
    for part in text.split_inclusive(ends_line) {
        let start = &text[at..][part.len() - part.trim_start_matches(is_gap).len()..];
        let exported = start.strip_prefix("export").filter(|rest| rest.starts_with(is_gap));
        let starts = [Some(start), exported.map(|rest| rest.trim_start_matches(is_gap))];
        for start in starts.into_iter().flatten() {
            let after = start.trim_start_matches(is_of_name);
            let name = &start[..start.len() - after.len()];
            let rest = after.trim_start_matches(is_gap);
            // Behind a colon stands a space, or the end of the line.
            let value = rest.strip_prefix('=').or(rest.strip_prefix(":\n")).or(rest.strip_prefix(':'));
            let Some(value) = value.filter(|_| !name.is_empty()) else { continue };
            // A value in quotes may begin on a later line.
            let later = value.trim_start_matches(is_gap);
            let is_later = first_line(value).is_empty() && later.starts_with(QUOTES);
            let value = first_line(if is_later { later } else { value });
            let inner = QUOTES.iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
            let value = if value.starts_with('#') { "" } else { inner.unwrap_or(value) };
            found.push(Entry { name, line, value: Cow::Borrowed(value) });
        }
        line += newlines(part);
        at += part.len();
    }
    found
}

/// The first line of a value, without the space around it that every reader takes away.
fn first_line(value: &str) -> &str {
    let is_trimmed = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    value.split('\n').next().unwrap_or_default().trim_matches(is_trimmed)
}

/// Lines are counted as editors do.
fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// What JavaScript's patterns call `\s`, and `trim` removes: Unicode's white space without U+0085, and the byte order
/// mark (ECMA-262, `WhiteSpace` and `LineTerminator`).
fn is_space(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}'
}

/// Where a line ends for JavaScript's `^`, `$` and `.` (ECMA-262, `LineTerminator`); a carriage return is none in a
/// text that [`text`] made.
fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\u{2028}' | '\u{2029}')
}

fn after_space(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches(is_space).len()
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
}

/// A name, its value, and where both end.
type Assignment<'a> = (&'a str, Cow<'a, str>, usize);

/// What is assigned from here on.
fn assignment(text: &str, at: usize) -> Option<Assignment<'_>> {
    let exported = text[at..].strip_prefix("export").filter(|rest| rest.starts_with(is_space));
    let exported =
        exported.and_then(|rest| plain_assignment(text, after_space(text, text.len() - rest.len())));
    exported.or_else(|| plain_assignment(text, at))
}

fn plain_assignment(text: &str, at: usize) -> Option<Assignment<'_>> {
    let after = text.len() - text[at..].trim_start_matches(is_of_name).len();
    let name = &text[at..after];
    if name.is_empty() {
        return None;
    }
    let rest = match text[after_space(text, after)..].strip_prefix('=') {
        Some(rest) => rest,
        None => text[after..].strip_prefix(':')?.strip_prefix(is_space)?,
    };
    let value_at = text.len() - rest.len();
    let end = after_quotes(text, value_at).unwrap_or_else(|| {
        // Any other value: up to a comment, or the end of the line, for which only one sign counts here.
        rest.find(['#', '\n']).map_or(text.len(), |length| value_at + length)
    });
    Some((name, value(text[value_at..end].trim_matches(is_space)), end))
}

/// Where a value in quotes ends, which may go over several lines: nothing but a comment may follow it.
fn after_quotes(text: &str, at: usize) -> Option<usize> {
    let start = after_space(text, at);
    let quote = *text.as_bytes().get(start).filter(|byte| QUOTES.contains(&char::from(**byte)))?;
    let bytes = &text.as_bytes()[start + 1..];
    let (mut escaped, mut closing, mut index) = (Vec::new(), None, 0);
    while index < bytes.len() && closing.is_none() {
        match (bytes[index], bytes.get(index + 1)) {
            (byte, _) if byte == quote => closing = Some(index),
            (b'\\', Some(next)) if *next == quote => {
                escaped.push(index + 1);
                index += 1;
            }
            _ => {}
        }
        index += 1;
    }
    // A pattern goes back: where the value cannot end at the first quote, an escaped one may be its end.
    let end = closing.into_iter().chain(escaped.into_iter().rev()).find(|end| {
        let rest = text[start + 2 + end..].trim_start_matches(|c| !ends_line(c) && is_space(c));
        rest.is_empty() || rest.starts_with(|c| ends_line(c) || c == '#')
    })?;
    Some(start + 2 + end)
}

const QUOTES: [char; 3] = ['\'', '"', '`'];

/// A value as it is used: without the quotes around it, and between double ones with the ends of lines that are
/// written as `\n` and `\r`.
fn value(text: &str) -> Cow<'_, str> {
    let bare = without_quotes(text);
    if text.starts_with('"') && bare.contains('\\') {
        return Cow::Owned(bare.replace("\\n", "\n").replace("\\r", "\r"));
    }
    bare
}

/// A text without the quotes around any of its lines, which may go on over later ones, as the package's pattern finds
/// them: a quote at the start of a line, and the last one of its kind at the end of one.
fn without_quotes(text: &str) -> Cow<'_, str> {
    // The last of each kind that ends a line.
    let is_last = |end: &usize| text[end + 1..].chars().next().is_none_or(ends_line);
    let last = QUOTES.map(|quote| text.rmatch_indices(quote).map(|(end, _)| end).find(is_last));
    let (mut bare, mut at) = (Cow::Borrowed(""), 0);
    while let Some((start, end)) = quotes(text, at, last) {
        bare += &text[at..start];
        bare += &text[start + 1..end];
        at = end + 1;
    }
    bare += &text[at..];
    bare
}

/// The first quote from here on that begins a line, with the last one of its kind that ends one.
fn quotes(text: &str, at: usize, last: [Option<usize>; 3]) -> Option<(usize, usize)> {
    let begins = |start: usize| start == 0 || text[..start].ends_with(ends_line);
    let starts = text[at..].match_indices(QUOTES).map(|(length, quote)| (at + length, quote));
    starts.filter(|(start, _)| begins(*start)).find_map(|(start, quote)| {
        let kind = QUOTES.iter().position(|one| quote.starts_with(*one))?;
        last[kind].filter(|end| *end > start).map(|end| (start, end))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name, its line, and the value.
    type Found<'a> = (&'a str, usize, &'a str);

    #[test]
    fn names_lines_and_values_are_those_that_the_package_dotenv_finds() {
        let table: [(&str, &[Found]); 24] = [
            ("", &[]),
            ("A=1", &[("A", 1, "1")]),
            ("\u{feff}A=1\r\nB=2\rC=3\n", &[("A", 1, "1"), ("B", 2, "2"), ("C", 3, "3")]),
            ("# A=1\n  # B=2\n\n C = 3 # D=4", &[("C", 4, "3")]),
            ("export A=1\nexport   B=2\nexport = 3", &[("A", 1, "1"), ("B", 2, "2"), ("export", 3, "3")]),
            ("exportA=1\nexport\nB=2", &[("exportA", 1, "1"), ("B", 2, "2")]),
            (
                "A=\nB=''\nC=\"\" # x\nD=``\nE=   ",
                &[("A", 1, ""), ("B", 2, ""), ("C", 3, ""), ("D", 4, ""), ("E", 5, "")],
            ),
            ("A='1\nB=2\n3'\nC=4", &[("A", 1, "1\nB=2\n3"), ("C", 4, "4")]),
            ("A=\"1\\\"\nB=2\"\nC=3", &[("A", 1, "1\\\"\nB=2"), ("C", 3, "3")]),
            ("A=\"1\\\"\nB=2", &[("A", 1, "1\\"), ("B", 2, "2")]),
            ("A='1\nB=2", &[("A", 1, "'1"), ("B", 2, "2")]),
            ("A='1' x\nB=2", &[("A", 1, "'1' x"), ("B", 2, "2")]),
            ("A='1'#x\nB=`2`", &[("A", 1, "1"), ("B", 2, "2")]),
            ("A=\n'1'\nB=\n\nC=3", &[("A", 1, "1"), ("B", 3, ""), ("C", 5, "3")]),
            ("A\n=1", &[("A", 1, "1")]),
            ("A: 1\nB:2\nC : 3\nD:\nE=5", &[("A", 1, "1"), ("D", 4, "E=5")]),
            ("A=1#2\nB=\"1#2\"", &[("A", 1, "1"), ("B", 2, "1#2")]),
            ("A B=1\nC=2", &[("C", 2, "2")]),
            ("=1\n-=2\na.b-c=3", &[("-", 2, "2"), ("a.b-c", 3, "3")]),
            ("nonsense\n$(x)=1\nA=2", &[("A", 3, "2")]),
            ("A=1\nA=2", &[("A", 1, "1"), ("A", 2, "2")]),
            ("A=é\u{2028}B=2", &[("A", 1, "é\u{2028}B=2")]),
            ("A='", &[("A", 1, "'")]),
            ("A={\"b\":\"c\"}", &[("A", 1, "{\"b\":\"c\"}")]),
        ];
        for (file, expected) in table {
            let text = text(file.as_bytes());
            let found = entries(&text);
            let found: Vec<_> = found.iter().map(|e| (e.name, e.line, e.value.as_ref())).collect();
            assert_eq!(found, expected, "{file:?}");
        }
    }

    #[test]
    fn odd_bytes_are_read_and_time_grows_with_the_length_only() {
        assert_eq!(
            entries(&text(b"\xff=1\nA=\xff")),
            [Entry { name: "A", line: 2, value: "\u{fffd}".into() }]
        );
        for part in ["A=\n", "A='\"\\\n", "\n", "A=\"\\\" \\\" ", "export ", "a"] {
            let _ = entries(&part.repeat(50_000));
        }
    }
}
