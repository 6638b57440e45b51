//! Symbolic links, followed inside the root as a chroot would follow them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::{Context, Host, HostError};

#[cfg(test)]
mod tests;

/// The kernel's own limit (`MAXSYMLINKS`), after which it says ELOOP.
const LINK_LIMIT: usize = 40;

/// Where a path leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The path without symbolic links, as the host names it. Its last part need not exist.
    pub path: PathBuf,
    /// Every directory in which a changed entry could change the result: those of the path as
    /// given, and those of each link's target on the way.
    pub directories: BTreeSet<PathBuf>,
    /// The symbolic links that were followed.
    pub links: Vec<PathBuf>,
}

impl Host {
    /// Where `path` is in this machine's file system. Follows nothing: resolve first.
    #[must_use]
    pub fn locate(&self, path: &Path) -> PathBuf {
        let mut located = self.root.clone();
        located.extend(path.components().filter(|part| matches!(part, Component::Normal(_))));
        located
    }

    /// Follows every symbolic link of `path`, the last one included.
    ///
    /// # Errors
    /// ELOOP after 40 links, and what `readlink(2)` says other than "not a link" and "not there".
    pub fn resolve(&self, path: &Path) -> Result<Resolved, HostError> {
        let mut pending = parts(path);
        let mut resolved =
            Resolved { path: PathBuf::from("/"), directories: BTreeSet::new(), links: Vec::new() };
        while let Some(part) = pending.pop() {
            if part == ".." {
                resolved.path.pop();
                continue;
            }
            resolved.directories.insert(resolved.path.clone());
            let next = resolved.path.join(&part);
            match rustix::fs::readlink(self.locate(&next), Vec::new()) {
                Ok(target) => {
                    resolved.links.push(next);
                    if resolved.links.len() > LINK_LIMIT {
                        return Err(rustix::io::Errno::LOOP).on(path, "cannot follow links");
                    }
                    let target = PathBuf::from(OsString::from(std::ffi::OsStr::from_bytes(
                        target.as_bytes(),
                    )));
                    if target.is_absolute() {
                        resolved.path = PathBuf::from("/");
                    }
                    pending.extend(parts(&target));
                }
                // Not a link, or nothing there: the rest of the path stands as written.
                Err(
                    rustix::io::Errno::INVAL | rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR,
                ) => resolved.path = next,
                Err(error) => return Err(error).on(path, "cannot follow links"),
            }
        }
        Ok(resolved)
    }
}

/// The parts of a path, last one first.
fn parts(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some(OsString::from("..")),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}
