//! The inotify descriptor, in the runtime's poll or out of it.

use std::future::pending;
use std::os::fd::OwnedFd;

use rustix::fs::inotify::{self, CreateFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::ready::{ready, register};

/// Open, it wakes the thread with each event; shut, its events wait in the kernel and wake nobody.
/// A descriptor in epoll would, read or not.
#[derive(Debug)]
pub(super) enum Eye {
    Open(AsyncFd<OwnedFd>),
    Shut(OwnedFd),
    /// The runtime's poll did not take it back: no event is heard, and rereading finds all.
    Lost,
}

impl Eye {
    pub fn new() -> Result<Self, Errno> {
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        register(fd, Interest::READABLE).map(Self::Open).ok_or(Errno::NOSPC)
    }

    pub fn fd(&self) -> Option<&OwnedFd> {
        match self {
            Self::Open(fd) => Some(fd.get_ref()),
            Self::Shut(fd) => Some(fd),
            Self::Lost => None,
        }
    }

    pub fn shut(&mut self) {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Open(fd) => Self::Shut(fd.into_inner()),
            other => other,
        };
    }

    /// What has come meanwhile counts as new.
    pub fn open(&mut self) {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Shut(fd) => register(fd, Interest::READABLE).map_or(Self::Lost, Self::Open),
            other => other,
        };
    }

    pub async fn readable(&self) {
        match self {
            Self::Open(fd) => ready(fd, Interest::READABLE).await,
            Self::Shut(_) | Self::Lost => pending().await,
        }
    }
}
