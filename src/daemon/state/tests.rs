use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::reconcile::{Mode, Outcome, Setting, Value};

fn row(effective: i64) -> Setting {
    Setting {
        resource: "sysctl",
        name: "net.ipv4.tcp_keepalive_time",
        context: "live".to_owned(),
        desired: Value::Number(600),
        effective: Some(Value::Number(effective)),
        source: None,
        compliant: effective == 600,
    }
}

fn seen(trigger: Trigger, found: i64, now: i64, generation: u64) -> Seen {
    let corrected = found != now;
    Seen {
        name: Live::LOCK.to_owned(),
        trigger,
        generation,
        contested: false,
        report: Report {
            resource: "sysctl",
            found: vec![row(found)],
            settings: vec![row(now)],
            problems: Vec::new(),
            outcomes: if corrected {
                vec![Outcome::of("set it", || Ok::<(), String>(()))]
            } else {
                Vec::new()
            },
            pending: Vec::new(),
            watched: BTreeSet::new(),
            took: Duration::from_micros(900),
        },
    }
}

#[test]
fn drift_that_only_the_rereading_found_means_deaf_watches() {
    let mut state = State::default();
    assert!(!state.take(seen(Trigger::Event, 7200, 600, 1)));
    assert!(!state.take(seen(Trigger::Resync, 600, 600, 1)));
    assert!(state.take(seen(Trigger::Resync, 7200, 600, 1)));
    assert_eq!(state.corrections, 2);
    assert_eq!(state.last_drift.unwrap().corrected_in_us, Some(900));
}

#[test]
fn a_policy_is_in_force_when_all_have_reported_on_it() {
    let mut state = State::default();
    let names = [Live::LOCK.to_owned()];
    assert!(!state.complete(&names, 1));
    state.take(seen(Trigger::Start, 600, 600, 1));
    assert!(state.complete(&names, 1));
    assert!(!state.complete(&names, 2));
    state.take(seen(Trigger::Policy, 600, 600, 2));
    assert!(state.complete(&names, 2));
}

#[test]
fn drift_that_stands_is_dated_when_it_was_first_seen() {
    let mut state = State::default();
    let mut standing = seen(Trigger::Event, 7200, 7200, 1);
    state.take(standing);
    let first = state.last_drift.clone().unwrap();
    assert_eq!(first.corrected_in_us, None);
    state.last_drift = None;
    standing = seen(Trigger::Resync, 7200, 7200, 1);
    state.take(standing);
    assert_eq!(state.last_drift, None);
}

#[test]
fn what_is_published_is_written_only_when_it_is_news() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    let policy = Policy { mode: Mode::Enforce, ..policy() };
    let (mut state, mut service) = (State::default(), Service::default());
    state.take(seen(Trigger::Start, 600, 600, 1));
    state.publish(&host, &policy, &mut service);
    let status = Status::read(&host).unwrap().unwrap();
    assert!(status.in_force);
    assert_eq!(status.summary, "1 of 1 setting in force");
    Status::clear(&host).unwrap();
    state.publish(&host, &policy, &mut service);
    assert_eq!(Status::read(&host).unwrap(), None, "written again without news");
}

fn policy() -> Policy {
    crate::policy::parse(b"", Path::new("/etc/keepalive-policy.toml")).unwrap()
}
