use proptest::prelude::*;

use super::*;

fn prefixed(text: &[u8]) -> String {
    String::from_utf8(prefix_includes(text, b"/s", &Dialect::default())).unwrap()
}

/// Keyword, arguments and line of every directive, as one text.
fn shown(text: &[u8], dialect: &Dialect) -> String {
    let show = |directive: &Directive| {
        let keyword = directive.keyword.escape_ascii().to_string();
        let arguments = match &directive.arguments {
            Ok(arguments) => {
                arguments.iter().map(|one| format!("<{}>", one.bytes.escape_ascii())).collect()
            }
            Err(malformed) => format!("!{malformed}"),
        };
        format!("{}:{keyword}{arguments}", directive.line)
    };
    directives(text, dialect).iter().map(show).collect::<Vec<_>>().join(" ")
}

#[test]
fn lines_are_what_sshd_makes_of_bytes() {
    for (bytes, expected) in [
        (&b"K v\nL w"[..], "1:K<v> 2:L<w>"),
        (b"\n\n K v\r\n\tL w \x0c \r\n", "3:K<v> 4:L<w>"),
        // A NUL swallows the end of its line.
        (b"# note\0\nK v\nL w\n", "3:L<w>"),
        (b"K v\0x\nL w\n", "1:K<vL><w>"),
        (b"\0gone\nK v\n", "2:K<v>"),
        (b"K v\n\0\0\0\0", "1:K<v>"),
        (b"K\0\n v\n", "1:Kv!no argument after the keyword"),
        // Form feed and vertical tab are no blanks, but at the end of a line.
        (b"\x0c\n", "1:\\x0c!no argument after the keyword"),
        (b"\x0bK v\n", "1:\\x0bK<v>"),
        (b"K v\x0b\n", "1:K<v\\x0b>"),
        // One line, as far as sshd is concerned.
        (b"K v\rL w\r", "1:K<v\\rL><w>"),
        (b"\xef\xbb\xbfK v\n", "1:\\xef\\xbb\\xbfK<v>"),
        (b"\xef\xbb\xbf# c\n", "1:\\xef\\xbb\\xbf#<c>"),
        (b"K v \\\nL w\n", "1:K<v><\\\\> 2:L<w>"),
        (b"K \xff\n", "1:K<\\xff>"),
        (b"", ""),
        (b"\n", ""),
        (b" \t\r \n", ""),
    ] {
        assert_eq!(shown(bytes, &Dialect::default()), expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn keywords_are_split_as_strdelim_does() {
    for (text, expected) in [
        ("K=v", "1:K<v>"),
        ("K = v", "1:K<v>"),
        ("K =v", "1:K<v>"),
        ("K\t=\t v", "1:K<v>"),
        ("K==v", "1:K<=v>"),
        ("\"K\" v", "1:K<v>"),
        ("\"K\"v", "1:K<v>"),
        ("\"K\"=v", "1:K<=v>"),
        ("'K' v", "1:\\'K\\'<v>"),
        ("=K v", "1:K<v>"),
        ("= K=v", "1:K<v>"),
        ("\"\" K v", "1:K<v>"),
        ("\"\"K v", "1:K<v>"),
        ("==K v", ""),
        ("\"\" \"\" K v", ""),
        ("=", ""),
        ("\"", ""),
        ("\"K v", ""),
        ("K\"v", ""),
        ("K\"v\"", "1:Kv!no argument after the keyword"),
        ("K\"v\" w", "1:Kv<w>"),
        ("#K v", ""),
        ("\"#x\" v", ""),
        ("= # c", ""),
        ("K", "1:K!no argument after the keyword"),
        ("K ", "1:K!no argument after the keyword"),
        ("K=", "1:K!no argument after the keyword"),
        ("K # c", "1:K"),
        ("K \"\"", "1:K<>"),
    ] {
        assert_eq!(shown(text.as_bytes(), &Dialect::default()), expected, "{text}");
    }
}

#[test]
fn arguments_are_split_as_argv_split_does() {
    for (text, expected) in [
        ("K a b\tc", "1:K<a><b><c>"),
        ("K no # c", "1:K<no>"),
        ("K no#c", "1:K<no#c>"),
        ("K \"a #b\"", "1:K<a #b>"),
        ("K a \\# c", "1:K<a><\\\\#><c>"),
        ("K n'o'", "1:K<no>"),
        ("K 5\"m\"", "1:K<5m>"),
        ("K a\\ b 'c\\ d'", "1:K<a b><c\\\\ d>"),
        ("K \\'a\\\" \\\\ \\n", "1:K<\\'a\\\"><\\\\><\\\\n>"),
        ("K '\"' \"'\"", "1:K<\\\"><\\'>"),
        ("K no\r#", "1:K<no\\r#>"),
        ("K no \r#", "1:K<no><\\r#>"),
        ("K a' b", "1:K!a quote that is not closed"),
        ("K a # b'", "1:K<a>"),
        ("K ''", "1:K<>"),
        ("K a\\", "1:K<a\\\\>"),
    ] {
        assert_eq!(shown(text.as_bytes(), &Dialect::default()), expected, "{text}");
    }
}

#[test]
fn up_to_8_6_arguments_are_words_and_comments_begin_anywhere() {
    for (text, expected) in [
        ("K no#c", "1:K<no>"),
        ("K \"a #b\"\nL w", "1:K 2:L<w>"),
        ("K 'no'", "1:K<\\'no\\'>"),
        ("K 5= \"\" junk", "1:K<5>"),
        ("K a\\ b", "1:K<a\\\\><b>"),
        ("# note\0\nK v", "2:K<v>"),
        ("K v\0#\nL w", "1:K<vL><w>"),
    ] {
        assert_eq!(shown(text.as_bytes(), &Dialect::of(8, 4)), expected, "{text}");
    }
}

#[test]
fn include_patterns_move_below_the_prefix_and_nothing_else_changes() {
    for (before, after) in [
        ("Include /etc/ssh/sshd_config.d/*.conf\n", "Include /s/etc/ssh/sshd_config.d/*.conf\n"),
        ("Include x.d/*\r\n", "Include /s/etc/ssh/x.d/*\r\n"),
        (" include=\"/a b/c\" 'd' # /e\n", " include=/s\"/a b/c\" /s/etc/ssh/'d' # /e\n"),
        ("=Include /a\n", "=Include /s/a\n"),
        ("\"Include\"/a", "\"Include\"/s/a"),
        ("Include \"/a\n", "Include \"/a\n"),
        ("Include \"\" /a\n", "Include \"\" /s/a\n"),
        ("Include ~/a\n", "Include /s/~/a\n"),
        ("# Include /a\nBanner /b\n", "# Include /a\nBanner /b\n"),
        ("# \0\nInclude /a\nInclude /b\n", "# \0\nInclude /a\nInclude /s/b\n"),
        ("Inc\0 x\nlude /a\n", "Inc\0 x\nlude /s/a\n"),
        ("Include /a\0\nb\n", "Include /s/a\0\nb\n"),
    ] {
        assert_eq!(prefixed(before.as_bytes()), after);
    }
}

#[test]
fn a_prefix_is_literal_for_tokeniser_and_glob() {
    let prefix = b"/a b\t*?[]\\'\"#";
    let file = prefix_includes(b"Include /x\n", prefix, &Dialect::default());
    let directives = directives(&file, &Dialect::default());
    let pattern = &directives[0].arguments.as_ref().unwrap()[0];
    assert_eq!(pattern.bytes, b"/a b\t\\*\\?\\[\\]\\\\'\"#/x");
}

#[test]
fn lines_of_sshd_are_found_in_an_editor() {
    let file = b"one\n# two\0\nthree\nfour\n";
    let found = [1, 2, 3, 4].map(|line| editor_line(file, line, &Dialect::default()));
    assert_eq!(found, [1, 2, 4, 4]);
    assert_eq!(editor_line(b"\0gone\nbad\n", 1, &Dialect::default()), 2);
}

/// Bytes that mean something to sshd, among others.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        8 => prop::sample::select(b"\n\n\n \t\r\0\x0c\"'=#\\KkIv1".to_vec()),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..80)
}

proptest! {
    #[test]
    fn every_byte_belongs_to_one_line(bytes in text(), old in any::<bool>()) {
        let dialect = if old { Dialect::of(8, 4) } else { Dialect::default() };
        let mut end = 0;
        for line in lines(&bytes, &dialect) {
            prop_assert_eq!(line.span.start, end);
            prop_assert!(line.span.end > end);
            end = line.span.end;
            for (position, byte) in line.text.iter().enumerate() {
                prop_assert_eq!(bytes[line.offset(position)], *byte);
            }
        }
        prop_assert_eq!(end, bytes.len());
    }

    #[test]
    fn arguments_stand_where_they_say(bytes in text()) {
        for directive in directives(&bytes, &Dialect::default()) {
            prop_assert!(directive.line <= line::newlines(Some(&bytes)) + 1);
            for argument in directive.arguments.unwrap_or_default() {
                prop_assert!(directive.span.contains(&argument.start));
            }
        }
    }

    #[test]
    fn only_includes_are_moved(bytes in text(), files in prop::collection::vec("[a-z/*]{1,6}", 0..3)) {
        let mut file = bytes;
        for name in &files {
            file.extend_from_slice(format!("\nInclude {name}").as_bytes());
        }
        let moved = prefix_includes(&file, b"/s", &Dialect::default());
        let patterns = |bytes: &[u8]| -> Vec<Vec<u8>> {
            directives(bytes, &Dialect::default())
                .into_iter()
                .filter(|directive| directive.is("Include"))
                .flat_map(|directive| directive.arguments.unwrap_or_default())
                .filter(|argument| !argument.bytes.is_empty())
                .map(|argument| argument.bytes)
                .collect()
        };
        let expected: Vec<Vec<u8>> = patterns(&file)
            .iter()
            .filter_map(|pattern| {
                crate::sshd::evaluate::walk::absolute(pattern, &Dialect::default())
            })
            .map(|pattern| [b"/s", pattern.as_slice()].concat())
            .collect();
        prop_assert_eq!(patterns(&moved), expected);
        prop_assert_eq!(line::newlines(Some(&moved)), line::newlines(Some(&file)));
    }
}
