//! Reading from a host what ssh would read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::evaluate::include::{self, Base};
use super::tree::{Entry, Tree, UserFile};
use crate::host::accounts::{Accounts, Reader};
use crate::host::files::Node;
use crate::host::permissions::Permissions;
use crate::host::{Host, HostError};
use crate::sshd::dialect::Dialect;
use crate::sshd::tree::budget::Budget;
use crate::sshd::{glob, syntax};

/// A tree as it was found, and what to watch for it to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The tree.
    pub tree: Tree,
    /// The files and directories of which a change can change the tree.
    pub watched: BTreeSet<PathBuf>,
}

/// What to read, and for whom.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The user's file, if it takes part.
    pub user: Option<UserFile>,
    /// The system's file.
    pub system: PathBuf,
    /// Who runs ssh.
    pub reader: Reader,
    /// Where something of ours may stand besides.
    pub besides: Vec<PathBuf>,
}

/// Reads both files and everything that their `Include` patterns and those of included files match,
/// in whatever block they stand.
///
/// # Errors
/// When something can't be read for another reason than its permissions.
pub fn read(host: &Host, scope: &Scope, dialect: &Dialect) -> Result<Snapshot, HostError> {
    let tree = Tree {
        user: scope.user.clone(),
        system: scope.system.clone(),
        reader: scope.reader,
        entries: BTreeMap::new(),
    };
    let accounts = Accounts::read(host)?;
    let found = Snapshot { tree, watched: BTreeSet::new() };
    let mut looking =
        Looking { host, accounts, lenient: dialect.is_debian(), found, budget: Budget::default() };
    for path in &scope.besides {
        looking.look(path)?;
    }
    let user = scope.user.as_ref().map(|file| (file.path.clone(), Base::User(&file.home)));
    let mut due: Vec<(PathBuf, Base<'_>)> = user.into_iter().collect();
    due.push((scope.system.clone(), Base::System));
    let mut done: BTreeSet<Vec<u8>> = BTreeSet::new();
    while let Some((path, base)) = due.pop() {
        looking.look(&path)?;
        for pattern in looking.patterns(&path, base, dialect)? {
            if done.insert(pattern.clone()) {
                looking.budget.pattern(&path)?;
                let files = glob::expand(&pattern, &mut looking)?;
                due.extend(files.into_iter().map(|file| (file, base)));
            }
        }
    }
    Ok(looking.found)
}

struct Looking<'a> {
    host: &'a Host,
    accounts: Accounts,
    lenient: bool,
    found: Snapshot,
    budget: Budget,
}

impl Looking<'_> {
    /// Records what stands at `path`; says whether anything does.
    fn look(&mut self, path: &Path) -> Result<bool, HostError> {
        if self.found.tree.entries.contains_key(path) {
            return Ok(true);
        }
        self.budget.look(path)?;
        self.found.watched.insert(path.to_owned());
        for directory in path.ancestors().skip(1) {
            self.directory(directory);
        }
        let entry = match self.host.read(path) {
            Ok(Node::Missing) => return Ok(false),
            Ok(Node::Dangling) => Entry::Dangling,
            Ok(Node::Directory) => {
                self.directory(path);
                return Ok(true);
            }
            Ok(Node::Special) => self.special(path)?,
            Ok(Node::File(file)) => {
                self.budget.file(path, file.bytes.len())?;
                let permissions = Permissions { uid: file.uid, gid: file.gid, mode: file.mode };
                self.file(file.bytes, file.path, permissions)
            }
            Err(error) => match error.source.kind() {
                ErrorKind::InvalidFilename => return Ok(false),
                ErrorKind::PermissionDenied if self.host.permissions(path).is_none() => {
                    return Ok(false);
                }
                ErrorKind::PermissionDenied => Entry::Unreadable,
                _ => return Err(error),
            },
        };
        self.found.tree.entries.insert(path.to_owned(), entry);
        Ok(true)
    }

    fn file(&self, bytes: Vec<u8>, real: PathBuf, permissions: Permissions) -> Entry {
        let reader = self.found.tree.reader;
        Entry::File {
            bytes: bytes.into(),
            real,
            readable: reader.may_read(permissions),
            trusted: self.accounts.trusts(permissions, reader, self.lenient),
        }
    }

    /// A link to /dev/null is how a drop-in is masked: ssh reads it as an empty file, and finds
    /// that everybody can write it.
    fn special(&self, path: &Path) -> Result<Entry, HostError> {
        let real = self.host.resolve(path)?.path;
        Ok(if real == Path::new("/dev/null") {
            Entry::File { bytes: [].into(), real, readable: true, trusted: false }
        } else {
            Entry::Opaque
        })
    }

    fn directory(&mut self, path: &Path) {
        // The root is the root, whatever the mode of the directory that stands for it.
        if path == Path::new("/") {
            return;
        }
        if let Some(permissions) = self.host.permissions(path) {
            let reader = self.found.tree.reader;
            let entry = Entry::Directory {
                trusted: self.accounts.trusts(permissions, reader, self.lenient),
                listable: reader.may_read(permissions),
                searchable: reader.may_search(permissions),
            };
            self.found.tree.entries.insert(path.to_owned(), entry);
        }
    }

    fn patterns(
        &mut self,
        path: &Path,
        base: Base<'_>,
        dialect: &Dialect,
    ) -> Result<Vec<Vec<u8>>, HostError> {
        let bytes = self.found.tree.content(path).unwrap_or_default();
        let mut patterns = Vec::new();
        for directive in syntax::each(bytes, dialect) {
            self.budget.line(path)?;
            if !directive.is("Include") {
                continue;
            }
            for argument in directive.arguments.unwrap_or_default() {
                patterns.extend(include::absolute(&argument.bytes, base, dialect));
            }
        }
        Ok(patterns)
    }
}

/// Looks at the host, and records all that it meets.
impl glob::Listing for Looking<'_> {
    type Error = HostError;

    fn names(&mut self, directory: &Path) -> Result<Vec<Vec<u8>>, HostError> {
        self.found.watched.insert(directory.to_owned());
        self.directory(directory);
        match self.host.list(directory) {
            Ok(names) => {
                self.budget.listing(directory, names.len())?;
                Ok(names.into_iter().map(std::os::unix::ffi::OsStringExt::into_vec).collect())
            }
            // ssh's glob finds nothing there.
            Err(error) if error.source.kind() == ErrorKind::PermissionDenied => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn stands(&mut self, path: &Path) -> Result<bool, HostError> {
        self.look(path)
    }

    fn is_directory(&mut self, path: &Path) -> Result<bool, HostError> {
        self.look(path)?;
        Ok(matches!(self.found.tree.entries.get(path), Some(Entry::Directory { .. })))
    }
}
