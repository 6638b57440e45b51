//! How much one configuration may make us read. sshd and ssh follow whatever their `Include` lines
//! match; `Include /*/*/*/*/*` is the whole host. What exceeds a limit is an error with its path, and
//! the tree is left alone: what sshd makes of the rest could not be told.

use std::path::Path;

use crate::host::{HostError, files::beyond};

/// What all files of a tree may have, in bytes. 10,000 `Match` blocks have 1 MB. The memory of the
/// daemon's unit has room for the tree, what would be made of it, and what sshd takes to judge both.
pub const LARGEST_TREE: u64 = 12 << 20;

/// How many lines all files of a tree may have, comments left out: each takes some hundred bytes.
/// 10,000 `Match` blocks of ten lines have 110,000.
pub const MOST_LINES: u64 = 120_000;

/// How many paths may be looked at. Generated configurations have a file for each of some thousand users.
pub const MOST_PATHS: u64 = 16_384;

/// How many different patterns may be expanded.
pub const MOST_PATTERNS: u64 = 1_000;

/// How many directories may be listed for them, each as often as it is.
pub const MOST_LISTINGS: u64 = 4_096;

/// How many names of directories may be compared with patterns, over all of them.
pub const MOST_NAMES: u64 = 1 << 20;

/// What was read so far.
#[derive(Debug, Default)]
pub struct Budget {
    bytes: u64,
    lines: u64,
    paths: u64,
    patterns: u64,
    listings: u64,
    names: u64,
}

impl Budget {
    /// A path is looked at.
    ///
    /// # Errors
    /// When it is one too many, as for all that follow.
    pub fn look(&mut self, path: &Path) -> Result<(), HostError> {
        spend(&mut self.paths, 1, MOST_PATHS, "paths", path)
    }

    /// A file of this size was read.
    ///
    /// # Errors
    /// When all files together are too large.
    pub fn file(&mut self, path: &Path, size: usize) -> Result<(), HostError> {
        spend(&mut self.bytes, size, LARGEST_TREE, "bytes", path)
    }

    /// A line of this file means something.
    ///
    /// # Errors
    /// When all files together have too many.
    pub fn line(&mut self, file: &Path) -> Result<(), HostError> {
        spend(&mut self.lines, 1, MOST_LINES, "lines", file)
    }

    /// A pattern of this file is expanded.
    ///
    /// # Errors
    /// When it is one too many.
    pub fn pattern(&mut self, file: &Path) -> Result<(), HostError> {
        spend(&mut self.patterns, 1, MOST_PATTERNS, "different Include patterns", file)
    }

    /// A directory of so many names was listed.
    ///
    /// # Errors
    /// When it is one too many, or the names are.
    pub fn listing(&mut self, directory: &Path, names: usize) -> Result<(), HostError> {
        spend(&mut self.listings, 1, MOST_LISTINGS, "directories", directory)?;
        spend(&mut self.names, names, MOST_NAMES, "names", directory)
    }
}

fn spend(
    spent: &mut u64,
    more: usize,
    limit: u64,
    unit: &str,
    path: &Path,
) -> Result<(), HostError> {
    *spent = spent.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
    if *spent <= limit {
        return Ok(());
    }
    let action = "with it the configuration is too large";
    Err(HostError { path: path.to_owned(), action, source: beyond(limit, unit) })
}
