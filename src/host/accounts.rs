//! Whom ssh trusts with its configuration: root, the user, and on Debian a group that is nobody's
//! but theirs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::host::files::Node;
use crate::host::permissions::Permissions;
use crate::host::{Host, HostError};

/// Who runs ssh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Any user who is neither root nor in a group of note: for whom the host's files are made.
    Everyone,
    /// The account with this id.
    Account(u32),
}

/// `/etc/passwd` and `/etc/group`, as far as they matter here. Accounts of a directory service are
/// not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts {
    users: Vec<User>,
    groups: Vec<(u32, Vec<Vec<u8>>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct User {
    name: Vec<u8>,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

/// An account that has a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its id.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
    /// Its home directory.
    pub home: &'a Path,
}

impl Accounts {
    /// Reads both files; one that is missing has no entries.
    ///
    /// # Errors
    /// When one is there and can't be read.
    pub fn read(host: &Host) -> Result<Self, HostError> {
        let text = |path| {
            Ok::<_, HostError>(match host.read(Path::new(path))? {
                Node::File(file) => file.bytes,
                _ => Vec::new(),
            })
        };
        Ok(Self::parse(&text("/etc/passwd")?, &text("/etc/group")?))
    }

    /// passwd(5) and group(5); lines that are neither are passed over.
    #[must_use]
    pub fn parse(passwd: &[u8], group: &[u8]) -> Self {
        let fields =
            |line: &'_ [u8]| line.split(|byte| *byte == b':').map(<[u8]>::to_vec).collect();
        let number = |field: Option<&Vec<u8>>| std::str::from_utf8(field?).ok()?.parse().ok();
        let lines = |text: &[u8]| -> Vec<Vec<Vec<u8>>> {
            text.split(|byte| *byte == b'\n').map(fields).collect()
        };
        let user = |fields: Vec<Vec<u8>>| {
            let (uid, gid) = (number(fields.get(2))?, number(fields.get(3))?);
            let home = fields.get(5).cloned().unwrap_or_default();
            let home = PathBuf::from(OsString::from_vec(home));
            Some(User { name: fields.into_iter().next()?, uid, gid, home })
        };
        let members = |fields: Vec<Vec<u8>>| {
            let names = fields.get(3)?.split(|byte| *byte == b',').map(<[u8]>::to_vec);
            Some((number(fields.get(2))?, names.filter(|name| !name.is_empty()).collect()))
        };
        Self {
            users: lines(passwd).into_iter().filter_map(user).collect(),
            groups: lines(group).into_iter().filter_map(members).collect(),
        }
    }

    /// Those whose home directory is a path.
    pub fn with_homes(&self) -> impl Iterator<Item = Account<'_>> {
        let users = self.users.iter().filter(|user| user.home.is_absolute());
        users.map(|user| Account {
            name: &user.name,
            uid: user.uid,
            gid: user.gid,
            home: &user.home,
        })
    }

    /// The groups in which each account is listed, by its name.
    #[must_use]
    pub fn memberships(&self) -> BTreeMap<&[u8], Vec<u32>> {
        let mut memberships: BTreeMap<&[u8], Vec<u32>> = BTreeMap::new();
        for (gid, members) in &self.groups {
            for member in members {
                memberships.entry(member).or_default().push(*gid);
            }
        }
        memberships
    }

    /// Whether ssh reads a file with these permissions at all, rather than ending with "Bad owner
    /// or permissions". `lenient`: Debian's rule for groups.
    #[must_use]
    pub fn trusts(&self, file: Permissions, reader: Reader, lenient: bool) -> bool {
        let own = matches!(reader, Reader::Account(uid) if uid == file.uid);
        let writable = |bits| file.mode & bits != 0;
        (file.uid == 0 || own)
            && !writable(0o002)
            && (!writable(0o020) || lenient && self.is_private_group(file, reader))
    }

    /// The name of the account with this id.
    #[must_use]
    pub fn name_of(&self, uid: u32) -> Option<&[u8]> {
        self.users.iter().find(|user| user.uid == uid).map(|user| user.name.as_slice())
    }

    /// Whether the file's group has exactly one member: the reader, whose primary group it is, or
    /// the file's owner, who is listed in it.
    #[must_use]
    pub fn is_private_group(&self, file: Permissions, reader: Reader) -> bool {
        let group = self.groups.iter().find(|(id, _)| *id == file.gid);
        let Some((_, listed)) = group else { return false };
        let mut primary = self.users.iter().filter(|user| user.gid == file.gid).peekable();
        let someone = primary.peek().is_some() || !listed.is_empty();
        let owner = self.users.iter().find(|user| user.uid == file.uid).map(|user| &user.name);
        someone
            && primary.all(|user| matches!(reader, Reader::Account(uid) if uid == user.uid))
            && match listed.as_slice() {
                [] => owner.is_some(),
                [one] => Some(one) == owner,
                _ => false,
            }
    }
}

impl Reader {
    /// Whether the mode lets it read the file. What an account may read, the kernel says when the
    /// account tries.
    #[must_use]
    pub const fn may_read(self, permissions: Permissions) -> bool {
        matches!(self, Self::Account(_)) || permissions.mode & 0o004 != 0
    }

    /// Whether the mode lets it reach what is in a directory.
    #[must_use]
    pub const fn may_search(self, permissions: Permissions) -> bool {
        matches!(self, Self::Account(_)) || permissions.mode & 0o001 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] =
        b"root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n\
                            bob:x:1001:1001::/home/bob:/bin/sh\n+nis\n";
    const GROUP: &[u8] =
        b"root:x:0:\nalice:x:1000:\nbob:x:1001:alice\nours:x:1002:alice\nmine:x:1003:bob,alice\n";

    #[test]
    fn only_root_and_the_user_are_trusted_and_on_debian_their_private_group() {
        let accounts = Accounts::parse(PASSWD, GROUP);
        let alice = Reader::Account(1000);
        for (uid, gid, mode, reader, lenient, expected) in [
            (0, 0, 0o644, Reader::Everyone, true, true),
            (0, 0, 0o600, alice, false, true),
            (1000, 1000, 0o600, alice, true, true),
            (1000, 1000, 0o600, Reader::Everyone, true, false),
            (1001, 1001, 0o644, alice, true, false),
            (1000, 1000, 0o664, alice, true, true),
            (1000, 1000, 0o664, alice, false, false),
            (1000, 1000, 0o666, alice, true, false),
            // bob's group has alice besides bob.
            (1000, 1001, 0o664, alice, true, false),
            (1000, 1002, 0o664, alice, true, true),
            (1000, 1003, 0o664, alice, true, false),
            (1000, 4711, 0o664, alice, true, false),
            // root is a member of root's group, and not alice.
            (0, 0, 0o664, alice, true, false),
            (0, 1000, 0o664, alice, true, true),
            (0, 1000, 0o664, Reader::Everyone, true, false),
        ] {
            let file = Permissions { uid, gid, mode };
            let trusted = accounts.trusts(file, reader, lenient);
            assert_eq!(trusted, expected, "{file:?} {reader:?} lenient={lenient}");
        }
    }
}
