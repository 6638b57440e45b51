//! Opening what a path without links names, and nothing else: a name that has become a link since
//! the path was resolved is not followed, and what is only looked at never notices.

use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

#[cfg(test)]
mod tests;

/// Names a place without opening the file: no device, terminal or FIFO notices (open(2), O_PATH).
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// For the names in a directory.
const LISTING: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What stands at a path, seen but not opened.
#[derive(Debug)]
pub(super) struct Seen<'d> {
    fd: OwnedFd,
    stat: rustix::fs::Stat,
    /// From where the path leads there, for where /proc is not mounted.
    directory: BorrowedFd<'d>,
    path: PathBuf,
}

impl<'d> Seen<'d> {
    /// Looks at an absolute path of this machine that has no links in it.
    ///
    /// # Errors
    /// ELOOP where a part of it is a link, and what `openat2(2)` says.
    pub fn at(located: &Path) -> Result<Self, Errno> {
        Self::of(without_links(located, LOOK)?, CWD, located.to_owned())
    }

    /// Looks at one name in a directory.
    ///
    /// # Errors
    /// ELOOP where it is a link, and what `openat(2)` says.
    pub fn within(directory: &'d impl AsFd, name: &OsStr) -> Result<Self, Errno> {
        let fd = rustix::fs::openat(directory, name, LOOK, Mode::empty())?;
        Self::of(fd, directory.as_fd(), PathBuf::from(name))
    }

    fn of(fd: OwnedFd, directory: BorrowedFd<'d>, path: PathBuf) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(&fd)?;
        let seen = Self { fd, stat, directory, path };
        if seen.kind() == FileType::Symlink { Err(Errno::LOOP) } else { Ok(seen) }
    }

    /// What it is.
    pub fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// Owner, mode, size and times.
    pub const fn stat(&self) -> &rustix::fs::Stat {
        &self.stat
    }

    /// Opens it. Only for what may be opened without an effect: a regular file or a directory.
    ///
    /// # Errors
    /// What `open(2)` says; ENOENT when something else has taken its place.
    pub fn open(&self, flags: OFlags) -> Result<OwnedFd, Errno> {
        // NONBLOCK and NOCTTY: what may have taken its place must not hang or take over the daemon.
        let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let by_descriptor = format!("/proc/self/fd/{}", self.fd.as_raw_fd());
        match rustix::fs::open(by_descriptor, flags, Mode::empty()) {
            // Where /proc is not mounted, or mounted with `nosymfollow`.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => self.open_by_name(flags),
            opened => opened,
        }
    }

    fn open_by_name(&self, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::NOFOLLOW;
        let fd = rustix::fs::openat(self.directory, &self.path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&fd)?;
        let same = (stat.st_dev, stat.st_ino) == (self.stat.st_dev, self.stat.st_ino);
        if same { Ok(fd) } else { Err(Errno::NOENT) }
    }
}

/// Opens a directory to list it, by an absolute path of this machine that has no links in it.
///
/// # Errors
/// As for [`Seen::at`].
pub(super) fn listing(located: &Path) -> Result<OwnedFd, Errno> {
    without_links(located, LISTING)
}

/// The same by the descriptor of a directory.
///
/// # Errors
/// What `openat(2)` says.
pub(super) fn listing_of(directory: &impl AsFd) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, ".", LISTING, Mode::empty())
}

/// One call of the kernel where it has that (Linux 5.6) and lets us make it, else a walk.
fn without_links(located: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    static MISSING: AtomicBool = AtomicBool::new(false);
    if MISSING.load(Ordering::Relaxed) {
        return walk(located, flags);
    }
    match at_once(located, flags) {
        // EPERM is how filters of system calls say that they don't know it: with these flags the
        // kernel itself never says so.
        Err(Errno::NOSYS | Errno::PERM) => {
            MISSING.store(true, Ordering::Relaxed);
            walk(located, flags)
        }
        opened => opened,
    }
}

fn at_once(located: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(CWD, located, flags, Mode::empty(), resolve)
}

/// The same, one part after the other.
fn walk(located: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut names = names(located);
    let last = names.next_back().unwrap_or_else(|| OsStr::new("."));
    let mut directory = root()?;
    for name in names {
        directory = step(&directory, name)?;
    }
    rustix::fs::openat(&directory, last, flags, Mode::empty())
}

/// The root directory of this process.
pub(super) fn root() -> Result<OwnedFd, Errno> {
    rustix::fs::open("/", LOOK | OFlags::DIRECTORY, Mode::empty())
}

/// Goes down into one directory.
///
/// # Errors
/// ELOOP where the name is a link, and what `openat(2)` says.
pub(super) fn step(directory: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    match rustix::fs::openat(directory, name, LOOK | OFlags::DIRECTORY, Mode::empty()) {
        // The kernel says the same of a link as of a file.
        Err(Errno::NOTDIR) => {
            let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
            Err(if link { Errno::LOOP } else { Errno::NOTDIR })
        }
        stepped => stepped,
    }
}

/// The names on the way from the root directory.
pub(super) fn names(located: &Path) -> impl DoubleEndedIterator<Item = &OsStr> {
    located.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    })
}
