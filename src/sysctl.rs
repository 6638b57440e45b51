//! The kernel's keepalive values: what it uses now ([`live`]), and what the loaders of sysctl.d
//! will set at the next boot ([`boot`]).

use std::collections::BTreeMap;

pub mod boot;
pub mod file;
pub mod glob;
pub mod key;
pub mod live;
pub mod loader;
pub mod proc_sys;
pub mod tree;
pub mod value;

#[cfg(test)]
mod tests;

/// Seconds that every kernel takes: it keeps `seconds * HZ` in an `int`, and HZ is at most 1000.
const LONGEST: u32 = i32::MAX.unsigned_abs() / 1000;

/// The fewest retries that a live connection survives: with 2, the kernel gives up after two to three
/// seconds without an answer.
const FEWEST_RETRIES: u32 = 3;

/// A kernel setting that can be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Seconds of silence before the first probe.
    KeepaliveTime,
    /// Seconds between probes.
    KeepaliveIntvl,
    /// Probes without an answer before the connection is given up.
    KeepaliveProbes,
    /// How long data in flight is sent again before the connection is given up, as a count of
    /// doublings. While there is such data, the kernel sends no keepalive probe at all.
    Retries2,
}

impl Key {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 4] =
        [Self::KeepaliveTime, Self::KeepaliveIntvl, Self::KeepaliveProbes, Self::Retries2];

    /// The dotted name, `net.ipv4.tcp_keepalive_time`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeepaliveTime => "net.ipv4.tcp_keepalive_time",
            Self::KeepaliveIntvl => "net.ipv4.tcp_keepalive_intvl",
            Self::KeepaliveProbes => "net.ipv4.tcp_keepalive_probes",
            Self::Retries2 => "net.ipv4.tcp_retries2",
        }
    }

    /// The values that do no harm by themselves: seconds, or a count. The kernel takes others too,
    /// and 0 then resets live connections, while a negative number switches keepalive off.
    #[must_use]
    pub const fn harmless(self) -> std::ops::RangeInclusive<u32> {
        match self {
            Self::KeepaliveTime | Self::KeepaliveIntvl => 1..=LONGEST,
            Self::KeepaliveProbes => 1..=255,
            Self::Retries2 => FEWEST_RETRIES..=255,
        }
    }

    /// Whether a value found on the host does no harm by itself.
    #[must_use]
    pub fn is_harmless(self, value: i64) -> bool {
        u32::try_from(value).is_ok_and(|value| self.harmless().contains(&value))
    }

    /// What a new network namespace, and so every boot, begins with: seconds, or a count.
    #[must_use]
    pub const fn kernel_default(self) -> u32 {
        match self {
            Self::KeepaliveTime => 7200,
            Self::KeepaliveIntvl => 75,
            Self::KeepaliveProbes => 9,
            Self::Retries2 => 15,
        }
    }
}

/// `[sysctl]`: the declared values; a key that is absent is not managed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// Seconds, or a count; validated against what the kernel takes without harm.
    pub values: BTreeMap<Key, u32>,
}
