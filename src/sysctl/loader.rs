//! What a loader of sysctl.d would set: systemd-sysctl, and procps' `sysctl --system`.
//!
//! Each reads its files in an order of its own ([`files`]), makes of their lines a sequence of
//! writes ([`systemd`], [`procps`]), and the kernel judges each of these ([`super::value`]). The
//! outcome is the last text that the kernel takes.

use std::fmt::{self, Display};
use std::ops::Range;
use std::path::PathBuf;

use super::Key;
use super::tree::Tree;
use super::value::{Hz, Write};
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

/// What a loader would make of a key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evaluation {
    /// Every statement about it, in the order in which the loader takes them.
    pub attempts: Vec<Attempt>,
    winner: Option<usize>,
}

impl Evaluation {
    /// Judges the attempts: the last text that the kernel takes decides; or else an explicit line
    /// whose text it refuses; or else an exclusion, which keeps the others from being written; or
    /// else a pattern whose text it refuses.
    #[must_use]
    pub fn new(attempts: Vec<Attempt>) -> Self {
        let last = |wanted: fn(&Attempt) -> bool| attempts.iter().rposition(&wanted);
        let winner = last(|attempt| matches!(attempt.fate, Fate::Written(Write::Set(_))))
            .or_else(|| last(|attempt| is_refused(attempt) && !attempt.pattern))
            .or_else(|| last(|attempt| attempt.fate == Fate::Exclusion))
            .or_else(|| last(is_refused));
        Self { attempts, winner }
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

fn is_refused(attempt: &Attempt) -> bool {
    attempt.fate == Fate::Written(Write::Refused)
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

fn place(read: &files::Read, statement: &super::file::Statement<'_>) -> Place {
    Place {
        file: read.file.clone(),
        real: read.real.clone(),
        turn: read.turn.clone(),
        line: statement.line,
        span: statement.span.clone(),
    }
}
