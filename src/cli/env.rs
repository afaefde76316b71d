//! `alchemy env`: print the environment, for `eval`, a file or a program.

use clap::Args;

use super::{Consent, MinTtl, ProfileArgument};
use crate::environment::{Changes, Value, may_repeat, removal};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::Account;
use crate::release::changes::changes;
use crate::release::check;
use crate::release::choice::{Choice, inherited_also};
use crate::release::gate::outward_gate;
use crate::release::selector::Selector;
use crate::shell::{Format, render};
use crate::terminal;

/// Print a profile's environment, for eval, a file or a program
///
/// eval $(alchemy env) in bash, dash, zsh, ksh and fish. On a terminal the values are masked.
#[derive(Args)]
pub(super) struct Env {
    #[command(flatten)]
    profile: ProfileArgument,
    /// How to write it
    #[arg(short, long, value_name = "FORMAT", default_value = "sh")]
    format: Format,
    /// Print what takes the variables away again
    #[arg(long, conflicts_with_all = ["account", "reveal"])]
    unset: bool,
    /// Another account than the profile's
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Repeat the token under another variable's name (CF_API_TOKEN, CF_DNS_API_TOKEN, …)
    #[arg(long, value_name = "NAME", value_parser = variable_name)]
    also: Vec<String>,
    #[command(flatten)]
    min_ttl: MinTtl,
    #[command(flatten)]
    consent: Consent,
    /// Show the values on a terminal
    #[arg(long)]
    reveal: bool,
}

impl Env {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        let mut also = self.also;
        if self.unset {
            also.extend(kept_also(host, self.profile.get()));
            return terminal::print(&written(self.format, &removal(&also), false)?);
        }
        let account = self.account.as_deref().map(Account::of_id).transpose()?;
        let mut store = host.store(true)?;
        let selector = Selector::of(host);
        let choice = Choice::find(&selector, &store, self.profile.get())?;
        also.extend_from_slice(choice.also());
        let session = choice.check(&selector, &store, account)?.release(
            host,
            &mut store,
            self.min_ttl.min_ttl,
            outward_gate(host, self.consent.yes),
        )?;
        check::warn_of_wrangler(host, session.account.as_ref());
        let changes = changes(&session, &also).without(&inherited_also(host, &store));
        let masked = terminal::stdout_is_terminal() && !self.reveal;
        let text = written(self.format, &changes, masked)?;
        if self.format == Format::GithubActions && host.text("GITHUB_ACTIONS") == Some("true") {
            mask_in_log(&changes);
        }
        terminal::print(&text)?;
        if masked {
            terminal::print(&format!(
                "# masked, as this is a terminal. {}; --reveal shows the values\n",
                use_of(self.format)
            ))?;
        }
        Ok(())
    }
}

/// Where else the token stands of the profile whose variables are to be taken away, as far as is known: the
/// rest goes away in any case.
fn kept_also(host: &Host, argument: Option<&str>) -> Vec<String> {
    let kept = || {
        let store = host.store(false).ok()?;
        let profile = store.get(&Selector::of(host).select(argument).ok()?.name).ok()??;
        Some([profile.also, inherited_also(host, &store)].concat())
    };
    let mut names = kept().unwrap_or_default();
    names.retain(|name| may_repeat(name));
    names.sort();
    names.dedup();
    names
}

fn written(format: Format, changes: &Changes, masked: bool) -> Result<zeroize::Zeroizing<String>> {
    let shown: Vec<(&str, String)> = changes
        .set
        .iter()
        .map(|(name, value)| match value {
            Value::Secret(secret) if masked => (name.as_str(), secret.masked()),
            value => (name.as_str(), value.expose().to_owned()),
        })
        .collect();
    let shown: Vec<(&str, zeroize::Zeroizing<String>)> =
        shown.into_iter().map(|(name, value)| (name, zeroize::Zeroizing::new(value))).collect();
    let set: Vec<(&str, &str)> = shown.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let unset: Vec<&str> = changes.unset.iter().map(String::as_str).collect();
    render(format, &set, &unset)
}

fn use_of(format: Format) -> &'static str {
    match format {
        Format::Sh => "use it by: eval $(alchemy env)",
        Format::Fish => "use it by: alchemy env --format fish | source",
        Format::Tcsh => "use it by: eval `alchemy env --format tcsh`",
        Format::Nu => "use it by shell/env.nu",
        Format::Elvish => "use it by shell/env.elv",
        Format::Pwsh => "use it by: alchemy env --format pwsh | Out-String | Invoke-Expression",
        Format::Json => "use it in a pipe: alchemy env --format json | jq",
        Format::Dotenv => "use it by: alchemy env --format dotenv > FILE (outside the repository)",
        Format::Docker => "use it by: docker run --env-file <(alchemy env --format docker)",
        Format::GithubActions => "use it by: alchemy env --format github-actions >> \"$GITHUB_ENV\"",
    }
}

/// A runner of GitHub Actions takes this line for itself, shows stars, and hides the value in the log
/// from then on: before the value is printed, so that it is hidden even where the `>> "$GITHUB_ENV"` was
/// forgotten. Its stderr is read for commands like its stdout, which is redirected here.
fn mask_in_log(changes: &Changes) {
    for (_, value) in &changes.set {
        if let Value::Secret(secret) = value {
            let data = zeroize::Zeroizing::new(command_data(secret.expose()));
            terminal::print_to_stderr(&zeroize::Zeroizing::new(format!("::add-mask::{}\n", *data)));
        }
    }
}

/// The value of a workflow command, from which the runner takes `%25` back (`ActionCommand.cs`); it would else
/// hide another text than the secret. Line ends, which it escapes too, no format for files lets through.
fn command_data(text: &str) -> String {
    text.replace('%', "%25")
}

/// A name that a variable can have in every shell, and under which a token may stand.
pub(super) fn variable_name(name: &str) -> std::result::Result<String, Error> {
    let mut bytes = name.bytes();
    let valid = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !valid {
        return Err(Error::usage("it must be letters, digits and '_'"));
    }
    if !may_repeat(name) {
        return Err(Error::usage("it has another meaning, and the token must not stand there"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runner_gets_the_value_that_it_is_to_hide() {
        for (text, data) in [("token", "token"), ("100%", "100%25"), ("a%0Ab", "a%250Ab"), ("%25", "%2525")] {
            assert_eq!(command_data(text), data);
        }
    }
}
