//! From bytes to text: what is no text is found, and blotted out so that the rest can be judged too.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::DeTable;

use super::diagnostic::Lines;
use super::findings::quoted;
use super::table::whole_key;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of the same length in which every byte that is no text is another character, and the
/// findings about those bytes.
pub(super) fn read(bytes: &[u8]) -> (String, Vec<(Range<usize>, String)>) {
    let mut text = String::with_capacity(bytes.len());
    let mut spoiled = Vec::new();
    let body = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    if body.len() < bytes.len() {
        let message = "a byte order mark: save the file as UTF-8 without one";
        spoiled.push((0..BYTE_ORDER_MARK.len(), message.to_owned()));
        text.push_str("   ");
    }
    for chunk in body.utf8_chunks() {
        // TOML refuses a NUL by itself, but with a message that is about something else.
        for (at, _) in chunk.valid().match_indices('\0') {
            let at = text.len() + at;
            spoiled.push((at..at + 1, "a NUL byte: this is no text".to_owned()));
        }
        text.push_str(&chunk.valid().replace('\0', "?"));
        let invalid = chunk.invalid();
        if let Some(first) = invalid.first() {
            let span = text.len()..text.len() + invalid.len();
            spoiled
                .push((span, format!("byte 0x{first:02x} is not UTF-8: save the file as UTF-8")));
            text.extend(invalid.iter().map(|_| '?'));
        }
    }
    (text, spoiled)
}

/// Blanks the lines that are a key without a value, such as `TCPKeepAlive yes`, and returns what is
/// wrong with them. The parser's own recovery ends at the first such line.
pub(super) fn blank_bare_keys(text: &mut String) -> Vec<(Range<usize>, String)> {
    let lines = Lines::new(text.as_bytes());
    let mut findings = Vec::new();
    let mut bare = BTreeSet::new();
    for error in DeTable::parse_recoverable(text).1 {
        if error.message().starts_with("key with no value") {
            let (span, message) = syntax_error(&error, text);
            bare.insert(lines.number(span.start));
            findings.push((span, message));
        }
    }
    let blank = |(at, line): (usize, &str)| {
        let kept =
            if bare.contains(&(at + 1)) { line.trim_start_matches(|c| c != '\n') } else { line };
        " ".repeat(line.len() - kept.len()) + kept
    };
    *text = text.split_inclusive('\n').enumerate().map(blank).collect();
    findings
}

/// What the parser says of what is no TOML, and where; in the words of a policy where its own are
/// about something else.
pub(super) fn syntax_error(error: &toml::de::Error, text: &str) -> (Range<usize>, String) {
    let span = error.span().unwrap_or_default();
    let message = error.message();
    if message == "duplicate key" {
        let span = whole_key(text, span);
        let key = quoted(text.get(span.clone()).unwrap_or_default());
        return (span, format!("duplicate key `{key}`"));
    }
    if message.starts_with("string values must be quoted") {
        let message = match text.get(span.clone()) {
            Some(value) if !value.is_empty() => {
                format!("text must be quoted: \"{}\"", quoted(value))
            }
            _ => "there is no value after the `=`".to_owned(),
        };
        return (span, message);
    }
    (span, message.strip_suffix(", expected nothing").unwrap_or(message).to_owned())
}
