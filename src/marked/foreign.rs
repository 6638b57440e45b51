//! Blocks that other tools mark in the files that we edit. Ours stands outside of them: Ansible
//! rewrites its block at every run, Google's guest agent removes its own and writes it anew, and
//! either would take ours with it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

#[cfg(test)]
mod tests;

/// How marker lines begin and end a block: the second word in the place of the first.
const WORDS: [(&[u8], &[u8]); 3] = [(b"begin", b"end"), (b"start", b"end"), (b"start", b"stop")];

/// Google's guest agent, the source of which has these two lines (`oslogin.go`).
const GOOGLE: (&[u8], &[u8]) = (
    b"#### google os login control. do not edit this section. ####",
    b"#### end google os login control section. ####",
);

/// The marked blocks of other tools, markers included, in the order in which they begin. A marker
/// without its counterpart is a comment like any other.
///
/// Read from the end, with the nearest marker of each text kept by its hash: a file may have millions
/// of comments.
#[must_use]
pub fn blocks(file: &[u8]) -> Vec<Range<usize>> {
    let hasher = RandomState::new();
    let mut nearest: HashMap<u64, Range<usize>> = HashMap::new();
    let mut blocks = Vec::new();
    let mut at = file.len();
    for line in file.split_inclusive(|byte| *byte == b'\n').rev() {
        let span = at - line.len()..at;
        at = span.start;
        let text = line.trim_ascii().to_ascii_lowercase();
        if !text.starts_with(b"#") {
            continue;
        }
        let is = |span: &&Range<usize>, text: &[u8]| {
            let found = file.get((*span).clone()).unwrap_or_default();
            found.trim_ascii().eq_ignore_ascii_case(text)
        };
        let ends = counterparts(&text).into_iter().filter_map(|other| {
            nearest.get(&hasher.hash_one(&other)).filter(|end| is(end, &other))
        });
        blocks.extend(ends.map(|end| end.end).min().map(|end| span.start..end));
        if may_end(&text) {
            nearest.insert(hasher.hash_one(&text), span);
        }
    }
    blocks.reverse();
    blocks
}

/// Whether a line could be the second marker of a block.
fn may_end(text: &[u8]) -> bool {
    text == GOOGLE.1 || WORDS.iter().any(|(_, end)| word(text, end).is_some())
}

/// What the other marker of a line could be.
fn counterparts(text: &[u8]) -> Vec<Vec<u8>> {
    if text == GOOGLE.0 {
        return vec![GOOGLE.1.to_vec()];
    }
    let mut found = Vec::new();
    for (begin, end) in WORDS {
        if let Some(at) = word(text, begin) {
            let (before, after) = text.split_at(at);
            found.push([before, end, after.get(begin.len()..).unwrap_or_default()].concat());
        }
    }
    found
}

/// Where a word stands by itself.
fn word(text: &[u8], word: &[u8]) -> Option<usize> {
    let is_letter = |at: Option<&u8>| at.is_some_and(u8::is_ascii_alphanumeric);
    text.windows(word.len()).enumerate().find_map(|(at, window)| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let alone = !is_letter(before) && !is_letter(text.get(at + word.len()));
        (window == word && alone).then_some(at)
    })
}

/// The nearest place at `at` or above it, where a line begins, that is in no other tool's block and
/// not between a directive and the comment right above it.
#[must_use]
pub fn outside(file: &[u8], at: usize) -> usize {
    let blocks = blocks(file);
    let ends: HashSet<usize> = blocks.iter().map(|block| block.end).collect();
    let mut at = at;
    loop {
        for block in blocks.iter().rev() {
            if block.start < at && at < block.end {
                at = block.start;
            }
        }
        let begins = is_directive(file, at) || blocks.iter().any(|block| block.start == at);
        let above = if begins { above_comments(file, at, &ends) } else { at };
        if above == at {
            return at;
        }
        at = above;
    }
}

/// Where the comment lines begin that stand right above `at`; the end of a block is not one of them.
fn above_comments(file: &[u8], mut at: usize, ends: &HashSet<usize>) -> usize {
    while let Some(line) = comment_above(file, at) {
        if ends.contains(&at) {
            break;
        }
        at = line;
    }
    at
}

/// Where the last of the comment lines begins that stand right above `at`, if any do.
fn comment_above(file: &[u8], at: usize) -> Option<usize> {
    let above = file.get(..at)?.strip_suffix(b"\n")?;
    let start = above.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    above.get(start..)?.trim_ascii().starts_with(b"#").then_some(start)
}

/// Whether something other than a blank line or a comment begins there.
fn is_directive(file: &[u8], at: usize) -> bool {
    let line = file.get(at..).unwrap_or_default().split(|byte| *byte == b'\n').next();
    let text = line.unwrap_or_default().trim_ascii();
    !text.is_empty() && !text.starts_with(b"#")
}
