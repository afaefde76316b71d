//! The scopes that the built-in clients may ask for (`facts/scopes.json`), by group.
//!
//! Each client has a spelling of its own: `workers-scripts.write` is `workers_scripts:write` at version 1
//! of the npm package. A client of the user's own has the spelling of `alchemy`, which is the one that
//! Cloudflare documents, and only Cloudflare knows which scopes it may ask for.

use serde::Deserialize;

use super::client::{Client, Preset};
use crate::error::{Error, Result};
use crate::profile::selection::near;

/// Asks for a refresh token. It is no permission, and need not be among those granted.
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";
/// How a person names the catalog's selections.
pub(crate) const BASIC: &str = "basic";
/// See [`BASIC`].
pub(crate) const ALL: &str = "all";

/// What a client may ask for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Catalog {
    /// What is asked for by default.
    pub basic: Vec<String>,
    /// All, in groups.
    pub groups: Vec<Group>,
}

/// Scopes that belong together.
#[derive(Debug, Deserialize)]
pub(crate) struct Group {
    /// Its name.
    pub label: String,
    /// Its scopes.
    pub scopes: Vec<Scope>,
}

/// One scope.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Scope {
    /// What is asked for.
    pub id: String,
    /// What it is for.
    pub name: String,
}

#[derive(Default, Deserialize)]
struct Catalogs {
    alchemy: Catalog,
    #[serde(rename = "alchemy-v1")]
    alchemy_v1: Catalog,
}

impl Catalog {
    /// The catalog of this client.
    pub(crate) fn of(client: &Client) -> Self {
        // It is part of the program, and a test reads it.
        let catalogs: Catalogs = serde_json::from_str(include_str!("scopes.json")).unwrap_or_default();
        if client.is_v1() { catalogs.alchemy_v1 } else { catalogs.alchemy }
    }

    /// All scopes.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Scope> {
        self.groups.iter().flat_map(|group| &group.scopes)
    }
}

/// The scopes that a person names: `basic`, `all`, or a list with commas or spaces.
///
/// Fails when there is none, or a built-in client cannot ask for one of them; near ones are named.
pub(crate) fn parse(text: &str, client: &Client) -> Result<Vec<String>> {
    let catalog = Catalog::of(client);
    match text.trim() {
        BASIC => return Ok(catalog.basic),
        ALL => return Ok(catalog.all().map(|scope| scope.id.clone()).collect()),
        _ => {}
    }
    let mut scopes: Vec<String> = Vec::new();
    for word in text.split([',', ' ', '\n', '\t']).filter(|word| !word.is_empty()) {
        if client.preset().is_some() && word != OFFLINE_ACCESS && !catalog.all().any(|scope| scope.id == word)
        {
            return Err(unknown(word, client, &catalog));
        }
        // Printable, without '"' and '\' (RFC 6749 §3.3): what is left could not even be sent.
        if !word.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) {
            return Err(Error::usage(format!("'{word}' cannot be a scope")).hint(LIST));
        }
        if word != OFFLINE_ACCESS && !scopes.iter().any(|scope| scope == word) {
            scopes.push(word.to_owned());
        }
    }
    if scopes.is_empty() { Err(Error::usage("no scopes are given").hint(LIST)) } else { Ok(scopes) }
}

const LIST: &str = "give basic, all, or names with commas between; alchemy configure --list-scopes shows all";

fn unknown(word: &str, client: &Client, catalog: &Catalog) -> Error {
    let preset = client.preset().map_or("", Preset::name);
    let error = Error::usage(format!("the client {preset} knows no scope '{word}'"));
    // What differs between the spellings counts least.
    let plain = |id: &str| id.replace([':', '.', '_'], "-");
    let known: Vec<(String, &str)> = catalog.all().map(|s| (plain(&s.id), s.id.as_str())).collect();
    let word = plain(word);
    let near = near(&word, known.iter().map(|(plain, _)| plain.as_str()));
    let near = near.iter().filter_map(|near| known.iter().find(|(plain, _)| plain == near));
    let near: Vec<&str> = near.map(|(_, id)| *id).collect();
    error.hint(if near.is_empty() { LIST.to_owned() } else { format!("did you mean {}?", near.join(" or ")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(preset: Preset) -> Client {
        Client::new(preset.client_id())
    }

    #[test]
    fn the_catalogs_are_whole() {
        for (preset, basic, all) in [(Preset::Alchemy, 30, 370), (Preset::AlchemyV1, 21, 70)] {
            let catalog = Catalog::of(&client(preset));
            assert_eq!((catalog.basic.len(), catalog.all().count()), (basic, all));
            for id in &catalog.basic {
                assert!(catalog.all().any(|scope| scope.id == *id), "{id}");
            }
            assert_eq!(parse(BASIC, &client(preset)).map(|scopes| scopes.len()), Ok(basic));
            assert_eq!(parse(ALL, &client(preset)).map(|scopes| scopes.len()), Ok(all));
        }
    }

    #[test]
    fn a_list_is_read_as_people_write_it() {
        let own = Client::new("mine");
        let scopes = parse(" d1.write, offline_access zone.read,d1.write ", &client(Preset::Alchemy));
        assert_eq!(scopes, Ok(vec!["d1.write".to_owned(), "zone.read".to_owned()]));
        assert_eq!(parse("my.own", &own), Ok(vec!["my.own".to_owned()]));
        for text in ["", " , ", "offline_access", "sc\"ope", "é"] {
            assert!(parse(text, &own).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_unknown_scope_is_refused_and_near_ones_are_named() {
        for (preset, word, near) in [
            (Preset::Alchemy, "workers_scripts:write", "workers-scripts.write"),
            (Preset::AlchemyV1, "workers-scripts.write", "workers_scripts:write"),
            (Preset::Alchemy, "d1.wirte", "d1.write"),
        ] {
            let error = parse(word, &client(preset)).expect_err("refused");
            assert!(error.next_step().is_some_and(|hint| hint.contains(near)), "{error:?}");
        }
    }
}
