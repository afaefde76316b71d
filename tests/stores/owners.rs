//! Whose files are used, made and changed: root in another person's folder, folders and documents that others can
//! change, links where none are expected, and what is no document at all.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};
use serde_json::json;
use support::signed_in::{OWN, SignedIn, V1, V2, file};
use support::{ACME, ALCHEMY, Home, Output, copy_for_everyone, has, run, run_with_input};

/// A person who is not root.
const PERSON: u32 = 65534;
/// Whoever else there is.
const OTHER: u32 = 12345;
const CREDENTIAL: &str = "credentials/prod/cloudflare.json";

/// Only root can give files away, and so be in another person's folder.
fn is_root() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can give a file away");
    }
    is_root
}

fn prod() -> Home {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("mode set");
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).expect("there").mode() & 0o7777
}

/// Everything below a folder, and the folder itself.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while let Some(path) = found.get(next).cloned() {
        next += 1;
        if path.is_dir() && !path.is_symlink() {
            found.extend(fs::read_dir(path).expect("listed").map(|entry| entry.expect("an entry").path()));
        }
    }
    found
}

/// Gives a home with all that is in it to a person.
fn give(home: &Home, to: u32) {
    for path in all_below(home.path()) {
        std::os::unix::fs::lchown(path, Some(to), Some(to)).expect("given away");
    }
}

#[track_caller]
fn all_belong_to(home: &Home, owner: u32) {
    let others = all_below(home.path());
    let others: Vec<_> =
        others.iter().filter(|path| fs::symlink_metadata(path).expect("there").uid() != owner).collect();
    assert!(others.is_empty(), "not the person's any more: {others:?}");
}

/// `alchemy`, run by that person.
fn of_person(home: &Home, person: u32, arguments: &[&str]) -> Command {
    let binary = home.path().join("alchemy");
    if !binary.exists() {
        copy_for_everyone(&binary);
        set_mode(home.path(), 0o755);
    }
    let mut command = home.command(binary);
    command.args(arguments).gid(person).uid(person);
    command
}

const CONFIGURE: [&str; 9] =
    ["configure", "-p", "new", "--token-stdin", "--no-verify", "--account", ACME, "--store", "file"];

// --- root in another person's folder ---

#[test]
fn what_root_makes_in_another_persons_folder_is_that_persons() {
    if !is_root() {
        return;
    }
    for client in [OWN, V1, V2] {
        let online = SignedIn::prod_of(client, 0);
        let home = &online.home;
        give(home, PERSON);
        // The refresh makes a document, locks (npm's as well), a mark and a stamp.
        online.run(&["token", "prod"]).expect_code(0);
        assert_eq!(online.server.refreshes(), 1);
        all_belong_to(home, PERSON);
    }
    let home = prod();
    give(&home, PERSON);
    home.run_with_input(&CONFIGURE, "tok-new-of-root").expect_code(0);
    home.run(&["use", "prod", "."]).expect_code(0);
    home.run(&["profile", "set", "prod", "--confirm"]).expect_code(0);
    home.run(&["profile", "rename", "new", "newer"]).expect_code(0);
    home.run(&["profile", "delete", "newer", "--yes"]).expect_code(0);
    fs::write(home.path().join(".alchemy.toml"), "profile = \"prod\"\n").expect("written");
    home.run(&["allow", "."]).expect_code(0);
    fs::remove_file(home.path().join(".alchemy.toml")).expect("removed");
    all_belong_to(&home, PERSON);
    assert_eq!(mode(home.alchemy("bindings.json")), 0o600);
    // The person goes on with it.
    let token = run(&mut of_person(&home, PERSON, &["token", "prod", "--yes"])).expect_code(0);
    assert_eq!(token.stdout, "tok-example\n");
}

#[test]
fn a_folder_that_root_makes_in_another_persons_home_is_that_persons() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    give(&home, PERSON);
    home.run_with_input(&CONFIGURE, "tok-new-of-root").expect_code(0);
    all_belong_to(&home, PERSON);
    assert_eq!(mode(home.alchemy("")), 0o700);
    // What is run gets root's rights back.
    let home = prod();
    give(&home, PERSON);
    let output = home.run(&["exec", "prod", "--", "sh", "-c", "id -u; touch \"$HOME/made\""]).expect_code(0);
    assert_eq!(output.stdout, "0\n");
    assert_eq!(fs::metadata(home.path().join("made")).expect("there").uid(), 0);
}

#[test]
fn a_folder_that_its_owner_cannot_reach_serves_root() {
    if !is_root() {
        return;
    }
    // As a person's folder is mounted at `/root/.alchemy` in a container.
    let online = SignedIn::prod(0);
    let home = &online.home;
    give(home, PERSON);
    chown(home.path(), Some(0), Some(0)).expect("taken back");
    set_mode(home.path(), 0o700);
    online.run(&["token", "prod"]).expect_code(0);
    home.run_with_input(&CONFIGURE, "tok-new-of-root").expect_code(0);
    let below = all_below(&home.alchemy(""));
    assert!(below.iter().all(|path| fs::symlink_metadata(path).expect("there").uid() == PERSON), "{below:?}");
    assert_eq!((online.server.refreshes(), online.token("prod")), (1, online.pair().access));
}

#[test]
fn a_rescue_file_that_root_writes_in_another_persons_folder_is_that_persons() {
    if !is_root() {
        return;
    }
    let online = SignedIn::prod(0);
    let home = &online.home;
    let document = home.alchemy(&file("prod", OWN));
    let target = home.path().join("x".repeat(255)); // leaves no name for a file beside it
    fs::rename(&document, &target).expect("moved");
    symlink(&target, &document).expect("a link");
    give(home, PERSON);
    online.run(&["token", "prod"]).expect_code(0);
    assert!(home.alchemy("rescue/prod").is_file());
    all_belong_to(home, PERSON);
}

#[test]
fn root_runs_no_command_of_another_person() {
    if !is_root() {
        return;
    }
    let home = prod();
    let ran = home.path().join("ran");
    let commands =
        json!({ "read": format!("touch {}; echo {{profile}}", ran.display()), "write": "cat {profile}" });
    let mut config: serde_json::Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
    let entry = &mut config["profiles"]["prod"]["cloudflare"];
    (entry["credentialStore"], entry["commands"]) = ("command".into(), commands);
    home.write_private("config.json", &config.to_string());
    give(&home, PERSON);
    for (arguments, code) in [
        (&["token", "prod"][..], 1),
        (&["exec", "prod", "--", "true"], 125),
        (&["profile", "move", "prod", "--store", "file"], 1),
    ] {
        home.run(arguments).expect_error(code, "root doesn't run").expect_hint("sudo -u '#65534'");
        assert!(!ran.exists(), "{arguments:?}");
    }
    // The same for a passphrase.
    let home = prod();
    give(&home, PERSON);
    let mut command = home.alchemy_command(&["profile", "move", "prod", "--store", "encrypted"]);
    let line = format!("touch {}; echo passphrase", ran.display());
    run(command.env("ALCHEMY_PASSPHRASE_COMMAND", line)).expect_error(1, "root doesn't run");
    assert!(!ran.exists());
}

#[test]
fn root_follows_no_address_of_another_person() {
    if !is_root() {
        return;
    }
    for (field, url, follows) in [
        ("baseUrl", "https://evil.example/client/v4", false),
        ("baseUrl", "https://api.cloudflare.com/client/v4", true),
        ("baseUrl", "http://127.0.0.1:9", true),
        ("tokenUrl", "https://evil.example/token", false),
        ("revokeUrl", "https://api.cloudflare.com.evil.example/", false),
    ] {
        let home = if field == "baseUrl" { prod() } else { SignedIn::prod(3600).home };
        let mut config: serde_json::Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
        let entry = &mut config["profiles"]["prod"]["cloudflare"];
        let place = if field == "baseUrl" { entry } else { &mut entry["oauth"] };
        place[field] = url.into();
        home.write_private("config.json", &config.to_string());
        home.run(&["exec", "prod", "--", "true"]).expect_code(0);
        give(&home, PERSON);
        let output = home.run(&["exec", "prod", "--", "true"]);
        if follows {
            output.expect_code(0);
        } else {
            output.expect_only_error(125, "root doesn't follow").expect_hint("sudo -u");
        }
    }
}

#[test]
fn no_link_of_another_person_leads_root_anywhere() {
    if !is_root() {
        return;
    }
    // Theirs leads to root's: neither read, nor written, nor tightened.
    let roots = tempfile::tempdir().expect("a folder");
    set_mode(roots.path(), 0o755);
    let victim = roots.path().join("victim");
    let planted = ["config.json", CREDENTIAL, "generation", "stamps/prod", "lock/config", "lock/native/prod"];
    for name in planted {
        fs::write(&victim, "precious").expect("written");
        set_mode(&victim, 0o644);
        let home = prod();
        let path = home.alchemy(name);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        symlink(&victim, &path).expect("a link");
        give(&home, PERSON);
        for arguments in [&["profile", "set", "prod", "--confirm"][..], &["token", "prod", "--yes"]] {
            let _ = home.run(arguments);
        }
        let _ = home.run_with_input(
            &[
                "configure",
                "-p",
                "prod",
                "--token-stdin",
                "--no-verify",
                "--account",
                ACME,
                "--store",
                "file",
                "-y",
            ],
            "tok-hunter2",
        );
        assert_eq!(fs::read_to_string(&victim).expect("read"), "precious", "{name}");
        assert_eq!((mode(&victim), fs::metadata(&victim).expect("there").uid()), (0o644, 0), "{name}");
    }
    // A folder of theirs that leads to root's own.
    let own = prod();
    set_mode(own.path(), 0o755);
    let home = prod();
    fs::remove_dir_all(home.alchemy("credentials")).expect("removed");
    symlink(own.alchemy("credentials"), home.alchemy("credentials")).expect("a link");
    give(&home, PERSON);
    let before = own.snapshot();
    let output = home.run(&["token", "prod"]);
    assert!(output.code == 1 && output.stdout.is_empty(), "{output:?}");
    assert_ne!(home.run_with_input(&CONFIGURE, "tok-hunter2").code, 0);
    assert_eq!(own.snapshot(), before);
}

#[test]
fn a_mark_of_roots_in_another_persons_folder_makes_way_for_that_persons() {
    if !is_root() {
        return;
    }
    let home = prod();
    let marks = ["generation", "stamps/prod"];
    give(&home, PERSON);
    for mode in [0o600, 0o644, 0] {
        for name in marks {
            fs::write(home.alchemy(name), "00000000000000000001\n").expect("written");
            chown(home.alchemy(name), Some(0), Some(0)).expect("root's");
            set_mode(home.alchemy(name), mode);
        }
        let before = marks.map(|name| fs::metadata(home.alchemy(name)).expect("there").mtime());
        for person in ["A", "B"] {
            let change = ["-q", "profile", "set", "prod", "--account-name", person];
            assert_eq!(run(&mut of_person(&home, PERSON, &change)).expect_code(0).stderr, "");
        }
        for (name, before) in marks.into_iter().zip(before) {
            assert_ne!(home.read(name), "00000000000000000001\n", "{name}");
            let now = fs::metadata(home.alchemy(name)).expect("there");
            assert!(now.uid() == PERSON && now.mtime() > before + 1, "{name} {mode:o}: {now:?}");
        }
    }
}

#[test]
fn where_open_shells_cannot_be_told_of_a_change_the_person_is() {
    let said = "alchemy: open shells keep the old credential until their directory changes: cannot write ";
    let change = ["-q", "profile", "set", "prod", "--account-name", "New"];
    for name in ["generation", "stamps/prod"] {
        let home = prod();
        let mark = home.alchemy(name);
        fs::remove_file(&mark).expect("removed");
        fs::create_dir(&mark).expect("in the way");
        let output = home.run(&change).expect_code(0);
        assert!(output.stderr.starts_with(said) && output.stderr.contains(name), "{}", output.stderr);
        assert!(home.read("config.json").contains("New"), "it is done");
        if has("strace") {
            let home = prod();
            let mut command = home.command("strace");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=openat:error=EIO", "-P"]);
            let output = run(command.arg(home.alchemy(name)).arg(ALCHEMY).args(change)).expect_code(0);
            assert!(output.stderr.starts_with(said) && output.stderr.contains(name), "{}", output.stderr);
        }
    }
}

// --- the runtime folder ---

/// The folder of a home in a runtime folder: where its lock was made.
fn in_runtime(home: &Home, runtime: &Path) -> PathBuf {
    set_mode(runtime, 0o700);
    fs::rename(home.alchemy("lock"), home.alchemy("lock.away")).expect("moved");
    home.write("lock", "in the way");
    let mut command =
        home.alchemy_command(&["configure", "-p", "prod", "--token-stdin", "--no-verify", "-y"]);
    command.args(["--account", ACME, "--store", "file"]).env("XDG_RUNTIME_DIR", runtime);
    run_with_input(&mut command, "tok-example");
    fs::remove_file(home.alchemy("lock")).expect("removed");
    fs::rename(home.alchemy("lock.away"), home.alchemy("lock")).expect("moved back");
    let mut folders = fs::read_dir(runtime.join("alchemy")).expect("made");
    folders.next().expect("one").expect("an entry").path()
}

#[test]
fn a_runtime_folder_that_is_not_ours_alone_counts_for_nothing() {
    let victim_in = |folder: &Path| {
        let victim = folder.join("victim");
        fs::write(&victim, "precious").expect("written");
        set_mode(&victim, 0o644);
        victim
    };
    for (name, spoil) in [
        ("open", (|runtime: &Path| set_mode(runtime, 0o755)) as fn(&Path)),
        ("another's", |runtime| chown(runtime, Some(OTHER), Some(OTHER)).expect("given away")),
        ("a link", |runtime| {
            fs::rename(runtime, runtime.with_extension("real")).expect("moved");
            symlink(runtime.with_extension("real"), runtime).expect("a link");
        }),
    ] {
        if name == "another's" && !is_root() {
            continue;
        }
        let home = prod();
        let runtime = home.path().join("run");
        fs::create_dir(&runtime).expect("a folder");
        let folder = in_runtime(&home, &runtime);
        let victim = victim_in(home.path());
        for planted in ["rescue-prod", "lock-prod"] {
            let _ = fs::remove_file(folder.join(planted));
            symlink(&victim, folder.join(planted)).expect("a link");
        }
        spoil(&runtime);
        let mut command = home.alchemy_command(&["token", "prod"]);
        let output = run(command.env("XDG_RUNTIME_DIR", &runtime)).expect_code(0);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("tok-example\n", ""), "{name}");
        fs::remove_dir_all(home.alchemy("lock")).expect("removed");
        home.write("lock", "in the way");
        let mut command = home.alchemy_command(&["profile", "rename", "prod", "live"]);
        run(command.env("XDG_RUNTIME_DIR", &runtime)).expect_code(1);
        assert_eq!(
            (fs::read_to_string(&victim).expect("read").as_str(), mode(&victim)),
            ("precious", 0o644),
            "{name}"
        );
    }
}

#[test]
fn a_link_in_our_own_runtime_folder_is_not_followed_either() {
    let home = prod();
    let runtime = home.path().join("run");
    fs::create_dir(&runtime).expect("a folder");
    let folder = in_runtime(&home, &runtime);
    let victim = home.path().join("victim");
    fs::write(&victim, "precious").expect("written");
    set_mode(&victim, 0o644);
    for planted in ["rescue-prod", "lock-prod"] {
        let _ = fs::remove_file(folder.join(planted));
        symlink(&victim, folder.join(planted)).expect("a link");
    }
    let mut command = home.alchemy_command(&["token", "prod"]);
    run(command.env("XDG_RUNTIME_DIR", &runtime)).expect_error(1, "may wait in");
    fs::remove_file(folder.join("rescue-prod")).expect("removed");
    fs::remove_dir_all(home.alchemy("lock")).expect("removed");
    home.write("lock", "in the way");
    let mut command = home.alchemy_command(&["profile", "rename", "prod", "live"]);
    run(command.env("XDG_RUNTIME_DIR", &runtime)).expect_code(1);
    assert_eq!((fs::read_to_string(&victim).expect("read").as_str(), mode(&victim)), ("precious", 0o644));
}

// --- what others can change ---

#[test]
fn a_folder_that_others_can_change_is_tightened_where_it_is_ours_alone() {
    for loose in [0o775, 0o777, 0o770] {
        let home = prod();
        // As npm leaves it under umask 002.
        for (name, loose) in [("", loose), ("credentials", 0o775), ("credentials/prod", 0o775)] {
            set_mode(home.alchemy(name), loose);
        }
        home.write("id", "npm's");
        let output = home.run(&["token", "prod"]).expect_code(0);
        assert_eq!(output.stdout, "tok-example\n");
        assert!(
            output.stderr.contains(".alchemy could be changed by others; its mode is 0700"),
            "{}",
            output.stderr
        );
        assert_eq!(mode(home.alchemy("")), 0o700);
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stderr, "", "said once");
    }
}

#[test]
fn a_folder_that_is_not_ours_alone_is_refused_with_what_fixes_it() {
    let refused = |home: &Home, words: &str, hint: &str| {
        let before = (mode(home.alchemy("")), home.snapshot());
        for (arguments, code) in
            [(&["token", "prod"][..], 1), (&["exec", "prod", "--", "true"], 125), (&["list"], 1)]
        {
            home.run(arguments).expect_only_error(code, words).expect_hint(hint);
        }
        let hook = home.run(&["hook-env", "bash"]).expect_code(0);
        assert!(hook.stderr.contains(words) || hook.stderr.is_empty(), "{}", hook.stderr);
        assert!(!hook.stdout.contains("tok-example"));
        assert_eq!((mode(home.alchemy("")), home.snapshot()), before);
    };
    let home = prod();
    home.write("notes", "somebody's");
    set_mode(home.alchemy(""), 0o777);
    refused(&home, "other users can change", "chmod go-w");
    // What the hint says does it.
    set_mode(home.alchemy(""), 0o755);
    assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "tok-example\n");
    let home = prod();
    set_mode(home.alchemy(""), 0o1777);
    refused(&home, "other users can change", "ALCHEMY_HOME");
    if is_root() {
        let home = prod();
        chown(home.alchemy("lock/config"), Some(OTHER), None).expect("given away");
        set_mode(home.alchemy(""), 0o777);
        // What is in it is judged by itself: `lock` is ours.
        home.run(&["token", "prod"]).expect_code(0);
        let home = prod();
        home.write("settings.toml", "");
        chown(home.alchemy("settings.toml"), Some(OTHER), None).expect("given away");
        set_mode(home.alchemy(""), 0o777);
        refused(&home, "other users can change", "chmod go-w");
        // Somebody who is not root in a folder of another, of root as well.
        let home = prod();
        for path in all_below(&home.alchemy("")) {
            set_mode(&path, if path.is_dir() { 0o755 } else { 0o644 });
        }
        run(&mut of_person(&home, PERSON, &["token", "prod"]))
            .expect_only_error(1, "belongs to user 0, not to you")
            .expect_hint("sudo chown");
    }
}

/// What changes a credential, each with the folder below the data folder that it has to write.
fn changes() -> [(Vec<&'static str>, &'static str); 8] {
    let encrypted = ["--store", "encrypted", "--identity", "identity.txt"];
    let configure = |name| vec!["configure", "-p", name, "--token-stdin", "--no-verify", "--account", ACME];
    [
        ([configure("prod"), vec!["--yes", "--store", "file"]].concat(), ""),
        ([configure("prod"), vec!["--yes"], encrypted.to_vec()].concat(), ""),
        (CONFIGURE.to_vec(), "lock/native/"),
        (vec!["profile", "delete", "prod", "--yes"], ""),
        (vec!["profile", "rename", "prod", "live"], "lock/native/"),
        ([vec!["profile", "move", "prod"], encrypted.to_vec()].concat(), "credentials/prod/"),
        (vec!["profile", "set", "prod", "--confirm"], ""),
        (vec!["login", "own", "--no-browser"], "lock/native/"),
    ]
}

/// A home with profiles of all kinds, and what [`changes`] needs.
fn with_profiles() -> Option<SignedIn> {
    let online = SignedIn::prod_of(OWN, 600);
    online.home.token_profile("prod", "tok-example");
    online.profile("own", OWN, 600);
    support::age::identity(&online.home)?;
    Some(online)
}

#[test]
fn a_data_folder_on_a_read_only_file_system_is_named_and_nothing_is_changed() {
    let Some(online) = with_profiles() else { return };
    let home = &online.home;
    let before = home.snapshot();
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\" || exit 99\nexec \"$@\"";
    for (arguments, below) in changes() {
        let mut command = home.command("unshare");
        let flags = if geteuid().is_root() { "-m" } else { "-rm" };
        command.args([flags, "sh", "-c", script]).arg(home.alchemy("")).arg(ALCHEMY).args(&arguments);
        let output = run_with_input(&mut command, "tok-new");
        if output.code == 99 {
            eprintln!("skipped: no file system can be mounted here");
            return;
        }
        let folder = home.alchemy(below);
        let folder = folder.to_str().expect("text").trim_end_matches('/');
        let output = output.expect_only_error(1, "read-only file system");
        assert!(
            output.stderr.contains(&format!("the file system of {folder} is mounted read-only")),
            "{output:?}"
        );
        assert!(!output.stderr.contains("os error"), "{output:?}");
        assert_eq!(home.snapshot(), before, "{arguments:?}");
    }
    // It is read all the same.
    assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "tok-example\n");
}

#[test]
fn a_folder_that_its_owner_may_not_write_is_named_and_nothing_is_changed() {
    if !is_root() {
        return;
    }
    let Some(online) = with_profiles() else { return };
    let home = &online.home;
    of_person(home, PERSON, &[]);
    give(home, PERSON);
    let folders: Vec<_> = all_below(&home.alchemy("")).into_iter().filter(|path| path.is_dir()).collect();
    for folder in folders {
        set_mode(folder, 0o500);
    }
    let before = home.snapshot();
    for (arguments, below) in changes() {
        // Root acts as that person does.
        for person in [PERSON, 0] {
            let output = run_with_input(&mut of_person(home, person, &arguments), "tok-new");
            let folder = home.alchemy(below);
            let folder = folder.to_str().expect("text").trim_end_matches('/');
            let output = output.expect_only_error(1, "permission denied");
            assert!(output.stderr.contains(folder), "{output:?}");
            let root = home.alchemy("");
            let root = root.to_str().expect("text").trim_end_matches('/');
            let output = output.expect_hint(&format!("chmod -R u+rwX {root}"));
            assert!(!output.stderr.contains("os error"), "{output:?}");
            assert_eq!(home.snapshot(), before, "{arguments:?}");
        }
    }
}

/// Does what a hint says, as root. The command stands at its end, and begins so.
#[track_caller]
fn do_as_told(output: &Output, begins: &str) {
    let hint = output.stderr.lines().find(|line| line.starts_with("hint: ")).expect("a hint");
    let (_, commands) = hint.rsplit_once(": ").expect("a command");
    assert!(commands.starts_with(begins), "'{begins}' is not told by:\n{}", output.stderr);
    run(Command::new("sh").args(["-c", &commands.replace("sudo ", "")])).expect_code(0);
}

#[track_caller]
fn do_as_hinted(output: &Output) {
    assert!(output.stderr.contains("if you trust what is in it: "), "{}", output.stderr);
    do_as_told(output, "sudo chown ");
}

/// What is done to a folder.
type Harm = fn(&Path);

#[test]
fn what_is_in_the_way_is_named_with_the_command_that_takes_it_away() {
    if !is_root() {
        return;
    }
    let roots: fn(&Path) = |path| chown(path, Some(0), Some(0)).expect("root's");
    let unusable: fn(&Path) = |path| set_mode(path, 0o000);
    let unwritable: fn(&Path) = |path| {
        for folder in all_below(path).into_iter().filter(|path| path.is_dir()) {
            set_mode(folder, 0o500);
        }
    };
    let file: fn(&Path) = |path| {
        fs::remove_dir_all(path).expect("removed");
        fs::write(path, "").expect("written");
        chown(path, Some(PERSON), Some(PERSON)).expect("given");
    };
    let cases: [(&str, Harm, &str); 20] = [
        ("", roots, "sudo chown -hR 65534 "),
        ("credentials", roots, "sudo chown -hR 65534 "),
        ("credentials/prod", roots, "sudo chown -hR 65534 "),
        ("lock", roots, "sudo chown -hR 65534 "),
        ("lock/native", roots, "sudo chown -hR 65534 "),
        ("config.json", roots, "sudo chown -h 65534 "),
        (CREDENTIAL, roots, "sudo chown -h 65534 "),
        ("lock/config", roots, "sudo chown -h 65534 "),
        ("lock/native/prod", roots, "sudo chown -h 65534 "),
        ("", unwritable, "chmod -R u+rwX "),
        ("credentials", unusable, "chmod -R u+rwX "),
        ("credentials/prod", unwritable, "chmod -R u+rwX "),
        ("lock", unusable, "chmod -R u+rwX "),
        ("lock/native", unusable, "chmod -R u+rwX "),
        ("config.json", unusable, "chmod u+rwX "),
        (CREDENTIAL, unusable, "chmod u+rwX "),
        ("lock/native/prod", unusable, "chmod u+rwX "),
        ("lock", file, "rm "),
        ("lock/native", file, "rm "),
        ("credentials/prod", file, "rm "),
    ];
    let configure = ["configure", "-p", "prod", "--token-stdin", "--no-verify", "--account", ACME, "--yes"];
    let configure = [&configure[..], &["--store", "file"]].concat();
    for (name, spoil, way) in cases {
        for person in [PERSON, 0] {
            let home = prod();
            of_person(&home, person, &[]);
            give(&home, PERSON);
            spoil(&home.alchemy(name));
            let run_configure = || run_with_input(&mut of_person(&home, person, &configure), "tok-new");
            let token = || run(&mut of_person(&home, person, &["token", "prod"]));
            let read = token();
            let failed = if read.code == 0 { run_configure() } else { read };
            assert!(failed.code == 1 && failed.stderr.contains(way), "{name} {way}: {failed:?}");
            do_as_told(&failed, way);
            run_configure().expect_code(0);
            let token = token().expect_code(0);
            assert_eq!(token.stdout, "tok-new\n", "{name} {way}");
            all_belong_to(&home, PERSON);
        }
    }
}

#[test]
fn doctor_gives_a_folder_back_to_whose_home_it_lies_in() {
    if !is_root() {
        return;
    }
    for person in [PERSON, 0] {
        let home = prod();
        of_person(&home, person, &[]);
        give(&home, PERSON);
        chown(home.alchemy(""), Some(0), Some(0)).expect("root's");
        set_mode(home.alchemy(""), 0o755);
        let doctor = || run(&mut of_person(&home, person, &["doctor", "--offline"])).stdout;
        let said = doctor();
        assert!(said.contains("sudo chown -h 65534 ~/.alchemy") && !said.contains("chown -h 0"), "{said}");
        // What it finds in the way says the same as the command that is stopped by it.
        chown(home.alchemy(""), Some(PERSON), Some(PERSON)).expect("given");
        set_mode(home.alchemy(CREDENTIAL), 0o000);
        let said = doctor();
        assert!(said.contains("chmod u+rwX") && !said.contains("ls -l"), "{said}");
        set_mode(home.alchemy(CREDENTIAL), 0o600);
        chown(home.alchemy("lock/native/prod"), Some(0), Some(0)).expect("root's");
        let said = doctor();
        assert!(said.contains("[lock-unknown]") && !said.contains("ls -l"), "{said}");
    }
}

#[test]
fn a_credential_behind_a_link_that_leads_nowhere_is_made_anew() {
    for target in ["/nowhere/at/all", "cloudflare.json"] {
        let home = prod();
        fs::remove_file(home.alchemy(CREDENTIAL)).expect("removed");
        symlink(target, home.alchemy(CREDENTIAL)).expect("a link");
        home.run(&["token", "prod"])
            .expect_only_error(1, "cannot read")
            .expect_hint("start anew: alchemy configure -p prod");
        home.token_profile("prod", "tok-anew");
        assert_eq!(home.run(&["token", "prod"]).expect_code(0).stdout, "tok-anew\n");
    }
}

#[test]
fn root_is_led_nowhere_by_a_hint_in_another_persons_folder() {
    if !is_root() {
        return;
    }
    let roots = prod();
    set_mode(roots.path(), 0o755);
    for name in ["credentials", CREDENTIAL, "lock/config"] {
        let home = prod();
        let path = home.alchemy(name);
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.expect("removed");
        symlink(roots.alchemy(name), &path).expect("a link");
        give(&home, PERSON);
        let output = home.run(&["token", "prod"]);
        let output =
            if output.code == 0 { home.run(&["profile", "set", "prod", "--confirm"]) } else { output };
        assert!(output.code == 1 && output.stderr.contains("hint: "), "{output:?}");
        assert!(!output.stderr.contains(roots.path().to_str().expect("text")), "{}", output.stderr);
    }
}

#[test]
fn what_belongs_to_another_is_refused_with_the_command_that_fixes_it() {
    if !is_root() {
        return;
    }
    let link = |home: &Home| {
        let target = home.path().join("elsewhere");
        fs::rename(home.alchemy(CREDENTIAL), &target).expect("moved");
        symlink(&target, home.alchemy(CREDENTIAL)).expect("a link");
        target
    };
    // Root, in a folder of root's.
    for name in ["config.json", "marks.json", "settings.toml", CREDENTIAL, "a link"] {
        let home = prod();
        home.write_private("settings.toml", "");
        home.run(&["profile", "set", "prod", "--confirm"]).expect_code(0);
        let path = if name == "a link" { link(&home) } else { home.alchemy(name) };
        chown(&path, Some(OTHER), Some(OTHER)).expect("given away");
        let arguments = ["exec", "prod", "--yes", "--", "true"];
        let refused = home.run(&arguments).expect_only_error(125, "belongs to user 12345, not to you");
        do_as_hinted(&refused);
        home.run(&arguments).expect_code(0);
        assert_eq!(fs::metadata(&path).expect("there").uid(), 0, "{name}");
    }
    // A person, in a folder of the person's, where root has made something; root as well, who acts for the person.
    for name in ["config.json", CREDENTIAL] {
        for mode in [0o600, 0o644] {
            for person in [PERSON, 0] {
                let home = prod();
                give(&home, PERSON);
                chown(home.alchemy(name), Some(0), Some(0)).expect("root's");
                set_mode(home.alchemy(name), mode);
                let token = || run(&mut of_person(&home, person, &["token", "prod"]));
                let words = if mode == 0o600 { "permission denied" } else { "belongs to user 0, not to" };
                let refused = token().expect_only_error(1, words);
                do_as_hinted(&refused);
                // It is the person's, and closed to others as a secret must be.
                token().expect_code(0);
                assert_eq!(fs::metadata(home.alchemy(name)).expect("there").uid(), PERSON, "{name} {mode:o}");
            }
        }
    }
    // The folder itself, with all that is in it.
    let home = prod();
    for path in all_below(&home.alchemy("")) {
        set_mode(&path, if path.is_dir() { 0o755 } else { 0o644 });
    }
    let token = || run(&mut of_person(&home, PERSON, &["token", "prod"]));
    do_as_hinted(&token().expect_only_error(1, "belongs to user 0, not to you"));
    token().expect_code(0);
}

#[test]
fn a_folder_below_that_others_can_change_is_seen_where_they_can_get_there() {
    let home = prod();
    home.token_profile("beta", "tok-beta");
    home.write("notes", "so that this folder is left as it is");
    set_mode(home.alchemy(""), 0o755);
    set_mode(home.alchemy("credentials"), 0o777);
    let output = home.run(&["token", "prod"]).expect_code(0);
    assert!(output.stderr.contains("credentials could be changed by others"), "{}", output.stderr);
    assert_eq!(mode(home.alchemy("credentials")), 0o700);
    set_mode(home.alchemy("credentials"), 0o1777);
    home.run(&["token", "prod"]).expect_only_error(1, "other users can change");
    // With the data folder closed nobody gets there.
    set_mode(home.alchemy(""), 0o700);
    home.run(&["token", "prod"]).expect_code(0);
}

/// Each document that can run or redirect something, or is a secret, and a command that reads it.
const DOCUMENTS: [(&str, &str, &[&str]); 6] = [
    ("config.json", "", &["list"]),
    ("marks.json", "{\"version\":1}", &["token", "prod"]),
    ("bindings.json", "{\"version\":1}", &["use"]),
    ("trust.json", "{\"version\":1}", &["allow"]),
    ("settings.toml", "strict = false\n", &["exec", "prod", "--", "true"]),
    (CREDENTIAL, "", &["token", "prod"]),
];

/// A home with that document, in a directory with a project file.
fn with_document(name: &str, text: &str) -> Home {
    let home = prod();
    if !text.is_empty() {
        home.write_private(name, text);
    }
    fs::write(home.path().join(".alchemy.toml"), "profile = \"prod\"\n").expect("written");
    // With that, what is run depends on the settings.
    fs::write(home.path().join(".env"), "CLOUDFLARE_API_KEY=x\n").expect("written");
    home
}

#[test]
fn a_document_that_others_can_change_is_tightened_or_refused() {
    for (name, text, arguments) in DOCUMENTS {
        // A secret is closed to reading, too.
        let close = if name == CREDENTIAL { "chmod go=" } else { "chmod go-w" };
        let failed = if arguments[0] == "exec" { 125 } else { 1 };
        let refused = |home: &Home, words: &str, hint: &str| {
            let before = home.snapshot();
            home.run(arguments).expect_error(failed, words).expect_hint(hint);
            assert_eq!(home.snapshot(), before, "{name}");
        };
        let home = with_document(name, text);
        let path = home.alchemy(name);
        set_mode(&path, 0o664);
        let output = home.run(arguments).expect_code(0);
        assert!(
            output.stderr.contains(&format!("{name} could be changed by others; its mode is 0600")),
            "{name}: {}",
            output.stderr
        );
        assert_eq!(mode(&path), 0o600);
        // One that has another name, or that a link leads to, may be anybody's business.
        set_mode(&path, 0o666);
        fs::hard_link(&path, home.path().join("other")).expect("a name");
        refused(&home, "other users can change", close);
        fs::remove_file(home.path().join("other")).expect("removed");
        fs::rename(&path, home.path().join("target")).expect("moved");
        symlink(home.path().join("target"), &path).expect("a link");
        refused(&home, "other users can change", close);
        assert_eq!(mode(home.path().join("target")), 0o666);
        set_mode(home.path().join("target"), 0o600);
        home.run(arguments).expect_code(0);
        if is_root() {
            chown(home.path().join("target"), Some(OTHER), None).expect("given away");
            refused(&home, "belongs to user 12345, not to you", "sudo chown -h 0");
        }
    }
    // A secret is not to be read by others either.
    let home = prod();
    set_mode(home.alchemy(CREDENTIAL), 0o644);
    fs::hard_link(home.alchemy(CREDENTIAL), home.path().join("other")).expect("a name");
    home.run(&["token", "prod"]).expect_only_error(1, "other users can read").expect_hint("chmod go=");
}

#[test]
fn a_file_system_that_keeps_no_modes_is_named() {
    if !has("strace") {
        return;
    }
    let home = prod();
    set_mode(home.alchemy(CREDENTIAL), 0o644);
    let no_modes = "fchmod:retval=0";
    run(&mut home.struck(no_modes, &["token", "prod"]))
        .expect_only_error(1, "whose file system keeps no modes")
        .expect_hint("ALCHEMY_HOME");
    let fixed = run(&mut home.struck(no_modes, &["doctor", "--offline", "--fix"]));
    let said = format!("{}{}", fixed.stdout, fixed.stderr);
    assert!(said.contains("its file system keeps no modes") && !said.contains("made private"), "{said}");
    // A lock that others could change is not trusted.
    set_mode(home.alchemy(CREDENTIAL), 0o600);
    set_mode(home.alchemy("lock/config"), 0o666);
    run(&mut home.struck(no_modes, &["profile", "set", "prod", "--confirm"]))
        .expect_only_error(1, "its file system keeps no modes");
}

#[test]
fn a_prompt_says_nothing_of_a_mode() {
    let home = prod();
    home.run(&["use", "prod", "."]).expect_code(0);
    for name in ["", "config.json", "bindings.json"] {
        set_mode(home.alchemy(name), 0o777);
    }
    for arguments in [&["prompt"][..], &["__complete", "bash", "--", "alchemy", "token", ""]] {
        let output = home.run(arguments).expect_code(0);
        assert!(output.stdout.contains("prod") && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    }
    assert_eq!(mode(home.alchemy("")), 0o777, "that is for a command that can say it");
}

// --- what is no document ---

/// Ends after a time in which a prompt would have been given up.
fn within(home: &Home, directory: &Path, arguments: &[&str]) -> Output {
    let mut command = home.command("timeout");
    command.args(["30", ALCHEMY]).args(arguments).current_dir(directory).env("DIRENV_IN_ENVRC", "1");
    let output = run(&mut command);
    assert_ne!(output.code, 124, "{arguments:?} waits for ever");
    assert!(output.code < 126 && !output.stderr.contains("panicked"), "{output:?}");
    output
}

#[test]
fn a_pipe_in_the_place_of_any_file_holds_no_prompt() {
    let files = [
        "config.json",
        "marks.json",
        "bindings.json",
        "trust.json",
        "settings.toml",
        "generation",
        "stamps/prod",
        "rescue/prod",
        "lock/native/prod",
        "lock/cloudflare-prod",
        CREDENTIAL,
        "credentials/prod/native.json",
        "encrypted/prod.age",
        "profiles/prod/cloudflare.json",
    ];
    for name in files {
        let kind = match name {
            "credentials/prod/native.json" => OWN,
            "profiles/prod/cloudflare.json" => V2,
            _ => V1,
        };
        let online = SignedIn::prod_of(kind, -10);
        let home = &online.home;
        if name.starts_with("encrypted/") {
            let mut config: serde_json::Value =
                serde_json::from_str(&home.read("config.json")).expect("JSON");
            config["profiles"]["prod"]["cloudflare"]["credentialStore"] = "encrypted".into();
            home.write("config.json", &config.to_string());
            fs::remove_dir_all(home.alchemy("credentials")).expect("removed");
        }
        fs::write(home.path().join(".alchemy.toml"), "profile = \"prod\"\n").expect("written");
        home.run(&["allow", "."]).expect_code(0);
        home.run(&["use", "prod", "."]).expect_code(0);
        let path = home.alchemy(name);
        let _ = fs::remove_file(&path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("a pipe");
        for arguments in [
            &["prompt"][..],
            &["hook-env", "bash"],
            &["hook-env", "direnv"],
            &["__complete", "bash", "--", "alchemy", "token", ""],
            &["doctor", "--offline", "--json"],
        ] {
            within(home, home.path(), arguments);
        }
    }
}

#[test]
fn a_file_in_the_place_of_npms_lock_is_named_at_once() {
    for (client, lock) in [(V1, "lock/cloudflare-prod"), (V2, "lock/profile-credentials-prod.lock")] {
        let online = SignedIn::prod_of(client, -10);
        online.home.write(lock, "no folder");
        for is_old in [false, true] {
            if is_old {
                online.home.age(lock);
            }
            let begun = std::time::Instant::now();
            let output = online.run(&["token", "prod"]).expect_error(1, "isn't a lock of npm's");
            output.expect_hint(&format!("rm {}", online.home.alchemy(lock).display()));
            assert!(begun.elapsed().as_secs() < 30, "it waited");
        }
        assert_eq!(online.server.refreshes(), 0);
        fs::remove_file(online.home.alchemy(lock)).expect("removed");
        online.run(&["token", "prod"]).expect_code(0);
    }
    // The lock for its store alone: the new pair is kept elsewhere until then.
    let online = SignedIn::prod_of(V2, -10);
    online.home.write("lock/profiles.lock", "no folder");
    let said = online.run(&["token", "prod"]).expect_code(0).stderr;
    assert!(said.contains("isn't a lock of npm's") && said.contains("rescue/prod"), "{said}");
    fs::remove_file(online.home.alchemy("lock/profiles.lock")).expect("removed");
    online.run(&["token", "prod"]).expect_code(0);
    assert!(!online.home.alchemy("rescue/prod").exists());
    assert_eq!(online.server.refreshes(), 1);
}

#[test]
fn a_document_of_any_size_takes_no_memory() {
    for (name, text, arguments) in DOCUMENTS {
        let failed = if arguments[0] == "exec" { 125 } else { 1 };
        let home = with_document(name, text);
        let path = home.alchemy(name);
        let whole = fs::read(&path).expect("read");
        let file = File::options().write(true).open(&path).expect("opened");
        file.set_len(1 << 30).expect("made long");
        let mut command = home.command("sh");
        command.args(["-c", "ulimit -v 1000000; exec \"$0\" \"$@\"", ALCHEMY]).args(arguments);
        let output = run(&mut command).expect_error(failed, "is too large");
        assert!(
            output.stderr.contains(name) && output.stderr.contains("1073741824 bytes"),
            "{}",
            output.stderr
        );
        output.expect_hint("ls -l");
        // As much as may be in one is read.
        let padded = [whole, vec![b'\n'; 1_000_000]].concat();
        fs::write(&path, padded).expect("written");
        home.run(arguments).expect_code(0);
    }
}

// --- outside the bounds of time ---

#[test]
fn times_beyond_all_bounds_end_nothing() {
    for expires in [
        json!(i64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(-1e300),
        json!(253_402_207_200_000_i64),
        json!(-377_705_023_201_000_i64),
    ] {
        for min_ttl in
            [None, Some("200000000h"), Some("2562047788015215h"), Some("9223372036854775807s"), Some("0")]
        {
            let online = SignedIn::prod(3600);
            let pair = online.pair();
            online.keep("prod", OWN, &pair, expires.clone());
            let home = &online.home;
            home.run(&["use", "prod", "."]).expect_code(0);
            for (arguments, codes) in [
                (&["hook-env", "bash"][..], &[0][..]),
                (&["hook-env", "tcsh"], &[0]),
                (&["prompt"], &[0]),
                (&["hook-env", "direnv"], &[0, 1]),
                (&["exec", "prod", "--", "true"], &[0, 125]),
                (&["list"], &[0]),
                (&["doctor", "--offline"], &[0, 1]),
            ] {
                let mut command = online.command(arguments);
                command.current_dir(home.path());
                if let Some(min_ttl) = min_ttl {
                    command.env("ALCHEMY_MIN_TTL", min_ttl);
                }
                let output = run(&mut command);
                assert!(codes.contains(&output.code), "{expires} {min_ttl:?} {arguments:?}: {output:?}");
                assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
            }
        }
    }
}

#[test]
fn what_the_environment_and_the_disk_say_of_time_ends_nothing() {
    let home = prod();
    home.run(&["use", "prod", "."]).expect_code(0);
    for expires in ["9999-12-30T22:00:00.999999999Z", "-009999-01-02T01:59:59Z", "soon"] {
        let mut command = home.alchemy_command(&["hook-env", "bash"]);
        command
            .env("DIRENV_DIR", "-/x")
            .env("ALCHEMY_PROFILE", "prod")
            .env("ALCHEMY_CREDENTIAL_EXPIRATION", expires);
        run(command.env("ALCHEMY_MIN_TTL", "200000000h")).expect_code(0);
    }
    // The last moment that file systems know, and what no one can have written.
    let far = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 33);
    for (name, text) in [
        ("generation", "99999999999999999999\n"),
        ("stamps/prod", "99999999999999999999\n"),
        ("bindings.json", "{\"version\":1}"),
    ] {
        home.write_private(name, text);
        // Some file systems end earlier.
        let _ = File::open(home.alchemy(name)).expect("opened").set_modified(far);
    }
    home.run(&["use", "prod", "."]).expect_code(0);
    home.run(&["profile", "set", "prod", "--account-name", "X"]).expect_code(0);
    home.run(&["hook-env", "bash"]).expect_code(0);
}

// --- what it costs ---

#[test]
fn a_warm_exec_looks_at_the_data_folder_once() {
    if !has("strace") {
        return;
    }
    let home = prod();
    let trace = home.path().join("trace");
    let mut command = home.command("strace");
    command.args(["-f", "-qq", "-e", "trace=file,desc", "-o"]).arg(&trace).arg(ALCHEMY);
    run(command.args(["exec", "prod", "--", "true"])).expect_code(0);
    let trace = fs::read_to_string(trace).expect("read");
    let folder = format!("\"{}\"", home.path().join(".alchemy").display());
    let looks = trace.lines().filter(|line| line.contains(&folder)).count();
    // Once more for root, who may be in another person's folder.
    assert_eq!(looks, if geteuid().is_root() { 2 } else { 1 }, "{trace}");
    assert!(!trace.contains("getdents"), "no folder is listed: {trace}");
    assert!(!trace.contains("setfsuid"), "nobody else is acted for: {trace}");
}

// --- what stays ---

#[test]
fn a_secret_that_stays_is_said_with_the_command_that_removes_it() {
    if !has("strace") {
        return;
    }
    let home = prod();
    let no_removal = "unlink:error=EIO";
    let delete = ["profile", "delete", "new", "--yes"];
    let said = run(&mut home.struck(no_removal, &["profile", "rename", "prod", "new"])).expect_code(0).stderr;
    assert!(said.contains("too: ") && said.contains(": alchemy profile rename prod new\n"), "{said}");
    home.run(&["profile", "rename", "prod", "new"]).expect_code(0);
    assert!(!home.alchemy(CREDENTIAL).exists());
    let said = run(&mut home.struck(no_removal, &delete)).expect_code(0).stderr;
    let left = home.alchemy("credentials/new/.cloudflare.json.aside.tmp");
    assert!(left.exists() && said.contains(&format!("remove it: rm {}\n", left.display())), "{said}");
}
