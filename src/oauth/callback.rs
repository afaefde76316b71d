//! The loopback listener that the browser brings the answer to (RFC 8252 §7.3).
//!
//! Rules kept here:
//! - It listens on loopback only, on both address families where the address says `localhost`.
//! - Only an answer to our own request ends the wait. Whatever else comes by (a favicon, a wrong path,
//!   another sign-in's state, a page of somebody else that got here by a name of its own) gets an error
//!   and changes nothing.
//! - The hosted page that the preset `alchemy` is redirected to first looks whether we are there:
//!   `/auth/ping` answers it as the npm package does (`facts/alchemy-npm.md` §2.2).
//! - What the browser is shown needs nothing from the network and runs no script.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::Url;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::authorization::{Answer, Request};
use crate::error::Result;
use crate::http::Endpoint;
use crate::terminal::printable;

/// At a time and for each address: what else is to be opened must still find a descriptor.
const CONNECTIONS: usize = 64;
/// For the headers of a request.
const HEADERS: Duration = Duration::from_secs(10);
/// For the last page to reach the browser.
const LAST_PAGE: Duration = Duration::from_secs(2);
const PAGE: &str = include_str!("page.html");

/// Sockets that are bound, and where they are.
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    address: Url,
}

/// A listener that waits for the answer to a request; dropping it ends it.
pub(crate) struct Waiting {
    arrivals: mpsc::Receiver<Arrival>,
    servers: Vec<JoinHandle<()>>,
}

/// The answer, with the browser that brought it and waits for a page.
pub(crate) struct Arrival {
    /// The answer.
    pub answer: Answer,
    page: oneshot::Sender<Page>,
    /// Ends with the browser's connection.
    connection: oneshot::Receiver<()>,
}

/// What the browser shows in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Page {
    /// It has worked.
    SignedIn,
    /// It has not; why.
    Failed(String),
}

impl Listener {
    /// Binds the callback's address; port 0 takes any that is free (RFC 8252 §7.3).
    ///
    /// Fails when the port is in use, on one of the address families at least.
    pub(crate) async fn bind(callback: &Endpoint) -> io::Result<Self> {
        let mut address = Url::parse(callback.as_str()).map_err(|_| ErrorKind::InvalidInput)?;
        let host = address.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let families: &[IpAddr] = match host.parse() {
            Ok(IpAddr::V4(ip)) => &[IpAddr::V4(ip)],
            Ok(IpAddr::V6(ip)) => &[IpAddr::V6(ip)],
            Err(_) => &[IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
        };
        let mut port = address.port_or_known_default().unwrap_or_default();
        let mut sockets = Vec::new();
        for ip in families {
            match TcpListener::bind(SocketAddr::new(*ip, port)).await {
                Ok(socket) => {
                    port = socket.local_addr()?.port();
                    sockets.push(socket);
                }
                // A machine without IPv6 has nobody there either.
                Err(error) if error.kind() != ErrorKind::AddrInUse && !sockets.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        address.set_port(Some(port)).map_err(|()| ErrorKind::InvalidInput)?;
        Ok(Self { sockets, address })
    }

    /// Its address, with the real port.
    pub(crate) fn endpoint(&self) -> Result<Endpoint> {
        Endpoint::parse(self.address.as_str())
    }

    /// Starts to wait for the answer to a request, whose redirect URI is either here or at a page that
    /// sends the browser here.
    pub(crate) fn wait_for(self, request: Arc<Request>) -> Waiting {
        let (arrived, arrivals) = mpsc::channel(1);
        let port = self.address.port_or_known_default().unwrap_or_default();
        let desk = Arc::new(Desk { port, path: self.address.path().to_owned(), request, arrived });
        let serve = |socket: TcpListener| tokio::spawn(serve(socket, Arc::clone(&desk)));
        Waiting { arrivals, servers: self.sockets.into_iter().map(serve).collect() }
    }
}

impl Waiting {
    /// Waits for the answer.
    pub(crate) async fn arrival(&mut self) -> Arrival {
        match self.arrivals.recv().await {
            Some(arrival) => arrival,
            // The servers end with this value, so there is always one that may send.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

impl Arrival {
    /// Shows the browser how it ended, and waits until it has got it, for 2 s at most.
    pub(crate) async fn show(self, page: Page) {
        if self.page.send(page).is_ok() {
            // It ends by being dropped, which is an error to the receiver and none to us.
            let _ = timeout(LAST_PAGE, self.connection).await;
        }
    }
}

/// What each connection needs to know.
struct Desk {
    port: u16,
    path: String,
    request: Arc<Request>,
    arrived: mpsc::Sender<Arrival>,
}

async fn serve(socket: TcpListener, desk: Arc<Desk>) {
    let seats = Arc::new(Semaphore::new(CONNECTIONS));
    // Nobody closes the semaphore.
    while let Ok(seat) = Arc::clone(&seats).acquire_owned().await {
        // An error here is the other side's, or a lack of descriptors that passes.
        match socket.accept().await {
            Ok((stream, _)) => {
                let connection = connection(stream, Arc::clone(&desk));
                tokio::spawn(async move {
                    connection.await;
                    drop(seat);
                });
            }
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn connection(stream: TcpStream, desk: Arc<Desk>) {
    let (_open, ended) = oneshot::channel();
    let ended = Arc::new(Mutex::new(Some(ended)));
    let service = service_fn(|request| {
        let (desk, ended) = (Arc::clone(&desk), Arc::clone(&ended));
        async move { Ok::<_, Infallible>(desk.respond(&request, &ended).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(HEADERS);
    // A browser that goes away has nobody to be told.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

impl Desk {
    async fn respond(
        &self,
        request: &hyper::Request<Incoming>,
        ended: &Mutex<Option<oneshot::Receiver<()>>>,
    ) -> Response<Full<Bytes>> {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        if !host.is_some_and(|host| self.is_here(host)) {
            return plain(StatusCode::MISDIRECTED_REQUEST, "this is not for you");
        }
        let uri = request.uri();
        if self.is_ping(uri.path()) {
            return self.ping(request.method());
        }
        if uri.path() != self.path {
            return plain(StatusCode::NOT_FOUND, "not found");
        }
        if request.method() != Method::GET {
            return plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed");
        }
        let stray = || plain(StatusCode::BAD_REQUEST, "this is not the sign-in that alchemy waits for");
        let Some(answer) = self.request.answer(uri.query().unwrap_or_default()) else { return stray() };
        let (page, shown) = oneshot::channel();
        let Some(connection) = ended.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return stray();
        };
        if self.arrived.send(Arrival { answer, page, connection }).await.is_err() {
            return stray();
        }
        match shown.await {
            Ok(page) => html(&page),
            Err(_) => plain(StatusCode::GONE, "this sign-in is over"),
        }
    }

    /// Whether a `Host` names this machine by a name of its own: what comes by another was led here by
    /// whoever owns that name.
    fn is_here(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        port == Some(self.port)
            && (name.eq_ignore_ascii_case("localhost")
                || name.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.is_loopback()))
    }

    /// The sibling `ping` of the callback's path.
    fn is_ping(&self, path: &str) -> bool {
        let folder = self.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        path.strip_prefix(folder) == Some("/ping")
    }

    fn ping(&self, method: &Method) -> Response<Full<Bytes>> {
        let status = if method == Method::OPTIONS { StatusCode::NO_CONTENT } else { StatusCode::OK };
        let mut response = plain(status, "");
        let origin = HeaderValue::from_str(&self.request.redirect_origin());
        let private_network = HeaderName::from_static("access-control-allow-private-network");
        response.headers_mut().extend(
            origin.into_iter().map(|origin| (header::ACCESS_CONTROL_ALLOW_ORIGIN, origin)).chain([
                (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, OPTIONS")),
                (private_network, HeaderValue::from_static("true")),
            ]),
        );
        response
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()))
}

fn html(page: &Page) -> Response<Full<Bytes>> {
    let text = match page {
        Page::SignedIn => "You can close this page: alchemy goes on in the terminal.".to_owned(),
        Page::Failed(why) => {
            format!("{why}. Look into the terminal for what to do.", why = escaped(&printable(why)))
        }
    };
    let (title, mark, colour) = match page {
        Page::SignedIn => ("Signed in", "✓", "#2a9d4e"),
        Page::Failed(_) => ("Not signed in", "✗", "#d33a2c"),
    };
    let page = PAGE.replace("{title}", title).replace("{mark}", mark).replace("{colour}", colour);
    // The text last: it is not ours alone.
    response(StatusCode::OK, "text/html; charset=utf-8", page.replace("{text}", &text).into())
}

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    response.headers_mut().extend([
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ]);
    response
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
