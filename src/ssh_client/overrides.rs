//! What users' own files say, which ssh reads before the host's: their choice, reported and never
//! touched. There is no way to enforce a client's settings from /etc.
//!
//! Only `~/.ssh/config` itself is read, not what it includes: a stranger's patterns are no reason
//! for root to walk about the file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Keyword;
use super::evaluate::read;
use super::plan::NAME;
use super::remote::Mounts;
use super::tree::{Entry, Tree, UserFile};
use crate::host::accounts::{Accounts, Reader};
use crate::host::files::Node;
use crate::host::{Host, HostError};
use crate::reconcile::{Problem, Severity, Source, Value};
use crate::sshd::dialect::Dialect;

/// Larger files are somebody's joke.
const LARGEST: u64 = 1 << 20;

/// A line of a user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The account.
    pub user: String,
    /// The keyword.
    pub keyword: Keyword,
    /// What it sets.
    pub value: Value,
    /// Where.
    pub source: Source,
    /// In which block: `Host web*`; `None` for every host.
    pub context: Option<String>,
}

/// The lines of all local accounts, as far as their files can be read: a sandboxed daemon sees no
/// home directories, and `check` and `explain` of root see them. Homes on file systems that may never
/// answer are passed over.
///
/// # Errors
/// When the accounts can't be read.
pub fn of_users(host: &Host, dialect: &Dialect) -> Result<Vec<Override>, HostError> {
    let accounts = Accounts::read(host)?;
    let mounts = Mounts::read(host);
    let mut homes: Vec<&Path> = Vec::new();
    let mut overrides = Vec::new();
    for account in accounts.with_homes() {
        // Many system accounts share one, and / is nobody's.
        if account.home == Path::new("/") || homes.contains(&account.home) {
            continue;
        }
        homes.push(account.home);
        if mounts.is_remote(account.home) {
            continue;
        }
        let file = UserFile::of(account.home.to_owned());
        let Ok(Node::File(found)) = host.read_at_most(&file.path, LARGEST) else { continue };
        let name = String::from_utf8_lossy(account.name);
        overrides.extend(of_one(&name, account.uid, file, found.bytes, dialect));
    }
    Ok(overrides)
}

fn of_one(
    user: &str,
    uid: u32,
    file: UserFile,
    bytes: Vec<u8>,
    dialect: &Dialect,
) -> Vec<Override> {
    let real = file.path.clone();
    let entry = Entry::File { bytes, real, readable: true, trusted: true };
    let tree = Tree {
        entries: BTreeMap::from([(file.path.clone(), entry)]),
        user: Some(file),
        system: PathBuf::new(),
        reader: Reader::Account(uid),
    };
    let reading = read(&tree, dialect);
    let mut overrides: Vec<Override> = Vec::new();
    for keyword in Keyword::ALL {
        for line in reading.lines(keyword) {
            let Some(source) = line.effective.source.clone() else { continue };
            if line.for_everybody == Some(false) {
                continue;
            }
            overrides.push(Override {
                user: user.to_owned(),
                keyword,
                value: line.effective.value,
                source,
                context: line.context.filter(|_| line.for_everybody.is_none()),
            });
            // Nothing after it has a say.
            if line.for_everybody == Some(true) {
                break;
            }
        }
    }
    overrides
}

/// A notice for each line that sets another value than `declared`.
#[must_use]
pub fn problems(overrides: &[Override], declared: &BTreeMap<Keyword, Value>) -> Vec<Problem> {
    let problem = |one: &Override| {
        let wanted = declared.get(&one.keyword).filter(|wanted| **wanted != one.value)?;
        let whom = one.context.as_deref().unwrap_or("every host");
        let message = format!(
            "{} sets {} {} for {whom}, {wanted} is declared: a user's own file comes before the \
             host's, and is not touched",
            one.user,
            one.keyword.name(),
            one.value
        );
        let problem = Problem::new(NAME, Severity::Notice, message);
        Some(problem.at(&one.source.file, Some(one.source.line)))
    };
    overrides.iter().filter_map(problem).collect()
}

#[cfg(test)]
mod tests;
