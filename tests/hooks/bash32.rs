//! The scripts for bash run in bash 3.2, too, which is what macOS has. None of that age can be had where the tests
//! run: so here is a list of what came later, and none of it may stand in them.

/// What bash 3.2 does not have: a name, the version that brought it, and a line with it.
const LATER: [(&str, &str, &str); 25] = [
    ("associative array", "4.0", "declare -A map"),
    ("associative array", "4.0", "\\local -gA map"),
    ("case modification", "4.0", "echo ${x,,}"),
    ("case modification", "4.0", "echo ${x^}"),
    ("transformation", "4.4", "echo ${x@Q}"),
    ("[[ -v", "4.2", "[[ -v x ]]"),
    ("[[ -v", "4.2", "[ ! -v x ]"),
    ("nameref", "4.3", "local -n x=y"),
    ("nameref", "4.3", "\\declare -gn x=y"),
    ("global declaration", "4.2", "declare -g x"),
    ("mapfile", "4.0", "mapfile -t lines"),
    ("mapfile", "4.0", "readarray lines"),
    ("&>>", "4.0", "command &>>log"),
    ("|&", "4.0", "command |& cat"),
    (";&", "4.0", "x) echo ;;&"),
    (";&", "4.0", "x) echo ;&"),
    ("coproc", "4.0", "coproc cat"),
    ("negative subscript", "4.3", "echo ${x[-1]}"),
    ("negative length", "4.2", "echo ${x:0:-1}"),
    ("descriptor in a variable", "4.1", "exec {fd}<file"),
    ("clock variable", "5.0", "echo $EPOCHSECONDS"),
    ("printf time", "4.2", "printf -v x '%(%s)T' -1"),
    ("\\u escape", "4.2", "echo $'\\u00e9'"),
    ("read -N or -i", "4.0", "read -N 1 x"),
    ("step in a range", "4.0", "echo {1..9..2}"),
];

/// The names of what is in a line.
fn later(line: &str) -> Vec<&'static str> {
    let code = line.trim_start();
    if code.starts_with('#') {
        return Vec::new();
    }
    let words: Vec<&str> = code.split([' ', ';', '(', ')', '{', '}', '`']).collect();
    let is = |word: &str, names: &[&str]| names.contains(&word.trim_start_matches('\\'));
    let declares = |flag: char| {
        words.windows(2).any(|pair| {
            // `export -n` is as old as bash.
            let is_export = flag != 'n' && is(pair[0], &["export"]);
            (is_export || is(pair[0], &["declare", "typeset", "local", "readonly"]))
                && pair[1].starts_with('-')
                && pair[1].contains(flag)
        })
    };
    // What stands in `${…}`, one after the other.
    let expansions: Vec<&str> =
        code.split("${").skip(1).map(|rest| rest.split('}').next().unwrap_or_default()).collect();
    let of_name = |expansion: &&str| {
        let rest = expansion.trim_start_matches(['!', '#']);
        rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').to_owned()
    };
    let after_names: Vec<String> = expansions.iter().map(of_name).collect();
    let after = |test: &dyn Fn(&str) -> bool| {
        // A subscript may stand between the name and the operator.
        after_names.iter().any(|rest| {
            let operator = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(_, rest)| rest);
            test(operator.unwrap_or(rest))
        })
    };
    let found = [
        ("associative array", declares('A')),
        ("case modification", after(&|rest| rest.starts_with([',', '^']))),
        ("transformation", after(&|rest| rest.starts_with('@') && rest.len() == 2)),
        ("[[ -v", code.contains("[[ -v ") || code.contains("[ -v ") || code.contains("! -v ")),
        ("nameref", declares('n')),
        ("global declaration", declares('g') && !declares('A') && !declares('n')),
        ("mapfile", words.iter().any(|word| is(word, &["mapfile", "readarray"]))),
        ("&>>", code.contains("&>>")),
        ("|&", code.contains("|&")),
        (";&", code.contains(";&") || code.contains(";;&")),
        ("coproc", words.iter().any(|word| is(word, &["coproc"]))),
        ("negative subscript", code.contains("[-") && after_names.iter().any(|rest| rest.starts_with("[-"))),
        ("negative length", after(&|rest| rest.starts_with(':') && rest[1..].contains(":-"))),
        ("descriptor in a variable", is_descriptor(code)),
        (
            "clock variable",
            ["EPOCHSECONDS", "EPOCHREALTIME", "SRANDOM", "BASHPID"].iter().any(|name| code.contains(name)),
        ),
        ("printf time", code.contains("%(")),
        ("\\u escape", code.contains("\\u") && code.contains("$'")),
        (
            "read -N or -i",
            words.windows(2).any(|pair| is(pair[0], &["read"]) && ["-N", "-i"].contains(&pair[1])),
        ),
        ("step in a range", code.matches("..").count() > 1 && code.contains('{')),
    ];
    found.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect()
}

/// `{name}<` or `{name}>`.
fn is_descriptor(code: &str) -> bool {
    code.match_indices('}').any(|(at, _)| {
        let name = code[..at]
            .rsplit_once('{')
            .map_or("", |(before, name)| if before.ends_with('$') { "" } else { name });
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name && code[at + 1..].starts_with(['<', '>'])
    })
}

#[test]
fn the_list_finds_each_of_them() {
    for (name, version, line) in LATER {
        assert_eq!(later(line), [name], "{line} (bash {version})");
    }
}

#[test]
fn the_scripts_for_bash_hold_nothing_later_than_3_2() {
    for (file, text) in [
        ("hook.bash", include_str!("../../shell/hook.bash")),
        ("completions.bash", include_str!("../../shell/completions.bash")),
        ("use_alchemy.sh", include_str!("../../shell/use_alchemy.sh")),
    ] {
        let mut guarded = false;
        for (number, line) in (1..).zip(text.lines()) {
            // What a version is asked for may be later; at an `else` or a `fi` that ends.
            match line.trim_start() {
                code if code.starts_with("if ((BASH_VERSINFO") => guarded = true,
                code if code.starts_with("else") || code == "fi" => guarded = false,
                _ => {}
            }
            assert!(guarded || later(line).is_empty(), "{file}:{number}: {:?} in: {line}", later(line));
        }
    }
}
