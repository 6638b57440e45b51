//! Why a pass was made.

use std::fmt;

/// What woke a reconciler: a field of every journal line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The daemon started.
    Start,
    /// inotify saw something.
    Event,
    /// Time to reread, whether or not an event came: what only this finds, events miss.
    Resync,
    /// Another policy is in force.
    Policy,
    /// The last pass did not succeed.
    Retry,
    /// A pause began or ended.
    Brake,
}

impl Trigger {
    /// The word in `KEEPALIVE_TRIGGER`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Event => "inotify",
            Self::Resync => "resync",
            Self::Policy => "policy",
            Self::Retry => "retry",
            Self::Brake => "pause",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
