//! The values for those whom no block treats apart, and the blocks that treat some apart.

use std::collections::BTreeSet;

use super::{Effective, Reading, Setting, Step};
use crate::ssh_client::Keyword;

/// A value that some destinations get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// The block's line, and those of the blocks around it: `Host web*`.
    pub context: String,
    /// Its number in [`Reading::blocks`].
    pub block: usize,
    /// What the block sets.
    pub effective: Effective,
}

/// A line that sets a keyword, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'r> {
    /// Its block, and those around it; `None` outside all.
    pub context: Option<String>,
    /// What it sets.
    pub effective: &'r Effective,
    /// Whether that is for everybody; `Some(false)`: for nobody, `None`: for some.
    pub for_everybody: Option<bool>,
}

impl Reading {
    /// Every line about `keyword`, in the order in which ssh reads them.
    pub fn lines(&self, keyword: Keyword) -> impl Iterator<Item = Line<'_>> {
        let final_pass = self.wants_final_pass();
        self.assignments(keyword, final_pass).map(|(block, effective, for_everybody)| Line {
            context: block.map(|block| self.context(block)),
            effective,
            for_everybody,
        })
    }

    /// The value for a destination that meets only what all meet.
    #[must_use]
    pub fn global(&self, keyword: Keyword) -> Effective {
        let first = |final_pass| {
            self.assignments(keyword, final_pass).find(|(_, _, met)| *met == Some(true))
        };
        let second = || if self.wants_final_pass() { first(true) } else { None };
        first(false)
            .or_else(second)
            .map_or_else(|| Effective::default_of(keyword), |(_, effective, _)| effective.clone())
    }

    /// The blocks that set a value before the one for everybody, each context once, in the order
    /// in which ssh reads them.
    #[must_use]
    pub fn deviations(&self, keyword: Keyword) -> Vec<Deviation> {
        let mut deviations: Vec<Deviation> = Vec::new();
        let mut known = BTreeSet::new();
        for final_pass in [false, true] {
            if final_pass && !self.wants_final_pass() {
                break;
            }
            for (block, effective, met) in self.assignments(keyword, final_pass) {
                match (met, block) {
                    (Some(true), _) => return deviations,
                    (None, Some(block)) => {
                        let context = self.context(block);
                        if known.insert(context.clone()) {
                            deviations.push(Deviation {
                                context,
                                block,
                                effective: effective.clone(),
                            });
                        }
                    }
                    _ => {}
                }
            }
        }
        deviations
    }

    /// Where a file that we can't read may set `keyword` before the line for everybody does: its
    /// block, or `None` where that is for everybody too.
    #[must_use]
    pub fn hidden(&self, keyword: Keyword) -> Vec<Option<usize>> {
        let mut hidden = Vec::new();
        for final_pass in [false, true] {
            if final_pass && !self.wants_final_pass() {
                break;
            }
            for step in &self.steps {
                match step {
                    Step::Hidden(block) => match self.holds(*block, final_pass) {
                        Some(true) => hidden.push(None),
                        None => hidden.push(*block),
                        Some(false) => {}
                    },
                    Step::Set { block, what: Setting::Alive(found, _) }
                        if *found == keyword && self.holds(*block, final_pass) == Some(true) =>
                    {
                        return hidden;
                    }
                    _ => {}
                }
            }
        }
        hidden
    }

    /// `Host web*`; for a file that is included from a block: `Host web*, Match user bob`.
    #[must_use]
    pub fn context(&self, block: usize) -> String {
        let Some(found) = self.blocks.get(block) else { return String::new() };
        match found.outer {
            Some(outer) => format!("{}, {}", self.context(outer), found.condition),
            None => found.condition.to_string(),
        }
    }

    /// Every line that sets `keyword`: its block, its value, and whether it holds for everybody,
    /// nobody, or some.
    fn assignments(
        &self,
        keyword: Keyword,
        final_pass: bool,
    ) -> impl Iterator<Item = (Option<usize>, &Effective, Option<bool>)> {
        self.steps.iter().filter_map(move |step| match step {
            Step::Set { block, what: Setting::Alive(found, effective) } if *found == keyword => {
                Some((*block, effective, self.holds(*block, final_pass)))
            }
            _ => None,
        })
    }

    /// Whether everybody is in the block, or nobody.
    pub(crate) fn holds(&self, block: Option<usize>, final_pass: bool) -> Option<bool> {
        let Some(block) = block.and_then(|at| self.blocks.get(at)) else { return Some(true) };
        match (self.holds(block.outer, final_pass), block.condition.is_met_by_all(final_pass)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }
}
