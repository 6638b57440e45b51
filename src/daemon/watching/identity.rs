//! What stands at a path, told from whatever else may stand there later.

use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

/// An inode number alone proves nothing: a directory that is made where one was removed often gets
/// the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    device: (u32, u32),
    inode: u64,
    /// Seconds and nanoseconds; zero where the file system does not know.
    born: (i64, u32),
}

impl Identity {
    /// `None` when nothing stands there.
    pub fn of(path: &Path) -> Option<Self> {
        let asked = StatxFlags::INO | StatxFlags::BTIME;
        let found = statx(CWD, path, AtFlags::empty(), asked).ok()?;
        Some(Self {
            device: (found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            born: (found.stx_btime.tv_sec, found.stx_btime.tv_nsec),
        })
    }
}
