//! The grammar of a sysctl.d file, as each loader reads it: bytes in, statements out.
//!
//! The loaders disagree about what ends a line, what is blank and what a dash means, so that one
//! file can hold different settings for each.

use std::ops::Range;

#[cfg(test)]
mod tests;

/// systemd's `LONG_LINE_MAX`: such a line ends the reading of the file.
const LONG_LINE_MAX: usize = 1024 * 1024;

/// One assignment, or one exclusion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The line, from 1, counted by newlines as an editor does.
    pub line: usize,
    /// The key as written, blanks and one leading dash removed.
    pub key: &'a [u8],
    /// The text that is assigned, blanks around it removed; `None` for `-key` alone, an exclusion.
    pub value: Option<&'a [u8]>,
    /// Where the value is in the file; for an exclusion, the empty place after the key.
    pub span: Range<usize>,
}

/// The statements that systemd-sysctl reads.
///
/// A newline, a carriage return and a zero byte each end a line, also inside what looks like a
/// comment. Blanks are space, tab and the line ends.
#[must_use]
pub fn systemd(bytes: &[u8]) -> Vec<Statement<'_>> {
    let mut statements = Vec::new();
    let mut lines = LineNumbers::new(bytes);
    let mut start = 0;
    for line in bytes.split(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
        if line.len() >= LONG_LINE_MAX {
            break;
        }
        let text = strip(bytes, start..start + line.len(), is_systemd_blank);
        if let Some(statement) = systemd_statement(bytes, text, &mut lines) {
            statements.push(statement);
        }
        start += line.len() + 1;
    }
    statements
}

fn systemd_statement<'a>(
    bytes: &'a [u8],
    text: Range<usize>,
    lines: &mut LineNumbers<'_>,
) -> Option<Statement<'a>> {
    let first = *bytes.get(text.start).filter(|_| !text.is_empty())?;
    if matches!(first, b'#' | b';') {
        return None;
    }
    let equals = find(bytes, &text, b'=');
    let key_start = text.start + usize::from(first == b'-');
    let (key, value) = match equals {
        Some(equals) => {
            let value = strip(bytes, equals + 1..text.end, is_systemd_blank);
            (key_start..equals, Some(value))
        }
        None if first == b'-' => (key_start..text.end, None),
        // Not an assignment: a warning, and the next line.
        None => return None,
    };
    let key = strip(bytes, key, is_systemd_blank);
    statement(bytes, lines.of(text.start), key, value)
}

/// The statements that procps' `sysctl` reads.
///
/// Only a newline ends a line; a zero byte hides the rest of its line. A carriage return inside a
/// value is a part of it, which the kernel then refuses. Blanks are those of `isspace(3)`.
#[must_use]
pub fn procps(bytes: &[u8]) -> Vec<Statement<'_>> {
    let mut statements = Vec::new();
    let mut start = 0;
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let length = line.iter().position(|byte| matches!(byte, 0 | b'\n')).unwrap_or(line.len());
        // Shorter than two bytes, the newline counted, is skipped before and after stripping.
        let newline = usize::from(line.get(length) == Some(&b'\n'));
        let text = strip_start(bytes, start..start + length, is_space);
        if line.len() >= 2 && text.len() + newline >= 2 {
            statements.extend(procps_statement(bytes, text, index + 1));
        }
        start += line.len();
    }
    statements
}

fn procps_statement(bytes: &[u8], text: Range<usize>, number: usize) -> Option<Statement<'_>> {
    let first = *bytes.get(text.start).filter(|_| !text.is_empty())?;
    if matches!(first, b'#' | b';') {
        return None;
    }
    let equals = find(bytes, &text, b'=');
    let key_start = text.start + usize::from(first == b'-');
    let (key, value) = match equals {
        Some(equals) => {
            let value = strip(bytes, equals + 1..text.end, is_space);
            (key_start..equals, Some(value))
        }
        None if first == b'-' => (key_start..text.end, None),
        None => return None,
    };
    let mut key = strip_end(bytes, key, is_space);
    // A second dash is dropped where the path is made: `--key = v` works.
    if bytes.get(key.start) == Some(&b'-') && !key.is_empty() {
        key.start += 1;
    }
    statement(bytes, number, key, value)
}

fn statement(
    bytes: &[u8],
    line: usize,
    key: Range<usize>,
    value: Option<Range<usize>>,
) -> Option<Statement<'_>> {
    let span = value.clone().unwrap_or(key.end..key.end);
    let value = match value {
        Some(range) => Some(bytes.get(range)?),
        None => None,
    };
    Some(Statement { line, key: bytes.get(key)?, value, span })
}

fn find(bytes: &[u8], range: &Range<usize>, wanted: u8) -> Option<usize> {
    let position = bytes.get(range.clone())?.iter().position(|byte| *byte == wanted)?;
    Some(range.start + position)
}

fn strip(bytes: &[u8], range: Range<usize>, blank: fn(u8) -> bool) -> Range<usize> {
    strip_end(bytes, strip_start(bytes, range, blank), blank)
}

fn strip_start(bytes: &[u8], mut range: Range<usize>, blank: fn(u8) -> bool) -> Range<usize> {
    while !range.is_empty() && bytes.get(range.start).is_some_and(|byte| blank(*byte)) {
        range.start += 1;
    }
    range
}

fn strip_end(bytes: &[u8], mut range: Range<usize>, blank: fn(u8) -> bool) -> Range<usize> {
    while !range.is_empty() && bytes.get(range.end - 1).is_some_and(|byte| blank(*byte)) {
        range.end -= 1;
    }
    range
}

const fn is_systemd_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// `isspace(3)` in the C locale.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// Line numbers of ascending offsets, in one pass.
struct LineNumbers<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: usize,
}

impl<'a> LineNumbers<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, line: 1 }
    }

    fn of(&mut self, offset: usize) -> usize {
        let passed = self.bytes.get(self.offset..offset).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.offset = offset;
        self.line
    }
}
