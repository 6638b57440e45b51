use super::*;

fn status(process_start: u64) -> Status {
    Status {
        version: 1,
        pid: std::process::id(),
        process_start,
        since: 0,
        policy: "/etc/keepalive-policy.toml".into(),
        mode: "enforce".to_owned(),
        in_force: true,
        summary: String::new(),
        corrections: 0,
        last_drift: None,
        policy_read: 0,
        policy_refused: None,
        contested: Vec::new(),
        unheard: 0,
        listening: Vec::new(),
        paused: None,
        paused_until: None,
        settings: Vec::new(),
        problems: Vec::new(),
    }
}

#[test]
fn the_sentence_reads_like_one() {
    let tally = Tally { in_force: 5, declared: 6 };
    let drift =
        |corrected_in_us| Some(LastDrift { at: 45_067, setting: String::new(), corrected_in_us });
    let table = [
        (Mode::Enforce, None, "5 of 6 settings in force"),
        (
            Mode::Enforce,
            drift(Some(4_200)),
            "5 of 6 settings in force, last drift 12:31:07 UTC corrected in 4.2 ms",
        ),
        (
            Mode::Audit,
            drift(None),
            "5 of 6 settings in force (audit: nothing is changed), last drift 12:31:07 UTC stands",
        ),
    ];
    for (mode, last, expected) in table {
        assert_eq!(sentence(tally, mode, None, last.as_ref()), expected);
    }
    assert_eq!(
        sentence(tally, Mode::Enforce, Some("paused until noon"), drift(None).as_ref()),
        "5 of 6 settings in force, paused until noon, last drift 12:31:07 UTC stands"
    );
    let all = Tally { in_force: 6, declared: 6 };
    assert_eq!(
        sentence(all, Mode::Enforce, None, drift(None).as_ref()),
        "6 of 6 settings in force, last drift 12:31:07 UTC is over"
    );
}

#[test]
fn a_status_counts_only_while_its_process_runs() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    assert_eq!(Status::read(&host).unwrap(), None);
    let start = process_start(std::process::id()).unwrap();
    let mine = status(start);
    mine.write(&host).unwrap();
    assert_eq!(Status::read(&host).unwrap(), Some(mine));
    // The same number, but a process that started at another time.
    status(start + 1).write(&host).unwrap();
    assert_eq!(Status::read(&host).unwrap(), None);
    Status::clear(&host).unwrap();
    Status::clear(&host).unwrap();
}

#[test]
fn a_policy_with_a_name_that_is_not_utf_8_is_a_status_like_any_other() {
    use std::os::unix::ffi::OsStringExt;
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    let mut mine = status(process_start(std::process::id()).unwrap());
    mine.policy = std::ffi::OsString::from_vec(b"/etc/n\xff.toml".to_vec()).into();
    mine.write(&host).unwrap();
    let policy = Status::read(&host).unwrap().unwrap().policy;
    assert_eq!(policy.to_str(), Some("/etc/n\u{fffd}.toml"));
}

/// By date(1).
#[test]
fn dates_are_those_of_the_calendar() {
    for (at, expected) in [
        (0, "1970-01-01 00:00:00 UTC"),
        (951_782_400, "2000-02-29 00:00:00 UTC"),
        (1_735_689_599, "2024-12-31 23:59:59 UTC"),
        (1_735_689_600, "2025-01-01 00:00:00 UTC"),
        (4_107_542_400, "2100-03-01 00:00:00 UTC"),
    ] {
        assert_eq!(date(at), expected);
    }
}
