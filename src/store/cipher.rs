//! Encrypting and decrypting a document with age (<https://age-encryption.org/v1>): to a passphrase, to an SSH
//! key, or to age's own identities. No file is written here, and nobody is asked.
//!
//! The format is age's binary one, so that `age -d` and `rage -d` open our files, and we theirs. Its words for
//! an error are never shown: they are in the language of the machine, and ours name what to do.

use std::io::{Read, Write};
use std::iter;
use std::path::Path;

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, IdentityFile, Recipient, scrypt, ssh, x25519};
use zeroize::Zeroizing;

use crate::disk::atomic::{self, Bytes};
use crate::error::{Error, Result, reason};
use crate::secret::Secret;

/// The work of scrypt for what we write, as a power of two: what `age` itself takes, about a second and 256 MiB.
const WORK: u8 = 18;
/// The most for what we read, 1 GiB: a file asks for it before it has shown that it is ours.
const MOST_WORK: u8 = 20;
/// Larger is no identity, whatever was named.
const LARGEST_IDENTITY: u64 = 64 * 1024;

/// Why something was not decrypted.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The passphrase is another one.
    Passphrase,
    /// Anything else, in words that follow the name of the file.
    Other(String),
}

/// The private half, as far as its file alone tells it.
pub(crate) enum Private {
    /// It can be used.
    Open(Vec<Box<dyn age::Identity>>),
    /// An SSH key that has a passphrase of its own.
    Locked(Box<ssh::EncryptedKey>),
}

/// Whether the bytes are encrypted to a passphrase.
pub(crate) fn needs_passphrase(bytes: &[u8]) -> Result<bool, Refused> {
    Ok(decryptor(bytes)?.is_scrypt())
}

fn decryptor(bytes: &[u8]) -> Result<Decryptor<&[u8]>, Refused> {
    Decryptor::new_buffered(bytes).map_err(|error| refused(&error))
}

fn refused(error: &DecryptError) -> Refused {
    Refused::Other(match error {
        DecryptError::DecryptionFailed | DecryptError::KeyDecryptionFailed => return Refused::Passphrase,
        DecryptError::ExcessiveWork { required, .. } => {
            format!("asks for 2^{required} steps of work, which is more than any honest one")
        }
        DecryptError::NoMatchingKeys => "is encrypted to another key".to_owned(),
        DecryptError::UnknownFormat => "is of a format of age that this alchemy does not know".to_owned(),
        DecryptError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            format!("is damaged ({})", reason(error))
        }
        _ => "is damaged, or is no age file".to_owned(),
    })
}

/// Decrypts with a passphrase.
pub(crate) fn open_with_passphrase(bytes: &[u8], passphrase: &Secret) -> Result<Bytes, Refused> {
    let mut identity = scrypt::Identity::new(secret_string(passphrase));
    identity.set_max_work_factor(MOST_WORK);
    open(bytes, iter::once(&identity as &dyn age::Identity))
}

/// Decrypts with whichever of the private keys fits.
pub(crate) fn open_with_identities(
    bytes: &[u8],
    identities: &[Box<dyn age::Identity>],
) -> Result<Bytes, Refused> {
    open(bytes, identities.iter().map(AsRef::as_ref)).map_err(|refused| match refused {
        Refused::Passphrase => Refused::Other("is damaged".to_owned()),
        other @ Refused::Other(_) => other,
    })
}

fn open<'a>(bytes: &[u8], identities: impl Iterator<Item = &'a dyn age::Identity>) -> Result<Bytes, Refused> {
    let mut reader = decryptor(bytes)?.decrypt(identities).map_err(|error| refused(&error))?;
    // Never longer than the file, so that no growing buffer leaves unwiped copies behind.
    let mut document = Zeroizing::new(Vec::with_capacity(bytes.len()));
    match reader.read_to_end(&mut document) {
        Ok(_) => Ok(document),
        Err(_) => Err(Refused::Other("is damaged".to_owned())),
    }
}

/// Encrypts to a passphrase.
///
/// Fails when age refuses.
pub(crate) fn seal_with_passphrase(document: &[u8], passphrase: &Secret) -> Result<Vec<u8>> {
    let mut recipient = scrypt::Recipient::new(secret_string(passphrase));
    recipient.set_work_factor(WORK);
    seal(document, iter::once(&recipient as &dyn Recipient))
}

/// Encrypts to public keys.
///
/// Fails when one of them is none, or age refuses.
pub(crate) fn seal_to(document: &[u8], recipients: &[String]) -> Result<Vec<u8>> {
    let recipients = recipients.iter().map(|text| recipient(text)).collect::<Result<Vec<_>>>()?;
    seal(document, recipients.iter().map(AsRef::as_ref))
}

fn recipient(text: &str) -> Result<Box<dyn Recipient>> {
    if let Ok(recipient) = text.parse::<x25519::Recipient>() {
        return Ok(Box::new(recipient));
    }
    match text.parse::<ssh::Recipient>() {
        Ok(recipient) => Ok(Box::new(recipient)),
        Err(_) => Err(Error::new(format!("'{text}' is no public key that can be encrypted to"))
            .hint("name the file of the private key again: alchemy configure -p PROFILE --identity PATH")),
    }
}

fn seal<'a>(document: &[u8], recipients: impl Iterator<Item = &'a dyn Recipient>) -> Result<Vec<u8>> {
    let encryptor = Encryptor::with_recipients(recipients)
        .map_err(|_| Error::new("cannot encrypt: there is nothing to encrypt to"))?;
    let write = || -> std::io::Result<Vec<u8>> {
        let mut writer = encryptor.wrap_output(Vec::with_capacity(document.len() + 1024))?;
        writer.write_all(document)?;
        writer.finish()
    };
    write().map_err(|error| Error::new(format!("cannot encrypt: {}", reason(&error))))
}

fn secret_string(secret: &Secret) -> SecretString {
    SecretString::from(secret.expose().to_owned())
}

/// What is in the file of private keys.
///
/// Fails when it cannot be read, or holds none that can be used.
pub(crate) fn private(path: &Path) -> Result<Private> {
    let bytes = read_identity(path)?;
    if is_age_identity(&bytes) {
        let identities = age_identities(path, &bytes)?.into_identities();
        let identities = identities.map_err(|_| unusable(path, "holds no identity"))?;
        let plain = |identity: Box<dyn age::Identity + Send + Sync>| identity as Box<dyn age::Identity>;
        return Ok(Private::Open(identities.into_iter().map(plain).collect()));
    }
    match ssh_identity(path, &bytes)? {
        ssh::Identity::Encrypted(key) => Ok(Private::Locked(Box::new(key))),
        identity => Ok(Private::Open(vec![Box::new(identity)])),
    }
}

/// Opens an SSH key with its own passphrase.
pub(crate) fn unlock(
    key: &ssh::EncryptedKey,
    passphrase: &Secret,
) -> Result<Box<dyn age::Identity>, Refused> {
    let key = key.decrypt(secret_string(passphrase)).map_err(|_| Refused::Passphrase)?;
    Ok(Box::new(ssh::Identity::from(key)))
}

/// The public halves of what is in a file of private keys.
pub(crate) fn recipients(path: &Path) -> Result<Vec<String>> {
    let bytes = read_identity(path)?;
    if !is_age_identity(&bytes) {
        let recipient = ssh::Recipient::try_from(ssh_identity(path, &bytes)?);
        let recipient = recipient.map_err(|_| unusable(path, "is a key that nothing can be encrypted to"))?;
        return Ok(vec![recipient.to_string()]);
    }
    let mut text = Vec::new();
    age_identities(path, &bytes)?
        .write_recipients_file(&mut text)
        .map_err(|_| unusable(path, "holds no identity"))?;
    Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
}

fn read_identity(path: &Path) -> Result<Bytes> {
    let too_large = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > LARGEST_IDENTITY);
    if too_large {
        return Err(unusable(path, "is too large for one"));
    }
    atomic::read(path)?.ok_or_else(|| unusable(path, "does not exist"))
}

fn is_age_identity(bytes: &[u8]) -> bool {
    !bytes.starts_with(b"-----BEGIN ")
}

fn age_identities(path: &Path, bytes: &[u8]) -> Result<IdentityFile<age::NoCallbacks>> {
    // The library names the line and not what is on it; we do not say more.
    IdentityFile::from_buffer(bytes).map_err(|_| unusable(path, "is neither an SSH key nor an age identity"))
}

fn ssh_identity(path: &Path, bytes: &[u8]) -> Result<ssh::Identity> {
    match ssh::Identity::from_buffer(bytes, None) {
        Ok(ssh::Identity::Unsupported(key)) => Err(unusable(
            path,
            match key {
                ssh::UnsupportedKey::Hardware(_) => "is on a hardware key, which age cannot use",
                ssh::UnsupportedKey::EncryptedPem | ssh::UnsupportedKey::EncryptedSsh(_) => {
                    "is encrypted in a way that age cannot read"
                }
                ssh::UnsupportedKey::Type(_) => "is an SSH key of a kind that age cannot use",
            },
        )),
        Ok(identity) => Ok(identity),
        Err(_) => Err(unusable(path, "is neither an SSH key nor an age identity")),
    }
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::new(format!("the identity {} {why}", path.display())).hint(
        "give the file of an ssh-ed25519 or ssh-rsa key, or one that age-keygen has made: --identity PATH",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    #[test]
    fn what_is_sealed_opens_with_its_passphrase_alone() {
        let sealed = seal_with_passphrase(b"hunter2", &secret("right")).expect("sealed");
        assert!(sealed.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        assert!(needs_passphrase(&sealed).expect("age"));
        assert_eq!(open_with_passphrase(&sealed, &secret("right")).expect("opened").as_slice(), b"hunter2");
        assert!(matches!(open_with_passphrase(&sealed, &secret("wrong")), Err(Refused::Passphrase)));
    }

    #[test]
    fn what_is_damaged_or_asks_for_too_much_is_told_from_a_wrong_passphrase() {
        let identity = x25519::Identity::generate();
        let recipients = [identity.to_public().to_string()];
        let sealed = seal_to(b"hunter2", &recipients).expect("sealed");
        let identities: [Box<dyn age::Identity>; 1] = [Box::new(identity)];
        assert_eq!(open_with_identities(&sealed, &identities).expect("opened").as_slice(), b"hunter2");
        let other: [Box<dyn age::Identity>; 1] = [Box::new(x25519::Identity::generate())];
        let why = |refused: Result<Bytes, Refused>| match refused {
            Err(Refused::Other(why)) => why,
            _ => panic!("refused for another reason"),
        };
        assert_eq!(why(open_with_identities(&sealed, &other)), "is encrypted to another key");
        for cut in [0, 10, 60, sealed.len() - 1] {
            let why = why(open_with_identities(&sealed[..cut], &identities));
            assert!(why.starts_with("is damaged"), "{cut}: {why}");
        }
        let greedy = b"age-encryption.org/v1\n-> scrypt AAAAAAAAAAAAAAAAAAAAAA 40\n\
            AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\
            --- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n0123456789abcdef0123456789abcdef";
        let why = why(open_with_passphrase(greedy, &secret("any")));
        assert_eq!(why, "asks for 2^40 steps of work, which is more than any honest one");
    }
}
