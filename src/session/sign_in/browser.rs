//! Signing in: a person follows an address in a browser, and what comes of it is exchanged for a grant.
//!
//! Two ways lead back here, both open at once: the browser brings the answer to a loopback port, or the
//! person pastes what the page shows, which works over SSH, in a container, and from a pipe. Nothing that
//! is kept is touched here.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::time::sleep;

use super::client::SignInOptions;
use crate::error::{Error, Result, reason};
use crate::host::Host;
use crate::host::paste::Paste;
use crate::http::{self, Endpoint};
use crate::launch;
use crate::oauth::authorization::{Answer, Refusal, Request};
use crate::oauth::callback::{Arrival, Listener, Page, Waiting};
use crate::oauth::client::Client;
use crate::oauth::failure::{BACK_OFF, Failure};
use crate::oauth::scopes::OFFLINE_ACCESS;
use crate::oauth::token::{Authority, Tokens, expires, revoke};
use crate::profile::SignIn;
use crate::signals::HeldBack;
use crate::store::credential::Grant;
use crate::terminal::stderr_is_terminal;

/// Why an answer without a refresh token is no session.
pub(super) const NO_REFRESH_TOKEN: &str =
    "the answer holds no refresh token, so the session would be over with its access token";
/// How long a person may take.
const LIMIT: Duration = Duration::from_secs(5 * 60);

/// Signs in with this client for these scopes. `again` is the command that tries once more, for the hints. Signals
/// are held back from the exchange of the code on, until the grant is kept or revoked.
///
/// Fails when consent is denied, nobody answers within five minutes, or the exchange fails.
pub(super) fn sign_in(
    host: &Host,
    client: Client,
    scopes: Vec<String>,
    options: &SignInOptions,
    again: &str,
) -> Result<(SignIn, Grant, HeldBack)> {
    // What can fail without a person fails before one is bothered.
    let authority = Authority::new(&client, client.token_url(), &host.network())?;
    http::run(async {
        let listener = bind(host, &client).await;
        let request = Arc::new(Request::new(&client, redirect_uri(&client, listener.as_ref())?, &scopes)?);
        let mut ways = Ways {
            host,
            waiting: listener.map(|listener| listener.wait_for(Arc::clone(&request))),
            paste: Paste::open(options.stdin_is_taken),
            again,
        };
        ways.invite(&client, &request, scopes.len(), !options.no_browser)?;
        let (answer, arrival) = ways.answer(&request).await?;
        let code = match answer {
            Ok(code) => code,
            Err(refusal) => {
                let error = refused(&refusal, &client, again);
                show(arrival, Page::Failed(error.to_string())).await;
                return Err(error);
            }
        };
        host.messages.verbose(&format!("exchanging the code at {}", client.token_url()));
        let sent = host.now();
        let mut pauses = BACK_OFF.into_iter();
        let (tokens, held_back) = loop {
            let (verifier, redirect_uri) = request.proof();
            // A code can be spent once.
            let held_back = HeldBack::interruptions();
            match authority.exchange(&code, verifier, redirect_uri).await {
                Err(Failure::Unsent { lasting: false, .. } | Failure::Busy { .. }) if pauses.len() > 0 => {
                    drop(held_back);
                    sleep(pauses.next().unwrap_or_default()).await;
                }
                tokens => break (tokens, held_back),
            }
        };
        match tokens {
            Ok(tokens) => {
                let lacks_refresh = Page::Failed(NO_REFRESH_TOKEN.to_owned());
                show(arrival, if tokens.refresh.is_some() { Page::SignedIn } else { lacks_refresh }).await;
                let (sign_in, grant) = granted(host, client, scopes, tokens, sent);
                Ok((sign_in, grant, held_back))
            }
            Err(failure) => {
                let error = Error::new(format!("cannot sign in at {}: {failure}", authority.host()));
                show(arrival, Page::Failed(error.to_string())).await;
                Err(error.hint(match failure {
                    Failure::Refused { .. } => format!("try again: {again}"),
                    _ => failure.next_step(),
                }))
            }
        }
    })?
}

/// Revokes a grant that is not wanted after all. That it cannot be is no failure: it runs out by itself.
pub(super) fn discard(host: &Host, client: &Client, grant: &Grant) {
    let Some(url) = client.revoke_url() else { return };
    let network = host.network();
    let revoked = http::run(revoke(client, &url, &network, grant.revocable()));
    host.messages.verbose(match revoked {
        Ok(Ok(Ok(()))) => "the new grant is revoked again",
        _ => "the new grant could not be revoked; nobody has it",
    });
}

async fn bind(host: &Host, client: &Client) -> Option<Listener> {
    let callback = client.callback();
    match Listener::bind(&callback).await {
        Ok(listener) => {
            let address = listener.endpoint().map_or_else(|error| error.to_string(), |url| url.to_string());
            host.messages.verbose(&format!("waiting for the browser at {address}"));
            Some(listener)
        }
        Err(error) => {
            let why = reason(&error);
            host.messages
                .say(&format!("cannot wait for the browser at {callback} ({why}): the code must be pasted"));
            None
        }
    }
}

/// The redirect URI; with the real port where that is any.
fn redirect_uri(client: &Client, listener: Option<&Listener>) -> Result<Endpoint> {
    let redirect = client.redirect_uri();
    match listener {
        Some(listener) if client.callback() == redirect => listener.endpoint(),
        _ => Ok(redirect),
    }
}

/// The ways on which an answer can come.
struct Ways<'a> {
    host: &'a Host,
    waiting: Option<Waiting>,
    paste: Paste,
    again: &'a str,
}

impl Ways<'_> {
    /// Tells the person where to go, and opens a browser there.
    fn invite(&self, client: &Client, request: &Request, scopes: usize, browser: bool) -> Result<()> {
        if self.waiting.is_none() && self.paste.is_over() {
            return Err(self.no_way());
        }
        let messages = &self.host.messages;
        let who = client.preset().map_or(&*client.id, |preset| preset.name());
        let scopes = if scopes == 1 { "1 scope".to_owned() } else { format!("{scopes} scopes") };
        if let Some(token_url) = &client.token_url {
            // Who may set a variable must not be able to have the code brought to them unseen.
            messages.say(&format!("what comes of this sign-in is exchanged at {token_url}"));
        }
        messages.say(&format!("sign in at this address (client {who}, {scopes}):"));
        messages.always(request.url());
        let opens = browser && self.waiting.is_some() && stderr_is_terminal();
        if opens {
            let (url, messages) = (request.url().to_owned(), *messages);
            // A browser may take its time to start. Nobody waits for the thread.
            let _ = thread::Builder::new().spawn(move || {
                if let Err(error) = launch::open_in_browser(&url) {
                    messages.say(&format!("no browser could be opened ({error}): open the address yourself"));
                }
            });
        }
        if self.paste.has_terminal {
            let browser = if self.waiting.is_some() { "waiting for the browser; or " } else { "" };
            messages.say(&format!("{browser}paste the code or the address that it ends at, and enter:"));
        }
        Ok(())
    }

    /// Waits for the answer; it comes with the browser that brought it.
    async fn answer(&mut self, request: &Request) -> Result<(Answer, Option<Arrival>)> {
        let (mut refused, mut more) = (None, true);
        let limit = sleep(LIMIT);
        tokio::pin!(limit);
        loop {
            tokio::select! {
                arrival = arrival(self.waiting.as_mut()) => {
                    return Ok((arrival.answer.clone(), Some(arrival)));
                }
                line = self.paste.line(), if more => match line {
                    Some(line) if line.trim().is_empty() => {}
                    Some(line) => match request.pasted(&line) {
                        Ok(answer) => return Ok((answer, None)),
                        Err(error) if self.paste.has_terminal => {
                            let hint = error.next_step().unwrap_or_default();
                            self.host.messages.say(&format!("{error}: {hint}"));
                        }
                        Err(error) => refused = Some(error),
                    },
                    // A script has given what it had.
                    None => match refused.take() {
                        Some(error) => return Err(error),
                        None if self.waiting.is_none() => return Err(self.no_way()),
                        None => more = false,
                    },
                },
                () = &mut limit => {
                    let minutes = LIMIT.as_secs() / 60;
                    return Err(Error::new(format!("nobody signed in within {minutes} minutes"))
                        .hint(format!("try again: {}", self.again)));
                }
            }
        }
    }

    fn no_way(&self) -> Error {
        Error::new("no way is left for the answer: the port is in use, and nothing can be pasted")
            .hint(format!("end what uses the port, or run it on a terminal: {}", self.again))
    }
}

async fn arrival(waiting: Option<&mut Waiting>) -> Arrival {
    match waiting {
        Some(waiting) => waiting.arrival().await,
        None => std::future::pending().await,
    }
}

async fn show(arrival: Option<Arrival>, page: Page) {
    if let Some(arrival) = arrival {
        arrival.show(page).await;
    }
}

fn refused(refusal: &Refusal, client: &Client, again: &str) -> Error {
    let (message, hint) = match refusal.error.as_str() {
        "access_denied" => (
            format!("consent was denied ({refusal}); nothing was changed"),
            format!("sign in again and allow it: {again}"),
        ),
        "invalid_scope" => (
            format!("the client may not ask for all of these scopes ({refusal}); nothing was changed"),
            if client.preset().is_some() {
                "ask for fewer: --scopes basic, or name them".to_owned()
            } else {
                "name those that the client is registered for by --scopes; some clients must not ask for \
                 offline_access: --no-offline-access"
                    .to_owned()
            },
        ),
        _ => (
            format!("the authorization server refuses ({refusal}); nothing was changed"),
            format!("try again: {again}"),
        ),
    };
    Error::new(message).hint(hint)
}

/// What was granted. What the answer leaves out is as it was asked for (RFC 6749 §5.1).
fn granted(
    host: &Host,
    client: Client,
    asked: Vec<String>,
    tokens: Tokens,
    sent: jiff::Timestamp,
) -> (SignIn, Grant) {
    if let Some(odd) = &tokens.odd {
        host.messages.say(&format!("the server told of the new token {odd}"));
    }
    let mut scopes = tokens.scopes.unwrap_or_else(|| asked.clone());
    scopes.retain(|scope| scope != OFFLINE_ACCESS);
    let grant = Grant {
        access: tokens.access,
        refresh: tokens.refresh,
        expires: expires(sent, tokens.life),
        scopes: scopes.clone(),
        client_id: (!client.is_v1()).then(|| client.id.to_string()),
    };
    let narrowed = asked.iter().any(|scope| !scopes.contains(scope));
    (SignIn { client, scopes, asked: narrowed.then_some(asked) }, grant)
}
