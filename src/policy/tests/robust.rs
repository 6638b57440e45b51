//! Whatever a file holds, it is judged, and every finding points into it.

use proptest::prelude::*;

use super::*;
use crate::policy::duration::{LONGEST, TimeError, seconds};
use crate::policy::spelling::nearest;

/// Judges, and holds the findings to what they promise about positions.
fn judge(bytes: &[u8]) -> Result<Policy, Rejection> {
    let judged = parse(bytes, Path::new("p.toml"));
    if let Err(rejection) = &judged {
        assert!(!rejection.findings.is_empty());
        let text = String::from_utf8_lossy(bytes);
        let lines: Vec<&str> = text.split('\n').collect();
        let mut last = (0, 0);
        for diagnostic in &rejection.findings {
            let (Some(line), Some(column)) = (diagnostic.line, diagnostic.column) else {
                assert!(diagnostic.message.ends_with("more findings are not shown"));
                continue;
            };
            assert!(last <= (line, column), "{rejection}");
            last = (line, column);
            assert!(column <= lines[line - 1].chars().count() + 1, "{rejection}");
        }
        serde_json::to_string(rejection).unwrap();
    }
    judged
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn arbitrary_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = judge(&bytes);
    }

    #[test]
    fn arbitrary_toml_is_judged(text in "([\\[\\]{}=.,\"'#\n\t ]|mode|net|ipv4|tcp_keepalive_time|\
        sysctl|sshd_config|ClientAliveInterval|path|hops|[0-9]|\\p{Any}){0,60}") {
        let _ = judge(text.as_bytes());
    }

    /// Bytes of the example overwritten, removed and put in.
    #[test]
    fn a_damaged_example_is_judged(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..3, any::<u8>()), 1..8),
    ) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for (index, edit, byte) in edits {
            let at = index.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        let _ = judge(&bytes);
    }

    /// Each line that is wrong in itself is reported, none twice, in the order of the file.
    #[test]
    fn every_wrong_line_is_reported_in_order(
        chosen in prop::collection::vec(0_usize..WRONG.len(), 1..40),
        right in prop::collection::vec(any::<bool>(), 40),
    ) {
        let mut text = String::from("[sshd_config]\n");
        let mut expected = Vec::new();
        for (at, (choice, right)) in chosen.iter().zip(right).enumerate() {
            if right {
                text.push_str("# a comment\n\n");
            }
            expected.push(text.matches('\n').count() + 1);
            text.push_str(&WRONG[*choice].replace('#', &at.to_string()));
            text.push('\n');
        }
        let rejection = judge(text.as_bytes()).unwrap_err();
        let lines: Vec<_> = rejection.findings.iter().filter_map(|found| found.line).collect();
        prop_assert_eq!(lines, expected, "{}", rejection);
    }

    #[test]
    fn times_are_the_sum_of_their_parts(w in 0_u32..50, d in 0_u32..50, h in 0_u32..500,
        m in 0_u32..5000, s in 0_u32..50_000) {
        let sum = (((w * 7 + d) * 24 + h) * 60 + m) * 60 + s;
        prop_assert_eq!(seconds(&format!("{w}w{d}D{h}h{m}m{s}")), Ok(sum));
        prop_assert_eq!(seconds(&format!("{s}s{m}M{h}H{d}d{w}W")), Ok(sum));
        prop_assert_eq!(seconds(&sum.to_string()), Ok(sum));
    }
}

/// Lines of `[sshd_config]`, `#` standing for a number, that are wrong whatever stands around them.
const WRONG: [&str; 6] = [
    "key# = 1",
    "TCPKeepAlive# = true",
    "a.b.c# = 'x'",
    "TCPKeepAlive yes",
    "key# = yes",
    "'käse#' = { a = [1, 2] }",
];

#[test]
fn the_time_to_judge_grows_with_the_size_alone() {
    let large = 256 * 1024;
    let start = std::time::Instant::now();
    for line in
        ["a\n", "[", "a.", "x={a=", "\"\n", "[a]\n", "a=1\n", "\u{feff}", "\0", "a = '", "[[a]]\n"]
    {
        let _ = judge(line.repeat(large / line.len()).as_bytes());
    }
    let keys: String = (0..10_000).map(|key| format!("ClientAliveIntervax{key}=1,")).collect();
    let _ = judge(format!("sshd_config = {{ {} }}", &keys[..keys.len() - 1]).as_bytes());
    // Catches a square, not a slow machine: this takes seconds, a square minutes.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn times_of_the_strict_dialect_only() {
    for (text, expected) in [
        ("120", Ok(120)),
        ("0", Ok(0)),
        ("007", Ok(7)),
        ("90s", Ok(90)),
        ("1h30m", Ok(5400)),
        ("1m30", Ok(90)),
        ("5m5M", Ok(600)),
        ("2147483647", Ok(LONGEST)),
        ("3550w", Ok(2_147_040_000)),
        ("2147483648", Err(TimeError::TooLong)),
        ("2147483647s1m", Err(TimeError::TooLong)),
        ("3551w", Err(TimeError::TooLong)),
        ("99999999999999999999", Err(TimeError::TooLong)),
        ("5s5", Err(TimeError::SecondsTwice)),
        ("1s1s", Err(TimeError::SecondsTwice)),
        ("", Err(TimeError::Syntax)),
        ("m", Err(TimeError::Syntax)),
        ("+5", Err(TimeError::Syntax)),
        ("-5", Err(TimeError::Syntax)),
        (" 5", Err(TimeError::Syntax)),
        ("5 ", Err(TimeError::Syntax)),
        ("1h+30m", Err(TimeError::Syntax)),
        ("1.5", Err(TimeError::Syntax)),
        ("5ms", Err(TimeError::Syntax)),
        ("0x5", Err(TimeError::Syntax)),
        ("none", Err(TimeError::Syntax)),
        ("٣", Err(TimeError::Syntax)),
    ] {
        assert_eq!(seconds(text), expected, "{text:?}");
    }
}

#[test]
fn the_nearest_name_is_a_slip_away() {
    let names = ["ClientAliveInterval", "ClientAliveCountMax", "hops", "sshd_config", "ssh_config"];
    for (written, meant) in [
        ("CLIENTALIVEINTERVAL", Some("ClientAliveInterval")),
        ("ClientAliveInterva", Some("ClientAliveInterval")),
        ("ClientAliveCount", Some("ClientAliveCountMax")),
        ("hop", Some("hops")),
        ("sshd", Some("sshd_config")),
        ("sshconfig", Some("ssh_config")),
        ("ho", None),
        ("", None),
        ("Port", None),
    ] {
        assert_eq!(nearest(written, &names), meant, "{written}");
    }
    assert_eq!(nearest("anything", &[]), None);
}

#[test]
fn findings_are_serialised_with_their_place() {
    let rejection = parse(b"mode = 1\nx = 2", Path::new("p.toml")).unwrap_err();
    assert_eq!(
        serde_json::to_string(&rejection).unwrap(),
        r#"{"findings":[{"file":"p.toml","line":1,"column":8,"message":"`mode` must be \"enforce\" or \"audit\", found 1"},{"file":"p.toml","line":2,"column":1,"message":"unknown key `x`, the policy takes mode, sysctl, sshd_config, ssh_config, path, objective, daemon, metrics, witness"}]}"#
    );
    let whole = Diagnostic::of_file(Path::new("p.toml"), "gone");
    assert_eq!(
        serde_json::to_string(&whole).unwrap(),
        r#"{"file":"p.toml","line":null,"column":null,"message":"gone"}"#
    );
}

#[test]
fn long_lines_and_long_lists_are_cut() {
    let keys: Vec<String> = (0..130).map(|key| format!("'k{key}'")).collect();
    let rejection =
        parse(format!("[path]\nhops = [{}]", keys.join(", ")).as_bytes(), Path::new("p"));
    let rejection = rejection.unwrap_err();
    assert_eq!(rejection.findings.len(), 101);
    let shown = rejection.to_string();
    assert!(shown.ends_with(
        "p:2:692: unknown hop \"k99\": describe one of your own as { name = \"k99\", idle = \"350s\", \
         tcp_keepalive = true }\n\
         …93', 'k94', 'k95', 'k96', 'k97', 'k98', 'k99', 'k100', 'k101', 'k102', 'k103', 'k104', \
         'k105', 'k106…\n                                         ^~~~~\n\
         p: 30 more findings are not shown"
    ), "{shown}");
    let long = refused(format!("{} = 1", "k".repeat(200)));
    assert_eq!(
        long,
        format!(
            "p.toml:1:1: unknown key `{}…(140 characters)…{}`, the policy takes mode, sysctl, \
             sshd_config, ssh_config, path, objective, daemon, metrics, witness\n{}…\n^{}",
            "k".repeat(30),
            "k".repeat(30),
            "k".repeat(100),
            "~".repeat(99)
        )
    );
}
