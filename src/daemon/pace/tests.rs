use super::*;

fn wait(pace: &Pace, now: Instant) -> Duration {
    pace.not_before().map_or(Duration::ZERO, |then| then.saturating_duration_since(now))
}

#[test]
fn a_single_correction_costs_only_the_spacing() {
    let now = Instant::now();
    let mut pace = Pace::new(Duration::from_secs(2));
    pace.record(now, Pass::Corrected);
    assert_eq!(wait(&pace, now), Duration::from_secs(2));
    assert_eq!(pace.retry_at(), None);
    assert!(!pace.contested());
}

#[test]
fn a_quarrel_backs_off_to_the_ceiling_and_is_forgotten_after_a_quiet_minute() {
    let mut now = Instant::now();
    let mut pace = Pace::new(Duration::ZERO);
    let mut waits = Vec::new();
    for _ in 0..PATIENCE + 4 {
        pace.record(now, Pass::Corrected);
        waits.push(wait(&pace, now).as_millis());
    }
    assert_eq!(waits[PATIENCE - 1..], [0, 100, 200, 400, 800]);
    assert!(pace.contested());
    for _ in 0..100 {
        pace.record(now, Pass::Corrected);
    }
    assert_eq!(wait(&pace, now), CEILING);
    now += WINDOW + Duration::from_secs(1);
    pace.record(now, Pass::Quiet);
    assert!(!pace.contested());
    pace.record(now, Pass::Corrected);
    assert_eq!(wait(&pace, now), Duration::ZERO);
}

#[test]
fn failures_are_tried_again_at_growing_intervals_that_end_with_success() {
    let now = Instant::now();
    let mut pace = Pace::new(Duration::ZERO);
    let mut waits = Vec::new();
    for _ in 0..9 {
        pace.record(now, Pass::Failed);
        waits.push(pace.retry_at().unwrap().duration_since(now).as_secs());
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    pace.record(now, Pass::Quiet);
    assert_eq!(pace.retry_at(), None);
    pace.record(now, Pass::Failed);
    assert_eq!(pace.retry_at().unwrap().duration_since(now), RETRY);
}
