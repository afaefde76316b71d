//! The account that wrangler would use by its own configuration, which goes before
//! `CLOUDFLARE_ACCOUNT_ID` (`facts/wrangler-cloudflare.md` §1.8).

use std::path::{Path, PathBuf};

use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use toml::de::DeTable;

use super::file;

/// The most that is read of one, in bytes.
const LIMIT: u64 = 1024 * 1024;

/// In wrangler's order: the nearest of the first name, else of the second, else of the third
/// (`findWranglerConfig` of wrangler 4.164).
const NAMES: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/// The `account_id` of the configuration that wrangler finds in this directory, and the file. `None` when
/// there is none, or it cannot be understood: that is wrangler's to tell.
#[must_use]
pub fn account(directory: &Path) -> Option<(String, PathBuf)> {
    let (path, bytes) = NAMES.iter().find_map(|name| {
        directory.ancestors().map(|directory| directory.join(name)).find_map(|path| {
            match file::read(&path, LIMIT, None) {
                Ok(small) => small.map(|small| (path, Some(small.bytes))),
                Err(_) => Some((path, None)),
            }
        })
    })?;
    let bytes = bytes?;
    let text = std::str::from_utf8(&bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    let id = if is_toml { in_toml(text) } else { in_jsonc(text) }?;
    // The only ones that wrangler takes; an empty one is none.
    let is_id = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    is_id.then_some((id, path))
}

fn in_toml(text: &str) -> Option<String> {
    let table = DeTable::parse(text).ok()?.into_inner();
    table.get("account_id")?.get_ref().as_str().map(str::to_owned)
}

fn in_jsonc(text: &str) -> Option<String> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default()).ok()?;
    Some(parsed.value?.as_object()?.get_string("account_id")?.value.to_string())
}
