//! Where a look may never end: file systems that live on another machine, or are mounted when somebody
//! looks. Whoever checks a host in trouble must not wait for its dead file server.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::host::Host;
use crate::host::files::Node;

/// As /proc/self/mountinfo calls them. All of FUSE counts: sshfs and glusterfs are.
const KINDS: [&[u8]; 13] = [
    b"9p", b"afs", b"autofs", b"beegfs", b"ceph", b"cifs", b"coda", b"gpfs", b"lustre", b"nfs",
    b"nfs4", b"smb3", b"smbfs",
];

/// The mount points of a host, and which of them are remote.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<(PathBuf, bool)>);

impl Mounts {
    /// Those that this process sees; none where that can't be read.
    pub fn read(host: &Host) -> Self {
        match host.read(Path::new("/proc/self/mountinfo")) {
            Ok(Node::File(file)) => Self::parse(&file.bytes),
            _ => Self::default(),
        }
    }

    /// `36 35 98:0 /root /mount/point options shared:1 - kind source options` (proc(5)).
    fn parse(mountinfo: &[u8]) -> Self {
        let mount = |line: &[u8]| {
            let mut fields = line.split(|byte| *byte == b' ');
            let point = PathBuf::from(std::ffi::OsStr::from_bytes(&unescaped(fields.nth(4)?)));
            let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
            Some((point, KINDS.contains(&kind) || kind.starts_with(b"fuse")))
        };
        Self(mountinfo.split(|byte| *byte == b'\n').filter_map(mount).collect())
    }

    /// Whether `path`, or a directory on the way to it, is remote: what is mounted there last counts.
    pub fn is_remote(&self, path: &Path) -> bool {
        path.ancestors().any(|directory| {
            let last = self.0.iter().rev().find(|(point, _)| point == directory);
            last.is_some_and(|(_, remote)| *remote)
        })
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
              bad line\n",
        );
        for (path, remote) in [
            ("/", false),
            ("/root", false),
            ("/home", true),
            ("/home/alice", true),
            ("/homes", false),
            ("/srv/a b/alice", true),
            ("/data/alice", false),
            ("/mnt/x", true),
        ] {
            assert_eq!(mounts.is_remote(Path::new(path)), remote, "{path}");
        }
        assert!(!Mounts::default().is_remote(Path::new("/home")));
    }
}
