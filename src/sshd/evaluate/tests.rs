use proptest::prelude::*;

use super::*;
use crate::sshd::tree::Entry;

const MAIN: &str = "/etc/ssh/sshd_config";

/// A tree of files below `/etc/ssh`; `name/` is a directory, `name@` a dangling link.
fn tree(files: &[(&str, &str)]) -> Tree {
    let mut entries = BTreeMap::new();
    for (name, text) in files {
        let path = PathBuf::from(format!("/etc/ssh/{}", name.trim_end_matches(['/', '@'])));
        let entry = match name.chars().last() {
            Some('/') => Entry::Directory,
            Some('@') => Entry::Dangling,
            _ => Entry::File { bytes: text.as_bytes().into(), real: path.clone() },
        };
        entries.insert(path, entry);
    }
    Tree { main: MAIN.into(), entries }
}

fn evaluated(files: &[(&str, &str)]) -> Evaluation {
    evaluate(&tree(files), &BTreeMap::new(), &Dialect::default())
}

fn show(effective: &Effective) -> String {
    let value = effective.value;
    match &effective.source {
        Some(source) => {
            let file = source.file.strip_prefix("/etc/ssh").unwrap();
            format!("{value} {}:{}", file.display(), source.line)
        }
        None => value.to_string(),
    }
}

/// The interval for everybody and in each context, or the first refusal.
fn intervals(files: &[(&str, &str)]) -> String {
    let evaluation = evaluated(files);
    if let Some(refusal) = evaluation.refusals.first() {
        return format!("! {}", refusal.message);
    }
    let keyword = Keyword::ClientAliveInterval;
    let mut all = vec![show(&evaluation.global(keyword))];
    for (context, effective) in evaluation.populations(keyword).all() {
        assert_eq!(effective, evaluation.for_population(keyword, &context.criteria));
        all.push(format!("{context}: {}", show(&effective)));
    }
    all.join("; ")
}

const INTERVAL_7: &str = "ClientAliveInterval 7\n";

#[test]
fn the_first_value_wins() {
    for (main, expected) in [
        ("", "0"),
        ("ClientAliveInterval 5\nClientAliveInterval 7\n", "5 sshd_config:1"),
        ("# c\n\n clientaliveinterval=1m", "60 sshd_config:3"),
        ("# \0\nClientAliveInterval 5\nClientAliveInterval 7\n", "7 sshd_config:3"),
        ("\"ClientAliveInterval 5\nClientAliveInterval 7\n", "7 sshd_config:2"),
    ] {
        assert_eq!(intervals(&[("sshd_config", main)]), expected, "{main}");
    }
}

#[test]
fn blocks_beat_what_stands_outside() {
    for (main, expected) in [
        ("ClientAliveInterval 5\nMatch all\nClientAliveInterval 7\n", "7 sshd_config:3"),
        (
            "ClientAliveInterval 5\nMatch User bob\nClientAliveInterval 7\n",
            "5 sshd_config:1; Match User bob: 7 sshd_config:3",
        ),
        (
            "Match User bob\nClientAliveInterval 7\nMatch all\nClientAliveInterval 9\n",
            "9 sshd_config:4; Match User bob: 7 sshd_config:2",
        ),
        (
            "Match all\nClientAliveInterval 9\nMatch User bob\nClientAliveInterval 7\n",
            "9 sshd_config:2; Match User bob: 9 sshd_config:2",
        ),
        (
            "Match User bob\nClientAliveInterval 7\nMatch User bob Host x\nClientAliveInterval 9\n",
            "0; Match User bob: 7 sshd_config:2; Match User bob Host x: 7 sshd_config:2",
        ),
        (
            "Match User bob\nBanner none\nmatch user=bob\nClientAliveInterval 7\nMatch User bob\nClientAliveInterval 8\n",
            "0; Match User bob: 7 sshd_config:4",
        ),
        ("Match User !bob\nClientAliveInterval 7\n", "0"),
        ("Match User bob\nMatch all\nClientAliveInterval 7\n", "7 sshd_config:3"),
        (
            "Match User a Host b\nClientAliveInterval 7\nMatch Host b User a\nClientAliveInterval 8\n",
            "0; Match User a Host b: 7 sshd_config:2",
        ),
        (
            "Match Host b User \"a b\"\nClientAliveInterval 7\n",
            "0; Match Host b User \"a b\": 7 sshd_config:2",
        ),
    ] {
        assert_eq!(intervals(&[("sshd_config", main)]), expected, "{main}");
    }
}

#[test]
fn includes_stand_in_place_of_their_line() {
    let tail = "\nClientAliveInterval 9\n";
    for (include, files, expected) in [
        ("Include d/*.conf", vec![("d/1.conf", INTERVAL_7)], "7 d/1.conf:1"),
        ("Include /etc/ssh/d/*.conf", vec![("d/1.conf", INTERVAL_7)], "7 d/1.conf:1"),
        (
            "Include d/2.conf d/1.conf",
            vec![("d/1.conf", INTERVAL_7), ("d/2.conf", "ClientAliveInterval 8")],
            "8 d/2.conf:1",
        ),
        (
            "Include d/*",
            vec![("d/9-a", INTERVAL_7), ("d/10-a", "ClientAliveInterval 8")],
            "8 d/10-a:1",
        ),
        ("Include nowhere/*.conf nowhere", vec![], "9 sshd_config:2"),
        ("Include d", vec![("d/", ""), ("d/1.conf", INTERVAL_7)], "9 sshd_config:2"),
        ("Include d/*", vec![("d/x@", "")], "! a symbolic link that leads nowhere"),
        ("Include sshd_config", vec![], "! too many levels of included files"),
        ("Include # c", vec![], "! Include names no file"),
        ("Include \"\"", vec![], "! Include has an empty argument"),
        // Blocks end with their file, and the includer's state comes back.
        (
            "Include d/*",
            vec![
                ("d/1", "Match User bob\nClientAliveInterval 7"),
                ("d/2", "ClientAliveCountMax 1"),
            ],
            "9 sshd_config:2; Match User bob: 7 d/1:2",
        ),
        // A cycle that passes sshd's start and then kills every login.
        (
            "Include d/*",
            vec![("d/1", ""), ("d/2", "Include d/*")],
            "! too many levels of included files",
        ),
    ] {
        let main = format!("{include}{tail}");
        let mut all = vec![("sshd_config", main.as_str())];
        all.extend(files);
        assert_eq!(intervals(&all), expected, "{include}");
    }
}

#[test]
fn included_files_are_in_the_block_of_their_line() {
    let main = "Match User bob\nInclude d/*\nMatch all\nInclude e/*\n";
    for (bob, all, expected) in [
        (INTERVAL_7, "", "0; Match User bob: 7 d/1:1"),
        ("Match all\nClientAliveInterval 7", "", "0; Match User bob: 7 d/1:2"),
        ("Match Host x\nClientAliveInterval 7", "", "0; Match User bob Host x: 7 d/1:2"),
        ("TCPKeepAlive no", "", "! TCPKeepAlive is not allowed in a Match block"),
        ("Match all\nTCPKeepAlive no", "", "! TCPKeepAlive is not allowed in a Match block"),
        (
            "ClientAliveInterval x",
            "",
            "! ClientAliveInterval: must be a time such as 120, 2m or 1h30m, at most 2147483647 seconds",
        ),
        ("", "TCPKeepAlive no\nClientAliveInterval 7", "7 e/1:2"),
        ("", "Match Host x\nClientAliveInterval 7", "0; Match Host x: 7 e/1:2"),
    ] {
        let files = [("sshd_config", main), ("d/1", bob), ("e/1", all)];
        assert_eq!(intervals(&files), expected, "{bob} / {all}");
    }
}

#[test]
fn sixteen_levels_are_read() {
    let names: Vec<String> = (0..=17).map(|level| format!("l{level}")).collect();
    let texts: Vec<String> = (0..=17).map(|level| format!("Include l{}", level + 1)).collect();
    let chain = |levels: usize| {
        let mut files = vec![("sshd_config", "Include l1")];
        files.extend((1..levels).map(|level| (names[level].as_str(), texts[level].as_str())));
        files.push((names[levels].as_str(), INTERVAL_7));
        intervals(&files)
    };
    assert_eq!(chain(16), "7 l16:1");
    assert_eq!(chain(17), "! too many levels of included files");
}

#[test]
fn files_that_multiply_are_given_up() {
    let names: Vec<String> = (0..=15).map(|level| format!("l{level}")).collect();
    let texts: Vec<String> =
        (0..=15).map(|level| format!("Include l{0} l{0} l{0}", level + 1)).collect();
    let mut files = vec![("sshd_config", "Include l0")];
    files.extend(names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())));
    assert_eq!(intervals(&files), "! included files multiply beyond measure");
}

#[test]
fn tcp_keep_alive_and_its_alias_share_one_slot() {
    let keyword = Keyword::TcpKeepAlive;
    for (main, expected) in [
        ("KeepAlive no\nTCPKeepAlive yes\n", "no sshd_config:1"),
        ("TCPKeepAlive yes\nKeepAlive no\n", "yes sshd_config:1"),
        ("Match all\nTCPKeepAlive no\n", "no sshd_config:2"),
        ("TCPKeepAlive yes\nMatch all\nTCPKeepAlive no\n", "yes sshd_config:1"),
    ] {
        let evaluation = evaluated(&[("sshd_config", main)]);
        assert_eq!(evaluation.refusals, [], "{main}");
        assert_eq!(show(&evaluation.global(keyword)), expected, "{main}");
        assert_eq!(evaluation.populations(keyword).all(), []);
    }
    let refused = evaluated(&[("sshd_config", "Match User bob\nKeepAlive no\n")]);
    assert_eq!(refused.refusals[0].message, "TCPKeepAlive is not allowed in a Match block");
    assert_eq!(refused.refusals[0].line, Some(2));
}

#[test]
fn bad_lines_are_refused_wherever_they_stand() {
    for line in [
        "ClientAliveInterval",
        "ClientAliveInterval 5 6",
        "ClientAliveInterval # c",
        "ClientAliveInterval '5",
        "ClientAliveCountMax 1m",
        "Banner 'x",
    ] {
        for context in ["", "ClientAliveInterval 1\nClientAliveCountMax 1\n", "Match User !*\n"] {
            let main = format!("{context}{line}\n");
            let evaluation = evaluated(&[("sshd_config", &main)]);
            assert_eq!(evaluation.refusals.len(), 1, "{main}");
        }
    }
}

#[test]
fn options_of_the_command_line_beat_files_but_no_block() {
    let preset = BTreeMap::from([(Keyword::ClientAliveInterval, Value::Number(3))]);
    let with = |main: &str| {
        let tree = tree(&[("sshd_config", main)]);
        let evaluation = evaluate(&tree, &preset, &Dialect::default());
        show(&evaluation.global(Keyword::ClientAliveInterval))
    };
    assert_eq!(with("ClientAliveInterval 5\n"), "3");
    assert_eq!(with("Match all\nClientAliveInterval 5\n"), "5 sshd_config:2");
}

#[test]
fn sshd_8_2_forgets_blocks_of_early_includes() {
    let main = "Include /etc/ssh/d/*\nMatch User bob\nInclude /etc/ssh/d/*\n";
    let tree = tree(&[("sshd_config", main), ("d/1", "Match all\nClientAliveInterval 7\n")]);
    let contexts = |version: (u16, u16)| {
        let dialect = Dialect::of(version.0, version.1);
        let evaluation = evaluate(&tree, &BTreeMap::new(), &dialect);
        evaluation.in_blocks.iter().map(|one| one.criteria.len()).collect::<Vec<_>>()
    };
    assert_eq!(contexts((8, 2)), [1]);
    assert_eq!(contexts((8, 3)), [1]);
    assert_eq!(contexts((8, 4)), [0, 1]);
}

#[test]
fn a_connection_gets_the_first_block_that_it_meets() {
    let main = "ClientAliveInterval 1\nMatch Group wheel\nClientAliveInterval 2\n\
                Match User bob\nClientAliveInterval 3\nMatch Host x\nClientAliveInterval 3\n";
    let evaluation = evaluated(&[("sshd_config", main)]);
    let value = |user: &str, groups: Option<Vec<Vec<u8>>>, host: &str| {
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        let connection =
            Connection { user: bytes(user), groups, host: bytes(host), ..Connection::default() };
        let keyword = Keyword::ClientAliveInterval;
        evaluation
            .for_connection(keyword, &connection, &Dialect::default())
            .map(|effective| effective.value)
    };
    let known = || Some(vec![b"wheel".to_vec()]);
    assert_eq!(value("bob", known(), "x"), Some(Value::Number(2)));
    assert_eq!(value("bob", Some(Vec::new()), "y"), Some(Value::Number(3)));
    assert_eq!(value("eve", Some(Vec::new()), "y"), Some(Value::Number(1)));
    assert_eq!(value("bob", None, "y"), None);
}

/// Fragments of configurations, and raw bytes between them.
fn anything() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        6 => prop::sample::select(vec![
            "\nInclude ", "\nMatch ", "\nClientAliveInterval ", "\nTCPKeepAlive ", "all", "User",
            " bob", "d/*", "/etc/ssh/d/[a-", "[[:digit:]]", "**", "\\", "\"", "'", "=", "#", "\n",
            "1h", "99999999999999999999", "-", " ", "\0", "Address ", "10.0.0.0/8", "::/129", "!*,",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(fragment, 0..16).prop_map(|fragments| fragments.concat())
}

proptest! {
    #[test]
    fn no_configuration_makes_it_panic(
        main in anything(),
        one in anything(),
        version in prop::sample::select(vec![(7, 9), (8, 2), (8, 4), (9, 2), (9, 9), (10, 3)]),
    ) {
        let entry = |bytes: Vec<u8>, path: &str| Entry::File { bytes: bytes.into(), real: path.into() };
        let entries = BTreeMap::from([
            (PathBuf::from(MAIN), entry(main, MAIN)),
            ("/etc/ssh/d/a1".into(), entry(one, "/etc/ssh/d/a1")),
        ]);
        let dialect = Dialect::of(version.0, version.1);
        let tree = Tree { main: MAIN.into(), entries };
        let evaluation = evaluate(&tree, &BTreeMap::new(), &dialect);
        for keyword in Keyword::ALL {
            // The population of a block has the block's own value or an earlier one.
            for (context, effective) in evaluation.populations(keyword).all() {
                prop_assert!(effective.source.is_some());
                prop_assert_eq!(effective, evaluation.for_population(keyword, &context.criteria));
            }
            let nobody = Connection { groups: Some(Vec::new()), ..Connection::default() };
            prop_assert!(evaluation.for_connection(keyword, &nobody, &dialect).is_some());
        }
    }
}
