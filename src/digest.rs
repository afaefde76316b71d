//! SHA-256 as text: what stands for a content, or is made from a token, where it must not stand itself.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The SHA-256 of the bytes, in lower-case hexadecimal digits.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
