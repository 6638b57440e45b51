//! sshd's two tokenisers: `strdelim` for keywords (and once for everything), `argv_split` for
//! arguments since 8.7.

use super::Malformed;

/// A token and where it starts in the text that was split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Its text, quotes and escapes resolved.
    pub bytes: Vec<u8>,
    /// The position of its first byte.
    pub start: usize,
}

/// Reads words as `strdelim` does: ended by a blank, a double quote or one `=`.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    text: &'a [u8],
    position: Option<usize>,
}

impl<'a> Cursor<'a> {
    /// Begins at the start of `text`.
    #[must_use]
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, position: Some(0) }
    }

    /// Where the next word would begin; `None` when there is nothing left to read.
    #[must_use]
    pub const fn position(&self) -> Option<usize> {
        self.position
    }

    /// The next word, which may be empty; `None` at the end, and for a quote that is not closed.
    pub fn word(&mut self) -> Option<Word> {
        let start = self.position.take()?;
        let text = self.text.get(start..)?;
        let Some(end) = text.iter().position(|byte| ends_word(*byte)) else {
            return Some(Word { bytes: text.to_vec(), start });
        };
        let (before, after) = (text.get(..end)?, text.get(end + 1..)?);
        if text.get(end) == Some(&b'"') {
            // The quoted part is joined to what precedes it, and ends the word.
            let close = after.iter().position(|byte| *byte == b'"')?;
            self.position = Some(self.skip_blanks(start + end + 1 + close + 1));
            return Some(Word { bytes: [before, after.get(..close)?].concat(), start });
        }
        let mut next = self.skip_blanks(start + end + 1);
        if text.get(end) != Some(&b'=') && self.text.get(next) == Some(&b'=') {
            next = self.skip_blanks(next + 1);
        }
        self.position = Some(next);
        Some(Word { bytes: before.to_vec(), start })
    }

    fn skip_blanks(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| is_blank(**byte)).count()
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const fn ends_word(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'"' | b'=')
}

/// The arguments as sshd read them up to 8.6: words, up to the first empty one.
#[must_use]
pub fn words(mut cursor: Cursor<'_>) -> Vec<Word> {
    std::iter::from_fn(|| cursor.word().filter(|word| !word.bytes.is_empty())).collect()
}

/// The arguments as sshd reads them since 8.7.
///
/// # Errors
/// When a quote is not closed.
pub fn arguments(text: &[u8]) -> Result<Vec<Word>, Malformed> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b' ' | b'\t' => at += 1,
            b'#' => break,
            _ => {
                let (word, end) = argument(text, at)?;
                found.push(word);
                at = end;
            }
        }
    }
    Ok(found)
}

fn argument(text: &[u8], start: usize) -> Result<(Word, usize), Malformed> {
    let mut bytes = Vec::new();
    let mut quote = None;
    let mut at = start;
    while let Some(&byte) = text.get(at) {
        match (byte, quote) {
            (b'\\', _) => {
                match (text.get(at + 1), quote) {
                    (Some(&escaped @ (b'\'' | b'"' | b'\\')), _)
                    | (Some(&escaped @ b' '), None) => {
                        bytes.push(escaped);
                        at += 1;
                    }
                    // Any other escape is none: `\*` stays as it is, for the glob.
                    _ => bytes.push(byte),
                }
            }
            (b' ' | b'\t', None) => break,
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if open == byte => quote = None,
            _ => bytes.push(byte),
        }
        at += 1;
    }
    match quote {
        Some(_) => Err(Malformed::Quotes),
        None => Ok((Word { bytes, start }, at)),
    }
}
