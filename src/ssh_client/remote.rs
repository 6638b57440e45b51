//! Where a look may never end: file systems that live on another machine. Homes there are looked at
//! last, so that a dead file server takes no time from the others. What is mounted only when a
//! process looks is not looked at.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::host::files::Node;

/// As /proc/self/mountinfo calls them. All of FUSE counts: sshfs and glusterfs are.
const KINDS: [&[u8]; 12] = [
    b"9p", b"afs", b"beegfs", b"ceph", b"cifs", b"coda", b"gpfs", b"lustre", b"nfs", b"nfs4",
    b"smb3", b"smbfs",
];

/// What kind of file system is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of this machine's.
    Local,
    /// One that may be on another machine.
    Remote,
    /// autofs: another one is mounted over it, or in it, when a process looks.
    MountedByLooking,
}

/// The mount points of this machine, and what is mounted there.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<(PathBuf, Kind)>);

impl Mounts {
    /// Those that this process sees; none where that can't be read.
    pub fn read() -> Self {
        match Host::live().read(Path::new("/proc/self/mountinfo")) {
            Ok(Node::File(file)) => Self::parse(&file.bytes),
            _ => Self::default(),
        }
    }

    /// `36 35 98:0 /root /mount/point options shared:1 - kind source options` (proc(5)).
    pub fn parse(mountinfo: &[u8]) -> Self {
        let mount = |line: &[u8]| {
            let mut fields = line.split(|byte| *byte == b' ');
            let point = PathBuf::from(std::ffi::OsStr::from_bytes(&unescaped(fields.nth(4)?)));
            let kind = match fields.skip_while(|field| *field != b"-").nth(1)? {
                b"autofs" => Kind::MountedByLooking,
                kind if KINDS.contains(&kind) || kind.starts_with(b"fuse") => Kind::Remote,
                _ => Kind::Local,
            };
            Some((point, kind))
        };
        Self(mountinfo.split(|byte| *byte == b'\n').filter_map(mount).collect())
    }

    /// Where what holds `path` is mounted, and what that is: of several mounts on one another the
    /// last one counts. What is mounted in a remote one is reached by way of it, and is remote too.
    pub fn of<'m>(&'m self, path: &'m Path) -> (&'m Path, Kind) {
        let mut on_the_way = path
            .ancestors()
            .filter_map(|directory| self.0.iter().rev().find(|(point, _)| point == directory));
        let Some((point, kind)) = on_the_way.next() else { return (Path::new("/"), Kind::Local) };
        let remote = on_the_way.find(|(_, kind)| *kind == Kind::Remote);
        match (kind, remote) {
            (Kind::Local, Some((point, kind))) => (point, *kind),
            _ => (point, *kind),
        }
    }
}

/// Blanks, tabs, line feeds and backslashes are written as three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
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
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_last_on_the_way_counts() {
        let mounts = Mounts::parse(
            b"1 0 8:1 / / rw - ext4 /dev/sda rw\n\
              2 1 0:9 / /home rw shared:1 - autofs map rw\n\
              3 1 0:9 / /srv/a\\040b rw shared:1 master:2 - nfs4 server:/x rw\n\
              4 1 0:9 / /data rw - nfs server:/y rw\n\
              5 1 8:2 / /data rw - xfs /dev/sdb rw\n\
              6 1 0:9 / /mnt rw - fuse.sshfs there rw\n\
              7 2 0:9 / /home/bob rw - nfs4 server:/bob rw\n\
              8 7 8:3 / /home/bob/local rw - ext4 /dev/sdc rw\n\
              bad line\n",
        );
        for (path, expected) in [
            ("/", ("/", Kind::Local)),
            ("/root", ("/", Kind::Local)),
            ("/home", ("/home", Kind::MountedByLooking)),
            ("/home/alice", ("/home", Kind::MountedByLooking)),
            ("/home/bob/x", ("/home/bob", Kind::Remote)),
            ("/home/bob/local/x", ("/home/bob", Kind::Remote)),
            ("/homes", ("/", Kind::Local)),
            ("/srv/a b/alice", ("/srv/a b", Kind::Remote)),
            ("/data/alice", ("/data", Kind::Local)),
            ("/mnt/x", ("/mnt", Kind::Remote)),
        ] {
            let (point, kind) = expected;
            assert_eq!(mounts.of(Path::new(path)), (Path::new(point), kind), "{path}");
        }
        assert_eq!(Mounts::default().of(Path::new("/home")), (Path::new("/"), Kind::Local));
    }
}
