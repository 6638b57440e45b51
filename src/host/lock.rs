//! One writer at a time: the daemon and `apply` by hand must not interleave.

use std::os::fd::OwnedFd;
use std::sync::PoisonError;

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::trust::Directory;
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
        let name = format!("{name}.lock");
        let path = self.state_dir().join(&name);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let open = |directory: &Directory| {
            rustix::fs::openat(directory, &name, flags, Mode::from(0o600))
                .on(&path, "cannot open the lock")
        };
        let mut held = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The way there is gone once: a correction of a live value waits for this.
        let file = match held.as_ref().filter(|held| self.is_state_dir(held)) {
            Some(directory) => open(directory)?,
            None => {
                let directory = self.make_and_open(self.state_dir(), 0o755);
                let directory = directory.on(self.state_dir(), "cannot make the directory")?;
                directory.is_ours_alone().on(self.state_dir(), "cannot keep a lock there")?;
                let file = open(&directory)?;
                *held = Some(directory);
                file
            }
        };
        drop(held);
        rustix::fs::flock(&file, FlockOperation::LockExclusive).on(&path, "cannot lock")?;
        Ok(WriteLock { _file: file })
    }

    /// Whether the state directory is the one that we hold: it may have been removed and made anew.
    fn is_state_dir(&self, held: &Directory) -> bool {
        let now = rustix::fs::stat(self.locate(self.state_dir()));
        let id = |stat: &rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        matches!((now, held.stat()), (Ok(now), Ok(held)) if id(&now) == id(&held))
    }
}
