//! One writer at a time: the daemon and `apply` by hand must not interleave.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::PoisonError;

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::trust::Directory;
use super::{Context, Host, HostError};

/// The lock that a daemon holds as long as it runs.
pub const DAEMON: &str = "daemon";

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
        let file = self.open_lock(name)?;
        rustix::fs::flock(&file, FlockOperation::LockExclusive)
            .on(&self.lock_path(name), "cannot lock")?;
        Ok(WriteLock { _file: file })
    }

    /// The same without waiting; `None` where another process holds it.
    ///
    /// # Errors
    /// As for [`Host::lock`].
    pub fn try_lock(&self, name: &str) -> Result<Option<WriteLock>, HostError> {
        let file = self.open_lock(name)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(WriteLock { _file: file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error).on(&self.lock_path(name), "cannot lock"),
        }
    }

    /// Whether a daemon runs: it holds its lock as long as it does. Makes no file where none is.
    /// `None` where that can't be told, as by others than root.
    #[must_use]
    pub fn daemon_runs(&self) -> Option<bool> {
        if !self.exists(&self.lock_path(DAEMON)) {
            return Some(false);
        }
        self.try_lock(DAEMON).ok().map(|lock| lock.is_none())
    }

    fn lock_path(&self, name: &str) -> PathBuf {
        self.state_dir().join(format!("{name}.lock"))
    }

    fn open_lock(&self, name: &str) -> Result<OwnedFd, HostError> {
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
        Ok(file)
    }

    /// Whether the state directory is the one that we hold: it may have been removed and made anew.
    fn is_state_dir(&self, held: &Directory) -> bool {
        let now = rustix::fs::stat(self.locate(self.state_dir()));
        let id = |stat: &rustix::fs::Stat| (stat.st_dev, stat.st_ino);
        matches!((now, held.stat()), (Ok(now), Ok(held)) if id(&now) == id(&held))
    }
}
