use super::*;

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

const BEFORE: &str = "S:\"Hostname\"=host.müller\r\nD:\"Idle NO-OP Check\"=00000000\r\n\
                      D:\"Idle NO-OP Timeout\"=0000003c\r\nD:\"Idle Check\"=00000000\r\n\
                      Z:\"Port Forward Table V2\"=00000000";
const AFTER: &str = "S:\"Hostname\"=host.müller\r\nD:\"Idle NO-OP Check\"=00000001\r\n\
                     D:\"Idle NO-OP Timeout\"=00000078\r\nD:\"Idle Check\"=00000000\r\n\
                     Z:\"Port Forward Table V2\"=00000000";

#[test]
fn only_the_two_lines_change_in_every_encoding() {
    let marked = |text: &str| [b"\xef\xbb\xbf", text.as_bytes()].concat();
    let latin = |text: &str| {
        text.replace('ü', "\u{0}")
            .into_bytes()
            .iter()
            .map(|b| if *b == 0 { 0xfc } else { *b })
            .collect::<Vec<u8>>()
    };
    assert_eq!(patch(BEFORE.as_bytes(), 120).unwrap(), AFTER.as_bytes());
    assert_eq!(patch(&marked(BEFORE), 120).unwrap(), marked(AFTER));
    assert_eq!(patch(&utf16(BEFORE), 120).unwrap(), utf16(AFTER));
    assert_eq!(patch(&latin(BEFORE), 120).unwrap(), latin(AFTER));
    for file in [AFTER.as_bytes().to_vec(), marked(AFTER), utf16(AFTER)] {
        assert_eq!(patch(&file, 120).unwrap(), file, "a second time changes nothing");
    }
}

#[test]
fn missing_lines_are_added_with_the_files_line_ends() {
    let added = |end: &str| {
        format!(
            "D:\"Port\"=00000016{end}D:\"Idle NO-OP Check\"=00000001{end}D:\"Idle NO-OP Timeout\"=0000003c{end}"
        )
    };
    assert_eq!(patch(b"D:\"Port\"=00000016\r\n", 60).unwrap(), added("\r\n").into_bytes());
    assert_eq!(patch(b"D:\"Port\"=00000016", 60).unwrap(), added("\n").into_bytes());
    assert_eq!(patch(&utf16("D:\"Port\"=00000016\r\n"), 60).unwrap(), utf16(&added("\r\n")));
}

#[test]
fn zero_switches_it_off() {
    let patched = patch(AFTER.as_bytes(), 0).unwrap();
    assert_eq!(patched, BEFORE.replace("0000003c", "00000000").into_bytes());
}

#[test]
fn what_is_no_session_is_left_alone() {
    assert_eq!(patch(b"[SSH]\nx=1\n", 60), Err(NotASession::Foreign));
    assert_eq!(patch(b"", 60), Err(NotASession::Foreign));
    assert_eq!(patch(b"\xff\xfeD", 60), Err(NotASession::Torn));
}
