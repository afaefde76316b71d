//! Every format's text, as a table. What the shells make of it is in `tests/hooks/shells.rs`.

use super::*;
use crate::error::Kind;

fn text(format: Format, set: &[(&str, &str)], unset: &[&str]) -> String {
    render(format, set, unset).expect("rendered").to_string()
}

fn refused(format: Format, set: &[(&str, &str)], unset: &[&str]) -> Error {
    render(format, set, unset).expect_err("refused")
}

#[test]
fn each_format_sets_and_unsets() {
    let set = [("A", "v1"), ("B", "it's")];
    let unset = ["C", "D"];
    let fish_unset = "begin; set -l n; for n in C D; set -eg $n; if set -qU $n; set -gx $n; end; end; end; ";
    for (format, expected) in [
        (
            Format::Sh,
            r"test a = \x61 && eval begin\;\ set\ -l\ n\;\ for\ n\ in\ C\ D\;\ set\ -eg\ \$n\;\ if\ set\ -qU\ \$n\;\ set\ -gx\ \$n\;\ end\;\ end\;\ end\;; test a = \x61 || unset -v C D; export A=v1; export B=it\'s;",
        ),
        (Format::Fish, &format!(r"{fish_unset}set -gx A v1; set -gx B it\'s;")),
        (Format::Tcsh, r"unsetenv C; unsetenv D; setenv A v1; setenv B it\'s;"),
        (Format::Nu, r#"{"set":{"A":"v1","B":"it's"},"unset":["C","D"]}"#),
        (Format::Elvish, r#"{"set":{"A":"v1","B":"it's"},"unset":["C","D"]}"#),
        (
            Format::Pwsh,
            "Remove-Item Env:C -ErrorAction SilentlyContinue\n\
             Remove-Item Env:D -ErrorAction SilentlyContinue\n\
             $env:A = 'v1'\n\
             $env:B = 'it''s'",
        ),
        (Format::Json, r#"{"A":"v1","B":"it's"}"#),
        (Format::Dotenv, "A=v1\nB=\"it's\""),
        (Format::Docker, "A=v1\nB=it's"),
        (Format::GithubActions, "A=v1\nB=it's"),
    ] {
        assert_eq!(text(format, &set, &unset), format!("{expected}\n"), "{format:?}");
    }
}

#[test]
fn values_are_quoted_character_by_character() {
    for (format, value, expected) in [
        (Format::Sh, "", "export A=;"),
        (Format::Sh, "azAZ09_./:@+,-", "export A=azAZ09_./:@+,-;"),
        (Format::Sh, "a  b ", r"export A=a\ \ b\ ;"),
        (Format::Sh, r"=~\", r"export A=\=\~\\;"),
        (Format::Sh, "é\u{f600}", "export A=\\é\u{f600};"),
        (Format::Sh, "x{a,b}", r#"export A=x\{; export A="$A"a,b\};"#),
        (Format::Sh, "{", r"export A=\{;"),
        (Format::Fish, "%self", r"set -gx A \%self;"),
        (Format::Fish, "", "set -gx A ;"),
        (Format::Tcsh, "", "setenv A ;"),
        (
            Format::Tcsh,
            "!! {a,b}",
            r#"set alchemy_brace = { ; setenv A \!\!\ "$alchemy_brace"a,b\}; unset alchemy_brace;"#,
        ),
        (Format::Pwsh, "", "$env:A = ''"),
        (Format::Pwsh, "‘’‚‛“`$x", "$env:A = '‘‘’’‚‚‛‛“`$x'"),
        (Format::Json, "a\"\n", r#"{"A":"a\"\n"}"#),
        (Format::Docker, " #'\"$ ", "A= #'\"$ "),
    ] {
        assert_eq!(text(format, &[("A", value)], &[]), format!("{expected}\n"), "{format:?} {value:?}");
    }
}

#[test]
fn dotenv_takes_quotes_only_where_every_reader_agrees_on_them() {
    for (value, expected) in [
        ("a-b_c.d/e:f@g+h,i", Some("a-b_c.d/e:f@g+h,i")),
        ("", Some("''")),
        (" a # $b \"c\" `d` \\e", Some("' a # $b \"c\" `d` \\e'")),
        ("it's # here", Some("\"it's # here\"")),
        ("ends in \\", None),
        (r"a\\b", None),
        ("it's $x", None),
        ("it's `x`", None),
        (r"it's \x", None),
        ("it's \"x\"", None),
    ] {
        let rendered = render(Format::Dotenv, &[("A", value)], &[]).map(|text| text.to_string());
        assert_eq!(rendered.ok(), expected.map(|quoted| format!("A={quoted}\n")), "{value:?}");
    }
}

#[test]
fn an_error_names_the_variable_and_never_the_value() {
    for format in Format::value_variants() {
        for value in ["hunter2\n", "\x1bhunter2", "hunter2\0", "\u{85}hunter2", "hunter2\x7f"] {
            match render(*format, &[("B", "fine"), ("THE_KEY", value)], &[]) {
                Ok(text) => {
                    assert!(matches!(format, Format::Json | Format::Nu | Format::Elvish), "{format:?}");
                    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                    let set = json.get("set").unwrap_or(&json);
                    assert_eq!(set["THE_KEY"], value, "{format:?}");
                }
                Err(error) => {
                    assert!(error.to_string().contains("THE_KEY"), "{error}");
                    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
                }
            }
        }
    }
    assert!(!format!("{:?}", refused(Format::Dotenv, &[("A", "'hunter2\\")], &[])).contains("hunter2"));
}

#[test]
fn a_name_is_a_name() {
    for format in Format::value_variants() {
        for name in ["", "1A", "A B", "A;id", "A=B", "$A", "Á", "-A"] {
            refused(*format, &[(name, "v")], &[]);
            refused(*format, &[("A", "v")], &[name]);
        }
    }
}

#[test]
fn unset_alone_is_for_shells() {
    for format in Format::value_variants() {
        match render(*format, &[], &["A"]) {
            Ok(_) => assert!(format.can_unset(), "{format:?}"),
            Err(error) => {
                assert!(!format.can_unset(), "{format:?}");
                assert_eq!(error.kind(), Kind::Usage);
                assert_eq!(
                    error.next_step(),
                    Some("--unset works for shells: sh, fish, tcsh, nu, elvish, pwsh")
                );
            }
        }
    }
    assert_eq!(text(Format::Tcsh, &[], &["A"]), "unsetenv A;\n");
}

#[test]
fn nothing_is_an_empty_change() {
    assert_eq!(text(Format::Sh, &[], &[]), "\n");
    assert_eq!(text(Format::Json, &[], &[]), "{}\n");
    assert_eq!(text(Format::Nu, &[], &[]), "{\"set\":{},\"unset\":[]}\n");
}

#[test]
fn the_names_on_the_command_line() {
    let names: Vec<String> = Format::value_variants().iter().map(|format| name_of(*format)).collect();
    assert_eq!(names.join(" "), "sh fish tcsh nu elvish pwsh json dotenv docker github-actions");
}
