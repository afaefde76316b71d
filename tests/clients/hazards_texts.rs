//! What outranks the credential behind what only may be run, or is known only when it runs: scripts among the words of
//! programs that the table does not have, texts that a shell is given, and files that programs read.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use support::{ACME, BETA, write_program};

use super::hazards::Case;

const API: &str = "~/code/packages/api/wrangler.toml, line 1: account_id";
const UNKNOWN: &str = "known only when it runs";

/// A repository with another account in one of its packages, and with these files.
fn repository(files: &[(&str, &str)]) -> Case {
    let (own, beta) = (format!("account_id = \"{ACME}\""), format!("account_id = \"{BETA}\""));
    let fixed = [
        ("wrangler.toml", own.as_str()),
        ("packages/api/wrangler.toml", beta.as_str()),
        ("packages/web/wrangler.toml", own.as_str()),
        ("scripts/d.sh", "cd packages/api && wrangler deploy\n"),
        ("scripts/w.sh", "cd packages/web && wrangler deploy\n"),
    ];
    let case = Case::new(&[&fixed[..], files].concat());
    for script in ["scripts/d.sh", "scripts/w.sh"] {
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(case.places.path(&format!("code/{script}")), mode).expect("executable");
    }
    case
}

/// The same with a script, which `bash -n x.sh` reads and does not run.
fn script(text: &str) -> Case {
    repository(&[("x.sh", text)])
}

/// Does nothing under the name of a program.
fn add_program(case: &Case, name: &str) {
    write_program(&case.places.path("bin").join(name), "#!/bin/sh\n");
}

#[test]
fn a_script_behind_a_program_that_the_table_does_not_have_is_read() {
    let scripts = r#"{"scripts":{"d":"cross-env A=1 ./scripts/d.sh","w":"cross-env A=1 ./scripts/w.sh"}}"#;
    let case = repository(&[("package.json", scripts), ("notes.md", "don't `cd packages/api`\n")]);
    let wrappers = [
        "timeout 60",
        "nice",
        "nohup",
        "stdbuf -oL",
        "watch",
        "setsid",
        "flock F",
        "parallel",
        "doppler run --",
        "docker compose run x",
    ];
    for wrapper in wrappers {
        add_program(&case, wrapper.split(' ').next().expect("a word"));
        case.refused(&format!("{wrapper} ./scripts/d.sh"), &[], API);
        case.fine(&format!("{wrapper} ./scripts/w.sh"));
    }
    case.possible("tool --exec=./scripts/d.sh", API);
    case.possible("npm run d", API);
    case.fine("npm run w");
    case.fine("tool ./notes.md");
}

#[test]
fn every_file_that_a_script_puts_into_variables_counts_whatever_its_name() {
    for (file, text) in [
        ("config/prod.env", "export $(cat config/prod.env | xargs)"),
        ("config/prod.env", "env $(cat config/prod.env) wrangler deploy"),
        ("config/prod.sh", "eval \"$(cat config/prod.sh)\""),
        ("config/prod.env", "while read -r l; do export \"$l\"; done < config/prod.env"),
        ("vars", "export $(grep -v '^#' vars | xargs)"),
        (".dev.vars", "export $(< .dev.vars)"),
        ("vars", "v=`cat vars`; export $v"),
    ] {
        let case = repository(&[("x.sh", text), (file, "CLOUDFLARE_API_TOKEN=hunter2-other\n")]);
        case.refused(
            "bash -n x.sh",
            &[],
            &format!("~/code/{file}, line 1: CLOUDFLARE_API_TOKEN goes before"),
        );
        case.places.write(&format!("code/{file}"), format!("A=1\nCLOUDFLARE_ACCOUNT_ID={ACME}\n"));
        case.fine("bash -n x.sh");
    }
    for text in [
        "export $(cat vars)",
        "export $(pass show cf)",
        "env $(pass show cf) wrangler deploy",
        "cat x.sh; export $(pass show cf)",
        "export \"$1\"",
        "eval \"$(pass show cf)\"",
        "eval \"$X\"",
        ". <(pass show cf)",
    ] {
        script(text).possible("bash -n x.sh", UNKNOWN);
    }
    for text in
        ["export A=$(cat vars)", "export PATH=\"$(pwd):$PATH\"", "a=(\"$@\"\n\"$b\")", "env A=1 tool \"$1\""]
    {
        script(text).fine("bash -n x.sh");
    }
}

#[test]
fn a_shell_that_is_given_a_text_otherwise_reads_it_or_is_unknown() {
    for text in ["sh < scripts/d.sh", "sudo -E bash -s <scripts/d.sh"] {
        script(text).refused("bash -n x.sh", &[], API);
        script(&text.replace("d.sh", "w.sh")).fine("bash -n x.sh");
    }
    case_of_eval();
    for text in [
        "cat scripts/d.sh | sh",
        "curl -s x | (cd .; bash -s -- a)",
        "sh -c \"$(cat scripts/d.sh)\"",
        "sh -c \"$(cat scripts/d.sh); true\"",
        "bash <(cat scripts/d.sh)",
        "bash \"$1\"",
        ". \"$1\"",
        "bash <<< \"$1\"",
        "echo x | python3",
    ] {
        script(text).possible("bash -n x.sh", UNKNOWN);
    }
    for text in ["ls | sh scripts/w.sh", "x | sh <<'E'\ntrue\nE\n", "sh -c 'cd packages/web' | cat"] {
        script(text).fine("bash -n x.sh");
    }
}

/// What is written of a file that is there is that file.
#[track_caller]
fn case_of_eval() {
    for text in ["eval \"$(cat scripts/d.sh)\"", ". <(cat scripts/d.sh)"] {
        script(text).possible("bash -n x.sh", API);
        script(&text.replace("d.sh", "w.sh")).fine("bash -n x.sh");
    }
}

#[test]
fn a_command_that_is_known_only_when_it_runs_is_unknown() {
    for text in [
        "W=\"wrangler deploy --cwd packages/api\"; $W",
        "\"$@\"",
        "$(cat command) deploy",
        "a=(wrangler deploy)\n\"${a[@]}\"",
        "if true; then \"$X\" deploy; fi",
    ] {
        script(text).possible("bash -n x.sh", UNKNOWN);
    }
    for text in ["[ -f \"$1\" ] && true", "case \"$1\" in a) true;; esac", "tool '$X y'", "A=\"$1\" true"] {
        script(text).fine("bash -n x.sh");
    }
}
