//! From bytes to the lines that sshd sees.

use std::ops::Range;

use crate::sshd::dialect::Dialect;

/// One line as sshd sees it, which need not be one line of the file: see [`lines`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its text without the blanks around it.
    pub text: Vec<u8>,
    /// The physical lines it is made of, line ends included.
    pub span: Range<usize>,
    /// The number of the first of these, from 1.
    pub number: usize,
    /// Whether a comment was cut off before the text was looked at, see [`Dialect::cuts_at_hash`].
    pub had_comment: bool,
    /// Which bytes of the file the text is made of: position in the text, offset in the file.
    pieces: Vec<(usize, usize)>,
}

impl Line {
    /// The offset in the file of the byte at `position` of the text.
    #[must_use]
    pub fn offset(&self, position: usize) -> usize {
        let piece = self.pieces.iter().rev().find(|(start, _)| *start <= position);
        piece.map_or(self.span.start, |(start, offset)| offset + (position - start))
    }
}

/// The lines of a file.
///
/// sshd reads each line as a C string, so a NUL cuts off the rest of the line *together with its
/// newline*: the next line is glued on. Blanks before a line are dropped, blanks and form feeds
/// behind it too, but never its first byte.
pub fn lines<'a>(bytes: &'a [u8], dialect: &'a Dialect) -> impl Iterator<Item = Line> + 'a {
    let mut rest = Physical { bytes, offset: 0, number: 1 };
    std::iter::from_fn(move || {
        let mut line = Line {
            text: Vec::new(),
            span: rest.offset..rest.offset,
            number: rest.number,
            had_comment: false,
            pieces: Vec::new(),
        };
        while let Some((offset, physical)) = rest.next() {
            let complete = append(&mut line, offset, physical, dialect);
            line.span.end = rest.offset;
            if complete {
                break;
            }
        }
        trim_end(&mut line.text);
        (!line.span.is_empty()).then_some(line)
    })
}

/// Where an editor shows what sshd calls line `line` of a file: sshd counts glued lines as one.
#[must_use]
pub fn editor_line(bytes: &[u8], line: usize, dialect: &Dialect) -> usize {
    match lines(bytes, dialect).nth(line.saturating_sub(1)) {
        Some(found) => found.number + newlines(bytes.get(found.span.start..found.offset(0))),
        None => line,
    }
}

/// How many newlines there are.
pub(super) fn newlines(bytes: Option<&[u8]>) -> usize {
    bytes.unwrap_or_default().iter().filter(|byte| **byte == b'\n').count()
}

struct Physical<'a> {
    bytes: &'a [u8],
    offset: usize,
    number: usize,
}

impl<'a> Physical<'a> {
    fn next(&mut self) -> Option<(usize, &'a [u8])> {
        let start = self.offset;
        let rest = self.bytes.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        self.offset += length;
        self.number += 1;
        Some((start, rest.get(..length)?))
    }
}

/// Appends what sshd keeps of a physical line; says whether its newline was kept.
fn append(line: &mut Line, offset: usize, physical: &[u8], dialect: &Dialect) -> bool {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r') && !dialect.is_client();
    let blanks = physical.iter().take_while(blank).count();
    let kept = physical.split(|byte| *byte == 0).next().unwrap_or_default();
    let comment = dialect.cuts_at_hash().then(|| kept.iter().position(|b| *b == b'#'));
    let (kept, complete) = match comment.flatten() {
        // The old way: the first `#` becomes the end of the line, whatever follows.
        Some(end) => {
            line.had_comment = true;
            (kept.get(..end).unwrap_or_default(), true)
        }
        None => match kept.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (kept, dialect.is_client()),
        },
    };
    if let Some(text) = kept.get(blanks..) {
        line.pieces.push((line.text.len(), offset + blanks));
        line.text.extend_from_slice(text);
    }
    complete
}

fn trim_end(text: &mut Vec<u8>) {
    while let [_, .., b' ' | b'\t' | b'\r' | b'\n' | 0x0c] = text.as_slice() {
        text.pop();
    }
}
