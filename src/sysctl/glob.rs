//! glibc's `glob(3)` and `fnmatch(3)`, as the loaders use them on keys and on file names.
//!
//! The loaders run in the C locale at boot, so a range compares bytes.

#[cfg(test)]
mod tests;

mod bracket;

/// More names than this from one pattern, or deeper recursion, are left out: nobody writes it, and
/// `{a,b}{a,b}…` would grow without end.
const NAMES: usize = 512;
const DEPTH: usize = 64;

/// What a pattern is matched against.
pub trait Listing {
    /// The names in a directory, `.` and `..` with them where the loader sees those; `None` when
    /// it is no directory.
    fn names(&self, directory: &[u8]) -> Option<Vec<Vec<u8>>>;
    /// Whether something stands at the path, and whether it is a directory.
    fn stat(&self, path: &[u8]) -> Option<Kind>;
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// Anything else.
    File,
}

/// The paths that `glob(pattern, flags)` gives, without `GLOB_NOCHECK`; `braces` is `GLOB_BRACE`.
#[must_use]
pub fn paths(listing: &dyn Listing, pattern: &[u8], braces: bool) -> Vec<Vec<u8>> {
    let alternatives = if braces { alternatives(pattern) } else { vec![pattern.to_vec()] };
    let mut found = Vec::new();
    for alternative in alternatives {
        found.extend(expand(listing, &alternative, Only::All, DEPTH));
        found.truncate(NAMES);
    }
    found
}

/// The names that `glob(DIRECTORY/pattern, GLOB_NOCHECK | GLOB_BRACE)` gives in one directory.
#[must_use]
pub fn names<'a>(pattern: &[u8], listed: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let listed: Vec<&[u8]> = listed.into_iter().collect();
    let matching = |pattern: &[u8]| -> Vec<Vec<u8>> {
        if is_literal(pattern) {
            return listed
                .iter()
                .filter(|name| **name == pattern)
                .map(|name| name.to_vec())
                .collect();
        }
        let mut found: Vec<_> =
            listed.iter().filter(|name| matches(pattern, name)).map(|name| name.to_vec()).collect();
        found.sort();
        found
    };
    let mut found = Vec::new();
    let alternatives = alternatives(pattern);
    for alternative in &alternatives {
        found.extend(matching(alternative));
        found.truncate(NAMES);
    }
    // With braces that match nothing, glibc goes on with the pattern as it is written.
    if found.is_empty() && alternatives.as_slice() != [pattern] {
        found = matching(pattern);
    }
    if found.is_empty() { vec![pattern.to_vec()] } else { found }
}

/// Whether a pattern matches nothing but itself.
#[must_use]
pub fn is_plain(pattern: &[u8]) -> bool {
    !pattern.iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'{' | b'\\'))
}

/// Which names a pattern's last part may match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Only {
    All,
    /// `GLOB_ONLYDIR`: directories. A name without a wildcard is not looked at.
    Directories,
}

/// `glob()` of glibc: the directory part first, then the last part in each of its matches.
fn expand(listing: &dyn Listing, pattern: &[u8], only: Only, depth: usize) -> Vec<Vec<u8>> {
    let Some(slash) = pattern.iter().rposition(|byte| *byte == b'/') else { return Vec::new() };
    let (directory, name) =
        (pattern.get(..slash).unwrap_or_default(), pattern.get(slash + 1..).unwrap_or_default());
    if depth == 0 {
        return Vec::new();
    }
    if name.is_empty() && directory.len() > 1 {
        return expand(listing, directory, Only::Directories, depth - 1)
            .into_iter()
            .map(|path| mark(listing, path))
            .collect();
    }
    let directories = if has_wildcard(directory) {
        expand(listing, directory, Only::Directories, depth - 1)
    } else {
        vec![unescape(directory)]
    };
    let mut found = Vec::new();
    for directory in directories {
        found.extend(in_directory(listing, &directory, name, only));
        // `.*/.*/.*/…` doubles with every part.
        if found.len() >= NAMES {
            break;
        }
    }
    found
}

fn in_directory(listing: &dyn Listing, directory: &[u8], name: &[u8], only: Only) -> Vec<Vec<u8>> {
    let join = |name: &[u8]| [directory, b"/", name].concat();
    if is_literal(name) {
        let path = join(name);
        return listing.stat(&path).map(|_| path).into_iter().collect();
    }
    let names = listing.names(directory).unwrap_or_default();
    names
        .iter()
        .filter(|found| matches(name, found))
        .map(|found| join(found))
        .filter(|path| only == Only::All || listing.stat(path) == Some(Kind::Directory))
        .collect()
}

fn mark(listing: &dyn Listing, mut path: Vec<u8>) -> Vec<u8> {
    if path.last() != Some(&b'/') && listing.stat(&path) == Some(Kind::Directory) {
        path.push(b'/');
    }
    path
}

/// Whether glibc takes the name as it stands: no `*`, no `?`, no closed `[`, no backslash.
fn is_literal(pattern: &[u8]) -> bool {
    !has_wildcard(pattern) && !pattern.contains(&b'\\')
}

/// `GLOBPAT_SPECIAL`: a `[` counts only where a `]` follows.
fn has_wildcard(pattern: &[u8]) -> bool {
    let mut open = false;
    let mut bytes = pattern.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'?' | b'*' => return true,
            b'\\' => {
                bytes.next();
            }
            b'[' => open = true,
            b']' if open => return true,
            _ => {}
        }
    }
    false
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.push(*bytes.next().unwrap_or(&b'\\')),
            other => plain.push(*other),
        }
    }
    plain
}

/// `fnmatch(pattern, name, FNM_PERIOD)`: a dot at the beginning is matched only by a dot.
#[must_use]
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && !matches!(pattern, [b'.', ..] | [b'\\', b'.', ..]) {
        return false;
    }
    let (mut pattern, mut name) = (pattern, name);
    // After a `*`: what follows it, and from where to try again one byte further on.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            pattern = rest;
            retry = Some((rest, name));
            continue;
        }
        match step(pattern, name) {
            Step::End => return true,
            Step::Never => return false,
            Step::Match(next_pattern, next_name) => (pattern, name) = (next_pattern, next_name),
            Step::Mismatch => match retry {
                Some((after, [_, later @ ..])) => {
                    (pattern, name) = (after, later);
                    retry = Some((after, later));
                }
                _ => return false,
            },
        }
    }
}

enum Step<'a> {
    End,
    Match(&'a [u8], &'a [u8]),
    Mismatch,
    /// The pattern is one that glibc says no to, whatever the name.
    Never,
}

fn step<'a>(pattern: &'a [u8], name: &'a [u8]) -> Step<'a> {
    match (pattern, name) {
        ([], []) => Step::End,
        ([], _) | (_, []) => Step::Mismatch,
        ([b'?', rest @ ..], [_, later @ ..]) => Step::Match(rest, later),
        ([b'[', rest @ ..], [byte, later @ ..]) => match bracket::matches(rest, *byte) {
            bracket::Verdict::Inside(rest) => Step::Match(rest, later),
            bracket::Verdict::Outside => Step::Mismatch,
            bracket::Verdict::NotABracket if *byte == b'[' => Step::Match(rest, later),
            bracket::Verdict::NotABracket => Step::Mismatch,
            bracket::Verdict::Invalid => Step::Never,
        },
        // A backslash at the end matches nothing.
        ([b'\\'], _) => Step::Never,
        ([b'\\', literal, rest @ ..] | [literal, rest @ ..], [byte, later @ ..]) => {
            if literal == byte { Step::Match(rest, later) } else { Step::Mismatch }
        }
    }
}

/// The patterns that a brace expression stands for, as `GLOB_BRACE` expands it: from the first
/// brace on, nested ones by recursion; braces that don't close are taken literally.
#[must_use]
pub fn alternatives(pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    expand_braces(pattern, DEPTH, &mut found);
    found
}

fn expand_braces(pattern: &[u8], depth: usize, found: &mut Vec<Vec<u8>>) {
    let Some((prefix, parts, rest)) = split_braces(pattern) else {
        found.push(pattern.to_vec());
        return;
    };
    for part in parts {
        if depth == 0 || found.len() >= NAMES {
            return;
        }
        expand_braces(&[prefix, part, rest].concat(), depth - 1, found);
    }
}

type Braces<'a> = (&'a [u8], Vec<&'a [u8]>, &'a [u8]);

/// `before{a,b}after` → `before`, `[a, b]`, `after`; `None` without a complete brace.
fn split_braces(pattern: &[u8]) -> Option<Braces<'_>> {
    let mut open = 0;
    loop {
        match pattern.get(open)? {
            b'{' => break,
            b'\\' if open + 1 < pattern.len() => open += 2,
            _ => open += 1,
        }
    }
    let mut parts = Vec::new();
    let mut start = open + 1;
    loop {
        let end = brace_end(pattern, start)?;
        parts.push(pattern.get(start..end)?);
        start = end + 1;
        if pattern.get(end) == Some(&b'}') {
            return Some((pattern.get(..open)?, parts, pattern.get(start..)?));
        }
    }
}

/// `next_brace_sub()`: the comma or the closing brace of this level.
fn brace_end(pattern: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match pattern.get(at)? {
            b'\\' => {
                at += 1;
                pattern.get(at)?;
            }
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            b',' if depth == 0 => return Some(at),
            b'{' => depth += 1,
            _ => {}
        }
        at += 1;
    }
}
