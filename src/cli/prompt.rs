//! `alchemy prompt`: the profile that applies here, for a prompt. It reads a few small files, and neither waits
//! nor complains.

use clap::Args;

use crate::error::Result;
use crate::host::Host;
use crate::profile::ProfileName;
use crate::profile::selection::select;
use crate::release::selector::Selector;
use crate::terminal;

/// Print the name of the profile that applies here, for a prompt; nothing where none was chosen
#[derive(Args)]
pub(super) struct Prompt {}

pub(super) fn run(host: &Host) -> Result<()> {
    // Nor does it say anything of a mode.
    let _looking = host.home.look_only();
    match chosen(host) {
        Ok(Some(name)) => terminal::print(&format!("{name}\n")),
        // A prompt is no place for an error; `alchemy use` tells it.
        Ok(None) | Err(_) => Ok(()),
    }
}

fn chosen(host: &Host) -> Result<Option<ProfileName>> {
    let selector = Selector::of(host);
    if let Some(selection) = selector.with_named(None, select)? {
        return Ok(Some(selection.name));
    }
    Ok(selector.look()?.sound()?.choice.as_ref().map(|choice| choice.name.clone()))
}
