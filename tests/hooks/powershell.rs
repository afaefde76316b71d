//! PowerShell can be installed nowhere that the tests run. What is meant for it is at least parsed, by a grammar of
//! the language, and found whole.

use support::Home;
use support::lint::powershell_mistake as mistake;

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
    let hook = include_str!("../../shell/hook.ps1");
    for (right, wrong) in [("try {", "try"), ("catch {", "catch ("), ("foreach ($name in", "foreach ($name")]
    {
        assert_ne!(mistake(&hook.replacen(right, wrong, 1)), None, "{wrong}");
    }
}
