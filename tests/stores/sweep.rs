//! A fault at every system call of what changes a credential: `configure`, a refresh, `rotate`, `profile move` and
//! `profile rename`. The call fails (EIO; ENOSPC where it needs room), or the process is killed before it. Afterwards the
//! credential works, or a message names the exact way back; nothing that was left lies there for ever, no mode is loose,
//! no secret is said, and no lock keeps the next command waiting.
//!
//! A plain run of the tests goes through the commonest scenarios, and kills before each call that changes something:
//! what is left after a kill before any other call is the same as before the next of these. All stores, or all stores
//! with a kill before every call:
//!
//! ```sh
//! ALCHEMY_TEST_SWEEP=stores tests/run sweep_of
//! ALCHEMY_TEST_SWEEP=all tests/run sweep_of
//! ```
//!
//! Each scenario prints how many runs there were, and what became of them (`--nocapture` shows it).

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use support::age;
use support::authorization::State;
use support::cloudflare::Credential;
use support::faults::{Extent, Run, Scenario, Verdict, extent};
use support::keyring::{BUS, Keyring};
use support::online::{Online, TOKEN};
use support::signed_in::{OWN, SignedIn, TOKEN_URL, V1, V2};
use support::{ACME, BETA, Home, Output};

/// A newer API token than [`TOKEN`].
const NEW: &str = "new-hunter2";

/// The stores that alchemy alone writes.
const OURS: [&str; 4] = ["file", "encrypted", "command", "keyring"];

/// Whether a scenario of all stores is left out of this run.
fn is_left_out() -> bool {
    let is_left_out = extent() == Extent::Commonest;
    if is_left_out {
        eprintln!("skipped: it is swept with ALCHEMY_TEST_SWEEP=stores or all");
    }
    is_left_out
}

/// What every command of a scenario is given.
fn variables(more: &[(&str, &str)]) -> BTreeMap<String, String> {
    // What was opened is opened again, and not kept by the kernel from one run to the next.
    let usual = [("ALCHEMY_KEEP", "0")];
    usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The only line of an output.
fn line(output: &Output) -> &str {
    output.stdout.trim_end()
}

/// What is not as it should be.
fn broken<T>(why: &str, output: &Output) -> Result<T, String> {
    Err(format!("{why}: exit {}: {}{}", output.code, output.stdout, output.stderr))
}

// --- a refresh ---

/// The session of `prod` is renewed, or it is known why not; the next command renews it once more.
fn judge_refresh(online: &SignedIn, run: &Run) -> Result<Verdict, String> {
    online.server.settle();
    if run.output.code == 0 && online.server.state_of(line(&run.output)) != State::Live {
        return broken("it printed a token that does not work", &run.output);
    }
    let live = online.server.live_refresh_tokens();
    let is_kept = live.iter().any(|token| run.is_in_a_file(token));
    let next = run.next(&["token", "prod", "--min-ttl", "2h"], "")?;
    if next.code == 0 && online.server.state_of(line(&next)) == State::Live {
        return Ok(Verdict::Survived);
    }
    if is_kept || !run.is_cut_off() {
        return broken("a session is lost that could have been kept", &next);
    }
    if next.stderr.contains("alchemy login -p prod") {
        Ok(Verdict::LostAndSaid)
    } else {
        broken("lost, and nobody says so", &next)
    }
}

fn sweep_refresh(name: &str, online: &SignedIn, more: &[(&str, &str)], reset: &dyn Fn()) {
    let memory = online.server.memory();
    Scenario {
        name,
        home: &online.home,
        variables: &variables(more),
        arguments: &["token", "prod"],
        input: "",
        reset: &|| {
            online.server.restore(&memory);
            reset();
        },
        judge: &|run| judge_refresh(online, run),
    }
    .sweep();
}

#[test]
fn sweep_of_a_refresh_in_the_file_store() {
    let online = SignedIn::prod_of(OWN, -60);
    sweep_refresh("a refresh, file", &online, &[], &|| ());
}

#[test]
fn sweep_of_a_refresh_of_a_session_that_npm_1_shares() {
    let online = SignedIn::prod_of(V1, -60);
    sweep_refresh("a refresh, shared with npm 1", &online, &[], &|| ());
}

#[test]
fn sweep_of_a_refresh_in_npms_own_store() {
    if is_left_out() {
        return;
    }
    let online = SignedIn::prod_of(V2, -60);
    let url = online.server.token_url();
    sweep_refresh("a refresh, npm", &online, &[(TOKEN_URL, &url)], &|| ());
}

#[test]
fn sweep_of_a_refresh_in_the_encrypted_store() {
    if is_left_out() {
        return;
    }
    let online = SignedIn::new();
    if online.encrypted_profile(-60).is_some() {
        sweep_refresh("a refresh, encrypted", &online, &[], &|| ());
    }
}

#[test]
fn sweep_of_a_refresh_in_the_command_store() {
    if is_left_out() {
        return;
    }
    let online = SignedIn::new();
    online.command_profile(&commands(&online.home), -60);
    sweep_refresh("a refresh, command", &online, &[], &|| ());
}

#[test]
fn sweep_of_a_refresh_in_the_keyring() {
    if is_left_out() {
        return;
    }
    let Some(keyring) = Keyring::start() else { return };
    let mut online = SignedIn::new();
    online.keyring_profile(&keyring, -60);
    let kept = keyring.lookup("prod").expect("kept");
    let reset = || keyring.store("prod", &kept);
    sweep_refresh("a refresh, keyring", &online, &[(BUS, keyring.address())], &reset);
}

// --- an API token, in every store ---

/// The commands of a password manager that keeps documents as a person's own script might.
fn commands(home: &Home) -> Value {
    let folder = home.path().join("kept");
    if !folder.is_dir() {
        fs::create_dir(&folder).expect("a folder");
    }
    let file = folder.join("{profile}");
    let file = file.display();
    json!({
        "read": format!("cat {file} 2>&-"),
        "write": format!("cat >{file}.new && mv {file}.new {file}"),
        "delete": format!("rm -f {file}"),
    })
}

/// A home in which `prod` can be in any store, and what its commands are given.
struct Stores {
    online: Online,
    keyring: Option<Keyring>,
    variables: BTreeMap<String, String>,
    identity: String,
}

impl Stores {
    /// With these stores; `None` where one cannot be had.
    fn with(stores: &[&str]) -> Option<Self> {
        let online = Online::new();
        let keyring = if stores.contains(&"keyring") { Some(Keyring::start()?) } else { None };
        let identity = if stores.contains(&"encrypted") {
            age::identity(&online.home)?.display().to_string()
        } else {
            String::new()
        };
        let commands = commands(&online.home);
        let text = |name: &str| commands[name].as_str().expect("a command").to_owned();
        let settings = format!(
            "[command]\nread = '{}'\nwrite = '{}'\ndelete = '{}'\n",
            text("read"),
            text("write"),
            text("delete")
        );
        online.home.write_private("settings.toml", &settings);
        let url = online.cf.base_url();
        let mut more = vec![("CLOUDFLARE_API_BASE_URL", url.as_str())];
        let address = keyring.as_ref().map(|keyring| keyring.address().to_owned());
        more.extend(address.iter().map(|address| (BUS, address.as_str())));
        let variables = variables(&more);
        Some(Self { online, keyring, variables, identity })
    }

    /// The words that name a store.
    fn store<'w>(&'w self, store: &'w str) -> Vec<&'w str> {
        let identity = if store == "encrypted" { vec!["--identity", &self.identity] } else { Vec::new() };
        [vec!["--store", store], identity].concat()
    }

    fn configure<'w>(&'w self, account: &'w str, store: &'w str) -> Vec<&'w str> {
        let usual =
            ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--yes", "--account", account];
        [usual.to_vec(), self.store(store)].concat()
    }

    /// Makes `prod`, of [`TOKEN`], in a store.
    fn make(&self, store: &str) {
        let mut command = self.online.home.alchemy_command(&self.configure(ACME, store));
        support::run_with_input(command.envs(&self.variables), TOKEN).expect_code(0);
    }

    /// Sweeps a command, and gives the keyring back what it has now before each run.
    fn sweep(
        &self,
        name: &str,
        (arguments, input): (&[&str], &str),
        reset: &dyn Fn(),
        judge: &dyn Fn(&Run) -> Result<Verdict, String>,
    ) {
        let kept = self.keyring.as_ref().map(|keyring| (keyring, keyring.lookup("prod")));
        let reset_all = || {
            if let Some((keyring, kept)) = &kept {
                for name in keyring.usernames() {
                    keyring.clear(&name);
                }
                if let Some(kept) = kept {
                    keyring.store("prod", kept);
                }
            }
            reset();
        };
        let (home, variables) = (&self.online.home, &self.variables);
        Scenario { name, home, variables, arguments, input, reset: &reset_all, judge }.sweep();
    }

    /// What `config.json` says of a profile.
    fn entry(&self, name: &str) -> Value {
        let config = fs::read(self.online.home.alchemy("config.json")).unwrap_or_default();
        let mut config: Value = serde_json::from_slice(&config).unwrap_or_default();
        config["profiles"][name]["cloudflare"].take()
    }

    /// The store that is named for `prod`: by `config.json`, or by its silence.
    fn named(&self) -> String {
        match self.entry("prod") {
            Value::Null => "npm".to_owned(),
            entry => entry["credentialStore"].as_str().unwrap_or("file").to_owned(),
        }
    }

    /// No file has a secret but where the store keeps it, and no other store keeps anything.
    fn check_copies(&self, run: &Run, secret: &str) -> Result<(), String> {
        let (home, named) = (&self.online.home, self.named());
        let other =
            [("encrypted", home.alchemy("encrypted/prod.age")), ("command", home.path().join("kept/prod"))];
        let other = other.into_iter().find(|(store, path)| *store != named && path.exists());
        if let Some((_, path)) = other.filter(|(_, path)| !run.tells_of(path)) {
            return Err(format!("{} is still there", path.display()));
        }
        run.check_copies(secret, usize::from(["file", "npm"].contains(&named.as_str())))
    }
}

// --- configure ---

fn sweep_configure(from: Option<&str>, to: &str) {
    let all: Vec<&str> = from.into_iter().chain([to]).collect();
    let Some(stores) = Stores::with(&all) else { return };
    if let Some(from) = from {
        stores.make(from);
    }
    let judge = |run: &Run| {
        let next = run.next(&["token", "prod"], "")?;
        let (token, account) = (line(&next), stores.entry("prod")["metadata"]["id"].clone());
        let is_new = token == NEW;
        if run.output.code == 0 && !is_new {
            return broken("it said that all is well", &next);
        }
        if !is_new && token != TOKEN && (from.is_some() || next.code != 1) {
            return broken("neither the old token nor the new one", &next);
        }
        if !is_new && account == BETA {
            return broken("the new account has the old token", &next);
        }
        let again = run.again()?;
        let next = run.next(&["token", "prod"], "")?;
        if again.code != 0 || line(&next) != NEW {
            return broken("the same command does not mend it", &again);
        }
        if run.is_in_a_file(TOKEN) {
            return broken("the old token is still in a file", &again);
        }
        stores.check_copies(run, NEW)?;
        Ok(Verdict::Survived)
    };
    let name = format!("configure, {} to {to}", from.unwrap_or("nothing"));
    stores.sweep(&name, (&stores.configure(BETA, to), NEW), &|| (), &judge);
}

#[test]
fn sweep_of_configure_anew_in_the_file_store() {
    sweep_configure(None, "file");
}

#[test]
fn sweep_of_configure_in_another_store_than_before() {
    sweep_configure(Some("file"), "encrypted");
}

#[test]
fn sweep_of_configure_between_all_stores() {
    if is_left_out() {
        return;
    }
    let from = [None].into_iter().chain(OURS.map(Some));
    for (from, to) in from.flat_map(|from| OURS.map(|to| (from, to))) {
        if [(None, "file"), (Some("file"), "encrypted")].contains(&(from, to)) {
            continue; // swept always
        }
        sweep_configure(from, to);
    }
}

// --- rotate ---

fn sweep_rotate(store: &str) {
    let Some(stores) = Stores::with(&[store]) else { return };
    let id = stores.online.cf.add(Credential::user_token(TOKEN));
    let first = if store == "npm" { "file" } else { store };
    stores.make(first);
    stores.online.key_profile("admin");
    if store == "npm" {
        let moving = ["profile", "move", "prod", "--store", "npm"];
        let mut command = stores.online.home.alchemy_command(&moving);
        support::run(command.envs(&stores.variables)).expect_code(0);
    }
    let known = stores.online.cf.credentials();
    let value = || stores.online.cf.value_of(&id).expect("it lives");
    let judge = |run: &Run| {
        stores.online.cf.settle();
        let (live, is_kept) = (value(), run.is_in_a_file(&value()));
        let next = run.next(&["token", "prod"], "")?;
        if line(&next) == live {
            let again = run.again()?;
            let next = run.next(&["token", "prod"], "")?;
            if again.code != 0 || line(&next) != value() {
                return broken("it cannot be rotated any more", &again);
            }
            return stores.check_copies(run, &value()).map(|()| Verdict::Survived);
        }
        if is_kept || !run.is_cut_off() || run.output.code == 0 {
            return broken("a token is lost that could have been kept", &next);
        }
        let again = run.again()?;
        if again.code == 0 || !again.stderr.contains("alchemy rotate prod --with PROFILE") {
            return broken("lost, and nobody says so", &again);
        }
        let back = run.next(&["rotate", "prod", "--with", "admin"], "")?;
        let next = run.next(&["token", "prod"], "")?;
        if line(&next) == value() {
            Ok(Verdict::LostAndSaid)
        } else {
            broken("the way back leads nowhere", &back)
        }
    };
    let reset = || stores.online.cf.restore(&known);
    stores.sweep(&format!("rotate, {store}"), (&["rotate", "prod"], ""), &reset, &judge);
}

#[test]
fn sweep_of_rotate_in_the_file_store() {
    sweep_rotate("file");
}

#[test]
fn sweep_of_rotate_in_all_stores() {
    if is_left_out() {
        return;
    }
    for store in ["encrypted", "npm", "command", "keyring"] {
        sweep_rotate(store);
    }
}

// --- move ---

fn sweep_move(from: &str, to: &str) {
    let Some(stores) = Stores::with(&[from, to]) else { return };
    stores.make(if from == "npm" { "file" } else { from });
    let moving = |store| [vec!["profile", "move", "prod"], stores.store(store)].concat();
    if from == "npm" {
        let mut command = stores.online.home.alchemy_command(&moving("npm"));
        support::run(command.envs(&stores.variables)).expect_code(0);
    }
    let judge = |run: &Run| {
        let next = run.next(&["token", "prod"], "")?;
        let named = stores.named();
        if line(&next) != TOKEN || ![from, to].contains(&named.as_str()) {
            return broken("the credential is gone", &next);
        }
        if run.output.code == 0 && named != to {
            return broken("it said that all is well", &next);
        }
        let again = run.again()?;
        let next = run.next(&["token", "prod"], "")?;
        if again.code != 0 || line(&next) != TOKEN || stores.named() != to {
            return broken("the same command does not mend it", &again);
        }
        stores.check_copies(run, TOKEN).map(|()| Verdict::Survived)
    };
    stores.sweep(&format!("move, {from} to {to}"), (&moving(to), ""), &|| (), &judge);
}

#[test]
fn sweep_of_a_move_out_of_the_encrypted_store() {
    sweep_move("encrypted", "file");
}

#[test]
fn sweep_of_a_move_between_all_stores() {
    if is_left_out() {
        return;
    }
    let all = || OURS.into_iter().chain(["npm"]);
    for (from, to) in all().flat_map(|from| all().map(move |to| (from, to))) {
        if from == to || (from, to) == ("encrypted", "file") {
            continue; // nothing to do, or swept always
        }
        sweep_move(from, to);
    }
}

// --- rename ---

fn sweep_rename(store: &str) {
    let Some(stores) = Stores::with(&[store]) else { return };
    stores.make(store);
    let judge = |run: &Run| {
        let look = |run: &Run| {
            let [old, new] = ["prod", "next"].map(|name| stores.entry(name) != Value::Null);
            if old == new {
                return Err(format!("'prod' is there: {old}; 'next' is there: {new}"));
            }
            let next = run.next(&["token", if new { "next" } else { "prod" }], "")?;
            if line(&next) == TOKEN { Ok(new) } else { broken("the credential is gone", &next) }
        };
        let is_new = look(run)?;
        if run.output.code == 0 && !is_new {
            return Err("it said that all is well".to_owned());
        }
        let again = run.again()?;
        // Once it is done there is no 'prod' to rename, and at most something of it to remove.
        if again.code != 0 && !is_new || !look(run)? {
            return broken("the same command does not mend it", &again);
        }
        run.check_copies(TOKEN, usize::from(store == "file")).map(|()| Verdict::Survived)
    };
    let rename = ["profile", "rename", "prod", "next"];
    stores.sweep(&format!("rename, {store}"), (&rename, ""), &|| (), &judge);
}

#[test]
fn sweep_of_a_rename_in_the_file_store() {
    sweep_rename("file");
}

#[test]
fn sweep_of_a_rename_in_all_stores() {
    if is_left_out() {
        return;
    }
    for store in ["encrypted", "command", "keyring"] {
        sweep_rename(store);
    }
}
