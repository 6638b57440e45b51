//! When the next pass may be made and what it may set right: at once, unless that would become a
//! storm. Pure: time is an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

mod effort;
mod quarrel;
#[cfg(test)]
mod tests;

use effort::Effort;
use quarrel::Quarrel;

/// The longest wait: a host is never left alone for more than this.
const CEILING: Duration = Duration::from_secs(60);

/// The first wait before a failed pass is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The name of a setting.
pub type Name = &'static str;

/// What became of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Nothing had to be changed, or nothing could be.
    Quiet,
    /// Something was set right.
    Corrected,
    /// Something was set right, and somebody else had undone it before it was verified.
    Undone,
    /// Something was left as it is, because it was set right too often of late.
    Held,
    /// Something could not be set right; worth another try.
    Failed,
}

/// The rhythm of one reconciler.
#[derive(Debug, Default)]
pub struct Pace {
    spacing: Duration,
    quarrels: BTreeMap<Name, Quarrel>,
    effort: Effort,
    failures: u32,
    not_before: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Pace {
    /// Changes the least time between a correction and the next pass: it is part of the policy.
    pub const fn set_spacing(&mut self, spacing: Duration) {
        self.spacing = spacing;
    }

    /// Whether to set right what a look found: `drifted` are the settings that are wrong. One that
    /// is quarrelled over waits, unless another one is wrong too: they share their files.
    #[must_use]
    pub fn may_correct(&self, now: Instant, drifted: &BTreeSet<Name>) -> bool {
        let free = |name: &Name| {
            let held = self.quarrels.get(name).and_then(Quarrel::not_before);
            held.is_none_or(|until| until <= now)
        };
        if drifted.is_empty() {
            // What is only brought into another form is what somebody's writing made necessary.
            return self.quarrels.keys().all(free);
        }
        drifted.iter().any(free)
    }

    /// Takes note of a pass that found `drifted` wrong, and ended at `now` after `took`.
    pub fn record(&mut self, now: Instant, took: Duration, pass: Pass, drifted: &BTreeSet<Name>) {
        for name in drifted {
            self.quarrels.entry(name).or_default().drifted(now);
        }
        if matches!(pass, Pass::Corrected | Pass::Undone) {
            // Without drift it was made necessary by what was drift a moment before.
            let concerned = |name: &Name| drifted.is_empty() || drifted.contains(name);
            for (_, quarrel) in self.quarrels.iter_mut().filter(|(name, _)| concerned(name)) {
                quarrel.corrected(now, self.spacing);
            }
        }
        self.quarrels.retain(|_, quarrel| !quarrel.is_over(now));
        let contested = self.quarrels.values().any(Quarrel::is_contested);
        let rest = self.effort.spent(now, took, pass, contested);
        self.retry_at = None;
        match pass {
            Pass::Quiet => self.failures = 0,
            Pass::Corrected => {
                self.failures = 0;
                self.not_before = Some(now + self.spacing);
            }
            Pass::Undone => {
                self.not_before = Some(now + self.spacing);
                self.retry_at = Some(self.held_until(drifted).unwrap_or(now + RETRY));
            }
            Pass::Held => {
                self.retry_at = self.held_until(drifted).or_else(|| self.held_until_all())
            }
            Pass::Failed => {
                let wait = doubled(RETRY, self.failures);
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(now + wait);
                // Events must not turn a failing write into a busy loop either.
                self.not_before = self.retry_at;
            }
        }
        if let Some(rest) = rest {
            self.not_before = self.not_before.max(Some(now + rest));
        }
    }

    fn held_until(&self, drifted: &BTreeSet<Name>) -> Option<Instant> {
        drifted.iter().filter_map(|name| self.quarrels.get(name)?.not_before()).min()
    }

    fn held_until_all(&self) -> Option<Instant> {
        self.quarrels.values().filter_map(Quarrel::not_before).max()
    }

    /// Before this no pass may be made, whatever happens.
    #[must_use]
    pub const fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// When to try again what failed or was held back, even if nothing happens until then.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// What somebody else keeps changing.
    #[must_use]
    pub fn contested(&self) -> BTreeSet<Name> {
        let contested = self.quarrels.iter().filter(|(_, quarrel)| quarrel.is_contested());
        contested.map(|(name, _)| *name).collect()
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    1_u32.checked_shl(times).map_or(CEILING, |factor| first.saturating_mul(factor)).min(CEILING)
}
