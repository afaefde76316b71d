//! Which certificate authorities our requests trust, by the variables other programs go by.
//!
//! `SSL_CERT_FILE` and `SSL_CERT_DIR` replace the system's certificates, as in OpenSSL (and on
//! macOS too, where the platform's verifier would not look at them); `NODE_EXTRA_CA_CERTS` adds to
//! whatever else is trusted, as in Node. A variable that names nothing useful is an error here: the
//! alternative is a puzzling `UnknownIssuer` later, or a panic (facts, crates §3). Nothing is read but regular
//! files of a bounded size, as a lock may be held meanwhile.

use std::env::split_paths;
use std::fs;
use std::path::Path;

use nix::errno::Errno;
use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::Network;
use crate::directory::file::{self, Refusal};
use crate::error::{Error, Result};

/// The most that is read of a file: the largest bundles hold a few hundred certificates.
const LONGEST: u64 = 16 * 1024 * 1024;

/// The certificate authorities to trust.
pub(super) enum Trust {
    /// The system's, and these.
    System(Vec<Certificate>),
    /// None but these.
    Only(Vec<Certificate>),
}

/// Reads what the variables name.
///
/// Fails when a file cannot be read, or a variable leads to no certificate at all.
pub(super) fn read(network: &Network) -> Result<Trust> {
    let mut extra = Vec::new();
    if let Some(path) = named(network.extra_ca.as_deref()) {
        extra = named_file("NODE_EXTRA_CA_CERTS", path)?;
    }
    let dirs: Vec<_> = network.ca_dir.iter().flat_map(split_paths).collect();
    let dirs: Vec<_> = dirs.iter().filter_map(|dir| named(Some(dir.as_path()))).collect();
    let ca_file = named(network.ca_file.as_deref());
    if ca_file.is_none() && dirs.is_empty() {
        return Ok(Trust::System(extra));
    }
    let mut only = extra;
    if let Some(path) = ca_file {
        only.extend(named_file("SSL_CERT_FILE", path)?);
    }
    let before = only.len();
    for dir in &dirs {
        only.extend(directory(dir));
    }
    if ca_file.is_none() && only.len() == before {
        let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
        return Err(nothing("SSL_CERT_DIR", &dirs.join(":")));
    }
    Ok(Trust::Only(only))
}

fn named(path: Option<&Path>) -> Option<&Path> {
    path.filter(|path| !path.as_os_str().is_empty())
}

fn named_file(variable: &str, path: &Path) -> Result<Vec<Certificate>> {
    let shown = path.display().to_string();
    let unread = |why: &str| {
        Error::new(format!("{variable} names {shown:?}, which {why}"))
            .hint(format!("correct {variable}, or unset it to use the system's certificates"))
    };
    let pem = file::read(path, LONGEST, None).map_err(|refusal| unread(&refusal.why()))?;
    let pem = pem.ok_or_else(|| unread(&Refusal::Io(Errno::ENOENT.into()).why()))?;
    let found = certificates(&pem.bytes);
    if found.is_empty() { Err(nothing(variable, &shown)) } else { Ok(found) }
}

fn nothing(variable: &str, shown: &str) -> Error {
    Error::new(format!("{variable} names {shown:?}, which holds no ca certificate"))
        .hint(format!("point {variable} to pem files (BEGIN CERTIFICATE), or unset it"))
}

/// What OpenSSL would find there; entries that are no certificates are other files, not errors.
fn directory(path: &Path) -> Vec<Certificate> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| file::read(&entry.path(), LONGEST, None).ok().flatten())
        .flat_map(|pem| certificates(&pem.bytes))
        .collect()
}

/// Those certificates that rustls can use: company bundles hold odd ones, which reqwest would
/// refuse together with all others.
fn certificates(pem: &[u8]) -> Vec<Certificate> {
    CertificateDer::pem_slice_iter(pem)
        .flatten()
        .filter(|der| RootCertStore::empty().add(der.clone()).is_ok())
        .filter_map(|der| Certificate::from_der(&der).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn message(network: &Network) -> String {
        read(network).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn nothing_set_means_the_systems_and_empty_is_unset() {
        let empty = Network {
            ca_file: Some(PathBuf::new()),
            ca_dir: Some(":".into()),
            extra_ca: Some(PathBuf::new()),
            ..Network::default()
        };
        for network in [Network::default(), empty] {
            assert!(matches!(read(&network), Ok(Trust::System(extra)) if extra.is_empty()));
        }
    }

    #[test]
    fn a_variable_that_names_no_certificate_is_an_error_that_names_both() {
        let folder = tempfile::tempdir().expect("folder");
        let text = folder.path().join("notes.txt");
        fs::write(&text, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").expect("written");
        for path in [Path::new("/nonexistent/ca.pem"), folder.path(), &text] {
            let shown = path.display().to_string();
            let (file, extra) = (Some(path.to_owned()), Some(path.to_owned()));
            let by_file = message(&Network { ca_file: file, ..Network::default() });
            assert!(by_file.contains("SSL_CERT_FILE") && by_file.contains(&shown), "{by_file}");
            let by_extra = message(&Network { extra_ca: extra, ..Network::default() });
            assert!(by_extra.contains("NODE_EXTRA_CA_CERTS") && by_extra.contains(&shown), "{by_extra}");
        }
        let by_dir = message(&Network { ca_dir: Some(folder.path().into()), ..Network::default() });
        assert!(by_dir.contains("SSL_CERT_DIR"), "{by_dir}");
    }
}
