//! Reading from a host what sshd would read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::budget::Budget;
use super::{Entry, Tree};
use crate::host::files::Node;
use crate::host::{Host, HostError};
use crate::sshd::dialect::Dialect;
use crate::sshd::evaluate::walk::absolute;
use crate::sshd::{glob, syntax};

/// A tree as it was found, and what to watch for it to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The tree.
    pub tree: Tree,
    /// The files and directories of which a change can change the tree.
    pub watched: BTreeSet<PathBuf>,
    /// The files among these that somebody has open for writing: they may not be whole.
    pub being_written: BTreeSet<PathBuf>,
}

/// Reads the main file, everything that its `Include` patterns and those of included files match,
/// in whatever block they stand, and what stands at the paths in `besides`.
///
/// # Errors
/// When something is there and can't be read: what sshd makes of it could not be told.
pub fn read(
    host: &Host,
    main: &Path,
    besides: &[PathBuf],
    dialect: &Dialect,
) -> Result<Snapshot, HostError> {
    let tree = Tree { main: main.to_owned(), entries: BTreeMap::new() };
    let (watched, being_written) = Default::default();
    let found = Snapshot { tree, watched, being_written };
    let mut reader = Reader { host, found, budget: Budget::default() };
    for path in besides {
        reader.look(path)?;
    }
    let mut done: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut due = vec![main.to_owned()];
    while let Some(path) = due.pop() {
        reader.look(&path)?;
        for pattern in reader.patterns(&path, dialect)? {
            if done.insert(pattern.clone()) {
                reader.budget.pattern(&path)?;
                due.extend(glob::expand(&pattern, &mut reader)?);
            }
        }
    }
    Ok(reader.found)
}

struct Reader<'a> {
    host: &'a Host,
    found: Snapshot,
    budget: Budget,
}

impl Reader<'_> {
    /// Records what stands at `path`; says whether anything does.
    fn look(&mut self, path: &Path) -> Result<bool, HostError> {
        if self.found.tree.entries.contains_key(path) {
            return Ok(true);
        }
        self.budget.look(path)?;
        self.found.watched.insert(path.to_owned());
        let entry = match self.host.read_settled(path) {
            Ok(Node::Missing) => return Ok(false),
            Ok(Node::Dangling) => Entry::Dangling,
            Ok(Node::Directory) => Entry::Directory,
            Ok(Node::Special) => self.special(path)?,
            Ok(Node::File(file)) => {
                self.budget.file(path, file.bytes.len())?;
                if file.being_written {
                    self.found.being_written.insert(path.to_owned());
                }
                Entry::File { bytes: file.bytes.into(), real: file.path }
            }
            Err(error) if error.source.kind() == std::io::ErrorKind::InvalidFilename => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        self.found.tree.entries.insert(path.to_owned(), entry);
        Ok(true)
    }

    /// A link to /dev/null is how a drop-in is masked: sshd reads it as an empty file.
    fn special(&self, path: &Path) -> Result<Entry, HostError> {
        let real = self.host.resolve(path)?.path;
        Ok(if real == Path::new("/dev/null") {
            Entry::File { bytes: [].into(), real }
        } else {
            Entry::Opaque
        })
    }

    fn patterns(&mut self, path: &Path, dialect: &Dialect) -> Result<Vec<Vec<u8>>, HostError> {
        let Some(Entry::File { bytes, .. }) = self.found.tree.entries.get(path) else {
            return Ok(Vec::new());
        };
        let mut patterns = Vec::new();
        for directive in syntax::each(bytes, dialect) {
            self.budget.line(path)?;
            if !directive.is("Include") {
                continue;
            }
            for argument in directive.arguments.unwrap_or_default() {
                if !argument.bytes.is_empty() {
                    patterns.extend(absolute(&argument.bytes, dialect));
                }
            }
        }
        Ok(patterns)
    }
}

/// Looks at the host, and records all that it meets.
impl glob::Listing for Reader<'_> {
    type Error = HostError;

    fn names(&mut self, directory: &Path) -> Result<Vec<Vec<u8>>, HostError> {
        self.found.watched.insert(directory.to_owned());
        let names = self.host.list(directory)?;
        self.budget.listing(directory, names.len())?;
        if matches!(self.host.read(directory)?, Node::Directory) {
            // Without the slash at its end.
            let plain = directory.components().collect();
            self.found.tree.entries.insert(plain, Entry::Directory);
        }
        Ok(names.into_iter().map(std::os::unix::ffi::OsStringExt::into_vec).collect())
    }

    fn stands(&mut self, path: &Path) -> Result<bool, HostError> {
        self.look(path)
    }

    fn is_directory(&mut self, path: &Path) -> Result<bool, HostError> {
        self.look(path)?;
        Ok(self.found.tree.entries.get(path) == Some(&Entry::Directory))
    }
}
