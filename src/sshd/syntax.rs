//! sshd_config as sshd reads it, byte for byte: lines, keywords, arguments, and where each stands.
//!
//! Nothing is lost: every token carries its place in the file, so an edit changes only what it
//! means to. What sshd passes over in silence yields no directive.

use std::ops::Range;

use super::dialect::Dialect;

pub mod line;
pub mod prefix;
pub mod token;

#[cfg(test)]
mod tests;

pub use line::{Line, editor_line, lines};
pub use prefix::prefix_includes;

/// One line that sshd acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The keyword as written, without its quotes.
    pub keyword: Vec<u8>,
    /// Its arguments, or why sshd refuses the line whatever the keyword.
    pub arguments: Result<Vec<Argument>, Malformed>,
    /// Everything after `Match`, which up to 9.8 reads it by rules of its own; empty for others.
    pub rest: Vec<u8>,
    /// The line of the keyword, from 1, counted by newlines as an editor does.
    pub line: usize,
    /// The bytes of the physical lines it stands on, line ends included.
    pub span: Range<usize>,
}

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its text, quotes and escapes resolved.
    pub bytes: Vec<u8>,
    /// Where it stands in the file, from its first byte (a quote, perhaps).
    pub start: usize,
}

/// Why sshd refuses a line before it looks at the keyword's own grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing follows the keyword.
    #[error("no argument after the keyword")]
    NoArgument,
    /// A quote that is opened and not closed.
    #[error("a quote that is not closed")]
    Quotes,
}

impl Directive {
    /// Whether this is the given keyword; case does not matter.
    #[must_use]
    pub fn is(&self, keyword: &str) -> bool {
        self.keyword.eq_ignore_ascii_case(keyword.as_bytes())
    }
}

/// All directives of a file.
#[must_use]
pub fn directives(bytes: &[u8], dialect: &Dialect) -> Vec<Directive> {
    each(bytes, dialect).collect()
}

/// The same, one after the other: all those of a file may take a hundred times its size.
pub fn each<'a>(bytes: &'a [u8], dialect: &'a Dialect) -> impl Iterator<Item = Directive> + 'a {
    lines(bytes, dialect).filter_map(|line| directive(bytes, &line, dialect))
}

fn directive(bytes: &[u8], line: &Line, dialect: &Dialect) -> Option<Directive> {
    let text = line.text.as_slice();
    let mut cursor = token::Cursor::new(text);
    let mut keyword = cursor.word()?;
    // An empty first word is skipped, once: `=TCPKeepAlive no` counts.
    if keyword.bytes.is_empty() {
        keyword = cursor.word()?;
    }
    if keyword.bytes.is_empty() || keyword.bytes.starts_with(b"#") {
        return None;
    }
    let start = cursor.position();
    let rest = start.and_then(|start| text.get(start..)).unwrap_or_default();
    let arguments = if rest.is_empty() {
        if may_stand_alone(&keyword.bytes, line, dialect) {
            Ok(Vec::new())
        } else {
            Err(Malformed::NoArgument)
        }
    } else if dialect.splits_like_keywords() {
        Ok(token::words(cursor))
    } else {
        token::arguments(rest)
    };
    let base = if dialect.splits_like_keywords() { 0 } else { start.unwrap_or_default() };
    let placed = |argument: token::Word| Argument {
        start: line.offset(base + argument.start),
        bytes: argument.bytes,
    };
    let first_byte = line.offset(keyword.start);
    let is_match = keyword.bytes.eq_ignore_ascii_case(b"Match");
    Some(Directive {
        arguments: arguments.map(|all| all.into_iter().map(placed).collect()),
        keyword: keyword.bytes,
        rest: if is_match { rest.to_vec() } else { Vec::new() },
        line: line.number + line::newlines(bytes.get(line.span.start..first_byte)),
        span: line.span.clone(),
    })
}

/// Whether a keyword needs no argument in the client's file. `Include` never does: what ssh refuses is
/// a line with nothing behind the keyword, not even a comment (7.4 to 10.6).
fn may_stand_alone(keyword: &[u8], line: &Line, dialect: &Dialect) -> bool {
    let is = |name: &str| keyword.eq_ignore_ascii_case(name.as_bytes());
    let bare = dialect.takes_bare_keywords() && (is("Host") || is("Include"));
    bare || dialect.is_client() && line.had_comment && is("Include")
}
