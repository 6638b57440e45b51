use super::*;

fn shown(keyword: Keyword, argument: &str, version: (u16, u16)) -> String {
    let dialect = Dialect::of(version.0, version.1);
    match parse(keyword, argument.as_bytes(), &dialect) {
        Ok(value) => value.to_string(),
        Err(_) => "refused".to_owned(),
    }
}

#[test]
fn tcp_keep_alive_is_yes_or_no() {
    for (argument, expected) in [
        ("yes", "yes"),
        ("no", "no"),
        ("YES", "yes"),
        ("No", "no"),
        ("true", "refused"),
        ("off", "refused"),
        ("1", "refused"),
        ("", "refused"),
        (" no", "refused"),
    ] {
        assert_eq!(shown(Keyword::TcpKeepAlive, argument, (9, 2)), expected, "{argument}");
    }
}

#[test]
fn true_and_false_are_words_of_some_releases() {
    // By a matrix of 106 value lines before the real sshd: 10.6 takes these, 10.0 refuses them.
    for (argument, expected) in
        [("true", "yes"), ("FALSE", "no"), ("yes", "yes"), ("on", "refused"), ("1", "refused")]
    {
        assert_eq!(shown(Keyword::TcpKeepAlive, argument, (10, 6)), expected, "{argument}");
    }
    assert_eq!(shown(Keyword::TcpKeepAlive, "true", (10, 0)), "refused");
}

#[test]
fn times_are_sums_with_units() {
    for (argument, expected) in [
        ("0", "0"),
        ("120", "120"),
        ("007", "7"),
        ("2m", "120"),
        ("2M", "120"),
        ("1h30m", "5400"),
        ("1m30", "90"),
        ("30s1m", "90"),
        ("1d", "86400"),
        ("1w", "604800"),
        ("5s5", "10"),
        ("+5", "5"),
        (" 5", "5"),
        ("1h+30m", "5400"),
        (" 1h 30m", "5400"),
        ("-0", "0"),
        ("2147483647", "2147483647"),
        ("2147483648", "refused"),
        ("3551w", "refused"),
        ("3550w4d", "2147385600"),
        ("99999999999999999999", "refused"),
        ("-1", "refused"),
        ("5 ", "refused"),
        ("5ms", "refused"),
        ("0x5", "refused"),
        ("m", "refused"),
        ("none", "refused"),
        ("1.5", "refused"),
        ("", "refused"),
        (" ", "refused"),
    ] {
        assert_eq!(shown(Keyword::ClientAliveInterval, argument, (9, 2)), expected, "{argument}");
    }
}

#[test]
fn releases_differ_in_odd_times() {
    for (argument, version, expected) in [
        ("4m5s", (8, 2), "540"),
        ("4m5", (8, 3), "540"),
        ("4m5s", (8, 4), "245"),
        ("2147483648", (8, 4), "-2147483648"),
        ("4294967295", (8, 4), "refused"),
        ("4294967296", (8, 4), "0"),
        ("2147483648", (8, 5), "refused"),
        ("+5", (9, 7), "5"),
        ("+5", (9, 8), "refused"),
        (" 5", (9, 8), "refused"),
        ("1h+30m", (10, 0), "refused"),
        ("5s5", (10, 2), "10"),
        ("5s5", (10, 3), "refused"),
        ("1.5", (10, 2), "refused"),
        ("1.5", (10, 3), "1"),
        ("1.5m", (10, 3), "refused"),
        ("1m30", (10, 3), "90"),
        ("2m", (10, 3), "120"),
    ] {
        let found = shown(Keyword::ClientAliveInterval, argument, version);
        assert_eq!(found, expected, "{argument} {version:?}");
    }
}

#[test]
fn counts_are_whole_numbers() {
    for (argument, expected) in [
        ("0", "0"),
        ("3", "3"),
        ("+3", "3"),
        (" 3", "3"),
        ("-0", "0"),
        ("003", "3"),
        ("2147483647", "2147483647"),
        ("2147483648", "refused"),
        ("-1", "refused"),
        ("3x", "refused"),
        ("3 ", "refused"),
        ("1m", "refused"),
        ("", "refused"),
    ] {
        assert_eq!(shown(Keyword::ClientAliveCountMax, argument, (9, 2)), expected, "{argument}");
    }
}
