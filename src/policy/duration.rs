//! Times as sshd writes them: `120`, `2m`, `1h30m`.

/// The longest time that sshd takes, in seconds: its times are an `int`.
pub const LONGEST: u32 = i32::MAX.unsigned_abs();

/// Why a text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Something other than numbers and units.
    #[error(
        "is not a time: write seconds (120) or numbers with the units s, m, h, d, w (\"1h30m\")"
    )]
    Syntax,
    /// More than one part in seconds, `5s5`: sshd before 10.3 adds them up, later ones refuse.
    #[error("names seconds twice, which sshd 10.3 and later refuse")]
    SecondsTwice,
    /// A part or the sum does not fit.
    #[error("is too long: the times of OpenSSH end at {LONGEST} s")]
    TooLong,
}

/// Seconds from a sum of `N[smhdw]`, units in either case, a bare number being seconds.
///
/// The dialect is what every version of sshd reads alike: no sign, no blanks, no fractions
/// (10.3 and later would cut `1.5` down to 1).
///
/// # Errors
/// When it is not of that dialect, or longer than [`LONGEST`].
pub fn seconds(text: &str) -> Result<u32, TimeError> {
    let mut rest = text;
    let mut sum = 0_u32;
    let mut seen_seconds = false;
    while !rest.is_empty() || text.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits).ok_or(TimeError::Syntax)?;
        if number.is_empty() {
            return Err(TimeError::Syntax);
        }
        let mut after = after.chars();
        let (unit, is_seconds) = match after.next().map(|unit| unit.to_ascii_lowercase()) {
            None | Some('s') => (1, true),
            Some('m') => (60, false),
            Some('h') => (3600, false),
            Some('d') => (86_400, false),
            Some('w') => (604_800, false),
            Some(_) => return Err(TimeError::Syntax),
        };
        rest = after.as_str();
        if is_seconds && std::mem::replace(&mut seen_seconds, true) {
            return Err(TimeError::SecondsTwice);
        }
        let part = number.parse::<u32>().ok().and_then(|number| number.checked_mul(unit));
        sum = part
            .and_then(|part| sum.checked_add(part))
            .filter(|sum| *sum <= LONGEST)
            .ok_or(TimeError::TooLong)?;
    }
    Ok(sum)
}
