//! Replacing a file so that at every instant the old or the new one is there, whole.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::files::Node;
use super::{Context, Host, HostError};

#[cfg(test)]
mod tests;

/// Ends the name of every temporary file of ours. The names begin with a dot and don't end in
/// `.conf`, so neither sshd's `Include …/*.conf` nor a sysctl loader takes one up.
const TEMPORARY: &str = ".keepalive-policy-new";

/// What [`Host::replace`] expects to find, so that nobody else's edit is lost.
#[derive(Debug, Clone, Copy)]
pub enum Expect<'a> {
    /// No file: it is made, owned by the caller, with this mode.
    Absent {
        /// Permission bits of the new file.
        mode: u32,
    },
    /// Exactly this content: its mode, owner, group and extended attributes are kept.
    Content(&'a [u8]),
}

impl Host {
    /// Puts `bytes` at `path` in one step. A symbolic link is followed, the target replaced.
    ///
    /// # Errors
    /// When the file is not as expected (somebody else was quicker), when an owner or attribute
    /// can't be kept, or the disk refuses: the old file then stands untouched.
    pub fn replace(&self, path: &Path, expect: Expect<'_>, bytes: &[u8]) -> Result<(), HostError> {
        let resolved = self.resolve(path)?;
        self.expect(path, expect)?;
        let (directory, name) = split(&resolved.path).on(path, "cannot replace")?;
        let directory = self.open_directory(&directory)?;
        let temporary = temporary_name(&name);
        let written = self
            .write_temporary(&directory, &temporary, &resolved.path, expect, bytes)
            .on(path, "cannot write the new version beside it")
            // The last look before the rename: an edit made since is kept, ours waits its turn.
            .and_then(|()| self.expect(path, expect))
            .and_then(|()| {
                rustix::fs::renameat(&directory, &temporary, &directory, &name)
                    .on(path, "cannot replace")
            });
        if let Err(error) = written {
            // Best effort: what stays is swept at the next start.
            let _ = rustix::fs::unlinkat(&directory, &temporary, rustix::fs::AtFlags::empty());
            return Err(error);
        }
        rustix::fs::fsync(&directory).on(path, "replaced, but cannot sync its directory")
    }

    /// Removes `path` if it still has this content.
    ///
    /// # Errors
    /// When it changed meanwhile, or can't be removed.
    pub fn remove(&self, path: &Path, content: &[u8]) -> Result<(), HostError> {
        self.expect(path, Expect::Content(content))?;
        let (parent, name) = split(path).on(path, "cannot remove")?;
        let parent = self.resolve(&parent)?.path;
        let directory = self.open_directory(&parent)?;
        rustix::fs::unlinkat(&directory, &name, rustix::fs::AtFlags::empty())
            .on(path, "cannot remove")?;
        rustix::fs::fsync(&directory).on(path, "removed, but cannot sync its directory")
    }

    /// Gives what stands at `path`, of whatever kind, another name in its directory. A link is
    /// renamed, not followed.
    ///
    /// # Errors
    /// When the new name is taken, or what `rename(2)` says.
    pub fn rename(&self, path: &Path, to: &Path) -> Result<(), HostError> {
        let (parent, name) = split(path).on(path, "cannot rename")?;
        let (_, new) = split(to).on(to, "cannot rename")?;
        let directory = self.open_directory(&self.resolve(&parent)?.path)?;
        let kept = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(&directory, &name, &directory, &new, kept) {
            // NFS has no such flag.
            Err(Errno::INVAL) if !self.exists(to) => {
                rustix::fs::renameat(&directory, &name, &directory, &new)
            }
            renamed => renamed,
        }
        .on(path, "cannot rename")?;
        rustix::fs::fsync(&directory).on(path, "renamed, but cannot sync its directory")
    }

    /// Makes a directory and its parents, with this mode for those that are new.
    ///
    /// # Errors
    /// What `mkdir(2)` says, other than that it exists.
    pub fn make_directory(&self, path: &Path, mode: u32) -> Result<(), HostError> {
        let mut made = PathBuf::from("/");
        for part in self.resolve(path)?.path.components().skip(1) {
            made.push(part);
            match rustix::fs::mkdir(self.locate(&made), Mode::from(mode)) {
                Ok(()) => {
                    rustix::fs::chmod(self.locate(&made), Mode::from(mode))
                        .on(&made, "cannot set the mode")?;
                }
                Err(Errno::EXIST) => {}
                Err(_) if self.locate(&made).is_dir() => {}
                Err(error) => return Err(error).on(&made, "cannot make the directory"),
            }
        }
        Ok(())
    }

    /// Removes what an interrupted [`Host::replace`] left in `directory`. The caller holds the
    /// lock, so nobody is using them. Gives the names that were removed.
    ///
    /// # Errors
    /// When the directory can't be listed or an entry not removed.
    pub fn sweep(&self, directory: &Path) -> Result<Vec<OsString>, HostError> {
        let mut swept = Vec::new();
        for name in self.list(directory)? {
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b".") && bytes.ends_with(TEMPORARY.as_bytes()) {
                let path = self.resolve(directory)?.path.join(&name);
                rustix::fs::unlink(self.locate(&path)).on(&path, "cannot remove a leftover")?;
                swept.push(name);
            }
        }
        Ok(swept)
    }

    fn expect(&self, path: &Path, expect: Expect<'_>) -> Result<(), HostError> {
        let obstacle = match (self.read_settled(path)?, expect) {
            (Node::Missing, Expect::Absent { .. }) => return Ok(()),
            (Node::File(file), Expect::Content(content)) if file.bytes == content => {
                if !file.being_written {
                    return Ok(());
                }
                // What he writes from now on would go into a file that has no name any more.
                "somebody has it open for writing"
            }
            _ => "somebody else changed it at the same moment",
        };
        Err(std::io::Error::other(obstacle)).on(path, "left as it is")
    }

    fn open_directory(&self, path: &Path) -> Result<OwnedFd, HostError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        rustix::fs::open(self.locate(path), flags, Mode::empty())
            .on(path, "cannot open the directory")
    }

    fn write_temporary(
        &self,
        directory: &OwnedFd,
        temporary: &OsStr,
        original: &Path,
        expect: Expect<'_>,
        bytes: &[u8],
    ) -> std::io::Result<()> {
        // A leftover of an interrupted run; the lock says that it is nobody's.
        match rustix::fs::unlinkat(directory, temporary, rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(directory, temporary, flags, Mode::from(0o600))?;
        match expect {
            // After creation, because the unit's UMask=0077 would hide the file from ssh's users.
            Expect::Absent { mode } => rustix::fs::fchmod(&file, Mode::from(mode))?,
            Expect::Content(_) => copy_attributes(&self.locate(original), &file)?,
        }
        let mut file = std::fs::File::from(file);
        file.write_all(bytes)?;
        file.sync_all()
    }
}

/// Owner, group, mode and extended attributes (ACLs and security labels are among these).
fn copy_attributes(original: &Path, new: &OwnedFd) -> std::io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let old = rustix::fs::open(original, flags, Mode::empty())?;
    let (from, to) = (rustix::fs::fstat(&old)?, rustix::fs::fstat(new)?);
    if (from.st_uid, from.st_gid) != (to.st_uid, to.st_gid) {
        let (uid, gid) =
            (rustix::fs::Uid::from_raw(from.st_uid), rustix::fs::Gid::from_raw(from.st_gid));
        rustix::fs::fchown(new, Some(uid), Some(gid))?;
    }
    rustix::fs::fchmod(new, Mode::from_raw_mode(from.st_mode))?;
    let mut names = vec![0; 64 * 1024];
    let length = match rustix::fs::flistxattr(&old, names.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    names.truncate(length);
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 * 1024];
        let length = rustix::fs::fgetxattr(&old, name, value.as_mut_slice())?;
        value.truncate(length);
        let mut present = vec![0; 64 * 1024];
        // A label that the kernel gave the new file already need not be set, nor may we always.
        let same = rustix::fs::fgetxattr(new, name, present.as_mut_slice())
            .is_ok_and(|length| present.get(..length) == Some(value.as_slice()));
        if !same {
            rustix::fs::fsetxattr(new, name, &value, rustix::fs::XattrFlags::empty())?;
        }
    }
    Ok(())
}

fn temporary_name(name: &OsStr) -> OsString {
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(TEMPORARY);
    temporary
}

fn split(path: &Path) -> std::io::Result<(PathBuf, OsString)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent.to_owned(), name.to_owned())),
        _ => Err(std::io::Error::other("not a path to a file")),
    }
}
