//! The network namespaces that have a name, and a look into one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Host, HostError};

/// Where `ip netns` keeps the names.
const DIRECTORY: &str = "/run/netns";

/// `NSFS_MAGIC`: what is mounted on a name once it stands for a namespace.
const NSFS: i64 = 0x6e73_6673;

/// The names; empty where nobody gave any.
///
/// # Errors
/// When the directory is there and can't be read.
pub fn named(host: &Host) -> Result<Vec<OsString>, HostError> {
    host.list(Path::new(DIRECTORY))
}

/// What `look` finds in the namespace of that name; `None` for a name that stands for none, or for
/// the one that this process is in.
///
/// # Errors
/// What `open(2)` and `setns(2)` say: entering takes `CAP_SYS_ADMIN`.
pub fn inside<T: Send>(
    host: &Host,
    name: &OsStr,
    look: impl FnOnce() -> T + Send,
) -> Result<Option<T>, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let path = host.locate(&Path::new(DIRECTORY).join(name));
    let namespace = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    let stat = rustix::fs::fstat(&namespace)?;
    let own = rustix::fs::stat("/proc/self/ns/net")?;
    let is_own = (own.st_dev, own.st_ino) == (stat.st_dev, stat.st_ino);
    if is_own || rustix::fs::fstatfs(&namespace)?.f_type != NSFS {
        return Ok(None);
    }
    // Only the thread that calls it is moved, and this one ends right afterwards.
    let entered = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(look())
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("netns".to_owned()).spawn_scoped(scope, entered);
        let thread = thread
            .map_err(|error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
        thread.join().unwrap_or(Err(Errno::CANCELED)).map(Some)
    })
}
