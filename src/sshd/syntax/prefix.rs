//! The same configuration for a copy of the tree that stands elsewhere.

use super::each;
use crate::sshd::dialect::Dialect;

/// Where sshd looks for a pattern that does not begin with `/`, also in included files.
pub const DIRECTORY: &[u8] = b"/etc/ssh/";

/// The same file, but every pattern of every `Include` reads below `prefix`: `/etc/x` becomes
/// `PREFIX/etc/x`, and `x.d/*` becomes `PREFIX/etc/ssh/x.d/*`. Everything else, and so the number
/// of lines, stays as it is.
///
/// `prefix` is a plain path (no newline, no NUL): what a glob or the tokeniser would take for more
/// than itself is escaped.
#[must_use]
pub fn prefix_includes(bytes: &[u8], prefix: &[u8], dialect: &Dialect) -> Vec<u8> {
    let prefix = escape(prefix);
    let mut result = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for directive in each(bytes, dialect).filter(|line| line.is("Include")) {
        let arguments = directive.arguments.as_deref().unwrap_or_default();
        for pattern in arguments.iter().filter(|argument| !argument.bytes.is_empty()) {
            let is_relative = !matches!(pattern.bytes.first(), Some(b'/' | b'~'));
            if is_relative && !dialect.reads_relative_includes() {
                // Stays as it is, since the sshd that judges does not read it either.
                continue;
            }
            result.extend_from_slice(bytes.get(copied..pattern.start).unwrap_or_default());
            result.extend_from_slice(&prefix);
            match pattern.bytes.first() {
                Some(b'/') => {}
                // sshd takes it for absolute, the kernel for a name in its working directory.
                Some(b'~') => result.push(b'/'),
                _ => result.extend_from_slice(DIRECTORY),
            }
            copied = pattern.start;
        }
    }
    result.extend_from_slice(bytes.get(copied..).unwrap_or_default());
    result
}

/// What the tokeniser and then the glob turn back into `path`.
fn escape(path: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len());
    for byte in path {
        match byte {
            b'*' | b'?' | b'[' | b']' => escaped.extend_from_slice(&[b'\\', *byte]),
            // One backslash for the glob is two for the tokeniser, and it eats one of each two.
            b'\\' => escaped.extend_from_slice(br"\\\\"),
            b'\'' | b'"' | b' ' => escaped.extend_from_slice(&[b'\\', *byte]),
            b'\t' => escaped.extend_from_slice(b"\"\t\""),
            other => escaped.push(*other),
        }
    }
    escaped
}
