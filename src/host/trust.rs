//! Directories that only trusted parties can change: root, and the caller who isn't root. Root
//! writes, and takes a policy, only where every directory on the way is one: in any other its owner
//! could put a link to /etc/shadow where the file was a moment ago.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::Stat;
use rustix::io::Errno;

use super::Host;
use super::accounts::{Accounts, Reader};
use super::open;
use super::permissions::Permissions;
use crate::escape;

#[cfg(test)]
mod tests;

/// Write access of the group and of others.
const OTHERS_WRITE: u32 = 0o022;

/// With it, an entry of a shared directory is renamed or removed by its owner only (/tmp).
const STICKY: u32 = 0o1000;

/// Whose word counts: root's, and the caller's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties {
    caller: u32,
}

/// A directory, or a link in it, that another party can change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distrust {
    /// Which, as this machine names it.
    pub path: PathBuf,
    parties: Parties,
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reason {
    Owner { uid: u32, name: Option<String> },
    Writable { mode: u32 },
    Shared,
}

/// Why a directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Another party can change it.
    #[error("{0}")]
    Distrusted(Box<Distrust>),
    /// It can't be reached.
    #[error("{path}: {source}", path = escape::path(.path))]
    Unreachable {
        /// How far the way led, as this machine names it.
        path: PathBuf,
        /// What the kernel said.
        source: Errno,
    },
}

impl From<Refused> for io::Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Distrusted(distrust) => Self::other(distrust.to_string()),
            Refused::Unreachable { source, .. } => source.into(),
        }
    }
}

/// A directory that was reached from the root directory through trusted ones only. Whatever becomes
/// of its path, the descriptor stays on it.
#[derive(Debug)]
pub struct Directory {
    fd: OwnedFd,
    path: PathBuf,
    permissions: Permissions,
    parties: Parties,
}

impl Parties {
    /// Root and the caller, who may be root.
    #[must_use]
    pub fn of_caller() -> Self {
        Self { caller: rustix::process::geteuid().as_raw() }
    }

    /// Goes down an absolute path without links, from one directory to the next.
    ///
    /// # Errors
    /// [`Refused`] by the first directory that another party can change.
    pub fn directory(self, located: &Path) -> Result<Directory, Refused> {
        let mut directory = self.root()?;
        for name in open::names(located) {
            directory = directory.step(name)?;
        }
        Ok(directory)
    }

    /// The root directory of this process.
    ///
    /// # Errors
    /// As [`Parties::directory`].
    pub fn root(self) -> Result<Directory, Refused> {
        let path = PathBuf::from("/");
        open::root()
            .and_then(|fd| Directory::of(fd, path.clone(), self))
            .map_err(|source| Refused::Unreachable { path, source })
    }

    /// Who may own what we rely on, for a message.
    fn wanted(self) -> String {
        match self.caller {
            0 => "root".to_owned(),
            caller => format!("root or uid {caller}"),
        }
    }

    const fn trusts(self, uid: u32) -> bool {
        uid == 0 || uid == self.caller
    }

    /// Whether only these parties can make, rename and remove entries of a directory, or change a
    /// file. Mode bits tell of an ACL too: its mask is what they show for the group (acl(5)).
    ///
    /// # Errors
    /// [`Distrust`], which says who else can.
    pub fn alone_change(self, path: &Path, found: Permissions) -> Result<(), Box<Distrust>> {
        self.own(path, found.uid)?;
        let group = found.mode & 0o020 != 0 && !self.is_private_group(found);
        if found.mode & 0o002 != 0 || group {
            return Err(self.distrust(path, Reason::Writable { mode: found.mode }));
        }
        Ok(())
    }

    /// Whether only these parties can change the file that a link leads to. A user's own file may
    /// have the wrong mode: that is mended, not refused.
    ///
    /// # Errors
    /// As [`Parties::alone_change`].
    pub fn change_target(self, path: &Path, found: Permissions) -> Result<(), Box<Distrust>> {
        match self.caller {
            0 => self.alone_change(path, found),
            _ => self.own(path, found.uid),
        }
    }

    /// Whether one of these parties owns it.
    fn own(self, path: &Path, uid: u32) -> Result<(), Box<Distrust>> {
        if self.trusts(uid) {
            return Ok(());
        }
        let accounts = Accounts::read(&Host::live()).unwrap_or_default();
        let name = accounts.name_of(uid).map(|name| name.escape_ascii().to_string());
        Err(self.distrust(path, Reason::Owner { uid, name }))
    }

    /// With a umask of 002 a user's files are writable for the user's own group: that is no other
    /// party. Root has no such group: who is in group 0 differs from host to host.
    fn is_private_group(self, found: Permissions) -> bool {
        self.caller != 0
            && Accounts::read(&Host::live())
                .is_ok_and(|known| known.is_private_group(found, Reader::Account(self.caller)))
    }

    fn distrust(self, path: &Path, reason: Reason) -> Box<Distrust> {
        Box::new(Distrust { path: path.to_owned(), parties: self, reason })
    }
}

impl Directory {
    fn of(fd: OwnedFd, path: PathBuf, parties: Parties) -> Result<Self, Errno> {
        let permissions = Permissions::of(&rustix::fs::fstat(&fd)?);
        Ok(Self { fd, path, permissions, parties })
    }

    /// Goes down into a directory of it.
    ///
    /// # Errors
    /// As [`Parties::directory`].
    pub fn step(&self, name: &OsStr) -> Result<Self, Refused> {
        let path = self.path.join(name);
        let stepped = open::step(&self.fd, name)
            .and_then(|fd| Self::of(fd, path.clone(), self.parties))
            .map_err(|source| Refused::Unreachable { path, source })?;
        self.keeps(&stepped.path, stepped.permissions.uid)?;
        Ok(stepped)
    }

    /// Whether only the trusted parties can put something else in the place of an entry that is
    /// there, owned by `uid`. In a shared directory (/tmp) that takes its owner.
    ///
    /// # Errors
    /// As [`Parties::directory`].
    pub fn keeps(&self, entry: &Path, uid: u32) -> Result<(), Refused> {
        let is_shared = self.parties.trusts(self.permissions.uid)
            && self.permissions.mode & STICKY != 0
            && self.permissions.mode & OTHERS_WRITE != 0;
        let kept = match is_shared {
            true => self.parties.own(entry, uid),
            false => self.parties.alone_change(&self.path, self.permissions),
        };
        kept.map_err(Refused::Distrusted)
    }

    /// Whether only the trusted parties can make entries. Asked before something is written under a
    /// name that others can foretell.
    ///
    /// # Errors
    /// As [`Parties::directory`].
    pub fn is_ours_alone(&self) -> Result<(), Refused> {
        let shared = self.permissions.mode & (STICKY | 0o002) == STICKY | 0o002;
        let alone = match shared && self.parties.trusts(self.permissions.uid) {
            true => Err(self.parties.distrust(&self.path, Reason::Shared)),
            false => self.parties.alone_change(&self.path, self.permissions),
        };
        alone.map_err(Refused::Distrusted)
    }

    /// Where it was reached, as this machine names it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode.
    ///
    /// # Errors
    /// What `fstat(2)` says.
    pub(super) fn stat(&self) -> Result<Stat, Errno> {
        rustix::fs::fstat(&self.fd)
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl fmt::Display for Distrust {
    /// Whose it is, what follows from that, and what mends it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, who could put a link to any file in our way; {}",
            self.fault(),
            self.remedy()
        )
    }
}

impl Distrust {
    /// Whose it is, other than wanted: ends with who that is.
    #[must_use]
    pub fn fault(&self) -> String {
        let path = self.path.display();
        let wanted = self.parties.wanted();
        match &self.reason {
            Reason::Owner { uid, name: Some(name) } => {
                format!("{path} belongs to {name} (uid {uid}), not to {wanted}")
            }
            Reason::Owner { uid, name: None } => {
                format!("{path} belongs to uid {uid}, not to {wanted}")
            }
            Reason::Writable { mode } => {
                format!("{path} has mode {mode:04o} and can be changed by others than {wanted}")
            }
            Reason::Shared => format!("{path} is shared by all users"),
        }
    }

    /// The command that mends it, where there is one.
    #[must_use]
    pub fn remedy(&self) -> String {
        let word = shell_word(&self.path);
        match &self.reason {
            Reason::Owner { .. } => format!("mend with: chown root {word}"),
            Reason::Writable { .. } => format!("mend with: chmod go-w {word}"),
            Reason::Shared => {
                format!("use a directory that only {} can write to", self.parties.wanted())
            }
        }
    }
}

/// The path as one word of a shell command.
#[must_use]
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
