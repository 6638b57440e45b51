//! What this tool writes into ssh's configuration, and how it is taken out again.

use std::collections::BTreeMap;
use std::path::Path;

use super::Keyword;
use super::evaluate::managed;
use crate::marked::{self, Line, Strangers};
use crate::reconcile::Value;
use crate::sshd::dialect::Dialect;
use crate::sshd::syntax::{self, Directive};

#[cfg(test)]
mod tests;

/// The declared values, and the policy file to name to the reader.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The values.
    pub values: &'a BTreeMap<Keyword, Value>,
    /// The policy file.
    pub policy: &'a Path,
    /// The grammar.
    pub dialect: &'a Dialect,
}

/// How the user's block begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// `Host *`.
    Always,
    /// `Match final all`: where blocks of the user's wait for the second reading, which would come
    /// too late against `Host *`.
    Finally,
}

impl Condition {
    const fn line(self) -> &'static str {
        match self {
            Self::Always => "Host *",
            Self::Finally => "Match final all",
        }
    }
}

impl Text<'_> {
    /// A drop-in. It is read outside any block, and so for every host. What others have put into it
    /// stays.
    #[must_use]
    pub fn drop_in(&self, strangers: &Strangers) -> Vec<u8> {
        let ours = marked::header(self.policy) + &self.lines("");
        [ours.as_bytes(), &strangers.alone(b"")].concat()
    }

    fn lines(&self, indent: &str) -> String {
        let line =
            |(keyword, value): (&Keyword, &Value)| format!("{indent}{} {value}\n", keyword.name());
        self.values.iter().map(line).collect()
    }

    /// The system's file with the block at `at`, where a line begins and no other block stands above.
    #[must_use]
    pub fn for_system(&self, file: &[u8], at: usize) -> Vec<u8> {
        let block = marked::block(&self.lines(""), self.policy, "keepalive-policy restore", file);
        insert(file, at, &block)
    }

    /// The user's file with the block at `at`, where a line begins. Its condition, which everybody
    /// meets, ends whatever block it stands in; what follows must begin one, or be outside all.
    #[must_use]
    pub fn for_user(&self, file: &[u8], at: usize, condition: Condition) -> Vec<u8> {
        let lines = format!("{}\n{}", condition.line(), self.lines("    "));
        let undo = "keepalive-policy client restore";
        insert(file, at, &marked::block(&lines, self.policy, undo, file))
    }
}

fn insert(file: &[u8], at: usize, block: &[u8]) -> Vec<u8> {
    let (above, below) = file.split_at_checked(at).unwrap_or((file, &[]));
    // A last line without its end would swallow the marker.
    let end: &[u8] = if above.is_empty() || above.ends_with(b"\n") { b"" } else { b"\n" };
    [above, end, block, below].concat()
}

/// Whether a file at one of our paths is of our making: it has our header, or somebody replaced it
/// by one that says nothing about anything else.
#[must_use]
pub fn is_ours(content: &[u8], dialect: &Dialect) -> bool {
    let of_ours = |line: &Directive| managed(line, dialect).is_some() || is_block(line);
    marked::has_header(content) || syntax::each(content, dialect).all(|line| of_ours(&line))
}

/// What others have put into a file of ours. Our keywords outside blocks of theirs are ours: drift.
#[must_use]
pub fn strangers(content: &[u8], dialect: &Dialect) -> Strangers {
    Strangers::of(content, |line| match syntax::directives(line, dialect).as_slice() {
        [one] if managed(one, dialect).is_some() => Line::Ours,
        [one] if is_block(one) => Line::Block,
        _ => Line::Theirs,
    })
}

fn is_block(line: &Directive) -> bool {
    line.is("Host") || line.is("Match")
}

/// The system's file without our block.
#[must_use]
pub fn strip(file: &[u8], dialect: &Dialect) -> Vec<u8> {
    marked::strip(file, |line| is_own_line(line, dialect))
}

/// The user's file without our block. Lines that somebody appended below it stay in a `Host *`
/// block, where they have been read so far.
#[must_use]
pub fn strip_for_user(file: &[u8], dialect: &Dialect) -> Vec<u8> {
    let strays = stray_lines(file, dialect);
    let stripped = marked::strip(file, |line| is_own_line(line, dialect));
    if !strays {
        return stripped;
    }
    // Keeping the line is the block of ours made theirs: what was below it begins the same.
    let shared = file.iter().zip(&stripped).take_while(|(one, other)| one == other).count();
    let at =
        stripped.get(..shared).and_then(|shared| shared.iter().rposition(|byte| *byte == b'\n'));
    insert(&stripped, at.map_or(0, |newline| newline + 1), b"Host *\n")
}

/// Whether directives stand behind our block, before the next one, that without it would fall into
/// the block above.
fn stray_lines(file: &[u8], dialect: &Dialect) -> bool {
    if !marked::has_block(file) {
        return false;
    }
    let stripped = marked::strip(file, |line| is_own_line(line, dialect));
    let shared = file.iter().zip(&stripped).take_while(|(one, other)| one == other).count();
    let mut lines = syntax::each(&stripped, dialect);
    let mut above = false;
    let below = lines.find(|line| {
        let is_below = line.span.end > shared;
        above |= !is_below && is_block(line);
        is_below
    });
    above && below.is_some_and(|line| !is_block(&line))
}

fn is_own_line(line: &[u8], dialect: &Dialect) -> bool {
    match syntax::directives(line, dialect).as_slice() {
        [one] => managed(one, dialect).is_some() || is_everybody(one),
        _ => false,
    }
}

fn is_everybody(line: &Directive) -> bool {
    let arguments = line.arguments.as_deref().unwrap_or_default();
    let words: Vec<&[u8]> = arguments.iter().map(|one| one.bytes.as_slice()).collect();
    line.is("Host") && words == [b"*"] || line.is("Match") && words == [&b"final"[..], b"all"]
}
