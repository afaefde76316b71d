//! What other tools have encrypted: wrangler's envelope, and the JWE files of `99designs/keyring`.
//!
//! Both are opened in memory only. Why something cannot be opened is said in words that follow "it".

use std::num::NonZeroU32;

use aes_kw::KekAes128;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::pbkdf2;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Bytes that are wiped when they are dropped.
pub(super) type Opened = Zeroizing<Vec<u8>>;

/// The most rounds of PBKDF2 that a file may ask for, against one that would keep us busy for hours; the
/// library writes 8192 (`pbse2_hmac_aeskw.go` of jose2go).
const MOST_ROUNDS: u32 = 2_000_000;

/// The key of wrangler's envelopes, as `workers-auth` keeps it in the keyring (`encodeKeyEnvelope`).
#[derive(Deserialize)]
struct KeyEnvelope {
    v: u64,
    key: Secret,
}

/// `<profile>.enc`, as `workers-auth` writes it (`encryptString`).
#[derive(Deserialize)]
struct Envelope {
    v: u64,
    alg: String,
    iv: String,
    tag: String,
    ciphertext: String,
}

/// The header of a JWE (RFC 7516 §4, RFC 7518 §4.8).
#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    p2s: String,
    p2c: u32,
}

/// Opens wrangler's envelope with the key's item in the keyring.
pub(super) fn open_envelope(envelope: &[u8], key: &[u8]) -> Result<Opened, &'static str> {
    let unknown = "has a form that this alchemy does not know";
    let envelope: Envelope = serde_json::from_slice(envelope).map_err(|_| "is not what wrangler writes")?;
    let key: KeyEnvelope = serde_json::from_slice(key).map_err(|_| "has a key that cannot be understood")?;
    if envelope.v != 1 || envelope.alg != "AES-256-GCM" || key.v != 1 {
        return Err(unknown);
    }
    let plain = |text: &str| STANDARD.decode(text).map_err(|_| unknown);
    let key = Zeroizing::new(plain(key.key.expose())?);
    let mut sealed = plain(&envelope.ciphertext)?;
    sealed.extend(plain(&envelope.tag)?);
    open(&key, &plain(&envelope.iv)?, b"", sealed).ok_or("does not go with its key in the keyring")
}

/// Opens a compact JWE with a passphrase: `PBES2-HS256+A128KW` and `A256GCM`, the one combination that
/// `99designs/keyring` writes (`file.go`).
pub(super) fn open_jwe(text: &str, passphrase: &str) -> Result<Opened, &'static str> {
    let odd = "is no file that 99designs/keyring writes";
    let parts: Vec<&str> = text.trim().split('.').collect();
    let [protected, wrapped, iv, ciphertext, tag] = parts[..] else { return Err(odd) };
    let plain = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| odd);
    let header: Header = serde_json::from_slice(&plain(protected)?).map_err(|_| odd)?;
    if header.alg != "PBES2-HS256+A128KW" || header.enc != "A256GCM" {
        return Err("is encrypted in a way that this alchemy does not know");
    }
    let rounds = NonZeroU32::new(header.p2c).filter(|rounds| rounds.get() <= MOST_ROUNDS).ok_or(odd)?;
    // RFC 7518 §4.8.1.1: the algorithm's name, a zero byte, and the salt.
    let salt = [header.alg.as_bytes(), &[0], &plain(&header.p2s)?].concat();
    let mut wrapping = Zeroizing::new([0; 16]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, passphrase.as_bytes(), &mut *wrapping);
    let mut key = Zeroizing::new([0; 32]);
    let wrapping = KekAes128::from(*wrapping);
    wrapping.unwrap(&plain(wrapped)?, &mut *key).map_err(|_| "is encrypted with another passphrase")?;
    let mut sealed = plain(ciphertext)?;
    sealed.extend(plain(tag)?);
    open(&*key, &plain(iv)?, protected.as_bytes(), sealed).ok_or("is damaged")
}

fn open(key: &[u8], iv: &[u8], also: &[u8], sealed: Vec<u8>) -> Option<Opened> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(iv).ok()?;
    let mut sealed = Zeroizing::new(sealed);
    let length = key.open_in_place(nonce, Aad::from(also), &mut sealed).ok()?.len();
    sealed.truncate(length);
    Some(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_such_file_is_told_from_one_that_does_not_open() {
        let jwe = |header: &str| format!("{}.AAAA.AAAA.AAAA.AAAA", URL_SAFE_NO_PAD.encode(header));
        let pbes2 = r#"{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2s":"AAAA","p2c":"#;
        for (text, why) in [
            ("hunter2".to_owned(), "is no file"),
            (jwe("hunter2"), "is no file"),
            (jwe(&format!("{pbes2}0}}")), "is no file"),
            (jwe(&format!("{pbes2}4000000000}}")), "is no file"),
            (jwe(&format!("{pbes2}1}}")), "is encrypted with another passphrase"),
            (jwe(r#"{"alg":"dir","enc":"A256GCM","p2s":"","p2c":1}"#), "is encrypted in a way"),
        ] {
            assert!(open_jwe(&text, "p").is_err_and(|error| error.starts_with(why)), "{text}");
        }
        let envelope = br#"{"v":1,"alg":"AES-256-GCM","iv":"AAAA","tag":"AAAA","ciphertext":"AAAA"}"#;
        for (envelope, key, why) in [
            (&b"hunter2"[..], "{}", "is not what wrangler writes"),
            (envelope, "hunter2", "has a key"),
            (envelope, r#"{"v":2,"key":"AAAA"}"#, "has a form"),
            (envelope, r#"{"v":1,"key":"AAAA"}"#, "does not go with its key"),
        ] {
            assert!(open_envelope(envelope, key.as_bytes()).is_err_and(|error| error.starts_with(why)));
        }
    }
}
