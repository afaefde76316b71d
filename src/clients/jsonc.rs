//! JSON with comments as JavaScript's parsers read it: trailing commas are allowed, and of two keys that are the
//! same the last one counts.
//!
//! Nothing else is allowed that JSON does not have: where another program refuses a file, so does this. What it
//! refuses and others may read (more than 512 levels, half of a surrogate pair) is for the caller to name.

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::errors::ParseErrorKind;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// The text of a file as Node reads it: what is not UTF-8 becomes a replacement character, and a byte order mark at
/// the start is none of it.
pub(crate) fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned()
}

/// The value that a text holds.
///
/// What is wrong with the text, and where.
pub(crate) fn parse(text: &str) -> Result<Value<'_>, String> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &options);
    let value = parsed.map_err(|error| match error.kind() {
        ParseErrorKind::NestingDepthExceeded => "is nested too deeply".to_owned(),
        kind => {
            let (line, column) = (error.line_display(), error.column_display());
            format!("isn't valid JSON on line {line}, column {column}: {kind}")
        }
    })?;
    value.value.ok_or_else(|| "is empty".to_owned())
}

/// The lines of a text, for many places in it.
pub(crate) struct Lines {
    ends: Vec<usize>,
}

impl Lines {
    /// Finds where the lines end.
    pub(crate) fn of(text: &str) -> Self {
        Self { ends: text.match_indices('\n').map(|(at, _)| at).collect() }
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.ends.partition_point(|end| *end < at) + 1
    }
}

/// The property of an object that counts under this name: the last one.
pub(crate) fn property<'a, 'text>(object: &'a Object<'text>, name: &str) -> Option<&'a ObjectProp<'text>> {
    object.properties.iter().rfind(|property| property.name.as_str() == name)
}
