//! One file of /proc/sys: read through a descriptor that stays open, written in one piece.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::host::Host;
use crate::sysctl::Key;

/// Longer than any number that the kernel prints.
const ANSWER: usize = 32;

/// A file that is open for reading.
#[derive(Debug)]
pub struct Open {
    fd: OwnedFd,
    device: u64,
    inode: u64,
}

/// `/proc/sys/net/ipv4/tcp_keepalive_time`.
pub fn path(key: Key) -> PathBuf {
    PathBuf::from("/proc/sys").join(key.name().replace('.', "/"))
}

/// The open file, if it still is the one at the path; else that one, opened. Another mount over
/// /proc, or an inode made anew before we held it, shows as another inode.
///
/// # Errors
/// What `stat(2)` and `open(2)` say.
pub fn current(host: &Host, key: Key, open: Option<Open>) -> Result<Open, Errno> {
    let located = host.locate(&path(key));
    let stat = rustix::fs::stat(&located)?;
    if let Some(open) = open
        && (open.device, open.inode) == (stat.st_dev, stat.st_ino)
    {
        return Ok(open);
    }
    let fd = rustix::fs::open(&located, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    Ok(Open { fd, device: stat.st_dev, inode: stat.st_ino })
}

impl Open {
    /// The path by which this process can open or watch the same file again, whatever namespace it
    /// is of.
    pub fn as_path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.fd.as_raw_fd()))
    }

    /// The value now.
    ///
    /// # Errors
    /// What `pread(2)` says; EBADMSG when it is no number.
    pub fn value(&self) -> Result<i64, Errno> {
        let mut answer = [0; ANSWER];
        // One read at offset 0 with room for all: the kernel prints the value once and then says
        // end of file, whatever was left.
        let length = rustix::io::pread(&self.fd, &mut answer, 0)?;
        let text = answer.get(..length).and_then(|text| std::str::from_utf8(text).ok());
        text.and_then(|text| text.trim().parse().ok()).ok_or(Errno::BADMSG)
    }
}

/// Writes a value, in one write at offset 0 on a fresh descriptor: the kernel ignores writes at
/// other offsets without an error. Not truncated at opening, since that is an event for watchers
/// before there is anything to see.
///
/// # Errors
/// What `open(2)` and `pwrite(2)` say.
pub fn write(host: &Host, key: Key, value: i64) -> Result<(), Errno> {
    write_to(&host.locate(&path(key)), value)
}

/// The same, to a file by its path on this machine.
///
/// # Errors
/// What `open(2)` and `pwrite(2)` say.
pub fn write_to(located: &Path, value: i64) -> Result<(), Errno> {
    let fd = rustix::fs::open(located, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::pwrite(&fd, format!("{value}\n").as_bytes(), 0)?;
    Ok(())
}

/// The error for the person who reads it: what usually causes it, and where that is changed.
pub fn explain(key: Key, action: &str, error: &Errno) -> String {
    let cause = match *error {
        Errno::ROFS => {
            ": /proc/sys is read-only here; in a unit that is ProtectKernelTunables=yes, or \
             ReadOnlyPaths=/proc/sys without ReadWritePaths=/proc/sys/net/ipv4; in a container, how \
             it was started"
        }
        Errno::PERM | Errno::ACCESS => {
            ": it takes user 0, or CAP_NET_ADMIN in the user namespace that owns the network \
             namespace; in a unit look at User= and PrivateUsers="
        }
        Errno::NOENT => {
            ": the kernel has no such setting here; in a unit ProcSubset=pid hides /proc/sys"
        }
        Errno::INVAL => ": the kernel does not take this value",
        Errno::BADMSG => ": what it gives is no number",
        _ => "",
    };
    format!("{} {action} ({error}){cause}", path(key).display())
}
