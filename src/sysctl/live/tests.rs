use super::*;

fn observed<const N: usize>(values: [i64; N], recorded: &[(Key, i64)]) -> Observed {
    let values = Key::ALL.into_iter().zip(values.map(Ok)).collect();
    let recorded = Recorded { values: recorded.iter().copied().collect(), ..Recorded::default() };
    Observed { values, recorded: Ok(recorded) }
}

fn desired(values: &[(Key, u32)]) -> Desired {
    Desired { values: values.iter().copied().collect() }
}

fn changes(desired: &Desired, observed: &Observed) -> Vec<String> {
    Live::default().plan(desired, observed).changes.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_declared_is_set_and_what_is_not_is_left() {
    let found = observed([7200, 75, 9], &[]);
    let plan = Live::default().plan(&desired(&[(Key::KeepaliveTime, 600)]), &found);
    assert_eq!(plan.settings.len(), 1);
    assert_eq!(plan.settings[0].effective, Some(Value::Number(7200)));
    assert!(!plan.settings[0].compliant && plan.settings[0].context == "live");
    assert_eq!(plan.changes[0].to_string(), "net.ipv4.tcp_keepalive_time: 7200 -> 600");
    assert_eq!(
        serde_json::to_string(&plan.changes[0]).unwrap(),
        r#"{"name":"net.ipv4.tcp_keepalive_time","from":7200,"to":600,"put_back":false}"#
    );
    assert!(changes(&desired(&[(Key::KeepaliveTime, 7200)]), &found).is_empty());
}

#[test]
fn what_is_recorded_and_not_declared_is_put_back() {
    let found = observed([600, 75, 9], &[(Key::KeepaliveTime, 7200), (Key::KeepaliveProbes, 9)]);
    assert_eq!(
        changes(&Desired::default(), &found),
        [
            "net.ipv4.tcp_keepalive_time: 600 -> 7200, as before the policy",
            // Only its record goes.
            "net.ipv4.tcp_keepalive_probes: 9 -> 9, as before the policy",
        ]
    );
    let both = desired(&[(Key::KeepaliveTime, 600), (Key::KeepaliveProbes, 9)]);
    assert!(changes(&both, &found).is_empty());
}

#[test]
fn a_value_that_can_not_be_read_is_no_drift() {
    let mut found = observed([7200, 75, 9], &[]);
    found.values.insert(Key::KeepaliveTime, Err("why".to_owned()));
    let plan = Live::default().plan(&desired(&[(Key::KeepaliveTime, 600)]), &found);
    assert!(plan.changes.is_empty());
    assert_eq!(plan.settings[0].effective, None);
    assert_eq!(plan.problems, [blocked("why")]);
}

#[test]
fn without_the_record_values_are_corrected_and_none_is_put_back() {
    let mut found = observed([7200, 75, 9], &[]);
    found.recorded = Err("damaged".to_owned());
    let declared = desired(&[(Key::KeepaliveTime, 600)]);
    assert_eq!(changes(&declared, &found), ["net.ipv4.tcp_keepalive_time: 7200 -> 600"]);
    assert!(changes(&Desired::default(), &found).is_empty());
}

#[test]
fn what_must_not_be_put_back_stays_as_it_is_and_is_said() {
    let mut found = observed([600, 75, 9], &[]);
    if let Ok(recorded) = &mut found.recorded {
        recorded.withheld.insert(Key::KeepaliveTime, Withheld::Harmful(-5));
        recorded.withheld.insert(Key::KeepaliveProbes, Withheld::Unknown);
    }
    assert_eq!(
        changes(&Desired::default(), &found),
        [
            "net.ipv4.tcp_keepalive_time: stays 600: it was -5 before the policy, which harms \
             connections and is not put back",
            "net.ipv4.tcp_keepalive_probes: stays 9: what it was before the policy is not known, \
             because the record of it was lost",
        ]
    );
    assert!(
        changes(&desired(&[(Key::KeepaliveTime, 600), (Key::KeepaliveProbes, 9)]), &found)
            .is_empty()
    );
}

#[test]
fn the_three_files_are_watched() {
    let watched = Live::default().watched(&observed([1, 1, 1], &[]));
    assert!(watched.contains(&PathBuf::from("/proc/sys/net/ipv4/tcp_keepalive_intvl")));
    assert_eq!(watched.len(), 3);
}
