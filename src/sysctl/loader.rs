//! What a loader of sysctl.d would set: systemd-sysctl, and procps' `sysctl --system`.
//!
//! Each reads its files in an order of its own ([`files`]), makes of their lines a sequence of
//! writes ([`systemd`], [`procps`]), and the kernel judges each of these ([`super::value`]). The
//! outcome is the last text that the kernel takes.

use std::fmt::{self, Display};
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;

use super::tree::Tree;
use super::value::{Hz, Write};
use super::{Key, file};
use crate::reconcile::Source;

pub mod files;
pub mod procps;
pub mod systemd;

#[cfg(test)]
mod tests;

/// A program that writes sysctl.d files to the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Loader {
    /// `systemd-sysctl.service`.
    SystemdSysctl,
    /// `sysctl --system`.
    Procps,
}

/// A loader, and what it finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Who reads.
    pub loader: Loader,
    /// Whether it finds what is below /run: not so at the next boot.
    pub run: bool,
}

/// Where a statement stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the loader names it, `/etc/sysctl.d/99-sysctl.conf` also where that is a link.
    pub file: PathBuf,
    /// The file that an edit would have to change.
    pub real: PathBuf,
    /// The name that gives it its turn; for procps not always that of the file, whose names are
    /// patterns. `None` for what is read after all names.
    pub turn: Option<Vec<u8>>,
    /// The line, from 1.
    pub line: usize,
    /// Where the value is in the content; empty, behind the key, for an exclusion.
    pub span: Range<usize>,
}

impl Place {
    /// File and line, for a report.
    #[must_use]
    pub fn source(&self) -> Source {
        Source { file: self.file.clone(), line: self.line }
    }
}

/// What becomes of a statement about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its text is written to the kernel, which says this.
    Written(Write),
    /// A later line for the same key replaces it before anything is written.
    Replaced,
    /// A pattern, and an explicit line takes the key out of it.
    Shielded,
    /// `-key`: it takes the key out of patterns, and with systemd cancels earlier assignments.
    Exclusion,
}

impl Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(Write::Set(value)) => write!(f, "written, sets {value}"),
            Self::Written(Write::Refused) => f.write_str("written, and refused by the kernel"),
            Self::Replaced => f.write_str("replaced by a later line"),
            Self::Shielded => f.write_str("a pattern, without effect on this key"),
            Self::Exclusion => f.write_str("excludes the key"),
        }
    }
}

/// A statement about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where it stands.
    pub place: Place,
    /// Its text; `None` for an exclusion.
    pub text: Option<Vec<u8>>,
    /// The path below /proc/sys that it goes through, as the loader spells it.
    pub path: Vec<u8>,
    /// Whether the key is a pattern, so that the line is about other settings too.
    pub pattern: bool,
    /// What becomes of it.
    pub fate: Fate,
}

impl Display for Attempt {
    /// `/etc/sysctl.d/a.conf:3: "600": replaced by a later line`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place.source())?;
        if let Some(text) = &self.text {
            write!(f, "\"{}\": ", text.escape_ascii())?;
        }
        write!(f, "{}", self.fate)
    }
}

/// So many statements of one setting are kept, the last ones, beside the one that decides. An honest
/// host has a handful; 200,000 of them would take 200 MB.
const KEPT: usize = 1000;

/// What a loader would make of a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evaluation {
    /// The statements about it, in the order in which the loader takes them.
    pub attempts: Vec<Attempt>,
    /// How many more there are, before these.
    pub left_out: usize,
    /// The last of the names that have a say about it.
    pub last_turn: Option<Vec<u8>>,
    winner: Option<usize>,
}

/// A statement about a key, before it is known whether it is worth to be kept.
#[derive(Debug, Clone)]
struct Brief {
    /// Its number among all statements.
    statement: usize,
    path: Rc<[u8]>,
    pattern: bool,
    fate: Fate,
}

impl Brief {
    fn is_refused(&self) -> bool {
        self.fate == Fate::Written(Write::Refused)
    }
}

/// A statement as it stands in a file that is read.
#[derive(Debug, Clone)]
struct Statement<'a> {
    /// As the loader spells it: normalised, or a path.
    key: Vec<u8>,
    value: Option<&'a [u8]>,
    read: &'a files::Read,
    line: usize,
    span: Range<usize>,
}

impl<'a> Statement<'a> {
    fn of(read: &'a files::Read, found: &file::Statement<'a>, key: Vec<u8>) -> Self {
        let (line, span) = (found.line, found.span.clone());
        Self { key, value: found.value, read, line, span }
    }

    fn attempt(&self, brief: &Brief) -> Attempt {
        let place = Place {
            file: self.read.file.clone(),
            real: self.read.real.clone(),
            turn: self.read.turn.clone(),
            line: self.line,
            span: self.span.clone(),
        };
        Attempt {
            place,
            text: self.value.map(<[u8]>::to_vec),
            path: brief.path.to_vec(),
            pattern: brief.pattern,
            fate: brief.fate,
        }
    }
}

/// Whether a key, or a whole text, can be about a setting of ours: as a pattern, or because it ends in the name. A
/// host may have 100,000 lines about others.
#[must_use]
pub fn may_concern(key: &[u8]) -> bool {
    let is_special = |byte: &u8| matches!(byte, b'*' | b'?' | b'[' | b'{' | b'\\');
    key.iter().any(is_special)
        || key.windows(4).any(|part| part == b"tcp_")
            && Key::ALL.iter().any(|setting| ends_like(key, setting.name()))
}

/// Whether the last part of `name` is somewhere in `key`.
fn ends_like(key: &[u8], name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name).as_bytes();
    key.windows(last.len()).any(|part| part == last)
}

impl Evaluation {
    /// Judges the attempts: the last text that the kernel takes decides; or else an explicit line
    /// whose text it refuses; or else an exclusion, which keeps the others from being written; or
    /// else a pattern whose text it refuses.
    fn of(briefs: &[Brief], statements: &[Statement<'_>]) -> Self {
        let last = |wanted: fn(&Brief) -> bool| briefs.iter().rposition(&wanted);
        let winner = last(|brief| matches!(brief.fate, Fate::Written(Write::Set(_))))
            .or_else(|| last(|brief| brief.is_refused() && !brief.pattern))
            .or_else(|| last(|brief| brief.fate == Fate::Exclusion))
            .or_else(|| last(Brief::is_refused));
        let statement = |brief: &Brief| statements.get(brief.statement);
        let has_a_say = briefs.iter().filter(|brief| brief.fate != Fate::Shielded);
        let turns = has_a_say.filter_map(|brief| statement(brief)?.read.turn.as_ref());
        let last_turn = turns.max().cloned();
        let first = briefs.len().saturating_sub(KEPT);
        let mut kept: Vec<usize> = (first..briefs.len()).collect();
        if let Some(winner) = winner.filter(|winner| *winner < first) {
            kept.insert(0, winner);
        }
        let attempts: Vec<Attempt> = kept
            .iter()
            .filter_map(|index| briefs.get(*index))
            .filter_map(|brief| Some(statement(brief)?.attempt(brief)))
            .collect();
        Self {
            left_out: briefs.len() - attempts.len(),
            attempts,
            last_turn,
            winner: winner.and_then(|winner| kept.iter().position(|index| *index == winner)),
        }
    }

    /// The statement that decides; `None` when there is none.
    #[must_use]
    pub fn winner(&self) -> Option<&Attempt> {
        self.attempts.get(self.winner?)
    }

    /// The statements that don't decide.
    pub fn losers(&self) -> impl Iterator<Item = &Attempt> {
        let winner = self.winner;
        self.attempts
            .iter()
            .enumerate()
            .filter_map(move |(index, attempt)| (Some(index) != winner).then_some(attempt))
    }

    /// The value that the kernel has afterwards; `None` when none is set, so that it keeps its own.
    #[must_use]
    pub fn effective(&self) -> Option<i64> {
        match self.winner()?.fate {
            Fate::Written(write) => write.value(),
            _ => None,
        }
    }

    /// The file and line whose text is written; `None` when none is.
    #[must_use]
    pub fn source(&self) -> Option<Source> {
        let winner = self.winner()?;
        matches!(winner.fate, Fate::Written(_)).then(|| winner.place.source())
    }
}

/// Every setting as one loader would leave it.
#[must_use]
pub fn evaluate(tree: &Tree, scope: Scope, hz: Hz) -> Vec<(Key, Evaluation)> {
    let files = files::files(tree, scope);
    match scope.loader {
        Loader::SystemdSysctl => systemd::evaluate(&systemd::parse(tree, &files), hz),
        Loader::Procps => procps::evaluate(&procps::parse(tree, &files), hz),
    }
}
