//! Whose something is, and who may do what with it.

use std::path::Path;

use rustix::fs::AtFlags;

use super::Host;

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

impl Host {
    /// The permissions of what stands at `path`, links followed inside the root; `None` when
    /// nothing does, or we may not look.
    #[must_use]
    pub fn permissions(&self, path: &Path) -> Option<Permissions> {
        let resolved = self.resolve(path).ok()?;
        let located = self.locate(&resolved.path);
        let stat = rustix::fs::statat(rustix::fs::CWD, located, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(Permissions { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 })
    }
}
