//! Where something is written: the directory, held open, and the name in it. Nothing is looked up
//! by its path again, so that another process can't swap a directory for a link in between.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::AtFlags;
use rustix::io::Errno;

use super::files::{self, LARGEST_FILE, Node};
use super::open::Seen;
use super::path::Resolved;
use super::trust::{Directory, Parties, Refused};
use super::{Context, Host, HostError};

/// A name in a directory that only trusted parties can change.
#[derive(Debug)]
pub(super) struct Place {
    /// The directory.
    pub directory: Directory,
    /// The name in it.
    pub name: OsString,
    /// Both, as the host names them.
    pub path: PathBuf,
}

impl Host {
    /// Whether the way to a file is one that only trusted parties can change, as far as it exists.
    ///
    /// # Errors
    /// Which directory on it is whose, and what mends that.
    pub fn may_write(&self, path: &Path) -> Result<(), HostError> {
        match self.place(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).on(path, "not written")
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The place of a file to be written, links followed.
    ///
    /// # Errors
    /// When another party could change the way there or the directory, or there is no such one.
    pub(super) fn place(&self, path: &Path) -> io::Result<Place> {
        let resolved = self.resolve(path).map_err(|error| error.source)?;
        let (parent, name) = split(&resolved.path)?;
        let directory = self.way(&resolved, &parent)?;
        directory.is_ours_alone()?;
        Ok(Place { directory, name, path: resolved.path })
    }

    /// The place of an entry itself: the last part of `path` is not followed.
    ///
    /// # Errors
    /// As [`Host::place`].
    pub(super) fn place_of_entry(&self, path: &Path) -> io::Result<Place> {
        let (parent, name) = split(path)?;
        let directory = self.trusted_directory(&parent)?;
        let path = self.resolve(&parent).map_err(|error| error.source)?.path.join(&name);
        Ok(Place { directory, name, path })
    }

    /// A directory to write into, links followed.
    ///
    /// # Errors
    /// As [`Host::place`].
    pub(super) fn trusted_directory(&self, path: &Path) -> io::Result<Directory> {
        let resolved = self.resolve(path).map_err(|error| error.source)?;
        let directory = self.way(&resolved, &resolved.path)?;
        directory.is_ours_alone()?;
        Ok(directory)
    }

    /// Whether only trusted parties decide what stands at `path`: the links on the way, every
    /// directory, and in a shared one the owner of what is there.
    ///
    /// # Errors
    /// [`Refused`], also when there is no such directory.
    pub fn trust_way(&self, path: &Path) -> Result<(), Refused> {
        let unreachable = |source: Errno| Refused::Unreachable { path: path.to_owned(), source };
        let resolved = self.resolve(path).map_err(|error| {
            unreachable(Errno::from_io_error(&error.source).unwrap_or(Errno::INVAL))
        })?;
        let Ok((parent, name)) = split(&resolved.path) else { return Ok(()) };
        let directory = self.way(&resolved, &parent)?;
        let stat = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW);
        directory.keeps(&self.locate(&resolved.path), stat.map_err(unreachable)?.st_uid)
    }

    /// Goes to `directory`, one of the way that was resolved, if none of the links on the way was
    /// another party's.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn way(&self, resolved: &Resolved, directory: &Path) -> Result<Directory, Refused> {
        let parties = Parties::of_caller();
        for link in &resolved.links {
            self.owns_link(parties, link)?;
        }
        parties.directory(&self.locate(directory))
    }

    fn owns_link(&self, parties: Parties, link: &Path) -> Result<(), Refused> {
        let located = self.locate(link);
        let Ok((parent, name)) = split(&located) else { return Ok(()) };
        let directory = parties.directory(&parent)?;
        let stat = rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|source| Refused::Unreachable { path: located.clone(), source })?;
        directory.keeps(&located, stat.st_uid)
    }
}

impl Place {
    /// What stands there once no other process has it open for writing, or after a quarter of a
    /// second. A link is none of the answers: the place is where all links led.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn read_settled(&self) -> io::Result<Node> {
        files::settled(|| match Seen::within(&self.directory, &self.name) {
            Ok(seen) => files::node(&seen, &self.path, LARGEST_FILE),
            Err(Errno::NOENT) => Ok(Node::Missing),
            Err(error) => Err(error.into()),
        })
    }
}

/// The directory of a path, and the name in it.
///
/// # Errors
/// When it has none, like `/`.
pub(super) fn split(path: &Path) -> io::Result<(PathBuf, OsString)> {
    match (path.parent(), path.file_name().map(OsStr::to_owned)) {
        (Some(parent), Some(name)) => Ok((parent.to_owned(), name)),
        _ => Err(io::Error::other("not a path to a file")),
    }
}
