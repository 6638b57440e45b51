use super::*;

fn host() -> (tempfile::TempDir, Host) {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    (directory, host)
}

fn put(host: &Host, text: &str) {
    host.make_directory(host.state_dir(), 0o755).unwrap();
    std::fs::write(host.locate(&path(host)), text).unwrap();
}

#[test]
fn a_pause_stands_until_it_is_over_or_taken_back() {
    let (_directory, host) = host();
    assert_eq!(look(&host), Brake::Off);
    let brake = pause(&host, 3600, Who::default()).unwrap();
    assert!(brake.is_on() && brake.left() > Some(Duration::from_secs(3590)), "{brake:?}");
    let Brake::Paused { span, .. } = look(&host) else { panic!("{:?}", look(&host)) };
    // Another one takes its place.
    pause(&host, 60, Who::default()).unwrap();
    assert!(look(&host).until() < Some(span.end()));
    assert!(resume(&host).unwrap().is_on());
    assert_eq!(look(&host), Brake::Off);
    assert_eq!(resume(&host).unwrap(), Brake::Off);
}

#[test]
fn a_pause_that_is_over_is_off_and_its_record_goes() {
    let (_directory, host) = host();
    pause(&host, 3600, Who::default()).unwrap();
    tidy(&host).unwrap();
    assert!(look(&host).is_on());
    pause(&host, 0, Who::default()).unwrap();
    assert_eq!(look(&host), Brake::Off);
    assert!(host.exists(&path(&host)));
    tidy(&host).unwrap();
    assert!(!host.exists(&path(&host)));
}

/// Somebody wanted corrections to stop: they don't go on because a record can't be read, and it is
/// said.
#[test]
fn a_record_that_can_not_be_understood_is_a_pause_until_resume() {
    for text in [
        "",
        "[]",
        "{",
        r#"{"version": 2, "span": null}"#,
        r#"{"version": 1, "span": null}"#,
        r#"{"version": 1, "span": {"from": {"wall": -1, "boot": "", "clock": 0}, "seconds": 60}}"#,
        r#"{"version": 1, "span": {"from": {"wall": 1, "boot": "", "clock": 0}, "seconds": 99999999999}}"#,
    ] {
        let (_directory, host) = host();
        put(&host, text);
        let brake = look(&host);
        assert!(matches!(&brake, Brake::Damaged(_)), "{text}: {brake:?}");
        assert!(brake.sentence().unwrap().contains("resume"), "{brake:?}");
        resume(&host).unwrap();
        assert_eq!(look(&host), Brake::Off);
    }
    let (_directory, host) = host();
    std::fs::create_dir_all(host.locate(&path(&host))).unwrap();
    assert!(look(&host).is_on());
}

/// From the future by any clock: at most its own length.
#[test]
fn a_record_with_times_that_can_not_be_is_over_after_its_length() {
    let (_directory, host) = host();
    let from = r#"{"wall": 99999999999, "boot": "another", "clock": 0}"#;
    put(
        &host,
        &format!(r#"{{"version": 1, "span": {{"from": {from}, "seconds": 60}}, "later": 1}}"#),
    );
    let left = look(&host).left();
    assert!(left.is_none_or(|left| left <= Duration::from_secs(60)), "{left:?}");
}
