//! A server with a certificate that only those trust who are told to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A certificate authority, its PEM file, and the port of a server with a certificate of it that
/// answers every request with one user.
pub fn server(folder: &Path, name: &str) -> (PathBuf, u16) {
    use rustls::pki_types::PrivateKeyDer;
    let mut parameters = rcgen::CertificateParams::default();
    // Two authorities of one name would be told apart by signature only.
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().expect("key");
    let ca = parameters.self_signed(&ca_key).expect("ca");
    let issuer = rcgen::Issuer::new(parameters, ca_key);
    let key = rcgen::KeyPair::generate().expect("key");
    let leaf = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).expect("name");
    let leaf = leaf.signed_by(&key, &issuer).expect("leaf");
    let file = folder.join(name);
    std::fs::write(&file, ca.pem()).expect("written");

    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![leaf.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("der"),
        )
        .expect("certificate");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("port");
    let port = listener.local_addr().expect("address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer_over_tls(stream, &config);
        }
    });
    (file, port)
}

fn answer_over_tls(stream: TcpStream, config: &Arc<rustls::ServerConfig>) -> std::io::Result<()> {
    let connection = rustls::ServerConnection::new(Arc::clone(config)).expect("connection");
    let mut tls = rustls::StreamOwned::new(connection, stream);
    let read = tls.read(&mut [0; 4096])?;
    assert_ne!(read, 0);
    let body = r#"{"success":true,"result":{"id":"u","email":"tls@example.com"}}"#;
    write!(tls, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    tls.conn.send_close_notify();
    tls.flush()
}
