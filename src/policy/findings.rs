//! What is wrong with a policy, collected while it is read, in whatever order it is found.
//!
//! A policy may consist of several files. They are read as one text, one behind the other, so that a
//! span says by itself which file it is in.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::diagnostic::{Diagnostic, Lines};
use super::table::Entry;
use crate::escape;
use crate::reconcile::Source;

/// More than this many findings are counted, not shown: a file that is no policy at all would
/// otherwise fill the journal.
const SHOWN: usize = 100;

/// The findings of a policy.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    /// The texts that were parsed, each of the same length as its file, one behind the other.
    pub text: &'t str,
    lines: Lines<'t>,
    /// Where each file starts in the text; never empty, the first one starts at 0.
    files: Vec<(usize, PathBuf)>,
    list: Vec<(Range<usize>, String)>,
    /// What is no fault but worth saying, with its line.
    notices: Vec<(Option<(usize, Source)>, String)>,
    /// Lines that are no TOML; what else is found on them only follows from that.
    broken_lines: BTreeSet<usize>,
}

impl<'t> Findings<'t> {
    /// `bytes` are the files as they are, one behind the other as in `text`.
    pub fn new(text: &'t str, bytes: &'t [u8], files: Vec<(usize, PathBuf)>) -> Self {
        Self {
            text,
            lines: Lines::new(bytes),
            files,
            list: Vec::new(),
            notices: Vec::new(),
            broken_lines: BTreeSet::new(),
        }
    }

    /// The file that `offset` is in, and the line there.
    pub fn place(&self, offset: usize) -> Source {
        let last = self.files.partition_point(|(start, _)| *start <= offset).saturating_sub(1);
        let (start, file) =
            self.files.get(last).map_or((0, Path::new("")), |(at, file)| (*at, file));
        let line = self.lines.number(offset) + 1 - self.lines.number(start);
        Source { file: file.to_owned(), line }
    }

    /// `line 3`, or with its file when that is not the one of `offset`.
    pub fn line_beside(&self, place: usize, offset: usize) -> String {
        let (place, beside) = (self.place(place), self.place(offset));
        if place.file == beside.file { format!("line {}", place.line) } else { place.to_string() }
    }

    /// Notes that the policy is refused because of what stands at `span`.
    pub fn refuse(&mut self, span: Range<usize>, message: impl Into<String>) {
        if !self.broken_lines.contains(&self.lines.number(span.start)) {
            self.list.push((span, message.into()));
        }
    }

    /// Notes that the line at `span` can't be read; of several such notes the first one counts.
    pub fn broken(&mut self, span: Range<usize>, message: impl Into<String>) {
        let line = self.lines.number(span.start);
        self.refuse(span, message);
        self.broken_lines.insert(line);
    }

    /// Notes what is valid but worth a word; without a key it is about the whole policy.
    pub fn notice(&mut self, entry: Option<&Entry<'_>>, message: impl Into<String>) {
        let place = entry.map(|entry| (entry.key.start, self.place(entry.key.start)));
        self.notices.push((place, message.into()));
    }

    /// The notices in order of position, those of one line as they were found.
    pub fn notices(&mut self, path: &Path) -> Vec<String> {
        self.notices
            .sort_by_key(|(place, _)| place.as_ref().map(|(offset, _)| self.lines.number(*offset)));
        let notice = |(place, message): &(Option<(usize, Source)>, _)| match place {
            Some((_, place)) => format!("{place}: {message}"),
            None => format!("{}: {message}", escape::path(path)),
        };
        self.notices.iter().map(notice).collect()
    }

    /// The findings in order of position; none for a valid policy.
    pub fn into_diagnostics(mut self, path: &Path) -> Vec<Diagnostic> {
        self.list.sort_by(|a, b| (a.0.start, a.0.end, &a.1).cmp(&(b.0.start, b.0.end, &b.1)));
        let hidden = self.list.len().saturating_sub(SHOWN);
        let shown = self.list.into_iter().take(SHOWN);
        let lines = &self.lines;
        let files = &self.files;
        let mut diagnostics: Vec<Diagnostic> = shown
            .map(|(span, message)| {
                let last = files.partition_point(|(start, _)| *start <= span.start);
                let (start, file) = last
                    .checked_sub(1)
                    .and_then(|at| files.get(at))
                    .map_or((0, path), |(start, file)| (*start, file.as_path()));
                lines.diagnostic(file, &span, message).counted_from(lines.number(start))
            })
            .collect();
        if hidden > 0 {
            let message = format!("{hidden} more findings are not shown");
            diagnostics.push(Diagnostic::of_file(path, message));
        }
        diagnostics
    }
}

/// The longest name that a message quotes whole, in characters: it stands beside the line itself.
const LONGEST_NAME: usize = 60;

/// A name of the file's in a message: shortened where it is long, without what would upset a terminal.
pub(super) fn quoted(name: &str) -> String {
    escape::short(name, LONGEST_NAME).into_owned()
}
