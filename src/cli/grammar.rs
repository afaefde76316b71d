//! The grammar of `exec` (design §3), which no option parser has: with `-p` or `--pick`, or when `--` comes first,
//! all that follows is the command; otherwise the first word is the profile and the rest the command,
//! with or without `--`. Nothing after the command's first word is parsed.
//!
//! The words are put into the one order that a parser understands: options, `-p PROFILE`, `--`, command.
//!
//! And that of the npm package's commands: what stands before one is ours, and nothing after it is parsed. Where
//! `--` comes first, all that follows is npm's.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::{Arg, Command};

use super::npm_words;

/// The arguments (the program's name first) with those of `exec` and of npm's commands in their canonical order;
/// those of any other command as they are.
pub(super) fn canonical(arguments: Vec<OsString>, command: &Command) -> Vec<OsString> {
    match find_subcommand(&arguments, command) {
        Some((start, exec)) if exec.get_name() == "exec" => canonical_exec(arguments, start, command, exec),
        _ => canonical_npm(arguments, command),
    }
}

/// `alchemy WORD OPTIONS -- ARGUMENTS`. With an option before it that is not one of all commands, one of ours comes
/// before its options, too.
fn canonical_npm(mut arguments: Vec<OsString>, command: &Command) -> Vec<OsString> {
    let Some(start) = npms(&arguments, command) else { return arguments };
    let Some(word) = arguments.get(start).cloned() else { return arguments };
    let is_any = word == "--";
    let is_ours = command.find_subcommand(&word).is_some() && !npm_words::has(&word);
    if start == 1 + options(&arguments[1..], &[command]) && is_ours {
        return arguments;
    }
    let options: Vec<_> = arguments.drain(1..=start).take(start - 1).collect();
    if is_any || npm_words::has(&word) {
        let word = if is_any { npm_words::ANY.into() } else { word };
        arguments.splice(1..1, [word].into_iter().chain(options).chain(["--".into()]));
    } else if is_ours {
        arguments.splice(1..1, [word].into_iter().chain(options));
        return canonical(arguments, command);
    } else {
        // It is the typo that must be reported, and not what stands before it.
        arguments.insert(1, word);
    }
    arguments
}

/// The words of a line that is being typed as the parser knows them, which has no options of npm's commands before
/// the command.
pub(super) fn parsed(mut words: Vec<OsString>, command: &Command) -> Vec<OsString> {
    let Some((any, (_, before))) = command.find_subcommand(npm_words::ANY).zip(words.split_last()) else {
        return words;
    };
    let start = 1 + extent(before.get(1..).unwrap_or_default(), &[command, any]);
    if start > before.len() {
        words.insert(1, npm_words::ANY.into());
    } else if start == before.len() {
        words.drain(1..start);
    }
    words
}

/// Where the first word stands that is no option of ours or of npm's commands. The version is asked of us.
fn npms(arguments: &[OsString], command: &Command) -> Option<usize> {
    let any = command.find_subcommand(npm_words::ANY)?;
    let start = 1 + options(arguments.get(1..)?, &[command, any]);
    let is_version = arguments[1..start].iter().any(|word| word == "--version" || word == "-V");
    (!is_version).then_some(start)
}

fn canonical_exec(
    mut arguments: Vec<OsString>,
    start: usize,
    command: &Command,
    exec: &Command,
) -> Vec<OsString> {
    let options = |words: &[OsString]| options(words, &[command, exec]);
    let words = arguments.split_off(start + 1);
    let before = options(&words);
    let has_profile = words[..before].iter().any(|word| names_profile(word));
    let mut rest = words[before..].to_vec();
    arguments.extend_from_slice(&words[..before]);
    let dashes = rest.first().is_some_and(|word| word == "--");
    if !has_profile && !dashes && !rest.is_empty() {
        let mut profile = OsString::from("--profile=");
        profile.push(rest.remove(0));
        arguments.push(profile);
        // An option that is none of ours starts the command: in `alchemy exec sh -c x` it is the
        // forgotten profile that must be reported, not `-c`.
        let between = rest.iter().take(options(&rest)).take_while(|word| !is_foreign(word, &[command, exec]));
        let between = between.count();
        arguments.extend(rest.drain(..between));
    }
    if rest.first().is_some_and(|word| word == "--") {
        rest.remove(0);
    }
    if !rest.is_empty() {
        arguments.push("--".into());
        arguments.append(&mut rest);
    }
    arguments
}

/// The first word that is not an option: the subcommand.
pub(super) fn subcommand<'a>(arguments: &'a [OsString], command: &Command) -> Option<&'a OsStr> {
    let start = 1 + options(arguments.get(1..)?, &[command]);
    arguments.get(start).map(OsString::as_os_str)
}

fn find_subcommand<'a>(arguments: &[OsString], command: &'a Command) -> Option<(usize, &'a Command)> {
    let start = 1 + options(arguments.get(1..)?, &[command]);
    Some((start, command.find_subcommand(arguments.get(start)?)?))
}

/// Where the last word of a line stands that is still being typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WordPlace {
    /// Before or in another command than `exec`, or in an option or its value: where the parser knows more.
    Parsed,
    /// Where `exec` has its profile.
    Profile,
    /// After a command of npm's.
    Npm,
    /// In the command that `exec` runs, whose first word has this index.
    Command(usize),
}

/// Where the last of the words (the program's name first) stands.
pub(super) fn place(words: &[OsString], command: &Command) -> WordPlace {
    let Some((last, before)) = words.split_last() else { return WordPlace::Parsed };
    let npms = npms(before, command).and_then(|start| before.get(start));
    if npms.is_some_and(|word| word == "--" || npm_words::has(word)) {
        return WordPlace::Npm;
    }
    let Some((start, exec)) = find_subcommand(before, command) else { return WordPlace::Parsed };
    let commands = [command, exec];
    let option = last.as_bytes().starts_with(b"-");
    let next = |from: usize| from + extent(&before[from..], &commands);
    let end = next(start + 1);
    if exec.get_name() != "exec" || end > before.len() {
        return WordPlace::Parsed;
    }
    let has_profile = before[start + 1..end].iter().any(|word| names_profile(word));
    match before.get(end) {
        None if option => WordPlace::Parsed,
        None if has_profile => WordPlace::Command(end),
        None => WordPlace::Profile,
        Some(word) if word == "--" => WordPlace::Command(end + 1),
        Some(_) if has_profile => WordPlace::Command(end),
        Some(_) => {
            let after = next(end + 1);
            let foreign = (end + 1..after.min(before.len())).find(|at| is_foreign(&before[*at], &commands));
            match (foreign, before.get(after)) {
                (Some(at), _) => WordPlace::Command(at),
                (None, None) if option || after > before.len() => WordPlace::Parsed,
                (None, Some(word)) if word == "--" => WordPlace::Command(after + 1),
                (None, _) => WordPlace::Command(after),
            }
        }
    }
}

/// How many of the words, from the first, are options with their values.
fn options(words: &[OsString], commands: &[&Command]) -> usize {
    extent(words, commands).min(words.len())
}

/// The same, and one more than there are words when the last of them wants a value.
fn extent(words: &[OsString], commands: &[&Command]) -> usize {
    let mut count = 0;
    while let Some(word) = words.get(count).map(|word| word.as_bytes()) {
        if word == b"--" || word == b"-" || !word.starts_with(b"-") {
            break;
        }
        count += if takes_next(word, commands) { 2 } else { 1 };
    }
    count
}

/// Whether the option has its value in the next word.
fn takes_next(word: &[u8], commands: &[&Command]) -> bool {
    let takes = |found: &dyn Fn(&Arg) -> bool| {
        commands
            .iter()
            .flat_map(|c| c.get_arguments())
            .any(|arg| found(arg) && arg.get_action().takes_values())
    };
    match word.strip_prefix(b"--") {
        Some(long) => takes(&|arg| arg.get_long().is_some_and(|name| name.as_bytes() == long)),
        // `-vp NAME`: the first that takes a value takes the rest of the word, or the next one.
        None => word[1..]
            .iter()
            .position(|byte| takes(&|arg| arg.get_short() == Some(char::from(*byte))))
            .is_some_and(|at| at + 2 == word.len()),
    }
}

/// Whether the word looks like an option and is none of the commands'.
fn is_foreign(word: &OsStr, commands: &[&Command]) -> bool {
    let bytes = word.as_bytes();
    let known = |found: &dyn Fn(&Arg) -> bool| commands.iter().flat_map(|c| c.get_arguments()).any(found);
    match bytes.strip_prefix(b"--") {
        Some(b"help" | b"version") => false,
        Some(long) => {
            let name = long.split(|byte| *byte == b'=').next().unwrap_or_default();
            !known(&|arg| arg.get_long().is_some_and(|l| l.as_bytes() == name))
        }
        None => match bytes {
            [b'-', b'h', ..] => false,
            [b'-', first, ..] => !known(&|arg| arg.get_short() == Some(char::from(*first))),
            _ => false,
        },
    }
}

/// Whether the word says by itself which profile, or that it is to be asked for: no profile follows then.
fn names_profile(word: &OsStr) -> bool {
    word == "--pick" || is_profile_option(word)
}

/// Whether the word names the profile, as an option.
pub(super) fn is_profile_option(word: &OsStr) -> bool {
    let word = word.as_bytes();
    word == b"--profile" || word.starts_with(b"--profile=") || {
        // Short options that take no value may stand before it in one word.
        word.first() == Some(&b'-')
            && word.get(1) != Some(&b'-')
            && word[1..].iter().find(|byte| !matches!(byte, b'v' | b'q')) == Some(&b'p')
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        ["alchemy"].into_iter().chain(line.split(' ')).map(OsString::from).collect()
    }

    #[test]
    fn the_place_of_a_word_that_is_typed_is_the_one_that_it_will_have() {
        let table = [
            ("", WordPlace::Parsed),
            ("exec", WordPlace::Parsed),
            ("token ", WordPlace::Parsed),
            ("token -- x", WordPlace::Parsed),
            ("exec ", WordPlace::Profile),
            ("exec pr", WordPlace::Profile),
            ("-v exec --account 1 pr", WordPlace::Profile),
            ("exec --acc", WordPlace::Parsed),
            ("exec --account ", WordPlace::Parsed),
            ("exec -p ", WordPlace::Parsed),
            ("exec -vp ", WordPlace::Parsed),
            ("exec -p prod ", WordPlace::Command(4)),
            ("exec --pick ", WordPlace::Command(3)),
            ("exec -pprod wrang", WordPlace::Command(3)),
            ("exec -p prod --acc", WordPlace::Parsed),
            ("exec -p prod wrangler --acc", WordPlace::Command(4)),
            ("exec -- ", WordPlace::Command(3)),
            ("exec -- wrangler -", WordPlace::Command(3)),
            ("exec prod ", WordPlace::Command(3)),
            ("exec prod --acc", WordPlace::Parsed),
            ("exec prod --account ", WordPlace::Parsed),
            ("exec prod --account 1 wr", WordPlace::Command(5)),
            ("exec prod --account 1 -- wr", WordPlace::Command(6)),
            ("exec prod -- wrangler -- x", WordPlace::Command(4)),
            ("exec prod wrangler ", WordPlace::Command(3)),
            ("exec prod --typo x", WordPlace::Command(3)),
            ("dep", WordPlace::Parsed),
            ("deploy ", WordPlace::Npm),
            ("deploy --profile ", WordPlace::Npm),
            ("-p prod deploy x", WordPlace::Npm),
            ("-p deploy ", WordPlace::Parsed),
            ("-- x", WordPlace::Npm),
        ];
        for (typed, expected) in table {
            assert_eq!(place(&words(typed), &super::super::Cli::command()), expected, "{typed}");
        }
    }

    #[test]
    fn a_line_is_completed_without_the_options_that_only_npms_commands_have() {
        let table = [
            ("dep", "dep"),
            ("-p prod dep", "dep"),
            ("-vp prod --account 1 ", ""),
            ("-p pr", "__npm -p pr"),
            ("--color al", "__npm --color al"),
            ("-p", "-p"),
            ("-p prod deploy x", "-p prod deploy x"),
        ];
        for (typed, expected) in table {
            assert_eq!(parsed(words(typed), &super::super::Cli::command()), words(expected), "{typed}");
        }
    }

    #[test]
    fn every_spelling_has_one_meaning() {
        let table: [(&str, &str); 35] = [
            ("exec", "exec"),
            ("exec prod", "exec --profile=prod"),
            ("exec prod --", "exec --profile=prod"),
            ("exec prod wrangler -p x --json", "exec --profile=prod -- wrangler -p x --json"),
            ("exec prod -- wrangler -- x", "exec --profile=prod -- wrangler -- x"),
            ("exec -- wrangler deploy", "exec -- wrangler deploy"),
            ("exec -p prod wrangler --account 1", "exec -p prod -- wrangler --account 1"),
            ("exec -p prod -- wrangler", "exec -p prod -- wrangler"),
            ("exec -pprod wrangler", "exec -pprod -- wrangler"),
            ("exec -vp prod wrangler", "exec -vp prod -- wrangler"),
            ("exec prod --account 1 -- wrangler", "exec --profile=prod --account 1 -- wrangler"),
            ("exec --account 1 prod wrangler", "exec --account 1 --profile=prod -- wrangler"),
            ("-v exec --profile=prod sh -c x", "-v exec --profile=prod -- sh -c x"),
            ("exec --pick wrangler --pick", "exec --pick -- wrangler --pick"),
            ("exec prod --pick", "exec --profile=prod --pick"),
            ("exec sh -c x", "exec --profile=sh -- -c x"),
            ("exec prod --account 1 --typo x", "exec --profile=prod --account 1 -- --typo x"),
            ("token prod -- x", "token prod -- x"),
            ("deploy", "deploy --"),
            ("deploy -v --profile x -- y", "deploy -- -v --profile x -- y"),
            ("-p prod deploy --help", "deploy -p prod -- --help"),
            ("-vp prod --account 1 deploy", "deploy -vp prod --account 1 --"),
            ("--profile=prod -y plan", "plan --profile=prod -y --"),
            ("--help deploy", "deploy --help --"),
            ("--version deploy", "--version deploy"),
            ("--", "__npm --"),
            ("-- exec -p x", "__npm -- exec -p x"),
            ("-q -p prod -- -- x", "__npm -q -p prod -- -- x"),
            ("-p prod whoami --json", "whoami -p prod --json"),
            ("-p prod exec -- x", "exec -p prod -- x"),
            ("-q -p prod exec x -p", "exec -q -p prod -- x -p"),
            ("-q whoami -p x", "-q whoami -p x"),
            ("-p prod deplyo --stage x", "deplyo --stage x"),
            ("deplyo -p prod", "deplyo -p prod"),
            ("-p deploy", "-p deploy"),
        ];
        for (typed, canonical_form) in table {
            assert_eq!(
                canonical(words(typed), &super::super::Cli::command()),
                words(canonical_form),
                "{typed}"
            );
        }
    }
}
