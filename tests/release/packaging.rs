//! What `packaging/release` makes: from a clean checkout, all of it, and each thing used as a person would who has
//! nothing else of alchemy.
//!
//! What this machine cannot build (aarch64, macOS) is left out, as the script says.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::VERSION;
use support::bare_debian::BareDebian;
use support::cloudflare::{Cloudflare, Credential};
use support::pty::Terminal;
use support::release::{Checkout, Release, URL, target};
use support::{ACME, Home, given, has, run};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A home without a profile, and an environment as in CI.
fn in_ci(command: &mut Command) -> &mut Command {
    command.envs([
        ("CI", "true"),
        ("CLOUDFLARE_API_TOKEN", "tok-hunter2-ci"),
        ("CLOUDFLARE_ACCOUNT_ID", ACME),
    ])
}

#[test]
fn a_release_is_complete_and_has_its_checksums() {
    let Some(release) = Release::made() else { return };
    let expected = [
        "SHA256SUMS".to_owned(),
        format!("alchemy-{VERSION}-{TARGET}.tar.gz"),
        format!("alchemy-{VERSION}.cdx.json"),
        format!("alchemy-{VERSION}.crate"),
        format!("alchemy-exec-{VERSION}.tgz"),
        format!("alchemy-exec-linux-x64-{VERSION}.tgz"),
        "alchemy.rb".to_owned(),
        format!("alchemy_{VERSION}-1_amd64.deb"),
    ];
    assert_eq!(release.names(), expected);
    let sums = release.read("SHA256SUMS");
    assert_eq!(sums.lines().count(), expected.len() - 1);
    let folder = release.file("");
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(folder))
        .expect_code(0);
}

#[test]
fn the_same_sources_in_another_folder_make_the_same_files() {
    let Some(release) = Release::made() else { return };
    let Some(again) = Checkout::new() else { return };
    again.release(&["--local", "--out", "elsewhere/dist"]).expect_code(0);
    let sums = fs::read_to_string(again.path("elsewhere/dist/SHA256SUMS")).expect("read");
    assert_eq!(sums, release.read("SHA256SUMS"));
}

#[test]
fn nothing_is_made_of_a_checkout_that_is_no_release() {
    let Some(checkout) = Checkout::new() else { return };
    let refused = |arguments: &[&str], why: &str| {
        let output = checkout.release(arguments).expect_code(1);
        assert!(output.stderr.contains(why), "{}", output.stderr);
        assert!(!checkout.path("dist").exists());
    };
    let change = |changelog: &str| {
        fs::write(checkout.path("CHANGELOG.md"), changelog).expect("written");
        checkout.commit();
    };
    // As it is when a version is released: what has come since the last one is that one's.
    let changelog = fs::read_to_string(checkout.path("CHANGELOG.md")).expect("read");
    let (head, rest) = changelog.split_once("## [Unreleased]\n").expect("what has come since");
    let released = &rest[rest.find(&format!("\n## [{VERSION}]")).expect("this version")..];
    let changelog = format!("{head}## [Unreleased]\n{released}");
    change(&changelog);
    fs::write(checkout.path("new"), "").expect("written");
    refused(&["--local"], "not committed");
    fs::remove_file(checkout.path("new")).expect("removed");
    refused(&[], "this machine cannot build for ");
    refused(&["--target", "riscv64gc-unknown-linux-gnu"], "cannot build for riscv64gc");
    refused(
        &["--local", "--with", "/nowhere/alchemy-0.0.9-x86_64-apple-darwin.tar.gz"],
        "no archive of version",
    );
    refused(&["--local", "--url", "http://downloads.example.org"], "https");

    change(&changelog.replace("## [Unreleased]", "## [Unreleased]\n\n### Fixed\n\n- A fault."));
    refused(&[], "Unreleased");
    change(&changelog.replace(&format!("## [{VERSION}]"), "## [0.0.9]"));
    refused(&["--local"], "CHANGELOG.md must begin with version");
    change(&changelog);
    fs::create_dir(checkout.path("dist")).expect("made");
    let output = checkout.release(&["--local"]).expect_code(1);
    assert!(output.stderr.contains("dist exists"), "{}", output.stderr);
}

#[test]
fn the_source_package_holds_what_is_built_and_nothing_else() {
    let Some(release) = Release::made() else { return };
    let mut tar = Command::new("tar");
    let listed = run(tar.arg("-tzf").arg(release.file(&format!("alchemy-{VERSION}.crate")))).expect_code(0);
    let prefix = format!("alchemy-{VERSION}/");
    let top: BTreeSet<&str> = listed
        .stdout
        .lines()
        .map(|path| path.strip_prefix(&prefix).expect("in one folder").split('/').next().unwrap_or_default())
        .collect();
    let expected = [
        ".cargo_vcs_info.json",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Cargo.toml.orig",
        "LICENSE",
        "README.md",
        "build.rs",
        "shell",
        "src",
    ];
    assert_eq!(top.into_iter().collect::<Vec<_>>(), expected);
}

/// Whether the system may load a program at any address.
fn is_position_independent(binary: &Path) -> bool {
    let header = run(Command::new("readelf").args(["-hW"]).arg(binary)).expect_code(0).stdout;
    header.lines().any(|line| line.trim_start().starts_with("Type:") && line.contains("DYN"))
}

#[cfg(target_os = "linux")]
#[test]
fn no_hardening_is_given_away_for_a_faster_start() {
    if !has("readelf") {
        return;
    }
    for binary in [support::ALCHEMY, support::ALCHEMY_EXEC] {
        assert!(is_position_independent(Path::new(binary)), "{binary} is linked at a fixed address");
    }
}

#[test]
fn the_binary_is_static_and_does_not_tell_where_it_was_built() {
    let Some(release) = Release::made() else { return };
    let folder = release.unpacked();
    let binary = folder.path().join("alchemy");
    let headers = run(Command::new("readelf").args(["-lW"]).arg(&binary)).expect_code(0).stdout;
    assert!(headers.contains("LOAD") && !headers.contains("INTERP"), "{headers}");
    assert!(is_position_independent(&binary), "linked at a fixed address");

    let bytes = fs::read(&binary).expect("read");
    let cargo_home =
        std::env::var("CARGO_HOME").ok().or_else(|| Some(format!("{}/.cargo", std::env::var("HOME").ok()?)));
    for place in [target().display().to_string(), cargo_home.expect("a home")] {
        assert!(!bytes.windows(place.len()).any(|window| window == place.as_bytes()), "{place}");
    }
    let terms = fs::read_to_string(folder.path().join("THIRD-PARTY-LICENSES.txt")).expect("read");
    for part in ["\nrustls v", "\nlibdbus-sys v", "AFL", "The GNU C library", "ISC License"] {
        assert!(terms.contains(part), "{part}");
    }
    for file in ["README.md", "LICENSE", "CHANGELOG.md", "man/alchemy-exec.1", "completions/_alchemy"] {
        assert!(folder.path().join(file).is_file(), "{file}");
    }
    let home = Home::new();
    let mut exec = home.command(folder.path().join("alchemy-exec"));
    let printed = run(in_ci(&mut exec).args(["--", "printenv", "CLOUDFLARE_API_TOKEN"])).expect_code(0);
    assert_eq!(printed.stdout, "tok-hunter2-ci\n");
}

#[test]
fn the_bill_of_materials_names_every_package_that_is_built() {
    let Some(release) = Release::made() else { return };
    let text = release.read(&format!("alchemy-{VERSION}.cdx.json"));
    assert!(!text.contains(&target().display().to_string()), "it tells where it was made");
    let bill: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert_eq!(bill["metadata"]["component"]["version"], VERSION);
    let components = bill["components"].as_array().expect("components");
    let named = |component: &Value| {
        let text = |field: &str| component[field].as_str().expect("text").to_owned();
        assert!(
            text("purl").starts_with("pkg:cargo/") && component["licenses"][0].is_object(),
            "{component}"
        );
        format!("{} v{}", text("name"), text("version"))
    };
    let listed: BTreeSet<String> = components.iter().map(named).collect();

    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--edges", "normal,build", "--target", "all", "--prefix", "none"]);
    let tree =
        run(tree.args(["--format", "{p}"]).current_dir(env!("CARGO_MANIFEST_DIR"))).expect_code(0).stdout;
    let package = |line: &str| line.split(" (").next().unwrap_or_default().to_owned();
    let built: BTreeSet<String> =
        tree.lines().map(package).filter(|name| *name != format!("alchemy v{VERSION}")).collect();
    assert!(built.len() > 100, "{built:?}");
    // It has some more, which a feature that is off would need; but none that only the tests do.
    let missing: Vec<_> = built.difference(&listed).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(!listed.iter().any(|name| name.starts_with("rcgen v")), "{listed:?}");
}

#[test]
fn the_debian_package_is_used_on_a_bare_debian_and_leaves_nothing() {
    let Some(release) = Release::made() else { return };
    let package = release.file(&format!("alchemy_{VERSION}-1_amd64.deb"));
    if has("lintian") {
        let found =
            run(Command::new("lintian").args(["--fail-on", "error,warning"]).arg(&package)).expect_code(0);
        assert_eq!(found.stdout, "");
    }
    let Some(debian) = BareDebian::new() else { return };
    let before = debian.files();
    fs::copy(package, debian.path("tmp/alchemy.deb")).expect("copied");
    run(&mut debian.root("dpkg --install /tmp/alchemy.deb")).expect_code(0);
    assert_eq!(run(&mut debian.root("dpkg --verify alchemy; dpkg --audit")).expect_code(0).stdout, "");

    let api = Cloudflare::start();
    api.account(ACME, "Acme");
    api.add(Credential::user_token("tok-hunter2-prod"));
    // A static program asks for names by what is in it; /etc/hosts is the bare system's own.
    let base = api.base_url().replace("127.0.0.1", "localhost");
    let configure = "alchemy configure -p prod --token-stdin --store file";
    debian.run(&format!("echo tok-hunter2-prod | CLOUDFLARE_API_BASE_URL={base} {configure}")).expect_code(0);
    for exec in ["alchemy exec", "alchemy-exec"] {
        let shown =
            debian.run(&format!("{exec} prod -- printenv CLOUDFLARE_API_TOKEN CLOUDFLARE_ACCOUNT_ID"));
        assert_eq!(shown.expect_code(0).stdout, format!("tok-hunter2-prod\n{ACME}\n"));
    }
    debian.run("alchemy exec prod -- nothing-of-this-name").expect_error(127, "nothing-of-this-name");

    assert!(debian.run("man alchemy").expect_code(0).stdout.contains("alchemy-exec(1)"));
    assert!(debian.run("man alchemy-profile-show").expect_code(0).stdout.contains("EXIT STATUS"));
    assert!(debian.run("zcat /usr/share/doc/alchemy/changelog.gz").expect_code(0).stdout.contains(VERSION));

    // A shell as the person gets it at login, with what bash-completion loads by the command's name.
    let settings = "PS1='READY '; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'";
    debian.run(&format!("echo \". /etc/profile; {settings}\" >.bashrc")).expect_code(0);
    let mut terminal = Terminal::start(debian.person("exec bash --rcfile ~/.bashrc -i"));
    terminal.expect("READY");
    for (typed, becomes) in [
        ("alchemy tok\tpro\t", "alchemy token prod"),
        ("alchemy-exec pr\tprintenv CLOUDFLARE_API_TOKEN", "alchemy-exec prod printenv"),
    ] {
        terminal.press(typed);
        terminal.expect(becomes);
        terminal.press("\r");
        terminal.expect("tok-hunter2-prod");
        terminal.expect("READY");
    }
    terminal.line("exit");
    terminal.finish();

    run(&mut debian.root("dpkg --purge alchemy")).expect_code(0);
    debian.run("alchemy exec prod -- true").expect_code(127);
    debian.run("dpkg --status alchemy").expect_code(1);
    let named =
        "find / -path /home -prune -o -path /tmp -prune -o -path /proc -prune -o -name '*alchemy*' -print";
    assert_eq!(run(&mut debian.root(named)).expect_code(0).stdout, "");
    let after = debian.files();
    let left: Vec<_> = after.symmetric_difference(&before).collect();
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn names_resolve_by_whatever_nsswitch_says() {
    let (Some(release), Some(debian)) = (Release::made(), BareDebian::new()) else { return };
    fs::copy(release.unpacked().path().join("alchemy"), debian.path("usr/bin/alchemy")).expect("copied");
    let api = Cloudflare::start();
    api.account(ACME, "Acme");
    api.add(Credential::user_token("tok-hunter2-prod"));
    let base = api.base_url().replace("127.0.0.1", "localhost");
    let configure = |base: &str| {
        let line = "alchemy configure -p prod --token-stdin --store file --yes";
        debian.run(&format!("echo tok-hunter2-prod | CLOUDFLARE_API_BASE_URL={base} {line}"))
    };
    let modules =
        ["files dns", "files mdns4_minimal [NOTFOUND=return] dns", "mymachines resolve files myhostname"];
    for modules in modules {
        fs::write(debian.path("etc/nsswitch.conf"), format!("hosts: {modules}\n")).expect("written");
        configure(&base).expect_code(0);
    }
    fs::remove_file(debian.path("etc/nsswitch.conf")).expect("removed");
    configure(&base).expect_code(0);

    // Whom to trust is what the package recommends ca-certificates for; here it is the machine's own list.
    let trusted = "etc/ssl/certs/ca-certificates.crt";
    fs::create_dir_all(debian.path("etc/ssl/certs")).expect("made");
    fs::copy(Path::new("/").join(trusted), debian.path(trusted)).expect("copied");
    // Another name of /etc/hosts: what answers there speaks no TLS, so that it was found.
    let other = base.replace("http://localhost", "https://api.acme.test");
    let found = configure(&other).expect_code(1).stderr;
    let unknown = configure(&other.replace("acme", "unknown")).expect_code(1).stderr;
    assert!(unknown.contains("lookup") && !found.contains("lookup"), "{found}{unknown}");
}

#[test]
fn the_npm_packages_give_package_scripts_one_command_and_no_other() {
    let Some(release) = Release::made() else { return };
    let home = Home::new();
    let project = home.path().join("project");
    fs::create_dir_all(project.join("npm-alchemy")).expect("made");
    let npm = |arguments: &[&str]| {
        let mut npm = home.command("npm");
        npm.args(arguments).args(["--offline", "--no-audit", "--no-fund", "--no-update-notifier"]);
        npm.current_dir(&project);
        run(in_ci(&mut npm))
    };
    // npm's own alchemy, as far as its commands are concerned.
    let own = given("ALCHEMY_TEST_NPM_V1").map_or(Value::Null, |package| {
        serde_json::from_slice(&fs::read(package.join("package.json")).expect("read")).expect("JSON")
    });
    let Some(path) = own["bin"]["alchemy"].as_str() else { return };
    let write = |below: &str, text: &str| {
        let path = project.join(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    };
    write(
        "npm-alchemy/package.json",
        &serde_json::json!({ "name": "alchemy", "version": own["version"], "bin": own["bin"] }).to_string(),
    );
    write(&format!("npm-alchemy/{path}"), "#!/bin/sh\necho \"npm's $*\"\n");
    let scripts = r#"{ "private": true, "scripts": {
        "deploy": "alchemy deploy", "token": "alchemy-exec -- printenv CLOUDFLARE_API_TOKEN",
        "killed": "alchemy-exec -- sh -c 'kill -TERM $$'", "code": "alchemy-exec -- sh -c 'exit 7'" } }"#;
    write("package.json", scripts);
    let packages = [format!("alchemy-exec-{VERSION}.tgz"), format!("alchemy-exec-linux-x64-{VERSION}.tgz")]
        .map(|name| release.file(&name).to_str().expect("UTF-8").to_owned());
    npm(&["install", "./npm-alchemy"]).expect_code(0);
    npm(&["install", &packages[0], &packages[1]]).expect_code(0);

    let mut commands: Vec<_> = fs::read_dir(project.join("node_modules/.bin"))
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    commands.sort();
    assert_eq!(commands, ["alchemy", "alchemy-exec"]);
    assert_eq!(npm(&["run", "--silent", "deploy"]).expect_code(0).stdout, "npm's deploy\n");
    assert_eq!(npm(&["run", "--silent", "token"]).expect_code(0).stdout, "tok-hunter2-ci\n");
    npm(&["run", "--silent", "code"]).expect_code(7);
    npm(&["run", "--silent", "killed"]).expect_code(143);
    let mut npx = home.command("npx");
    npx.args(["--offline", "alchemy-exec", "--", "printenv", "CLOUDFLARE_ACCOUNT_ID"]).current_dir(&project);
    assert_eq!(run(in_ci(&mut npx)).expect_code(0).stdout, format!("{ACME}\n"));

    // As pnpm lays it out, and called by a link from anywhere.
    let modules = project.join("node_modules");
    let store = project.join("store/node_modules");
    fs::create_dir_all(&store).expect("made");
    for name in ["alchemy-exec", "alchemy-exec-linux-x64"] {
        fs::rename(modules.join(name), store.join(name)).expect("moved");
    }
    symlink("../store/node_modules/alchemy-exec", modules.join("alchemy-exec")).expect("a link");
    symlink("node_modules/.bin/alchemy-exec", project.join("link")).expect("a link");
    assert_eq!(npm(&["run", "--silent", "token"]).expect_code(0).stdout, "tok-hunter2-ci\n");
    run(in_ci(&mut home.command(project.join("link"))).args(["--", "true"])).expect_code(0);

    // Without the binary, as after `npm install --omit=optional`; what stands further up is not taken for it.
    fs::create_dir(project.join("store/node_modules/outside")).expect("made");
    fs::rename(store.join("alchemy-exec-linux-x64"), home.path().join("elsewhere")).expect("moved");
    let above = home.path().join("node_modules");
    fs::create_dir(&above).expect("made");
    fs::rename(home.path().join("elsewhere"), above.join("alchemy-exec-linux-x64")).expect("moved");
    let missing = run(in_ci(&mut home.command(project.join("link"))).args(["--", "true"])).expect_code(125);
    assert!(missing.stderr.contains("hint: install it with its optional dependencies"), "{}", missing.stderr);
}

#[test]
fn the_homebrew_formula_installs_what_it_says() {
    let Some(release) = Release::made() else { return };
    if !has("ruby") || !has("rubocop") {
        return;
    }
    let formula = release.file("alchemy.rb");
    let text = release.read("alchemy.rb");
    let sums = release.read("SHA256SUMS");
    let source = format!("alchemy-{VERSION}.crate");
    let digest = sums.lines().find(|line| line.ends_with(&source)).and_then(|line| line.split(' ').next());
    assert!(text.contains(&format!("sha256 \"{}\"", digest.expect("a checksum"))), "{text}");
    assert!(text.contains(&format!("url \"{URL}/{source}\"")) && !text.contains('@'), "{text}");
    run(Command::new("ruby").args(["-wc"]).arg(&formula)).expect_code(0);
    run(Command::new("rubocop").args(["--lint", "--force-default-config"]).arg(&formula)).expect_code(0);

    let (binaries, home) = (release.unpacked(), Home::new());
    let unpack = format!("tar -xzf {} --strip-components=1", release.file(&source).display());
    run(home.command("sh").args(["-c", &unpack])).expect_code(0);
    let prefix = home.path().join("prefix");
    let mut ruby = home.command("ruby");
    ruby.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/homebrew.rb"));
    ruby.args([formula.as_path(), home.path(), binaries.path(), &prefix]);
    run(&mut ruby).expect_code(0);
    for below in [
        "bin/alchemy-exec",
        "etc/bash_completion.d/alchemy-exec",
        "share/zsh/site-functions/_alchemy",
        "share/fish/vendor_completions.d/alchemy-exec.fish",
        "share/man/man1/alchemy-exec.1",
    ] {
        assert!(prefix.join(below).is_file(), "{below}");
    }
}

#[test]
fn the_nix_flake_evaluates_for_every_system() {
    if !has("nix-instantiate") {
        return;
    }
    let home = Home::new();
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut nix = home.command("nix-instantiate");
    nix.args(["--store", "dummy://", "--eval", "--strict", "--json", "--argstr", "packaging"]);
    nix.args([project.join("packaging"), project.join("tests/support/flake.nix")]);
    let evaluated: Value = serde_json::from_str(&run(&mut nix).expect_code(0).stdout).expect("JSON");
    assert_eq!(
        evaluated["systems"],
        serde_json::json!(["aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux"])
    );
    assert_eq!(evaluated["package"]["version"], VERSION);
    assert_eq!(evaluated["package"]["pname"], "alchemy");
    assert_eq!(evaluated["overlay"], "alchemy");
    let source = evaluated["package"]["src"].as_array().expect("a list");
    assert!(source.contains(&"shell".into()) && source.contains(&"Cargo.lock".into()), "{source:?}");
}
