//! Whose something is, and who may do what with it.

use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};

use super::open::Seen;
use super::{Context, Host, HostError};

/// Owner, group and permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permissions {
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

impl Permissions {
    pub(super) const fn of(stat: &rustix::fs::Stat) -> Self {
        Self { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 }
    }
}

impl Host {
    /// The permissions of what stands at `path`, links followed inside the root; `None` when
    /// nothing does, or we may not look.
    #[must_use]
    pub fn permissions(&self, path: &Path) -> Option<Permissions> {
        let resolved = self.resolve(path).ok()?;
        let located = self.locate(&resolved.path);
        let stat = rustix::fs::statat(rustix::fs::CWD, located, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(Permissions::of(&stat))
    }

    /// Gives what stands at `path`, links followed, the mode `to`, if it still has the mode `from`.
    ///
    /// # Errors
    /// When it has another one by now, or the kernel refuses.
    pub fn change_mode(&self, path: &Path, from: u32, to: u32) -> Result<(), HostError> {
        const ACTION: &str = "cannot change the mode";
        let place = self.place(path).on(path, ACTION)?;
        let seen = Seen::within(&place.directory, &place.name).on(path, ACTION)?;
        let found = seen.stat().st_mode & 0o7777;
        if found != from {
            let changed = std::io::Error::other("somebody else changed it at the same moment");
            return Err(changed).on(path, ACTION);
        }
        if !matches!(seen.kind(), FileType::RegularFile | FileType::Directory) {
            let special = std::io::Error::other("a device, FIFO or socket");
            return Err(special).on(path, ACTION);
        }
        let file = seen.open(OFlags::RDONLY).on(path, ACTION)?;
        rustix::fs::fchmod(&file, Mode::from(to)).on(path, ACTION)
    }
}
