//! `alchemy completions`: the script that has a shell complete alchemy's command lines.
//!
//! The scripts are `shell/completions.*`. What they complete is asked for at each completion, of the binary
//! whose path they have ([`super::complete`]): inside a project the name `alchemy` may be
//! `node_modules/.bin/alchemy`. Those for packages have the name alone.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::hook::with_path;
use crate::error::{Error, Result};
use crate::hook::render::Shell;
use crate::host::Host;
use crate::terminal;

/// Print what completes alchemy's command lines in a shell
///
/// For the shell's rc file, where it is made anew at each start:
///
///   bash, zsh (after compinit): eval "$(alchemy completions bash)"
///   fish, in completions/alchemy.fish: alchemy completions fish | source
///   elvish: eval (alchemy completions elvish | slurp)
///   tcsh: eval `alchemy completions tcsh`
///   PowerShell: alchemy completions pwsh | Out-String | Invoke-Expression
///   nu, which reads files only: alchemy completions nu | save -f ~/.alchemy.nu; and: source ~/.alchemy.nu
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", required_unless_present = "out")]
    shell: Option<Shell>,
    /// Write those of all shells into a folder, for packages: they look for alchemy in PATH
    #[arg(long, value_name = "DIR", conflicts_with = "shell")]
    out: Option<PathBuf>,
}

impl Completions {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        match (self.shell, self.out) {
            (Some(shell), _) => terminal::print(&script(shell, &host.binary()?)?),
            (None, Some(folder)) => write_all(&folder),
            (None, None) => Err(Error::usage("which shell?").hint("name it: alchemy completions bash")),
        }
    }
}

/// The script of a shell, which calls this binary.
fn script(shell: Shell, binary: &Path) -> Result<String> {
    let text = match shell {
        Shell::Bash => include_str!("../../shell/completions.bash"),
        Shell::Zsh => include_str!("../../shell/completions.zsh"),
        Shell::Fish => include_str!("../../shell/completions.fish"),
        Shell::Nu => include_str!("../../shell/completions.nu"),
        Shell::Elvish => include_str!("../../shell/completions.elv"),
        Shell::Tcsh => include_str!("../../shell/completions.csh"),
        Shell::Pwsh => include_str!("../../shell/completions.ps1"),
    };
    with_path(text, shell, binary)
}

/// What a package calls the file.
fn file(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "alchemy.bash",
        Shell::Zsh => "_alchemy",
        Shell::Fish => "alchemy.fish",
        Shell::Nu => "alchemy.nu",
        Shell::Elvish => "alchemy.elv",
        Shell::Tcsh => "alchemy.csh",
        Shell::Pwsh => "alchemy.ps1",
    }
}

fn write_all(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io("make", folder, &error))?;
    for shell in Shell::value_variants() {
        let path = folder.join(file(*shell));
        std::fs::write(&path, script(*shell, Path::new("alchemy"))?)
            .map_err(|error| Error::io("write", &path, &error))?;
    }
    Ok(())
}
