//! What looking costs. A look at sshd runs the real sshd, a tenth of a second of a core: a file that
//! is written all the time must not make us look all the time.

use std::time::{Duration, Instant};

use super::{CEILING, Pass, Recent};

/// Looking that changed nothing may take so much of a minute before it is spaced out: five percent
/// of a core.
const BUDGET: Duration = Duration::from_secs(3);

/// The time that the budget is for.
const MINUTE: Duration = Duration::from_secs(60);

/// Then each look is followed by a rest of so many times its length,
const REST: u32 = 20;

/// or of so many times while somebody quarrels with us, whatever was spent: half a percent of a core.
const REST_IN_QUARREL: u32 = 200;

/// and at least this: whoever writes as fast as he can makes even a look that costs nothing one of
/// thousands.
const SHORTEST_IN_QUARREL: Duration = Duration::from_millis(500);

/// The longest rest outside a quarrel.
const LONGEST: Duration = Duration::from_secs(10);

/// What the passes of the last minute took.
#[derive(Debug, Default)]
pub(super) struct Effort {
    idle: Recent<Duration>,
}

impl Effort {
    /// Takes note of a pass; says how long to rest after it.
    pub fn spent(
        &mut self,
        now: Instant,
        took: Duration,
        pass: Pass,
        contested: bool,
    ) -> Option<Duration> {
        if !matches!(pass, Pass::Quiet | Pass::Held) {
            return None;
        }
        self.idle.add(now, took, MINUTE);
        if contested {
            let rest = took.saturating_mul(REST_IN_QUARREL);
            return Some(rest.clamp(SHORTEST_IN_QUARREL, CEILING));
        }
        let total: Duration = self.idle.entries.iter().map(|(_, took)| *took).sum();
        (total > BUDGET).then(|| took.saturating_mul(REST).min(LONGEST))
    }
}
