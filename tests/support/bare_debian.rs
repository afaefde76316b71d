//! A bare Debian in a folder, entered by `chroot`: `tests/run` installs it, where it is root.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::{Home, Output, given, run};

/// Unpacked for one test, with a person in it who has a home; gone with the value.
pub struct BareDebian {
    home: Home,
}

impl BareDebian {
    /// `None` where it is not installed, which is said.
    pub fn new() -> Option<Self> {
        let archive = given("ALCHEMY_TEST_DEBIAN_ROOT")?;
        let this = Self { home: Home::new() };
        let mut tar = Command::new("tar");
        run(tar.arg("-xpf").arg(archive).arg("-C").arg(this.home.path())).expect_code(0);
        // A temporary folder is its owner's alone, and here it is `/`.
        run(Command::new("chmod").arg("755").arg(this.home.path())).expect_code(0);
        run(&mut this.root("useradd --create-home person")).expect_code(0);
        fs::write(this.path("etc/hosts"), "127.0.0.1 localhost\n127.0.0.1 api.acme.test\n").expect("written");
        Some(this)
    }

    /// A path in it.
    pub fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    /// A command line run by root.
    pub fn root(&self, line: &str) -> Command {
        self.shell("root", "/root", line)
    }

    /// A command line run by the person.
    pub fn person(&self, line: &str) -> Command {
        self.shell("person", "/home/person", line)
    }

    /// Runs a command line as the person.
    pub fn run(&self, line: &str) -> Output {
        run(&mut self.person(line))
    }

    fn shell(&self, user: &str, home: &str, line: &str) -> Command {
        let mut command = self.home.command("chroot");
        command.arg(format!("--userspec={user}:{user}")).arg(self.home.path());
        command.args(["sh", "-c", &format!("cd; {line}")]).current_dir("/");
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.envs([
            ("HOME", home),
            ("LC_ALL", "C.UTF-8"),
            ("TERM", "xterm"),
            ("DEBIAN_FRONTEND", "noninteractive"),
        ]);
        command
    }

    /// Every file and folder but those of the person, dpkg's own records, and man-db's index of all pages.
    pub fn files(&self) -> BTreeSet<String> {
        let hidden =
            "-path ./home -o -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache/man -o -path ./tmp";
        let listed =
            run(&mut self.root(&format!("cd /; find . \\( {hidden} \\) -prune -o -print"))).expect_code(0);
        listed.stdout.lines().map(str::to_owned).collect()
    }
}
