//! What each tool has: its file is given what the environment, the keyring and the terminal say.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::planned::Planned;
use super::{Import, Tool};
use crate::disk::atomic::Bytes;
use crate::environment::EXPIRATION;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::import::{Existing, Fate, Source, What, cf_vault, env, npm, same_secret, wrangler};
use crate::profile::ProfileName;
use crate::secret::Secret;
use crate::shell;
use crate::store::Store;
use crate::terminal;

/// The variables that still hold what was imported.
pub(super) struct Variables {
    held_by: Vec<&'static str>,
    /// The file, and the lines of it that hold them.
    file: Option<(PathBuf, String)>,
}

/// Finds what the tool has.
pub(super) fn find(
    import: &Import,
    host: &Host,
    store: &Store,
    existing: &[Existing],
) -> Result<(Source, Option<Variables>)> {
    let mut source = match import.tool {
        Tool::Wrangler => of_wrangler(host, store)?,
        Tool::CfVault => of_cf_vault(host, store)?,
        Tool::Npm => npm::find(store)?,
        Tool::Env => return in_variables(import, host, existing),
    };
    if !import.names.is_empty() {
        for name in &import.names {
            if !source.found.iter().any(|found| found.name == *name) {
                let known: Vec<&str> = source.found.iter().map(|found| found.name.as_str()).collect();
                return Err(Error::new(format!("{} has no profile '{name}'", import.tool))
                    .hint(format!("it has {}", known.join(", "))));
            }
        }
        source.found.retain(|found| import.names.contains(&found.name));
        source.bindings.retain(|binding| import.names.contains(&binding.name));
    }
    Ok((source, None))
}

/// The items of other programs in the keyring. One that fails is not asked again: it may take its time each
/// time, and be unlocked only once.
struct Items<'a> {
    store: &'a Store<'a>,
    failed: OnceCell<String>,
}

impl Items<'_> {
    fn get(
        &self,
        attributes: &[(&'static str, &str)],
        collection: Option<&'static str>,
    ) -> Result<Option<Bytes>, String> {
        if let Some(failed) = self.failed.get() {
            return Err(failed.clone());
        }
        let item = self.store.foreign_item(attributes, collection).map_err(|error| error.to_string());
        item.inspect_err(|error| drop(self.failed.set(error.clone())))
    }
}

fn user_home(host: &Host) -> Result<&Path> {
    if host.user_home().as_os_str().is_empty() {
        return Err(Error::new("HOME is not set, so nothing of other tools can be found").hint("set HOME"));
    }
    Ok(host.user_home())
}

fn of_wrangler(host: &Host, store: &Store) -> Result<Source> {
    let config_home = host.variable("XDG_CONFIG_HOME").map(Path::new);
    let folder = wrangler::folder(user_home(host)?, config_home);
    host.messages.verbose(&format!("reading {}", folder.display()));
    let items = Items { store, failed: OnceCell::new() };
    wrangler::find(&folder, host.started, &|profile| {
        items.get(&[("service", wrangler::SERVICE), ("account", profile)], None)
    })
}

fn of_cf_vault(host: &Host, store: &Store) -> Result<Source> {
    const PASSPHRASE: &str = "CF_VAULT_FILE_PASSPHRASE";
    let folder = |name: &str| host.variable(name).map(Path::new);
    let places = cf_vault::places(user_home(host)?, folder("XDG_CONFIG_HOME"), folder("XDG_DATA_HOME"));
    let asked = OnceCell::new();
    let passphrase = || -> Result<Secret, String> {
        let ask = || match host.text(PASSPHRASE) {
            Some(passphrase) => Ok(Secret::from(passphrase.to_owned())),
            None => terminal::ask_secret("the passphrase of cf-vault's files:", PASSPHRASE)
                .map_err(|error| super::planned::told(&error)),
        };
        asked.get_or_init(ask).clone()
    };
    let items = Items { store, failed: OnceCell::new() };
    let item = |key: &str| items.get(&[(cf_vault::ATTRIBUTE, key)], Some(cf_vault::COLLECTION));
    let backend = host.text("CF_VAULT_BACKEND");
    cf_vault::find(&places, &cf_vault::Access { backend, item: &item, passphrase: &passphrase })
}

fn in_variables(import: &Import, host: &Host, existing: &[Existing]) -> Result<(Source, Option<Variables>)> {
    let (variables, file) = if let Some(path) = &import.file {
        let (variables, lines) = env::of_file(path)?;
        (variables, Some((path.clone(), lines)))
    } else {
        let value = |name| Some((name, Secret::from(host.text(name)?.to_owned())));
        (env::names().filter_map(value).collect(), None)
    };
    let is_new = |what: &What| what.document().is_some() && same_secret(what, existing, &|_| true).is_none();
    let mut found = env::find(&variables, ProfileName::DEFAULT);
    if found.found.is_empty() {
        let (place, hint) = match &file {
            Some((path, _)) => (path.display().to_string(), "name another: --file FILE"),
            None => ("the environment".to_owned(), "or read a file: alchemy import env --file .env"),
        };
        return Err(Error::new(format!("no credential for cloudflare is in {place}")).hint(hint));
    }
    if file.is_none() && host.variable(EXPIRATION).is_some() {
        for found in found.found.iter_mut().filter(|found| is_new(&found.what)) {
            let why = "alchemy itself has put it into the environment, and it runs out";
            found.what = What::Unusable(why.to_owned());
        }
    }
    if import.profile.is_none() && !import.dry_run && found.found.iter().any(|found| is_new(&found.what)) {
        let name = terminal::ask_text("profile name:", Some(ProfileName::DEFAULT), "-p NAME")?;
        found = env::find(&variables, ProfileName::parse(name.trim())?.as_str());
    } else if let Some(name) = &import.profile {
        let name = ProfileName::parse(name)?;
        for found in &mut found.found {
            found.name = found.name.replacen(ProfileName::DEFAULT, name.as_str(), 1);
        }
    }
    let held = Variables { held_by: found.held_by, file };
    Ok((Source { found: found.found, ..Source::default() }, Some(held)))
}

impl Variables {
    /// Says how to be rid of them: they would go before the profile elsewhere.
    pub(super) fn say(&self, host: &Host, planned: &Planned) {
        let is_here = |fate: &Fate| matches!(fate, Fate::Make | Fate::Replace(_) | Fate::There(_));
        if !planned.items.iter().any(|item| is_here(&item.fate)) {
            return;
        }
        let names = self.held_by.join(" and ");
        let text = match &self.file {
            Some((path, lines)) => {
                let expressions: Vec<String> =
                    self.held_by.iter().map(|name| format!("-e '/^ *(export +)?{name} *=/d'")).collect();
                let in_place = if cfg!(target_os = "macos") { "-i ''" } else { "-i" };
                format!(
                    "{} still holds {names} (line {lines}), which other tools would use; to take it out: \
                     sed {in_place} -E {} {}",
                    path.display(),
                    expressions.join(" "),
                    shell::word(&path.display().to_string())
                )
            }
            None => format!(
                "the environment still holds {names}; to take it out: unset {}, and where your shell sets it",
                self.held_by.join(" ")
            ),
        };
        host.messages.say(&text);
    }
}
