//! What looking costs. A look at sshd runs the real sshd, a tenth of a second of a core: a file that
//! is written all the time must not make us look all the time.

use std::time::{Duration, Instant};

use super::{CEILING, Pass};

/// Looking that changed nothing may take so much time before it is spaced out: whoever works on the
/// files of a host does not notice that anybody looks.
const BURST: Duration = Duration::from_secs(3);

/// The time in which nothing had to be looked at, divided by this, is forgiven: two percent of a core.
const FORGIVEN: u32 = 50;

/// When it is spaced out, each look is followed by a rest of so many times its length: one percent,
const REST: u32 = 100;

/// but by none longer than this.
const LONGEST: Duration = Duration::from_secs(15);

/// While somebody quarrels with us the rest is so many times the look, whatever was spent: half a
/// percent,
const REST_IN_QUARREL: u32 = 200;

/// and at least this: whoever writes as fast as he can makes even a look that costs nothing one of
/// thousands.
const SHORTEST_IN_QUARREL: Duration = Duration::from_millis(500);

/// What looking in vain took of late.
#[derive(Debug, Default)]
pub(super) struct Effort {
    spent: Duration,
    /// When the last look and its rest were over.
    rested: Option<Instant>,
}

impl Effort {
    /// Takes note of a pass that ended at `now` after `took`; says how long to rest after it.
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
        let idle = self.rested.map_or(Duration::ZERO, |then| now.saturating_duration_since(then));
        let forgiven = idle.saturating_sub(took) / FORGIVEN;
        self.spent = self.spent.saturating_sub(forgiven).saturating_add(took).min(BURST + took);
        let rest = if contested {
            let rest = took.saturating_mul(REST_IN_QUARREL);
            Some(rest.clamp(SHORTEST_IN_QUARREL, CEILING))
        } else {
            (self.spent > BURST).then(|| took.saturating_mul(REST).min(LONGEST))
        };
        self.rested = Some(now + rest.unwrap_or_default());
        rest
    }
}
