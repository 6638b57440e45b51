//! A finding, shown where it is: `path:line:column: message`, the line itself, a caret under the span.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use crate::escape;

/// How much of a long line is shown, in characters, and how much of that before the span.
const SHOWN: usize = 100;
const SHOWN_BEFORE: usize = 40;

/// One finding in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// The file; bytes that are not UTF-8 are replaced when it is serialised.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// Its line, from 1; `None` when the finding is about the file as a whole.
    pub line: Option<usize>,
    /// The character in that line, from 1; a tab is one character, so is a byte that is not UTF-8.
    pub column: Option<usize>,
    /// What was found, what is wanted.
    pub message: String,
    /// The line and the carets, ready to print.
    #[serde(skip)]
    excerpt: Option<String>,
}

impl Diagnostic {
    /// A finding about the file as a whole.
    #[must_use]
    pub fn of_file(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            column: None,
            message: message.into(),
            excerpt: None,
        }
    }
}

impl Diagnostic {
    /// The same, when the file begins at line `first` of the text that it was found in.
    pub(super) fn counted_from(mut self, first: usize) -> Self {
        self.line = self.line.map(|line| line + 1 - first.min(line));
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape::path(&self.file))?;
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", escape::message(&self.message))?;
        self.excerpt.as_ref().map_or(Ok(()), |excerpt| write!(f, "\n{excerpt}"))
    }
}

/// The bytes of a file with its lines found once, so that many findings stay cheap.
#[derive(Debug, Clone)]
pub struct Lines<'b> {
    bytes: &'b [u8],
    /// Where each line starts; never empty, the first one is 0.
    starts: Vec<usize>,
}

impl<'b> Lines<'b> {
    /// Finds the lines: a newline ends one, as in an editor.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Self {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self { bytes, starts: std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect() }
    }

    /// The number of the line that `offset` is in, from 1.
    #[must_use]
    pub fn number(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset)
    }

    /// A finding about the bytes of `span`; one that reaches over several lines is marked in the
    /// first one.
    #[must_use]
    pub fn diagnostic(&self, file: &Path, span: &Range<usize>, message: String) -> Diagnostic {
        let number = self.number(span.start);
        let start = self.starts.get(number - 1).copied().unwrap_or_default();
        let next = self.starts.get(number).copied().unwrap_or(self.bytes.len() + 1);
        let end = (next - 1).min(self.bytes.len());
        let at = span.start.clamp(start, end);
        let text = |range: Range<usize>| {
            String::from_utf8_lossy(self.bytes.get(range).unwrap_or_default())
        };
        let column = text(start..at).chars().count();
        let marked = text(at..span.end.clamp(at, end)).trim_end().chars().count();
        Diagnostic {
            file: file.to_owned(),
            line: Some(number),
            column: Some(column + 1),
            message,
            excerpt: Some(excerpt(text(start..end).trim_end_matches('\r'), column, marked)),
        }
    }
}

/// The part of the line around the span, and the carets below it.
fn excerpt(line: &str, column: usize, marked: usize) -> String {
    let long = line.chars().nth(SHOWN).is_some();
    let first = if long { column.saturating_sub(SHOWN_BEFORE) } else { 0 };
    let (mut shown, mut indent, mut carets) = (String::new(), String::new(), String::new());
    if first > 0 {
        shown.push('…');
        indent.push(' ');
    }
    for (at, c) in line.chars().enumerate().skip(first).take(SHOWN) {
        let mut buffer = [0; 4];
        let text: &str = c.encode_utf8(&mut buffer);
        // A tab keeps its width only as a tab.
        let text = if c == '\t' { Cow::Borrowed(text) } else { escape::line(text) };
        let width = text.chars().map(cells).sum();
        shown.push_str(&text);
        if at < column {
            indent.extend(std::iter::repeat_n(if c == '\t' { '\t' } else { ' ' }, width));
        } else if at < column + marked {
            carets.extend(std::iter::repeat_n('~', width));
        }
    }
    if line.chars().nth(first + SHOWN).is_some() {
        shown.push('…');
    }
    format!("{shown}\n{indent}^{}", carets.strip_prefix('~').unwrap_or_default())
}

/// How many cells of a terminal a character takes: East Asian wide forms and emoji take two.
const fn cells(c: char) -> usize {
    match c {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}
