//! Single lines of somebody else's file: the smallest edit that makes one carry our value, and its
//! undoing.

use std::ops::Range;

use crate::originals::{Bytes, EditedLine};
use crate::record::Rest;
use crate::sysctl::loader::{Fate, Place};
use crate::sysctl::proc_sys;
use crate::sysctl::value::Write;
use crate::sysctl::{Key, file, key};

#[cfg(test)]
mod tests;

/// A content with one line changed, and what is to be recorded about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The whole file afterwards.
    pub content: Vec<u8>,
    /// The line as we leave it, and as it was.
    pub record: EditedLine,
}

/// Puts `value` where the statement at `place` has its own: into the number alone where the kernel
/// takes the text, since what follows a number may be somebody's remark; for the whole text where
/// it does not; behind the key of an exclusion.
pub fn edit(content: &[u8], place: &Place, fate: Fate, value: u32) -> Option<Edit> {
    let span = place.span.clone();
    let new = match fate {
        Fate::Exclusion => format!(" = {value}"),
        _ => value.to_string(),
    };
    let replaced = match fate {
        Fate::Written(Write::Set(_)) => number(content.get(span.clone())?, &span),
        _ => span,
    };
    let line = line_around(content, replaced.start);
    let after = [content.get(..replaced.start)?, new.as_bytes(), content.get(replaced.end..)?];
    let after = after.concat();
    let end = line.end + new.len() - replaced.len();
    let record = EditedLine {
        file: place.real.clone(),
        ours: Bytes::from(after.get(line.start..end)?),
        theirs: Bytes::from(content.get(line)?),
        rest: Rest::new(),
    };
    Some(Edit { content: after, record })
}

/// The first word of the text; the kernel ignores the rest.
fn number(text: &[u8], span: &Range<usize>) -> Range<usize> {
    let is_blank = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ' | 0xa0);
    let start = text.iter().position(|byte| !is_blank(byte)).unwrap_or(0);
    let rest = text.get(start..).unwrap_or_default();
    let length = rest.iter().position(is_blank).unwrap_or(rest.len());
    span.start + start..span.start + start + length
}

/// The line that `offset` is in, without its newline.
fn line_around(content: &[u8], offset: usize) -> Range<usize> {
    let newline = |byte: &u8| *byte == b'\n';
    let before = content.get(..offset).unwrap_or_default();
    let after = content.get(offset..).unwrap_or_default();
    let start = before.iter().rposition(newline).map_or(0, |position| position + 1);
    let end = after.iter().position(newline).map_or(content.len(), |position| offset + position);
    start..end
}

/// The content with our line as it was before; `None` when it is not there any more. Of several
/// equal lines the last one is ours, because only the last one decides.
pub fn put_back(content: &[u8], record: &EditedLine) -> Option<Vec<u8>> {
    let mut end = content.len();
    for line in content.rsplit(|byte| *byte == b'\n') {
        let start = end - line.len();
        if line == record.ours.as_ref() {
            return Some(
                [content.get(..start)?, record.theirs.as_ref(), content.get(end..)?].concat(),
            );
        }
        end = start.saturating_sub(1);
    }
    None
}

/// How many lines of the content read like ours.
pub fn occurrences(content: &[u8], record: &EditedLine) -> usize {
    content.split(|byte| *byte == b'\n').filter(|line| *line == record.ours.as_ref()).count()
}

/// The settings that a recorded line is about.
pub fn settings(record: &EditedLine) -> Vec<Key> {
    let line = record.ours.as_ref();
    let statements = [file::systemd(line), file::procps(line)].concat();
    let setting = |statement: &file::Statement<'_>| {
        proc_sys::setting(&[proc_sys::ROOT, b"/", &key::normalise(statement.key)].concat())
    };
    let mut keys: Vec<Key> = statements.iter().filter_map(setting).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
