//! What the hooks cost at a prompt, in real shells side by side in one run: a prompt at which nothing has
//! changed, the same where there is most to look at (a profile that expires is active, by a pin file), one after
//! `cd` between two directories that have no profile, and one that enters or leaves a directory that has one;
//! each beside direnv's hook and `env true` in the same shell.
//!
//! `cargo bench --bench hook` prints the table of the README. Nobody's clock is used in the shell: a script
//! that has the hook run many times, and the same one that does nothing as often, are run whole, in turn, and
//! the difference is what counts; of `cd`, less what it takes without a hook (in Elvish and fish that is much).
//! Each round runs every row once; a ratio is the median of the rounds'.

#[path = "hook/shells.rs"]
mod shells;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shells::{SHELLS, Shell};

const ROUNDS: usize = 15;
/// How long a script should take, so that its start does not count.
const LONG: Duration = Duration::from_millis(150);
const MOST: usize = 3000;
const ALCHEMY: &str = env!("CARGO_BIN_EXE_alchemy");

type Failure = Box<dyn Error>;

/// Where everything is: a home, two directories without a profile, and two with one of each tool's.
struct Place {
    home: tempfile::TempDir,
}

/// Who has the hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Nobody: a program is run instead.
    Env,
    Alchemy,
    Direnv,
    Fnox,
}

/// What happens at a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Idle,
    /// The same where the pin file and the time must be looked at, too.
    Watchful,
    Elsewhere,
    Bound,
}

struct Row {
    shell: &'static Shell,
    tool: Tool,
    event: Event,
    count: usize,
    /// Of each round, per prompt, in microseconds.
    costs: Vec<f64>,
}

fn main() -> Result<(), Failure> {
    let place = Place::new()?;
    let mut rows = Vec::new();
    for shell in SHELLS {
        if which::which(shell.program).is_err() {
            println!("{} is not installed", shell.program);
            continue;
        }
        for tool in [Tool::Env, Tool::Alchemy, Tool::Direnv, Tool::Fnox] {
            if shell.hook(tool).is_none() || !place.has_hook(tool, shell) {
                println!("{}: no hook of {}", shell.program, tool.name());
                continue;
            }
            let events: &[Event] = match tool {
                Tool::Env => &[Event::Idle],
                Tool::Alchemy => &[Event::Idle, Event::Watchful, Event::Elsewhere, Event::Bound],
                _ => &[Event::Idle, Event::Elsewhere, Event::Bound],
            };
            if let Err(error) = place.works(shell, tool) {
                println!("{}: the hook of {} does not work: {error}", shell.program, tool.name());
                continue;
            }
            for event in events {
                let mut row = Row { shell, tool, event: *event, count: 0, costs: Vec::new() };
                row.count = place.enough(&row)?;
                rows.push(row);
            }
        }
    }
    for round in 0..ROUNDS {
        let count = rows.len();
        for at in 0..count {
            let row = &mut rows[(at * 7 + round) % count];
            let cost = place.cost(row, row.count)?;
            row.costs.push(cost);
        }
    }
    print(&rows);
    Ok(())
}

impl Place {
    fn new() -> Result<Self, Failure> {
        let place = Self { home: tempfile::tempdir()? };
        for folder in ["here", "there", "watched", "bound/alchemy", "bound/direnv", "bound/fnox", "bound/env"]
        {
            std::fs::create_dir_all(place.path(folder))?;
        }
        let mut configure = place.command(ALCHEMY);
        configure.args(["configure", "-p", "prod", "--store", "file", "--token-stdin", "--no-verify"]);
        let mut child = configure
            .args(["--account", "0123456789abcdef0123456789abcdef"])
            .stdin(Stdio::piped())
            .spawn()?;
        child.stdin.take().ok_or("no pipe")?.write_all(b"tok-example")?;
        if !child.wait()?.success() {
            return Err("no profile".into());
        }
        finish(place.command(ALCHEMY).args(["use", "prod"]).arg(place.path("bound/alchemy")))?;
        place.watch()?;
        if Tool::Direnv.is_installed() {
            std::fs::write(place.path("bound/direnv/.envrc"), "export CLOUDFLARE_API_TOKEN=tok-example\n")?;
            finish(place.command("direnv").arg("allow").arg(place.path("bound/direnv")))?;
        }
        let secret = "[secrets]\nCLOUDFLARE_API_TOKEN = { default = \"tok-example\" }\n";
        std::fs::write(place.path("bound/fnox/fnox.toml"), secret)?;
        Ok(place)
    }

    /// Makes a profile that expires, and a pin file that selects it.
    fn watch(&self) -> Result<(), Failure> {
        let file = self.path(".alchemy/config.json");
        let mut config: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let account = json!({ "id": "0123456789abcdef0123456789abcdef", "name": "" });
        let oauth = json!({ "clientId": "ours", "tokenUrl": "http://127.0.0.1:9/token" });
        config["profiles"]["grant"] =
            json!({ "cloudflare": { "method": "oauth", "metadata": account, "scopes": [], "oauth": oauth } });
        std::fs::write(&file, config.to_string())?;
        let tomorrow = jiff::Timestamp::now().as_millisecond() + 24 * 3600 * 1000;
        let grant = json!({ "type": "oauth", "access": "tok-example", "refresh": "none", "expires": tomorrow,
            "scopes": [], "clientId": "ours" });
        let folder = self.path(".alchemy/credentials/grant");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("native.json"), grant.to_string())?;
        std::fs::write(self.path("watched/.alchemy.toml"), "profile = \"grant\"\n")?;
        finish(self.command(ALCHEMY).arg("allow").arg(self.path("watched")))?;
        // Else it would not be watched.
        let active = self
            .command(ALCHEMY)
            .args(["hook-env", "bash"])
            .current_dir(self.path("watched"))
            .stdout(Stdio::piped())
            .output()?;
        let active = String::from_utf8(active.stdout)?;
        if active.contains("tok-example") { Ok(()) } else { Err("no profile by the pin file".into()) }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.home.path().join(below)
    }

    fn command(&self, program: impl AsRef<Path>) -> Command {
        let program = which::which(program.as_ref()).unwrap_or_else(|_| program.as_ref().to_owned());
        let mut command = Command::new(program);
        command
            .env_clear()
            .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("TERM", "dumb"), ("DIRENV_LOG_FORMAT", "")])
            .envs([("ALCHEMY_QUIET", "1"), ("LC_ALL", "C.UTF-8")])
            .env("HOME", self.home.path())
            .current_dir(self.path("here"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn has_hook(&self, tool: Tool, shell: &Shell) -> bool {
        let hook = || self.command(tool.program()).args(tool.arguments(shell)).output();
        tool == Tool::Env || (tool.is_installed() && hook().is_ok_and(|output| output.status.success()))
    }

    /// So many prompts that they take long enough.
    fn enough(&self, row: &Row) -> Result<usize, Failure> {
        let mut count = 4;
        while count < MOST {
            let started = Instant::now();
            self.script(row, true, count)?;
            let whole = started.elapsed();
            let started = Instant::now();
            self.script(row, false, count)?;
            let alone = started.elapsed();
            if whole.saturating_sub(alone) >= LONG {
                break;
            }
            count *= 2;
        }
        Ok(count)
    }

    /// What a prompt costs more than nothing, or than a `cd` without a hook, in microseconds.
    fn cost(&self, row: &Row, count: usize) -> Result<f64, Failure> {
        let timed = |run: &dyn Fn() -> Result<(), Failure>| {
            let started = Instant::now();
            run().map(|()| started.elapsed().as_secs_f64())
        };
        let alone = timed(&|| self.script(row, false, count))?;
        let mut extra = timed(&|| self.script(row, true, count))? - alone;
        let Row { shell, tool, event, .. } = row;
        let has_cd = matches!(event, Event::Elsewhere | Event::Bound);
        if has_cd {
            let prompt = shell.hook(Tool::Env).ok_or("no program")?;
            let body =
                [self.other(*tool, *event), self.path("here")].map(|to| shell.cd(*tool, &to)).join("\n");
            let unhooked = |body: &str| self.run(shell, Tool::Env, prompt, count, body);
            extra -= timed(&|| unhooked(&body))? - timed(&|| unhooked(shell.nothing))?;
        }
        // Two prompts each time, but where nothing changes.
        let prompts = if has_cd { 2 * count } else { count };
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        Ok(extra * 1e6 / prompts as f64)
    }

    /// The other directory than `here`.
    fn other(&self, tool: Tool, event: Event) -> PathBuf {
        match event {
            Event::Idle => self.path("here"),
            Event::Watchful => self.path("watched"),
            Event::Elsewhere => self.path("there"),
            Event::Bound => self.path("bound").join(tool.name()),
        }
    }

    /// Whether entering the tool's directory gives what is to be had there, and leaving takes it away.
    fn works(&self, shell: &Shell, tool: Tool) -> Result<(), Failure> {
        let Some(prompt) = shell.hook(tool).filter(|_| tool != Tool::Env) else { return Ok(()) };
        let [inside, outside] = ["inside", "outside"].map(|name| self.path(name));
        let cd = |to: &Path| format!("{}\n{prompt}", shell.cd(tool, to));
        let bound = cd(&self.path("bound").join(tool.name()));
        let body = [bound, shell.show(&inside), cd(&self.path("here")), shell.show(&outside)].join("\n");
        self.run(shell, tool, prompt, 1, &body)?;
        let has = |file: &Path| Ok::<_, Failure>(std::fs::read_to_string(file)?.contains("tok-example"));
        if has(&inside)? && !has(&outside)? { Ok(()) } else { Err("nothing is set, or all stays".into()) }
    }

    /// Runs the row's script: what happens, or nothing, as often as it says.
    fn script(&self, row: &Row, happens: bool, count: usize) -> Result<(), Failure> {
        let Row { shell, tool, event, .. } = row;
        let prompt = shell.hook(*tool).ok_or("no hook")?;
        let there = shell.cd(*tool, &self.other(*tool, *event));
        let body = match (happens, event) {
            (false, _) => shell.nothing.to_owned(),
            (true, Event::Idle | Event::Watchful) => prompt.to_owned(),
            (true, Event::Elsewhere | Event::Bound) => {
                [&there, prompt, &shell.cd(*tool, &self.path("here")), prompt].join("\n")
            }
        };
        let first = if *event == Event::Watchful { format!("{there}\n{prompt}") } else { prompt.to_owned() };
        self.run(shell, *tool, &first, count, &body)
    }

    /// Runs a script that loads the hook, runs `first`, and then `count` times the body.
    fn run(&self, shell: &Shell, tool: Tool, first: &str, count: usize, body: &str) -> Result<(), Failure> {
        let file = self.path(&format!("script.{}", shell.program));
        let hook = self.path("hook");
        if shell.reads_files {
            let printed =
                self.command(tool.program()).args(tool.arguments(shell)).stdout(Stdio::piped()).output()?;
            std::fs::write(&hook, printed.stdout)?;
        }
        std::fs::write(&file, shell.script(&shell.load(tool, &hook), first, count, body))?;
        shells::run(self.command(shell.program).args(shell.arguments).arg(&file), shell)
    }
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::Alchemy => "alchemy",
            Self::Direnv => "direnv",
            Self::Fnox => "fnox",
        }
    }

    fn program(self) -> &'static str {
        if self == Self::Alchemy { ALCHEMY } else { self.name() }
    }

    fn is_installed(self) -> bool {
        which::which(self.program()).is_ok()
    }

    /// What prints its hook.
    fn arguments(self, shell: &Shell) -> [&str; 2] {
        match self {
            Self::Env => ["true", ""],
            Self::Alchemy | Self::Direnv => ["hook", shell.program],
            Self::Fnox => ["activate", shell.program],
        }
    }
}

fn finish(command: &mut Command) -> Result<(), Failure> {
    if command.status()?.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}

fn print(rows: &[Row]) {
    let tools: Vec<Tool> = [Tool::Alchemy, Tool::Direnv, Tool::Fnox]
        .into_iter()
        .filter(|tool| rows.iter().any(|row| row.tool == *tool))
        .collect();
    print!("| shell | prompt | `env true`, µs |");
    for tool in &tools {
        print!(" {}, µs | by `env true` |", tool.name());
    }
    println!("\n|---|---|---|{}", "---|---|".repeat(tools.len()));
    for shell in SHELLS {
        let row = |tool, event| {
            rows.iter()
                .find(|row| row.shell.program == shell.program && row.tool == tool && row.event == event)
        };
        let Some(env) = row(Tool::Env, Event::Idle) else { continue };
        for (event, name) in [
            (Event::Idle, "idle"),
            (Event::Watchful, "idle, a pin file and an expiry to watch"),
            (Event::Elsewhere, "after cd, no profile"),
            (Event::Bound, "enters or leaves a profile"),
        ] {
            print!("| {} | {name} | {:.0} |", shell.program, median(env.costs.clone()));
            for tool in &tools {
                match row(*tool, event) {
                    Some(row) => {
                        let ratios = row.costs.iter().zip(&env.costs).map(|(cost, env)| cost / env).collect();
                        print!(" {:.0} | {:.2} |", median(row.costs.clone()), median(ratios));
                    }
                    None => print!(" | |"),
                }
            }
            println!();
        }
    }
    println!("\nmedians of {ROUNDS} rounds");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
