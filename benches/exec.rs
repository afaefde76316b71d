//! The warm path, as whole processes side by side in one run: `env A=B true` is the limit (it, too, is
//! two executions), then `alchemy exec` from each store, then the peers that are installed.
//!
//! `cargo bench` prints the table of the README. Times differ from machine to machine and from hour to
//! hour, so the ratio to `env` is what counts: each round runs every row once, in an order of its own,
//! and a ratio is the median of the rounds'.

use std::error::Error;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::libc;

const ROUNDS: usize = 400;
const WARM_UP: usize = 20;
const ALCHEMY: &str = env!("CARGO_BIN_EXE_alchemy");

type Failure = Box<dyn Error>;

struct Row {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<String>,
    runs: Vec<Run>,
}

#[derive(Clone, Copy)]
struct Run {
    wall: Duration,
    cpu: Duration,
    /// Kilobytes.
    peak: i64,
}

fn main() -> Result<(), Failure> {
    let home = tempfile::tempdir()?;
    // The rows with a keyring need a session bus of their own: this program runs itself in one.
    let in_keyring = std::env::var_os("ALCHEMY_BENCH_KEYRING").is_some();
    let wrapper = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/with-keyring");
    let can_keyring =
        ["dbus-run-session", "gnome-keyring-daemon", "gdbus"].iter().all(|p| which::which(p).is_ok());
    if !in_keyring && can_keyring {
        let mut again = Command::new(wrapper);
        again.arg(std::env::current_exe()?).env("ALCHEMY_BENCH_KEYRING", "1");
        return Err(again.exec().into());
    }

    let mut rows = vec![row("env A=B true", "env", &["A=B", "true"])];
    profile(home.path(), "file")?;
    rows.push(row("alchemy exec, file store", ALCHEMY, &["exec", "file", "--", "true"]));
    if let Some(released) = released() {
        rows.push(row("alchemy exec, file store, static", released, &["exec", "file", "--", "true"]));
    }
    if in_keyring {
        profile(home.path(), "keyring")?;
        rows.push(row("alchemy exec, keyring", ALCHEMY, &["exec", "keyring", "--", "true"]));
    }
    if which::which("direnv").is_ok() {
        std::fs::write(home.path().join(".envrc"), "export A=B\n")?;
        finish(command(home.path(), "direnv").arg("allow"))?;
        rows.push(row("direnv exec", "direnv", &["exec", ".", "true"]));
    }
    if which::which("fnox").is_ok() {
        std::fs::write(home.path().join("fnox.toml"), "[secrets]\nA = { default = \"B\" }\n")?;
        rows.push(row("fnox exec", "fnox", &["exec", "--", "true"]));
    }
    for round in 0..WARM_UP + ROUNDS {
        let count = rows.len();
        for place in 0..count {
            let row = &mut rows[(place * 7 + round) % count];
            let run = measure(command(home.path(), &row.program).args(&row.arguments))?;
            if round >= WARM_UP {
                row.runs.push(run);
            }
        }
    }
    print(&rows);
    Ok(())
}

fn row(name: &'static str, program: impl Into<PathBuf>, arguments: &[&str]) -> Row {
    let program = program.into();
    // Found once, so that no row pays for the search.
    let program = which::which(&program).unwrap_or(program);
    Row { name, program, arguments: arguments.iter().map(|a| (*a).to_owned()).collect(), runs: Vec::new() }
}

fn command(home: &Path, program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear().env("HOME", home).env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir(home);
    for name in ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn profile(home: &Path, store: &str) -> Result<(), Failure> {
    let mut configure = command(home, ALCHEMY);
    configure.args(["configure", "-p", store, "--store", store, "--token-stdin", "--no-verify", "--account"]);
    let mut child = configure.arg("0123456789abcdef0123456789abcdef").stdin(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("no pipe")?.write_all(b"tok-example")?;
    if child.wait()?.success() { Ok(()) } else { Err(format!("no profile in the {store} store").into()) }
}

fn finish(command: &mut Command) -> Result<(), Failure> {
    if command.status()?.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}

/// The static binary, where it has been built as the README says.
fn released() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/static");
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let built = path.join(&triple).join("release/alchemy");
    built.is_file().then_some(built)
}

/// Runs a command to its end, with the system's own account of it.
#[allow(unsafe_code, reason = "wait4 has no safe form here, and the empty hook only makes std fork")]
fn measure(command: &mut Command) -> Result<Run, Failure> {
    // With a hook, std forks instead of sharing its memory with the child until it executes: that
    // memory would count as the child's peak.
    // SAFETY: the hook does nothing.
    unsafe { command.pre_exec(|| Ok(())) };
    let started = Instant::now();
    let child = command.spawn()?;
    let pid = i32::try_from(child.id())?;
    let mut status = 0;
    // SAFETY: `rusage` is plain data, for which zero is a value; the pointers are valid for the call.
    let (waited, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(pid, &raw mut status, 0, &raw mut usage), usage)
    };
    let wall = started.elapsed();
    if waited != pid || status != 0 {
        return Err(format!("{command:?} ended with {status}").into());
    }
    let time = |t: libc::timeval| {
        Duration::from_secs(t.tv_sec.unsigned_abs()) + Duration::from_micros(t.tv_usec.unsigned_abs())
    };
    Ok(Run { wall, cpu: time(usage.ru_utime) + time(usage.ru_stime), peak: usage.ru_maxrss })
}

fn print(rows: &[Row]) {
    println!("| command | wall, ms | CPU, ms | peak, MiB | wall by `env`'s | CPU by `env`'s |");
    println!("|---|---|---|---|---|---|");
    let limit = &rows[0].runs;
    for row in rows {
        let ms =
            |of: fn(&Run) -> Duration| median(row.runs.iter().map(|r| of(r).as_secs_f64() * 1e3).collect());
        let ratio = |of: fn(&Run) -> Duration| {
            median(
                row.runs.iter().zip(limit).map(|(a, b)| of(a).as_secs_f64() / of(b).as_secs_f64()).collect(),
            )
        };
        #[allow(clippy::cast_precision_loss, reason = "kilobytes of a small process")]
        let peak = median(row.runs.iter().map(|run| run.peak as f64 / 1024.0).collect());
        println!(
            "| {} | {:.2} | {:.2} | {peak:.1} | {:.2} | {:.2} |",
            row.name,
            ms(|run| run.wall),
            ms(|run| run.cpu),
            ratio(|run| run.wall),
            ratio(|run| run.cpu),
        );
    }
    println!("\nmedians of {} rounds", limit.len());
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
