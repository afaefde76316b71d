//! The scopes that may be asked for, shown.

use crate::error::Result;
use crate::oauth::client::Client;
use crate::oauth::scopes::Catalog;
use crate::terminal;

/// Shows the scopes that a client may ask for.
pub(super) fn list(client: &Client) -> Result<()> {
    let catalog = Catalog::of(client);
    let mark = |id: &String| if catalog.basic.contains(id) { "basic" } else { "" }.to_owned();
    let rows: Vec<[String; 4]> = catalog
        .groups
        .iter()
        .flat_map(|group| group.scopes.iter().map(move |scope| (group, scope)))
        .map(|(group, scope)| [scope.id.clone(), mark(&scope.id), group.label.clone(), scope.name.clone()])
        .collect();
    terminal::print(&terminal::table(["SCOPE", "", "GROUP", "FOR"], &rows))
}
