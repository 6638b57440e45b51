use super::*;
use crate::sshd::syntax::directives;

fn parsed(line: &str, version: (u16, u16)) -> Result<Criteria, BadMatch> {
    let dialect = Dialect::of(version.0, version.1);
    parse(directives(line.as_bytes(), &dialect).first().unwrap(), &dialect)
}

fn shown(line: &str, version: (u16, u16)) -> String {
    match parsed(line, version) {
        Ok(criteria) if criteria.is_empty() => "all".to_owned(),
        Ok(criteria) => criteria.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Err(bad) => format!("! {bad}"),
    }
}

#[test]
fn criteria_are_read_by_the_keywords_tokeniser_up_to_9_8() {
    for (line, expected) in [
        ("Match all", "all"),
        ("Match ALL # c", "all"),
        ("Match all \"\"", "all"),
        ("match user bob", "User bob"),
        ("Match User=bob", "User bob"),
        ("Match User = bob", "User bob"),
        ("Match User \"bob\" Host web1", "User bob Host web1"),
        ("Match User \"ro\"ot", "! Match ot has nothing to compare with"),
        ("Match User \"a b\"", "User \"a b\""),
        ("Match User 'bob'", "User \"'bob'\""),
        ("Match User bob # c", "User bob"),
        ("Match User bob#c", "User \"bob#c\""),
        ("Match User bob \"\"", "User bob"),
        ("Match User bob \"\" Host x", "! extra arguments at the end of the Match line"),
        ("Match LocalPort 22 RDomain blue", "LocalPort 22 RDomain blue"),
        ("Match Address 10.0.0.0/8,!10.1.0.0/16", "Address 10.0.0.0/8,!10.1.0.0/16"),
        ("Match Address 10.0.0.300/8", "Address 10.0.0.300/8"),
        ("Match # c", "! Match needs at least one criterion"),
        ("Match \"\" User bob", "! Match needs at least one criterion"),
        ("Match User", "! Match User has nothing to compare with"),
        ("Match User # c", "! Match User has nothing to compare with"),
        ("Match User==bob", "! Match User has nothing to compare with"),
        ("Match all User bob", "! 'all' cannot be combined with other criteria"),
        ("Match User bob all", "! 'all' cannot be combined with other criteria"),
        ("Match Tagged x", "! Tagged is no criterion of Match"),
        ("Match invalid-user", "! Match invalid-user has nothing to compare with"),
        ("Match version x", "! version is no criterion of Match"),
        ("Match Address 10.0.0.1/8", "! '10.0.0.1/8' is not valid for Match Address"),
        ("Match Address 10.0.0.0/33", "! '10.0.0.0/33' is not valid for Match Address"),
        ("Match Address 10.0.0.0/8,", "! '10.0.0.0/8,' is not valid for Match Address"),
        ("Match LocalPort 65536", "! '65536' is not valid for Match LocalPort"),
        ("Match LocalPort ssh", "LocalPort ssh"),
    ] {
        assert_eq!(shown(line, (9, 2)), expected, "{line}");
    }
}

#[test]
fn criteria_are_read_as_arguments_since_9_9() {
    for (line, version, expected) in [
        ("Match User 'bob'", (9, 9), "User bob"),
        ("Match User a\\ b", (9, 9), "User \"a b\""),
        ("Match User=bob", (9, 9), "! Match User=bob has nothing to compare with"),
        ("Match User=bob Host x", (9, 9), "! User=bob is no criterion of Match"),
        ("Match User=bob", (10, 0), "User bob"),
        ("Match User = bob", (10, 0), "! Match bob has nothing to compare with"),
        ("Match User=", (10, 0), "! Match User has nothing to compare with"),
        ("Match invalid-user", (9, 9), "invalid-user"),
        ("Match version OpenSSH_10*", (10, 0), "version OpenSSH_10*"),
        ("Match version OpenSSH_10*", (9, 9), "! version is no criterion of Match"),
        ("Match User bob # c", (10, 0), "User bob"),
        ("Match all # c", (10, 0), "all"),
        ("Match all \"\"", (10, 0), "all"),
        ("Match User bob \"#c\" x", (10, 0), "User bob"),
        ("Match \"\" User bob", (10, 0), "!  is no criterion of Match"),
    ] {
        assert_eq!(shown(line, version), expected, "{line} {version:?}");
    }
}

#[test]
fn up_to_8_6_a_comment_may_begin_anywhere() {
    assert_eq!(shown("Match User bob#c", (8, 4)), "User bob");
    assert_eq!(shown("Match all x", (8, 4)), "! 'all' cannot be combined with other criteria");
}

fn bob() -> Connection {
    let bytes = |text: &str| Some(text.as_bytes().to_vec());
    Connection {
        user: bytes("bob"),
        groups: Some(vec![b"staff".to_vec(), b"wheel".to_vec()]),
        host: bytes("Web1.example.org"),
        address: bytes("192.0.2.7"),
        local_address: bytes("2001:db8::1"),
        local_port: Some(22),
        rdomain: None,
    }
}

#[test]
fn connections_meet_patterns_as_sshd_matches_them() {
    for (criteria, expected) in [
        ("User bob", true),
        ("User BOB", false),
        ("User b*", true),
        ("User ?ob", true),
        ("User alice,bob", true),
        ("User !bob", false),
        ("User !alice", false),
        ("User !alice,*", true),
        ("User *,!bob", false),
        ("User \"alice, bob\"", false),
        ("User b**b", true),
        ("User bob Host web2", false),
        ("Group wheel", true),
        ("Group wheel,!staff", false),
        ("Group !root,*", true),
        ("Group root", false),
        ("Host WEB1.*", true),
        ("Host *.example.org", true),
        ("Host web2.*,*.com", false),
        ("Address 192.0.2.0/24", true),
        ("Address 192.0.2.7", true),
        ("Address 192.0.2.*", true),
        ("Address 192.0.2.0/24,!192.0.2.7", false),
        ("Address 10.0.0.0/8", false),
        ("Address 0xc0.0.2.7", true),
        ("Address 192.0.519", true),
        ("Address 192.0.2.0/25,192.0.2.128/25", true),
        ("Address 0.0.0.0/0", true),
        ("Address ::/0", false),
        ("LocalAddress 2001:db8::/32", true),
        ("LocalAddress 2001:db8:0::1", true),
        ("LocalAddress 2001:db9::/32", false),
        ("LocalPort 22", true),
        ("LocalPort 2222", false),
        ("RDomain *", false),
    ] {
        let criteria_read = parsed(&format!("Match {criteria}"), (9, 2)).unwrap();
        let met = bob().meets(&criteria_read, &Dialect::default());
        assert_eq!(met, Some(expected), "{criteria}");
    }
}

#[test]
fn what_is_not_known_of_a_connection_leaves_it_open() {
    let unknown = Connection { groups: None, ..bob() };
    let meets = |line: &str| unknown.meets(&parsed(line, (9, 2)).unwrap(), &Dialect::default());
    assert_eq!(meets("Match Group wheel"), None);
    assert_eq!(meets("Match Group wheel User alice"), Some(false));
    assert_eq!(meets("Match LocalPort ssh"), None);
}

#[test]
fn nobody_can_meet_a_list_of_negations() {
    let is_possible = |line: &str, version: (u16, u16)| {
        let dialect = Dialect::of(version.0, version.1);
        possible(parsed(line, version).unwrap(), &dialect).map(|demands| demands.len())
    };
    assert_eq!(is_possible("Match User !bob", (9, 2)), None);
    assert_eq!(is_possible("Match Address !10.0.0.0/8,!192.0.2.1", (9, 2)), None);
    assert_eq!(is_possible("Match User !bob,*", (9, 2)), Some(1));
    assert_eq!(is_possible("Match all", (9, 2)), Some(0));
    assert_eq!(is_possible("Match version OpenSSH_10.*", (10, 0)), Some(0));
    assert_eq!(is_possible("Match version OpenSSH_9.*", (10, 0)), None);
}

#[test]
fn some_blocks_are_in_force_from_the_start() {
    let at_start = |line: &str, version: (u16, u16)| {
        met_at_start(&parsed(line, version).unwrap(), &Dialect::of(version.0, version.1))
    };
    assert!(at_start("Match all", (9, 2)));
    assert!(!at_start("Match User *", (9, 2)));
    assert!(at_start("Match version OpenSSH_10*", (10, 0)));
    assert!(!at_start("Match version OpenSSH_10* User bob", (10, 0)));
    assert!(at_start("Match invalid-user", (9, 9)));
    assert!(!at_start("Match invalid-user", (10, 0)));
}

#[test]
fn releases_differ_in_masks_and_stars() {
    for (line, version, expected) in [
        ("Match Address ::/129", (9, 2), Some(false)),
        ("Match Address ::/129", (10, 0), None),
        ("Match Address 192.0.2.0/+24", (9, 2), Some(false)),
        ("Match Address 192.0.2.0/+24", (10, 0), Some(true)),
        ("Match Address 192.0.2.0/24x,*", (10, 0), Some(true)),
        ("Match User bob**", (8, 4), Some(false)),
        ("Match User bob**", (8, 5), Some(true)),
        ("Match User bo**", (8, 4), Some(true)),
        ("Match User b**b", (8, 4), Some(true)),
    ] {
        let dialect = Dialect::of(version.0, version.1);
        let met = parsed(line, version).ok().and_then(|criteria| bob().meets(&criteria, &dialect));
        assert_eq!(met, expected, "{line} {version:?}");
    }
}
