//! A prompt at which nothing has changed starts no process, in any shell: counted by the kernel's own account of a
//! thousand of them.

mod support;

use std::fs;
use std::path::Path;

use support::bound::{bind, tell};
use support::has;
use support::hooked::{Elvish, Fish, Hooked, Nu, Shell};
use support::signed_in::SignedIn;

const PROMPTS: usize = 1000;

/// How many processes were started, by what `strace` wrote down. A thread is none: fish, Nushell and Elvish have
/// some.
fn processes(trace: &Path) -> usize {
    let trace = fs::read_to_string(trace).expect("a trace");
    trace.lines().filter(|line| !line.contains("CLONE_THREAD") && !line.contains("resumed>")).count()
}

/// A line after which the shell has shown a prompt, and how it looks when it was run.
fn quiet_line(shell: Shell, number: usize) -> (String, String) {
    let line = match shell {
        Nu => format!("print ('<' + '{number}>')"),
        Fish | Elvish => format!("echo '<'{number}'>'"),
        _ => format!("echo '<''{number}>'"),
    };
    (line, format!("<{number}>"))
}

#[test]
fn a_thousand_idle_prompts_start_no_process() {
    if !has("strace") {
        return;
    }
    tell(|shell| {
        // A binding, a pin file in force, and something that is going to run out.
        let signed_in = SignedIn::prod(86400);
        let home = &signed_in.home;
        bind(home, "prod", "acme");
        let pin = home.path().join("acme/.alchemy.toml");
        fs::write(pin, format!("account = \"{}\"\n", support::ACME)).expect("written");
        let trace = home.path().join("trace");
        let calls = "trace=execve,fork,vfork,clone,clone3";
        let strace = ["strace", "-f", "-qq", "-e", calls, "-o", trace.to_str().expect("a path")];
        let mut sh = Hooked::start_by(&strace, shell, home, ["", ""], &[]);
        sh.cd("acme");
        assert!(sh.environment().contains_key("ALCHEMY_CREDENTIAL_EXPIRATION"), "{shell:?}");
        for number in 0..2 {
            let (line, shown) = quiet_line(shell, number);
            sh.line(&line);
            sh.terminal.expect(&shown);
        }
        let before = processes(&trace);
        for number in 2..PROMPTS + 2 {
            let (line, shown) = quiet_line(shell, number);
            sh.line(&line);
            sh.terminal.expect(&shown);
        }
        assert_eq!(processes(&trace) - before, 0, "{shell:?}");

        // What is counted can be more.
        sh.cd("");
        let (line, shown) = quiet_line(shell, 0);
        sh.line(&line);
        sh.terminal.expect(&shown);
        assert!(processes(&trace) > before, "{shell:?}");
        sh.exit();
    });
}
