//! `alchemy doctor`: each fault that is planted on a healthy machine is found, alone and by its id, with a
//! command that mends it; and what `--fix` mends is mended by that, too. See `doctor_healthy.rs` for a machine
//! without one. Here: the program, the home and what is in it, the locks.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, geteuid};
use support::machine::By::{Fix, Mend};
use support::machine::{Machine, mended, mode, planted};
use support::{has, run, write_program};

/// Programs that somebody else calls `alchemy`.
const NODE: &str = "#!/usr/bin/env node\n";
const SHELL: &str = "#!/bin/sh\n";

#[test]
fn the_twin_for_package_scripts_is_there_and_of_the_same_version() {
    let gone = |machine: &mut Machine| fs::remove_file(machine.bin().join("alchemy-exec")).expect("removed");
    mended(gone, &["exec-missing"], &[Mend]);
    let old = |machine: &mut Machine| {
        let twin = machine.bin().join("alchemy-exec");
        fs::remove_file(&twin).expect("removed");
        write_program(&twin, "#!/bin/sh\necho alchemy 0.0.1\n");
    };
    mended(old, &["exec-version"], &[Mend]);
}

#[test]
fn a_twin_that_another_can_change_is_not_run() {
    let machine = Machine::new();
    let (twin, ran) = (machine.bin().join("alchemy-exec"), machine.path("ran"));
    fs::remove_file(&twin).expect("removed");
    write_program(&twin, &format!("#!/bin/sh\ntouch {}\necho alchemy 0.0.1\n", ran.display()));
    let mut table = vec![(0o757, None, "exec-foreign"), (0o775, None, "exec-group?")];
    if geteuid().is_root() {
        table.push((0o755, Some(12345), "exec-foreign"));
    }
    for (loose, owner, id) in table {
        mode(&twin, loose);
        chown(&twin, owner, None).expect("given away");
        assert_eq!(machine.doctor(&[]).ids(), [id]);
        assert!(!ran.exists(), "{id}");
        if owner.is_none() && id == "exec-foreign" {
            mode(&twin, 0o755);
            mode(&machine.bin(), 0o757);
            assert_eq!(machine.doctor(&[]).ids(), [id], "in a folder that everybody can change");
            mode(&machine.bin(), 0o755);
        }
    }
    let mend = machine.doctor(&[]).mend().to_owned();
    machine.after(&mend).is_healthy();
}

#[test]
fn a_folder_that_is_shared_is_left_as_it_is() {
    let machine = Machine::new();
    let same = |loose: u32, plant: &dyn Fn()| {
        plant();
        mode(&machine.home.alchemy(""), loose);
        let before = machine.home.snapshot();
        let found = machine.doctor(&["--fix", "--offline"]);
        assert!(found.ids().contains(&"mode-shared".to_owned()), "{:#}", found.said);
        let said = format!("{:#}", found.said);
        assert!(loose != 0o1777 || said.contains("ALCHEMY_HOME") && !said.contains("chmod"), "{said}");
        let left = fs::metadata(machine.home.alchemy("")).expect("there").mode() & 0o7777;
        assert_eq!(left, loose);
        assert_eq!(machine.home.snapshot(), before);
    };
    same(0o1777, &|| {});
    same(0o777, &|| machine.home.write("notes", "somebody's"));
    // What the person closes is in order.
    machine.after("chmod go= ~/.alchemy").is_healthy();
    // A document that has another name elsewhere.
    fs::hard_link(machine.home.alchemy("config.json"), machine.path("other")).expect("a name");
    mode(&machine.path("other"), 0o644);
    assert_eq!(machine.doctor(&["--fix"]).ids(), ["mode-shared"]);
    assert_eq!(fs::metadata(machine.path("other")).expect("there").mode() & 0o777, 0o644);
}

#[test]
fn another_program_of_the_name_is_told_by_where_it_stands_and_whose_it_is() {
    let install = |script: &'static str, first: bool| {
        move |machine: &mut Machine| {
            let folder = machine.path("other");
            fs::create_dir_all(&folder).expect("a folder");
            write_program(&folder.join("alchemy"), script);
            let (own, other) = (machine.bin(), folder);
            let path = if first { [other, own] } else { [own, other] };
            machine.set("PATH", format!("{}:{}:/usr/bin:/bin", path[0].display(), path[1].display()));
        }
    };
    // By its name alone the shell would find the other one.
    for (script, id) in [(NODE, "npm-alchemy-first"), (SHELL, "other-alchemy-first")] {
        let machine = planted(install(script, true), &[id]);
        let mend = machine.doctor(&[]).mend().to_owned();
        let after = machine.after(&mend);
        assert_eq!(after.code, 0, "{:#}", after.said);
    }
    let machine = planted(install(NODE, false), &["npm-alchemy?"]);
    let said = machine.doctor(&[]).said["findings"][0]["why"].to_string();
    assert!(said.contains("inside package scripts") && said.contains("alchemy-exec"), "{said}");
    mended(install(SHELL, false), &["other-alchemy?"], &[Mend]);
    // Inside a package script it is always npm's, and no fault.
    let in_script = |machine: &mut Machine| {
        let folder = machine.path("acme/node_modules/.bin");
        fs::create_dir_all(&folder).expect("a folder");
        write_program(&folder.join("alchemy"), NODE);
        machine.set("PATH", format!("{}:{}:/usr/bin:/bin", folder.display(), machine.bin().display()));
    };
    planted(in_script, &["npm-alchemy?"]);
    let nowhere = |machine: &mut Machine| machine.set("PATH", "/usr/bin:/bin");
    let machine = planted(nowhere, &["not-in-path?"]);
    let mend = machine.doctor(&[]).mend().to_owned();
    machine.after(&mend).is_healthy();
}

#[test]
fn what_others_may_look_into_is_made_private() {
    let open = |machine: &mut Machine| {
        mode(&machine.home.alchemy(""), 0o755);
        mode(&machine.home.alchemy("credentials/prod/cloudflare.json"), 0o644);
    };
    mended(open, &["mode"], &[Mend, Fix]);
    let closed = |machine: &mut Machine| mode(&machine.home.alchemy("config.json"), 0o400);
    mended(closed, &["mode-own"], &[Mend, Fix]);
    // A program stays one, wherever it stands.
    let machine = planted(
        |machine| {
            machine.home.write("credentials/prod/helper", "#!/bin/sh\n");
            mode(&machine.home.alchemy("credentials/prod/helper"), 0o755);
        },
        &["mode"],
    );
    machine.doctor(&["--fix"]).is_healthy();
    let helper = fs::metadata(machine.home.alchemy("credentials/prod/helper")).expect("there");
    assert_eq!(helper.mode() & 0o777, 0o700);
    // Npm's own locks and logs are as npm makes them.
    let npms = |machine: &mut Machine| {
        machine.home.write("logs/2026-01-01-pid1.log", "");
        mode(&machine.home.alchemy("logs"), 0o700);
    };
    planted(npms, &[]);
}

#[test]
fn what_somebody_else_keeps_in_the_home_is_left_as_it_is() {
    let more = |machine: &mut Machine| {
        machine.home.write("bin/tool", "#!/bin/sh\n");
        mode(&machine.home.alchemy("bin/tool"), 0o755);
        mode(&machine.home.alchemy("bin"), 0o755);
        for name in ["notes.tmp", ".notes.AbC123.tmp"] {
            machine.home.write(name, "mine");
            machine.home.age(name);
        }
    };
    let machine = planted(more, &[]);
    mode(&machine.home.alchemy("config.json"), 0o644);
    let open = machine.doctor(&[]);
    assert_eq!(open.mend(), "chmod -R go= ~/.alchemy/config.json");
    machine.doctor(&["--fix"]).is_healthy();
    let tool = fs::metadata(machine.home.alchemy("bin/tool")).expect("there");
    assert_eq!(tool.mode() & 0o777, 0o755);
    assert_eq!(machine.home.read("notes.tmp"), "mine");
}

#[test]
fn a_home_that_is_for_more_is_left_as_it_is() {
    let mut machine = Machine::new();
    machine.write("notes/today", "mine");
    for path in ["notes", "notes/today"] {
        mode(&machine.path(path), 0o755);
    }
    machine.write("config.json", "{}");
    mode(&machine.path("config.json"), 0o644);
    machine.write(".config.json.AbC123.tmp", "mine");
    machine.home.age("../.config.json.AbC123.tmp");
    machine.offline = true;
    machine.set("ALCHEMY_HOME", machine.home.path().display().to_string());
    for arguments in [&[][..], &["--fix"]] {
        let ids = machine.doctor(arguments).ids();
        assert!(ids.contains(&"home-shared?".to_owned()), "{ids:?}");
        assert!(!ids.iter().any(|id| ["mode", "mode-own", "left-behind"].contains(&id.as_str())), "{ids:?}");
    }
    let found = |path: &str| fs::metadata(machine.path(path)).expect("there").mode() & 0o777;
    assert_eq!([found("notes"), found("notes/today"), found("config.json")], [0o755, 0o755, 0o644]);
    assert!(machine.path(".config.json.AbC123.tmp").exists());
}

#[test]
fn a_link_out_of_the_home_is_not_followed_by_a_fix() {
    let machine = planted(
        |machine| {
            machine.write("elsewhere/file", "");
            mode(&machine.path("elsewhere/file"), 0o644);
            symlink(machine.path("elsewhere"), machine.home.alchemy("link")).expect("a link");
            mode(&machine.home.alchemy("credentials"), 0o755);
        },
        &["mode"],
    );
    machine.doctor(&["--fix"]).is_healthy();
    let kept = fs::metadata(machine.path("elsewhere/file")).expect("there").mode();
    assert_eq!(kept & 0o777, 0o644);
}

#[test]
fn what_belongs_to_somebody_else_is_named() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    let machine = planted(
        |machine| {
            chown(machine.home.alchemy("config.json"), Some(12345), None).expect("given away");
            machine.offline = true; // Without a profile it is Cloudflare's own server that is asked.
        },
        // It is not used then, so that nobody knows which profiles there are.
        &["owner", "document-unreadable", "profiles-unchecked?"],
    );
    let mend = machine.doctor(&[]).mend().replace("sudo ", "");
    machine.after(&mend).is_healthy();
}

#[test]
fn root_in_another_persons_folder_is_told_so_and_takes_nothing() {
    if !geteuid().is_root() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    let given_away = |machine: &mut Machine| {
        let folder = machine.home.alchemy("");
        run(machine.command("chown").args(["-R", "12345"]).arg(folder)).expect_code(0);
    };
    let machine = planted(given_away, &["home-anothers?"]);
    // One of root's in there locks the person out.
    chown(machine.home.alchemy("bindings.json"), Some(0), None).expect("taken");
    let examined = machine.doctor(&["--fix"]);
    assert!(examined.ids().contains(&"owner".to_owned()), "{:#}", examined.said);
    let mend = examined.mend().replace("sudo ", "");
    assert!(mend.contains("chown") && mend.contains("12345"), "{mend}");
    assert_eq!(machine.after(&mend).ids(), ["home-anothers?"]);
    // What is loose there is the person's to tighten.
    mode(&machine.home.alchemy("config.json"), 0o644);
    assert!(machine.doctor(&["--fix"]).ids().contains(&"mode-shared".to_owned()));
    assert_eq!(fs::metadata(machine.home.alchemy("config.json")).expect("there").mode() & 0o777, 0o644);
}

#[test]
fn what_killed_writes_have_left_is_removed() {
    let left = |machine: &mut Machine| {
        for name in [".config.json.AbC123.tmp", "credentials/prod/.cloudflare.json.x.tmp"] {
            machine.home.write_private(name, "hunter2");
            machine.home.age(name);
        }
    };
    mended(left, &["left-behind"], &[Mend]);
    // It may be the last copy of something: that is for a person to say.
    let machine = planted(left, &["left-behind"]);
    assert_eq!(machine.doctor(&["--fix"]).ids(), ["left-behind"]);
    // One that is just being written is nobody's business.
    planted(|machine| machine.home.write_private(".config.json.AbC123.tmp", "hunter2"), &[]);
}

#[test]
fn a_link_that_leads_nowhere_and_a_home_that_is_one() {
    let dangling = |machine: &mut Machine| {
        symlink("/nowhere/at/all", machine.home.alchemy("notes")).expect("a link");
    };
    mended(dangling, &["link-gone"], &[Mend]);
    let moved = |machine: &mut Machine| {
        fs::rename(machine.path(".alchemy"), machine.path("synced")).expect("moved");
        symlink(machine.path("synced"), machine.path(".alchemy")).expect("a link");
    };
    let machine = planted(moved, &["home-link?"]);
    mode(&machine.path("synced"), 0o755);
    assert_eq!(machine.doctor(&[]).ids(), ["mode", "home-link?"]);
    assert_eq!(machine.doctor(&["--fix"]).ids(), ["home-link?"]);
    let gone = |machine: &mut Machine| {
        moved(machine);
        fs::rename(machine.path("synced"), machine.path("away")).expect("moved");
    };
    let mut machine = Machine::new();
    gone(&mut machine);
    let examined = machine.doctor(&["--offline"]);
    assert!(examined.ids().contains(&"home-gone".to_owned()), "{:#}", examined.said);
}

#[test]
fn a_home_that_cannot_be_written_is_no_place_for_a_session() {
    let machine = Machine::new();
    let mut unshare = machine.command("unshare");
    let script = "mount --bind ~/.alchemy ~/.alchemy && mount -o remount,ro,bind ~/.alchemy && \
                  alchemy doctor --json";
    let read_only = run(unshare.args(["-m", "sh", "-c", script]));
    if !geteuid().is_root() || read_only.stdout.is_empty() {
        eprintln!("skipped: nothing can be mounted here");
        return;
    }
    assert!(read_only.code == 1 && read_only.stdout.contains("\"disk-read-only\""), "{}", read_only.stdout);
    let mut unshare = machine.command("unshare");
    let script = "cp -a ~/.alchemy /tmp/copy.$$ && mount -t tmpfs -o size=256k,mode=700 none ~/.alchemy && \
                  cp -a /tmp/copy.$$/. ~/.alchemy && rm -r /tmp/copy.$$ && \
                  { head -c 1M /dev/zero >~/.alchemy/logs 2>/dev/null; chmod 600 ~/.alchemy/logs; } ; \
                  alchemy doctor --json";
    let full = run(unshare.args(["-m", "sh", "-c", script]));
    assert!(full.code == 1 && full.stdout.contains("\"disk-full\""), "{}\n{}", full.stdout, full.stderr);
}

#[test]
fn a_document_that_cannot_be_understood_is_a_finding_and_not_the_end() {
    for (name, others) in [
        ("bindings.json", &["document-broken"][..]),
        ("trust.json", &["document-broken"]),
        ("settings.toml", &["document-broken"]),
        // Nobody knows which profiles there are then; all else is still looked at.
        ("config.json", &["document-broken", "npm-lock-stale", "profiles-unchecked?"]),
    ] {
        let plant = |machine: &mut Machine| {
            machine.home.write_private(name, "{\n  \"version\": hunter2");
            machine.home.age(name);
            if name == "config.json" {
                stale(machine, "cloudflare-prod");
                machine.offline = true; // Without a profile it is Cloudflare's own server that is asked.
            }
        };
        let machine = planted(plant, others);
        let examined = machine.doctor(&[]);
        let what = examined.said["findings"][0]["what"].as_str().expect("text");
        assert!(what.contains(&format!("~/.alchemy/{name}")) && what.contains("line"), "{what}");
        let after = machine.after(examined.mend());
        assert!(!after.ids().contains(&"document-broken".to_owned()), "{:#}", after.said);
    }
}

#[test]
fn a_document_that_cannot_be_read_is_left_where_it_is() {
    let folder = |machine: &mut Machine| {
        let path = machine.home.alchemy("settings.toml");
        fs::create_dir(&path).expect("a folder");
        mode(&path, 0o700);
    };
    let machine = planted(folder, &["document-unreadable"]);
    assert!(machine.doctor(&[]).mend().ends_with("mv ~/.alchemy/settings.toml ~/.alchemy/settings.toml.old"));
}

#[test]
fn a_pipe_in_the_place_of_a_document_is_not_waited_for() {
    for (name, id) in
        [("settings.toml", "document-unreadable"), ("credentials/prod/cloudflare.json", "credential")]
    {
        let machine = Machine::new();
        let path = machine.home.alchemy(name);
        let _ = fs::remove_file(&path);
        nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o600)).expect("a pipe");
        let doctor = run(machine.command("timeout").args(["60", "alchemy", "doctor", "--json"]));
        assert_eq!(doctor.code, 1, "{}", doctor.stderr);
        let why = format!("~/.alchemy/{name}: it is no regular file");
        assert!(doctor.stdout.contains(&why) && doctor.stdout.contains(id), "{}", doctor.stdout);
    }
    // A link to a file is as good as the file.
    let linked = |machine: &mut Machine| {
        let path = machine.home.alchemy("config.json");
        fs::rename(&path, machine.path("config.json")).expect("moved");
        symlink(machine.path("config.json"), path).expect("a link");
    };
    planted(linked, &[]);
}

/// A lock of npm's that nobody has touched for an hour.
fn stale(machine: &Machine, name: &str) {
    let below = format!("lock/{name}");
    fs::create_dir_all(machine.home.alchemy(&below)).expect("a folder");
    if Path::new(name).extension().is_some() {
        machine.home.write(&format!("{below}/owner"), "somebody");
    }
    machine.home.age(&below);
}

#[test]
fn a_lock_of_npms_whose_holder_is_dead_is_removed() {
    for name in ["cloudflare-prod", "cloudflare-ci%2Ftok", "profile-credentials-prod.lock", "profiles.lock"] {
        mended(|machine| stale(machine, name), &["npm-lock-stale"], &[Mend, Fix]);
    }
    let stuck = |machine: &mut Machine| {
        stale(machine, "cloudflare-prod");
        machine.home.write("lock/cloudflare-prod/notes", "");
    };
    mended(stuck, &["npm-lock-stuck"], &[Mend]);
    let held = |machine: &mut Machine| {
        fs::create_dir_all(machine.home.alchemy("lock/cloudflare-prod")).expect("a folder");
    };
    planted(held, &["npm-lock-held?"]);
    let ahead = |machine: &mut Machine| {
        held(machine);
        let folder = fs::File::open(machine.home.alchemy("lock/cloudflare-prod")).expect("opened");
        folder.set_modified(SystemTime::now() + Duration::from_secs(7200)).expect("its time set");
    };
    let machine = planted(ahead, &["npm-lock-future"]);
    let examined = machine.doctor(&[]);
    let what = examined.said["findings"][0]["what"].to_string();
    assert!(what.contains("in the future") && what.contains("lock/cloudflare-prod"), "{what}");
    assert_eq!(machine.after(examined.mend()).ids(), ["npm-lock-held?"]);
}

/// Whoever holds a lock; ended with the value, also where it is suspended.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn whoever_holds_a_lock_of_ours_is_named() {
    if !has("flock") {
        return;
    }
    let machine = Machine::new();
    let lock = machine.home.alchemy("lock/native/prod");
    let mut holder = machine.command("flock");
    holder
        .arg("-o")
        .arg(&lock)
        .args(["sh", "-c", "echo held; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut holder = Holder(holder.spawn().expect("started"));
    let mut held = std::io::BufReader::new(holder.0.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut held, &mut String::new()).expect("held");
    let pid = Pid::from_raw(i32::try_from(holder.0.id()).expect("an id"));
    let examined = machine.doctor(&[]);
    assert_eq!(examined.ids(), ["lock-held?"]);
    let what = examined.said["findings"][0]["what"].to_string();
    assert!(what.contains(&format!("process {pid} (flock)")), "{what}");

    kill(pid, Signal::SIGSTOP).expect("stopped");
    nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::WUNTRACED)).expect("stopped");
    let examined = machine.doctor(&[]);
    assert_eq!(examined.ids(), ["lock-suspended"]);
    assert_eq!(machine.after(examined.mend()).ids(), ["lock-held?"]);
    drop(holder.0.stdin.take());
    holder.0.wait().expect("ended");
    machine.doctor(&[]).is_healthy();
}
