//! Whether something is there, without reading it.

use std::path::Path;

use rustix::fs::AtFlags;

use super::Host;

/// What tells one version of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Stamp {
    const fn of(stat: &rustix::fs::Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size,
            modified: (stat.st_mtime, stat.st_mtime_nsec),
            changed: (stat.st_ctime, stat.st_ctime_nsec),
        }
    }
}

impl Host {
    /// Whether anything stands at `path`, links followed inside the root.
    #[must_use]
    pub fn exists(&self, path: &Path) -> bool {
        self.stamp(path).is_some()
    }

    /// The stamp of what stands at `path`, links followed inside the root; `None` when nothing does.
    #[must_use]
    pub fn stamp(&self, path: &Path) -> Option<Stamp> {
        // On the running machine the kernel follows the links, in one call.
        if self.is_live() {
            return rustix::fs::stat(path).ok().map(|stat| Stamp::of(&stat));
        }
        let resolved = self.resolve(path).ok()?;
        let located = self.locate(&resolved.path);
        let stat = rustix::fs::statat(rustix::fs::CWD, located, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(Stamp::of(&stat))
    }
}
