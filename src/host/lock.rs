//! One writer at a time: the daemon and `apply` by hand must not interleave.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::{Context, Host, HostError};

/// Held while anything is changed; released when dropped.
#[derive(Debug)]
pub struct WriteLock {
    _file: OwnedFd,
}

impl Host {
    /// Waits until nobody else holds the lock of this name. It is in the state directory, because
    /// the runtime directory is removed when the service stops, and a lock with it.
    ///
    /// # Errors
    /// When the state directory can't be made or written.
    pub fn lock(&self, name: &str) -> Result<WriteLock, HostError> {
        let path = self.state_dir().join(format!("{name}.lock"));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let open = |path: &Path| rustix::fs::open(self.locate(path), flags, Mode::from(0o600));
        // On the running machine the kernel follows links itself, and the directory is nearly always
        // there: a correction of a live value waits for this.
        let at_once = if self.is_live() { open(&path).ok() } else { None };
        let opened = match at_once {
            Some(file) => Ok(file),
            None => {
                self.make_directory(self.state_dir(), 0o755)?;
                open(&self.resolve(&path)?.path)
            }
        };
        let file = opened.on(&path, "cannot open the lock")?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive).on(&path, "cannot lock")?;
        Ok(WriteLock { _file: file })
    }
}
