//! The arguments that say how to sign in: for what, and by which OAuth client, where.

use clap::Args;

use crate::error::{Error, Result};
use crate::oauth::client::Preset;
use crate::session::sign_in::client::{ClientOptions, SignInOptions};

/// How to sign in.
#[derive(Args, Default)]
pub(super) struct SignInArguments {
    /// The scopes: basic, all, or names with commas between
    #[arg(long, value_name = "SCOPES")]
    pub scopes: Option<String>,
    /// Open no browser
    #[arg(long)]
    pub no_browser: bool,
    #[command(flatten)]
    pub client: ClientArguments,
}

impl SignInArguments {
    /// Whether any is given that only OAuth knows.
    pub(super) fn is_given(&self) -> bool {
        self.scopes.is_some() || self.no_browser || self.client.is_given()
    }

    /// The same as options of the sign-in.
    pub(super) fn options(&self) -> SignInOptions {
        SignInOptions {
            scopes: self.scopes.clone(),
            no_browser: self.no_browser,
            stdin_is_taken: false,
            client: self.client.options(),
        }
    }
}

/// Which OAuth client asks, and where.
#[derive(Args, Default)]
#[command(next_help_heading = "OAuth client")]
pub(super) struct ClientArguments {
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
    pub(super) fn is_given(&self) -> bool {
        let urls = [&self.redirect_uri, &self.callback, &self.auth_url, &self.token_url, &self.revoke_url];
        self.client.is_some()
            || self.client_id.is_some()
            || self.no_offline_access
            || urls.into_iter().any(Option::is_some)
    }

    /// The same as options of the sign-in.
    pub(super) fn options(&self) -> ClientOptions {
        let Self {
            client,
            client_id,
            redirect_uri,
            callback,
            auth_url,
            token_url,
            revoke_url,
            no_offline_access,
        } = self;
        ClientOptions {
            client: *client,
            client_id: client_id.clone(),
            redirect_uri: redirect_uri.clone(),
            callback: callback.clone(),
            auth_url: auth_url.clone(),
            token_url: token_url.clone(),
            revoke_url: revoke_url.clone(),
            no_offline_access: *no_offline_access,
        }
    }
}
