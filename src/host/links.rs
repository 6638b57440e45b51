//! Which links we write through. A linked /etc/ssh, a persistent volume and dotfiles are the
//! owner's arrangement, and stay it; a link into a package or a store is not: the next upgrade
//! replaces what we would write there, and a store is shared by all that link into it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, StatVfsMountFlags};

use super::path::Resolved;
use super::permissions::Permissions;
use super::trust::{Directory, Parties, Refused};
use super::{Host, open};

#[cfg(test)]
mod tests;

/// Where only packages, stores and boot loaders write, apart from what the administrator keeps in
/// [`ADMINISTRATORS`].
const OTHERS: [&str; 4] = ["/usr", "/nix", "/gnu", "/boot"];

/// Below /usr, and no package's (Filesystem Hierarchy Standard 3.0, 4.9).
const ADMINISTRATORS: &str = "/usr/local";

/// A link that we don't write through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// The link, as the host names it.
    pub link: PathBuf,
    /// Where it leads.
    pub target: PathBuf,
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reason {
    /// A package or a store replaces it.
    Others,
    /// Another party can change it.
    Distrusted(String),
    /// Nothing can be written there.
    ReadOnly,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a link that leads to {}, which ", self.target.display())?;
        match &self.reason {
            Reason::Others => f.write_str(
                "belongs to a package or a store and is not edited: put a file of this host's own \
                 in the link's place",
            ),
            Reason::Distrusted(why) => write!(f, "is not edited: {why}"),
            Reason::ReadOnly => f.write_str(
                "is on a file system that is mounted read-only here, so it is not edited; for the \
                 daemon, name it in ReadWritePaths= of the unit",
            ),
        }
    }
}

impl Host {
    /// What keeps us from writing `path`, a file that need not be there, through the links on the
    /// way; `None` where there are no links.
    #[must_use]
    pub fn obstacle(&self, path: &Path) -> Option<Obstacle> {
        let resolved = self.resolve(path).ok()?;
        let link = resolved.links.last()?.clone();
        let target = self.resolve(&link).ok()?.path;
        let (trust, read_only) = match self.directory_of(&resolved) {
            Ok(directory) => (self.trust(&directory, &resolved), is_read_only(&directory)),
            Err(refused) => (Err(refused), false),
        };
        let distrust = trust.err().and_then(|refused| match refused {
            Refused::Distrusted(distrust) => Some(distrust.to_string()),
            // Whether a file can be made there is told when it is made.
            Refused::Unreachable { .. } => None,
        });
        let reason = reason(&resolved.path, distrust, read_only)?;
        Some(Obstacle { link, target, reason })
    }

    /// The directory, or the nearest one that is there.
    fn directory_of(&self, resolved: &Resolved) -> Result<Directory, Refused> {
        let mut directory = self.way(resolved, Path::new("/"))?;
        let parent = resolved.path.parent().unwrap_or(Path::new("/"));
        for name in open::names(parent) {
            match directory.step(name) {
                Ok(next) => directory = next,
                Err(Refused::Unreachable { .. }) => break,
                Err(refused) => return Err(refused),
            }
        }
        Ok(directory)
    }

    /// Whether only trusted parties can change the target itself, where it is there.
    fn trust(&self, directory: &Directory, resolved: &Resolved) -> Result<(), Refused> {
        directory.is_ours_alone()?;
        let located = self.locate(&resolved.path);
        let Some(name) = located.file_name() else { return Ok(()) };
        match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Parties::of_caller()
                .change_target(&located, Permissions::of(&stat))
                .map_err(Refused::Distrusted),
            Err(_) => Ok(()),
        }
    }
}

/// The judgement: `real` is where a path leads, `distrust` who else can change it.
fn reason(real: &Path, distrust: Option<String>, read_only: bool) -> Option<Reason> {
    let others = OTHERS.iter().any(|place| real.starts_with(place));
    if others && !real.starts_with(ADMINISTRATORS) {
        return Some(Reason::Others);
    }
    if let Some(why) = distrust {
        return Some(Reason::Distrusted(why));
    }
    read_only.then_some(Reason::ReadOnly)
}

fn is_read_only(directory: &Directory) -> bool {
    let mount = rustix::fs::fstatvfs(directory);
    mount
        .map_err(io::Error::from)
        .is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY))
}
