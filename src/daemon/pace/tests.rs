use super::*;

const TIME: Name = "net.ipv4.tcp_keepalive_time";
const PROBES: Name = "net.ipv4.tcp_keepalive_probes";
const SOON: Duration = Duration::from_micros(100);

fn names(names: &[Name]) -> BTreeSet<Name> {
    names.iter().copied().collect()
}

fn wait(then: Option<Instant>, now: Instant) -> Duration {
    then.map_or(Duration::ZERO, |then| then.saturating_duration_since(now))
}

#[test]
fn a_single_correction_costs_only_the_spacing() {
    let now = Instant::now();
    let mut pace = Pace::default();
    pace.set_spacing(Duration::from_secs(2));
    pace.record(now, SOON, Pass::Corrected, &names(&[TIME]));
    assert_eq!(wait(pace.not_before(), now), Duration::from_secs(2));
    assert_eq!(pace.retry_at(), None);
    assert_eq!(pace.contested(), names(&[]));
    assert!(pace.may_correct(now, &names(&[TIME])));
}

/// Drifts again as soon as it is set right, and is looked at whenever it may be.
#[test]
fn a_quarrel_backs_off_to_the_ceiling_and_stays_there_until_it_is_over() {
    let mut now = Instant::now();
    let mut pace = Pace::default();
    let mut waits = Vec::new();
    for _ in 0..30 {
        pace.record(now, SOON, Pass::Corrected, &names(&[TIME]));
        pace.record(now, SOON, Pass::Held, &names(&[TIME]));
        let wait = wait(pace.retry_at(), now);
        now += wait;
        assert!(pace.may_correct(now, &names(&[TIME])));
        waits.push(wait.as_millis());
    }
    assert_eq!(waits[..12], [0, 0, 0, 0, 0, 0, 0, 0, 200, 400, 800, 1600]);
    assert_eq!(waits[18..], [60_000; 12]);
    assert_eq!(pace.contested(), names(&[TIME]));
    pace.record(now + Duration::from_secs(80), SOON, Pass::Quiet, &names(&[]));
    assert_eq!(pace.contested(), names(&[TIME]), "too early to tell");
    now += Duration::from_secs(160);
    pace.record(now, SOON, Pass::Quiet, &names(&[]));
    assert_eq!(pace.contested(), names(&[]));
    pace.record(now, SOON, Pass::Corrected, &names(&[TIME]));
    assert!(pace.may_correct(now, &names(&[TIME])));
}

#[test]
fn a_quarrel_over_one_setting_delays_no_other() {
    let now = Instant::now();
    let mut pace = Pace::default();
    for _ in 0..12 {
        pace.record(now, SOON, Pass::Undone, &names(&[TIME]));
    }
    assert!(!pace.may_correct(now, &names(&[TIME])));
    assert!(pace.may_correct(now, &names(&[PROBES])));
    assert!(pace.may_correct(now, &names(&[TIME, PROBES])));
}

/// Whoever writes a file in pieces is seen between them: then nothing has drifted, and yet another
/// place is the right one for our file. That is the same quarrel, with the same reloads.
#[test]
fn what_is_changed_without_drift_belongs_to_the_quarrel() {
    let now = Instant::now();
    let mut pace = Pace::default();
    assert!(pace.may_correct(now, &names(&[])));
    pace.record(now, SOON, Pass::Corrected, &names(&[TIME]));
    assert!(pace.may_correct(now, &names(&[])), "no quarrel yet");
    for _ in 0..10 {
        pace.record(now, SOON, Pass::Corrected, &names(&[]));
    }
    assert_eq!(pace.contested(), names(&[TIME]));
    assert!(!pace.may_correct(now, &names(&[])));
    pace.record(now, SOON, Pass::Held, &names(&[]));
    let then = pace.retry_at().unwrap();
    assert!(pace.may_correct(then, &names(&[])), "tried again when the wait is over");
}

#[test]
fn what_was_undone_at_once_is_tried_again_without_a_word_from_anybody() {
    let now = Instant::now();
    let mut pace = Pace::default();
    pace.record(now, SOON, Pass::Undone, &names(&[TIME]));
    assert_eq!(wait(pace.retry_at(), now), RETRY);
}

#[test]
fn looking_in_vain_is_spaced_out_and_in_a_quarrel_more() {
    let now = Instant::now();
    let look = Duration::from_millis(100);
    let mut pace = Pace::default();
    for _ in 0..30 {
        pace.record(now, look, Pass::Quiet, &names(&[]));
        assert_eq!(pace.not_before(), None);
    }
    pace.record(now, look, Pass::Quiet, &names(&[]));
    assert_eq!(wait(pace.not_before(), now), look * 100);
    for _ in 0..12 {
        pace.record(now, look, Pass::Corrected, &names(&[TIME]));
    }
    pace.record(now, look, Pass::Held, &names(&[TIME]));
    assert_eq!(wait(pace.not_before(), now), look * 200);
    pace.record(now, Duration::from_micros(150), Pass::Held, &names(&[TIME]));
    assert_eq!(wait(pace.not_before(), now), look * 200, "the longer one counts");
    let later = now + look * 200;
    pace.record(later, Duration::from_micros(150), Pass::Held, &names(&[TIME]));
    assert_eq!(wait(pace.not_before(), later), Duration::from_millis(500));
}

/// What part of `seconds` is spent on looks, when something happens `every` so often.
fn part_spent(pace: &mut Pace, begin: Instant, seconds: u64, every: Duration) -> f64 {
    let (look, end) = (Duration::from_millis(100), begin + Duration::from_secs(seconds));
    let (mut now, mut spent) = (begin, Duration::ZERO);
    while now < end {
        now += look;
        spent += look;
        pace.record(now, look, Pass::Quiet, &names(&[]));
        now = (now + every).max(pace.not_before().unwrap_or(now));
    }
    spent.as_secs_f64() / (now - begin).as_secs_f64()
}

#[test]
fn whoever_never_stops_writing_costs_little_and_calm_is_forgiven() {
    for millis in [0, 10, 100, 1000, 3000, 10_000] {
        let (begin, every) = (Instant::now(), Duration::from_millis(millis));
        let mut pace = Pace::default();
        part_spent(&mut pace, begin, 600, every);
        let part = part_spent(&mut pace, begin + Duration::from_secs(600), 600, every);
        assert!(part < 0.025, "every {millis} ms: {part}");
        let calm = begin + Duration::from_secs(1500);
        pace.record(calm, Duration::from_millis(100), Pass::Quiet, &names(&[]));
        assert!(pace.not_before().is_none_or(|then| then <= calm), "every {millis} ms");
    }
}

#[test]
fn failures_are_tried_again_at_growing_intervals_that_end_with_success() {
    let now = Instant::now();
    let mut pace = Pace::default();
    let mut waits = Vec::new();
    for _ in 0..9 {
        pace.record(now, SOON, Pass::Failed, &names(&[TIME]));
        waits.push(pace.retry_at().unwrap().duration_since(now).as_secs());
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!(pace.contested(), names(&[]), "nobody else is to blame");
    pace.record(now, SOON, Pass::Quiet, &names(&[]));
    assert_eq!(pace.retry_at(), None);
    pace.record(now, SOON, Pass::Failed, &names(&[TIME]));
    assert_eq!(pace.retry_at().unwrap().duration_since(now), RETRY);
}
