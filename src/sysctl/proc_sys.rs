//! The part of /proc/sys that keys can lead through, so that a key with `..` or a pattern is
//! followed without asking the host: the same files give the same answer everywhere.

use super::Key;
use super::glob::{Kind, Listing};

#[cfg(test)]
mod tests;

/// Where the loaders look.
pub const ROOT: &[u8] = b"/proc/sys";

/// The kernel's limit of a path, with the zero byte at its end.
const PATH_MAX: usize = 4096;

/// Directories that every kernel with networking has. A key that goes through another one and back
/// by `..` counts as not found.
const DIRECTORIES: [&[u8]; 18] = [
    b"/",
    b"/proc",
    b"/proc/sys",
    b"/proc/sys/debug",
    b"/proc/sys/dev",
    b"/proc/sys/fs",
    b"/proc/sys/kernel",
    b"/proc/sys/net",
    b"/proc/sys/net/core",
    b"/proc/sys/net/ipv4",
    b"/proc/sys/net/ipv4/conf",
    b"/proc/sys/net/ipv4/conf/all",
    b"/proc/sys/net/ipv4/conf/default",
    b"/proc/sys/net/ipv4/neigh",
    b"/proc/sys/net/ipv4/neigh/default",
    b"/proc/sys/net/ipv4/route",
    b"/proc/sys/net/unix",
    b"/proc/sys/vm",
];

/// /proc/sys as a loader's glob sees it.
#[derive(Debug, Clone, Copy)]
pub struct ProcSys {
    /// Whether `.` and `..` are among a directory's names: glibc's own `readdir` gives them,
    /// systemd hands glob one that does not.
    pub dots: bool,
}

/// The setting that a path leads to, as `open(2)` would follow it.
#[must_use]
pub fn setting(path: &[u8]) -> Option<Key> {
    let resolved = resolve(path)?;
    Key::ALL.into_iter().find(|key| file(*key) == resolved)
}

/// `/proc/sys/net/ipv4/tcp_keepalive_time`.
#[must_use]
pub fn file(key: Key) -> Vec<u8> {
    let path = key.name().bytes().map(|byte| if byte == b'.' { b'/' } else { byte });
    ROOT.iter().copied().chain([b'/']).chain(path).collect()
}

/// Follows `.`, `..` and repeated slashes; `None` when the path leads nowhere that is known.
fn resolve(path: &[u8]) -> Option<Vec<u8>> {
    if path.len() >= PATH_MAX {
        return None;
    }
    let mut resolved = b"/".to_vec();
    for part in path.split(|byte| *byte == b'/') {
        if part.is_empty() || part == b"." {
            // Also at the end: only a directory may be followed by a slash.
            is_directory(&resolved).then_some(())?;
            continue;
        }
        is_directory(&resolved).then_some(())?;
        if part == b".." {
            let parent = resolved.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
            resolved.truncate(parent.max(1));
            continue;
        }
        if resolved != b"/" {
            resolved.push(b'/');
        }
        resolved.extend_from_slice(part);
    }
    Some(resolved)
}

fn is_directory(path: &[u8]) -> bool {
    DIRECTORIES.contains(&path)
}

fn is_file(path: &[u8]) -> bool {
    Key::ALL.into_iter().any(|key| file(key) == path)
}

impl Listing for ProcSys {
    fn names(&self, directory: &[u8]) -> Option<Vec<Vec<u8>>> {
        let directory = resolve(directory).filter(|path| is_directory(path))?;
        let files = Key::ALL.map(file);
        let entries = DIRECTORIES.iter().copied().chain(files.iter().map(Vec::as_slice));
        let mut names: Vec<Vec<u8>> =
            entries.filter_map(|path| child(&directory, path)).map(<[u8]>::to_vec).collect();
        if self.dots {
            names.extend([b".".to_vec(), b"..".to_vec()]);
        }
        Some(names)
    }

    fn stat(&self, path: &[u8]) -> Option<Kind> {
        let resolved = resolve(path)?;
        if is_directory(&resolved) {
            return Some(Kind::Directory);
        }
        is_file(&resolved).then_some(Kind::File)
    }
}

/// The name of `path` in `directory`, if it is directly in it.
fn child<'a>(directory: &[u8], path: &'a [u8]) -> Option<&'a [u8]> {
    let inside = match directory {
        b"/" => path.strip_prefix(b"/")?,
        _ => path.strip_prefix(directory)?.strip_prefix(b"/")?,
    };
    (!inside.is_empty() && !inside.contains(&b'/')).then_some(inside)
}
