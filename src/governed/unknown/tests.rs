use super::*;

fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Host) {
    let directory = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = directory.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let host = Host::at(directory.path());
    (directory, host)
}

fn said(files: &[(&str, &str)]) -> Vec<String> {
    let (_directory, host) = tree(files);
    find(&host).into_iter().map(|problem| problem.message).collect()
}

const RECORD: &str = "var/lib/keepalive-policy/originals.json";
const SYSCTL: (&str, &str) =
    ("etc/sysctl.d/99-zz-keepalive-policy.conf", "# Written by keepalive-policy; …\n");
const SSHD: (&str, &str) = (
    "etc/ssh/sshd_config.d/00-keepalive-policy.conf",
    "# Written by keepalive-policy from /etc/keepalive-policy.toml\n",
);
const BLOCK: (&str, &str) =
    ("etc/ssh/ssh_config", "# BEGIN keepalive-policy\n# END keepalive-policy\n");

#[test]
fn where_we_never_were_nothing_is_missed() {
    assert_eq!(said(&[]), [""; 0]);
    assert_eq!(said(&[("etc/ssh/sshd_config", "Port 22\n")]), [""; 0]);
    assert_eq!(said(&[(RECORD, "{}"), SYSCTL, SSHD]), [""; 0], "the record knows all");
}

#[test]
fn a_release_before_this_one_recorded_nothing_for_sshd_and_left_its_locks() {
    assert_eq!(said(&[SSHD, ("var/lib/keepalive-policy/sshd_config.lock", "")]), [""; 0]);
}

#[test]
fn a_lost_record_is_missed_by_what_is_ours() {
    for (path, content) in [SYSCTL, SSHD, BLOCK] {
        let said = said(&[(path, content)]);
        assert!(said[0].contains(&format!("originals.json is gone, though /{path} is ours")));
        assert!(said[1].contains("there is no copy"), "{said:?}");
    }
}

#[test]
fn a_record_that_cannot_be_used_or_is_incomplete_is_said_with_the_copies() {
    let copy = ("var/lib/keepalive-policy/originals/etc%2Fsysctl.conf", "");
    let unusable = said(&[(RECORD, "[]"), copy]);
    assert!(unusable[0].contains("an array where an object is wanted"), "{unusable:?}");
    assert!(unusable[1].ends_with("to be compared: /etc/sysctl.conf"), "{unusable:?}");
    let incomplete = said(&[(
        RECORD,
        r#"{"incomplete": {"since": 1, "reason": "why", "kept": "/kept"}, "harmful": {"n": 0}}"#,
    )]);
    assert!(incomplete[0].starts_with("n was 0 before the policy"), "{incomplete:?}");
    assert!(incomplete[1].contains("(why; it is kept as /kept)"), "{incomplete:?}");
}

#[test]
fn what_was_said_once_is_forgotten() {
    let (_directory, host) = tree(&[(
        RECORD,
        r#"{"incomplete": {"since": 1, "reason": "why"}, "first_enforced": {"sysctl": 1}}"#,
    )]);
    forget(&host).unwrap();
    assert_eq!(Originals::load(&host).unwrap(), Found::Known(Originals::default()));
    let (_directory, host) = tree(&[]);
    forget(&host).unwrap();
    assert_eq!(Originals::load(&host).unwrap(), Found::Absent);
}
