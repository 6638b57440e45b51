//! Which directories must be watched for a path, and what an entry of one of them means to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::Names;
use crate::host::Host;

/// What one party wants to hear of, as this machine names it.
#[derive(Debug, Default)]
pub(super) struct Interest {
    /// Paths whose entry matters: what was asked for, where it leads, the links on the way.
    pub paths: BTreeSet<PathBuf>,
    /// Where a watch must be.
    pub places: BTreeSet<PathBuf>,
}

impl Interest {
    pub fn trace(host: &Host, watched: &BTreeSet<PathBuf>) -> Self {
        let mut interest = Self::default();
        for path in watched {
            interest.add(host, path);
        }
        interest
    }

    fn add(&mut self, host: &Host, path: &Path) {
        let located = host.locate(path);
        self.paths.insert(located.clone());
        // A directory of procfs reports nothing of its grandchildren, and none of it is ever
        // replaced: the file itself is watched, its inode pinned by who reads it.
        if path.starts_with("/proc") {
            self.places.insert(located);
            return;
        }
        // A link that leads in a circle is watched where it stands.
        let Ok(resolved) = host.resolve(path) else {
            self.places.extend(located.parent().map(Path::to_owned));
            return;
        };
        let target = host.locate(&resolved.path);
        self.places.extend(resolved.directories.iter().map(|directory| host.locate(directory)));
        if target.is_dir() {
            self.places.insert(target.clone());
        }
        self.paths.insert(target);
        self.paths.extend(resolved.links.iter().map(|link| host.locate(link)));
    }
}

/// What an event of one watch means. A directory that has two names has one watch.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// For whom it is watched: they hear of what befalls the directory itself.
    pub whole: Names,
    /// For whom every entry matters.
    all: Names,
    /// For whom an entry of this name matters: what they want, or what leads to it.
    entries: BTreeMap<OsString, Names>,
}

impl Wanted {
    pub fn add(&mut self, name: &Arc<str>, place: &Path, paths: &BTreeSet<PathBuf>) {
        self.whole.insert(Arc::clone(name));
        // The paths at and below `place` follow one another.
        for path in paths.range(place.to_owned()..).take_while(|path| path.starts_with(place)) {
            match path.strip_prefix(place).map(|rest| rest.components().next()) {
                Ok(Some(Component::Normal(entry))) => {
                    self.entries.entry(entry.to_owned()).or_default().insert(Arc::clone(name));
                }
                _ => {
                    self.all.insert(Arc::clone(name));
                }
            }
        }
    }

    /// Adds those whom an event concerns; without an entry it is about the directory itself.
    pub fn concerned(&self, entry: Option<&OsStr>, names: &mut Names) {
        let Some(entry) = entry else {
            names.extend(self.whole.iter().cloned());
            return;
        };
        // Editors' swap files and our own new versions: nothing that reads a directory whole takes
        // up a name with a dot in front.
        if !entry.as_bytes().starts_with(b".") {
            names.extend(self.all.iter().cloned());
        }
        names.extend(self.entries.get(entry).into_iter().flatten().cloned());
    }
}
