use std::collections::BTreeMap;

use super::*;
use crate::explain::population;
use crate::explain::sources::{Explanation, Loser};
use crate::hops;
use crate::policy::{Hop, OwnHop};
use crate::reconcile::{Problem, Source, Value};
use crate::timing::alive::{Alive, Side};
use crate::timing::{End, Kernel, Release};

static NOWHERE: BTreeMap<&'static str, Source> = BTreeMap::new();

fn source(file: &str, line: usize) -> Source {
    Source { file: file.into(), line }
}

fn explained<'p>(release: Release, end: End, hops: &'p [Hop]) -> Explained<'p> {
    let sessions = vec![population("to this host".to_owned(), end, Kernel::default(), hops)];
    let safe = |crossing: &Crossing<'_>| crossing.verdict == Verdict::Survives;
    Explained {
        declared: &NOWHERE,
        version: 1,
        openssh: release.to_string(),
        settings: Vec::new(),
        survives: sessions.iter().all(|population| population.path.iter().all(safe)),
        sessions,
        objective: None,
        problems: Vec::new(),
        kernel: Kernel::default(),
    }
}

fn server(release: Release, interval: u32, count: u32) -> End {
    End { tcp_keepalive: true, alive: Alive { interval, count, side: Side::Server(release) } }
}

/// With `KEEPALIVE_BLESS=1` the file is written anew; then read the diff.
fn golden(shown: &str, name: &str) {
    let path = format!("{}/src/report/explain/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("KEEPALIVE_BLESS").is_some() {
        std::fs::write(&path, shown).unwrap();
    }
    assert_eq!(shown, std::fs::read_to_string(&path).unwrap(), "\n{shown}");
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_path_that_is_not_survived() {
    let known = |id| Hop::Known(hops::by_id(id).unwrap());
    let own = OwnHop { name: "branch firewall".to_owned(), idle: 310, tcp_keepalive: true };
    let hops = [known("aws-nlb"), known("azure-lb"), known("home-router"), Hop::Own(own)];
    let release = Release(9, 2);
    let mut explained = explained(release, server(release, 120, 30), &hops);
    explained.settings = vec![
        Explanation {
            resource: "sshd_config",
            name: "ClientAliveInterval",
            context: "global".to_owned(),
            effective: Some(Value::Number(120)),
            source: Some(source("/etc/ssh/sshd_config.d/00-keepalive-policy.conf", 2)),
            rule: "the first value wins".to_owned(),
            losers: vec![Loser {
                source: source("/etc/ssh/sshd_config", 17),
                value: "300".to_owned(),
                why: "/etc/ssh/sshd_config.d/00-keepalive-policy.conf:2 comes first".to_owned(),
            }],
        },
        Explanation {
            resource: "sshd_config",
            name: "ClientAliveInterval",
            context: "Match User bob Address 10.0.0.0/8".to_owned(),
            effective: Some(Value::Number(7)),
            source: Some(source("/etc/ssh/sshd_config", 31)),
            rule: "the first block that applies wins, and beats what is outside".to_owned(),
            losers: Vec::new(),
        },
    ];
    let problem = Problem::new("sysctl", Severity::Notice, "TuneD sets it, too");
    explained.problems = vec![problem.at("/etc/tuned/active_profile", None)];
    golden(&text(&explained, Style::PLAIN), "not-survived.txt");
}

#[test]
fn nothing_declared_and_nothing_asked() {
    let release = Release(10, 0);
    let explained = explained(release, server(release, 0, 3), &[]);
    golden(&text(&explained, Style::PLAIN), "defaults.txt");
}

#[test]
fn a_hop_that_hears_nothing() {
    let hops = [Hop::Known(hops::by_id("haproxy").unwrap())];
    let release = Release(10, 0);
    let explained = explained(release, server(release, 0, 3), &hops);
    let text = text(&explained, Style::PLAIN);
    assert!(text.contains("  DIES   haproxy   for ever        60 s       45 s *\n"), "{text}");
    assert!(
        text.contains(
            "  - haproxy hears nothing: ClientAliveInterval 0; it does not count bare TCP\n    keepalives\n"
        ),
        "{text}"
    );
    assert!(text.ends_with("    [sshd_config]\n    ClientAliveInterval = 45\n"), "{text}");
}

#[test]
fn a_hop_that_no_setting_satisfies() {
    let hops = [Hop::Own(OwnHop { name: "box".to_owned(), idle: 1, tcp_keepalive: true })];
    let release = Release(10, 0);
    let explained = explained(release, server(release, 1, 3), &hops);
    let text = text(&explained, Style::PLAIN);
    assert!(text.ends_with("forgets so soon that no setting keeps a session there.\n"), "{text}");
}
