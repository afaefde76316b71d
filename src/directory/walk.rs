//! From a directory upward: everything that has something to say, the nearest first.
//!
//! Nothing is read before it can count: where there is nothing, that is one file of ours that does not
//! exist, and one attempt to open a pin file in each directory.

use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::bindings::Bindings;
use super::project_file::{self, Found, Pin, ProjectFile};
use super::trust::{Trust, Trusted};
use super::worktree::Worktree;
use crate::disk::home::Home;
use crate::error::Result;
use crate::profile::ProfileName;

/// One thing that a directory says.
#[derive(Debug)]
pub struct Finding {
    /// The directory.
    pub at: PathBuf,
    /// What it says.
    pub says: Says,
}

/// What a directory can say.
#[derive(Debug)]
pub enum Says {
    /// It is bound to this profile.
    Bound(ProfileName),
    /// It has a pin file; with what the person said of it, where it asks for a profile.
    Pinned(Pin, ProjectFile, Option<Trust>),
    /// It has a pin file that cannot be understood; the file, where it could be read.
    Broken(crate::error::Error, Option<ProjectFile>),
    /// It has one that counts for nothing; why.
    Ignored(String),
}

/// Visits what the directories from `directory`, a real path, upward say, until `visit` has enough. `uid`
/// is the person's. A directory that is gone has no path, and says nothing.
///
/// Fails when a document of ours cannot be understood.
pub fn walk(
    home: &Home,
    directory: &Path,
    uid: u32,
    mut visit: impl FnMut(Finding) -> ControlFlow<()>,
) -> Result<()> {
    if !directory.is_absolute() {
        return Ok(());
    }
    let around = Around {
        home,
        directory,
        uid,
        bindings: Bindings::load(home)?,
        worktree: OnceCell::new(),
        trusted: OnceCell::new(),
    };
    for at in directory.ancestors() {
        for finding in around.findings(at)? {
            if visit(finding).is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What is known around the directory from which the walk starts.
struct Around<'a> {
    home: &'a Home,
    directory: &'a Path,
    uid: u32,
    bindings: Bindings,
    worktree: OnceCell<Option<Worktree>>,
    trusted: OnceCell<Trusted>,
}

impl Around<'_> {
    /// What one of the directories says, and after the root of a worktree what covers that.
    fn findings(&self, at: &Path) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        findings.extend(self.bound(at)?);
        if let Some(found) = project_file::read(at, self.uid) {
            let says = match found {
                Found::Pin(pin, file) => {
                    let trust = pin.profile.is_some().then(|| self.trust(&file)).transpose()?;
                    Says::Pinned(pin, file, trust)
                }
                Found::Broken(error, file) => Says::Broken(error, file),
                Found::Ignored(note) => Says::Ignored(note),
            };
            findings.push(Finding { at: at.to_owned(), says });
        }
        if !self.bindings.is_empty()
            && let Some(worktree) = self.worktree().filter(|worktree| worktree.root == at)
            && let Some(covered_by) = worktree.in_main(self.directory)
        {
            // What is above both comes when it is that directory's turn.
            for above in covered_by.ancestors().take_while(|above| !self.directory.starts_with(above)) {
                findings.extend(self.bound(above)?);
            }
        }
        Ok(findings)
    }

    fn bound(&self, at: &Path) -> Result<Option<Finding>> {
        let name = self.bindings.get(at)?;
        Ok(name.map(|name| Finding { at: at.to_owned(), says: Says::Bound(name) }))
    }

    /// What was said of a pin file: of itself, or of the same text at its place in the main worktree.
    fn trust(&self, file: &ProjectFile) -> Result<Trust> {
        let trusted = match self.trusted.get() {
            Some(trusted) => trusted,
            None => Trusted::load(self.home).map(|trusted| self.trusted.get_or_init(|| trusted))?,
        };
        let hash = file.hash();
        let of_main = || self.worktree()?.in_main(&file.path).map(|path| trusted.of(&path, &hash));
        Ok(match trusted.of(&file.path, &hash) {
            Trust::Unknown => of_main().unwrap_or(Trust::Unknown),
            trust => trust,
        })
    }

    fn worktree(&self) -> Option<&Worktree> {
        self.worktree.get_or_init(|| Worktree::of(self.directory, self.uid)).as_ref()
    }
}
