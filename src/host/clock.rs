//! The time, by clocks that agree and clocks that don't: the wall clock can be set, the clock of the
//! boot can't, and means nothing after the next boot.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::Host;
use super::files::Node;
use super::process::Process;

/// A new number at each boot, and in each container.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A point in time, as a record can hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Seconds since 1970.
    pub wall: u64,
    /// Which boot it was in; empty where that can't be told.
    pub boot: String,
    /// Milliseconds of `CLOCK_BOOTTIME`, which nobody can set and which goes on while the machine
    /// sleeps.
    pub clock: u64,
}

impl Moment {
    /// The present.
    #[must_use]
    pub fn now() -> Self {
        let boot = match Host::live().read_at_most(Path::new(BOOT_ID), 64) {
            Ok(Node::File(file)) => String::from_utf8_lossy(&file.bytes).trim().to_owned(),
            _ => String::new(),
        };
        Self { wall: now(), boot, clock: boot_clock() }
    }

    /// Whether both are of one boot, so that their clocks can be compared.
    #[must_use]
    pub fn same_boot(&self, other: &Self) -> bool {
        !self.boot.is_empty() && self.boot == other.boot
    }
}

/// Milliseconds of `CLOCK_BOOTTIME`.
#[must_use]
pub fn boot_clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let whole = u64::try_from(now.tv_sec).unwrap_or(0).saturating_mul(1_000);
    whole.saturating_add(u64::try_from(now.tv_nsec / 1_000_000).unwrap_or(0))
}

/// How long this system has been up: since its first process was started, because a container has
/// the clock of the machine that it runs on.
#[must_use]
pub fn up() -> Duration {
    let since = Process::find(1).map_or(0, |first| first.started_clock());
    Duration::from_millis(boot_clock().saturating_sub(since))
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
