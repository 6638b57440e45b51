//! Lines that ssh takes and that don't do what they look like.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::condition::{Condition, HostPattern};
use super::evaluate::Reading;
use super::plan::NAME;
use super::tree::{Entry, Tree};
use crate::escape;
use crate::reconcile::{Problem, Severity, Source};

/// So many lines of each kind are told one by one, the rest are counted.
const TOLD: usize = 3;

/// What is odd about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Commas,
    Capitals,
    Negated,
}

/// Notices, each with its place.
#[must_use]
pub fn of(tree: &Tree, reading: &Reading) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    // A file that is included twice has the same lines twice.
    let mut known: BTreeSet<(&Source, Kind, &[u8])> = BTreeSet::new();
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    for block in &reading.blocks {
        let Condition::Host(patterns) = &block.condition else { continue };
        for (kind, text) in odd_patterns(patterns) {
            if !known.insert((&block.source, kind, text)) {
                continue;
            }
            let count = counts.entry(kind).or_default();
            *count += 1;
            if *count <= TOLD {
                let problem = Problem::new(NAME, Severity::Notice, kind.message(text));
                problems.push(problem.at(&block.source.file, Some(block.source.line)));
            }
        }
    }
    for (kind, count) in counts.into_iter().filter(|(_, count)| *count > TOLD) {
        let message = format!("{} more {}", escape::counted(count - TOLD), kind.plural());
        problems.push(Problem::new(NAME, Severity::Notice, message));
    }
    problems.extend(hidden(tree));
    problems
}

fn odd_patterns(patterns: &[HostPattern]) -> Vec<(Kind, &[u8])> {
    let mut odd: Vec<(Kind, &[u8])> = Vec::new();
    for pattern in patterns {
        if pattern.text.contains(&b',') {
            odd.push((Kind::Commas, &pattern.text));
        }
        if pattern.text.iter().any(u8::is_ascii_uppercase) {
            odd.push((Kind::Capitals, &pattern.text));
        }
    }
    if patterns.iter().all(|pattern| pattern.negated) {
        odd.push((Kind::Negated, b""));
    }
    odd
}

impl Kind {
    fn message(self, text: &[u8]) -> String {
        let text = String::from_utf8_lossy(text);
        let text = escape::name(&text);
        match self {
            Self::Commas => format!(
                "Host {text}: commas don't separate patterns here, blanks do; no host has this name"
            ),
            Self::Capitals => format!(
                "Host {text}: compared with the name as it is typed, so it does not match {}",
                text.to_ascii_lowercase()
            ),
            Self::Negated => "Host with nothing but negated patterns never matches".to_owned(),
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::Commas => "patterns of Host lines have commas, which don't separate patterns",
            Self::Capitals => {
                "patterns of Host lines have capitals, and match no name without them"
            }
            Self::Negated => "Host lines have nothing but negated patterns, and never match",
        }
    }
}

/// What ssh passes over in silence, since it can't be read.
fn hidden(tree: &Tree) -> Vec<Problem> {
    let notice =
        |path: &Path, message: &str| Problem::new(NAME, Severity::Notice, message).at(path, None);
    let mains = tree.user.iter().map(|user| user.path.as_path()).chain([tree.system.as_path()]);
    let unread = mains
        .filter(|path| tree.is_unreadable(path))
        .map(|path| notice(path, "Permission denied: ssh passes it over in silence"));
    let closed = tree.entries.iter().filter_map(|(path, entry)| match entry {
        Entry::Directory { listable, searchable, .. } if !listable || !searchable => {
            let message = "users can't look into it: ssh passes over what is in it in silence";
            Some(notice(path, message))
        }
        _ => None,
    });
    unread.chain(closed).collect()
}
