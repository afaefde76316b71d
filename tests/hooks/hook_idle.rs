//! A prompt at which nothing has changed starts no process, in any shell: counted by the kernel's own account of a
//! thousand of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use support::bound::{bind, home, tell, tell_to};
use support::has;
use support::hooked::{Bash, Elvish, Fish, Hooked, Nu, Zsh};
use support::signed_in::SignedIn;

const PROMPTS: usize = 1000;
/// So many are gone through between two looks.
const AT_ONCE: usize = 50;

/// How many processes were started, by what `strace` wrote down, where signals and ends stand, too. A thread is none:
/// fish, Nushell and Elvish have some.
fn processes(trace: &Path) -> usize {
    let trace = fs::read_to_string(trace).expect("a trace");
    let starts =
        |line: &&str| ["execve(", "fork(", "clone(", "clone3("].iter().any(|call| line.contains(call));
    trace.lines().filter(starts).filter(|line| !line.contains("CLONE_THREAD")).count()
}

/// Presses Enter at so many prompts, and waits for the end with a line that runs no program.
fn idle(sh: &mut Hooked, number: usize) {
    for _ in 0..AT_ONCE {
        sh.line("");
    }
    let line = match sh.shell {
        Nu => format!("print ('<' + '{number}>')"),
        Fish | Elvish => format!("echo '<'{number}'>'"),
        _ => format!("echo '<''{number}>'"),
    };
    sh.line(&line);
    sh.terminal.expect(&format!("<{number}>"));
}

/// From a directory that nothing is bound in or above to another one: by builtins alone, though something is bound
/// elsewhere. In a subshell no program is started either, wherever it goes that is not bound.
#[test]
fn where_nothing_is_bound_cd_starts_no_process() {
    if !has("strace") {
        return;
    }
    tell_to(&[Bash, Zsh, Fish], |shell| {
        let home = home();
        fs::create_dir_all(home.path().join("elsewhere/deep/down")).expect("folders");
        symlink(home.path().join("elsewhere"), home.path().join("link")).expect("a link");
        let trace = home.path().join("trace");
        let calls = "trace=execve,fork,vfork,clone,clone3";
        let strace =
            ["strace", "-f", "--seccomp-bpf", "-qq", "-e", calls, "-o", trace.to_str().expect("a path")];
        let mut sh = Hooked::start_by(&strace, shell, &home, ["", ""], &[]);
        sh.cd("elsewhere");
        assert!(!sh.environment().contains_key("ALCHEMY_ACTIVE"), "{shell:?}");
        idle(&mut sh, 1);
        let before = processes(&trace);
        for number in 2..6 {
            for directory in ["elsewhere/deep", "elsewhere", "", "link/deep/down", "elsewhere"] {
                sh.cd(directory);
            }
            if shell != Fish {
                sh.line("cd deep; cd ..; f() { cd deep/down && cd ../..; }; f; pushd deep >/dev/null; popd >/dev/null");
            }
            idle(&mut sh, number);
        }
        assert_eq!(processes(&trace) - before, 0, "{shell:?}");
        if shell == Fish {
            sh.line("set x (cd deep; cd ..; cd ../link; pwd); cd ../elsewhere");
            idle(&mut sh, 6);
            assert_eq!(processes(&trace) - before, 0, "{shell:?}");
        } else {
            let programs = |trace: &Path| {
                let text = fs::read_to_string(trace).expect("a trace");
                text.lines().filter(|line| line.contains("execve(")).count()
            };
            let before = programs(&trace);
            sh.line("x=$(cd deep && pwd); (cd deep/down; cd -) >/dev/null; x=$(cd ../link; (cd ..; cd /))");
            idle(&mut sh, 6);
            assert_eq!(programs(&trace) - before, 0, "{shell:?}");
            // Nor from where something is active, to where nothing is and to where the same is.
            sh.cd("acme");
            idle(&mut sh, 7);
            let before = programs(&trace);
            sh.line("x=$(cd sub && pwd); (cd ../elsewhere/deep; cd ../../acme/sub); x=$(cd /; cd /tmp)");
            idle(&mut sh, 8);
            assert_eq!(programs(&trace) - before, 1, "{shell:?}: back into acme only");
        }
        sh.exit();
    });
}

/// Within what is bound all stays as it is: alchemy is started to say so, and nothing to look at each variable.
#[test]
fn within_what_is_bound_cd_starts_alchemy_alone() {
    if !has("strace") {
        return;
    }
    tell_to(&[Bash, Zsh, Fish], |shell| {
        let home = home();
        let trace = home.path().join("trace");
        let calls = "trace=execve,fork,vfork,clone,clone3";
        let strace =
            ["strace", "-f", "--seccomp-bpf", "-qq", "-e", calls, "-o", trace.to_str().expect("a path")];
        let mut sh = Hooked::start_by(&strace, shell, &home, ["", ""], &[]);
        sh.cd("acme");
        idle(&mut sh, 1);
        let before = processes(&trace);
        for directory in ["acme/sub", "acme/sub/dir", "acme"] {
            sh.cd(directory);
        }
        idle(&mut sh, 2);
        // Each is a process and the program in it.
        assert_eq!(processes(&trace) - before, 3 * 2, "{shell:?}");
        sh.exit();
    });
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
        let strace =
            ["strace", "-f", "--seccomp-bpf", "-qq", "-e", calls, "-o", trace.to_str().expect("a path")];
        let mut sh = Hooked::start_by(&strace, shell, home, ["", ""], &[]);
        sh.cd("acme");
        assert!(sh.environment().contains_key("ALCHEMY_CREDENTIAL_EXPIRATION"), "{shell:?}");
        idle(&mut sh, 1);
        let before = processes(&trace);
        for number in 1..=PROMPTS / AT_ONCE {
            idle(&mut sh, number);
        }
        assert_eq!(processes(&trace) - before, 0, "{shell:?}");

        // What is counted can be more.
        sh.cd("");
        idle(&mut sh, 0);
        assert!(processes(&trace) > before, "{shell:?}");
        sh.exit();
    });
}
