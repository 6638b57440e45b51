//! The modes of a user's own `~/.ssh` and `config`, as ssh and sshd want them: what others can write
//! ends every ssh, and sshd then takes no key from the directory.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::plan::NAME;
use super::tree::{Entry, Tree, UserFile};
use crate::host::accounts::Reader;
use crate::host::permissions::Permissions;
use crate::host::{Host, HostError};
use crate::reconcile::{Problem, Severity};

/// Write access of the group and of others.
const WRITABLE: u32 = 0o022;

/// Any access of theirs.
const OPEN: u32 = 0o077;

/// A mode that is not wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mode {
    /// What has it.
    pub path: PathBuf,
    /// As found.
    pub from: u32,
    /// As wanted; the same where it is only worth knowing.
    pub to: u32,
    /// Whether ssh ends with an error for every host because of it.
    pub refused: bool,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mode of {}: {:04o} becomes {:04o}", self.path.display(), self.from, self.to)
    }
}

/// The user's own file and its directory, where their modes are not wanted. What belongs to
/// somebody else is not ours to change.
#[must_use]
pub fn unwanted(host: &Host, user: &UserFile, tree: &Tree) -> Vec<Mode> {
    let own = |path: &Path| {
        let found = host.permissions(path)?;
        (tree.reader == Reader::Account(found.uid)).then_some(found)
    };
    let mut unwanted = Vec::new();
    let directory = user.path.parent().unwrap_or(Path::new("/"));
    if let Some(Permissions { mode, .. }) = own(directory).filter(|found| found.mode & OPEN != 0) {
        let to = if mode & WRITABLE == 0 { mode } else { mode & !OPEN };
        unwanted.push(Mode { path: directory.to_owned(), from: mode, to, refused: false });
    }
    let distrusted =
        matches!(tree.entries.get(&user.path), Some(Entry::File { trusted: false, .. }));
    if let Some(Permissions { mode, .. }) = own(&user.path).filter(|_| distrusted) {
        unwanted.push(Mode {
            path: user.path.clone(),
            from: mode,
            to: mode & !WRITABLE,
            refused: true,
        });
    }
    unwanted.retain(|one| one.from != one.to || !one.refused);
    unwanted
}

impl Mode {
    /// Whether something is to be done.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        self.from != self.to
    }

    /// What is said about it.
    #[must_use]
    pub fn problem(&self) -> Problem {
        let Self { from, to, .. } = self;
        let message = match (self.refused, self.is_wrong()) {
            (true, _) => format!(
                "Bad owner or permissions: ssh ends with an error for every host, because others \
                 can write it (mode {from:04o}); {to:04o} is wanted"
            ),
            (false, true) => format!(
                "others can write it (mode {from:04o}), so sshd takes no key from it; {to:04o} is \
                 wanted"
            ),
            (false, false) => {
                format!("others can look into it (mode {from:04o}); ssh recommends 0700")
            }
        };
        Problem::new(NAME, Severity::Notice, message).at(&self.path, None)
    }

    /// Does it, if the mode still is as found.
    ///
    /// # Errors
    /// When it isn't, or can't be changed.
    pub fn apply(&self, host: &Host) -> Result<(), HostError> {
        host.change_mode(&self.path, self.from, self.to)
    }

    /// Takes it back.
    ///
    /// # Errors
    /// As for [`Mode::apply`].
    pub fn undo(&self, host: &Host) -> Result<(), HostError> {
        host.change_mode(&self.path, self.to, self.from)
    }
}
