use std::ffi::OsStr;

use super::*;

#[test]
fn the_record_survives_a_round_trip_with_bytes_that_are_not_text() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    assert_eq!(Originals::load(&host).unwrap(), Originals::default());
    let originals = Originals {
        live: BTreeMap::from([("net.ipv4.tcp_keepalive_time".to_owned(), 7200)]),
        namespaces: BTreeMap::from([("blue".to_owned(), BTreeMap::new())]),
        lines: vec![EditedLine {
            file: "/etc/sysctl.conf".into(),
            ours: Bytes::from(b"a = 1".as_slice()),
            theirs: Bytes::from(b"a = \xff".as_slice()),
        }],
        sysctl_drop_in: Some(OsStr::from_bytes(b"/etc/sysctl.d/\xff.conf").into()),
        sysctl_directory: Some("/etc/sysctl.d".into()),
        sshd_instances: [Instance { file: "/etc/ssh/b".into(), unit: "b.service".into() }].into(),
    };
    originals.save(&host).unwrap();
    originals.save(&host).unwrap();
    assert_eq!(Originals::load(&host).unwrap(), originals);
}

#[test]
fn a_damaged_record_is_an_error_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    host.make_directory(host.state_dir(), 0o755).unwrap();
    let path = host.state_dir().join(FILE);
    host.replace(&path, Expect::Absent { mode: 0o644 }, b"{").unwrap();
    let error = Originals::load(&host).unwrap_err().to_string();
    assert!(error.starts_with("/var/lib/keepalive-policy/originals.json: the record"), "{error}");
}

#[test]
fn the_first_copy_of_a_file_is_the_one_that_stays() {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    let file = Path::new("/etc/ssh/sshd_config");
    Originals::keep_copy(&host, file, b"first").unwrap();
    Originals::keep_copy(&host, file, b"second").unwrap();
    assert_eq!(Originals::kept_copy(&host, file).unwrap().unwrap(), b"first");
    Originals::drop_copy(&host, file).unwrap();
    assert_eq!(Originals::kept_copy(&host, file).unwrap(), None);
}
