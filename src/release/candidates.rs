//! Which profile applies here, and why: every candidate, in the order in which they count (design §4).

use std::ops::ControlFlow;

use super::selector::Selector;
use crate::directory::mark::ENVRC;
use crate::directory::trust::Trust;
use crate::directory::{DirectoryProfile, Says, project_file, walk};
use crate::error::Result;
use crate::profile::selection::Reason;
use crate::profile::{AccountId, ProfileName};

/// Something that may select a profile, or require an account.
pub(crate) struct Candidate {
    /// Where it stands.
    pub source: String,
    /// The profile that it names.
    pub profile: Option<String>,
    /// The account that it requires.
    pub account: Option<AccountId>,
    /// What else there is to say of it.
    pub note: String,
    /// It may select, should nothing before it.
    pub counts: bool,
}

/// Lists all candidates, in the order in which they count.
///
/// Fails when a document of ours cannot be understood.
pub(crate) fn list_candidates(selector: &Selector) -> Result<Vec<Candidate>> {
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
    let of_direnv = |DirectoryProfile { name, at, .. }: DirectoryProfile| Candidate {
        source: host.shown(&at.join(ENVRC)),
        profile: Some(name.to_string()),
        account: None,
        note: "loaded by direnv".to_owned(),
        counts: true,
    };
    walk(&host.home, &host.directory, host.uid, |finding| {
        chain.extend(loaded.take_if(|loaded| !loaded.is_above(&finding.at)).map(of_direnv));
        let file = host.shown(&finding.at.join(project_file::NAME));
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

/// The place of the candidate that selects.
pub(crate) fn winner(chain: &[Candidate]) -> Option<usize> {
    chain.iter().position(|candidate| candidate.counts)
}
