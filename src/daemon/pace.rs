//! When the next pass may be made: at once, unless that would become a storm. Pure: time is an
//! argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

#[cfg(test)]
mod tests;

/// Corrections within this time count as one quarrel.
const WINDOW: Duration = Duration::from_secs(60);

/// The longest wait: a host is never left alone for more than this.
const CEILING: Duration = Duration::from_secs(60);

/// The first wait before a failed pass is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How many corrections in [`WINDOW`] are still taken as unrelated.
const PATIENCE: usize = 8;

/// What became of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Nothing had to be changed, or nothing could be.
    Quiet,
    /// Something was set right.
    Corrected,
    /// Something could not be set right; worth another try.
    Failed,
}

/// The rhythm of one reconciler.
#[derive(Debug)]
pub struct Pace {
    spacing: Duration,
    corrections: VecDeque<Instant>,
    failures: u32,
    not_before: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Pace {
    /// `spacing` is the least time between a correction and the next pass: for sshd, whose every
    /// correction is a reload.
    #[must_use]
    pub const fn new(spacing: Duration) -> Self {
        Self {
            spacing,
            corrections: VecDeque::new(),
            failures: 0,
            not_before: None,
            retry_at: None,
        }
    }

    /// Changes the spacing: it is part of the policy.
    pub const fn set_spacing(&mut self, spacing: Duration) {
        self.spacing = spacing;
    }

    /// Takes note of a pass that ended at `now`.
    pub fn record(&mut self, now: Instant, pass: Pass) {
        while self.corrections.front().is_some_and(|then| now.duration_since(*then) > WINDOW) {
            self.corrections.pop_front();
        }
        self.retry_at = None;
        match pass {
            Pass::Quiet => self.failures = 0,
            Pass::Corrected => {
                self.failures = 0;
                self.corrections.push_back(now);
                self.not_before = Some(now + self.spacing.max(self.backoff()));
            }
            Pass::Failed => {
                let wait = doubled(RETRY, self.failures);
                self.failures = self.failures.saturating_add(1);
                self.retry_at = Some(now + wait);
                // Events must not turn a failing write into a busy loop either.
                self.not_before = self.retry_at;
            }
        }
    }

    /// Before this no pass may be made, whatever happens.
    #[must_use]
    pub const fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// When to try again what failed, even if nothing happens until then.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether somebody else keeps changing what we set right.
    #[must_use]
    pub fn contested(&self) -> bool {
        self.corrections.len() > PATIENCE
    }

    fn backoff(&self) -> Duration {
        match self.corrections.len().checked_sub(PATIENCE + 1) {
            None => Duration::ZERO,
            Some(beyond) => doubled(
                self.spacing.max(Duration::from_millis(100)),
                u32::try_from(beyond).unwrap_or(u32::MAX),
            ),
        }
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    1_u32.checked_shl(times).map_or(CEILING, |factor| first.saturating_mul(factor)).min(CEILING)
}
