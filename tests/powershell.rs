//! PowerShell can be installed nowhere that the tests run. What is meant for it is at least parsed, by a grammar of
//! the language, and found whole.

mod support;

use support::Home;
use tree_sitter::{Node, Parser};

/// The first place that is no PowerShell: its line, and what stands there.
fn mistake(script: &str) -> Option<(usize, String)> {
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

#[test]
fn what_is_printed_for_powershell_is_powershell() {
    let home = Home::new();
    home.token_profile("prod", "it's \u{2019}a $token `n\" -hunter2");
    for arguments in [
        &["hook", "pwsh"][..],
        &["completions", "pwsh"],
        &["env", "prod", "--format", "pwsh"],
        &["env", "--unset", "--format", "pwsh"],
    ] {
        let script = home.run(arguments).expect_code(0).stdout;
        assert_eq!(mistake(&script), None, "{arguments:?}");
    }
}

#[test]
fn a_mistake_is_found() {
    let hook = include_str!("../shell/hook.ps1");
    for (right, wrong) in [("try {", "try"), ("catch {", "catch ("), ("foreach ($name in", "foreach ($name")]
    {
        assert_ne!(mistake(&hook.replacen(right, wrong, 1)), None, "{wrong}");
    }
}
