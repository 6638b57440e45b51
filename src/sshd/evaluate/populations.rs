//! The value of one keyword for each population. Looked up, since a host may have 10,000 blocks, and
//! comparing each population with each block takes a hundred million steps.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, Effective, Evaluation};
use crate::sshd::Keyword;
use crate::sshd::match_criteria::{Criteria, Criterion};

/// A population with more criteria has the blocks gone through: its 2^N subsets would be more.
const MOST_CRITERIA: usize = 8;

/// What blocks set one keyword, by what they demand.
#[derive(Debug)]
pub struct Populations<'e> {
    evaluation: &'e Evaluation,
    keyword: Keyword,
    /// The first block that demands just these criteria, sorted; an index into the blocks.
    first: BTreeMap<Vec<&'e Criterion>, usize>,
}

impl<'e> Populations<'e> {
    pub(super) fn new(evaluation: &'e Evaluation, keyword: Keyword) -> Self {
        let mut first = BTreeMap::new();
        for (number, assignment) in evaluation.in_blocks.iter().enumerate() {
            if assignment.keyword == keyword {
                first.entry(sorted(&assignment.criteria)).or_insert(number);
            }
        }
        Self { evaluation, keyword, first }
    }

    /// As [`Evaluation::for_population`].
    #[must_use]
    pub fn value(&self, criteria: &Criteria) -> Effective {
        let criteria = sorted(criteria);
        if criteria.len() > MOST_CRITERIA {
            let criteria = criteria.into_iter().cloned().collect();
            return self.evaluation.for_population(self.keyword, &criteria);
        }
        let blocks = subsets(&criteria).filter_map(|subset| self.first.get(&subset).copied());
        match blocks.min().and_then(|block| self.evaluation.in_blocks.get(block)) {
            Some(found) => found.effective.clone(),
            None => self.evaluation.without_blocks(self.keyword),
        }
    }

    /// Every population for which a block sets the keyword, in the order of the blocks, with its
    /// value; `Match all` left out. If each of these has a value, every connection in any of them
    /// has it.
    #[must_use]
    pub fn all(&self) -> Vec<(Context, Effective)> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for block in &self.evaluation.in_blocks {
            let is_new = block.keyword == self.keyword
                && !block.criteria.is_empty()
                && seen.insert(sorted(&block.criteria));
            if is_new {
                let context = Context { criteria: block.criteria.clone() };
                all.push((context, self.value(&block.criteria)));
            }
        }
        all
    }
}

fn sorted(criteria: &Criteria) -> Vec<&Criterion> {
    let set: BTreeSet<&Criterion> = criteria.iter().collect();
    set.into_iter().collect()
}

/// Every choice of some of these, in their order.
fn subsets<'e>(criteria: &[&'e Criterion]) -> impl Iterator<Item = Vec<&'e Criterion>> {
    (0..1_usize << criteria.len()).map(|chosen| {
        let is_chosen = |place: &usize| chosen >> place & 1 == 1;
        let places = (0..criteria.len()).filter(is_chosen);
        places.filter_map(|place| criteria.get(place).copied()).collect()
    })
}
