//! The facts about the loaders, one small tree each.

use proptest::prelude::*;

use super::*;
use crate::host::Host;
use crate::sysctl::tree::{Directory, Entry};

const HZ: u32 = 250;

/// Files by path; `-> target` is a link.
fn tree(files: &[(&str, &str)]) -> Tree {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = directory.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match content.strip_prefix("-> ") {
            Some(target) => std::os::unix::fs::symlink(target, path).unwrap(),
            None => crate::sysctl::tests::write(&path, content.as_bytes()),
        }
    }
    Tree::read(&Host::at(directory.path()))
}

fn time(tree: &Tree, loader: Loader, run: bool) -> Evaluation {
    let settings = evaluate(tree, Scope { loader, run }, HZ.into());
    settings.into_iter().find(|(key, _)| *key == Key::KeepaliveTime).unwrap().1
}

/// The time that each loader sets, with /run.
#[track_caller]
fn check(files: &[(&str, &str)], by_systemd: Option<i64>, by_procps: Option<i64>) {
    let tree = tree(files);
    let systemd = time(&tree, Loader::SystemdSysctl, true);
    let procps = time(&tree, Loader::Procps, true);
    assert_eq!((systemd.effective(), procps.effective()), (by_systemd, by_procps), "{files:?}");
}

/// Lines of one file, with KEY for the key.
#[track_caller]
fn lines(content: &str, by_systemd: Option<i64>, by_procps: Option<i64>) {
    let content = content.replace("KEY", "net.ipv4.tcp_keepalive_time");
    check(&[("/etc/sysctl.d/a.conf", &content)], by_systemd, by_procps);
}

const ONE: &str = "net.ipv4.tcp_keepalive_time = 1\n";
const TWO: &str = "net.ipv4.tcp_keepalive_time = 2\n";

#[test]
fn names_of_all_directories_are_in_one_byte_order() {
    for (first, second) in [
        ("/etc/sysctl.d/10-x.conf", "/etc/sysctl.d/9-x.conf"),
        ("/etc/sysctl.d/B.conf", "/etc/sysctl.d/a.conf"),
        ("/etc/sysctl.d/50-a.conf", "/etc/sysctl.d/50.conf"),
        ("/etc/sysctl.d/50.conf", "/etc/sysctl.d/50_a.conf"),
        ("/etc/sysctl.d/90-policy.conf", "/usr/lib/sysctl.d/99-vendor.conf"),
        ("/usr/local/lib/sysctl.d/1.conf", "/run/sysctl.d/2.conf"),
    ] {
        check(&[(first, ONE), (second, TWO)], Some(2), Some(2));
    }
}

#[test]
fn a_name_masks_the_same_name_in_a_later_directory_whatever_it_is() {
    for mask in ["-> /dev/null", "", "-> nowhere", "-> a.conf"] {
        check(&[("/etc/sysctl.d/a.conf", mask), ("/usr/lib/sysctl.d/a.conf", ONE)], None, None);
    }
    check(&[("/etc/sysctl.d/a.conf/x", ""), ("/usr/lib/sysctl.d/a.conf", ONE)], None, None);
    check(&[("/run/sysctl.d/a.conf", TWO), ("/usr/lib/sysctl.d/a.conf", ONE)], Some(2), Some(2));
}

#[test]
fn which_names_are_read() {
    check(&[("/etc/sysctl.d/.a.conf", ONE)], None, Some(1));
    check(&[("/etc/sysctl.d/a.conf~", ONE)], None, None);
    check(&[("/etc/sysctl.d/README", ONE)], None, None);
    check(&[("/etc/sysctl.d/-> ", ONE)], None, None);
    check(&[("/etc/sysctl.d/sub/a.conf", ONE)], None, None);
    check(&[("/lib/sysctl.d/a.conf", ONE)], Some(1), Some(1));
}

#[test]
fn sysctl_conf_is_read_through_its_link_or_last() {
    check(&[("/etc/sysctl.conf", ONE)], None, Some(1));
    let linked = ("/etc/sysctl.d/99-sysctl.conf", "-> ../sysctl.conf");
    check(&[("/etc/sysctl.conf", ONE), linked], Some(1), Some(1));
    check(
        &[("/etc/sysctl.conf", ONE), linked, ("/etc/sysctl.d/99-zz.conf", TWO)],
        Some(2),
        Some(1),
    );
    let masked = ("/etc/sysctl.d/99-sysctl.conf", "-> /dev/null");
    check(&[("/etc/sysctl.conf", ONE), masked], None, Some(1));
    check(&[("/etc/sysctl.conf", "-> /dev/null"), ("/etc/sysctl.d/a.conf", TWO)], Some(2), Some(2));
}

#[test]
fn a_link_is_named_by_its_own_name_and_edited_at_its_target() {
    let tree = tree(&[
        ("/etc/sysctl.conf", "\nnet.ipv4.tcp_keepalive_time=5\n"),
        ("/etc/sysctl.d/99-sysctl.conf", "-> ../sysctl.conf"),
    ]);
    let found = time(&tree, Loader::SystemdSysctl, true);
    let winner = found.winner().unwrap();
    assert_eq!(found.source().unwrap().to_string(), "/etc/sysctl.d/99-sysctl.conf:2");
    assert_eq!(winner.place.real, PathBuf::from("/etc/sysctl.conf"));
    let found = time(&tree, Loader::Procps, true);
    assert_eq!(found.source().unwrap().to_string(), "/etc/sysctl.conf:2");
    assert_eq!(found.losers().count(), 1);
}

#[test]
fn several_assignments_of_a_key() {
    lines("KEY = 1\nKEY = 2\n", Some(2), Some(2));
    // systemd writes only the last; procps each in turn, so that a valid one survives.
    lines("KEY = 1\nKEY = abc\n", None, Some(1));
    lines("KEY = 1\nKEY =\n", None, Some(1));
    lines("KEY = 1\nKEY = 8589935\n", None, Some(1));
}

#[test]
fn exclusions() {
    lines("KEY = 1\n-KEY\n", None, Some(1));
    lines("-KEY\nKEY = 1\n", Some(1), Some(1));
    lines("-KEY\nnet.ipv4.tcp_keepalive_* = 1\n", None, None);
    lines("-net.ipv4.tcp_*\nKEY = 1\n", Some(1), Some(1));
    lines("-net.ipv4.tcp_*\nnet.ipv4.tcp_keepalive_* = 1\n", Some(1), Some(1));
}

#[test]
fn an_explicit_line_shields_its_key_from_patterns() {
    lines("KEY = 1\nnet.ipv4.tcp_keepalive_* = 2\n", Some(1), Some(1));
    lines("net.ipv4.tcp_keepalive_* = 2\nKEY = 1\n", Some(1), Some(1));
    lines("net.ipv4.tcp_keepalive_* = 2\nKEY = abc\n", None, None);
    lines("/net/ipv4/tcp_keepalive_time = 1\nnet.ipv4.tcp_keepalive_* = 2\n", Some(1), Some(2));
}

#[test]
fn patterns() {
    lines("net.ipv4.tcp_keepalive_tim? = 1\nnet.ipv4.tcp_keepalive_t* = 2\n", Some(2), Some(2));
    // The same value again keeps its first position.
    let again = "net.*.tcp_keepalive_time = 1\nnet.ipv4.tcp_keepalive_t* = 2\n\
                 net.*.tcp_keepalive_time = 1\n";
    lines(again, Some(2), Some(1));
    lines("net.ipv4.{tcp_keepalive_time,x} = 1\n", None, None);
    lines("net.ipv4.{tcp_keepalive_tim?,x} = 1\n", Some(1), None);
    lines("net.ipv4.tcp_keepalive_t*. = 1\n", Some(1), None);
}

#[test]
fn spellings() {
    for (line, by_systemd, by_procps) in [
        ("net/ipv4/tcp_keepalive_time = 1", Some(1), Some(1)),
        ("//net//ipv4/./tcp_keepalive_time = 1", Some(1), Some(1)),
        ("KEY. = 1", Some(1), None),
        ("net/ipv4/tcp_keepalive_time/ = 1", Some(1), None),
        ("net/../net/ipv4/tcp_keepalive_time = 1", None, Some(1)),
        ("net.ipv4/tcp_keepalive_time = 1", None, None),
        ("- KEY = 1", Some(1), None),
        ("--KEY = 1", None, Some(1)),
        ("KEY = 1\rx = 2", Some(1), None),
        ("# x\rKEY = 1", Some(1), None),
        ("KEY = 0600", Some(384), Some(384)),
        ("KEY = 600 # note", Some(600), Some(600)),
        ("\u{b}KEY = 1", None, Some(1)),
    ] {
        lines(line, by_systemd, by_procps);
    }
}

#[test]
fn procps_tries_a_long_text_again_up_to_a_comma() {
    lines(&format!("KEY = 42,{}", "x".repeat(4100)), None, Some(42));
    lines(&format!("KEY = 42,{}", "x".repeat(4000)), None, None);
}

#[test]
fn a_credential_beats_every_file_for_systemd() {
    let files = [("/etc/credstore/sysctl.extra", ONE), ("/etc/sysctl.d/zz.conf", TWO)];
    check(&files, Some(1), Some(2));
    let tree = tree(&[("/run/credstore/sysctl.extra", ONE)]);
    assert_eq!(time(&tree, Loader::SystemdSysctl, true).effective(), Some(1));
    assert_eq!(time(&tree, Loader::SystemdSysctl, false).effective(), None);
}

#[test]
fn a_reboot_loses_what_is_in_run_and_what_it_masks() {
    let tree = tree(&[("/run/sysctl.d/a.conf", ""), ("/usr/lib/sysctl.d/a.conf", ONE)]);
    for loader in [Loader::SystemdSysctl, Loader::Procps] {
        assert_eq!(time(&tree, loader, true).effective(), None);
        assert_eq!(time(&tree, loader, false).effective(), Some(1));
    }
}

#[test]
fn a_line_that_decides_and_sets_nothing_is_named() {
    let tree = tree(&[("/etc/sysctl.d/a.conf", &format!("{ONE}net.ipv4.tcp_keepalive_time=x\n"))]);
    let found = time(&tree, Loader::SystemdSysctl, true);
    assert_eq!(found.winner().unwrap().fate, Fate::Written(Write::Refused));
    assert_eq!(found.source().unwrap().line, 2);
    let tree =
        self::tree(&[("/etc/sysctl.d/a.conf", &format!("{ONE}-net.ipv4.tcp_keepalive_time\n"))]);
    let found = time(&tree, Loader::SystemdSysctl, true);
    assert_eq!(found.winner().unwrap().fate, Fate::Exclusion);
    assert_eq!(found.source(), None);
}

#[test]
fn an_attempt_says_where_it_stands_and_what_becomes_of_it() {
    let tree =
        tree(&[("/etc/sysctl.d/a.conf", &format!("{ONE}\n{TWO}net.*.tcp_keepalive_time=x"))]);
    let found = time(&tree, Loader::SystemdSysctl, true);
    let said: Vec<String> = found.attempts.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "/etc/sysctl.d/a.conf:1: \"1\": replaced by a later line",
            "/etc/sysctl.d/a.conf:3: \"2\": written, sets 2",
            "/etc/sysctl.d/a.conf:4: \"x\": a pattern, without effect on this key",
        ]
    );
}

/// Bytes that mean something to a parser or a pattern, more often than others.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let special = prop::sample::select(b"-=#;.*?[]{},!\\/ \t\r\n\0\x0b:".to_vec());
    let words = prop::sample::select(vec!["net.ipv4.", "tcp_keepalive_", "time", "[[:", "..", "9"]);
    let part = prop_oneof![
        special.prop_map(|byte| vec![byte]),
        words.prop_map(|word| word.as_bytes().to_vec()),
        any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn any_bytes_are_evaluated(name in bytes(), content in bytes()) {
        let real = PathBuf::from("/etc/sysctl.d/x");
        let name = [name.as_slice(), b".conf"].concat();
        let names = std::collections::BTreeMap::from([(name, Entry::File(real.clone()))]);
        let path = PathBuf::from("/etc/sysctl.d");
        let tree = Tree {
            directories: vec![Directory { path: path.clone(), real: path, names }],
            contents: std::collections::BTreeMap::from([(real, content.into())]),
            ..Tree::default()
        };
        for loader in [Loader::SystemdSysctl, Loader::Procps] {
            let settings = evaluate(&tree, Scope { loader, run: true }, HZ.into());
            prop_assert_eq!(settings.len(), Key::ALL.len());
        }
    }
}
