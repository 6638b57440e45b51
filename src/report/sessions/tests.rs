use std::time::Duration;

use super::*;

fn session(peer: &str, user: &str, age: u64) -> Session {
    Session {
        peer: peer.parse().unwrap(),
        local: "10.0.0.1:22".parse().unwrap(),
        unit: None,
        netns: None,
        user: Some(user.to_owned()),
        pid: Some(7),
        age: Some(age),
        timer: "keepalive",
        expires: Some(Duration::from_secs(590)),
        timer_count: Some(0),
        unacknowledged: 0,
        quiet: Some(Duration::from_secs(10)),
        outdated: Vec::new(),
        exposed: None,
    }
}

#[test]
fn sessions_stand_in_a_table_of_80_columns() {
    let mut old = session("203.0.113.7:50514", "bob", 93_784);
    old.expires = Some(Duration::from_secs(7040));
    old.outdated = vec![Outdated::OpenedBeforeLoad, Outdated::TimerArmedEarlier];
    let mut dying = session("198.51.100.23:61022", "eve", 300);
    (dying.timer, dying.timer_count, dying.unacknowledged) = ("retransmission", Some(5), 1480);
    dying.expires = Some(Duration::from_millis(6200));
    dying.user = None;
    let sessions = [old, dying, session("[2001:db8::5]:2", "root", 4)];
    let text = table(&sessions, true, Style::PLAIN);
    assert_eq!(
        text,
        "     PEER                 USER      AGE  QUIET  KERNEL TIMER          UNACKED
OLD  203.0.113.7:50514    bob   1 d 2 h   10 s  keepalive 1 h 57 min        0
ok   198.51.100.23:61022  -       5 min   10 s  resend 6 s, 5 lost       1480
ok   [2001:db8::5]:2      root      4 s   10 s  keepalive 9 min             0

1 of 3 on older settings:
    203.0.113.7:50514: opened while sshd had other values; its timer was armed
    when tcp_keepalive_time was longer (until it ends)
To have the settings in force, log in again: nothing else changes open sessions.
"
    );
    assert!(text.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn when_all_is_well_it_says_so() {
    let text = table(&[session("192.0.2.1:9", "bob", 5)], true, Style::PLAIN);
    assert!(text.ends_with("\nThe one session runs on the settings in force.\n"), "{text}");
    let two = [session("192.0.2.1:9", "bob", 5), session("192.0.2.1:8", "bob", 5)];
    let text = table(&two, false, Style::PLAIN);
    assert!(
        text.ends_with(
            "\nAll sessions run on the settings in force.\nUsers, ages and other network namespaces are shown to root only.\n"
        ),
        "{text}"
    );
    assert_eq!(table(&[], true, Style::PLAIN), "No session is open.\n");
}

#[test]
fn a_timer_alone_is_waited_for() {
    let mut old = session("192.0.2.1:9", "bob", 5);
    old.outdated = vec![Outdated::TimerArmedEarlier];
    old.exposed = Some(Duration::from_secs(7040));
    let text = table(&[old], true, Style::PLAIN);
    assert!(
        text.ends_with(
            "1 of 1 on older settings:\n    192.0.2.1:9: its timer was armed when \
             tcp_keepalive_time was longer (for 1 h\n    57 min 20 s)\nThe kernel looks at its \
             values again when the timer fires, after 1 h 57 min 20 s\nat the latest. To have them \
             at once, log in again.\n"
        ),
        "{text}"
    );
}

#[test]
fn sessions_of_other_sshds_and_namespaces_say_so() {
    let mut sftp = session("192.0.2.1:9", "bob", 5);
    (sftp.unit, sftp.netns) = (Some("sftp.service".to_owned()), Some("blue".to_owned()));
    let text = table(&[sftp, session("192.0.2.1:8", "eve", 5)], true, Style::PLAIN);
    assert_eq!(
        text,
        "    PEER         USER  AGE  QUIET  KERNEL TIMER     UNACKED
ok  192.0.2.1:9  bob   5 s   10 s  keepalive 9 min        0
     sftp.service, netns blue
ok  192.0.2.1:8  eve   5 s   10 s  keepalive 9 min        0

All sessions run on the settings in force.
"
    );
}

/// A user of a directory service, a unit, and a namespace may be called anything.
#[test]
fn names_of_sessions_do_not_steer_a_terminal() {
    let mut session = session("203.0.113.7:50514", "bob\x1b[2J\n\u{202e}", 7);
    session.unit = Some("sshd\x07.service".to_owned());
    session.netns = Some("blue\nok".to_owned());
    let shown = table(&[session], true, Style::PLAIN);
    assert!(shown.contains("  bob\\x1b[2J\\n\\u{202e}  "), "{shown}");
    assert!(shown.contains("     sshd\\x07.service, netns blue\\nok\n"), "{shown}");
    assert!(!shown.replace('\n', "").contains(escape::is_hidden), "{shown:?}");
}
