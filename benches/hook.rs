//! What the hooks cost at a prompt, in real shells side by side in one run: a prompt at which nothing has
//! changed, one after `cd` between two directories that have no profile, and one that enters or leaves a
//! directory that has one; each beside direnv's hook and `env true` in the same shell.
//!
//! `cargo bench --bench hook` prints the table of the README. Nobody's clock is used in the shell: a script
//! that has the hook run many times, and the same one that does nothing as often, are run whole, in turn, and
//! the difference is what counts. Each round runs every row once; a ratio is the median of the rounds'.

#[path = "hook/shells.rs"]
mod shells;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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
        for folder in ["here", "there", "bound/alchemy", "bound/direnv", "bound/fnox", "bound/env"] {
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
        if Tool::Direnv.is_installed() {
            std::fs::write(place.path("bound/direnv/.envrc"), "export CLOUDFLARE_API_TOKEN=tok-example\n")?;
            finish(place.command("direnv").arg("allow").arg(place.path("bound/direnv")))?;
        }
        let secret = "[secrets]\nCLOUDFLARE_API_TOKEN = { default = \"tok-example\" }\n";
        std::fs::write(place.path("bound/fnox/fnox.toml"), secret)?;
        Ok(place)
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

    /// What a prompt costs more than nothing, in microseconds.
    fn cost(&self, row: &Row, count: usize) -> Result<f64, Failure> {
        let started = Instant::now();
        self.script(row, false, count)?;
        let alone = started.elapsed().as_secs_f64();
        let started = Instant::now();
        self.script(row, true, count)?;
        let whole = started.elapsed().as_secs_f64();
        // Two prompts each time, but where nothing changes.
        let prompts = if row.event == Event::Idle { count } else { 2 * count };
        #[allow(clippy::cast_precision_loss, reason = "a few thousand")]
        Ok((whole - alone) * 1e6 / prompts as f64)
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
        let bound = self.path("bound").join(tool.name());
        let there_and_back = |there: &Path| {
            [&shell.cd(*tool, there), prompt, &shell.cd(*tool, &self.path("here")), prompt].join("\n")
        };
        let body = match (happens, event) {
            (false, _) => shell.nothing.to_owned(),
            (true, Event::Idle) => prompt.to_owned(),
            (true, Event::Elsewhere) => there_and_back(&self.path("there")),
            (true, Event::Bound) => there_and_back(&bound),
        };
        self.run(shell, *tool, prompt, count, &body)
    }

    /// Runs a script that loads the hook, has it run once, and then `count` times the body.
    fn run(&self, shell: &Shell, tool: Tool, prompt: &str, count: usize, body: &str) -> Result<(), Failure> {
        let file = self.path(&format!("script.{}", shell.program));
        let hook = self.path("hook");
        if shell.reads_files {
            let printed =
                self.command(tool.program()).args(tool.arguments(shell)).stdout(Stdio::piped()).output()?;
            std::fs::write(&hook, printed.stdout)?;
        }
        std::fs::write(&file, shell.script(&shell.load(tool, &hook), prompt, count, body))?;
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
