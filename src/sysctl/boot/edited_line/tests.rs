use proptest::prelude::*;

use super::*;

fn place(statement: &file::Statement<'_>) -> Place {
    Place {
        file: "/etc/sysctl.conf".into(),
        real: "/etc/sysctl.conf".into(),
        turn: None,
        line: statement.line,
        span: statement.span.clone(),
    }
}

const TAKEN: Fate = Fate::Written(Write::Set(1));
const REFUSED: Fate = Fate::Written(Write::Refused);

#[track_caller]
fn check(content: &str, fate: Fate, after: &str, ours: &str, theirs: &str) {
    let statement = file::procps(content.as_bytes()).pop().unwrap();
    let edit = edit(content.as_bytes(), &place(&statement), fate, 600).unwrap();
    assert_eq!(String::from_utf8_lossy(&edit.content), after);
    assert_eq!(edit.record.ours.as_ref(), ours.as_bytes());
    assert_eq!(edit.record.theirs.as_ref(), theirs.as_bytes());
    assert_eq!(put_back(after.as_bytes(), &edit.record).unwrap(), content.as_bytes());
}

#[test]
fn only_the_value_changes() {
    check("# x\n a.b\t=  1  \r\nc=2x\n", TAKEN, "# x\n a.b\t=  1  \r\nc=600\n", "c=600", "c=2x");
    check("a=1 # note\n", TAKEN, "a=600 # note\n", "a=600 # note", "a=1 # note");
    check("a=1", TAKEN, "a=600", "a=600", "a=1");
    check("a = x y\r\n", REFUSED, "a = 600\r\n", "a = 600\r", "a = x y\r");
    check("aa=\n", REFUSED, "aa=600\n", "aa=600", "aa=");
    check("-aa \n", Fate::Exclusion, "-aa = 600 \n", "-aa = 600 ", "-aa ");
}

fn record(ours: &str, theirs: &str) -> EditedLine {
    let file = "/etc/sysctl.conf".into();
    let bytes = |text: &str| Bytes::from(text.as_bytes());
    EditedLine { file, ours: bytes(ours), theirs: bytes(theirs), rest: Rest::new() }
}

#[test]
fn the_last_of_equal_lines_is_ours() {
    let put_back = |content: &str, ours, theirs| {
        super::put_back(content.as_bytes(), &record(ours, theirs))
            .map(|bytes| String::from_utf8(bytes).unwrap())
    };
    assert_eq!(put_back("a=6\nb\na=6\n", "a=6", "a=1").unwrap(), "a=6\nb\na=1\n");
    assert_eq!(put_back("a=6", "a=6", "").unwrap(), "");
    assert_eq!(put_back("a=66\nxa=6\n", "a=6", "a=1"), None);
    assert_eq!(put_back("", "a=6", "a=1"), None);
}

#[test]
fn a_recorded_line_tells_its_setting() {
    let keys = |line| settings(&record(line, ""));
    assert_eq!(keys("net.ipv4.tcp_keepalive_time = 600"), [Key::KeepaliveTime]);
    assert_eq!(keys("-net/ipv4/tcp_keepalive_intvl = 60"), [Key::KeepaliveIntvl]);
    assert_eq!(keys("x = 1"), []);
    let two = "net.ipv4.tcp_keepalive_time=1\rnet.ipv4.tcp_keepalive_probes=2";
    assert_eq!(keys(two), [Key::KeepaliveTime, Key::KeepaliveProbes]);
}

proptest! {
    #[test]
    fn an_edit_is_undone_to_the_byte(content in "[a=\\-12 \t\r\n#]{0,60}", value in 1_u32..99_999) {
        let content = content.as_bytes();
        let both = [file::systemd(content), file::procps(content)];
        // The winner is the last of its key; here the last of all.
        for statement in both.iter().filter_map(|statements| statements.last()) {
            let fate = if statement.value.is_some() { REFUSED } else { Fate::Exclusion };
            let edit = edit(content, &place(statement), fate, value).unwrap();
            prop_assert_eq!(put_back(&edit.content, &edit.record).unwrap(), content);
            let outside = content.len() - statement.span.len();
            prop_assert!(edit.content.len() >= outside);
        }
    }
}
