//! The values that ssh uses, computed as it does: the user's file and then the system's are walked
//! with their includes in place, and for every keyword the first value wins whose block is met.
//!
//! The walk is made once, by [`read`]: what blocks demand is kept beside what they set, so that
//! the [`Reading`] can then be asked about any [`Destination`], and about all at once. Where a
//! `Match final` stands anywhere, or names are made canonical, ssh walks a second time with the
//! name that it will connect to; what the first walk has set stays.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Keyword;
use super::condition::Condition;
use super::tree::Tree;
use crate::reconcile::{Source, Value};
use crate::sshd::dialect::Dialect;

pub mod destination;
pub mod everybody;
pub mod include;
mod walk;

#[cfg(test)]
mod tests;

pub use destination::Destination;

/// What a tree says, in the order in which ssh reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// Every `Host` and `Match` line, also those of files read more than once.
    pub blocks: Vec<Block>,
    /// What happens line by line.
    pub steps: Vec<Step>,
    /// Why ssh would refuse the tree; complete only for what is ours to know.
    pub refusals: Vec<Refusal>,
    /// What ssh would read and we can't.
    pub opaque: Vec<Source>,
    /// The release of ssh that it was read for.
    pub dialect: Dialect,
}

/// A `Host` or `Match` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The block from which its file is included.
    pub outer: Option<usize>,
    /// What it demands.
    pub condition: Condition,
    /// Where it begins.
    pub source: Source,
}

/// One line that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The line of `blocks[_]`: what it demands is looked at here.
    Enter(usize),
    /// A file is read here that we can't read, in this block or outside all: it may set anything.
    Hidden(Option<usize>),
    /// A line that sets something, in a block or outside all.
    Set {
        /// The innermost block.
        block: Option<usize>,
        /// What it sets.
        what: Setting,
    },
}

/// What a line sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Setting {
    /// A keepalive keyword.
    Alive(Keyword, Effective),
    /// `HostName`.
    HostName(Vec<u8>),
    /// `User`.
    User(Vec<u8>),
    /// `BatchMode`.
    BatchMode(bool),
    /// `CanonicalizeHostname`, and whether it does.
    Canonicalize(bool),
    /// `CanonicalizePermittedCNAMEs`, for which names are looked up too.
    PermittedCnames,
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The value.
    pub value: Value,
    /// The file and line; `None` for ssh's own default.
    pub source: Option<Source>,
}

impl Effective {
    /// ssh's own default.
    #[must_use]
    pub const fn default_of(keyword: Keyword) -> Self {
        Self { value: keyword.default_value(), source: None }
    }
}

/// Something that ssh refuses: it then ends for every destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// What is wrong with it, in ssh's words.
    pub message: String,
}

/// Values by keyword; `None` where that depends on what is not known.
pub type Values = BTreeMap<Keyword, Option<Effective>>;

/// Walks a tree.
#[must_use]
pub fn read(tree: &Tree, dialect: &Dialect) -> Reading {
    let mut reading = Reading { dialect: dialect.clone(), ..Reading::default() };
    walk::Walk::new(tree, &mut reading).run();
    reading
}

/// Debian's `SetupTimeOut` is the interval up to some release after 9.2, and `ConnectTimeout` in
/// 10.0. Where a release in between takes it otherwise, its answer differs from what is computed,
/// and nothing is edited.
const SETUP_TIMEOUT_CONNECTS: (u16, u16) = (10, 0);

/// The keyword of ours that a directive is about. ssh still knows `KeepAlive`, and Debian's has
/// more names for the interval.
#[must_use]
pub fn managed(directive: &crate::sshd::syntax::Directive, dialect: &Dialect) -> Option<Keyword> {
    if directive.is("KeepAlive") {
        return Some(Keyword::TcpKeepAlive);
    }
    let setup = directive.is("SetupTimeOut") && dialect.version() < SETUP_TIMEOUT_CONNECTS;
    if dialect.is_debian() && (directive.is("ProtocolKeepAlives") || setup) {
        return Some(Keyword::ServerAliveInterval);
    }
    Keyword::ALL.into_iter().find(|keyword| directive.is(keyword.name()))
}

impl Reading {
    /// Whether ssh reads all files a second time, for whatever destination.
    #[must_use]
    pub fn wants_final_pass(&self) -> bool {
        self.blocks.iter().any(|block| block.condition.wants_final_pass())
    }

    /// The first place where ssh runs a shell command to decide. It does so also in `ssh -G`.
    #[must_use]
    pub fn runs_commands(&self) -> Option<&Source> {
        let exec = super::condition::Attribute::Exec;
        self.blocks.iter().find(|block| block.condition.has(exec)).map(|block| &block.source)
    }

    /// What the files say to an ssh that we ask: it meets no `Match exec`, and looks up no name.
    #[must_use]
    pub fn as_judged(&self) -> Self {
        let mut judged = self.clone();
        judged.steps.retain(|step| {
            let Step::Set { what, .. } = step else { return true };
            !matches!(what, Setting::Canonicalize(true) | Setting::PermittedCnames)
        });
        for block in &mut judged.blocks {
            block.condition.never_by_exec();
        }
        judged
    }
}
