use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{LONGEST_USE, PrivateDirectory, maker};

#[test]
fn what_a_killed_process_left_is_removed_once_it_is_old() {
    let parent = tempfile::tempdir().unwrap();
    let make = |name: &str, age: Duration| {
        let path = parent.path().join(name);
        std::fs::create_dir(&path).unwrap();
        let when = SystemTime::now() - age;
        File::open(&path).and_then(|directory| directory.set_modified(when)).unwrap();
        path
    };
    let old = LONGEST_USE + Duration::from_secs(60);
    // No process has an id above the kernel's limit of 2^22.
    let abandoned = make("keepalive-policy-shadow-4999999-0", old);
    let stay = [
        make("keepalive-policy-shadow-4999999-1", Duration::ZERO),
        make(&format!("keepalive-policy-shadow-{}-7", std::process::id()), old),
        make("keepalive-policy-notes", old),
        make("somebody-else-4999999-0", old),
    ];
    let directory = PrivateDirectory::below(parent.path(), "shadow").unwrap();
    assert!(!abandoned.exists());
    assert!(stay.iter().all(|path| path.exists()));
    assert!(directory.path().starts_with(parent.path()));
}

#[test]
fn nothing_is_written_over() {
    let parent = tempfile::tempdir().unwrap();
    let directory = PrivateDirectory::below(parent.path(), "test").unwrap();
    let other = PrivateDirectory::below(parent.path(), "test").unwrap();
    assert_ne!(directory.path(), other.path());
    let file = Path::new("a/b");
    directory.write(file, b"1").unwrap();
    let error = directory.write(file, b"2").unwrap_err().to_string();
    assert!(error.ends_with("a/b: cannot write: File exists (os error 17)"), "{error}");
    let path = directory.path().to_owned();
    drop(directory);
    assert!(!path.exists() && other.path().exists());
}

#[test]
fn the_maker_is_in_the_name() {
    assert_eq!(maker("keepalive-policy-shadow-12-3"), Some(12));
    assert_eq!(maker("keepalive-policy-a-b-12-3"), Some(12));
    for name in ["keepalive-policy-shadow", "keepalive-policy-x-3", "shadow-12-3", ""] {
        assert_eq!(maker(name), None, "{name}");
    }
}
