use super::*;

fn order<const N: usize>(current: [i64; N], wanted: [i64; N]) -> Vec<&'static str> {
    let state: BTreeMap<Key, i64> = Key::ALL.into_iter().zip(current).collect();
    let changes = Key::ALL
        .into_iter()
        .zip(current.into_iter().zip(wanted))
        .filter(|(_, (from, to))| from != to)
        .map(|(key, (from, to))| Change { key, from, to, put_back: false, withheld: None })
        .collect();
    let name = |change: &Change| change.key.name().rsplit_once('_').unwrap().1;
    least_harmful(&state, changes).iter().map(name).collect()
}

#[test]
fn an_interval_above_the_time_is_never_passed_through() {
    // Lower the interval before the time, raise the time before the interval.
    assert_eq!(order([7200, 75, 9], [60, 10, 9]), ["intvl", "time"]);
    assert_eq!(order([60, 10, 9], [7200, 75, 9]), ["time", "intvl"]);
    assert_eq!(order([7200, 75, 9], [600, 60, 5]), ["time", "intvl", "probes"]);
}

#[test]
fn harm_is_ended_first() {
    assert_eq!(order([7200, 75, 0], [600, 60, 5])[0], "probes");
    assert_eq!(order([0, 75, 9], [600, 60, 5])[0], "time");
    assert_eq!(order([600, 0, 9], [700, 60, 5])[0], "intvl");
    assert_eq!(order([600, -1, 0], [700, 60, 5])[..2], ["probes", "intvl"]);
    assert_eq!(order([7200, 75, 9, 0], [600, 60, 5, 8])[0], "retries2");
}
