//! The glob that sshd expands `Include` patterns with: OpenBSD's, which it brings along.
//!
//! `*`, `?`, `[a-z]`, `[!a]`, `[[:digit:]]` and `\`; no braces, no tilde. A leading dot must be
//! written. Results are sorted by their bytes, whatever the locale.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::tree::{Entry, Tree, lexical};

mod pattern;

#[cfg(test)]
mod tests;

/// Patterns of this length and more match nothing (`PATH_MAX`).
const TOO_LONG: usize = 4096;

/// What a glob needs to know of a file system.
pub trait Listing {
    /// What can go wrong when looking.
    type Error;

    /// The names in a directory, in any order, without `.` and `..`; none if it is no directory.
    ///
    /// # Errors
    /// When it can't be listed for a reason that is worth reporting.
    fn names(&mut self, directory: &Path) -> Result<Vec<Vec<u8>>, Self::Error>;

    /// Whether anything stands at `path`, a dangling link included.
    ///
    /// # Errors
    /// When that can't be told.
    fn stands(&mut self, path: &Path) -> Result<bool, Self::Error>;

    /// Whether a directory stands at `path`, links followed.
    ///
    /// # Errors
    /// When that can't be told.
    fn is_directory(&mut self, path: &Path) -> Result<bool, Self::Error>;
}

/// The paths that `pattern` matches, in the order in which sshd reads them.
///
/// # Errors
/// The first that the listing reports.
pub fn expand<L: Listing>(pattern: &[u8], listing: &mut L) -> Result<Vec<PathBuf>, L::Error> {
    let mut found = Vec::new();
    if pattern.len() < TOO_LONG
        && let Some(compiled) = pattern::compile(pattern)
        && !compiled.is_empty()
    {
        Expansion { listing, found: &mut found }.descend(Vec::new(), &compiled)?;
    }
    found.sort();
    let path = |bytes: Vec<u8>| PathBuf::from(std::ffi::OsStr::from_bytes(&bytes));
    Ok(found.into_iter().map(path).collect())
}

struct Expansion<'a, L> {
    listing: &'a mut L,
    found: &'a mut Vec<Vec<u8>>,
}

impl<L: Listing> Expansion<'_, L> {
    /// Follows the parts that are literal, up to the first that is not.
    fn descend(&mut self, mut path: Vec<u8>, pattern: &[u16]) -> Result<(), L::Error> {
        let mut rest = pattern;
        loop {
            if rest.is_empty() {
                return self.take(path);
            }
            let end = rest.iter().position(|symbol| *symbol == SLASH).unwrap_or(rest.len());
            let (part, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            if part.iter().any(|symbol| pattern::is_special(*symbol)) {
                return self.search(&path, rest, end);
            }
            let slashes = after.iter().take_while(|symbol| **symbol == SLASH).count();
            let literal = rest.get(..end + slashes).unwrap_or(rest);
            path.extend(literal.iter().map(|symbol| symbol.to_le_bytes()[0]));
            rest = rest.get(end + slashes..).unwrap_or_default();
        }
    }

    fn take(&mut self, path: Vec<u8>) -> Result<(), L::Error> {
        let at = Path::new(std::ffi::OsStr::from_bytes(&path));
        let stands = if path.ends_with(b"/") {
            self.listing.is_directory(at)?
        } else {
            self.listing.stands(at)?
        };
        if stands {
            self.found.push(path);
        }
        Ok(())
    }

    /// Tries every name of a directory against the first `end` symbols of `pattern`.
    fn search(&mut self, directory: &[u8], pattern: &[u16], end: usize) -> Result<(), L::Error> {
        let at = Path::new(std::ffi::OsStr::from_bytes(directory));
        let mut names = self.listing.names(at)?;
        let dots = pattern.first() == Some(&u16::from(b'.'));
        if dots {
            names.extend([b".".to_vec(), b"..".to_vec()]);
        }
        for name in names.iter().filter(|name| dots || !name.starts_with(b".")) {
            if pattern::matches(name, pattern, end) {
                let path = [directory, name].concat();
                self.descend(path, pattern.get(end..).unwrap_or_default())?;
            }
        }
        Ok(())
    }
}

const SLASH: u16 = b'/' as u16;

/// Looks into a snapshot, so that a candidate file is found as a real one would be.
impl Listing for &Tree {
    type Error = std::convert::Infallible;

    fn names(&mut self, directory: &Path) -> Result<Vec<Vec<u8>>, Self::Error> {
        let mut names = names_below(&self.entries, directory);
        names.extend(names_below(&self.entries, &lexical(directory)));
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn stands(&mut self, path: &Path) -> Result<bool, Self::Error> {
        Ok(self.get(path).is_some())
    }

    fn is_directory(&mut self, path: &Path) -> Result<bool, Self::Error> {
        Ok(self.get(path) == Some(&Entry::Directory))
    }
}

/// The names in a directory of a snapshot, sorted; one may come more than once.
#[must_use]
pub fn names_below<E>(entries: &BTreeMap<PathBuf, E>, directory: &Path) -> Vec<Vec<u8>> {
    let depth = directory.components().count();
    entries
        .range(directory.to_owned()..)
        .map(|(path, _)| path)
        .take_while(|path| path.starts_with(directory))
        .filter_map(|path| path.components().nth(depth))
        .filter(|name| matches!(name, Component::Normal(_)))
        .map(|name| name.as_os_str().as_bytes().to_vec())
        .collect()
}
