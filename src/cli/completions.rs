//! `alchemy completions`: the script that has a shell complete alchemy's command lines.
//!
//! The scripts are `shell/completions.*`. What they complete is asked for at each completion, of the binary
//! whose path they have ([`super::complete`]): inside a project the name `alchemy` may be
//! `node_modules/.bin/alchemy`. Those for packages have the name alone.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::context::Context;
use crate::error::{Error, Result};
use crate::shell::{Format, literal};
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
pub struct Completions {
    /// The shell
    #[arg(value_name = "SHELL", required_unless_present = "out")]
    shell: Option<Shell>,
    /// Write those of all shells into a folder, for packages: they look for alchemy in PATH
    #[arg(long, value_name = "DIR", conflicts_with = "shell")]
    out: Option<PathBuf>,
}

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Nu,
    Pwsh,
    Tcsh,
}

impl Completions {
    pub fn run(self, context: &Context) -> Result<()> {
        match (self.shell, self.out) {
            (Some(shell), _) => terminal::print(&shell.script(&own_path(context)?)?),
            (None, Some(folder)) => write_all(&folder),
            (None, None) => Err(Error::usage("which shell?").hint("name it: alchemy completions bash")),
        }
    }
}

impl Shell {
    /// Its script, which calls this binary.
    fn script(self, binary: &Path) -> Result<String> {
        let text = match self {
            Self::Bash => include_str!("../../shell/completions.bash"),
            Self::Zsh => include_str!("../../shell/completions.zsh"),
            Self::Fish => include_str!("../../shell/completions.fish"),
            Self::Elvish => include_str!("../../shell/completions.elv"),
            Self::Nu => include_str!("../../shell/completions.nu"),
            Self::Pwsh => include_str!("../../shell/completions.ps1"),
            Self::Tcsh => include_str!("../../shell/completions.csh"),
        };
        let odd = || {
            let message = format!("the path {} cannot be written for a shell", binary.display());
            Error::new(message).hint("install alchemy at a path without control characters")
        };
        let path = binary.to_str().filter(|path| !path.contains(char::is_control)).ok_or_else(odd)?;
        Ok(text.replace("__ALCHEMY__", &self.quoted(path)))
    }

    fn quoted(self, text: &str) -> String {
        let format = match self {
            Self::Bash | Self::Zsh | Self::Fish | Self::Tcsh => Format::Sh,
            Self::Elvish => Format::Elvish,
            Self::Nu => Format::Nu,
            Self::Pwsh => Format::Pwsh,
        };
        literal(format, text)
    }

    /// What a package calls the file.
    fn file(self) -> &'static str {
        match self {
            Self::Bash => "alchemy.bash",
            Self::Zsh => "_alchemy",
            Self::Fish => "alchemy.fish",
            Self::Elvish => "alchemy.elv",
            Self::Nu => "alchemy.nu",
            Self::Pwsh => "alchemy.ps1",
            Self::Tcsh => "alchemy.csh",
        }
    }
}

fn write_all(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io("make", folder, &error))?;
    for shell in Shell::value_variants() {
        let path = folder.join(shell.file());
        std::fs::write(&path, shell.script(Path::new("alchemy"))?)
            .map_err(|error| Error::io("write", &path, &error))?;
    }
    Ok(())
}

/// Where this binary is: as `PATH` leads to it, which an update does not change, else as it is.
fn own_path(context: &Context) -> Result<PathBuf> {
    let own = std::env::current_exe()
        .map_err(|error| Error::new(format!("the path of this program is unknown: {error}")))?;
    let path = context.variable("PATH");
    let found = which::which_in_all("alchemy", path, &context.directory).into_iter().flatten();
    let is_own = |found: &PathBuf| found.canonicalize().is_ok_and(|found| found == own);
    Ok(found.into_iter().find(is_own).unwrap_or(own))
}
