//! Lines that ssh takes and that don't do what they look like.

use std::path::Path;

use super::condition::{Condition, HostPattern};
use super::evaluate::Reading;
use super::plan::NAME;
use super::tree::{Entry, Tree};
use crate::reconcile::{Problem, Severity};

/// Notices, each with its place.
#[must_use]
pub fn of(tree: &Tree, reading: &Reading) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for block in &reading.blocks {
        let Condition::Host(patterns) = &block.condition else { continue };
        for message in odd_patterns(patterns) {
            let problem = Problem::new(NAME, Severity::Notice, message)
                .at(&block.source.file, Some(block.source.line));
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
    }
    problems.extend(hidden(tree));
    problems
}

fn odd_patterns(patterns: &[HostPattern]) -> Vec<String> {
    let mut messages = Vec::new();
    for pattern in patterns {
        let text = String::from_utf8_lossy(&pattern.text);
        if text.contains(',') {
            messages.push(format!(
                "Host {text}: commas don't separate patterns here, blanks do; no host has this name"
            ));
        }
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            messages.push(format!(
                "Host {text}: compared with the name as it is typed, so it does not match {}",
                text.to_ascii_lowercase()
            ));
        }
    }
    if patterns.iter().all(|pattern| pattern.negated) {
        messages.push("Host with nothing but negated patterns never matches".to_owned());
    }
    messages
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
