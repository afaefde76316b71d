//! Two hundred processes at once on an access token that has run out: one of them refreshes, and the time
//! of all is bounded by that and by their own start-up.
//!
//! `cargo bench --bench refresh` prints the line of the README beside the warm path. The server is on
//! loopback and answers at once, so what is measured is ours; ratios are the medians of the rounds'.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use support::authorization::Authorization;

const ROUNDS: usize = 15;
const PROCESSES: usize = 200;
const CLIENT: &str = "a-client-of-our-own";
const DOCUMENT: &str = ".alchemy/credentials/prod/native.json";

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let (server, home) = (Authorization::start(), tempfile::tempdir()?);
    let home = home.path();
    sign_in(&server, home)?;
    let mut rounds = Vec::new();
    for round in 1..=ROUNDS {
        let warm = at_once(home, 3600, PROCESSES)?;
        let alone = at_once(home, 0, 1)?;
        let expired = at_once(home, 0, PROCESSES)?;
        if server.refreshes() != 2 * round {
            return Err(format!("{} refreshes in {round} rounds", server.refreshes()).into());
        }
        rounds.push([warm, alone, expired]);
    }
    let median = |of: fn(&[f64; 3]) -> f64| {
        let mut values: Vec<f64> = rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    println!("| {PROCESSES} at once | wall, ms | by warm | by warm and one refresh |");
    println!("|---|---|---|---|");
    println!("| warm | {:.0} | 1 | |", median(|r| r[0]));
    println!("| one process alone, with its refresh | {:.0} | | |", median(|r| r[1]));
    println!(
        "| expired: one refresh, {PROCESSES} equal answers | {:.0} | {:.2} | {:.2} |",
        median(|r| r[2]),
        median(|r| r[2] / r[0]),
        median(|r| r[2] / (r[0] + r[1])),
    );
    println!("\nmedians of {ROUNDS} rounds");
    Ok(())
}

fn sign_in(server: &Authorization, home: &Path) -> Result<(), Failure> {
    let pair = server.issue(CLIENT, &["account:read"]);
    let oauth = json!({ "clientId": CLIENT, "tokenUrl": server.token_url() });
    let account = json!({ "id": "0123456789abcdef0123456789abcdef", "name": "Acme" });
    let entry = json!({ "method": "oauth", "metadata": account, "scopes": [], "oauth": oauth });
    let config = json!({ "version": 1, "profiles": { "prod": { "cloudflare": entry } } });
    let document = json!({ "type": "oauth", "access": pair.access, "refresh": pair.refresh, "expires": 0,
        "scopes": [], "clientId": CLIENT });
    fs::create_dir_all(home.join(DOCUMENT).parent().ok_or("no folder")?)?;
    fs::write(home.join(".alchemy/config.json"), config.to_string())?;
    Ok(fs::write(home.join(DOCUMENT), document.to_string())?)
}

/// The time in milliseconds of so many processes that start at once on a token with that life, in seconds.
fn at_once(home: &Path, life: i64, count: usize) -> Result<f64, Failure> {
    let mut document: Value = serde_json::from_slice(&fs::read(home.join(DOCUMENT))?)?;
    document["expires"] = (jiff::Timestamp::now().as_millisecond() + life * 1000).into();
    fs::write(home.join(DOCUMENT), document.to_string())?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_alchemy"));
    command.env_clear().env("HOME", home).env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir(home);
    command.args(["exec", "prod", "--", "true"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let children = (0..count).map(|_| command.spawn()).collect::<Result<Vec<_>, _>>()?;
    for mut child in children {
        if !child.wait()?.success() {
            return Err("a process failed".into());
        }
    }
    Ok(started.elapsed().as_secs_f64() * 1e3)
}
