use proptest::prelude::*;

use super::*;

const BESIDE: &str = "/etc/ssh/keepalive-policy.conf";

fn values() -> BTreeMap<Keyword, Value> {
    BTreeMap::from([
        (Keyword::TcpKeepAlive, Value::Bool(true)),
        (Keyword::ClientAliveInterval, Value::Number(120)),
    ])
}

fn inserted(main: &[u8], include: bool) -> Option<Vec<u8>> {
    let values = values();
    let text = Text { values: &values, policy: Path::new("/etc/keepalive-policy.toml") };
    let at = places(main, &Dialect::default())[0];
    text.insert(main, at, include.then_some(Path::new(BESIDE)))
}

fn stripped(main: &[u8]) -> Vec<u8> {
    strip(main, Path::new(BESIDE), &Dialect::default())
}

const BLOCK: &str = "# BEGIN keepalive-policy: written from /etc/keepalive-policy.toml; \
                     undone by `keepalive-policy restore`\nTCPKeepAlive yes\n\
                     ClientAliveInterval 120\n# END keepalive-policy\n";

#[test]
fn a_block_stands_before_the_first_directive() {
    for (above, below) in [
        ("", ""),
        ("", "Port 22\n"),
        ("# comment\n\n", "Port 22\n# more\n"),
        ("# comment\n \t\n", "# Include x\n  Include x"),
        ("# BEGIN x\nPort 22\n# END x\n", "UsePAM yes\n"),
        ("", "# BEGIN x\nPort 22\n# END x\n"),
        ("# only comments\n", ""),
        ("# one\n", "# the last line has no end"),
        ("\"\" \"\" ignored\n", "Match all\n"),
    ] {
        let main = format!("{above}{below}");
        let edited = inserted(main.as_bytes(), false).unwrap();
        assert_eq!(String::from_utf8(edited).unwrap(), format!("{above}{BLOCK}{below}"));
    }
}

#[test]
fn a_block_has_the_line_ends_of_its_file() {
    let edited = inserted(b"# c\r\n\r\nPort 22\r\n", true).unwrap();
    let include =
        format!("{}Include {BESIDE}\n# END keepalive-policy\n", &BLOCK[..BLOCK.len() - 23]);
    let expected = format!("# c\r\n\r\n{}Port 22\r\n", include.replace('\n', "\r\n"));
    assert_eq!(String::from_utf8(edited).unwrap(), expected);
}

#[test]
fn files_with_nul_or_bom_are_not_edited() {
    assert_eq!(inserted(b"Port 22\n# \0\n", false), None);
    assert_eq!(inserted(b"\xef\xbb\xbfPort 22\n", false), None);
}

#[test]
fn only_what_is_ours_is_taken_out() {
    let begin = "# BEGIN keepalive-policy: whatever";
    let end = "# END keepalive-policy";
    for (file, expected) in [
        (format!("a 1\n{begin}\nTCPKeepAlive yes\n{end}\nb 2\n"), "a 1\nb 2\n"),
        // Values that somebody changed in it are ours, lines that somebody added are not.
        (
            format!("{begin}\nclientaliveinterval=7 # me\nPort 22\n# c\n\n{end}\nb 2"),
            "Port 22\n# c\n\nb 2",
        ),
        (format!("{begin}\nInclude {BESIDE}\nInclude other\n{end}\n"), "Include other\n"),
        // Without its end a block goes as far as it can only be ours.
        (
            format!("{begin}\nTCPKeepAlive yes\nPort 22\nTCPKeepAlive no\n"),
            "Port 22\nTCPKeepAlive no\n",
        ),
        (format!("{begin}\nTCPKeepAlive yes\n{begin}\nTCPKeepAlive no\n{end}\nb 2\n"), "b 2\n"),
        (begin.to_owned(), ""),
        (format!("a 1\n{end}\nb 2\n"), "a 1\n# END keepalive-policy\nb 2\n"),
        (
            "# BEGIN keepalive-policy-other\n# BEGIN x\n".to_owned(),
            "# BEGIN keepalive-policy-other\n# BEGIN x\n",
        ),
    ] {
        assert_eq!(String::from_utf8(stripped(file.as_bytes())).unwrap(), expected, "{file}");
    }
}

#[test]
fn our_files_say_whose_they_are_and_how_to_undo_them() {
    let values = values();
    let text = Text { values: &values, policy: Path::new("/etc/kp\n.toml") };
    assert_eq!(
        String::from_utf8(text.drop_in(true, &Strangers::default())).unwrap(),
        "# Written by keepalive-policy from /etc/kp?.toml; a change made here is undone.\n\
         # To undo this file: change the policy, or run `keepalive-policy restore`.\n\
         TCPKeepAlive yes\n\
         ClientAliveInterval 120\n\
         # The first block that matches wins: these values hold in every block.\n\
         Match all\n\
         ClientAliveInterval 120\n"
    );
    assert!(has_header(&text.drop_in(false, &Strangers::default())));
    assert!(has_header(&text.beside(&Strangers::default())));
}

proptest! {
    #[test]
    fn what_is_put_in_can_be_taken_out(
        pieces in prop::collection::vec(
            prop_oneof![
                3 => prop::sample::select(vec![
                    "\n", "\r\n", "# c", "Port 22", "TCPKeepAlive no", "Match all", "\"", "=", " ",
                    "# END keepalive-policy", "\u{e9}", "ClientAliveInterval 5\n", "\x0c", "\\",
                ]).prop_map(|piece| piece.as_bytes().to_vec()),
                1 => prop::collection::vec(1_u8..=255, 0..6),
            ],
            0..12,
        ),
        include in any::<bool>(),
    ) {
        let main = pieces.concat();
        prop_assume!(!main.starts_with(b"\xef\xbb\xbf"));
        prop_assert_eq!(&stripped(&main), &main);
        let edited = inserted(&main, include).unwrap();
        prop_assert!(has_block(&edited));
        prop_assert_eq!(stripped(&edited), main);
    }
}

#[test]
fn lines_of_others_in_a_file_of_ours_are_told_from_ours() {
    let values = BTreeMap::from([(Keyword::ClientAliveInterval, Value::Number(120))]);
    let text = Text { values: &values, policy: Path::new("/p") };
    let dialect = Dialect::default();
    let bare = String::from_utf8(text.drop_in(true, &Strangers::default())).unwrap();
    assert_eq!(strangers(bare.as_bytes(), &dialect), Strangers::default());
    // Theirs, and what is left of them when ours is taken out.
    let table = [
        ("{ours}\n\n", ""),
        ("{ours}ClientAliveInterval 7\nclientalivecountmax=1\n", ""),
        ("{ours}X11Forwarding no", "Match all\nX11Forwarding no\n"),
        ("# a remark\n{ours}", "# a remark\n"),
        (
            "{ours}Match User bob\nClientAliveInterval 7\n\n# why\n",
            "Match User bob\nClientAliveInterval 7\n\n# why\n",
        ),
        ("{ours}Match all\nPort 22\n", "Match all\nPort 22\n"),
    ];
    for (template, left) in table {
        let content = match template.strip_prefix("# a remark\n") {
            Some(_) => bare.replacen("\n# To undo", "\n# a remark\n# To undo", 1),
            None => template.replace("{ours}", &bare),
        };
        let found = strangers(content.as_bytes(), &dialect);
        assert_eq!(String::from_utf8(found.alone(MATCH_ALL)).unwrap(), left, "{template}");
        for beat in [true, false] {
            let anew = text.drop_in(beat, &found);
            let again = strangers(&anew, &dialect);
            assert_eq!(again.alone(MATCH_ALL), found.alone(MATCH_ALL), "{template}");
            assert_eq!(text.drop_in(beat, &again), anew, "written once: {template}");
        }
    }
}
