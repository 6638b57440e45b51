//! The values that sshd uses, computed as it does: the whole configuration is walked with its
//! includes in place, the first value wins, and what stands in matching blocks beats the rest.
//!
//! sshd walks twice. When it starts, a `Match` line switches what follows off, except `Match all`,
//! which switches it on again. For each connection it then reads only what stands in matching
//! blocks; the first value among these overrides. Both walks see the same lines in the same
//! order, so one walk here serves both: see [`walk`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::dialect::Dialect;
use super::idle_limit::IdleLimit;
use super::match_criteria::{Connection, Criteria};
use super::tree::Tree;
use super::{Keyword, syntax};
use crate::reconcile::{Source, Value};
use populations::Populations;

pub mod populations;
pub mod walk;

#[cfg(test)]
mod tests;

/// What a tree means to sshd, as far as the keepalive keywords go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evaluation {
    /// What sshd has after its start, before any block is looked at.
    pub at_start: BTreeMap<Keyword, Effective>,
    /// Every line that sshd reads at its start, in order: the first one of a keyword decides.
    pub at_start_lines: Vec<(Keyword, Effective)>,
    /// What stands in blocks, in the order in which sshd reads it.
    pub in_blocks: Vec<Assignment>,
    /// Why sshd would refuse the tree; complete only for what is ours to know.
    pub refusals: Vec<Refusal>,
    /// What sshd would read and we can't.
    pub opaque: Vec<PathBuf>,
    /// What ends idle sessions in spite of these settings.
    pub idle_limits: Vec<IdleLimit>,
}

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The value.
    pub value: Value,
    /// The file and line; `None` for sshd's own default.
    pub source: Option<Source>,
}

/// A keepalive keyword in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The keyword.
    pub keyword: Keyword,
    /// Its value and place.
    pub effective: Effective,
    /// What a connection must meet, as written, each once; nothing in `Match all`.
    pub criteria: Criteria,
}

/// Something that sshd refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The file.
    pub file: PathBuf,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub message: String,
}

/// A population of connections that blocks treat apart from the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// What its connections meet.
    pub criteria: Criteria,
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Match")?;
        self.criteria.iter().try_for_each(|criterion| write!(f, " {criterion}"))
    }
}

/// Evaluates a tree. `preset` holds the values of `-o` options, which sshd reads before any file.
#[must_use]
pub fn evaluate(tree: &Tree, preset: &BTreeMap<Keyword, Value>, dialect: &Dialect) -> Evaluation {
    let mut evaluation = Evaluation::default();
    for (keyword, value) in preset {
        evaluation.at_start.insert(*keyword, Effective { value: *value, source: None });
    }
    walk::Walk::new(tree, dialect, &mut evaluation).run();
    evaluation
}

/// The keyword of ours that a directive is about. sshd still knows `KeepAlive`.
#[must_use]
pub fn managed(directive: &syntax::Directive) -> Option<Keyword> {
    if directive.is("KeepAlive") {
        return Some(Keyword::TcpKeepAlive);
    }
    Keyword::ALL.into_iter().find(|keyword| directive.is(keyword.name()))
}

impl Evaluation {
    /// The value for connections that meet nothing but `Match all`: what `sshd -T` prints.
    #[must_use]
    pub fn global(&self, keyword: Keyword) -> Effective {
        self.for_population(keyword, &Vec::new())
    }

    /// The value for connections that meet exactly these criteria, and so every block that demands
    /// no more than these.
    #[must_use]
    pub fn for_population(&self, keyword: Keyword, criteria: &Criteria) -> Effective {
        self.in_blocks
            .iter()
            .filter(|assignment| assignment.keyword == keyword)
            .find(|assignment| assignment.criteria.iter().all(|one| criteria.contains(one)))
            .map_or_else(|| self.without_blocks(keyword), |found| found.effective.clone())
    }

    /// The value before any block is looked at.
    #[must_use]
    pub fn without_blocks(&self, keyword: Keyword) -> Effective {
        let default = || Effective { value: keyword.default_value(), source: None };
        self.at_start.get(&keyword).cloned().unwrap_or_else(default)
    }

    /// The same for many populations.
    #[must_use]
    pub fn populations(&self, keyword: Keyword) -> Populations<'_> {
        Populations::new(self, keyword)
    }

    /// The value for one connection; `None` when it depends on what is not known about it.
    #[must_use]
    pub fn for_connection(
        &self,
        keyword: Keyword,
        connection: &Connection,
        dialect: &Dialect,
    ) -> Option<Effective> {
        let mut possible: Vec<Effective> = Vec::new();
        for assignment in self.in_blocks.iter().filter(|one| one.keyword == keyword) {
            let meets = connection.meets(&assignment.criteria, dialect);
            if meets != Some(false) {
                possible.push(assignment.effective.clone());
            }
            if meets == Some(true) {
                break;
            }
        }
        let decided = self.in_blocks.iter().any(|one| {
            one.keyword == keyword && connection.meets(&one.criteria, dialect) == Some(true)
        });
        if !decided {
            possible.push(self.without_blocks(keyword));
        }
        let last = possible.pop()?;
        possible
            .iter()
            .all(|other| other.value == last.value)
            .then(|| possible.into_iter().next().unwrap_or(last))
    }
}
