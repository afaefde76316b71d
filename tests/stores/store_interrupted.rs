//! A change of a profile that Ctrl-C interrupts at any moment: it is made, or it is not. Nothing is between, and nothing
//! is left for the next command to put right.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;

use serde_json::{Map, Value};
use support::{ACME, Home, age, has, run_with_input};

const CONFIGURE: [&str; 8] =
    ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--yes", "--account", ACME];
const MOVE: [&str; 3] = ["profile", "move", "prod"];
const RENAME: [&str; 4] = ["profile", "rename", "prod", "live"];
const DELETE: [&str; 4] = ["profile", "delete", "prod", "--yes"];
const FILE: [&str; 2] = ["--store", "file"];
/// A relative path, as all that is done here is done in the home.
const ENCRYPTED: [&str; 4] = ["--store", "encrypted", "--identity", "identity.txt"];
/// A password manager that keeps a document whole, or not at all.
const COMMAND: [&str; 6] = [
    "--read-command",
    "cat \"$HOME/kept-{profile}\" 2>&-",
    "--write-command",
    "cat >\"$HOME/new\" && mv \"$HOME/new\" \"$HOME/kept-{profile}\"",
    "--delete-command",
    "rm -f \"$HOME/kept-{profile}\"",
];
/// All that changes what is in its place.
const STEPS: &str = "rename,renameat,renameat2,unlink,unlinkat,rmdir";

/// What is kept: every document with its content (of one that is encrypted: that it is there), and the tokens.
type Kept = (BTreeMap<PathBuf, String>, [String; 2]);

fn kept(home: &Home) -> Kept {
    let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (path, (_, content)) in home.snapshot() {
        let is_sealed = path.extension().is_some_and(|it| it == "age");
        let content = if is_sealed { String::new() } else { String::from_utf8(content).expect("text") };
        files.insert(path.strip_prefix(home.path()).expect("below").to_owned(), without_identity(&content));
    }
    for name in ["kept-prod", "kept-live"] {
        if let Ok(content) = fs::read_to_string(home.path().join(name)) {
            files.insert(name.into(), content);
        }
    }
    (files, ["prod", "live"].map(|name| home.run(&["token", name]).stdout))
}

/// A document without what each home has of its own.
fn without_identity(document: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(document) else { return document.to_owned() };
    for profile in value["profiles"].as_object_mut().into_iter().flat_map(Map::values_mut) {
        profile["cloudflare"]["encryptedTo"].take();
    }
    value.to_string()
}

/// A change of the profile `prod`, and how that is made at first.
struct Change<'w> {
    first: Vec<&'w str>,
    change: Vec<&'w str>,
}

impl Change<'_> {
    /// A home in which the profile `prod` is as it is before.
    fn home(&self) -> Option<Home> {
        let home = Home::new();
        age::identity(&home)?;
        home.run_with_input(&self.first, "tok-old").expect_code(0);
        Some(home)
    }

    /// Interrupts it at each of its steps; how many there were.
    fn interrupt(&self) -> Option<usize> {
        let home = self.home()?;
        let before = kept(&home);
        home.run_with_input(&self.change, "tok-new").expect_code(0);
        let after = kept(&home);
        assert_ne!(before, after);
        for number in 1..100 {
            let home = self.home()?;
            let injection = format!("{STEPS}:signal=SIGINT:when={number}");
            let output = run_with_input(&mut home.struck(&injection, &self.change), "tok-new");
            if output.code == 0 {
                return Some(number - 1);
            }
            let now = kept(&home);
            let is_whole = now == before || now == after;
            assert!(is_whole, "{:?} {injection}: {}\n{now:?}", self.change, output.stderr);
            assert!(output.code == 130 || output.code == 1 && now == before, "{}", output.stderr);
        }
        unreachable!("it has fewer steps")
    }
}

#[test]
fn a_change_that_is_interrupted_is_made_or_it_is_not() {
    if !has("strace") {
        return;
    }
    let configure = |store: &[&'static str]| [&CONFIGURE[..], store].concat();
    let moving = |store: &[&'static str]| [&MOVE[..], store].concat();
    let changes = [
        (&FILE[..], configure(&ENCRYPTED)),
        (&ENCRYPTED, configure(&FILE)),
        (&FILE, configure(&COMMAND)),
        (&FILE, moving(&ENCRYPTED)),
        (&ENCRYPTED, moving(&FILE)),
        (&FILE, RENAME.to_vec()),
        (&ENCRYPTED, RENAME.to_vec()),
        (&FILE, DELETE.to_vec()),
        (&ENCRYPTED, DELETE.to_vec()),
        (&COMMAND, DELETE.to_vec()),
    ];
    thread::scope(|scope| {
        for (first, change) in changes {
            scope.spawn(move || {
                let words = format!("{change:?}");
                let steps = Change { first: configure(first), change }.interrupt();
                assert!(steps.is_none_or(|steps| steps > 1), "{words}");
            });
        }
    });
}
