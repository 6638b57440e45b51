//! What is wrong with a policy, collected while it is read, in whatever order it is found.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use super::diagnostic::{Diagnostic, Lines};
use super::table::Entry;

/// More than this many findings are counted, not shown: a file that is no policy at all would
/// otherwise fill the journal.
const SHOWN: usize = 100;

/// The findings of one file.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    /// The text that was parsed, of the same length as the file.
    pub text: &'t str,
    pub lines: Lines<'t>,
    list: Vec<(Range<usize>, String)>,
    /// What is no fault but worth saying, with its line.
    notices: Vec<(Option<usize>, String)>,
    /// Lines that are no TOML; what else is found on them only follows from that.
    broken_lines: BTreeSet<usize>,
}

impl<'t> Findings<'t> {
    pub const fn new(text: &'t str, lines: Lines<'t>) -> Self {
        Self { text, lines, list: Vec::new(), notices: Vec::new(), broken_lines: BTreeSet::new() }
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
        let line = entry.map(|entry| self.lines.number(entry.key.start));
        self.notices.push((line, message.into()));
    }

    /// The notices in order of position, those of one line as they were found.
    pub fn notices(&mut self, path: &Path) -> Vec<String> {
        self.notices.sort_by_key(|(line, _)| *line);
        let place = |line: &Option<usize>| line.map(|line| format!(":{line}")).unwrap_or_default();
        let notice =
            |(line, message): &(_, _)| format!("{}{}: {message}", path.display(), place(line));
        self.notices.iter().map(notice).collect()
    }

    /// The findings in order of position; none for a valid policy.
    pub fn into_diagnostics(mut self, path: &Path) -> Vec<Diagnostic> {
        self.list.sort_by(|a, b| (a.0.start, a.0.end, &a.1).cmp(&(b.0.start, b.0.end, &b.1)));
        let hidden = self.list.len().saturating_sub(SHOWN);
        let shown = self.list.into_iter().take(SHOWN);
        let mut diagnostics: Vec<Diagnostic> =
            shown.map(|(span, message)| self.lines.diagnostic(path, &span, message)).collect();
        if hidden > 0 {
            let message = format!("{hidden} more findings are not shown");
            diagnostics.push(Diagnostic::of_file(path, message));
        }
        diagnostics
    }
}

/// A name of the file's in a message: cut where it is long, without what would upset a terminal.
pub(super) fn quoted(name: &str) -> String {
    const LONGEST: usize = 60;
    let mut quoted = String::new();
    for (at, c) in name.chars().enumerate() {
        if at == LONGEST {
            quoted.push('…');
            break;
        }
        if c.is_control() {
            quoted.extend(c.escape_default());
        } else {
            quoted.push(c);
        }
    }
    quoted
}
