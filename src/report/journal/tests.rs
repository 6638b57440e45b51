use std::time::Duration;

use super::*;
use crate::reconcile::{Outcome, Problem, Source};

fn row(context: &str, effective: i64, source: Option<&str>) -> Setting {
    Setting {
        resource: "sysctl",
        name: "net.ipv4.tcp_keepalive_time",
        context: context.to_owned(),
        desired: Value::Number(600),
        effective: Some(Value::Number(effective)),
        source: source.map(|file| Source { file: file.into(), line: 3 }),
        compliant: effective == 600,
    }
}

fn report(found: Vec<Setting>, settings: Vec<Setting>) -> Report {
    Report {
        resource: "sysctl",
        found,
        settings,
        problems: Vec::new(),
        outcomes: Vec::new(),
        pending: Vec::new(),
        watched: BTreeSet::new(),
        took: Duration::from_micros(4_200),
    }
}

fn messages(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.message.as_str()).collect()
}

#[test]
fn a_correction_is_one_line_for_all_contexts_in_which_the_same_was_found() {
    let found = vec![
        row("live", 7200, None),
        row("boot", 900, Some("/etc/sysctl.d/a.conf")),
        row("procps", 900, Some("/etc/sysctl.d/a.conf")),
        row("systemd-sysctl", 600, None),
    ];
    let settings = vec![row("live", 600, None), row("boot", 600, None), row("procps", 600, None)];
    let mut report = report(found, settings);
    report.outcomes = vec![Outcome::of("create /etc/x", || Ok::<(), String>(()))];
    assert_eq!(
        messages(&Told::default().news("sysctl-boot", &report)),
        [
            "net.ipv4.tcp_keepalive_time: found 7200, 600 again in 4.2 ms (live)",
            "net.ipv4.tcp_keepalive_time: found 900 (/etc/sysctl.d/a.conf:3), 600 again in 4.2 ms (boot, procps)",
            "sysctl: create /etc/x",
        ]
    );
}

#[test]
fn a_standing_trouble_is_told_once_and_its_end_too() {
    let mut told = Told::default();
    let wrong = || vec![row("live", 900, None)];
    let mut bad = report(wrong(), wrong());
    bad.problems = vec![Problem::new("sysctl", Severity::Conflict, "no way")];
    bad.outcomes = vec![Outcome::of("write it", || Err("read-only"))];
    assert_eq!(
        messages(&told.news("sysctl-live", &bad)),
        [
            "net.ipv4.tcp_keepalive_time: found 900, 600 is declared (live)",
            "sysctl: could not write it: read-only",
            "sysctl: no way",
        ]
    );
    assert_eq!(told.news("sysctl-live", &bad), []);
    let good = report(vec![row("live", 600, None)], vec![row("live", 600, None)]);
    assert_eq!(messages(&told.news("sysctl-live", &good)), ["sysctl: in force again"]);
    assert_eq!(told.news("sysctl-live", &good), []);
}
