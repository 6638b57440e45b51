use super::*;

const HZ: Hz = Hz(250);

fn time(text: &str) -> Option<i64> {
    write(Key::KeepaliveTime, text.as_bytes(), HZ).value()
}

fn probes(text: &str) -> Option<i64> {
    write(Key::KeepaliveProbes, text.as_bytes(), HZ).value()
}

#[test]
fn what_the_kernel_takes() {
    for (text, expected) in [
        ("600", 600),
        ("600\n", 600),
        (" 600 \n", 600),
        ("\t\u{b}\u{c}\r600\n", 600),
        ("0\n", 0),
        ("0x258\n", 600),
        ("0X258\n", 600),
        ("0600\n", 384),
        ("00\n", 0),
        ("600 700\n", 600),
        ("600 # note\n", 600),
        ("7\n8\n", 7),
        ("8589934\n", 8_589_934),
    ] {
        assert_eq!(time(text), Some(expected), "{text:?}");
    }
    assert_eq!(write(Key::KeepaliveTime, b"\xa0600\n", HZ), Write::Set(600));
    for (text, expected) in [("-1\n", -1), ("-600\n", -600), ("-0\n", 0), ("-0x10\n", -16)] {
        assert_eq!(time(text), Some(expected), "{text:?}");
        assert_eq!(probes(text), None, "{text:?}");
    }
    for (text, expected) in [("0\n", 0), ("9\n", 9), ("255\n", 255), ("011\n", 9), ("9 x\n", 9)] {
        assert_eq!(probes(text), Some(expected), "{text:?}");
    }
}

#[test]
fn what_the_kernel_refuses() {
    for text in [
        "",
        "\n",
        " ",
        "-\n",
        "-",
        "--1\n",
        "- 1\n",
        "+600\n",
        "600.5\n",
        "6e2\n",
        "600s\n",
        "\"600\"\n",
        "600#x\n",
        "600,700\n",
        "600\r\n",
        "600\0\n",
        "600\u{a0}\n",
        "08\n",
        "0x\n",
        "0xg\n",
        "0b1\n",
        "8589935\n",
        "18446744073709551616\n",
        "abc\n",
        "600\u{b}\n",
    ] {
        assert_eq!(time(text), None, "{text:?}");
        assert_eq!(probes(text), None, "{text:?}");
    }
    assert_eq!(probes("256\n"), None);
}

#[test]
fn a_number_of_21_characters_is_refused() {
    assert_eq!(time("00000000000000000600\n"), Some(384));
    assert_eq!(time("000000000000000000600\n"), None);
    assert_eq!(time("-0000000000000000600\n"), Some(-384));
    assert_eq!(time("-00000000000000000600\n"), None);
    assert_eq!(time("0x000000000000000258\n"), Some(600));
    assert_eq!(time("0x0000000000000000258\n"), None);
}

#[test]
fn only_the_first_page_counts() {
    assert_eq!(time(&format!("{}6\n", " ".repeat(4094))), Some(6));
    assert_eq!(time(&format!("{}6\n", " ".repeat(4095))), None);
    assert_eq!(time(&format!("{}65\n", " ".repeat(4094))), Some(6));
}

#[test]
fn the_bound_depends_on_hz() {
    for (hz, longest) in [(100, 21_474_836), (250, 8_589_934), (1000, 2_147_483)] {
        assert_eq!(Hz::from(hz).longest(), longest);
    }
    for (tick, hz) in [(4_000_000, 250), (1_000_000, 1000), (3_333_333, 300), (0, 250), (1, 250)] {
        assert_eq!(Hz::from_tick(tick), Hz(hz));
    }
}
