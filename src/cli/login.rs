//! `alchemy login`, and what signing in with OAuth has in common there and in `alchemy configure`: which
//! client asks, for which scopes, and what must hold before the old session is replaced.

use clap::Args;

use super::ProfileArgument;
use super::client::ClientArguments;
use super::configure::{Configure, choose_account, say_ready};
use super::context::Context;
use super::sign_in::{NO_REFRESH_TOKEN, discard, sign_in};
use crate::cloudflare::{Credential, accounts_of_user};
use crate::error::{Error, Kind, Result};
use crate::http::Endpoint;
use crate::oauth::client::{Client, Preset};
use crate::oauth::scopes::{self, Catalog, OFFLINE_ACCESS};
use crate::profile::selection::Selection;
use crate::profile::{Account, AccountId, Method, Profile, ProfileName, SignIn, StoreKind};
use crate::store::Store;
use crate::store::credential::{Document, Grant};
use crate::terminal;

/// Sign in with OAuth again; on a terminal also for a new profile
///
/// The scopes, the client and the account are those of the profile. The old session stays until the new
/// one is there.
#[derive(Args)]
pub struct Login {
    #[command(flatten)]
    profile: ProfileArgument,
    /// Keep a session with fewer scopes than the old one without asking
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    sign_in: SignInArguments,
}

/// How to sign in.
#[derive(Args, Default)]
pub struct SignInArguments {
    /// The scopes: basic, all, or names with commas between
    #[arg(long, value_name = "SCOPES")]
    pub scopes: Option<String>,
    /// Open no browser
    #[arg(long)]
    pub no_browser: bool,
    /// Standard input, where it is no terminal, is for the command that is run afterwards.
    #[arg(skip)]
    pub stdin_is_taken: bool,
    #[command(flatten)]
    pub client: ClientArguments,
}

impl SignInArguments {
    /// Whether any is given that only OAuth knows.
    pub fn is_given(&self) -> bool {
        self.scopes.is_some() || self.no_browser || self.client.is_given()
    }

    /// Shows the scopes that the client may ask for.
    pub fn list_scopes(&self, context: &Context) -> Result<()> {
        let catalog = Catalog::of(&self.client.resolve(context, None)?);
        let mark = |id: &String| if catalog.basic.contains(id) { "basic" } else { "" }.to_owned();
        let rows: Vec<[String; 4]> = catalog
            .groups
            .iter()
            .flat_map(|group| group.scopes.iter().map(move |scope| (group, scope)))
            .map(|(group, scope)| {
                [scope.id.clone(), mark(&scope.id), group.label.clone(), scope.name.clone()]
            })
            .collect();
        terminal::print(&terminal::table(["SCOPE", "", "GROUP", "FOR"], &rows))
    }
}

impl Login {
    pub fn run(self, context: &Context) -> Result<()> {
        let selection = context.select(self.profile.get())?;
        let mut store = context.store(true)?;
        let Some(profile) = store.get(&selection.name)? else {
            return self.make(context, &store, &selection);
        };
        again(context, &mut store, profile, &self.sign_in, self.yes)
    }

    /// A profile that does not exist yet is made, when somebody is there who can be asked.
    fn make(self, context: &Context, store: &Store, selection: &Selection) -> Result<()> {
        let name = &selection.name;
        if !store.may_ask() {
            let make = format!("make it: alchemy configure -p {name} --method oauth");
            return Err(store.unknown(name.as_str(), &format!(" ({})", selection.reason)).hint(make));
        }
        context.messages.say(&format!("there is no profile '{name}' yet; making it"));
        Configure::with_oauth(name, self.sign_in).run(context)
    }
}

/// Signs in again to a profile.
pub fn again(
    context: &Context,
    store: &mut Store,
    profile: Profile,
    arguments: &SignInArguments,
    yes: bool,
) -> Result<()> {
    let name = profile.name.clone();
    if profile.method != Method::OAuth {
        return Err(Error::new(format!("profile '{name}' does not sign in: it is an {}", profile.method))
            .hint(format!("to make it sign in: alchemy configure -p {name} --method oauth")));
    }
    let pinned = profile.account.clone();
    let plan = Plan {
        again: format!("alchemy login -p {name}"),
        name,
        kept_in: profile.store,
        before: Some(profile),
        arguments,
        yes,
    };
    plan.carry_out(context, store, |before, grant, endpoint| {
        same_account(context, before.map_or(&pinned, |before| &before.account), grant, endpoint)
    })
}

/// The account that the profile is pinned to, which its new session must see.
fn same_account(context: &Context, pinned: &Account, grant: &Grant, endpoint: &Endpoint) -> Result<Account> {
    let notice = |text: &str| context.messages.say(text);
    let client = context.client(endpoint, &Credential::Token(grant.access.clone()), &notice)?;
    let seen = accounts_of_user(&client)?;
    match seen.iter().find(|account| account.id == pinned.id) {
        Some(account) => Ok(account.clone()),
        // It need not be allowed to list them.
        None if seen.is_empty() => Ok(pinned.clone()),
        None => {
            let seen: Vec<String> = seen.iter().map(ToString::to_string).collect();
            let message =
                format!("the new session does not see account {pinned}, to which the profile is pinned");
            Err(Error::new(message).hint(format!(
                "sign in as somebody who does, or pin another by alchemy configure; it sees {}",
                seen.join(", ")
            )))
        }
    }
}

/// A sign-in to a profile, from the question to what is kept.
pub struct Plan<'a> {
    /// The profile's name.
    pub name: ProfileName,
    /// The profile as it is, where there is one.
    pub before: Option<Profile>,
    /// Where its session is kept.
    pub kept_in: StoreKind,
    /// How to sign in.
    pub arguments: &'a SignInArguments,
    /// Nothing is asked.
    pub yes: bool,
    /// The command that tries once more.
    pub again: String,
}

impl Plan<'_> {
    /// Signs in and keeps what comes of it, for the account that `account` finds; it gets the profile as it
    /// is by then, the grant, and the API.
    ///
    /// # Errors
    /// Then the old session is still in place, and the new one is revoked.
    pub fn carry_out(
        &self,
        context: &Context,
        store: &mut Store,
        account: impl FnOnce(Option<&Profile>, &Grant, &Endpoint) -> Result<Account>,
    ) -> Result<()> {
        let before = self.before.as_ref();
        let signed_in = before.and_then(|before| before.sign_in.as_ref());
        let client = self.arguments.client.resolve(context, signed_in.map(|it| &it.client))?;
        if self.kept_in == StoreKind::Npm && !is_npms(&client) {
            return Err(Error::new(format!(
                "profile '{}' is kept by npm alchemy 2, which knows no client but its own",
                self.name
            ))
            .hint("leave --client and the endpoints out, or make another profile: alchemy configure"));
        }
        store.has_room_for(&self.name, self.kept_in, before)?;
        let scopes = self.scopes(&client, signed_in)?;
        let endpoint = match before.and_then(|before| before.endpoint.clone()) {
            Some(kept) if context.variable(crate::environment::API_BASE_URL).is_none() => kept,
            _ => context.new_endpoint()?,
        };
        let (sign_in, grant) = sign_in(context, client, scopes, self.arguments, &self.again)?;
        let client = sign_in.client.clone();
        let kept = self.check(context, store, &sign_in, &grant).and_then(|()| {
            let before = self.by_now(store)?;
            let profile = Profile {
                name: self.name.clone(),
                method: Method::OAuth,
                account: account(before.as_ref(), &grant, &endpoint)?,
                store: self.kept_in,
                // A loopback API is a test's, and gone tomorrow; it is never kept, and takes no other's place.
                endpoint: if endpoint.is_loopback() {
                    before.as_ref().and_then(|before| before.endpoint.clone())
                } else {
                    Some(endpoint).filter(|endpoint| !endpoint.is_cloudflare())
                },
                token: None,
                sign_in: Some(sign_in),
                also: before.map(|before| before.also).unwrap_or_default(),
            };
            store.put(&profile, &Document::OAuth(grant.clone()))?;
            Ok(profile)
        });
        let profile = kept.inspect_err(|_| discard(context, &client, &grant))?;
        say_ready(context, &profile);
        Ok(())
    }

    /// The profile as it is by now: signing in takes minutes, and what others did meanwhile stays done.
    fn by_now(&self, store: &mut Store) -> Result<Option<Profile>> {
        store.reload()?;
        let now = store.get(&self.name);
        let kind = |profile: &Profile| (profile.method, profile.store);
        match (&self.before, &now) {
            (Some(before), Ok(now)) if now.as_ref().map(kind) != Some(kind(before)) => {
                let (name, done) = (&self.name, if now.is_some() { "changed" } else { "deleted or renamed" });
                Err(Error::new(format!("profile '{name}' was {done} while you signed in; it is left so"))
                    .hint(format!("see what there is now: alchemy list; then: {}", self.again)))
            }
            // One that cannot be read is replaced: that is how it is mended.
            _ => Ok(now.ok().flatten()),
        }
    }

    /// The scopes to ask for: those that are named, those of the profile, or what the person chooses.
    fn scopes(&self, client: &Client, before: Option<&SignIn>) -> Result<Vec<String>> {
        if let Some(text) = &self.arguments.scopes {
            return scopes::parse(text, client);
        }
        let before = before.filter(|before| before.client.is_v1() == client.is_v1());
        // Npm keeps with the scopes what is none.
        let before = before.map(SignIn::scopes_to_ask).unwrap_or_default().iter();
        let before: Vec<String> = before.filter(|scope| *scope != OFFLINE_ACCESS).cloned().collect();
        if !before.is_empty() {
            Ok(before)
        } else if self.yes || !terminal::stderr_is_terminal() {
            Ok(Catalog::of(client).basic)
        } else {
            choose_scopes(&Catalog::of(client))
        }
    }

    /// What must hold before the old session goes.
    fn check(&self, context: &Context, store: &Store, sign_in: &SignIn, grant: &Grant) -> Result<()> {
        if grant.refresh.is_none() {
            return Err(Error::new(NO_REFRESH_TOKEN).hint(
                "the client must be allowed to get one (grant type refresh_token, scope offline_access)",
            ));
        }
        let lacks = sign_in.lacks();
        if lacks.is_empty() {
            return Ok(());
        }
        context.messages.say(&format!("not granted, of what was asked for: {}", lacks.join(" ")));
        let loses = self.before.as_ref().is_some_and(|before| {
            let had = before.sign_in.as_ref().map(|it| it.scopes.as_slice()).unwrap_or_default();
            had.iter().any(|scope| lacks.contains(&scope.as_str())) && store.credential(before).is_ok()
        });
        if loses
            && !self.yes
            && !terminal::ask_yes("the old session has more; replace it all the same?", "--yes")?
        {
            return Err(Error::new("cancelled; the old session is kept"));
        }
        Ok(())
    }
}

/// Whether version 2 of the npm package can go on with this client's grants.
fn is_npms(client: &Client) -> bool {
    let loopback = |url: &Option<Endpoint>| url.as_ref().is_none_or(Endpoint::is_loopback);
    client.preset() == Some(Preset::Alchemy) && loopback(&client.token_url) && loopback(&client.revoke_url)
}

/// Lets the person choose scopes, by group.
fn choose_scopes(catalog: &Catalog) -> Result<Vec<String>> {
    const FLAG: &str = "--scopes";
    let options = [
        format!("basic: the {} that most projects need", catalog.basic.len()),
        format!("all: every one of the {}", catalog.all().count()),
        "choose".to_owned(),
    ];
    match terminal::ask_choice("scopes:", &options, 0, FLAG)? {
        0 => return Ok(catalog.basic.clone()),
        1 => return Ok(catalog.all().map(|scope| scope.id.clone()).collect()),
        _ => {}
    }
    let groups: Vec<String> =
        catalog.groups.iter().map(|group| format!("{} ({})", group.label, group.scopes.len())).collect();
    let mut chosen: Vec<usize> = (0..groups.len()).collect();
    if groups.len() > 1 {
        let some = terminal::ask_choices("groups to choose from (none is all):", &groups, &[], FLAG)?;
        if !some.is_empty() {
            chosen = some;
        }
    }
    let offered: Vec<_> = chosen
        .iter()
        .filter_map(|group| catalog.groups.get(*group))
        .flat_map(|group| group.scopes.iter().map(move |scope| (group, scope)))
        .collect();
    let shown: Vec<String> = offered
        .iter()
        .map(|(group, scope)| format!("{}: {} ({})", group.label, scope.id, scope.name))
        .collect();
    let is_basic = |at: &usize| catalog.basic.contains(&offered[*at].1.id);
    let ticked: Vec<usize> = (0..offered.len()).filter(is_basic).collect();
    let chosen = terminal::ask_choices("scopes (type to search):", &shown, &ticked, FLAG)?;
    if chosen.is_empty() {
        return Err(Error::usage("no scope is chosen").hint("tick some with the space bar, or give --scopes"));
    }
    Ok(chosen.into_iter().map(|at| offered[at].1.id.clone()).collect())
}

/// The account of a new profile: the one that is asked for, or the person chooses.
///
/// # Errors
/// When the session does not see it, or sees none.
pub fn new_account(
    context: &Context,
    asked: Option<&str>,
    before: Option<&Profile>,
    grant: &Grant,
    endpoint: &Endpoint,
) -> Result<Account> {
    let notice = |text: &str| context.messages.say(text);
    let client = context.client(endpoint, &Credential::Token(grant.access.clone()), &notice)?;
    let seen = accounts_of_user(&client)?;
    if seen.is_empty() && asked.and_then(AccountId::parse).is_none() {
        return Err(Error::new("the session sees no account").hint(
            "sign in with the scope memberships.read (account:read at alchemy-v1), or give --account ID",
        ));
    }
    choose_account(&client, &seen, None, asked, before.map(|before| &before.account))
}

/// Offers to sign in again after `error`, where a person can answer; whether that was done.
pub fn offer(context: &Context, store: &mut Store, profile: &Profile, error: &Error) -> Result<bool> {
    if error.kind() != Kind::SignedOut || !store.may_ask() {
        return Ok(false);
    }
    context.messages.say(&error.to_string());
    if !terminal::ask_yes("sign in now?", "alchemy login")? {
        return Err(error.clone().retold(Kind::SignedOut, "cancelled; nothing was run"));
    }
    let arguments = SignInArguments { stdin_is_taken: true, ..SignInArguments::default() };
    again(context, store, profile.clone(), &arguments, false)?;
    Ok(true)
}
