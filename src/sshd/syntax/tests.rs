use super::*;

fn prefixed(text: &[u8]) -> String {
    String::from_utf8(prefix_includes(text, b"/s")).unwrap()
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
    let file = prefix_includes(b"Include /x\n", prefix);
    let directives = directives(&file, &Dialect::default());
    let pattern = &directives[0].arguments.as_ref().unwrap()[0];
    assert_eq!(pattern.bytes, b"/a b\t\\*\\?\\[\\]\\\\'\"#/x");
}
