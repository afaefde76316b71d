//! The table of the programs that alchemy knows: which variables each reads, which files it loads by itself, how its
//! words choose an environment, a folder, a configuration or another program, and whether it keeps variables from what
//! it starts. To know another program is to add a row.
//!
//! The list of variables that a command does not get ([`crate::environment::removed`]), the look into a directory
//! ([`super::hazards`]) and `docs/environment.md` come from here. A row says where it is from: `run` was measured here
//! (wrangler 4.164, npm alchemy 0.94.0 and 2.0.0-beta.79, bun 1.4.5, turbo 2.11). A row without `run` follows what the
//! program's documentation or source says, and was not run.

/// A program, and what it reads.
#[derive(Debug)]
pub struct Program {
    /// Its name for people.
    pub name: &'static str,
    /// The names by which it is called; none for a library.
    pub calls: &'static [&'static str],
    /// The variables that it reads, of those that give or override a credential, an account or an address.
    pub variables: &'static [&'static str],
    /// What its words are about.
    pub role: Role,
    /// Its options.
    pub options: Options,
    /// The `.env` files that it loads by itself.
    pub env_files: EnvFiles,
    /// An entry of such a file goes before a variable.
    pub is_above: bool,
    /// What an entry does to the program.
    pub rules: &'static [Rules],
    /// Other files that it reads.
    pub reads: &'static [Reads],
    /// Variables that it keeps from what it starts.
    pub filter: Option<Filter>,
}

/// What the words of a program are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It sends the requests itself: a direct call is read word by word.
    Client,
    /// It sends none and starts nothing.
    Harmless,
    /// It reads or writes the files that its words name: it loads none of them, and goes to no folder because of
    /// them. It may start what a configuration says where it runs, such as a hook or a plugin.
    Files,
    /// It runs code of the project, which may read and start anything.
    Runtime,
    /// It runs the program that its words name.
    Runner(&'static [&'static str]),
    /// It runs scripts and programs of packages.
    Manager(&'static Verbs),
    /// It runs a script by name in many packages.
    Monorepo,
    /// It runs the text, or the file, that its words name.
    Shell,
}

/// The words by which a manager of packages is told what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Verbs {
    /// Run the script that the next word names.
    pub run: &'static [&'static str],
    /// Run the script of this name; the first is the verb, the second the script.
    pub scripts: &'static [(&'static str, &'static str)],
    /// Run a program where they are.
    pub exec: &'static [&'static str],
    /// Any other word may be a script's name, else a program's.
    pub is_bare: bool,
}

/// Options, each in all its forms; those with a value take it behind `=` or as the next word.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The folder to go to first.
    pub folder: &'static [&'static str],
    /// The environment.
    pub environment: &'static [&'static str],
    /// The configuration.
    pub configuration: &'static [&'static str],
    /// A `.env` file.
    pub env_file: &'static [&'static str],
    /// All words that follow such an option name files, up to the next option.
    pub are_env_files_many: bool,
    /// A package of the workspace, by its name or its folder.
    pub package: &'static [&'static str],
    /// A text for a shell.
    pub text: &'static [&'static str],
    /// Anything else that has a value.
    pub other: &'static [&'static str],
}

/// The `.env` files that a program loads by itself. A later one goes before an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvFiles {
    /// None but those that its options name.
    Named,
    /// `.env`.
    One,
    /// `.env`, `.env.local` and, for an environment, `.env.NAME` and `.env.NAME.local`.
    ByEnvironment,
    /// `.env`, `.env.MODE`, `.env.local` and `.env.MODE.local`. The mode is that of the verb in the list, else what
    /// `NODE_ENV` says if it is one of the three, else the given one.
    ByMode(&'static [(&'static str, &'static str)], &'static str),
}

/// What entries of a `.env` file do, by the program that acts on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Wrangler's `getAuthFromEnv`, and the SDK in it, which sends each of the variables that it finds.
    Wrangler,
    /// `createCloudflareApi` of npm alchemy 1.
    Npm1,
    /// `readEnvironment` of npm alchemy 2.
    Npm2,
    /// Any code: what one of Cloudflare's SDKs, or a client of the table, would make of it.
    Code,
}

/// Other files that a program reads in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// `wrangler.json`, `wrangler.jsonc`, `wrangler.toml` and what a build tool has generated: their `account_id`
    /// goes before `CLOUDFLARE_ACCOUNT_ID`.
    WranglerConfiguration,
    /// `node_modules/.cache/wrangler/pages.json`, whose `account_id` `wrangler pages` takes first before 4.86.
    PagesCache,
    /// `.cloudflare.cfg`, which goes before the variables.
    CloudflareCfg,
}

/// How a program keeps variables from what it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// By `turbo.json`.
    Turbo,
    /// Where one of these options stands in its own words.
    With(&'static [&'static str]),
    /// Unless one of these options stands in its own words.
    Without(&'static [&'static str]),
}

const NO_OPTIONS: Options = Options {
    folder: &[],
    environment: &[],
    configuration: &[],
    env_file: &[],
    are_env_files_many: false,
    package: &[],
    text: &[],
    other: &[],
};

const NOTHING: Program = Program {
    name: "",
    calls: &[],
    variables: &[],
    role: Role::Harmless,
    options: NO_OPTIONS,
    env_files: EnvFiles::Named,
    is_above: false,
    rules: &[],
    reads: &[],
    filter: None,
};

/// A program that reads variables, and nothing in the directory.
const fn reader(
    name: &'static str,
    calls: &'static [&'static str],
    variables: &'static [&'static str],
) -> Program {
    Program { name, calls, variables, ..NOTHING }
}

/// A program that runs the project's code after loading `.env` files.
const fn loader(name: &'static str, calls: &'static [&'static str], env_files: EnvFiles) -> Program {
    Program { name, calls, role: Role::Runtime, env_files, rules: &[Rules::Code], ..NOTHING }
}

/// A program that keeps variables from what it starts.
const fn filter(name: &'static str, calls: &'static [&'static str], filter: Filter) -> Program {
    Program { name, calls, role: Role::Runner(&[]), filter: Some(filter), ..NOTHING }
}

/// `--mode` of Vite and what is built on it.
const MODE: Options = Options { environment: &["--mode", "-m"], folder: &["--root"], ..NO_OPTIONS };
const ENV_FILE: Options = Options {
    env_file: &["--env-file", "--env-file-if-exists"],
    other: &["--import", "-r", "--require", "--loader", "--experimental-loader", "-C", "--conditions"],
    ..NO_OPTIONS
};
const VITE: &[(&str, &str)] = &[("build", "production"), ("preview", "production"), ("dev", "development")];

/// The rows.
pub const PROGRAMS: &[Program] = &[
    // run; `getAuthFromEnv` and `getCloudflareEnv` of wrangler 4.164; the variables of wrangler 1, too.
    Program {
        name: "wrangler",
        calls: &["wrangler", "wrangler2"],
        variables: &[
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_API_KEY",
            "CLOUDFLARE_EMAIL",
            "CLOUDFLARE_ACCOUNT_ID",
            "CLOUDFLARE_API_BASE_URL",
            "CLOUDFLARE_API_HEADERS",
            "CLOUDFLARE_AUTH_PROFILE",
            "CLOUDFLARE_COMPLIANCE_REGION",
            "CF_API_TOKEN",
            "CF_API_KEY",
            "CF_EMAIL",
            "CF_ACCOUNT_ID",
            "CF_API_BASE_URL",
            "WRANGLER_API_ENVIRONMENT",
            "WRANGLER_CF_AUTHORIZATION_TOKEN",
        ],
        role: Role::Client,
        options: Options {
            folder: &["--cwd"],
            environment: &["-e", "--env"],
            configuration: &["-c", "--config"],
            env_file: &["--env-file", "--envFile"],
            are_env_files_many: true,
            ..NO_OPTIONS
        },
        env_files: EnvFiles::ByEnvironment,
        rules: &[Rules::Wrangler],
        reads: &[Reads::WranglerConfiguration, Reads::PagesCache],
        ..NOTHING
    },
    // run; `createCloudflareApi` of version 1 and `readEnvironment` of version 2.
    Program {
        name: "npm alchemy",
        calls: &["alchemy"],
        variables: &[
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_API_KEY",
            "CLOUDFLARE_EMAIL",
            "CLOUDFLARE_ACCOUNT_ID",
            "CLOUDFLARE_ACCOUNT_EMAIL",
            "CLOUDFLARE_BASE_URL",
            "CLOUDFLARE_PROFILE",
            "ALCHEMY_PROFILE",
            "CF_ACCOUNT_ID",
        ],
        role: Role::Client,
        options: Options {
            folder: &["--cwd"],
            env_file: &["--env-file"],
            // They name no environment of wrangler's, and a value of theirs is no program.
            other: &["--stage", "--profile", "--app", "--root-dir"],
            ..NO_OPTIONS
        },
        env_files: EnvFiles::One,
        rules: &[Rules::Npm1, Rules::Npm2],
        ..NOTHING
    },
    // run; npm `cloudflare` 7.3.0 and PyPI `cloudflare` 5.9.0, on which octodns and certbot's plugin are built.
    reader(
        "Cloudflare's SDKs",
        &[],
        &[
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_API_KEY",
            "CLOUDFLARE_EMAIL",
            "CLOUDFLARE_API_USER_SERVICE_KEY",
            "CLOUDFLARE_CUSTOM_HEADERS",
            "CLOUDFLARE_BASE_URL",
        ],
    ),
    // `read_configs.py` of 2.20.0 (PyPI `cloudflare` before 3; `cli4` is its command).
    Program {
        role: Role::Client,
        reads: &[Reads::CloudflareCfg],
        ..reader(
            "python-cloudflare",
            &["cli4"],
            &[
                "CLOUDFLARE_API_TOKEN",
                "CLOUDFLARE_API_KEY",
                "CLOUDFLARE_EMAIL",
                "CLOUDFLARE_API_CERTKEY",
                "CLOUDFLARE_API_EXTRAS",
                "CLOUDFLARE_API_URL",
                "CLOUDFLARE_OPENAPI_URL",
                "CLOUDFLARE_HTTP_HEADERS",
                "CF_API_TOKEN",
                "CF_API_KEY",
                "CF_API_EMAIL",
                "CF_API_CERTKEY",
                "CF_API_EXTRAS",
                "CF_API_URL",
                "CF_OPENAPI_URL",
            ],
        )
    },
    // sst#4076, #6769: it takes only this, else the first account that the token sees.
    Program {
        role: Role::Runtime,
        env_files: EnvFiles::ByEnvironment,
        rules: &[Rules::Code],
        options: Options { environment: &["--stage"], ..NO_OPTIONS },
        ..reader("SST", &["sst"], &["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_DEFAULT_ACCOUNT_ID"])
    },
    // `provider.go` of versions 4 and 5.
    Program {
        role: Role::Client,
        options: Options { folder: &["-chdir"], ..NO_OPTIONS },
        ..reader(
            "Terraform, OpenTofu and Pulumi",
            &["terraform", "tofu"],
            &[
                "CLOUDFLARE_API_TOKEN",
                "CLOUDFLARE_API_KEY",
                "CLOUDFLARE_EMAIL",
                "CLOUDFLARE_API_USER_SERVICE_KEY",
                "CLOUDFLARE_BASE_URL",
                "CLOUDFLARE_API_HOSTNAME",
                "CLOUDFLARE_API_BASE_PATH",
            ],
        )
    },
    // It runs the project's program, which may start anything.
    Program {
        name: "Pulumi",
        calls: &["pulumi"],
        role: Role::Runtime,
        options: Options { folder: &["-C", "--cwd"], other: &["-s", "--stack"], ..NO_OPTIONS },
        ..NOTHING
    },
    // `providers/dns/cloudflare` of version 4: each variable also from a file.
    reader(
        "lego, and Traefik by it",
        &["lego"],
        &[
            "CLOUDFLARE_EMAIL",
            "CLOUDFLARE_EMAIL_FILE",
            "CLOUDFLARE_API_KEY",
            "CLOUDFLARE_API_KEY_FILE",
            "CLOUDFLARE_DNS_API_TOKEN",
            "CLOUDFLARE_DNS_API_TOKEN_FILE",
            "CLOUDFLARE_ZONE_API_TOKEN",
            "CLOUDFLARE_ZONE_API_TOKEN_FILE",
            "CLOUDFLARE_BASE_URL",
            "CLOUDFLARE_BASE_URL_FILE",
            "CF_API_EMAIL",
            "CF_API_EMAIL_FILE",
            "CF_API_KEY",
            "CF_API_KEY_FILE",
            "CF_DNS_API_TOKEN",
            "CF_DNS_API_TOKEN_FILE",
            "CF_ZONE_API_TOKEN",
            "CF_ZONE_API_TOKEN_FILE",
        ],
    ),
    // `dnsapi/dns_cf.sh`.
    reader("acme.sh", &["acme.sh"], &["CF_Token", "CF_Key", "CF_Email", "CF_Account_ID", "CF_Zone_ID"]),
    // `cmd/flarectl` of cloudflare-go 0.
    reader("flarectl", &["flarectl"], &["CF_API_TOKEN", "CF_API_KEY", "CF_API_EMAIL", "CF_ACCOUNT_ID"]),
    // `provider/cloudflare` of external-dns.
    reader("external-dns", &["external-dns"], &["CF_API_TOKEN", "CF_API_KEY", "CF_API_EMAIL"]),
    // `internal/config` of favonia/cloudflare-ddns.
    reader(
        "cloudflare-ddns",
        &["ddns"],
        &[
            "CLOUDFLARE_API_TOKEN",
            "CLOUDFLARE_API_TOKEN_FILE",
            "CF_API_TOKEN",
            "CF_API_TOKEN_FILE",
            "CF_ACCOUNT_ID",
        ],
    ),
    // The modules `cloudflare_dns` and their like: community.general#… speaks of the old and the new name.
    reader("Ansible's community.general", &[], &["CLOUDFLARE_TOKEN", "CLOUDFLARE_API_TOKEN"]),
    // `lexicon/config.py`: the old names and the new ones.
    reader(
        "dns-lexicon",
        &["lexicon"],
        &[
            "LEXICON_CLOUDFLARE_TOKEN",
            "LEXICON_CLOUDFLARE_USERNAME",
            "LEXICON_CLOUDFLARE_AUTH_TOKEN",
            "LEXICON_CLOUDFLARE_AUTH_USERNAME",
            "LEXICON_CLOUDFLARE_ZONE_ID",
        ],
    ),
    reader("curl, printenv and the like", &["curl", "printenv", "echo", "printf", "ls", "cat"], &[]),
    // run; each of them also sends on what stands in the environment.
    Program {
        role: Role::Manager(&Verbs { run: &["run"], scripts: &[], exec: &["x"], is_bare: true }),
        options: Options {
            folder: &["--cwd"],
            env_file: &["--env-file"],
            package: &["--filter", "-F"],
            other: &[
                "-r",
                "--preload",
                "--require",
                "--import",
                "-c",
                "--config",
                "--shell",
                "-d",
                "--define",
            ],
            ..NO_OPTIONS
        },
        ..loader("bun", &["bun"], EnvFiles::ByMode(&[("test", "test")], "development"))
    },
    Program { name: "bunx", calls: &["bunx"], role: Role::Runner(&["-p", "--package"]), ..NOTHING },
    Program {
        name: "npm",
        calls: &["npm"],
        role: Role::Manager(&Verbs {
            run: &["run", "run-script", "rum", "urn"],
            scripts: &[
                ("test", "test"),
                ("t", "test"),
                ("tst", "test"),
                ("start", "start"),
                ("stop", "stop"),
                ("restart", "restart"),
            ],
            exec: &["exec", "x"],
            is_bare: false,
        }),
        options: Options {
            folder: &["--prefix", "-C"],
            package: &["-w", "--workspace"],
            text: &["-c", "--call"],
            other: &[
                "-p",
                "--package",
                "--loglevel",
                "--script-shell",
                "--registry",
                "--userconfig",
                "--cache",
            ],
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    Program {
        name: "npx",
        calls: &["npx"],
        role: Role::Runner(&[
            "-p",
            "--package",
            "--registry",
            "--userconfig",
            "--cache",
            "--prefix",
            "--loglevel",
        ]),
        options: Options { text: &["-c", "--call"], package: &["-w", "--workspace"], ..NO_OPTIONS },
        ..NOTHING
    },
    Program {
        name: "pnpm",
        calls: &["pnpm"],
        role: Role::Manager(&Verbs {
            run: &["run", "run-script"],
            scripts: &[("test", "test"), ("t", "test"), ("start", "start")],
            exec: &["exec", "dlx"],
            is_bare: true,
        }),
        options: Options {
            folder: &["-C", "--dir", "--prefix"],
            package: &["-F", "--filter", "--filter-prod"],
            other: &["--package", "--loglevel", "--reporter"],
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    Program { name: "pnpx", calls: &["pnpx"], role: Role::Runner(&["--package"]), ..NOTHING },
    Program {
        name: "yarn",
        calls: &["yarn", "yarnpkg"],
        role: Role::Manager(&Verbs { run: &["run"], scripts: &[], exec: &["exec", "dlx"], is_bare: true }),
        options: Options { folder: &["--cwd"], other: &["-p", "--package"], ..NO_OPTIONS },
        ..NOTHING
    },
    // run: turbo 2's strict mode (apollo#36, openinary#125, chkit#57).
    Program {
        name: "turbo",
        calls: &["turbo"],
        role: Role::Monorepo,
        options: Options {
            folder: &["--cwd"],
            package: &["-F", "--filter"],
            other: &[
                "--env-mode",
                "--ui",
                "--profile",
                "--log-level",
                "--concurrency",
                "--cache",
                "--cache-dir",
                "--output-logs",
                "--log-order",
                "--log-prefix",
                "--global-deps",
                "--token",
                "--team",
                "--api",
                "--verbosity",
                "--scope",
            ],
            ..NO_OPTIONS
        },
        filter: Some(Filter::Turbo),
        ..NOTHING
    },
    Program {
        name: "nx",
        calls: &["nx"],
        role: Role::Monorepo,
        options: Options { package: &["-p", "--projects"], ..NO_OPTIONS },
        ..NOTHING
    },
    Program {
        name: "lerna",
        calls: &["lerna"],
        role: Role::Monorepo,
        options: Options { package: &["--scope"], ..NO_OPTIONS },
        ..NOTHING
    },
    Program {
        name: "npm-run-all",
        calls: &["npm-run-all", "run-s", "run-p"],
        role: Role::Manager(&Verbs { run: &[], scripts: &[], exec: &[], is_bare: true }),
        ..NOTHING
    },
    // Node's `--env-file` and what hands its options on to it.
    Program { options: ENV_FILE, ..loader("node", &["node", "nodejs", "tsx", "ts-node"], EnvFiles::Named) },
    // Without a value it is `.env`.
    Program {
        options: Options { env_file: &["--env-file", "--env"], ..NO_OPTIONS },
        ..loader("deno", &["deno"], EnvFiles::One)
    },
    // `loadEnvConfig` of `@next/env`.
    loader("Next", &["next"], EnvFiles::ByMode(&[("dev", "development")], "production")),
    // `loadEnv` of Vite, for the configuration and the plugins.
    Program {
        options: MODE,
        ..loader("Vite", &["vite", "vinxi", "astro"], EnvFiles::ByMode(VITE, "development"))
    },
    Program {
        options: Options { env_file: &["--dotenv"], folder: &["--cwd"], ..NO_OPTIONS },
        ..loader("Nuxt", &["nuxt", "nuxi"], EnvFiles::One)
    },
    // dotenv-cli: variables go before the file unless `-o` stands there.
    Program {
        role: Role::Runner(&["-v", "-p"]),
        options: Options { env_file: &["-e"], environment: &["-c"], ..NO_OPTIONS },
        ..loader("dotenv", &["dotenv"], EnvFiles::ByEnvironment)
    },
    Program {
        role: Role::Runner(&["--env", "-e", "--env-keys-file", "-fk", "--log-level", "-l"]),
        options: Options { env_file: &["-f", "--env-file"], ..NO_OPTIONS },
        ..loader("dotenvx", &["dotenvx"], EnvFiles::One)
    },
    // Its file goes before the variables unless `--no-override` stands there.
    Program {
        role: Role::Runner(&["-e", "--environments", "-r", "--rc-file"]),
        options: Options { env_file: &["-f", "--file"], ..NO_OPTIONS },
        is_above: true,
        ..loader("env-cmd", &["env-cmd"], EnvFiles::One)
    },
    Program {
        role: Role::Runtime,
        reads: &[Reads::CloudflareCfg],
        ..reader(
            "Python",
            &["python", "python3", "uv", "poetry", "pipenv", "pytest", "ansible-playbook"],
            &[],
        )
    },
    Program {
        name: "a shell",
        calls: &["sh", "bash", "zsh", "dash", "ksh", "ash", "fish", "busybox"],
        role: Role::Shell,
        options: Options { text: &["-c"], other: &["-o", "-O", "--rcfile", "--init-file"], ..NO_OPTIONS },
        // What `. FILE` does with a `.env`.
        rules: &[Rules::Code],
        ..NOTHING
    },
    // Each of these starts a program with other variables, by its manual.
    Program {
        role: Role::Runner(&["-u", "--unset", "-C", "--chdir", "-S", "--split-string"]),
        options: Options { folder: &["-C", "--chdir"], text: &["-S", "--split-string"], ..NO_OPTIONS },
        ..filter("env", &["env"], Filter::With(&["-i", "--ignore-environment", "-"]))
    },
    Program {
        role: Role::Runner(&[
            "-u", "--user", "-g", "--group", "-D", "--chdir", "-C", "-h", "-p", "-r", "-t", "-T", "-U",
        ]),
        options: Options { folder: &["-D", "--chdir"], ..NO_OPTIONS },
        ..filter("sudo", &["sudo"], Filter::Without(&["-E", "--preserve-env"]))
    },
    Program { role: Role::Runner(&["-u", "-C"]), ..filter("doas", &["doas"], Filter::Without(&[])) },
    filter("pkexec", &["pkexec"], Filter::Without(&[])),
    Program {
        role: Role::Shell,
        options: Options { text: &["-c", "--command"], other: &["-s", "--shell", "-g", "-G"], ..NO_OPTIONS },
        ..filter("su", &["su", "runuser"], Filter::With(&["-", "-l", "--login"]))
    },
    Program {
        role: Role::Shell,
        options: Options {
            text: &["--run", "--command"],
            other: &["-p", "-A", "-I", "--arg", "--argstr"],
            ..NO_OPTIONS
        },
        ..filter("nix-shell", &["nix-shell"], Filter::With(&["--pure"]))
    },
    Program {
        role: Role::Shell,
        options: Options { text: &["-c", "--command"], ..NO_OPTIONS },
        ..filter("nix", &["nix"], Filter::With(&["-i", "--ignore-environment", "--ignore-env"]))
    },
    Program {
        role: Role::Runner(&[
            "-u",
            "--unit",
            "-p",
            "--property",
            "-E",
            "--setenv",
            "--uid",
            "--gid",
            "--working-directory",
            "-M",
            "-H",
        ]),
        options: Options { folder: &["--working-directory"], ..NO_OPTIONS },
        ..filter("systemd-run", &["systemd-run"], Filter::Without(&["--scope", "-E", "--setenv"]))
    },
    reader(
        "programs that only read and write files",
        &[
            "cp", "mv", "rm", "rmdir", "mkdir", "grep", "egrep", "fgrep", "diff", "cmp", "head", "wc",
            "dirname", "basename", "realpath", "readlink", "pwd", "sleep", "date",
        ],
        &[],
    ),
    // A path among the words of these is no sign that a client would run there, or load it: no warning comes of it.
    Program {
        name: "editors, compilers and the like",
        calls: &[
            "git",
            "gh",
            "vi",
            "vim",
            "nvim",
            "nano",
            "emacs",
            "code",
            "cursor",
            "less",
            "more",
            "rg",
            "touch",
            "chmod",
            "ln",
            "tee",
            "jq",
            "yq",
            "tsc",
            "eslint",
            "prettier",
            "biome",
            "oxlint",
            "stylelint",
            "vitest",
            "jest",
            "tar",
            "zip",
            "unzip",
            "rsync",
            "scp",
            "open",
            "xdg-open",
            "shellcheck",
            "shfmt",
        ],
        role: Role::Files,
        ..NOTHING
    },
];

/// What alchemy itself reads, and no program under it is to find.
pub const OWN: [&str; 6] = [
    "CLOUDFLARE_PROFILE",
    "ALCHEMY_ACTIVE",
    "ALCHEMY_YES",
    "ALCHEMY_PASSPHRASE",
    "ALCHEMY_PASSPHRASE_FD",
    "ALCHEMY_PASSPHRASE_COMMAND",
];

/// Of the variables that are not set, those that lead requests elsewhere.
pub const REDIRECTS: [&str; 9] = [
    "CF_API_BASE_URL",
    "CLOUDFLARE_API_URL",
    "CF_API_URL",
    "CLOUDFLARE_OPENAPI_URL",
    "CF_OPENAPI_URL",
    "CLOUDFLARE_API_HOSTNAME",
    "CLOUDFLARE_API_BASE_PATH",
    "CLOUDFLARE_COMPLIANCE_REGION",
    "WRANGLER_API_ENVIRONMENT",
];

/// The row of a program that is called by this name.
#[must_use]
pub fn called(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.calls.contains(&name))
}
