//! One writer at a time: the daemon and `apply` by hand must not interleave.

use std::os::fd::OwnedFd;

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
        self.make_directory(self.state_dir(), 0o755)?;
        let path = self.state_dir().join(format!("{name}.lock"));
        let resolved = self.resolve(&path)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::open(self.locate(&resolved.path), flags, Mode::from(0o600))
            .on(&path, "cannot open the lock")?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive).on(&path, "cannot lock")?;
        Ok(WriteLock { _file: file })
    }
}
