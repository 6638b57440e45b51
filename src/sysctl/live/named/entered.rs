//! A network namespace that was entered once, and whose files stay open.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::super::file::{self, Open};
use super::Seen;
use crate::host::Host;
use crate::sysctl::Key;

/// `NSFS_MAGIC`: what is mounted on a name once it stands for a namespace.
const NSFS: i64 = 0x6e73_6673;

type Files = BTreeMap<Key, Result<Open, Errno>>;

/// Its open files, and which namespace it was.
#[derive(Debug)]
pub struct Entered {
    device: u64,
    inode: u64,
    files: Files,
}

/// The namespace that has the name now: the known one, if it is still that, else entered anew.
/// `None` for a name that stands for none (yet), or for the one that this process is in.
///
/// # Errors
/// What `open(2)` and `setns(2)` say.
pub fn current(host: &Host, path: &Path, known: Option<Entered>) -> Result<Option<Entered>, Errno> {
    let located = host.locate(path);
    // Before it is opened: a device would notice.
    match rustix::fs::statfs(&located) {
        Ok(found) if found.f_type == NSFS => {}
        Ok(_) | Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error),
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let namespace = match rustix::fs::open(located, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(None),
        other => other?,
    };
    if rustix::fs::fstatfs(&namespace)?.f_type != NSFS {
        return Ok(None);
    }
    let stat = rustix::fs::fstat(&namespace)?;
    let own = rustix::fs::stat("/proc/self/ns/net")?;
    if (own.st_dev, own.st_ino) == (stat.st_dev, stat.st_ino) {
        return Ok(None);
    }
    // The number of a namespace that ended is given to the next one: its files say that it is dead.
    let same = |known: &Entered| {
        (known.device, known.inode) == (stat.st_dev, stat.st_ino) && !known.is_dead()
    };
    if let Some(known) = known.filter(same) {
        return Ok(Some(known));
    }
    let files = enter(host.clone(), namespace)?;
    Ok(Some(Entered { device: stat.st_dev, inode: stat.st_ino, files }))
}

/// Only the thread that calls it is moved, and this one ends right afterwards.
fn enter(host: Host, namespace: OwnedFd) -> Result<Files, Errno> {
    let inside = move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        let open = |key: Key| (key, file::current(&host, key, None));
        Ok(Key::ALL.into_iter().map(open).collect())
    };
    let thread = thread::Builder::new().name("netns".to_owned()).spawn(inside);
    let thread =
        thread.map_err(|error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::AGAIN))?;
    thread.join().unwrap_or(Err(Errno::CANCELED))
}

impl Entered {
    fn is_dead(&self) -> bool {
        self.files.values().flatten().any(|file| file.value() == Err(Errno::NOENT))
    }

    /// All values, and where to watch them.
    pub fn look(&self, path: &Path) -> Seen {
        let said = |key: Key, error: Errno| {
            format!("{}: {} cannot be read ({error})", path.display(), key.name())
        };
        let values = Key::ALL.map(|key| (key, self.value(key).map_err(|error| said(key, error))));
        let watched = self.files.values().flatten().map(Open::as_path).collect();
        Seen { values: values.into_iter().collect(), watched }
    }

    /// The value now.
    ///
    /// # Errors
    /// What `open(2)` said when the namespace was entered, or `pread(2)` says now.
    pub fn value(&self, key: Key) -> Result<i64, Errno> {
        self.open(key)?.value()
    }

    /// Writes a value, on a fresh descriptor of the same file, as for the host's own.
    ///
    /// # Errors
    /// What `open(2)` and `pwrite(2)` say.
    pub fn write(&self, key: Key, value: i64) -> Result<(), Errno> {
        file::write_to(&self.open(key)?.as_path(), value)
    }

    fn open(&self, key: Key) -> Result<&Open, Errno> {
        match self.files.get(&key) {
            Some(Ok(open)) => Ok(open),
            Some(Err(error)) => Err(*error),
            None => Err(Errno::NOENT),
        }
    }
}
