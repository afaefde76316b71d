//! The macOS login keychain: `apple-native-keyring-store`, and whether it may ask a person.

use std::error::Error as StdError;
use std::sync::Arc;

use apple_native_keyring_store::keychain::{Cred, MacKeychainDomain, Store};
use keyring_core::{Error, Result};
use security_framework::os::macos::keychain::SecKeychain;

use super::platform::{Platform, Unlock};
use super::session_bus::SessionBus;

/// The store and its probe. That the keychain is locked shows only when it is written to, so the
/// probe writes an entry of its own and deletes it.
pub(super) fn open(_: &SessionBus, unlock: Unlock) -> Result<Platform> {
    let entry = Cred::build(MacKeychainDomain::User, "alchemy-cli probe", "probe")?;
    // No dialog in this process for as long as this value lives.
    let quiet = match unlock {
        Unlock::Never => SecKeychain::disable_user_interaction().map(Some),
        Unlock::Dialog => Ok(None),
    };
    let quiet = quiet.map_err(|e| Error::PlatformFailure(Box::new(e)))?;
    let probe = move || {
        let _kept = &quiet;
        entry.set_secret(b"probe")?;
        entry.delete_credential()
    };
    Ok((Store::new()?, Arc::new(probe)))
}

/// Whether a person at a dialog would mend it: `errSecInteractionNotAllowed`, `errSecAuthFailed`,
/// `errSecUserCanceled` (`SecBase.h`), which the store takes for failures.
pub(super) fn needs_person(error: &(dyn StdError + Send + Sync + 'static)) -> bool {
    let error = error.downcast_ref::<security_framework::base::Error>();
    matches!(error.map(|e| e.code()), Some(-25308 | -25293 | -128))
}
