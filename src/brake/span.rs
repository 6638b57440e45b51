//! A length of time that began at some moment: how much of it is left. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::host::clock::Moment;

/// From a moment on, so many seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// When it began.
    pub from: Moment,
    /// How long it is, in seconds.
    pub seconds: u64,
}

impl Span {
    /// What is left of it at `now`, on a system that has been up for `up`; zero when it is over.
    ///
    /// Within one boot the clock of that boot decides, so that setting the wall clock neither ends nor
    /// prolongs it. After a reboot only the wall clock knows how long the machine was down. A wall
    /// clock that was set back must not make it endless: it is over at the latest when the system has
    /// been up for the whole length.
    #[must_use]
    pub fn left(&self, now: &Moment, up: Duration) -> Duration {
        let length = Duration::from_secs(self.seconds);
        if now.same_boot(&self.from) {
            let passed = Duration::from_millis(now.clock.saturating_sub(self.from.clock));
            return length.saturating_sub(passed);
        }
        let by_wall = Duration::from_secs(self.end().saturating_sub(now.wall));
        by_wall.min(length.saturating_sub(up))
    }

    /// When it is over by the wall clock, in seconds since 1970, as long as that clock is not set.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.from.wall.saturating_add(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn moment(boot: &str, wall: u64, clock: u64) -> Moment {
        Moment { wall, boot: boot.to_owned(), clock: clock * 1_000 }
    }

    fn left(now: &Moment, up: u64) -> u64 {
        let span = Span { from: moment("a", 1_000_000, 500), seconds: HOUR };
        span.left(now, Duration::from_secs(up)).as_secs()
    }

    #[test]
    fn within_one_boot_the_wall_clock_may_jump() {
        for wall in [0, 1_000_010, u64::MAX] {
            assert_eq!(left(&moment("a", wall, 510), 510), HOUR - 10, "{wall}");
            assert_eq!(left(&moment("a", wall, 500 + HOUR), 500 + HOUR), 0, "{wall}");
        }
        // A clock that runs backwards is none of this boot's.
        assert_eq!(left(&moment("a", 1_000_000, 1), 1), HOUR);
    }

    #[test]
    fn after_a_reboot_the_time_that_the_machine_was_down_counts() {
        assert_eq!(left(&moment("b", 1_000_600, 20), 20), HOUR - 600);
        assert_eq!(left(&moment("b", 1_000_000 + HOUR, 20), 20), 0);
    }

    #[test]
    fn a_wall_clock_that_was_set_back_does_not_make_it_endless() {
        // A battery that is empty: 1970.
        assert_eq!(left(&moment("b", 0, 20), 20), HOUR - 20);
        assert_eq!(left(&moment("b", HOUR, 20 + HOUR), 20 + HOUR), 0);
    }

    #[test]
    fn a_boot_that_can_not_be_told_is_another_one() {
        let span = Span { from: moment("", 1_000_000, 500), seconds: HOUR };
        let now = moment("", 1_000_060, 10);
        assert_eq!(span.left(&now, Duration::from_secs(10)).as_secs(), HOUR - 60);
    }
}
