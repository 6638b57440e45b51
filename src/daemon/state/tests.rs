use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::reconcile::{Mode, Outcome, Setting, Source, Value};

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
        mode: Mode::Enforce,
        contested: BTreeSet::new(),
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
            listening: None,
            took: Duration::from_micros(900),
        },
    }
}

/// No files that would name a rival.
fn nowhere() -> Host {
    Host::at("/proc/self/nothing")
}

#[test]
fn what_is_contested_is_said_once_and_its_end_too() {
    let mut state = State::default();
    let mut report = |contested: bool| {
        let mut seen = seen(Trigger::Event, 7200, 600, 1);
        if contested {
            seen.contested.insert("net.ipv4.tcp_keepalive_time");
        }
        let lines = state.take(&nowhere(), seen);
        let about = |event: &Event| matches!(event.kind, Kind::Contested | Kind::InForce);
        let events = lines.events.into_iter().filter(about);
        events.map(|event| event.message).collect::<Vec<_>>()
    };
    assert_eq!(report(false), [""; 0]);
    assert_eq!(
        report(true),
        [
            "net.ipv4.tcp_keepalive_time: somebody else keeps changing what is set right; corrections \
          are spaced out, up to one a minute, until it stops"
        ]
    );
    assert_eq!(report(true), [""; 0]);
    assert_eq!(report(false), ["net.ipv4.tcp_keepalive_time: no longer contested"]);
}

/// Each line has the writer of its own file.
#[test]
fn values_from_several_files_have_writers_of_their_own() {
    let tree = tempfile::tempdir().unwrap();
    let mut seen = seen(Trigger::Event, 420, 600, 1);
    let row = |context: &str, value, file: &str| Setting {
        context: context.to_owned(),
        source: Some(Source { file: file.into(), line: 1 }),
        ..row(value)
    };
    let (foreign, own) = ("/etc/sysctl.d/00-cloud-init.conf", "/etc/sysctl.d/by-hand.conf");
    seen.report.found = vec![row("boot", 420, foreign), row("procps", 900, own)];
    seen.report.settings = vec![row("boot", 600, own), row("procps", 600, own)];
    seen.name = "sysctl-boot".to_owned();
    let lines = State::default().take(&Host::at(tree.path()), seen);
    let said = lines.events.iter().filter(|event| event.kind == Kind::Corrected);
    let said: Vec<_> = said
        .map(|event| (event.found, event.writer.as_ref().and_then(|writer| writer.name.clone())))
        .collect();
    let cloud = Some("cloud-init".to_owned());
    assert_eq!(said, [(Some(Value::Number(420)), cloud), (Some(Value::Number(900)), None)]);
}

#[test]
fn drift_that_only_the_rereading_found_means_deaf_watches() {
    let mut state = State::default();
    let unheard = |lines: Lines| lines.events.iter().any(|event| event.kind == Kind::Unheard);
    assert!(!unheard(state.take(&nowhere(), seen(Trigger::Event, 7200, 600, 1))));
    assert!(!unheard(state.take(&nowhere(), seen(Trigger::Resync, 600, 600, 1))));
    assert!(unheard(state.take(&nowhere(), seen(Trigger::Resync, 7200, 600, 1))));
    assert_eq!((state.corrections, state.counts.unheard_total()), (2, 1));
    assert_eq!(state.last_drift.unwrap().corrected_in_us, Some(900));
}

#[test]
fn a_policy_is_in_force_when_all_have_reported_on_it() {
    let mut state = State::default();
    let names = [Live::LOCK.to_owned()];
    assert!(!state.complete(&names, 1));
    state.take(&nowhere(), seen(Trigger::Start, 600, 600, 1));
    assert!(state.complete(&names, 1));
    assert!(!state.complete(&names, 2));
    state.take(&nowhere(), seen(Trigger::Policy, 600, 600, 2));
    assert!(state.complete(&names, 2));
}

#[test]
fn drift_that_stands_is_dated_when_it_was_first_seen() {
    let mut state = State::default();
    let mut standing = seen(Trigger::Event, 7200, 7200, 1);
    state.take(&nowhere(), standing);
    let first = state.last_drift.clone().unwrap();
    assert_eq!(first.corrected_in_us, None);
    state.last_drift = None;
    standing = seen(Trigger::Resync, 7200, 7200, 1);
    state.take(&nowhere(), standing);
    assert_eq!(state.last_drift, None);
}

#[test]
fn what_is_published_is_written_only_when_it_is_news() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    let policy = Policy { mode: Mode::Enforce, ..policy() };
    let (mut state, mut service) = (State::default(), Service::default());
    state.take(&nowhere(), seen(Trigger::Start, 600, 600, 1));
    state.publish(&host, &policy, &mut service);
    let status = Status::read(&host).unwrap().unwrap();
    assert!(status.in_force);
    assert_eq!(status.summary, "1 of 1 setting in force");
    Status::clear(&host).unwrap();
    state.publish(&host, &policy, &mut service);
    assert_eq!(Status::read(&host).unwrap(), None, "written again without news");
}

#[test]
fn what_could_not_be_published_is_published_later_without_news() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    let policy = Policy { mode: Mode::Enforce, ..policy() };
    let (mut state, mut service) = (State::default(), Service::default());
    state.take(&nowhere(), seen(Trigger::Start, 600, 600, 1));
    let obstacle = directory.path().join("run");
    std::fs::write(&obstacle, "").unwrap();
    state.publish(&host, &policy, &mut service);
    std::fs::remove_file(&obstacle).unwrap();
    state.publish(&host, &policy, &mut service);
    assert!(Status::read(&host).unwrap().is_some());
}

fn policy() -> Policy {
    crate::policy::parse(b"", Path::new("/etc/keepalive-policy.toml")).unwrap()
}
