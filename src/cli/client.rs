//! The arguments that say how to sign in: for what, and by which OAuth client, where; and what the client
//! comes to, with the environment and what is kept with the profile.

use clap::Args;

use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::oauth::client::{self, Client, Preset};

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
}

/// Which OAuth client asks, and where.
#[derive(Args, Default)]
#[command(next_help_heading = "OAuth client")]
pub struct ClientArguments {
    /// A built-in client: alchemy or alchemy-v1 [default: alchemy]
    #[arg(long, value_name = "CLIENT", value_parser = preset, conflicts_with = "client_id")]
    client: Option<Preset>,
    /// A client of your own, a public one with PKCE [env: ALCHEMY_OAUTH_CLIENT_ID]
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// The redirect URI that is registered with it [env: ALCHEMY_OAUTH_REDIRECT_URI]
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    /// Where to listen, when the redirect URI leads elsewhere first [env: ALCHEMY_OAUTH_CALLBACK]
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// Its authorization endpoint [env: ALCHEMY_OAUTH_AUTH_URL]
    #[arg(long, value_name = "URL")]
    auth_url: Option<String>,
    /// Its token endpoint [env: ALCHEMY_OAUTH_TOKEN_URL]
    #[arg(long, value_name = "URL")]
    token_url: Option<String>,
    /// Its revocation endpoint [env: ALCHEMY_OAUTH_REVOKE_URL]
    #[arg(long, value_name = "URL")]
    revoke_url: Option<String>,
    /// Do not ask for the scope offline_access
    #[arg(long)]
    no_offline_access: bool,
}

fn preset(name: &str) -> Result<Preset> {
    Preset::named(name).ok_or_else(|| Error::usage("it can be alchemy or alchemy-v1"))
}

impl ClientArguments {
    /// Whether any is given.
    pub fn is_given(&self) -> bool {
        let urls = [&self.redirect_uri, &self.callback, &self.auth_url, &self.token_url, &self.revoke_url];
        self.client.is_some()
            || self.client_id.is_some()
            || self.no_offline_access
            || urls.into_iter().any(Option::is_some)
    }

    /// The client: a flag goes before a variable, a variable before what is kept with the profile, and that
    /// before what is built in.
    ///
    /// # Errors
    /// When an id or a URL is none.
    pub fn resolve(&self, host: &Host, before: Option<&Client>) -> Result<Client> {
        let id = self.client_id.as_deref().or_else(|| host.text(client::CLIENT_ID));
        let mut client = match (self.client, id, before) {
            // As it is built in, whatever is kept.
            (Some(preset), ..) => Client::new(preset.client_id()),
            (None, Some(id), Some(before)) if before.id == id => before.clone(),
            (None, Some(id), _) => Client::new(id.to_owned()),
            (None, None, Some(before)) => before.clone(),
            (None, None, None) => Client::new(Preset::Alchemy.client_id()),
        };
        if client.id.is_empty() || !client.id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::usage("the client id is empty, or holds what no id does")
                .hint(format!("give it by --client-id or {}", client::CLIENT_ID)));
        }
        let usage = |error: Error| {
            let message = error.to_string();
            error.retold(Kind::Usage, message)
        };
        let given = |flag: &Option<String>, name: &str, variable: &str| {
            let url = match (flag, host.text(variable)) {
                (Some(url), _) => client::url(name, url),
                (None, Some(url)) => client::url(variable, url),
                (None, None) => return Ok(None),
            };
            url.map(Some).map_err(usage)
        };
        let auth_url = given(&self.auth_url, "authorization endpoint", client::AUTH_URL)?;
        let token_url = given(&self.token_url, "token endpoint", client::TOKEN_URL)?;
        let revoke_url = given(&self.revoke_url, "revocation endpoint", client::REVOKE_URL)?;
        let redirect_uri = given(&self.redirect_uri, "redirect uri", client::REDIRECT_URI)?;
        client.auth_url = auth_url.or(client.auth_url);
        client.token_url = token_url.or(client.token_url);
        client.revoke_url = revoke_url.or(client.revoke_url);
        client.redirect_uri = redirect_uri.or(client.redirect_uri);
        if let Some(callback) = self.callback.as_deref().or_else(|| host.text(client::CALLBACK_URL)) {
            client.callback = Some(client::callback_url(callback).map_err(usage)?);
        }
        client.offline_access &= !self.no_offline_access;
        Ok(client)
    }
}
