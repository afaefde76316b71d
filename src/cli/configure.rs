//! `alchemy configure`: create or change a profile. Every question has a flag; a secret is never an
//! argument, where every user of the machine could read it.

use std::io::Read;

use clap::builder::UnknownArgumentValueParser;
use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use super::client::SignInArguments;
use super::scopes;
use super::store_arguments::StoreArguments;
use super::{Marks, ProfileArgument};
use crate::cloudflare::{Credential, identify};
use crate::error::{Error, Result, reason};
use crate::host::Host;
use crate::http::Endpoint;
use crate::profile::{Account, AccountId, Profile, ProfileName, StoreKind, TokenFacts};
use crate::secret::Secret;
use crate::session::sign_in::account::{choose_account, new_account};
use crate::session::sign_in::{SignInPlan, say_ready};
use crate::store::Store;
use crate::store::credential::Document;
use crate::terminal;

/// Create or change a profile
#[derive(Args, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Configure {
    #[command(flatten)]
    profile: ProfileArgument,
    /// How the profile proves who it is
    #[arg(long, value_name = "METHOD")]
    method: Option<ChosenMethod>,
    /// A secret is never an argument
    #[arg(long, hide = true, num_args = 0..=1, default_missing_value = "")]
    #[arg(value_parser = UnknownArgumentValueParser::suggest_arg("--token-stdin"))]
    token: Option<String>,
    /// Read the API token from standard input
    #[arg(long, conflicts_with = "key_stdin")]
    token_stdin: bool,
    /// Read the Global API Key from standard input
    #[arg(long)]
    key_stdin: bool,
    /// The e-mail that the Global API Key belongs to
    #[arg(long, value_name = "EMAIL")]
    email: Option<String>,
    /// The account, by its id or its exact name
    #[arg(long, value_name = "ID-or-NAME")]
    account: Option<String>,
    /// The account's name, where Cloudflare does not tell it
    #[arg(long, value_name = "NAME")]
    account_name: Option<String>,
    /// Show the scopes that can be asked for, and do nothing else
    #[arg(long)]
    list_scopes: bool,
    /// Do not ask Cloudflare; --account must be an id then
    #[arg(long)]
    no_verify: bool,
    /// Change a profile that exists without asking
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    marks: Marks,
    #[command(flatten)]
    store: StoreArguments,
    #[command(flatten)]
    sign_in: SignInArguments,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ChosenMethod {
    #[value(name = "oauth")]
    OAuth,
    ApiToken,
    ApiKey,
}

impl Configure {
    pub(super) fn run(self, host: &Host) -> Result<()> {
        if self.list_scopes {
            return scopes::list(&self.sign_in.client.options().resolve(host, None)?);
        }
        let mut store = host.store(true)?;
        let name = self.name()?;
        let before = self.may_change(&store, &name)?;
        let method = self.method()?;
        if self.no_verify {
            self.account_id()?; // before anything is asked for
        }
        let store_kind = self.store.resolve(host, &store, &name, before.as_ref())?;
        if method == ChosenMethod::OAuth {
            return self.sign_in(host, &mut store, name, before, store_kind);
        }
        let (document, credential) = if method == ChosenMethod::ApiKey {
            let (key, email) = self.key()?;
            (Document::ApiKey { key: key.clone(), email: email.clone() }, Credential::Key { key, email })
        } else {
            let token = self.secret("API token", "--token-stdin")?;
            (Document::ApiToken { token: token.clone() }, Credential::Token(token))
        };

        let endpoint = host.new_endpoint()?;
        let (account, token) = if self.no_verify {
            (Account { id: self.account_id()?, name: self.account_name.clone().unwrap_or_default() }, None)
        } else {
            self.verify(host, &endpoint, &credential, before.as_ref())?
        };
        let profile = Profile {
            name,
            method: document.method(),
            account,
            store: store_kind,
            // A loopback API is a test's, and gone tomorrow; it is never kept.
            endpoint: Some(endpoint).filter(|e| !e.is_cloudflare() && !e.is_loopback()),
            token,
            sign_in: None,
            confirm: self.marks.confirm(before.as_ref().is_some_and(|before| before.confirm)),
            also: before.map(|before| before.also).unwrap_or_default(),
        };
        store.put(&profile, &document, self.marks.asked())?;
        say_ready(host, &profile);
        Ok(())
    }

    /// The same for a profile that signs in with OAuth, asked for by another command.
    pub(super) fn with_oauth(name: &ProfileName, sign_in: SignInArguments) -> Self {
        Self {
            profile: ProfileArgument::named(name),
            method: Some(ChosenMethod::OAuth),
            sign_in,
            ..Self::default()
        }
    }

    fn sign_in(
        &self,
        host: &Host,
        store: &mut Store,
        name: ProfileName,
        before: Option<Profile>,
        store_kind: StoreKind,
    ) -> Result<()> {
        let again = format!("alchemy configure -p {name} --method oauth");
        let (options, confirm) = (&self.sign_in.options(), self.marks.asked());
        let plan = SignInPlan { name, before, store_kind, options, confirm, yes: self.yes, again };
        plan.carry_out(host, store, |before, grant, endpoint| {
            let mut account = if self.no_verify {
                Account { id: self.account_id()?, name: String::new() }
            } else {
                new_account(host, self.account.as_deref(), before, grant, endpoint)?
            };
            if let Some(name) = &self.account_name {
                account.name.clone_from(name);
            }
            Ok(account)
        })
    }

    fn name(&self) -> Result<ProfileName> {
        match self.profile.get() {
            Some(name) => ProfileName::parse(name),
            None => ProfileName::parse(
                terminal::ask_text("profile name:", Some(ProfileName::DEFAULT), "-p NAME")?.trim(),
            ),
        }
    }

    /// The profile as it is, when there is one and it may be changed.
    fn may_change(&self, store: &Store, name: &ProfileName) -> Result<Option<Profile>> {
        // One that cannot be read may be replaced, too: that is how it is mended.
        let found = store.get(name);
        let shown = match &found {
            Ok(None) => return Ok(None),
            Ok(Some(profile)) => format!("{}, account {}", profile.method, profile.account),
            Err(_) => "which cannot be read".to_owned(),
        };
        if !self.yes {
            let question = format!("profile '{name}' exists ({shown}); change it?");
            let changed = terminal::ask_yes(&question, "--yes").map_err(|error| match error.next_step() {
                Some(_) => Error::usage(format!("profile '{name}' exists ({shown})"))
                    .hint("give --yes to change it, or another name"),
                None => error,
            })?;
            if !changed {
                return Err(Error::new("cancelled; nothing was changed"));
            }
        }
        Ok(found.ok().flatten())
    }

    fn method(&self) -> Result<ChosenMethod> {
        let key = self.key_stdin || self.email.is_some();
        let implied = match (self.token_stdin, key, self.sign_in.is_given()) {
            (true, false, false) => Some(ChosenMethod::ApiToken),
            (false, true, false) => Some(ChosenMethod::ApiKey),
            (false, false, true) => Some(ChosenMethod::OAuth),
            (false, false, false) => None,
            (true, true, _) => {
                return Err(Error::usage("--email belongs to a key, --token-stdin to a token")
                    .hint("give --key-stdin with --email, or --token-stdin without it"));
            }
            (_, _, true) => {
                return Err(Error::usage("scopes and clients belong to oauth, which takes no secret")
                    .hint("leave --token-stdin, --key-stdin and --email out, or the flags of oauth"));
            }
        };
        match (self.method, implied) {
            (Some(asked), Some(implied)) if asked != implied => {
                Err(Error::usage("--method is another than the one that the other flags are for")
                    .hint("leave --method out, or the flags of the other method"))
            }
            (Some(method), _) | (None, Some(method)) => Ok(method),
            (None, None) => {
                let options = [
                    "OAuth (recommended: sign in with a browser, renewed by itself)",
                    "API token (only what it needs; for machines)",
                    "Global API Key (everything; legacy)",
                ];
                let choice = terminal::ask_choice(
                    "method:",
                    &options.map(str::to_owned),
                    0,
                    "--method oauth|api-token|api-key",
                )?;
                Ok([ChosenMethod::OAuth, ChosenMethod::ApiToken, ChosenMethod::ApiKey][choice])
            }
        }
    }

    fn key(&self) -> Result<(Secret, String)> {
        let email = match &self.email {
            Some(email) => email.clone(),
            None => terminal::ask_text("e-mail of the account's owner:", None, "--email")?,
        };
        let email = email.trim().to_owned();
        if email.is_empty() || email.chars().any(char::is_control) {
            return Err(
                Error::usage("the e-mail is empty or holds a control character").hint("give it by --email")
            );
        }
        Ok((self.secret("Global API Key", "--key-stdin")?, email))
    }

    fn secret(&self, what: &str, flag: &str) -> Result<Secret> {
        let given = if self.token_stdin || self.key_stdin {
            read_stdin()?
        } else {
            Zeroizing::new(terminal::ask_secret(&format!("{what}:"), flag)?.expose().to_owned())
        };
        Secret::from_pasted(&given).map_err(|problem| {
            Error::new(format!("the {what} {problem}"))
                .hint("copy it again, the whole of it and nothing else")
        })
    }

    /// `--no-verify` leaves only an id to go by.
    fn account_id(&self) -> Result<AccountId> {
        match self.account.as_deref() {
            Some(id) => Account::of_id(id).map(|account| account.id),
            None => Err(Error::usage("with --no-verify the account cannot be looked up")
                .hint("give its id: --account ID")),
        }
    }

    fn verify(
        &self,
        host: &Host,
        endpoint: &Endpoint,
        credential: &Credential,
        before: Option<&Profile>,
    ) -> Result<(Account, Option<TokenFacts>)> {
        let notice = |text: &str| host.messages.say(text);
        let client = host.client(endpoint, credential, &notice)?;
        let hint = self.account.as_deref().and_then(AccountId::parse);
        let identity = identify(&client, credential, hint.as_ref(), host.started)?;
        let (asked, before) = (self.account.as_deref(), before.map(|before| &before.account));
        let mut account = choose_account(&client, &identity.accounts, identity.owner(), asked, before)?;
        if let Some(name) = &self.account_name {
            account.name.clone_from(name);
        }
        let token = identity.token.map(|status| TokenFacts { id: status.id, expires: status.expires_on });
        Ok((account, token))
    }
}

fn read_stdin() -> Result<Zeroizing<String>> {
    // A secret is short: what is longer is a wrong file. Room for all, as a growing text leaves copies.
    const LIMIT: usize = 64 * 1024;
    let refused = |why: &str| {
        Error::new(format!("cannot read the secret from standard input: {why}"))
            .hint("give it nothing but the secret")
    };
    let mut text = Zeroizing::new(String::with_capacity(LIMIT + 1));
    let mut input = std::io::stdin().lock().take(LIMIT as u64 + 1);
    input.read_to_string(&mut text).map_err(|error| refused(&reason(&error)))?;
    if text.len() > LIMIT {
        return Err(refused("it is longer than any secret"));
    }
    Ok(text)
}
