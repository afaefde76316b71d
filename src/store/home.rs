//! The folder in which everything is kept, and where in it what is (design §5).

use std::path::{Path, PathBuf};

use crate::profile::ProfileName;

/// `$ALCHEMY_HOME`, else `~/.alchemy`: the folder that the npm package uses.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    /// The folder is not the one of every program that asks for none in particular.
    pub is_another: bool,
}

impl Home {
    /// The folder by what the edge read: `ALCHEMY_HOME`, and the user's home.
    #[must_use]
    pub fn new(alchemy_home: Option<PathBuf>, user_home: &Path) -> Self {
        let usual = user_home.join(".alchemy");
        match alchemy_home {
            Some(root) => Self { is_another: root != usual, root },
            None => Self { root: usual, is_another: false },
        }
    }

    /// What is known about the profiles, apart from their secrets.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("config.json")
    }

    /// Version 1's credential documents.
    #[must_use]
    pub fn credentials(&self) -> PathBuf {
        self.root.join("credentials")
    }

    /// A profile's credential document in the file store. `name` may be one that only the npm package
    /// accepts; the caller has made sure that it stays inside.
    #[must_use]
    pub fn credential(&self, name: &str) -> PathBuf {
        self.credentials().join(name).join("cloudflare.json")
    }

    /// Version 2's profiles: one folder each.
    #[must_use]
    pub fn npm_profiles(&self) -> PathBuf {
        self.root.join("profiles")
    }

    /// A profile's document in the npm package's version 2.
    #[must_use]
    pub fn npm_document(&self, name: &ProfileName) -> PathBuf {
        self.npm_profiles().join(name.as_str()).join("cloudflare.json")
    }

    /// The lock of ours by that name. The npm package's own locks are folders beside it, called
    /// `cloudflare-<profile>` (version 1) or `<key>.lock` (version 2), so the names do not meet.
    #[must_use]
    pub fn lock(&self, name: &str) -> PathBuf {
        self.root.join("lock").join(name)
    }

    /// The lock that guards a profile's credential.
    #[must_use]
    pub fn credential_lock(&self, name: &ProfileName) -> PathBuf {
        self.lock("native").join(name.as_str())
    }
}
