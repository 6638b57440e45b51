//! A snapshot of everything that the loaders read, so that evaluating and editing need no host.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{glob, loader};
use crate::host::files::Node;
use crate::host::links::Obstacle;
use crate::host::{Host, HostError};

#[cfg(test)]
mod tests;

/// The directories of sysctl.d, the first one that has a name winning. `/lib` is read by procps,
/// and by systemd before 253 where it is built for a split /usr; elsewhere it is `/usr/lib`.
pub const DIRECTORIES: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

/// The one where files of ours go.
pub const OURS: &str = "/etc/sysctl.d";

/// How the names of these end.
pub const OUR_SUFFIX: &[u8] = b"keepalive-policy.conf";

/// What is lost at a reboot: its files, and what its names mask.
pub const VOLATILE: &str = "/run/sysctl.d";

/// Read last by procps, and by systemd only through a link in sysctl.d.
pub const SYSCTL_CONF: &str = "/etc/sysctl.conf";

/// Where systemd looks for the credential `sysctl.extra`, in this order: first what the manager
/// itself was given by the firmware, the hypervisor or the kernel command line.
pub const CREDENTIALS: [&str; 6] = [
    "/run/credentials/@system/sysctl.extra",
    "/etc/credstore/sysctl.extra",
    "/run/credstore/sysctl.extra",
    "/usr/local/lib/credstore/sysctl.extra",
    "/usr/lib/credstore/sysctl.extra",
    "/lib/credstore/sysctl.extra",
];

/// The one among them that a reboot loses.
pub const VOLATILE_CREDENTIAL: &str = "/run/credstore/sysctl.extra";

/// What all files together may have, in bytes. A host has some hundred lines; 200,000 have 7 MB.
const LARGEST_TREE: usize = 8 << 20;

/// So many names may be patterns for procps, each of which is compared with every other name.
const MOST_PATTERNS: usize = 256;

/// What the loaders would read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// The directories that exist, in the order of [`DIRECTORIES`].
    pub directories: Vec<Directory>,
    /// `/etc/sysctl.conf`, where that is a regular file, links followed.
    pub sysctl_conf: Option<PathBuf>,
    /// The credential files that exist, in the order of [`CREDENTIALS`], by name and real path;
    /// empty where systemd is too old to be given one.
    pub credentials: Vec<(PathBuf, PathBuf)>,
    /// Contents by real path, as the host names it.
    pub contents: BTreeMap<PathBuf, Arc<[u8]>>,
    /// Paths that are there and could not be read, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
    /// The drop-in that is recorded as made by us, by its real path.
    pub made_by_us: Option<PathBuf>,
    /// The files among all these that are links: what is elsewhere decides what they say.
    pub linked: Vec<PathBuf>,
    /// What links in /etc lead to, by real path: files, and the directory of our drop-in.
    pub behind_links: BTreeMap<PathBuf, Behind>,
    /// How many bytes were read.
    pub size: usize,
}

/// Something that is elsewhere than its name in /etc says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behind {
    /// Of the administrator's making, and ours to edit like what is in /etc.
    Open,
    /// Not to be written through.
    Closed(Obstacle),
}

/// One directory of sysctl.d.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its name, one of [`DIRECTORIES`].
    pub path: PathBuf,
    /// Where it really is.
    pub real: PathBuf,
    /// What ends in `.conf` in it, by name.
    pub names: BTreeMap<Vec<u8>, Entry>,
}

/// What stands at a name. Whatever it is, it masks the same name in a later directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file; its real path.
    File(PathBuf),
    /// Reads as nothing: a device (`/dev/null`), a directory.
    Nothing,
    /// A link to nowhere or round in a circle, which can't be opened.
    Dangling,
}

impl Tree {
    /// Reads it.
    ///
    /// # Errors
    /// None of what is merely unreadable: that is kept in [`Tree::unreadable`].
    #[must_use]
    pub fn read(host: &Host) -> Self {
        let mut tree = Self::default();
        for path in DIRECTORIES {
            tree.read_directory(host, Path::new(path));
        }
        if let Some(Entry::File(real)) = tree.read_file(host, Path::new(SYSCTL_CONF)) {
            tree.sysctl_conf = Some(real);
        }
        for path in CREDENTIALS.map(Path::new) {
            if let Some(Entry::File(real)) = tree.read_file(host, path) {
                tree.credentials.push((path.to_owned(), real));
            }
        }
        tree
    }

    /// Reads one more file, links followed, so that it can be edited.
    pub fn read_file(&mut self, host: &Host, path: &Path) -> Option<Entry> {
        let found = host.read(path);
        // What is found at its own name is no link; the kernel need not be asked once more.
        let is_itself = matches!(&found, Ok(Node::File(file)) if file.path == path);
        if !is_itself && host.is_link(path) {
            self.linked.push(path.to_owned());
        }
        match found {
            Ok(Node::File(file)) => {
                let before = self.size;
                self.size = before.saturating_add(file.bytes.len());
                if self.size > LARGEST_TREE {
                    // The first that exceeds it is named, and stands for those after it.
                    if before <= LARGEST_TREE {
                        let reason = format!(
                            "with it the files have more than {LARGEST_TREE} bytes, which is the \
                             most that we read"
                        );
                        self.unreadable.push((file.path, reason));
                    }
                    return Some(Entry::Nothing);
                }
                self.look_behind(host, path, &file.path);
                self.contents.insert(file.path.clone(), file.bytes.into());
                Some(Entry::File(file.path))
            }
            Ok(Node::Missing) => None,
            Ok(Node::Dangling) => Some(Entry::Dangling),
            Ok(Node::Directory | Node::Special) => Some(Entry::Nothing),
            Err(error) => {
                self.unreadable.push((error.path, error.source.to_string()));
                Some(Entry::Nothing)
            }
        }
    }

    /// Judges a name in /etc that is elsewhere in truth.
    fn look_behind(&mut self, host: &Host, path: &Path, real: &Path) {
        if path == real || !path.starts_with("/etc") {
            return;
        }
        match host.obstacle(path) {
            Some(obstacle) => drop(self.behind_links.insert(real.into(), Behind::Closed(obstacle))),
            // What a reboot loses is no place for what is to outlive it.
            None if real.starts_with("/run") => {}
            None => drop(self.behind_links.entry(real.into()).or_insert(Behind::Open)),
        }
    }

    /// Whether a file or directory may be written, by its real path.
    #[must_use]
    pub fn may_edit(&self, real: &Path) -> bool {
        match self.behind_links.get(real) {
            Some(Behind::Open) => true,
            Some(Behind::Closed(_)) => false,
            None => real.starts_with("/etc"),
        }
    }

    /// The link that keeps us from editing what is at this real path.
    #[must_use]
    pub fn obstacle(&self, real: &Path) -> Option<&Obstacle> {
        match self.behind_links.get(real) {
            Some(Behind::Closed(obstacle)) => Some(obstacle),
            _ => None,
        }
    }

    fn read_directory(&mut self, host: &Host, path: &Path) {
        let listed = host.resolve(path).and_then(|resolved| Ok((host.list(path)?, resolved)));
        let (names, resolved) = match listed {
            Ok(listed) => listed,
            // Both loaders skip a directory that they can't open; a link in a circle is one.
            Err(error) if is_loop(&error) => return,
            Err(error) => return self.unreadable.push((error.path, error.source.to_string())),
        };
        if path == Path::new(OURS) && path != resolved.path {
            match host.obstacle(&path.join("any.conf")) {
                Some(obstacle) => {
                    self.behind_links.insert(resolved.path.clone(), Behind::Closed(obstacle));
                }
                None if resolved.path.starts_with("/run") => {}
                None => drop(self.behind_links.insert(resolved.path.clone(), Behind::Open)),
            }
        }
        // /lib/sysctl.d on a merged /usr, read already.
        let known = self.directories.iter().find(|known| known.real == resolved.path);
        let names = match known {
            Some(known) => known.names.clone(),
            None => self.read_names(host, path, &names),
        };
        self.directories.push(Directory { path: path.to_owned(), real: resolved.path, names });
    }

    fn read_names(
        &mut self,
        host: &Host,
        directory: &Path,
        names: &[OsString],
    ) -> BTreeMap<Vec<u8>, Entry> {
        let mut entries = BTreeMap::new();
        let patterns = names.iter().filter(|name| !glob::is_plain(name.as_bytes())).count();
        if patterns > MOST_PATTERNS {
            let reason = format!(
                "{patterns} of its names are patterns to sysctl --system; {MOST_PATTERNS} is the \
                 most that we follow"
            );
            self.unreadable.push((directory.to_owned(), reason));
            return entries;
        }
        for name in names.iter().filter(|name| name.as_bytes().ends_with(b".conf")) {
            if let Some(entry) = self.read_file(host, &directory.join(name)) {
                entries.insert(name.as_bytes().to_vec(), entry);
            }
        }
        entries
    }

    /// Forgets the files that say nothing about a setting of ours, so that each of many evaluations
    /// passes over them: a host may have 20,000. What stands at their names still masks others, and
    /// `kept` files stay. Where a name is a pattern to procps, all stay, since each decides what is
    /// read of the others.
    pub fn forget_unconcerned(&mut self, kept: &[&Path]) {
        let mut names = self.directories.iter().flat_map(|directory| directory.names.keys());
        if !names.all(|name| glob::is_plain(name)) {
            return;
        }
        let mut forgotten = BTreeSet::new();
        for directory in &mut self.directories {
            for (name, entry) in &mut directory.names {
                let Entry::File(real) = entry else { continue };
                let content = self.contents.get(real).map_or(&[][..], |content| content);
                let is_ours = name.ends_with(OUR_SUFFIX) || kept.contains(&real.as_path());
                if !is_ours && !loader::may_concern(content) {
                    forgotten.insert(std::mem::take(real));
                    *entry = Entry::Nothing;
                }
            }
        }
        let also_read = self.credentials.iter().map(|(_, real)| real).chain(&self.sysctl_conf);
        for real in also_read {
            forgotten.remove(real);
        }
        self.contents.retain(|real, _| !forgotten.contains(real));
    }

    /// The directory of this name, where it exists.
    #[must_use]
    pub fn directory(&self, path: &str) -> Option<&Directory> {
        self.directories.iter().find(|directory| directory.path == Path::new(path))
    }

    /// The content of a real path.
    #[must_use]
    pub fn content(&self, real: &Path) -> &[u8] {
        self.contents.get(real).map_or(&[], |content| content)
    }
}

fn is_loop(error: &HostError) -> bool {
    error.source.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}
