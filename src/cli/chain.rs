//! Which profile applies here, and why: every candidate, in the order in which they count (design §4).

use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::directory::mark::ENVRC;
use crate::directory::trust::Trust;
use crate::directory::{Choice, Says, pin, walk};
use crate::error::Result;
use crate::profile::selection::Reason;
use crate::profile::{Account, AccountId, ProfileName};
use crate::release::selector::{Selector, Wanted};
use crate::terminal;

/// Something that may select a profile, or guard an account.
struct Candidate {
    source: String,
    profile: Option<String>,
    account: Option<AccountId>,
    note: String,
    /// It may select, should nothing before it.
    counts: bool,
}

/// Shows which profile applies in the working directory: with `-v` all candidates, too.
pub fn show(selector: &Selector, json: bool) -> Result<()> {
    let host = selector.host;
    let store = host.store(false)?;
    let chain = chain(selector)?;
    if host.messages.is_verbose() && !json {
        terminal::print(&format!("{}\n", as_table(&chain)))?;
    }
    let Wanted { selection, refusal } = selector.wanted(None)?;
    let guard = selector.here()?.guard.as_ref();
    let profile = store.get(&selection.name)?;
    let account = profile.as_ref().map(|profile| &profile.account);
    if json {
        let selected = refusal.is_none().then_some(&selection.name);
        let asked = refusal.is_some().then_some(&selection.name);
        return terminal::print_json(&json!({
            "profile": selected,
            "asked": asked,
            "reason": selection.reason.to_string(),
            "exists": profile.is_some(),
            "account": account,
            "guard": guard.map(|guard| json!({ "account": guard.account, "file": guard.pin })),
            "chain": as_json(&chain),
        }));
    }
    let name = match &refusal {
        Some(refusal) => {
            let next = refusal.next_step().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("none: {refusal}{next}")
        }
        None => format!("{} ({})", selection.name, selection.reason),
    };
    let mut lines = vec![("profile", name)];
    if refusal.is_none() {
        lines.push((
            "account",
            account.map_or_else(|| "the profile does not exist".to_owned(), Account::to_string),
        ));
    }
    if let Some(guard) = guard {
        let holds = account.is_none_or(|account| account.id == guard.account);
        let otherwise = if holds { "" } else { ", so nothing leaves without --account" };
        let file = host.shown(&guard.pin);
        lines.push(("guard", format!("only account {}, by {file}{otherwise}", guard.account)));
    }
    terminal::print(&terminal::fields(&lines))
}

fn chain(selector: &Selector) -> Result<Vec<Candidate>> {
    let host = selector.host;
    let of_variables = selector.with_named(None, |named| {
        let variables = [
            ("CLOUDFLARE_PROFILE", named.cloudflare_profile, false),
            ("ALCHEMY_PROFILE", named.alchemy_profile, named.is_from_directory()),
        ];
        variables.map(|(variable, value, from_directory)| {
            let profile = value.filter(|value| !value.is_empty()).map(str::to_owned);
            let note =
                if from_directory { "set by the shell hook or direnv: the directory counts" } else { "" };
            let counts = profile.is_some() && !from_directory;
            Candidate { source: variable.to_owned(), profile, account: None, note: note.to_owned(), counts }
        })
    });
    let mut chain = Vec::new();
    let mut loaded = selector.loaded();
    let of_direnv = |Choice { name, at, .. }: Choice| Candidate {
        source: host.shown(&at.join(ENVRC)),
        profile: Some(name.to_string()),
        account: None,
        note: "loaded by direnv".to_owned(),
        counts: true,
    };
    walk(&host.home, &host.directory, host.uid, |finding| {
        chain.extend(loaded.take_if(|loaded| !loaded.is_above(&finding.at)).map(of_direnv));
        let file = host.shown(&finding.at.join(pin::NAME));
        let (source, profile, account, note, counts) = match finding.says {
            Says::Bound(name) => (host.shown(&finding.at), Some(name), None, "bound".to_owned(), true),
            Says::Pinned(pin, _, trust) => {
                let note = match trust {
                    Some(Trust::Allowed) => "allowed",
                    Some(Trust::Denied) => "denied",
                    Some(Trust::Unknown) => "not allowed",
                    None => "",
                };
                (file, pin.profile, pin.account, note.to_owned(), trust == Some(Trust::Allowed))
            }
            Says::Broken(error, _) => (file, None, None, error.to_string(), false),
            Says::Ignored(note) => (file, None, None, note, false),
        };
        let profile = profile.map(|name| name.to_string());
        chain.push(Candidate { source, profile, account, note, counts });
        ControlFlow::Continue(())
    })?;
    chain.extend(loaded.map(of_direnv));
    // What a pin file asks for in vain is an error, and not `default`'s turn.
    let asked = chain.iter().any(|candidate: &Candidate| candidate.profile.is_some() && !candidate.counts);
    chain.splice(0..0, of_variables);
    chain.push(Candidate {
        source: Reason::Default.to_string(),
        profile: Some(ProfileName::DEFAULT.to_owned()),
        account: None,
        note: String::new(),
        counts: !asked,
    });
    Ok(chain)
}

fn winner(chain: &[Candidate]) -> Option<usize> {
    chain.iter().position(|candidate| candidate.counts)
}

fn as_table(chain: &[Candidate]) -> String {
    let winner = winner(chain);
    let rows: Vec<[String; 5]> = chain
        .iter()
        .enumerate()
        .map(|(index, candidate)| {
            let mark = if winner == Some(index) { "*" } else { "" }.to_owned();
            let account = candidate.account.as_ref().map(ToString::to_string).unwrap_or_default();
            let profile = candidate.profile.clone().unwrap_or_default();
            [mark, candidate.source.clone(), profile, account, candidate.note.clone()]
        })
        .collect();
    terminal::table(["", "BY", "PROFILE", "GUARDED ACCOUNT", ""], &rows)
}

fn as_json(chain: &[Candidate]) -> Value {
    let winner = winner(chain);
    let value = |(index, candidate): (usize, &Candidate)| {
        json!({
            "by": candidate.source,
            "profile": candidate.profile,
            "guardedAccount": candidate.account,
            "note": candidate.note,
            "wins": winner == Some(index),
        })
    };
    chain.iter().enumerate().map(value).collect()
}
