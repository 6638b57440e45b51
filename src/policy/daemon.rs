//! `[daemon]`: how often it looks when no event tells it to, and how often it may reload sshd.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::findings::Findings;
use super::table::Entries;

/// The times of the daemon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub live_interval: Duration,
    pub resync_interval: Duration,
    pub reload_spacing: Duration,
}

pub(super) fn read(entries: &Entries<'_>, findings: &mut Findings<'_>) -> Times {
    let mut time = |name: &str, default: u64, range: RangeInclusive<u32>, why: &str| {
        let seconds = entries.get(name).and_then(|entry| {
            let seconds = findings.time(entry)?;
            findings.within(entry, seconds, (range, " s"), why)
        });
        Duration::from_secs(seconds.map_or(default, u64::from))
    };
    let look = "a shorter one wastes wake-ups, a longer one lets drift last";
    let reload = "a shorter one lets sshd be reloaded in a storm, a longer one lets drift last";
    Times {
        live_interval: time("live_interval", 5, 1..=3600, look),
        resync_interval: time("resync_interval", 60, 1..=86_400, look),
        reload_spacing: time("reload_spacing", 2, 1..=600, reload),
    }
}
