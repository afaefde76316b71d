//! A release made by `packaging/release`, of the sources as they are, in a clean checkout of its own.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Home, Output, VERSION, given, has, run};

/// Where the files would be downloaded from.
pub const URL: &str = "https://downloads.example.org/alchemy";
/// What a release is called with.
const ARGUMENTS: [&str; 4] =
    ["--url", URL, "--maintainer", "alchemy authors <release@downloads.example.org>"];

/// A checkout in which everything is committed: the files of the real one, as they are now.
pub struct Checkout {
    home: Home,
    tools: PathBuf,
}

impl Checkout {
    /// `None` where what makes packages is not installed, which is said.
    pub fn new() -> Option<Self> {
        let tools = given("ALCHEMY_TEST_CARGO_TOOLS")?;
        if !has("npm") || !has("git") {
            return None;
        }
        let this = Self { home: Home::new(), tools };
        fs::create_dir(this.path("")).expect("a folder");
        let copy = "git ls-files -z --cached --others --exclude-standard --deduplicate |
            xargs -0 sh -c 'for file; do [ ! -e \"$file\" ] || printf \"%s\\0\" \"$file\"; done' sh |
            tar --create --null --files-from=- | tar --extract --directory=\"$0\"";
        let mut copy_all = this.command("sh");
        copy_all.args(["-c", copy]).arg(this.path("")).current_dir(super::PROJECT);
        run(&mut copy_all).expect_code(0);
        this.git(&["init", "--quiet"]);
        this.commit();
        Some(this)
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.home.path().join("checkout").join(below)
    }

    /// Commits everything. The same files are the same commit.
    pub fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message=all", "--date=@1750000000 +0000"]);
    }

    fn git(&self, arguments: &[&str]) {
        run(self.command("git").args(arguments)).expect_code(0);
    }

    fn command(&self, program: &str) -> Command {
        let path = format!("{}:{}", self.tools.display(), std::env::var("PATH").expect("PATH"));
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            // Cargo tells a test about the package that it belongs to.
            let ours = [&b"CARGO_PKG"[..], b"CARGO_MANIFEST", b"CARGO_BIN", b"GIT_"];
            if ours.iter().any(|prefix| name.as_bytes().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        command
            .env("PATH", path)
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_COMMITTER_DATE", "@1750000000 +0000")])
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "A Person")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "person@example.org")))
            .current_dir(self.path(""));
        command
    }

    /// Runs `packaging/release` with these arguments besides those that it needs. The program is built for speed of
    /// building, in a folder that is kept.
    pub fn release(&self, arguments: &[&str]) -> Output {
        let mut command = self.command("packaging/release");
        command
            .args(ARGUMENTS)
            .args(arguments)
            .env("CARGO_TARGET_DIR", target())
            .envs([("CARGO_PROFILE_RELEASE_LTO", "off"), ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")])
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        run(&mut command)
    }
}

/// Where the release is built.
pub fn target() -> PathBuf {
    Path::new(env!("ALCHEMY_TEMPORARY")).join("release")
}

/// The files of a release, made once for all tests of the process.
pub struct Release {
    checkout: Checkout,
}

impl Release {
    pub fn made() -> Option<&'static Self> {
        static MADE: OnceLock<Option<Release>> = OnceLock::new();
        let make = || {
            let checkout = Checkout::new()?;
            checkout.release(&["--local"]).expect_code(0);
            Some(Self { checkout })
        };
        MADE.get_or_init(make).as_ref()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.checkout.path("dist").join(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).expect("read")
    }

    /// The names of all its files.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.checkout.path("dist")).expect("listed");
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The archive of this machine, unpacked.
    pub fn unpacked(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(self.file(&format!("alchemy-{VERSION}-x86_64-unknown-linux-gnu.tar.gz")));
        run(tar.args(["--strip-components=1", "-C"]).arg(folder.path())).expect_code(0);
        folder
    }
}
