use std::ffi::OsStr;

use proptest::prelude::*;

use super::*;

#[test]
fn what_cannot_be_seen_is_written_as_an_escape() {
    for (text, expected) in [
        ("Host web1", "Host web1"),
        ("größe 测试 \u{fffd} a\\b", "größe 测试 \u{fffd} a\\b"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\nok   all is well\r\t", "a\\nok   all is well\\r\\t"),
        ("\u{7f}\u{9b}31m\0", "\\x7f\\u{9b}31m\\x00"),
        (
            "\u{202e}moc\u{2066}\u{200b}\u{feff}\u{2028}",
            "\\u{202e}moc\\u{2066}\\u{200b}\\u{feff}\\u{2028}",
        ),
    ] {
        assert_eq!(line(text), expected, "{text:?}");
    }
    assert_eq!(
        path(Path::new(OsStr::from_bytes(b"/etc/a\xff\x1b[2J\xc3\xa4"))),
        "/etc/a\\xff\\x1b[2Jä"
    );
}

#[test]
fn what_is_long_loses_its_middle() {
    assert_eq!(name(&"x".repeat(200)), "x".repeat(200));
    let long = "ä".repeat(100) + &"\x1b".repeat(2812) + &"b".repeat(100);
    let expected = format!("{}…(2,812 characters)…{}", "ä".repeat(100), "b".repeat(100));
    assert_eq!(name(&long), expected);
    assert_eq!(short("abcdef", 3), "ab…(3 characters)…f");
    assert_eq!(counted(1_000_000), "1,000,000");
    assert_eq!(counted(12), "12");
}

#[test]
fn a_diff_stays_what_patch_takes() {
    assert_eq!(content("\tHost \u{200d}x\r"), "\tHost \u{200d}x\r");
    assert_eq!(content("a\rb\x1b[2J\u{202e}"), "a\\rb\\x1b[2J\\u{202e}");
}

#[test]
fn the_last_door_lets_through_the_layout_and_its_colours_only() {
    let red = "\x1b[1;31mDRIFT\x1b[0m\n\tx\r\n";
    assert_eq!(layout(red, &["\x1b[1;31m", "\x1b[0m"]), red);
    assert_eq!(layout(red, &[]), "\\x1b[1;31mDRIFT\\x1b[0m\n\tx\r\n");
    assert_eq!(layout("\x1b[1;32m\x1b[2J\r", &["\x1b[1;31m"]), "\\x1b[1;32m\\x1b[2J\\r");
}

#[test]
fn json_says_the_same_in_characters_that_can_be_seen() {
    let said = "\u{7f}\u{9b}\u{202e}\u{e0001}ä\n\x1b\\";
    let text = json(serde_json::to_string_pretty(&[said]).unwrap());
    assert!(text.chars().all(|c| c == '\n' || !is_hidden(c)), "{text}");
    assert!(text.contains("\\u202e\\udb40\\udc01ä"), "{text}");
    assert_eq!(serde_json::from_str::<[String; 1]>(&text).unwrap(), [said]);
}

proptest! {
    #[test]
    fn no_text_reaches_a_terminal_unseen(text in "\\PC*|(?s).*", longest in 1_usize..50) {
        for shown in [line(&text), short(&text, longest)] {
            prop_assert!(!shown.contains(is_hidden), "{shown:?}");
        }
        let shown = layout(&text, &[]).replace("\r\n", "\n");
        prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
        // Ten for each escape, and the words about what is left out.
        prop_assert!(short(&text, longest).chars().count() <= longest * 10 + 40);
        prop_assert!(!content(&text).trim_end_matches('\r').contains(['\n', '\r', '\x1b']));
    }

    #[test]
    fn no_path_does(bytes: Vec<u8>) {
        let shown = path(Path::new(OsStr::from_bytes(&bytes)));
        prop_assert!(!shown.contains(is_hidden), "{shown:?}");
    }
}
