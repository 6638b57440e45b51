use std::collections::BTreeMap;

use super::*;
use crate::sysctl::Key;

#[test]
fn the_text_names_the_tool_the_policy_and_the_way_back() {
    let desired =
        Desired { values: BTreeMap::from([(Key::KeepaliveIntvl, 75), (Key::KeepaliveTime, 600)]) };
    let text = text(Path::new("/etc/keepalive\n-policy.toml"), &desired);
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "# Written by keepalive-policy; changes made here by hand are undone.\n\
         # The values are declared in /etc/keepalive?-policy.toml: change them there.\n\
         # \"keepalive-policy restore\" puts back what was before.\n\
         net.ipv4.tcp_keepalive_time = 600\n\
         net.ipv4.tcp_keepalive_intvl = 75\n"
    );
}

#[test]
fn every_rung_sorts_after_the_one_before() {
    assert!(LADDER.is_sorted());
    for last in ["zzzz.conf", "~.conf", "zzz-keepalive-policy.conf", "é.conf", "99-zz.conf"] {
        let made = candidates(&Tree::default(), Some(last.as_bytes())).pop().unwrap();
        assert!(made.as_slice() > last.as_bytes(), "{last}");
    }
}

fn directory_with(path: &str, names: &[(&str, Entry)]) -> Directory {
    let names = names.iter().map(|(name, entry)| (name.as_bytes().to_vec(), entry.clone()));
    Directory { path: path.into(), real: path.into(), names: names.collect() }
}

fn names(candidates: Vec<Vec<u8>>) -> Vec<String> {
    candidates.into_iter().map(|name| String::from_utf8(name).unwrap()).collect()
}

#[test]
fn a_name_that_somebody_else_has_anywhere_is_left_out() {
    let elsewhere = Entry::File("/usr/lib/sysctl.d/99-zz-keepalive-policy.conf".into());
    let tree = Tree {
        directories: vec![
            directory_with(OURS, &[(LADDER[1], Entry::Nothing)]),
            directory_with("/usr/lib/sysctl.d", &[(NAME, elsewhere)]),
        ],
        ..Tree::default()
    };
    assert_eq!(names(candidates(&tree, None)), LADDER[2..]);
    assert!(!is_masked(&tree));
    let long = format!("{}.conf", "z".repeat(250));
    assert_eq!(candidates(&Tree::default(), Some(long.as_bytes())).len(), LADDER.len());
}

#[test]
fn our_file_is_known_by_its_mark_or_by_the_record() {
    let real = PathBuf::from(OURS).join(LADDER[1]);
    let mut tree = Tree {
        directories: vec![directory_with(OURS, &[(LADDER[1], Entry::File(real.clone()))])],
        ..Tree::default()
    };
    tree.contents.insert(real.clone(), b"net.ipv4.tcp_keepalive_time = 1\n".as_slice().into());
    assert!(present(&tree).is_empty());
    tree.made_by_us = Some(real.clone());
    assert_eq!(names(present(&tree)), [LADDER[1]]);
    // The name that is there is tried first.
    assert_eq!(names(candidates(&tree, None)), [LADDER[1], LADDER[0], LADDER[2], LADDER[3]]);
    tree.made_by_us = None;
    tree.contents.insert(real, text(Path::new("/p"), &Desired::default()).into());
    assert_eq!(names(present(&tree)), [LADDER[1]]);
}

#[test]
fn a_link_is_never_ours() {
    let elsewhere = Entry::File("/etc/other.conf".into());
    let mut tree =
        Tree { directories: vec![directory_with(OURS, &[(NAME, elsewhere)])], ..Tree::default() };
    let content = text(Path::new("/p"), &Desired::default());
    tree.contents.insert("/etc/other.conf".into(), content.into());
    assert!(present(&tree).is_empty());
    assert!(is_taken(&tree) && !is_masked(&tree));
}
