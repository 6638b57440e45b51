use super::*;
use crate::sysctl::glob;

#[test]
fn paths_lead_where_open_would_follow_them() {
    for path in [
        "/proc/sys/net/ipv4/tcp_keepalive_time",
        "/proc/sys//net/./ipv4//tcp_keepalive_time",
        "/proc/sys/net/../net/ipv4/tcp_keepalive_time",
        "/proc/sys/../../../proc/sys/net/ipv4/tcp_keepalive_time",
        "/proc/sys/kernel/../net/ipv4/tcp_keepalive_time",
    ] {
        assert_eq!(setting(path.as_bytes()), Some(Key::KeepaliveTime), "{path}");
    }
    for path in [
        "/proc/sys/net/ipv4/tcp_keepalive_time/",
        "/proc/sys/net/ipv4/tcp_keepalive_time/.",
        "/proc/sys/net/ipv4/tcp_keepalive_time/../tcp_keepalive_time",
        "/proc/sys/net/ipv4/TCP_KEEPALIVE_TIME",
        "/proc/sys/nowhere/../net/ipv4/tcp_keepalive_time",
        "/proc/sys/",
        "",
    ] {
        assert_eq!(setting(path.as_bytes()), None, "{path}");
    }
    let long = format!("/proc/sys/{}net/ipv4/tcp_keepalive_time", "./".repeat(2100));
    assert_eq!(setting(long.as_bytes()), None);
}

#[track_caller]
fn found(pattern: &str, dots: bool, expected: &[&str]) {
    let pattern = format!("/proc/sys/{pattern}");
    let found: Vec<String> = glob::paths(&ProcSys { dots }, pattern.as_bytes(), true)
        .into_iter()
        .map(|path| String::from_utf8(path).unwrap().replacen("/proc/sys/", "", 1))
        .collect();
    assert_eq!(found, expected, "{pattern}");
}

#[test]
fn patterns_find_what_glob_finds() {
    let time = "net/ipv4/tcp_keepalive_time";
    found("net/ipv4/tcp_keepalive_t*", false, &[time]);
    found("n*/ipv4/tcp_keepalive_time", false, &[time]);
    found("net/ipv4/{tcp_keepalive_time,x}", false, &[time]);
    found("{net/ipv4/.,x}/tcp_keepalive_t*", false, &["net/ipv4/./tcp_keepalive_time"]);
    found("n*//ipv4/tcp_keepalive_time", false, &["net//ipv4/tcp_keepalive_time"]);
    found("net/ipv\\4/tcp_keepalive_t*", false, &[time]);
    found("net/ipv4/tcp_keepalive_\\t*", false, &[time]);
    // Measured: a slash at the end leaves only directories, but a plain name is not looked at.
    found("net/ipv4/tcp_keepalive_t*/", false, &[]);
    found("net/*4/tcp_keepalive_time/", false, &[time]);
    found("net/ip*/", false, &["net/ipv4/"]);
    found(".*/sys/net/ipv4/tcp_keepalive_time", true, &["../sys/net/ipv4/tcp_keepalive_time"]);
    found(".*/sys/net/ipv4/tcp_keepalive_time", false, &[]);
    found("net/ipv4/tcp_keepalive_tim[e", false, &[]);
}

#[test]
fn a_pattern_that_doubles_with_every_part_ends() {
    let pattern = format!("/proc/sys/{}net", ".*/".repeat(60));
    assert!(glob::paths(&ProcSys { dots: true }, pattern.as_bytes(), false).len() < 10_000);
}
