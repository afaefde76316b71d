//! What the npm package `alchemy` has in the folder that we share with it.
//!
//! Most of it needs no import: version 1's profiles are ours, and version 2's are used where they are
//! (`facts/alchemy-npm.md` §1, §3). Copied are the tokens and keys of version 2, so that they can be kept
//! in a keyring; its grants are not.

use super::{Found, Source, WHY_NO_GRANT, What};
use crate::error::Result;
use crate::profile::{Method, Profile, StoreKind};
use crate::store::credential::Document;
use crate::store::{Listed, Store};

/// What npm has.
///
/// Fails when a folder cannot be listed.
pub(crate) fn find(store: &Store) -> Result<Source> {
    let mut source = Source::default();
    for Listed { name, profile, .. } in store.list()? {
        match profile {
            Ok(profile) if profile.store == StoreKind::Npm => {
                source.found.push(of_version_2(store, &profile));
            }
            Ok(profile) if profile.store == StoreKind::File => {
                let why = format!(
                    "it is a profile here already, kept in a file; to have it in the keyring: {}",
                    into_keyring(&profile)
                );
                let what = What::Stays { method: profile.method, why };
                source.found.push(found(name, what));
            }
            Ok(_) => {}
            Err(error) => source.found.push(found(name, What::Unusable(error.to_string()))),
        }
    }
    let old = store.home().root().join("profiles.json");
    if old.exists() {
        source.notes.push(format!(
            "{} is of an older layout, which npm alchemy 2 takes over when it runs next: npx alchemy profile list",
            old.display()
        ));
    }
    Ok(source)
}

fn of_version_2(store: &Store, profile: &Profile) -> Found {
    let what = match (profile.method, store.credential(profile)) {
        (Method::OAuth, _) => What::Stays {
            method: Method::OAuth,
            why: format!(
                "it is used where it is ({WHY_NO_GRANT}); to have it in the keyring: {}",
                into_keyring(profile)
            ),
        },
        (_, Ok(Document::ApiToken { token })) => What::Token(token),
        (_, Ok(Document::ApiKey { key, email })) => What::Key { key, email },
        (_, Ok(Document::OAuth(_))) => What::Unusable("it was changed just now".to_owned()),
        (_, Err(error)) => What::Unusable(error.to_string()),
    };
    let mut notes = Vec::new();
    if matches!(what, What::Token(_) | What::Key { .. }) {
        notes.push(
            "the copy is used here from then on (config.json goes before); npm keeps its own".to_owned(),
        );
    }
    let account = Some(profile.account.id.to_string());
    Found { account, notes, ..found(profile.name.to_string(), what) }
}

fn found(name: String, what: What) -> Found {
    Found { name, what, account: None, notes: Vec::new() }
}

fn into_keyring(profile: &Profile) -> String {
    format!("alchemy profile move {} --store keyring", profile.name)
}
