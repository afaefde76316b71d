//! `alchemy hook`: print the hook for a shell's rc file, or `use_alchemy` for direnv.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::context::Context;
use crate::error::{Error, Result};
use crate::launch;
use crate::shell::{hook, hook_tcsh};
use crate::terminal;

/// Where the path of the binary belongs in the scripts. By its name alone it would be npm's `alchemy` wherever
/// somebody has `node_modules/.bin` in `PATH`.
const PLACEHOLDER: &str = "__ALCHEMY__";

/// Print the hook for a shell's rc file, or use_alchemy for direnv
///
/// Bash, in ~/.bashrc:                      eval "$(alchemy hook bash)"
/// Zsh, in ~/.zshrc:                        eval "$(alchemy hook zsh)"
/// Fish, in ~/.config/fish/config.fish:     alchemy hook fish | source
/// Nushell, once for each new version:      alchemy hook nu | save -f ($nu.data-dir | path join vendor autoload alchemy.nu)
/// Elvish, in rc.elv:                       eval (alchemy hook elvish | slurp)
/// Tcsh, at the end of ~/.tcshrc:           if ($?prompt) eval "`alchemy hook tcsh`"
/// PowerShell, in $PROFILE:                 alchemy hook pwsh | Out-String | Invoke-Expression
/// direnv, once:                            alchemy hook direnv > ~/.config/direnv/lib/use_alchemy.sh
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Hook {
    /// The shell
    shell: Hooked,
}

#[derive(Clone, Copy, ValueEnum)]
enum Hooked {
    Bash,
    Zsh,
    Fish,
    Nu,
    Elvish,
    Tcsh,
    Pwsh,
    /// use_alchemy, for ~/.config/direnv/lib
    Direnv,
}

impl Hook {
    pub fn run(self, context: &Context) -> Result<()> {
        let binary = binary(context)?;
        let binary = binary.to_str().ok_or_else(|| Error::new("the path of alchemy itself is not UTF-8"))?;
        let (script, shell) = match self.shell {
            Hooked::Bash => (include_str!("../../shell/hook.bash"), hook::Shell::Bash),
            Hooked::Zsh => (include_str!("../../shell/hook.zsh"), hook::Shell::Zsh),
            Hooked::Fish => (include_str!("../../shell/hook.fish"), hook::Shell::Fish),
            Hooked::Nu => (include_str!("../../shell/hook.nu"), hook::Shell::Nu),
            Hooked::Pwsh => (include_str!("../../shell/hook.ps1"), hook::Shell::Pwsh),
            Hooked::Direnv => (include_str!("../../shell/use_alchemy.sh"), hook::Shell::Bash),
            Hooked::Elvish => (include_str!("../../shell/hook.elv"), hook::Shell::Elvish),
            Hooked::Tcsh => {
                (&*hook_tcsh::without_comments(include_str!("../../shell/hook.tcsh")), hook::Shell::Tcsh)
            }
        };
        terminal::print(&script.replace(PLACEHOLDER, &hook::word(shell, binary)))
    }
}

/// The path by which this program was called: not that of its file, which a package manager replaces.
fn binary(context: &Context) -> Result<PathBuf> {
    let called = context.program.as_os_str();
    launch::find(called, context.variable("PATH"), &context.directory)
        .ok()
        .filter(|path| path.is_absolute())
        .map_or_else(|| std::env::current_exe().map_err(|e| Error::io("find", Path::new("alchemy"), &e)), Ok)
}
