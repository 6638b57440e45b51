//! A snapshot of everything that ssh would read, so that evaluating and editing need no host.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::host::accounts::Reader;
use crate::sshd::glob::{Listing, names_below};

/// The user's file, the system's, and all that their `Include` patterns could reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Read first: `~/.ssh/config`, by the home directory of the account. `None` where only the
    /// host's own files are meant.
    pub user: Option<UserFile>,
    /// Read last: `/etc/ssh/ssh_config`.
    pub system: PathBuf,
    /// For whom the entries were judged.
    pub reader: Reader,
    /// What stands at each path, keyed as ssh's glob names it (a link by its own name).
    pub entries: BTreeMap<PathBuf, Entry>,
}

/// The user's own file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFile {
    /// The home directory: what `~` stands for.
    pub home: PathBuf,
    /// `HOME/.ssh/config`.
    pub path: PathBuf,
}

impl UserFile {
    /// The file of the account with this home.
    #[must_use]
    pub fn of(home: PathBuf) -> Self {
        Self { path: home.join(".ssh/config"), home }
    }
}

/// What stands at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File {
        /// Its content.
        bytes: Arc<[u8]>,
        /// Where it really is: what an edit must write.
        real: PathBuf,
        /// Whether the reader can read it.
        readable: bool,
        /// Whether owner and mode are such that ssh reads it where it looks at them.
        trusted: bool,
    },
    /// A regular file that we can't read.
    Unreadable,
    /// A directory: read as an empty file by ssh, walked by its glob.
    Directory {
        /// Whether owner and mode are such that ssh reads it where it looks at them.
        trusted: bool,
        /// Whether the reader can list it.
        listable: bool,
        /// Whether the reader can reach what is in it.
        searchable: bool,
    },
    /// A symbolic link to nowhere.
    Dangling,
    /// Not a regular file: what ssh would read from it can't be told.
    Opaque,
}

impl Tree {
    /// The content of a regular file, also of one that only we can read.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<&[u8]> {
        match self.entries.get(path) {
            Some(Entry::File { bytes, .. }) => Some(bytes),
            _ => None,
        }
    }

    /// Whether ssh can't read the file that stands there.
    #[must_use]
    pub fn is_unreadable(&self, path: &Path) -> bool {
        matches!(
            self.entries.get(path),
            Some(Entry::Unreadable | Entry::File { readable: false, .. })
        )
    }

    /// Reads the file that stands there as one with the right owner and mode.
    pub fn trust(&mut self, path: &Path) {
        if let Some(Entry::File { trusted, .. }) = self.entries.get_mut(path) {
            *trusted = true;
        }
    }

    /// Puts a file there, one that ssh trusts if it is new, or takes it away.
    pub fn set(&mut self, path: &Path, content: Option<&[u8]>) {
        let Some(content) = content else {
            self.entries.remove(path);
            return;
        };
        let mut file = match self.entries.get(path) {
            Some(file @ Entry::File { .. }) => file.clone(),
            _ => Entry::File {
                bytes: Arc::default(),
                real: path.to_owned(),
                readable: true,
                trusted: true,
            },
        };
        let Entry::File { bytes, real, .. } = &mut file else { return };
        *bytes = content.into();
        let (bytes, real) = (Arc::clone(bytes), real.clone());
        for entry in self.entries.values_mut() {
            if let Entry::File { bytes: other_bytes, real: other, .. } = entry
                && *other == real
            {
                *other_bytes = Arc::clone(&bytes);
            }
        }
        self.entries.insert(path.to_owned(), file);
    }

    /// Whether every directory on the way can be passed by the reader.
    fn is_reachable(&self, path: &Path) -> bool {
        path.ancestors().skip(1).all(|directory| {
            !matches!(self.entries.get(directory), Some(Entry::Directory { searchable: false, .. }))
        })
    }
}

/// Looks into a snapshot, so that a candidate file is found as a real one would be.
impl Listing for &Tree {
    type Error = Infallible;

    fn names(&mut self, directory: &Path) -> Result<Vec<Vec<u8>>, Infallible> {
        let hidden =
            matches!(self.entries.get(directory), Some(Entry::Directory { listable: false, .. }));
        if hidden || !self.is_reachable(directory) {
            return Ok(Vec::new());
        }
        Ok(names_below(&self.entries, directory))
    }

    fn stands(&mut self, path: &Path) -> Result<bool, Infallible> {
        Ok(self.entries.contains_key(path) && self.is_reachable(path))
    }

    fn is_directory(&mut self, path: &Path) -> Result<bool, Infallible> {
        Ok(matches!(self.entries.get(path), Some(Entry::Directory { .. }))
            && self.is_reachable(path))
    }
}
