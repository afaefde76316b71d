//! The manual pages: every command has one, and what formats them has nothing to say.

use std::fs;
use std::path::Path;
use std::process::Command;

use support::{Home, has, run};

/// The names of the commands that help shows, and not `help` itself.
fn commands(home: &Home, of: &[&str]) -> Vec<String> {
    let help = home.run(&[of, &["--help"]].concat()).expect_code(0).stdout;
    let listed = help.split("Commands:\n").nth(1).unwrap_or_default().lines();
    let listed = listed.take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    listed
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_its_page_and_its_line_on_the_main_one() {
    let home = Home::new();
    let out = home.path().join("man");
    home.run(&["man", "--out", out.to_str().expect("UTF-8")]).expect_code(0);
    let page = |name: &str| fs::read_to_string(out.join(format!("{name}.1"))).expect("a page");
    assert_eq!(home.run(&["man"]).expect_code(0).stdout, page("alchemy"));
    let top = commands(&home, &[]);
    assert!(top.iter().any(|name| name == "exec") && top.len() > 8, "{top:?}");
    for name in &top {
        assert_eq!(home.run(&["man", name]).expect_code(0).stdout, page(&format!("alchemy-{name}")));
        assert!(page("alchemy").contains(&format!("alchemy\\-{}(1)", name.replace('-', "\\-"))), "{name}");
    }
    for name in commands(&home, &["profile"]) {
        let own = page(&format!("alchemy-profile-{name}"));
        assert_eq!(home.run(&["man", "profile", &name]).expect_code(0).stdout, own);
    }
    assert!(page("alchemy-exec").contains("125"), "its exit codes");
    let all = fs::read_dir(&out).expect("listed").count();
    assert_eq!(all, 1 + top.len() + commands(&home, &["profile"]).len(), "and no other");
    home.run(&["man", "nonsense"]).expect_error(2, "nonsense").expect_hint("alchemy(1)");
    home.run(&["man", "__complete"]).expect_error(2, "__complete");
}

#[test]
fn the_pages_are_formatted_without_a_warning() {
    let home = Home::new();
    let out = home.path().join("man");
    home.run(&["man", "--out", out.to_str().expect("UTF-8")]).expect_code(0);
    let pages = || fs::read_dir(&out).expect("listed").map(|entry| entry.expect("an entry").path());
    let lint = |page: &Path, program: &mut Command| {
        let output = run(program.arg(page));
        // They have no date: the version says how old they are.
        let said = output.stdout + &output.stderr;
        let said: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
        assert!(said.is_empty(), "{}: {said:#?}", page.display());
    };
    for page in pages() {
        if has("mandoc") {
            lint(&page, Command::new("mandoc").args(["-T", "lint", "-W", "warning"]));
        }
        if has("groff") {
            lint(&page, Command::new("groff").args(["-man", "-ww", "-z", "-T", "utf8"]));
        }
    }
}
