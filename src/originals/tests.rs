use std::ffi::OsStr;

use super::*;

const PATH: &str = "var/lib/keepalive-policy/originals.json";

fn with(content: &str) -> (tempfile::TempDir, Host) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("var/lib/keepalive-policy")).unwrap();
    std::fs::write(directory.path().join(PATH), content).unwrap();
    let host = Host::at(directory.path());
    (directory, host)
}

fn known(host: &Host) -> Originals {
    match Originals::load(host).unwrap() {
        Found::Known(originals) => originals,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_record_survives_a_round_trip_with_bytes_that_are_not_text() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    assert_eq!(Originals::load(&host).unwrap(), Found::Absent);
    let originals = Originals {
        live: BTreeMap::from([("net.ipv4.tcp_keepalive_time".to_owned(), 7200)]),
        namespaces: BTreeMap::from([("blue".to_owned(), BTreeMap::new())]),
        harmful: BTreeMap::from([("net.ipv4.tcp_keepalive_probes".to_owned(), 0)]),
        lines: vec![EditedLine {
            file: "/etc/sysctl.conf".into(),
            ours: Bytes::from(b"a = 1".as_slice()),
            theirs: Bytes::from(b"a = \xff".as_slice()),
            rest: Rest::new(),
        }],
        sysctl_drop_in: Some(OsStr::from_bytes(b"/etc/sysctl.d/\xff.conf").into()),
        sysctl_directory: Some("/etc/sysctl.d".into()),
        sshd_instances: [Instance { file: "/etc/ssh/b".into(), unit: "b.service".into() }].into(),
        first_enforced: BTreeMap::from([("sysctl".to_owned(), 9), ("sshd_config".to_owned(), 7)]),
        ..Originals::default()
    };
    for _ in 0..2 {
        Originals::update(&host, |record| *record = originals.clone()).unwrap();
    }
    assert_eq!(known(&host), originals);
    assert_eq!(originals.first_enforced(), Some(7));
}

#[test]
fn a_record_that_cannot_be_used_is_kept_aside_and_the_new_one_says_so() {
    for content in [
        "",
        "{",
        "[]",
        r#"{"version": 99, "live": {}}"#,
        r#"{"live": {"net.ipv4.tcp_keepalive_time": "600"}}"#,
        r#"{"live": [600]}"#,
        r#"{"live": {"net.ipv4.tcp_keepalive_time": 1e400}}"#,
        r#"{"live": {"net.ipv4.tcp_keepalive_intvl": 99999999999999999999999}}"#,
        r#"{"sysctl_drop_in": "etc/relative.conf"}"#,
        r#"{"lines": [{"file": "/etc/../x", "ours": "a", "theirs": "b"}]}"#,
    ] {
        let (directory, host) = with(content);
        assert!(matches!(Originals::load(&host).unwrap(), Found::Unusable(_)), "{content}");
        Originals::update(&host, |originals| {
            originals.live.insert("net.ipv4.tcp_keepalive_probes".to_owned(), 9);
        })
        .unwrap();
        let record = known(&host);
        assert_eq!(record.live.len(), 1, "{content}");
        let incomplete = record.incomplete.unwrap();
        let kept = incomplete.kept.unwrap();
        let there = std::fs::read_to_string(directory.path().join(kept.strip_prefix("/").unwrap()));
        assert_eq!(there.unwrap(), content);
        assert!(incomplete.reason.contains("originals.json"), "{}", incomplete.reason);
    }
}

#[test]
fn of_a_record_with_harmful_values_the_others_stay() {
    let (_directory, host) = with(
        r#"{"live": {"net.ipv4.tcp_keepalive_time": -5, "net.ipv4.tcp_keepalive_intvl": 75},
            "namespaces": {"blue": {"net.ipv4.tcp_keepalive_probes": 300}}}"#,
    );
    let Found::Unusable(unusable) = Originals::load(&host).unwrap() else { panic!() };
    assert!(
        unusable.to_string().ends_with(
            "damaged: net.ipv4.tcp_keepalive_time was -5; only 1 to 2147483 can be put back"
        ),
        "{unusable}"
    );
    Originals::update(&host, |_| {}).unwrap();
    let record = known(&host);
    let values = |map: &BTreeMap<String, i64>| {
        map.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>()
    };
    assert_eq!(values(&record.live), ["net.ipv4.tcp_keepalive_intvl 75"]);
    assert_eq!(
        values(&record.harmful),
        ["net.ipv4.tcp_keepalive_time -5", "netns blue net.ipv4.tcp_keepalive_probes 300"]
    );
    assert!(record.incomplete.unwrap().kept.is_some());
}

#[test]
fn a_record_that_is_gone_is_missed_where_our_drop_in_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    std::fs::create_dir_all(directory.path().join("etc/sysctl.d")).unwrap();
    let drop_in = directory.path().join("etc/sysctl.d/99-zz-keepalive-policy.conf");
    std::fs::write(&drop_in, "# a stranger's\n").unwrap();
    Originals::update(&host, |record| record.enforced("sysctl")).unwrap();
    assert_eq!(known(&host).incomplete, None);

    std::fs::remove_file(directory.path().join(PATH)).unwrap();
    std::fs::write(&drop_in, "# Written by keepalive-policy; …\n").unwrap();
    Originals::update(&host, |record| record.enforced("sysctl")).unwrap();
    let incomplete = known(&host).incomplete.unwrap();
    let reason = "the record is gone, though /etc/sysctl.d/99-zz-keepalive-policy.conf is there";
    assert_eq!(incomplete.reason, reason);
}

#[test]
fn the_time_of_the_first_enforcement_stays() {
    let (_directory, host) = with(r#"{"first_enforced": {"sysctl": 5}}"#);
    Originals::update(&host, |record| record.enforced("sysctl")).unwrap();
    Originals::update(&host, |record| record.enforced("sshd_config")).unwrap();
    let record = known(&host);
    assert_eq!(record.first_enforced["sysctl"], 5);
    assert!(record.first_enforced["sshd_config"] > 1_700_000_000);
    assert_eq!(record.first_enforced(), Some(5));
    assert_eq!(Originals::note_enforced(&host, "ssh_config"), None, "a tree is not enforced");
    assert_eq!(known(&host).first_enforced.len(), 2);
}

#[test]
fn the_first_copy_of_a_file_is_the_one_that_stays() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    let file = Path::new("/etc/ssh/sshd_config");
    Originals::keep_copy(&host, file, b"first").unwrap();
    Originals::keep_copy(&host, file, b"second").unwrap();
    assert_eq!(Originals::kept_copy(&host, file).unwrap().unwrap(), b"first");
    Originals::drop_copy(&host, file).unwrap();
    assert_eq!(Originals::kept_copy(&host, file).unwrap(), None);
}
