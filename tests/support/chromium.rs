//! A real browser and the person at it: headless Chromium (`chromium.mjs`), as the program that `$BROWSER`
//! names.

use std::io::Read;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;

use super::oidc::Server;
use super::{given, has};

/// How long the browser has for all it does.
const LIMIT: Duration = Duration::from_secs(60);

/// A browser that is yet to be opened, once. It ends with the value.
pub struct Chromium {
    folder: TempDir,
    address: SocketAddr,
    connection: Arc<Mutex<Option<TcpStream>>>,
    seen: Receiver<String>,
    listening: Option<JoinHandle<()>>,
}

/// What a page shows.
#[derive(Debug, Deserialize)]
pub struct Page {
    pub url: String,
    pub title: String,
    pub text: String,
}

impl Chromium {
    /// A browser that trusts the server, and whose person presses the button with that text at its page.
    /// `None` where it is not installed.
    pub fn new(server: &Server, press: &str) -> Option<Self> {
        let node = given("ALCHEMY_TEST_NODE").filter(|_| has("chromium"))?;
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let setup = json!({
            "port": address.port(),
            "folder": folder.path(),
            "certificate": server.certificate(),
            "server": server.port(),
            "press": press,
            "screenshots": std::env::var_os("ALCHEMY_TEST_SCREENSHOTS").map(PathBuf::from),
            "limit": LIMIT.as_secs(),
        });
        let program = Path::new(super::PROJECT).join("tests/support/chromium.mjs");
        let script = format!(
            "#!/bin/sh\nexec '{}' '{}' '{setup}' \"$1\" </dev/null >/dev/null 2>&1\n",
            node.display(),
            program.display()
        );
        let connection = Arc::default();
        let (sender, seen) = channel();
        let listening = thread::spawn({
            let connection = Arc::clone(&connection);
            move || listen(&listener, &connection, &sender)
        });
        let this = Self { folder, address, connection, seen, listening: Some(listening) };
        super::write_program(&this.script(), &script);
        Some(this)
    }

    /// The program that opens it: its argument is the URL.
    pub fn script(&self) -> PathBuf {
        self.folder.path().join("browser")
    }

    /// The page on this machine, without TLS, that it was sent to in the end.
    #[track_caller]
    pub fn page(&self) -> Page {
        let seen = self.seen.recv_timeout(LIMIT * 2).expect("the browser was opened");
        serde_json::from_str(&seen).unwrap_or_else(|_| panic!("no page: {seen}"))
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Ends the wait for a browser that was never opened.
        let _ = TcpStream::connect(self.address);
        if let Some(connection) = lock(&self.connection).take() {
            let _ = connection.shutdown(Shutdown::Write);
        }
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

/// Waits for the browser, and for what it tells when it is done.
fn listen(listener: &TcpListener, connection: &Mutex<Option<TcpStream>>, seen: &Sender<String>) {
    let Ok((mut browser, _)) = listener.accept() else { return };
    *lock(connection) = browser.try_clone().ok();
    let mut told = String::new();
    let _ = browser.read_to_string(&mut told);
    let _ = seen.send(told);
}

fn lock(connection: &Mutex<Option<TcpStream>>) -> MutexGuard<'_, Option<TcpStream>> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
