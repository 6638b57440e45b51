use proptest::prelude::*;

use super::*;

fn show(statements: &[Statement<'_>]) -> Vec<String> {
    statements
        .iter()
        .map(|statement| {
            let value = statement.value.map(|value| format!("={}", value.escape_ascii()));
            let (line, key) = (statement.line, statement.key.escape_ascii());
            format!("{line}:{key}{}", value.unwrap_or_default())
        })
        .collect()
}

#[track_caller]
fn check(content: &[u8], by_systemd: &[&str], by_procps: &[&str]) {
    let content_shown = content.escape_ascii().to_string();
    assert_eq!(show(&systemd(content)), by_systemd, "systemd: {content_shown}");
    assert_eq!(show(&procps(content)), by_procps, "procps: {content_shown}");
}

#[test]
fn both_read_alike() {
    for (content, expected) in [
        ("a.b = 1\n", vec!["1:a.b=1"]),
        ("\n\n  a.b\t=1 \n", vec!["3:a.b=1"]),
        ("# a = 1\n ; b = 2\na=1", vec!["3:a=1"]),
        ("a = b = c\n", vec!["1:a=b = c"]),
        ("a =\n", vec!["1:a="]),
        ("rubbish\nab=1\n", vec!["2:ab=1"]),
        ("-ab = 1\n", vec!["1:ab=1"]),
        ("-ab\n", vec!["1:ab"]),
        ("a = 1 # note\n", vec!["1:a=1 # note"]),
        ("a = 1\\\n2\n", vec!["1:a=1\\\\"]),
    ] {
        check(content.as_bytes(), &expected, &expected);
    }
}

#[test]
fn what_ends_a_line() {
    check(b"# x\ra = 1\n", &["1:a=1"], &[]);
    check(b"# x\0a = 1\nb=2\n", &["1:a=1", "2:b=2"], &["2:b=2"]);
    check(b"a = 1\r\n", &["1:a=1"], &["1:a=1"]);
    check(b"a = 1\rb = 2\n", &["1:a=1", "1:b=2"], &["1:a=1\\rb = 2"]);
    check(b"a = 1\0b = 2\n", &["1:a=1", "1:b=2"], &["1:a=1"]);
}

#[test]
fn what_is_blank() {
    check(b"\x0ba = 1\n", &["1:\\x0ba=1"], &["1:a=1"]);
    check(b"a\x0c = \x0b1\x0c\n", &["1:a\\x0c=\\x0b1\\x0c"], &["1:a=1"]);
    check(b"\xef\xbb\xbfa = 1\n", &["1:\\xef\\xbb\\xbfa=1"], &["1:\\xef\\xbb\\xbfa=1"]);
    check(b"a = 1\xc2\xa0\n", &["1:a=1\\xc2\\xa0"], &["1:a=1\\xc2\\xa0"]);
}

#[test]
fn what_a_dash_means() {
    check(b"- ab = 1\n", &["1:ab=1"], &["1: ab=1"]);
    check(b"--ab = 1\n", &["1:-ab=1"], &["1:ab=1"]);
    check(b"- ab\n", &["1:ab"], &["1: ab"]);
    check(b" -ab = 1\n", &["1:ab=1"], &["1:ab=1"]);
    check(b"=5\n", &["1:=5"], &["1:=5"]);
    // procps skips what is shorter than two bytes, its newline counted.
    check(b"-", &["1:"], &[]);
}

#[test]
fn a_line_of_a_mebibyte_ends_the_file_for_systemd() {
    let long = |length: usize| [b"a=1\n#", vec![b'x'; length - 1].as_slice(), b"\nb=2\n"].concat();
    check(&long(LONG_LINE_MAX - 1), &["1:a=1", "3:b=2"], &["1:a=1", "3:b=2"]);
    check(&long(LONG_LINE_MAX), &["1:a=1"], &["1:a=1", "3:b=2"]);
}

proptest! {
    #[test]
    fn every_value_is_where_it_says(content in "[ab=\\-# .\t\r\n\0]{0,40}") {
        let content = content.as_bytes();
        for statement in [systemd(content), procps(content)].concat() {
            let value = statement.value.unwrap_or_default();
            prop_assert_eq!(content.get(statement.span.clone()), Some(value));
            let before = content.get(..statement.span.start).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(statement.line, line);
        }
    }
}
