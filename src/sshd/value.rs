//! What sshd makes of the argument of a keepalive keyword.
//!
//! Releases differ in what they refuse and in what they make of oddities; what a release accepts
//! is computed by its own rules, because the value in force is what counts.

use super::Keyword;
use super::dialect::Dialect;
use crate::reconcile::Value;

#[cfg(test)]
mod tests;

/// The largest time and count that any release takes for what it is.
const INT_MAX: i64 = 2_147_483_647;

/// Why an argument is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not `yes` or `no`.
    #[error("must be yes or no")]
    NotYesOrNo,
    /// Not a time.
    #[error("must be a time such as 120, 2m or 1h30m, at most 2147483647 seconds")]
    NotATime,
    /// Not a count.
    #[error("must be a whole number from 0 to 2147483647")]
    NotACount,
}

/// The value that sshd takes `argument` for.
///
/// # Errors
/// When sshd refuses it.
pub fn parse(keyword: Keyword, argument: &[u8], dialect: &Dialect) -> Result<Value, Refused> {
    match keyword {
        Keyword::TcpKeepAlive => {
            flag(argument, dialect).map(Value::Bool).ok_or(Refused::NotYesOrNo)
        }
        Keyword::ClientAliveInterval => {
            time(argument, dialect).map(Value::Number).ok_or(Refused::NotATime)
        }
        Keyword::ClientAliveCountMax => {
            count(argument).map(Value::Number).ok_or(Refused::NotACount)
        }
    }
}

/// `yes` or `no`, and in some releases `true` or `false`, in any case.
fn flag(argument: &[u8], dialect: &Dialect) -> Option<bool> {
    let is = |word: &[u8]| argument.eq_ignore_ascii_case(word);
    if is(b"yes") || dialect.takes_true_and_false() && is(b"true") {
        Some(true)
    } else if is(b"no") || dialect.takes_true_and_false() && is(b"false") {
        Some(false)
    } else {
        None
    }
}

/// `strtonum(3)` from 0 to INT_MAX, which is `strtoll` and nothing behind the digits.
pub(crate) fn count(argument: &[u8]) -> Option<i64> {
    let (number, rest) = leading_number(argument)?;
    (rest.is_empty() && (0..=INT_MAX).contains(&number)).then_some(number)
}

/// `convtime`: a sum of numbers with units.
pub(crate) fn time(argument: &[u8], dialect: &Dialect) -> Option<i64> {
    if argument.is_empty() {
        return None;
    }
    if dialect.takes_fractional_times() {
        return fractional_time(argument);
    }
    let lenient = dialect.takes_blanks_in_times();
    let (mut total, mut rest, mut unit) = (0_i64, argument, 1);
    while let Some(first) = rest.first() {
        if !lenient && !first.is_ascii_digit() {
            return None;
        }
        let (number, after) = leading_number(rest)?;
        let (symbol, behind) = after.split_first().map_or((b's', after), |(s, b)| (*s, b));
        unit = match symbol.to_ascii_lowercase() {
            // Up to 8.3 a number without a unit of its own has that of the number before it.
            b's' if dialect.carries_units() => unit,
            other => seconds(other)?,
        };
        let limit = if dialect.limits_times_to_int() { INT_MAX } else { i64::MAX };
        let product = number.checked_mul(unit).filter(|product| (0..=limit).contains(product))?;
        total = total.checked_add(product).filter(|total| *total <= limit)?;
        rest = behind;
    }
    if dialect.limits_times_to_int() { Some(total) } else { wrapped(total) }
}

const fn seconds(symbol: u8) -> Option<i64> {
    match symbol {
        b's' => Some(1),
        b'm' => Some(60),
        b'h' => Some(3600),
        b'd' => Some(24 * 3600),
        b'w' => Some(7 * 24 * 3600),
        _ => None,
    }
}

/// Up to 8.4 the sum was a `long` that was cut to an `int`, of which -1 meant an error.
fn wrapped(total: i64) -> Option<i64> {
    let [a, b, c, d, ..] = total.to_le_bytes();
    Some(i64::from(i32::from_le_bytes([a, b, c, d]))).filter(|value| *value != -1)
}

/// Since 10.3: seconds may have a fraction, which is dropped, and may be given only once.
fn fractional_time(argument: &[u8]) -> Option<i64> {
    let (mut total, mut rest, mut had_seconds) = (0_i64, argument, false);
    while !rest.is_empty() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let (fraction, after) = match after.strip_prefix(b".") {
            Some(tail) => {
                let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
                (true, tail.get(length..)?)
            }
            None => (false, after),
        };
        let (symbol, behind) = after.split_first().map_or((b's', after), |(s, b)| (*s, b));
        let unit = seconds(symbol.to_ascii_lowercase())?;
        if unit == 1 && std::mem::replace(&mut had_seconds, true) || unit > 1 && fraction {
            return None;
        }
        let number: i64 = std::str::from_utf8(number).ok()?.parse().ok()?;
        let product = number.checked_mul(unit).filter(|product| *product <= INT_MAX)?;
        total = total.checked_add(product).filter(|total| *total <= INT_MAX)?;
        rest = behind;
    }
    Some(total)
}

/// `strtol(3)`: blanks, a sign, digits; gives the rest. A number beyond an `i64` is refused by
/// every caller's limits, so it is `None` here.
pub(super) fn leading_number(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let blanks = bytes.iter().take_while(|b| matches!(b, b' ' | b'\t'..=b'\r')).count();
    let bytes = bytes.get(blanks..)?;
    let (negative, unsigned) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, bytes),
    };
    let digits = unsigned.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = unsigned.split_at_checked(digits)?;
    let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((if negative { -number } else { number }, rest))
}
