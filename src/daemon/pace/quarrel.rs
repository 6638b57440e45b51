//! One setting that is set right again and again, because somebody else writes it too.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::doubled;

/// How many corrections within [`WINDOW`] are still taken as unrelated.
const PATIENCE: usize = 8;

/// A loaded host has time for no more than a few corrections of sshd in a minute.
const WINDOW: Duration = Duration::from_secs(120);

/// The first wait of a quarrel is twice this, or twice the spacing of corrections.
const FIRST: Duration = Duration::from_millis(100);

/// A quarrel is over when the setting has not drifted for so long. Longer than the longest wait,
/// or each wait would look like the end.
const PEACE: Duration = Duration::from_secs(90);

/// The history of one setting.
#[derive(Debug, Default)]
pub(super) struct Quarrel {
    /// The corrections of the last [`WINDOW`].
    recent: VecDeque<Instant>,
    /// How often the wait has been doubled; `None` while there is no quarrel.
    level: Option<u32>,
    not_before: Option<Instant>,
    last: Option<Instant>,
}

impl Quarrel {
    /// A look found it wrong.
    pub fn drifted(&mut self, now: Instant) {
        if self.is_over(now) {
            *self = Self::default();
        }
        self.last = Some(now);
    }

    /// It was set right.
    pub fn corrected(&mut self, now: Instant, spacing: Duration) {
        self.recent.retain(|then| now.saturating_duration_since(*then) <= WINDOW);
        self.recent.push_back(now);
        self.level = match self.level {
            Some(level) => Some(level.saturating_add(1)),
            None => (self.recent.len() > PATIENCE).then_some(1),
        };
        self.not_before =
            self.level.map(|level| now + doubled(spacing.max(FIRST), level).max(spacing));
    }

    /// Before this it is left as it is.
    pub const fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    pub const fn is_contested(&self) -> bool {
        self.level.is_some()
    }

    /// Whether it has been quiet for long enough to forget it.
    pub fn is_over(&self, now: Instant) -> bool {
        let last = self.last.max(self.not_before);
        last.is_none_or(|last| now.saturating_duration_since(last) > PEACE)
    }
}
