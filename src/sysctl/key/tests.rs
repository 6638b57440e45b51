use super::*;

fn normal(key: &str) -> String {
    String::from_utf8(normalise(key.as_bytes())).unwrap()
}

#[test]
fn the_first_separator_decides() {
    for (key, path) in [
        ("net.ipv4.x", "net/ipv4/x"),
        ("net/ipv4/x", "net/ipv4/x"),
        ("net.ipv4.conf.eth0/1.x", "net/ipv4/conf/eth0.1/x"),
        ("net/ipv4/conf/eth0.1/x", "net/ipv4/conf/eth0.1/x"),
        ("net/ipv4.x", "net/ipv4.x"),
        ("x", "x"),
        ("", ""),
    ] {
        assert_eq!(String::from_utf8(to_path(key.as_bytes())).unwrap(), path);
    }
}

#[test]
fn normalised_keys_have_one_spelling() {
    for key in [
        "net.ipv4.x",
        "/net/ipv4/x",
        "//net//ipv4/./x/",
        ".net.ipv4.x",
        "net..ipv4...x.",
        "net/ipv4/x/.",
        "net./.ipv4.x",
    ] {
        assert_eq!(normal(key), "net/ipv4/x", "{key}");
    }
    assert_eq!(normal("net/../net/x"), "net/../net/x");
    assert_eq!(normal("/"), "/");
    assert_eq!(normal("."), "/");
    assert_eq!(normal("./"), "/");
}

#[test]
fn a_part_that_is_too_long_ends_the_normalisation() {
    let long = "x".repeat(256);
    assert_eq!(normal(&format!("a//b//{long}//c")), format!("a/b/{long}//c"));
}
