use super::*;
use crate::host::systemd::parse_units;

fn starts(ours: &[u64], last: Option<u64>, burst: usize, interval: u64) -> Starts {
    Starts {
        burst,
        interval: Duration::from_secs(interval),
        last: last.map(Duration::from_secs),
        ours: ours.iter().copied().map(Duration::from_secs).collect(),
    }
}

#[test]
fn restarts_stay_away_from_the_limit() {
    let cases = [
        (starts(&[], None, 5, 10), None),
        (starts(&[99], Some(99), 5, 10), None),
        (starts(&[95, 99], Some(99), 5, 10), Some("2 times within 10 s")),
        (starts(&[80, 89], Some(89), 5, 10), None),
        // No limit of its own: ours stays.
        (starts(&[95, 99], None, 0, 0), Some("2 times within 10 s")),
        (starts(&[80, 89], None, 0, 0), None),
        // A limit for a longer time; others start it, too.
        (starts(&[50, 60], Some(60), 3, 600), Some("started 2 times within 600 s")),
        (starts(&[50], Some(60), 3, 600), Some("StartLimitBurst=3")),
        (starts(&[50], Some(50), 3, 600), None),
        (starts(&[], None, 1, 10), Some("started 0 times")),
    ];
    for (starts, expected) in cases {
        let found = starts.obstacle(Duration::from_secs(100));
        match expected {
            None => assert_eq!(found, None, "{starts:?}"),
            Some(words) => assert!(found.as_ref().unwrap().contains(words), "{found:?}"),
        }
    }
}

#[test]
fn the_limit_is_read_as_systemctl_prints_it() {
    let text = "Id=ssh.service\nStartLimitBurst=5\nStartLimitIntervalUSec=1min 10s\n\
                ExecMainStartTimestampMonotonic=5000000\n";
    assert_eq!(of_unit(&parse_units(text)[0]), starts(&[], Some(5), 5, 70));
    assert_eq!(time_span("infinity"), Some(Duration::MAX));
    assert_eq!(time_span("0"), None);
    assert_eq!(time_span("500ms"), Some(Duration::from_millis(500)));
    assert_eq!(time_span("2h 1month"), Some(Duration::from_secs(7_200 + 2_629_800)));
}
