//! The documentation does what it says: every command block of the README and of `docs/` is run, on a terminal, and
//! shows what stands there; every other block is read by a parser of its language.
//!
//! `tests/support/markdown.rs` says what can stand before a block, `tests/support/console.rs` where it is run. A
//! `…` in the output stands for anything in a line; alone, for any lines. Each file is one run from top to bottom,
//! in a home of its own. `ALCHEMY_DOCS_UPDATE=1 cargo test --test release docs` writes what is shown into the files.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use snapbox::Data;
use snapbox::filter::NormalizeToExpected;
use snapbox::report::{Palette, write_diff};
use support::console::{Console, is_complete};
use support::lint;
use support::markdown::{self, Block, Step, What};
use support::online::SECRET;
use support::{ACME, BETA, has};

/// What is not run, in the order of the files, each time with the reason that stands there. Nothing else may be left
/// out.
const SKIPPED: [(&str, &str); 5] = [
    ("README.md", "tests/run runs it after all tests"),
    ("README.md", "it is what runs this"),
    ("README.md", "it builds for minutes"),
    ("docs/ci.md", "it needs a Docker daemon; tests/release/ci.rs has the same program read the file"),
    ("docs/speed.md", "it builds for minutes"),
];

macro_rules! documents {
    ($($test:ident: $path:literal,)*) => {
        $(#[test]
        fn $test() {
            runs($path);
        })*

        const DOCUMENTS: &[&str] = &[$($path),*];

        #[test]
        fn every_document_is_run() {
            let mut found = vec!["README.md".to_owned()];
            let folder = fs::read_dir(root().join("docs")).into_iter().flatten();
            found.extend(folder.map(|entry| {
                format!("docs/{}", entry.expect("an entry").file_name().into_string().expect("UTF-8"))
            }));
            found.sort();
            assert_eq!(found, DOCUMENTS);
        }
    };
}

documents! {
    readme: "README.md",
    architecture: "docs/architecture.md",
    ci: "docs/ci.md",
    environment: "docs/environment.md",
    exit_codes: "docs/exit-codes.md",
    migrating: "docs/migrating.md",
    oauth: "docs/oauth.md",
    profiles: "docs/profiles.md",
    programs: "docs/programs.md",
    security: "docs/security.md",
    shells: "docs/shells.md",
    speed: "docs/speed.md",
    troubleshooting: "docs/troubleshooting.md",
}

#[test]
fn nothing_in_a_document_escapes() {
    for (text, line, words) in [
        ("text\n\n    indented\n", 3, "an indented block is not run"),
        ("# A\n\n```\n$ ls\n```\n", 3, "without a language"),
        ("- a list\n  ```console\n  $ ls\n  ```\n", 2, "inside a list"),
        ("<!-- test: sing-in -->\n", 1, "nobody knows the directive 'sing-in'"),
        ("<!-- test: keyring: yes -->\n", 1, "nobody knows the directive 'keyring', or not so"),
        ("<!-- test: skip: it fails -->\n```sh\nls\n```\n", 1, "skip because REASON"),
        ("text <!-- test: fresh -->\n", 1, "on lines of its own"),
        ("<!-- test: status: 1 -->\n\n## B\n", 3, "before no block"),
    ] {
        let why = markdown::steps(text).err().unwrap_or_else(|| panic!("{text}"));
        assert!(why.starts_with(&format!("line {line}: ")) && why.contains(words), "{why}\n{text}");
    }
    let text = "a\n<!-- test: fresh -->\n<!-- test: keys: a: => enter; b => x -->\n```console\n$ a \\\n> b\n> c\n$ d\n```\n";
    let steps = markdown::steps(text).expect("sound");
    let [Step { line: 2, what: What::Fresh }, Step { line: 4, what: What::Block(block) }] = &steps[..] else {
        panic!("two steps, at their lines");
    };
    assert_eq!(block.marks.keys, [("a:".to_owned(), "enter".to_owned()), ("b".to_owned(), "x".to_owned())]);
    let commands = markdown::commands(block, is_complete).expect("commands");
    let commands = commands.iter().map(|each| (each.line, &each.text[..], &each.expected[..]));
    assert_eq!(commands.collect::<Vec<_>>(), [(5, "a \\\nb", "> c\n"), (8, "d", "")]);
}

#[test]
fn an_ellipsis_stands_for_what_it_was_written_for() {
    for (shown, expected, is_like) in [
        ("in 59m\n", "in …m\n", true),
        ("in 1h\n", "in …m\n", false),
        ("a\nb\nc\n", "a\n…\nc\n", true),
        ("a\nc\n", "a\nb\nc\n", false),
        ("", "a\n", false),
        ("a\n", "", false),
    ] {
        let (expected, text) = like(shown, expected);
        assert_eq!(expected == text, is_like, "{shown:?} {expected:?} {text:?}");
    }
    assert_eq!(like("a 1\nb 2\n", "a …\nb 1\n").1, "a …\nb 2\n");
}

#[test]
fn every_language_has_somebody_who_reads_it() {
    for (language, sound, faulty) in [
        ("sh", "echo \"$HOME\"\n", "echo $HOME/*.txt $(ls *.txt\n"),
        ("fish", "if true; echo a; end\n", "if true; echo a\n"),
        ("zsh", "[[ -n $a ]] && print a\n", "[[ -n $a && print a\n"),
        ("nu", "let a = 1\n", "let a = (1\n"),
        ("elvish", "var a = [1 2]\n", "var a = [1 2\n"),
        ("tcsh", "if ($?prompt) echo a\n", "foreach x (a b\n"),
        ("powershell", "$env:A = 'b'\n", "$env:A = 'b\n"),
        ("toml", "a = 1\n", "a = \n"),
        ("json", "{ \"a\": 1 }\n", "{ \"a\": 1, }\n"),
    ] {
        assert_eq!(lint::read(language, sound, None), Ok(()), "{language}");
        assert!(lint::read(language, faulty, None).is_err(), "{language}");
    }
    let workflow = "on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.sha }}\n";
    assert_eq!(lint::read("yaml", workflow, Some("github-workflows")), Ok(()));
    for faulty in [workflow.replace("runs-on", "runs-of"), workflow.replace("github.sha", "githup.sha")] {
        assert!(lint::read("yaml", &faulty, Some("github-workflows")).is_err(), "{faulty}");
    }
    assert!(lint::read("yaml", "a: { stage: 7 }\n", Some("gitlab-ci")).is_err(), "a stage is a name");
    assert!(lint::read("yaml", "a: 1\n", None).is_err(), "nothing says what it is");
    assert!(lint::read("cobol", "", None).is_err(), "nobody reads it");
}

#[test]
fn every_link_leads_somewhere() {
    for path in DOCUMENTS {
        let file = root().join(path);
        let text = fs::read_to_string(&file).expect("read");
        for link in markdown::links(&text).iter().filter(|link| !link.contains("://")) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { file.clone() } else { file.with_file_name(target) };
            assert!(target.exists(), "{path} links to {link}");
            if !anchor.is_empty() {
                let anchors = markdown::anchors(&fs::read_to_string(target).expect("read"));
                assert!(anchors.iter().any(|known| known == anchor), "{path} links to {link}: {anchors:?}");
            }
        }
    }
}

#[test]
fn no_document_holds_what_could_be_a_secret() {
    for path in DOCUMENTS {
        let text = fs::read_to_string(root().join(path)).expect("read");
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && !"_-".contains(c)) {
            let is_mixed = word.contains(|c: char| c.is_ascii_digit()) && word.contains(char::is_alphabetic);
            assert!(word.len() < 32 || !is_mixed || [ACME, BETA].contains(&word), "{path}: {word}");
            assert!(!word.contains(SECRET), "{path}: {word}");
        }
    }
}

#[test]
fn the_variables_of_the_page_are_those_of_the_program() {
    let (mut known, mut folders) = (BTreeSet::new(), vec![root().join("src"), root().join("shell")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).expect("text");
                let is_rust = path.extension().is_some_and(|extension| extension == "rs");
                known.extend(variables(&text, if is_rust { '"' } else { '$' }));
            }
        }
    }
    let page = variables(&fs::read_to_string(root().join("docs/environment.md")).expect("read"), '`');
    let missing: Vec<_> = known.difference(&page).collect();
    let unknown: Vec<_> = page.difference(&known).collect();
    assert!(missing.is_empty(), "docs/environment.md does not name {missing:?}");
    assert!(unknown.is_empty(), "docs/environment.md names {unknown:?}, and nothing in src does");
    assert!(page.len() > 40, "{page:?}");
}

/// The names of variables in a text that stand just behind a mark.
fn variables(text: &str, mark: char) -> BTreeSet<String> {
    let prefixes = ["ALCHEMY_", "CLOUDFLARE_", "CF_", "WRANGLER_"];
    let names = text.split(mark).skip(1).map(|rest| {
        let is_name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        rest.trim_start_matches('{').split(|c| !is_name(c)).next().unwrap_or_default()
    });
    // What ends so is the beginning of names.
    let names =
        names.filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)) && !name.ends_with('_'));
    names.map(str::to_owned).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A document as it is run.
struct Run {
    path: &'static str,
    /// What is wrong.
    faults: String,
    /// Lines in the file, and what they should be.
    shown: Vec<(std::ops::Range<usize>, String)>,
    skipped: Vec<String>,
}

#[track_caller]
fn runs(path: &'static str) {
    let text = fs::read_to_string(root().join(path)).expect("read");
    let steps = markdown::steps(&text).unwrap_or_else(|why| panic!("{path}: {why}"));
    let mut run = Run { path, faults: String::new(), shown: Vec::new(), skipped: Vec::new() };
    let mut console = Console::start();
    for Step { line, what } in &steps {
        if !matches!(what, What::Block(_)) {
            eprintln!("{path}:{line}: a directive"); // known, should it fail
        }
        let is_here = match what {
            What::Keyring => console.with_keyring(),
            What::Wrangler => console.with_wrangler(),
            What::Docker => console.with_docker(),
            What::Needs(programs) => programs.iter().all(|program| has(program)),
            _ => true,
        };
        if !is_here {
            return;
        }
        match what {
            What::Fresh => std::mem::replace(&mut console, Console::start()).exit(),
            What::SignIn => console.with_sign_in(),
            What::Setup(lines) => console.setup(lines),
            What::Program(name, script) => console.program(name, script),
            What::Block(block) => run.block(&mut console, *line, block),
            What::Keyring | What::Wrangler | What::Docker | What::Needs(_) => {}
        }
    }
    console.exit();
    let may_skip: Vec<_> = SKIPPED.iter().filter(|(file, _)| *file == path).map(|(_, why)| *why).collect();
    assert_eq!(run.skipped, may_skip, "{path}: what is skipped, and what may be");
    if is_update() {
        fs::write(root().join(path), replaced(&text, run.shown)).expect("written");
    }
    assert!(run.faults.is_empty(), "{}", run.faults);
}

fn is_update() -> bool {
    std::env::var_os("ALCHEMY_DOCS_UPDATE").is_some()
}

/// The text with other lines in place of some.
fn replaced(text: &str, mut with: Vec<(std::ops::Range<usize>, String)>) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    with.sort_by_key(|(lines, _)| lines.start);
    for (range, text) in with.iter().rev() {
        lines.splice(range.clone(), text.split_inclusive('\n'));
    }
    lines.concat()
}

impl Run {
    fn fault(&mut self, line: usize, what: &str) {
        let _ = writeln!(self.faults, "{}:{line}: {what}", self.path);
    }

    fn block(&mut self, console: &mut Console, line: usize, block: &Block) {
        if let Some(reason) = &block.marks.skip {
            self.skipped.push(reason.clone());
            return;
        }
        if let Some(path) = &block.marks.file {
            console.file(path, &block.text);
        }
        match block.language.as_str() {
            "console" => self.console(console, line, block),
            language => {
                if let Err(why) = lint::read(language, &block.text, block.marks.schema.as_deref()) {
                    return self.fault(line, &why);
                }
                if language == "sh" && block.marks.file.is_none() {
                    let shown = console.script(&block.text);
                    if shown.status != block.marks.status.unwrap_or(0) {
                        self.fault(line, &format!("the script ends with {}:\n{}", shown.status, shown.text));
                    }
                }
            }
        }
    }

    fn console(&mut self, console: &mut Console, line: usize, block: &Block) {
        let commands = match markdown::commands(block, is_complete) {
            Ok(commands) => commands,
            Err(why) => return self.fault(line, &why),
        };
        let mut shown_block = String::new();
        for (at, command) in commands.iter().enumerate() {
            // Should the terminal hang, this is known.
            eprintln!("{}:{}: {}", self.path, command.line, command.text);
            let is_last = at + 1 == commands.len();
            let keys = if at == 0 { &block.marks.keys[..] } else { &[] };
            let shown = console.run(&command.text, keys);
            let expected_status = block.marks.status.filter(|_| is_last).unwrap_or(0);
            // The status that is asked for by the next command is part of what is shown.
            let is_asked = commands.get(at + 1).is_some_and(|next| next.text.contains("$?"));
            if shown.status != expected_status && !is_asked {
                let what = format!("`{}` ends with {}:\n{}", command.text, shown.status, shown.text);
                self.fault(command.line, &what);
            }
            let (expected, text) = like(&shown.text, &command.expected);
            if text != expected && !is_update() {
                let mut diff = String::new();
                let names = [&"the documentation" as &dyn std::fmt::Display, &"what is shown"];
                let (expected, text) = (Data::text(expected), Data::text(text.clone()));
                write_diff(&mut diff, &expected, &text, Some(names[0]), Some(names[1]), Palette::plain())
                    .expect("written");
                self.fault(command.line, &format!("`{}` shows something else:\n{diff}", command.text));
            }
            shown_block += &command.shown();
            shown_block += &text;
        }
        self.shown.push((block.lines.clone(), shown_block));
    }
}

/// What was expected, and what was shown with a `…` wherever one was expected and stands for it.
fn like(shown: &str, expected: &str) -> (String, String) {
    let lines = expected.lines().map(|line| match line {
        "…" => "...\n".to_owned(),
        line => line.replace('…', "[..]") + "\n",
    });
    let pattern = Data::text(lines.collect::<String>());
    let text = NormalizeToExpected::new().redact().normalize(Data::text(shown), &pattern).to_string();
    let lines = text.lines().map(|line| match line {
        "..." => "…\n".to_owned(),
        line => line.replace("[..]", "…") + "\n",
    });
    (expected.to_owned(), lines.collect())
}
