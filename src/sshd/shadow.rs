//! A copy of a tree that the real sshd can judge before a byte of it is live.
//!
//! `sshd -t -f FILE` alone does not do: the files that FILE includes are named by absolute
//! patterns, so sshd would read the live ones. In the shadow every `Include` pattern is rewritten
//! to lie below the copy. No line is added or removed, so sshd's line numbers are those of the real
//! files, and their paths are what is left when the shadow's prefix is taken away. Nothing of
//! this needs a privilege or a mount.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::dialect::Dialect;
use super::syntax::prefix_includes;
use super::tree::{Entry, Tree, lexical};
use crate::host::private_directory::PrivateDirectory;
use crate::host::{Host, HostError};

#[cfg(test)]
mod tests;

/// The part of the private directory that stands for `/`.
const ROOT: &str = "root";

/// A written shadow tree; removed when dropped.
#[derive(Debug)]
pub struct Shadow {
    directory: PrivateDirectory,
    main: PathBuf,
}

impl Shadow {
    /// Writes the shadow of `tree`, as an sshd of this grammar reads it.
    ///
    /// # Errors
    /// When the disk refuses, or the tree has something whose meaning to sshd can't be told: a
    /// FIFO, a file that we can't read, a path that climbs above `/`.
    pub fn write(host: &Host, tree: &Tree, dialect: &Dialect) -> Result<Self, HostError> {
        Self::write_as(host, tree, |_, bytes, prefix| prefix_includes(bytes, prefix, dialect))
    }

    /// The same where `rewrite` makes the copy of a file: given its path, its content, and the
    /// directory that stands for `/`.
    ///
    /// # Errors
    /// As for [`Shadow::write`].
    pub fn write_as(
        host: &Host,
        tree: &Tree,
        rewrite: impl Fn(&Path, &[u8], &[u8]) -> Vec<u8>,
    ) -> Result<Self, HostError> {
        let directory = host.private_directory("shadow")?;
        let main = relative(&tree.main)?;
        let shadow = Self { main: directory.path().join(ROOT).join(main), directory };
        shadow.directory.make_directory(Path::new(ROOT))?;
        // A pattern with `..` in it makes the tree have a file under two names.
        let mut written = BTreeSet::new();
        for (path, entry) in &tree.entries {
            if written.insert(lexical(path)) {
                shadow.add(path, entry, &rewrite)?;
            }
        }
        Ok(shadow)
    }

    /// The main file's copy: what sshd gets as `-f`.
    #[must_use]
    pub fn main(&self) -> &Path {
        &self.main
    }

    /// The private directory around the shadow, for what sshd needs besides.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What sshd wrote, with the real paths.
    #[must_use]
    pub fn real_paths(&self, text: &[u8]) -> String {
        let prefix = self.prefix().to_string_lossy().into_owned();
        String::from_utf8_lossy(text).replace(&prefix, "")
    }

    fn prefix(&self) -> PathBuf {
        self.directory.path().join(ROOT)
    }

    fn add(
        &self,
        path: &Path,
        entry: &Entry,
        rewrite: impl Fn(&Path, &[u8], &[u8]) -> Vec<u8>,
    ) -> Result<(), HostError> {
        let place = Path::new(ROOT).join(relative(path)?);
        match entry {
            Entry::File { bytes, .. } => {
                let prefix = self.prefix();
                self.directory.write(&place, &rewrite(path, bytes, prefix.as_os_str().as_bytes()))
            }
            Entry::Directory => self.directory.make_directory(&place),
            Entry::Dangling => self.directory.write_dangling_link(&place),
            Entry::Opaque => Err(unjudgeable(path, "not a regular file that we can read")),
        }
    }
}

/// The path below `/`, `.` and `..` kept as sshd's glob names them.
fn relative(path: &Path) -> Result<PathBuf, HostError> {
    let mut relative = PathBuf::new();
    let mut depth = 0_usize;
    for part in path.components() {
        match part {
            Component::Normal(name) => {
                depth += 1;
                relative.push(name);
            }
            // At `/` the kernel ignores it; in the shadow it would lead out of the copy.
            Component::ParentDir => {
                depth = depth
                    .checked_sub(1)
                    .ok_or_else(|| unjudgeable(path, "its path climbs above /"))?;
                relative.push("..");
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Ok(relative)
}

fn unjudgeable(path: &Path, why: &'static str) -> HostError {
    HostError {
        path: path.to_owned(),
        action: "what sshd makes of it can't be told",
        source: std::io::Error::other(why),
    }
}
