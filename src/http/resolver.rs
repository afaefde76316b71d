//! Names of hosts → addresses.
//!
//! The system's resolver (`getaddrinfo`) blocks, for minutes where a server is silent, and cannot be canceled. So
//! each look-up has a thread of its own that nobody ever waits for: the limit for a connection ends the request, and
//! the thread is left behind. (tokio's own pool aborts the process when the system has no thread to give, and waits
//! for the look-up when its runtime ends.) Loopback names never reach the resolver (RFC 6761 §6.3): a DNS server
//! must not be able to send a secret elsewhere.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::oneshot;

use crate::error::reason;
use crate::signals;

/// Resolves names for a client of [`super::client`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let addresses = if is_loopback_name(&host) { loopback() } else { look_up(host).await? };
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// True for `localhost` and all names below it, with or without the dot of the root.
pub(super) fn is_loopback_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let last = host.rsplit_once('.').map_or(host, |(_, last)| last);
    last.eq_ignore_ascii_case("localhost")
}

/// The addresses of a loopback name, in the order of RFC 6724 §2.1; a machine without IPv6 refuses the first at once.
fn loopback() -> Vec<SocketAddr> {
    vec![(Ipv6Addr::LOCALHOST, 0).into(), (Ipv4Addr::LOCALHOST, 0).into()]
}

async fn look_up(host: String) -> io::Result<Vec<SocketAddr>> {
    let (answer, answered) = oneshot::channel();
    let work = move || {
        let addresses = (host.as_str(), 0).to_socket_addrs().map(Iterator::collect);
        // The request may have reached its limit, and be gone.
        let _ = answer.send(addresses);
    };
    signals::thread("resolver", work).map_err(|error| io::Error::other(NoThread(error)))?;
    answered.await.unwrap_or_else(|_| Err(io::Error::other("the look-up ended without an answer")))
}

/// The system gives no thread.
#[derive(Debug)]
struct NoThread(io::Error);

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = reason(&self.0);
        write!(
            f,
            "cannot start a thread to look up the host: {why} (a limit on processes: ulimit -u, or a cgroup's)"
        )
    }
}

impl std::error::Error for NoThread {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_are_known_in_every_spelling() {
        for host in ["localhost", "LocalHost", "localhost.", "app.localhost", "a.b.LOCALHOST."] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in
            ["", ".", "localhost.example.com", "notlocalhost", "localhost..", "127.0.0.1", "example.com"]
        {
            assert!(!is_loopback_name(host), "{host}");
        }
    }
}
