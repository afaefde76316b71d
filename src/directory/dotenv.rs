//! Reading a `.env` file as its readers do.
//!
//! The rules are those of the npm package `dotenv` (16.3.1, `lib/main.js`, the pattern `LINE`), which
//! wrangler bundles and version 2 of the npm package repeats (effect's `ConfigProvider.fromDotEnvContents`);
//! Node's own reader, for version 1, agrees on what people write (`tests/hazards_clients.rs`). No crate does:
//! what is needed is the line of each name, and just these rules, oddities included. `$NAME` in a value is not
//! followed.

/// What a file assigns to a name.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name.
    pub name: &'a str,
    /// The line on which the name stands, from 1.
    pub line: usize,
    /// The value, without its quotes; its escapes are left as they are.
    pub value: &'a str,
}

/// The text of a file with all its line ends as `\n`. What is not UTF-8 becomes a replacement character, as
/// it does for Node.
#[must_use]
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n")
}

/// All assignments of a text that [`text`] made, in their order; a later one of the same name is the one
/// that counts.
#[must_use]
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
        at = text[end..].find('\n').map_or(text.len(), |length| end + length);
        line += newlines(&text[start..at]);
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// What JavaScript calls white space: a byte order mark is some.
fn is_space(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

fn after_space(text: &str, at: usize) -> usize {
    text.len() - text[at..].trim_start_matches(is_space).len()
}

/// The name and the value that are assigned from here on, and where that ends.
fn assignment(text: &str, at: usize) -> Option<(&str, &str, usize)> {
    let exported = text[at..].strip_prefix("export").filter(|rest| rest.starts_with(is_space));
    let exported =
        exported.and_then(|rest| plain_assignment(text, after_space(text, text.len() - rest.len())));
    exported.or_else(|| plain_assignment(text, at))
}

fn plain_assignment(text: &str, at: usize) -> Option<(&str, &str, usize)> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
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
    let (value, end) = quoted(text, value_at).unwrap_or_else(|| unquoted(text, value_at));
    Some((name, value, end))
}

/// A value in quotes, which may go over several lines: nothing but a comment may follow it.
fn quoted(text: &str, at: usize) -> Option<(&str, usize)> {
    let start = after_space(text, at);
    let quote = *text.as_bytes().get(start).filter(|byte| matches!(byte, b'\'' | b'"' | b'`'))?;
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
        let rest = text[start + 2 + end..].trim_start_matches(|c| c != '\n' && is_space(c));
        rest.is_empty() || rest.starts_with(['\n', '#'])
    })?;
    Some((&text[start + 1..=start + end], start + 2 + end))
}

/// Any other value: up to a comment, or the end of the line.
fn unquoted(text: &str, at: usize) -> (&str, usize) {
    let end = text[at..].find(['#', '\n']).map_or(text.len(), |length| at + length);
    let value = text[at..end].trim_matches(is_space);
    let inner = ['\'', '"', '`'].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    (inner.unwrap_or(value), end)
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
            let found: Vec<_> = entries(&text).into_iter().map(|e| (e.name, e.line, e.value)).collect();
            assert_eq!(found, expected, "{file:?}");
        }
    }

    #[test]
    fn odd_bytes_are_read_and_time_grows_with_the_length_only() {
        assert_eq!(entries(&text(b"\xff=1\nA=\xff")), [Entry { name: "A", line: 2, value: "\u{fffd}" }]);
        for part in ["A=\n", "A='\"\\\n", "\n", "A=\"\\\" \\\" ", "export ", "a"] {
            let _ = entries(&part.repeat(50_000));
        }
    }
}
