//! `alchemy man`: the manual pages. What clap knows of a command, and under it what a manual has besides.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::roff::{Inline, Roff, bold, roman};

use super::Cli;
use super::npm_words::{WORDS, Word};
use crate::error::{Error, Result};
use crate::terminal;

/// Print a manual page: alchemy's, or a command's
#[derive(Args)]
pub(super) struct Man {
    /// The command
    #[arg(value_name = "COMMAND", conflicts_with = "out")]
    command: Vec<String>,
    /// Write all pages into a folder, for packages
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const ENVIRONMENT: [(&str, &str); 17] = [
    ("CLOUDFLARE_PROFILE, ALCHEMY_PROFILE", "The profile, when the command line names none."),
    ("ALCHEMY_HOME", "The folder instead of ~/.alchemy; an absolute path."),
    ("ALCHEMY_STORE", "The store for new profiles: keyring, file, encrypted or command."),
    (
        "ALCHEMY_PASSPHRASE_FD, ALCHEMY_PASSPHRASE_COMMAND",
        "Give the passphrase of an encrypted profile: the number of an open file, or what prints it.",
    ),
    ("ALCHEMY_KEEP", "How long the Linux kernel keeps what was decrypted, 0 for not at all; else 15m."),
    ("ALCHEMY_MIN_TTL", "The life that an access token must have left, such as 90, 90s or 15m; else 60s."),
    ("ALCHEMY_CONFIRM", "Answers for a profile that is to be confirmed, by its name."),
    (
        "ALCHEMY_HOOK_EXPORT",
        "profile: the hook gives the shell the profile's name and account, and no secret.",
    ),
    ("ALCHEMY_QUIET, NO_COLOR", "Say nothing but errors; use no colour."),
    ("ALCHEMY_OAUTH_CLIENT_ID", "Another OAuth client for a new session, kept with the profile;"),
    ("ALCHEMY_OAUTH_REDIRECT_URI, ALCHEMY_OAUTH_CALLBACK", "its redirect URI, and where to listen for it;"),
    (
        "ALCHEMY_OAUTH_AUTH_URL, ALCHEMY_OAUTH_TOKEN_URL, ALCHEMY_OAUTH_REVOKE_URL",
        "its endpoints. For a session that exists only loopback addresses count.",
    ),
    (
        "CLOUDFLARE_API_BASE_URL",
        "The API for a new profile, kept with it. For one that exists only a loopback address counts.",
    ),
    (
        "CLOUDFLARE_API_TOKEN, CLOUDFLARE_API_KEY, CLOUDFLARE_EMAIL, CLOUDFLARE_ACCOUNT_ID",
        "The credential itself, where there is no profile, as in CI.",
    ),
    ("BROWSER, SHELL", "The browser to sign in with; the subshell of exec."),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR, NODE_EXTRA_CA_CERTS",
        "Certificate authorities for alchemy's own requests.",
    ),
    ("HTTPS_PROXY, ALL_PROXY, NO_PROXY", "The proxy for them."),
];

/// Design §7; what is taken away is in the README.
const ENVIRONMENT_OF_COMMAND: [(&str, &str); 6] = [
    ("CLOUDFLARE_API_TOKEN", "The access token of a session, or the API token; or"),
    ("CLOUDFLARE_API_KEY, CLOUDFLARE_EMAIL", "the Global API Key and its e-mail."),
    ("CLOUDFLARE_ACCOUNT_ID, CLOUDFLARE_DEFAULT_ACCOUNT_ID", "The account."),
    ("ALCHEMY_PROFILE", "The profile."),
    ("CLOUDFLARE_API_BASE_URL, CLOUDFLARE_BASE_URL", "The API that the credential is for."),
    ("ALCHEMY_CREDENTIAL_EXPIRATION", "When the credential expires, where it does (RFC 3339)."),
];

const NPM: &str = "They are handed to the project's own npm alchemy, in node_modules/.bin, with the credential of \
    the profile that is selected, or that --profile names; create, init and telemetry get none. After -- \
    follows any other command of it.";

const FILES: [(&str, &str); 8] = [
    ("~/.alchemy/config.json", "The profiles, without their secrets."),
    (
        "~/.alchemy/bindings.json, ~/.alchemy/trust.json",
        "The directories that are bound, and the pin files allowed.",
    ),
    (
        "~/.alchemy/settings.toml",
        "What is settled for all shell hooks: export = \"profile\"; for encrypted profiles: keep; and the \
         commands of the store command.",
    ),
    (".alchemy.toml", "In a repository: the profile and the account that its people have agreed on."),
    ("~/.alchemy/credentials/", "The secrets of profiles in the file store (0600)."),
    ("~/.alchemy/encrypted/", "The secrets of profiles in the encrypted store, as files of age."),
    ("~/.alchemy/profiles/", "Profiles of version 2 of the npm package, used where they are."),
    ("~/.alchemy/rescue/", "Renewed sessions that their store refused, until it takes them."),
];

const EXIT_STATUS: [(&str, &str); 3] =
    [("0", "It is done."), ("1", "It failed."), ("2", "The command line is wrong.")];

const EXIT_STATUS_OF_EXEC: [(&str, &str); 4] = [
    ("125", "alchemy itself failed, or the command line is wrong."),
    ("126", "The command cannot be executed."),
    ("127", "The command is not found."),
    ("else", "What the command ends with: alchemy has become it."),
];

impl Man {
    pub(super) fn run(self) -> Result<()> {
        let mut root = Cli::command().disable_help_subcommand(true);
        root.build();
        if let Some(folder) = self.out {
            std::fs::create_dir_all(&folder).map_err(|error| Error::io("make", &folder, &error))?;
            return write_all(&root, None, &folder);
        }
        let (mut command, mut parent) = (&root, None);
        for name in &self.command {
            parent = Some(command);
            command =
                command.find_subcommand(name).filter(|command| !command.is_hide_set()).ok_or_else(|| {
                    let hint = format!("see {}", page_name(command));
                    Error::usage(format!("there is no command '{}'", self.command.join(" "))).hint(hint)
                })?;
        }
        terminal::print(&page(command, parent)?)
    }
}

fn write_all(command: &Command, parent: Option<&Command>, folder: &Path) -> Result<()> {
    let path = folder.join(format!("{}.1", name(command)));
    std::fs::write(&path, page(command, parent)?).map_err(|error| Error::io("write", &path, &error))?;
    shown(command).try_for_each(|child| write_all(child, Some(command), folder))
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

/// `alchemy-profile-show`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

fn page_name(command: &Command) -> String {
    format!("{}(1)", name(command))
}

fn page(command: &Command, parent: Option<&Command>) -> Result<String> {
    let mut out = Vec::new();
    render(command, parent, &mut out)
        .map_err(|error| Error::new(format!("cannot write the page of {}: {error}", name(command))))?;
    // A blank line is a break, too, and two are one too many for the linters.
    let text = String::from_utf8_lossy(&out).replace(".br\n\n.br\n", ".br\n");
    let title = name(command).to_uppercase();
    let version = env!("CARGO_PKG_VERSION");
    let title = format!(".TH \"{title}\" \"1\" \"\" \"alchemy {version}\" \"User Commands\"\n");
    // groff reads nothing but Latin-1, and clap_mangen leaves the rest as it is.
    let escaped = |c: char| {
        if c.is_ascii() { c.to_string() } else { format!("\\[u{:04X}]", u32::from(c)) }
    };
    Ok(title + &text.chars().map(escaped).collect::<String>())
}

fn render(command: &Command, parent: Option<&Command>, out: &mut Vec<u8>) -> std::io::Result<()> {
    let man = clap_mangen::Man::new(command.clone());
    man.render_name_section(out)?;
    man.render_synopsis_section(out)?;
    man.render_description_section(out)?;
    man.render_options_section(out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(out)?;
    }
    sections(command, parent).to_writer(out)
}

/// What clap does not know.
fn sections(command: &Command, parent: Option<&Command>) -> Roff {
    let mut roff = Roff::new();
    if parent.is_none() {
        roff.control("SH", ["COMMANDS OF NPM'S ALCHEMY"]);
        roff.text([roman(NPM)]);
        for Word { name, about, .. } in &WORDS {
            roff.control("TP", []);
            roff.text([bold(*name)]);
            roff.text([roman(*about)]);
        }
        list(&mut roff, "ENVIRONMENT", &ENVIRONMENT);
        list(&mut roff, "FILES", &FILES);
    }
    if ["exec", "env"].contains(&command.get_name()) {
        list(&mut roff, "ENVIRONMENT OF THE COMMAND", &ENVIRONMENT_OF_COMMAND);
    }
    match command.get_name() {
        "exec" => list(&mut roff, "EXIT STATUS", &EXIT_STATUS_OF_EXEC),
        _ => list(&mut roff, "EXIT STATUS", &EXIT_STATUS),
    }
    let family = parent.into_iter().chain(parent.iter().flat_map(|parent| shown(parent)));
    let mut pages: Vec<String> =
        family.chain(shown(command)).filter(|page| name(page) != name(command)).map(page_name).collect();
    pages.sort();
    roff.control("SH", ["SEE ALSO"]);
    let mut line: Vec<Inline> = Vec::new();
    for page in &pages {
        let (name, section) = page.split_once('(').unwrap_or((page, ""));
        let end = if Some(page) == pages.last() { "" } else { ", " };
        line.extend([bold(name), roman(format!("({section}{end}"))]);
    }
    roff.text(line);
    roff
}

fn list(roff: &mut Roff, heading: &str, items: &[(&str, &str)]) {
    roff.control("SH", [heading]);
    for (term, text) in items {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*text)]);
    }
}
