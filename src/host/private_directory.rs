//! A directory that only the caller can enter, and that is gone when it is dropped.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::files::LARGEST_DIRECTORY;
use super::process::Process;
use super::trust::Parties;
use super::{Context, Host, HostError};

#[cfg(test)]
mod tests;

/// Names tried before giving up: all would have to be leftovers of processes with our id.
const ATTEMPTS: u32 = 100;

const PREFIX: &str = "keepalive-policy-";

/// Longer than any of these directories is in use.
const LONGEST_USE: Duration = Duration::from_secs(600);

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
        let named = PrivateDirectory::below(&temporary_files(), purpose);
        // What $TMPDIR names may be in another user's hands.
        named
            .or_else(|error| PrivateDirectory::below(Path::new("/tmp"), purpose).map_err(|_| error))
    }
}

impl PrivateDirectory {
    fn below(parent: &Path, purpose: &str) -> Result<Self, HostError> {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        const ACTION: &str = "cannot make a private directory";
        let process = std::process::id();
        let real = std::fs::canonicalize(parent).on(parent, ACTION)?;
        let directory = Parties::of_caller().directory(&real).map_err(std::io::Error::from);
        let directory = directory.on(parent, ACTION)?;
        // In a shared directory what we make is ours: no other user renames or removes it.
        let caller = rustix::process::geteuid().as_raw();
        directory
            .keeps(&real.join(PREFIX), caller)
            .map_err(std::io::Error::from)
            .on(parent, ACTION)?;
        sweep(parent);
        for _ in 0..ATTEMPTS {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let name = format!("{PREFIX}{purpose}-{process}-{number}");
            let path = real.join(&name);
            // mkdir(2) follows no link in the last part and never takes over what exists: what
            // somebody else put at this name in a world-writable directory is not used.
            match rustix::fs::mkdirat(&directory, &name, Mode::from(0o700)) {
                Ok(()) => return Ok(Self { path }),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error).on(parent, ACTION),
            }
        }
        Err(Errno::EXIST).on(parent, ACTION)
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

/// Removes what processes that were killed left of ours, best effort. Young ones stay: the process
/// may be one of another PID namespace.
fn sweep(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    // In /tmp every user may have any number of entries.
    for entry in entries.flatten().take(LARGEST_DIRECTORY) {
        let name = entry.file_name();
        let abandoned =
            name.to_str().and_then(maker).is_some_and(|pid| Process::find(pid).is_none());
        if abandoned && is_ours_and_old(&entry) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The process that made `keepalive-policy-PURPOSE-PROCESS-NUMBER`.
fn maker(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.rsplit('-').nth(1)?.parse().ok()
}

fn is_ours_and_old(entry: &std::fs::DirEntry) -> bool {
    // Of the entry itself: a link that somebody put there is not followed.
    entry.metadata().is_ok_and(|metadata| {
        let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
        metadata.is_dir()
            && metadata.uid() == rustix::process::geteuid().as_raw()
            && age.is_some_and(|age| age > LONGEST_USE)
    })
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
    let named = std::fs::canonicalize(std::env::temp_dir()).ok();
    named.filter(plain).unwrap_or_else(|| PathBuf::from("/tmp"))
}
