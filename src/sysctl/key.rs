//! How a loader turns the key of a line into a path below /proc/sys.

#[cfg(test)]
mod tests;

/// A longer part of a path makes systemd's path functions give up.
const NAME_MAX: usize = 255;

/// Swaps dots and slashes when the first separator is a dot: `net.ipv4.conf.eth0/1.x` is the
/// interface `eth0.1`. When it is a slash, the key is a path already.
#[must_use]
pub fn to_path(key: &[u8]) -> Vec<u8> {
    match key.iter().find(|byte| matches!(byte, b'.' | b'/')) {
        Some(b'.') => key
            .iter()
            .map(|byte| match byte {
                b'.' => b'/',
                b'/' => b'.',
                other => *other,
            })
            .collect(),
        _ => key.to_vec(),
    }
}

/// `sysctl_normalize()` of systemd: one spelling for every key that means the same path.
#[must_use]
pub fn normalise(key: &[u8]) -> Vec<u8> {
    let mut path = simplify(&to_path(key));
    if path.len() > 1 && path.first() == Some(&b'/') {
        path.remove(0);
    }
    path
}

/// `path_simplify()` of systemd: no `//`, no `/./`, no slash at the end.
#[must_use]
pub fn simplify(path: &[u8]) -> Vec<u8> {
    let absolute = path.first() == Some(&b'/');
    let mut simple = Vec::with_capacity(path.len());
    let mut rest = path;
    if absolute {
        simple.push(b'/');
        rest = rest.get(1..).unwrap_or_default();
    }
    let mut first = true;
    loop {
        let part = skip_slash_or_dot(rest);
        if part.is_empty() || part == b"." {
            break;
        }
        if !first {
            simple.push(b'/');
        }
        first = false;
        let length = part.iter().position(|byte| *byte == b'/').unwrap_or(part.len());
        if length > NAME_MAX {
            simple.extend_from_slice(rest);
            return simple;
        }
        let (name, after) = part.split_at(length);
        simple.extend_from_slice(name);
        rest = skip_slash_or_dot(after);
    }
    if simple.is_empty() && !path.is_empty() {
        simple.push(b'.');
    }
    simple
}

fn skip_slash_or_dot(mut path: &[u8]) -> &[u8] {
    while let [b'/', rest @ ..] | [b'.', b'/', rest @ ..] = path {
        path = rest;
    }
    path
}
