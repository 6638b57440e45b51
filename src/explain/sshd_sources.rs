//! Who decides about sshd's settings: the first value wins, a block beats what stands outside.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::{Explanation, Loser};
use crate::reconcile::{Source, Value};
use crate::sshd::Keyword;
use crate::sshd::evaluate::{Assignment, Context, Effective, Evaluation};
use crate::sshd::match_criteria::Criteria;

/// Up to so many blocks that set a keyword, each lists the others too.
const FEW_BLOCKS: usize = 8;

/// Every keyword: for connections that meet no block, and for each block's.
#[must_use]
pub fn explanations(
    evaluation: &Evaluation,
    preset: &BTreeMap<Keyword, Value>,
) -> Vec<Explanation> {
    let mut explanations = Vec::new();
    for keyword in Keyword::ALL {
        let lines = Lines { evaluation, preset, keyword };
        explanations.push(lines.explain(None, &evaluation.global(keyword)));
        for (context, winner) in evaluation.populations(keyword).all() {
            explanations.push(lines.explain(Some(&context), &winner));
        }
    }
    explanations
}

/// Everything that is said about one keyword.
#[derive(Clone, Copy)]
struct Lines<'e> {
    evaluation: &'e Evaluation,
    preset: &'e BTreeMap<Keyword, Value>,
    keyword: Keyword,
}

impl<'e> Lines<'e> {
    fn blocks(self) -> impl Iterator<Item = &'e Assignment> {
        self.evaluation.in_blocks.iter().filter(move |one| one.keyword == self.keyword)
    }

    fn explain(self, context: Option<&Context>, winner: &Effective) -> Explanation {
        let in_block = self.blocks().any(|one| one.effective == *winner);
        let rule = match (&winner.source, in_block) {
            (Some(_), true) => "the first block that applies wins, and beats what is outside",
            (Some(_), false) => "the first value wins",
            (None, _) if self.preset.contains_key(&self.keyword) => {
                "an option on sshd's command line, which beats every file"
            }
            (None, _) => "nothing sets it: sshd's default",
        };
        let (losers, left_out) = self.losers(winner, in_block, context.map(|one| &one.criteria));
        let rule = match left_out {
            0 => rule.to_owned(),
            more => format!("{rule}; {more} blocks about others are listed with the global value"),
        };
        Explanation {
            resource: "sshd_config",
            name: self.keyword.name(),
            context: context.map_or_else(|| "global".to_owned(), ToString::to_string),
            effective: Some(winner.value),
            source: winner.source.clone(),
            rule,
            losers,
        }
    }

    /// The lines that don't decide, and how many of other blocks are left out. With many blocks each
    /// would list all others, in a text that grows with their square.
    fn losers(
        self,
        winner: &Effective,
        in_block: bool,
        context: Option<&Criteria>,
    ) -> (Vec<Loser>, usize) {
        let lists_others = context.is_none() || self.blocks().nth(FEW_BLOCKS).is_none();
        let met = |criterion| context.is_some_and(|criteria| criteria.contains(criterion));
        let mut left_out = 0;
        let mut losers: Vec<Loser> = Vec::new();
        let mut listed: BTreeSet<Source> = BTreeSet::new();
        let mut add = |effective: &Effective, why: String| {
            let Some(source) = effective.source.clone() else { return };
            // A file that is included twice says it twice; once is enough. A `Match all` is read in
            // both walks of sshd.
            if effective != winner && listed.insert(source.clone()) {
                losers.push(Loser { source, value: effective.value.to_string(), why });
            }
        };
        let first = match (&winner.source, self.preset.contains_key(&self.keyword)) {
            (Some(source), _) => format!("{source} comes first"),
            (None, true) => "sshd's command line beats it".to_owned(),
            (None, false) => "not read".to_owned(),
        };
        for one in self.blocks() {
            let applies = one.criteria.iter().all(met);
            if !applies && !lists_others {
                left_out += 1;
                continue;
            }
            let context = Context { criteria: one.criteria.clone() };
            let why = if applies { first.clone() } else { format!("only inside {context}") };
            add(&one.effective, why);
        }
        for (_, effective) in self.lines() {
            let why = if in_block {
                "a block beats what stands outside".to_owned()
            } else {
                first.clone()
            };
            add(effective, why);
        }
        (losers, left_out)
    }

    fn lines(self) -> impl Iterator<Item = &'e (Keyword, Effective)> {
        self.evaluation.at_start_lines.iter().filter(move |(keyword, _)| *keyword == self.keyword)
    }
}
