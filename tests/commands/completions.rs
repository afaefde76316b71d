//! Completion, as a person at a real shell gets it by the TAB key: profiles and accounts from files, then the
//! command that `exec` runs by what the shell itself knows of it. And nothing of what a file says is run.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use support::pty::Terminal;
use support::{ACME, ALCHEMY, ALCHEMY_EXEC, BETA, Home, given, has, run, write_program};

const BASH_COMPLETION: &str = "/usr/share/bash-completion/bash_completion";

/// What is typed, and what the line has become when it is run after one TAB.
const STORY: [(&str, &str); 12] = [
    ("alchemy exec stag", "exec staging"),
    ("alchemy token -p stag", "token -p staging"),
    ("alchemy whoami --profile=stag", "whoami --profile=staging"),
    ("alchemy open stag", "open staging"),
    ("alchemy env --account 01", "env --account 0123456789abcdef0123456789abcdef"),
    ("alchemy cred", "credential-process"),
    ("alchemy destr", "destroy"),
    ("alchemy deploy --profile stag", "deploy --profile staging"),
    ("alchemy exec staging -- base6", "exec staging -- base64"),
    ("alchemy exec -p staging base6", "exec -p staging base64"),
    ("alchemy exec staging -- cat lett", "exec staging -- cat letter"),
    ("alchemy-exec staging base6", "staging base64"),
];

/// Names that version 1 of the npm package lets through.
const HOSTILE: [&str; 8] =
    ["$(touch x)", "`touch x`", "x; touch x", "a b", "'", "\"\\", "new\nline", "stag$(touch${IFS}x)"];

/// A home with profiles, one of an account with a hostile name, beside hostile ones; and the programs of both
/// names in the first folder of `PATH`, which do nothing but show their arguments.
struct Desk {
    home: Home,
    bin: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let home = Home::new();
        home.token_profile("prod", "hunter2-prod");
        home.token_profile("staging", "hunter2-staging");
        let mut config: serde_json::Value = serde_json::from_str(&home.read("config.json")).expect("JSON");
        let profiles = config["profiles"].as_object_mut().expect("profiles");
        let entry = profiles["prod"].clone();
        for name in HOSTILE {
            profiles.insert(name.to_owned(), entry.clone());
        }
        profiles["prod"]["cloudflare"]["metadata"] =
            serde_json::json!({ "id": BETA, "name": "$(touch x) `touch x` '\"\\ :\t\n\u{1b}[31m" });
        home.write("config.json", &config.to_string());

        let bin = home.path().join("bin");
        fs::create_dir(&bin).expect("a folder");
        for name in ["alchemy", "alchemy-exec"] {
            let script = bin.join(name);
            write_program(&script, "#!/bin/sh\necho \"<$*>\"\n");
        }
        fs::write(home.path().join("letter"), "").expect("written");
        fs::create_dir(home.path().join("folder")).expect("a folder");
        Self { home, bin }
    }

    fn command(&self, program: &str) -> Command {
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").expect("PATH"));
        let mut command = self.home.command(program);
        command.env("PATH", path).env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        command
    }

    /// A file with what `alchemy completions` prints, after the text `before`.
    fn script(&self, shell: &str, file: &str, before: &str) -> PathBuf {
        let path = self.home.path().join(file);
        let script = self.home.run(&["completions", shell]).expect_code(0).stdout;
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, format!("{before}{script}")).expect("written");
        path
    }

    /// Types each line of the story, TAB and enter.
    fn tell(&self, command: Command) {
        let mut terminal = Terminal::start(command);
        terminal.expect("READY");
        for (typed, becomes) in STORY {
            // The shells redraw a line that is too long for what is left of it.
            terminal.press(&format!("{typed}\t"));
            terminal.press("\r");
            terminal.expect(&format!("<{becomes}>"));
            terminal.expect("READY");
        }
        terminal.press("alchemy completions --out fold\t\r");
        terminal.expect("<completions --out folder");
        terminal.expect("READY");
        // All are shown, and then none is taken.
        terminal.press("alchemy token \t\t\x15");
        terminal.press("alchemy env --account \t\t\x15");
        terminal.line("exit");
        let (_, shown) = terminal.finish();
        assert!(!shown.contains("line 1") && !shown.contains("not found"), "{shown}");
        self.expect_nothing_ran();
    }

    #[track_caller]
    fn expect_nothing_ran(&self) {
        assert!(!self.home.path().join("x").exists(), "a name was run");
    }

    /// What can stand at the end of the line, as the shell's script gets it.
    fn answer(&self, words: &[&str]) -> String {
        self.home.run(&[&["__complete", "zsh", "--"], words].concat()).expect_code(0).stdout
    }
}

#[test]
fn bash_completes_with_and_without_bash_completion() {
    let desk = Desk::new();
    let mut befores = vec![String::new(), "set -u\n".to_owned()];
    // Of the package, what is in PATH.
    if has("dh_bash-completion") {
        befores.push(format!(". {BASH_COMPLETION}\n"));
    }
    for before in befores {
        let settings = "PS1='READY '; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'\n";
        let rc = desk.script("bash", "rc.bash", &format!("{settings}{before}"));
        let mut bash = desk.command("bash");
        bash.args(["--noprofile", "--rcfile"]).arg(rc).arg("-i");
        desk.tell(bash);
    }
}

#[test]
fn zsh_completes_by_eval_and_from_fpath() {
    if !has("zsh") {
        return;
    }
    let desk = Desk::new();
    let settings = "PS1='READY '; unsetopt beep zle_bracketed_paste; autoload -Uz compinit\n";
    desk.script("zsh", ".zshrc", &format!("{settings}compinit -u -D\n"));
    let mut zsh = desk.command("zsh");
    zsh.args(["-o", "no_global_rcs", "-i"]);
    desk.tell(zsh);

    desk.script("zsh", "functions/_alchemy", "");
    let rc = format!("{settings}fpath=(~/functions $fpath); compinit -u -D\n");
    fs::write(desk.home.path().join(".zshrc"), rc).expect("written");
    let mut zsh = desk.command("zsh");
    zsh.args(["-o", "no_global_rcs", "-i"]);
    desk.tell(zsh);
}

#[test]
fn tcsh_completes() {
    if !has("tcsh") {
        return;
    }
    let desk = Desk::new();
    let rc = format!("set prompt='READY '; set nobeep; eval `{ALCHEMY} completions tcsh`\n");
    fs::write(desk.home.path().join(".tcshrc"), rc).expect("written");
    desk.tell(desk.command("tcsh"));
}

#[test]
fn fish_completes() {
    if !has("fish") {
        return;
    }
    let desk = Desk::new();
    let script = desk.script("fish", "alchemy.fish", "");
    let complete = |line: &str| {
        let mut fish = desk.command("fish");
        fish.args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"]).arg(&script).arg(line);
        run(&mut fish).expect_code(0).stdout
    };
    for (typed, becomes) in STORY {
        let (before, _) = typed.rsplit_once(' ').expect("words");
        let completed = format!("{} {}", typed.split(' ').next().unwrap_or_default(), becomes);
        let line = completed.strip_prefix(before).unwrap_or_default().trim_start();
        let values = complete(typed);
        let values: Vec<&str> =
            values.lines().map(|line| line.split('\t').next().unwrap_or_default()).collect();
        assert!(values.contains(&line), "{typed}: {values:?}");
    }
    assert!(complete("alchemy completions --out fold").starts_with("folder/"));
    assert_eq!(complete("alchemy token "), complete("alchemy token '"));
    desk.expect_nothing_ran();
}

#[test]
fn elvish_completes() {
    if !has("elvish") {
        return;
    }
    let desk = Desk::new();
    let rc = desk.script("elvish", ".config/elvish/rc.elv", "");
    let lines = [
        "alchemy exec stag",
        "alchemy whoami --profile=stag",
        "alchemy env --account ''",
        "alchemy exec staging -- base6",
        "alchemy-exec staging base6",
        "alchemy token ''",
    ];
    let ask = |(at, line): (usize, &&str)| {
        let (name, _) = line.split_once(' ').expect("words");
        let file = desk.home.path().join(at.to_string());
        let values = "each {|v| if (eq (kind-of $v) string) { echo $v } else { echo $v[stem] } }";
        format!("$edit:completion:arg-completer[{name}] {line} | {values} > {}\n", file.display())
    };
    let asked: String = lines.iter().enumerate().map(ask).collect();
    let script = fs::read_to_string(&rc).expect("read");
    fs::write(&rc, format!("{script}{asked}echo REA''DY\n")).expect("written");
    let mut terminal = Terminal::start(desk.command("elvish"));
    terminal.expect("READY");
    terminal.line("exit");
    let (_, shown) = terminal.finish();
    let answer = |at: usize| fs::read_to_string(desk.home.path().join(at.to_string())).unwrap_or_default();
    assert_eq!(answer(0), "staging\n", "{shown}");
    assert_eq!(answer(1), "--profile=staging\n", "{shown}");
    assert_eq!(answer(2), format!("{ACME}\n{BETA}\n"), "{shown}");
    assert!(answer(3).lines().any(|line| line == "base64"), "{shown}");
    assert!(answer(4).lines().any(|line| line == "base64"), "{shown}");
    assert_eq!(answer(5), "prod\nstaging\n", "{shown}");
    desk.expect_nothing_ran();
}

#[test]
fn nu_completes_and_keeps_another_completer() {
    let Some(nu) = given("ALCHEMY_TEST_NU") else { return };
    let desk = Desk::new();
    let before =
        "$env.config.completions.external.completer = {|spans| [$\"other ($spans | str join ' ')\"] }\n";
    let script = fs::read_to_string(desk.script("nu", "alchemy.nu", before)).expect("read");
    let lines = [
        ("[alchemy exec stag]", r#"["staging"]"#),
        ("[alchemy exec 'staging' '--' base6]", r#"["base64"]"#),
        ("[alchemy env --account '']", &format!(r#"["{ACME}","{BETA}"]"#)),
        ("[alchemy token '']", r#"["prod","staging"]"#),
        ("[alchemy exec staging '--' git com]", r#"["other git com"]"#),
        ("[git com]", r#"["other git com"]"#),
    ];
    let values = "each {|v| try { $v.value } catch { $v } } | to json -r | print";
    let ask = |(spans, _): &(&str, &str)| {
        format!("do $env.config.completions.external.completer {spans} | {values}\n")
    };
    let asked: String = lines.iter().map(ask).collect();
    let path = desk.home.path().join("test.nu");
    fs::write(&path, script + &asked).expect("written");
    let output =
        run(desk.command(nu.to_str().expect("UTF-8")).arg("--no-config-file").arg(path)).expect_code(0);
    let expected: Vec<&str> = lines.iter().map(|(_, expected)| *expected).collect();
    assert_eq!(output.stdout.lines().collect::<Vec<_>>(), expected, "{}", output.stderr);
    desk.expect_nothing_ran();
}

#[test]
fn only_names_that_can_be_used_are_offered_with_what_they_are() {
    let desk = Desk::new();
    let account = r#"$(touch x) `touch x` '"\ :\t\n\u{1b}[31m"#;
    assert_eq!(
        desk.answer(&["alchemy", "exec", ""]),
        format!("values\nprod\tapi-token, {account}\nstaging\tapi-token, Acme\n")
    );
    assert_eq!(
        desk.answer(&["alchemy", "env", "--account", ""]),
        format!("values\n{ACME}\tAcme\n{BETA}\t{account}\n")
    );
    assert_eq!(desk.answer(&["alchemy", "token", "-p", "prod", ""]).lines().next(), Some("values"));
    assert!(!desk.answer(&["alchemy", "token", "-p", "prod", ""]).contains("staging"));
    assert_eq!(desk.answer(&["alchemy", "profile", "rename", "st"]), "values\nstaging\tapi-token, Acme\n");
    let stores = desk.answer(&["alchemy", "configure", "--store", ""]);
    let stores: Vec<&str> = stores.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(stores, ["values", "keyring", "file", "encrypted", "command"]);
    assert!(
        desk.answer(&["alchemy", "configure", "--scopes", "d1.read,d1"]).contains("\nd1.read,d1.write\t")
    );
    assert!(!desk.answer(&["alchemy", ""]).contains("__complete"));
}

#[test]
fn a_version_2_profile_is_named_and_its_document_not_opened() {
    let home = Home::new();
    home.write_private("profiles/two/cloudflare.json", "not JSON, hunter2");
    assert_eq!(home.run(&["__complete", "fish", "--", "alchemy", "exec", ""]).stdout, "values\ntwo\n");
}

#[test]
fn where_nothing_can_be_read_nothing_is_said() {
    let home = Home::new();
    home.write("config.json", "{ torn");
    home.age("config.json");
    for words in [&["alchemy", "exec", ""][..], &["alchemy", "token", ""], &["alchemy"], &[]] {
        let output = home.run(&[&["__complete", "bash", "--"], words].concat()).expect_code(0);
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn no_keyring_is_asked() {
    let desk = Desk::new();
    let mut config: serde_json::Value = serde_json::from_str(&desk.home.read("config.json")).expect("JSON");
    config["profiles"]["prod"]["cloudflare"]["credentialStore"] = "keyring".into();
    desk.home.write("config.json", &config.to_string());
    let path = desk.home.path().join("bus");
    let bus = UnixListener::bind(&path).expect("a socket");
    bus.set_nonblocking(true).expect("set");
    let with_bus = |arguments: &[&str]| {
        let mut command = desk.home.alchemy_command(arguments);
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", path.display()));
        run(&mut command)
    };
    for line in
        [&["alchemy", "exec", ""][..], &["alchemy", "env", "--account", ""], &["alchemy", "exec", "prod", ""]]
    {
        with_bus(&[&["__complete", "bash", "--"], line].concat()).expect_code(0);
        assert!(bus.accept().is_err(), "{line:?} asks the bus");
    }
}

#[test]
fn variables_of_clap_change_nothing() {
    let desk = Desk::new();
    for variable in ["COMPLETE", "ALCHEMY_COMPLETE", "_CLAP_COMPLETE_INDEX"] {
        let mut command = desk.home.alchemy_command(&["exec", "staging", "--", "echo", "ran"]);
        let output = run(command.env(variable, "bash")).expect_code(0);
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("ran\n", ""));
    }
}

#[test]
fn the_files_for_packages_have_the_name_alone_and_the_others_the_path() {
    let desk = Desk::new();
    let out = desk.home.path().join("out");
    desk.home.run(&["completions", "--out", out.to_str().expect("UTF-8")]).expect_code(0);
    let mut names: Vec<_> =
        fs::read_dir(&out).expect("listed").map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    let expected = [
        "_alchemy",
        "alchemy.bash",
        "alchemy.csh",
        "alchemy.elv",
        "alchemy.fish",
        "alchemy.nu",
        "alchemy.ps1",
    ];
    assert_eq!(names, expected);
    for name in expected {
        let script = fs::read_to_string(out.join(name)).expect("read");
        assert!(!script.contains("__ALCHEMY__") && !script.contains(ALCHEMY), "{name}: {script}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "nu", "pwsh", "tcsh"] {
        let script = desk.home.run(&["completions", shell]).expect_code(0).stdout;
        assert!(script.contains(ALCHEMY) && !script.contains("__ALCHEMY__"), "{shell}: {script}");
    }
    desk.home.run(&["completions"]).expect_code(2);
    desk.home.run(&["completions", "ksh"]).expect_error(2, "ksh");
}

#[test]
fn the_path_may_have_spaces_and_quotes() {
    let desk = Desk::new();
    let odd = desk.home.path().join("it's \"$(touch x)\"");
    fs::create_dir(&odd).expect("a folder");
    let binary = odd.join("alchemy");
    fs::copy(ALCHEMY, &binary).expect("copied");
    fs::copy(ALCHEMY_EXEC, odd.join("alchemy-exec")).expect("copied");
    let script = run(desk.command(binary.to_str().expect("UTF-8")).args(["completions", "bash"])).stdout;
    let line =
        "COMP_WORDS=(alchemy exec stag) COMP_CWORD=2 COMP_TYPE=9; __alchemy_complete alchemy stag exec";
    let bash = format!("{script}\n{line}\necho \"${{COMPREPLY[@]}}\"");
    let output = run(desk.command("bash").args(["--norc", "-c", &bash])).expect_code(0);
    assert_eq!(output.stdout, "staging\n", "{}", output.stderr);
    if has("fish") {
        let script = run(desk.command(binary.to_str().expect("UTF-8")).args(["completions", "fish"])).stdout;
        let fish = format!("{script}\ncomplete -C 'alchemy exec stag'");
        let output = run(desk.command("fish").args(["--no-config", "-c", &fish])).expect_code(0);
        assert_eq!(output.stdout, "staging\tapi-token, Acme\n", "{}", output.stderr);
    }
    desk.expect_nothing_ran();
}
