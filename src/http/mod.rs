//! What all requests of ours have in common: where they may go, whom they trust, how long they wait.
//!
//! Nothing is read from the process environment except by the TLS code underneath ([`Network`] carries what
//! the edge read). Redirects are never followed, so that a secret goes to the endpoint it
//! was made for and nowhere else. Making a client costs 4–6 ms (facts, crates §3), so one is made when
//! it is needed.

mod endpoint;
pub(crate) mod probe;
mod proxy;
mod resolver;
mod transport;
mod trust;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::HeaderMap;
use rustls::crypto::{CryptoProvider, ring};
use tokio::runtime::{Builder, Runtime};

pub use endpoint::Endpoint;
pub use proxy::{NamedProxy, ProxyVariables};
pub(crate) use transport::Unreachable;

use crate::error::{Error, Result, lower_first};
use crate::terminal::printable;
use trust::Trust;

/// The most characters of a server's text that are shown.
const SHOWN: usize = 200;

/// What the edge read of the environment for our own requests. Empty values count as unset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Network {
    /// `SSL_CERT_FILE`: a PEM file with the CA certificates to trust in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// `SSL_CERT_DIR`: directories of such files, separated by `:`.
    pub ca_dir: Option<OsString>,
    /// `NODE_EXTRA_CA_CERTS`: a PEM file with CA certificates to trust as well.
    pub extra_ca: Option<PathBuf>,
    /// The variables of proxies.
    pub proxy: ProxyVariables,
}

/// How long one request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the whole, from the first byte of the request to the last of the answer.
    pub request: Duration,
}

/// A client for requests to this endpoint; nothing is sent yet.
///
/// Fails when a CA variable names no certificate, the system has none, or a proxy variable can't be understood.
pub(crate) fn client(
    endpoint: &Endpoint,
    headers: HeaderMap,
    network: &Network,
    limits: Limits,
) -> Result<reqwest::Client> {
    let trust = trust::read(network)?;
    let proxy = network.proxy.of(endpoint)?;
    if CryptoProvider::get_default().is_none() {
        // Losing a race to another thread means that there is one now.
        let _ = ring::default_provider().install_default();
    }
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("alchemy/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(resolver::Resolver)
        .no_proxy() // reqwest reads no variables
        .connect_timeout(limits.connect)
        .timeout(limits.request);
    if let Some(proxy) = proxy {
        builder = builder.proxy(proxy.for_reqwest()?);
    }
    builder = match trust {
        Trust::Only(certificates) => builder.tls_certs_only(certificates),
        // Without TLS there is no need for certificates, and a bare container has none.
        Trust::System(_) if endpoint.as_str().starts_with("http:") => builder.tls_certs_only([]),
        Trust::System(extra) => builder.tls_certs_merge(extra),
    };
    builder.build().map_err(|error| {
        let why = transport::chain(&error);
        Error::new(format!("cannot prepare for tls: {}", lower_first(&why)))
            .hint("install the package ca-certificates, or set SSL_CERT_FILE to a pem file, not to nothing")
    })
}

/// Does requests in the calling thread until `work` is done: `reqwest::blocking` would start a thread of its own.
///
/// Fails when the system gives no runtime.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> Result<T> {
    Ok(Requests::new()?.run(work))
}

/// Where requests run that may share a connection. It ends at once: nothing that hangs in it is waited for, so that
/// no lock is held for longer than the limits of a request say.
pub(crate) struct Requests {
    /// Always there until the value is dropped.
    runtime: Option<Runtime>,
}

impl Requests {
    /// Prepares to do requests in the calling thread.
    ///
    /// Fails when the system gives no runtime.
    pub(crate) fn new() -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| {
            let reason = crate::error::reason(&error);
            Error::new(format!("cannot prepare for the network: {reason}"))
                .hint("look for limits on open files and threads (ulimit -a)")
        })?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Does `work` to its end.
    pub(crate) fn run<T>(&self, work: impl Future<Output = T>) -> T {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => unreachable!("the runtime is taken only on drop"),
        }
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The body of an answer, at most `limit` bytes of it.
///
/// Fails when the connection ends before the body does.
pub(crate) async fn body(response: &mut reqwest::Response, limit: usize) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = limit.saturating_sub(body.len());
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if room < chunk.len() {
            break;
        }
    }
    Ok(body)
}

/// Whether the body of an answer is a web page, whatever its header says.
pub(crate) fn is_page(body: &[u8]) -> bool {
    body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body).trim_ascii_start().starts_with(b"<")
}

/// Text of others, safe to show ([`printable`]): without the secret, cut to 200 characters.
pub(crate) fn tame(text: &str, secret: &str) -> String {
    let text = if secret.is_empty() { text.to_owned() } else { text.replace(secret, "[secret]") };
    cut(printable(text.trim()))
}

/// The text, cut to what is shown of a server's.
pub(crate) fn cut(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_tamed() {
        assert_eq!(tame(" a\u{1b}[31m\nb\u{202e} ", ""), "a\\u{1b}[31m\\nb\\u{202e}");
        assert_eq!(tame("token hunter2 is bad", "hunter2"), "token [secret] is bad");
        assert_eq!(tame(&"é".repeat(300), "").chars().count(), SHOWN + 1);
    }
}
