//! Whether the listener's mounts lead it to the same files as ours lead us. Where they don't
//! (`BindPaths=`, `PrivateTmp=` of its unit or of ours), the tree that we judge is not what it reads.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt::{self, Display};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::program::Program;
use super::{Kind, Service};
use crate::host::Host;
use crate::host::mounts::{Location, Mounts};
use crate::sshd::dialect::Dialect;
use crate::sshd::evaluate::walk::absolute;
use crate::sshd::syntax::each;
use crate::sshd::tree::{Entry, Tree};

#[cfg(test)]
mod tests;

/// A path that leads the listener to another file than it leads us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherView {
    /// Which path.
    pub path: PathBuf,
    /// Whether it is the main file or the program, without which nothing is certain.
    pub is_essential: bool,
    theirs: String,
    ours: String,
}

impl Service {
    /// The same service, with the first path of `tree` that it would find something else at.
    #[must_use]
    pub fn with_view(self, host: &Host, tree: &Tree) -> Self {
        Self { view: self.other_view(host, tree), ..self }
    }

    fn other_view(&self, host: &Host, tree: &Tree) -> Option<OtherView> {
        let is_known =
            matches!(self.kind, Kind::Plain | Kind::SocketActive | Kind::NoServiceManager);
        let listener = self.listener.as_ref().filter(|_| is_known && host.is_live())?;
        let (Some(theirs), Some(ours)) = (Mounts::of(listener.pid), Mounts::own()) else {
            return listener.is_alive().then(|| OtherView::unknown(tree));
        };
        if ours == theirs {
            return None;
        }
        let (ours, theirs) = ours.with_same_root(theirs);
        let mut essential = BTreeSet::from([tree.main.clone()]);
        if let Program::Known(program) = &self.program {
            essential.insert(program.resolved().to_owned());
        }
        let look = |paths: BTreeSet<PathBuf>| {
            paths.iter().find_map(|path| difference(&ours, &theirs, &on_the_way(host, path)))
        };
        if let Some(found) = look(essential) {
            return Some(OtherView { is_essential: true, ..found });
        }
        let Places { mut paths, searched } = Places::of(tree, &self.dialect);
        for directory in &searched {
            let below = ours.below(directory).into_iter().chain(theirs.below(directory));
            paths.extend(below.map(Path::to_owned));
        }
        look(paths)
    }
}

impl OtherView {
    /// Where the mounts of either of us can't be read.
    fn unknown(tree: &Tree) -> Self {
        let (theirs, ours) = (shown(None), shown(None));
        Self { path: tree.main.clone(), is_essential: true, theirs, ours }
    }
}

impl Display for OtherView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "sshd does not see the same {} as we do: its mounts lead to {}, ours to {}",
            self.path.display(),
            self.theirs,
            self.ours
        )
    }
}

/// What sshd reads, and where it looks for more.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places {
    /// The files and directories that are there, and those that an `Include` names.
    paths: BTreeSet<PathBuf>,
    /// The directories in and below which patterns are looked up. They need not be there for us.
    searched: BTreeSet<PathBuf>,
}

impl Places {
    fn of(tree: &Tree, dialect: &Dialect) -> Self {
        let mut places = Self::default();
        for (path, entry) in &tree.entries {
            places.paths.insert(path.clone());
            let Entry::File { bytes, real } = entry else { continue };
            places.paths.insert(real.clone());
            for directive in each(bytes, dialect) {
                if !directive.is("Include") {
                    continue;
                }
                for argument in directive.arguments.unwrap_or_default() {
                    if let Some(pattern) = absolute(&argument.bytes, dialect) {
                        places.add(&pattern);
                    }
                }
            }
        }
        places
    }

    /// A pattern: the part before its first wildcard.
    fn add(&mut self, pattern: &[u8]) {
        let mut plain = PathBuf::from("/");
        for part in pattern.split(|byte| *byte == b'/').filter(|part| !part.is_empty()) {
            if part.iter().any(|byte| b"*?[\\".contains(byte)) {
                self.searched.insert(plain.clone());
                break;
            }
            plain.push(OsStr::from_bytes(part));
        }
        self.paths.insert(plain);
    }
}

/// Where this path leads with links followed, then the directories in which each step is looked up:
/// where those are the same for both, so are the links. A link to /dev/null masks a file, and each
/// /dev has one.
fn on_the_way(host: &Host, path: &Path) -> Vec<PathBuf> {
    let mut all = match host.resolve(path) {
        Ok(resolved) => {
            let directories = resolved.directories.into_iter().rev();
            std::iter::once(resolved.path).chain(directories).collect()
        }
        // Closed to us: InaccessiblePaths=, ProtectHome=.
        Err(_) => path.ancestors().map(Path::to_owned).collect::<Vec<_>>(),
    };
    all.retain(|path| path != Path::new("/dev") && path != Path::new("/dev/null"));
    all
}

/// The first of `paths` that leads elsewhere.
pub(in crate::sshd) fn difference(
    ours: &Mounts,
    theirs: &Mounts,
    paths: &[PathBuf],
) -> Option<OtherView> {
    for path in paths {
        let (there, here) = (theirs.locate(path), ours.locate(path));
        let is_same = match (&there, &here) {
            (Some(there), Some(here)) => there.is_same(here),
            // Two root directories that no mount tells apart.
            (None, _) | (_, None) => false,
        };
        if !is_same {
            let (theirs, ours) = (shown(there), shown(here));
            return Some(OtherView { path: path.clone(), is_essential: false, theirs, ours });
        }
    }
    None
}

fn shown(location: Option<Location<'_>>) -> String {
    let Some(Location { device, path, point }) = location else {
        return "a directory that can't be told".to_owned();
    };
    format!("{} of device {device}, mounted at {}", path.display(), point.display())
}
