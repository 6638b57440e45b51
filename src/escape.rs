//! Text of others on a terminal and in the journal. A name, a word of a file, or what a program says
//! may hold anything: sequences that move the cursor, colour or retitle a terminal, a newline that
//! forges a line of ours, a mark that turns the reading direction around. What the reader can't see
//! is written as an escape, `\x1b` or `\u{202e}`, and what is long is shortened in the middle.
//!
//! Programs get the same text by JSON, whole: [`json`] only spells it so that a terminal stays sane.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The longest name or word of a file that is shown whole, in characters. `Match` lines of a
/// generated configuration name dozens of users, and stay readable up to here.
pub const LONGEST_NAME: usize = 200;

/// The longest message, in characters. The longest of ours has 400, and holds a few names.
pub const LONGEST_MESSAGE: usize = 1500;

/// A text on one line: whatever can't be seen in it is escaped, newlines too.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

/// A name or a word: on one line, shortened over [`LONGEST_NAME`].
#[must_use]
pub fn name(text: &str) -> Cow<'_, str> {
    short(text, LONGEST_NAME)
}

/// A message: on one line, shortened over [`LONGEST_MESSAGE`].
#[must_use]
pub fn message(text: &str) -> Cow<'_, str> {
    short(text, LONGEST_MESSAGE)
}

/// On one line, and where it has more than `longest` characters without its middle, of which the
/// number is given: `abc…(2,812 characters)…xyz`.
#[must_use]
pub fn short(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return line(text);
    }
    let length = text.chars().count();
    if length <= longest {
        return line(text);
    }
    let head = at(text, longest.div_ceil(2));
    let tail = at(text, length - longest / 2);
    let (first, last) = (text.get(..head).unwrap_or(""), text.get(tail..).unwrap_or(""));
    let left_out = counted(length - longest);
    Cow::Owned(format!("{}…({left_out} characters)…{}", line(first), line(last)))
}

/// Where the character of this number begins.
fn at(text: &str, number: usize) -> usize {
    text.char_indices().nth(number).map_or(text.len(), |(at, _)| at)
}

/// A path on one line, whole, so that it can be pasted; bytes that are not UTF-8 are `\xff`.
#[must_use]
pub fn path(path: &Path) -> String {
    let mut shown = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        shown.push_str(&line(chunk.valid()));
        for byte in chunk.invalid() {
            // Writing to a String can't fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// A line of a file's, without its end, in a unified diff: only what could steer the terminal or turn the reading
/// direction around is escaped, so that nearly every diff can be given to patch(1). What joins
/// letters or marks the order of bytes stays.
#[must_use]
pub fn content(text: &str) -> Cow<'_, str> {
    match text.strip_suffix('\r') {
        Some(text) => Cow::Owned(escaped(text, steers).into_owned() + "\r"),
        None => escaped(text, steers),
    }
}

/// The last door before a terminal: our own layout, with newlines and tabs and the `sequences` that
/// colour it. Whatever else could steer the terminal is escaped, as long as some text of others came
/// this far.
#[must_use]
pub fn layout<'t>(text: &'t str, sequences: &[&str]) -> Cow<'t, str> {
    let suspicious = |c: char| steers(c) && c != '\n';
    if !text.contains(suspicious) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(suspicious) {
        let (before, after) = rest.split_at(at);
        shown.push_str(before);
        let ours = sequences.iter().find(|sequence| after.starts_with(**sequence));
        let whole = ours.copied().or_else(|| after.starts_with("\r\n").then_some("\r\n"));
        let length = whole.map_or_else(|| after.chars().next().map_or(0, char::len_utf8), str::len);
        let (taken, after) = after.split_at(length);
        match whole {
            Some(whole) => shown.push_str(whole),
            None => shown.push_str(&escaped(taken, steers)),
        }
        rest = after;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

/// JSON that is pure in what it shows: what is hidden stands in its strings as `\u202e`. serde does
/// that only below U+0020; elsewhere in JSON there is no such character.
#[must_use]
pub fn json(text: String) -> String {
    let hidden = |c: char| is_hidden(c) && c != '\n';
    if !text.contains(hidden) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if hidden(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    shown
}

/// How many, as people write it: `2,812`.
#[must_use]
pub fn counted(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str, escapes: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&escapes) else { return Cow::Borrowed(text) };
    let (plain, rest) = text.split_at(first);
    let mut shown = plain.to_owned();
    for c in rest.chars() {
        if !escapes(c) {
            shown.push(c);
            continue;
        }
        // Writing to a String can't fail.
        let _ = match c {
            '\n' => shown.write_str("\\n"),
            '\r' => shown.write_str("\\r"),
            '\t' => shown.write_str("\\t"),
            c if c.is_ascii() => write!(shown, "\\x{:02x}", u32::from(c)),
            c => write!(shown, "\\u{{{:x}}}", u32::from(c)),
        };
    }
    Cow::Owned(shown)
}

/// What a terminal acts upon or what turns the reading direction around; a tab does no harm.
fn steers(c: char) -> bool {
    c.is_control() && c != '\t' || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What the reader can't see: controls, marks of direction, separators, and what has no width.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests;
