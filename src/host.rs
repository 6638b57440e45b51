//! The only door to the system: files under a root, programs, the service manager.
//!
//! Paths given to a [`Host`] are those that the host itself uses (`/etc/ssh/sshd_config`), also
//! with `--root DIR`: symbolic links are then followed inside DIR, as a chroot would.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::escape;

pub mod accounts;
pub mod clock;
pub mod command;
pub mod connection;
pub mod directories;
pub mod files;
pub mod holders;
mod lease;
pub mod links;
pub mod lock;
pub mod mounts;
pub mod netns;
mod open;
pub mod path;
pub mod permissions;
mod place;
pub mod presence;
pub mod private_directory;
pub mod process;
pub mod program;
pub mod replace;
pub mod sock_diag;
pub mod systemd;
pub mod trust;
pub mod wait;

use trust::{Parties, Refused};

/// The host that is governed: this machine, or a tree that holds one (`--root`).
#[derive(Debug, Clone)]
pub struct Host {
    root: PathBuf,
    state_dir: PathBuf,
    runtime_dir: PathBuf,
    /// The state directory, held open once a lock was taken in it.
    state: Arc<Mutex<Option<trust::Directory>>>,
    /// Whether this program may be run again, to read what may hang.
    runs_itself: bool,
}

/// An operation on the host that failed: what, on which path, and why.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {action}: {source}", path = escape::path(path))]
pub struct HostError {
    /// The path, as the host names it.
    pub path: PathBuf,
    /// What was tried: `cannot read`, `cannot replace`.
    pub action: &'static str,
    /// What the kernel said.
    pub source: io::Error,
}

impl Host {
    /// This machine.
    #[must_use]
    pub fn live() -> Self {
        Self::at("/")
    }

    /// The tree below `root`: files only, no live values, no reload.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            state_dir: PathBuf::from("/var/lib/keepalive-policy"),
            runtime_dir: PathBuf::from("/run/keepalive-policy"),
            state: Arc::default(),
            runs_itself: false,
        }
    }

    /// The same for a user without privileges, who keeps state elsewhere.
    #[must_use]
    pub fn with_directories(self, state_dir: PathBuf, runtime_dir: PathBuf) -> Self {
        Self { state_dir, runtime_dir, state: Arc::default(), ..self }
    }

    /// What `--root` names: the tree below a directory, or this machine when it is `/` by any name.
    ///
    /// # Errors
    /// When there is no such directory, or another party decides where a link on the way leads.
    pub fn open(root: impl AsRef<Path>) -> Result<Self, HostError> {
        const ACTION: &str = "cannot use as --root";
        let given = std::path::absolute(&root).on(root.as_ref(), ACTION)?;
        let root = std::fs::canonicalize(&given).on(&given, ACTION)?;
        if !is_same(&given, &root).on(&given, ACTION)? {
            let elsewhere = "it leads into another mount namespace, whose files have no path here; run \
                             keepalive-policy there (nsenter --target PID --mount --root)";
            return Err(io::Error::other(elsewhere)).on(&given, ACTION);
        }
        let way = Self::live().resolve(&given)?;
        if let Err(refused @ Refused::Distrusted(_)) = Self::live().way(&way, Path::new("/")) {
            return Err(io::Error::from(refused)).on(&given, ACTION);
        }
        if root.is_dir() {
            return Ok(Self::at(root));
        }
        Err(rustix::io::Errno::NOTDIR).on(&root, ACTION)
    }

    /// Whether only trusted parties can change what the root is: asked before anything is written
    /// below it.
    ///
    /// # Errors
    /// When another party owns it, or a directory on the way to it, or can write there.
    pub fn trust_root(&self) -> Result<(), HostError> {
        const ACTION: &str = "nothing is written there";
        let caller = rustix::process::geteuid().as_raw();
        let root = Parties::of_caller().directory(&self.root);
        root.and_then(|root| root.keeps(&self.root.join("etc"), caller))
            .map_err(io::Error::from)
            .on(&self.root, ACTION)
    }

    /// Whether this is the running machine, and not a tree.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The directory that is the host's `/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The directory that outlives a reboot: originals, and the lock.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The directory that a reboot clears: the status file, shadow trees.
    #[must_use]
    pub fn runtime_dir(&self) -> &Path {
        &self.runtime_dir
    }
}

/// Whether both paths lead to the same directory. `/proc/PID/root` of a container leads to its root and
/// reads as `/`: this machine must not be taken for the container.
fn is_same(given: &Path, resolved: &Path) -> Result<bool, rustix::io::Errno> {
    let (one, other) = (rustix::fs::stat(given)?, rustix::fs::stat(resolved)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

pub(crate) trait Context<T> {
    /// Names the path and the action in the error.
    fn on(self, path: &Path, action: &'static str) -> Result<T, HostError>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn on(self, path: &Path, action: &'static str) -> Result<T, HostError> {
        self.map_err(|error| HostError { path: path.to_owned(), action, source: error.into() })
    }
}
