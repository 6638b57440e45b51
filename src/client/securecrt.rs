//! SecureCRT's session files: only our two lines are touched. Byte order mark, line ends and every
//! other line stay as they are.

#[cfg(test)]
mod tests;

/// The encodings that session files come in, by their byte order mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// UTF-8 with or without a mark, or an 8-bit code page: the lines that matter are ASCII.
    Bytes,
    /// UTF-16 in little-endian order.
    Utf16,
}

/// Why a file is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotASession {
    /// No line of the form that session files have.
    #[error("no SecureCRT session: no line such as D:\"Port\"=00000016")]
    Foreign,
    /// UTF-16 with half a character at the end.
    #[error("UTF-16 that ends in the middle of a character")]
    Torn,
}

/// Names and values of the two lines. The interval is in seconds; 0 switches the NO-OP off.
#[must_use]
pub fn lines(interval: u32) -> [(&'static str, String); 2] {
    [
        ("D:\"Idle NO-OP Check\"", format!("{:08x}", u32::from(interval > 0))),
        ("D:\"Idle NO-OP Timeout\"", format!("{interval:08x}")),
    ]
}

/// The session file with the interval set.
///
/// # Errors
/// When it does not look like one.
pub fn patch(file: &[u8], interval: u32) -> Result<Vec<u8>, NotASession> {
    let (encoding, mark, text) = match file {
        [0xff, 0xfe, text @ ..] => (Encoding::Utf16, file.get(..2).unwrap_or_default(), text),
        [0xef, 0xbb, 0xbf, text @ ..] => (Encoding::Bytes, file.get(..3).unwrap_or_default(), text),
        text => (Encoding::Bytes, &[][..], text),
    };
    if encoding == Encoding::Utf16 && text.len() % 2 == 1 {
        return Err(NotASession::Torn);
    }
    let mut rows = split(text, encoding);
    if !rows.iter().any(|row| is_entry(&ascii(row, encoding))) {
        return Err(NotASession::Foreign);
    }
    let end: &str = match rows.first().map(|row| ascii(row, encoding)) {
        Some(first) if first.ends_with(b"\r\n") => "\r\n",
        _ => "\n",
    };
    for (name, value) in lines(interval) {
        set(&mut rows, (name, &value), end, encoding);
    }
    Ok([mark, &rows.concat()].concat())
}

fn set(rows: &mut Vec<Vec<u8>>, (name, value): (&str, &str), end: &str, encoding: Encoding) {
    let mut found = false;
    for row in rows.iter_mut() {
        let line = ascii(row, encoding);
        let rest = line.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        let Some(rest) = rest else { continue };
        found = true;
        let kept =
            rest.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
        let line_end = String::from_utf8_lossy(rest.get(kept..).unwrap_or_default()).into_owned();
        *row = encode(&format!("{name}={value}{line_end}"), encoding);
    }
    if found {
        return;
    }
    if let Some(last) = rows.last_mut().filter(|last| !ascii(last, encoding).ends_with(b"\n")) {
        last.extend(encode(end, encoding));
    }
    rows.push(encode(&format!("{name}={value}{end}"), encoding));
}

fn is_entry(line: &[u8]) -> bool {
    matches!(line, [b'S' | b'D' | b'B' | b'Z', b':', b'"', rest @ ..]
        if rest.windows(2).any(|end| end == b"\"="))
}

/// The lines with their ends.
fn split(text: &[u8], encoding: Encoding) -> Vec<Vec<u8>> {
    match encoding {
        Encoding::Bytes => {
            text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
        }
        Encoding::Utf16 => {
            let units: Vec<&[u8]> = text.chunks(2).collect();
            units.split_inclusive(|unit| *unit == [b'\n', 0]).map(<[&[u8]]>::concat).collect()
        }
    }
}

/// A line as ASCII, other characters as `?`: enough to recognise ours.
fn ascii(row: &[u8], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Bytes => row.to_vec(),
        Encoding::Utf16 => row
            .chunks(2)
            .map(|unit| match unit {
                [byte, 0] => *byte,
                _ => b'?',
            })
            .collect(),
    }
}

fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Bytes => text.as_bytes().to_vec(),
        Encoding::Utf16 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
    }
}
