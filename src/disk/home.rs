//! The folder in which everything is kept, and where in it what is (design §5).

use std::path::{Path, PathBuf};

use super::trust::{Looking, Trust};
use crate::digest::sha256_hex;
use crate::profile::ProfileName;
use crate::terminal::Messages;

/// Our files and npm's in the folder. What else somebody keeps there is their own.
const FILES: [&str; 6] =
    ["config.json", "marks.json", "bindings.json", "trust.json", "settings.toml", "generation"];
/// Our folders and npm's, with all that is in them.
const FOLDERS: [&str; 6] = ["stamps", "credentials", "profiles", "encrypted", "rescue", "lock"];
/// What npm keeps there for itself, which is none of our business.
const NPMS_OWN: [&str; 4] = ["id", "telemetry-disabled", "profiles.json", "logs"];

/// `$ALCHEMY_HOME`, else `~/.alchemy`: the folder that the npm package uses.
#[derive(Debug, Clone)]
pub struct Home {
    root: PathBuf,
    /// The folder is not the one of every program that asks for none in particular.
    pub is_another: bool,
    /// `XDG_RUNTIME_DIR`, where something can be kept until the next login when the folder cannot be
    /// written.
    runtime: Option<PathBuf>,
    trust: Trust,
}

impl Home {
    /// The folder by what the edge read: `ALCHEMY_HOME`, the user's home, and `XDG_RUNTIME_DIR`.
    pub fn new(alchemy_home: Option<PathBuf>, user_home: &Path, runtime: Option<PathBuf>) -> Self {
        let usual = user_home.join(".alchemy");
        let runtime = runtime.filter(|folder| folder.is_absolute());
        let trust = Trust::new(None);
        match alchemy_home {
            Some(root) => Self { is_another: root != usual, root, runtime, trust },
            None => Self { root: usual, is_another: false, runtime, trust },
        }
    }

    /// The folder, in which a mode is tightened where it is too loose and ours to set; that is said.
    pub fn tightening(self, messages: Messages) -> Self {
        Self { trust: Trust::new(Some(messages)), ..self }
    }

    /// Has no mode tightened for as long as the value lives.
    pub fn look_only(&self) -> Looking<'_> {
        self.trust.look_only()
    }

    /// What is known of who owns it.
    pub(super) fn trusts(&self) -> &Trust {
        &self.trust
    }

    /// Whether something is the folder itself, or ours or npm's by its name and place.
    pub fn holds(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.root) else { return false };
        let mut names = below.iter().map(|name| name.to_str().unwrap_or_default());
        match (names.next(), names.next()) {
            (None, _) => true,
            (Some(name), None) if FILES.contains(&name) => true,
            (Some(name), None) if written_to(name).is_some_and(|target| FILES.contains(&target)) => true,
            // The last is where npm's version 2 moves version 1's credentials (§3.3).
            (Some(folder), _) => FOLDERS.contains(&folder) || folder.starts_with(".profiles-v0-"),
        }
    }

    /// Whether something may lie in the folder that is for nothing but what we and npm keep.
    pub(super) fn may_hold(&self, path: &Path) -> bool {
        let npms = path.strip_prefix(&self.root).ok().and_then(Path::to_str);
        self.holds(path) || npms.is_some_and(|name| NPMS_OWN.contains(&name))
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What is known about the profiles, apart from their secrets.
    pub fn config(&self) -> PathBuf {
        self.root.join("config.json")
    }

    /// What restricts the profiles, by their names.
    pub fn marks(&self) -> PathBuf {
        self.root.join("marks.json")
    }

    /// Which directories use which profiles.
    pub fn bindings(&self) -> PathBuf {
        self.root.join("bindings.json")
    }

    /// Which pin files are trusted.
    pub fn trust(&self) -> PathBuf {
        self.root.join("trust.json")
    }

    /// Version 1's credential documents.
    pub fn credentials(&self) -> PathBuf {
        self.root.join("credentials")
    }

    /// A profile's credential document in the file store. `name` may be one that only the npm package
    /// accepts; the caller has made sure that it stays inside.
    pub fn credential(&self, name: &str) -> PathBuf {
        self.credentials().join(name).join("cloudflare.json")
    }

    /// A profile's grant of another client than version 1's, which the npm package never opens.
    pub fn native_credential(&self, name: &str) -> PathBuf {
        self.credentials().join(name).join("native.json")
    }

    /// A profile's encrypted credential. It has a folder of its own: the npm package's version 2 moves
    /// `credentials` away when it migrates.
    pub fn encrypted(&self, name: &ProfileName) -> PathBuf {
        self.encrypted_folder().join(format!("{name}.age"))
    }

    /// The folder of all encrypted credentials.
    pub fn encrypted_folder(&self) -> PathBuf {
        self.root.join("encrypted")
    }

    /// Where a new pair of tokens goes that the store refuses, best first.
    pub fn rescues(&self, name: &ProfileName) -> Vec<PathBuf> {
        let (usual, in_runtime) = self.rescue_names(name);
        let in_runtime = in_runtime.filter(|_| self.counts_runtime());
        [Some(usual), in_runtime].into_iter().flatten().collect()
    }

    /// The folders of all rescue files, and what stands before a profile's name there.
    pub fn rescue_folders(&self) -> Vec<(PathBuf, &'static str)> {
        let usual = (self.root.join("rescue"), "");
        [Some(usual), self.runtime_folder().map(|folder| (folder, "rescue-"))].into_iter().flatten().collect()
    }

    /// Whether something may wait in one of them: a question that costs no more than a look.
    pub fn may_have_rescued(&self, name: &ProfileName) -> bool {
        let (usual, in_runtime) = self.rescue_names(name);
        usual.exists() || in_runtime.is_some_and(|path| path.exists() && self.counts_runtime())
    }

    fn rescue_names(&self, name: &ProfileName) -> (PathBuf, Option<PathBuf>) {
        (self.root.join("rescue").join(name.as_str()), self.in_runtime(&format!("rescue-{name}")))
    }

    /// The folder of this home in the runtime folder, where there is one that counts: for when the home cannot be
    /// written.
    pub fn runtime_folder(&self) -> Option<PathBuf> {
        self.in_runtime("").filter(|_| self.counts_runtime())
    }

    /// A file in it.
    fn in_runtime(&self, file: &str) -> Option<PathBuf> {
        let mut id = sha256_hex(self.root.as_os_str().as_encoded_bytes());
        id.truncate(16);
        Some(self.runtime.as_ref()?.join("alchemy").join(id).join(file))
    }

    fn counts_runtime(&self) -> bool {
        self.runtime.as_deref().is_some_and(|folder| self.trust.counts_runtime(folder))
    }

    /// Version 2's profiles: one folder each.
    pub fn npm_profiles(&self) -> PathBuf {
        self.root.join("profiles")
    }

    /// A profile's document in the npm package's version 2.
    pub fn npm_document(&self, name: &ProfileName) -> PathBuf {
        self.npm_profiles().join(name.as_str()).join("cloudflare.json")
    }

    /// What the npm package's version 2 caches of the account that a profile is signed in to.
    pub fn npm_state_store(&self, name: &ProfileName) -> PathBuf {
        self.credentials().join(name.as_str()).join("cloudflare-state-store.json")
    }

    /// What a person has settled once and for all.
    pub fn settings(&self) -> PathBuf {
        self.root.join("settings.toml")
    }

    /// Moves at every change of bindings, trust, profiles and credentials: see [`super::generation`].
    pub fn generation(&self) -> PathBuf {
        self.root.join("generation")
    }

    /// Moves at every change of a profile or of its credential.
    pub fn stamp(&self, name: &ProfileName) -> PathBuf {
        self.root.join("stamps").join(name.as_str())
    }

    /// The folder of all locks, the npm package's too.
    pub fn locks(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The lock of ours by that name. The npm package's own locks are folders beside it, called
    /// `cloudflare-<profile>` (version 1) or `<key>.lock` (version 2), so the names do not meet.
    pub fn lock(&self, name: &str) -> PathBuf {
        self.locks().join(name)
    }

    /// The lock that guards a profile's credential, and where it is when the home cannot be written.
    pub fn credential_lock(&self, name: &ProfileName) -> Vec<PathBuf> {
        let usual = self.lock("native").join(name.as_str());
        let in_runtime = self.in_runtime(&format!("lock-{name}")).filter(|_| self.counts_runtime());
        [Some(usual), in_runtime].into_iter().flatten().collect()
    }
}

/// The file for which a temporary one stands beside it: ours is `.FILE.RANDOM.tmp`, and that of npm's version
/// 2 is `FILE.json.PID.RANDOM.tmp` (`facts/alchemy-npm.md` §3.2).
pub(crate) fn written_to(name: &str) -> Option<&str> {
    let (rest, random) = name.strip_suffix(".tmp")?.rsplit_once('.')?;
    if random.is_empty() || !random.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return None;
    }
    if let Some(target) = rest.strip_prefix('.') {
        return (!target.is_empty()).then_some(target);
    }
    let (target, pid) = rest.rsplit_once('.')?;
    let is_npms = pid.parse::<u32>().is_ok() && Path::new(target).extension().is_some_and(|it| it == "json");
    is_npms.then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_told_by_its_name_and_place() {
        let home = Home::new(Some("/h".into()), Path::new("/"), None);
        for (below, expected) in [
            ("", true),
            ("config.json", true),
            (".config.json.AbC123.tmp", true),
            (".config.json.aside.tmp", true),
            ("config.json.123.ab-c1.tmp", true),
            ("credentials/prod/cloudflare.json", true),
            ("lock/native/prod", true),
            (".profiles-v0-1/credentials/prod/cloudflare.json", true),
            ("bin/tool", false),
            ("notes.tmp", false),
            (".notes.AbC123.tmp", false),
            ("config.json.bak", false),
            ("x/config.json", false),
        ] {
            assert_eq!(home.holds(&Path::new("/h").join(below)), expected, "{below}");
        }
    }

    #[test]
    fn a_temporary_file_is_told_by_a_name_that_only_a_write_gives() {
        for (name, expected) in [
            (".cloudflare.json.x1Y.tmp", Some("cloudflare.json")),
            (".prod.age.aside.tmp", Some("prod.age")),
            ("cloudflare.json.4711.k3j2h1.tmp", Some("cloudflare.json")),
            ("cloudflare.json.pid.k3j2h1.tmp", None),
            ("notes.tmp", None),
            ("notes.4711.x.tmp", None),
            (".notes.tmp", None),
            ("..x.tmp", None),
            (".cloudflare.json.x.tmp.bak", None),
        ] {
            assert_eq!(written_to(name), expected, "{name}");
        }
    }
}
