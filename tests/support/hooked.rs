//! A shell on a terminal, with the hook in its rc file, and a person who types.
//!
//! The same words to every shell: [`Hooked::cd`], [`Hooked::export`], … type what that shell understands. What
//! a child sees is dumped into a file by a program that the shell runs; so a test knows, too, when everything
//! before it is done.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::pty::{LIMIT, Terminal};
use super::{ALCHEMY, Home, environment, write_program};

/// A shell that has a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Nu,
    Elvish,
    Tcsh,
}
pub use Shell::{Bash, Elvish, Fish, Nu, Tcsh, Zsh};

/// All of them.
pub const SHELLS: [Shell; 6] = [Bash, Zsh, Fish, Nu, Elvish, Tcsh];

impl Shell {
    /// Its program, and the name that `alchemy hook` knows it by.
    pub fn name(self) -> &'static str {
        match self {
            Bash => "bash",
            Zsh => "zsh",
            Fish => "fish",
            Nu => "nu",
            Elvish => "elvish",
            Tcsh => "tcsh",
        }
    }

    pub fn is_installed(self) -> bool {
        super::has(self.name())
    }

    /// Has the shell read the hook, and leave out what would only disturb: history, colours, other prompts.
    fn rc(self, home: &Home, before: &str) -> (&'static str, String) {
        let hook = format!("{ALCHEMY} hook {}", self.name());
        match self {
            Bash => (".bashrc", format!("unset HISTFILE\nPS1='ready: '\n{before}\neval \"$({hook})\"\n")),
            Zsh => (
                ".zshrc",
                format!("unsetopt promptcr promptsp\nPS1='ready: '\n{before}\neval \"$({hook})\"\n"),
            ),
            Fish => {
                // Where this is missing, the first fish of a home reads all manual pages in the background, for
                // its completions, and holds the terminal for that long.
                let completions = home.path().join(".local/share/fish/generated_completions");
                fs::create_dir_all(completions).expect("a folder");
                (
                    ".config/fish/config.fish",
                    format!("function fish_prompt; printf 'ready: '; end\n{before}\n{hook} | source\n"),
                )
            }
            Nu => {
                let script = home.run(&["hook", "nu"]).expect_code(0).stdout;
                let config = "$env.config.show_banner = false\n$env.PROMPT_COMMAND = {|| \"ready: \" }\n\
                              $env.PROMPT_COMMAND_RIGHT = \"\"\n$env.PROMPT_INDICATOR = \"\"\n";
                let file = home.path().join(".config/nushell/hook.nu");
                fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
                fs::write(&file, script).expect("written");
                (".config/nushell/config.nu", format!("{config}{before}\nsource {}\n", file.display()))
            }
            Elvish => (
                ".config/elvish/rc.elv",
                format!(
                    "set edit:prompt = {{ put 'ready: ' }}\nset edit:rprompt = {{ }}\n{before}\neval ({hook} | slurp)\n"
                ),
            ),
            Tcsh => (
                ".tcshrc",
                format!("unset edit\nset prompt = 'ready: '\n{before}\nif ($?prompt) eval \"`{hook}`\"\n"),
            ),
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Bash => &["--noprofile", "-i"],
            Zsh => &["-d", "-i"],
            Fish => &["--private", "--interactive"],
            Nu => &["--no-history", "--interactive"],
            Elvish | Tcsh => &[],
        }
    }
}

/// A shell on a terminal.
pub struct Hooked<'h> {
    pub shell: Shell,
    pub terminal: Terminal,
    home: &'h Home,
    lines: usize,
    dumps: usize,
    /// How much of what was shown has been looked at for lines of ours.
    heard: usize,
}

impl<'h> Hooked<'h> {
    /// Starts the shell in the home.
    pub fn start(shell: Shell, home: &'h Home) -> Self {
        Self::start_with(shell, home, "", &[])
    }

    /// The same with lines of its rc file that stand before the hook, and with variables.
    pub fn start_with(shell: Shell, home: &'h Home, before: &str, variables: &[(&str, &str)]) -> Self {
        Self::start_among(shell, home, before, "", variables)
    }

    /// The same with lines that stand after the hook, too.
    pub fn start_among(
        shell: Shell,
        home: &'h Home,
        before: &str,
        after: &str,
        variables: &[(&str, &str)],
    ) -> Self {
        Self::start_by(&[], shell, home, [before, after], variables)
    }

    /// The same by a command, as `strace`.
    pub fn start_by(
        command: &[&str],
        shell: Shell,
        home: &'h Home,
        [before, after]: [&str; 2],
        variables: &[(&str, &str)],
    ) -> Self {
        let (rc, text) = shell.rc(home, before);
        let text = format!("{text}{after}\n");
        let rc = home.path().join(rc);
        fs::create_dir_all(rc.parent().expect("a folder")).expect("a folder");
        fs::write(rc, text).expect("an rc file");
        if shell == Fish {
            // Else it makes completions of all manual pages, behind the first prompt.
            let made = home.path().join(".local/share/fish/generated_completions");
            fs::create_dir_all(made).expect("a folder");
        }
        let bin = home.path().join("bin");
        fs::create_dir_all(&bin).expect("a folder");
        let dump = bin.join("dump");
        write_program(&dump, "#!/bin/sh\nenv -0 >\"$1.new\" && mv \"$1.new\" \"$1\" && echo dumped\n");
        let words = [command, &[shell.name()], shell.arguments()].concat();
        let mut command = home.command(words[0]);
        command.args(&words[1..]).env("TERM", "dumb").env("LC_ALL", "C.UTF-8");
        command.envs(variables.iter().copied());
        Self { shell, terminal: Terminal::start(command), home, lines: 0, dumps: 0, heard: 0 }
    }

    /// Types a line, ahead where the shell can take that: Nushell loses what is typed before its prompt is there,
    /// when it asks the terminal to mark pasted text.
    #[track_caller]
    pub fn line(&mut self, line: &str) {
        self.lines += 1;
        if self.shell == Nu {
            self.terminal.expect_times(b"\x1b[?2004h", self.lines);
        }
        self.terminal.line(line);
    }

    /// Goes to a directory, by its path below the home.
    pub fn cd(&mut self, below: &str) {
        let path = self.home.path().join(below);
        self.line(&format!("cd '{}'", path.display()));
    }

    /// Exports a variable.
    pub fn export(&mut self, name: &str, value: &str) {
        let quoted = format!("'{}'", value.replace('\'', r"'\''"));
        self.line(&match self.shell {
            Bash | Zsh => format!("export {name}={quoted}"),
            Fish => format!("set -gx {name} {quoted}"),
            Nu => format!("$env.{name} = r#'{value}'#"),
            Elvish => format!("set-env {name} '{}'", value.replace('\'', "''")),
            Tcsh => format!("setenv {name} {}", quoted.replace('!', r"\!")),
        });
    }

    /// What a child sees, once everything that was typed before is done.
    #[track_caller]
    pub fn environment(&mut self) -> BTreeMap<String, String> {
        self.dumps += 1;
        let file = self.home.path().join(format!("dump-{}", self.dumps));
        let caret = if self.shell == Nu { "^" } else { "" };
        self.line(&format!("{caret}{} {}", self.home.path().join("bin/dump").display(), file.display()));
        self.wait_for(&file);
        self.terminal.expect("dumped");
        let text = fs::read(&file).expect("a dump");
        fs::remove_file(&file).expect("removed");
        seen_in(&text)
    }

    /// Does something while the shell waits for a command: its hook looks at nothing meanwhile, and comes next.
    #[track_caller]
    pub fn while_it_waits(&mut self, act: impl FnOnce()) {
        let [program, waits, done] = ["bin/wait", "waits", "done"].map(|name| self.home.path().join(name));
        let script = "#!/bin/sh\n: >\"$1\"; until [ -e \"$2\" ]; do sleep 0.01; done; rm \"$2\"\n";
        write_program(&program, script);
        let caret = if self.shell == Nu { "^" } else { "" };
        self.line(&format!("{caret}{} {} {}", program.display(), waits.display(), done.display()));
        self.wait_for(&waits);
        fs::remove_file(&waits).expect("removed");
        act();
        fs::write(&done, "").expect("written");
    }

    /// Goes to one directory after the other, each on a line of its own: what a child sees there on that line, and at
    /// the next prompt.
    #[track_caller]
    pub fn walk(&mut self, way: &[&str]) -> Vec<[BTreeMap<String, String>; 2]> {
        let folder = self.home.path().join("walk");
        fs::create_dir_all(&folder).expect("a folder");
        let (home, seen) = (self.home.path().display(), folder.display());
        self.line(&match self.shell {
            Bash | Zsh => format!(
                "walk() {{ env -0 >{seen}/$1-prompt; cd {home}/$2; env -0 >{seen}/$(($1 + 1))-line; }}"
            ),
            Fish => format!(
                "function walk; env -0 >{seen}/$argv[1]-prompt; cd {home}/$argv[2]; \
                 env -0 >{seen}/(math $argv[1] + 1)-line; end"
            ),
            shell => panic!("{shell:?} does not walk"),
        });
        // As much as a terminal takes ahead.
        for (chunk, directories) in way.chunks(20).enumerate() {
            for (index, directory) in directories.iter().enumerate() {
                self.line(&format!("walk {} {directory}", chunk * 20 + index));
            }
            self.environment();
        }
        self.line(&format!("walk {} .", way.len()));
        self.environment();
        let read = |step: usize, when: &str| {
            let text = fs::read(folder.join(format!("{step}-{when}"))).expect("a dump");
            seen_in(&text)
        };
        (1..=way.len()).map(|step| ["line", "prompt"].map(|when| read(step, when))).collect()
    }

    /// Waits for a file, as long as the shell is there to make it.
    #[track_caller]
    fn wait_for(&mut self, file: &Path) {
        let since = Instant::now();
        while !file.exists() {
            assert!(
                since.elapsed() < LIMIT,
                "{:?} does nothing after:\n{}",
                self.shell,
                self.terminal.text()
            );
            sleep(Duration::from_millis(5));
        }
    }

    /// The lines of ours that the person has seen until the last look at the environment, since this was asked
    /// last.
    pub fn said(&mut self) -> Vec<String> {
        let text = self.terminal.text();
        let news = &text[self.heard..];
        self.heard = text.len();
        // What was typed ahead may stand before it.
        news.lines().filter_map(|line| line.find("alchemy: ").map(|at| line[at..].to_owned())).collect()
    }

    /// Takes a variable out of the environment.
    pub fn unset(&mut self, name: &str) {
        self.line(&match self.shell {
            Bash | Zsh => format!("unset {name}"),
            Fish => format!("set -e {name}"),
            Nu => format!("hide-env {name}"),
            Elvish => format!("unset-env {name}"),
            Tcsh => format!("unsetenv {name}"),
        });
    }

    /// Reads the hook once more.
    pub fn read_again(&mut self) {
        let hook = format!("{ALCHEMY} hook {}", self.shell.name());
        self.line(&match self.shell {
            Bash | Zsh => format!("eval \"$({hook})\""),
            Fish => format!("{hook} | source"),
            Nu => format!("source {}", self.home.path().join(".config/nushell/hook.nu").display()),
            Elvish => format!("eval ({hook} | slurp)"),
            Tcsh => format!("eval \"`{hook}`\""),
        });
    }

    /// Starts the same shell in it; what is typed is for that one then.
    pub fn nested(&mut self) {
        self.nested_by("");
    }

    /// The same by a command.
    pub fn nested_by(&mut self, command: &str) {
        let caret = if self.shell == Nu { "^" } else { "" };
        let shell = [command, self.shell.name(), &self.shell.arguments().join(" ")].join(" ");
        self.line(&format!("{caret}{}", shell.trim_start()));
    }

    /// Leaves the inner shell.
    pub fn unnested(&mut self) {
        self.line("exit");
    }

    /// Leaves the shell.
    #[track_caller]
    pub fn exit(mut self) -> String {
        self.line("exit");
        let (_, shown) = self.terminal.finish();
        shown
    }

    /// Leaves the shell, of which nothing is wanted.
    #[track_caller]
    pub fn exit_quietly(self) {
        self.exit();
    }
}

/// What is in a dump, without what is of the directory and of the last command: no shell's hook has a say in these.
fn seen_in(dump: &[u8]) -> BTreeMap<String, String> {
    let mut seen = environment(&String::from_utf8_lossy(dump));
    for name in ["PWD", "OLDPWD", "_", "SHLVL", "CMD_DURATION_MS", "LAST_EXIT_CODE"] {
        seen.remove(name);
    }
    seen
}
