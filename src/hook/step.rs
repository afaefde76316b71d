//! The step that a shell's hook takes from what its shell has to what a directory gives. Pure: values in,
//! values out. [`super::render`] writes it for each shell.

use crate::directory::mark::ActiveMark;
use crate::environment::{ACCOUNT_ID, ACTIVE, DEFAULT_ACCOUNT_ID, PROFILE, SET, Value};
use crate::secret::Secret;

/// A file to look at, as it was.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Watched {
    /// Its path; empty where there is nothing to look at.
    pub path: String,
    /// What was in it; empty for one that is missing. `None` for what a shell does not read as it is: bytes that
    /// are not UTF-8, and NULs.
    pub text: Option<String>,
    /// When it was changed, in seconds of Unix time; 0 for one that is missing.
    pub modified: i64,
}

/// What the hook keeps until it asks again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// `<directory>:<profile>`, or empty.
    pub active: String,
    /// Moves at every change of what we know.
    pub generation: Watched,
    /// The pin file in force.
    pub pin: Watched,
    /// From when on to ask again in any case, in seconds of Unix time.
    pub until: Option<i64>,
    /// The time, in seconds of Unix time.
    pub now: i64,
    /// Which message has been shown.
    pub told: String,
    /// All directories that are bound, by their real paths; `None` where they are too many to be told, or unknown.
    pub bound: Option<Vec<String>>,
}

/// What the hook is to do, in this order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Variables whose values are ours, although another shell has set them: they take the place of all that
    /// the hook has kept until now.
    pub adopt: Option<Vec<String>>,
    /// Give everything back.
    pub leave: bool,
    /// Variables to set.
    pub set: Vec<(String, Secret)>,
    /// Variables to take away.
    pub unset: Vec<String>,
    /// What to keep.
    pub state: State,
}

/// What a shell is to have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `<directory>:<profile>`.
    pub active: String,
    /// Variables to set.
    pub set: Vec<(String, Value)>,
    /// Variables that must not be there.
    pub unset: Vec<String>,
    /// The profile's secret is among them.
    pub has_secret: bool,
}

/// What a hook has, by its own account and by its shell's environment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Now<'a> {
    /// What this hook has made active, and keeps what was before for.
    pub own: &'a str,
    /// `ALCHEMY_ACTIVE`: another one, where it was inherited from another shell; empty where nothing is active,
    /// or something else (direnv) has taken over for a time.
    pub active: &'a str,
    /// What of the shell's environment is seen.
    pub visibility: Visibility,
    /// direnv has put back what it had found, whoever has set it meanwhile: what differs from what the hook has
    /// made it need not be the person's doing.
    pub is_disturbed: bool,
    /// The secret of the own one is among what it has set.
    pub has_secret: bool,
    /// Names under which another shell may have set the token, besides the usual ones.
    pub also: &'a [String],
    /// The account of the active one's profile, where that is known.
    pub account: Option<&'a str>,
}

/// What of the shell's environment is seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// What the shell has.
    #[default]
    Whole,
    /// The same, but direnv has set other variables over what the hook has set, and takes them away again.
    Covered,
    /// What is below all that the hook has set: it does not say what the shell has.
    Lifted,
}

/// The step from what there is to what is wanted. `get` is the shell's environment.
pub(crate) fn step(wanted: Option<&Target>, now: Now, get: &dyn Fn(&str) -> Option<String>) -> Step {
    let Now { own, active, visibility, is_disturbed, has_secret, also, account } = now;
    let is_lifted = visibility == Visibility::Lifted;
    let is_inherited = !active.is_empty() && active != own;
    let mut step = Step::default();
    // A hook that goes before direnv's has taken it away already.
    if is_inherited && get(ACTIVE).as_deref() == Some(active) {
        let ours = SET.iter().copied().chain([ACTIVE]).chain(also.iter().map(String::as_str));
        // Another profile's name, or another account, than the one that was set is the person's since.
        let profile = ActiveMark::parse(active).map(|mark| mark.profile);
        let is_ours = |name: &&str| {
            let known = match *name {
                PROFILE => profile.as_deref(),
                ACCOUNT_ID | DEFAULT_ACCOUNT_ID => account,
                _ => None,
            };
            get(name).is_some_and(|value| known.is_none_or(|known| known == value))
        };
        step.adopt = Some(ours.filter(is_ours).map(str::to_owned).collect());
    }
    // Somebody has taken our mark away. Where direnv did, it comes back with what we set.
    let is_left_behind = active.is_empty() && !own.is_empty() && visibility != Visibility::Covered;
    let Some(wanted) = wanted else {
        step.leave = !active.is_empty() || is_left_behind;
        if !step.leave {
            own.clone_into(&mut step.state.active);
        }
        return step;
    };
    let is_renewal =
        wanted.active == active && !is_inherited && !is_disturbed && wanted.has_secret == has_secret;
    step.leave = (!active.is_empty() && !is_renewal) || is_left_behind;
    let is_news = |name: &str, value: &str| !is_renewal || is_lifted || get(name).as_deref() != Some(value);
    let set = wanted.set.iter().filter(|(name, value)| is_news(name, value.expose()));
    step.set = set.map(|(name, value)| (name.clone(), Secret::from(value.expose().to_owned()))).collect();
    // What comes back by leaving is not in the environment yet.
    let unset = wanted.unset.iter().filter(|name| step.leave || is_lifted || get(name).is_some());
    step.unset = unset.cloned().collect();
    step.state.active.clone_from(&wanted.active);
    step
}

impl State {
    /// Its parts, by the names that they have in JSON, in the order in which they are arguments.
    pub(super) fn words(&self) -> [(&'static str, String); 8] {
        let until = self.until.map_or_else(String::new, |until| until.to_string());
        // One that always reads as changed would have every prompt ask again.
        let watched = |Watched { path, text, .. }: &Watched| match text {
            Some(text) => (path.clone(), text.clone()),
            None => <(String, String)>::default(),
        };
        let (generation, pin) = (watched(&self.generation), watched(&self.pin));
        [
            ("active", self.active.clone()),
            ("generationFile", generation.0),
            ("generation", generation.1),
            ("pinFile", pin.0),
            ("pin", pin.1),
            ("until", until),
            ("now", self.now.to_string()),
            ("told", self.told.clone()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROD: &str = "/acme:prod";

    fn wanted(token: Option<&str>) -> Target {
        let plain = |(name, value): (&str, &str)| (name.to_owned(), Value::Plain(value.to_owned()));
        let named = [("ALCHEMY_PROFILE", "prod"), (ACTIVE, PROD)].map(plain);
        let token =
            token.map(|token| ("CLOUDFLARE_API_TOKEN".to_owned(), Value::Secret(token.to_owned().into())));
        Target {
            active: PROD.to_owned(),
            has_secret: token.is_some(),
            set: named.into_iter().chain(token).collect(),
            unset: vec!["CF_API_KEY".to_owned()],
        }
    }

    /// The step as it is told, in short.
    fn told(wanted: Option<&Target>, now: Now, environment: &[(&str, &str)]) -> String {
        let get =
            |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        let Step { adopt, leave, set, unset, state } = step(wanted, now, &get);
        let adopt = adopt.map(|names| format!("adopt {}; ", names.join(" "))).unwrap_or_default();
        let leave = if leave { "leave; " } else { "" };
        let set = set.iter().map(|(name, value)| format!("{name}={}; ", value.expose()));
        let unset = unset.iter().map(|name| format!("-{name}; "));
        let changes: Vec<String> = set.chain(unset).collect();
        format!("{adopt}{leave}{}{}", changes.concat(), state.active)
    }

    #[test]
    fn every_shell_gets_from_what_it_has_to_what_it_is_to_have() {
        let nothing = Now::default();
        let mine = Now { own: PROD, active: PROD, has_secret: true, ..nothing };
        let also = ["CF_API_TOKEN".to_owned()];
        let inherited = Now { active: PROD, also: &also, ..nothing };
        let lost = Now { own: PROD, ..nothing };
        let all = "ALCHEMY_PROFILE=prod; ALCHEMY_ACTIVE=/acme:prod; CLOUDFLARE_API_TOKEN=new; ";
        let before = [("CF_API_KEY", "old"), ("CLOUDFLARE_API_TOKEN", "mine")];
        let inside = [("ALCHEMY_PROFILE", "prod"), (ACTIVE, PROD), ("CLOUDFLARE_API_TOKEN", "old")];
        let (secret, named) = (wanted(Some("new")), wanted(None));
        for (wanted, now, environment, expected) in [
            (None, nothing, &before[..], String::new()),
            (Some(&secret), nothing, &before, format!("{all}-CF_API_KEY; {PROD}")),
            (Some(&secret), nothing, &[], format!("{all}{PROD}")),
            // A refresh tells what is new; nothing new, nothing told.
            (Some(&secret), mine, &inside, format!("CLOUDFLARE_API_TOKEN=new; {PROD}")),
            (Some(&wanted(Some("old"))), mine, &inside, PROD.to_owned()),
            // Where only what is below is seen, nobody knows what the shell has: all is told.
            (
                Some(&secret),
                Now { visibility: Visibility::Lifted, ..mine },
                &[("CLOUDFLARE_API_TOKEN", "new")],
                format!("{all}-CF_API_KEY; {PROD}"),
            ),
            (None, mine, &inside, "leave; ".to_owned()),
            // Another one, and one whose secret stays: what comes back by leaving is taken away again.
            (
                Some(&secret),
                Now { own: "/b:b", active: "/b:b", ..mine },
                &inside,
                format!("leave; {all}-CF_API_KEY; {PROD}"),
            ),
            (
                Some(&named),
                mine,
                &inside,
                format!("leave; ALCHEMY_PROFILE=prod; ALCHEMY_ACTIVE=/acme:prod; -CF_API_KEY; {PROD}"),
            ),
            // From another shell.
            (
                None,
                inherited,
                &[(ACTIVE, PROD), ("CF_API_TOKEN", "old"), ("CLOUDFLARE_API_TOKEN", "old")],
                "adopt CLOUDFLARE_API_TOKEN ALCHEMY_ACTIVE CF_API_TOKEN; leave; ".to_owned(),
            ),
            (
                Some(&secret),
                inherited,
                &[(ACTIVE, PROD)],
                format!("adopt ALCHEMY_ACTIVE; leave; {all}-CF_API_KEY; {PROD}"),
            ),
            // Another profile, or account, is the person's.
            (
                None,
                Now { account: Some("a1"), ..inherited },
                &[
                    (ACTIVE, PROD),
                    ("ALCHEMY_PROFILE", "beta"),
                    ("CLOUDFLARE_ACCOUNT_ID", "b2"),
                    ("CLOUDFLARE_DEFAULT_ACCOUNT_ID", "a1"),
                ],
                "adopt CLOUDFLARE_DEFAULT_ACCOUNT_ID ALCHEMY_ACTIVE; leave; ".to_owned(),
            ),
            // The mark is gone: by direnv, which brings it back, or by somebody who does not.
            (None, Now { visibility: Visibility::Covered, ..lost }, &before, PROD.to_owned()),
            (None, lost, &before, "leave; ".to_owned()),
            (Some(&secret), lost, &before, format!("leave; {all}-CF_API_KEY; {PROD}")),
        ] {
            assert_eq!(told(wanted, now, environment), expected, "{now:?} {environment:?}");
        }
    }
}
