//! `alchemy hook`: print the hook for a shell's rc file, or `use_alchemy` for direnv.

use std::borrow::Cow;
use std::path::Path;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::error::{Error, Result};
use crate::hook::render::{Shell, word};
use crate::hook::tcsh;
use crate::host::Host;
use crate::terminal;

/// Where the path of the binary belongs in the scripts. By its name alone it would be npm's `alchemy` wherever
/// somebody has `node_modules/.bin` in `PATH`.
pub(super) const PLACEHOLDER: &str = "__ALCHEMY__";

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
pub(super) struct Hook {
    /// The shell, or direnv
    #[arg(value_name = "SHELL")]
    caller: Caller,
}

/// Who asks `hook-env`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Shell(Shell),
    Direnv,
}

impl ValueEnum for Caller {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Caller; 8] = [
            Caller::Shell(Shell::Bash),
            Caller::Shell(Shell::Zsh),
            Caller::Shell(Shell::Fish),
            Caller::Shell(Shell::Nu),
            Caller::Shell(Shell::Elvish),
            Caller::Shell(Shell::Tcsh),
            Caller::Shell(Shell::Pwsh),
            Caller::Direnv,
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::Shell(shell) => shell.to_possible_value(),
            Self::Direnv => Some(PossibleValue::new("direnv")),
        }
    }
}

impl Hook {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        terminal::print(&with_path(&self.caller.script(), self.caller.language(), &host.binary()?)?)
    }
}

impl Caller {
    /// Its script, with a placeholder for the path of the binary.
    pub(super) fn script(self) -> Cow<'static, str> {
        let Self::Shell(shell) = self else { return include_str!("../../shell/use_alchemy.sh").into() };
        match shell {
            Shell::Bash => include_str!("../../shell/hook.bash").into(),
            Shell::Zsh => include_str!("../../shell/hook.zsh").into(),
            Shell::Fish => include_str!("../../shell/hook.fish").into(),
            Shell::Nu => include_str!("../../shell/hook.nu").into(),
            Shell::Elvish => include_str!("../../shell/hook.elv").into(),
            Shell::Tcsh => tcsh::without_comments(include_str!("../../shell/hook.tcsh")).into(),
            Shell::Pwsh => include_str!("../../shell/hook.ps1").into(),
        }
    }

    /// The shell that reads it.
    pub(super) fn language(self) -> Shell {
        match self {
            Self::Shell(shell) => shell,
            // direnv evaluates with bash.
            Self::Direnv => Shell::Bash,
        }
    }
}

/// A script with the path of the binary in it.
///
/// Fails when no shell could be given that path.
pub(super) fn with_path(script: &str, shell: Shell, binary: &Path) -> Result<String> {
    let path = binary.to_str().filter(|path| !path.contains(char::is_control)).ok_or_else(|| {
        Error::new(format!("the path {} cannot be written for a shell", binary.display()))
            .hint("install alchemy at a path of UTF-8 without control characters")
    })?;
    Ok(script.replace(PLACEHOLDER, &word(shell, path)))
}

/// Keeps what a hook asks for from a person's screen: it has secrets, and masked it would be of no use.
///
/// Fails when stdout is a terminal.
pub(super) fn refuse_terminal() -> Result<()> {
    if terminal::stdout_is_terminal() {
        return Err(Error::usage("this is for a shell's hook, and would show secrets")
            .hint("to see what a command gets: alchemy env; for the hook: alchemy hook --help"));
    }
    Ok(())
}
