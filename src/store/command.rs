//! The store `command`: the document is read and written by the person's own commands (`pass`, `op`, `bw`, …).
//!
//! They are for `sh -c`, with the profile's name in the place of `{profile}`: by its grammar a name means itself
//! to every shell. The document goes over pipes alone, and what was written is read back. The commands are
//! written down with the profile, so that the store never changes by itself.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::Signal;
use zeroize::Zeroizing;

use super::Store;
use super::credential::Document;
use crate::disk::atomic::Bytes;
use crate::disk::trusted;
use crate::error::{Error, Result, reason};
use crate::launch::{self, Piped};
use crate::profile::{Commands, ProfileName, program};

/// The codes by which a shell says that it found no program, or none that it may run.
const NOT_RUN: [i32; 2] = [126, 127];

/// How a command ended, that ended by itself.
struct Ended<'c> {
    /// Its first word, which may be shown: what follows may be anything.
    word: &'c str,
    status: ExitStatus,
    output: Bytes,
}

impl Ended<'_> {
    /// The output of one that has succeeded.
    fn success(self, name: &ProfileName, does: &str) -> Result<Bytes> {
        if self.status.success() {
            return Ok(self.output);
        }
        let Self { word, status, .. } = self;
        if status.signal() == Some(Signal::SIGINT as i32) {
            let what = format!(
                "'{word}', which {does} the credential of profile '{name}', was interrupted (SIGINT)"
            );
            return Err(Error::new(format!("cancelled: {what}"))
                .hint("run the same command again when you want to go on"));
        }
        let how = match (status.code(), status.signal()) {
            (Some(127), _) => "it is not found (code 127)".to_owned(),
            (Some(code), _) => format!("it failed with code {code}"),
            (None, signal) => format!("it was ended by signal {}", signal.unwrap_or_default()),
        };
        Err(Error::new(format!("'{word}', which {does} the credential of profile '{name}': {how}")).hint(SEE))
    }
}

/// What to do about a command that does not do its work.
const SEE: &str =
    "try the command by itself; it stands in config.json, and 'alchemy configure' takes another";

impl Store<'_> {
    pub(super) fn read_by_command(
        &self,
        name: &ProfileName,
        commands: &Commands,
    ) -> Result<Option<Document>> {
        let ended = self.run(name, &commands.read, "reads", &[])?;
        let word = ended.word;
        let output = ended.success(name, "reads")?;
        if output.iter().all(u8::is_ascii_whitespace) {
            return Ok(None); // as some say that there is none
        }
        Document::parse(&output, &format!("what '{word}' prints for profile '{name}'"))
            .map(Some)
            .map_err(|error| error.hint(SEE))
    }

    pub(super) fn write_by_command(
        &self,
        name: &ProfileName,
        commands: &Commands,
        document: &Bytes,
    ) -> Result<()> {
        // On one line, and with its end: password managers take a line for the secret.
        let parsed: serde_json::Value = serde_json::from_slice(document)
            .map_err(|_| Error::new(format!("the credential of profile '{name}' is no JSON")))?;
        let line = Zeroizing::new(format!("{parsed}\n").into_bytes());
        let ended = self.run(name, &commands.write, "writes", &line)?;
        let word = ended.word.to_owned();
        ended.success(name, "writes")?;
        let origin = format!("the credential of profile '{name}'");
        let is_there = self.read_by_command(name, commands)?;
        if is_there == Some(Document::parse(document, &origin)?) {
            Ok(())
        } else {
            Err(Error::new(format!("'{word}' has kept something else than {origin}")).hint(SEE))
        }
    }

    pub(super) fn delete_by_command(&self, name: &ProfileName, commands: &Commands) -> Result<()> {
        let Some(delete) = &commands.delete else {
            self.messages.loss(&format!(
                "the credential of profile '{name}' stays where its command has put it: there is none that deletes"
            ));
            return Ok(());
        };
        let ended = self.run(name, delete, "deletes", &[])?;
        // Most fail as well where there is nothing to delete; one that was killed says nothing of that.
        let was_killed = ended.status.signal().is_some();
        let Err(error) = ended.success(name, "deletes") else { return Ok(()) };
        match self.read_by_command(name, commands) {
            Ok(None) => Ok(()),
            Err(_) if !was_killed => {
                self.messages.loss(&format!("{error}; it cannot be read either, and counts as gone"));
                Ok(())
            }
            Ok(Some(_)) | Err(_) => Err(error),
        }
    }

    /// Whether the commands can be run at all. That there is nothing to read yet is no failure.
    pub(super) fn command_answers(&self, name: &ProfileName, commands: &Commands) -> Result<()> {
        let ended = self.run(name, &commands.read, "reads", &[])?;
        if ended.status.code().is_some_and(|code| NOT_RUN.contains(&code)) {
            return ended.success(name, "reads").map(drop);
        }
        Ok(())
    }

    fn run<'c>(&self, name: &ProfileName, command: &'c str, does: &str, input: &[u8]) -> Result<Ended<'c>> {
        let word = program(command);
        trusted::may_run(self.home, &format!("'{word}', which {does} the credential of profile '{name}'"))?;
        let line = command.replace("{profile}", name.as_str());
        let environment = self.access.person.environment();
        let failed = |why: &str| {
            Error::new(format!("'{word}', which {does} the credential of profile '{name}': {why}")).hint(SEE)
        };
        self.messages.verbose(&format!("running '{word}', which {does} the credential of '{name}'"));
        match launch::piped(&line, environment, input, self.access.may_ask) {
            Ok(Piped::Ended(status, output)) => Ok(Ended { word, status, output }),
            Ok(Piped::TimedOut(limit)) => Err(failed(&format!("no end in {} s", limit.as_secs()))),
            Ok(Piped::TooLong) => Err(failed("its output is longer than any document")),
            Err(error) => Err(failed(&reason(&error))),
        }
    }
}

/// Whether a text can be one of the commands.
///
/// What is wrong with it, in words that follow its name.
pub(crate) fn check(command: &str) -> std::result::Result<(), &'static str> {
    if command.trim().is_empty() {
        Err("is empty")
    } else if command.contains(['\0', '\n']) {
        Err("is more than one line")
    } else if !command.contains("{profile}") {
        Err("says nowhere {profile}, so that all profiles would be one")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_the_profile_and_is_one_line() {
        for (command, checked) in [
            ("pass show alchemy/{profile}", Ok(())),
            ("  ", Err("is empty")),
            ("a {profile}\nb", Err("is more than one line")),
            ("pass show alchemy", Err("says nowhere {profile}, so that all profiles would be one")),
        ] {
            assert_eq!(check(command), checked, "{command:?}");
        }
    }
}
