//! Reading slowly when there is too much to read: a writer that never stops must not make us one
//! that never sleeps. What is not read waits in the kernel, where equal events merge.

use std::time::{Duration, Instant};

/// So many readings in a row are made at once.
const BURST: u32 = 32;

/// And are forgiven one by one, each after this time.
const FORGIVEN: Duration = Duration::from_millis(100);

/// The first pause; each further reading that is too much doubles it.
const FIRST: Duration = Duration::from_millis(10);

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);

/// The longest pause is reached with so many readings too much.
const MOST: u32 = 7;

/// So many events cost as much as a reading.
const EVENTS: usize = 64;

/// How much has been read of late.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    pressure: u32,
    last: Option<Instant>,
    until: Option<Instant>,
}

impl Throttle {
    /// Takes note of a reading.
    pub fn took(&mut self, now: Instant, events: usize) {
        let idle = self.last.map_or(Duration::ZERO, |last| now.duration_since(last));
        let forgiven = u32::try_from(idle.as_millis() / FORGIVEN.as_millis()).unwrap_or(u32::MAX);
        if forgiven > 0 || self.last.is_none() {
            self.last = Some(now);
        }
        let cost = u32::try_from(1 + events / EVENTS).unwrap_or(u32::MAX);
        let pressure = self.pressure.saturating_sub(forgiven).saturating_add(cost);
        self.pressure = pressure.min(BURST + MOST);
        self.until = self.pressure.checked_sub(BURST + 1).map(|beyond| {
            now + FIRST.saturating_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX)).min(LONGEST)
        });
    }

    /// Before this nothing should be read.
    pub fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_readings_are_free_and_a_flood_is_read_twice_a_second_at_most() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        for _ in 0..BURST {
            throttle.took(now, 1);
            assert_eq!(throttle.until(), None);
        }
        let end = now + Duration::from_secs(60);
        let mut readings = 0;
        while now < end {
            throttle.took(now, 16_384);
            now = throttle.until().expect("a flood");
            readings += 1;
        }
        assert!((50..=130).contains(&readings), "{readings} readings of a full queue in a minute");
        throttle.took(now + FORGIVEN * (BURST + MOST), 1);
        assert_eq!(throttle.until(), None, "calm again");
    }

    #[test]
    fn a_writer_that_never_stops_is_read_ten_times_a_second() {
        let (mut throttle, mut now) = (Throttle::default(), Instant::now());
        let end = now + Duration::from_secs(60);
        let mut readings = 0;
        while now < end {
            throttle.took(now, 1);
            now = throttle.until().unwrap_or(now + Duration::from_micros(50));
            readings += 1;
        }
        assert!((300..=700).contains(&readings), "{readings} readings in a minute");
    }
}
