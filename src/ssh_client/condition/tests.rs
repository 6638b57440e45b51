use super::*;
use crate::sshd::syntax;

fn parse(line: &str, dialect: &Dialect) -> Result<Condition, String> {
    let directives = syntax::directives(line.as_bytes(), dialect);
    Condition::parse(&directives[0], dialect)
}

fn met(line: &str, host: &str, dialect: &Dialect) -> Option<bool> {
    let subject = Subject {
        alias: Some(host.as_bytes()),
        host: Some(host.as_bytes()),
        original: host.as_bytes(),
        user: Some(b"alice"),
        local_user: None,
        final_pass: false,
    };
    parse(line, dialect).unwrap().is_met(&subject, dialect)
}

#[test]
fn lines_are_met_as_by_ssh() {
    let dialect = Dialect::default().of_client();
    for (line, host, expected) in [
        ("Host web* !web3", "web1", Some(true)),
        ("Host web* !web3", "web3", Some(false)),
        ("Host !web3", "web1", Some(false)),
        ("Host web1,web2", "web1", Some(false)),
        ("Host WEB1", "web1", Some(false)),
        ("Host WEB1", "WEB1", Some(true)),
        ("Match host web1,web2", "WEB1", Some(true)),
        ("Match !host web1", "web1", Some(false)),
        ("Match user alice host web1", "web1", Some(true)),
        ("Match localuser root", "web1", None),
        ("Match localuser root user bob", "web1", Some(false)),
        ("Match exec true", "web1", None),
        ("Match final all", "web1", Some(false)),
        ("Match all # why", "web1", Some(true)),
    ] {
        assert_eq!(met(line, host, &dialect), expected, "{line} for {host}");
    }
}

#[test]
fn lines_are_refused_in_the_words_of_ssh() {
    let older = Dialect::default().of_client();
    let newer = Dialect::of(10, 0).of_client();
    for (line, dialect, expected) in [
        ("Match host", &older, "Bad Match condition: Missing Match criteria for host"),
        ("Match tagged x", &older, "Bad Match condition: Unsupported Match attribute tagged"),
        ("Match a b", &newer, "Bad Match condition: Unsupported Match attribute a"),
        ("Match host h \"\" x", &older, "keyword match extra arguments at end of line"),
        (
            "Match host h user u all",
            &older,
            "Bad Match condition: 'all' cannot be combined with other Match attributes",
        ),
        ("Match \"\"", &older, "Bad Match condition: One or more attributes required for Match"),
        ("Host a \"\"", &older, "keyword host empty argument"),
    ] {
        assert_eq!(parse(line, dialect).unwrap_err(), expected, "{line}");
    }
}

#[test]
fn a_newer_ssh_takes_quotes_joined_words_and_more_criteria() {
    let newer = Dialect::of(10, 0).of_client();
    assert_eq!(met("Match host 'web1'", "web1", &newer), Some(true));
    assert_eq!(met("Match host=web1", "web1", &newer), Some(true));
    assert_eq!(met("Match version OpenSSH_10.*", "web1", &newer), Some(true));
    assert_eq!(met("Match command \"\"", "web1", &newer), None);
}

#[test]
fn what_all_meet_is_known_without_a_destination() {
    let dialect = Dialect::default().of_client();
    for (line, expected) in [
        ("Host *", [Some(true), Some(true)]),
        ("Host web* *", [Some(true), Some(true)]),
        ("Host * !web1", [None, None]),
        ("Host !web1", [Some(false), Some(false)]),
        ("Match all", [Some(true), Some(true)]),
        ("Match final all", [Some(false), Some(true)]),
        ("Match !canonical", [Some(true), Some(false)]),
        ("Match host *", [Some(true), Some(true)]),
        ("Match exec true", [None, None]),
    ] {
        let condition = parse(line, &dialect).unwrap();
        assert_eq!([false, true].map(|pass| condition.is_met_by_all(pass)), expected, "{line}");
        assert!(condition.to_string().len() >= line.len(), "{condition}");
    }
}
