//! tcsh with its hook, and a stand-in for `hook-env` that notes its arguments and prints a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use alchemy::hook::tcsh::{Change, TcshState, statements, without_comments};

use support::pty::Terminal;
use support::{Home, has, write_program};

/// A home for tcsh, with the stand-in, the directory `bound` and the files that the hook looks at.
pub struct Fake {
    home: Home,
}

impl Fake {
    /// None, where tcsh is not installed.
    pub fn new() -> Option<Self> {
        if !has("tcsh") {
            return None;
        }
        let fake = Self { home: Home::new() };
        for name in ["generation", "pin", "calls", "answer"] {
            fs::write(fake.path(name), "").expect("written");
        }
        fs::create_dir(fake.path("bound")).expect("a directory");
        let script = "#!/bin/sh\ncd ${0%/*}\ncase $1 in\nhook) cat hook;;\n\
                      hook-env) printf '[%s]' \"$@\" >>calls; echo >>calls; sh ./before; cat answer;;\nesac\n";
        write_program(&fake.path("alchemy"), script);
        fs::write(fake.path("before"), "").expect("written");
        let hook = without_comments(include_str!("../../shell/hook.tcsh"));
        fs::write(fake.path("hook"), hook.replace("__ALCHEMY__", &fake.name("alchemy"))).expect("written");
        Some(fake)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// What the next calls print. It is `text` for a shell whose table and environment are these.
    pub fn answer(&self, change: &Change, table: &[&str], environment: &[&str], until: Option<i64>) {
        fs::write(self.path("answer"), self.text(change, table, environment, until)).expect("written");
    }

    pub fn text(&self, change: &Change, table: &[&str], environment: &[&str], until: Option<i64>) -> String {
        let modified = |name: &str| {
            let time = fs::metadata(self.path(name)).and_then(|data| data.modified());
            time.map_or(0, seconds)
        };
        let (generation, pin) = (self.name("generation"), self.name("pin"));
        let state = TcshState {
            active: "/a  b*{c}!$d:prod",
            told: "",
            files: [(&generation, modified("generation")), (&pin, modified("pin"))],
            until,
            now: now(),
        };
        let is_set = |name: &str| environment.contains(&name);
        statements(change, table, is_set, &state).expect("statements").to_string()
    }

    /// How often `hook-env` was called.
    pub fn calls(&self) -> usize {
        fs::read_to_string(self.path("calls")).expect("calls").lines().count()
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = self.home.command(words[0]);
        command.args(&words[1..]).env("LC_ALL", "C.UTF-8").env("TERM", "dumb");
        let path = format!("{}:{}", self.home.path().display(), std::env::var("PATH").expect("PATH"));
        command.env("PATH", path);
        command
    }

    /// Runs a script after the hook was read, and expects no word from it but what it prints.
    pub fn run(&self, locale: &str, environment: &[(&str, &str)], script: &str) -> String {
        let script = format!("eval \"`alchemy hook tcsh`\"\n{script}");
        let mut command = self.command(&["tcsh", "-f", "-c", &script]);
        let output = command.env("LC_ALL", locale).envs(environment.iter().copied()).output().expect("tcsh");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The environment after each of the texts, in one shell: `edits` are run before them.
    pub fn after_each(
        &self,
        environment: &[(&str, &str)],
        steps: &[(&str, &str)],
    ) -> Vec<BTreeMap<String, String>> {
        let mut script = String::new();
        for (i, (edit, text)) in steps.iter().enumerate() {
            fs::write(self.path(&format!("text{i}")), text).expect("written");
            script.extend([
                edit,
                "\neval \"`cat text",
                &i.to_string(),
                "`\"\nenv -0 > seen",
                &i.to_string(),
                "\n",
            ]);
        }
        assert_eq!(self.run("C.UTF-8", environment, &script), "");
        let seen = |i| fs::read_to_string(self.path(&format!("seen{i}"))).expect("an environment");
        (0..steps.len()).map(|i| self::environment(&seen(i))).collect()
    }

    /// A person's tcsh on a terminal, with the hook behind `rc`.
    pub fn start(&self, rc: &str) -> Terminal {
        let rc =
            format!("unset edit\nset prompt = 'READY '\n{rc}\nif ($?prompt) eval \"`alchemy hook tcsh`\"\n");
        fs::write(self.path(".tcshrc"), rc).expect("written");
        let mut terminal = Terminal::start(self.command(&["tcsh"]));
        terminal.expect("READY");
        terminal
    }
}

/// Unix time.
fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("a time")
}

pub fn now() -> i64 {
    seconds(SystemTime::now())
}

pub fn environment(printed: &str) -> BTreeMap<String, String> {
    let pairs = printed.split_terminator('\0').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Types a line and waits for the next prompt: what was shown between.
pub fn typed(terminal: &mut Terminal, line: &str) -> String {
    let from = terminal.text().len();
    terminal.line(&format!("{line}; echo D''ONE"));
    terminal.expect("DONE");
    terminal.expect("READY");
    terminal.text()[from..].to_owned()
}
