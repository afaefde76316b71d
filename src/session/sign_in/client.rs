//! How to sign in: for which scopes, and by which OAuth client. What the command line says, the environment, and what is
//! kept with the profile.

use crate::error::{Error, Kind, Result};
use crate::host::Host;
use crate::oauth::client::{self, Client, Preset};

/// How to sign in.
#[derive(Debug, Default)]
pub(crate) struct SignInOptions {
    /// `basic`, `all`, or names with commas between.
    pub scopes: Option<String>,
    /// No browser is opened.
    pub no_browser: bool,
    /// Standard input, where it is no terminal, is for the command that is run afterwards.
    pub stdin_is_taken: bool,
    /// Which OAuth client asks.
    pub client: ClientOptions,
}

/// Which OAuth client asks, and where.
#[derive(Debug, Default)]
pub(crate) struct ClientOptions {
    /// A client that is built in.
    pub client: Option<Preset>,
    /// The ID of another client.
    pub client_id: Option<String>,
    /// The redirect URI that is registered with it.
    pub redirect_uri: Option<String>,
    /// Where to listen, when the redirect URI leads elsewhere first.
    pub callback: Option<String>,
    /// Its authorization endpoint.
    pub auth_url: Option<String>,
    /// Its token endpoint.
    pub token_url: Option<String>,
    /// Its revocation endpoint.
    pub revoke_url: Option<String>,
    /// The scope `offline_access` is not asked for.
    pub no_offline_access: bool,
}

impl ClientOptions {
    /// The client: a flag goes before a variable, a variable before what is kept with the profile, and that
    /// before what is built in.
    ///
    /// Fails when an id or a URL is none.
    pub(crate) fn resolve(&self, host: &Host, before: Option<&Client>) -> Result<Client> {
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
