//! Which profile applies, and why (design §4): the command line, a variable, or what the directory says.

use std::cell::{Cell, OnceCell};
use std::ffi::OsStr;

use crate::directory::mark::{ActivatedBy, ActiveMark, ENVRC};
use crate::directory::{Ask, DirectoryProfile, Here, How, project_file};
use crate::environment::{ACTIVE, PROFILE};
use crate::error::{Error, Result};
use crate::host::Host;
use crate::profile::ProfileName;
use crate::profile::selection::{Named, Reason, Selection, select};
use crate::shell;

/// Tells which profile applies. What the directory says is looked at once.
pub(crate) struct Selector<'h> {
    /// What the process was given.
    pub host: &'h Host,
    here: OnceCell<Result<Here>>,
    noted: Cell<bool>,
}

/// The profile that is selected, or asked for.
pub(crate) struct Wanted {
    /// The profile's name, and why.
    pub selection: Selection,
    /// Why it must not be used: a project file asks for it that is not allowed to.
    pub refusal: Option<Error>,
}

impl<'h> Selector<'h> {
    /// The selector for the working directory.
    pub(crate) fn of(host: &'h Host) -> Self {
        Self { host, here: OnceCell::new(), noted: Cell::new(false) }
    }

    /// Which profile applies.
    pub(crate) fn select(&self, argument: Option<&str>) -> Result<Selection> {
        let wanted = self.wanted(argument)?;
        wanted.refusal.map_or(Ok(wanted.selection), Err)
    }

    /// The same, and where a pin file asks for one without being allowed to, that one.
    pub(crate) fn wanted(&self, argument: Option<&str>) -> Result<Wanted> {
        if let Some(selection) = self.with_named(argument, select)? {
            return Ok(Wanted { selection, refusal: None });
        }
        let here = self.here()?;
        let selection = match (&here.choice, &here.asks) {
            (Some(choice), asks) => {
                let selection = self.selection(choice);
                if let Some(ask) = asks.as_ref().filter(|ask| !ask.denied) {
                    self.host.messages.say(&format!(
                        "{}, so '{}' is used ({}); to allow it: {}",
                        self.asking(ask),
                        selection.name,
                        selection.reason,
                        allow(here, ask)
                    ));
                }
                selection
            }
            (None, Some(ask)) => {
                let selection =
                    Selection { name: ask.name.clone(), reason: Reason::Asked(self.host.shown(&ask.pin)) };
                return Ok(Wanted { selection, refusal: Some(self.refusal(here, ask)) });
            }
            (None, None) => Selection::of_nothing(),
        };
        Ok(Wanted { selection, refusal: None })
    }

    /// What a directory chose, as a selection.
    pub(crate) fn selection(&self, choice: &DirectoryProfile) -> Selection {
        let reason = match choice.how {
            How::Bound => Reason::Bound(self.host.shown(&choice.at)),
            How::Pinned => Reason::Pinned(self.host.shown(&choice.at.join(project_file::NAME))),
            How::Envrc => Reason::Envrc(self.host.shown(&choice.at.join(ENVRC))),
        };
        Selection { name: choice.name.clone(), reason }
    }

    /// What a pin file asks for, and how to let it.
    pub(crate) fn request(&self, here: &Here, ask: &Ask) -> String {
        format!("{}; to allow it: {}", self.asking(ask), allow(here, ask))
    }

    /// Why a pin file that is not allowed selects nothing, and the ways on.
    pub(crate) fn refusal(&self, here: &Here, ask: &Ask) -> Error {
        let allow = allow(here, ask);
        Error::new(self.asking(ask))
            .hint(format!("to let it select: {allow}; or name the profile: -p {}", ask.name))
    }

    fn asking(&self, ask: &Ask) -> String {
        let why = if ask.denied { "is denied" } else { "is not allowed yet" };
        format!("{} asks for profile '{}' and {why}", self.host.shown(&ask.pin), ask.name)
    }

    /// `with` what names a profile. What is not UTF-8 cannot be a name, and is refused as one: ignoring it
    /// would run with another.
    pub(crate) fn with_named<T>(&self, argument: Option<&str>, with: impl FnOnce(Named) -> T) -> T {
        let text = |variable: &str| self.host.variable(variable).map(OsStr::to_string_lossy);
        let (cloudflare, alchemy, active) = (text("CLOUDFLARE_PROFILE"), text(PROFILE), text(ACTIVE));
        with(Named {
            command_line: argument,
            cloudflare_profile: cloudflare.as_deref(),
            alchemy_profile: alchemy.as_deref(),
            active: active.as_deref(),
        })
    }

    /// The profile that direnv's `use alchemy NAME` has put into the environment: it is of the `.envrc`'s directory
    /// and those below, as a binding is.
    pub(crate) fn loaded(&self) -> Option<DirectoryProfile> {
        let mark = self.mark().filter(|mark| mark.by == ActivatedBy::Direnv { is_named: true })?;
        let is_here = self.host.directory.starts_with(&mark.directory)
            && self.with_named(None, |named| named.is_from_directory());
        let name = ProfileName::parse(&mark.profile).ok().filter(|_| is_here)?;
        Some(DirectoryProfile { name, how: How::Envrc, at: mark.directory })
    }

    /// What `ALCHEMY_ACTIVE` says.
    pub(crate) fn mark(&self) -> Option<ActiveMark> {
        self.host.text(ACTIVE).and_then(ActiveMark::parse)
    }

    /// What the working directory and those above it say; looked at once.
    ///
    /// Fails when a document of ours, or a pin file that counts here, cannot be understood.
    pub(crate) fn here(&self) -> Result<&Here> {
        let here = self.look()?;
        if !self.noted.replace(true) {
            here.notes.iter().for_each(|note| self.host.messages.say(note));
        }
        here.sound()
    }

    /// The same, without a word of what is ignored, and also when a pin file is broken.
    ///
    /// Fails when a document of ours cannot be understood.
    pub(crate) fn look(&self) -> Result<&Here> {
        let look = || {
            let mut here = Here::look(&self.host.home, &self.host.directory, self.host.uid)?;
            self.loaded().into_iter().for_each(|loaded| here.add_loaded(loaded));
            Ok(here)
        };
        self.here.get_or_init(look).as_ref().map_err(Clone::clone)
    }

    /// Whether the person names a profile by a variable: the directory has no say then.
    pub(crate) fn names_profile(&self) -> bool {
        self.with_named(None, |named| named.candidates().next().is_some())
    }
}

/// The command that allows it.
fn allow(here: &Here, ask: &Ask) -> String {
    let is_nearest = here.nearest.as_ref() == Some(&ask.pin);
    match ask.pin.parent().filter(|_| !is_nearest) {
        Some(directory) => format!("alchemy allow {}", shell::word(&directory.display().to_string())),
        None => "alchemy allow".to_owned(),
    }
}
