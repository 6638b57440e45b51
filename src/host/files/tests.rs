use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn tree() -> (tempfile::TempDir, Host) {
    let directory = tempfile::tempdir().unwrap();
    let host = Host::at(directory.path());
    (directory, host)
}

#[test]
fn what_stands_at_a_path_is_told_apart() {
    let (directory, host) = tree();
    let path = |name: &str| directory.path().join(name);
    fs::write(path("file"), b"\xff\0x").unwrap();
    fs::create_dir(path("directory")).unwrap();
    symlink("/file", path("link")).unwrap();
    symlink("/nowhere", path("dangling")).unwrap();
    symlink("circle", path("circle")).unwrap();
    symlink("nowhere/x", path("half")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path("fifo"),
        FileType::Fifo,
        rustix::fs::Mode::from(0o600),
        rustix::fs::Dev::default(),
    )
    .unwrap();
    for (name, expected) in [
        ("/missing", Node::Missing),
        ("/file/below", Node::Missing),
        ("/dangling", Node::Dangling),
        ("/circle", Node::Dangling),
        ("/half", Node::Dangling),
        ("/directory", Node::Directory),
        ("/fifo", Node::Special),
    ] {
        assert_eq!(host.read(name.as_ref()).unwrap(), expected, "{name}");
    }
    for name in ["/file", "/link"] {
        let Node::File(file) = host.read(name.as_ref()).unwrap() else { panic!("{name}") };
        assert_eq!((file.path.to_str(), file.bytes.as_slice()), (Some("/file"), &b"\xff\0x"[..]));
    }
}

#[test]
fn names_are_listed_in_byte_order_and_a_missing_directory_is_empty() {
    let (directory, host) = tree();
    fs::create_dir(directory.path().join("d")).unwrap();
    for name in ["a", "B", "10-x", "9-x", ".hidden", "_"] {
        fs::write(directory.path().join("d").join(name), "").unwrap();
    }
    let names: Vec<String> = host
        .list("/d".as_ref())
        .unwrap()
        .into_iter()
        .map(|name| name.into_string().unwrap())
        .collect();
    assert_eq!(names, [".hidden", "10-x", "9-x", "B", "_", "a"]);
    assert!(host.list("/none".as_ref()).unwrap().is_empty());
    assert!(host.list("/d/a".as_ref()).unwrap().is_empty());
}

#[test]
fn who_has_it_open_for_writing_is_noticed() {
    let (directory, host) = tree();
    let path = directory.path().join("file");
    fs::write(&path, b"one").unwrap();
    let being_written = || match host.read("/file".as_ref()).unwrap() {
        Node::File(file) => file.being_written,
        other => panic!("{other:?}"),
    };
    let settled = || match host.read_settled("/file".as_ref()).unwrap() {
        Node::File(file) => file.being_written,
        other => panic!("{other:?}"),
    };
    assert!(!settled());
    let reader = fs::File::open(&path).unwrap();
    assert!(!settled(), "who reads does no harm");
    drop(reader);
    let writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
    assert!(being_written());
    assert!(settled());
    drop(writer);
    assert!(!settled());
}

#[test]
fn a_file_larger_than_the_limit_is_refused_by_its_size() {
    let (directory, host) = tree();
    let file = fs::File::create(directory.path().join("f")).unwrap();
    file.set_len(LARGEST_FILE).unwrap();
    assert!(matches!(host.read("/f".as_ref()), Ok(Node::File(_))));
    file.set_len(LARGEST_FILE + 1).unwrap();
    for read in [host.read("/f".as_ref()), host.read_settled("/f".as_ref())] {
        let error = read.unwrap_err();
        assert_eq!(error.source.kind(), std::io::ErrorKind::FileTooLarge);
        assert!(error.to_string().starts_with("/f: cannot read: it has more than 16777216 bytes"));
    }
}

#[test]
fn a_directory_with_more_entries_than_the_limit_is_refused() {
    let (directory, host) = tree();
    fs::create_dir(directory.path().join("d")).unwrap();
    for number in 0..=LARGEST_DIRECTORY {
        fs::hard_link(directory.path().join("d/0"), directory.path().join(format!("d/{number}")))
            .or_else(|_| fs::write(directory.path().join(format!("d/{number}")), ""))
            .unwrap();
    }
    let error = host.list("/d".as_ref()).unwrap_err();
    assert_eq!(error.source.kind(), std::io::ErrorKind::FileTooLarge);
    fs::remove_file(directory.path().join("d/0")).unwrap();
    assert_eq!(host.list("/d".as_ref()).unwrap().len(), LARGEST_DIRECTORY);
}
