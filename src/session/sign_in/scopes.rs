//! Which scopes to ask for, as the person chooses them.

use crate::error::{Error, Result};
use crate::oauth::scopes::Catalog;
use crate::terminal;

/// Lets the person choose scopes, by group.
pub(super) fn choose_scopes(catalog: &Catalog) -> Result<Vec<String>> {
    const FLAG: &str = "--scopes";
    let options = [
        format!("basic: the {} that most projects need", catalog.basic.len()),
        format!("all: every one of the {}", catalog.all().count()),
        "choose".to_owned(),
    ];
    match terminal::ask_choice("scopes:", &options, 0, FLAG)? {
        0 => return Ok(catalog.basic.clone()),
        1 => return Ok(catalog.all().map(|scope| scope.id.clone()).collect()),
        _ => {}
    }
    let groups: Vec<String> =
        catalog.groups.iter().map(|group| format!("{} ({})", group.label, group.scopes.len())).collect();
    let mut chosen: Vec<usize> = (0..groups.len()).collect();
    if groups.len() > 1 {
        let some = terminal::ask_choices("groups to choose from (none is all):", &groups, &[], FLAG)?;
        if !some.is_empty() {
            chosen = some;
        }
    }
    let offered: Vec<_> = chosen
        .iter()
        .filter_map(|group| catalog.groups.get(*group))
        .flat_map(|group| group.scopes.iter().map(move |scope| (group, scope)))
        .collect();
    let shown: Vec<String> = offered
        .iter()
        .map(|(group, scope)| format!("{}: {} ({})", group.label, scope.id, scope.name))
        .collect();
    let is_basic = |at: &usize| catalog.basic.contains(&offered[*at].1.id);
    let ticked: Vec<usize> = (0..offered.len()).filter(is_basic).collect();
    let chosen = terminal::ask_choices("scopes (type to search):", &shown, &ticked, FLAG)?;
    if chosen.is_empty() {
        return Err(Error::usage("no scope is chosen").hint("tick some with the space bar, or give --scopes"));
    }
    Ok(chosen.into_iter().map(|at| offered[at].1.id.clone()).collect())
}
