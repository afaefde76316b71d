//! What `alchemy doctor` finds around the profiles: see `doctor.rs` for how. The environment, directories, the
//! hooks of shells and direnv, and the network.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::atomic::Ordering;

use support::machine::By::Mend;
use support::machine::{Machine, mended, mode, planted};
use support::{ACME, BETA, has, run, tls};

#[test]
fn variables_that_are_set_by_hand_are_named_with_what_they_do() {
    for (variables, ids) in [
        (vec![("CLOUDFLARE_BASE_URL", "https://hijack.example")], vec!["env-redirect"]),
        (vec![("CLOUDFLARE_API_TOKEN", "tok-hunter2")], vec!["env-credential?"]),
        (
            vec![("CLOUDFLARE_API_TOKEN", "tok-hunter2"), ("CLOUDFLARE_API_KEY", "key-hunter2")],
            vec!["env-two-credentials", "env-credential?"],
        ),
        (vec![("CF_API_KEY", "key-hunter2")], vec!["env-other-credential?"]),
        (vec![("CLOUDFLARE_ACCOUNT_ID", BETA)], vec!["env-account?"]),
        (vec![("CLOUDFLARE_PROFILE", "prod"), ("ALCHEMY_PROFILE", "beta")], vec!["env-two-profiles"]),
        (vec![("ALCHEMY_PROFILE", "prdo")], vec!["env-profile-missing"]),
        (vec![("ALCHEMY_ACTIVE", "/elsewhere:prod")], vec!["env-active?"]),
        (vec![("ALCHEMY_ACTIVE", "")], vec!["env-active?"]),
        (vec![("ALCHEMY_MIN_TTL", "soon")], vec!["env-setting"]),
        (vec![("ALCHEMY_STORE", "drawer")], vec!["env-setting"]),
        (vec![("ALCHEMY_HOOK_EXPORT", "all")], vec!["env-setting"]),
    ] {
        let plant = |machine: &mut Machine| {
            for (name, value) in &variables {
                machine.set(name, *value);
            }
        };
        // With two credentials, taking one away leaves the other, which is a note of its own.
        if ids.len() == 1 {
            mended(plant, &ids, &[]);
            let machine = planted(plant, &ids);
            let mend = machine.doctor(&[]).mend().to_owned();
            assert!(mend.starts_with("unset "), "{mend}");
            machine.after(&mend).is_healthy();
        } else {
            let machine = planted(plant, &ids[..1]);
            let mend = machine.doctor(&[]).mend().to_owned();
            assert_eq!(machine.after(&mend).ids(), ids[1..]);
        }
    }
}

#[test]
fn a_directory_that_nothing_can_be_run_in() {
    let pin = |text: &'static str| move |machine: &mut Machine| machine.write("acme/.alchemy.toml", text);
    let machine = planted(pin("profile = \"\n"), &["pin-broken"]);
    let what = machine.doctor(&[]).said["findings"][0]["what"].to_string();
    assert!(what.contains("~/acme/.alchemy.toml, line 1"), "{what}");
    // A binding goes before it; without one, nothing selects.
    planted(pin("profile = \"beta\"\n"), &[]);
    let asks = |machine: &mut Machine| {
        pin("profile = \"beta\"\n")(machine);
        machine.alchemy(&["use", "--unset"]).expect_code(0);
    };
    mended(asks, &["pin-not-allowed"], &[Mend]);
    let guarded = format!("account = \"{BETA}\"\n");
    let guards = |machine: &mut Machine| machine.write("acme/.alchemy.toml", &guarded);
    let machine = planted(guards, &["pin-account"]);
    machine.alchemy(&["use", "beta"]).expect_code(0);
    machine.doctor(&[]).is_healthy();
}

#[test]
fn what_a_directory_has_that_outranks_the_credential() {
    let env = |machine: &mut Machine| {
        machine.write("acme/.env", "A=1\nCLOUDFLARE_API_KEY=hunter2-hunter2\n");
    };
    // Wrangler sends it beside the token, and npm's version 1 instead of it.
    let machine = planted(env, &["hazard", "hazard"]);
    let examined = machine.doctor(&[]);
    let what = examined.said["findings"][0]["what"].to_string();
    assert!(what.contains("~/acme/.env, line 2: CLOUDFLARE_API_KEY"), "{what}");
    assert_eq!(examined.mend(), "take line 2 out of ~/acme/.env, or correct it");
    machine.write("acme/.env", "A=1\n");
    machine.doctor(&[]).is_healthy();
    let account = |machine: &mut Machine| {
        machine.write("acme/wrangler.toml", &format!("account_id = \"{BETA}\"\n"));
    };
    let machine = planted(account, &["hazard"]);
    machine.alchemy(&["use", "beta"]).expect_code(0);
    machine.doctor(&[]).is_healthy();
    // By an environment that a `.env` chooses; by one that nothing chooses, it is not.
    let chosen = |machine: &mut Machine| {
        let config = format!("account_id = \"{ACME}\"\n[env.staging]\naccount_id = \"{BETA}\"\n");
        machine.write("acme/wrangler.toml", &config);
        machine.write("acme/.env", "CLOUDFLARE_ENV=staging\n");
    };
    let machine = planted(chosen, &["hazard"]);
    let what = machine.doctor(&[]).said["findings"][0]["what"].to_string();
    assert!(
        what.contains("~/acme/wrangler.toml, line 3") && what.contains("CLOUDFLARE_ENV in .env"),
        "{what}"
    );
    machine.write("acme/.env", "A=1\n");
    machine.doctor(&[]).is_healthy();
}

#[test]
fn what_is_written_down_and_points_nowhere() {
    let missing = |machine: &mut Machine| {
        let bindings = machine.home.read("bindings.json").replace("\"prod\"", "\"prd\"");
        machine.home.write("bindings.json", &bindings);
    };
    let machine = planted(missing, &["profile-missing"]);
    machine.profile("prd", ACME);
    machine.doctor(&[]).is_healthy();

    let elsewhere = |machine: &mut Machine| {
        fs::create_dir_all(machine.path("o ld")).expect("a folder");
        let directory = machine.path("o ld");
        machine.alchemy(&["use", "beta", directory.to_str().expect("UTF-8")]).expect_code(0);
    };
    let gone = |machine: &mut Machine| {
        elsewhere(machine);
        fs::remove_dir(machine.path("o ld")).expect("removed");
    };
    mended(gone, &["binding-gone?"], &[Mend]);
    let unknown = |machine: &mut Machine| {
        elsewhere(machine);
        let bindings = machine.home.read("bindings.json").replace("\"beta\"", "\"bta\"");
        machine.home.write("bindings.json", &bindings);
    };
    mended(unknown, &["binding-profile-missing"], &[Mend]);
    let judged = |machine: &mut Machine| {
        machine.write("old/.alchemy.toml", "profile = \"beta\"\n");
        let directory = machine.path("old");
        machine.alchemy(&["allow", directory.to_str().expect("UTF-8")]).expect_code(0);
        fs::remove_dir_all(directory).expect("removed");
    };
    mended(judged, &["trust-gone?"], &[Mend]);
}

const HOOK: &str = "eval \"$(alchemy hook bash)\"";

#[test]
fn the_lines_of_hooks_are_named_and_left_to_the_person() {
    let twice = format!("a=1\n{HOOK}\nb=2\n{HOOK}\nc=3");
    let gone = "eval \"$(~/old/alchemy hook bash)\"\n".to_owned();
    for (rc, id, words) in [
        (&twice, "hook-twice", vec!["take line 4 out of ~/.bashrc".to_owned()]),
        (&gone, "hook-gone", vec!["line 1 of ~/.bashrc".to_owned(), "/bin/alchemy hook bash)\"".to_owned()]),
    ] {
        let machine = planted(|machine| machine.write(".bashrc", rc), &[id]);
        mode(&machine.path(".bashrc"), 0o640);
        let examined = machine.doctor(&["--fix"]);
        assert_eq!(examined.ids(), [id]);
        assert!(words.iter().all(|word| examined.mend().contains(word)), "{}", examined.mend());
        assert_eq!(examined.said["findings"][0]["fixable"], false);
        let left = fs::metadata(machine.path(".bashrc")).expect("there").mode() & 0o777;
        assert_eq!((&fs::read_to_string(machine.path(".bashrc")).expect("read"), left), (rc, 0o640));
    }
    // What is printed is a line that does it.
    let machine = planted(|machine| machine.write(".bashrc", &gone), &["hook-gone"]);
    let mend = machine.doctor(&[]).mend().to_owned();
    let (_, line) = mend.split_once(": ").expect("a line");
    machine.write(".bashrc", &format!("{line}\n"));
    machine.doctor(&[]).is_healthy();
    let shell = run(machine.command("bash").args(["--norc", "-ic", ". ~/.bashrc; type -t __alchemy_hook"]));
    assert_eq!(shell.stdout.trim_end(), "function", "{}", shell.stderr);

    let another = |machine: &mut Machine| {
        machine.write("old/alchemy", "");
        machine.write(".bashrc", "eval \"$(~/old/alchemy hook bash)\"\n");
    };
    planted(another, &["hook-other?"]);
    let none = |machine: &mut Machine| machine.write(".bashrc", "# eval \"$(alchemy hook bash)\"\n");
    mended(none, &["hook-missing?"], &[Mend]);
    for (shell, rc) in [("zsh", ".zshrc"), ("fish", ".config/fish/config.fish"), ("tcsh", ".tcshrc")] {
        let other = |machine: &mut Machine| {
            machine.set("SHELL", format!("/usr/bin/{shell}"));
            machine.write(rc, "\n");
        };
        mended(other, &["hook-missing?"], &[Mend]);
    }
    let nu = |machine: &mut Machine| machine.set("SHELL", "/usr/bin/nu");
    mended(nu, &["hook-missing?"], &[Mend]);
}

#[test]
fn a_hook_that_was_saved_is_what_this_alchemy_prints() {
    let saved = ".local/share/nushell/vendor/autoload/alchemy.nu";
    let save = |machine: &Machine, change: &dyn Fn(String) -> String| {
        let text = machine.alchemy(&["hook", "nu"]).expect_code(0).stdout;
        machine.write(saved, &change(text));
    };
    planted(|machine| save(machine, &|text| text), &[]);
    let old = |machine: &mut Machine| save(machine, &|text| text.replace("pre_prompt", "pre_execution"));
    mended(old, &["hook-outdated"], &[Mend]);
    let gone = |machine: &mut Machine| {
        let binary = machine.bin().join("alchemy").display().to_string();
        save(machine, &|text| text.replace(&binary, "/opt/gone/alchemy"));
    };
    mended(gone, &["hook-outdated"], &[Mend]);
    let machine = planted(old, &["hook-outdated"]);
    assert_eq!(machine.doctor(&["--fix"]).ids(), ["hook-outdated"], "it is the person's to write");
    // What a person has written there is theirs.
    for (path, text) in [
        (saved, "alias d = echo\n"),
        (".config/nushell/autoload/alchemy.nu", "alias d = echo\n"),
        (".config/fish/conf.d/alchemy.fish", "alias d echo\n"),
        (".config/direnv/lib/use_alchemy.sh", "# shellcheck shell=bash\nuse_alchemy() { :; }\n"),
    ] {
        let machine = planted(|machine| machine.write(path, text), &["hook-foreign?"]);
        let facts = machine.doctor(&[]).said["facts"]["hooks"].to_string();
        assert!(!facts.contains(path), "{facts}");
        assert_eq!(machine.doctor(&["--fix"]).ids(), ["hook-foreign?"]);
        assert_eq!(fs::read_to_string(machine.path(path)).expect("read"), text);
    }
    let path = ".config/direnv/lib/use_alchemy.sh";
    let other = |machine: &mut Machine| machine.write(path, "use_other() { :; }\n");
    let machine = planted(other, &["use-alchemy-missing", "hook-foreign?"]);
    machine.doctor(&["--fix"]);
    assert_eq!(fs::read_to_string(machine.path(path)).expect("read"), "use_other() { :; }\n");
}

#[test]
fn direnv_knows_what_an_envrc_says() {
    if !has("direnv") {
        return;
    }
    let function = ".config/direnv/lib/use_alchemy.sh";
    let missing = |machine: &mut Machine| fs::remove_file(machine.path(function)).expect("removed");
    mended(missing, &["use-alchemy-missing"], &[Mend]);
    let old = |machine: &mut Machine| {
        let text = fs::read_to_string(machine.path(function)).expect("read");
        machine.write(function, &text.replace("use_alchemy()", "use_alchemy ()"));
    };
    mended(old, &["use-alchemy-outdated"], &[Mend]);
    let without = |machine: &mut Machine| {
        // Everything but direnv.
        for program in ["sh", "env"] {
            symlink(which::which(program).expect("a path"), machine.bin().join(program)).expect("a link");
        }
        machine.set("PATH", machine.bin().display().to_string());
    };
    planted(without, &["direnv-missing?"]);
}

#[test]
fn the_network_is_told_by_what_is_wrong_with_it() {
    for (ahead, words) in [(3600, "1h behind"), (-3600, "1h ahead of")] {
        let machine =
            planted(|machine| machine.api.service.ahead.store(ahead, Ordering::Relaxed), &["clock-skew"]);
        let what = machine.doctor(&[]).said["findings"][0]["what"].to_string();
        assert!(what.contains(words) || what.contains("59m"), "{what}");
        machine.doctor(&["--offline"]).is_healthy();
        machine.api.service.ahead.store(0, Ordering::Relaxed);
        machine.doctor(&[]).is_healthy();
    }
    let nobody = |machine: &mut Machine| {
        machine.change("beta", |entry| entry["baseUrl"] = "http://127.0.0.1:9".into());
    };
    planted(nobody, &["unreachable"]);
    let unready = |machine: &mut Machine| machine.set("SSL_CERT_FILE", "/nowhere/ca.pem");
    planted(unready, &["tls-unready"]);
    let folder = tempfile::tempdir().expect("a folder");
    let (ca, port) = tls::server(folder.path(), "ca.pem");
    let untrusted = |machine: &mut Machine| {
        machine.change("beta", |entry| entry["baseUrl"] = format!("https://127.0.0.1:{port}").into());
    };
    let machine = planted(untrusted, &["tls"]);
    let examined = machine.doctor(&[]);
    let what = examined.said["findings"][0]["what"].to_string();
    assert!(what.contains("certificate"), "{what}");
    let mend = examined.mend().replace("/path/to/your-ca.pem", ca.to_str().expect("UTF-8"));
    // That server does not tell the time.
    assert_eq!(machine.after(&mend).ids(), ["clock-unknown?"]);
}

#[test]
fn the_password_of_a_proxy_is_not_shown() {
    for (proxy, by) in [
        (r"http://corp\user:hunter2@127.0.0.1:9", "by the proxy 127.0.0.1:9 (HTTPS_PROXY)"),
        ("http://me:hunter2#1@127.0.0.1:9", "HTTPS_PROXY can't be understood"),
        ("http://me:hun/ter2-hunter2@127.0.0.1:9", "HTTPS_PROXY can't be understood"),
        ("me:hunter2", "HTTPS_PROXY can't be understood"),
    ] {
        let mut machine = Machine::new();
        machine.change("beta", |entry| entry["baseUrl"] = "https://api.invalid".into());
        machine.set("HTTPS_PROXY", proxy);
        // It looks for secrets itself.
        let said = machine.doctor(&[]).said.to_string();
        assert!(said.contains(by) && !said.contains("ter2"), "{said}");
    }
}
