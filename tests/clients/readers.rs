//! What we read in other programs' files is what those programs read there: our readers beside the real ones, on
//! texts that are made up from the marks that matter, the same ones in each run.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use alchemy::clients::cloudflare_cfg;
use alchemy::clients::turbo::{Passing, Turbo};
use alchemy::directory::{dotenv, wrangler};
use serde_json::Value;
use support::{Home, given, has, run};

const TOKEN: &str = "CLOUDFLARE_API_TOKEN";
const ACCOUNT: &str = "CLOUDFLARE_ACCOUNT_ID";
const MIB: usize = 1024 * 1024;

/// Numbers that look like chance, and are the same in each run (`SplitMix64`).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below the limit")
    }

    fn one<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// Up to `most` parts in a row.
    fn text(&mut self, parts: &[&[u8]], most: usize) -> Vec<u8> {
        let count = 1 + self.below(most);
        (0..count).flat_map(|_| self.one(parts).to_vec()).collect()
    }
}

/// What a program makes of texts: a line of JSON for each.
fn read_by(program: &mut Command, file: &Path, texts: &[Vec<u8>]) -> Vec<Value> {
    fs::write(file, texts.join(&0)).expect("written");
    let output = run(program).expect_code(0);
    let lines = fs::read_to_string(file.with_extension("json")).expect("its answer");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), texts.len(), "{}", output.stderr);
    lines
}

/// A reader in JavaScript, run by `node` or `bun`.
fn script(home: &Home, runtime: &Path, which: &str, modules: &Path) -> Command {
    let mut command = home.command(runtime);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/readers.cjs");
    command.arg(script).arg(which).arg(modules).arg(home.path().join("texts"));
    command
}

fn shown(text: &[u8]) -> String {
    text.escape_ascii().to_string()
}

/// The last value of each name.
fn values(entries: &[dotenv::Entry]) -> BTreeMap<String, String> {
    entries.iter().map(|entry| (entry.name.to_owned(), entry.value.clone().into_owned())).collect()
}

/// The parts of the texts of `.env` files: all that JavaScript takes for the end of a line or for space, what it
/// does not (U+0085), what is not UTF-8, and the marks of the format.
const ENV_PARTS: [&[u8]; 36] = [
    b"\n",
    b"\n",
    b"\r",
    b"\r\n",
    "\u{2028}".as_bytes(),
    "\u{2029}".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{feff}".as_bytes(),
    "\u{3000}".as_bytes(),
    "\u{180e}".as_bytes(),
    b"\x0b",
    b"\x1c",
    b"\t",
    b" ",
    b" ",
    b"'",
    b"'",
    b"\"",
    b"\"",
    b"`",
    b"\\",
    b"\\n",
    b"\\'",
    b"\\\"",
    b"#",
    b"=",
    b"=",
    b":",
    b": ",
    b"export ",
    b"A",
    b"B",
    b"x",
    b"\xff",
    b"\x85",
];

#[test]
fn a_dotenv_file_is_read_as_the_package_dotenv_and_wrangler_read_it() {
    let (Some(node), Some(modules)) = (given("ALCHEMY_TEST_NODE"), given("ALCHEMY_TEST_NODE_MODULES")) else {
        return;
    };
    let home = Home::new();
    let mut numbers = Numbers(1);
    let texts: Vec<Vec<u8>> = (0..200_000)
        .map(|at| {
            let start: &[u8] = if at % 2 == 0 { b"" } else { b"A=" };
            [start, &numbers.text(&ENV_PARTS, 16)].concat()
        })
        .collect();
    let theirs = read_by(&mut script(&home, &node, "dotenv", &modules), &home.path().join("texts"), &texts);
    let mut different = Vec::new();
    for (text, theirs) in texts.iter().zip(theirs) {
        let ours = dotenv::text(text);
        let ours = serde_json::to_value(values(&dotenv::entries(&ours))).expect("JSON");
        if ours != theirs {
            different.push(format!("{}\n  dotenv {theirs}\n  ours   {ours}", shown(text)));
        }
    }
    assert!(
        different.is_empty(),
        "{} differ:\n{}",
        different.len(),
        different[..different.len().min(8)].join("\n")
    );
    // Wrangler has this reader in it, and not another version.
    let pattern = |file: &str| {
        let text = fs::read_to_string(modules.join(file)).expect("read");
        let line =
            text.lines().map(str::trim).find(|line| line.contains("LINE = /(?:^|^)")).map(str::to_owned);
        line.map(|line| line.replace("var ", "const ").trim_end_matches(';').to_owned())
    };
    let theirs = pattern("dotenv/lib/main.js").expect("its pattern");
    assert_eq!(pattern("wrangler/wrangler-dist/cli.js"), Some(theirs));
}

#[test]
fn what_bun_finds_in_a_dotenv_file_counts() {
    let (Some(bun), Some(modules)) = (given("ALCHEMY_TEST_BUN"), given("ALCHEMY_TEST_NODE_MODULES")) else {
        return;
    };
    let home = Home::new();
    let mut numbers = Numbers(2);
    let texts: Vec<Vec<u8>> = (0..50_000).map(|_| numbers.text(&ENV_PARTS, 16)).collect();
    let theirs = read_by(&mut script(&home, &bun, "bun", &modules), &home.path().join("texts"), &texts);
    let missing = |text: &[u8], theirs: &Value| {
        let ours = dotenv::text(text);
        let (exact, possible) = (dotenv::entries(&ours), dotenv::possible(&ours));
        let finds = |name: &str, is_set: bool| {
            exact.iter().chain(&possible).any(|e| e.name == name && (!is_set || !e.value.is_empty()))
        };
        let theirs = theirs.as_object().expect("an object").iter();
        let value = |value: &Value| value.as_str().is_some_and(|value| !value.is_empty());
        let missing: Vec<&String> =
            theirs.filter(|(name, one)| !finds(name, value(one))).map(|(name, _)| name).collect();
        (!missing.is_empty()).then(|| format!("{} has {missing:?} for bun", shown(text)))
    };
    let all: Vec<String> =
        texts.iter().zip(&theirs).filter_map(|(text, theirs)| missing(text, theirs)).collect();
    assert!(all.is_empty(), "{} differ:\n{}", all.len(), all[..all.len().min(8)].join("\n"));
    assert!(theirs.iter().filter(|one| one.as_object().is_some_and(|one| !one.is_empty())).count() > 1000);

    // A file that bun loads by itself is read as by its function.
    let directory = home.path().join("code");
    fs::create_dir_all(&directory).expect("a folder");
    let of_names = "const {A, B, x, AB, BA} = process.env; console.log(JSON.stringify({A, B, x, AB, BA}))";
    for text in texts.iter().filter(|text| text.len() > 12).take(40) {
        fs::write(directory.join(".env"), text).expect("written");
        let mut command = home.command(&bun);
        let output = run(command.args(["-e", of_names]).current_dir(&directory)).expect_code(0);
        let loaded: Value = serde_json::from_str(&output.stdout).expect("JSON");
        assert_eq!(missing(text, &loaded), None);
    }
}

/// Parts of configurations, which come out well-formed often enough.
const JSON_PARTS: [&[u8]; 24] = [
    br#""account_id":"fedcba9876543210fedcba9876543210","#,
    br#""account_id":"0123456789abcdef0123456789abcdef","#,
    br#""account_id":"","#,
    br#""account_id":null,"#,
    br#""account_id":" x","#,
    br#""account\u005fid":"escaped","#,
    br#""Account_id":"other","#,
    br#"'account_id':"quoted","#,
    br#"account_id:"bare","#,
    br#""env":{"s":{"account_id":"of_s"},"0":{"account_id":"of_0"}},"#,
    br#""env":{"s":{"account_id":"of_s","account_id":"later"}},"#,
    br#""env":{"s":{"account_id":"of_s"},"s":{}},"#,
    br#""env":{"s":{"account_id":""}},"#,
    br#""env":{"s":[{"account_id":"listed"}]},"#,
    br#""env":[{"account_id":"numbered"},],"#,
    br#""env":"s","#,
    br#""env":null,"#,
    br#""__proto__":{"account_id":"inherited"},"#,
    br#""env":{"s":{"__proto__":{"account_id":"inherited"}}},"#,
    br#""env":{"__proto__":{"s":{"account_id":"inherited"}}},"#,
    b"// caf\xe9 \xff\n",
    b"/* \xe2\x80\xa8 */ \t\r\n",
    b"\xef\xbb\xbf",
    b",",
];

const TOML_PARTS: [&[u8]; 22] = [
    b"account_id = \"fedcba9876543210fedcba9876543210\"\n",
    b"account_id = '0123456789abcdef0123456789abcdef'\n",
    b"\"account_id\" = \"quoted\"\n",
    b"account_id = \"\"\n",
    b"account_id = 1\n",
    b"account_id = \"\"\"\nlines\"\"\"\n",
    b"account_id = \"\\u0061\"\n",
    b"account_id = \" x\"\n",
    b"[env.s]\n",
    b"[env.\"s\"]\n",
    b"[env.0]\n",
    b"[[env]]\n",
    b"[[env.s]]\n",
    b"[env.s.vars]\n",
    b"[env.__proto__]\n",
    b"[vars]\n",
    b"env.s.account_id = \"dotted\"\n",
    b"env = { s = { account_id = \"inline\" } }\n",
    b"# caf\xe9 \xff \xe2\x80\xa8\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"name = \"x\"\n",
];

/// A configuration of about this size, at the end of which stands the account.
fn long(start: &str, line: &str, size: usize, end: &str) -> Vec<u8> {
    [start, &line.repeat(size / line.len()), end].concat().into_bytes()
}

#[test]
fn an_account_is_read_as_wrangler_reads_it_or_the_configuration_is_named() {
    let (Some(node), Some(modules)) = (given("ALCHEMY_TEST_NODE"), given("ALCHEMY_TEST_NODE_MODULES")) else {
        return;
    };
    let home = Home::new();
    let mut numbers = Numbers(3);
    let mut texts: Vec<Vec<u8>> = (0..2500)
        .map(|at| match at % 3 {
            0 => [b"json {".to_vec(), numbers.text(&JSON_PARTS, 5), b"}".to_vec()].concat(),
            1 => [b"jsonc {".to_vec(), numbers.text(&JSON_PARTS, 5), b"}".to_vec()].concat(),
            _ => [b"toml ".to_vec(), numbers.text(&TOML_PARTS, 6)].concat(),
        })
        .collect();
    let deep = |kind: &str, start: &str, depth: usize, end: &str| {
        [kind, " ", start, &"[".repeat(depth), &"]".repeat(depth), end].concat().into_bytes()
    };
    let id = "\"account_id\":\"fedcba9876543210fedcba9876543210\"}";
    let line = "account_id = \"fedcba9876543210fedcba9876543210\"\n";
    let read_exactly = texts.len();
    texts.extend([
        long("json {", "// a comment\n", 2 * MIB, id),
        long("jsonc {", "\"vars\": {\"a\": [1, 2, 3]},\n", 2 * MIB, id),
        long("toml ", "# a comment\n", 2 * MIB, line),
        deep("json", "{\"a\":", 400, &format!(",{id}")),
        deep("toml", "a = ", 50, &format!("\n{line}")),
    ]);
    let named = texts.len();
    texts.extend([
        long("json {", "// a comment\n", 5 * MIB, id),
        long("toml ", "# a comment\n", 5 * MIB, line),
        deep("json", "{\"a\":", 1000, &format!(",{id}")),
        deep("jsonc", "{\"a\":", 1000, &format!(",{id}")),
        deep("toml", "a = ", 1000, &format!("\n{line}")),
        format!("json {{\"$schema\":\"\\ud800\",{id}").into_bytes(),
        b"jsonc {\"__proto__\":{\"account_id\":\"inherited\"}}".to_vec(),
    ]);
    let theirs = read_by(&mut script(&home, &node, "wrangler", &modules), &home.path().join("texts"), &texts);

    let (mut equal, mut refused) = (0, 0);
    for (at, (text, theirs)) in texts.iter().zip(&theirs).enumerate() {
        let (kind, content) = text.split_at(text.iter().position(|byte| *byte == b' ').expect("a kind"));
        let kind = std::str::from_utf8(kind).expect("a kind");
        let file = home.path().join(format!("wrangler.{kind}"));
        fs::write(&file, &content[1..]).expect("written");
        let ours = wrangler::named(file).expect("it is there").accounts;
        for (environment, theirs) in
            [None, Some("s"), Some("0"), Some("__proto__")].iter().zip(theirs.as_array().expect("a list"))
        {
            let shown = || format!("{environment:?} of {}", shown(&text[..text.len().min(300)]));
            match (&ours, theirs) {
                // Wrangler refuses it.
                (_, Value::Bool(false)) => {}
                (Err(why), _) => {
                    assert!(!why.is_empty());
                    refused += 1;
                }
                // It is told that this is no ID.
                (Ok(accounts), theirs)
                    if accounts.of(*environment).is_some_and(|account| account.id.is_none()) =>
                {
                    assert!(theirs.is_string(), "{}", shown());
                }
                (Ok(accounts), theirs) => {
                    let id = accounts.of(*environment).and_then(|account| account.id.as_deref());
                    assert_eq!(id, theirs.as_str(), "{}", shown());
                    equal += 1;
                }
            }
        }
        if at >= read_exactly {
            assert_eq!(ours.is_ok(), at < named, "{}", shown(&text[..text.len().min(60)]));
            assert!(theirs[0].is_string(), "wrangler reads it: {}", shown(&text[..text.len().min(60)]));
        }
    }
    assert!(equal > 1500 && refused > 100, "{equal} are equal, {refused} are named");
}

/// What Python's `configparser` makes of the texts of a file: the names of the entries that count for
/// python-cloudflare, or nothing where it refuses the text.
const CONFIGPARSER: &str = r#"
import configparser, io, json, re, sys
file = sys.argv[1]
answers = []
for text in open(file, "rb").read().split(b"\0"):
    parser = configparser.ConfigParser()
    try:
        parser.read_file(io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", errors="replace"))
        found = []
        for section in ["DEFAULT", *parser.sections()]:
            own = parser._defaults if section == "DEFAULT" else parser._sections[section]
            for option, value in own.items():
                is_secret = re.fullmatch(r"(token|key)(\.(get|post))?", option)
                url = re.sub(r"\s+", "", value)
                is_url = option == "base_url" and url != "" and url != "https://api.cloudflare.com/client/v4"
                if is_secret or is_url:
                    found.append([section, option])
        answers.append(sorted(found))
    except (configparser.Error, ValueError):
        answers.append(None)
open(file + ".json", "w").write("\n".join(map(json.dumps, answers)))
"#;

#[test]
fn the_file_of_python_cloudflare_is_read_as_configparser_reads_it() {
    if !has("python3") {
        return;
    }
    let parts: [&[u8]; 24] = [
        b"[CloudFlare]\n",
        b"[Cloudflare]\n",
        b"[DEFAULT]\n",
        b"[a]b] c\n",
        b"[]\n",
        b"token",
        b"TOKEN ",
        b"base_url",
        b"key.get",
        b" = ",
        b"=",
        b":",
        b"x",
        b"https://api.cloudflare.com/client/v4",
        b"https://evil.example",
        b"\n",
        b"\n",
        b"\r\n",
        b"\r",
        b"  ",
        b"# x",
        b"; y",
        "\u{a0}\u{2028}\u{85}\x1c".as_bytes(),
        b"\xff",
    ];
    let home = Home::new();
    let mut numbers = Numbers(4);
    let texts: Vec<Vec<u8>> =
        (0..20_000).map(|_| [b"[CloudFlare]\n".to_vec(), numbers.text(&parts, 12)].concat()).collect();
    let file = home.path().join("texts");
    let mut python = home.command("python3");
    let theirs = read_by(python.args(["-c", CONFIGPARSER]).arg(&file), &file, &texts);
    let mut equal = 0;
    for (text, theirs) in texts.iter().zip(&theirs).filter(|(_, theirs)| !theirs.is_null()) {
        let mut ours: Vec<[String; 2]> =
            cloudflare_cfg::overrides(text).into_iter().map(|found| [found.section, found.option]).collect();
        ours.sort();
        assert_eq!(serde_json::to_value(&ours).expect("JSON"), *theirs, "{}", shown(text));
        equal += usize::from(!ours.is_empty());
    }
    assert!(equal > 300, "{equal}");
    // What Python refuses is listed all the same, with its line and without its value.
    let twice = b"[CloudFlare]\ntoken = a-hunter2\ntoken = b-hunter2\n";
    let lines: Vec<usize> = cloudflare_cfg::overrides(twice).iter().map(|found| found.line).collect();
    assert_eq!(lines, [2, 3]);
    assert!(!format!("{:?}", cloudflare_cfg::overrides(twice)).contains("hunter2"));
}

#[test]
fn what_turbo_lets_through_is_what_the_real_one_does() {
    let (Some(turbo), Some(bun)) = (given("ALCHEMY_TEST_TURBO"), given("ALCHEMY_TEST_BUN")) else { return };
    // The root's configuration with the own ones of packages, each of which has a run of its own.
    let own = |keys: &str| format!("{{\"extends\":[\"//\"],\"tasks\":{{\"deploy\":{{{keys}}}}}}}");
    let packages = [
        None,
        Some(own("")),
        Some(own(r#""passThroughEnv":[]"#)),
        Some(own(r#""passThroughEnv":["CLOUDFLARE_*"]"#)),
        Some(own(r#""passThroughEnv":["$TURBO_EXTENDS$","CLOUDFLARE_ACCOUNT_ID"]"#)),
        Some(own(r#""passThroughEnv":["!CLOUDFLARE_API_*"]"#)),
        Some(own(r#""env":["CLOUDFLARE_API_TOKEN"],"passThroughEnv":["!CLOUDFLARE_*"]"#)),
        Some(own(r#""env":["*_TOKEN","!CLOUDFLARE_*"]"#)),
        Some(own(r#""extends":false,"cache":false"#)),
        Some(own(r#""envMode":"loose""#)),
        Some(own(r#""envMode":"strict","env":["CLOUD*_API_*"]"#)),
    ];
    let roots = [
        r#"{"tasks":{"deploy":{"cache":false}}}"#,
        r#"{"tasks":{"deploy":{"cache":false}},"globalPassThroughEnv":["CLOUDFLARE_*","!CLOUDFLARE_ACCOUNT_ID"]}"#,
        r#"{"tasks":{"deploy":{"cache":false}},"globalEnv":["CLOUDFLARE_*"],"globalPassThroughEnv":["!CLOUDFLARE_ACCOUNT_ID"]}"#,
        r#"{"tasks":{"deploy":{"cache":false,"passThroughEnv":["CLOUDFLARE_*"]},"p3#deploy":{"cache":false,"env":[]}}}"#,
        r#"{"tasks":{"deploy":{"cache":false,"passThroughEnv":["CLOUDFLARE_\\*"]}}, // a comment
            "tasks":{"deploy":{"cache":false,"env":["!CLOUDFLARE_*"],"passThroughEnv":["CLOUDFLARE_ACCOUNT_ID"]},},}"#,
        r#"{"tasks":{"deploy":{"cache":false}},"envMode":"loose"}"#,
    ];
    let home = Home::new();
    let directory = home.path().join("code");
    let write = |name: &str, text: &str| {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    };
    write(
        "package.json",
        r#"{"name":"root","private":true,"workspaces":["packages/*"],"packageManager":"bun@1.4.5"}"#,
    );
    for (at, own) in packages.iter().enumerate() {
        let script = r#"echo \"[$CLOUDFLARE_API_TOKEN][$CLOUDFLARE_ACCOUNT_ID]\" > seen"#;
        let package =
            format!("{{\"name\":\"p{at}\",\"version\":\"1.0.0\",\"scripts\":{{\"deploy\":\"{script}\"}}}}");
        write(&format!("packages/p{at}/package.json"), &package);
        if let Some(own) = own {
            write(&format!("packages/p{at}/turbo.json"), own);
        }
    }
    let path = format!("{}:/usr/bin:/bin", bun.parent().expect("its folder").display());
    let command = |program: &Path, arguments: &[&str]| {
        let mut command = home.command(program);
        command.args(arguments).current_dir(&directory).env("PATH", &path);
        command.envs([
            ("TURBO_TELEMETRY_DISABLED", "1"),
            ("DO_NOT_TRACK", "1"),
            ("TURBO_NO_UPDATE_NOTIFIER", "1"),
        ]);
        run(command.envs([(TOKEN, "tok"), (ACCOUNT, "acc")])).expect_code(0);
    };
    command(&bun, &["install", "--offline"]);
    for root in roots {
        write("turbo.json", root);
        command(&turbo, &["run", "deploy", "--no-daemon", "--continue"]);
        let root_turbo = Turbo::read(root.as_bytes()).expect(root);
        for (at, own) in packages.iter().enumerate() {
            let seen = directory.join(format!("packages/p{at}/seen"));
            let theirs = fs::read_to_string(&seen).expect("it ran");
            fs::remove_file(&seen).expect("removed");
            let own = own.as_ref().map(|own| Turbo::read(own.as_bytes()).expect(own));
            let name = format!("p{at}");
            let own: Vec<(&str, &Turbo)> = own.iter().map(|own| (name.as_str(), own)).collect();
            let passes = |variable| {
                root_turbo.passes(&format!("p{at}#deploy"), variable, &own, None) == Passing::Passed
            };
            let ours = (passes(TOKEN), passes(ACCOUNT));
            assert_eq!(ours, (theirs.contains("tok"), theirs.contains("acc")), "{name} under {root}");
        }
    }
}
