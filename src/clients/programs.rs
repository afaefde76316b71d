//! The table of the programs that alchemy knows: which variables each reads, which files it loads by itself, how its
//! words choose an environment, a folder, a configuration or another program, and whether it keeps variables from what
//! it starts. To know another program is to add a row.
//!
//! The list of variables that a command does not get ([`crate::environment::removed`]), the look into a directory
//! ([`super::hazards`]) and `docs/environment.md` come from here. A row says where it is from: `run` was measured here
//! (wrangler 4.164, npm alchemy 0.94.0 and 2.0.0-beta.79, bun 1.4.5, turbo 2.11, uv 0.13.9). A row without `run` follows
//! what the program's documentation or source says; a row that names neither was not checked against them.

/// A program, and what it reads.
#[derive(Debug)]
pub(crate) struct Program {
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
    /// The names of the files by which it is told what to run, as far as they are not understood.
    pub files: &'static [&'static str],
    /// Variables that it keeps from what it starts.
    pub filter: Option<Filter>,
}

/// What the words of a program are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
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
    Runner(&'static Runs),
    /// It runs scripts and programs of packages.
    Manager(&'static Verbs),
    /// It runs a script by name in many packages.
    Monorepo(&'static Tasks),
    /// Each of its words is a script's name behind one of these, else a text for a shell.
    Scripts(&'static [&'static str]),
    /// It runs the text, or the file, that its words name.
    Shell,
    /// It runs a program in the folders that it finds.
    Finder,
    /// It does whatever files in its folder say, also with its words.
    Open,
}

/// How words name the program that is run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Runs {
    /// One of these words stands before the program's name; none where none has to.
    pub verbs: &'static [&'static str],
    /// What else stands before the program's name.
    pub before: Before,
    /// The program runs as if it were called alone: in the same folder, with the same variables.
    pub is_direct: bool,
    /// The program gets further words, which are known only when it runs.
    pub adds_words: bool,
}

/// What stands before the name of a program that is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// A folder.
    Folder,
    /// A `.env` file, which may be absent.
    EnvFile,
    /// Anything, and then `--`.
    End,
}

/// How words name the tasks that run in many packages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tasks {
    /// What stands between the name of a package and that of its task.
    pub separator: Option<char>,
    /// A word may also name a package alone.
    pub has_packages: bool,
    /// Verbs behind which the names stand.
    pub verbs: &'static [&'static str],
    /// The verbs that run no task.
    pub without: &'static [&'static str],
}

/// The words by which a manager of packages is told what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verbs {
    /// Run the script that the next word names.
    pub run: &'static [&'static str],
    /// Run these scripts; the verbs are the first, the scripts the second.
    pub scripts: &'static [(&'static [&'static str], &'static [&'static str])],
    /// Run these scripts in all packages of the workspace.
    pub lifecycle: &'static [(&'static [&'static str], &'static [&'static str])],
    /// Run a text for a shell.
    pub texts: &'static [&'static str],
    /// Run a program.
    pub exec: &'static [&'static str],
    /// A program runs where the manager is called, whatever an option says of the folder.
    pub exec_stays: bool,
    /// What follows the next word is for the package of that name.
    pub workspace: &'static [&'static str],
    /// What follows is for every package of the workspace.
    pub every: &'static [&'static str],
    /// Any other word may be a script's name, else a program's.
    pub is_bare: bool,
    /// Options that mean the root of the workspace.
    pub root: &'static [&'static str],
    /// Options by which all words are names of scripts.
    pub many: &'static [&'static str],
}

const NO_VERBS: Verbs = Verbs {
    run: &["run"],
    scripts: &[],
    lifecycle: &[],
    texts: &[],
    exec: &[],
    exec_stays: false,
    workspace: &[],
    every: &[],
    is_bare: false,
    root: &[],
    many: &[],
};

/// The scripts that an installation runs, by npm's documentation (measured with npm 11.19).
const INSTALL: &[&str] = &[
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "dependencies",
];
const PACK: &[&str] = &["prepack", "prepublish", "preprepare", "prepare", "postprepare", "postpack"];
const PUBLISH: &[&str] = &[
    "prepublishOnly",
    "prepack",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "postpack",
    "publish",
    "postpublish",
];
const VERSION: &[&str] = &["preversion", "version", "postversion"];
/// npm runs the last two where there is no script of the first name.
const RESTART: &[&str] = &["restart", "stop", "start"];

/// Options, each in all its forms; those with a value take it behind `=` or as the next word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// The folder to go to first.
    pub folder: &'static [&'static str],
    /// The folder of a project: the program goes there, or stays.
    pub project: &'static [&'static str],
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
    /// Every package of the workspace is meant.
    pub all_packages: &'static [&'static str],
    /// A text for a shell.
    pub text: &'static [&'static str],
    /// A text whose words stand in the place of the option.
    pub split: &'static [&'static str],
    /// A script of the package.
    pub script: &'static [&'static str],
    /// Paths, with other things behind `:`, `,` or `=`.
    pub paths: &'static [&'static str],
    /// Anything else that has a value.
    pub other: &'static [&'static str],
    /// Those without a value behind which the first word that is no option is a text for a shell.
    pub texts: &'static [&'static str],
    /// Those without a value behind which the words of another program stand.
    pub command: &'static [&'static str],
    /// Words behind which the words of another program stand.
    pub runs: &'static [&'static str],
    /// Verbs with which it only reads or writes the files that its words name.
    pub files: &'static [&'static str],
    /// Others without a value, as far as they are known: a word behind any further one may be its value.
    pub flags: &'static [&'static str],
}

/// The `.env` files that a program loads by itself. A later one goes before an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EnvFiles {
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
pub(crate) enum Rules {
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
pub(crate) enum Reads {
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
pub(crate) enum Filter {
    /// By `turbo.json`.
    Turbo,
    /// Where one of these options stands in its own words.
    With(&'static [&'static str]),
    /// Unless one of these options stands in its own words.
    Without(&'static [&'static str]),
}

const NO_OPTIONS: Options = Options {
    folder: &[],
    project: &[],
    environment: &[],
    configuration: &[],
    env_file: &[],
    are_env_files_many: false,
    package: &[],
    all_packages: &[],
    text: &[],
    split: &[],
    script: &[],
    paths: &[],
    other: &[],
    texts: &[],
    command: &[],
    runs: &[],
    files: &[],
    flags: &[],
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
    files: &[],
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
    Program { name, calls, role: Role::Runner(&RUNS), filter: Some(filter), ..NOTHING }
}

const RUNS: Runs = Runs { verbs: &[], before: Before::Nothing, is_direct: false, adds_words: false };
/// What runs a package's program as it is.
const DIRECT: Runs = Runs { is_direct: true, ..RUNS };

/// A program that does what files in its folder say.
const fn open(name: &'static str, calls: &'static [&'static str]) -> Program {
    Program { name, calls, role: Role::Open, ..NOTHING }
}

/// `--mode` of Vite and what is built on it.
const MODE: Options = Options {
    environment: &["--mode", "-m"],
    folder: &["--root"],
    configuration: &["-c", "--config"],
    ..NO_OPTIONS
};
const ENV_FILE: Options = Options {
    env_file: &["--env-file", "--env-file-if-exists"],
    script: &["--run"],
    other: &["--import", "-r", "--require", "--loader", "--experimental-loader", "-C", "--conditions"],
    ..NO_OPTIONS
};
const ALL_OF_NPM: &[&str] = &["--workspaces", "-ws", "--ws", "-workspaces"];
/// Those of npm that stand before a program's name.
const NPM_FLAGS: &[&str] = &[
    "-y",
    "--yes",
    "-q",
    "--quiet",
    "-s",
    "--silent",
    "--verbose",
    "-ws",
    "--ws",
    "--workspaces",
    "--offline",
    "--prefer-offline",
    "--ignore-scripts",
    "--if-present",
    "--foreground-scripts",
];
const VITE: &[(&str, &str)] = &[("build", "production"), ("preview", "production"), ("dev", "development")];

/// The rows.
pub(crate) const PROGRAMS: &[Program] = &[
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
        options: Options { environment: &["--stage"], configuration: &["--config"], ..NO_OPTIONS },
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
    // run; each of them also sends on what stands in the environment. What bun loads reaches a file that it runs, and
    // what `exec` runs, but neither a script of a package nor an installed program (`bun run`, `bun x`), unless
    // `--env-file` names it.
    Program {
        role: Role::Manager(&Verbs {
            lifecycle: &[
                (&["install", "i", "ci", "add", "a", "remove", "rm", "update", "link", ""], INSTALL),
                (&["publish"], PUBLISH),
            ],
            texts: &["exec"],
            exec: &["x"],
            is_bare: true,
            many: &["--parallel", "--sequential"],
            ..NO_VERBS
        }),
        options: Options {
            folder: &["--cwd"],
            env_file: &["--env-file"],
            package: &["--filter", "-F"],
            all_packages: &["--workspaces"],
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
                "-e",
                "--eval",
                "-p",
                "--print",
                "--conditions",
                "--port",
                "--elide-lines",
            ],
            flags: &["--bun", "-b", "--silent", "--watch", "--hot", "--if-present", "--smol", "-i"],
            ..NO_OPTIONS
        },
        ..loader("bun", &["bun"], EnvFiles::ByMode(&[("test", "test")], "development"))
    },
    Program {
        name: "bunx",
        calls: &["bunx"],
        role: Role::Runner(&DIRECT),
        options: Options {
            other: &["-p", "--package"],
            flags: &["--bun", "--silent", "--verbose"],
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    // run: npm 11.19. `--prefix` leads its scripts and not its programs; `.npmrc` can name no prefix.
    Program {
        name: "npm",
        calls: &["npm"],
        role: Role::Manager(&Verbs {
            run: &["run", "run-script", "rum", "urn"],
            scripts: &[
                (&["test", "t", "tst"], &["test"]),
                (&["start"], &["start"]),
                (&["stop"], &["stop"]),
                (&["restart"], RESTART),
                (&["version", "verison"], VERSION),
            ],
            lifecycle: &[
                (
                    &[
                        "install",
                        "i",
                        "in",
                        "ins",
                        "inst",
                        "insta",
                        "instal",
                        "isnt",
                        "isnta",
                        "isntal",
                        "isntall",
                        "add",
                        "ci",
                        "clean-install",
                        "ic",
                        "install-clean",
                        "isntall-clean",
                        "update",
                        "up",
                        "upgrade",
                        "udpate",
                        "uninstall",
                        "unlink",
                        "remove",
                        "rm",
                        "r",
                        "un",
                        "dedupe",
                        "ddp",
                        "prune",
                        "link",
                        "ln",
                        "rebuild",
                        "rb",
                    ],
                    INSTALL,
                ),
                (&["install-test", "it", "cit", "clean-install-test", "sit", "install-ci-test"], INSTALL),
                (&["install-test", "it", "cit", "clean-install-test", "sit", "install-ci-test"], &["test"]),
                (&["pack"], PACK),
                (&["publish"], PUBLISH),
            ],
            exec: &["exec", "x"],
            exec_stays: true,
            ..NO_VERBS
        }),
        options: Options {
            folder: &["--prefix", "-C"],
            package: &["-w", "--workspace"],
            all_packages: ALL_OF_NPM,
            text: &["-c", "--call"],
            other: &[
                "--package",
                "--loglevel",
                "--script-shell",
                "--registry",
                "--userconfig",
                "--cache",
                "--omit",
                "--include",
            ],
            flags: NPM_FLAGS,
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    Program {
        name: "npx",
        calls: &["npx"],
        role: Role::Runner(&DIRECT),
        options: Options {
            text: &["-c", "--call"],
            package: &["-w", "--workspace"],
            all_packages: ALL_OF_NPM,
            other: &["-p", "--package", "--registry", "--userconfig", "--cache", "--prefix", "--loglevel"],
            flags: NPM_FLAGS,
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    // The help of pnpm 12.21.
    Program {
        role: Role::Manager(&Verbs {
            run: &["run", "run-script"],
            scripts: &[
                (&["test", "t", "tst"], &["test"]),
                (&["start"], &["start"]),
                (&["stop"], &["stop"]),
                (&["restart"], RESTART),
            ],
            lifecycle: &[
                (
                    &[
                        "install",
                        "i",
                        "ci",
                        "add",
                        "update",
                        "up",
                        "upgrade",
                        "remove",
                        "rm",
                        "uninstall",
                        "un",
                        "uni",
                        "rebuild",
                        "rb",
                        "link",
                        "dedupe",
                        "prune",
                    ],
                    INSTALL,
                ),
                (&["install-test", "it"], INSTALL),
                (&["install-test", "it"], &["test"]),
                (&["pack"], PACK),
                (&["publish"], PUBLISH),
                (&["version"], VERSION),
            ],
            exec: &["exec", "dlx"],
            every: &["recursive", "multi", "m"],
            is_bare: true,
            root: &["-w", "--workspace-root"],
            many: &["-s", "--sequential", "--parallel"],
            ..NO_VERBS
        }),
        options: Options {
            folder: &["-C", "--dir", "--prefix"],
            package: &["-F", "--filter", "--filter-prod"],
            all_packages: &["-r", "--recursive"],
            env_file: &["--env-file"],
            other: &["--package", "--loglevel", "--reporter", "--workspace-concurrency"],
            flags: &[
                "-r",
                "--recursive",
                "-w",
                "--workspace-root",
                "-s",
                "--silent",
                "-c",
                "--shell-mode",
                "--stream",
                "--parallel",
                "--if-present",
                "--aggregate-output",
            ],
            ..NO_OPTIONS
        },
        ..loader("pnpm", &["pnpm", "pn"], EnvFiles::Named)
    },
    Program {
        name: "pnpx",
        calls: &["pnpx", "pnx"],
        role: Role::Runner(&DIRECT),
        options: Options { other: &["--package"], flags: &["-s", "--silent"], ..NO_OPTIONS },
        ..NOTHING
    },
    // `lib/cli.js` of yarn 1.22; `workspaces foreach` is of later ones.
    Program {
        name: "yarn",
        calls: &["yarn", "yarnpkg"],
        role: Role::Manager(&Verbs {
            lifecycle: &[
                (&["install", "add", "remove", "upgrade", "up", "link", "rebuild", ""], INSTALL),
                (&["pack"], PACK),
                (&["publish"], PUBLISH),
                (&["version"], VERSION),
            ],
            exec: &["exec", "dlx"],
            workspace: &["workspace"],
            every: &["workspaces", "foreach"],
            is_bare: true,
            ..NO_VERBS
        }),
        options: Options {
            folder: &["--cwd"],
            package: &["--include", "--from"],
            other: &["-p", "--package", "--mutex", "--network-timeout", "--registry", "--use-yarnrc"],
            flags: &[
                "-s",
                "--silent",
                "--verbose",
                "--offline",
                "--json",
                "--frozen-lockfile",
                "-A",
                "--all",
            ],
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    // run: turbo 2's strict mode (apollo#36, openinary#125, chkit#57).
    Program {
        name: "turbo",
        calls: &["turbo"],
        role: Role::Monorepo(&Tasks {
            separator: Some('#'),
            has_packages: false,
            verbs: &["run", "watch"],
            without: &[
                "ls", "prune", "login", "logout", "link", "unlink", "daemon", "gen", "generate", "query",
                "info",
            ],
        }),
        options: Options {
            folder: &["--cwd"],
            package: &["-F", "--filter", "--scope"],
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
            ],
            ..NO_OPTIONS
        },
        filter: Some(Filter::Turbo),
        ..NOTHING
    },
    // `shared-options.js`, `task-env.js` and `task-env-paths.js` of nx 24.0.6: the files go below the variables; a target
    // has its own, as a configuration has. `.local.env` and `.env.TARGET.CONFIGURATION` are not looked at.
    Program {
        role: Role::Monorepo(&Tasks {
            separator: Some(':'),
            has_packages: true,
            verbs: &["run", "run-many", "affected", "exec"],
            without: &[],
        }),
        options: Options {
            environment: &["-c", "--configuration"],
            package: &["-p", "--projects", "--project"],
            script: &["-t", "--targets", "--target"],
            other: &[
                "--exclude",
                "--parallel",
                "--maxParallel",
                "--runner",
                "--files",
                "--base",
                "--head",
                "--outputStyle",
            ],
            ..NO_OPTIONS
        },
        ..loader("nx", &["nx"], EnvFiles::ByEnvironment)
    },
    // `commands/run/command.js` and `commands/exec/command.js` of lerna 9.0.7: its scripts run by nx, with nx's files.
    Program {
        role: Role::Monorepo(&Tasks {
            separator: None,
            has_packages: false,
            verbs: &["run", "exec"],
            without: &[],
        }),
        options: Options { package: &["--scope"], other: &["--ignore", "--concurrency"], ..NO_OPTIONS },
        ..loader("lerna", &["lerna"], EnvFiles::ByEnvironment)
    },
    // `crates/app/src/app.rs`, `commands` and `crates/app-macros` of moon 2.5.2. What a task's `envFile` names is not
    // looked at.
    Program {
        name: "moon",
        calls: &["moon"],
        role: Role::Monorepo(&Tasks {
            separator: Some(':'),
            has_packages: true,
            verbs: &["run", "r", "exec", "x", "check", "c", "ci"],
            without: &[],
        }),
        options: Options {
            other: &[
                "-c",
                "--concurrency",
                "--cache",
                "--log",
                "--log-file",
                "--theme",
                "--otel-service-name",
                "-p",
                "--plan",
                "--base",
                "--head",
                "--status",
                "--query",
                "--on-failure",
                "--upstream",
                "--downstream",
                "--dependencies",
                "--dependents",
                "--job",
                "--job-total",
            ],
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    // `SelectionParameterSet` of @microsoft/rush-lib 5.179.0: those of the last options leave out what they name.
    Program {
        name: "rush",
        calls: &["rush"],
        role: Role::Monorepo(&Tasks { separator: None, has_packages: false, verbs: &[], without: &[] }),
        options: Options {
            package: &["-o", "--only", "-t", "--to", "-f", "--from", "-i", "--impacted-by"],
            other: &[
                "-T",
                "--to-except",
                "-I",
                "--impacted-by-except",
                "--to-version-policy",
                "--from-version-policy",
                "-p",
                "--parallelism",
            ],
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    // It runs a script of the package where it is called, by rush's documentation, which was not checked.
    Program {
        name: "rushx",
        calls: &["rushx"],
        role: Role::Manager(&Verbs { run: &[], is_bare: true, ..NO_VERBS }),
        options: Options { flags: &["-d", "--debug", "-q", "--quiet"], ..NO_OPTIONS },
        ..NOTHING
    },
    // `parse-cli-args.js` of npm-run-all2.
    Program {
        name: "npm-run-all",
        calls: &["npm-run-all", "npm-run-all2", "run-s", "run-p"],
        role: Role::Scripts(&[""]),
        options: Options { other: &["--max-parallel", "--npm-path"], ..NO_OPTIONS },
        ..NOTHING
    },
    // `dist/bin/concurrently.js` and `expand-shortcut.js` of concurrently 9.2.5: no option leads to a folder.
    Program {
        name: "concurrently",
        calls: &["concurrently", "conc"],
        role: Role::Scripts(&["npm:", "pnpm:", "yarn:", "bun:", "node:", "deno:"]),
        options: Options {
            text: &["--teardown"],
            other: &[
                "-m",
                "--max-processes",
                "-n",
                "--names",
                "--name-separator",
                "-s",
                "--success",
                "-p",
                "--prefix",
                "-c",
                "--prefix-colors",
                "-l",
                "--prefix-length",
                "-t",
                "--timestamp-format",
                "--hide",
                "--kill-signal",
                "--ks",
                "--kill-timeout",
                "--restart-tries",
                "--restart-after",
                "--default-input-target",
            ],
            flags: &[
                "-r",
                "--raw",
                "-g",
                "--group",
                "--timings",
                "-P",
                "--passthrough-arguments",
                "-k",
                "--kill-others",
                "--kill-others-on-fail",
                "--pad-prefix",
                "-i",
                "--handle-input",
            ],
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    // Node's `--env-file` and what hands its options on to it.
    Program {
        options: ENV_FILE,
        ..loader("node", &["node", "nodejs", "tsx", "ts-node", "zx"], EnvFiles::Named)
    },
    // Without a value it is `.env`.
    Program {
        role: Role::Manager(&Verbs { run: &["task"], ..NO_VERBS }),
        options: Options {
            folder: &["--cwd"],
            env_file: &["--env-file", "--env"],
            package: &["-f", "--filter"],
            all_packages: &["-r", "--recursive"],
            text: &["--eval"],
            other: &["-c", "--config", "--import-map", "--lock"],
            files: &["fmt", "lint", "check", "doc"],
            ..NO_OPTIONS
        },
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
    // `cli.js` of dotenv-cli: variables go before the file unless `-o` stands there.
    Program {
        role: Role::Runner(&RUNS),
        options: Options { env_file: &["-e"], environment: &["-c"], other: &["-v", "-p"], ..NO_OPTIONS },
        ..loader("dotenv", &["dotenv"], EnvFiles::ByEnvironment)
    },
    // `src/cli/dotenvx.js` of dotenvx 2.38.2: variables go before the files unless `--overload` stands there. What
    // `--convention` and `--profile` add is not looked at.
    Program {
        role: Role::Runner(&Runs { verbs: &["run"], ..RUNS }),
        options: Options {
            env_file: &["-f", "--env-file"],
            other: &[
                "--env",
                "-e",
                "--env-keys-file",
                "-fk",
                "--log-level",
                "-l",
                "--profile",
                "--convention",
                "--ignore",
                "--token",
            ],
            flags: &[
                "-o",
                "--overload",
                "-q",
                "--quiet",
                "-v",
                "--verbose",
                "-d",
                "--debug",
                "--strict",
                "--redact",
            ],
            ..NO_OPTIONS
        },
        ..loader("dotenvx", &["dotenvx", "dx"], EnvFiles::One)
    },
    // `dist/parse-args.js` and `dist/env-cmd.js` of env-cmd 11.0.0, and `lib/index.js` of 8.0.2, where the file stands
    // first: it goes before the variables unless `--no-override` stands there. The file of `-e` (`.env-cmdrc`) is not
    // looked at.
    Program {
        role: Role::Runner(&Runs { before: Before::EnvFile, ..RUNS }),
        options: Options {
            env_file: &["-f", "--file"],
            other: &["-e", "--environments", "-r", "--rc-file"],
            flags: &[
                "--silent",
                "--verbose",
                "--use-shell",
                "-x",
                "--expand-envs",
                "--recursive",
                "--fallback",
            ],
            ..NO_OPTIONS
        },
        is_above: true,
        ..loader("env-cmd", &["env-cmd"], EnvFiles::One)
    },
    // `lib/foreman/cli.rb` and `engine.rb` of foreman 0.90.0: what the files say is set above the variables; `.env` is
    // looked for in the root, and a file that is named where it is called. What `.foreman` says is not looked at.
    Program {
        role: Role::Open,
        options: Options {
            folder: &["-d", "--root"],
            env_file: &["-e", "--env"],
            configuration: &["-f", "--procfile"],
            other: &["-m", "--formation", "-p", "--port", "-t", "--timeout"],
            flags: &["-c", "--color", "--timestamp"],
            ..NO_OPTIONS
        },
        is_above: true,
        files: &["Procfile"],
        ..loader("foreman", &["foreman"], EnvFiles::One)
    },
    // `nf.js`, `lib/envs.js` and `lib/proc.js` of npm foreman 3.0.1: the same order.
    Program {
        role: Role::Open,
        options: Options {
            env_file: &["-e", "--env"],
            configuration: &["-j", "--procfile"],
            other: &[
                "-p",
                "--port",
                "-x",
                "--proxy",
                "--ssl-key",
                "--ssl-cert",
                "-f",
                "--forward",
                "-i",
                "--intercept",
                "-t",
                "--trim",
            ],
            flags: &["-s", "--showenvs", "-r", "--raw", "-w", "--wrap"],
            ..NO_OPTIONS
        },
        is_above: true,
        files: &["Procfile"],
        ..loader("nf", &["nf"], EnvFiles::One)
    },
    // The options are those of the page `reference/commands/run` of 1Password CLI's documentation and of its shell
    // completion. That the file's entries go before the variables could not be checked: it is the reading that warns.
    Program {
        role: Role::Runner(&Runs { verbs: &["run"], ..RUNS }),
        options: Options {
            env_file: &["--env-file"],
            other: &["--account", "--config", "--encoding", "--format", "--session", "--environment"],
            flags: &["--no-masking", "--debug", "--cache", "--iso-timestamps"],
            ..NO_OPTIONS
        },
        is_above: true,
        ..loader("op", &["op"], EnvFiles::Named)
    },
    // `internal/cmd/cmd_exec.go` of direnv 2.37.1; 2.32.1 was run: with what the `.envrc` of the folder says, the program
    // runs where direnv is called. A file in the place of the folder is itself the program.
    Program {
        name: "direnv",
        calls: &["direnv"],
        role: Role::Runner(&Runs { verbs: &["exec"], before: Before::Folder, ..RUNS }),
        ..NOTHING
    },
    // `docs/cli/exec.md`, `docs/cli/index.md` and `docs/sandboxing.md` of mise 2026.8.10. The files that `-E` adds are not
    // looked at.
    Program {
        name: "mise",
        calls: &["mise"],
        role: Role::Runner(&Runs { verbs: &["exec", "x"], before: Before::End, ..RUNS }),
        options: Options {
            folder: &["-C", "--cd"],
            text: &["-c", "--command"],
            other: &[
                "-E",
                "--env",
                "-j",
                "--jobs",
                "--output",
                "--allow-env",
                "--allow-net",
                "--allow-read",
                "--allow-write",
            ],
            flags: &[
                "-q",
                "--quiet",
                "-v",
                "--verbose",
                "-y",
                "--yes",
                "--raw",
                "--locked",
                "--silent",
                "--fresh-env",
                "--deny-all",
                "--deny-env",
                "--deny-net",
                "--deny-read",
                "--deny-write",
            ],
            ..NO_OPTIONS
        },
        filter: Some(Filter::With(&["--deny-env", "--deny-all", "--allow-env"])),
        ..NOTHING
    },
    // run, and `uv run --help`: variables go before the file, which is looked for in the folder of `--directory`;
    // `--project` leads to no folder. What `UV_ENV_FILE` names is not looked at.
    Program {
        role: Role::Runner(&Runs { verbs: &["run"], ..RUNS }),
        options: Options {
            folder: &["--directory"],
            env_file: &["--env-file"],
            other: &[
                "--project",
                "-p",
                "--python",
                "-w",
                "--with",
                "--with-editable",
                "--with-requirements",
                "--extra",
                "--no-extra",
                "--group",
                "--no-group",
                "--only-group",
                "--package",
                "--python-platform",
                "--index",
                "--default-index",
                "-i",
                "--index-url",
                "--extra-index-url",
                "-f",
                "--find-links",
                "--index-strategy",
                "--keyring-provider",
                "-P",
                "--upgrade-package",
                "--resolution",
                "--prerelease",
                "--exclude-newer",
                "--link-mode",
                "-C",
                "--config-setting",
                "--cache-dir",
                "--color",
                "--config-file",
            ],
            flags: &[
                "-q",
                "--quiet",
                "-v",
                "--verbose",
                "-m",
                "--module",
                "-s",
                "--script",
                "-U",
                "--upgrade",
                "-n",
                "--frozen",
                "--locked",
                "--isolated",
                "--active",
                "--exact",
                "--offline",
                "--all-extras",
                "--all-groups",
                "--all-packages",
                "--only-dev",
            ],
            ..NO_OPTIONS
        },
        reads: &[Reads::CloudflareCfg],
        ..loader("uv", &["uv"], EnvFiles::Named)
    },
    Program {
        role: Role::Runtime,
        reads: &[Reads::CloudflareCfg],
        ..reader("Python", &["python", "python3", "ansible-playbook"], &[])
    },
    Program {
        role: Role::Runtime,
        ..reader("interpreters of other languages", &["ruby", "perl", "php"], &[])
    },
    // `console/application.py` and `commands/run.py` of poetry 2.5.1, and `cli/commands/run.py` of pdm 2.29.4: neither
    // loads a `.env` by itself, and a program runs where they are called, a script of pdm's in the project. rye, pixi and
    // hatch were not checked.
    Program {
        role: Role::Runner(&Runs { verbs: &["run"], ..RUNS }),
        options: Options {
            folder: &["-C", "--directory"],
            project: &["-P", "--project", "-p", "--manifest-path"],
            other: &["-e", "--environment"],
            ..NO_OPTIONS
        },
        reads: &[Reads::CloudflareCfg],
        ..loader("poetry", &["poetry", "pdm", "rye", "pixi", "hatch"], EnvFiles::Named)
    },
    // `utils/environment.py` and `cli/options.py` of pipenv 2026.10.3: the `.env` beside the Pipfile goes before the
    // variables. What `PIPENV_DOTENV_LOCATION` names is not looked at.
    Program {
        role: Role::Runner(&Runs { verbs: &["run"], ..RUNS }),
        options: Options {
            other: &["--python", "--pypi-mirror"],
            flags: &["-v", "--verbose", "-q", "--quiet", "--system", "--clear", "--site-packages", "--bare"],
            ..NO_OPTIONS
        },
        reads: &[Reads::CloudflareCfg],
        is_above: true,
        ..loader("pipenv", &["pipenv"], EnvFiles::One)
    },
    // `make --help` of 4.3.
    Program {
        options: Options {
            folder: &["-C", "--directory"],
            configuration: &["-f", "--file", "--makefile"],
            other: &[
                "-E",
                "--eval",
                "-I",
                "--include-dir",
                "-o",
                "--old-file",
                "-W",
                "--what-if",
                "--new-file",
            ],
            ..NO_OPTIONS
        },
        ..open("make", &["make", "gmake"])
    },
    // `src/arguments.rs` and `src/load_dotenv.rs` of just 1.58.0: variables go before the file but by a setting.
    Program {
        options: Options {
            folder: &["-d", "--working-directory"],
            configuration: &["-f", "--justfile"],
            env_file: &["-E", "--dotenv-path", "-F", "--dotenv-filename"],
            text: &["--dotenv-command"],
            command: &["-c", "--command"],
            other: &[
                "--shell",
                "--shell-arg",
                "--set",
                "--color",
                "--command-color",
                "--alias-style",
                "--ceiling",
                "--chooser",
                "--cygpath",
                "--dump-format",
                "--evaluate-format",
                "--group",
                "--indentation",
                "--jobs",
                "--justfile-name",
                "--list-heading",
                "--list-prefix",
                "--tempdir",
                "--timestamp-format",
                "--completions",
                "-s",
                "--show",
                "--usage",
            ],
            flags: &[
                "-n",
                "--dry-run",
                "-q",
                "--quiet",
                "-v",
                "--verbose",
                "-u",
                "--unsorted",
                "-g",
                "--global-justfile",
                "--yes",
                "--one",
                "--unstable",
                "--highlight",
                "--explain",
                "--shell-command",
            ],
            ..NO_OPTIONS
        },
        rules: &[Rules::Code],
        ..open("just", &["just"])
    },
    // `internal/flags/flags.go` of Task 3.53.1. What a Taskfile's `dotenv` names is not looked at; by `internal/env` it
    // goes below the variables, but in an experiment.
    Program {
        files: &["Taskfile.yml", "Taskfile.yaml", "taskfile.yml", "taskfile.yaml", "Taskfile.dist.yml"],
        options: Options {
            folder: &["-d", "--dir"],
            configuration: &["-t", "--taskfile"],
            other: &[
                "-o",
                "--output",
                "--output-group-begin",
                "--output-group-end",
                "-C",
                "--concurrency",
                "-I",
                "--interval",
                "--sort",
                "--temp-dir",
                "--completion",
                "--trusted-hosts",
                "--timeout",
                "--expiry",
                "--remote-cache-dir",
                "--cacert",
                "--cert",
                "--cert-key",
            ],
            flags: &[
                "-i",
                "--init",
                "-l",
                "--list",
                "-a",
                "--list-all",
                "-j",
                "--json",
                "-w",
                "--watch",
                "-v",
                "--verbose",
                "-s",
                "--silent",
                "-y",
                "--yes",
                "-p",
                "--parallel",
                "-n",
                "--dry",
                "-x",
                "--exit-code",
                "-c",
                "--color",
                "-F",
                "--failfast",
                "-g",
                "--global",
                "-f",
                "--force",
            ],
            ..NO_OPTIONS
        },
        ..open("task", &["task", "go-task"])
    },
    Program {
        name: "git",
        calls: &["git"],
        role: Role::Files,
        options: Options {
            folder: &["-C", "--work-tree"],
            text: &["-x", "--exec"],
            other: &["-c", "--git-dir", "--exec-path", "--namespace", "--config-env"],
            runs: &["foreach", "run"],
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    // `docker --help` and `docker run --help` of 28.2.2, and `cmd/compose` of Docker Compose 5.5.0; podman was not checked.
    // A container has no variable but those that the words or a Compose file name: what `--env-file` names goes before
    // none. Compose's own `.env` goes below the variables; like `env_file` in its files, it is not looked at.
    Program {
        files: &[
            "compose.yaml",
            "compose.yml",
            "compose.override.yaml",
            "compose.override.yml",
            "docker-compose.yml",
            "docker-compose.yaml",
            "docker-compose.override.yml",
        ],
        options: Options {
            folder: &["--project-directory"],
            paths: &["-v", "--volume", "--mount"],
            configuration: &["-f", "--file"],
            env_file: &["--env-file"],
            other: &[
                "--env-from-file",
                "-p",
                "--publish",
                "--project-name",
                "--profile",
                "--config",
                "-H",
                "--host",
                "-c",
                "--context",
                "-l",
                "--log-level",
                "-e",
                "--env",
                "-u",
                "--user",
                "-w",
                "--workdir",
                "--name",
                "--network",
                "--entrypoint",
                "--platform",
                "--pull",
                "--progress",
                "--parallel",
                "--ansi",
            ],
            flags: &[
                "-i",
                "--interactive",
                "-t",
                "--tty",
                "-d",
                "--detach",
                "--rm",
                "-q",
                "--quiet",
                "-D",
                "--debug",
                "--build",
            ],
            files: &["build", "buildx"],
            ..NO_OPTIONS
        },
        ..open("docker", &["docker", "docker-compose", "podman", "podman-compose"])
    },
    // `lib/cli/parse.js` of nodemon 3.1.14.
    Program {
        options: Options {
            folder: &["--cwd"],
            configuration: &["--config"],
            text: &["-x", "--exec"],
            other: &[
                "-w",
                "--watch",
                "-i",
                "--ignore",
                "-d",
                "--delay",
                "-e",
                "--ext",
                "-s",
                "--signal",
                "-P",
                "--polling-interval",
            ],
            flags: &[
                "--spawn",
                "--dump",
                "-V",
                "--verbose",
                "-L",
                "--legacy-watch",
                "--js",
                "-q",
                "--quiet",
                "--exitcrash",
                "-I",
                "-C",
                "--on-change-only",
            ],
            ..NO_OPTIONS
        },
        ..open("nodemon", &["nodemon"])
    },
    Program { name: "find", calls: &["find", "gfind"], role: Role::Finder, ..NOTHING },
    // `src/cli.rs` and `src/main.rs` of fd 10.4.2: it goes to the folder first.
    Program {
        name: "fd",
        calls: &["fd", "fdfind"],
        role: Role::Finder,
        options: Options { folder: &["-C", "--base-directory"], ..NO_OPTIONS },
        ..NOTHING
    },
    // `xargs --help` of findutils 4.9, and `-J`, `-R`, `-S` of BSD's.
    Program {
        name: "xargs",
        calls: &["xargs", "gxargs"],
        role: Role::Runner(&Runs { adds_words: true, ..RUNS }),
        options: Options {
            other: &[
                "-I",
                "-J",
                "-R",
                "-S",
                "-n",
                "--max-args",
                "-P",
                "--max-procs",
                "-L",
                "--max-lines",
                "-s",
                "--max-chars",
                "-d",
                "--delimiter",
                "-a",
                "--arg-file",
                "-E",
                "--process-slot-var",
            ],
            flags: &["-0", "--null", "-r", "--no-run-if-empty", "-t", "-x", "-p", "-o", "-i", "-l", "-e"],
            ..NO_OPTIONS
        },
        ..NOTHING
    },
    Program {
        name: "a shell",
        calls: &["sh", "bash", "zsh", "dash", "ksh", "ash", "busybox"],
        role: Role::Shell,
        options: Options {
            texts: &["-c"],
            other: &["-o", "-O", "--rcfile", "--init-file"],
            flags: &[
                "-c", "-e", "-u", "-x", "-l", "-i", "-s", "-v", "-n", "-a", "-f", "-p", "--login", "--posix",
            ],
            ..NO_OPTIONS
        },
        // What `. FILE` does with a `.env`.
        rules: &[Rules::Code],
        ..NOTHING
    },
    Program {
        role: Role::Shell,
        options: Options {
            text: &["-c", "--command", "-C", "--init-command"],
            other: &["-d", "--debug", "-o", "--debug-output", "-f", "--features"],
            ..NO_OPTIONS
        },
        ..reader("fish", &["fish"], &[])
    },
    // Each of these starts a program with other variables, by its manual.
    Program {
        options: Options {
            folder: &["-C", "--chdir"],
            split: &["-S", "--split-string"],
            other: &["-u", "--unset"],
            flags: &["-i", "--ignore-environment", "-0", "--null", "-v", "--debug"],
            ..NO_OPTIONS
        },
        ..filter("env", &["env"], Filter::With(&["-i", "--ignore-environment", "-"]))
    },
    Program {
        options: Options {
            folder: &["-D", "--chdir"],
            other: &[
                "-u",
                "--user",
                "-g",
                "--group",
                "-C",
                "--close-from",
                "-h",
                "--host",
                "-p",
                "--prompt",
                "-r",
                "--role",
                "-t",
                "--type",
                "-T",
                "--command-timeout",
                "-U",
                "--other-user",
                "-R",
                "--chroot",
            ],
            flags: &[
                "-E",
                "--preserve-env",
                "-H",
                "--set-home",
                "-n",
                "-S",
                "-b",
                "-k",
                "-A",
                "-B",
                "-P",
                "-i",
                "-s",
            ],
            ..NO_OPTIONS
        },
        ..filter("sudo", &["sudo"], Filter::Without(&["-E", "--preserve-env"]))
    },
    Program {
        options: Options { other: &["-u", "-C"], flags: &["-n", "-s", "-L"], ..NO_OPTIONS },
        ..filter("doas", &["doas"], Filter::Without(&[]))
    },
    Program {
        options: Options {
            other: &["--user"],
            flags: &["--keep-cwd", "--disable-internal-agent"],
            ..NO_OPTIONS
        },
        ..filter("pkexec", &["pkexec"], Filter::Without(&[]))
    },
    Program {
        role: Role::Shell,
        options: Options {
            text: &["-c", "--command", "--session-command"],
            other: &["-s", "--shell", "-g", "--group", "-G", "--supp-group", "-w", "-u", "--user"],
            flags: &["-l", "--login", "-m", "-p", "--preserve-environment", "-P", "--pty", "-f"],
            ..NO_OPTIONS
        },
        ..filter("su", &["su", "runuser"], Filter::With(&["-", "-l", "--login"]))
    },
    Program {
        role: Role::Shell,
        options: Options {
            text: &["--run", "--command"],
            other: &["-p", "--packages", "-A", "--attr", "-I", "--arg", "--argstr"],
            ..NO_OPTIONS
        },
        ..filter("nix-shell", &["nix-shell"], Filter::With(&["--pure"]))
    },
    Program {
        role: Role::Shell,
        options: Options { command: &["-c", "--command"], ..NO_OPTIONS },
        ..filter("nix", &["nix"], Filter::With(&["-i", "--ignore-environment", "--ignore-env"]))
    },
    Program {
        options: Options {
            folder: &["--working-directory"],
            other: &[
                "-u",
                "--unit",
                "-p",
                "--property",
                "-E",
                "--setenv",
                "--uid",
                "--gid",
                "-M",
                "--machine",
                "-H",
                "--host",
                "--slice",
                "--description",
                "--service-type",
                "--nice",
            ],
            flags: &[
                "--scope",
                "--user",
                "-t",
                "--pty",
                "-P",
                "--pipe",
                "-G",
                "--collect",
                "--wait",
                "-d",
                "-q",
            ],
            ..NO_OPTIONS
        },
        ..filter("systemd-run", &["systemd-run"], Filter::Without(&["--scope", "-E", "--setenv"]))
    },
    reader(
        "programs that only read and write files",
        &[
            "cp",
            "mv",
            "rm",
            "rmdir",
            "mkdir",
            "grep",
            "egrep",
            "fgrep",
            "diff",
            "cmp",
            "head",
            "wc",
            "dirname",
            "basename",
            "realpath",
            "readlink",
            "pwd",
            "sleep",
            "date",
            "tail",
            "sort",
            "uniq",
            "cut",
            "tr",
            "stat",
            "file",
            "du",
            "df",
            "tree",
            "chown",
            "chgrp",
            "mktemp",
            "sha256sum",
            "shasum",
            "md5sum",
        ],
        &[],
    ),
    // A path among the words of these is no sign that a client would run there, or load it: no warning comes of it.
    Program {
        name: "editors, compilers and the like",
        calls: &[
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
            "sed",
            "gsed",
            "awk",
            "gawk",
            "go",
            "gofmt",
            "esbuild",
            "swc",
            "rollup",
            "webpack",
            "prisma",
            "drizzle-kit",
            "pytest",
            "sqlite3",
            "psql",
            "kubectl",
            "helm",
        ],
        role: Role::Files,
        ..NOTHING
    },
];

/// What alchemy itself reads, and no program under it is to find.
pub(crate) const OWN: [&str; 6] = [
    "CLOUDFLARE_PROFILE",
    "ALCHEMY_ACTIVE",
    "ALCHEMY_YES",
    "ALCHEMY_PASSPHRASE",
    "ALCHEMY_PASSPHRASE_FD",
    "ALCHEMY_PASSPHRASE_COMMAND",
];

/// Of the variables that are not set, those that lead requests elsewhere.
pub(crate) const REDIRECTS: [&str; 9] = [
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
pub(crate) fn called(name: &str) -> Option<&'static Program> {
    PROGRAMS.iter().find(|program| program.calls.contains(&name))
}
