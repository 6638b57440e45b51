//! Replacing a file so that at every instant the old or the new one is there, whole.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::files::{self, Node};
use super::open::{self, Seen};
use super::place::{Place, split};
use super::trust::Directory;
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
    /// When the file is not as expected (somebody else was quicker), when another party can change
    /// the way there, when an owner or attribute can't be kept, or the disk refuses: the old file
    /// then stands untouched.
    pub fn replace(&self, path: &Path, expect: Expect<'_>, bytes: &[u8]) -> Result<(), HostError> {
        let place = self.place(path).on(path, "not written")?;
        let look = || place.read_settled().and_then(|found| met(&found, expect));
        look().on(path, "left as it is")?;
        let temporary = temporary_name(&place.name);
        let written = place
            .write_temporary(&temporary, expect, bytes)
            .on(path, "cannot write the new version beside it")
            // The last look before the rename: an edit made since is kept, ours waits its turn.
            .and_then(|()| look().on(path, "left as it is"))
            .and_then(|()| {
                rustix::fs::renameat(&place.directory, &temporary, &place.directory, &place.name)
                    .on(path, "cannot replace")
            });
        if let Err(error) = written {
            // Best effort: what stays is swept at the next start.
            let _ = rustix::fs::unlinkat(&place.directory, &temporary, AtFlags::empty());
            return Err(error);
        }
        sync(&place.directory).on(path, "replaced, but cannot sync its directory")
    }

    /// Removes `path` if it still has this content.
    ///
    /// # Errors
    /// When it changed meanwhile, or can't be removed.
    pub fn remove(&self, path: &Path, content: &[u8]) -> Result<(), HostError> {
        let place = self.place_of_entry(path).on(path, "not removed")?;
        // A link goes by itself, whatever it leads to.
        let found = match self.is_link(path) {
            true => self.read_settled(path)?,
            false => place.read_settled().on(path, "left as it is")?,
        };
        met(&found, Expect::Content(content)).on(path, "left as it is")?;
        rustix::fs::unlinkat(&place.directory, &place.name, AtFlags::empty())
            .on(path, "cannot remove")?;
        sync(&place.directory).on(path, "removed, but cannot sync its directory")
    }

    /// Gives what stands at `path`, of whatever kind, another name in its directory. A link is
    /// renamed, not followed.
    ///
    /// # Errors
    /// When the new name is taken, when another party can change the way there, or what `rename(2)`
    /// says.
    pub fn rename(&self, path: &Path, to: &Path) -> Result<(), HostError> {
        let Place { directory, name, .. } = &self.place_of_entry(path).on(path, "not renamed")?;
        let (_, new) = split(to).on(to, "cannot rename")?;
        let kept = RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(directory, name, directory, &new, kept) {
            // NFS has no such flag.
            Err(Errno::INVAL) if !self.exists(to) => {
                rustix::fs::renameat(directory, name, directory, &new)
            }
            renamed => renamed,
        }
        .on(path, "cannot rename")?;
        sync(directory).on(path, "renamed, but cannot sync its directory")
    }

    /// Removes what an interrupted [`Host::replace`] left in `directory`. The caller holds the
    /// lock, so nobody is using them. Gives the names that were removed.
    ///
    /// # Errors
    /// When the directory can't be listed or an entry not removed.
    pub fn sweep(&self, directory: &Path) -> Result<Vec<OsString>, HostError> {
        if !self.exists(directory) {
            return Ok(Vec::new());
        }
        let held = self.trusted_directory(directory).on(directory, "not swept")?;
        let listing = open::listing_of(&held).on(directory, "cannot list")?;
        let mut swept = Vec::new();
        for name in files::names(listing).on(directory, "cannot list")? {
            let bytes = name.as_encoded_bytes();
            if bytes.starts_with(b".") && bytes.ends_with(TEMPORARY.as_bytes()) {
                rustix::fs::unlinkat(&held, &name, AtFlags::empty())
                    .on(&directory.join(&name), "cannot remove a leftover")?;
                swept.push(name);
            }
        }
        Ok(swept)
    }
}

impl Place {
    fn write_temporary(
        &self,
        temporary: &OsStr,
        expect: Expect<'_>,
        bytes: &[u8],
    ) -> io::Result<()> {
        // A leftover of an interrupted run; the lock says that no other process uses it.
        match rustix::fs::unlinkat(&self.directory, temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.directory, temporary, flags, Mode::from(0o600))?;
        match expect {
            // After creation, because the unit's UMask=0077 would hide the file from ssh's users.
            Expect::Absent { mode } => rustix::fs::fchmod(&file, Mode::from(mode))?,
            Expect::Content(_) => self.copy_attributes(&file)?,
        }
        let mut file = std::fs::File::from(file);
        file.write_all(bytes)?;
        file.sync_all()
    }

    /// Owner, group, mode and extended attributes (ACLs and security labels are among these).
    fn copy_attributes(&self, new: &OwnedFd) -> io::Result<()> {
        let old = Seen::within(&self.directory, &self.name)?;
        if old.kind() != FileType::RegularFile {
            return Err(io::Error::other("not a regular file any more"));
        }
        copy_attributes(&old.open(OFlags::RDONLY)?, new)
    }
}

fn sync(directory: &Directory) -> io::Result<()> {
    Ok(rustix::fs::fsync(open::listing_of(directory)?)?)
}

/// Whether what was found is what the caller goes by.
fn met(found: &Node, expect: Expect<'_>) -> io::Result<()> {
    let obstacle = match (found, expect) {
        (Node::Missing, Expect::Absent { .. }) => return Ok(()),
        (Node::File(file), Expect::Content(content)) if file.bytes == content => {
            if !file.being_written {
                return Ok(());
            }
            // What that process writes from now on would go into a file without a name.
            "somebody has it open for writing"
        }
        _ => "somebody else changed it at the same moment",
    };
    Err(io::Error::other(obstacle))
}

fn copy_attributes(old: &OwnedFd, new: &OwnedFd) -> io::Result<()> {
    let (from, to) = (rustix::fs::fstat(old)?, rustix::fs::fstat(new)?);
    if (from.st_uid, from.st_gid) != (to.st_uid, to.st_gid) {
        let (uid, gid) =
            (rustix::fs::Uid::from_raw(from.st_uid), rustix::fs::Gid::from_raw(from.st_gid));
        rustix::fs::fchown(new, Some(uid), Some(gid))?;
    }
    rustix::fs::fchmod(new, Mode::from_raw_mode(from.st_mode))?;
    let mut names = vec![0; 64 * 1024];
    let length = match rustix::fs::flistxattr(old, names.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::OPNOTSUPP) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    names.truncate(length);
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 * 1024];
        let length = rustix::fs::fgetxattr(old, name, value.as_mut_slice())?;
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
