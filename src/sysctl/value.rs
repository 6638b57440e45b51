//! The kernel's own parser of the keepalive sysctls: what a text becomes once it is written.
//!
//! Follows `proc_get_long`, `proc_dointvec_jiffies` and `proc_dou8vec_minmax` of `kernel/sysctl.c`,
//! because only what the kernel makes of a text counts: `0600` is 384, `600 # ten minutes` is 600,
//! `600s` changes nothing.

use std::time::Duration;

use super::Key;

#[cfg(test)]
mod tests;

/// The kernel looks at one page less one byte of what is written (4 KiB pages).
const LOOKED_AT: usize = 4095;

/// `TMPBUFLEN - 1`: a number that fills the kernel's buffer may have been cut, so it is refused.
const NUMBER_LIMIT: usize = 21;

/// The `HZ` of Debian, Ubuntu before 24.10 and this project's measurements.
const USUAL_HZ: u32 = 250;

/// What becomes of a text that is written to a sysctl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// The kernel takes it: this is its value from then on.
    Set(i64),
    /// `EINVAL`: the value stays what it was.
    Refused,
}

impl Write {
    /// The value, where the kernel took it.
    #[must_use]
    pub const fn value(self) -> Option<i64> {
        match self {
            Self::Set(value) => Some(value),
            Self::Refused => None,
        }
    }
}

/// Timer ticks a second, a constant of the running kernel.
///
/// The kernel keeps the time and the interval in ticks, in 31 bits, so the largest number of
/// seconds that it takes is `i32::MAX / HZ`: 21,474,836 at 100, 8,589,934 at 250, 2,147,483 at 1000.
/// No system call tells HZ, but the coarse clocks advance once a tick, and their resolution is
/// known. A tree given by `--root` is judged by the kernel of the machine that looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hz(u32);

impl Hz {
    /// That of the running kernel.
    #[must_use]
    pub fn of_this_kernel() -> Self {
        let tick = rustix::time::clock_getres(rustix::time::ClockId::MonotonicCoarse);
        match u64::try_from(tick.tv_nsec) {
            Ok(nanoseconds) if tick.tv_sec == 0 => Self::from_tick(nanoseconds),
            _ => Self(USUAL_HZ),
        }
    }

    /// A tick of this many nanoseconds; what no kernel can be built with counts as the usual HZ.
    fn from_tick(nanoseconds: u64) -> Self {
        let second = Duration::from_secs(1).as_nanos();
        let ticks = second.checked_div(u128::from(nanoseconds)).unwrap_or(0);
        Self(u32::try_from(ticks).ok().filter(|hz| (24..=1200).contains(hz)).unwrap_or(USUAL_HZ))
    }

    /// Ticks a second.
    #[must_use]
    pub const fn ticks(self) -> u32 {
        self.0
    }

    /// The largest number of seconds that the kernel takes.
    #[must_use]
    pub fn longest(self) -> u64 {
        u64::from(i32::MAX.unsigned_abs() / self.0.max(1))
    }
}

impl From<u32> for Hz {
    /// For evaluating as another kernel would.
    fn from(hz: u32) -> Self {
        Self(hz)
    }
}

/// What the kernel makes of `text` when it is written to `key` in one write at offset 0. A loader
/// adds a newline to the text of its file: the caller hands it over with that.
#[must_use]
pub fn write(key: Key, text: &[u8], hz: Hz) -> Write {
    let seen = text.get(..LOOKED_AT).unwrap_or(text);
    let Some((negative, number)) = number(seen.trim_start_by(is_space)) else {
        return Write::Refused;
    };
    let bounded = match key {
        // u8, through proc_douintvec: a minus sign is refused, even before 0.
        Key::KeepaliveProbes | Key::Retries2 => (!negative && number <= 255).then_some(number),
        Key::KeepaliveTime | Key::KeepaliveIntvl => (number <= hz.longest()).then_some(number),
    };
    match bounded.and_then(|number| i64::try_from(number).ok()) {
        Some(number) if negative => Write::Set(-number),
        Some(number) => Write::Set(number),
        None => Write::Refused,
    }
}

/// The one number that a text begins with: after it, only a blank, a tab, a newline or the end may
/// come, and what comes after those is ignored.
fn number(text: &[u8]) -> Option<(bool, u64)> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] if !rest.is_empty() => (true, rest),
        _ => (false, text),
    };
    if !digits.first()?.is_ascii_digit() {
        return None;
    }
    let (radix, prefix) = radix(digits);
    let digits = digits.get(prefix..)?;
    let length = digits.iter().take_while(|byte| char::from(**byte).is_digit(radix)).count();
    if usize::from(negative) + prefix + length >= NUMBER_LIMIT {
        return None;
    }
    if !matches!(digits.get(length), None | Some(b' ' | b'\t' | b'\n')) {
        return None;
    }
    let digits = std::str::from_utf8(digits.get(..length)?).ok()?;
    Some((negative, u64::from_str_radix(digits, radix).ok()?))
}

/// The radix, and how many bytes announce it: `0x` before a hexadecimal digit, or a leading 0,
/// which is itself an octal digit.
fn radix(digits: &[u8]) -> (u32, usize) {
    match digits {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, 2),
        [b'0', ..] => (8, 0),
        _ => (10, 0),
    }
}

/// `isspace()` of the kernel, which counts Latin-1's no-break space.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ' | 0xa0)
}

trait TrimStartBy {
    fn trim_start_by(&self, space: fn(u8) -> bool) -> &[u8];
}

impl TrimStartBy for [u8] {
    fn trim_start_by(&self, space: fn(u8) -> bool) -> &[u8] {
        let start = self.iter().position(|byte| !space(*byte)).unwrap_or(self.len());
        self.get(start..).unwrap_or_default()
    }
}
