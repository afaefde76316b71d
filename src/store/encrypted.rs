//! The store `encrypted`: one age file a profile, in `encrypted/`, and how it is opened.
//!
//! A passphrase is asked for before any lock is taken, and once: the process remembers it, because a refresh
//! reads the document again and encrypts the next one; the kernel keeps it for other processes for as long as
//! the person has settled ([`crate::keyring::kernel_keyring`]).

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::path::Path;

use super::Store;
use super::cipher::{self, Private, Refused};
use super::credential::Document;
use crate::digest::sha256_hex;
use crate::disk::atomic::{Bytes, Changed};
use crate::disk::generation;
use crate::disk::trusted::{self, Reading};
use crate::error::{Error, Kind, Result};
use crate::keyring::kernel_keyring::{self, Kept};
use crate::profile::{Encryption, Profile, ProfileName, StoreKind};
use crate::secret::Secret;

/// How often a person may type a passphrase.
const TRIES: usize = 3;
/// How a passphrase is given without a question.
const GIVEN_BY: &str = "ALCHEMY_PASSPHRASE_FD or ALCHEMY_PASSPHRASE_COMMAND";

/// What this process has learned of encrypted documents.
#[derive(Default)]
pub(super) struct Opened {
    /// The passphrase that was given in advance, and by what; it can be read once.
    given: OnceCell<Result<Option<(Secret, &'static str)>>>,
    of: RefCell<HashMap<ProfileName, Known>>,
}

#[derive(Default)]
struct Known {
    passphrase: Option<Secret>,
    /// The document, and the SHA-256 of its file.
    document: Option<(String, Bytes)>,
}

impl Store<'_> {
    /// The document, decrypted. `may_ask`: no lock is held that others wait for.
    pub(super) fn read_encrypted(
        &self,
        name: &ProfileName,
        encryption: &Encryption,
        may_ask: bool,
    ) -> Result<Option<Document>> {
        let path = self.home.encrypted(name);
        let shown = path.display().to_string();
        let reading = Reading::Secret { waits: self.access.may_ask && may_ask };
        let Some(bytes) = trusted::read(self.home, &path, reading)? else { return Ok(None) };
        let digest = sha256_hex(&*bytes);
        let parse = |document: &Bytes| {
            Document::parse(document, &shown).map(Some).map_err(|error| error.hint(mend(name)))
        };
        if let Some(document) = self.known_document(name, &path, &digest) {
            return parse(&document);
        }
        let document = self.decrypt(name, encryption, &shown, &bytes, may_ask)?;
        let parsed = parse(&document)?;
        self.remember(name, encryption, &digest, &document);
        Ok(parsed)
    }

    /// What is known already of the file with this digest: in this process, or in the kernel.
    fn known_document(&self, name: &ProfileName, path: &Path, digest: &str) -> Option<Bytes> {
        let mut opened = self.opened.of.borrow_mut();
        let known = opened.entry(name.clone()).or_default();
        if let Some((of, document)) = &known.document
            && of == digest
        {
            return Some(document.clone());
        }
        let kept = kernel_keyring::find(path)?;
        // Also that of an older file, as long as it opens this one.
        known.passphrase = known.passphrase.take().or(kept.passphrase);
        if kept.digest != digest {
            return None;
        }
        known.document = Some((kept.digest, kept.document.clone()));
        Some(kept.document)
    }

    /// Whether the document can be had without waiting for a person, or is known not to be there.
    pub(crate) fn is_open(&self, profile: &Profile) -> bool {
        let StoreKind::Encrypted(encryption) = &profile.store else { return false };
        if opens_by_itself(encryption) {
            return true;
        }
        let path = self.home.encrypted(&profile.name);
        let bytes = trusted::read(self.home, &path, Reading::Secret { waits: false }).ok().flatten();
        bytes.is_none_or(|bytes| self.known_document(&profile.name, &path, &sha256_hex(&*bytes)).is_some())
    }

    /// Decrypts what is encrypted for a profile; `what` is its file, for the messages.
    fn decrypt(
        &self,
        name: &ProfileName,
        encryption: &Encryption,
        what: &str,
        bytes: &[u8],
        may_ask: bool,
    ) -> Result<Bytes> {
        let damaged = |why: &str| Error::new(format!("{what} {why}")).hint(mend(name));
        let other = |refused: Refused| match refused {
            Refused::Other(why) => damaged(&why).retold(Kind::NoCredential, format!("{what} {why}")),
            Refused::Passphrase => damaged("is encrypted to another key"),
        };
        if cipher::needs_passphrase(bytes).map_err(other)? {
            let open = |passphrase: &Secret| cipher::open_with_passphrase(bytes, passphrase);
            return self.with_passphrase(name, &format!("profile '{name}'"), what, may_ask, open);
        }
        let Encryption::Identity { path, .. } = encryption else {
            return Err(damaged("is encrypted to a key, and its profile knows of a passphrase only"));
        };
        match cipher::private(path)? {
            Private::Open(identities) => cipher::open_with_identities(bytes, &identities).map_err(other),
            Private::Locked(key) => {
                let shown = path.display().to_string();
                let open = |passphrase: &Secret| cipher::unlock(&key, passphrase);
                let identity = self.with_passphrase(name, &shown, &shown, may_ask, open)?;
                cipher::open_with_identities(bytes, &[identity]).map_err(other)
            }
        }
    }

    /// Opens something by a passphrase: one that is known, was given in advance, or is asked for.
    fn with_passphrase<T>(
        &self,
        name: &ProfileName,
        whose: &str,
        what: &str,
        may_ask: bool,
        open: impl Fn(&Secret) -> Result<T, Refused>,
    ) -> Result<T> {
        let wrong = |why: &str| Error::new(format!("{what} {why}")).hint(mend(name));
        let known = self.opened.of.borrow().get(name).and_then(|known| known.passphrase.clone());
        if let Some(passphrase) = known {
            match open(&passphrase) {
                Ok(opened) => return Ok(opened),
                Err(Refused::Other(why)) => return Err(wrong(&why)),
                // It was changed meanwhile, and what the kernel keeps is of no use any more.
                Err(Refused::Passphrase) => drop(self.forget_opened(name)),
            }
        }
        if let Some((passphrase, by)) = self.given_passphrase()? {
            let opened = open(&passphrase).map_err(|refused| match refused {
                Refused::Other(why) => wrong(&why),
                Refused::Passphrase => Error::new(format!("the passphrase by {by} is not that of {whose}"))
                    .hint(format!("unset {by} to be asked for it")),
            })?;
            self.learn(name, passphrase);
            return Ok(opened);
        }
        if !self.access.may_ask || !may_ask {
            return Err(Error::new(format!(
                "the credential of profile '{name}' is locked: nobody can be asked for its passphrase here"
            ))
            .hint(format!("unlock it for a while: alchemy unlock {name}; or set {GIVEN_BY}")));
        }
        for left in (0..TRIES).rev() {
            let passphrase = self.access.person.ask(&format!("passphrase of {whose}:"), GIVEN_BY)?;
            match open(&passphrase) {
                Ok(opened) => {
                    self.learn(name, passphrase);
                    return Ok(opened);
                }
                Err(Refused::Other(why)) => return Err(wrong(&why)),
                Err(Refused::Passphrase) if left > 0 => {
                    self.messages.say(&format!("that is not the passphrase of {whose}; try again"));
                }
                Err(Refused::Passphrase) => {}
            }
        }
        Err(Error::new(format!("that is not the passphrase of {whose}, {TRIES} times")).hint(format!(
            "one that is lost cannot be found again; to set the profile up anew: alchemy configure -p {name} \
             --store encrypted"
        )))
    }

    fn given_passphrase(&self) -> Result<Option<(Secret, &'static str)>> {
        self.opened.given.get_or_init(|| self.access.person.given_passphrase(self.access.may_ask)).clone()
    }

    fn learn(&self, name: &ProfileName, passphrase: Secret) {
        self.opened.of.borrow_mut().entry(name.clone()).or_default().passphrase = Some(passphrase);
    }

    /// Remembers a document that is in the file with this digest now, here and in the kernel.
    fn remember(&self, name: &ProfileName, encryption: &Encryption, digest: &str, document: &Bytes) {
        let mut opened = self.opened.of.borrow_mut();
        let known = opened.entry(name.clone()).or_default();
        known.document = Some((digest.to_owned(), document.clone()));
        let passphrase = known.passphrase.clone();
        drop(opened);
        let path = self.home.encrypted(name);
        let before = kernel_keyring::find(&path);
        if passphrase.is_none() && before.is_none() {
            return; // a key that opens without a passphrase opens the file again just as well
        }
        let passphrase = passphrase.filter(|_| *encryption == Encryption::Passphrase);
        let keep = match self.access.person.keep() {
            Ok(keep) => keep,
            Err(error) => return self.messages.say(&format!("the passphrase is not kept: {error}")),
        };
        if keep.is_zero() {
            kernel_keyring::forget(&path);
            return;
        }
        let until = kernel_keyring::until(keep);
        let is_new = before.is_none();
        let until = before.map_or(until, |before| before.until.min(until));
        let kept = Kept { digest: digest.to_owned(), document: document.clone(), passphrase, until };
        if !kernel_keyring::keep(&path, &kept) {
            self.messages
                .verbose("the kernel's keyring does not keep the passphrase; it is asked for each time");
        } else if is_new {
            generation::moved(self.home, &[name]); // for a hook that could not ask
        }
    }

    /// Forgets what this process and the kernel know of a profile's document; whether the kernel kept any.
    pub(crate) fn forget_opened(&self, name: &ProfileName) -> bool {
        self.opened.of.borrow_mut().remove(name);
        kernel_keyring::forget(&self.home.encrypted(name))
    }

    /// Has a new passphrase chosen for a profile: the one given in advance, else one that is typed twice.
    ///
    /// Fails when nobody can be asked, it is empty, or two different ones are typed.
    pub(crate) fn choose_passphrase(&self, name: &ProfileName) -> Result<()> {
        let passphrase = match self.given_passphrase()? {
            Some((passphrase, _)) => passphrase,
            None if !self.access.may_ask => {
                return Err(Error::new(format!(
                    "nobody can be asked for a new passphrase of profile '{name}'"
                ))
                .hint(format!("give it by {GIVEN_BY}")));
            }
            None => {
                let ask = |question: String| self.access.person.ask(&question, GIVEN_BY);
                let passphrase = ask(format!("new passphrase of profile '{name}':"))?;
                if !passphrase.expose().is_empty() && ask("the same again:".to_owned())? != passphrase {
                    return Err(Error::new("the two passphrases are not the same; nothing was changed")
                        .hint(
                            "type it twice, or let a password manager give it: ALCHEMY_PASSPHRASE_COMMAND",
                        ));
                }
                passphrase
            }
        };
        if passphrase.expose().is_empty() {
            return Err(Error::new("the passphrase is empty; nothing was changed").hint("choose another"));
        }
        self.forget_opened(name);
        self.learn(name, passphrase);
        Ok(())
    }

    /// Makes sure that a document can be encrypted later without asking.
    pub(super) fn ready_to_encrypt(&self, name: &ProfileName, encryption: &Encryption) -> Result<()> {
        if let Encryption::Identity { recipients, .. } = encryption {
            return cipher::seal_to(b"", recipients).map(drop);
        }
        let is_known = || self.opened.of.borrow().get(name).is_some_and(|known| known.passphrase.is_some());
        if is_known() {
            return Ok(());
        }
        // The one that it has stays, unless it has none.
        self.read_encrypted(name, encryption, true)?;
        if is_known() { Ok(()) } else { self.choose_passphrase(name) }
    }

    /// Encrypts a document for a profile.
    pub(super) fn encrypt(
        &self,
        name: &ProfileName,
        encryption: &Encryption,
        document: &[u8],
    ) -> Result<Vec<u8>> {
        match encryption {
            Encryption::Identity { recipients, .. } => cipher::seal_to(document, recipients),
            Encryption::Passphrase => {
                let known = self.opened.of.borrow().get(name).and_then(|known| known.passphrase.clone());
                let passphrase =
                    known.ok_or_else(|| Error::new(format!("no passphrase of profile '{name}' is known")))?;
                cipher::seal_with_passphrase(document, &passphrase)
            }
        }
    }

    /// Encrypts a document and has `write` put it into the profile's file.
    pub(super) fn write_encrypted(
        &self,
        name: &ProfileName,
        encryption: &Encryption,
        document: &Bytes,
        write: impl FnOnce(&[u8]) -> Result<Changed>,
    ) -> Result<()> {
        let sealed = self.encrypt(name, encryption, document)?;
        write(&sealed)?.say(self.messages);
        self.remember(name, encryption, &sha256_hex(&sealed), document);
        Ok(())
    }

    /// Decrypts what waits in a rescue file.
    pub(super) fn decrypt_rescued(
        &self,
        name: &ProfileName,
        encryption: &Encryption,
        shown: &str,
        bytes: &[u8],
    ) -> Result<Bytes> {
        self.decrypt(name, encryption, shown, bytes, true)
    }
}

/// What to do about a file that is no good.
fn mend(name: &ProfileName) -> String {
    format!(
        "bring back a copy of it, or set the profile up again: alchemy configure -p {name} --store encrypted"
    )
}

/// Whether it takes no passphrase to decrypt: the key lies in its file as it is.
pub(crate) fn opens_by_itself(encryption: &Encryption) -> bool {
    let Encryption::Identity { path, .. } = encryption else { return false };
    matches!(cipher::private(path), Ok(Private::Open(_)))
}
