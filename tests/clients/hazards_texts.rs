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

#[test]
fn what_the_code_names_that_a_runtime_is_given_may_be_run_loaded_or_set() {
    for name in ["ruby", "perl", "zx"] {
        for (text, is_other) in [
            ("process.chdir('packages/api')\n", true),
            ("spawn('wrangler', ['deploy'], { cwd: path.join(root, \"packages\", \"api\") })\n", true),
            ("execSync(`./scripts/d.sh`)\n", true),
            ("execSync(\"bash -c 'cd packages; cd api; wrangler deploy'\")\n", true),
            ("process.chdir('packages/web')\n// packages/api\n", false),
            ("await $`cd packages/web && wrangler deploy`\nimport x from 'alchemy'\n", false),
        ] {
            let case = repository(&[("scripts/deploy.mjs", text), ("package.json", "{}")]);
            add_program(&case, name);
            for program in ["node", "tsx", "bun", "deno run", "python3", name] {
                if program != "tsx" {
                    add_program(&case, program.split(' ').next().expect("a word"));
                }
                let line = format!("{program} scripts/deploy.mjs");
                if is_other {
                    case.possible(&line, API);
                } else {
                    case.fine(&line);
                }
            }
        }
    }
    let case = repository(&[("scripts/run", "#!/usr/bin/env node\nprocess.chdir(\"./packages/api\")\n")]);
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(case.places.path("code/scripts/run"), mode).expect("executable");
    case.possible("./scripts/run", API);
    case.possible("timeout 9 ./scripts/run", API);
}

#[test]
fn assignments_in_texts_that_are_not_understood_may_count() {
    let account = "CLOUDFLARE_ACCOUNT_ID replaces the account";
    for text in [
        format!("process.env.CLOUDFLARE_ACCOUNT_ID = '{BETA}'"),
        format!("os.environ[\"CLOUDFLARE_ACCOUNT_ID\"]=\"{BETA}\""),
        format!("spawn('x', {{ env: {{ ...process.env, CLOUDFLARE_ACCOUNT_ID: `{BETA}` }} }})"),
        "process.env.CLOUDFLARE_ACCOUNT_ID ??= other".to_owned(),
    ] {
        let case = repository(&[("x.mjs", &format!("\n{text}\n"))]);
        case.possible("node x.mjs", &format!("~/code/x.mjs, line 2: {account}"));
    }
    for text in [
        format!("process.env.CLOUDFLARE_ACCOUNT_ID = '{ACME}'"),
        "const id = process.env.CLOUDFLARE_ACCOUNT_ID;".to_owned(),
        "if (process.env.CLOUDFLARE_ACCOUNT_ID === 'x') y()".to_owned(),
        "env: { CLOUDFLARE_API_TOKEN: process.env.CLOUDFLARE_API_TOKEN }".to_owned(),
        "interface Env { CLOUDFLARE_API_TOKEN: string }".to_owned(),
        "# CLOUDFLARE_API_TOKEN=x".to_owned(),
    ] {
        repository(&[("x.mjs", &text)]).fine("node x.mjs");
    }
}

#[test]
fn the_own_files_of_programs_are_looked_through() {
    let token = "CLOUDFLARE_API_TOKEN=hunter2-other\n";
    for (file, text, line) in [
        ("Taskfile.yml", "tasks:\n  d:\n    dir: ./packages/api\n    cmds: [wrangler deploy]\n", "task d"),
        ("Taskfile.yml", "tasks:\n  d:\n    cmds:\n      - cd packages/api && wrangler deploy\n", "task d"),
        ("Taskfile.yml", "tasks:\n  d:\n    cmds:\n      - ./scripts/d.sh\n", "task d"),
        ("compose.yaml", "services:\n  x:\n    volumes:\n      - ./packages/api:/app\n", "docker compose up"),
        ("docker-compose.yml", "services:\n  x:\n    build: packages/api\n", "docker compose up"),
        ("Procfile", "web: bash -c 'cd packages; cd api; wrangler deploy'\n", "foreman start"),
        ("Procfile", "web: npm run d\n", "foreman start"),
    ] {
        let scripts = r#"{"scripts":{"d":"./scripts/d.sh"}}"#;
        let case = repository(&[(file, text), ("package.json", scripts)]);
        case.possible(line, API);
        let own = text.replace("api", "web").replace("d.sh", "w.sh").replace("npm run d", "npm run none");
        case.places.write(&format!("code/{file}"), own);
        case.fine(line);
    }
    for text in [
        "services:\n  x:\n    env_file: config/prod.env\n",
        "services:\n  x:\n    env_file:\n      - config/prod.env\n",
    ] {
        let case = repository(&[("compose.yaml", text), ("config/prod.env", token)]);
        case.possible(
            "docker compose up",
            "~/code/config/prod.env, line 1: CLOUDFLARE_API_TOKEN goes before",
        );
    }
    let text = "services:\n  x:\n    environment:\n      CLOUDFLARE_API_TOKEN: hunter2-other\n";
    let case = repository(&[("compose.yaml", text), ("vars", token)]);
    case.possible(
        "docker compose up",
        "~/code/compose.yaml, line 4: CLOUDFLARE_API_TOKEN replaces the token",
    );
    case.possible("docker run --env-file vars x", "~/code/vars, line 1: CLOUDFLARE_API_TOKEN goes before");
    case.places.write("code/compose.yaml", text.replace(": hunter2-other", ": ${CLOUDFLARE_API_TOKEN}"));
    case.fine("docker compose up");
}

#[test]
fn what_direnv_loads_counts() {
    let case = repository(&[("web/.envrc", "export CLOUDFLARE_API_TOKEN=hunter2-other\n")]);
    case.evident(
        "direnv exec web make",
        "~/code/web/.envrc, line 1: CLOUDFLARE_API_TOKEN replaces the token",
    );
    case.places.write("code/web/.envrc", "source_up\nexport A=1\n");
    case.fine("direnv exec web make");
    case.possible("sh -c 'eval \"$(direnv export bash)\"'", UNKNOWN);
}

#[test]
fn a_text_that_names_too_much_is_told() {
    let names = (0..5_000).map(|n| format!("a{n} ")).collect::<Vec<_>>().concat();
    repository(&[("x.mjs", &names)]).refused("node x.mjs", &[], "names more than 4096 files");
    let large = "// x\n".repeat(300_000);
    repository(&[("x.mjs", &large)]).refused("node x.mjs", &[], "~/code/x.mjs is larger than 1024 KiB");
    let deep = (0..3_000).map(|n| format!("'make e{n}'\n")).collect::<Vec<_>>().concat();
    repository(&[("x.mjs", &deep)]).refused("node x.mjs", &[], "calls more programs than are looked at");
}

#[test]
fn what_make_makes_by_variables_counts() {
    let ship = "\tcd packages/api && wrangler deploy\n";
    for text in [
        format!("DEPS = ship\nx: $(DEPS)\nship:\n{ship}"),
        format!("PKGS = api\nx: $(PKGS:%=ship-%)\nship-%:\n{ship}"),
        format!("D = out\nx: out/.stamp\n$(D)/.stamp:\n{ship}"),
    ] {
        let case = repository(&[("Makefile", &text)]);
        case.refused("make x", &[], API);
        case.places.write("code/Makefile", text.replace("packages/api", "packages/web"));
        case.fine("make x");
    }
    for text in ["define r\nwrangler deploy\nendef\nx:\n\t$(r)\n", "x:\n\t$(call run,a)\n"] {
        repository(&[("Makefile", text)]).possible("make x", UNKNOWN);
    }
    repository(&[("Makefile", "x: $(wildcard *.c)\n\t$(RM) -r out\n\t$(CC) x.c\n")]).fine("make x");
}
