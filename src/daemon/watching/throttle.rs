//! Reading slowly when there is too much to read: a writer that never stops must not make us one that
//! never sleeps. Pure: time is an argument.

use std::time::{Duration, Instant};

/// So much time may be spent at once,
const BURST: Duration = Duration::from_millis(20);

/// and in the long run the time that passes divided by this: a quarter percent of a core. As much
/// again goes into what an event wakes.
const SHARE: u32 = 400;

/// Events that follow one another this closely were read in one go, and the time between them was
/// spent on reading. A longer gap was spent asleep.
const AT_ONCE: Duration = Duration::from_micros(200);

/// What it takes to be woken, and to wake whoever is told.
const WOKEN: Duration = Duration::from_micros(100);

/// The shortest pause: at the end of each, whoever could have missed something looks.
const SHORTEST: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);

/// What is owed is never more than this, so that calm returns soon: the pauses of ten seconds.
const MOST: Duration = Duration::from_millis(45);

/// How much time has been spent of late.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    spent: Duration,
    last: Option<Instant>,
    resumed: Option<Instant>,
}

impl Throttle {
    /// Takes note of an event that has been read; says how long to wait before the next one is.
    pub fn took(&mut self, now: Instant) -> Option<Duration> {
        let elapsed = self.last.map_or(LONGEST, |last| now.saturating_duration_since(last));
        // A pause is not spent.
        let gap = self.resumed.map_or(elapsed, |then| now.saturating_duration_since(then));
        let cost = if gap <= AT_ONCE { gap } else { WOKEN };
        self.spent = self.spent.saturating_sub(elapsed / SHARE).saturating_add(cost).min(MOST);
        self.last = Some(now);
        self.resumed = None;
        let excess = self.spent.checked_sub(BURST).filter(|excess| !excess.is_zero())?;
        let pause = excess.saturating_mul(SHARE).clamp(SHORTEST, LONGEST);
        self.resumed = Some(now + pause);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Events read for a minute, each `after` the one before unless a pause comes between.
    fn minute(after: Duration) -> (u32, Duration) {
        let (mut throttle, begin) = (Throttle::default(), Instant::now());
        let (mut now, mut events, mut awake) = (begin, 0, Duration::ZERO);
        while now < begin + Duration::from_secs(60) {
            events += 1;
            match throttle.took(now) {
                Some(pause) => now += pause + Duration::from_micros(1),
                None => {
                    now += after;
                    awake += after.min(WOKEN);
                }
            }
        }
        (events, awake)
    }

    #[test]
    fn a_flood_takes_a_quarter_percent_of_the_time_and_a_burst() {
        for micros in [1, 10, 100, 300] {
            let (_, awake) = minute(Duration::from_micros(micros));
            let allowed = BURST + Duration::from_secs(60) / SHARE;
            assert!(awake < allowed * 2, "an event every {micros} µs: {awake:?} in a minute");
        }
    }

    #[test]
    fn what_comes_now_and_then_never_waits() {
        let (events, _) = minute(Duration::from_millis(50));
        assert_eq!(events, 1200);
    }

    #[test]
    fn a_thousand_events_at_once_are_read_at_once_and_calm_returns() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..1000 {
            assert_eq!(throttle.took(now), None);
            now += Duration::from_micros(10);
        }
        while throttle.took(now).is_none() {
            now += Duration::from_micros(10);
        }
        now += Duration::from_secs(30);
        for _ in 0..1000 {
            assert_eq!(throttle.took(now), None, "forgiven");
            now += Duration::from_micros(10);
        }
    }

    #[test]
    fn no_pause_is_longer_than_a_second() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..100_000 {
            let pause = throttle.took(now);
            assert!(pause.is_none_or(|pause| pause <= LONGEST), "{pause:?}");
            now += Duration::from_micros(5);
        }
    }
}
