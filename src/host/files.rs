//! Reading files and directories.

use std::ffi::OsString;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::lease::Lease;
use super::open::{self, Seen};
use super::wait::wait_until;
use super::{Context, Host, HostError};

#[cfg(test)]
mod tests;

/// A file that says it is larger is given room as it is read.
const ROOM: u64 = 1 << 20;

/// The largest file that we read, in bytes. A distribution's sshd_config has 3 kB; a generated one
/// of 10,000 `Match` blocks has 1 MB.
pub const LARGEST_FILE: u64 = 16 << 20;

/// The longest directory that we list, in entries.
pub const LARGEST_DIRECTORY: usize = 1 << 16;

/// What stands at a path, after following links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Nothing.
    Missing,
    /// A symbolic link that leads nowhere, or round in a circle.
    Dangling,
    /// A directory.
    Directory,
    /// A device, FIFO or socket: never opened, since a FIFO would block for ever.
    Special,
    /// A regular file.
    File(File),
}

/// A regular file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it really is, as the host names it.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the content: seconds and nanoseconds since 1970.
    pub modified: (i64, u64),
    /// Whether somebody has it open for writing, so that it may not be whole.
    pub being_written: bool,
}

/// What an image has not, and the host has that is booted from it. A link there leads to something.
const AT_RUN_TIME: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Who writes a file in one go is done within this time.
const SETTLED: Duration = Duration::from_millis(250);

impl Host {
    /// Reads what stands at `path`, links followed inside the root.
    ///
    /// # Errors
    /// When it is there and can't be read, or is larger than [`LARGEST_FILE`]; a missing file is
    /// [`Node::Missing`].
    pub fn read(&self, path: &Path) -> Result<Node, HostError> {
        self.read_at_most(path, LARGEST_FILE)
    }

    /// The same once nobody has it open for writing, or after a quarter of a second.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn read_settled(&self, path: &Path) -> Result<Node, HostError> {
        self.read_settled_at_most(path, LARGEST_FILE)
    }

    /// The same for a file that has no business to be larger than `limit` bytes.
    ///
    /// # Errors
    /// As [`Host::read_at_most`].
    pub fn read_settled_at_most(&self, path: &Path, limit: u64) -> Result<Node, HostError> {
        settled(|| self.read_at_most(path, limit))
    }

    /// The same for a file that has no business to be larger than `limit` bytes.
    ///
    /// # Errors
    /// As [`Host::read`], and [`std::io::ErrorKind::FileTooLarge`].
    pub fn read_at_most(&self, path: &Path, limit: u64) -> Result<Node, HostError> {
        let resolved = match self.resolve(path) {
            Ok(resolved) => resolved,
            Err(error) if error.source.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
                return Ok(Node::Dangling);
            }
            Err(error) => return Err(error),
        };
        let seen = match Seen::at(&self.locate(&resolved.path)) {
            Ok(seen) => seen,
            Err(Errno::NOENT | Errno::NOTDIR)
                if !resolved.links.is_empty() && self.is_link(path) =>
            {
                let is_there_once_booted =
                    !self.is_live() && AT_RUN_TIME.iter().any(|top| resolved.path.starts_with(top));
                return Ok(if is_there_once_booted { Node::Special } else { Node::Dangling });
            }
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(Node::Missing),
            Err(error) => return Err(error).on(path, "cannot read"),
        };
        node(&seen, &resolved.path, limit).on(path, "cannot read")
    }

    /// Whether the last part of `path` is itself a symbolic link.
    #[must_use]
    pub fn is_link(&self, path: &Path) -> bool {
        let Some((parent, name)) = path.parent().zip(path.file_name()) else { return false };
        let Ok(parent) = self.resolve(parent) else { return false };
        rustix::fs::readlink(self.locate(&parent.path.join(name)), Vec::new()).is_ok()
    }

    /// The names in a directory in byte order, without `.` and `..`; empty when there is no such
    /// directory.
    ///
    /// # Errors
    /// When it is there and can't be read, or has more than [`LARGEST_DIRECTORY`] entries.
    pub fn list(&self, directory: &Path) -> Result<Vec<OsString>, HostError> {
        let resolved = self.resolve(directory)?;
        match open::listing(&self.locate(&resolved.path)) {
            Ok(fd) => names(fd).on(directory, "cannot list"),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(Vec::new()),
            Err(error) => Err(error).on(directory, "cannot list"),
        }
    }
}

/// The names in a directory, sorted.
pub(super) fn names(directory: OwnedFd) -> std::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in rustix::fs::Dir::new(directory)? {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
        if names.len() > LARGEST_DIRECTORY {
            return Err(beyond(LARGEST_DIRECTORY as u64, "entries"));
        }
    }
    names.sort();
    Ok(names)
}

/// Looks again while another process has the file open for writing, for a quarter of a second.
pub(super) fn settled<E>(look: impl Fn() -> Result<Node, E>) -> Result<Node, E> {
    let settled = wait_until(SETTLED, || match look() {
        Ok(Node::File(File { being_written: true, .. })) => None,
        read => Some(read),
    });
    settled.unwrap_or_else(look)
}

/// What was seen, read if it is a regular file. `path` is where it is, as the host names it.
pub(super) fn node(seen: &Seen<'_>, path: &Path, limit: u64) -> std::io::Result<Node> {
    match seen.kind() {
        FileType::RegularFile => {}
        FileType::Directory => return Ok(Node::Directory),
        _ => return Ok(Node::Special),
    }
    let stat = seen.stat();
    let (bytes, being_written) = content(seen.open(OFlags::RDONLY)?, stat.st_size, limit)?;
    Ok(Node::File(File {
        path: path.to_owned(),
        bytes,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        modified: (stat.st_mtime, stat.st_mtime_nsec),
        being_written,
    }))
}

/// What is in a regular file, and whether another process has it open for writing.
fn content(fd: OwnedFd, size: i64, limit: u64) -> std::io::Result<(Vec<u8>, bool)> {
    // A file of /proc says that it has no bytes; what it gives is counted as it is read.
    let size = u64::try_from(size).unwrap_or_default();
    if size > limit {
        return Err(beyond(limit, "bytes"));
    }
    // One byte more tells the end of the file from the end of the room.
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(ROOM)).unwrap_or_default() + 1);
    let content = std::fs::File::from(fd);
    let lease = Lease::take(&content);
    let read = bounded(&content, limit, &mut bytes);
    let being_written = lease.is_err();
    drop(lease);
    read?;
    Ok((bytes, being_written))
}

/// Reads all of `from`, which is an error where that is more than `limit` bytes.
fn bounded(from: impl Read, limit: u64, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    from.take(limit.saturating_add(1)).read_to_end(bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(beyond(limit, "bytes"));
    }
    Ok(())
}

/// What is in a file of the kernel's, which has no links on its way, opens at once, and says nothing of its
/// size.
///
/// # Errors
/// When it can't be read, or has more than `limit` bytes.
pub(crate) fn kernel_file(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bounded(std::fs::File::open(path)?, limit, &mut bytes)?;
    Ok(bytes)
}

/// The error of what exceeds a limit of ours.
pub(crate) fn beyond(limit: u64, unit: &str) -> std::io::Error {
    let message = format!("it has more than {limit} {unit}, which is the most that we read");
    std::io::Error::new(std::io::ErrorKind::FileTooLarge, message)
}
