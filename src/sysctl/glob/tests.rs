use super::*;

#[track_caller]
fn check(pattern: &str, name: &str, expected: bool) {
    assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
}

#[test]
fn names_that_match() {
    for (pattern, name) in [
        ("*", "tcp"),
        ("t?p", "tcp"),
        ("**p", "tcp"),
        ("*c*", "tcp"),
        ("t[a-c]p", "tcp"),
        ("t[!x]p", "tcp"),
        ("t[^x]p", "tcp"),
        ("t[]c]p", "tcp"),
        ("t[]]p", "t]p"),
        ("t[c-]p", "t-p"),
        ("t[[:alpha:]]p", "tcp"),
        ("t[[.c.]]p", "tcp"),
        ("t[[=c=]x]p", "tcp"),
        ("t[[:alpha:][:digit:]]p", "t4p"),
        ("t[\\c]p", "tcp"),
        ("\\tcp", "tcp"),
        ("\\*", "*"),
        ("[tcp", "[tcp"),
        (".*", ".x"),
        ("*.x", "a.x"),
        ("a*b*c", "aXbYbZc"),
    ] {
        check(pattern, name, true);
    }
}

#[test]
fn names_that_do_not_match() {
    for (pattern, name) in [
        ("", "tcp"),
        ("t", "tcp"),
        ("tcp?", "tcp"),
        ("t[z-a]p", "tcp"),
        ("t[!a-z]p", "tcp"),
        ("t[[:digit:]]p", "tcp"),
        ("t[[:nope:]]p", "tcp"),
        ("*", ".x"),
        ("?x", ".x"),
        ("[.]x", ".x"),
        ("tcp\\", "tcp"),
        ("{a,b}", "a"),
        ("T*", "tcp"),
    ] {
        check(pattern, name, false);
    }
}

fn alternatives_of(pattern: &str) -> Vec<String> {
    alternatives(pattern.as_bytes())
        .into_iter()
        .map(|alternative| String::from_utf8(alternative).unwrap())
        .collect()
}

#[test]
fn braces() {
    assert_eq!(alternatives_of("a{b,c}d"), ["abd", "acd"]);
    assert_eq!(alternatives_of("{a,b}{c,}"), ["ac", "a", "bc", "b"]);
    assert_eq!(alternatives_of("{a,{b,c}d}"), ["a", "bd", "cd"]);
    assert_eq!(alternatives_of("{a}"), ["a"]);
    for literal in ["{a,b", "a}b", "a\\{b,c}", "{a\\"] {
        assert_eq!(alternatives_of(literal), [literal]);
    }
}

#[test]
fn an_explosion_of_braces_is_cut_short() {
    assert!(alternatives("{a,b}".repeat(60).as_bytes()).len() <= NAMES);
    assert!(alternatives("{a}".repeat(10_000).as_bytes()).is_empty());
}

fn names_in(pattern: &str, listed: &[&str]) -> Vec<String> {
    names(pattern.as_bytes(), listed.iter().map(|name| name.as_bytes()))
        .into_iter()
        .map(|name| String::from_utf8(name).unwrap())
        .collect()
}

#[test]
fn a_file_name_is_a_pattern() {
    let listed = ["50-[ab].conf", "50-a.conf", "50-b.conf", "x{1,2}.conf", ".h.conf"];
    assert_eq!(names_in("50-[ab].conf", &listed), ["50-a.conf", "50-b.conf"]);
    assert_eq!(names_in("50-[xy].conf", &listed), ["50-[xy].conf"]);
    assert_eq!(names_in("50-{b,a,c}.conf", &listed), ["50-b.conf", "50-a.conf"]);
    // None of the alternatives is there: the name as it is written.
    assert_eq!(names_in("x{1,2}.conf", &listed), ["x{1,2}.conf"]);
    assert_eq!(names_in("50\\-a.conf", &listed), ["50-a.conf"]);
    assert_eq!(names_in("?h.conf", &listed), ["?h.conf"]);
    assert_eq!(names_in("plain.conf", &[]), ["plain.conf"]);
}
