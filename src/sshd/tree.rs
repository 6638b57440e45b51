//! A snapshot of everything that sshd would read, so that evaluating and editing need no host.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

pub mod budget;
pub mod snapshot;

#[cfg(test)]
mod tests;

/// The main file and all that its `Include` patterns could reach.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tree {
    /// The main file: `/etc/ssh/sshd_config`, or what `-f` of the running sshd names.
    pub main: PathBuf,
    /// What stands at each path, keyed as sshd's glob names it (a link by its own name).
    pub entries: BTreeMap<PathBuf, Entry>,
}

/// What stands at one path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entry {
    /// A regular file, links followed.
    File {
        /// Its content, shared with the trees that differ from this one in other files.
        bytes: Arc<[u8]>,
        /// Where it really is: what an edit must write.
        real: PathBuf,
    },
    /// A directory: read as an empty file by sshd, walked by its glob.
    Directory,
    /// A symbolic link to nowhere: fatal to sshd when a pattern matches it.
    Dangling,
    /// Not a regular file, or not readable by us: sshd's behaviour can't be told.
    Opaque,
}

/// The path without `..`, as it is where no link is in the way.
#[must_use]
pub fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

impl Tree {
    /// What stands at `path`, which a pattern with `..` in it may name in a roundabout way.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<&Entry> {
        self.entries.get(path).or_else(|| self.entries.get(&lexical(path)))
    }

    /// The content of a regular file.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<&[u8]> {
        match self.entries.get(path) {
            Some(Entry::File { bytes, .. }) => Some(bytes),
            _ => None,
        }
    }

    /// Puts a file there, or takes it away, under whichever names the tree has it. A link to a file
    /// that is taken away leads nowhere.
    pub fn set(&mut self, path: &Path, content: Option<&[u8]>) {
        let real = match self.entries.get(path) {
            Some(Entry::File { real, .. }) => real.clone(),
            _ => path.to_owned(),
        };
        match content {
            Some(content) if self.content(path) == Some(content) => {}
            Some(content) => {
                let content: Arc<[u8]> = content.into();
                for entry in self.entries.values_mut() {
                    if let Entry::File { bytes, real: other } = entry
                        && *other == real
                    {
                        *bytes = Arc::clone(&content);
                    }
                }
                self.entries.insert(path.to_owned(), Entry::File { bytes: content, real });
            }
            None => {
                self.entries.remove(path);
                let plain = lexical(path);
                self.entries.retain(|other, _| lexical(other) != plain);
                for entry in self.entries.values_mut() {
                    if matches!(entry, Entry::File { real: other, .. } if *other == real) {
                        *entry = Entry::Dangling;
                    }
                }
            }
        }
    }
}
