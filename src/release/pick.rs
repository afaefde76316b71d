//! The picker: a person at a terminal chooses the profile from a list.
//!
//! By `--pick`; and where nothing selects one and there is no `default`, instead of an error. It asks also
//! when there is but one profile: a credential goes out only by a name that somebody has given, and a second
//! profile must not change what a line of a script does.

use crate::error::{Error, Result};
use crate::profile::selection::{Reason, Selection};
use crate::profile::{Profile, ProfileName};
use crate::release::selector::Selector;
use crate::store::Store;
use crate::terminal;

/// Asks which profile; the selection that comes of it.
///
/// Fails without a terminal or a profile; when the person cancels.
pub(crate) fn pick(selector: &Selector, store: &Store) -> Result<(Profile, Selection)> {
    let listed = store.list()?.into_iter().filter(|listed| !listed.shadowed);
    let mut profiles: Vec<Profile> = listed.filter_map(|listed| listed.profile.ok()).collect();
    if profiles.is_empty() {
        let hint = format!("make one: alchemy configure -p {}", ProfileName::default());
        return Err(Error::new("there are no profiles to choose from yet").hint(hint));
    }
    // What applies here is the first offer.
    let current = selector.select(None).ok();
    let at = profiles.iter().position(|profile| current.as_ref().is_some_and(|c| c.name == profile.name));
    let chosen = terminal::ask_choice("profile:", &rows(&profiles), at.unwrap_or_default(), "-p NAME")?;
    let profile = profiles.swap_remove(chosen);
    let selection = Selection { name: profile.name.clone(), reason: Reason::Picked };
    Ok((profile, selection))
}

/// Whether a person is there to be asked, and nothing selects a profile but the default, which does not
/// exist.
///
/// Fails when a document of ours cannot be understood.
pub(crate) fn is_open(selector: &Selector, store: &Store) -> Result<bool> {
    let host = selector.host;
    if !host.may_ask() || host.variable("CI").is_some() || selector.names_profile() {
        return Ok(false);
    }
    let here = selector.here()?;
    let is_free = here.choice.is_none() && here.asks.is_none();
    Ok(is_free && store.get(&ProfileName::default())?.is_none() && !store.list()?.is_empty())
}

/// A profile in a line, under the one before.
fn rows(profiles: &[Profile]) -> Vec<String> {
    let width = |of: &dyn Fn(&Profile) -> String| {
        profiles.iter().map(|profile| of(profile).chars().count()).max().unwrap_or_default()
    };
    let (name, method) = (width(&|p| p.name.to_string()), width(&|p| p.method.to_string()));
    let row = |p: &Profile| format!("{:name$}  {:method$}  {}", p.name.as_str(), p.method.name(), p.account);
    profiles.iter().map(row).collect()
}
