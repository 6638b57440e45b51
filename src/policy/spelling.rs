//! The name that was probably meant.

/// The candidate that is nearest to `written`, when it is near enough to be a slip: letters in the
/// other case cost nothing, a third of the letters may be wrong, missing or too many, or a whole
/// beginning or end may be missing (`sshd`, `tcp_keepalive_time`).
#[must_use]
pub fn nearest<'c>(written: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let part = |candidate: &str| {
        written.len() > 2 && (candidate.starts_with(written) || candidate.ends_with(written))
    };
    candidates
        .iter()
        .filter_map(|candidate| {
            let allowed = written.len().max(candidate.len()) / 3;
            let longer = written.len().abs_diff(candidate.len());
            // Cheap first: a name that is far longer is no slip, and may be a megabyte.
            if part(candidate) || longer > allowed {
                return part(candidate).then_some((longer, *candidate));
            }
            Some((distance(written, candidate), *candidate)).filter(|(far, _)| *far <= allowed)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance over bytes, ASCII case aside.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let replaced = diagonal + usize::from(!x.eq_ignore_ascii_case(&y));
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}
