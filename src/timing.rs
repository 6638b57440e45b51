//! What the settings in force mean in seconds: when an idle session says something, when a dead
//! peer is noticed and by whom, and which middleboxes that satisfies. Pure.
//!
//! The formulas are those of the sources and of measurements, not those of the manual pages:
//! [`alive`] for what sshd and ssh ask, [`kernel`] for TCP, [`dead_peer`] for who is first,
//! [`silence`] for the quiet between two messages, [`budget`] for the hops.

use std::time::Duration;

use serde::{Serialize, Serializer};

pub mod alive;
pub mod budget;
pub mod dead_peer;
pub mod kernel;
pub mod release;
pub mod silence;

pub use alive::Alive;
pub use kernel::Kernel;
pub use release::Release;

/// A point in time after an event; `None` for never.
pub type After = Option<Duration>;

/// One end of a session: what it does to learn whether the other one is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Whether it asked its kernel for keepalive probes: `TCPKeepAlive` of either program.
    pub tcp_keepalive: bool,
    /// What it asks by itself: `ClientAlive` of sshd, `ServerAlive` of ssh.
    pub alive: Alive,
}

/// From here on only days are of interest: a year.
const LONG: u128 = 365 * 86_400;

/// Time for people: `12 s`, `25.9 s`, `15 min 29 s`, `2 h 11 min 15 s`, `5 d`.
#[must_use]
pub fn spoken(time: Duration) -> String {
    let mut rest = time.as_millis().saturating_add(500) / 1000;
    if rest >= 100 * LONG {
        return "over 100 years".to_owned();
    }
    if rest >= LONG {
        return format!("{} d", rest / 86_400);
    }
    if rest < 120 {
        return format!("{} s", seconds(time));
    }
    let mut parts = Vec::new();
    for (unit, length) in [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)] {
        if rest >= length {
            parts.push(format!("{} {unit}", rest / length));
            rest %= length;
        }
    }
    // Minutes are of no interest beside days.
    let shown = if time >= Duration::from_secs(86_400) { 2 } else { parts.len() };
    parts.into_iter().take(shown).collect::<Vec<_>>().join(" ")
}

/// [`spoken`], or `never`.
#[must_use]
pub fn spoken_or_never(time: After) -> String {
    time.map_or_else(|| "never".to_owned(), spoken)
}

/// Seconds as formulas show them, with a decimal below 100: `25.9`, `240`.
#[must_use]
pub fn seconds(time: Duration) -> String {
    let tenths = time.as_millis().saturating_add(50) / 100;
    match (tenths / 10, tenths % 10) {
        (seconds, 0) => seconds.to_string(),
        (seconds @ 0..100, tenth) => format!("{seconds}.{tenth}"),
        (seconds, tenth) => (seconds + u128::from(tenth >= 5)).to_string(),
    }
}

/// As a number of seconds in JSON: an integer where it is whole, else with one decimal; `null` for
/// never.
///
/// # Errors
/// Those of the serializer.
pub fn as_seconds<S: Serializer>(time: &After, serializer: S) -> Result<S::Ok, S::Error> {
    let Some(time) = time else { return serializer.serialize_none() };
    let tenths = time.as_millis().saturating_add(50) / 100;
    match u64::try_from(tenths) {
        Ok(tenths) if tenths % 10 == 0 => serializer.serialize_u64(tenths / 10),
        _ => serializer.serialize_f64((time.as_secs_f64() * 10.0).round() / 10.0),
    }
}

/// Who says something on a session, or finds its peer dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// sshd, by `ClientAlive`.
    Sshd,
    /// The client, by `ServerAlive`.
    Ssh,
    /// The kernel's keepalive probes.
    KernelKeepalive,
    /// The kernel, which sends unacknowledged data again and again.
    KernelRetransmission,
}

impl Party {
    /// As a sentence begins.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sshd => "sshd (ClientAlive)",
            Self::Ssh => "the client (ServerAlive)",
            Self::KernelKeepalive => "the kernel (keepalive)",
            Self::KernelRetransmission => "the kernel (retransmission)",
        }
    }
}

#[cfg(test)]
mod tests;
