//! HTTP/1.1 for the doubles: a server on loopback, the faults planned for it, and ways to spoil an answer.
//!
//! Rules it keeps:
//! - Requests are read whole; one that cannot be parsed gets [`Service::malformed`] and a closed
//!   connection. A broken client cannot take the server down.
//! - It never sleeps, save for a [`Spoilt`] that asks for it, and `Drop` ends those as well: it closes the
//!   listener and all connections and joins every thread.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

const MAX_HEAD: u64 = 64 * 1024;
const MAX_BODY: u64 = 8 * 1024 * 1024;
/// How long a test waits for a request.
const LIMIT: Duration = Duration::from_secs(60);

/// A request as received.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The moments of a request at which a test can step in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It was received; nothing was done.
    Received,
    /// It had its effect, if no fault kept it from it; the answer was not sent.
    Done,
}

/// Where requests wait; dropped, it stands open.
pub struct Gate {
    arrived: Receiver<()>,
    pass: Sender<()>,
}

impl Gate {
    /// A gate, and what has a request wait at it.
    pub fn new(at: Moment) -> (Self, impl Fn(Moment) + Send + Sync + 'static) {
        let (arriving, arrived) = channel();
        let (pass, passing) = channel::<()>();
        let passing = Mutex::new(passing);
        let hook = move |moment| {
            if moment == at {
                let _ = arriving.send(());
                // An error is a gate that is gone: it stands open.
                let _ = passing.lock().unwrap_or_else(PoisonError::into_inner).recv();
            }
        };
        (Self { arrived, pass }, hook)
    }

    /// Waits until one more request is at the gate.
    #[track_caller]
    pub fn arrival(&self) {
        self.arrived.recv_timeout(LIMIT).expect("a request");
    }

    /// Lets one request pass.
    pub fn pass(&self) {
        let _ = self.pass.send(());
    }
}

/// How an answer goes wrong on its way.
#[derive(Clone, Debug)]
pub enum Spoilt {
    /// It does not come until the server is dropped.
    Hang,
    /// The connection closes in the middle of the headers.
    Reset,
    /// `content-length` promises more than comes before the connection closes.
    Truncated,
    /// The headers, then a byte at a time, with this pause before each.
    Slow(Duration),
}

pub struct Response {
    status: u16,
    /// Whole lines, besides those that every response has.
    headers: String,
    body: String,
    spoilt: Option<Spoilt>,
}

impl Response {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: String::new(), body: body.into(), spoilt: None }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string())
    }

    /// A page for browsers.
    pub fn page(status: u16, title: &str) -> Self {
        Self::new(status, format!("<!DOCTYPE html><title>{title}</title>\n"))
            .with_header("content-type", "text/html; charset=UTF-8")
    }

    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    pub fn spoilt(self, spoilt: Option<Spoilt>) -> Self {
        Self { spoilt, ..self }
    }

    fn send(mut self, mut stream: &TcpStream, keep_alive: bool, running: &Running) -> io::Result<()> {
        if !self.headers.contains("content-type") {
            self = self.with_header("content-type", "application/json");
        }
        let missing = if let Some(Spoilt::Truncated) = self.spoilt { 64 } else { 0 };
        let head = format!(
            "HTTP/1.1 {} \r\ncontent-length: {}\r\nconnection: {}\r\n{}\r\n",
            self.status,
            self.body.len() + missing,
            if keep_alive { "keep-alive" } else { "close" },
            self.headers,
        );
        match self.spoilt {
            Some(Spoilt::Hang) => {
                running.wait_for_stop(Duration::MAX);
                Ok(())
            }
            Some(Spoilt::Reset) => stream.write_all(&head.as_bytes()[..head.len() / 2]),
            Some(Spoilt::Slow(pause)) => {
                stream.write_all(head.as_bytes())?;
                self.body.as_bytes().chunks(1).try_for_each(|byte| {
                    if running.wait_for_stop(pause) {
                        return Err(ErrorKind::ConnectionAborted.into());
                    }
                    stream.write_all(byte)
                })
            }
            Some(Spoilt::Truncated) | None => stream.write_all((head + &self.body).as_bytes()),
        }
    }
}

/// What a server serves.
pub trait Service: Send + Sync + 'static {
    /// Whether a new connection is served; otherwise it closes before anything is read of it.
    fn accepts(&self) -> bool {
        true
    }

    fn answer(&self, request: Request) -> Response;

    /// The answer to what is not HTTP/1.x, is over a limit or has a chunked body.
    fn malformed(&self) -> Response {
        Response::new(400, "")
    }
}

/// A server on a free port of 127.0.0.1; it serves until it is dropped.
pub struct Server<S> {
    pub service: Arc<S>,
    running: Arc<Running>,
    address: SocketAddr,
    accepting: Option<JoinHandle<()>>,
}

impl<S: Service> Server<S> {
    /// # Panics
    /// If the system gives out no port.
    pub fn start(service: S) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind 127.0.0.1:0");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (service, running) = (Arc::new(service), Arc::new(Running::default()));
        let accepting = Some(thread::spawn({
            let (service, running) = (Arc::clone(&service), Arc::clone(&running));
            move || accept(&listener, &service, &running)
        }));
        Self { service, running, address, accepting }
    }

    /// Waits until everything that was sent so far has been received and answered, also that of clients
    /// that were killed. The others must have closed their connections.
    ///
    /// # Panics
    /// If some client goes on for a minute.
    pub fn settle(&self) {
        // Connections are accepted in their order, so all earlier ones are served by now.
        let mut last = TcpStream::connect(self.address).expect("connected");
        let _ = last.write_all(b"GET / HTTP/1.0\r\n\r\n").and_then(|()| last.read_to_end(&mut Vec::new()));
        drop(last);
        let idle = self.running.wait_while(Duration::from_secs(60), |state| state.served > 0);
        assert!(idle, "a client holds its connection");
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl<S> Drop for Server<S> {
    fn drop(&mut self) {
        self.running.change(|state| state.stopping = true);
        // The connection wakes `accept`; were it refused, joining would wait for ever.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(accepting) = self.accepting.take().filter(|_| woken) {
            let _ = accepting.join();
        }
    }
}

#[derive(Default)]
struct Running {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stopping: bool,
    /// Connections that are being served.
    served: usize,
}

impl Running {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits while that is so, at most `limit`; whether it is so no more.
    fn wait_while(&self, limit: Duration, so: impl Fn(&State) -> bool) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(state, limit, |state| so(state));
        !so(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    /// Waits for the end, at most `limit`; true once it has come.
    fn wait_for_stop(&self, limit: Duration) -> bool {
        self.wait_while(limit, |state| !state.stopping)
    }
}

fn accept<S: Service>(listener: &TcpListener, service: &Arc<S>, running: &Arc<Running>) {
    let mut connections: Vec<(Arc<TcpStream>, JoinHandle<()>)> = Vec::new();
    for stream in listener.incoming() {
        if running.wait_for_stop(Duration::ZERO) {
            break;
        }
        let Ok(stream) = stream.map(Arc::new) else {
            continue;
        };
        connections.retain(|(_, serving)| !serving.is_finished());
        if !service.accepts() {
            continue;
        }
        running.change(|state| state.served += 1);
        let serving = thread::spawn({
            let (stream, service, running) = (Arc::clone(&stream), Arc::clone(service), Arc::clone(running));
            move || {
                let _ = stream.set_nodelay(true);
                let _ = serve(&stream, &*service, &running);
                // `connections` still holds the socket, so dropping ours would not close it.
                let _ = stream.shutdown(Shutdown::Both);
                running.change(|state| state.served -= 1);
            }
        });
        connections.push((stream, serving));
    }
    for (stream, serving) in connections {
        let _ = stream.shutdown(Shutdown::Both);
        let _ = serving.join();
    }
}

fn serve(stream: &TcpStream, service: &impl Service, running: &Running) -> io::Result<()> {
    let mut input = BufReader::new(stream);
    loop {
        let (response, keep_alive) = match read_request(&mut input) {
            Ok(None) => return Ok(()),
            Ok(Some((request, keep_alive))) => (service.answer(request), keep_alive),
            Err(error) if error.kind() == ErrorKind::InvalidData => (service.malformed(), false),
            Err(error) => return Err(error),
        };
        let whole = matches!(response.spoilt, None | Some(Spoilt::Slow(_)));
        let keep_alive = keep_alive && whole;
        response.send(stream, keep_alive, running)?;
        if !keep_alive {
            return Ok(());
        }
    }
}

/// The next request and whether the connection stays open after it; `None` at the end of the
/// connection; `InvalidData` for what is not HTTP/1.x, is over a limit or has a chunked body.
fn read_request(input: &mut impl BufRead) -> io::Result<Option<(Request, bool)>> {
    let mut head = input.take(MAX_HEAD);
    if head.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let line = read_line(&mut head)?;
    let parts: Vec<&str> = line.split(' ').collect();
    let [method, path, version @ ("HTTP/1.1" | "HTTP/1.0")] = parts[..] else {
        return Err(ErrorKind::InvalidData.into());
    };
    let (method, path, body) = (method.to_owned(), path.to_owned(), Vec::new());
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut head)?;
        if line.is_empty() {
            break;
        }
        let field = line.split_once(':').filter(|(name, _)| is_token(name));
        let (name, value) = field.ok_or(ErrorKind::InvalidData)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body };
    let length = match request.header("transfer-encoding") {
        None => request.header("content-length").unwrap_or("0").parse().ok(),
        Some(_) => None,
    };
    let length = length.filter(|length| *length <= MAX_BODY);
    let length = length.ok_or(ErrorKind::InvalidData)?;
    input.take(length).read_to_end(&mut request.body)?;
    if request.body.len() as u64 != length {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let closes = |value: &str| value.eq_ignore_ascii_case("close");
    let keep_alive = version == "HTTP/1.1" && !request.header("connection").is_some_and(closes);
    Ok(Some((request, keep_alive)))
}

/// A line without its end; one that the input ends or the limit cuts is `InvalidData`.
fn read_line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\n").ok_or(ErrorKind::InvalidData)?;
    Ok(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
}

/// Whether a header can carry it as a name, or as a credential.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Faults planned for the requests to come. Of several that apply, the first planned with times left is
/// met.
pub struct Faults<F>(Mutex<Vec<Planned<F>>>);

struct Planned<F> {
    fault: F,
    prefix: String,
    left: Option<u32>,
}

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F: Clone> Faults<F> {
    /// Plans a fault for requests from now on.
    pub fn plan(&self, fault: F) -> Limit<'_, F> {
        let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        planned.push(Planned { fault, prefix: String::new(), left: None });
        Limit { faults: self, index: planned.len() - 1 }
    }

    /// Forgets all faults; those under way go on.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The fault for a request of this path that `applies`, if any: it has been met then.
    pub fn meet(&self, path: &str, applies: impl Fn(&F) -> bool) -> Option<F> {
        let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let met = planned.iter_mut().find(|planned| {
            planned.left != Some(0) && path.starts_with(&planned.prefix) && applies(&planned.fault)
        })?;
        met.left = met.left.map(|left| left - 1);
        Some(met.fault.clone())
    }
}

/// Limits a fault just planned; without limits it meets every request.
pub struct Limit<'a, F> {
    faults: &'a Faults<F>,
    index: usize,
}

impl<F> Limit<'_, F> {
    /// Only the next `count` requests that it applies to.
    pub fn times(self, count: u32) -> Self {
        self.set(|planned| planned.left = Some(count))
    }

    /// Only paths that begin with `prefix`, such as `/user/tokens/verify`.
    pub fn on(self, prefix: &str) -> Self {
        self.set(|planned| planned.prefix = prefix.into())
    }

    fn set(self, change: impl FnOnce(&mut Planned<F>)) -> Self {
        let mut planned = self.faults.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(planned) = planned.get_mut(self.index) {
            change(planned);
        }
        drop(planned);
        self
    }
}
