use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::*;
use crate::reconcile::{Mode, Outcome, Pending, Problem, Report, Setting, Severity, Source};

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
        listening: None,
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
    let mut told = Told::default();
    // At the first look nothing has drifted yet.
    for outcome in ["set to 600", "600 again"] {
        assert_eq!(
            messages(&told.news("sysctl-boot", &report, None, Mode::Enforce, Instant::now())),
            [
                &format!("net.ipv4.tcp_keepalive_time: found 7200, {outcome} in 4.2 ms (live)"),
                &format!(
                    "net.ipv4.tcp_keepalive_time: found 900 (/etc/sysctl.d/a.conf:3), {outcome} in 4.2 ms (boot, procps)"
                ),
                "sysctl: create /etc/x",
            ]
        );
    }
    for row in report.found.iter_mut().chain(&mut report.settings) {
        row.desired = Value::Number(300);
    }
    let other = told.news("sysctl-boot", &report, None, Mode::Enforce, Instant::now());
    assert!(other[0].message.contains("found 7200, set to 300"), "another policy: {other:?}");
}

#[test]
fn a_standing_trouble_is_told_once_and_its_end_too() {
    let mut told = Told::default();
    let mut now = Instant::now();
    let wrong = || vec![row("live", 900, None)];
    let mut bad = report(wrong(), wrong());
    bad.problems = vec![Problem::new("sysctl", Severity::Conflict, "no way")];
    bad.outcomes = vec![Outcome::of("write it", || Err("read-only"))];
    assert_eq!(
        messages(&told.news("sysctl-live", &bad, None, Mode::Enforce, now)),
        [
            "net.ipv4.tcp_keepalive_time: found 900, 600 is declared (live)",
            "sysctl: could not write it: read-only",
            "sysctl: no way",
        ]
    );
    assert_eq!(told.news("sysctl-live", &bad, None, Mode::Enforce, now), []);
    let mut again = Vec::new();
    for minute in 1..=60 {
        now += Duration::from_secs(60);
        if !told.news("sysctl-live", &bad, None, Mode::Enforce, now).is_empty() {
            again.push(minute);
        }
    }
    assert_eq!(again, [5, 15, 35], "reminders");
    let good = report(vec![row("live", 600, None)], vec![row("live", 600, None)]);
    assert_eq!(
        messages(&told.news("sysctl-live", &good, None, Mode::Enforce, now)),
        ["sysctl: in force again"]
    );
    assert_eq!(told.news("sysctl-live", &good, None, Mode::Enforce, now), []);
}

/// `journalctl -x` shows what belongs to a line's number.
#[test]
fn a_value_that_cannot_be_told_is_no_drift() {
    let unknown = Setting { effective: None, ..row("boot", 0, None) };
    let mut refused = report(vec![unknown.clone()], vec![unknown]);
    let now = Instant::now();
    assert_eq!(
        messages(&Told::default().news("sysctl", &refused, None, Mode::Enforce, now)),
        ["net.ipv4.tcp_keepalive_time: found nothing, 600 is declared (boot)"]
    );
    refused.problems = vec![Problem::new("sysctl", Severity::Blocked, "not readable")];
    assert_eq!(
        messages(&Told::default().news("sysctl", &refused, None, Mode::Enforce, now)),
        ["sysctl: not readable"]
    );
}

#[test]
fn the_catalog_explains_every_kind_of_line() {
    let catalog = include_str!("../../../systemd/keepalive-policy.catalog");
    let entries: Vec<&str> = catalog.split("\n-- ").skip(1).collect();
    assert_eq!(entries.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        let entry = entries.iter().find(|entry| entry.starts_with(kind.id()));
        let entry = entry.unwrap_or_else(|| panic!("{kind:?} is not explained"));
        for field in ["\nSubject: ", "\nDefined-By: keepalive-policy\n", "\nDocumentation: man:"] {
            assert!(entry.contains(field), "{kind:?} has no {field}");
        }
        // journalctl shows the bare name of a field that the line does not have, and nothing for one
        // that is empty.
        for field in ["@KEEPALIVE_SOURCE@", "@KEEPALIVE_FOUND@", "@KEEPALIVE_WRITER@"] {
            assert!(!entry.contains(field), "{kind:?} relies on {field}");
        }
        let (_, text) = entry.split_once("\n\n").unwrap();
        assert!(text.trim().len() > 80, "{kind:?} is hardly explained");
    }
}

#[test]
fn audit_says_in_one_line_what_it_would_have_done() {
    let wrong = || vec![row("live", 900, None)];
    let mut audited = report(wrong(), wrong());
    let pending = |text: &str| Pending {
        resource: "sysctl",
        text: text.to_owned(),
        change: serde_json::Value::Null,
    };
    audited.pending = vec![
        pending("net.ipv4.tcp_keepalive_time: 900 -> 600"),
        pending(
            "--- a/etc/a\n+++ b/etc/a\n@@ -1 +1 @@\n-x\n+y\n--- /dev/null\n+++ b/etc/b\n@@ -0,0 +1 @@\n+z\nreload ssh.service\n",
        ),
    ];
    let mut told = Told::default();
    assert_eq!(
        messages(&told.news("sysctl-live", &audited, None, Mode::Audit, Instant::now())),
        [
            "net.ipv4.tcp_keepalive_time: found 900, 600 is declared (live)",
            "sysctl: would net.ipv4.tcp_keepalive_time: 900 -> 600, edit /etc/a, create /etc/b, \
             reload ssh.service (audit: nothing is changed)",
        ]
    );
}
