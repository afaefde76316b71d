//! `alchemy deny`: take the trust in a pin file back, and do not be asked about it any more.

use std::path::PathBuf;

use clap::Args;

use super::allow::{nearest, say_json};
use crate::directory::trust::{self, Trust};
use crate::error::Result;
use crate::host::Host;

/// Take the trust in a pin file (.alchemy.toml) back, and be asked about it no more until it changes
#[derive(Args)]
pub(super) struct Deny {
    /// Where to look for it, and from there upward [default: here]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    json: bool,
}

impl Deny {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let (pin, file) = nearest(host, self.directory.as_deref())?;
        let shown = host.shown(&file.path);
        let Some(name) = &pin.profile else {
            if self.json {
                return say_json(&pin, &file, None);
            }
            host.messages.say(&format!("{shown} asks for no profile; an account that it guards stays so"));
            return Ok(());
        };
        trust::say(&host.home, &file, false, host.messages)?;
        if self.json {
            return say_json(&pin, &file, Some(Trust::Denied));
        }
        host.messages
            .say(&format!("{shown} may not select profile '{name}', and is not asked about any more"));
        Ok(())
    }
}
