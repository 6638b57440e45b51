//! From bytes to text: what is no text is found, and blotted out so that the rest can be judged too.

use std::ops::Range;

use super::findings::{Findings, quoted};

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

/// What the parser says of a line that is no TOML, with the text it means where it does not say.
pub(super) fn syntax_error(error: &toml::de::Error, findings: &Findings<'_>) -> String {
    let message = error.message();
    let message = message.strip_suffix(", expected nothing").unwrap_or(message);
    let span = error.span().unwrap_or_default();
    match findings.text.get(span) {
        Some(text) if message == "duplicate key" => format!("{message} `{}`", quoted(text)),
        _ => message.to_owned(),
    }
}
