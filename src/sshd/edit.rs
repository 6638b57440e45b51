//! What this tool writes into sshd's configuration, and how it is found again and taken out.
//!
//! Two forms: files of our own, and a marked block in the main file. Either can be removed so that
//! every byte that is not ours is as it was.

use std::collections::BTreeMap;
use std::path::Path;

use super::Keyword;
use super::dialect::Dialect;
use super::evaluate::managed;
use super::syntax::{self, Directive};
use crate::marked::{self, Line, Strangers, foreign};
pub use crate::marked::{has_block, has_header};
use crate::reconcile::Value;

#[cfg(test)]
mod tests;

/// Begins our block.
pub const MATCH_ALL: &[u8] = b"Match all\n";

/// The declared values, and the policy file to name to the reader.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The values.
    pub values: &'a BTreeMap<Keyword, Value>,
    /// The policy file.
    pub policy: &'a Path,
}

impl Text<'_> {
    /// A drop-in: the values for everybody, and with `beat_blocks` also for those whom other
    /// `Match` blocks treat apart. What others have put into it stays.
    #[must_use]
    pub fn drop_in(&self, beat_blocks: bool, strangers: &Strangers) -> Vec<u8> {
        let ours = self.header() + &self.lines(|_| true);
        let block = match beat_blocks {
            true => self.match_all().into_bytes(),
            false if strangers.in_our_block => MATCH_ALL.to_vec(),
            false => Vec::new(),
        };
        [ours.as_bytes(), &strangers.top, &block, &strangers.blocks].concat()
    }

    /// The file that a marked block includes to beat other `Match` blocks. In the main file itself
    /// a `Match all` would swallow all that stands below it.
    #[must_use]
    pub fn beside(&self, strangers: &Strangers) -> Vec<u8> {
        let (header, block) = (self.header(), self.match_all());
        [header.as_bytes(), &strangers.top, block.as_bytes(), &strangers.blocks].concat()
    }

    fn header(&self) -> String {
        marked::header(self.policy)
    }

    fn lines(&self, wanted: impl Fn(Keyword) -> bool) -> String {
        self.values
            .iter()
            .filter(|(keyword, _)| wanted(**keyword))
            .map(|(keyword, value)| format!("{} {value}\n", keyword.name()))
            .collect()
    }

    /// `TCPKeepAlive` is not allowed in a block, and no block can set it otherwise.
    fn match_all(&self) -> String {
        let lines = self.lines(|keyword| keyword != Keyword::TcpKeepAlive);
        format!(
            "# The first block that matches wins: these values hold in every block.\nMatch all\n{lines}"
        )
    }

    /// The main file with the marked block at `at`, where a line begins; `include` is the file beside
    /// it. `None` where editing is not safe: a NUL joins lines, a BOM is part of the first.
    #[must_use]
    pub fn insert(&self, main: &[u8], at: usize, include: Option<&Path>) -> Option<Vec<u8>> {
        if main.contains(&0) || main.starts_with(b"\xef\xbb\xbf") {
            return None;
        }
        let include = include.map(|path| format!("Include {}\n", path.display()));
        let lines = self.lines(|_| true) + &include.unwrap_or_default();
        let block = marked::block(&lines, self.policy, "keepalive-policy restore", main);
        let (above, below) = main.split_at_checked(at)?;
        Some([above, &block, below].concat())
    }
}

/// Where a block of ours may stand, the best place first: before the first directive that is in no
/// other tool's block, before the first one at all, at the top. None of these is inside such a block or
/// parts a comment from its directive.
#[must_use]
pub fn places(main: &[u8], dialect: &Dialect) -> Vec<usize> {
    let mut places: Vec<usize> = Vec::new();
    for at in
        first_free(main, dialect).into_iter().chain([before_first_directive(main, dialect), 0])
    {
        let at = foreign::outside(main, at);
        if !places.contains(&at) {
            places.push(at);
        }
    }
    places
}

/// Where the first directive begins that is in no other tool's block.
fn first_free(main: &[u8], dialect: &Dialect) -> Option<usize> {
    let mut blocks = foreign::blocks(main).into_iter().peekable();
    let mut covered = 0;
    for directive in syntax::each(main, dialect) {
        let at = directive.span.start;
        while let Some(block) = blocks.next_if(|block| block.start <= at) {
            covered = covered.max(block.end);
        }
        if at >= covered {
            return Some(at);
        }
    }
    None
}

/// Where a line begins before which no directive stands.
fn before_first_directive(main: &[u8], dialect: &Dialect) -> usize {
    match syntax::each(main, dialect).next() {
        Some(first) => first.span.start,
        // Only whole lines are inserted, so that they can be taken out again: not behind a last
        // line that has no end.
        None => main.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1),
    }
}

/// What others have put into a file of ours. Our keywords outside blocks of theirs are ours: drift.
#[must_use]
pub fn strangers(content: &[u8], dialect: &Dialect) -> Strangers {
    Strangers::of(content, |line| match syntax::directives(line, dialect).as_slice() {
        [one] if managed(one).is_some() => Line::Ours,
        [one] if is_match_all(one) => Line::OurBlock,
        [one] if one.is("Match") => Line::Block,
        _ => Line::Theirs,
    })
}

fn is_match_all(line: &Directive) -> bool {
    let arguments = line.arguments.as_deref().unwrap_or_default();
    line.is("Match") && matches!(arguments, [one] if one.bytes.eq_ignore_ascii_case(b"all"))
}

/// Whether a file at one of our paths is of our making.
#[must_use]
pub fn is_ours(content: &[u8], dialect: &Dialect) -> bool {
    has_header(content) || says_nothing_else(content, dialect)
}

/// Whether a file has none but keepalive directives: somebody replaced ours by a short one, and
/// nothing else gets lost with it.
fn says_nothing_else(content: &[u8], dialect: &Dialect) -> bool {
    syntax::each(content, dialect)
        .all(|directive| managed(&directive).is_some() || directive.is("Match"))
}

/// The file without our marked blocks. Lines that somebody added to a block stay; of a block
/// whose end is missing, what can only be ours goes.
#[must_use]
pub fn strip(main: &[u8], beside: &Path, dialect: &Dialect) -> Vec<u8> {
    marked::strip(main, |line| is_own_line(line, beside, dialect))
}

fn is_own_line(line: &[u8], beside: &Path, dialect: &Dialect) -> bool {
    let includes_beside = |directive: &Directive| {
        let arguments = directive.arguments.as_deref().unwrap_or_default();
        directive.is("Include")
            && matches!(arguments, [one] if one.bytes == beside.as_os_str().as_encoded_bytes())
    };
    match syntax::directives(line, dialect).as_slice() {
        [one] => managed(one).is_some() || includes_beside(one),
        _ => false,
    }
}
