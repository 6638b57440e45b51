//! Which files a loader reads, and in which order.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Loader, Scope};
use crate::sysctl::glob;
use crate::sysctl::tree::{Directory, Entry, SYSCTL_CONF, Tree, VOLATILE, VOLATILE_CREDENTIAL};

/// A file that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// As the loader names it.
    pub file: PathBuf,
    /// Where its content is.
    pub real: PathBuf,
    /// The name that gives it its turn; `None` for what is read after all names.
    pub turn: Option<Vec<u8>>,
}

/// The files that are read, in order. A file can be read twice: `/etc/sysctl.conf` by procps.
#[must_use]
pub fn files(tree: &Tree, scope: Scope) -> Vec<Read> {
    let mut names: BTreeMap<&[u8], &Directory> = BTreeMap::new();
    for directory in tree.directories.iter().filter(|found| scope.sees(&found.path)) {
        for name in directory.names.keys().filter(|name| scope.loader.takes(name)) {
            names.entry(name).or_insert(directory);
        }
    }
    // The map is in byte order, as strcmp(3) sorts the names of all directories together.
    let mut files = Vec::new();
    for (name, directory) in names {
        match scope.loader {
            Loader::SystemdSysctl => files.extend(read(directory, name, name)),
            Loader::Procps => files.extend(read_pattern(directory, name)),
        }
    }
    files.extend(scope.last(tree));
    files
}

impl Scope {
    fn sees(self, directory: &Path) -> bool {
        self.run || directory != Path::new(VOLATILE)
    }

    /// What is read after all names.
    fn last(self, tree: &Tree) -> Option<Read> {
        let (file, real) = match self.loader {
            Loader::Procps => (PathBuf::from(SYSCTL_CONF), tree.sysctl_conf.clone()?),
            Loader::SystemdSysctl => tree
                .credentials
                .iter()
                .find(|(file, _)| self.run || file != Path::new(VOLATILE_CREDENTIAL))
                .cloned()?,
        };
        Some(Read { file, real, turn: None })
    }
}

impl Loader {
    /// Whether a name that ends in `.conf` is read.
    const fn takes(self, name: &[u8]) -> bool {
        match self {
            Self::SystemdSysctl => !matches!(name, [b'.', ..]),
            Self::Procps => true,
        }
    }
}

fn read(directory: &Directory, name: &[u8], turn: &[u8]) -> Option<Read> {
    match directory.names.get(name)? {
        Entry::File(real) => Some(Read {
            file: directory.path.join(OsStr::from_bytes(name)),
            real: real.clone(),
            turn: Some(turn.to_vec()),
        }),
        Entry::Nothing | Entry::Dangling => None,
    }
}

/// procps hands the path to `glob(3)`: `50-[ab].conf` reads `50-a.conf` and `50-b.conf` of the same
/// directory, also when these are masked, and itself only when there is neither. What can't be
/// opened ends the turn.
fn read_pattern(directory: &Directory, name: &[u8]) -> Vec<Read> {
    // A host may have 20,000 of these, each of which would look at all.
    if glob::is_plain(name) {
        return read(directory, name, name).into_iter().collect();
    }
    let names = glob::names(name, directory.names.keys().map(Vec::as_slice));
    names
        .iter()
        .take_while(|found| !matches!(directory.names.get(*found), None | Some(Entry::Dangling)))
        .filter_map(|found| read(directory, found, name))
        .collect()
}
