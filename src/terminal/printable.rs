//! Text of others, made safe to show: what comes from an API, a file, a repository or the environment can neither move
//! the cursor, change colors, forge a line, turn the order of a line's characters around, nor hide a part of itself.
//!
//! It is the one place for that: messages, tables, questions and JSON take it from here.

use std::fmt::Write as _;

/// The text with every character escaped that [`is_unsafe`].
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A JSON document in which every such character is written as `\uXXXX`: it means the same, and can be shown. In a
/// document they stand in strings alone, apart from the line ends between its parts.
pub(crate) fn printable_json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        if c != '\n' && is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character does something to a terminal instead of being seen on it: a control character (C0, DEL, C1), one
/// with the property `Bidi_Control`, an end of a line (Unicode TR9, TR14), or another format character that takes no
/// place (the category Cf). The two joiners may stand: Persian, Indic scripts and emoji are written with them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' // soft hyphen
            | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180e}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' // zero-width space, direction
            | '\u{2028}'..='\u{202e}' // line ends, embeddings and overrides
            | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates
            | '\u{feff}' // byte-order mark
            | '\u{fff9}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}' // tags and what is reserved beside them: text that nobody sees
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Characters that must not reach a terminal, a few of each kind.
    const UNSAFE: [char; 18] = [
        '\0',
        '\x07',
        '\x1b',
        '\r',
        '\n',
        '\x7f',
        '\u{9b}',
        '\u{ad}',
        '\u{61c}',
        '\u{200b}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{e0041}',
    ];

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_nothing_else_is() {
        assert_eq!(printable("a\x1b[31m\r\nb\u{9b}é"), "a\\u{1b}[31m\\r\\nb\\u{9b}é");
        assert_eq!(printable("a\u{202e}b\u{2028}\u{a0}"), "a\\u{202e}b\\u{2028}\u{a0}");
        for c in UNSAFE {
            assert!(!printable(&c.to_string()).contains(c), "{c:?}");
        }
        for text in ["Acme & Söhne", "日本", "می\u{200c}خواهم", "👨\u{200d}👩\u{200d}👧", "עברית", "a'\"\\b"]
        {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let text: String = UNSAFE.iter().chain(&['"', '\\', 'é', '\u{200d}']).collect();
        let value = serde_json::json!({ text.clone(): [text, 1, null] });
        for document in [format!("{value:#}"), value.to_string()] {
            let shown = printable_json(&document);
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
            assert!(!shown.chars().any(|c| c != '\n' && is_unsafe(c)), "{shown}");
        }
    }
}
