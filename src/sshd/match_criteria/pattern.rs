//! Lists of patterns: `*`, `?`, commas, `!`.

use crate::sshd::dialect::Dialect;

/// A pattern of this length makes the whole list match nothing: sshd copies it to a fixed buffer.
const TOO_LONG: usize = 1023;

/// Whether `text` matches `pattern`, in which `*` and `?` are special.
pub(crate) fn matches(text: &[u8], pattern: &[u8], dialect: &Dialect) -> bool {
    if let (true, Some(start)) = (dialect.two_stars_match_something(), pattern.strip_suffix(b"**"))
    {
        return matches_once(text, &[start, b"?*"].concat());
    }
    matches_once(text, pattern)
}

fn matches_once(text: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut symbol) = (0, 0);
    // Where to go on when what follows the last `*` fails.
    let mut again = None;
    loop {
        let step = match (pattern.get(symbol), text.get(at)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                again = Some((symbol, at));
                symbol += 1;
                continue;
            }
            (Some(b'?'), Some(_)) => true,
            (Some(wanted), Some(found)) => wanted == found,
            _ => false,
        };
        if step {
            (symbol, at) = (symbol + 1, at + 1);
            continue;
        }
        match again {
            Some((star, from)) if from < text.len() => {
                again = Some((star, from + 1));
                (symbol, at) = (star + 1, from + 1);
            }
            _ => return false,
        }
    }
}

/// Whether a list of patterns matches: one of them, and none of those with a `!`.
pub(crate) fn in_list(text: &[u8], list: &[u8], fold: bool, dialect: &Dialect) -> bool {
    verdict(text, list, fold, dialect) == Some(true)
}

/// Whether a list of patterns matches any of the groups, and its negations none.
pub(super) fn any_in_list(groups: &[Vec<u8>], list: &[u8], dialect: &Dialect) -> bool {
    let verdicts = || groups.iter().map(|group| verdict(group, list, false, dialect));
    !verdicts().any(|verdict| verdict == Some(false))
        && verdicts().any(|verdict| verdict == Some(true))
}

/// `Some(false)` for a negated hit, `None` for no hit at all.
fn verdict(text: &[u8], list: &[u8], fold: bool, dialect: &Dialect) -> Option<bool> {
    let mut hit = None;
    for part in parts(list) {
        let (negated, part) = part.strip_prefix(b"!").map_or((false, part), |part| (true, part));
        if part.len() >= TOO_LONG {
            return None;
        }
        let folded = if fold { part.to_ascii_lowercase() } else { part.to_vec() };
        if matches(text, &folded, dialect) {
            if negated {
                return Some(false);
            }
            hit = Some(true);
        }
    }
    hit
}

/// The parts between the commas; a comma at the end has no empty part behind it.
fn parts(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty = list.is_empty();
    let list = list.strip_suffix(b",").unwrap_or(list);
    list.split(|byte| *byte == b',').filter(move |_| !empty)
}
