use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::reconcile::{Pending, Source, Value};
use crate::report::journal::Told;

fn report(compliant: bool) -> Report {
    let setting = |name, context: &str, effective, source: Option<Source>, compliant| Setting {
        resource: "sysctl",
        name,
        context: context.to_owned(),
        desired: Value::Number(600),
        effective,
        source,
        compliant,
    };
    let source = Source { file: "/etc/sysctl.d/50-db.conf".into(), line: 3 };
    Report {
        resource: "sysctl",
        found: Vec::new(),
        settings: vec![
            setting("net.ipv4.tcp_keepalive_time", "live", Some(Value::Number(600)), None, true),
            setting(
                "net.ipv4.tcp_keepalive_time",
                "boot",
                Some(Value::Number(7200)),
                Some(source),
                compliant,
            ),
            setting("net.ipv4.tcp_keepalive_intvl", "boot", None, None, true),
        ],
        problems: vec![
            Problem::new("sysctl", Severity::Conflict, "cannot be won by ordering")
                .at("/etc/sysctl.conf", Some(7)),
        ],
        outcomes: Vec::new(),
        pending: Vec::new(),
        watched: BTreeSet::new(),
        listening: None,
        took: Duration::ZERO,
    }
}

#[test]
fn the_table_is_aligned_and_ends_with_the_next_thing_to_do() {
    let expected = "       \
SETTING                       CONTEXT  DESIRED  EFFECTIVE  SOURCE
ok     net.ipv4.tcp_keepalive_time   live         600        600  kernel
DRIFT  net.ipv4.tcp_keepalive_time   boot         600       7200  /etc/sysctl.d/50-db.conf:3
ok     net.ipv4.tcp_keepalive_intvl  boot         600          -  -

conflict: sysctl: /etc/sysctl.conf:7: cannot be won by ordering

1 of 2 settings in force. What is marked above must be mended by hand first.
";
    assert_eq!(check(&[report(false)], Mode::Enforce, Style::PLAIN), expected);
}

#[test]
fn only_what_a_command_would_do_is_advised() {
    let mut wrong = report(false);
    wrong.pending = vec![Pending {
        resource: "sysctl",
        text: "edit /etc/sysctl.conf".to_owned(),
        change: serde_json::Value::Null,
    }];
    let ends = |text: String, end: &str| assert!(text.ends_with(end), "{text}");
    let wrong = [wrong];
    ends(
        check(&wrong, Mode::Enforce, Style::PLAIN),
        "`keepalive-policy diff` shows what would be changed,\n`keepalive-policy apply` does it.\n",
    );
    ends(
        check(&wrong, Mode::Audit, Style::PLAIN),
        "The policy says mode = \"audit\": nothing is changed.\n\
         `keepalive-policy diff` shows what would be.\n",
    );
    ends(
        applied(&wrong, Mode::Audit, "keepalive-policy client diff", Style::PLAIN),
        "`keepalive-policy client diff` shows what would be.\n",
    );
    // What is left after enforcing was tried, and did not succeed.
    ends(
        applied(&wrong, Mode::Enforce, "keepalive-policy diff", Style::PLAIN),
        "What is marked above must be mended by hand first.\n",
    );
    ends(check(&[report(true)], Mode::Enforce, Style::PLAIN), "2 of 2 settings in force.\n");
}

#[test]
fn a_value_of_another_namespace_is_the_kernels_too() {
    let mut report = report(true);
    report.settings[0].context = "netns blue".to_owned();
    let text = check(&[report], Mode::Enforce, Style::PLAIN);
    assert!(text.contains("netns blue      600        600  kernel\n"), "{text}");
}

#[test]
fn colours_are_put_around_and_change_nothing_else() {
    let plain = check(&[report(true)], Mode::Enforce, Style::PLAIN);
    let mut coloured = check(&[report(true)], Mode::Enforce, Style { colour: true });
    assert_ne!(plain, coloured);
    for code in ["\x1b[32m", "\x1b[1;31m", "\x1b[2m", "\x1b[0m"] {
        coloured = coloured.replace(code, "");
    }
    assert_eq!(plain, coloured);
}

#[test]
fn durations_have_three_digits_at_most() {
    let table = [
        (0, "0 µs"),
        (999, "999 µs"),
        (1_000, "1.0 ms"),
        (4_260, "4.2 ms"),
        (10_000, "10 ms"),
        (999_999, "999 ms"),
        (1_340_000, "1.3 s"),
    ];
    for (micros, expected) in table {
        assert_eq!(duration(micros), expected);
    }
}

/// A report in which every text is one of others.
fn foreign(bytes: &[u8]) -> Report {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let file = std::path::PathBuf::from(OsString::from_vec(bytes.to_vec()));
    let mut report = report(false);
    for row in &mut report.settings {
        row.context.clone_from(&text);
        row.source = Some(Source { file: file.clone(), line: 3 });
    }
    report.found = report.settings.clone();
    report.problems = vec![Problem::new("sysctl", Severity::Blocked, &text).at(&file, Some(3))];
    report.outcomes = vec![
        Outcome::of(&text, || Ok::<(), String>(())),
        Outcome::of(&text, || Err::<(), _>(&text)),
    ];
    let change = serde_json::Value::Null;
    let text = text.replace('\n', "\\");
    report.pending = vec![Pending { resource: "sysctl", text, change }];
    report
}

proptest! {
    /// Rows of hostile.md: names and words with ESC, BEL, newline.
    #[test]
    fn nothing_of_others_steers_a_terminal_or_forges_a_line(bytes: Vec<u8>, word in "\\PC*|(?s).*") {
        for bytes in [bytes, word.into_bytes()] {
            let reports = [foreign(&bytes)];
            for mode in [Mode::Enforce, Mode::Audit] {
                let shown = check(&reports, mode, Style::PLAIN)
                    + &applied(&reports, mode, "keepalive-policy diff", Style::PLAIN)
                    + &restored(&reports, Style::PLAIN);
                prop_assert!(!shown.replace('\n', "").contains(escape::is_hidden), "{shown:?}");
                // Whatever the texts hold, no line is added.
                let harmless = [foreign(b"x")];
                let expected = check(&harmless, mode, Style::PLAIN)
                    + &applied(&harmless, mode, "keepalive-policy diff", Style::PLAIN)
                    + &restored(&harmless, Style::PLAIN);
                prop_assert_eq!(shown.lines().count(), expected.lines().count(), "{}", shown);
            }
            let shown = diff(&reports, Style::PLAIN).replace("\r\n", "\n");
            let steers = |c: char| c.is_control() && c != '\n' && c != '\t';
            prop_assert!(!shown.contains(steers), "{shown:?}");
            let news = Told::default().news("x", &reports[0], None, Mode::Audit, Instant::now());
            prop_assert!(!news.is_empty());
            for event in news {
                // `Event::log` escapes the line as a whole.
                prop_assert!(!escape::line(&event.message).contains(escape::is_hidden));
            }
        }
    }
}

#[test]
fn a_path_that_drifts_stays_whole_and_a_context_is_shortened() {
    let mut report = report(false);
    let path = "/etc/ssh/".to_owned() + &"x".repeat(900);
    report.settings[1].source = Some(Source { file: path.clone().into(), line: 3 });
    report.settings[1].context = "Match User ".to_owned() + &"alice,".repeat(10_000);
    let shown = check(&[report], Mode::Enforce, Style::PLAIN);
    assert!(shown.contains(&format!("{path}:3\n")), "{shown}");
    assert!(shown.contains("…(59,811 characters)…"), "{shown}");
    assert!(shown.len() < 6000, "{}", shown.len());
}
