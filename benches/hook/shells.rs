//! How each shell is told to run a hook many times, as its prompt does.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::libc;

use crate::{ALCHEMY, Failure, Tool};

/// A shell, and how it says things.
pub struct Shell {
    pub program: &'static str,
    /// Before the script's name.
    pub arguments: &'static [&'static str],
    /// What runs all that is registered for a prompt.
    prompt: &'static str,
    /// A program that does nothing.
    env: &'static str,
    /// A statement that does nothing.
    pub nothing: &'static str,
    /// What its prompt does before the next command is run.
    before: &'static str,
    /// What loads the hook that HOOK, or the file FILE, prints.
    load: &'static str,
    /// The hook is a file, and not what a program prints.
    pub reads_files: bool,
    /// It has hooks on a terminal only.
    on_terminal: bool,
    /// A loop around BODY, COUNT times.
    repeat: &'static str,
}

pub const SHELLS: &[Shell] = &[
    Shell {
        program: "bash",
        arguments: &["--norc", "--noprofile"],
        prompt: "eval \"$PROMPT_COMMAND\"",
        env: "env true",
        nothing: ":",
        before: "",
        load: "eval \"$(HOOK)\"",
        reads_files: false,
        on_terminal: false,
        repeat: "for ((i = 0; i < COUNT; i++)); do\nBODY\ndone",
    },
    Shell {
        program: "zsh",
        arguments: &["-f"],
        prompt: "for hook in $precmd_functions; do $hook; done",
        env: "env true",
        nothing: ":",
        before: "",
        load: "eval \"$(HOOK)\"",
        reads_files: false,
        on_terminal: false,
        repeat: "for ((i = 0; i < COUNT; i++)); do\nBODY\ndone",
    },
    Shell {
        program: "fish",
        arguments: &["--no-config", "--interactive"],
        prompt: "emit fish_prompt",
        env: "env true",
        nothing: "true",
        before: "emit fish_preexec",
        load: "HOOK | source",
        reads_files: false,
        on_terminal: false,
        repeat: "for i in (seq COUNT)\nBODY\nend",
    },
    Shell {
        program: "nu",
        arguments: &["--no-config-file"],
        prompt: "if (do $hook.condition) { do --env $hook.code }",
        env: "^env true",
        nothing: "null",
        before: "",
        load: "source FILE\nlet hook = $env.config.hooks.pre_prompt | last",
        reads_files: true,
        on_terminal: false,
        repeat: "for i in 0..<COUNT {\nBODY\n}",
    },
    Shell {
        program: "elvish",
        arguments: &["-rc"],
        prompt: "for hook $edit:before-readline { $hook }",
        env: "e:env true",
        nothing: "nop",
        before: "",
        load: "eval (HOOK | slurp)",
        reads_files: false,
        on_terminal: true,
        repeat: "range COUNT | each {|i|\nBODY\n}",
    },
    Shell {
        program: "tcsh",
        arguments: &["-f"],
        prompt: "precmd",
        env: "env true",
        nothing: ":",
        before: "",
        load: "eval \"`HOOK`\"",
        reads_files: false,
        on_terminal: false,
        repeat: "@ i = 0\nwhile ($i < COUNT)\n@ i++\nBODY\nend",
    },
];

impl Shell {
    /// What runs the tool's hook as a prompt does.
    pub fn hook(&self, tool: Tool) -> Option<&'static str> {
        match tool {
            Tool::Env => Some(self.env),
            // Nobody but us has this form.
            Tool::Direnv | Tool::Fnox if self.program == "nu" => None,
            _ => Some(self.prompt),
        }
    }

    pub fn cd(&self, tool: Tool, to: &Path) -> String {
        let before = if tool == Tool::Env { "" } else { self.before };
        format!("{before}\ncd {}", to.display())
    }

    /// Writes the environment of a program into a file.
    pub fn show(&self, file: &Path) -> String {
        let redirection = if self.program == "nu" { "out>" } else { ">" };
        format!("{} {redirection} {}", self.env.trim_end_matches(" true"), file.display())
    }

    /// What loads the tool's hook, which the file also holds.
    pub fn load(&self, tool: Tool, file: &Path) -> String {
        let hook = match tool {
            Tool::Env => return String::new(),
            Tool::Alchemy => format!("{ALCHEMY} hook {}", self.program),
            Tool::Direnv => format!("direnv hook {}", self.program),
            Tool::Fnox => format!("fnox activate {}", self.program),
        };
        self.load.replace("HOOK", &hook).replace("FILE", &file.display().to_string())
    }

    /// A script that loads the hook, runs `first`, and then `count` times the body.
    pub fn script(&self, load: &str, first: &str, count: usize, body: &str) -> String {
        let repeat = self.repeat.replace("COUNT", &count.to_string()).replace("BODY", body);
        let script = format!("{load}\n{first}\n{repeat}\n");
        if self.on_terminal { format!("try {{\n{script}}} catch e {{\nexit 1\n}}\nexit 0\n") } else { script }
    }
}

/// Runs the shell to its end.
#[allow(unsafe_code, reason = "std has no way to give a child its terminal")]
pub fn run(command: &mut Command, shell: &Shell) -> Result<(), Failure> {
    let mut reader = None;
    if shell.on_terminal {
        let pty = nix::pty::openpty(None, None)?;
        let tty = || pty.slave.try_clone().map(Stdio::from);
        command.stdin(tty()?).stdout(tty()?).stderr(tty()?);
        let take = || {
            nix::unistd::setsid()?;
            // SAFETY: an ioctl without memory of ours, on the standard input that the child has.
            if unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) } == -1 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        };
        // SAFETY: between fork and exec it makes two system calls and allocates nothing.
        unsafe { command.pre_exec(take) };
        // What it shows must go somewhere.
        let mut master = File::from(pty.master);
        reader = Some(std::thread::spawn(move || std::io::copy(&mut master, &mut std::io::sink()).is_ok()));
        drop(pty.slave);
    }
    let mut child = command.spawn()?;
    // The last of the terminal's other end, so that the reader ends with the shell.
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = child.wait()?;
    if let Some(reader) = reader {
        let _ = reader.join();
    }
    if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", shell.program).into()) }
}
