use super::*;

fn text(file: &str, at: usize, condition: Condition) -> String {
    let values = BTreeMap::from([(Keyword::ServerAliveInterval, Value::Number(120))]);
    let dialect = Dialect::default().of_client();
    let text = Text { values: &values, policy: Path::new("/p.toml"), dialect: &dialect };
    String::from_utf8(text.for_user(file.as_bytes(), at, condition)).unwrap()
}

fn stripped(file: &str) -> String {
    let dialect = Dialect::default().of_client();
    String::from_utf8(strip_for_user(file.as_bytes(), &dialect)).unwrap()
}

#[test]
fn the_users_block_stands_at_the_end_and_comes_out_again() {
    let file = "Host web1\n    User bob\n";
    let edited = text(file, file.len(), Condition::Always);
    assert_eq!(
        edited,
        "Host web1\n    User bob\n# BEGIN keepalive-policy: written from /p.toml; undone by \
         `keepalive-policy client restore`\nHost *\n    ServerAliveInterval 120\n\
         # END keepalive-policy\n"
    );
    assert_eq!(stripped(&edited), file);
}

#[test]
fn a_file_with_crlf_keeps_it() {
    let file = "Host web1\r\n    User bob\r\n";
    let edited = text(file, file.len(), Condition::Finally);
    assert!(edited.contains("Match final all\r\n    ServerAliveInterval 120\r\n"), "{edited}");
    assert_eq!(edited.matches('\n').count(), edited.matches("\r\n").count());
    assert_eq!(stripped(&edited), file);
}

#[test]
fn lines_that_were_appended_below_the_block_stay_for_everybody() {
    let file = "Host web1\n    User bob\n";
    let edited = text(file, file.len(), Condition::Always);
    assert_eq!(
        stripped(&(edited.clone() + "Compression yes\n")),
        "Host web1\n    User bob\nHost *\nCompression yes\n"
    );
    assert_eq!(stripped(&(edited.clone() + "Host c\n")), "Host web1\n    User bob\nHost c\n");
    // Outside all blocks there is nothing that they could fall into.
    assert_eq!(
        stripped(&(text("", 0, Condition::Always) + "Compression yes\n")),
        "Compression yes\n"
    );
}

#[test]
fn lines_that_were_added_inside_the_block_stay() {
    let edited = text("", 0, Condition::Always).replace("# END", "    Compression yes\n# END");
    assert_eq!(stripped(&edited), "    Compression yes\n");
}

#[test]
fn a_file_of_ours_is_recognised_also_when_it_was_emptied_of_its_header() {
    let dialect = Dialect::default().of_client();
    for (content, expected) in [
        ("# Written by keepalive-policy from x\nUser y\n", true),
        ("Host *\nServerAliveInterval 0\n", true),
        ("", true),
        ("User bob\n", false),
    ] {
        assert_eq!(is_ours(content.as_bytes(), &dialect), expected, "{content}");
    }
}

#[test]
fn lines_of_others_in_a_drop_in_of_ours_stay() {
    let values = BTreeMap::from([(Keyword::ServerAliveInterval, Value::Number(120))]);
    let dialect = Dialect::default().of_client();
    let text = Text { values: &values, policy: Path::new("/p"), dialect: &dialect };
    let bare = String::from_utf8(text.drop_in(&Strangers::default())).unwrap();
    assert_eq!(strangers(bare.as_bytes(), &dialect), Strangers::default());
    let theirs = "# why\nForwardAgent no\nHost a\nServerAliveInterval 5\n";
    let shared = format!("{bare}ServerAliveInterval 7\n{theirs}");
    let found = strangers(shared.as_bytes(), &dialect);
    assert_eq!(found.alone(b""), theirs.as_bytes());
    let anew = text.drop_in(&found);
    assert_eq!(String::from_utf8(anew.clone()).unwrap(), format!("{bare}{theirs}"));
    assert_eq!(text.drop_in(&strangers(&anew, &dialect)), anew);
}
