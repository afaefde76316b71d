//! The folder in which everything is kept, and where in it what is (design §5).

use std::path::{Path, PathBuf};

use crate::digest::sha256_hex;
use crate::profile::ProfileName;

/// `$ALCHEMY_HOME`, else `~/.alchemy`: the folder that the npm package uses.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    /// The folder is not the one of every program that asks for none in particular.
    pub is_another: bool,
    /// `XDG_RUNTIME_DIR`, where something can be kept until the next login when the folder cannot be
    /// written.
    runtime: Option<PathBuf>,
}

impl Home {
    /// The folder by what the edge read: `ALCHEMY_HOME`, the user's home, and `XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn new(alchemy_home: Option<PathBuf>, user_home: &Path, runtime: Option<PathBuf>) -> Self {
        let usual = user_home.join(".alchemy");
        let runtime = runtime.filter(|folder| folder.is_absolute());
        match alchemy_home {
            Some(root) => Self { is_another: root != usual, root, runtime },
            None => Self { root: usual, is_another: false, runtime },
        }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is known about the profiles, apart from their secrets.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("config.json")
    }

    /// What restricts the profiles, by their names.
    #[must_use]
    pub fn marks(&self) -> PathBuf {
        self.root.join("marks.json")
    }

    /// Which directories use which profiles.
    #[must_use]
    pub fn bindings(&self) -> PathBuf {
        self.root.join("bindings.json")
    }

    /// Which pin files are trusted.
    #[must_use]
    pub fn trust(&self) -> PathBuf {
        self.root.join("trust.json")
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

    /// A profile's grant of another client than version 1's, which the npm package never opens.
    #[must_use]
    pub fn native_credential(&self, name: &str) -> PathBuf {
        self.credentials().join(name).join("native.json")
    }

    /// A profile's encrypted credential. It has a folder of its own: the npm package's version 2 moves
    /// `credentials` away when it migrates.
    #[must_use]
    pub fn encrypted(&self, name: &ProfileName) -> PathBuf {
        self.encrypted_folder().join(format!("{name}.age"))
    }

    /// The folder of all encrypted credentials.
    #[must_use]
    pub fn encrypted_folder(&self) -> PathBuf {
        self.root.join("encrypted")
    }

    /// Where a new pair of tokens goes that the store refuses, best first.
    #[must_use]
    pub fn rescues(&self, name: &ProfileName) -> Vec<PathBuf> {
        let folders = self.rescue_folders().into_iter();
        folders.map(|(folder, prefix)| folder.join(format!("{prefix}{name}"))).collect()
    }

    /// The folders of all rescue files, and what stands before a profile's name there.
    #[must_use]
    pub fn rescue_folders(&self) -> Vec<(PathBuf, &'static str)> {
        let usual = (self.root.join("rescue"), "");
        [Some(usual), self.runtime_folder().map(|folder| (folder, "rescue-"))].into_iter().flatten().collect()
    }

    /// The folder of this home in the runtime folder, where there is one: for when the home cannot be written.
    #[must_use]
    pub fn runtime_folder(&self) -> Option<PathBuf> {
        let mut id = sha256_hex(self.root.as_os_str().as_encoded_bytes());
        id.truncate(16);
        Some(self.runtime.as_ref()?.join("alchemy").join(id))
    }

    /// A file in it.
    fn in_runtime(&self, file: &str) -> Option<PathBuf> {
        Some(self.runtime_folder()?.join(file))
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

    /// What the npm package's version 2 caches of the account that a profile is signed in to.
    #[must_use]
    pub fn npm_state_store(&self, name: &ProfileName) -> PathBuf {
        self.credentials().join(name.as_str()).join("cloudflare-state-store.json")
    }

    /// What a person has settled once and for all.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.root.join("settings.toml")
    }

    /// Moves at every change of bindings, trust, profiles and credentials: see [`super::generation`].
    #[must_use]
    pub fn generation(&self) -> PathBuf {
        self.root.join("generation")
    }

    /// Moves at every change of a profile or of its credential.
    #[must_use]
    pub fn stamp(&self, name: &ProfileName) -> PathBuf {
        self.root.join("stamps").join(name.as_str())
    }

    /// The folder of all locks, the npm package's too.
    #[must_use]
    pub fn locks(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The lock of ours by that name. The npm package's own locks are folders beside it, called
    /// `cloudflare-<profile>` (version 1) or `<key>.lock` (version 2), so the names do not meet.
    #[must_use]
    pub fn lock(&self, name: &str) -> PathBuf {
        self.locks().join(name)
    }

    /// The lock that guards a profile's credential, and where it is when the home cannot be written.
    #[must_use]
    pub fn credential_lock(&self, name: &ProfileName) -> Vec<PathBuf> {
        let usual = self.lock("native").join(name.as_str());
        [Some(usual), self.in_runtime(&format!("lock-{name}"))].into_iter().flatten().collect()
    }
}
