//! What a runner of GitHub Actions does with the steps of a composite action, as GitHub documents it: inputs, the
//! files behind `GITHUB_ENV` and `GITHUB_OUTPUT`, the command `add-mask`, and stars in the log.
//!
//! It knows no more than that: steps with `run` and `shell: bash`, one expression `${{ a.b }}` after the other.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, pipe};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::Home;

/// A job on a runner.
pub struct Job<'h> {
    home: &'h Home,
    /// What every step gets.
    pub environment: BTreeMap<String, String>,
    masks: Vec<String>,
    /// What everyone may read.
    pub log: String,
}

impl<'h> Job<'h> {
    /// `secrets`: what the runner knows to hide from the start.
    pub fn start(home: &'h Home, environment: &[(&str, &str)], secrets: &[&str]) -> Self {
        let runners = [("GITHUB_ACTIONS", "true"), ("CI", "true")];
        let environment = runners.iter().chain(environment);
        let environment =
            environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let masks = secrets.iter().map(|secret| (*secret).to_owned()).collect();
        Self { home, environment, masks, log: String::new() }
    }

    /// Runs a composite action; its outputs.
    #[track_caller]
    pub fn uses(&mut self, action: &Value, with: &[(&str, &str)]) -> BTreeMap<String, String> {
        assert_eq!(action["runs"]["using"], "composite");
        let mut known = BTreeMap::new();
        for (name, input) in action["inputs"].as_object().into_iter().flatten() {
            let given = with.iter().find(|(given, _)| given == name).map(|(_, value)| *value);
            let value = given.or(input["default"].as_str());
            assert!(value.is_some() || input["required"] != true, "the input {name} is required");
            known.insert(format!("inputs.{name}"), value.unwrap_or_default().to_owned());
        }
        for step in action["runs"]["steps"].as_array().expect("steps") {
            let variables = step["env"].as_object().into_iter().flatten();
            let variables =
                variables.map(|(name, value)| (name.clone(), evaluated(text(value), &known))).collect();
            let outputs = self.run(&evaluated(text(&step["run"]), &known), &variables);
            let id = step["id"].as_str().unwrap_or_default();
            known.extend(
                outputs.into_iter().map(|(name, value)| (format!("steps.{id}.outputs.{name}"), value)),
            );
        }
        let outputs = action["outputs"].as_object().into_iter().flatten();
        outputs.map(|(name, output)| (name.clone(), evaluated(text(&output["value"]), &known))).collect()
    }

    /// Runs a step; its outputs.
    #[track_caller]
    pub fn run(&mut self, script: &str, variables: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let [script_file, environment, output] = ["step.sh", "env", "output"].map(|name| {
            let file = self.home.path().join(format!("_runner_{name}"));
            fs::write(&file, if name == "step.sh" { script } else { "" }).expect("written");
            file
        });
        let mut command = self.home.command("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail"]).arg(&script_file);
        command.envs(&self.environment).envs(variables);
        command.env("GITHUB_ENV", &environment).env("GITHUB_OUTPUT", &output);
        let (status, lines) = both_streams(command);
        for line in lines {
            if let Some(data) = line.trim_start().strip_prefix("::add-mask::") {
                let unescaped = data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%");
                self.masks.push(unescaped);
                self.log += "::add-mask::***\n";
            } else {
                let hidden = self.masks.iter().fold(line, |line, mask| line.replace(mask, "***"));
                self.log += &(hidden + "\n");
            }
        }
        assert!(status.success(), "the step fails:\n{}", self.log);
        self.environment.extend(file_commands(&environment));
        file_commands(&output)
    }
}

/// How a command ended, and the lines that it wrote, to whichever stream.
fn both_streams(mut command: Command) -> (std::process::ExitStatus, Vec<String>) {
    let (reader, writer) = pipe().expect("a pipe");
    command.stdout(writer.try_clone().expect("another descriptor")).stderr(writer);
    let mut child = command.spawn().expect("started");
    drop(command); // it holds the other end
    let lines = BufReader::new(reader).lines().map(|line| line.expect("text")).collect();
    (child.wait().expect("an end"), lines)
}

/// `NAME=value`, or `NAME<<DELIMITER` and lines until that (the runner's `FileCommandManager.cs`).
fn file_commands(file: &PathBuf) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).expect("read");
    let mut lines = text.split('\n');
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        let (equals, here) = (line.find('='), line.find("<<"));
        if let Some(at) = equals.filter(|at| here.is_none_or(|here| *at < here)) {
            found.insert(line[..at].to_owned(), line[at + 1..].to_owned());
        } else if let Some(at) = here {
            let delimiter = &line[at + 2..];
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            found.insert(line[..at].to_owned(), value.join("\n"));
        } else {
            assert_eq!(line, "", "this is no variable");
        }
    }
    found
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// The text with every `${{ name }}` replaced by what is known of it.
fn evaluated(text: &str, known: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, expression)) = rest.split_once("${{") {
        let (name, after) = expression.split_once("}}").expect("an end");
        out += before;
        out += known.get(name.trim()).unwrap_or_else(|| panic!("{name} is not known"));
        rest = after;
    }
    out + rest
}
