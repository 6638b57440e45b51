//! What is mounted where, as one process sees it: `/proc/PID/mountinfo` (proc_pid_mountinfo(5)). Reading
//! that of another process takes no privilege, while its root directory and its namespaces take one.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::files;

#[cfg(test)]
mod tests;

/// File systems that may live on another machine. All of FUSE counts too: sshfs and glusterfs are.
const REMOTE: [&[u8]; 12] = [
    b"9p", b"afs", b"beegfs", b"ceph", b"cifs", b"coda", b"gpfs", b"lustre", b"nfs", b"nfs4",
    b"smb3", b"smbfs",
];

/// What kind of file system is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One of this machine's.
    Local,
    /// One that may be on another machine.
    Remote,
    /// autofs: another one is mounted over it, or in it, when a process looks.
    MountedByLooking,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    id: u32,
    /// The mount that it stands on.
    parent: u32,
    /// Major and minor number of the file system's device.
    device: String,
    /// The directory of that file system that is mounted.
    root: PathBuf,
    /// Where, from the process's root directory.
    point: PathBuf,
    kind: Kind,
}

/// The mounts of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mounts(Vec<Mount>);

/// A file by its file system, whatever path leads there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location<'a> {
    /// Major and minor number of the file system's device: `8:1`.
    pub device: &'a str,
    /// The path in that file system.
    pub path: PathBuf,
    /// Where the file system is mounted on the way.
    pub point: &'a Path,
}

impl Mounts {
    /// Those that this process sees; `None` where that can't be read.
    #[must_use]
    pub fn own() -> Option<Self> {
        Self::read("self")
    }

    /// Those that the process with this id sees; `None` where that can't be read.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Self::read(&pid.to_string())
    }

    fn read(process: &str) -> Option<Self> {
        let path = format!("/proc/{process}/mountinfo");
        Some(Self::parse(&files::kernel_file(Path::new(&path), files::LARGEST_FILE).ok()?))
    }

    /// From the text of a `mountinfo`; a line that is none is passed over.
    #[must_use]
    pub fn parse(mountinfo: &[u8]) -> Self {
        Self(mountinfo.split(|byte| *byte == b'\n').filter_map(parse).collect())
    }

    /// Where what holds `path` is mounted, and what that is: of several mounts on one another the
    /// last one counts. What is mounted in a remote one is reached by way of it, and is remote too.
    #[must_use]
    pub fn holder<'m>(&'m self, path: &'m Path) -> (&'m Path, Kind) {
        let mut on_the_way = path
            .ancestors()
            .filter_map(|directory| self.0.iter().rev().find(|mount| mount.point == directory));
        let Some(holder) = on_the_way.next() else { return (Path::new("/"), Kind::Local) };
        let remote = on_the_way.find(|mount| mount.kind == Kind::Remote);
        let found = remote.filter(|_| holder.kind == Kind::Local).unwrap_or(holder);
        (&found.point, found.kind)
    }

    /// The mount that a process has its root directory in, if that is listed: it stands on one that
    /// is not, or, where the root is the initramfs, on itself.
    fn root(&self) -> Option<&Mount> {
        self.0.iter().find(|one| one.point == Path::new("/") && self.is_first(one))
    }

    fn is_first(&self, mount: &Mount) -> bool {
        !self.0.iter().any(|other| other.id == mount.parent && other.id != mount.id)
    }

    /// Both, each with its root, where neither lists that and it is the same directory. It is where
    /// both have the same mount, by its id, at the same place: a mount stands in one place only.
    #[must_use]
    pub fn with_same_root(self, other: Self) -> (Self, Self) {
        let both =
            |one: &Mount| other.0.iter().any(|it| (it.id, &it.point) == (one.id, &one.point));
        if self.root().is_some() || other.root().is_some() || !self.0.iter().any(both) {
            return (self, other);
        }
        (self.with_root(), other.with_root())
    }

    fn with_root(mut self) -> Self {
        let Some(id) = self.0.iter().find(|mount| self.is_first(mount)).map(|first| first.parent)
        else {
            return self;
        };
        let root = PathBuf::from("/");
        let device = "the root directory".to_owned();
        let point = root.clone();
        self.0.push(Mount { id, parent: id, device, root, point, kind: Kind::Local });
        self
    }

    /// Where an absolute path without links leads. `None` where nothing is mounted on its way: the
    /// process has a root directory that is no mount.
    #[must_use]
    pub fn locate(&self, path: &Path) -> Option<Location<'_>> {
        let mut here = self.root()?;
        // A mount that stands on a directory of another one is met on the way down, the highest one
        // first; what is mounted below a directory that was itself mounted over later never is.
        for _ in 0..self.0.len() {
            let on_the_way = |mount: &&Mount| {
                (mount.parent, path.starts_with(&mount.point)) == (here.id, true)
                    && mount.id != here.id
            };
            let next = self.0.iter().filter(on_the_way);
            let Some(next) = next.min_by_key(|mount| mount.point.components().count()) else {
                break;
            };
            here = next;
        }
        let mut found = here.root.clone();
        found.extend(path.strip_prefix(&here.point).ok()?);
        Some(Location { device: &here.device, path: found, point: &here.point })
    }

    /// The places at or below `path` where something is mounted.
    #[must_use]
    pub fn below(&self, path: &Path) -> BTreeSet<&Path> {
        let points = self.0.iter().map(|mount| mount.point.as_path());
        points.filter(|point| point.starts_with(path)).collect()
    }
}

impl Location<'_> {
    /// Whether both are the same file.
    #[must_use]
    pub fn is_same(&self, other: &Location<'_>) -> bool {
        (self.device, &self.path) == (other.device, &other.path)
    }
}

/// The mount point of a line.
#[must_use]
pub fn point(line: &[u8]) -> Option<PathBuf> {
    Some(path(line.split(|byte| *byte == b' ').nth(4)?))
}

/// `36 35 98:0 /root /mount/point options shared:1 - kind source options`.
fn parse(line: &[u8]) -> Option<Mount> {
    let text = |field: &[u8]| String::from_utf8_lossy(field).into_owned();
    let mut fields = line.split(|byte| *byte == b' ');
    let id = text(fields.next()?).parse().ok()?;
    let parent = text(fields.next()?).parse().ok()?;
    let device = text(fields.next()?);
    let (root, point) = (path(fields.next()?), path(fields.next()?));
    let kind = match fields.skip_while(|field| *field != b"-").nth(1)? {
        b"autofs" => Kind::MountedByLooking,
        kind if REMOTE.contains(&kind) || kind.starts_with(b"fuse") => Kind::Remote,
        _ => Kind::Local,
    };
    Some(Mount { id, parent, device, root, point, kind })
}

/// Blanks, tabs, line feeds and backslashes are written as three octal digits.
fn path(field: &[u8]) -> PathBuf {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *first == b'\\');
        let code = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(OsStr::from_bytes(&plain))
}
