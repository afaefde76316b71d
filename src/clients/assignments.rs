//! Assignments of variables that give a command its credential, its account or the address of the API: what words and
//! scripts set comes after what alchemy sets, and replaces it.

use std::path::PathBuf;

use super::programs::PROGRAMS;
use super::words::{Value, Word};

/// What a variable of the table gives a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VariableKind {
    /// A credential, or a part of one.
    Credential,
    /// An account.
    Account,
    /// The address of the API.
    Address,
    /// Whether Node checks the server's certificate.
    Check,
    /// A proxy for requests by TLS.
    Proxy,
}

/// The variables that name a proxy for requests by TLS.
pub(crate) const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// The variable by which Node does not check the server's certificate, where its value is `0`.
pub(crate) const CHECK: &str = "NODE_TLS_REJECT_UNAUTHORIZED";

/// What an assignment gives a variable. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Assigned {
    /// Nothing: the variable is empty, or not set.
    Nothing,
    /// What a variable of the table holds.
    Reference(&'static str),
    /// The same, or another value where the variable has none.
    Default(&'static str),
    /// The ID of an account.
    Account(String),
    /// Anything else.
    Other,
}

/// An assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The file in which the assignment stands; `None` for the command itself.
    pub file: Option<PathBuf>,
    /// The line in the file, from 1.
    pub line: Option<usize>,
    /// The variable.
    pub variable: &'static str,
    /// What the variable gives a program.
    pub kind: VariableKind,
    /// What the variable gets.
    pub assigned: Assigned,
    /// Nothing says that the assignment may not happen.
    pub is_certain: bool,
}

/// Variables that choose what is loaded, as far as an assignment among the words sets them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    /// `CLOUDFLARE_ENV`.
    pub environment: Option<Value>,
    /// `NODE_ENV`.
    pub mode: Option<Value>,
    /// `TURBO_ENV_MODE`.
    pub turbo: Option<Value>,
    /// `CDPATH` is set, by which a shell looks for folders.
    pub has_cdpath: bool,
    /// The variables of the table that a text has looked at: it need not assign them.
    pub tested: Vec<&'static str>,
}

impl Variables {
    pub(super) fn assign(&mut self, name: &str, value: Option<&Word>) {
        if name == "CDPATH" {
            self.has_cdpath = value.is_some_and(|value| !value.is_known || !value.text.is_empty());
        }
        let place = match name {
            "CLOUDFLARE_ENV" => &mut self.environment,
            "NODE_ENV" => &mut self.mode,
            "TURBO_ENV_MODE" => &mut self.turbo,
            _ => return,
        };
        *place = Some(value.map_or(Value::Known(String::new()), Value::of));
    }
}

impl Assigned {
    pub(super) fn of(value: &Word, kind: VariableKind) -> Self {
        let text = value.str();
        let is_id = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !value.is_known {
            return reference(text).unwrap_or(Self::Other);
        }
        match kind {
            _ if value.text.is_empty() => Self::Nothing,
            VariableKind::Check if text != "0" => Self::Nothing,
            VariableKind::Account if is_id(text) => Self::Account(text.to_owned()),
            _ => Self::Other,
        }
    }
}

/// The variable of the table whose value a text stands for: `$NAME`, `${NAME}`, and `${NAME:-…}`.
fn reference(text: &str) -> Option<Assigned> {
    let rest = text.strip_prefix('$')?;
    let Some(inner) = rest.strip_prefix('{') else {
        return variable(rest).map(|(name, _)| Assigned::Reference(name));
    };
    let inner = inner.strip_suffix('}')?;
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, behind) = inner.split_at_checked(end)?;
    let behind = behind.strip_prefix(':').unwrap_or(behind);
    let (name, _) = variable(name)?;
    match behind.chars().next() {
        // What follows its end is none of it.
        _ if behind.contains('}') => None,
        None | Some('?') => Some(Assigned::Reference(name)),
        Some('-' | '=') if behind.len() == 1 => Some(Assigned::Reference(name)),
        Some('-' | '=') => Some(Assigned::Default(name)),
        Some(_) => None,
    }
}

/// The variable of the table that a text names with a `$` before it.
pub(super) fn named(text: &str) -> Option<&'static str> {
    let name = text.strip_prefix('$')?.trim_start_matches('{');
    let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
    name.get(..end).and_then(variable).map(|(name, _)| name)
}

/// Variables of the table that neither name nor replace a credential, an account or an address: a profile or a zone is
/// chosen by them, or an address that the base URL goes before (measured).
const WITHOUT_EFFECT: [&str; 7] = [
    "ALCHEMY_PROFILE",
    "CLOUDFLARE_PROFILE",
    "CLOUDFLARE_AUTH_PROFILE",
    "CLOUDFLARE_COMPLIANCE_REGION",
    "WRANGLER_API_ENVIRONMENT",
    "CF_Zone_ID",
    "LEXICON_CLOUDFLARE_ZONE_ID",
];

/// The variable of the table of this name, and what it gives.
pub(super) fn variable(name: &str) -> Option<(&'static str, VariableKind)> {
    if name == CHECK {
        return Some((CHECK, VariableKind::Check));
    }
    if let Some(proxy) = PROXIES.into_iter().find(|proxy| *proxy == name) {
        return Some((proxy, VariableKind::Proxy));
    }
    let mut names = PROGRAMS.iter().flat_map(|program| program.variables);
    let name = names.find(|known| **known == name && !WITHOUT_EFFECT.contains(known)).copied()?;
    let has = |part: &str| name.to_ascii_uppercase().contains(part);
    let kind = if has("ACCOUNT_ID") {
        VariableKind::Account
    } else if has("_URL") || has("_HOSTNAME") || has("_BASE_PATH") {
        VariableKind::Address
    } else {
        VariableKind::Credential
    };
    Some((name, kind))
}
