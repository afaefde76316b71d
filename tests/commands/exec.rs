//! `alchemy exec`: the command's environment, exit code and signals.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use alchemy::environment::{SET, removed};
use nix::unistd::geteuid;
use support::authorization::Moment;
use support::pty::Terminal;
use support::signed_in::SignedIn;
use support::{ACME, ALCHEMY, ALCHEMY_EXEC, BETA, Home, environment, has, run, write_program};

fn prod() -> Home {
    let home = Home::new();
    home.token_profile("prod", "tok-example");
    home
}

#[test]
fn the_environment_differs_by_exactly_the_documented_variables() {
    let home = prod();
    home.key_profile("legacy", "key-example", "me@example.com");
    let inherited = |command: &mut Command| {
        for name in SET
            .into_iter()
            .chain(removed())
            .filter(|name| !matches!(*name, "CLOUDFLARE_API_BASE_URL" | "CLOUDFLARE_BASE_URL"))
        {
            command.env(name, "inherited");
        }
        command.env("OTHER", "kept").env("EMPTY", "");
    };
    let cloudflare = "https://api.cloudflare.com/client/v4";
    let common = [
        ("CLOUDFLARE_ACCOUNT_ID", ACME),
        ("CLOUDFLARE_DEFAULT_ACCOUNT_ID", ACME),
        ("CLOUDFLARE_API_BASE_URL", cloudflare),
        ("CLOUDFLARE_BASE_URL", cloudflare),
    ];
    let token = [("CLOUDFLARE_API_TOKEN", "tok-example"), ("ALCHEMY_PROFILE", "prod")];
    let key = [
        ("CLOUDFLARE_API_KEY", "key-example"),
        ("CLOUDFLARE_EMAIL", "me@example.com"),
        ("ALCHEMY_PROFILE", "legacy"),
    ];
    for (profile, own) in [("prod", &token[..]), ("legacy", &key[..])] {
        let mut command = home.alchemy_command(&["exec", profile, "--", "env", "-0"]);
        inherited(&mut command);
        let after = environment(&run(&mut command).expect_code(0).stdout);
        let mut command = home.command("env");
        inherited(command.arg("-0"));
        let mut expected = environment(&run(&mut command).expect_code(0).stdout);
        expected.retain(|name, _| !SET.contains(&name.as_str()) && !removed().contains(&name.as_str()));
        expected.extend(own.iter().chain(&common).map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));
        assert_eq!(after, expected, "{profile}");
    }
}

#[test]
fn the_token_can_be_repeated_under_other_names_for_one_run_or_for_good() {
    let home = prod();
    let printed = |arguments: &[&str]| environment(&home.run(arguments).expect_code(0).stdout);
    let once = printed(&["exec", "prod", "--also", "CF_API_TOKEN", "--", "env", "-0"]);
    assert_eq!(once["CF_API_TOKEN"], "tok-example");
    home.run(&["profile", "set", "prod", "--also", "CF_DNS_API_TOKEN"]).expect_code(0);
    let kept = printed(&["exec", "prod", "env", "-0"]);
    assert_eq!(kept["CF_DNS_API_TOKEN"], "tok-example");
    // Nothing of it stays where another profile takes its place, or where it is taken away.
    home.token_profile("beta", "tok-beta");
    home.run(&["profile", "set", "prod", "--also", "DNS_TOKEN", "--also", "BOTH"]).expect_code(0);
    home.run(&["profile", "set", "beta", "--also", "BOTH"]).expect_code(0);
    let nested = printed(&["exec", "prod", "--", support::ALCHEMY, "exec", "beta", "--", "env", "-0"]);
    assert_eq!((nested.get("DNS_TOKEN"), nested["BOTH"].as_str()), (None, "tok-beta"));
    let taken = home.run(&["env", "prod", "--unset"]).expect_code(0).stdout;
    assert!(taken.contains("DNS_TOKEN") && taken.contains("BOTH"), "{taken}");
    home.run(&["exec", "prod", "--also", "A B", "env"]).expect_error(125, "letters, digits and '_'");
    for name in ["PATH", "ALCHEMY_ACTIVE", "CLOUDFLARE_ACCOUNT_ID", "LD_PRELOAD"] {
        home.run(&["profile", "set", "prod", "--also", name]).expect_error(2, "another meaning");
    }
}

#[test]
fn every_spelling_of_the_profile_works_and_the_command_keeps_its_own_options() {
    let home = prod();
    home.token_profile("default", "tok-default");
    let show = "printf '%s ' \"$ALCHEMY_PROFILE\" \"$@\"";
    let table: [(&[&str], &str); 6] = [
        (&["prod", "sh", "-c", show, "-p", "x", "--", "y"], "prod x -- y "),
        (&["prod", "--", "sh", "-c", show, "0", "--json"], "prod --json "),
        (&["-p", "prod", "sh", "-c", show, "0", "a"], "prod a "),
        (&["-p", "prod", "--", "sh", "-c", show, "0", "a"], "prod a "),
        (&["--", "sh", "-c", show, "0", "a"], "default a "),
        (&["prod", "--account", BETA, "--", "sh", "-c", "echo -n $CLOUDFLARE_ACCOUNT_ID"], BETA),
    ];
    for (arguments, printed) in table {
        let arguments = [&["exec"], arguments].concat();
        assert_eq!(home.run(&arguments).expect_code(0).stdout, printed, "{arguments:?}");
    }
    let mut by_other_name = home.command(ALCHEMY_EXEC);
    let output = run(by_other_name.args(["prod", "--", "sh", "-c", "echo $CLOUDFLARE_API_TOKEN"]));
    assert_eq!(output.expect_code(0).stdout, "tok-example\n");
}

#[test]
fn the_exit_code_is_the_commands_own() {
    let home = prod();
    home.run(&["exec", "prod", "--", "sh", "-c", "exit 7"]).expect_code(7);
    home.run(&["exec", "prod", "--", "sh", "-c", "kill -TERM $$"]).expect_code(143);
    home.run(&["exec", "prod", "--", "sh", "-c", "kill -KILL $$"]).expect_code(137);
}

#[test]
fn failures_of_our_own_keep_to_125_126_and_127() {
    let home = prod();
    std::fs::write(home.path().join("plain"), "echo hi").expect("written");
    home.run(&["exec", "nope", "--", "true"]).expect_error(125, "there is no profile 'nope'");
    home.run(&["exec", "../x", "--", "true"]).expect_error(125, "cannot be a profile's name");
    home.run(&["exec", "prod", "--account", "x", "true"]).expect_error(125, "is not an account's id");
    home.run(&["exec", "--account"]).expect_error(125, "--account");
    home.run(&["exec", "prod", "no-such-command"])
        .expect_error(127, "not found in PATH")
        .expect_hint("spelling");
    home.run(&["exec", "prod", "./no-such-file"]).expect_error(127, "no such file");
    home.run(&["exec", "prod", ""]).expect_error(127, "not found");
    home.run(&["exec", "prod", "/tmp"]).expect_error(126, "it is a directory");
    home.run(&["exec", "prod", "./plain"]).expect_error(126, "permission denied").expect_hint("chmod +x");
    let odd = home.path().join("odd");
    write_program(&odd, "#!/no/such/interpreter\n");
    home.run(&["exec", "prod", "./odd"]).expect_error(127, "no such file");
}

#[test]
fn a_script_without_an_interpreter_line_runs_in_the_shell() {
    let home = prod();
    let script = home.path().join("script");
    write_program(&script, "echo $0 $1 $CLOUDFLARE_API_TOKEN");
    let printed = home.run(&["exec", "prod", "./script", "one"]).expect_code(0).stdout;
    assert!(printed.ends_with("/script one tok-example\n"), "{printed}");
}

#[test]
fn a_forgotten_profile_is_answered_with_the_right_line() {
    let home = prod();
    home.run(&["exec", "sh", "-c", "true"])
        .expect_error(125, "there is no profile 'sh'")
        .expect_hint("alchemy exec -- sh …");
    home.run(&["exec", "env", "true"])
        .expect_error(125, "no profile 'env'")
        .expect_hint("alchemy exec -- env true");
    home.run(&["exec", "/bin/sh"])
        .expect_error(125, "no profile '/bin/sh'")
        .expect_hint("alchemy exec -- /bin/sh");
    home.run(&["exec", "prdo", "true"])
        .expect_error(125, "no profile 'prdo'")
        .expect_hint("did you mean prod?");
}

#[test]
fn without_a_command_it_is_the_persons_shell_and_says_so() {
    let home = prod();
    let mut command = home.alchemy_command(&["exec", "prod"]);
    let output = run(command.env("SHELL", "/usr/bin/env")).expect_code(0);
    assert!(output.stdout.contains("CLOUDFLARE_API_TOKEN=tok-example\n"));
    assert_eq!(output.stderr.lines().count(), 1);
    assert!(output.stderr.contains("prod (Acme"), "{}", output.stderr);
    let mut command = home.alchemy_command(&["exec", "-q", "prod"]);
    assert_eq!(run(command.env("SHELL", "/bin/true")).expect_code(0).stderr, "");
}

#[test]
fn arguments_and_values_that_are_no_text_pass_untouched() {
    let home = prod();
    let bytes = OsStr::from_bytes(b"\xff \x01'\"");
    let mut command = home.alchemy_command(&["exec", "prod", "--", "sh", "-c"]);
    command.arg("printf '%s|%s|%s' \"$1\" \"$2\" \"$ODD\" | od -An -tx1 | tr -d ' \\n'").arg("0");
    let output = run(command.arg(bytes).arg("").env("ODD", bytes)).expect_code(0);
    assert_eq!(output.stdout, "ff20012722".to_owned() + "7c" + "7c" + "ff20012722");
    let mut command = home.alchemy_command(&["exec"]);
    run(command.arg(bytes).arg("true")).expect_error(125, "cannot be a profile's name");
}

#[test]
fn signals_are_the_commands_as_the_caller_left_them() {
    let home = prod();
    for caller in ["", "trap '' PIPE INT;"] {
        let shown = |through: &str| {
            let mut sh = home.command("sh");
            let line = format!("{caller} exec {through} grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status");
            run(sh.args(["-c", &line, support::ALCHEMY])).expect_code(0).stdout
        };
        assert_eq!(shown("\"$0\" exec prod --"), shown(""), "{caller}");
    }
}

/// Root may read everything: where the tests are root's, everything here is done by this user.
const NOT_ROOT: u32 = 65534;

#[cfg(target_os = "linux")]
#[test]
fn no_other_process_of_its_user_reads_the_secret_out_of_it_and_the_command_is_like_any_other() {
    let signed_in = SignedIn::prod(-60);
    let binary = signed_in.home.path().join("alchemy");
    run(signed_in.home.command("cp").arg(support::ALCHEMY).arg(&binary)).expect_code(0);
    let is_root = geteuid().is_root();
    if is_root {
        let owner = format!("{NOT_ROOT}:{NOT_ROOT}");
        run(signed_in.home.command("chown").arg("-R").arg(owner).arg(signed_in.home.path())).expect_code(0);
    }
    let of_a_user = |program: &OsStr, arguments: &[&str]| {
        let mut command = signed_in.home.command(program);
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        if is_root {
            command.gid(NOT_ROOT).uid(NOT_ROOT);
        }
        command
    };
    let look_into = |pid: u32| {
        // A debugger would do with any of them.
        let look = "cat /proc/$0/environ || cat /proc/$0/maps || ls /proc/$0/fd/0 || : >>/proc/$0/mem";
        run(&mut of_a_user("sh".as_ref(), &["-c", look, &pid.to_string()]))
    };
    let gate = signed_in.server.gate(Moment::Received);
    let print = ["exec", "prod", "--", "cat", "/proc/self/environ", "-"];
    let mut waiting = of_a_user(binary.as_os_str(), &print);
    let mut waiting = waiting.stdin(Stdio::piped()).spawn().expect("started");
    gate.arrival();
    let seen = look_into(waiting.id()).expect_code(2);
    assert!(seen.stdout.is_empty() && seen.stderr.matches("ermission denied").count() == 4, "{seen:?}");
    if has("strace") {
        let attached = run(&mut of_a_user("strace".as_ref(), &["-p", &waiting.id().to_string()]));
        attached.expect_code(1);
    }
    gate.pass();
    waiting.stdin.take().expect("a pipe").write_all(b"typed").expect("written");
    let output = support::finished(waiting.wait_with_output().expect("finished")).expect_code(0);
    assert!(output.stdout.contains("CLOUDFLARE_API_TOKEN=at-hunter2-") && output.stdout.ends_with("typed"));
    // The look sees what can be seen.
    let mut other = of_a_user("sleep".as_ref(), &["600"]).spawn().expect("started");
    let seen = look_into(other.id());
    other.kill().expect("killed");
    other.wait().expect("ended");
    assert!(seen.expect_code(0).stdout.contains("PATH="));
}

/// Names the file into which a test, started by itself, writes how its programs are started.
const STARTED: &str = "ALCHEMY_TEST_STARTED";

#[cfg(target_os = "linux")]
#[test]
fn whoever_starts_the_tests_their_programs_start_as_after_a_login() {
    let home = Home::new();
    let look = ["-c", "umask; grep -E '^Sig(Blk|Ign)' /proc/self/status"];
    if let Some(file) = std::env::var_os(STARTED) {
        let mut all = run(Command::new("sh").args(look)).stdout;
        all += &run(home.command("sh").args(look)).stdout;
        let mut on_a_terminal = home.command("sh");
        on_a_terminal.args(look);
        all += &Terminal::start(on_a_terminal).finish().1;
        std::fs::write(file, all).expect("written");
        return;
    }
    let file = home.path().join("started");
    let (this, name) = (std::env::current_exe().expect("this test"), std::thread::current());
    for umask in ["000", "077"] {
        let line = format!("trap '' INT QUIT HUP TSTP TTIN TTOU CHLD ALRM; umask {umask}; exec \"$@\"");
        let mut caller = home.command("sh");
        caller.args(["-c", &line, "sh"]).arg(&this).args(["--exact", name.name().expect("a test's")]);
        run(caller.env(STARTED, &file)).expect_code(0);
        let all = std::fs::read_to_string(&file).expect("written");
        assert_eq!(all.matches("0022\n").count(), 3, "umask {umask}: {all}");
        let masks = all.lines().filter_map(|line| line.strip_prefix("Sig")?.split_once(":\t"));
        // The C library keeps 32 and 33 for itself, and ignores them in what it starts.
        let of_people = |mask: &str| u64::from_str_radix(mask, 16).expect("a number") & 0x7fff_ffff;
        let minded: Vec<_> = masks.map(|(_, mask)| of_people(mask)).collect();
        assert_eq!(minded, [0; 6], "umask {umask}: {all}");
    }
}

#[test]
fn no_core_dump_can_hold_the_secret_and_the_commands_own_can_be_made() {
    let signed_in = SignedIn::prod(-60);
    let gate = signed_in.server.gate(Moment::Received);
    let limit = |caller: u32| {
        let limits = std::fs::read_to_string(format!("/proc/{caller}/limits")).expect("limits");
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
        line.split_whitespace().nth(4).expect("the soft one").to_owned()
    };
    let mut sh = signed_in.home.command("sh");
    let line = "ulimit -c 64; exec \"$0\" exec prod -- sh -c 'ulimit -c'";
    let sh = sh.args(["-c", line, support::ALCHEMY]).stdout(Stdio::piped()).spawn().expect("started");
    gate.arrival();
    assert_eq!(limit(sh.id()), "0");
    gate.pass();
    let output = support::finished(sh.wait_with_output().expect("finished")).expect_code(0);
    assert_eq!(output.stdout, "64\n");
}

#[test]
fn another_account_in_the_environment_is_named_unless_an_outer_exec_put_it_there() {
    let home = prod();
    let with = |arguments: &[&str], account: &str| {
        run(home.alchemy_command(arguments).env("CLOUDFLARE_ACCOUNT_ID", account)).expect_code(0)
    };
    let output = with(&["exec", "prod", "true"], BETA);
    assert_eq!(output.stderr.lines().count(), 1);
    assert!(output.stderr.contains(&format!("CLOUDFLARE_ACCOUNT_ID={BETA}")), "{}", output.stderr);
    assert_eq!(with(&["exec", "prod", "true"], ACME).stderr, "");

    let other =
        ["configure", "-p", "beta", "--token-stdin", "--no-verify", "--account", BETA, "--store", "file"];
    home.run_with_input(&other, "tok-beta").expect_code(0);
    let nested = ["exec", "beta", "--", support::ALCHEMY, "exec", "prod", "--", "env", "-0"];
    let output = home.run(&nested).expect_code(0);
    assert_eq!(output.stderr, "", "the inner one replaces the outer one's in silence");
    let inner = environment(&output.stdout);
    assert_eq!((inner["ALCHEMY_PROFILE"].as_str(), inner["CLOUDFLARE_ACCOUNT_ID"].as_str()), ("prod", ACME));
    // Without a name, the outer profile goes on to apply.
    let nested = ["exec", "beta", "--", support::ALCHEMY, "exec", "--", "env", "-0"];
    assert_eq!(environment(&home.run(&nested).expect_code(0).stdout)["ALCHEMY_PROFILE"], "beta");
}

#[test]
fn an_existing_credential_goes_nowhere_else_than_to_loopback() {
    let home = prod();
    let with = |url: &str| {
        let mut command = home.alchemy_command(&["exec", "prod", "--", "env", "-0"]);
        let output = run(command.env("CLOUDFLARE_API_BASE_URL", url).env("CLOUDFLARE_BASE_URL", url));
        let output = output.expect_code(0);
        (environment(&output.stdout), output.stderr)
    };
    let urls = |after: &BTreeMap<String, String>| {
        [after["CLOUDFLARE_API_BASE_URL"].clone(), after["CLOUDFLARE_BASE_URL"].clone()]
    };
    let (after, said) = with("http://127.0.0.1:4000/client/v4");
    assert_eq!(urls(&after), ["http://127.0.0.1:4000/client/v4", "http://127.0.0.1:4000/client/v4"]);
    assert_eq!(said.lines().count(), 1, "{said}");
    for evil in ["https://evil.example/client/v4", "http://127.0.0.1@evil.example/client/v4", "garbage"] {
        let (after, said) = with(evil);
        assert!(urls(&after).iter().all(|url| url == "https://api.cloudflare.com/client/v4"), "{after:?}");
        assert!(said.contains("CLOUDFLARE_API_BASE_URL") && said.contains("ignored"), "{said}");
    }
}

#[test]
fn in_ci_the_environments_own_credential_does_what_a_profile_does_at_home() {
    let home = Home::new();
    let ci = |arguments: &[&str], more: &[(&str, &str)]| {
        let mut command = home.alchemy_command(arguments);
        command.env("CLOUDFLARE_API_TOKEN", "tok-ci").env("CLOUDFLARE_ACCOUNT_ID", ACME).env("CI", "true");
        run(command.envs(more.iter().copied()))
    };
    for arguments in [&["exec", "--", "env", "-0"][..], &["exec", "prod", "--", "env", "-0"]] {
        let output = ci(arguments, &[("CF_API_KEY", "old")]).expect_code(0);
        assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
        let after = environment(&output.stdout);
        assert_eq!(after["CLOUDFLARE_API_TOKEN"], "tok-ci");
        assert_eq!(after["CLOUDFLARE_ACCOUNT_ID"], ACME);
        assert!(!after.contains_key("ALCHEMY_PROFILE") && !after.contains_key("CF_API_KEY"));
    }
    // A name that a person gave by a variable, or on a machine with profiles, is not guessed away.
    ci(&["exec", "--", "true"], &[("ALCHEMY_PROFILE", "prod")])
        .expect_error(125, "there is no profile 'prod'");
    ci(&["exec", "prod", "true"], &[("CI", "")]).expect_error(125, "there is no profile 'prod'");
    home.token_profile("other", "tok-other");
    ci(&["exec", "prod", "true"], &[]).expect_error(125, "there is no profile 'prod'");
    // A profile that exists is used, also in CI.
    home.token_profile("default", "tok-default");
    let after = environment(&ci(&["exec", "--", "env", "-0"], &[]).expect_code(0).stdout);
    assert_eq!(after["CLOUDFLARE_API_TOKEN"], "tok-default");
}

#[test]
fn a_command_is_found_where_env_finds_it_without_path_and_with_an_empty_one() {
    let home = prod();
    let folder = home.path().join("here");
    std::fs::create_dir(&folder).expect("a folder");
    write_program(&folder.join("here-only"), "#!/bin/sh\necho here\n");
    let with = |path: Option<&str>, arguments: &[&str]| {
        let mut command = home.command(arguments[0]);
        command.args(&arguments[1..]).current_dir(&folder).env_remove("PATH");
        command.envs(path.map(|path| ("PATH", path)));
        run(&mut command)
    };
    let env = which::which("env").expect("env");
    let env = env.to_str().expect("UTF-8");
    // Nothing, the directory itself in four spellings, and neither.
    for path in [None, Some(""), Some(":"), Some("/nonexistent:"), Some("."), Some("/nonexistent")] {
        for program in ["true", "here-only", "ls", "no-such-program"] {
            let theirs = with(path, &[env, program]);
            let ours = with(path, &[ALCHEMY, "exec", "prod", "--", program]);
            assert_eq!(
                (ours.code, &ours.stdout),
                (theirs.code, &theirs.stdout),
                "{path:?} {program}: {}",
                ours.stderr
            );
        }
    }
    assert_eq!(with(None, &[ALCHEMY, "exec", "prod", "--", "true"]).code, 0);
    assert_eq!(with(Some(""), &[ALCHEMY, "exec", "prod", "--", "here-only"]).stdout, "here\n");
    // The command finds what is set as it was.
    let printed = with(None, &[ALCHEMY, "exec", "prod", "--", "env"]);
    assert!(!printed.stdout.lines().any(|line| line.starts_with("PATH=")), "{}", printed.stdout);
}
