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
pub mod retries;
pub mod tree;
pub mod value;

#[cfg(test)]
mod tests;

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
