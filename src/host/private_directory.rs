//! A directory that only the caller can enter, and that is gone when it is dropped.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Context, Host, HostError};

/// Names tried before giving up: all would have to be leftovers of processes with our id.
const ATTEMPTS: u32 = 100;

/// Never made: what dangling links point to.
const NOWHERE: &str = "nowhere";

/// A fresh directory, mode 0700, of *this machine*, also when the host is a tree.
#[derive(Debug)]
pub struct PrivateDirectory {
    path: PathBuf,
}

impl Host {
    /// Makes a private directory: below the runtime directory where this is the running machine
    /// and it can be written, else below the system's directory for temporary files. Its path has
    /// no character that a glob, a shell or `sshd_config` would read as anything but itself.
    ///
    /// # Errors
    /// When neither place can be written.
    pub fn private_directory(&self, purpose: &str) -> Result<PrivateDirectory, HostError> {
        if self.is_live()
            && let Ok(directory) = PrivateDirectory::below(self.runtime_dir(), purpose)
        {
            return Ok(directory);
        }
        PrivateDirectory::below(&temporary_files(), purpose)
    }
}

impl PrivateDirectory {
    fn below(parent: &Path, purpose: &str) -> Result<Self, HostError> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let process = std::process::id();
        for _ in 0..ATTEMPTS {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("keepalive-policy-{purpose}-{process}-{number}"));
            // mkdir(2) follows no link in the last part and never takes over what exists: what
            // somebody else put at this name in a world-writable directory is not used.
            match rustix::fs::mkdir(&path, Mode::from(0o700)) {
                Ok(()) => return Ok(Self { path }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error).on(parent, "cannot make a private directory"),
            }
        }
        Err(Errno::EXIST).on(parent, "cannot make a private directory")
    }

    /// Where it is, in this machine's file system.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a directory and its parents; `relative` is below this one.
    ///
    /// # Errors
    /// What `mkdir(2)` says, other than that it exists.
    pub fn make_directory(&self, relative: &Path) -> Result<(), HostError> {
        let path = self.path.join(relative);
        std::fs::create_dir_all(&path).on(&path, "cannot make the directory")
    }

    /// Makes a file with this content, and the directories that lead to it.
    ///
    /// # Errors
    /// When it exists already, or the disk refuses.
    pub fn write(&self, relative: &Path, bytes: &[u8]) -> Result<(), HostError> {
        let path = self.path.join(relative);
        if let Some(parent) = relative.parent() {
            self.make_directory(parent)?;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        rustix::fs::open(&path, flags, Mode::from(0o600))
            .map_err(std::io::Error::from)
            .and_then(|fd| std::fs::File::from(fd).write_all(bytes))
            .on(&path, "cannot write")
    }

    /// Makes a symbolic link that leads nowhere, and the directories that lead to it.
    ///
    /// # Errors
    /// When something exists there already, or the disk refuses.
    pub fn write_dangling_link(&self, relative: &Path) -> Result<(), HostError> {
        let path = self.path.join(relative);
        if let Some(parent) = relative.parent() {
            self.make_directory(parent)?;
        }
        rustix::fs::symlink(self.path.join(NOWHERE), &path).on(&path, "cannot make the link")
    }
}

impl Drop for PrivateDirectory {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and what stays is private: a reboot or the
        // stop of the service clears it.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn temporary_files() -> PathBuf {
    let plain = |path: &PathBuf| {
        path.is_absolute()
            && path
                .as_os_str()
                .as_encoded_bytes()
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(byte))
    };
    Some(std::env::temp_dir()).filter(plain).unwrap_or_else(|| PathBuf::from("/tmp"))
}
